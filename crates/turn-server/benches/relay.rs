//! What a relayed datagram costs, beside 0, 99 and 9,999 other allocations: the goal is at most half as much again.
//!
//! `cargo bench -p floe-turn-server --bench relay`
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot run has failed"
)]

use std::net::SocketAddr;
use std::time::Duration;

use divan::{AllocProfiler, Bencher, black_box};
use floe_stun::{Input, Instant, MAX_TRANSMIT, Machine, Output, Received, SocketId};
use floe_turn_server::{Event, Limits, Server};

#[path = "../tests/support/mod.rs"]
mod support;

use support::{Client, Scheme, V4, World, addr, config};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const COUNTS: [usize; 3] = [1, 100, 10_000];
const PEER: &str = "198.51.100.7:7000";

fn main() {
    divan::main();
}

/// ChannelData of clients, one after the other, to their peers.
#[divan::bench(args = COUNTS, sample_size = 10_000)]
fn from_client(bencher: Bencher<'_, '_>, count: usize) {
    let mut packet = [7; 164];
    packet[..4].copy_from_slice(b"\x40\x00\x00\xa0");
    let relay = Relay::new(count);
    relay.run(bencher, |(client, _)| (V4, *client), &packet);
}

/// Datagrams of a peer to the relayed sockets, one after the other.
#[divan::bench(args = COUNTS, sample_size = 10_000)]
fn from_peer(bencher: Bencher<'_, '_>, count: usize) {
    let relay = Relay::new(count);
    let peer = addr(PEER);
    relay.run(bencher, |(_, socket)| (*socket, peer), &[7; 160]);
}

struct Relay {
    server: Server,
    now: Instant,
    /// Each with its relayed socket.
    clients: Vec<(SocketAddr, SocketId)>,
}

impl Relay {
    fn new(count: usize) -> Self {
        let mut limits = Limits::default();
        (limits.allocations, limits.allocations_per_user) = (count, count);
        limits.unauthenticated_per_second = None;
        let mut world = World::with(config().with_limits(limits));
        for n in 0..count {
            let address = format!("203.0.{}.{}:4000", n / 250, n % 250);
            let mut client = Client::new(&address, "alice", "wonderland", Scheme::Md5);
            client.allocate(&mut world);
            assert_eq!(client.bind(&mut world, 0x4000, PEER), 0);
        }
        let clients = world.events.iter().filter_map(|event| match event {
            Event::Allocated { client, socket, .. } => Some((*client, *socket)),
            _ => None,
        });
        Self { clients: clients.collect(), server: world.server, now: world.now }
    }

    fn run(
        mut self,
        bencher: Bencher<'_, '_>,
        from: impl Fn(&(SocketAddr, SocketId)) -> (SocketId, SocketAddr),
        data: &[u8],
    ) {
        // The packets of many clients come in no order.
        let froms: Vec<_> =
            (0..self.clients.len()).map(|n| from(&self.clients[n * 7919 % self.clients.len()])).collect();
        let (mut place, mut buf) = (0, [0; MAX_TRANSMIT]);
        bencher.bench_local(|| {
            let (socket, from) = froms[place];
            place = (place + 1) % froms.len();
            self.now = self.now + Duration::from_nanos(1);
            let input = Input::Datagram { socket, from, data: black_box(data) };
            match self.server.handle_input(self.now, input) {
                Received::App(forward) => {
                    black_box(forward.plan.to());
                }
                other => panic!("{other:?}"),
            }
            assert!(matches!(self.server.poll_output(&mut buf), Output::Wait { .. }));
        });
    }
}
