//! Which pairs of NATs connect directly? A toy of ICE's checks (RFC 8445 §7) played over the network against the table
//! that must come out: host and server-reflexive candidates, peer-reflexive ones as they are learnt, triggered
//! checks, answers only from where the question went. No relay, no hairpin.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_netsim::{Delivery, Filtering, Mapping, NatBehaviour, Network, PortAllocation, Socket, Translation};

const STUN: &str = "203.0.113.9:3478";

/// Cell: how the row's side sees its best pair, then how the column's sees its own; local kind and remote kind of host,
/// server-reflexive, peer-reflexive. `--/--`: no direct path.
const TABLE: &str = "\
A\\B   open  fw    E/E   E/A   E/P   A/E   A/A   A/P   P/E   P/A   P/P
open  HH/HH HH/HH HS/SH HS/SH HS/SH HP/PH HP/PH HP/PH HP/PH HP/PH HP/PH
fw    HH/HH HH/HH HS/SH HS/SH HS/SH --/-- --/-- --/-- --/-- --/-- --/--
E/E   SH/HS SH/HS SS/SS SS/SS SS/SS SP/PS SP/PS SP/PS SP/PS SP/PS SP/PS
E/A   SH/HS SH/HS SS/SS SS/SS SS/SS SP/PS SP/PS SP/PS SP/PS SP/PS SP/PS
E/P   SH/HS SH/HS SS/SS SS/SS SS/SS --/-- --/-- --/-- --/-- --/-- --/--
A/E   PH/HP --/-- PS/SP PS/SP --/-- PP/PP PP/PP --/-- PP/PP PP/PP --/--
A/A   PH/HP --/-- PS/SP PS/SP --/-- PP/PP --/-- --/-- PP/PP --/-- --/--
A/P   PH/HP --/-- PS/SP PS/SP --/-- --/-- --/-- --/-- --/-- --/-- --/--
P/E   PH/HP --/-- PS/SP PS/SP --/-- PP/PP PP/PP --/-- --/-- --/-- --/--
P/A   PH/HP --/-- PS/SP PS/SP --/-- PP/PP --/-- --/-- --/-- --/-- --/--
P/P   PH/HP --/-- PS/SP PS/SP --/-- --/-- --/-- --/-- --/-- --/-- --/--
";

/// What stands before one side.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Open,
    Box(NatBehaviour),
}

impl Kind {
    fn all() -> Vec<Self> {
        let mut all = vec![Self::Open, Self::Box(NatBehaviour::firewall())];
        all.extend(NatBehaviour::KINDS.map(Self::Box));
        all
    }

    fn name(self) -> String {
        match self {
            Self::Open => "open".to_string(),
            Self::Box(kind) if kind.translation == Translation::None => "fw".to_string(),
            Self::Box(kind) => kind.to_string(),
        }
    }

    /// How strict its mapping and its filtering are; an open host counts as the most permissive of firewalls.
    fn strictness(self) -> (u8, u8) {
        match self {
            Self::Open => (0, 0),
            Self::Box(kind) => {
                let filtering = match kind.filtering {
                    Filtering::EndpointIndependent => 0,
                    Filtering::AddressDependent => 1,
                    Filtering::AddressAndPortDependent => 2,
                };
                let mapping = match kind.mapping {
                    Mapping::EndpointIndependent => 0,
                    Mapping::AddressDependent => 1,
                    Mapping::AddressAndPortDependent => 2,
                };
                (mapping, filtering)
            }
        }
    }
}

/// One end of the toy.
struct Agent {
    socket: Socket,
    host: SocketAddr,
    reflexive: SocketAddr,
    remotes: BTreeMap<SocketAddr, char>,
    asked: BTreeMap<u32, SocketAddr>,
    valid: BTreeSet<String>,
}

impl Agent {
    fn new(network: &mut Network, name: &str, kind: Kind, addresses: [&str; 2]) -> Self {
        let [public, private] = addresses.map(|text| text.parse::<IpAddr>().unwrap());
        let (id, own) = match kind {
            Kind::Open => (network.add_host(name, &[public]), public),
            Kind::Box(behaviour) => {
                let (front, own) = match behaviour.translation {
                    Translation::ToPublic => (public, private),
                    Translation::None => ("192.0.2.1".parse().unwrap(), public),
                };
                let nat = network.add_nat("nat", front, behaviour);
                (network.add_host_behind(nat, name, &[own]), own)
            }
        };
        let socket = network.bind(id, SocketAddr::new(own, 5000)).unwrap();
        let host = socket.local_addr();
        Self {
            socket,
            host,
            reflexive: host,
            remotes: BTreeMap::new(),
            asked: BTreeMap::new(),
            valid: BTreeSet::new(),
        }
    }

    fn gather(&mut self, network: &mut Network) {
        network.send(self.socket, STUN.parse().unwrap(), b"where?");
        self.reflexive = network.step(network.now() + Duration::from_secs(1)).unwrap().from;
    }

    /// All host candidates are told, reachable or not.
    fn candidates(&self) -> Vec<(SocketAddr, char)> {
        if self.host == self.reflexive {
            vec![(self.host, 'H')]
        } else {
            vec![(self.host, 'H'), (self.reflexive, 'S')]
        }
    }

    fn check(&mut self, network: &mut Network, to: SocketAddr) {
        let id = u32::try_from(self.asked.len()).unwrap();
        self.asked.insert(id, to);
        network.send(self.socket, to, format!("ask {id}").as_bytes());
    }

    fn handle(&mut self, network: &mut Network, delivery: &Delivery) {
        let text = String::from_utf8(delivery.data.clone()).unwrap();
        let mut words = text.split(' ');
        let (what, id) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
        match what {
            "ask" => self.answer(network, delivery.from, id),
            "answer" => self.learn(delivery.from, id, words.next().unwrap().parse().unwrap()),
            other => panic!("{other}"),
        }
    }

    /// RFC 8445 §7.3.1.3 and §7.3.1.4: a peer-reflexive candidate, and a triggered check.
    fn answer(&mut self, network: &mut Network, from: SocketAddr, id: u32) {
        network.send(self.socket, from, format!("answer {id} {from}").as_bytes());
        if self.remotes.len() < 12 && !self.remotes.contains_key(&from) {
            self.remotes.insert(from, 'P');
            self.check(network, from);
        }
    }

    /// RFC 8445 §7.2.5.2.1: an answer counts only from where the question went.
    fn learn(&mut self, from: SocketAddr, id: u32, mapped: SocketAddr) {
        if self.asked.get(&id) != Some(&from) {
            return;
        }
        let local = match mapped {
            _ if mapped == self.host => 'H',
            _ if mapped == self.reflexive => 'S',
            _ => 'P',
        };
        self.valid.insert(format!("{local}{}", self.remotes[&from]));
    }

    /// Peer-reflexive candidates before server-reflexive ones (RFC 8445 §5.1.2.2); the one more often host first.
    fn best(&self) -> Option<&String> {
        self.valid.iter().max_by_key(|pair| pair.chars().map(|kind| "SPH".find(kind).unwrap()).sum::<usize>())
    }
}

fn connect(a: Kind, b: Kind) -> String {
    let mut network = Network::new([4; 32]);
    let stun: SocketAddr = STUN.parse().unwrap();
    let server = network.add_host("stun", &[stun.ip()]);
    network.bind(server, stun).unwrap();
    let mut agents = [
        Agent::new(&mut network, "alice", a, ["198.51.100.1", "192.168.1.2"]),
        Agent::new(&mut network, "bob", b, ["198.51.100.2", "192.168.2.2"]),
    ];
    for agent in &mut agents {
        agent.gather(&mut network);
    }
    let [alice, bob] = &mut agents;
    alice.remotes.extend(bob.candidates());
    bob.remotes.extend(alice.candidates());

    for _ in 0..40 {
        for agent in &mut agents {
            for to in agent.remotes.keys().copied().collect::<Vec<_>>() {
                agent.check(&mut network, to);
            }
        }
        let limit = network.now() + Duration::from_millis(500);
        while let Some(delivery) = network.step(limit) {
            let owner = agents.iter_mut().find(|agent| agent.socket == delivery.socket).unwrap();
            owner.handle(&mut network, &delivery);
        }
    }
    let [alice, bob] = &agents;
    match (alice.best(), bob.best()) {
        (Some(one), Some(other)) => format!("{one}/{other}"),
        (None, None) => "--/--".to_string(),
        half => panic!("a path must work both ways: {half:?}\n{}", network.trace()),
    }
}

fn matrix() -> Vec<Vec<String>> {
    Kind::all().into_iter().map(|a| Kind::all().into_iter().map(|b| connect(a, b)).collect()).collect()
}

#[test]
fn seventy_of_a_hundred_and_twenty_one_pairs_connect_directly_and_each_as_the_table_says() {
    let names: Vec<String> = Kind::all().into_iter().map(Kind::name).collect();
    let cells = matrix();

    let mut table =
        format!("A\\B   {}\n", names.iter().map(|name| format!("{name:<5}")).collect::<Vec<_>>().join(" "));
    for (name, row) in names.iter().zip(&cells) {
        table += &format!("{name:<5} {}\n", row.join(" "));
    }
    let table: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    assert_eq!(table, TABLE, "\n{table}");
    assert_eq!(cells.iter().flatten().filter(|cell| *cell != "--/--").count(), 70);
}

#[test]
fn the_table_is_its_own_mirror_image() {
    let cells = matrix();
    for (i, row) in cells.iter().enumerate() {
        for (j, cell) in row.iter().enumerate() {
            let (one, other) = cells[j][i].split_once('/').unwrap();
            assert_eq!(*cell, format!("{other}/{one}"), "row {i}, column {j}");
        }
    }
}

#[test]
fn a_more_permissive_nat_never_breaks_a_pair() {
    let kinds = Kind::all();
    let direct: Vec<Vec<bool>> =
        matrix().iter().map(|row| row.iter().map(|cell| cell != "--/--").collect()).collect();
    for (i, strict) in kinds.iter().enumerate() {
        for (k, loose) in kinds.iter().enumerate() {
            let (strict, loose) = (strict.strictness(), loose.strictness());
            if loose.0 <= strict.0 && loose.1 <= strict.1 {
                assert!((0..kinds.len()).all(|j| direct[k][j] || !direct[i][j]), "row {k} against row {i}");
            }
        }
    }
}

#[test]
fn a_symmetric_nat_that_preserves_ports_is_as_good_as_a_cone_to_permissive_peers() {
    let preserving =
        Kind::Box(NatBehaviour { ports: PortAllocation::Preserving, ..NatBehaviour::symmetric() });
    let direct: Vec<bool> =
        Kind::all().into_iter().map(|peer| connect(preserving, peer) != "--/--").collect();
    // Open, firewall and E/*; not A/* nor P/*.
    assert_eq!(direct, [true, true, true, true, true, false, false, false, false, false, false]);
    assert_ne!(connect(preserving, preserving), "--/--");
}
