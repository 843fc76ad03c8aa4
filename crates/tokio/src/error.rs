//! What can go wrong on this machine. What goes wrong in the network is an event, not an error.

use std::io;
use std::net::SocketAddr;

use floe_ice_agent::ApiMisuse;
use thiserror::Error;

/// Why a machine could not be set up on this host.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// No interface has an address that may be used.
    #[error(
        "found no usable network address: every interface of this machine is down or loopback; \
         connect to a network, or allow loopback addresses"
    )]
    NoAddress,
    /// The system did not list its interfaces.
    #[error("could not list the network interfaces: {why}; check that this process may ask for them")]
    Interfaces {
        /// What it said.
        why: io::Error,
    },
    /// The system did not give us this socket.
    #[error("could not open UDP {address}: {why}; {}", advice(.why))]
    Socket {
        /// What was to be bound.
        address: SocketAddr,
        /// What it said.
        why: io::Error,
    },
    /// The system did not let us listen there.
    #[cfg(feature = "server")]
    #[error("could not listen on TCP {address}: {why}; {}", advice(.why))]
    Listener {
        /// What was to be listened on.
        address: SocketAddr,
        /// What it said.
        why: io::Error,
    },
    /// The system gave no random bytes, without which nothing is secret.
    #[error("the operating system gave no random bytes: {why}; nothing can be kept secret without them")]
    Entropy {
        /// What it said.
        why: String,
    },
    /// No address of its family is served that it could be the alternate of.
    #[cfg(feature = "server")]
    #[error("{alternate} is the alternate of nothing: listen on a primary address of its family too")]
    NoPrimary {
        /// The alternate address.
        alternate: SocketAddr,
    },
    /// Two addresses cannot help clients to discover how their NATs behave.
    #[cfg(feature = "server")]
    #[error("cannot serve NAT behaviour discovery: {0}")]
    Alternate(#[from] floe_turn_server::AddressPairError),
    /// The configuration makes no sense.
    #[error("the configuration makes no sense: {0}")]
    Misuse(#[from] ApiMisuse),
}

/// Why application data could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no path for it at the moment. The agent's own error, of the same name as this one, tells whether
    /// there is none yet, any more, or for this much data.
    #[error(transparent)]
    NoPath(#[from] floe_ice_agent::SendError),
    /// It does not fit into one packet of this path, and datagrams are not fragmented.
    #[error("{len} bytes do not fit into one packet of this path; send fewer at a time")]
    TooBig {
        /// Bytes of the datagram.
        len: usize,
    },
}

fn advice(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::AddrInUse => {
            "another program has this port; stop that program or choose another port (0 lets the system choose)"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; choose one of its own",
        io::ErrorKind::PermissionDenied => "choose a port above 1023, or run with more rights",
        _ => "choose another address or port",
    }
}
