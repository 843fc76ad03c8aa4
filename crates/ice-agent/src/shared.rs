//! What all parts of an agent share: the settings, the moment, chance, our stance, our addresses, the way out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_stun::{Chance, Drops, Instant};

use crate::candidate::{Candidate, CandidateKind};
use crate::config::{Config, Role, TransportPolicy};
use crate::id::{ComponentId, Counter, PairId, StreamId};
use crate::locals::{Locals, RelayId};
use crate::outbox::{Outbox, Queued};
use crate::output::Event;
use crate::policy::Policy;
use crate::role::Stance;
use crate::stats::TransportStats;

/// Handed to every part that has work to do.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) now: Instant,
    pub(crate) chance: Chance,
    pub(crate) stance: Stance,
    pub(crate) locals: Locals,
    pub(crate) outbox: Outbox,
    pub(crate) drops: Drops,
    pub(crate) totals: TransportStats,
    /// What the relays must be told before their pairs can be used.
    pub(crate) relay_orders: Vec<RelayOrder>,
    pub(crate) policy: Box<dyn Policy>,
    pub(crate) remote_ids: Counter,
    pair_ids: Counter,
}

/// Something a TURN client must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelayOrder {
    /// Let this peer through (RFC 8445 §7.2.1).
    Permit(RelayId, IpAddr),
    /// This peer is selected: spare it the long header (RFC 8445 §12.1).
    Channel(RelayId, SocketAddr),
}

impl Shared {
    pub(crate) fn new(now: Instant, config: Config, seed: [u8; 32], policy: Box<dyn Policy>) -> Self {
        let mut chance = Chance::new(seed);
        Self {
            stance: Stance::new(if config.lite { Role::Controlled } else { config.role }, &mut chance),
            config,
            now,
            chance,
            locals: Locals::default(),
            outbox: Outbox::default(),
            drops: Drops::default(),
            totals: TransportStats::default(),
            relay_orders: Vec::new(),
            policy,
            remote_ids: Counter::default(),
            pair_ids: Counter::default(),
        }
    }

    pub(crate) fn queue(&mut self, queued: Queued) {
        self.outbox.push(queued, self.config.limits.outputs);
    }

    pub(crate) fn report(&mut self, event: Event) {
        self.queue(Queued::Event(event));
    }

    pub(crate) fn next_pair_id(&mut self) -> PairId {
        PairId(self.pair_ids.next())
    }

    /// Whether the peer may be told of a candidate of ours.
    pub(crate) fn may_tell(&self, candidate: &Candidate) -> bool {
        match self.config.policy {
            TransportPolicy::All => candidate.kind != CandidateKind::PeerReflexive,
            TransportPolicy::Relay => candidate.kind == CandidateKind::Relayed,
        }
    }

    pub(crate) fn streams(&self) -> u16 {
        u16::try_from(self.config.streams.len()).unwrap_or(u16::MAX)
    }

    pub(crate) fn has_component(&self, component: ComponentId) -> bool {
        let most = self.config.streams.get(usize::from(component.stream.0)).copied().unwrap_or(0);
        (1..=most).contains(&component.number)
    }

    pub(crate) fn components(&self) -> impl Iterator<Item = ComponentId> + '_ {
        self.config.streams.iter().zip(0..).flat_map(|(count, stream)| {
            (1..=*count).map(move |number| ComponentId::new(StreamId(stream), number))
        })
    }
}
