//! Keys: small, `Copy`, counted up, never used twice within the life of an agent.

use core::fmt;

/// A data stream (RFC 8445 §4), counted from 0 in the order of [`crate::Config::streams`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u16);

/// A component of a data stream (RFC 8445 §4): one transport address of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ComponentId {
    /// Its stream.
    pub stream: StreamId,
    /// Its number in the stream, 1 to 256.
    pub number: u16,
}

impl ComponentId {
    /// Component 1 of stream 0: the only one there is where everything is bundled.
    pub const FIRST: Self = Self { stream: StreamId(0), number: 1 };

    /// Component `number` of a stream.
    #[must_use]
    pub const fn new(stream: StreamId, number: u16) -> Self {
        Self { stream, number }
    }
}

impl fmt::Debug for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stream.0, self.number)
    }
}

/// A candidate, local or remote. `Display` prints `L3` or `R5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CandidateId(pub(crate) Side, pub(crate) u32);

/// Whose candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    Local,
    Remote,
}

/// A candidate pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairId(pub(crate) u32);

/// A server of [`crate::Config::servers`], by its place in that list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u16);

impl fmt::Display for CandidateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Side::Local => write!(f, "L{}", self.1),
            Side::Remote => write!(f, "R{}", self.1),
        }
    }
}

impl fmt::Display for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", self.0)
    }
}

/// One question to one server from one base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JobId(pub(crate) u32);

/// Hands out numbers.
#[derive(Debug, Default)]
pub(crate) struct Counter(u32);

impl Counter {
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}
