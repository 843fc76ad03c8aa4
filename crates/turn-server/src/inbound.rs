//! What a client's datagram goes through: decode, authenticate, dispatch.
//!
//! ```text
//!   ChannelData ───────────────▶ relay
//!   Send indication ───────────▶ relay
//!   Binding request ───────────▶ answer
//!   other request ──▶ credentials ──▶ unknown attributes ──▶ allocation and user ──▶ its handler
//!                         │                  │                      │                   │
//!                      400 401 438          420                  437 441               …
//!   whatever else ─────────────▶ dropped
//! ```
//!
//! A challenge is three times as long as the shortest Allocate, and a source address is easily forged. So nothing else
//! is challenged without a seal: who has an allocation has what it takes to sign, and whoever has not has lost nothing.
//! A request of somebody unknown may wait until the host has looked them up; see [`crate::Event::Lookup`].

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::attribute::{
    Attribute, ConnectionId, DontFragment, ErrorCode, Family, MobilityTicket, RequestedAddressFamily,
    RequestedTransport,
};
use floe_stun::{
    Authenticated, ChannelData, Class, Dropped, Forward, HEADER_LEN, MAX_TRANSMIT, Message, Method,
};

use crate::allocate::lifetime;
use crate::allocation::{AllocationId, FiveTuple};
use crate::answer::{Body, Refusal, Reply};
use crate::auth::User;
use crate::lookup::Known;
use crate::server::Server;
use crate::{Released, channel, permission};

impl Server {
    /// A datagram on a listening socket. `Some` if it goes on to a peer.
    pub(crate) fn handle_client<'p>(
        &mut self,
        tuple: FiveTuple,
        data: &'p [u8],
    ) -> Result<Option<Forward<'p>>, Dropped> {
        if ChannelData::is_probably(data) {
            let message = ChannelData::decode(data).map_err(|_| Dropped::Malformed)?;
            return self.relay_channel_data(tuple, message).map(Some);
        }
        self.check_size(tuple, data)?;
        let message = decode(data)?;
        match (message.class(), message.method()) {
            (Class::Indication, Method::SEND) => self.relay_send(tuple, &message).map(Some),
            (Class::Indication, Method::BINDING) if message.unknown_required().next().is_some() => {
                Err(Dropped::UnknownAttribute)
            }
            (Class::Indication, Method::BINDING) => Ok(None),
            (Class::Request, Method::BINDING) => self.handle_binding(tuple, &message).map(|()| None),
            (
                Class::Request,
                Method::ALLOCATE
                | Method::REFRESH
                | Method::CREATE_PERMISSION
                | Method::CHANNEL_BIND
                | Method::CONNECT
                | Method::CONNECTION_BIND,
            ) if self.relays_for_users() => {
                self.handle_request(tuple, &message, Known::HostMayKnowMore).map(|()| None)
            }
            (Class::Success | Class::Error, _) => Err(Dropped::UnknownTransaction),
            _ => Err(Dropped::UnexpectedMethod),
        }
    }

    /// Whether a message is worth reading: a request that Floe could have written, or one with the few attributes of
    /// what may be large, which is a Send indication of a client that has an allocation, and a Binding request with
    /// PADDING where behaviour discovery is served.
    fn check_size(&self, tuple: FiveTuple, data: &[u8]) -> Result<(), Dropped> {
        if !Message::is_probably(data) {
            return Err(Dropped::NotStun);
        }
        if data.starts_with(&SEND_INDICATION) {
            self.allocations.live_of_client(tuple).ok_or(Dropped::NoAllocation)?;
        } else if data.len() <= MAX_TRANSMIT {
            return Ok(());
        } else if !data.starts_with(&BINDING_REQUEST) || !self.behaviour.serves(tuple.listener) {
            return Err(Dropped::TooLarge);
        }
        if has_more_attributes(data, MAX_LARGE_ATTRIBUTES) { Err(Dropped::TooLarge) } else { Ok(()) }
    }

    /// Binding needs no credentials and changes nothing, so a repeated one is worked out again.
    fn handle_binding(&mut self, tuple: FiveTuple, message: &Message<'_>) -> Result<(), Dropped> {
        self.check_answerable()?;
        let mut reply = Reply::new(tuple, message);
        let unknown = unknown_attributes(message, self.behaviour.understood(tuple.listener), false);
        let body = match self.behaviour.answer(tuple, message) {
            _ if !unknown.is_empty() => Body::Refused(Refusal::Unknown(unknown)),
            None => Body::Mapped,
            Some(Ok((to, found))) => {
                reply.to = to;
                Body::Discovered(found)
            }
            Some(Err(code)) => Body::Refused(code.into()),
        };
        self.answer_stranger(reply, body)
    }

    /// Also for a request that has waited for the host to look up its sender.
    pub(crate) fn handle_request(
        &mut self,
        tuple: FiveTuple,
        message: &Message<'_>,
        known: Known,
    ) -> Result<(), Dropped> {
        self.check_answerable()?;
        check_begins(message)?;
        let reply = Reply::new(tuple, message);
        let (request, signature) = match self.auth.authenticate(self.now, tuple.client, message) {
            Ok(believed) => believed,
            // Its signature is right, so that it is no stranger's.
            Err(refusal @ Refusal::Challenge(ErrorCode::STALE_NONCE)) => {
                self.answer(reply, Body::Refused(refusal));
                return Ok(());
            }
            Err(refusal) => {
                let may_be_known = known == Known::HostMayKnowMore && self.asks_host;
                if may_be_known && self.look_up(tuple, message)? {
                    return Ok(());
                }
                self.report_login(tuple.client, message, &refusal);
                return self.answer_stranger(reply, Body::Refused(refusal));
            }
        };
        let reply = reply.signed(signature.clone());
        match self.dispatch(&reply, &signature.user, &request) {
            Ok(Some(body)) => self.answer(reply, body),
            Ok(None) => {}
            Err(refusal) => {
                self.report_peer(tuple.client, &signature.user, &request, &refusal);
                self.answer(reply, Body::Refused(refusal));
            }
        }
        Ok(())
    }

    /// `None` if the answer comes later.
    fn dispatch(
        &mut self,
        reply: &Reply,
        user: &Arc<User>,
        request: &Authenticated<Message<'_>>,
    ) -> Result<Option<Body>, Refusal> {
        // RFC 6062 §6.2.1
        let understood: &[u16] = match request.method() {
            Method::CONNECTION_BIND => &[ConnectionId::TYPE],
            _ => &[],
        };
        let unknown = unknown_attributes(request, understood, self.terms.dont_fragment);
        if !unknown.is_empty() {
            return Err(Refusal::Unknown(unknown));
        }
        match request.method() {
            Method::ALLOCATE => return self.allocate(reply, user, request),
            Method::CONNECTION_BIND => return self.bind_connection(reply.to, user, request).map(Some),
            Method::REFRESH => {
                if let Some(MobilityTicket(ticket)) = request.find() {
                    return self.refresh_from_elsewhere(reply, user, request, ticket).map(Some);
                }
            }
            _ => {}
        }
        let id = self.allocations.of_client(reply.to).ok_or(ErrorCode::ALLOCATION_MISMATCH)?;
        let (now, terms) = (self.now, &self.terms);
        let allocation = self.allocations.live_mut(id).ok_or(ErrorCode::ALLOCATION_MISMATCH)?;
        if allocation.user.name != user.name {
            return Err(ErrorCode::WRONG_CREDENTIALS.into());
        }
        match request.method() {
            Method::CREATE_PERMISSION => permission::create(allocation, now, terms, request),
            Method::CHANNEL_BIND => channel::bind(allocation, now, terms, &self.own, request),
            Method::CONNECT => return self.connect(reply, id, request),
            _ => self.refresh(id, request),
        }
        .map(Some)
    }

    /// Refresh (RFC 8656 §8.2): of all relayed addresses, or of the one whose family it names.
    pub(crate) fn refresh(
        &mut self,
        id: AllocationId,
        request: &Authenticated<Message<'_>>,
    ) -> Result<Body, Refusal> {
        let family = match request.get::<RequestedAddressFamily>() {
            None => None,
            Some(Ok(RequestedAddressFamily(family))) if self.relays(id, family) => Some(family),
            Some(_) => return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH.into()),
        };
        let asked = lifetime(request)?;
        if asked == Some(Duration::ZERO) {
            match family.filter(|_| self.is_dual(id)) {
                Some(family) => self.release_family(id, family),
                None => self.release(id, Released::Deleted),
            }
            return Ok(Body::Refreshed { lifetime: Duration::ZERO, ticket: None });
        }
        let lifetime = self.terms.lifetime(asked);
        self.allocations.refresh(id, family, self.now + lifetime);
        Ok(Body::Refreshed { lifetime, ticket: None })
    }

    fn relays(&self, id: AllocationId, family: Family) -> bool {
        self.allocations.live(id).is_some_and(|allocation| allocation.relayed(family).is_some())
    }

    fn is_dual(&self, id: AllocationId) -> bool {
        self.allocations.live(id).is_some_and(|allocation| allocation.second.is_ok())
    }

    /// Whether there is room for an answer.
    fn check_answerable(&self) -> Result<(), Dropped> {
        if self.outbox.len() >= self.terms.limits.queued_answers {
            return Err(Dropped::LimitReached);
        }
        Ok(())
    }

    /// Answers someone who has proven nothing.
    fn answer_stranger(&mut self, reply: Reply, body: Body) -> Result<(), Dropped> {
        let now = self.now;
        // Whoever has opened a stream can be reached where it says to be.
        let may_be_forged = !self.own.is_stream(reply.to.listener);
        if may_be_forged && self.rate.as_mut().is_some_and(|rate| !rate.admit(now, reply.to.client)) {
            return Err(Dropped::RateLimited);
        }
        self.answer(reply, body);
        Ok(())
    }
}

/// Whether a request is sealed, or one that a conversation begins with (RFC 8656 §7.1).
fn check_begins(message: &Message<'_>) -> Result<(), Dropped> {
    if message.has_integrity() {
        return Ok(());
    }
    match message.method() {
        Method::ALLOCATE if message.has(RequestedTransport::TYPE) => Ok(()),
        Method::ALLOCATE => Err(Dropped::MissingAttribute),
        _ => Err(Dropped::BadIntegrity),
    }
}

fn decode(data: &[u8]) -> Result<Message<'_>, Dropped> {
    let message = Message::decode(data).map_err(|_| Dropped::Malformed)?;
    if message.fingerprint() == Some(false) {
        return Err(Dropped::BadFingerprint);
    }
    Ok(message)
}

/// Whether a message has more attributes than this; no more of them are looked at.
fn has_more_attributes(data: &[u8], count: usize) -> bool {
    let mut rest = data.get(HEADER_LEN..).unwrap_or_default();
    for _ in 0..count {
        let [_, _, high, low, after @ ..] = rest else { return false };
        let len = usize::from(u16::from_be_bytes([*high, *low])).next_multiple_of(4);
        rest = after.get(len..).unwrap_or_default();
    }
    !rest.is_empty()
}

/// What a 420 lists (RFC 8489 §6.3.1). DONT-FRAGMENT in Allocate counts as unknown where the host cannot set the bit
/// (RFC 8656 §7.2).
fn unknown_attributes(message: &Message<'_>, understood: &[u16], can_forbid: bool) -> Vec<u16> {
    let refuses_df = !can_forbid && message.method() == Method::ALLOCATE && message.has(DontFragment::TYPE);
    let df = refuses_df.then_some(DontFragment::TYPE);
    message.unknown_required_but(understood).chain(df).take(MAX_UNKNOWN).collect()
}

/// Where a Send indication begins: the class and method of its type.
const SEND_INDICATION: [u8; 2] = [0x00, 0x16];

/// Where a Binding request begins.
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];

/// XOR-PEER-ADDRESS, DATA, DONT-FRAGMENT, SOFTWARE, FINGERPRINT, and as many that are not known yet and need not be.
const MAX_LARGE_ATTRIBUTES: usize = 10;

/// More of them tell the client nothing new.
const MAX_UNKNOWN: usize = 32;
