//! The clock, and what is on its way: the only order in which things happen.

use alloc::collections::BTreeMap;
use core::time::Duration;

/// Things due at a time; those due together come out in the order they went in.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    now: Duration,
    pushed: u64,
    due: BTreeMap<(Duration, u64), T>,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { now: Duration::ZERO, pushed: 0, due: BTreeMap::new() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn push(&mut self, after: Duration, thing: T) {
        self.due.insert((self.now.saturating_add(after), self.pushed), thing);
        self.pushed += 1;
    }

    /// The next moment [`Self::pop`] has something.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// The first thing due at `limit` or earlier, with the clock moved to it; otherwise the clock moves to `limit`.
    pub(crate) fn pop(&mut self, limit: Duration) -> Option<T> {
        if self.next().is_none_or(|at| at > limit) {
            self.now = self.now.max(limit);
            return None;
        }
        let ((at, _), thing) = self.due.pop_first()?;
        self.now = at;
        Some(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn what_is_due_together_comes_out_in_the_order_it_went_in() {
        let mut queue = Queue::new();
        for (after, name) in [(20, 'c'), (10, 'a'), (10, 'b')] {
            queue.push(ms(after), name);
        }
        let mut seen = alloc::vec::Vec::new();
        while let Some(name) = queue.pop(ms(100)) {
            seen.push((queue.now(), name));
        }
        assert_eq!(seen, [(ms(10), 'a'), (ms(10), 'b'), (ms(20), 'c')]);
        assert_eq!(queue.now(), ms(100));
    }

    #[test]
    fn nothing_comes_out_beyond_the_limit_and_the_clock_never_goes_back() {
        let mut queue = Queue::new();
        queue.push(ms(10), ());
        assert_eq!((queue.pop(ms(9)), queue.now()), (None, ms(9)));
        assert_eq!((queue.pop(ms(3)), queue.now()), (None, ms(9)));
        assert_eq!((queue.pop(ms(10)), queue.now()), (Some(()), ms(10)));
    }
}
