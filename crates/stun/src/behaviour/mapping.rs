//! How the NAT maps (RFC 5780 §4.3).
//!
//! ```text
//!   first answer ──own address──▶ no NAT
//!        └──▶ other IP ──same──▶ endpoint-independent
//!                 └──▶ other IP and port ──same as from the other IP──▶ address-dependent, else and port too
//! ```

use core::net::SocketAddr;

use super::{BehaviourEvent, Certainty, Dependence, Obstacle, Order, Reply, Step, Test};
use crate::SocketId;

#[derive(Debug)]
pub(super) struct MappingTest {
    socket: SocketId,
    local: SocketAddr,
    server: SocketAddr,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    OtherIp { first: SocketAddr, other: SocketAddr },
    OtherPort { second: SocketAddr },
    Done,
}

impl MappingTest {
    pub(super) const fn new(socket: SocketId, local: SocketAddr, server: SocketAddr) -> Self {
        Self { socket, local, server, state: State::New }
    }

    /// The server has answered and told its other address.
    pub(super) fn start(&mut self, first: SocketAddr, other: SocketAddr) -> Step {
        if first == self.local {
            self.state = State::Done;
            return Step::Found(BehaviourEvent::NoNat);
        }
        self.state = State::OtherIp { first, other };
        Step::Ask(Order::plain(self.socket, SocketAddr::new(other.ip(), self.server.port())))
    }

    pub(super) fn handle(&mut self, reply: Reply) -> Step {
        let mapped = match reply {
            Reply::Mapped { mapped, .. } => mapped,
            Reply::Silence => return self.found(BehaviourEvent::Unknown(Test::Mapping, Obstacle::Silent)),
            Reply::Refused(code) => {
                return self.found(BehaviourEvent::Unknown(Test::Mapping, Obstacle::Refused(code)));
            }
        };
        let depends = |dependence| BehaviourEvent::Mapping(dependence, Certainty::Seen);
        match self.state {
            State::OtherIp { first, .. } if first == mapped => {
                self.found(depends(Dependence::EndpointIndependent))
            }
            State::OtherIp { other, .. } => {
                self.state = State::OtherPort { second: mapped };
                Step::Ask(Order::plain(self.socket, other))
            }
            State::OtherPort { second } if second == mapped => {
                self.found(depends(Dependence::AddressDependent))
            }
            State::OtherPort { .. } => self.found(depends(Dependence::AddressAndPortDependent)),
            State::New | State::Done => Step::Rest,
        }
    }

    const fn found(&mut self, event: BehaviourEvent) -> Step {
        self.state = State::Done;
        Step::Found(event)
    }
}
