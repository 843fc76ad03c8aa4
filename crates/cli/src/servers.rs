//! Servers as people and programs name them.

use std::net::IpAddr;

use floe_ice_agent::Server;
use floe_stun::credentials::Credentials;
use floe_stun::{Transport, Uri};

use crate::ServerArguments;
use crate::failure::Failure;

/// Servers that can be asked, and those that cannot be asked yet.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    pub(crate) usable: Vec<Server>,
    pub(crate) unsupported: Vec<Uri>,
}

impl Servers {
    /// All of these, TURN servers with these credentials.
    pub(crate) fn read(arguments: ServerArguments) -> Result<Self, Failure> {
        let credentials = arguments.login.user.zip(arguments.login.password);
        let mut servers = Self::default();
        for uri in arguments.servers {
            servers.add(uri, credentials.clone())?;
        }
        Ok(servers)
    }

    /// One more. STUN servers are not told the credentials.
    pub(crate) fn add(&mut self, uri: Uri, credentials: Option<(String, String)>) -> Result<(), Failure> {
        if uri.scheme().is_turn() && credentials.is_none() {
            return Err(Failure::NoCredentials { uri: uri.to_string() });
        }
        match credentials {
            _ if uri.transport() != Transport::Udp => self.unsupported.push(uri),
            Some((user, password)) if uri.scheme().is_turn() => {
                let credentials = Credentials::prepare(&user, &password).map_err(Failure::NotOpaque)?;
                self.usable.push(Server::turn_as(uri, credentials));
            }
            _ => self.usable.push(Server::stun(uri)),
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.usable.len() + self.unsupported.len()
    }

    /// Whether one of them may relay for us.
    pub(crate) fn may_relay(&self) -> bool {
        self.usable.iter().any(|server| server.uri.scheme().is_turn())
    }

    /// Whether one of them is on this machine's loopback, where only loopback addresses reach it.
    pub(crate) fn on_loopback(&self) -> bool {
        self.usable.iter().any(|Server { uri, .. }| match uri.ip() {
            Some(ip) => IpAddr::is_loopback(&ip),
            None => uri.host().eq_ignore_ascii_case("localhost"),
        })
    }

    /// Those that are asked.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.usable.iter().map(|server| server.uri.to_string()).collect();
        names.join(", ")
    }
}

/// Reads a server's URI, in words that help.
pub(crate) fn parse_uri(text: &str) -> Result<Uri, String> {
    if text.contains('@') {
        return Err("credentials go to --user and --password, not into the URI".into());
    }
    text.parse::<Uri>().map_err(|why| match format!("stun:{text}").parse::<Uri>() {
        Ok(meant) => format!("{why}; perhaps {meant} is meant"),
        Err(_) => why.to_string(),
    })
}

/// Why a server of the second list is not asked.
pub(crate) const UNSUPPORTED: &str =
    "only UDP is supported yet, neither TCP nor TLS; use stun: or turn: without ?transport=tcp";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_this_machine_is_known() {
        for (uri, here) in [
            ("stun:127.0.0.1", true),
            ("stun:127.9.9.9:5", true),
            ("stun:[::1]", true),
            ("stun:LocalHost:1", true),
            ("stun:192.0.2.1", false),
            ("stun:localhost.example.org", false),
        ] {
            let mut servers = Servers::default();
            servers.add(parse_uri(uri).unwrap(), None).unwrap();
            assert_eq!(servers.on_loopback(), here, "{uri}");
        }
    }

    #[test]
    fn a_host_without_a_scheme_is_told_what_may_be_meant() {
        for host in ["example.org:3478", "192.0.2.1:3478", "[2001:db8::1]:3478", "192.0.2.1", "example.org"] {
            let told = parse_uri(host).unwrap_err();
            assert!(told.contains(&format!("perhaps stun:{host} is meant")), "{told}");
        }
        for other in ["http://example.org", "stun:a:70000", "turn:a?transport=sctp", "a b"] {
            assert!(!parse_uri(other).unwrap_err().contains("perhaps"), "{other}");
        }
    }

    #[test]
    fn credentials_in_a_uri_are_sent_to_where_they_belong() {
        let told = parse_uri("turn:alice:secret@192.0.2.1").unwrap_err();
        assert!(told.contains("--user and --password") && !told.contains("secret"), "{told}");
    }
}
