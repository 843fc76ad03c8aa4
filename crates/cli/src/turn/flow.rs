//! As many datagrams as a rate asks for, there and back, counted: a value without sockets or clock.
//!
//! ```text
//!   sequence number, 8 bytes | when it was sent, 8 bytes of nanoseconds | zeros up to the size
//! ```

use std::time::Duration;

/// How much is sent, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Bits of data in a second.
    pub(crate) rate: u64,
    pub(crate) time: Duration,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flow {
    pub(crate) sent: u64,
    pub(crate) back: u64,
    /// Bits of data that came back, for each second of sending.
    pub(crate) rate: f64,
    /// The shortest, the median and the longest; none if nothing came back.
    pub(crate) rtt: Option<[Duration; 3]>,
}

impl Flow {
    pub(crate) const fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.back)
    }

    /// More than a healthy network loses: 5 %.
    pub(crate) const fn is_lossy(&self) -> bool {
        self.lost().saturating_mul(20) > self.sent
    }
}

/// Says what to send when, and counts what comes back.
#[derive(Debug)]
pub(crate) struct Meter {
    pace: Pace,
    /// What has come back, by number.
    seen: Vec<bool>,
    back: u64,
    rtts: Vec<Duration>,
}

/// What the meter wants next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Send(Vec<u8>),
    /// Nothing before that time, if nothing comes.
    Wait(Duration),
    Done,
}

impl Meter {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self { pace, seen: Vec::new(), back: 0, rtts: Vec::new() }
    }

    /// At this time since the beginning.
    pub(crate) fn next(&mut self, now: Duration) -> Next {
        let due = self.due_at(self.sent());
        if due < self.pace.time && now < self.pace.time {
            return if due <= now { Next::Send(self.datagram(now)) } else { Next::Wait(due) };
        }
        // What is still on its way may arrive.
        let until = self.pace.time + PATIENCE;
        if self.back == self.sent() || now >= until { Next::Done } else { Next::Wait(until) }
    }

    /// Something came back.
    pub(crate) fn handle(&mut self, now: Duration, datagram: &[u8]) {
        let Some((number, rest)) = datagram.split_first_chunk() else { return };
        let Some(sent) = rest.first_chunk() else { return };
        let Ok(number) = usize::try_from(u64::from_be_bytes(*number)) else { return };
        let Some(seen @ false) = self.seen.get_mut(number) else { return };
        *seen = true;
        self.back += 1;
        if self.rtts.len() < KEPT {
            self.rtts.push(now.saturating_sub(Duration::from_nanos(u64::from_be_bytes(*sent))));
        }
    }

    pub(crate) fn finish(mut self) -> Flow {
        self.rtts.sort_unstable();
        let middle = self.rtts.get(self.rtts.len() / 2);
        let rtt = self.rtts.first().zip(middle).zip(self.rtts.last());
        let rate = bits(self.back) / self.pace.time.as_secs_f64();
        Flow {
            sent: self.sent(),
            back: self.back,
            rate: if rate.is_finite() { rate } else { 0.0 },
            rtt: rtt.map(|((least, median), most)| [*least, *median, *most]),
        }
    }

    fn sent(&self) -> u64 {
        self.seen.len() as u64
    }

    /// When the datagram of this number is to leave.
    fn due_at(&self, number: u64) -> Duration {
        let due = Duration::try_from_secs_f64(bits(number) / self.pace.rate as f64);
        due.unwrap_or(Duration::MAX)
    }

    fn datagram(&mut self, now: Duration) -> Vec<u8> {
        let (number, now) = (self.sent(), u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        self.seen.push(false);
        let mut datagram = [number.to_be_bytes(), now.to_be_bytes()].concat();
        datagram.resize(SIZE, 0);
        datagram
    }
}

fn bits(datagrams: u64) -> f64 {
    datagrams as f64 * SIZE as f64 * 8.0
}

/// Bytes of data in a datagram: with all that stands in front of it, that fits everywhere.
pub(crate) const SIZE: usize = 1200;

/// How long what was sent last may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Round trips that are remembered, of which the three numbers are told.
const KEPT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { rate: 9600 * 100, time: Duration::from_secs(1) };

    /// Runs it to its end; each datagram that is not lost is back after so long.
    fn run(pace: Pace, delay: Duration, lost: impl Fn(u64) -> bool) -> (Flow, Duration) {
        let (mut meter, mut now, mut wire) = (Meter::new(pace), Duration::ZERO, Vec::new());
        loop {
            let arrived = wire.iter().position(|(at, _)| *at <= now);
            if let Some(n) = arrived {
                let (_, datagram): (_, Vec<u8>) = wire.remove(n);
                meter.handle(now, &datagram);
                meter.handle(now, &datagram);
                continue;
            }
            match meter.next(now) {
                Next::Send(datagram) if lost(meter.sent() - 1) => assert_eq!(datagram.len(), SIZE),
                Next::Send(datagram) => wire.push((now + delay, datagram)),
                Next::Wait(until) => {
                    now = wire.iter().map(|(at, _)| *at).chain([until]).min().unwrap();
                }
                Next::Done => return (meter.finish(), now),
            }
        }
    }

    #[test]
    fn what_was_asked_for_is_sent_and_counted() {
        let delay = Duration::from_millis(30);
        let (flow, took) = run(PACE, delay, |_| false);
        assert_eq!((flow.sent, flow.back, flow.lost(), flow.rtt), (100, 100, 0, Some([delay; 3])));
        assert!((flow.rate - PACE.rate as f64).abs() < 1.0 && !flow.is_lossy(), "{flow:?}");
        assert!(took < Duration::from_millis(1100), "it waits for nothing when all is back: {took:?}");
    }

    #[test]
    fn what_does_not_come_back_is_lost_after_a_second() {
        let (flow, took) = run(PACE, Duration::from_millis(1), |number| number % 4 == 0);
        assert_eq!((flow.sent, flow.back, flow.lost()), (100, 75, 25));
        assert_eq!(took, Duration::from_secs(2));
        // What stops coming has not been fast until then.
        let (flow, _) = run(PACE, Duration::from_millis(1), |number| number >= 41);
        assert_eq!((flow.back, flow.rate.round(), flow.is_lossy()), (41, 41.0 * 9600.0, true));
        let (flow, _) = run(PACE, Duration::from_millis(1), |number| number % 20 == 0);
        assert_eq!((flow.lost(), flow.is_lossy()), (5, false));
        let (flow, _) = run(PACE, Duration::from_millis(1), |_| true);
        assert_eq!((flow.back, flow.rate, flow.rtt), (0, 0.0, None));
    }

    #[test]
    fn what_is_not_ours_counts_nothing() {
        let mut meter = Meter::new(PACE);
        let Next::Send(datagram) = meter.next(Duration::ZERO) else { panic!() };
        meter.handle(Duration::ZERO, &datagram[..15]);
        meter.handle(Duration::ZERO, &[0xFF; SIZE]);
        assert_eq!(meter.finish().back, 0);
    }
}
