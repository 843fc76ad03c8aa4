//! Choosing: the controlling agent nominates, both select (RFC 8445 §7.2.5.3.4, §7.3.1.5, §8.1).

use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::Instant;

use crate::candidate::CandidateKind;
use crate::id::{ComponentId, PairId};
use crate::locals::Via;
use crate::output::{Event, SelectedPair, SelectedReason};
use crate::pair::{Nomination, Pair};
use crate::policy::{Decision, Outlook};
use crate::session::Session;
use crate::shared::{RelayOrder, Shared};

impl Session {
    /// A check of ours proved a pair; `nominating` if it carried USE-CANDIDATE.
    pub(crate) fn handle_proof(&mut self, shared: &mut Shared, id: PairId, nominating: bool) {
        let Some(pair) = self.list.get(id) else { return };
        let agreed = match pair.nomination {
            Nomination::Asking(_) => nominating,
            Nomination::Asked => !shared.stance.is_controlling(),
            Nomination::None | Nomination::Done => false,
        };
        if agreed {
            self.nominate(shared, id);
        } else {
            self.consider_nomination(shared);
        }
    }

    /// Controlling: starts to nominate where the policy says so.
    pub(crate) fn consider_nomination(&mut self, shared: &Shared) {
        let due: Vec<_> = shared
            .components()
            .filter(|component| matches!(self.decide(shared, *component), Some((_, Decision::Now))))
            .filter_map(|component| self.best_valid(component).map(|pair| pair.id))
            .collect();
        for id in due {
            if let Some(pair) = self.list.get_mut(id) {
                pair.nomination = Nomination::Asked;
            }
            self.list.trigger(id);
        }
    }

    /// A pair is not heard any more: it is no longer the one to nominate. There may be others (RFC 8445 §7.2.5.3.4
    /// would give up).
    pub(crate) fn drop_nominee(&mut self, shared: &Shared, id: PairId) {
        if shared.stance.is_controlling()
            && let Some(pair) = self.list.get_mut(id).filter(|pair| pair.is_asked())
        {
            pair.nomination = Nomination::None;
        }
    }

    pub(crate) fn nomination_deadline(&self, shared: &Shared) -> Option<Instant> {
        let waits = shared.components().filter_map(|component| match self.decide(shared, component)? {
            (_, Decision::Now) => None,
            (_, Decision::After(wait)) => Some(shared.now + wait.max(SOONEST)),
        });
        waits.min()
    }

    /// What the policy says of a component that has a working pair and no nomination.
    fn decide(&self, shared: &Shared, component: ComponentId) -> Option<(PairId, Decision)> {
        let rivals = || self.list.iter().filter(move |pair| pair.component == component);
        let settled = self.selected.contains_key(&component) || rivals().any(Pair::is_asked);
        if settled || !shared.stance.is_controlling() || shared.config.lite {
            return None;
        }
        let best = self.best_valid(component)?;
        let first = rivals().filter_map(|pair| pair.valid().map(|valid| valid.since)).min()?;
        let clearance = self.clearance(shared);
        let outlook = Outlook {
            better_pending: rivals()
                .any(|pair| pair.is_open() && pair.priority > best.priority && clearance.allows(pair)),
            relayed: self.is_relayed(best),
            waited: shared.now - first,
        };
        Some((best.id, shared.policy.nominate(&outlook)))
    }

    fn is_relayed(&self, pair: &Pair) -> bool {
        let remote = self.remotes.get(pair.remote).map(|remote| remote.candidate.kind);
        matches!(pair.via, Via::Relay(_)) || remote == Some(CandidateKind::Relayed)
    }

    /// Both sides agree on a working pair: it is selected unless a better one is (RFC 8445 §8.1.1, §8.1.2).
    pub(crate) fn nominate(&mut self, shared: &mut Shared, id: PairId) {
        let outranked = self.is_outranked(id);
        let Some(pair) = self.list.get_mut(id) else { return };
        pair.nomination = Nomination::Done;
        let (component, via, to) = (pair.component, pair.via, pair.to);
        if outranked {
            return;
        }
        let why = match self.selected.insert(component, id) {
            Some(_) => SelectedReason::BetterNominated,
            None => SelectedReason::Nominated,
        };
        self.list.conclude(component);
        self.cancel_rivals(component, id);
        if let Via::Relay(relay) = via {
            shared.relay_orders.push(RelayOrder::Channel(relay, to));
        }
        if let Some(selected) = self.describe(shared, id, why) {
            shared.totals.selected_pair_changes += 1;
            shared.report(Event::Selected(selected));
        }
    }

    /// The pair as its owner sees it.
    pub(crate) fn describe(&self, shared: &Shared, id: PairId, why: SelectedReason) -> Option<SelectedPair> {
        let pair = self.list.get(id)?;
        let local = pair.valid().map_or(pair.local, |valid| valid.local);
        Some(SelectedPair {
            component: pair.component,
            pair: id,
            local: shared.locals.get(local)?.clone(),
            remote: self.remotes.get(pair.remote)?.candidate.clone(),
            why,
        })
    }
}

/// A policy that asks for no time at all is asked again after this.
const SOONEST: Duration = Duration::from_millis(1);
