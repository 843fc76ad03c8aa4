//! A whole description: its lines in their order, the session first, then its sections (RFC 8866 section 5).
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

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use crate::attribute::{Attribute, Direction, Group};
use crate::credentials::{IcePwd, IceUfrag};
use crate::dtls::{Fingerprint, Setup, TlsId};
use crate::error::{ParseError, ParseErrorKind, quoted};
use crate::ice::IceOptions;
use crate::media::{Connection, Level, Media, once};
use crate::scan::{AttributeLine, Field};

/// A description as it was read: typed where ICE, DTLS and data channels look, and the text itself behind it.
///
/// It borrows from the text, which is kept to the byte: `Display` gives it back, [`lines`](Self::lines) shows every
/// line, also those that nothing here knows, and [`Edit`](crate::Edit) changes some of them and leaves all others be.
#[derive(Clone)]
pub struct SessionDescription<'a> {
    text: &'a str,
    /// "o=": who describes, and which version this is.
    pub origin: Origin<'a>,
    /// "s=": `-`, as a rule.
    pub name: &'a str,
    /// "c=" of the session, for sections without one.
    pub connection: Option<Connection<'a>>,
    /// "t=" lines, as they stand: `0 0`, as a rule.
    times: &'a str,
    /// What may stand here for all sections.
    pub level: Level,
    /// `group` lines in their order.
    pub groups: Vec<Group<'a>>,
    /// The sender is a lite agent (RFC 8839 section 5.3).
    pub is_lite: bool,
    /// `ice-pacing` in milliseconds, as it was written; see [`pacing`](Self::pacing).
    pub ice_pacing: Option<u32>,
    /// The sections in their order.
    pub media: Vec<Media<'a>>,
}

/// "o=" (RFC 8866 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin<'a> {
    /// `-` if there is no user.
    pub username: &'a str,
    /// Digits, as many as it took; RFC 3264 section 5 has at most 63 bits.
    pub session_id: &'a str,
    /// Digits, likewise. It grows by one whenever the description changes.
    pub version: &'a str,
    /// Where the session was made. It means nothing to ICE.
    pub address: Connection<'a>,
}

/// How large a description may be. The defaults are many times what browsers write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole text: 256 KiB.
    pub text: usize,
    /// Lines: 8,192.
    pub lines: usize,
    /// Bytes of one line: 16 KiB. Lines of ICE keep to [`MAX_ICE_LINE`](crate::MAX_ICE_LINE) as well.
    pub line: usize,
    /// Sections: 1,024.
    pub media: usize,
}

/// A line as it stands, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Line<'a> {
    /// The letter in front of "=".
    pub kind: char,
    /// What stands behind it.
    pub value: &'a str,
}

/// The lines of a text that was read.
#[derive(Debug, Clone, Copy)]
pub struct Lines<'a> {
    rest: &'a str,
}

/// One section together with what it has from its session.
#[derive(Debug, Clone, Copy)]
pub struct Section<'d, 'a> {
    session: &'d SessionDescription<'a>,
    media: &'d Media<'a>,
    index: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { text: 256 * 1024, lines: 8192, line: 16 * 1024, media: 1024 }
    }
}

impl<'a> SessionDescription<'a> {
    /// Reads a description within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// With line and column: a line is of the wrong sort or in the wrong place, a value of an attribute that this
    /// crate knows is malformed, a line that must be there is missing, or one that may stand once stands twice.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Self::parse_within(text, &Limits::default())
    }

    /// Reads a description within limits of your own.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_within(text: &'a str, limits: &Limits) -> Result<Self, ParseError> {
        let mut reader = Reader::new(text, limits)?;
        let mut description = reader.read_session()?;
        while let Some(media) = reader.read_media(&description)? {
            description.media.push(media);
        }
        description.check_mids()?;
        Ok(description)
    }

    /// The text that was read.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// All lines as they stand, also those of the sections.
    pub fn lines(&self) -> Lines<'a> {
        Lines { rest: self.text }
    }

    /// The lines in front of the first section.
    pub fn session_lines(&self) -> Lines<'a> {
        let sections = self.media.iter().map(|media| media.text.len()).sum::<usize>();
        let end = self.text.len().saturating_sub(sections);
        Lines { rest: self.text.get(..end).unwrap_or_default() }
    }

    /// What stands behind the first "t=".
    pub fn times(&self) -> &'a str {
        self.times
    }

    /// The sections with what they have from the session.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_, 'a>> {
        self.media.iter().enumerate().map(|(index, media)| Section { session: self, media, index })
    }

    /// The section at `index`, counted from 0.
    pub fn section(&self, index: usize) -> Option<Section<'_, 'a>> {
        let media = self.media.get(index)?;
        Some(Section { session: self, media, index })
    }

    /// The section of that name.
    pub fn section_named(&self, mid: &str) -> Option<Section<'_, 'a>> {
        self.sections().find(|section| section.media.mid == Some(mid))
    }

    /// The BUNDLE groups in their order. A name in them need not be that of a section.
    pub fn bundles(&self) -> impl Iterator<Item = Group<'a>> {
        self.groups.iter().copied().filter(Group::is_bundle)
    }

    /// The Ta to reckon with, in milliseconds: what the peer wants, but at least 5 (RFC 8445 section 14.2) and at most
    /// 1,000, lest it stalls us; 50 if it says nothing (RFC 8839 section 5.5).
    pub fn pacing(&self) -> u32 {
        self.ice_pacing.unwrap_or(50).clamp(5, 1000)
    }

    /// RFC 5888 section 4: a name is given once.
    fn check_mids(&self) -> Result<(), ParseError> {
        if self.media.len() < 2 {
            return Ok(());
        }
        let mut mids: Vec<_> =
            self.media.iter().filter_map(|media| Some((media.mid?, media.first_line))).collect();
        mids.sort_unstable();
        let twice = mids.iter().zip(mids.iter().skip(1)).find(|((one, _), (other, _))| one == other);
        let Some((_, (mid, line))) = twice else { return Ok(()) };
        let expected = "a name that no other section has";
        Err(ParseError::new(ParseErrorKind::Repeated, 1, expected, quoted(mid)).at_line(*line))
    }

    fn take(&mut self, attribute: Attribute<'a>, line: Field<'a>) -> Result<(), ParseError> {
        match attribute {
            Attribute::Group(group) => self.groups.push(group),
            Attribute::Lite => self.is_lite = true,
            Attribute::Pacing(milliseconds) => once(&mut self.ice_pacing, milliseconds, line)?,
            other => self.level.take(other, line)?,
        }
        Ok(())
    }
}

impl fmt::Display for SessionDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Without the text: there is a password in it.
impl fmt::Debug for SessionDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionDescription")
            .field("origin", &self.origin)
            .field("name", &self.name)
            .field("connection", &self.connection)
            .field("times", &self.times)
            .field("level", &self.level)
            .field("groups", &self.groups)
            .field("is_lite", &self.is_lite)
            .field("ice_pacing", &self.ice_pacing)
            .field("media", &self.media)
            .finish_non_exhaustive()
    }
}

impl<'a> Origin<'a> {
    fn read(value: Field<'a>) -> Result<Self, ParseError> {
        let mut fields = value.fields();
        let username = fields.need(USERNAME)?.word(USERNAME)?;
        let session_id = fields.need(SESSION_ID)?.digits(SESSION_ID)?;
        let version = fields.need(VERSION)?.digits(VERSION)?;
        let address = Connection::read_fields(&mut fields)?;
        fields.end()?;
        Ok(Self { username, session_id, version, address })
    }

    /// The version as a number, if it keeps to 64 bits.
    pub fn version_number(&self) -> Option<u64> {
        self.version.parse().ok()
    }

    /// Whether `other` comes from the same session, of whatever version.
    pub fn is_same_session(&self, other: &Self) -> bool {
        (self.username, self.session_id, self.address) == (other.username, other.session_id, other.address)
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.username, self.session_id, self.version, self.address)
    }
}

impl<'d, 'a> Section<'d, 'a> {
    /// What the section itself says.
    pub fn media(&self) -> &'d Media<'a> {
        self.media
    }

    /// Its place, counted from 0: the "m-line index" of the W3C interface.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its session.
    pub fn session(&self) -> &'d SessionDescription<'a> {
        self.session
    }

    /// `ice-ufrag` of the section, or else of the session; so with all that follow.
    pub fn ufrag(&self) -> Option<&'d IceUfrag> {
        self.media.level.ufrag.as_ref().or(self.session.level.ufrag.as_ref())
    }

    /// `ice-pwd`.
    pub fn pwd(&self) -> Option<&'d IcePwd> {
        self.media.level.pwd.as_ref().or(self.session.level.pwd.as_ref())
    }

    /// `ice-options`.
    pub fn options(&self) -> Option<&'d IceOptions> {
        self.media.level.options.as_ref().or(self.session.level.options.as_ref())
    }

    /// Whether `option` is among the options of ICE.
    pub fn has_option(&self, option: &str) -> bool {
        self.options().is_some_and(|options| options.contains(option))
    }

    /// The fingerprints of the section, or those of the session if it has none.
    pub fn fingerprints(&self) -> &'d [Fingerprint] {
        match self.media.level.fingerprints.as_slice() {
            [] => &self.session.level.fingerprints,
            own => own,
        }
    }

    /// `setup`.
    pub fn setup(&self) -> Option<Setup> {
        self.media.level.setup.or(self.session.level.setup)
    }

    /// `tls-id`.
    pub fn tls_id(&self) -> Option<&'d TlsId> {
        self.media.level.tls_id.as_ref().or(self.session.level.tls_id.as_ref())
    }

    /// The direction; both ways where nothing is said.
    pub fn direction(&self) -> Direction {
        self.media.level.direction.or(self.session.level.direction).unwrap_or_default()
    }

    /// "c=".
    pub fn connection(&self) -> Option<Connection<'a>> {
        self.media.connection.or(self.session.connection)
    }

    /// Whether no more candidates will come for it.
    pub fn end_of_candidates(&self) -> bool {
        self.media.level.end_of_candidates || self.session.level.end_of_candidates
    }

    /// Whether it tells of ICE, itself or by its session (RFC 8839 section 4.2.5).
    pub fn has_ice(&self) -> bool {
        self.ufrag().is_some() && self.pwd().is_some()
    }

    /// Its BUNDLE group.
    pub fn bundle(&self) -> Option<Group<'a>> {
        let mid = self.media.mid?;
        self.session.bundles().find(|group| group.mids().any(|member| member == mid))
    }

    /// The section whose transport this one uses: the first of its group that is not rejected, or itself (RFC 9143
    /// section 7.3.1).
    pub fn transport(&self) -> Self {
        let Some(group) = self.bundle() else { return *self };
        // A hostile group has a hundred thousand names, so each is looked up, not searched for.
        let living = self.session.sections().filter(|section| section.media.port != 0);
        let named: BTreeMap<_, _> =
            living.filter_map(|section| Some((section.media.mid?, section))).collect();
        group.mids().find_map(|mid| named.get(mid).copied()).unwrap_or(*self)
    }
}

impl<'a> Lines<'a> {
    pub(crate) fn new(rest: &'a str) -> Self {
        Self { rest }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let (line, rest) = cut_line(self.rest)?;
        self.rest = rest;
        let (kind, value) = line.split_once('=')?;
        Some(Line { kind: kind.chars().next()?, value })
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind, self.value)
    }
}

/// Where the reader is in the text: one line ahead.
pub(crate) struct Reader<'a, 'l> {
    text: &'a str,
    limits: &'l Limits,
    /// What follows the line ahead.
    rest: &'a str,
    /// Where the line ahead begins.
    at: usize,
    number: usize,
    ahead: Option<Ahead<'a>>,
    sections: usize,
    /// There is no NUL, and no CR but before LF, in the whole text.
    is_clean: bool,
}

/// A line whose shape is checked: one lower-case letter, "=", no NUL and no CR.
#[derive(Clone, Copy)]
struct Ahead<'a> {
    kind: u8,
    line: Field<'a>,
    value: Field<'a>,
}

impl<'a, 'l> Reader<'a, 'l> {
    pub(crate) fn new(text: &'a str, limits: &'l Limits) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::new(ParseErrorKind::Empty, 1, VERSION_LINE, "no text".into()));
        }
        if text.len() > limits.text {
            let found = format!("{} bytes", text.len());
            return Err(ParseError::new(ParseErrorKind::TooLong, 1, "a text within the limit", found));
        }
        let is_clean = is_clean(text.as_bytes());
        let mut reader =
            Self { text, limits, rest: text, at: 0, number: 0, ahead: None, sections: 0, is_clean };
        reader.advance()?;
        Ok(reader)
    }

    /// The lines in front of the first "m=".
    fn read_session(&mut self) -> Result<SessionDescription<'a>, ParseError> {
        let version = self.need(b'v', VERSION_LINE)?;
        version.digits(VERSION_LINE).map_err(|error| self.here(error))?;
        if version.text.bytes().any(|digit| digit != b'0') {
            return Err(self.here(version.error(ParseErrorKind::Unsupported, VERSION_LINE)));
        }
        self.advance()?;
        let origin = Origin::read(self.need(b'o', ORIGIN_LINE)?).map_err(|error| self.here(error))?;
        self.advance()?;
        let name = self.need(b's', NAME_LINE)?.text;
        self.advance()?;
        let mut description = SessionDescription {
            text: self.text,
            origin,
            name,
            connection: None,
            times: "",
            level: Level::default(),
            groups: Vec::new(),
            is_lite: false,
            ice_pacing: None,
            media: Vec::new(),
        };
        let mut order = Order::new(SESSION);
        while let Some(ahead) = self.ahead.filter(|ahead| ahead.kind != b'm') {
            let read = order.check(ahead).and_then(|()| read_session_line(&mut description, ahead));
            read.map_err(|error| self.here(error))?;
            self.advance()?;
        }
        if !order.has(b't') {
            return Err(self.missing(TIME_LINE));
        }
        Ok(description)
    }

    /// The next section, up to the next "m=".
    fn read_media(&mut self, session: &SessionDescription<'a>) -> Result<Option<Media<'a>>, ParseError> {
        let media = self.read_section()?;
        if let Some(media) = &media
            && media.connection.is_none()
            && session.connection.is_none()
        {
            let found = "a section without one".into();
            let error = ParseError::new(ParseErrorKind::Incomplete, 1, "a \"c=\" line here or above", found);
            return Err(error.at_line(media.first_line));
        }
        Ok(media)
    }

    /// A section of a description, or of a fragment.
    pub(crate) fn read_section(&mut self) -> Result<Option<Media<'a>>, ParseError> {
        let Some(first) = self.ahead else { return Ok(None) };
        if self.sections == self.limits.media {
            return Err(self.here(first.line.error(ParseErrorKind::TooLong, "no more sections")));
        }
        self.sections = self.sections.saturating_add(1);
        let (begin, mut order) = (self.at, Order::new(MEDIA));
        let mut media = Media::read(first.value, self.number).map_err(|error| self.here(error))?;
        self.advance()?;
        while let Some(ahead) = self.ahead.filter(|ahead| ahead.kind != b'm') {
            let read = order.check(ahead).and_then(|()| read_media_line(&mut media, ahead));
            read.map_err(|error| self.here(error))?;
            self.advance()?;
        }
        media.text = self.text.get(begin..self.at).unwrap_or_default();
        Ok(Some(media))
    }

    /// Attribute lines alone, up to the next "m=": how a fragment begins.
    pub(crate) fn read_attributes(
        &mut self,
        mut take: impl FnMut(Attribute<'a>, Field<'a>) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        while let Some(ahead) = self.ahead.filter(|ahead| ahead.kind != b'm') {
            if ahead.kind != b'a' {
                return Err(self.here(ahead.misplaced("an attribute or a section")));
            }
            let read =
                ahead.attribute().and_then(|read| read.map_or(Ok(()), |known| take(known, ahead.line)));
            read.map_err(|error| self.here(error))?;
            self.advance()?;
        }
        Ok(())
    }

    /// Steps to the next line and checks its shape.
    fn advance(&mut self) -> Result<(), ParseError> {
        self.at = self.text.len().saturating_sub(self.rest.len());
        self.number = self.number.saturating_add(1);
        let Some((line, rest)) = cut_line(self.rest) else {
            self.ahead = None;
            return Ok(());
        };
        if self.number > self.limits.lines {
            let found = format!("line {}", self.number);
            return Err(self.here(ParseError::new(ParseErrorKind::TooLong, 1, "no more lines", found)));
        }
        self.rest = rest;
        self.ahead =
            Some(Ahead::read(line, self.limits.line, self.is_clean).map_err(|error| self.here(error))?);
        Ok(())
    }

    /// The value of the line ahead, which must be of that kind.
    fn need(&self, kind: u8, expected: &'static str) -> Result<Field<'a>, ParseError> {
        match self.ahead {
            Some(ahead) if ahead.kind == kind => Ok(ahead.value),
            Some(_) | None => Err(self.missing(expected)),
        }
    }

    /// An error about a line that should be here.
    fn missing(&self, expected: &'static str) -> ParseError {
        match self.ahead {
            Some(ahead) => self.here(ahead.misplaced(expected)),
            None => {
                let found = "end of text".into();
                self.here(ParseError::new(ParseErrorKind::Incomplete, 1, expected, found))
            }
        }
    }

    fn here(&self, error: ParseError) -> ParseError {
        error.at_line(self.number)
    }
}

impl<'a> Ahead<'a> {
    fn read(text: &'a str, most: usize, is_clean: bool) -> Result<Self, ParseError> {
        if text.len() > most {
            let found = format!("{} bytes", text.len());
            return Err(ParseError::new(ParseErrorKind::TooLong, 1, "a line within the limit", found));
        }
        let line = Field { text, column: 1 };
        if !is_clean && let Some(wrong) = line.find(|c| matches!(c, '\0' | '\r')) {
            return Err(wrong.error(ParseErrorKind::Malformed, "a line of text"));
        }
        match text.as_bytes() {
            [kind @ b'a'..=b'z', b'=', ..] => {
                let value = Field { text: text.get(2..).unwrap_or_default(), column: 3 };
                Ok(Self { kind: *kind, line, value })
            }
            // What stands there may be the rest of a line that holds a password: a single character is shown.
            [b'a'..=b'z', ..] => Err(shown(text, 1).map_or_else(
                || line.end_error(EQUALS),
                |wrong| wrong.error(ParseErrorKind::Malformed, EQUALS),
            )),
            _ => Err(shown(text, 0).map_or_else(
                || line.end_error(LETTER),
                |wrong| wrong.error(ParseErrorKind::Malformed, LETTER),
            )),
        }
    }

    /// An error about the sort of this line. It shows the letter only.
    fn misplaced(self, expected: &'static str) -> ParseError {
        let start = Field { text: self.line.text.get(..2).unwrap_or_default(), column: 1 };
        start.error(ParseErrorKind::Misplaced, expected)
    }

    /// The attribute of this line, unless it is one that is to be passed over.
    fn attribute(self) -> Result<Option<Attribute<'a>>, ParseError> {
        match Attribute::known(AttributeLine::of_line(self.line.text)) {
            Err(error) if error.is_ignorable() => Ok(None),
            known => known,
        }
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
    fn check(&mut self, ahead: Ahead<'_>) -> Result<(), ParseError> {
        // Attributes come last, and nearly all lines are such.
        if ahead.kind == b'a' && self.is_in_attributes {
            return Ok(());
        }
        self.check_place(ahead)
    }

    fn check_place(&mut self, ahead: Ahead<'_>) -> Result<(), ParseError> {
        let Some(place) = self.rules.iter().position(|rule| rule.kinds.contains(&ahead.kind)) else {
            return Err(ahead.misplaced("a line that a description can have here"));
        };
        let Some(rule) = self.rules.get(place) else { return Ok(()) };
        if self.last.is_some_and(|last| place < last) {
            return Err(ahead.misplaced("a later line in the order of RFC 8866 section 5"));
        }
        if self.last == Some(place) && !rule.repeats {
            let start = Field { text: ahead.line.text.get(..2).unwrap_or_default(), column: 1 };
            return Err(start.error(ParseErrorKind::Repeated, "this line only once here"));
        }
        if rule.required && !self.has_required && rule.kinds.first() != Some(&ahead.kind) {
            return Err(ahead.misplaced(TIME_LINE));
        }
        let passed_over = |skipped: &Rule| skipped.required && !self.has_required;
        if self.rules.get(..place).unwrap_or_default().iter().any(passed_over) {
            return Err(ahead.misplaced(TIME_LINE));
        }
        self.last = Some(place);
        self.is_in_attributes = ahead.kind == b'a';
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
    ahead: Ahead<'a>,
) -> Result<(), ParseError> {
    match ahead.kind {
        b'a' => ahead.attribute()?.map_or(Ok(()), |known| description.take(known, ahead.line)),
        b'c' => once(&mut description.connection, Connection::read(ahead.value)?, ahead.line),
        b't' => {
            check_times(ahead.value)?;
            if description.times.is_empty() {
                description.times = ahead.value.text;
            }
            Ok(())
        }
        _ => check_other(ahead),
    }
}

fn read_media_line<'a>(media: &mut Media<'a>, ahead: Ahead<'a>) -> Result<(), ParseError> {
    match ahead.kind {
        b'a' => match ahead.attribute() {
            // These belong to SCTP, and mean nothing elsewhere, whatever they hold (RFC 8841 sections 5.1 and 6.1).
            Ok(Some(Attribute::SctpPort(_) | Attribute::MaxMessageSize(_))) if !media.is_sctp() => Ok(()),
            Err(_) if !media.is_sctp() && is_of_sctp(ahead) => Ok(()),
            Ok(Some(known)) => media.take(known, ahead.line),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        },
        b'c' => {
            let connection = Connection::read(ahead.value)?;
            media.connection.get_or_insert(connection);
            Ok(())
        }
        _ => check_other(ahead),
    }
}

fn is_of_sctp(ahead: Ahead<'_>) -> bool {
    let line = AttributeLine::of_line(ahead.line.text);
    line.is("sctp-port") || line.is("max-message-size")
}

/// The syntax of the lines that are of no use here (RFC 9429 section 5.8.1).
fn check_other(ahead: Ahead<'_>) -> Result<(), ParseError> {
    let value = ahead.value;
    match ahead.kind {
        b'b' => {
            let Some((kind, number)) = value.cut(b':') else {
                return Err(value.error(ParseErrorKind::Malformed, BANDWIDTH));
            };
            kind.token(BANDWIDTH)?;
            number.digits(BANDWIDTH).map(|_| ())
        }
        b'r' | b'z' => value.fields().try_for_each(check_typed_time),
        // "k=" may hold a key, which is not shown.
        b'k' if value.text.is_empty() => Err(value.end_error("what kind of key this is")),
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

/// Digits, perhaps behind a sign and before a unit.
fn check_typed_time(field: Field<'_>) -> Result<(), ParseError> {
    let digits = field.text.strip_prefix('-').unwrap_or(field.text);
    let digits = digits.strip_suffix(['d', 'h', 'm', 's']).unwrap_or(digits);
    Field { text: digits, ..field }.digits("a time").map(|_| ())
}

/// The first line without its end, and what follows it.
fn cut_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    Some((line.strip_suffix('\r').unwrap_or(line), rest))
}

/// Without branches, so that it runs over many bytes at once. `false` means that each line is to be looked at.
fn is_clean(text: &[u8]) -> bool {
    let next = text.iter().skip(1);
    let wrong = |(&byte, &next): (&u8, &u8)| (byte == 0) | ((byte == b'\r') & (next != b'\n'));
    let inner = text.iter().zip(next).fold(false, |bad, pair| bad | wrong(pair));
    !inner && !matches!(text.last(), Some(0 | b'\r'))
}

/// The character at the byte `at`.
fn shown(text: &str, at: usize) -> Option<Field<'_>> {
    let rest = text.get(at..)?;
    let length = rest.chars().next()?.len_utf8();
    Some(Field { text: rest.get(..length)?, column: at.saturating_add(1) })
}

const VERSION_LINE: &str = "\"v=0\"";
const ORIGIN_LINE: &str = "an \"o=\" line";
const NAME_LINE: &str = "an \"s=\" line";
const TIME_LINE: &str = "a \"t=\" line";
const LETTER: &str = "the letter of a line";
const EQUALS: &str = "\"=\" behind one letter";
const USERNAME: &str = "a user name or \"-\"";
const SESSION_ID: &str = "the digits of a session id";
const VERSION: &str = "the digits of a version";
const BANDWIDTH: &str = "a kind of bandwidth, a colon and digits";
const TIME: &str = "a time, 0 or at least ten digits";
