//! `stun:`, `stuns:`, `turn:` and `turns:` (RFC 7064, RFC 7065): opaque URIs, not hierarchical ones.

use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::{Transport, UriError};

/// Which protocol, and whether inside TLS or DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two RFCs register four")]
pub enum Scheme {
    /// `stun`
    Stun,
    /// `stuns`
    Stuns,
    /// `turn`
    Turn,
    /// `turns`
    Turns,
}

impl Scheme {
    /// Whether the connection is secured.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Stuns | Self::Turns)
    }

    /// Whether the server relays.
    #[must_use]
    pub const fn is_turn(self) -> bool {
        matches!(self, Self::Turn | Self::Turns)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Stuns => "stuns",
            Self::Turn => "turn",
            Self::Turns => "turns",
        }
    }
}

/// A server's address as people write it.
///
/// It names no user. Who takes user name and password from elsewhere must get them by a way that is as secure as the
/// connection to the server will be: with a `turns` URI, one inside TLS (RFC 7064 §4, RFC 7065 §4).
///
/// ```
/// use floe_stun::{Transport, Uri};
///
/// let uri: Uri = "turn:relay.example.org?transport=tcp".parse().unwrap();
/// assert_eq!((uri.host(), uri.port(), uri.transport()), ("relay.example.org", 3478, Transport::Tcp));
/// assert_eq!("stun:[2001:db8::1]:5000".parse::<Uri>().unwrap().to_string(), "stun:[2001:db8::1]:5000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uri {
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    transport: Option<Transport>,
}

impl Uri {
    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A name or an address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host if it is an address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The port, by default 3478, or 5349 where secured (RFC 7064 §3.2).
    #[must_use]
    pub fn port(&self) -> u16 {
        match self.port {
            Some(port) => port,
            None if self.scheme.is_secure() => 5349,
            None => 3478,
        }
    }

    /// The port that the URI names, if it names one.
    #[must_use]
    pub const fn named_port(&self) -> Option<u16> {
        self.port
    }

    /// The transport to use: what the URI says, else UDP, or TLS where secured (RFC 5928 §3, RFC 7350 §4.6.2).
    #[must_use]
    pub const fn transport(&self) -> Transport {
        match (self.transport, self.scheme.is_secure()) {
            (Some(Transport::Udp) | None, false) => Transport::Udp,
            (Some(_), false) => Transport::Tcp,
            (Some(Transport::Udp), true) => Transport::Dtls,
            (_, true) => Transport::Tls,
        }
    }

    /// The transport that the URI names, if it names one.
    #[must_use]
    pub const fn named_transport(&self) -> Option<Transport> {
        self.transport
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        parse(text).map_err(|reason| UriError { text: text.chars().take(200).collect(), reason })
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = self.host.contains(':');
        let (open, close) = if brackets { ("[", "]") } else { ("", "") };
        write!(f, "{}:{open}{}{close}", self.scheme.as_str(), self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(Transport::Udp) => f.write_str("?transport=udp"),
            Some(_) => f.write_str("?transport=tcp"),
            None => Ok(()),
        }
    }
}

fn parse(text: &str) -> Result<Uri, &'static str> {
    let (scheme, rest) = text.split_once(':').ok_or("it has no scheme")?;
    let scheme = parse_scheme(scheme)?;
    if rest.starts_with("//") {
        return Err("these URIs have no \"//\" after the scheme");
    }
    let (authority, query) = match rest.split_once('?') {
        Some((authority, query)) => (authority, Some(query)),
        None => (rest, None),
    };
    let transport = query.map(|query| parse_query(scheme, query)).transpose()?;
    let (host, port) = split_authority(authority)?;
    let port = port.map(parse_port).transpose()?;
    Ok(Uri { scheme, host: parse_host(host, authority.starts_with('['))?, port, transport })
}

fn parse_scheme(scheme: &str) -> Result<Scheme, &'static str> {
    [Scheme::Stun, Scheme::Stuns, Scheme::Turn, Scheme::Turns]
        .into_iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(scheme))
        .ok_or("the scheme is none of stun, stuns, turn, turns")
}

fn parse_query(scheme: Scheme, query: &str) -> Result<Transport, &'static str> {
    if !scheme.is_turn() {
        return Err("only turn and turns take a query");
    }
    match query.split_once('=') {
        Some((key, value)) if key.eq_ignore_ascii_case("transport") => match value {
            _ if value.eq_ignore_ascii_case("udp") => Ok(Transport::Udp),
            _ if value.eq_ignore_ascii_case("tcp") => Ok(Transport::Tcp),
            _ => Err("the transport is neither udp nor tcp"),
        },
        _ => Err("the query is not \"transport=…\""),
    }
}

fn split_authority(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("the bracket is not closed")?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err("something other than a port follows the bracket"),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("an IPv6 address must stand in brackets"),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn parse_port(port: &str) -> Result<u16, &'static str> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(number) if digits && number > 0 => Ok(number),
        _ => Err("the port is not a number from 1 to 65535"),
    }
}

fn parse_host(host: &str, bracketed: bool) -> Result<String, &'static str> {
    if bracketed {
        return host
            .parse::<Ipv6Addr>()
            .map(|ip| ip.to_string())
            .map_err(|_| "no IPv6 address in the brackets");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte);
    match host {
        "" => Err("it has no host"),
        _ if host.len() > 255 => Err("the host has more than 255 characters"),
        _ if !host.bytes().all(allowed) => Err("the host has a character that no host name has"),
        _ if !host.split('%').skip(1).all(begins_with_two_digits) => {
            Err("a % in the host is not followed by two hexadecimal digits")
        }
        _ if ends_in_a_number(host) && host.parse::<Ipv4Addr>().is_err() => {
            Err("the host ends in a number, as no name does, and is no IPv4 address")
        }
        _ => Ok(host.to_string()),
    }
}

fn begins_with_two_digits(escape: &str) -> bool {
    escape.as_bytes().first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether a resolver may take it for an address, in one of the forms that inet_aton has.
fn ends_in_a_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    match last.strip_prefix("0x").or_else(|| last.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_rfcs() {
        assert_eq!((uri("stun:a").port(), uri("stuns:a").port()), (3478, 5349));
        assert_eq!(uri("turn:a").transport(), Transport::Udp);
        assert_eq!(uri("turn:a?transport=tcp").transport(), Transport::Tcp);
        assert_eq!(
            (uri("turns:a").transport(), uri("stuns:a").transport()),
            (Transport::Tls, Transport::Tls)
        );
        assert_eq!(uri("turns:a?transport=tcp").transport(), Transport::Tls);
        assert_eq!(uri("turns:a?transport=udp").transport(), Transport::Dtls, "RFC 7350 §4.6.2");
        assert_eq!(uri("TURN:a?Transport=TCP").transport(), Transport::Tcp);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in
            ["stun:example.org", "turn:192.0.2.1:1?transport=udp", "turns:[2001:db8::1]:443?transport=tcp"]
        {
            assert_eq!(uri(text).to_string(), text);
        }
    }

    #[test]
    fn a_wrong_uri_is_told_what_is_wrong() {
        for (text, word) in [
            ("", "scheme"),
            ("http://a", "scheme"),
            ("stun://a", "//"),
            ("stun:", "no host"),
            ("stun:a:", "port"),
            ("stun:a:0", "port"),
            ("stun:a:65536", "port"),
            ("stun:a:+1", "port"),
            ("stun:2001:db8::1", "brackets"),
            ("stun:[2001:db8::1", "closed"),
            ("stun:[1.2.3.4]", "IPv6"),
            ("stun:a?transport=udp", "query"),
            ("turn:a?transport=sctp", "transport"),
            ("stun:a b", "character"),
            ("stun:me@a", "character"),
            ("stun:a/path", "character"),
            ("stun:a#b", "character"),
            ("stun:a%2", "%"),
            ("stun:a%2g.example", "%"),
        ] {
            let error = text.parse::<Uri>().unwrap_err();
            assert!(error.to_string().contains(word), "{text}: {error}");
        }
    }

    /// A resolver may read 127.1 or 0x7f000001 as an address, and the rule for addresses would have been evaded.
    #[test]
    fn an_address_in_disguise_is_no_name() {
        for host in
            ["127.1", "0x7f000001", "0X7F.0.0.1.", "2130706433", "192.0.2.256", "192.0.2.01", "a.1", "1."]
        {
            let error = format!("stuns:{host}").parse::<Uri>().unwrap_err();
            assert!(error.to_string().contains("IPv4"), "{host}: {error}");
        }
        for host in ["192.0.2.1", "4you.example", "a.0b", "1.a", "0xample", "a.b%2Ec"] {
            assert_eq!(uri(&format!("stun:{host}")).host(), host);
        }
    }
}
