//! Peers as numbers, which a packet's look-up hashes faster than addresses.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An address, IPv4 as IPv6 wraps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct IpKey(u128);

/// The same with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(IpKey, u16);

impl IpKey {
    pub(crate) fn ip(self) -> IpAddr {
        Ipv6Addr::from_bits(self.0).to_canonical()
    }
}

impl From<IpAddr> for IpKey {
    fn from(ip: IpAddr) -> Self {
        Self(match ip {
            IpAddr::V4(ip) => WRAPPED | u128::from(ip.to_bits()),
            IpAddr::V6(ip) => ip.to_bits(),
        })
    }
}

impl Key {
    pub(crate) fn ip(self) -> IpAddr {
        self.0.ip()
    }

    pub(crate) fn peer(self) -> SocketAddr {
        SocketAddr::new(self.ip(), self.1)
    }
}

impl From<SocketAddr> for Key {
    fn from(peer: SocketAddr) -> Self {
        Self(peer.ip().into(), peer.port())
    }
}

/// `::ffff:0:0/96` (RFC 4291 §2.5.5.2).
const WRAPPED: u128 = 0xFFFF << 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_was() {
        for peer in ["203.0.113.7:9", "[2001:db8::7]:9", "[::1]:65535", "0.0.0.0:0"] {
            let peer: SocketAddr = peer.parse().unwrap();
            assert_eq!(Key::from(peer).peer(), peer);
        }
    }
}
