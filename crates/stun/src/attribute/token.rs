//! Authorization by a third party: a token instead of a password (RFC 7635 §6).

use super::text::{MAX_DECODED, is_sent_back, text_attribute};
use super::{Attribute, bytes_attribute};
use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

text_attribute! {
    /// THIRD-PARTY-AUTHORIZATION (RFC 7635 §6.1): the server takes tokens; the name by which the authorization
    /// server knows it, at most 763 bytes.
    ThirdPartyAuthorization, 0x802E, is_sent_back
}
bytes_attribute! {
    /// ACCESS-TOKEN (RFC 7635 §6.2): for the client a text without a meaning. It must be understood, and a server
    /// without tokens does not: see [`crate::Message::unknown_required`].
    AccessToken, 0x001B
}

impl<'a> AccessToken<'a> {
    /// The nonce and the encrypted block of a self-contained token (RFC 7635 §6.2), for the server; none if the
    /// nonce runs past the end. The encrypted block ends with its tag.
    #[must_use]
    pub fn parts(&self) -> Option<(&'a [u8], &'a [u8])> {
        let (length, rest) = self.0.split_first_chunk::<2>()?;
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_token_has_a_nonce_and_a_block() {
        assert_eq!(AccessToken(&[0, 2, 7, 8, 9]).parts(), Some((&[7, 8][..], &[9][..])));
        assert_eq!(AccessToken(&[0, 2, 7, 8]).parts(), Some((&[7, 8][..], &[][..])));
        assert_eq!(AccessToken(&[0, 2, 7]).parts(), None);
        assert_eq!(AccessToken(&[0]).parts(), None);
    }

    #[test]
    fn a_token_does_not_show() {
        assert_eq!(format!("{:?}", AccessToken(b"secret")), "AccessToken(6 bytes)");
    }
}
