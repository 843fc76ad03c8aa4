//! Time as every machine of Floe knows it: an argument, never a question to a clock.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment in nanoseconds since an origin that the host picks once, such as its own start.
///
/// Arithmetic saturates: no moment is before the origin and none is after [`Instant::FAR_FUTURE`], so that a
/// clock that jumps cannot make a machine panic.
///
/// ```
/// use core::time::Duration;
/// use floe_stun::Instant;
///
/// let start = Instant::from_nanos(1_250_000_000);
/// assert_eq!((start + Duration::from_millis(500)) - start, Duration::from_millis(500));
/// assert_eq!(start.to_string(), "1.250s");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The host's origin.
    pub const ORIGIN: Self = Self(0);

    /// The last moment there is, 584 years after the origin.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `since_origin` after the origin.
    #[must_use]
    pub fn from_duration(since_origin: Duration) -> Self {
        Self::ORIGIN + since_origin
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since `earlier`, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, back: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(back.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000_000;
        write!(f, "{}.{:03}s", millis / 1000, millis % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Instant::FAR_FUTURE + Duration::MAX, Instant::FAR_FUTURE);
        assert_eq!(Instant::ORIGIN - Duration::from_secs(1), Instant::ORIGIN);
        assert_eq!(Instant::ORIGIN - Instant::FAR_FUTURE, Duration::ZERO);
    }
}
