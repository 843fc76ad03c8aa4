//! What streams of clients may take of a server, and what they may not, on loopback.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_stun::{Builder, Class, Message, Method, Password, TransactionId, Transport};
use floe_tokio::{BindError, ServerBuilder, StreamLimits, TlsIdentity, TurnClient, TurnServer};
use floe_turn_client::Credentials;
use floe_turn_server::{Config, PeerPolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::Instant;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ANY: SocketAddr = SocketAddr::new(LOOPBACK, 0);

/// Only what is broken is waited for so long.
const PATIENCE: Duration = Duration::from_secs(1200);

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("not done in {PATIENCE:?}"),
    }
}

fn builder() -> ServerBuilder {
    let config = Config::new("test")
        .with_relay(LOOPBACK)
        .with_user("u", "p")
        .with_peers(PeerPolicy::public_only().with_loopback());
    TurnServer::builder(config)
}

fn identity() -> TlsIdentity {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    TlsIdentity::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap()
}

fn limits(change: impl FnOnce(&mut StreamLimits)) -> StreamLimits {
    let mut limits = StreamLimits::default();
    change(&mut limits);
    limits
}

fn address(server: &TurnServer, transport: Transport) -> SocketAddr {
    server.listeners().iter().find(|(found, _)| *found == transport).unwrap().1
}

/// Asks for our address, and says whether there was an answer.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut request = [0; 100];
    let id = TransactionId::from([7; 12]);
    let request = Builder::new(&mut request, Class::Request, Method::BINDING, id).finish().unwrap();
    if stream.write_all(request).await.is_err() {
        return false;
    }
    let mut answer = [0; 1000];
    match stream.read(&mut answer).await {
        Ok(len @ 1..) => {
            Message::decode(answer.get(..len).unwrap()).is_ok_and(|message| message.class() == Class::Success)
        }
        _ => false,
    }
}

#[tokio::test]
async fn one_client_has_so_many_streams_and_no_more() {
    let limits = limits(|limits| limits.per_client = 3);
    let (server, _events) = builder().tcp(ANY).stream_limits(limits).bind().unwrap();
    let to = address(&server, Transport::Tcp);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(to).await.unwrap();
        assert!(in_time(is_served(&mut stream)).await);
        streams.push(stream);
    }
    assert!(!in_time(is_served(&mut TcpStream::connect(to).await.unwrap())).await, "one too many");
    for stream in &mut streams {
        assert!(in_time(is_served(stream)).await, "the others do not suffer");
    }
    // As soon as the server has seen one go, there is a place again.
    streams.pop();
    while !in_time(is_served(&mut TcpStream::connect(to).await.unwrap())).await {}
}

#[tokio::test]
async fn all_clients_together_have_so_many_streams() {
    let limits = limits(|limits| limits.total = 2);
    let (server, _events) = builder().tcp(ANY).stream_limits(limits).bind().unwrap();
    let to = address(&server, Transport::Tcp);
    let mut streams = [TcpStream::connect(to).await.unwrap(), TcpStream::connect(to).await.unwrap()];
    for stream in &mut streams {
        assert!(in_time(is_served(stream)).await);
    }
    assert!(!in_time(is_served(&mut TcpStream::connect(to).await.unwrap())).await);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_come_to_an_end_is_not_waited_for() {
    let limits = limits(|limits| limits.per_client = 1);
    let (server, _events) = builder().tls(ANY, &identity()).stream_limits(limits).bind().unwrap();
    let to = address(&server, Transport::Tls);
    let (mut silent, begun) = (TcpStream::connect(to).await.unwrap(), Instant::now());
    assert_eq!(in_time(silent.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(begun.elapsed().as_secs(), 10);
    // And its place is free again: the next one is waited for as long.
    let (mut silent, begun) = (TcpStream::connect(to).await.unwrap(), Instant::now());
    assert_eq!(in_time(silent.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_and_has_no_allocation_is_hung_up_on() {
    let (server, _events) = builder().tcp(ANY).bind().unwrap();
    let to = address(&server, Transport::Tcp);
    let mut stream = TcpStream::connect(to).await.unwrap();
    assert!(in_time(is_served(&mut stream)).await);
    let begun = Instant::now();
    assert_eq!(in_time(stream.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn who_never_comes_to_the_end_of_a_message_is_hung_up_on_too() {
    let (server, _events) = builder().tcp(ANY).bind().unwrap();
    let mut stream = TcpStream::connect(address(&server, Transport::Tcp)).await.unwrap();
    let begun = Instant::now();
    // A Send indication, a byte now and then.
    let header = [0x00, 0x16, 0x01, 0x00, 0x21, 0x12, 0xA4, 0x42];
    for byte in header.into_iter().chain(std::iter::repeat_n(0, 20)) {
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(25)).await;
    }
    let _ = in_time(stream.read(&mut [0; 1])).await;
    // Noticed by the write after the one that comes too late.
    assert!(begun.elapsed().as_secs() <= 125, "it was let go on for {:?}", begun.elapsed());

    // Who sends whole messages may go on.
    let mut stream = TcpStream::connect(address(&server, Transport::Tcp)).await.unwrap();
    for _ in 0..5 {
        assert!(in_time(is_served(&mut stream)).await);
        tokio::time::sleep(Duration::from_secs(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_an_allocation_may_be_silent() {
    let (server, _events) = builder().tcp(ANY).bind().unwrap();
    let to = address(&server, Transport::Tcp);
    let credentials = Credentials::new("u", Password::new("p"));
    let asking = TurnClient::builder(to, credentials).transport(Transport::Tcp).allocate();
    let (client, _events) = in_time(asking).await.unwrap();
    // A stranger beside it measures the time that passes.
    let mut stream = TcpStream::connect(to).await.unwrap();
    assert_eq!(in_time(stream.read(&mut [0; 1])).await.unwrap(), 0);
    let mut stream = TcpStream::connect(to).await.unwrap();
    assert_eq!(in_time(stream.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(server.stats().allocations, 1);
    in_time(client.permit(LOOPBACK)).await.unwrap();
}

#[tokio::test]
async fn what_is_no_turn_is_hung_up_on_and_told_to_nobody() {
    let (server, _events) = builder().tcp(ANY).tls(ANY, &identity()).bind().unwrap();
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut stream = TcpStream::connect(address(&server, transport)).await.unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = in_time(stream.read_to_end(&mut answer)).await;
        // TLS says that it is TLS; a plain stream says nothing.
        assert!(answer.len() < 10 && (transport == Transport::Tls || answer.is_empty()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_never_reads_is_no_burden_to_others() {
    let (server, _events) = builder().udp(ANY).tcp(ANY).bind().unwrap();
    let credentials = || Credentials::new("u", Password::new("p"));
    let lazy = TurnClient::builder(address(&server, Transport::Tcp), credentials()).transport(Transport::Tcp);
    let (lazy, _lazy_events) = in_time(lazy.allocate()).await.unwrap();
    in_time(lazy.permit(LOOPBACK)).await.unwrap();
    let quick = TurnClient::builder(address(&server, Transport::Udp), credentials());
    let (quick, _quick_events) = in_time(quick.allocate()).await.unwrap();
    in_time(quick.permit(LOOPBACK)).await.unwrap();
    let peer = UdpSocket::bind(ANY).await.unwrap();
    let at = peer.local_addr().unwrap();
    // Far more than a stream holds; what comes of it waits in the inbox of the client, or is lost.
    for n in 0..20_000_u32 {
        peer.send_to(&[7; 1200], lazy.relayed().unwrap()).await.unwrap();
        if n % 100 == 0 {
            in_time(quick.send_to(at, &n.to_be_bytes())).await.unwrap();
            let mut found = [0; 10];
            assert_eq!(in_time(peer.recv(&mut found)).await.unwrap(), 4);
        }
    }
}

#[tokio::test]
async fn addresses_are_told_with_how_they_carry_bytes() {
    let (server, _events) = builder().tls(ANY, &identity()).tcp(ANY).udp(ANY).tcp(ANY).bind().unwrap();
    let found: Vec<_> = server.listeners().iter().map(|(transport, _)| *transport).collect();
    assert_eq!(found, [Transport::Udp, Transport::Tls, Transport::Tcp, Transport::Tcp]);
    assert_eq!(server.local_addresses().len(), 1);
    let why = builder().bind().unwrap_err();
    assert!(matches!(why, BindError::NoAddress), "{why}");
    let taken = address(&server, Transport::Tcp);
    let why = builder().tcp(taken).bind().unwrap_err();
    assert!(matches!(why, BindError::Listener { address, .. } if address == taken), "{why}");
    assert!(why.to_string().contains("TCP"), "{why}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn servers_share_an_address_only_if_all_of_them_say_so() {
    let shared = || builder().reuse_port(true);
    let (first, _events) = shared().udp(ANY).tcp(ANY).bind().unwrap();
    let [udp, tcp] = [Transport::Udp, Transport::Tcp].map(|transport| address(&first, transport));
    let (second, _more) = shared().udp(udp).tcp(tcp).bind().unwrap();
    assert!(builder().udp(udp).bind().is_err() && builder().tcp(tcp).bind().is_err());
    // One of the two serves whoever comes.
    first.close().await;
    let mut stream = TcpStream::connect(tcp).await.unwrap();
    assert!(in_time(is_served(&mut stream)).await);
    second.close().await;
    assert_eq!(in_time(stream.read(&mut [0; 1])).await.unwrap_or(0), 0, "it hangs up when it ends");
}
