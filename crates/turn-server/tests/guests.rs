//! Users of a shared secret, and users that the host looks up.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails has found what the test looks for"
)]

mod support;

use floe_stun::attribute::{RequestedTransport, UserHash};
use floe_stun::credentials::{Credentials, rest};
use floe_stun::{Builder, Dropped, Input, Instant, Method, Password, Received};
use floe_turn_server::{Config, Event, Limits, LookupId, Wanted};
use support::{Client, REALM, Scheme, V4, World, addr, code, config, relayed, secs};

const TODAY: u64 = 1_800_000_000;

fn udp(builder: Builder<'_>) -> Builder<'_> {
    builder.attribute(&RequestedTransport::UDP)
}

fn of_secrets(secrets: &[&str]) -> Config {
    let config = Config::new(REALM).with_relay("192.0.2.1".parse().unwrap());
    let config = config.with_clock(Instant::ORIGIN + secs(1000), secs(TODAY));
    secrets.iter().fold(config, |config, secret| config.with_secret(rest::Secret::new(secret)))
}

/// A client with a password of this secret, good until then.
fn guest(n: u8, secret: &str, name: &str, until: u64, scheme: Scheme) -> Client {
    let credentials = rest::Secret::new(secret).credentials(name, secs(until));
    let password = credentials.password().reveal().to_owned();
    Client::new(&format!("203.0.113.{n}:4000"), credentials.username(), &password, scheme)
}

fn allocates(world: &mut World, client: &mut Client) -> u16 {
    client.challenge(world);
    let request = client.signed(Method::ALLOCATE, udp);
    code(&client.ask(world, &request).unwrap())
}

#[test]
fn whoever_has_a_password_of_the_secret_may_allocate() {
    for scheme in [Scheme::Md5, Scheme::Sha256] {
        let mut world = World::with(of_secrets(&["this year's", "last year's"]));
        for (n, secret, expected) in [(1, "this year's", 0), (2, "last year's", 0), (3, "next year's", 401)] {
            let mut client = guest(n, secret, "alice", TODAY + 60, scheme);
            assert_eq!(allocates(&mut world, &mut client), expected, "{secret}");
        }
    }
}

#[test]
fn a_password_for_a_limited_time_is_no_good_afterwards_but_keeps_what_was_allocated() {
    let mut world = World::with(of_secrets(&["north"]));
    let mut alice = guest(1, "north", "alice", TODAY + 60, Scheme::Sha256);
    assert_eq!(allocates(&mut world, &mut alice), 0);
    assert_eq!(allocates(&mut world, &mut guest(2, "north", "alice", TODAY, Scheme::Sha256)), 401);
    world.pass(secs(59));
    assert_eq!(allocates(&mut world, &mut guest(3, "north", "alice", TODAY + 60, Scheme::Sha256)), 0);
    world.pass(secs(1));
    assert_eq!(allocates(&mut world, &mut guest(4, "north", "alice", TODAY + 60, Scheme::Sha256)), 401);
    assert_eq!(alice.refresh(&mut world, None).0, 0);
    assert_eq!(alice.permit(&mut world, &["198.51.100.7:0"]), 0);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.7:7"), 0);
    // Another password of the same person is another user (RFC 8656 §5).
    let mut renewed = guest(1, "north", "alice", TODAY + 600, Scheme::Sha256);
    renewed.nonce.clone_from(&alice.nonce);
    renewed.next_id = 100;
    assert_eq!(renewed.refresh(&mut world, None).0, 441);
}

/// A14
#[test]
fn guests_of_one_secret_cannot_touch_what_is_anothers() {
    let mut world = World::with(of_secrets(&["north"]));
    let mut alice = guest(1, "north", "alice", TODAY + 60, Scheme::Sha256);
    assert_eq!(allocates(&mut world, &mut alice), 0);
    let mut bob = guest(1, "north", "bob", TODAY + 60, Scheme::Sha256);
    bob.nonce.clone_from(&alice.nonce);
    bob.next_id = 100;
    assert_eq!(bob.refresh(&mut world, Some(0)).0, 441);
    assert_eq!(bob.permit(&mut world, &["198.51.100.7:0"]), 441);
}

/// TURNS-5-5: the time in a name is no other user.
#[test]
fn all_passwords_of_one_person_share_a_quota() {
    let mut limits = Limits::default();
    limits.allocations_per_user = 1;
    let mut world = World::with(of_secrets(&["north"]).with_limits(limits));
    for (n, name, until, expected) in
        [(1, "alice", 60, 0), (2, "alice", 61, 486), (3, "bob", 60, 0), (4, "", 60, 0), (5, "", 61, 486)]
    {
        let mut client = guest(n, "north", name, TODAY + until, Scheme::Sha256);
        assert_eq!(allocates(&mut world, &mut client), expected, "{name} {until}");
    }
}

fn asking() -> World {
    World::with(config().asking_host())
}

fn carol(n: u8) -> Client {
    Client::new(&format!("203.0.113.{n}:4000"), "carol", "christmas", Scheme::Sha256)
}

fn credentials() -> Credentials {
    Credentials::new("carol", Password::new("christmas"))
}

/// Sends an Allocate of somebody unknown; the request.
fn asks(world: &mut World, client: &mut Client) -> Vec<u8> {
    client.challenge(world);
    let request = client.signed(Method::ALLOCATE, udp);
    assert_eq!(client.ask(world, &request), None);
    request
}

/// What the host was asked.
fn lookups(world: &World) -> Vec<(LookupId, Wanted)> {
    let asked = world.events.iter().filter_map(|event| match event {
        Event::Lookup { lookup, user, .. } => Some((*lookup, user.clone())),
        _ => None,
    });
    asked.collect()
}

fn found(world: &mut World, lookup: LookupId, user: Option<&Credentials>) {
    world.server.found(world.now, lookup, user);
    world.drain();
}

#[test]
fn a_request_waits_until_its_sender_is_looked_up() {
    let mut world = asking();
    let mut carol = carol(1);
    let request = asks(&mut world, &mut carol);
    assert_eq!(carol.ask(&mut world, &request), None, "repeated, and asked for once");
    let [(lookup, user)] = &lookups(&world)[..] else { panic!() };
    assert_eq!(*user, Wanted::Name("carol".into()));
    found(&mut world, *lookup, Some(&credentials()));
    world.drain();
    let answer = carol.answer(&mut world, &request).unwrap();
    carol.check(&answer);
    relayed(&answer);
    // Known from now on.
    assert_eq!(carol.refresh(&mut world, None).0, 0);
    assert_eq!(allocates(&mut world, &mut self::carol(2)), 0);
    assert_eq!(lookups(&world).len(), 1);
    // The answer of the host is heard once.
    found(&mut world, *lookup, Some(&credentials()));
    assert!(world.sent.is_empty());
}

#[test]
fn a_hidden_name_is_looked_up_by_its_hash() {
    let mut world = asking();
    let mut carol = carol(1);
    carol.challenge(&mut world);
    let hash = credentials().hash(REALM);
    let request = {
        use floe_stun::attribute::{Algorithm, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm};
        let mut buf = [0; 1024];
        let builder = Builder::new(&mut buf, floe_stun::Class::Request, Method::ALLOCATE, carol.id());
        let builder = udp(builder).attribute(&hash).attribute(&Realm(REALM)).attribute(&Nonce(&carol.nonce));
        let builder = builder
            .attribute(&PasswordAlgorithms::SHA256_AND_MD5)
            .attribute(&PasswordAlgorithm(Algorithm::SHA256));
        builder.integrity_sha256(&carol.key()).finish().unwrap().to_vec()
    };
    assert_eq!(carol.ask(&mut world, &request), None);
    let UserHash(bytes) = hash;
    let [(lookup, user)] = &lookups(&world)[..] else { panic!() };
    assert_eq!(*user, Wanted::Hash(bytes));
    found(&mut world, *lookup, Some(&credentials()));
    assert_eq!(code(&carol.answer(&mut world, &request).unwrap()), 0);
}

#[test]
fn whom_the_host_does_not_know_either_is_refused() {
    let mut world = asking();
    let mut carol = carol(1);
    let request = asks(&mut world, &mut carol);
    let (lookup, _) = lookups(&world).remove(0);
    found(&mut world, lookup, None);
    assert_eq!(code(&carol.answer(&mut world, &request).unwrap()), 401);
    assert!(world.events.contains(&Event::LoginFailed { client: carol.address }));
    assert!(world.server.is_idle());
}

#[test]
fn who_is_found_and_has_another_password_is_refused() {
    let mut world = asking();
    let mut carol = carol(1);
    let request = asks(&mut world, &mut carol);
    let (lookup, _) = lookups(&world).remove(0);
    found(&mut world, lookup, Some(&Credentials::new("carol", Password::new("easter"))));
    assert_eq!(code(&carol.answer(&mut world, &request).unwrap()), 401);
}

/// Who cannot hear a challenge where it says to be costs the host nothing.
#[test]
fn nobody_is_looked_up_without_a_good_nonce() {
    let mut world = asking();
    let mut spoofer = carol(1);
    for nonce in ["", "stale", "obMatJos2wAAAnothing"] {
        spoofer.nonce = nonce.into();
        let request = spoofer.signed(Method::ALLOCATE, udp);
        let _ = world.datagram(V4, spoofer.address, &request);
    }
    world.sent.clear();
    spoofer.challenge(&mut world);
    let request = spoofer.signed(Method::ALLOCATE, udp);
    let elsewhere = world.datagram(V4, addr("203.0.113.99:9"), &request);
    assert_eq!(elsewhere, Received::Consumed);
    // A known user with a wrong password is known.
    let mut alice = Client { password: "guess".into(), ..Client::alice() };
    alice.challenge(&mut world);
    let request = alice.signed(Method::ALLOCATE, udp);
    assert_eq!(code(&alice.ask(&mut world, &request).unwrap()), 401);
    assert_eq!(lookups(&world), []);
}

#[test]
fn requests_that_wait_are_limited_for_all_and_for_one_address() {
    let mut limits = Limits::default();
    (limits.lookups, limits.unauthenticated_per_second) = (3, None);
    let mut world = World::with(config().asking_host().with_limits(limits));
    for n in 0..3 {
        asks(&mut world, &mut carol(n));
    }
    // Whoever is told 401 takes the password for wrong; whoever hears nothing asks again.
    let mut dora = carol(3);
    dora.challenge(&mut world);
    let request = dora.signed(Method::ALLOCATE, udp);
    assert_eq!(world.datagram(V4, dora.address, &request), Received::Dropped(Dropped::LimitReached));
    world.pass(secs(10));
    asks(&mut world, &mut carol(4));

    let mut limits = Limits::default();
    limits.unauthenticated_per_second = Some(5);
    let mut world = World::with(config().asking_host().with_limits(limits));
    let mut carol = carol(1);
    carol.challenge(&mut world);
    for _ in 0..50 {
        let request = carol.signed(Method::ALLOCATE, udp);
        let _ = world.datagram(V4, carol.address, &request);
    }
    assert_eq!(lookups(&world).len(), 4, "and the challenge");
}

#[test]
fn a_host_that_takes_too_long_serves_the_next_request() {
    let mut world = asking();
    let mut carol = carol(1);
    let request = asks(&mut world, &mut carol);
    let (lookup, _) = lookups(&world).remove(0);
    world.now = world.now + secs(10);
    found(&mut world, lookup, Some(&credentials()));
    assert!(world.sent.is_empty(), "its sender has asked again or gone");
    assert_eq!(code(&carol.ask(&mut world, &request).unwrap()), 0);
    assert_eq!(lookups(&world).len(), 1);
}

#[test]
fn a_host_that_has_forgotten_is_asked_anew() {
    let mut world = asking();
    let mut first = carol(1);
    asks(&mut world, &mut first);
    let (lookup, _) = lookups(&world).remove(0);
    found(&mut world, lookup, Some(&credentials()));
    world.sent.clear();
    world.server.forget_user("carol");
    asks(&mut world, &mut carol(2));
    assert_eq!(lookups(&world).len(), 2);
    // What is configured cannot be forgotten.
    world.server.forget_user("alice");
    assert_eq!(allocates(&mut world, &mut Client::alice()), 0);
}

/// Whoever is gone, or asks a server that is closed, begins nothing.
#[test]
fn who_is_found_too_late_begins_nothing() {
    for closes in [false, true] {
        let mut world = asking();
        let mut carol = carol(1);
        world.accept(&mut carol);
        asks(&mut world, &mut carol);
        let (lookup, _) = lookups(&world).remove(0);
        if closes {
            world.server.close(world.now);
        } else {
            assert_eq!(world.input(Input::Closed { socket: carol.socket }), Received::Consumed);
        }
        found(&mut world, lookup, Some(&credentials()));
        assert!(world.sent.is_empty());
        assert!(world.server.is_idle());
    }
}

#[test]
fn guests_without_an_allocation_are_not_kept_for_ever() {
    let mut limits = Limits::default();
    limits.unauthenticated_per_second = None;
    let mut world = World::with(config().asking_host().with_limits(limits));
    let mut kept = carol(1);
    asks(&mut world, &mut kept);
    let (lookup, _) = lookups(&world).remove(0);
    found(&mut world, lookup, Some(&credentials()));
    // Found once more while there is an allocation, and still the same user.
    found(&mut world, lookup, Some(&credentials()));
    world.sent.clear();
    for n in 0..1000 {
        let name = format!("guest {n}");
        found(&mut world, lookup, Some(&Credentials::new(&name, Password::new("pass"))));
    }
    let before = lookups(&world).len();
    assert_eq!(kept.refresh(&mut world, None).0, 0);
    assert_eq!(lookups(&world).len(), before, "whoever has an allocation is known");
    let mut first = Client::new("203.0.113.9:9", "guest 0", "pass", Scheme::Md5);
    asks(&mut world, &mut first);
    assert_eq!(lookups(&world).len(), before + 1, "and who has none is forgotten some time");
}
