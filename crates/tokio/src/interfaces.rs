//! The addresses of this machine at which somebody might reach it.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use if_addrs::IfOperStatus;
use socket2::{Domain, Protocol, SockAddr, Type};

/// Addresses of the interfaces that are up, in a stable order; those of loopback only if asked for, and last, since
/// the order decides which of two equal candidates is preferred (RFC 8445 §5.1.2.2).
///
/// RFC 8445 §5.1.1.1 rules out IPv4-mapped, IPv4-compatible and deprecated site-local addresses. IPv6 link-local ones
/// are left out as well: they mean something on one link only, and no candidate line says on which.
///
/// # Errors
///
/// When the system does not tell.
pub fn addresses(loopback: bool) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = if_addrs::get_if_addrs()?
        .into_iter()
        .filter(|interface| interface.oper_status != IfOperStatus::Down)
        .map(|interface| interface.ip())
        .filter(|ip| is_usable(*ip) && (loopback || !ip.is_loopback()))
        .collect();
    addresses.sort_by_key(|ip| (ip.is_loopback(), *ip));
    addresses.dedup();
    Ok(addresses)
}

/// The address that this machine would send from to reach `to`. Asks the system's routes and sends nothing.
pub(crate) fn source_towards(to: SocketAddr) -> io::Result<IpAddr> {
    let socket = socket2::Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
    socket.connect(&SockAddr::from(to))?;
    let local = socket.local_addr()?.as_socket();
    local.map(|local| local.ip()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn is_usable(ip: IpAddr) -> bool {
    let of_its_family = match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local() && !is_site_local(ip) && !embeds_ipv4(ip),
    };
    of_its_family && !ip.is_unspecified() && !ip.is_multicast()
}

/// fec0::/10, deprecated by RFC 3879.
fn is_site_local(ip: Ipv6Addr) -> bool {
    let [first, ..] = ip.segments();
    first & 0xffc0 == 0xfec0
}

fn embeds_ipv4(ip: Ipv6Addr) -> bool {
    let compatible = matches!(ip.segments(), [0, 0, 0, 0, 0, 0, high, _] if high != 0);
    ip.to_ipv4_mapped().is_some() || compatible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_candidate_may_be_is_left_out() {
        for text in
            ["0.0.0.0", "224.0.0.1", "fe80::1", "fec0::1", "::ffff:192.0.2.1", "::192.0.2.1", "ff02::1"]
        {
            assert!(!is_usable(text.parse().unwrap()), "{text}");
        }
        for text in ["127.0.0.1", "::1", "192.0.2.1", "169.254.1.1", "2001:db8::1", "fd00::1"] {
            assert!(is_usable(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn loopback_comes_only_when_asked_for() {
        assert!(addresses(false).unwrap().iter().all(|ip| !ip.is_loopback()));
        let all = addresses(true).unwrap();
        assert!(all.last().unwrap().is_loopback());
        assert!(all.is_sorted_by_key(IpAddr::is_loopback), "{all:?}");
    }
}
