//! One Binding request with whatever is to be tried in it, and the whole answer.
//!
//! ```text
//!   Waiting ──an answer to it──▶ Done (Reply::Answer)
//!      ├──the schedule, or Ti on a stream, ends──▶ Done (Reply::Silence)
//!      └──the stream ends, or is none of STUN──▶ Done (Reply::Lost)
//! ```
//!
//! A [`floe_stun::BindingClient`] tells what an application needs; here the bytes themselves are of interest.

use std::collections::VecDeque;
use std::net::SocketAddr;

use floe_stun::attribute::Padding;
use floe_stun::stream::{Cutter, Frame, Framing};
use floe_stun::{
    Builder, Chance, Class, Dropped, Drops, Fired, Icmp, Input, Instant, MAGIC_COOKIE, MAX_TRANSMIT, Machine,
    Message, Method, Output, Pipeline, Received, Schedule, SocketId, Transaction, TransactionId, Transmit,
    Why,
};

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// A request without attributes.
    Plain,
    /// With FINGERPRINT.
    Fingerprint,
    /// With an attribute of this type, which nobody knows.
    Unknown(u16),
    /// Without the magic cookie: a client of RFC 3489 has random bytes in its place.
    Rfc3489,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A success or error response to it, read by [`Message::decode`].
    Answer(Vec<u8>),
    Lost,
    Silence,
}

#[derive(Debug)]
pub(crate) struct Probe {
    server: SocketAddr,
    question: Question,
    id: TransactionId,
    /// Bytes 4 to 7 of the header.
    cookie: [u8; 4],
    state: State,
    queue: VecDeque<Queued>,
    now: Instant,
    drops: Drops,
}

#[derive(Debug)]
enum State {
    OverDatagrams(Transaction),
    OverStream(Pipeline<()>, Cutter),
    Done,
}

#[derive(Debug)]
enum Queued {
    Request,
    Event(Reply),
}

impl Probe {
    /// Asks over datagrams; of the same seed come the same bytes.
    pub(crate) fn over_datagrams(
        now: Instant,
        server: SocketAddr,
        question: Question,
        seed: [u8; 32],
        schedule: Schedule,
    ) -> Self {
        Self::start(now, server, question, seed, |id| {
            State::OverDatagrams(Transaction::new(id, now, schedule))
        })
    }

    /// Asks on a stream, once.
    pub(crate) fn over_stream(
        now: Instant,
        server: SocketAddr,
        question: Question,
        seed: [u8; 32],
        schedule: Schedule,
    ) -> Self {
        Self::start(now, server, question, seed, |id| {
            let mut requests = Pipeline::new().with_timeout(schedule.total());
            // The first of all finds room.
            let _ = requests.start(now, id, ());
            State::OverStream(requests, Cutter::new(Framing::Stun))
        })
    }

    fn start(
        now: Instant,
        server: SocketAddr,
        question: Question,
        seed: [u8; 32],
        state: impl FnOnce(TransactionId) -> State,
    ) -> Self {
        let mut chance = Chance::new(seed);
        let (id, mut cookie) = (chance.transaction_id(), MAGIC_COOKIE.to_be_bytes());
        if question == Question::Rfc3489 {
            chance.fill(&mut cookie);
        }
        let (queue, drops) = (VecDeque::from([Queued::Request]), Drops::default());
        Self { server, question, id, cookie, state: state(id), queue, now, drops }
    }

    /// Packets that were no answer, by reason.
    pub(crate) const fn drops(&self) -> &Drops {
        &self.drops
    }

    fn handle_datagram(&mut self, from: SocketAddr, data: &[u8]) -> Result<(), Dropped> {
        let answer = self.read(data)?;
        if from != self.server {
            return Err(Dropped::WrongSource);
        }
        self.finish(Reply::Answer(answer));
        Ok(())
    }

    /// What came on the stream; the last verdict of several counts.
    fn handle_stream(&mut self, mut data: &[u8]) -> Result<(), Dropped> {
        let State::OverStream(_, cutter) = &mut self.state else { return Err(Dropped::NotStun) };
        let mut messages = Vec::new();
        let intact = loop {
            match cutter.cut(&mut data) {
                Ok(Some(Frame::Stun(message))) => messages.push(message.to_vec()),
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let mut verdict = Ok(());
        for message in messages {
            verdict = self.read(&message).map(|answer| self.finish(Reply::Answer(answer)));
        }
        if !intact {
            self.finish(Reply::Lost);
            return Err(Dropped::NotStun);
        }
        verdict
    }

    /// The message with the cookie in its place, if it answers the request.
    fn read(&self, data: &[u8]) -> Result<Vec<u8>, Dropped> {
        let mut answer = data.to_vec();
        if self.question == Question::Rfc3489 {
            let theirs = answer.get_mut(4..8).filter(|theirs| **theirs == self.cookie);
            theirs.ok_or(Dropped::UnknownTransaction)?.copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
        }
        let message = Message::decode(&answer).map_err(|_| Dropped::Malformed)?;
        if message.id() != self.id || message.method() != Method::BINDING {
            return Err(Dropped::UnknownTransaction);
        }
        match message.class() {
            Class::Success | Class::Error => Ok(answer),
            Class::Request | Class::Indication => Err(Dropped::UnexpectedMethod),
        }
    }

    fn handle_timeout(&mut self) {
        match &mut self.state {
            State::OverDatagrams(transaction) => match transaction.handle_timeout(self.now) {
                Some(Fired::Resend) => self.queue.push_back(Queued::Request),
                Some(Fired::TimedOut) => self.finish(Reply::Silence),
                None => {}
            },
            State::OverStream(requests, _) => {
                if requests.handle_timeout(self.now).is_some() {
                    self.finish(Reply::Silence);
                }
            }
            State::Done => {}
        }
    }

    fn finish(&mut self, reply: Reply) {
        if !matches!(self.state, State::Done) {
            self.state = State::Done;
            self.queue = VecDeque::from([Queued::Event(reply)]);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::OverDatagrams(transaction) => Some(transaction.deadline()),
            State::OverStream(requests, _) => requests.deadline(),
            State::Done => None,
        }
    }

    fn write<'b>(&self, buf: &'b mut [u8]) -> Option<&'b [u8]> {
        let builder = Builder::new(buf, Class::Request, Method::BINDING, self.id);
        let len = match self.question {
            Question::Plain | Question::Rfc3489 => builder.finish(),
            Question::Fingerprint => builder.fingerprint().finish(),
            Question::Unknown(kind) => builder.attribute_as(kind, &Padding(b"floe")).finish(),
        };
        let len = len.ok()?.len();
        buf.get_mut(4..8)?.copy_from_slice(&self.cookie);
        buf.get(..len)
    }
}

impl Machine for Probe {
    type App<'p> = ();
    type Event = Reply;

    fn handle_input<'p>(&mut self, now: Instant, input: Input<'p>) -> Received<()> {
        self.now = self.now.max(now);
        let judged = match input {
            Input::Datagram { from, data, .. } => self.handle_datagram(from, data),
            Input::Stream { data, .. } => self.handle_stream(data),
            Input::Closed { .. } | Input::Icmp { what: Icmp::Unreachable, .. } => {
                self.finish(Reply::Lost);
                Ok(())
            }
            _ => Ok(()),
        };
        self.handle_timeout();
        match judged {
            Ok(()) => Received::Consumed,
            Err(why) => {
                self.drops.count(why);
                Received::Dropped(why)
            }
        }
    }

    fn poll_output<'b>(&mut self, buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, Reply> {
        match self.queue.pop_front() {
            Some(Queued::Event(reply)) => return Output::Event(reply),
            Some(Queued::Request) => {
                return match self.write(buf) {
                    Some(bytes) => Output::Transmit(Transmit::new(SocketId(0), self.server, bytes)),
                    None => Output::Idle,
                };
            }
            None => {}
        }
        match self.deadline() {
            Some(until) => Output::Wait { until, why: Why::Retransmit },
            None => Output::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn server() -> SocketAddr {
        "192.0.2.1:3478".parse().unwrap()
    }

    fn asked(question: Question) -> (Probe, Vec<u8>) {
        let mut probe =
            Probe::over_datagrams(Instant::ORIGIN, server(), question, [1; 32], Schedule::DEFAULT);
        let mut buf = [0; MAX_TRANSMIT];
        let Output::Transmit(request) = probe.poll_output(&mut buf) else { panic!("no request") };
        let request = request.bytes.to_vec();
        (probe, request)
    }

    /// The request as an answer to itself.
    fn turned(request: &[u8]) -> Vec<u8> {
        [&[0x01, 0x01], &request[2..]].concat()
    }

    fn hear(probe: &mut Probe, from: &str, data: &[u8]) -> Received<()> {
        let input = Input::Datagram { socket: SocketId(0), from: from.parse().unwrap(), data };
        probe.handle_input(Instant::ORIGIN, input)
    }

    #[test]
    fn only_an_answer_of_the_server_to_the_request_ends_the_waiting() {
        let (mut probe, request) = asked(Question::Plain);
        let answer = turned(&request);
        let mut other = answer.clone();
        other[19] ^= 1;
        assert_eq!(
            hear(&mut probe, "192.0.2.1:3478", &other),
            Received::Dropped(Dropped::UnknownTransaction)
        );
        assert_eq!(hear(&mut probe, "192.0.2.2:3478", &answer), Received::Dropped(Dropped::WrongSource));
        assert_eq!(
            hear(&mut probe, "192.0.2.1:3478", &request),
            Received::Dropped(Dropped::UnexpectedMethod)
        );
        assert_eq!(probe.drops().total(), 3);
        assert_eq!(hear(&mut probe, "192.0.2.1:3478", &answer), Received::Consumed);
        let mut buf = [0; MAX_TRANSMIT];
        assert_eq!(probe.poll_output(&mut buf), Output::Event(Reply::Answer(answer)));
        assert_eq!(probe.poll_output(&mut buf), Output::Idle);
    }

    #[test]
    fn a_request_of_old_has_no_cookie_and_its_answer_is_read_all_the_same() {
        let (mut probe, request) = asked(Question::Rfc3489);
        assert_ne!(request[4..8], MAGIC_COOKIE.to_be_bytes());
        let (answer, mut with_cookie) = (turned(&request), turned(&request));
        with_cookie[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
        let dropped = Received::Dropped(Dropped::UnknownTransaction);
        assert_eq!(hear(&mut probe, "192.0.2.1:3478", &with_cookie), dropped, "all 128 bits are the id");
        assert_eq!(hear(&mut probe, "192.0.2.1:3478", &answer), Received::Consumed);
        let output = Output::Event(Reply::Answer(with_cookie));
        assert_eq!(probe.poll_output(&mut [0; MAX_TRANSMIT]), output);
    }

    #[test]
    fn over_datagrams_it_is_asked_by_the_schedule_and_on_a_stream_once() {
        for (start, expected) in [
            (Probe::over_datagrams as fn(_, _, _, _, _) -> _, vec![0, 500, 1500, 3500, 7500, 15_500, 31_500]),
            (Probe::over_stream, vec![0]),
        ] {
            let (mut now, mut sent, mut buf) = (Instant::ORIGIN, Vec::new(), [0; MAX_TRANSMIT]);
            let mut probe: Probe = start(now, server(), Question::Plain, [1; 32], Schedule::DEFAULT);
            let reply = loop {
                match probe.poll_output(&mut buf) {
                    Output::Transmit(_) => sent.push((now - Instant::ORIGIN).as_millis()),
                    Output::Wait { until, .. } => {
                        now = until;
                        let _ = probe.handle_input(now, Input::Timeout);
                    }
                    Output::Event(reply) => break reply,
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!((reply, sent), (Reply::Silence, expected));
            assert_eq!(now, Instant::ORIGIN + Duration::from_millis(39_500));
        }
    }
}
