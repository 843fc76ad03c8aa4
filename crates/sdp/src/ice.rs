//! The attributes of a description that belong to ICE (RFC 8839 section 5, RFC 8840 section 8).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::candidate::{Address, CandidateLine, CandidateRef, read_component, read_port};
use crate::credentials::{IcePwd, IceUfrag};
use crate::error::{ParseError, ParseErrorKind};
use crate::scan::{AttributeLine, Field};

/// One attribute line of ICE. `Display` writes it without `a=`.
///
/// The `Display` of [`Pwd`](Self::Pwd) shows the password, since that is what a description is for; `Debug` does not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IceAttribute {
    /// `candidate`, of one medium (RFC 8839 section 5.1).
    Candidate(CandidateLine),
    /// `remote-candidates`, of one medium in an offer: what was selected, one for each component (RFC 8839 section 5.2).
    RemoteCandidates(Vec<RemoteCandidate>),
    /// `ice-ufrag`, of the session or of one medium, which comes first (RFC 8839 section 5.4).
    Ufrag(IceUfrag),
    /// `ice-pwd`, likewise.
    Pwd(IcePwd),
    /// `ice-options`, of the session or of one medium (RFC 8839 section 5.6).
    Options(IceOptions),
    /// `end-of-candidates`, of the session or of one medium (RFC 8840 section 8).
    EndOfCandidates,
    /// `ice-lite`, of the session: the sender is a lite agent (RFC 8839 section 5.3).
    Lite,
    /// `ice-pacing`, of the session: the Ta that the sender wants, in milliseconds. Where it is absent 50 is meant, and
    /// the larger of both sides is used (RFC 8839 section 5.5).
    Pacing(u32),
    /// `ice-mismatch`, of one medium in an answer: no ICE there (RFC 8839 section 5.3).
    Mismatch,
}

impl IceAttribute {
    /// Reads one line, with or without `a=` in front and a line end behind. `None` means that it is a line of another
    /// sort, and nothing about it was checked.
    ///
    /// # Errors
    ///
    /// The attribute is one of ICE, and its value is not what it must be. See [`CandidateLine::parse`] for the errors
    /// after which the line is simply to be dropped.
    pub fn parse(line: &str) -> Result<Option<Self>, ParseError> {
        let attribute = AttributeLine::split(line);
        let Some((_, read)) = READERS.iter().find(|(name, _)| attribute.is(name)) else {
            return Ok(None);
        };
        attribute.check_line()?;
        read(attribute).map(Some)
    }
}

impl fmt::Display for IceAttribute {
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
        }
    }
}

/// The selected remote candidate of one component (RFC 8839 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteCandidate {
    /// 1 to 256.
    pub component: u16,
    /// Its address.
    pub address: Address,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for RemoteCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.component, self.address, self.port)
    }
}

pub(crate) fn write_remote_candidates(
    candidates: &[RemoteCandidate],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.write_str("remote-candidates")?;
    let mut separator = ":";
    for candidate in candidates {
        write!(f, "{separator}{candidate}")?;
        separator = " ";
    }
    Ok(())
}

pub(crate) fn read_remote_candidates(value: Field<'_>) -> Result<Vec<RemoteCandidate>, ParseError> {
    let (mut fields, mut candidates) = (value.fields(), Vec::new());
    while fields.rest().is_some() {
        let component = read_component(&mut fields)?;
        let address = Address::read(&mut fields)?;
        let port = read_port(&mut fields)?;
        candidates.push(RemoteCandidate { component, address, port });
    }
    Ok(candidates)
}

/// The options that a peer supports, in its order: at least one.
///
/// An option is in force only if both sides list it (RFC 8839 section 5.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IceOptions(
    /// Checked: options between single spaces.
    String,
);

impl IceOptions {
    /// The peer follows RFC 8445, not RFC 5245 (RFC 8445 section 10).
    pub const ICE2: &str = "ice2";
    /// The peer can take candidates that come later (RFC 8838 section 3).
    pub const TRICKLE: &str = "trickle";

    /// `ice2` alone: what every agent of RFC 8445 lists.
    pub fn ice2() -> Self {
        Self(Self::ICE2.to_owned())
    }

    /// `ice2 trickle`.
    pub fn ice2_trickle() -> Self {
        Self("ice2 trickle".to_owned())
    }

    /// Reads the value alone, or the attribute line `a=ice-options:…` with or without `a=`.
    ///
    /// The grammar makes an option of `ice-char`s. Peers write others too ("google-ice", "ice2,trickle"), so any
    /// visible ASCII character is accepted and kept.
    ///
    /// # Errors
    ///
    /// There is no option, an invisible character, or more than one space between two options.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let attribute = AttributeLine::split(text);
        attribute.check_line()?;
        Self::from_value(attribute.value_or_line("ice-options"))
    }

    pub(crate) fn from_value(value: Field<'_>) -> Result<Self, ParseError> {
        value.fields().try_for_each(check_option)?;
        Ok(Self(value.text.to_owned()))
    }

    /// Whether `option` is listed. Options parted by commas, as some peers write them, count as listed too: no option
    /// of the grammar has a comma in it.
    pub fn contains(&self, option: &str) -> bool {
        self.iter().any(|listed| listed == option || listed.split(',').any(|part| part == option))
    }

    /// The options that `other` lists too: those in force between the two (RFC 8839 section 5.6).
    pub fn in_common(&self, other: &Self) -> impl Iterator<Item = &str> {
        self.0.split([' ', ',']).filter(|option| other.contains(option))
    }

    /// The options as they were written, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ')
    }
}

impl fmt::Display for IceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IceOptions {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

fn check_option(field: Field<'_>) -> Result<(), ParseError> {
    match field.visible(OPTION)? {
        "" => Err(field.error(ParseErrorKind::Malformed, OPTION)),
        _ => Ok(()),
    }
}

fn read_candidate(value: Field<'_>) -> Result<CandidateLine, ParseError> {
    CandidateRef::read(&mut value.fields()).map(|read| read.to_line())
}

/// RFC 8839 section 5.5: `1*10DIGIT`. What 32 bits cannot hold is 49 days and more.
pub(crate) fn read_pacing(field: Field<'_>) -> Result<u32, ParseError> {
    field.number(10, 0..=u32::MAX, "a number of milliseconds up to 4294967295")
}

type Reader = fn(AttributeLine<'_>) -> Result<IceAttribute, ParseError>;

const READERS: [(&str, Reader); 9] = [
    ("candidate", |a| read_candidate(a.value()?).map(IceAttribute::Candidate)),
    ("remote-candidates", |a| read_remote_candidates(a.value()?).map(IceAttribute::RemoteCandidates)),
    ("ice-ufrag", |a| IceUfrag::from_value(a.value()?).map(IceAttribute::Ufrag)),
    ("ice-pwd", |a| IcePwd::from_value(a.value()?).map(IceAttribute::Pwd)),
    ("ice-options", |a| IceOptions::from_value(a.value()?).map(IceAttribute::Options)),
    ("ice-pacing", |a| read_pacing(a.value()?).map(IceAttribute::Pacing)),
    ("end-of-candidates", |a| a.check_flag().map(|()| IceAttribute::EndOfCandidates)),
    ("ice-lite", |a| a.check_flag().map(|()| IceAttribute::Lite)),
    ("ice-mismatch", |a| a.check_flag().map(|()| IceAttribute::Mismatch)),
];

const OPTION: &str = "an option of ICE";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Class;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn every_attribute_is_read_by_its_name_and_prints_back() {
        let parse = |line: &str| IceAttribute::parse(line).unwrap().unwrap();
        let host = "candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host";
        let pwd = "asd88fgpdd777uzjYhagZg";
        let remote = |component, port| RemoteCandidate {
            component,
            address: Address::Ip([192, 0, 2, 3].into()),
            port,
        };
        let remotes = IceAttribute::RemoteCandidates(vec![remote(1, 45664), remote(2, 45665)]);
        for (line, value) in [
            (host, IceAttribute::Candidate(host.parse().unwrap())),
            ("remote-candidates:1 192.0.2.3 45664 2 192.0.2.3 45665", remotes),
            ("ice-ufrag:8hhY", IceAttribute::Ufrag("8hhY".parse().unwrap())),
            (&format!("ice-pwd:{pwd}"), IceAttribute::Pwd(pwd.parse().unwrap())),
            ("ice-options:ice2 rtp+ecn", IceAttribute::Options("ice2 rtp+ecn".parse().unwrap())),
            ("ice-pacing:50", IceAttribute::Pacing(50)),
            ("end-of-candidates", IceAttribute::EndOfCandidates),
            ("ice-lite", IceAttribute::Lite),
            ("ice-mismatch", IceAttribute::Mismatch),
        ] {
            assert_eq!(parse(line), value);
            assert_eq!(parse(&format!("a={line}\r\n")), value);
            assert_eq!(value.to_string(), line);
        }
        assert_eq!(parse("a=ICE-Lite"), IceAttribute::Lite);
    }

    #[test]
    fn lines_of_another_sort_are_none_whatever_they_hold() {
        let long = "a=x-long:".to_owned() + &"x".repeat(10_000);
        for line in [
            "",
            "a=",
            "a=mid:0",
            "m=audio 9 UDP 0",
            "a=ice-lite-not",
            "b=ice-lite",
            "A=ice-lite",
            "\0",
            &long,
        ] {
            assert_eq!(IceAttribute::parse(line), Ok(None), "{line:?}");
        }
    }

    #[test]
    fn a_flag_has_no_value_and_the_others_have_one() {
        for (line, kind, column) in [
            ("a=end-of-candidates:", ParseErrorKind::Malformed, 21),
            ("a=ice-lite:1", ParseErrorKind::Malformed, 12),
            ("ice-mismatch: ", ParseErrorKind::Malformed, 14),
            ("a=ice-ufrag", ParseErrorKind::Incomplete, 12),
            ("a=ice-ufrag:", ParseErrorKind::OutOfRange, 13),
            ("a=ice-options", ParseErrorKind::Incomplete, 14),
            ("a=remote-candidates:1 192.0.2.3", ParseErrorKind::Incomplete, 32),
            ("a=remote-candidates:0 192.0.2.3 1", ParseErrorKind::OutOfRange, 21),
            ("a=remote-candidates:", ParseErrorKind::Malformed, 21),
            ("a=candidate\r\n", ParseErrorKind::Incomplete, 12),
            ("a=ice-options:ice2\r\na=ice-lite", ParseErrorKind::Malformed, 19),
        ] {
            let error = IceAttribute::parse(line).unwrap_err();
            assert_eq!((error.kind(), error.column()), (kind, column), "{line:?}");
        }
    }

    #[test]
    fn no_attribute_is_longer_than_4096_bytes() {
        let line = "a=ice-options:".to_owned() + &"x".repeat(4096 - 14);
        assert!(IceAttribute::parse(&line).is_ok());
        assert_eq!(IceAttribute::parse(&(line + "x")).unwrap_err().kind(), ParseErrorKind::TooLong);
    }

    #[test]
    fn pacing_is_one_to_ten_digits_of_milliseconds() {
        let read = |value: &str| IceAttribute::parse(&format!("a=ice-pacing:{value}"));
        for (value, milliseconds) in [("0", 0), ("5", 5), ("0000000050", 50), ("4294967295", u32::MAX)] {
            assert_eq!(read(value), Ok(Some(IceAttribute::Pacing(milliseconds))));
        }
        for value in ["", "-1", "50ms", "00000000050", "4294967296"] {
            assert!(read(value).is_err(), "{value}");
        }
    }

    #[test]
    fn options_are_listed_between_single_spaces() {
        let options = IceOptions::parse("a=ice-options:ice2 rtp+ecn\r\n").unwrap();
        assert!(options.contains("ice2") && options.contains("rtp+ecn"));
        assert!(!options.contains("rtp") && !options.contains("ICE2") && !options.contains(""));
        assert_eq!(options.iter().collect::<Vec<_>>(), ["ice2", "rtp+ecn"]);
        assert_eq!(IceOptions::parse("ice2 rtp+ecn"), Ok(options));
        for text in ["", " ", "ice2  trickle", " ice2", "ice2 ", "a=ice-options:", "ice2\ttrickle", "ice2 é"]
        {
            assert_eq!(IceOptions::parse(text).unwrap_err().kind(), ParseErrorKind::Malformed, "{text:?}");
        }
    }

    #[test]
    fn options_that_peers_write_beside_the_grammar_are_kept() {
        let options = IceOptions::parse("google-ice ice2,trickle").unwrap();
        assert_eq!(options.to_string(), "google-ice ice2,trickle");
        for option in ["google-ice", "ice2", "trickle", "ice2,trickle"] {
            assert!(options.contains(option), "{option}");
        }
        assert!(!options.contains("ice"));
    }

    #[test]
    fn an_option_is_in_force_if_both_list_it() {
        let in_common = |one: &str, other: &str| {
            let (one, other) = (IceOptions::parse(one).unwrap(), IceOptions::parse(other).unwrap());
            one.in_common(&other).map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(in_common("ice2 rtp+ecn trickle", "trickle ice2 x"), ["ice2", "trickle"]);
        assert_eq!(in_common("ice2,trickle", "trickle"), ["trickle"]);
        assert_eq!(in_common("ice2", "ice"), Vec::<String>::new());
    }

    #[test]
    fn our_own_options_are_as_the_grammar_has_them() {
        for (options, text) in [(IceOptions::ice2(), "ice2"), (IceOptions::ice2_trickle(), "ice2 trickle")] {
            assert_eq!(options.to_string(), text);
            assert_eq!(IceOptions::parse(text).as_ref(), Ok(&options));
            assert!(options.iter().all(|option| Class::ICE.has_all(option)));
        }
    }
}
