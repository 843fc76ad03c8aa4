//! One allocation (RFC 8656 §6): what it is while its sockets are opened, and what it is from then on.
//!
//! ```text
//!   Allocate ──▶ Opening ──all sockets are open──▶ Live ──LIFETIME 0, time is up, a socket is gone──▶ gone
//!                │    ▲                            ▲  │
//!                │    └ port in use: another       └──┘ Refresh
//!                └── no port, or the host fails ──▶ gone, 508
//! ```

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{AddressErrorCode, ErrorCode, Family, ReservationToken};
use floe_stun::{Instant, RequestId, SocketId, TransactionId};

use crate::answer::{Body, Refusal, Reply};
use crate::auth::User;
use crate::channel::Channels;
use crate::mobility::Passport;
use crate::permission::Permissions;
use crate::ports::Parity;
use crate::{Limits, PeerPolicy};

slotmap::new_key_type! {
    /// The name of an allocation, which is never used for another one.
    pub(crate) struct AllocationId;
}

/// A client as the server tells clients apart. The listening socket stands for the server's address, its port
/// and the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FiveTuple {
    pub(crate) listener: SocketId,
    pub(crate) client: SocketAddr,
}

/// What every allocation is subject to.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) peers: PeerPolicy,
    pub(crate) limits: Limits,
    pub(crate) default_lifetime: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) tcp: bool,
    pub(crate) mobility: bool,
    pub(crate) dont_fragment: bool,
}

impl Terms {
    /// RFC 8656 §7.2: what was asked, at most the maximum, at least the default.
    pub(crate) fn lifetime(&self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or_default().min(self.max_lifetime).max(self.default_lifetime)
    }
}

#[derive(Debug)]
pub(crate) enum Slot {
    Opening(Opening),
    Live(Allocation),
}

/// An allocation whose sockets the host has been asked for; its client waits.
#[derive(Debug)]
pub(crate) struct Opening {
    /// For the answer.
    pub(crate) reply: Reply,
    pub(crate) user: Arc<User>,
    pub(crate) wish: Wish,
    /// What the host is opening.
    pub(crate) request: RequestId,
    pub(crate) bind: SocketAddr,
    /// What the host found taken.
    pub(crate) tried: Vec<SocketAddr>,
    /// What it has opened before that.
    pub(crate) first: Option<Relayed>,
}

/// What a client asks for, once it is known to make sense here.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// Addresses that fit; never empty.
    pub(crate) relays: Vec<IpAddr>,
    pub(crate) parity: Parity,
    pub(crate) beside: Beside,
    pub(crate) is_tcp: bool,
    pub(crate) lifetime: Duration,
    /// Whether the client wants to move.
    pub(crate) moves: bool,
}

/// What a client asks for beside its first relayed address.
#[derive(Clone, Debug)]
pub(crate) enum Beside {
    Nothing,
    /// An IPv6 address, by ADDITIONAL-ADDRESS-FAMILY; these fit.
    Other(Vec<IpAddr>),
    /// One of two families cannot be had.
    Missing(AddressErrorCode<'static>),
    /// The next port, by EVEN-PORT with R, kept for another allocation.
    NextPort,
}

/// A socket that peers talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relayed {
    pub(crate) socket: SocketId,
    /// What the host sees.
    pub(crate) local: SocketAddr,
    /// What peers see.
    pub(crate) address: SocketAddr,
    /// What the table of ports knows it by.
    pub(crate) bound: SocketAddr,
    /// When it ends, if nothing is done about it: each of two has its own time (RFC 8656 §6).
    pub(crate) until: Instant,
}

/// An allocation with its sockets.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) client: FiveTuple,
    pub(crate) user: Arc<User>,
    /// The transaction that made it, to know a retransmission by.
    pub(crate) made_by: TransactionId,
    /// Listens, if it is for TCP.
    pub(crate) first: Relayed,
    pub(crate) second: Result<Relayed, Option<AddressErrorCode<'static>>>,
    pub(crate) is_tcp: bool,
    /// What the first answer told.
    pub(crate) reserved: Option<ReservationToken>,
    /// Few clients ask for one, and an allocation without takes less room.
    pub(crate) passport: Option<Box<Passport>>,
    pub(crate) permissions: Permissions,
    pub(crate) channels: Channels,
}

impl Allocation {
    /// The relayed address of this family.
    pub(crate) fn relayed(&self, family: Family) -> Option<&Relayed> {
        self.sockets().find(|relayed| Family::of(relayed.address.ip()) == family)
    }

    /// When the first of its relayed addresses ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.second.map_or(self.first.until, |second| second.until.min(self.first.until))
    }

    pub(crate) fn sockets(&self) -> impl Iterator<Item = &Relayed> {
        [Some(&self.first), self.second.as_ref().ok()].into_iter().flatten()
    }

    /// Whether this peer may have a permission: its family is relayed and the policy allows it.
    pub(crate) fn admit(&self, peer: IpAddr, terms: &Terms) -> Result<(), Refusal> {
        if self.relayed(Family::of(peer)).is_none() {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH.into());
        }
        if !terms.peers.allows(peer) {
            return Err(ErrorCode::FORBIDDEN.into());
        }
        // An IPv4-mapped address is of no use on a relayed IPv6 address.
        if Family::of(peer.to_canonical()) != Family::of(peer) {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH.into());
        }
        Ok(())
    }

    /// The answer to the request that made it, whenever it comes.
    pub(crate) fn success(&self, now: Instant) -> Body {
        Body::Allocated {
            relayed: self.first.address,
            second: self.second.map(|relayed| relayed.address),
            lifetime: self.first.until - now,
            reserved: self.reserved,
            ticket: self.passport.as_deref().map(Passport::ticket),
        }
    }
}

impl Wish {
    /// How many sockets it needs, of those that count.
    pub(crate) const fn places(&self) -> usize {
        if matches!(self.beside, Beside::NextPort) { 2 } else { 1 }
    }

    /// IPv4 is not to be had, and if IPv6 is wanted too, that will do. False if it is not.
    pub(crate) fn do_without_first(&mut self) -> bool {
        let Beside::Other(others) = &mut self.beside else { return false };
        self.relays = core::mem::take(others);
        self.beside = Beside::missing(Family::Ipv4, ErrorCode::INSUFFICIENT_CAPACITY);
        true
    }
}

impl Beside {
    pub(crate) const fn missing(family: Family, why: ErrorCode<'static>) -> Self {
        Self::Missing(AddressErrorCode { family, code: why.code, reason: why.reason })
    }
}

impl Slot {
    pub(crate) const fn user(&self) -> &Arc<User> {
        match self {
            Self::Opening(opening) => &opening.user,
            Self::Live(allocation) => &allocation.user,
        }
    }

    /// Whether this transaction of this user made it.
    pub(crate) fn is_made_by(&self, user: &User, id: TransactionId) -> bool {
        let made_by = match self {
            Self::Opening(opening) => opening.reply.id,
            Self::Live(allocation) => allocation.made_by,
        };
        self.user().name == user.name && made_by == id
    }
}
