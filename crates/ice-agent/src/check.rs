//! Asking: sends checks and judges their answers (RFC 8445 §7.2).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{
    ErrorCode, IceControlled, IceControlling, Priority, UseCandidate, Username, XorMappedAddress,
};
use floe_stun::{
    Authenticated, Builder, Class, Dropped, Fired, Instant, Message, Method, Schedule, Transaction,
    TransactionId,
};

use crate::config::{Profile, Role};
use crate::consent::{Consent, Due};
use crate::id::{ComponentId, PairId};
use crate::locals::Via;
use crate::outbox::Queued;
use crate::output::{PairFailure, StateReason};
use crate::pair::{CheckState, Nomination, Pair, Valid};
use crate::session::Session;
use crate::shared::Shared;

/// A check under way: what went out, so that it can go out again unchanged.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) pair: PairId,
    pub(crate) transaction: Transaction,
    role: Role,
    tie_breaker: u64,
    priority: u32,
    /// Whether it carries USE-CANDIDATE.
    nominating: bool,
    /// Whether its answer came, but from another address or to another socket.
    misdirected: bool,
}

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To find out whether the pair works.
    Connectivity,
    /// To ask whether we may go on sending; never sent twice (RFC 7675 §5.1).
    Consent,
}

impl Check {
    /// What it means that no answer came.
    const fn silence(&self) -> PairFailure {
        if self.misdirected { PairFailure::NotSymmetric } else { PairFailure::TimedOut }
    }
}

impl Session {
    /// Starts the next check of a pair that was not checked yet or is to be checked again (RFC 8445 §6.1.4.2).
    pub(crate) fn start_next_check(&mut self, shared: &mut Shared) -> bool {
        let next = if self.may_check(shared) { self.next_in_list(shared) } else { None };
        self.start_check(shared, next)
    }

    /// Repeats the best check whose answer is overdue (docs/deviations.md).
    pub(crate) fn repeat_check(&mut self, shared: &mut Shared) -> bool {
        let next = if self.may_check(shared) { self.next_repeat(shared) } else { None };
        self.start_check(shared, next)
    }

    fn start_check(&mut self, shared: &mut Shared, next: Option<PairId>) -> bool {
        if let Some(id) = next {
            self.send_check(shared, id, Purpose::Connectivity);
        }
        next.is_some()
    }

    fn next_in_list(&mut self, shared: &Shared) -> Option<PairId> {
        let mut list = core::mem::take(&mut self.list);
        let clearance = self.clearance(shared);
        let next = list.next(shared.streams(), |pair| clearance.allows(pair));
        self.list = list;
        next
    }

    /// When there is a check to start or to repeat, the pacer permitting.
    pub(crate) fn next_check_at(&self, shared: &Shared) -> Option<Instant> {
        if !self.may_check(shared) {
            return None;
        }
        let clearance = self.clearance(shared);
        if self.list.has_next(|pair| clearance.allows(pair)) {
            return Some(shared.now);
        }
        self.list.iter().filter_map(|pair| self.repeat_at(shared, pair)).min()
    }

    fn may_check(&self, shared: &Shared) -> bool {
        self.remote.is_some() && !shared.config.lite && self.fatal.is_none()
    }

    /// How many checks would like to start.
    pub(crate) fn crowd(&self) -> usize {
        self.list.iter().filter(|pair| pair.is_waiting()).count()
    }

    fn next_repeat(&self, shared: &Shared) -> Option<PairId> {
        self.list
            .iter()
            .filter(|pair| self.repeat_at(shared, pair).is_some_and(|at| at <= shared.now))
            .max_by_key(|pair| pair.priority)
            .map(|pair| pair.id)
    }

    fn repeat_at(&self, shared: &Shared, pair: &Pair) -> Option<Instant> {
        let round = pair.round()?;
        let spent = self.unanswered.get(&pair.to.ip()).copied().unwrap_or(0).max(round.tries);
        let doublings = spent.saturating_sub(QUICK_TRIES).div_ceil(TRIES_A_DOUBLING).min(8);
        let at = round.sent + REPEAT * 2_u32.pow(doublings);
        let in_time = at < round.since + shared.config.checks.total();
        let repeats = shared.config.profile == Profile::Default && in_time;
        (repeats && self.clearance(shared).allows(pair)).then_some(at)
    }

    fn send_check(&mut self, shared: &mut Shared, id: PairId, purpose: Purpose) {
        let rto = self.rto(shared);
        let peer_is_lite = self.remote.as_ref().is_some_and(|remote| remote.lite);
        let Some(pair) = self.list.get_mut(id) else { return };
        let Some(base) = shared.locals.base(pair.via) else { return };
        let nominating = shared.stance.is_controlling() && pair.is_asked();
        let reminding = shared.stance.is_controlling() && pair.nomination == Nomination::Done && peer_is_lite;
        let checks = shared.config.checks;
        let schedule = match (purpose, shared.config.profile) {
            (Purpose::Consent, _) => ONCE,
            (Purpose::Connectivity, Profile::Default) => {
                let since = pair.round().map_or(shared.now, |round| round.since);
                ONCE.with_rto((since + checks.total()) - shared.now).with_last_wait(1)
            }
            (Purpose::Connectivity, Profile::Rfc8445) => checks.with_rto(rto),
        };
        let transaction = Transaction::new(shared.chance.transaction_id(), shared.now, schedule);
        let check = Check {
            pair: id,
            role: shared.stance.role(),
            tie_breaker: shared.stance.tie_breaker(),
            priority: base.check_priority(),
            nominating: nominating || reminding,
            misdirected: false,
            transaction,
        };
        match purpose {
            Purpose::Connectivity => pair.note_check(shared.now, nominating),
            Purpose::Consent => pair.counters.consent_requests_sent += 1,
        }
        if pair.valid().is_none() {
            *self.unanswered.entry(pair.to.ip()).or_default() += 1;
        }
        let transaction = check.transaction.id();
        self.checks.insert(transaction, check);
        shared.queue(Queued::Check { generation: self.generation, id: transaction });
    }

    /// RFC 8445 §14.3, with one check a pair: never below 500 ms.
    fn rto(&self, shared: &Shared) -> Duration {
        let open = self.list.iter().filter(|pair| pair.is_waiting() || pair.is_in_progress()).count();
        let crowd = u32::try_from(open).unwrap_or(u32::MAX);
        shared.config.checks.rto.max(shared.config.pacing.saturating_mul(crowd))
    }

    /// Writes a check, the same bytes every time; none if it is not wanted any more.
    pub(crate) fn encode_check<'b>(
        &self,
        id: TransactionId,
        buf: &'b mut [u8],
    ) -> Option<(Via, SocketAddr, &'b [u8])> {
        let check = self.checks.get(&id)?;
        let (pair, remote) = (self.list.get(check.pair)?, self.remote.as_ref()?);
        let controlling = (check.role == Role::Controlling).then_some(IceControlling(check.tie_breaker));
        let controlled = (check.role == Role::Controlled).then_some(IceControlled(check.tie_breaker));
        let bytes = Builder::new(buf, Class::Request, Method::BINDING, id)
            .attribute(&Username(&remote.username))
            .attribute(&Priority(check.priority))
            .maybe(controlling.as_ref())
            .maybe(controlled.as_ref())
            .maybe(check.nominating.then_some(&UseCandidate))
            .integrity(&remote.key)
            .fingerprint()
            .finish()
            .ok()?;
        Some((pair.via, pair.to, bytes))
    }

    /// Judges an answer (RFC 8445 §7.2.5). Until the signature is checked it has no effect.
    pub(crate) fn handle_answer(
        &mut self,
        shared: &mut Shared,
        via: Via,
        from: SocketAddr,
        message: &Message<'_>,
    ) -> Result<(), Dropped> {
        let (Some(check), Some(remote)) = (self.checks.get_mut(&message.id()), &self.remote) else {
            return Err(Dropped::UnknownTransaction);
        };
        let message = message.verify(&remote.key).map_err(|_| Dropped::BadIntegrity)?;
        let Some(pair) = self.list.get_mut(check.pair) else { return Err(Dropped::UnknownTransaction) };
        if (pair.via, pair.to) != (via, from) {
            // Perhaps a copy: the true answer may still come (docs/deviations.md).
            check.misdirected = true;
            return Err(Dropped::WrongSource);
        }
        let Some(check) = self.checks.remove(&message.id()) else { return Err(Dropped::UnknownTransaction) };
        pair.note_answer(check.transaction.rtt(shared.now));
        self.unanswered.remove(&pair.to.ip());
        if message.class() == Class::Error {
            self.handle_error(shared, &check, &message);
        } else {
            self.handle_success(shared, &check, &message);
        }
        Ok(())
    }

    fn handle_success(&mut self, shared: &mut Shared, check: &Check, message: &Authenticated<Message<'_>>) {
        let usable = message.unknown_required().next().is_none();
        let mapped = message.find::<XorMappedAddress>().filter(|_| usable);
        let Some(XorMappedAddress(mapped)) = mapped else {
            return self.fail_check(shared, check, PairFailure::BadAnswer);
        };
        let Some(pair) = self.list.get_mut(check.pair) else { return };
        let (via, foundation) = (pair.via, pair.foundation);
        match pair.valid_mut() {
            Some(valid) => valid.consent.handle_answer(shared.now, &mut shared.chance),
            None => {
                let most = shared.config.limits.local_candidates;
                let proven = shared.locals.proven(via, canonical(mapped), check.priority, most);
                let Some(local) = proven else { return };
                let consent = Consent::granted(shared.now, &mut shared.chance);
                pair.check = CheckState::Succeeded(Valid { local, since: shared.now, consent });
                self.list.thaw(foundation);
            }
        }
        self.handle_proof(shared, check.pair, check.nominating);
    }

    fn handle_error(&mut self, shared: &mut Shared, check: &Check, message: &Authenticated<Message<'_>>) {
        let code = message.find::<ErrorCode<'_>>().map_or(0, |error| error.code);
        match code {
            ROLE_CONFLICT => self.handle_role_conflict(shared, check),
            FORBIDDEN if self.list.get(check.pair).is_some_and(|pair| pair.valid().is_some()) => {
                self.lose(check.pair, PairFailure::Refused(code), StateReason::ConsentRevoked);
            }
            _ => self.fail_check(shared, check, PairFailure::Refused(code)),
        }
    }

    /// RFC 8445 §7.2.5.1: change the role unless that was done already, and check again.
    /// A peer that finds a conflict whatever we are is given up.
    fn handle_role_conflict(&mut self, shared: &mut Shared, check: &Check) {
        if self.repulses >= MAX_REPULSES {
            return self.fail_check(shared, check, PairFailure::Refused(ROLE_CONFLICT));
        }
        if shared.stance.repulsed(check.role, &mut shared.chance) {
            self.repulses += 1;
            self.handle_role_change(shared);
        }
        if let Some(pair) = self.list.get_mut(check.pair) {
            if pair.valid().is_none() {
                pair.check = CheckState::Waiting;
            }
            self.list.trigger(check.pair);
        }
    }

    /// A check ended without success. Silence matters only if nothing else is under way for its pair; what the
    /// peer says is final.
    fn fail_check(&mut self, shared: &Shared, check: &Check, why: PairFailure) {
        let silent = matches!(why, PairFailure::TimedOut | PairFailure::NotSymmetric);
        let pending = silent && self.checks.values().any(|other| other.pair == check.pair);
        let triggered = self.list.is_triggered(check.pair);
        let Some(pair) = self.list.get_mut(check.pair) else { return };
        let declined = check.nominating && matches!(pair.nomination, Nomination::Asking(_));
        if (declined || pair.is_in_progress()) && !pending && !triggered {
            pair.fail(why);
            self.last_failure = Some(why);
            self.consider_nomination(shared);
        }
    }

    /// Cancels what is under way for a pair: no retransmission, yet an answer is welcome (RFC 8445 §7.3.1.4).
    pub(crate) fn cancel_checks(&mut self, id: PairId) {
        for check in self.checks.values_mut().filter(|check| check.pair == id) {
            check.transaction.stop_retransmitting();
        }
    }

    /// The component has its pair: what is under way for others is not repeated (RFC 8445 §8.1.2).
    pub(crate) fn cancel_rivals(&mut self, component: ComponentId, chosen: PairId) {
        let list = &self.list;
        for check in self.checks.values_mut() {
            if check.pair != chosen && list.get(check.pair).is_some_and(|pair| pair.component == component) {
                check.transaction.stop_retransmitting();
            }
        }
    }

    pub(crate) fn handle_check_timeouts(&mut self, shared: &mut Shared) {
        while let Some(id) = self.due_check(shared.now) {
            let Some(check) = self.checks.get_mut(&id) else { return };
            match check.transaction.handle_timeout(shared.now) {
                Some(Fired::Resend) => self.resend(shared, id),
                None => {}
                Some(Fired::TimedOut) => {
                    if let Some(check) = self.checks.remove(&id) {
                        self.fail_check(shared, &check, check.silence());
                    }
                }
            }
        }
    }

    fn due_check(&self, now: Instant) -> Option<TransactionId> {
        self.checks.iter().find(|(_, check)| check.transaction.deadline() <= now).map(|(id, _)| *id)
    }

    fn resend(&mut self, shared: &mut Shared, id: TransactionId) {
        let Some(pair) = self.checks.get(&id).and_then(|check| self.list.get(check.pair)) else { return };
        if !self.clearance(shared).has_budget(pair) {
            return;
        }
        let Some(pair) = self.list.get_mut(pair.id) else { return };
        pair.counters.retransmissions_sent += 1;
        if pair.valid().is_none() {
            *self.unanswered.entry(pair.to.ip()).or_default() += 1;
        }
        shared.queue(Queued::Check { generation: self.generation, id });
    }

    /// Asks for consent on the pairs that carry data (RFC 7675). Where one is lost, the next takes its place and is
    /// looked at too.
    pub(crate) fn handle_consent_timeouts(&mut self, shared: &mut Shared) {
        let components: Vec<_> = shared.components().collect();
        for component in components {
            while let Some(id) = self.active(component).map(|pair| pair.id)
                && let Some(due) = self.consent_due(shared, id)
            {
                match due {
                    // A lite agent only answers (RFC 7675 §1).
                    Due::Ask if shared.config.lite => {}
                    Due::Ask => self.send_check(shared, id, Purpose::Consent),
                    Due::Silent => self.drop_nominee(shared, id),
                    Due::Expired => self.lose(id, PairFailure::TimedOut, StateReason::ConsentExpired),
                }
            }
        }
    }

    fn consent_due(&mut self, shared: &mut Shared, id: PairId) -> Option<Due> {
        let valid = self.list.get_mut(id)?.valid_mut()?;
        valid.consent.handle_timeout(shared.now, &mut shared.chance)
    }

    /// A pair that worked may not be sent on any more; its outstanding requests are forgotten (RFC 7675 §5.1).
    fn lose(&mut self, id: PairId, why: PairFailure, reason: StateReason) {
        self.checks.retain(|_, check| check.pair != id);
        if let Some(pair) = self.list.get_mut(id) {
            pair.fail(why);
        }
        if self.is_selected(id) {
            self.fatal = Some(reason);
        }
        self.last_failure = Some(why);
    }
}

impl Pair {
    fn note_answer(&mut self, rtt: Option<Duration>) {
        self.counters.responses_received += 1;
        if let Some(rtt) = rtt {
            self.counters.current_rtt = Some(rtt);
            self.counters.total_rtt += rtt;
        }
    }
}

/// Without v4-mapped disguise, so that one address has one form.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(IpAddr::to_canonical(&address.ip()), address.port())
}

/// A request that is never sent twice and may be answered for as long as consent lasts.
const ONCE: Schedule = Schedule::DEFAULT.with_sends(1).with_last_wait(60);

const ROLE_CONFLICT: u16 = 487;

/// As often as the role changes for a 487 in one generation; an honest conflict needs one.
const MAX_REPULSES: u8 = 8;
const FORBIDDEN: u16 = 403;

/// How soon an unanswered check is repeated as a new transaction.
const REPEAT: Duration = Duration::from_millis(100);

/// How often at that pace to one address that never answered, before the wait doubles.
const QUICK_TRIES: u32 = 20;

/// How often at each slower pace, so that what an address may cost lasts until patience ends.
const TRIES_A_DOUBLING: u32 = 5;
