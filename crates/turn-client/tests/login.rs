//! The login: challenge and answer, stale nonces, algorithms, forgeries (RFC 8489 §9.2, RFC 8656 §6).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

mod support;

use floe_stun::attribute::{
    Algorithm, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash, Username,
};
use floe_stun::{Builder, Class, Dropped, Integrity, Key, Method, Password, Received, userhash};
use floe_turn_client::{AllocateFailure, BadAnswer, Credentials, Event, LostReason, Refusal};

use support::{
    ALGORITHMS, ANONYMOUS, Fault, PASSWORD, PLAIN, REALM, Server, Strange, USER, World, at, config, finish,
    ip, refuse, secs, signature,
};

/// Offered as MD5 first, then SHA-256.
const MD5_AND_SHA256: &[u8] = &[0, 1, 0, 0, 0, 2, 0, 0];
const MD5: &[u8] = &[0, 1, 0, 0];
const NEITHER: &[u8] = &[0, 9, 0, 0];

fn md5_key() -> Key {
    Key::long_term_md5(USER, REALM, &Password::new(PASSWORD))
}

fn sha256_key() -> Key {
    Key::long_term_sha256(USER, REALM, &Password::new(PASSWORD))
}

fn is_allocated(world: &mut World) -> bool {
    world.events().iter().any(|event| matches!(event, Event::Allocated { .. }))
}

#[test]
fn the_first_request_says_nothing_of_us_and_the_second_answers_the_challenge() {
    let mut world = World::new();
    world.run(secs(1.0));

    // STUN-9.2.3.1-1
    let first = world.server.asked[0].message();
    assert!(!first.has_integrity());
    assert_eq!(first.find::<Username<'_>>(), None);
    assert_eq!(first.find::<Realm<'_>>(), None);

    // STUN-9.2.5-2, STUN-9.2.2-1, TURN-5-1
    let second = &world.server.asked[1];
    assert_ne!(second.id, world.server.asked[0].id, "a new transaction");
    assert_eq!(second.message().find(), Some(Username(USER)));
    assert_eq!(second.message().find(), Some(Realm(REALM)));
    assert_eq!(second.message().find(), Some(Nonce(&world.server.nonce())));
    assert_eq!(signature(second, &md5_key()), Some(Integrity::Sha1));
    assert_eq!(second.message().find::<PasswordAlgorithms<'_>>(), None);
}

#[test]
fn later_requests_carry_the_login_from_the_start() {
    let mut world = World::allocated();
    world.bind("203.0.113.7:9");
    world.run(secs(600.0));

    // STUN-9.2.3.2-1, STUN-9.2.3.2-2, TURN-5-3
    for asked in &world.server.asked[2..] {
        assert_eq!(signature(asked, &md5_key()), Some(Integrity::Sha1), "{}", asked.method);
        assert_eq!(asked.message().find(), Some(Username(USER)));
    }
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 3);
    assert_eq!(world.server.of(Method::CHANNEL_BIND).len(), 2);
    assert_eq!(world.server.of(Method::REFRESH).len(), 1);
}

#[test]
fn requests_are_signed_as_the_first_answer_was() {
    let mut server = Server::new();
    server.strong = true;
    let mut world = World::with(config(), server);
    world.run(secs(1.0));
    world.permit("203.0.113.7");
    world.run(secs(1.0));
    // STUN-9.2.3.2-2
    let signed: Vec<_> = world.server.asked[1..].iter().map(|asked| signature(asked, &md5_key())).collect();
    assert_eq!(signed, [Some(Integrity::Sha1), Some(Integrity::Sha256)]);
    assert!(world.client.is_permitted(ip("203.0.113.7")));
}

#[test]
fn a_second_401_means_wrong_credentials_and_no_third_try() {
    let mut server = Server::new();
    server.password = "another";
    let mut world = World::with(config(), server);
    world.run(secs(3600.0));

    // STUN-9.2.5-4, TURN-7.4-4
    assert_eq!(world.server.asked.len(), 2);
    let why = Refusal::new(401, "Unauthenticated");
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::WrongCredentials(why))]);
}

#[test]
fn a_401_of_another_realm_is_answered_but_not_for_ever() {
    let mut world = World::new();
    world.server.fault(Method::ALLOCATE, Fault::Challenge("elsewhere.example", PLAIN), 1);
    world.run(secs(1.0));
    assert_eq!(world.server.asked[2].message().find(), Some(Realm("elsewhere.example")));
    assert!(is_allocated(&mut world));

    let mut world = World::new();
    for realm in ["a", "b", "a", "b", "a", "b"] {
        world.server.fault(Method::ALLOCATE, Fault::Challenge(realm, PLAIN), 1);
    }
    world.run(secs(60.0));
    assert_eq!(world.server.asked.len(), 5, "one without a login, four with");
    assert!(matches!(world.events()[..], [Event::Failed(AllocateFailure::WrongCredentials(_))]));
}

#[test]
fn a_stale_nonce_is_renewed_in_every_method() {
    // STUN-9.2.5-5, TURN-7.4-7, TURN-8.3-1
    let mut world = World::new();
    for method in [Method::ALLOCATE, Method::CREATE_PERMISSION, Method::CHANNEL_BIND, Method::REFRESH] {
        world.server.fault(method, Fault::Stale, 1);
    }
    world.bind("203.0.113.7:9");
    // The fault of Allocate meets the signed request: the 401 to the first is on its way.
    world.run(secs(1.0));
    let events = world.events();
    assert!(matches!(
        events[..],
        [Event::Allocated { .. }, Event::Permitted { .. }, Event::ChannelBound { .. }]
    ));
    world.run(secs(599.0));
    world.server.fault(Method::REFRESH, Fault::Stale, 1);
    world.release();
    world.run(secs(1.0));

    assert_eq!(world.events(), [Event::Released]);
    assert!(!world.server.allocated);
    let binds = world.server.of(Method::CHANNEL_BIND);
    assert_ne!(binds[0].id, binds[1].id);
    let number = |i: usize| binds[i].message().find::<floe_stun::attribute::ChannelNumberAttribute>();
    assert_eq!(number(0), number(1), "the same number for the same peer");
}

#[test]
fn a_new_nonce_is_shared_with_requests_that_come_later() {
    let mut world = World::allocated();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Stale, 1);
    world.permit("203.0.113.7");
    world.run(secs(1.0));
    let asked = world.server.asked.len();

    world.permit("203.0.113.8");
    world.run(secs(1.0));

    assert_eq!(world.server.asked.len(), asked + 1, "no second 438");
    let last = world.server.asked.last().unwrap().message();
    assert_eq!(last.find(), Some(Nonce(&world.server.nonce())));
}

#[test]
fn four_stale_nonces_in_a_row_are_too_many() {
    let mut world = World::new();
    world.server.fault(Method::ALLOCATE, Fault::Stale, 3);
    world.run(secs(1.0));
    assert!(is_allocated(&mut world));

    let mut world = World::new();
    world.server.fault(Method::ALLOCATE, Fault::Stale, 99);
    world.run(secs(60.0));
    assert_eq!(world.server.asked.len(), 5, "one without a login, four with");
    let why = Refusal::new(438, "Stale Nonce");
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::Refused(why.clone()))]);

    let mut world = World::allocated();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Stale, 99);
    world.permit("203.0.113.7");
    world.run(secs(60.0));
    assert_eq!(world.server.of(Method::CREATE_PERMISSION).len(), 4);
    assert_eq!(world.events(), [Event::NotPermitted { peer: ip("203.0.113.7"), why }]);
}

#[test]
fn sha256_is_taken_wherever_it_stands_in_the_list() {
    let mut world = World::with(config(), Server::offering(ALGORITHMS, MD5_AND_SHA256));
    world.permit("203.0.113.7");
    world.run(secs(1.0));

    // TURN-6-1, STUN-9.2.5-3, STUN-9.2.5-9, STUN-9.2.2-2
    assert!(world.client.relayed().is_some());
    for asked in &world.server.asked[1..] {
        let request = asked.message();
        assert_eq!(request.find(), Some(PasswordAlgorithm(Algorithm::SHA256)));
        assert_eq!(request.find(), Some(PasswordAlgorithms::from_bytes(MD5_AND_SHA256)), "as it came");
        assert_eq!(signature(asked, &sha256_key()), Some(Integrity::Sha256));
        assert!(!asked.bytes.windows(4).any(|four| four == [0, 8, 0, 20]), "MESSAGE-INTEGRITY-SHA256 only");
    }
}

#[test]
fn md5_is_taken_where_nothing_better_is_offered() {
    let mut world = World::with(config(), Server::offering(ALGORITHMS, MD5));
    world.run(secs(1.0));

    assert!(world.client.relayed().is_some());
    let asked = &world.server.asked[1];
    assert_eq!(asked.message().find(), Some(PasswordAlgorithm(Algorithm::MD5)));
    assert_eq!(signature(asked, &md5_key()), Some(Integrity::Sha256), "STUN-9.2.5-9");
}

#[test]
fn an_offer_of_nothing_we_know_is_not_answered() {
    let mut world = World::with(config(), Server::offering(ALGORITHMS, NEITHER));
    world.run(secs(60.0));

    // STUN-9.2.5-3
    assert_eq!(world.server.asked.len(), 1);
    let why = AllocateFailure::BadAnswer(BadAnswer::NoKnownAlgorithm);
    assert_eq!(world.events(), [Event::Failed(why)]);
}

#[test]
fn the_user_name_is_hidden_from_a_server_that_wants_it_so() {
    let mut world = World::with(config(), Server::offering(ANONYMOUS, MD5_AND_SHA256));
    world.run(secs(1.0));

    // STUN-9.2.5-2
    assert!(world.client.relayed().is_some());
    let request = world.server.asked[1].message();
    assert_eq!(request.find::<UserHash>(), Some(userhash(USER, REALM)));
    assert_eq!(request.find::<Username<'_>>(), None);
    assert!(!request.as_bytes().windows(USER.len()).any(|bytes| bytes == USER.as_bytes()));
}

#[test]
fn a_list_that_was_taken_away_is_noticed() {
    // STUN-9.2.5-1: the nonce promises a list.
    let mut server = Server::new();
    server.cookie = ALGORITHMS;
    let mut world = World::with(config(), server);
    world.run(secs(60.0));
    assert_eq!(world.server.asked.len(), 1, "no login was shown");
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::BidDown)]);

    // There was one before, and the nonce was bent as well.
    let mut world = World::with(config(), Server::offering(ALGORITHMS, MD5_AND_SHA256));
    world.run(secs(1.0));
    let _ = world.events();
    world.server.algorithms = None;
    world.server.cookie = PLAIN;
    world.permit("203.0.113.7");
    world.run(secs(60.0));
    assert_eq!(world.events(), [Event::Lost(LostReason::BidDown)]);
}

#[test]
fn a_success_that_nobody_signed_is_as_if_never_received() {
    // STUN-9.2.5-8, STUN-9.1.4-2
    for fault in [Fault::Unsigned, Fault::ForeignKey] {
        let mut world = World::new();
        world.server.fault(Method::ALLOCATE, fault.clone(), 2);
        world.run(secs(0.3));
        assert_eq!(world.events(), [], "{fault:?}");
        assert_eq!(world.client.relayed(), None);
        assert_eq!(world.client.drops().of(Dropped::BadIntegrity), 1);

        world.run(secs(2.0));
        assert!(is_allocated(&mut world), "the retransmission was answered well");
        assert_eq!(world.client.drops().of(Dropped::BadIntegrity), 2);
    }
}

#[test]
fn the_same_holds_for_every_other_request() {
    for fault in [Fault::Unsigned, Fault::ForeignKey] {
        let mut world = World::allocated();
        world.server.fault(Method::CREATE_PERMISSION, fault.clone(), 1);
        world.server.fault(Method::CHANNEL_BIND, fault, 1);
        world.bind("203.0.113.7:9");
        world.run(secs(0.4));
        assert_eq!(world.events(), []);
        assert!(!world.client.is_permitted(ip("203.0.113.7")));
        world.run(secs(1.0));
        assert_eq!(world.events().len(), 2);
    }
}

#[test]
fn if_only_forgeries_came_that_is_what_is_told() {
    let mut world = World::new();
    world.server.fault(Method::ALLOCATE, Fault::ForeignKey, 99);
    world.run(secs(60.0));
    // STUN-9.1.4-2
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::IntegrityViolated)]);

    let mut world = World::allocated();
    world.server.fault(Method::REFRESH, Fault::Unsigned, 99);
    world.run(secs(600.0));
    assert_eq!(world.events(), [Event::Lost(LostReason::IntegrityViolated)]);
}

#[test]
fn a_success_before_the_login_is_not_believed() {
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::Unsigned, 1);
    let mut world = World::with(config(), server);
    world.run(secs(0.3));
    assert_eq!(world.events(), []);
    world.run(secs(1.0));
    assert!(is_allocated(&mut world));
}

#[test]
fn an_error_that_nobody_signed_ends_nothing() {
    for code in [400, 403, 437, 441, 486, 500] {
        let mut world = World::allocated();
        world.server.fault(Method::CREATE_PERMISSION, Fault::RefuseUnsigned(code), 1);
        world.permit("203.0.113.7");
        world.run(secs(1.0));
        // STUN-9.2.5-7, STUN-9.2.5-8
        assert_eq!(world.events(), [Event::Permitted { peer: ip("203.0.113.7") }], "{code}");
        assert_eq!(world.client.drops().of(Dropped::BadIntegrity), 1);
    }
}

#[test]
fn an_unsigned_400_is_not_believed_even_before_the_login() {
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::RefuseUnsigned(400), 99);
    let mut world = World::with(config(), server);
    world.run(secs(60.0));
    // STUN-9.2.5-7: "resulting in a timeout"
    assert_eq!(world.server.asked.len(), 7);
    assert_eq!(world.events(), [Event::Failed(AllocateFailure::TimedOut)]);
}

#[test]
fn an_answer_signed_with_less_than_the_request_is_not_believed() {
    let mut world = World::with(config(), Server::offering(ALGORITHMS, MD5_AND_SHA256));
    world.run(secs(1.0));
    let _ = world.events();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 1);
    world.permit("203.0.113.7");

    let asked = world.server.asked.last().unwrap().clone();
    let weak = finish(&asked.message(), Class::Success, Some((&sha256_key(), false)), |b| b);
    assert_eq!(world.hear(&weak), Received::Dropped(Dropped::BadIntegrity)); // STUN-9.1.4-1
    let good = finish(&asked.message(), Class::Success, Some((&sha256_key(), true)), |b| b);
    assert_eq!(world.hear(&good), Received::Consumed);
    assert_eq!(world.events(), [Event::Permitted { peer: ip("203.0.113.7") }]);
}

#[test]
fn an_answer_must_be_to_the_method_and_its_fingerprint_right() {
    let mut world = World::allocated();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 1);
    world.permit("203.0.113.7");
    let asked = world.server.asked.last().unwrap().clone();

    let mut buf = [0; 256];
    let other = Builder::new(&mut buf, Class::Success, Method::CHANNEL_BIND, asked.id);
    let other = other.integrity(&md5_key()).finish().unwrap();
    assert_eq!(world.hear(other), Received::Dropped(Dropped::UnexpectedMethod));

    let mut buf = [0; 256];
    let answer = Builder::new(&mut buf, Class::Success, Method::CREATE_PERMISSION, asked.id);
    let mut answer = answer.integrity(&md5_key()).fingerprint().finish().unwrap().to_vec();
    let last = answer.len() - 1;
    answer[last] ^= 1;
    assert_eq!(world.hear(&answer), Received::Dropped(Dropped::BadFingerprint)); // STUN-6.3-3
    answer[last] ^= 1;
    assert_eq!(world.hear(&answer), Received::Consumed);
}

#[test]
fn who_signed_an_answer_is_asked_before_what_in_it_is_unknown() {
    let mut world = World::allocated();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 1);
    world.permit("203.0.113.7");
    let asked = world.server.asked.last().unwrap().clone();
    for class in [Class::Success, Class::Error] {
        let answer = finish(&asked.message(), class, None, |b| b.attribute(&Strange));
        // STUN-6.3-4
        assert_eq!(world.hear(&answer), Received::Dropped(Dropped::BadIntegrity));
    }
    world.run(secs(1.0));
    assert_eq!(world.events(), [Event::Permitted { peer: ip("203.0.113.7") }]);
}

#[test]
fn an_answer_whose_nonce_promises_a_list_that_is_not_there_is_ignored() {
    let mut world = World::allocated();
    world.server.fault(Method::CREATE_PERMISSION, Fault::Deaf, 1);
    world.permit("203.0.113.7");
    let asked = world.server.asked.last().unwrap().clone();
    let nonce = format!("{ALGORITHMS}x");
    let answer =
        finish(&asked.message(), Class::Success, Some((&md5_key(), false)), |b| b.attribute(&Nonce(&nonce)));
    // STUN-9.2.5-6
    assert_eq!(world.hear(&answer), Received::Dropped(Dropped::MissingAttribute));
    assert_eq!(world.events(), []);
}

#[test]
fn a_challenge_without_its_parts_is_a_bad_answer() {
    let mut server = Server::new();
    server.fault(Method::ALLOCATE, Fault::RefuseUnsigned(401), 1);
    let mut world = World::with(config(), server);
    world.run(secs(60.0));
    let lacks = AllocateFailure::BadAnswer(BadAnswer::Lacks("REALM"));
    assert_eq!(world.events(), [Event::Failed(lacks)]);
    assert_eq!(world.server.asked.len(), 1);
}

#[test]
fn a_challenge_that_fits_no_request_is_told() {
    let mut server = Server::new();
    server.realm = Box::leak("r".repeat(763).into_boxed_str());
    server.cookie = Box::leak("n".repeat(755).into_boxed_str());
    let mut config = config();
    config.identity = Credentials::new("u".repeat(508), Password::new(PASSWORD)).into();
    let mut world = World::with(config, server);
    world.run(secs(60.0));
    assert!(matches!(world.events()[..], [Event::Failed(AllocateFailure::Unsendable(_))]));
    assert_eq!(world.server.asked.len(), 1);
}

#[test]
fn quotes_and_nulls_around_a_realm_do_not_count_in_the_key() {
    let mut server = Server::new();
    server.realm = "\"example.org\"\0";
    let mut world = World::with(config(), server);
    world.run(secs(1.0));
    // STUN-9.2.2-1
    assert_eq!(world.server.asked[1].message().find(), Some(Realm("\"example.org\"\0")), "as it came");
    assert_eq!(signature(&world.server.asked[1], &md5_key()), Some(Integrity::Sha1));
}

#[test]
fn an_answer_to_nothing_is_for_somebody_else() {
    let mut world = World::allocated();
    let mut old = world.server.asked[1].clone();
    let answer = refuse(&old.message(), 437, Some((&md5_key(), false)));
    assert_eq!(world.hear(&answer), Received::NotMine, "the request was answered long ago");
    old.bytes[8] ^= 1;
    let answer = refuse(&old.message(), 437, Some((&md5_key(), false)));
    assert_eq!(world.hear(&answer), Received::NotMine);
    assert_eq!(world.client.drops().total(), 0);
    assert_eq!(world.client.relayed(), Some(at("192.0.2.1:50000")));
}
