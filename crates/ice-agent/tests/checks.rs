//! What a check carries, and what an answer carries.

mod peer;

use floe_ice_agent::{Config, Role};
use floe_stun::attribute::{IceControlled, Priority, TransmitCounter, Username};
use floe_stun::{Builder, Class, Integrity, Key, Message, Method, Received};
use peer::{Question, Reply, SOCKET, Scene, millis, ours, theirs};

/// ICE-7.1.1-1, ICE-7.1.3-1, ICE-7.2.2-1, ICE-7.2.4-1, ICE-6.1.4.2-6, ICE-6.1.4.2-8.
#[test]
fn a_check_names_both_sides_and_claims_a_role_and_the_priority_of_a_reflexive_candidate() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut scene = Scene::introduced(Config::new(role));

        let check = &scene.checks()[0];

        let ufrag = scene.agent.local_credentials().ufrag.clone();
        assert_eq!(check.username, format!("peer:{ufrag}"));
        assert_eq!(check.priority, (110 << 24) + (65535 << 8) + 255);
        assert_eq!(check.role, role);
        assert!(!check.use_candidate, "nothing is nominated before it works");
        assert_eq!((check.sent.socket, check.sent.to), (SOCKET, theirs(0)));
    }
}

/// ICE-16.1-2: one tie-breaker for everything.
#[test]
fn all_checks_of_a_session_carry_one_tie_breaker() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.hint(theirs(1));
    scene.run(millis(2000));

    let checks = scene.checks();

    assert!(checks.iter().any(|check| check.sent.to == theirs(1)));
    assert!(checks.iter().all(|check| check.tie_breaker == checks[0].tie_breaker));
}

/// ICE-7.2.2-2, ICE-7.3-2, ICE-7.3-3, ICE-7.3-5.
#[test]
fn an_answer_tells_the_address_and_has_no_user_name() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let question = scene.question();

    assert_eq!(scene.ask(theirs(0), &question), Received::Consumed);

    let answer = &scene.answers()[0];
    assert_eq!((answer.id, answer.code, answer.mapped), (question.id, None, Some(theirs(0))));
    assert_eq!((answer.sent.socket, answer.sent.to), (SOCKET, theirs(0)));
    assert!(!answer.has_username);
}

/// STUN-9.1.3-4, RTT-3.3-1: by the better of two seals where both stand, and by that one alone.
#[test]
fn an_answer_is_signed_as_its_check_was_and_repeats_the_counter() {
    for (sha1, sha256) in [(true, false), (false, true), (true, true)] {
        let mut scene = Scene::introduced(Config::new(Role::Controlling));
        let question = scene.question();
        let key = Key::short_term(question.pwd.as_deref().unwrap());
        let counter = TransmitCounter { request: 3, response: 9 };
        let mut buf = [0; 256];
        let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, question.id)
            .attribute(&Username(question.username.as_deref().unwrap()))
            .attribute(&Priority(question.priority.unwrap()))
            .attribute(&IceControlled(1))
            .attribute(&counter);
        let check = match (sha1, sha256) {
            (true, true) => builder.integrity(&key).integrity_sha256(&key).fingerprint().finish(),
            (false, _) => builder.integrity_sha256(&key).fingerprint().finish(),
            (true, false) => builder.integrity(&key).fingerprint().finish(),
        };
        assert_eq!(scene.deliver(theirs(0), check.unwrap()), Received::Consumed);

        let answer = &scene.answers()[0].sent.bytes;

        let message = Message::decode(answer).unwrap();
        let (by, seal) = if sha256 { (Integrity::Sha256, 36) } else { (Integrity::Sha1, 24) };
        assert_eq!(message.verify(&key).unwrap().by(), by);
        assert_eq!(message.find(), Some(TransmitCounter { request: 3, response: 0 }), "we do not count");
        assert_eq!(answer.len(), 20 + 12 + 8 + seal + 8, "one seal");
    }
}

/// ICE-7.3-3: only the part before the colon decides, and there has to be a colon.
#[test]
fn the_second_half_of_a_user_name_does_not_matter_but_must_be_there() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let ours = scene.agent.local_credentials().ufrag.clone();

    let fork = Question { username: Some(format!("{ours}:somebody")), ..scene.question() };
    assert_eq!(scene.ask(theirs(3), &fork), Received::Consumed);

    let half = Question { username: Some(ours), ..scene.question() };
    assert_eq!(scene.ask(theirs(3), &half), Received::Dropped(floe_stun::Dropped::UnknownUsername));
}

/// ICE-7.1.2-1.
#[test]
fn a_controlled_agent_never_sends_use_candidate() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    scene.hint(theirs(1));
    scene.check_from(theirs(1), true);
    scene.run_answering(millis(60_000), |_| Reply::Success);

    assert!(scene.checks().iter().all(|check| !check.use_candidate));
}

/// ICE-8.1.1-1: USE-CANDIDATE goes in one more check of a pair that works.
#[test]
fn a_controlling_agent_repeats_the_check_with_use_candidate() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.run_answering(millis(1000), |_| Reply::Success);

    let flags: Vec<_> = scene.checks().iter().map(|check| check.use_candidate).collect();

    assert_eq!(flags, [false, true]);
    assert_eq!(scene.selected().unwrap().local.address, ours(0));
}
