//! The life of an allocation: asked for, refreshed, lost or given back (RFC 8656 §7, §8).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

mod support;

use std::time::Duration;

use floe_stun::attribute::{Family, Lifetime, RequestedAddressFamily, Software};
use floe_stun::{Class, Icmp, Input, Instant, Machine, Method, Password};
use floe_turn_client::Wanted;
use floe_turn_client::{
    AllocateFailure, BadAnswer, Config, Credentials, Event, LostReason, Refusal, SendError,
};

use support::{Fault, SOCKET, Server, World, at, config, ip, secs, server_address};

fn allocated(rtt: Option<Duration>) -> Event {
    Event::Allocated {
        relayed: at("192.0.2.1:50000"),
        second: None,
        missing: None,
        mapped: at("203.0.113.5:40000"),
        lifetime: secs(600.0),
        reserved: None,
        rtt,
    }
}

#[test]
fn an_allocation_takes_two_round_trips() {
    let mut world = World::new();
    assert_eq!(world.client.relayed(), None);

    world.run(secs(1.0));

    // TURN-7.3-2, TURN-7.3-4
    assert_eq!(world.timed_events(), [(secs(0.04), allocated(Some(secs(0.02))))]);
    assert_eq!(world.client.relayed(), Some(at("192.0.2.1:50000")));
    assert_eq!(world.client.mapped(), Some(at("203.0.113.5:40000")));
    assert_eq!((world.client.socket(), world.client.server()), (SOCKET, server_address()));
    assert_eq!(world.server.asked.len(), 2);
}

#[test]
fn what_is_asked_for_stands_in_the_request() {
    let mut config = config();
    config.wanted = Wanted::Address(Family::Ipv6);
    config.lifetime = secs(1800.0);
    config.software = Some("floe".into());
    let mut server = Server::new();
    server.relayed = at("[2001:db8::1]:50000");
    let mut world = World::with(config, server);
    world.run(secs(1.0));
    world.run(secs(600.0));

    for asked in world.server.of(Method::ALLOCATE) {
        let request = asked.message();
        // TURN-7.1-2 is checked by the server itself
        assert_eq!(request.find(), Some(RequestedAddressFamily(Family::Ipv6))); // TURN-7.1-3
        assert_eq!(request.find(), Some(Lifetime(secs(1800.0)))); // TURN-7.1-7
        assert_eq!(request.find(), Some(Software("floe"))); // TURN-5-5
    }
    let refresh = world.server.of(Method::REFRESH)[0].message();
    assert_eq!(refresh.find(), Some(Software("floe"))); // TURN-5-5
    assert_eq!(refresh.find(), Some(Lifetime(secs(1800.0))));
    assert_eq!(world.client.relayed(), Some(at("[2001:db8::1]:50000")));
}

#[test]
fn an_ipv4_relay_is_asked_for_without_saying_so() {
    let world = World::new();
    let first = world.server.asked[0].message();
    assert_eq!(first.find::<RequestedAddressFamily>(), None);
}

#[test]
fn a_lost_request_goes_out_again_byte_for_byte() {
    let mut world = World::new();
    // The 401 is on its way already; the signed request is the one that is lost.
    world.server.fault(Method::ALLOCATE, Fault::Deaf, 3);
    world.run(secs(5.0));

    let sent = world.server.of(Method::ALLOCATE);
    let at: Vec<_> = sent.iter().map(|asked| asked.at).collect();
    assert_eq!(at, [0.0, 0.02, 0.52, 1.52, 3.52].map(secs));
    assert!(sent[1..].iter().all(|asked| asked.bytes == sent[1].bytes));
    assert_eq!(world.events(), [allocated(None)], "a round-trip time would be a guess");
}

#[test]
fn nobody_at_home_is_told_after_seven_tries() {
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Deaf, 99);
    let mut world = World::with(config(), server);
    world.run(secs(100.0));

    assert_eq!(world.server.asked.len(), 7);
    assert_eq!(world.timed_events(), [(secs(39.5), Event::Failed(AllocateFailure::TimedOut))]); // TURN-7.4-1
    assert!(world.is_idle());
}

#[test]
fn it_is_refreshed_a_minute_before_it_expires_for_a_day_and_never_expires() {
    let mut world = World::allocated();
    world.run(secs(24.0 * 3600.0));

    // TURN-8-1, TURN-6-2
    let refreshes = world.server.of(Method::REFRESH);
    assert!((155..165).contains(&refreshes.len()), "{}", refreshes.len());
    for pair in refreshes.windows(2) {
        let gap = (pair[1].at - pair[0].at).as_secs_f64();
        assert!((533.9..=546.1).contains(&gap), "{gap}");
    }
    assert_eq!(world.events(), []);
}

#[test]
fn clients_that_began_together_do_not_refresh_together() {
    let first_refresh = |seed| {
        let mut world = World::seeded(config(), Server::new(), seed);
        world.run(secs(600.0));
        world.server.of(Method::REFRESH)[0].at
    };
    let mut times: Vec<_> = (0..50).map(first_refresh).collect();
    times.sort();
    assert!(times[49] - times[0] > secs(8.0), "{times:?}");
    times.dedup_by_key(|time| time.as_millis() / 10);
    assert!(times.len() > 40, "{times:?}");
}

#[test]
fn a_short_lifetime_is_refreshed_at_half_time_and_the_servers_word_counts() {
    let mut server = Server::new();
    server.lifetime = secs(40.0);
    let mut world = World::with(config(), server);
    world.run(secs(30.0));
    // TURN-7.3-2, TURN-8.3-1: the time to expiry is the one of the response.
    world.server.lifetime = secs(1000.0);
    world.run(secs(1000.0));

    let at: Vec<_> = world.server.of(Method::REFRESH).iter().map(|r| r.at.as_secs_f64()).collect();
    assert!((18.0..22.1).contains(&at[0]), "{at:?}");
    assert!((18.0..22.1).contains(&(at[1] - at[0])), "{at:?}");
    assert!((930.0..950.0).contains(&(at[2] - at[1])), "{at:?}");
    assert_eq!(at.len(), 3);
}

#[test]
fn a_server_that_grants_a_second_is_asked_four_times_a_minute() {
    for lifetime in [1.0, 29.0] {
        let mut server = Server::new();
        server.lifetime = secs(lifetime);
        let mut world = World::with(config(), server);
        world.run(secs(600.0));
        let refreshes = world.server.of(Method::REFRESH).len();
        assert!((36..=44).contains(&refreshes), "{lifetime} s: {refreshes} in ten minutes");
        let [Event::Allocated { lifetime: granted, .. }] = world.events()[..] else { panic!("it is held") };
        assert_eq!(granted, secs(lifetime), "what the server says is told as it is");
    }
}

#[test]
fn releasing_deletes_and_says_so() {
    let mut world = World::allocated();
    world.bind("203.0.113.7:9");
    world.run(secs(1.0));
    let _ = world.events();

    world.release();
    world.release();
    world.permit("203.0.113.8");
    world.run(secs(1.0));

    // TURN-8-2
    let delete = world.server.asked.last().unwrap();
    assert_eq!(delete.message().find(), Some(Lifetime(Duration::ZERO)));
    assert_eq!(world.server.of(Method::REFRESH).len(), 1, "once");
    assert_eq!(world.events(), [Event::Released]);
    assert!(!world.server.allocated);
    assert_eq!(world.client.relayed(), None);
    assert!(!world.client.is_permitted(ip("203.0.113.7")));
    assert!(world.is_idle());
}

#[test]
fn a_437_to_the_deletion_is_a_success() {
    let mut world = World::allocated();
    world.server.fault(Method::REFRESH, Fault::AnswerLost, 1);
    world.release();
    world.run(secs(5.0));

    // TURN-8.3-1: the retransmission meets 437.
    assert_eq!(world.server.of(Method::REFRESH).len(), 2);
    assert_eq!(world.events(), [Event::Released]);
}

#[test]
fn a_server_that_says_nothing_to_the_deletion_is_left_all_the_same() {
    let mut world = World::allocated();
    world.server.fault(Method::REFRESH, Fault::Deaf, 99);
    world.release();
    world.run(secs(100.0));
    assert_eq!(world.events(), [Event::Released]);
    assert!(world.is_idle());
}

#[test]
fn a_release_before_the_login_sends_nothing_and_one_after_it_deletes_what_may_be() {
    let mut world = World::new();
    world.release();
    world.run(secs(60.0));
    assert_eq!(world.events(), [Event::Released]);
    assert_eq!(world.server.asked.len(), 1);

    let mut world = World::new();
    world.server.fault(Method::ALLOCATE, Fault::AnswerLost, 1);
    world.run(secs(0.03));
    assert!(world.server.allocated, "and the client does not know");
    world.release();
    world.run(secs(60.0));
    assert!(!world.server.allocated);
    assert_eq!(world.events(), [Event::Released]);
}

#[test]
fn a_437_to_anything_else_means_that_the_allocation_is_gone() {
    // TURN-5-4
    type Provoke = fn(&mut World);
    let provocations: [(Method, Provoke); 3] = [
        (Method::REFRESH, |world| world.run(secs(600.0))),
        (Method::CREATE_PERMISSION, |world| world.permit("203.0.113.7")),
        (Method::CHANNEL_BIND, |world| world.bind("203.0.113.7:9")),
    ];
    for (method, provoke) in provocations {
        let mut world = World::allocated();
        world.server.fault(method, Fault::Refuse(437), 1);
        provoke(&mut world);
        world.run(secs(1.0));

        let lost = Event::Lost(LostReason::Mismatch(Refusal::new(437, "No")));
        assert_eq!(world.events().last(), Some(&lost), "{method}");
        assert_eq!(world.client.relayed(), None);
        assert!(!world.client.is_permitted(ip("203.0.113.7")));
        let peer = at("203.0.113.7:9");
        assert_eq!(world.client.send_plan(world.now, peer, 5), Err(SendError::NotAllocated));
        assert!(world.is_idle(), "and nothing more is sent");
    }
}

#[test]
fn a_server_that_restarted_and_says_400_is_asked_for_the_allocation() {
    // As coturn 4.6.1 does: 438, then 400 where 437 belongs.
    for faults in [
        [(Method::CREATE_PERMISSION, Fault::Refuse(400)), (Method::CHANNEL_BIND, Fault::Deaf)],
        [(Method::CREATE_PERMISSION, Fault::Deaf), (Method::CHANNEL_BIND, Fault::Refuse(400))],
    ] {
        let mut world = World::allocated();
        for (method, fault) in faults {
            world.server.fault(method, fault, 1);
        }
        world.server.allocated = false;
        world.bind("203.0.113.7:9");
        world.run(secs(0.2));
        let events = world.events();
        assert!(matches!(
            events[..],
            [Event::NotPermitted { .. } | Event::ChannelRefused { .. }, Event::Lost(_)]
        ));
    }

    // And where it is there after all, nothing is lost but the permission.
    let mut world = World::allocated();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Refuse(400), 1);
    world.permit("203.0.113.7");
    world.run(secs(1.0));
    assert!(matches!(world.events()[..], [Event::NotPermitted { .. }]));
    assert_eq!(world.server.of(Method::REFRESH).len(), 1);
    assert!(world.client.relayed().is_some());

    // A question that is under way is not asked twice.
    world.server.fault(Method::REFRESH, Fault::Deaf, 1);
    world.server.fault(Method::CREATE_PERMISSION, Fault::Refuse(400), 2);
    world.permit("203.0.113.7");
    world.permit("203.0.113.8");
    world.run(secs(0.3));
    assert_eq!(world.server.of(Method::REFRESH).len(), 2);
}

#[test]
fn a_silent_server_means_the_same() {
    let mut world = World::allocated();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 99);
    world.permit("203.0.113.7");
    world.run(secs(39.0));
    assert_eq!(world.events(), []);
    world.run(secs(1.0));
    assert_eq!(world.events(), [Event::Lost(LostReason::Silent)]);

    let mut world = World::allocated();
    world.server.fault(Method::REFRESH, Fault::Deaf, 99);
    world.run(secs(600.0));
    assert_eq!(world.events(), [Event::Lost(LostReason::Silent)], "when it expires");
}

#[test]
fn a_host_that_slept_too_long_has_lost_it_and_sends_nothing() {
    for sleep in [600.0, 24.0 * 3600.0] {
        let mut world = World::allocated();
        world.permit("203.0.113.7");
        world.run(secs(1.0));
        let asked = world.server.asked.len();
        let _ = world.events();

        world.sleep(secs(sleep));

        assert_eq!(world.events(), [Event::Lost(LostReason::Expired)]);
        assert_eq!(world.server.asked.len(), asked, "no refresh of what is gone");
        assert!(world.is_idle());
    }
}

#[test]
fn a_host_that_slept_not_so_long_refreshes_once_each() {
    let mut world = World::allocated();
    world.permit("203.0.113.7");
    world.bind("203.0.113.8:9");
    world.run(secs(1.0));
    let asked = world.server.asked.len();
    let _ = world.events();

    world.sleep(secs(580.0));
    assert_eq!(world.server.asked.len(), asked + 4, "one Refresh, two permissions, one channel");
    assert!(!world.client.is_permitted(ip("203.0.113.7")), "expired meanwhile");
    world.run(secs(1.0));

    assert!(world.client.is_permitted(ip("203.0.113.7")));
    assert_eq!(world.server.asked.len(), asked + 4);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut world = World::allocated();
    let _ = world.client.handle_input(world.now, Input::Timeout);
    world.client.permit(Instant::ORIGIN, ip("203.0.113.7"));
    let _ = world.client.handle_input(Instant::ORIGIN, Input::Timeout);
    world.drain();
    world.run(secs(600.0));
    assert_eq!(world.events(), [Event::Permitted { peer: ip("203.0.113.7") }]);
    assert!(world.client.relayed().is_some());
}

#[test]
fn an_answer_under_a_clock_that_went_back_counts_from_the_latest_time_there_was() {
    let mut world = World::allocated();
    world.run(secs(400.0));
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 1);
    world.permit("203.0.113.7");
    let asked = world.server.asked.last().unwrap().clone();
    let key = world.server.key(&asked.message());
    let answer = support::finish(&asked.message(), Class::Success, Some((&key, false)), |b| b);

    let input = Input::Datagram { socket: SOCKET, from: server_address(), data: &answer };
    let _ = world.client.handle_input(Instant::ORIGIN, input);

    assert!(world.client.send_plan(world.now, at("203.0.113.7:9"), 5).is_ok());
}

#[test]
fn what_no_clock_says_does_no_harm() {
    let mut world = World::allocated();
    world.bind("203.0.113.7:9");
    world.run(secs(1.0));
    let far = Instant::FAR_FUTURE;
    let _ = world.client.handle_input(far, Input::Timeout);
    world.now = far;
    world.drain();
    assert!(matches!(world.events().last(), Some(Event::Lost(LostReason::Expired))));
}

#[test]
fn a_server_in_trouble_is_asked_again_while_there_is_time() {
    let mut world = World::allocated();
    // STUN-6.3.4-4
    world.server.fault(Method::REFRESH, Fault::Refuse(500), 2);
    world.run(secs(600.0));
    assert_eq!(world.server.of(Method::REFRESH).len(), 3);
    assert_eq!(world.events(), []);

    let mut world = World::allocated();
    world.server.fault(Method::REFRESH, Fault::Refuse(500), 99);
    world.run(secs(700.0));
    assert!(world.server.of(Method::REFRESH).len() <= 5);
    assert_eq!(world.events(), [Event::Lost(LostReason::Expired)]);
}

#[test]
fn a_refresh_that_is_refused_ends_it() {
    let mut world = World::allocated();
    world.server.fault(Method::REFRESH, Fault::Refuse(441), 1);
    world.run(secs(600.0));
    assert_eq!(world.events(), [Event::Lost(LostReason::Refused(Refusal::new(441, "No")))]);
}

#[test]
fn each_refusal_of_allocate_has_its_own_name_and_ends_the_client() {
    // TURN-7.4-2, -3, -6, -8, -9, -10, -11, -12, -13: none is asked again by the client.
    for code in [400, 403, 420, 440, 442, 443, 486, 500, 508, 699] {
        let failure = refused_with(code);
        assert_eq!(failure, AllocateFailure::Refused(Refusal::new(code, "No")));
        let text = failure.to_string();
        assert!(text.starts_with(&format!("the TURN server refused to allocate ({code} No); ")), "{text}");
    }
    assert_eq!(refused_with(441), AllocateFailure::WrongCredentials(Refusal::new(441, "No")));
}

fn refused_with(code: u16) -> AllocateFailure {
    let mut world = World::new();
    world.server.fault(Method::ALLOCATE, Fault::Refuse(code), 1);
    world.run(secs(3600.0));
    assert_eq!(world.server.asked.len(), 2);
    assert!(world.is_idle());
    match world.events().as_slice() {
        [Event::Failed(failure)] => failure.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_may_refuse_before_the_login_but_not_send_us_elsewhere() {
    // STUN-14.8-2: nobody vouches for the 300, so the address in it is nobody's word.
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::RefuseUnsigned(300), 1);
    let mut world = World::with(config(), server);
    world.run(secs(1.0));
    let why = Refusal::new(300, "No");
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::Refused(why))]);
}

#[test]
fn an_allocation_of_the_wrong_family_is_deleted() {
    let mut server = Server::new();
    server.relayed = at("[2001:db8::1]:50000");
    let mut world = World::with(config(), server);
    world.run(secs(60.0));

    // TURN-7.3-1
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::BadAnswer(BadAnswer::WrongFamily))]);
    assert!(!world.server.allocated);
    assert!(world.is_idle());
}

#[test]
fn an_answer_that_lacks_what_it_must_have_is_no_allocation() {
    let mut world = World::new();
    world.server.fault(Method::ALLOCATE, Fault::Empty, 1);
    world.run(secs(60.0));
    let lacks = BadAnswer::Lacks("XOR-RELAYED-ADDRESS");
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::BadAnswer(lacks))]);
}

#[test]
fn an_allocation_of_no_duration_is_none() {
    let mut server = Server::new();
    server.lifetime = Duration::ZERO;
    let mut world = World::with(config(), server);
    world.run(secs(60.0));
    let lacks = BadAnswer::Lacks("a LIFETIME above zero");
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::BadAnswer(lacks))]);

    let mut world = World::allocated();
    world.server.lifetime = Duration::ZERO;
    world.run(secs(600.0));
    assert_eq!(world.events(), [Event::Lost(LostReason::Expired)]);
}

#[test]
fn a_wish_for_no_duration_deletes_nothing() {
    let mut config = config();
    config.lifetime = Duration::ZERO;
    let mut world = World::with(config, Server::new());
    world.run(secs(600.0));
    assert_eq!(world.server.of(Method::REFRESH).len(), 1);
    assert!(world.server.allocated && world.client.relayed().is_some());
}

#[test]
fn an_answer_with_unknown_demands_fails_the_request() {
    let mut world = World::new();
    // STUN-6.3.3-1
    world.server.fault(Method::ALLOCATE, Fault::Unknown, 1);
    world.run(secs(60.0));
    let unknown = BadAnswer::UnknownAttribute(0x7FFF);
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::BadAnswer(unknown))]);
}

#[test]
fn icmp_spoils_an_attempt_but_not_an_allocation() {
    let icmp = Input::Icmp { socket: SOCKET, to: server_address(), what: Icmp::Unreachable };
    let mut world = World::allocated();
    let _ = world.client.handle_input(world.now, icmp);
    world.drain();
    assert_eq!(world.events(), []);

    let mut world = World::new();
    let _ = world.client.handle_input(world.now, icmp);
    world.drain();
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::Unreachable)]);
    assert!(world.is_idle());
}

#[test]
fn a_closed_socket_ends_everything() {
    let closed = Input::Closed { socket: SOCKET };
    let mut world = World::allocated();
    let _ = world.client.handle_input(world.now, closed);
    world.drain();
    assert_eq!(world.events(), [Event::Lost(LostReason::SocketClosed)]);

    let mut world = World::new();
    let _ = world.client.handle_input(world.now, closed);
    world.drain();
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::SocketClosed)]);

    let mut world = World::allocated();
    world.release();
    let _ = world.client.handle_input(world.now, closed);
    world.drain();
    assert_eq!(world.events(), [Event::Released]);
}

#[test]
fn a_request_that_cannot_be_written_is_told() {
    let credentials = Credentials::new("x".repeat(600), Password::new("x"));
    let mut world = World::with(Config::new(SOCKET, server_address(), credentials), Server::new());
    world.run(secs(1.0));
    assert!(matches!(world.events().as_slice(), [Event::Failed(AllocateFailure::Unsendable(_))]));
    assert!(world.is_idle());
}

#[test]
fn the_same_seed_leads_the_same_life() {
    let life = || {
        let mut world = World::allocated();
        world.bind("203.0.113.7:9");
        world.run(secs(3600.0));
        world.server.asked.into_iter().map(|asked| (asked.at, asked.bytes)).collect::<Vec<_>>()
    };
    assert_eq!(life(), life());
}

#[test]
fn secrets_do_not_show() {
    let shown = format!("{:?}", World::allocated().client);
    assert!(!shown.contains("sesame") && !shown.contains("alice"), "{shown}");
}
