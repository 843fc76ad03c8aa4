//! One candidate line (RFC 8839 section 5.1, RFC 6544 section 4.5).
//!
//! ```text
//!   candidate:foundation component transport priority address port typ kind
//!             [raddr address rport port] [tcptype active|passive|so] *(name value)
//! ```
//!
//! Known departures from the letter, all towards being generous:
//!
//! - "raddr" and "rport" belong together. Where one comes without the other, or they stand elsewhere, they are
//!   extensions like any other: kept, and without meaning.
//! - "tcptype" may stand anywhere among the extensions.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::class::Class;
use crate::error::{ParseError, ParseErrorKind};
use crate::ip::{read_ip, write_ip};
use crate::print::{decimal, write_all};
use crate::scan::{AttributeLine, Field, Fields};

/// A candidate line as RFC 8839 section 5.1 writes it.
///
/// [`parse`](Self::parse) reads `candidate:…` and `a=candidate:…`; `Display` writes without `a=`, keywords in lower
/// case and the transports as `UDP` and `TCP`. What was parsed prints as text that parses to the same value.
///
/// The fields are open to be read and to be filled. `parse` keeps every one within its grammar; a line that was filled
/// by hand is printed as it is, so a text in it that comes from elsewhere must be checked first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CandidateLine {
    /// 1 to 32 characters out of letters, digits, `+` and `/`. Candidates of one type, base and server share it.
    pub foundation: String,
    /// The component of the stream, 1 to 256.
    pub component: u16,
    /// The transport protocol.
    pub transport: Transport,
    /// 1 to 2^31 - 1, the higher the better.
    pub priority: u32,
    /// Where the peer can be reached. It may be any address, also one that must never be sent to.
    pub address: Address,
    /// The port of `address`. 9 on a TCP candidate that only connects; 0 happens and is of no use.
    pub port: u16,
    /// How the candidate was found ("typ").
    pub kind: CandidateType,
    /// "raddr" and "rport": the base of a reflexive candidate, the mapped address of a relayed one. For diagnosis only;
    /// peers that hide it write the zero address, with port 9 or 0.
    pub related: Option<(Address, u16)>,
    /// All name and value pairs behind that, in their order, byte for byte. A value may be empty.
    pub extensions: Vec<(String, String)>,
}

/// The transport protocol of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// UDP, the only one that RFC 8839 defines.
    Udp,
    /// TCP (RFC 6544); see [`CandidateLine::tcp_type`].
    Tcp,
    /// Any other token, as it was written.
    Other(String),
}

/// The address of a candidate. A colon tells IPv6 from IPv4 (RFC 8839 section 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IPv4 or IPv6 address, without a zone.
    Ip(IpAddr),
    /// A domain name of 4 to 253 letters, digits, hyphens and dots, as it was written; its last label begins with a
    /// letter, so that no resolver takes it for a number. RFC 8839 has such candidates ignored; names in `.local`
    /// are those of mDNS (draft-ietf-mmusic-mdns-ice-candidates).
    Name(String),
}

/// How a candidate was found (RFC 8445 section 5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateType {
    /// `host`: an address of an interface.
    Host,
    /// `srflx`: as a STUN server sees us.
    ServerReflexive,
    /// `prflx`: as the peer sees us.
    PeerReflexive,
    /// `relay`: on a TURN server.
    Relayed,
}

/// Who opens the connection of a TCP candidate (RFC 6544 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpType {
    /// `active`: this side connects; the port is 9.
    Active,
    /// `passive`: this side listens.
    Passive,
    /// `so`: both connect at once.
    SimultaneousOpen,
}

impl CandidateLine {
    /// Reads one line, with or without `a=` in front and a line end behind.
    ///
    /// # Errors
    ///
    /// A candidate type other than the four, an address with a zone or of an unknown sort is well formed and
    /// [ignorable](ParseError::is_ignorable). No text at all is [`ParseErrorKind::Empty`]. A TCP candidate needs its
    /// "tcptype". All else is a fault of whoever wrote the line.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let attribute = AttributeLine::split(text);
        attribute.check_line()?;
        if attribute.line().text.is_empty() {
            return Err(attribute.line().error(ParseErrorKind::Empty, "a candidate"));
        }
        if !attribute.is("candidate") {
            return Err(attribute.name().error(ParseErrorKind::Malformed, "\"candidate:\""));
        }
        CandidateRef::read(&mut attribute.value()?.fields()).map(|read| read.to_line())
    }

    /// What `Display` writes.
    pub(crate) fn write(&self, out: &mut impl Write) -> fmt::Result {
        let Self { foundation, component, transport, priority, address, port, kind, related, extensions } =
            self;
        let head = Head { foundation, component, transport, priority, address, port, kind, related };
        head.write(out)?;
        extensions.iter().try_for_each(|(name, value)| {
            out.write_char(' ')?;
            out.write_str(name)?;
            out.write_char(' ')?;
            out.write_str(value)
        })
    }

    /// Whether `other` names the same place: component, transport, address and port are the same. A fragment repeats
    /// candidates, and those already known are passed over (RFC 8840 section 4.4).
    pub fn is_same_place(&self, other: &Self) -> bool {
        (self.component, self.port) == (other.component, other.port)
            && self.address == other.address
            && self.transport.as_str().eq_ignore_ascii_case(other.transport.as_str())
    }

    /// Puts the zero address and port 9 in the place of the related address, so that it is not told (RFC 8839
    /// section 5.1).
    pub fn hide_related(&mut self) {
        let zero = match self.address {
            Address::Ip(IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            Address::Ip(IpAddr::V4(_)) | Address::Name(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        self.related = self.related.take().map(|_| (zero.into(), 9));
    }

    /// The value of the first extension of that name. Names match in any case.
    pub fn extension(&self, name: &str) -> Option<&str> {
        let (_, value) = self.extensions.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The value of the extension "tcptype". A line that was parsed has it if its transport is TCP.
    pub fn tcp_type(&self) -> Option<TcpType> {
        TcpType::from_word(self.extension("tcptype")?)
    }
}

impl fmt::Display for CandidateLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl FromStr for CandidateLine {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

/// The same line within a description: what is text in it is borrowed from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateRef<'a> {
    /// See [`CandidateLine::foundation`], and so on for all that follow.
    pub foundation: &'a str,
    /// The component of the stream, 1 to 256.
    pub component: u16,
    /// The transport protocol.
    pub transport: Transport,
    /// 1 to 2^31 - 1.
    pub priority: u32,
    /// Where the peer can be reached.
    pub address: Address,
    /// The port of `address`.
    pub port: u16,
    /// How the candidate was found.
    pub kind: CandidateType,
    /// "raddr" and "rport".
    pub related: Option<(Address, u16)>,
    /// The name and value pairs behind that.
    pub extensions: Extensions<'a>,
}

/// The extensions of a candidate in their order: an iterator over names and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extensions<'a> {
    /// Checked; `None` if there is not even a space.
    rest: Option<&'a str>,
}

impl<'a> CandidateRef<'a> {
    /// Reads what stands behind `candidate:`.
    pub(crate) fn read(fields: &mut Fields<'a>) -> Result<Self, ParseError> {
        let foundation = fields.need(FOUNDATION)?.ice_chars(1..=32, FOUNDATION)?;
        let component = read_component(fields)?;
        let transport = Transport::of_word(fields.need_of(Class::TOKEN, TRANSPORT)?);
        let priority = fields.number(10, 1..=MAX_PRIORITY, PRIORITY)?;
        let address = Address::read(fields)?;
        let port = read_port(fields)?;
        fields.keyword("typ", TYP)?;
        let kind = CandidateType::read(fields)?;
        let related = read_related(fields)?;
        if transport == Transport::Tcp {
            check_tcp_type(*fields)?;
        }
        let extensions = Extensions { rest: fields.rest().map(|field| field.text) };
        check_extensions(fields)?;
        Ok(Self { foundation, component, transport, priority, address, port, kind, related, extensions })
    }

    /// The value of the first extension of that name. Names match in any case.
    pub fn extension(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.extensions.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// A value that owns its text.
    pub fn to_line(&self) -> CandidateLine {
        CandidateLine {
            foundation: self.foundation.to_owned(),
            component: self.component,
            transport: self.transport.clone(),
            priority: self.priority,
            address: self.address.clone(),
            port: self.port,
            kind: self.kind,
            related: self.related.clone(),
            extensions: self.extensions.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

impl fmt::Display for CandidateRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { foundation, component, transport, priority, address, port, kind, related, .. } = self;
        let head = Head { foundation, component, transport, priority, address, port, kind, related };
        head.write(f)?;
        self.extensions.rest.map_or(Ok(()), |pairs| write_all(f, &[" ", pairs]))
    }
}

/// All in front of the extensions.
struct Head<'c> {
    foundation: &'c str,
    component: &'c u16,
    transport: &'c Transport,
    priority: &'c u32,
    address: &'c Address,
    port: &'c u16,
    kind: &'c CandidateType,
    related: &'c Option<(Address, u16)>,
}

impl Head<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str("candidate:")?;
        out.write_str(self.foundation)?;
        out.write_char(' ')?;
        decimal(out, *self.component)?;
        out.write_char(' ')?;
        out.write_str(self.transport.as_str())?;
        out.write_char(' ')?;
        decimal(out, *self.priority)?;
        out.write_char(' ')?;
        self.address.write(out)?;
        out.write_char(' ')?;
        decimal(out, *self.port)?;
        out.write_str(" typ ")?;
        out.write_str(self.kind.as_str())?;
        if let Some((address, port)) = self.related {
            out.write_str(" raddr ")?;
            address.write(out)?;
            out.write_str(" rport ")?;
            decimal(out, *port)?;
        }
        Ok(())
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.rest.take()?.split_once(' ')?;
        let Some((value, rest)) = rest.split_once(' ') else {
            return Some((name, rest));
        };
        self.rest = Some(rest);
        Some((name, value))
    }
}

impl Transport {
    fn of_word(word: &str) -> Self {
        match word {
            "UDP" | "udp" => Self::Udp,
            "TCP" | "tcp" => Self::Tcp,
            _ if word.eq_ignore_ascii_case("UDP") => Self::Udp,
            _ if word.eq_ignore_ascii_case("TCP") => Self::Tcp,
            _ => Self::Other(word.to_owned()),
        }
    }

    /// The word in a candidate line.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Address {
    /// `connection-address` of RFC 8866 section 9. Anything visible can be one, so what is neither an IP address nor a
    /// name is of a sort unknown to us, not malformed.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ParseError> {
        match fields.ip() {
            Some(ip) => Ok(Self::Ip(ip)),
            None => Self::read_other(fields.need(ADDRESS)?),
        }
    }

    fn read_other(field: Field<'_>) -> Result<Self, ParseError> {
        let text = field.text;
        if let Some(ip) = read_ip(text) {
            return Ok(Self::Ip(ip));
        }
        if is_domain_name(text) {
            return Ok(Self::Name(text.to_owned()));
        }
        // A zone means something on one machine only, so it cannot be part of what a peer is told.
        if text.contains(':') && text.contains('%') && Class::WORD.makes(text) {
            return Err(field.error(ParseErrorKind::Unsupported, UNZONED));
        }
        let is_of_known_sort = text.contains(':') || is_made_as_a_name(text);
        let is_broken = is_of_known_sort || !Class::WORD.makes(text);
        let kind = if is_broken { ParseErrorKind::Malformed } else { ParseErrorKind::Unsupported };
        Err(field.error(kind, ADDRESS))
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Ip(ip) => write_ip(out, *ip),
            Self::Name(name) => out.write_str(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl CandidateType {
    const ALL: [Self; 4] = [Self::Host, Self::ServerReflexive, Self::PeerReflexive, Self::Relayed];

    fn read(fields: &mut Fields<'_>) -> Result<Self, ParseError> {
        if let Some(kind) = Self::ALL.into_iter().find(|kind| fields.take_word(kind.as_str())) {
            return Ok(kind);
        }
        let field = fields.need(TYPE)?;
        let word = field.token(TYPE)?;
        let known = Self::ALL.into_iter().find(|kind| word.eq_ignore_ascii_case(kind.as_str()));
        known.ok_or_else(|| field.error(ParseErrorKind::Unsupported, TYPE))
    }

    /// The word behind "typ".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }
}

impl fmt::Display for CandidateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TcpType {
    const ALL: [Self; 3] = [Self::Active, Self::Passive, Self::SimultaneousOpen];

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| word.eq_ignore_ascii_case(kind.as_str()))
    }

    /// The word behind "tcptype".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }
}

impl fmt::Display for TcpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Takes "raddr … rport …" if both stand next, in this order; otherwise leaves all to the extensions.
fn read_related(fields: &mut Fields<'_>) -> Result<Option<(Address, u16)>, ParseError> {
    let mut words = fields.ahead().split(|&byte| byte == b' ');
    let is = |word: Option<&[u8]>, name| word.is_some_and(|word| word.eq_ignore_ascii_case(name));
    if !is(words.next(), b"raddr") || !is(words.nth(1), b"rport") {
        return Ok(None);
    }
    fields.next();
    let address = Address::read(fields)?;
    fields.next();
    Ok(Some((address, read_port(fields)?)))
}

/// RFC 6544 section 4.5: the attribute of a TCP candidate holds "tcptype" with one of three words.
fn check_tcp_type(mut extensions: Fields<'_>) -> Result<(), ParseError> {
    loop {
        let name = extensions.need(TCPTYPE)?;
        let value = extensions.need(TCPTYPE)?;
        if name.text.eq_ignore_ascii_case("tcptype") {
            return match TcpType::from_word(value.text) {
                Some(_) => Ok(()),
                None => Err(value.error(ParseErrorKind::Malformed, TCPTYPE)),
            };
        }
    }
}

fn check_extensions(fields: &mut Fields<'_>) -> Result<(), ParseError> {
    while fields.rest().is_some() {
        fields.need_of(Class::TOKEN, EXTENSION)?;
        fields.visible(VALUE)?;
    }
    Ok(())
}

pub(crate) fn read_component(fields: &mut Fields<'_>) -> Result<u16, ParseError> {
    fields.number(3, 1..=256, COMPONENT)
}

pub(crate) fn read_port(fields: &mut Fields<'_>) -> Result<u16, ParseError> {
    fields.number(usize::MAX, 0..=u16::MAX, PORT)
}

/// Whether a line may have `name` for its address.
pub(crate) fn is_domain_name(name: &str) -> bool {
    is_made_as_a_name(name) && ends_as_a_name(name)
}

fn is_made_as_a_name(text: &str) -> bool {
    (4..=253).contains(&text.len()) && Class::NAME.has_all(text)
}

/// "10.0.1", "1.2.3.256", "0x7f000001": resolvers take these for numbers, and so for addresses not shown here.
pub(crate) fn ends_as_a_name(text: &str) -> bool {
    last_label(text).starts_with(|c: char| c.is_ascii_alphabetic())
}

fn last_label(name: &str) -> &str {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.rsplit_once('.').map_or(name, |(_, label)| label)
}

/// RFC 8839 section 5.1: "a positive integer between 1 and (2**31 - 1) inclusive".
const MAX_PRIORITY: u32 = 0x7fff_ffff;

const FOUNDATION: &str = "a foundation of 1 to 32 letters, digits, \"+\" or \"/\"";
const COMPONENT: &str = "a component from 1 to 256";
const TRANSPORT: &str = "a transport such as UDP";
const PRIORITY: &str = "a priority from 1 to 2147483647";
pub(crate) const ADDRESS: &str = "an IP address or a domain name";
const UNZONED: &str = "an IPv6 address without a zone";
pub(crate) const PORT: &str = "a port from 0 to 65535";
const TYP: &str = "\"typ\"";
const TYPE: &str = "host, srflx, prflx or relay";
const TCPTYPE: &str = "tcptype with active, passive or so";
const EXTENSION: &str = "the name of an extension";
const VALUE: &str = "the value of an extension, in visible ASCII";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    const HOST: &str = "candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host";

    #[test]
    fn the_example_of_the_rfc_reads_field_by_field_and_prints_back() {
        let text = "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998";
        let candidate = CandidateLine::parse(&format!("a={text}\r\n")).unwrap();
        let expected = CandidateLine {
            foundation: "2".into(),
            component: 1,
            transport: Transport::Udp,
            priority: 1694498815,
            address: ip("192.0.2.3"),
            port: 45664,
            kind: CandidateType::ServerReflexive,
            related: Some((ip("203.0.113.141"), 8998)),
            extensions: vec![],
        };
        assert_eq!(candidate, expected);
        assert_eq!(candidate.to_string(), text);
        assert_eq!(text.parse(), Ok(expected));
    }

    #[test]
    fn keywords_match_in_any_case() {
        let text = "CANDIDATE:1 1 uDp 1 10.0.1.1 8998 TYP SrFlX RADDR 0.0.0.0 RPORT 0";
        let printed = "candidate:1 1 UDP 1 10.0.1.1 8998 typ srflx raddr 0.0.0.0 rport 0";
        assert_eq!(CandidateLine::parse(text).unwrap().to_string(), printed);
        let tcp = CandidateLine::parse("candidate:1 1 tcp 1 10.0.1.1 9 typ host TcpType Active").unwrap();
        assert_eq!((&tcp.transport, tcp.tcp_type()), (&Transport::Tcp, Some(TcpType::Active)));
        assert_eq!(tcp.to_string(), "candidate:1 1 TCP 1 10.0.1.1 9 typ host TcpType Active");
    }

    #[test]
    fn each_of_the_four_types_is_known_and_any_other_is_ignorable() {
        for (word, kind) in [
            ("host", CandidateType::Host),
            ("srflx", CandidateType::ServerReflexive),
            ("prflx", CandidateType::PeerReflexive),
            ("relay", CandidateType::Relayed),
        ] {
            let line = CandidateLine::parse(&HOST.replace("host", word)).unwrap();
            assert_eq!(line.kind, kind);
        }
        let error = error(&HOST.replace("host", "satellite"));
        assert_eq!((error.kind(), error.column()), (ParseErrorKind::Unsupported, 48));
        assert!(error.is_ignorable());
        assert_eq!(kind_of(&HOST.replace("host", "h@st")), ParseErrorKind::Malformed);
        assert_eq!(kind_of(&HOST.replace("host", "")), ParseErrorKind::Malformed);
    }

    #[test]
    fn numbers_keep_to_their_limits() {
        let with = |component, priority, port| {
            let text = format!("candidate:1 {component} UDP {priority} 10.0.1.1 {port} typ host");
            CandidateLine::parse(&text).map(|c| (c.component, c.priority, c.port))
        };
        assert_eq!(with("1", "1", "0"), Ok((1, 1, 0)));
        assert_eq!(with("256", "2147483647", "65535"), Ok((256, 2147483647, 65535)));
        assert_eq!(with("001", "0000000001", "00000000080"), Ok((1, 1, 80)));
        for (component, priority, port) in [
            ("0", "1", "1"),
            ("257", "1", "1"),
            ("1", "0", "1"),
            ("1", "2147483648", "1"),
            ("1", "4294967296", "1"),
            ("1", "1", "65536"),
        ] {
            let kind = with(component, priority, port).unwrap_err().kind();
            assert_eq!(kind, ParseErrorKind::OutOfRange, "{component} {priority} {port}");
        }
        for (component, priority, port) in [("0001", "1", "1"), ("1", "00000000001", "1"), ("1", "1", "+1")] {
            let kind = with(component, priority, port).unwrap_err().kind();
            assert_eq!(kind, ParseErrorKind::Malformed, "{component} {priority} {port}");
        }
    }

    #[test]
    fn an_address_is_an_ip_address_or_a_name() {
        let read = |text: &str| CandidateLine::parse(&HOST.replace("10.0.1.1", text)).map(|c| c.address);
        for text in ["10.0.1.1", "0.0.0.0", "::", "fd77::1", "::ffff:10.0.0.1", "FE80::A"] {
            assert_eq!(read(text), Ok(ip(text)));
        }
        for text in ["4b3f7c1e-0a2b-4c3d-9e8f-001122334455.local", "Example.ORG", "example.org.", "a.9.b3"] {
            assert_eq!(read(text), Ok(Address::Name(text.into())));
        }
    }

    #[test]
    fn an_address_of_an_unknown_sort_is_ignorable() {
        for text in ["fe80::1%eth0", "under_score.example", "[fd77::1]x", "bücher.example", "abc", "isdn+49"]
        {
            let error = error(&HOST.replace("10.0.1.1", text));
            let ignorable = !text.starts_with('[');
            assert_eq!((error.is_ignorable(), error.column()), (ignorable, 30), "{text}");
        }
        assert!(error(&HOST.replace("10.0.1.1", &"a".repeat(254))).is_ignorable());
    }

    #[test]
    fn what_a_resolver_might_take_for_a_number_is_malformed() {
        for text in
            ["10.0.1", "10.0.1.256", "1.2.3.4.5", "010.0.0.1", "0x7f000001", "127.0x1", "1.2.3.4.", "a..1"]
        {
            assert_eq!(kind_of(&HOST.replace("10.0.1.1", text)), ParseErrorKind::Malformed, "{text}");
        }
        for text in ["::1::", ":::", "1:2", "", "10.0.1.1\t"] {
            assert_eq!(kind_of(&HOST.replace("10.0.1.1", text)), ParseErrorKind::Malformed, "{text}");
        }
    }

    #[test]
    fn related_address_and_port_come_together_or_are_mere_extensions() {
        let tail = |tail: &str| {
            let text = format!("{HOST} {tail}");
            let line = CandidateLine::parse(&text).unwrap();
            assert_eq!(line.to_string(), text);
            (line.related, line.extensions.len())
        };
        assert_eq!(tail("raddr 0.0.0.0 rport 0"), (Some((ip("0.0.0.0"), 0)), 0));
        assert_eq!(tail("raddr :: rport 9 generation 0"), (Some((ip("::"), 9)), 1));
        assert_eq!(tail("raddr 10.0.1.1"), (None, 1));
        assert_eq!(tail("rport 8998"), (None, 1));
        assert_eq!(tail("raddr 10.0.1.1 generation 0"), (None, 2));
        assert_eq!(tail("generation 10.0.1.1 rport 8998"), (None, 2));
        assert_eq!(tail("rport 8998 raddr 10.0.1.1"), (None, 2));
        assert_eq!(tail("generation 0 raddr 10.0.1.1 rport 8998"), (None, 3));
        for tail in ["raddr 10.0.1.1 rport 65536", "raddr 10.0.1.1 rport", "raddr 10.0.1 rport 9", "raddr"] {
            let error = error(&format!("{HOST} {tail}"));
            assert!(!error.is_ignorable() && error.column() > HOST.len(), "{tail}");
        }
    }

    #[test]
    fn a_related_address_is_hidden_by_zeros_of_the_family_of_the_candidate() {
        let hidden = |address: &str, related: &str| {
            let mut line =
                CandidateLine::parse(&HOST.replace("10.0.1.1", address).replace("host", "srflx")).unwrap();
            line.related = (!related.is_empty()).then(|| (ip(related), 5000));
            line.hide_related();
            line.related
        };
        assert_eq!(hidden("192.0.2.1", "10.0.1.1"), Some((ip("0.0.0.0"), 9)));
        assert_eq!(hidden("2001:db8::1", "10.0.1.1"), Some((ip("::"), 9)));
        assert_eq!(hidden("x1.local", "10.0.1.1"), Some((ip("0.0.0.0"), 9)));
        assert_eq!(hidden("192.0.2.1", ""), None);
    }

    #[test]
    fn unknown_extensions_are_kept_byte_for_byte_and_in_order() {
        let text =
            format!("{HOST} Generation 0 x-\u{7e} !\"#$%&'()*+,-./:;<=>?@[\\]^_`{{|}} x 1 x 2 empty  last ");
        let line = CandidateLine::parse(&text).unwrap();
        let names: Vec<_> = line.extensions.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Generation", "x-~", "x", "x", "empty", "last"]);
        assert_eq!(line.extension("generation"), Some("0"));
        assert_eq!(line.extension("x"), Some("1"));
        assert_eq!(line.extension("EMPTY"), Some(""));
        assert_eq!(line.extension("last"), Some(""));
        assert_eq!(line.extension("absent"), None);
        assert_eq!(line.to_string(), text);
    }

    #[test]
    fn an_extension_is_a_token_and_visible_ascii() {
        for tail in ["dangling", "", " ", "a b c", "a(b 1", "a \u{e9}", "a \u{7f}", "a \t", "\u{1f600} 1"] {
            let error = error(&format!("{HOST} {tail}"));
            assert!(!error.is_ignorable(), "{tail:?}");
        }
    }

    #[test]
    fn a_tcp_candidate_says_who_connects() {
        let tcp = "candidate:1 1 TCP 1518280447 10.0.1.1 9 typ host";
        for (word, kind) in
            [("active", TcpType::Active), ("passive", TcpType::Passive), ("so", TcpType::SimultaneousOpen)]
        {
            let text = format!("{tcp} generation 0 tcptype {word}");
            let line = CandidateLine::parse(&text).unwrap();
            assert_eq!(line.tcp_type(), Some(kind));
            assert_eq!(line.to_string(), text);
        }
        assert_eq!(kind_of(tcp), ParseErrorKind::Incomplete);
        assert_eq!(kind_of(&format!("{tcp} generation tcptype")), ParseErrorKind::Incomplete);
        let error = error(&format!("{tcp} tcptype both"));
        assert_eq!((error.kind(), error.column()), (ParseErrorKind::Malformed, tcp.len() + 10));
    }

    #[test]
    fn another_transport_is_kept_as_it_was_written() {
        let line = CandidateLine::parse(&HOST.replace("UDP", "ssltcp")).unwrap();
        assert_eq!(line.transport, Transport::Other("ssltcp".into()));
        assert_eq!(line.to_string(), HOST.replace("UDP", "ssltcp"));
        assert_eq!(kind_of(&HOST.replace("UDP", "U/P")), ParseErrorKind::Malformed);
    }

    #[test]
    fn errors_name_the_column_what_was_expected_and_what_was_found() {
        for (text, message) in [
            ("", "column 1: expected a candidate, found \"\""),
            ("a=mid:0", "column 3: expected \"candidate:\", found \"mid\""),
            ("candidate", "column 10: expected a colon and a value, found end of line"),
            ("candidate:1 1 UDP 7", "column 20: expected an IP address or a domain name, found end of line"),
            ("candidate:1 1 UDP 1 10.0.1.1 80 type host", "column 33: expected \"typ\", found \"type\""),
            ("a=candidate:1 x UDP", "column 15: expected a component from 1 to 256, found \"x\""),
            (
                "candidate:a\"b 1",
                "column 12: expected a foundation of 1 to 32 letters, digits, \"+\" or \"/\", found \"\\\"\"",
            ),
        ] {
            assert_eq!(error(text).to_string(), message);
        }
        assert_eq!(kind_of(""), ParseErrorKind::Empty);
    }

    fn ip(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    fn error(text: &str) -> ParseError {
        CandidateLine::parse(text).unwrap_err()
    }

    fn kind_of(text: &str) -> ParseErrorKind {
        error(text).kind()
    }

    #[test]
    fn the_same_place_is_the_same_candidate() {
        let same = |text: &str| CandidateLine::parse(HOST).unwrap().is_same_place(&text.parse().unwrap());
        assert!(same("candidate:9 1 udp 1 10.0.1.1 8998 typ prflx raddr 0.0.0.0 rport 9 x y"));
        for other in [
            HOST.replace(" 1 UDP", " 2 UDP"),
            HOST.replace("UDP", "SCTP"),
            HOST.replace("10.0.1.1", "10.0.1.2"),
            HOST.replace("8998", "8999"),
        ] {
            assert!(!same(&other), "{other}");
        }
    }
}
