//! Attributes that carry text, and USERHASH (RFC 8489 §14.3, §14.4, §14.9, §14.10, §14.14, §14.16).

use core::str;

use super::Attribute;
use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

macro_rules! text_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $limit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
        pub struct $name<'a>(
            /// The text.
            pub &'a str,
        );

        impl<'a> Attribute<'a> for $name<'a> {
            const TYPE: u16 = $kind;

            fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, DecodeError> {
                if value.len() > MAX_DECODED {
                    return Err(Self::wrong_length(value, "at most 763"));
                }
                str::from_utf8(value).map(Self).map_err(|_| Self::bad_value("not UTF-8"))
            }

            fn encoded_len(&self) -> usize {
                self.0.len()
            }

            fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
                if self.0.len() > $limit {
                    let reason = concat!("the text has more than ", $limit, " bytes");
                    return Err(EncodeError::BadValue { attribute: Self::TYPE, reason });
                }
                out.copy_from_slice(self.0.as_bytes());
                Ok(())
            }
        }
    };
}

pub(super) use text_attribute;

text_attribute! {
    /// USERNAME (RFC 8489 §14.3): at most 508 bytes sent, 763 read.
    Username, 0x0006, 508
}
text_attribute! {
    /// REALM (RFC 8489 §14.9), without quotes: at most 763 bytes.
    Realm, 0x0014, 763
}
text_attribute! {
    /// NONCE (RFC 8489 §14.10): at most 763 bytes.
    Nonce, 0x0015, 763
}
text_attribute! {
    /// SOFTWARE (RFC 8489 §14.14): at most 509 bytes sent, 763 read.
    Software, 0x8022, 509
}
text_attribute! {
    /// ALTERNATE-DOMAIN (RFC 8489 §14.16): an ASCII domain name of at most 255 bytes.
    AlternateDomain, 0x8003, 255
}

/// What RFC 5389 allowed in every text, so that its peers are understood.
pub(super) const MAX_DECODED: usize = 763;

/// USERHASH (RFC 8489 §14.4): hides the user name. Made by [`crate::userhash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
pub struct UserHash(
    /// SHA-256 of user name, colon, realm.
    pub [u8; 32],
);

impl Attribute<'_> for UserHash {
    const TYPE: u16 = 0x001E;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        value.try_into().map(Self).map_err(|_| Self::wrong_length(value, "32"))
    }

    fn encoded_len(&self) -> usize {
        32
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}
