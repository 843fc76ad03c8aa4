//! Peers that send back what comes: our own, or one that the user names.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use floe_stun::attribute::Family;
use floe_tokio::{TurnClient, addresses};
use tokio::net::UdpSocket;
use tokio::task::{JoinSet, yield_now};

use super::step::Trouble;

/// Somebody who sends back what comes from our relayed address.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// An echo server of the user.
    Named,
    /// A second allocation on the same server.
    Relayed(Arc<TurnClient>),
    /// A socket of this machine; its echo ends with it.
    Socket { _echo: JoinSet<()> },
}

impl Peer {
    pub(crate) const fn named(address: SocketAddr) -> Self {
        Self { address, kind: Kind::Named }
    }

    pub(crate) const fn relayed(address: SocketAddr, client: Arc<TurnClient>) -> Self {
        Self { address, kind: Kind::Relayed(client) }
    }

    /// A socket at this address of this machine.
    pub(crate) async fn socket(ip: IpAddr) -> Option<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0)).await.ok()?;
        let address = socket.local_addr().ok()?;
        let mut echo = JoinSet::new();
        echo.spawn(echo_of_socket(socket));
        Some(Self { address, kind: Kind::Socket { _echo: echo } })
    }

    /// Lets the other side in, where there is a door.
    pub(crate) async fn welcome(&self, relayed: SocketAddr) -> Result<(), Trouble> {
        match &self.kind {
            Kind::Relayed(client) => client.permit(relayed.ip()).await.map_err(Trouble::from),
            Kind::Named | Kind::Socket { .. } => Ok(()),
        }
    }

    /// What to make of it that nothing came back.
    pub(crate) fn silence(&self) -> String {
        let Self { address, kind } = self;
        match kind {
            Kind::Named => format!("nothing came back from {address}: {PERHAPS_NO_ECHO}"),
            Kind::Relayed(_) | Kind::Socket { .. } => NOTHING_BACK.to_owned(),
        }
    }

    /// What it sends back travels as ours does. Where it cannot, it comes all the same.
    pub(crate) async fn bind_channel(&self, relayed: SocketAddr) {
        if let Kind::Relayed(client) = &self.kind {
            let _ = client.bind_channel(relayed).await;
        }
    }
}

/// Sends back what peers of an allocation send, until that is gone.
pub(crate) async fn echo_of_client(client: Arc<TurnClient>) {
    while let Some((from, data)) = client.recv().await {
        // What is lost here is lost on the way.
        let _ = client.send_to(from, &data).await;
        yield_now().await;
    }
}

async fn echo_of_socket(socket: UdpSocket) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        // An error is that of an earlier datagram, which nobody took.
        if let Ok((len, from)) = socket.recv_from(&mut bytes).await {
            let _ = socket.send_to(bytes.get(..len).unwrap_or_default(), from).await;
        }
        yield_now().await;
    }
}

/// The address of this machine at which a relay of this family reaches it: that by which the server knows us, if it is ours
/// and no NAT is in between.
pub(crate) fn reachable(client: &TurnClient, family: Family) -> Option<IpAddr> {
    let seen = client.mapped()?.ip();
    let ours = addresses(true).unwrap_or_default();
    (Family::of(seen) == family && ours.contains(&seen)).then_some(seen)
}

const PERHAPS_NO_ECHO: &str = "it may be no echo server for UDP, or a firewall is in front of it: try it without the relay, or \
                               leave --peer out; if that works, the relay is well";
const NOTHING_BACK: &str = "nothing came back from the peer: the relay does not pass data on, or a firewall behind it is \
                            in the way; look whether the server's relay ports are open to the world";
