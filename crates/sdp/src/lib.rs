//! The text in which two peers tell each other where and how they can be reached.
//!
//! # The model
//!
//! A session description is a list of lines, and so is what is trickled after it. This crate owns the *grammar* of
//! those lines and the *rules* by which one description answers another: text goes in, a value comes out, and the value
//! prints as text again. It knows nothing of the network. Whether a candidate is worth a check, whether a name is to be
//! resolved, whether a certificate is the right one, is for those who use the values.
//!
//! | what | type | where it comes from |
//! |---|---|---|
//! | a whole description | [`SessionDescription`], its [`Section`]s | RFC 8866, 5888, 9143 |
//! | all it takes to connect a data channel | [`DataSession`] | RFC 8839, 8841, 8842, 8122 |
//! | candidates that come later | [`Fragment`], [`LocalFragment`] | RFC 8840 |
//! | our own offer and answer | [`LocalSession`] | RFC 9429 sections 5.2 and 5.3 |
//! | what may be offered, and what may answer it | [`check_offer`], [`check_answer`], [`Answerable`] | RFC 3264 |
//! | what may follow, and what it does to the transports | [`check_next_offer`], [`check_exchange`], [`Renewal`] | RFC 8839 section 4.4, RFC 8842 |
//! | another's text with a few lines changed | [`Edit`] | |
//! | one line | [`CandidateLine`], [`IceAttribute`], [`Attribute`] | RFC 8839 section 5, RFC 6544 section 4.5 |
//!
//! A description that was read *borrows* from its text, in one pass and with a handful of allocations. What ICE, DTLS
//! and data channels look at is typed; all other lines are checked for their shape and left where they are, so that the
//! text comes back byte for byte. Attributes that may stand for the session or for a section are asked of a
//! [`Section`], which knows that the section counts more.
//!
//! Five rules explain the rest:
//!
//! - **No text can panic**, and none takes long: time grows with the text, and a text beyond the [`Limits`] is not
//!   read. What a reader does not like is a [`ParseError`] with the line, the column, what was expected there and what
//!   stood there.
//! - **Unknown is not broken.** Attributes without a type are kept, and so are extensions of a candidate. A candidate
//!   or a fingerprint that is well formed but of a sort unknown here is passed over; alone it gives an error that
//!   [`ParseError::is_ignorable`]. A line with an unknown *letter* is refused, as RFC 8866 section 5 has it.
//! - **Reading is not judging.** A description without a password is one; that nobody can connect with it is said by
//!   [`SessionDescription::data_session`], and that it does not answer an offer by [`check_answer`].
//! - **Generous where the grammar is, strict where it is.** Keywords match in any case, as all literals of ABNF do,
//!   and lines may end with LF alone. Lines keep their order, numbers are ASCII digits in their range, fields are parted
//!   by exactly one space.
//! - **A password shows nowhere**, neither in `Debug` nor in an error.
//!
//! # An offer, and the answer to it
//!
//! ```
//! use floe_sdp::{Fingerprint, HashFunction, IcePwd, IceUfrag, LocalSession, SessionDescription, Setup, check_answer};
//!
//! // Chance, and the hash of the certificate, come from the host.
//! let (ufrag, pwd) = (IceUfrag::from_random([1; 6]), IcePwd::from_random([2; 18]));
//! let fingerprints = [Fingerprint::new(HashFunction::Sha256, &[3; 32]).unwrap()];
//! let alice = LocalSession::new(0x1234_5678, &ufrag, &pwd, &fingerprints);
//! let offer = alice.offer("0")?;
//!
//! let (ufrag, pwd) = (IceUfrag::from_random([4; 6]), IcePwd::from_random([5; 18]));
//! let fingerprints = [Fingerprint::new(HashFunction::Sha256, &[6; 32]).unwrap()];
//! let bob = LocalSession::new(0x8765_4321, &ufrag, &pwd, &fingerprints);
//! let answer = bob.answer(&SessionDescription::parse(&offer)?)?;
//!
//! let (offer, answer) = (SessionDescription::parse(&offer)?, SessionDescription::parse(&answer)?);
//! check_answer(&offer, &answer)?;
//! let session = answer.data_session()?;
//! assert_eq!(session.ufrag, &ufrag);
//! assert_eq!(session.setup, Setup::Active);
//! assert_eq!(session.sctp_port, 5000);
//! assert!(session.can_trickle());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Candidates that come later
//!
//! ```
//! use floe_sdp::{Fragment, IcePwd, IceUfrag};
//!
//! let text = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
//!             a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host\r\na=end-of-candidates\r\n";
//! let fragment = Fragment::parse(text)?;
//! let (ufrag, pwd): (IceUfrag, IcePwd) = ("8hhY".parse()?, "asd88fgpdd777uzjYhagZg".parse()?);
//! for (mid, candidate) in fragment.candidates_of(&ufrag, &pwd) {
//!     assert_eq!((mid, candidate.port), ("0", 8998));
//! }
//! # Ok::<(), floe_sdp::ParseError>(())
//! ```
//!
//! # One candidate, there and back
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
//! # What is wrong, and where
//!
//! ```
//! use floe_sdp::SessionDescription;
//!
//! let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 65536 UDP/DTLS/SCTP webrtc-datachannel\r\n";
//! let error = SessionDescription::parse(text).unwrap_err();
//! assert_eq!((error.line(), error.column()), (Some(5), 15));
//! assert_eq!(error.to_string(), "line 5, column 15: expected a port from 0 to 65535, found \"65536\"");
//! ```

#![no_std]
// No text may panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod attribute;
mod candidate;
mod class;
mod credentials;
mod data_channel;
mod dtls;
mod edit;
mod error;
mod fragment;
mod ice;
mod ip;
mod line;
mod media;
mod offer_answer;
mod print;
mod reader;
mod renewal;
mod scan;
mod session;
mod write;

pub use attribute::{Attribute, Direction, Group, RawAttribute};
pub use candidate::{Address, CandidateLine, CandidateRef, CandidateType, Extensions, TcpType, Transport};
pub use credentials::{IcePwd, IceUfrag};
pub use data_channel::{DataSession, Unfit};
pub use dtls::{Fingerprint, HashFunction, Setup, TlsId};
pub use edit::Edit;
pub use error::{ParseError, ParseErrorKind};
pub use fragment::{Fragment, LocalFragment};
pub use ice::{IceAttribute, IceOptions, RemoteCandidate};
pub use media::{Connection, Level, Media};
pub use offer_answer::{
    Answerable, Change, Rule, Violation, agreed_pacing, check_answer, check_next_offer, check_offer,
    directions, ice_sections, setups,
};
pub use renewal::{Fate, Renewal, Step, check_exchange};
pub use scan::MAX_ICE_LINE;
pub use session::{Limits, Line, Lines, Origin, Section, SessionDescription};
pub use write::{BuildError, LocalSession, Selected};

/// The examples of the README run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
