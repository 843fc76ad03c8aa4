//! What a connection costs: two agents from nothing to both nominated on the virtual network; time and
//! allocations, network and all.
//!
//! `cargo bench --bench connect`
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has failed")]

use std::time::Duration;

use divan::{AllocProfiler, Bencher};
use floe_ice_agent::{ComponentId, Config, ConnectionState, Role};
use floe_netsim::{Filtering, Mapping, NatBehaviour};
use support::{AgentId, Place, World};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench]
fn two_public_hosts() {
    connect(Place::Public, Config::new);
}

#[divan::bench]
fn two_port_restricted_nats() {
    let nat = NatBehaviour::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent);
    connect(Place::Behind(nat), with_servers);
}

#[divan::bench]
fn two_symmetric_nats_over_the_relay() {
    let nat = NatBehaviour::new(Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent);
    connect(Place::Behind(nat), with_servers);
}

#[divan::bench]
fn an_idle_minute_with_consent(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| connect(Place::Public, Config::new))
        .bench_local_values(|(mut world, ..)| world.run_for(Duration::from_secs(60)));
}

#[divan::bench]
fn plan_and_send_1200_bytes(bencher: Bencher<'_, '_>) {
    let (mut world, a, _) = connect(Place::Public, Config::new);
    bencher.bench_local(|| {
        world.command(a, |agent, now| agent.send_plan(now, ComponentId::FIRST, 1200)).unwrap();
    });
}

fn with_servers(role: Role) -> Config {
    Config::new(role).with_server(World::stun()).with_server(World::turn())
}

fn connect(place: Place, config: impl Fn(Role) -> Config) -> (World, AgentId, AgentId) {
    let mut world = World::new(1);
    world.add_server();
    let a = world.add_agent("alice", place, config(Role::Controlling));
    let b = world.add_agent("bob", place, config(Role::Controlled));
    world.connect(a, b);
    let done = |world: &World| [a, b].iter().all(|id| world.agent(*id).state() == ConnectionState::Completed);
    assert!(world.run_until(Duration::from_secs(10), done));
    (world, a, b)
}
