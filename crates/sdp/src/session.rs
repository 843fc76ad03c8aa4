//! A whole description: what it says of the session, its sections, and what a section has from its session.

use alloc::vec::Vec;
use core::fmt;

use crate::attribute::{Attribute, Direction, Group};
use crate::candidate::{Address, CandidateRef, Transport};
use crate::class::Class;
use crate::credentials::{IcePwd, IceUfrag};
use crate::dtls::{Fingerprint, Setup, TlsId};
use crate::error::{ParseError, ParseErrorKind, quoted};
use crate::ice::IceOptions;
use crate::line::cut_line;
use crate::media::{Connection, Level, Media, once};
use crate::reader::Reader;
use crate::scan::Field;

/// A description as it was read: typed where ICE, DTLS and data channels look, and the text itself behind it.
///
/// It borrows from the text, which is kept to the byte: `Display` gives it back, [`lines`](Self::lines) shows every
/// line, also those that nothing here knows, and [`Edit`](crate::Edit) changes some of them and leaves all others be.
#[derive(Clone)]
pub struct SessionDescription<'a> {
    pub(crate) text: &'a str,
    /// "o=": who describes, and which version this is.
    pub origin: Origin<'a>,
    /// "s=": `-`, as a rule.
    pub name: &'a str,
    /// "c=" of the session, for sections without one.
    pub connection: Option<Connection<'a>>,
    /// "t=" lines, as they stand: `0 0`, as a rule.
    pub(crate) times: &'a str,
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
        let mut reader = Reader::new(text, limits, false)?;
        let mut description = reader.read_first_lines()?;
        reader.read_session(&mut description)?;
        while reader.read_media(&mut description)? {}
        description.join_groups()?;
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

    /// Finds the BUNDLE group of each section, and the section whose transport it uses: the first of the group that is
    /// not rejected (RFC 9143 section 7.3.1).
    fn join_groups(&mut self) -> Result<(), ParseError> {
        if let [only] = self.media.as_mut_slice() {
            let is_in =
                |group: &Group<'_>| group.is_bundle() && group.mids().any(|mid| only.mid == Some(mid));
            only.group = self.groups.iter().position(is_in);
            return Ok(());
        }
        let mids = self.mids()?;
        for (place, group) in self.groups.iter().enumerate().filter(|(_, group)| group.is_bundle()) {
            let members = places(&mids, group.mids());
            let is_living = |&&at: &&usize| self.media.get(at).is_some_and(|media| media.port != 0);
            let first = members.iter().find(is_living).copied();
            for at in members {
                if let Some(media) = self.media.get_mut(at).filter(|media| media.group.is_none()) {
                    (media.group, media.transport) = (Some(place), first.unwrap_or(at));
                }
            }
        }
        Ok(())
    }

    /// The names in their order, with the place of each section. RFC 5888 section 4: a name is given once.
    fn mids(&self) -> Result<Vec<(&'a str, usize)>, ParseError> {
        let named = self.media.iter().enumerate().filter_map(|(at, media)| Some((media.mid?, at)));
        let mut mids: Vec<_> = named.collect();
        mids.sort_unstable();
        let twice = mids.iter().zip(mids.iter().skip(1)).find(|((one, _), (other, _))| one == other);
        if let Some((mid, media)) = twice.and_then(|(_, &(mid, at))| Some((mid, self.media.get(at)?))) {
            let expected = "a name that no other section has";
            let error = ParseError::new(ParseErrorKind::Repeated, 1, expected, quoted(mid));
            return Err(error.at_line(media.first_line));
        }
        Ok(mids)
    }

    /// Keeps what belongs to the session. What does not is still in [`lines`](Self::lines).
    pub(crate) fn take(&mut self, attribute: Attribute<'a>, line: Field<'a>) -> Result<(), ParseError> {
        match attribute {
            Attribute::Group(group) => self.groups.push(group),
            Attribute::Lite => self.is_lite = true,
            Attribute::Pacing(milliseconds) => once(&mut self.ice_pacing, milliseconds, line)?,
            other => self.level.take(other, line)?,
        }
        Ok(())
    }
}

/// Where the `wanted` stand, those that are there. A hostile group has a hundred thousand names, so each is looked up in
/// the ordered list, not searched for.
fn places<K: Ord>(known: &[(K, usize)], wanted: impl Iterator<Item = K>) -> Vec<usize> {
    let place = |wanted: K| {
        let found = known.binary_search_by(|(known, _)| known.cmp(&wanted));
        Some(known.get(found.ok()?)?.1)
    };
    wanted.filter_map(place).collect()
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
    /// Reads what stands behind "o=".
    pub(crate) fn read(value: Field<'a>) -> Result<Self, ParseError> {
        let mut fields = value.fields();
        let username = fields.need_of(Class::WORD, USERNAME)?;
        let session_id = fields.need_of(Class::DIGIT, SESSION_ID)?;
        let version = fields.need_of(Class::DIGIT, VERSION)?;
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
        self.session.groups.get(self.media.group?).copied()
    }

    /// The section whose transport this one uses: the first of its group that is not rejected, or itself (RFC 9143
    /// section 7.3.1).
    pub fn transport(&self) -> Self {
        self.session.section(self.media.transport).unwrap_or(*self)
    }

    /// Whether the default destination, "c=" and "m=", is none of the candidates: somebody on the way may have changed
    /// it (RFC 8839 section 4.2.5). What has no ICE or no transport of its own has no mismatch, and neither has a
    /// placeholder or a name.
    pub fn has_mismatch(&self) -> bool {
        let Media { port, .. } = *self.media;
        if !self.has_ice() || port == 0 || self.transport().index != self.index {
            return false;
        }
        let Some((connection, ip)) = self.connection().and_then(|c| Some((c, c.ip()?))) else { return false };
        let transport = if self.media.is_tcp() { Transport::Tcp } else { Transport::Udp };
        let is_default = |candidate: &CandidateRef<'_>| {
            (candidate.component, candidate.port) == (1, port)
                && candidate.address == Address::Ip(ip)
                && candidate.transport == transport
        };
        !connection.is_placeholder(port) && !self.media.candidates.iter().any(is_default)
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
        let cut = cut_line(self.rest)?;
        self.rest = cut.rest;
        let (kind, value) = cut.line.split_once('=')?;
        Some(Line { kind: kind.chars().next()?, value })
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind, self.value)
    }
}

const USERNAME: &str = "a user name or \"-\"";
const SESSION_ID: &str = "the digits of a session id";
const VERSION: &str = "the digits of a version";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use core::cell::Cell;
    use core::cmp::Ordering;

    /// A number that counts how often it is compared.
    struct Counted<'c>(usize, &'c Cell<usize>);

    impl Ord for Counted<'_> {
        fn cmp(&self, other: &Self) -> Ordering {
            self.1.set(self.1.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    impl PartialOrd for Counted<'_> {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other) == Ordering::Equal
        }
    }

    impl Eq for Counted<'_> {}

    #[test]
    fn a_name_among_thousands_is_found_by_a_few_looks() {
        let (count, looks) = (1 << 14, Cell::new(0));
        let known: Vec<_> = (0..count).map(|n| (Counted(2 * n, &looks), n)).collect();
        let found = places(&known, (0..2 * count).rev().map(|n| Counted(n, &looks)));
        assert!(found.into_iter().eq((0..count).rev()));
        assert!(looks.get() <= 2 * count * 16, "{} looks for {} names", looks.get(), 2 * count);
    }

    #[test]
    fn thousands_of_sections_and_groups_find_each_other() {
        let count = 20_000;
        let limits = Limits { text: usize::MAX, lines: usize::MAX, line: usize::MAX, media: count };
        let sections: String =
            (0..count).map(|n| format!("m=x 9 y z\nc=IN IP4 0.0.0.0\na=mid:{n}\n")).collect();
        let names = |from: usize, to: usize| (from..to).map(|n| format!(" {n}")).collect::<String>();
        let pairs = (0..count / 2).map(|n| format!("a=group:BUNDLE{}\n", names(2 * n, 2 * n + 2)));
        let all = format!("a=group:BUNDLE{}\n", names(0, count));
        for (groups, size) in [(pairs.collect::<String>(), 2), (all.repeat(3), count)] {
            let text = format!("v=0\no=- 1 1 IN IP4 0\ns=-\nt=0 0\n{groups}{sections}");
            let read = SessionDescription::parse_within(&text, &limits).unwrap();
            for section in read.sections() {
                assert_eq!(section.transport().index(), section.index() / size * size);
                assert!(section.bundle().is_some());
            }
        }
    }
}
