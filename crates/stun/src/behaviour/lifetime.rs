//! How long a binding lives that nobody uses (RFC 5780 §4.6): halving the interval between a rest that it
//! survived and one that it did not.
//!
//! ```text
//!   Opening ──answer──▶ Resting ──over──▶ Probing ──answer at the resting socket──▶ it survived
//!      ▲                                     └──silence, or at the prober──▶ it died
//!      └──────────────── the next rest, until the two are close ────────────────┘
//! ```

use core::net::SocketAddr;
use core::time::Duration;

use super::{BehaviourEvent, Obstacle, Order, Reply, Step, Test};
use crate::{Instant, SocketId};

#[derive(Debug)]
pub(super) struct LifetimeTest {
    resting: SocketId,
    prober: SocketId,
    server: SocketAddr,
    longest: Duration,
    survived: Duration,
    died: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Opening { rest: Duration },
    Resting { rest: Duration, port: u16, until: Instant },
    Probing { rest: Duration },
    Done,
}

impl LifetimeTest {
    /// `sockets`: the one that rests and the one that probes.
    pub(super) fn start(
        sockets: (SocketId, SocketId),
        server: SocketAddr,
        longest: Duration,
    ) -> (Self, Order) {
        let (resting, prober) = sockets;
        let state = State::Opening { rest: FIRST_REST.min(longest) };
        let test = Self { resting, prober, server, longest, survived: Duration::ZERO, died: None, state };
        let order = Order::plain(resting, server);
        (test, order)
    }

    pub(super) fn handle(&mut self, now: Instant, reply: Reply) -> Step {
        match (self.state, reply) {
            (_, Reply::Refused(code)) => self.stop(Obstacle::Refused(code)),
            (State::Opening { rest }, Reply::Mapped { mapped, .. }) => {
                self.state = State::Resting { rest, port: mapped.port(), until: now + rest };
                Step::Rest
            }
            (State::Opening { .. }, Reply::Silence) => self.stop(Obstacle::Silent),
            (State::Probing { rest }, Reply::Mapped { at, .. }) if at == self.resting => {
                self.survived = rest;
                self.next()
            }
            (State::Probing { rest }, Reply::Mapped { .. } | Reply::Silence) => {
                self.died = Some(rest);
                self.next()
            }
            (State::Resting { .. } | State::Done, _) => Step::Rest,
        }
    }

    /// The rest is over: asks from the other socket for an answer to the resting one.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Order> {
        let State::Resting { rest, port, until } = self.state else { return None };
        if now < until {
            return None;
        }
        self.state = State::Probing { rest };
        let response_port = Some(port);
        Some(Order { socket: self.prober, to: self.server, change: None, response_port })
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Resting { until, .. } => Some(until),
            State::Opening { .. } | State::Probing { .. } | State::Done => None,
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "divisors are constants")]
    fn next(&mut self) -> Step {
        let rest = match self.died {
            Some(died) if died.saturating_sub(self.survived) <= CLOSE.max(died / 10) => None,
            Some(died) => Some(self.survived.saturating_add(died) / 2),
            None if self.survived >= self.longest => None,
            None => Some(self.survived.saturating_mul(2).min(self.longest)),
        };
        match rest {
            Some(rest) => {
                self.state = State::Opening { rest };
                Step::Ask(Order::plain(self.resting, self.server))
            }
            None => {
                self.state = State::Done;
                Step::Found(BehaviourEvent::Lifetime { survived: self.survived, died: self.died })
            }
        }
    }

    const fn stop(&mut self, why: Obstacle) -> Step {
        self.state = State::Done;
        Step::Found(BehaviourEvent::Unknown(Test::Lifetime, why))
    }
}

/// RFC 4787 §4.3 forbids less than two minutes; many live shorter.
const FIRST_REST: Duration = Duration::from_secs(30);

/// As close as the two ends have to come.
const CLOSE: Duration = Duration::from_secs(5);
