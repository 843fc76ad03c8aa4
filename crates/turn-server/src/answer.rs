//! Answers: what is kept of a request until its answer is written, and the writing.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{
    AddressErrorCode, AlternateDomain, AlternateServer, ConnectionId, ErrorCode, IcmpAttribute, Lifetime,
    MobilityTicket, ReservationToken, Software, TransmitCounter, UnknownAttributes, XorMappedAddress,
    XorPeerAddress, XorRelayedAddress,
};
use floe_stun::{
    Builder, Class, EncodeError, Instant, Integrity, Key, Message, Method, SocketId, TransactionId,
};

use crate::allocation::FiveTuple;
use crate::auth::{Auth, Signature};
use crate::behaviour::Discovered;
use crate::mobility::Ticket;

/// Where an answer goes and what it must repeat of the request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) to: FiveTuple,
    pub(crate) method: Method,
    pub(crate) id: TransactionId,
    /// An answer carries FINGERPRINT if the request did.
    fingerprint: bool,
    /// How often the request was sent, if it says so (RFC 7982 §3.3).
    counter: Option<TransmitCounter>,
    /// None towards a stranger.
    signature: Option<Signature>,
}

/// What an answer says.
#[derive(Debug)]
pub(crate) enum Body {
    /// Binding.
    Mapped,
    /// Binding where behaviour discovery is served.
    Discovered(Discovered),
    /// Allocate; `second` may tell why there is only one of two families.
    Allocated {
        relayed: SocketAddr,
        second: Result<SocketAddr, Option<AddressErrorCode<'static>>>,
        lifetime: Duration,
        reserved: Option<ReservationToken>,
        ticket: Option<Ticket>,
    },
    /// Refresh.
    Refreshed { lifetime: Duration, ticket: Option<Ticket> },
    /// CreatePermission, ChannelBind.
    Done,
    /// Connect.
    Connected { id: u32 },
    /// ConnectionBind; what follows on the stream `one` is of the peer on the stream `other`.
    Joined { one: SocketId, other: SocketId },
    /// Any.
    Refused(Refusal),
}

/// Why a request is not carried out.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// ERROR-CODE says it all.
    Code(ErrorCode<'static>),
    /// 401 or 438, with what the client needs to try again.
    Challenge(ErrorCode<'static>),
    /// 420.
    Unknown(Vec<u16>),
    /// 300, and where to go, with the name of that server if it is known.
    Elsewhere(AlternateServer, Option<String>),
}

impl From<ErrorCode<'static>> for Refusal {
    fn from(code: ErrorCode<'static>) -> Self {
        Self::Code(code)
    }
}

impl Reply {
    pub(crate) fn new(to: FiveTuple, request: &Message<'_>) -> Self {
        let fingerprint = request.fingerprint().is_some();
        // Nothing is remembered of what was answered before, and so it says.
        let counter = request.find::<TransmitCounter>().map(TransmitCounter::echo);
        Self { to, method: request.method(), id: request.id(), fingerprint, counter, signature: None }
    }

    /// The same to someone whose request has been believed.
    pub(crate) fn signed(self, signature: Signature) -> Self {
        Self { signature: Some(signature), ..self }
    }

    /// Writes the answer.
    pub(crate) fn encode<'b>(
        &self,
        buf: &'b mut [u8],
        now: Instant,
        auth: &Auth,
        software: Option<&str>,
        body: &Body,
    ) -> Result<&'b [u8], EncodeError> {
        let class = if matches!(body, Body::Refused(_)) { Class::Error } else { Class::Success };
        let builder = Builder::new(buf, class, self.method, self.id);
        let builder = match body {
            Body::Mapped => builder.attribute(&XorMappedAddress(self.to.client)),
            Body::Discovered(found) => found.write(builder),
            Body::Allocated { relayed, second, lifetime, reserved, ticket } => builder
                .attribute(&XorRelayedAddress(*relayed))
                .maybe(second.ok().map(XorRelayedAddress).as_ref())
                .attribute(&Lifetime(*lifetime))
                .attribute(&XorMappedAddress(self.to.client))
                .maybe(second.err().flatten().as_ref())
                .maybe(reserved.as_ref())
                .maybe(ticket.as_ref().map(|ticket| MobilityTicket(ticket)).as_ref()),
            Body::Refreshed { lifetime, ticket } => builder
                .attribute(&Lifetime(*lifetime))
                .maybe(ticket.as_ref().map(|ticket| MobilityTicket(ticket)).as_ref()),
            Body::Done | Body::Joined { .. } => builder,
            Body::Connected { id } => builder.attribute(&ConnectionId(*id)),
            Body::Refused(Refusal::Elsewhere(to, domain)) => builder
                .attribute(&self.error(ErrorCode::TRY_ALTERNATE))
                .attribute(to)
                .maybe(domain.as_deref().map(AlternateDomain).as_ref()),
            Body::Refused(Refusal::Code(code)) => builder.attribute(&self.error(*code)),
            Body::Refused(Refusal::Unknown(types)) => builder
                .attribute(&self.error(ErrorCode::UNKNOWN_ATTRIBUTE))
                .attribute(&UnknownAttributes::new(types)),
            Body::Refused(Refusal::Challenge(code)) => {
                auth.gate().challenge(builder.attribute(&self.error(*code)), now, self.to.client)
            }
        };
        let known = self.signature.as_ref().map(Signature::key);
        let software = known.and(software).map(Software);
        seal(builder.maybe(self.counter.as_ref()).maybe(software.as_ref()), known, self.fingerprint)
    }

    /// A stranger gets the number only: every byte to an address that nobody has proven is one too many.
    const fn error(&self, code: ErrorCode<'static>) -> ErrorCode<'static> {
        let reason = if self.signature.is_some() { code.reason } else { "" };
        ErrorCode { code: code.code, reason }
    }
}

/// Writes the Data indication that tells a client of an ICMP error (RFC 8656 §11.5).
pub(crate) fn encode_icmp(
    buf: &mut [u8],
    id: TransactionId,
    peer: SocketAddr,
    icmp: IcmpAttribute,
) -> Result<&[u8], EncodeError> {
    Builder::new(buf, Class::Indication, Method::DATA, id)
        .attribute(&XorPeerAddress(peer))
        .attribute(&icmp)
        .finish()
}

/// Writes the indication that tells a client of a peer's connection (RFC 6062 §5.3).
pub(crate) fn encode_attempt(
    buf: &mut [u8],
    id: TransactionId,
    peer: SocketAddr,
    connection: u32,
) -> Result<&[u8], EncodeError> {
    Builder::new(buf, Class::Indication, Method::CONNECTION_ATTEMPT, id)
        .attribute(&XorPeerAddress(peer))
        .attribute(&ConnectionId(connection))
        .finish()
}

fn seal<'b>(
    builder: Builder<'b>,
    key: Option<(&Key, Integrity)>,
    fingerprint: bool,
) -> Result<&'b [u8], EncodeError> {
    match (key, fingerprint) {
        (None, false) => builder.finish(),
        (None, true) => builder.fingerprint().finish(),
        (Some((key, Integrity::Sha1)), false) => builder.integrity(key).finish(),
        (Some((key, Integrity::Sha1)), true) => builder.integrity(key).fingerprint().finish(),
        (Some((key, Integrity::Sha256)), false) => builder.integrity_sha256(key).finish(),
        (Some((key, Integrity::Sha256)), true) => builder.integrity_sha256(key).fingerprint().finish(),
    }
}
