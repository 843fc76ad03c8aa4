//! Misuse of our own calls, and the reasons why data cannot go or a candidate is of no use.

use thiserror::Error;

/// The owner called something in a way that makes no sense. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// No such component in [`crate::Config::streams`].
    #[error("no such component: the configuration has fewer streams or components")]
    NoSuchComponent,
    /// The socket id was given before.
    #[error("the socket id was given before; ids are never reused")]
    SocketKnown,
    /// The address cannot be a candidate: unspecified, multicast, or loopback without [`crate::Config::loopback`].
    #[error("this address cannot be a candidate; bind each socket to one specific address of the host")]
    BadAddress,
    /// There are as many local candidates as [`crate::Limits`] allows.
    #[error("there are as many local candidates as the limits allow")]
    TooMany,
    /// The credentials are not what RFC 8839 §5.4 allows.
    #[error("ufrag needs 4 to 256 and pwd 22 to 256 letters, digits, + or /")]
    BadCredentials,
    /// The peer's credentials changed without a restart (RFC 8839 §4.4.1.1.1).
    #[error("the peer's credentials changed; restart first")]
    CredentialsChanged,
    /// The agent is closed.
    #[error("the agent is closed")]
    Closed,
}

/// Why application data cannot be sent at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// No pair works yet, or none any more.
    #[error("no working pair; wait for the state connected")]
    NotConnected,
    /// The peer has not renewed its consent for 30 seconds (RFC 7675 §5.1).
    #[error("the peer's consent has expired; a restart may help")]
    NoConsent,
    /// More than a datagram takes.
    #[error("the data is larger than a datagram takes")]
    TooLong,
    /// The agent is closed.
    #[error("the agent is closed")]
    Closed,
}

/// What became of a remote candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Taken {
    /// It was new.
    New(crate::CandidateId),
    /// It was known, perhaps as a peer-reflexive one that is now signalled.
    Known(crate::CandidateId),
    /// It is of no use, for this reason.
    Ignored(IgnoredReason),
}

/// Why a remote candidate is of no use. Never an error of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IgnoredReason {
    /// A host name (RFC 8839 §5.1 allows none) or an mDNS name, which is not resolved yet.
    #[error("its address is a name")]
    Name,
    /// Not UDP.
    #[error("its transport is not UDP")]
    Transport,
    /// Unspecified, multicast, broadcast, loopback where that is not allowed, or port 0.
    #[error("nothing can be sent to its address")]
    Address,
    /// Its component or stream is not ours.
    #[error("it is for a component that is not here")]
    Component,
    /// It belongs to another generation (extension `ufrag`, RFC 8838 §9).
    #[error("it belongs to another generation")]
    Generation,
    /// The peer said that it has no more candidates (RFC 8838 §14).
    #[error("it came after end-of-candidates")]
    AfterEnd,
    /// There are too many already.
    #[error("there are too many candidates already")]
    Limit,
    /// The agent is closed.
    #[error("the agent is closed")]
    Closed,
}
