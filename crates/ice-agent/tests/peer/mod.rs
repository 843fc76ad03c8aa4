//! A peer that does only what the story says. It signs and reads with `floe-stun` alone, so that the agent is not
//! its own judge.
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each story uses a part of it; a story that cannot be told is a failed test"
)]

use std::net::SocketAddr;
use std::time::Duration;

use floe_ice_agent::{
    ComponentId, Config, ConnectionState, Credentials, Event, IceAgent, PairState, PairStats, Role,
    SelectedPair, StreamId, Taken,
};
use floe_stun::attribute::{
    Attribute, ErrorCode, IceControlled, IceControlling, Priority, UnknownAttributes, UseCandidate, Username,
    XorMappedAddress,
};
use floe_stun::{
    Builder, Class, DecodeError, EncodeError, Input, Instant, Key, MAX_TRANSMIT, Machine, Message, Method,
    Output, Received, SocketId, TransactionId,
};

/// The agent's first socket and its address.
pub(crate) const SOCKET: SocketId = SocketId(0);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// An agent, its host, and a peer with nothing but credentials and addresses.
pub(crate) struct Scene {
    pub(crate) agent: IceAgent,
    pub(crate) now: Instant,
    /// What the agent is told of the peer.
    pub(crate) peer: Credentials,
    pub(crate) events: Vec<(Instant, Event)>,
    pub(crate) sockets: Vec<(SocketId, SocketAddr)>,
    sent: Vec<Sent>,
    wait: Option<Instant>,
    last_id: u32,
}

/// A packet of the agent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) socket: SocketId,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// A check of the agent, its signature verified.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) sent: Sent,
    pub(crate) id: TransactionId,
    pub(crate) username: String,
    pub(crate) priority: u32,
    pub(crate) role: Role,
    pub(crate) tie_breaker: u64,
    pub(crate) use_candidate: bool,
}

/// An answer of the agent, its signature verified.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) sent: Sent,
    pub(crate) id: TransactionId,
    /// Of an error.
    pub(crate) code: Option<u16>,
    pub(crate) unknown: Vec<u16>,
    pub(crate) mapped: Option<SocketAddr>,
    pub(crate) has_username: bool,
}

/// A check of the peer, right in all points until the story bends one.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: TransactionId,
    pub(crate) username: Option<String>,
    pub(crate) pwd: Option<String>,
    pub(crate) priority: Option<u32>,
    pub(crate) controlling: Option<u64>,
    pub(crate) controlled: Option<u64>,
    pub(crate) use_candidate: bool,
    pub(crate) unknown: bool,
    pub(crate) fingerprint: bool,
}

/// What the peer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nothing,
    Success,
    /// Success, with this address as the one that the check came from.
    Mapped(SocketAddr),
    Error(u16),
}

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The agent's n-th address, from 0.
pub(crate) fn ours(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n + 1], 5000))
}

/// The peer's n-th address, from 0.
pub(crate) fn theirs(n: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, n + 1], 6000))
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl Scene {
    /// An agent with one socket that has gathered and knows nothing of the peer.
    pub(crate) fn new(config: Config) -> Self {
        Self::with_sockets(config, 1)
    }

    /// The same with several sockets for its only component.
    pub(crate) fn with_sockets(config: Config, count: u8) -> Self {
        let sockets: Vec<_> = (0..count).map(|n| (ComponentId::FIRST, ours(n))).collect();
        Self::with_components(config, &sockets)
    }

    pub(crate) fn with_components(config: Config, sockets: &[(ComponentId, SocketAddr)]) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut scene = Self {
            agent: IceAgent::new(now, config, [7; 32]),
            now,
            peer: Credentials::new("peer", "the/password/of/the/peer"),
            events: Vec::new(),
            sockets: Vec::new(),
            sent: Vec::new(),
            wait: None,
            last_id: 0,
        };
        for (id, (component, local)) in (0..).map(SocketId).zip(sockets) {
            scene.agent.add_socket(now, *component, id, *local).expect("a fresh socket");
            scene.sockets.push((id, *local));
        }
        scene.agent.gather(now);
        scene.drain();
        scene
    }

    /// An agent that knows the peer's credentials and its first address.
    pub(crate) fn introduced(config: Config) -> Self {
        let mut scene = Self::new(config);
        scene.meet();
        scene.hint(theirs(0));
        scene
    }

    /// An agent that has selected the pair of the two first addresses.
    pub(crate) fn connected(role: Role) -> Self {
        let mut scene = Self::introduced(Config::new(role));
        scene.select(theirs(0));
        scene.checks();
        scene.answers();
        scene
    }

    /// Gets the pair of the first socket and this address selected.
    pub(crate) fn select(&mut self, to: SocketAddr) {
        if self.agent.role() == Role::Controlled {
            let question = Question { use_candidate: true, ..self.question() };
            assert_eq!(self.ask(to, &question), Received::Consumed);
        }
        self.run_answering(SECOND, |check| if check.sent.to == to { Reply::Success } else { Reply::Nothing });
        let selected = self.selected().expect("answered and nominated");
        assert_eq!(selected.remote.address, to);
        assert_eq!(self.agent.state(), ConnectionState::Completed);
    }

    /// The peer's credentials come.
    pub(crate) fn meet(&mut self) {
        self.meet_as(false);
    }

    pub(crate) fn meet_as(&mut self, lite: bool) {
        self.agent.set_remote_credentials(self.now, self.peer.clone(), lite).expect("well-formed");
        self.drain();
    }

    /// The peer tells of a host candidate, unlike all others in its foundation.
    pub(crate) fn hint(&mut self, address: SocketAddr) -> Taken {
        let foundation: String = address.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        self.tell(&format!("{foundation} 1 UDP 2130706431 {} {} typ host", address.ip(), address.port()))
    }

    /// The peer tells of a candidate by this line, without `candidate:`.
    pub(crate) fn tell(&mut self, line: &str) -> Taken {
        let line = format!("candidate:{line}").parse().expect("a candidate line");
        let taken = self.agent.add_remote_candidate(self.now, StreamId(0), &line);
        self.drain();
        taken
    }

    /// The peer has no more candidates.
    pub(crate) fn end(&mut self) {
        self.agent.end_of_remote_candidates(self.now);
        self.drain();
    }

    pub(crate) fn restart(&mut self) {
        self.agent.restart(self.now).expect("open");
        self.drain();
    }

    /// Carries out what the agent wants, until it waits.
    pub(crate) fn drain(&mut self) {
        let mut buf = [0; MAX_TRANSMIT];
        self.wait = loop {
            match self.agent.poll_output(&mut buf) {
                Output::Transmit(t) => {
                    self.sent.push(Sent {
                        at: self.now,
                        socket: t.socket,
                        to: t.to,
                        bytes: t.bytes.to_vec(),
                    });
                }
                Output::Need(need) => panic!("{need:?}"),
                Output::Event(event) => self.events.push((self.now, event)),
                Output::Wait { until, .. } => break Some(until),
                Output::Idle => break None,
            }
        };
    }

    /// Lets time pass, jumping from one due moment to the next; the peer is silent.
    pub(crate) fn run(&mut self, time: Duration) {
        self.run_answering(time, |_| Reply::Nothing);
    }

    /// Lets time pass; the peer answers each check at once as told. All packets are still there to be read.
    pub(crate) fn run_answering(&mut self, time: Duration, mut reply: impl FnMut(&Check) -> Reply) {
        let end = self.now + time;
        let mut read = 0;
        for steps in 0.. {
            assert!(steps < 1_000_000, "the agent spins");
            let fresh = self.sent.split_off(read);
            self.sent.extend(fresh.iter().cloned());
            read = self.sent.len();
            let checks: Vec<_> = fresh.iter().filter_map(|sent| self.read_check(sent)).collect();
            for check in checks {
                let told = reply(&check);
                self.reply(&check, told);
            }
            match self.wait {
                _ if self.sent.len() > read => {}
                Some(at) if at <= end => {
                    assert!(at > self.now || steps == 0, "waits for a moment that has come: {at}");
                    self.now = self.now.max(at);
                    self.timeout();
                }
                _ => break,
            }
        }
        self.now = end;
    }

    pub(crate) fn timeout(&mut self) {
        let _ = self.input(Input::Timeout);
    }

    pub(crate) fn input(&mut self, input: Input<'_>) -> Received<()> {
        let verdict = match self.agent.handle_input(self.now, input) {
            Received::App(_) => Received::App(()),
            Received::Dropped(why) => Received::Dropped(why),
            Received::Consumed => Received::Consumed,
            _ => Received::NotMine,
        };
        self.drain();
        verdict
    }

    /// Hands in a datagram on the first socket.
    pub(crate) fn deliver(&mut self, from: SocketAddr, data: &[u8]) -> Received<()> {
        self.deliver_on(SOCKET, from, data)
    }

    pub(crate) fn deliver_on(&mut self, socket: SocketId, from: SocketAddr, data: &[u8]) -> Received<()> {
        self.input(Input::Datagram { socket, from, data })
    }

    /// A check of the peer as it should be, of the role that the agent does not have.
    pub(crate) fn question(&mut self) -> Question {
        let (ours, theirs) = (&self.agent.local_credentials().clone(), self.peer.ufrag.clone());
        let controls = self.agent.role() == Role::Controlled;
        Question {
            id: self.next_id(),
            username: Some(format!("{}:{theirs}", ours.ufrag)),
            pwd: Some(ours.pwd.reveal().to_owned()),
            priority: Some(1_853_824_767),
            controlling: controls.then_some(1),
            controlled: (!controls).then_some(1),
            use_candidate: false,
            unknown: false,
            fingerprint: true,
        }
    }

    pub(crate) fn ask(&mut self, from: SocketAddr, question: &Question) -> Received<()> {
        self.deliver(from, &question.write())
    }

    /// A right check from there, with USE-CANDIDATE or without.
    pub(crate) fn check_from(&mut self, from: SocketAddr, use_candidate: bool) {
        let question = Question { use_candidate, ..self.question() };
        assert_eq!(self.ask(from, &question), Received::Consumed);
    }

    /// Answers a check from where it went to.
    pub(crate) fn reply(&mut self, check: &Check, reply: Reply) -> Received<()> {
        let from = check.sent.to;
        self.reply_from(check, reply, from, check.sent.socket)
    }

    pub(crate) fn reply_from(
        &mut self,
        check: &Check,
        reply: Reply,
        from: SocketAddr,
        socket: SocketId,
    ) -> Received<()> {
        let pwd = self.peer.pwd.reveal().to_owned();
        let local = self.sockets.iter().find(|(id, _)| *id == check.sent.socket).expect("known").1;
        match write_reply(check.id, reply, local, Some(&pwd)) {
            Some(bytes) => self.deliver_on(socket, from, &bytes),
            None => Received::NotMine,
        }
    }

    /// The checks that the agent has sent since the last look.
    pub(crate) fn checks(&mut self) -> Vec<Check> {
        let checks: Vec<_> = self.sent.iter().filter_map(|sent| self.read_check(sent)).collect();
        self.sent.retain(|sent| class(sent) != Some(Class::Request));
        checks
    }

    /// The answers that the agent has sent since the last look.
    pub(crate) fn answers(&mut self) -> Vec<Answer> {
        let answers: Vec<_> = self.sent.iter().filter_map(|sent| self.read_answer(sent)).collect();
        self.sent.retain(|sent| !matches!(class(sent), Some(Class::Success | Class::Error)));
        answers
    }

    /// All packets since the last look.
    pub(crate) fn packets(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    pub(crate) fn read_check(&self, sent: &Sent) -> Option<Check> {
        let message = Message::decode(&sent.bytes).expect("we write what we can read");
        if message.class() != Class::Request {
            return None;
        }
        assert_eq!(message.fingerprint(), Some(true), "ICE-7.2.4-1");
        let message = message.verify(&Key::short_term(self.peer.pwd.reveal())).expect("signed for the peer");
        let Username(username) = message.find().expect("a user name");
        let Priority(priority) = message.find().expect("a priority");
        let (role, tie_breaker) = match (message.find::<IceControlling>(), message.find::<IceControlled>()) {
            (Some(IceControlling(n)), None) => (Role::Controlling, n),
            (None, Some(IceControlled(n))) => (Role::Controlled, n),
            both => panic!("one role: {both:?}"),
        };
        Some(Check {
            id: message.id(),
            username: username.to_owned(),
            priority,
            role,
            tie_breaker,
            use_candidate: message.has(UseCandidate::TYPE),
            sent: sent.clone(),
        })
    }

    fn read_answer(&self, sent: &Sent) -> Option<Answer> {
        let message = Message::decode(&sent.bytes).expect("we write what we can read");
        if !matches!(message.class(), Class::Success | Class::Error) {
            return None;
        }
        assert_eq!(message.fingerprint(), Some(true));
        let key = Key::short_term(self.agent.local_credentials().pwd.reveal());
        let message = message.verify(&key).expect("signed with the agent's own password");
        Some(Answer {
            id: message.id(),
            code: message.find::<ErrorCode<'_>>().map(|error| error.code),
            unknown: message.find::<UnknownAttributes<'_>>().map_or(Vec::new(), |list| list.iter().collect()),
            mapped: message.find::<XorMappedAddress>().map(|mapped| mapped.0),
            has_username: message.has(Username::TYPE),
            sent: sent.clone(),
        })
    }

    pub(crate) fn next_id(&mut self) -> TransactionId {
        self.last_id += 1;
        let mut id = [0xAA; 12];
        id[..4].copy_from_slice(&self.last_id.to_be_bytes());
        TransactionId::from(id)
    }

    pub(crate) fn selected(&self) -> Option<SelectedPair> {
        self.agent.selected_pair(ComponentId::FIRST)
    }

    /// The pair of the first socket and this address.
    pub(crate) fn pair(&self, to: SocketAddr) -> PairStats {
        self.pairs(to).into_iter().next().unwrap_or_else(|| panic!("no pair to {to}"))
    }

    /// All pairs to an address.
    pub(crate) fn pairs(&self, to: SocketAddr) -> Vec<PairStats> {
        let stats = self.agent.stats();
        let remote = stats.remote_candidates.iter().find(|candidate| candidate.address == to);
        let Some(remote) = remote.map(|candidate| candidate.id) else { return Vec::new() };
        stats.pairs.into_iter().filter(|pair| pair.remote == remote).collect()
    }

    pub(crate) fn pair_state(&self, to: SocketAddr) -> PairState {
        self.pair(to).state
    }

    /// Everything the agent is at this moment, but for its drop counters.
    pub(crate) fn fingerprint(&mut self) -> String {
        self.timeout();
        let text = format!("{:?}", self.agent);
        let (before, after) = text.split_once("drops: Drops([").expect("counters");
        let (_, after) = after.split_once("])").expect("their end");
        format!("{before}{after}")
    }

    pub(crate) fn states(&self) -> Vec<ConnectionState> {
        let states = self.events.iter().filter_map(|(_, event)| match event {
            Event::State { state, .. } => Some(*state),
            _ => None,
        });
        states.collect()
    }

    /// When the agent entered a state first.
    pub(crate) fn since(&self, wanted: ConnectionState) -> Option<Instant> {
        self.events.iter().find_map(|(at, event)| match event {
            Event::State { state, .. } if *state == wanted => Some(*at),
            _ => None,
        })
    }
}

impl Question {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut buf = [0; 1024];
        let username = self.username.as_deref().map(Username);
        let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, self.id)
            .maybe(username.as_ref())
            .maybe(self.priority.map(Priority).as_ref())
            .maybe(self.controlling.map(IceControlling).as_ref())
            .maybe(self.controlled.map(IceControlled).as_ref())
            .maybe(self.use_candidate.then_some(&UseCandidate))
            .maybe(self.unknown.then_some(&Riddle));
        let bytes = match (&self.pwd, self.fingerprint) {
            (Some(pwd), true) => builder.integrity(&Key::short_term(pwd)).fingerprint().finish(),
            (Some(pwd), false) => builder.integrity(&Key::short_term(pwd)).finish(),
            (None, true) => builder.fingerprint().finish(),
            (None, false) => builder.finish(),
        };
        bytes.expect("fits").to_vec()
    }
}

/// An answer of the peer to a check that came from `local`.
pub(crate) fn write_reply(
    id: TransactionId,
    reply: Reply,
    local: SocketAddr,
    pwd: Option<&str>,
) -> Option<Vec<u8>> {
    let (class, mapped, code) = match reply {
        Reply::Nothing => return None,
        Reply::Success => (Class::Success, Some(local), None),
        Reply::Mapped(mapped) => (Class::Success, Some(mapped), None),
        Reply::Error(code) => (Class::Error, None, Some(ErrorCode { code, reason: "as the story wants" })),
    };
    let mut buf = [0; 256];
    let builder = Builder::new(&mut buf, class, Method::BINDING, id)
        .maybe(mapped.map(XorMappedAddress).as_ref())
        .maybe(code.as_ref());
    let bytes = match pwd {
        Some(pwd) => builder.integrity(&Key::short_term(pwd)).fingerprint().finish(),
        None => builder.fingerprint().finish(),
    };
    Some(bytes.expect("fits").to_vec())
}

fn class(sent: &Sent) -> Option<Class> {
    Message::decode(&sent.bytes).ok().map(|message| message.class())
}

/// An attribute that must be understood and is not.
struct Riddle;

impl Attribute<'_> for Riddle {
    const TYPE: u16 = RIDDLE;

    fn decode(_: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        Ok(Self)
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        out.fill(1);
        Ok(())
    }
}

pub(crate) const RIDDLE: u16 = 0x7F00;
