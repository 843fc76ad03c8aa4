//! What the NAT lets in (RFC 5780 §4.4).
//!
//! ```text
//!   primary ──▶ answer from the other IP and port? ──yes──▶ endpoint-independent
//!                    └──silence──▶ answer from the other port? ──yes──▶ address-dependent
//!                                            └──silence──▶ address- and port-dependent
//! ```

use core::net::SocketAddr;

use super::{BehaviourEvent, Certainty, Dependence, Obstacle, Order, Reply, Step, Test};
use crate::SocketId;
use crate::attribute::ChangeRequest;

#[derive(Debug)]
pub(super) struct FilteringTest {
    socket: SocketId,
    server: SocketAddr,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Primary,
    OtherBoth,
    OtherPort,
    Done,
}

impl FilteringTest {
    pub(super) const fn new(socket: SocketId, server: SocketAddr) -> Self {
        Self { socket, server, state: State::Primary }
    }

    /// Opens the way to the primary address from a socket that has sent nowhere else.
    pub(super) const fn start(&self) -> Step {
        Step::Ask(Order::plain(self.socket, self.server))
    }

    pub(super) fn handle(&mut self, reply: Reply) -> Step {
        if let Reply::Refused(code) = reply {
            return self.found(BehaviourEvent::Unknown(Test::Filtering, Obstacle::Refused(code)));
        }
        if let Reply::Mapped { from, .. } = reply
            && !self.has_moved(from)
        {
            return self.found(BehaviourEvent::Unknown(Test::Filtering, Obstacle::NotMoved));
        }
        let answered = matches!(reply, Reply::Mapped { .. });
        match (self.state, answered) {
            (State::Primary, true) => {
                self.state = State::OtherBoth;
                Step::Ask(self.change(true))
            }
            (State::Primary, false) => self.found(BehaviourEvent::Unknown(Test::Filtering, Obstacle::Silent)),
            (State::OtherBoth, true) => self.depends(Dependence::EndpointIndependent, Certainty::Seen),
            (State::OtherBoth, false) => {
                self.state = State::OtherPort;
                Step::Ask(self.change(false))
            }
            (State::OtherPort, true) => self.depends(Dependence::AddressDependent, Certainty::Inferred),
            (State::OtherPort, false) => {
                self.depends(Dependence::AddressAndPortDependent, Certainty::Inferred)
            }
            (State::Done, _) => Step::Rest,
        }
    }

    /// Whether the answer came from where it was asked for, and so says something of the filter.
    fn has_moved(&self, from: SocketAddr) -> bool {
        match self.state {
            State::Primary | State::Done => true,
            State::OtherBoth => from.ip() != self.server.ip() && from.port() != self.server.port(),
            State::OtherPort => from.port() != self.server.port(),
        }
    }

    /// A request whose answer is to come from the other port, and the other IP address too if `ip`.
    const fn change(&self, ip: bool) -> Order {
        let change = Some(ChangeRequest { ip, port: true });
        Order { socket: self.socket, to: self.server, change, response_port: None }
    }

    const fn depends(&mut self, dependence: Dependence, certainty: Certainty) -> Step {
        self.found(BehaviourEvent::Filtering(dependence, certainty))
    }

    const fn found(&mut self, event: BehaviourEvent) -> Step {
        self.state = State::Done;
        Step::Found(event)
    }
}
