//! What a client reports, and how its tasks can end.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{ErrorCode, Family, ReservationToken};
use floe_stun::{ChannelNumber, EncodeError, RedirectRefused, SocketId};
use thiserror::Error;

/// Something the owner may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server holds a relayed address for us.
    Allocated {
        /// What peers send to.
        relayed: SocketAddr,
        /// The IPv6 address beside an IPv4 one, for [`Wanted::Both`](crate::Wanted::Both).
        second: Option<SocketAddr>,
        /// The family that was asked for and that the server does not relay, and why.
        missing: Option<(Family, Refusal)>,
        /// Our own address as the server saw it.
        mapped: SocketAddr,
        /// How long it lives unless refreshed, which the client does.
        lifetime: Duration,
        /// The token of the next port, for [`Wanted::EvenPort`](crate::Wanted::EvenPort); it is kept for 30 s at least.
        reserved: Option<ReservationToken>,
        /// Round-trip time; none if the last request had to be sent again (Karn's rule).
        rtt: Option<Duration>,
    },
    /// The server takes tokens (RFC 7635), and there is none, or the last one will soon come to its end: get one for this
    /// server from an authorization server, and [`Client::give_token`](crate::Client::give_token). Without one there
    /// will be no allocation; one that is there ends with its token.
    TokenWanted {
        /// The name by which the authorization server knows it.
        server_name: String,
    },
    /// Data may go to and come from this peer, on any port.
    Permitted {
        /// The peer.
        peer: IpAddr,
    },
    /// We may not talk to this peer. The client no longer tries, nor keeps channels to it.
    NotPermitted {
        /// The peer.
        peer: IpAddr,
        /// The server's words, or ours.
        why: Refusal,
    },
    /// Data to this peer now goes behind 4 bytes instead of 36.
    ChannelBound {
        /// The peer.
        peer: SocketAddr,
        /// Its channel.
        channel: ChannelNumber,
    },
    /// There is no channel for this peer; its data goes on travelling by Send indications.
    ChannelRefused {
        /// The peer.
        peer: SocketAddr,
        /// The server's words, or ours.
        why: Refusal,
    },
    /// A permitted peer has connected to our relayed address, and waits 30 s for
    /// [`Client::accept`](crate::Client::accept) (RFC 6062 §4.4). It may call again from the same port meanwhile.
    ConnectionAttempt {
        /// The peer.
        peer: SocketAddr,
    },
    /// This stream is joined with one to the peer: what is written to it the peer reads, and the other way round. It is
    /// the owner's from here on, with what has come on it behind the frame that was last handed to the client, and so is
    /// its end. The server closes it with the allocation.
    Connected {
        /// The peer.
        peer: SocketAddr,
        /// The stream, which a [`Need::Stream`](floe_stun::Need::Stream) asked for.
        stream: SocketId,
    },
    /// There will be no connection with this peer, unless it is asked for again.
    NotConnected {
        /// The peer.
        peer: SocketAddr,
        /// Why.
        why: ConnectFailure,
    },
    /// The network behind the server refused a datagram of ours (RFC 8656 §11.6). Nobody vouches for it.
    PeerUnreachable {
        /// The peer; its port may be 0.
        peer: SocketAddr,
        /// The ICMP type.
        kind: u8,
        /// The ICMP code.
        code: u8,
        /// The next-hop MTU if the datagram was too big, else zero.
        data: u32,
    },
    /// There will be no allocation. The client is over.
    Failed(AllocateFailure),
    /// There was an allocation and it is gone; nothing can be sent. Another is being asked for, and the permissions and
    /// channels that were kept will be there again. Then comes [`Self::Allocated`], with another address as a rule.
    Interrupted(LostReason),
    /// The server still holds the allocation: the answer to [`Client::check`](crate::Client::check).
    Confirmed {
        /// How long it lives from now on unless refreshed.
        lifetime: Duration,
    },
    /// The allocation has come along to the address we have moved to; peers noticed nothing (RFC 8016).
    Moved,
    /// The server has sent us to another one, which is asked now (RFC 8489 §10).
    Redirected {
        /// The other server.
        to: SocketAddr,
    },
    /// There was an allocation and it is gone, with all permissions and channels. The client is over.
    Lost(LostReason),
    /// The allocation was given back. The client is over.
    Released,
}

/// The refusal of one request: number and reason of ERROR-CODE.
///
/// The client itself refuses what it knows the server would: 443 for a peer of another family than the relayed
/// address, 508 for more permissions or channels than it keeps. Its reasons say so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// 300 to 699.
    pub code: u16,
    /// For people; may be empty.
    pub reason: String,
}

impl Refusal {
    /// A refusal with this number and reason.
    #[must_use]
    pub fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

impl From<ErrorCode<'_>> for Refusal {
    /// Some servers send the null that ends their string.
    fn from(ErrorCode { code, reason }: ErrorCode<'_>) -> Self {
        Self::new(code, reason.trim_end_matches('\0'))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            write!(f, "{}", self.code)
        } else {
            write!(f, "{} {}", self.code, self.reason)
        }
    }
}

/// Why there is no allocation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AllocateFailure {
    /// 401 to a request with our credentials, or 441.
    #[error(
        "the TURN server rejected user name and password ({0}); check both, and whether they have expired"
    )]
    WrongCredentials(Refusal),
    /// Another error response.
    #[error("the TURN server refused to allocate ({0}); {advice}", advice = advice(.0.code))]
    Refused(Refusal),
    /// 300: the server sends us where we do not go.
    #[error("the TURN server asks us to use {to} instead, which we do not: {why}; ask its operator")]
    Redirected {
        /// The other server.
        to: SocketAddr,
        /// Why not.
        why: RedirectRefused,
    },
    /// The server that we were sent to cannot be reached.
    #[error("the TURN server sent us to {to}, which cannot be reached: {why}; ask its operator")]
    NotThere {
        /// The other server.
        to: SocketAddr,
        /// What became of the connection.
        why: floe_stun::Failure,
    },
    /// Nobody answered.
    #[error("the TURN server did not answer; check address, port and firewall, or try another transport")]
    TimedOut,
    /// The network says that the server cannot be reached.
    #[error("the network says that the TURN server cannot be reached; check address, port and firewall")]
    Unreachable,
    /// Only answers came that nobody vouches for.
    #[error(
        "all answers to Allocate failed their integrity check; somebody alters them, or the password differs"
    )]
    IntegrityViolated,
    /// The answer cannot be used.
    #[error("the TURN server's answer cannot be used: {0}; it may not be a TURN server at all")]
    BadAnswer(BadAnswer),
    /// The nonce promises PASSWORD-ALGORITHMS and the answer has none (RFC 8489 §9.2.5).
    #[error(
        "somebody on the path weakened the login (the list of password algorithms was removed); do not trust this network"
    )]
    BidDown,
    /// The request cannot be written: a text of the configuration or of the server is too long.
    #[error("the Allocate request cannot be written: {0}; shorten user name or software name")]
    Unsendable(EncodeError),
    /// The host closed the socket.
    #[error("the socket was closed before the TURN server had answered")]
    SocketClosed,
    /// A relayed address for TCP was wanted over datagrams; nothing was sent (RFC 6062 §4.1).
    #[error("TCP is relayed only by a TURN server that is reached over TCP or TLS; see Config::over")]
    NeedsStream,
}

/// Why there is no connection with a peer over a TCP allocation (RFC 6062).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// An error response: 446 if there is one already, 447 if the server could not reach the peer.
    #[error("the TURN server refused the connection ({0}); {advice}", advice = advice(.0.code))]
    Refused(Refusal),
    /// The server did not answer.
    #[error("the TURN server did not say whether it could connect to the peer; try again")]
    TimedOut,
    /// The host could not open another stream to the server.
    #[error("no second stream to the TURN server could be opened: {0}")]
    NotOpened(floe_stun::Failure),
    /// That stream ended before the server had joined it.
    #[error("the stream was closed before the TURN server had joined it with the peer; try again")]
    Closed,
    /// Nobody accepted it in time.
    #[error("the peer was not answered within 30 s, and the TURN server has hung up")]
    TooLate,
    /// The allocation was lost, given back or moved, or the permission revoked, before the connection was there.
    #[error("the allocation or the permission ended before the peer was connected")]
    Interrupted,
    /// The allocation relays datagrams.
    #[error("the allocation relays UDP; ask for one with Wanted::Tcp")]
    NotTcp,
    /// The answer cannot be used.
    #[error("the TURN server's answer cannot be used: {0}")]
    BadAnswer(BadAnswer),
    /// An answer came that nobody vouches for.
    #[error("the TURN server's answer was not signed with our password; somebody alters what we read")]
    IntegrityViolated,
    /// The nonce promises PASSWORD-ALGORITHMS and the answer has none (RFC 8489 §9.2.5).
    #[error(
        "somebody on the path weakened the login (the list of password algorithms was removed); do not trust this network"
    )]
    BidDown,
    /// The request cannot be written: a text of the server is too long.
    #[error("the request cannot be written: {0}")]
    Unsendable(EncodeError),
}

/// What an answer lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadAnswer {
    /// An attribute that the answer must have is missing or malformed.
    #[error("it lacks {0}")]
    Lacks(&'static str),
    /// A comprehension-required attribute that we do not know.
    #[error("it demands that we understand attribute {0:#06x}, which we do not")]
    UnknownAttribute(u16),
    /// A relayed address of another family than was asked for (RFC 8656 §7.3).
    #[error("the relayed address is of another family than we asked for")]
    WrongFamily,
    /// None of the offered password algorithms is known (RFC 8489 §9.2.5).
    #[error("it offers no password algorithm that we know")]
    NoKnownAlgorithm,
}

/// Why an allocation is gone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LostReason {
    /// 437: the server knows of no allocation (RFC 8656 §5).
    #[error("the TURN server no longer knows the allocation ({0}); it may have restarted. Allocate again")]
    Mismatch(Refusal),
    /// The server did not answer.
    #[error("the TURN server fell silent; check the network, then allocate again")]
    Silent,
    /// Its time ran out, as when the host slept.
    #[error("the allocation expired before it could be refreshed; allocate again")]
    Expired,
    /// Only answers came that nobody vouches for.
    #[error("no answer of the TURN server was signed with our password any more; allocate again")]
    IntegrityViolated,
    /// The server does not refresh it.
    #[error("the TURN server refused to refresh the allocation ({0})")]
    Refused(Refusal),
    /// The server answers what cannot be used.
    #[error("the TURN server's answer cannot be used: {0}")]
    BadAnswer(BadAnswer),
    /// The nonce promises PASSWORD-ALGORITHMS and the answer has none (RFC 8489 §9.2.5).
    #[error(
        "somebody on the path weakened the login (the list of password algorithms was removed); do not trust this network"
    )]
    BidDown,
    /// The host has gone to another address, and the server gave no ticket to bring the allocation along.
    #[error("the allocation belongs to the address that we have left; allocate again")]
    Moved,
    /// A request cannot be written: a text of the server is too long.
    #[error("the request cannot be written: {0}")]
    Unsendable(EncodeError),
    /// The host closed the socket.
    #[error("the socket was closed")]
    SocketClosed,
}

impl LostReason {
    /// Whether it is worth while to ask for another allocation.
    pub(crate) const fn may_pass(&self) -> bool {
        match self {
            Self::Mismatch(_) | Self::Silent | Self::Expired | Self::IntegrityViolated | Self::Moved => true,
            // Its user may have another password by now.
            Self::Refused(refusal) => matches!(refusal.code, 400 | 401 | 438 | 500..=599),
            Self::BadAnswer(_) | Self::BidDown | Self::Unsendable(_) | Self::SocketClosed => false,
        }
    }
}

/// Why a datagram cannot be sent. The call was early or wrong; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no allocation yet, or no more.
    #[error("there is no allocation; wait for Event::Allocated")]
    NotAllocated,
    /// It is being brought along to another address (RFC 8016 §3.2.2).
    #[error("the allocation is on its way to our new address; wait for Event::Moved")]
    Moving,
    /// The server would drop it.
    #[error("the peer has no permission; call permit and wait for Event::Permitted")]
    NotPermitted,
    /// The allocation is for TCP.
    #[error("the allocation relays TCP; call connect and write to the stream of Event::Connected")]
    NotDatagrams,
    /// The server was not asked to set the DF bit, or cannot.
    #[error("the TURN server does not set the DF bit; set Config::dont_fragment, or allow fragments")]
    Fragments,
    /// More than a UDP datagram takes.
    #[error("{len} bytes do not fit one UDP datagram to the TURN server")]
    TooLong {
        /// Bytes that were to be sent.
        len: usize,
    },
}

/// What to do after a refusal (RFC 8656 §7.4).
const fn advice(code: u16) -> &'static str {
    match code {
        400 => "our request may be at fault, or the server speaks another dialect",
        403 => "the server's policy forbids it; ask its operator",
        420 => "it lacks a feature that we asked for",
        437 => "it still holds an allocation for this port; try from another local port",
        438 => "it called one nonce after the other stale; its clock may be at fault",
        440 => "it has no address of this family; ask for the other",
        443 => "the peer is of another address family than the relayed address",
        442 => "it does not relay what was asked for, UDP or TCP",
        446 => "there is one with this peer already; close it, or use it",
        447 => "the peer does not listen, or a firewall is in between; try again in 10 s",
        486 => "this user has too many allocations; release some, or wait a minute",
        500 => "the server is in trouble; try again later or use another",
        508 => "it is full; wait a minute or use another server",
        _ => "use another server",
    }
}
