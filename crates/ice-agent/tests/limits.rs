//! Nothing grows without bound, and what is selected stays.
#![allow(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod peer;

use std::net::SocketAddr;

use floe_ice_agent::{Config, ConnectionState, IceAgent, IgnoredReason, Role, Taken};
use floe_stun::{Dropped, Input, MAX_TRANSMIT, Machine, Output, Received};
use peer::{Reply, SECOND, SOCKET, Scene, theirs};

fn still_selected(scene: &mut Scene) {
    assert_eq!(scene.selected().unwrap().remote.address, theirs(0));
    scene.run_answering(SECOND * 40, |check| match check.sent.to == theirs(0) {
        true => Reply::Success,
        false => Reply::Nothing,
    });
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// ICE-19.5.1-1.
#[test]
fn checks_from_everywhere_teach_sixteen_addresses_and_no_more() {
    let mut scene = Scene::connected(Role::Controlled);
    for n in 0..=255 {
        let question = scene.question();
        let from = SocketAddr::from(([203, 0, 113, n], 1000));
        assert_eq!(scene.ask(from, &question), Received::Consumed, "the oldest gives way");
    }
    assert_eq!(scene.agent.stats().remote_candidates.len(), 1 + 16);
    assert_eq!(scene.answers().len(), 256);
    still_selected(&mut scene);
}

/// Copies of one check from everywhere teach nothing, and the peer itself still finds room.
#[test]
fn copies_of_a_check_from_elsewhere_are_not_the_peers() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    let question = scene.question();
    assert_eq!(scene.ask(theirs(7), &question), Received::Consumed);
    for n in 0..=255 {
        let from = SocketAddr::from(([203, 0, 113, n], 1000));
        assert_eq!(scene.ask(from, &question), Received::Dropped(Dropped::WrongSource));
    }
    assert_eq!(scene.ask(theirs(7), &question), Received::Consumed, "from where it came it may come again");
    assert_eq!(scene.pairs(theirs(7)).len(), 1);
}

/// ICE-19.5.1-1, ICE-6.1.2.5-1, TRK-10-5.
#[test]
fn a_flood_of_candidates_stops_at_the_limits() {
    let mut scene = Scene::with_sockets(Config::new(Role::Controlled), 8);
    scene.meet();
    scene.hint(theirs(0));
    scene.select(theirs(0));
    for n in 0..=255 {
        for port in [1000, 2000, 3000, 4000] {
            scene.hint(SocketAddr::from(([203, 0, 113, n], port)));
        }
    }
    let stats = scene.agent.stats();
    assert_eq!((stats.remote_candidates.len(), stats.pairs.len()), (64, 100));
    assert_eq!(scene.hint(SocketAddr::from(([203, 0, 113, 200], 1))), Taken::Ignored(IgnoredReason::Limit));
    still_selected(&mut scene);
}

#[test]
fn one_address_has_sixteen_candidates_at_most() {
    let mut scene = Scene::connected(Role::Controlled);
    for port in 1000..1100 {
        scene.hint(SocketAddr::from(([203, 0, 113, 1], port)));
    }
    assert_eq!(scene.agent.stats().remote_candidates.len(), 1 + 16);
}

/// TRK-10-5, TRK-11-3: failed pairs go first, and pairs the peer was heard on go last.
#[test]
fn at_the_limit_failed_pairs_go_first_and_heard_ones_last() {
    let mut config = Config::new(Role::Controlled);
    config.limits.pairs = 3;
    let mut scene = Scene::new(config);
    scene.meet();
    scene.hint(theirs(0));
    let check = scene.checks().remove(0);
    scene.reply(&check, Reply::Error(400));
    scene.tell("8 1 UDP 1 198.51.100.9 6000 typ host");
    scene.check_from(theirs(8), false);
    scene.hint(theirs(1));

    scene.hint(theirs(2));
    assert!(scene.pairs(theirs(0)).is_empty(), "it had failed");
    scene.hint(theirs(3));
    assert_eq!(scene.pairs(theirs(8)).len(), 1, "the peer is there");
    for n in 20..30 {
        scene.check_from(theirs(n), false);
        assert!(scene.agent.stats().pairs.len() <= 3);
    }
}

/// Where every pair works, there is no room for one more.
#[test]
fn a_pair_that_works_is_never_given_up_for_a_new_one() {
    let mut config = Config::new(Role::Controlled);
    config.limits.pairs = 2;
    let mut scene = Scene::new(config);
    scene.meet();
    scene.hint(theirs(0));
    scene.hint(theirs(1));
    scene.run_answering(SECOND, |_| Reply::Success);

    let question = scene.question();
    assert_eq!(scene.ask(theirs(2), &question), Received::Dropped(Dropped::LimitReached));
    scene.hint(theirs(3));

    assert_eq!(scene.agent.stats().pairs.len(), 2);
    assert_eq!((scene.pairs(theirs(0)).len(), scene.pairs(theirs(1)).len()), (1, 1));
}

/// Words of the peer that change nothing leave nothing.
#[test]
fn a_candidate_told_again_and_again_costs_no_memory() {
    let mut scene = Scene::connected(Role::Controlled);
    let before = scene.fingerprint().len();
    for n in 0..1000 {
        let taken = scene.tell(&format!("f{n} 1 UDP 7 198.51.100.1 6000 typ host"));
        assert!(matches!(taken, Taken::Known(_)));
    }
    assert_eq!(scene.fingerprint().len(), before);
}

/// A host that does not fetch what we want to send: packets give way, events do not.
#[test]
fn outputs_that_nobody_fetches_do_not_pile_up() {
    let mut scene = Scene::connected(Role::Controlled);
    for _ in 0..5000 {
        let data = scene.question().write();
        let input = Input::Datagram { socket: SOCKET, from: theirs(0), data: &data };
        let _ = scene.agent.handle_input(scene.now, input);
    }
    scene.agent.close(scene.now);
    let (mut buf, mut packets, mut closed) = ([0; MAX_TRANSMIT], 0, false);
    loop {
        match scene.agent.poll_output(&mut buf) {
            Output::Transmit(_) => packets += 1,
            Output::Event(_) => closed = true,
            _ => break,
        }
    }
    assert!(packets <= 1024 && closed, "{packets}");
}

/// Nobody can make an agent of ours shout: one question, one answer, not much larger.
#[test]
fn an_answer_is_one_datagram_and_no_larger_than_twice_the_question() {
    let mut scene = Scene::connected(Role::Controlled);
    for unknown in [false, true] {
        let question = peer::Question { unknown, ..scene.question() };
        let _ = scene.ask(theirs(0), &question);
        let answers = scene.answers();
        assert_eq!(answers.len(), 1);
        assert!(answers[0].sent.bytes.len() <= 2 * question.write().len());
        assert!(answers[0].sent.bytes.len() < 548);
    }
}

/// The same seed and the same inputs give the same bytes.
#[test]
fn a_life_can_be_lived_twice() {
    let live = || {
        let mut scene = Scene::connected(Role::Controlling);
        for n in 1..9 {
            scene.hint(theirs(n));
        }
        scene.run_answering(SECOND * 20, |_| Reply::Success);
        scene.packets().into_iter().map(|sent| sent.bytes).collect::<Vec<_>>()
    };
    assert_eq!(live(), live());
}

/// Calls in no order at all do no harm.
#[test]
fn an_agent_without_a_socket_is_patient() {
    let mut agent = IceAgent::new(floe_stun::Instant::ORIGIN, Config::new(Role::Controlling), [1; 32]);
    let mut buf = [0; MAX_TRANSMIT];
    let now = floe_stun::Instant::ORIGIN + SECOND;
    agent.end_of_remote_candidates(now);
    assert!(agent.restart(now).is_ok());
    assert!(agent.send_plan(now, floe_ice_agent::ComponentId::FIRST, 1).is_err());
    agent.gather(now);
    while !matches!(agent.poll_output(&mut buf), Output::Idle | Output::Wait { .. }) {}
    assert_eq!(agent.state(), ConnectionState::New);
}

/// A forged source of a right check draws no more than any silent address.
#[test]
fn a_victim_that_never_answers_gets_fifty_checks_even_if_checks_seem_to_come_from_it() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    scene.run(SECOND * 80);
    scene.checks();
    for port in 1000..1016 {
        let question = scene.question();
        let _ = scene.ask(SocketAddr::from(([203, 0, 113, 99], port)), &question);
    }
    scene.run(SECOND * 80);
    let to_victim = scene.checks().iter().filter(|check| check.sent.to.ip() == theirs_victim()).count();
    assert!(to_victim <= 50, "{to_victim}");
}

fn theirs_victim() -> std::net::IpAddr {
    std::net::IpAddr::from([203, 0, 113, 99])
}

/// Pairs that worked once and are forgotten one after the other leave no moment in the past.
#[test]
fn when_all_pairs_fall_silent_each_is_given_up_in_its_turn() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    for n in 1..4 {
        scene.hint(theirs(n));
    }
    scene.run_answering(SECOND, |_| Reply::Success);
    scene.run(SECOND * 300);
    assert!(scene.agent.stats().pairs.iter().all(|pair| pair.state == floe_ice_agent::PairState::Failed));
}
