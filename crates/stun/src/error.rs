//! What can be wrong with bytes, with a buffer, with a signature, with a URI.

use alloc::string::String;

use thiserror::Error;

/// Why bytes are not a STUN message, or a value is not that attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Shorter than its header, or than its header says.
    #[error("truncated: {need} bytes are needed, {have} are there")]
    Truncated {
        /// Bytes that are needed.
        need: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// The first two bits are not zero: some other protocol (RFC 8489 §5).
    #[error("not STUN: the first byte is {first:#04x}, STUN begins with 0x00 to 0x03")]
    NotStun {
        /// The first byte.
        first: u8,
    },
    /// The magic cookie is missing (RFC 8489 §5).
    #[error("no magic cookie: {found:#010x} stands in its place")]
    NoCookie {
        /// What stands in its place.
        found: u32,
    },
    /// The length field is not a multiple of four (RFC 8489 §5).
    #[error("the length field says {length}, which is not a multiple of 4")]
    UnalignedLength {
        /// The length field.
        length: u16,
    },
    /// More bytes than the length field says: not one message.
    #[error("{extra} bytes follow the end of the message")]
    TrailingBytes {
        /// How many.
        extra: usize,
    },
    /// An attribute runs past the end of the message (RFC 8489 §14).
    #[error("attribute {attribute:#06x} says {length} bytes, {left} are left")]
    AttributeOverrun {
        /// Its type.
        attribute: u16,
        /// Its length field.
        length: u16,
        /// Bytes left for its value.
        left: usize,
    },
    /// FINGERPRINT is not the last attribute (RFC 8489 §14.7).
    #[error("attributes follow FINGERPRINT")]
    FingerprintNotLast,
    /// A value of the wrong length for its attribute.
    #[error("attribute {attribute:#06x} has {have} bytes, expected {expected}")]
    WrongLength {
        /// Its type.
        attribute: u16,
        /// What its definition says, such as `4` or `at most 763`.
        expected: &'static str,
        /// What it has.
        have: usize,
    },
    /// A value that the attribute's definition does not allow.
    #[error("attribute {attribute:#06x}: {reason}")]
    BadValue {
        /// Its type.
        attribute: u16,
        /// What is wrong.
        reason: &'static str,
    },
}

/// Why a message could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The caller's buffer is too small.
    #[error("the buffer has {have} bytes, {need} are needed")]
    BufferTooSmall {
        /// Bytes needed so far.
        need: usize,
        /// Bytes there.
        have: usize,
    },
    /// A value that its attribute cannot carry.
    #[error("attribute {attribute:#06x}: {reason}")]
    BadValue {
        /// Its type.
        attribute: u16,
        /// What is wrong, with the limit.
        reason: &'static str,
    },
}

/// Why a message cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IntegrityError {
    /// It carries no MESSAGE-INTEGRITY of the kind that the key can check.
    #[error("the message carries no MESSAGE-INTEGRITY that this key can check")]
    Missing,
    /// The HMAC is not the one of this key over these bytes.
    #[error("MESSAGE-INTEGRITY does not verify")]
    Mismatch,
}

/// Why a text is not a STUN or TURN URI.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{text:?} is not a STUN or TURN URI: {reason}; expected for example stun:example.org or turn:192.0.2.1:3478?transport=udp"
)]
#[non_exhaustive]
pub struct UriError {
    /// The text, cut to 200 characters.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}
