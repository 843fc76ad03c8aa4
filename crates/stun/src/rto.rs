//! How long to wait for a server before asking again, learned from its answers (RFC 8489 §6.2.1, RFC 6298 §2).
//!
//! ```text
//!   Unknown ──RTT──▶ Measured ◀──────RTT───────┐
//!      └──an answer that came after a repetition──▶ BackedOff
//! ```
//!
//! STUN differs from TCP in two points: the first value and the least one are 500 ms, and nothing is rounded up to a
//! second. By Karn's rule a request that was repeated tells no RTT, for nobody knows which of the two was answered
//! ([`Transaction::rtt`]). The wait that it had grown to is kept until an RTT is known: else a server that is farther
//! than the least wait would be asked twice for ever.

use alloc::collections::BTreeMap;
use core::net::IpAddr;
use core::time::Duration;

use crate::{Instant, Schedule, Transaction};

/// The bounds of an RTO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtoBounds {
    /// The value while nothing is known of the path.
    pub initial: Duration,
    /// The least there is, however near the server.
    pub floor: Duration,
    /// The most there is; RFC 6298 §2.5 allows no less than a minute.
    pub ceiling: Duration,
}

impl RtoBounds {
    /// 500 ms (RFC 8489 §6.2.1) to a minute.
    pub const DEFAULT: Self = Self {
        initial: Duration::from_millis(500),
        floor: Duration::from_millis(500),
        ceiling: Duration::from_secs(60),
    };

    /// The same with another floor, for networks that are known (RFC 8489 §6.2.1). The initial value stays.
    #[must_use]
    pub const fn with_floor(self, floor: Duration) -> Self {
        Self { floor, ..self }
    }

    /// The same with another initial value.
    #[must_use]
    pub const fn with_initial(self, initial: Duration) -> Self {
        Self { initial, ..self }
    }
}

impl Default for RtoBounds {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The RTO of one path.
///
/// ```
/// use core::time::Duration;
/// use floe_stun::{Rto, RtoBounds};
///
/// let mut rto = Rto::new(RtoBounds::DEFAULT);
/// assert_eq!(rto.get(), Duration::from_millis(500));
/// rto.sample(Duration::from_millis(400)); // SRTT 400 ms, RTTVAR 200 ms
/// assert_eq!(rto.get(), Duration::from_millis(1200));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rto {
    bounds: RtoBounds,
    estimate: Option<Estimate>,
    backed_off: Option<Duration>,
}

/// The two variables of RFC 6298 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Estimate {
    srtt: Duration,
    rttvar: Duration,
}

impl Rto {
    /// Of a path that nothing is known of.
    #[must_use]
    pub const fn new(bounds: RtoBounds) -> Self {
        Self { bounds, estimate: None, backed_off: None }
    }

    /// A request that went out once was answered after this time.
    pub fn sample(&mut self, rtt: Duration) {
        let rtt = rtt.min(self.bounds.ceiling);
        self.estimate = Some(self.estimate.map_or_else(|| Estimate::first(rtt), |last| last.next(rtt)));
        self.backed_off = None;
    }

    /// A request was repeated, and the last wait was this long: the next one is not shorter until a sample comes.
    pub fn back_off(&mut self, wait: Duration) {
        self.backed_off = Some(wait);
    }

    /// Learns from a transaction that was answered at `now`: a sample, or a longer wait if it was repeated.
    pub fn learn(&mut self, now: Instant, answered: &Transaction) {
        match answered.rtt(now) {
            Some(rtt) => self.sample(rtt),
            None => self.back_off(answered.wait()),
        }
    }

    /// How long to wait before the first repetition.
    #[must_use]
    pub fn get(&self) -> Duration {
        let measured = self.estimate.map_or(self.bounds.initial, Estimate::rto);
        let wait = measured.max(self.backed_off.unwrap_or_default());
        wait.min(self.bounds.ceiling).max(self.bounds.floor)
    }

    /// The smoothed round-trip time, once there was a sample.
    #[must_use]
    pub fn srtt(&self) -> Option<Duration> {
        self.estimate.map(|estimate| estimate.srtt)
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "divisors are constants")]
impl Estimate {
    /// RFC 6298 §2.2.
    fn first(rtt: Duration) -> Self {
        Self { srtt: rtt, rttvar: rtt / 2 }
    }

    /// RFC 6298 §2.3 with its alpha of 1/8 and beta of 1/4; RTTVAR goes by the SRTT of before.
    fn next(self, rtt: Duration) -> Self {
        let off = self.srtt.abs_diff(rtt);
        Self {
            rttvar: self.rttvar.saturating_mul(3).saturating_add(off) / 4,
            srtt: self.srtt.saturating_mul(7).saturating_add(rtt) / 8,
        }
    }

    fn rto(self) -> Duration {
        self.srtt.saturating_add(self.rttvar.saturating_mul(4).max(GRANULARITY))
    }
}

/// G of RFC 6298 §2; RFC 8489 §6.2.1 wants an accuracy of 1 ms.
const GRANULARITY: Duration = Duration::from_millis(1);

/// The RTO of every server that was asked lately, by IP address (RFC 8489 §6.2.1).
///
/// What was not used for ten minutes is forgotten, and of more than [`Self::MAX_SERVERS`] the one that has not been
/// used for the longest time. One cache serves all clients of a host.
#[derive(Clone, Debug, Default)]
pub struct RtoCache {
    bounds: RtoBounds,
    servers: BTreeMap<IpAddr, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    rto: Rto,
    used: Instant,
}

impl RtoCache {
    /// Servers that are remembered.
    pub const MAX_SERVERS: usize = 256;

    /// RFC 8489 §6.2.1.
    pub const LIFETIME: Duration = Duration::from_secs(600);

    /// An empty one.
    #[must_use]
    pub const fn new(bounds: RtoBounds) -> Self {
        Self { bounds, servers: BTreeMap::new() }
    }

    /// The schedule of a transaction with `server` that begins now: `base` with the RTO that is known. Where nothing
    /// is, `base` as it is.
    #[must_use]
    pub fn schedule(&mut self, now: Instant, server: IpAddr, base: Schedule) -> Schedule {
        self.forget_stale(now);
        match self.servers.get_mut(&server.to_canonical()) {
            Some(entry) => {
                entry.used = now;
                base.with_rto(entry.rto.get())
            }
            None => base,
        }
    }

    /// Learns from a transaction with `server` that was answered at `now`.
    pub fn learn(&mut self, now: Instant, server: IpAddr, answered: &Transaction) {
        self.forget_stale(now);
        let server = server.to_canonical();
        if !self.servers.contains_key(&server) {
            self.make_room();
        }
        let fresh = Entry { rto: Rto::new(self.bounds), used: now };
        let entry = self.servers.entry(server).or_insert(fresh);
        entry.used = now;
        entry.rto.learn(now, answered);
    }

    /// The RTO of this server, if it is known and not stale.
    #[must_use]
    pub fn get(&self, now: Instant, server: IpAddr) -> Option<&Rto> {
        let entry = self.servers.get(&server.to_canonical())?;
        entry.is_fresh(now).then_some(&entry.rto)
    }

    fn forget_stale(&mut self, now: Instant) {
        self.servers.retain(|_, entry| entry.is_fresh(now));
    }

    fn make_room(&mut self) {
        if self.servers.len() >= Self::MAX_SERVERS
            && let Some((oldest, _)) = self.servers.iter().min_by_key(|(_, entry)| entry.used)
        {
            let oldest = *oldest;
            self.servers.remove(&oldest);
        }
    }
}

impl Entry {
    fn is_fresh(&self, now: Instant) -> bool {
        now - self.used < RtoCache::LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TransactionId;
    use core::net::Ipv4Addr;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn server(number: u32) -> IpAddr {
        Ipv4Addr::from(0xC000_0200 + number).into()
    }

    fn transaction() -> Transaction {
        Transaction::new(TransactionId::from([0; 12]), Instant::ORIGIN, Schedule::DEFAULT)
    }

    /// A cache that has learned from an answer after this time.
    fn learned(rtt: Duration) -> (RtoCache, Instant) {
        let (mut cache, now) = (RtoCache::new(RtoBounds::DEFAULT), Instant::ORIGIN + rtt);
        cache.learn(now, server(1), &transaction());
        (cache, now)
    }

    #[test]
    fn the_estimate_is_that_of_rfc_6298() {
        let mut rto = Rto::new(RtoBounds::DEFAULT);
        rto.sample(ms(400));
        assert_eq!((rto.srtt(), rto.get()), (Some(ms(400)), ms(400 + 4 * 200)));
        rto.sample(ms(800));
        // RTTVAR 3/4 * 200 + 1/4 * 400, SRTT 7/8 * 400 + 1/8 * 800
        assert_eq!((rto.srtt(), rto.get()), (Some(ms(450)), ms(450 + 4 * 250)));
    }

    #[test]
    fn a_near_server_is_given_the_floor_and_not_a_second() {
        let mut rto = Rto::new(RtoBounds::DEFAULT);
        rto.sample(ms(20));
        assert_eq!(rto.get(), ms(500));
        let mut rto = Rto::new(RtoBounds::DEFAULT.with_floor(ms(10)));
        assert_eq!(rto.get(), ms(500), "nothing is known yet");
        rto.sample(ms(21));
        assert_eq!(rto.get(), ms(63), "in milliseconds");
    }

    #[test]
    fn a_steady_path_keeps_the_granularity_as_its_margin() {
        let mut rto = Rto::new(RtoBounds::DEFAULT.with_floor(ms(1)));
        (0..200).for_each(|_| rto.sample(ms(80)));
        assert_eq!(rto.get(), ms(81));
    }

    #[test]
    fn there_is_a_ceiling() {
        let mut rto = Rto::new(RtoBounds::DEFAULT);
        rto.sample(Duration::MAX);
        assert_eq!(rto.get(), RtoBounds::DEFAULT.ceiling);
        rto.back_off(Duration::MAX);
        assert_eq!(rto.get(), RtoBounds::DEFAULT.ceiling);
    }

    /// 700 ms away, each request is repeated after 500 ms and tells nothing: only the longer wait leads out.
    #[test]
    fn a_server_beyond_the_floor_is_not_asked_twice_for_ever() {
        let (mut rto, mut repeated) = (Rto::new(RtoBounds::DEFAULT), transaction());
        let _ = repeated.handle_timeout(repeated.deadline());
        rto.learn(Instant::ORIGIN + ms(700), &repeated);
        assert_eq!((rto.srtt(), rto.get()), (None, ms(1000)));

        rto.learn(Instant::ORIGIN + ms(700), &transaction());
        assert_eq!((rto.srtt(), rto.get()), (Some(ms(700)), ms(700 + 4 * 350)));

        rto.back_off(ms(9000));
        assert_eq!(rto.get(), ms(9000));
        rto.sample(ms(700));
        assert!(rto.get() < ms(9000), "a sample ends the longer wait");
    }

    #[test]
    fn what_is_known_of_a_server_serves_the_next_transaction() {
        let (mut cache, now) = learned(ms(400));
        assert_eq!(cache.schedule(now, server(1), Schedule::DEFAULT), Schedule::DEFAULT.with_rto(ms(1200)));
        assert_eq!(cache.schedule(now, server(2), Schedule::DEFAULT), Schedule::DEFAULT);
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(cache.get(now, mapped).map(Rto::get), Some(ms(1200)), "one address, however written");
    }

    #[test]
    fn ten_minutes_without_a_transaction_make_it_stale() {
        let (mut cache, now) = learned(ms(400));
        let soon = now + RtoCache::LIFETIME - ms(1);
        assert!(cache.get(soon, server(1)).is_some());
        assert!(cache.get(now + RtoCache::LIFETIME, server(1)).is_none());

        let _ = cache.schedule(soon, server(1), Schedule::DEFAULT);
        let later = soon + RtoCache::LIFETIME;
        assert!(cache.get(later - ms(1), server(1)).is_some(), "a transaction keeps it");
        assert_eq!(cache.schedule(later, server(1), Schedule::DEFAULT), Schedule::DEFAULT);
        assert!(cache.servers.is_empty());
    }

    #[test]
    fn of_too_many_servers_the_one_of_longest_ago_goes() {
        let mut cache = RtoCache::default();
        for number in 0..300 {
            let now = Instant::ORIGIN + ms(u64::from(number));
            cache.learn(now, server(number), &transaction());
            let _ = cache.schedule(now, server(0), Schedule::DEFAULT);
        }
        assert_eq!(cache.servers.len(), RtoCache::MAX_SERVERS);
        let is_known = |number| cache.get(Instant::ORIGIN, server(number)).is_some();
        assert!(is_known(0) && !is_known(1) && !is_known(44) && is_known(45) && is_known(299));
    }
}
