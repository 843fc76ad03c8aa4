//! Attributes one behind the other: type, length, value, padding to a multiple of 4 (RFC 8489 §14).

use crate::DecodeError;

/// One attribute as it stands in a message, without its padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawAttribute<'a> {
    /// Its type.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

/// The attributes of a [`Message`](crate::Message) that a reader may see, in order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [Word],
}

impl<'a> Attributes<'a> {
    pub(crate) const fn new(words: &'a [Word]) -> Self {
        Self { rest: words }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = RawAttribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        let (head, after) = self.rest.split_first()?;
        let (padded, after) = split_value(head, after)?;
        self.rest = after;
        Some(RawAttribute { kind: kind(head), value: padded.as_flattened().get(..length(head).into())? })
    }
}

/// The first walk over a message, on which every attribute must prove to be whole.
pub(crate) struct Walk<'a> {
    message: &'a [u8],
    rest: &'a [Word],
}

/// An attribute that vouches for what stands in front of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seal<'a> {
    /// The message up to this attribute.
    pub(crate) covered: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl<'a> Walk<'a> {
    /// Begins at the first attribute of a message.
    pub(crate) const fn new(message: &'a [u8], attributes: &'a [Word]) -> Self {
        Self { message, rest: attributes }
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Passes by attributes up to the first whose type is one of these, and returns what it passed.
    #[inline(always)]
    pub(crate) fn skip_to(&mut self, is_one: impl Fn(u16) -> bool) -> Result<&'a [Word], DecodeError> {
        let begin = self.rest;
        while let [head, after @ ..] = self.rest
            && !is_one(kind(head))
        {
            (_, self.rest) = split_value(head, after).ok_or_else(|| overrun(head, after))?;
        }
        Ok(before(begin, self.rest))
    }

    /// Takes the next attribute if it is of this type, and refuses it if its value has not one of these lengths.
    #[inline(always)]
    pub(crate) fn seal(
        &mut self,
        wanted: u16,
        fits: impl Fn(u16) -> bool,
        expected: &'static str,
    ) -> Result<Option<Seal<'a>>, DecodeError> {
        let [head, after @ ..] = self.rest else { return Ok(None) };
        if kind(head) != wanted {
            return Ok(None);
        }
        let (value, after) = split_value(head, after).ok_or_else(|| overrun(head, after))?;
        if !fits(length(head)) {
            return Err(DecodeError::WrongLength { attribute: wanted, expected, have: length(head).into() });
        }
        let covered = before(self.message, self.rest.as_flattened());
        self.rest = after;
        Ok(Some(Seal { covered, value: value.as_flattened() }))
    }
}

/// Attributes are made of words of 32 bits; the first has the type and the length of the value.
pub(crate) type Word = [u8; 4];

const fn kind(head: &Word) -> u16 {
    (u32::from_be_bytes(*head) >> 16) as u16
}

const fn length(head: &Word) -> u16 {
    u32::from_be_bytes(*head) as u16
}

/// The value with its padding, and what follows it.
#[inline]
fn split_value<'a>(head: &Word, after: &'a [Word]) -> Option<(&'a [Word], &'a [Word])> {
    match length(head) {
        // The most frequent ones are told apart: a branch that the processor foresees leads on to the next attribute
        // before this length is read.
        0 => Some((&[], after)),
        4 => after.split_at_checked(1),
        8 => after.split_at_checked(2),
        length => after.split_at_checked(usize::from(length).div_ceil(4)),
    }
}

/// What stands in front of a rest.
fn before<'a, T>(whole: &'a [T], rest: &[T]) -> &'a [T] {
    whole.get(..whole.len().saturating_sub(rest.len())).unwrap_or_default()
}

#[cold]
fn overrun(head: &Word, after: &[Word]) -> DecodeError {
    let left = after.as_flattened().len();
    DecodeError::AttributeOverrun { attribute: kind(head), length: length(head), left }
}
