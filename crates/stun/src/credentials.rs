//! Who we are, and how the other side proves who it is (RFC 8489 §9): a machine for each side of each mechanism.
//!
//! | mechanism | client | server |
//! |---|---|---|
//! | long-term (§9.2), as TURN uses it | [`Login`] | [`Gate`] |
//! | short-term (§9.1), as ICE uses it | [`ShortTerm`] | [`short_term::authenticate`] |
//! | tokens of a third party (RFC 7635) | [`ThirdParty`] | [`Gate`] with [`token::opener`] |
//! | passwords for a limited time (TURN REST) | [`Login`] with what [`rest::Secret`] makes | [`Gate`] with [`rest::opener`] |
//!
//! They own no transaction and no socket. The client's machines sign what the owner writes and judge what comes back;
//! the server's say whom to believe and what to answer to whom else.

mod cookie;
mod gate;
mod login;
mod nonce;
mod prepare;
pub mod rest;
pub mod short_term;
mod third_party;
pub mod token;
mod verdict;

use alloc::string::String;
use core::fmt;

pub use cookie::SecurityFeatures;
pub use gate::{Believed, Denied, Gate, Who};
pub use login::Login;
pub use nonce::Nonces;
pub use prepare::{NotOpaque, opaque_string};
pub use short_term::ShortTerm;
pub use third_party::ThirdParty;
pub use token::Token;
pub use verdict::{Attempt, LoginError, Verdict};

use crate::attribute::{Algorithm, UserHash};
use crate::{Key, Password, userhash};

/// A user name and its password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: Password,
}

impl Credentials {
    /// This user with this password, both already prepared by OpaqueString (RFC 8265 §4.2); printable ASCII is.
    #[must_use]
    pub fn new(username: impl Into<String>, password: Password) -> Self {
        Self { username: username.into(), password }
    }

    /// What somebody typed, prepared by OpaqueString.
    ///
    /// ```
    /// use floe_stun::credentials::Credentials;
    ///
    /// let typed = Credentials::prepare("alice", "correct horse battery staple")?;
    /// assert_eq!(typed.username(), "alice");
    /// # Ok::<(), floe_stun::credentials::NotOpaque>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotOpaque`] if either is empty or holds what no such text may hold.
    pub fn prepare(username: &str, password: &str) -> Result<Self, NotOpaque> {
        let (username, password) = (opaque_string(username)?, opaque_string(password)?);
        Ok(Self::new(username, Password::new(password)))
    }

    /// The user name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password.
    #[must_use]
    pub const fn password(&self) -> &Password {
        &self.password
    }

    /// The key of this user in a realm (RFC 8489 §9.2.2, §18.5.1). Another algorithm than SHA-256 counts as MD5.
    #[must_use]
    pub fn key(&self, realm: &str, algorithm: Algorithm) -> Key {
        let derive = match algorithm {
            Algorithm::SHA256 => Key::long_term_sha256,
            _ => Key::long_term_md5,
        };
        let password = Password::new(without_nulls(self.password.reveal()));
        derive(bare(&self.username), &prepared(bare(realm)), &password)
    }

    /// The name as a server that keeps names to itself wants to hear it (RFC 8489 §14.4), with the realm prepared.
    #[must_use]
    pub fn hash(&self, realm: &str) -> UserHash {
        userhash(&self.username, &prepared(realm))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// A realm that cannot be prepared is a server's own invention; it knows what it hashes.
fn prepared(realm: &str) -> String {
    opaque_string(realm).unwrap_or_else(|_| realm.into())
}

/// "with any quotes and trailing nulls removed" (RFC 8489 §9.2.2)
fn bare(text: &str) -> &str {
    without_nulls(text).trim_matches('"')
}

fn without_nulls(text: &str) -> &str {
    text.trim_end_matches('\0')
}
