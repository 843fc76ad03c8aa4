//! Requests under way: written once, sent again as they are, judged when an answer comes.
//!
//! ```text
//!   start ──▶ under way ──believed answer──▶ Challenge (401, 438), Granted or Failed
//!                │  ▲ └──nobody answered──▶ Failure::Silent or ::Violated
//!                └──┘ resend; an answer that nobody vouches for is as if never received
//! ```

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{
    AdditionalAddressFamily, AlternateDomain, AlternateServer, Attribute, ChannelNumberAttribute,
    ConnectionId, DontFragment, EvenPort, Family, Lifetime, MobilityTicket, RequestedAddressFamily,
    RequestedTransport, Software, XorPeerAddress,
};
use floe_stun::credentials::{Attempt, LoginError, Verdict};
use floe_stun::{
    Authenticated, Builder, ChannelNumber, Class, Dropped, EncodeError, Fired, Instant, MAX_TRANSMIT,
    Message, Method, Schedule, SocketId, Transaction, TransactionId,
};

use crate::login::Login;
use crate::{AllocateFailure, BadAnswer, Config, ConnectFailure, LostReason, Refusal, Wanted};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Get a relayed address.
    Allocate,
    /// Keep it.
    Refresh,
    /// Bring it along to the socket that is asked from now.
    Move,
    /// Give it back.
    Delete,
    /// Install or keep a permission.
    Permit(IpAddr),
    /// Bind or keep a channel.
    Bind {
        /// To this peer.
        peer: SocketAddr,
        /// This number.
        channel: ChannelNumber,
    },
    /// Connect to a peer (RFC 6062 §4.3).
    Connect(SocketAddr),
    /// Join a stream to the server with its connection to a peer.
    BindConnection {
        /// This stream.
        stream: SocketId,
        /// With this connection.
        connection: ConnectionId,
    },
}

/// All requests that may yet be answered.
#[derive(Debug)]
pub(crate) struct Requests {
    schedule: Schedule,
    login: Login,
    /// A nonce may be good for one 5-tuple alone, so each stream that is to be joined goes on from a copy.
    streams: BTreeMap<SocketId, Login>,
    under_way: BTreeMap<TransactionId, Request>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) task: Task,
    pub(crate) attempt: Attempt,
    transaction: Transaction,
    bytes: Vec<u8>,
}

/// A believed answer.
#[derive(Debug)]
pub(crate) enum Answer<'m> {
    /// 401 or 438: ask again by its terms, which all later requests share.
    Again,
    /// The server has done it.
    Granted(Authenticated<Message<'m>>),
    /// It has not.
    Failed(Failure),
}

/// How a task failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused, and may know another server.
    Refused(Refusal, Option<Elsewhere>),
    /// The server's answer makes no sense.
    Unusable(BadAnswer),
    /// See [`LoginError::BidDown`].
    BidDown,
    /// No answer at all.
    Silent,
    /// Only answers that nobody vouches for.
    Violated,
    /// The request could not be written.
    Unsendable(EncodeError),
}

/// Another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) to: SocketAddr,
    pub(crate) domain: Option<String>,
}

/// What a timeout asks of the owner.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// Send these bytes again.
    Resend(TransactionId),
    /// Nobody answered; `violated` if somebody forged.
    TimedOut {
        /// The task that failed.
        task: Task,
        /// See [`Failure::Violated`].
        violated: bool,
        /// When it was asked first.
        since: Instant,
    },
}

impl Requests {
    pub(crate) fn new(config: &Config) -> Self {
        let login = Login::new(&config.identity);
        Self { schedule: config.schedule, login, streams: BTreeMap::new(), under_way: BTreeMap::new() }
    }

    /// See [`Login`].
    pub(crate) const fn login(&mut self) -> &mut Login {
        &mut self.login
    }

    /// Whether the server has asked who we are, and we can tell.
    pub(crate) fn is_challenged(&self) -> bool {
        self.login.is_challenged()
    }

    /// Whether an allocation is being asked for by who we are.
    pub(crate) fn is_allocating(&self) -> bool {
        let allocates = |request: &Request| request.task == Task::Allocate && request.attempt.is_signed();
        self.under_way.values().any(allocates)
    }

    /// Writes a request, to be sent at once.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        id: TransactionId,
        task: Task,
        mut attempt: Attempt,
        config: &Config,
        ticket: Option<&[u8]>,
    ) -> Result<(), EncodeError> {
        let mut buf = [0; MAX_TRANSMIT];
        let builder = begin(&mut buf, task, id, config).maybe(ticket.map(MobilityTicket).as_ref());
        let login = task.stream().and_then(|stream| self.streams.get(&stream)).unwrap_or(&self.login);
        let bytes = login.finish(builder, task.method(), &mut attempt)?.into();
        let transaction = Transaction::new(id, now, self.schedule);
        let request = Request { task, attempt, transaction, bytes };
        self.under_way.insert(id, request);
        Ok(())
    }

    /// Requests will be made on this stream, which is to be joined.
    pub(crate) fn open_stream(&mut self, stream: SocketId) {
        self.streams.insert(stream, self.login.clone());
    }

    /// No more requests will be made on this stream, and no answer to one is ours.
    pub(crate) fn leave_stream(&mut self, stream: SocketId) {
        self.streams.remove(&stream);
        self.under_way.retain(|_, request| request.task.stream() != Some(stream));
    }

    /// The stream that this request is made on, if that is not the client's own.
    pub(crate) fn stream(&self, id: TransactionId) -> Option<SocketId> {
        self.under_way.get(&id)?.task.stream()
    }

    /// Judges a response that came on such a stream, or on the client's own. `Ok(None)` if it is to nothing of ours; an
    /// answer ends the request.
    pub(crate) fn handle_response<'m>(
        &mut self,
        stream: Option<SocketId>,
        message: Message<'m>,
    ) -> Result<Option<(Request, Answer<'m>)>, Dropped> {
        let Some(request) = self.under_way.get_mut(&message.id()) else { return Ok(None) };
        if message.method() != request.task.method() {
            return Err(Dropped::UnexpectedMethod);
        }
        if stream != request.task.stream() {
            return Err(Dropped::WrongSource);
        }
        let login = stream.and_then(|stream| self.streams.get_mut(&stream)).unwrap_or(&mut self.login);
        let answer = login.handle_response(&mut request.attempt, message)?.into();
        Ok(self.under_way.remove(&message.id()).map(|request| (request, answer)))
    }

    /// The next thing that is due at `now`; to be called until there is none.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Due> {
        let (&id, request) =
            self.under_way.iter_mut().find(|(_, request)| request.transaction.deadline() <= now)?;
        match request.transaction.handle_timeout(now)? {
            Fired::Resend => Some(Due::Resend(id)),
            Fired::TimedOut => {
                let request = self.under_way.remove(&id)?;
                let since = request.transaction.started();
                Some(Due::TimedOut { task: request.task, violated: request.attempt.is_violated(), since })
            }
        }
    }

    /// Forgets all; late answers are nobody's.
    pub(crate) fn clear(&mut self) {
        self.streams.clear();
        self.under_way.clear();
    }

    /// Copies a request, if it is still under way, to the front of `buf` and says how long it is.
    pub(crate) fn copy(&self, id: TransactionId, buf: &mut [u8]) -> Option<usize> {
        let bytes = &self.under_way.get(&id)?.bytes;
        buf.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(bytes.len())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.under_way.values().map(|request| request.transaction.deadline()).min()
    }
}

impl Request {
    /// When it first went out.
    pub(crate) const fn started(&self) -> Instant {
        self.transaction.started()
    }

    /// See [`Transaction::rtt`].
    pub(crate) fn rtt(&self, now: Instant) -> Option<Duration> {
        self.transaction.rtt(now)
    }
}

impl<'m> From<Verdict<'m>> for Answer<'m> {
    fn from(verdict: Verdict<'m>) -> Self {
        match verdict {
            Verdict::Again => Self::Again,
            Verdict::Granted(message) => Self::Granted(message),
            //= RFC 8489 §14.8
            //# receivers MUST validate the MESSAGE-INTEGRITY of this response before redirecting themselves to
            //# an alternate server.
            Verdict::Refused { code, proven } => {
                Self::Failed(Failure::Refused(code.into(), proven.and_then(|message| elsewhere(&message))))
            }
            Verdict::Failed(why) => Self::Failed(why.into()),
        }
    }
}

impl Failure {
    /// The number of a refusal.
    pub(crate) const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal, _) => Some(refusal.code),
            _ => None,
        }
    }

    /// How long to leave the server alone before it is asked for what it gave us once; none if it will not have
    /// changed its mind.
    pub(crate) const fn rest(&self) -> Option<Duration> {
        match self {
            Self::Refused(Refusal { code: ALLOCATION_MISMATCH, .. }, _) => Some(Duration::from_secs(120)),
            Self::Refused(Refusal { code: 486 | 500..=599, .. }, _) => Some(Duration::from_secs(60)),
            Self::Silent | Self::Violated => Some(Duration::from_secs(15)),
            _ => None,
        }
    }
}

impl From<LoginError> for Failure {
    fn from(why: LoginError) -> Self {
        match why {
            LoginError::BidDown => Self::BidDown,
            LoginError::NoKnownAlgorithm => Self::Unusable(BadAnswer::NoKnownAlgorithm),
            LoginError::Lacks(what) => Self::Unusable(BadAnswer::Lacks(what)),
            LoginError::UnknownAttribute(kind) => Self::Unusable(BadAnswer::UnknownAttribute(kind)),
            _ => Self::Violated,
        }
    }
}

impl Task {
    const fn method(self) -> Method {
        match self {
            Self::Allocate => Method::ALLOCATE,
            Self::Refresh | Self::Move | Self::Delete => Method::REFRESH,
            Self::Permit(_) => Method::CREATE_PERMISSION,
            Self::Bind { .. } => Method::CHANNEL_BIND,
            Self::Connect(_) => Method::CONNECT,
            Self::BindConnection { .. } => Method::CONNECTION_BIND,
        }
    }

    /// What may stand in its answers besides what every reader knows.
    pub(crate) const fn understood(self) -> &'static [u16] {
        match self {
            Self::Connect(_) => UNDERSTOOD,
            _ => &[],
        }
    }

    /// The stream it is made on, if that is not the client's own.
    const fn stream(self) -> Option<SocketId> {
        match self {
            Self::BindConnection { stream, .. } => Some(stream),
            _ => None,
        }
    }
}

/// What it means for an allocation that was asked for.
impl From<Failure> for AllocateFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal @ Refusal { code: 401 | 441, .. }, _) => Self::WrongCredentials(refusal),
            Failure::Refused(refusal, _) => Self::Refused(refusal),
            Failure::Unusable(what) => Self::BadAnswer(what),
            Failure::BidDown => Self::BidDown,
            Failure::Silent => Self::TimedOut,
            Failure::Violated => Self::IntegrityViolated,
            Failure::Unsendable(error) => Self::Unsendable(error),
        }
    }
}

/// What it means for a connection with a peer.
impl From<Failure> for ConnectFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal, _) => Self::Refused(refusal),
            Failure::Unusable(what) => Self::BadAnswer(what),
            Failure::BidDown => Self::BidDown,
            Failure::Silent => Self::TimedOut,
            Failure::Violated => Self::IntegrityViolated,
            Failure::Unsendable(error) => Self::Unsendable(error),
        }
    }
}

/// What it means for an allocation that was held.
impl From<Failure> for LostReason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal @ Refusal { code: ALLOCATION_MISMATCH, .. }, _) => {
                Self::Mismatch(refusal)
            }
            Failure::Refused(refusal, _) => Self::Refused(refusal),
            Failure::Unusable(what) => Self::BadAnswer(what),
            Failure::BidDown => Self::BidDown,
            Failure::Silent => Self::Silent,
            Failure::Violated => Self::IntegrityViolated,
            Failure::Unsendable(error) => Self::Unsendable(error),
        }
    }
}

/// The server of ALTERNATE-SERVER, and the name its certificate carries if that is another (RFC 8489 §10).
fn elsewhere(message: &Message<'_>) -> Option<Elsewhere> {
    let AlternateServer(to) = message.find()?;
    Some(Elsewhere { to, domain: message.find().map(|AlternateDomain(domain)| domain.into()) })
}

/// A request but for who asks.
fn begin<'b>(buf: &'b mut [u8], task: Task, id: TransactionId, config: &Config) -> Builder<'b> {
    let builder = Builder::new(buf, Class::Request, task.method(), id);
    let software = config.software.as_deref().map(Software);
    // Asked for less than a second, a Refresh would delete.
    let lifetime = Lifetime(config.lifetime.max(Duration::from_secs(1)));
    match task {
        Task::Allocate => {
            let ticket = config.mobility.then_some(MobilityTicket(&[]));
            let df = config.forbids_fragments().then_some(&DontFragment);
            let udp = !config.wanted.is_tcp();
            let transport = if udp { RequestedTransport::UDP } else { RequestedTransport::TCP };
            let builder = builder.attribute(&transport);
            want(builder, config.wanted)
                .maybe(df)
                .maybe(ticket.as_ref())
                .attribute(&lifetime)
                .maybe(software.as_ref())
        }
        Task::Refresh | Task::Move => builder.attribute(&lifetime).maybe(software.as_ref()),
        Task::Delete => builder.attribute(&Lifetime(Duration::ZERO)).maybe(software.as_ref()),
        Task::Permit(peer) => builder.attribute(&XorPeerAddress(SocketAddr::new(peer, 0))),
        Task::Bind { peer, channel } => {
            builder.attribute(&ChannelNumberAttribute::from(channel)).attribute(&XorPeerAddress(peer))
        }
        Task::Connect(peer) => builder.attribute(&XorPeerAddress(peer)),
        Task::BindConnection { connection, .. } => builder.attribute(&connection),
    }
}

/// Which relayed address, or which two.
fn want(builder: Builder<'_>, wanted: Wanted) -> Builder<'_> {
    match wanted {
        Wanted::Address(family) | Wanted::Tcp(family) => of_family(builder, family),
        Wanted::Both => {
            let second = AdditionalAddressFamily(Family::Ipv6);
            builder.attribute(&second).attribute_as(OLDER_ADDITIONAL_ADDRESS_FAMILY, &second)
        }
        Wanted::EvenPort { family, reserve_next } => {
            of_family(builder, family).attribute(&EvenPort { reserve_next })
        }
        Wanted::Reserved(token) => builder.attribute(&token),
    }
}

/// ADDITIONAL-ADDRESS-FAMILY before RFC 8656 gave it a number (draft-martinsen-tram-ssoda). Servers that are still around
/// know it by that one only, and whoever knows neither may ignore both.
const OLDER_ADDITIONAL_ADDRESS_FAMILY: u16 = 0x8032;

/// A server that never heard of IPv6 relays refuses the attribute, and IPv4 goes without saying.
fn of_family(builder: Builder<'_>, family: Family) -> Builder<'_> {
    match family {
        Family::Ipv4 => builder,
        Family::Ipv6 => builder.attribute(&RequestedAddressFamily(family)),
    }
}

/// What TURN for TCP adds to what every reader knows.
pub(crate) const UNDERSTOOD: &[u16] = &[ConnectionId::TYPE];

/// RFC 8656 §19: there is no allocation on this 5-tuple.
pub(crate) const ALLOCATION_MISMATCH: u16 = 437;
