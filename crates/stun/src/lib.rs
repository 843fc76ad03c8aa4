//! STUN and TURN on the wire (RFC 8489, RFC 8656): bytes in, values out, and back.
//!
//! # The model
//!
//! A datagram becomes a [`Message`], a checked view that borrows the bytes and allocates nothing. What the
//! view shows is only what may be believed: attributes behind MESSAGE-INTEGRITY cannot be reached. With the
//! [`Key`] of the credential, [`Message::verify`] turns it into an [`Authenticated`] message, the only form in
//! which our state machines accept a message that may change their state. [`Builder`] writes a message into
//! the caller's buffer, integrity and fingerprint last; a [`Template`] writes one message under many ids.
//!
//! [`credentials`] holds a machine for each side of each mechanism that vouches for messages.
//!
//! A [`Transaction`] is one request and its retransmission schedule, with an RTO from the [`RtoCache`]; a
//! [`Pipeline`] holds the requests of one TCP connection. [`BindingClient`] is the smallest whole machine: it asks a
//! server for our address. [`Budget`] knows what fits a packet. A [`resolve::Resolution`] leads from a [`Uri`] to
//! servers, and [`Redirects`] guards the way from one to the next. A [`stream::Cutter`] makes frames of a byte stream,
//! and [`Protocol`] tells what a packet is. A [`dissect::Dissection`] shows people what no reader accepts.
//!
//! The crate also holds the words that every machine above it shares: [`Instant`], [`SocketId`], [`Input`],
//! [`Received`], [`Output`], [`Need`], [`SendPlan`] and the trait [`Machine`]. They are the two doors; see
//! [`door`] for the loop that drives any of them.
//!
//! # Reading and writing
//!
//! ```
//! use floe_stun::{Builder, Class, Key, Message, Method, TransactionId, attribute::{Priority, Username}};
//!
//! let key = Key::short_term("VOkJxbRl1RmTxUk/WvJxBt");
//! let mut buf = [0; 128];
//! let bytes = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([7; 12]))
//!     .attribute(&Username("evtj:h6vY"))
//!     .attribute(&Priority(1_845_494_271))
//!     .integrity(&key)
//!     .fingerprint()
//!     .finish()
//!     .unwrap();
//!
//! let message = Message::decode(bytes).unwrap();
//! let message = message.verify(&key).unwrap();
//! assert_eq!(message.get::<Username<'_>>(), Some(Ok(Username("evtj:h6vY"))));
//! ```
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Bytes of strangers come in here: nothing may panic, and what adds up says what becomes of too much.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unwrap_used,
    )
)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod attribute;
pub mod behaviour;
mod binding;
mod budget;
mod builder;
mod chance;
mod channel_data;
pub mod credentials;
mod demux;
pub mod dissect;
pub mod door;
mod error;
mod fields;
mod fingerprint;
mod header;
mod instant;
mod integrity;
mod mac;
mod message;
mod method;
mod pipeline;
mod redirect;
pub mod resolve;
mod rto;
mod send_plan;
pub mod stream;
mod template;
mod transaction;
mod uri;
mod walk;
mod writer;

pub use binding::{BindingClient, BindingConfig, BindingEvent};
pub use budget::Budget;
pub use builder::{Builder, Finished, Sealed, Signed};
pub use chance::Chance;
pub use channel_data::{ChannelData, ChannelNumber};
pub use demux::{Protocol, Source};
pub use door::{
    Dropped, Drops, Failure, Icmp, Input, Interface, MAX_TRANSMIT, Machine, Need, Output, Received,
    RequestId, SocketId, Transmit, Transport, Why,
};
pub use error::{DecodeError, EncodeError, IntegrityError, UriError};
pub use fields::{Field, Fields};
pub use header::{HEADER_LEN, MAGIC_COOKIE, MAX_MESSAGE, TransactionId};
pub use instant::Instant;
pub use integrity::{Authenticated, Integrity, Key, Password, userhash};
pub use message::Message;
pub use method::{Class, Method};
pub use pipeline::Pipeline;
pub use redirect::{RedirectRefused, Redirects};
pub use rto::{Rto, RtoBounds, RtoCache};
pub use send_plan::{Forward, SendPlan};
pub use template::Template;
pub use transaction::{Fired, Schedule, Transaction};
pub use uri::{Scheme, Uri};
pub use walk::{Attributes, RawAttribute};

/// The examples of the README run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
