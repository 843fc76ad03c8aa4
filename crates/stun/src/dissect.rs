//! What can be read of bytes that may be no message at all: for people who look for a fault, not for machines.
//!
//! A machine asks [`Message::decode`] and drops what it refuses. A [`Dissection`] goes on: it shows as much of the header
//! as is there, every attribute up to the one that breaks, and those behind MESSAGE-INTEGRITY too, each with its place
//! and its [`Standing`]. Nothing here makes an [`Authenticated`](crate::Authenticated) message.
//!
//! ```
//! use floe_stun::DecodeError;
//! use floe_stun::dissect::Dissection;
//!
//! // A Binding request whose second attribute claims more than is there.
//! let bytes = b"\0\x01\0\x0C\x21\x12\xA4\x42abcdefghijkl\x80\x22\0\x04floe\0\x06\0\x09";
//! let dissection = Dissection::of(bytes);
//!
//! let parts: Vec<_> = dissection.parts().map(|part| (part.offset, part.kind, part.value)).collect();
//! assert_eq!(parts, [(20, 0x8022, &b"floe"[..]), (28, 0x0006, &b""[..])]);
//! let fault = dissection.fault().unwrap();
//! assert_eq!(fault.offset, 28);
//! assert!(matches!(fault.error, DecodeError::AttributeOverrun { attribute: 0x0006, length: 9, left: 0 }));
//! ```

use alloc::vec::Vec;

use crate::attribute::{FINGERPRINT, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256};
use crate::header::{HEADER_LEN, TransactionId};
use crate::method::{self, Class, Method};
use crate::{DecodeError, Key, Message, fingerprint};

/// Bytes taken apart as far as it goes.
#[derive(Clone, Copy, Debug)]
pub struct Dissection<'a> {
    bytes: &'a [u8],
}

impl<'a> Dissection<'a> {
    /// Looks at these bytes as at one message.
    #[must_use]
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The message type, if so much is there and the first two bits are zero.
    #[must_use]
    pub fn message_type(&self) -> Option<(Class, Method)> {
        let [t0, t1] = *self.field(0)?;
        (t0 & 0xC0 == 0).then(|| method::split(u16::from_be_bytes([t0, t1])))
    }

    /// The length field, if it is there.
    #[must_use]
    pub fn length(&self) -> Option<u16> {
        self.field(2).copied().map(u16::from_be_bytes)
    }

    /// What stands in the place of the magic cookie, if anything does.
    #[must_use]
    pub fn cookie(&self) -> Option<u32> {
        self.field(4).copied().map(u32::from_be_bytes)
    }

    /// The transaction id, if it is there.
    #[must_use]
    pub fn id(&self) -> Option<TransactionId> {
        self.field(8).copied().map(TransactionId::from)
    }

    /// What is wrong with the framing, and where: why [`Message::decode`] refuses the bytes.
    ///
    /// That it also refuses a seal of the wrong length and attributes behind FINGERPRINT is told by [`Message::decode`]
    /// alone: of those the header and every attribute can be read.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        let error = Message::decode(self.bytes).err()?;
        let offset = match error {
            DecodeError::NotStun { .. } => 0,
            DecodeError::UnalignedLength { .. } => 2,
            DecodeError::NoCookie { .. } => 4,
            DecodeError::Truncated { have, .. } => have,
            DecodeError::TrailingBytes { extra } => self.bytes.len().saturating_sub(extra),
            // Of an attribute; one in front of it, or behind it, may be the one that breaks the framing.
            _ => return self.overrun(),
        };
        Some(Fault { error, offset })
    }

    /// The attributes in their order, up to one that runs past the end and is cut there.
    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let mut parts = Parts { rest: self.body(), offset: HEADER_LEN, seals: Seals::default() };
        core::iter::from_fn(move || parts.next())
    }

    /// What MESSAGE-INTEGRITY (20 bytes) or MESSAGE-INTEGRITY-SHA256 (32 bytes) in this place is if `key` signed; `None`
    /// for other attributes.
    #[must_use]
    pub fn signature(&self, part: &Part<'_>, key: &Key) -> Option<Vec<u8>> {
        let coverage = part.coverage()?;
        let covered = self.bytes.get(..coverage.end)?;
        match part.kind {
            MESSAGE_INTEGRITY => Some(key.sign_sha1(covered, coverage.length).to_vec()),
            MESSAGE_INTEGRITY_SHA256 => Some(key.sign_sha256(covered, coverage.length).to_vec()),
            _ => None,
        }
    }

    /// What FINGERPRINT in this place is if it is right; `None` for other attributes.
    #[must_use]
    pub fn checksum(&self, part: &Part<'_>) -> Option<u32> {
        let covered = self.bytes.get(..part.offset)?;
        (part.kind == FINGERPRINT).then(|| fingerprint::of(covered))
    }

    fn field<const N: usize>(&self, at: usize) -> Option<&'a [u8; N]> {
        self.bytes.get(at..)?.first_chunk()
    }

    /// What follows the header, as far as the length field goes.
    fn body(&self) -> &'a [u8] {
        let body = self.bytes.get(HEADER_LEN..).unwrap_or_default();
        let length = usize::from(self.length().unwrap_or_default());
        body.get(..length).unwrap_or(body)
    }

    fn overrun(&self) -> Option<Fault> {
        let part = self.parts().find(|part| !part.is_whole())?;
        let left = part.value.len().saturating_add(part.padding.len());
        let error = DecodeError::AttributeOverrun { attribute: part.kind, length: part.length, left };
        Some(Fault { error, offset: part.offset })
    }
}

/// What is wrong with bytes, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// What is wrong.
    pub error: DecodeError,
    /// The first byte that is to blame, counted from the first of the message; its end, where bytes are missing.
    pub offset: usize,
}

/// One attribute in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part<'a> {
    /// Where its type stands, counted from the first byte of the message.
    pub offset: usize,
    /// Its type.
    pub kind: u16,
    /// Its length field.
    pub length: u16,
    /// Its value, cut where the message ends.
    pub value: &'a [u8],
    /// What fills it up to a multiple of 4.
    pub padding: &'a [u8],
    /// What a reader of the message makes of it.
    pub standing: Standing,
}

impl Part<'_> {
    /// Whether value and padding are all there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.value.len().saturating_add(self.padding.len()) == usize::from(self.length).next_multiple_of(4)
    }

    /// What this attribute vouches for, if it is MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 or FINGERPRINT.
    #[must_use]
    pub fn coverage(&self) -> Option<Coverage> {
        let sealing = matches!(self.kind, MESSAGE_INTEGRITY | MESSAGE_INTEGRITY_SHA256 | FINGERPRINT);
        let end = self.offset.saturating_add(4).saturating_add(self.length.into());
        let length = u16::try_from(end.checked_sub(HEADER_LEN)?).ok()?;
        sealing.then_some(Coverage { end: self.offset, length })
    }
}

/// The bytes that a seal vouches for: all from the first of the message up to [`Self::end`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// The first byte that is not covered: where the seal begins.
    pub end: usize,
    /// What the header's length field is taken to be: as if the message ended with the seal (RFC 8489 §14.5).
    pub length: u16,
}

/// What a reader of the message makes of an attribute (RFC 8489 §14.5 to §14.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it is read, vouches for others, or is ignored")]
pub enum Standing {
    /// It is read.
    Visible,
    /// It vouches for what is in front of it.
    Seal,
    /// It comes behind the seals and is ignored, for nothing vouches for it.
    Hidden,
}

/// The walk over the attributes.
struct Parts<'a> {
    rest: &'a [u8],
    offset: usize,
    seals: Seals,
}

impl<'a> Parts<'a> {
    fn next(&mut self) -> Option<Part<'a>> {
        let (&[k0, k1, l0, l1], after) = self.rest.split_first_chunk::<4>()?;
        let (kind, length) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([l0, l1]));
        let (value, after) = split(after, usize::from(length));
        let (padding, after) = split(after, usize::from(length.wrapping_neg() % 4));
        let part =
            Part { offset: self.offset, kind, length, value, padding, standing: self.seals.place(kind) };
        self.offset = self.offset.saturating_add(self.rest.len().saturating_sub(after.len()));
        self.rest = after;
        Some(part)
    }
}

/// So many bytes from the front, or what there is of them.
fn split(bytes: &[u8], len: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(len).unwrap_or((bytes, &[]))
}

/// Which seals have passed.
#[derive(Debug, Default)]
struct Seals {
    integrity: bool,
    integrity_sha256: bool,
    fingerprint: bool,
}

impl Seals {
    fn place(&mut self, kind: u16) -> Standing {
        let (signed, ended) = (self.integrity || self.integrity_sha256, self.fingerprint);
        let seal = match kind {
            MESSAGE_INTEGRITY if !signed && !ended => &mut self.integrity,
            MESSAGE_INTEGRITY_SHA256 if !self.integrity_sha256 && !ended => &mut self.integrity_sha256,
            FINGERPRINT if !ended => &mut self.fingerprint,
            _ if signed || ended => return Standing::Hidden,
            _ => return Standing::Visible,
        };
        *seal = true;
        Standing::Seal
    }
}
