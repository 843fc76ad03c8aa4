//! Two agents find each other: the road once, on a virtual network.
#![expect(clippy::unwrap_used, reason = "what is missing is a failed test")]

use std::time::Duration;

use floe_ice_agent::{
    Candidate, CandidateKind, ComponentId, Config, ConnectionState, Event, Role, SelectedReason,
    TransportPolicy,
};
use floe_netsim::{Filtering, Mapping, NatBehaviour};
use support::{AgentId, Place, World};

const SECOND: Duration = Duration::from_secs(1);

fn config(role: Role) -> Config {
    Config::new(role).with_server(World::stun()).with_server(World::turn())
}

fn couple(world: &mut World, place: Place, config: impl Fn(Role) -> Config) -> (AgentId, AgentId) {
    world.add_server();
    let a = world.add_agent("alice", place, config(Role::Controlling));
    let b = world.add_agent("bob", place, config(Role::Controlled));
    world.connect(a, b);
    (a, b)
}

fn both(world: &World, (a, b): (AgentId, AgentId), state: ConnectionState) -> bool {
    world.agent(a).state() == state && world.agent(b).state() == state
}

fn kinds(world: &World, id: AgentId) -> (CandidateKind, CandidateKind) {
    let pair = world.selected(id).unwrap();
    (pair.local.kind, pair.remote.kind)
}

#[test]
fn two_public_hosts_connect_in_one_and_a_half_round_trips() {
    let mut world = World::new(1);
    let pair = couple(&mut world, Place::Public, Config::new);

    assert!(world.run_until(SECOND, |world| both(world, pair, ConnectionState::Completed)));

    assert_eq!(kinds(&world, pair.0), (CandidateKind::Host, CandidateKind::Host));
    // 20 ms of signalling, then three one-way trips of 10 ms, then the answer that tells the last of them.
    let done = world.since(pair.1, ConnectionState::Completed).unwrap();
    assert!(done.as_nanos() <= 100_000_000, "{done}\n{}", world.net.trace());
}

#[test]
fn states_come_in_order_and_each_once() {
    let mut world = World::new(2);
    let pair = couple(&mut world, Place::Public, config);
    world.run_for(SECOND * 10);

    for id in [pair.0, pair.1] {
        let states: Vec<_> = world
            .story(id)
            .events
            .iter()
            .filter_map(|(_, event)| if let Event::State { state, .. } = event { Some(*state) } else { None })
            .collect();
        assert_eq!(
            states,
            [ConnectionState::Checking, ConnectionState::Connected, ConnectionState::Completed]
        );
    }
}

#[test]
fn behind_two_strict_nats_the_relay_carries_the_data() {
    let mut world = World::new(3);
    let symmetric = NatBehaviour::new(Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent);
    let pair = couple(&mut world, Place::Behind(symmetric), config);

    assert!(world.run_until(SECOND * 5, |world| both(world, pair, ConnectionState::Completed)));
    let (local, remote) = kinds(&world, pair.0);
    assert!(local == CandidateKind::Relayed || remote == CandidateKind::Relayed, "{local} {remote}");

    assert!(world.send(pair.0, b"over the relay"));
    assert!(world.send(pair.1, b"and back"));
    world.run_for(SECOND);
    assert_eq!(world.story(pair.1).data, [b"over the relay"]);
    assert_eq!(world.story(pair.0).data, [b"and back"]);
}

#[test]
fn relay_only_agents_tell_nobody_where_they_are() {
    let mut world = World::new(4);
    let port_restricted = NatBehaviour::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent);
    let relay_only = |role| config(role).with_policy(TransportPolicy::Relay);
    let pair = couple(&mut world, Place::Behind(port_restricted), relay_only);

    assert!(world.run_until(SECOND * 5, |world| both(world, pair, ConnectionState::Completed)));

    let told = |id| {
        let events = world.story(id).events.iter();
        events.filter_map(|(_, event)| if let Event::Candidate(c) = event { Some(c.clone()) } else { None })
    };
    let hides =
        |c: Candidate| c.kind == CandidateKind::Relayed && c.to_string().contains("raddr 0.0.0.0 rport 9");
    assert!(told(pair.0).chain(told(pair.1)).all(hides));
    assert_eq!(kinds(&world, pair.0), (CandidateKind::Relayed, CandidateKind::Relayed));
}

#[test]
fn consent_keeps_an_idle_pair_for_an_hour_at_a_packet_every_few_seconds() {
    let mut world = World::new(5);
    let pair = couple(&mut world, Place::Public, Config::new);
    world.run_for(SECOND * 3600);

    assert!(both(&world, pair, ConnectionState::Completed));
    let requests = world.agent(pair.0).stats().pairs[0].counters.consent_requests_sent;
    assert!((600..=900).contains(&requests), "{requests} in an hour");
}

#[test]
fn an_unplugged_peer_is_missed_within_nine_seconds_and_given_up_after_thirty() {
    let mut world = World::new(6);
    let pair = couple(&mut world, Place::Public, Config::new);
    world.run_for(SECOND * 2);
    world.unplug(pair.1);
    let start = world.net.now();

    assert!(
        world.run_until(SECOND * 60, |world| world.agent(pair.0).state() == ConnectionState::Disconnected)
    );
    assert!(world.net.now() - start <= SECOND * 9);
    assert!(world.run_until(SECOND * 60, |world| world.agent(pair.0).state() == ConnectionState::Failed));
    assert!(world.net.now() - start <= SECOND * 31);
    assert!(!world.send(pair.0, b"no consent"));
}

#[test]
fn a_short_outage_heals_without_a_restart() {
    let mut world = World::new(7);
    let pair = couple(&mut world, Place::Public, Config::new);
    world.run_for(SECOND * 2);
    world.unplug(pair.1);
    world.run_for(SECOND * 20);
    world.plug(pair.1);

    assert!(world.run_until(SECOND * 3, |world| both(world, pair, ConnectionState::Completed)));
}

#[test]
fn a_restart_carries_data_on_the_old_path_until_the_new_one_stands() {
    let mut world = World::new(8);
    let pair = couple(&mut world, Place::Public, config);
    world.run_for(SECOND * 2);
    let before = world.agent(pair.0).local_credentials().ufrag.clone();

    world.restart(pair.0);
    let mut sent = 0;
    while world.net.now() < SECOND * 4 {
        assert!(world.send(pair.0, &[0x80, 1, 2, 3]), "at {:?}", world.net.now());
        sent += 1;
        world.run_for(Duration::from_millis(10));
    }

    assert_ne!(world.agent(pair.0).local_credentials().ufrag, before);
    assert!(both(&world, pair, ConnectionState::Completed));
    world.run_for(SECOND);
    assert_eq!(world.story(pair.1).data.len(), sent);
}

#[test]
fn without_any_path_both_give_up_after_patience_and_say_why() {
    let mut world = World::new(9);
    let symmetric = NatBehaviour::new(Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent);
    let pair = couple(&mut world, Place::Behind(symmetric), Config::new);

    assert!(world.run_until(SECOND * 90, |world| both(world, pair, ConnectionState::Failed)));
    assert!(world.net.now() >= Duration::from_millis(39_500), "patience: {:?}", world.net.now());
    assert!(world.net.now() <= SECOND * 50, "{:?}", world.net.now());
}

#[test]
fn the_current_pair_is_the_best_that_works_and_then_the_nominated_one() {
    let mut world = World::new(10);
    let pair = couple(&mut world, Place::Public, Config::new);
    let current = |world: &World| world.agent(pair.0).current_pair(ComponentId::FIRST);
    assert!(current(&world).is_none());

    assert!(world.run_until(SECOND, |world| world.agent(pair.0).state() == ConnectionState::Connected));
    assert_eq!(current(&world).unwrap().why, SelectedReason::BestSoFar);
    assert!(world.selected(pair.0).is_none());

    assert!(world.run_until(SECOND, |world| both(world, pair, ConnectionState::Completed)));
    assert_eq!(current(&world), world.selected(pair.0));
}
