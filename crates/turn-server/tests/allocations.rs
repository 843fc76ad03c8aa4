//! The life of an allocation.

mod support;

use std::collections::BTreeSet;

use floe_stun::attribute::{
    AdditionalAddressFamily, AddressErrorCode, Attribute, DontFragment, EvenPort, Family, Lifetime, Padding,
    RequestedAddressFamily, RequestedTransport, ReservationToken, UnknownAttributes, XorMappedAddress,
};
use floe_stun::{Builder, Failure, Input, Message, Method, Received, RequestId, SocketId};
use floe_turn_server::{Config, Event, Limits, Released};
use support::{Client, Scheme, V4, World, addr, code, config, relayed, secs};

fn udp(builder: Builder<'_>) -> Builder<'_> {
    builder.attribute(&RequestedTransport::UDP)
}

/// TURNS-7.2-12, TURNS-7.2-10, TURNS-7.2-11
#[test]
fn an_allocation_tells_relayed_and_mapped_address_and_lifetime() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, udp);

    let message = Message::decode(&answer).unwrap();
    let relayed = relayed(&answer);
    assert_eq!(relayed.ip(), addr("192.0.2.1:0").ip());
    assert!(relayed.port() >= 49_152);
    assert_eq!(message.find(), Some(XorMappedAddress(alice.address)));
    assert_eq!(message.find(), Some(Lifetime(secs(600))));
    assert!(!message.has(ReservationToken::TYPE));
    let socket = world.relay_of(&alice);
    let event =
        Event::Allocated { client: alice.address, relayed, second: None, socket, user: "alice".into() };
    assert_eq!(world.events, [event]);
    assert_eq!(world.server.stats().allocations, 1);
}

/// TURNS-7.2-11, TURNS-8.2-2
#[test]
fn lifetimes_are_kept_between_the_default_and_the_maximum() {
    for (asked, granted) in [(1, 600), (600, 600), (1200, 1200), (3600, 3600), (u64::from(u32::MAX), 3600)] {
        let mut world = World::new();
        let mut alice = Client::alice();
        alice.challenge(&mut world);
        let answer =
            alice.ask_signed(&mut world, Method::ALLOCATE, |b| udp(b).attribute(&Lifetime(secs(asked))));
        assert_eq!(Message::decode(&answer).unwrap().find(), Some(Lifetime(secs(granted))), "{asked}");
        assert_eq!(alice.refresh(&mut world, Some(asked)), (0, Some(granted)), "{asked}");
        world.pass(secs(granted) - secs(1));
        assert_eq!(world.server.stats().allocations, 1, "{asked}");
        world.pass(secs(1));
        assert_eq!(world.server.stats().allocations, 0, "{asked}");
    }
}

/// TURNS-5-1; the driver sleeps exactly until the moment the server names.
#[test]
fn an_allocation_that_nobody_refreshes_ends_on_time() {
    let mut world = World::new();
    let mut alice = Client::alice();
    let relayed = alice.allocate(&mut world);
    let socket = world.relay_of(&alice);
    let start = world.now;
    world.pass(secs(300));
    assert_eq!(alice.refresh(&mut world, None), (0, Some(600)));
    assert_eq!(world.until, Some(start + secs(900)));

    world.pass(secs(599));
    assert!(world.closed.is_empty());
    world.pass(secs(1));

    assert_eq!(world.closed, [socket]);
    let (client, user) = (alice.address, "alice".into());
    let released = Event::Released { client, relayed, user, why: Released::Expired };
    assert_eq!(world.events.last(), Some(&released));
    assert_eq!(world.until, None);
    assert_eq!(alice.refresh(&mut world, None).0, 437);
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0"]), 437);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.7:7"), 437);
}

#[test]
fn many_allocations_end_one_by_one_at_the_moments_named() {
    let mut world = World::new();
    for n in 0..20 {
        let mut client = Client::new(&format!("203.0.113.{n}:4000"), "alice", "wonderland", Scheme::Md5);
        client.allocate(&mut world);
        world.pass(secs(7));
    }
    let mut ends = Vec::new();
    while let Some(until) = world.until {
        world.pass(until - world.now);
        ends.push(world.server.stats().allocations);
    }
    assert_eq!(ends, (0..20).rev().collect::<Vec<_>>());
}

/// TURNS-8.2-2
#[test]
fn lifetime_zero_deletes_at_once_and_the_five_tuple_is_free_again() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    let socket = world.relay_of(&alice);
    let request = alice.signed(Method::REFRESH, |b| b.attribute(&Lifetime(secs(0))));

    let answer = alice.ask(&mut world, &request).unwrap();

    alice.check(&answer);
    assert_eq!(Message::decode(&answer).unwrap().find(), Some(Lifetime(secs(0))));
    assert_eq!(world.closed, [socket]);
    assert!(matches!(world.events.last(), Some(Event::Released { why: Released::Deleted, .. })));
    // A retransmission finds nothing any more, which the client takes for success (RFC 8656 §8.2).
    assert_eq!(code(&alice.ask(&mut world, &request).unwrap()), 437);
    alice.allocate(&mut world);
}

/// TURNS-5-6, STUN-6.3.1-2
#[test]
fn a_retransmitted_allocate_gets_the_same_address_and_takes_nothing_more() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let request = alice.signed(Method::ALLOCATE, udp);
    let first = alice.ask(&mut world, &request).unwrap();
    let again = alice.ask(&mut world, &request).unwrap();
    assert_eq!(again, first);
    let stats = world.server.stats();
    assert_eq!((stats.allocations, stats.allocations_total), (1, 1));
}

/// TURNS-5-6: while the socket is being opened, too.
#[test]
fn an_allocate_that_waits_for_its_socket_is_answered_once() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    world.opens = false;
    let request = alice.signed(Method::ALLOCATE, udp);
    for _ in 0..3 {
        assert_eq!(alice.ask(&mut world, &request), None);
    }
    assert_eq!(world.needs.len(), 1);
    let another = alice.signed(Method::ALLOCATE, udp);
    assert_eq!(code(&alice.ask(&mut world, &another).unwrap()), 437);

    world.meet_needs();

    let answer = alice.answer(&mut world, &request).unwrap();
    alice.check(&answer);
    assert_eq!(code(&answer), 0);
}

/// TURNS-7.2-2
#[test]
fn a_five_tuple_has_one_allocation() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    assert_eq!(code(&alice.ask_signed(&mut world, Method::ALLOCATE, udp)), 437);

    // The same transaction id of another user is no retransmission.
    let mut bob = Client { address: alice.address, nonce: alice.nonce.clone(), ..Client::bob() };
    bob.next_id = alice.next_id - 2;
    assert_eq!(code(&bob.ask_signed(&mut world, Method::ALLOCATE, udp)), 437);
    assert_eq!(world.server.stats().allocations, 1);
}

/// TURNS-5-2
#[test]
fn another_user_cannot_touch_an_allocation() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    let mut bob = Client { address: alice.address, nonce: alice.nonce.clone(), ..Client::bob() };
    assert_eq!(bob.refresh(&mut world, Some(0)).0, 441);
    assert_eq!(bob.permit(&mut world, &["198.51.100.7:0"]), 441);
    assert_eq!(bob.bind(&mut world, 0x4000, "198.51.100.7:7"), 441);
    assert_eq!(world.server.stats().allocations, 1);
    assert_eq!(alice.refresh(&mut world, None).0, 0);
}

/// TURNS-7.2-3, TTCP-5.1-1, TTCP-5.1-2
#[test]
fn the_transport_must_be_udp_or_tcp_for_who_comes_by_tcp() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    assert_eq!(code(&alice.ask_signed(&mut world, Method::ALLOCATE, |b| b)), 400);
    for (number, expected) in [(6, 400), (0, 442), (255, 442)] {
        let answer =
            alice.ask_signed(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport(number)));
        assert_eq!(code(&answer), expected, "{number}");
    }
    assert_eq!(world.server.stats().allocations, 0);
}

/// TURNS-7.2-7
#[test]
fn a_family_is_had_where_the_server_has_it() {
    let family = |world: &mut World, family: Option<Family>| {
        let mut alice = Client::alice();
        alice.challenge(world);
        let family = family.map(RequestedAddressFamily);
        alice.ask_signed(world, Method::ALLOCATE, |b| udp(b).maybe(family.as_ref()))
    };
    assert!(relayed(&family(&mut World::new(), None)).is_ipv4());
    assert!(relayed(&family(&mut World::new(), Some(Family::Ipv4))).is_ipv4());
    assert!(relayed(&family(&mut World::new(), Some(Family::Ipv6))).is_ipv6());

    let only = |ip: &str| {
        World::with(
            Config::new(support::REALM).with_user("alice", "wonderland").with_relay(ip.parse().unwrap()),
        )
    };
    assert_eq!(code(&family(&mut only("192.0.2.1"), Some(Family::Ipv6))), 440);
    assert_eq!(code(&family(&mut only("2001:db8::1"), Some(Family::Ipv4))), 440);
    assert_eq!(code(&family(&mut only("2001:db8::1"), None)), 440);
    assert!(relayed(&family(&mut only("2001:db8::1"), Some(Family::Ipv6))).is_ipv6());

    // The family is looked at before the port.
    let mut world = only("2001:db8::1");
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let pair = EvenPort { reserve_next: true };
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| udp(b).attribute(&pair));
    assert_eq!(code(&answer), 440);
}

/// TURNS-7.2-4
#[test]
fn dont_fragment_is_an_unknown_attribute() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| udp(b).attribute(&DontFragment));
    let message = Message::decode(&answer).unwrap();
    assert_eq!(code(&answer), 420);
    let listed: Vec<u16> = message.find::<UnknownAttributes<'_>>().unwrap().iter().collect();
    assert_eq!(listed, [DontFragment::TYPE]);
}

/// TURNS-7.2-5, TURNS-7.2-6
#[test]
fn reservations_are_refused_as_the_rfc_says() {
    const TOKEN: ReservationToken = ReservationToken([7; 8]);
    const ONE: RequestedAddressFamily = RequestedAddressFamily(Family::Ipv4);
    const BOTH: AdditionalAddressFamily = AdditionalAddressFamily(Family::Ipv6);
    const EVEN: EvenPort = EvenPort { reserve_next: false };
    const PAIR: EvenPort = EvenPort { reserve_next: true };
    type Build = for<'b> fn(Builder<'b>) -> Builder<'b>;
    let cases: [(u16, Build); 7] = [
        (508, |b| b.attribute(&TOKEN)),
        (400, |b| b.attribute(&TOKEN).attribute(&EVEN)),
        (400, |b| b.attribute(&TOKEN).attribute(&ONE)),
        (400, |b| b.attribute(&TOKEN).attribute(&BOTH)),
        (400, |b| b.attribute(&ONE).attribute(&BOTH)),
        (400, |b| b.attribute(&AdditionalAddressFamily(Family::Ipv4))),
        (400, |b| b.attribute(&BOTH).attribute(&PAIR)),
    ];
    for (place, (expected, build)) in cases.into_iter().enumerate() {
        let mut world = World::new();
        let mut alice = Client::alice();
        alice.challenge(&mut world);
        let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| build(udp(b)));
        assert_eq!(code(&answer), expected, "case {place}");
        assert_eq!(world.server.stats().allocations, 0);
    }
}

/// TURNS-7.2-8
#[test]
fn who_asks_for_both_families_where_there_is_one_gets_it_and_the_reason() {
    let config = Config::new(support::REALM).with_user("alice", "wonderland");
    let mut world = World::with(config.with_relay("192.0.2.1".parse().unwrap()));
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let both = AdditionalAddressFamily(Family::Ipv6);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| udp(b).attribute(&both));
    assert!(relayed(&answer).is_ipv4());
    let AddressErrorCode { family, code, .. } = Message::decode(&answer).unwrap().find().unwrap();
    assert_eq!((family, code), (Family::Ipv6, 440));
}

#[test]
fn an_even_port_is_even() {
    let mut world = World::new();
    for n in 0..20 {
        let mut client = Client::new(&format!("203.0.113.{n}:4000"), "alice", "wonderland", Scheme::Sha256);
        client.challenge(&mut world);
        let even = EvenPort { reserve_next: false };
        let answer = client.ask_signed(&mut world, Method::ALLOCATE, |b| udp(b).attribute(&even));
        assert_eq!(relayed(&answer).port() % 2, 0);
    }
}

/// TURNS-6-1, TURNS-7.2-10
#[test]
fn ports_are_random_and_never_given_twice() {
    let mut world = World::with(config().with_relay_ports(50_000..=50_015));
    let mut clients: Vec<_> = (0..17)
        .map(|n| Client::new(&format!("203.0.113.{n}:4000"), "alice", "wonderland", Scheme::Md5))
        .collect();
    let ports: Vec<u16> =
        clients.iter_mut().take(16).map(|client| client.allocate(&mut world).port()).collect();
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 16);
    assert!(!ports.is_sorted(), "{ports:?}");

    clients[16].challenge(&mut world);
    assert_eq!(code(&clients[16].ask_signed(&mut world, Method::ALLOCATE, udp)), 508);
    assert_eq!(clients[3].refresh(&mut world, Some(0)).0, 0);
    assert_eq!(relayed(&clients[16].ask_signed(&mut world, Method::ALLOCATE, udp)).port(), ports[3]);
}

#[test]
fn the_host_may_choose_the_port() {
    let mut world = World::with(config().with_relay_ports(0..=0));
    assert_eq!(Client::alice().allocate(&mut world).port(), 40_000);
    assert_eq!(Client::bob().allocate(&mut world).port(), 40_000, "the second time on another host, say");
}

#[test]
fn a_socket_bound_to_all_addresses_is_told_by_the_relays_own() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    world.opens = false;
    let request = alice.signed(Method::ALLOCATE, udp);
    assert_eq!(alice.ask(&mut world, &request), None);
    let (need, _) = world.needs.remove(0);
    let local = addr("0.0.0.0:50123");
    let opened = Input::Opened { request: need, socket: SocketId(55), local };
    assert_eq!(world.input(opened), Received::Consumed);
    assert_eq!(relayed(&alice.answer(&mut world, &request).unwrap()), addr("192.0.2.1:50123"));
}

/// TURNS-7.2-10
#[test]
fn a_port_that_is_taken_is_left_alone() {
    let mut world = World::with(config().with_relay_ports(50_000..=50_007));
    world.busy = (50_000..=50_006).collect();
    assert_eq!(Client::alice().allocate(&mut world).port(), 50_007);
}

#[test]
fn tries_for_a_port_are_numbered_and_cost_nothing_in_the_end() {
    let mut limits = Limits::default();
    limits.port_attempts = 4;
    let mut world = World::with(config().with_relay_ports(50_000..=50_007).with_limits(limits));
    world.busy = (50_000..=50_007).collect();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    world.opens = false;
    let request = alice.signed(Method::ALLOCATE, udp);
    assert_eq!(alice.ask(&mut world, &request), None);
    let mut tried = BTreeSet::new();
    while let [(_, bind)] = world.needs[..] {
        tried.insert(bind.port());
        world.meet_needs();
    }
    assert_eq!(tried.len(), 4);
    let answer = alice.answer(&mut world, &request).unwrap();
    alice.check(&answer);
    assert_eq!(code(&answer), 508);

    (world.opens, world.busy) = (true, BTreeSet::new());
    for n in 0..8 {
        let mut bob = Client { address: addr(&format!("203.0.113.6:{}", 5000 + n)), ..Client::bob() };
        bob.allocate(&mut world);
    }
}

/// Every failure but a taken port is final, and gives back what was held.
#[test]
fn a_host_that_cannot_open_sockets_means_508() {
    let mut limits = Limits::default();
    (limits.allocations, limits.allocations_per_user) = (1, 1);
    let mut world = World::with(config().with_relay_ports(50_000..=50_003).with_limits(limits));
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    world.opens = false;
    for why in [Failure::Exhausted, Failure::Unreachable, Failure::Unsupported] {
        let request = alice.signed(Method::ALLOCATE, udp);
        assert_eq!(alice.ask(&mut world, &request), None);
        let (need, _) = world.needs.pop().unwrap();
        assert_eq!(world.input(Input::Failed { request: need, why }), Received::Consumed);
        assert_eq!(code(&alice.answer(&mut world, &request).unwrap()), 508);
    }
    world.opens = true;
    assert_eq!(code(&alice.ask_signed(&mut world, Method::ALLOCATE, udp)), 0);
}

/// TURNS-7.2-13
#[test]
fn quotas_hold_for_a_user_and_for_all() {
    let mut limits = Limits::default();
    (limits.allocations, limits.allocations_per_user) = (3, 2);
    let mut world = World::with(config().with_limits(limits));
    let client = |n: u8, user| {
        let password = if user == "alice" { "wonderland" } else { "builder" };
        Client::new(&format!("203.0.113.{n}:4000"), user, password, Scheme::Md5)
    };
    let mut first = client(1, "alice");
    first.allocate(&mut world);
    client(2, "alice").allocate(&mut world);
    let mut third = client(3, "alice");
    third.challenge(&mut world);
    assert_eq!(code(&third.ask_signed(&mut world, Method::ALLOCATE, udp)), 486);
    client(4, "bob").allocate(&mut world);
    let mut fifth = client(5, "bob");
    fifth.challenge(&mut world);
    assert_eq!(code(&fifth.ask_signed(&mut world, Method::ALLOCATE, udp)), 508);

    assert_eq!(first.refresh(&mut world, Some(0)).0, 0);
    assert_eq!(code(&third.ask_signed(&mut world, Method::ALLOCATE, udp)), 0);
}

/// TURNS-8.2-1
#[test]
fn a_refresh_of_the_other_family_is_refused() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    for (family, expected) in [(Family::Ipv6, 443), (Family::Ipv4, 0)] {
        let answer =
            alice.ask_signed(&mut world, Method::REFRESH, |b| b.attribute(&RequestedAddressFamily(family)));
        assert_eq!(code(&answer), expected);
    }
}

#[test]
fn a_client_over_ipv6_may_relay_over_ipv4() {
    let mut world = World::new();
    let mut alice = Client::new("[2001:db8::5]:40000", "alice", "wonderland", Scheme::Sha256);
    assert!(alice.allocate(&mut world).is_ipv4());
}

#[test]
fn a_socket_that_vanishes_takes_its_allocation_along() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Client::alice(), Client::bob());
    alice.allocate(&mut world);
    bob.allocate(&mut world);
    let (a, b) = (world.relay_of(&alice), world.relay_of(&bob));
    assert_eq!(world.input(Input::Closed { socket: a }), Received::Consumed);
    assert!(world.closed.is_empty(), "it is closed already");
    assert!(matches!(world.events.last(), Some(Event::Released { why: Released::SocketClosed, .. })));
    assert_eq!(alice.refresh(&mut world, None).0, 437);
    assert_eq!(bob.refresh(&mut world, None).0, 0);

    assert_eq!(world.input(Input::Closed { socket: V4 }), Received::Consumed);
    assert_eq!(world.closed, [b]);
    assert_eq!(world.datagram(V4, bob.address, b"x"), Received::NotMine);
    assert_eq!(world.input(Input::Closed { socket: SocketId(999) }), Received::NotMine);
}

#[test]
fn closing_ends_everything_and_forgets_no_socket() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Client::alice(), Client::bob());
    alice.allocate(&mut world);
    let a = world.relay_of(&alice);
    bob.challenge(&mut world);
    world.opens = false;
    let request = bob.signed(Method::ALLOCATE, udp);
    assert_eq!(bob.ask(&mut world, &request), None);

    world.server.close(world.now);
    world.drain();

    assert_eq!(world.closed, [a]);
    assert!(matches!(world.events.last(), Some(Event::Released { why: Released::ServerClosed, .. })));
    // The socket that bob waited for comes too late, and is closed too.
    let (request, local) = world.needs.remove(0);
    let late = SocketId(55);
    assert_eq!(world.input(Input::Opened { request, socket: late, local }), Received::Consumed);
    assert_eq!(world.closed, [a, late]);
    assert_eq!(world.until, None);
    let binding = alice.bare(Method::BINDING, |b| b);
    let verdict = world.datagram(V4, alice.address, &binding);
    assert_eq!(verdict, Received::Dropped(floe_stun::Dropped::Closed));
}

#[test]
fn answers_to_needs_that_were_never_uttered_are_not_ours() {
    let mut world = World::new();
    let (request, local) = (RequestId(77), addr("192.0.2.1:50000"));
    let opened = Input::Opened { request, socket: SocketId(55), local };
    assert_eq!(world.input(opened), Received::NotMine);
    assert_eq!(world.input(Input::Failed { request, why: Failure::InUse }), Received::NotMine);
}

#[test]
fn a_clock_that_goes_back_stands_still_and_one_that_jumps_ends_what_is_over() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    let now = world.now;
    world.now = now - secs(900);
    assert_eq!(world.input(Input::Timeout), Received::Consumed);
    assert_eq!(alice.refresh(&mut world, None), (0, Some(600)));
    assert_eq!(world.until, Some(now + secs(600)));
    world.now = now + secs(86_400);
    assert_eq!(world.input(Input::Timeout), Received::Consumed);
    assert_eq!((world.until, world.closed.len()), (None, 1));
}

#[test]
fn the_same_seed_and_inputs_give_the_same_life() {
    let life = || {
        let mut world = World::new();
        let mut alice = Client::alice();
        let relayed = alice.allocate(&mut world);
        (relayed, alice.nonce)
    };
    assert_eq!(life(), life());
}

#[test]
fn a_relay_behind_a_nat_tells_the_address_that_the_world_knows() {
    let (local, external) = ("10.0.0.7".parse().unwrap(), "198.51.100.9".parse().unwrap());
    let config =
        Config::new(support::REALM).with_user("alice", "wonderland").with_relay_behind(local, external);
    let mut world = World::with(config);
    world.opens = false;
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let request = alice.signed(Method::ALLOCATE, udp);
    assert_eq!(world.datagram(V4, alice.address, &request), Received::Consumed);
    let [(_, bind)] = world.needs[..] else { panic!("{:?}", world.needs) };
    assert_eq!(bind.ip(), local);
    world.meet_needs();
    let [answer] = &world.take_sent(alice.address)[..] else { panic!("one answer") };
    assert_eq!(relayed(&answer.bytes), std::net::SocketAddr::new(external, bind.port()));
    // What listens beside the relay has the address of the world too.
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.9:22"), 403);
}

/// TURNS-7.2-3
#[test]
fn a_transport_that_cannot_be_read_is_a_bad_request() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    for bent in [&[][..], &[17], &[17, 0, 0, 0, 0]] {
        let answer = alice.code_of(&mut world, Method::ALLOCATE, |b| {
            b.attribute_as(RequestedTransport::TYPE, &Padding(bent))
        });
        assert_eq!(answer, 400, "{bent:?}");
    }
}

#[test]
fn two_clients_of_a_relay_behind_a_nat_reach_each_other_by_what_the_world_knows() {
    let (local, external) = ("10.0.0.7".parse().unwrap(), "198.51.100.9".parse().unwrap());
    let config = Config::new(support::REALM)
        .with_user("alice", "wonderland")
        .with_user("bob", "builder")
        .with_relay_behind(local, external);
    let mut world = World::with(config);
    let (mut alice, mut bob) = (Client::alice(), Client::bob());
    let [a, b] = [alice.allocate(&mut world), bob.allocate(&mut world)];
    assert_eq!([a.ip(), b.ip()], [external; 2]);
    let inside = |address: std::net::SocketAddr| std::net::SocketAddr::new(local, address.port());
    assert_eq!(alice.permit(&mut world, &[&b.to_string()]), 0);
    assert_eq!(bob.bind(&mut world, 0x4001, &a.to_string()), 0);

    let sent = support::app(alice.send(&mut world, &b.to_string(), b"hello"));
    assert_eq!((sent.to, &sent.bytes[..]), (inside(b), &b"hello"[..]), "not by way of the NAT");
    let relay = world.relay_of(&bob);
    let came = support::app(world.datagram(relay, inside(a), &sent.bytes));
    assert_eq!((came.to, &came.bytes[..4]), (bob.address, &[0x40, 0x01, 0, 5][..]), "on his channel to her");
    // The address inside is nobody's name.
    assert_eq!(alice.permit(&mut world, &[&inside(b).to_string()]), 403);
}
