//! What our client must be able to do with a server.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use floe_stun::Transport;
use floe_stun::attribute::Family;
use floe_tokio::{TurnBuilder, TurnClient, TurnError, TurnEvents};
use floe_turn_client::{AllocateFailure, Event, Wanted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::server::{NAME, Options, Server};

type Outcome<'s> = Pin<Box<dyn Future<Output = anyhow::Result<String>> + 's>>;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: for<'s> fn(&'s Server) -> Outcome<'s>,
}

/// Cases that want the same of a server.
pub(crate) struct Group {
    pub(crate) options: Options,
    pub(crate) cases: &'static [Case],
}

macro_rules! case {
    ($name:literal, $run:expr) => {
        Case { name: $name, run: |server| Box::pin($run(server)) }
    };
}

const PLAIN: Options = Options { rest: false, quota: false, mobility: false, stale: false };

pub(crate) const GROUPS: &[Group] = &[
    Group {
        options: PLAIN,
        cases: &[
            case!("UDP, IPv4", |s| relays(s, Transport::Udp, V4)),
            case!("UDP, IPv6", |s| relays(s, Transport::Udp, V6)),
            case!("UDP, both", |s| relays(s, Transport::Udp, Wanted::Both)),
            case!("TCP, IPv4", |s| relays(s, Transport::Tcp, V4)),
            case!("TCP, IPv6", |s| relays(s, Transport::Tcp, V6)),
            case!("TLS, IPv4", |s| relays(s, Transport::Tls, V4)),
            case!("TLS, another name", is_not_deceived),
            case!("a wrong password", refuses_a_wrong_password),
            case!("an even port and the next", gives_two_ports),
            case!("TCP to a peer, over TCP", |s| connects(s, Transport::Tcp)),
            case!("TCP to a peer, over TLS", |s| connects(s, Transport::Tls)),
            case!("TCP from a peer", is_called),
        ],
    },
    Group {
        options: Options { rest: true, ..PLAIN },
        cases: &[case!("REST secret", |s| relays(s, Transport::Udp, V4))],
    },
    Group { options: Options { quota: true, ..PLAIN }, cases: &[case!("486 by quota", refuses_the_third)] },
    Group {
        options: Options { stale: true, ..PLAIN },
        cases: &[case!("438 by a short nonce life", goes_on_when_stale)],
    },
    Group { options: Options { mobility: true, ..PLAIN }, cases: &[case!("mobility", moves)] },
];

const V4: Wanted = Wanted::Address(Family::Ipv4);
const V6: Wanted = Wanted::Address(Family::Ipv6);

/// What takes longer than this hangs.
pub(crate) async fn in_time(outcome: impl Future<Output = anyhow::Result<String>>) -> anyhow::Result<String> {
    timeout(PATIENCE, outcome).await.unwrap_or_else(|_| bail!("nothing for {} s", PATIENCE.as_secs()))
}

fn builder(server: &Server, transport: Transport, wanted: Wanted) -> anyhow::Result<TurnBuilder> {
    let address = if transport == Transport::Tls { server.tls() } else { server.v4() };
    let builder = TurnClient::builder(address, server.credentials()?).transport(transport).wanted(wanted);
    Ok(match transport {
        Transport::Tls => builder.server_name(NAME).tls(Server::trust()?),
        _ => builder,
    })
}

async fn allocate(
    server: &Server,
    transport: Transport,
    wanted: Wanted,
) -> anyhow::Result<(TurnClient, TurnEvents)> {
    Ok(builder(server, transport, wanted)?.allocate().await?)
}

/// Data goes both ways, in indications and on a channel, for each address that was asked for.
async fn relays(server: &Server, transport: Transport, wanted: Wanted) -> anyhow::Result<String> {
    let (client, _events) = allocate(server, transport, wanted).await?;
    let relayed = [client.relayed(), client.second_relayed()];
    let relayed: Vec<_> = relayed.into_iter().flatten().collect();
    ensure!((relayed.len() == 2) == (wanted == Wanted::Both), "relayed at {relayed:?}");
    for relayed in &relayed {
        let peer = UdpSocket::bind((loopback(relayed.ip()), 0)).await?;
        client.permit(peer.local_addr()?.ip()).await?;
        echoes(&client, &peer, *relayed).await.context("by indications")?;
        client.bind_channel(peer.local_addr()?).await?;
        echoes(&client, &peer, *relayed).await.context("on a channel")?;
    }
    client.release().await;
    let names: Vec<_> = relayed.iter().map(ToString::to_string).collect();
    Ok(names.join(" and "))
}

async fn echoes(client: &TurnClient, peer: &UdpSocket, relayed: SocketAddr) -> anyhow::Result<()> {
    let address = peer.local_addr()?;
    for len in [0, 1, 2, 3, 1200] {
        let sent: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect();
        client.send_to(address, &sent).await?;
        let mut came = [0; 2000];
        let (count, from) = timeout(ARRIVAL, peer.recv_from(&mut came)).await.context("to the peer")??;
        ensure!(from == relayed && came.get(..count) == Some(&sent[..]), "{count} bytes came from {from}");
        peer.send_to(&sent, relayed).await?;
        let (from, back) =
            timeout(ARRIVAL, client.recv()).await.context("to the client")?.context("it ended")?;
        ensure!(from == address && back == sent, "{} bytes came back from {from}", back.len());
    }
    Ok(())
}

async fn is_not_deceived(server: &Server) -> anyhow::Result<String> {
    let builder = TurnClient::builder(server.tls(), server.credentials()?).transport(Transport::Tls);
    match builder.server_name("elsewhere.floe.test").tls(Server::trust()?).allocate().await {
        Err(TurnError::Connect(why)) => Ok(why.to_string()),
        other => bail!("{other:?}"),
    }
}

async fn refuses_a_wrong_password(server: &Server) -> anyhow::Result<String> {
    let wrong = floe_stun::credentials::Credentials::new("alice", floe_stun::Password::new("wrong"));
    match TurnClient::builder(server.v4(), wrong).allocate().await {
        Err(TurnError::Allocate(AllocateFailure::WrongCredentials(why))) => Ok(why.to_string()),
        other => bail!("{other:?}"),
    }
}

async fn gives_two_ports(server: &Server) -> anyhow::Result<String> {
    let wanted = Wanted::EvenPort { family: Family::Ipv4, reserve_next: true };
    let (first, mut events) = allocate(server, Transport::Udp, wanted).await?;
    let token = loop {
        if let Event::Allocated { reserved, .. } = events.recv().await.context("it ended")? {
            break reserved.context("no token")?;
        }
    };
    let (second, _events) = allocate(server, Transport::Udp, Wanted::Reserved(token)).await?;
    let [one, two] =
        [first.relayed(), second.relayed()].map(|relayed| relayed.map_or(0, |relayed| relayed.port()));
    ensure!(one % 2 == 0 && two == one + 1, "{one} and {two}");
    Ok(format!("{one} and {two}"))
}

/// RFC 6062: the client connects to a peer that sends everything back.
async fn connects(server: &Server, transport: Transport) -> anyhow::Result<String> {
    let (client, _events) = allocate(server, transport, Wanted::Tcp(Family::Ipv4)).await?;
    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = peer.local_addr()?;
    client.permit(address.ip()).await?;
    let echo = tokio::spawn(async move {
        let (mut stream, from) = peer.accept().await?;
        let (mut read, mut write) = stream.split();
        // How it ends is the relay's choice: not all of them end it in order.
        let _ = tokio::io::copy(&mut read, &mut write).await;
        Ok::<_, std::io::Error>(from)
    });
    let stream = client.connect(address).await?;
    come_back(stream, server.stream_bytes()).await?;
    let from = echo.await??;
    ensure!(Some(from) == client.relayed(), "the peer saw {from}");
    client.release().await;
    Ok(format!("{} bytes from {from} and back", server.stream_bytes()))
}

/// RFC 6062: a peer connects to the client, and sends everything back.
async fn is_called(server: &Server) -> anyhow::Result<String> {
    let (client, mut events) = allocate(server, Transport::Tcp, Wanted::Tcp(Family::Ipv4)).await?;
    let relayed = client.relayed().context("no relayed address")?;
    client.permit(Ipv4Addr::LOCALHOST.into()).await?;
    let echo = tokio::spawn(async move {
        let mut stream = TcpStream::connect(relayed).await?;
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
        Ok::<_, std::io::Error>(())
    });
    let peer = loop {
        if let Event::ConnectionAttempt { peer, .. } = events.recv().await.context("it ended")? {
            break peer;
        }
    };
    come_back(client.connect(peer).await?, server.stream_bytes()).await?;
    echo.await??;
    client.release().await;
    Ok(format!("{} bytes to {peer} and back", server.stream_bytes()))
}

async fn come_back(stream: floe_tokio::RawStream, bytes: usize) -> anyhow::Result<()> {
    let sent: Vec<u8> = (0..bytes).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect();
    let (mut read, mut write) = tokio::io::split(stream);
    let mut back = vec![0; sent.len()];
    // Not every relay lets one direction end before the other.
    let (sending, receiving) = tokio::join!(write.write_all(&sent), read.read_exact(&mut back));
    sending.context("sending")?;
    receiving.context("receiving")?;
    ensure!(back == sent, "other bytes came back");
    write.shutdown().await?;
    Ok(())
}

async fn refuses_the_third(server: &Server) -> anyhow::Result<String> {
    let (first, _) = allocate(server, Transport::Udp, V4).await?;
    let (_second, _events) = allocate(server, Transport::Udp, V4).await?;
    let why = match allocate(server, Transport::Udp, V4).await.map_err(|error| error.downcast::<TurnError>())
    {
        Err(Ok(TurnError::Allocate(AllocateFailure::Refused(why)))) if why.code == 486 => why,
        other => bail!("{other:?}"),
    };
    first.release().await;
    // Not every server counts at once what was given back.
    while allocate(server, Transport::Udp, V4).await.is_err() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(why.to_string())
}

/// Nonces go stale, and nobody notices.
async fn goes_on_when_stale(server: &Server) -> anyhow::Result<String> {
    let (client, _events) = allocate(server, Transport::Udp, V4).await?;
    let relayed = client.relayed().context("no relayed address")?;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        client.bind_channel(peer.local_addr()?).await?;
        echoes(&client, &peer, relayed).await?;
    }
    client.release().await;
    Ok("three nonces, one allocation".into())
}

/// RFC 8016: the client goes to another socket, and its peer notices nothing.
async fn moves(server: &Server) -> anyhow::Result<String> {
    let builder = builder(server, Transport::Udp, V4)?.configure(|config| config.mobility = true);
    let (client, mut events) = builder.allocate().await?;
    let (relayed, before) = (client.relayed().context("no relayed address")?, client.mapped());
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    client.bind_channel(peer.local_addr()?).await?;
    echoes(&client, &peer, relayed).await.context("before")?;
    client.rebind().await?;
    loop {
        match events.recv().await.context("it ended")? {
            Event::Moved => break,
            Event::Interrupted(why) => bail!("{why}"),
            _ => {}
        }
    }
    echoes(&client, &peer, relayed).await.context("after")?;
    client.release().await;
    Ok(format!("away from {before:?}, still at {relayed}"))
}

/// 437: the server has forgotten everything, and the client begins anew by itself.
pub(crate) async fn survives_a_restart(
    start: fn(Options) -> anyhow::Result<Server>,
) -> anyhow::Result<String> {
    let server = start(PLAIN)?;
    let (client, mut events) = allocate(&server, Transport::Udp, V4).await?;
    let before = client.relayed();
    let _server = server.restart()?;
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    // It is refused with 437, and granted by the next allocation.
    let bound = client.bind_channel(peer.local_addr()?);
    let told = async {
        let mut interrupted = None;
        loop {
            match events.recv().await.context("it ended")? {
                Event::Interrupted(why) => interrupted = Some(why),
                Event::Allocated { .. } if interrupted.is_some() => break,
                _ => {}
            }
        }
        interrupted.context("nothing was interrupted")
    };
    let (bound, why) = tokio::join!(bound, told);
    if bound.is_err() {
        // Of this one it was said that it makes no sense, and that it made none because nothing was left was learnt later.
        client.bind_channel(peer.local_addr()?).await?;
    }
    let relayed = client.relayed().context("no relayed address")?;
    ensure!(Some(relayed) != before, "the same address as before, by chance");
    echoes(&client, &peer, relayed).await?;
    client.release().await;
    Ok(why?.to_string())
}

const fn loopback(family: IpAddr) -> IpAddr {
    match family {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

const PATIENCE: Duration = Duration::from_secs(40);

/// On loopback nothing is lost.
const ARRIVAL: Duration = Duration::from_secs(2);
