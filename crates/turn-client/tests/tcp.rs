//! Connections with peers over a TCP allocation: RFC 6062.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests may fail the test"
)]

mod support;

use floe_stun::attribute::{
    Attribute, ConnectionId, DontFragment, EvenPort, Family, Lifetime, RequestedAddressFamily,
    RequestedTransport, ReservationToken, Software, XorPeerAddress,
};
use floe_stun::stream::{Cutter, Framing};
use floe_stun::{
    Builder, Class, Dropped, Failure, Input, Machine, Method, Need, Received, RequestId, SocketId,
    TransactionId, Transport,
};
use floe_turn_client::{
    AllocateFailure, Config, ConnectFailure, Event, LostReason, Refusal, SendError, Wanted,
};

use support::{Fault, REALM, SOCKET, Server, USER, World, at, config, secs, server_address, steadfast};

const PEER: &str = "203.0.113.7:9";
const OTHER: &str = "203.0.113.8:9";
const STREAM: SocketId = SocketId(20);

fn tcp(config: Config) -> Config {
    config.over(Transport::Tcp).wanting(Wanted::Tcp(Family::Ipv4))
}

fn with(config: Config) -> World {
    let mut world = World::with(config, Server::new());
    world.run(secs(1.0));
    assert!(matches!(world.events().as_slice(), [Event::Allocated { .. }]));
    world
}

fn allocated() -> World {
    with(tcp(config()))
}

/// The stream that the client asked for last.
fn needed(world: &mut World) -> RequestId {
    let Some(Need::Stream { request, to, transport, .. }) = world.needs.pop() else {
        panic!("no stream is needed")
    };
    assert_eq!((to, transport), (world.place, Transport::Tcp));
    request
}

/// A client whose Connect was granted, and what it asked of the host.
fn connecting(mut world: World) -> (World, RequestId) {
    world.connect(PEER);
    world.run(secs(1.0));
    let request = needed(&mut world);
    (world, request)
}

fn not_connected(peer: &str, why: ConnectFailure) -> Event {
    Event::NotConnected { peer: at(peer), why }
}

fn refused(code: u16) -> ConnectFailure {
    ConnectFailure::Refused(Refusal::new(code, "No"))
}

fn attempt(peer: &str, id: u32) -> Vec<u8> {
    let mut buf = [0; 128];
    Builder::new(&mut buf, Class::Indication, Method::CONNECTION_ATTEMPT, TransactionId::from([9; 12]))
        .attribute(&XorPeerAddress(at(peer)))
        .attribute(&ConnectionId(id))
        .finish()
        .unwrap()
        .to_vec()
}

#[test]
fn an_allocation_for_tcp_is_asked_for_without_what_is_of_udp() {
    // TTCP-4.1-2
    let mut asked = tcp(config());
    (asked.dont_fragment, asked.software) = (true, Some("floe".into()));
    let world = with(asked);
    for asked in world.server.of(Method::ALLOCATE) {
        let message = asked.message();
        assert_eq!(message.find(), Some(RequestedTransport(6)));
        assert_eq!(message.find(), Some(Lifetime(secs(600.0))));
        assert_eq!(message.find(), Some(Software("floe")));
        for kind in [DontFragment::TYPE, EvenPort::TYPE, ReservationToken::TYPE] {
            assert!(!message.has(kind), "{kind:#06x}");
        }
    }

    let world = World::with(tcp(config()).wanting(Wanted::Tcp(Family::Ipv6)), Server::new());
    assert_eq!(world.server.asked[0].message().find(), Some(RequestedAddressFamily(Family::Ipv6)));
}

#[test]
fn an_allocation_for_tcp_is_not_asked_for_over_datagrams() {
    // TTCP-4.1-1
    for transport in [Transport::Udp, Transport::Dtls] {
        let mut world = World::with(tcp(config()).over(transport), Server::new());
        assert_eq!(world.events(), [Event::Failed(AllocateFailure::NeedsStream)]);
        assert_eq!(world.server.asked.len(), 0);
        assert!(world.is_idle());
    }
}

#[test]
fn a_connection_takes_two_round_trips_and_is_the_owners_from_then_on() {
    // TTCP-4.3-1, TTCP-4.3-2, TTCP-4.5-1
    let mut config = tcp(config()).over(Transport::Tls);
    config.server_name = Some("turn.example.org".into());
    let mut world = with(config);
    world.connect(PEER);
    world.connect(PEER);
    world.run(secs(0.02));
    let connects = world.server.of(Method::CONNECT);
    assert_eq!(connects.len(), 1, "TTCP-4.3-4");
    assert_eq!(connects[0].message().find(), Some(XorPeerAddress(at(PEER))));
    let Some(Need::Stream { request, to, transport, server_name }) = world.needs.pop() else {
        panic!("no stream is needed")
    };
    assert_eq!((to, transport), (server_address(), Transport::Tls));
    assert_eq!(server_name.as_deref(), Some("turn.example.org"));

    world.open(request, STREAM);
    world.run(secs(0.02));
    let bind = world.server.of(Method::CONNECTION_BIND);
    assert_eq!((bind.len(), bind[0].stream), (1, Some(STREAM)));
    assert_eq!(bind[0].message().find(), Some(ConnectionId(7001)));
    assert!(bind[0].message().verify(&world.server.key(&bind[0].message())).is_ok(), "the same login");
    assert_eq!(world.events(), [Event::Connected { peer: at(PEER), stream: STREAM }]);

    assert_eq!(world.hear_from(STREAM, server_address(), b"hello"), Received::NotMine);
    assert_eq!(world.close(STREAM), Received::NotMine, "its end is the owner's too");
    assert_eq!((world.events(), world.needs.len()), (vec![], 0));
}

#[test]
fn what_is_asked_for_early_goes_out_with_the_allocation_and_all_at_once() {
    let mut world = World::with(tcp(config()), Server::new());
    world.permit("203.0.113.9");
    world.connect(PEER);
    world.connect(OTHER);
    world.run(secs(1.0));
    let times: Vec<_> = world.server.of(Method::CONNECT).iter().map(|asked| asked.at).collect();
    assert_eq!(times, [secs(0.04); 2], "two round trips, and no wait between them");
    assert_eq!(world.needs.len(), 2);
}

#[test]
fn a_nonce_of_another_stream_is_renewed_there_and_spoils_none() {
    let (mut world, request) = connecting({
        let mut server = Server::new();
        server.nonce_by_stream = true;
        let mut world = World::with(tcp(config()), server);
        world.run(secs(1.0));
        let _ = world.events();
        world
    });
    world.open(request, STREAM);
    world.run(secs(1.0));
    assert_eq!(world.server.of(Method::CONNECTION_BIND).len(), 2, "438 once");
    assert_eq!(world.events(), [Event::Connected { peer: at(PEER), stream: STREAM }]);
    world.permit("203.0.113.9");
    world.run(secs(1.0));
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 1, "no 438 at all");
}

#[test]
fn stale_nonces_and_other_challenges_are_answered_on_either_stream() {
    for method in [Method::CONNECT, Method::CONNECTION_BIND] {
        for (fault, times, is_connected) in [
            (Fault::Stale, 3, true),
            (Fault::Stale, 4, false),
            (Fault::Challenge("example.net", support::PLAIN), 1, true),
            (Fault::Challenge(REALM, support::PLAIN), 1, false),
        ] {
            let mut world = allocated();
            let code = if matches!(fault, Fault::Stale) { 438 } else { 401 };
            world.server.fault(method, fault.clone(), times);
            world.connect(PEER);
            world.run(secs(1.0));
            if method == Method::CONNECTION_BIND || is_connected {
                let request = needed(&mut world);
                world.open(request, STREAM);
                world.run(secs(1.0));
            }
            let events = world.events();
            if is_connected {
                assert_eq!(
                    events,
                    [Event::Connected { peer: at(PEER), stream: STREAM }],
                    "{method} {fault:?}"
                );
            } else {
                let [Event::NotConnected { why: ConnectFailure::Refused(why), .. }] = &events[..] else {
                    panic!("{method} {fault:?}: {events:?}")
                };
                assert_eq!(why.code, code, "{method}");
            }
            assert!(world.client.relayed().is_some(), "the allocation has nothing to do with it");
        }
    }
}

#[test]
fn a_peer_that_was_not_reached_is_left_alone_for_ten_seconds() {
    // TTCP-4.3-3
    let mut world = allocated();
    world.server.fault(Method::CONNECT, Fault::Refuse(447), 1);
    world.connect(PEER);
    world.run(secs(1.0));
    assert_eq!(world.events(), [not_connected(PEER, refused(447))]);
    world.connect(PEER);
    world.connect(OTHER);
    world.run(secs(20.0));
    let asked: Vec<_> = world.server.of(Method::CONNECT).iter().map(|asked| asked.at).collect();
    assert_eq!(asked[1] - asked[0], secs(1.0), "another peer does not wait");
    assert_eq!(asked[2] - asked[0], secs(10.02), "ten seconds from the answer");
    assert_eq!((asked.len(), world.needs.len(), world.events().len()), (3, 2, 0));

    world.server.fault(Method::CONNECT, Fault::Refuse(447), 1);
    world.connect("203.0.113.9:9");
    world.run(secs(60.0));
    assert_eq!(world.server.of(Method::CONNECT).len(), 4, "not asked again unless the owner does");
}

#[test]
fn a_connection_that_is_refused_is_told_and_no_more() {
    for code in [403, 446, 400, 500] {
        let mut world = allocated();
        world.server.fault(Method::CONNECT, Fault::Refuse(code), 1);
        world.connect(PEER);
        world.run(secs(60.0));
        assert_eq!(world.events(), [not_connected(PEER, refused(code))]);
        assert_eq!(world.server.of(Method::CONNECT).len(), 1);
        assert!(world.client.relayed().is_some());
        world.connect(PEER);
        world.run(secs(1.0));
        assert_eq!(world.server.of(Method::CONNECT).len(), 2, "at once, if the owner wants it so");
    }
}

#[test]
fn a_server_that_joins_nothing_gets_its_stream_back() {
    for fault in [Fault::Refuse(400), Fault::ForeignKey, Fault::Deaf] {
        let (mut world, request) = connecting(allocated());
        world.server.fault(Method::CONNECTION_BIND, fault.clone(), 9);
        world.open(request, STREAM);
        world.run(secs(39.4));
        let is_slow = matches!(fault, Fault::Deaf);
        assert_eq!(world.events().is_empty(), is_slow, "{fault:?}");
        world.run(secs(0.2));
        let why = ConnectFailure::TimedOut;
        assert_eq!(world.events(), if is_slow { vec![not_connected(PEER, why)] } else { vec![] });
        assert_eq!(world.needs, [Need::Close { socket: STREAM }], "{fault:?}");
        assert_eq!(world.hear_from(STREAM, server_address(), b"hello"), Received::NotMine);
        assert!(world.client.relayed().is_some());
    }
}

#[test]
fn a_server_that_does_not_say_whether_it_connected_is_asked_whether_it_is_there() {
    let mut world = allocated();
    world.server.fault(Method::CONNECT, Fault::Deaf, 1);
    world.connect(PEER);
    world.run(secs(41.0));
    assert_eq!(world.events(), [not_connected(PEER, ConnectFailure::TimedOut)]);
    assert_eq!(world.server.of(Method::REFRESH).len(), 1);
    assert!(world.client.relayed().is_some());
}

#[test]
fn an_answer_without_an_id_connects_nothing() {
    let mut world = allocated();
    world.server.fault(Method::CONNECT, Fault::Empty, 1);
    world.connect(PEER);
    world.run(secs(1.0));
    let [Event::NotConnected { why, .. }] = &world.events()[..] else { panic!("no such event") };
    assert_eq!(why.to_string(), "the TURN server's answer cannot be used: it lacks CONNECTION-ID");
    assert_eq!(world.needs, []);
}

#[test]
fn a_stream_that_the_host_cannot_open_or_keep_is_told() {
    let (mut world, request) = connecting(allocated());
    let failed = Input::Failed { request, why: Failure::Refused };
    assert_eq!(world.client.handle_input(world.now, failed), Received::Consumed);
    world.drain();
    assert_eq!(world.events(), [not_connected(PEER, ConnectFailure::NotOpened(Failure::Refused))]);

    let (mut world, request) = connecting(allocated());
    world.open(request, STREAM);
    assert_eq!(world.close(STREAM), Received::Consumed);
    assert_eq!(world.events(), [not_connected(PEER, ConnectFailure::Closed)]);
    world.run(secs(60.0));
    assert_eq!((world.events(), world.needs.len()), (vec![], 0), "what is closed is not closed again");
}

#[test]
fn only_the_answer_counts_on_a_stream_that_is_not_joined_yet() {
    let (mut world, request) = connecting(allocated());
    world.open(request, STREAM);
    let bind = world.server.of(Method::CONNECTION_BIND)[0].clone();
    let key = world.server.key(&bind.message());
    let success = support::finish(&bind.message(), Class::Success, Some((&key, false)), |b| b);
    for (bytes, why) in [
        (&b"\x40\0\0\x04data"[..], Dropped::UnexpectedMethod),
        (b"not STUN", Dropped::Malformed),
        (&attempt(PEER, 1), Dropped::UnexpectedMethod),
    ] {
        assert_eq!(world.hear_from(STREAM, server_address(), bytes), Received::Dropped(why));
    }
    let elsewhere = world.hear_from(STREAM, at("192.0.2.66:3478"), &success);
    assert_eq!(elsewhere, Received::NotMine);
    assert_eq!(world.hear(&success), Received::Dropped(Dropped::WrongSource), "on the control connection");
    assert_eq!(world.events(), []);
    assert_eq!(world.hear_from(STREAM, server_address(), &success), Received::Consumed);
    assert_eq!(world.events().len(), 1);
}

#[test]
fn what_follows_the_answer_in_one_segment_is_the_owners() {
    // TTCP-4.5-1: as a host reads it, in whatever pieces it comes.
    let (mut world, request) = connecting(allocated());
    world.open(request, STREAM);
    let bind = world.server.of(Method::CONNECTION_BIND)[0].clone();
    let key = world.server.key(&bind.message());
    let success = support::finish(&bind.message(), Class::Success, Some((&key, false)), |b| b);
    let bytes = [&success[..], b"\x40\0\0\x01 are the peer's words"].concat();
    let mut cutter = Cutter::new(Framing::Turn);
    let (first, mut second) = bytes.split_at(30);
    assert_eq!(cutter.datagram(&mut &first[..]), Ok(None));
    let frame = cutter.datagram(&mut second).unwrap().unwrap().to_vec();
    assert_eq!(world.hear_from(STREAM, server_address(), &frame), Received::Consumed);
    assert_eq!(world.events(), [Event::Connected { peer: at(PEER), stream: STREAM }]);
    assert_eq!((second, cutter.pending()), (&b"\x40\0\0\x01 are the peer's words"[..], None));
}

/// A client that permits the peer.
fn permitted() -> World {
    let mut world = allocated();
    world.permit("203.0.113.7");
    world.run(secs(1.0));
    let _ = world.events();
    world
}

#[test]
fn a_peer_that_calls_is_accepted() {
    // TTCP-4.4-1
    let mut world = permitted();
    world.server.connections.insert(42, at(PEER));
    assert_eq!(world.hear(&attempt(PEER, 42)), Received::Consumed);
    assert_eq!(world.hear(&attempt(PEER, 42)), Received::Consumed, "told once");
    assert_eq!(world.events(), [Event::ConnectionAttempt { peer: at(PEER) }]);
    assert_eq!(world.needs, [], "nobody has accepted it");
    world.accept(PEER);
    world.accept(PEER);
    let request = needed(&mut world);
    world.open(request, STREAM);
    world.run(secs(40.0));
    let bind = world.server.of(Method::CONNECTION_BIND);
    assert_eq!((bind.len(), bind[0].message().find()), (1, Some(ConnectionId(42))));
    assert_eq!(world.events(), [Event::Connected { peer: at(PEER), stream: STREAM }]);
    assert_eq!(world.needs, []);
}

#[test]
fn a_peer_that_calls_is_connected_to_by_its_own_call() {
    let mut world = permitted();
    world.server.connections.insert(42, at(PEER));
    let _ = world.hear(&attempt(PEER, 42));
    world.connect(PEER);
    world.run(secs(1.0));
    assert_eq!((world.server.of(Method::CONNECT).len(), world.needs.len()), (0, 1));
}

#[test]
fn a_peer_that_nobody_answers_hangs_up() {
    let mut world = permitted();
    let _ = world.hear(&attempt(PEER, 42));
    world.run(secs(29.9));
    assert_eq!(world.events(), [Event::ConnectionAttempt { peer: at(PEER) }]);
    world.run(secs(0.2));
    assert_eq!(world.events(), [not_connected(PEER, ConnectFailure::TooLate)]);
    world.accept(PEER);
    assert_eq!((world.events(), world.needs.len()), (vec![], 0));

    let _ = world.hear(&attempt(PEER, 43));
    world.client.refuse(at(PEER));
    world.drain();
    world.run(secs(60.0));
    assert_eq!(world.events(), [Event::ConnectionAttempt { peer: at(PEER) }], "and nothing more");
    world.accept(PEER);
    assert_eq!(world.needs, []);
}

#[test]
fn a_peer_that_calls_again_is_accepted_by_its_latest_call() {
    let mut world = permitted();
    let _ = world.hear(&attempt(PEER, 42));
    world.run(secs(20.0));
    let _ = world.hear(&attempt(PEER, 43));
    assert_eq!(world.events().len(), 2);
    world.run(secs(20.0));
    assert_eq!(world.events(), [], "its half minute begins anew");
    world.server.connections.insert(43, at(PEER));
    world.accept(PEER);
    let request = needed(&mut world);
    world.open(request, STREAM);
    world.run(secs(1.0));
    assert_eq!(world.events(), [Event::Connected { peer: at(PEER), stream: STREAM }]);
}

#[test]
fn a_call_that_no_permission_covers_is_dropped() {
    let mut world = permitted();
    assert_eq!(world.hear(&attempt(OTHER, 1)), Received::Dropped(Dropped::NoPermission));
    let mut bare = attempt(PEER, 1);
    bare.truncate(20 + 12);
    bare[3] = 12;
    assert_eq!(world.hear(&bare), Received::Dropped(Dropped::MissingAttribute));
    assert_eq!(world.hear_from(SOCKET, at("192.0.2.66:3478"), &attempt(PEER, 1)), Received::NotMine);
    assert_eq!(world.events(), []);

    let _ = world.hear(&attempt(PEER, 42));
    world.client.revoke(at(PEER).ip());
    world.drain();
    let last = world.events().pop();
    assert_eq!(last, Some(not_connected(PEER, ConnectFailure::Interrupted)));

    let mut udp = World::allocated();
    udp.permit("203.0.113.7");
    udp.run(secs(1.0));
    assert_eq!(udp.hear(&attempt(PEER, 1)), Received::Dropped(Dropped::UnexpectedMethod));
}

#[test]
fn calls_do_not_pile_up() {
    let mut world = permitted();
    for port in 1..1000_u16 {
        let attempt = attempt(&format!("203.0.113.7:{port}"), u32::from(port));
        let verdict = world.hear(&attempt);
        let expected =
            if port <= 128 { Received::Consumed } else { Received::Dropped(Dropped::LimitReached) };
        assert_eq!(verdict, expected, "{port}");
    }
    world.connect(OTHER);
    let Some(Event::NotConnected { why: ConnectFailure::Refused(why), .. }) = world.events().pop() else {
        panic!("there is no room")
    };
    assert_eq!(why.code, 508);
}

#[test]
fn with_the_control_connection_all_that_is_half_done_ends() {
    let mut world = permitted();
    world.connect(PEER);
    world.run(secs(1.0));
    let request = needed(&mut world);
    world.open(request, STREAM);
    world.connect(OTHER);
    let _ = world.hear(&attempt("203.0.113.7:10", 42));
    let _ = world.events();
    let _ = world.close(SOCKET);
    let interrupted = |peer| not_connected(peer, ConnectFailure::Interrupted);
    assert_eq!(
        world.events(),
        [
            interrupted(PEER),
            interrupted("203.0.113.7:10"),
            interrupted(OTHER),
            Event::Lost(LostReason::SocketClosed)
        ]
    );
    assert_eq!(world.needs, [Need::Close { socket: STREAM }]);
    world.run(secs(60.0));
    assert!(world.is_idle());
}

#[test]
fn an_allocation_that_is_lost_takes_connections_along_and_others_may_follow() {
    let mut world = with(tcp(steadfast()));
    world.connect(PEER);
    world.run(secs(1.0));
    let request = needed(&mut world);
    world.restart_server();
    world.connect(OTHER);
    world.run(secs(1.0));
    let events = world.events();
    assert!(matches!(
        &events[..],
        [
            Event::Interrupted(LostReason::Mismatch(_)),
            Event::NotConnected { .. },
            Event::NotConnected { .. },
            Event::Allocated { .. }
        ]
    ));
    world.open(request, STREAM);
    assert_eq!(world.needs, [Need::Close { socket: STREAM }], "for nobody");
    world.connect(OTHER);
    world.run(secs(1.0));
    assert_eq!(world.server.of(Method::CONNECT).len(), 4, "438 and 437 are two of them");
}

#[test]
fn releasing_hangs_up_on_whoever_is_not_connected() {
    let (mut world, request) = connecting(allocated());
    world.open(request, STREAM);
    world.release();
    world.run(secs(1.0));
    let interrupted = not_connected(PEER, ConnectFailure::Interrupted);
    assert_eq!(world.events(), [interrupted, Event::Released]);
    assert_eq!(world.needs, [Need::Close { socket: STREAM }]);
}

#[test]
fn the_allocation_is_refreshed_on_the_control_connection_for_as_long_as_it_is_kept() {
    // TTCP-4.2-1, TTCP-4.6-1
    let (mut world, request) = connecting(allocated());
    world.open(request, STREAM);
    world.run(secs(6.0 * 3600.0));
    let refreshes = world.server.of(Method::REFRESH);
    assert!(refreshes.len() > 36, "{}", refreshes.len());
    assert!(refreshes.iter().all(|asked| asked.stream.is_none()));
    assert_eq!(world.events(), [Event::Connected { peer: at(PEER), stream: STREAM }]);
}

#[test]
fn what_is_of_datagrams_has_no_place_in_a_tcp_allocation_nor_the_other_way_round() {
    let mut world = permitted();
    assert_eq!(world.client.send_plan(world.now, at(PEER), 5), Err(SendError::NotDatagrams));
    world.bind(PEER);
    let Some(Event::ChannelRefused { why, .. }) = world.events().pop() else { panic!("a channel") };
    assert_eq!(why.code, 403);
    world.connect("[2001:db8::7]:9");
    let Some(Event::NotConnected { why: ConnectFailure::Refused(why), .. }) = world.events().pop() else {
        panic!("a peer of the other family")
    };
    assert_eq!(why.code, 443);

    let mut udp = World::allocated();
    udp.connect(PEER);
    assert_eq!(udp.events(), [not_connected(PEER, ConnectFailure::NotTcp)]);
    assert_eq!(USER, "alice");
}
