//! A world for one client: virtual time, and a server that is written down here and bends to each story.
#![allow(dead_code, reason = "each story uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_stun::attribute::{
    AccessToken, AddressErrorCode, AlternateServer, Attribute, ChannelNumberAttribute, ConnectionId,
    ErrorCode, Family, Lifetime, MobilityTicket, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm,
    RequestedTransport, ReservationToken, ThirdPartyAuthorization, Username, XorMappedAddress,
    XorPeerAddress, XorRelayedAddress,
};
use floe_stun::{
    Builder, Chance, Class, EncodeError, Input, Instant, Integrity, Key, MAX_TRANSMIT, Machine, Message,
    Method, Need, Output, Password, Received, RequestId, SocketId, TransactionId, Why,
};
use floe_turn_client::{Client, Config, Credentials, Event, PeerData};

pub(crate) const SOCKET: SocketId = SocketId(3);
pub(crate) const LATENCY: Duration = Duration::from_millis(10);
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "open sesame";
pub(crate) const REALM: &str = "example.org";

/// Cookies whose bits say: nothing, password algorithms, anonymity and password algorithms.
pub(crate) const PLAIN: &str = "obMatJos2AAAA";
pub(crate) const ALGORITHMS: &str = "obMatJos2gAAA";
pub(crate) const ANONYMOUS: &str = "obMatJos2wAAA";

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) fn server_address() -> SocketAddr {
    at("192.0.2.1:3478")
}

/// Of a client that gives up what it lost.
pub(crate) fn config() -> Config {
    let mut config = steadfast();
    config.again = false;
    config
}

/// Of one that does not.
pub(crate) fn steadfast() -> Config {
    Config::new(SOCKET, server_address(), Credentials::new(USER, Password::new(PASSWORD)))
}

/// What a server does instead of its duty.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The request is lost on the way.
    Deaf,
    /// The request arrives, the answer is lost.
    AnswerLost,
    /// 438 with the next nonce.
    Stale,
    /// A signed refusal.
    Refuse(u16),
    /// The same with no signature.
    RefuseUnsigned(u16),
    /// A success that nobody signed.
    Unsigned,
    /// A success signed with another password.
    ForeignKey,
    /// A signed success with an attribute that nobody knows and everybody must.
    Unknown,
    /// A signed success with nothing in it.
    Empty,
    /// 401 with these as REALM and cookie.
    Challenge(&'static str, &'static str),
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Duration,
    /// Not the client's own socket.
    pub(crate) stream: Option<SocketId>,
    pub(crate) method: Method,
    pub(crate) id: TransactionId,
    pub(crate) bytes: Vec<u8>,
}

impl Asked {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::decode(&self.bytes).unwrap()
    }
}

/// A TURN server with one client, and faults to order.
pub(crate) struct Server {
    pub(crate) cookie: &'static str,
    pub(crate) realm: &'static str,
    pub(crate) password: &'static str,
    pub(crate) algorithms: Option<PasswordAlgorithms<'static>>,
    /// Takes tokens: the name it gives itself, `kid` and session key of the one that is good.
    pub(crate) token: Option<(&'static str, &'static str, [u8; 20])>,
    /// Says that it takes tokens, and takes passwords too.
    pub(crate) offers_tokens: bool,
    /// Signs with SHA-256 what was signed without.
    pub(crate) strong: bool,
    pub(crate) lifetime: Duration,
    pub(crate) relayed: SocketAddr,
    pub(crate) second: Option<SocketAddr>,
    /// ADDRESS-ERROR-CODE of an IPv6 address, for who asks for one besides.
    pub(crate) missing: Option<u16>,
    pub(crate) reserved: Option<[u8; 8]>,
    pub(crate) allocated: bool,
    pub(crate) permissions: BTreeSet<IpAddr>,
    pub(crate) channels: BTreeMap<u16, SocketAddr>,
    /// Connections with peers that wait for a stream, by their ids; the next id.
    pub(crate) connections: BTreeMap<u32, SocketAddr>,
    pub(crate) next_connection: u32,
    /// Whether a nonce is good for the stream it was given on alone.
    pub(crate) nonce_by_stream: bool,
    /// Given to who asks for mobility; every Refresh from elsewhere must bring it.
    pub(crate) ticket: Option<[u8; 8]>,
    pub(crate) asked: Vec<Asked>,
    faults: Vec<(Method, Fault, usize)>,
    nonces: u32,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            cookie: PLAIN,
            realm: REALM,
            password: PASSWORD,
            algorithms: None,
            token: None,
            offers_tokens: false,
            strong: false,
            lifetime: Duration::from_secs(600),
            relayed: at("192.0.2.1:50000"),
            second: None,
            missing: None,
            reserved: None,
            allocated: false,
            permissions: BTreeSet::new(),
            channels: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 7000,
            nonce_by_stream: false,
            ticket: None,
            asked: Vec::new(),
            faults: Vec::new(),
            nonces: 1,
        }
    }

    pub(crate) fn offering(cookie: &'static str, algorithms: &'static [u8]) -> Self {
        Self { cookie, algorithms: Some(PasswordAlgorithms::from_bytes(algorithms)), ..Self::new() }
    }

    /// The next `times` requests of this method meet this fault.
    pub(crate) fn fault(&mut self, method: Method, fault: Fault, times: usize) -> &mut Self {
        self.faults.push((method, fault, times));
        self
    }

    pub(crate) fn nonce(&self) -> String {
        self.nonce_on(None)
    }

    fn nonce_on(&self, stream: Option<SocketId>) -> String {
        match stream.filter(|_| self.nonce_by_stream) {
            Some(SocketId(stream)) => format!("{}{:08}-{stream}", self.cookie, self.nonces),
            None => format!("{}{:08}", self.cookie, self.nonces),
        }
    }

    /// Requests of one method, retransmissions included.
    pub(crate) fn of(&self, method: Method) -> Vec<&Asked> {
        self.asked.iter().filter(|asked| asked.method == method).collect()
    }

    fn hear(&mut self, at: Duration, stream: Option<SocketId>, bytes: &[u8]) -> Option<Vec<u8>> {
        let request = Message::decode(bytes).unwrap();
        assert_eq!(request.class(), Class::Request, "nothing else is sent without a send plan");
        let method = request.method();
        self.asked.push(Asked { at, stream, method, id: request.id(), bytes: bytes.into() });
        let key = self.key(&request);
        let sha256 = request.has(PASSWORD_ALGORITHM);
        match self.take_fault(method) {
            Some(Fault::Deaf) => None,
            Some(Fault::AnswerLost) => {
                let _ = self.serve(&request);
                None
            }
            Some(Fault::Stale) => {
                self.nonces += 1;
                self.challenge(stream, &request, ErrorCode::STALE_NONCE)
            }
            Some(Fault::Challenge(realm, cookie)) => {
                (self.realm, self.cookie) = (realm, cookie);
                self.challenge(stream, &request, ErrorCode::UNAUTHENTICATED)
            }
            Some(Fault::Refuse(code)) => Some(refuse(&request, code, Some((&key, sha256)))),
            Some(Fault::RefuseUnsigned(code)) => Some(refuse(&request, code, None)),
            Some(Fault::Unsigned) => Some(grant(&request, self, None)),
            Some(Fault::ForeignKey) => Some(grant(&request, self, Some((&Key::short_term("guess"), sha256)))),
            Some(Fault::Unknown) => {
                Some(finish(&request, Class::Success, Some((&key, sha256)), |b| b.attribute(&Strange)))
            }
            Some(Fault::Empty) => Some(finish(&request, Class::Success, Some((&key, sha256)), |b| b)),
            None => self.answer(stream, &request, &key, sha256),
        }
    }

    fn answer(
        &mut self,
        stream: Option<SocketId>,
        request: &Message<'_>,
        key: &Key,
        sha256: bool,
    ) -> Option<Vec<u8>> {
        if let Some((_, kid, _)) = self.token
            && request.has_integrity()
        {
            let shows = [Method::ALLOCATE, Method::REFRESH].contains(&request.method());
            assert_eq!(request.has(AccessToken::TYPE), shows, "OAU-9-1");
            if request.find() != Some(Username(kid)) {
                return self.challenge(stream, request, ErrorCode::UNAUTHENTICATED);
            }
        }
        if !request.has_integrity() || request.verify(key).is_err() {
            return self.challenge(stream, request, ErrorCode::UNAUTHENTICATED);
        }
        if request.find() != Some(Nonce(&self.nonce_on(stream))) {
            return self.challenge(stream, request, ErrorCode::STALE_NONCE);
        }
        let sealed = Some((key, sha256 || self.strong));
        match self.serve(request) {
            Ok(()) => Some(grant(request, self, sealed)),
            Err(code) => Some(refuse(request, code, sealed)),
        }
    }

    /// Changes what the server holds.
    fn serve(&mut self, request: &Message<'_>) -> Result<(), u16> {
        let peer = request.find().map(|XorPeerAddress(peer)| peer);
        match request.method() {
            Method::ALLOCATE if self.allocated => return Err(437),
            Method::ALLOCATE => {
                assert!(matches!(request.find(), Some(RequestedTransport(6 | 17))));
                self.allocated = true;
            }
            _ if !self.allocated => return Err(437),
            Method::REFRESH => self.allocated = request.find() != Some(Lifetime(Duration::ZERO)),
            Method::CREATE_PERMISSION => {
                self.permissions.insert(peer.unwrap().ip());
            }
            Method::CHANNEL_BIND => {
                let ChannelNumberAttribute(number) = request.find().unwrap();
                assert!((0x4000..=0x4FFF).contains(&number));
                let clash = self.channels.iter().any(|(n, p)| (*n == number) != (Some(*p) == peer));
                if clash {
                    return Err(400);
                }
                self.channels.insert(number, peer.unwrap());
            }
            Method::CONNECT if self.connections.values().any(|known| Some(*known) == peer) => {
                return Err(446);
            }
            Method::CONNECT => {
                self.next_connection += 1;
                self.connections.insert(self.next_connection, peer.unwrap());
            }
            Method::CONNECTION_BIND => {
                let ConnectionId(id) = request.find().unwrap();
                self.connections.remove(&id).ok_or(400_u16)?;
            }
            other => panic!("{other} is no request"),
        }
        Ok(())
    }

    fn challenge(
        &self,
        stream: Option<SocketId>,
        request: &Message<'_>,
        why: ErrorCode<'_>,
    ) -> Option<Vec<u8>> {
        let offered = self.offers_tokens.then_some("turn.example.org");
        let name = self.token.map(|(name, ..)| name).or(offered);
        Some(finish(request, Class::Error, None, |b| {
            b.attribute(&why)
                .attribute(&Realm(self.realm))
                .attribute(&Nonce(&self.nonce_on(stream)))
                .maybe(self.algorithms.as_ref())
                .maybe(name.map(ThirdPartyAuthorization).as_ref())
        }))
    }

    /// The key of the algorithm that the request names.
    pub(crate) fn key(&self, request: &Message<'_>) -> Key {
        if let Some((_, _, session_key)) = self.token {
            return Key::from_bytes(&session_key);
        }
        let password = Password::new(self.password);
        match request.find() {
            Some(PasswordAlgorithm(floe_stun::attribute::Algorithm::SHA256)) => {
                Key::long_term_sha256(USER, self.realm, &password)
            }
            _ => Key::long_term_md5(USER, self.realm, &password),
        }
    }

    fn take_fault(&mut self, method: Method) -> Option<Fault> {
        let (_, fault, times) = self.faults.iter_mut().find(|(m, _, times)| *m == method && *times > 0)?;
        *times -= 1;
        Some(fault.clone())
    }
}

const PASSWORD_ALGORITHM: u16 = 0x001D;

/// An attribute that must be understood and is not.
pub(crate) struct Strange;

impl Attribute<'_> for Strange {
    const TYPE: u16 = 0x7FFF;

    fn decode(_: &[u8], _: TransactionId) -> Result<Self, floe_stun::DecodeError> {
        Ok(Self)
    }

    fn encoded_len(&self) -> usize {
        0
    }

    fn encode(&self, _: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        Ok(())
    }
}

/// Key, and whether to sign with SHA-256.
type Seal<'k> = Option<(&'k Key, bool)>;

pub(crate) fn finish(
    request: &Message<'_>,
    class: Class,
    seal: Seal<'_>,
    fill: impl FnOnce(Builder<'_>) -> Builder<'_>,
) -> Vec<u8> {
    let mut buf = [0; 4096];
    let builder = fill(Builder::new(&mut buf, class, request.method(), request.id()));
    let bytes = match seal {
        Some((key, true)) => builder.integrity_sha256(key).finish(),
        Some((key, false)) => builder.integrity(key).finish(),
        None => builder.finish(),
    };
    bytes.unwrap().to_vec()
}

pub(crate) fn refuse(request: &Message<'_>, code: u16, seal: Seal<'_>) -> Vec<u8> {
    finish(request, Class::Error, seal, |b| {
        let alternate = (code == 300).then(|| AlternateServer(at("192.0.2.200:3478")));
        b.attribute(&ErrorCode { code, reason: "No" }).maybe(alternate.as_ref())
    })
}

fn grant(request: &Message<'_>, server: &Server, seal: Seal<'_>) -> Vec<u8> {
    finish(request, Class::Success, seal, |b| match request.method() {
        Method::ALLOCATE => b
            .attribute(&XorRelayedAddress(server.relayed))
            .maybe(server.second.map(XorRelayedAddress).as_ref())
            .maybe(server.missing.map(not_ipv6).as_ref())
            .maybe(server.reserved.map(ReservationToken).as_ref())
            .maybe(ticket(request, server).as_ref())
            .attribute(&XorMappedAddress(at("203.0.113.5:40000")))
            .attribute(&Lifetime(server.lifetime)),
        Method::REFRESH => {
            b.maybe(ticket(request, server).as_ref()).attribute(&Lifetime(match request.find() {
                Some(Lifetime(Duration::ZERO)) => Duration::ZERO,
                _ => server.lifetime,
            }))
        }
        Method::CONNECT => b.attribute(&ConnectionId(server.next_connection)),
        _ => b,
    })
}

fn ticket<'s>(request: &Message<'_>, server: &'s Server) -> Option<MobilityTicket<'s>> {
    request.find::<MobilityTicket<'_>>()?;
    server.ticket.as_ref().map(|ticket| MobilityTicket(ticket))
}

fn not_ipv6(code: u16) -> AddressErrorCode<'static> {
    AddressErrorCode { family: Family::Ipv6, code, reason: "No" }
}

/// One client, one server, the way between them, and a clock that jumps from one thing to the next.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) server: Server,
    /// Where the server is, and from where the client reaches it.
    pub(crate) place: SocketAddr,
    pub(crate) socket: SocketId,
    pub(crate) needs: Vec<Need>,
    /// Streams to the server besides, as the host has opened them.
    pub(crate) streams: BTreeSet<SocketId>,
    /// Requests that went elsewhere.
    pub(crate) strays: Vec<(SocketId, SocketAddr)>,
    pub(crate) now: Instant,
    pub(crate) waits: BTreeMap<Why, usize>,
    events: Vec<(Duration, Event)>,
    on_the_way: Vec<(Instant, Option<SocketId>, Vec<u8>)>,
    wait: Option<Instant>,
    /// One of so many requests and answers is lost; zero loses none.
    loss: u32,
    chance: Chance,
}

impl World {
    /// A server with the login of RFC 5389, and a client that has just been made.
    pub(crate) fn new() -> Self {
        Self::with(config(), Server::new())
    }

    pub(crate) fn with(config: Config, server: Server) -> Self {
        Self::seeded(config, server, 7)
    }

    /// The same by another seed.
    pub(crate) fn seeded(config: Config, server: Server, seed: u8) -> Self {
        let now = Instant::ORIGIN;
        let mut world = Self {
            client: Client::new(now, config, [seed; 32]),
            server,
            place: server_address(),
            socket: SOCKET,
            needs: Vec::new(),
            streams: BTreeSet::new(),
            strays: Vec::new(),
            now,
            waits: BTreeMap::new(),
            events: Vec::new(),
            on_the_way: Vec::new(),
            wait: None,
            loss: 0,
            chance: Chance::new([3; 32]),
        };
        world.drain();
        world
    }

    /// The same, with the allocation there and its events taken.
    pub(crate) fn allocated() -> Self {
        let mut world = Self::new();
        world.run(secs(1.0));
        assert!(matches!(world.events().as_slice(), [Event::Allocated { .. }]));
        world
    }

    /// Lets time pass: the client wakes only at the moments it named, and when something arrives.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let arrival = self.on_the_way.iter().map(|(when, ..)| *when).min();
            let next = [arrival, self.wait].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            assert!(next >= self.now, "a wait that lies in the past");
            self.now = next;
            match self.on_the_way.iter().position(|(when, ..)| *when == next) {
                Some(first) => {
                    let (_, stream, bytes) = self.on_the_way.remove(first);
                    let _ = self.hear_from(stream.unwrap_or(self.socket), self.place, &bytes);
                }
                None => {
                    let _ = self.client.handle_input(self.now, Input::Timeout);
                    self.drain();
                    assert!(self.wait.is_none_or(|until| until > self.now), "a timeout that did nothing");
                }
            }
        }
        self.now = end;
    }

    /// The host sleeps: nothing is heard, and then it is later.
    pub(crate) fn sleep(&mut self, span: Duration) {
        self.now = self.now + span;
        self.on_the_way.clear();
        let _ = self.client.handle_input(self.now, Input::Timeout);
        self.drain();
    }

    /// Loses packets from here on, either way.
    pub(crate) fn lose_one_in(&mut self, loss: u32, seed: u8) {
        (self.loss, self.chance) = (loss, Chance::new([seed; 32]));
    }

    fn is_lost(&mut self) -> bool {
        self.loss > 0 && self.chance.below(self.loss) == 0
    }

    /// The server forgets everything.
    pub(crate) fn restart_server(&mut self) {
        self.server.allocated = false;
        self.server.permissions.clear();
        self.server.channels.clear();
        self.server.nonces += 1;
    }

    /// The host reaches the server from elsewhere.
    pub(crate) fn move_to(&mut self, socket: SocketId) {
        self.socket = socket;
        self.on_the_way.clear();
        self.client.move_to(self.now, socket);
        self.drain();
    }

    /// A datagram arrives from the server.
    pub(crate) fn hear<'p>(&mut self, bytes: &'p [u8]) -> Received<PeerData<'p>> {
        self.hear_from(self.socket, self.place, bytes)
    }

    pub(crate) fn hear_from<'p>(
        &mut self,
        socket: SocketId,
        from: SocketAddr,
        data: &'p [u8],
    ) -> Received<PeerData<'p>> {
        let verdict = self.client.handle_input(self.now, Input::Datagram { socket, from, data });
        self.drain();
        verdict
    }

    pub(crate) fn permit(&mut self, peer: &str) {
        self.client.permit(self.now, ip(peer));
        self.drain();
    }

    pub(crate) fn bind(&mut self, peer: &str) {
        self.client.bind_channel(self.now, at(peer));
        self.drain();
    }

    pub(crate) fn connect(&mut self, peer: &str) {
        self.client.connect(self.now, at(peer));
        self.drain();
    }

    pub(crate) fn accept(&mut self, peer: &str) {
        self.client.accept(self.now, at(peer));
        self.drain();
    }

    /// The host has opened a stream.
    pub(crate) fn open(&mut self, request: RequestId, socket: SocketId) {
        self.streams.insert(socket);
        let local = at("203.0.113.5:40001");
        let _ = self.client.handle_input(self.now, Input::Opened { request, socket, local });
        self.drain();
    }

    pub(crate) fn close(&mut self, socket: SocketId) -> Received<PeerData<'static>> {
        let verdict = self.client.handle_input(self.now, Input::Closed { socket });
        self.drain();
        verdict
    }

    pub(crate) fn release(&mut self) {
        self.client.release(self.now);
        self.drain();
    }

    /// The owner's duty after every call.
    pub(crate) fn drain(&mut self) {
        let mut buf = [0xAA; MAX_TRANSMIT];
        self.wait = loop {
            match self.client.poll_output(&mut buf) {
                Output::Transmit(datagram) => {
                    let stream = self.streams.get(&datagram.socket).copied();
                    if (stream.unwrap_or(self.socket), self.place) != (datagram.socket, datagram.to) {
                        self.strays.push((datagram.socket, datagram.to));
                    } else if !self.is_lost()
                        && let Some(answer) =
                            self.server.hear(self.now - Instant::ORIGIN, stream, datagram.bytes)
                        && !self.is_lost()
                    {
                        self.on_the_way.push((self.now + 2 * LATENCY, stream, answer));
                    }
                }
                Output::Need(need) => self.needs.push(need),
                Output::Event(event) => self.events.push((self.now - Instant::ORIGIN, event)),
                Output::Wait { until, why } => {
                    *self.waits.entry(why).or_default() += 1;
                    break Some(until);
                }
                Output::Idle => break None,
            }
        };
    }

    /// What was reported since the last look.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        self.events.drain(..).map(|(_, event)| event).collect()
    }

    /// The same with times.
    pub(crate) fn timed_events(&mut self) -> Vec<(Duration, Event)> {
        self.events.drain(..).collect()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.wait.is_none()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - Instant::ORIGIN
    }
}

/// Whether this key has signed, and how.
pub(crate) fn signature(asked: &Asked, key: &Key) -> Option<Integrity> {
    asked.message().verify(key).ok().map(|message| message.by())
}
