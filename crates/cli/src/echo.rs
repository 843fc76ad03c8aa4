//! The echo of the signalling contract: request after request, each sent when the last one is back.
//!
//! ```text
//!   0x80 | 0x71 request, 0x72 echo | sequence number, 4 bytes, big endian | zeros up to the size
//! ```
//!
//! A value without sockets or clock, as all our machines are.

use std::time::Duration;

use floe_stun::Instant;

/// Turns a request into its echo; gives back what is none.
pub(crate) fn answer(mut datagram: Vec<u8>) -> Result<Vec<u8>, Vec<u8>> {
    match datagram.as_mut_slice() {
        [MARK, kind @ REQUEST, _, _, _, _, ..] => {
            *kind = ECHO;
            Ok(datagram)
        }
        _ => Err(datagram),
    }
}

/// Whether this is an echo, of whomever.
pub(crate) fn is_echo(datagram: &[u8]) -> bool {
    matches!(datagram, [MARK, ECHO, _, _, _, _, ..])
}

/// The asking side.
#[derive(Debug)]
pub(crate) struct Pinger {
    count: u32,
    size: usize,
    sequence: u32,
    attempts: u32,
    started: Instant,
    sent: Instant,
    bytes: u64,
    resent: u32,
    rtts: Vec<Duration>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pong {
    /// Requests that came back.
    pub(crate) count: usize,
    /// Their bytes.
    pub(crate) bytes: u64,
    pub(crate) resent: u32,
    pub(crate) took: Duration,
    /// The median; none if nothing came back.
    pub(crate) rtt: Option<Duration>,
}

/// What the asking side wants next.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Done(Pong),
}

impl Pinger {
    /// Wants to ask `count` times with `size` bytes, at least 6; send the datagram that comes with it.
    pub(crate) fn start(now: Instant, count: u32, size: usize) -> (Self, Step) {
        let mut pinger = Self {
            count,
            size,
            sequence: 0,
            attempts: 0,
            started: now,
            sent: now,
            bytes: 0,
            resent: 0,
            rtts: Vec::new(),
        };
        let step = pinger.next(now);
        (pinger, step)
    }

    /// Takes a datagram. `None` if it is no echo of ours, or a late double of one.
    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Option<Step> {
        let [MARK, ECHO, s0, s1, s2, s3, ..] = datagram else { return None };
        if u32::from_be_bytes([*s0, *s1, *s2, *s3]) != self.sequence {
            return None;
        }
        self.bytes += datagram.len() as u64;
        self.rtts.push(now - self.sent);
        self.sequence += 1;
        self.attempts = 0;
        Some(self.next(now))
    }

    /// To be called at the [`deadline`](Self::deadline).
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Step> {
        if now < self.deadline() {
            return None;
        }
        if self.attempts > MAX_RESENDS {
            return Some(Step::Done(self.pong(now)));
        }
        self.resent += 1;
        Some(self.next(now))
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.sent + RESEND_AFTER
    }

    fn next(&mut self, now: Instant) -> Step {
        if self.sequence == self.count {
            return Step::Done(self.pong(now));
        }
        self.attempts += 1;
        self.sent = now;
        let [s0, s1, s2, s3] = self.sequence.to_be_bytes();
        let mut datagram = vec![MARK, REQUEST, s0, s1, s2, s3];
        datagram.resize(self.size.max(MIN_SIZE), 0);
        Step::Send(datagram)
    }

    fn pong(&mut self, now: Instant) -> Pong {
        self.rtts.sort();
        let rtt = self.rtts.get(self.rtts.len() / 2).copied();
        Pong { count: self.rtts.len(), bytes: self.bytes, resent: self.resent, took: now - self.started, rtt }
    }
}

/// No message of ours is shorter.
pub(crate) const MIN_SIZE: usize = 6;

/// What a UDP datagram over IPv4 takes.
pub(crate) const MAX_SIZE: usize = 65_507;

const MARK: u8 = 0x80;
const REQUEST: u8 = 0x71;
const ECHO: u8 = 0x72;
const RESEND_AFTER: Duration = Duration::from_millis(200);
const MAX_RESENDS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn sent(step: Step) -> Vec<u8> {
        match step {
            Step::Send(datagram) => datagram,
            Step::Done(pong) => panic!("done: {pong:?}"),
        }
    }

    #[test]
    fn each_request_waits_for_the_echo_of_the_last() {
        let (mut pinger, step) = Pinger::start(at(0), 2, 10);
        let first = sent(step);
        assert_eq!(first, [0x80, 0x71, 0, 0, 0, 0, 0, 0, 0, 0]);

        let second = sent(pinger.handle_datagram(at(3), &answer(first.clone()).unwrap()).unwrap());
        assert_eq!(second.get(..6), Some(&[0x80, 0x71, 0, 0, 0, 1][..]));
        assert_eq!(pinger.handle_datagram(at(4), &answer(first).unwrap()), None, "a double");

        let Some(Step::Done(pong)) = pinger.handle_datagram(at(10), &answer(second).unwrap()) else {
            panic!("not done")
        };
        let (took, rtt) = (Duration::from_millis(10), Some(Duration::from_millis(7)));
        assert_eq!(pong, Pong { count: 2, bytes: 20, resent: 0, took, rtt });
    }

    #[test]
    fn a_lost_one_is_sent_again_ten_times_and_then_given_up() {
        let (mut pinger, _) = Pinger::start(at(0), 1, 6);
        for n in 1..=10 {
            assert_eq!(pinger.handle_timeout(at(200 * n - 1)), None);
            sent(pinger.handle_timeout(at(200 * n)).unwrap());
        }
        let Some(Step::Done(pong)) = pinger.handle_timeout(at(2200)) else { panic!("not done") };
        assert_eq!((pong.count, pong.resent, pong.rtt), (0, 10, None));
    }

    #[test]
    fn what_is_no_request_is_given_back() {
        for datagram in [&b"hello"[..], b"", b"\x80\x71\0\0\0", b"\x80\x72\0\0\0\0"] {
            assert_eq!(answer(datagram.to_vec()), Err(datagram.to_vec()));
        }
    }
}
