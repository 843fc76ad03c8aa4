//! Where a codec shows what it has read or written: to nobody while the clock runs, to a judge before.

use std::hint::black_box;
use std::net::SocketAddr;

use super::Facts;
use crate::Row;

pub(crate) trait Eye {
    fn check(&mut self, username: &str, priority: u32, controlling: u64, use_candidate: bool);
    fn address(&mut self, address: SocketAddr);
    fn data(&mut self, peer: SocketAddr, payload: &[u8]);
    fn packet(&mut self, packet: &[u8]);
}

/// Looks at nothing, but the compiler does not know.
pub(crate) struct Away;

impl Eye for Away {
    fn check(&mut self, username: &str, priority: u32, controlling: u64, use_candidate: bool) {
        black_box((username, priority, controlling, use_candidate));
    }

    fn address(&mut self, address: SocketAddr) {
        black_box(address);
    }

    fn data(&mut self, peer: SocketAddr, payload: &[u8]) {
        black_box((peer, payload));
    }

    fn packet(&mut self, packet: &[u8]) {
        black_box(packet);
    }
}

/// Keeps what it sees.
#[derive(Debug, Default)]
pub(crate) struct Judge(Option<Seen>);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Check { username: String, priority: u32, controlling: u64, use_candidate: bool },
    Address(SocketAddr),
    Data { peer: SocketAddr, payload: Vec<u8> },
    Packet(Vec<u8>),
}

impl Seen {
    pub(crate) fn check(facts: &Facts) -> Self {
        Self::Check {
            username: facts.username.to_owned(),
            priority: facts.priority,
            controlling: facts.controlling,
            use_candidate: true,
        }
    }
}

impl Judge {
    pub(crate) fn must_have_seen(&self, expected: &Seen, name: &str, row: Row) {
        assert_eq!(self.0.as_ref(), Some(expected), "{name} misreads {row}");
    }

    pub(crate) fn written(self) -> Vec<u8> {
        match self.0 {
            Some(Seen::Packet(packet)) => packet,
            other => panic!("a packet is to be written, not {other:?}"),
        }
    }
}

impl Eye for Judge {
    fn check(&mut self, username: &str, priority: u32, controlling: u64, use_candidate: bool) {
        self.0 = Some(Seen::Check { username: username.to_owned(), priority, controlling, use_candidate });
    }

    fn address(&mut self, address: SocketAddr) {
        self.0 = Some(Seen::Address(address));
    }

    fn data(&mut self, peer: SocketAddr, payload: &[u8]) {
        self.0 = Some(Seen::Data { peer, payload: payload.to_vec() });
    }

    fn packet(&mut self, packet: &[u8]) {
        self.0 = Some(Seen::Packet(packet.to_vec()));
    }
}
