//! No input takes long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What an input may take, sanitizers and all.
pub const LIMIT: Duration = Duration::from_millis(100);

/// The slowest input so far, in microseconds.
static SLOWEST: AtomicU64 = AtomicU64::new(0);

/// Gives `data` to a target, and panics if that is more work than `limit`.
///
/// What is slower than all before is done again, and the fastest of three times counts, for caches may have been cold.
pub fn timed(limit: Duration, target: fn(&[u8]), data: &[u8]) {
    let mut taken = time(target, data);
    for _ in 0..2 {
        if taken > Duration::from_micros(SLOWEST.load(Ordering::Relaxed)) {
            taken = taken.min(time(target, data));
        }
    }
    assert!(taken <= limit, "{taken:?} for {} bytes", data.len());
    let taken = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
    if taken > SLOWEST.fetch_max(taken, Ordering::Relaxed) {
        eprintln!("slowest unit: {taken} us");
    }
}

fn time(target: fn(&[u8]), data: &[u8]) -> Duration {
    let begin = work();
    target(data);
    work().saturating_sub(begin)
}

/// How long this thread has been at work: a machine that is busy elsewhere makes no input slow.
#[cfg(unix)]
fn work() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Where nobody tells, nothing is slow.
#[cfg(not(unix))]
fn work() -> Duration {
    Duration::ZERO
}
