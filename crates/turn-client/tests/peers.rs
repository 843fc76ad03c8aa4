//! Permissions and channels: asked for, kept, refused, given up (RFC 8656 §9, §10, §12).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

mod support;

use std::collections::BTreeSet;

use floe_stun::attribute::{ChannelNumberAttribute, XorPeerAddress};
use floe_stun::{Input, Machine, Method, Why};
use floe_turn_client::{AllocateFailure, Event, Refusal, SendError};

use support::{Asked, Fault, Server, World, at, ip, secs, steadfast};

fn number(asked: &Asked) -> u16 {
    asked.message().find::<ChannelNumberAttribute>().unwrap().0
}

fn headroom(world: &mut World, peer: &str) -> usize {
    world.client.send_plan(world.now, at(peer), 10).unwrap().headroom()
}

fn gaps(asked: &[&Asked]) -> Vec<f64> {
    asked.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect()
}

#[test]
fn what_is_asked_for_early_goes_out_right_behind_the_request_for_the_allocation() {
    let mut world = World::new();
    world.permit("203.0.113.7");
    world.bind("203.0.113.8:9");
    assert_eq!(world.server.asked.len(), 1);
    assert!(!world.client.is_permitted(ip("203.0.113.7")));
    world.run(secs(1.0));

    let at_once: Vec<_> = world.server.asked[2..].iter().map(|asked| (asked.at, asked.method)).collect();
    let permission = (secs(0.02), Method::CREATE_PERMISSION);
    assert_eq!(at_once, [permission, permission, (secs(0.02), Method::CHANNEL_BIND)]);
    let peers: Vec<XorPeerAddress> =
        world.server.of(Method::CREATE_PERMISSION).iter().map(|a| a.message().find().unwrap()).collect();
    // TURN-10.1-1: the port is of no meaning.
    assert_eq!(peers, [XorPeerAddress(at("203.0.113.7:0")), XorPeerAddress(at("203.0.113.8:0"))]);
    assert!(world.client.is_permitted(ip("203.0.113.7")) && world.client.is_permitted(ip("203.0.113.8")));
    assert!(matches!(
        world.events()[..],
        [
            Event::Allocated { .. },
            Event::Permitted { .. },
            Event::Permitted { .. },
            Event::ChannelBound { .. }
        ]
    ));
}

/// Until data may go to this peer, from now.
fn wait_for(world: &mut World, peer: &str) -> std::time::Duration {
    let start = world.now;
    while world.client.send_plan(world.now, at(peer), 5).is_err() {
        world.run(secs(0.001));
        assert!(world.now - start < secs(60.0), "never");
    }
    world.now - start
}

const RTT: std::time::Duration = std::time::Duration::from_millis(20);

#[test]
fn the_first_datagram_leaves_after_two_round_trips_or_after_three_if_its_peer_becomes_known_late() {
    let mut known = World::new();
    known.permit("203.0.113.7");
    assert_eq!(wait_for(&mut known, "203.0.113.7:9"), 2 * RTT, "401, Allocate and CreatePermission");

    let mut late = World::new();
    late.run(2 * RTT);
    assert_eq!(late.events().len(), 1, "allocated");
    late.permit("203.0.113.7");
    assert_eq!(wait_for(&mut late, "203.0.113.7:9"), RTT);

    let mut between = World::new();
    between.run(RTT + RTT / 4);
    between.permit("203.0.113.7");
    assert_eq!(wait_for(&mut between, "203.0.113.7:9"), RTT, "it waits for nothing");
}

#[test]
fn with_a_nonce_that_is_known_the_first_datagram_leaves_after_one_round_trip() {
    let mut world = World::with(steadfast(), Server::new());
    world.bind("203.0.113.7:9");
    world.run(secs(1.0));
    world.server.allocated = false;
    world.server.permissions.clear();
    world.server.channels.clear();
    world.client.check(world.now);
    world.drain();
    world.run(RTT);
    assert_eq!(world.client.relayed(), None, "437");
    assert_eq!(wait_for(&mut world, "203.0.113.7:9"), RTT);
    assert_eq!(headroom(&mut world, "203.0.113.7:9"), 4);
}

#[test]
fn what_overtakes_the_request_for_the_allocation_is_asked_for_again_once() {
    for refusal in [437, 400, 403] {
        let mut world = World::new();
        world.server.fault(Method::CREATE_PERMISSION, Fault::Refuse(refusal), 1);
        world.server.fault(Method::CHANNEL_BIND, Fault::Refuse(refusal), 1);
        world.bind("203.0.113.7:9");
        world.run(secs(60.0));
        let asked = |method| world.server.of(method).iter().map(|a| a.at).collect::<Vec<_>>();
        assert_eq!(asked(Method::CREATE_PERMISSION), [RTT, 2 * RTT], "{refusal}");
        assert_eq!(asked(Method::CHANNEL_BIND), [RTT, 2 * RTT], "{refusal}");
        let events = world.events();
        assert!(
            matches!(
                events[..],
                [Event::Allocated { .. }, Event::Permitted { .. }, Event::ChannelBound { .. }]
            ),
            "{events:?}"
        );
    }

    // And no more than once: this is the server's word.
    let mut world = World::new();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Refuse(403), 9);
    world.permit("203.0.113.7");
    world.run(secs(60.0));
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 2);
    assert!(matches!(world.events()[..], [Event::Allocated { .. }, Event::NotPermitted { .. }]));
}

#[test]
fn a_request_for_the_allocation_that_is_lost_keeps_nothing_waiting_for_long() {
    let mut world = World::new(); // whose first request is on its way
    world.server.fault(Method::ALLOCATE, Fault::Deaf, 2);
    world.bind("203.0.113.7:9");
    let waited = wait_for(&mut world, "203.0.113.7:9");
    assert_eq!(waited, secs(1.5) + 3 * RTT, "sent again after 500 ms and 1500 ms, and then what hangs on it");
    world.run(secs(1.0));
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 2, "nothing is asked for in vain meanwhile");

    // What hangs on it is lost for good: it ends nothing, and does so unheard.
    let mut world = World::new();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 7);
    world.permit("203.0.113.7");
    assert_eq!(wait_for(&mut world, "203.0.113.7:9"), secs(39.5) + 2 * RTT);
    assert!(matches!(world.events()[..], [Event::Allocated { .. }, Event::Permitted { .. }]));
}

#[test]
fn a_server_that_falls_silent_after_its_challenge_has_lost_nothing_that_was_there() {
    for config in [support::config(), steadfast()] {
        let mut world = World::with(config, Server::new());
        for method in [Method::ALLOCATE, Method::CREATE_PERMISSION, Method::CHANNEL_BIND] {
            world.server.fault(method, Fault::Deaf, 999);
        }
        for port in 1..=20 {
            world.bind(&format!("203.0.113.{port}:9"));
        }
        world.run(secs(60.0));
        assert_eq!(world.events(), [Event::Failed(AllocateFailure::TimedOut)]);
        assert!(world.is_idle());
    }
}

#[test]
fn what_was_asked_for_before_a_refresh_is_not_too_early() {
    let mut server = Server::new();
    server.lifetime = secs(30.0);
    let mut world = World::with(support::config(), server);
    world.run(secs(13.4));
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 3);
    world.server.fault(Method::CREATE_PERMISSION, Fault::Refuse(403), 1);
    world.permit("203.0.113.7");
    world.run(secs(5.0));
    assert_eq!(world.server.of(Method::REFRESH).len(), 1);
    assert!(matches!(world.events()[..], [Event::Allocated { .. }, Event::NotPermitted { .. }]));
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 4);
}

#[test]
fn what_an_old_allocation_has_granted_is_asked_of_the_new_one() {
    let mut server = Server::new();
    server.allocated = true;
    let mut world = World::with(steadfast(), server);
    world.bind("203.0.113.7:9");
    world.run(secs(1.0));
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 2);
    assert_eq!(world.server.of(Method::CHANNEL_BIND).len(), 2);
    assert_eq!(headroom(&mut world, "203.0.113.7:9"), 4);
}

#[test]
fn what_waits_for_a_server_without_room_waits_for_the_allocation() {
    let mut world = World::with(steadfast(), Server::new());
    world.permit("203.0.113.7");
    world.run(secs(1.0));
    world.restart_server();
    world.server.fault(Method::ALLOCATE, Fault::Refuse(486), 1);
    world.client.check(world.now);
    world.drain();
    world.run(secs(30.0));
    let so_far = world.server.asked.len();
    world.run(secs(29.0));
    assert_eq!(world.server.asked.len(), so_far, "the server is left alone");
    world.run(secs(5.0));
    assert!(world.client.is_permitted(ip("203.0.113.7")));
}

#[test]
fn asking_twice_asks_once() {
    let mut world = World::allocated();
    for _ in 0..2 {
        world.permit("203.0.113.7");
        world.permit("::ffff:203.0.113.7");
        world.bind("203.0.113.7:9");
        world.bind("[::ffff:203.0.113.7]:9");
        world.run(secs(1.0));
    }
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 1);
    assert_eq!(world.server.of(Method::CHANNEL_BIND).len(), 1);
    assert_eq!(world.events().len(), 2);
    assert!(world.client.is_permitted(ip("::ffff:203.0.113.7")));
}

#[test]
fn a_permission_is_kept_alive_every_four_minutes() {
    let mut world = World::allocated();
    world.permit("203.0.113.7");
    world.run(secs(24.0 * 3600.0));

    // TURN-9-1
    let asked = world.server.of(Method::CREATE_PERMISSION);
    for gap in gaps(&asked) {
        assert!((233.9..=246.1).contains(&gap), "{gap}");
    }
    assert!(asked.len() > 350);
    assert_eq!(world.events(), [Event::Permitted { peer: ip("203.0.113.7") }], "once");
    assert!(world.waits.contains_key(&Why::RefreshPermission));
}

#[test]
fn a_channel_is_kept_alive_every_nine_minutes_with_its_number() {
    let mut world = World::allocated();
    world.bind("203.0.113.7:9");
    world.run(secs(24.0 * 3600.0));

    // TURN-12-4, TURN-12.1-1
    let asked = world.server.of(Method::CHANNEL_BIND);
    for gap in gaps(&asked) {
        assert!((533.9..=546.1).contains(&gap), "{gap}");
    }
    assert!(asked.len() > 155);
    assert_eq!(asked.iter().map(|asked| number(asked)).collect::<BTreeSet<_>>().len(), 1);
    assert!(asked.iter().all(|a| a.message().find() == Some(XorPeerAddress(at("203.0.113.7:9")))));
    assert_eq!(world.events().len(), 2);
    assert!(world.client.is_permitted(ip("203.0.113.7")));
    assert_eq!(headroom(&mut world, "203.0.113.7:9"), 4);
}

#[test]
fn a_bound_channel_is_a_permission_too() {
    let mut world = World::allocated();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 1);
    world.bind("203.0.113.7:9");
    world.run(secs(0.1));
    // TURN-12.1-1
    assert!(world.client.is_permitted(ip("203.0.113.7")));
    assert!(matches!(world.events()[..], [Event::Permitted { .. }, Event::ChannelBound { .. }]));
    world.run(secs(1.0));
    assert_eq!(world.events(), [], "said once");
}

#[test]
fn a_lost_answer_to_channel_bind_is_asked_for_again_with_the_same_number() {
    let mut world = World::allocated();
    world.server.fault(Method::CHANNEL_BIND, Fault::AnswerLost, 3);
    world.bind("203.0.113.7:9");
    world.run(secs(0.1));
    assert_eq!(headroom(&mut world, "203.0.113.7:9"), 36, "Send indications meanwhile: TURN-12-7");
    world.run(secs(5.0));

    // TURN-12-3: the server of these stories answers 400 to any other number or peer.
    let asked = world.server.of(Method::CHANNEL_BIND);
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|a| a.bytes == asked[0].bytes));
    assert!(matches!(world.events()[..], [Event::Permitted { .. }, Event::ChannelBound { .. }]));
    assert_eq!(headroom(&mut world, "203.0.113.7:9"), 4);
}

#[test]
fn a_channel_bind_whose_answers_are_all_lost_is_made_anew_with_the_same_number() {
    let mut world = World::allocated();
    world.server.fault(Method::CHANNEL_BIND, Fault::AnswerLost, 7);
    world.bind("203.0.113.7:9");
    for _ in 0..39 {
        world.run(secs(1.0));
        assert_eq!(headroom(&mut world, "203.0.113.7:9"), 36, "Send indications meanwhile");
    }
    world.run(secs(2.0));
    assert_eq!(headroom(&mut world, "203.0.113.7:9"), 4);
    let asked = world.server.of(Method::CHANNEL_BIND);
    assert_eq!(asked.len(), 8);
    assert_ne!(asked[0].id, asked[7].id, "a new request");
    assert_eq!(number(asked[0]), number(asked[7]));
}

#[test]
fn every_peer_has_a_number_of_its_own_and_in_range() {
    let mut world = World::allocated();
    for port in 1..=128 {
        world.bind(&format!("203.0.113.7:{port}"));
    }
    world.run(secs(1.0));
    // TURN-12-1, TURN-12-3
    let numbers: BTreeSet<_> = world.server.of(Method::CHANNEL_BIND).iter().map(|a| number(a)).collect();
    assert_eq!(numbers.len(), 128);
    assert!(numbers.iter().all(|number| (0x4000..=0x4FFF).contains(number)));
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 1, "one address, one permission");
}

#[test]
fn a_refused_permission_is_told_and_not_asked_for_again() {
    for code in [400, 403, 443, 486, 508] {
        let mut world = World::allocated();
        world.server.fault(Method::CREATE_PERMISSION, Fault::Refuse(code), 1);
        world.permit("203.0.113.7");
        world.run(secs(500.0));

        let why = Refusal::new(code, "No");
        assert_eq!(world.events(), [Event::NotPermitted { peer: ip("203.0.113.7"), why }]);
        assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 1);
        assert!(world.client.relayed().is_some(), "others go on");

        world.permit("203.0.113.7");
        world.run(secs(1.0));
        assert_eq!(
            world.events(),
            [Event::Permitted { peer: ip("203.0.113.7") }],
            "unless the owner insists"
        );
    }
}

#[test]
fn a_permission_that_is_refused_takes_its_channels_along() {
    let mut world = World::allocated();
    world.bind("203.0.113.7:9");
    world.run(secs(1.0));
    let _ = world.events();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Refuse(403), 1);
    world.run(secs(1000.0));
    assert!(matches!(world.events()[..], [Event::NotPermitted { .. }]));
    assert_eq!(world.server.of(Method::CHANNEL_BIND).len(), 1, "no refresh of what is of no use");
}

#[test]
fn a_refused_channel_leaves_send_indications() {
    for code in [400, 403, 486, 508] {
        let mut world = World::allocated();
        world.server.fault(Method::CHANNEL_BIND, Fault::Refuse(code), 1);
        world.bind("203.0.113.7:9");
        world.run(secs(1.0));

        let peer = at("203.0.113.7:9");
        let refused = Event::ChannelRefused { peer, why: Refusal::new(code, "No") };
        assert_eq!(world.events(), [Event::Permitted { peer: peer.ip() }, refused]);
        assert_eq!(headroom(&mut world, "203.0.113.7:9"), 36);

        world.bind("203.0.113.7:9");
        world.run(secs(1.0));
        let asked = world.server.of(Method::CHANNEL_BIND);
        assert_eq!((asked.len(), number(asked[0])), (2, number(asked[1])), "same peer, same number");
        assert!(matches!(world.events()[..], [Event::ChannelBound { .. }]));
    }
}

#[test]
fn a_refused_refresh_of_a_channel_goes_back_to_send_indications() {
    let mut world = World::allocated();
    world.bind("203.0.113.7:9");
    world.run(secs(1.0));
    let _ = world.events();
    world.server.fault(Method::CHANNEL_BIND, Fault::Refuse(400), 1);
    world.run(secs(560.0));
    assert!(matches!(world.events()[..], [Event::ChannelRefused { .. }]));
    assert_eq!(headroom(&mut world, "203.0.113.7:9"), 36);
}

#[test]
fn a_peer_of_the_other_family_is_refused_without_asking() {
    let mut world = World::allocated();
    let asked = world.server.asked.len();
    world.permit("2001:db8::7");
    world.bind("[2001:db8::7]:9");
    world.run(secs(1.0));

    // TURN-10.1-2, TURN-12.1-1
    assert_eq!(world.server.asked.len(), asked);
    let codes: Vec<_> = world
        .events()
        .into_iter()
        .map(|event| match event {
            Event::NotPermitted { why, .. } | Event::ChannelRefused { why, .. } => why.code,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, [443, 443]);
}

#[test]
fn there_is_an_end_to_permissions_and_channels() {
    let mut world = World::allocated();
    for host in 0..130 {
        world.permit(&format!("203.0.113.{host}"));
    }
    for port in 1..=130 {
        world.bind(&format!("203.0.113.7:{port}"));
    }
    world.run(secs(1.0));
    assert_eq!(world.server.permissions.len(), 128);
    assert_eq!(world.server.channels.len(), 128);
    let refused = world
        .events()
        .into_iter()
        .filter(|event| {
            matches!(event, Event::NotPermitted { why, .. } | Event::ChannelRefused { why, .. } if why.code == 508)
        })
        .count();
    assert_eq!(refused, 4);
}

#[test]
fn what_is_revoked_is_refreshed_no_more() {
    let mut world = World::allocated();
    world.bind("203.0.113.7:9");
    world.permit("203.0.113.8");
    world.run(secs(1.0));
    let asked = world.server.asked.len();

    world.client.revoke(ip("203.0.113.7"));
    world.client.revoke(ip("203.0.113.8"));
    world.client.revoke(ip("203.0.113.9"));
    world.drain();
    assert!(!world.client.is_permitted(ip("203.0.113.7")));
    let plan = world.client.send_plan(world.now, at("203.0.113.7:9"), 5);
    assert_eq!(plan, Err(SendError::NotPermitted));

    world.run(secs(1800.0));
    let later: BTreeSet<_> = world.server.asked[asked..].iter().map(|asked| asked.method).collect();
    assert_eq!(later, BTreeSet::from([Method::REFRESH]));
}

#[test]
fn a_peer_that_is_wanted_again_gets_its_old_number() {
    // TURN-12-5
    let mut world = World::allocated();
    for pause in [0.0, 1.0, 590.0, 898.0] {
        world.bind("203.0.113.7:9");
        world.run(secs(1.0));
        world.client.revoke(ip("203.0.113.7"));
        world.drain();
        world.run(secs(pause));
        world.bind("203.0.113.8:9"); // who may not take it meanwhile
        world.client.revoke(ip("203.0.113.8"));
        world.drain();
    }
    let asked = world.server.of(Method::CHANNEL_BIND);
    let of = |peer: &str| -> BTreeSet<_> {
        let peer = Some(XorPeerAddress(at(peer)));
        asked.iter().filter(|a| a.message().find() == peer).map(|a| number(a)).collect()
    };
    assert_eq!((of("203.0.113.7:9").len(), of("203.0.113.8:9").len()), (1, 1));
    assert!(of("203.0.113.7:9").is_disjoint(&of("203.0.113.8:9")));
}

#[test]
fn no_number_stands_for_two_peers_within_fifteen_minutes() {
    let mut world = World::allocated();
    // Peers come and go, 128 every ten seconds: all 4096 numbers are taken before the first is free again.
    let mut refused = Vec::new();
    for round in 0..40 {
        for port in 1..=128 {
            world.bind(&format!("203.0.113.{round}:{port}"));
        }
        world.run(secs(10.0));
        world.client.revoke(ip(&format!("203.0.113.{round}")));
        world.drain();
        refused.extend(refusals(&mut world));
    }
    assert_eq!(refused, [508; 8 * 128], "400 would be the server's word for a number that is taken");
    assert_eq!(world.server.channels.len(), 4096);

    // TURN-12-5: expired is not yet free.
    world.run(secs(490.0));
    world.bind("203.0.113.200:9");
    assert_eq!(refusals(&mut world), [508], "at 890 s");
    world.run(secs(20.0));
    world.server.channels.clear();
    world.bind("203.0.113.200:9");
    world.run(secs(1.0));
    assert!(matches!(world.events()[..], [Event::Permitted { .. }, Event::ChannelBound { .. }]), "at 910 s");
}

fn refusals(world: &mut World) -> Vec<u16> {
    let code = |event| match event {
        Event::ChannelRefused { why, .. } => Some(why.code),
        _ => None,
    };
    world.events().into_iter().filter_map(code).collect()
}

#[test]
fn an_answer_that_comes_after_the_peer_was_revoked_is_no_event() {
    let mut world = World::allocated();
    world.bind("203.0.113.7:9");
    world.client.revoke(ip("203.0.113.7"));
    world.run(secs(1.0));
    assert_eq!(world.events(), []);
    assert!(!world.client.is_permitted(ip("203.0.113.7")));
}

#[test]
fn waking_early_or_often_changes_nothing() {
    let asked = |nudges: bool| {
        let mut world = World::allocated();
        world.bind("203.0.113.7:9");
        for _ in 0..700 {
            world.run(secs(1.0));
            if nudges {
                let _ = world.client.handle_input(world.now, Input::Timeout);
                world.drain();
            }
        }
        world.server.asked.into_iter().map(|asked| (asked.at, asked.bytes)).collect::<Vec<_>>()
    };
    assert_eq!(asked(false), asked(true));
}
