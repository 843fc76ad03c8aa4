//! NATs and stateful firewalls, by behaviour and not by brand (RFC 4787).
//!
//! ```text
//!      inside                         │                          outside
//!                        ┌────────────┴─────────────┐
//!   X:x ── to Y:y ─────▶ │ Mapping: which external  │ ── from X':x' to Y:y ─────▶
//!                        │ endpoint is X:x to Y:y?  │
//!                        │   PortAllocation if new  │
//!                        │                          │
//!   X:x ◀── from Z:z ─── │ Filtering: may Z:z send  │ ◀── from Z:z to X':x' ─────
//!                        │ to X':x'?                │
//!                        │                          │
//!   X2:x2 ◀──┐           │                          │
//!   X:x ─────┴─ to X2':x2'  Hairpin                 │
//!                        └──────────────────────────┘
//! ```
//!
//! A NAT forgets a mapping, and the right of one outside endpoint to use it, when `timeout` has passed since the last
//! packet that [`Refresh`] counts. Filtering looks at what was sent *through the mapping* a packet arrives on.
//!
//! Addresses of the other family than the NAT's public address are not translated but only filtered, as a home
//! router does: NAT for IPv4 and a stateful firewall for IPv6 (RFC 4787 says nothing of IPv6; RFC 6092 §3.2 does).

mod table;

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

pub(crate) use table::Inbound;
use table::Table;

use crate::chance::Chance;
use crate::id::Place;
use crate::link::Access;

/// When a NAT uses the same external endpoint for two destinations (RFC 4787 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mapping {
    /// Always. What REQ-1 asks for.
    EndpointIndependent,
    /// If they have the same address.
    AddressDependent,
    /// Never: each destination sees another.
    AddressAndPortDependent,
}

/// Who may send to an external endpoint in use (RFC 4787 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filtering {
    /// Anybody. REQ-8, if transparency matters most.
    EndpointIndependent,
    /// Every port of an address that was sent to. REQ-8, if strictness matters most.
    AddressDependent,
    /// Only an address and port that was sent to.
    AddressAndPortDependent,
}

/// Which external port a new mapping gets (RFC 4787 §4.2.1). Never one that another internal endpoint has: that would
/// be the port overloading which REQ-3 forbids. Ports below 1024 stay below, others above (REQ-3a).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortAllocation {
    /// The internal port, for all mappings of an internal endpoint; only if another has it, the next free one. So a
    /// strict mapping does not show before ports collide (RFC 4787 §8): Linux's masquerading is of this kind.
    Preserving,
    /// One after the other, from 40000 for the first NAT of a network, 41000 for the second, and so on.
    Sequential,
    /// Drawn from the seed.
    Random,
}

/// What happens to a packet from inside to an external endpoint of the same NAT (RFC 4787 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hairpin {
    /// It is dropped.
    No,
    /// It comes back in, from the sender's external endpoint. What REQ-9 and REQ-9a ask for.
    Yes,
    /// It comes back in, from the sender's internal endpoint.
    InternalSource,
}

/// Which packets keep a mapping alive (RFC 4787 §4.3, REQ-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refresh {
    /// Those that go out.
    Outbound,
    /// Those that are let in. On its own against REQ-6.
    Inbound,
    /// All of them.
    Both,
}

impl Refresh {
    fn outbound(self) -> bool {
        matches!(self, Self::Outbound | Self::Both)
    }

    fn inbound(self) -> bool {
        matches!(self, Self::Inbound | Self::Both)
    }
}

/// Whether addresses are changed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Translation {
    /// To the public address, for addresses of its family.
    ToPublic,
    /// Never: a firewall. Its hosts are known outside by their own addresses.
    None,
}

/// How a NAT behaves, in the words of RFC 4787.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatBehaviour {
    /// NAT, or firewall only.
    pub translation: Translation,
    /// §4.1, REQ-1; see also [`PortAllocation::Preserving`]. Of no effect without translation.
    pub mapping: Mapping,
    /// §5, REQ-8.
    pub filtering: Filtering,
    /// §4.2, REQ-3. Of no effect without translation.
    pub ports: PortAllocation,
    /// §6, REQ-9. Of no effect without translation.
    pub hairpin: Hairpin,
    /// §4.3, REQ-5.
    pub timeout: Duration,
    /// §4.3, REQ-6.
    pub refresh: Refresh,
}

impl NatBehaviour {
    /// A NAT with this mapping and filtering; sequential ports, no hairpin, [`DEFAULT_TIMEOUT`] refreshed by outgoing
    /// packets only. Of what RFC 4787 leaves open, or NATs get wrong, these are the choices hardest on applications.
    ///
    /// [`DEFAULT_TIMEOUT`]: Self::DEFAULT_TIMEOUT
    #[must_use]
    pub const fn new(mapping: Mapping, filtering: Filtering) -> Self {
        Self {
            translation: Translation::ToPublic,
            mapping,
            filtering,
            ports: PortAllocation::Sequential,
            hairpin: Hairpin::No,
            timeout: Self::DEFAULT_TIMEOUT,
            refresh: Refresh::Outbound,
        }
    }

    /// RFC 4787 §4.3, REQ-5: "A NAT UDP mapping timer MUST NOT expire in less than two minutes".
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

    /// Mapping by filtering, all nine, the most permissive first.
    pub const KINDS: [Self; 9] = {
        use {Filtering as F, Mapping as M};
        [
            Self::new(M::EndpointIndependent, F::EndpointIndependent),
            Self::new(M::EndpointIndependent, F::AddressDependent),
            Self::new(M::EndpointIndependent, F::AddressAndPortDependent),
            Self::new(M::AddressDependent, F::EndpointIndependent),
            Self::new(M::AddressDependent, F::AddressDependent),
            Self::new(M::AddressDependent, F::AddressAndPortDependent),
            Self::new(M::AddressAndPortDependent, F::EndpointIndependent),
            Self::new(M::AddressAndPortDependent, F::AddressDependent),
            Self::new(M::AddressAndPortDependent, F::AddressAndPortDependent),
        ]
    };

    /// The "full cone" of RFC 3489 §5.
    #[must_use]
    pub const fn full_cone() -> Self {
        Self::new(Mapping::EndpointIndependent, Filtering::EndpointIndependent)
    }

    /// The "restricted cone" of RFC 3489 §5.
    #[must_use]
    pub const fn restricted_cone() -> Self {
        Self::new(Mapping::EndpointIndependent, Filtering::AddressDependent)
    }

    /// The "port restricted cone" of RFC 3489 §5: most homes.
    #[must_use]
    pub const fn port_restricted_cone() -> Self {
        Self::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent)
    }

    /// The "symmetric" NAT of RFC 3489 §5: many companies and some carriers.
    #[must_use]
    pub const fn symmetric() -> Self {
        Self::new(Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent)
    }

    /// A stateful firewall: translates nothing, and lets in only answers.
    #[must_use]
    pub const fn firewall() -> Self {
        Self { translation: Translation::None, ..Self::port_restricted_cone() }
    }
}

impl fmt::Display for NatBehaviour {
    /// Mapping and filtering by one letter each, `E/P` for instance, or `firewall`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mapping = match self.mapping {
            Mapping::EndpointIndependent => 'E',
            Mapping::AddressDependent => 'A',
            Mapping::AddressAndPortDependent => 'P',
        };
        let filtering = match self.filtering {
            Filtering::EndpointIndependent => 'E',
            Filtering::AddressDependent => 'A',
            Filtering::AddressAndPortDependent => 'P',
        };
        match self.translation {
            Translation::ToPublic => write!(f, "{mapping}/{filtering}"),
            Translation::None => f.write_str("firewall"),
        }
    }
}

/// One box: where it stands, how it behaves, what it remembers.
#[derive(Debug)]
pub(crate) struct Nat {
    pub(crate) access: Access,
    pub(crate) outer: Place,
    public: IpAddr,
    behaviour: NatBehaviour,
    table: Table,
}

impl Nat {
    pub(crate) fn new(
        outer: Place,
        public: IpAddr,
        behaviour: NatBehaviour,
        first_port: u16,
        access: Access,
        chance: Chance,
    ) -> Self {
        Self { access, outer, public, behaviour, table: Table::new(public, first_port, chance) }
    }

    pub(crate) fn hairpin(&self) -> Hairpin {
        self.behaviour.hairpin
    }

    /// Whether inside addresses like `ip` appear outside as the public one.
    pub(crate) fn translates(&self, ip: IpAddr) -> bool {
        self.behaviour.translation == Translation::ToPublic && ip.is_ipv4() == self.public.is_ipv4()
    }

    /// Whether a packet from inside to `to` would have to come back in.
    pub(crate) fn is_own(&self, to: SocketAddr) -> bool {
        to.ip() == self.public && self.translates(to.ip())
    }

    /// A packet goes out; its new source. `None`: no port left to give.
    pub(crate) fn outbound(&mut self, now: Duration, from: SocketAddr, to: SocketAddr) -> Option<SocketAddr> {
        let translates = self.translates(from.ip());
        self.table.outbound(&self.behaviour, translates, now, from, to)
    }

    /// A packet wants in; its new destination, if it may.
    pub(crate) fn inbound(&mut self, now: Duration, from: SocketAddr, to: SocketAddr) -> Inbound {
        match self.table.inbound(&self.behaviour, now, from, to) {
            Inbound::NoMapping if !self.translates(to.ip()) => Inbound::Filtered,
            verdict => verdict,
        }
    }

    /// Forgets all mappings.
    pub(crate) fn reboot(&mut self) {
        self.table.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn the_nine_kinds_are_nine() {
        let names = NatBehaviour::KINDS.map(|kind| kind.to_string());
        assert_eq!(names, ["E/E", "E/A", "E/P", "A/E", "A/A", "A/P", "P/E", "P/A", "P/P"]);
        assert_eq!(NatBehaviour::firewall().to_string(), "firewall");
    }
}
