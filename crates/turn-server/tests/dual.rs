//! One allocation with an IPv4 and an IPv6 address (RFC 8656 §7.2, §8).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails has found what the test looks for"
)]

mod support;

use std::net::SocketAddr;

use floe_stun::attribute::{
    AdditionalAddressFamily, AddressErrorCode, EvenPort, Family, Lifetime, RequestedAddressFamily,
    RequestedTransport,
};
use floe_stun::{Builder, Dropped, Failure, Input, Message, Method, Received, SocketId};
use floe_turn_server::{Config, Event, Limits, Released};
use support::{Client, World, addr, app, code, config, secs};

const V4_PEER: &str = "198.51.100.7:7000";
const V6_PEER: &str = "[2001:db8:7::7]:7000";

fn both(builder: Builder<'_>) -> Builder<'_> {
    builder.attribute(&RequestedTransport::UDP).attribute(&AdditionalAddressFamily(Family::Ipv6))
}

/// Alice with both addresses, and the sockets they are of.
fn world() -> (World, Client, [SocketAddr; 2], [SocketId; 2]) {
    let (mut world, mut alice) = (World::new(), Client::alice());
    alice.challenge(&mut world);
    world.opens = false;
    let request = alice.signed(Method::ALLOCATE, both);
    assert_eq!(alice.ask(&mut world, &request), None);
    let sockets = [world.open_one(), world.open_one()];
    let answer = alice.answer(&mut world, &request).unwrap();
    world.opens = true;
    let relayed = alice.all_relayed(&answer).try_into().unwrap();
    (world, alice, relayed, sockets)
}

fn refresh(world: &mut World, alice: &mut Client, family: Family, lifetime: u64) -> u16 {
    alice.code_of(world, Method::REFRESH, |b| {
        b.attribute(&RequestedAddressFamily(family)).attribute(&Lifetime(secs(lifetime)))
    })
}

/// What an answer says of the family that is missing.
fn missing(answer: &[u8]) -> Option<(Family, u16)> {
    let missing = Message::decode(answer).unwrap().find::<AddressErrorCode<'_>>();
    missing.map(|missing| (missing.family, missing.code))
}

/// TURNS-7.2-8, TURNS-7.2-12
#[test]
fn one_allocation_has_an_address_of_each_family() {
    let (mut world, mut alice, [v4, v6], [to_v4, to_v6]) = world();
    assert!(v4.is_ipv4() && v6.is_ipv6());
    assert_eq!(world.server.stats().allocations, 1);
    let Some(Event::Allocated { relayed, second, socket, .. }) = world.events.last() else { panic!() };
    assert_eq!((*relayed, *second, *socket), (v4, Some(v6), to_v4));

    assert_eq!(alice.permit(&mut world, &[V4_PEER, V6_PEER]), 0);
    for (peer, socket) in [(V4_PEER, to_v4), (V6_PEER, to_v6)] {
        let sent = app(alice.send(&mut world, peer, b"out"));
        assert_eq!((sent.socket, sent.to), (socket, addr(peer)));
        let heard = app(world.datagram(socket, addr(peer), b"in"));
        assert_eq!(heard.to, alice.address);
    }
}

/// RFC 8656 §6: "the time-to-expiry for each relayed transport address".
#[test]
fn each_of_two_families_has_its_own_time() {
    let (mut world, mut alice, _, [to_v4, to_v6]) = world();
    assert_eq!(alice.bind(&mut world, 0x4001, V6_PEER), 0);
    world.pass(secs(400));
    assert_eq!(refresh(&mut world, &mut alice, Family::Ipv6, 600), 0);
    world.pass(secs(200));
    assert_eq!(world.closed, [to_v4]);
    assert_eq!(refresh(&mut world, &mut alice, Family::Ipv4, 600), 443);
    assert_eq!(world.server.stats().allocations, 1);
    assert_eq!(alice.bind(&mut world, 0x4001, V6_PEER), 0);
    app(world.datagram(to_v6, addr(V6_PEER), b"still heard"));
    world.pass(secs(400));
    assert_eq!(world.closed, [to_v4, to_v6]);
    assert!(matches!(world.events.last(), Some(Event::Released { why: Released::Expired, .. })));
    assert!(world.server.is_idle());
}

#[test]
fn a_refresh_without_a_family_is_for_both() {
    let (mut world, mut alice, ..) = world();
    world.pass(secs(400));
    assert_eq!(alice.refresh(&mut world, None), (0, Some(600)));
    world.pass(secs(599));
    assert!(world.closed.is_empty());
    world.pass(secs(1));
    assert_eq!(world.closed.len(), 2);
}

/// RFC 8656 §8.1: "Deleting a single allocation destroys any permissions or channels associated with that particular
/// allocation; it MUST NOT affect any permissions or channels associated with allocations for the other address family."
#[test]
fn a_family_that_is_deleted_takes_what_belongs_to_it_along_and_nothing_else() {
    for (gone, lost, kept, place) in
        [(Family::Ipv6, V6_PEER, V4_PEER, 1), (Family::Ipv4, V4_PEER, V6_PEER, 0)]
    {
        let (mut world, mut alice, _, sockets) = world();
        assert_eq!(alice.bind(&mut world, 0x4001, lost), 0);
        assert_eq!(alice.bind(&mut world, 0x4002, kept), 0);
        assert_eq!(refresh(&mut world, &mut alice, gone, 0), 0);
        assert_eq!(world.closed, [sockets[place]]);

        assert_eq!(alice.send(&mut world, lost, b"x"), Received::Dropped(Dropped::NoPermission));
        assert_eq!(alice.permit(&mut world, &[lost]), 443);
        assert_eq!(alice.bind(&mut world, 0x4001, lost), 443);
        assert_eq!(
            world.datagram(alice.socket, alice.address, b"\x40\x01\0\x01x"),
            Received::Dropped(Dropped::UnknownChannel)
        );
        let heard = app(world.datagram(sockets[1 - place], addr(kept), b"in"));
        assert_eq!(heard.bytes[..2], *b"\x40\x02");
        let other = if kept == V4_PEER { "198.51.100.8:1" } else { "[2001:db8:7::8]:1" };
        assert_eq!(alice.bind(&mut world, 0x4001, other), 0, "the number is free again");
        assert_eq!(refresh(&mut world, &mut alice, gone, 0), 443);

        // What is left goes like any allocation.
        let left = if gone == Family::Ipv4 { Family::Ipv6 } else { Family::Ipv4 };
        assert_eq!(refresh(&mut world, &mut alice, left, 0), 0);
        assert!(world.server.is_idle());
    }
}

/// TURNS-7.2-8: a host without room for IPv6 is not a host without IPv6, or clients would not ask again.
#[test]
fn where_only_one_family_is_to_be_had_it_is_given_with_the_reason() {
    for why in [Failure::Exhausted, Failure::Unreachable] {
        let (mut world, mut alice) = (World::new(), Client::alice());
        alice.challenge(&mut world);
        world.opens = false;
        let request = alice.signed(Method::ALLOCATE, both);
        assert_eq!(alice.ask(&mut world, &request), None);
        world.open_one();
        world.fail_one(why);
        let answer = alice.answer(&mut world, &request).unwrap();
        assert!(matches!(alice.all_relayed(&answer)[..], [SocketAddr::V4(_)]));
        assert_eq!(missing(&answer), Some((Family::Ipv6, 508)));
    }
    for why in [Failure::Exhausted, Failure::Unreachable] {
        let (mut world, mut alice) = (World::new(), Client::alice());
        alice.challenge(&mut world);
        world.opens = false;
        let request = alice.signed(Method::ALLOCATE, both);
        assert_eq!(alice.ask(&mut world, &request), None);
        world.fail_one(why);
        world.open_one();
        let answer = alice.answer(&mut world, &request).unwrap();
        assert!(matches!(alice.all_relayed(&answer)[..], [SocketAddr::V6(_)]));
        assert_eq!(missing(&answer), Some((Family::Ipv4, 508)));
    }
}

/// TURNS-7.2-8
#[test]
fn ports_that_have_run_out_in_one_family_leave_the_other() {
    let mut world = World::with(config().with_relay_ports(50_000..=50_000));
    let mut bob = Client::bob();
    bob.allocate(&mut world);
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, both);
    assert!(matches!(alice.all_relayed(&answer)[..], [SocketAddr::V6(_)]));
    assert_eq!(missing(&answer), Some((Family::Ipv4, 508)));

    let mut carol = Client { address: addr("203.0.113.8:1000"), ..Client::alice() };
    carol.challenge(&mut world);
    assert_eq!(carol.code_of(&mut world, Method::ALLOCATE, both), 508);
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.refresh(&mut world, Some(0)).0, 0);
    }
    assert!(world.server.is_idle());
}

/// TURNS-7.2-7: REQUESTED-ADDRESS-FAMILY is absent, so IPv4 is asked for and the server has none.
#[test]
fn a_server_without_ipv4_refuses_both() {
    let config = Config::new(support::REALM).with_user("alice", "wonderland");
    let mut world = World::with(config.with_relay(addr("[2001:db8::1]:0").ip()));
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, both), 440);
}

#[test]
fn an_even_port_is_even_in_both_families() {
    for n in 0..20 {
        let (mut world, mut alice) = (World::new(), Client::alice());
        alice.next_id = n;
        alice.challenge(&mut world);
        let even = EvenPort { reserve_next: false };
        let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| both(b).attribute(&even));
        let ports: Vec<_> = alice.all_relayed(&answer).iter().map(|address| address.port() % 2).collect();
        assert_eq!(ports, [0, 0]);
    }
}

#[test]
fn two_addresses_are_one_place_of_the_quota() {
    let mut limits = Limits::default();
    limits.allocations_per_user = 1;
    let mut world = World::with(config().with_limits(limits));
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, both), 0);
    assert_eq!(refresh(&mut world, &mut alice, Family::Ipv6, 0), 0);
    let mut again = Client { address: addr("203.0.113.8:1000"), ..Client::alice() };
    again.challenge(&mut world);
    assert_eq!(again.code_of(&mut world, Method::ALLOCATE, both), 486, "the other half is there still");
    assert_eq!(refresh(&mut world, &mut alice, Family::Ipv4, 0), 0);
    assert_eq!(again.code_of(&mut world, Method::ALLOCATE, both), 0);
}

#[test]
fn a_socket_that_is_gone_before_the_other_is_open_ends_the_attempt() {
    let (mut world, mut alice) = (World::new(), Client::alice());
    alice.challenge(&mut world);
    world.opens = false;
    let request = alice.signed(Method::ALLOCATE, both);
    assert_eq!(alice.ask(&mut world, &request), None);
    let first = world.open_one();
    assert_eq!(
        world.datagram(first, addr(V4_PEER), b"early"),
        Received::Dropped(Dropped::NoPermission),
        "nobody may send there yet"
    );
    assert_eq!(world.input(Input::Closed { socket: first }), Received::Consumed);
    let answer = alice.answer(&mut world, &request).unwrap();
    assert_eq!((code(&answer), world.closed.len()), (508, 0));
    let late = world.open_one();
    assert_eq!(world.closed, [late]);
    assert!(world.server.is_idle());
}

#[test]
fn either_socket_that_is_gone_takes_the_other_along() {
    for place in [0, 1] {
        let (mut world, mut alice, _, sockets) = world();
        assert_eq!(world.input(Input::Closed { socket: sockets[place] }), Received::Consumed);
        assert_eq!(world.closed, [sockets[1 - place]]);
        assert_eq!(alice.refresh(&mut world, None).0, 437);
        assert!(world.server.is_idle());
    }
}

#[test]
fn the_permissions_of_a_family_that_is_deleted_make_room() {
    let mut limits = Limits::default();
    limits.permissions = 2;
    let mut world = World::with(config().with_limits(limits));
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, both), 0);
    assert_eq!(alice.permit(&mut world, &[V4_PEER, V6_PEER]), 0);
    assert_eq!(alice.permit(&mut world, &["198.51.100.8:0"]), 508);
    assert_eq!(refresh(&mut world, &mut alice, Family::Ipv6, 0), 0);
    assert_eq!(alice.permit(&mut world, &["198.51.100.8:0"]), 0);
    app(alice.send(&mut world, V4_PEER, b"x"));
}
