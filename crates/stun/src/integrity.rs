//! Keys, MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 §9, §14.5, §14.6).
//!
//! This file is the only one that can make an [`Authenticated`] value.

use alloc::string::String;
use core::fmt;
use core::ops::Deref;

use md5::{Digest, Md5};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::header;
use crate::mac::Hmac;
use crate::message::Message;
use crate::walk::Seal;
use crate::{IntegrityError, attribute};

/// A password as it was configured or signalled. Its `Debug` shows nothing and its memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Keeps this password.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Self {
        Self(Zeroizing::new(password.into()))
    }

    /// The password, for putting it into a description or deriving a key.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// A credential made ready: the HMAC states of its key, computed once and wiped on drop.
#[derive(Clone)]
pub struct Key {
    sha1: Hmac<5>,
    sha256: Hmac<8>,
}

impl Key {
    /// The key of a short-term credential, as ICE uses it (RFC 8489 §9.1.1).
    ///
    /// `password` must already be prepared by OpaqueString; ICE passwords always are.
    #[must_use]
    pub fn short_term(password: &str) -> Self {
        Self::from_bytes(password.as_bytes())
    }

    /// The MD5 key of a long-term credential (RFC 8489 §9.2.2), for servers without PASSWORD-ALGORITHMS.
    ///
    /// `realm` and `password` must already be prepared by OpaqueString.
    #[must_use]
    pub fn long_term_md5(username: &str, realm: &str, password: &Password) -> Self {
        let digest = Md5::new()
            .chain_update(username)
            .chain_update(":")
            .chain_update(realm)
            .chain_update(":")
            .chain_update(password.reveal());
        Self::from_bytes(&Zeroizing::new(<[u8; 16]>::from(digest.finalize()))[..])
    }

    /// The SHA-256 key of a long-term credential (RFC 8489 §18.5.1.2).
    ///
    /// `realm` and `password` must already be prepared by OpaqueString.
    #[must_use]
    pub fn long_term_sha256(username: &str, realm: &str, password: &Password) -> Self {
        let digest = Sha256::new()
            .chain_update(username)
            .chain_update(":")
            .chain_update(realm)
            .chain_update(":")
            .chain_update(password.reveal());
        Self::from_bytes(&Zeroizing::new(<[u8; 32]>::from(digest.finalize()))[..])
    }

    /// A key from its bytes, for credentials that were derived elsewhere.
    #[must_use]
    pub fn from_bytes(key: &[u8]) -> Self {
        Self { sha1: Hmac::new(key), sha256: Hmac::new(key) }
    }

    /// MESSAGE-INTEGRITY of what it covers, under a header of this length.
    pub(crate) fn sign_sha1(&self, covered: &[u8], length: u16) -> [u8; 20] {
        self.sha1.sign(covered, length)
    }

    /// MESSAGE-INTEGRITY-SHA256 of what it covers, under a header of this length.
    pub(crate) fn sign_sha256(&self, covered: &[u8], length: u16) -> [u8; 32] {
        self.sha256.sign(covered, length)
    }

    fn verify(&self, sha256: Option<Seal<'_>>, sha1: Option<Seal<'_>>) -> Result<Integrity, IntegrityError> {
        let (by, verified) = match (sha256, sha1) {
            // A truncated tag fails too: neither ICE nor TURN allows one (RFC 8489 §14.6).
            (Some(seal), _) => {
                (Integrity::Sha256, self.sha256.verify(seal.covered, length(seal), seal.value))
            }
            (None, Some(seal)) => (Integrity::Sha1, self.sha1.verify(seal.covered, length(seal), seal.value)),
            (None, None) => return Err(IntegrityError::Missing),
        };
        if verified { Ok(by) } else { Err(IntegrityError::Mismatch) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Which of the two attributes vouches for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 8489 defines two, and handlers must tell them apart")]
pub enum Integrity {
    /// MESSAGE-INTEGRITY.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256.
    Sha256,
}

/// Proof that a message was signed with the key it was verified against.
///
/// Only [`Message::verify`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Authenticated<M> {
    message: M,
    by: Integrity,
}

impl<M> Authenticated<M> {
    /// What vouches for the message; an answer must use the same (RFC 8489 §9.1.3).
    pub const fn by(&self) -> Integrity {
        self.by
    }
}

impl<M> Deref for Authenticated<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.message
    }
}

impl<'a> Message<'a> {
    /// Checks MESSAGE-INTEGRITY-SHA256 if it is there, else MESSAGE-INTEGRITY (RFC 8489 §9.1.3), in constant
    /// time.
    ///
    /// # Errors
    ///
    /// [`IntegrityError::Missing`] without either attribute, [`IntegrityError::Mismatch`] if it does not verify.
    #[inline]
    pub fn verify(&self, key: &Key) -> Result<Authenticated<Self>, IntegrityError> {
        let by = key.verify(self.integrity_sha256(), self.integrity())?;
        Ok(Authenticated { message: *self, by })
    }
}

/// What the header's length is taken to be: as if the message ended with the seal (RFC 8489 §14.5).
fn length(seal: Seal<'_>) -> u16 {
    header::length(seal.covered.len().saturating_add(4).saturating_add(seal.value.len()))
}

/// USERHASH of a user (RFC 8489 §14.4); both parts must already be prepared by OpaqueString.
#[must_use]
pub fn userhash(username: &str, realm: &str) -> attribute::UserHash {
    let digest = Sha256::new().chain_update(username).chain_update(":").chain_update(realm);
    attribute::UserHash(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Class, Method, TransactionId};

    #[test]
    fn the_right_key_verifies_and_no_other() {
        let key = Key::short_term("the right one");
        let mut buf = [0; 64];
        let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([9; 12]));
        let bytes = builder.integrity(&key).finish().unwrap();
        let message = Message::decode(bytes).unwrap();

        assert_eq!(message.verify(&key).unwrap().by(), Integrity::Sha1);
        assert_eq!(message.verify(&Key::short_term("another")).unwrap_err(), IntegrityError::Mismatch);
    }

    #[test]
    fn sha256_is_preferred_where_both_stand() {
        let key = Key::short_term("secret");
        let mut buf = [0; 128];
        let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([9; 12]));
        let bytes = builder.integrity(&key).integrity_sha256(&key).fingerprint().finish().unwrap();
        let message = Message::decode(bytes).unwrap();

        assert_eq!(message.verify(&key).unwrap().by(), Integrity::Sha256);
        assert_eq!(message.fingerprint(), Some(true));
    }

    #[test]
    fn a_truncated_sha256_tag_does_not_verify() {
        let key = Key::short_term("secret");
        let mut buf = [0; 128];
        let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([9; 12]));
        let unsigned = builder.finish().unwrap().to_vec();
        for len in [16, 20, 24, 28] {
            let length = u8::try_from(4 + len).unwrap();
            let tag = key.sign_sha256(&unsigned, u16::from(length));
            let mut bytes = unsigned.clone();
            bytes[3] = length;
            bytes.extend([0x00, 0x1C, 0, length - 4]);
            bytes.extend(&tag[..len]);

            let message = Message::decode(&bytes).unwrap();

            assert_eq!(message.verify(&key).unwrap_err(), IntegrityError::Mismatch, "{len} bytes");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        use alloc::format;
        assert_eq!(format!("{:?} {:?}", Password::new("x"), Key::short_term("x")), "Password(..) Key(..)");
    }
}
