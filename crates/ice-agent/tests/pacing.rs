//! How often we send: Ta, retransmissions, strangers who do not answer, clocks that misbehave.

mod peer;

use std::time::Duration;

use floe_ice_agent::{Config, ConnectionState, PairFailure, PairState, Profile, Role, SendError};
use peer::{Check, Reply, SECOND, Scene, millis, theirs};

fn gaps(checks: &[Check]) -> Vec<Duration> {
    let next = checks.iter().skip(1);
    checks.iter().zip(next).map(|(one, next)| next.sent.at - one.sent.at).collect()
}

fn letter() -> Config {
    let mut config = Config::new(Role::Controlling);
    config.profile = Profile::Rfc8445;
    config
}

/// ICE-14.1-1, ICE-14.2-1: at once by the letter, after a head start of sixteen otherwise.
#[test]
fn few_pairs_are_checked_every_fifty_milliseconds() {
    for (config, head_start) in [(letter(), 0), (Config::new(Role::Controlling), 16)] {
        let mut scene = Scene::introduced(config);
        for n in 1..9 {
            scene.hint(theirs(n));
        }
        scene.run(SECOND * 5);
        let mut checks = scene.checks();
        let mut seen = std::collections::BTreeSet::new();
        checks.retain(|check| seen.insert(*check.id.as_bytes()));
        let gaps = gaps(&checks);
        assert!(gaps.len() >= 8);
        assert!(gaps.iter().all(|gap| *gap >= millis(5)), "{gaps:?}");
        assert!(gaps.iter().skip(head_start).all(|gap| *gap >= millis(50)), "{gaps:?}");
    }
}

/// ICE-14.2-2: the floor, however many wait.
#[test]
fn many_pairs_are_checked_faster_and_never_closer_than_five_milliseconds() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    for n in 1..60 {
        scene.hint(theirs(n));
    }
    scene.run(SECOND * 2);
    let checks = scene.checks();
    assert!(gaps(&checks).iter().all(|gap| *gap >= millis(5)), "{:?}", gaps(&checks));
    for n in 0..60 {
        let first = checks.iter().find(|check| check.sent.to == theirs(n)).unwrap();
        assert!(first.sent.at - checks[0].sent.at < millis(1500), "{n} waits until {}", first.sent.at);
    }
}

/// No more than 50 packets to somebody who never answers: nobody can turn us into a hammer.
#[test]
fn a_silent_address_gets_fifty_packets_at_most() {
    for profile in [Profile::Default, Profile::Rfc8445] {
        let mut config = Config::new(Role::Controlling);
        config.profile = profile;
        let mut scene = Scene::introduced(config);
        for port in 0..12 {
            scene.hint(format!("203.0.113.5:{}", 7000 + port).parse().unwrap());
        }
        scene.run(SECOND * 300);
        let to_victim =
            scene.packets().iter().filter(|sent| sent.to.ip().to_string() == "203.0.113.5").count();
        assert!((12..=50).contains(&to_victim), "{profile:?}: {to_victim}");
    }
}

/// ICE-14.3-3, ICE-7.2.5.2.3-1: RFC 8489 §6.2.1 to the letter, the same bytes every time.
#[test]
fn by_the_letter_a_check_is_repeated_six_times_and_fails_after_39_5_seconds() {
    let mut scene = Scene::introduced(letter());
    let start = scene.now;
    scene.run(SECOND * 45);

    let checks = scene.checks();
    let times: Vec<_> = checks.iter().map(|check| (check.sent.at - start).as_millis()).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert!(checks.iter().all(|check| check.sent.bytes == checks[0].sent.bytes));
    assert_eq!(scene.pair(theirs(0)).failure, Some(PairFailure::TimedOut));
    assert_eq!(scene.since(ConnectionState::Failed).unwrap() - start, millis(39_500));
}

/// ICE-14.3-2.
#[test]
fn by_the_letter_a_crowd_is_repeated_later() {
    let mut scene = Scene::new(letter());
    for n in 0..30 {
        scene.hint(theirs(n));
    }
    scene.meet();
    scene.run(SECOND * 3);
    let checks = scene.checks();
    let first = checks.iter().filter(|check| check.id == checks[0].id).map(|check| check.sent.at);
    let times: Vec<_> = first.collect();
    assert_eq!(times[1] - times[0], millis(50 * 30));
}

/// The default: a lost packet costs a tenth of a second, in new transactions, and ends with the schedule.
#[test]
fn by_default_an_unanswered_pair_is_checked_anew_every_tenth_of_a_second() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.run(millis(1050));
    let checks = scene.checks();
    assert!(gaps(&checks).iter().all(|gap| *gap == millis(100)), "{:?}", gaps(&checks));
    assert!(checks.windows(2).all(|pair| pair[0].id != pair[1].id));

    scene.run(SECOND * 40);
    assert_eq!(scene.pair_state(theirs(0)), PairState::Failed);
}

/// Time that goes back stands still.
#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.run(millis(100));
    scene.timeout();
    let (before, then) = (scene.fingerprint(), scene.now);

    scene.now = floe_stun::Instant::ORIGIN;
    scene.packets();
    scene.timeout();

    assert!(scene.fingerprint() == before);
    assert!(scene.packets().is_empty());
    scene.now = then;
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// A host that slept for a day wakes to no burst.
#[test]
fn a_jump_of_a_day_makes_no_burst() {
    for profile in [Profile::Default, Profile::Rfc8445] {
        let mut config = Config::new(Role::Controlling);
        config.profile = profile;
        let mut scene = Scene::introduced(config);
        for n in 1..20 {
            scene.hint(theirs(n));
        }
        scene.run(millis(700));
        scene.packets();

        scene.now = scene.now + SECOND * 86_400;
        scene.timeout();

        let burst = scene.packets().len();
        assert!(burst <= 20, "{profile:?}: {burst}");
        scene.run_answering(SECOND * 3, |_| Reply::Success);
        let more = scene.packets().len();
        assert!(more <= 60, "{profile:?}: {more}");
    }
}

/// CON-5.1-1 after a sleep.
#[test]
fn a_host_that_slept_for_a_day_has_no_consent() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.now = scene.now + SECOND * 86_400;
    let plan = scene.agent.send_plan(scene.now, floe_ice_agent::ComponentId::FIRST, 10);
    assert_eq!(plan.unwrap_err(), SendError::NoConsent);
    scene.timeout();
    assert_eq!(scene.agent.state(), ConnectionState::Failed);
    assert!(scene.packets().is_empty());
}
