//! What of this machine is no peer: the server itself, and the programs beside it that trust their own address.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use floe_stun::attribute::Family;
use floe_stun::{SocketId, Transport};
use hashbrown::HashMap;

use crate::PeerPolicy;
use crate::policy::inner_v4;

/// The addresses of the server.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) listeners: BTreeMap<SocketId, SocketAddr>,
    /// Where the host accepts streams, of clients or of anybody else.
    pub(crate) beside: BTreeSet<SocketAddr>,
    /// All addresses of the host, as far as it has told them.
    host: Vec<IpAddr>,
    /// Streams that clients have opened.
    pub(crate) connections: HashMap<SocketId, Transport>,
    pub(crate) relays: Vec<IpAddr>,
    /// What the world knows some of them as.
    external: BTreeMap<IpAddr, IpAddr>,
    relay_ports: RangeInclusive<u16>,
    peers: PeerPolicy,
}

impl Own {
    pub(crate) fn new(
        relays: Vec<IpAddr>,
        external: BTreeMap<IpAddr, IpAddr>,
        host: Vec<IpAddr>,
        relay_ports: RangeInclusive<u16>,
        peers: PeerPolicy,
    ) -> Self {
        let (listeners, connections, beside) = (BTreeMap::new(), HashMap::new(), BTreeSet::new());
        Self { listeners, connections, beside, relays, external, host, relay_ports, peers }
    }

    /// Whether clients speak here.
    pub(crate) fn hears(&self, socket: SocketId) -> bool {
        self.transport(socket).is_some()
    }

    /// How clients speak here, if they do.
    pub(crate) fn transport(&self, socket: SocketId) -> Option<Transport> {
        match self.listeners.contains_key(&socket) {
            true => Some(Transport::Udp),
            false => self.connections.get(&socket).copied(),
        }
    }

    /// Whether what leaves here goes into a stream.
    pub(crate) fn is_stream(&self, socket: SocketId) -> bool {
        self.connections.get(&socket).is_some_and(|transport| transport.is_stream())
    }

    /// What peers see of a relayed socket.
    pub(crate) fn external(&self, local: SocketAddr) -> SocketAddr {
        let ip = self.external.get(&local.ip()).filter(|ip| ip.is_ipv4() == local.is_ipv4());
        SocketAddr::new(ip.copied().unwrap_or_else(|| local.ip()), local.port())
    }

    /// Where the host reaches a peer: one that is relayed by this server too would else have to come back through the NAT.
    pub(crate) fn internal(&self, peer: SocketAddr) -> SocketAddr {
        let known = self.external.iter().find(|(_, external)| **external == peer.ip());
        SocketAddr::new(known.map_or_else(|| peer.ip(), |(local, _)| *local), peer.port())
    }

    /// The addresses of this family that relayed sockets are bound to.
    pub(crate) fn relays_of(&self, family: Family) -> Vec<IpAddr> {
        self.relays.iter().copied().filter(|ip| Family::of(*ip) == family).collect()
    }

    /// No longer hears clients here. False if it did not.
    pub(crate) fn forget(&mut self, socket: SocketId) -> bool {
        self.listeners.remove(&socket).is_some() || self.connections.remove(&socket).is_some()
    }

    /// Whether nobody is relayed to this address: the server listens there, or it is a port of an address of this host that
    /// no allocation can have. Whatever form it is written in.
    pub(crate) fn has(&self, peer: SocketAddr) -> bool {
        let inner = inner_v4(peer.ip()).map(|ip| SocketAddr::new(ip.into(), peer.port()));
        self.has_exactly(peer) || inner.is_some_and(|peer| self.has_exactly(peer))
    }

    fn has_exactly(&self, peer: SocketAddr) -> bool {
        let (ip, port) = (peer.ip(), peer.port());
        let relays = self.relays.contains(&ip) || self.external.values().any(|external| *external == ip);
        let is_here = relays || self.host.contains(&ip);
        let heard = |local: &SocketAddr| {
            local.port() == port
                && (local.ip() == ip
                    || self.external(*local).ip() == ip
                    || local.ip().is_unspecified() && (is_here || ip.is_loopback()))
        };
        let may_be_relayed = relays && (self.relay_ports == (0..=0) || self.relay_ports.contains(&port));
        let is_beside = is_here && !may_be_relayed && !self.peers.allows_beside(ip);
        is_beside || self.listeners.values().chain(&self.beside).any(heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(listen: &str, ports: RangeInclusive<u16>, peers: PeerPolicy) -> Own {
        let relays = ["192.0.2.1", "2001:db8::1", "127.0.0.1"].map(|ip| ip.parse().unwrap());
        let host = Vec::from(["192.0.2.77".parse().unwrap()]);
        let mut own = Own::new(relays.into(), BTreeMap::new(), host, ports, peers);
        own.listeners.insert(SocketId(0), listen.parse().unwrap());
        own
    }

    fn has(own: &Own, peer: &str) -> bool {
        own.has(peer.parse().unwrap())
    }

    #[test]
    fn a_listening_address_is_its_own_whatever_the_policy() {
        for peers in [PeerPolicy::default(), PeerPolicy::allow_all_for_tests()] {
            let own = own("192.0.2.9:3478", 0..=0, peers);
            assert!(has(&own, "192.0.2.9:3478"));
            assert!(!has(&own, "192.0.2.9:3479") && !has(&own, "192.0.2.8:3478"));
        }
    }

    #[test]
    fn where_streams_are_accepted_nobody_is_relayed_to_whatever_the_policy() {
        let mut own = own("192.0.2.9:3478", 0..=0, PeerPolicy::allow_all_for_tests());
        own.beside.insert("192.0.2.1:5349".parse().unwrap());
        own.beside.insert("0.0.0.0:9641".parse().unwrap());
        assert!(has(&own, "192.0.2.1:5349") && has(&own, "[::ffff:192.0.2.1]:5349"));
        assert!(has(&own, "127.0.0.1:9641") && has(&own, "192.0.2.77:9641"));
        assert!(!has(&own, "192.0.2.1:5350") && !has(&own, "192.0.2.2:9641"));
    }

    #[test]
    fn an_unspecified_address_stands_for_those_that_are_known() {
        for listen in ["0.0.0.0:3478", "[::]:3478"] {
            let own = own(listen, 0..=0, PeerPolicy::allow_all_for_tests());
            for ip in ["192.0.2.1", "[2001:db8::1]", "127.0.0.5", "[::1]"] {
                assert!(has(&own, &alloc::format!("{ip}:3478")), "{ip}");
                assert!(!has(&own, &alloc::format!("{ip}:3479")), "{ip}");
            }
            assert!(!has(&own, "192.0.2.2:3478"));
        }
    }

    #[test]
    fn a_public_relay_leads_to_other_relays_of_its_machine_only() {
        let default = PeerPolicy::default;
        let strict = own("192.0.2.9:3478", 50_000..=50_999, default());
        for (peer, expected) in [
            ("192.0.2.1:49999", true),
            ("192.0.2.1:50000", false),
            ("192.0.2.1:50999", false),
            ("192.0.2.1:51000", true),
            ("[2001:db8::1]:53", true),
            ("192.0.2.2:53", false),
        ] {
            assert_eq!(has(&strict, peer), expected, "{peer}");
        }
        assert!(!has(&own("192.0.2.9:3478", 50_000..=50_999, default().with_own_host()), "192.0.2.1:53"));
        assert!(!has(&own("192.0.2.9:3478", 0..=0, default()), "192.0.2.1:53"), "the host chooses the ports");
        // Another address of the machine is nobody's relay, whichever the ports are.
        for ports in [0..=0, 50_000..=50_999] {
            assert!(has(&own("192.0.2.9:3478", ports.clone(), default()), "192.0.2.77:22"));
            assert!(has(&own("192.0.2.9:3478", ports.clone(), default()), "192.0.2.77:50000"));
            assert!(!has(&own("192.0.2.9:3478", ports, default().with_own_host()), "192.0.2.77:22"));
        }
        // Whoever opens loopback has opened the machine.
        assert!(!has(&own("192.0.2.9:3478", 50_000..=50_999, default().with_loopback()), "127.0.0.1:53"));
    }
}
