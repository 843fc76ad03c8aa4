//! The discovery of RFC 5780, our client at our server, finds what each NAT of the virtual network is.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is missing is a failed test")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_netsim::{Delivery, Filtering, Hairpin, Mapping, NatBehaviour, Network, Socket};
use floe_stun::behaviour::{
    BehaviourClient, BehaviourConfig, BehaviourEvent, Certainty, Dependence, Obstacle, Test,
};
use floe_stun::{Input, Instant, MAX_TRANSMIT, Machine, Output, SocketId};
use floe_turn_server::{AddressPair, Config, Server as TurnServer};

const PRIMARY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 3478);
const OTHER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 3479);

#[test]
fn all_nine_kinds_are_told_apart() {
    for kind in NatBehaviour::KINDS {
        let found = discover(Some(kind), Server::Whole, None);
        assert_eq!(mapping(&found), Some(depends_on_mapping(kind.mapping)), "{kind}: {found:?}");
        assert_eq!(filtering(&found), Some(depends_on_filtering(kind.filtering)), "{kind}: {found:?}");
        assert_eq!(found.last(), Some(&BehaviourEvent::Done));
    }
}

#[test]
fn an_open_host_has_no_nat_and_a_firewall_is_no_nat_either() {
    let found = discover(None, Server::Whole, None);
    assert!(found.contains(&BehaviourEvent::NoNat), "{found:?}");
    assert_eq!(filtering(&found), Some(Dependence::EndpointIndependent));

    let found = discover(Some(NatBehaviour::firewall()), Server::Whole, None);
    assert!(found.contains(&BehaviourEvent::NoNat), "{found:?}");
    assert_eq!(filtering(&found), Some(Dependence::AddressAndPortDependent));
}

#[test]
fn a_hairpin_is_seen_and_its_absence_inferred() {
    let nat = NatBehaviour::full_cone();
    let with = discover(Some(NatBehaviour { hairpin: Hairpin::Yes, ..nat }), Server::Whole, None);
    assert!(with.contains(&BehaviourEvent::Hairpin(true, Certainty::Seen)), "{with:?}");
    let without = discover(Some(NatBehaviour { hairpin: Hairpin::No, ..nat }), Server::Whole, None);
    assert!(without.contains(&BehaviourEvent::Hairpin(false, Certainty::Inferred)), "{without:?}");
}

#[test]
fn the_lifetime_of_a_binding_is_measured_within_a_tenth() {
    let nat = NatBehaviour { timeout: Duration::from_secs(137), ..NatBehaviour::full_cone() };
    let found = discover(Some(nat), Server::Whole, Some(Duration::from_secs(600)));
    let Some(BehaviourEvent::Lifetime { survived, died: Some(died) }) =
        found.iter().find(|event| matches!(event, BehaviourEvent::Lifetime { .. }))
    else {
        panic!("{found:?}")
    };
    let real = Duration::from_secs(137);
    assert!(*survived < real && real <= *died && *died - *survived <= real / 8, "{survived:?} {died:?}");
}

#[test]
fn a_server_with_one_address_or_none_says_so() {
    let found = discover(Some(NatBehaviour::symmetric()), Server::OneAddress, None);
    assert!(found.contains(&BehaviourEvent::Unknown(Test::Mapping, Obstacle::OneAddress)), "{found:?}");
    assert!(found.contains(&BehaviourEvent::Unknown(Test::Filtering, Obstacle::OneAddress)));

    let found = discover(None, Server::Silent, None);
    assert_eq!(found, [BehaviourEvent::Unknown(Test::Reachability, Obstacle::Silent), BehaviourEvent::Done]);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Whole,
    OneAddress,
    Silent,
}

fn discover(
    nat: Option<NatBehaviour>,
    server: Server,
    longest_rest: Option<Duration>,
) -> Vec<BehaviourEvent> {
    let mut net = Network::new([7; 32]);
    let mut server = At::server(&mut net, server);
    let (mut client, mut found) = (At::client(&mut net, nat, longest_rest), Vec::new());
    loop {
        server.drain(&mut net, |event| unreachable!("{event:?}"));
        let Some(until) = client.drain(&mut net, |event| found.push(event)) else { return found };
        let limit = Duration::from_nanos(until.as_nanos());
        match net.step(limit) {
            Some(delivery) => {
                server.hear(&net, &delivery);
                client.hear(&net, &delivery);
            }
            None if net.now() >= limit => {
                let _ = client.machine.handle_input(now(&net), Input::Timeout);
            }
            None => {}
        }
    }
}

/// A machine and its sockets, by their numbers.
struct At<M> {
    machine: M,
    sockets: Vec<Socket>,
}

impl At<TurnServer> {
    fn server(net: &mut Network, kind: Server) -> Self {
        let pair = AddressPair::new(PRIMARY, OTHER).unwrap();
        let host = net.add_host("server", &[PRIMARY.ip(), OTHER.ip()]);
        let sockets: Vec<_> = pair.corners().map(|corner| net.bind(host, corner).unwrap()).into();
        let mut machine = TurnServer::new(Instant::ORIGIN, Config::new("floe.test"), [3; 32]);
        let heard = match kind {
            Server::Whole => 4,
            Server::OneAddress => 1,
            Server::Silent => 0,
        };
        for (n, socket) in (0..).zip(&sockets[..heard]) {
            machine.listen(SocketId(n), socket.local_addr());
        }
        if kind == Server::Whole {
            machine.serve_discovery(&pair).unwrap();
        }
        Self { machine, sockets }
    }
}

impl At<BehaviourClient> {
    fn client(net: &mut Network, nat: Option<NatBehaviour>, longest_rest: Option<Duration>) -> Self {
        let (home, ip) = match nat {
            Some(behaviour) => {
                let ip = IpAddr::from([192, 168, 1, 2]);
                let nat = net.add_nat("nat", Ipv4Addr::new(203, 0, 113, 1), behaviour);
                (net.add_host_behind(nat, "client", &[ip]), ip)
            }
            None => {
                let ip = IpAddr::from([198, 51, 100, 1]);
                (net.add_host("client", &[ip]), ip)
            }
        };
        let sockets: Vec<_> =
            (5000..5003).map(|port| net.bind(home, SocketAddr::new(ip, port)).unwrap()).collect();
        let first = (SocketId(0), sockets[0].local_addr());
        let mut config = BehaviourConfig::new(first, SocketId(1), SocketId(2), PRIMARY);
        config.longest_rest = longest_rest;
        Self { machine: BehaviourClient::new(Instant::ORIGIN, config, [1; 32]), sockets }
    }
}

impl<M: Machine> At<M> {
    /// Sends what the machine wants sent; until when it waits, if it does.
    fn drain(&mut self, net: &mut Network, mut tell: impl FnMut(M::Event)) -> Option<Instant> {
        let mut buf = [0; MAX_TRANSMIT];
        loop {
            match self.machine.poll_output(&mut buf) {
                Output::Transmit(t) => net.send(self.sockets[t.socket.0 as usize], t.to, t.bytes),
                Output::Event(event) => tell(event),
                Output::Wait { until, .. } => return Some(until),
                Output::Need(_) => unreachable!("it needs nothing"),
                Output::Idle => return None,
            }
        }
    }

    /// Hands in a datagram if it came to one of the machine's sockets.
    fn hear(&mut self, net: &Network, delivery: &Delivery) {
        if let Some(n) = self.sockets.iter().position(|socket| *socket == delivery.socket) {
            let socket = SocketId(u32::try_from(n).unwrap());
            let input = Input::Datagram { socket, from: delivery.from, data: &delivery.data };
            let _ = self.machine.handle_input(now(net), input);
        }
    }
}

fn now(net: &Network) -> Instant {
    Instant::from_duration(net.now())
}

fn mapping(found: &[BehaviourEvent]) -> Option<Dependence> {
    found.iter().find_map(|event| match event {
        BehaviourEvent::Mapping(dependence, Certainty::Seen) => Some(*dependence),
        _ => None,
    })
}

fn filtering(found: &[BehaviourEvent]) -> Option<Dependence> {
    found.iter().find_map(|event| match event {
        BehaviourEvent::Filtering(dependence, _) => Some(*dependence),
        _ => None,
    })
}

fn depends_on_mapping(mapping: Mapping) -> Dependence {
    match mapping {
        Mapping::EndpointIndependent => Dependence::EndpointIndependent,
        Mapping::AddressDependent => Dependence::AddressDependent,
        Mapping::AddressAndPortDependent => Dependence::AddressAndPortDependent,
    }
}

fn depends_on_filtering(filtering: Filtering) -> Dependence {
    match filtering {
        Filtering::EndpointIndependent => Dependence::EndpointIndependent,
        Filtering::AddressDependent => Dependence::AddressDependent,
        Filtering::AddressAndPortDependent => Dependence::AddressAndPortDependent,
    }
}
