//! One attribute line of a description: every attribute that an ICE data session needs, and all others as they stand.

use alloc::vec::Vec;
use core::fmt;

use crate::candidate::CandidateRef;
use crate::class::Class;
use crate::credentials::{IcePwd, IceUfrag};
use crate::data_channel::{read_max_message_size, read_sctp_port};
use crate::dtls::{Fingerprint, Setup, TlsId};
use crate::error::ParseError;
use crate::ice::{IceOptions, RemoteCandidate, read_pacing, read_remote_candidates, write_remote_candidates};
use crate::scan::{AttributeLine, Field};

/// An attribute, by its name. `Display` writes it without `a=`.
///
/// Its `Display` shows a password, since that is what a description is for; `Debug` does not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// `candidate` (RFC 8839 section 5.1).
    Candidate(CandidateRef<'a>),
    /// `remote-candidates` (RFC 8839 section 5.2).
    RemoteCandidates(Vec<RemoteCandidate>),
    /// `ice-ufrag` (RFC 8839 section 5.4).
    Ufrag(IceUfrag),
    /// `ice-pwd`, likewise.
    Pwd(IcePwd),
    /// `ice-options` (RFC 8839 section 5.6).
    Options(IceOptions),
    /// `end-of-candidates` (RFC 8840 section 8).
    EndOfCandidates,
    /// `ice-lite` (RFC 8839 section 5.3).
    Lite,
    /// `ice-pacing` in milliseconds (RFC 8839 section 5.5).
    Pacing(u32),
    /// `ice-mismatch` (RFC 8839 section 5.3).
    Mismatch,
    /// `group` (RFC 5888 section 5).
    Group(Group<'a>),
    /// `mid` (RFC 5888 section 4).
    Mid(&'a str),
    /// `bundle-only` (RFC 9143 section 6).
    BundleOnly,
    /// `setup` (RFC 4145 section 4).
    Setup(Setup),
    /// `fingerprint` (RFC 8122 section 5).
    Fingerprint(Fingerprint),
    /// `tls-id` (RFC 8842 section 4).
    TlsId(TlsId),
    /// `sctp-port` (RFC 8841 section 5).
    SctpPort(u16),
    /// `max-message-size` in bytes, 0 for any (RFC 8841 section 6).
    MaxMessageSize(u64),
    /// `sendrecv`, `sendonly`, `recvonly` or `inactive` (RFC 8866 section 6.7).
    Direction(Direction),
    /// Any other, as it stands.
    Other(RawAttribute<'a>),
}

/// The name and the value of an attribute, as they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawAttribute<'a> {
    /// A `token`.
    pub name: &'a str,
    /// What stands behind the first colon, if there is one: at least one character.
    pub value: Option<&'a str>,
}

/// Sections that belong together: `BUNDLE 0 1` (RFC 5888 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Group<'a> {
    /// What binds them: `BUNDLE` (RFC 9143), `LS` and others.
    pub semantics: &'a str,
    /// Checked: tokens, each behind one space.
    mids: &'a str,
}

/// Who sends (RFC 8866 section 6.7). Data channels have no direction (RFC 8841 section 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both, which is also meant where nothing is said.
    #[default]
    SendRecv,
    /// The writer of the description.
    SendOnly,
    /// The reader of the description.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl<'a> Attribute<'a> {
    /// Reads one line, with or without `a=` in front and a line end behind.
    ///
    /// # Errors
    ///
    /// The name is no token, or the attribute is one of those above and its value is not what it must be. A candidate
    /// or a fingerprint of a sort that is not known is [ignorable](ParseError::is_ignorable).
    pub fn parse(line: &'a str) -> Result<Self, ParseError> {
        let attribute = AttributeLine::split(line);
        attribute.check_controls()?;
        Self::read(attribute.line().text)
    }

    /// Reads a line in which there is no NUL, CR or LF.
    pub(crate) fn read(line: &'a str) -> Result<Self, ParseError> {
        let line = AttributeLine::of_line(line);
        let name = line.name();
        // RFC 8840 section 9.2: the names of ICE match in any case. Few names have an upper case at all.
        let known = match Name::of(name.text) {
            None if !Class::LOW_TOKEN.makes(name.text) => Name::of(&read_name(name)?.to_ascii_lowercase()),
            known => known,
        };
        match known {
            Some(known) => Self::named(known, line),
            None => Self::other(line),
        }
    }

    /// A group may be as long as a line can be, the others keep to [`MAX_ICE_LINE`](crate::MAX_ICE_LINE).
    fn named(name: Name, line: AttributeLine<'a>) -> Result<Self, ParseError> {
        match name {
            Name::Candidate => CandidateRef::read(&mut line.short_value()?.fields()).map(Self::Candidate),
            Name::RemoteCandidates => read_remote_candidates(line.short_value()?).map(Self::RemoteCandidates),
            Name::Ufrag => IceUfrag::from_value(line.short_value()?).map(Self::Ufrag),
            Name::Pwd => IcePwd::from_value(line.short_value()?).map(Self::Pwd),
            Name::Options => IceOptions::from_value(line.short_value()?).map(Self::Options),
            Name::EndOfCandidates => line.check_flag().map(|()| Self::EndOfCandidates),
            Name::Lite => line.check_flag().map(|()| Self::Lite),
            Name::Pacing => read_pacing(line.short_value()?).map(Self::Pacing),
            Name::Mismatch => line.check_flag().map(|()| Self::Mismatch),
            Name::Group => Group::from_value(line.value()?).map(Self::Group),
            Name::Mid => line.short_value()?.token(MID).map(Self::Mid),
            Name::BundleOnly => line.check_flag().map(|()| Self::BundleOnly),
            Name::Setup => Setup::from_value(line.short_value()?).map(Self::Setup),
            Name::Fingerprint => Fingerprint::from_value(line.short_value()?).map(Self::Fingerprint),
            Name::TlsId => TlsId::from_value(line.short_value()?).map(Self::TlsId),
            Name::SctpPort => read_sctp_port(line.short_value()?).map(Self::SctpPort),
            Name::MaxMessageSize => read_max_message_size(line.short_value()?).map(Self::MaxMessageSize),
            Name::Direction(direction) => line.check_flag().map(|()| Self::Direction(direction)),
        }
    }

    fn other(line: AttributeLine<'a>) -> Result<Self, ParseError> {
        let value = line.value_if_any();
        if let Some(empty) = value.filter(|value| value.text.is_empty()) {
            return Err(empty.end_error("a value"));
        }
        Ok(Self::Other(RawAttribute { name: line.name().text, value: value.map(|value| value.text) }))
    }
}

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Candidate(candidate) => candidate.fmt(f),
            Self::RemoteCandidates(candidates) => write_remote_candidates(candidates, f),
            Self::Ufrag(ufrag) => write!(f, "ice-ufrag:{ufrag}"),
            Self::Pwd(pwd) => write!(f, "ice-pwd:{}", pwd.as_str()),
            Self::Options(options) => write!(f, "ice-options:{options}"),
            Self::EndOfCandidates => f.write_str("end-of-candidates"),
            Self::Lite => f.write_str("ice-lite"),
            Self::Pacing(milliseconds) => write!(f, "ice-pacing:{milliseconds}"),
            Self::Mismatch => f.write_str("ice-mismatch"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Mid(mid) => write!(f, "mid:{mid}"),
            Self::BundleOnly => f.write_str("bundle-only"),
            Self::Setup(setup) => write!(f, "setup:{setup}"),
            Self::Fingerprint(fingerprint) => write!(f, "fingerprint:{fingerprint}"),
            Self::TlsId(id) => write!(f, "tls-id:{id}"),
            Self::SctpPort(port) => write!(f, "sctp-port:{port}"),
            Self::MaxMessageSize(bytes) => write!(f, "max-message-size:{bytes}"),
            Self::Direction(direction) => direction.fmt(f),
            Self::Other(raw) => raw.fmt(f),
        }
    }
}

impl<'a> RawAttribute<'a> {
    /// An attribute of your own, to be written.
    ///
    /// # Errors
    ///
    /// The name is no token, or the value is empty or holds NUL, CR or LF.
    pub fn new(name: &'a str, value: Option<&'a str>) -> Result<Self, ParseError> {
        Field { text: name, column: 1 }.token("the name of an attribute")?;
        if let Some(value) = value {
            Field { text: value, column: 1 }.byte_string("a value without NUL, CR or LF")?;
        }
        Ok(Self { name, value })
    }
}

impl fmt::Display for RawAttribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{}:{value}", self.name),
            None => f.write_str(self.name),
        }
    }
}

impl<'a> Group<'a> {
    fn from_value(value: Field<'a>) -> Result<Self, ParseError> {
        let mut fields = value.fields();
        let semantics = fields.need_of(Class::TOKEN, SEMANTICS)?;
        let mids = fields.rest().map_or("", |rest| rest.text);
        fields.try_for_each(|mid| mid.token(MID).map(|_| ()))?;
        Ok(Self { semantics, mids })
    }

    /// Whether this is a BUNDLE group.
    pub fn is_bundle(&self) -> bool {
        self.semantics.eq_ignore_ascii_case("BUNDLE")
    }

    /// The names of its sections, in their order. The first of a BUNDLE group speaks for all.
    pub fn mids(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.mids.split(' ').filter(|mid| !mid.is_empty())
    }
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.mids.is_empty() { "" } else { " " };
        write!(f, "{}{separator}{}", self.semantics, self.mids)
    }
}

impl Direction {
    /// The name of the attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token. What is none may be a password behind a name that lost its colon: only the wrong character is shown.
fn read_name(name: Field<'_>) -> Result<&str, ParseError> {
    name.check_each(Class::TOKEN, NAME)?;
    name.token(NAME)
}

/// The attributes that have a value of their own.
#[derive(Clone, Copy)]
enum Name {
    Candidate,
    RemoteCandidates,
    Ufrag,
    Pwd,
    Options,
    EndOfCandidates,
    Lite,
    Pacing,
    Mismatch,
    Group,
    Mid,
    BundleOnly,
    Setup,
    Fingerprint,
    TlsId,
    SctpPort,
    MaxMessageSize,
    Direction(Direction),
}

impl Name {
    #[inline]
    fn of(name: &str) -> Option<Self> {
        // By length first: most names are told apart by that alone.
        Some(match (name.len(), name) {
            (3, "mid") => Self::Mid,
            (5, "setup") => Self::Setup,
            (5, "group") => Self::Group,
            (6, "tls-id") => Self::TlsId,
            (7, "ice-pwd") => Self::Pwd,
            (8, "ice-lite") => Self::Lite,
            (8, "sendrecv") => Self::Direction(Direction::SendRecv),
            (8, "sendonly") => Self::Direction(Direction::SendOnly),
            (8, "recvonly") => Self::Direction(Direction::RecvOnly),
            (8, "inactive") => Self::Direction(Direction::Inactive),
            (9, "candidate") => Self::Candidate,
            (9, "ice-ufrag") => Self::Ufrag,
            (9, "sctp-port") => Self::SctpPort,
            (10, "ice-pacing") => Self::Pacing,
            (11, "fingerprint") => Self::Fingerprint,
            (11, "ice-options") => Self::Options,
            (11, "bundle-only") => Self::BundleOnly,
            (12, "ice-mismatch") => Self::Mismatch,
            (16, "max-message-size") => Self::MaxMessageSize,
            (17, "end-of-candidates") => Self::EndOfCandidates,
            (17, "remote-candidates") => Self::RemoteCandidates,
            _ => return None,
        })
    }
}

const NAME: &str = "the name of an attribute, a token";
const SEMANTICS: &str = "what the group is for, such as BUNDLE";
const MID: &str = "the name of a section, a token";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ParseErrorKind;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn every_attribute_is_read_by_its_name_in_any_case_and_prints_back() {
        let fingerprint = format!("fingerprint:sha-1 {}", ["0A"; 20].join(":"));
        for line in [
            "candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host x y z ",
            "candidate:1 1 TCP 2130706431 10.0.1.1 9 typ srflx raddr :: rport 9 tcptype active",
            "remote-candidates:1 192.0.2.3 45664 2 192.0.2.3 45665",
            "ice-ufrag:8hhY",
            "ice-pwd:asd88fgpdd777uzjYhagZg",
            "ice-options:ice2 trickle",
            "end-of-candidates",
            "ice-lite",
            "ice-pacing:50",
            "ice-mismatch",
            "group:BUNDLE 0 1 audio",
            "group:LS",
            "mid:0",
            "bundle-only",
            "setup:actpass",
            &fingerprint,
            "tls-id:abc3de65cddef001be82",
            "sctp-port:5000",
            "max-message-size:262144",
            "sendrecv",
            "sendonly",
            "recvonly",
            "inactive",
        ] {
            let attribute = Attribute::parse(line).unwrap();
            assert!(!matches!(attribute, Attribute::Other(_)), "{line}");
            assert_eq!(attribute.to_string(), line);
            let (name, rest) = line.find(':').map_or((line, ""), |at| line.split_at(at));
            let loud = format!("a={}{rest}\r\n", name.to_uppercase());
            assert_eq!(Attribute::parse(&loud).as_ref(), Ok(&attribute), "{loud}");
        }
    }

    #[test]
    fn others_are_kept_as_they_stand() {
        for (line, name, value) in [
            ("msid-semantic: WMS *", "msid-semantic", Some(" WMS *")),
            ("rtcp-rsize", "rtcp-rsize", None),
            ("X-Foo:é:", "X-Foo", Some("é:")),
        ] {
            let attribute = Attribute::parse(line).unwrap();
            assert_eq!(attribute, Attribute::Other(RawAttribute { name, value }));
            assert_eq!(attribute.to_string(), line);
        }
    }

    #[test]
    fn what_is_no_attribute_is_refused_and_located() {
        for (line, kind, column) in [
            ("a=", ParseErrorKind::Malformed, 3),
            ("a=:x", ParseErrorKind::Malformed, 3),
            ("a=foo bar", ParseErrorKind::Malformed, 6),
            ("a=foo:", ParseErrorKind::Incomplete, 7),
            ("a=sendrecv:1", ParseErrorKind::Malformed, 12),
            ("a=mid:", ParseErrorKind::Malformed, 7),
            ("a=mid:a b", ParseErrorKind::Malformed, 7),
            ("a=group:", ParseErrorKind::Malformed, 9),
            ("a=group:BUNDLE 0 ", ParseErrorKind::Malformed, 18),
            ("a=group:BUNDLE  0", ParseErrorKind::Malformed, 16),
            ("a=setup:foo", ParseErrorKind::Malformed, 9),
            ("a=sctp-port:65536", ParseErrorKind::OutOfRange, 13),
            ("a=sctp-port:05000", ParseErrorKind::Malformed, 13),
            ("a=max-message-size:-1", ParseErrorKind::Malformed, 20),
            ("a=x:1\r2", ParseErrorKind::Malformed, 6),
        ] {
            let error = Attribute::parse(line).unwrap_err();
            assert_eq!((error.kind(), error.column()), (kind, column), "{line:?}: {error}");
        }
    }

    #[test]
    fn a_group_names_its_sections() {
        let Ok(Attribute::Group(group)) = Attribute::parse("group:bundle a b") else { panic!() };
        assert!(group.is_bundle() && group.mids().eq(["a", "b"]));
        let Ok(Attribute::Group(group)) = Attribute::parse("group:BUNDLE") else { panic!() };
        assert_eq!(group.mids().count(), 0);
    }
}
