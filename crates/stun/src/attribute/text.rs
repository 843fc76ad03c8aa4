//! Attributes that carry text, and USERHASH (RFC 8489 §14.3, §14.4, §14.9, §14.10, §14.14, §14.16).

use core::str;

use super::Attribute;
use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

/// Defines an attribute of text. What is sent must pass `$check`; what is read is read as RFC 5389 allowed it.
macro_rules! text_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
        pub struct $name<'a>(
            /// The text.
            pub &'a str,
        );

        impl<'a> Attribute<'a> for $name<'a> {
            const TYPE: u16 = $kind;

            #[inline]
            fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, DecodeError> {
                if value.len() > MAX_DECODED {
                    return Err(Self::wrong_length(value, "at most 763"));
                }
                str::from_utf8(value).map(Self).map_err(|_| Self::bad_value("not UTF-8"))
            }

            #[inline]
            fn encoded_len(&self) -> usize {
                self.0.len()
            }

            #[inline]
            fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
                $check(self.0).map_err(|reason| EncodeError::BadValue { attribute: Self::TYPE, reason })?;
                out.copy_from_slice(self.0.as_bytes());
                Ok(())
            }
        }
    };
}

pub(super) use text_attribute;

text_attribute! {
    /// USERNAME (RFC 8489 §14.3): at most 508 bytes sent, 763 read.
    Username, 0x0006, is_user_name
}
text_attribute! {
    /// REALM (RFC 8489 §14.9), without quotes: at most 763 bytes, for a client sends back what it was sent. A server
    /// has a shorter one: see [`crate::credentials::Gate::new`].
    Realm, 0x0014, is_sent_back
}
text_attribute! {
    /// NONCE (RFC 8489 §14.10): at most 763 bytes, for a client sends back what it was sent.
    Nonce, 0x0015, is_sent_back
}
text_attribute! {
    /// SOFTWARE (RFC 8489 §14.14): at most 127 characters sent, 763 bytes read.
    Software, 0x8022, is_phrase
}

/// What RFC 5389 allowed in every text, so that its peers are understood.
pub(super) const MAX_DECODED: usize = 763;

const fn is_user_name(text: &str) -> Result<(), &'static str> {
    if text.len() < 509 { Ok(()) } else { Err("the text has more than 508 bytes") }
}

pub(super) const fn is_sent_back(text: &str) -> Result<(), &'static str> {
    if text.len() <= MAX_DECODED { Ok(()) } else { Err("the text has more than 763 bytes") }
}

/// "fewer than 128 characters", which have at most 508 bytes
pub(super) fn is_phrase(text: &str) -> Result<(), &'static str> {
    if text.chars().nth(127).is_none() { Ok(()) } else { Err("the text has more than 127 characters") }
}

/// ALTERNATE-DOMAIN (RFC 8489 §14.16): a domain name in ASCII, of at most 255 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
pub struct AlternateDomain<'a>(
    /// The name, with A-labels for what is not ASCII.
    pub &'a str,
);

impl<'a> Attribute<'a> for AlternateDomain<'a> {
    const TYPE: u16 = 0x8003;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, DecodeError> {
        if value.len() > MAX_DOMAIN {
            return Err(Self::wrong_length(value, "at most 255"));
        }
        let name = str::from_utf8(value).ok().filter(|name| is_domain_name(name));
        name.map(Self).ok_or_else(|| Self::bad_value("not a domain name in ASCII"))
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        if !is_domain_name(self.0) {
            let reason = "not a domain name in ASCII of at most 255 bytes";
            return Err(EncodeError::BadValue { attribute: Self::TYPE, reason });
        }
        out.copy_from_slice(self.0.as_bytes());
        Ok(())
    }
}

const MAX_DOMAIN: usize = 255;

/// RFC 1123 §2.1: labels of letters, digits and hyphens, these not at the ends.
fn is_domain_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= MAX_DOMAIN && name.strip_suffix('.').unwrap_or(name).split('.').all(is_label)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 12] = [0; 12];

    fn sent<'v>(value: &impl Attribute<'v>) -> bool {
        let mut out = alloc::vec![0; value.encoded_len()];
        value.encode(&mut out, ID.into()).is_ok()
    }

    #[test]
    fn texts_that_are_sent_have_their_limits_in_bytes_or_characters() {
        let (long, longer) = ("ä".repeat(127), "ä".repeat(128));
        assert!(sent(&Software(&long)) && !sent(&Software(&longer)));
        assert!(sent(&Software(&"\u{10FFFF}".repeat(127))) && !sent(&Software(&"a".repeat(128))));
        assert!(sent(&Username(&"a".repeat(508))) && !sent(&Username(&"a".repeat(509))));
        for len in [763, 764] {
            let text = "a".repeat(len);
            assert_eq!([sent(&Realm(&text)), sent(&Nonce(&text))], [len == 763; 2]);
        }
    }

    #[test]
    fn texts_that_are_read_may_be_those_of_rfc_5389() {
        for len in [763, 764] {
            let text = "a".repeat(len);
            let value = text.as_bytes();
            assert_eq!(Username::decode(value, ID.into()).is_ok(), len == 763);
            assert_eq!(Realm::decode(value, ID.into()).is_ok(), len == 763);
            assert_eq!(Nonce::decode(value, ID.into()).is_ok(), len == 763);
            assert_eq!(Software::decode(value, ID.into()).is_ok(), len == 763);
        }
        assert!(Software::decode(b"\xFF", ID.into()).is_err());
    }

    #[test]
    fn an_alternate_domain_is_a_name_in_ascii() {
        let label = "a".repeat(63);
        let longest = [&label[..], &label, &label, &label[..61], "b"].join(".");
        assert_eq!(longest.len(), 255);
        for good in ["a", "xn--caf-dma.example", "turn-1.example.org.", "1.example", &longest] {
            assert_eq!(AlternateDomain::decode(good.as_bytes(), ID.into()), Ok(AlternateDomain(good)));
            assert!(sent(&AlternateDomain(good)), "{good}");
        }
        let (label, long) = ("a".repeat(64), [&longest[..], "b"].join("."));
        for bad in
            ["", ".", "a..b", "-a.example", "a-.example", "café.example", "a b", "a\0", "a_b", &label, &long]
        {
            assert!(AlternateDomain::decode(bad.as_bytes(), ID.into()).is_err(), "{bad}");
            assert!(!sent(&AlternateDomain(bad)), "{bad}");
        }
    }
}
