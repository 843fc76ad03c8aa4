//! Agents that only answer: as a peer, and as ourselves.
#![allow(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod peer;

use floe_ice_agent::{Config, ConnectionState, Role};
use floe_stun::{Class, Message, Received};
use peer::{Question, Reply, SECOND, Scene, theirs};

/// ICE-6.1.1-2, and what peers that answer only to USE-CANDIDATE need: every consent check says it again.
#[test]
fn a_lite_peer_is_nominated_again_by_every_consent_check() {
    let mut scene = Scene::new(Config::new(Role::Controlled));
    scene.meet_as(true);
    scene.hint(theirs(0));
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    scene.checks();

    scene.run_answering(
        SECOND * 60,
        |check| if check.use_candidate { Reply::Success } else { Reply::Nothing },
    );

    let checks = scene.checks();
    assert!(checks.len() >= 10 && checks.iter().all(|check| check.use_candidate));
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

fn lite() -> Scene {
    let mut scene = Scene::new(Config::new(Role::Controlling).with_lite(true));
    scene.meet();
    scene.hint(theirs(0));
    scene
}

fn requests(scene: &mut Scene) -> usize {
    let packets = scene.packets();
    packets.iter().filter(|sent| Message::decode(&sent.bytes).unwrap().class() == Class::Request).count()
}

/// ICE-7-1, ICE-7.3.2-1, ICE-8.2-1, ICE-6.2-1; RFC 7675 §1: a lite agent does not even ask for consent.
#[test]
fn a_lite_agent_never_checks_and_follows_the_nomination() {
    let mut scene = lite();
    assert_eq!(scene.agent.role(), Role::Controlled);
    scene.check_from(theirs(0), false);
    assert_eq!(scene.agent.state(), ConnectionState::Connected);
    scene.check_from(theirs(0), true);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    assert_eq!(scene.answers().len(), 2);

    for _ in 0..60 {
        scene.run(SECOND * 5);
        scene.check_from(theirs(0), false);
    }

    assert_eq!(requests(&mut scene), 0);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// CON-5.1-3 for the side that only listens.
#[test]
fn a_lite_agent_that_is_not_asked_any_more_may_not_send() {
    let mut scene = lite();
    scene.check_from(theirs(0), true);
    scene.run(SECOND * 31);
    assert_eq!(scene.agent.state(), ConnectionState::Failed);
    assert!(scene.agent.send_plan(scene.now, floe_ice_agent::ComponentId::FIRST, 1).is_err());
    assert_eq!(requests(&mut scene), 0);
}

/// ICE-6.1.1-2: it never takes control.
#[test]
fn a_lite_agent_in_a_conflict_keeps_its_role() {
    for tie_breaker in [0, u64::MAX] {
        let mut scene = lite();
        let question = Question { controlled: Some(tie_breaker), controlling: None, ..scene.question() };
        assert_eq!(scene.ask(theirs(0), &question), Received::Consumed);
        assert_eq!(scene.answers()[0].code, Some(487));
        assert_eq!(scene.agent.role(), Role::Controlled);
    }
}

/// ICE-8.1.1-3, ICE-7.3.2-1: a peer may change its mind for the better.
#[test]
fn a_lite_agent_uses_the_best_of_the_nominated_pairs() {
    let mut scene = lite();
    scene.tell("9 1 UDP 2130706430 198.51.100.9 6000 typ host");
    for (n, expected) in [(8, 8), (0, 0), (8, 0)] {
        scene.check_from(theirs(n), true);
        assert_eq!(scene.selected().unwrap().remote.address, theirs(expected));
    }
}
