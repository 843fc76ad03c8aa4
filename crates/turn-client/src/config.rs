//! What a client is told once: which server, as whom, and how patiently.

use alloc::string::String;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{Family, ReservationToken};
use floe_stun::{Schedule, SocketId, Transport};

use crate::Identity;

/// How to reach a server and what to ask of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The socket or stream to ask from. One holds one allocation on one server (RFC 8656 §3.2).
    pub socket: SocketId,
    /// How it carries bytes. What comes on a stream is cut by the host: see [`Self::over`].
    pub transport: Transport,
    /// The server.
    pub server: SocketAddr,
    /// The name that its certificate carries, for TLS and DTLS; a server that sends us elsewhere may name another.
    pub server_name: Option<String>,
    /// As whom.
    pub identity: Identity,
    /// Which relayed address, or which two.
    pub wanted: Wanted,
    /// Asks whether the server sets the DF bit on what is relayed for who wants it so, which is
    /// [`Client::send_plan_unfragmented`](crate::Client::send_plan_unfragmented) (RFC 8656 §7.1). A server that cannot is
    /// asked again without.
    pub dont_fragment: bool,
    /// Asks for a ticket that brings the allocation along when the host gets another address (RFC 8016).
    pub mobility: bool,
    /// Whether an allocation that was lost is asked for again, with its permissions and channels. True by default.
    pub again: bool,
    /// The lifetime to ask for, a hint; the server's word counts (RFC 8656 §7.1).
    pub lifetime: Duration,
    /// Asks the server whether it still holds the allocation whenever nothing was sent to it for so long, data included.
    /// That keeps the bindings of NATs on the way, most of which last 30 s or more over UDP, and finds out about a server
    /// that was restarted. None by default: who sends all the time, as ICE does, needs none.
    pub keepalive: Option<Duration>,
    /// When requests go out again and when the server counts as silent.
    pub schedule: Schedule,
    /// What to say of ourselves in Allocate and Refresh (RFC 8656 §5); nothing by default.
    pub software: Option<String>,
}

impl Config {
    /// An IPv4 relayed address for ten minutes at a time, over UDP, by the schedule of RFC 8489 §6.2.1.
    #[must_use]
    pub fn new(socket: SocketId, server: SocketAddr, identity: impl Into<Identity>) -> Self {
        Self {
            socket,
            transport: Transport::Udp,
            server,
            identity: identity.into(),
            wanted: Wanted::Address(Family::Ipv4),
            server_name: None,
            dont_fragment: false,
            mobility: false,
            again: true,
            keepalive: None,
            lifetime: DEFAULT_LIFETIME,
            schedule: Schedule::DEFAULT,
            software: None,
        }
    }

    /// The same over another transport, by its schedule.
    ///
    /// The host has opened the stream, and TLS or DTLS in it, and gives the client what comes in pieces that a
    /// [`Cutter`](floe_stun::stream::Cutter) of [`Framing::Turn`](floe_stun::stream::Framing::Turn) makes; what the
    /// client transmits goes into the stream whole and as it is.
    #[must_use]
    pub fn over(self, transport: Transport) -> Self {
        let schedule = if transport.is_stream() { Schedule::STREAM } else { self.schedule };
        Self { transport, schedule, ..self }
    }

    /// What to ask for instead, now that the server has refused this with that code: without DONT-FRAGMENT after 420,
    /// without EVEN-PORT after 508 (RFC 8656 §7.4), without a ticket after 405 (RFC 8016 §3.1.4).
    pub(crate) fn without_what_was_refused(&self, code: u16) -> Option<Self> {
        match code {
            UNKNOWN_ATTRIBUTE if self.forbids_fragments() => {
                Some(Self { dont_fragment: false, ..self.clone() })
            }
            MOBILITY_FORBIDDEN if self.mobility => Some(Self { mobility: false, ..self.clone() }),
            INSUFFICIENT_CAPACITY => self.wanted.plainer().map(|wanted| self.clone().wanting(wanted)),
            _ => None,
        }
    }

    /// Whether DONT-FRAGMENT is asked for, or was granted: streams know nothing of it (RFC 6062 §4.1).
    pub(crate) const fn forbids_fragments(&self) -> bool {
        self.dont_fragment && !self.wanted.is_tcp()
    }

    /// The same for another relayed address.
    #[must_use]
    pub fn wanting(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }
}

/// Which relayed addresses to ask for; other combinations are not allowed (RFC 8656 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// One of this family.
    Address(Family),
    /// One of each family in one allocation, or the one that the server has (ADDITIONAL-ADDRESS-FAMILY).
    Both,
    /// One of this family with an even port, where the server has one left (EVEN-PORT).
    EvenPort {
        /// Its family.
        family: Family,
        /// Whether the next port is to be kept for a second allocation, which asks for it with the token of
        /// [`Event::Allocated`](crate::Event::Allocated).
        reserve_next: bool,
    },
    /// The one that was kept (RESERVATION-TOKEN).
    Reserved(ReservationToken),
    /// One of this family for TCP connections with peers (RFC 6062), which only a server that is reached over
    /// [`Transport::Tcp`] or [`Transport::Tls`] gives; see [`Client::connect`](crate::Client::connect).
    Tcp(Family),
}

impl Wanted {
    /// Whether an address of this family is what we asked for.
    pub(crate) fn includes(self, family: Family) -> bool {
        match self {
            Self::Address(wanted) | Self::EvenPort { family: wanted, .. } | Self::Tcp(wanted) => {
                wanted == family
            }
            Self::Both | Self::Reserved(_) => true,
        }
    }

    /// Whether streams are relayed, not datagrams.
    pub(crate) const fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// What to ask for once the server has said that it cannot have it so (RFC 8656 §7.4, 508).
    pub(crate) const fn plainer(self) -> Option<Self> {
        match self {
            Self::EvenPort { family, .. } => Some(Self::Address(family)),
            Self::Address(_) | Self::Both | Self::Reserved(_) | Self::Tcp(_) => None,
        }
    }
}

/// RFC 8656 §3.2: "the default allocation lifetime is 10 minutes".
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

/// RFC 8489 §14.8.
const UNKNOWN_ATTRIBUTE: u16 = 420;

/// RFC 8016 §3.4.
const MOBILITY_FORBIDDEN: u16 = 405;

/// RFC 8656 §19.
const INSUFFICIENT_CAPACITY: u16 = 508;
