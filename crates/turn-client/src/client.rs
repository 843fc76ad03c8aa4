//! The client's doors and the wiring behind them; what is decided is decided in the modules beside this one.

mod tcp;

use alloc::collections::VecDeque;
use alloc::string::String;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{Family, IcmpAttribute};
use floe_stun::credentials::Attempt;
use floe_stun::{
    Authenticated, Chance, ChannelData, Class, Dropped, Drops, Icmp, Input, Instant, MAX_TRANSMIT, Machine,
    Message, Method, Need, Output, Received, Redirects, RequestId, SendPlan, SocketId, TransactionId,
    Transmit, Transport, Why,
};

use crate::allocation::{Allocation, Grant};
use crate::channel::{self, Channels};
use crate::connection::Connections;
use crate::permission::{self, Permissions};
use crate::relay::{self, Content, PeerData};
use crate::requests::{ALLOCATION_MISMATCH, Answer, Due, Elsewhere, Failure, Request, Requests, Task};
use crate::{
    AllocateFailure, Config, ConnectFailure, Credentials, Event, LostReason, Refusal, SendError, Token,
};

/// One allocation on one TURN server, with its permissions and channels.
#[derive(Debug)]
pub struct Client {
    config: Config,
    requests: Requests,
    allocation: Allocation,
    permissions: Permissions,
    channels: Channels,
    connections: Connections,
    redirects: Redirects,
    /// When anything was last sent, or told how to be sent.
    sent_at: Instant,
    /// Whether there was an allocation once, which is not given up so soon.
    held: bool,
    /// Whether the owner has asked whether the server still holds the allocation.
    checking: bool,
    /// How often in a row an allocation was lost before it was of any use.
    losses: u32,
    /// When the server last granted anything.
    heard_at: Instant,
    /// When the owner is to be told that another token is wanted.
    token_due: Option<Instant>,
    /// Whether what was in the way of this allocation has been deleted.
    cleared: bool,
    last_need: u32,
    chance: Chance,
    queue: VecDeque<Queued>,
    wait: Option<(Instant, Why)>,
    now: Instant,
    drops: Drops,
}

#[derive(Debug)]
enum Queued {
    Request(TransactionId),
    Need(Need),
    Event(Event),
}

impl Client {
    /// Asks for an allocation, starting at `now`. Draw the seed from the system and never use it again.
    #[must_use]
    pub fn new(now: Instant, config: Config, seed: [u8; 32]) -> Self {
        let mut chance = Chance::new(seed);
        let mut client = Self {
            requests: Requests::new(&config),
            allocation: Allocation::Asking,
            permissions: Permissions::default(),
            channels: Channels::new(&mut chance),
            connections: Connections::default(),
            redirects: Redirects::new(),
            sent_at: now,
            held: false,
            checking: false,
            losses: 0,
            heard_at: now,
            token_due: None,
            cleared: false,
            last_need: 0,
            chance,
            queue: VecDeque::new(),
            wait: None,
            now,
            drops: Drops::default(),
            config,
        };
        client.redirects.note(now, client.config.server);
        if client.config.wanted.is_tcp() && !client.config.transport.is_stream() {
            client.end(Allocation::Over);
            client.tell(Event::Failed(AllocateFailure::NeedsStream));
        } else {
            client.ask(Task::Allocate);
        }
        client.advance();
        client
    }

    /// New credentials, as when time-limited ones come to their end. The allocation stays with the user who asked for it
    /// (RFC 8656 §5): they serve when the server no longer takes the old ones, and for the next allocation.
    pub fn renew_credentials(&mut self, credentials: Credentials) {
        self.requests.login().renew(credentials);
    }

    /// A token of an authorization server, for an [`Identity::Token`](crate::Identity::Token): see
    /// [`Event::TokenWanted`]. It may come before the server has asked for it. An allocation is refreshed with it at
    /// once (RFC 7635 §9).
    pub fn give_token(&mut self, now: Instant, token: Token) {
        self.now = self.now.max(now);
        self.requests.login().give(token);
        self.token_due = self.requests.login().token_due(self.now);
        if matches!(self.allocation, Allocation::Tokenless) {
            self.allocate_anew();
        }
        self.allocation.handle_doubt(self.now);
        self.advance();
    }

    /// The host has another address, and reaches the server from this socket or stream now.
    ///
    /// With a ticket of the server (RFC 8016; see [`Config::mobility`]) the allocation comes along, and
    /// [`Event::Moved`] says when data may be sent again. Else it is lost, and asked for again from there.
    pub fn move_to(&mut self, now: Instant, socket: SocketId) {
        self.now = self.now.max(now);
        self.config.socket = socket;
        if self.is_ending() {
            return;
        }
        if self.allocation.start_move() {
            self.drop_connections(|_| true);
            self.requests.clear();
            self.permissions.ask_again(self.now);
            self.channels.ask_again(self.now);
            self.ask(Task::Move);
        } else if self.allocation.live().is_some() {
            self.lose(LostReason::Moved);
        } else {
            self.allocate_anew();
        }
        self.advance();
    }

    /// Installs a permission for this peer, on all its ports, and keeps it. May be called at any time, and
    /// again; ends with [`Event::Permitted`] or [`Event::NotPermitted`].
    pub fn permit(&mut self, now: Instant, peer: IpAddr) {
        self.now = self.now.max(now);
        let peer = peer.to_canonical();
        if self.is_ending() {
            return;
        }
        if let Err(why) = self.try_keep_permission(peer) {
            self.tell(Event::NotPermitted { peer, why });
        }
        self.advance();
    }

    /// Gives up the permission of this peer, and its channels: nothing more goes there or comes from there. The
    /// server forgets it within five minutes.
    pub fn revoke(&mut self, peer: IpAddr) {
        let peer = peer.to_canonical();
        self.permissions.forget(peer);
        self.channels.forget_all_of(self.now, peer);
        self.drop_connections(|other| other.ip() == peer);
        self.advance();
    }

    /// Binds a channel to this peer and keeps it, and the permission it needs. Data goes by Send indications
    /// until it is bound. May be called at any time, and again; ends with [`Event::ChannelBound`] or
    /// [`Event::ChannelRefused`].
    pub fn bind_channel(&mut self, now: Instant, peer: SocketAddr) {
        self.now = self.now.max(now);
        let peer = relay::plain(peer);
        if self.is_ending() {
            return;
        }
        let kept = self.try_keep_permission(peer.ip());
        if let Err(why) = kept.and_then(|()| self.try_keep_channel(peer)) {
            self.tell(Event::ChannelRefused { peer, why });
        }
        self.advance();
    }

    /// How `len` bytes travel to `peer`: as ChannelData if a channel is bound, else in a Send indication.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn send_plan(&mut self, now: Instant, peer: SocketAddr, len: usize) -> Result<SendPlan, SendError> {
        let now = self.now.max(now);
        let peer = relay::plain(peer);
        self.check_way(now, peer)?;
        self.sent_at = now;
        let Config { socket, server, .. } = self.config;
        let plan = match self.channels.bound(now, peer) {
            Some(channel) => SendPlan::channel(socket, server, channel, len),
            None => SendPlan::send_indication(socket, server, peer, self.chance.transaction_id(), len),
        };
        self.fit(plan, len)
    }

    /// The same with the DF bit set on its way, as one needs to find out what a path takes: in a Send indication, for a
    /// channel cannot ask for it. The server must have granted [`Config::dont_fragment`].
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn send_plan_unfragmented(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        len: usize,
    ) -> Result<SendPlan, SendError> {
        let now = self.now.max(now);
        let peer = relay::plain(peer);
        self.check_way(now, peer)?;
        if !self.config.forbids_fragments() {
            return Err(SendError::Fragments);
        }
        self.sent_at = now;
        let Config { socket, server, .. } = self.config;
        let plan = SendPlan::send_indication(socket, server, peer, self.chance.transaction_id(), len);
        self.fit(plan.and_then(SendPlan::dont_fragment), len)
    }

    /// Whether data may go to this peer.
    fn check_way(&self, now: Instant, peer: SocketAddr) -> Result<(), SendError> {
        if self.config.wanted.is_tcp() {
            return Err(SendError::NotDatagrams);
        }
        if self.allocation.live().is_none() || self.allocation.is_expired(now) {
            return Err(SendError::NotAllocated);
        }
        if self.allocation.ticket().is_some() {
            return Err(SendError::Moving);
        }
        //= RFC 8656 §11.1
        //# the client MUST ensure that there is a permission installed for the IP address of the peer
        if !self.permissions.is_active(now, peer.ip()) {
            return Err(SendError::NotPermitted);
        }
        Ok(())
    }

    fn fit(&self, plan: Option<SendPlan>, len: usize) -> Result<SendPlan, SendError> {
        plan.map(|plan| if self.config.transport.is_stream() { plan.padded() } else { plan })
            .filter(|plan| plan.packet_len() <= MAX_UDP_PAYLOAD)
            .ok_or(SendError::TooLong { len })
    }

    /// Asks the server at once whether it still holds the allocation. For an owner that has doubts, as when nothing gets
    /// through any more: a server that was restarted drops what it does not know without a word. Ends with
    /// [`Event::Confirmed`], or with the loss.
    pub fn check(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.checking = self.allocation.live().is_some();
        self.allocation.handle_doubt(self.now);
        self.advance();
    }

    /// Gives the allocation back; ends with [`Event::Released`]. The client is of no other use from here on.
    pub fn release(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.is_ending() {
            return;
        }
        // The server may have granted what we have not heard of yet; before a login, or on the way to another, none has.
        if self.requests.is_challenged() && !matches!(self.allocation, Allocation::Detour { .. }) {
            self.end(Allocation::Leaving { told: false });
            self.ask(Task::Delete);
        } else {
            self.end(Allocation::Over);
            self.tell(Event::Released);
        }
        self.advance();
    }

    /// The socket it asks from.
    #[must_use]
    pub const fn socket(&self) -> SocketId {
        self.config.socket
    }

    /// The server it asks.
    #[must_use]
    pub const fn server(&self) -> SocketAddr {
        self.config.server
    }

    /// How it is asked.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.config.transport
    }

    /// The name that its certificate must carry, if that is said.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.config.server_name.as_deref()
    }

    /// What peers send to, while there is an allocation.
    #[must_use]
    pub fn relayed(&self) -> Option<SocketAddr> {
        self.allocation.live().map(|live| live.grant.relayed)
    }

    /// The IPv6 address beside an IPv4 one, while there is an allocation of [`Wanted::Both`](crate::Wanted::Both).
    #[must_use]
    pub fn second_relayed(&self) -> Option<SocketAddr> {
        self.allocation.live().and_then(|live| live.grant.second)
    }

    /// Our own address as the server saw it, while there is an allocation.
    #[must_use]
    pub fn mapped(&self) -> Option<SocketAddr> {
        self.allocation.live().map(|live| live.grant.mapped)
    }

    /// Whether the server has given a ticket, with which [`move_to`](Self::move_to) brings the allocation along (RFC 8016).
    #[must_use]
    pub fn has_ticket(&self) -> bool {
        self.allocation.live().is_some_and(|live| live.grant.ticket.is_some())
    }

    /// Whether data to this peer would pass.
    #[must_use]
    pub fn is_permitted(&self, peer: IpAddr) -> bool {
        self.allocation.live().is_some() && self.permissions.is_active(self.now, peer.to_canonical())
    }

    /// Packets that deserved nothing, by reason.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }
}

impl Machine for Client {
    type App<'p> = PeerData<'p>;
    type Event = Event;

    fn handle_input<'p>(&mut self, now: Instant, input: Input<'p>) -> Received<PeerData<'p>> {
        self.now = self.now.max(now);
        // First of all: what came over while the host slept finds no allocation any more.
        self.expire();
        let verdict = match input {
            Input::Datagram { socket, from, data } if self.is_ours(socket, from) => {
                self.handle_datagram(data)
            }
            Input::Icmp { socket, to, what: Icmp::Unreachable } if self.is_ours(socket, to) => {
                self.handle_icmp()
            }
            Input::Datagram { socket, from, data } if self.is_to_be_joined(socket, from) => {
                self.handle_on_stream(socket, data)
            }
            Input::Closed { socket } if socket == self.config.socket => self.handle_closed(),
            Input::Closed { socket } if self.connections.is_binding(socket) => {
                self.handle_stream_closed(socket)
            }
            Input::Opened { request, socket, .. } if self.has_asked(request) => {
                self.handle_opened(request, socket)
            }
            Input::Failed { request, why } if self.has_asked(request) => self.handle_not_opened(request, why),
            Input::Timeout => Received::Consumed,
            _ => Received::NotMine,
        };
        if let Received::Dropped(why) = verdict {
            self.drops.count(why);
        }
        // Data moves no state: what is due waits for the timeout that was announced.
        if !matches!(verdict, Received::App(_)) {
            self.advance();
        }
        verdict
    }

    fn poll_output<'b>(&mut self, buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, Event> {
        while let Some(queued) = self.queue.pop_front() {
            match queued {
                Queued::Event(event) => return Output::Event(event),
                Queued::Need(need) => return Output::Need(need),
                Queued::Request(id) => {
                    let Some(len) = self.requests.copy(id, buf) else { continue };
                    self.sent_at = self.now;
                    let bytes = buf.get(..len).unwrap_or_default();
                    let socket = self.requests.stream(id).unwrap_or(self.config.socket);
                    return Output::Transmit(Transmit::new(socket, self.config.server, bytes));
                }
            }
        }
        match self.wait {
            Some((until, why)) => Output::Wait { until, why },
            None => Output::Idle,
        }
    }
}

/// What arrives.
impl Client {
    fn is_ours(&self, socket: SocketId, remote: SocketAddr) -> bool {
        socket == self.config.socket
            && remote == self.config.server
            && !matches!(self.allocation, Allocation::Over)
    }

    fn handle_datagram<'p>(&mut self, data: &'p [u8]) -> Received<PeerData<'p>> {
        let verdict = if ChannelData::is_probably(data) {
            self.handle_channel_data(data).map(Received::App)
        } else if Message::is_probably(data) {
            Message::decode(data)
                .map_err(|_| Dropped::Malformed)
                .and_then(|message| self.handle_message(message))
        } else {
            Ok(Received::NotMine)
        };
        verdict.unwrap_or_else(Received::Dropped)
    }

    fn handle_message<'p>(&mut self, message: Message<'p>) -> Result<Received<PeerData<'p>>, Dropped> {
        match (message.class(), message.method()) {
            (Class::Success | Class::Error, _) => self.handle_response(None, message),
            (Class::Indication, Method::DATA) => self.handle_indication(&message),
            (Class::Indication, Method::CONNECTION_ATTEMPT) => self.handle_attempt(&message),
            (Class::Indication | Class::Request, _) => Ok(Received::NotMine),
        }
    }

    fn handle_channel_data<'p>(&self, data: &'p [u8]) -> Result<PeerData<'p>, Dropped> {
        let ChannelData { channel, data, .. } = ChannelData::decode(data).map_err(|_| Dropped::Malformed)?;
        self.allocation.live().ok_or(Dropped::NoAllocation)?;
        let peer = self.channels.peer(self.now, channel).ok_or(Dropped::UnknownChannel)?;
        if !self.permissions.is_asked(self.now, peer.ip()) {
            return Err(Dropped::NoPermission);
        }
        Ok(PeerData { peer, data })
    }

    fn handle_indication<'p>(&mut self, message: &Message<'p>) -> Result<Received<PeerData<'p>>, Dropped> {
        let (peer, content) = relay::read_indication(message)?;
        self.allocation.live().ok_or(Dropped::NoAllocation)?;
        if !self.permissions.is_asked(self.now, peer.ip()) {
            return Err(Dropped::NoPermission);
        }
        match content {
            Content::Data(data) => Ok(Received::App(PeerData { peer, data })),
            Content::Icmp(_) if self.queue.len() >= MAX_QUEUE => Err(Dropped::LimitReached),
            Content::Icmp(IcmpAttribute { kind, code, data }) => {
                self.tell(Event::PeerUnreachable { peer, kind, code, data });
                Ok(Received::Consumed)
            }
        }
    }

    fn handle_response<'p>(
        &mut self,
        stream: Option<SocketId>,
        message: Message<'p>,
    ) -> Result<Received<PeerData<'p>>, Dropped> {
        let Some((request, answer)) = self.requests.handle_response(stream, message)? else {
            return Ok(Received::NotMine);
        };
        match answer {
            Answer::Again => self.ask_again(request.task, request.attempt),
            Answer::Granted(message) => {
                self.heard_at = self.now;
                self.handle_granted(&request, &message);
            }
            Answer::Failed(_) if self.defer(request.task, request.started()) => {}
            Answer::Failed(failure) => self.handle_failed(request.task, failure),
        }
        Ok(Received::Consumed)
    }

    /// Nobody vouches for ICMP: it may spoil an attempt, not an allocation.
    fn handle_icmp(&mut self) -> Received<PeerData<'static>> {
        match self.allocation {
            Allocation::Asking if self.held && self.config.again => self.rest(SHORT_REST),
            Allocation::Asking => {
                self.end(Allocation::Over);
                self.tell(Event::Failed(AllocateFailure::Unreachable));
            }
            _ => return Received::NotMine,
        }
        Received::Consumed
    }

    fn handle_closed(&mut self) -> Received<PeerData<'static>> {
        match &mut self.allocation {
            Allocation::Asking
            | Allocation::Tokenless
            | Allocation::Resting { .. }
            | Allocation::Clearing => {
                self.end(Allocation::Over);
                self.tell(Event::Failed(AllocateFailure::SocketClosed));
            }
            Allocation::Live(_) => self.lose(LostReason::SocketClosed),
            // A server that has sent us away hangs up.
            Allocation::Detour { left, .. } => *left = true,
            Allocation::Leaving { .. } => self.left(),
            Allocation::Over => return Received::NotMine,
        }
        Received::Consumed
    }
}

/// How tasks end.
impl Client {
    fn handle_granted(&mut self, request: &Request, answer: &Authenticated<Message<'_>>) {
        if !matches!(request.task, Task::Allocate | Task::Delete) {
            self.losses = 0;
        }
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

    fn handle_failed(&mut self, task: Task, failure: Failure) {
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
    fn handle_not_allocated(&mut self, failure: Failure) {
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
    fn want_token(&mut self) -> bool {
        let server_name = self.requests.login().wants_token(self.now).map(String::from);
        let is_wanted = server_name.is_some();
        self.queue.extend(server_name.map(|server_name| Queued::Event(Event::TokenWanted { server_name })));
        is_wanted
    }

    /// Leaves the server alone for a while.
    fn rest(&mut self, rest: Duration) {
        self.requests.clear();
        self.allocation = Allocation::Resting { until: self.now + rest };
    }

    /// 300, which the server has proven to be its word.
    fn handle_redirect(&mut self, elsewhere: Elsewhere) {
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
    fn open_detour(&mut self, elsewhere: Elsewhere) {
        let server_name = elsewhere.domain.clone().or_else(|| self.config.server_name.clone());
        let request = self.need_stream(elsewhere.to, server_name);
        self.allocation = Allocation::Detour { request, elsewhere, left: false };
    }

    fn need_stream(&mut self, to: SocketAddr, server_name: Option<String>) -> RequestId {
        self.last_need = self.last_need.wrapping_add(1);
        let (request, transport) = (RequestId(self.last_need), self.config.transport);
        self.queue.push_back(Queued::Need(Need::Stream { request, to, transport, server_name }));
        request
    }

    /// Whether the host answers a need of ours.
    const fn has_asked(&self, answered: RequestId) -> bool {
        answered.0 > 0 && answered.0 <= self.last_need
    }

    /// The detour that the host answers, if it is still wanted; whether the old stream is over, and where it leads.
    fn take_detour(&mut self, answered: RequestId) -> Option<(bool, Elsewhere)> {
        match &self.allocation {
            Allocation::Detour { request, elsewhere, left } if *request == answered => {
                let detour = (*left, elsewhere.clone());
                self.allocation = Allocation::Asking;
                Some(detour)
            }
            _ => None,
        }
    }

    fn handle_opened(&mut self, answered: RequestId, socket: SocketId) -> Received<PeerData<'static>> {
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

    fn handle_not_opened(
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

    fn ask_elsewhere(&mut self, Elsewhere { to, domain }: Elsewhere) {
        self.config.server = to;
        self.config.server_name = domain.or_else(|| self.config.server_name.take());
        self.forget_answers();
        self.requests.login().start_elsewhere();
        self.tell(Event::Redirected { to });
        self.ask(Task::Allocate);
    }

    /// Asks for what was lost, or for what an answer will not come to.
    fn allocate_anew(&mut self) {
        self.forget_answers();
        self.requests.login().start_anew();
        self.cleared = false;
        self.allocation = Allocation::Asking;
        self.ask(Task::Allocate);
    }

    /// No answer counts any more, and what was granted neither.
    fn forget_answers(&mut self) {
        self.requests.clear();
        self.permissions.start_anew();
        self.channels.start_anew();
    }

    fn handle_grant(&mut self, rtt: Option<Duration>, answer: &Message<'_>) {
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

    fn handle_refreshed(&mut self, answer: &Authenticated<Message<'_>>) {
        self.allocation.handle_refreshed(self.now, answer, &mut self.chance);
        if let Some(live) = self.allocation.live().filter(|_| core::mem::take(&mut self.checking)) {
            let lifetime = live.grant.lifetime;
            self.tell(Event::Confirmed { lifetime });
        }
    }

    fn handle_permitted(&mut self, peer: IpAddr) {
        if self.permissions.handle_installed(self.now, peer, &mut self.chance) {
            self.tell(Event::Permitted { peer });
        }
    }

    fn handle_bound(&mut self, peer: SocketAddr) {
        //= RFC 8656 §12.3
        //# It also updates its data structures to record that the corresponding permission has been installed
        self.handle_permitted(peer.ip());
        if let Some(channel) = self.channels.handle_bound(self.now, peer, &mut self.chance) {
            self.tell(Event::ChannelBound { peer, channel });
        }
    }

    /// Refused, but not with 437.
    fn handle_refused(&mut self, task: Task, why: Refusal) {
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

    fn lose(&mut self, why: LostReason) {
        self.checking = false;
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

    fn left(&mut self) {
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
    fn end(&mut self, how: Allocation) {
        self.allocation = how;
        self.drop_connections(|_| true);
        self.requests.clear();
        self.permissions.clear();
        self.channels.clear();
    }
}

/// What is to be done next.
impl Client {
    /// Does what is due, and finds out when there will be more to do. The last step of every door.
    fn advance(&mut self) {
        self.expire();
        while let Some(due) = self.requests.next_due(self.now) {
            match due {
                Due::Resend(id) => self.queue.push_back(Queued::Request(id)),
                Due::TimedOut { task, since, .. } if self.defer(task, since) => {}
                Due::TimedOut { task, violated: false, since } if self.may_answer_yet(task, since) => {
                    self.ask(task);
                }
                Due::TimedOut { task, violated: false, .. } => self.handle_failed(task, Failure::Silent),
                Due::TimedOut { task, violated: true, .. } => self.handle_failed(task, Failure::Violated),
            }
        }
        if self.allocation.take_rest(self.now) {
            self.allocate_anew();
        }
        if self.keepalive_deadline().is_some_and(|due| due <= self.now) {
            self.allocation.handle_doubt(self.now);
        }
        self.renew_token();
        if self.allocation.take_refresh(self.now) {
            self.ask(Task::Refresh);
        }
        self.advance_peers();
        self.advance_connections();
        self.wait = self.next_wait();
    }

    /// Asks for permissions and channels, and does not wait for the allocation where a request for it is under way that
    /// will be granted: that saves a round trip. Where the server hears of them first, it says 437, and they are deferred.
    fn advance_peers(&mut self) {
        while let Some(is_live) = self.asks_for_peers() {
            let Some(peer) = self.permissions.take_due(self.now, is_live) else { break };
            self.ask(Task::Permit(peer));
        }
        while let Some(is_live) = self.asks_for_peers() {
            let Some((peer, channel)) = self.channels.take_due(self.now, is_live) else { break };
            self.ask(Task::Bind { peer, channel });
        }
    }

    /// Whether there is an allocation; none if it is not even as good as there.
    fn asks_for_peers(&self) -> Option<bool> {
        match self.allocation {
            Allocation::Live(_) => Some(true),
            Allocation::Asking if self.requests.is_allocating() => Some(false),
            _ => None,
        }
    }

    /// Asks again once there is an allocation, if this was asked for before there was one.
    fn defer(&mut self, task: Task, asked_at: Instant) -> bool {
        let is_early = self.allocation.is_later_than(asked_at);
        match task {
            Task::Permit(peer) if is_early => self.permissions.defer(peer),
            Task::Bind { peer, .. } if is_early => self.channels.defer(peer),
            _ => return false,
        }
        true
    }

    /// A request went without an answer. If the server answered others meanwhile, it is the network that took them;
    /// and for a Refresh the time that is left is well used.
    fn may_answer_yet(&mut self, task: Task, since: Instant) -> bool {
        match task {
            Task::Refresh | Task::Move => self.allocation.handle_silence(self.now),
            Task::Permit(_) | Task::Bind { .. } => self.heard_at > since,
            Task::Allocate | Task::Delete | Task::Connect(_) | Task::BindConnection { .. } => false,
        }
    }

    /// Tells in time that another token is wanted.
    fn renew_token(&mut self) {
        if self.token_deadline().is_some_and(|due| due <= self.now) {
            self.token_due = None;
            if let Some(server_name) = self.requests.login().server_name().map(String::from) {
                self.tell(Event::TokenWanted { server_name });
            }
        }
    }

    /// A Refresh that is under way is sent again often enough.
    fn keepalive_deadline(&self) -> Option<Instant> {
        let keepalive = self.config.keepalive.filter(|_| self.allocation.awaits_refresh())?;
        Some(self.sent_at + keepalive.max(SHORTEST_KEEPALIVE))
    }

    /// What ends without an allocation is told when one is asked for.
    fn token_deadline(&self) -> Option<Instant> {
        self.token_due.filter(|_| self.allocation.live().is_some())
    }

    fn expire(&mut self) {
        if self.allocation.is_expired(self.now) {
            let silent = self.allocation.is_silent();
            self.lose(if silent { LostReason::Silent } else { LostReason::Expired });
        }
    }

    fn next_wait(&self) -> Option<(Instant, Why)> {
        [
            (self.requests.deadline(), Why::Retransmit),
            (self.allocation.deadline(), Why::RefreshAllocation),
            (self.token_deadline(), Why::RefreshAllocation),
            (self.keepalive_deadline(), Why::Keepalive),
            (self.permissions.deadline(), Why::RefreshPermission),
            (self.channels.deadline(), Why::RefreshChannel),
            (self.connections_deadline(), Why::Connection),
        ]
        .into_iter()
        .filter_map(|(until, why)| Some((until?, why)))
        .min()
    }

    fn ask(&mut self, task: Task) {
        self.ask_again(task, Attempt::new(self.config.transport).understanding(task.understood()));
    }

    fn ask_again(&mut self, task: Task, attempt: Attempt) {
        let id = self.chance.transaction_id();
        let ticket = self.allocation.ticket().filter(|_| task == Task::Move);
        match self.requests.start(self.now, id, task, attempt, &self.config, ticket) {
            Ok(()) => self.queue.push_back(Queued::Request(id)),
            Err(error) => self.handle_failed(task, Failure::Unsendable(error)),
        }
    }

    fn tell(&mut self, event: Event) {
        self.queue.push_back(Queued::Event(event));
    }

    fn try_keep_permission(&mut self, peer: IpAddr) -> Result<(), Refusal> {
        self.check_family(peer)?;
        if !self.permissions.keep(peer) {
            return Err(Refusal::new(
                508,
                alloc::format!("this client keeps {} permissions at most", permission::MAX),
            ));
        }
        Ok(())
    }

    /// Whether a peer of this family can be reached, as far as is known.
    fn check_family(&self, peer: IpAddr) -> Result<(), Refusal> {
        let family = Family::of(peer);
        let reachable = match self.allocation.live() {
            Some(live) => live.grant.has(family),
            None => self.config.wanted.includes(family),
        };
        if reachable {
            Ok(())
        } else {
            Err(Refusal::new(443, "the peer is of another address family than the relayed address"))
        }
    }

    fn try_keep_channel(&mut self, peer: SocketAddr) -> Result<(), Refusal> {
        if self.config.wanted.is_tcp() {
            return Err(Refusal::new(403, "the allocation relays TCP, which has no channels"));
        }
        if !self.channels.keep(self.now, peer) {
            return Err(Refusal::new(
                508,
                alloc::format!("this client keeps {} channels at most", channel::MAX),
            ));
        }
        Ok(())
    }

    const fn is_ending(&self) -> bool {
        matches!(self.allocation, Allocation::Leaving { .. } | Allocation::Over)
    }
}

/// RFC 8489 §14.8.
const TRY_ALTERNATE: u16 = 300;

/// Allocations in a row that were lost before they were of any use.
const MAX_LOSSES: u32 = 8;

/// However short a keepalive is wanted, a server is asked once a second at most.
const SHORTEST_KEEPALIVE: Duration = Duration::from_secs(1);

/// As long as a network may need to come back.
const SHORT_REST: Duration = Duration::from_secs(15);

/// RFC 8489 §14.8.
const BAD_REQUEST: u16 = 400;

/// RFC 8489 §14.8.
const UNAUTHENTICATED: u16 = 401;

/// UDP over IPv4: 65535 less 20 bytes of IP header and 8 of UDP.
const MAX_UDP_PAYLOAD: usize = 65_507;

/// Outputs that may wait to be polled before what peers can provoke is no longer told.
const MAX_QUEUE: usize = 256;
