//! Allocate (RFC 8656 §7.2): from the request to the ports, and from the open sockets to the answer.
//!
//! ```text
//!   first ──open──▶ nothing beside ──▶ settled
//!     │  ▲          other family ──open, or not──▶ settled
//!     │  │          next port ──open──▶ settled, and a reservation
//!     │  └──────────── taken ┘
//!     ├ taken: another port
//!     └ not to be had: IPv6 alone if both were asked for, else 508
//! ```

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{
    AdditionalAddressFamily, AlternateServer, Attribute, DontFragment, ErrorCode, EvenPort, Family, Lifetime,
    RequestedAddressFamily, RequestedTransport, ReservationToken,
};
use floe_stun::{Authenticated, Failure, Message, Need, RequestId, SocketId, Transport};

use crate::Event;
use crate::allocation::{Allocation, AllocationId, Beside, FiveTuple, Opening, Relayed, Slot, Wish};
use crate::answer::{Body, Refusal, Reply};
use crate::auth::User;
use crate::ports::Parity;
use crate::server::{Queued, Server};

impl Wish {
    /// The checks of RFC 8656 §7.2 from the third on, in their order, and those of RFC 6062 §5.1.
    fn read(request: &Authenticated<Message<'_>>, server: &Server) -> Result<Self, Refusal> {
        let is_tcp = wants_tcp(request, server)?;
        let [even, one, both, whole] =
            [EvenPort::TYPE, RequestedAddressFamily::TYPE, AdditionalAddressFamily::TYPE, DontFragment::TYPE]
                .map(|kind| request.has(kind));
        if one && both || is_tcp && (even || whole) {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        let family = match request.get::<RequestedAddressFamily>() {
            None => Family::Ipv4,
            Some(Ok(RequestedAddressFamily(family))) => family,
            Some(Err(_)) => return Err(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED.into()),
        };
        let relays = server.own.relays_of(family);
        if relays.is_empty() {
            return Err(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED.into());
        }
        let (parity, next) = match request.get::<EvenPort>() {
            None => (Parity::Any, false),
            Some(Ok(EvenPort { reserve_next })) if !(reserve_next && both) => (Parity::Even, reserve_next),
            Some(_) => return Err(ErrorCode::BAD_REQUEST.into()),
        };
        let beside = match request.get::<AdditionalAddressFamily>() {
            None if next => Beside::NextPort,
            None => Beside::Nothing,
            Some(Ok(AdditionalAddressFamily(Family::Ipv6))) => match server.own.relays_of(Family::Ipv6) {
                none if none.is_empty() => {
                    Beside::missing(Family::Ipv6, ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)
                }
                others => Beside::Other(others),
            },
            Some(_) => return Err(ErrorCode::BAD_REQUEST.into()),
        };
        let lifetime = server.terms.lifetime(lifetime(request)?);
        Ok(Self { relays, parity, beside, is_tcp, lifetime, moves: server.wants_ticket(request)? })
    }
}

/// REQUESTED-TRANSPORT, the third check of RFC 8656 §7.2.
fn wants_tcp(request: &Authenticated<Message<'_>>, server: &Server) -> Result<bool, Refusal> {
    match request.find() {
        Some(RequestedTransport::UDP) => Ok(false),
        Some(RequestedTransport::TCP) if server.terms.tcp => Ok(true),
        Some(_) => Err(ErrorCode::UNSUPPORTED_TRANSPORT.into()),
        None => Err(ErrorCode::BAD_REQUEST.into()),
    }
}

/// LIFETIME, if it is there.
pub(crate) fn lifetime(request: &Authenticated<Message<'_>>) -> Result<Option<Duration>, Refusal> {
    match request.get::<Lifetime>() {
        None => Ok(None),
        Some(Ok(Lifetime(asked))) => Ok(Some(asked)),
        Some(Err(_)) => Err(ErrorCode::BAD_REQUEST.into()),
    }
}

impl Server {
    /// Begins an allocation. `None` while its sockets are awaited, also for retransmissions of the request.
    pub(crate) fn allocate(
        &mut self,
        reply: &Reply,
        user: &Arc<User>,
        request: &Authenticated<Message<'_>>,
    ) -> Result<Option<Body>, Refusal> {
        if let Some(id) = self.allocations.of_client(reply.to) {
            let is_repeated = self.allocations.slot(id).is_some_and(|slot| slot.is_made_by(user, reply.id));
            return match self.allocations.live(id) {
                _ if !is_repeated => Err(ErrorCode::ALLOCATION_MISMATCH.into()),
                allocation => Ok(allocation.map(|allocation| allocation.success(self.now))),
            };
        }
        if let Some(refusal) = self.send_elsewhere(reply.to) {
            return Err(refusal);
        }
        if let Some(token) = request.get::<ReservationToken>() {
            return self.allocate_reserved(reply, user, request, token.ok()).map(Some);
        }
        let is_stream = self.own.is_stream(reply.to.listener);
        let mut wish = Wish::read(request, self)?;
        if wish.is_tcp && !is_stream {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        self.quota.check(&user.owner, wish.places(), &self.terms.limits)?;
        let bind = loop {
            match self.take_port(&wish.relays, wish.parity, &[]) {
                Some(bind) => break bind,
                None if wish.do_without_first() => {}
                None => return Err(ErrorCode::INSUFFICIENT_CAPACITY.into()),
            }
        };
        self.quota.take(&user.owner, wish.places());
        let request = self.next_request();
        self.need_socket(request, bind, wish.is_tcp);
        let (reply, user) = (reply.clone(), user.clone());
        self.allocations.open(Opening { reply, user, wish, request, bind, tried: Vec::new(), first: None });
        Ok(None)
    }

    /// Takes over the port that was kept for it.
    fn allocate_reserved(
        &mut self,
        reply: &Reply,
        user: &Arc<User>,
        request: &Authenticated<Message<'_>>,
        token: Option<ReservationToken>,
    ) -> Result<Body, Refusal> {
        let others = [EvenPort::TYPE, RequestedAddressFamily::TYPE, AdditionalAddressFamily::TYPE];
        if wants_tcp(request, self)? || others.into_iter().any(|kind| request.has(kind)) {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        let token = token.ok_or(ErrorCode::BAD_REQUEST)?;
        let lifetime = self.terms.lifetime(lifetime(request)?);
        let moves = self.wants_ticket(request)?;
        let first = self.reservations.take(token, &user.owner).ok_or(ErrorCode::INSUFFICIENT_CAPACITY)?;
        let allocation = Allocation {
            client: reply.to,
            user: user.clone(),
            made_by: reply.id,
            first: Relayed { until: self.now + lifetime, ..first },
            second: Err(None),
            is_tcp: false,
            reserved: None,
            passport: None,
            permissions: Default::default(),
            channels: Default::default(),
        };
        let id = self.allocations.enter_live(allocation);
        self.grant(id, moves).ok_or_else(|| ErrorCode::INSUFFICIENT_CAPACITY.into())
    }

    /// 300, or 508, where no new allocations are to be had.
    /// A name is for clients that check it.
    fn send_elsewhere(&mut self, client: FiveTuple) -> Option<Refusal> {
        let alternates = self.drained_to.as_ref()?;
        let checks = self.own.transport(client.listener).is_some_and(Transport::is_secure);
        let fitting: Vec<_> = alternates
            .iter()
            .filter(|(AlternateServer(address), domain)| {
                address.is_ipv4() == client.client.is_ipv4() && domain.is_some() == checks
            })
            .cloned()
            .collect();
        let place =
            usize::try_from(self.chance.below(u32::try_from(fitting.len()).unwrap_or(0))).unwrap_or(0);
        Some(match fitting.into_iter().nth(place) {
            Some((to, domain)) => Refusal::Elsewhere(to, domain),
            None => ErrorCode::INSUFFICIENT_CAPACITY.into(),
        })
    }

    /// A free port of any of these addresses.
    fn take_port(&mut self, relays: &[IpAddr], parity: Parity, tried: &[SocketAddr]) -> Option<SocketAddr> {
        let first = self.chance.below(u32::try_from(relays.len()).ok()?);
        let from_first = relays.iter().cycle().skip(usize::try_from(first).ok()?).take(relays.len());
        from_first.copied().find_map(|ip| self.ports.take(&mut self.chance, ip, parity, tried))
    }

    fn need_socket(&mut self, request: RequestId, bind: SocketAddr, is_tcp: bool) {
        self.outbox.push_back(Queued::Need(match is_tcp {
            true => Need::Listen { request, bind },
            false => Need::Udp { request, bind },
        }));
    }

    /// The host has opened a socket.
    pub(crate) fn handle_opened(&mut self, request: RequestId, socket: SocketId, local: SocketAddr) -> bool {
        if self.forget_abandoned(request) {
            self.outbox.push_back(Queued::Need(Need::Close { socket }));
            return true;
        }
        if self.handle_connected(request, socket) {
            return true;
        }
        let Some(id) = self.allocations.of_request(request) else { return false };
        let Some(opening) = self.allocations.opening_mut(id) else { return false };
        let ip = if local.ip().is_unspecified() { opening.bind.ip() } else { local.ip() };
        let (local, bound) = (SocketAddr::new(ip, local.port()), opening.bind);
        let opened = Relayed { socket, local, address: self.own.external(local), bound, until: self.now };
        let is_second_of_pair = opening.first.is_some() && matches!(opening.wish.beside, Beside::NextPort);
        if opening.wish.parity == Parity::Even && !is_second_of_pair && !local.port().is_multiple_of(2) {
            self.outbox.push_back(Queued::Need(Need::Close { socket }));
            self.try_another(id, Failure::InUse);
            return true;
        }
        match (opening.first, &opening.wish.beside) {
            (None, Beside::Nothing | Beside::Missing(_)) => self.settle(id, opened, None),
            (None, Beside::Other(_) | Beside::NextPort) => {
                self.allocations.has_first(id, opened);
                self.open_beside(id);
            }
            (Some(first), _) => self.settle(id, first, Some(opened)),
        }
        true
    }

    /// The host could not open a socket.
    pub(crate) fn handle_failed(&mut self, request: RequestId, why: Failure) -> bool {
        if self.forget_abandoned(request) || self.handle_not_connected(request) {
            return true;
        }
        let Some(id) = self.allocations.of_request(request) else { return false };
        self.try_another(id, why);
        true
    }

    /// A need whose client is gone is answered, and holds no place any more.
    fn forget_abandoned(&mut self, request: RequestId) -> bool {
        let owner = self.abandoned.remove(&request);
        if let Some(owner) = &owner {
            self.quota.give_back(owner, 1);
        }
        owner.is_some()
    }

    /// A port is of no use: another, or less than was asked for, or nothing.
    fn try_another(&mut self, id: AllocationId, why: Failure) {
        let limit = self.terms.limits.port_attempts;
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        let bind = opening.bind;
        opening.tried.push(bind);
        let may_try = why == Failure::InUse && opening.tried.len() < limit;
        let (first, is_pair) = (opening.first, matches!(opening.wish.beside, Beside::NextPort));
        self.ports.give_back(bind);
        match first {
            None if may_try => self.open_first(id),
            Some(first) if may_try && is_pair => self.open_another_pair(id, first.bound),
            Some(_) if may_try => self.open_beside(id),
            _ => self.do_with_less(id),
        }
    }

    fn open_first(&mut self, id: AllocationId) {
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        let (Wish { relays, parity, .. }, tried) = (opening.wish.clone(), opening.tried.clone());
        match self.take_port(&relays, parity, &tried) {
            Some(bind) => self.open(id, bind),
            None => self.do_with_less(id),
        }
    }

    /// The first socket is open: now the one beside it.
    fn open_beside(&mut self, id: AllocationId) {
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        let Some(first) = opening.first else { return };
        let (Wish { beside, parity, .. }, tried) = (opening.wish.clone(), opening.tried.clone());
        match beside {
            Beside::NextPort => {
                let pair = SocketAddr::new(first.bound.ip(), first.local.port());
                match self.ports.take_next(pair) {
                    Some(bind) => self.open(id, bind),
                    None => self.open_another_pair(id, first.bound),
                }
            }
            Beside::Other(relays) => match self.take_port(&relays, parity, &tried) {
                Some(bind) => self.open(id, bind),
                None => self.do_with_less(id),
            },
            Beside::Nothing | Beside::Missing(_) => {}
        }
    }

    fn open(&mut self, id: AllocationId, bind: SocketAddr) {
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        let is_tcp = opening.wish.is_tcp;
        let request = self.next_request();
        self.allocations.wait_for(id, request, bind);
        self.need_socket(request, bind, is_tcp);
    }

    /// The port behind this one is taken: another two may be free.
    fn open_another_pair(&mut self, id: AllocationId, tried: SocketAddr) {
        let limit = self.terms.limits.port_attempts;
        if let Some(first) = self.allocations.take_first(id) {
            self.give_back(first);
        }
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        opening.tried.push(tried);
        match opening.tried.len() < limit {
            true => self.open_first(id),
            false => self.do_with_less(id),
        }
    }

    /// Not all that was asked for is to be had: one of two families will do, half a pair will not (RFC 8656 §7.2).
    fn do_with_less(&mut self, id: AllocationId) {
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        match (opening.first, &opening.wish.beside) {
            (Some(first), Beside::Other(_)) => {
                opening.wish.beside = Beside::missing(Family::Ipv6, ErrorCode::INSUFFICIENT_CAPACITY);
                self.settle(id, first, None);
            }
            (None, Beside::Other(_)) => {
                opening.wish.do_without_first();
                opening.tried.clear();
                self.open_first(id);
            }
            _ => self.give_up(id),
        }
    }

    fn give_up(&mut self, id: AllocationId) {
        if let Some(Slot::Opening(opening)) = self.allocations.remove(id) {
            self.quota.give_back(&opening.user.owner, opening.wish.places());
            if let Some(first) = opening.first {
                self.give_back(first);
            }
            self.answer(opening.reply, Body::Refused(ErrorCode::INSUFFICIENT_CAPACITY.into()));
        }
    }

    /// All sockets are open: it relays from now on.
    fn settle(&mut self, id: AllocationId, first: Relayed, beside: Option<Relayed>) {
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        let (reply, user, wish) = (opening.reply.clone(), opening.user.clone(), opening.wish.clone());
        let until = self.now + wish.lifetime;
        let second = match (&wish.beside, beside) {
            (Beside::Other(_), Some(second)) => Ok(Relayed { until, ..second }),
            (Beside::Missing(why), _) => Err(Some(*why)),
            _ => Err(None),
        };
        let reserved = beside
            .filter(|_| matches!(wish.beside, Beside::NextPort))
            .map(|next| self.reservations.keep(&mut self.chance, self.now, user.owner.clone(), next));
        self.allocations.settle(
            id,
            Allocation {
                client: reply.to,
                user,
                made_by: reply.id,
                first: Relayed { until, ..first },
                second,
                is_tcp: wish.is_tcp,
                reserved,
                passport: None,
                permissions: Default::default(),
                channels: Default::default(),
            },
        );
        if let Some(body) = self.grant(id, wish.moves) {
            self.answer(reply, body);
        }
    }

    /// Tells of an allocation that has just begun; its answer.
    fn grant(&mut self, id: AllocationId, moves: bool) -> Option<Body> {
        let passport = moves.then(|| Box::new(self.tickets.issue(&mut self.chance, id)));
        let allocation = self.allocations.live_mut(id)?;
        allocation.passport = passport;
        let body = allocation.success(self.now);
        let event = Event::Allocated {
            client: allocation.client.client,
            relayed: allocation.first.address,
            second: allocation.second.ok().map(|second| second.address),
            socket: allocation.first.socket,
            user: allocation.user.name.clone(),
        };
        self.stats.allocations_total = self.stats.allocations_total.saturating_add(1);
        self.outbox.push_back(Queued::Event(event));
        Some(body)
    }

    /// Closes a relayed socket and frees its port.
    pub(crate) fn give_back(&mut self, relayed: Relayed) {
        self.ports.give_back(relayed.bound);
        self.outbox.push_back(Queued::Need(Need::Close { socket: relayed.socket }));
    }
}
