//! A TCP allocation and a connection through it (RFC 6062): to a listener of this machine, or else to a second allocation.

use std::convert::Infallible;
use std::future::pending;
use std::net::{IpAddr, SocketAddr};

use floe_stun::attribute::Family;
use floe_tokio::{RawStream, TurnClient};
use floe_turn_client::{Event, Wanted};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::TcpListener;

use super::case::{Case, Held};
use super::peer::reachable;
use super::step::Trouble;

/// Gives the peer that has sent back what we wrote.
pub(crate) async fn try_out(case: &Case<'_>, family: Family) -> Result<SocketAddr, Trouble> {
    let (client, _events) = allocate(case, family).await?;
    let done = match reachable(&client, family) {
        Some(ip) => by_listener(&client, ip).await,
        None => by_second(case, family, &client).await,
    };
    client.release().await;
    done
}

async fn allocate(case: &Case<'_>, family: Family) -> Result<(TurnClient, floe_tokio::TurnEvents), Trouble> {
    let allocated = case.client(Wanted::Tcp(family)).allocate().await;
    allocated.map_err(|why| Trouble::from(why).within("no TCP allocation"))
}

async fn by_listener(client: &TurnClient, ip: IpAddr) -> Result<SocketAddr, Trouble> {
    let listener = TcpListener::bind(SocketAddr::new(ip, 0)).await.map_err(here)?;
    let address = listener.local_addr().map_err(here)?;
    let theirs = async { listener.accept().await.map_err(here) };
    let ours = async { client.connect(address).await.map_err(Trouble::from) };
    let (ours, (theirs, _)) = tokio::try_join!(ours, theirs)?;
    talk(ours, theirs).await?;
    Ok(address)
}

/// From relayed address to relayed address.
async fn by_second(case: &Case<'_>, family: Family, client: &TurnClient) -> Result<SocketAddr, Trouble> {
    let (second, events) = allocate(case, family).await?;
    let (Some(relayed), Some(address)) = (client.relayed(), second.relayed()) else {
        return Err(Trouble::new("the TCP allocation was lost; try again"));
    };
    second.permit(relayed.ip()).await?;
    let mut second = Held { client: second.into(), events };
    let theirs = async {
        let call = second.event(|event| match event {
            Event::ConnectionAttempt { peer } => Some(peer),
            _ => None,
        });
        let caller = call.await.ok_or_else(|| Trouble::new(NOT_CALLED))?;
        second.client.connect(caller).await.map_err(Trouble::from)
    };
    let ours = async { client.connect(address).await.map_err(Trouble::from) };
    // Both are there before a word is said: not every server keeps words for who has not taken the call yet.
    let joined = tokio::try_join!(ours, theirs);
    let done = match joined {
        Ok((ours, theirs)) => talk(ours, theirs).await,
        Err(trouble) => Err(trouble),
    };
    second.client.release().await;
    done.map(|()| address)
}

/// One side says a lot and the other sends it back.
async fn talk(ours: RawStream, theirs: impl AsyncRead + AsyncWrite) -> Result<(), Trouble> {
    tokio::select! {
        done = echo(ours) => done,
        never = send_back(theirs) => match never {},
    }
}

/// Writes a lot and reads it back.
async fn echo(stream: RawStream) -> Result<(), Trouble> {
    let (mut reader, mut writer) = split(stream);
    let sent: Vec<u8> = (0..BYTES).map(|n| n.to_le_bytes()[0].wrapping_mul(7)).collect();
    let mut back = vec![0; sent.len()];
    let write = async {
        writer.write_all(&sent).await?;
        writer.flush().await
    };
    tokio::try_join!(write, reader.read_exact(&mut back)).map_err(|why| {
        Trouble::new(format!("the connection through the relay broke: {why}; look into the server's log"))
    })?;
    if back == sent { Ok(()) } else { Err(Trouble::new(ALTERED)) }
}

async fn send_back(stream: impl AsyncRead + AsyncWrite) -> Infallible {
    let (mut reader, mut writer) = split(stream);
    // However it ends, the other side knows more of it.
    let _ = copy(&mut reader, &mut writer).await;
    pending().await
}

fn here(why: std::io::Error) -> Trouble {
    Trouble::new(format!("this machine gave no socket: {why}"))
}

/// More than is read at once.
const BYTES: u32 = 100_000;

const NOT_CALLED: &str =
    "the relayed address was connected to, and the TURN server did not tell; look into its log";
const ALTERED: &str = "what came back through the relay is not what was sent; do not trust this server";
