//! Clients with allocations, and a peer that they all talk to: 50 packets a second and client, each way.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::relay_bench::client::{self, Allocated};

#[derive(Debug)]
pub(crate) struct Talk {
    server: SocketAddr,
    peer: UdpSocket,
    clients: Vec<Allocated>,
    /// What the times in packets are counted from.
    start: Instant,
}

/// What was sent, and how long that took which arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    pub(crate) sent: u64,
    pub(crate) delays: Vec<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Talked {
    pub(crate) to_peers: Way,
    pub(crate) to_clients: Way,
}

impl Talk {
    pub(crate) fn begin(server: SocketAddr) -> anyhow::Result<Self> {
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let peers = [peer.local_addr()?];
        let allocate = |n| client::allocate(client::address(7, n), server, &peers);
        let clients: Vec<_> = (0..CLIENTS).map(allocate).collect::<Result<_, _>>()?;
        for socket in clients.iter().map(|client| &client.socket).chain([&peer]) {
            socket.set_nonblocking(true)?;
        }
        Ok(Self { server, peer, clients, start: Instant::now() })
    }

    /// Talks until it is over, and waits for what is still on its way.
    pub(crate) fn run(&self, over: &AtomicBool) -> anyhow::Result<Talked> {
        let (mut talked, start) = (Talked::default(), Instant::now());
        for (turn, client) in (0_u32..).zip(self.clients.iter().cycle()) {
            if over.load(Ordering::Relaxed) {
                break;
            }
            self.exchange(client, &mut talked)?;
            let next = start + TURN * (turn + 1);
            while Instant::now() < next {
                self.listen(&mut talked);
                thread::sleep((next - Instant::now()).min(LOOK_AGAIN));
            }
            self.listen(&mut talked);
        }
        let end = Instant::now() + LATE;
        while Instant::now() < end {
            self.listen(&mut talked);
            thread::sleep(LOOK_AGAIN);
        }
        Ok(talked)
    }

    /// One packet each way.
    fn exchange(&self, client: &Allocated, talked: &mut Talked) -> anyhow::Result<()> {
        let channel = client.channels.first().context("no channel")?.get();
        let data = self.stamp();
        let framed = [&channel.to_be_bytes(), &(DATA as u16).to_be_bytes(), &data[..]].concat();
        client.socket.send_to(&framed, self.server)?;
        talked.to_peers.sent += 1;
        self.peer.send_to(&data, client.relayed)?;
        talked.to_clients.sent += 1;
        Ok(())
    }

    /// Data that tells when it was sent.
    fn stamp(&self) -> [u8; DATA] {
        let mut data = [0; DATA];
        let nanos = self.start.elapsed().as_nanos() as u64;
        data.iter_mut().zip(nanos.to_be_bytes()).for_each(|(place, byte)| *place = byte);
        data
    }

    /// Takes in all that has come.
    fn listen(&self, talked: &mut Talked) {
        let mut buf = [0; 2048];
        while let Ok(len) = self.peer.recv(&mut buf) {
            self.note(buf.get(..len), &mut talked.to_peers);
        }
        for client in &self.clients {
            while let Ok(len) = client.socket.recv(&mut buf) {
                self.note(buf.get(4..len), &mut talked.to_clients);
            }
        }
    }

    fn note(&self, data: Option<&[u8]>, way: &mut Way) {
        let stamp = data.filter(|data| data.len() == DATA).and_then(<[u8]>::first_chunk::<8>);
        if let Some(nanos) = stamp {
            let sent = Duration::from_nanos(u64::from_be_bytes(*nanos));
            way.delays.push(self.start.elapsed().saturating_sub(sent));
        }
    }
}

impl Way {
    pub(crate) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.delays.len() as u64)
    }

    /// Within which this part of all that came has come.
    pub(crate) fn delay(&self, part: f64) -> Duration {
        let mut sorted = self.delays.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * part) as usize).copied().unwrap_or_default()
    }
}

const CLIENTS: u32 = 20;

/// Bytes of data in each packet, as of a voice.
const DATA: usize = 160;

/// Between two packets of two clients.
const TURN: Duration = Duration::from_millis(1);

const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// What has not come by then is lost.
const LATE: Duration = Duration::from_millis(500);
