//! Servers as people and programs name them.

use floe_ice_agent::Server;
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
        let credentials = arguments.user.zip(arguments.password);
        let mut servers = Self::default();
        for text in &arguments.servers {
            servers.add(text, credentials.clone())?;
        }
        Ok(servers)
    }

    /// One more. STUN servers are not told the credentials.
    pub(crate) fn add(&mut self, uri: &str, credentials: Option<(String, String)>) -> Result<(), Failure> {
        let uri: Uri = uri.parse()?;
        if uri.scheme().is_turn() && credentials.is_none() {
            return Err(Failure::NoCredentials { uri: uri.to_string() });
        }
        match credentials {
            _ if uri.transport() != Transport::Udp => self.unsupported.push(uri),
            Some((user, password)) if uri.scheme().is_turn() => {
                self.usable.push(Server::turn(uri, user, password));
            }
            _ => self.usable.push(Server::stun(uri)),
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.usable.len() + self.unsupported.len()
    }
}

/// Why a server of the second list is not asked.
pub(crate) const UNSUPPORTED: &str =
    "only UDP is supported yet, neither TCP nor TLS; use stun: or turn: without ?transport=tcp";
