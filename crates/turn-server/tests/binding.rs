//! What anyone may ask.

mod support;

use floe_stun::attribute::{
    Attribute, ErrorCode, Priority, TransmitCounter, UnknownAttributes, XorMappedAddress,
};
use floe_stun::{
    BindingClient, BindingEvent, Builder, Class, Dropped, Input, Instant, Key, MAX_TRANSMIT, Machine,
    Message, Method, Output, Received, SocketId, TransactionId,
};
use floe_turn_server::Config;
use support::{Client, Scheme, V4, World, addr, code, kinds};

fn client(address: &str) -> Client {
    Client::new(address, "", "", Scheme::Md5)
}

/// STUN-6.3.1.1-3, STUN-6.3.1.2-1
#[test]
fn anyone_learns_their_address_in_both_families() {
    let mut world = World::with(Config::new("floe.net"));
    for from in ["203.0.113.5:40000", "[2001:db8::5]:40000"] {
        let mut client = client(from);
        let request = client.bare(Method::BINDING, |b| b);
        let answer = client.ask(&mut world, &request).unwrap();
        let message = Message::decode(&answer).unwrap();
        assert_eq!(message.class(), Class::Success);
        assert_eq!(message.find(), Some(XorMappedAddress(addr(from))));
    }
}

#[test]
fn the_binding_client_of_floe_is_served() {
    let mut world = World::with(Config::new("floe.net"));
    let (mine, server) = (addr("203.0.113.5:40000"), addr("192.0.2.1:3478"));
    let mut client = BindingClient::new(Instant::ORIGIN, SocketId(9), server, [3; 32]);
    let mut buf = [0; MAX_TRANSMIT];
    let Output::Transmit(request) = client.poll_output(&mut buf) else { panic!("no request") };
    assert_eq!(world.datagram(V4, mine, request.bytes), Received::Consumed);
    let answer = world.take_sent(mine).remove(0).bytes;
    let input = Input::Datagram { socket: SocketId(9), from: server, data: &answer };
    assert_eq!(client.handle_input(Instant::ORIGIN, input), Received::Consumed);
    let Output::Event(BindingEvent::Answered { mapped, .. }) = client.poll_output(&mut buf) else {
        panic!("no answer")
    };
    assert_eq!(mapped, mine);
}

/// STUN-6.3.1-2, STUN-6.3.1-3
#[test]
fn a_retransmitted_binding_request_gets_the_same_answer() {
    let mut world = World::new();
    let mut client = client("203.0.113.5:40000");
    let request = client.bare(Method::BINDING, |b| b);
    let first = client.ask(&mut world, &request);
    assert_eq!(client.ask(&mut world, &request), first);
}

/// STUN-12-2, STUN-12-3, STUN-6.3-5
#[test]
fn credentials_and_known_attributes_of_other_usages_do_not_matter() {
    let mut world = World::new();
    let client = client("203.0.113.5:40000");
    let mut buf = [0; 256];
    let request = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([1; 12]))
        .attribute(&Priority(1))
        .integrity(&Key::short_term("whatever"))
        .finish()
        .unwrap();
    assert_eq!(code(&client.ask(&mut world, request).unwrap()), 0);
}

/// STUN-6.3.1-1, STUN-6.3.1.1-1
#[test]
fn unknown_comprehension_required_attributes_are_listed() {
    let mut world = World::new();
    let mut client = client("203.0.113.5:40000");
    let mut request = client.bare(Method::BINDING, |b| b);
    request.extend([0x7F, 0x01, 0, 0, 0xFF, 0x01, 0, 0, 0x7F, 0x02, 0, 1, 9, 0, 0, 0]);
    request[3] = 16;
    let answer = client.ask(&mut world, &request).unwrap();
    let message = Message::decode(&answer).unwrap();
    assert_eq!(message.find::<ErrorCode<'_>>().unwrap().code, 420);
    let listed: Vec<u16> = message.find::<UnknownAttributes<'_>>().unwrap().iter().collect();
    assert_eq!(listed, [0x7F01, 0x7F02]);
}

/// STUN-6.3-3: an answer carries FINGERPRINT where the request did.
#[test]
fn fingerprint_is_checked_and_returned() {
    let mut world = World::new();
    let client = client("203.0.113.5:40000");
    let mut buf = [0; 64];
    let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([1; 12]));
    let mut request = builder.fingerprint().finish().unwrap().to_vec();
    let answer = client.ask(&mut world, &request).unwrap();
    assert_eq!(Message::decode(&answer).unwrap().fingerprint(), Some(true));

    request[27] ^= 1;
    let verdict = world.datagram(V4, client.address, &request);
    assert_eq!(verdict, Received::Dropped(Dropped::BadFingerprint));
    assert!(world.sent.is_empty());
}

/// STUN-6.3-1, STUN-6.3-2, STUN-6.3-6, STUN-6.3.2-1
#[test]
fn what_is_no_request_is_never_answered() {
    let mut world = World::new();
    let from = addr("203.0.113.5:40000");
    let message = |class, method| {
        let mut buf = [0; 64];
        Builder::new(&mut buf, class, method, TransactionId::from([1; 12])).finish().unwrap().to_vec()
    };
    let binding = message(Class::Request, Method::BINDING);
    let mut overrun = binding.clone();
    overrun.extend([0, 6, 0, 9, 1, 2, 3, 4]);
    overrun[3] = 8;
    let mut unknown = message(Class::Indication, Method::BINDING);
    unknown.extend([0x7F, 1, 0, 0]);
    unknown[3] = 4;
    let dropped = [
        (vec![], Dropped::NotStun),
        (b"hello, is this a DNS server?".to_vec(), Dropped::NotStun),
        (binding[..19].to_vec(), Dropped::NotStun),
        ([0x80].into_iter().chain(binding[1..].iter().copied()).collect(), Dropped::NotStun),
        (overrun, Dropped::Malformed),
        (binding.iter().copied().chain([0]).collect(), Dropped::Malformed),
        (vec![0x40, 0, 0, 9, 1], Dropped::Malformed),
        (message(Class::Success, Method::BINDING), Dropped::UnknownTransaction),
        (message(Class::Error, Method::ALLOCATE), Dropped::UnknownTransaction),
        (message(Class::Request, Method::SEND), Dropped::UnexpectedMethod),
        (message(Class::Request, Method::CONNECT), Dropped::BadIntegrity),
        (message(Class::Request, Method::new(0xABC).unwrap()), Dropped::UnexpectedMethod),
        (message(Class::Indication, Method::DATA), Dropped::UnexpectedMethod),
        (message(Class::Indication, Method::ALLOCATE), Dropped::UnexpectedMethod),
    ];
    for (bytes, why) in dropped {
        assert_eq!(world.datagram(V4, from, &bytes), Received::Dropped(why), "{bytes:02x?}");
    }
    assert_eq!(world.datagram(V4, from, &message(Class::Indication, Method::BINDING)), Received::Consumed);
    assert_eq!(world.datagram(V4, from, &unknown), Received::Dropped(Dropped::UnknownAttribute));
    assert_eq!(world.datagram(V4, addr("203.0.113.5:0"), &binding), Received::Dropped(Dropped::WrongSource));
    assert_eq!(world.datagram(SocketId(77), from, &binding), Received::NotMine);
    assert!(world.sent.is_empty());
}

#[test]
fn without_users_there_is_nothing_but_binding() {
    let mut world = World::with(Config::new("floe.net").with_relay("192.0.2.1".parse().unwrap()));
    let mut client = client("203.0.113.5:40000");
    let request = client.bare(Method::ALLOCATE, |b| b);
    let verdict = world.datagram(V4, client.address, &request);
    assert_eq!(verdict, Received::Dropped(Dropped::UnexpectedMethod));
    assert!(world.sent.is_empty());
}

/// RFC 7982 §3.3: nothing is remembered, and so it says.
#[test]
fn how_often_a_request_was_sent_is_said_back() {
    let mut world = World::new();
    let mut alice = Client::alice();
    for request in [1, 7] {
        let sent = TransmitCounter { request, response: 3 };
        let binding = alice.bare(Method::BINDING, |b| b.attribute(&sent));
        let answer = alice.ask(&mut world, &binding).unwrap();
        let told = Message::decode(&answer).unwrap().find();
        assert_eq!(told, Some(TransmitCounter { request, response: 0 }));
    }
    alice.challenge(&mut world);
    let sent = TransmitCounter { request: 2, response: 0 };
    let answer = alice.ask_signed(&mut world, Method::REFRESH, |b| b.attribute(&sent));
    let answer = Message::decode(&answer).unwrap();
    assert_eq!(answer.verify(&alice.key()).unwrap().find(), Some(sent), "under the seal");
    let plain = alice.bare(Method::BINDING, |b| b);
    assert_eq!(kinds(&alice.ask(&mut world, &plain).unwrap()), [XorMappedAddress::TYPE]);
}
