//! Reads the lines of a description in their order, the session first, then its sections (RFC 8866 section 5).
//!
//! ```text
//!   v o s [i] [u] e* p* [c] b* (t r* z?)+ [k] a*  ┐
//!                                                 ├▶ m [i] c* b* [k] a*  ◀┐
//!                                                 │  └────────── m ───────┘
//!                                                 └▶ end
//! ```
//!
//! Known departures from the letter, all towards being generous:
//!
//! - "s=" may be empty: RFC 9143 itself has such examples.
//! - "r=" and "z=" may follow each other in any order.
//! - Lines end with CRLF or LF, and the last one need not end.

use alloc::format;
use alloc::vec::Vec;

use crate::attribute::Attribute;
use crate::error::{ParseError, ParseErrorKind};
use crate::line::cut_line;
use crate::media::{Connection, Level, Media, once};
use crate::scan::Field;
use crate::session::{Limits, Origin, SessionDescription};

/// Where the reader is in the text: between two lines.
pub(crate) struct Reader<'a, 'l> {
    text: &'a str,
    limits: &'l Limits,
    rest: &'a str,
    /// Of the line that was cut off last.
    number: usize,
    /// Where in that line a byte stands that may not be in a text.
    wrong: Option<usize>,
    is_fragment: bool,
}

/// A line whose shape is checked: one lower-case letter, "=", no NUL and no CR.
#[derive(Clone, Copy)]
struct Checked<'a> {
    kind: u8,
    text: &'a str,
}

impl<'a, 'l> Reader<'a, 'l> {
    pub(crate) fn new(text: &'a str, limits: &'l Limits, is_fragment: bool) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::new(ParseErrorKind::Empty, 1, VERSION_LINE, "no text".into()));
        }
        if text.len() > limits.text {
            let found = format!("{} bytes", text.len());
            return Err(ParseError::new(ParseErrorKind::TooLong, 1, "a text within the limit", found));
        }
        Ok(Self { text, limits, rest: text, number: 0, wrong: None, is_fragment })
    }

    /// "v=", "o=" and "s=".
    pub(crate) fn read_first_lines(&mut self) -> Result<SessionDescription<'a>, ParseError> {
        let version = self.need(b'v', VERSION_LINE)?;
        version.digits(VERSION_LINE).map_err(|error| self.here(error))?;
        if version.text.bytes().any(|digit| digit != b'0') {
            return Err(self.here(version.error(ParseErrorKind::Unsupported, VERSION_LINE)));
        }
        let origin = Origin::read(self.need(b'o', ORIGIN_LINE)?).map_err(|error| self.here(error))?;
        let name = self.need(b's', NAME_LINE)?.text;
        Ok(SessionDescription {
            text: self.text,
            origin,
            name,
            connection: None,
            times: "",
            level: Level::default(),
            groups: Vec::new(),
            is_lite: false,
            ice_pacing: None,
            media: Vec::with_capacity(1),
        })
    }

    /// What else stands in front of the first "m=".
    pub(crate) fn read_session(
        &mut self,
        description: &mut SessionDescription<'a>,
    ) -> Result<(), ParseError> {
        let mut order = Order::new(SESSION);
        while let Some(line) = self.next_of_level()? {
            let read = order.check(line).and_then(|()| read_session_line(description, line));
            read.map_err(|error| self.here(error))?;
        }
        if !order.has(b't') {
            self.need(b't', TIME_LINE)?;
        }
        Ok(())
    }

    /// The next section. Whether there was one.
    pub(crate) fn read_media(
        &mut self,
        description: &mut SessionDescription<'a>,
    ) -> Result<bool, ParseError> {
        let is_there = self.read_section(&mut description.media)?;
        if description.connection.is_none()
            && let Some(media) = description.media.last().filter(|media| media.connection.is_none())
        {
            let found = "a section without one".into();
            let error = ParseError::new(ParseErrorKind::Incomplete, 1, "a \"c=\" line here or above", found);
            return Err(error.at_line(media.first_line));
        }
        Ok(is_there)
    }

    /// A section of a description, or of a fragment, up to the next "m=". Whether there was one.
    pub(crate) fn read_section(&mut self, sections: &mut Vec<Media<'a>>) -> Result<bool, ParseError> {
        let from_here = self.rest;
        let Some(first) = self.next()? else { return Ok(false) };
        if sections.len() == self.limits.media {
            return Err(self.here(first.line().error(ParseErrorKind::TooLong, "no more sections")));
        }
        let mut order = Order::new(MEDIA);
        let read = Media::read(first.value(), self.number, self.is_fragment);
        let mut media = read.map_err(|error| self.here(error))?;
        media.transport = sections.len();
        while let Some(line) = self.next_of_level()? {
            let read = order.check(line).and_then(|()| read_media_line(&mut media, line));
            read.map_err(|error| self.here(error))?;
        }
        let length = from_here.len().saturating_sub(self.rest.len());
        media.text = from_here.get(..length).unwrap_or_default();
        sections.push(media);
        Ok(true)
    }

    /// Attribute lines alone, up to the next "m=": how a fragment begins.
    pub(crate) fn read_attributes(
        &mut self,
        mut take: impl FnMut(Attribute<'a>, Field<'a>) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        while let Some(line) = self.next_of_level()? {
            if line.kind != b'a' {
                return Err(self.here(line.misplaced("an attribute or a section")));
            }
            let read = line.attribute().and_then(|attribute| take(attribute, line.line()));
            passed_over(read).map_err(|error| self.here(error))?;
        }
        Ok(())
    }

    /// The next line, unless a section begins with it.
    #[inline]
    fn next_of_level(&mut self) -> Result<Option<Checked<'a>>, ParseError> {
        if self.rest.starts_with("m=") { Ok(None) } else { self.next() }
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Checked<'a>>, ParseError> {
        let Some(text) = self.cut() else { return Ok(None) };
        match text.as_bytes() {
            [kind @ b'a'..=b'z', b'=', ..]
                if self.wrong.is_none()
                    && self.number <= self.limits.lines
                    && text.len() <= self.limits.line =>
            {
                Ok(Some(Checked { kind: *kind, text }))
            }
            _ => Err(self.here(self.fault(text))),
        }
    }

    // A text comes back in two registers. All of a line would go through memory and be waited for.
    #[inline(never)]
    fn cut(&mut self) -> Option<&'a str> {
        let cut = cut_line(self.rest)?;
        self.number = self.number.saturating_add(1);
        (self.rest, self.wrong) = (cut.rest, cut.wrong);
        Some(cut.line)
    }

    /// What is wrong with the shape of the line that was cut off.
    #[cold]
    fn fault(&self, text: &str) -> ParseError {
        let line = Field { text, column: 1 };
        let too_long = |expected, found| ParseError::new(ParseErrorKind::TooLong, 1, expected, found);
        if self.number > self.limits.lines {
            return too_long("no more lines", format!("line {}", self.number));
        }
        if text.len() > self.limits.line {
            return too_long("a line within the limit", format!("{} bytes", text.len()));
        }
        if let Some(wrong) = self.wrong.and_then(|at| line.character(at)) {
            return wrong.error(ParseErrorKind::Malformed, "a line of text");
        }
        // What stands there may be the rest of a line that holds a password: a single character is shown.
        let (at, expected) = match text.as_bytes() {
            [b'a'..=b'z', ..] => (1, EQUALS),
            _ => (0, LETTER),
        };
        let wrong = line.character(at).map(|wrong| wrong.error(ParseErrorKind::Malformed, expected));
        wrong.unwrap_or_else(|| line.end_error(expected))
    }

    /// The value of the next line, which must be of that kind.
    fn need(&mut self, kind: u8, expected: &'static str) -> Result<Field<'a>, ParseError> {
        match self.next()? {
            Some(line) if line.kind == kind => Ok(line.value()),
            Some(line) => Err(self.here(line.misplaced(expected))),
            None => {
                let error = ParseError::new(ParseErrorKind::Incomplete, 1, expected, "end of text".into());
                Err(error.at_line(self.number.saturating_add(1)))
            }
        }
    }

    fn here(&self, error: ParseError) -> ParseError {
        error.at_line(self.number)
    }
}

impl<'a> Checked<'a> {
    #[inline]
    fn line(self) -> Field<'a> {
        Field { text: self.text, column: 1 }
    }

    /// What stands behind "=".
    #[inline]
    fn value(self) -> Field<'a> {
        Field { text: self.text.get(2..).unwrap_or_default(), column: 3 }
    }

    /// An error about the sort of this line. It shows the letter only.
    fn misplaced(self, expected: &'static str) -> ParseError {
        self.letter().error(ParseErrorKind::Misplaced, expected)
    }

    fn letter(self) -> Field<'a> {
        Field { text: self.text.get(..2).unwrap_or_default(), column: 1 }
    }

    #[inline]
    fn attribute(self) -> Result<Attribute<'a>, ParseError> {
        Attribute::read(self.text)
    }
}

/// What has been seen of a level, so that its lines come in their order.
struct Order {
    rules: &'static [Rule],
    /// The place in `rules` of the last line.
    last: Option<usize>,
    /// Whether there was a line of the rule that must be met.
    has_required: bool,
    /// Nothing but attributes can follow.
    is_in_attributes: bool,
}

struct Rule {
    kinds: &'static [u8],
    repeats: bool,
    /// The rule must be met, by its first kind first.
    required: bool,
}

impl Order {
    fn new(rules: &'static [Rule]) -> Self {
        Self { rules, last: None, has_required: false, is_in_attributes: false }
    }

    fn has(&self, kind: u8) -> bool {
        self.has_required || !self.rules.iter().any(|rule| rule.required && rule.kinds.contains(&kind))
    }

    #[inline]
    fn check(&mut self, line: Checked<'_>) -> Result<(), ParseError> {
        // Attributes come last, and nearly all lines are such.
        if line.kind == b'a' && self.is_in_attributes {
            return Ok(());
        }
        self.check_place(line)
    }

    fn check_place(&mut self, line: Checked<'_>) -> Result<(), ParseError> {
        let Some(place) = self.rules.iter().position(|rule| rule.kinds.contains(&line.kind)) else {
            return Err(line.misplaced("a line that a description can have here"));
        };
        let Some(rule) = self.rules.get(place) else { return Ok(()) };
        if self.last.is_some_and(|last| place < last) {
            return Err(line.misplaced("a later line in the order of RFC 8866 section 5"));
        }
        if self.last == Some(place) && !rule.repeats {
            return Err(line.letter().error(ParseErrorKind::Repeated, "this line only once here"));
        }
        if rule.required && !self.has_required && rule.kinds.first() != Some(&line.kind) {
            return Err(line.misplaced(TIME_LINE));
        }
        let passed_over = |skipped: &Rule| skipped.required && !self.has_required;
        if self.rules.get(..place).unwrap_or_default().iter().any(passed_over) {
            return Err(line.misplaced(TIME_LINE));
        }
        self.last = Some(place);
        self.is_in_attributes = line.kind == b'a';
        self.has_required |= rule.required;
        Ok(())
    }
}

const fn rule(kinds: &'static [u8], repeats: bool, required: bool) -> Rule {
    Rule { kinds, repeats, required }
}

/// What follows v, o and s.
const SESSION: &[Rule] = &[
    rule(b"i", false, false),
    rule(b"u", false, false),
    rule(b"e", true, false),
    rule(b"p", true, false),
    rule(b"c", false, false),
    rule(b"b", true, false),
    rule(b"trz", true, true),
    rule(b"k", false, false),
    rule(b"a", true, false),
];

/// What follows m. Several "c=" lines are layers of multicast.
const MEDIA: &[Rule] = &[
    rule(b"i", false, false),
    rule(b"c", true, false),
    rule(b"b", true, false),
    rule(b"k", false, false),
    rule(b"a", true, false),
];

fn read_session_line<'a>(
    description: &mut SessionDescription<'a>,
    line: Checked<'a>,
) -> Result<(), ParseError> {
    match line.kind {
        b'a' => passed_over(line.attribute().and_then(|attribute| description.take(attribute, line.line()))),
        b'c' => once(&mut description.connection, Connection::read(line.value())?, line.line()),
        b't' => {
            check_times(line.value())?;
            if description.times.is_empty() {
                description.times = line.value().text;
            }
            Ok(())
        }
        _ => check_other(line),
    }
}

fn read_media_line<'a>(media: &mut Media<'a>, line: Checked<'a>) -> Result<(), ParseError> {
    match line.kind {
        b'a' => media.take(line.attribute(), line.line()),
        b'c' => {
            let connection = Connection::read(line.value())?;
            media.connection.get_or_insert(connection);
            Ok(())
        }
        _ => check_other(line),
    }
}

/// Candidates and fingerprints of an unknown sort are left out (RFC 8839 section 5.1, RFC 8122 section 5).
pub(crate) fn passed_over(read: Result<(), ParseError>) -> Result<(), ParseError> {
    read.or_else(|error| if error.is_ignorable() { Ok(()) } else { Err(error) })
}

/// The syntax of the lines that are of no use here (RFC 9429 section 5.8.1).
fn check_other(line: Checked<'_>) -> Result<(), ParseError> {
    let value = line.value();
    match line.kind {
        b'b' => {
            let Some((kind, number)) = value.cut(b':') else {
                return Err(value.error(ParseErrorKind::Malformed, BANDWIDTH));
            };
            kind.token(BANDWIDTH)?;
            number.digits(BANDWIDTH).map(|_| ())
        }
        b'r' => check_repeat(value),
        b'z' => check_zones(value),
        b'k' => check_key(value),
        _ if value.text.is_empty() => Err(value.end_error("a text")),
        _ => Ok(()),
    }
}

/// RFC 8866 section 5.9: zero, or ten digits and more.
fn check_times(value: Field<'_>) -> Result<(), ParseError> {
    let mut fields = value.fields();
    for _ in 0..2 {
        let time = fields.need(TIME)?;
        let digits = time.digits(TIME)?;
        if digits != "0" && (digits.len() < 10 || digits.starts_with('0')) {
            return Err(time.error(ParseErrorKind::Malformed, TIME));
        }
    }
    fields.end()
}

/// RFC 8866 section 5.10: an interval, a duration, and at least one offset.
fn check_repeat(value: Field<'_>) -> Result<(), ParseError> {
    let mut fields = value.fields();
    let interval = fields.need(SPAN)?;
    if interval.text.starts_with('0') {
        return Err(interval.error(ParseErrorKind::OutOfRange, "a span of time above zero"));
    }
    check_span(interval)?;
    check_span(fields.need(SPAN)?)?;
    check_span(fields.need(SPAN)?)?;
    fields.try_for_each(check_span)
}

/// RFC 8866 section 5.11: times, each with how far the clock is put then.
fn check_zones(value: Field<'_>) -> Result<(), ParseError> {
    let mut fields = value.fields();
    while fields.rest().is_some() {
        let time = fields.need(TIME)?;
        if time.digits(TIME)?.len() < 10 || time.text.starts_with('0') {
            return Err(time.error(ParseErrorKind::Malformed, TIME));
        }
        let span = fields.need(SPAN)?;
        check_span(Field { text: span.text.strip_prefix('-').unwrap_or(span.text), ..span })?;
    }
    Ok(())
}

/// Digits, perhaps before a unit.
fn check_span(field: Field<'_>) -> Result<(), ParseError> {
    let digits = field.text.strip_suffix(['d', 'h', 'm', 's']).unwrap_or(field.text);
    Field { text: digits, ..field }.digits(SPAN).map(|_| ())
}

/// RFC 8866 section 5.12. It may be a key that stands here, and is not shown.
fn check_key(value: Field<'_>) -> Result<(), ParseError> {
    let (kind, key) = value.cut(b':').map_or((value.text, None), |(kind, key)| (kind.text, Some(key.text)));
    match (kind, key) {
        ("prompt", None) => Ok(()),
        ("clear" | "base64" | "uri", Some(key)) if !key.is_empty() => Ok(()),
        _ => Err(ParseError::new(ParseErrorKind::Malformed, value.column, KEY, "something else".into())),
    }
}

const VERSION_LINE: &str = "\"v=0\"";
const ORIGIN_LINE: &str = "an \"o=\" line";
const NAME_LINE: &str = "an \"s=\" line";
const TIME_LINE: &str = "a \"t=\" line";
const LETTER: &str = "the letter of a line";
const EQUALS: &str = "\"=\" behind one letter";
const BANDWIDTH: &str = "a kind of bandwidth, a colon and digits";
const SPAN: &str = "a span of time, digits and perhaps a unit";
const KEY: &str = "prompt, or clear, base64 or uri with a key";
const TIME: &str = "a time, 0 or at least ten digits";
