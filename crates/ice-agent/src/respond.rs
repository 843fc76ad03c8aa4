//! Answering: judges a check of the peer, answers it, and learns from it (RFC 8445 §7.3).

use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::attribute::{
    ErrorCode, Priority, TransmitCounter, UnknownAttributes, UseCandidate, Username, XorMappedAddress,
};
use floe_stun::{
    Authenticated, Builder, Class, Dropped, EncodeError, Integrity, Message, Method, TransactionId,
};

use crate::consent::Consent;
use crate::id::PairId;
use crate::locals::Via;
use crate::outbox::{Answer, Queued, Verdict};
use crate::output::Event;
use crate::pair::{CheckState, Nomination, Valid};
use crate::remotes::Remotes;
use crate::role::{Claim, Conflict};
use crate::session::Session;
use crate::shared::Shared;

impl Session {
    /// A check whose signature is right came over `via`. Whatever it is, it gets one answer.
    pub(crate) fn handle_check(
        &mut self,
        shared: &mut Shared,
        via: Via,
        from: SocketAddr,
        check: &Authenticated<Message<'_>>,
    ) -> Result<(), Dropped> {
        if self.is_copy(via, from, check.id()) {
            return Err(Dropped::WrongSource);
        }
        let verdict = self.judge(shared, via, from, check)?;
        if matches!(verdict, Verdict::Success) {
            self.believe(via, from, check.id());
        }
        let counter = check.find().map(TransmitCounter::echo);
        let (generation, id, by) = (self.generation, check.id(), check.by());
        let answer = Answer { generation, via, to: from, id, by, counter, verdict };
        shared.queue(Queued::Answer(answer));
        if let Some(pair) = self.list.find(via, from).and_then(|id| self.list.get_mut(id)) {
            pair.counters.requests_received += 1;
            pair.counters.responses_sent += 1;
        }
        Ok(())
    }

    /// A check says nothing about where it comes from, so that a copy sent from elsewhere would pass as the peer's.
    /// What was believed lately is believed from there only.
    fn is_copy(&self, via: Via, from: SocketAddr, id: TransactionId) -> bool {
        let known = self.believed.iter().find(|(known, ..)| *known == id);
        known.is_some_and(|(_, known_via, known_from)| (*known_via, *known_from) != (via, from))
    }

    fn believe(&mut self, via: Via, from: SocketAddr, id: TransactionId) {
        if self.believed.iter().any(|(known, ..)| *known == id) {
            return;
        }
        if self.believed.len() >= MAX_BELIEVED {
            self.believed.pop_front();
        }
        self.believed.push_back((id, via, from));
    }

    fn judge(
        &mut self,
        shared: &mut Shared,
        via: Via,
        from: SocketAddr,
        check: &Authenticated<Message<'_>>,
    ) -> Result<Verdict, Dropped> {
        let unknown: Vec<u16> = check.unknown_required().take(MAX_UNKNOWN).collect();
        if !unknown.is_empty() {
            return Ok(Verdict::UnknownAttributes(unknown));
        }
        let (priority, controlling, controlled, name, nominates) = check.find_all();
        let (Some(Priority(priority)), Ok(claim)) = (priority, Claim::of(controlling, controlled)) else {
            return Ok(Verdict::Error(ErrorCode::BAD_REQUEST));
        };
        match claim.map_or(Conflict::None, |claim| shared.stance.meet(claim, shared.config.lite)) {
            Conflict::Refuse => return Ok(Verdict::Error(ErrorCode::ROLE_CONFLICT)),
            Conflict::Yielded => self.handle_role_change(shared),
            Conflict::None => {}
        }
        let ufrag = match name {
            Some(Username(name)) => name.split_once(':').map_or("", |(_, theirs)| theirs),
            None => "",
        };
        let pair = self.learn(shared, via, from, priority, ufrag).ok_or(Dropped::LimitReached)?;
        let nominates: Option<Result<UseCandidate, _>> = nominates;
        self.handle_heard(shared, pair, nominates.is_some());
        Ok(Verdict::Success)
    }

    /// The role changed, by a conflict or a 487.
    pub(crate) fn handle_role_change(&mut self, shared: &mut Shared) {
        let role = shared.stance.role();
        self.reprioritise(role);
        for pair in self.list.iter_mut().filter(|pair| pair.is_asked()) {
            pair.nomination = Nomination::None;
        }
        shared.report(Event::Role(role));
    }

    /// The pair that the check came on; its remote candidate and itself are learned if need be (§7.3.1.3,
    /// §7.3.1.4).
    fn learn(
        &mut self,
        shared: &mut Shared,
        via: Via,
        from: SocketAddr,
        priority: u32,
        ufrag: &str,
    ) -> Option<PairId> {
        if let Some(id) = self.list.find(via, from) {
            return Some(id);
        }
        let component = shared.locals.base(via)?.component;
        let limits = shared.config.limits;
        let mut learn = |remotes: &mut Remotes| {
            remotes.learn(component, from, priority, ufrag, &mut shared.remote_ids, &limits)
        };
        let remote = match learn(&mut self.remotes) {
            Some(remote) => remote,
            None => {
                self.forget_least_learned();
                learn(&mut self.remotes)?
            }
        };
        self.list.limit(limits.pairs.saturating_sub(1));
        if self.list.len() < limits.pairs { self.add_pair(shared, via, remote) } else { None }
    }

    /// Makes room for one more learned candidate: the oldest goes that leads nowhere so far.
    fn forget_least_learned(&mut self) {
        let leads = |id| {
            self.list.iter().any(|pair| {
                pair.remote == id && (pair.valid().is_some() || pair.nomination != Nomination::None)
            })
        };
        let least = self.remotes.learned().map(|remote| remote.candidate.id).find(|id| !leads(*id));
        if let Some(id) = least {
            self.remotes.remove(id);
            self.remove_pairs_of(id);
        }
    }

    /// An authenticated check came on a pair: check it too, soon (§7.3.1.4), and note a nomination (§7.3.1.5).
    fn handle_heard(&mut self, shared: &mut Shared, id: PairId, use_candidate: bool) {
        let nominated = use_candidate && !shared.stance.is_controlling();
        let (outranked, concluded) = (self.is_outranked(id), self.is_concluded(id));
        let Some(pair) = self.list.get_mut(id) else { return };
        pair.heard = true;
        if let Some(valid) = pair.valid_mut() {
            valid.consent.handle_sound(shared.now);
        }
        let wanted = nominated && !outranked && !pair.is_asked();
        if shared.config.lite {
            return self.accept_as_lite(shared, id, wanted);
        }
        if wanted {
            pair.nomination = Nomination::Asked;
        }
        match pair.valid().map(|valid| valid.consent.is_fresh(shared.now)) {
            Some(true) if wanted => self.nominate(shared, id),
            Some(fresh) if fresh || !wanted => {}
            // A check in the data phase is answered and changes nothing (RFC 8445 §11).
            None if concluded && !wanted => {}
            // Also a pair that worked once and has been out of use since: consent is to be asked for again.
            _ => {
                pair.check = CheckState::Waiting;
                self.cancel_checks(id);
                self.list.trigger(id);
            }
        }
    }

    fn is_concluded(&self, id: PairId) -> bool {
        self.list.get(id).is_none_or(|pair| self.selected.contains_key(&pair.component))
    }

    /// Whether the component has this very pair selected, or a better one that is still heard.
    pub(crate) fn is_outranked(&self, id: PairId) -> bool {
        let Some(pair) = self.list.get(id) else { return true };
        let selected = self.selected.get(&pair.component).and_then(|selected| self.list.get(*selected));
        selected.is_some_and(|selected| {
            let holds = |valid: &Valid| selected.priority >= pair.priority && !valid.consent.is_silent();
            selected.valid().is_some_and(|valid| selected.id == id || holds(valid))
        })
    }

    /// A lite agent believes the peer's check (RFC 8445 §7.3.2).
    fn accept_as_lite(&mut self, shared: &mut Shared, id: PairId, wanted: bool) {
        let Some(pair) = self.list.get_mut(id) else { return };
        match pair.valid_mut() {
            Some(valid) => {
                valid.consent.handle_answer(shared.now, &mut shared.chance);
            }
            None => {
                let consent = Consent::granted(shared.now, &mut shared.chance);
                pair.check = CheckState::Succeeded(Valid { local: pair.local, since: shared.now, consent });
            }
        }
        if wanted {
            pair.nomination = Nomination::Asked;
            self.accept_early_nominations(shared);
        }
    }

    /// What a lite agent was asked to use counts once it knows who its peer is.
    pub(crate) fn accept_early_nominations(&mut self, shared: &mut Shared) {
        if !shared.config.lite || self.remote.is_none() {
            return;
        }
        let asked: Vec<_> = self.list.iter().filter(|pair| pair.is_asked()).map(|pair| pair.id).collect();
        for id in asked {
            self.nominate(shared, id);
        }
    }

    /// Writes an answer, signed with our password and without USERNAME (RFC 8445 §7.2.2).
    pub(crate) fn encode_answer<'b>(
        &self,
        answer: &Answer,
        buf: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let class = if matches!(answer.verdict, Verdict::Success) { Class::Success } else { Class::Error };
        let builder = Builder::new(buf, class, Method::BINDING, answer.id);
        let builder = match &answer.verdict {
            Verdict::Success => builder.attribute(&XorMappedAddress(answer.to)),
            Verdict::Error(code) => builder.attribute(code),
            Verdict::UnknownAttributes(types) => {
                builder.attribute(&ErrorCode::UNKNOWN_ATTRIBUTE).attribute(&UnknownAttributes::new(types))
            }
        };
        let builder = builder.maybe(answer.counter.as_ref());
        match answer.by {
            Integrity::Sha1 => builder.integrity(&self.local.key).fingerprint().finish(),
            Integrity::Sha256 => builder.integrity_sha256(&self.local.key).fingerprint().finish(),
        }
    }
}

/// As many checks of the peer as are remembered.
const MAX_BELIEVED: usize = 64;

/// As many unknown attributes as an answer complains of.
const MAX_UNKNOWN: usize = 16;
