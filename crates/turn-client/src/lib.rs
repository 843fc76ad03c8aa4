//! A sans-IO TURN client over UDP (RFC 8656).
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod client;
mod config;
mod event;

pub use client::{Client, PeerData};
pub use config::{Config, Credentials};
pub use event::{AllocateFailure, BadAnswer, ChannelRefusal, Event, LostReason, Refusal, SendError};
