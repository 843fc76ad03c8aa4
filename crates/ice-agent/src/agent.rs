//! The agent: its two doors, and the wiring behind them. It decides nothing.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;

use floe_sdp::CandidateLine;
use floe_stun::{
    Builder, Class, Icmp, Input, Instant, MAX_TRANSMIT, Machine, Method, Need, Output, Received, SendPlan,
    SocketId, Transmit, Why,
};

use crate::candidate;
use crate::config::{Config, Role, TransportPolicy};
use crate::credentials::Credentials;
use crate::error::{ApiMisuse, SendError, Taken};
use crate::gather::{Found, Gatherer};
use crate::id::{ComponentId, StreamId};
use crate::locals::Via;
use crate::outbox::Queued;
use crate::output::{
    ConnectionState, Data, Event, GatheringState, SelectedPair, SelectedReason, StateReason,
};
use crate::pacing::Pacer;
use crate::policy::{DefaultPolicy, Policy};
use crate::session::Session;
use crate::shared::Shared;
use crate::state::Facts;
use crate::stats::{PairStats, Stats};

/// One ICE agent (RFC 8445): a value behind two doors. The crate's front page tells the model.
#[derive(Debug)]
pub struct IceAgent {
    pub(crate) shared: Shared,
    pub(crate) gatherer: Gatherer,
    pub(crate) session: Session,
    /// The generation before a restart, until the new one has selected (RFC 8445 §9).
    pub(crate) previous: Option<Session>,
    /// When the previous generation is forgotten: packets may still be on their way to it (RFC 8445 §8.3.1).
    retire_at: Option<Instant>,
    sockets: BTreeMap<SocketId, Socket>,
    pacer: Pacer,
    state: ConnectionState,
    closed: bool,
}

/// A socket of the host.
#[derive(Clone, Copy, Debug)]
struct Socket {
    component: ComponentId,
    address: SocketAddr,
}

impl IceAgent {
    /// An agent that does nothing yet. Draw `seed` from the operating system, and never twice outside of tests.
    #[must_use]
    pub fn new(now: Instant, config: Config, seed: [u8; 32]) -> Self {
        Self::with_policy(now, config, seed, Box::new(DefaultPolicy))
    }

    /// The same with another way to decide when to nominate.
    #[must_use]
    pub fn with_policy(now: Instant, config: Config, seed: [u8; 32], policy: Box<dyn Policy>) -> Self {
        let mut shared = Shared::new(now, config, seed, policy);
        Self {
            session: Session::new(0, &mut shared),
            previous: None,
            retire_at: None,
            gatherer: Gatherer::default(),
            sockets: BTreeMap::new(),
            pacer: Pacer::new(shared.config.pacing, shared.config.profile),
            state: ConnectionState::New,
            closed: false,
            shared,
        }
    }

    /// The host has bound this UDP socket for a component: one base of candidates. May also be called after
    /// [`Self::gather`], as when an interface appears.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::SocketKnown`], [`ApiMisuse::NoSuchComponent`], [`ApiMisuse::BadAddress`] for an address that
    /// cannot be a candidate, [`ApiMisuse::TooMany`], [`ApiMisuse::Closed`].
    pub fn add_socket(
        &mut self,
        now: Instant,
        component: ComponentId,
        socket: SocketId,
        local: SocketAddr,
    ) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.check_open()?;
        if !self.shared.has_component(component) {
            return Err(ApiMisuse::NoSuchComponent);
        }
        if !candidate::is_usable(local, self.shared.config.loopback) {
            return Err(ApiMisuse::BadAddress);
        }
        if self.sockets.contains_key(&socket) {
            return Err(ApiMisuse::SocketKnown);
        }
        if self.sockets.len() >= self.shared.config.limits.local_candidates {
            return Err(ApiMisuse::TooMany);
        }
        let rank = self.sockets.values().filter(|known| known.component == component).count();
        self.sockets.insert(socket, Socket { component, address: local });
        if self.gatherer.is_started() {
            self.introduce(socket, u16::try_from(rank).unwrap_or(u16::MAX));
            self.gatherer.handle_new_base(&self.shared, socket);
            self.advance();
        }
        Ok(())
    }

    /// All sockets known so far are given: make candidates of them and ask the servers.
    pub fn gather(&mut self, now: Instant) {
        self.tick(now);
        if self.closed || self.gatherer.is_started() {
            return;
        }
        self.gatherer.open(&mut self.shared);
        for (socket, rank) in self.ranked_sockets() {
            self.introduce(socket, rank);
        }
        self.gatherer.ask_servers(&mut self.shared);
        self.advance();
    }

    /// What the peer must know to check us; new after a restart.
    #[must_use]
    pub const fn local_credentials(&self) -> &Credentials {
        &self.session.local.credentials
    }

    /// Whether this is a lite agent, which the peer must be told (RFC 8839 §5.3).
    #[must_use]
    pub const fn is_lite(&self) -> bool {
        self.shared.config.lite
    }

    /// The peer's credentials came. `lite`: it said that it is a lite agent.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::BadCredentials`], [`ApiMisuse::CredentialsChanged`] without a restart of ours,
    /// [`ApiMisuse::Closed`].
    pub fn set_remote_credentials(
        &mut self,
        now: Instant,
        credentials: Credentials,
        lite: bool,
    ) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.check_open()?;
        self.session.set_remote(&mut self.shared, credentials, lite)?;
        self.advance();
        Ok(())
    }

    /// The peer told us of a candidate. May come before its credentials, and long after.
    pub fn add_remote_candidate(&mut self, now: Instant, stream: StreamId, line: &CandidateLine) -> Taken {
        self.tick(now);
        if self.closed {
            return Taken::Ignored(crate::IgnoredReason::Closed);
        }
        let taken = self.session.add_remote(&mut self.shared, stream, line);
        self.advance();
        taken
    }

    /// The peer has no more candidates in this generation (RFC 8838 §14).
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        self.tick(now);
        self.session.end_of_remotes();
        self.advance();
    }

    /// Restarts ICE (RFC 8445 §9): new credentials, which the peer must be told together with the candidates that
    /// come as events again. Data goes on over the old path until the new generation has its own.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::Closed`].
    pub fn restart(&mut self, now: Instant) -> Result<&Credentials, ApiMisuse> {
        self.tick(now);
        self.check_open()?;
        let next = Session::new(self.session.generation.wrapping_add(1), &mut self.shared);
        let old = core::mem::replace(&mut self.session, next);
        if self.previous.is_none() || old.has_path(&self.shared) {
            self.previous = Some(old);
            self.retire_at = None;
        }
        let known = self.shared.locals.candidates().filter(|candidate| self.shared.may_tell(candidate));
        for candidate in known.cloned().collect::<Vec<_>>() {
            self.shared.report(Event::Candidate(candidate));
        }
        if self.gatherer.is_started() {
            self.gatherer.restart(&mut self.shared);
        }
        self.advance();
        Ok(self.local_credentials())
    }

    /// How `len` bytes of application data go to the peer now: from which socket, where to, behind which header.
    ///
    /// Costs no allocation and queues nothing. Counted as sent.
    ///
    /// # Errors
    ///
    /// [`SendError`] says why data cannot go at the moment.
    pub fn send_plan(
        &mut self,
        now: Instant,
        component: ComponentId,
        len: usize,
    ) -> Result<SendPlan, SendError> {
        self.tick(now);
        if self.closed {
            return Err(SendError::Closed);
        }
        let now = self.shared.now;
        let Some(session) = self.carrier(component) else { return Err(SendError::NotConnected) };
        let pair = session.active(component).ok_or(SendError::NotConnected)?;
        if !pair.valid().is_some_and(|valid| valid.consent.is_fresh(now)) {
            return Err(SendError::NoConsent);
        }
        let (id, via, to) = (pair.id, pair.via, pair.to);
        let plan = self.plan(via, to, len).ok_or(SendError::TooLong)?;
        self.shared.totals.packets_sent += 1;
        self.shared.totals.bytes_sent += len as u64;
        for session in core::iter::once(&mut self.session).chain(self.previous.as_mut()) {
            if let Some(pair) = session.list.get_mut(id) {
                pair.note_data_sent(now, len);
            }
        }
        Ok(plan)
    }

    /// Our role at the moment; a conflict may change it.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.shared.stance.role()
    }

    /// The state of the connection.
    #[must_use]
    pub const fn state(&self) -> ConnectionState {
        self.state
    }

    /// How far gathering is.
    #[must_use]
    pub const fn gathering_state(&self) -> GatheringState {
        self.gatherer.state()
    }

    /// The pair that carries a component's data at the moment: the nominated one, or before that the best that works.
    #[must_use]
    pub fn current_pair(&self, component: ComponentId) -> Option<SelectedPair> {
        let session = self.carrier(component)?;
        let id = session.active(component)?.id;
        let nominated = session.selected.get(&component) == Some(&id);
        let why = if nominated { SelectedReason::Nominated } else { SelectedReason::BestSoFar };
        session.describe(&self.shared, id, why)
    }

    /// The pair that was nominated for a component, in this generation or the one before.
    #[must_use]
    pub fn selected_pair(&self, component: ComponentId) -> Option<SelectedPair> {
        let session = self.carrier(component)?;
        let id = *session.selected.get(&component)?;
        session.describe(&self.shared, id, SelectedReason::Nominated)
    }

    /// Everything there is to count.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut pairs: Vec<_> = self.session.list.iter().map(PairStats::from).collect();
        pairs.sort_by_key(|pair| core::cmp::Reverse(pair.priority));
        let mut transport = self.shared.totals;
        transport.role = Some(self.role());
        transport.state = self.state;
        transport.selected_pair = self.session.selected.get(&ComponentId::FIRST).copied();
        Stats {
            transport,
            pairs,
            local_candidates: self.shared.locals.candidates().cloned().collect(),
            remote_candidates: self.session.remotes.iter().map(|remote| remote.candidate.clone()).collect(),
            drops: self.shared.drops,
        }
    }

    /// Gives allocations back and ends. Drain the outputs until [`Output::Idle`]; nothing is sent after that.
    pub fn close(&mut self, now: Instant) {
        self.tick(now);
        if self.closed {
            return;
        }
        self.closed = true;
        self.gatherer.relays.release_all(&mut self.shared);
        self.update_state();
    }

    pub(crate) fn owns(&self, socket: SocketId) -> bool {
        self.sockets.contains_key(&socket)
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    const fn check_open(&self) -> Result<(), ApiMisuse> {
        if self.closed { Err(ApiMisuse::Closed) } else { Ok(()) }
    }

    /// A clock that goes back stands still.
    fn tick(&mut self, now: Instant) {
        self.shared.now = self.shared.now.max(now);
    }

    /// IPv6 and IPv4 in turn, IPv6 first, so that neither starves the other (RFC 8421 §4).
    fn ranked_sockets(&self) -> Vec<(SocketId, u16)> {
        let mut seen: BTreeMap<(ComponentId, bool), u16> = BTreeMap::new();
        let mut order: Vec<_> = self
            .sockets
            .iter()
            .map(|(id, socket)| {
                let nth = seen.entry((socket.component, socket.address.is_ipv4())).or_default();
                *nth += 1;
                (socket.component, *nth, socket.address.is_ipv4(), *id)
            })
            .collect();
        order.sort_unstable();
        let mut ranks: BTreeMap<ComponentId, u16> = BTreeMap::new();
        let mut rank = |component| {
            let next = ranks.entry(component).or_default();
            *next += 1;
            *next - 1
        };
        order.into_iter().map(|(component, _, _, id)| (id, rank(component))).collect()
    }

    /// A socket becomes a base and, where it may be told, a host candidate.
    fn introduce(&mut self, socket: SocketId, rank: u16) {
        let Some(&Socket { component, address }) = self.sockets.get(&socket) else { return };
        let open = self.shared.config.policy == TransportPolicy::All;
        let id = self.shared.locals.add_host(socket, component, address, rank, open);
        if open && let Some(candidate) = self.shared.locals.get(id).cloned() {
            self.shared.report(Event::Candidate(candidate));
        }
        self.session.pair_local(&mut self.shared, Via::Socket(socket));
    }

    fn handle(&mut self, input: Input<'_>) -> bool {
        match input {
            Input::Resolved { request, addresses } => {
                self.gatherer.handle_resolved(&mut self.shared, request, Ok(addresses))
            }
            Input::Failed { request, why } => {
                self.gatherer.handle_resolved(&mut self.shared, request, Err(why))
            }
            Input::Closed { socket } if self.owns(socket) => {
                self.handle_closed(socket);
                true
            }
            Input::Icmp { socket, to, what } if self.owns(socket) => {
                self.gatherer.relays.handle_trouble(&mut self.shared, input);
                if what == Icmp::Unreachable {
                    self.gatherer.handle_unreachable(&mut self.shared, socket, to);
                    self.session.handle_unreachable(Via::Socket(socket), to);
                }
                true
            }
            Input::Timeout => true,
            _ => false,
        }
    }

    fn handle_closed(&mut self, socket: SocketId) {
        self.gatherer.handle_closed(&mut self.shared, socket);
        self.gatherer.relays.handle_trouble(&mut self.shared, Input::Closed { socket });
        self.shared.locals.remove(Via::Socket(socket));
        for session in core::iter::once(&mut self.session).chain(self.previous.as_mut()) {
            session.handle_closed(Via::Socket(socket));
        }
        self.sockets.remove(&socket);
    }

    /// Everything that follows from what just happened, up to what has to wait.
    fn advance(&mut self) {
        if self.closed {
            self.gatherer.relays.handle_timeout(&mut self.shared);
            return;
        }
        let searching = !self.session.is_complete(&self.shared);
        self.gatherer.handle_timeout(&mut self.shared, searching);
        self.hear_gatherer();
        for session in core::iter::once(&mut self.session).chain(self.previous.as_mut()) {
            session.handle_timeout(&mut self.shared);
        }
        self.instruct_relays();
        self.start_transactions();
        self.update_state();
    }

    /// What was found is paired, what was permitted is used, what was lost is given up.
    fn hear_gatherer(&mut self) {
        for found in self.gatherer.take_found() {
            if let Found::Base(via) = found {
                self.session.pair_local(&mut self.shared, via);
            }
            for session in core::iter::once(&mut self.session).chain(self.previous.as_mut()) {
                match found {
                    Found::Base(_) => {}
                    Found::Permitted(relay, peer) => session.handle_permitted(relay, peer),
                    Found::Forbidden(relay, peer) => session.handle_forbidden(relay, peer),
                    Found::Lost(via) => session.handle_closed(via),
                }
            }
        }
    }

    fn instruct_relays(&mut self) {
        for order in core::mem::take(&mut self.shared.relay_orders) {
            self.gatherer.relays.obey(&mut self.shared, order);
        }
        self.gatherer.handle_relays(&mut self.shared);
        self.hear_gatherer();
    }

    /// At most one new transaction each Ta: a check, a question to a server, a check repeated.
    fn start_transactions(&mut self) {
        while self.pacer.is_ready(self.shared.now) {
            let started = self.session.start_next_check(&mut self.shared)
                || self.gatherer.start_next(&mut self.shared)
                || self.session.repeat_check(&mut self.shared);
            if !started {
                return;
            }
            self.pacer.take(self.shared.now, self.session.crowd());
            self.instruct_relays();
        }
    }

    fn update_state(&mut self) {
        let (state, why) = self.facts().state();
        self.retire_previous(state);
        if state != self.state {
            let works = matches!(state, ConnectionState::Connected | ConnectionState::Completed);
            let healed = works && self.state == ConnectionState::Disconnected;
            self.state = state;
            let why = if healed { StateReason::Heard } else { why };
            self.shared.report(Event::State { state, why });
            if matches!(state, ConnectionState::Disconnected | ConnectionState::Failed) {
                self.gatherer.relays.check_all(&mut self.shared);
            }
        }
    }

    /// The new generation works, and what was on its way to the old one has had time to arrive.
    fn retire_previous(&mut self, state: ConnectionState) {
        let now = self.shared.now;
        match self.retire_at {
            Some(at) if at <= now => (self.previous, self.retire_at) = (None, None),
            None if self.previous.is_some() && state == ConnectionState::Completed => {
                self.retire_at = Some(now + RETIRE_AFTER);
            }
            Some(_) | None => {}
        }
    }

    fn facts(&self) -> Facts {
        let (session, shared) = (&self.session, &self.shared);
        let required = session.required(shared);
        let active = || required.iter().filter_map(|component| session.active(*component)?.valid());
        Facts {
            closed: self.closed,
            remote_known: session.remote.is_some(),
            doomed: session.fatal.or_else(|| session.exhausted(shared, self.gatherer.is_complete())),
            usable: !required.is_empty() && active().count() == required.len(),
            complete: session.is_complete(shared),
            silence: active().filter_map(|valid| valid.consent.silence(shared.now)).max(),
        }
    }

    /// The generation that carries a component's data: the new one once it can.
    fn carrier(&self, component: ComponentId) -> Option<&Session> {
        let mut sessions = core::iter::once(&self.session).chain(self.previous.as_ref());
        sessions.find(|session| session.active(component).is_some())
    }

    fn plan(&mut self, via: Via, to: SocketAddr, len: usize) -> Option<SendPlan> {
        match via {
            Via::Socket(socket) => SendPlan::direct(socket, to, len),
            Via::Relay(relay) => self.gatherer.relays.send_plan(self.shared.now, relay, to, len),
        }
    }

    /// Turns an intention into what the host can do; nothing if it is not wanted any more.
    fn render(&mut self, queued: Queued, buf: &mut [u8; MAX_TRANSMIT]) -> Option<Rendered> {
        match queued {
            Queued::Event(event) => Some(Rendered::Event(event)),
            Queued::Need(need) => Some(Rendered::Need(need)),
            Queued::Control { socket, to, bytes } => {
                buf.get_mut(..bytes.len())?.copy_from_slice(&bytes);
                Some(Rendered::Packet { socket, to, at: 0..bytes.len() })
            }
            Queued::Query(job) => {
                let (socket, to, bytes) = self.gatherer.encode_query(job, buf)?;
                Some(Rendered::Packet { socket, to, at: 0..bytes.len() })
            }
            Queued::Keepalive { socket, to } => {
                let id = self.shared.chance.transaction_id();
                let builder = Builder::new(buf, Class::Indication, Method::BINDING, id);
                let len = builder.fingerprint().finish().ok()?.len();
                Some(Rendered::Packet { socket, to, at: 0..len })
            }
            Queued::Check { generation, id } => {
                let session = self.generation(generation)?;
                let (via, to, bytes) = session.encode_check(id, buf.get_mut(HEADROOM..)?)?;
                let len = bytes.len();
                self.wrap(via, to, len, buf)
            }
            Queued::Answer(answer) => {
                let session = self.generation(answer.generation)?;
                let len = session.encode_answer(&answer, buf.get_mut(HEADROOM..)?).ok()?.len();
                self.wrap(answer.via, answer.to, len, buf)
            }
        }
    }

    fn generation(&self, generation: u32) -> Option<&Session> {
        let mut sessions = core::iter::once(&self.session).chain(self.previous.as_ref());
        sessions.find(|session| session.generation == generation)
    }

    /// Puts the header of a relay, if one is needed, in front of the `len` bytes behind the headroom.
    fn wrap(
        &mut self,
        via: Via,
        to: SocketAddr,
        len: usize,
        buf: &mut [u8; MAX_TRANSMIT],
    ) -> Option<Rendered> {
        let plan = self.plan(via, to, len)?;
        let start = HEADROOM.checked_sub(plan.headroom())?;
        let at = start..start + plan.packet_len();
        plan.wrap(buf.get_mut(at.clone())?);
        Some(Rendered::Packet { socket: plan.socket(), to: plan.to(), at })
    }

    /// When something is due, and what.
    fn deadline(&self) -> Option<(Instant, Why)> {
        if self.closed {
            return self.gatherer.relays.deadline();
        }
        let asking = self.gatherer.has_waiting().then_some(self.shared.now);
        let checks = self.session.next_check_at(&self.shared);
        let pacing = asking.into_iter().chain(checks).min();
        let pacing = pacing.map(|at| (at.max(self.pacer.deadline()), Why::Pacing));
        let sessions = core::iter::once(&self.session).chain(self.previous.as_ref());
        let sessions = sessions.filter_map(|session| session.deadline(&self.shared));
        let retirement = self.retire_at.map(|at| (at, Why::FreeCandidates));
        sessions.chain(pacing).chain(retirement).chain(self.gatherer.deadline()).min()
    }
}

impl Machine for IceAgent {
    type App<'p> = Data<'p>;
    type Event = Event;

    fn handle_input<'p>(&mut self, now: Instant, input: Input<'p>) -> Received<Data<'p>> {
        self.tick(now);
        let verdict = match input {
            Input::Datagram { socket, from, data } => self.handle_datagram(socket, from, data),
            other if self.handle(other) => Received::Consumed,
            _ => Received::NotMine,
        };
        match verdict {
            // What deserved nothing costs no more than this; whatever is due waits for its own moment.
            Received::Dropped(why) => self.shared.drops.count(why),
            _ => self.advance(),
        }
        verdict
    }

    fn poll_output<'b>(&mut self, buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, Event> {
        while let Some(queued) = self.shared.outbox.pop() {
            match self.render(queued, buf) {
                Some(Rendered::Packet { socket, to, at }) => {
                    let bytes = buf.get(at).unwrap_or_default();
                    return Output::Transmit(Transmit::new(socket, to, bytes));
                }
                Some(Rendered::Need(need)) => return Output::Need(need),
                Some(Rendered::Event(event)) => return Output::Event(event),
                None => {}
            }
        }
        match self.deadline() {
            Some((until, why)) => Output::Wait { until, why },
            None => Output::Idle,
        }
    }
}

/// An intention made ready for the host.
enum Rendered {
    /// A packet that stands at this place of the buffer.
    Packet {
        socket: SocketId,
        to: SocketAddr,
        at: Range<usize>,
    },
    Need(Need),
    Event(Event),
}

/// RFC 8445 §8.3.1: "wait an additional three seconds".
const RETIRE_AFTER: Duration = Duration::from_secs(3);

/// Room in front of a message for the header of a relay.
const HEADROOM: usize = 48;
