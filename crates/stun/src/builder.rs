//! Writes a message into the caller's buffer; the order of the last attributes is a matter of types.
//!
//! ```text
//!   Builder ──integrity──▶ Sealed ──integrity_sha256──▶ Signed ──fingerprint──▶ Finished
//!      │                     └────────────────────────────────────fingerprint───────▲
//!      └──────────────integrity_sha256 or fingerprint ──▶ Signed or Finished ────────┘
//! ```

use crate::attribute::{self, Attribute};
use crate::header::{HEADER_LEN, MAGIC_COOKIE, TransactionId};
use crate::method::{self, Class, Method};
use crate::{EncodeError, Key, fingerprint};

/// A message in the making. Nothing is allocated; the first error is kept and told by [`Self::finish`].
#[derive(Debug)]
pub struct Builder<'b> {
    writer: Writer<'b>,
}

impl<'b> Builder<'b> {
    /// Begins a message in `buf`.
    #[must_use]
    pub fn new(buf: &'b mut [u8], class: Class, method: Method, id: TransactionId) -> Self {
        let mut writer = Writer { buf, len: HEADER_LEN, id, error: None };
        writer.put_header(class, method);
        Self { writer }
    }

    /// Adds an attribute, padded with zeros (RFC 8489 §14).
    #[must_use]
    pub fn attribute<'v>(mut self, value: &impl Attribute<'v>) -> Self {
        self.writer.put(value);
        self
    }

    /// Adds an attribute under a number that is agreed upon elsewhere.
    #[must_use]
    pub fn attribute_as<'v>(mut self, kind: u16, value: &impl Attribute<'v>) -> Self {
        self.writer.put_as(kind, value);
        self
    }

    /// Adds an attribute if there is one.
    #[must_use]
    pub fn maybe<'v>(self, value: Option<&impl Attribute<'v>>) -> Self {
        match value {
            Some(value) => self.attribute(value),
            None => self,
        }
    }

    /// Signs with MESSAGE-INTEGRITY; only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT may follow.
    #[must_use]
    pub fn integrity(mut self, key: &Key) -> Sealed<'b> {
        self.writer.sign_sha1(key);
        Sealed { writer: self.writer }
    }

    /// Signs with MESSAGE-INTEGRITY-SHA256, untruncated; only FINGERPRINT may follow.
    #[must_use]
    pub fn integrity_sha256(mut self, key: &Key) -> Signed<'b> {
        self.writer.sign_sha256(key);
        Signed { writer: self.writer }
    }

    /// Adds FINGERPRINT, the last attribute.
    #[must_use]
    pub fn fingerprint(mut self) -> Finished<'b> {
        self.writer.put_fingerprint();
        Finished { writer: self.writer }
    }

    /// The message.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong: the buffer was too small, or a value does not fit its attribute.
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
    pub fn integrity_sha256(mut self, key: &Key) -> Signed<'b> {
        self.writer.sign_sha256(key);
        Signed { writer: self.writer }
    }

    /// Adds FINGERPRINT, the last attribute.
    #[must_use]
    pub fn fingerprint(mut self) -> Finished<'b> {
        self.writer.put_fingerprint();
        Finished { writer: self.writer }
    }

    /// The message.
    ///
    /// # Errors
    ///
    /// As [`Builder::finish`].
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
    pub fn fingerprint(mut self) -> Finished<'b> {
        self.writer.put_fingerprint();
        Finished { writer: self.writer }
    }

    /// The message.
    ///
    /// # Errors
    ///
    /// As [`Builder::finish`].
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
    pub fn finish(self) -> Result<&'b [u8], EncodeError> {
        self.writer.finish()
    }
}

#[derive(Debug)]
struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
    id: TransactionId,
    error: Option<EncodeError>,
}

impl<'b> Writer<'b> {
    fn put_header(&mut self, class: Class, method: Method) {
        let have = self.buf.len();
        let Some(header) = self.buf.first_chunk_mut::<HEADER_LEN>() else {
            self.error = Some(EncodeError::BufferTooSmall { need: HEADER_LEN, have });
            return;
        };
        let [t0, t1] = method::join(class, method).to_be_bytes();
        let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
        let (fixed, id) = header.split_at_mut(8);
        fixed.copy_from_slice(&[t0, t1, 0, 0, c0, c1, c2, c3]);
        id.copy_from_slice(self.id.as_bytes());
    }

    fn put<'v, A: Attribute<'v>>(&mut self, value: &A) {
        self.put_as(A::TYPE, value);
    }

    fn put_as<'v>(&mut self, kind: u16, value: &impl Attribute<'v>) {
        let id = self.id;
        self.put_with(kind, value.encoded_len(), |out| value.encode(out, id));
    }

    fn sign_sha1(&mut self, key: &Key) {
        let tag = key.sign_sha1(self.written(), self.length_with(24));
        self.put_bytes(attribute::MESSAGE_INTEGRITY, &tag);
    }

    fn sign_sha256(&mut self, key: &Key) {
        let tag = key.sign_sha256(self.written(), self.length_with(36));
        self.put_bytes(attribute::MESSAGE_INTEGRITY_SHA256, &tag);
    }

    fn put_fingerprint(&mut self) {
        if self.error.is_some() {
            return;
        }
        self.set_length(self.length_with(8));
        let value = fingerprint::of(self.written()).to_be_bytes();
        self.put_bytes(attribute::FINGERPRINT, &value);
    }

    fn put_bytes(&mut self, kind: u16, value: &[u8]) {
        self.put_with(kind, value.len(), |out| {
            out.copy_from_slice(value);
            Ok(())
        });
    }

    fn put_with(&mut self, kind: u16, len: usize, encode: impl FnOnce(&mut [u8]) -> Result<(), EncodeError>) {
        if self.error.is_some() {
            return;
        }
        match self.try_put(kind, len, encode) {
            Ok(end) => self.len = end,
            Err(error) => self.error = Some(error),
        }
    }

    fn try_put(
        &mut self,
        kind: u16,
        len: usize,
        encode: impl FnOnce(&mut [u8]) -> Result<(), EncodeError>,
    ) -> Result<usize, EncodeError> {
        let too_long =
            EncodeError::BadValue { attribute: kind, reason: "the message would exceed 65,552 bytes" };
        let length = u16::try_from(len).map_err(|_| too_long)?;
        let end = self.len + 4 + len.next_multiple_of(4);
        if end > crate::MAX_MESSAGE {
            return Err(too_long);
        }
        let have = self.buf.len();
        let small = EncodeError::BufferTooSmall { need: end, have };
        let out = self.buf.get_mut(self.len..end).ok_or(small)?;
        let (head, value) = out.split_first_chunk_mut::<4>().ok_or(small)?;
        let ([k0, k1], [l0, l1]) = (kind.to_be_bytes(), length.to_be_bytes());
        *head = [k0, k1, l0, l1];
        let (value, padding) = value.split_at_mut_checked(len).ok_or(small)?;
        encode(value)?;
        padding.fill(0);
        Ok(end)
    }

    fn written(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    /// The header's length if `more` bytes of attributes follow.
    fn length_with(&self, more: usize) -> u16 {
        u16::try_from(self.len + more - HEADER_LEN).unwrap_or(u16::MAX)
    }

    fn set_length(&mut self, length: u16) {
        if let Some(field) = self.buf.get_mut(2..4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    fn finish(mut self) -> Result<&'b [u8], EncodeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.set_length(self.length_with(0));
        let have = self.buf.len();
        let buf: &'b [u8] = self.buf;
        buf.get(..self.len).ok_or(EncodeError::BufferTooSmall { need: self.len, have })
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
