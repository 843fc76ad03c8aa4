//! What the agent reports.

use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::{Transport, attribute::Family};

use crate::candidate::Candidate;
use crate::config::Role;
use crate::id::{ComponentId, PairId, ServerId};

/// Application data as it came from the peer, a sub-slice of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Data<'p> {
    /// The component it belongs to.
    pub component: ComponentId,
    /// The bytes.
    pub bytes: &'p [u8],
}

impl<'p> Data<'p> {
    pub(crate) const fn new(component: ComponentId, bytes: &'p [u8]) -> Self {
        Self { component, bytes }
    }
}

/// Something the owner may want to know, or must signal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Gathering went on. [`GatheringState::Complete`] is the end of our candidates: signal it
    /// (RFC 8838 §13).
    Gathering(GatheringState),
    /// A local candidate was found: signal it.
    Candidate(Candidate),
    /// What one server did for one local address.
    Server(ServerReport),
    /// The state of the connection changed.
    State {
        /// The new state.
        state: ConnectionState,
        /// What changed it.
        why: StateReason,
    },
    /// The pair that carries a component's data was chosen or changed.
    Selected(SelectedPair),
    /// A role conflict was resolved against us (RFC 8445 §7.3.1.1).
    Role(Role),
}

/// W3C's `RTCIceGatheringState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "W3C's words")]
pub enum GatheringState {
    /// Not begun.
    #[default]
    New,
    /// Servers are being asked.
    Gathering,
    /// No more candidates will come.
    Complete,
}

impl GatheringState {
    /// W3C's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gathering => "gathering",
            Self::Complete => "complete",
        }
    }
}

/// W3C's `RTCIceTransportState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "W3C's words")]
pub enum ConnectionState {
    /// Waiting for the peer's credentials.
    #[default]
    New,
    /// Looking for a pair that works.
    Checking,
    /// Every component has a pair that works; better ones may still come.
    Connected,
    /// Every component has its nominated pair.
    Completed,
    /// Nothing has come from the peer for a while; may heal by itself.
    Disconnected,
    /// No pair works, or consent has expired. A restart may help.
    Failed,
    /// Closed by its owner.
    Closed,
}

impl ConnectionState {
    /// W3C's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Checking => "checking",
            Self::Connected => "connected",
            Self::Completed => "completed",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the state of the connection changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateReason {
    /// The peer's credentials are known.
    RemoteCredentials,
    /// Every component has a valid pair.
    PairValid,
    /// Every component has its nominated pair.
    Nominated,
    /// Checks of the selected pair have not been answered for this long.
    Silence(Duration),
    /// The peer answers again.
    Heard,
    /// No candidate pair was ever formed although both sides have no more candidates.
    NoPairs,
    /// Every pair failed; the last one of this.
    AllFailed(PairFailure),
    /// 30 seconds without an answer: consent has expired (RFC 7675 §5.1).
    ConsentExpired,
    /// The peer revoked consent with a 403 (RFC 7675 §5.2).
    ConsentRevoked,
    /// The socket of the selected pair is gone.
    SocketClosed,
    /// An ICE restart began (RFC 8445 §9).
    Restart,
    /// The owner closed the agent.
    Closed,
}

impl fmt::Display for StateReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoteCredentials => f.write_str("the peer's credentials are known"),
            Self::PairValid => f.write_str("a pair works"),
            Self::Nominated => f.write_str("nominated"),
            Self::Silence(time) => {
                write!(f, "no answer from the peer for {}.{} s", time.as_secs(), time.subsec_millis() / 100)
            }
            Self::Heard => f.write_str("the peer answers again"),
            Self::NoPairs => f.write_str("the candidates of the two sides form no pair"),
            Self::AllFailed(why) => write!(f, "every pair failed; the last one: {why}"),
            Self::ConsentExpired => f.write_str("no answer from the peer for 30 s, consent has expired"),
            Self::ConsentRevoked => f.write_str("the peer revoked consent"),
            Self::SocketClosed => f.write_str("the local socket is gone"),
            Self::Restart => f.write_str("restarting"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// Why a pair does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairFailure {
    /// No check was answered in time.
    TimedOut,
    /// The answer came from another address or to another socket (RFC 8445 §7.2.5.2.1).
    NotSymmetric,
    /// The peer refused with this error code.
    Refused(u16),
    /// The network said that the address is unreachable.
    Unreachable,
    /// The relay does not allow this peer.
    NotPermitted,
    /// The socket, or the relay's allocation, is gone.
    SocketClosed,
    /// The answer could not be understood.
    BadAnswer,
}

impl fmt::Display for PairFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no check was answered"),
            Self::NotSymmetric => f.write_str("the answer came from another address"),
            Self::Refused(code) => write!(f, "the peer refused with error {code}"),
            Self::Unreachable => f.write_str("the network says it is unreachable"),
            Self::NotPermitted => f.write_str("the relay does not allow this peer"),
            Self::SocketClosed => f.write_str("the local socket or relay is gone"),
            Self::BadAnswer => f.write_str("the answer could not be understood"),
        }
    }
}

/// The pair that carries a component's data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelectedPair {
    /// The component.
    pub component: ComponentId,
    /// The pair.
    pub pair: PairId,
    /// Our side of it, as the peer sees it.
    pub local: Candidate,
    /// The peer's side.
    pub remote: Candidate,
    /// What chose it.
    pub why: SelectedReason,
}

/// Why a pair was selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectedReason {
    /// The controlling agent nominated it (RFC 8445 §8.1.1).
    Nominated,
    /// A nominated pair with a higher priority than the one before, or a silent one's successor (RFC 8445 §8.1.1,
    /// for peers that nominate more than once).
    BetterNominated,
    /// It is the best that works; nothing is nominated yet.
    BestSoFar,
}

impl fmt::Display for SelectedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nominated => "nominated",
            Self::BetterNominated => "a better pair was nominated",
            Self::BestSoFar => "the best that works so far",
        })
    }
}

/// What one server did for one local address: one report for each, whatever happens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerReport {
    /// Which server.
    pub server: ServerId,
    /// Its URI as it was configured.
    pub uri: String,
    /// How it was reached.
    pub transport: Transport,
    /// The family of the local address, if one was involved.
    pub family: Option<Family>,
    /// The local address, if one was involved.
    pub base: Option<SocketAddr>,
    /// What came of it.
    pub outcome: ServerOutcome,
    /// Round-trip time of the first answer that was not retransmitted.
    pub rtt: Option<Duration>,
}

/// What came of asking a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerOutcome {
    /// It told our address.
    Mapped {
        /// Our address as it saw it.
        mapped: SocketAddr,
        /// Whether we had that candidate already, so that none was made.
        redundant: bool,
    },
    /// It relays for us.
    Relayed {
        /// The relayed address.
        relayed: SocketAddr,
        /// Our address as it saw it.
        mapped: SocketAddr,
    },
    /// It did not help.
    Failed {
        /// In words: what was tried, what happened, what to do.
        error: String,
        /// The STUN error code, where there was one.
        code: Option<u16>,
    },
}
