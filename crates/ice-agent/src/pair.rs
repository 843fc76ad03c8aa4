//! A candidate pair and the life of its check (RFC 8445 §6.1.2, §7.2).
//!
//! ```text
//!   Frozen ──unfreeze──▶ Waiting ──its turn──▶ InProgress ──answer──▶ Succeeded
//!                          ▲  ▲                    │  │                   (for good, until the socket goes)
//!                          │  └──a check came──────┘  └─no answer, refusal──▶ Failed
//!                          └────────────────────a check came─────────────────────┘
//! ```

use core::net::SocketAddr;

use floe_stun::Instant;

use crate::consent::Consent;
use crate::id::{CandidateId, ComponentId, PairId};
use crate::locals::Via;
use crate::output::PairFailure;
use crate::stats::{PairCounters, PairState, PairStats};

/// A way from one of our bases to one of the peer's candidates.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) id: PairId,
    pub(crate) component: ComponentId,
    pub(crate) via: Via,
    pub(crate) to: SocketAddr,
    pub(crate) local: CandidateId,
    pub(crate) remote: CandidateId,
    pub(crate) foundation: (u16, u16),
    /// Priority of our side, for the pair priority of either role.
    pub(crate) own_priority: u32,
    pub(crate) priority: u64,
    pub(crate) check: CheckState,
    pub(crate) nomination: Nomination,
    /// Whether an authenticated check of the peer came this way: data from there is the peer's.
    pub(crate) heard: bool,
    pub(crate) counters: PairCounters,
}

/// Where the check of a pair stands.
#[derive(Debug)]
pub(crate) enum CheckState {
    Frozen,
    Waiting,
    InProgress(Round),
    Succeeded(Valid),
    Failed(PairFailure),
}

/// The checks of a pair from the first unanswered one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) since: Instant,
    pub(crate) sent: Instant,
    pub(crate) tries: u32,
}

/// What a successful check proved.
#[derive(Debug)]
pub(crate) struct Valid {
    /// Our candidate as the peer sees it; host, reflexive or relayed.
    pub(crate) local: CandidateId,
    pub(crate) since: Instant,
    pub(crate) consent: Consent,
}

/// How far a pair is on its way to being nominated (RFC 8445 §7.2.5.3.4, §7.3.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nomination {
    /// Nobody wants it.
    None,
    /// Controlling: our next check carries USE-CANDIDATE. Controlled: a check with it came, and ours is to succeed.
    Asked,
    /// Controlling: checks with USE-CANDIDATE are under way.
    Asking(Round),
    /// Both agree.
    Done,
}

impl Round {
    const fn first(now: Instant) -> Self {
        Self { since: now, sent: now, tries: 1 }
    }

    const fn again(self, now: Instant) -> Self {
        Self { sent: now, tries: self.tries + 1, ..self }
    }
}

impl Pair {
    /// A check goes out at `now`; `nominating` if it carries USE-CANDIDATE to win the pair.
    pub(crate) fn note_check(&mut self, now: Instant, nominating: bool) {
        self.counters.requests_sent += 1;
        let round = self.round().map_or_else(|| Round::first(now), |round| round.again(now));
        if !matches!(self.check, CheckState::Succeeded(_)) {
            self.check = CheckState::InProgress(round);
        }
        if nominating {
            self.nomination = Nomination::Asking(round);
        }
    }

    /// It does not work, or not any more; a nomination under way is off.
    pub(crate) const fn fail(&mut self, why: PairFailure) {
        self.check = CheckState::Failed(why);
        if self.is_asked() {
            self.nomination = Nomination::None;
        }
    }

    pub(crate) fn note_data_sent(&mut self, now: Instant, len: usize) {
        self.counters.packets_sent += 1;
        self.counters.bytes_sent += len as u64;
        self.counters.last_packet_sent = Some(now);
    }

    pub(crate) fn note_data_received(&mut self, now: Instant, len: usize) {
        self.counters.packets_received += 1;
        self.counters.bytes_received += len as u64;
        self.counters.last_packet_received = Some(now);
        if let Some(valid) = self.valid_mut() {
            valid.consent.handle_sound(now);
        }
    }

    pub(crate) const fn valid(&self) -> Option<&Valid> {
        match &self.check {
            CheckState::Succeeded(valid) => Some(valid),
            _ => None,
        }
    }

    pub(crate) const fn valid_mut(&mut self) -> Option<&mut Valid> {
        match &mut self.check {
            CheckState::Succeeded(valid) => Some(valid),
            _ => None,
        }
    }

    /// Whether its check is still to come or under way.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.check, CheckState::Frozen | CheckState::Waiting | CheckState::InProgress(_))
    }

    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.check, CheckState::Waiting)
    }

    pub(crate) const fn is_in_progress(&self) -> bool {
        matches!(self.check, CheckState::InProgress(_))
    }

    /// Whether it is to be nominated and is not yet.
    pub(crate) const fn is_asked(&self) -> bool {
        matches!(self.nomination, Nomination::Asked | Nomination::Asking(_))
    }

    /// The unanswered checks under way.
    pub(crate) const fn round(&self) -> Option<Round> {
        match (&self.check, &self.nomination) {
            (CheckState::InProgress(round), _) | (CheckState::Succeeded(_), Nomination::Asking(round)) => {
                Some(*round)
            }
            _ => None,
        }
    }

    pub(crate) const fn failure(&self) -> Option<PairFailure> {
        match self.check {
            CheckState::Failed(why) => Some(why),
            _ => None,
        }
    }

    pub(crate) const fn state(&self) -> PairState {
        match self.check {
            CheckState::Frozen => PairState::Frozen,
            CheckState::Waiting => PairState::Waiting,
            CheckState::InProgress(_) => PairState::InProgress,
            CheckState::Succeeded(_) => PairState::Succeeded,
            CheckState::Failed(_) => PairState::Failed,
        }
    }
}

impl From<&Pair> for PairStats {
    fn from(pair: &Pair) -> Self {
        Self {
            id: pair.id,
            component: pair.component,
            local: pair.valid().map_or(pair.local, |valid| valid.local),
            remote: pair.remote,
            state: pair.state(),
            failure: pair.failure(),
            nominated: pair.nomination == Nomination::Done,
            priority: pair.priority,
            counters: pair.counters,
        }
    }
}
