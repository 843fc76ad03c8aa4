//! The client's side of the long-term credential mechanism (RFC 8489 §9.2): one challenge, shared by all requests to a
//! server, and the proof that their answers must give.
//!
//! ```text
//!   unchallenged ──401──▶ challenged ──438, or 401 of another realm──┐
//!                             ▲──────────────────────────────────────┘
//! ```
//!
//! Once a server has offered password algorithms, every challenge must: a list that is missing where the nonce
//! promises one, or where there was one before, was taken away by somebody on the path (RFC 8489 §9.2.1). So is the wish
//! to hear our name hidden.

use alloc::string::String;
use alloc::vec::Vec;

use super::cookie::is_bid_down;
use super::verdict::{Proof, Signed, error_code};
use super::{Attempt, Credentials, LoginError, SecurityFeatures, Verdict};
use crate::attribute::{
    Algorithm, ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash, Username,
};
use crate::{Builder, Dropped, EncodeError, Integrity, Message};

/// Who we are to one server, and what it last challenged us with.
///
/// Write each request with [`Self::finish`], judge each response to it with [`Self::handle_response`].
///
/// ```
/// use core::time::Duration;
/// use floe_stun::attribute::{Algorithm, ErrorCode, Lifetime};
/// use floe_stun::credentials::{Attempt, Credentials, Gate, Login, Verdict};
/// use floe_stun::{Builder, Class, Instant, Message, Method, TransactionId, Transport};
///
/// let alice = Credentials::prepare("alice", "open sesame")?;
/// let (mut login, mut attempt) = (Login::new(alice.clone()), Attempt::new(Transport::Udp));
/// let gate = Gate::new("example.org", [7; 32], Duration::from_secs(600));
/// let (now, client) = (Instant::ORIGIN, "203.0.113.5:40000".parse()?);
/// let (mut ours, mut theirs) = ([0; 512], [0; 512]);
///
/// fn begin(buf: &mut [u8], class: Class, n: u8) -> Builder<'_> {
///     Builder::new(buf, class, Method::REFRESH, TransactionId::from([n; 12]))
/// }
///
/// // The first request says nothing of us, and the server challenges it.
/// let request = login.finish(begin(&mut ours, Class::Request, 1), &mut attempt)?;
/// let find = |_, algorithm| Some(("alice", alice.key("example.org", algorithm)));
/// assert!(gate.authenticate(now, client, &Message::decode(request)?, find).is_err());
/// let challenge = begin(&mut theirs, Class::Error, 1).attribute(&ErrorCode::UNAUTHENTICATED);
/// let challenge = gate.challenge(challenge, now, client).finish()?;
/// let verdict = login.handle_response(&mut attempt, Message::decode(challenge)?).unwrap();
/// assert!(matches!(verdict, Verdict::Again));
///
/// // The second, in a new transaction, is signed, and so is its answer.
/// let request = login.finish(begin(&mut ours, Class::Request, 2), &mut attempt)?;
/// let request = Message::decode(request)?;
/// let find = |_, algorithm| Some(("alice", alice.key("example.org", algorithm)));
/// let believed = gate.authenticate(now, client, &request, find).unwrap();
/// let answer = begin(&mut theirs, Class::Success, 2).attribute(&Lifetime(Duration::from_secs(600)));
/// let answer = answer.integrity_sha256(&believed.key).finish()?;
/// let verdict = login.handle_response(&mut attempt, Message::decode(answer)?).unwrap();
/// assert!(matches!(verdict, Verdict::Granted(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Login {
    credentials: Credentials,
    /// What to try when the server no longer takes those.
    next: Option<Credentials>,
    /// How often the credentials have changed.
    change: u32,
    choice: Choice,
    challenge: Option<Challenge>,
}

/// Which password algorithm is taken of several that are known.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// The one that the server prefers (RFC 8489 §9.2.5).
    First,
    /// SHA-256 (RFC 8656 §6).
    Sha256,
}

#[derive(Clone, Debug)]
struct Challenge {
    nonce: String,
    identity: Identity,
    offer: Option<Offer>,
    proof: Proof,
}

/// How the server wants to hear our name.
#[derive(Clone, Debug)]
enum Identity {
    Name,
    Hash(UserHash),
}

/// PASSWORD-ALGORITHMS as it came, and what we took from it.
#[derive(Clone, Debug)]
struct Offer {
    list: Vec<u8>,
    chosen: Algorithm,
}

impl Login {
    /// How many challenges in a row a signed request answers before it gives up.
    pub const MAX_CHALLENGES: u8 = 3;

    /// Nobody has challenged us yet.
    #[must_use]
    pub const fn new(credentials: Credentials) -> Self {
        Self { credentials, next: None, change: 0, choice: Choice::First, challenge: None }
    }

    /// Takes SHA-256 wherever it stands in the server's list, as TURN demands (RFC 8656 §6).
    #[must_use]
    pub fn preferring_sha256(self) -> Self {
        Self { choice: Choice::Sha256, ..self }
    }

    /// From now on these are to be used, as when time-limited ones come to their end. What the server holds for us it
    /// holds for the user who asked for it (RFC 8656 §5), so the old ones serve until it refuses them with 401, or until
    /// it holds nothing: see [`Self::start_anew`].
    pub fn renew(&mut self, credentials: Credentials) {
        self.next = Some(credentials).filter(|next| *next != self.credentials);
    }

    /// The server holds nothing for us any more: the newest credentials serve from here on.
    pub fn start_anew(&mut self) {
        if self.use_next() {
            self.challenge = None;
        }
    }

    /// It is another server that is asked from here on.
    pub fn start_elsewhere(&mut self) {
        self.challenge = None;
        self.use_next();
    }

    fn use_next(&mut self) -> bool {
        let Some(next) = self.next.take() else { return false };
        self.credentials = next;
        self.change = self.change.wrapping_add(1);
        true
    }

    /// As whom we ask.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Whether requests are signed by now.
    #[must_use]
    pub const fn is_challenged(&self) -> bool {
        self.challenge.is_some()
    }

    /// Ends a request with what the challenge demands and signs it; `attempt` remembers how.
    ///
    /// # Errors
    ///
    /// As [`Builder::finish`].
    pub fn finish<'b>(&self, builder: Builder<'b>, attempt: &mut Attempt) -> Result<&'b [u8], EncodeError> {
        attempt.proof = self.challenge.as_ref().map(|challenge| challenge.proof.clone());
        match &self.challenge {
            Some(challenge) => challenge.finish(builder, &self.credentials),
            None => builder.finish(),
        }
    }

    /// Judges a response to the request that `attempt` stands for, in the order of RFC 8489 §6.3 and §9.2.5. That id
    /// and method are the request's is for the owner to see.
    ///
    /// # Errors
    ///
    /// The response is as if never received: the transaction goes on.
    pub fn handle_response<'m>(
        &mut self,
        attempt: &mut Attempt,
        message: Message<'m>,
    ) -> Result<Verdict<'m>, Dropped> {
        if message.fingerprint() == Some(false) {
            return Err(Dropped::BadFingerprint);
        }
        let code = error_code(&message);
        if let Some(code) = code.filter(is_challenge) {
            return Ok(self.handle_challenge(attempt, &message, code));
        }
        if is_bid_down(&message) {
            return Err(Dropped::MissingAttribute);
        }
        //= RFC 8489 §9.2.5
        //# If the response is an error response with an error code of 400 (Bad Request) and does not contain
        //# either the MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 attribute, then the response MUST be
        //# discarded, as if it were never received.
        if code.is_some_and(|code| code.code == ErrorCode::BAD_REQUEST.code) && !message.has_integrity() {
            return Err(Dropped::BadIntegrity);
        }
        let verdict = attempt.believe(message)?;
        if let (Verdict::Granted(proven), Some(challenge)) = (&verdict, &mut self.challenge) {
            //= RFC 8489 §9.2.3.2
            //# The choice between the two attributes depends on the attribute received in the response to the
            //# first request.
            // It may be the answer to an older challenge, and takes nothing away from this one.
            if proven.by() == Integrity::Sha256 {
                challenge.proof.signed = Signed::By(Integrity::Sha256);
            }
        }
        Ok(verdict)
    }

    /// 401 or 438, which nobody can vouch for.
    fn handle_challenge<'m>(
        &mut self,
        attempt: &mut Attempt,
        message: &Message<'m>,
        code: ErrorCode<'m>,
    ) -> Verdict<'m> {
        if let Some(kind) = message.unknown_required().next() {
            return Verdict::Failed(LoginError::UnknownAttribute(kind));
        }
        if attempt.challenges >= Self::MAX_CHALLENGES {
            return Verdict::Refused { code, proven: None };
        }
        match self.take_up(attempt, message, code) {
            Ok(Some(challenge)) => {
                attempt.challenges = attempt.challenges.saturating_add(u8::from(attempt.is_signed()));
                self.challenge = Some(challenge);
                Verdict::Again
            }
            Ok(None) => Verdict::Refused { code, proven: None },
            Err(why) => Verdict::Failed(why),
        }
    }

    /// The new challenge; none if it asks what has been answered already.
    fn take_up(
        &mut self,
        attempt: &Attempt,
        message: &Message<'_>,
        code: ErrorCode<'_>,
    ) -> Result<Option<Challenge>, LoginError> {
        let offered = message.get::<PasswordAlgorithms<'_>>().transpose();
        let offered = offered.map_err(|_| LoginError::Lacks("a PASSWORD-ALGORITHMS that can be read"))?;
        if offered.is_none() && (is_bid_down(message) || self.has_offer()) {
            return Err(LoginError::BidDown);
        }
        let realm = message.find().map(|Realm(realm)| realm);
        let tried = attempt.realm();
        //= RFC 8489 §9.2.5
        //# The client MUST NOT perform this retry if it is not changing the USERNAME, USERHASH, REALM, or its
        //# associated password from the previous attempt.
        if let (401, Some(tried)) = (code.code, tried)
            && realm.is_none_or(|realm| realm == tried)
            && attempt.change() == Some(self.change)
            && !self.use_next()
        {
            return Ok(None);
        }
        let realm = realm.or(tried).ok_or(LoginError::Lacks("REALM"))?;
        let Nonce(nonce) = message.find().ok_or(LoginError::Lacks("NONCE"))?;
        let offer = offered.map(|list| self.choice.take(list)).transpose()?;
        Ok(Some(Challenge::new(nonce, realm, offer, self)))
    }

    fn hides_name(&self) -> bool {
        self.challenge.as_ref().is_some_and(|challenge| matches!(challenge.identity, Identity::Hash(_)))
    }

    fn has_offer(&self) -> bool {
        self.challenge.as_ref().is_some_and(|challenge| challenge.offer.is_some())
    }
}

impl Challenge {
    fn new(nonce: &str, realm: &str, offer: Option<Offer>, login: &Login) -> Self {
        let credentials = &login.credentials;
        // Once our name was to be hidden it stays so: a nonce that says otherwise may be anybody's.
        let hides = SecurityFeatures::of(nonce).username_anonymity || login.hides_name();
        let identity = if hides { Identity::Hash(credentials.hash(realm)) } else { Identity::Name };
        let algorithm = offer.as_ref().map_or(Algorithm::MD5, |offer| offer.chosen);
        //= RFC 8489 §9.2.5
        //# If the response contains a PASSWORD-ALGORITHMS attribute, all the subsequent requests MUST be
        //# authenticated using MESSAGE-INTEGRITY-SHA256 only.
        let by = if offer.is_some() { Integrity::Sha256 } else { Integrity::Sha1 };
        let key = credentials.key(realm, algorithm);
        let proof = Proof { realm: realm.into(), change: login.change, key, signed: Signed::By(by) };
        Self { nonce: nonce.into(), identity, offer, proof }
    }

    fn finish<'b>(&self, builder: Builder<'b>, credentials: &Credentials) -> Result<&'b [u8], EncodeError> {
        let Self { nonce, identity, offer, proof } = self;
        let builder = match identity {
            Identity::Name => builder.attribute(&Username(credentials.username())),
            Identity::Hash(hash) => builder.attribute(hash),
        };
        let builder = builder
            .attribute(&Realm(&proof.realm))
            .attribute(&Nonce(nonce))
            .maybe(offer.as_ref().map(|offer| PasswordAlgorithms::from_bytes(&offer.list)).as_ref())
            .maybe(offer.as_ref().map(|offer| PasswordAlgorithm(offer.chosen)).as_ref());
        match proof.signed {
            Signed::By(Integrity::Sha256) => builder.integrity_sha256(&proof.key).finish(),
            Signed::By(Integrity::Sha1) | Signed::Both => builder.integrity(&proof.key).finish(),
        }
    }
}

impl Choice {
    fn take(self, list: PasswordAlgorithms<'_>) -> Result<Offer, LoginError> {
        let mut known = list.iter().filter(|offered| [Algorithm::SHA256, Algorithm::MD5].contains(offered));
        let first = known.next().ok_or(LoginError::NoKnownAlgorithm)?;
        let chosen = match self {
            Self::First => first,
            Self::Sha256 => known.find(|other| *other == Algorithm::SHA256).unwrap_or(first),
        };
        Ok(Offer { list: list.as_bytes().into(), chosen })
    }
}

fn is_challenge(code: &ErrorCode<'_>) -> bool {
    [ErrorCode::UNAUTHENTICATED.code, ErrorCode::STALE_NONCE.code].contains(&code.code)
}
