//! What an error response says (RFC 8489 §14.8, §14.13; RFC 8656 §18.12).

use super::text::is_phrase;
use super::{Attribute, Family};
use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

/// ERROR-CODE (RFC 8489 §14.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "number and reason are all there is")]
pub struct ErrorCode<'a> {
    /// 300 to 699.
    pub code: u16,
    /// For people; at most 127 characters sent, 763 bytes read.
    pub reason: &'a str,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $reason:literal;)*) => {
        impl ErrorCode<'static> {
            $($(#[$doc])* pub const $name: Self = Self { code: $code, reason: $reason };)*
        }
    };
}

error_codes! {
    /// RFC 8489 §14.8.
    TRY_ALTERNATE = 300 "Try Alternate";
    /// RFC 8489 §14.8.
    BAD_REQUEST = 400 "Bad Request";
    /// RFC 8489 §14.8.
    UNAUTHENTICATED = 401 "Unauthenticated";
    /// RFC 8656 §19.
    FORBIDDEN = 403 "Forbidden";
    /// RFC 8016 §3.4.
    MOBILITY_FORBIDDEN = 405 "Mobility Forbidden";
    /// RFC 8489 §14.8.
    UNKNOWN_ATTRIBUTE = 420 "Unknown Attribute";
    /// RFC 8656 §19.
    ALLOCATION_MISMATCH = 437 "Allocation Mismatch";
    /// RFC 8489 §14.8.
    STALE_NONCE = 438 "Stale Nonce";
    /// RFC 8656 §19.
    ADDRESS_FAMILY_NOT_SUPPORTED = 440 "Address Family not Supported";
    /// RFC 8656 §19.
    WRONG_CREDENTIALS = 441 "Wrong Credentials";
    /// RFC 8656 §19.
    UNSUPPORTED_TRANSPORT = 442 "Unsupported Transport Protocol";
    /// RFC 8656 §19.
    PEER_ADDRESS_FAMILY_MISMATCH = 443 "Peer Address Family Mismatch";
    /// RFC 6062 §6.3.
    CONNECTION_ALREADY_EXISTS = 446 "Connection Already Exists";
    /// RFC 6062 §6.3.
    CONNECTION_TIMEOUT_OR_FAILURE = 447 "Connection Timeout or Failure";
    /// RFC 8656 §19.
    ALLOCATION_QUOTA_REACHED = 486 "Allocation Quota Reached";
    /// RFC 8445 §16.2.
    ROLE_CONFLICT = 487 "Role Conflict";
    /// RFC 8489 §14.8.
    SERVER_ERROR = 500 "Server Error";
    /// RFC 8656 §19.
    INSUFFICIENT_CAPACITY = 508 "Insufficient Capacity";
}

impl<'a> Attribute<'a> for ErrorCode<'a> {
    const TYPE: u16 = 0x0009;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, DecodeError> {
        let (&[_, _, class, number], reason) =
            value.split_first_chunk::<4>().ok_or_else(|| Self::wrong_length(value, "at least 4"))?;
        let code = code(class, number).ok_or_else(|| Self::bad_value("the code is not 300 to 699"))?;
        if reason.len() > 763 {
            return Err(Self::wrong_length(value, "at most 767"));
        }
        Ok(Self { code, reason: readable(reason) })
    }

    fn encoded_len(&self) -> usize {
        self.reason.len().saturating_add(4)
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        let bad = |reason| EncodeError::BadValue { attribute: Self::TYPE, reason };
        let (class, number) = split(self.code).ok_or_else(|| bad("the code is not 300 to 699"))?;
        is_phrase(self.reason).map_err(bad)?;
        let (head, reason) = out.split_first_chunk_mut::<4>().ok_or_else(|| bad("no room"))?;
        *head = [0, 0, class, number];
        reason.copy_from_slice(self.reason.as_bytes());
        Ok(())
    }
}

/// ADDRESS-ERROR-CODE (RFC 8656 §18.12): why one family of a dual allocation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the definition has these fields")]
pub struct AddressErrorCode<'a> {
    /// The family that was refused.
    pub family: Family,
    /// 440 or 508.
    pub code: u16,
    /// For people; at most 127 characters sent.
    pub reason: &'a str,
}

impl<'a> Attribute<'a> for AddressErrorCode<'a> {
    const TYPE: u16 = 0x8001;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, DecodeError> {
        let (&[family, _, class, number], reason) =
            value.split_first_chunk::<4>().ok_or_else(|| Self::wrong_length(value, "at least 4"))?;
        let family = Family::from_byte(family).ok_or_else(|| Self::bad_value("unknown address family"))?;
        let code = code(class, number).ok_or_else(|| Self::bad_value("the code is not 300 to 699"))?;
        Ok(Self { family, code, reason: readable(reason) })
    }

    fn encoded_len(&self) -> usize {
        self.reason.len().saturating_add(4)
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        let bad = |reason| EncodeError::BadValue { attribute: Self::TYPE, reason };
        let (class, number) = split(self.code).ok_or_else(|| bad("the code is not 300 to 699"))?;
        is_phrase(self.reason).map_err(bad)?;
        let (head, reason) = out.split_first_chunk_mut::<4>().ok_or_else(|| bad("no room"))?;
        *head = [self.family.byte(), 0, class, number];
        reason.copy_from_slice(self.reason.as_bytes());
        Ok(())
    }
}

/// Hundreds in the low three bits of one byte, the rest in the next; other bits are reserved and ignored.
fn code(class: u8, number: u8) -> Option<u16> {
    let class = class & 0x07;
    let hundreds = u16::from(class).saturating_mul(100);
    ((3..=6).contains(&class) && number < 100).then(|| hundreds.saturating_add(number.into()))
}

/// The reason as far as it is UTF-8: the code is to be obeyed though its words be garbled.
fn readable(reason: &[u8]) -> &str {
    reason.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

fn split(code: u16) -> Option<(u8, u8)> {
    let (class, number) = (u8::try_from(code / 100).ok()?, u8::try_from(code % 100).ok()?);
    (3..=6).contains(&class).then_some((class, number))
}

/// UNKNOWN-ATTRIBUTES (RFC 8489 §14.13): the types that a 420 complains of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownAttributes<'a>(Types<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Types<'a> {
    Wire(&'a [u8]),
    Listed(&'a [u16]),
}

impl<'a> UnknownAttributes<'a> {
    /// Complains of these.
    #[must_use]
    pub const fn new(types: &'a [u16]) -> Self {
        Self(Types::Listed(types))
    }

    /// The types.
    pub fn iter(&self) -> impl Iterator<Item = u16> + 'a {
        let (wire, listed) = match self.0 {
            Types::Wire(bytes) => (bytes, &[][..]),
            Types::Listed(types) => (&[][..], types),
        };
        let wire = wire.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_be_bytes);
        wire.chain(listed.iter().copied())
    }
}

impl<'a> Attribute<'a> for UnknownAttributes<'a> {
    const TYPE: u16 = 0x000A;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, DecodeError> {
        if value.len().is_multiple_of(2) {
            Ok(Self(Types::Wire(value)))
        } else {
            Err(Self::wrong_length(value, "a multiple of 2"))
        }
    }

    fn encoded_len(&self) -> usize {
        self.iter().count().saturating_mul(2)
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        for (place, kind) in out.chunks_exact_mut(2).zip(self.iter()) {
            place.copy_from_slice(&kind.to_be_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers and words from the registry, not from the constants.
    #[test]
    fn codes_and_words_are_those_of_the_registry() {
        for (known, code, reason) in [
            (ErrorCode::TRY_ALTERNATE, 300, "Try Alternate"),
            (ErrorCode::BAD_REQUEST, 400, "Bad Request"),
            (ErrorCode::UNAUTHENTICATED, 401, "Unauthenticated"),
            (ErrorCode::FORBIDDEN, 403, "Forbidden"),
            (ErrorCode::MOBILITY_FORBIDDEN, 405, "Mobility Forbidden"),
            (ErrorCode::UNKNOWN_ATTRIBUTE, 420, "Unknown Attribute"),
            (ErrorCode::ALLOCATION_MISMATCH, 437, "Allocation Mismatch"),
            (ErrorCode::STALE_NONCE, 438, "Stale Nonce"),
            (ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED, 440, "Address Family not Supported"),
            (ErrorCode::WRONG_CREDENTIALS, 441, "Wrong Credentials"),
            (ErrorCode::UNSUPPORTED_TRANSPORT, 442, "Unsupported Transport Protocol"),
            (ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH, 443, "Peer Address Family Mismatch"),
            (ErrorCode::CONNECTION_ALREADY_EXISTS, 446, "Connection Already Exists"),
            (ErrorCode::CONNECTION_TIMEOUT_OR_FAILURE, 447, "Connection Timeout or Failure"),
            (ErrorCode::ALLOCATION_QUOTA_REACHED, 486, "Allocation Quota Reached"),
            (ErrorCode::ROLE_CONFLICT, 487, "Role Conflict"),
            (ErrorCode::SERVER_ERROR, 500, "Server Error"),
            (ErrorCode::INSUFFICIENT_CAPACITY, 508, "Insufficient Capacity"),
        ] {
            assert_eq!(known, ErrorCode { code, reason });
        }
    }

    #[test]
    fn a_code_has_a_class_of_3_to_6_and_127_characters_of_reason() {
        let id = TransactionId::from([0; 12]);
        let read =
            |class, number| ErrorCode::decode(&[0xFF, 0xFF, class, number], id).map(|error| error.code);
        assert_eq!((read(3, 0), read(6, 99), read(0xF8 | 4, 1)), (Ok(300), Ok(699), Ok(401)));
        for (class, number) in [(2, 99), (7, 0), (0, 0), (4, 100), (4, 255)] {
            assert!(read(class, number).is_err(), "{class} {number}");
        }
        for (code, characters, good) in
            [(299, 0, false), (700, 0, false), (400, 127, true), (400, 128, false)]
        {
            let reason = "ä".repeat(characters);
            let (plain, family) = (ErrorCode { code, reason: &reason }, Family::Ipv6);
            let dual = AddressErrorCode { family, code, reason: &reason };
            let mut out = alloc::vec![0; plain.encoded_len()];
            assert_eq!(plain.encode(&mut out, id).is_ok(), good, "{code} {characters}");
            assert_eq!(dual.encode(&mut out, id).is_ok(), good, "{code} {characters}");
        }
    }

    #[test]
    fn a_garbled_reason_does_not_hide_the_code() {
        let id = TransactionId::from([0; 12]);
        let read = |value| ErrorCode::decode(value, id).unwrap();
        assert_eq!(read(b"\0\0\x04\x25no\xFFgood"), ErrorCode { code: 437, reason: "no" });
        assert_eq!(read(b"\0\0\x04\x25\xFF"), ErrorCode { code: 437, reason: "" });
    }
}
