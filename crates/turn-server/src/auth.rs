//! Who asks: the users of the realm by their keys, behind the gate of long-term credentials.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{Algorithm, ErrorCode, UserHash};
use floe_stun::credentials::{Believed, Credentials, Denied, Gate, Who};
use floe_stun::{Authenticated, Instant, Integrity, Key, Message};

use crate::answer::Refusal;
use crate::config::Users;

/// The users of one realm. Nothing is remembered of whoever is not one.
#[derive(Debug)]
pub(crate) struct Auth {
    gate: Gate,
    accounts: BTreeMap<UserId, Account>,
    by_name: BTreeMap<String, UserId>,
    by_hash: BTreeMap<[u8; 32], UserId>,
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
            gate: Gate::new(realm, secret, nonce_lifetime),
            accounts: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_hash: BTreeMap::new(),
        };
        for (id, (name, password)) in (0..).map(UserId).zip(users.iter()) {
            auth.insert(id, &Credentials::new(name.clone(), password.clone()));
        }
        auth
    }

    fn insert(&mut self, id: UserId, user: &Credentials) {
        let realm = self.gate.realm();
        let UserHash(hash) = user.hash(realm);
        let (md5, sha256) = (user.key(realm, Algorithm::MD5), user.key(realm, Algorithm::SHA256));
        let name: String = user.username().into();
        self.by_hash.insert(hash, id);
        self.by_name.insert(name.clone(), id);
        self.accounts.insert(id, Account { name, md5, sha256 });
    }

    /// Believes a request, or says what to answer.
    pub(crate) fn authenticate<'m>(
        &self,
        now: Instant,
        client: SocketAddr,
        message: &Message<'m>,
    ) -> Result<(Authenticated<Message<'m>>, Signature), Refusal> {
        let find = |who: Who<'m>, algorithm| {
            let (user, account) = self.account(who)?;
            Some((user, account.key(algorithm)))
        };
        let Believed { request, user, algorithm, by, .. } =
            self.gate.authenticate(now, client, message, find)?;
        Ok((request, Signature { user, algorithm, by }))
    }

    fn account(&self, who: Who<'_>) -> Option<(UserId, &Account)> {
        let id = match who {
            Who::Name(name) => self.by_name.get(name),
            Who::Hash(UserHash(hash)) => self.by_hash.get(&hash),
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

    /// What challenges a stranger, and a user whose nonce is old.
    pub(crate) const fn gate(&self) -> &Gate {
        &self.gate
    }
}

impl Account {
    fn key(&self, algorithm: Algorithm) -> &Key {
        if algorithm == Algorithm::SHA256 { &self.sha256 } else { &self.md5 }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::BadRequest => Self::Code(ErrorCode::BAD_REQUEST),
            Denied::Challenge(code) => Self::Challenge(code),
        }
    }
}
