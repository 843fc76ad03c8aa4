//! What waits to be fetched: intentions, which become bytes only when the host asks for them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::attribute::{ErrorCode, TransmitCounter};
use floe_stun::{Integrity, Need, SocketId, TransactionId};

use crate::id::JobId;
use crate::locals::Via;
use crate::output::Event;

/// One intention.
#[derive(Debug)]
pub(crate) enum Queued {
    /// Send this check of this generation, if it is still wanted.
    Check { generation: u32, id: TransactionId },
    /// Answer a check.
    Answer(Answer),
    /// Ask a STUN server for our address, if that is still wanted.
    Query(JobId),
    /// Keep a NAT binding alive by a Binding indication (RFC 8445 §11).
    Keepalive { socket: SocketId, to: SocketAddr },
    /// A control message of a TURN client.
    Control { socket: SocketId, to: SocketAddr, bytes: Vec<u8> },
    /// Ask the host for something.
    Need(Need),
    /// Tell the owner.
    Event(Event),
}

/// An answer to an authenticated check, signed with the password of its generation.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) generation: u32,
    pub(crate) via: Via,
    pub(crate) to: SocketAddr,
    pub(crate) id: TransactionId,
    /// What vouched for the check, and so for the answer (RFC 8489 §9.1.3).
    pub(crate) by: Integrity,
    /// What counts the check's transmissions, if it does (RFC 7982 §3.3).
    pub(crate) counter: Option<TransmitCounter>,
    pub(crate) verdict: Verdict,
}

/// What the answer says.
#[derive(Debug)]
pub(crate) enum Verdict {
    Success,
    Error(ErrorCode<'static>),
    UnknownAttributes(Vec<u16>),
}

/// Intentions in causal order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Queued>,
}

impl Outbox {
    /// Adds an intention. Above `most`, the oldest packet gives way: packets may be lost, events may not.
    pub(crate) fn push(&mut self, queued: Queued, most: usize) {
        if self.queue.len() >= most
            && let Some(at) = self.queue.iter().position(Queued::is_packet)
        {
            self.queue.remove(at);
        }
        self.queue.push_back(queued);
    }

    pub(crate) fn pop(&mut self) -> Option<Queued> {
        self.queue.pop_front()
    }
}

impl Queued {
    const fn is_packet(&self) -> bool {
        !matches!(self, Self::Need(_) | Self::Event(_))
    }
}
