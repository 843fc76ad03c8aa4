//! A TURN client on a socket of the standard library, driven only as long as it asks for something.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant as Clock};

use anyhow::{Context as _, bail, ensure};
use floe_stun::{ChannelNumber, Input, Instant, MAX_TRANSMIT, Machine, Output, Password, SocketId};
use floe_turn_client::{Client, Config, Credentials, Event};

use super::serve::{PASSWORD, USER};

/// An allocation with channels. It lives for as long as the server lets it without a refresh, ten minutes.
#[derive(Debug)]
pub(crate) struct Allocated {
    pub(crate) socket: UdpSocket,
    pub(crate) relayed: SocketAddr,
    /// Of each peer, in their order.
    pub(crate) channels: Vec<ChannelNumber>,
}

/// Makes an allocation from this address, with a channel to each of these peers.
pub(crate) fn allocate(from: IpAddr, server: SocketAddr, peers: &[SocketAddr]) -> anyhow::Result<Allocated> {
    let socket = UdpSocket::bind((from, 0))?;
    let (mut relayed, mut channels) = (None, vec![None; peers.len()]);
    let mut talk = Talk::start(&socket, server, PASSWORD)?;
    for peer in peers {
        talk.client.bind_channel(Instant::ORIGIN, *peer);
    }
    while relayed.is_none() || channels.contains(&None) {
        match talk.next()? {
            Said::Send(bytes) => drop(socket.send_to(&bytes, server)?),
            Said::Event(Event::Allocated { relayed: address, .. }) => relayed = Some(address),
            Said::Event(Event::ChannelBound { peer, channel }) => {
                let bound = peers.iter().position(|one| *one == peer).and_then(|n| channels.get_mut(n));
                *bound.context("a channel that nobody wanted")? = Some(channel);
            }
            Said::Event(Event::Permitted { .. }) => {}
            Said::Event(other) => bail!("{other:?}"),
        }
    }
    let relayed = relayed.context("no relayed address")?;
    Ok(Allocated { socket, relayed, channels: channels.into_iter().flatten().collect() })
}

/// The request that answers the server's challenge, signed with a key that the server does not know. It is not sent.
pub(crate) fn signed_wrongly(socket: &UdpSocket, server: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let mut talk = Talk::start(socket, server, "wrong")?;
    let (mut before, mut challenged) = (Vec::new(), false);
    loop {
        match talk.next()? {
            Said::Send(bytes) if challenged && bytes != before => return Ok(bytes),
            Said::Send(bytes) => {
                socket.send_to(&bytes, server)?;
                (before, challenged) = (bytes, true);
            }
            Said::Event(other) => bail!("{other:?}"),
        }
    }
}

/// The n-th address of loopback in this block.
pub(crate) fn address(block: u8, n: u32) -> IpAddr {
    let [.., high, low] = (n + 1).to_be_bytes();
    Ipv4Addr::new(127, block, high, low).into()
}

/// A client between two of its outputs.
struct Talk<'s> {
    client: Client,
    socket: &'s UdpSocket,
    server: SocketAddr,
    start: Clock,
}

enum Said {
    Send(Vec<u8>),
    Event(Event),
}

impl<'s> Talk<'s> {
    fn start(socket: &'s UdpSocket, server: SocketAddr, password: &str) -> anyhow::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).context("no entropy")?;
        let config = Config::new(SOCKET, server, Credentials::new(USER, Password::new(password)));
        let client = Client::new(Instant::ORIGIN, config, seed);
        Ok(Self { client, socket, server, start: Clock::now() })
    }

    fn now(&self) -> Instant {
        Instant::from_duration(self.start.elapsed())
    }

    /// What it wants next; waits for the server meanwhile.
    fn next(&mut self) -> anyhow::Result<Said> {
        let mut out = [0; MAX_TRANSMIT];
        loop {
            ensure!(self.start.elapsed() < PATIENCE, "{} does not answer", self.server);
            let until = match self.client.poll_output(&mut out) {
                Output::Transmit(datagram) => return Ok(Said::Send(datagram.bytes.to_vec())),
                Output::Event(event) => return Ok(Said::Event(event)),
                Output::Wait { until, .. } => until,
                Output::Need(_) | Output::Idle => bail!("nothing left to do"),
            };
            // A timeout of zero would mean "for ever".
            let wait = (until - self.now()).clamp(Duration::from_millis(1), PATIENCE);
            self.socket.set_read_timeout(Some(wait))?;
            let mut packet = [0; 2048];
            let input = match self.socket.recv_from(&mut packet) {
                Ok((len, from)) => {
                    Input::Datagram { socket: SOCKET, from, data: packet.get(..len).unwrap_or_default() }
                }
                Err(_) => Input::Timeout,
            };
            let now = self.now();
            let _ = self.client.handle_input(now, input);
        }
    }
}

const SOCKET: SocketId = SocketId(0);

const PATIENCE: Duration = Duration::from_secs(5);
