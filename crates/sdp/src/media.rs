//! One section of a description: an "m=" line and what follows it (RFC 8866 section 5.14).

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::attribute::{Attribute, Direction};
use crate::candidate::{CandidateRef, ends_as_a_name};
use crate::class::Class;
use crate::credentials::{IcePwd, IceUfrag};
use crate::dtls::{Fingerprint, Setup, TlsId};
use crate::error::{ParseError, ParseErrorKind};
use crate::ice::{IceOptions, RemoteCandidate};
use crate::ip::{read_ip, read_ipv4, read_ipv6};
use crate::line::position;
use crate::reader::passed_over;
use crate::scan::{AttributeLine, Field};
use crate::session::Lines;

/// A section: what its "m=" line says, and the attributes that an ICE data session needs. All others are in
/// [`lines`](Self::lines).
#[derive(Clone)]
pub struct Media<'a> {
    pub(crate) text: &'a str,
    pub(crate) first_line: usize,
    /// Its BUNDLE group, by its place among all groups.
    pub(crate) group: Option<usize>,
    /// The section whose transport it uses, by its place.
    pub(crate) transport: usize,
    /// `application`, `audio`, `video` and others: a token.
    pub kind: &'a str,
    /// Where the default candidate is reached; 9 if there is none yet, 0 if the section is not wanted.
    pub port: u16,
    /// How many ports are meant, behind a slash.
    pub port_count: Option<u16>,
    /// Tokens between slashes: `UDP/DTLS/SCTP`.
    pub proto: &'a str,
    /// Checked: tokens between single spaces.
    pub(crate) formats: &'a str,
    /// "c=" of the section. Where it is missing that of the session counts.
    pub connection: Option<Connection<'a>>,
    /// What may also stand for the whole session.
    pub level: Level,
    /// The name of the section, which no other has.
    pub mid: Option<&'a str>,
    /// In the order of the text. Those of an unknown type or address are left out (RFC 8839 section 5.1).
    pub candidates: Vec<CandidateRef<'a>>,
    /// What the peer says was selected.
    pub remote_candidates: Vec<RemoteCandidate>,
    /// The answerer saw a mismatch: no ICE here.
    pub is_mismatch: bool,
    /// The section lives within its BUNDLE group or not at all.
    pub is_bundle_only: bool,
    /// `sctp-port`, looked at only if the section is one of SCTP.
    pub sctp_port: Option<u16>,
    /// `max-message-size`, likewise; 0 means any size.
    pub max_message_size: Option<u64>,
}

/// Attributes that may stand for the whole session or for one section, where the section's count more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Level {
    /// `ice-ufrag`.
    pub ufrag: Option<IceUfrag>,
    /// `ice-pwd`.
    pub pwd: Option<IcePwd>,
    /// `ice-options`.
    pub options: Option<IceOptions>,
    /// `fingerprint`; those with an unknown hash are left out.
    pub fingerprints: Vec<Fingerprint>,
    /// `setup`.
    pub setup: Option<Setup>,
    /// `tls-id`.
    pub tls_id: Option<TlsId>,
    /// `sendrecv` and so on.
    pub direction: Option<Direction>,
    /// No candidates will follow.
    pub end_of_candidates: bool,
}

/// Where data is to go by default: "c=" (RFC 8866 section 5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connection<'a> {
    /// `IN`.
    pub nettype: &'a str,
    /// `IP4` or `IP6`.
    pub addrtype: &'a str,
    /// An address, a name, or a multicast address with what stands behind its slash.
    pub address: &'a str,
}

impl<'a> Media<'a> {
    /// Reads what stands behind "m=". The formats of a pseudo line mean nothing (RFC 8840 section 4.4).
    pub(crate) fn read(value: Field<'a>, first_line: usize, is_pseudo: bool) -> Result<Self, ParseError> {
        let mut fields = value.fields();
        let kind = fields.need_of(Class::TOKEN, KIND)?;
        let (port, port_count) = read_ports(fields.need(PORT)?)?;
        let proto = read_proto(fields.need(PROTO)?)?;
        let formats = fields.rest().map_or("", |rest| rest.text);
        let (is_rtp, mut next) = (is_rtp(proto) && !is_pseudo, Some(fields.need(FORMAT)?));
        while let Some(format) = next {
            read_format(format, is_rtp)?;
            next = fields.next();
        }
        Ok(Self {
            text: "",
            first_line,
            group: None,
            transport: 0,
            kind,
            port,
            port_count,
            proto,
            formats,
            connection: None,
            level: Level::default(),
            mid: None,
            candidates: Vec::new(),
            remote_candidates: Vec::new(),
            is_mismatch: false,
            is_bundle_only: false,
            sctp_port: None,
            max_message_size: None,
        })
    }

    /// Keeps what belongs to a section. What does not is still in [`lines`](Self::lines).
    #[inline]
    pub(crate) fn take(
        &mut self,
        read: Result<Attribute<'a>, ParseError>,
        line: Field<'a>,
    ) -> Result<(), ParseError> {
        match read {
            Ok(Attribute::Candidate(candidate)) => self.candidates.push(candidate),
            Ok(Attribute::RemoteCandidates(more)) => self.remote_candidates.extend(more),
            Ok(Attribute::Mismatch) => self.is_mismatch = true,
            Ok(Attribute::BundleOnly) => self.is_bundle_only = true,
            Ok(Attribute::Mid(mid)) => once(&mut self.mid, mid, line)?,
            // These belong to SCTP, and mean nothing elsewhere, whatever they hold (RFC 8841 sections 5.1 and 6.1).
            Ok(Attribute::SctpPort(_) | Attribute::MaxMessageSize(_)) if !self.is_sctp() => {}
            Err(_) if is_of_sctp(line) && !self.is_sctp() => {}
            Ok(Attribute::SctpPort(port)) => once(&mut self.sctp_port, port, line)?,
            Ok(Attribute::MaxMessageSize(bytes)) => once(&mut self.max_message_size, bytes, line)?,
            Ok(other) => self.level.take(other, line)?,
            Err(error) => passed_over(Err(error))?,
        }
        Ok(())
    }

    /// The formats: payload types of RTP, or `webrtc-datachannel`. At least one.
    pub fn formats(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.formats.split(' ')
    }

    /// Its lines as they stand, "m=" first.
    pub fn lines(&self) -> Lines<'a> {
        Lines::new(self.text)
    }

    /// The text of the section, line ends and all.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Whether the section is refused, or not wanted any more: port 0, unless it lives by its group alone.
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.is_bundle_only
    }

    /// Whether the section is one SCTP association over DTLS (RFC 8841 section 4, RFC 9429 section 5.1.2).
    pub fn is_sctp(&self) -> bool {
        is_sctp(self.proto)
    }

    /// Whether the section goes over DTLS, by its protocol.
    pub(crate) fn is_dtls(&self) -> bool {
        let names = |part: &str| part.eq_ignore_ascii_case("DTLS") || part.eq_ignore_ascii_case("TLS");
        self.proto.split('/').any(names)
    }

    /// Whether the section goes over TCP. What does not say goes over UDP.
    pub fn is_tcp(&self) -> bool {
        is_tcp(self.proto)
    }

    /// Whether the section carries data channels: SCTP, and `webrtc-datachannel` as its only format.
    pub fn is_data_channel(&self) -> bool {
        self.kind == "application" && self.is_sctp() && self.formats.eq_ignore_ascii_case(DATA_CHANNEL)
    }
}

/// Without the text: there is a password in it.
impl fmt::Debug for Media<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("kind", &self.kind)
            .field("port", &self.port)
            .field("port_count", &self.port_count)
            .field("proto", &self.proto)
            .field("formats", &self.formats)
            .field("connection", &self.connection)
            .field("level", &self.level)
            .field("mid", &self.mid)
            .field("candidates", &self.candidates)
            .field("remote_candidates", &self.remote_candidates)
            .field("is_mismatch", &self.is_mismatch)
            .field("is_bundle_only", &self.is_bundle_only)
            .field("sctp_port", &self.sctp_port)
            .field("max_message_size", &self.max_message_size)
            .finish_non_exhaustive()
    }
}

impl Level {
    pub(crate) fn take(&mut self, attribute: Attribute<'_>, line: Field<'_>) -> Result<(), ParseError> {
        match attribute {
            Attribute::Ufrag(ufrag) => once(&mut self.ufrag, ufrag, line),
            Attribute::Pwd(pwd) => once(&mut self.pwd, pwd, line),
            Attribute::Options(options) => once(&mut self.options, options, line),
            Attribute::Setup(setup) => once(&mut self.setup, setup, line),
            Attribute::TlsId(id) => once(&mut self.tls_id, id, line),
            Attribute::Direction(direction) => once(&mut self.direction, direction, line),
            Attribute::Fingerprint(fingerprint) => {
                self.fingerprints.push(fingerprint);
                Ok(())
            }
            Attribute::EndOfCandidates => {
                self.end_of_candidates = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl<'a> Connection<'a> {
    /// Reads what stands behind "c=".
    pub(crate) fn read(value: Field<'a>) -> Result<Self, ParseError> {
        let mut fields = value.fields();
        let connection = Self::read_fields(&mut fields)?;
        fields.end()?;
        if !connection.is_plausible() {
            return Err(
                value.error(ParseErrorKind::Malformed, "IN IP4 or IN IP6 and an address of that type")
            );
        }
        Ok(connection)
    }

    /// Three fields, the last of "o=" too, where the address names nothing that is reached (RFC 9429 section 5.2.1).
    pub(crate) fn read_fields(fields: &mut crate::scan::Fields<'a>) -> Result<Self, ParseError> {
        let nettype = fields.need_of(Class::TOKEN, NETTYPE)?;
        let addrtype = fields.need_of(Class::TOKEN, ADDRTYPE)?;
        let address = fields.need_of(Class::WORD, ADDRESS)?;
        Ok(Self { nettype, addrtype, address })
    }

    /// The address, unless it is a name or one of multicast with a slash.
    pub fn ip(&self) -> Option<IpAddr> {
        read_ip(self.address).filter(|_| self.nettype == "IN")
    }

    /// Whether no default candidate was known: the address is zero and the port is 9 (RFC 8840 section 4.1.1).
    pub fn is_placeholder(&self, port: u16) -> bool {
        port == 9 && self.ip().is_some_and(|ip| ip.is_unspecified())
    }

    /// An address of the internet is an address of its sort, a slash only behind one of multicast, or a name.
    fn is_plausible(&self) -> bool {
        let slash = position(b'/', self.address.as_bytes());
        let address = self.address.get(..slash).unwrap_or_default();
        let slash = self.address.get(slash.saturating_add(1)..);
        let multicast = match (self.nettype, self.addrtype) {
            ("IN", "IP4") => read_ipv4(address.as_bytes()).map(|ip| ip.is_multicast()),
            ("IN", "IP6") => read_ipv6(address.as_bytes()).map(|ip| ip.is_multicast()),
            _ => return true,
        };
        let counts = |text: &str| {
            text.split('/').count() <= 2
                && text.split('/').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        match (multicast, slash) {
            (Some(multicast), Some(slash)) => multicast && counts(slash),
            (Some(_), None) => true,
            (None, None) => Class::NAME.has_all(address) && ends_as_a_name(address),
            (None, Some(_)) => false,
        }
    }
}

impl fmt::Display for Connection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.nettype, self.addrtype, self.address)
    }
}

/// Fills what may be there once.
pub(crate) fn once<T>(place: &mut Option<T>, value: T, line: Field<'_>) -> Result<(), ParseError> {
    if place.is_some() {
        let name = Field { text: line.text.split(':').next().unwrap_or_default(), ..line };
        return Err(name.error(ParseErrorKind::Repeated, "this attribute only once here"));
    }
    *place = Some(value);
    Ok(())
}

fn is_of_sctp(line: Field<'_>) -> bool {
    let attribute = AttributeLine::of_line(line.text);
    attribute.is("sctp-port") || attribute.is("max-message-size")
}

fn read_ports(field: Field<'_>) -> Result<(u16, Option<u16>), ParseError> {
    let Some((port, count)) = field.cut(b'/') else {
        return Ok((field.number(5, 0..=u16::MAX, PORT)?, None));
    };
    let count = count.number(5, 1..=u16::MAX, "how many ports there are, 1 to 65535")?;
    Ok((port.number(5, 0..=u16::MAX, PORT)?, Some(count)))
}

fn read_proto(field: Field<'_>) -> Result<&str, ParseError> {
    let mut rest = field;
    while let Some((token, more)) = rest.cut(b'/') {
        token.token(PROTO)?;
        rest = more;
    }
    rest.token(PROTO)?;
    Ok(field.text)
}

/// A token; a payload type of RTP has seven bits (RFC 3550 section 5.1).
fn read_format(field: Field<'_>, is_rtp: bool) -> Result<(), ParseError> {
    if is_rtp {
        return field.number(3, 0..=127_u8, "a payload type from 0 to 127").map(|_| ());
    }
    field.token(FORMAT).map(|_| ())
}

fn is_rtp(proto: &str) -> bool {
    proto.as_bytes().split(|&byte| byte == b'/').any(|part| part == b"RTP")
}

pub(crate) fn is_tcp(proto: &str) -> bool {
    proto.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("TCP/"))
}

pub(crate) fn is_sctp(proto: &str) -> bool {
    ["UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"].iter().any(|known| proto.eq_ignore_ascii_case(known))
}

pub(crate) const DATA_CHANNEL: &str = "webrtc-datachannel";

const KIND: &str = "a medium such as application";
const PORT: &str = "a port from 0 to 65535";
const PROTO: &str = "a protocol such as UDP/DTLS/SCTP";
const FORMAT: &str = "a format such as webrtc-datachannel";
const NETTYPE: &str = "the type of a network, IN";
const ADDRTYPE: &str = "the type of an address, IP4 or IP6";
const ADDRESS: &str = "an address";
