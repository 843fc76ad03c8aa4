//! When to give up, which is late and with a reason (RFC 8863, RFC 8838 §8).

mod peer;

use floe_ice_agent::{Config, ConnectionState, Event, IgnoredReason, PairFailure, Role, StateReason, Taken};
use peer::{Reply, SECOND, Scene, millis, theirs};

fn why_failed(scene: &Scene) -> Option<StateReason> {
    scene.events.iter().find_map(|(_, event)| match event {
        Event::State { state: ConnectionState::Failed, why } => Some(*why),
        _ => None,
    })
}

/// PAC-4-1, PAC-4-2, PAC-4-3, PAC-4-4.
#[test]
fn nothing_fails_before_39_5_seconds_although_every_pair_has() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let start = scene.now;
    scene.end();
    scene.run_answering(SECOND * 60, |_| Reply::Error(400));
    assert_eq!(scene.since(ConnectionState::Failed).unwrap() - start, millis(39_500));
    assert_eq!(why_failed(&scene), Some(StateReason::AllFailed(PairFailure::Refused(400))));
}

/// PAC-4-1: even with no candidates at all. TRK-14-2.
#[test]
fn without_any_candidate_it_fails_for_want_of_pairs() {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    scene.run(SECOND * 100);
    assert_eq!(scene.agent.state(), ConnectionState::New, "who is the peer?");
    scene.meet();
    let start = scene.now;
    scene.end();
    scene.run(SECOND * 60);
    assert_eq!(scene.since(ConnectionState::Failed).unwrap() - start, millis(39_500));
    assert_eq!(why_failed(&scene), Some(StateReason::NoPairs));
}

/// PAC-5-1: a peer whose candidates are of no use may still reach us.
#[test]
fn a_first_check_after_half_a_minute_connects() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.end();
    scene.run_answering(SECOND * 39, |_| Reply::Error(400));
    scene.check_from(theirs(3), false);
    scene.run_answering(
        SECOND,
        |check| if check.sent.to == theirs(3) { Reply::Success } else { Reply::Nothing },
    );
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    assert!(why_failed(&scene).is_none());
}

/// TRK-8-1: a candidate that came late gets all its time.
#[test]
fn a_pair_under_way_keeps_the_hope_up() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let start = scene.now;
    scene.run(SECOND * 30);
    scene.hint(theirs(1));
    scene.end();
    scene.run(SECOND * 60);
    let failed = scene.since(ConnectionState::Failed).unwrap() - start;
    assert_eq!(failed, millis(69_500));
    assert_eq!(why_failed(&scene), Some(StateReason::AllFailed(PairFailure::TimedOut)));
}

/// Late is never an error.
#[test]
fn a_candidate_after_the_failure_brings_the_checks_back() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.run(SECOND * 60);
    assert_eq!(scene.agent.state(), ConnectionState::Failed);
    scene.checks();

    scene.hint(theirs(1));
    assert_eq!(scene.agent.state(), ConnectionState::Checking);
    scene.run_answering(
        SECOND,
        |check| if check.sent.to == theirs(1) { Reply::Success } else { Reply::Nothing },
    );

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// ICE-7.3.1.4-4: nor is a late check.
#[test]
fn a_check_of_the_peer_after_the_failure_brings_the_checks_back() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    scene.run(SECOND * 60);
    assert_eq!(scene.agent.state(), ConnectionState::Failed);
    scene.checks();

    scene.check_from(theirs(0), true);
    scene.run_answering(SECOND, |_| Reply::Success);

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// TRK-14-1.
#[test]
fn what_comes_after_the_end_of_candidates_is_ignored() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.end();
    assert_eq!(scene.hint(theirs(1)), Taken::Ignored(IgnoredReason::AfterEnd));
    assert!(scene.pairs(theirs(1)).is_empty());
}

/// TRK-13-5.
#[test]
fn ice_concludes_without_an_end_of_candidates() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}
