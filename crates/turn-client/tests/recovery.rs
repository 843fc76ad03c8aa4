//! What a client does when its allocation is gone, in the way, elsewhere, or to be brought along
//! (RFC 8656 §7.4, RFC 8489 §10, RFC 8016).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

mod support;

use std::time::Duration;

use floe_stun::attribute::{
    AlternateServer, Attribute, Lifetime, MobilityTicket, Username, XorMappedAddress, XorRelayedAddress,
};
use floe_stun::credentials::Credentials;
use floe_stun::{
    Class, Dropped, Input, Key, Machine, Method, Need, Password, Received, RedirectRefused, SocketId,
    Transport,
};
use floe_turn_client::{AllocateFailure, Event, LostReason, Refusal, SendError};

use support::{Fault, PASSWORD, REALM, SOCKET, Server, USER, World, at, ip, secs, server_address, steadfast};

const PEER: &str = "203.0.113.7:9";
const ELSEWHERE: &str = "192.0.2.200:3478";

/// A client that does not give up, with a channel to a peer.
fn bound() -> World {
    let mut world = World::with(steadfast(), Server::new());
    world.run(secs(1.0));
    world.bind(PEER);
    world.run(secs(1.0));
    assert_eq!(world.events().len(), 3, "allocated, permitted, bound");
    world
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    let kind = |event: &Event| match event {
        Event::Interrupted(_) => "interrupted",
        Event::Allocated { .. } => "allocated",
        Event::Permitted { .. } => "permitted",
        Event::ChannelBound { .. } => "bound",
        Event::Failed(_) => "failed",
        Event::Lost(_) => "lost",
        Event::Moved => "moved",
        Event::Redirected { .. } => "redirected",
        _ => "other",
    };
    events.iter().map(kind).collect()
}

const BACK: [&str; 4] = ["interrupted", "allocated", "permitted", "bound"];

#[test]
fn a_server_that_restarted_gives_everything_back_in_three_round_trips() {
    let mut world = bound();
    world.restart_server();
    world.server.relayed = at("192.0.2.1:50001");
    world.permit("203.0.113.8");
    let from = world.elapsed();
    world.run(secs(1.0));
    let events = world.timed_events();
    let back = events.iter().find(|(_, event)| matches!(event, Event::ChannelBound { .. })).unwrap().0 - from;
    let kinds = kinds(&events.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>());
    assert_eq!(kinds, ["interrupted", "allocated", "permitted", "permitted", "bound"]);
    // 438, 437, Allocate and what hangs on it.
    assert_eq!(back, secs(0.06));
    assert_eq!(world.client.relayed(), Some(at("192.0.2.1:50001")));
    assert!(world.client.is_permitted(ip("203.0.113.8")));
    assert_eq!(world.client.send_plan(world.now, at(PEER), 5).unwrap().headroom(), 4);
}

#[test]
fn an_owner_in_doubt_hears_the_truth_at_once() {
    let mut world = bound();
    world.client.check(world.now);
    world.client.check(world.now);
    world.drain();
    world.run(secs(1.0));
    assert_eq!(world.server.of(Method::REFRESH).len(), 1);
    assert_eq!(world.events(), [Event::Confirmed { lifetime: secs(600.0) }]);

    world.restart_server();
    world.client.check(world.now);
    world.drain();
    world.run(secs(1.0));
    assert_eq!(kinds(&world.events()), BACK);
}

#[test]
fn silence_is_an_end_and_a_beginning() {
    let mut world = bound();
    world.server.fault(Method::REFRESH, Fault::Deaf, 7);
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 99).fault(
        Method::CHANNEL_BIND,
        Fault::Deaf,
        99,
    );
    world.run(secs(640.0));
    let events = world.events();
    assert!(matches!(&events[0], Event::Interrupted(LostReason::Silent)), "{events:?}");
    assert_eq!(kinds(&events)[..2], ["interrupted", "allocated"]);
}

#[test]
fn an_old_allocation_in_the_way_is_deleted_once() {
    // TURN-7.4-6: another port would do too, but the 5-tuple is ours, and so is what is in the way.
    let mut server = Server::new();
    server.allocated = true;
    let mut world = World::with(steadfast(), server);
    world.run(secs(1.0));
    let asked: Vec<_> = world.server.asked.iter().map(|asked| asked.method).collect();
    let (allocate, refresh) = (Method::ALLOCATE, Method::REFRESH);
    assert_eq!(asked, [allocate, allocate, refresh, allocate]);
    assert_eq!(world.server.asked[2].message().find(), Some(Lifetime(secs(0.0))));
    assert_eq!(kinds(&world.events()), ["allocated"]);

    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Challenge(REALM, support::PLAIN), 1);
    server.fault(Method::ALLOCATE, Fault::Refuse(437), 9);
    let mut world = World::with(steadfast(), server);
    world.run(secs(600.0));
    assert_eq!(world.server.of(Method::REFRESH).len(), 1);
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::Refused(Refusal::new(437, "No")))]);
}

#[test]
fn a_server_without_room_is_left_alone_for_a_minute() {
    // TURN-7.4-9, TURN-7.4-10: of a client that had an allocation; another is told at once.
    for code in [486, 508, 500] {
        let mut world = bound();
        world.restart_server();
        world.server.fault(Method::ALLOCATE, Fault::Refuse(code), 2);
        let before = world.server.of(Method::ALLOCATE).len();
        world.permit("203.0.113.8");
        world.run(secs(200.0));
        let at: Vec<_> = world.server.of(Method::ALLOCATE)[before..].iter().map(|asked| asked.at).collect();
        assert_eq!(at.len(), 3, "{code}");
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= secs(60.0)), "{code}: {at:?}");
        assert!(world.client.relayed().is_some(), "{code}");
    }
}

#[test]
fn what_will_not_change_is_the_end() {
    let mut world = bound();
    world.restart_server();
    world.server.fault(Method::ALLOCATE, Fault::Refuse(403), 1);
    world.permit("203.0.113.8");
    world.run(secs(600.0));
    assert_eq!(kinds(&world.events()), ["interrupted", "failed"]);
    assert!(world.is_idle());

    let mut world = bound();
    world.server.fault(Method::REFRESH, Fault::Refuse(441), 1);
    world.run(secs(600.0));
    assert_eq!(kinds(&world.events()), ["lost"]);
}

#[test]
fn a_host_that_slept_for_hours_wakes_to_a_new_allocation() {
    let mut world = bound();
    world.server.allocated = false;
    world.server.channels.clear();
    world.sleep(secs(3.0 * 3600.0));
    assert_eq!(world.client.send_plan(world.now, at(PEER), 5), Err(SendError::NotAllocated));
    world.run(secs(1.0));
    assert_eq!(kinds(&world.events()), BACK);
}

#[test]
fn new_credentials_take_over_when_the_old_ones_end() {
    let mut world = bound();
    world.client.renew_credentials(Credentials::new(USER, Password::new("shut sesame")));
    world.run(secs(300.0));
    assert_eq!(kinds(&world.events()), Vec::<&str>::new(), "the old ones are good");
    world.server.password = "shut sesame";
    world.run(secs(900.0));
    assert_eq!(kinds(&world.events()), Vec::<&str>::new(), "nobody noticed");
    let key = Key::long_term_md5(USER, REALM, &Password::new("shut sesame"));
    assert!(world.server.asked.last().unwrap().message().verify(&key).is_ok());
    assert_ne!(PASSWORD, "shut sesame");
}

#[test]
fn a_new_user_comes_with_the_next_allocation() {
    // TURN-5-3
    let mut world = bound();
    world.client.renew_credentials(Credentials::new("bob", Password::new(PASSWORD)));
    world.run(secs(600.0));
    let last = |world: &World| {
        world.server.asked.last().unwrap().message().find().map(|Username(name)| name.to_owned())
    };
    assert_eq!(last(&world).as_deref(), Some(USER));
    world.restart_server();
    world.permit("203.0.113.8");
    world.run(secs(0.05));
    assert_eq!(last(&world), None, "it is a new login");
}

#[test]
fn a_server_that_sends_us_elsewhere_is_left_for_the_other() {
    // TURN-7.4-2, STUN-10-3
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Challenge(REALM, support::PLAIN), 1);
    server.fault(Method::ALLOCATE, Fault::Refuse(300), 1);
    let mut world = World::with(steadfast(), server);
    world.run(secs(0.05));
    assert_eq!(world.events(), [Event::Redirected { to: at(ELSEWHERE) }]);
    assert_eq!(world.strays, [(SOCKET, at(ELSEWHERE))]);
    world.place = at(ELSEWHERE);
    world.run(secs(2.0));
    assert_eq!(kinds(&world.events()), ["allocated"]);
    let first = world.server.asked[2].message();
    assert!(!first.has_integrity(), "a new server, a new login");
    assert_eq!(world.client.server(), at(ELSEWHERE));
}

#[test]
fn two_servers_that_send_us_to_each_other_are_given_up() {
    // STUN-10-5
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Challenge(REALM, support::PLAIN), 1);
    server.fault(Method::ALLOCATE, Fault::Refuse(300), 1);
    server.fault(Method::ALLOCATE, Fault::Challenge(REALM, support::PLAIN), 1);
    server.fault(Method::ALLOCATE, Fault::Refuse(300), 1);
    let mut world = World::with(steadfast(), server);
    world.run(secs(0.05));
    world.place = at(ELSEWHERE);
    world.run(secs(60.0));
    let why = RedirectRefused::AskedLately;
    let failure = AllocateFailure::Redirected { to: at(ELSEWHERE), why };
    assert_eq!(world.events(), [Event::Redirected { to: at(ELSEWHERE) }, Event::Failed(failure)]);
    assert!(world.is_idle());
}

#[test]
fn on_a_stream_elsewhere_is_another_stream() {
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Challenge(REALM, support::PLAIN), 1);
    server.fault(Method::ALLOCATE, Fault::Refuse(300), 1);
    let mut config = steadfast().over(Transport::Tls);
    config.server_name = Some("turn.example.org".into());
    let mut world = World::with(config, server);
    world.run(secs(1.0));
    let [Need::Stream { request, to, transport, server_name }] = &world.needs[..] else {
        panic!("{:?}", world.needs)
    };
    assert_eq!((*to, *transport), (at(ELSEWHERE), Transport::Tls));
    assert_eq!(server_name.as_deref(), Some("turn.example.org"), "STUN-10-4");
    let opened = Input::Opened { request: *request, socket: SocketId(9), local: at("203.0.113.5:40001") };
    (world.socket, world.place) = (SocketId(9), at(ELSEWHERE));
    let _ = world.client.handle_input(world.now, opened);
    world.drain();
    assert_eq!(world.needs[1..], [Need::Close { socket: SOCKET }]);
    world.run(secs(1.0));
    assert_eq!(kinds(&world.events()), ["redirected", "allocated"]);
}

/// A client over a stream that a server has sent elsewhere; the need it has of the host.
fn on_a_detour() -> (World, floe_stun::RequestId) {
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Challenge(REALM, support::PLAIN), 1);
    server.fault(Method::ALLOCATE, Fault::Refuse(300), 1);
    let mut world = World::with(steadfast().over(Transport::Tcp), server);
    world.run(secs(1.0));
    let [Need::Stream { request, .. }] = world.needs[..] else { panic!("{:?}", world.needs) };
    (world, request)
}

fn open(world: &mut World, request: floe_stun::RequestId) {
    let opened = Input::Opened { request, socket: SocketId(9), local: at("203.0.113.5:40001") };
    let _ = world.client.handle_input(world.now, opened);
    world.drain();
}

#[test]
fn a_stream_that_opens_for_nobody_is_closed() {
    let (mut world, request) = on_a_detour();
    world.release();
    open(&mut world, request);
    world.run(secs(60.0));
    assert_eq!(world.events(), [Event::Released]);
    assert_eq!(world.needs[1..], [Need::Close { socket: SocketId(9) }]);
    assert_eq!(world.strays, []);

    let (mut world, request) = on_a_detour();
    world.move_to(SocketId(8));
    open(&mut world, request);
    assert_eq!(world.needs[1..], [Need::Close { socket: SocketId(9) }], "not the one that is used");
    world.run(secs(1.0));
    assert_eq!(kinds(&world.events()), ["allocated"]);
}

#[test]
fn a_server_that_hangs_up_after_sending_us_away_spoils_nothing() {
    let (mut world, request) = on_a_detour();
    let _ = world.client.handle_input(world.now, Input::Closed { socket: SOCKET });
    (world.socket, world.place) = (SocketId(9), at(ELSEWHERE));
    open(&mut world, request);
    world.run(secs(1.0));
    assert_eq!(kinds(&world.events()), ["redirected", "allocated"]);
    assert_eq!(world.needs.len(), 1, "what is closed is not closed again");
}

#[test]
fn a_server_that_takes_away_what_it_gives_is_not_asked_without_a_pause() {
    let mut world = bound();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Refuse(437), 999);
    world.server.fault(Method::CHANNEL_BIND, Fault::Refuse(437), 999);
    world.permit("203.0.113.8");
    world.run(secs(3600.0));
    let allocates = world.server.of(Method::ALLOCATE).len();
    assert!(allocates < 40, "{allocates} in an hour");
    assert_eq!(kinds(&world.events()).last(), Some(&"lost"));
    assert!(world.is_idle());
}

#[test]
fn what_a_server_grants_besides_does_not_hide_that_it_takes_the_allocation_away() {
    // Every allocation of this server is granted, and every permission.
    let mut world = bound();
    world.restart_server();
    world.server.fault(Method::CHANNEL_BIND, Fault::Refuse(437), 999);
    world.client.check(world.now);
    world.drain();
    let before = world.server.of(Method::ALLOCATE).len();
    world.run(secs(10.0));
    let allocates = world.server.of(Method::ALLOCATE).len() - before;
    // One at once, and two more for the next, whose way the first is in.
    assert!(allocates <= 3, "{allocates} in ten seconds");
}

#[test]
fn an_allocation_that_has_lived_is_asked_for_again_at_once() {
    let mut world = bound();
    for _ in 0..20 {
        world.run(secs(31.0));
        world.restart_server();
        world.client.check(world.now);
        world.drain();
        world.run(secs(1.0));
        assert_eq!(kinds(&world.events()), BACK);
    }
}

#[test]
fn a_client_that_moves_often_is_not_made_to_wait() {
    let mut world = bound();
    for socket in 8..28 {
        world.server.allocated = false;
        world.server.channels.clear();
        world.move_to(SocketId(socket));
        world.run(secs(1.0));
        assert_eq!(kinds(&world.events()), BACK);
    }
}

#[test]
fn an_allocation_with_a_ticket_comes_along() {
    // TMOB-3.1.1-1, TMOB-3.2.1-1, TMOB-3.2.2-3, TMOB-3.2.3-1
    let mut config = steadfast();
    config.mobility = true;
    let mut server = Server::new();
    server.ticket = Some(*b"ticket 1");
    let mut world = World::with(config, server);
    world.run(secs(1.0));
    assert_eq!(world.server.asked[0].message().find(), Some(MobilityTicket(&[])));
    world.bind(PEER);
    world.run(secs(600.0));
    let plain = world.server.of(Method::REFRESH)[0].message().find::<MobilityTicket<'_>>();
    assert_eq!(plain, None, "never without a move");
    let _ = world.events();

    world.server.ticket = Some(*b"ticket 2");
    for (n, ticket) in [(8, b"ticket 1"), (9, b"ticket 2")] {
        world.move_to(SocketId(n));
        assert_eq!(world.client.send_plan(world.now, at(PEER), 5), Err(SendError::Moving));
        world.run(secs(1.0));
        assert_eq!(kinds(&world.events()), ["moved"]);
        assert_eq!(world.server.asked.last().unwrap().message().find(), Some(MobilityTicket(ticket)));
        assert!(world.client.send_plan(world.now, at(PEER), 5).is_ok());
    }
    assert_eq!(world.server.of(Method::ALLOCATE).len(), 2, "the allocation is the same");
}

#[test]
fn an_allocation_without_a_ticket_is_asked_for_again_from_the_new_address() {
    let mut world = bound();
    world.server.allocated = false;
    world.server.channels.clear();
    world.move_to(SocketId(8));
    world.run(secs(1.0));
    let events = world.events();
    assert!(matches!(events[0], Event::Interrupted(LostReason::Moved)));
    assert_eq!(kinds(&events), BACK);
}

#[test]
fn a_server_that_forbids_moving_is_asked_without() {
    // TMOB-3.1.4-1
    let mut config = steadfast();
    config.mobility = true;
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Refuse(405), 1);
    let mut world = World::with(config, server);
    world.run(secs(1.0));
    assert!(!world.server.asked.last().unwrap().message().has(MobilityTicket::TYPE));
    assert_eq!(kinds(&world.events()), ["allocated"]);
    assert_eq!(world.place, server_address());
    assert_eq!(AlternateServer::TYPE, 0x8023);
}

#[test]
fn a_day_with_a_tenth_of_all_packets_lost_passes_without_a_gap() {
    for seed in 0..20 {
        pass_a_day(seed);
    }
}

fn pass_a_day(seed: u8) {
    let mut world = bound();
    world.lose_one_in(10, seed);
    let mut day = secs(0.0);
    while day < secs(24.0 * 3600.0) {
        world.run(secs(60.0));
        day += secs(60.0);
        let events = world.events();
        assert_eq!(events, [], "seed {seed}, after {day:?}");
        assert_eq!(
            world.client.send_plan(world.now, at(PEER), 5).unwrap().headroom(),
            4,
            "seed {seed}, after {day:?}"
        );
    }
}

#[test]
fn a_server_that_does_not_let_go_of_an_old_allocation_is_left_alone_for_two_minutes() {
    // TURN-7.4-6: of a client that had one.
    let mut world = bound();
    world.restart_server();
    world.server.fault(Method::ALLOCATE, Fault::Refuse(437), 2);
    let before = world.server.of(Method::ALLOCATE).len();
    world.client.check(world.now);
    world.drain();
    world.run(secs(300.0));
    let at: Vec<_> = world.server.of(Method::ALLOCATE)[before..].iter().map(|asked| asked.at).collect();
    assert_eq!(at.len(), 3, "{at:?}");
    assert_eq!(at[1] - at[0], secs(0.04), "after the one in the way is deleted");
    assert_eq!(at[2] - at[1], secs(120.02));
    assert_eq!(kinds(&world.events()), BACK);
}

#[test]
fn late_data_and_answers_of_an_old_allocation_are_nobodys() {
    let mut world = bound();
    let number = *world.server.channels.keys().next().unwrap();
    let channel_data = |n: u16| [&n.to_be_bytes()[..], &[0, 2], b"hi"].concat();
    let number_of_old = channel_data(number);
    assert!(matches!(world.hear(&number_of_old), Received::App(_)));
    world.client.revoke(at(PEER).ip());
    world.drain();
    world.permit("203.0.113.8");
    world.run(secs(1.0));
    let _ = world.events();
    let allocate = world.server.of(Method::ALLOCATE)[1].clone();
    world.restart_server();
    world.client.check(world.now);
    world.drain();
    world.run(secs(1.0));
    assert_eq!(kinds(&world.events()), ["interrupted", "allocated", "permitted"]);

    // The peer of old is no longer wanted, and its number stands for nobody, whoever comes next.
    assert_eq!(world.hear(&number_of_old), Received::Dropped(Dropped::UnknownChannel));
    world.bind("203.0.113.8:9");
    world.run(secs(1.0));
    assert_eq!(world.hear(&number_of_old), Received::Dropped(Dropped::UnknownChannel));
    let key = world.server.key(&allocate.message());
    let late = support::finish(&allocate.message(), Class::Success, Some((&key, false)), |b| {
        b.attribute(&XorRelayedAddress(at("192.0.2.1:50099")))
            .attribute(&XorMappedAddress(at("203.0.113.5:40000")))
            .attribute(&Lifetime(secs(600.0)))
    });
    assert_eq!(world.hear(&late), Received::NotMine);
    assert_ne!(world.client.relayed(), Some(at("192.0.2.1:50099")));
    assert_eq!(kinds(&world.events()), ["bound"]);
}

#[test]
fn data_of_an_old_allocation_never_comes_out_as_another_peers() {
    // Whatever the order in which peers come and go around a restart, a number stands for the peer it stood for.
    let mut world = bound();
    let number = *world.server.channels.keys().next().unwrap();
    world.restart_server();
    world.client.revoke(at(PEER).ip());
    world.drain();
    world.client.check(world.now);
    world.drain();
    world.run(secs(1.0));
    for port in 1..=100 {
        world.bind(&format!("203.0.113.8:{port}"));
    }
    world.run(secs(1.0));
    assert!(!world.server.channels.contains_key(&number));
    world.bind(PEER);
    world.run(secs(1.0));
    assert_eq!(world.server.channels.get(&number), Some(&at(PEER)));
}

/// When a client that is left alone hears that its server was restarted.
fn hears_of_a_restart_after(keepalive: Option<f64>) -> Duration {
    let mut config = steadfast();
    config.keepalive = keepalive.map(secs);
    let mut world = World::with(config, Server::new());
    world.run(secs(1.0));
    world.bind(PEER);
    world.run(secs(100.0));
    let _ = world.events();
    world.restart_server();
    let from = world.elapsed();
    world.run(secs(600.0));
    let events = world.timed_events();
    let heard = events.iter().find(|(_, event)| matches!(event, Event::Interrupted(_))).unwrap().0;
    let back = events.iter().find(|(_, event)| matches!(event, Event::ChannelBound { .. })).unwrap().0;
    assert_eq!(back - heard, secs(0.02), "and everything is back a round trip later");
    heard - from
}

#[test]
fn a_client_that_is_left_alone_hears_of_a_restart_by_its_keepalive_or_by_the_next_refresh() {
    let heard = hears_of_a_restart_after(Some(25.0));
    assert!(heard <= secs(25.1), "{heard:?}");
    let heard = hears_of_a_restart_after(None);
    assert!(heard > secs(100.0) && heard <= secs(246.1), "of a permission: {heard:?}");
}

#[test]
fn whatever_is_sent_puts_the_keepalive_off() {
    let mut config = steadfast();
    config.keepalive = Some(secs(25.0));
    let mut world = World::with(config.clone(), Server::new());
    world.run(secs(1.0));
    world.bind(PEER);
    world.run(secs(20.0));
    for _ in 0..10 {
        assert!(world.client.send_plan(world.now, at(PEER), 5).is_ok());
        world.run(secs(20.0));
    }
    assert_eq!(world.server.of(Method::REFRESH).len(), 0);
    world.run(secs(10.0));
    assert_eq!(world.server.of(Method::REFRESH).len(), 1);
    world.run(secs(24.0 * 3600.0));
    let gaps: Vec<_> = world.server.asked.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(gaps.iter().skip(8).all(|gap| *gap <= secs(25.1)), "for a day");

    config.keepalive = Some(secs(0.0));
    let mut world = World::with(config, Server::new());
    world.run(secs(60.0));
    assert!(world.server.of(Method::REFRESH).len() <= 60, "not a flood");
}
