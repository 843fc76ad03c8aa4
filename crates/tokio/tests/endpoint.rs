//! Endpoints on loopback sockets, with the embedded server and without.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_ice_agent::{
    CandidateKind, ConnectionState, Event, GatheringState, Role, Server, ServerOutcome, TransportPolicy,
};
use floe_tokio::{BindError, Builder, Endpoint, Events, SendError, ServerEvents, TurnServer};
use floe_turn_server::{Config, PeerPolicy};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Only a broken endpoint is waited for so long.
const PATIENCE: Duration = Duration::from_secs(20);

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("not done in {PATIENCE:?}"),
    }
}

fn builder(role: Role) -> Builder {
    Endpoint::builder(role).addresses([LOOPBACK])
}

/// Two endpoints that know each other's credentials.
async fn pair(configure: impl Fn(Builder) -> Builder) -> [(Endpoint, Events); 2] {
    let a = configure(builder(Role::Controlling)).bind().await.unwrap();
    let b = configure(builder(Role::Controlled)).bind().await.unwrap();
    a.0.set_remote(b.0.local_credentials(), false).unwrap();
    b.0.set_remote(a.0.local_credentials(), false).unwrap();
    [a, b]
}

/// Carries candidates to the peer until the connection is completed.
async fn connect(events: &mut Events, peer: &Endpoint) {
    let (mut gathered, mut completed) = (false, false);
    while !(gathered && completed) {
        match events.recv().await.unwrap() {
            Event::Candidate(candidate) => {
                peer.add_remote_candidate(&candidate.to_string()).unwrap();
            }
            Event::Gathering(GatheringState::Complete) => {
                gathered = true;
                peer.end_of_candidates();
            }
            Event::State { state: ConnectionState::Completed, .. } => completed = true,
            Event::State { state: ConnectionState::Failed, why } => panic!("failed: {why}"),
            _ => {}
        }
    }
}

async fn connect_both([a, b]: &mut [(Endpoint, Events); 2]) {
    in_time(async { tokio::join!(connect(&mut a.1, &b.0), connect(&mut b.1, &a.0)) }).await;
}

/// One asks, the other answers; each question waits for the answer to the last.
async fn echo(a: &Endpoint, b: &Endpoint, count: u8, size: usize) {
    in_time(async {
        for n in 0..count {
            a.send(&vec![n; size]).await.unwrap();
            let asked = b.recv().await.unwrap();
            b.send(&asked).await.unwrap();
            assert_eq!(a.recv().await.unwrap(), vec![n; size]);
        }
    })
    .await;
}

fn turn_server() -> (TurnServer, ServerEvents, SocketAddr) {
    let config = Config::new("test")
        .with_relay(LOOPBACK)
        .with_user("u", "p")
        .with_peers(PeerPolicy::public_only().with_loopback());
    let (server, events) = TurnServer::bind(config, &[SocketAddr::new(LOOPBACK, 0)]).unwrap();
    let address = *server.local_addresses().first().unwrap();
    (server, events, address)
}

fn turn(address: SocketAddr) -> Server {
    Server::turn(format!("turn:{address}").parse().unwrap(), "u", "p")
}

#[tokio::test]
async fn two_endpoints_connect_and_echo_a_hundred_full_packets() {
    let mut pair = pair(|builder| builder).await;
    connect_both(&mut pair).await;
    let [(a, _), (b, _)] = &pair;
    echo(a, b, 100, 1200).await;
    assert_eq!((a.state(), a.role()), (ConnectionState::Completed, Role::Controlling));
    assert_eq!(a.selected_pair().unwrap().remote.address, b.selected_pair().unwrap().local.address);
    assert_eq!((a.stats().transport.packets_received, b.overflows()), (100, 0));
    in_time(async { tokio::join!(a.close(), b.close()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_many_threads() {
    let mut pair = pair(|builder| builder).await;
    connect_both(&mut pair).await;
    let [(a, _), (b, _)] = &pair;
    echo(a, b, 100, 1200).await;
}

#[tokio::test]
async fn the_relay_alone_is_enough_and_is_given_back() {
    let (server, mut reports, address) = turn_server();
    let mut pair = pair(|builder| builder.server(turn(address)).policy(TransportPolicy::Relay)).await;
    connect_both(&mut pair).await;
    let [(a, _), (b, _)] = &pair;
    let selected = a.selected_pair().unwrap();
    assert_eq!((selected.local.kind, selected.remote.kind), (CandidateKind::Relayed, CandidateKind::Relayed));
    echo(a, b, 100, 1200).await;
    assert!(server.stats().to_peers.bytes >= 240_000 && server.stats().to_clients.bytes >= 240_000);

    in_time(async { tokio::join!(a.close(), b.close()) }).await;
    assert_eq!(server.stats().allocations, 0);
    in_time(server.close()).await;
    let mut told = Vec::new();
    while let Some(event) = in_time(reports.recv()).await {
        told.push(matches!(event, floe_turn_server::Event::Allocated { .. }));
    }
    assert_eq!(told, [true, true, false, false], "two allocated, two released");
}

#[tokio::test]
async fn a_dropped_endpoint_gives_its_relay_back() {
    let (server, mut reports, address) = turn_server();
    let (endpoint, mut events) = builder(Role::Controlling).server(turn(address)).bind().await.unwrap();
    in_time(async {
        while endpoint.gathering_state() != GatheringState::Complete {
            events.recv().await.unwrap();
        }
    })
    .await;
    assert_eq!(server.stats().allocations, 1);
    drop(endpoint);
    let released = async {
        loop {
            if let floe_turn_server::Event::Released { why, .. } = reports.recv().await.unwrap() {
                break why;
            }
        }
    };
    assert_eq!(in_time(released).await, floe_turn_server::Released::Deleted);
    while in_time(events.recv()).await.is_some() {}
}

#[tokio::test]
async fn an_endpoint_whose_events_nobody_wants_works_on() {
    let mut pair = pair(|builder| builder).await;
    connect_both(&mut pair).await;
    let [(a, a_events), (b, b_events)] = pair;
    drop((a_events, b_events));
    echo(&a, &b, 3, 10).await;
    in_time(a.close()).await;
}

#[tokio::test]
async fn close_returns_even_if_the_server_is_silent_and_twice() {
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = turn(silent.local_addr().unwrap());
    let (endpoint, mut events) = builder(Role::Controlling).server(server).bind().await.unwrap();
    in_time(endpoint.close()).await;
    in_time(endpoint.close()).await;
    assert_eq!(endpoint.state(), ConnectionState::Closed);
    assert_eq!(in_time(endpoint.recv()).await, None);
    assert!(matches!(endpoint.send(b"late").await, Err(SendError::NoPath(_))));
    while in_time(events.recv()).await.is_some() {}
}

#[tokio::test]
async fn a_dead_server_is_reported_and_delays_nobody() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dead = socket.local_addr().unwrap();
    drop(socket);
    let server = Server::stun(format!("stun:{dead}").parse().unwrap());
    let (endpoint, mut events) = builder(Role::Controlling).server(server).bind().await.unwrap();
    let mut failed = 0;
    in_time(async {
        loop {
            match events.recv().await.unwrap() {
                Event::Server(report) => {
                    assert!(matches!(report.outcome, ServerOutcome::Failed { .. }), "{report:?}");
                    failed += 1;
                }
                Event::Gathering(GatheringState::Complete) => break,
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(failed, 1);
    in_time(endpoint.close()).await;
}

#[tokio::test]
async fn a_cancelled_receive_loses_nothing() {
    let mut pair = pair(|builder| builder).await;
    connect_both(&mut pair).await;
    let [(a, _), (b, _)] = &pair;
    for n in 0..50_u8 {
        assert!(tokio::time::timeout(Duration::ZERO, b.recv()).await.is_err());
        a.send(&[n]).await.unwrap();
        assert_eq!(in_time(b.recv()).await.unwrap(), [n]);
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_an_error_at_once() {
    let mut pair = pair(|builder| builder).await;
    let early = pair.first().unwrap().0.send(b"too early").await;
    assert_eq!(early, Err(SendError::NoPath(floe_ice_agent::SendError::NotConnected)));
    connect_both(&mut pair).await;
    let [(a, _), (b, _)] = &pair;
    assert_eq!(a.send(&[0; 65_520]).await, Err(SendError::TooBig { len: 65_520 }));
    echo(a, b, 1, 60_000).await;
}

#[tokio::test]
async fn loopback_addresses_allow_loopback_unless_it_is_forbidden_after_them() {
    let forbidden = builder(Role::Controlling).loopback(false).bind().await;
    assert!(matches!(forbidden, Err(BindError::Misuse(_))));
    assert!(Endpoint::builder(Role::Controlling).loopback(false).addresses([LOOPBACK]).bind().await.is_ok());
}

#[tokio::test]
async fn an_endpoint_without_an_address_says_so() {
    let nowhere = Endpoint::builder(Role::Controlling).addresses([]).bind().await;
    assert!(matches!(nowhere, Err(BindError::NoAddress)));
    let foreign =
        Endpoint::builder(Role::Controlling).addresses(["198.51.100.9".parse().unwrap()]).bind().await;
    let told = foreign.err().unwrap().to_string();
    assert!(told.contains("198.51.100.9") && told.contains("no such address"), "{told}");
}
