//! The discovery of RFC 5780 finds what each NAT of the virtual network is.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is missing is a failed test")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_netsim::{Filtering, Hairpin, Mapping, NatBehaviour, Network, Socket};
use floe_stun::attribute::{ChangeRequest, OtherAddress, ResponsePort, XorMappedAddress};
use floe_stun::behaviour::{
    BehaviourClient, BehaviourConfig, BehaviourEvent, Certainty, Dependence, Obstacle, Test,
};
use floe_stun::{Builder, Class, Input, Instant, MAX_TRANSMIT, Machine, Message, Method, Output, SocketId};

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
    let host = net.add_host("server", &[PRIMARY.ip(), OTHER.ip()]);
    let listeners: Vec<Socket> = [PRIMARY.ip(), OTHER.ip()]
        .into_iter()
        .flat_map(|ip| [PRIMARY.port(), OTHER.port()].map(|port| SocketAddr::new(ip, port)))
        .map(|address| net.bind(host, address).unwrap())
        .collect();
    let home = match nat {
        Some(behaviour) => {
            let nat = net.add_nat("nat", Ipv4Addr::new(203, 0, 113, 1), behaviour);
            net.add_host_behind(nat, "client", &[IpAddr::from([192, 168, 1, 2])])
        }
        None => net.add_host("client", &[IpAddr::from([198, 51, 100, 1])]),
    };
    let ip = if nat.is_some() { IpAddr::from([192, 168, 1, 2]) } else { IpAddr::from([198, 51, 100, 1]) };
    let sockets: Vec<Socket> =
        (5000..5003).map(|port| net.bind(home, SocketAddr::new(ip, port)).unwrap()).collect();
    let mut config =
        BehaviourConfig::new((SocketId(0), sockets[0].local_addr()), SocketId(1), SocketId(2), PRIMARY);
    config.longest_rest = longest_rest;
    let mut client = BehaviourClient::new(Instant::ORIGIN, config, [1; 32]);

    let (mut found, mut buf) = (Vec::new(), [0; MAX_TRANSMIT]);
    loop {
        let until = loop {
            match client.poll_output(&mut buf) {
                Output::Transmit(t) => net.send(sockets[t.socket.0 as usize], t.to, t.bytes),
                Output::Event(event) => found.push(event),
                Output::Wait { until, .. } => break Some(until),
                Output::Need(_) => unreachable!("it needs nothing"),
                Output::Idle => break None,
            }
        };
        let Some(until) = until else { return found };
        let limit = Duration::from_nanos(until.as_nanos());
        let now = |net: &Network| Instant::from_duration(net.now());
        match net.step(limit) {
            Some(delivery) => match sockets.iter().position(|socket| *socket == delivery.socket) {
                Some(n) => {
                    let socket = SocketId(u32::try_from(n).unwrap());
                    let input = Input::Datagram { socket, from: delivery.from, data: &delivery.data };
                    let _ = client.handle_input(now(&net), input);
                }
                None if server != Server::Silent => {
                    answer(&mut net, &listeners, server, delivery.socket, delivery.from, &delivery.data);
                }
                None => {}
            },
            None if net.now() >= limit => {
                let _ = client.handle_input(now(&net), Input::Timeout);
            }
            None => {}
        }
    }
}

/// A server of RFC 5780 §6 with two addresses.
fn answer(net: &mut Network, all: &[Socket], server: Server, at: Socket, from: SocketAddr, data: &[u8]) {
    let Ok(request) = Message::decode(data) else { return };
    let change = request.find().unwrap_or(ChangeRequest { ip: false, port: false });
    let local = at.local_addr();
    let other_ip = if local.ip() == PRIMARY.ip() { OTHER.ip() } else { PRIMARY.ip() };
    let other_port = if local.port() == PRIMARY.port() { OTHER.port() } else { PRIMARY.port() };
    let source = SocketAddr::new(
        if change.ip { other_ip } else { local.ip() },
        if change.port { other_port } else { local.port() },
    );
    let other = SocketAddr::new(other_ip, other_port);
    let mut buf = [0; 256];
    let bytes = Builder::new(&mut buf, Class::Success, Method::BINDING, request.id())
        .attribute(&XorMappedAddress(from))
        .maybe((server == Server::Whole).then_some(&OtherAddress(other)))
        .fingerprint()
        .finish()
        .unwrap();
    let to = match request.find() {
        Some(ResponsePort(port)) => SocketAddr::new(from.ip(), port),
        None => from,
    };
    let socket = all.iter().find(|socket| socket.local_addr() == source).unwrap();
    net.send(*socket, to, bytes);
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
