//! The one clock of the project.

use std::time::Duration;

use floe_stun::Instant;

/// A monotonic clock that starts at [`Instant::ORIGIN`].
///
/// Where the system offers it, the clock runs on while the machine sleeps, so that consent and allocations that
/// expired meanwhile are known to have expired.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: imp::Reading,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: imp::read() }
    }

    /// The time since the start.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_duration(imp::since(self.origin))
    }

    /// How long from now until `moment`; nothing if it has passed.
    #[must_use]
    pub fn until(&self, moment: Instant) -> Duration {
        moment.since(self.now())
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod imp {
    use std::time::Duration;

    use nix::time::{ClockId, clock_gettime};

    /// Time since the machine started.
    pub(super) type Reading = Duration;

    pub(super) fn read() -> Reading {
        // Linux has had this clock since 2.6.39; the call cannot fail with it.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
    }

    pub(super) fn since(origin: Reading) -> Duration {
        read().saturating_sub(origin)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod imp {
    use std::time::{Duration, Instant};

    pub(super) type Reading = Instant;

    pub(super) fn read() -> Reading {
        Instant::now()
    }

    pub(super) fn since(origin: Reading) -> Duration {
        origin.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_at_the_origin_and_goes_forward() {
        let clock = Clock::start();
        let (first, second) = (clock.now(), clock.now());
        assert!(first <= second && second < Instant::ORIGIN + Duration::from_secs(60));
        assert_eq!(clock.until(first), Duration::ZERO);
    }
}
