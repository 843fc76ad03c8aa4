//! The two doors of every machine: inputs go in by one, outputs come out by the other.
//!
//! A machine is a value. It opens no socket, reads no clock, resolves no name. Its host does, and the
//! conversation between the two has one form for all machines of Floe ([`Machine`]):
//!
//! ```
//! use floe_stun::{BindingClient, Input, Instant, Machine, MAX_TRANSMIT, Output, SocketId};
//!
//! # let (socket, server) = (SocketId(0), "192.0.2.1:3478".parse().unwrap());
//! let mut now = Instant::ORIGIN;
//! let mut machine = BindingClient::new(now, socket, server, [7; 32]);
//! let mut buf = [0; MAX_TRANSMIT];
//! let mut sent = 0;
//! loop {
//!     match machine.poll_output(&mut buf) {
//!         Output::Transmit(_datagram) => sent += 1,        // socket(t.socket).send_to(t.bytes, t.to)
//!         Output::Need(_request) => unreachable!(),        // open a stream, resolve a name, …
//!         Output::Event(event) => break println!("{event:?}"),
//!         Output::Wait { until, why: _ } => {              // sleep until then, or until something arrives
//!             now = until;
//!             let _ = machine.handle_input(now, Input::Timeout);
//!         }
//!         Output::Idle => break,                           // only input can wake it
//!     }
//! }
//! assert_eq!(sent, 7); // nobody answered: RFC 8489 §6.2.1 sends seven times
//! ```
//!
//! # The duties of a host
//!
//! 1. After every input and every command, call [`Machine::poll_output`] until it returns
//!    [`Output::Wait`] or [`Output::Idle`]. The wait comes last, so it is never stale.
//! 2. Call [`Machine::handle_input`] with [`Input::Timeout`] at `until` or soon after; never earlier is needed.
//! 3. Send each datagram from the socket it names. Sockets have names ([`SocketId`]), which the host gives
//!    and never reuses; a pair of addresses is not a name.
//! 4. Answer each [`Need`] once, with [`Input::Opened`], [`Input::Resolved`] or [`Input::Failed`], but for
//!    [`Need::Join`] and [`Need::Close`], which have no answer.
//! 5. Pass `now` as it is. If the clock stands still or goes back, the machine treats it as standing still.
//!
//! What the network does is never an `Err`: a packet earns a [`Received`] verdict, and what becomes of a task
//! is an event with its reason.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use crate::Instant;

/// Size in bytes of the buffer that [`Machine::poll_output`] writes a datagram into.
///
/// Control messages of ours stay below 548 bytes over IPv4 (RFC 8489 §6.1); the size leaves room for the
/// long credentials a server may demand.
pub const MAX_TRANSMIT: usize = 2048;

/// A protocol as a value behind two doors.
pub trait Machine {
    /// What of a received packet belongs to the application.
    type App<'p>;
    /// What the machine reports.
    type Event;

    /// Takes one thing that happened in the world.
    ///
    /// Never fails and never panics, whatever the bytes, the order of calls or the time.
    #[must_use = "the verdict may carry application data"]
    fn handle_input<'p>(&mut self, now: Instant, input: Input<'p>) -> Received<Self::App<'p>>;

    /// Gives the next thing the machine wants, in causal order; the wait always comes last.
    #[must_use = "an output that is not carried out is lost"]
    fn poll_output<'b>(&mut self, buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, Self::Event>;
}

/// The host's name for one flow: a UDP socket, a TCP stream, a TLS stream.
///
/// The host picks the number and never reuses it within the life of a machine. Two interfaces with one
/// address are two ids, and so are link-local scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u32);

/// The machine's name for a [`Need`], echoed in the input that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

/// How a flow carries bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// A byte stream inside TLS.
    Tls,
    /// Datagrams inside DTLS (RFC 7350).
    Dtls,
}

impl Transport {
    /// Whether the server proves who it is, and others cannot read along.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Dtls)
    }

    /// Whether it carries a byte stream, which needs a [`crate::stream::Cutter`].
    #[must_use]
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

/// Something that happened in the world.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Input<'p> {
    /// A datagram arrived, or a frame of a stream, cut by [`Cutter::datagram`](crate::stream::Cutter::datagram).
    Datagram {
        /// The socket or stream it arrived on.
        socket: SocketId,
        /// Its source; of a stream, the address at its other end.
        from: SocketAddr,
        /// Its payload.
        data: &'p [u8],
    },
    /// Bytes arrived on a stream, cut as the host happened to read them.
    Stream {
        /// The stream.
        socket: SocketId,
        /// The bytes.
        data: &'p [u8],
    },
    /// A socket or stream that was needed is open.
    Opened {
        /// The need it answers.
        request: RequestId,
        /// Its new name.
        socket: SocketId,
        /// Its own address.
        local: SocketAddr,
    },
    /// A need could not be met.
    Failed {
        /// The need it answers.
        request: RequestId,
        /// Why.
        why: Failure,
    },
    /// Somebody has connected to a listener that was needed. Nothing of the stream is read before [`Need::Join`].
    Accepted {
        /// The listener; see [`Need::Listen`].
        listener: SocketId,
        /// The new stream.
        socket: SocketId,
        /// Who has connected.
        from: SocketAddr,
    },
    /// A socket or stream is gone: closed by the other side, or its interface vanished.
    Closed {
        /// The socket, whose id will not come back.
        socket: SocketId,
    },
    /// A name was resolved.
    Resolved {
        /// The need it answers.
        request: RequestId,
        /// Addresses in the resolver's order; none if the name has none.
        addresses: &'p [IpAddr],
    },
    /// The interfaces of the host changed; the whole list as it is now.
    Interfaces(&'p [Interface]),
    /// The network refused a datagram we sent (an ICMP error, as the socket reported it).
    Icmp {
        /// The socket that sent it.
        socket: SocketId,
        /// Where it was sent.
        to: SocketAddr,
        /// What the network said.
        what: Icmp,
    },
    /// The moment of the last [`Output::Wait`] has come. Early or superfluous calls do no harm.
    Timeout,
}

/// One address of one interface of the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Interface {
    /// The system's name of the interface, such as `eth0`.
    pub name: String,
    /// An address of it.
    pub address: IpAddr,
}

impl Interface {
    /// An address of the interface with this name.
    #[must_use]
    pub fn new(name: impl Into<String>, address: IpAddr) -> Self {
        Self { name: name.into(), address }
    }
}

/// Why a [`Need`] could not be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Failure {
    /// The address or port is taken.
    InUse,
    /// No route, or the host has no such address.
    Unreachable,
    /// The other side refused.
    Refused,
    /// No answer in time.
    TimedOut,
    /// The certificate did not match, or TLS failed otherwise.
    Tls,
    /// The name does not exist.
    NoSuchName,
    /// The host cannot do this at all, or does not want to.
    Unsupported,
    /// The host is out of descriptors, ports or memory.
    Exhausted,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InUse => "the address or port is in use",
            Self::Unreachable => "no route to it",
            Self::Refused => "the other side refused",
            Self::TimedOut => "no answer in time",
            Self::Tls => "TLS failed",
            Self::NoSuchName => "no such name",
            Self::Unsupported => "not supported here",
            Self::Exhausted => "out of descriptors, ports or memory",
        })
    }
}

/// What an ICMP error said. Unauthenticated: it may spoil an attempt, never a proven path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Icmp {
    /// Destination unreachable, of any code but the next.
    Unreachable,
    /// The datagram is larger than the path takes.
    TooBig {
        /// Next-hop MTU in bytes, if it was told.
        mtu: Option<u32>,
    },
}

/// What one input was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received<A> {
    /// It was for this machine, which has dealt with it.
    Consumed,
    /// It carries application data.
    App(A),
    /// It is not for this machine; show it to the next one.
    NotMine,
    /// It was for this machine and deserved nothing. Counted by reason; no state has changed.
    Dropped(Dropped),
}

/// Something the machine wants done. A host must know every kind, so the set is closed.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'b, E> {
    /// Send this datagram, or these bytes of a stream.
    Transmit(Transmit<'b>),
    /// Do this and answer with an input.
    Need(Need),
    /// Something the owner may want to know.
    Event(E),
    /// Nothing to do before this moment, unless an input comes first. Always the last word.
    Wait {
        /// When to call [`Machine::handle_input`] with [`Input::Timeout`].
        until: Instant,
        /// What will be due then.
        why: Why,
    },
    /// Nothing to do: only input can wake the machine. Always the last word.
    Idle,
}

/// One datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit<'b> {
    /// The socket to send it from.
    pub socket: SocketId,
    /// Where to; on a stream, its other end.
    pub to: SocketAddr,
    /// The payload.
    pub bytes: &'b [u8],
    /// Whether it may be cut into fragments on its way: it was padded to find out what becomes of those
    /// (RFC 5780 §7.6). A host that forbids fragments makes an exception for it.
    pub may_fragment: bool,
}

impl<'b> Transmit<'b> {
    /// These bytes, from this socket, to this address, in one piece.
    #[must_use]
    pub const fn new(socket: SocketId, to: SocketAddr, bytes: &'b [u8]) -> Self {
        Self { socket, to, bytes, may_fragment: false }
    }

    /// The same, in as many fragments as the path needs.
    #[must_use]
    pub const fn in_fragments(self) -> Self {
        Self { may_fragment: true, ..self }
    }
}

/// A request to the host. Each is answered once by an input, but for [`Need::Join`] and [`Need::Close`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Bind a UDP socket. Answer: [`Input::Opened`] or [`Input::Failed`].
    Udp {
        /// To be echoed in the answer.
        request: RequestId,
        /// Address to bind; port 0 leaves the port to the host.
        bind: SocketAddr,
    },
    /// Open a stream. Answer: [`Input::Opened`] or [`Input::Failed`].
    Stream {
        /// To be echoed in the answer.
        request: RequestId,
        /// Where to.
        to: SocketAddr,
        /// [`Transport::Tcp`] or [`Transport::Tls`].
        transport: Transport,
        /// The name the certificate must carry, for TLS.
        server_name: Option<String>,
    },
    /// Listen for TCP connections. Answer: [`Input::Opened`] or [`Input::Failed`]; then [`Input::Accepted`] for each
    /// that comes.
    Listen {
        /// To be echoed in the answer.
        request: RequestId,
        /// Address to listen on.
        bind: SocketAddr,
    },
    /// Open a TCP connection from an address that may be listened on too. Answer: [`Input::Opened`] or
    /// [`Input::Failed`]. Nothing of it is read before [`Self::Join`], so that what comes early waits, and who sends it.
    Connect {
        /// To be echoed in the answer.
        request: RequestId,
        /// Its own address.
        bind: SocketAddr,
        /// Where to.
        to: SocketAddr,
    },
    /// Let what comes on one of two streams go out on the other as it is, after what was transmitted on it before, no
    /// faster than it is taken. When one side has come to its end and all of it is written, so has the other; when both
    /// have, or one fails, both are closed and [`Input::Closed`] tells of each. No answer.
    ///
    /// If one was a stream that the host cuts, what is left in its [`Cutter`](crate::stream::Cutter) is of the bytes that
    /// go out.
    Join {
        /// A stream.
        one: SocketId,
        /// Another.
        other: SocketId,
    },
    /// Resolve a name to addresses. Answer: [`Input::Resolved`] or [`Input::Failed`].
    Resolve {
        /// To be echoed in the answer.
        request: RequestId,
        /// The name.
        name: String,
    },
    /// Close this socket; it is not used again. No answer.
    Close {
        /// The socket.
        socket: SocketId,
    },
}

/// What a machine waits for; for traces and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The next new check or gathering transaction may start (RFC 8445 §14.2).
    Pacing,
    /// A request has not been answered and goes out again, or gives up (RFC 8489 §6.2.1).
    Retransmit,
    /// A gathering attempt ends.
    GatherDeadline,
    /// The time to wait for the peer's checks ends (RFC 8863).
    Patience,
    /// A better pair has had its time and the best valid pair is nominated.
    Nomination,
    /// Consent is asked for or expires (RFC 7675).
    Consent,
    /// Too long without anything from the peer.
    Receiving,
    /// A NAT binding needs a packet (RFC 8445 §11).
    Keepalive,
    /// Candidates that lost may be freed (RFC 8445 §8.3).
    FreeCandidates,
    /// An allocation is refreshed or expires (RFC 8656 §8).
    RefreshAllocation,
    /// A permission is refreshed or expires (RFC 8656 §9).
    RefreshPermission,
    /// A channel is refreshed, expires or may be reused (RFC 8656 §12).
    RefreshChannel,
    /// A connection with a peer may be asked for again, or is no longer offered (RFC 6062 §4.3, §5.3).
    Connection,
}

/// Why a packet deserved nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Dropped {
    /// Neither STUN nor ChannelData nor anything that may be application data here.
    NotStun,
    /// Looks like STUN and breaks its framing (RFC 8489 §6.3).
    Malformed,
    /// Larger than the limit.
    TooLarge,
    /// FINGERPRINT is wrong, or missing where it is demanded (RFC 8489 §7).
    BadFingerprint,
    /// Lacks an attribute that its method demands, or carries one that makes no sense.
    MissingAttribute,
    /// Unknown comprehension-required attributes where no error response is allowed (RFC 8489 §6.3.2).
    UnknownAttribute,
    /// USERNAME is not of a session of ours (RFC 8445 §7.3).
    UnknownUsername,
    /// No MESSAGE-INTEGRITY, or it does not verify.
    BadIntegrity,
    /// A response to nothing we asked, or to a transaction that is over.
    UnknownTransaction,
    /// A response from another address than the request went to.
    WrongSource,
    /// Application data from an address that has not been validated.
    NotValidated,
    /// A method or class that has no place here.
    UnexpectedMethod,
    /// ChannelData on a channel that is not bound (RFC 8656 §12.6).
    UnknownChannel,
    /// No permission for this peer (RFC 8656 §9).
    NoPermission,
    /// No allocation on this 5-tuple (RFC 8656 §5).
    NoAllocation,
    /// A limit is reached.
    LimitReached,
    /// The sender asked too often without credentials.
    RateLimited,
    /// The machine is closed.
    Closed,
}

impl Dropped {
    const COUNT: usize = 18;

    /// Every reason, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::NotStun,
        Self::Malformed,
        Self::TooLarge,
        Self::BadFingerprint,
        Self::MissingAttribute,
        Self::UnknownAttribute,
        Self::UnknownUsername,
        Self::BadIntegrity,
        Self::UnknownTransaction,
        Self::WrongSource,
        Self::NotValidated,
        Self::UnexpectedMethod,
        Self::UnknownChannel,
        Self::NoPermission,
        Self::NoAllocation,
        Self::LimitReached,
        Self::RateLimited,
        Self::Closed,
    ];
}

/// Dropped packets, counted by reason.
///
/// ```
/// use floe_stun::{Dropped, Drops};
///
/// let mut drops = Drops::default();
/// drops.count(Dropped::BadIntegrity);
/// assert_eq!(drops.of(Dropped::BadIntegrity), 1);
/// assert_eq!(drops.total(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; Dropped::COUNT]);

impl Drops {
    /// Counts one more.
    pub fn count(&mut self, why: Dropped) {
        if let Some(n) = self.0.get_mut(why as usize) {
            *n = n.saturating_add(1);
        }
    }

    /// Counts those of another machine too.
    pub fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            *ours = ours.saturating_add(theirs);
        }
    }

    /// How many were dropped for this reason.
    #[must_use]
    pub fn of(&self, why: Dropped) -> u64 {
        self.0.get(why as usize).copied().unwrap_or(0)
    }

    /// How many were dropped at all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The reasons seen so far with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Dropped, u64)> + '_ {
        Dropped::ALL.into_iter().zip(self.0).filter(|(_, n)| *n > 0)
    }
}
