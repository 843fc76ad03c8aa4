//! What a NAT remembers.
//!
//! ```text
//!   no mapping ── packet out ──▶ Session ── timeout without a packet that refreshes ──▶ no mapping
//!                                  ▲  │
//!                                  └──┘ packet out (refresh outbound), packet let in (refresh inbound)
//! ```
//!
//! Each outside endpoint that was sent to has such a timer of its own within the session, for filtering.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::{Filtering, Mapping, NatBehaviour, PortAllocation};
use crate::chance::Chance;

/// The mappings of one NAT. Each use in `by_use` names a session, and each session knows all its uses.
#[derive(Debug)]
pub(crate) struct Table {
    public: IpAddr,
    by_external: BTreeMap<SocketAddr, Session>,
    by_use: BTreeMap<Use, SocketAddr>,
    next_port: u16,
    chance: Chance,
}

/// What decides whether a mapping is used again: who sends, and how much of the destination counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    internal: SocketAddr,
    towards: Towards,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Towards {
    Anybody,
    Address(IpAddr),
    Endpoint(SocketAddr),
}

/// An external endpoint in use. One internal endpoint has it, for one or (with preserved ports) several uses.
#[derive(Debug)]
struct Session {
    internal: SocketAddr,
    uses: BTreeSet<Towards>,
    expires: Duration,
    /// Whom we sent to, and until when that lets them in.
    contacts: BTreeMap<SocketAddr, Duration>,
}

/// The verdict on a packet from outside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inbound {
    /// Goes on to this internal endpoint.
    Forward(SocketAddr),
    /// The sender may not (RFC 4787 §5).
    Filtered,
    /// The destination is nobody's.
    NoMapping,
}

impl Table {
    pub(crate) fn new(public: IpAddr, first_port: u16, chance: Chance) -> Self {
        Self { public, by_external: BTreeMap::new(), by_use: BTreeMap::new(), next_port: first_port, chance }
    }

    /// Finds or makes the mapping for a packet and notes its destination; the external source, or `None` if every
    /// port is taken.
    pub(crate) fn outbound(
        &mut self,
        behaviour: &NatBehaviour,
        translates: bool,
        now: Duration,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<SocketAddr> {
        let towards = if translates { towards(behaviour.mapping, to) } else { Towards::Anybody };
        let used_by = Use { internal: from, towards };
        let until = now.saturating_add(behaviour.timeout);
        let external = match self.live(used_by, now) {
            Some(external) => external,
            None if translates => SocketAddr::new(self.public, self.port_for(behaviour.ports, from, now)?),
            None => from,
        };
        let refresh = behaviour.refresh.outbound();
        self.session(external, used_by, now, until).sent(to, now, until, refresh);
        Some(external)
    }

    /// Judges a packet from outside.
    pub(crate) fn inbound(
        &mut self,
        behaviour: &NatBehaviour,
        now: Duration,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Inbound {
        let Some(session) = self.by_external.get_mut(&to).filter(|session| session.expires > now) else {
            return Inbound::NoMapping;
        };
        if !session.admits(behaviour.filtering, from, now) {
            return Inbound::Filtered;
        }
        if behaviour.refresh.inbound() {
            session.received(behaviour.filtering, from, now, now.saturating_add(behaviour.timeout));
        }
        Inbound::Forward(session.internal)
    }

    pub(crate) fn clear(&mut self) {
        self.by_external.clear();
        self.by_use.clear();
    }

    /// The external endpoint in use; an expired one is forgotten on the way.
    fn live(&mut self, used_by: Use, now: Duration) -> Option<SocketAddr> {
        let external = *self.by_use.get(&used_by)?;
        if self.is_live(external, now) {
            return Some(external);
        }
        self.forget(external);
        None
    }

    fn is_live(&self, external: SocketAddr, now: Duration) -> bool {
        self.by_external.get(&external).is_some_and(|session| session.expires > now)
    }

    /// The session at `external`, noting its use; a new one if what is there has expired.
    fn session(
        &mut self,
        external: SocketAddr,
        used_by: Use,
        now: Duration,
        until: Duration,
    ) -> &mut Session {
        if !self.is_live(external, now) {
            self.forget(external);
        }
        self.by_use.insert(used_by, external);
        let session = self.by_external.entry(external).or_insert_with(|| Session {
            internal: used_by.internal,
            uses: BTreeSet::new(),
            expires: until,
            contacts: BTreeMap::new(),
        });
        session.uses.insert(used_by.towards);
        session
    }

    fn forget(&mut self, external: SocketAddr) {
        let Some(Session { internal, uses, .. }) = self.by_external.remove(&external) else { return };
        for towards in uses {
            self.by_use.remove(&Use { internal, towards });
        }
    }

    /// The external port for a new use of an internal endpoint.
    fn port_for(&mut self, ports: PortAllocation, from: SocketAddr, now: Duration) -> Option<u16> {
        let preserved = SocketAddr::new(self.public, from.port());
        let holds_it = |session: &Session| session.internal == from && session.expires > now;
        if ports == PortAllocation::Preserving && self.by_external.get(&preserved).is_some_and(holds_it) {
            return Some(from.port());
        }
        self.free_port(ports, from.port(), now)
    }

    /// RFC 4787 §4.2.1: a port by the allocation's taste, or the next free one after it; never one in use (REQ-3),
    /// and in the range of the internal port (REQ-3a).
    fn free_port(&mut self, ports: PortAllocation, internal: u16, now: Duration) -> Option<u16> {
        let (first, last) = if internal < 1024 { (1, 1023) } else { (1024, u16::MAX) };
        let wish = match ports {
            PortAllocation::Preserving => internal.max(first),
            PortAllocation::Sequential if (first..=last).contains(&self.next_port) => self.next_port,
            PortAllocation::Sequential => first,
            PortAllocation::Random => self.chance.port(first, last),
        };
        let free = |port: &u16| !self.is_live(SocketAddr::new(self.public, *port), now);
        let port = (wish..=last).chain(first..wish).find(free)?;
        if ports == PortAllocation::Sequential && first > 1 {
            self.next_port = port.checked_add(1).unwrap_or(first);
        }
        Some(port)
    }
}

impl Session {
    fn sent(&mut self, to: SocketAddr, now: Duration, until: Duration, refresh: bool) {
        if refresh {
            self.expires = until;
        }
        let contact = self.contacts.entry(to).or_insert(until);
        if refresh || *contact <= now {
            *contact = until;
        }
    }

    fn received(&mut self, filtering: Filtering, from: SocketAddr, now: Duration, until: Duration) {
        self.expires = until;
        for (contact, open_until) in &mut self.contacts {
            if *open_until > now && matches_filter(filtering, *contact, from) {
                *open_until = until;
            }
        }
    }

    /// RFC 4787 §5.
    fn admits(&self, filtering: Filtering, from: SocketAddr, now: Duration) -> bool {
        match filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent | Filtering::AddressAndPortDependent => {
                let open = |(contact, until): (&SocketAddr, &Duration)| {
                    *until > now && matches_filter(filtering, *contact, from)
                };
                self.contacts.iter().any(open)
            }
        }
    }
}

/// RFC 4787 §4.1.
fn towards(mapping: Mapping, to: SocketAddr) -> Towards {
    match mapping {
        Mapping::EndpointIndependent => Towards::Anybody,
        Mapping::AddressDependent => Towards::Address(to.ip()),
        Mapping::AddressAndPortDependent => Towards::Endpoint(to),
    }
}

fn matches_filter(filtering: Filtering, contact: SocketAddr, from: SocketAddr) -> bool {
    match filtering {
        Filtering::EndpointIndependent => true,
        Filtering::AddressDependent => contact.ip() == from.ip(),
        Filtering::AddressAndPortDependent => contact == from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{NatId, Node};
    use crate::nat::Refresh;

    fn table() -> Table {
        let chance = Chance::of_ports([5; 32], Node::Nat(NatId(0)));
        Table::new("198.51.100.1".parse().unwrap(), 40_000, chance)
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn out(table: &mut Table, behaviour: &NatBehaviour, now: u64, from: &str, to: &str) -> u16 {
        table.outbound(behaviour, true, secs(now), at(from), at(to)).unwrap().port()
    }

    #[test]
    fn ports_are_preserved_until_two_hosts_want_the_same() {
        let (mut table, mut kind) = (table(), NatBehaviour::full_cone());
        kind.ports = PortAllocation::Preserving;
        assert_eq!(out(&mut table, &kind, 0, "10.0.0.1:5000", "192.0.2.1:1"), 5000);
        assert_eq!(out(&mut table, &kind, 0, "10.0.0.2:5000", "192.0.2.1:1"), 5001);
        assert_eq!(out(&mut table, &kind, 119, "10.0.0.1:5000", "192.0.2.1:1"), 5000);
        // The second host's mapping expires and its port is free again for a third.
        assert_eq!(out(&mut table, &kind, 120, "10.0.0.3:5001", "192.0.2.1:1"), 5001);
        assert_eq!(out(&mut table, &kind, 120, "10.0.0.2:5000", "192.0.2.1:1"), 5002);
        assert_eq!(table.by_use.len(), table.by_external.len());
    }

    #[test]
    fn one_endpoint_keeps_its_preserved_port_for_all_destinations_until_another_has_it() {
        let (mut table, mut kind) = (table(), NatBehaviour::symmetric());
        kind.ports = PortAllocation::Preserving;
        assert_eq!(out(&mut table, &kind, 0, "10.0.0.1:5000", "192.0.2.1:1"), 5000);
        assert_eq!(out(&mut table, &kind, 100, "10.0.0.1:5000", "192.0.2.1:2"), 5000);
        assert_eq!(out(&mut table, &kind, 100, "10.0.0.2:5000", "192.0.2.1:1"), 5001);
        assert_eq!(out(&mut table, &kind, 100, "10.0.0.2:5000", "192.0.2.1:2"), 5002);
        // Silence frees it for whoever is first, with all its uses.
        assert_eq!(out(&mut table, &kind, 220, "10.0.0.2:5000", "192.0.2.1:3"), 5000);
        assert_eq!(out(&mut table, &kind, 220, "10.0.0.1:5000", "192.0.2.1:2"), 5001);
        let uses: usize = table.by_external.values().map(|session| session.uses.len()).sum();
        assert_eq!(table.by_use.len(), uses);
    }

    #[test]
    fn well_known_ports_stay_in_their_range() {
        for ports in [PortAllocation::Preserving, PortAllocation::Sequential, PortAllocation::Random] {
            let (mut table, kind) = (table(), NatBehaviour { ports, ..NatBehaviour::symmetric() });
            for n in 1..=50 {
                let to = alloc::format!("192.0.2.1:{n}");
                assert!(out(&mut table, &kind, 0, "10.0.0.1:500", &to) < 1024, "{ports:?}");
                assert!(out(&mut table, &kind, 0, "10.0.0.1:1024", &to) >= 1024, "{ports:?}");
            }
        }
    }

    #[test]
    fn sequential_ports_count_up_and_start_over_at_the_end() {
        let (mut table, kind) = (table(), NatBehaviour::symmetric());
        assert_eq!(out(&mut table, &kind, 0, "10.0.0.1:5000", "192.0.2.1:1"), 40_000);
        assert_eq!(out(&mut table, &kind, 0, "10.0.0.1:5000", "192.0.2.1:2"), 40_001);
        table.next_port = u16::MAX;
        assert_eq!(out(&mut table, &kind, 0, "10.0.0.1:5000", "192.0.2.1:3"), u16::MAX);
        assert_eq!(out(&mut table, &kind, 0, "10.0.0.1:5000", "192.0.2.1:4"), 1024);
    }

    #[test]
    fn random_ports_are_scattered_and_never_shared() {
        let (mut table, kind) =
            (table(), NatBehaviour { ports: PortAllocation::Random, ..NatBehaviour::symmetric() });
        let ports: alloc::vec::Vec<u16> = (1..=2_000)
            .map(|n| out(&mut table, &kind, 0, "10.0.0.1:5000", &alloc::format!("192.0.2.1:{n}")))
            .collect();
        let distinct: BTreeSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), 2_000);
        let neighbours = ports.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 100).count();
        assert!(neighbours < 30, "{neighbours}");
    }

    #[test]
    fn a_full_table_gives_no_port() {
        let (mut table, kind) = (table(), NatBehaviour::symmetric());
        let mut open = |n: u16| {
            table.outbound(&kind, true, secs(0), at("10.0.0.1:500"), at(&alloc::format!("192.0.2.1:{n}")))
        };
        assert!((1..=1023).all(|n| open(n).is_some()));
        assert_eq!(open(1024), None);
    }

    #[test]
    fn each_contact_has_a_timer_of_its_own() {
        let (mut table, kind) = (table(), NatBehaviour::port_restricted_cone());
        let external =
            SocketAddr::new(table.public, out(&mut table, &kind, 0, "10.0.0.1:5000", "192.0.2.1:1"));
        out(&mut table, &kind, 100, "10.0.0.1:5000", "192.0.2.2:2");
        assert_eq!(
            table.inbound(&kind, secs(119), at("192.0.2.1:1"), external),
            Inbound::Forward(at("10.0.0.1:5000"))
        );
        assert_eq!(table.inbound(&kind, secs(120), at("192.0.2.1:1"), external), Inbound::Filtered);
        assert_eq!(
            table.inbound(&kind, secs(120), at("192.0.2.2:2"), external),
            Inbound::Forward(at("10.0.0.1:5000"))
        );
        assert_eq!(table.inbound(&kind, secs(220), at("192.0.2.2:2"), external), Inbound::NoMapping);
    }

    #[test]
    fn only_packets_in_the_right_direction_refresh() {
        // (refresh, alive after packets went out, alive after packets came in)
        for (refresh, out_keeps, in_keeps) in
            [(Refresh::Outbound, true, false), (Refresh::Inbound, false, true), (Refresh::Both, true, true)]
        {
            for filtering in [
                Filtering::EndpointIndependent,
                Filtering::AddressDependent,
                Filtering::AddressAndPortDependent,
            ] {
                let kind =
                    NatBehaviour { refresh, ..NatBehaviour::new(Mapping::EndpointIndependent, filtering) };
                let (inside, peer) = (at("10.0.0.1:5000"), at("192.0.2.1:1"));
                let alive = |table: &mut Table, external| {
                    table.inbound(&kind, secs(180), peer, external) == Inbound::Forward(inside)
                };

                let mut table = table();
                let external = table.outbound(&kind, true, secs(0), inside, peer).unwrap();
                table.outbound(&kind, true, secs(100), inside, peer);
                assert_eq!(alive(&mut table, external), out_keeps, "{refresh:?} {filtering:?}");

                table.clear();
                let external = table.outbound(&kind, true, secs(0), inside, peer).unwrap();
                table.inbound(&kind, secs(100), peer, external);
                assert_eq!(alive(&mut table, external), in_keeps, "{refresh:?} {filtering:?}");
            }
        }
    }

    #[test]
    fn a_filtered_packet_refreshes_nothing() {
        let kind = NatBehaviour { refresh: Refresh::Both, ..NatBehaviour::port_restricted_cone() };
        let mut table = table();
        let external = table.outbound(&kind, true, secs(0), at("10.0.0.1:5000"), at("192.0.2.1:1")).unwrap();
        assert_eq!(table.inbound(&kind, secs(100), at("192.0.2.1:2"), external), Inbound::Filtered);
        assert_eq!(table.inbound(&kind, secs(120), at("192.0.2.1:1"), external), Inbound::NoMapping);
    }
}
