//! One request: when it goes out again, and when it has failed (RFC 8489 §6.2.1; over a stream §6.2.2).
//!
//! ```text
//!   new ──▶ Retransmitting ──sent Rc times──▶ AwaitingLast ──Rm * RTO──▶ timed out
//!                 └────────── response ─────────────┴──▶ done (the owner forgets it)
//! ```
//!
//! With the defaults it goes out at 0, 500, 1500, 3500, 7500, 15500 and 31500 ms and fails at 39500 ms. Over a stream
//! it goes out once and fails at the same moment.

use core::time::Duration;

use crate::attribute::TransmitCounter;
use crate::{Instant, TransactionId};

/// The numbers of a retransmission schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schedule {
    /// Wait before the first retransmission, doubled each time.
    pub rto: Duration,
    /// How often the request goes out at most, Rc; at least 1.
    pub sends: u32,
    /// The wait after the last one in multiples of `rto`, Rm.
    pub last_wait: u32,
}

impl Schedule {
    /// RFC 8489 §6.2.1: RTO at least 500 ms, Rc 7, Rm 16.
    pub const DEFAULT: Self = Self { rto: Duration::from_millis(500), sends: 7, last_wait: 16 };

    /// RFC 8489 §6.2.2, for TCP and TLS: sent once, and failed after Ti of 39.5 s, which [`Self::with_rto`] changes.
    pub const STREAM: Self = Self { rto: Duration::from_millis(39_500), sends: 1, last_wait: 1 };

    /// The same with another RTO.
    #[must_use]
    pub const fn with_rto(self, rto: Duration) -> Self {
        Self { rto, ..self }
    }

    /// The same with another number of transmissions.
    #[must_use]
    pub const fn with_sends(self, sends: u32) -> Self {
        Self { sends, ..self }
    }

    /// The same with another last wait, in multiples of the RTO.
    #[must_use]
    pub const fn with_last_wait(self, last_wait: u32) -> Self {
        Self { last_wait, ..self }
    }

    /// Time from the first transmission to failure, 39.5 s with the defaults.
    #[must_use]
    pub fn total(&self) -> Duration {
        let doublings = 2_u32.saturating_pow(self.sends.saturating_sub(1)).saturating_sub(1);
        self.rto.saturating_mul(doublings.saturating_add(self.last_wait))
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One request under way. The owner sends it once when it makes this, and again whenever this says so.
#[derive(Clone, Debug)]
pub struct Transaction {
    id: TransactionId,
    schedule: Schedule,
    started: Instant,
    /// When it went out lately; see [`place`].
    recent: [Instant; RECENT],
    /// The number of the transmission that was answered, where the answer says so.
    answered: Option<u32>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Retransmitting { sent: u32, next: Instant, wait: Duration },
    AwaitingLast { sent: u32, until: Instant },
}

/// Transmissions whose time is kept besides the first. The answer to an older one took thirty times the RTO.
const RECENT: usize = 4;

/// Where the time of the nth transmission stands.
const fn place(number: u32) -> usize {
    number as usize % RECENT
}

/// What a timeout asks of the owner of the transaction.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the schedule knows no third")]
pub enum Fired {
    /// Send the same bytes again, but for a [`Transaction::counter`] in them.
    Resend,
    /// Nobody answered: forget the transaction.
    TimedOut,
}

impl Transaction {
    /// Starts with a request that goes out at `now`.
    #[must_use]
    pub fn new(id: TransactionId, now: Instant, schedule: Schedule) -> Self {
        let state = State::after(1, now, schedule.rto, &schedule);
        Self { id, schedule, started: now, recent: [now; RECENT], answered: None, state }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// When the request first went out.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// How often it went out so far.
    #[must_use]
    pub const fn sent(&self) -> u32 {
        match self.state {
            State::Retransmitting { sent, .. } | State::AwaitingLast { sent, .. } => sent,
        }
    }

    /// The round-trip time if the answer came at `now`; none once retransmitted, for it would be a guess
    /// (Karn's rule, RFC 8489 §6.2.1), unless the answer says which transmission it answers
    /// ([`Self::note_counter`]).
    #[must_use]
    pub fn rtt(&self, now: Instant) -> Option<Duration> {
        let answered = self.answered.or_else(|| (self.sent() == 1).then_some(1))?;
        self.sent_at(answered).map(|sent| now - sent)
    }

    /// What the request says of this transmission, if the client counts them (RFC 7982 §3.2).
    #[must_use]
    pub fn counter(&self) -> TransmitCounter {
        TransmitCounter::request(self.sent())
    }

    /// The answer repeats the counter of the transmission that it answers (RFC 7982 §3.3), so that [`Self::rtt`] knows.
    /// One that was never sent is ignored.
    ///
    /// ```
    /// use core::time::Duration;
    /// use floe_stun::attribute::TransmitCounter;
    /// use floe_stun::{Fired, Instant, Schedule, Transaction, TransactionId};
    ///
    /// let mut request = Transaction::new(TransactionId::from([7; 12]), Instant::ORIGIN, Schedule::DEFAULT);
    /// assert_eq!(request.handle_timeout(request.deadline()), Some(Fired::Resend)); // after 500 ms
    /// let now = Instant::ORIGIN + Duration::from_millis(530);
    /// assert_eq!(request.rtt(now), None); // an answer to which of the two?
    /// request.note_counter(TransmitCounter { request: 2, response: 0 });
    /// assert_eq!(request.rtt(now), Some(Duration::from_millis(30)));
    /// ```
    pub fn note_counter(&mut self, answer: TransmitCounter) {
        let number = u32::from(answer.request);
        // 255 stands for all transmissions from there on.
        if (1..=self.sent().min(254)).contains(&number) {
            self.answered = Some(number);
        }
    }

    /// When it went out for the nth time; none of what is long ago.
    fn sent_at(&self, number: u32) -> Option<Instant> {
        match self.sent().checked_sub(number)? {
            _ if number == 1 => Some(self.started),
            ago if ago < RECENT as u32 => self.recent.get(place(number)).copied(),
            _ => None,
        }
    }

    /// How long the wait after the last transmission is before another one, were there one: the RTO, doubled with
    /// each repetition.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let doublings = 2_u32.saturating_pow(self.sent().saturating_sub(1));
        self.schedule.rto.saturating_mul(doublings)
    }

    /// Never to be sent again, yet an answer is welcome until the schedule would have ended: the request was
    /// cancelled (RFC 8445 §7.3.1.4).
    pub fn stop_retransmitting(&mut self) {
        if let State::Retransmitting { sent, .. } = self.state {
            self.state = State::AwaitingLast { sent, until: self.started + self.schedule.total() };
        }
    }

    /// The next moment [`Self::handle_timeout`] has work.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        match self.state {
            State::Retransmitting { next, .. } => next,
            State::AwaitingLast { until, .. } => until,
        }
    }

    /// To be called when [`Self::deadline`] has passed; early calls do nothing.
    ///
    /// A late call sends once and starts the next wait from `now`: a host that slept causes no burst.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Fired> {
        match self.state {
            State::Retransmitting { sent, next, wait } if now >= next => {
                let sent = sent.saturating_add(1);
                if let Some(at) = self.recent.get_mut(place(sent)) {
                    *at = now;
                }
                self.state = State::after(sent, now, wait.saturating_mul(2), &self.schedule);
                Some(Fired::Resend)
            }
            State::AwaitingLast { until, .. } if now >= until => Some(Fired::TimedOut),
            State::Retransmitting { .. } | State::AwaitingLast { .. } => None,
        }
    }
}

impl State {
    fn after(sent: u32, now: Instant, wait: Duration, schedule: &Schedule) -> Self {
        if sent >= schedule.sends {
            Self::AwaitingLast { sent, until: now + schedule.rto.saturating_mul(schedule.last_wait) }
        } else {
            Self::Retransmitting { sent, next: now + wait, wait }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn start() -> Transaction {
        Transaction::new(TransactionId::from([0; 12]), Instant::ORIGIN, Schedule::DEFAULT)
    }

    #[test]
    fn the_schedule_is_that_of_the_rfc() {
        let mut transaction = start();
        let mut sent = Vec::from([0]);
        let failed = loop {
            let now = transaction.deadline();
            match transaction.handle_timeout(now) {
                Some(Fired::Resend) => sent.push(now.as_nanos() / 1_000_000),
                Some(Fired::TimedOut) => break now,
                None => panic!("a deadline without work"),
            }
        };
        assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15500, 31500]);
        assert_eq!(failed.as_nanos(), 39_500_000_000);
        assert_eq!(Schedule::DEFAULT.total(), Duration::from_millis(39_500));
    }

    #[test]
    fn over_a_stream_it_goes_out_once_and_fails_after_ti() {
        let mut transaction =
            Transaction::new(TransactionId::from([0; 12]), Instant::ORIGIN, Schedule::STREAM);
        assert_eq!(transaction.deadline(), Instant::ORIGIN + Duration::from_millis(39_500));
        assert_eq!(transaction.handle_timeout(transaction.deadline()), Some(Fired::TimedOut));
        let short = Schedule::STREAM.with_rto(Duration::from_secs(5));
        assert_eq!((short.total(), short.sends), (Duration::from_secs(5), 1));
    }

    #[test]
    fn the_wait_doubles_with_each_repetition() {
        let mut transaction = start();
        assert_eq!(transaction.wait(), Duration::from_millis(500));
        for _ in 0..6 {
            let _ = transaction.handle_timeout(transaction.deadline());
        }
        assert_eq!(transaction.wait(), Duration::from_millis(32_000));
    }

    #[test]
    fn a_host_that_slept_sends_once_not_seven_times() {
        let mut transaction = start();
        let late = Instant::ORIGIN + Duration::from_secs(20);
        assert_eq!(transaction.handle_timeout(late), Some(Fired::Resend));
        assert_eq!(transaction.handle_timeout(late), None);
    }

    #[test]
    fn a_retransmitted_request_gives_no_rtt() {
        let mut transaction = start();
        let later = Instant::ORIGIN + Duration::from_millis(500);
        assert_eq!(transaction.rtt(later), Some(Duration::from_millis(500)));
        let _ = transaction.handle_timeout(later);
        assert_eq!(transaction.rtt(later), None);
    }

    #[test]
    fn a_counter_tells_which_transmission_was_answered() {
        let mut transaction = start();
        let now = Instant::ORIGIN + Duration::from_millis(15_600);
        let heard = |transaction: &Transaction, request| {
            let mut heard = transaction.clone();
            heard.note_counter(TransmitCounter { request, response: 0 });
            heard.rtt(now).map(|rtt| rtt.as_millis())
        };
        for number in 1..=6 {
            assert_eq!(transaction.counter(), TransmitCounter { request: number, response: 0 });
            if number < 6 {
                let _ = transaction.handle_timeout(transaction.deadline());
            }
        }
        let rtts = [1, 2, 3, 4, 5, 6].map(|number| heard(&transaction, number));
        assert_eq!(rtts, [Some(15_600), None, Some(14_100), Some(12_100), Some(8_100), Some(100)]);
        assert_eq!([0, 7, 255].map(|number| heard(&transaction, number)), [None; 3], "never sent");
        let once = [0, 2, 255].map(|number| heard(&start(), number));
        assert_eq!(once, [Some(15_600); 3], "what was sent once needs no counter");
    }

    #[test]
    fn a_cancelled_request_waits_without_sending() {
        let mut transaction = start();
        transaction.stop_retransmitting();
        assert_eq!(transaction.deadline(), Instant::ORIGIN + Schedule::DEFAULT.total());
        assert_eq!(transaction.handle_timeout(transaction.deadline()), Some(Fired::TimedOut));
    }
}
