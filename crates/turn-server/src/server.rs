//! The two doors of the server, and the wiring behind them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::attribute::{AlternateServer, ErrorCode, Family, IcmpAttribute};
use floe_stun::{
    Chance, Dropped, Forward, Input, Instant, MAX_TRANSMIT, Machine, Need, Output, Received, RequestId,
    SocketId, TransactionId, Transmit, Transport, Why,
};

use crate::allocation::{Allocation, AllocationId, FiveTuple, Relayed, Slot, Terms};
use crate::answer::{Body, Reply, encode_attempt, encode_icmp};
use crate::auth::Auth;
use crate::bandwidth::Bandwidth;
use crate::behaviour::Behaviour;
use crate::connections::Connections;
use crate::lookup::Lookups;
use crate::mobility::Tickets;
use crate::own::Own;
use crate::ports::Ports;
use crate::quota::Quota;
use crate::rate::RateLimit;
use crate::report::Reports;
use crate::reservation::{Reservation, Reservations};
use crate::table::Allocations;
use crate::{AddressPair, AddressPairError, Config, Event, Released, Stats};

/// A STUN and TURN server; see [`floe_stun::door`] for the loop that drives it.
#[derive(Debug)]
pub struct Server {
    pub(crate) now: Instant,
    pub(crate) auth: Auth,
    pub(crate) terms: Terms,
    software: Option<String>,
    pub(crate) own: Own,
    pub(crate) behaviour: Behaviour,
    closed: bool,
    /// Where new clients are sent, once there are to be none here any more.
    pub(crate) drained_to: Option<Vec<(AlternateServer, Option<String>)>>,
    pub(crate) asks_host: bool,
    pub(crate) lookups: Lookups,
    pub(crate) allocations: Allocations,
    pub(crate) quota: Quota,
    pub(crate) ports: Ports,
    pub(crate) reservations: Reservations,
    pub(crate) tickets: Tickets,
    pub(crate) connections: Connections,
    pub(crate) bandwidth: Bandwidth,
    /// Needs whose client is gone before they are met; each holds a place of this user.
    pub(crate) abandoned: BTreeMap<RequestId, Arc<str>>,
    last_request: u32,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) chance: Chance,
    pub(crate) outbox: VecDeque<Queued>,
    pub(crate) reports: Reports,
    pub(crate) stats: Stats,
}

/// What waits for [`Machine::poll_output`].
#[derive(Debug)]
pub(crate) enum Queued {
    Answer(Reply, Body),
    Icmp { to: FiveTuple, id: TransactionId, peer: SocketAddr, icmp: IcmpAttribute },
    Attempt { to: FiveTuple, id: TransactionId, peer: SocketAddr, connection: u32 },
    Need(Need),
    Event(Event),
}

impl Queued {
    /// Whether it is of no use without this socket.
    fn needs(&self, socket: SocketId) -> bool {
        match self {
            Self::Answer(Reply { to, .. }, _) | Self::Icmp { to, .. } | Self::Attempt { to, .. } => {
                to.listener == socket
            }
            Self::Need(Need::Close { socket: s }) => *s == socket,
            Self::Need(Need::Join { one, other }) => [*one, *other].contains(&socket),
            Self::Need(_) | Self::Event(_) => false,
        }
    }
}

impl Server {
    /// A server with this configuration. It hears nothing until [`Self::listen`].
    ///
    /// Ports, transaction ids and the secret behind the nonces all come from `seed`.
    #[must_use]
    pub fn new(now: Instant, mut config: Config, seed: [u8; 32]) -> Self {
        let mut chance = Chance::new(seed);
        let has_users = !config.users.is_empty() || !config.secrets.is_empty() || config.asks_host;
        let auth = Auth::new(&mut config, chance.seed());
        let relays = if has_users { config.relay_addresses } else { Vec::new() };
        let rate = config.limits.unauthenticated_per_second;
        Self {
            now,
            auth,
            terms: Terms {
                peers: config.peers.clone(),
                limits: config.limits,
                default_lifetime: config.default_lifetime,
                max_lifetime: config.max_lifetime,
                tcp: config.tcp,
                mobility: config.mobility,
                dont_fragment: config.dont_fragment,
            },
            software: config.software.map(|software| software.chars().take(MAX_SOFTWARE).collect()),
            own: Own::new(
                relays,
                config.external,
                config.host_addresses,
                config.relay_ports.clone(),
                config.peers,
            ),
            behaviour: Behaviour::default(),
            closed: false,
            drained_to: None,
            asks_host: config.asks_host,
            lookups: Lookups::default(),
            allocations: Allocations::default(),
            quota: Quota::default(),
            ports: Ports::new(config.relay_ports),
            reservations: Reservations::default(),
            tickets: Tickets::default(),
            connections: Connections::default(),
            bandwidth: Bandwidth::default(),
            abandoned: BTreeMap::new(),
            last_request: 0,
            rate: rate.map(|per_second| RateLimit::new(per_second, &mut chance)),
            chance,
            outbox: VecDeque::new(),
            reports: Reports::default(),
            stats: Stats::default(),
        }
    }

    /// Takes requests of clients from this UDP socket, which the host has bound to `local`.
    ///
    /// Answers leave from the socket their request came to, so one that is bound to all addresses will do where the
    /// host answers from the right one. Nobody is relayed to `local`; all addresses stand for those of the relays and
    /// of loopback, which are all that the server knows of its host.
    pub fn listen(&mut self, socket: SocketId, local: SocketAddr) {
        self.own.listeners.insert(socket, local);
    }

    /// Nobody is relayed to this address: the host accepts streams there, of clients or for a purpose of its own.
    pub fn keep_away_from(&mut self, local: SocketAddr) {
        self.own.beside.insert(local);
    }

    /// Takes requests of the client that has opened this stream, or with DTLS this session; the host has accepted it,
    /// with whatever the transport demands. [`Input::Closed`] ends what hangs on it.
    ///
    /// The host gives what comes in pieces that a [`Cutter`](floe_stun::stream::Cutter) of
    /// [`Framing::Turn`](floe_stun::stream::Framing::Turn) makes, from the client's address, and closes a stream that
    /// can be cut no further. What leaves on it goes into the stream whole and as it is.
    pub fn accept(&mut self, socket: SocketId, transport: Transport) {
        self.own.connections.insert(socket, transport);
    }

    /// Serves NAT behaviour discovery (RFC 5780) on these four sockets it listens on, each bound to its own address:
    /// Binding answers name the address they come from and the other one, and come from there on request. It ends
    /// when one of the four is closed. A server may have one pair of each family, or more.
    ///
    /// ```
    /// use floe_stun::{Instant, SocketId};
    /// use floe_turn_server::{AddressPair, Config, Server};
    ///
    /// let (primary, alternate) = ("192.0.2.1:3478".parse().unwrap(), "192.0.2.2:3479".parse().unwrap());
    /// let pair = AddressPair::new(primary, alternate).unwrap();
    /// let mut server = Server::new(Instant::ORIGIN, Config::new("example.org"), [7; 32]);
    /// for (n, corner) in (0..).zip(pair.corners()) {
    ///     server.listen(SocketId(n), corner); // a socket that the host has bound there
    /// }
    /// server.serve_discovery(&pair).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// If the server does not listen on all four, or serves discovery on one of them already; then nothing changes.
    pub fn serve_discovery(&mut self, pair: &AddressPair) -> Result<(), AddressPairError> {
        self.behaviour.add(pair, &self.own.listeners)
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { allocations: self.allocations.live_count(), ..self.stats }
    }

    /// Whether it holds nothing for anybody: no allocation, no port that is kept for one, no connection to a peer, no
    /// socket that the host has yet to open. A server that is drained comes to that.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.allocations.is_empty()
            && self.reservations.is_empty()
            && self.connections.is_empty()
            && self.abandoned.is_empty()
            && self.tickets.is_empty()
            && self.ports.is_empty()
            && self.quota.is_empty()
    }

    /// Ends all allocations and closes their sockets; what clients send from now on is dropped.
    pub fn close(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.closed = true;
        for id in self.allocations.ids() {
            self.release(id, Released::ServerClosed);
        }
        while let Some(kept) = self.reservations.take_any() {
            self.end_reservation(kept);
        }
        self.lookups.forget_all();
    }

    /// Takes no new allocations from now on, and sends those who ask for one to one of these servers of their family, by
    /// 300 (RFC 8489 §10); to none of them, by 508. Who has an allocation keeps it, for as long as the host waits until the
    /// server [is idle](Self::is_idle).
    ///
    /// Those with a name are for clients over TLS and DTLS, which check it against the certificate (ALTERNATE-DOMAIN), those
    /// without for all others. A server that
    /// only spreads load among others is drained from the beginning.
    pub fn drain(&mut self, to: impl IntoIterator<Item = (SocketAddr, Option<String>)>) {
        let to = to.into_iter().map(|(address, domain)| (AlternateServer(address), domain));
        self.drained_to = Some(to.collect());
    }

    fn handle_datagram<'p>(
        &mut self,
        socket: SocketId,
        from: SocketAddr,
        data: &'p [u8],
    ) -> Result<Received<Forward<'p>>, Dropped> {
        let forward = if self.own.hears(socket) {
            if self.closed {
                return Err(Dropped::Closed);
            }
            // Nothing can be sent back to port 0.
            if from.port() == 0 {
                return Err(Dropped::WrongSource);
            }
            let client = without_flow(from);
            self.handle_client(FiveTuple { listener: socket, client }, data)?
        } else {
            let peer = SocketAddr::new(from.ip(), from.port());
            match self.relay_from_peer(socket, peer, data) {
                Some(forward) => Some(forward?),
                None => return Ok(Received::NotMine),
            }
        };
        Ok(forward.map_or(Received::Consumed, Received::App))
    }

    /// A socket is gone without our doing.
    fn handle_closed(&mut self, socket: SocketId) -> bool {
        let is_ours = self.end_socket(socket);
        if is_ours {
            self.outbox.retain(|queued| !queued.needs(socket));
        }
        is_ours
    }

    fn end_socket(&mut self, socket: SocketId) -> bool {
        if let Some(id) = self.allocations.any_of_socket(socket) {
            self.end_relayed(id);
            return true;
        }
        if let Some(kept) = self.reservations.take_closed(socket) {
            self.end_reservation(kept);
            return true;
        }
        if self.handle_connection_closed(socket) {
            return true;
        }
        if !self.own.forget(socket) {
            return false;
        }
        self.behaviour.remove(socket);
        for id in self.allocations.of_listener(socket) {
            self.handle_client_gone(id, socket);
        }
        true
    }

    /// A relayed socket is gone, and with it the allocation; a client that still waits for it is told.
    fn end_relayed(&mut self, id: AllocationId) {
        let waiting = self.allocations.opening_mut(id).map(|opening| opening.reply.clone());
        self.release(id, Released::SocketClosed);
        if let Some(reply) = waiting {
            self.answer(reply, Body::Refused(ErrorCode::INSUFFICIENT_CAPACITY.into()));
        }
    }

    fn expire(&mut self) {
        while let Some(id) = self.allocations.expired(self.now) {
            self.expire_relayed(id);
        }
        while let Some(kept) = self.reservations.take_expired(self.now) {
            self.end_reservation(kept);
        }
        self.expire_connections();
    }

    /// Each of two relayed addresses has its own time.
    fn expire_relayed(&mut self, id: AllocationId) {
        let now = self.now;
        let family = |relayed: &Relayed| Family::of(relayed.address.ip());
        let over = self.allocations.live(id).and_then(|allocation| {
            let (mut over, mut left) = (None, false);
            for relayed in allocation.sockets() {
                if relayed.until <= now { over = Some(family(relayed)) } else { left = true }
            }
            over.filter(|_| left)
        });
        match over {
            Some(family) => self.release_family(id, family),
            None => self.release(id, Released::Expired),
        }
    }

    /// Ends an allocation, in whatever state it is.
    pub(crate) fn release(&mut self, id: AllocationId, why: Released) {
        match self.allocations.remove(id) {
            Some(Slot::Live(allocation)) => {
                self.close_connections(id, &allocation.user, None);
                for relayed in allocation.sockets() {
                    self.give_back(*relayed);
                }
                let Allocation { client, user, first, passport, .. } = allocation;
                if let Some(passport) = passport {
                    self.tickets.revoke(&passport);
                }
                self.quota.give_back(&user.owner, 1);
                self.outbox.push_back(Queued::Event(Event::Released {
                    client: client.client,
                    relayed: first.address,
                    user: user.name.clone(),
                    why,
                }));
            }
            Some(Slot::Opening(opening)) => {
                self.ports.give_back(opening.bind);
                self.quota.give_back(&opening.user.owner, opening.wish.places());
                self.abandon(opening.request, &opening.user.owner);
                if let Some(first) = opening.first {
                    self.give_back(first);
                }
            }
            None => {}
        }
    }

    /// Ends one of two relayed addresses, with what belongs to peers of its family.
    pub(crate) fn release_family(&mut self, id: AllocationId, family: Family) {
        let Some(gone) = self.allocations.remove_family(id, family) else { return };
        self.give_back(gone);
        if let Some(user) = self.allocations.live(id).map(|allocation| allocation.user.clone()) {
            self.close_connections(id, &user, Some(family));
        }
    }

    fn end_reservation(&mut self, Reservation { relayed, owner }: Reservation) {
        self.quota.give_back(&owner, 1);
        self.give_back(relayed);
    }

    /// Nobody waits for this need any more. It holds a place until the host answers it, or whoever asks and leaves, again and
    /// again, would have more of the host than those who stay.
    pub(crate) fn abandon(&mut self, request: RequestId, owner: &Arc<str>) {
        self.quota.take(owner, 1);
        self.abandoned.insert(request, owner.clone());
    }

    /// Whether there is anything but Binding to be had.
    pub(crate) const fn relays_for_users(&self) -> bool {
        !self.own.relays.is_empty()
    }

    pub(crate) fn answer(&mut self, reply: Reply, body: Body) {
        if matches!(body, Body::Refused(_)) {
            self.stats.refused = self.stats.refused.saturating_add(1);
        }
        self.outbox.push_back(Queued::Answer(reply, body));
    }

    pub(crate) const fn next_request(&mut self) -> RequestId {
        self.last_request = self.last_request.wrapping_add(1);
        RequestId(self.last_request)
    }

    /// Writes what there is to be sent; how long it is, from where and to where.
    fn encode(&self, queued: &Queued, buf: &mut [u8]) -> Option<(FiveTuple, usize)> {
        let (to, written) = match queued {
            Queued::Answer(reply, body) => {
                (reply.to, reply.encode(buf, self.now, &self.auth, self.software.as_deref(), body))
            }
            Queued::Icmp { to, id, peer, icmp } => (*to, encode_icmp(buf, *id, *peer, *icmp)),
            Queued::Attempt { to, id, peer, connection } => {
                (*to, encode_attempt(buf, *id, *peer, *connection))
            }
            Queued::Need(_) | Queued::Event(_) => return None,
        };
        Some((to, written.ok()?.len()))
    }
}

impl Machine for Server {
    type App<'p> = Forward<'p>;
    type Event = Event;

    fn handle_input<'p>(&mut self, now: Instant, input: Input<'p>) -> Received<Forward<'p>> {
        self.now = self.now.max(now);
        self.expire();
        let consumed = |is_ours| if is_ours { Received::Consumed } else { Received::NotMine };
        let judged = match input {
            Input::Datagram { socket, from, data } => self.handle_datagram(socket, from, data),
            Input::Opened { request, socket, local } => {
                Ok(consumed(self.handle_opened(request, socket, local)))
            }
            Input::Failed { request, why } => Ok(consumed(self.handle_failed(request, why))),
            Input::Accepted { listener, socket, from } => {
                match self.handle_accepted(listener, socket, from) {
                    Some(judged) => judged.map(|()| Received::Consumed),
                    None => Ok(Received::NotMine),
                }
            }
            Input::Closed { socket } => Ok(consumed(self.handle_closed(socket))),
            Input::Icmp { socket, to, what } => match self.relay_icmp(socket, to, what) {
                Some(told) => told.map(|()| Received::Consumed),
                None => Ok(consumed(self.own.hears(socket))),
            },
            Input::Timeout => Ok(Received::Consumed),
            _ => Ok(Received::NotMine),
        };
        judged.unwrap_or_else(|why| {
            self.stats.drops.count(why);
            Received::Dropped(why)
        })
    }

    fn poll_output<'b>(&mut self, buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, Event> {
        while let Some(queued) = self.outbox.pop_front() {
            if let Some((to, len)) = self.encode(&queued, buf) {
                let bytes = buf.get(..len).unwrap_or_default();
                let transmit = Transmit::new(to.listener, to.client, bytes);
                if let Queued::Answer(_, Body::Joined { one, other }) = queued {
                    self.outbox.push_front(Queued::Need(Need::Join { one, other }));
                }
                return Output::Transmit(match queued {
                    Queued::Answer(_, Body::Discovered(found)) if found.is_padded() => {
                        transmit.in_fragments()
                    }
                    _ => transmit,
                });
            }
            match queued {
                Queued::Need(need) => return Output::Need(need),
                Queued::Event(event) => return Output::Event(event),
                Queued::Answer(..) | Queued::Icmp { .. } | Queued::Attempt { .. } => {}
            }
        }
        let deadlines =
            [self.allocations.deadline(), self.reservations.deadline(), self.connections.deadline()];
        match deadlines.into_iter().flatten().min() {
            Some(until) => Output::Wait { until, why: Why::RefreshAllocation },
            None => Output::Idle,
        }
    }
}

/// Two packets of one client may carry different flow labels.
fn without_flow(mut address: SocketAddr) -> SocketAddr {
    if let SocketAddr::V6(v6) = &mut address {
        v6.set_flowinfo(0);
    }
    address
}

/// In characters (RFC 8489 §14.14).
const MAX_SOFTWARE: usize = 127;
