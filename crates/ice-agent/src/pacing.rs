//! Ta: when the next new transaction may start, over all streams and servers (RFC 8445 §14).

use core::time::Duration;

use floe_stun::Instant;

use crate::config::{MIN_TA, Profile};

/// The clock that all new transactions of an agent share.
///
/// The first few transactions may follow each other at the floor of 5 ms, so that a simple connection waits for
/// nothing but the network. After them the pace is Ta, faster while many pairs wait, so that the last of them has
/// its turn within half a second.
#[derive(Debug)]
pub(crate) struct Pacer {
    ta: Duration,
    next: Instant,
    head_start: u32,
}

impl Pacer {
    pub(crate) fn new(ta: Duration, profile: Profile) -> Self {
        let head_start = match profile {
            Profile::Default => HEAD_START,
            Profile::Rfc8445 => 0,
        };
        Self { ta: ta.max(MIN_TA), next: Instant::ORIGIN, head_start }
    }

    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        now >= self.next
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.next
    }

    /// A transaction starts; `waiting` more would like to.
    pub(crate) fn take(&mut self, now: Instant, waiting: usize) {
        let crowd = u32::try_from(waiting).unwrap_or(u32::MAX).max(1);
        let wait = if self.head_start > 0 { MIN_TA } else { (IN_TURN_WITHIN / crowd).clamp(MIN_TA, self.ta) };
        self.head_start = self.head_start.saturating_sub(1);
        self.next = now + wait;
    }
}

/// As many as two agents with two servers each need until both have nominated.
const HEAD_START: u32 = 16;

/// docs/deviations.md: RFC 8445 §14.2 would have the peer agree to another Ta.
const IN_TURN_WITHIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_wait_fifty_milliseconds_and_many_five() {
        for (waiting, millis) in [(0, 50), (1, 50), (10, 50), (50, 10), (100, 5), (10_000, 5)] {
            let mut pacer = Pacer::new(Duration::from_millis(50), Profile::Rfc8445);
            pacer.take(Instant::ORIGIN, waiting);
            assert_eq!(pacer.deadline() - Instant::ORIGIN, Duration::from_millis(millis), "{waiting}");
        }
    }

    #[test]
    fn a_head_start_of_sixteen_and_then_the_ordinary_pace() {
        let mut pacer = Pacer::new(Duration::from_millis(50), Profile::Default);
        let mut now = Instant::ORIGIN;
        let gaps: alloc::vec::Vec<_> = (0..18)
            .map(|_| {
                let before = now;
                pacer.take(now, 1);
                now = pacer.deadline();
                (now - before).as_millis()
            })
            .collect();
        assert_eq!(gaps[..16], [5; 16]);
        assert_eq!(gaps[16..], [50, 50]);
    }
}
