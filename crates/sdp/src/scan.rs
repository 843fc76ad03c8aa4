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
use core::ops::RangeInclusive;
use core::str::FromStr;

use crate::error::{ParseError, ParseErrorKind, quoted};

/// The longest line that is read, in bytes, with all that was given: prefix and line end too.
///
/// RFC 8839 sets no bound, extensions can go on for ever. Candidate lines of browsers have about 200 bytes.
pub const MAX_ICE_LINE: usize = 4096;

/// One attribute line, with or without "a=" in front and a line end behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttributeLine<'a> {
    given: usize,
    /// All of it but the line end.
    pub(crate) line: Field<'a>,
    /// What stands before the first colon.
    pub(crate) name: Field<'a>,
    value: Option<Field<'a>>,
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
    rest: Option<Field<'a>>,
    end: usize,
}

impl<'a> AttributeLine<'a> {
    /// Finds the name and the value; what they hold is not looked at yet.
    pub(crate) fn split(text: &'a str) -> Self {
        let line = text.strip_suffix('\n').unwrap_or(text);
        Self { given: text.len(), ..Self::of_line(line.strip_suffix('\r').unwrap_or(line)) }
    }

    /// The same of a line without its end.
    #[inline]
    pub(crate) fn of_line(line: &'a str) -> Self {
        let given = line.len();
        let line = Field { text: line, column: 1 };
        let body = match line.text.strip_prefix("a=") {
            Some(body) => Field { text: body, column: 3 },
            None => line,
        };
        let (name, value) = match body.cut(b':') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        Self { given, line, name, value }
    }

    /// Refuses what is too long or not one line of text (RFC 8866 section 9: `byte-string`).
    pub(crate) fn check_line(&self) -> Result<(), ParseError> {
        self.check_length()?;
        self.check_controls()
    }

    fn check_length(&self) -> Result<(), ParseError> {
        if self.given > MAX_ICE_LINE {
            let found = format!("{} bytes", self.given);
            return Err(ParseError::new(ParseErrorKind::TooLong, 1, "a line of at most 4096 bytes", found));
        }
        Ok(())
    }

    pub(crate) fn check_controls(&self) -> Result<(), ParseError> {
        match self.line.find(|c| matches!(c, '\0' | '\r' | '\n')) {
            Some(control) => Err(control.error(ParseErrorKind::Malformed, "a single line of text")),
            None => Ok(()),
        }
    }

    /// Whether this is the attribute `name`. Receivers match these names in any case (RFC 8840 section 9.2).
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.text.eq_ignore_ascii_case(name)
    }

    /// The value, which must be there.
    pub(crate) fn value(&self) -> Result<Field<'a>, ParseError> {
        self.value.ok_or_else(|| self.line.end_error("a colon and a value"))
    }

    /// The value, which must be there, of a line that is not too long.
    pub(crate) fn short_value(&self) -> Result<Field<'a>, ParseError> {
        self.check_length()?;
        self.value()
    }

    /// The value, if there is a colon.
    pub(crate) fn value_if_any(&self) -> Option<Field<'a>> {
        self.value
    }

    /// The value if this is the attribute `name` with a value, or else the line as it stands.
    pub(crate) fn value_or_line(&self, name: &str) -> Field<'a> {
        self.value.filter(|_| self.is(name)).unwrap_or(self.line)
    }

    /// Refuses a value: the attribute is a flag.
    pub(crate) fn check_flag(&self) -> Result<(), ParseError> {
        match self.value {
            Some(value) => Err(value.error(ParseErrorKind::Malformed, "no value")),
            None => Ok(()),
        }
    }
}

impl<'a> Field<'a> {
    /// The fields between the spaces of this one.
    pub(crate) fn fields(self) -> Fields<'a> {
        Fields { rest: Some(self), end: self.end() }
    }

    /// Between 1 and `most_digits` ASCII digits, and nothing else, that name a number within `range`.
    pub(crate) fn number<T>(
        self,
        most_digits: usize,
        range: RangeInclusive<T>,
        expected: &'static str,
    ) -> Result<T, ParseError>
    where
        T: FromStr + PartialOrd,
    {
        let digits = self.text.bytes().all(|b| b.is_ascii_digit());
        if !digits || !(1..=most_digits).contains(&self.text.len()) {
            return Err(self.error(ParseErrorKind::Malformed, expected));
        }
        match self.text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            Ok(_) | Err(_) => Err(self.error(ParseErrorKind::OutOfRange, expected)),
        }
    }

    /// `ice-char`s only, as many as `lengths` allows (RFC 8839 section 5.1).
    ///
    /// The text may be a password: the error shows its length or the one character that is wrong.
    pub(crate) fn ice_chars(
        self,
        lengths: RangeInclusive<usize>,
        expected: &'static str,
    ) -> Result<&'a str, ParseError> {
        if !self.text.bytes().all(|b| is_ice_char(char::from(b)))
            && let Some(wrong) = self.find(|c| !is_ice_char(c))
        {
            return Err(wrong.error(ParseErrorKind::Malformed, expected));
        }
        if !lengths.contains(&self.text.len()) {
            let found = format!("{} characters", self.text.len());
            return Err(ParseError::new(ParseErrorKind::OutOfRange, self.column, expected, found));
        }
        Ok(self.text)
    }

    /// A `token` (RFC 8866 section 9).
    #[inline]
    pub(crate) fn token(self, expected: &'static str) -> Result<&'a str, ParseError> {
        if self.text.is_empty() || !self.text.bytes().all(is_token_byte) {
            return Err(self.error(ParseErrorKind::Malformed, expected));
        }
        Ok(self.text)
    }

    /// A `non-ws-string` (RFC 8866 section 9): no space, no control character.
    pub(crate) fn word(self, expected: &'static str) -> Result<&'a str, ParseError> {
        if self.text.is_empty() || self.text.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(self.error(ParseErrorKind::Malformed, expected));
        }
        Ok(self.text)
    }

    /// A `byte-string` (RFC 8866 section 9): anything but NUL, CR and LF.
    pub(crate) fn byte_string(self, expected: &'static str) -> Result<&'a str, ParseError> {
        if self.text.is_empty() || self.text.bytes().any(|b| matches!(b, 0 | b'\r' | b'\n')) {
            return Err(self.error(ParseErrorKind::Malformed, expected));
        }
        Ok(self.text)
    }

    /// `1*DIGIT`, however large.
    pub(crate) fn digits(self, expected: &'static str) -> Result<&'a str, ParseError> {
        if self.text.is_empty() || !self.text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(self.error(ParseErrorKind::Malformed, expected));
        }
        Ok(self.text)
    }

    /// Visible ASCII characters, perhaps none (`*VCHAR`).
    pub(crate) fn visible(self, expected: &'static str) -> Result<&'a str, ParseError> {
        if self.text.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(self.text);
        }
        let wrong = self.find(|c| !c.is_ascii_graphic()).unwrap_or(self);
        Err(wrong.error(ParseErrorKind::Malformed, expected))
    }

    /// The word `keyword`, in any case (RFC 5234 section 2.3).
    pub(crate) fn keyword(self, keyword: &str, expected: &'static str) -> Result<(), ParseError> {
        if !self.text.eq_ignore_ascii_case(keyword) {
            return Err(self.error(ParseErrorKind::Malformed, expected));
        }
        Ok(())
    }

    /// An error about this field as a whole.
    pub(crate) fn error(self, kind: ParseErrorKind, expected: &'static str) -> ParseError {
        ParseError::new(kind, self.column, expected, quoted(self.text))
    }

    /// An error about what should have followed this field.
    pub(crate) fn end_error(self, expected: &'static str) -> ParseError {
        ParseError::new(ParseErrorKind::Incomplete, self.end(), expected, "end of line".to_owned())
    }

    /// The first character that `wanted` picks.
    pub(crate) fn find(self, wanted: impl Fn(char) -> bool) -> Option<Self> {
        let (at, c) = self.text.char_indices().find(|&(_, c)| wanted(c))?;
        let text = self.text.get(at..at.saturating_add(c.len_utf8()))?;
        Some(Self { text, column: self.column.saturating_add(at) })
    }

    /// What stands before and after the first `separator`, a character of ASCII.
    #[inline]
    pub(crate) fn cut(self, separator: u8) -> Option<(Self, Self)> {
        // Fields are short: this is quicker here than a search that is made for long texts.
        let at = self.text.bytes().position(|byte| byte == separator)?;
        let (before, rest) = self.text.split_at_checked(at)?;
        let after = rest.get(1..)?;
        let column = self.column.saturating_add(at).saturating_add(1);
        Some((Self { text: before, ..self }, Self { text: after, column }))
    }

    fn end(self) -> usize {
        self.column.saturating_add(self.text.len())
    }
}

impl<'a> Fields<'a> {
    /// What has not been read yet.
    pub(crate) fn rest(self) -> Option<Field<'a>> {
        self.rest
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
        let end = Field { text: "", column: self.end };
        self.next().ok_or_else(|| end.end_error(expected))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let rest = self.rest.take()?;
        let Some((field, rest)) = rest.cut(b' ') else {
            return Some(rest);
        };
        self.rest = Some(rest);
        Some(field)
    }
}

/// `ice-char`: ALPHA, DIGIT, "+" and "/" (RFC 8839 section 5.1).
pub(crate) fn is_ice_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/')
}

/// `token-char` of RFC 8866 section 9, which has all of that of RFC 3261 section 25.1 and a few more.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
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
            assert_eq!(attribute.line.text, "x:1", "{text:?}");
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

    #[test]
    fn the_classes_of_characters_are_those_of_the_grammar() {
        let all = |is: fn(char) -> bool| ('\0'..='\u{ff}').filter(|&c| is(c)).collect::<String>();
        assert_eq!(all(is_ice_char), "+/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
        assert_eq!(
            all(|c| u8::try_from(c).is_ok_and(is_token_byte)),
            "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~"
        );
    }
}
