//! The sockets under a machine: opens them, and drives the machine to its next event.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use floe_stun::{Icmp, Input, Instant, MAX_TRANSMIT, Machine, Output, SocketId, Transmit};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{timeout, timeout_at};

use super::Means;
use super::row::Verdict;
use super::servers::Place;

/// An open way to a server.
pub(crate) struct Wire {
    carrier: Carrier,
    server: SocketAddr,
    start: tokio::time::Instant,
    withheld: usize,
    heard: usize,
    sources: BTreeSet<(SocketId, SocketAddr)>,
}

/// Sockets are named by their place; a stream is the first and only one.
enum Carrier {
    Datagrams(Vec<UdpSocket>),
    Stream(Box<dyn Stream>),
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl Wire {
    pub(crate) async fn open(place: &Place, means: &Means) -> Result<Self, Verdict> {
        match place {
            Place::Udp(server) => Self::datagrams(*server, 1).await,
            Place::Tcp(addresses) => {
                let stream = connect(addresses, means.patience()).await?;
                let server = stream.peer_addr().map_err(|why| unreachable(&why))?;
                Ok(Self::new(Carrier::Stream(Box::new(stream)), server))
            }
            Place::Tls(addresses, name) => {
                let stream = connect(addresses, means.patience()).await?;
                let server = stream.peer_addr().map_err(|why| unreachable(&why))?;
                let stream = means.trust.handshake(stream, name, means.patience()).await?;
                Ok(Self::new(Carrier::Stream(Box::new(stream)), server))
            }
        }
    }

    /// So many sockets, all on the address that leads to the server, none connected: answers from elsewhere are to be
    /// seen.
    pub(crate) async fn datagrams(server: SocketAddr, count: usize) -> Result<Self, Verdict> {
        let bind = async {
            let source = source_towards(server).await?;
            let mut sockets = Vec::new();
            for _ in 0..count {
                sockets.push(UdpSocket::bind((source, 0)).await?);
            }
            Ok(Self::new(Carrier::Datagrams(sockets), server))
        };
        bind.await.map_err(|why: io::Error| unreachable(&why))
    }

    fn new(carrier: Carrier, server: SocketAddr) -> Self {
        let (start, sources) = (tokio::time::Instant::now(), BTreeSet::new());
        Self { carrier, server, start, withheld: 0, heard: 0, sources }
    }

    /// The next so many transmissions do not happen.
    pub(crate) const fn withhold(&mut self, transmissions: usize) {
        self.withheld = transmissions;
    }

    pub(crate) const fn server(&self) -> SocketAddr {
        self.server
    }

    pub(crate) const fn is_stream(&self) -> bool {
        matches!(self.carrier, Carrier::Stream(_))
    }

    /// The address of a UDP socket.
    pub(crate) fn local(&self, socket: SocketId) -> Option<SocketAddr> {
        self.sockets().nth(usize::try_from(socket.0).ok()?)?.local_addr().ok()
    }

    /// Bytes that came.
    pub(crate) const fn heard(&self) -> usize {
        self.heard
    }

    /// Whether a datagram of this source came to this socket.
    pub(crate) fn has_heard(&self, socket: SocketId, from: SocketAddr) -> bool {
        self.sources.contains(&(socket, from))
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_duration(self.start.elapsed())
    }

    /// Runs the machine until it has something to tell; none if it has nothing more.
    pub(crate) async fn drive<M: Machine>(&mut self, machine: &mut M) -> Option<M::Event> {
        let (mut out, mut packet) = ([0; MAX_TRANSMIT], vec![0; LARGEST_DATAGRAM]);
        loop {
            let until = match machine.poll_output(&mut out) {
                Output::Event(event) => return Some(event),
                Output::Transmit(transmit) => {
                    if let Err(what) = self.send(&transmit).await {
                        let now = self.now();
                        let _ = machine.handle_input(now, what);
                    }
                    continue;
                }
                Output::Wait { until, .. } => until,
                Output::Need(_) | Output::Idle => return None,
            };
            let wake = self.start + Duration::from_nanos(until.as_nanos());
            let verdict = match timeout_at(wake, self.receive(&mut packet)).await {
                Ok(input) => machine.handle_input(self.now(), input),
                Err(_) => machine.handle_input(until, Input::Timeout),
            };
            drop(verdict);
        }
    }

    async fn send(&mut self, transmit: &Transmit<'_>) -> Result<(), Input<'static>> {
        if self.withheld > 0 {
            self.withheld -= 1;
            return Ok(());
        }
        let (socket, to) = (transmit.socket, transmit.to);
        match &mut self.carrier {
            Carrier::Datagrams(sockets) => {
                let from = usize::try_from(socket.0).ok().and_then(|place| sockets.get(place));
                let Some(from) = from else { return Ok(()) };
                let sent = from.send_to(transmit.bytes, to).await;
                sent.map(drop).map_err(|_| Input::Icmp { socket, to, what: Icmp::Unreachable })
            }
            Carrier::Stream(stream) => {
                let sent = async {
                    stream.write_all(transmit.bytes).await?;
                    stream.flush().await
                };
                sent.await.map_err(|_| Input::Closed { socket })
            }
        }
    }

    async fn receive<'p>(&mut self, packet: &'p mut [u8]) -> Input<'p> {
        match &mut self.carrier {
            Carrier::Datagrams(sockets) => {
                let (socket, from, len) = poll_fn(|cx| poll_any(sockets, cx, packet)).await;
                self.heard += len;
                self.sources.insert((socket, from));
                Input::Datagram { socket, from, data: packet.get(..len).unwrap_or_default() }
            }
            Carrier::Stream(stream) => match stream.read(packet).await {
                Ok(len) if len > 0 => {
                    self.heard += len;
                    Input::Stream { socket: SocketId(0), data: packet.get(..len).unwrap_or_default() }
                }
                // An end without a farewell is an end.
                Ok(_) | Err(_) => Input::Closed { socket: SocketId(0) },
            },
        }
    }

    fn sockets(&self) -> impl Iterator<Item = &UdpSocket> {
        match &self.carrier {
            Carrier::Datagrams(sockets) => sockets.iter(),
            Carrier::Stream(_) => [].iter(),
        }
    }
}

/// The first datagram that waits on any of them. An unconnected socket reports no errors of the network, and what else
/// fails is like silence.
fn poll_any(
    sockets: &[UdpSocket],
    cx: &mut Context<'_>,
    packet: &mut [u8],
) -> Poll<(SocketId, SocketAddr, usize)> {
    for (id, socket) in (0..).map(SocketId).zip(sockets) {
        let mut buf = ReadBuf::new(packet);
        if let Poll::Ready(Ok(from)) = socket.poll_recv_from(cx, &mut buf) {
            return Poll::Ready((id, from, buf.filled().len()));
        }
    }
    Poll::Pending
}

/// The first address that takes the connection, all within `patience`.
async fn connect(addresses: &[SocketAddr], patience: Duration) -> Result<TcpStream, Verdict> {
    match timeout(patience, TcpStream::connect(addresses)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(why)) => Err(unreachable(&why)),
        Err(_) => Err(Verdict::NoAnswer(format!("no connection within {} s", patience.as_secs_f32()))),
    }
}

/// Which address of ours leads to the server; no packet is sent.
async fn source_towards(server: SocketAddr) -> io::Result<IpAddr> {
    let any =
        if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    Ok(socket.local_addr()?.ip())
}

fn unreachable(why: &io::Error) -> Verdict {
    match why.kind() {
        ErrorKind::ConnectionRefused => Verdict::Unsupported("it refuses connections".into()),
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable => {
            Verdict::NoAnswer("there is no route to it from here".into())
        }
        _ => Verdict::NoAnswer(format!("it cannot be reached: {why}")),
    }
}

/// All that UDP can carry.
const LARGEST_DATAGRAM: usize = 65_535;
