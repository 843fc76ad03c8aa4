//! The peer's side of one generation: what it signalled and what we learned from its checks.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::candidate::{Candidate, CandidateKind, Read};
use crate::config::Limits;
use crate::error::IgnoredReason;
use crate::id::{CandidateId, ComponentId, Counter, Side};

/// Candidates of the peer.
#[derive(Debug, Default)]
pub(crate) struct Remotes {
    candidates: BTreeMap<CandidateId, Remote>,
    by_address: BTreeMap<(ComponentId, SocketAddr), CandidateId>,
    foundations: BTreeMap<String, u16>,
}

/// One candidate of the peer.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) candidate: Candidate,
    pub(crate) origin: Origin,
    /// Its foundation as a number, to compare quickly.
    pub(crate) foundation: u16,
}

/// How we came to know a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The peer told us, perhaps with the user name fragment it belongs to (RFC 8838 §9).
    Signalled { ufrag: Option<String> },
    /// A check came from there, in the name of this user name fragment (RFC 8445 §7.3.1.3).
    Learned {
        /// The peer's own, from behind the colon of USERNAME.
        ufrag: String,
    },
}

impl Origin {
    pub(crate) const fn is_signalled(&self) -> bool {
        matches!(self, Self::Signalled { .. })
    }

    fn ufrag(&self) -> Option<&str> {
        match self {
            Self::Signalled { ufrag } => ufrag.as_deref(),
            Self::Learned { ufrag } => Some(ufrag),
        }
    }
}

/// What became of a signalled candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signalled {
    /// It is new and wants to be paired.
    New(CandidateId),
    /// It was learned before and is now what the peer says it is; pairs keep their state.
    Promoted(CandidateId),
    /// It was signalled before.
    Known(CandidateId),
}

impl Remotes {
    /// The peer told us of a candidate.
    pub(crate) fn signal(
        &mut self,
        component: ComponentId,
        read: Read,
        ids: &mut Counter,
        limits: &Limits,
    ) -> Result<Signalled, IgnoredReason> {
        if let Some(&id) = self.by_address.get(&(component, read.address)) {
            return Ok(self.promote(id, read));
        }
        self.check_room(read.address.ip(), limits)?;
        let id = CandidateId(Side::Remote, ids.next());
        let origin = Origin::Signalled { ufrag: read.ufrag.clone() };
        self.insert(id, component, read, origin);
        Ok(Signalled::New(id))
    }

    /// An authenticated check came from an address; the candidate it belongs to, learned if need be.
    ///
    /// `None` if there is no room for one more.
    pub(crate) fn learn(
        &mut self,
        component: ComponentId,
        address: SocketAddr,
        priority: u32,
        ufrag: &str,
        ids: &mut Counter,
        limits: &Limits,
    ) -> Option<CandidateId> {
        if let Some(&id) = self.by_address.get(&(component, address)) {
            return Some(id);
        }
        if !self.may_learn(address.ip(), limits) {
            return None;
        }
        let id = CandidateId(Side::Remote, ids.next());
        let read = Read {
            component: component.number,
            kind: CandidateKind::PeerReflexive,
            address,
            priority,
            foundation: format!("{LEARNED}{}", id.1),
            related: None,
            ufrag: None,
        };
        self.insert(id, component, read, Origin::Learned { ufrag: ufrag.into() });
        Some(id)
    }

    /// The peer's user name fragment is known now: what was told or learned in another's name is forgotten.
    pub(crate) fn forget_strangers(&mut self, known: &str) -> Vec<CandidateId> {
        let strangers: Vec<_> = self
            .candidates
            .iter()
            .filter(|(_, remote)| remote.origin.ufrag().is_some_and(|ufrag| ufrag != known))
            .map(|(id, _)| *id)
            .collect();
        for id in &strangers {
            self.remove(*id);
        }
        strangers
    }

    pub(crate) fn get(&self, id: CandidateId) -> Option<&Remote> {
        self.candidates.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Remote> {
        self.candidates.values()
    }

    fn promote(&mut self, id: CandidateId, read: Read) -> Signalled {
        if self.candidates.get(&id).is_none_or(|remote| remote.origin.is_signalled()) {
            return Signalled::Known(id);
        }
        let foundation = self.intern(&read.foundation);
        let Some(remote) = self.candidates.get_mut(&id) else { return Signalled::Known(id) };
        remote.origin = Origin::Signalled { ufrag: read.ufrag };
        remote.foundation = foundation;
        remote.candidate.kind = read.kind;
        remote.candidate.priority = read.priority;
        remote.candidate.foundation = read.foundation;
        remote.candidate.related = read.related;
        Signalled::Promoted(id)
    }

    fn insert(&mut self, id: CandidateId, component: ComponentId, read: Read, origin: Origin) {
        let foundation = self.intern(&read.foundation);
        let candidate = Candidate {
            id,
            component,
            kind: read.kind,
            address: read.address,
            priority: read.priority,
            foundation: read.foundation,
            related: read.related,
            server: None,
            relay_protocol: None,
        };
        self.by_address.insert((component, candidate.address), id);
        self.candidates.insert(id, Remote { candidate, origin, foundation });
    }

    /// Whether there is room for one more candidate that was not signalled.
    fn may_learn(&self, ip: IpAddr, limits: &Limits) -> bool {
        self.learned().count() < limits.peer_reflexive && self.check_room(ip, limits).is_ok()
    }

    /// Candidates that were not signalled, oldest first.
    pub(crate) fn learned(&self) -> impl Iterator<Item = &Remote> {
        self.candidates.values().filter(|remote| !remote.origin.is_signalled())
    }

    pub(crate) fn remove(&mut self, id: CandidateId) {
        if let Some(remote) = self.candidates.remove(&id) {
            self.by_address.remove(&(remote.candidate.component, remote.candidate.address));
        }
    }

    fn check_room(&self, ip: IpAddr, limits: &Limits) -> Result<(), IgnoredReason> {
        let here = self.candidates.values().filter(|remote| remote.candidate.address.ip() == ip).count();
        if self.candidates.len() >= limits.remote_candidates || here >= limits.per_address {
            return Err(IgnoredReason::Limit);
        }
        Ok(())
    }

    fn intern(&mut self, foundation: &str) -> u16 {
        if let Some(&number) = self.foundations.get(foundation) {
            return number;
        }
        let number = u16::try_from(self.foundations.len()).unwrap_or(u16::MAX);
        self.foundations.insert(foundation.into(), number);
        number
    }
}

/// No signalled foundation has this character, so that learned ones are unlike all others.
const LEARNED: &str = "~";
