//! What was wrong with a line, where, and whether the session survives it.

use alloc::format;
use alloc::string::String;

/// A line that did not become a value.
///
/// It says three things for a person (the column, what was expected, what stood there) and one for the program: the
/// [`kind`](Self::kind). What stood there is quoted, escaped to printable ASCII and cut short, so that it can be
/// logged as it is; it never holds a part of a password that is longer than one character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: expected {expected}, found {found}")]
pub struct ParseError {
    kind: ParseErrorKind,
    column: usize,
    expected: &'static str,
    found: String,
}

/// What sort of fault a [`ParseError`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// There was no text at all. In the W3C interface an empty candidate string means end-of-candidates, so whoever
    /// reads such strings should look at this kind first.
    Empty,
    /// The line is longer than [`MAX_ICE_LINE`](crate::MAX_ICE_LINE).
    TooLong,
    /// The line ended before all that must be in it was there.
    Incomplete,
    /// The text does not follow the grammar.
    Malformed,
    /// A number, or the length of a text, is outside its limits.
    OutOfRange,
    /// The line follows the grammar, but with a candidate type or an address of a kind that this crate does not know.
    /// RFC 8839 section 5.1 has such lines ignored.
    Unsupported,
}

impl ParseError {
    pub(crate) fn new(kind: ParseErrorKind, column: usize, expected: &'static str, found: String) -> Self {
        Self { kind, column, expected, found }
    }

    /// The sort of fault.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// Where it is: the number of the byte in the text that was given, the first being 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What should have stood there, as a phrase.
    pub fn expected(&self) -> &'static str {
        self.expected
    }

    /// What stood there instead: a short quotation, or a phrase such as `end of line`. Printable ASCII only.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// Whether the line is to be dropped without blaming the peer: it is not wrong, only unknown to us.
    pub fn is_ignorable(&self) -> bool {
        self.kind == ParseErrorKind::Unsupported
    }
}

/// `text` between quotation marks, printable and short.
pub(crate) fn quoted(text: &str) -> String {
    let shown = text.chars().take(QUOTED).flat_map(char::escape_default).collect::<String>();
    let more = if text.chars().nth(QUOTED).is_some() { "..." } else { "" };
    format!("\"{shown}\"{more}")
}

/// Characters of the input that an error repeats.
const QUOTED: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_quotation_is_short_and_printable_whatever_it_quotes() {
        assert_eq!(quoted("abc"), "\"abc\"");
        assert_eq!(quoted("a\r\n\u{0}\"é"), r#""a\r\n\u{0}\"\u{e9}""#);
        assert_eq!(quoted(&"x".repeat(24)), format!("\"{}\"", "x".repeat(24)));
        assert_eq!(quoted(&"x".repeat(25)), format!("\"{}\"...", "x".repeat(24)));
    }

    #[test]
    fn only_the_unsupported_is_ignorable() {
        let of = |kind| ParseError::new(kind, 1, "this", "that".into());
        assert!(of(ParseErrorKind::Unsupported).is_ignorable());
        for kind in [
            ParseErrorKind::Empty,
            ParseErrorKind::TooLong,
            ParseErrorKind::Incomplete,
            ParseErrorKind::Malformed,
            ParseErrorKind::OutOfRange,
        ] {
            assert!(!of(kind).is_ignorable(), "{kind:?}");
        }
        assert_eq!(of(ParseErrorKind::Empty).to_string(), "column 1: expected this, found that");
    }
}
