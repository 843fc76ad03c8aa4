//! Which peers may be relayed to: canonicalise, classify, judge.
//!
//! A relay inside of a network is a door into it, so an address is judged by what it stands for: an IPv4 address
//! inside of an IPv6 one (IPv4-mapped, IPv4-compatible, IPv4-translated, NAT64) is judged as that IPv4 address. An
//! ISATAP address is an address of its prefix and leads to an IPv4 one, so both are judged. 6to4 and Teredo addresses are
//! refused whatever they hold (RFC 8656 §21.4).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Network;

/// Which peers may be relayed to, judged by the address they stand for in whatever form it is written.
///
/// ```
/// use floe_turn_server::PeerPolicy;
///
/// let policy = PeerPolicy::default();
/// assert!(policy.allows("203.0.113.7".parse().unwrap()));
/// assert!(!policy.allows("127.0.0.1".parse().unwrap()));
/// assert!(!policy.allows("::ffff:127.0.0.1".parse().unwrap()));
/// assert!(policy.with_loopback().allows("::1".parse().unwrap()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerPolicy {
    /// What is said of some networks, and counts more than what is said of kinds.
    rules: Vec<(Network, bool)>,
    loopback: bool,
    private: bool,
    link_local: bool,
    own_host: bool,
}

impl PeerPolicy {
    /// Public unicast addresses only; the default.
    #[must_use]
    pub const fn public_only() -> Self {
        Self { rules: Vec::new(), loopback: false, private: false, link_local: false, own_host: false }
    }

    /// Loopback, private and link-local ones too. For tests and demos: such a relay reaches everything its
    /// host can reach.
    #[must_use]
    pub const fn allow_all_for_tests() -> Self {
        Self { rules: Vec::new(), loopback: true, private: true, link_local: true, own_host: true }
    }

    /// Private addresses too, for a relay inside of the network that it serves.
    #[must_use]
    pub fn with_private(self) -> Self {
        Self { private: true, ..self }
    }

    /// Loopback addresses too.
    #[must_use]
    pub fn with_loopback(self) -> Self {
        Self { loopback: true, ..self }
    }

    /// These peers too, whatever their kind, but for addresses that are nobody's and those of groups. Of several networks
    /// that an address is in, the smallest counts, and of two that are the same the one that forbids.
    ///
    /// ```
    /// use floe_turn_server::PeerPolicy;
    ///
    /// let policy = PeerPolicy::public_only()
    ///     .allowing("10.1.0.0/16".parse().unwrap())
    ///     .denying("10.1.2.0/24".parse().unwrap())
    ///     .denying("203.0.113.0/24".parse().unwrap());
    /// let allows = |ip: &str| policy.allows(ip.parse().unwrap());
    /// assert!(allows("10.1.1.1") && allows("::ffff:10.1.1.1") && allows("198.51.100.7"));
    /// assert!(!allows("10.1.2.3") && !allows("10.2.0.1") && !allows("203.0.113.7"));
    /// ```
    #[must_use]
    pub fn allowing(mut self, network: Network) -> Self {
        self.rules.push((network, true));
        self
    }

    /// None of these peers, whatever their kind.
    #[must_use]
    pub fn denying(mut self, network: Network) -> Self {
        self.rules.push((network, false));
        self
    }

    /// Other programs of the relay's own host too, such as a media server beside it.
    ///
    /// Without this, a port of a public relay address that is not of
    /// [`Config::relay_ports`](crate::Config::relay_ports) is no peer, nor any port of another one of
    /// [`Config::host_addresses`](crate::Config::host_addresses), for what listens there may trust its own address.
    /// The addresses that the server itself listens on never are.
    #[must_use]
    pub fn with_own_host(self) -> Self {
        Self { own_host: true, ..self }
    }

    /// Whether what listens beside the relay on this address of it may be relayed to. One that is not public is a peer
    /// only if its network has been opened, and then all of it has.
    pub(crate) const fn allows_beside(&self, relay: IpAddr) -> bool {
        self.own_host || !matches!(Kind::of(relay), Kind::Public)
    }

    /// Whether this address may be relayed to; see [`Self::with_own_host`] for what else there is to it.
    #[must_use]
    pub fn allows(&self, peer: IpAddr) -> bool {
        self.allows_form(peer) && behind_isatap(peer).is_none_or(|inner| self.allows_form(inner.into()))
    }

    fn allows_form(&self, peer: IpAddr) -> bool {
        let kind = Kind::of(peer);
        match self.rule(peer) {
            Some(is_allowed) => is_allowed && kind != Kind::NoPeer,
            None => self.allows_kind(kind),
        }
    }

    /// What is said of the smallest network that an address is in, in its own form or as the IPv4 address in it.
    fn rule(&self, peer: IpAddr) -> Option<bool> {
        let inner = match peer {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => embedded_v4(ip).map(IpAddr::V4),
        };
        let is_in =
            |network: &Network| network.contains(peer) || inner.is_some_and(|ip| network.contains(ip));
        let fitting = self.rules.iter().filter(|(network, _)| is_in(network));
        // A prefix of IPv6 counts the bits before the IPv4 address too.
        let size =
            |network: &Network| 128 - u32::from(network.prefix()) - if network.is_v4() { 96 } else { 0 };
        fitting.min_by_key(|(network, allowed)| (size(network), *allowed)).map(|(_, allowed)| *allowed)
    }

    const fn allows_kind(&self, kind: Kind) -> bool {
        match kind {
            Kind::Public => true,
            Kind::Loopback => self.loopback,
            Kind::Private => self.private,
            Kind::LinkLocal => self.link_local,
            Kind::NoPeer => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    Loopback,
    /// Of a network of its own: private, shared, site-local, benchmarking.
    Private,
    LinkLocal,
    /// Unspecified, multicast, reserved, or a tunnel that may lead anywhere.
    NoPeer,
}

impl Kind {
    const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => match embedded_v4(ip) {
                Some(ip) => Self::of_v4(ip),
                None => Self::of_v6(ip),
            },
        }
    }

    const fn of_v4(ip: Ipv4Addr) -> Self {
        match ip.octets() {
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [10, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [100, 64..=127, ..]
            | [192, 0, 0, _]
            // The platform of a cloud answers its guests there.
            | [168, 63, 129, 16]
            | [198, 18..=19, ..] => Self::Private,
            [0 | 224..=255, ..] => Self::NoPeer,
            _ => Self::Public,
        }
    }

    const fn of_v6(ip: Ipv6Addr) -> Self {
        match ip.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            [0xFE80..=0xFEBF, ..] => Self::LinkLocal,
            // Unique local, site-local, and the NAT64 prefixes of a network of its own (RFC 8215).
            [0xFC00..=0xFDFF | 0xFEC0..=0xFEFF, ..] | [0x64, 0xFF9B, 1, ..] => Self::Private,
            // Unspecified and other leftovers of ::/8, multicast, discard-only, 6to4, Teredo.
            [0..=0x00FF | 0xFF00..=0xFFFF, ..] | [0x100, 0, 0, 0, ..] | [0x2002, ..] | [0x2001, 0, ..] => {
                Self::NoPeer
            }
            _ => Self::Public,
        }
    }
}

/// The IPv4 address that an IPv6 address stands for, or leads to.
pub(crate) const fn inner_v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match (ip, behind_isatap(ip)) {
        (IpAddr::V6(ip), None) => embedded_v4(ip),
        (_, inner) => inner,
    }
}

/// The IPv4 address that an IPv6 address is another form of.
const fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        // ::1 and :: are addresses of their own.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // IPv4-compatible and IPv4-mapped (RFC 4291 §2.5.5), IPv4-translated (RFC 2765 §2.1), NAT64 (RFC 6052 §2.1).
        [0, 0, 0, 0, 0, 0 | 0xFFFF, high, low]
        | [0, 0, 0, 0, 0xFFFF, 0, high, low]
        | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        _ => None,
    }
}

/// The IPv4 address that a tunnel delivers to, if this is the form of an ISATAP address (RFC 5214 §6.1). Any prefix may
/// have that form, one without a tunnel too.
const fn behind_isatap(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => match ip.segments() {
            [_, _, _, _, 0 | 0x200, 0x5EFE, high, low] => Some(v4(high, low)),
            _ => None,
        },
    }
}

const fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn kind(text: &str) -> Kind {
        Kind::of(text.parse().unwrap())
    }

    #[test]
    fn every_form_of_an_ipv4_address_is_judged_as_that_address() {
        let addresses = [
            ("127.0.0.1", Kind::Loopback),
            ("127.255.255.254", Kind::Loopback),
            ("169.254.169.254", Kind::LinkLocal),
            ("10.0.0.1", Kind::Private),
            ("172.15.255.255", Kind::Public),
            ("172.16.0.0", Kind::Private),
            ("172.31.255.255", Kind::Private),
            ("172.32.0.0", Kind::Public),
            ("192.168.1.1", Kind::Private),
            ("100.63.255.255", Kind::Public),
            ("100.64.0.1", Kind::Private),
            ("100.127.255.255", Kind::Private),
            ("100.128.0.0", Kind::Public),
            ("224.0.0.1", Kind::NoPeer),
            ("239.255.255.250", Kind::NoPeer),
            ("255.255.255.255", Kind::NoPeer),
            ("0.1.2.3", Kind::NoPeer),
            ("203.0.113.7", Kind::Public),
            ("8.8.8.8", Kind::Public),
        ];
        for (v4, expected) in addresses {
            assert_eq!(kind(v4), expected, "{v4}");
            for prefix in ["::ffff:", "::ffff:0:", "64:ff9b::"] {
                assert_eq!(kind(&format!("{prefix}{v4}")), expected, "{prefix}{v4}");
            }
        }
        assert_eq!(kind("::127.0.0.1"), Kind::Loopback);
        assert_eq!(kind("::10.0.0.1"), Kind::Private);
    }

    #[test]
    fn an_isatap_address_is_allowed_where_its_prefix_and_its_end_both_are() {
        let allowed = |policy: &PeerPolicy, text: &str| policy.allows(text.parse().unwrap());
        let default = PeerPolicy::default();
        for form in ["5efe", "200:5efe"] {
            assert!(allowed(&default, &format!("2001:db8::{form}:8.8.8.8")));
            for inner in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0"] {
                assert!(!allowed(&default, &format!("2001:db8::{form}:{inner}")), "{inner}");
            }
            for prefix in [
                "ff02::",
                "ff0e::",
                "fe80::",
                "febf::",
                "fc00::",
                "fd00:1234::",
                "fec0::",
                "2002:7f00:1::",
                "2002:a00:1:0:",
                "2001:0:7f00:1:",
                "64:ff9b:1::",
                "64:ff9b:1:2:",
                "100::",
                "::",
                "0:0:0:1:",
            ] {
                let zero = if prefix.ends_with("::") || form.starts_with("200") { "" } else { "0:" };
                let disguise = format!("{prefix}{zero}{form}:8.8.8.8");
                assert!(!allowed(&default, &disguise), "{disguise}");
            }
            let (everything, private) =
                (PeerPolicy::allow_all_for_tests(), PeerPolicy::default().with_private());
            assert!(allowed(&everything, &format!("fe80::{form}:10.0.0.1")));
            assert!(!allowed(&private, &format!("fe80::{form}:10.0.0.1")));
            assert!(allowed(&private, &format!("fd00::{form}:10.0.0.1")));
            assert!(!allowed(&everything, &format!("ff02::{form}:8.8.8.8")));
            assert!(!allowed(&everything, &format!("fd00::{form}:224.0.0.1")));
        }
    }

    #[test]
    fn the_smallest_network_decides_whatever_the_form_of_an_address() {
        let policy = PeerPolicy::public_only()
            .allowing("10.0.0.0/8".parse().unwrap())
            .denying("10.1.0.0/16".parse().unwrap())
            .allowing("10.1.1.0/24".parse().unwrap())
            .allowing("10.1.1.1".parse().unwrap())
            .denying("10.1.1.1".parse().unwrap())
            .denying("8.0.0.0/8".parse().unwrap())
            .allowing("fd00:1::/32".parse().unwrap())
            .allowing("0.0.0.0/0".parse().unwrap())
            .allowing("::/0".parse().unwrap());
        for (v4, expected) in [
            ("10.0.0.1", true),
            ("10.1.0.1", false),
            ("10.1.1.2", true),
            ("10.1.1.1", false),
            ("8.8.8.8", false),
            ("9.9.9.9", true),
            ("127.0.0.1", true),
            ("224.0.0.1", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
        ] {
            for prefix in ["", "::ffff:", "::ffff:0:", "64:ff9b::"] {
                let peer = format!("{prefix}{v4}").parse().unwrap();
                assert_eq!(policy.allows(peer), expected, "{peer}");
            }
        }
        let allows = |text: &str| policy.allows(text.parse().unwrap());
        assert!(allows("fd00:1::1") && allows("fd00:2::1") && allows("2001:db8::5efe:10.0.0.1"));
        assert!(!allows("2001:db8::5efe:8.8.8.8") && !allows("ff02::1") && !allows("2002:a00:1::1"));
    }

    #[test]
    fn ipv6_ranges_begin_and_end_where_they_should() {
        let addresses = [
            ("::", Kind::NoPeer),
            ("::1", Kind::Loopback),
            ("::2", Kind::NoPeer),
            ("fbff:ffff::1", Kind::Public),
            ("fc00::", Kind::Private),
            ("fdff:ffff::1", Kind::Private),
            ("fe00::1", Kind::Public),
            ("fe80::1", Kind::LinkLocal),
            ("febf:ffff::1", Kind::LinkLocal),
            ("fec0::1", Kind::Private),
            ("feff::1", Kind::Private),
            ("ff02::1", Kind::NoPeer),
            ("100::1", Kind::NoPeer),
            ("64:ff9b:1::7f00:1", Kind::Private),
            ("2002:cb00:7107::1", Kind::NoPeer),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Kind::NoPeer),
            ("2001:1::1", Kind::Public),
            ("2001:db8::7", Kind::Public),
            ("2003::1", Kind::Public),
        ];
        for (text, expected) in addresses {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
