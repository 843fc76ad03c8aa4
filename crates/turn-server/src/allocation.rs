//! One relayed address and the client it belongs to (RFC 8656 §6), and the table of all of them.
//!
//! ```text
//!   Allocate ──▶ Opening ──the socket is open──▶ Live ──LIFETIME 0, time is up, a socket is gone──▶ gone
//!                │    ▲                          ▲  │
//!                │    └ port in use: another     └──┘ Refresh
//!                └── no port, or the host fails ──▶ gone, 508
//! ```
//!
//! An allocation holds its share of the quotas and its port from Opening on, and gives both back when it is gone.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;

use floe_stun::attribute::{ErrorCode, Family};
use floe_stun::{Chance, Instant, RequestId, SocketId, TransactionId};

use crate::answer::{Body, Refusal, Reply};
use crate::auth::UserId;
use crate::ports::{Parity, Ports};
use crate::{Limits, PeerPolicy};

/// A client as the server tells clients apart. The listening socket stands for the server's address, its port
/// and the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FiveTuple {
    pub(crate) listener: SocketId,
    pub(crate) client: SocketAddr,
}

/// What every allocation is subject to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) peers: PeerPolicy,
    pub(crate) limits: Limits,
    pub(crate) default_lifetime: Duration,
    pub(crate) max_lifetime: Duration,
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

/// An allocation whose socket the host has been asked for; its client waits.
#[derive(Debug)]
pub(crate) struct Opening {
    /// For the answer.
    pub(crate) reply: Reply,
    pub(crate) user: UserId,
    pub(crate) request: RequestId,
    pub(crate) bind: SocketAddr,
    pub(crate) parity: Parity,
    /// Ports that the host found taken.
    pub(crate) tried: Vec<u16>,
    pub(crate) lifetime: Duration,
    /// Why there will be no IPv6 address beside it, if one was asked for.
    pub(crate) missing: Option<ErrorCode<'static>>,
}

/// An allocation with its socket.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) user: UserId,
    /// The transaction that made it, to know a retransmission by.
    made_by: TransactionId,
    missing: Option<ErrorCode<'static>>,
    pub(crate) socket: SocketId,
    pub(crate) relayed: SocketAddr,
    /// What the table of ports knows it by.
    bound: SocketAddr,
    expires_at: Instant,
    pub(crate) permissions: crate::permission::Permissions,
    pub(crate) channels: crate::channel::Channels,
}

impl Allocation {
    /// Whether this peer may have a permission: its family is relayed and the policy allows it.
    pub(crate) fn admit(&self, peer: IpAddr, terms: &Terms) -> Result<(), Refusal> {
        let family = Family::of(self.relayed.ip());
        if Family::of(peer) != family {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH.into());
        }
        if !terms.peers.allows(peer) {
            return Err(ErrorCode::FORBIDDEN.into());
        }
        // An IPv4-mapped address is of no use on a relayed IPv6 address.
        if Family::of(peer.to_canonical()) != family {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH.into());
        }
        Ok(())
    }

    /// The answer to the request that made it, whenever it comes.
    pub(crate) fn success(&self, now: Instant) -> Body {
        let lifetime = self.expires_at - now;
        Body::Allocated { relayed: self.relayed, lifetime, missing: self.missing }
    }
}

impl Slot {
    const fn user(&self) -> UserId {
        match self {
            Self::Opening(opening) => opening.user,
            Self::Live(allocation) => allocation.user,
        }
    }

    /// Whether this transaction of this user made it.
    pub(crate) fn is_made_by(&self, user: UserId, id: TransactionId) -> bool {
        let made_by = match self {
            Self::Opening(opening) => opening.reply.id,
            Self::Live(allocation) => allocation.made_by,
        };
        self.user() == user && made_by == id
    }
}

/// All allocations, by all that leads to one. Every lookup costs the logarithm of their number.
#[derive(Debug)]
pub(crate) struct Allocations {
    slots: BTreeMap<FiveTuple, Slot>,
    by_socket: BTreeMap<SocketId, FiveTuple>,
    by_request: BTreeMap<RequestId, FiveTuple>,
    deadlines: BTreeSet<(Instant, FiveTuple)>,
    per_user: BTreeMap<UserId, usize>,
    ports: Ports,
}

impl Allocations {
    pub(crate) const fn new(ports: RangeInclusive<u16>) -> Self {
        Self {
            slots: BTreeMap::new(),
            by_socket: BTreeMap::new(),
            by_request: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            per_user: BTreeMap::new(),
            ports: Ports::new(ports),
        }
    }

    pub(crate) fn slot(&self, tuple: FiveTuple) -> Option<&Slot> {
        self.slots.get(&tuple)
    }

    pub(crate) fn live(&self, tuple: FiveTuple) -> Option<&Allocation> {
        match self.slots.get(&tuple)? {
            Slot::Live(allocation) => Some(allocation),
            Slot::Opening(_) => None,
        }
    }

    pub(crate) fn live_mut(&mut self, tuple: FiveTuple) -> Option<&mut Allocation> {
        match self.slots.get_mut(&tuple)? {
            Slot::Live(allocation) => Some(allocation),
            Slot::Opening(_) => None,
        }
    }

    /// The allocation of a relayed socket.
    pub(crate) fn of_socket(&self, socket: SocketId) -> Option<(FiveTuple, &Allocation)> {
        let tuple = *self.by_socket.get(&socket)?;
        Some((tuple, self.live(tuple)?))
    }

    /// The client that waits for this need to be met.
    pub(crate) fn of_request(&self, request: RequestId) -> Option<FiveTuple> {
        self.by_request.get(&request).copied()
    }

    /// The answer that a client waits for while its allocation opens.
    pub(crate) fn waiting(&self, tuple: FiveTuple) -> Option<Reply> {
        match self.slots.get(&tuple)? {
            Slot::Opening(opening) => Some(opening.reply),
            Slot::Live(_) => None,
        }
    }

    /// The clients of a listening socket.
    pub(crate) fn of_listener(&self, listener: SocketId) -> Vec<FiveTuple> {
        self.slots.keys().filter(|tuple| tuple.listener == listener).copied().collect()
    }

    pub(crate) fn tuples(&self) -> Vec<FiveTuple> {
        self.slots.keys().copied().collect()
    }

    pub(crate) fn live_count(&self) -> usize {
        self.by_socket.len()
    }

    /// Whether one more would be too many, for all or for this user.
    pub(crate) fn check_quota(&self, user: UserId, limits: &Limits) -> Result<(), Refusal> {
        if self.per_user.get(&user).copied().unwrap_or(0) >= limits.allocations_per_user {
            return Err(ErrorCode::ALLOCATION_QUOTA_REACHED.into());
        }
        if self.slots.len() >= limits.allocations {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY.into());
        }
        Ok(())
    }

    /// Takes a port for an allocation to be, which is to be given to [`Self::open`] as `bind`.
    pub(crate) fn take_port(
        &mut self,
        chance: &mut Chance,
        ip: IpAddr,
        parity: Parity,
        tried: &[u16],
    ) -> Option<SocketAddr> {
        self.ports.take(chance, ip, parity, tried)
    }

    /// Enters an allocation that waits for its socket.
    pub(crate) fn open(&mut self, tuple: FiveTuple, opening: Opening) {
        self.remove(tuple);
        *self.per_user.entry(opening.user).or_default() += 1;
        self.by_request.insert(opening.request, tuple);
        self.slots.insert(tuple, Slot::Opening(opening));
    }

    /// Takes out what waits for this need, quotas and port given back.
    pub(crate) fn remove_opening(&mut self, request: RequestId) -> Option<Opening> {
        let tuple = self.of_request(request)?;
        match self.remove(tuple)? {
            Slot::Opening(opening) => Some(opening),
            Slot::Live(_) => None,
        }
    }

    /// The host has opened the socket: from now on it relays.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        tuple: FiveTuple,
        socket: SocketId,
        local: SocketAddr,
    ) -> Option<&Allocation> {
        let slot = self.slots.get_mut(&tuple)?;
        let Slot::Opening(opening) = slot else { return None };
        let ip = if local.ip().is_unspecified() { opening.bind.ip() } else { local.ip() };
        let allocation = Allocation {
            user: opening.user,
            made_by: opening.reply.id,
            missing: opening.missing,
            socket,
            relayed: SocketAddr::new(ip, local.port()),
            bound: opening.bind,
            expires_at: now + opening.lifetime,
            permissions: crate::permission::Permissions::default(),
            channels: crate::channel::Channels::default(),
        };
        self.by_request.remove(&opening.request);
        self.by_socket.insert(socket, tuple);
        self.deadlines.insert((allocation.expires_at, tuple));
        *slot = Slot::Live(allocation);
        self.live(tuple)
    }

    /// Sets the time an allocation has left.
    pub(crate) fn refresh(&mut self, tuple: FiveTuple, expires_at: Instant) {
        let Some(Slot::Live(allocation)) = self.slots.get_mut(&tuple) else { return };
        self.deadlines.remove(&(allocation.expires_at, tuple));
        self.deadlines.insert((expires_at, tuple));
        allocation.expires_at = expires_at;
    }

    /// When the next allocation ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// An allocation whose time is up, each once.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<FiveTuple> {
        self.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.deadlines.pop_first().map(|(_, tuple)| tuple)
    }

    /// Takes an allocation out, in whatever state it is, and gives back what it held.
    pub(crate) fn remove(&mut self, tuple: FiveTuple) -> Option<Slot> {
        let slot = self.slots.remove(&tuple)?;
        match &slot {
            Slot::Opening(opening) => {
                self.by_request.remove(&opening.request);
                self.ports.give_back(opening.bind);
            }
            Slot::Live(allocation) => {
                self.by_socket.remove(&allocation.socket);
                self.deadlines.remove(&(allocation.expires_at, tuple));
                self.ports.give_back(allocation.bound);
            }
        }
        if let Some(held) = self.per_user.get_mut(&slot.user()) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.per_user.remove(&slot.user());
            }
        }
        Some(slot)
    }
}
