//! A Binding client: asks one server for our address, over UDP or on a stream (RFC 8489 §6, §12).

use alloc::collections::VecDeque;
use alloc::string::String;
use core::net::SocketAddr;
use core::time::Duration;

use crate::attribute::{
    AlternateDomain, AlternateServer, Attribute, ErrorCode, MappedAddress, Software, TransmitCounter,
    XorMappedAddress,
};
use crate::door::{
    Dropped, Drops, Icmp, Input, MAX_TRANSMIT, Machine, Output, Received, SocketId, Transmit, Why,
};
use crate::stream::{Cutter, Frame, Framing};
use crate::transaction::{Fired, Schedule, Transaction};
use crate::{Budget, Builder, Chance, Class, EncodeError, Instant, Message, Method, RtoCache};

/// One question to one server; see [`crate::door`] for the loop that drives it, and for what a host owes it.
///
/// The whole host, with a socket of the standard library:
///
/// ```no_run
/// use std::{io, net::{SocketAddr, UdpSocket}, time};
/// use floe_stun::{BindingClient, BindingEvent, Input, Instant, MAX_TRANSMIT, Machine, Output, SocketId};
///
/// fn ask(server: SocketAddr, seed: [u8; 32]) -> io::Result<BindingEvent> {
///     let (udp, clock, socket) = (UdpSocket::bind("0.0.0.0:0")?, time::Instant::now(), SocketId(0));
///     let mut client = BindingClient::new(Instant::ORIGIN, socket, server, seed);
///     let (mut buf, mut heard) = ([0; MAX_TRANSMIT], [0; MAX_TRANSMIT]);
///     loop {
///         let now = Instant::from_duration(clock.elapsed());
///         match client.poll_output(&mut buf) {
///             Output::Transmit(request) => drop(udp.send_to(request.bytes, request.to)?),
///             Output::Event(event) => return Ok(event),
///             Output::Wait { until, .. } => {
///                 udp.set_read_timeout(Some((until - now).max(time::Duration::from_millis(1))))?;
///                 let _ = match udp.recv_from(&mut heard) {
///                     Ok((len, from)) => {
///                         let now = Instant::from_duration(clock.elapsed());
///                         client.handle_input(now, Input::Datagram { socket, from, data: &heard[..len] })
///                     }
///                     Err(_) => client.handle_input(until, Input::Timeout),
///                 };
///             }
///             Output::Need(_) | Output::Idle => unreachable!("it needs nothing and ends with an event"),
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct BindingClient {
    socket: SocketId,
    server: SocketAddr,
    config: BindingConfig,
    carrier: Carrier,
    state: State,
    queue: VecDeque<Queued>,
    now: Instant,
    drops: Drops,
}

/// How a Binding client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BindingConfig {
    /// When the request goes out again and when it has failed; over a stream it never does before it has failed.
    pub schedule: Schedule,
    /// Whether FINGERPRINT is in use: the request carries it, and an answer without a right one is dropped
    /// (RFC 8489 §7). Without it, one that is there must be right all the same.
    pub fingerprint: bool,
    /// Whether ALTERNATE-SERVER is in use: a 300 is [`BindingEvent::Redirected`], not [`BindingEvent::Refused`]
    /// (RFC 8489 §6.3.4). Nobody has signed it: see [`crate::Redirects`] before following.
    pub redirects: bool,
    /// Whether the request says how often it has been sent, so that the RTT is known after a repetition too, if the
    /// server repeats the number (TRANSACTION_TRANSMIT_COUNTER, RFC 7982 §3).
    pub transmit_counter: bool,
    /// What to say of ourselves (RFC 8489 §6.1), in at most 127 characters: maker and version.
    pub software: Option<String>,
}

impl BindingConfig {
    /// Over UDP, by the schedule of RFC 8489 §6.2.1.
    pub const UDP: Self = Self {
        schedule: Schedule::DEFAULT,
        fingerprint: false,
        redirects: false,
        transmit_counter: false,
        software: None,
    };

    /// The same with another schedule, such as that of [`RtoCache::schedule`].
    #[must_use]
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// The same with FINGERPRINT in use.
    #[must_use]
    pub fn with_fingerprint(self) -> Self {
        Self { fingerprint: true, ..self }
    }

    /// The same with ALTERNATE-SERVER in use.
    #[must_use]
    pub fn with_redirects(self) -> Self {
        Self { redirects: true, ..self }
    }

    /// The same with transmissions counted.
    #[must_use]
    pub fn with_transmit_counter(self) -> Self {
        Self { transmit_counter: true, ..self }
    }

    /// The same with SOFTWARE in the request. A version helps attackers too (RFC 8489 §16.1.2).
    #[must_use]
    pub fn with_software(self, software: impl Into<String>) -> Self {
        Self { software: Some(software.into()), ..self }
    }
}

impl Default for BindingConfig {
    fn default() -> Self {
        Self::UDP
    }
}

/// How bytes come.
#[derive(Debug)]
enum Carrier {
    Datagrams,
    Stream(Cutter),
}

#[derive(Debug)]
enum State {
    Asking(Transaction),
    Answered { at: Instant, transaction: Transaction },
    Failed,
}

#[derive(Debug)]
enum Queued {
    Request,
    Event(BindingEvent),
}

/// How the question ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindingEvent {
    /// The server answered.
    Answered {
        /// Our address as the server saw it.
        mapped: SocketAddr,
        /// Round-trip time; none if the request had to be sent again (Karn's rule) and the answer does not say which
        /// of the requests it answers.
        rtt: Option<Duration>,
        /// What the server says it is.
        software: Option<String>,
    },
    /// The server refused, with the number and reason of ERROR-CODE.
    Refused {
        /// 300 to 699.
        code: u16,
        /// For people.
        reason: String,
    },
    /// The server sends us to another one, where redirections are in use.
    Redirected {
        /// The first address of our family, else the first.
        to: SocketAddr,
        /// The name that the other's certificate must carry, over TLS; else the name of before (RFC 8489 §10).
        domain: Option<String>,
    },
    /// The stream ended, or it was none of STUN: every request on it has failed (RFC 8489 §6.2.2).
    ConnectionLost,
    /// The answer cannot be used: unknown comprehension-required attributes, no ERROR-CODE, no address.
    Unusable,
    /// The network says that the server cannot be reached.
    Unreachable,
    /// Nobody answered.
    TimedOut,
    /// The request cannot be written: SOFTWARE is longer than it may be, or than the path takes.
    Unsendable(EncodeError),
}

impl BindingClient {
    /// Asks `server` from `socket`, starting at `now`, by the schedule of RFC 8489 §6.2.1.
    #[must_use]
    pub fn new(now: Instant, socket: SocketId, server: SocketAddr, seed: [u8; 32]) -> Self {
        Self::with_schedule(now, socket, server, seed, Schedule::DEFAULT)
    }

    /// The same by another schedule.
    #[must_use]
    pub fn with_schedule(
        now: Instant,
        socket: SocketId,
        server: SocketAddr,
        seed: [u8; 32],
        schedule: Schedule,
    ) -> Self {
        Self::with_config(now, socket, server, seed, BindingConfig::UDP.with_schedule(schedule))
    }

    /// The same with all there is to choose.
    #[must_use]
    pub fn with_config(
        now: Instant,
        socket: SocketId,
        server: SocketAddr,
        seed: [u8; 32],
        config: BindingConfig,
    ) -> Self {
        Self::start(now, socket, server, seed, config, Carrier::Datagrams)
    }

    /// Asks on a TCP or TLS stream to `server` that is open and carries nothing else: once, for up to Ti of 39.5 s,
    /// which `config` changes by [`Schedule::STREAM`] with another RTO (RFC 8489 §6.2.2). The stream stays the
    /// host's: it is to be kept for as long as the address that was learned is of use.
    #[must_use]
    pub fn over_stream(
        now: Instant,
        socket: SocketId,
        server: SocketAddr,
        seed: [u8; 32],
        config: BindingConfig,
    ) -> Self {
        let total =
            if config.schedule.sends == 1 { config.schedule.total() } else { Schedule::STREAM.total() };
        let config = config.with_schedule(Schedule::STREAM.with_rto(total));
        Self::start(now, socket, server, seed, config, Carrier::Stream(Cutter::new(Framing::Stun)))
    }

    fn start(
        now: Instant,
        socket: SocketId,
        server: SocketAddr,
        seed: [u8; 32],
        config: BindingConfig,
        carrier: Carrier,
    ) -> Self {
        let transaction = Transaction::new(Chance::new(seed).transaction_id(), now, config.schedule);
        Self {
            socket,
            server,
            config,
            carrier,
            state: State::Asking(transaction),
            queue: VecDeque::from([Queued::Request]),
            now,
            drops: Drops::default(),
        }
    }

    /// Tells the cache what the answer taught about the way to the server; nothing without an answer, and nothing
    /// from a stream, where the times are TCP's.
    pub fn teach(&self, cache: &mut RtoCache) {
        if let (State::Answered { at, transaction }, Carrier::Datagrams) = (&self.state, &self.carrier) {
            cache.learn(*at, self.server.ip(), transaction);
        }
    }

    /// Packets that deserved nothing, by reason.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    fn handle_datagram(&mut self, from: SocketAddr, data: &[u8]) -> Result<(), Dropped> {
        let State::Asking(transaction) = &self.state else { return Err(Dropped::UnknownTransaction) };
        let message = Message::decode(data).map_err(|_| Dropped::Malformed)?;
        if message.id() != transaction.id() || message.method() != Method::BINDING {
            return Err(Dropped::UnknownTransaction);
        }
        if from != self.server {
            return Err(Dropped::WrongSource);
        }
        match message.fingerprint() {
            Some(true) => {}
            None if !self.config.fingerprint => {}
            _ => return Err(Dropped::BadFingerprint),
        }
        let mut transaction = transaction.clone();
        if let Some(counter) = message.find::<TransmitCounter>().filter(|_| self.config.transmit_counter) {
            transaction.note_counter(counter);
        }
        let rtt = transaction.rtt(self.now);
        let event = match message.class() {
            Class::Success => judge_success(&message, rtt),
            Class::Error => self.judge_error(&message),
            Class::Request | Class::Indication => return Err(Dropped::UnexpectedMethod),
        };
        self.finish(State::Answered { at: self.now, transaction }, event);
        Ok(())
    }

    /// What came on the stream; the last verdict of several counts.
    fn handle_stream(&mut self, data: &[u8]) -> Result<(), Dropped> {
        let Carrier::Stream(cutter) = &mut self.carrier else { return Err(Dropped::NotStun) };
        let (mut cutter, mut rest) = (core::mem::replace(cutter, Cutter::new(Framing::Stun)), data);
        let mut verdict = Ok(());
        let broken = loop {
            match cutter.cut(&mut rest) {
                Ok(Some(Frame::Stun(message))) => verdict = self.handle_datagram(self.server, message),
                Ok(Some(Frame::ChannelData(_) | Frame::Packet(_))) => {}
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        self.carrier = Carrier::Stream(cutter);
        if broken {
            self.fail(BindingEvent::ConnectionLost);
            return Err(Dropped::NotStun);
        }
        verdict
    }

    fn judge_error(&self, message: &Message<'_>) -> BindingEvent {
        let code = message.find::<ErrorCode<'_>>().filter(|_| message.unknown_required().next().is_none());
        let Some(ErrorCode { code, reason }) = code else { return BindingEvent::Unusable };
        match self.alternate(message) {
            Some(to) if self.config.redirects && code == ErrorCode::TRY_ALTERNATE.code => {
                let domain = message.find().map(|AlternateDomain(name)| name.into());
                BindingEvent::Redirected { to, domain }
            }
            _ => BindingEvent::Refused { code, reason: reason.into() },
        }
    }

    /// The one of our family comes first, and there may be another (RFC 8489 §10).
    fn alternate(&self, message: &Message<'_>) -> Option<SocketAddr> {
        let read = |value| AlternateServer::decode(value, message.id()).ok().map(|server| server.0);
        let all = || message.attributes().filter(|raw| raw.kind == AlternateServer::TYPE);
        let mut addresses = all().filter_map(|raw| read(raw.value));
        addresses
            .find(|to| to.is_ipv4() == self.server.is_ipv4())
            .or_else(|| all().find_map(|raw| read(raw.value)))
    }

    fn write<'b>(
        &self,
        buf: &'b mut [u8; MAX_TRANSMIT],
        transaction: &Transaction,
    ) -> Result<&'b [u8], EncodeError> {
        let BindingConfig { fingerprint, transmit_counter, ref software, .. } = self.config;
        let budget =
            if self.is_stream() { MAX_TRANSMIT } else { Budget::towards(self.server.ip()).message() };
        let room = buf.get_mut(..budget).unwrap_or_default();
        let builder = Builder::new(room, Class::Request, Method::BINDING, transaction.id())
            .maybe(software.as_deref().map(Software).as_ref())
            .maybe(transmit_counter.then(|| transaction.counter()).as_ref());
        if fingerprint { builder.fingerprint().finish() } else { builder.finish() }
    }

    fn handle_timeout(&mut self) {
        let State::Asking(transaction) = &mut self.state else { return };
        match transaction.handle_timeout(self.now) {
            Some(Fired::Resend) => self.queue.push_back(Queued::Request),
            Some(Fired::TimedOut) => self.fail(BindingEvent::TimedOut),
            None => {}
        }
    }

    const fn is_stream(&self) -> bool {
        matches!(self.carrier, Carrier::Stream(_))
    }

    fn fail(&mut self, event: BindingEvent) {
        if matches!(self.state, State::Asking(_)) {
            self.finish(State::Failed, event);
        }
    }

    fn finish(&mut self, state: State, event: BindingEvent) {
        self.state = state;
        self.queue.retain(|queued| matches!(queued, Queued::Event(_)));
        self.queue.push_back(Queued::Event(event));
    }

    fn verdict(&mut self, judged: Result<(), Dropped>) -> Received<()> {
        match judged {
            Ok(()) => Received::Consumed,
            Err(why) => {
                self.drops.count(why);
                Received::Dropped(why)
            }
        }
    }
}

impl Machine for BindingClient {
    type App<'p> = ();
    type Event = BindingEvent;

    fn handle_input<'p>(&mut self, now: Instant, input: Input<'p>) -> Received<()> {
        self.now = self.now.max(now);
        let verdict = match input {
            Input::Datagram { socket, from, data } if socket == self.socket && !self.is_stream() => {
                let judged = self.handle_datagram(from, data);
                self.verdict(judged)
            }
            Input::Stream { socket, data } if socket == self.socket && self.is_stream() => {
                let judged = self.handle_stream(data);
                self.verdict(judged)
            }
            Input::Closed { socket } if socket == self.socket && self.is_stream() => {
                self.fail(BindingEvent::ConnectionLost);
                Received::Consumed
            }
            Input::Icmp { socket, to, what: Icmp::Unreachable }
                if socket == self.socket && to == self.server && matches!(self.state, State::Asking(_)) =>
            {
                self.fail(BindingEvent::Unreachable);
                Received::Consumed
            }
            Input::Timeout => Received::Consumed,
            _ => Received::NotMine,
        };
        self.handle_timeout();
        verdict
    }

    fn poll_output<'b>(&mut self, buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, BindingEvent> {
        match (self.queue.pop_front(), &self.state) {
            (Some(Queued::Event(event)), _) => Output::Event(event),
            (Some(Queued::Request), State::Asking(transaction)) => match self.write(buf, transaction) {
                Ok(bytes) => Output::Transmit(Transmit::new(self.socket, self.server, bytes)),
                Err(why) => {
                    self.state = State::Failed;
                    Output::Event(BindingEvent::Unsendable(why))
                }
            },
            (None, State::Asking(transaction)) => {
                Output::Wait { until: transaction.deadline(), why: Why::Retransmit }
            }
            (_, State::Answered { .. } | State::Failed) => Output::Idle,
        }
    }
}

fn judge_success(message: &Message<'_>, rtt: Option<Duration>) -> BindingEvent {
    if message.unknown_required().next().is_some() {
        return BindingEvent::Unusable;
    }
    let mapped = message
        .find::<XorMappedAddress>()
        .map(|a| a.0)
        .or_else(|| message.find::<MappedAddress>().map(|a| a.0));
    match mapped {
        Some(mapped) => {
            BindingEvent::Answered { mapped, rtt, software: message.find().map(|Software(name)| name.into()) }
        }
        None => BindingEvent::Unusable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TransactionId;
    use alloc::vec::Vec;

    const SOCKET: SocketId = SocketId(1);

    fn server() -> SocketAddr {
        "192.0.2.1:3478".parse().unwrap()
    }

    fn asked() -> (BindingClient, TransactionId) {
        let mut client = BindingClient::new(Instant::ORIGIN, SOCKET, server(), [1; 32]);
        let mut buf = [0; MAX_TRANSMIT];
        let Output::Transmit(request) = client.poll_output(&mut buf) else { panic!("no request") };
        let id = Message::decode(request.bytes).unwrap().id();
        (client, id)
    }

    fn answer(id: TransactionId) -> Vec<u8> {
        let mapped = "203.0.113.5:40000".parse().unwrap();
        let mut buf = [0; 128];
        let builder = Builder::new(&mut buf, Class::Success, Method::BINDING, id);
        builder.attribute(&XorMappedAddress(mapped)).fingerprint().finish().unwrap().to_vec()
    }

    fn hear(client: &mut BindingClient, from: SocketAddr, data: &[u8]) -> Received<()> {
        let now = Instant::ORIGIN + Duration::from_millis(30);
        client.handle_input(now, Input::Datagram { socket: SOCKET, from, data })
    }

    #[test]
    fn an_answer_gives_address_and_rtt() {
        let (mut client, id) = asked();
        assert_eq!(hear(&mut client, server(), &answer(id)), Received::Consumed);
        let mut buf = [0; MAX_TRANSMIT];
        let Output::Event(BindingEvent::Answered { mapped, rtt, .. }) = client.poll_output(&mut buf) else {
            panic!("no answer")
        };
        assert_eq!((mapped.port(), rtt), (40_000, Some(Duration::from_millis(30))));
        assert_eq!(client.poll_output(&mut buf), Output::Idle);
    }

    #[test]
    fn a_forged_answer_changes_nothing() {
        let (mut client, id) = asked();
        let elsewhere = "192.0.2.66:3478".parse().unwrap();
        let good = answer(id);
        let mut bent = good.clone();
        bent[30] ^= 1;
        let cases = [
            (elsewhere, good.clone(), Dropped::WrongSource),
            (server(), answer(TransactionId::from([0; 12])), Dropped::UnknownTransaction),
            (server(), bent, Dropped::BadFingerprint),
            (server(), good[..19].to_vec(), Dropped::Malformed),
        ];
        for (from, data, why) in cases {
            assert_eq!(hear(&mut client, from, &data), Received::Dropped(why));
        }
        assert_eq!(client.drops().total(), 4);
        assert_eq!(hear(&mut client, server(), &good), Received::Consumed);
    }
}
