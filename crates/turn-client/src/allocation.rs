//! The allocation: what is relayed for us and how long it is ours (RFC 8656 §6 to §8).
//!
//! ```text
//!   Asking ──success──▶ Live ──release──▶ Leaving ──success, 437, any end──▶ Over
//!    │ ▲ ▲              │  ▲                 ▲                                ▲
//!    │ │ │  a minute    ▼  │ success         │                                │
//!    │ │ │before expiry refresh              │                                │
//!    │ │ └──437, silence, expiry─┴── where it is not to be had again ─────────┤
//!    │ Tokenless ◀─401 to who has no token, until there is one                  │
//!    │ Resting ◀─refused for now, where there was one before                  │
//!    │ Clearing ◀─437: an old one is in the way, and deleted                  │
//!    │ Detour ◀─300 on a stream: until there is one to the other server       │
//!    ├──success that is of no use────────────┘                                │
//!    └──refused, silence──────────────────────────────────────────────────────┘
//! ```

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{
    AddressErrorCode, Attribute, ErrorCode, Family, Lifetime, MobilityTicket, ReservationToken,
    XorMappedAddress, XorRelayedAddress,
};
use floe_stun::{Chance, Instant, Message, RequestId};

use crate::requests::Elsewhere;
use crate::{BadAnswer, Refusal, Wanted};

/// Where the one allocation of a client stands.
#[derive(Debug)]
pub(crate) enum Allocation {
    /// Asked for.
    Asking,
    /// To be asked for again once there is a token.
    Tokenless,
    /// To be asked for again later.
    Resting {
        /// When.
        until: Instant,
    },
    /// To be asked for elsewhere, once the host has opened the way there.
    Detour {
        /// What the host was asked.
        request: RequestId,
        /// The other server.
        elsewhere: Elsewhere,
        /// Whether the stream to the server that sent us there is over already.
        left: bool,
    },
    /// An earlier one of this 5-tuple is being deleted, and then it is asked for again.
    Clearing,
    /// Held.
    Live(Live),
    /// Being deleted; `told` if the owner knows already how it ended.
    Leaving {
        /// Whether an event has been given.
        told: bool,
    },
    /// Nothing is left to do.
    Over,
}

/// An allocation that is held.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) grant: Grant,
    granted_at: Instant,
    expires_at: Instant,
    refresh: Refresh,
    silent: bool,
}

#[derive(Debug)]
enum Refresh {
    At(Instant),
    Asked,
    /// Asked from a new address: until the answer nothing is to be sent (RFC 8016 §3.2.2).
    Moving,
}

/// What a success response to Allocate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) relayed: SocketAddr,
    /// The IPv6 one beside an IPv4 one.
    pub(crate) second: Option<SocketAddr>,
    /// The family that was asked for and is not there, and why.
    pub(crate) missing: Option<(Family, Refusal)>,
    pub(crate) mapped: SocketAddr,
    pub(crate) lifetime: Duration,
    pub(crate) reserved: Option<ReservationToken>,
    /// MOBILITY-TICKET, which brings the allocation along to another address (RFC 8016).
    pub(crate) ticket: Option<Vec<u8>>,
}

impl Grant {
    /// Reads it and checks that it is what we asked for (RFC 8656 §7.3).
    pub(crate) fn read(message: &Message<'_>, wanted: Wanted) -> Result<Self, BadAnswer> {
        let mut relayed = relayed(message);
        let first = relayed.next().ok_or(BadAnswer::Lacks("XOR-RELAYED-ADDRESS"))?;
        let second = relayed.next().filter(|second| second.is_ipv4() != first.is_ipv4());
        if !wanted.includes(Family::of(first.ip())) || second.is_some() && wanted != Wanted::Both {
            return Err(BadAnswer::WrongFamily);
        }
        let XorMappedAddress(mapped) = message.find().ok_or(BadAnswer::Lacks("XOR-MAPPED-ADDRESS"))?;
        let Lifetime(lifetime) = message.find().ok_or(BadAnswer::Lacks("LIFETIME"))?;
        if lifetime.is_zero() {
            return Err(BadAnswer::Lacks("a LIFETIME above zero"));
        }
        let missing = message
            .find()
            .map(|AddressErrorCode { family, code, reason }| (family, ErrorCode { code, reason }.into()));
        // IPv4 first, however the server ordered them.
        let (relayed, second) = match second {
            Some(second) if second.is_ipv4() => (second, Some(first)),
            second => (first, second),
        };
        Ok(Self {
            relayed,
            second,
            missing,
            mapped,
            lifetime,
            reserved: message.find(),
            ticket: ticket(message),
        })
    }

    /// Whether peers of this family can be reached.
    pub(crate) fn has(&self, family: Family) -> bool {
        [Some(self.relayed), self.second]
            .into_iter()
            .flatten()
            .any(|relayed| Family::of(relayed.ip()) == family)
    }
}

fn ticket(message: &Message<'_>) -> Option<Vec<u8>> {
    message.find().map(|MobilityTicket(ticket)| ticket).filter(|ticket| !ticket.is_empty()).map(Vec::from)
}

fn relayed<'m>(message: &Message<'m>) -> impl Iterator<Item = SocketAddr> + use<'m> {
    let id = message.id();
    let values = message.attributes().filter(|raw| raw.kind == XorRelayedAddress::TYPE);
    values.filter_map(move |raw| {
        XorRelayedAddress::decode(raw.value, id).ok().map(|XorRelayedAddress(relayed)| relayed)
    })
}

impl Live {
    fn new(now: Instant, grant: Grant, chance: &mut Chance) -> Self {
        let lifetime = match grant.lifetime {
            Duration::ZERO => Duration::ZERO,
            lifetime => lifetime.max(SHORTEST),
        };
        let refresh = Refresh::At(now + refresh_after(lifetime, chance));
        Self { expires_at: now + lifetime, refresh, silent: false, grant, granted_at: now }
    }
}

impl Allocation {
    /// The server granted it.
    pub(crate) fn handle_grant(&mut self, now: Instant, grant: Grant, chance: &mut Chance) {
        *self = Self::Live(Live::new(now, grant, chance));
    }

    /// The server refreshed it, for the time it says or else for as long as before.
    pub(crate) fn handle_refreshed(&mut self, now: Instant, answer: &Message<'_>, chance: &mut Chance) {
        let Self::Live(live) = self else { return };
        let lifetime = answer.find().map_or(live.grant.lifetime, |Lifetime(lifetime)| lifetime);
        let ticket = ticket(answer).or_else(|| live.grant.ticket.take());
        let granted_at = live.granted_at;
        let refreshed = Live::new(now, Grant { lifetime, ticket, ..live.grant.clone() }, chance);
        *live = Live { granted_at, ..refreshed };
    }

    /// The host has gone to another address. Whether a Refresh from there brings the allocation along.
    pub(crate) fn start_move(&mut self) -> bool {
        let Self::Live(live) = self else { return false };
        if live.grant.ticket.is_some() {
            live.refresh = Refresh::Moving;
        }
        live.grant.ticket.is_some()
    }

    /// The ticket, while it is needed.
    pub(crate) fn ticket(&self) -> Option<&[u8]> {
        let live = self.live().filter(|live| matches!(live.refresh, Refresh::Moving))?;
        live.grant.ticket.as_deref()
    }

    /// The server has trouble of its own (5xx): tries again when half of the time left has passed, which ends
    /// after a few times (RFC 8489 §6.3.4).
    pub(crate) fn handle_trouble(&mut self, now: Instant) {
        if let Self::Live(live) = self {
            let wait = (live.expires_at - now) / 2;
            if wait >= LAST_TRY {
                live.refresh = Refresh::At(now + wait);
            }
        }
    }

    /// The server answered as if there were no allocation: a Refresh will tell.
    pub(crate) fn handle_doubt(&mut self, now: Instant) {
        if let Self::Live(Live { refresh: refresh @ Refresh::At(_), .. }) = self {
            *refresh = Refresh::At(now);
        }
    }

    /// Whether a Refresh is due; says so once.
    pub(crate) fn take_refresh(&mut self, now: Instant) -> bool {
        let Self::Live(live) = self else { return false };
        match live.refresh {
            Refresh::At(at) if at <= now => {
                live.refresh = Refresh::Asked;
                true
            }
            Refresh::At(_) | Refresh::Asked | Refresh::Moving => false,
        }
    }

    /// Nobody answered the Refresh. Whether there is time for another.
    pub(crate) fn handle_silence(&mut self, now: Instant) -> bool {
        let Self::Live(live) = self else { return false };
        live.silent = true;
        live.expires_at - now >= LAST_TRY
    }

    /// Whether its last Refresh was left without an answer.
    pub(crate) const fn is_silent(&self) -> bool {
        matches!(self, Self::Live(Live { silent: true, .. }))
    }

    /// Whether it is to be asked for again; says so once.
    pub(crate) fn take_rest(&mut self, now: Instant) -> bool {
        let over = matches!(self, Self::Resting { until } if *until <= now);
        if over {
            *self = Self::Asking;
        }
        over
    }

    /// Whether its time has run out without a refresh.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.live().is_some_and(|live| live.expires_at <= now)
    }

    /// Whether it was held for so long that it cannot have been granted only to be taken away.
    pub(crate) fn has_been_of_use(&self, now: Instant) -> bool {
        self.live().is_some_and(|live| now - live.granted_at >= OF_USE)
    }

    /// Whether it is held and no Refresh is under way.
    pub(crate) fn awaits_refresh(&self) -> bool {
        self.live().is_some_and(|live| matches!(live.refresh, Refresh::At(_)))
    }

    /// Whether there was none yet at that moment, or is none now.
    pub(crate) fn is_later_than(&self, moment: Instant) -> bool {
        self.live().is_none_or(|live| moment < live.granted_at)
    }

    /// The allocation, if it is held.
    pub(crate) const fn live(&self) -> Option<&Live> {
        match self {
            Self::Live(live) => Some(live),
            _ => None,
        }
    }

    /// The next moment at which it is to be refreshed or expires.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if let Self::Resting { until } = self {
            return Some(*until);
        }
        self.live().map(|live| match live.refresh {
            Refresh::At(at) => at.min(live.expires_at),
            Refresh::Asked | Refresh::Moving => live.expires_at,
        })
    }
}

/// When to refresh what lives so long: a minute before its end, but not in the first half of its life, and
/// the minute varies by a tenth, so that what began together does not stay together.
///
/// A whole schedule of retransmissions (39.5 s) fits before the end.
pub(crate) fn refresh_after(lifetime: Duration, chance: &mut Chance) -> Duration {
    let lifetime = lifetime.min(LONGEST);
    lifetime - chance.jitter(LEAD.min(lifetime / 2), 10).min(lifetime)
}

//= RFC 8656 §8
//# It is suggested that the client refresh the allocation roughly 1 minute before it expires.
const LEAD: Duration = Duration::from_secs(60);

/// However long the server promises, we look after the allocation once a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// However little the server promises, we do not ask more often than this allows: four times a minute. If it is gone by
/// then, the answer says so.
const SHORTEST: Duration = Duration::from_secs(30);

/// An allocation that has lived so long may be asked for again at once.
const OF_USE: Duration = Duration::from_secs(30);

/// A server in trouble is not asked again when less than twice this is left.
const LAST_TRY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_comes_a_minute_before_the_end_or_at_half_time() {
        let mut chance = Chance::new([1; 32]);
        for (lifetime, earliest, latest) in [
            (600, 534.0, 546.0),
            (300, 234.0, 246.0),
            (100, 45.0, 55.0),
            (1, 0.45, 0.55),
            (u32::MAX, 86_334.0, 86_346.0),
        ] {
            for _ in 0..100 {
                let wait = refresh_after(Duration::from_secs(lifetime.into()), &mut chance).as_secs_f64();
                assert!((earliest..=latest).contains(&wait), "{lifetime} s: {wait}");
            }
        }
    }
}
