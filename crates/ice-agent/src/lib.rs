//! Finds a working path between two peers and keeps it: ICE (RFC 8445), sans-IO and `no_std`.
//!
//! # The model
//!
//! An [`IceAgent`] is a value. It *gathers* addresses at which we might be reached, *pairs* each with those the
//! peer told us, *checks* pairs in order of priority, one every Ta, and *selects* the best pair that answered.
//! It then asks for consent every five seconds for as long as the path is used.
//!
//! Four rules explain most of what it does:
//!
//! - **Nothing moves on unauthenticated bytes.** A forged packet can be counted, never obeyed.
//! - **Data may flow as soon as one pair works**, and flows on the nominated pair once there is one.
//! - **A selected path is kept until a better one works**: a restart makes before it breaks.
//! - **Everything can come late**: candidates, credentials, answers. Late is never an error.
//!
//! # Five calls make a connection
//!
//! 1. [`IceAgent::new`] with the role, the servers and a seed.
//! 2. [`IceAgent::add_socket`] for each UDP socket the host has bound, then [`IceAgent::gather`].
//! 3. [`IceAgent::local_credentials`] and each [`Event::Candidate`] go to the peer, by whatever signalling.
//! 4. [`IceAgent::set_remote_credentials`] and [`IceAgent::add_remote_candidate`] bring the peer's in.
//! 5. The loop of [`floe_stun::door`], until [`Event::State`] says `Connected`.
//!
//! Data then goes by [`IceAgent::send_plan`] and comes as [`Received::App`].
//!
//! # A whole host
//!
//! Two agents whose sockets are two queues, and a clock that jumps to whatever is due. A host of real sockets looks
//! the same; `examples/foreign_loop.rs` is one.
//!
//! ```
//! use std::collections::VecDeque;
//! use floe_ice_agent::{ComponentId, Config, ConnectionState, Event, IceAgent, Role, StreamId};
//! use floe_ice_agent::{Input, Instant, MAX_TRANSMIT, Machine, Output, Received, SocketId};
//!
//! const SOCKET: SocketId = SocketId(0);
//! let addresses = ["192.0.2.1:5000".parse().unwrap(), "192.0.2.2:5000".parse().unwrap()];
//! let mut now = Instant::ORIGIN;
//! let mut agents = [
//!     IceAgent::new(now, Config::new(Role::Controlling), [1; 32]), // draw each seed from the operating system
//!     IceAgent::new(now, Config::new(Role::Controlled), [2; 32]),
//! ];
//! for (agent, address) in agents.iter_mut().zip(addresses) {
//!     agent.add_socket(now, ComponentId::FIRST, SOCKET, address).unwrap();
//!     agent.gather(now);
//! }
//! let credentials = [agents[0].local_credentials().clone(), agents[1].local_credentials().clone()];
//! let mut wires = [VecDeque::new(), VecDeque::new()]; // datagrams on their way to each
//!
//! for me in [0, 1] {
//!     agents[me].set_remote_credentials(now, credentials[1 - me].clone(), false).unwrap();
//! }
//! while agents.iter().any(|agent| agent.state() != ConnectionState::Completed) {
//!     let mut wake = Instant::FAR_FUTURE;
//!     for me in [0, 1] {
//!         let mut buf = [0; MAX_TRANSMIT];
//!         loop {
//!             match agents[me].poll_output(&mut buf) {
//!                 Output::Transmit(t) => wires[1 - me].push_back(t.bytes.to_vec()),
//!                 Output::Event(Event::Candidate(candidate)) => {
//!                     agents[1 - me].add_remote_candidate(now, StreamId(0), &candidate.to_line());
//!                 }
//!                 Output::Event(event) => println!("{now} agent {me}: {event:?}"),
//!                 Output::Need(_) => unreachable!("no servers, no names"),
//!                 Output::Wait { until, .. } => break wake = wake.min(until),
//!                 Output::Idle => break,
//!             }
//!         }
//!     }
//!     for me in [0, 1] {
//!         let arrived = wires[me].pop_front();
//!         let input = match &arrived {
//!             Some(data) => Input::Datagram { socket: SOCKET, from: addresses[1 - me], data },
//!             None => Input::Timeout,
//!         };
//!         if arrived.is_none() && wires.iter().all(VecDeque::is_empty) {
//!             now = wake; // nothing on the wire: sleep until something is due
//!         }
//!         assert_eq!(agents[me].handle_input(now, input), Received::Consumed);
//!     }
//! }
//! let plan = agents[0].send_plan(now, ComponentId::FIRST, 5).unwrap();
//! assert_eq!((plan.to(), plan.headroom()), (addresses[1], 0)); // straight to the peer, no header
//! ```
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod agent;
mod candidate;
mod check;
mod checklist;
mod config;
mod consent;
mod credentials;
mod error;
mod gather;
mod id;
mod inbound;
mod locals;
mod mux;
mod nominate;
mod outbox;
mod output;
mod pacing;
mod pair;
mod patience;
mod policy;
mod relay;
mod remotes;
mod respond;
mod role;
mod session;
mod shared;
mod state;
mod stats;

pub use agent::IceAgent;
pub use candidate::{Candidate, CandidateKind};
pub use config::{Config, DEFAULT_TA, Limits, MIN_TA, Profile, Role, Server, TransportPolicy};
pub use credentials::Credentials;
pub use error::{ApiMisuse, IgnoredReason, SendError, Taken};
pub use id::{CandidateId, ComponentId, PairId, ServerId, StreamId};
pub use mux::Mux;
pub use output::{
    ConnectionState, Data, Event, GatheringState, PairFailure, SelectedPair, SelectedReason, ServerOutcome,
    ServerReport, StateReason,
};
pub use policy::{Decision, DefaultPolicy, Outlook, Policy};
pub use stats::{PairCounters, PairState, PairStats, Stats, TransportStats};

pub use floe_sdp::CandidateLine;
pub use floe_stun::{
    Dropped, Drops, Failure, Icmp, Input, Instant, Interface, MAX_TRANSMIT, Machine, Need, Output, Password,
    Received, RequestId, Schedule, SendPlan, SocketId, Transmit, Transport, Uri, Why, attribute::Family,
};
