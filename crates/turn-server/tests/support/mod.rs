//! A server in virtual time, and clients written with floe-stun only.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails has found what the test looks for"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::attribute::{
    Algorithm, Attribute, ChannelNumberAttribute, Data, ErrorCode, Lifetime, Nonce, PasswordAlgorithm,
    PasswordAlgorithms, Realm, RequestedTransport, Username, XorPeerAddress, XorRelayedAddress,
};
use floe_stun::{
    Builder, Class, Failure, Input, Instant, Integrity, Key, MAX_TRANSMIT, Machine, Message, Method, Need,
    Output, Password, Received, RequestId, SocketId, TransactionId, Transport,
};
use floe_turn_server::{Config, Event, Server};

pub(crate) const REALM: &str = "floe.net";
pub(crate) const V4: SocketId = SocketId(0);
pub(crate) const V6: SocketId = SocketId(1);

/// A datagram that the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) socket: SocketId,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    /// Answers that nobody has looked at yet.
    pub(crate) sent: Vec<Sent>,
    pub(crate) events: Vec<Event>,
    pub(crate) closed: Vec<SocketId>,
    /// Streams that were joined, by pairs.
    pub(crate) joined: Vec<(SocketId, SocketId)>,
    /// Sockets and listeners that were asked for and are not open yet.
    pub(crate) needs: Vec<(RequestId, SocketAddr)>,
    /// Those of them that are to listen for connections.
    pub(crate) listens: BTreeSet<RequestId>,
    /// Connections to peers that were asked for and are not open yet.
    pub(crate) connects: Vec<(RequestId, SocketAddr, SocketAddr)>,
    /// Ports that other programs have.
    pub(crate) busy: BTreeSet<u16>,
    /// Whether sockets are opened as soon as they are asked for.
    pub(crate) opens: bool,
    pub(crate) until: Option<Instant>,
    next_socket: u32,
}

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn config() -> Config {
    Config::new(REALM)
        .with_relay("192.0.2.1".parse().unwrap())
        .with_relay("2001:db8::1".parse().unwrap())
        .with_user("alice", "wonderland")
        .with_user("bob", "builder")
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let now = Instant::ORIGIN + secs(1000);
        let mut server = Server::new(now, config, [7; 32]);
        server.listen(V4, addr("192.0.2.1:3478"));
        server.listen(V6, addr("[2001:db8::1]:3478"));
        Self {
            server,
            now,
            sent: Vec::new(),
            events: Vec::new(),
            closed: Vec::new(),
            joined: Vec::new(),
            needs: Vec::new(),
            listens: BTreeSet::new(),
            connects: Vec::new(),
            busy: BTreeSet::new(),
            opens: true,
            until: None,
            next_socket: 100,
        }
    }

    /// Gives the server an input and carries out what it wants; what it relayed at once.
    pub(crate) fn input(&mut self, input: Input<'_>) -> Received<Sent> {
        let verdict = match self.server.handle_input(self.now, input) {
            Received::App(forward) => {
                let plan = forward.plan;
                let mut bytes = vec![0xAA; plan.packet_len()];
                bytes[plan.headroom()..][..forward.data.len()].copy_from_slice(forward.data);
                plan.wrap(&mut bytes);
                Received::App(Sent { socket: plan.socket(), to: plan.to(), bytes })
            }
            Received::Consumed => Received::Consumed,
            Received::NotMine => Received::NotMine,
            Received::Dropped(why) => Received::Dropped(why),
            other => panic!("{other:?}"),
        };
        self.drain();
        verdict
    }

    pub(crate) fn datagram(&mut self, socket: SocketId, from: SocketAddr, data: &[u8]) -> Received<Sent> {
        self.input(Input::Datagram { socket, from, data })
    }

    pub(crate) fn drain(&mut self) {
        let mut buf = [0xAA; MAX_TRANSMIT];
        self.until = loop {
            match self.server.poll_output(&mut buf) {
                Output::Transmit(t) => {
                    self.sent.push(Sent { socket: t.socket, to: t.to, bytes: t.bytes.to_vec() });
                }
                Output::Need(Need::Udp { request, bind }) => {
                    self.needs.push((request, bind));
                }
                Output::Need(Need::Listen { request, bind }) => {
                    self.listens.insert(request);
                    self.needs.push((request, bind));
                }
                Output::Need(Need::Connect { request, bind, to }) => self.connects.push((request, bind, to)),
                Output::Need(Need::Join { one, other }) => self.joined.push((one, other)),
                Output::Need(Need::Close { socket }) => self.closed.push(socket),
                Output::Need(other) => panic!("{other:?}"),
                Output::Event(event) => self.events.push(event),
                Output::Wait { until, .. } => break Some(until),
                Output::Idle => break None,
            }
        };
        if self.opens && !self.needs.is_empty() {
            self.meet_needs();
        }
    }

    /// Opens the sockets that were asked for, but those on busy ports.
    pub(crate) fn meet_needs(&mut self) {
        for (request, bind) in std::mem::take(&mut self.needs) {
            let input = if self.busy.contains(&bind.port()) {
                Input::Failed { request, why: Failure::InUse }
            } else {
                let socket = self.socket();
                let port = if bind.port() == 0 { 40_000 } else { bind.port() };
                let local = SocketAddr::new(bind.ip(), port);
                Input::Opened { request, socket, local }
            };
            assert_eq!(self.input(input), Received::Consumed);
        }
    }

    /// A name that no socket has had.
    pub(crate) const fn socket(&mut self) -> SocketId {
        self.next_socket += 1;
        SocketId(self.next_socket)
    }

    /// Opens the one socket that was asked for.
    pub(crate) fn open_one(&mut self) -> SocketId {
        let [(request, local)] = self.needs[..] else { panic!("{:?}", self.needs) };
        self.needs.clear();
        let socket = self.socket();
        assert_eq!(self.input(Input::Opened { request, socket, local }), Received::Consumed);
        socket
    }

    /// Cannot open the one socket that was asked for.
    pub(crate) fn fail_one(&mut self, why: Failure) {
        let [(request, _)] = self.needs[..] else { panic!("{:?}", self.needs) };
        self.needs.clear();
        assert_eq!(self.input(Input::Failed { request, why }), Received::Consumed);
    }

    /// A client has opened a stream to the server.
    pub(crate) fn accept(&mut self, client: &mut Client) {
        client.socket = self.socket();
        self.server.accept(client.socket, Transport::Tcp);
    }

    /// Lets time pass, waking the server exactly when it asked to be woken.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(until) = self.until.filter(|until| *until <= end) {
            self.now = self.now.max(until);
            assert_eq!(self.input(Input::Timeout), Received::Consumed);
            assert!(self.until.is_none_or(|next| next > until), "no progress at {until}");
        }
        self.now = end;
    }

    /// What was sent to an address since it was last asked.
    pub(crate) fn take_sent(&mut self, to: SocketAddr) -> Vec<Sent> {
        let (taken, rest) = std::mem::take(&mut self.sent).into_iter().partition(|sent| sent.to == to);
        self.sent = rest;
        taken
    }

    /// The relayed socket of an allocation, as the server reported it.
    pub(crate) fn relay_of(&self, client: &Client) -> SocketId {
        let found = self.events.iter().rev().find_map(|event| match event {
            Event::Allocated { client: c, socket, .. } if *c == client.address => Some(*socket),
            _ => None,
        });
        found.unwrap()
    }
}

/// How a client signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 5389: MD5 and MESSAGE-INTEGRITY.
    Md5,
    /// RFC 8489: PASSWORD-ALGORITHMS with SHA-256 and MESSAGE-INTEGRITY-SHA256.
    Sha256,
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) socket: SocketId,
    pub(crate) address: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) scheme: Scheme,
    pub(crate) nonce: String,
    pub(crate) next_id: u8,
}

impl Client {
    pub(crate) fn new(address: &str, user: &str, password: &str, scheme: Scheme) -> Self {
        let address = addr(address);
        let socket = if address.is_ipv4() { V4 } else { V6 };
        let nonce = String::new();
        Self { socket, address, user: user.into(), password: password.into(), scheme, nonce, next_id: 0 }
    }

    pub(crate) fn alice() -> Self {
        Self::new("203.0.113.5:40000", "alice", "wonderland", Scheme::Sha256)
    }

    pub(crate) fn bob() -> Self {
        Self::new("203.0.113.6:50000", "bob", "builder", Scheme::Md5)
    }

    pub(crate) fn key(&self) -> Key {
        let password = Password::new(self.password.as_str());
        match self.scheme {
            Scheme::Md5 => Key::long_term_md5(&self.user, REALM, &password),
            Scheme::Sha256 => Key::long_term_sha256(&self.user, REALM, &password),
        }
    }

    pub(crate) fn id(&mut self) -> TransactionId {
        self.next_id += 1;
        let [a, b] = self.address.port().to_be_bytes();
        TransactionId::from([self.next_id, a, b, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    }

    /// A request without credentials.
    pub(crate) fn bare(
        &mut self,
        method: Method,
        build: impl for<'b> FnOnce(Builder<'b>) -> Builder<'b>,
    ) -> Vec<u8> {
        let mut buf = [0; 4096];
        let builder = build(Builder::new(&mut buf, Class::Request, method, self.id()));
        builder.finish().unwrap().to_vec()
    }

    /// A request with credentials.
    pub(crate) fn signed(
        &mut self,
        method: Method,
        build: impl for<'b> FnOnce(Builder<'b>) -> Builder<'b>,
    ) -> Vec<u8> {
        let mut buf = [0; 4096];
        let builder = build(Builder::new(&mut buf, Class::Request, method, self.id()));
        let builder = builder.attribute(&Username(&self.user)).attribute(&Realm(REALM));
        let builder = builder.attribute(&Nonce(&self.nonce));
        match self.scheme {
            Scheme::Md5 => builder.integrity(&self.key()).finish().unwrap().to_vec(),
            Scheme::Sha256 => builder
                .attribute(&PasswordAlgorithms::SHA256_AND_MD5)
                .attribute(&PasswordAlgorithm(Algorithm::SHA256))
                .integrity_sha256(&self.key())
                .finish()
                .unwrap()
                .to_vec(),
        }
    }

    /// Sends a request; the answer, if there is one.
    pub(crate) fn ask(&self, world: &mut World, request: &[u8]) -> Option<Vec<u8>> {
        let verdict = world.datagram(self.socket, self.address, request);
        assert_eq!(verdict, Received::Consumed, "the request was dropped");
        self.answer(world, request)
    }

    /// The one answer to this request that has come, if any.
    pub(crate) fn answer(&self, world: &mut World, request: &[u8]) -> Option<Vec<u8>> {
        let mut answers = world.take_sent(self.address);
        assert!(answers.len() <= 1, "more than one answer");
        let answer = answers.pop()?;
        assert_eq!(answer.socket, self.socket, "answers leave from where the request came to");
        let (asked, got) = (Message::decode(request).unwrap(), Message::decode(&answer.bytes).unwrap());
        assert_eq!((got.id(), got.method()), (asked.id(), asked.method()));
        Some(answer.bytes)
    }

    /// The same, and the answer is signed as RFC 8489 §9.2.4 says.
    pub(crate) fn ask_signed(
        &mut self,
        world: &mut World,
        method: Method,
        build: impl for<'b> FnOnce(Builder<'b>) -> Builder<'b>,
    ) -> Vec<u8> {
        let request = self.signed(method, build);
        let answer = self.ask(world, &request).expect("an answer");
        self.check(&answer);
        answer
    }

    /// The code of the answer, 0 for success.
    pub(crate) fn code_of(
        &mut self,
        world: &mut World,
        method: Method,
        build: impl for<'b> FnOnce(Builder<'b>) -> Builder<'b>,
    ) -> u16 {
        code(&self.ask_signed(world, method, build))
    }

    /// All relayed addresses that an answer tells, in order.
    pub(crate) fn all_relayed(&self, answer: &[u8]) -> Vec<SocketAddr> {
        let answer = Message::decode(answer).unwrap();
        let answer = answer.verify(&self.key()).unwrap();
        let told = answer.attributes().filter(|raw| raw.kind == XorRelayedAddress::TYPE);
        told.map(|raw| XorRelayedAddress::decode(raw.value, answer.id()).unwrap().0).collect()
    }

    pub(crate) fn check(&self, answer: &[u8]) {
        let expected = match self.scheme {
            Scheme::Md5 => Integrity::Sha1,
            Scheme::Sha256 => Integrity::Sha256,
        };
        let answer = Message::decode(answer).unwrap();
        let believed = answer.verify(&self.key()).expect("the answer is signed with the client's key");
        assert_eq!(believed.by(), expected);
    }

    /// Gets a nonce.
    pub(crate) fn challenge(&mut self, world: &mut World) {
        let request = self.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
        let answer = self.ask(world, &request).unwrap();
        assert_eq!(code(&answer), 401);
        self.take_nonce(&answer);
    }

    pub(crate) fn take_nonce(&mut self, answer: &[u8]) {
        let Nonce(nonce) = Message::decode(answer).unwrap().find().unwrap();
        self.nonce = nonce.into();
    }

    /// Gets a nonce and a relayed IPv4 address.
    pub(crate) fn allocate(&mut self, world: &mut World) -> SocketAddr {
        self.challenge(world);
        let answer = self.ask_signed(world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
        relayed(&answer)
    }

    /// The code of the answer, 0 for success.
    pub(crate) fn permit(&mut self, world: &mut World, peers: &[&str]) -> u16 {
        let answer = self.ask_signed(world, Method::CREATE_PERMISSION, |b| {
            peers.iter().fold(b, |b, peer| b.attribute(&XorPeerAddress(addr(peer))))
        });
        code(&answer)
    }

    /// The code of the answer, 0 for success.
    pub(crate) fn bind(&mut self, world: &mut World, channel: u16, peer: &str) -> u16 {
        let answer = self.ask_signed(world, Method::CHANNEL_BIND, |b| {
            b.attribute(&ChannelNumberAttribute(channel)).attribute(&XorPeerAddress(addr(peer)))
        });
        code(&answer)
    }

    /// The code of the answer, 0 for success, and LIFETIME.
    pub(crate) fn refresh(&mut self, world: &mut World, lifetime: Option<u64>) -> (u16, Option<u64>) {
        let lifetime = lifetime.map(|n| Lifetime(secs(n)));
        let answer = self.ask_signed(world, Method::REFRESH, |b| b.maybe(lifetime.as_ref()));
        let granted = Message::decode(&answer).unwrap().find::<Lifetime>();
        (code(&answer), granted.map(|granted| granted.0.as_secs()))
    }

    pub(crate) fn send(&mut self, world: &mut World, peer: &str, data: &[u8]) -> Received<Sent> {
        let id = self.id();
        let mut buf = [0; 4096];
        let bytes = Builder::new(&mut buf, Class::Indication, Method::SEND, id)
            .attribute(&XorPeerAddress(addr(peer)))
            .attribute(&Data(data))
            .finish()
            .unwrap();
        world.datagram(self.socket, self.address, bytes)
    }
}

pub(crate) fn relayed(answer: &[u8]) -> SocketAddr {
    assert_eq!(code(answer), 0);
    Message::decode(answer).unwrap().find::<XorRelayedAddress>().unwrap().0
}

/// The number in ERROR-CODE, 0 for a success response.
pub(crate) fn code(answer: &[u8]) -> u16 {
    let message = Message::decode(answer).unwrap();
    match message.class() {
        Class::Success => 0,
        Class::Error => message.find::<ErrorCode<'_>>().unwrap().code,
        other => panic!("{other:?} is no answer"),
    }
}

/// The types of all attributes, those of integrity among them.
pub(crate) fn kinds(answer: &[u8]) -> Vec<u16> {
    let mut rest = &answer[20..];
    let mut kinds = Vec::new();
    while let [k0, k1, l0, l1, after @ ..] = rest {
        kinds.push(u16::from_be_bytes([*k0, *k1]));
        rest = &after[usize::from(u16::from_be_bytes([*l0, *l1])).next_multiple_of(4)..];
    }
    kinds
}

/// What was relayed.
pub(crate) fn app(verdict: Received<Sent>) -> Sent {
    match verdict {
        Received::App(sent) => sent,
        other => panic!("not relayed: {other:?}"),
    }
}
