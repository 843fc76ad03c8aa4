//! The right to send, renewed every few seconds (RFC 7675), and what it means to be heard.

mod peer;

use floe_ice_agent::{
    ComponentId, Config, ConnectionState, Event, PairFailure, PairState, Role, SendError, StateReason,
};
use floe_stun::{Dropped, Received};
use peer::{Check, Reply, SECOND, Scene, millis, theirs};

fn sends(scene: &mut Scene) -> Result<(), SendError> {
    scene.agent.send_plan(scene.now, ComponentId::FIRST, 100).map(|_| ())
}

fn last_reason(scene: &Scene) -> Option<StateReason> {
    scene.events.iter().rev().find_map(|(_, event)| match event {
        Event::State { why, .. } => Some(*why),
        _ => None,
    })
}

/// CON-5.1-4, CON-5.1-5, CON-4-1: and nothing else is sent.
#[test]
fn an_idle_pair_is_asked_every_four_to_six_seconds_by_a_new_check_each() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.run_answering(SECOND * 600, |_| Reply::Success);

    let packets = scene.packets();
    assert_eq!(packets.len() as u64, scene.pair(theirs(0)).counters.consent_requests_sent);
    let checks: Vec<_> = packets.iter().filter_map(|sent| scene.read_check(sent)).collect();
    let mut ids = std::collections::BTreeSet::new();
    assert!(checks.iter().all(|check| ids.insert(*check.id.as_bytes())), "each is sent once");
    assert!(checks.iter().all(|check| !check.use_candidate));
    for pair in checks.windows(2) {
        let gap = pair[1].sent.at - pair[0].sent.at;
        assert!((4.0..=6.0).contains(&gap.as_secs_f64()), "{gap:?}");
    }
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// CON-5-1, CON-5.1-1, CON-5.1-3: half a minute after the last answer, to the nanosecond.
#[test]
fn without_an_answer_for_thirty_seconds_nothing_may_be_sent() {
    let mut scene = Scene::connected(Role::Controlling);
    let mut answered = scene.now;
    scene.run_answering(SECOND * 8, |check| {
        answered = check.sent.at;
        Reply::Success
    });
    scene.checks();
    scene.run(SECOND * 20);
    assert_eq!(sends(&mut scene), Ok(()), "silent, and yet within its rights");
    assert_eq!(scene.agent.state(), ConnectionState::Disconnected);
    scene.run(SECOND * 20);

    assert_eq!(scene.since(ConnectionState::Failed).unwrap() - answered, SECOND * 30);
    assert_eq!(last_reason(&scene), Some(StateReason::ConsentExpired));
    assert_eq!(sends(&mut scene), Err(SendError::NoConsent));
    scene.packets();
    scene.run(SECOND * 60);
    assert!(scene.packets().is_empty(), "a pair without consent is left alone");
}

/// CON-5.1-3, CON-5.1-7.
#[test]
fn a_late_answer_does_not_revive_consent() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.run(SECOND * 40);
    let checks = scene.checks();

    for check in &checks {
        assert_eq!(scene.reply(check, Reply::Success), Received::Dropped(Dropped::UnknownTransaction));
    }

    assert!(!checks.is_empty());
    assert_eq!(scene.agent.state(), ConnectionState::Failed);
    assert_eq!(sends(&mut scene), Err(SendError::NoConsent));
}

/// CON-5.1-12: nor does a check of the peer.
#[test]
fn a_check_of_the_peer_does_not_revive_consent() {
    let mut scene = Scene::connected(Role::Controlled);
    scene.run(SECOND * 40);
    scene.check_from(theirs(0), true);
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Failed);
    assert_eq!(sends(&mut scene), Err(SendError::NoConsent));
}

/// CON-5.1-6: any outstanding one.
#[test]
fn an_answer_to_an_earlier_question_counts() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.run(SECOND * 25);
    let first: Check = scene.checks().remove(0);
    assert_eq!(scene.agent.state(), ConnectionState::Disconnected);

    assert_eq!(scene.reply(&first, Reply::Success), Received::Consumed);

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    assert_eq!(last_reason(&scene), Some(StateReason::Heard));
    scene.run(SECOND * 20);
    assert_eq!(sends(&mut scene), Ok(()), "for thirty seconds more");
}

/// CON-5.1-2: not data, not checks, not what anybody could have written.
#[test]
fn only_an_authenticated_answer_renews_consent() {
    let mut scene = Scene::connected(Role::Controlled);
    for _ in 0..35 {
        assert_eq!(scene.deliver(theirs(0), &[0x80, 1, 2, 3]), Received::App(()));
        scene.check_from(theirs(0), false);
        let checks = scene.checks();
        for check in &checks {
            let forged = peer::write_reply(check.id, Reply::Success, peer::ours(0), None).unwrap();
            assert!(matches!(scene.deliver(theirs(0), &forged), Received::Dropped(_)));
            let forged =
                peer::write_reply(check.id, Reply::Success, peer::ours(0), Some("a wrong one")).unwrap();
            assert!(matches!(scene.deliver(theirs(0), &forged), Received::Dropped(_)));
        }
        scene.run(SECOND);
    }
    assert!(!scene.states().contains(&ConnectionState::Disconnected), "it was heard all the time");
    assert_eq!(scene.agent.state(), ConnectionState::Failed);
}

/// CON-5.1-2: from the peer's address, to ours.
#[test]
fn an_answer_from_elsewhere_renews_nothing() {
    let mut scene = Scene::connected(Role::Controlling);
    for _ in 0..35 {
        for check in scene.checks() {
            scene.reply_from(&check, Reply::Success, theirs(5), peer::SOCKET);
        }
        scene.run(SECOND);
    }
    assert_eq!(scene.agent.state(), ConnectionState::Failed);
}

/// CON-5.2-3.
#[test]
fn a_403_revokes_consent_at_once() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.run(SECOND * 6);
    let check = scene.checks().remove(0);

    scene.reply(&check, Reply::Error(403));

    assert_eq!(scene.agent.state(), ConnectionState::Failed);
    assert_eq!(last_reason(&scene), Some(StateReason::ConsentRevoked));
    assert_eq!(scene.pair(theirs(0)).failure, Some(PairFailure::Refused(403)));
    assert_eq!(sends(&mut scene), Err(SendError::NoConsent));
}

/// CON-5.2-3 before anything is nominated.
#[test]
fn a_403_revokes_the_consent_of_a_pair_that_only_works() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(sends(&mut scene), Ok(()));
    scene.checks();
    scene.run(SECOND * 6);
    let check = scene.checks().remove(0);

    scene.reply(&check, Reply::Error(403));

    assert_eq!(scene.pair_state(theirs(0)), PairState::Failed);
    assert_eq!(sends(&mut scene), Err(SendError::NotConnected));
}

/// CON-5.2-3: by the peer, and by nobody else.
#[test]
fn a_forged_403_and_any_other_error_revoke_nothing() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.run(SECOND * 6);
    let check = scene.checks().remove(0);
    let forged = peer::write_reply(check.id, Reply::Error(403), peer::ours(0), None).unwrap();
    assert_eq!(scene.deliver(theirs(0), &forged), Received::Dropped(Dropped::BadIntegrity));
    assert_eq!(scene.reply(&check, Reply::Error(500)), Received::Consumed);
    assert_eq!(sends(&mut scene), Ok(()));
    scene.run_answering(SECOND * 60, |_| Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// Being heard is another matter than consent: it is missed sooner, and heals by itself.
#[test]
fn a_silent_peer_is_missed_soon_and_welcome_back() {
    let mut scene = Scene::connected(Role::Controlling);
    let start = scene.now;
    scene.run(SECOND * 12);
    let missed = scene.since(ConnectionState::Disconnected).unwrap() - start;
    assert!(missed <= SECOND * 9, "{missed:?}");

    scene.checks();
    scene.run_answering(SECOND * 2, |_| Reply::Success);

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    assert_eq!(last_reason(&scene), Some(StateReason::Heard));
    let states = scene.states();
    assert_eq!(states[states.len() - 2..], [ConnectionState::Disconnected, ConnectionState::Completed]);
}

/// What the application sends goes out even while the consent check is on its way.
#[test]
fn a_question_under_way_holds_up_no_data() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.run(SECOND * 6 + millis(1));
    assert_eq!(sends(&mut scene), Ok(()));
}
