//! The two doors of the server, and the wiring behind them.

use core::net::SocketAddr;

use floe_stun::{Forward, Input, Instant, MAX_TRANSMIT, Machine, Output, Received, SocketId};

use crate::{Config, Event, Stats};

/// A STUN and TURN server; see [`floe_stun::door`] for the loop that drives it.
#[derive(Debug)]
pub struct Server {
    config: Config,
    now: Instant,
    stats: Stats,
}

impl Server {
    /// A server with this configuration. It hears nothing until [`Self::listen`].
    #[must_use]
    pub fn new(now: Instant, config: Config, _seed: [u8; 32]) -> Self {
        Self { config, now, stats: Stats::default() }
    }

    /// Takes requests of clients from this UDP socket, which the host has bound to `local`.
    pub fn listen(&mut self, _socket: SocketId, _local: SocketAddr) {
        let _ = self.config.users.iter().count();
    }

    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Ends all allocations and closes their sockets; whatever comes after is dropped.
    pub fn close(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

impl Machine for Server {
    type App<'p> = Forward<'p>;
    type Event = Event;

    fn handle_input<'p>(&mut self, now: Instant, _input: Input<'p>) -> Received<Forward<'p>> {
        self.now = self.now.max(now);
        Received::NotMine
    }

    fn poll_output<'b>(&mut self, _buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, Event> {
        Output::Idle
    }
}
