//! One request under a credential, and what its response is worth.

use alloc::string::String;

use thiserror::Error;

use crate::attribute::ErrorCode;
use crate::{Authenticated, Class, Dropped, Integrity, IntegrityError, Key, Message, Transport};

/// One request until its answer is believed, through all its transactions. The owner keeps it beside the transaction.
#[derive(Clone, Debug)]
pub struct Attempt {
    over: Transport,
    pub(super) proof: Option<Proof>,
    /// Challenges that were taken up although the request was signed.
    pub(super) challenges: u8,
    violated: bool,
    understood: &'static [u16],
}

/// What a request was signed with, and so what its answer must be signed with.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    /// Of a long-term credential; empty for a short-term one, which belongs to no realm.
    pub(super) realm: String,
    /// Which of several credentials in a row.
    pub(super) change: u32,
    pub(super) key: Key,
    pub(super) signed: Signed,
}

/// Which attributes vouch for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    /// Both, as long as nobody knows what the other side can do (RFC 8489 §9.1.2). Either may vouch for the answer.
    Both,
    /// This one.
    By(Integrity),
}

/// What a response is worth.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the owner must know what to do with each")]
pub enum Verdict<'m> {
    /// The server has done it, and has proven that it knows the password.
    Granted(Authenticated<Message<'m>>),
    /// 401 or 438, and there is something new to answer: write the request again, in a new transaction with a new id.
    Again,
    /// The server has not done it.
    Refused {
        /// Why.
        code: ErrorCode<'m>,
        /// The response, if the server has proven that it knows the password. Without that, ALTERNATE-SERVER is not
        /// to be followed (RFC 8489 §14.8).
        proven: Option<Authenticated<Message<'m>>>,
    },
    /// The response ends the request, and there is no use in asking again.
    Failed(LoginError),
}

/// Why a request cannot succeed with this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The nonce promises PASSWORD-ALGORITHMS, or there was one before, and there is none (RFC 8489 §9.2.1).
    #[error(
        "the list of password algorithms was taken away on the path, to weaken the login; do not trust this network"
    )]
    BidDown,
    /// The server offers no password algorithm that we know (RFC 8489 §9.2.5).
    #[error("the server offers no password algorithm that we know; MD5 and SHA-256 are")]
    NoKnownAlgorithm,
    /// The response lacks what it must have.
    #[error("the response lacks {0}")]
    Lacks(&'static str),
    /// A comprehension-required attribute that we do not know (RFC 8489 §6.3.3, §6.3.4).
    #[error("the response demands that we understand attribute {0:#06x}, which we do not")]
    UnknownAttribute(u16),
    /// On a stream: nobody vouches for the response (RFC 8489 §9.1.4, §9.2.5). With datagrams such a response is as if
    /// never received; see [`Attempt::is_violated`].
    #[error(
        "the response is not signed with our password; the password differs, or somebody alters what we read"
    )]
    IntegrityViolated,
}

impl Attempt {
    /// A new request, over this transport.
    #[must_use]
    pub const fn new(over: Transport) -> Self {
        Self { over, proof: None, challenges: 0, violated: false, understood: &[] }
    }

    /// The same of who speaks an extension, and understands these attributes in the response:
    /// [`Message::unknown_required_but`].
    #[must_use]
    pub fn understanding(self, understood: &'static [u16]) -> Self {
        Self { understood, ..self }
    }

    /// Whether what was written last is signed.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.proof.is_some()
    }

    /// Whether only responses came that nobody vouches for. If so, the end of the transaction is to be told as a
    /// violation of its integrity, not as a timeout (RFC 8489 §9.1.4, §9.2.5).
    #[must_use]
    pub const fn is_violated(&self) -> bool {
        self.violated
    }

    pub(super) fn realm(&self) -> Option<&str> {
        self.proof.as_ref().map(|proof| proof.realm.as_str())
    }

    pub(super) fn change(&self) -> Option<u32> {
        self.proof.as_ref().map(|proof| proof.change)
    }

    /// Judges what must be signed: whatever is no challenge.
    pub(super) fn believe<'m>(&mut self, message: Message<'m>) -> Result<Verdict<'m>, Dropped> {
        let Some(proof) = &self.proof else { return self.believe_unsigned(message) };
        match proof.verify(message) {
            Ok(proven) => Ok(self.conclude(message, Some(proven))),
            Err(Doubt::Discard) => {
                self.violated = true;
                Err(Dropped::BadIntegrity)
            }
            Err(Doubt::Violation) => self.violate(),
        }
    }

    /// Before the first challenge nobody can vouch for anything, and only a refusal is believed: a success would have
    /// us use what who knows whom has granted.
    fn believe_unsigned<'m>(&mut self, message: Message<'m>) -> Result<Verdict<'m>, Dropped> {
        if message.class() == Class::Error { Ok(self.conclude(message, None)) } else { self.violate() }
    }

    fn conclude<'m>(&self, message: Message<'m>, proven: Option<Authenticated<Message<'m>>>) -> Verdict<'m> {
        if let Some(kind) = message.unknown_required_but(self.understood).next() {
            return Verdict::Failed(LoginError::UnknownAttribute(kind));
        }
        match (error_code(&message), proven) {
            (Some(code), proven) => Verdict::Refused { code, proven },
            (None, Some(proven)) if message.class() == Class::Success => Verdict::Granted(proven),
            (None, _) => Verdict::Failed(LoginError::Lacks("ERROR-CODE")),
        }
    }

    fn violate<'m>(&mut self) -> Result<Verdict<'m>, Dropped> {
        if self.over.is_stream() {
            return Ok(Verdict::Failed(LoginError::IntegrityViolated));
        }
        self.violated = true;
        Err(Dropped::BadIntegrity)
    }
}

/// Why nobody vouches for a response.
enum Doubt {
    /// It is signed otherwise than the request was.
    Discard,
    /// It is not signed with our key, or not at all.
    Violation,
}

impl Proof {
    /// A response may be signed better than its request, but not worse.
    fn verify<'m>(&self, message: Message<'m>) -> Result<Authenticated<Message<'m>>, Doubt> {
        match (message.verify(&self.key), self.signed) {
            (Ok(proven), Signed::By(Integrity::Sha256)) if proven.by() == Integrity::Sha1 => {
                Err(Doubt::Discard)
            }
            (Ok(proven), _) => Ok(proven),
            (Err(IntegrityError::Missing | IntegrityError::Mismatch), _) => Err(Doubt::Violation),
        }
    }
}

/// The number and words of an error response.
pub(super) fn error_code<'m>(message: &Message<'m>) -> Option<ErrorCode<'m>> {
    (message.class() == Class::Error).then(|| message.find()).flatten()
}
