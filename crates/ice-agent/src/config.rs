//! What the owner decides before the agent starts; every default stands under its sentence of the standard.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::{Password, Schedule, Uri};

/// The settings of an [`crate::IceAgent`]. `docs/defaults.md` argues every default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Our role at the start: the side that makes the offer controls (RFC 8445 §6.1.1).
    pub role: Role,
    /// Whether we are a lite agent (RFC 8445 §2.5): host candidates only, no checks of our own.
    pub lite: bool,
    /// Which candidates may be used.
    pub policy: TransportPolicy,
    /// STUN and TURN servers.
    pub servers: Vec<Server>,
    /// Components of each stream; one stream with one component by default.
    pub streams: Vec<u16>,
    /// Whether loopback addresses may be candidates; RFC 8445 §5.1.1.1 forbids them outside of tests.
    pub loopback: bool,
    /// How unanswered checks are repeated.
    pub profile: Profile,
    /// Ta, the time between two new transactions; at least 5 ms.
    pub pacing: Duration,
    /// How long gathering waits for one server.
    pub gather_timeout: Duration,
    /// How checks are retransmitted; the RTO is a floor for the formula of RFC 8445 §14.3.
    pub checks: Schedule,
    /// How requests to servers are retransmitted.
    pub requests: Schedule,
    /// Bounds on everything that grows.
    pub limits: Limits,
}

impl Config {
    /// A full agent in this role, with one stream of one component and no servers.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            role,
            lite: false,
            policy: TransportPolicy::All,
            servers: Vec::new(),
            streams: vec![1],
            loopback: false,
            profile: Profile::Default,
            pacing: DEFAULT_TA,
            gather_timeout: GATHER_TIMEOUT,
            checks: Schedule::DEFAULT,
            requests: Schedule::DEFAULT,
            limits: Limits::default(),
        }
    }

    /// The same with one more server.
    #[must_use]
    pub fn with_server(mut self, server: Server) -> Self {
        self.servers.push(server);
        self
    }

    /// The same with this policy.
    #[must_use]
    pub const fn with_policy(mut self, policy: TransportPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The same with loopback addresses allowed or not.
    #[must_use]
    pub const fn with_loopback(mut self, allowed: bool) -> Self {
        self.loopback = allowed;
        self
    }

    /// The same as a lite agent or not.
    #[must_use]
    pub const fn with_lite(mut self, lite: bool) -> Self {
        self.lite = lite;
        self
    }
}

/// Who nominates (RFC 8445 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum Role {
    /// Nominates the pair that both will use.
    Controlling,
    /// Follows the other's nomination.
    Controlled,
}

impl Role {
    /// The other role.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

/// Which candidates may be used, in W3C's words (RFC 9429 §4.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TransportPolicy {
    /// All of them.
    #[default]
    All,
    /// Relayed ones only; no other address of ours is told to anybody but the servers.
    Relay,
}

/// How unanswered checks are repeated; docs/deviations.md gives the figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// The best unanswered pairs are checked again as new transactions, every 100 ms at first, inside the Ta
    /// budget and [`Limits::packets_to_silent`]. Loses little time to lost packets.
    #[default]
    Default,
    /// By the letter: one transaction a check, retransmitted after 500, 1000, 2000 ms and so on
    /// (RFC 8445 §14.3, RFC 8489 §6.2.1).
    Rfc8445,
}

/// A STUN or TURN server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Server {
    /// Where it is and how to reach it.
    pub uri: Uri,
    /// Long-term credentials, for TURN.
    pub credentials: Option<floe_stun::credentials::Credentials>,
}

impl Server {
    /// A STUN server.
    #[must_use]
    pub const fn stun(uri: Uri) -> Self {
        Self { uri, credentials: None }
    }

    pub(crate) const fn is_turn(&self) -> bool {
        self.credentials.is_some()
    }

    /// A TURN server with its credentials (RFC 8489 §9.2), both already prepared by OpaqueString; printable ASCII is.
    #[must_use]
    pub fn turn(uri: Uri, username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::turn_as(uri, floe_stun::credentials::Credentials::new(username, Password::new(password)))
    }

    /// The same with credentials that are at hand.
    #[must_use]
    pub const fn turn_as(uri: Uri, credentials: floe_stun::credentials::Credentials) -> Self {
        Self { uri, credentials: Some(credentials) }
    }
}

/// Bounds on everything that grows. At a bound the least valuable thing is refused or given up; a selected
/// pair never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Candidate pairs over all streams (RFC 8445 §6.1.2.5 recommends 100).
    pub pairs: usize,
    /// Remote candidates of a generation.
    pub remote_candidates: usize,
    /// Of these, peer-reflexive ones that were not signalled.
    pub peer_reflexive: usize,
    /// Remote candidates on one IP address.
    pub per_address: usize,
    /// Local candidates.
    pub local_candidates: usize,
    /// Servers in use.
    pub servers: usize,
    /// Bytes of a STUN message from a peer.
    pub message_bytes: usize,
    /// Attributes of a STUN message from a peer.
    pub attributes: usize,
    /// Outputs that wait to be fetched; above it, the oldest go.
    pub outputs: usize,
    /// Packets to one remote address that never answered, over a generation.
    pub packets_to_silent: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pairs: 100,
            remote_candidates: 64,
            peer_reflexive: 16,
            per_address: 16,
            local_candidates: 64,
            servers: 8,
            message_bytes: 2048,
            attributes: 64,
            outputs: 1024,
            packets_to_silent: 50,
        }
    }
}

/// RFC 8445 §14.2: "ICE agents SHOULD use a default Ta value, 50 ms, but MAY use another value".
pub const DEFAULT_TA: Duration = Duration::from_millis(50);

/// RFC 8445 §14.2: no implementation starts transactions closer together than this.
pub const MIN_TA: Duration = Duration::from_millis(5);

/// Long enough for two lost packets of a far server, short enough that a dead one delays nobody for long.
const GATHER_TIMEOUT: Duration = Duration::from_secs(5);
