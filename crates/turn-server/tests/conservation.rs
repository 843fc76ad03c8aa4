//! Random histories of clients, peers, a host and time: whatever happens, nothing is lost and nothing is given twice.
//!
//! The host below opens, fails and closes what it is asked for when it likes, and keeps the books: a socket is closed
//! once, a port belongs to one, a request has one answer, and when all is over nothing is left.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails has found what the test looks for"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use floe_stun::attribute::{
    AdditionalAddressFamily, ConnectionId, EvenPort, Family, Lifetime, MobilityTicket,
    RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress,
};
use floe_stun::{
    Builder, Class, Failure, Input, Message, Method, Received, RequestId, SocketId, TransactionId,
};
use floe_turn_server::{Event, Limits, PeerPolicy};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};
use support::{Client, Scheme, V4, World, addr, config, secs};

const PER_USER: usize = 3;
const ALL: usize = 5;

/// What was asked for and is not answered yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    request: RequestId,
    local: SocketAddr,
    /// Of a connection.
    is_stream: bool,
}

struct Life {
    world: World,
    clients: Vec<Client>,
    /// The last request of each.
    last: Vec<Option<Vec<u8>>>,
    asked: Vec<Asked>,
    /// Relayed sockets and listeners with their addresses, and streams of peers and clients.
    open: BTreeMap<SocketId, Option<SocketAddr>>,
    listeners: BTreeSet<RequestId>,
    listening: BTreeSet<SocketId>,
    /// How often each request was sent and not answered.
    unanswered: BTreeMap<(SocketAddr, TransactionId), u32>,
    tokens: Vec<ReservationToken>,
    tickets: Vec<Vec<u8>>,
    connections: Vec<u32>,
    next_port: u16,
}

impl Life {
    fn new() -> Self {
        let mut limits = Limits::default();
        (limits.allocations, limits.allocations_per_user) = (ALL, PER_USER);
        (limits.connections, limits.port_attempts, limits.unauthenticated_per_second) = (3, 4, None);
        let config = config().with_limits(limits).with_relay_ports(50_000..=50_005);
        let mut world = World::with(config.with_peers(PeerPolicy::allow_all_for_tests()));
        world.opens = false;
        let mut life = Self {
            world,
            clients: Vec::new(),
            last: vec![None; 4],
            asked: Vec::new(),
            open: BTreeMap::new(),
            listeners: BTreeSet::new(),
            listening: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            tokens: Vec::new(),
            tickets: Vec::new(),
            connections: Vec::new(),
            next_port: 1000,
        };
        for place in 0..4 {
            let client = life.come(place);
            life.clients.push(client);
        }
        life
    }

    /// A new client: of the first two one is alice and one bob, over UDP, and two more are there over streams.
    fn come(&mut self, place: usize) -> Client {
        self.next_port += 1;
        let address = format!("203.0.113.5:{}", self.next_port);
        let (user, password) =
            if place.is_multiple_of(2) { ("alice", "wonderland") } else { ("bob", "builder") };
        let mut client = Client::new(&address, user, password, Scheme::Md5);
        if place >= 2 {
            self.world.accept(&mut client);
            self.open.insert(client.socket, None);
        }
        client
    }

    /// The last step of all: everybody goes, and time passes.
    fn end(&mut self) {
        while let Some(asked) = self.asked.pop() {
            let input = Input::Failed { request: asked.request, why: Failure::Exhausted };
            assert_eq!(self.world.input(input), Received::Consumed);
            self.keep_books();
        }
        self.world.pass(secs(4000));
        self.keep_books();
        assert!(self.asked.is_empty(), "nobody is there to ask");
        assert!(self.world.server.is_idle(), "{:?}", self.world.server);
        let relayed: Vec<_> = self.open.values().flatten().collect();
        assert!(relayed.is_empty(), "{relayed:?}");
        assert_eq!(self.world.until, None);
        let count = |want: fn(&Event) -> bool| self.world.events.iter().filter(|event| want(event)).count();
        let (begun, ended) = (
            count(|event| matches!(event, Event::Allocated { .. })),
            count(|event| matches!(event, Event::Released { .. })),
        );
        assert_eq!(begun, ended);
    }

    fn step(&mut self, (what, which, how): (u8, u8, u8)) {
        let place = usize::from(which % 4);
        match what {
            0..=3 => self.allocate(place, how),
            4 => self.refresh(place, how),
            5 => self.come_along(place, how),
            6 => self.connect(place, how),
            7 => self.bind(place, how),
            8 => self.permit(place, how),
            9 => self.speak(place, how),
            10 => self.repeat(place),
            11..=15 => self.answer(which, how),
            16 => self.socket_ends(which),
            17 => self.stream_ends(place),
            18 => self.peer_comes(which, how),
            _ => self.world.pass(secs(u64::from(which) * u64::from(how) / 64)),
        }
        self.keep_books();
    }

    fn allocate(&mut self, place: usize, how: u8) {
        let transport = if how & 64 == 0 { RequestedTransport::UDP } else { RequestedTransport::TCP };
        let token = self.tokens.last().copied().filter(|_| how & 3 == 3);
        let both = (how & 3 == 1).then_some(AdditionalAddressFamily(Family::Ipv6));
        let even = (how & 3 == 2).then_some(EvenPort { reserve_next: how & 4 == 0 });
        let ticket = (how & 8 == 0).then_some(MobilityTicket(&[]));
        self.request(place, Method::ALLOCATE, |b| {
            b.attribute(&transport)
                .maybe(token.as_ref())
                .maybe(both.as_ref())
                .maybe(even.as_ref())
                .maybe(ticket.as_ref())
        });
    }

    fn refresh(&mut self, place: usize, how: u8) {
        let lifetime = Lifetime(secs(if how & 1 == 0 { 0 } else { 600 }));
        let family = match how & 6 {
            2 => Some(RequestedAddressFamily(Family::Ipv4)),
            4 => Some(RequestedAddressFamily(Family::Ipv6)),
            _ => None,
        };
        self.request(place, Method::REFRESH, |b| b.attribute(&lifetime).maybe(family.as_ref()));
    }

    /// Somebody shows a ticket, from here or from elsewhere, and may end the allocation by it.
    fn come_along(&mut self, place: usize, how: u8) {
        let Some(ticket) = self.tickets.get(self.tickets.len().wrapping_sub(1 + usize::from(how & 1))) else {
            return;
        };
        let ticket = ticket.clone();
        if how & 2 == 0 {
            self.clients[place] = self.come(place);
        }
        let lifetime = (how & 28 == 0).then_some(Lifetime(secs(0)));
        self.request(place, Method::REFRESH, |b| {
            b.attribute(&MobilityTicket(&ticket)).maybe(lifetime.as_ref())
        });
    }

    fn connect(&mut self, place: usize, how: u8) {
        let peer = XorPeerAddress(peer(how));
        self.request(place, Method::CONNECT, |b| b.attribute(&peer));
    }

    /// A stream of its own for a connection, or one that has another use.
    fn bind(&mut self, place: usize, how: u8) {
        let Some(id) = self.connections.get(self.connections.len().wrapping_sub(1 + usize::from(how & 1)))
        else {
            return;
        };
        let id = ConnectionId(*id);
        let place = place | 2;
        if how & 2 == 0 {
            self.clients[place] = self.come(place);
        }
        self.request(place, Method::CONNECTION_BIND, |b| b.attribute(&id));
    }

    fn permit(&mut self, place: usize, how: u8) {
        let peer = XorPeerAddress(peer(how));
        self.request(place, Method::CREATE_PERMISSION, |b| b.attribute(&peer));
    }

    fn speak(&mut self, place: usize, how: u8) {
        let mut client = self.clients[place].clone();
        let _ = client.send(&mut self.world, &peer(how).to_string(), b"data");
    }

    fn request(
        &mut self,
        place: usize,
        method: Method,
        build: impl for<'b> FnOnce(Builder<'b>) -> Builder<'b>,
    ) {
        let mut client = self.clients[place].clone();
        // A stream that has ended or was joined is not heard.
        let is_heard = client.socket == V4 || self.open.contains_key(&client.socket);
        let bare = client.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
        if is_heard && self.world.datagram(client.socket, client.address, &bare) == Received::Consumed {
            let challenge = self.world.take_sent(client.address).pop().unwrap();
            client.take_nonce(&challenge.bytes);
            let request = client.signed(method, build);
            self.last[place] = Some(request);
            self.clients[place] = client;
            self.repeat(place);
        }
    }

    fn repeat(&mut self, place: usize) {
        let client = self.clients[place].clone();
        let Some(request) = self.last[place].clone() else { return };
        if self.world.datagram(client.socket, client.address, &request) == Received::Consumed {
            let id = Message::decode(&request).unwrap().id();
            *self.unanswered.entry((client.address, id)).or_default() += 1;
        }
    }

    /// The host opens what it was asked for, or cannot.
    fn answer(&mut self, which: u8, how: u8) {
        if self.asked.is_empty() {
            return;
        }
        let asked = self.asked.remove(usize::from(which) % self.asked.len());
        let request = asked.request;
        let is_taken =
            !asked.is_stream && self.open.values().flatten().any(|address| *address == asked.local);
        let input = match how % 8 {
            0 => Input::Failed { request, why: Failure::Exhausted },
            1 => Input::Failed { request, why: Failure::InUse },
            _ if is_taken => Input::Failed { request, why: Failure::InUse },
            _ => {
                let socket = self.world.socket();
                let address = (!asked.is_stream).then_some(asked.local);
                self.open.insert(socket, address);
                if self.listeners.contains(&request) {
                    self.listening.insert(socket);
                }
                Input::Opened { request, socket, local: asked.local }
            }
        };
        assert_eq!(self.world.input(input), Received::Consumed);
    }

    /// Any socket is gone: relayed, of a peer, of a client.
    fn socket_ends(&mut self, which: u8) {
        let place = usize::from(which) % self.open.len().max(1);
        let Some(socket) = self.open.keys().nth(place).copied() else { return };
        self.open.remove(&socket);
        let _ = self.world.input(Input::Closed { socket });
    }

    fn stream_ends(&mut self, place: usize) {
        let socket = self.clients[place | 2].socket;
        if self.open.remove(&socket).is_some() {
            let _ = self.world.input(Input::Closed { socket });
        }
        self.clients[place | 2] = self.come(place | 2);
    }

    fn peer_comes(&mut self, which: u8, how: u8) {
        let place = usize::from(which) % self.listening.len().max(1);
        let Some(listener) = self.listening.iter().nth(place).copied() else { return };
        let socket = self.world.socket();
        self.open.insert(socket, None);
        let judged = self.world.input(Input::Accepted { listener, socket, from: peer(how) });
        if judged == Received::NotMine {
            assert!(!self.open.contains_key(&listener), "a listener that is open is the server's");
            self.open.remove(&socket);
        }
    }

    /// What the server wants is noted; what it wants twice is found.
    fn keep_books(&mut self) {
        self.listeners.extend(std::mem::take(&mut self.world.listens));
        for (request, local) in std::mem::take(&mut self.world.needs) {
            let is_taken = self.open.values().flatten().any(|address| *address == local);
            assert!(!is_taken, "{local} belongs to another one");
            self.asked.push(Asked { request, local, is_stream: false });
        }
        for (request, local, _) in std::mem::take(&mut self.world.connects) {
            assert!(self.open.values().flatten().any(|address| *address == local), "from a relayed address");
            self.asked.push(Asked { request, local, is_stream: true });
        }
        for (one, other) in std::mem::take(&mut self.world.joined) {
            for socket in [one, other] {
                assert_eq!(self.open.get(&socket), Some(&None), "joined streams are open");
            }
        }
        for socket in std::mem::take(&mut self.world.closed) {
            assert!(self.open.remove(&socket).is_some(), "{socket:?} is closed twice");
        }
        for sent in std::mem::take(&mut self.world.sent) {
            self.hear(sent.to, &sent.bytes);
        }
        let stats = self.world.server.stats();
        assert!(stats.allocations <= ALL);
        let relayed = self.open.values().flatten().count();
        assert!(relayed <= 2 * ALL, "{relayed} relayed sockets");
        assert!(stats.allocations <= relayed, "an allocation has a socket");
    }

    fn hear(&mut self, to: SocketAddr, bytes: &[u8]) {
        let message = Message::decode(bytes).unwrap();
        if message.class() != Class::Indication {
            let left = self.unanswered.get_mut(&(to, message.id())).unwrap();
            assert!(*left > 0, "a request has more answers than it was sent");
            *left -= 1;
        }
        self.tokens.extend(message.find::<ReservationToken>());
        self.tickets.extend(message.find::<MobilityTicket<'_>>().map(|ticket| ticket.0.to_vec()));
        self.connections.extend(message.find::<ConnectionId>().map(|connection| connection.0));
    }
}

fn peer(how: u8) -> SocketAddr {
    addr(["198.51.100.7:7", "198.51.100.7:8", "[2001:db8:7::7]:7", "198.51.100.9:9"][usize::from(how % 4)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// A21: places, ports, sockets, tickets and connections.
    #[test]
    fn nothing_is_lost_and_nothing_is_given_twice(
        steps in vec((0..21_u8, any::<u8>(), any::<u8>()), 1..100),
        closes in any::<bool>(),
    ) {
        let mut life = Life::new();
        for step in steps {
            life.step(step);
        }
        if closes {
            life.world.server.close(life.world.now);
            life.world.drain();
            life.keep_books();
        }
        life.end();
    }
}
