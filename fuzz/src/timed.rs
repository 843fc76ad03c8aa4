//! No input takes long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What an input may take, sanitizers and all.
const LIMIT: Duration = Duration::from_millis(100);

/// The slowest input so far, in microseconds.
static SLOWEST: AtomicU64 = AtomicU64::new(0);

/// Gives `data` to a target, and panics if it takes too long.
///
/// What is slower than all before is done again, and the fastest of three times counts: a machine that is busy elsewhere
/// makes any input slow once, but hardly three times.
pub fn timed(target: fn(&[u8]), data: &[u8]) {
    let mut taken = time(target, data);
    for _ in 0..2 {
        if taken > Duration::from_micros(SLOWEST.load(Ordering::Relaxed)) {
            taken = taken.min(time(target, data));
        }
    }
    assert!(taken <= LIMIT, "{taken:?} for {} bytes", data.len());
    let taken = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
    if taken > SLOWEST.fetch_max(taken, Ordering::Relaxed) {
        eprintln!("slowest unit: {taken} us");
    }
}

fn time(target: fn(&[u8]), data: &[u8]) -> Duration {
    let begin = Instant::now();
    target(data);
    begin.elapsed()
}
