//! What was wrong with a line, where, and whether the session survives it.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// A text that did not become a value.
///
/// It says for a person where the fault is, what was expected and what stood there, and for the program which
/// [`kind`](Self::kind) it is. What stood there is quoted, escaped to printable ASCII and cut short, so that it can be
/// logged as it is; it never holds a part of a password that is longer than one character.
///
/// It is as small as a pointer, so that reading what is right pays nothing for it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}column {}: expected {}, found {}", Line(.0.line), .0.column, .0.expected, .0.found)]
pub struct ParseError(Box<Fault>);

#[derive(Clone, PartialEq, Eq)]
struct Fault {
    kind: ParseErrorKind,
    line: Option<usize>,
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
    /// The line is longer than [`MAX_ICE_LINE`](crate::MAX_ICE_LINE), or the description exceeds its
    /// [`Limits`](crate::Limits).
    TooLong,
    /// The line ended before all that must be in it was there, or the description before all of its lines were.
    Incomplete,
    /// The text does not follow the grammar.
    Malformed,
    /// A number, or the length of a text, is outside its limits.
    OutOfRange,
    /// The line follows the grammar, but with a candidate type or an address of a kind that this crate does not know.
    /// RFC 8839 section 5.1 has such lines ignored.
    Unsupported,
    /// The line is of a sort that may not stand here (RFC 8866 section 5 has an order).
    Misplaced,
    /// The line, or the name in it, is there already, and there can be only one.
    Repeated,
}

impl ParseError {
    #[cold]
    pub(crate) fn new(kind: ParseErrorKind, column: usize, expected: &'static str, found: String) -> Self {
        Self(Box::new(Fault { kind, line: None, column, expected, found }))
    }

    /// The same fault, in line number `line` of a description.
    pub(crate) fn at_line(mut self, line: usize) -> Self {
        self.0.line = Some(line);
        self
    }

    /// The sort of fault.
    pub fn kind(&self) -> ParseErrorKind {
        self.0.kind
    }

    /// The number of the line, the first being 1, if more than one line was read.
    pub fn line(&self) -> Option<usize> {
        self.0.line
    }

    /// Where it is: the number of the byte in the line, the first being 1.
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// What should have stood there, as a phrase.
    pub fn expected(&self) -> &'static str {
        self.0.expected
    }

    /// What stood there instead: a short quotation, or a phrase such as `end of line`. Printable ASCII only.
    pub fn found(&self) -> &str {
        &self.0.found
    }

    /// Whether the line is to be dropped without blaming the peer: it is not wrong, only unknown to us.
    pub fn is_ignorable(&self) -> bool {
        self.0.kind == ParseErrorKind::Unsupported
    }
}

impl fmt::Debug for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParseError({:?}, \"{self}\")", self.kind())
    }
}

/// "line 3, ", or nothing.
struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(line) => write!(f, "line {line}, "),
            None => Ok(()),
        }
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
            ParseErrorKind::Misplaced,
            ParseErrorKind::Repeated,
        ] {
            assert!(!of(kind).is_ignorable(), "{kind:?}");
        }
        let error = of(ParseErrorKind::Empty);
        assert_eq!(error.to_string(), "column 1: expected this, found that");
        assert_eq!(error.at_line(7).to_string(), "line 7, column 1: expected this, found that");
    }
}
