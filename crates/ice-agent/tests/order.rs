//! Which pair is checked next: foundations, priorities, the peer's own checks.

mod peer;

use std::net::SocketAddr;

use floe_ice_agent::{Config, PairState, Role};
use peer::{Reply, Scene, addr, millis, theirs};

fn scene() -> Scene {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    scene.meet();
    scene
}

/// Addresses in the order of their first checks.
fn order(scene: &mut Scene) -> Vec<SocketAddr> {
    let mut order = Vec::new();
    for check in scene.checks() {
        if !order.contains(&check.sent.to) {
            order.push(check.sent.to);
        }
    }
    order
}

/// ICE-6.1.2.6-3, TRK-12-3, ICE-7.2.5.3.3-2.
#[test]
fn pairs_of_one_foundation_wait_for_the_first_of_them() {
    let mut scene = scene();
    for (n, priority) in [(1, 2000), (2, 1000), (3, 500)] {
        scene.tell(&format!("1 1 UDP {priority} 198.51.100.{n} 6000 typ host"));
    }
    scene.run(millis(400));
    assert_eq!([1, 2].map(|n| scene.pair_state(theirs(n))), [PairState::Frozen; 2]);
    let checks = scene.checks();
    assert!(checks.iter().all(|check| check.sent.to == theirs(0)));

    scene.reply(&checks[0], Reply::Success);

    assert_eq!(scene.pair_state(theirs(0)), PairState::Succeeded);
    assert!([1, 2].map(|n| scene.pair_state(theirs(n))).iter().all(|state| *state != PairState::Frozen));
}

/// TRK-12-2.
#[test]
fn a_new_pair_of_a_foundation_that_works_is_not_frozen() {
    let mut scene = scene();
    scene.tell("1 1 UDP 1000000000 198.51.100.1 6000 typ host");
    let check = scene.checks().remove(0);
    scene.reply(&check, Reply::Success);

    scene.tell("1 1 UDP 900000000 198.51.100.2 6000 typ host");

    assert_ne!(scene.pair_state(theirs(1)), PairState::Frozen);
}

/// TRK-12-1.
#[test]
fn a_new_pair_that_is_topmost_of_its_foundation_is_not_frozen() {
    let mut scene = scene();
    scene.tell("9 1 UDP 2100000000 198.51.100.9 6000 typ host");
    scene.tell("1 1 UDP 1000000000 198.51.100.1 6000 typ host");
    assert_eq!(scene.pair_state(theirs(0)), PairState::Waiting, "its turn has not come");

    scene.tell("1 1 UDP 1100000000 198.51.100.2 6000 typ host");

    assert_eq!(scene.pair_state(theirs(1)), PairState::Waiting);
}

/// ICE-6.1.4.2-4, ICE-6.1.2.3-2.
#[test]
fn the_highest_priority_goes_first() {
    let mut scene = scene();
    for (n, priority) in [(1, 100), (2, 300), (3, 200), (4, 400)] {
        scene.tell(&format!("{n} 1 UDP {priority} 198.51.100.{n} 6000 typ host"));
    }
    scene.run(millis(160));
    let order = order(&mut scene);
    // The first went out when nothing else was known.
    assert_eq!(order, [theirs(0), theirs(3), theirs(1), theirs(2)]);
}

/// ICE-6.1.4.1-1, ICE-6.1.4.2-2, ICE-7.3.1.4-4: first come, first served, before all others, each once.
#[test]
fn pairs_that_the_peer_checks_go_first_in_its_order() {
    let mut scene = scene();
    for n in 1..=6 {
        scene.tell(&format!("{n} 1 UDP {} 198.51.100.{n} 6000 typ host", 1000 - n));
    }
    for n in [4, 5, 4] {
        scene.check_from(theirs(n), false);
    }
    scene.run(millis(260));
    let order = order(&mut scene);
    assert_eq!(order, [theirs(0), theirs(4), theirs(5), theirs(1), theirs(2), theirs(3)]);
}

/// ICE-7.3.1.4-2.
#[test]
fn a_pair_that_works_is_not_checked_because_the_peer_checks_it() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    scene.run_answering(millis(100), |_| Reply::Success);
    scene.checks();
    scene.check_from(theirs(0), false);
    scene.run(millis(1000));
    assert!(scene.checks().is_empty());
}

/// ICE-6.1.4.2-1, TRK-8-2: nothing to check costs no time.
#[test]
fn the_first_check_goes_out_at_once_and_so_does_one_after_a_rest() {
    let mut scene = scene();
    scene.run(millis(12_345));
    scene.hint(theirs(0));
    assert_eq!(scene.checks()[0].sent.at, scene.now);
}

/// ICE-6.1.2.4-2: one pair for one way.
#[test]
fn a_candidate_that_comes_twice_makes_one_pair() {
    let mut scene = scene();
    scene.hint(theirs(0));
    scene.tell("77 1 UDP 5 198.51.100.1 6000 typ srflx raddr 10.0.0.1 rport 6000");
    assert_eq!(scene.pairs(theirs(0)).len(), 1);
    scene.hint(addr("[::ffff:198.51.100.1]:6000"));
    assert_eq!(scene.agent.stats().pairs.len(), 1, "the same address in disguise");
}
