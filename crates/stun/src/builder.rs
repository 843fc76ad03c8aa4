//! Writes a message into the caller's buffer; the order of the last attributes is a matter of types.
//!
//! ```text
//!   Builder ──integrity──▶ Sealed ──integrity_sha256──▶ Signed ──fingerprint──▶ Finished
//!      │                     └────────────────────────────────────fingerprint───────▲
//!      └──────────────integrity_sha256 or fingerprint ──▶ Signed or Finished ────────┘
//! ```

use crate::attribute::Attribute;
use crate::header::TransactionId;
use crate::method::{Class, Method};
use crate::writer::Writer;
use crate::{EncodeError, Integrity, Key};

/// A message in the making. Nothing is allocated; the first error is kept and told by [`Self::finish`].
#[derive(Debug)]
pub struct Builder<'b> {
    writer: Writer<'b>,
}

impl<'b> Builder<'b> {
    /// Begins a message in `buf`.
    #[must_use]
    #[inline]
    pub fn new(buf: &'b mut [u8], class: Class, method: Method, id: TransactionId) -> Self {
        Self { writer: Writer::new(buf, class, method, id) }
    }

    /// Adds an attribute, padded with zeros (RFC 8489 §14).
    #[must_use]
    #[inline]
    pub fn attribute<'v, A: Attribute<'v>>(mut self, value: &A) -> Self {
        self.writer.put(A::TYPE, value);
        self
    }

    /// Adds an attribute under a number that is agreed upon elsewhere.
    #[must_use]
    #[inline]
    pub fn attribute_as<'v>(mut self, kind: u16, value: &impl Attribute<'v>) -> Self {
        self.writer.put(kind, value);
        self
    }

    /// Adds an attribute if there is one.
    #[must_use]
    #[inline]
    pub fn maybe<'v>(self, value: Option<&impl Attribute<'v>>) -> Self {
        match value {
            Some(value) => self.attribute(value),
            None => self,
        }
    }

    /// Signs with MESSAGE-INTEGRITY; only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT may follow.
    #[must_use]
    #[inline]
    pub fn integrity(mut self, key: &Key) -> Sealed<'b> {
        self.writer.sign(Integrity::Sha1, key);
        Sealed { writer: self.writer }
    }

    /// Signs with MESSAGE-INTEGRITY-SHA256, untruncated; only FINGERPRINT may follow.
    #[must_use]
    #[inline]
    pub fn integrity_sha256(mut self, key: &Key) -> Signed<'b> {
        self.writer.sign(Integrity::Sha256, key);
        Signed { writer: self.writer }
    }

    /// Adds FINGERPRINT, the last attribute.
    #[must_use]
    #[inline]
    pub fn fingerprint(mut self) -> Finished<'b> {
        self.writer.fingerprint();
        Finished { writer: self.writer }
    }

    /// The message.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong: the buffer was too small, or a value does not fit its attribute.
    #[inline]
    pub fn finish(self) -> Result<&'b [u8], EncodeError> {
        self.writer.finish()
    }
}

/// A message signed with MESSAGE-INTEGRITY.
#[derive(Debug)]
pub struct Sealed<'b> {
    writer: Writer<'b>,
}

impl<'b> Sealed<'b> {
    /// Signs with MESSAGE-INTEGRITY-SHA256 too, which covers MESSAGE-INTEGRITY (RFC 8489 §14.6).
    #[must_use]
    #[inline]
    pub fn integrity_sha256(mut self, key: &Key) -> Signed<'b> {
        self.writer.sign(Integrity::Sha256, key);
        Signed { writer: self.writer }
    }

    /// Adds FINGERPRINT, the last attribute.
    #[must_use]
    #[inline]
    pub fn fingerprint(mut self) -> Finished<'b> {
        self.writer.fingerprint();
        Finished { writer: self.writer }
    }

    /// The message.
    ///
    /// # Errors
    ///
    /// As [`Builder::finish`].
    #[inline]
    pub fn finish(self) -> Result<&'b [u8], EncodeError> {
        self.writer.finish()
    }
}

/// A message signed with MESSAGE-INTEGRITY-SHA256; at most FINGERPRINT can follow.
#[derive(Debug)]
pub struct Signed<'b> {
    writer: Writer<'b>,
}

impl<'b> Signed<'b> {
    /// Adds FINGERPRINT, the last attribute.
    #[must_use]
    #[inline]
    pub fn fingerprint(mut self) -> Finished<'b> {
        self.writer.fingerprint();
        Finished { writer: self.writer }
    }

    /// The message.
    ///
    /// # Errors
    ///
    /// As [`Builder::finish`].
    #[inline]
    pub fn finish(self) -> Result<&'b [u8], EncodeError> {
        self.writer.finish()
    }
}

/// A message that ends with FINGERPRINT.
#[derive(Debug)]
pub struct Finished<'b> {
    writer: Writer<'b>,
}

impl<'b> Finished<'b> {
    /// The message.
    ///
    /// # Errors
    ///
    /// As [`Builder::finish`].
    #[inline]
    pub fn finish(self) -> Result<&'b [u8], EncodeError> {
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Software, Username};

    fn begin(buf: &mut [u8]) -> Builder<'_> {
        Builder::new(buf, Class::Request, Method::BINDING, TransactionId::from([2; 12]))
    }

    #[test]
    fn padding_is_zero_even_in_a_dirty_buffer() {
        let mut buf = [0xFF; 64];
        let bytes = begin(&mut buf).attribute(&Software("floe!")).finish().unwrap();
        assert_eq!(&bytes[24..], b"floe!\0\0\0");
    }

    #[test]
    fn a_small_buffer_is_an_error_with_numbers() {
        let mut buf = [0; 30];
        let error = begin(&mut buf).attribute(&Username("abcdefgh")).finish().unwrap_err();
        assert_eq!(error, EncodeError::BufferTooSmall { need: 32, have: 30 });
        let error = begin(&mut buf[..3]).fingerprint().finish().unwrap_err();
        assert_eq!(error, EncodeError::BufferTooSmall { need: 20, have: 3 });
    }
}
