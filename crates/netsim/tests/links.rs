//! Loss, copies, delay and size by the seed; the same seed, the same world.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::net::SocketAddr;
use std::time::Duration;

use floe_netsim::{Direction, Fate, HostId, Link, NatBehaviour, Network, PortAllocation, Socket};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Two public hosts, one socket each.
fn pair(seed: u8) -> (Network, [HostId; 2], [Socket; 2]) {
    let mut network = Network::new([seed; 32]);
    let addresses = ["203.0.113.1:1000", "203.0.113.2:2000"].map(at);
    let hosts = addresses.map(|addr| network.add_host("host", &[addr.ip()]));
    let sockets = [0, 1].map(|i| network.bind(hosts[i], addresses[i]).unwrap());
    (network, hosts, sockets)
}

/// How many of `count` packets arrive, sent 1 ms apart.
fn arrivals(network: &mut Network, from: Socket, to: Socket, count: usize) -> usize {
    let mut heard = 0;
    for _ in 0..count {
        network.send(from, to.local_addr(), b"x");
        let limit = network.now() + Duration::from_millis(1);
        heard += std::iter::from_fn(|| network.step(limit)).count();
    }
    let limit = network.now() + Duration::from_secs(10);
    heard + std::iter::from_fn(|| network.step(limit)).count()
}

#[test]
fn loss_takes_its_part_each_way_and_not_the_same_part_for_every_seed() {
    let mut results = Vec::new();
    for seed in 0..8 {
        let (mut network, [alice, _], [here, there]) = pair(seed);
        network.set_link(alice, Link { loss: 0.3, ..Link::default() });
        for (from, to) in [(here, there), (there, here)] {
            let heard = arrivals(&mut network, from, to, 10_000);
            // 7000 expected; the standard deviation is 46.
            assert!((6_800..7_200).contains(&heard), "{heard}");
            results.push(heard);
        }
        let lost =
            network.trace().entries().iter().filter(|entry| entry.fate == Fate::Lost(alice.into())).count();
        assert_eq!(lost, 20_000 - results.iter().rev().take(2).sum::<usize>());
    }
    results.sort_unstable();
    results.dedup();
    assert!(results.len() > 8, "{results:?}");
}

#[test]
fn a_link_may_be_dead_one_way() {
    let (mut network, [alice, _], [here, there]) = pair(1);
    network.set_link_towards(alice, Direction::Out, Link { loss: 1.0, ..Link::default() });
    assert_eq!(arrivals(&mut network, here, there, 100), 0);
    assert_eq!(arrivals(&mut network, there, here, 100), 100);
}

#[test]
fn copies_arrive_and_are_marked() {
    let (mut network, [alice, bob], [here, there]) = pair(1);
    network.set_link(alice, Link { duplicate: 0.1, ..Link::default() });
    let heard = arrivals(&mut network, here, there, 10_000);
    assert!((10_900..11_100).contains(&heard), "{heard}");
    let trace = network.trace();
    assert_eq!(trace.entries().iter().filter(|entry| entry.copy).count(), heard - 10_000);
    assert_eq!((trace.counters(alice).sent, trace.counters(bob).received), (10_000, heard as u64));
}

#[test]
fn jitter_reorders_and_a_steady_link_does_not() {
    for (jitter, in_order) in [(Duration::ZERO, true), (Duration::from_millis(30), false)] {
        let (mut network, [alice, _], [here, there]) = pair(1);
        network.set_link(alice, Link { jitter, ..Link::default() });
        for n in 0..50u8 {
            network.send(here, there.local_addr(), &[n]);
        }
        let heard: Vec<u8> =
            std::iter::from_fn(|| network.step(Duration::from_secs(1)).map(|d| d.data[0])).collect();
        assert_eq!(heard.len(), 50);
        assert_eq!(heard.is_sorted(), in_order, "{heard:?}");
    }
}

#[test]
fn a_packet_too_big_for_the_link_with_its_headers_vanishes() {
    let (mut network, [_, bob], [here, there]) = pair(1);
    network.set_link(bob, Link { mtu: 576, ..Link::default() });
    for (size, arrives) in [(548, true), (549, false)] {
        network.send(here, there.local_addr(), &vec![0; size]);
        assert_eq!(network.step(network.now() + Duration::from_secs(1)).is_some(), arrives);
    }
    assert_eq!(network.trace().entries()[1].fate, Fate::TooBig(bob.into()));
}

#[test]
fn the_clock_moves_to_each_delivery_and_no_further_than_the_limit() {
    let (mut network, _, [here, there]) = pair(1);
    network.send(here, there.local_addr(), b"x");
    assert!(network.next_event().is_some_and(|at| at <= Duration::from_millis(10)));
    assert_eq!(network.step(Duration::from_micros(9_999)), None);
    assert_eq!(network.now(), Duration::from_micros(9_999));
    let delivery = network.step(Duration::from_secs(1)).unwrap();
    assert_eq!((delivery.at, network.now()), (Duration::from_millis(10), Duration::from_millis(10)));
    assert_eq!(network.next_event(), None);
    assert_eq!(network.step(Duration::from_secs(1)), None);
    assert_eq!(network.now(), Duration::from_secs(1));
}

/// A talk between two homes over bad links, with everything that draws from the seed.
fn eventful(seed: u8, payload: &[u8], keep: bool) -> Network {
    let mut network = Network::new([seed; 32]);
    network.keep_payloads(keep);
    let server = network.add_host("server", &[at("203.0.113.1:1").ip()]);
    let there = network.bind(server, at("203.0.113.1:1")).unwrap();
    for public in ["198.51.100.1:0", "198.51.100.2:0"] {
        let kind = NatBehaviour { ports: PortAllocation::Random, ..NatBehaviour::symmetric() };
        let home = network.add_nat("home", at(public).ip(), kind);
        let host = network.add_host_behind(home, "host", &[at("192.168.1.2:0").ip()]);
        let link = Link { jitter: Duration::from_millis(50), loss: 0.2, duplicate: 0.1, ..Link::default() };
        network.set_link(host, link);
        network.set_link(home, link);
        let here = network.bind(host, at("192.168.1.2:0")).unwrap();
        for _ in 0..50 {
            network.send(here, there.local_addr(), payload);
        }
    }
    while let Some(delivery) = network.step(Duration::from_secs(5)) {
        if delivery.socket == there {
            network.send(there, delivery.from, &delivery.data);
        }
    }
    network
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let [one, again, other] = [1, 1, 2].map(|seed| eventful(seed, b"x", false));
    assert_eq!(one.trace().hash(), again.trace().hash());
    assert_eq!(one.trace().to_string(), again.trace().to_string());
    assert_ne!(one.trace().hash(), other.trace().hash());
}

#[test]
fn the_trace_is_the_same_on_every_platform() {
    assert_eq!(eventful(1, b"x", false).trace().hash(), 2_479_568_645_720_780_348);
}

#[test]
fn payloads_count_in_the_hash_whether_kept_or_not() {
    let kept = eventful(1, b"x", true);
    let not = eventful(1, b"x", false);
    assert_eq!(kept.trace().hash(), not.trace().hash());
    assert_ne!(kept.trace().hash(), eventful(1, b"y", true).trace().hash());
    assert!(kept.trace().entries().iter().all(|entry| entry.payload.as_deref() == Some(b"x")));
    assert!(not.trace().entries().iter().all(|entry| entry.payload.is_none()));
}

#[test]
fn another_host_and_its_losses_do_not_disturb_the_luck_of_the_rest() {
    let fates = |with_stranger: bool| {
        let (mut network, [alice, _], [here, there]) = pair(1);
        network.set_link(alice, Link { loss: 0.5, jitter: Duration::from_millis(9), ..Link::default() });
        let stranger = with_stranger.then(|| {
            let host = network.add_host("stranger", &[at("203.0.113.3:3").ip()]);
            network.set_link(host, Link { loss: 0.5, ..Link::default() });
            network.bind(host, at("203.0.113.3:3")).unwrap()
        });
        for _ in 0..200 {
            network.send(here, there.local_addr(), b"x");
            if let Some(stranger) = stranger {
                network.send(stranger, there.local_addr(), b"x");
            }
        }
        while network.step(Duration::from_secs(1)).is_some() {}
        let entries = network.trace().entries().iter().filter(|entry| entry.host == alice);
        entries.map(|entry| (entry.fate, entry.ended)).collect::<Vec<_>>()
    };
    assert_eq!(fates(false), fates(true));
}

#[test]
fn every_packet_ends_and_every_host_is_billed() {
    let network = eventful(1, b"four", false);
    let trace = network.trace();
    assert!(
        trace.entries().iter().all(|entry| entry.fate != Fate::InFlight && entry.ended >= Some(entry.sent))
    );
    let hosts: std::collections::BTreeSet<HostId> = trace.entries().iter().map(|entry| entry.host).collect();
    assert_eq!(hosts.len(), 3);
    let (mut sent, mut received, mut dropped) = (0, 0, 0);
    for counters in hosts.into_iter().map(|host| trace.counters(host)) {
        assert_eq!(
            (counters.sent_bytes, counters.received_bytes),
            (4 * counters.sent, 4 * counters.received)
        );
        sent += counters.sent;
        received += counters.received;
        dropped += counters.dropped;
    }
    let copies = trace.entries().iter().filter(|entry| entry.copy).count() as u64;
    assert!(received > 0 && dropped > 0 && copies > 0);
    assert_eq!(sent + copies, received + dropped);
}

#[test]
fn the_trace_reads_as_aligned_lines() {
    let mut network = Network::new([1; 32]);
    let server = network.add_host("stun", &[at("203.0.113.9:0").ip()]);
    let nat = network.add_nat("nat-a", at("203.0.113.1:0").ip(), NatBehaviour::port_restricted_cone());
    let alice = network.add_host_behind(nat, "alice", &[at("192.168.1.2:0").ip()]);
    let there = network.bind(server, at("203.0.113.9:3478")).unwrap();
    let here = network.bind(alice, at("192.168.1.2:5000")).unwrap();
    assert_eq!(network.step(Duration::from_millis(1_250)), None);
    network.send(here, there.local_addr(), &[0; 108]);
    let heard = network.step(Duration::from_secs(2)).unwrap();
    network.send(there, heard.from, b"four");
    network.send(there, at("203.0.113.1:7"), b"");
    network.send(here, at("203.0.113.77:7"), b"");
    while network.step(Duration::from_secs(2)).is_some() {}
    network.send(here, there.local_addr(), b"");

    let expected = "\
t=1.250s alice 192.168.1.2:5000 > 203.0.113.9:3478  (via nat-a 203.0.113.1:40000)   108 B delivered to stun in 15ms
t=1.265s stun  203.0.113.9:3478 > 203.0.113.1:40000 (via nat-a to 192.168.1.2:5000) 4 B   delivered to alice in 15ms
t=1.265s stun  203.0.113.9:3478 > 203.0.113.1:7                                     0 B   no mapping in nat-a
t=1.265s alice 192.168.1.2:5000 > 203.0.113.77:7    (via nat-a 203.0.113.1:40000)   0 B   no route
t=2.000s alice 192.168.1.2:5000 > 203.0.113.9:3478                                  0 B   in flight
";
    assert_eq!(network.trace().to_string(), expected);
}
