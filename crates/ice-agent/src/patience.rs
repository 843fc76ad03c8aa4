//! Patience before giving up: the peer's checks may be on their way (RFC 8863).
//!
//! ```text
//!   Idle ──credentials of both sides known──▶ Waiting ──39.5 s──▶ Over
//! ```

use core::time::Duration;

use floe_stun::{Instant, Schedule};

/// No pair list fails while this waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patience {
    /// The peer's credentials are not known yet.
    #[default]
    Idle,
    /// The peer may still reach us.
    Waiting {
        /// When that ends.
        until: Instant,
    },
    /// Long enough.
    Over,
}

impl Patience {
    /// Starts as long as a check takes to time out (RFC 8863 §4).
    pub(crate) fn start(now: Instant, checks: &Schedule) -> Self {
        Self::Waiting { until: now + checks.total().max(Duration::from_millis(500)) }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if matches!(*self, Self::Waiting { until } if now >= until) {
            *self = Self::Over;
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Waiting { until } => Some(*until),
            Self::Idle | Self::Over => None,
        }
    }

    pub(crate) const fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }
}
