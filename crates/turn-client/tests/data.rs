//! The data path: what goes out, what comes in, and what is dropped (RFC 8656 §11, §12).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

mod support;

use floe_stun::attribute::{Attribute, Data, DontFragment, IcmpAttribute, XorPeerAddress};
use floe_stun::{
    Builder, ChannelData, Class, Dropped, Input, Machine, Message, Method, Received, SocketId, TransactionId,
    Transport,
};
use floe_turn_client::{Event, SendError};

use support::{Fault, REALM, SOCKET, Server, Strange, World, at, config, ip, secs, server_address};

const PEER: &str = "203.0.113.7:9";

fn permitted() -> World {
    let mut world = World::allocated();
    world.permit("203.0.113.7");
    world.run(secs(1.0));
    let _ = world.events();
    world
}

/// A world with a bound channel, and its number.
fn bound() -> (World, u16) {
    let mut world = permitted();
    world.bind(PEER);
    world.run(secs(1.0));
    let _ = world.events();
    let number = *world.server.channels.keys().next().unwrap();
    (world, number)
}

fn indication(method: Method, fill: impl FnOnce(Builder<'_>) -> Builder<'_>) -> Vec<u8> {
    let mut buf = [0; 512];
    let builder = Builder::new(&mut buf, Class::Indication, method, TransactionId::from([9; 12]));
    fill(builder).finish().unwrap().to_vec()
}

fn data_from(peer: &str, data: &[u8]) -> Vec<u8> {
    indication(Method::DATA, |b| b.attribute(&XorPeerAddress(at(peer))).attribute(&Data(data)))
}

fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let number = floe_stun::ChannelNumber::new(number).unwrap();
    let header = ChannelData::header(number, u16::try_from(data.len()).unwrap());
    [&header, data].concat()
}

/// The application's bytes, and that they lie inside of what arrived.
fn app(verdict: Received<floe_turn_client::PeerData<'_>>, packet: &[u8]) -> (String, Vec<u8>) {
    let Received::App(data) = verdict else { panic!("{verdict:?}") };
    assert!(packet.as_ptr_range().contains(&data.data.as_ptr()) || data.data.is_empty());
    (data.peer.to_string(), data.data.to_vec())
}

#[test]
fn data_goes_by_send_indication_and_by_channel_once_it_is_bound() {
    let mut world = permitted();
    let plan = world.client.send_plan(world.now, at(PEER), 5).unwrap();
    assert_eq!((plan.socket(), plan.to(), plan.headroom()), (SOCKET, server_address(), 36));
    let mut packet = vec![0; plan.packet_len()];
    packet[36..41].copy_from_slice(b"hello");
    plan.wrap(&mut packet);
    let message = Message::decode(&packet).unwrap();
    // TURN-11.1-2
    assert_eq!((message.class(), message.method()), (Class::Indication, Method::SEND));
    assert_eq!(message.find(), Some(XorPeerAddress(at(PEER))));
    assert_eq!(message.find(), Some(Data(b"hello")));
    assert!(!message.has_integrity(), "TURN-5-2");

    let (mut world, number) = bound();
    let plan = world.client.send_plan(world.now, at(PEER), 5).unwrap();
    assert_eq!(plan.header(), [&number.to_be_bytes()[..], &[0, 5]].concat()); // TURN-12.4-1
    assert_eq!(plan.packet_len(), 9, "no padding over UDP: TURN-12.5-1");
    let other_port = world.client.send_plan(world.now, at("203.0.113.7:10"), 5).unwrap();
    assert_eq!(other_port.headroom(), 36, "TURN-12-8");
}

#[test]
fn what_must_not_be_cut_says_so_in_a_send_indication_whether_there_is_a_channel_or_not() {
    // TURN-11.1-2
    let mut config = config();
    config.dont_fragment = true;
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::with(config.clone().over(transport), Server::new());
        world.bind("203.0.113.7:9");
        world.run(secs(1.0));
        let plan = world.client.send_plan(world.now, at("203.0.113.7:9"), 5).unwrap();
        assert_eq!((plan.headroom(), plan.forbids_fragments()), (4, false));
        let plan = world.client.send_plan_unfragmented(world.now, at("203.0.113.7:9"), 5).unwrap();
        assert!(plan.forbids_fragments());
        let mut packet = vec![0; plan.packet_len()];
        packet[plan.headroom()..][..5].copy_from_slice(b"hello");
        plan.wrap(&mut packet);
        let message = Message::decode(&packet).unwrap();
        assert_eq!(message.find(), Some(DontFragment));
        assert_eq!(message.find(), Some(XorPeerAddress(at("203.0.113.7:9"))));
        assert_eq!(message.find(), Some(Data(b"hello")));
    }
}

#[test]
fn a_server_that_did_not_grant_it_is_not_asked_to_leave_a_datagram_whole() {
    // TURN-7.1-5: not asked for at all, or refused with 420.
    let mut refused = config();
    refused.dont_fragment = true;
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Challenge(REALM, support::PLAIN), 1);
    server.fault(Method::ALLOCATE, Fault::Refuse(420), 1);
    for (config, server) in [(config(), Server::new()), (refused, server)] {
        let mut world = World::with(config, server);
        world.permit("203.0.113.7");
        world.run(secs(1.0));
        let peer = at("203.0.113.7:9");
        assert_eq!(world.client.send_plan_unfragmented(world.now, peer, 5), Err(SendError::Fragments));
        assert!(world.client.send_plan(world.now, peer, 5).is_ok());
        let stranger = at("203.0.113.8:9");
        assert_eq!(world.client.send_plan_unfragmented(world.now, stranger, 5), Err(SendError::NotPermitted));
    }
}

#[test]
fn two_send_indications_differ_in_their_ids() {
    let mut world = permitted();
    let a = world.client.send_plan(world.now, at(PEER), 5).unwrap();
    let b = world.client.send_plan(world.now, at(PEER), 5).unwrap();
    assert_ne!(a.header()[8..20], b.header()[8..20]);
}

#[test]
fn a_send_indication_is_none_of_the_clients_cares() {
    // STUN-6.2.1-8: the host sends it, and nobody ever again.
    let mut world = permitted();
    world.client.send_plan(world.now, at(PEER), 5).unwrap();
    world.run(secs(60.0));
    assert!(world.server.of(Method::SEND).is_empty());
}

#[test]
fn nothing_goes_out_without_an_allocation_and_a_permission() {
    let mut world = World::new();
    world.permit("203.0.113.7");
    assert_eq!(world.client.send_plan(world.now, at(PEER), 5), Err(SendError::NotAllocated));

    let mut world = World::allocated();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 99);
    assert_eq!(world.client.send_plan(world.now, at(PEER), 5), Err(SendError::NotPermitted));
    world.permit("203.0.113.7");
    // TURN-11.1-1: not before the server has said so.
    assert_eq!(world.client.send_plan(world.now, at(PEER), 5), Err(SendError::NotPermitted));

    let mut world = permitted();
    assert!(world.client.send_plan(world.now, at(PEER), 5).is_ok());
    let expired = world.now + secs(300.0);
    assert_eq!(world.client.send_plan(expired, at(PEER), 5), Err(SendError::NotPermitted));
    let expired = world.now + secs(600.0);
    assert_eq!(world.client.send_plan(expired, at(PEER), 5), Err(SendError::NotAllocated));
}

#[test]
fn what_no_datagram_takes_is_refused() {
    let (mut world, _) = bound();
    let mut plan = |peer: &str, len| world.client.send_plan(world.now, at(peer), len).map(|p| p.packet_len());
    assert_eq!(plan(PEER, 65_503), Ok(65_507));
    assert_eq!(plan(PEER, 65_504), Err(SendError::TooLong { len: 65_504 }));
    assert_eq!(plan(PEER, usize::MAX / 2), Err(SendError::TooLong { len: usize::MAX / 2 }));
    assert_eq!(plan("203.0.113.7:1", 65_468), Ok(65_504));
    assert_eq!(plan("203.0.113.7:1", 65_471), Err(SendError::TooLong { len: 65_471 }));
    assert_eq!(plan("203.0.113.7:1", usize::MAX), Err(SendError::TooLong { len: usize::MAX }));
}

#[test]
fn a_data_indication_is_unwrapped_in_place() {
    let mut world = permitted();
    for data in [&b"hello"[..], b"", &[0; 200]] {
        let packet = data_from("203.0.113.7:1234", data);
        // TURN-11.4-1, TURN-18.4-1
        let (peer, got) = app(world.hear(&packet), &packet);
        assert_eq!((peer.as_str(), got.as_slice()), ("203.0.113.7:1234", data));
    }
}

#[test]
fn one_peer_has_one_address_in_whatever_form_it_comes() {
    let mut world = permitted();
    let packet = data_from("[::ffff:203.0.113.7]:1234", b"x");
    assert_eq!(app(world.hear(&packet), &packet).0, "203.0.113.7:1234");
    assert!(world.client.send_plan(world.now, at("[::ffff:203.0.113.7]:1234"), 1).is_ok());
}

#[test]
fn channel_data_is_unwrapped_in_place_whatever_follows_it() {
    let (mut world, number) = bound();
    for (data, padding) in [(&b"hello"[..], 0), (b"hello", 3), (b"", 0), (b"", 7)] {
        let mut packet = channel_data(number, data);
        packet.extend(vec![0xEE; padding]);
        // TURN-12.4-1, TURN-12.6-3
        let (peer, got) = app(world.hear(&packet), &packet);
        assert_eq!((peer.as_str(), got.as_slice()), (PEER, data));
    }
}

#[test]
fn data_that_overtakes_the_answer_is_welcome() {
    let mut world = World::allocated();
    world.bind(PEER);
    let number = *world.server.channels.keys().next().unwrap();
    // TURN-12-6
    let packet = channel_data(number, b"early");
    assert_eq!(app(world.hear(&packet), &packet).1, b"early");
    let packet = data_from("203.0.113.7:10", b"early");
    assert_eq!(app(world.hear(&packet), &packet).1, b"early");
}

#[test]
fn what_no_permission_or_channel_covers_is_dropped() {
    let (mut world, number) = bound();
    let other = if number == 0x4000 { 0x4001 } else { 0x4000 };
    let cases = [
        // TURN-11.4-2
        (data_from("203.0.113.99:9", b"x"), Dropped::NoPermission),
        // TURN-12.6-4
        (channel_data(other, b"x"), Dropped::UnknownChannel),
        // TURN-11.4-1
        (indication(Method::DATA, |b| b.attribute(&Data(b"x"))), Dropped::MissingAttribute),
        (indication(Method::DATA, |b| b.attribute(&XorPeerAddress(at(PEER)))), Dropped::MissingAttribute),
        (
            indication(Method::DATA, |b| {
                b.attribute(&XorPeerAddress(at(PEER))).attribute(&Data(b"x")).attribute(&Strange)
            }),
            // STUN-6.3.2-1
            Dropped::UnknownAttribute,
        ),
        // TURN-12.6-3
        (channel_data(number, b"hello")[..8].to_vec(), Dropped::Malformed),
        (vec![0x40], Dropped::Malformed),
        (data_from(PEER, b"hello")[..30].to_vec(), Dropped::Malformed),
    ];
    for (packet, why) in cases {
        assert_eq!(world.hear(&packet), Received::Dropped(why), "{packet:02x?}");
        assert!(world.client.drops().of(why) > 0);
    }
    assert_eq!(world.client.drops().total(), 8);

    let mut bent =
        indication(Method::DATA, |b| b.attribute(&XorPeerAddress(at(PEER))).attribute(&Data(b"x")));
    bent.extend([0x80, 0x28, 0, 4, 1, 2, 3, 4]);
    bent[3] += 8;
    assert_eq!(world.hear(&bent), Received::Dropped(Dropped::BadFingerprint)); // STUN-6.3-3

    // TURN-12.6-2: the permission has expired, the channel has not.
    let then = world.now;
    world.now = then + secs(300.0);
    assert_eq!(world.hear(&channel_data(number, b"x")), Received::Dropped(Dropped::NoPermission));
    world.run(secs(1.0));
    let packet = channel_data(number, b"x");
    assert_eq!(app(world.hear(&packet), &packet).1, b"x");

    // TURN-12.6-2: the permission is gone, and the channel with it.
    world.client.revoke(ip("203.0.113.7"));
    assert_eq!(world.hear(&channel_data(number, b"x")), Received::Dropped(Dropped::UnknownChannel));
    assert_eq!(world.hear(&data_from(PEER, b"x")), Received::Dropped(Dropped::NoPermission));
}

#[test]
fn data_of_an_earlier_allocation_finds_none() {
    let mut world = World::new();
    assert_eq!(world.hear(&channel_data(0x4000, b"x")), Received::Dropped(Dropped::NoAllocation));
    assert_eq!(world.hear(&data_from(PEER, b"x")), Received::Dropped(Dropped::NoAllocation));
}

#[test]
fn data_after_the_host_slept_too_long_is_nobodys() {
    let (mut world, number) = bound();
    world.now = world.now + secs(600.0);
    assert_eq!(world.hear(&channel_data(number, b"late")), Received::NotMine);
    assert!(matches!(world.events()[..], [Event::Lost(_)]));
}

#[test]
fn what_is_not_from_the_server_or_not_turn_is_for_somebody_else() {
    let (mut world, number) = bound();
    let good = channel_data(number, b"x");
    assert_eq!(world.hear_from(SocketId(4), server_address(), &good), Received::NotMine);
    assert_eq!(world.hear_from(SOCKET, at("192.0.2.1:3479"), &good), Received::NotMine);

    let mut buf = [0; 64];
    let id = TransactionId::from([1; 12]);
    let binding = Builder::new(&mut buf, Class::Success, Method::BINDING, id).finish().unwrap();
    let keepalive = indication(Method::BINDING, |b| b);
    // TURN-12.6-1, TURN-12-2
    let strangers: [&[u8]; 9] =
        [binding, &keepalive, &[], &[0], &[20; 40], &[0x50, 0, 0, 0], &[0x7F; 9], &[0x80; 9], &[0xFF]];
    for packet in strangers {
        assert_eq!(world.hear(packet), Received::NotMine, "{packet:02x?}");
    }
    assert_eq!(world.client.drops().total(), 0);
    let bytes = Input::Stream { socket: SOCKET, data: &good };
    assert_eq!(world.client.handle_input(world.now, bytes), Received::NotMine);
}

#[test]
fn what_the_network_said_of_a_peer_is_told() {
    let mut world = permitted();
    let icmp = IcmpAttribute { kind: 3, code: 4, data: 1200 };
    let from =
        |peer: &str| indication(Method::DATA, |b| b.attribute(&XorPeerAddress(at(peer))).attribute(&icmp));
    // TURN-11.6-1, TURN-18.13-1
    assert_eq!(world.hear(&from("203.0.113.7:0")), Received::Consumed);
    let peer = at("203.0.113.7:0");
    assert_eq!(world.events(), [Event::PeerUnreachable { peer, kind: 3, code: 4, data: 1200 }]);
    assert_eq!(world.hear(&from("203.0.113.99:9")), Received::Dropped(Dropped::NoPermission));
}

#[test]
fn what_peers_can_provoke_does_not_pile_up() {
    let mut world = permitted();
    let icmp = IcmpAttribute { kind: 3, code: 1, data: 0 };
    let packet = indication(Method::DATA, |b| b.attribute(&XorPeerAddress(at(PEER))).attribute(&icmp));
    for _ in 0..1000 {
        let input = Input::Datagram { socket: SOCKET, from: server_address(), data: &packet };
        let _ = world.client.handle_input(world.now, input); // and the host forgets to poll
    }
    assert_eq!(world.client.drops().of(Dropped::LimitReached), 1000 - 256);
    world.drain();
    assert_eq!(world.events().len(), 256);
}

#[test]
fn garbage_changes_nothing() {
    let (mut world, number) = bound();
    world.permit("203.0.113.8");
    let asked = world.server.asked.last().unwrap().clone();
    let (relayed, server_saw) = (world.client.relayed(), world.server.asked.len());

    // Every truncation and every bent byte of what a server may send.
    let answer = support::finish(
        &asked.message(),
        Class::Success,
        Some((&world.server.key(&asked.message()), false)),
        |b| b,
    );
    for good in [answer.clone(), data_from("203.0.113.99:9", b"hello"), channel_data(number ^ 1, b"hello")] {
        for len in 0..good.len() {
            let _ = world.hear(&good[..len]);
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bent = good.clone();
                bent[at] ^= 1 << bit;
                if bent != answer && Message::decode(&bent).is_ok_and(|m| m.class() != Class::Indication) {
                    assert!(
                        matches!(world.hear(&bent), Received::Dropped(_) | Received::NotMine),
                        "{bent:02x?}"
                    );
                } else {
                    let _ = world.hear(&bent);
                }
            }
        }
    }
    assert_eq!(world.events(), []);
    assert_eq!((world.client.relayed(), world.server.asked.len()), (relayed, server_saw));
    assert!(!world.client.is_permitted(ip("203.0.113.8")));
    assert_eq!(world.hear(&answer), Received::Consumed, "and the right answer is still awaited");
    assert_eq!(world.events(), [Event::Permitted { peer: ip("203.0.113.8") }]);
}

#[test]
fn attributes_behind_the_signature_are_not_obeyed() {
    let mut world = World::allocated();
    world.server.fault(Method::REFRESH, Fault::Deaf, 99);
    world.run(secs(545.5));
    let asked = world.server.of(Method::REFRESH)[0].clone();
    let key = world.server.key(&asked.message());
    let mut answer = support::finish(&asked.message(), Class::Success, Some((&key, false)), |b| b);
    // LIFETIME 0, as somebody on the path may append it
    answer.extend([0x00, 0x0D, 0, 4, 0, 0, 0, 0]);
    answer[3] += 8;
    assert_eq!(floe_stun::attribute::Lifetime::TYPE, 0x000D);
    assert_eq!(world.hear(&answer), Received::Consumed);
    assert_eq!(world.events(), []);
    assert!(world.client.relayed().is_some());
}
