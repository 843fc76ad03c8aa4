//! Datagrams through a relay in one direction: as many on their way as there may be, and no more.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use quinn_udp::{Transmit, UdpSocketState};

/// The two ends of a relay, and what lies between.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) client: Endpoint,
    /// Where the client sends to.
    pub(crate) server: SocketAddr,
    /// What stands in front of the client's data, if anything.
    pub(crate) channel: Option<u16>,
    pub(crate) peer: Endpoint,
    /// Where the peer sends to.
    pub(crate) relayed: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    ToPeer,
    ToClient,
}

/// How datagrams are handed to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pace {
    /// Many with one call, as a sender of video does.
    Bursts,
    /// One by one.
    Single,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// Sends for so long, and waits for what is still on its way.
pub(crate) fn run(path: &Path, pace: Pace, direction: Direction, time: Duration) -> anyhow::Result<Tally> {
    let Path { client, server, channel, peer, relayed } = path;
    let (in_front, data) = (channel.map(header).unwrap_or_default(), [7; DATA]);
    let framed = [&in_front[..], &data].concat();
    match direction {
        Direction::ToPeer => pump((client, *server, &framed[..]), (peer, DATA), pace, time),
        Direction::ToClient => pump((peer, *relayed, &data[..]), (client, framed.len()), pace, time),
    }
}

fn pump(
    (from, to, datagram): (&Endpoint, SocketAddr, &[u8]),
    (sink, len): (&Endpoint, usize),
    pace: Pace,
    time: Duration,
) -> anyhow::Result<Tally> {
    let together = match pace {
        Pace::Bursts => WINDOW / 2,
        Pace::Single => 1,
    };
    let (train, end) = (datagram.repeat(together), Instant::now() + time);
    let (mut tally, mut on_their_way, mut buf) = (Tally::default(), 0, vec![0; 65_536]);
    while Instant::now() < end {
        while on_their_way + together <= WINDOW {
            from.send(to, &train, datagram.len())?;
            tally.sent += together as u64;
            on_their_way += together;
        }
        // If nothing comes, all of it is lost.
        let arrived = sink.receive(&mut buf, len).unwrap_or(on_their_way);
        on_their_way = on_their_way.saturating_sub(arrived);
        tally.received += arrived as u64;
    }
    while tally.received < tally.sent {
        let Some(arrived) = sink.receive(&mut buf, len) else { break };
        tally.received += arrived as u64;
    }
    Ok(tally)
}

/// ChannelData in front of our data (RFC 8656 §12.4).
fn header(channel: u16) -> Vec<u8> {
    [channel.to_be_bytes(), (DATA as u16).to_be_bytes()].concat()
}

/// A socket that sends and takes many datagrams with one call.
#[derive(Debug)]
pub(crate) struct Endpoint {
    socket: UdpSocket,
    state: UdpSocketState,
}

impl Endpoint {
    pub(crate) fn bind() -> anyhow::Result<Self> {
        Self::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?)
    }

    pub(crate) fn new(socket: UdpSocket) -> anyhow::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        // It does not block now, and is to.
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(LOST))?;
        Ok(Self { socket, state })
    }

    pub(crate) fn local(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    pub(crate) fn end(&self, to: SocketAddr) -> anyhow::Result<()> {
        self.socket.send_to(&[], to)?;
        Ok(())
    }

    fn send(&self, destination: SocketAddr, contents: &[u8], len: usize) -> anyhow::Result<()> {
        let segment_size = (contents.len() > len).then_some(len);
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
        Ok(self.state.try_send((&self.socket).into(), &transmit)?)
    }

    /// How many datagrams of this length came together; none if nothing comes any more.
    fn receive(&self, buf: &mut [u8], len: usize) -> Option<usize> {
        self.socket.recv(buf).ok().map(|bytes| bytes.div_ceil(len))
    }
}

impl Path {
    pub(crate) fn peer_address(&self) -> anyhow::Result<SocketAddr> {
        self.peer.local()
    }
}

/// Datagrams on their way.
const WINDOW: usize = 64;

/// Bytes of data in each.
const DATA: usize = 1200;

/// What has not arrived by then is lost.
const LOST: Duration = Duration::from_millis(300);
