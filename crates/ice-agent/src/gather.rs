//! Gathering: asks each server from each of our addresses (RFC 8445 §5.1.1.2), and says what each did.
//!
//! ```text
//!   a server's name ──resolved──▶ a job for each base of its family
//!   Job: Waiting ──its turn in the pace──▶ Asking or Allocating ──answer, refusal, deadline──▶ reported and gone
//!   New ──gather──▶ Gathering ──no job left──▶ Complete
//! ```

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{ErrorCode, Family, MappedAddress, XorMappedAddress};
use floe_stun::{
    Builder, Class, Dropped, Failure, Fired, Instant, Message, Method, Need, RequestId, SocketId,
    Transaction, TransactionId, Transport, Why,
};
use floe_turn_client::{AllocateFailure, Wanted};

use crate::candidate::is_usable;
use crate::config::{Server, TransportPolicy};
use crate::id::{JobId, ServerId};
use crate::locals::{RelayId, Source, Via};
use crate::outbox::Queued;
use crate::output::{Event, GatheringState, ServerOutcome, ServerReport};
use crate::relay::{News, Origin, Relays};
use crate::shared::Shared;

/// Asks servers and keeps what they gave.
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    state: GatheringState,
    lookups: BTreeMap<ServerId, Lookup>,
    jobs: BTreeMap<JobId, Job>,
    pub(crate) relays: Relays,
    /// Reflexive candidates whose NAT binding is kept until ICE is done (RFC 8445 §5.1.1.4).
    bindings: Vec<Binding>,
    found: Vec<Found>,
    last: u32,
}

#[derive(Debug)]
enum Lookup {
    Resolving { request: RequestId, until: Instant },
    Known(Vec<SocketAddr>),
}

#[derive(Debug)]
struct Job {
    server: ServerId,
    socket: SocketId,
    to: SocketAddr,
    state: JobState,
}

#[derive(Debug)]
enum JobState {
    Waiting,
    Asking { transaction: Transaction, until: Instant },
    Allocating { relay: RelayId, until: Instant },
}

#[derive(Debug)]
struct Binding {
    socket: SocketId,
    to: SocketAddr,
    next: Instant,
}

/// What the rest of the agent must hear.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// A new base, to be paired.
    Base(Via),
    Permitted(RelayId, IpAddr),
    Forbidden(RelayId, IpAddr),
    /// A relay is gone.
    Lost(Via),
}

impl Gatherer {
    pub(crate) const fn state(&self) -> GatheringState {
        self.state
    }

    pub(crate) fn is_started(&self) -> bool {
        self.state != GatheringState::New
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.state == GatheringState::Complete
    }

    /// Gathering begins.
    pub(crate) fn open(&mut self, shared: &mut Shared) {
        self.enter(shared, GatheringState::Gathering);
    }

    /// Asks every server from every base there is.
    pub(crate) fn ask_servers(&mut self, shared: &mut Shared) {
        let most = shared.config.limits.servers;
        for id in
            (0..shared.config.servers.len()).take(most).filter_map(|i| u16::try_from(i).ok()).map(ServerId)
        {
            self.consult(shared, id);
        }
    }

    /// A base came later: it asks the servers too.
    pub(crate) fn handle_new_base(&mut self, shared: &Shared, socket: SocketId) {
        let known: Vec<_> = self
            .lookups
            .iter()
            .filter_map(|(id, lookup)| match lookup {
                Lookup::Known(addresses) => Some((*id, addresses.clone())),
                Lookup::Resolving { .. } => None,
            })
            .collect();
        for (server, addresses) in known {
            self.add_job(shared, server, socket, &addresses);
        }
    }

    fn consult(&mut self, shared: &mut Shared, id: ServerId) {
        let Some(server) = server(shared, id).cloned() else { return };
        if !server.uri.scheme().is_turn() && shared.config.policy == TransportPolicy::Relay {
            return;
        }
        if let Some(error) = unusable(&server) {
            return self.report(shared, id, None, ServerOutcome::Failed { error, code: None }, None);
        }
        if let Some(ip) = server.uri.ip() {
            return self.handle_addresses(shared, id, &[ip]);
        }
        self.last += 1;
        let request = RequestId(self.last);
        let until = shared.now + shared.config.gather_timeout;
        self.lookups.insert(id, Lookup::Resolving { request, until });
        shared.queue(Queued::Need(Need::Resolve { request, name: server.uri.host().to_string() }));
    }

    /// The host resolved a name, or could not.
    pub(crate) fn handle_resolved(
        &mut self,
        shared: &mut Shared,
        answered: RequestId,
        result: Result<&[IpAddr], Failure>,
    ) -> bool {
        let mut lookups = self.lookups.iter();
        let found = lookups
            .find(|(_, lookup)| matches!(lookup, Lookup::Resolving { request, .. } if *request == answered));
        let Some(id) = found.map(|(id, _)| *id) else { return false };
        match result {
            Ok([]) => self.fail_lookup(shared, id, "the name has no address; check its spelling"),
            Ok(addresses) => self.handle_addresses(shared, id, addresses),
            Err(why) => {
                let text = format!("the name could not be resolved: {why}; check its spelling and the DNS");
                self.fail_lookup(shared, id, &text);
            }
        }
        true
    }

    fn fail_lookup(&mut self, shared: &mut Shared, id: ServerId, error: &str) {
        self.lookups.remove(&id);
        self.report(shared, id, None, ServerOutcome::Failed { error: error.into(), code: None }, None);
    }

    fn handle_addresses(&mut self, shared: &mut Shared, id: ServerId, ips: &[IpAddr]) {
        let Some(port) = server(shared, id).map(|server| server.uri.port()) else { return };
        let addresses: Vec<_> = ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        let sockets: Vec<_> = shared
            .locals
            .bases()
            .filter_map(|(via, _)| if let Via::Socket(socket) = via { Some(socket) } else { None })
            .collect();
        let jobs = self.jobs.len();
        for socket in sockets {
            self.add_job(shared, id, socket, &addresses);
        }
        if jobs == self.jobs.len() {
            let error = "no local address of the server's family; use a server of another family".into();
            self.report(shared, id, None, ServerOutcome::Failed { error, code: None }, None);
        }
        self.lookups.insert(id, Lookup::Known(addresses));
    }

    fn add_job(&mut self, shared: &Shared, server: ServerId, socket: SocketId, addresses: &[SocketAddr]) {
        let Some(base) = shared.locals.base(Via::Socket(socket)) else { return };
        let to = addresses.iter().find(|to| {
            to.is_ipv4() == base.address.is_ipv4() && to.ip().is_loopback() <= shared.config.loopback
        });
        let Some(&to) = to else { return };
        let is_turn = |id| self::server(shared, id).is_some_and(Server::is_turn);
        let same = |job: &Job| (job.socket, job.to, is_turn(job.server)) == (socket, to, is_turn(server));
        // One 5-tuple has one allocation (RFC 8656 §3.2), and one question at a time is enough.
        if is_turn(server) && self.relays.is_open(socket, to) || self.jobs.values().any(same) {
            return;
        }
        self.last += 1;
        self.jobs.insert(JobId(self.last), Job { server, socket, to, state: JobState::Waiting });
    }

    /// Starts the next question, if one waits; to be called when the pace allows (RFC 8445 §5.1.1.2).
    pub(crate) fn start_next(&mut self, shared: &mut Shared) -> bool {
        let until = shared.now + shared.config.gather_timeout;
        let crowd = u32::try_from(self.jobs.len()).unwrap_or(u32::MAX);
        let waiting = self.jobs.iter_mut().find(|(_, job)| matches!(job.state, JobState::Waiting));
        let Some((&id, job)) = waiting else { return false };
        let Some(server) = server(shared, job.server) else { return false };
        let rto = shared.config.requests.rto.max(shared.config.pacing.saturating_mul(crowd));
        let schedule = shared.config.requests.with_rto(rto);
        job.state = match &server.credentials {
            Some(credentials) => {
                let mut config = floe_turn_client::Config::new(job.socket, job.to, credentials.clone());
                config.wanted = Wanted::Address(Family::of(job.to.ip()));
                config.schedule = schedule;
                JobState::Allocating { relay: self.relays.open(shared, job.server, config), until }
            }
            None => {
                let transaction = Transaction::new(shared.chance.transaction_id(), shared.now, schedule);
                shared.queue(Queued::Query(id));
                JobState::Asking { transaction, until }
            }
        };
        self.handle_relays(shared);
        true
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.jobs.values().any(|job| matches!(job.state, JobState::Waiting))
    }

    /// Writes a question, the same bytes every time; none if it is not wanted any more.
    pub(crate) fn encode_query<'b>(
        &self,
        id: JobId,
        buf: &'b mut [u8],
    ) -> Option<(SocketId, SocketAddr, &'b [u8])> {
        let job = self.jobs.get(&id)?;
        let JobState::Asking { transaction, .. } = &job.state else { return None };
        let bytes = Builder::new(buf, Class::Request, Method::BINDING, transaction.id()).finish().ok()?;
        Some((job.socket, job.to, bytes))
    }

    /// An answer that may be to a question of ours; `None` if it is not.
    pub(crate) fn handle_answer(
        &mut self,
        shared: &mut Shared,
        socket: SocketId,
        from: SocketAddr,
        message: &Message<'_>,
    ) -> Option<Result<(), Dropped>> {
        let (&id, job) = self.jobs.iter().find(|(_, job)| job.asks(message.id()))?;
        let JobState::Asking { transaction, .. } = &job.state else { return None };
        if (job.socket, job.to) != (socket, from) {
            return Some(Err(Dropped::WrongSource));
        }
        let rtt = transaction.rtt(shared.now);
        let job = self.jobs.remove(&id)?;
        match judge(message) {
            Ok(mapped) => self.handle_mapped(shared, &job, mapped, rtt),
            Err((error, code)) => {
                self.report(shared, job.server, Some(job.socket), ServerOutcome::Failed { error, code }, rtt);
            }
        }
        Some(Ok(()))
    }

    fn handle_mapped(&mut self, shared: &mut Shared, job: &Job, mapped: SocketAddr, rtt: Option<Duration>) {
        let outcome = if is_usable(mapped, shared.config.loopback) {
            let redundant = !self.add_reflexive(shared, job.origin(), mapped);
            ServerOutcome::Mapped { mapped, redundant }
        } else {
            let error =
                format!("the server says that our address is {mapped}, which cannot be; use another server");
            ServerOutcome::Failed { error, code: None }
        };
        self.report(shared, job.server, Some(job.socket), outcome, rtt);
    }

    fn add_reflexive(&mut self, shared: &mut Shared, origin: Origin, mapped: SocketAddr) -> bool {
        let source = source(shared, origin.server, origin.to.ip());
        if shared.config.policy == TransportPolicy::Relay
            || shared.locals.len() >= shared.config.limits.local_candidates
        {
            return false;
        }
        let Some(id) = shared.locals.add_reflexive(origin.socket, mapped, source) else { return false };
        self.bindings.push(Binding { socket: origin.socket, to: origin.to, next: shared.now + KEEPALIVE });
        if let Some(candidate) = shared.locals.get(id).cloned() {
            shared.report(Event::Candidate(candidate));
        }
        true
    }

    /// Takes up what the relays have to say.
    pub(crate) fn handle_relays(&mut self, shared: &mut Shared) {
        for (relay, news) in self.relays.take_news() {
            match news {
                News::Allocated { relayed, mapped, rtt } => {
                    self.handle_allocated(shared, relay, relayed, mapped, rtt);
                }
                News::Failed(why) => self.handle_refused(shared, relay, &why),
                News::Lost(why) => {
                    self.relays.forget(relay);
                    self.handle_lost(shared, relay, why.to_string());
                }
                News::Interrupted(why) => {
                    self.handle_lost(shared, relay, format!("{why}; another is being asked for"));
                }
                News::Renewed(new) => self.handle_renewed(relay, new),
                News::Permitted(peer) => self.found.push(Found::Permitted(relay, peer)),
                News::Forbidden(peer) => self.found.push(Found::Forbidden(relay, peer)),
            }
        }
    }

    fn handle_allocated(
        &mut self,
        shared: &mut Shared,
        relay: RelayId,
        relayed: SocketAddr,
        mapped: SocketAddr,
        rtt: Option<Duration>,
    ) {
        self.take_allocating(relay);
        let Some(origin) = self.relays.origin(relay) else { return };
        if is_usable(mapped, shared.config.loopback) {
            self.add_reflexive(shared, origin, mapped);
        }
        let source = source(shared, origin.server, origin.to.ip());
        let usable = is_usable(relayed, shared.config.loopback);
        let added = usable.then(|| shared.locals.add_relayed(relay, origin.socket, relayed, mapped, source));
        if let Some(id) = added.flatten() {
            if let Some(candidate) = shared.locals.get(id).cloned() {
                shared.report(Event::Candidate(candidate));
            }
            self.found.push(Found::Base(Via::Relay(relay)));
        }
        let outcome = ServerOutcome::Relayed { relayed, mapped };
        self.report(shared, origin.server, Some(origin.socket), outcome, rtt);
    }

    fn handle_refused(&mut self, shared: &mut Shared, relay: RelayId, why: &AllocateFailure) {
        self.take_allocating(relay);
        let Some(origin) = self.relays.origin(relay) else { return };
        self.relays.forget(relay);
        let code = match why {
            AllocateFailure::WrongCredentials(refusal) | AllocateFailure::Refused(refusal) => {
                Some(refusal.code)
            }
            AllocateFailure::Redirected { .. } => Some(300),
            _ => None,
        };
        let outcome = ServerOutcome::Failed { error: why.to_string(), code };
        self.report(shared, origin.server, Some(origin.socket), outcome, None);
    }

    /// A relay that asks for another allocation, or asks another server.
    fn handle_renewed(&mut self, old: RelayId, new: RelayId) {
        for job in self.jobs.values_mut() {
            if let JobState::Allocating { relay, .. } = &mut job.state
                && *relay == old
            {
                *relay = new;
            }
        }
    }

    fn handle_lost(&mut self, shared: &mut Shared, relay: RelayId, error: String) {
        let via = Via::Relay(relay);
        let server = shared.locals.base(via).and_then(|base| shared.locals.get(base.candidate)?.server);
        shared.locals.remove(via);
        self.found.push(Found::Lost(via));
        if let Some(server) = server {
            self.report(shared, server, None, ServerOutcome::Failed { error, code: None }, None);
        }
    }

    fn take_allocating(&mut self, wanted: RelayId) -> Option<Job> {
        let mut jobs = self.jobs.iter();
        let (&id, _) =
            jobs.find(|(_, job)| matches!(job.state, JobState::Allocating { relay, .. } if relay == wanted))?;
        self.jobs.remove(&id)
    }

    /// The network calls an address unreachable.
    pub(crate) fn handle_unreachable(&mut self, shared: &mut Shared, socket: SocketId, to: SocketAddr) {
        let error =
            || "the network says that the server cannot be reached; check address, port and firewall".into();
        for job in self.take_jobs(|job| job.is_asking() && (job.socket, job.to) == (socket, to)) {
            let outcome = ServerOutcome::Failed { error: error(), code: None };
            self.report(shared, job.server, Some(job.socket), outcome, None);
        }
    }

    /// A socket is gone, and every question asked from it.
    pub(crate) fn handle_closed(&mut self, shared: &mut Shared, socket: SocketId) {
        self.bindings.retain(|binding| binding.socket != socket);
        for job in self.take_jobs(|job| job.socket == socket) {
            let outcome = ServerOutcome::Failed { error: "the local socket is gone".into(), code: None };
            self.report(shared, job.server, None, outcome, None);
        }
    }

    /// Everything that is due; `keep` says whether reflexive candidates are still of use.
    pub(crate) fn handle_timeout(&mut self, shared: &mut Shared, keep: bool) {
        self.relays.handle_timeout(shared);
        self.handle_relays(shared);
        self.resend_queries(shared);
        self.give_up(shared);
        if !keep {
            self.bindings.clear();
        }
        for binding in self.bindings.iter_mut().filter(|binding| binding.next <= shared.now) {
            binding.next = shared.now + KEEPALIVE;
            shared.outbox.push(
                Queued::Keepalive { socket: binding.socket, to: binding.to },
                shared.config.limits.outputs,
            );
        }
        self.settle(shared);
    }

    fn resend_queries(&mut self, shared: &mut Shared) {
        for (id, job) in &mut self.jobs {
            if let JobState::Asking { transaction, .. } = &mut job.state
                && transaction.handle_timeout(shared.now) == Some(Fired::Resend)
            {
                shared.outbox.push(Queued::Query(*id), shared.config.limits.outputs);
            }
        }
    }

    fn give_up(&mut self, shared: &mut Shared) {
        let now = shared.now;
        for job in self.take_jobs(|job| job.until().is_some_and(|until| until <= now)) {
            if let JobState::Allocating { relay, .. } = job.state {
                self.relays.forget(relay);
            }
            let error = format!(
                "no answer within {} s; check address and port, and that UDP is not blocked",
                shared.config.gather_timeout.as_secs()
            );
            self.report(
                shared,
                job.server,
                Some(job.socket),
                ServerOutcome::Failed { error, code: None },
                None,
            );
        }
        let late: Vec<_> = self
            .lookups
            .iter()
            .filter(|(_, lookup)| matches!(lookup, Lookup::Resolving { until, .. } if *until <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.fail_lookup(shared, id, "its name was not resolved in time; check the DNS");
        }
    }

    /// Says so when no question is left.
    fn settle(&mut self, shared: &mut Shared) {
        let resolving = self.lookups.values().any(|lookup| matches!(lookup, Lookup::Resolving { .. }));
        let busy = resolving || !self.jobs.is_empty();
        match self.state {
            GatheringState::Gathering if !busy => self.enter(shared, GatheringState::Complete),
            GatheringState::Complete if busy => self.enter(shared, GatheringState::Gathering),
            _ => {}
        }
    }

    /// A restart: what we have is told again, and the reflexive addresses are asked for again.
    pub(crate) fn restart(&mut self, shared: &mut Shared) {
        self.enter(shared, GatheringState::Gathering);
        self.relays.check_all(shared);
        let sockets: Vec<_> = shared
            .locals
            .bases()
            .filter_map(|(via, _)| if let Via::Socket(socket) = via { Some(socket) } else { None })
            .collect();
        for socket in sockets {
            self.handle_new_base(shared, socket);
        }
    }

    pub(crate) fn take_found(&mut self) -> Vec<Found> {
        core::mem::take(&mut self.found)
    }

    /// When [`Self::handle_timeout`] has work next.
    pub(crate) fn deadline(&self) -> Option<(Instant, Why)> {
        let jobs = self.jobs.values().filter_map(|job| match &job.state {
            JobState::Waiting => None,
            JobState::Asking { transaction, until } if transaction.deadline() < *until => {
                Some((transaction.deadline(), Why::Retransmit))
            }
            JobState::Asking { until, .. } | JobState::Allocating { until, .. } => {
                Some((*until, Why::GatherDeadline))
            }
        });
        let lookups = self.lookups.values().filter_map(|lookup| match lookup {
            Lookup::Resolving { until, .. } => Some((*until, Why::GatherDeadline)),
            Lookup::Known(_) => None,
        });
        let bindings = self.bindings.iter().map(|binding| (binding.next, Why::Keepalive));
        jobs.chain(lookups).chain(bindings).chain(self.relays.deadline()).min()
    }

    fn enter(&mut self, shared: &mut Shared, state: GatheringState) {
        if self.state != state {
            self.state = state;
            shared.report(Event::Gathering(state));
        }
    }

    fn take_jobs(&mut self, mut wanted: impl FnMut(&Job) -> bool) -> Vec<Job> {
        let ids: Vec<_> = self.jobs.iter().filter(|(_, job)| wanted(job)).map(|(id, _)| *id).collect();
        ids.iter().filter_map(|id| self.jobs.remove(id)).collect()
    }

    fn report(
        &self,
        shared: &mut Shared,
        id: ServerId,
        socket: Option<SocketId>,
        outcome: ServerOutcome,
        rtt: Option<Duration>,
    ) {
        let Some(uri) = server(shared, id).map(|server| server.uri.clone()) else { return };
        let base = socket.and_then(|socket| shared.locals.base(Via::Socket(socket))).map(|base| base.address);
        shared.report(Event::Server(ServerReport {
            server: id,
            uri: uri.to_string(),
            transport: uri.transport(),
            family: base.map(|base| Family::of(base.ip())),
            base,
            outcome,
            rtt,
        }));
    }
}

impl Job {
    const fn origin(&self) -> Origin {
        Origin { server: self.server, socket: self.socket, to: self.to }
    }

    fn asks(&self, id: TransactionId) -> bool {
        matches!(&self.state, JobState::Asking { transaction, .. } if transaction.id() == id)
    }

    const fn is_asking(&self) -> bool {
        matches!(self.state, JobState::Asking { .. })
    }

    const fn until(&self) -> Option<Instant> {
        match self.state {
            JobState::Waiting => None,
            JobState::Asking { until, .. } | JobState::Allocating { until, .. } => Some(until),
        }
    }
}

fn server(shared: &Shared, id: ServerId) -> Option<&Server> {
    shared.config.servers.get(usize::from(id.0))
}

fn source(shared: &Shared, server: ServerId, server_ip: IpAddr) -> Source {
    Source { server, server_ip, show_related: shared.config.policy == TransportPolicy::All }
}

/// Why a server cannot be asked at all.
fn unusable(server: &Server) -> Option<String> {
    if server.uri.transport() != Transport::Udp {
        return Some("servers over TCP and TLS are not supported yet; use UDP".into());
    }
    if server.uri.scheme().is_turn() && server.credentials.is_none() {
        return Some("a TURN server needs a user name and a password; give both".into());
    }
    None
}

/// What a STUN server's answer says: our address, or why there is none.
fn judge(message: &Message<'_>) -> Result<SocketAddr, (String, Option<u16>)> {
    if let Some(ErrorCode { code, reason }) = message.find().filter(|_| message.class() == Class::Error) {
        return Err((format!("the server refused: {code} {reason}"), Some(code)));
    }
    let unknown = message.unknown_required().next().is_some();
    let mapped = message.find::<XorMappedAddress>().map(|a| a.0);
    // RFC 8445 §5.1.1.2 wants the servers of RFC 3489 understood too.
    let mapped = mapped.or_else(|| message.find::<MappedAddress>().map(|a| a.0));
    match mapped {
        Some(mapped) if message.class() == Class::Success && !unknown => {
            Ok(SocketAddr::new(mapped.ip().to_canonical(), mapped.port()))
        }
        _ => Err(("the server's answer holds no address; it may not be a STUN server".into(), None)),
    }
}

/// RFC 8445 §11: Tr is 15 s.
const KEEPALIVE: Duration = Duration::from_secs(15);
