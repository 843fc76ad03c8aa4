//! How many bytes a second users may have relayed (RFC 8656 §5): a bucket for each, and one for all.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;

use floe_stun::Instant;

use crate::Limits;

#[derive(Debug, Default)]
pub(crate) struct Bandwidth {
    all: Bucket,
    per_owner: BTreeMap<Arc<str>, Bucket>,
    /// How many were left when those that are idle were last forgotten.
    kept: usize,
}

/// What was used of one second's worth that is filled up all the time.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    used: u64,
    at: Instant,
}

impl Bandwidth {
    /// Whether this many bytes may pass, which are counted then.
    pub(crate) fn admit(&mut self, now: Instant, owner: &Arc<str>, limits: &Limits, len: usize) -> bool {
        let len = len as u64;
        let of_owner = match limits.bytes_per_second_per_user {
            None => None,
            Some(limit) => {
                if !self.per_owner.contains_key(owner) {
                    self.tidy(now, limit);
                    self.per_owner.insert(Arc::clone(owner), Bucket::default());
                }
                self.per_owner.get_mut(owner).map(|bucket| (bucket, limit))
            }
        };
        let of_all = limits.bytes_per_second.map(|limit| (&mut self.all, limit));
        let mut buckets = [of_owner, of_all];
        let fits = buckets.iter_mut().flatten().all(|(bucket, limit)| bucket.has_room(now, *limit, len));
        if fits {
            buckets
                .into_iter()
                .flatten()
                .for_each(|(bucket, _)| bucket.used = bucket.used.saturating_add(len));
        }
        fits
    }

    /// Forgets those that are idle, once they may be as many as the others: a packet does not pay for all users.
    fn tidy(&mut self, now: Instant, limit: u64) {
        if self.per_owner.len() > SPARE.saturating_add(self.kept.saturating_mul(2)) {
            self.per_owner.retain(|_, bucket| !bucket.is_idle(now, limit));
            self.kept = self.per_owner.len();
        }
    }
}

impl Bucket {
    fn has_room(&mut self, now: Instant, limit: u64, len: u64) -> bool {
        self.fill(now, limit);
        self.used.saturating_add(len) <= limit.max(ONE_DATAGRAM)
    }

    fn is_idle(&mut self, now: Instant, limit: u64) -> bool {
        self.fill(now, limit);
        self.used == 0
    }

    fn fill(&mut self, now: Instant, limit: u64) {
        let passed: Duration = now - self.at;
        let filled = u128::from(limit).saturating_mul(passed.as_nanos()) / 1_000_000_000;
        if filled > 0 {
            self.used = self.used.saturating_sub(u64::try_from(filled).unwrap_or(u64::MAX));
            self.at = now;
        }
    }
}

/// Users without traffic that are remembered in any case.
const SPARE: usize = 64;

/// However little is allowed, the largest datagram passes at times.
const ONE_DATAGRAM: u64 = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    fn relayed(limits: &Limits, owners: &[&str], seconds: u64) -> BTreeMap<Arc<str>, u64> {
        let (mut bandwidth, mut passed) = (Bandwidth::default(), BTreeMap::new());
        for tenth in 0..seconds * 10 {
            let now = Instant::ORIGIN + Duration::from_millis(100 * tenth);
            for owner in owners.iter().map(|owner| Arc::<str>::from(*owner)) {
                // A megabyte a second.
                for _ in 0..100 {
                    if bandwidth.admit(now, &owner, limits, 1000) {
                        *passed.entry(owner.clone()).or_default() += 1000;
                    }
                }
            }
        }
        passed
    }

    #[test]
    fn a_user_gets_what_is_allowed_and_a_second_ahead() {
        let limits = Limits { bytes_per_second_per_user: Some(200_000), ..Limits::default() };
        for (owner, bytes) in relayed(&limits, &["alice", "bob"], 10) {
            assert!((2_000_000..=2_200_000).contains(&bytes), "{owner}: {bytes}");
        }
    }

    #[test]
    fn all_together_get_no_more_than_that() {
        let limits = Limits { bytes_per_second: Some(500_000), ..Limits::default() };
        let all: u64 = relayed(&limits, &["alice", "bob"], 10).values().sum();
        assert!((5_000_000..=5_500_000).contains(&all), "{all}");
        assert!(relayed(&Limits::default(), &["alice"], 1).values().sum::<u64>() == 1_000_000);
    }

    #[test]
    fn whoever_is_idle_is_forgotten() {
        let limits = Limits { bytes_per_second_per_user: Some(100_000), ..Limits::default() };
        let mut bandwidth = Bandwidth::default();
        for n in 0..1000_u64 {
            let now = Instant::ORIGIN + Duration::from_secs(n);
            assert!(bandwidth.admit(now, &Arc::from(alloc::format!("user {n}")), &limits, 50_000));
        }
        assert!(bandwidth.per_owner.len() < 70, "{}", bandwidth.per_owner.len());
    }
}
