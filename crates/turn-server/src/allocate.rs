//! Allocate (RFC 8656 §7.2): from the request to the ports, and from the open sockets to the answer.
//!
//! ```text
//!   first ──open──▶ nothing beside ──▶ settled
//!     │  ▲          other family ──open, or not──▶ settled
//!     │  │          next port ──open──▶ settled, and a reservation
//!     │  └──────────── taken ┘
//!     └ taken: another port     else: 508
//! ```

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{
    AdditionalAddressFamily, AlternateServer, Attribute, DontFragment, ErrorCode, EvenPort, Family, Lifetime,
    RequestedAddressFamily, RequestedTransport, ReservationToken,
};
use floe_stun::{Authenticated, Failure, Message, Need, RequestId, SocketId};

use crate::Event;
use crate::allocation::{Allocation, AllocationId, Beside, Opening, Relayed, Slot, Wish};
use crate::answer::{Body, Refusal, Reply};
use crate::auth::User;
use crate::ports::Parity;
use crate::server::{Queued, Server};

impl Wish {
    /// The checks of RFC 8656 §7.2 from the third on, in their order, and those of RFC 6062 §5.1.
    fn read(request: &Authenticated<Message<'_>>, server: &Server) -> Result<Self, Refusal> {
        let is_tcp = match request.find::<RequestedTransport>() {
            Some(RequestedTransport::UDP) => false,
            Some(RequestedTransport::TCP) if server.terms.tcp => true,
            Some(_) => return Err(ErrorCode::UNSUPPORTED_TRANSPORT.into()),
            None => return Err(ErrorCode::BAD_REQUEST.into()),
        };
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
                none if none.is_empty() => Beside::Missing(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED),
                others => Beside::Other(others),
            },
            Some(_) => return Err(ErrorCode::BAD_REQUEST.into()),
        };
        let lifetime = server.terms.lifetime(lifetime(request)?);
        Ok(Self { relays, parity, beside, is_tcp, lifetime, moves: server.wants_ticket(request)? })
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
        if let Some(refusal) = self.send_elsewhere(reply.to.client) {
            return Err(refusal);
        }
        // On a stream that carries bytes of its own there is nobody to talk to.
        if self.connections.has_joined(reply.to.listener) {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        if let Some(token) = request.get::<ReservationToken>() {
            return self.allocate_reserved(reply, user, request, token.ok()).map(Some);
        }
        let is_stream = self.own.is_stream(reply.to.listener);
        let wish = Wish::read(request, self)?;
        if wish.is_tcp && !is_stream {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        self.check_quota(&user.owner)?;
        let ip = self.pick(&wish.relays).ok_or(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)?;
        let bind = self
            .ports
            .take(&mut self.chance, ip, wish.parity, &[])
            .ok_or(ErrorCode::INSUFFICIENT_CAPACITY)?;
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
        let is_udp = match request.find() {
            Some(RequestedTransport::UDP) => true,
            Some(RequestedTransport::TCP) => false,
            Some(_) => return Err(ErrorCode::UNSUPPORTED_TRANSPORT.into()),
            None => false,
        };
        if !is_udp || others.into_iter().any(|kind| request.has(kind)) {
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
            first,
            second: Err(None),
            is_tcp: false,
            reserved: None,
            passport: None,
            expires_at: self.now + lifetime,
            permissions: Default::default(),
            channels: Default::default(),
        };
        let id = self.allocations.enter_live(allocation);
        self.grant(id, moves).ok_or_else(|| ErrorCode::INSUFFICIENT_CAPACITY.into())
    }

    /// 300, or 508, where no new allocations are to be had.
    fn send_elsewhere(&mut self, client: SocketAddr) -> Option<Refusal> {
        let alternates = self.drained_to.as_ref()?;
        let fitting: Vec<_> = alternates
            .iter()
            .filter(|(AlternateServer(address), _)| address.is_ipv4() == client.is_ipv4())
            .cloned()
            .collect();
        let place =
            usize::try_from(self.chance.below(u32::try_from(fitting.len()).unwrap_or(0))).unwrap_or(0);
        Some(match fitting.into_iter().nth(place) {
            Some((to, domain)) => Refusal::Elsewhere(to, domain),
            None => ErrorCode::INSUFFICIENT_CAPACITY.into(),
        })
    }

    fn check_quota(&self, owner: &str) -> Result<(), Refusal> {
        self.allocations.check_quota(owner, self.reservations.count(owner), &self.terms.limits)
    }

    fn pick(&mut self, relays: &[IpAddr]) -> Option<IpAddr> {
        let place = self.chance.below(u32::try_from(relays.len()).ok()?);
        relays.get(usize::try_from(place).ok()?).copied()
    }

    fn need_socket(&mut self, request: RequestId, bind: SocketAddr, is_tcp: bool) {
        self.outbox.push_back(Queued::Need(match is_tcp {
            true => Need::Listen { request, bind },
            false => Need::Udp { request, bind },
        }));
    }

    /// The host has opened a socket.
    pub(crate) fn handle_opened(&mut self, request: RequestId, socket: SocketId, local: SocketAddr) -> bool {
        if self.abandoned.remove(&request) {
            self.outbox.push_back(Queued::Need(Need::Close { socket }));
            return true;
        }
        if self.handle_connected(request, socket) {
            return true;
        }
        let Some(id) = self.allocations.of_request(request) else { return false };
        let Some(opening) = self.allocations.opening_mut(id) else { return false };
        let ip = if local.ip().is_unspecified() { opening.bind.ip() } else { local.ip() };
        let local = SocketAddr::new(ip, local.port());
        let opened = Relayed { socket, local, address: self.own.external(local), bound: opening.bind };
        match (opening.first, &opening.wish.beside) {
            (None, _) if opening.wish.parity == Parity::Even && !local.port().is_multiple_of(2) => {
                self.outbox.push_back(Queued::Need(Need::Close { socket }));
                self.try_another(id, Failure::InUse);
            }
            (None, Beside::Nothing | Beside::Missing(_)) => {
                opening.first = Some(opened);
                self.settle(id, None);
            }
            (None, Beside::Other(_) | Beside::NextPort) => {
                opening.first = Some(opened);
                self.open_beside(id, &[]);
            }
            (Some(_), _) => self.settle(id, Some(opened)),
        }
        true
    }

    /// The host could not open a socket.
    pub(crate) fn handle_failed(&mut self, request: RequestId, why: Failure) -> bool {
        if self.abandoned.remove(&request) || self.handle_not_connected(request) {
            return true;
        }
        let Some(id) = self.allocations.of_request(request) else { return false };
        self.try_another(id, why);
        true
    }

    /// The first socket is open: now the one beside it.
    fn open_beside(&mut self, id: AllocationId, tried: &[u16]) {
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        let Some(first) = opening.first else { return };
        let is_tcp = opening.wish.is_tcp;
        let bind = match opening.wish.beside.clone() {
            Beside::NextPort => self.ports.take_next(first.local),
            Beside::Other(relays) => {
                let ip = self.pick(&relays);
                ip.and_then(|ip| self.ports.take(&mut self.chance, ip, Parity::Any, tried))
            }
            Beside::Nothing | Beside::Missing(_) => None,
        };
        match bind {
            Some(bind) => {
                let request = self.next_request();
                self.allocations.wait_for(id, request, bind);
                self.need_socket(request, bind, is_tcp);
            }
            None => self.do_without(id),
        }
    }

    /// What was to be beside the first socket is not to be had.
    fn do_without(&mut self, id: AllocationId) {
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        match opening.wish.beside {
            // Another pair of ports may be free.
            Beside::NextPort => {
                let Some(first) = opening.first.take() else { return };
                opening.tried.push(first.local.port());
                self.give_back(first);
                self.open_another(id, first.local.ip());
            }
            _ => {
                opening.wish.beside = Beside::Missing(ErrorCode::INSUFFICIENT_CAPACITY);
                self.settle(id, None);
            }
        }
    }

    /// A port is of no use: another, or no allocation.
    fn try_another(&mut self, id: AllocationId, why: Failure) {
        let limit = self.terms.limits.port_attempts;
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        let bind = opening.bind;
        opening.tried.push(bind.port());
        let may_try = why == Failure::InUse && opening.tried.len() < limit;
        let has_first = opening.first.is_some();
        let tries_other = has_first && matches!(opening.wish.beside, Beside::Other(_));
        let tried = opening.tried.clone();
        self.ports.give_back(bind);
        match (may_try, has_first) {
            (true, false) => self.open_another(id, bind.ip()),
            (true, true) if tries_other => self.open_beside(id, &tried),
            (_, true) if tries_other || may_try => self.do_without(id),
            _ => self.give_up(id),
        }
    }

    fn open_another(&mut self, id: AllocationId, ip: IpAddr) {
        let limit = self.terms.limits.port_attempts;
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        let (is_tcp, parity) = (opening.wish.is_tcp, opening.wish.parity);
        let bind = match opening.tried.len() < limit {
            true => self.ports.take(&mut self.chance, ip, parity, &opening.tried),
            false => None,
        };
        match bind {
            Some(bind) => {
                let request = self.next_request();
                self.allocations.wait_for(id, request, bind);
                self.need_socket(request, bind, is_tcp);
            }
            None => self.give_up(id),
        }
    }

    fn give_up(&mut self, id: AllocationId) {
        if let Some(Slot::Opening(opening)) = self.allocations.remove(id) {
            if let Some(first) = opening.first {
                self.give_back(first);
            }
            self.answer(opening.reply, Body::Refused(ErrorCode::INSUFFICIENT_CAPACITY.into()));
        }
    }

    /// All sockets are open: it relays from now on.
    fn settle(&mut self, id: AllocationId, beside: Option<Relayed>) {
        let Some(opening) = self.allocations.opening_mut(id) else { return };
        let Some(first) = opening.first else { return };
        let (reply, user, wish) = (opening.reply.clone(), opening.user.clone(), opening.wish.clone());
        let second = match (&wish.beside, beside) {
            (Beside::Other(_), Some(second)) => Ok(second),
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
                first,
                second,
                is_tcp: wish.is_tcp,
                reserved,
                passport: None,
                expires_at: self.now + wish.lifetime,
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
        let passport = moves.then(|| self.tickets.issue(&mut self.chance, id));
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
