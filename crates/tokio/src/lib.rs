//! Drives Floe's sans-IO machines on real sockets with tokio. Of all crates of Floe, this one alone touches the
//! world: it owns the clock, the entropy, the sockets, the interfaces and the resolver.
//!
//! - [`Endpoint`] is an ICE agent with sockets: give it servers, exchange descriptions, get a path.
//! - [`query()`] asks a STUN server for our address.
//! - [`TurnServer`] runs a STUN and TURN server inside of your program (feature `server`).
//!
//! # Two endpoints find each other
//!
//! ```
//! use floe_ice_agent::{ConnectionState, Event, GatheringState, Role};
//! use floe_tokio::{Endpoint, Events};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let (a, mut a_events) = Endpoint::builder(Role::Controlling).addresses(["127.0.0.1".parse()?]).bind().await?;
//! let (b, mut b_events) = Endpoint::builder(Role::Controlled).addresses(["127.0.0.1".parse()?]).bind().await?;
//!
//! // Any signalling will do; here both sides are in one program.
//! a.set_remote(b.local_credentials(), false)?;
//! b.set_remote(a.local_credentials(), false)?;
//! let connect = async |events: &mut Events, peer: &Endpoint| {
//!     while let Some(event) = events.recv().await {
//!         match event {
//!             Event::Candidate(candidate) => { let _ = peer.add_remote_candidate(&candidate.to_string()); }
//!             Event::Gathering(GatheringState::Complete) => peer.end_of_candidates(),
//!             Event::State { state: ConnectionState::Completed, .. } => break,
//!             _ => {}
//!         }
//!     }
//! };
//! tokio::join!(connect(&mut a_events, &b), connect(&mut b_events, &a));
//!
//! a.send(b"hello").await?;
//! assert_eq!(b.recv().await.as_deref(), Some(&b"hello"[..]));
//! # Ok(()) }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run()).unwrap();
//! ```

mod clock;
mod driver;
mod endpoint;
mod entropy;
mod error;
mod inbox;
mod interfaces;
mod query;
mod resolve;
#[cfg(feature = "server")]
mod server;
mod socket;

pub use clock::Clock;
pub use endpoint::{Builder, Endpoint, Events};
pub use error::{BindError, SendError};
pub use interfaces::addresses;
pub use query::{Answer, QueryError, query};
#[cfg(feature = "server")]
pub use server::{ServerEvents, TurnServer};
