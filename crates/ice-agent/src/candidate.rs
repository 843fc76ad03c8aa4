//! A candidate: an address at which somebody might be reached (RFC 8445 §4, §5.1.1).

mod foundation;
mod priority;
mod text;

pub(crate) use foundation::{Foundations, Origin};
pub(crate) use priority::{Preference, candidate_priority, pair_priority};
pub(crate) use text::{Read, read};

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use floe_stun::Transport;

use crate::id::{CandidateId, ComponentId, ServerId};

/// How a candidate was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 8445 §4 knows four")]
pub enum CandidateKind {
    /// An address of an interface.
    Host,
    /// What a server saw: the outside of our NAT.
    ServerReflexive,
    /// What the peer saw, or where the peer's check came from.
    PeerReflexive,
    /// An address at a TURN server that relays to us.
    Relayed,
}

impl CandidateKind {
    /// The token of the candidate line and of W3C's statistics: `host`, `srflx`, `prflx`, `relay`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }

    /// RFC 8445 §5.1.2.2: 126, 110, 100 and 0.
    pub(crate) const fn type_preference(self) -> u32 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A candidate as its owner or its peer describes it. `Display` prints the line of RFC 8839 §5.1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Its key in this agent.
    pub id: CandidateId,
    /// What it is a candidate for.
    pub component: ComponentId,
    /// How it was found.
    pub kind: CandidateKind,
    /// The transport address.
    pub address: SocketAddr,
    /// 1 to 2^31 - 1 (RFC 8445 §5.1.2).
    pub priority: u32,
    /// Equal for candidates that probably work or fail together (RFC 8445 §5.1.1.3).
    pub foundation: String,
    /// The related address (RFC 8445 §4), where it may be told.
    pub related: Option<SocketAddr>,
    /// The server it came from, for ours.
    pub server: Option<ServerId>,
    /// How we reach the relay, for relayed ones of ours.
    pub relay_protocol: Option<Transport>,
}

/// Whether an address can be anybody's candidate: a datagram can be sent to it, and loopback is allowed if it is one
/// (RFC 8445 §5.1.1.1).
pub(crate) fn is_usable(address: SocketAddr, loopback: bool) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0
        && !ip.is_unspecified()
        && !ip.is_multicast()
        && !broadcast
        && (loopback || !ip.is_loopback())
}
