//! Ports that are kept for another allocation of the same user (RFC 8656 §7.2, EVEN-PORT and RESERVATION-TOKEN).
//!
//! The socket is open while it waits, so that nobody else on the host takes its port.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;

use floe_stun::attribute::ReservationToken;
use floe_stun::{Chance, Instant, SocketId};

use crate::allocation::Relayed;

#[derive(Debug, Default)]
pub(crate) struct Reservations {
    by_token: BTreeMap<[u8; 8], Reservation>,
}

#[derive(Debug)]
struct Reservation {
    relayed: Relayed,
    owner: Arc<str>,
    until: Instant,
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
        self.by_token.insert(token, Reservation { relayed, owner, until: now + KEPT_FOR });
        ReservationToken(token)
    }

    /// Gives a port to whom it was kept for.
    pub(crate) fn take(&mut self, token: ReservationToken, owner: &str) -> Option<Relayed> {
        self.by_token.get(&token.0).filter(|kept| &*kept.owner == owner)?;
        self.by_token.remove(&token.0).map(|kept| kept.relayed)
    }

    /// How many there are, and of this user.
    pub(crate) fn count(&self, owner: &str) -> (usize, usize) {
        (self.by_token.len(), self.by_token.values().filter(|kept| &*kept.owner == owner).count())
    }

    /// When the next one ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.by_token.values().map(|kept| kept.until).min()
    }

    /// A port that nobody has asked for in time.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<Relayed> {
        self.take_if(|kept| kept.until <= now)
    }

    /// A port whose socket is gone.
    pub(crate) fn take_closed(&mut self, socket: SocketId) -> Option<Relayed> {
        self.take_if(|kept| kept.relayed.socket == socket)
    }

    /// Any port that is kept.
    pub(crate) fn take_any(&mut self) -> Option<Relayed> {
        self.take_if(|_| true)
    }

    /// Whether nothing that comes there is for anybody yet.
    pub(crate) fn has(&self, socket: SocketId) -> bool {
        self.by_token.values().any(|kept| kept.relayed.socket == socket)
    }

    fn take_if(&mut self, is_one: impl Fn(&Reservation) -> bool) -> Option<Relayed> {
        let token = *self.by_token.iter().find(|(_, kept)| is_one(kept))?.0;
        self.by_token.remove(&token).map(|kept| kept.relayed)
    }
}

/// RFC 8656 §7.2: "for at least 30 seconds".
const KEPT_FOR: Duration = Duration::from_secs(30);
