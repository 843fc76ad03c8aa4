//! A server that is going off duty (RFC 8489 §10, RFC 8656 §7.2).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails has found what the test looks for"
)]

mod support;

use std::collections::BTreeSet;

use floe_stun::attribute::{
    AlternateDomain, AlternateServer, EvenPort, MobilityTicket, RequestedTransport, ReservationToken,
};
use floe_stun::{Builder, Message, Method, SocketId, Transport};
use support::{Client, Scheme, World, addr, app, code, relayed};

fn udp(builder: Builder<'_>) -> Builder<'_> {
    builder.attribute(&RequestedTransport::UDP)
}

fn client(n: u8) -> Client {
    Client::new(&format!("203.0.113.{n}:4000"), "alice", "wonderland", Scheme::Sha256)
}

fn asks(world: &mut World, client: &mut Client) -> Vec<u8> {
    client.challenge(world);
    client.ask_signed(world, Method::ALLOCATE, udp)
}

/// TURNS-7.2-13, STUN-10-1, STUN-10-2
#[test]
fn new_clients_are_sent_to_another_server_of_their_family() {
    let mut world = World::new();
    let others = ["192.0.2.10:3478", "192.0.2.11:3478", "[2001:db8::10]:3478"].map(addr);
    world.server.drain(others.map(|other| (other, None)));
    let mut seen = BTreeSet::new();
    for n in 0..20 {
        let answer = asks(&mut world, &mut client(n));
        assert_eq!(code(&answer), 300);
        let AlternateServer(to) = Message::decode(&answer).unwrap().find().unwrap();
        assert!(Message::decode(&answer).unwrap().find::<AlternateDomain<'_>>().is_none());
        seen.insert(to);
    }
    assert_eq!(seen, [others[0], others[1]].into(), "by turns");
    let mut six = Client::new("[2001:db8::5]:40000", "alice", "wonderland", Scheme::Sha256);
    let answer = asks(&mut world, &mut six);
    let answer = Message::decode(&answer).unwrap();
    assert_eq!(answer.find(), Some(AlternateServer(others[2])));
    assert!(world.server.is_idle());
}

/// STUN-14.16-1
#[test]
fn who_checks_a_name_is_sent_to_where_there_is_one_and_nobody_else() {
    let mut world = World::new();
    let (plain, named) = (addr("192.0.2.10:3478"), addr("192.0.2.10:5349"));
    world.server.drain([(plain, None), (named, Some("two.example.org".to_owned()))]);
    for (n, transport, expected, name) in [
        (1, Transport::Udp, plain, None),
        (2, Transport::Tcp, plain, None),
        (3, Transport::Tls, named, Some("two.example.org")),
        (4, Transport::Dtls, named, Some("two.example.org")),
    ] {
        for again in 0..5 {
            let mut client = client(10 * n + again);
            if transport != Transport::Udp {
                client.socket = SocketId(u32::from(100 + 10 * n + again));
                world.server.accept(client.socket, transport);
            }
            let answer = asks(&mut world, &mut client);
            let answer = Message::decode(&answer).unwrap();
            assert_eq!(answer.find(), Some(AlternateServer(expected)), "{transport:?}");
            assert_eq!(answer.find(), name.map(AlternateDomain), "{transport:?}");
        }
    }
}

#[test]
fn where_there_is_no_other_server_there_is_no_room() {
    let mut world = World::new();
    world.server.drain([]);
    assert_eq!(code(&asks(&mut world, &mut client(1))), 508);
    world.server.drain([(addr("[2001:db8::10]:3478"), None)]);
    assert_eq!(code(&asks(&mut world, &mut client(2))), 508);
}

/// STUN-10-1: who proves nothing is not sent anywhere.
#[test]
fn strangers_are_challenged_first() {
    let mut world = World::new();
    world.server.drain([(addr("192.0.2.10:3478"), None)]);
    client(1).challenge(&mut world);
    let mut alice = Client::alice();
    let binding = alice.bare(Method::BINDING, |b| b);
    assert_eq!(code(&alice.ask(&mut world, &binding).unwrap()), 0, "Binding holds nothing");
}

#[test]
fn who_has_an_allocation_keeps_it_and_takes_it_along() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let request = alice.signed(Method::ALLOCATE, |b| udp(b).attribute(&MobilityTicket(&[])));
    let first = alice.ask(&mut world, &request).unwrap();
    world.server.drain([]);
    assert_eq!(alice.ask(&mut world, &request).unwrap(), first, "a repeated request is no new one");
    assert_eq!(alice.refresh(&mut world, None).0, 0);
    assert_eq!(alice.bind(&mut world, 0x4001, "198.51.100.7:7"), 0);
    let ticket: Vec<u8> = Message::decode(&first).unwrap().find::<MobilityTicket<'_>>().unwrap().0.into();
    let mut elsewhere = client(9);
    elsewhere.challenge(&mut world);
    let moved = elsewhere.code_of(&mut world, Method::REFRESH, |b| b.attribute(&MobilityTicket(&ticket)));
    assert_eq!(moved, 0);
    app(elsewhere.send(&mut world, "198.51.100.7:7", b"x"));
    assert!(!world.server.is_idle());
    assert_eq!(elsewhere.refresh(&mut world, Some(0)).0, 0);
    assert!(world.server.is_idle());
}

#[test]
fn an_allocation_that_has_begun_is_completed() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    world.opens = false;
    let request = alice.signed(Method::ALLOCATE, udp);
    assert_eq!(alice.ask(&mut world, &request), None);
    world.server.drain([]);
    assert_eq!(alice.ask(&mut world, &request), None);
    world.open_one();
    relayed(&alice.answer(&mut world, &request).unwrap());
}

#[test]
fn a_port_that_was_kept_is_not_given_out_any_more() {
    let mut world = World::new();
    let mut alice = client(1);
    alice.challenge(&mut world);
    let pair = EvenPort { reserve_next: true };
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| udp(b).attribute(&pair));
    let token: ReservationToken = Message::decode(&answer).unwrap().find().unwrap();
    world.server.drain([]);
    let mut again = client(2);
    again.challenge(&mut world);
    assert_eq!(again.code_of(&mut world, Method::ALLOCATE, |b| udp(b).attribute(&token)), 508);
}
