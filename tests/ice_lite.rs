//! A full agent behind a NAT and a lite agent on a public address: the common case of servers.

use std::time::Duration;

use floe_ice_agent::{CandidateKind, Config, ConnectionState, Role};
use floe_netsim::{Filtering, Mapping, NatBehaviour};
use support::{AgentId, Place, World};

const SECOND: Duration = Duration::from_secs(1);

fn couple(world: &mut World) -> (AgentId, AgentId) {
    let nat = NatBehaviour::new(Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent);
    let full = world.add_agent("full", Place::Behind(nat), Config::new(Role::Controlled));
    let lite = world.add_agent("lite", Place::Public, Config::new(Role::Controlling).with_lite(true));
    world.connect(full, lite);
    (full, lite)
}

/// ICE-6.1.1-2, ICE-7.3.2-1, ICE-8.2-1: behind the strictest NAT, without any server.
#[test]
fn a_full_agent_reaches_a_lite_one_and_both_use_one_pair() {
    let mut world = World::new(1);
    let (full, lite) = couple(&mut world);
    let done =
        |world: &World| [full, lite].iter().all(|id| world.agent(*id).state() == ConnectionState::Completed);
    assert!(world.run_until(SECOND, done), "{}", world.net.trace());
    assert_eq!(world.agent(full).role(), Role::Controlling);
    assert_eq!(world.selected(full).unwrap().local.kind, CandidateKind::PeerReflexive);
    assert_eq!(world.selected(lite).unwrap().remote.kind, CandidateKind::PeerReflexive);

    assert!(world.send(full, b"hello") && world.send(lite, b"hello to you"));
    world.run_for(SECOND);
    assert_eq!(world.story(lite).data, [b"hello"]);
    assert_eq!(world.story(full).data, [b"hello to you"]);
}

/// CON-5.1-4: the full agent's questions keep both sides content for an hour.
#[test]
fn an_idle_hour_is_no_trouble() {
    let mut world = World::new(2);
    let (full, lite) = couple(&mut world);
    world.run_for(SECOND * 3600);
    for id in [full, lite] {
        assert_eq!(world.agent(id).state(), ConnectionState::Completed);
        assert!(world.since(id, ConnectionState::Disconnected).is_none());
    }
}

/// CON-5.1-3 on the side that only listens.
#[test]
fn a_lite_agent_misses_a_peer_that_is_gone() {
    let mut world = World::new(3);
    let (full, lite) = couple(&mut world);
    world.run_for(SECOND * 2);
    world.unplug(full);
    assert!(world.run_until(SECOND * 37, |world| world.agent(lite).state() == ConnectionState::Failed));
    assert!(!world.send(lite, b"to nobody"));
}
