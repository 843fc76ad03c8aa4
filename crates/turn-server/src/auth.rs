//! Who asks: the users behind the gate of long-term credentials.
//!
//! ```text
//!   named in the configuration ─┐
//!   found by the host ──────────┼──▶ user and key ──▶ Gate ──▶ believed, or what to answer
//!   by a shared secret ─────────┘
//! ```

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{Algorithm, UserHash};
use floe_stun::credentials::{Believed, Credentials, Denied, Gate, Who, rest};
use floe_stun::{Authenticated, Instant, Integrity, Key, Message};

use crate::Config;
use crate::answer::Refusal;

/// The users of one realm. Nothing is remembered of whoever is not one.
#[derive(Debug)]
pub(crate) struct Auth {
    gate: Gate,
    named: Accounts,
    /// Whom the host has found: kept as long as they have an allocation, and some a while longer.
    guests: Accounts,
    secrets: Vec<rest::Secret>,
    /// The time since 1970 at [`Instant::ORIGIN`].
    unix_at_origin: Duration,
}

/// Somebody who has shown to know a password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    /// Whose quota is used: the name without the time in it, if its password is good for a time only.
    pub(crate) owner: Arc<str>,
}

/// How the answers to an authenticated request are signed.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) user: Arc<User>,
    key: Key,
    by: Integrity,
}

impl Auth {
    pub(crate) fn new(config: &mut Config, secret: [u8; 32]) -> Self {
        let gate = Gate::new(core::mem::take(&mut config.realm), secret, config.nonce_lifetime);
        let gate = if config.secrets.is_empty() { gate } else { gate.hearing_names() };
        let mut named = Accounts::default();
        for (name, password) in config.users.iter() {
            named.insert(&gate, &Credentials::new(name.clone(), password.clone()));
        }
        let (guests, secrets) = (Accounts::default(), core::mem::take(&mut config.secrets));
        Self { gate, named, guests, secrets, unix_at_origin: config.unix_at_origin }
    }

    /// Believes a request, or says what to answer.
    pub(crate) fn authenticate<'m>(
        &self,
        now: Instant,
        client: SocketAddr,
        message: &Message<'m>,
    ) -> Result<(Authenticated<Message<'m>>, Signature), Refusal> {
        let unix = self.unix_at_origin + Duration::from_nanos(now.as_nanos());
        let with_secret = rest::opener(message, &self.secrets, self.gate.realm(), unix);
        let find = |who, algorithm| match self.find(who) {
            Some(account) => Some((Arc::clone(&account.user), account.key(algorithm).clone())),
            None => with_secret(who, algorithm).map(|(name, key)| (Arc::new(User::for_a_time(name)), key)),
        };
        let Believed { request, user, key, by, .. } = self.gate.authenticate(now, client, message, find)?;
        Ok((request, Signature { user, key, by }))
    }

    /// Whom a request names, if that is nobody known and its sender has shown to be where it says to be: worth a look-up
    /// of the host.
    pub(crate) fn stranger<'m>(
        &self,
        now: Instant,
        client: SocketAddr,
        message: &Message<'m>,
    ) -> Option<Who<'m>> {
        self.gate.who(now, client, message).filter(|who| self.find(*who).is_none())
    }

    /// Knows somebody whom the host has found.
    pub(crate) fn welcome(&mut self, user: &Credentials) {
        self.guests.tidy();
        self.guests.insert(&self.gate, user);
    }

    /// No longer knows somebody whom the host has found.
    pub(crate) fn forget(&mut self, name: &str) {
        self.guests.remove(name);
    }

    /// What challenges a stranger, and a user whose nonce is old.
    pub(crate) const fn gate(&self) -> &Gate {
        &self.gate
    }

    fn find(&self, who: Who<'_>) -> Option<&Account> {
        self.named.find(who).or_else(|| self.guests.find(who))
    }
}

impl User {
    fn for_a_time(name: &str) -> Self {
        // With a colon in front, for a user of the configuration may have the same name.
        Self { name: name.into(), owner: format!(":{}", owner(name)).into() }
    }
}

/// The part of a name that is not the time.
fn owner(name: &str) -> &str {
    match name.split_once(':') {
        Some((time, owner)) if !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit()) => owner,
        Some((owner, _)) => owner,
        None => "",
    }
}

impl Signature {
    /// What signs an answer.
    pub(crate) const fn key(&self) -> (&Key, Integrity) {
        (&self.key, self.by)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::BadRequest => Self::Code(floe_stun::attribute::ErrorCode::BAD_REQUEST),
            Denied::Challenge(code) => Self::Challenge(code),
        }
    }
}

/// What is kept of a user: keys, never the password (RFC 8656 §6).
#[derive(Debug)]
struct Account {
    user: Arc<User>,
    md5: Key,
    sha256: Key,
}

impl Account {
    fn key(&self, algorithm: Algorithm) -> &Key {
        if algorithm == Algorithm::SHA256 { &self.sha256 } else { &self.md5 }
    }
}

/// Accounts by both names of their users.
#[derive(Debug, Default)]
struct Accounts {
    by_hash: BTreeMap<[u8; 32], Account>,
    by_name: BTreeMap<String, [u8; 32]>,
    /// How many were left when those that nobody needs were last let go.
    kept: usize,
}

impl Accounts {
    fn find(&self, who: Who<'_>) -> Option<&Account> {
        match who {
            Who::Name(name) => self.by_hash.get(self.by_name.get(name)?),
            Who::Hash(UserHash(hash)) => self.by_hash.get(&hash),
        }
    }

    fn insert(&mut self, gate: &Gate, credentials: &Credentials) {
        let name: String = credentials.username().into();
        let UserHash(hash) = credentials.hash(gate.realm());
        let key = |algorithm| credentials.key(gate.realm(), algorithm);
        let (md5, sha256) = (key(Algorithm::MD5), key(Algorithm::SHA256));
        // Who has an allocation and comes again is the same.
        let user = match self.by_hash.remove(&hash) {
            Some(known) => known.user,
            None => Arc::new(User { name: name.clone(), owner: name.as_str().into() }),
        };
        self.by_hash.insert(hash, Account { user, md5, sha256 });
        self.by_name.insert(name, hash);
    }

    fn remove(&mut self, name: &str) {
        if let Some(hash) = self.by_name.remove(name) {
            self.by_hash.remove(&hash);
        }
    }

    /// Lets go whom nobody needs, once they have become as many as the others.
    fn tidy(&mut self) {
        let Self { by_hash, by_name, kept } = self;
        if by_hash.len() > SPARE.saturating_add(kept.saturating_mul(2)) {
            by_hash.retain(|_, account| Arc::strong_count(&account.user) > 1);
            by_name.retain(|_, hash| by_hash.contains_key(hash));
            *kept = by_hash.len();
        }
    }
}

/// Guests without an allocation that are kept in any case.
const SPARE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_what_is_left_of_a_name_without_its_time() {
        for (name, expected) in [
            ("1800000000:alice", "alice"),
            ("alice:1800000000", "alice"),
            ("1800000000:1", "1"),
            ("1800000000:", ""),
            (":1800000000", ""),
            ("1800000000", ""),
        ] {
            assert_eq!(owner(name), expected, "{name}");
        }
    }
}
