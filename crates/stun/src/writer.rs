//! Writes a message into a buffer: header, attributes, and what vouches for them (RFC 8489 §5, §14).

use crate::attribute::{self, Attribute};
use crate::header::{self, HEADER_LEN, MAGIC_COOKIE, MAX_MESSAGE, TransactionId};
use crate::integrity::Integrity;
use crate::method::{self, Class, Method};
use crate::{EncodeError, Key, fingerprint};

/// A buffer, and how far it is written.
///
/// Its methods are inlined and hand its parts to the functions below, so that these parts live in registers.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
    id: TransactionId,
    /// The first error; nothing is written after it.
    error: Option<EncodeError>,
}

impl<'b> Writer<'b> {
    #[inline]
    pub(crate) fn new(buf: &'b mut [u8], class: Class, method: Method, id: TransactionId) -> Self {
        let [t0, t1] = method::join(class, method).to_be_bytes();
        let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
        let header = [t0, t1, 0, 0, c0, c1, c2, c3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Self::resume(buf, &header, id)
    }

    /// Goes on behind a header and attributes that were written before; the header gets this id.
    #[inline]
    pub(crate) fn resume(buf: &'b mut [u8], prepared: &[u8], id: TransactionId) -> Self {
        let mut writer = Self { buf, len: 0, id, error: None };
        writer.advance(|buf, _| put_prepared(buf, prepared, id));
        writer
    }

    #[inline]
    pub(crate) fn put<'v>(&mut self, kind: u16, value: &impl Attribute<'v>) {
        let id = self.id;
        self.advance(|buf, at| put(buf, at, id, kind, value));
    }

    #[inline]
    pub(crate) fn sign(&mut self, by: Integrity, key: &Key) {
        self.advance(|buf, at| sign(buf, at, by, key));
    }

    #[inline]
    pub(crate) fn fingerprint(&mut self) {
        self.advance(put_fingerprint);
    }

    #[inline]
    pub(crate) fn finish(self) -> Result<&'b [u8], EncodeError> {
        match self.error {
            Some(error) => Err(error),
            None => finish(self.buf, self.len),
        }
    }

    /// What is put begins where the last one ended, and returns where it ends itself.
    #[inline]
    fn advance(&mut self, put: impl FnOnce(&mut [u8], usize) -> Result<usize, EncodeError>) {
        if self.error.is_none() {
            match put(self.buf, self.len) {
                Ok(end) => self.len = end,
                Err(error) => self.error = Some(error),
            }
        }
    }
}

#[inline]
fn put_prepared(buf: &mut [u8], prepared: &[u8], id: TransactionId) -> Result<usize, EncodeError> {
    let small = EncodeError::BufferTooSmall { need: prepared.len(), have: buf.len() };
    let place = buf.get_mut(..prepared.len()).ok_or(small)?;
    place.copy_from_slice(prepared);
    if let Some(place) = place.get_mut(8..HEADER_LEN) {
        place.copy_from_slice(id.as_bytes());
    }
    Ok(prepared.len())
}

fn put<'v>(
    buf: &mut [u8],
    at: usize,
    id: TransactionId,
    kind: u16,
    value: &impl Attribute<'v>,
) -> Result<usize, EncodeError> {
    put_with(buf, at, kind, value.encoded_len(), |out| value.encode(out, id))
}

fn sign(buf: &mut [u8], at: usize, by: Integrity, key: &Key) -> Result<usize, EncodeError> {
    match by {
        Integrity::Sha1 => {
            seal(buf, at, attribute::MESSAGE_INTEGRITY, |covered, length| key.sign_sha1(covered, length))
        }
        Integrity::Sha256 => seal(buf, at, attribute::MESSAGE_INTEGRITY_SHA256, |covered, length| {
            key.sign_sha256(covered, length)
        }),
    }
}

fn put_fingerprint(buf: &mut [u8], at: usize) -> Result<usize, EncodeError> {
    seal(buf, at, attribute::FINGERPRINT, |covered, _| fingerprint::of(covered).to_be_bytes())
}

/// Puts what is worked out of all that stands in front of it, under a length that counts it.
#[inline]
fn seal<const LEN: usize>(
    buf: &mut [u8],
    at: usize,
    kind: u16,
    value: impl FnOnce(&[u8], u16) -> [u8; LEN],
) -> Result<usize, EncodeError> {
    let length = header::length(at.saturating_add(4).saturating_add(LEN));
    set_length(buf, length);
    let value = value(buf.get(..at).unwrap_or_default(), length);
    put_with(buf, at, kind, LEN, |out| {
        out.copy_from_slice(&value);
        Ok(())
    })
}

#[inline]
fn put_with(
    buf: &mut [u8],
    at: usize,
    kind: u16,
    len: usize,
    encode: impl FnOnce(&mut [u8]) -> Result<(), EncodeError>,
) -> Result<usize, EncodeError> {
    let too_long = EncodeError::BadValue { attribute: kind, reason: "the message would exceed 65,552 bytes" };
    let length = u16::try_from(len).map_err(|_| too_long)?;
    let end = at.saturating_add(4).saturating_add(len.next_multiple_of(4));
    if end > MAX_MESSAGE {
        return Err(too_long);
    }
    let small = EncodeError::BufferTooSmall { need: end, have: buf.len() };
    let (head, place) = buf.get_mut(at..end).and_then(<[u8]>::split_first_chunk_mut).ok_or(small)?;
    let ([k0, k1], [l0, l1]) = (kind.to_be_bytes(), length.to_be_bytes());
    *head = [k0, k1, l0, l1];
    // The last word is zero where the value does not reach (RFC 8489 §14).
    if let Some(padded) = place.last_chunk_mut() {
        *padded = [0; 4];
    }
    encode(place.get_mut(..len).ok_or(small)?)?;
    Ok(end)
}

fn finish(buf: &mut [u8], len: usize) -> Result<&[u8], EncodeError> {
    set_length(buf, header::length(len));
    buf.get(..len).ok_or(EncodeError::BufferTooSmall { need: len, have: buf.len() })
}

fn set_length(buf: &mut [u8], length: u16) {
    if let [_, _, l0, l1, ..] = buf {
        [*l0, *l1] = length.to_be_bytes();
    }
}
