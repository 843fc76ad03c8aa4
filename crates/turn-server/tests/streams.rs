//! Clients over TCP, TLS and DTLS: one stream, one client (RFC 8656 §3.1, §12.5).
#![allow(clippy::unwrap_used, reason = "a helper that fails has found what the test looks for")]

mod support;

use floe_stun::{Dropped, Input, Received, SocketId, Transport};
use floe_turn_server::{Event, Released};

use support::{Client, World, addr, app, code};

const PEER: &str = "198.51.100.7:7000";
const STREAM: SocketId = SocketId(50);

/// Alice over a stream, with an allocation and a channel to a peer.
fn world(transport: Transport) -> (World, Client, SocketId) {
    let mut world = World::new();
    world.server.accept(STREAM, transport);
    let mut alice = Client { socket: STREAM, ..Client::alice() };
    alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4001, PEER), 0);
    let relay = world.relay_of(&alice);
    (world, alice, relay)
}

#[test]
fn channel_data_into_a_stream_ends_on_a_multiple_of_four() {
    // TURN-12.5-1
    for (transport, padded) in [(Transport::Tcp, 12), (Transport::Tls, 12), (Transport::Dtls, 9)] {
        let (mut world, alice, relay) = world(transport);
        let sent = app(world.datagram(relay, addr(PEER), b"hello"));
        assert_eq!((sent.socket, sent.to), (STREAM, alice.address));
        assert_eq!(sent.bytes.len(), padded, "{transport:?}");
        assert_eq!(sent.bytes[..9], *b"\x40\x01\0\x05hello");
        let sent = app(world.datagram(STREAM, alice.address, b"\x40\x01\0\x02hi\0\0"));
        assert_eq!((sent.socket, &sent.bytes[..]), (relay, &b"hi"[..]));
    }
}

#[test]
fn the_same_client_address_over_two_streams_is_two_clients() {
    let (mut world, _, relay) = world(Transport::Tcp);
    let other = SocketId(51);
    world.server.accept(other, Transport::Tcp);
    let mut again = Client { socket: other, ..Client::alice() };
    again.allocate(&mut world);
    assert_ne!(world.relay_of(&again), relay);
}

#[test]
fn a_stream_that_ends_takes_its_allocation_along() {
    let (mut world, alice, relay) = world(Transport::Tls);
    world.events.clear();
    assert_eq!(world.input(Input::Closed { socket: STREAM }), Received::Consumed);
    assert_eq!(world.closed, [relay]);
    assert!(
        matches!(&world.events[..], [Event::Released { why: Released::SocketClosed, .. }]),
        "{:?}",
        world.events
    );
    let late = world.datagram(STREAM, alice.address, b"\x40\x01\0\0");
    assert_eq!(late, Received::NotMine, "the name is nobody's");
    assert_eq!(world.input(Input::Closed { socket: STREAM }), Received::NotMine);
}

#[test]
fn a_stream_is_no_address_that_peers_must_not_have() {
    // The client's own end of it may be relayed to like any other, and so may the server's end, but where it listens.
    let (mut world, mut alice, _) = world(Transport::Tcp);
    assert_eq!(alice.permit(&mut world, &["203.0.113.5:0"]), 0);
    app(alice.send(&mut world, "203.0.113.5:40000", b"x"));
}

#[test]
fn binding_answers_on_a_stream() {
    // STUN-6.3.1.1-3, STUN-6.3.1.2-1
    let mut world = World::new();
    world.server.accept(STREAM, Transport::Tcp);
    let mut alice = Client { socket: STREAM, ..Client::alice() };
    let request = alice.bare(floe_stun::Method::BINDING, |b| b);
    assert_eq!(code(&alice.ask(&mut world, &request).unwrap()), 0);
    let garbage = world.datagram(STREAM, alice.address, b"\x16\x03\x01 no TLS here");
    assert_eq!(garbage, Received::Dropped(Dropped::NotStun));
}
