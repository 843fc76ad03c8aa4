//! One generation of ICE: credentials of both sides, the peer's candidates, the pairs, what is selected.
//!
//! A restart makes a new session beside the old one (RFC 8445 §9). What a session does is told in the files of
//! its verbs: [`check`](crate::check) asks, [`respond`](crate::respond) answers, [`nominate`](crate::nominate)
//! chooses.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_sdp::CandidateLine;
use floe_stun::{Instant, TransactionId, Why};

use crate::candidate;
use crate::check::Check;
use crate::checklist::Checklist;
use crate::config::Role;
use crate::credentials::{Credentials, Local, Remote};
use crate::error::{ApiMisuse, IgnoredReason, Taken};
use crate::id::{CandidateId, ComponentId, PairId, StreamId};
use crate::locals::{RelayId, Via};
use crate::output::{PairFailure, StateReason};
use crate::pair::{CheckState, Pair};
use crate::patience::Patience;
use crate::remotes::{Remotes, Signalled};
use crate::shared::{RelayOrder, Shared};

/// One generation.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) generation: u32,
    pub(crate) local: Local,
    pub(crate) remote: Option<Remote>,
    pub(crate) remotes: Remotes,
    pub(crate) list: Checklist,
    pub(crate) checks: BTreeMap<TransactionId, Check>,
    pub(crate) selected: BTreeMap<ComponentId, PairId>,
    pub(crate) fatal: Option<StateReason>,
    pub(crate) last_failure: Option<PairFailure>,
    /// Packets sent to addresses that never answered.
    pub(crate) unanswered: BTreeMap<IpAddr, u32>,
    /// How often a 487 changed our role.
    pub(crate) repulses: u8,
    permitted: BTreeSet<(RelayId, IpAddr)>,
    /// Checks of the peer that were believed lately, and where each came from.
    pub(crate) believed: VecDeque<(TransactionId, Via, SocketAddr)>,
    patience: Patience,
    remote_done: bool,
}

impl Session {
    pub(crate) fn new(generation: u32, shared: &mut Shared) -> Self {
        Self {
            generation,
            local: Local::draw(&mut shared.chance),
            remote: None,
            remotes: Remotes::default(),
            list: Checklist::default(),
            checks: BTreeMap::new(),
            selected: BTreeMap::new(),
            fatal: None,
            last_failure: None,
            unanswered: BTreeMap::new(),
            repulses: 0,
            permitted: BTreeSet::new(),
            believed: VecDeque::new(),
            patience: Patience::Idle,
            remote_done: false,
        }
    }

    /// The peer's credentials came (RFC 8445 §5.3). Checks may go out from now on.
    pub(crate) fn set_remote(
        &mut self,
        shared: &mut Shared,
        credentials: Credentials,
        lite: bool,
    ) -> Result<(), ApiMisuse> {
        if !credentials.is_well_formed() {
            return Err(ApiMisuse::BadCredentials);
        }
        if let Some(known) = &self.remote {
            let same = known.credentials == credentials;
            return if same { Ok(()) } else { Err(ApiMisuse::CredentialsChanged) };
        }
        if lite && !shared.config.lite {
            shared.stance.control();
            self.reprioritise(shared.stance.role());
        }
        self.forget_strangers(&credentials.ufrag);
        self.remote = Some(Remote::new(credentials, lite, &self.local));
        self.accept_early_nominations(shared);
        self.patience = Patience::start(shared.now, &shared.config.checks);
        Ok(())
    }

    /// The peer told us of a candidate; early and late ones are as good as any.
    pub(crate) fn add_remote(
        &mut self,
        shared: &mut Shared,
        stream: StreamId,
        line: &CandidateLine,
    ) -> Taken {
        match self.try_add_remote(shared, stream, line) {
            Ok(taken) => taken,
            Err(why) => Taken::Ignored(why),
        }
    }

    fn try_add_remote(
        &mut self,
        shared: &mut Shared,
        stream: StreamId,
        line: &CandidateLine,
    ) -> Result<Taken, IgnoredReason> {
        let read = candidate::read(line)?;
        let component = ComponentId::new(stream, read.component);
        if !shared.has_component(component) {
            return Err(IgnoredReason::Component);
        }
        if !candidate::is_usable(read.address, shared.config.loopback) {
            return Err(IgnoredReason::Address);
        }
        let known = self.remote.as_ref().map(|remote| remote.credentials.ufrag.as_str());
        if matches!((&read.ufrag, known), (Some(theirs), Some(known)) if theirs != known) {
            return Err(IgnoredReason::Generation);
        }
        if self.remote_done {
            return Err(IgnoredReason::AfterEnd);
        }
        let limits = shared.config.limits;
        Ok(match self.remotes.signal(component, read, &mut shared.remote_ids, &limits)? {
            Signalled::New(id) => {
                self.pair_remote(shared, id);
                Taken::New(id)
            }
            Signalled::Promoted(id) => {
                self.promote(shared.stance.role(), id);
                Taken::Known(id)
            }
            Signalled::Known(id) => Taken::Known(id),
        })
    }

    /// The peer has no more candidates (RFC 8838 §14).
    pub(crate) fn end_of_remotes(&mut self) {
        self.remote_done = true;
    }

    /// A base of ours appeared: pair it with everything we know of the peer (RFC 8838 §10).
    pub(crate) fn pair_local(&mut self, shared: &mut Shared, via: Via) {
        let remotes: Vec<_> = self.remotes.iter().map(|remote| remote.candidate.id).collect();
        for remote in remotes {
            self.add_pair(shared, via, remote);
        }
        self.list.limit(shared.config.limits.pairs);
    }

    fn pair_remote(&mut self, shared: &mut Shared, remote: CandidateId) {
        let bases: Vec<_> = shared.locals.bases().map(|(via, _)| via).collect();
        for via in bases {
            self.add_pair(shared, via, remote);
        }
        self.list.limit(shared.config.limits.pairs);
    }

    pub(crate) fn add_pair(&mut self, shared: &mut Shared, via: Via, remote: CandidateId) -> Option<PairId> {
        let base = shared.locals.base(via).filter(|base| base.pairable).copied()?;
        let remote = self.remotes.get(remote)?;
        let id = shared.next_pair_id();
        let added = self.list.add(id, via, &base, remote, shared.stance.role())?;
        if let Via::Relay(relay) = via {
            shared.relay_orders.push(RelayOrder::Permit(relay, remote.candidate.address.ip()));
        }
        Some(added)
    }

    /// A learned candidate was signalled: its pairs take its priority and keep their state (RFC 8838 §11).
    fn promote(&mut self, role: Role, id: CandidateId) {
        let Some(foundation) = self.remotes.get(id).map(|remote| remote.foundation) else { return };
        for pair in self.list.iter_mut().filter(|pair| pair.remote == id) {
            pair.foundation.1 = foundation;
        }
        self.reprioritise(role);
    }

    /// The roles changed (RFC 8445 §7.2.5.1, §7.3.1.1).
    pub(crate) fn reprioritise(&mut self, role: Role) {
        let remotes = &self.remotes;
        self.list.reprioritise(role, |pair| remotes.get(pair.remote).map(|remote| remote.candidate.priority));
    }

    fn forget_strangers(&mut self, ufrag: &str) {
        for stranger in self.remotes.forget_strangers(ufrag) {
            self.remove_pairs_of(stranger);
        }
    }

    pub(crate) fn remove_pairs_of(&mut self, remote: CandidateId) {
        let pairs: Vec<_> =
            self.list.iter().filter(|pair| pair.remote == remote).map(|pair| pair.id).collect();
        for id in pairs {
            self.list.remove(id);
            self.checks.retain(|_, check| check.pair != id);
        }
    }

    /// The relay lets this peer through.
    pub(crate) fn handle_permitted(&mut self, relay: RelayId, peer: IpAddr) {
        self.permitted.insert((relay, peer));
    }

    /// The relay refuses this peer.
    pub(crate) fn handle_forbidden(&mut self, relay: RelayId, peer: IpAddr) {
        self.permitted.remove(&(relay, peer));
        self.fail_where(PairFailure::NotPermitted, |pair| {
            pair.via == Via::Relay(relay) && pair.to.ip() == peer
        });
    }

    /// A socket or relay of ours is gone, and every pair with it.
    pub(crate) fn handle_closed(&mut self, via: Via) {
        let selected =
            self.selected.values().any(|id| self.list.get(*id).is_some_and(|pair| pair.via == via));
        if selected {
            self.fatal = Some(StateReason::SocketClosed);
        }
        self.fail_where(PairFailure::SocketClosed, |pair| pair.via == via);
    }

    /// The network calls an address unreachable; believed only of pairs that never worked (RFC 8445
    /// §7.2.5.2.2).
    pub(crate) fn handle_unreachable(&mut self, via: Via, to: SocketAddr) {
        self.fail_where(PairFailure::Unreachable, |pair| {
            pair.via == via && pair.to == to && pair.is_in_progress() && !pair.heard
        });
    }

    fn fail_where(&mut self, why: PairFailure, mut condemned: impl FnMut(&Pair) -> bool) {
        for pair in self.list.iter_mut() {
            if condemned(pair) {
                pair.fail(why);
                self.last_failure = Some(why);
                self.checks.retain(|_, check| check.pair != pair.id);
            }
        }
    }

    /// What decides whether a pair can be checked at the moment.
    pub(crate) fn clearance(&self, shared: &Shared) -> Clearance<'_> {
        Clearance {
            selected: &self.selected,
            permitted: &self.permitted,
            unanswered: &self.unanswered,
            packets_to_silent: shared.config.limits.packets_to_silent,
        }
    }

    /// Whether what comes on a pair may be the peer's data: it works, or it is about to in all likelihood, for the
    /// peer told us of its address and has checked from there.
    pub(crate) fn may_carry_data(&self, id: PairId) -> bool {
        let Some(pair) = self.list.get(id) else { return false };
        let told = self.remotes.get(pair.remote).is_some_and(|remote| remote.origin.is_signalled());
        let settled = self.selected.contains_key(&pair.component);
        pair.valid().is_some() || self.is_selected(id) || (pair.heard && told && !settled)
    }

    /// The pair that carries data now: the selected one, else the best that works and is heard.
    pub(crate) fn active(&self, component: ComponentId) -> Option<&Pair> {
        let selected = self.selected.get(&component).and_then(|id| self.list.get(*id));
        selected.or_else(|| self.best_valid(component))
    }

    pub(crate) fn best_valid(&self, component: ComponentId) -> Option<&Pair> {
        self.list
            .iter()
            .filter(|pair| pair.component == component)
            .filter_map(|pair| pair.valid().map(|valid| (!valid.consent.is_silent(), pair.priority, pair)))
            .max_by_key(|(heard, priority, _)| (*heard, *priority))
            .map(|(_, _, pair)| pair)
    }

    /// Components that need a pair: the second and later ones only if the peer has them too.
    pub(crate) fn required(&self, shared: &Shared) -> Vec<ComponentId> {
        let offered = |component| self.remotes.iter().any(|remote| remote.candidate.component == component);
        shared
            .components()
            .filter(|component| component.number == 1 || !self.remote_done || offered(*component))
            .collect()
    }

    pub(crate) fn is_selected(&self, id: PairId) -> bool {
        self.selected.values().any(|selected| *selected == id)
    }

    /// Whether data can go anywhere.
    pub(crate) fn has_path(&self, shared: &Shared) -> bool {
        let mut pairs = shared.components().filter_map(|component| self.active(component));
        pairs.any(|pair| pair.valid().is_some())
    }

    /// Whether every required component has its nominated pair.
    pub(crate) fn is_complete(&self, shared: &Shared) -> bool {
        self.required(shared).iter().all(|component| self.selected.contains_key(component))
    }

    /// Whether nothing is left that could make it work (RFC 8445 §7.2.5.4, RFC 8838 §8, RFC 8863 §4).
    pub(crate) fn exhausted(&self, shared: &Shared, gathered: bool) -> Option<StateReason> {
        if !self.patience.is_over() || !gathered {
            return None;
        }
        let clearance = self.clearance(shared);
        let hopeful = |pair: &Pair| match pair.check {
            CheckState::Succeeded(_) | CheckState::InProgress(_) => true,
            CheckState::Frozen | CheckState::Waiting => clearance.allows(pair),
            CheckState::Failed(_) => false,
        };
        let hopeless = |component: &ComponentId| {
            !self.list.iter().any(|pair| pair.component == *component && hopeful(pair))
        };
        if !self.required(shared).iter().any(hopeless) {
            return None;
        }
        Some(self.last_failure.map_or(StateReason::NoPairs, StateReason::AllFailed))
    }

    /// Everything that is due at `now`, but for new checks, which wait for the pacer.
    pub(crate) fn handle_timeout(&mut self, shared: &mut Shared) {
        self.patience.handle_timeout(shared.now);
        self.handle_check_timeouts(shared);
        self.handle_consent_timeouts(shared);
        self.consider_nomination(shared);
    }

    /// When [`Self::handle_timeout`] has work next.
    pub(crate) fn deadline(&self, shared: &Shared) -> Option<(Instant, Why)> {
        let patience = self.patience.deadline().map(|at| (at, Why::Patience));
        let checks = self.checks.values().map(|check| (check.transaction.deadline(), Why::Retransmit));
        let consents = shared.components().filter_map(|component| self.active(component)?.valid());
        let consents = consents.map(|valid| (valid.consent.deadline(), Why::Consent));
        let nomination = self.nomination_deadline(shared).map(|at| (at, Why::Nomination));
        checks.chain(consents).chain(patience).chain(nomination).min()
    }
}

/// Decides whether a pair can be checked at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clearance<'s> {
    selected: &'s BTreeMap<ComponentId, PairId>,
    permitted: &'s BTreeSet<(RelayId, IpAddr)>,
    unanswered: &'s BTreeMap<IpAddr, u32>,
    packets_to_silent: u32,
}

impl Clearance<'_> {
    /// The way is open, the component still looks for a pair, and its address has not ignored us too long.
    pub(crate) fn allows(&self, pair: &Pair) -> bool {
        let open = match pair.via {
            Via::Socket(_) => true,
            Via::Relay(relay) => self.permitted.contains(&(relay, pair.to.ip())),
        };
        let wanted = pair.is_asked() || !self.selected.contains_key(&pair.component);
        open && wanted && self.has_budget(pair)
    }

    /// Whether one more packet may go to an address that may never have answered.
    pub(crate) fn has_budget(&self, pair: &Pair) -> bool {
        let spent = self.unanswered.get(&pair.to.ip()).copied().unwrap_or(0);
        pair.valid().is_some() || spent < self.packets_to_silent
    }
}
