//! A message prepared once and sent many times, each under its own transaction id (RFC 8489 §6.1).
//!
//! Checks and their repetitions, consent, keepalives and refreshes say the same again and again. What stays is
//! written once; per message the id is patched, and what covers it is worked out: MESSAGE-INTEGRITY and FINGERPRINT.

use alloc::vec::Vec;
use alloc::{boxed::Box, vec};

use crate::attribute;
use crate::door::MAX_TRANSMIT;
use crate::header::{HEADER_LEN, TransactionId};
use crate::integrity::Integrity;
use crate::{Builder, Class, EncodeError, Key, Method, fingerprint};

/// The bytes of a message but for its id and what vouches for it.
///
/// ```
/// use floe_stun::attribute::{Priority, Username};
/// use floe_stun::{Class, Integrity, Key, Message, Method, Template, TransactionId};
///
/// let key = Key::short_term("VOkJxbRl1RmTxUk/WvJxBt");
/// let check = Template::new(Class::Request, Method::BINDING, |builder| {
///     builder.attribute(&Username("evtj:h6vY")).attribute(&Priority(1_845_494_271))
/// })?
/// .signed(key.clone(), Integrity::Sha1)
/// .with_fingerprint();
///
/// let mut buf = [0; 128];
/// for n in 1..=3 {
///     let bytes = check.write(&mut buf, TransactionId::from([n; 12]))?;
///     let message = Message::decode(bytes).unwrap();
///     assert_eq!((message.id(), message.fingerprint()), ([n; 12].into(), Some(true)));
///     assert!(message.verify(&key).is_ok());
/// }
/// # Ok::<(), floe_stun::EncodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Template {
    /// Header and attributes; the header's length counts up to the end of the seal.
    prepared: Vec<u8>,
    seal: Option<Box<Seal>>,
    fingerprint: bool,
}

#[derive(Clone, Debug)]
struct Seal {
    key: Key,
    by: Integrity,
}

impl Template {
    /// Prepares a message with the attributes that `fill` adds, at most [`MAX_TRANSMIT`] bytes of them.
    ///
    /// # Errors
    ///
    /// As [`Builder::finish`], and if an attribute depends on the transaction id, as XOR-MAPPED-ADDRESS does with an
    /// IPv6 address.
    pub fn new(
        class: Class,
        method: Method,
        fill: impl Fn(Builder<'_>) -> Builder<'_>,
    ) -> Result<Self, EncodeError> {
        let prepare = |id: [u8; 12]| {
            let mut buf = vec![0; MAX_TRANSMIT];
            let begun = Builder::new(&mut buf, class, method, TransactionId::from(id));
            fill(begun).finish().map(<[u8]>::to_vec)
        };
        let (prepared, other) = (prepare([0; 12])?, prepare([0xFF; 12])?);
        match first_difference(&prepared, &other) {
            Some(attribute) => {
                Err(EncodeError::BadValue { attribute, reason: "its value depends on the transaction id" })
            }
            None => Ok(Self { prepared, seal: None, fingerprint: false }),
        }
    }

    /// The same, signed with this key.
    #[must_use]
    pub fn signed(self, key: Key, by: Integrity) -> Self {
        let mut signed = Self { seal: Some(Box::new(Seal { key, by })), ..self };
        let length = signed.prepared.len() + signed.seal_len() - HEADER_LEN;
        set_length(&mut signed.prepared, length);
        signed
    }

    /// The same with FINGERPRINT.
    #[must_use]
    pub fn with_fingerprint(self) -> Self {
        Self { fingerprint: true, ..self }
    }

    /// Bytes of the message.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a message has a header")]
    pub fn len(&self) -> usize {
        self.prepared.len() + self.seal_len() + if self.fingerprint { FINGERPRINT_LEN } else { 0 }
    }

    /// Writes the message with this id into `buf`.
    ///
    /// # Errors
    ///
    /// If the buffer has fewer than [`Self::len`] bytes.
    pub fn write<'b>(&self, buf: &'b mut [u8], id: TransactionId) -> Result<&'b [u8], EncodeError> {
        let small = EncodeError::BufferTooSmall { need: self.len(), have: buf.len() };
        let out = buf.get_mut(..self.len()).ok_or(small)?;
        let (covered, rest) = out.split_at_mut_checked(self.prepared.len()).ok_or(small)?;
        covered.copy_from_slice(&self.prepared);
        if let Some(place) = covered.get_mut(ID_AT..HEADER_LEN) {
            place.copy_from_slice(id.as_bytes());
        }
        match self.seal.as_deref() {
            Some(Seal { key, by: Integrity::Sha1 }) => {
                put(rest, attribute::MESSAGE_INTEGRITY, &key.sign_sha1_ready(covered));
            }
            Some(Seal { key, by: Integrity::Sha256 }) => {
                put(rest, attribute::MESSAGE_INTEGRITY_SHA256, &key.sign_sha256_ready(covered));
            }
            None => {}
        }
        if self.fingerprint {
            put_fingerprint(out);
        }
        Ok(out)
    }

    fn seal_len(&self) -> usize {
        match self.seal.as_deref() {
            Some(Seal { by: Integrity::Sha1, .. }) => 24,
            Some(Seal { by: Integrity::Sha256, .. }) => 36,
            None => 0,
        }
    }
}

/// The type of the first attribute that differs though nothing but the id does.
fn first_difference(one: &[u8], other: &[u8]) -> Option<u16> {
    let bodies = || Some((one.get(HEADER_LEN..)?, other.get(HEADER_LEN..)?));
    let (one, other) = bodies()?;
    if one == other {
        return None;
    }
    let (mut one, mut other) = (one, other);
    while let Some((&[k0, k1, l0, l1], _)) = one.split_first_chunk::<4>() {
        let size = 4 + usize::from(u16::from_be_bytes([l0, l1])).next_multiple_of(4);
        let same = one.get(..size) == other.get(..size);
        if !same {
            return Some(u16::from_be_bytes([k0, k1]));
        }
        (one, other) = (one.get(size..).unwrap_or_default(), other.get(size..).unwrap_or_default());
    }
    Some(0)
}

/// Writes an attribute at the front of `out`, if there is room.
fn put(out: &mut [u8], kind: u16, value: &[u8]) {
    let ([k0, k1], length) = (kind.to_be_bytes(), u16::try_from(value.len()).unwrap_or(u16::MAX));
    let [l0, l1] = length.to_be_bytes();
    if let Some((head, rest)) = out.split_first_chunk_mut::<4>() {
        *head = [k0, k1, l0, l1];
        if let Some(place) = rest.get_mut(..value.len()) {
            place.copy_from_slice(value);
        }
    }
}

/// Writes FINGERPRINT into the last bytes; it covers a length that counts it (RFC 8489 §14.7).
fn put_fingerprint(out: &mut [u8]) {
    let len = out.len();
    set_length(out, len.saturating_sub(HEADER_LEN));
    if let Some((covered, place)) = out.split_at_mut_checked(len.saturating_sub(FINGERPRINT_LEN)) {
        put(place, attribute::FINGERPRINT, &fingerprint::of(covered).to_be_bytes());
    }
}

fn set_length(message: &mut [u8], length: usize) {
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    }
}

const ID_AT: usize = 8;
const FINGERPRINT_LEN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Attribute, Priority, Software, XorMappedAddress};

    fn fill(builder: Builder<'_>) -> Builder<'_> {
        builder.attribute(&Software("floe!")).attribute(&Priority(7))
    }

    fn template() -> Template {
        Template::new(Class::Request, Method::BINDING, fill).unwrap()
    }

    #[test]
    fn a_template_writes_what_a_builder_writes() {
        let key = Key::short_term("password");
        same(&template(), |b| b.finish().map(<[u8]>::len));
        same(&template().with_fingerprint(), |b| b.fingerprint().finish().map(<[u8]>::len));
        let sha1 = template().signed(key.clone(), Integrity::Sha1);
        same(&sha1, |b| b.integrity(&key).finish().map(<[u8]>::len));
        same(&sha1.with_fingerprint(), |b| b.integrity(&key).fingerprint().finish().map(<[u8]>::len));
        let sha256 = template().signed(key.clone(), Integrity::Sha256).with_fingerprint();
        same(&sha256, |b| b.integrity_sha256(&key).fingerprint().finish().map(<[u8]>::len));
    }

    /// Both write into buffers that are dirty in their own way.
    fn same(template: &Template, finish: impl FnOnce(Builder<'_>) -> Result<usize, EncodeError>) {
        let (mut ours, mut built) = ([0xEE; 128], [0xAA; 128]);
        let id = TransactionId::from([7; 12]);
        let len = finish(fill(Builder::new(&mut built, Class::Request, Method::BINDING, id))).unwrap();
        assert_eq!(template.write(&mut ours, id), Ok(&built[..len]));
        assert_eq!(template.len(), len);
    }

    #[test]
    fn what_depends_on_the_id_cannot_be_prepared() {
        let prepare = |address: &str| {
            let mapped = XorMappedAddress(address.parse().unwrap());
            Template::new(Class::Success, Method::BINDING, |b| fill(b).attribute(&mapped)).map(|t| t.len())
        };
        let refused = prepare("[2001:db8::1]:1").unwrap_err();
        assert!(
            matches!(refused, EncodeError::BadValue { attribute: XorMappedAddress::TYPE, .. }),
            "{refused}"
        );
        assert!(prepare("192.0.2.1:1").is_ok());
    }

    #[test]
    fn a_small_buffer_is_an_error_with_numbers() {
        let template = template().signed(Key::short_term("x"), Integrity::Sha1).with_fingerprint();
        let error = template.write(&mut [0; 71], TransactionId::from([0; 12])).unwrap_err();
        assert_eq!(error, EncodeError::BufferTooSmall { need: 72, have: 71 });
    }
}
