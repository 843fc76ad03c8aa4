//! What is to be tested: the ways to a server that its URI leaves open, and what can be asked for on each.

use std::net::SocketAddr;

use floe_stun::attribute::Family;
use floe_stun::{Transport, Uri};
use floe_tokio::resolve;
use floe_turn_client::Wanted;

use super::step::Trouble;

/// One way to a server.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) uri: Uri,
    pub(crate) transport: Transport,
    /// Its address, or why there is none.
    pub(crate) server: Result<SocketAddr, Trouble>,
}

/// What is asked for on a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relay {
    One(Family),
    /// Both families in one allocation.
    Both,
}

impl Relay {
    /// Single ones first: without them there are not both.
    pub(crate) const ALL: [Self; 3] = [Self::One(Family::Ipv4), Self::One(Family::Ipv6), Self::Both];

    pub(crate) const fn wanted(self) -> Wanted {
        match self {
            Self::One(family) => Wanted::Address(family),
            Self::Both => Wanted::Both,
        }
    }
}

impl Way {
    /// The name that a certificate must carry; an address speaks for itself.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.uri.ip().is_none().then(|| self.uri.host())
    }
}

/// All ways to a server: each transport that its URI leaves open, to one address of each family that its name has. IPv4 and
/// IPv6 differ in what they go through.
pub(crate) async fn ways(uri: &Uri) -> Vec<Way> {
    let servers = servers(uri).await;
    let transports = transports(uri).into_iter();
    transports.flat_map(|transport| to_all(uri, transport, &servers)).collect()
}

fn to_all(uri: &Uri, transport: Transport, servers: &Result<Vec<SocketAddr>, Trouble>) -> Vec<Way> {
    let way = |server| Way { uri: uri.clone(), transport, server };
    match servers {
        _ if transport == Transport::Dtls => vec![way(Err(Trouble::new(NO_DTLS)))],
        Ok(servers) => servers.iter().map(|server| way(Ok(*server))).collect(),
        Err(trouble) => vec![way(Err(trouble.clone()))],
    }
}

fn transports(uri: &Uri) -> Vec<Transport> {
    match uri.named_transport() {
        None if !uri.scheme().is_secure() => vec![Transport::Udp, Transport::Tcp],
        _ => vec![uri.transport()],
    }
}

async fn servers(uri: &Uri) -> Result<Vec<SocketAddr>, Trouble> {
    let addresses = match uri.ip() {
        Some(ip) => vec![ip],
        None => resolve(uri.host()).await.map_err(|why| {
            let name = uri.host();
            Trouble::new(format!(
                "{name}: the name could not be resolved: {why}; check its spelling and the DNS"
            ))
        })?,
    };
    let first = |v6: bool| addresses.iter().copied().find(|ip| ip.is_ipv6() == v6);
    Ok([first(false), first(true)].into_iter().flatten().map(|ip| SocketAddr::new(ip, uri.port())).collect())
}

const NO_DTLS: &str =
    "turns: with ?transport=udp is DTLS, which is not spoken here; leave the transport out for TLS over TCP";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_that_is_not_named_is_left_open() {
        for (uri, expected) in [
            ("turn:a", &[Transport::Udp, Transport::Tcp][..]),
            ("turn:a?transport=udp", &[Transport::Udp]),
            ("turn:a?transport=tcp", &[Transport::Tcp]),
            ("turns:a", &[Transport::Tls]),
            ("turns:a?transport=tcp", &[Transport::Tls]),
            ("turns:a?transport=udp", &[Transport::Dtls]),
        ] {
            assert_eq!(transports(&uri.parse().unwrap()), expected, "{uri}");
        }
    }

    #[test]
    fn a_name_must_stand_in_the_certificate_and_an_address_speaks_for_itself() {
        for (uri, name) in [("turns:turn.example.org", Some("turn.example.org")), ("turns:192.0.2.1", None)] {
            let way =
                Way { uri: uri.parse().unwrap(), transport: Transport::Tls, server: Err(Trouble::new("")) };
            assert_eq!(way.server_name(), name);
        }
    }
}
