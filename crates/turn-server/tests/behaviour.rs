//! NAT behaviour discovery (RFC 5780 §6), and what strangers may make of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::net::SocketAddr;

use floe_stun::attribute::{
    Attribute, ChangeRequest, ErrorCode, MappedAddress, OtherAddress, Padding, RequestedTransport,
    ResponseOrigin, ResponsePort, Software, UnknownAttributes, XorMappedAddress,
};
use floe_stun::{
    Builder, Class, Dropped, Input, MAX_TRANSMIT, Machine, Message, Method, Output, Received, SocketId,
    TransactionId,
};
use floe_turn_server::{AddressPair, AddressPairError};
use support::{Sent, V4, V6, World, addr, code, kinds, secs};

/// The corners of the IPv4 pair and of the IPv6 pair; the world listens on the first of each.
const CORNERS: [(SocketId, &str); 8] = [
    (V4, "192.0.2.1:3478"),
    (SocketId(2), "192.0.2.1:3479"),
    (SocketId(3), "192.0.2.2:3478"),
    (SocketId(4), "192.0.2.2:3479"),
    (V6, "[2001:db8::1]:3478"),
    (SocketId(5), "[2001:db8::1]:3479"),
    (SocketId(6), "[2001:db8::2]:3478"),
    (SocketId(7), "[2001:db8::2]:3479"),
];
const CLIENT: &str = "203.0.113.5:40000";
const CLIENT_V6: &str = "[2001:db8:5::5]:40000";

fn pair(primary: &str, alternate: &str) -> AddressPair {
    AddressPair::new(addr(primary), addr(alternate)).unwrap()
}

fn world() -> World {
    let mut world = World::new();
    for (socket, local) in CORNERS {
        world.server.listen(socket, addr(local));
    }
    for (primary, alternate) in
        [("192.0.2.1:3478", "192.0.2.2:3479"), ("[2001:db8::1]:3478", "[2001:db8::2]:3479")]
    {
        world.server.serve_discovery(&pair(primary, alternate)).unwrap();
    }
    world
}

fn request(build: impl for<'b> FnOnce(Builder<'b>) -> Builder<'b>) -> Vec<u8> {
    let mut buf = [0; 65_535];
    let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([1; 12]));
    build(builder).finish().unwrap().to_vec()
}

/// The one answer to a request, wherever it goes; a second later than the last one, so that there may be one.
fn ask(world: &mut World, at: SocketId, from: &str, request: &[u8]) -> Sent {
    world.pass(secs(1));
    assert_eq!(world.datagram(at, addr(from), request), Received::Consumed);
    let [sent] = std::mem::take(&mut world.sent).try_into().unwrap();
    sent
}

fn local(socket: SocketId) -> SocketAddr {
    addr(CORNERS.iter().find(|(known, _)| *known == socket).unwrap().1)
}

/// NBD-6.1-1: Table 1 of RFC 5780, at each of the four sockets of both families.
#[test]
fn an_answer_comes_from_where_it_was_asked_to_and_says_so() {
    let mut world = world();
    for (at, here) in CORNERS {
        let here = addr(here);
        let client = if here.is_ipv4() { CLIENT } else { CLIENT_V6 };
        for (ip, port) in [(false, false), (false, true), (true, false), (true, true)] {
            let change = ChangeRequest { ip, port };
            let answer = ask(&mut world, at, client, &request(|b| b.attribute(&change)));
            let source = local(answer.socket);
            assert_eq!(
                (source.ip() != here.ip(), source.port() != here.port()),
                (ip, port),
                "{here} {change:?}"
            );
            assert_eq!((source.is_ipv4(), answer.to), (here.is_ipv4(), addr(client)));

            let message = Message::decode(&answer.bytes).unwrap();
            assert_eq!(message.find(), Some(ResponseOrigin(source)));
            let OtherAddress(other) = message.find().unwrap();
            assert!(CORNERS.iter().any(|(_, corner)| addr(corner) == other));
            assert!(other.ip() != here.ip() && other.port() != here.port(), "{here} {change:?}: {other}");
        }
    }
}

/// NBD-6-1, NBD-6.1-1, NBD-6.1-2
#[test]
fn a_request_that_asks_for_nothing_learns_both_addresses_too() {
    let mut world = world();
    for (at, client, primary, other) in [
        (V4, CLIENT, "192.0.2.1:3478", "192.0.2.2:3479"),
        (V6, CLIENT_V6, "[2001:db8::1]:3478", "[2001:db8::2]:3479"),
    ] {
        let answer = ask(&mut world, at, client, &request(|b| b));
        let message = Message::decode(&answer.bytes).unwrap();
        assert_eq!((answer.socket, answer.to), (at, addr(client)));
        assert_eq!(message.find(), Some(MappedAddress(addr(client))));
        assert_eq!(message.find(), Some(XorMappedAddress(addr(client))));
        assert_eq!(message.find(), Some(ResponseOrigin(addr(primary))));
        assert_eq!(message.find(), Some(OtherAddress(addr(other))));
        assert!(!message.has(Padding::TYPE));
    }
}

/// NBD-7.5-1
#[test]
fn an_answer_goes_to_the_port_that_was_asked_for() {
    let mut world = world();
    for change in [ChangeRequest::default(), ChangeRequest { ip: true, port: true }] {
        let bytes = request(|b| b.attribute(&ResponsePort(5555)).attribute(&change));
        let answer = ask(&mut world, V4, CLIENT, &bytes);
        assert_eq!(answer.to, addr("203.0.113.5:5555"));
        assert_eq!(answer.socket == V4, !change.ip);
        let message = Message::decode(&answer.bytes).unwrap();
        assert_eq!(message.find(), Some(XorMappedAddress(addr(CLIENT))), "where it came from");
    }
    let to_nowhere = ask(&mut world, V4, CLIENT, &request(|b| b.attribute(&ResponsePort(0))));
    assert_eq!((code(&to_nowhere.bytes), to_nowhere.to), (400, addr(CLIENT)));
}

/// NBD-6.1-3
#[test]
fn padding_is_answered_by_as_much_as_ethernet_takes_and_no_more_than_came() {
    let mut world = world();
    for (sent, expected) in [(0, 0), (1, 4), (4, 4), (100, 100), (1497, 1500), (1500, 1500), (60_000, 1500)] {
        let answer = ask(&mut world, V4, CLIENT, &request(|b| b.attribute(&Padding(&vec![7; sent]))));
        let message = Message::decode(&answer.bytes).unwrap();
        assert_eq!(message.find(), Some(Padding(&vec![0; expected])), "{sent}");
        assert_eq!(message.find(), Some(OtherAddress(addr("192.0.2.2:3479"))));
    }
}

/// The host is asked for an exception from what it does with all others.
#[test]
fn only_what_is_padded_may_be_cut_into_fragments() {
    let mut world = world();
    let mut may_fragment = |bytes: &[u8]| {
        let input = Input::Datagram { socket: V4, from: addr(CLIENT), data: bytes };
        assert_eq!(world.server.handle_input(world.now, input), Received::Consumed);
        let mut buf = [0; MAX_TRANSMIT];
        let Output::Transmit(transmit) = world.server.poll_output(&mut buf) else { panic!("no answer") };
        transmit.may_fragment
    };
    assert!(may_fragment(&request(|b| b.attribute(&Padding(&[0; 1500])))));
    assert!(!may_fragment(&request(|b| b)));
    assert!(!may_fragment(&request(|b| b.attribute(&ResponsePort(7)))));
}

/// NBD-6.1-3: what is refused goes back to where it came from, whatever it asked for.
#[test]
fn padding_to_another_port_is_refused() {
    let mut world = world();
    let bytes = request(|b| {
        b.attribute(&Padding(&[0; 1500]))
            .attribute(&ResponsePort(53))
            .attribute(&ChangeRequest { ip: true, port: true })
    });
    let answer = ask(&mut world, V4, CLIENT, &bytes);
    assert_eq!((answer.socket, answer.to, code(&answer.bytes)), (V4, addr(CLIENT), 400));
    assert_eq!(kinds(&answer.bytes), [ErrorCode::TYPE]);
}

#[test]
fn attributes_of_the_wrong_length_are_refused() {
    let mut world = world();
    for (kind, value) in
        [(ChangeRequest::TYPE, &[0; 8][..]), (ChangeRequest::TYPE, &[]), (ResponsePort::TYPE, &[1])]
    {
        let answer = ask(&mut world, V4, CLIENT, &request(|b| b.attribute_as(kind, &Padding(value))));
        assert_eq!((answer.to, code(&answer.bytes)), (addr(CLIENT), 400));
    }
}

/// NBD-6-1
#[test]
fn without_a_second_address_the_attributes_are_unknown() {
    let mut world = World::new();
    let plain = ask(&mut world, V4, CLIENT, &request(|b| b));
    assert_eq!(kinds(&plain.bytes), [XorMappedAddress::TYPE]);
    let all = request(|b| {
        b.attribute(&ChangeRequest::default()).attribute(&ResponsePort(5555)).attribute(&Padding(&[0; 8]))
    });
    let answer = ask(&mut world, V4, CLIENT, &all);
    assert_eq!((answer.to, code(&answer.bytes)), (addr(CLIENT), 420));
    assert_eq!(unknown(&answer.bytes), [ChangeRequest::TYPE, ResponsePort::TYPE, Padding::TYPE]);
}

#[test]
fn with_two_addresses_other_attributes_are_unknown_still() {
    let mut world = world();
    let change = ChangeRequest { ip: true, port: true };
    let bytes = request(|b| b.attribute(&change).attribute_as(0x7F01, &Padding(&[])));
    let answer = ask(&mut world, V4, CLIENT, &bytes);
    assert_eq!((answer.socket, answer.to, code(&answer.bytes)), (V4, addr(CLIENT), 420));
    assert_eq!(unknown(&answer.bytes), [0x7F01]);

    let mut buf = [0; 64];
    let builder = Builder::new(&mut buf, Class::Indication, Method::BINDING, TransactionId::from([1; 12]));
    let indication = builder.attribute(&change).finish().unwrap();
    let verdict = world.datagram(V4, addr(CLIENT), indication);
    assert_eq!(verdict, Received::Dropped(Dropped::UnknownAttribute), "requests only (RFC 5780 §7.2)");
}

/// NBD-6-1
#[test]
fn a_pair_needs_four_sockets_that_are_its_own() {
    let mut world = World::new();
    for (socket, local) in &CORNERS[..3] {
        world.server.listen(*socket, addr(local));
    }
    let (first, corner) = (pair("192.0.2.1:3478", "192.0.2.2:3479"), addr("192.0.2.2:3479"));
    assert_eq!(world.server.serve_discovery(&first), Err(AddressPairError::NotListening { corner }));
    assert_eq!(kinds(&ask(&mut world, V4, CLIENT, &request(|b| b)).bytes), [XorMappedAddress::TYPE]);

    world.server.listen(SocketId(4), corner);
    assert_eq!(world.server.serve_discovery(&first), Ok(()));
    for (n, local) in (20..).zip(["192.0.2.1:5000", "192.0.2.3:3478", "192.0.2.3:5000"]) {
        world.server.listen(SocketId(n), addr(local));
    }
    let second = pair("192.0.2.1:3478", "192.0.2.3:5000");
    let taken = AddressPairError::Taken { corner: addr("192.0.2.1:3478") };
    assert_eq!(world.server.serve_discovery(&second), Err(taken));
    let answer = ask(&mut world, V4, CLIENT, &request(|b| b));
    assert_eq!(Message::decode(&answer.bytes).unwrap().find(), Some(OtherAddress(corner)));
    assert_eq!(
        kinds(&ask(&mut world, SocketId(20), CLIENT, &request(|b| b)).bytes),
        [XorMappedAddress::TYPE]
    );
}

/// NBD-6-1
#[test]
fn a_closed_socket_ends_it_for_the_other_three() {
    let mut world = world();
    let change = request(|b| b.attribute(&ChangeRequest { ip: true, port: true }));
    let waiting = Input::Datagram { socket: V4, from: addr(CLIENT), data: &change };
    assert_eq!(world.server.handle_input(world.now, waiting), Received::Consumed);
    assert_eq!(world.input(Input::Closed { socket: SocketId(4) }), Received::Consumed);
    assert!(world.sent.is_empty(), "no answer leaves from a socket that is gone");

    for at in [V4, SocketId(2), SocketId(3)] {
        assert_eq!(kinds(&ask(&mut world, at, CLIENT, &request(|b| b)).bytes), [XorMappedAddress::TYPE]);
        assert_eq!(code(&ask(&mut world, at, CLIENT, &change).bytes), 420);
    }
    assert_eq!(ask(&mut world, V6, CLIENT_V6, &change).socket, SocketId(7), "the other pair is whole");
}

#[test]
fn fingerprint_is_returned() {
    let mut world = world();
    let mut buf = [0; 64];
    let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([1; 12]));
    let bytes = builder.attribute(&ChangeRequest { ip: true, port: false }).fingerprint().finish().unwrap();
    let answer = ask(&mut world, V4, CLIENT, bytes);
    assert_eq!(Message::decode(&answer.bytes).unwrap().fingerprint(), Some(true));
}

/// Whoever forges a source makes the network carry less than three times what it sent, counted in IP packets.
#[test]
fn no_answer_is_three_times_its_request() {
    let mut world = world();
    let change = ChangeRequest { ip: true, port: true };
    for (at, client, headers) in [(V4, CLIENT, 28), (V6, CLIENT_V6, 48)] {
        for bytes in [
            request(|b| b),
            request(|b| b.attribute(&change)),
            request(|b| b.attribute(&ResponsePort(7))),
            request(|b| b.attribute(&Padding(&[]))),
            request(|b| b.attribute(&Padding(&[0; 1500]))),
            request(|b| b.attribute(&Padding(&[])).attribute(&ResponsePort(7))),
            request(|b| b.attribute_as(0x7F01, &Padding(&[]))),
        ] {
            let answer = ask(&mut world, at, client, &bytes);
            assert!(answer.bytes.len() + headers < 3 * (bytes.len() + headers), "{bytes:02x?}");
        }
    }
}

/// A stranger cannot aim more at an address by naming its ports, or by asking at all four sockets.
#[test]
fn an_address_has_one_allowance_for_all_its_ports() {
    let mut world = world();
    let mut answered = 0;
    for n in 0..1000_u16 {
        let (at, _) = CORNERS[usize::from(n % 4)];
        let bytes =
            request(|b| b.attribute(&ResponsePort(1 + n)).attribute(&ChangeRequest { ip: true, port: true }));
        match world.datagram(at, addr(&format!("203.0.113.5:{}", 2000 + n)), &bytes) {
            Received::Consumed => answered += 1,
            verdict => assert_eq!(verdict, Received::Dropped(Dropped::RateLimited)),
        }
    }
    assert_eq!((answered, world.sent.len()), (20, 20));
    assert!(world.sent.iter().all(|sent| sent.to.ip() == addr(CLIENT).ip()));
}

/// Pointed at the server itself, an answer is the end of it.
#[test]
fn answers_are_never_answered() {
    let mut world = world();
    let bytes = request(|b| b.attribute(&ResponsePort(3479)));
    let answer = ask(&mut world, V4, "192.0.2.2:3478", &bytes);
    assert_eq!(answer.to, local(SocketId(4)));
    let verdict = world.datagram(SocketId(4), local(V4), &answer.bytes);
    assert_eq!(verdict, Received::Dropped(Dropped::UnknownTransaction));
    assert!(world.sent.is_empty());
}

#[test]
fn a_large_request_is_read_where_it_can_be_padding_and_has_few_attributes() {
    let mut world = world();
    let large = |others: usize| {
        request(|b| (0..others).fold(b.attribute(&Padding(&[0; 60_000])), |b, _| b.attribute(&Software("x"))))
    };
    assert_eq!(code(&ask(&mut world, V4, CLIENT, &large(9)).bytes), 0);
    assert_eq!(world.datagram(V4, addr(CLIENT), &large(10)), Received::Dropped(Dropped::TooLarge));

    let mut buf = [0; 65_535];
    let builder = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, TransactionId::from([1; 12]));
    let allocate =
        builder.attribute(&RequestedTransport::UDP).attribute(&Padding(&[0; 60_000])).finish().unwrap();
    assert_eq!(world.datagram(V4, addr(CLIENT), allocate), Received::Dropped(Dropped::TooLarge));
    world.server.listen(SocketId(20), addr("192.0.2.1:5000"));
    assert_eq!(world.datagram(SocketId(20), addr(CLIENT), &large(0)), Received::Dropped(Dropped::TooLarge));
}

fn unknown(answer: &[u8]) -> Vec<u16> {
    Message::decode(answer).unwrap().find::<UnknownAttributes<'_>>().unwrap().iter().collect()
}
