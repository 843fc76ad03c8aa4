//! Permissions, channels, and the data that passes.

mod support;

use floe_stun::attribute::{
    AdditionalAddressFamily, ChannelNumberAttribute, Data, DontFragment, Family, IcmpAttribute,
    RequestedAddressFamily, RequestedTransport, XorPeerAddress,
};
use floe_stun::{
    Builder, Class, Dropped, Icmp, Input, Machine, Message, Method, Received, SocketId, TransactionId,
};
use floe_turn_server::{Event, Limits, PeerPolicy};
use support::{Client, Scheme, Sent, V4, World, addr, app, code, config, secs};

const PEER: &str = "198.51.100.7:7000";

fn world() -> (World, Client, SocketId) {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    let relay = world.relay_of(&alice);
    (world, alice, relay)
}

/// With an allocation of the other family.
fn world_v6(config: floe_turn_server::Config) -> (World, Client) {
    let mut world = World::with(config);
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let v6 = RequestedAddressFamily(Family::Ipv6);
    let answer = alice
        .ask_signed(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP).attribute(&v6));
    assert!(support::relayed(&answer).is_ipv6());
    (world, alice)
}

/// TURNS-11.2-1, TURNS-11.2-4
#[test]
fn a_send_indication_comes_out_at_the_relayed_socket() {
    let (mut world, mut alice, relay) = world();
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0"]), 0);
    for data in [&b"hello"[..], b"", &[7; 1400]] {
        let sent = app(alice.send(&mut world, PEER, data));
        assert_eq!(sent, Sent { socket: relay, to: addr(PEER), bytes: data.to_vec() });
    }
    let stats = world.server.stats();
    assert_eq!((stats.to_peers.packets, stats.to_peers.bytes), (3, 1405));
    assert!(world.sent.is_empty(), "indications are not answered");
}

/// TURNS-11.2-2, TURNS-11.2-1, TURNS-11.2-3, TURNS-5-1, STUN-6.3.2-1
#[test]
fn a_send_indication_that_is_not_in_order_is_dropped() {
    let (mut world, mut alice, _) = world();
    assert_eq!(alice.send(&mut world, PEER, b"x"), Received::Dropped(Dropped::NoPermission));
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    let send = |world: &mut World, from, build: fn(Builder<'_>) -> Builder<'_>| {
        let mut buf = [0; 128];
        let id = TransactionId::from([1; 12]);
        let builder = build(Builder::new(&mut buf, Class::Indication, Method::SEND, id));
        world.datagram(V4, from, builder.finish().unwrap())
    };
    let (here, elsewhere) = (alice.address, addr("203.0.113.5:40001"));
    let dropped = Received::Dropped;
    let verdict = send(&mut world, here, |b| b.attribute(&Data(b"x")));
    assert_eq!(verdict, dropped(Dropped::MissingAttribute));
    let verdict = send(&mut world, here, |b| b.attribute(&XorPeerAddress(addr(PEER))));
    assert_eq!(verdict, dropped(Dropped::MissingAttribute));
    let verdict = send(&mut world, here, |b| {
        b.attribute(&XorPeerAddress(addr("198.51.100.7:0"))).attribute(&Data(b"x"))
    });
    assert_eq!(verdict, dropped(Dropped::MissingAttribute), "no datagram goes to port 0");
    let verdict = send(&mut world, here, |b| {
        b.attribute(&XorPeerAddress(addr(PEER))).attribute(&Data(b"x")).attribute(&DontFragment)
    });
    assert_eq!(verdict, dropped(Dropped::UnknownAttribute));
    let verdict =
        send(&mut world, elsewhere, |b| b.attribute(&XorPeerAddress(addr(PEER))).attribute(&Data(b"x")));
    assert_eq!(verdict, dropped(Dropped::NoAllocation));
    assert!(world.sent.is_empty());
    assert_eq!(world.server.stats().to_peers.packets, 0);
}

/// TURNS-9-1, TURNS-11.3-1
#[test]
fn a_peer_with_a_permission_reaches_the_client_in_data_indications() {
    let (mut world, mut alice, relay) = world();
    let before = world.datagram(relay, addr(PEER), b"early");
    assert_eq!(before, Received::Dropped(Dropped::NoPermission));
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0"]), 0);

    for (from, data) in [(PEER, &b"hello"[..]), ("198.51.100.7:1", b""), (PEER, &[9; 1400])] {
        let sent = app(world.datagram(relay, addr(from), data));
        assert_eq!((sent.socket, sent.to), (V4, alice.address));
        let message = Message::decode(&sent.bytes).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Indication, Method::DATA));
        assert_eq!(message.find(), Some(XorPeerAddress(addr(from))), "any port of the address may send");
        assert_eq!(message.find(), Some(Data(data)));
    }
    let other = world.datagram(relay, addr("198.51.100.8:7000"), b"x");
    assert_eq!(other, Received::Dropped(Dropped::NoPermission));
    let stats = world.server.stats();
    assert_eq!((stats.to_clients.packets, stats.to_clients.bytes), (3, 1405));
    assert_eq!(stats.drops.of(Dropped::NoPermission), 2);
}

/// TURNS-9-1, TURNS-11.2-2, TURNS-10.2-5: 300 s, and data does not lengthen them.
#[test]
fn a_permission_ends_after_five_minutes_unless_it_is_refreshed() {
    let (mut world, mut alice, relay) = world();
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    world.pass(secs(200));
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    world.pass(secs(299));
    app(alice.send(&mut world, PEER, b"x"));
    app(world.datagram(relay, addr(PEER), b"x"));
    world.pass(secs(1));
    assert_eq!(alice.send(&mut world, PEER, b"x"), Received::Dropped(Dropped::NoPermission));
    assert_eq!(world.datagram(relay, addr(PEER), b"x"), Received::Dropped(Dropped::NoPermission));
}

/// TURNS-10.2-1, TURNS-10.2-5
#[test]
fn create_permission_takes_all_of_its_addresses_or_none() {
    let (mut world, mut alice, relay) = world();
    assert_eq!(alice.permit(&mut world, &[]), 400);
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0", "198.51.100.8:0"]), 0);
    for from in ["198.51.100.7:1", "198.51.100.8:1"] {
        app(world.datagram(relay, addr(from), b"x"));
    }
    assert_eq!(alice.permit(&mut world, &["198.51.100.9:0", "127.0.0.1:0"]), 403);
    assert_eq!(alice.permit(&mut world, &["198.51.100.9:0", "[2001:db8::9]:0"]), 443);
    let verdict = world.datagram(relay, addr("198.51.100.9:1"), b"x");
    assert_eq!(verdict, Received::Dropped(Dropped::NoPermission));

    // An address of the wrong length.
    let bent = alice.ask_signed(&mut world, Method::CREATE_PERMISSION, |b| b.attribute(&BentPeer));
    assert_eq!(code(&bent), 400);
}

struct BentPeer;

impl floe_stun::attribute::Attribute<'_> for BentPeer {
    const TYPE: u16 = XorPeerAddress::TYPE;

    fn decode(_: &[u8], _: TransactionId) -> Result<Self, floe_stun::DecodeError> {
        Ok(Self)
    }

    fn encoded_len(&self) -> usize {
        7
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), floe_stun::EncodeError> {
        out.fill(1);
        Ok(())
    }
}

/// TURNS-10.2-4
#[test]
fn permissions_are_limited_and_the_ended_ones_do_not_count() {
    let mut limits = Limits::default();
    limits.permissions = 3;
    let mut world = World::with(config().with_limits(limits));
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    assert_eq!(
        alice.permit(&mut world, &["198.51.100.1:0", "198.51.100.2:0", "198.51.100.1:9", "198.51.100.2:9"]),
        0
    );
    assert_eq!(alice.permit(&mut world, &["198.51.100.3:0", "198.51.100.4:0"]), 508);
    assert_eq!(alice.permit(&mut world, &["198.51.100.3:0"]), 0);
    assert_eq!(alice.permit(&mut world, &["198.51.100.1:0"]), 0, "a refresh takes no room");
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.5:5"), 508);
    world.pass(secs(300));
    assert_eq!(alice.permit(&mut world, &["198.51.100.5:0", "198.51.100.6:0", "198.51.100.7:0"]), 0);
}

/// TURNS-10.2-3, TURNS-12.2-5, TURNS-21.4-1
#[test]
fn the_default_policy_keeps_clients_out_of_the_network() {
    let (mut world, mut alice, relay) = world();
    for peer in [
        "127.0.0.1:80",
        "127.1.2.3:80",
        "0.0.0.0:80",
        "10.0.0.1:80",
        "172.16.0.1:80",
        "192.168.0.1:80",
        "100.64.0.1:80",
        "169.254.169.254:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "240.0.0.1:80",
    ] {
        assert_eq!(alice.permit(&mut world, &[peer]), 403, "{peer}");
        assert_eq!(alice.bind(&mut world, 0x4000, peer), 403, "{peer}");
        assert_eq!(alice.send(&mut world, peer, b"x"), Received::Dropped(Dropped::NoPermission));
        assert_eq!(world.datagram(relay, addr(peer), b"x"), Received::Dropped(Dropped::NoPermission));
    }
    let (mut world, mut alice) = world_v6(config());
    for peer in [
        "[::1]:80",
        "[::]:80",
        "[fe80::1]:80",
        "[fc00::1]:80",
        "[fd12::1]:80",
        "[ff02::1]:80",
        "[fec0::1]:80",
        "[::ffff:127.0.0.1]:80",
        "[::ffff:10.0.0.1]:80",
        "[::ffff:169.254.169.254]:80",
        "[::127.0.0.1]:80",
        "[64:ff9b::127.0.0.1]:80",
        "[64:ff9b::10.0.0.1]:80",
        "[64:ff9b:1::1]:80",
        "[2002:7f00:1::1]:80",
        "[2002:cb00:7107::1]:80",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]:80",
        "[fe80::5efe:127.0.0.1]:80",
        "[2001:db8::5efe:127.0.0.1]:80",
        "[ff02::5efe:8.8.8.8]:80",
        "[fe80::5efe:8.8.8.8]:80",
        "[fd00::200:5efe:8.8.8.8]:80",
        "[2002:7f00:1::5efe:8.8.8.8]:80",
        "[2001:0:7f00:1:0:5efe:8.8.8.8]:80",
        "[::ffff:0:127.0.0.1]:80",
    ] {
        assert_eq!(alice.permit(&mut world, &[peer]), 403, "{peer}");
        assert_eq!(alice.bind(&mut world, 0x4000, peer), 403, "{peer}");
    }
    assert_eq!(alice.permit(&mut world, &["[::ffff:198.51.100.7]:80"]), 443, "an IPv4 address all the same");
    assert_eq!(alice.permit(&mut world, &["[64:ff9b::198.51.100.7]:80"]), 0, "NAT64 leads to a public peer");
    assert_eq!(alice.permit(&mut world, &["[2001:db8::7]:80"]), 0);
}

/// TURNS-12.2-5: what a server would say to itself, others should not be able to make it say.
#[test]
fn the_server_and_what_runs_beside_it_are_no_peers() {
    let (mut world, mut alice, relay) = world();
    assert_eq!(alice.permit(&mut world, &["192.0.2.1:0"]), 0, "other clients have relays there");
    for own in ["192.0.2.1:3478", "192.0.2.1:53", "192.0.2.1:49151"] {
        assert_eq!(alice.bind(&mut world, 0x4000, own), 403, "{own}");
        assert_eq!(alice.send(&mut world, own, b"x"), Received::Dropped(Dropped::NoPermission), "{own}");
        let verdict = world.datagram(relay, addr(own), b"x");
        assert_eq!(verdict, Received::Dropped(Dropped::NoPermission), "{own}");
    }
    app(alice.send(&mut world, "192.0.2.1:49152", b"x"));
    let (mut world, mut alice) = world_v6(config().with_peers(PeerPolicy::allow_all_for_tests()));
    assert_eq!(alice.bind(&mut world, 0x4000, "[2001:db8::1]:3478"), 403);
    assert_eq!(alice.bind(&mut world, 0x4000, "[2001:db8::1]:3479"), 0);
}

#[test]
fn a_demo_may_open_loopback_and_private_networks() {
    let demo = PeerPolicy::allow_all_for_tests();
    let mut world = World::with(config().with_peers(demo.clone()));
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    for peer in ["127.0.0.1:80", "10.0.0.1:80", "169.254.1.1:80", "198.51.100.7:80"] {
        assert_eq!(alice.permit(&mut world, &[peer]), 0, "{peer}");
    }
    for peer in ["0.0.0.0:80", "224.0.0.1:80", "255.255.255.255:80"] {
        assert_eq!(alice.permit(&mut world, &[peer]), 403, "{peer}");
    }
    let (mut world, mut alice) = world_v6(config().with_peers(demo));
    assert_eq!(alice.permit(&mut world, &["[::1]:80", "[fd00::1]:80"]), 0);
    assert_eq!(alice.permit(&mut world, &["[2002:7f00:1::1]:80"]), 403);
}

/// TURNS-10.2-2, TURNS-12.2-4
#[test]
fn a_peer_of_the_other_family_is_refused() {
    let (mut world, mut alice, _) = world();
    assert_eq!(alice.permit(&mut world, &["[2001:db8::7]:80"]), 443);
    assert_eq!(alice.bind(&mut world, 0x4000, "[2001:db8::7]:80"), 443);
    assert_eq!(alice.permit(&mut world, &["[::ffff:198.51.100.7]:80"]), 443);
    let (mut world, mut alice) = world_v6(config());
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:80"]), 443);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.7:80"), 443);
    assert_eq!(alice.permit(&mut world, &["127.0.0.1:80"]), 443, "the family comes before the policy");
}

/// TURNS-12.2-2, TURNS-11.3-1, TURNS-12.6-1: empty data makes a datagram too.
#[test]
fn channel_data_passes_both_ways_and_brings_its_own_permission() {
    let (mut world, mut alice, relay) = world();
    assert_eq!(alice.bind(&mut world, 0x4001, PEER), 0);
    for data in [&b"hello"[..], b"", b"12345678"] {
        let length = u8::try_from(data.len()).unwrap();
        let packet = [&[0x40, 0x01, 0, length], data].concat();
        let sent = app(world.datagram(V4, alice.address, &packet));
        assert_eq!(sent, Sent { socket: relay, to: addr(PEER), bytes: data.to_vec() });

        let sent = app(world.datagram(relay, addr(PEER), data));
        assert_eq!(sent, Sent { socket: V4, to: alice.address, bytes: packet });
    }
    // Padding is allowed and does not travel on.
    let sent = app(world.datagram(V4, alice.address, &[0x40, 0x01, 0, 1, b'x', 0, 0, 0]));
    assert_eq!(sent.bytes, b"x");
    // Another port of the peer has no channel but the permission.
    let sent = app(world.datagram(relay, addr("198.51.100.7:1"), b"x"));
    assert_eq!(Message::decode(&sent.bytes).unwrap().method(), Method::DATA);
    // Send indications keep working beside the channel.
    app(alice.send(&mut world, PEER, b"x"));
}

/// TURNS-5-1, and RFC 8656 §12.6 on channels that are not bound and datagrams that are too short.
#[test]
fn channel_data_that_leads_nowhere_is_dropped() {
    let (mut world, mut alice, _) = world();
    assert_eq!(alice.bind(&mut world, 0x4001, PEER), 0);
    let elsewhere = addr("203.0.113.5:40001");
    for (from, packet, why) in [
        (alice.address, &[0x40, 0x02, 0, 1, b'x'][..], Dropped::UnknownChannel),
        (alice.address, &[0x40, 0x01, 0, 2, b'x'], Dropped::Malformed),
        (alice.address, &[0x40, 0x01, 0], Dropped::Malformed),
        (alice.address, &[0x50, 0x01, 0, 1, b'x'], Dropped::NotStun),
        (elsewhere, &[0x40, 0x01, 0, 1, b'x'], Dropped::NoAllocation),
    ] {
        assert_eq!(world.datagram(V4, from, packet), Received::Dropped(why), "{packet:02x?}");
    }
    assert!(world.sent.is_empty());
}

/// TURNS-12.2-1
#[test]
fn channel_bind_wants_a_number_in_range_and_a_peer() {
    let (mut world, mut alice, _) = world();
    for number in [0, 0x3FFF, 0x5000, 0x7FFF, 0xFFFF] {
        assert_eq!(alice.bind(&mut world, number, PEER), 400, "{number:#x}");
    }
    let answer =
        alice.ask_signed(&mut world, Method::CHANNEL_BIND, |b| b.attribute(&ChannelNumberAttribute(0x4000)));
    assert_eq!(code(&answer), 400);
    let answer =
        alice.ask_signed(&mut world, Method::CHANNEL_BIND, |b| b.attribute(&XorPeerAddress(addr(PEER))));
    assert_eq!(code(&answer), 400);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.7:0"), 400);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    assert_eq!(alice.bind(&mut world, 0x4FFF, "198.51.100.7:7001"), 0);
}

/// TURNS-12.2-3
#[test]
fn a_channel_has_one_peer_and_a_peer_one_channel() {
    let (mut world, mut alice, relay) = world();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.7:7001"), 400);
    assert_eq!(alice.bind(&mut world, 0x4001, PEER), 400);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0, "the same again is a refresh");
    assert_eq!(app(world.datagram(relay, addr(PEER), b"x")).bytes, [0x40, 0, 0, 1, b'x']);
}

/// TURNS-12-1, TURNS-12.6-1: data refreshes neither the channel nor its permission.
#[test]
fn a_channel_lasts_ten_minutes_and_its_permission_five() {
    let (mut world, mut alice, relay) = world();
    let packet = [0x40, 0, 0, 1, b'x'];
    assert_eq!(alice.refresh(&mut world, Some(3600)).0, 0);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    world.pass(secs(299));
    app(world.datagram(V4, alice.address, &packet));
    app(world.datagram(relay, addr(PEER), b"x"));
    world.pass(secs(1));
    app(world.datagram(V4, alice.address, &packet));
    assert_eq!(world.datagram(relay, addr(PEER), b"x"), Received::Dropped(Dropped::NoPermission));
    world.pass(secs(299));
    app(world.datagram(V4, alice.address, &packet));
    world.pass(secs(1));
    let ended = world.datagram(V4, alice.address, &packet);
    assert_eq!(ended, Received::Dropped(Dropped::UnknownChannel));

    // Unbound, number and peer are free for others.
    assert_eq!(alice.bind(&mut world, 0x4001, PEER), 0);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.7:7001"), 0);
    world.pass(secs(500));
    assert_eq!(alice.bind(&mut world, 0x4001, PEER), 0);
    world.pass(secs(599));
    app(world.datagram(V4, alice.address, &[0x40, 1, 0, 0]));
    let ended = world.datagram(V4, alice.address, &packet);
    assert_eq!(ended, Received::Dropped(Dropped::UnknownChannel));
    // Without a channel, but with a permission, a peer is heard by Data indications again.
    world.pass(secs(1));
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    let sent = app(world.datagram(relay, addr(PEER), b"x"));
    assert_eq!(Message::decode(&sent.bytes).unwrap().method(), Method::DATA);
}

/// TURNS-12.2-6
#[test]
fn channels_are_limited() {
    let mut limits = Limits::default();
    limits.channels = 2;
    let mut world = World::with(config().with_limits(limits));
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.7:1"), 0);
    assert_eq!(alice.bind(&mut world, 0x4001, "198.51.100.7:2"), 0);
    assert_eq!(alice.bind(&mut world, 0x4002, "198.51.100.7:3"), 508);
    assert_eq!(alice.bind(&mut world, 0x4001, "198.51.100.7:2"), 0);
}

#[test]
fn the_channels_and_permissions_of_two_clients_are_their_own() {
    let (mut world, mut alice, a) = world();
    let mut bob = Client::bob();
    bob.allocate(&mut world);
    let b = world.relay_of(&bob);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    assert_eq!(bob.bind(&mut world, 0x4000, "198.51.100.8:8000"), 0);
    let packet = [0x40, 0, 0, 1, b'x'];
    let sent = app(world.datagram(V4, alice.address, &packet));
    assert_eq!((sent.socket, sent.to), (a, addr(PEER)));
    let sent = app(world.datagram(V4, bob.address, &packet));
    assert_eq!((sent.socket, sent.to), (b, addr("198.51.100.8:8000")));
    assert_eq!(world.datagram(b, addr(PEER), b"x"), Received::Dropped(Dropped::NoPermission));
}

#[test]
fn an_allocation_made_anew_knows_nothing_of_the_old_one() {
    let (mut world, mut alice, relay) = world();
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    assert_eq!(alice.refresh(&mut world, Some(0)).0, 0);
    let gone = world.datagram(V4, alice.address, &[0x40, 0, 0, 1, b'x']);
    assert_eq!(gone, Received::Dropped(Dropped::NoAllocation));
    assert_eq!(world.datagram(relay, addr(PEER), b"x"), Received::NotMine);
    alice.allocate(&mut world);
    let new = world.relay_of(&alice);
    assert_ne!(new, relay);
    assert_eq!(world.datagram(new, addr(PEER), b"x"), Received::Dropped(Dropped::NoPermission));
    let gone = world.datagram(V4, alice.address, &[0x40, 0, 0, 1, b'x']);
    assert_eq!(gone, Received::Dropped(Dropped::UnknownChannel));
}

/// Data for an IPv4 client from an IPv6 peer: 48 bytes in front instead of 36.
#[test]
fn data_crosses_from_one_family_to_the_other() {
    let (mut world, mut alice) = world_v6(config());
    let relay = world.relay_of(&alice);
    let peer = "[2001:db8::7]:7000";
    assert_eq!(alice.permit(&mut world, &[peer]), 0);
    assert_eq!(app(alice.send(&mut world, peer, b"hello")).to, addr(peer));
    let sent = app(world.datagram(relay, addr(peer), b"hello"));
    let message = Message::decode(&sent.bytes).unwrap();
    assert_eq!(message.find(), Some(XorPeerAddress(addr(peer))));
    assert_eq!((sent.to, message.find()), (alice.address, Some(Data(b"hello"))));
}

/// TURNS-11.5-1
#[test]
fn an_icmp_error_about_a_permitted_peer_is_told_to_the_client() {
    let (mut world, mut alice, relay) = world();
    let icmp = |world: &mut World, to, what| world.input(Input::Icmp { socket: relay, to: addr(to), what });
    assert_eq!(icmp(&mut world, PEER, Icmp::Unreachable), Received::Dropped(Dropped::NoPermission));
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    for (what, kind, code, data) in
        [(Icmp::Unreachable, 3, 3, 0), (Icmp::TooBig { mtu: Some(1280) }, 3, 4, 1280)]
    {
        assert_eq!(icmp(&mut world, PEER, what), Received::Consumed);
        let told = world.take_sent(alice.address).remove(0);
        let message = Message::decode(&told.bytes).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Indication, Method::DATA));
        assert_eq!(message.find(), Some(XorPeerAddress(addr(PEER))));
        assert_eq!(message.find(), Some(IcmpAttribute { kind, code, data }));
    }
    let verdict = icmp(&mut world, "198.51.100.8:1", Icmp::Unreachable);
    assert_eq!(verdict, Received::Dropped(Dropped::NoPermission));
    let about_client = Input::Icmp { socket: V4, to: alice.address, what: Icmp::Unreachable };
    assert_eq!(world.input(about_client), Received::Consumed);
    assert!(world.sent.is_empty());
}

#[test]
fn two_clients_reach_each_other_through_their_relayed_addresses() {
    let mut world = World::new();
    let mut alice = Client::alice();
    let mut carol = Client::new("[2001:db8::5]:40000", "bob", "builder", Scheme::Sha256);
    let (a, c) = (alice.allocate(&mut world), carol.allocate(&mut world));
    let (from_a, from_c) = (world.relay_of(&alice), world.relay_of(&carol));
    assert_eq!(alice.bind(&mut world, 0x4000, &c.to_string()), 0);
    assert_eq!(carol.permit(&mut world, &[&a.to_string()]), 0);

    let sent = app(world.datagram(V4, alice.address, &[0x40, 0, 0, 2, b'h', b'i']));
    assert_eq!((sent.socket, sent.to), (from_a, c));
    let heard = app(world.datagram(from_c, a, &sent.bytes));
    let message = Message::decode(&heard.bytes).unwrap();
    assert_eq!((heard.to, message.find()), (carol.address, Some(Data(b"hi"))));

    let sent = app(carol.send(&mut world, &a.to_string(), b"ho"));
    assert_eq!((sent.socket, sent.to), (from_c, a));
    let heard = app(world.datagram(from_a, c, &sent.bytes));
    assert_eq!((heard.to, &heard.bytes[..]), (alice.address, &[0x40, 0, 0, 2, b'h', b'o'][..]));
}

#[test]
fn the_operator_hears_of_peers_that_are_refused() {
    let (mut world, mut alice, _) = world();
    world.events.clear();
    assert_eq!(alice.permit(&mut world, &["198.51.100.9:0", "10.0.0.1:0"]), 403);
    let [Event::PeerRefused { peer, user, .. }] = world.events.as_slice() else {
        panic!("{:?}", world.events)
    };
    assert_eq!((*peer, user.as_str()), (addr("10.0.0.1:0"), "alice"));
    for _ in 0..100 {
        alice.permit(&mut world, &["10.0.0.1:0"]);
    }
    assert_eq!(world.events.len(), 10, "not more than ten a second");
    world.pass(secs(1));
    alice.permit(&mut world, &["10.0.0.1:0"]);
    assert_eq!(world.events.len(), 11);
}

/// TURNS-5-5
#[test]
fn a_user_has_the_bandwidth_that_is_granted_and_others_have_theirs() {
    let mut limits = Limits::default();
    limits.bytes_per_second_per_user = Some(100_000);
    let mut world = World::with(config().with_limits(limits));
    let (mut alice, mut bob) = (Client::alice(), Client::bob());
    let peer = "198.51.100.7:7000";
    for client in [&mut alice, &mut bob] {
        client.allocate(&mut world);
        assert_eq!(client.permit(&mut world, &[peer]), 0);
    }
    let (relay, data) = (world.relay_of(&alice), [7; 1000]);
    let mut passed = 0;
    for tenth in 0..100 {
        alice.next_id = 0;
        for n in 0..40 {
            // Both ways count, and half of it comes from the peer.
            let verdict = match n % 2 {
                0 => alice.send(&mut world, peer, &data),
                _ => world.datagram(relay, addr(peer), &data),
            };
            match verdict {
                Received::App(_) => passed += 1,
                other => assert_eq!(other, Received::Dropped(Dropped::LimitReached), "{tenth}"),
            }
        }
        world.pass(std::time::Duration::from_millis(100));
    }
    assert!((1000..=1100).contains(&passed), "{passed} in ten seconds");
    app(bob.send(&mut world, peer, &data));
    let stats = world.server.stats();
    assert_eq!(
        stats.to_peers.packets + stats.to_clients.packets,
        passed + 1,
        "what is dropped does not count"
    );
}

/// TURNS-7.2-4, TURNS-11.2-3, TURNS-14-1
#[test]
fn a_host_that_can_forbid_fragments_is_told_where_a_client_asks_for_it() {
    let mut config = config();
    config.dont_fragment = true;
    let mut world = World::with(config);
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let asked = alice.code_of(&mut world, Method::ALLOCATE, |b| {
        b.attribute(&RequestedTransport::UDP).attribute(&DontFragment)
    });
    assert_eq!(asked, 0);
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0"]), 0);
    for forbids in [true, false] {
        let mut buf = [0; 256];
        let data = Builder::new(&mut buf, Class::Indication, Method::SEND, [1; 12].into())
            .attribute(&XorPeerAddress(addr("198.51.100.7:7")))
            .attribute(&Data(b"x"))
            .maybe(forbids.then_some(&DontFragment))
            .finish()
            .unwrap();
        let input = Input::Datagram { socket: alice.socket, from: alice.address, data };
        let judged = world.server.handle_input(world.now, input);
        assert!(matches!(judged, Received::App(forward) if forward.plan.forbids_fragments() == forbids));
    }
}

/// TURNS-11.5-1
#[test]
fn icmp_errors_have_the_numbers_of_their_family() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let both = AdditionalAddressFamily(Family::Ipv6);
    let asked = alice
        .code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP).attribute(&both));
    assert_eq!(asked, 0);
    let (v4, v6) = ("198.51.100.7:7", "[2001:db8:7::7]:7");
    assert_eq!(alice.permit(&mut world, &[v4, v6]), 0);
    let first = world.relay_of(&alice);
    let second = SocketId(first.0 + 1);
    for (socket, peer, what, kind, code, data) in [
        (first, v4, Icmp::Unreachable, 3, 3, 0),
        (first, v4, Icmp::TooBig { mtu: Some(1400) }, 3, 4, 1400),
        (second, v6, Icmp::Unreachable, 1, 4, 0),
        (second, v6, Icmp::TooBig { mtu: Some(1280) }, 2, 0, 1280),
    ] {
        let told = world.input(Input::Icmp { socket, to: addr(peer), what });
        assert_eq!(told, Received::Consumed);
        let sent = world.take_sent(alice.address).pop().unwrap();
        let told = Message::decode(&sent.bytes).unwrap();
        assert_eq!(told.find(), Some(XorPeerAddress(addr(peer))));
        assert_eq!(told.find(), Some(IcmpAttribute { kind, code, data }));
    }
}
