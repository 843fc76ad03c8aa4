//! What is asked for and over what: families, even ports, reservations, DF, streams (RFC 8656 §7.1, §7.3, §7.4, §12.5).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

mod support;

use floe_stun::attribute::{
    AdditionalAddressFamily, Attribute, DontFragment, EvenPort, Family, RequestedAddressFamily,
    ReservationToken,
};
use floe_stun::{Method, Received, Transport};
use floe_turn_client::{AllocateFailure, BadAnswer, Config, Event, Refusal, Wanted};

use support::{Fault, Server, World, at, config, ip, secs};

const TOKEN: [u8; 8] = *b"next one";

fn ask(wanted: Wanted, server: Server) -> World {
    let mut world = World::with(config().wanting(wanted), server);
    world.run(secs(1.0));
    world
}

fn allocated(world: &mut World) -> Event {
    match world.events().as_slice() {
        [event @ Event::Allocated { .. }] => event.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_server_gives_both_families() {
    // TURN-7.1-4, TURN-7.3-4: whichever the server names first.
    for swap in [false, true] {
        let mut server = Server::new();
        let (v4, v6) = (at("192.0.2.1:50000"), at("[2001:db8::1]:50000"));
        (server.relayed, server.second) = if swap { (v6, Some(v4)) } else { (v4, Some(v6)) };
        let mut world = ask(Wanted::Both, server);

        let asked = world.server.asked[1].message();
        assert_eq!(asked.find(), Some(AdditionalAddressFamily(Family::Ipv6)));
        assert_eq!(asked.find::<RequestedAddressFamily>(), None);
        // For servers from before the RFC.
        assert_eq!(asked.get_as(0x8032), Some(Ok(AdditionalAddressFamily(Family::Ipv6))));
        assert!(matches!(allocated(&mut world), Event::Allocated { relayed, second, missing: None, .. }
            if relayed == v4 && second == Some(v6)));
        assert_eq!((world.client.relayed(), world.client.second_relayed()), (Some(v4), Some(v6)));
        world.permit("203.0.113.7");
        world.permit("2001:db8::7");
        world.run(secs(1.0));
        assert!(world.client.is_permitted(ip("203.0.113.7")) && world.client.is_permitted(ip("2001:db8::7")));
    }
}

#[test]
fn a_refresh_of_two_families_is_for_both() {
    // TURN-8.1-1, TURN-8.1-2
    let mut server = Server::new();
    server.second = Some(at("[2001:db8::1]:50000"));
    let mut world = ask(Wanted::Both, server);
    world.run(secs(600.0));
    world.release();
    world.run(secs(1.0));
    let refreshes = world.server.of(Method::REFRESH);
    assert_eq!(refreshes.len(), 2, "and the deletion");
    assert!(refreshes.iter().all(|asked| !asked.message().has(RequestedAddressFamily::TYPE)));
}

#[test]
fn a_family_that_the_server_has_not_is_told_and_left_alone() {
    // TURN-7.3-3, TURN-7.3-5, TURN-10.1-2
    let mut server = Server::new();
    server.missing = Some(440);
    let mut world = ask(Wanted::Both, server);
    let Event::Allocated { second: None, missing: Some((Family::Ipv6, why)), .. } = allocated(&mut world)
    else {
        panic!("no word of IPv6")
    };
    assert_eq!(why, Refusal::new(440, "No"));
    world.permit("2001:db8::7");
    assert!(matches!(&world.events()[..], [Event::NotPermitted { why, .. }] if why.code == 443));
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 0);
}

#[test]
fn a_server_that_knows_nothing_of_two_families_gives_one() {
    let mut world = ask(Wanted::Both, Server::new());
    assert!(matches!(allocated(&mut world), Event::Allocated { second: None, missing: None, .. }));
}

#[test]
fn two_addresses_that_nobody_asked_for_are_given_back() {
    // TURN-7.3-1
    let mut server = Server::new();
    server.second = Some(at("[2001:db8::1]:50000"));
    let mut world = ask(Wanted::Address(Family::Ipv4), server);
    let failure = AllocateFailure::BadAnswer(BadAnswer::WrongFamily);
    assert_eq!(world.events(), [Event::Failed(failure)]);
    assert!(!world.server.allocated);
}

#[test]
fn an_even_port_brings_a_token_and_the_token_the_next_port() {
    // TURN-7.1-6, TURN-7.1-8
    let even = Wanted::EvenPort { family: Family::Ipv4, reserve_next: true };
    let mut server = Server::new();
    server.reserved = Some(TOKEN);
    let mut world = ask(even, server);
    assert_eq!(world.server.asked[1].message().find(), Some(EvenPort { reserve_next: true }));
    let Event::Allocated { reserved: Some(token), .. } = allocated(&mut world) else { panic!("no token") };
    assert_eq!(token, ReservationToken(TOKEN));

    let mut world = ask(Wanted::Reserved(token), Server::new());
    let asked = world.server.asked[1].message();
    assert_eq!((asked.find(), asked.find::<EvenPort>()), (Some(token), None));
    assert_eq!(asked.find::<RequestedAddressFamily>(), None);
    allocated(&mut world);
}

#[test]
fn what_the_server_cannot_have_is_not_asked_for_again() {
    // TURN-7.4-5, TURN-7.4-10: at once, and once.
    let even = Wanted::EvenPort { family: Family::Ipv6, reserve_next: false };
    let mut server = Server::new();
    server.relayed = at("[2001:db8::1]:50000");
    server.fault(Method::ALLOCATE, Fault::RefuseUnsigned(508), 0).fault(
        Method::ALLOCATE,
        Fault::Refuse(508),
        1,
    );
    let mut world = ask(even, server);
    let last = world.server.asked.last().unwrap().message();
    assert_eq!((last.find::<EvenPort>(), last.find()), (None, Some(RequestedAddressFamily(Family::Ipv6))));
    allocated(&mut world);

    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Refuse(420), 1);
    let mut config = config();
    config.dont_fragment = true;
    let mut world = World::with(config, server);
    world.run(secs(1.0));
    let df: Vec<_> = world.server.asked.iter().map(|asked| asked.message().has(DONT_FRAGMENT)).collect();
    assert_eq!(df.last(), Some(&false));
    assert!(df[0]);
    allocated(&mut world);

    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Refuse(508), 9);
    let mut world = ask(even, server);
    assert!(matches!(&world.events()[..], [Event::Failed(AllocateFailure::Refused(why))] if why.code == 508));
}

const DONT_FRAGMENT: u16 = DontFragment::TYPE;

fn over_tcp() -> Config {
    config().over(Transport::Tcp)
}

#[test]
fn over_a_stream_a_request_goes_out_once() {
    // STUN-6.2.2-2
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Deaf, 1);
    let mut world = World::with(over_tcp(), server);
    world.run(secs(39.4));
    assert_eq!((world.server.asked.len(), world.events().len()), (1, 0));
    world.run(secs(0.2));
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::TimedOut)]);
}

#[test]
fn over_a_stream_a_forged_answer_ends_the_attempt() {
    // STUN-9.1.4-3
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Unsigned, 1);
    let mut world = World::with(over_tcp(), server);
    world.run(secs(1.0));
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::IntegrityViolated)]);
}

#[test]
fn over_a_stream_channel_data_is_padded_both_ways() {
    // TURN-12.5-1
    let mut world = World::with(over_tcp(), Server::new());
    world.run(secs(1.0));
    allocated(&mut world);
    world.bind("203.0.113.7:9");
    world.run(secs(1.0));
    let plan = world.client.send_plan(world.now, at("203.0.113.7:9"), 5).unwrap();
    assert_eq!((plan.headroom(), plan.tailroom(), plan.packet_len()), (4, 3, 12));
    let mut frame = plan.header().to_vec();
    frame.extend(*b"hello\0\0\0");
    let Received::App(got) = world.hear(&frame) else { panic!("no data") };
    assert_eq!((got.peer, got.data), (at("203.0.113.7:9"), &b"hello"[..]));
}
