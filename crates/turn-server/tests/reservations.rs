//! Pairs of ports, of which the second waits for another allocation (RFC 8656 §7.2).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails has found what the test looks for"
)]

mod support;

use std::net::SocketAddr;

use floe_stun::attribute::{EvenPort, RequestedTransport, ReservationToken};
use floe_stun::{Builder, Dropped, Failure, Input, Message, Method, Received, SocketId};
use floe_turn_server::Limits;
use support::{Client, Scheme, World, addr, code, config, relayed, secs};

fn pair(builder: Builder<'_>) -> Builder<'_> {
    builder.attribute(&RequestedTransport::UDP).attribute(&EvenPort { reserve_next: true })
}

fn token(answer: &[u8]) -> ReservationToken {
    assert_eq!(code(answer), 0);
    Message::decode(answer).unwrap().find().unwrap()
}

fn client(n: u8) -> Client {
    Client::new(&format!("203.0.113.{n}:4000"), "alice", "wonderland", Scheme::Sha256)
}

/// Somebody with an even port, and the socket and the token of the port behind it.
fn reserved(world: &mut World) -> (Client, SocketAddr, SocketId, ReservationToken) {
    let mut alice = client(1);
    alice.challenge(world);
    let opens = std::mem::replace(&mut world.opens, false);
    let request = alice.signed(Method::ALLOCATE, pair);
    assert_eq!(alice.ask(world, &request), None);
    let (_, next) = (world.open_one(), world.open_one());
    world.opens = opens;
    let answer = alice.answer(world, &request).unwrap();
    (alice, relayed(&answer), next, token(&answer))
}

fn redeem(world: &mut World, client: &mut Client, token: ReservationToken) -> Vec<u8> {
    client.challenge(world);
    client.ask_signed(world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP).attribute(&token))
}

/// TURNS-7.2-9
#[test]
fn the_port_behind_an_even_one_is_given_to_who_shows_the_token() {
    let mut world = World::new();
    let (mut alice, even, _, token) = reserved(&mut world);
    assert_eq!(even.port() % 2, 0);
    let mut again = client(2);
    let answer = redeem(&mut world, &mut again, token);
    assert_eq!(relayed(&answer), SocketAddr::new(even.ip(), even.port() + 1));
    assert!(Message::decode(&answer).unwrap().find::<ReservationToken>().is_none());
    assert_eq!(code(&redeem(&mut world, &mut client(3), token)), 508, "it is good once");

    // It outlives the reservation's time and the other half.
    world.pass(secs(31));
    assert_eq!(alice.refresh(&mut world, Some(0)).0, 0);
    assert_eq!(again.refresh(&mut world, Some(0)), (0, Some(0)));
    assert!(world.server.is_idle());
}

/// TURNS-7.2-9: "for at least 30 seconds".
#[test]
fn a_port_is_kept_for_thirty_seconds() {
    let mut world = World::new();
    let (mut alice, _, next, token) = reserved(&mut world);
    world.pass(secs(30) - std::time::Duration::from_nanos(1));
    assert!(world.closed.is_empty());
    world.pass(std::time::Duration::from_nanos(1));
    assert_eq!(world.closed, [next]);
    assert_eq!(code(&redeem(&mut world, &mut client(2), token)), 508);
    assert_eq!(alice.refresh(&mut world, Some(0)).0, 0);
    assert!(world.server.is_idle());
}

#[test]
fn a_token_is_of_no_use_to_another_user() {
    let mut world = World::new();
    let (_, even, _, token) = reserved(&mut world);
    assert_eq!(code(&redeem(&mut world, &mut Client::bob(), token)), 508);
    assert_eq!(relayed(&redeem(&mut world, &mut client(2), token)).port(), even.port() + 1);
}

/// TURNS-5-6
#[test]
fn a_repeated_request_gets_the_same_token() {
    let mut world = World::new();
    let mut alice = client(1);
    alice.challenge(&mut world);
    let request = alice.signed(Method::ALLOCATE, pair);
    let first = alice.ask(&mut world, &request).unwrap();
    assert_eq!(alice.ask(&mut world, &request).unwrap(), first);
    let mut again = client(2);
    again.challenge(&mut world);
    let request =
        again.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP).attribute(&token(&first)));
    let second = again.ask(&mut world, &request).unwrap();
    assert_eq!(code(&second), 0);
    assert_eq!(again.ask(&mut world, &request).unwrap(), second);
}

#[test]
fn where_the_port_behind_is_taken_another_pair_is_looked_for() {
    let mut world = World::with(config().with_relay_ports(50_000..=50_007));
    world.busy = [50_001, 50_003, 50_005].into();
    let mut alice = client(1);
    alice.challenge(&mut world);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, pair);
    assert_eq!(relayed(&answer).port(), 50_006);
    token(&answer);
}

/// TURNS-7.2-9, TURNS-10.2-4: and the half that was open is closed.
#[test]
fn half_a_pair_is_none() {
    let mut world = World::with(config().with_relay_ports(50_000..=50_007));
    world.busy = [50_001, 50_003, 50_005, 50_007].into();
    let mut alice = client(1);
    alice.challenge(&mut world);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, pair), 508);
    assert_eq!(world.closed.len(), 4);
    assert!(world.server.is_idle());

    world.opens = false;
    let request = alice.signed(Method::ALLOCATE, pair);
    assert_eq!(alice.ask(&mut world, &request), None);
    let first = world.open_one();
    world.fail_one(Failure::Exhausted);
    assert_eq!(code(&alice.answer(&mut world, &request).unwrap()), 508);
    assert_eq!(world.closed.last(), Some(&first));
    assert!(world.server.is_idle());
}

/// TURNS-5-5
#[test]
fn a_port_that_is_kept_is_a_place_of_the_quota() {
    for (of_user, of_all, expected) in [(1, 9, 486), (9, 1, 508), (2, 2, 0)] {
        let mut limits = Limits::default();
        (limits.allocations_per_user, limits.allocations) = (of_user, of_all);
        let mut world = World::with(config().with_limits(limits));
        let mut alice = client(1);
        alice.challenge(&mut world);
        assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, pair), expected);
    }
    let mut limits = Limits::default();
    limits.allocations_per_user = 2;
    let mut world = World::with(config().with_limits(limits));
    let (.., token) = reserved(&mut world);
    let mut third = client(3);
    third.challenge(&mut world);
    assert_eq!(third.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP)), 486);
    assert_eq!(code(&redeem(&mut world, &mut client(2), token)), 0, "it has its place already");
    assert_eq!(third.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP)), 486);
}

#[test]
fn while_the_ports_are_opened_both_places_are_taken() {
    let mut limits = Limits::default();
    limits.allocations_per_user = 2;
    let mut world = World::with(config().with_limits(limits));
    world.opens = false;
    let (mut first, mut second) = (client(1), client(2));
    first.challenge(&mut world);
    second.challenge(&mut world);
    let request = first.signed(Method::ALLOCATE, pair);
    assert_eq!(first.ask(&mut world, &request), None);
    assert_eq!(second.code_of(&mut world, Method::ALLOCATE, pair), 486);
}

#[test]
fn a_host_that_chooses_ports_is_asked_until_one_is_even_and_then_for_the_next() {
    let mut world = World::with(config().with_relay_ports(0..=0));
    world.opens = false;
    let mut alice = client(1);
    alice.challenge(&mut world);
    let request = alice.signed(Method::ALLOCATE, pair);
    assert_eq!(alice.ask(&mut world, &request), None);
    let open = |world: &mut World, port: u16| {
        let (request, bind) = world.needs.pop().unwrap();
        let socket = world.socket();
        let local = SocketAddr::new(bind.ip(), port);
        assert_eq!(world.input(Input::Opened { request, socket, local }), Received::Consumed);
        (bind.port(), socket)
    };
    let (asked, odd) = open(&mut world, 40_001);
    assert_eq!((asked, &world.closed[..]), (0, &[odd][..]));
    assert_eq!(open(&mut world, 40_010).0, 0);
    assert_eq!(open(&mut world, 40_011).0, 40_011);
    let answer = alice.answer(&mut world, &request).unwrap();
    assert_eq!(relayed(&answer).port(), 40_010);
    let mut again = client(2);
    assert_eq!(relayed(&redeem(&mut world, &mut again, token(&answer))).port(), 40_011);
    for client in [&mut alice, &mut again] {
        assert_eq!(client.refresh(&mut world, Some(0)).0, 0);
    }
    assert!(world.server.is_idle());
}

#[test]
fn a_host_that_chooses_odd_ports_for_ever_is_not_asked_for_ever() {
    let mut world = World::with(config().with_relay_ports(0..=0));
    world.opens = false;
    let mut alice = client(1);
    alice.challenge(&mut world);
    let even = EvenPort { reserve_next: false };
    let request = alice.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP).attribute(&even));
    assert_eq!(alice.ask(&mut world, &request), None);
    while let Some((request, bind)) = world.needs.pop() {
        let (socket, local) = (world.socket(), SocketAddr::new(bind.ip(), 40_001));
        assert_eq!(world.input(Input::Opened { request, socket, local }), Received::Consumed);
    }
    assert_eq!(code(&alice.answer(&mut world, &request).unwrap()), 508);
    assert_eq!(world.closed.len(), Limits::default().port_attempts);
    assert!(world.server.is_idle());
}

#[test]
fn what_comes_to_a_port_that_is_kept_is_for_nobody() {
    let mut world = World::new();
    let (mut alice, _, next, _) = reserved(&mut world);
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0"]), 0);
    let early = world.datagram(next, addr("198.51.100.7:7"), b"early");
    assert_eq!(early, Received::Dropped(Dropped::NoPermission));
}

#[test]
fn a_port_that_is_kept_and_closed_by_the_host_is_gone() {
    let mut world = World::new();
    let (mut alice, _, next, token) = reserved(&mut world);
    assert_eq!(world.input(Input::Closed { socket: next }), Received::Consumed);
    assert!(world.closed.is_empty());
    assert_eq!(code(&redeem(&mut world, &mut client(2), token)), 508);
    assert_eq!(alice.refresh(&mut world, Some(0)).0, 0);
    assert!(world.server.is_idle());
}

/// TTCP-5.1-3, TURNS-7.2-5
#[test]
fn a_token_is_for_udp_and_of_eight_bytes() {
    let mut world = World::new();
    let (.., token) = reserved(&mut world);
    let mut alice = client(2);
    world.accept(&mut alice);
    alice.challenge(&mut world);
    let asks: [(u16, RequestedTransport); 2] = [(400, RequestedTransport::TCP), (442, RequestedTransport(0))];
    for (expected, transport) in asks {
        let answer =
            alice.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&transport).attribute(&token));
        assert_eq!(answer, expected);
    }
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&token)), 400);
}

#[test]
fn a_server_that_is_closed_keeps_no_port() {
    let mut world = World::new();
    let (.., next, _) = reserved(&mut world);
    world.server.close(world.now);
    world.drain();
    assert!(world.closed.contains(&next) && world.closed.len() == 2);
    assert!(world.server.is_idle());
}
