//! A STUN message as a checked, zero-copy view (RFC 8489 §5, §14).

use core::fmt;

use crate::DecodeError;
use crate::attribute::{self, Attribute};
use crate::fingerprint;
use crate::header::{HEADER_LEN, MAGIC_COOKIE, TransactionId};
use crate::method::{self, Class, Method};

/// A decoded message: bytes whose framing has been checked, read in place.
///
/// What its methods show ends where MESSAGE-INTEGRITY begins. Whatever follows there, but for
/// MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, does not exist for the reader (RFC 8489 §9).
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: Method,
    id: TransactionId,
    layout: Layout,
}

/// Where the parts of the message stand, as offsets from its first byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// End of the attributes that a reader may see.
    visible_end: usize,
    /// Start of MESSAGE-INTEGRITY.
    pub(crate) integrity: Option<usize>,
    /// Start of MESSAGE-INTEGRITY-SHA256.
    pub(crate) integrity_sha256: Option<usize>,
    /// Start of FINGERPRINT.
    fingerprint: Option<usize>,
}

impl<'a> Message<'a> {
    /// Checks the framing of a whole datagram, in one pass and without allocating.
    ///
    /// FINGERPRINT and integrity are checked by [`Self::fingerprint`] and [`Self::verify`].
    ///
    /// # Errors
    ///
    /// The first thing that is wrong; see [`DecodeError`]. Such a datagram is to be dropped (RFC 8489 §6.3).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (header, body) =
            bytes.split_first_chunk::<HEADER_LEN>().ok_or_else(|| truncated_or_foreign(bytes))?;
        let [t0, t1, l0, l1, c0, c1, c2, c3, id @ ..] = *header;
        if t0 & 0xC0 != 0 {
            return Err(DecodeError::NotStun { first: t0 });
        }
        let cookie = u32::from_be_bytes([c0, c1, c2, c3]);
        if cookie != MAGIC_COOKIE {
            return Err(DecodeError::NoCookie { found: cookie });
        }
        let length = u16::from_be_bytes([l0, l1]);
        if length % 4 != 0 {
            return Err(DecodeError::UnalignedLength { length });
        }
        let need = usize::from(length);
        if body.len() < need {
            return Err(DecodeError::Truncated { need: HEADER_LEN + need, have: bytes.len() });
        }
        if body.len() > need {
            return Err(DecodeError::TrailingBytes { extra: body.len() - need });
        }
        let (class, method) = method::split(u16::from_be_bytes([t0, t1]));
        Ok(Self { bytes, class, method, id: TransactionId::from(id), layout: Layout::read(bytes, body)? })
    }

    /// Whether a datagram can be a STUN message by its first byte and cookie; costs no more than that.
    #[must_use]
    pub fn is_probably(bytes: &[u8]) -> bool {
        matches!(bytes, [first, _, _, _, 0x21, 0x12, 0xA4, 0x42, ..] if first & 0xC0 == 0)
            && bytes.len() >= HEADER_LEN
    }

    /// The class.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The transaction id.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// The whole message.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The attributes a reader may see, in order.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: self.bytes.get(HEADER_LEN..self.layout.visible_end).unwrap_or_default() }
    }

    /// The first attribute of this type; later ones of the same type are ignored (RFC 8489 §14).
    ///
    /// `None` if there is none, an error if its value is not what its definition says.
    #[must_use]
    pub fn get<A: Attribute<'a>>(&self) -> Option<Result<A, DecodeError>> {
        self.get_as(A::TYPE)
    }

    /// Like [`Self::get`], for an attribute whose number is agreed upon elsewhere.
    #[must_use]
    pub fn get_as<A: Attribute<'a>>(&self, kind: u16) -> Option<Result<A, DecodeError>> {
        self.attributes().find(|raw| raw.kind == kind).map(|raw| A::decode(raw.value, self.id))
    }

    /// Like [`Self::get`], for an attribute that counts only if it is well-formed.
    #[must_use]
    pub fn find<A: Attribute<'a>>(&self) -> Option<A> {
        self.get().and_then(Result::ok)
    }

    /// Whether an attribute of this type is there.
    #[must_use]
    pub fn has(&self, kind: u16) -> bool {
        self.attributes().any(|raw| raw.kind == kind)
    }

    /// Types of comprehension-required attributes that are not of STUN, ICE or TURN themselves, to be listed in a
    /// 420 (RFC 8489 §6.3.1) or to condemn an indication or a response.
    ///
    /// Those of extensions are among them: see [`Self::unknown_required_but`].
    pub fn unknown_required(&self) -> impl Iterator<Item = u16> + 'a {
        self.unknown_required_but(&[])
    }

    /// The same for who speaks an extension and understands these types besides.
    ///
    /// ```
    /// use floe_stun::attribute::{Attribute, ChangeRequest};
    /// use floe_stun::{Builder, Class, Message, Method, TransactionId};
    ///
    /// let mut buf = [0; 64];
    /// let change = ChangeRequest { ip: true, port: true };
    /// let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([7; 12]));
    /// let message = Message::decode(builder.attribute(&change).finish().unwrap()).unwrap();
    /// assert!(message.unknown_required().eq([ChangeRequest::TYPE]));
    /// assert!(message.unknown_required_but(&[ChangeRequest::TYPE]).next().is_none());
    /// ```
    pub fn unknown_required_but<'s>(&self, understood: &'s [u16]) -> impl Iterator<Item = u16> + use<'a, 's> {
        let unknown = |kind: &u16| !attribute::is_known(*kind) || attribute::is_of_extension(*kind);
        self.attributes()
            .map(|raw| raw.kind)
            .filter(move |kind| attribute::is_required(*kind) && unknown(kind) && !understood.contains(kind))
    }

    /// Whether it carries MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256, right or wrong.
    #[must_use]
    pub const fn has_integrity(&self) -> bool {
        self.layout.integrity.is_some() || self.layout.integrity_sha256.is_some()
    }

    /// Whether FINGERPRINT is right (RFC 8489 §14.7); `None` without one.
    #[must_use]
    pub fn fingerprint(&self) -> Option<bool> {
        let at = self.layout.fingerprint?;
        let (covered, attribute) = self.bytes.split_at_checked(at)?;
        let (_, value) = attribute.split_first_chunk::<4>()?;
        Some(value.first_chunk::<4>() == Some(&fingerprint::of(covered).to_be_bytes()))
    }

    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }
}

fn truncated_or_foreign(bytes: &[u8]) -> DecodeError {
    match bytes.first() {
        Some(first) if first & 0xC0 != 0 => DecodeError::NotStun { first: *first },
        _ => DecodeError::Truncated { need: HEADER_LEN, have: bytes.len() },
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("class", &self.class)
            .field("method", &self.method)
            .field("id", &self.id)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Layout {
    fn read(bytes: &[u8], body: &[u8]) -> Result<Self, DecodeError> {
        let mut layout =
            Self { visible_end: bytes.len(), integrity: None, integrity_sha256: None, fingerprint: None };
        let mut rest = body;
        while let Some((raw, after)) = split_attribute(rest)? {
            layout.place(bytes.len() - rest.len(), raw)?;
            rest = after;
        }
        Ok(layout)
    }

    fn place(&mut self, at: usize, raw: RawAttribute<'_>) -> Result<(), DecodeError> {
        if self.fingerprint.is_some() {
            return Err(DecodeError::FingerprintNotLast);
        }
        match raw.kind {
            attribute::MESSAGE_INTEGRITY if !self.is_sealed() => {
                expect_len(raw, raw.value.len() == 20, "20")?;
                self.integrity = Some(at);
                self.visible_end = at;
            }
            attribute::MESSAGE_INTEGRITY_SHA256 if self.integrity_sha256.is_none() => {
                let fits = matches!(raw.value.len(), 16 | 20 | 24 | 28 | 32);
                expect_len(raw, fits, "16 to 32, a multiple of 4")?;
                self.integrity_sha256 = Some(at);
                self.visible_end = self.visible_end.min(at);
            }
            attribute::FINGERPRINT => {
                expect_len(raw, raw.value.len() == 4, "4")?;
                self.fingerprint = Some(at);
                self.visible_end = self.visible_end.min(at);
            }
            _ => {}
        }
        Ok(())
    }

    const fn is_sealed(&self) -> bool {
        self.integrity.is_some() || self.integrity_sha256.is_some()
    }
}

/// The length rule of an attribute as a check.
fn expect_len(raw: RawAttribute<'_>, fits: bool, expected: &'static str) -> Result<(), DecodeError> {
    if fits {
        Ok(())
    } else {
        Err(DecodeError::WrongLength { attribute: raw.kind, expected, have: raw.value.len() })
    }
}

/// One attribute as it stands in a message, without its padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawAttribute<'a> {
    /// Its type.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

/// The attributes of a [`Message`] that a reader may see, in order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = RawAttribute<'a>;

    fn next(&mut self) -> Option<RawAttribute<'a>> {
        let (raw, after) = split_attribute(self.rest).ok()??;
        self.rest = after;
        Some(raw)
    }
}

/// Type, length, value, padding to a multiple of 4 (RFC 8489 §14).
fn split_attribute(rest: &[u8]) -> Result<Option<(RawAttribute<'_>, &[u8])>, DecodeError> {
    let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let (kind, length) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([l0, l1]));
    let len = usize::from(length);
    let overrun = DecodeError::AttributeOverrun { attribute: kind, length, left: after.len() };
    let (padded, after) = after.split_at_checked(len.next_multiple_of(4)).ok_or(overrun)?;
    let value = padded.get(..len).ok_or(overrun)?;
    Ok(Some((RawAttribute { kind, value }, after)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Software, Username};
    use crate::{Builder, Key};

    fn message(build: impl FnOnce(Builder<'_>) -> Result<usize, crate::EncodeError>) -> alloc::vec::Vec<u8> {
        let mut buf = [0; 256];
        let len =
            build(Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([1; 12])))
                .unwrap();
        buf[..len].to_vec()
    }

    #[test]
    fn what_follows_message_integrity_is_not_there() {
        let key = Key::short_term("password");
        let mut bytes = message(|b| Ok(b.attribute(&Username("a:b")).integrity(&key).finish()?.len()));
        bytes.extend([0x80, 0x22, 0, 4, b'e', b'v', b'i', b'l']);
        let length = u16::try_from(bytes.len() - HEADER_LEN).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());

        let message = Message::decode(&bytes).unwrap();

        assert!(message.verify(&key).is_ok(), "the appended attribute is outside of what is covered");
        assert_eq!(message.get::<Software<'_>>(), None);
        assert_eq!(message.find::<Username<'_>>(), Some(Username("a:b")));
    }

    #[test]
    fn only_the_first_of_a_repeated_attribute_counts() {
        let bytes =
            message(|b| Ok(b.attribute(&Username("one")).attribute(&Username("two")).finish()?.len()));
        assert_eq!(Message::decode(&bytes).unwrap().find(), Some(Username("one")));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = message(|b| Ok(b.attribute(&Username("evtj:h6vY")).fingerprint().finish()?.len()));
        assert_eq!(Message::decode(&bytes).unwrap().fingerprint(), Some(true));
        for len in 0..bytes.len() {
            assert!(Message::decode(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn a_flipped_bit_breaks_the_fingerprint() {
        let good = message(|b| Ok(b.attribute(&Username("evtj:h6vY")).fingerprint().finish()?.len()));
        for bit in HEADER_LEN * 8..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Message::decode(&bytes).ok().and_then(|m| m.fingerprint()), Some(true), "bit {bit}");
        }
    }
}
