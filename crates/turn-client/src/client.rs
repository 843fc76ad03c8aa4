//! The client's doors and the wiring behind them; what is decided is decided in the modules beside this one.

mod arrivals;
mod schedule;
mod tasks;
mod tcp;

use alloc::collections::VecDeque;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::{
    Chance, Drops, Icmp, Input, Instant, MAX_TRANSMIT, Machine, Need, Output, Received, Redirects, SendPlan,
    SocketId, TransactionId, Transmit, Transport, Why,
};

use crate::allocation::Allocation;
use crate::channel::Channels;
use crate::connection::Connections;
use crate::permission::Permissions;
use crate::relay::{self, PeerData};
use crate::requests::{Requests, Task};
use crate::{AllocateFailure, Config, Credentials, Event, LostReason, SendError, Token};

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
        let Some(mut plan) = plan else { return Err(SendError::TooLong { len }) };
        if self.config.transport.is_stream() {
            plan = plan.padded();
        }
        if plan.packet_len() <= MAX_UDP_PAYLOAD { Ok(plan) } else { Err(SendError::TooLong { len }) }
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
