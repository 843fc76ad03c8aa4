//! Who asks: long-term credentials, by the checks of RFC 8489 §9.2.4 in their order.
//!
//! ```text
//!   no integrity ──▶ 401     parts missing ──▶ 400     algorithms bent ──▶ 400
//!   unknown user ──▶ 401     wrong key ──▶ 401         nonce not good ──▶ 438
//!   else ──▶ Authenticated, and how to sign the answer
//! ```
//!
//! Nothing is remembered of whoever fails.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{
    Algorithm, Attribute, ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash, Username,
};
use floe_stun::{Authenticated, Instant, Integrity, Key, Message, userhash};

use crate::answer::Refusal;
use crate::config::Users;
use crate::nonce::{Nonces, says_password_algorithms};

/// The users of one realm, by their keys.
#[derive(Debug)]
pub(crate) struct Auth {
    realm: String,
    accounts: BTreeMap<UserId, Account>,
    by_name: BTreeMap<String, UserId>,
    by_hash: BTreeMap<[u8; 32], UserId>,
    nonces: Nonces,
}

/// One user, for the life of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UserId(u32);

/// What is kept of a user: keys, never the password (RFC 8656 §6).
#[derive(Debug)]
struct Account {
    name: String,
    md5: Key,
    sha256: Key,
}

/// How the answers to an authenticated request are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) user: UserId,
    algorithm: Algorithm,
    by: Integrity,
}

impl Auth {
    pub(crate) fn new(realm: String, users: &Users, nonce_lifetime: Duration, secret: [u8; 32]) -> Self {
        let mut auth = Self {
            accounts: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            nonces: Nonces::new(secret, nonce_lifetime),
            realm,
        };
        for (id, (name, password)) in (0..).map(UserId).zip(users.iter()) {
            let UserHash(hash) = userhash(name, &auth.realm);
            let md5 = Key::long_term_md5(name, &auth.realm, password);
            let sha256 = Key::long_term_sha256(name, &auth.realm, password);
            auth.by_name.insert(name.clone(), id);
            auth.by_hash.insert(hash, id);
            auth.accounts.insert(id, Account { name: name.clone(), md5, sha256 });
        }
        auth
    }

    /// Believes a request, or says what to answer.
    pub(crate) fn authenticate<'a>(
        &self,
        now: Instant,
        client: SocketAddr,
        message: &Message<'a>,
    ) -> Result<(Authenticated<Message<'a>>, Signature), Refusal> {
        if !message.has_integrity() {
            return Err(Refusal::Challenge(ErrorCode::UNAUTHENTICATED));
        }
        let named = message.has(Username::TYPE) || message.has(UserHash::TYPE);
        let (true, Some(Realm(_)), Some(Nonce(nonce))) = (named, message.find(), message.find()) else {
            return Err(Refusal::Code(ErrorCode::BAD_REQUEST));
        };
        let (algorithm, by) = algorithm(message, nonce)?;
        let unauthenticated = Refusal::Challenge(ErrorCode::UNAUTHENTICATED);
        let Some((user, account)) = self.account(message) else { return Err(unauthenticated) };
        let Ok(request) = message.verify(account.key(algorithm)) else { return Err(unauthenticated) };
        if !self.nonces.is_good(now, client, nonce) {
            return Err(Refusal::Challenge(ErrorCode::STALE_NONCE));
        }
        Ok((request, Signature { user, algorithm, by }))
    }

    fn account(&self, message: &Message<'_>) -> Option<(UserId, &Account)> {
        let id = match message.find::<Username<'_>>() {
            Some(Username(name)) => self.by_name.get(name),
            None => message.find::<UserHash>().and_then(|UserHash(hash)| self.by_hash.get(&hash)),
        };
        id.and_then(|id| Some((*id, self.accounts.get(id)?)))
    }

    /// What signs an answer.
    pub(crate) fn key(&self, signature: Signature) -> Option<(&Key, Integrity)> {
        let account = self.accounts.get(&signature.user)?;
        Some((account.key(signature.algorithm), signature.by))
    }

    pub(crate) fn name(&self, user: UserId) -> &str {
        self.accounts.get(&user).map_or("", |account| &account.name)
    }

    pub(crate) fn realm(&self) -> &str {
        &self.realm
    }

    /// A nonce for a challenge to this client.
    pub(crate) fn nonce(&self, now: Instant, client: SocketAddr) -> String {
        self.nonces.issue(now, client)
    }
}

impl Account {
    fn key(&self, algorithm: Algorithm) -> &Key {
        if algorithm == Algorithm::SHA256 { &self.sha256 } else { &self.md5 }
    }
}

/// The algorithm a request is signed with, and what its answer is signed with (RFC 8489 §9.2.4).
fn algorithm(message: &Message<'_>, nonce: &str) -> Result<(Algorithm, Integrity), Refusal> {
    let implied_md5 = (Algorithm::MD5, Integrity::Sha1);
    if !says_password_algorithms(nonce) {
        return Ok(implied_md5);
    }
    let chosen = message.get::<PasswordAlgorithm>();
    let offered = message.get::<PasswordAlgorithms<'_>>();
    match (chosen, offered) {
        (None, None) => Ok(implied_md5),
        (Some(Ok(PasswordAlgorithm(chosen))), Some(Ok(offered)))
            if offered == OFFERED && offered.iter().any(|algorithm| algorithm == chosen) =>
        {
            Ok((chosen, Integrity::Sha256))
        }
        _ => Err(Refusal::Code(ErrorCode::BAD_REQUEST)),
    }
}

/// Best first.
pub(crate) const OFFERED: PasswordAlgorithms<'static> = PasswordAlgorithms::SHA256_AND_MD5;
