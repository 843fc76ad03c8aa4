//! PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS (RFC 8489 §14.11, §14.12, §18.5).

use super::Attribute;
use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

/// How a long-term key is made from a password; an open set (RFC 8489 §18.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct Algorithm(
    /// The number in the registry.
    pub u16,
);

impl Algorithm {
    /// For servers and clients of RFC 5389 (RFC 8489 §18.5.1.1).
    pub const MD5: Self = Self(0x0001);
    /// RFC 8489 §18.5.1.2.
    pub const SHA256: Self = Self(0x0002);
}

/// PASSWORD-ALGORITHM: the one a request is signed with. Parameters are empty for all known algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
pub struct PasswordAlgorithm(
    /// The algorithm.
    pub Algorithm,
);

impl Attribute<'_> for PasswordAlgorithm {
    const TYPE: u16 = 0x001D;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let mut entries = Entries(value);
        match (entries.next(), entries.0.is_empty()) {
            (Some(algorithm), true) => Ok(Self(algorithm)),
            _ => Err(Self::bad_value("not one algorithm with its parameters")),
        }
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        write(self.0, out);
        Ok(())
    }
}

/// PASSWORD-ALGORITHMS: what a server accepts, best first. A client sends it back as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordAlgorithms<'a>(&'a [u8]);

impl<'a> PasswordAlgorithms<'a> {
    /// The value of a list of SHA-256 and MD5 without parameters.
    pub const SHA256_AND_MD5: PasswordAlgorithms<'static> = PasswordAlgorithms(&[0, 2, 0, 0, 0, 1, 0, 0]);

    /// A list from its value as it came.
    #[must_use]
    pub const fn from_bytes(value: &'a [u8]) -> Self {
        Self(value)
    }

    /// The value, to be compared or sent back.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The algorithms, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = Algorithm> + 'a {
        Entries(self.0)
    }
}

impl<'a> Attribute<'a> for PasswordAlgorithms<'a> {
    const TYPE: u16 = 0x8002;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, DecodeError> {
        let mut entries = Entries(value);
        entries.by_ref().for_each(drop);
        if entries.0.is_empty() {
            Ok(Self(value))
        } else {
            Err(Self::bad_value("an entry runs past the end"))
        }
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        out.copy_from_slice(self.0);
        Ok(())
    }
}

/// Algorithm, length of its parameters, the parameters padded to a multiple of 4.
struct Entries<'a>(&'a [u8]);

impl Iterator for Entries<'_> {
    type Item = Algorithm;

    fn next(&mut self) -> Option<Algorithm> {
        let (&[a0, a1, l0, l1], rest) = self.0.split_first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        // The padding of the last entry may be left to the attribute's own.
        let (_, rest) =
            rest.split_at_checked(len.next_multiple_of(4)).or_else(|| rest.split_at_checked(len))?;
        self.0 = rest;
        Some(Algorithm(u16::from_be_bytes([a0, a1])))
    }
}

fn write(algorithm: Algorithm, out: &mut [u8]) {
    let [a0, a1] = algorithm.0.to_be_bytes();
    out.copy_from_slice(&[a0, a1, 0, 0]);
}
