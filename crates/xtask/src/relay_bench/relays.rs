//! The relays that are compared, and the way through each.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;

use anyhow::Context as _;
use clap::ValueEnum;

use super::client;
use super::flow::{Endpoint, Path};
use super::serve::Serving;
use super::usage::Usage;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    Floe,
    Coturn,
    /// What a relay costs that takes one datagram at a time and looks at none.
    Loop,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Floe, Self::Coturn, Self::Loop];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floe => "floe serve",
            Self::Coturn => "coturn",
            Self::Loop => "recv and send",
        }
    }
}

/// A relay with one allocation, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) usage: Usage,
    pub(crate) path: Path,
    /// Where more allocations may be had.
    pub(crate) server: Option<SocketAddr>,
    _serving: Option<Serving>,
}

impl Relay {
    /// One that has room for so many allocations more.
    pub(crate) fn start(kind: Kind, allocations: u32) -> anyhow::Result<Self> {
        match kind {
            Kind::Floe => Self::serving(Serving::floe("floe.log", allocations + 10)?),
            Kind::Coturn => Self::serving(Serving::coturn("coturn.log")?),
            Kind::Loop => Self::bare(),
        }
    }

    fn serving(serving: Serving) -> anyhow::Result<Self> {
        let (server, peer) = (serving.address(), Endpoint::bind()?);
        let allocated = client::allocate(client::address(0, 1), server, &[peer.local()?])?;
        let channel = allocated.channels.first().context("no channel")?.get();
        let client = Endpoint::new(allocated.socket)?;
        let path = Path { client, server, channel: Some(channel), peer, relayed: allocated.relayed };
        Ok(Self { usage: serving.usage(), path, server: Some(server), _serving: Some(serving) })
    }

    /// A thread that ends when a datagram is empty.
    fn bare() -> anyhow::Result<Self> {
        let (client, peer) = (Endpoint::bind()?, Endpoint::bind()?);
        let (one, other) = (client.local()?, peer.local()?);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let _ = tell.send(Usage::of_this_thread());
            shovel(&socket, one, other)
        });
        let path = Path { client, server: address, channel: None, peer, relayed: address };
        Ok(Self { usage: told.recv()??, path, server: None, _serving: None })
    }
}

fn shovel(socket: &UdpSocket, one: SocketAddr, other: SocketAddr) -> io::Result<()> {
    let mut buf = [0; 2048];
    loop {
        let (len, from) = socket.recv_from(&mut buf)?;
        if len == 0 {
            return Ok(());
        }
        socket.send_to(buf.get(..len).unwrap_or_default(), if from == one { other } else { one })?;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.server.is_none() {
            // The thread would end with this program anyway.
            let _ = self.path.client.end(self.path.server);
        }
    }
}
