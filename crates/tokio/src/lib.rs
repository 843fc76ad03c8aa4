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
#![doc = include_str!("../examples/two_endpoints.rs")]
//! ```

mod behaviour;
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

pub use behaviour::Discovery;
pub use clock::Clock;
pub use endpoint::{Builder, Endpoint, Events};
pub use error::{BindError, SendError};
pub use interfaces::addresses;
pub use query::{Answer, QueryError, query};
#[cfg(feature = "server")]
pub use server::{ServerEvents, TurnServer};
