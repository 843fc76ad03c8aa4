//! What each kind of NAT looks like from outside, measured as RFC 5780 §4.3 and §4.4 do.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

use std::net::SocketAddr;
use std::time::Duration;

use floe_netsim::{
    Fate, Filtering, Hairpin, HostId, Mapping, NatBehaviour, NatId, Network, PortAllocation, Refresh, Socket,
};

/// One client behind the box in question; outside a server with two addresses and two ports on each.
struct Lab {
    network: Network,
    client: HostId,
    nat: NatId,
    /// Addresses 1 and 2, ports 3478 and 3479: 1:3478, 1:3479, 2:3478, 2:3479.
    servers: [Socket; 4],
}

impl Lab {
    fn new(behaviour: NatBehaviour) -> Self {
        let mut network = Network::new([1; 32]);
        let server =
            network.add_host("server", &["203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap()]);
        let nat = network.add_nat("nat", "198.51.100.1".parse::<std::net::Ipv4Addr>().unwrap(), behaviour);
        let client = network.add_host_behind(nat, "client", &["192.168.1.2".parse().unwrap()]);
        let servers = ["203.0.113.1:3478", "203.0.113.1:3479", "203.0.113.2:3478", "203.0.113.2:3479"]
            .map(|addr| network.bind(server, addr.parse().unwrap()).unwrap());
        Self { network, client, nat, servers }
    }

    fn socket(&mut self) -> Socket {
        self.network.bind(self.client, "192.168.1.2:0".parse().unwrap()).unwrap()
    }

    /// Sends one packet and tells who heard it, from where; the network is quiet before and after.
    fn send(&mut self, from: Socket, to: SocketAddr) -> Option<(Socket, SocketAddr)> {
        self.network.send(from, to, b"probe");
        let until = self.network.now() + Duration::from_secs(1);
        let delivery = self.network.step(until)?;
        assert_eq!(self.network.step(until), None);
        Some((delivery.socket, delivery.from))
    }

    /// The endpoint that the given server sees.
    fn seen(&mut self, client: Socket, server: usize) -> SocketAddr {
        let server = self.servers[server];
        let (heard, from) = self.send(client, server.local_addr()).unwrap();
        assert_eq!(heard, server);
        from
    }

    fn reaches(&mut self, server: usize, client: Socket, mapped: SocketAddr) -> bool {
        self.send(self.servers[server], mapped).is_some_and(|(heard, _)| heard == client)
    }

    /// RFC 5780 §4.3: the same endpoint for another address; for the same address and another port?
    fn measured_mapping(&mut self) -> Mapping {
        let client = self.socket();
        let [first, other_port, other_address] = [0, 1, 2].map(|server| self.seen(client, server));
        match (first == other_port, first == other_address) {
            (true, true) => Mapping::EndpointIndependent,
            (true, false) => Mapping::AddressDependent,
            (false, false) => Mapping::AddressAndPortDependent,
            (false, true) => panic!("one endpoint for two addresses, but not for two ports"),
        }
    }

    /// RFC 5780 §4.4: an answer from elsewhere than asked.
    fn measured_filtering(&mut self) -> Filtering {
        let client = self.socket();
        let mapped = self.seen(client, 0);
        assert!(self.reaches(0, client, mapped));
        match (
            self.reaches(1, client, mapped),
            self.reaches(2, client, mapped),
            self.reaches(3, client, mapped),
        ) {
            (true, true, true) => Filtering::EndpointIndependent,
            (true, false, false) => Filtering::AddressDependent,
            (false, false, false) => Filtering::AddressAndPortDependent,
            other => panic!("{other:?} is no kind of filtering"),
        }
    }

    fn last_fate(&self) -> Fate {
        self.network.trace().entries().last().unwrap().fate
    }
}

#[test]
fn every_kind_shows_its_mapping_and_filtering_to_a_probe() {
    for kind in NatBehaviour::KINDS {
        let mut lab = Lab::new(kind);
        assert_eq!(
            (lab.measured_mapping(), lab.measured_filtering()),
            (kind.mapping, kind.filtering),
            "{kind}"
        );
    }
}

#[test]
fn the_classic_names_mean_what_they_meant() {
    let names = [
        NatBehaviour::full_cone(),
        NatBehaviour::restricted_cone(),
        NatBehaviour::port_restricted_cone(),
        NatBehaviour::symmetric(),
    ];
    assert_eq!(names.map(|kind| kind.to_string()), ["E/E", "E/A", "E/P", "P/P"]);
}

#[test]
fn filtering_counts_only_what_was_sent_through_the_same_mapping() {
    let mut lab = Lab::new(NatBehaviour::new(Mapping::AddressDependent, Filtering::AddressDependent));
    let client = lab.socket();
    let towards_first = lab.seen(client, 0);
    let towards_second = lab.seen(client, 2);
    assert!(lab.reaches(1, client, towards_first) && lab.reaches(3, client, towards_second));
    assert!(!lab.reaches(2, client, towards_first) && !lab.reaches(0, client, towards_second));
    assert_eq!(lab.last_fate(), Fate::Filtered(lab.nat));
}

#[test]
fn a_port_that_was_never_given_out_is_nobodys() {
    let mut lab = Lab::new(NatBehaviour::full_cone());
    let client = lab.socket();
    let mut mapped = lab.seen(client, 0);
    mapped.set_port(mapped.port() + 1);
    assert!(!lab.reaches(0, client, mapped));
    assert_eq!(lab.last_fate(), Fate::NoMapping(lab.nat));
}

#[test]
fn a_firewall_shows_the_host_as_it_is_and_lets_in_only_answers() {
    let mut network = Network::new([1; 32]);
    let outside = network.add_host("outside", &["203.0.113.1".parse().unwrap()]);
    let wall = network.add_nat(
        "wall",
        "198.51.100.1".parse::<std::net::IpAddr>().unwrap(),
        NatBehaviour::firewall(),
    );
    let inside = network.add_host_behind(wall, "inside", &["198.51.100.2".parse().unwrap()]);
    let ask = network.bind(outside, "203.0.113.1:1".parse().unwrap()).unwrap();
    let other = network.bind(outside, "203.0.113.1:2".parse().unwrap()).unwrap();
    let own = network.bind(inside, "198.51.100.2:5000".parse().unwrap()).unwrap();
    let later = Duration::from_secs(1);

    network.send(ask, own.local_addr(), b"may I?");
    assert_eq!(network.step(later), None);
    assert_eq!(network.trace().entries()[0].fate, Fate::Filtered(wall));

    network.send(own, ask.local_addr(), b"you may");
    assert_eq!(network.step(later * 2).unwrap().from, own.local_addr());
    network.send(other, own.local_addr(), b"I too?");
    network.send(ask, own.local_addr(), b"thanks");
    assert_eq!(network.step(later * 3).unwrap().data, b"thanks");
    assert_eq!(network.step(later * 3), None);
}

#[test]
fn a_mapping_dies_of_silence_at_its_timeout_and_not_before() {
    for kind in NatBehaviour::KINDS {
        for (silence, alive) in [(kind.timeout - Duration::from_millis(1), true), (kind.timeout, false)] {
            let mut lab = Lab::new(kind);
            let client = lab.socket();
            lab.network.send(client, lab.servers[0].local_addr(), b"");
            // The packet passes the NAT 5 ms after it was sent: across the client's link out, and the client's place.
            let passed = lab.network.now() + Duration::from_millis(5);
            let mapped = lab.network.step(Duration::from_secs(1)).unwrap().from;
            // The answer takes 10 ms to the NAT: the server's link out, the NAT's in.
            assert_eq!(lab.network.step(passed + silence - Duration::from_millis(10)), None);
            assert_eq!(lab.reaches(0, client, mapped), alive, "{kind} after {silence:?}");
        }
    }
}

#[test]
fn a_mapping_after_the_timeout_is_another() {
    let mut lab = Lab::new(NatBehaviour::full_cone());
    let client = lab.socket();
    let before = lab.seen(client, 0);
    assert_eq!(lab.seen(client, 1), before);
    assert_eq!(lab.network.step(lab.network.now() + Duration::from_secs(120)), None);
    assert_ne!(lab.seen(client, 0), before);
}

#[test]
fn packets_from_outside_keep_a_mapping_only_where_the_nat_says_so() {
    for (refresh, kept) in [(Refresh::Outbound, false), (Refresh::Both, true), (Refresh::Inbound, true)] {
        let mut lab = Lab::new(NatBehaviour { refresh, ..NatBehaviour::port_restricted_cone() });
        let client = lab.socket();
        let mapped = lab.seen(client, 0);
        let heard = [50, 100, 150].map(|time| {
            assert_eq!(lab.network.step(Duration::from_secs(time)), None);
            lab.reaches(0, client, mapped)
        });
        assert_eq!(heard, [true, true, kept], "{refresh:?}");
    }
}

#[test]
fn a_strict_mapping_hides_behind_preserved_ports_until_they_collide() {
    let mut lab = Lab::new(NatBehaviour { ports: PortAllocation::Preserving, ..NatBehaviour::symmetric() });
    let first_of_its_port = lab.measured_mapping();
    let neighbour = lab.network.add_host_behind(lab.nat, "neighbour", &["192.168.1.3".parse().unwrap()]);
    let second = lab.network.bind(neighbour, "192.168.1.3:49152".parse().unwrap()).unwrap();
    assert_eq!(first_of_its_port, Mapping::EndpointIndependent);
    assert_ne!(lab.seen(second, 0), lab.seen(second, 1));
}

#[test]
fn a_rebooted_nat_knows_nobody() {
    let mut lab = Lab::new(NatBehaviour::full_cone());
    let client = lab.socket();
    let mapped = lab.seen(client, 0);
    lab.network.reboot(lab.nat);
    assert!(!lab.reaches(0, client, mapped));
    assert_ne!(lab.seen(client, 0), mapped);
}

/// Two clients of one NAT, each of which has spoken to the server, and the endpoint of the second.
fn neighbours(behaviour: NatBehaviour) -> (Lab, [Socket; 2], [SocketAddr; 2]) {
    let mut lab = Lab::new(behaviour);
    let neighbour = lab.network.add_host_behind(lab.nat, "neighbour", &["192.168.1.3".parse().unwrap()]);
    let first = lab.socket();
    let second = lab.network.bind(neighbour, "192.168.1.3:5000".parse().unwrap()).unwrap();
    let mapped = [lab.seen(first, 0), lab.seen(second, 0)];
    (lab, [first, second], mapped)
}

#[test]
fn neighbours_meet_outside_only_if_the_nat_hairpins() {
    for (hairpin, seen_as) in [
        (Hairpin::No, None),
        (Hairpin::Yes, Some("198.51.100.1:40000")),
        (Hairpin::InternalSource, Some("192.168.1.2:49152")),
    ] {
        let (mut lab, [first, second], [_, mapped]) =
            neighbours(NatBehaviour { hairpin, ..NatBehaviour::full_cone() });
        let heard = lab.send(first, mapped);
        assert_eq!(heard, seen_as.map(|from| (second, from.parse().unwrap())), "{hairpin:?}");
        if hairpin == Hairpin::No {
            assert_eq!(lab.last_fate(), Fate::NoHairpin(lab.nat));
        }
    }
}

#[test]
fn a_hairpinned_packet_is_filtered_like_any_other() {
    for hairpin in [Hairpin::Yes, Hairpin::InternalSource] {
        let (mut lab, [first, second], [mapped_first, mapped_second]) =
            neighbours(NatBehaviour { hairpin, ..NatBehaviour::port_restricted_cone() });
        assert_eq!(lab.send(first, mapped_second), None, "{hairpin:?}");
        assert_eq!(lab.last_fate(), Fate::Filtered(lab.nat));
        assert!(lab.send(second, mapped_first).is_some(), "{hairpin:?}");
        assert!(lab.send(first, mapped_second).is_some(), "{hairpin:?}");
    }
}
