//! Our side: the bases we can send from and the candidates that lead to them (RFC 8445 §4, §5.1).

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use core::net::{IpAddr, SocketAddr};

use floe_stun::{SocketId, Transport};

use crate::candidate::{Candidate, CandidateKind, Foundations, Origin, Preference, candidate_priority};
use crate::id::{CandidateId, ComponentId, Counter, ServerId, Side};

/// The way a packet leaves: a socket of the host, or a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Via {
    Socket(SocketId),
    Relay(RelayId),
}

/// One allocation on a TURN server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RelayId(pub(crate) u32);

/// Something that can be sent from: the base of candidates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    pub(crate) component: ComponentId,
    pub(crate) address: SocketAddr,
    /// Its own candidate, host or relayed.
    pub(crate) candidate: CandidateId,
    pub(crate) preference: Preference,
    /// The priority of its own candidate.
    pub(crate) priority: u32,
    /// The foundation of its own candidate.
    pub(crate) foundation: u16,
    /// Whether it may stand in pairs; host bases may not under relay-only policy.
    pub(crate) pairable: bool,
}

/// Bases and candidates of ours.
#[derive(Debug, Default)]
pub(crate) struct Locals {
    bases: BTreeMap<Via, Base>,
    candidates: BTreeMap<CandidateId, Local>,
    foundations: Foundations,
    ids: Counter,
}

#[derive(Debug)]
struct Local {
    candidate: Candidate,
    via: Via,
}

/// What makes a reflexive or relayed candidate, besides its address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) server: ServerId,
    pub(crate) server_ip: IpAddr,
    /// Whether the base may be told (not under relay-only policy).
    pub(crate) show_related: bool,
}

impl Locals {
    /// A host base of this rank (0 is best) and its candidate.
    pub(crate) fn add_host(
        &mut self,
        socket: SocketId,
        component: ComponentId,
        address: SocketAddr,
        rank: u16,
        pairable: bool,
    ) -> CandidateId {
        let (via, preference) = (Via::Socket(socket), Preference::new(rank));
        let origin = Origin { kind: CandidateKind::Host, base: address.ip(), server: None };
        let candidate = self.insert(via, component, preference, address, origin, |_| {});
        let foundation = self.foundations.of(origin);
        let priority = candidate_priority(CandidateKind::Host, preference, component.number);
        let base = Base { component, address, candidate, preference, priority, foundation, pairable };
        self.bases.insert(via, base);
        candidate
    }

    /// What a server saw of a host base; none if such a candidate is there (RFC 8445 §5.1.3).
    pub(crate) fn add_reflexive(
        &mut self,
        socket: SocketId,
        mapped: SocketAddr,
        source: Source,
    ) -> Option<CandidateId> {
        let via = Via::Socket(socket);
        let base = *self.bases.get(&via)?;
        if self.find(via, mapped).is_some() {
            return None;
        }
        let preference = base.preference.behind(source.server);
        let origin = Origin {
            kind: CandidateKind::ServerReflexive,
            base: base.address.ip(),
            server: Some(source.server_ip),
        };
        Some(self.insert(via, base.component, preference, mapped, origin, |candidate| {
            candidate.related = source.show_related.then_some(base.address);
            candidate.server = Some(source.server);
        }))
    }

    /// An address at a relay that we reach from a host base: a base of its own.
    pub(crate) fn add_relayed(
        &mut self,
        relay: RelayId,
        socket: SocketId,
        relayed: SocketAddr,
        mapped: SocketAddr,
        source: Source,
    ) -> Option<CandidateId> {
        let host = *self.bases.get(&Via::Socket(socket))?;
        if self.candidates.values().any(|local| local.candidate.address == relayed) {
            return None;
        }
        let (via, preference) = (Via::Relay(relay), host.preference.behind(source.server));
        let origin =
            Origin { kind: CandidateKind::Relayed, base: relayed.ip(), server: Some(source.server_ip) };
        let id = self.insert(via, host.component, preference, relayed, origin, |candidate| {
            candidate.related = source.show_related.then_some(mapped);
            candidate.server = Some(source.server);
            candidate.relay_protocol = Some(Transport::Udp);
        });
        let (component, foundation) = (host.component, self.foundations.of(origin));
        let priority = candidate_priority(CandidateKind::Relayed, preference, component.number);
        let base = Base {
            component,
            address: relayed,
            candidate: id,
            preference,
            priority,
            foundation,
            pairable: true,
        };
        self.bases.insert(via, base);
        Some(id)
    }

    /// The candidate that a check from `via` proved: the one with the mapped address, or a new peer-reflexive
    /// one with the priority that the check carried (RFC 8445 §7.2.5.3.1). With `most` candidates there are no new
    /// ones, and the base's own stands for it.
    pub(crate) fn proven(
        &mut self,
        via: Via,
        mapped: SocketAddr,
        priority: u32,
        most: usize,
    ) -> Option<CandidateId> {
        if let Some(id) = self.find(via, mapped) {
            return Some(id);
        }
        let base = *self.bases.get(&via)?;
        if self.candidates.len() >= most {
            return Some(base.candidate);
        }
        let origin = Origin { kind: CandidateKind::PeerReflexive, base: base.address.ip(), server: None };
        Some(self.insert(via, base.component, base.preference, mapped, origin, |candidate| {
            candidate.priority = priority;
            candidate.related = Some(base.address);
        }))
    }

    /// Forgets a base and all candidates that lead to it.
    pub(crate) fn remove(&mut self, via: Via) {
        self.bases.remove(&via);
        self.candidates.retain(|_, local| local.via != via);
    }

    pub(crate) fn base(&self, via: Via) -> Option<&Base> {
        self.bases.get(&via)
    }

    pub(crate) fn bases(&self) -> impl Iterator<Item = (Via, &Base)> {
        self.bases.iter().map(|(via, base)| (*via, base))
    }

    pub(crate) fn get(&self, id: CandidateId) -> Option<&Candidate> {
        self.candidates.get(&id).map(|local| &local.candidate)
    }

    pub(crate) fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.values().map(|local| &local.candidate)
    }

    pub(crate) fn len(&self) -> usize {
        self.candidates.len()
    }

    fn find(&self, via: Via, address: SocketAddr) -> Option<CandidateId> {
        let mut found =
            self.candidates.values().filter(|local| local.via == via && local.candidate.address == address);
        found.next().map(|local| local.candidate.id)
    }

    fn insert(
        &mut self,
        via: Via,
        component: ComponentId,
        preference: Preference,
        address: SocketAddr,
        origin: Origin,
        adorn: impl FnOnce(&mut Candidate),
    ) -> CandidateId {
        let id = CandidateId(Side::Local, self.ids.next());
        let mut candidate = Candidate {
            id,
            component,
            kind: origin.kind,
            address,
            priority: candidate_priority(origin.kind, preference, component.number),
            foundation: self.foundations.of(origin).to_string(),
            related: None,
            server: None,
            relay_protocol: None,
        };
        adorn(&mut candidate);
        self.candidates.insert(id, Local { candidate, via });
        id
    }
}

impl Base {
    /// PRIORITY of a check from here: the base's own, were it peer-reflexive (RFC 8445 §7.1.1).
    pub(crate) const fn check_priority(&self) -> u32 {
        candidate_priority(CandidateKind::PeerReflexive, self.preference, self.component.number)
    }
}
