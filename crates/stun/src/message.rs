//! A STUN message as a checked, zero-copy view (RFC 8489 §5, §14).
//!
//! ```text
//!   header ─ visible attributes ─ [MESSAGE-INTEGRITY] ─ … ─ [MESSAGE-INTEGRITY-SHA256] ─ … ─ [FINGERPRINT]
//!                                                       └─────────── hidden ───────────┘
//! ```

use core::fmt;

use crate::DecodeError;
use crate::attribute::{self, Attribute, FINGERPRINT, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256};
use crate::fields::Fields;
use crate::fingerprint;
use crate::header::{self, HEADER_LEN, MAGIC_COOKIE, TransactionId};
use crate::method::{self, Class, Method};
use crate::walk::{Attributes, Seal, Walk, Word};

/// A decoded message: bytes whose framing has been checked, read in place.
///
/// What its methods show ends where MESSAGE-INTEGRITY begins. Whatever follows there, but for
/// MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, does not exist for the reader (RFC 8489 §9).
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    header: &'a [u8; HEADER_LEN],
    visible: &'a [Word],
    integrity: Option<Seal<'a>>,
    integrity_sha256: Option<Seal<'a>>,
    fingerprint: Option<Seal<'a>>,
}

impl<'a> Message<'a> {
    /// Checks the framing of a whole datagram, in one pass and without allocating.
    ///
    /// FINGERPRINT and integrity are checked by [`Self::fingerprint`] and [`Self::verify`].
    ///
    /// # Errors
    ///
    /// The first thing that is wrong; see [`DecodeError`]. Such a datagram is to be dropped (RFC 8489 §6.3).
    // Inlined by order: the view is large, and through memory it would cost half as much again.
    #[inline(always)]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (header, body) =
            bytes.split_first_chunk::<HEADER_LEN>().ok_or_else(|| truncated_or_foreign(bytes))?;
        check_header(header, body)?;
        let mut walk = Walk::new(bytes, body.as_chunks().0);
        let visible =
            walk.skip_to(|kind| matches!(kind, MESSAGE_INTEGRITY | MESSAGE_INTEGRITY_SHA256 | FINGERPRINT))?;
        let integrity = walk.seal(MESSAGE_INTEGRITY, |len| len == 20, "20")?;
        walk.skip_to(|kind| matches!(kind, MESSAGE_INTEGRITY_SHA256 | FINGERPRINT))?;
        let fits = |len| matches!(len, 16 | 20 | 24 | 28 | 32);
        let integrity_sha256 = walk.seal(MESSAGE_INTEGRITY_SHA256, fits, "16 to 32, a multiple of 4")?;
        walk.skip_to(|kind| kind == FINGERPRINT)?;
        let fingerprint = walk.seal(FINGERPRINT, |len| len == 4, "4")?;
        if !walk.is_done() {
            return Err(DecodeError::FingerprintNotLast);
        }
        Ok(Self { bytes, header, visible, integrity, integrity_sha256, fingerprint })
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
        method::split(header::message_type(self.header)).0
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        method::split(header::message_type(self.header)).1
    }

    /// The transaction id.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        TransactionId::of(self.header)
    }

    /// The whole message.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The attributes a reader may see, in order.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.visible)
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
        self.attributes().find(|raw| raw.kind == kind).map(|raw| A::decode(raw.value, self.id()))
    }

    /// Like [`Self::get`], for an attribute that counts only if it is well-formed.
    #[must_use]
    pub fn find<A: Attribute<'a>>(&self) -> Option<A> {
        self.get().and_then(Result::ok)
    }

    /// Several attributes in one pass over the message: `Option<A>` as by [`Self::find`], `Option<Result<A, _>>` as
    /// by [`Self::get`].
    ///
    /// ```
    /// use floe_stun::attribute::{IceControlling, Priority, UseCandidate};
    /// use floe_stun::{Builder, Class, Message, Method, TransactionId};
    ///
    /// let mut buf = [0; 64];
    /// let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([7; 12]));
    /// let builder = builder.attribute(&Priority(1_845_494_271)).attribute(&IceControlling(5));
    /// let message = Message::decode(builder.finish().unwrap()).unwrap();
    ///
    /// let found: (Option<Priority>, Option<IceControlling>, Option<UseCandidate>) = message.find_all();
    /// assert_eq!(found, (Some(Priority(1_845_494_271)), Some(IceControlling(5)), None));
    /// ```
    #[must_use]
    pub fn find_all<F: Fields<'a>>(&self) -> F {
        F::read(self)
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
        self.integrity.is_some() || self.integrity_sha256.is_some()
    }

    /// Whether FINGERPRINT is right (RFC 8489 §14.7); `None` without one.
    #[must_use]
    #[inline]
    pub fn fingerprint(&self) -> Option<bool> {
        self.fingerprint.map(|seal| seal.value == fingerprint::of(seal.covered).to_be_bytes())
    }

    pub(crate) const fn integrity(&self) -> Option<Seal<'a>> {
        self.integrity
    }

    pub(crate) const fn integrity_sha256(&self) -> Option<Seal<'a>> {
        self.integrity_sha256
    }
}

fn check_header(header: &[u8; HEADER_LEN], body: &[u8]) -> Result<(), DecodeError> {
    let [first, _, l0, l1, c0, c1, c2, c3, ..] = *header;
    if first & 0xC0 != 0 {
        return Err(DecodeError::NotStun { first });
    }
    let cookie = u32::from_be_bytes([c0, c1, c2, c3]);
    if cookie != MAGIC_COOKIE {
        return Err(DecodeError::NoCookie { found: cookie });
    }
    let length = u16::from_be_bytes([l0, l1]);
    if length % 4 != 0 {
        return Err(DecodeError::UnalignedLength { length });
    }
    match body.split_at_checked(length.into()) {
        Some((_, [])) => Ok(()),
        Some((_, extra)) => Err(DecodeError::TrailingBytes { extra: extra.len() }),
        None => Err(DecodeError::Truncated {
            need: HEADER_LEN.saturating_add(length.into()),
            have: HEADER_LEN.saturating_add(body.len()),
        }),
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
            .field("class", &self.class())
            .field("method", &self.method())
            .field("id", &self.id())
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{IceControlled, IceControlling, Priority, Software, UseCandidate, Username};
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
    fn what_is_found_at_once_is_what_is_found_one_by_one() {
        let (malformed, priority) = (Software("short"), Priority(7));
        let bytes = message(|b| {
            let b = b.attribute(&Username("one")).attribute_as(IceControlling::TYPE, &malformed);
            let b = b.attribute(&IceControlling(1)).attribute(&Username("two")).attribute(&priority);
            Ok(b.integrity(&Key::short_term("password")).finish()?.len())
        });
        let message = Message::decode(&bytes).unwrap();

        let (number, name, nominates): (_, _, Option<UseCandidate>) = message.find_all();
        assert_eq!((number, name, nominates), (Some(priority), Some(Username("one")), None));
        let (controlling, controlled) = message.find_all();
        assert_eq!((controlling, controlled), (None::<IceControlling>, None::<IceControlled>));
        let (controlling, number) = message.find_all();
        assert_eq!(controlling, message.get::<IceControlling>());
        assert!(matches!((controlling, number), (Some(Err(_)), Some(Ok(Priority(7))))));
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
