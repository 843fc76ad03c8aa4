//! From what a person writes to where to ask (RFC 7064, RFC 8489 §8.1).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_stun::resolve::{self, Query, Records, Resolution, ResolveError, Step};
use floe_stun::{Transport, Uri};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::row::Verdict;

/// A server as it is named.
#[derive(Clone, Debug)]
pub(crate) struct Server(Uri);

impl Server {
    /// Reads a `stun:` or `stuns:` URI, or a host with or without a port.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        let uri = match scheme.as_deref() {
            Some("stun" | "stuns") => text.parse::<Uri>(),
            Some("turn" | "turns") => return Err(format!("{text:?} names a TURN server; {EXPECTED}")),
            _ => format!("stun:{text}").parse(),
        };
        uri.map(Self).map_err(|error| format!("{text:?} is no STUN server: {}; {EXPECTED}", error.reason))
    }

    /// Those that are asked if none is named.
    pub(crate) fn well_known() -> Vec<Self> {
        let lines = include_str!("servers.txt").lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| Self::parse(line).ok()).collect()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const EXPECTED: &str =
    "expected stun:HOST[:PORT], stuns:HOST[:PORT] or HOST[:PORT], such as stun.example.org:3478";

/// Where a server can be asked over one transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Udp(SocketAddr),
    Tcp(Vec<SocketAddr>),
    /// With the name that the certificate must carry.
    Tls(Vec<SocketAddr>, ServerName<'static>),
}

/// The places of one server, in the order of [`super::row::Feature::WAYS`]; for those it has not, what to say of them.
pub(crate) type Places = [Result<Place, Verdict>; 4];

/// Asks the system's resolver for the addresses.
pub(crate) async fn find(Server(uri): &Server, seed: [u8; 32]) -> Result<Places, Verdict> {
    let addresses = match uri.ip() {
        Some(ip) => vec![ip],
        None => look_up(uri.host()).await?,
    };
    Ok(places(uri, &addresses, seed))
}

fn places(uri: &Uri, addresses: &[IpAddr], seed: [u8; 32]) -> Places {
    let resolve = |uri: &Uri, transport| resolve(uri, transport, addresses, seed);
    let udp = |is_wanted: fn(&SocketAddr) -> bool, family| {
        let found = resolve(uri, Transport::Udp)?.into_iter().map(|server| server.address).find(is_wanted);
        found.map(Place::Udp).ok_or_else(|| Verdict::Unsupported(format!("it has no {family} address")))
    };
    let tcp = || resolve(uri, Transport::Tcp).map(|servers| Place::Tcp(addresses_of(&servers)));
    let tls = || {
        let servers = resolve(&secured(uri), Transport::Tls)?;
        let name = servers.first().and_then(|server| server.server_name.clone()).unwrap_or_default();
        match ServerName::try_from(name) {
            Ok(name) => Ok(Place::Tls(addresses_of(&servers), name)),
            Err(_) => Err(Verdict::Unsupported("no certificate can carry its name".into())),
        }
    };
    [udp(SocketAddr::is_ipv4, "IPv4"), udp(SocketAddr::is_ipv6, "IPv6"), tcp(), tls()]
}
async fn look_up(name: &str) -> Result<Vec<IpAddr>, Verdict> {
    let unknown = |why: String| Verdict::NoAnswer(format!("its name could not be resolved: {why}"));
    let found = match timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Ok(found) => found.map_err(|why| unknown(why.to_string()))?,
        Err(_) => return Err(unknown(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    Ok(found.map(|address| address.ip().to_canonical()).collect())
}

/// All places of a URI over one transport, by its addresses alone: there is no resolver here that knows SRV.
fn resolve(
    uri: &Uri,
    transport: Transport,
    addresses: &[IpAddr],
    seed: [u8; 32],
) -> Result<Vec<resolve::Server>, Verdict> {
    let mut resolution = Resolution::new(uri, &[transport], None, seed).map_err(refused)?;
    let mut found = Vec::new();
    loop {
        match resolution.step() {
            Step::Ask(Query::Addresses { .. }) => resolution.handle_records(Records::Addresses(addresses)),
            Step::Ask(_) => resolution.handle_records(Records::None),
            Step::Try(server) => found.push(server),
            Step::Exhausted => return Ok(found),
        }
    }
}

fn refused(why: ResolveError) -> Verdict {
    Verdict::Unsupported(match why {
        ResolveError::NoTransport => "a stuns: URI is asked over TLS only".into(),
        ResolveError::NoDomain => "a certificate is checked by a name, and this is an address".into(),
        _ => why.to_string(),
    })
}

/// The same host over TLS, at the port for that (RFC 8489 §8.1).
fn secured(uri: &Uri) -> Uri {
    let twin = match uri.ip() {
        Some(IpAddr::V6(ip)) => format!("stuns:[{ip}]"),
        _ => format!("stuns:{}", uri.host()),
    };
    if uri.scheme().is_secure() { uri.clone() } else { twin.parse().unwrap_or_else(|_| uri.clone()) }
}

/// IPv4 first: where IPv6 leads nowhere, that takes long to find out.
fn addresses_of(servers: &[resolve::Server]) -> Vec<SocketAddr> {
    let mut addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses
}

/// For one name.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn places_of(text: &str, addresses: &[&str]) -> Places {
        let addresses: Vec<_> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        places(&Server::parse(text).unwrap().0, &addresses, [7; 32])
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_server_is_a_uri_or_a_host_with_or_without_a_port() {
        for (text, read) in [
            ("stun:stun.example.org", "stun:stun.example.org"),
            ("STUNS:stun.example.org:443", "stuns:stun.example.org:443"),
            ("stun.example.org", "stun:stun.example.org"),
            ("stun.example.org:19302", "stun:stun.example.org:19302"),
            ("192.0.2.1:3478", "stun:192.0.2.1:3478"),
            ("[2001:db8::1]", "stun:[2001:db8::1]"),
            ("localhost:1", "stun:localhost:1"),
        ] {
            assert_eq!(Server::parse(text).unwrap().to_string(), read);
        }
    }

    #[test]
    fn a_wrong_server_is_told_what_is_wrong_and_what_is_expected() {
        for (text, word) in [
            ("", "no host"),
            ("stun://stun.example.org", "//"),
            ("turn:relay.example.org", "TURN server"),
            ("http://stun.example.org", "port"),
            ("stun.example.org:0", "port"),
            ("2001:db8::1", "brackets"),
            ("two words", "character"),
        ] {
            let told = Server::parse(text).unwrap_err();
            assert!(told.contains(word) && told.contains("HOST[:PORT]"), "{text}: {told}");
        }
    }

    #[test]
    fn every_line_of_the_list_is_a_server() {
        let lines = include_str!("servers.txt").lines().filter(|line| !line.starts_with('#'));
        let read: Vec<_> = Server::well_known().iter().map(ToString::to_string).collect();
        assert_eq!(read, lines.collect::<Vec<_>>());
        assert!(read.len() >= 10);
    }

    #[test]
    fn a_name_is_asked_over_each_transport_and_over_tls_at_its_own_port() {
        let [v4, v6, tcp, tls] = places_of("stun:stun.example.org:19302", &["2001:db8::1", "192.0.2.1"]);
        assert_eq!(v4, Ok(Place::Udp(address("192.0.2.1:19302"))));
        assert_eq!(v6, Ok(Place::Udp(address("[2001:db8::1]:19302"))));
        assert_eq!(tcp, Ok(Place::Tcp(vec![address("192.0.2.1:19302"), address("[2001:db8::1]:19302")])));
        let name = ServerName::try_from("stun.example.org").unwrap();
        let secure = vec![address("192.0.2.1:5349"), address("[2001:db8::1]:5349")];
        assert_eq!(tls, Ok(Place::Tls(secure, name)));
    }

    #[test]
    fn a_secure_uri_is_asked_over_tls_only_and_where_it_says() {
        let [v4, v6, tcp, tls] = places_of("stuns:stun.example.org:443", &["192.0.2.1"]);
        for plain in [v4, v6, tcp] {
            assert!(matches!(plain, Err(Verdict::Unsupported(_))), "{plain:?}");
        }
        assert!(matches!(tls, Ok(Place::Tls(places, _)) if places == [address("192.0.2.1:443")]));
    }

    #[test]
    fn an_address_has_no_name_for_a_certificate_and_one_family() {
        for (text, missing) in [("192.0.2.1", 1), ("[2001:db8::1]:1", 0)] {
            let ip = text.trim_end_matches(":1").trim_matches(['[', ']']);
            let places = places_of(text, &[ip]);
            let unsupported: Vec<_> =
                places.iter().map(|place| matches!(place, Err(Verdict::Unsupported(_)))).collect();
            let expected: Vec<_> = (0..4).map(|n| n == missing || n == 3).collect();
            assert_eq!(unsupported, expected, "{places:?}");
        }
    }
}
