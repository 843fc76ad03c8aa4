//! The TURN client against the embedded server, over every transport, on loopback.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_stun::attribute::Family;
use floe_stun::{Failure, Password, Transport};
use floe_tokio::{ServerEvents, Tls, TlsIdentity, TurnBuilder, TurnClient, TurnError, TurnServer};
use floe_turn_client::{AllocateFailure, ConnectFailure, Credentials, Event, Wanted};
use floe_turn_server::{Config, PeerPolicy, Released};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ANY: SocketAddr = SocketAddr::new(LOOPBACK, 0);
const NAME: &str = "turn.example.org";

/// Only what is broken is waited for so long.
const PATIENCE: Duration = Duration::from_secs(20);

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("not done in {PATIENCE:?}"),
    }
}

/// A certificate for this name and its key, in PEM.
struct Made {
    certificate: String,
    key: String,
}

fn made(name: &str) -> Made {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    Made { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
}

fn trusting(made: &Made) -> Tls {
    Tls::no_roots().unwrap().trusting(made.certificate.as_bytes()).unwrap()
}

/// A server over everything, with what a client needs to know.
struct World {
    server: TurnServer,
    events: ServerEvents,
    identity: TlsIdentity,
    made: Made,
}

fn config() -> Config {
    Config::new("test")
        .with_relay(LOOPBACK)
        .with_user("u", "p")
        .with_peers(PeerPolicy::public_only().with_loopback())
}

fn world(name: &str) -> World {
    let made = made(name);
    let identity = TlsIdentity::from_pem(made.certificate.as_bytes(), made.key.as_bytes()).unwrap();
    let builder = TurnServer::builder(config()).udp(ANY).tcp(ANY).tls(ANY, &identity);
    let (server, events) = builder.bind().unwrap();
    World { server, events, identity, made }
}

impl World {
    fn address(&self, transport: Transport) -> SocketAddr {
        self.server.listeners().iter().find(|(found, _)| *found == transport).unwrap().1
    }

    fn client(&self, transport: Transport) -> TurnBuilder {
        TurnClient::builder(self.address(transport), Credentials::new("u", Password::new("p")))
            .transport(transport)
            .server_name(NAME)
            .tls(trusting(&self.made))
    }
}

/// What ends the next allocation that ends.
async fn released(events: &mut ServerEvents) -> Released {
    loop {
        if let floe_turn_server::Event::Released { why, .. } = in_time(events.recv()).await.unwrap() {
            break why;
        }
    }
}

const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

#[tokio::test]
async fn data_goes_through_the_relay_over_every_transport() {
    for transport in ALL {
        let mut world = world(NAME);
        let (client, mut events) = in_time(world.client(transport).allocate()).await.unwrap();
        assert!(matches!(in_time(events.recv()).await, Some(Event::Allocated { .. })));
        let peer = UdpSocket::bind(ANY).await.unwrap();
        let (at, relayed) = (peer.local_addr().unwrap(), client.relayed().unwrap());
        in_time(client.permit(LOOPBACK)).await.unwrap();
        in_time(client.permit(LOOPBACK)).await.unwrap();
        for round in 0..2 {
            for len in [0, 1, 2, 3, 4, 1200] {
                let (sent, mut found) = (vec![7; len], [0; 1500]);
                in_time(client.send_to(at, &sent)).await.unwrap();
                assert_eq!(in_time(peer.recv_from(&mut found)).await.unwrap(), (len, relayed));
                peer.send_to(&sent, relayed).await.unwrap();
                assert_eq!(in_time(client.recv()).await, Some((at, sent)), "{transport:?}, {round}");
            }
            in_time(client.bind_channel(at)).await.unwrap();
            in_time(client.bind_channel(at)).await.unwrap();
        }
        in_time(client.release()).await;
        assert_eq!((in_time(client.recv()).await, client.relayed()), (None, None));
        assert!(matches!(client.permit(LOOPBACK).await, Err(TurnError::Ended)));
        assert_eq!(released(&mut world.events).await, Released::Deleted);
    }
}

#[tokio::test]
async fn a_dropped_client_gives_its_allocation_back() {
    for transport in ALL {
        let mut world = world(NAME);
        let (client, _events) = in_time(world.client(transport).allocate()).await.unwrap();
        drop(client);
        assert_eq!(released(&mut world.events).await, Released::Deleted);
    }
}

#[tokio::test]
async fn what_is_refused_is_told() {
    let world = world(NAME);
    for transport in ALL {
        let stranger =
            TurnClient::builder(world.address(transport), Credentials::new("u", Password::new("not p")));
        let stranger = stranger.transport(transport).server_name(NAME).tls(trusting(&world.made));
        let why = in_time(stranger.allocate()).await.unwrap_err();
        assert!(matches!(why, TurnError::Allocate(AllocateFailure::WrongCredentials(_))), "{why}");
    }
    let (client, _events) = in_time(world.client(Transport::Tcp).allocate()).await.unwrap();
    let private = "10.0.0.1".parse().unwrap();
    let why = in_time(client.permit(private)).await.unwrap_err();
    assert!(
        matches!(&why, TurnError::NotPermitted { peer, why } if *peer == private && why.code == 403),
        "{why}"
    );
    let why = in_time(client.bind_channel(SocketAddr::new(private, 1))).await.unwrap_err();
    assert!(matches!(why, TurnError::NoChannel { .. }), "{why}");
    let why = in_time(client.connect(SocketAddr::new(LOOPBACK, 1))).await.unwrap_err();
    assert!(matches!(why, TurnError::NotConnected { why: ConnectFailure::NotTcp, .. }), "{why}");
    let why = in_time(client.send_to(SocketAddr::new(LOOPBACK, 1), b"")).await.unwrap_err();
    assert!(matches!(why, TurnError::Send(_)), "{why}");
}

async fn refused_tls(builder: TurnBuilder) -> String {
    let why = in_time(builder.allocate()).await.unwrap_err();
    match &why {
        TurnError::Connect(refused) if refused.why == Failure::Tls => why.to_string(),
        _ => panic!("{why}"),
    }
}

#[tokio::test]
async fn a_server_must_prove_its_name_to_somebody_who_trusts_its_issuer() {
    let world = world(NAME);
    let told = refused_tls(world.client(Transport::Tls).server_name("other.example.org")).await;
    assert!(told.contains(NAME) && told.contains("other.example.org"), "{told}");
    let told = refused_tls(world.client(Transport::Tls).tls(trusting(&made(NAME)))).await;
    assert!(told.contains("certificate") && told.contains("trusted"), "{told}");
    let told = refused_tls(world.client(Transport::Tls).tls(Tls::no_roots().unwrap())).await;
    assert!(told.contains("UnknownIssuer"), "{told}");
    // A server that speaks no TLS at all: it hangs up on what it cannot cut.
    let plain = TurnClient::builder(world.address(Transport::Tcp), Credentials::new("u", Password::new("p")));
    refused_tls(plain.transport(Transport::Tls).server_name(NAME)).await;
}

#[tokio::test]
async fn an_address_is_a_name_too() {
    let world = world("127.0.0.1");
    for named in [true, false] {
        let builder =
            TurnClient::builder(world.address(Transport::Tls), Credentials::new("u", Password::new("p")))
                .transport(Transport::Tls)
                .tls(trusting(&world.made));
        let builder = if named { builder.server_name("127.0.0.1") } else { builder };
        in_time(builder.allocate()).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_those_who_come_after() {
    let world = world(NAME);
    let (early, _events) = in_time(world.client(Transport::Tls).allocate()).await.unwrap();
    let renewed = made(NAME);
    world.identity.replace(renewed.certificate.as_bytes(), renewed.key.as_bytes()).unwrap();
    refused_tls(world.client(Transport::Tls)).await;
    in_time(world.client(Transport::Tls).tls(trusting(&renewed)).allocate()).await.unwrap();
    in_time(early.permit(LOOPBACK)).await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let socket = TcpListener::bind(ANY).await.unwrap();
    let dead = socket.local_addr().unwrap();
    drop(socket);
    let builder = TurnClient::builder(dead, Credentials::new("u", Password::new("p")));
    let why = in_time(builder.transport(Transport::Tcp).allocate()).await.unwrap_err();
    let TurnError::Connect(refused) = &why else { panic!("{why}") };
    assert_eq!((refused.to, refused.why), (dead, Failure::Refused));
}

fn large(seed: u8) -> Vec<u8> {
    (0..2_000_000_u32).map(|n| n.to_le_bytes()[0].wrapping_mul(7) ^ seed).collect()
}

/// Writes all of one, ends it, and reads all of the other.
async fn talk(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, seed: u8) -> Vec<u8> {
    stream.write_all(&large(seed)).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut found = Vec::new();
    stream.read_to_end(&mut found).await.unwrap();
    found
}

/// Reads all of one, and then writes all of the other.
async fn listen(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, seed: u8) -> Vec<u8> {
    let mut found = Vec::new();
    stream.read_to_end(&mut found).await.unwrap();
    stream.write_all(&large(seed)).await.unwrap();
    stream.shutdown().await.unwrap();
    found
}

#[tokio::test]
async fn streams_go_through_the_relay_both_ways_with_their_ends() {
    // RFC 6062, over TCP and inside TLS, called by either side.
    for transport in [Transport::Tcp, Transport::Tls] {
        let world = world(NAME);
        let builder = world.client(transport).wanted(Wanted::Tcp(Family::Ipv4));
        let (client, mut events) = in_time(builder.allocate()).await.unwrap();
        let relayed = client.relayed().unwrap();
        let peer = TcpListener::bind(ANY).await.unwrap();
        let (ours, theirs) =
            in_time(async { tokio::join!(client.connect(peer.local_addr().unwrap()), peer.accept()) }).await;
        let (theirs, from) = theirs.unwrap();
        assert_eq!(from, relayed);
        let (found, heard) = in_time(async { tokio::join!(talk(ours.unwrap(), 1), listen(theirs, 2)) }).await;
        assert!(heard == large(1) && found == large(2), "{} and {} bytes", heard.len(), found.len());

        in_time(client.permit(LOOPBACK)).await.unwrap();
        let mut theirs = in_time(TcpStream::connect(relayed)).await.unwrap();
        // Early words wait for who takes the call.
        theirs.write_all(b"early").await.unwrap();
        let caller = loop {
            if let Event::ConnectionAttempt { peer } = in_time(events.recv()).await.unwrap() {
                break peer;
            }
        };
        assert_eq!(caller, theirs.local_addr().unwrap());
        let mut ours = in_time(client.connect(caller)).await.unwrap();
        let mut early = [0; 5];
        in_time(ours.read_exact(&mut early)).await.unwrap();
        assert_eq!(&early, b"early");
        let (heard, found) = in_time(async { tokio::join!(listen(ours, 3), talk(theirs, 4)) }).await;
        assert!(heard == large(4) && found == large(3), "{} and {} bytes", heard.len(), found.len());
    }
}

#[tokio::test]
async fn a_peer_that_cannot_be_reached_is_told() {
    let world = world(NAME);
    let builder = world.client(Transport::Tcp).wanted(Wanted::Tcp(Family::Ipv4));
    let (client, _events) = in_time(builder.allocate()).await.unwrap();
    let socket = TcpListener::bind(ANY).await.unwrap();
    let dead = socket.local_addr().unwrap();
    drop(socket);
    let why = in_time(client.connect(dead)).await.unwrap_err();
    let TurnError::NotConnected { why: ConnectFailure::Refused(refusal), .. } = &why else { panic!("{why}") };
    assert_eq!(refusal.code, 447);
    // The allocation's end ends what waits.
    let silent = "127.0.0.1:9".parse().unwrap();
    let (waiting, ()) = in_time(async { tokio::join!(client.connect(silent), client.release()) }).await;
    assert!(matches!(waiting, Err(TurnError::Ended | TurnError::NotConnected { .. })));
}

#[tokio::test]
async fn what_is_sent_in_bursts_arrives_as_it_was_and_in_order() {
    for transport in ALL {
        let world = world(NAME);
        let (client, _events) = in_time(world.client(transport).allocate()).await.unwrap();
        let peers = [UdpSocket::bind(ANY).await.unwrap(), UdpSocket::bind(ANY).await.unwrap()];
        for peer in &peers {
            in_time(client.bind_channel(peer.local_addr().unwrap())).await.unwrap();
        }
        // Runs of one size, a shorter one, another peer, a longer one: in each burst fewer than a socket holds.
        let sizes = [1000, 1000, 1000, 3, 1000, 1000, 1200, 0, 1200, 1200, 5, 5];
        for burst in 0..10_u8 {
            let sent: Vec<Vec<u8>> = (burst..).zip(sizes).map(|(n, size)| vec![n; size]).collect();
            for (n, data) in sent.iter().enumerate() {
                let peer = peers.get(usize::from(n % 5 == 4)).unwrap();
                in_time(client.send_to(peer.local_addr().unwrap(), data)).await.unwrap();
            }
            let mut found = vec![0; 2000];
            for (n, data) in sent.iter().enumerate() {
                let peer = peers.get(usize::from(n % 5 == 4)).unwrap();
                let len = in_time(peer.recv(&mut found)).await.unwrap();
                assert_eq!(found.get(..len), Some(&data[..]), "{transport:?} {n}");
                peer.send_to(data, client.relayed().unwrap()).await.unwrap();
            }
            for (n, data) in sent.iter().enumerate() {
                let peer = peers.get(usize::from(n % 5 == 4)).unwrap().local_addr().unwrap();
                assert_eq!(in_time(client.recv()).await.unwrap(), (peer, data.clone()), "{transport:?} {n}");
            }
        }
    }
}
