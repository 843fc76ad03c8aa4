//! Users that the host knows: their requests wait until it has looked them up.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::attribute::UserHash;
use floe_stun::credentials::{Credentials, Who};
use floe_stun::{Dropped, Instant, Message};

use crate::Event;
use crate::allocation::FiveTuple;
use crate::server::{Queued, Server};

/// The name of a question to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(u64);

/// How a user that is looked up was named.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 8489 knows two, and a look-up must serve both")]
pub enum Wanted {
    /// By name, prepared by OpaqueString.
    Name(String),
    /// By the hash of name and realm; see [`floe_stun::userhash`].
    Hash([u8; 32]),
}

/// Requests that wait.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    held: BTreeMap<LookupId, Held>,
    last: u64,
}

#[derive(Debug)]
struct Held {
    from: FiveTuple,
    request: Vec<u8>,
    since: Instant,
}

impl Lookups {
    pub(crate) fn forget_all(&mut self) {
        self.held.clear();
    }
}

impl Server {
    /// Holds a request of somebody unknown and asks the host, if the request is worth it. False if not.
    pub(crate) fn look_up(&mut self, from: FiveTuple, message: &Message<'_>) -> Result<bool, Dropped> {
        let Some(who) = self.auth.stranger(self.now, from.client, message) else { return Ok(false) };
        let now = self.now;
        let Lookups { held, last } = &mut self.lookups;
        held.retain(|_, held| now < held.since + PATIENCE);
        let request = message.as_bytes();
        if held.values().any(|held| held.from == from && held.request == request) {
            return Ok(true);
        }
        // To be told 401 is to be told that the password is wrong; whoever hears nothing asks again.
        if held.len() >= self.terms.limits.lookups {
            return Err(Dropped::LimitReached);
        }
        if self.rate.as_mut().is_some_and(|rate| !rate.admit(now, from.client)) {
            return Err(Dropped::RateLimited);
        }
        *last += 1;
        let lookup = LookupId(*last);
        held.insert(lookup, Held { from, request: request.into(), since: now });
        let user = match who {
            Who::Name(name) => Wanted::Name(name.to_string()),
            Who::Hash(UserHash(hash)) => Wanted::Hash(hash),
        };
        self.outbox.push_back(Queued::Event(Event::Lookup { lookup, user, client: from.client }));
        Ok(true)
    }

    /// What the host says of a user it was asked for by [`Event::Lookup`]: the credentials, or nothing if it knows none.
    /// The request that waits is answered now. What comes more than ten seconds late serves the next one.
    pub fn found(&mut self, now: Instant, lookup: LookupId, user: Option<&Credentials>) {
        self.now = self.now.max(now);
        if let Some(user) = user {
            self.auth.welcome(user);
        }
        let Some(Held { from, request, since }) = self.lookups.held.remove(&lookup) else { return };
        let is_late = since + PATIENCE <= self.now;
        if is_late || !self.own.hears(from.listener) {
            return;
        }
        if let Ok(message) = Message::decode(&request)
            && let Err(why) = self.handle_request(from, &message, Known::AllThereAre)
        {
            self.stats.drops.count(why);
        }
    }

    /// Asks the host anew when this user comes again, as when the password has changed.
    pub fn forget_user(&mut self, name: &str) {
        self.auth.forget(name);
    }
}

/// Whether somebody unknown may be known to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    AllThereAre,
    HostMayKnowMore,
}

/// A client repeats its request for half a minute and more.
const PATIENCE: Duration = Duration::from_secs(10);
