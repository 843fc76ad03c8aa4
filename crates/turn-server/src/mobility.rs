//! Allocations that come along when their client moves (RFC 8016).
//!
//! ```text
//!   settled ──Refresh with the ticket from elsewhere──▶ moving: a new ticket, two 5-tuples
//!      ▲                                                  │  ▲ the same again: the same answer
//!      └──data from the new 5-tuple, or the old one gone──┘
//! ```
//!
//! A ticket is 128 bits of chance and says nothing: whoever shows it must be the user that it was given to all the same.

use alloc::collections::BTreeMap;
use core::time::Duration;

use floe_stun::attribute::{ErrorCode, MobilityTicket};
use floe_stun::{Authenticated, Chance, Instant, Message, SocketId};

use crate::allocation::{AllocationId, FiveTuple};
use crate::answer::{Body, Refusal, Reply};
use crate::auth::User;
use crate::server::{Queued, Server};
use crate::{Event, Released};

/// What leads to an allocation from anywhere.
pub(crate) type Ticket = [u8; 16];

/// The tickets of one allocation.
#[derive(Debug)]
pub(crate) struct Passport {
    ticket: Ticket,
    /// The one before, for retransmissions of the request that it was shown in.
    shown: Option<Shown>,
    /// Where data will come from, between two addresses.
    next: Option<FiveTuple>,
}

#[derive(Debug)]
struct Shown {
    ticket: Ticket,
    from: FiveTuple,
    until: Instant,
}

impl Passport {
    pub(crate) const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// The 5-tuple it is moving to.
    pub(crate) const fn next(&self) -> Option<FiveTuple> {
        self.next
    }

    /// Whether this is what began the last move, once more: its answer was lost.
    fn repeats(&self, now: Instant, ticket: Ticket, from: FiveTuple) -> bool {
        self.shown
            .as_ref()
            .is_some_and(|shown| shown.ticket == ticket && shown.from == from && now < shown.until)
    }
}

/// The tickets of all allocations.
#[derive(Debug, Default)]
pub(crate) struct Tickets(BTreeMap<Ticket, AllocationId>);

impl Tickets {
    /// A ticket for an allocation.
    pub(crate) fn issue(&mut self, chance: &mut Chance, id: AllocationId) -> Passport {
        Passport { ticket: self.draw(chance, id), shown: None, next: None }
    }

    /// The allocation is gone, and with it what leads there.
    pub(crate) fn revoke(&mut self, passport: &Passport) {
        self.0.remove(&passport.ticket);
        if let Some(shown) = &passport.shown {
            self.0.remove(&shown.ticket);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn draw(&mut self, chance: &mut Chance, id: AllocationId) -> Ticket {
        let mut ticket = Ticket::default();
        chance.fill(&mut ticket);
        self.0.insert(ticket, id);
        ticket
    }
}

impl Server {
    /// Whether an Allocate asks for a ticket that it can have (RFC 8016 §3.1.2).
    pub(crate) fn wants_ticket(&self, request: &Authenticated<Message<'_>>) -> Result<bool, Refusal> {
        match request.find::<MobilityTicket<'_>>() {
            None => Ok(false),
            Some(MobilityTicket(ticket)) if !ticket.is_empty() => Err(ErrorCode::BAD_REQUEST.into()),
            Some(_) if self.terms.mobility => Ok(true),
            Some(_) => Err(ErrorCode::MOBILITY_FORBIDDEN.into()),
        }
    }

    /// Refresh with a ticket (RFC 8016 §3.2.2): the allocation is the one that the ticket leads to.
    pub(crate) fn refresh_from_elsewhere(
        &mut self,
        reply: &Reply,
        user: &User,
        request: &Authenticated<Message<'_>>,
        ticket: &[u8],
    ) -> Result<Body, Refusal> {
        if !self.terms.mobility {
            return Err(ErrorCode::MOBILITY_FORBIDDEN.into());
        }
        let ticket = Ticket::try_from(ticket).map_err(|_| ErrorCode::BAD_REQUEST)?;
        let id = *self.tickets.0.get(&ticket).ok_or(ErrorCode::ALLOCATION_MISMATCH)?;
        let allocation = self.allocations.live(id).ok_or(ErrorCode::ALLOCATION_MISMATCH)?;
        let passport = allocation.passport.as_ref().ok_or(ErrorCode::ALLOCATION_MISMATCH)?;
        let (is_current, is_repeated) =
            (passport.ticket == ticket, passport.repeats(self.now, ticket, reply.to));
        let is_here = (allocation.client == reply.to || passport.next() == Some(reply.to)) && !is_repeated;
        if allocation.user.name != user.name {
            return Err(ErrorCode::WRONG_CREDENTIALS.into());
        }
        if is_here || !is_current && !is_repeated {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        if self.allocations.of_client(reply.to).is_some_and(|other| other != id) {
            return Err(ErrorCode::ALLOCATION_MISMATCH.into());
        }
        // One for TCP can be asked for over a stream only (RFC 6062 §4.1), and no data tells where its client is.
        let is_tcp = allocation.is_tcp;
        if is_tcp && !self.own.is_stream(reply.to.listener) {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        let body = self.refresh(id, request)?;
        if is_current && !is_repeated {
            self.begin_move(id, reply.to, ticket);
            if is_tcp {
                self.end_move(id);
            }
        }
        let passport = self.allocations.live(id).and_then(|allocation| allocation.passport.as_deref());
        Ok(match body {
            Body::Refreshed { lifetime, .. } => {
                Body::Refreshed { lifetime, ticket: passport.map(Passport::ticket) }
            }
            body => body,
        })
    }

    /// Two 5-tuples lead to it until data comes from the new one, unless the old one is gone already.
    fn begin_move(&mut self, id: AllocationId, to: FiveTuple, ticket: Ticket) {
        let until = self.now + REPEATED_FOR;
        // The request that brings the ticket may also end the allocation.
        let Some(allocation) = self.allocations.live_mut(id) else { return };
        let is_gone = !self.own.hears(allocation.client.listener);
        let Some(passport) = &mut allocation.passport else { return };
        passport.ticket = self.tickets.draw(&mut self.chance, id);
        if let Some(before) = passport.shown.replace(Shown { ticket, from: to, until }) {
            self.tickets.0.remove(&before.ticket);
        }
        // Whoever moves on before data has come has left the place between behind.
        if let Some(between) = passport.next.replace(to) {
            self.allocations.remove_client(between);
        }
        self.allocations.add_client(id, to);
        if is_gone {
            self.end_move(id);
        }
    }

    /// Data has come from the new 5-tuple, or the old one is gone: it has moved.
    pub(crate) fn end_move(&mut self, id: AllocationId) {
        let Some(allocation) = self.allocations.live_mut(id) else { return };
        let Some(to) = allocation.passport.as_mut().and_then(|passport| passport.next.take()) else { return };
        let from = core::mem::replace(&mut allocation.client, to);
        let event = Event::Moved {
            from: from.client,
            to: to.client,
            relayed: allocation.first.address,
            user: allocation.user.name.clone(),
        };
        self.allocations.remove_client(from);
        self.outbox.push_back(Queued::Event(event));
    }

    /// A client can be reached there no more. Whoever has a ticket may come back elsewhere.
    pub(crate) fn handle_client_gone(&mut self, id: AllocationId, listener: SocketId) {
        let Some(allocation) = self.allocations.live_mut(id) else {
            return self.release(id, Released::SocketClosed);
        };
        let is_old = allocation.client.listener == listener;
        let Some(passport) = &mut allocation.passport else {
            return self.release(id, Released::SocketClosed);
        };
        match passport.next {
            Some(_) if is_old => self.end_move(id),
            Some(next) => {
                passport.next = None;
                self.allocations.remove_client(next);
            }
            None => {}
        }
    }
}

/// RFC 8016 §3.2.2: "at least 30 seconds to be able to recognize a retransmission". Over UDP requests are repeated for 39.5 s.
const REPEATED_FOR: Duration = Duration::from_secs(40);
