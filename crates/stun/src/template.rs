//! A message prepared once and sent many times, each under its own transaction id (RFC 8489 §6.1).
//!
//! Checks and their repetitions, consent, keepalives and refreshes say the same again and again. What stays is
//! written once; per message the id is patched, and what covers it is worked out: MESSAGE-INTEGRITY and FINGERPRINT.

use alloc::vec::Vec;
use alloc::{boxed::Box, vec};

use crate::door::MAX_TRANSMIT;
use crate::header::TransactionId;
use crate::integrity::Integrity;
use crate::writer::Writer;
use crate::{Builder, Class, EncodeError, Key, Message, Method};

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
    /// Header and attributes.
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
        Self { seal: Some(Box::new(Seal { key, by })), ..self }
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
        let seal = match self.seal.as_deref() {
            Some(Seal { by: Integrity::Sha1, .. }) => 24,
            Some(Seal { by: Integrity::Sha256, .. }) => 36,
            None => 0,
        };
        let fingerprint = if self.fingerprint { 8 } else { 0 };
        self.prepared.len().saturating_add(seal).saturating_add(fingerprint)
    }

    /// Writes the message with this id into `buf`.
    ///
    /// # Errors
    ///
    /// If the buffer has fewer than [`Self::len`] bytes.
    pub fn write<'b>(&self, buf: &'b mut [u8], id: TransactionId) -> Result<&'b [u8], EncodeError> {
        let small = EncodeError::BufferTooSmall { need: self.len(), have: buf.len() };
        let out = buf.get_mut(..self.len()).ok_or(small)?;
        let mut writer = Writer::resume(out, &self.prepared, id);
        if let Some(seal) = &self.seal {
            writer.sign(seal.by, &seal.key);
        }
        if self.fingerprint {
            writer.fingerprint();
        }
        writer.finish()
    }
}

/// The type of the first attribute that differs though nothing but the id does.
fn first_difference(one: &[u8], other: &[u8]) -> Option<u16> {
    let attributes = |bytes| Message::decode(bytes).into_iter().flat_map(|message| message.attributes());
    let mut pairs = attributes(one).zip(attributes(other));
    pairs.find(|(one, other)| one != other).map(|(one, _)| one.kind)
}

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
