//! Ports that are kept for another allocation of the same user (RFC 8656 §7.2, EVEN-PORT and RESERVATION-TOKEN).
//!
//! The socket is open while it waits, so that nobody else on the host takes its port.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use core::time::Duration;

use floe_stun::attribute::ReservationToken;
use floe_stun::{Chance, Instant, SocketId};

use crate::allocation::Relayed;

/// The reservations, by all that leads to one.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    by_token: BTreeMap<Token, Reservation>,
    by_socket: BTreeMap<SocketId, Token>,
    deadlines: BTreeSet<(Instant, Token)>,
}

type Token = [u8; 8];

/// A port with the place that it holds of its user's.
#[derive(Debug)]
pub(crate) struct Reservation {
    pub(crate) relayed: Relayed,
    pub(crate) owner: Arc<str>,
}

impl Reservations {
    /// Keeps a port, and gives what it is asked for by.
    pub(crate) fn keep(
        &mut self,
        chance: &mut Chance,
        now: Instant,
        owner: Arc<str>,
        relayed: Relayed,
    ) -> ReservationToken {
        let token = chance.u64().to_be_bytes();
        let relayed = Relayed { until: now + KEPT_FOR, ..relayed };
        self.by_socket.insert(relayed.socket, token);
        self.deadlines.insert((relayed.until, token));
        self.by_token.insert(token, Reservation { relayed, owner });
        ReservationToken(token)
    }

    /// Gives a port to whom it was kept for.
    pub(crate) fn take(&mut self, token: ReservationToken, owner: &str) -> Option<Relayed> {
        self.by_token.get(&token.0).filter(|kept| &*kept.owner == owner)?;
        self.remove(token.0).map(|kept| kept.relayed)
    }

    /// When the next one ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A port that nobody has asked for in time.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<Reservation> {
        let (_, token) = *self.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.remove(token)
    }

    /// A port whose socket is gone.
    pub(crate) fn take_closed(&mut self, socket: SocketId) -> Option<Reservation> {
        let token = *self.by_socket.get(&socket)?;
        self.remove(token)
    }

    /// Any port that is kept.
    pub(crate) fn take_any(&mut self) -> Option<Reservation> {
        let token = *self.by_token.keys().next()?;
        self.remove(token)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_token.is_empty() && self.by_socket.is_empty() && self.deadlines.is_empty()
    }

    /// Whether nothing that comes there is for anybody yet.
    pub(crate) fn has(&self, socket: SocketId) -> bool {
        self.by_socket.contains_key(&socket)
    }

    fn remove(&mut self, token: Token) -> Option<Reservation> {
        let kept = self.by_token.remove(&token)?;
        self.by_socket.remove(&kept.relayed.socket);
        self.deadlines.remove(&(kept.relayed.until, token));
        Some(kept)
    }
}

/// RFC 8656 §7.2: "for at least 30 seconds".
const KEPT_FOR: Duration = Duration::from_secs(30);
