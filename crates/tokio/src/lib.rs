//! Drives Floe's sans-IO machines on real sockets with tokio. Of all crates of Floe, this one alone touches the
//! world: it owns the clock, the entropy, the sockets, the interfaces and the resolver.
//!
//! - [`Endpoint`] is an ICE agent with sockets: give it servers, exchange descriptions, get a path.
//! - [`query()`] asks a STUN server for our address.
//! - [`TurnClient`] is an allocation on a TURN server, over UDP, TCP or TLS.
//! - [`TurnServer`] runs a STUN and TURN server inside of your program (feature `server`).
//!
//! Streams inside TLS, on both sides, come with feature `tls`. Both features are on by default.
//!
//! # Two endpoints find each other
//!
//! ```
#![doc = include_str!("../examples/two_endpoints.rs")]
//! ```
#![cfg_attr(
    not(all(feature = "server", feature = "tls")),
    allow(dead_code, reason = "some of what carries bytes serves servers alone")
)]

mod behaviour;
mod clock;
mod connect;
mod driver;
mod endpoint;
mod entropy;
mod error;
mod inbox;
mod interfaces;
mod query;
mod resolve;
mod seats;
#[cfg(feature = "server")]
mod server;
mod socket;
mod sockets;
mod stream;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
mod turn;

pub use behaviour::Discovery;
pub use clock::Clock;
pub use connect::ConnectError;
pub use endpoint::{Builder, Endpoint, Events};
pub use error::{BindError, SendError};
pub use interfaces::addresses;
pub use query::{Answer, QueryError, query};
pub use resolve::resolve;
pub use seats::StreamLimits;
#[cfg(feature = "server")]
pub use server::{ServerBuilder, ServerEvents, TurnServer};
pub use stream::RawStream;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, TlsIdentity};
pub use turn::{TurnBuilder, TurnClient, TurnError, TurnEvents};
