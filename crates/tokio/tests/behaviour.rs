//! NAT behaviour discovery on loopback, where there is no NAT: four sockets that answer for one another.
#![cfg(target_os = "linux")] // where all of 127.0.0.0/8 is there
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::behaviour::{BehaviourEvent, Certainty, Dependence};
use floe_tokio::{BindError, Discovery, TurnServer};
use floe_turn_server::{AddressPairError, Config};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Only a broken discovery is waited for so long.
const PATIENCE: Duration = Duration::from_secs(30);

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn bind(listen: &[&str], alternates: &[&str]) -> Result<TurnServer, BindError> {
    let addresses = |texts: &[&str]| texts.iter().map(|text| addr(text)).collect::<Vec<_>>();
    let (listen, alternates) = (addresses(listen), addresses(alternates));
    TurnServer::bind_with_alternates(Config::new("test"), &listen, &alternates).map(|(server, _)| server)
}

#[tokio::test]
async fn the_open_loopback_is_found_open() {
    let server = bind(&["127.0.0.1:0"], &["127.0.0.2:0"]).unwrap();
    let uri = format!("stun:{}", server.pairs().first().unwrap().primary()).parse().unwrap();
    let mut discovery = Discovery::start(&uri, None).await.unwrap();
    let mut found = Vec::new();
    while let Some(event) = timeout(PATIENCE, discovery.next()).await.expect("it ends after Done") {
        found.push(event);
    }
    assert!(found.contains(&BehaviourEvent::NoNat), "{found:?}");
    assert_eq!(found.last(), Some(&BehaviourEvent::Done));
    let open = BehaviourEvent::Filtering(Dependence::EndpointIndependent, Certainty::Seen);
    assert!(found.contains(&open), "{found:?}");
}

#[tokio::test]
async fn a_dropped_discovery_gives_its_sockets_back() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("stun:{}", silent.local_addr().unwrap()).parse().unwrap();
    let discovery = Discovery::start(&uri, None).await.unwrap();
    let local = discovery.local();
    assert!(UdpSocket::bind(local).await.is_err(), "it is under way");
    drop(discovery);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    UdpSocket::bind(local).await.unwrap();
}

#[tokio::test]
async fn both_ports_are_served_on_both_addresses() {
    let server = bind(&["127.0.0.1:0"], &["127.0.0.2:0"]).unwrap();
    let pair = server.pairs().first().unwrap();
    let mut locals = server.local_addresses().to_vec();
    assert_eq!((locals.first(), pair.alternate().ip()), (Some(&pair.primary()), addr("127.0.0.2:0").ip()));
    locals.sort_unstable();
    let mut corners = pair.corners();
    corners.sort_unstable();
    assert_eq!(locals, corners);
}

#[tokio::test]
async fn addresses_that_are_listened_on_already_are_taken_into_the_pair() {
    let (first, second) = (bind(&["127.0.0.1:0"], &["127.0.0.2:0"]).unwrap(), ["127.0.0.1", "127.0.0.2"]);
    let pair = *first.pairs().first().unwrap();
    first.close().await;
    let [a, b] = second.map(|ip| format!("{ip}:{}", pair.primary().port()));
    let alternate = pair.alternate().to_string();
    let server = bind(&[&a, &b], &[&alternate]).unwrap();
    assert_eq!((server.local_addresses().len(), server.pairs()), (4, &[pair][..]));
}

#[tokio::test]
async fn what_is_no_pair_is_refused() {
    let why = bind(&["127.0.0.1:0"], &["127.0.0.1:0"]).unwrap_err();
    assert!(matches!(why, BindError::Alternate(AddressPairError::SameIp { .. })), "{why}");
    let why = bind(&["127.0.0.1:0"], &["0.0.0.0:0"]).unwrap_err();
    assert!(matches!(why, BindError::Alternate(AddressPairError::Wildcard { .. })), "{why}");
    let why = bind(&["127.0.0.1:0"], &["[::1]:0"]).unwrap_err();
    assert!(matches!(why, BindError::NoPrimary { .. }), "{why}");
}

#[tokio::test]
async fn a_port_that_is_not_free_on_both_addresses_is_named() {
    let other = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let taken = other.local_addr().unwrap();
    let primary = format!("127.0.0.1:{}", taken.port());
    let why = bind(&[&primary], &["127.0.0.2:0"]).unwrap_err();
    assert!(matches!(why, BindError::Socket { address, .. } if address == taken), "{why}");
}
