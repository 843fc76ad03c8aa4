//! Two agents that both think the same of their role, through real NATs and real delays.

use std::time::Duration;

use floe_ice_agent::{Config, ConnectionState, Event, Role};
use floe_netsim::{Filtering, Mapping, NatBehaviour};
use support::{Place, World};

const SECOND: Duration = Duration::from_secs(1);

/// ICE-7.3.1.1-1, ICE-7.3.1.1-2, ICE-7.2.5.1-1: whoever has the larger tie-breaker, whoever asks first.
#[test]
fn equal_roles_end_opposite_and_connected() {
    let nat = NatBehaviour::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent);
    for role in [Role::Controlling, Role::Controlled] {
        for place in [Place::Public, Place::Behind(nat)] {
            for seed in 0..8 {
                let mut world = World::new(seed);
                world.add_server();
                let config = Config::new(role).with_server(World::stun());
                let a = world.add_agent("alice", place, config.clone());
                let b = world.add_agent("bob", place, config);
                world.connect(a, b);

                let done = |world: &World| {
                    [a, b].iter().all(|id| world.agent(*id).state() == ConnectionState::Completed)
                };
                assert!(
                    world.run_until(SECOND * 5, done),
                    "{role:?} {place:?} {seed}\n{}",
                    world.net.trace()
                );
                assert_eq!(world.agent(a).role(), world.agent(b).role().other());
                let changes = |id| {
                    let events = world.story(id).events.iter();
                    events.filter(|(_, event)| matches!(event, Event::Role(_))).count()
                };
                assert_eq!(changes(a) + changes(b), 1, "one of them yields, and once");
                let (ours, theirs) = (world.selected(a).unwrap(), world.selected(b).unwrap());
                assert_eq!(ours.local.address, theirs.remote.address);
                assert_eq!(ours.remote.address, theirs.local.address);
            }
        }
    }
}

/// ICE-6.1.1-4: the roles that were found hold after a restart, without another conflict.
#[test]
fn a_restart_after_a_conflict_has_none() {
    let mut world = World::new(1);
    let a = world.add_agent("alice", Place::Public, Config::new(Role::Controlling));
    let b = world.add_agent("bob", Place::Public, Config::new(Role::Controlling));
    world.connect(a, b);
    world.run_for(SECOND * 2);
    let roles = (world.agent(a).role(), world.agent(b).role());

    world.restart(a);
    world.run_for(SECOND * 2);

    assert_eq!((world.agent(a).role(), world.agent(b).role()), roles);
    assert_eq!(world.agent(a).state(), ConnectionState::Completed);
    assert_eq!(world.agent(b).state(), ConnectionState::Completed);
}
