//! Places within places: carriers' NATs, two families, hosts that move, things unplugged.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_netsim::{BindError, Delivery, Fate, Hairpin, Link, NatBehaviour, Network, Place, Rewrite};

const SOON: Duration = Duration::from_secs(1);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn next(network: &mut Network) -> Option<Delivery> {
    let limit = network.now() + SOON;
    network.step(limit)
}

#[test]
fn a_home_behind_a_carrier_is_translated_twice_each_way() {
    let mut network = Network::new([2; 32]);
    let server = network.add_host("server", &[ip("203.0.113.1")]);
    let carrier = network.add_nat("carrier", ip("198.51.100.1"), NatBehaviour::full_cone());
    let home =
        network.add_nat_behind(carrier, "home", ip("100.64.0.2"), NatBehaviour::port_restricted_cone());
    let alice = network.add_host_behind(home, "alice", &[ip("192.168.1.2")]);
    let there = network.bind(server, at("203.0.113.1:3478")).unwrap();
    let here = network.bind(alice, at("192.168.1.2:5000")).unwrap();

    network.send(here, there.local_addr(), b"ping");
    let ping = next(&mut network).unwrap();
    assert_eq!(ping.from, at("198.51.100.1:40000"));
    assert_eq!(ping.at, Duration::from_millis(20), "two hosts' links and two uplinks");
    network.send(there, ping.from, b"pong");
    let pong = next(&mut network).unwrap();
    assert_eq!((pong.socket, pong.from, pong.to), (here, there.local_addr(), here.local_addr()));

    let [out, back] = network.trace().entries() else { panic!("two packets were sent") };
    assert_eq!(
        out.path,
        [
            Rewrite::Source { nat: home, to: at("100.64.0.2:41000") },
            Rewrite::Source { nat: carrier, to: at("198.51.100.1:40000") },
        ]
    );
    assert_eq!(
        back.path,
        [
            Rewrite::Destination { nat: carrier, to: at("100.64.0.2:41000") },
            Rewrite::Destination { nat: home, to: at("192.168.1.2:5000") },
        ]
    );
}

#[test]
fn the_stricter_of_two_nats_decides() {
    for (outer, inner) in [
        (NatBehaviour::full_cone(), NatBehaviour::port_restricted_cone()),
        (NatBehaviour::port_restricted_cone(), NatBehaviour::full_cone()),
    ] {
        let mut network = Network::new([2; 32]);
        let server = network.add_host("server", &[ip("203.0.113.1")]);
        let carrier = network.add_nat("carrier", ip("198.51.100.1"), outer);
        let home = network.add_nat_behind(carrier, "home", ip("100.64.0.2"), inner);
        let alice = network.add_host_behind(home, "alice", &[ip("192.168.1.2")]);
        let known = network.bind(server, at("203.0.113.1:1")).unwrap();
        let stranger = network.bind(server, at("203.0.113.1:2")).unwrap();
        let here = network.bind(alice, at("192.168.1.2:5000")).unwrap();

        network.send(here, known.local_addr(), b"");
        let mapped = next(&mut network).unwrap().from;
        network.send(stranger, mapped, b"");
        assert_eq!(next(&mut network), None, "{outer} before {inner}");
        network.send(known, mapped, b"");
        assert!(next(&mut network).is_some(), "{outer} before {inner}");
    }
}

#[test]
fn two_homes_of_one_carrier_with_the_same_inside_address_meet_by_its_hairpin() {
    let mut network = Network::new([2; 32]);
    let server = network.add_host("server", &[ip("203.0.113.1")]);
    let hairpins = NatBehaviour { hairpin: Hairpin::Yes, ..NatBehaviour::full_cone() };
    let carrier = network.add_nat("carrier", ip("198.51.100.1"), hairpins);
    let there = network.bind(server, at("203.0.113.1:3478")).unwrap();
    let [(alice, _), (bob, bobs)] = ["100.64.0.2", "100.64.0.3"].map(|public| {
        let home = network.add_nat_behind(carrier, public, ip(public), NatBehaviour::full_cone());
        let host = network.add_host_behind(home, "host", &[ip("192.168.1.2")]);
        let socket = network.bind(host, at("192.168.1.2:5000")).unwrap();
        network.send(socket, there.local_addr(), b"");
        (socket, next(&mut network).unwrap().from)
    });
    assert_eq!(alice.local_addr(), bob.local_addr());

    network.send(alice, bobs, b"neighbour!");
    let heard = next(&mut network).unwrap();
    assert_eq!((heard.socket, heard.from), (bob, at("198.51.100.1:40000")));
}

#[test]
fn a_private_address_is_not_known_outside() {
    let mut network = Network::new([2; 32]);
    let stranger = network.add_host("stranger", &[ip("203.0.113.1")]);
    let home = network.add_nat("home", ip("198.51.100.1"), NatBehaviour::full_cone());
    let alice = network.add_host_behind(home, "alice", &[ip("192.168.1.2")]);
    let own = network.bind(alice, at("192.168.1.2:5000")).unwrap();
    let other = network.bind(stranger, at("203.0.113.1:1")).unwrap();
    network.send(other, own.local_addr(), b"");
    assert_eq!(next(&mut network), None);
    assert_eq!(network.trace().entries()[0].fate, Fate::NoRoute);
}

#[test]
fn a_home_translates_ipv4_and_guards_ipv6() {
    let mut network = Network::new([2; 32]);
    let server = network.add_host("server", &[ip("203.0.113.1"), ip("2001:db8:1::1")]);
    let home = network.add_nat("home", ip("198.51.100.1"), NatBehaviour::port_restricted_cone());
    let inside = [ip("192.168.1.2"), ip("2001:db8:2::2"), ip("fe80::2")];
    let alice = network.add_host_behind(home, "alice", &inside);
    let there = network.bind(server, at("[2001:db8:1::1]:1")).unwrap();
    let here = network.bind(alice, at("[2001:db8:2::2]:5000")).unwrap();

    network.send(there, here.local_addr(), b"uninvited");
    assert_eq!(next(&mut network), None);
    assert_eq!(network.trace().entries()[0].fate, Fate::Filtered(home));
    network.send(here, there.local_addr(), b"invitation");
    assert_eq!(next(&mut network).unwrap().from, here.local_addr());
    network.send(there, here.local_addr(), b"invited");
    assert_eq!(next(&mut network).unwrap().socket, here);

    let link_local = network.bind(alice, at("[fe80::2]:5000")).unwrap();
    network.send(link_local, there.local_addr(), b"");
    network.send(there, link_local.local_addr(), b"");
    assert_eq!(next(&mut network), None);
    let fates: Vec<Fate> = network.trace().entries().iter().rev().take(2).map(|entry| entry.fate).collect();
    assert_eq!(fates, [Fate::NoRoute, Fate::NoRoute]);
}

#[test]
fn neighbours_speak_directly() {
    let mut network = Network::new([2; 32]);
    let home = network.add_nat("home", ip("198.51.100.1"), NatBehaviour::symmetric());
    let [alice, bob] = ["192.168.1.2", "192.168.1.3"].map(|own| {
        let host = network.add_host_behind(home, own, &[ip(own)]);
        network.bind(host, SocketAddr::new(ip(own), 5000)).unwrap()
    });
    network.send(alice, bob.local_addr(), b"");
    let heard = next(&mut network).unwrap();
    assert_eq!((heard.socket, heard.from), (bob, alice.local_addr()));
}

#[test]
fn a_host_speaks_with_itself_also_when_unplugged() {
    let mut network = Network::new([2; 32]);
    let alice = network.add_host("alice", &[ip("203.0.113.1")]);
    let bob = network.add_host("bob", &[ip("203.0.113.2"), ip("127.0.0.1")]);
    let outer = network.bind(alice, at("203.0.113.1:1")).unwrap();
    let inner = network.bind(alice, at("127.0.0.1:1")).unwrap();
    let others = network.bind(bob, at("127.0.0.1:1")).unwrap();
    network.set_up(alice, false);
    for (from, to) in [(outer, outer), (outer, inner), (inner, inner), (others, others)] {
        network.send(from, to.local_addr(), b"");
        assert_eq!(next(&mut network).map(|delivery| delivery.socket), Some(to));
    }
    network.send(others, outer.local_addr(), b"");
    assert_eq!(network.trace().entries().last().unwrap().fate, Fate::NoRoute);
}

#[test]
fn an_unplugged_node_loses_what_it_sends_and_what_arrives() {
    let mut network = Network::new([2; 32]);
    let server = network.add_host("server", &[ip("203.0.113.1")]);
    let home = network.add_nat("home", ip("198.51.100.1"), NatBehaviour::full_cone());
    let alice = network.add_host_behind(home, "alice", &[ip("192.168.1.2")]);
    let there = network.bind(server, at("203.0.113.1:1")).unwrap();
    let here = network.bind(alice, at("192.168.1.2:1")).unwrap();
    let fate = |network: &mut Network, from, to| {
        network.send(from, to, b"");
        let _ = next(network);
        network.trace().entries().last().unwrap().fate
    };
    network.send(here, there.local_addr(), b"");
    let mapped = next(&mut network).unwrap().from;

    network.set_up(alice, false);
    assert_eq!(fate(&mut network, here, there.local_addr()), Fate::Down(alice.into()));
    assert_eq!(fate(&mut network, there, mapped), Fate::Down(alice.into()));
    network.set_up(alice, true);
    network.set_up(home, false);
    assert_eq!(fate(&mut network, here, there.local_addr()), Fate::Down(home.into()));
    assert_eq!(fate(&mut network, there, mapped), Fate::Down(home.into()));
    network.set_up(home, true);
    assert_eq!(fate(&mut network, there, mapped), Fate::Delivered(alice), "the mapping is remembered");
}

#[test]
fn a_host_moves_from_one_network_to_another() {
    let mut network = Network::new([2; 32]);
    let server = network.add_host("server", &[ip("203.0.113.1")]);
    let wifi = network.add_nat("wifi", ip("198.51.100.1"), NatBehaviour::port_restricted_cone());
    let cell = network.add_nat("cell", ip("198.51.100.2"), NatBehaviour::symmetric());
    let phone = network.add_host_behind(wifi, "phone", &[ip("192.168.1.2")]);
    let there = network.bind(server, at("203.0.113.1:1")).unwrap();
    let old = network.bind(phone, at("192.168.1.2:0")).unwrap();
    network.send(old, there.local_addr(), b"");
    let old_mapped = next(&mut network).unwrap().from;

    network.add_address(phone, Place::Behind(cell), ip("10.0.0.2"));
    network.remove_address(phone, ip("192.168.1.2"));
    let new = network.bind(phone, at("10.0.0.2:0")).unwrap();
    network.send(old, there.local_addr(), b"");
    network.send(there, old_mapped, b"");
    network.send(new, there.local_addr(), b"");
    assert_eq!(next(&mut network).unwrap().from.ip(), ip("198.51.100.2"));
    assert_eq!(next(&mut network), None);
    let fates: Vec<Fate> = network.trace().entries().iter().skip(1).map(|entry| entry.fate).collect();
    assert_eq!(fates, [Fate::NoRoute, Fate::NoRoute, Fate::Delivered(server)]);
}

#[test]
fn a_packet_on_its_way_to_an_address_that_leaves_arrives_nowhere() {
    let mut network = Network::new([2; 32]);
    let alice = network.add_host("alice", &[ip("203.0.113.1")]);
    let bob = network.add_host("bob", &[ip("203.0.113.2")]);
    let from = network.bind(alice, at("203.0.113.1:1")).unwrap();
    let to = network.bind(bob, at("203.0.113.2:1")).unwrap();
    network.send(from, to.local_addr(), b"");
    // On the last link: found in the public network after 5 ms, due at the host after 10.
    assert_eq!(network.step(Duration::from_millis(7)), None);
    network.remove_address(bob, to.local_addr().ip());
    assert_eq!(next(&mut network), None);
    assert_eq!(network.trace().entries()[0].fate, Fate::NoRoute);
}

#[test]
fn an_address_that_leaves_is_forgotten_behind_firewalls_too_but_not_if_taken_over() {
    let mut network = Network::new([2; 32]);
    let outside = network.add_host("outside", &[ip("203.0.113.1")]);
    let wall = network.add_nat("wall", ip("198.51.100.1"), NatBehaviour::firewall());
    let old = network.add_host_behind(wall, "old", &[ip("198.51.100.2")]);
    let from = network.bind(outside, at("203.0.113.1:1")).unwrap();
    let fate = |network: &mut Network| {
        network.send(from, at("198.51.100.2:1"), b"");
        let _ = next(network);
        network.trace().entries().last().unwrap().fate
    };
    assert_eq!(fate(&mut network), Fate::Filtered(wall));
    let new = network.add_host("new", &[ip("198.51.100.2")]);
    assert_eq!(fate(&mut network), Fate::NoSocket(new));
    network.remove_address(old, ip("198.51.100.2"));
    assert_eq!(fate(&mut network), Fate::NoSocket(new));
    network.remove_address(new, ip("198.51.100.2"));
    assert_eq!(fate(&mut network), Fate::NoRoute);
}

#[test]
fn one_socket_on_all_addresses_hears_which_was_meant() {
    let mut network = Network::new([2; 32]);
    let server = network.add_host("server", &[ip("203.0.113.1"), ip("203.0.113.2"), ip("2001:db8::1")]);
    let alice = network.add_host("alice", &[ip("203.0.113.9")]);
    let all = network.bind(server, at("0.0.0.0:3478")).unwrap();
    let here = network.bind(alice, at("203.0.113.9:1")).unwrap();
    network.send(here, at("203.0.113.2:3478"), b"");
    let heard = next(&mut network).unwrap();
    assert_eq!((heard.socket, heard.to), (all, at("203.0.113.2:3478")));
    network.send(all, here.local_addr(), b"");
    assert_eq!(next(&mut network).unwrap().from, at("203.0.113.1:3478"));
}

#[test]
fn a_closed_socket_neither_sends_nor_hears() {
    let mut network = Network::new([2; 32]);
    let alice = network.add_host("alice", &[ip("203.0.113.1")]);
    let bob = network.add_host("bob", &[ip("203.0.113.2")]);
    let from = network.bind(alice, at("203.0.113.1:1")).unwrap();
    let to = network.bind(bob, at("203.0.113.2:1")).unwrap();
    network.send(from, to.local_addr(), b"too late");
    network.close(to);
    assert_eq!(next(&mut network), None);
    assert_eq!(network.trace().entries()[0].fate, Fate::NoSocket(bob));
    network.send(to, from.local_addr(), b"from the grave");
    assert_eq!(network.trace().entries().len(), 1);
    assert_ne!(network.bind(bob, to.local_addr()).unwrap(), to);
}

#[test]
fn ids_of_another_network_name_nothing() {
    let mut other = Network::new([2; 32]);
    let host = other.add_host("host", &[ip("203.0.113.1")]);
    let nat = other.add_nat("nat", ip("198.51.100.1"), NatBehaviour::full_cone());
    let socket = other.bind(host, at("203.0.113.1:1")).unwrap();

    let mut network = Network::new([2; 32]);
    assert_eq!(network.bind(host, at("203.0.113.1:1")), Err(BindError::NoSuchHost));
    network.send(socket, at("203.0.113.1:1"), b"");
    network.close(socket);
    network.set_link(nat, Link::default());
    network.set_up(host, false);
    network.reboot(nat);
    network.add_address(host, Place::Public, ip("203.0.113.1"));
    network.remove_address(host, ip("203.0.113.1"));
    assert!(network.trace().entries().is_empty());

    let stranded = network.add_host_behind(nat, "stranded", &[ip("192.168.1.2")]);
    let socket = network.bind(stranded, at("192.168.1.2:1")).unwrap();
    network.send(socket, at("203.0.113.1:1"), b"");
    assert_eq!(next(&mut network), None);
    assert_eq!(network.trace().entries()[0].fate, Fate::NoRoute);
}
