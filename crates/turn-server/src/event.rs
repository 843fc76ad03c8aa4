//! What the server reports.

use alloc::string::String;
use core::net::SocketAddr;

use floe_stun::{Drops, SocketId};

use crate::{LookupId, Wanted};

/// Something the operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client has a relayed address.
    Allocated {
        /// The client as the server sees it.
        client: SocketAddr,
        /// What peers see.
        relayed: SocketAddr,
        /// What peers of the other family see, if the client has asked for both.
        second: Option<SocketAddr>,
        /// The relayed socket, or the first of two.
        socket: SocketId,
        /// Who asked.
        user: String,
    },
    /// A relayed address is gone.
    Released {
        /// The client as the server sees it.
        client: SocketAddr,
        /// What peers saw.
        relayed: SocketAddr,
        /// Who had it.
        user: String,
        /// What ended it.
        why: Released,
    },
    /// A client has taken its allocation along to another address (RFC 8016).
    Moved {
        /// Where it was.
        from: SocketAddr,
        /// Where it is, as the server sees it.
        to: SocketAddr,
        /// What peers see, as before.
        relayed: SocketAddr,
        /// Whose it is.
        user: String,
    },
    /// Somebody is not known here, and [`Config::asks_host`](crate::Config::asks_host) says that the host may know: to
    /// be answered by [`Server::found`](crate::Server::found). The request waits, for ten seconds at most.
    Lookup {
        /// To be echoed in the answer.
        lookup: LookupId,
        /// Who it is.
        user: Wanted,
        /// Who asks, as the server sees it. It has shown that it can receive there, and nothing more.
        client: SocketAddr,
    },
    /// Somebody showed credentials that are not right. Of these and of refused peers, ten a second are told.
    LoginFailed {
        /// The client as the server sees it.
        client: SocketAddr,
    },
    /// A user asked for a peer that may not be relayed to; see [`PeerPolicy`](crate::PeerPolicy).
    PeerRefused {
        /// The client as the server sees it.
        client: SocketAddr,
        /// The peer; its port may be 0.
        peer: SocketAddr,
        /// Who asked.
        user: String,
    },
}

/// What ended an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Released {
    /// The client asked for it.
    Deleted,
    /// Nobody refreshed it in time.
    Expired,
    /// The host closed the relayed socket, or the socket that the client talks to.
    SocketClosed,
    /// The server was closed.
    ServerClosed,
}

/// Counters of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Allocations there are.
    pub allocations: usize,
    /// Allocations there have been.
    pub allocations_total: u64,
    /// Datagrams of clients that went on to peers.
    pub to_peers: Relayed,
    /// Datagrams of peers that went on to clients.
    pub to_clients: Relayed,
    /// TCP connections of peers that were joined with one of a client; what they carry, the host knows.
    pub connections_total: u64,
    /// Requests that were answered with an error.
    pub refused: u64,
    /// Packets that deserved nothing, by reason.
    pub drops: Drops,
}

impl Stats {
    /// Those of two servers together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        let Self { allocations, allocations_total, to_peers, to_clients, connections_total, refused, drops } =
            other;
        self.allocations = self.allocations.saturating_add(*allocations);
        for (ours, theirs) in [
            (&mut self.allocations_total, allocations_total),
            (&mut self.to_peers.packets, &to_peers.packets),
            (&mut self.to_peers.bytes, &to_peers.bytes),
            (&mut self.to_clients.packets, &to_clients.packets),
            (&mut self.to_clients.bytes, &to_clients.bytes),
            (&mut self.connections_total, connections_total),
            (&mut self.refused, refused),
        ] {
            *ours = ours.saturating_add(*theirs);
        }
        self.drops.add(drops);
        self
    }
}

/// Application data relayed in one direction, without headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relayed {
    /// Datagrams.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}
