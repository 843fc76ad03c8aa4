//! Allocations that come along when their client moves (RFC 8016).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails has found what the test looks for"
)]

mod support;

use floe_stun::attribute::{
    AdditionalAddressFamily, Family, Lifetime, MobilityTicket, RequestedAddressFamily, RequestedTransport,
    XorPeerAddress,
};
use floe_stun::{Builder, Dropped, Input, Message, Method, Received, SocketId, Transport};
use floe_turn_server::{Event, Limits};
use support::{Client, Scheme, V4, World, addr, app, code, config, relayed, secs};

const PEER: &str = "198.51.100.7:7000";

fn movable(builder: Builder<'_>) -> Builder<'_> {
    builder.attribute(&RequestedTransport::UDP).attribute(&MobilityTicket(&[]))
}

fn ticket(answer: &[u8]) -> Option<Vec<u8>> {
    Message::decode(answer).unwrap().find::<MobilityTicket<'_>>().map(|ticket| ticket.0.into())
}

/// Alice with a ticket and a channel to a peer, her relayed socket and the ticket.
fn world() -> (World, Client, SocketId, Vec<u8>) {
    let mut world = World::new();
    let (alice, relay, ticket) = allocate(&mut world, Client::alice());
    (world, alice, relay, ticket)
}

fn allocate(world: &mut World, mut alice: Client) -> (Client, SocketId, Vec<u8>) {
    alice.challenge(world);
    let answer = alice.ask_signed(world, Method::ALLOCATE, movable);
    relayed(&answer);
    assert_eq!(alice.bind(world, 0x4001, PEER), 0);
    let relay = world.relay_of(&alice);
    (alice, relay, ticket(&answer).unwrap())
}

/// Alice elsewhere.
fn at(world: &mut World, port: u16) -> Client {
    let mut alice = Client { address: addr(&format!("192.0.2.77:{port}")), ..Client::alice() };
    alice.challenge(world);
    alice
}

fn come(alice: &mut Client, ticket: &[u8]) -> Vec<u8> {
    alice.signed(Method::REFRESH, |b| b.attribute(&MobilityTicket(ticket)))
}

/// Refreshes with a ticket; the code, and the next ticket.
fn come_along(world: &mut World, alice: &mut Client, shown: &[u8]) -> (u16, Option<Vec<u8>>) {
    let request = come(alice, shown);
    let answer = alice.ask(world, &request).unwrap();
    alice.check(&answer);
    (code(&answer), ticket(&answer))
}

/// Where data of the peer goes to.
fn heard_at(world: &mut World, relay: SocketId) -> std::net::SocketAddr {
    app(world.datagram(relay, addr(PEER), b"in")).to
}

fn speak(world: &mut World, alice: &Client) -> Received<support::Sent> {
    world.datagram(alice.socket, alice.address, b"\x40\x01\0\x04outs")
}

/// TMOB-3.1.2-1
#[test]
fn a_server_that_forbids_moving_says_so() {
    let mut config = config();
    config.mobility = false;
    let mut world = World::with(config);
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    assert_eq!(alice.code_of(&mut world, Method::ALLOCATE, movable), 405);
    assert!(world.server.is_idle());
    // TMOB-3.2.2-8
    assert_eq!(come_along(&mut world, &mut alice, &[7; 16]), (405, None));
}

/// TMOB-3.1.2-2
#[test]
fn an_allocate_brings_no_ticket() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let filled = alice.code_of(&mut world, Method::ALLOCATE, |b| {
        b.attribute(&RequestedTransport::UDP).attribute(&MobilityTicket(&[1]))
    });
    assert_eq!(filled, 400);
    assert!(world.server.is_idle());
}

/// TMOB-3.1.2-3, TMOB-5-1
#[test]
fn tickets_are_short_and_never_the_same() {
    let mut world = World::new();
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..50 {
        let client = Client::new(&format!("203.0.113.{n}:4000"), "alice", "wonderland", Scheme::Sha256);
        let (_, _, ticket) = allocate(&mut world, client);
        assert_eq!(ticket.len(), 16);
        assert!(seen.insert(ticket));
    }
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let plain = alice.ask_signed(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    assert_eq!(ticket(&plain), None, "who does not ask gets none");
}

#[test]
fn a_repeated_allocate_gets_the_same_ticket() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let request = alice.signed(Method::ALLOCATE, movable);
    let first = alice.ask(&mut world, &request).unwrap();
    assert_eq!(alice.ask(&mut world, &request).unwrap(), first);
}

/// TMOB-3.2.2-1, TMOB-3.2.2-2
#[test]
fn a_client_moves_with_its_allocation_as_soon_as_data_comes() {
    let (mut world, old, relay, first) = world();
    let mut new = at(&mut world, 1);
    let (answer, second) = come_along(&mut world, &mut new, &first);
    assert_eq!(answer, 0);
    assert_ne!(second.unwrap(), first);

    // Until then the old place serves, in both directions.
    assert_eq!(heard_at(&mut world, relay), old.address);
    app(speak(&mut world, &old));
    assert_eq!(heard_at(&mut world, relay), old.address);

    app(speak(&mut world, &new));
    assert_eq!(heard_at(&mut world, relay), new.address);
    let moved = Event::Moved {
        from: old.address,
        to: new.address,
        relayed: world
            .events
            .iter()
            .find_map(|event| match event {
                Event::Allocated { relayed, .. } => Some(*relayed),
                _ => None,
            })
            .unwrap(),
        user: "alice".into(),
    };
    assert_eq!(world.events.last(), Some(&moved));
    assert_eq!(speak(&mut world, &old), Received::Dropped(Dropped::NoAllocation));
    assert_eq!(new.permit(&mut world, &["198.51.100.8:0"]), 0);
    assert_eq!(new.refresh(&mut world, Some(0)), (0, Some(0)));
    assert!(world.server.is_idle());
}

#[test]
fn a_send_indication_ends_the_move_too() {
    let (mut world, _, relay, first) = world();
    let mut new = at(&mut world, 1);
    assert_eq!(come_along(&mut world, &mut new, &first).0, 0);
    app(new.send(&mut world, PEER, b"x"));
    assert_eq!(heard_at(&mut world, relay), new.address);
}

#[test]
fn data_that_is_not_relayed_does_not_end_the_move() {
    let (mut world, old, relay, first) = world();
    let mut new = at(&mut world, 1);
    assert_eq!(come_along(&mut world, &mut new, &first).0, 0);
    let unbound = world.datagram(V4, new.address, b"\x4f\xff\0\0");
    assert_eq!(unbound, Received::Dropped(Dropped::UnknownChannel));
    assert_eq!(heard_at(&mut world, relay), old.address);
}

/// TMOB-3.2.2-4: whether data has come in the meantime or not.
#[test]
fn a_repeated_refresh_gets_the_same_answer() {
    for speaks in [false, true] {
        let (mut world, _, _, first) = world();
        let mut new = at(&mut world, 1);
        let request = come(&mut new, &first);
        let answer = new.ask(&mut world, &request).unwrap();
        if speaks {
            app(speak(&mut world, &new));
        }
        world.pass(secs(39));
        assert_eq!(ticket(&new.ask(&mut world, &request).unwrap()), ticket(&answer));
        world.pass(secs(1));
        assert_eq!(code(&new.ask(&mut world, &request).unwrap()), 400, "it is a new request by now");
        // From elsewhere the old ticket was never good.
        let mut thief = at(&mut world, 2);
        assert_eq!(come_along(&mut world, &mut thief, &first).0, 400);
        assert_eq!(world.server.stats().allocations, 1);
    }
}

#[test]
fn a_ticket_that_was_used_leads_nobody_elsewhere() {
    let (mut world, _, _, first) = world();
    let mut new = at(&mut world, 1);
    assert_eq!(come_along(&mut world, &mut new, &first).0, 0);
    let mut thief = at(&mut world, 2);
    assert_eq!(come_along(&mut world, &mut thief, &first), (400, None));
}

#[test]
fn a_client_that_moves_on_before_it_speaks_leaves_the_place_between() {
    let (mut world, old, relay, first) = world();
    let (mut between, mut last) = (at(&mut world, 1), at(&mut world, 2));
    let second = come_along(&mut world, &mut between, &first).1.unwrap();
    let third = come_along(&mut world, &mut last, &second).1.unwrap();
    assert_eq!(speak(&mut world, &between), Received::Dropped(Dropped::NoAllocation));
    assert_eq!(heard_at(&mut world, relay), old.address);
    app(speak(&mut world, &last));
    assert_eq!(heard_at(&mut world, relay), last.address);

    // And on, and on: nothing of it piles up.
    let mut shown = third;
    for port in 10..30 {
        world.pass(secs(1));
        let mut next = at(&mut world, port);
        shown = come_along(&mut world, &mut next, &shown).1.unwrap();
        if port % 2 == 0 {
            app(speak(&mut world, &next));
        }
        last = next;
    }
    app(speak(&mut world, &last));
    assert_eq!(last.refresh(&mut world, Some(0)).0, 0);
    assert!(world.server.is_idle());
}

/// TMOB-3.2.2-5, TMOB-3.2.2-1
#[test]
fn a_ticket_that_is_none_is_refused() {
    let (mut world, mut alice, _, first) = world();
    let mut new = at(&mut world, 1);
    for bent in [&[][..], &first[..15], &[&first[..], &[0]].concat()] {
        assert_eq!(come_along(&mut world, &mut new, bent), (400, None));
    }
    assert_eq!(come_along(&mut world, &mut new, &[7; 16]), (437, None));
    assert_eq!(alice.refresh(&mut world, Some(0)).0, 0);
    assert_eq!(come_along(&mut world, &mut new, &first), (437, None), "its allocation is gone");
}

/// TMOB-3.2.2-6
#[test]
fn a_ticket_is_of_no_use_where_the_client_is() {
    let (mut world, mut alice, _, first) = world();
    assert_eq!(come_along(&mut world, &mut alice, &first), (400, None));
    let mut new = at(&mut world, 1);
    let second = come_along(&mut world, &mut new, &first).1.unwrap();
    assert_eq!(come_along(&mut world, &mut new, &second), (400, None));
    assert_eq!(come_along(&mut world, &mut alice, &second), (400, None));
    assert_eq!(alice.refresh(&mut world, None).0, 0, "without it all is well");
    assert_eq!(new.refresh(&mut world, None).0, 0);
}

/// TMOB-3.2.2-7; reliability: a resume must be judged by who made the allocation.
#[test]
fn another_user_with_the_ticket_gets_nothing() {
    let (mut world, alice, relay, first) = world();
    let mut bob = Client::bob();
    bob.challenge(&mut world);
    assert_eq!(come_along(&mut world, &mut bob, &first), (441, None));
    let delete =
        bob.signed(Method::REFRESH, |b| b.attribute(&MobilityTicket(&first)).attribute(&Lifetime(secs(0))));
    assert_eq!(code(&bob.ask(&mut world, &delete).unwrap()), 441);
    assert_eq!(speak(&mut world, &bob), Received::Dropped(Dropped::NoAllocation));
    assert_eq!(heard_at(&mut world, relay), alice.address);
}

#[test]
fn who_has_an_allocation_there_cannot_bring_another() {
    let (mut world, _, _, first) = world();
    let mut new = at(&mut world, 1);
    assert_eq!(new.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP)), 0);
    assert_eq!(come_along(&mut world, &mut new, &first), (437, None));
    assert_eq!(world.server.stats().allocations, 2);
}

/// While an allocation is between two places, the new one has an allocation already.
#[test]
fn between_two_places_neither_can_have_another_allocation() {
    let (mut world, mut alice, _, first) = world();
    let mut new = at(&mut world, 1);
    assert_eq!(come_along(&mut world, &mut new, &first).0, 0);
    for client in [&mut alice, &mut new] {
        let answer = client.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
        assert_eq!(answer, 437);
    }
}

/// A21: what a deleting Refresh leaves behind is nothing.
#[test]
fn a_client_may_end_its_allocation_from_elsewhere() {
    let (mut world, mut alice, _, first) = world();
    let mut new = at(&mut world, 1);
    let request =
        new.signed(Method::REFRESH, |b| b.attribute(&MobilityTicket(&first)).attribute(&Lifetime(secs(0))));
    let answer = new.ask(&mut world, &request).unwrap();
    assert_eq!((code(&answer), ticket(&answer)), (0, None));
    assert!(world.server.is_idle());
    assert_eq!(alice.refresh(&mut world, None).0, 437);
}

#[test]
fn a_refresh_from_elsewhere_that_is_refused_moves_nothing() {
    let (mut world, _, _, first) = world();
    let mut new = at(&mut world, 1);
    let request = new.signed(Method::REFRESH, |b| {
        b.attribute(&MobilityTicket(&first)).attribute(&RequestedAddressFamily(Family::Ipv6))
    });
    assert_eq!(code(&new.ask(&mut world, &request).unwrap()), 443);
    assert_eq!(speak(&mut world, &new), Received::Dropped(Dropped::NoAllocation));
    assert_eq!(come_along(&mut world, &mut new, &first).0, 0);
}

#[test]
fn half_of_both_families_moves_on() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| {
        movable(b).attribute(&AdditionalAddressFamily(Family::Ipv6))
    });
    let first = ticket(&answer).unwrap();
    let mut new = at(&mut world, 1);
    let request = new.signed(Method::REFRESH, |b| {
        b.attribute(&MobilityTicket(&first))
            .attribute(&RequestedAddressFamily(Family::Ipv6))
            .attribute(&Lifetime(secs(0)))
    });
    let answer = new.ask(&mut world, &request).unwrap();
    assert!(code(&answer) == 0 && ticket(&answer).is_some());
    assert_eq!(new.refresh(&mut world, Some(0)).0, 0);
    assert!(world.server.is_idle());
}

/// A21: a move gives nothing back and takes nothing.
#[test]
fn quotas_are_the_same_before_and_after_a_move() {
    let mut limits = Limits::default();
    limits.allocations_per_user = 1;
    let mut world = World::with(config().with_limits(limits));
    let (_, _, first) = allocate(&mut world, Client::alice());
    let mut new = at(&mut world, 1);
    assert_eq!(come_along(&mut world, &mut new, &first).0, 0);
    app(speak(&mut world, &new));
    let mut third = at(&mut world, 2);
    assert_eq!(third.code_of(&mut world, Method::ALLOCATE, movable), 486);
    assert_eq!(new.refresh(&mut world, Some(0)).0, 0);
    assert_eq!(third.code_of(&mut world, Method::ALLOCATE, movable), 0);
}

/// Over a stream: it ends, and the client comes back by another, or over UDP.
#[test]
fn an_allocation_with_a_ticket_outlives_its_stream() {
    for over_stream in [false, true] {
        let mut world = World::new();
        let mut alice = Client::alice();
        world.accept(&mut alice);
        let (alice, relay, first) = allocate(&mut world, alice);
        assert_eq!(world.input(Input::Closed { socket: alice.socket }), Received::Consumed);
        assert_eq!(world.server.stats().allocations, 1);
        let nobody = world.datagram(relay, addr(PEER), b"in");
        assert_eq!(nobody, Received::Dropped(Dropped::NoAllocation), "nobody is there to hear it");

        let mut new = Client { address: addr("192.0.2.77:1"), ..Client::alice() };
        if over_stream {
            world.accept(&mut new);
        }
        new.challenge(&mut world);
        let request = come(&mut new, &first);
        let answer = new.ask(&mut world, &request).unwrap();
        assert_eq!(code(&answer), 0);
        // The old place is gone, so that there is nothing to wait for.
        assert_eq!(heard_at(&mut world, relay), new.address);
        assert_eq!(ticket(&new.ask(&mut world, &request).unwrap()), ticket(&answer));
        assert_eq!(new.refresh(&mut world, Some(0)).0, 0);
        assert!(world.server.is_idle());
    }
}

#[test]
fn an_allocation_with_a_ticket_and_without_a_client_ends_in_time() {
    let mut world = World::new();
    let mut alice = Client::alice();
    world.accept(&mut alice);
    let (alice, ..) = allocate(&mut world, alice);
    assert_eq!(world.input(Input::Closed { socket: alice.socket }), Received::Consumed);
    world.pass(secs(600));
    assert!(world.server.is_idle());
}

/// TMOB-3.2.2-2: "or a message from the client to close the old connection".
#[test]
fn the_old_stream_that_ends_completes_the_move() {
    let mut world = World::new();
    let mut alice = Client::alice();
    world.accept(&mut alice);
    let (alice, relay, first) = allocate(&mut world, alice);
    let mut new = at(&mut world, 1);
    assert_eq!(come_along(&mut world, &mut new, &first).0, 0);
    assert_eq!(world.input(Input::Closed { socket: alice.socket }), Received::Consumed);
    assert_eq!(heard_at(&mut world, relay), new.address);
}

#[test]
fn a_new_stream_that_ends_leaves_the_client_where_it_was() {
    let (mut world, alice, relay, first) = world();
    let mut new = Client { address: addr("192.0.2.77:1"), ..Client::alice() };
    world.accept(&mut new);
    new.challenge(&mut world);
    let second = come_along(&mut world, &mut new, &first).1.unwrap();
    assert_eq!(world.input(Input::Closed { socket: new.socket }), Received::Consumed);
    assert_eq!(heard_at(&mut world, relay), alice.address);
    let mut again = at(&mut world, 2);
    assert_eq!(come_along(&mut world, &mut again, &second).0, 0, "the ticket that it was given is good");
    app(speak(&mut world, &again));
    assert_eq!(again.refresh(&mut world, Some(0)).0, 0);
    assert!(world.server.is_idle());
}

#[test]
fn a_client_whose_both_streams_end_has_not_moved() {
    let mut world = World::new();
    let mut old = Client::alice();
    world.accept(&mut old);
    let (old, _, first) = allocate(&mut world, old);
    let mut new = Client { address: addr("192.0.2.77:1"), ..Client::alice() };
    world.accept(&mut new);
    new.challenge(&mut world);
    let second = come_along(&mut world, &mut new, &first).1.unwrap();
    for socket in [new.socket, old.socket] {
        assert_eq!(world.input(Input::Closed { socket }), Received::Consumed);
    }
    assert!(!world.events.iter().any(|event| matches!(event, Event::Moved { .. })));
    let mut again = at(&mut world, 2);
    assert_eq!(come_along(&mut world, &mut again, &second).0, 0);
    assert!(matches!(world.events.last(), Some(Event::Moved { from, .. }) if *from == old.address));
}

#[test]
fn a_client_of_tcp_peers_moves_when_its_stream_ends() {
    let mut world = World::new();
    let mut alice = Client::alice();
    world.accept(&mut alice);
    alice.challenge(&mut world);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| {
        b.attribute(&RequestedTransport::TCP).attribute(&MobilityTicket(&[]))
    });
    let (first, relay) = (ticket(&answer).unwrap(), world.relay_of(&alice));
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    assert_eq!(world.input(Input::Closed { socket: alice.socket }), Received::Consumed);
    let socket = world.socket();
    let nobody = world.input(Input::Accepted { listener: relay, socket, from: addr(PEER) });
    assert_eq!(nobody, Received::Dropped(Dropped::NoAllocation), "there is nobody to tell");

    let mut new = Client { address: addr("192.0.2.77:1"), ..Client::alice() };
    world.accept(&mut new);
    new.challenge(&mut world);
    assert_eq!(come_along(&mut world, &mut new, &first).0, 0);
    let socket = world.socket();
    let told = world.input(Input::Accepted { listener: relay, socket, from: addr(PEER) });
    assert_eq!(told, Received::Consumed);
    let [attempt] = &world.take_sent(new.address)[..] else { panic!("{:?}", world.sent) };
    let attempt = Message::decode(&attempt.bytes).unwrap();
    assert_eq!(attempt.find(), Some(XorPeerAddress(addr(PEER))));
}

/// RFC 6062 §4.1: an allocation for TCP has a client over a stream, before and after.
#[test]
fn an_allocation_for_tcp_moves_from_stream_to_stream_only() {
    let mut world = World::with(config());
    let [first, second] = [SocketId(50), SocketId(51)];
    for stream in [first, second] {
        world.server.accept(stream, Transport::Tcp);
    }
    let mut alice = Client { socket: first, ..Client::alice() };
    alice.challenge(&mut world);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| {
        b.attribute(&RequestedTransport::TCP).attribute(&MobilityTicket(&[]))
    });
    let shown = ticket(&answer).unwrap();
    let mut datagrams = Client { socket: V4, address: addr("203.0.113.5:41000"), ..alice.clone() };
    datagrams.challenge(&mut world);
    assert_eq!(come_along(&mut world, &mut datagrams, &shown).0, 400);
    let mut stream = Client { socket: second, address: addr("203.0.113.5:42000"), ..alice.clone() };
    stream.challenge(&mut world);
    assert_eq!(come_along(&mut world, &mut stream, &shown).0, 0);
    assert!(
        world.events.iter().any(|event| matches!(event, Event::Moved { to, .. } if *to == stream.address))
    );
}
