//! Consent freshness (RFC 7675), and beside it the faster question whether the peer can still be heard.
//!
//! ```text
//!               answer
//!        ┌──────────────────┐
//!        ▼                  │
//!     Resting ──4 to 6 s──▶ Asking ──2.5 s without a sound──▶ Silent ──┐
//!        ▲                                                     │       │ 30 s since the last answer
//!        └──────────────── answer; a sound ends silence ───────┘       ▼
//!                                                              expired: the owner drops the pair
//! ```
//!
//! Only an authenticated answer renews consent. Any packet from the peer keeps it from being called silent.
//! While an answer is overdue, the pair is asked more often by ordinary connectivity checks.

use core::time::Duration;

use floe_stun::{Chance, Instant};

/// The right to send on one valid pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent {
    expires_at: Instant,
    heard: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Resting { ask_at: Instant },
    Asking { since: Instant, ask_at: Instant },
    Silent { ask_at: Instant },
}

/// What a timeout asks of the owner of the pair.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send one Binding request, once, under a new transaction id.
    Ask,
    /// Nothing has come from the peer for a while.
    Silent,
    /// Stop sending on this pair and forget its outstanding requests.
    Expired,
}

impl Consent {
    /// Starts with the check that made the pair valid, answered at `now` (RFC 7675 §5).
    pub(crate) fn granted(now: Instant, chance: &mut Chance) -> Self {
        Self { expires_at: now + LIFETIME, heard: now, state: State::resting(now, chance) }
    }

    /// A request on the pair was answered by an authenticated success response.
    pub(crate) fn handle_answer(&mut self, now: Instant, chance: &mut Chance) {
        self.expires_at = now + LIFETIME;
        self.heard = now;
        self.state = State::resting(now, chance);
    }

    /// Anything came from the peer on this pair.
    pub(crate) fn handle_sound(&mut self, now: Instant) {
        self.heard = now;
        if let State::Silent { ask_at } = self.state {
            self.state = State::Asking { since: now, ask_at };
        }
    }

    /// Whether data may be sent (RFC 7675 §5.1).
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        now < self.expires_at
    }

    /// Whether an answer is overdue and nothing else has come for a while.
    pub(crate) const fn is_silent(&self) -> bool {
        matches!(self.state, State::Silent { .. })
    }

    /// For how long nothing has come, once that is worth telling.
    pub(crate) fn silence(&self, now: Instant) -> Option<Duration> {
        self.is_silent().then(|| now - self.heard)
    }

    /// To be called when [`Self::deadline`] has passed, again and again until it has nothing to say.
    pub(crate) fn handle_timeout(&mut self, now: Instant, chance: &mut Chance) -> Option<Due> {
        if now >= self.expires_at {
            return Some(Due::Expired);
        }
        match self.state {
            State::Resting { ask_at } if now >= ask_at => {
                self.state = State::Asking { since: now, ask_at: now + chance.jitter(OVERDUE, 20) };
                Some(Due::Ask)
            }
            State::Asking { since, ask_at } if now >= silent_at(since, self.heard) => {
                self.state = State::Silent { ask_at };
                Some(Due::Silent)
            }
            State::Asking { since, ask_at } if now >= ask_at => {
                self.state = State::Asking { since, ask_at: now + chance.jitter(OVERDUE, 20) };
                Some(Due::Ask)
            }
            State::Silent { ask_at } if now >= ask_at => {
                self.state = State::Silent { ask_at: now + chance.jitter(WHILE_SILENT, 20) };
                Some(Due::Ask)
            }
            State::Resting { .. } | State::Asking { .. } | State::Silent { .. } => None,
        }
    }

    /// The next moment [`Self::handle_timeout`] has work.
    pub(crate) fn deadline(&self) -> Instant {
        let next = match self.state {
            State::Resting { ask_at } | State::Silent { ask_at } => ask_at,
            State::Asking { since, ask_at } => ask_at.min(silent_at(since, self.heard)),
        };
        next.min(self.expires_at)
    }
}

impl State {
    fn resting(now: Instant, chance: &mut Chance) -> Self {
        Self::Resting { ask_at: now + chance.jitter(BASIC_PERIOD, 20) }
    }
}

fn silent_at(since: Instant, heard: Instant) -> Instant {
    since.max(heard) + SILENCE
}

/// RFC 7675 §5.1: consent expires after 30 seconds.
const LIFETIME: Duration = Duration::from_secs(30);

/// RFC 7675 §5.1: 5 seconds, each interval between 0.8 and 1.2 of it.
const BASIC_PERIOD: Duration = Duration::from_secs(5);

/// When to check again while an answer is overdue: the floor of an RTO (docs/deviations.md).
const OVERDUE: Duration = Duration::from_millis(500);

/// When to check again once silent.
const WHILE_SILENT: Duration = Duration::from_secs(1);

/// How long an unanswered, silent peer is still called connected.
const SILENCE: Duration = Duration::from_millis(2500);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn granted() -> (Consent, Chance) {
        let mut chance = Chance::new([1; 32]);
        (Consent::granted(Instant::ORIGIN, &mut chance), chance)
    }

    fn seconds(n: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(n)
    }

    /// CON-5.1-3.
    #[test]
    fn a_silent_peer_is_noticed_within_nine_seconds_and_dropped_after_thirty() {
        let (mut consent, mut chance) = granted();
        let mut silent = None;
        let stopped = loop {
            let now = consent.deadline();
            match consent.handle_timeout(now, &mut chance).unwrap() {
                Due::Ask => {}
                Due::Silent => silent = Some(now),
                Due::Expired => break now,
            }
        };
        assert_eq!(stopped, seconds(30));
        assert!(silent.unwrap() <= seconds(9), "{silent:?}");
    }

    /// CON-5.1-4.
    #[test]
    fn a_peer_that_answers_is_asked_every_four_to_six_seconds() {
        let (mut consent, mut chance) = granted();
        let mut asked = Vec::from([Instant::ORIGIN]);
        for _ in 0..100 {
            let now = consent.deadline();
            assert_eq!(consent.handle_timeout(now, &mut chance), Some(Due::Ask));
            consent.handle_answer(now, &mut chance);
            asked.push(now);
        }
        for gap in asked.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()) {
            assert!((4.0..=6.0).contains(&gap), "{gap}");
        }
    }

    #[test]
    fn data_keeps_the_peer_audible_but_gives_no_consent() {
        let (mut consent, mut chance) = granted();
        let stopped = loop {
            let now = consent.deadline();
            match consent.handle_timeout(now, &mut chance) {
                Some(Due::Ask) | None => consent.handle_sound(now),
                Some(Due::Silent) => panic!("called silent at {now} though data comes"),
                Some(Due::Expired) => break now,
            }
        };
        assert_eq!(stopped, seconds(30));
    }

    #[test]
    fn a_host_that_slept_past_the_lifetime_has_no_consent() {
        let (mut consent, mut chance) = granted();
        assert!(!consent.is_fresh(seconds(3600)));
        assert_eq!(consent.handle_timeout(seconds(3600), &mut chance), Some(Due::Expired));
    }
}
