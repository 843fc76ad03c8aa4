//! The client's side of third-party authorization (RFC 7635): a token of an authorization server takes the place of
//! user name and password.
//!
//! ```text
//!   unchallenged ──401 with THIRD-PARTY-AUTHORIZATION──▶ challenged ──401──▶ the same, without its token
//!        └──any other 401──▶ the login by password, if there is one  ▲─┘438
//! ```
//!
//! Whoever has once asked for a token is never shown the password: the attribute may have been taken away on the path
//! (RFC 7635 §6.1, §11).

use alloc::string::String;

use super::token::Token;
use super::verdict::{Proof, Signed, error_code};
use super::{Attempt, Login, LoginError, Verdict};
use crate::attribute::{AccessToken, Attribute, ErrorCode, Nonce, Realm, ThirdPartyAuthorization, Username};
use crate::{Builder, Dropped, EncodeError, Instant, Integrity, Message, Method};

/// Who we are to one server that takes tokens, or may.
///
/// Before each request ask [`Self::wants_token`]; if it names a server, get a token for it from the authorization server
/// and [`Self::give`] it. Write each request with [`Self::finish`], judge each response with [`Self::handle_response`].
/// A conversation is the example of [`opener`](super::token::opener).
#[derive(Clone, Debug, Default)]
pub struct ThirdParty {
    token: Option<Token>,
    /// How many tokens there were; tells which one a request has shown.
    given: u32,
    challenge: Option<Challenge>,
    password: Option<Login>,
}

/// What the server said when it asked for a token.
#[derive(Clone, Debug)]
struct Challenge {
    server_name: String,
    realm: Option<String>,
    nonce: String,
}

impl ThirdParty {
    /// Nobody has asked for a token yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { token: None, given: 0, challenge: None, password: None }
    }

    /// The same with a login for servers that take no tokens (RFC 7635 §6.1).
    #[must_use]
    pub fn or_password(self, login: Login) -> Self {
        Self { password: Some(login), ..self }
    }

    /// The name of the server that a token is wanted for: there is none, or it has come to its end (RFC 7635 §8), or the
    /// server has refused it. None if no server has asked for one.
    #[must_use]
    pub fn wants_token(&self, now: Instant) -> Option<&str> {
        let has_one = self.token.as_ref().is_some_and(|token| !token.is_expired(now));
        self.challenge.as_ref().filter(|_| !has_one).map(|challenge| challenge.server_name.as_str())
    }

    /// The name under which the server takes tokens; none if it has not asked for one.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.challenge.as_ref().map(|challenge| challenge.server_name.as_str())
    }

    /// The token that is shown.
    #[must_use]
    pub const fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The login for servers that take no tokens, if there is one.
    #[must_use]
    pub const fn password(&mut self) -> Option<&mut Login> {
        self.password.as_mut()
    }

    /// Whether requests are signed by now.
    #[must_use]
    pub const fn is_challenged(&self) -> bool {
        match (&self.challenge, &self.password) {
            (Some(_), _) => self.token.is_some(),
            (None, Some(login)) => login.is_challenged(),
            (None, None) => false,
        }
    }

    /// It is another server that is asked from here on: a token is for one alone.
    pub fn start_elsewhere(&mut self) {
        (self.challenge, self.token) = (None, None);
        if let Some(login) = &mut self.password {
            login.start_elsewhere();
        }
    }

    /// From now on this token is shown, to what was allocated with another one too (RFC 7635 §9). It may come before the
    /// server has asked for it.
    pub fn give(&mut self, token: Token) {
        self.token = Some(token);
        self.given = self.given.wrapping_add(1);
    }

    /// Ends a request of this method with the token and signs it, if the server has asked for one; `attempt` remembers
    /// how. Of TURN's requests only Allocate and Refresh show the token (RFC 7635 §9), the others its name.
    ///
    /// # Errors
    ///
    /// As [`Builder::finish`].
    pub fn finish<'b>(
        &self,
        builder: Builder<'b>,
        method: Method,
        attempt: &mut Attempt,
    ) -> Result<&'b [u8], EncodeError> {
        match (&self.challenge, &self.token, &self.password) {
            (Some(challenge), Some(token), _) => {
                attempt.proof = Some(self.proof(challenge, token));
                challenge.finish(builder, token, shows_token(method))
            }
            (None, _, Some(login)) => login.finish(builder, attempt),
            (Some(_), None, _) | (None, _, None) => {
                attempt.proof = None;
                builder.finish()
            }
        }
    }

    /// Judges a response to the request that `attempt` stands for (RFC 7635 §8). That id and method are the request's is
    /// for the owner to see. Where it is [`Verdict::Refused`] with 401 and [`Self::wants_token`] names a server, the
    /// request can be written again once there is a token for it.
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
        let about_tokens = error_code(&message).filter(|code| self.is_about_tokens(&message, code));
        match (about_tokens, &mut self.password) {
            (Some(code), _) => Ok(self.handle_challenge(attempt, &message, code)),
            (None, Some(login)) if self.challenge.is_none() => login.handle_response(attempt, message),
            _ => attempt.believe(message),
        }
    }

    fn is_about_tokens(&self, message: &Message<'_>, code: &ErrorCode<'_>) -> bool {
        let asks = code.code == UNAUTHENTICATED && message.has(ThirdPartyAuthorization::TYPE);
        asks || self.challenge.is_some() && [UNAUTHENTICATED, STALE_NONCE].contains(&code.code)
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
        match Challenge::read(message, self.challenge.as_ref()) {
            Ok(challenge) => self.challenge = Some(challenge),
            Err(why) => return Verdict::Failed(why),
        }
        if code.code == UNAUTHENTICATED && attempt.change() == Some(self.given) {
            self.token = None;
        }
        if self.token.is_none() || attempt.challenges >= Login::MAX_CHALLENGES {
            return Verdict::Refused { code, proven: None };
        }
        attempt.challenges = attempt.challenges.saturating_add(u8::from(attempt.is_signed()));
        Verdict::Again
    }

    fn proof(&self, challenge: &Challenge, token: &Token) -> Proof {
        let realm = challenge.realm.clone().unwrap_or_default();
        let (key, signed) = (token.key.clone(), Signed::By(Integrity::Sha1));
        Proof { realm, change: self.given, key, signed }
    }
}

impl Challenge {
    /// What a challenge does not say again stays as it was.
    fn read(message: &Message<'_>, before: Option<&Self>) -> Result<Self, LoginError> {
        let Nonce(nonce) = message.find().ok_or(LoginError::Lacks("NONCE"))?;
        let name = message.find().map(|ThirdPartyAuthorization(name)| name);
        let name = name.or_else(|| before.map(|before| before.server_name.as_str()));
        let name = name.ok_or(LoginError::Lacks("a THIRD-PARTY-AUTHORIZATION that can be read"))?;
        let realm = message.find().map(|Realm(realm)| realm);
        let realm = realm.or_else(|| before.and_then(|before| before.realm.as_deref()));
        Ok(Self { server_name: name.into(), realm: realm.map(String::from), nonce: nonce.into() })
    }

    fn finish<'b>(&self, builder: Builder<'b>, token: &Token, shown: bool) -> Result<&'b [u8], EncodeError> {
        builder
            .attribute(&Username(&token.kid))
            .maybe(self.realm.as_deref().map(Realm).as_ref())
            .attribute(&Nonce(&self.nonce))
            .maybe(shown.then_some(AccessToken(&token.token)).as_ref())
            .integrity(&token.key)
            .finish()
    }
}

/// RFC 7635 §9: TURN shows it where an allocation is made or kept.
fn shows_token(method: Method) -> bool {
    let under_an_allocation =
        [Method::CREATE_PERMISSION, Method::CHANNEL_BIND, Method::CONNECT, Method::CONNECTION_BIND];
    !under_an_allocation.contains(&method)
}

const UNAUTHENTICATED: u16 = ErrorCode::UNAUTHENTICATED.code;
const STALE_NONCE: u16 = ErrorCode::STALE_NONCE.code;
