//! Bytes, orders and times that nobody means well with.

mod support;

use floe_stun::attribute::{Data, Lifetime, RequestedTransport, Software, XorPeerAddress};
use floe_stun::{Builder, Chance, Class, Dropped, Input, Method, Received};
use floe_turn_server::{Event, Limits};
use support::{Client, Scheme, V4, World, addr, code, secs};

/// All that may not change, as a text.
fn state(world: &World) -> String {
    let stats = world.server.stats();
    let relayed = (stats.to_peers, stats.to_clients);
    let changes = world.events.iter().filter(|event| !matches!(event, Event::LoginFailed { .. })).count();
    let reported = (changes, world.closed.len(), world.needs.len());
    format!("{} {} {relayed:?} {:?} {reported:?}", stats.allocations, stats.allocations_total, world.until)
}

/// TURNS-7.2-1: whatever a stranger sends, no allocation, no relayed byte comes of it, and no event but that
/// of a failed login.
#[test]
fn garbage_and_bent_requests_leave_everything_as_it_was() {
    let mut limits = Limits::default();
    limits.unauthenticated_per_second = None;
    let mut world = World::with(support::config().with_limits(limits));
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    let relay = world.relay_of(&alice);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.7:7"), 0);
    let good = [
        alice.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP)),
        alice.signed(Method::REFRESH, |b| b.attribute(&Lifetime(secs(0)))),
    ];
    let before = state(&world);
    let mut chance = Chance::new([9; 32]);
    let strangers = [addr("203.0.113.5:40001"), addr("198.51.100.9:9"), alice.address];
    for round in 0..20_000_u32 {
        let from = strangers[usize::try_from(round % 3).unwrap()];
        let mut bytes = match round % 4 {
            0 => vec![0; usize::try_from(chance.below(100)).unwrap()],
            _ => good[usize::try_from(chance.below(2)).unwrap()].clone(),
        };
        if round % 4 == 0 {
            chance.fill(&mut bytes);
            // Never ChannelData, which alice may send as she likes.
            if let Some(first) = bytes.first_mut() {
                *first &= 0x3F;
            }
        } else {
            for _ in 0..=chance.below(3) {
                let place = usize::try_from(chance.below(u32::try_from(bytes.len()).unwrap())).unwrap();
                bytes[place] ^= 1 << chance.below(8);
            }
            bytes[0] &= 0x3F;
        }
        if good.contains(&bytes) {
            continue;
        }
        let socket = if round % 7 == 0 && from != alice.address { relay } else { V4 };
        let verdict = world.datagram(socket, from, &bytes);
        assert!(!matches!(verdict, Received::App(_)), "{verdict:?} for {bytes:02x?}");
        for sent in world.sent.drain(..) {
            assert!(sent.to == from && sent.bytes.len() <= bytes.len() + 90, "{sent:?}");
        }
        assert_eq!(state(&world), before, "round {round}: {bytes:02x?}");
    }
    assert_eq!(alice.refresh(&mut world, None).0, 0);
}

/// The largest datagrams, full of attributes, are given up before they are read.
#[test]
fn what_no_client_sends_costs_nothing() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:7"]), 0);
    let stranger = addr("203.0.113.99:9");
    let full = |class, method, kind: u16, count: usize| {
        let mut buf = [0; 20];
        let mut bytes = Builder::new(&mut buf, class, method, [1; 12].into()).finish().unwrap().to_vec();
        for _ in 0..count {
            bytes.extend(kind.to_be_bytes());
            bytes.extend([0, 0]);
        }
        let length = u16::try_from(bytes.len() - 20).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    for kind in [0x7FF0, 0x8022, 0x0012, 0x0006, 0x0008] {
        for (class, method) in [
            (Class::Request, Method::ALLOCATE),
            (Class::Request, Method::BINDING),
            (Class::Request, Method::CREATE_PERMISSION),
            (Class::Indication, Method::BINDING),
            (Class::Success, Method::BINDING),
        ] {
            let bytes = full(class, method, kind, 16_000);
            for from in [alice.address, stranger] {
                assert_eq!(world.datagram(V4, from, &bytes), Received::Dropped(Dropped::TooLarge));
            }
        }
        for count in [11, 16_000] {
            let send = full(Class::Indication, Method::SEND, kind, count);
            assert_eq!(world.datagram(V4, alice.address, &send), Received::Dropped(Dropped::TooLarge));
            assert_eq!(world.datagram(V4, stranger, &send), Received::Dropped(Dropped::NoAllocation));
        }
    }
    let mut garbage = full(Class::Request, Method::ALLOCATE, 0, 16_000);
    garbage[20..].fill(0xFF);
    assert_eq!(
        world.datagram(V4, stranger, &garbage),
        Received::Dropped(Dropped::TooLarge),
        "not even its framing"
    );

    // A large datagram is none of that, nor are a few attributes that mean nothing here.
    let mut buf = [0; 65_500];
    let builder = Builder::new(&mut buf, Class::Indication, Method::SEND, [1; 12].into());
    let builder = builder.attribute(&XorPeerAddress(addr("198.51.100.7:7"))).attribute(&Data(&[7; 60_000]));
    let builder = (0..7).fold(builder, |builder, _| builder.attribute(&Software("x")));
    let sent = support::app(world.datagram(V4, alice.address, builder.fingerprint().finish().unwrap()));
    assert_eq!(sent.bytes, [7; 60_000]);
}

/// A recorded request is worth nothing from elsewhere, and nothing new from where it came.
#[test]
fn a_replayed_request_does_not_help_its_finder() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let request = alice.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    assert_eq!(code(&alice.ask(&mut world, &request).unwrap()), 0);
    let finder = Client::new("198.51.100.66:666", "", "", Scheme::Md5);
    assert_eq!(code(&finder.ask(&mut world, &request).unwrap()), 438);
    assert_eq!(world.server.stats().allocations, 1);
}

/// Random lives of four clients: what the server holds is what the clients were told, and it all ends.
#[test]
fn random_lives_keep_the_books_balanced() {
    for seed in 0..30 {
        let mut chance = Chance::new([seed; 32]);
        let mut world = World::with(support::config().with_relay_ports(50_000..=50_002));
        let mut clients: Vec<_> = (0..4)
            .map(|n| Client::new(&format!("203.0.113.{n}:4000"), "alice", "wonderland", Scheme::Md5))
            .collect();
        for client in &mut clients {
            client.challenge(&mut world);
        }
        for _ in 0..200 {
            let client = &mut clients[usize::try_from(chance.below(4)).unwrap()];
            match chance.below(8) {
                0 | 1 => {
                    let request = client.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
                    let verdict = world.datagram(V4, client.address, &request);
                    assert_eq!(verdict, Received::Consumed);
                }
                2 => {
                    let lifetime = Lifetime(secs(u64::from(chance.below(2)) * 700));
                    let request = client.signed(Method::REFRESH, |b| b.attribute(&lifetime));
                    let _ = world.datagram(V4, client.address, &request);
                }
                3 => world.pass(secs(u64::from(chance.below(200)))),
                4 => {
                    world.opens = chance.below(4) > 0;
                    if world.opens {
                        world.meet_needs();
                    }
                }
                5 => world.busy = [50_000 + u16::try_from(chance.below(4)).unwrap()].into(),
                6 => {
                    let socket = floe_stun::SocketId(101 + chance.below(20));
                    let _ = world.input(Input::Closed { socket });
                }
                _ => {
                    let request = client.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
                    let _ = world.datagram(V4, client.address, &request);
                    if let Some(answer) =
                        world.take_sent(client.address).into_iter().find(|sent| code(&sent.bytes) == 401)
                    {
                        client.take_nonce(&answer.bytes);
                    }
                }
            }
            let stats = world.server.stats();
            assert!(stats.allocations + world.needs.len() <= 3, "three ports");
            assert_eq!(world.until.is_some(), stats.allocations > 0);
        }
        world.opens = true;
        world.meet_needs();
        world.pass(secs(4000));
        assert_eq!(world.server.stats().allocations, 0);
        world.busy.clear();
        world.sent.clear();
        for client in clients.iter_mut().take(3) {
            client.allocate(&mut world);
        }
        world.server.close(world.now);
        world.drain();
        let count = |want: fn(&Event) -> bool| world.events.iter().filter(|e| want(e)).count();
        let allocated = count(|event| matches!(event, Event::Allocated { .. }));
        let released = count(|event| matches!(event, Event::Released { .. }));
        assert_eq!(allocated, released);
    }
}
