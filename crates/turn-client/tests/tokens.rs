//! Tokens of an authorization server in place of user name and password: RFC 7635.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

mod support;

use floe_stun::attribute::{AccessToken, Username};
use floe_stun::{Method, Password, Transport};
use floe_turn_client::{
    AllocateFailure, Config, Credentials, Event, Identity, LostReason, Refusal, Token, Wanted,
};

use support::{Fault, PASSWORD, SOCKET, Server, USER, World, at, ip, secs, server_address};

const NAME: &str = "turn.example.org";
const ELSEWHERE: &str = "192.0.2.200:3478";

fn taking(kid: &'static str, session_key: u8) -> Server {
    let mut server = Server::new();
    server.token = Some((NAME, kid, [session_key; 20]));
    server
}

fn config(or: Option<Credentials>) -> Config {
    Config::new(SOCKET, server_address(), Identity::Token { or })
}

fn password() -> Option<Credentials> {
    Some(Credentials::new(USER, Password::new(PASSWORD)))
}

fn give(world: &mut World, kid: &str, session_key: u8, seconds: f64) {
    let token = Token::new(kid, kid.as_bytes(), &[session_key; 20], world.now + secs(seconds));
    world.client.give_token(world.now, token);
    world.drain();
}

fn wanted() -> Event {
    Event::TokenWanted { server_name: NAME.into() }
}

#[test]
fn a_server_that_takes_tokens_waits_for_one_and_is_shown_it_where_an_allocation_is_made_or_kept() {
    // OAU-5-1, OAU-9-1
    let mut world = World::with(config(None), taking("kid-1", 1));
    world.permit("203.0.113.7");
    world.run(secs(3600.0));
    assert_eq!(world.events(), [wanted()]);
    assert_eq!(world.server.asked.len(), 1);
    assert!(world.is_idle(), "it is the owner's turn");

    give(&mut world, "kid-1", 1, 7200.0);
    let start = world.elapsed();
    world.run(secs(1.0));
    assert!(matches!(world.events()[..], [Event::Allocated { .. }, Event::Permitted { .. }]));
    let [_, first, second, ..] = &world.server.asked[..] else { panic!("{:?}", world.server.asked) };
    assert_eq!((first.at, second.at), (start, start), "with the nonce that is known");
    for (asked, shown) in [(first, Some(AccessToken(b"kid-1"))), (second, None)] {
        assert_eq!(asked.message().find(), Some(Username("kid-1")));
        assert_eq!(asked.message().find(), shown, "{}", asked.method);
    }
}

#[test]
fn a_token_that_is_there_before_it_is_asked_for_costs_no_time() {
    let mut world = World::with(config(None), taking("kid-1", 1));
    give(&mut world, "kid-1", 1, 3600.0);
    world.run(secs(0.04));
    assert!(matches!(world.events()[..], [Event::Allocated { .. }]));
}

#[test]
fn another_token_is_wanted_in_time_and_keeps_the_allocation() {
    // OAU-8-1; RFC 7635 §9: an existing allocation is refreshed with the new token.
    let kids = ["kid-0", "kid-1", "kid-2", "kid-3"];
    let mut world = World::with(config(None), taking("kid-0", 0));
    give(&mut world, "kid-0", 0, 600.0);
    world.run(secs(0.1));
    world.bind("203.0.113.7:9");
    world.run(secs(0.1));
    assert_eq!(world.events().len(), 3);
    for (number, kid) in (1..).zip(&kids[1..]) {
        world.run(secs(479.0));
        assert_eq!(world.events(), [], "{kid}");
        world.run(secs(1.0));
        assert_eq!(world.events(), [wanted()], "two minutes before its end");
        world.server.token = Some((NAME, kid, [number; 20]));
        give(&mut world, kid, number, 600.0);
        let last = world.server.asked.last().unwrap();
        assert_eq!((last.method, last.at), (Method::REFRESH, world.elapsed()));
        assert_eq!(last.message().find(), Some(AccessToken(kid.as_bytes())));
    }
    assert_eq!(world.server.of(Method::ALLOCATE).len(), 2, "the allocation is the same");
}

#[test]
fn an_allocation_whose_token_ends_waits_for_another() {
    let mut world = World::with(config(None), taking("kid-1", 1));
    give(&mut world, "kid-1", 1, 600.0);
    world.permit("203.0.113.7");
    world.run(secs(1.0));
    assert_eq!(world.events().len(), 2);
    world.server.token = Some((NAME, "kid-2", [2; 20]));
    world.server.allocated = false;
    world.server.permissions.clear();
    world.run(secs(700.0));
    let events = world.events();
    assert!(
        matches!(&events[..], [Event::Interrupted(LostReason::Refused(why)), last]
            if why.code == 401 && *last == wanted()),
        "{events:?}"
    );
    give(&mut world, "kid-2", 2, 600.0);
    world.run(secs(1.0));
    assert!(matches!(world.events()[..], [Event::Allocated { .. }, Event::Permitted { .. }]));
}

#[test]
fn a_token_that_is_refused_is_not_shown_again() {
    let mut world = World::with(config(None), taking("kid-2", 2));
    give(&mut world, "kid-1", 1, 3600.0);
    world.run(secs(600.0));
    assert_eq!(world.events(), [wanted()]);
    assert_eq!(world.server.asked.len(), 2);
    give(&mut world, "kid-2", 2, 3600.0);
    world.run(secs(1.0));
    assert!(matches!(world.events()[..], [Event::Allocated { .. }]));
}

#[test]
fn a_stale_nonce_is_renewed_under_a_token_too() {
    let mut world = World::with(config(None), taking("kid-1", 1));
    give(&mut world, "kid-1", 1, 36_000.0);
    for method in [Method::ALLOCATE, Method::CREATE_PERMISSION, Method::CHANNEL_BIND, Method::REFRESH] {
        world.server.fault(method, Fault::Stale, 1);
    }
    world.bind("203.0.113.7:9");
    world.run(secs(3600.0));
    let events = world.events();
    assert!(
        matches!(events[..], [Event::Allocated { .. }, Event::Permitted { .. }, Event::ChannelBound { .. }]),
        "{events:?}"
    );
}

#[test]
fn a_password_serves_where_no_token_is_taken_and_is_shown_to_nobody_who_took_one() {
    // OAU-6.1-1
    let mut world = World::with(config(password()), Server::new());
    world.run(secs(1.0));
    assert!(matches!(world.events()[..], [Event::Allocated { .. }]));

    let mut world = World::with(config(password()), taking("kid-1", 1));
    world.run(secs(1.0));
    assert_eq!(world.events(), [wanted()]);
    world.server.token = None;
    give(&mut world, "kid-1", 1, 3600.0);
    world.run(secs(60.0));
    assert!(world.server.asked.iter().all(|asked| asked.message().find() != Some(Username(USER))));

    let mut world = World::with(config(None), Server::new());
    world.run(secs(1.0));
    let why = Refusal::new(401, "Unauthenticated");
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::WrongCredentials(why))]);
}

#[test]
fn a_user_with_a_password_is_not_asked_for_a_token() {
    let mut server = Server::new();
    server.offers_tokens = true;
    let mut world = World::with(support::config(), server);
    world.run(secs(1.0));
    assert!(matches!(world.events()[..], [Event::Allocated { .. }]));
}

#[test]
fn whoever_waits_for_a_token_may_leave_move_and_be_closed() {
    let waiting = || {
        let mut world = World::with(config(None), taking("kid-1", 1));
        world.run(secs(1.0));
        assert_eq!(world.events(), [wanted()]);
        world
    };
    let mut world = waiting();
    world.release();
    assert_eq!((world.events(), world.server.asked.len()), (vec![Event::Released], 1));
    give(&mut world, "kid-1", 1, 3600.0);
    world.run(secs(60.0));
    assert_eq!((world.events(), world.server.asked.len()), (vec![], 1), "it is over");

    let mut world = waiting();
    let _ = world.close(SOCKET);
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::SocketClosed)]);

    let mut world = waiting();
    world.move_to(floe_stun::SocketId(8));
    world.run(secs(1.0));
    assert_eq!(world.events(), [wanted()]);
}

#[test]
fn a_token_is_for_one_server_alone() {
    let mut world = World::with(config(None), taking("kid-1", 1));
    world.server.fault(Method::ALLOCATE, Fault::Refuse(300), 1);
    give(&mut world, "kid-1", 1, 3600.0);
    world.run(secs(0.05));
    assert_eq!(world.events(), [Event::Redirected { to: at(ELSEWHERE) }]);
    world.place = at(ELSEWHERE);
    world.run(secs(2.0));
    assert_eq!(world.events(), [wanted()], "another one");
    assert!(world.server.asked.last().unwrap().message().find::<AccessToken<'_>>().is_none());
}

#[test]
fn a_stream_to_a_peer_is_joined_under_the_token() {
    let config = config(None).over(Transport::Tcp).wanting(Wanted::Tcp(floe_stun::attribute::Family::Ipv4));
    let mut world = World::with(config, taking("kid-1", 1));
    give(&mut world, "kid-1", 1, 3600.0);
    world.connect("203.0.113.7:9");
    world.run(secs(1.0));
    let Some(floe_stun::Need::Stream { request, .. }) = world.needs.pop() else { panic!("no stream") };
    world.open(request, floe_stun::SocketId(20));
    world.run(secs(1.0));
    assert!(matches!(world.events()[..], [Event::Allocated { .. }, Event::Connected { .. }]));
    assert!(!world.client.is_permitted(ip("203.0.113.7")));
}
