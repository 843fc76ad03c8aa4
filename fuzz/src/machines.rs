//! Whole lives of machines: the bytes say what happens to one, from forged packets to jumps of the clock.

use std::net::SocketAddr;
use std::time::Duration;

use floe_ice_agent::{ComponentId, Credentials, IceAgent, Role, StreamId};
use floe_sdp::CandidateLine;
use floe_stun::attribute::*;
use floe_stun::{
    Builder, Class, Failure, Icmp, Input, Instant, Key, MAX_TRANSMIT, Machine, Message, Method, Need, Output,
    Password, RequestId, SocketId, TransactionId,
};
use floe_turn_client::Client;
use floe_turn_server::Server;

use super::tape::Tape;

mod signed;

pub(crate) use signed::attributes;
pub use signed::stun_signed;

const SOCKET: SocketId = SocketId(0);
const SEED: [u8; 32] = [7; 32];
const USER: &str = "alice";
const PASSWORD: &str = "open sesame";
const REALM: &str = "example.org";
const RELAYED: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 0)), 50_000);
const SERVER_LIFETIME: Duration = Duration::from_secs(600);

/// A TURN client keeps its promises, whatever the server says.
pub fn turn_client(data: &[u8]) {
    let mut life = Life::new(a_client(), data, long_term_keys(), USER);
    life.run(|client, now, tape| match tape.byte() % 5 {
        0 => client.permit(now, address(tape.byte()).ip()),
        1 => client.revoke(address(tape.byte()).ip()),
        2 => client.bind_channel(now, address(tape.byte())),
        3 => drop(client.send_plan(now, address(tape.byte()), 100)),
        _ => client.release(now),
    });
}

/// An agent keeps its promises, whatever peers, servers and its own user say.
pub fn agent(data: &[u8]) {
    let (mut life, remote) = (an_agent(data), remote_credentials());
    life.run(|agent, now, tape| match tape.byte() % 8 {
        0 => agent.gather(now),
        1 => drop(agent.set_remote_credentials(now, remote.clone(), tape.byte() == 0)),
        2 => {
            let (number, port) = (tape.byte(), tape.byte());
            let line = format!("candidate:{number} 1 udp {number}{port} 192.0.2.{number} 1{port} typ host");
            if let Ok(line) = CandidateLine::parse(&line) {
                let _ = agent.add_remote_candidate(now, StreamId(0), &line);
            }
        }
        3 => agent.end_of_remote_candidates(now),
        4 => drop(agent.restart(now).cloned()),
        5 => drop(agent.send_plan(now, ComponentId::FIRST, 100)),
        6 => drop((agent.stats(), agent.selected_pair(ComponentId::FIRST))),
        _ => agent.close(now),
    });
}

fn a_client() -> Client {
    let credentials = floe_turn_client::Credentials::new(USER, Password::new(PASSWORD));
    Client::new(Instant::ORIGIN, floe_turn_client::Config::new(SOCKET, address(0), credentials), SEED)
}

fn a_server() -> Server {
    let config = floe_turn_server::Config::new(REALM).with_relay(address(0).ip()).with_user(USER, PASSWORD);
    let mut server = Server::new(Instant::ORIGIN, config, SEED);
    server.listen(SOCKET, address(0));
    server
}

/// Its keys are those of checks to it and of answers to its own.
fn an_agent(data: &[u8]) -> Life<'_, IceAgent> {
    let mut agent = IceAgent::new(Instant::ORIGIN, agent_config(), SEED);
    let (local, remote) = (agent.local_credentials(), remote_credentials());
    let name = format!("{}:{}", local.ufrag, remote.ufrag);
    let keys = [local, &remote].map(|credentials| Key::short_term(credentials.pwd.reveal()));
    let _ = agent.add_socket(Instant::ORIGIN, ComponentId::FIRST, SOCKET, address(0));
    Life::new(agent, data, keys, &name)
}

fn remote_credentials() -> Credentials {
    Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg")
}

fn agent_config() -> floe_ice_agent::Config {
    let config = floe_ice_agent::Config::new(Role::Controlling);
    match format!("turn:{}", address(1)).parse() {
        Ok(uri) => config.with_server(floe_ice_agent::Server::turn(uri, USER, PASSWORD)),
        Err(_) => config,
    }
}

fn long_term_keys() -> [Key; 2] {
    let password = Password::new(PASSWORD);
    [Key::long_term_md5(USER, REALM, &password), Key::long_term_sha256(USER, REALM, &password)]
}

/// A handful of addresses: few enough that packets meet.
fn address(choice: u8) -> SocketAddr {
    match choice % 8 {
        7 => ([0x2001, 0xDB8, 0, 0, 0, 0, 0, 7], 3478).into(),
        n => ([192, 0, 2, n], 3478).into(),
    }
}

/// A machine, the world around it, and what it has asked of the world.
struct Life<'d, M> {
    machine: M,
    tape: Tape<'d>,
    now: Instant,
    until: Option<Instant>,
    asked: Option<(TransactionId, Method)>,
    needs: Vec<RequestId>,
    sockets: u32,
    nonce: String,
    keys: [Key; 2],
    username: String,
}

impl<'d, M: Machine> Life<'d, M> {
    fn new(machine: M, data: &'d [u8], keys: [Key; 2], username: &str) -> Self {
        Self {
            machine,
            // A life is long enough with these.
            tape: Tape::new(data.get(..4096).unwrap_or(data)),
            now: Instant::ORIGIN,
            until: None,
            asked: None,
            needs: Vec::new(),
            sockets: 1,
            nonce: "nonce".to_owned(),
            keys,
            username: username.to_owned(),
        }
    }

    fn run(&mut self, command: impl Fn(&mut M, Instant, &mut Tape<'d>)) {
        self.drain();
        while !self.tape.is_empty() {
            match self.tape.byte() % 10 {
                0 => self.hear_bytes(),
                1..=3 => self.hear_message(),
                4 => self.wait(),
                5 => self.jump(),
                6 => self.answer_need(),
                7 => self.hear_trouble(),
                _ => command(&mut self.machine, self.now, &mut self.tape),
            }
            self.drain();
        }
        self.follow_deadlines();
    }

    /// A datagram on the first socket.
    fn hear(&mut self, from: u8, data: &[u8]) {
        let input = Input::Datagram { socket: SOCKET, from: address(from), data };
        let _ = self.machine.handle_input(self.now, input);
        self.drain();
    }

    fn open(&mut self, request: RequestId, local: SocketAddr) {
        self.sockets += 1;
        let input = Input::Opened { request, socket: SocketId(self.sockets), local };
        let _ = self.machine.handle_input(self.now, input);
        self.drain();
    }

    fn hear_bytes(&mut self) {
        let (socket, from, data) = (self.socket(), address(self.tape.byte()), self.tape.slice());
        let _ = self.machine.handle_input(self.now, Input::Datagram { socket, from, data });
    }

    /// A message that is right in form; as often as not it answers what was asked last.
    fn hear_message(&mut self) {
        let mut buf = [0; MAX_TRANSMIT];
        let (socket, from) = (self.socket(), address(self.tape.byte()));
        let data = match self.message(&mut buf) {
            Some(len) => buf.get(..len).unwrap_or_default(),
            None => return,
        };
        let _ = self.machine.handle_input(self.now, Input::Datagram { socket, from, data });
    }

    fn message(&mut self, buf: &mut [u8]) -> Option<usize> {
        let class = match self.tape.byte() % 4 {
            0 => Class::Request,
            1 => Class::Indication,
            2 => Class::Success,
            _ => Class::Error,
        };
        let (id, method) = match self.asked {
            Some(asked) if matches!(class, Class::Success | Class::Error) => asked,
            _ => ([self.tape.byte(); 12].into(), Method::new(u16::from(self.tape.byte() % 16))?),
        };
        let mut builder = Builder::new(buf, class, method, id);
        for _ in 0..self.tape.byte() % 12 {
            builder = self.attribute(builder);
        }
        let key = &self.keys[usize::from(self.tape.byte() % 2)];
        let written = match self.tape.byte() % 6 {
            0 => builder.finish(),
            1 => builder.fingerprint().finish(),
            2 => builder.integrity(key).finish(),
            3 => builder.integrity_sha256(key).finish(),
            4 => builder.integrity_sha256(key).fingerprint().finish(),
            _ => builder.integrity(key).fingerprint().finish(),
        };
        written.ok().map(<[u8]>::len)
    }

    fn attribute<'b>(&mut self, builder: Builder<'b>) -> Builder<'b> {
        let (kind, tape) = (self.tape.byte(), &mut self.tape);
        match kind % 24 {
            0 => builder.attribute(&Username(&self.username)),
            1 => builder.attribute(&Realm(REALM)),
            2 => builder.attribute(&Nonce(&self.nonce)),
            3 => builder.attribute(&XorMappedAddress(address(tape.byte()))),
            4 => builder.attribute(&XorRelayedAddress(address(tape.byte()))),
            5 => builder.attribute(&XorPeerAddress(address(tape.byte()))),
            6 => builder.attribute(&AlternateServer(address(tape.byte()))),
            7 => builder.attribute(&Lifetime(Duration::from_secs(tape.number().into()))),
            8 => builder.attribute(&ErrorCode { code: 300 + u16::from(tape.byte()), reason: "why" }),
            9 => builder.attribute(&Data(tape.slice())),
            10 => builder.attribute(&ChannelNumberAttribute(0x4000 + u16::from(tape.byte()))),
            11 => builder.attribute(&RequestedTransport::UDP),
            12 => builder.attribute(&Priority(tape.number())),
            13 => builder.attribute(&UseCandidate),
            14 => builder.attribute(&IceControlling(tape.number().into())),
            15 => builder.attribute(&IceControlled(tape.number().into())),
            16 => builder.attribute(&PasswordAlgorithms::SHA256_AND_MD5),
            17 => builder.attribute(&PasswordAlgorithm(Algorithm(u16::from(tape.byte() % 4)))),
            18 => builder.attribute(&userhash()),
            19 => builder.attribute(&EvenPort { reserve_next: tape.byte() % 2 == 0 }),
            20 => builder.attribute(&RequestedAddressFamily(Family::Ipv6)),
            21 => builder.attribute(&IcmpAttribute { kind: 3, code: tape.byte(), data: 0 }),
            22 => builder.attribute(&UnknownAttributes::new(&[0x7FFE])),
            _ => builder.attribute(&ReservationToken([tape.byte(); 8])),
        }
    }

    fn wait(&mut self) {
        self.now = self.until.unwrap_or(self.now).max(self.now);
        let _ = self.machine.handle_input(self.now, Input::Timeout);
    }

    /// Forwards by up to a month, or an input with a time that lies back.
    fn jump(&mut self) {
        let choice = self.tape.byte();
        let far = Duration::from_millis(1 << (choice % 32));
        if choice < 200 {
            self.now = self.now + far;
        }
        let told = if choice < 200 { self.now } else { self.now - far };
        let _ = self.machine.handle_input(told, Input::Timeout);
    }

    fn answer_need(&mut self) {
        let choice = self.tape.byte();
        let request = self.needs.pop().unwrap_or_else(|| RequestId(choice.into()));
        let input = match choice % 3 {
            0 => Input::Failed { request, why: Failure::InUse },
            1 => Input::Resolved { request, addresses: &[address(1).ip()] },
            _ => {
                self.sockets += 1;
                Input::Opened { request, socket: SocketId(self.sockets), local: address(choice) }
            }
        };
        let _ = self.machine.handle_input(self.now, input);
    }

    fn hear_trouble(&mut self) {
        let (socket, to) = (self.socket(), address(self.tape.byte()));
        let input = match self.tape.byte() % 8 {
            0 => Input::Closed { socket },
            1 => Input::Icmp { socket, to, what: Icmp::TooBig { mtu: Some(self.tape.number()) } },
            2 => Input::Stream { socket, data: self.tape.slice() },
            3 => Input::Interfaces(&[]),
            _ => Input::Icmp { socket, to, what: Icmp::Unreachable },
        };
        let _ = self.machine.handle_input(self.now, input);
    }

    fn socket(&mut self) -> SocketId {
        match self.tape.byte() {
            0..200 => SOCKET,
            other => SocketId(u32::from(other) % (self.sockets + 1)),
        }
    }

    /// Outputs end with a wait, which lies ahead, or with rest.
    fn drain(&mut self) {
        let mut buf = [0; MAX_TRANSMIT];
        for _ in 0..10_000 {
            match self.machine.poll_output(&mut buf) {
                Output::Transmit(transmit) => {
                    assert!(!transmit.bytes.is_empty(), "an empty datagram");
                    if let Ok(message) = Message::decode(transmit.bytes) {
                        remember(&message, &mut self.asked, &mut self.nonce);
                    }
                }
                Output::Need(need) => self.needs.extend(request_of(&need)),
                Output::Event(_) => {}
                Output::Wait { until, .. } => return self.until = Some(until),
                Output::Idle => return self.until = None,
            }
        }
        panic!("the machine never comes to rest");
    }

    /// From here on nothing happens but time. Every moment the machine names must bring it further.
    fn follow_deadlines(&mut self) {
        for _ in 0..200 {
            let Some(until) = self.until else { return };
            self.now = self.now.max(until);
            let _ = self.machine.handle_input(self.now, Input::Timeout);
            self.drain();
            assert!(self.until.is_none_or(|next| next > self.now), "a wait that is over: {:?}", self.until);
        }
    }
}

fn remember(message: &Message<'_>, asked: &mut Option<(TransactionId, Method)>, nonce: &mut String) {
    if message.class() == Class::Request {
        *asked = Some((message.id(), message.method()));
    }
    if let Some(Nonce(given)) = message.find() {
        given.clone_into(nonce);
    }
}

fn request_of(need: &Need) -> Option<RequestId> {
    match need {
        Need::Udp { request, .. } | Need::Stream { request, .. } | Need::Resolve { request, .. } => {
            Some(*request)
        }
        _ => None,
    }
}

fn userhash() -> UserHash {
    floe_stun::userhash(USER, REALM)
}
