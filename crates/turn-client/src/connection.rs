//! Connections with peers over a TCP allocation: from the wish, or a peer's attempt, to a stream that is the owner's
//! (RFC 6062 §4.3, §4.4).
//!
//! ```text
//!   connect ──▶ Wanted ──allocation is there──▶ Connecting ──success──┐
//!                 ▲ └─10 s after a 447─┘             └──refused       ▼
//!   a peer's attempt ──▶ Offered ──accept───────────────────────▶ Opening ──the host has──▶ Binding ──success──▶ gone
//!                           └──refuse, 30 s                           └──not opened            └──refused, closed
//! ```
//!
//! A relayed address and a peer have one connection between them, so the peer is its name.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::ConnectionId;
use floe_stun::{Instant, RequestId, SocketId};

/// The connections that are being made.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    kept: BTreeMap<SocketAddr, Stage>,
    /// Peers that the server could not reach, and how long it is not asked again.
    unreached: BTreeMap<SocketAddr, Instant>,
}

/// How far one of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// To be asked for.
    Wanted,
    /// Asked for.
    Connecting,
    /// The peer has called; nobody has answered yet.
    Offered { id: ConnectionId, until: Instant },
    /// The server has it; the host opens a stream there.
    Opening { id: ConnectionId, request: RequestId },
    /// The server is asked to join the two.
    Binding { socket: SocketId },
}

impl Connections {
    /// Wants one with this peer, or takes the one that it offers: its id. False in the error if there are too many.
    pub(crate) fn want(&mut self, peer: SocketAddr) -> Result<Option<ConnectionId>, Full> {
        match self.kept.get(&peer) {
            Some(Stage::Offered { id, .. }) => Ok(Some(*id)),
            Some(_) => Ok(None),
            None if self.is_full() => Err(Full),
            None => {
                self.kept.insert(peer, Stage::Wanted);
                Ok(None)
            }
        }
    }

    /// The id of what this peer offers.
    pub(crate) fn offered(&self, peer: SocketAddr) -> Option<ConnectionId> {
        match self.kept.get(&peer) {
            Some(Stage::Offered { id, .. }) => Some(*id),
            _ => None,
        }
    }

    /// A peer has called. False if one with it is under way already.
    pub(crate) fn handle_attempt(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        id: ConnectionId,
    ) -> Result<bool, Full> {
        match self.kept.get(&peer) {
            // It has called again, and so hung up before.
            None | Some(Stage::Wanted) | Some(Stage::Offered { .. }) => {}
            Some(_) => return Ok(false),
        }
        if !self.kept.contains_key(&peer) && self.is_full() {
            return Err(Full);
        }
        let before = self.kept.insert(peer, Stage::Offered { id, until: now + PATIENCE });
        Ok(!matches!(before, Some(Stage::Offered { id: known, .. }) if known == id))
    }

    /// The server has the connection; the host was asked for a stream.
    pub(crate) fn open(&mut self, peer: SocketAddr, id: ConnectionId, request: RequestId) {
        if let Some(stage) = self.kept.get_mut(&peer) {
            *stage = Stage::Opening { id, request };
        }
    }

    /// Whether it was asked for and the server has not answered.
    pub(crate) fn is_connecting(&self, peer: SocketAddr) -> bool {
        self.kept.get(&peer) == Some(&Stage::Connecting)
    }

    /// The host has opened the stream that it was asked for, if anybody still wants it: what to bind.
    pub(crate) fn handle_opened(&mut self, answered: RequestId, socket: SocketId) -> Option<ConnectionId> {
        self.kept.values_mut().find_map(|stage| match *stage {
            Stage::Opening { id, request } if request == answered => {
                *stage = Stage::Binding { socket };
                Some(id)
            }
            _ => None,
        })
    }

    /// The host could not; whom that was for.
    pub(crate) fn handle_not_opened(&mut self, answered: RequestId) -> Option<SocketAddr> {
        self.take(|stage| matches!(stage, Stage::Opening { request, .. } if *request == answered))
    }

    /// The stream is the owner's, or nobody's: whom it leads to.
    pub(crate) fn take_bound(&mut self, stream: SocketId) -> Option<SocketAddr> {
        self.take(|stage| *stage == Stage::Binding { socket: stream })
    }

    /// Whether the server is being asked on this stream.
    pub(crate) fn is_binding(&self, stream: SocketId) -> bool {
        self.kept.values().any(|stage| *stage == Stage::Binding { socket: stream })
    }

    /// No longer makes the one with this peer. False if it was not being made.
    pub(crate) fn forget(&mut self, peer: SocketAddr) -> bool {
        self.kept.remove(&peer).is_some()
    }

    /// The server could not reach this peer.
    pub(crate) fn leave_alone(&mut self, now: Instant, peer: SocketAddr) {
        self.unreached.insert(peer, now + REST);
    }

    /// One of those that are being made, which is no longer; its stream, if it has one.
    pub(crate) fn take_any(
        &mut self,
        mut which: impl FnMut(SocketAddr) -> bool,
    ) -> Option<(SocketAddr, Option<SocketId>)> {
        let (&peer, &stage) = self.kept.iter().find(|(peer, _)| which(**peer))?;
        self.kept.remove(&peer);
        match stage {
            Stage::Binding { socket } => Some((peer, Some(socket))),
            _ => Some((peer, None)),
        }
    }

    /// The next peer for which Connect is due; to be called until there is none.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<SocketAddr> {
        self.unreached.retain(|_, until| now < *until);
        let unreached = &self.unreached;
        let is_due = |(peer, stage): &(&SocketAddr, &mut Stage)| {
            **stage == Stage::Wanted && !unreached.contains_key(*peer)
        };
        let (peer, stage) = self.kept.iter_mut().find(is_due)?;
        *stage = Stage::Connecting;
        Some(*peer)
    }

    /// The next peer that has hung up by now, since nobody answered; to be called until there is none.
    pub(crate) fn take_late(&mut self, now: Instant) -> Option<SocketAddr> {
        self.take(|stage| matches!(stage, Stage::Offered { until, .. } if *until <= now))
    }

    /// The next moment at which one may be asked for, or is no longer offered.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let moment = |(peer, stage): (&SocketAddr, &Stage)| match stage {
            Stage::Wanted => self.unreached.get(peer).copied(),
            Stage::Offered { until, .. } => Some(*until),
            Stage::Connecting | Stage::Opening { .. } | Stage::Binding { .. } => None,
        };
        self.kept.iter().filter_map(moment).min()
    }

    fn take(&mut self, mut which: impl FnMut(&Stage) -> bool) -> Option<SocketAddr> {
        let (&peer, _) = self.kept.iter().find(|(_, stage)| which(stage))?;
        self.kept.remove(&peer);
        Some(peer)
    }

    fn is_full(&self) -> bool {
        self.kept.len().saturating_add(self.unreached.len()) >= MAX
    }
}

/// [`MAX`] are being made already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Full;

//= RFC 6062 §4.3
//# The client MAY retry with the same XOR-PEER-ADDRESS attribute, but MUST wait at least 10 seconds.
const REST: Duration = Duration::from_secs(10);

//= RFC 6062 §5.3
//# If no ConnectionBind request associated with this peer data connection is received after 30 seconds, the peer
//# data connection MUST be closed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections that are being made at one time, those included that are left alone.
pub(crate) const MAX: usize = 128;
