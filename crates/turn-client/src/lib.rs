//! Asks a TURN server for a relayed address and keeps it (RFC 8656), for datagrams or for TCP connections (RFC 6062).
//!
//! # The model
//!
//! A [`Client`] is one *allocation* on one server: it asks for it when it is made, answers the server's login
//! challenge, refreshes it a minute before it expires, and gives it back on [`Client::release`]. Peers may send
//! to the relayed address once they are *permitted*; a peer that is sent much is given a *channel*, which makes
//! 36 bytes of overhead 4. What is asked for is kept until it is revoked. Everything may be asked for at any
//! time: what comes before the allocation goes out behind the request for it.
//!
//! Three rules explain most of what it does:
//!
//! - **A success counts only if somebody who knows our password signed it.** Others are as if never received.
//!   Relayed data cannot be signed (RFC 8656 §5): it is accepted from permitted peers and bound channels.
//! - **What is lost is asked for again**, with all that hung on it: [`Event::Interrupted`] says why. Where that is of
//!   no use, or not wanted ([`Config::again`]), [`Event::Lost`] is the last word.
//! - **Data is never queued.** [`Client::send_plan`] says where a datagram goes and what stands in front of it;
//!   what a peer sent comes back as a slice of the input, in [`PeerData`].
//!
//! An allocation of [`Wanted::Tcp`] has connections instead of data: [`Client::connect`], [`Client::accept`].
//!
//! # Driving it
//!
//! By the two doors that every machine of Floe has; see [`floe_stun::door`]. The socket may be shared: what is
//! not the client's is [`NotMine`](floe_stun::Received::NotMine).
//!
//! ```
//! use floe_stun::{Input, Instant, MAX_TRANSMIT, Machine, Output, Password, SocketId};
//! use floe_turn_client::{AllocateFailure, Client, Config, Credentials, Event};
//!
//! let credentials = Credentials::new("alice", Password::new("open sesame"));
//! let config = Config::new(SocketId(0), "192.0.2.1:3478".parse().unwrap(), credentials);
//! let mut now = Instant::ORIGIN;
//! let mut client = Client::new(now, config, [7; 32]); // the seed: 32 bytes of the system's entropy
//! client.permit(now, "203.0.113.7".parse().unwrap()); // early, so it waits for the allocation
//!
//! let mut buf = [0; MAX_TRANSMIT];
//! let event = loop {
//!     match client.poll_output(&mut buf) {
//!         Output::Transmit(_datagram) => {} // socket(t.socket).send_to(t.bytes, t.to)
//!         Output::Need(_) => unreachable!("a client over UDP needs nothing"),
//!         Output::Event(event) => break event,
//!         Output::Wait { until, why: _ } => { // sleep until then, or until something arrives
//!             now = until;
//!             let _ = client.handle_input(now, Input::Timeout);
//!         }
//!         Output::Idle => unreachable!("it always ends with an event"),
//!     }
//! };
//! assert_eq!(event, Event::Failed(AllocateFailure::TimedOut)); // there is nobody at 192.0.2.1
//! assert_eq!(now.to_string(), "39.500s"); // RFC 8489 §6.2.1
//! ```
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod allocation;
mod channel;
mod client;
mod config;
mod connection;
mod event;
mod key;
mod login;
mod permission;
mod relay;
mod requests;

pub use client::Client;
pub use config::{Config, Wanted};
pub use event::{AllocateFailure, BadAnswer, ConnectFailure, Event, LostReason, Refusal, SendError};
pub use floe_stun::credentials::{Credentials, Token};
pub use login::Identity;
pub use relay::PeerData;

/// The examples of the README run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
