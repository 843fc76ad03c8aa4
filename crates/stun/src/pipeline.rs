//! Requests on one TCP or TLS connection: sent once, many at a time, answered in any order (RFC 8489 §6.2.2).
//!
//! ```text
//!   start ──▶ waiting ──answer──▶ done
//!                │ └─────Ti──────▶ timed out
//!                └──connection lost──▶ failed, and so have all others
//! ```

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::{Instant, Schedule, Transaction, TransactionId};

/// The requests that wait for an answer on one connection. `T` is what the owner wants back with each.
///
/// ```
/// use floe_stun::{Chance, Instant, Pipeline};
///
/// let (now, mut chance) = (Instant::ORIGIN, Chance::new([7; 32]));
/// let mut requests = Pipeline::new();
/// let (first, second) = (chance.transaction_id(), chance.transaction_id());
/// requests.start(now, first, "first").unwrap();
/// requests.start(now, second, "second").unwrap();
/// assert_eq!(requests.answered(second).unwrap().0, "second");
/// assert!(requests.answered(second).is_none());
/// assert_eq!(requests.lost().collect::<Vec<_>>(), ["first"]);
/// ```
#[derive(Clone, Debug)]
pub struct Pipeline<T> {
    schedule: Schedule,
    limit: usize,
    waiting: BTreeMap<TransactionId, (Transaction, T)>,
}

impl<T> Pipeline<T> {
    /// Requests that wait at one time (RFC 8489 §6.2).
    pub const MAX_WAITING: usize = 10;

    /// A connection that was just opened, Ti 39.5 s.
    #[must_use]
    pub const fn new() -> Self {
        Self { schedule: Schedule::STREAM, limit: Self::MAX_WAITING, waiting: BTreeMap::new() }
    }

    /// The same with another Ti.
    #[must_use]
    pub fn with_timeout(self, ti: Duration) -> Self {
        Self { schedule: Schedule::STREAM.with_rto(ti), ..self }
    }

    /// The same with another number of requests that may wait, for owners that pace them otherwise.
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// A request goes out at `now`, once and never again.
    ///
    /// # Errors
    ///
    /// Gives `what` back if as many wait as may, or one with this id does.
    pub fn start(&mut self, now: Instant, id: TransactionId, what: T) -> Result<(), T> {
        if self.waiting.len() >= self.limit || self.waiting.contains_key(&id) {
            return Err(what);
        }
        self.waiting.insert(id, (Transaction::new(id, now, self.schedule), what));
        Ok(())
    }

    /// An answer with this id came: what it answers, if anything waits for it.
    pub fn answered(&mut self, id: TransactionId) -> Option<(T, Transaction)> {
        self.waiting.remove(&id).map(|(transaction, what)| (what, transaction))
    }

    /// To be called when [`Self::deadline`] has passed, until it gives `None`: a request that nobody answered.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<T> {
        let late = |(_, (transaction, _)): &(_, &(Transaction, T))| transaction.deadline() <= now;
        let id = self.waiting.iter().find(late).map(|(id, _)| *id)?;
        self.answered(id).map(|(what, _)| what)
    }

    /// The connection could not be opened, was reset or ended: everything that waits has failed.
    pub fn lost(&mut self) -> impl Iterator<Item = T> + use<T> {
        core::mem::take(&mut self.waiting).into_values().map(|(_, what)| what)
    }

    /// The next moment [`Self::handle_timeout`] has work.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|(transaction, _)| transaction.deadline()).min()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl<T> Default for Pipeline<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn id(number: u8) -> TransactionId {
        TransactionId::from([number; 12])
    }

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    #[test]
    fn each_request_has_its_own_39_and_a_half_seconds() {
        let mut requests = Pipeline::new();
        requests.start(at(0), id(9), 'a').unwrap();
        requests.start(at(1000), id(1), 'b').unwrap();
        assert_eq!(requests.deadline(), Some(at(39_500)));
        assert_eq!(requests.handle_timeout(at(39_499)), None);
        assert_eq!(requests.handle_timeout(at(39_500)), Some('a'));
        assert_eq!(requests.handle_timeout(at(39_500)), None);
        assert_eq!(requests.deadline(), Some(at(40_500)));
    }

    #[test]
    fn a_host_that_slept_is_told_of_all() {
        let mut requests = Pipeline::new().with_timeout(Duration::from_secs(1));
        for number in 0..3 {
            requests.start(at(0), id(number), number).unwrap();
        }
        let mut late: Vec<u8> = core::iter::from_fn(|| requests.handle_timeout(at(1000))).collect();
        late.sort_unstable();
        assert_eq!((late, requests.deadline()), (alloc::vec![0, 1, 2], None));
    }

    #[test]
    fn answers_come_in_any_order_and_once() {
        let mut requests = Pipeline::new();
        for number in 0..3 {
            requests.start(at(0), id(number), number).unwrap();
        }
        for number in [2, 0, 1] {
            let (what, transaction) = requests.answered(id(number)).unwrap();
            assert_eq!((what, transaction.rtt(at(30))), (number, Some(Duration::from_millis(30))));
            assert!(requests.answered(id(number)).is_none());
        }
    }

    #[test]
    fn a_lost_connection_fails_everything_on_it() {
        let mut requests = Pipeline::new();
        for number in 0..3 {
            requests.start(at(0), id(number), number).unwrap();
        }
        assert!(requests.lost().eq([0, 1, 2]));
        assert_eq!((requests.waiting(), requests.deadline()), (0, None));
    }

    #[test]
    fn no_more_wait_than_may() {
        let mut requests = Pipeline::new();
        for number in 0..10 {
            requests.start(at(0), id(number), number).unwrap();
        }
        assert_eq!(requests.start(at(0), id(10), 10), Err(10));
        assert_eq!(requests.with_limit(11).start(at(0), id(9), 9), Err(9), "an id waits once");
    }
}
