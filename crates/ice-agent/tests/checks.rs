//! What a check carries, and what an answer carries.

mod peer;

use floe_ice_agent::{Config, Role};
use floe_stun::Received;
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
