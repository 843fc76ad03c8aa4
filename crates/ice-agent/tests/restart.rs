//! A new generation beside the old one: make before break.

mod peer;

use floe_ice_agent::{ComponentId, ConnectionState, Credentials, Event, Role, SendError, StateReason};
use floe_stun::{Class, Dropped, Key, Message, Received};
use peer::{Reply, SECOND, Scene, theirs};

fn goes_to(scene: &mut Scene) -> Result<std::net::SocketAddr, SendError> {
    scene.agent.send_plan(scene.now, ComponentId::FIRST, 10).map(|plan| plan.to())
}

fn renew_peer(scene: &mut Scene) {
    scene.peer = Credentials::new("again", "another/password/of/the/peer");
}

/// ICE-9-1, ICE-9-3.
#[test]
fn a_restart_changes_both_credentials_and_tells_the_candidates_again() {
    let mut scene = Scene::connected(Role::Controlling);
    let before = scene.agent.local_credentials().clone();
    let events = scene.events.len();

    scene.restart();

    let after = scene.agent.local_credentials().clone();
    assert_ne!(after.ufrag, before.ufrag);
    assert_ne!(after.pwd.reveal(), before.pwd.reveal());
    let told = scene.events[events..].iter().filter(|(_, event)| matches!(event, Event::Candidate(_)));
    assert_eq!(told.count(), 1);
}

/// ICE-9-2, ICE-12.1-4, CON-5.1-9.
#[test]
fn the_old_pair_carries_data_and_keeps_its_consent_until_the_new_one_is_selected() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.restart();
    scene.run_answering(SECOND * 100, |_| Reply::Success);
    assert_eq!(goes_to(&mut scene), Ok(theirs(0)));
    assert!(scene.checks().len() >= 100 / 6, "asked with the old credentials, which the scene verified");

    renew_peer(&mut scene);
    scene.meet();
    scene.hint(theirs(1));
    assert_eq!(goes_to(&mut scene), Ok(theirs(0)));
    scene.select(theirs(1));

    assert_eq!(goes_to(&mut scene), Ok(theirs(1)));
}

/// ICE-9-2: a check of the old generation is answered in its name and teaches the new one nothing.
#[test]
fn the_old_generation_does_not_touch_the_new_one() {
    let mut scene = Scene::connected(Role::Controlled);
    let old = scene.question();
    scene.restart();
    renew_peer(&mut scene);
    scene.meet();
    scene.packets();

    assert_eq!(scene.ask(theirs(5), &old), Received::Consumed);

    let answer = scene.packets().remove(0).bytes;
    let answer = Message::decode(&answer).unwrap();
    assert_eq!(answer.class(), Class::Success);
    assert!(answer.verify(&Key::short_term(old.pwd.as_deref().unwrap())).is_ok());
    assert!(scene.agent.stats().pairs.is_empty());
    assert!(scene.agent.stats().remote_candidates.is_empty());
    assert_eq!(scene.agent.state(), ConnectionState::Checking);
}

/// ICE-7.3-3, ICE-8.3.1-1: three seconds after the new generation has its pair, the old name is nobody's.
#[test]
fn the_old_generation_answers_for_three_seconds_after_the_new_one_is_complete() {
    let mut scene = Scene::connected(Role::Controlled);
    let old = scene.question();
    scene.restart();
    renew_peer(&mut scene);
    scene.meet();
    scene.select(theirs(1));

    assert_eq!(scene.ask(theirs(0), &old), Received::Consumed);
    scene.run(SECOND * 3);
    assert_eq!(scene.ask(theirs(0), &old), Received::Dropped(Dropped::UnknownUsername));
}

/// An answer to a check of the old generation says nothing of the new one.
#[test]
fn an_answer_to_an_old_check_proves_no_new_pair() {
    let mut scene = Scene::introduced(floe_ice_agent::Config::new(Role::Controlling));
    let old = scene.checks().remove(0);
    scene.restart();
    let pwd = scene.peer.pwd.reveal().to_owned();
    renew_peer(&mut scene);
    scene.meet();
    scene.hint(theirs(0));
    scene.checks();

    let answer = peer::write_reply(old.id, Reply::Success, peer::ours(0), Some(&pwd)).unwrap();
    let _ = scene.deliver(theirs(0), &answer);

    assert_ne!(scene.pair(theirs(0)).state, floe_ice_agent::PairState::Succeeded);
}

/// Two restarts in a row, as when both sides have the same idea.
#[test]
fn a_second_restart_keeps_the_path_that_works() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.restart();
    scene.restart();
    assert_eq!(goes_to(&mut scene), Ok(theirs(0)));
    renew_peer(&mut scene);
    scene.meet();
    scene.hint(theirs(1));
    scene.select(theirs(1));
    assert_eq!(goes_to(&mut scene), Ok(theirs(1)));
}

/// After a failure, a restart is a fresh start.
#[test]
fn a_restart_after_a_failure_connects() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.run(SECOND * 40);
    assert_eq!(scene.agent.state(), ConnectionState::Failed);
    scene.restart();
    assert_eq!(scene.agent.state(), ConnectionState::New);
    renew_peer(&mut scene);
    scene.meet();
    scene.hint(theirs(0));
    scene.packets();
    scene.select(theirs(0));
    assert_eq!(goes_to(&mut scene), Ok(theirs(0)));
}

#[test]
fn a_restart_of_a_silent_connection_is_called_a_restart() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.run(SECOND * 10);
    assert_eq!(scene.agent.state(), ConnectionState::Disconnected);
    scene.restart();
    let last = scene.events.iter().rev().find(|(_, event)| matches!(event, Event::State { .. }));
    let restarted = Event::State { state: ConnectionState::New, why: StateReason::Restart };
    assert_eq!(last.unwrap().1, restarted);
}
