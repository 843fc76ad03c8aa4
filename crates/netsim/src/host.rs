//! Hosts: addresses, each in a place, and the sockets bound to them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::id::{HostId, Place};
use crate::link::Access;

/// A bound socket: an id that knows its host and its address. Never reused, also not after closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket {
    pub(crate) number: u32,
    pub(crate) host: HostId,
    pub(crate) local: SocketAddr,
}

impl Socket {
    /// The address it was bound to, with the port it got.
    #[must_use]
    pub fn local_addr(self) -> SocketAddr {
        self.local
    }

    /// The host it belongs to.
    #[must_use]
    pub fn host(self) -> HostId {
        self.host
    }
}

/// Why a socket could not be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindError {
    /// The host is of another network.
    NoSuchHost,
    /// The host does not have this address.
    NotAnAddressOfThisHost,
    /// Another socket has this port on this address (or on all of them).
    InUse,
    /// Every port of the ephemeral range is taken.
    NoFreePort,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchHost => "no such host in this network",
            Self::NotAnAddressOfThisHost => "the host does not have this address",
            Self::InUse => "another socket is bound to this address and port",
            Self::NoFreePort => "all ephemeral ports of this address are taken",
        })
    }
}

impl core::error::Error for BindError {}

/// One machine.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) access: Access,
    addresses: Vec<(IpAddr, Place)>,
    sockets: BTreeMap<(IpAddr, u16), Socket>,
    next_port: u16,
}

impl Host {
    pub(crate) fn new(access: Access) -> Self {
        Self { access, addresses: Vec::new(), sockets: BTreeMap::new(), next_port: FIRST_EPHEMERAL }
    }

    pub(crate) fn add_address(&mut self, ip: IpAddr, place: Place) {
        self.addresses.push((ip, place));
    }

    /// Takes an address away; what was bound to it stays bound, and hears nothing.
    pub(crate) fn remove_address(&mut self, ip: IpAddr) -> Option<Place> {
        let at = self.addresses.iter().position(|(own, _)| *own == ip)?;
        Some(self.addresses.remove(at).1)
    }

    /// Whether packets to `ip` end here.
    pub(crate) fn owns(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.place_of(ip).is_some()
    }

    /// Where an address of ours is known.
    pub(crate) fn place_of(&self, ip: IpAddr) -> Option<Place> {
        self.addresses.iter().find(|(own, _)| *own == ip).map(|(_, place)| *place)
    }

    /// Binds a socket; [`Host::free_port`] first, if the port does not matter.
    pub(crate) fn bind(&mut self, socket: Socket) -> Result<(), BindError> {
        let (ip, port) = (socket.local.ip(), socket.local.port());
        if !ip.is_unspecified() && !self.owns(ip) {
            return Err(BindError::NotAnAddressOfThisHost);
        }
        if self.in_use(ip, port) {
            return Err(BindError::InUse);
        }
        self.sockets.insert((ip, port), socket);
        Ok(())
    }

    /// The next ephemeral port that is free on `ip`; counts up, as a fresh machine would.
    pub(crate) fn free_port(&mut self, ip: IpAddr) -> Result<u16, BindError> {
        for _ in FIRST_EPHEMERAL..=u16::MAX {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_EPHEMERAL);
            if !self.in_use(ip, port) {
                return Ok(port);
            }
        }
        Err(BindError::NoFreePort)
    }

    /// Forgets a socket; true if it was open.
    pub(crate) fn close(&mut self, socket: Socket) -> bool {
        self.is_open(socket) && self.sockets.remove(&key(socket.local)).is_some()
    }

    pub(crate) fn is_open(&self, socket: Socket) -> bool {
        self.sockets.get(&key(socket.local)) == Some(&socket)
    }

    /// Who listens there: the address itself before all addresses.
    pub(crate) fn listener(&self, to: SocketAddr) -> Option<Socket> {
        let wildcard = (unspecified_like(to.ip()), to.port());
        self.sockets.get(&key(to)).or_else(|| self.sockets.get(&wildcard)).copied()
    }

    /// The source address of a packet to `to`: the socket's own, or for one bound to all addresses the first of ours
    /// with the same family and the same reach. `None`: we cannot speak to it.
    pub(crate) fn source(&self, socket: Socket, to: IpAddr) -> Option<SocketAddr> {
        let ip = match socket.local.ip() {
            ip if ip.is_ipv4() != to.is_ipv4() => None,
            ip if !ip.is_unspecified() => Some(ip),
            _ if to.is_loopback() => Some(to),
            _ => {
                let fits =
                    |ip: &IpAddr| ip.is_ipv4() == to.is_ipv4() && is_link_local(*ip) == is_link_local(to);
                self.addresses.iter().map(|(ip, _)| *ip).find(fits)
            }
        }?;
        Some(SocketAddr::new(ip, socket.local.port()))
    }

    fn in_use(&self, ip: IpAddr, port: u16) -> bool {
        let taken = |ip| self.sockets.contains_key(&(ip, port));
        let same_family = |(bound, taken): &(IpAddr, u16)| *taken == port && bound.is_ipv4() == ip.is_ipv4();
        taken(ip)
            || taken(unspecified_like(ip))
            || ip.is_unspecified() && self.sockets.keys().any(same_family)
    }
}

/// The same address without flow label and scope: a place has one of each address.
pub(crate) fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip(), addr.port())
}

/// Whether an address is of no use beyond its own place.
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn key(addr: SocketAddr) -> (IpAddr, u16) {
    (addr.ip(), addr.port())
}

fn unspecified_like(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// RFC 6335 §6: "the Dynamic Ports, also known as the Private or Ephemeral Ports, from 49152-65535".
const FIRST_EPHEMERAL: u16 = 49_152;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Node;

    const HOST: HostId = HostId(0);

    fn host(addresses: &[&str]) -> Host {
        let mut host = Host::new(Access::new([0; 32], Node::Host(HOST)));
        for ip in addresses {
            host.add_address(ip.parse().unwrap(), Place::Public);
        }
        host
    }

    fn socket(number: u32, local: &str) -> Socket {
        Socket { number, host: HOST, local: local.parse().unwrap() }
    }

    #[test]
    fn a_port_is_taken_once_on_an_address_and_once_on_all() {
        let mut host = host(&["10.0.0.1", "10.0.0.2", "2001:db8::1"]);
        assert_eq!(host.bind(socket(0, "10.0.0.1:5000")), Ok(()));
        assert_eq!(host.bind(socket(1, "10.0.0.2:5000")), Ok(()));
        assert_eq!(host.bind(socket(2, "10.0.0.1:5000")), Err(BindError::InUse));
        assert_eq!(host.bind(socket(3, "0.0.0.0:5000")), Err(BindError::InUse));
        assert_eq!(host.bind(socket(4, "[::]:5000")), Ok(()));
        assert_eq!(host.bind(socket(5, "[2001:db8::1]:5000")), Err(BindError::InUse));
        assert_eq!(host.bind(socket(6, "10.0.0.3:5000")), Err(BindError::NotAnAddressOfThisHost));
    }

    #[test]
    fn ephemeral_ports_count_up_and_skip_what_is_taken() {
        let mut host = host(&["10.0.0.1"]);
        host.bind(socket(0, "10.0.0.1:49153")).unwrap();
        let ip = "10.0.0.1".parse().unwrap();
        assert_eq!([host.free_port(ip), host.free_port(ip)], [Ok(49_152), Ok(49_154)]);
    }

    #[test]
    fn ephemeral_ports_run_out() {
        let mut host = host(&["10.0.0.1"]);
        host.next_port = 65_534;
        let ip = "10.0.0.1".parse().unwrap();
        assert_eq!(
            [host.free_port(ip), host.free_port(ip), host.free_port(ip)],
            [Ok(65_534), Ok(65_535), Ok(49_152)]
        );
        for port in FIRST_EPHEMERAL..=u16::MAX {
            host.sockets.insert((ip, port), socket(0, "10.0.0.1:1"));
        }
        assert_eq!(host.free_port(ip), Err(BindError::NoFreePort));
    }

    #[test]
    fn a_closed_socket_frees_its_port_and_cannot_be_closed_again() {
        let mut host = host(&["10.0.0.1"]);
        let first = socket(0, "10.0.0.1:5000");
        host.bind(first).unwrap();
        assert!(host.close(first));
        host.bind(socket(1, "10.0.0.1:5000")).unwrap();
        assert!(!host.close(first));
        assert!(host.listener(first.local).is_some());
    }

    #[test]
    fn a_socket_on_all_addresses_speaks_from_the_first_that_fits() {
        let host = host(&["fe80::1", "10.0.0.1", "10.0.0.2", "2001:db8::1"]);
        let source =
            |local, to: &str| host.source(socket(0, local), to.parse().unwrap()).map(|addr| addr.ip());
        assert_eq!(source("0.0.0.0:1", "192.0.2.1"), "10.0.0.1".parse().ok());
        assert_eq!(source("0.0.0.0:1", "127.0.0.1"), "127.0.0.1".parse().ok());
        assert_eq!(source("[::]:1", "2001:db8::2"), "2001:db8::1".parse().ok());
        assert_eq!(source("[::]:1", "fe80::2"), "fe80::1".parse().ok());
        assert_eq!(source("10.0.0.2:1", "192.0.2.1"), "10.0.0.2".parse().ok());
        assert_eq!(source("0.0.0.0:1", "2001:db8::2"), None);
        assert_eq!(source("10.0.0.1:1", "2001:db8::2"), None);
    }
}
