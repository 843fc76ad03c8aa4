//! Who controls, and what happens when both think the same.

mod peer;

use floe_ice_agent::{Config, ConnectionState, Event, PairState, Role};
use floe_stun::Received;
use peer::{Question, Reply, SECOND, Scene, millis, theirs};

/// A check in which the peer claims this role.
fn claim(scene: &mut Scene, role: Role, tie_breaker: u64) -> Question {
    let value = |wanted| (role == wanted).then_some(tie_breaker);
    Question {
        controlling: value(Role::Controlling),
        controlled: value(Role::Controlled),
        ..scene.question()
    }
}

/// ICE-7.3.1.1-1, ICE-7.3.1.1-2, ICE-7.3.1.1-3: the six cells that meet in a check of the peer.
#[test]
fn a_conflict_in_a_check_of_the_peer_is_settled_by_the_tie_breakers() {
    use Role::{Controlled, Controlling};
    let cells = [
        (Controlling, -1, Some(487), Controlling),
        (Controlling, 0, Some(487), Controlling),
        (Controlling, 1, None, Controlled),
        (Controlled, -1, None, Controlling),
        (Controlled, 0, None, Controlling),
        (Controlled, 1, Some(487), Controlled),
    ];
    for (role, theirs_is, code, after) in cells {
        let mut scene = Scene::introduced(Config::new(role));
        let own = scene.checks()[0].tie_breaker;
        let question = claim(&mut scene, role, own.wrapping_add_signed(theirs_is));

        assert_eq!(scene.ask(theirs(0), &question), Received::Consumed);

        assert_eq!(scene.answers()[0].code, code, "{role:?} {theirs_is}");
        assert_eq!(scene.agent.role(), after, "{role:?} {theirs_is}");
        let told = scene.events.iter().any(|(_, event)| *event == Event::Role(after));
        assert_eq!(told, role != after);
    }
}

/// ICE-7.3.1.1-3: there are old peers that claim nothing, and a conflict with them cannot be seen.
#[test]
fn a_check_that_claims_no_role_is_answered() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut scene = Scene::introduced(Config::new(role));
        let question = Question { controlling: None, controlled: None, ..scene.question() };
        assert_eq!(scene.ask(theirs(0), &question), Received::Consumed);
        assert_eq!(scene.answers()[0].code, None);
        assert_eq!(scene.agent.role(), role);
    }
}

/// ICE-7.2.5.1-1, ICE-7.2.5.1-2, ICE-7.2.5.1-3: the six cells that meet in an answer. Whatever the tie-breakers
/// were, the peer has decided.
#[test]
fn a_487_changes_role_and_tie_breaker_and_the_check_goes_out_again() {
    for role in [Role::Controlling, Role::Controlled] {
        for other in [0, 1, u64::MAX] {
            let mut scene = Scene::introduced(Config::new(role));
            let first = scene.checks().remove(0);
            scene.run(millis(60));

            scene.reply(&first, Reply::Error(487));

            let again = scene.checks().remove(0);
            assert_eq!((scene.agent.role(), again.role), (role.other(), role.other()));
            assert_ne!(again.tie_breaker, first.tie_breaker);
            assert_eq!(again.sent.to, theirs(0));
            assert_eq!(scene.pair_state(theirs(0)), PairState::InProgress);
            let question = claim(&mut scene, role, other);
            let _ = scene.ask(theirs(0), &question);
            assert_eq!(scene.answers()[0].code, None, "no conflict any more");
        }
    }
}

/// ICE-7.2.5.1-4.
#[test]
fn two_487s_for_checks_of_one_role_change_it_once() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.hint(theirs(1));
    scene.run(millis(60));
    let checks = scene.checks();
    assert_eq!(checks.len(), 2);

    scene.reply(&checks[0], Reply::Error(487));
    scene.reply(&checks[1], Reply::Error(487));

    assert_eq!(scene.agent.role(), Role::Controlled);
    scene.run(millis(150));
    assert!(scene.checks().iter().all(|check| check.role == Role::Controlled));
}

/// ICE-19.2-1: an error that anybody could have written.
#[test]
fn a_487_without_a_signature_changes_nothing() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let check = scene.checks().remove(0);
    let forged = peer::write_reply(check.id, Reply::Error(487), peer::ours(0), None).unwrap();
    let before = scene.fingerprint();

    assert_eq!(scene.deliver(theirs(0), &forged), Received::Dropped(floe_stun::Dropped::BadIntegrity));

    assert!(scene.fingerprint() == before);
}

/// ICE-7.3.1.1-3, ICE-6.1.2.3-2: priorities of pairs follow the roles.
#[test]
fn pair_priorities_follow_the_role() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.tell("9 1 UDP 1000 198.51.100.9 6000 typ host");
    let to = peer::addr("198.51.100.9:6000");
    let (ours, theirs_is) = (2_130_706_431_u64, 1000_u64);
    let base = (theirs_is << 32) + 2 * ours;
    assert_eq!(scene.pair(to).priority, base + 1);

    let check = scene.checks().remove(0);
    scene.reply(&check, Reply::Error(487));

    assert_eq!(scene.pair(to).priority, base);
}

/// A conflict in the middle of a nomination: the other side nominates from then on.
#[test]
fn an_agent_that_loses_control_while_nominating_waits_for_the_other() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.run_answering(SECOND, |check| if check.use_candidate { Reply::Error(487) } else { Reply::Success });
    assert_eq!(scene.agent.role(), Role::Controlled);
    assert_eq!(scene.agent.state(), ConnectionState::Connected);
    scene.checks();

    scene.check_from(theirs(0), true);

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    assert!(scene.checks().iter().all(|check| !check.use_candidate));
}

/// ICE-6.1.1-2.
#[test]
fn a_full_agent_controls_a_lite_one_whatever_was_configured() {
    let mut scene = Scene::new(Config::new(Role::Controlled));
    scene.meet_as(true);
    assert_eq!(scene.agent.role(), Role::Controlling);
}

/// ICE-6.1.1-4.
#[test]
fn the_role_outlives_a_restart() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let check = scene.checks().remove(0);
    scene.reply(&check, Reply::Error(487));
    scene.restart();
    assert_eq!(scene.agent.role(), Role::Controlled);
}

/// A peer that answers 487 whatever we are does not keep us asking for ever.
#[test]
fn a_peer_that_is_never_content_with_our_role_is_given_up() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.run_answering(SECOND * 60, |_| Reply::Error(487));
    let changes = scene.events.iter().filter(|(_, event)| matches!(event, Event::Role(_))).count();
    assert!((1..=8).contains(&changes), "{changes} changes of role");
    assert_eq!(scene.pair(theirs(0)).state, PairState::Failed);
}
