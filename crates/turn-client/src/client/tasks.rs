//! How tasks end.

use alloc::string::String;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::{Authenticated, Message, Need, Received, RequestId, SocketId, Transport};

use super::{BAD_REQUEST, Client, MAX_LOSSES, Queued, SHORT_REST, TRY_ALTERNATE, UNAUTHENTICATED};
use crate::allocation::{Allocation, Grant};
use crate::relay::PeerData;
use crate::requests::{ALLOCATION_MISMATCH, Elsewhere, Failure, Request, Task};
use crate::{AllocateFailure, ConnectFailure, Event, LostReason, Refusal};

impl Client {
    pub(super) fn handle_granted(&mut self, request: &Request, answer: &Authenticated<Message<'_>>) {
        match request.task {
            Task::Allocate => self.handle_grant(request.rtt(self.now), answer),
            Task::Delete => self.left(),
            Task::Refresh => self.handle_refreshed(answer),
            Task::Move => {
                self.handle_refreshed(answer);
                self.tell(Event::Moved);
            }
            Task::Permit(peer) => self.handle_permitted(peer),
            Task::Bind { peer, .. } => self.handle_bound(peer),
            Task::Connect(peer) => self.handle_connected(peer, answer),
            Task::BindConnection { stream, .. } => self.handle_joined(stream),
        }
    }

    pub(super) fn handle_failed(&mut self, task: Task, failure: Failure) {
        match (task, failure) {
            (Task::Allocate, failure) => self.handle_not_allocated(failure),
            // Whatever it is that the server says: we have left.
            (Task::Delete, _) => self.left(),
            (Task::Move, Failure::Refused(why, _)) => self.lose(LostReason::Refused(why)),
            (Task::BindConnection { stream, .. }, failure) => {
                self.handle_not_joined(stream, failure.into());
            }
            // Our token is no good any more, which is nothing that the peer has to do with.
            (_, Failure::Refused(why, _))
                if why.code == UNAUTHENTICATED && self.requests.login().wants_token(self.now).is_some() =>
            {
                self.lose(LostReason::Refused(why));
            }
            (Task::Connect(peer), failure) if failure.code() != Some(ALLOCATION_MISMATCH) => {
                self.handle_not_connected(peer, failure);
            }
            (task, Failure::Refused(why, _)) if why.code != ALLOCATION_MISMATCH => {
                self.handle_refused(task, why)
            }
            (_, failure) => self.lose(failure.into()),
        }
    }

    /// Asks elsewhere, for less, or later, where that may help (RFC 8656 §7.4).
    pub(super) fn handle_not_allocated(&mut self, failure: Failure) {
        let plainer = failure.code().and_then(|code| self.config.without_what_was_refused(code));
        let rest = failure.rest().filter(|_| self.held && self.config.again);
        match (failure, plainer, rest) {
            (Failure::Refused(Refusal { code: TRY_ALTERNATE, .. }, Some(elsewhere)), ..) => {
                self.handle_redirect(elsewhere);
            }
            (_, Some(config), _) => {
                self.config = config;
                self.ask(Task::Allocate);
            }
            // The 5-tuple is ours, and so must be what is in the way.
            (Failure::Refused(Refusal { code: ALLOCATION_MISMATCH, .. }, _), ..) if !self.cleared => {
                self.cleared = true;
                self.allocation = Allocation::Clearing;
                // What was asked for besides went to the old one.
                self.forget_answers();
                self.ask(Task::Delete);
            }
            (Failure::Refused(Refusal { code: UNAUTHENTICATED, .. }, _), ..) if self.want_token() => {
                self.requests.clear();
                self.allocation = Allocation::Tokenless;
            }
            (_, _, Some(rest)) => self.rest(rest),
            (failure, None, None) => {
                self.end(Allocation::Over);
                self.tell(Event::Failed(failure.into()));
            }
        }
    }

    /// Tells that there is no token to answer a challenge with, if so.
    pub(super) fn want_token(&mut self) -> bool {
        let server_name = self.requests.login().wants_token(self.now).map(String::from);
        let is_wanted = server_name.is_some();
        self.queue.extend(server_name.map(|server_name| Queued::Event(Event::TokenWanted { server_name })));
        is_wanted
    }

    /// Leaves the server alone for a while.
    pub(super) fn rest(&mut self, rest: Duration) {
        self.requests.clear();
        self.allocation = Allocation::Resting { until: self.now + rest };
    }

    /// 300, which the server has proven to be its word.
    pub(super) fn handle_redirect(&mut self, elsewhere: Elsewhere) {
        let (transport, to) = (self.config.transport, elsewhere.to);
        let followed = self.redirects.follow(self.now, (transport, self.config.server), (transport, to));
        match followed {
            Err(why) => {
                self.end(Allocation::Over);
                self.tell(Event::Failed(AllocateFailure::Redirected { to, why }));
            }
            Ok(()) if transport == Transport::Udp => self.ask_elsewhere(elsewhere),
            Ok(()) => self.open_detour(elsewhere),
        }
    }

    /// A connection leads to one server; for another there must be another.
    pub(super) fn open_detour(&mut self, elsewhere: Elsewhere) {
        let server_name = elsewhere.domain.clone().or_else(|| self.config.server_name.clone());
        let request = self.need_stream(elsewhere.to, server_name);
        self.allocation = Allocation::Detour { request, elsewhere, left: false };
    }

    pub(super) fn need_stream(&mut self, to: SocketAddr, server_name: Option<String>) -> RequestId {
        self.last_need = self.last_need.wrapping_add(1);
        let (request, transport) = (RequestId(self.last_need), self.config.transport);
        self.queue.push_back(Queued::Need(Need::Stream { request, to, transport, server_name }));
        request
    }

    /// Whether the host answers a need of ours.
    pub(super) const fn has_asked(&self, answered: RequestId) -> bool {
        answered.0 > 0 && answered.0 <= self.last_need
    }

    /// The detour that the host answers, if it is still wanted; whether the old stream is over, and where it leads.
    pub(super) fn take_detour(&mut self, answered: RequestId) -> Option<(bool, Elsewhere)> {
        match &self.allocation {
            Allocation::Detour { request, elsewhere, left } if *request == answered => {
                let detour = (*left, elsewhere.clone());
                self.allocation = Allocation::Asking;
                Some(detour)
            }
            _ => None,
        }
    }

    pub(super) fn handle_opened(
        &mut self,
        answered: RequestId,
        socket: SocketId,
    ) -> Received<PeerData<'static>> {
        match self.take_detour(answered) {
            Some((left, elsewhere)) => {
                let old = core::mem::replace(&mut self.config.socket, socket);
                if !left {
                    self.queue.push_back(Queued::Need(Need::Close { socket: old }));
                }
                self.ask_elsewhere(elsewhere);
            }
            None if self.handle_stream_opened(answered, socket) => {}
            // Nobody wants to go there any more.
            None => self.queue.push_back(Queued::Need(Need::Close { socket })),
        }
        Received::Consumed
    }

    pub(super) fn handle_not_opened(
        &mut self,
        answered: RequestId,
        why: floe_stun::Failure,
    ) -> Received<PeerData<'static>> {
        if let Some((_, Elsewhere { to, .. })) = self.take_detour(answered) {
            self.end(Allocation::Over);
            self.tell(Event::Failed(AllocateFailure::NotThere { to, why }));
        } else if let Some(peer) = self.connections.handle_not_opened(answered) {
            self.tell(Event::NotConnected { peer, why: ConnectFailure::NotOpened(why) });
        }
        Received::Consumed
    }

    pub(super) fn ask_elsewhere(&mut self, Elsewhere { to, domain }: Elsewhere) {
        self.config.server = to;
        self.config.server_name = domain.or_else(|| self.config.server_name.take());
        self.forget_answers();
        self.requests.login().start_elsewhere();
        self.tell(Event::Redirected { to });
        self.ask(Task::Allocate);
    }

    /// Asks for what was lost, or for what an answer will not come to.
    pub(super) fn allocate_anew(&mut self) {
        self.forget_answers();
        self.requests.login().start_anew();
        self.cleared = false;
        self.allocation = Allocation::Asking;
        self.ask(Task::Allocate);
    }

    /// No answer counts any more, and what was granted neither.
    pub(super) fn forget_answers(&mut self) {
        self.requests.clear();
        self.permissions.start_anew();
        self.channels.start_anew();
    }

    pub(super) fn handle_grant(&mut self, rtt: Option<Duration>, answer: &Message<'_>) {
        match Grant::read(answer, self.config.wanted) {
            Ok(grant) => {
                self.held = true;
                let Grant { relayed, second, missing, mapped, lifetime, reserved, .. } = grant.clone();
                self.allocation.handle_grant(self.now, grant, &mut self.chance);
                self.tell(Event::Allocated { relayed, second, missing, mapped, lifetime, reserved, rtt });
            }
            //= RFC 8656 §7.3
            //# If these addresses are not part of an address family or families that the client is prepared to
            //# handle, then the client MUST delete the allocation (Section 8)
            Err(what) => {
                self.end(Allocation::Leaving { told: true });
                self.tell(Event::Failed(AllocateFailure::BadAnswer(what)));
                self.ask(Task::Delete);
            }
        }
    }

    pub(super) fn handle_refreshed(&mut self, answer: &Authenticated<Message<'_>>) {
        self.allocation.handle_refreshed(self.now, answer, &mut self.chance);
        if let Some(live) = self.allocation.live().filter(|_| core::mem::take(&mut self.checking)) {
            let lifetime = live.grant.lifetime;
            self.tell(Event::Confirmed { lifetime });
        }
    }

    pub(super) fn handle_permitted(&mut self, peer: IpAddr) {
        if self.permissions.handle_installed(self.now, peer, &mut self.chance) {
            self.tell(Event::Permitted { peer });
        }
    }

    pub(super) fn handle_bound(&mut self, peer: SocketAddr) {
        //= RFC 8656 §12.3
        //# It also updates its data structures to record that the corresponding permission has been installed
        self.handle_permitted(peer.ip());
        if let Some(channel) = self.channels.handle_bound(self.now, peer, &mut self.chance) {
            self.tell(Event::ChannelBound { peer, channel });
        }
    }

    /// Refused, but not with 437.
    pub(super) fn handle_refused(&mut self, task: Task, why: Refusal) {
        // There is nothing wrong with our requests, so we and the server are out of step (RFC 8656 §12.3). A
        // coturn that was restarted says 437 to Refresh only.
        if why.code == BAD_REQUEST {
            self.allocation.handle_doubt(self.now);
        }
        match task {
            Task::Permit(peer) => {
                if self.permissions.forget(peer) {
                    self.channels.forget_all_of(self.now, peer);
                    self.tell(Event::NotPermitted { peer, why });
                }
            }
            Task::Bind { peer, .. } => {
                if self.channels.forget(self.now, peer) {
                    self.tell(Event::ChannelRefused { peer, why });
                }
            }
            Task::Refresh if why.code >= 500 => self.allocation.handle_trouble(self.now),
            _ => self.lose(LostReason::Refused(why)),
        }
    }

    pub(super) fn lose(&mut self, why: LostReason) {
        self.checking = false;
        // The owner may move as often as it likes. Of what a server grants, only time shows that it was of use.
        if why == LostReason::Moved || self.allocation.has_been_of_use(self.now) {
            self.losses = 0;
        }
        if self.config.again && why.may_pass() && self.losses < MAX_LOSSES {
            self.losses = self.losses.saturating_add(1);
            self.tell(Event::Interrupted(why));
            self.drop_connections(|_| true);
            // One that was of no use at all is not asked for again at once.
            match self.losses {
                ..=1 => self.allocate_anew(),
                again => self.rest(SHORT_REST * again.min(MAX_LOSSES)),
            }
        } else {
            self.end(Allocation::Over);
            self.tell(Event::Lost(why));
        }
    }

    pub(super) fn left(&mut self) {
        if matches!(self.allocation, Allocation::Clearing) {
            self.allocation = Allocation::Asking;
            return self.ask(Task::Allocate);
        }
        let told = matches!(self.allocation, Allocation::Leaving { told: true });
        self.end(Allocation::Over);
        if !told {
            self.tell(Event::Released);
        }
    }

    /// Drops all that hangs on the allocation.
    pub(super) fn end(&mut self, how: Allocation) {
        self.allocation = how;
        self.drop_connections(|_| true);
        self.requests.clear();
        self.permissions.clear();
        self.channels.clear();
    }
}
