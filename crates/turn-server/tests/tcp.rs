//! TCP connections between clients and peers (RFC 6062 §5).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails has found what the test looks for"
)]

mod support;

use floe_stun::attribute::{
    AdditionalAddressFamily, Attribute, ConnectionId, DontFragment, EvenPort, Family, Lifetime,
    RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress,
};
use floe_stun::{
    Builder, Class, Dropped, Failure, Input, Message, Method, Received, RequestId, SocketId, Transport,
};
use floe_turn_server::{Config, Limits, PeerPolicy};
use support::{Client, World, addr, app, code, config, secs};

const PEER: &str = "198.51.100.7:7000";

fn tcp(builder: Builder<'_>) -> Builder<'_> {
    builder.attribute(&RequestedTransport::TCP)
}

/// Alice over a stream of her own.
fn client(world: &mut World) -> Client {
    let mut alice = Client::alice();
    world.accept(&mut alice);
    alice.challenge(world);
    alice
}

/// Alice with a relayed address that listens, and the listener.
fn listening(config: Config) -> (World, Client, SocketId) {
    let mut world = World::with(config);
    let mut alice = client(&mut world);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, tcp), 0);
    let relay = world.relay_of(&alice);
    (world, alice, relay)
}

fn connect(world: &mut World, alice: &mut Client, peer: &str) -> Option<Vec<u8>> {
    let request = alice.signed(Method::CONNECT, |b| b.attribute(&XorPeerAddress(addr(peer))));
    alice.ask(world, &request)
}

/// Opens the one connection that was asked for; the answer to the client, and the stream to the peer.
fn connected(world: &mut World, alice: &Client) -> (Vec<u8>, SocketId) {
    let [(request, local, _)] = world.connects[..] else { panic!("{:?}", world.connects) };
    world.connects.clear();
    let socket = world.socket();
    assert_eq!(world.input(Input::Opened { request, socket, local }), Received::Consumed);
    (world.take_sent(alice.address).pop().unwrap().bytes, socket)
}

fn connection(message: &[u8]) -> u32 {
    Message::decode(message).unwrap().find::<ConnectionId>().unwrap().0
}

/// A peer connects to a listener; the verdict, and its stream.
fn accepted(world: &mut World, listener: SocketId, from: &str) -> (Received<support::Sent>, SocketId) {
    let socket = world.socket();
    (world.input(Input::Accepted { listener, socket, from: addr(from) }), socket)
}

/// Another stream of the same user.
fn another(world: &mut World, port: u16) -> Client {
    let mut data = Client { address: addr(&format!("203.0.113.5:{port}")), ..Client::alice() };
    world.accept(&mut data);
    data.challenge(world);
    data
}

fn bind(world: &mut World, data: &mut Client, id: u32) -> u16 {
    data.code_of(world, Method::CONNECTION_BIND, |b| b.attribute(&ConnectionId(id)))
}

/// A connection that a peer and a client share: the client's stream and the peer's.
fn joined(world: &mut World, alice: &mut Client, peer: &str, port: u16) -> (SocketId, SocketId) {
    assert_eq!(connect(world, alice, peer), None);
    let (answer, theirs) = connected(world, alice);
    assert_eq!(code(&answer), 0);
    let mut data = another(world, port);
    assert_eq!(bind(world, &mut data, connection(&answer)), 0);
    assert_eq!(world.joined.pop(), Some((data.socket, theirs)));
    (data.socket, theirs)
}

/// TTCP-5.1-1, TTCP-5.1-2, TTCP-5.1-3
#[test]
fn an_allocation_for_tcp_is_asked_for_over_a_stream_and_without_frills() {
    let mut world = World::with({
        let mut config = config();
        config.dont_fragment = true;
        config
    });
    let mut alice = client(&mut world);
    let refused = |world: &mut World, alice: &mut Client, build: fn(Builder<'_>) -> Builder<'_>| {
        alice.code_of(world, Method::ALLOCATE, |b| build(tcp(b)))
    };
    assert_eq!(refused(&mut world, &mut alice, |b| b.attribute(&DontFragment)), 400);
    for reserve_next in [false, true] {
        let even = EvenPort { reserve_next };
        assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, |b| tcp(b).attribute(&even)), 400);
    }
    assert_eq!(refused(&mut world, &mut alice, |b| b.attribute(&ReservationToken([1; 8]))), 400);
    let sctp = RequestedTransport(132);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&sctp)), 442);
    assert!(world.server.is_idle());

    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, tcp);
    assert!(!Message::decode(&answer).unwrap().has(ReservationToken::TYPE));
    assert_eq!(world.listens.len(), 1, "it listens");

    for transport in [Transport::Udp, Transport::Dtls] {
        let mut bob = Client::bob();
        if transport == Transport::Dtls {
            bob.socket = world.socket();
            world.server.accept(bob.socket, transport);
        }
        bob.challenge(&mut world);
        assert_eq!(bob.code_of(&mut world, Method::ALLOCATE, tcp), 400, "{transport:?}");
    }
}

#[test]
fn a_server_without_tcp_says_so() {
    let mut config = config();
    config.tcp = false;
    let mut world = World::with(config);
    let mut alice = client(&mut world);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, tcp), 442);
    assert_eq!(
        alice.code_of(&mut world, Method::ALLOCATE, |b| tcp(b).attribute(&ReservationToken([1; 8]))),
        442
    );
}

#[test]
fn a_listener_may_have_both_families() {
    let mut world = World::new();
    let mut alice = client(&mut world);
    let both = AdditionalAddressFamily(Family::Ipv6);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, |b| tcp(b).attribute(&both)), 0);
    assert_eq!(world.listens.len(), 2);
    for peer in [PEER, "[2001:db8:7::7]:7000"] {
        assert_eq!(connect(&mut world, &mut alice, peer), None);
        let [(_, local, to)] = world.connects[..] else { panic!() };
        assert_eq!((local.is_ipv4(), to), (to.is_ipv4(), addr(peer)), "from the address of its family");
        assert_eq!(code(&connected(&mut world, &alice).0), 0);
    }
    // The IPv6 address goes, and its connection with it.
    let v6 = RequestedAddressFamily(Family::Ipv6);
    let gone = alice.code_of(&mut world, Method::REFRESH, |b| b.attribute(&v6).attribute(&Lifetime(secs(0))));
    assert_eq!((gone, world.closed.len()), (0, 2));
    assert_eq!(alice.refresh(&mut world, Some(0)).0, 0);
    assert_eq!(world.closed.len(), 4);
    assert!(world.server.is_idle());
}

/// TTCP-5.2-7: outgoing connections need no permission, and install none.
#[test]
fn a_client_connects_to_a_peer_and_binds_a_stream_to_it() {
    let (mut world, mut alice, relay) = listening(config());
    assert_eq!(connect(&mut world, &mut alice, PEER), None, "the answer comes with the connection");
    let (answer, theirs) = connected(&mut world, &alice);
    alice.check(&answer);
    assert_eq!(code(&answer), 0);
    let mut data = another(&mut world, 40_001);
    assert_eq!(bind(&mut world, &mut data, connection(&answer)), 0);
    assert_eq!(world.joined, [(data.socket, theirs)]);
    assert_eq!(world.server.stats().connections_total, 1);

    let (verdict, stranger) = accepted(&mut world, relay, "198.51.100.7:7001");
    assert_eq!(verdict, Received::Dropped(Dropped::NoPermission));
    assert_eq!(world.closed, [stranger]);
}

#[test]
fn what_comes_on_a_joined_stream_is_not_for_the_server() {
    let (mut world, mut alice, _) = listening(config());
    let (ours, _) = joined(&mut world, &mut alice, PEER, 40_001);
    let mut data = Client { socket: ours, address: addr("203.0.113.5:40001"), ..Client::alice() };
    let binding = data.bare(Method::BINDING, |b| b);
    assert_eq!(world.datagram(ours, data.address, &binding), Received::NotMine);
    assert!(world.sent.is_empty());
}

/// TTCP-5.2-1
#[test]
fn connect_without_an_allocation_is_a_mismatch() {
    let mut world = World::new();
    let mut alice = client(&mut world);
    assert_eq!(code(&connect(&mut world, &mut alice, PEER).unwrap()), 437);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP)), 0);
    assert_eq!(code(&connect(&mut world, &mut alice, PEER).unwrap()), 400, "it is for datagrams");
}

/// TTCP-5.2-2: "after 30 seconds, the peer data connection MUST be closed."
#[test]
fn a_connection_that_nobody_binds_is_closed_after_thirty_seconds() {
    let (mut world, mut alice, relay) = listening(config());
    assert_eq!(connect(&mut world, &mut alice, PEER), None);
    let (answer, outgoing) = connected(&mut world, &alice);
    assert_eq!(alice.permit(&mut world, &["198.51.100.8:0"]), 0);
    world.pass(secs(1));
    let (verdict, incoming) = accepted(&mut world, relay, "198.51.100.8:1");
    assert_eq!(verdict, Received::Consumed);
    world.pass(secs(28));
    assert!(world.closed.is_empty());
    world.pass(secs(1));
    assert_eq!(world.closed, [outgoing]);
    world.pass(secs(1));
    assert_eq!(world.closed, [outgoing, incoming]);
    let mut data = another(&mut world, 40_001);
    assert_eq!(bind(&mut world, &mut data, connection(&answer)), 400);
}

/// TTCP-5.2-3
#[test]
fn one_peer_has_one_connection_whether_it_is_asked_for_pending_or_active() {
    let (mut world, mut alice, _) = listening(config());
    assert_eq!(connect(&mut world, &mut alice, PEER), None);
    assert_eq!(code(&connect(&mut world, &mut alice, PEER).unwrap()), 446);
    let (answer, theirs) = connected(&mut world, &alice);
    assert_eq!(code(&connect(&mut world, &mut alice, PEER).unwrap()), 446);
    let mut data = another(&mut world, 40_001);
    assert_eq!(bind(&mut world, &mut data, connection(&answer)), 0);
    assert_eq!(code(&connect(&mut world, &mut alice, PEER).unwrap()), 446);
    assert_eq!(world.input(Input::Closed { socket: theirs }), Received::Consumed);
    assert_eq!(connect(&mut world, &mut alice, PEER), None, "it may be asked for again");
}

/// TTCP-5.2-4, TTCP-5.2-5
#[test]
fn a_peer_must_be_named_and_allowed() {
    let (mut world, mut alice, _) = listening(config());
    assert_eq!(alice.code_of(&mut world, Method::CONNECT, |b| b), 400);
    for (peer, expected) in [
        ("198.51.100.7:0", 400),
        ("127.0.0.1:80", 403),
        ("169.254.169.254:80", 403),
        ("192.0.2.1:3478", 403),
        ("192.0.2.1:22", 403),
        ("[2001:db8:7::7]:80", 443),
        ("[::ffff:127.0.0.1]:80", 443),
    ] {
        assert_eq!(code(&connect(&mut world, &mut alice, peer).unwrap()), expected, "{peer}");
    }
    assert!(world.connects.is_empty());

    let mut alice = Client { address: addr("203.0.113.5:9"), ..Client::alice() };
    world.accept(&mut alice);
    alice.challenge(&mut world);
    let v6 = RequestedAddressFamily(Family::Ipv6);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, |b| tcp(b).attribute(&v6)), 0);
    for (peer, expected) in
        [("[::ffff:198.51.100.7]:80", 443), ("[::ffff:127.0.0.1]:80", 403), ("[::1]:80", 403), (PEER, 443)]
    {
        assert_eq!(code(&connect(&mut world, &mut alice, peer).unwrap()), expected, "{peer}");
    }
}

/// TTCP-5.2-6
#[test]
fn a_connection_that_cannot_be_had_is_told() {
    for why in [Failure::Refused, Failure::TimedOut, Failure::Unreachable, Failure::Exhausted] {
        let (mut world, mut alice, _) = listening(config());
        assert_eq!(connect(&mut world, &mut alice, PEER), None);
        let (request, ..) = world.connects.pop().unwrap();
        assert_eq!(world.input(Input::Failed { request, why }), Received::Consumed);
        let answer = world.take_sent(alice.address).pop().unwrap().bytes;
        alice.check(&answer);
        assert_eq!(code(&answer), 447);
        assert_eq!(connect(&mut world, &mut alice, PEER), None, "it may be asked for again");
    }
}

/// TTCP-5.3-1
#[test]
fn a_peer_with_a_permission_may_connect() {
    let (mut world, mut alice, relay) = listening(config());
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0"]), 0);
    let (verdict, theirs) = accepted(&mut world, relay, PEER);
    assert_eq!(verdict, Received::Consumed);
    let sent = world.take_sent(alice.address).pop().unwrap();
    assert_eq!(sent.socket, alice.socket);
    let told = Message::decode(&sent.bytes).unwrap();
    assert_eq!((told.class(), told.method()), (Class::Indication, Method::CONNECTION_ATTEMPT));
    assert_eq!(told.find(), Some(XorPeerAddress(addr(PEER))));
    let mut data = another(&mut world, 40_001);
    assert_eq!(bind(&mut world, &mut data, connection(&sent.bytes)), 0);
    assert_eq!(world.joined, [(data.socket, theirs)]);

    world.pass(secs(301));
    let (verdict, late) = accepted(&mut world, relay, "198.51.100.7:7001");
    assert_eq!(verdict, Received::Dropped(Dropped::NoPermission), "the permission has ended");
    assert_eq!(world.closed, [late]);
    let (verdict, unknown) = accepted(&mut world, SocketId(9999), PEER);
    assert_eq!((verdict, world.closed.contains(&unknown)), (Received::NotMine, false));
}

/// TTCP-5.4-1
#[test]
fn connection_bind_wants_a_stream_and_a_connection_that_waits() {
    let (mut world, mut alice, _) = listening(config());
    assert_eq!(connect(&mut world, &mut alice, PEER), None);
    let (answer, _) = connected(&mut world, &alice);
    let id = connection(&answer);

    let mut datagrams = Client { address: addr("203.0.113.5:40009"), ..Client::alice() };
    datagrams.challenge(&mut world);
    assert_eq!(bind(&mut world, &mut datagrams, id), 400);
    let mut data = another(&mut world, 40_001);
    assert_eq!(data.code_of(&mut world, Method::CONNECTION_BIND, |b| b), 400);
    assert_eq!(bind(&mut world, &mut data, id ^ 1), 400);
    assert_eq!(bind(&mut world, &mut alice, id), 400, "the control connection has another use");
    assert!(world.joined.is_empty());
    assert_eq!(bind(&mut world, &mut data, id), 0);
    let mut second = another(&mut world, 40_002);
    assert_eq!(bind(&mut world, &mut second, id), 400, "it is taken");
}

/// A.14: a connection is its user's.
#[test]
fn another_user_cannot_bind_a_connection() {
    let (mut world, mut alice, _) = listening(config());
    assert_eq!(connect(&mut world, &mut alice, PEER), None);
    let (answer, _) = connected(&mut world, &alice);
    let mut bob = Client::bob();
    world.accept(&mut bob);
    bob.challenge(&mut world);
    assert_eq!(bind(&mut world, &mut bob, connection(&answer)), 441);
    assert!(world.joined.is_empty());
    assert_eq!(world.server.stats().connections_total, 0);
}

/// TTCP-5.5-1
#[test]
fn either_end_takes_the_other_along() {
    for peer_ends in [true, false] {
        let (mut world, mut alice, _) = listening(config());
        let (ours, theirs) = joined(&mut world, &mut alice, PEER, 40_001);
        let (gone, left) = if peer_ends { (theirs, ours) } else { (ours, theirs) };
        assert_eq!(world.input(Input::Closed { socket: gone }), Received::Consumed);
        assert_eq!(world.closed, [left]);
        assert_eq!(world.input(Input::Closed { socket: left }), Received::NotMine);
        assert_eq!(world.server.stats().allocations, 1);
    }
}

/// TTCP-5.5-1
#[test]
fn an_allocation_takes_its_connections_along_in_whatever_state_they_are() {
    let (mut world, mut alice, relay) = listening(config());
    let (ours, theirs) = joined(&mut world, &mut alice, PEER, 40_001);
    assert_eq!(connect(&mut world, &mut alice, "198.51.100.8:8"), None);
    let (_, waiting) = connected(&mut world, &alice);
    assert_eq!(connect(&mut world, &mut alice, "198.51.100.9:9"), None);
    let (request, local, _) = world.connects.pop().unwrap();
    assert_eq!(alice.refresh(&mut world, Some(0)).0, 0);
    let mut closed = world.closed.clone();
    closed.sort_unstable();
    let mut all = [ours, theirs, waiting, relay];
    all.sort_unstable();
    assert_eq!(closed, all);
    assert!(!world.server.is_idle(), "the host is still busy with one");

    let late = world.socket();
    assert_eq!(world.input(Input::Opened { request, socket: late, local }), Received::Consumed);
    assert_eq!(world.closed.last(), Some(&late));
    assert!(world.sent.is_empty(), "nobody waits for it");
    assert!(world.server.is_idle());
    assert_eq!(world.input(Input::Opened { request, socket: late, local }), Received::NotMine);
}

#[test]
fn a_stream_that_waits_and_ends_is_no_connection_any_more() {
    let (mut world, mut alice, _) = listening(config());
    assert_eq!(connect(&mut world, &mut alice, PEER), None);
    let (answer, theirs) = connected(&mut world, &alice);
    assert_eq!(world.input(Input::Closed { socket: theirs }), Received::Consumed);
    assert!(world.closed.is_empty());
    let mut data = another(&mut world, 40_001);
    assert_eq!(bind(&mut world, &mut data, connection(&answer)), 400);
}

#[test]
fn connections_are_limited() {
    let mut limits = Limits::default();
    limits.connections = 2;
    let (mut world, mut alice, relay) = listening(config().with_limits(limits));
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0"]), 0);
    assert_eq!(connect(&mut world, &mut alice, "198.51.100.7:1"), None);
    assert_eq!(accepted(&mut world, relay, "198.51.100.7:2").0, Received::Consumed);
    world.sent.clear();
    let (verdict, third) = accepted(&mut world, relay, "198.51.100.7:3");
    assert_eq!(verdict, Received::Dropped(Dropped::LimitReached));
    assert_eq!(world.closed, [third]);
    assert_eq!(code(&connect(&mut world, &mut alice, "198.51.100.7:4").unwrap()), 508);
}

/// A client that connects and leaves, again and again, holds what the host is still busy with.
#[test]
fn attempts_that_nobody_waits_for_any_more_are_limited() {
    let mut limits = Limits::default();
    (limits.connections, limits.allocations_per_user) = (4, 5);
    let mut world = World::with(config().with_limits(limits));
    let mut left: Vec<(RequestId, SocketId)> = Vec::new();
    let mut refused = 0;
    for n in 0..10 {
        let mut alice = another(&mut world, 1000 + n);
        assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, tcp), 0);
        for port in 1..=4 {
            // A connection takes a place from the moment it is asked for.
            match connect(&mut world, &mut alice, &format!("198.51.100.7:{port}")) {
                None => {}
                Some(answer) => {
                    assert_eq!((n > 0, code(&answer)), (true, 486));
                    refused += 1;
                    break;
                }
            }
        }
        let connects = std::mem::take(&mut world.connects);
        left.extend(connects.into_iter().map(|(request, ..)| (request, alice.socket)));
        assert_eq!(world.input(Input::Closed { socket: alice.socket }), Received::Consumed);
    }
    assert_eq!((left.len(), refused), (4, 9));
    for (request, _) in left {
        assert_eq!(world.input(Input::Failed { request, why: Failure::TimedOut }), Received::Consumed);
    }
    assert!(world.server.is_idle());
    let mut alice = another(&mut world, 2000);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, tcp), 0);
}

#[test]
fn no_datagrams_pass_through_an_allocation_for_tcp() {
    let (mut world, mut alice, relay) = listening(config());
    assert_eq!(alice.bind(&mut world, 0x4001, PEER), 0);
    let unexpected = Received::Dropped(Dropped::UnexpectedMethod);
    assert_eq!(alice.send(&mut world, PEER, b"x"), unexpected);
    assert_eq!(world.datagram(alice.socket, alice.address, b"\x40\x01\0\x01x\0\0\0"), unexpected);
    assert_eq!(world.datagram(relay, addr(PEER), b"x"), unexpected);
}

#[test]
fn an_allocation_for_datagrams_over_a_stream_is_like_any_other() {
    let mut world = World::with(config().with_peers(PeerPolicy::allow_all_for_tests()));
    let mut alice = client(&mut world);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP)), 0);
    assert_eq!(alice.permit(&mut world, &["10.0.0.7:0"]), 0);
    app(alice.send(&mut world, "10.0.0.7:7", b"x"));
}
