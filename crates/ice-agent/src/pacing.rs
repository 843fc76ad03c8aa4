//! Ta: when the next new transaction may start, over all streams and servers (RFC 8445 §14).

use core::time::Duration;

use floe_stun::Instant;

use crate::config::MIN_TA;

/// The clock that all new transactions of an agent share.
#[derive(Debug)]
pub(crate) struct Pacer {
    ta: Duration,
    next: Instant,
}

impl Pacer {
    pub(crate) fn new(ta: Duration) -> Self {
        Self { ta: ta.max(MIN_TA), next: Instant::ORIGIN }
    }

    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        now >= self.next
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.next
    }

    /// A transaction starts; `waiting` more would like to. Where many wait the pace rises, so that the last of
    /// them has its turn within half a second, down to the 5 ms that RFC 8445 §14.2 allows.
    pub(crate) fn take(&mut self, now: Instant, waiting: usize) {
        let crowd = u32::try_from(waiting).unwrap_or(u32::MAX).max(1);
        self.next = now + (IN_TURN_WITHIN / crowd).clamp(MIN_TA, self.ta.max(MIN_TA));
    }
}

/// docs/deviations.md: RFC 8445 §14.2 would have the peer agree to another Ta.
const IN_TURN_WITHIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_wait_fifty_milliseconds_and_many_five() {
        for (waiting, millis) in [(0, 50), (1, 50), (10, 50), (50, 10), (100, 5), (10_000, 5)] {
            let mut pacer = Pacer::new(Duration::from_millis(50));
            pacer.take(Instant::ORIGIN, waiting);
            assert_eq!(pacer.deadline() - Instant::ORIGIN, Duration::from_millis(millis), "{waiting}");
        }
    }
}
