//! What has gone wrong in servers of this kind, and the test that would have found it.
//!
//! | what went wrong | test |
//! |---|---|
//! | bytes of the wire led to a panic or past the buffer | `hostile::garbage_and_bent_requests_leave_everything_as_it_was`, fuzz target `turn_server` |
//! | calls in an order that nobody had thought of led to a panic | [`calls_may_come_in_any_order`] |
//! | lengths, ports and times overflowed | `allocations::lifetimes_are_kept_between_the_default_and_the_maximum`, [`the_last_port_has_none_behind_it`] |
//! | padding showed what had been in the buffer before | [`padding_tells_nothing`] |
//! | work grew faster than its input | `hostile::what_no_client_sends_costs_nothing` |
//! | attributes behind the seal were obeyed | `credentials::attributes_behind_the_integrity_are_not_obeyed` |
//! | an error was answered with an error, and that again | `behaviour::answers_are_never_answered` |
//! | timers fired for ever without progress | every test: `World::pass` finds it |
//! | requests of strangers filled memory | [`strangers_leave_nothing_behind`] |
//! | every port of a peer, and every datagram, grew a table | [`data_leaves_nothing_behind`] |
//! | look-ups and attempts that nobody waits for any more piled up | `guests::requests_that_wait_are_limited_for_all_and_for_one_address`, `tcp::attempts_that_nobody_waits_for_any_more_are_limited` |
//! | whoever resumed an allocation was checked against the wrong account | `mobility::another_user_with_the_ticket_gets_nothing` |
//! | one user reached what is another's | [`no_method_reaches_what_is_anothers`], `tcp::another_user_cannot_bind_a_connection`, `guests::guests_of_one_secret_cannot_touch_what_is_anothers` |
//! | peers were judged for datagrams and not for TCP | `tcp::a_peer_must_be_named_and_allowed`, [`no_form_of_an_inner_address_is_relayed_to`] |
//! | nonces never ended, or were known beforehand | `credentials::a_nonce_ends_after_an_hour_and_the_new_one_works`, `credentials::every_second_and_every_client_has_its_own_nonce` |
//! | ports, tokens and tickets could be guessed | [`what_is_drawn_differs_with_the_seed`], `allocations::ports_are_random_and_never_given_twice` |
//! | another form of an address led to the inside | [`no_form_of_an_inner_address_is_relayed_to`], `policy::every_form_of_an_ipv4_address_is_judged_as_that_address` |
//! | the server could be reached through itself | `relaying::the_server_and_what_runs_beside_it_are_no_peers`, [`the_server_is_no_peer_in_any_form`] |
//! | ranges of IPv6 had holes | `policy::ipv6_ranges_begin_and_end_where_they_should` |
//! | challenges made an amplifier | `credentials::a_stranger_gets_at_most_three_times_what_was_sent`, `credentials::strangers_are_rationed_by_address_and_users_are_not` |
//! | even ports leaked with each request | [`even_ports_do_not_run_out`] |
//! | a move gave the quota back and kept the allocation | `mobility::quotas_are_the_same_before_and_after_a_move` |
//! | anything held was lost or given twice | `conservation::nothing_is_lost_and_nothing_is_given_twice` |
//! | no room was told as "no such family", and clients never asked again | `dual::where_only_one_family_is_to_be_had_it_is_given_with_the_reason` |
//! | channel numbers out of range were bound | `relaying::channel_bind_wants_a_number_in_range_and_a_peer` |
//! | a name of something gone led to something new | `allocations::an_allocation_made_anew_knows_nothing_of_the_old_one`, `conservation` |
//! | what is answered late was taken for something else | `allocations::closing_ends_everything_and_forgets_no_socket`, `guests::who_is_found_too_late_begins_nothing` |
//! | a clock that jumps ended or kept what it should not | `allocations::a_clock_that_goes_back_stands_still_and_one_that_jumps_ends_what_is_over` |
//! | a line was logged for each hostile packet | `credentials::the_operator_hears_of_wrong_credentials_and_not_of_strangers` |
//! | a server that was restarted silently was sent to for ever | `credentials::a_client_whose_server_was_restarted_hears_that_its_allocation_is_gone` |
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails has found what the test looks for"
)]

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use floe_stun::attribute::{
    AdditionalAddressFamily, ChannelNumberAttribute, ConnectionId, EvenPort, Family, Lifetime,
    MobilityTicket, RequestedTransport, ReservationToken, XorPeerAddress,
};
use floe_stun::{Dropped, Input, Message, Method, Received};
use floe_turn_server::{Limits, Server};
use support::{Client, Scheme, V4, World, addr, app, config, secs};

/// What nobody from outside may reach: loopback, this network, private, link-local and the services of clouds on it,
/// shared, multicast, broadcast.
const INNER: [Ipv4Addr; 16] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 255, 255, 254),
    Ipv4Addr::new(0, 0, 0, 0),
    Ipv4Addr::new(0, 0, 0, 1),
    Ipv4Addr::new(0, 255, 255, 255),
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(172, 31, 255, 255),
    Ipv4Addr::new(192, 168, 0, 1),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(224, 0, 0, 1),
    Ipv4Addr::new(240, 0, 0, 1),
    Ipv4Addr::new(255, 255, 255, 255),
];

/// All that an IPv6 address can be made of an IPv4 one.
fn forms(v4: Ipv4Addr) -> Vec<Ipv6Addr> {
    let [a, b, c, d] = v4.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    [
        [0, 0, 0, 0, 0, 0xFFFF, high, low],            // IPv4-mapped
        [0, 0, 0, 0, 0, 0, high, low],                 // IPv4-compatible
        [0, 0, 0, 0, 0xFFFF, 0, high, low],            // IPv4-translated
        [0x64, 0xFF9B, 0, 0, 0, 0, high, low],         // NAT64
        [0x64, 0xFF9B, 1, 0, 0, 0, high, low],         // NAT64 of a network of its own
        [0x2002, high, low, 0, 0, 0, 0, 1],            // 6to4
        [0x2001, 0, 0xC000, 0x201, 0, 0, !high, !low], // Teredo, of a client there
        [0x2001, 0, high, low, 0, 0, 0, 0],            // Teredo, of a server there
        [0x2001, 0xDB8, 7, 0, 0, 0x5EFE, high, low],   // ISATAP
        [0x2001, 0xDB8, 7, 0, 0x200, 0x5EFE, high, low],
    ]
    .map(Ipv6Addr::from)
    .into()
}

/// The same of IPv6 alone: unspecified, loopback, link-local, unique local, the services of a cloud on it, site-local,
/// multicast, discard-only.
const INNER_V6: [&str; 9] =
    ["::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1", "100::1"];

/// Alice, for datagrams or over a stream for TCP, with both families.
fn relaying(is_tcp: bool) -> (World, Client) {
    let mut world = World::new();
    let mut alice = Client::alice();
    if is_tcp {
        world.accept(&mut alice);
    }
    alice.challenge(&mut world);
    let transport = if is_tcp { RequestedTransport::TCP } else { RequestedTransport::UDP };
    let both = AdditionalAddressFamily(Family::Ipv6);
    let allocated = alice.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&transport).attribute(&both));
    assert_eq!(allocated, 0);
    (world, alice)
}

fn inner() -> Vec<SocketAddr> {
    let v4 = INNER.iter().map(|ip| IpAddr::V4(*ip));
    let disguised = INNER.iter().flat_map(|ip| forms(*ip)).map(IpAddr::V6);
    let v6 = INNER_V6.iter().map(|ip| ip.parse().unwrap());
    v4.chain(disguised).chain(v6).map(|ip| SocketAddr::new(ip, 80)).collect()
}

/// TURNS-10.2-3, TURNS-12.2-5, TTCP-5.2-5, TURNS-21.4-1: by CreatePermission, ChannelBind, Send, Connect, and from there.
#[test]
fn no_form_of_an_inner_address_is_relayed_to() {
    let ((mut datagrams, mut alice), (mut streams, mut bob)) = (relaying(false), relaying(true));
    let sockets = [101, 102].map(floe_stun::SocketId);
    let listeners = [102, 103].map(floe_stun::SocketId);
    assert_eq!(alice.permit(&mut datagrams, &["198.51.100.7:0", "[2001:db8:7::7]:0"]), 0);
    for peer in inner() {
        (alice.next_id, bob.next_id) = (10, 10);
        let name = XorPeerAddress(peer);
        let refusals = [
            alice.code_of(&mut datagrams, Method::CREATE_PERMISSION, |b| b.attribute(&name)),
            alice.code_of(&mut datagrams, Method::CHANNEL_BIND, |b| {
                b.attribute(&ChannelNumberAttribute(0x4000)).attribute(&name)
            }),
            bob.code_of(&mut streams, Method::CREATE_PERMISSION, |b| b.attribute(&name)),
            bob.code_of(&mut streams, Method::CONNECT, |b| b.attribute(&name)),
        ];
        assert_eq!(refusals, [403; 4], "{peer}");
        let hidden = alice.code_of(&mut datagrams, Method::CREATE_PERMISSION, |b| {
            b.attribute(&XorPeerAddress(addr("198.51.100.8:1"))).attribute(&name)
        });
        assert_eq!(hidden, 403, "{peer}: behind another one");
        let dropped = Received::Dropped(Dropped::NoPermission);
        assert_eq!(alice.send(&mut datagrams, &peer.to_string(), b"x"), dropped, "{peer}");
        for socket in sockets {
            assert_eq!(datagrams.datagram(socket, peer, b"x"), dropped, "{peer}");
        }
        for listener in listeners {
            let socket = streams.socket();
            let knocked = streams.input(Input::Accepted { listener, socket, from: peer });
            assert_eq!(knocked, dropped, "{peer}");
        }
    }
    assert!(streams.connects.is_empty());
    // What is public is not forbidden by the way.
    assert_eq!(bob.permit(&mut streams, &["198.51.100.7:0", "[2001:db8:7::7]:0"]), 0);
    // An IPv4-mapped address has no use on a relayed IPv6 address, wherever it leads.
    assert_eq!(alice.permit(&mut datagrams, &["[::ffff:198.51.100.7]:0"]), 443);
}

#[test]
fn the_server_is_no_peer_in_any_form() {
    let (mut world, mut alice) = relaying(false);
    for ip in ["192.0.2.1", "64:ff9b::192.0.2.1", "2001:db8:7::5efe:192.0.2.1", "2001:db8::1"] {
        let peer = SocketAddr::new(ip.parse().unwrap(), 3478);
        assert_eq!(alice.permit(&mut world, &[&peer.to_string()]), 0, "{peer}: a permission has no port");
        assert_eq!(alice.bind(&mut world, 0x4000, &peer.to_string()), 403, "{peer}");
        let sent = alice.send(&mut world, &peer.to_string(), b"x");
        assert_eq!(sent, Received::Dropped(Dropped::NoPermission), "{peer}");
    }
}

#[test]
fn no_method_reaches_what_is_anothers() {
    let (mut world, alice) = relaying(true);
    let before = world.server.stats();
    let mut bob = Client { user: "bob".into(), password: "builder".into(), ..alice };
    let peer = XorPeerAddress(addr("198.51.100.7:7"));
    let transport = RequestedTransport::UDP;
    assert_eq!(bob.code_of(&mut world, Method::ALLOCATE, |b| b.attribute(&transport)), 437);
    assert_eq!(bob.refresh(&mut world, Some(0)).0, 441);
    assert_eq!(bob.code_of(&mut world, Method::CREATE_PERMISSION, |b| b.attribute(&peer)), 441);
    assert_eq!(bob.bind(&mut world, 0x4000, "198.51.100.7:7"), 441);
    assert_eq!(bob.code_of(&mut world, Method::CONNECT, |b| b.attribute(&peer)), 441);
    assert_eq!(world.server.stats().allocations, before.allocations);
    assert!(world.connects.is_empty() && world.closed.is_empty());
}

/// All that the server holds, as a text.
fn held(world: &World) -> usize {
    format!("{:?}", world.server).len()
}

#[test]
fn strangers_leave_nothing_behind() {
    let mut limits = Limits::default();
    limits.unauthenticated_per_second = None;
    let mut world = World::with(config().with_limits(limits).asking_host());
    let (mut least, mut most) = (usize::MAX, 0);
    for n in 0..2000_u16 {
        let address = format!("203.{}.113.{}:4000", n >> 8, n & 0xFF);
        let mut spoofed = Client::new(&address, "mallory", "guess", Scheme::Sha256);
        spoofed.nonce = "obMatJos2wAAAnothing".into();
        let requests = [
            spoofed.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP)),
            spoofed.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP)),
            spoofed.signed(Method::REFRESH, |b| b.attribute(&MobilityTicket(&[7; 16]))),
            spoofed.signed(Method::CONNECTION_BIND, |b| b.attribute(&ConnectionId(u32::from(n)))),
            spoofed.signed(Method::ALLOCATE, |b| {
                b.attribute(&RequestedTransport::UDP).attribute(&ReservationToken([7; 8]))
            }),
        ];
        for request in requests {
            let _ = world.datagram(V4, spoofed.address, &request);
        }
        (least, most) = (least.min(held(&world)), most.max(held(&world)));
        world.sent.clear();
    }
    assert!(most - least < 200, "counters have grown by some digits only: {least} to {most}");
    assert!(world.server.is_idle());
}

#[test]
fn data_leaves_nothing_behind() {
    let (mut world, mut alice) = relaying(false);
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0"]), 0);
    let relay = world.relay_of(&alice);
    let before = held(&world);
    for port in 1..=5000 {
        alice.next_id = 10;
        let peer = format!("198.51.100.7:{port}");
        app(alice.send(&mut world, &peer, b"x"));
        app(world.datagram(relay, addr(&peer), b"x"));
        let _ = world.datagram(relay, addr(&format!("198.51.100.8:{port}")), b"x");
    }
    assert!(held(&world) < before + 200, "counters have grown by some digits only");
}

#[test]
fn even_ports_do_not_run_out() {
    let mut world = World::with(config().with_relay_ports(50_000..=50_003));
    for reserve_next in [false, true] {
        for n in 0..100_u16 {
            let address = format!("203.0.113.5:{}", 1000 + n);
            let mut alice = Client::new(&address, "alice", "wonderland", Scheme::Md5);
            alice.challenge(&mut world);
            let even = EvenPort { reserve_next };
            let answer = alice.code_of(&mut world, Method::ALLOCATE, |b| {
                b.attribute(&RequestedTransport::UDP).attribute(&even)
            });
            assert_eq!(answer, 0, "{n}");
            assert_eq!(alice.refresh(&mut world, Some(0)).0, 0);
            world.pass(secs(30));
            assert!(world.server.is_idle());
        }
    }
}

#[test]
fn the_last_port_has_none_behind_it() {
    for (ports, expected) in [(65_534..=65_535, 0), (65_534..=65_534, 508), (65_535..=65_535, 508)] {
        let mut world = World::with(config().with_relay_ports(ports.clone()));
        let mut alice = Client::alice();
        alice.challenge(&mut world);
        let pair = EvenPort { reserve_next: true };
        let answer = alice.code_of(&mut world, Method::ALLOCATE, |b| {
            b.attribute(&RequestedTransport::UDP).attribute(&pair)
        });
        assert_eq!(answer, expected, "{ports:?}");
    }
}

/// The buffer that answers are written into is full of other bytes.
#[test]
fn padding_tells_nothing() {
    let mut answers = Vec::new();
    for length in 1..=8 {
        let mut world = World::with(config().with_software("S".repeat(length)));
        let mut alice = Client::new("203.0.113.5:40000", "alice", "wonderland", Scheme::Sha256);
        let bare = alice.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
        answers.push(alice.ask(&mut world, &bare).unwrap());
        alice.take_nonce(&answers.last().unwrap().clone());
        answers.push(alice.ask_signed(&mut world, Method::ALLOCATE, |b| b));
        answers
            .push(alice.ask_signed(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP)));
    }
    for answer in answers {
        let mut rest = &answer[20..];
        while let [_, _, high, low, after @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let padded = len.next_multiple_of(4);
            assert!(after[len..padded].iter().all(|byte| *byte == 0), "{answer:02x?}");
            rest = &after[padded..];
        }
    }
    let (mut world, mut alice) = (World::new(), Client::alice());
    world.accept(&mut alice);
    alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4001, "198.51.100.7:7"), 0);
    let relay = world.relay_of(&alice);
    let sent = app(world.datagram(relay, addr("198.51.100.7:7"), b"hello"));
    assert_eq!(sent.bytes[4..], *b"hello\0\0\0");
}

#[test]
fn what_is_drawn_differs_with_the_seed() {
    let life = |seed: [u8; 32]| {
        let mut world = World::new();
        world.server = Server::new(world.now, config(), seed);
        world.server.listen(V4, addr("192.0.2.1:3478"));
        let mut alice = Client::alice();
        alice.challenge(&mut world);
        let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| {
            b.attribute(&RequestedTransport::UDP)
                .attribute(&EvenPort { reserve_next: true })
                .attribute(&MobilityTicket(&[]))
        });
        let message = Message::decode(&answer).unwrap();
        let ticket = message.find::<MobilityTicket<'_>>().unwrap().0.to_vec();
        let token: ReservationToken = message.find().unwrap();
        (alice.nonce.clone(), support::relayed(&answer).port(), token.0, ticket)
    };
    let (one, other) = (life([1; 32]), life([2; 32]));
    assert!(one.0 != other.0 && one.1 != other.1 && one.2 != other.2 && one.3 != other.3);
}

#[test]
fn calls_may_come_in_any_order() {
    for order in 0..720_usize {
        let (mut world, mut alice) = relaying(true);
        let mut calls: Vec<usize> = (0..6).collect();
        let mut rest = order;
        for place in (1..6).rev() {
            calls.swap(place, rest % (place + 1));
            rest /= place + 1;
        }
        for call in calls {
            match call {
                0 => world.server.close(world.now),
                1 => world.server.drain([(addr("192.0.2.10:3478"), None)]),
                2 => world.server.accept(alice.socket, floe_stun::Transport::Udp),
                3 => world.server.forget_user("alice"),
                4 => {
                    let _ = world.input(Input::Closed { socket: alice.socket });
                }
                _ => {
                    let request = alice.signed(Method::REFRESH, |b| b.attribute(&Lifetime(secs(0))));
                    let _ = world.datagram(alice.socket, alice.address, &request);
                }
            }
            world.drain();
        }
        assert!(world.server.is_idle(), "{order}");
        let answered = world.take_sent(alice.address);
        assert!(answered.len() <= 1);
    }
}
