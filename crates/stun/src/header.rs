//! The header of a message: what stands in its 20 bytes (RFC 8489 §5).
//!
//! ```text
//!  0                   1                   2                   3
//!  |0 0|     STUN Message Type     |         Message Length        |
//!  |                         Magic Cookie                          |
//!  |                     Transaction ID (96 bits)                  |
//! ```

use core::fmt;

/// Bytes of the header (RFC 8489 §5).
pub const HEADER_LEN: usize = 20;

/// The fixed value at bytes 4 to 7 of the header (RFC 8489 §5).
pub const MAGIC_COOKIE: u32 = 0x2112_A442;

/// Bytes of the largest message there can be: the header, and the largest length that is a multiple of 4.
pub const MAX_MESSAGE: usize = HEADER_LEN + 0xFFFC;

/// The first two bytes of a header: method and class.
pub(crate) const fn message_type(&[t0, t1, ..]: &[u8; HEADER_LEN]) -> u16 {
    u16::from_be_bytes([t0, t1])
}

/// What the length field says of a message that ends here.
pub(crate) fn length(end: usize) -> u16 {
    u16::try_from(end.saturating_sub(HEADER_LEN)).unwrap_or(u16::MAX)
}

/// The 96 bits that tie a response to its request (RFC 8489 §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId([u8; 12]);

impl TransactionId {
    pub(crate) const fn of(header: &[u8; HEADER_LEN]) -> Self {
        let [_, _, _, _, _, _, _, _, id @ ..] = *header;
        Self(id)
    }

    /// The bytes as they stand in the header.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

impl From<[u8; 12]> for TransactionId {
    fn from(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
