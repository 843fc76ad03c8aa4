//! A Binding client: asks one server over UDP for our address (RFC 8489 §6, §12).

use alloc::collections::VecDeque;
use alloc::string::String;
use core::net::SocketAddr;
use core::time::Duration;

use crate::attribute::{ErrorCode, MappedAddress, Software, XorMappedAddress};
use crate::door::{
    Dropped, Drops, Icmp, Input, MAX_TRANSMIT, Machine, Output, Received, SocketId, Transmit, Why,
};
use crate::transaction::{Fired, Schedule, Transaction};
use crate::{Builder, Chance, Class, Instant, Message, Method};

/// One question to one server; see [`crate::door`] for the loop that drives it.
#[derive(Debug)]
pub struct BindingClient {
    socket: SocketId,
    server: SocketAddr,
    state: State,
    queue: VecDeque<Queued>,
    now: Instant,
    drops: Drops,
}

#[derive(Debug)]
enum State {
    Asking(Transaction),
    Done,
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
        /// Round-trip time; none if the request had to be sent again (Karn's rule).
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
    /// The answer cannot be used: unknown comprehension-required attributes, no ERROR-CODE, no address.
    Unusable,
    /// The network says that the server cannot be reached.
    Unreachable,
    /// Nobody answered.
    TimedOut,
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
        let transaction = Transaction::new(Chance::new(seed).transaction_id(), now, schedule);
        Self {
            socket,
            server,
            state: State::Asking(transaction),
            queue: VecDeque::from([Queued::Request]),
            now,
            drops: Drops::default(),
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
        if message.fingerprint() == Some(false) {
            return Err(Dropped::BadFingerprint);
        }
        let rtt = transaction.rtt(self.now);
        let event = match message.class() {
            Class::Success => judge_success(&message, rtt),
            Class::Error => judge_error(&message),
            Class::Request | Class::Indication => return Err(Dropped::UnexpectedMethod),
        };
        self.finish(event);
        Ok(())
    }

    fn handle_timeout(&mut self) {
        let State::Asking(transaction) = &mut self.state else { return };
        match transaction.handle_timeout(self.now) {
            Some(Fired::Resend) => self.queue.push_back(Queued::Request),
            Some(Fired::TimedOut) => self.finish(BindingEvent::TimedOut),
            None => {}
        }
    }

    fn finish(&mut self, event: BindingEvent) {
        self.state = State::Done;
        self.queue.retain(|queued| matches!(queued, Queued::Event(_)));
        self.queue.push_back(Queued::Event(event));
    }
}

impl Machine for BindingClient {
    type App<'p> = ();
    type Event = BindingEvent;

    fn handle_input<'p>(&mut self, now: Instant, input: Input<'p>) -> Received<()> {
        self.now = self.now.max(now);
        let verdict = match input {
            Input::Datagram { socket, from, data } if socket == self.socket => {
                match self.handle_datagram(from, data) {
                    Ok(()) => Received::Consumed,
                    Err(why) => {
                        self.drops.count(why);
                        Received::Dropped(why)
                    }
                }
            }
            Input::Icmp { socket, to, what: Icmp::Unreachable }
                if socket == self.socket && to == self.server && matches!(self.state, State::Asking(_)) =>
            {
                self.finish(BindingEvent::Unreachable);
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
            (Some(Queued::Request), State::Asking(transaction)) => {
                let builder = Builder::new(buf, Class::Request, Method::BINDING, transaction.id());
                match builder.finish() {
                    Ok(bytes) => Output::Transmit(Transmit::new(self.socket, self.server, bytes)),
                    Err(_) => Output::Idle,
                }
            }
            (None, State::Asking(transaction)) => {
                Output::Wait { until: transaction.deadline(), why: Why::Retransmit }
            }
            (_, State::Done) => Output::Idle,
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

fn judge_error(message: &Message<'_>) -> BindingEvent {
    match message.find::<ErrorCode<'_>>() {
        Some(ErrorCode { code, reason }) if message.unknown_required().next().is_none() => {
            BindingEvent::Refused { code, reason: reason.into() }
        }
        _ => BindingEvent::Unusable,
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
