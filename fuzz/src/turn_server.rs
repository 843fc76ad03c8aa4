//! The whole life of a TURN server: the bytes say what its clients, its peers, its host and the clock do.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::attribute::*;
use floe_stun::credentials::{Credentials, rest};
use floe_stun::{
    Builder, Class, Failure, Icmp, Input, Instant, Key, MAX_TRANSMIT, Machine, Message, Method, Need, Output,
    Password, Received, RequestId, SocketId, TransactionId, Transport,
};
use floe_turn_server::{Config, Event, Limits, LookupId, PeerPolicy, Server};

use super::machines::attributes;
use super::tape::Tape;

const LISTENER: SocketId = SocketId(0);
const REALM: &str = "example.org";
const METHODS: [Method; 7] = [
    Method::ALLOCATE,
    Method::ALLOCATE,
    Method::REFRESH,
    Method::CREATE_PERMISSION,
    Method::CHANNEL_BIND,
    Method::CONNECT,
    Method::CONNECTION_BIND,
];

/// A TURN server keeps its promises, whatever clients and peers say: it answers no request twice, closes no socket
/// twice, comes to rest, and in the end holds nothing.
pub fn turn_server(data: &[u8]) {
    // A life is long enough with these.
    let mut life = Life::new(data.get(..2048).unwrap_or(data));
    while !life.tape.is_empty() {
        match life.tape.byte() % 16 {
            0 => life.hear_bytes(),
            1..=5 => life.hear_request(),
            6 | 7 => life.answer_need(),
            8 => life.end_socket(),
            9 => life.accept(),
            10 => life.peer_connects(),
            11 | 12 => life.pass_data(),
            13 => life.wait(),
            14 => life.refuse(),
            _ => life.command(),
        }
        life.drain();
    }
    life.end();
}

struct Life<'d> {
    server: Server,
    tape: Tape<'d>,
    now: Instant,
    until: Option<Instant>,
    /// What the host was asked to open, and where, if it is to be a relayed socket.
    needs: VecDeque<(RequestId, Option<SocketAddr>)>,
    /// What is open, and the client's address of a stream to it.
    open: BTreeMap<SocketId, SocketAddr>,
    next_socket: u32,
    lookups: Vec<LookupId>,
    /// How often each request may still be answered.
    unanswered: BTreeMap<TransactionId, u32>,
    ticket: Vec<u8>,
    token: [u8; 8],
    connection: u32,
}

impl<'d> Life<'d> {
    fn new(data: &'d [u8]) -> Self {
        let mut limits = Limits::default();
        (limits.allocations_per_user, limits.connections, limits.lookups) = (4, 4, 4);
        (limits.unauthenticated_per_second, limits.bytes_per_second_per_user) = (None, Some(100_000));
        let mut config = Config::new(REALM)
            .with_relay(address(0).ip())
            .with_relay(address(7).ip())
            .with_relay_ports(50_000..=50_007)
            .with_user("alice", "wonderland")
            .with_secret(rest::Secret::new("north"))
            .with_peers(PeerPolicy::allow_all_for_tests())
            .with_limits(limits)
            .asking_host();
        config.dont_fragment = true;
        let mut server = Server::new(Instant::ORIGIN, config, [7; 32]);
        server.listen(LISTENER, address(0));
        Self {
            server,
            tape: Tape::new(data),
            now: Instant::ORIGIN,
            until: None,
            needs: VecDeque::new(),
            open: BTreeMap::new(),
            next_socket: 1,
            lookups: Vec::new(),
            unanswered: BTreeMap::new(),
            ticket: Vec::new(),
            token: [0; 8],
            connection: 0,
        }
    }

    /// A client: where it speaks, and from where.
    fn client(&mut self) -> (SocketId, SocketAddr) {
        let choice = usize::from(self.tape.byte());
        match self.open.iter().nth(choice / 4 % (self.open.len() + 1)) {
            Some((socket, from)) if choice % 4 < 2 => (*socket, *from),
            _ => (LISTENER, address((choice % 8) as u8)),
        }
    }

    fn hear_bytes(&mut self) {
        let (socket, from) = self.client();
        let data = self.tape.slice();
        let _ = self.server.handle_input(self.now, Input::Datagram { socket, from, data });
        if let Ok(message) = Message::decode(data) {
            *self.unanswered.entry(message.id()).or_default() += 1;
        }
    }

    /// A request with the right names and seal; what else stands in it is the fuzzer's.
    fn hear_request(&mut self) {
        let (socket, from) = self.client();
        let nonce = self.nonce(socket, from);
        let method = self.tape.of(&METHODS);
        let (user, key) = self.user();
        let mut buf = [0; MAX_TRANSMIT];
        let id = TransactionId::from([self.tape.byte(); 12]);
        let builder = Builder::new(&mut buf, Class::Request, method, id);
        let builder = builder.attribute(&Username(&user)).attribute(&Realm(REALM)).attribute(&Nonce(&nonce));
        let builder = self.fill(builder);
        let builder =
            if self.tape.byte().is_multiple_of(4) { attributes(&mut self.tape, builder) } else { builder };
        let Ok(data) = builder.integrity(&key).finish() else { return };
        for _ in 0..=self.tape.byte() / 200 {
            let input = Input::Datagram { socket, from, data };
            if self.server.handle_input(self.now, input) == Received::Consumed {
                *self.unanswered.entry(id).or_default() += 1;
            }
            self.drain();
        }
    }

    /// What makes sense in requests, in any number and order.
    fn fill<'b>(&mut self, mut builder: Builder<'b>) -> Builder<'b> {
        for _ in 0..self.tape.byte() % 6 {
            let choice = self.tape.byte();
            let family = if choice & 16 == 0 { Family::Ipv4 } else { Family::Ipv6 };
            builder = match choice % 16 {
                0 | 1 => builder.attribute(&RequestedTransport::UDP),
                2 => builder.attribute(&RequestedTransport::TCP),
                3 => builder.attribute(&AdditionalAddressFamily(family)),
                4 => builder.attribute(&RequestedAddressFamily(family)),
                5 => builder.attribute(&EvenPort { reserve_next: choice & 16 == 0 }),
                6 => builder.attribute(&ReservationToken(self.token)),
                7 => builder.attribute(&MobilityTicket(&[])),
                8 => builder.attribute(&MobilityTicket(&self.ticket)),
                9 => builder.attribute(&Lifetime(Duration::from_secs(u64::from(choice / 16) * 300))),
                10 | 11 => builder.attribute(&XorPeerAddress(address(choice / 16))),
                12 => builder.attribute(&ChannelNumberAttribute(0x4000 + u16::from(choice / 16))),
                13 => builder.attribute(&ConnectionId(self.connection)),
                14 => builder.attribute(&DontFragment),
                _ => builder.attribute(&TransmitCounter { request: choice, response: 0 }),
            };
        }
        builder
    }

    /// Somebody named, somebody with a password for a time, somebody that only the host knows.
    fn user(&mut self) -> (String, Key) {
        let credentials = match self.tape.byte() % 4 {
            0 => rest::Secret::new("north").credentials("bob", Duration::from_secs(3600)),
            1 => guest(),
            _ => Credentials::new("alice", Password::new("wonderland")),
        };
        (credentials.username().to_owned(), credentials.key(REALM, Algorithm::MD5))
    }

    fn nonce(&mut self, socket: SocketId, from: SocketAddr) -> String {
        // What is due comes before the challenge.
        let _ = self.server.handle_input(self.now, Input::Timeout);
        self.drain();
        let mut buf = [0; MAX_TRANSMIT];
        let bare = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, [0xFF; 12].into())
            .attribute(&RequestedTransport::UDP)
            .finish()
            .unwrap();
        let _ = self.server.handle_input(self.now, Input::Datagram { socket, from, data: bare });
        let mut buf = [0; MAX_TRANSMIT];
        let Output::Transmit(answer) = self.server.poll_output(&mut buf) else { return String::new() };
        let answer = Message::decode(answer.bytes).unwrap();
        answer.find::<Nonce<'_>>().map_or_else(String::new, |nonce| nonce.0.to_owned())
    }

    fn answer_need(&mut self) {
        let choice = self.tape.byte();
        let Some((request, bind)) = self.needs.pop_front() else { return };
        let input = match choice % 8 {
            0 => Input::Failed { request, why: Failure::Exhausted },
            1 => Input::Failed { request, why: Failure::InUse },
            _ => {
                let local = bind.unwrap_or_else(|| address(choice));
                Input::Opened { request, socket: self.socket(local), local }
            }
        };
        assert_eq!(self.server.handle_input(self.now, input), Received::Consumed, "it has asked for it");
    }

    fn socket(&mut self, local: SocketAddr) -> SocketId {
        self.next_socket += 1;
        self.open.insert(SocketId(self.next_socket), local);
        SocketId(self.next_socket)
    }

    fn any_socket(&mut self) -> SocketId {
        let place = usize::from(self.tape.byte()) % (self.open.len() + 1);
        self.open.keys().nth(place).copied().unwrap_or(LISTENER)
    }

    fn end_socket(&mut self) {
        let socket = self.any_socket();
        if self.open.remove(&socket).is_some() {
            let _ = self.server.handle_input(self.now, Input::Closed { socket });
        }
    }

    fn accept(&mut self) {
        let choice = self.tape.byte();
        let socket = self.socket(address(choice));
        let transport = [Transport::Tcp, Transport::Tls, Transport::Dtls][usize::from(choice % 3)];
        self.server.accept(socket, transport);
    }

    fn peer_connects(&mut self) {
        let (listener, from) = (self.any_socket(), address(self.tape.byte()));
        let socket = self.socket(from);
        let judged = self.server.handle_input(self.now, Input::Accepted { listener, socket, from });
        if judged == Received::NotMine {
            self.open.remove(&socket);
        }
    }

    /// To a client or to a peer.
    fn pass_data(&mut self) {
        let (socket, from) = match self.tape.byte() % 2 {
            0 => self.client(),
            _ => (self.any_socket(), address(self.tape.byte())),
        };
        let mut buf = [0; MAX_TRANSMIT];
        let data = match self.tape.byte() % 3 {
            0 => &[0x40, self.tape.byte() % 16, 0, 4, 1, 2, 3, 4][..],
            1 => Builder::new(&mut buf, Class::Indication, Method::SEND, [1; 12].into())
                .attribute(&XorPeerAddress(address(self.tape.byte())))
                .attribute(&Data(self.tape.slice()))
                .finish()
                .unwrap(),
            _ => self.tape.slice(),
        };
        let _ = self.server.handle_input(self.now, Input::Datagram { socket, from, data });
    }

    fn refuse(&mut self) {
        let (socket, to) = (self.any_socket(), address(self.tape.byte()));
        let _ = self.server.handle_input(self.now, Input::Icmp { socket, to, what: Icmp::Unreachable });
    }

    /// Until the next deadline, or for a while, or back.
    fn wait(&mut self) {
        let choice = self.tape.byte();
        self.now = match choice % 4 {
            0 => self.until.unwrap_or(self.now).max(self.now),
            _ => self.now + Duration::from_millis(1 << (choice % 20)),
        };
        let told = if choice == 255 { Instant::ORIGIN } else { self.now };
        let _ = self.server.handle_input(told, Input::Timeout);
    }

    fn command(&mut self) {
        match self.tape.byte() {
            0 => self.server.close(self.now),
            1 => self.server.drain([(address(5), None)]),
            2..32 => self.server.forget_user("carol"),
            choice => {
                let Some(lookup) = self.lookups.pop() else { return };
                self.server.found(self.now, lookup, Some(&guest()).filter(|_| choice < 200));
            }
        }
    }

    /// Outputs end with a wait, which lies ahead, or with rest.
    fn drain(&mut self) {
        let mut buf = [0; MAX_TRANSMIT];
        for _ in 0..10_000 {
            match self.server.poll_output(&mut buf) {
                Output::Transmit(sent) => self.heard(&Message::decode(sent.bytes).unwrap()),
                Output::Need(Need::Udp { request, bind } | Need::Listen { request, bind }) => {
                    self.needs.push_back((request, Some(bind)));
                }
                Output::Need(Need::Connect { request, .. }) => self.needs.push_back((request, None)),
                Output::Need(Need::Join { one, other }) => {
                    assert!(
                        self.open.contains_key(&one) && self.open.contains_key(&other),
                        "joined and gone"
                    );
                }
                Output::Need(Need::Close { socket }) => {
                    assert!(self.open.remove(&socket).is_some(), "closed twice: {socket:?}");
                }
                Output::Need(other) => panic!("{other:?}"),
                Output::Event(Event::Lookup { lookup, .. }) => self.lookups.push(lookup),
                Output::Event(_) => {}
                Output::Wait { until, .. } => return self.until = Some(until),
                Output::Idle => return self.until = None,
            }
        }
        panic!("the server never comes to rest");
    }

    fn heard(&mut self, message: &Message<'_>) {
        if message.class() != Class::Indication {
            let left = self.unanswered.get_mut(&message.id());
            let left = left.filter(|left| **left > 0).unwrap_or_else(|| panic!("a second answer"));
            *left -= 1;
        }
        if let Some(MobilityTicket(ticket)) = message.find() {
            self.ticket = ticket.to_vec();
        }
        self.token = message.find().map_or(self.token, |ReservationToken(token)| token);
        self.connection = message.find().map_or(self.connection, |ConnectionId(id)| id);
    }

    /// Nobody is there any more, and time passes.
    fn end(&mut self) {
        // Time may have passed that the server has not heard of.
        let _ = self.server.handle_input(self.now, Input::Timeout);
        self.drain();
        while let Some((request, _)) = self.needs.pop_front() {
            let _ = self.server.handle_input(self.now, Input::Failed { request, why: Failure::Exhausted });
            self.drain();
        }
        while let Some(until) = self.until {
            assert!(until > self.now, "a wait that is over: {until:?}");
            self.now = until;
            let _ = self.server.handle_input(self.now, Input::Timeout);
            self.drain();
        }
        assert!(self.server.is_idle(), "{:?}", self.server);
    }
}

fn guest() -> Credentials {
    Credentials::new("carol", Password::new("christmas"))
}

/// A handful of addresses: few enough that packets meet.
fn address(choice: u8) -> SocketAddr {
    match choice % 8 {
        7 => ([0x2001, 0xDB8, 0, 0, 0, 0, 0, 7], 3478).into(),
        n => ([192, 0, 2, n], 3478 + u16::from(n)).into(),
    }
}
