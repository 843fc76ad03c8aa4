//! The pairs of all streams: formed, ordered, frozen and thawed, limited (RFC 8445 §6.1.2, RFC 8838 §10 to §12).
//!
//! Pairs are made of bases only. A reflexive candidate is replaced by its base before pruning (§6.1.2.4), and the
//! base is in the list with a higher priority already, so its pairs would all be redundant.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::{IpAddr, SocketAddr};

use crate::candidate::pair_priority;
use crate::config::Role;
use crate::id::{ComponentId, PairId, StreamId};
use crate::locals::{Base, Via};
use crate::pair::{CheckState, Nomination, Pair};
use crate::remotes::Remote;
use crate::stats::PairCounters;

/// The checklist set of one generation.
#[derive(Debug, Default)]
pub(crate) struct Checklist {
    pairs: BTreeMap<PairId, Pair>,
    by_path: BTreeMap<(Via, SocketAddr), PairId>,
    triggered: VecDeque<PairId>,
    /// The stream whose turn is next (RFC 8445 §6.1.4.2).
    turn: StreamId,
}

impl Checklist {
    /// Adds the pair of a base and a remote candidate, if the two can talk and it is not there yet.
    pub(crate) fn add(
        &mut self,
        id: PairId,
        via: Via,
        base: &Base,
        remote: &Remote,
        role: Role,
    ) -> Option<PairId> {
        let candidate = &remote.candidate;
        if base.component != candidate.component || !can_talk(base.address.ip(), candidate.address.ip()) {
            return None;
        }
        if self.by_path.contains_key(&(via, candidate.address)) {
            return None;
        }
        let pair = Pair {
            id,
            component: base.component,
            via,
            to: candidate.address,
            local: base.candidate,
            remote: candidate.id,
            foundation: (base.foundation, remote.foundation),
            own_priority: base.priority,
            priority: priority(role, base.priority, candidate.priority),
            check: CheckState::Frozen,
            nomination: Nomination::None,
            heard: false,
            counters: PairCounters::default(),
        };
        self.by_path.insert((via, pair.to), id);
        let thawed = self.may_thaw_at_birth(&pair);
        let pair = self.pairs.entry(id).or_insert(pair);
        if thawed {
            pair.check = CheckState::Waiting;
        }
        Some(id)
    }

    /// RFC 8838 §12: waiting if the foundation has a success, or if this pair is its topmost.
    fn may_thaw_at_birth(&self, pair: &Pair) -> bool {
        let mut siblings = self.pairs.values().filter(|other| other.foundation == pair.foundation).peekable();
        if siblings.peek().is_none() {
            return true;
        }
        let rank = |pair: &Pair| (Reverse(pair.component.number), pair.priority);
        let mut topmost = true;
        for other in siblings {
            if other.valid().is_some() {
                return true;
            }
            topmost &= rank(pair) > rank(other) && !other.is_in_progress();
        }
        topmost
    }

    /// The best pair to check next in the stream whose turn it is, by RFC 8445 §6.1.4.2; `ready` says whether a
    /// pair can be checked at the moment.
    pub(crate) fn next(&mut self, streams: u16, ready: impl Fn(&Pair) -> bool) -> Option<PairId> {
        for _ in 0..streams.max(1) {
            let stream = self.turn;
            self.turn = StreamId(if stream.0 + 1 >= streams { 0 } else { stream.0 + 1 });
            let found = self
                .pop_triggered(stream, &ready)
                .or_else(|| self.best_waiting(stream, &ready))
                .or_else(|| {
                    self.thaw_idle_foundations(stream, &ready);
                    self.best_waiting(stream, &ready)
                });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Whether [`Self::next`] would find one.
    pub(crate) fn has_next(&self, ready: impl Fn(&Pair) -> bool) -> bool {
        self.pairs.values().any(|pair| {
            let due = match pair.check {
                CheckState::Waiting => true,
                CheckState::Frozen => !self.is_busy(pair.foundation, &ready),
                _ => self.is_triggered(pair.id),
            };
            due && ready(pair)
        })
    }

    /// Whether a pair of this foundation is being checked or about to be. One that cannot be, as of a component
    /// that has its pair, would keep the others frozen for nothing.
    fn is_busy(&self, foundation: (u16, u16), ready: &impl Fn(&Pair) -> bool) -> bool {
        let busy = |pair: &Pair| (pair.is_waiting() || pair.is_in_progress()) && ready(pair);
        self.pairs.values().any(|pair| pair.foundation == foundation && busy(pair))
    }

    fn pop_triggered(&mut self, stream: StreamId, ready: &impl Fn(&Pair) -> bool) -> Option<PairId> {
        let at = self.triggered.iter().position(|id| {
            self.pairs.get(id).is_some_and(|pair| pair.component.stream == stream && ready(pair))
        })?;
        self.triggered.remove(at)
    }

    fn best_waiting(&self, stream: StreamId, ready: &impl Fn(&Pair) -> bool) -> Option<PairId> {
        self.pairs
            .values()
            .filter(|pair| pair.component.stream == stream && pair.is_waiting() && ready(pair))
            .max_by_key(|pair| (pair.priority, Reverse(pair.component.number)))
            .map(|pair| pair.id)
    }

    /// RFC 8445 §6.1.4.2: one pair of each foundation that nobody is checking or about to check.
    fn thaw_idle_foundations(&mut self, stream: StreamId, ready: &impl Fn(&Pair) -> bool) {
        let frozen = |pair: &Pair| matches!(pair.check, CheckState::Frozen) && ready(pair);
        let mut order: Vec<_> = self
            .pairs
            .values()
            .filter(|pair| pair.component.stream == stream && frozen(pair))
            .map(|pair| (Reverse(pair.priority), pair.id))
            .collect();
        order.sort_unstable();
        for (_, id) in order {
            let Some(foundation) = self.pairs.get(&id).map(|pair| pair.foundation) else { continue };
            if !self.is_busy(foundation, ready)
                && let Some(pair) = self.pairs.get_mut(&id)
            {
                pair.check = CheckState::Waiting;
            }
        }
    }

    /// A pair of this foundation works: the others may be checked too (RFC 8445 §7.2.5.3.3).
    pub(crate) fn thaw(&mut self, foundation: (u16, u16)) {
        for pair in self.pairs.values_mut() {
            if pair.foundation == foundation && matches!(pair.check, CheckState::Frozen) {
                pair.check = CheckState::Waiting;
            }
        }
    }

    /// Puts a pair into the triggered-check queue, once (RFC 8445 §6.1.4.1).
    pub(crate) fn trigger(&mut self, id: PairId) {
        if self.pairs.contains_key(&id) && !self.triggered.contains(&id) {
            self.triggered.push_back(id);
        }
    }

    pub(crate) fn is_triggered(&self, id: PairId) -> bool {
        self.triggered.contains(&id)
    }

    /// The component has its pair: nothing else of it waits for a triggered check (RFC 8445 §8.1.2).
    pub(crate) fn conclude(&mut self, component: ComponentId) {
        let pairs = &self.pairs;
        self.triggered.retain(|id| pairs.get(id).is_some_and(|pair| pair.component != component));
    }

    /// The roles changed, and with them every priority (RFC 8445 §6.1.2.3).
    pub(crate) fn reprioritise(&mut self, role: Role, remote_priority: impl Fn(&Pair) -> Option<u32>) {
        for pair in self.pairs.values_mut() {
            if let Some(remote) = remote_priority(pair) {
                pair.priority = priority(role, pair.own_priority, remote);
            }
        }
    }

    /// Gives up the least valuable pairs above the limit: failed ones first, those that the peer checked last, low
    /// priorities before high ones, and never one that works or is being nominated (RFC 8838 §10).
    pub(crate) fn limit(&mut self, most: usize) {
        while self.pairs.len() > most {
            let least = self
                .pairs
                .values()
                .filter(|pair| pair.valid().is_none() && pair.nomination == Nomination::None)
                .min_by_key(|pair| (pair.heard, pair.failure().is_none(), pair.priority))
                .map(|pair| pair.id);
            match least {
                Some(id) => self.remove(id),
                None => return,
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn remove(&mut self, id: PairId) {
        if let Some(pair) = self.pairs.remove(&id) {
            self.by_path.remove(&(pair.via, pair.to));
            self.triggered.retain(|other| *other != id);
        }
    }

    pub(crate) fn find(&self, via: Via, to: SocketAddr) -> Option<PairId> {
        self.by_path.get(&(via, to)).copied()
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.pairs.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.pairs.values_mut()
    }
}

fn priority(role: Role, own: u32, remote: u32) -> u64 {
    match role {
        Role::Controlling => pair_priority(own, remote),
        Role::Controlled => pair_priority(remote, own),
    }
}

/// Same family, link-local only with link-local (RFC 8445 §6.1.2.2), loopback only with loopback.
fn can_talk(ours: IpAddr, theirs: IpAddr) -> bool {
    match (ours, theirs) {
        (IpAddr::V4(ours), IpAddr::V4(theirs)) => ours.is_loopback() == theirs.is_loopback(),
        (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
            ours.is_unicast_link_local() == theirs.is_unicast_link_local()
                && ours.is_loopback() == theirs.is_loopback()
        }
        _ => false,
    }
}
