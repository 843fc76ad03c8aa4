//! The two doors of the server, and the wiring behind them.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::attribute::IcmpAttribute;
use floe_stun::{
    Chance, Dropped, Forward, Input, Instant, MAX_TRANSMIT, Machine, Need, Output, Received, RequestId,
    SocketId, TransactionId, Transmit, Transport, Why,
};

use crate::allocation::{Allocations, FiveTuple, Slot, Terms};
use crate::answer::{Body, Reply, encode_icmp};
use crate::auth::Auth;
use crate::behaviour::Behaviour;
use crate::own::Own;
use crate::rate::RateLimit;
use crate::report::Reports;
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
    pub(crate) allocations: Allocations,
    /// Needs whose client is gone before they are met.
    pub(crate) abandoned: BTreeSet<RequestId>,
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
    Need(Need),
    Event(Event),
}

impl Server {
    /// A server with this configuration. It hears nothing until [`Self::listen`].
    ///
    /// Ports, transaction ids and the secret behind the nonces all come from `seed`.
    #[must_use]
    pub fn new(now: Instant, config: Config, seed: [u8; 32]) -> Self {
        let mut chance = Chance::new(seed);
        let relays = if config.users.is_empty() { Vec::new() } else { config.relay_addresses };
        let rate = config.limits.unauthenticated_per_second;
        Self {
            now,
            auth: Auth::new(config.realm, &config.users, config.nonce_lifetime, chance.seed()),
            terms: Terms {
                peers: config.peers,
                limits: config.limits,
                default_lifetime: config.default_lifetime,
                max_lifetime: config.max_lifetime,
            },
            software: config.software.map(|software| software.chars().take(MAX_SOFTWARE).collect()),
            own: Own::new(relays, config.relay_ports.clone(), config.peers),
            behaviour: Behaviour::default(),
            closed: false,
            allocations: Allocations::new(config.relay_ports),
            abandoned: BTreeSet::new(),
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

    /// Ends all allocations and closes their sockets; what clients send from now on is dropped.
    pub fn close(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.closed = true;
        for tuple in self.allocations.tuples() {
            self.release(tuple, Released::ServerClosed);
        }
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
        if let Some((tuple, _)) = self.allocations.of_socket(socket) {
            self.release(tuple, Released::SocketClosed);
            self.outbox
                .retain(|queued| !matches!(queued, Queued::Need(Need::Close { socket: s }) if *s == socket));
            return true;
        }
        if !self.own.forget(socket) {
            return false;
        }
        self.behaviour.remove(socket);
        self.outbox
            .retain(|queued| !matches!(queued, Queued::Answer(reply, _) if reply.to.listener == socket));
        for tuple in self.allocations.of_listener(socket) {
            self.release(tuple, Released::SocketClosed);
        }
        true
    }

    fn expire(&mut self) {
        while let Some(tuple) = self.allocations.take_expired(self.now) {
            self.release(tuple, Released::Expired);
        }
    }

    /// Ends an allocation, in whatever state it is.
    pub(crate) fn release(&mut self, tuple: FiveTuple, why: Released) {
        match self.allocations.remove(tuple) {
            Some(Slot::Live(allocation)) => {
                self.outbox.push_back(Queued::Need(Need::Close { socket: allocation.socket }));
                self.outbox.push_back(Queued::Event(Event::Released {
                    client: tuple.client,
                    relayed: allocation.relayed,
                    user: self.auth.name(allocation.user).into(),
                    why,
                }));
            }
            Some(Slot::Opening(opening)) => {
                self.abandoned.insert(opening.request);
            }
            None => {}
        }
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
            Input::Opened { request, socket, local } => self.handle_opened(request, socket, local),
            Input::Failed { request, why } => self.handle_failed(request, why),
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
                Queued::Answer(..) | Queued::Icmp { .. } => {}
            }
        }
        match self.allocations.deadline() {
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
