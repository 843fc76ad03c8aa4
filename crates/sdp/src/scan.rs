//! Cuts a line into its attribute name, its value and the fields of the value, each with its column.
//!
//! ```text
//!   a=candidate:1 1 UDP …          AttributeLine: name "candidate", value at column 13
//!               ┬ ┬ ┬──            Field, Field, Field: parted by exactly one space, possibly empty
//! ```
//!
//! A [`Field`] carries the checks of the grammar's small words (`ice-char`, `token`, digits), so that every error
//! knows where it happened.

use alloc::borrow::ToOwned;
use alloc::format;
use core::net::IpAddr;
use core::ops::RangeInclusive;

use crate::class::Class;
use crate::error::{ParseError, ParseErrorKind, quoted};
use crate::ip::leading_ipv4;
use crate::line::position;

/// The longest line of ICE that is read, in bytes, without its end.
///
/// RFC 8839 sets no bound, extensions can go on for ever. Candidate lines of browsers have about 200 bytes.
pub const MAX_ICE_LINE: usize = 4096;

/// One attribute line, with or without "a=" in front and a line end behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttributeLine<'a> {
    /// All of it but the line end.
    text: &'a str,
    /// Where the name begins: behind "a=".
    begin: usize,
    /// Where the first colon stands, or else the line ends.
    colon: usize,
}

/// A piece of the text and the column of its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) text: &'a str,
    pub(crate) column: usize,
}

/// The fields of a value, from left to right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    value: Field<'a>,
    /// Where in the value the next field begins. Behind its end if there is none.
    at: usize,
}

impl<'a> AttributeLine<'a> {
    /// Finds the name and the value; what they hold is not looked at yet.
    pub(crate) fn split(text: &'a str) -> Self {
        let line = text.strip_suffix('\n').unwrap_or(text);
        Self::of_line(line.strip_suffix('\r').unwrap_or(line))
    }

    /// The same of a line without its end.
    #[inline]
    pub(crate) fn of_line(text: &'a str) -> Self {
        let begin = if text.starts_with("a=") { 2 } else { 0 };
        let name = position(b':', text.as_bytes().get(begin..).unwrap_or_default());
        Self { text, begin, colon: begin.saturating_add(name) }
    }

    /// All of it but the line end.
    pub(crate) fn line(&self) -> Field<'a> {
        Field { text: self.text, column: 1 }
    }

    /// What stands before the first colon.
    #[inline]
    pub(crate) fn name(&self) -> Field<'a> {
        let text = self.text.get(self.begin..self.colon).unwrap_or_default();
        Field { text, column: self.begin.saturating_add(1) }
    }

    /// Refuses what is too long or not one line of text (RFC 8866 section 9: `byte-string`).
    pub(crate) fn check_line(&self) -> Result<(), ParseError> {
        self.check_length()?;
        self.check_controls()
    }

    fn check_length(&self) -> Result<(), ParseError> {
        if self.text.len() > MAX_ICE_LINE {
            let found = format!("{} bytes", self.text.len());
            return Err(ParseError::new(ParseErrorKind::TooLong, 1, "a line of at most 4096 bytes", found));
        }
        Ok(())
    }

    pub(crate) fn check_controls(&self) -> Result<(), ParseError> {
        self.line().check_each(Class::BYTE, "a single line of text")
    }

    /// Whether this is the attribute `name`. Receivers match these names in any case (RFC 8840 section 9.2).
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name().text.eq_ignore_ascii_case(name)
    }

    /// The value, which must be there.
    pub(crate) fn value(&self) -> Result<Field<'a>, ParseError> {
        self.value_if_any().ok_or_else(|| self.line().end_error("a colon and a value"))
    }

    /// The value, which must be there, of a line that is not too long.
    pub(crate) fn short_value(&self) -> Result<Field<'a>, ParseError> {
        self.check_length()?;
        self.value()
    }

    /// The value, if there is a colon.
    #[inline]
    pub(crate) fn value_if_any(&self) -> Option<Field<'a>> {
        let behind = self.colon.saturating_add(1);
        Some(Field { text: self.text.get(behind..)?, column: behind.saturating_add(1) })
    }

    /// The value if this is the attribute `name` with a value, or else the line as it stands.
    pub(crate) fn value_or_line(&self, name: &str) -> Field<'a> {
        self.value_if_any().filter(|_| self.is(name)).unwrap_or_else(|| self.line())
    }

    /// Refuses a value: the attribute is a flag.
    pub(crate) fn check_flag(&self) -> Result<(), ParseError> {
        match self.value_if_any() {
            Some(value) => Err(value.error(ParseErrorKind::Malformed, "no value")),
            None => Ok(()),
        }
    }
}

impl<'a> Field<'a> {
    /// The fields between the spaces of this one.
    pub(crate) fn fields(self) -> Fields<'a> {
        Fields { value: self, at: 0 }
    }

    /// Between 1 and `most_digits` ASCII digits, and nothing else, that name a number within `range`.
    #[inline]
    pub(crate) fn number<T>(
        self,
        most_digits: usize,
        range: RangeInclusive<T>,
        expected: &'static str,
    ) -> Result<T, ParseError>
    where
        T: TryFrom<u64> + PartialOrd,
    {
        if self.text.len() > most_digits {
            return Err(self.error(ParseErrorKind::Malformed, expected));
        }
        match T::try_from(self.natural(expected)?) {
            Ok(number) if range.contains(&number) => Ok(number),
            Ok(_) | Err(_) => Err(self.error(ParseErrorKind::OutOfRange, expected)),
        }
    }

    /// `1*DIGIT`. What is too large for 64 bits is as good as the largest number.
    pub(crate) fn natural(self, expected: &'static str) -> Result<u64, ParseError> {
        let digits = self.digits(expected)?;
        let (number, run) = leading_number(digits.as_bytes());
        Ok(if run <= MOST_DIGITS { number } else { digits.parse().unwrap_or(u64::MAX) })
    }

    /// `ice-char`s only, as many as `lengths` allows (RFC 8839 section 5.1).
    ///
    /// The text may be a password: the error shows its length or the one character that is wrong.
    #[inline]
    pub(crate) fn ice_chars(
        self,
        lengths: RangeInclusive<usize>,
        expected: &'static str,
    ) -> Result<&'a str, ParseError> {
        self.check_each(Class::ICE, expected)?;
        if !lengths.contains(&self.text.len()) {
            return Err(self.length_error(expected));
        }
        Ok(self.text)
    }

    /// A `token` (RFC 8866 section 9).
    #[inline]
    pub(crate) fn token(self, expected: &'static str) -> Result<&'a str, ParseError> {
        self.made_of(Class::TOKEN, expected)
    }

    /// `1*DIGIT`, however large.
    #[inline]
    pub(crate) fn digits(self, expected: &'static str) -> Result<&'a str, ParseError> {
        self.made_of(Class::DIGIT, expected)
    }

    /// A `byte-string` (RFC 8866 section 9): anything but NUL, CR and LF.
    pub(crate) fn byte_string(self, expected: &'static str) -> Result<&'a str, ParseError> {
        self.made_of(Class::BYTE, expected)
    }

    /// Visible ASCII characters, perhaps none (`*VCHAR`).
    #[inline]
    pub(crate) fn visible(self, expected: &'static str) -> Result<&'a str, ParseError> {
        self.check_each(Class::VISIBLE, expected)?;
        Ok(self.text)
    }

    #[inline]
    fn made_of(self, class: Class, expected: &'static str) -> Result<&'a str, ParseError> {
        if !class.makes(self.text) {
            return Err(self.error(ParseErrorKind::Malformed, expected));
        }
        Ok(self.text)
    }

    /// Each character, if there is one, is of that class of ASCII. The error shows the first that is not.
    #[inline]
    pub(crate) fn check_each(self, class: Class, expected: &'static str) -> Result<(), ParseError> {
        if class.has_all(self.text) {
            return Ok(());
        }
        Err(self.first_but(class).unwrap_or(self).error(ParseErrorKind::Malformed, expected))
    }

    /// An error about this field as a whole.
    pub(crate) fn error(self, kind: ParseErrorKind, expected: &'static str) -> ParseError {
        ParseError::new(kind, self.column, expected, quoted(self.text))
    }

    /// An error that does not show what stands here, which may be a secret, but how much of it.
    pub(crate) fn length_error(self, expected: &'static str) -> ParseError {
        let found = format!("{} characters", self.text.len());
        ParseError::new(ParseErrorKind::OutOfRange, self.column, expected, found)
    }

    /// An error about what should have followed this field.
    pub(crate) fn end_error(self, expected: &'static str) -> ParseError {
        ParseError::new(ParseErrorKind::Incomplete, self.end(), expected, "end of line".to_owned())
    }

    /// The first character that is not of that class.
    fn first_but(self, class: Class) -> Option<Self> {
        self.character(self.text.bytes().position(|byte| !class.has(byte))?)
    }

    /// The character that begins with the byte `at`.
    pub(crate) fn character(self, at: usize) -> Option<Self> {
        let rest = self.text.get(at..)?;
        let text = rest.get(..rest.chars().next()?.len_utf8())?;
        Some(Self { text, column: self.column.saturating_add(at) })
    }

    /// What stands before and after the first `separator`, a character of ASCII.
    #[inline]
    pub(crate) fn cut(self, separator: u8) -> Option<(Self, Self)> {
        // Fields are short: this is quicker here than a search that is made for long texts.
        let at = position(separator, self.text.as_bytes());
        let behind = at.checked_add(1)?;
        let after = Self { text: self.text.get(behind..)?, column: self.column.saturating_add(behind) };
        Some((Self { text: self.text.get(..at)?, ..self }, after))
    }

    fn end(self) -> usize {
        self.column.saturating_add(self.text.len())
    }
}

impl<'a> Fields<'a> {
    /// What has not been read yet.
    pub(crate) fn rest(self) -> Option<Field<'a>> {
        Some(Field { text: self.value.text.get(self.at..)?, column: self.column() })
    }

    /// Nothing may follow.
    pub(crate) fn end(&mut self) -> Result<(), ParseError> {
        match self.next() {
            Some(more) => Err(more.error(ParseErrorKind::Malformed, "the end of the line")),
            None => Ok(()),
        }
    }

    /// The next field, which must be there.
    #[inline]
    pub(crate) fn need(&mut self, expected: &'static str) -> Result<Field<'a>, ParseError> {
        self.next().ok_or_else(|| self.value.end_error(expected))
    }

    /// The next field, which must be there, and of which every byte is of that class. Where that is so, as nearly always,
    /// one look at each byte is enough.
    #[inline]
    pub(crate) fn need_of(&mut self, class: Class, expected: &'static str) -> Result<&'a str, ParseError> {
        let run = class.run(self.ahead());
        if run > 0
            && let Some(field) = self.take(run)
        {
            return Ok(field.text);
        }
        self.need(expected)?.made_of(class, expected)
    }

    /// The next field, if it is an IP address; likewise.
    #[inline]
    pub(crate) fn ip(&mut self) -> Option<IpAddr> {
        let ahead = self.ahead();
        let (ip, behind) = leading_ipv4(ahead)?;
        self.skip(ahead.len().checked_sub(behind.len())?)?;
        Some(ip.into())
    }

    /// The next field, which must be there and may be empty, as [`Field::visible`] reads it; likewise.
    #[inline]
    pub(crate) fn visible(&mut self, expected: &'static str) -> Result<&'a str, ParseError> {
        match self.take(Class::VISIBLE.run(self.ahead())) {
            Some(field) => Ok(field.text),
            None => self.need(expected)?.visible(expected),
        }
    }

    /// The next field, which must be there, as [`Field::number`] reads it; likewise.
    #[inline]
    pub(crate) fn number<T>(
        &mut self,
        most_digits: usize,
        range: RangeInclusive<T>,
        expected: &'static str,
    ) -> Result<T, ParseError>
    where
        T: TryFrom<u64> + PartialOrd,
    {
        let (number, run) = leading_number(self.ahead());
        if (1..=most_digits.min(MOST_DIGITS)).contains(&run)
            && let Ok(number) = T::try_from(number)
            && range.contains(&number)
            && self.skip(run).is_some()
        {
            return Ok(number);
        }
        self.need(expected)?.number(most_digits, range, expected)
    }

    /// The next field, which must be the word `keyword`, in any case (RFC 5234 section 2.3).
    #[inline]
    pub(crate) fn keyword(&mut self, keyword: &str, expected: &'static str) -> Result<(), ParseError> {
        if self.take_word(keyword) {
            return Ok(());
        }
        let field = self.need(expected)?;
        if field.text.eq_ignore_ascii_case(keyword) {
            return Ok(());
        }
        Err(field.error(ParseErrorKind::Malformed, expected))
    }

    /// Passes over the next field, if it is `word`.
    #[inline]
    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        self.ahead().starts_with(word.as_bytes()) && self.skip(word.len()).is_some()
    }

    /// The bytes of what has not been read yet.
    #[inline]
    pub(crate) fn ahead(self) -> &'a [u8] {
        self.value.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn column(self) -> usize {
        self.value.column.saturating_add(self.at)
    }

    /// The next field, if it is `width` bytes wide.
    #[inline]
    fn take(&mut self, width: usize) -> Option<Field<'a>> {
        let (begin, column) = (self.at, self.column());
        let end = self.skip(width)?;
        Some(Field { text: self.value.text.get(begin..end)?, column })
    }

    /// Passes over the next field, if it is `width` bytes wide. Where it ends.
    #[inline]
    fn skip(&mut self, width: usize) -> Option<usize> {
        let end = self.at.checked_add(width)?;
        if self.at <= self.value.text.len()
            && matches!(self.value.text.as_bytes().get(end), None | Some(b' '))
        {
            self.at = end.checked_add(1)?;
            return Some(end);
        }
        None
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let ahead = self.ahead();
        self.take(ahead.iter().position(|&byte| byte == b' ').unwrap_or(ahead.len()))
    }
}

/// The number that the text begins with, and how many digits it has. With more than [`MOST_DIGITS`] it is another.
#[inline]
fn leading_number(text: &[u8]) -> (u64, usize) {
    let (mut number, mut run) = (0_u64, 0_usize);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(digit.into());
        run = run.wrapping_add(1);
    }
    (number, run)
}

/// No number of 19 digits is too large for 64 bits.
const MOST_DIGITS: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn fields_are_parted_by_single_spaces_and_know_their_columns() {
        let fields = AttributeLine::split("a=x:é  b ").value().unwrap().fields();
        let seen: Vec<_> = fields.map(|f| (f.text, f.column)).collect();
        assert_eq!(seen, vec![("é", 5), ("", 8), ("b", 9), ("", 11)]);
    }

    #[test]
    fn one_line_end_of_any_sort_is_no_part_of_the_line() {
        for text in ["x:1", "x:1\n", "x:1\r\n", "x:1\r"] {
            let attribute = AttributeLine::split(text);
            attribute.check_line().unwrap();
            assert_eq!(attribute.line().text, "x:1", "{text:?}");
        }
        for (text, column) in [("x:1\n\n", 4), ("x:1\r\r\n", 4), ("x\0:1", 2), ("\nx:1", 1)] {
            let error = AttributeLine::split(text).check_line().unwrap_err();
            assert_eq!((error.kind(), error.column()), (ParseErrorKind::Malformed, column), "{text:?}");
        }
    }

    #[test]
    fn a_line_of_4096_bytes_is_read_and_one_of_4097_is_not() {
        assert!(AttributeLine::split(&"x".repeat(4096)).check_line().is_ok());
        let error = AttributeLine::split(&"x".repeat(4097)).check_line().unwrap_err();
        assert_eq!((error.kind(), error.found()), (ParseErrorKind::TooLong, "4097 bytes"));
    }

    #[test]
    fn a_number_may_have_more_digits_than_fit() {
        for (text, number) in [
            ("9999999999999999999", 9_999_999_999_999_999_999),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            ("18446744073709551696", u64::MAX),
            ("99999999999999999999999999999999999999999", u64::MAX),
            ("000000000000000000000000000080", 80),
        ] {
            let field = Field { text, column: 1 };
            assert_eq!(field.natural(""), Ok(number), "{text}");
            let port = u16::try_from(number).map_err(|_| ParseErrorKind::OutOfRange);
            let read = field.fields().number(usize::MAX, 0..=u16::MAX, "");
            assert_eq!(read.map_err(|error| error.kind()), port, "{text}");
        }
    }

    #[test]
    fn a_number_is_digits_in_their_range() {
        let read = |text| Field { text, column: 1 }.number(3, 1..=256_u16, "").map_err(|e| e.kind());
        assert_eq!(read("1"), Ok(1));
        assert_eq!(read("007"), Ok(7));
        assert_eq!(read("256"), Ok(256));
        for text in ["0", "000", "257", "999"] {
            assert_eq!(read(text), Err(ParseErrorKind::OutOfRange), "{text}");
        }
        for text in ["", "+1", "-1", "0001", "1x", "٨", "0x1", "1_0"] {
            assert_eq!(read(text), Err(ParseErrorKind::Malformed), "{text}");
        }
    }
}
