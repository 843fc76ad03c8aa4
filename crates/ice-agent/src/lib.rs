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
//! Data then goes by [`IceAgent::send_plan`] and comes as [`Received::App`](floe_stun::Received::App).
//!
//! ```
//! use floe_ice_agent::{ComponentId, Config, Event, IceAgent, Role};
//! use floe_stun::{Instant, MAX_TRANSMIT, Machine, Output, SocketId};
//!
//! let mut agent = IceAgent::new(Instant::ORIGIN, Config::new(Role::Controlling), [7; 32]);
//! agent.add_socket(Instant::ORIGIN, ComponentId::FIRST, SocketId(0), "192.0.2.2:5000".parse().unwrap()).unwrap();
//! agent.gather(Instant::ORIGIN);
//!
//! let (mut buf, mut lines) = ([0; MAX_TRANSMIT], vec![]);
//! loop {
//!     match agent.poll_output(&mut buf) {
//!         Output::Event(Event::Candidate(candidate)) => lines.push(candidate.to_string()),
//!         Output::Event(_) | Output::Transmit(_) | Output::Need(_) => {}
//!         Output::Wait { .. } | Output::Idle => break,
//!     }
//! }
//! assert_eq!(lines, ["candidate:1 1 UDP 2130706431 192.0.2.2 5000 typ host"]);
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
