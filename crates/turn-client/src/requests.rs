//! Requests under way: written once, sent again as they are, judged when an answer comes.
//!
//! ```text
//!   start ──▶ under way ──believed answer──▶ Challenge (401, 438), Granted or Failed
//!                │  ▲ └──nobody answered──▶ Failure::Silent or ::Violated
//!                └──┘ resend; an answer that nobody vouches for is as if never received
//! ```

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::attribute::{
    AlternateServer, ChannelNumberAttribute, ErrorCode, Family, Lifetime, RequestedAddressFamily,
    RequestedTransport, Software, XorPeerAddress,
};
use floe_stun::{
    Authenticated, Builder, ChannelNumber, Class, Dropped, EncodeError, Fired, Instant, MAX_TRANSMIT,
    Message, Method, Schedule, Transaction, TransactionId,
};

use crate::auth::{self, Auth, Proof, STALE_NONCE, UNAUTHENTICATED};
use crate::{AllocateFailure, BadAnswer, Config, LostReason, Refusal};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Get a relayed address.
    Allocate,
    /// Keep it.
    Refresh,
    /// Give it back.
    Delete,
    /// Install or keep a permission.
    Permit(IpAddr),
    /// Bind or keep a channel.
    Bind {
        /// To this peer.
        peer: SocketAddr,
        /// This number.
        channel: ChannelNumber,
    },
}

/// All requests that may yet be answered.
#[derive(Debug)]
pub(crate) struct Requests {
    schedule: Schedule,
    under_way: BTreeMap<TransactionId, Request>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) task: Task,
    pub(crate) proof: Option<Proof>,
    /// How often in a row this task was answered with a new challenge though it was signed.
    pub(crate) challenges: u8,
    transaction: Transaction,
    bytes: Vec<u8>,
    /// An answer came that nobody vouches for.
    doubted: bool,
}

/// A believed answer.
#[derive(Debug)]
pub(crate) enum Answer<'m> {
    /// 401 or 438, which nobody can vouch for: ask again by its terms.
    Challenge(Refusal),
    /// The server has done it.
    Granted(Authenticated<Message<'m>>),
    /// It has not.
    Failed(Failure),
}

/// How a task failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused, and may know another server.
    Refused(Refusal, Option<SocketAddr>),
    /// The server's answer makes no sense.
    Unusable(BadAnswer),
    /// See [`auth::Hopeless::BidDown`].
    BidDown,
    /// No answer at all.
    Silent,
    /// Only answers that nobody vouches for.
    Violated,
    /// The request could not be written.
    Unsendable(EncodeError),
}

/// What a timeout asks of the owner.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// Send these bytes again.
    Resend(TransactionId),
    /// Nobody answered; `doubted` if somebody forged.
    TimedOut {
        /// The task that failed.
        task: Task,
        /// See [`Failure::Violated`].
        doubted: bool,
    },
}

impl Requests {
    pub(crate) const fn new(schedule: Schedule) -> Self {
        Self { schedule, under_way: BTreeMap::new() }
    }

    /// Writes a request, to be sent at once.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        id: TransactionId,
        task: Task,
        challenges: u8,
        auth: &Auth,
        config: &Config,
    ) -> Result<(), EncodeError> {
        let bytes = write(task, id, auth, config)?;
        let transaction = Transaction::new(id, now, self.schedule);
        let request = Request { task, proof: auth.proof(), challenges, transaction, bytes, doubted: false };
        self.under_way.insert(id, request);
        Ok(())
    }

    /// Judges a response. `Ok(None)` if it is to nothing of ours; an answer ends the request.
    pub(crate) fn handle_response<'m>(
        &mut self,
        message: Message<'m>,
    ) -> Result<Option<(Request, Answer<'m>)>, Dropped> {
        let Some(request) = self.under_way.get_mut(&message.id()) else { return Ok(None) };
        let answer = request.judge(message)?;
        Ok(self.under_way.remove(&message.id()).map(|request| (request, answer)))
    }

    /// The next thing that is due at `now`; to be called until there is none.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Due> {
        let (&id, request) =
            self.under_way.iter_mut().find(|(_, request)| request.transaction.deadline() <= now)?;
        match request.transaction.handle_timeout(now)? {
            Fired::Resend => Some(Due::Resend(id)),
            Fired::TimedOut => {
                let request = self.under_way.remove(&id)?;
                Some(Due::TimedOut { task: request.task, doubted: request.doubted })
            }
        }
    }

    /// Forgets all; late answers are nobody's.
    pub(crate) fn clear(&mut self) {
        self.under_way.clear();
    }

    /// Copies a request, if it is still under way, to the front of `buf` and says how long it is.
    pub(crate) fn copy(&self, id: TransactionId, buf: &mut [u8]) -> Option<usize> {
        let bytes = &self.under_way.get(&id)?.bytes;
        buf.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(bytes.len())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.under_way.values().map(|request| request.transaction.deadline()).min()
    }
}

impl Request {
    /// Decides what a response is worth, in the order of RFC 8489 §6.3 and §9.2.5.
    fn judge<'m>(&mut self, message: Message<'m>) -> Result<Answer<'m>, Dropped> {
        if message.method() != self.task.method() {
            return Err(Dropped::UnexpectedMethod);
        }
        if message.fingerprint() == Some(false) {
            return Err(Dropped::BadFingerprint);
        }
        let unknown = message.unknown_required().next().map(BadAnswer::UnknownAttribute);
        let refusal = refusal(&message);
        if let Some(refusal @ ErrorCode { code: UNAUTHENTICATED | STALE_NONCE, .. }) = refusal {
            return Ok(match unknown {
                Some(unknown) => Answer::Failed(Failure::Unusable(unknown)),
                None => Answer::Challenge(refusal.into()),
            });
        }
        if auth::is_bid_down(&message) {
            return Err(Dropped::MissingAttribute);
        }
        let believed = self.believe(message, refusal)?;
        Ok(match (unknown, believed, refusal) {
            (Some(unknown), ..) => Answer::Failed(Failure::Unusable(unknown)),
            (None, Believed::Success(message), _) => Answer::Granted(message),
            (None, Believed::Error, Some(refusal)) => {
                Answer::Failed(Failure::Refused(refusal.into(), elsewhere(&message)))
            }
            (None, Believed::Error, None) => {
                Answer::Failed(Failure::Unusable(BadAnswer::Lacks("ERROR-CODE")))
            }
        })
    }

    /// Whether somebody who knows our password vouches for the response. Before the first challenge nobody
    /// can, and only an error is believed: a success would have us use an allocation of who knows whom.
    fn believe<'m>(
        &mut self,
        message: Message<'m>,
        refusal: Option<ErrorCode<'_>>,
    ) -> Result<Believed<'m>, Dropped> {
        //= RFC 8489 §9.2.5
        //# If the response is an error response with an error code of 400 (Bad Request) and does not contain
        //# either the MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 attribute, then the response MUST be
        //# discarded, as if it were never received.
        if refusal.is_some_and(|refusal| refusal.code == 400) && !message.has_integrity() {
            return Err(Dropped::BadIntegrity);
        }
        let verified = self.proof.as_ref().map(|proof| proof.verify(message));
        match (message.class(), verified) {
            (Class::Success, Some(Ok(message))) => Ok(Believed::Success(message)),
            (Class::Error, None | Some(Ok(_))) => Ok(Believed::Error),
            _ => {
                self.doubted = true;
                Err(Dropped::BadIntegrity)
            }
        }
    }

    /// See [`Transaction::rtt`].
    pub(crate) fn rtt(&self, now: Instant) -> Option<Duration> {
        self.transaction.rtt(now)
    }
}

enum Believed<'m> {
    Success(Authenticated<Message<'m>>),
    Error,
}

impl Task {
    const fn method(self) -> Method {
        match self {
            Self::Allocate => Method::ALLOCATE,
            Self::Refresh | Self::Delete => Method::REFRESH,
            Self::Permit(_) => Method::CREATE_PERMISSION,
            Self::Bind { .. } => Method::CHANNEL_BIND,
        }
    }
}

/// What it means for an allocation that was asked for.
impl From<Failure> for AllocateFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal @ Refusal { code: 401 | 441, .. }, _) => Self::WrongCredentials(refusal),
            Failure::Refused(Refusal { code: 300, .. }, Some(to)) => Self::Redirected { to },
            Failure::Refused(refusal, _) => Self::Refused(refusal),
            Failure::Unusable(what) => Self::BadAnswer(what),
            Failure::BidDown => Self::BidDown,
            Failure::Silent => Self::TimedOut,
            Failure::Violated => Self::IntegrityViolated,
            Failure::Unsendable(error) => Self::Unsendable(error),
        }
    }
}

/// What it means for an allocation that was held.
impl From<Failure> for LostReason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal @ Refusal { code: ALLOCATION_MISMATCH, .. }, _) => {
                Self::Mismatch(refusal)
            }
            Failure::Refused(refusal, _) => Self::Refused(refusal),
            Failure::Unusable(what) => Self::BadAnswer(what),
            Failure::BidDown => Self::BidDown,
            Failure::Silent => Self::Silent,
            Failure::Violated => Self::IntegrityViolated,
            Failure::Unsendable(error) => Self::Unsendable(error),
        }
    }
}

fn refusal<'m>(message: &Message<'m>) -> Option<ErrorCode<'m>> {
    (message.class() == Class::Error).then(|| message.find()).flatten()
}

fn elsewhere(message: &Message<'_>) -> Option<SocketAddr> {
    message.find().map(|AlternateServer(to)| to)
}

fn write(task: Task, id: TransactionId, auth: &Auth, config: &Config) -> Result<Vec<u8>, EncodeError> {
    let mut buf = [0; MAX_TRANSMIT];
    let builder = Builder::new(&mut buf, Class::Request, task.method(), id);
    let software = config.software.as_deref().map(Software);
    // Asked for less than a second, a Refresh would delete.
    let lifetime = Lifetime(config.lifetime.max(Duration::from_secs(1)));
    let builder = match task {
        Task::Allocate => {
            // A server that never heard of IPv6 relays refuses the attribute, and IPv4 goes without saying.
            let family = (config.family == Family::Ipv6).then_some(RequestedAddressFamily(Family::Ipv6));
            builder
                .attribute(&RequestedTransport::UDP)
                .maybe(family.as_ref())
                .attribute(&lifetime)
                .maybe(software.as_ref())
        }
        Task::Refresh => builder.attribute(&lifetime).maybe(software.as_ref()),
        Task::Delete => builder.attribute(&Lifetime(Duration::ZERO)).maybe(software.as_ref()),
        Task::Permit(peer) => builder.attribute(&XorPeerAddress(SocketAddr::new(peer, 0))),
        Task::Bind { peer, channel } => {
            builder.attribute(&ChannelNumberAttribute::from(channel)).attribute(&XorPeerAddress(peer))
        }
    };
    auth.finish(builder, &config.credentials).map(Vec::from)
}

/// RFC 8656 §19: there is no allocation on this 5-tuple.
pub(crate) const ALLOCATION_MISMATCH: u16 = 437;
