//! What an answer proves: the address that the peer saw, and that the way is the same in both directions.

mod peer;

use floe_ice_agent::{CandidateKind, Config, ConnectionState, PairFailure, PairState, Received, Role};
use peer::{Reply, SECOND, SOCKET, Scene, addr, millis, ours, theirs};

/// ICE-7.2.5.3.1-1, ICE-7.2.5.3.1-2.
#[test]
fn an_unknown_mapped_address_is_a_reflexive_candidate_with_the_priority_that_was_sent() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let mapped = addr("203.0.113.7:40000");
    let priority = scene.checks()[0].priority;
    scene.run_answering(SECOND, |_| Reply::Mapped(mapped));

    let local = scene.selected().unwrap().local;
    assert_eq!((local.kind, local.address, local.priority), (CandidateKind::PeerReflexive, mapped, priority));
    assert_eq!(local.related, Some(ours(0)));
    scene.hint(theirs(1));
    assert_eq!(scene.pairs(theirs(1)).len(), 1, "it is not paired with others");
}

/// It is ours to know and not to signal (RFC 8838 §9: the peer saw it first).
#[test]
fn a_reflexive_candidate_that_the_peer_saw_is_not_signalled() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let before = scene.events.len();
    scene.run_answering(SECOND, |_| Reply::Mapped(addr("203.0.113.7:40000")));
    let told = |event: &floe_ice_agent::Event| matches!(event, floe_ice_agent::Event::Candidate(_));
    assert!(!scene.events[before..].iter().any(|(_, event)| told(event)));
}

/// ICE-7.2.5.2.1-1.
#[test]
fn an_answer_from_another_address_proves_nothing_and_spoils_nothing() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let check = scene.checks().remove(0);

    scene.reply_from(&check, Reply::Success, theirs(1), SOCKET);

    assert_ne!(scene.pair(theirs(0)).state, PairState::Succeeded);
    assert!(scene.pairs(theirs(1)).is_empty());
    assert_eq!(scene.reply(&check, Reply::Success), Received::Consumed, "the true answer still counts");
    assert_eq!(scene.pair(theirs(0)).state, PairState::Succeeded);
}

/// ICE-7.2.5.2.1-1.
#[test]
fn a_path_that_answers_from_elsewhere_fails_in_the_end_and_says_why() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let check = scene.checks().remove(0);
    scene.reply_from(&check, Reply::Success, theirs(1), SOCKET);

    scene.run(SECOND * 80);

    let failures: Vec<_> = scene.pairs(theirs(0)).iter().filter_map(|pair| pair.failure).collect();
    assert!(!failures.is_empty(), "{failures:?}");
}

/// ICE-7.2.5.2.1-1.
#[test]
fn an_answer_to_another_socket_proves_nothing() {
    let mut scene = Scene::with_sockets(Config::new(Role::Controlling), 2);
    scene.meet();
    scene.hint(theirs(0));
    let check = scene.checks().remove(0);
    let other = scene.sockets.iter().map(|(id, _)| *id).find(|id| *id != check.sent.socket).unwrap();

    scene.reply_from(&check, Reply::Success, theirs(0), other);

    let states: Vec<_> = scene.pairs(theirs(0)).iter().map(|pair| pair.state).collect();
    assert!(!states.contains(&PairState::Succeeded), "{states:?}");
}

/// ICE-7.2.5.2.4-1: a refusal is final, whatever else is under way.
#[test]
fn a_refusal_fails_the_pair_however_long_the_way() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.run(millis(450));
    let checks = scene.checks();
    assert!(checks.len() > 1, "several are under way");

    scene.reply(&checks[0], Reply::Error(400));

    assert_eq!(scene.pair(theirs(0)).failure, Some(PairFailure::Refused(400)));
}

/// ICE-7.2.5.2-1: one failure condemns nothing else.
#[test]
fn a_failed_check_changes_no_other_pair_of_its_foundation() {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    scene.meet();
    scene.tell("1 1 UDP 2130706431 198.51.100.1 6000 typ host");
    scene.tell("1 1 UDP 2130706430 198.51.100.2 6000 typ host");
    assert_eq!(scene.pair_state(theirs(1)), PairState::Frozen);

    let check = scene.checks().remove(0);
    scene.reply(&check, Reply::Error(400));
    scene.run_answering(SECOND, |_| Reply::Success);

    assert_eq!(scene.pair_state(theirs(1)), PairState::Succeeded);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// ICE-7.3.1.4-4: a pair that failed gets another chance when the peer reaches us over it.
#[test]
fn a_check_of_the_peer_revives_a_failed_pair() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let check = scene.checks().remove(0);
    scene.reply(&check, Reply::Error(400));
    assert_eq!(scene.pair_state(theirs(0)), PairState::Failed);

    scene.check_from(theirs(0), false);
    scene.run_answering(SECOND, |_| Reply::Success);

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// ICE-7.3.1.4-3: the check under way is not repeated, a new one goes out, and the answer to either counts.
#[test]
fn a_check_under_way_is_replaced_and_its_answer_still_counts() {
    let mut config = Config::new(Role::Controlling);
    config.profile = floe_ice_agent::Profile::Rfc8445;
    let mut scene = Scene::introduced(config);
    let first = scene.checks().remove(0);

    scene.check_from(theirs(0), false);
    scene.run(millis(60));
    let second = scene.checks().remove(0);
    assert_ne!(first.id, second.id);
    scene.run(SECOND * 3);
    assert!(scene.checks().iter().all(|check| check.id == second.id), "the first is not repeated");

    scene.reply(&first, Reply::Success);
    assert_eq!(scene.pair_state(theirs(0)), PairState::Succeeded);
}

/// A consent answer that tells of ever new addresses costs nothing (reliability: nothing grows).
#[test]
fn a_peer_that_sees_us_elsewhere_each_time_does_not_fill_our_memory() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let mut port = 10_000;
    scene.run_answering(SECOND * 3600, |_| {
        port += 1;
        Reply::Mapped(format!("203.0.113.7:{port}").parse().unwrap())
    });
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    let candidates = scene.agent.stats().local_candidates.len();
    assert!(candidates <= 3, "{candidates}");
}

/// The same where the peer lets the pair fail each time.
#[test]
fn nor_does_one_that_fails_the_pair_again_and_again() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    for port in 10_000..10_200 {
        scene.check_from(theirs(0), false);
        let mapped = addr(&format!("203.0.113.7:{port}"));
        scene.run_answering(millis(200), |_| Reply::Mapped(mapped));
        scene.checks();
        scene.run(SECOND * 6);
        let check = scene.checks().remove(0);
        scene.reply(&check, Reply::Error(403));
        assert_eq!(scene.pair_state(theirs(0)), PairState::Failed);
    }
    assert_eq!(scene.agent.stats().local_candidates.len(), 64);
}
