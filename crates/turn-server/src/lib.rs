//! A STUN and TURN server as a value (RFC 8489, RFC 8656): for `floe demo` and `floe serve`, for tests, for
//! embedding.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod config;
mod event;
mod limits;
mod policy;
mod server;

pub use config::{Config, Users};
pub use event::{Event, Relayed, Released, Stats};
pub use limits::Limits;
pub use policy::PeerPolicy;
pub use server::Server;
