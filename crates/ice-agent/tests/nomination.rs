//! Which pair is used in the end, and who says so.

mod peer;

use floe_ice_agent::{Config, ConnectionState, Event, PairState, Role, SelectedReason};
use floe_stun::{Input, Received};
use peer::{Question, Reply, SECOND, SOCKET, Scene, millis, ours, theirs};

fn selections(scene: &Scene) -> Vec<(std::net::SocketAddr, SelectedReason)> {
    let selections = scene.events.iter().filter_map(|(_, event)| match event {
        Event::Selected(pair) => Some((pair.remote.address, pair.why)),
        _ => None,
    });
    selections.collect()
}

/// An agent that knows two addresses of the peer, the first one better.
fn with_two(role: Role) -> Scene {
    let mut scene = Scene::new(Config::new(role));
    scene.meet();
    scene.tell("1 1 UDP 2000000000 198.51.100.1 6000 typ host");
    scene.tell("2 1 UDP 1000000000 198.51.100.2 6000 typ host");
    scene
}

/// ICE-7.3.1.5-1.
#[test]
fn use_candidate_on_a_pair_that_works_selects_it_at_once() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Connected);

    scene.check_from(theirs(0), true);

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    assert_eq!(selections(&scene), [(theirs(0), SelectedReason::Nominated)]);
}

/// ICE-7.3.1.5-2, ICE-7.2.5.3.4-2, ICE-7.3.1.4-3.
#[test]
fn use_candidate_before_that_counts_when_our_own_check_succeeds() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    scene.check_from(theirs(0), true);
    assert!(scene.selected().is_none());
    scene.run(millis(60));
    assert!(scene.selected().is_none());

    scene.run_answering(millis(200), |_| Reply::Success);

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// ICE-7.2.5.3.4-2: its failure selects nothing, and the next nomination is as good as the first.
#[test]
fn a_nomination_whose_check_fails_selects_nothing() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    scene.check_from(theirs(0), true);
    scene.run_answering(SECOND, |_| Reply::Error(400));
    assert_eq!(scene.pair_state(theirs(0)), PairState::Failed);
    assert!(scene.selected().is_none());

    scene.check_from(theirs(0), true);
    scene.run_answering(SECOND, |_| Reply::Success);

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// ICE-7.1.2-1: USE-CANDIDATE of a controlled peer means nothing.
#[test]
fn a_controlling_agent_is_not_told_what_to_use() {
    let mut scene = with_two(Role::Controlling);
    scene.check_from(theirs(1), true);
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(selections(&scene), [(theirs(0), SelectedReason::Nominated)]);
}

/// ICE-8.1.1-3: a peer of RFC 5245 says USE-CANDIDATE in every check.
#[test]
fn of_an_aggressive_peers_nominations_the_highest_priority_wins() {
    for order in [[0, 1], [1, 0]] {
        let mut scene = with_two(Role::Controlled);
        for n in order {
            scene.check_from(theirs(n), true);
            scene.run_answering(SECOND, |_| Reply::Success);
        }
        scene.check_from(theirs(1), true);
        scene.check_from(theirs(0), true);
        scene.run_answering(SECOND, |_| Reply::Success);

        assert_eq!(scene.selected().unwrap().remote.address, theirs(0), "{order:?}");
        let expected = match order {
            [0, _] => vec![(theirs(0), SelectedReason::Nominated)],
            _ => vec![(theirs(1), SelectedReason::Nominated), (theirs(0), SelectedReason::BetterNominated)],
        };
        assert_eq!(selections(&scene), expected);
    }
}

/// ICE-8.1.1-3: also where the proof of the worse one comes last.
#[test]
fn a_nomination_that_is_proved_late_does_not_win_over_a_better_one() {
    let mut scene = with_two(Role::Controlled);
    scene.check_from(theirs(1), true);
    scene.check_from(theirs(0), true);
    scene.run(millis(80));
    let checks = scene.checks();
    for to in [theirs(0), theirs(1)] {
        let check = checks.iter().rev().find(|check| check.sent.to == to).unwrap();
        assert_eq!(scene.reply(check, Reply::Success), Received::Consumed);
    }
    assert_eq!(selections(&scene), [(theirs(0), SelectedReason::Nominated)]);
    assert_eq!(scene.selected().unwrap().remote.address, theirs(0));
}

/// ICE-8.1.1-3 where the better pair is not heard any more: the peer has left it, and so do we.
#[test]
fn a_silent_pair_gives_way_to_a_worse_one_that_the_peer_nominates() {
    let mut scene = with_two(Role::Controlled);
    scene.run_answering(SECOND, |_| Reply::Success);
    scene.check_from(theirs(0), true);
    scene.run(SECOND * 10);
    assert_eq!(scene.agent.state(), ConnectionState::Disconnected);

    scene.check_from(theirs(1), true);
    scene.run_answering(SECOND, |check| match check.sent.to == theirs(1) {
        true => Reply::Success,
        false => Reply::Nothing,
    });

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    assert_eq!(scene.selected().unwrap().remote.address, theirs(1));
}

/// RFC 7675 §5.1: a pair that was not used for half a minute is asked before it is used.
#[test]
fn a_pair_whose_consent_has_lapsed_is_checked_again_before_it_is_selected() {
    let mut scene = with_two(Role::Controlled);
    scene.run_answering(SECOND, |_| Reply::Success);
    scene.check_from(theirs(1), true);
    scene.run_answering(SECOND * 60, |_| Reply::Success);
    assert_eq!(scene.selected().unwrap().remote.address, theirs(1));
    scene.checks();

    scene.check_from(theirs(0), true);
    assert_eq!(scene.selected().unwrap().remote.address, theirs(1), "not yet");
    scene.run_answering(SECOND, |_| Reply::Success);

    assert_eq!(scene.selected().unwrap().remote.address, theirs(0));
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// ICE-8.1.1-1, ICE-8.1.1-2, ICE-7.2.5.3.4-1, PAC-4-5: one nomination, of the best pair, after a moment for better
/// ones.
#[test]
fn a_controlling_agent_nominates_one_pair_and_no_other_ever() {
    let mut scene = with_two(Role::Controlling);
    let silent_first =
        |check: &peer::Check| match check.sent.to == theirs(0) && check.sent.at.as_nanos() < 3_000_000_000 {
            true => Reply::Nothing,
            false => Reply::Success,
        };
    scene.run_answering(millis(200), silent_first);
    assert_eq!(scene.agent.state(), ConnectionState::Connected, "the better one may still come");
    scene.run_answering(SECOND * 10, silent_first);
    scene.check_from(theirs(0), false);
    scene.run_answering(SECOND * 10, silent_first);

    assert_eq!(scene.selected().unwrap().remote.address, theirs(1));
    let nominated = scene.checks().into_iter().filter(|check| check.use_candidate);
    assert!(nominated.map(|check| check.sent.to).all(|to| to == theirs(1)));
}

/// ICE-8.1.2-1, ICE-8.1.2-3: what is not needed is not checked any more, yet still answered.
#[test]
fn after_selection_other_pairs_are_answered_and_not_checked() {
    let mut scene = with_two(Role::Controlling);
    scene.run_answering(millis(100), |check| match check.sent.to == theirs(1) {
        true => Reply::Error(400),
        false => Reply::Nothing,
    });
    scene.run_answering(
        SECOND,
        |check| if check.sent.to == theirs(0) { Reply::Success } else { Reply::Nothing },
    );
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    scene.packets();
    assert_eq!(scene.pair_state(theirs(1)), PairState::Failed);

    scene.check_from(theirs(1), false);
    assert_eq!(scene.pair_state(theirs(1)), PairState::Failed, "ICE-11-4");
    scene.run(SECOND * 3);

    assert_eq!(scene.answers().len(), 1);
    assert!(scene.checks().is_empty());
}

/// ICE-7.2.5.3.4-3, but for the next best pair, which we try instead of giving up.
#[test]
fn a_refused_nomination_falls_to_the_next_best_pair() {
    let mut scene = with_two(Role::Controlling);
    scene.run_answering(SECOND, |check| match (check.use_candidate, check.sent.to == theirs(0)) {
        (true, true) => Reply::Error(400),
        _ => Reply::Success,
    });
    assert_eq!(scene.pair_state(theirs(0)), PairState::Failed);
    assert_eq!(selections(&scene), [(theirs(1), SelectedReason::Nominated)]);
}

/// The same where the pair falls silent in the middle.
#[test]
fn a_nominee_that_falls_silent_gives_way_to_the_next_best_pair() {
    let mut scene = with_two(Role::Controlling);
    let mut answered = 0;
    scene.run_answering(SECOND * 15, |check| {
        answered += usize::from(check.sent.to == theirs(0));
        if check.sent.to == theirs(0) && answered > 1 { Reply::Nothing } else { Reply::Success }
    });
    assert_eq!(selections(&scene), [(theirs(1), SelectedReason::Nominated)]);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// The same where our own socket goes.
#[test]
fn a_nominee_whose_socket_is_closed_gives_way_to_the_next_best_pair() {
    let mut scene = Scene::with_sockets(Config::new(Role::Controlling), 2);
    scene.meet();
    scene.hint(theirs(0));
    scene.run_answering(SECOND, |check| if check.use_candidate { Reply::Nothing } else { Reply::Success });
    assert!(scene.selected().is_none());

    let _ = scene.input(Input::Closed { socket: SOCKET });
    scene.run_answering(SECOND, |_| Reply::Success);

    assert_eq!(scene.selected().unwrap().local.address, ours(1));
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// ICE-12.1-1, ICE-12.1-2: data goes on what works, then on what is selected.
#[test]
fn data_flows_before_the_nomination_is_through() {
    let mut scene = with_two(Role::Controlling);
    scene.run_answering(SECOND, |check| match (check.use_candidate, check.sent.to == theirs(1)) {
        (false, true) => Reply::Success,
        _ => Reply::Nothing,
    });
    let plan = scene.agent.send_plan(scene.now, floe_ice_agent::ComponentId::FIRST, 100).unwrap();
    assert_eq!((plan.socket(), plan.to()), (SOCKET, theirs(1)));
    assert_eq!(plan.headroom(), 0);
}

/// A nomination does not depend on signalling: the pair may be learned from it.
#[test]
fn a_nomination_from_an_unknown_address_selects_it() {
    let mut scene = Scene::new(Config::new(Role::Controlled));
    scene.meet();
    let question = Question { use_candidate: true, ..scene.question() };
    assert_eq!(scene.ask(theirs(9), &question), Received::Consumed);
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(scene.selected().unwrap().remote.address, theirs(9));
}

/// A policy that always wants to wait, and for no time at all, makes nobody spin.
#[test]
fn a_policy_that_asks_for_no_time_is_asked_again_a_moment_later() {
    #[derive(Debug)]
    struct Restless;
    impl floe_ice_agent::Policy for Restless {
        fn nominate(&self, outlook: &floe_ice_agent::Outlook) -> floe_ice_agent::Decision {
            match outlook.waited < millis(20) {
                true => floe_ice_agent::Decision::After(std::time::Duration::ZERO),
                false => floe_ice_agent::Decision::Now,
            }
        }
    }
    let mut scene = Scene::new(Config::new(Role::Controlling));
    scene.agent = floe_ice_agent::IceAgent::with_policy(
        scene.now,
        Config::new(Role::Controlling),
        [3; 32],
        Box::new(Restless),
    );
    scene.agent.add_socket(scene.now, floe_ice_agent::ComponentId::FIRST, SOCKET, ours(0)).unwrap();
    scene.agent.gather(scene.now);
    scene.meet();
    scene.hint(theirs(0));
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}
