//! Allocate (RFC 8656 §7.2): from the request to the port, and from the open socket to the answer.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{
    AdditionalAddressFamily, Attribute, ErrorCode, EvenPort, Family, Lifetime, RequestedAddressFamily,
    RequestedTransport, ReservationToken,
};
use floe_stun::{Authenticated, Dropped, Failure, Forward, Message, Need, Received, RequestId, SocketId};

use crate::Event;
use crate::allocation::Opening;
use crate::answer::{Body, Refusal, Reply};
use crate::auth::UserId;
use crate::ports::Parity;
use crate::server::{Queued, Server};

/// What a client asks for, once it is known to make sense here.
#[derive(Debug)]
struct Wish {
    /// Addresses that fit; never empty.
    relays: Vec<IpAddr>,
    parity: Parity,
    lifetime: Option<Duration>,
    /// Why there will be no IPv6 address beside the IPv4 one, if both were asked for.
    missing: Option<ErrorCode<'static>>,
}

impl Wish {
    /// The checks of RFC 8656 §7.2 from the third on, in their order.
    fn read(request: &Authenticated<Message<'_>>, relays: &[IpAddr]) -> Result<Self, Refusal> {
        match request.find::<RequestedTransport>() {
            Some(RequestedTransport::UDP) => {}
            Some(_) => return Err(ErrorCode::UNSUPPORTED_TRANSPORT.into()),
            None => return Err(ErrorCode::BAD_REQUEST.into()),
        }
        let [even, one, both] = [EvenPort::TYPE, RequestedAddressFamily::TYPE, AdditionalAddressFamily::TYPE]
            .map(|kind| request.has(kind));
        if request.has(ReservationToken::TYPE) {
            // Nothing is ever reserved here, so no token is good.
            let asks_more = even || one || both;
            let code = if asks_more { ErrorCode::BAD_REQUEST } else { ErrorCode::INSUFFICIENT_CAPACITY };
            return Err(code.into());
        }
        if one && both {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        let family = match request.get::<RequestedAddressFamily>() {
            None => Family::Ipv4,
            Some(Ok(RequestedAddressFamily(family))) => family,
            Some(Err(_)) => return Err(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED.into()),
        };
        let fitting = |family| relays.iter().copied().filter(move |ip| Family::of(*ip) == family);
        let relays: Vec<_> = fitting(family).collect();
        if relays.is_empty() {
            return Err(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED.into());
        }
        let parity = match request.get::<EvenPort>() {
            None => Parity::Any,
            Some(Ok(EvenPort { reserve_next: false })) => Parity::Even,
            Some(Ok(EvenPort { reserve_next: true })) if !both => {
                return Err(ErrorCode::INSUFFICIENT_CAPACITY.into());
            }
            Some(_) => return Err(ErrorCode::BAD_REQUEST.into()),
        };
        let missing = match request.get::<AdditionalAddressFamily>() {
            None => None,
            // One address for one allocation: the other family would have to be asked for on its own.
            Some(Ok(AdditionalAddressFamily(Family::Ipv6))) if fitting(Family::Ipv6).next().is_some() => {
                Some(ErrorCode::INSUFFICIENT_CAPACITY)
            }
            Some(Ok(AdditionalAddressFamily(Family::Ipv6))) => Some(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED),
            Some(_) => return Err(ErrorCode::BAD_REQUEST.into()),
        };
        Ok(Self { relays, parity, lifetime: lifetime(request)?, missing })
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
    /// Begins an allocation. `None` while its socket is awaited, also for retransmissions of the request.
    pub(crate) fn allocate(
        &mut self,
        reply: Reply,
        user: UserId,
        request: &Authenticated<Message<'_>>,
    ) -> Result<Option<Body>, Refusal> {
        match self.allocations.slot(reply.to) {
            Some(slot) if slot.is_made_by(user, reply.id) => {
                return Ok(self.allocations.live(reply.to).map(|allocation| allocation.success(self.now)));
            }
            Some(_) => return Err(ErrorCode::ALLOCATION_MISMATCH.into()),
            None => {}
        }
        let wish = Wish::read(request, &self.own.relays)?;
        self.allocations.check_quota(user, &self.terms.limits)?;
        let ip = self.pick(&wish.relays).ok_or(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)?;
        let bind = self
            .allocations
            .take_port(&mut self.chance, ip, wish.parity, &[])
            .ok_or(ErrorCode::INSUFFICIENT_CAPACITY)?;
        let request = self.next_request();
        self.open(Opening {
            reply,
            user,
            request,
            bind,
            parity: wish.parity,
            tried: Vec::new(),
            lifetime: self.terms.lifetime(wish.lifetime),
            missing: wish.missing,
        });
        Ok(None)
    }

    fn pick(&mut self, relays: &[IpAddr]) -> Option<IpAddr> {
        let place = self.chance.below(u32::try_from(relays.len()).ok()?);
        relays.get(usize::try_from(place).ok()?).copied()
    }

    fn open(&mut self, opening: Opening) {
        let need = Need::Udp { request: opening.request, bind: opening.bind };
        self.allocations.open(opening.reply.to, opening);
        self.outbox.push_back(Queued::Need(need));
    }

    /// The host has opened the socket of an allocation.
    pub(crate) fn handle_opened<'p>(
        &mut self,
        request: RequestId,
        socket: SocketId,
        local: SocketAddr,
    ) -> Result<Received<Forward<'p>>, Dropped> {
        if self.abandoned.remove(&request) {
            self.outbox.push_back(Queued::Need(Need::Close { socket }));
            return Ok(Received::Consumed);
        }
        let Some(tuple) = self.allocations.of_request(request) else { return Ok(Received::NotMine) };
        let Some(reply) = self.allocations.waiting(tuple) else { return Ok(Received::NotMine) };
        let Some(allocation) = self.allocations.settle(self.now, tuple, socket, local) else {
            return Ok(Received::NotMine);
        };
        let event = Event::Allocated {
            client: tuple.client,
            relayed: allocation.relayed,
            socket,
            user: self.auth.name(allocation.user).into(),
        };
        let body = allocation.success(self.now);
        self.stats.allocations_total = self.stats.allocations_total.saturating_add(1);
        self.answer(reply, body);
        self.outbox.push_back(Queued::Event(event));
        Ok(Received::Consumed)
    }

    /// The host could not open the socket of an allocation: another port, or no allocation.
    pub(crate) fn handle_failed<'p>(
        &mut self,
        request: RequestId,
        why: Failure,
    ) -> Result<Received<Forward<'p>>, Dropped> {
        if self.abandoned.remove(&request) {
            return Ok(Received::Consumed);
        }
        let Some(mut opening) = self.allocations.remove_opening(request) else {
            return Ok(Received::NotMine);
        };
        opening.tried.push(opening.bind.port());
        match self.another_port(&opening, why) {
            Some(bind) => {
                let request = self.next_request();
                self.open(Opening { request, bind, ..opening });
            }
            None => self.answer(opening.reply, Body::Refused(ErrorCode::INSUFFICIENT_CAPACITY.into())),
        }
        Ok(Received::Consumed)
    }

    fn another_port(&mut self, opening: &Opening, why: Failure) -> Option<SocketAddr> {
        if why != Failure::InUse || opening.tried.len() >= self.terms.limits.port_attempts {
            return None;
        }
        self.allocations.take_port(&mut self.chance, opening.bind.ip(), opening.parity, &opening.tried)
    }
}
