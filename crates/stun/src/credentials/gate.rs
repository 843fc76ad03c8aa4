//! The server's side of the long-term credential mechanism, by the checks of RFC 8489 §9.2.4 in their order.
//!
//! ```text
//!   no integrity ──▶ 401     parts missing ──▶ 400     algorithms bent ──▶ 400
//!   unknown user ──▶ 401     wrong key ──▶ 401         nonce not good ──▶ 438
//!   else ──▶ Believed, and how to sign the answer
//! ```
//!
//! Nothing is remembered of whoever fails, nor of whoever does not: the nonce carries all there is to know.

use alloc::string::String;
use core::borrow::Borrow;
use core::net::SocketAddr;
use core::time::Duration;

use super::{Nonces, SecurityFeatures, prepared};
use crate::attribute::{
    Algorithm, Attribute, ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash, Username,
};
use crate::{Authenticated, Builder, Instant, Integrity, Key, Message};

/// What stands between strangers and a server: one realm and its nonces. Whom it lets in, the owner's look-up knows.
///
/// A conversation from both sides is the example of [`Login`](super::Login).
#[derive(Clone, Debug)]
pub struct Gate {
    realm: String,
    nonces: Nonces,
}

/// How a client names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 8489 knows two, and a look-up must serve both")]
pub enum Who<'m> {
    /// USERNAME, prepared by OpaqueString.
    Name(&'m str),
    /// USERHASH, of name and realm; see [`crate::userhash`].
    Hash(UserHash),
}

/// A request whose sender knows the password.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Believed<'m, U, K> {
    /// The request.
    pub request: Authenticated<Message<'m>>,
    /// What the look-up says of its sender.
    pub user: U,
    /// The key, which signs the answer too.
    pub key: K,
    /// What the key was made by.
    pub algorithm: Algorithm,
    /// The attribute that signs the answer (RFC 8489 §9.2.4).
    pub by: Integrity,
}

/// What to answer to a request that is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 8489 §9.2.4 knows two kinds, and each is answered otherwise"
)]
pub enum Denied {
    /// 400, and nothing else.
    BadRequest,
    /// 401 or 438, to be ended by [`Gate::challenge`].
    Challenge(ErrorCode<'static>),
}

impl Gate {
    /// The password algorithms that it offers, best first.
    pub const OFFERED: PasswordAlgorithms<'static> = PasswordAlgorithms::SHA256_AND_MD5;

    /// The longest realm in characters (RFC 8489 §14.9).
    pub const MAX_REALM: usize = 127;

    /// A gate with nonces of this secret, which nobody else knows, and of this lifetime, at most an hour.
    ///
    /// The realm should be the operator's domain name; it stands in every challenge. It is prepared by OpaqueString, a
    /// longer one is cut, and what no realm has (quotes, backslashes, control characters) is left out: users' keys are
    /// to be made with [`Self::realm`].
    #[must_use]
    pub fn new(realm: impl Into<String>, secret: [u8; 32], nonce_lifetime: Duration) -> Self {
        let has = |c: &char| !matches!(c, '"' | '\\') && !c.is_control();
        let realm: String = realm.into().chars().filter(has).collect();
        let realm = prepared(&realm).chars().take(Self::MAX_REALM).collect();
        Self { realm, nonces: Nonces::new(secret, nonce_lifetime) }
    }

    /// The same for an owner that cannot look up a [`Who::Hash`], as where passwords are made of names
    /// ([`super::rest`]): clients are not asked to hide theirs.
    #[must_use]
    pub fn hearing_names(self) -> Self {
        Self { nonces: self.nonces.hearing_names(), ..self }
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Believes a request, or says what to answer. `find` knows of each user the key by either algorithm; see
    /// [`Credentials::key`](super::Credentials::key).
    ///
    /// # Errors
    ///
    /// [`Denied`], by the first check of RFC 8489 §9.2.4 that fails.
    pub fn authenticate<'m, U, K: Borrow<Key>>(
        &self,
        now: Instant,
        client: SocketAddr,
        message: &Message<'m>,
        find: impl FnOnce(Who<'m>, Algorithm) -> Option<(U, K)>,
    ) -> Result<Believed<'m, U, K>, Denied> {
        let unauthenticated = Denied::Challenge(ErrorCode::UNAUTHENTICATED);
        if !message.has_integrity() {
            return Err(unauthenticated);
        }
        let named = message.has(Username::TYPE) || message.has(UserHash::TYPE);
        let (true, Some(Realm(_)), Some(Nonce(nonce))) = (named, message.find(), message.find()) else {
            return Err(Denied::BadRequest);
        };
        let (algorithm, by) = algorithm(message, nonce)?;
        let who = who(message).ok_or(unauthenticated)?;
        let (user, key) = find(who, algorithm).ok_or(unauthenticated)?;
        let request = message.verify(key.borrow()).map_err(|_| unauthenticated)?;
        if !self.nonces.is_good(now, client, nonce) {
            return Err(Denied::Challenge(ErrorCode::STALE_NONCE));
        }
        Ok(Believed { request, user, key, algorithm, by })
    }

    /// Whom a signed request names, if it shows a nonce that is good: its sender has heard a challenge there. For owners
    /// whose look-up takes its time, and is not for everybody; whether the signature is right is not asked.
    #[must_use]
    pub fn who<'m>(&self, now: Instant, client: SocketAddr, message: &Message<'m>) -> Option<Who<'m>> {
        let Nonce(nonce) = message.find().filter(|_| message.has_integrity())?;
        if self.nonces.is_good(now, client, nonce) { who(message) } else { None }
    }

    /// Adds to an error response what its client needs to try again: REALM, NONCE and PASSWORD-ALGORITHMS.
    #[must_use]
    pub fn challenge<'b>(&self, builder: Builder<'b>, now: Instant, client: SocketAddr) -> Builder<'b> {
        builder
            .attribute(&Realm(&self.realm))
            .attribute(&Nonce(&self.nonces.issue(now, client)))
            .attribute(&Self::OFFERED)
    }
}

fn who<'m>(message: &Message<'m>) -> Option<Who<'m>> {
    match message.find::<Username<'_>>() {
        Some(Username(name)) => Some(Who::Name(name)),
        None => message.find().map(Who::Hash),
    }
}

/// The algorithm a request is signed with, and what its answer is signed with (RFC 8489 §9.2.4).
fn algorithm(message: &Message<'_>, nonce: &str) -> Result<(Algorithm, Integrity), Denied> {
    let implied_md5 = (Algorithm::MD5, Integrity::Sha1);
    if !SecurityFeatures::of(nonce).password_algorithms {
        return Ok(implied_md5);
    }
    match (message.get::<PasswordAlgorithm>(), message.get::<PasswordAlgorithms<'_>>()) {
        (None, None) => Ok(implied_md5),
        (Some(Ok(PasswordAlgorithm(chosen))), Some(Ok(offered)))
            if offered == Gate::OFFERED && offered.iter().any(|algorithm| algorithm == chosen) =>
        {
            Ok((chosen, Integrity::Sha256))
        }
        _ => Err(Denied::BadRequest),
    }
}
