//! What the NAT on our way does: mapping, filtering, hairpinning, lifetime (RFC 5780).
//!
//! ```text
//!   mapping    primary ──▶ other IP ──▶ other IP and port        from one socket
//!   filtering  primary ──▶ answer from other IP and port ──▶ answer from other port   from a second, for the
//!                                                      first has opened the filter towards the other address
//!   hairpin    to our own mapped address                         from the first, once that is known
//!   lifetime   open, rest, ask from a third socket for an answer to the second; rest longer or shorter
//! ```
//!
//! The server must have two addresses and say so by OTHER-ADDRESS. What an answer showed is [`Certainty::Seen`];
//! what only silence suggests is [`Certainty::Inferred`], for packets get lost, and NATs change their ways under
//! load.

mod filtering;
mod lifetime;
mod mapping;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use self::filtering::FilteringTest;
use self::lifetime::LifetimeTest;
use self::mapping::MappingTest;
use crate::attribute::{ChangeRequest, OtherAddress, ResponsePort, XorMappedAddress};
use crate::{
    Builder, Chance, Class, Dropped, Drops, Fired, Icmp, Input, Instant, MAX_TRANSMIT, Machine, Message,
    Method, Output, Received, Schedule, SocketId, Transaction, TransactionId, Transmit, Why,
};

/// One discovery against one server; drive it as [`crate::door`] tells.
#[derive(Debug)]
pub struct BehaviourClient {
    config: BehaviourConfig,
    mapping: MappingTest,
    filtering: FilteringTest,
    lifetime: Option<LifetimeTest>,
    hairpin: Option<TransactionId>,
    questions: Vec<Question>,
    queue: VecDeque<Queued>,
    chance: Chance,
    now: Instant,
    drops: Drops,
    over: bool,
}

/// With which sockets, against which server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BehaviourConfig {
    /// A fresh socket and its local address, for mapping and hairpin.
    pub mapping: (SocketId, SocketAddr),
    /// A second fresh socket, for filtering, and for the binding whose lifetime is measured.
    pub filtering: SocketId,
    /// A third fresh socket, from which answers to the second are asked for.
    pub prober: SocketId,
    /// The server's primary address.
    pub server: SocketAddr,
    /// How requests are retransmitted. Silence is an answer here, so that this decides how long it takes.
    pub schedule: Schedule,
    /// The longest rest of the lifetime test; none leaves the test out. It takes several times as long.
    pub longest_rest: Option<Duration>,
}

impl BehaviourConfig {
    /// Mapping, filtering and hairpin; a test that meets silence takes 3.5 s.
    #[must_use]
    pub const fn new(
        mapping: (SocketId, SocketAddr),
        filtering: SocketId,
        prober: SocketId,
        server: SocketAddr,
    ) -> Self {
        let schedule = Schedule::DEFAULT.with_sends(3).with_last_wait(4);
        Self { mapping, filtering, prober, server, schedule, longest_rest: None }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BehaviourEvent {
    /// The server answered; our address as it saw it.
    Reached {
        /// The mapped address of the first socket.
        mapped: SocketAddr,
        /// Round-trip time; none if the request had to be sent again.
        rtt: Option<Duration>,
    },
    /// How the NAT maps (RFC 4787 §4.1).
    Mapping(Dependence, Certainty),
    /// There is no NAT: the mapped address is our own.
    NoNat,
    /// What the NAT, or a firewall, lets in (RFC 4787 §5).
    Filtering(Dependence, Certainty),
    /// Whether a packet to our own mapped address comes back (RFC 4787 §6).
    Hairpin(bool, Certainty),
    /// For how long an unused binding lives at least, and less than what.
    Lifetime {
        /// A rest that it survived; zero if none.
        survived: Duration,
        /// A rest that it did not survive, if one was found.
        died: Option<Duration>,
    },
    /// One test could not be finished.
    Unknown(Test, Obstacle),
    /// All that can be found is found; the last event.
    Done,
}

/// What a mapping or a filter depends on (RFC 4787 §4.1, §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4787 knows three")]
pub enum Dependence {
    /// On nothing but our own endpoint.
    EndpointIndependent,
    /// On the other side's address.
    AddressDependent,
    /// On the other side's address and port.
    AddressAndPortDependent,
}

/// How a finding was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "something answered, or nothing did")]
pub enum Certainty {
    /// An answer showed it.
    Seen,
    /// Silence suggests it.
    Inferred,
}

/// One of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Test {
    /// The first request, without which there are no others.
    Reachability,
    /// How the NAT maps.
    Mapping,
    /// What it lets in.
    Filtering,
    /// How long it remembers.
    Lifetime,
    /// Whether a packet to our own mapped address comes back.
    Hairpin,
}

/// Why a test could not be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// Nobody answered; UDP may be blocked.
    Silent,
    /// The network says that the server cannot be reached.
    Unreachable,
    /// The server has no second address, or does not tell it (RFC 5780 §4.3).
    OneAddress,
    /// The server refused with this error code.
    Refused(u16),
    /// The server answered from where it was asked, though it was to answer from elsewhere (RFC 5780 §6.1).
    NotMoved,
}

/// What a test wants to ask.
#[derive(Clone, Copy, Debug)]
struct Order {
    socket: SocketId,
    to: SocketAddr,
    change: Option<ChangeRequest>,
    response_port: Option<u16>,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Mapped { mapped: SocketAddr, other: Option<SocketAddr>, from: SocketAddr, at: SocketId },
    Silence,
    Refused(u16),
}

/// What a test does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(Order),
    Rest,
    Found(BehaviourEvent),
}

#[derive(Debug)]
struct Question {
    test: Test,
    order: Order,
    transaction: Transaction,
}

#[derive(Debug)]
enum Queued {
    Question(TransactionId),
    Hairpin { to: SocketAddr, id: TransactionId },
    Event(BehaviourEvent),
}

impl BehaviourClient {
    /// Starts at `now`.
    #[must_use]
    pub fn new(now: Instant, config: BehaviourConfig, seed: [u8; 32]) -> Self {
        let mut client = Self {
            mapping: MappingTest::new(config.mapping.0, config.mapping.1, config.server),
            filtering: FilteringTest::new(config.filtering, config.server),
            lifetime: None,
            hairpin: None,
            questions: Vec::new(),
            queue: VecDeque::new(),
            chance: Chance::new(seed),
            now,
            drops: Drops::default(),
            over: false,
            config,
        };
        let order = Order::plain(config.mapping.0, config.server);
        client.ask(Test::Reachability, order);
        client
    }

    /// Packets that deserved nothing, by reason.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    fn ask(&mut self, test: Test, order: Order) {
        let id = self.chance.transaction_id();
        let transaction = Transaction::new(id, self.now, self.config.schedule);
        self.questions.push(Question { test, order, transaction });
        self.queue.push_back(Queued::Question(id));
    }

    fn handle_datagram(&mut self, at: SocketId, from: SocketAddr, data: &[u8]) -> Result<(), Dropped> {
        let message = Message::decode(data).map_err(|_| Dropped::Malformed)?;
        if message.fingerprint() == Some(false) {
            return Err(Dropped::BadFingerprint);
        }
        if message.class() == Class::Request && self.hairpin == Some(message.id()) {
            self.settle_hairpin(true);
            return Ok(());
        }
        let asked = self.questions.iter().position(|question| question.transaction.id() == message.id());
        let asked = asked.ok_or(Dropped::UnknownTransaction)?;
        match self.questions.get(asked) {
            // Somebody else has the address that the server takes for ours.
            Some(Question { test: Test::Hairpin, .. }) => return Err(Dropped::UnexpectedMethod),
            Some(question) if !question.order.may_come_from(from) => return Err(Dropped::WrongSource),
            _ => {}
        }
        let reply = match message.class() {
            Class::Success => {
                let mapped = message.find().map(|XorMappedAddress(mapped)| mapped);
                let other = message.find().map(|OtherAddress(other)| other);
                Reply::Mapped { mapped: mapped.ok_or(Dropped::MissingAttribute)?, other, from, at }
            }
            Class::Error => Reply::Refused(
                message.find().map_or(500, |error: crate::attribute::ErrorCode<'_>| error.code),
            ),
            Class::Request | Class::Indication => return Err(Dropped::UnexpectedMethod),
        };
        let question = self.questions.remove(asked);
        self.handle_reply(&question, reply);
        Ok(())
    }

    fn handle_reply(&mut self, question: &Question, reply: Reply) {
        let step = match question.test {
            Test::Reachability => return self.handle_reached(question, reply),
            Test::Hairpin => return,
            Test::Mapping => self.mapping.handle(reply),
            Test::Filtering => self.filtering.handle(reply),
            Test::Lifetime => match &mut self.lifetime {
                Some(lifetime) => lifetime.handle(self.now, reply),
                None => return,
            },
        };
        self.take(question.test, step);
    }

    /// The first answer tells our address and the server's other one.
    fn handle_reached(&mut self, question: &Question, reply: Reply) {
        let (mapped, other) = match reply {
            Reply::Mapped { mapped, other, .. } => (mapped, other),
            Reply::Silence => return self.give_up(Obstacle::Silent),
            Reply::Refused(code) => return self.give_up(Obstacle::Refused(code)),
        };
        let rtt = question.transaction.rtt(self.now);
        self.tell(BehaviourEvent::Reached { mapped, rtt });
        self.try_hairpin(mapped);
        let other = other.filter(|other| is_another(*other, self.config.server));
        let Some(other) = other else {
            if mapped == self.config.mapping.1 {
                self.tell(BehaviourEvent::NoNat);
            } else {
                self.tell(BehaviourEvent::Unknown(Test::Mapping, Obstacle::OneAddress));
            }
            return self.tell(BehaviourEvent::Unknown(Test::Filtering, Obstacle::OneAddress));
        };
        let step = self.mapping.start(mapped, other);
        self.take(Test::Mapping, step);
        let step = self.filtering.start();
        self.take(Test::Filtering, step);
    }

    /// A request from the first socket to where it is seen: it comes back or it does not.
    fn try_hairpin(&mut self, mapped: SocketAddr) {
        if mapped == self.config.mapping.1 || !is_usable(mapped, self.config.server) {
            return;
        }
        let id = self.chance.transaction_id();
        self.hairpin = Some(id);
        let order = Order::plain(self.config.mapping.0, mapped);
        let transaction = Transaction::new(id, self.now, self.config.schedule);
        // Kept like a question for its retransmissions; its answer is its own arrival.
        self.questions.push(Question { test: Test::Hairpin, order, transaction });
        self.queue.push_back(Queued::Hairpin { to: mapped, id });
    }

    fn settle_hairpin(&mut self, came_back: bool) {
        let Some(id) = self.hairpin.take() else { return };
        self.questions.retain(|question| question.transaction.id() != id);
        let certainty = if came_back { Certainty::Seen } else { Certainty::Inferred };
        self.tell(BehaviourEvent::Hairpin(came_back, certainty));
    }

    fn take(&mut self, test: Test, step: Step) {
        match step {
            Step::Ask(order) => self.ask(test, order),
            Step::Rest => {}
            Step::Found(event) => {
                self.tell(event);
                if test == Test::Filtering
                    && let Some(longest) = self.config.longest_rest
                {
                    let sockets = (self.config.filtering, self.config.prober);
                    let (lifetime, order) = LifetimeTest::start(sockets, self.config.server, longest);
                    self.lifetime = Some(lifetime);
                    self.ask(Test::Lifetime, order);
                }
            }
        }
    }

    fn give_up(&mut self, why: Obstacle) {
        self.questions.clear();
        self.hairpin = None;
        self.tell(BehaviourEvent::Unknown(Test::Reachability, why));
    }

    fn tell(&mut self, event: BehaviourEvent) {
        self.queue.push_back(Queued::Event(event));
    }

    fn handle_timeouts(&mut self) {
        while let Some(at) =
            self.questions.iter().position(|question| question.transaction.deadline() <= self.now)
        {
            let Some(question) = self.questions.get_mut(at) else { break };
            match question.transaction.handle_timeout(self.now) {
                Some(Fired::Resend) => {
                    let id = question.transaction.id();
                    self.queue.push_back(match self.hairpin {
                        Some(hairpin) if hairpin == id => Queued::Hairpin { to: question.order.to, id },
                        _ => Queued::Question(id),
                    });
                }
                Some(Fired::TimedOut) => {
                    let question = self.questions.remove(at);
                    if self.hairpin == Some(question.transaction.id()) {
                        self.settle_hairpin(false);
                    } else {
                        self.handle_reply(&question, Reply::Silence);
                    }
                }
                None => break,
            }
        }
        if let Some(order) = self.lifetime.as_mut().and_then(|lifetime| lifetime.handle_timeout(self.now)) {
            self.ask(Test::Lifetime, order);
        }
        let resting = self.lifetime.as_ref().is_some_and(|lifetime| lifetime.deadline().is_some());
        if self.questions.is_empty() && !resting && !self.over {
            self.over = true;
            self.tell(BehaviourEvent::Done);
        }
    }

    fn encode<'b>(&self, queued: &Queued, buf: &'b mut [u8]) -> Option<(SocketId, SocketAddr, &'b [u8])> {
        let (order, id) = match queued {
            Queued::Hairpin { to, id } => (Order::plain(self.config.mapping.0, *to), *id),
            Queued::Question(id) => {
                let asked = self.questions.iter().find(|question| question.transaction.id() == *id)?;
                (asked.order, *id)
            }
            Queued::Event(_) => return None,
        };
        let bytes = Builder::new(buf, Class::Request, Method::BINDING, id)
            .maybe(order.change.as_ref())
            .maybe(order.response_port.map(ResponsePort).as_ref())
            .fingerprint()
            .finish()
            .ok()?;
        Some((order.socket, order.to, bytes))
    }

    fn owns(&self, socket: SocketId) -> bool {
        [self.config.mapping.0, self.config.filtering, self.config.prober].contains(&socket)
    }
}

impl Machine for BehaviourClient {
    type App<'p> = ();
    type Event = BehaviourEvent;

    fn handle_input<'p>(&mut self, now: Instant, input: Input<'p>) -> Received<()> {
        self.now = self.now.max(now);
        let verdict = match input {
            Input::Datagram { socket, from, data } if self.owns(socket) => {
                match self.handle_datagram(socket, from, data) {
                    Ok(()) => Received::Consumed,
                    Err(why) => {
                        self.drops.count(why);
                        Received::Dropped(why)
                    }
                }
            }
            Input::Icmp { socket, to, what: Icmp::Unreachable }
                if self.owns(socket)
                    && to == self.config.server
                    && self.questions.iter().any(|question| question.test == Test::Reachability) =>
            {
                self.give_up(Obstacle::Unreachable);
                Received::Consumed
            }
            Input::Timeout => Received::Consumed,
            _ => Received::NotMine,
        };
        self.handle_timeouts();
        verdict
    }

    fn poll_output<'b>(&mut self, buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, BehaviourEvent> {
        while let Some(queued) = self.queue.pop_front() {
            if let Queued::Event(event) = queued {
                return Output::Event(event);
            }
            if let Some((socket, to, len)) =
                self.encode(&queued, buf).map(|(socket, to, bytes)| (socket, to, bytes.len()))
            {
                return Output::Transmit(Transmit::new(socket, to, buf.get(..len).unwrap_or_default()));
            }
        }
        let questions =
            self.questions.iter().map(|question| (question.transaction.deadline(), Why::Retransmit));
        let rest = self.lifetime.as_ref().and_then(LifetimeTest::deadline).map(|at| (at, Why::Keepalive));
        match questions.chain(rest).min() {
            Some((until, why)) => Output::Wait { until, why },
            None => Output::Idle,
        }
    }
}

impl Order {
    const fn plain(socket: SocketId, to: SocketAddr) -> Self {
        Self { socket, to, change: None, response_port: None }
    }

    /// Whoever is not asked to answer from elsewhere answers from where it was asked.
    fn may_come_from(&self, from: SocketAddr) -> bool {
        self.change.is_some() || (from.ip(), from.port()) == (self.to.ip(), self.to.port())
    }
}

/// Whether an address can serve as the server's other one: both parts differ (RFC 5780 §7.4), and it leads to
/// nobody's own machine.
fn is_another(other: SocketAddr, server: SocketAddr) -> bool {
    is_usable(other, server) && other.ip() != server.ip() && other.port() != server.port()
}

/// Whether an address that the server names is one that a packet may go to.
fn is_usable(named: SocketAddr, server: SocketAddr) -> bool {
    let unicast = match named.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    unicast
        && named.port() != 0
        && named.is_ipv4() == server.is_ipv4()
        && named.ip().is_loopback() == server.ip().is_loopback()
}
