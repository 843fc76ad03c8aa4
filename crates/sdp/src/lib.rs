//! The text in which two peers tell each other where and how they can be reached.
//!
//! # The model
//!
//! A session description is a list of lines, and so is what is trickled after it. This crate owns the *grammar* of
//! those lines: text goes in, a value comes out, and the value prints as text again. It knows nothing of the network.
//! Whether a candidate is worth a check, whether a name is to be resolved, whether a peer speaks ICE at all, is for
//! those who use the values.
//!
//! What is here today is what ICE itself says: [`CandidateLine`], [`IceUfrag`], [`IcePwd`], [`IceOptions`] and the
//! flags, gathered in [`IceAttribute`] (RFC 8839 section 5, RFC 8840 section 8, RFC 6544 section 4.5).
//!
//! Four rules explain the rest:
//!
//! - **No text can panic.** Every reader is total; what it does not like is a [`ParseError`] with the column, what was
//!   expected there and what stood there.
//! - **Unknown is not broken.** Extensions of a candidate are kept in their order and byte for byte. A line that is
//!   well formed but of a kind this crate has no value for gives an error that [`ParseError::is_ignorable`]: drop the
//!   line, keep the session.
//! - **Generous where the grammar is, strict where it is.** Keywords match in any case, as all literals of ABNF do.
//!   Numbers are ASCII digits in their range, fields are parted by exactly one space, and a line is one line.
//! - **A password shows nowhere**, neither in `Debug` nor in an error.
//!
//! # A candidate, there and back
//!
//! ```
//! use floe_sdp::{Address, CandidateLine, CandidateType, Transport};
//!
//! let text = "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998 network-cost 10";
//! let candidate = CandidateLine::parse(text)?;
//!
//! assert_eq!(candidate.transport, Transport::Udp);
//! assert_eq!(candidate.kind, CandidateType::ServerReflexive);
//! assert_eq!(candidate.address, Address::Ip([192, 0, 2, 3].into()));
//! assert_eq!(candidate.extension("network-cost"), Some("10"));
//! assert_eq!(candidate.to_string(), text);
//!
//! let wrong = CandidateLine::parse("candidate:2 0 UDP 1694498815 192.0.2.3 45664 typ host").unwrap_err();
//! assert_eq!(wrong.to_string(), "column 13: expected a component from 1 to 256, found \"0\"");
//! # Ok::<(), floe_sdp::ParseError>(())
//! ```
//!
//! # The lines of a description
//!
//! ```
//! use floe_sdp::IceAttribute;
//!
//! let offer = "a=mid:0\r\na=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-options:ice2 trickle\r\n";
//! for line in offer.lines() {
//!     match IceAttribute::parse(line)? {
//!         Some(IceAttribute::Ufrag(ufrag)) => assert_eq!(ufrag.as_str(), "8hhY"),
//!         Some(IceAttribute::Options(options)) => assert!(options.contains("trickle")),
//!         Some(_) | None => {}
//!     }
//! }
//! # Ok::<(), floe_sdp::ParseError>(())
//! ```

#![no_std]

extern crate alloc;

mod attribute;
mod candidate;
mod credentials;
mod data_channel;
mod dtls;
mod error;
mod fragment;
mod ice;
mod media;
mod offer_answer;
mod scan;
mod session;
mod write;

pub use attribute::{Attribute, Direction, Group, RawAttribute};
pub use candidate::{Address, CandidateLine, CandidateRef, CandidateType, Extensions, TcpType, Transport};
pub use credentials::{IcePwd, IceUfrag};
pub use data_channel::{DataSession, Unfit};
pub use dtls::{Fingerprint, HashFunction, Setup, TlsId};
pub use error::{ParseError, ParseErrorKind};
pub use fragment::{Fragment, LocalFragment};
pub use ice::{IceAttribute, IceOptions, RemoteCandidate};
pub use media::{Connection, Level, Media};
pub use offer_answer::{
    Answerable, Change, Rule, Violation, check_answer, check_next_offer, check_offer, directions, setups,
};
pub use scan::MAX_ICE_LINE;
pub use session::{Limits, Line, Lines, Origin, Section, SessionDescription};
pub use write::{BuildError, Edit, LocalSession};
