//! What servers and their configuration can do to a connection.

use std::time::Duration;

use floe_ice_agent::{Config, ConnectionState, Role, TransportPolicy};
use support::{AgentId, Place, World};

const SECOND: Duration = Duration::from_secs(1);

fn relay_only(role: Role) -> Config {
    Config::new(role)
        .with_policy(TransportPolicy::Relay)
        .with_server(World::turn())
        .with_server(World::turn())
}

fn all_completed(world: &World, ids: [AgentId; 2]) -> bool {
    ids.iter().all(|id| world.agent(*id).state() == ConnectionState::Completed)
}

/// RFC 8656 §3.2: one 5-tuple, one allocation.
#[test]
fn a_server_that_is_listed_twice_is_asked_once_and_the_relay_lives() {
    let mut world = World::new(1);
    world.add_server();
    let a = world.add_agent("alice", Place::Public, relay_only(Role::Controlling));
    let b = world.add_agent("bob", Place::Public, relay_only(Role::Controlled));
    world.connect(a, b);

    world.run_for(SECOND * 60);

    assert!(all_completed(&world, [a, b]));
    assert!(world.send(b, b"still there"));
    world.run_for(SECOND);
    assert_eq!(world.story(a).data, [b"still there"]);
}

#[test]
fn restarts_while_gathering_ask_no_server_twice() {
    let mut world = World::new(2);
    world.add_server();
    let a = world.add_agent("alice", Place::Public, relay_only(Role::Controlling));
    let b = world.add_agent("bob", Place::Public, relay_only(Role::Controlled));
    world.command(a, |agent, now| {
        agent.gather(now);
        for _ in 0..100 {
            agent.restart(now).unwrap();
        }
    });
    world.connect(a, b);

    assert!(world.run_until(SECOND * 10, |world| all_completed(world, [a, b])));
    world.run_for(SECOND * 900);
    assert!(all_completed(&world, [a, b]), "the allocation is refreshed");
    assert!(world.packets_sent(a) < 2_000, "{} packets in fifteen minutes", world.packets_sent(a));
}

/// The relay that both sides talk through forgets them: the connection fails, for its path is gone, but the relays are
/// there again, and ICE restarts over them.
#[test]
fn after_a_server_has_restarted_so_can_ice() {
    let mut world = World::new(3);
    world.add_server();
    let a = world.add_agent("alice", Place::Public, relay_only(Role::Controlling));
    let b = world.add_agent("bob", Place::Public, relay_only(Role::Controlled));
    world.connect(a, b);
    assert!(world.run_until(SECOND * 10, |world| all_completed(world, [a, b])));
    let before = world.selected(a).unwrap().local.address;

    world.restart_server();
    let gone = |world: &World| world.since(a, ConnectionState::Failed).is_some();
    assert!(world.run_until(SECOND * 600, gone));
    world.run_for(SECOND * 60);
    world.restart(a);

    assert!(world.run_until(SECOND * 60, |world| all_completed(world, [a, b])));
    assert_ne!(world.selected(a).unwrap().local.address, before);
    assert!(world.send(a, b"again"));
    world.run_for(SECOND);
    assert_eq!(world.story(b).data, [b"again"]);
}
