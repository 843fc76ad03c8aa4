//! What a connection costs: two agents from nothing to both nominated on the virtual network; time and
//! allocations, network and all.
//!
//! `cargo bench --bench connect`
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has failed")]

use std::time::Duration;

use divan::{AllocProfiler, Bencher};
use floe_ice_agent::{ComponentId, Config, ConnectionState, Credentials, Role};
use floe_netsim::{Filtering, Mapping, NatBehaviour};
use floe_stun::attribute::{IceControlled, Priority, Username};
use floe_stun::{
    Class, Input, Integrity, Key, MAX_TRANSMIT, Machine, Method, Output, Received, SocketId, Template,
    TransactionId,
};
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

/// A check in the data phase: judged, believed, and its answer written.
#[divan::bench(sample_size = 100)]
fn answer_a_check(bencher: Bencher<'_, '_>) {
    let (mut world, a, b) = connect(Place::Public, Config::new);
    let from = world.selected(a).unwrap().remote.address;
    let checks = checks(world.agent(a).local_credentials(), world.agent(b).local_credentials());
    let (mut checks, mut buf) = (checks.iter().cycle(), [0; MAX_TRANSMIT]);
    world.command(a, |agent, now| {
        bencher.bench_local(|| {
            let data = checks.next().unwrap();
            let verdict = agent.handle_input(now, Input::Datagram { socket: SocketId(0), from, data });
            assert!(matches!(verdict, Received::Consumed));
            while !matches!(agent.poll_output(&mut buf), Output::Wait { .. } | Output::Idle) {}
        });
    });
}

/// As many as no agent remembers.
fn checks(theirs: &Credentials, ours: &Credentials) -> Vec<Vec<u8>> {
    let key = Key::short_term(theirs.pwd.reveal());
    let check = Template::new(Class::Request, Method::BINDING, |builder| {
        builder
            .attribute(&Username(&format!("{}:{}", theirs.ufrag, ours.ufrag)))
            .attribute(&IceControlled(1))
            .attribute(&Priority(1_862_270_975))
    });
    let check = check.unwrap().signed(key, Integrity::Sha1).with_fingerprint();
    let write = |n| check.write(&mut [0; MAX_TRANSMIT], TransactionId::from([n; 12])).unwrap().to_vec();
    (0..=u8::MAX).map(write).collect()
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
