//! As whom a client asks: a user with a password, or whoever a token speaks for.

use core::cmp;
use core::time::Duration;

use floe_stun::credentials::{self, Attempt, Credentials, ThirdParty, Token, Verdict};
use floe_stun::{Builder, Dropped, EncodeError, Instant, Message, Method};

/// As whom to ask. A user name and a password become one by `into`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// As a user with a password (RFC 8489 §9.2); what makes them for a limited time is
    /// [`rest::Secret`](floe_stun::credentials::rest::Secret).
    Password(Credentials),
    /// As whoever a token of an authorization server speaks for (RFC 7635), which
    /// [`Client::give_token`](crate::Client::give_token) shows. A server that takes none is asked with the password, if
    /// there is one; who has once asked for a token is never shown it.
    Token {
        /// For servers that take no tokens.
        or: Option<Credentials>,
    },
}

impl From<Credentials> for Identity {
    fn from(credentials: Credentials) -> Self {
        Self::Password(credentials)
    }
}

/// The same with what the server has said to it.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a client has one, and one more for each stream that is being joined"
)]
pub(crate) enum Login {
    Password(credentials::Login),
    Token(ThirdParty),
}

impl Login {
    pub(crate) fn new(identity: &Identity) -> Self {
        // RFC 8656 §6: SHA-256 wherever the server offers it.
        let login =
            |credentials: &Credentials| credentials::Login::new(credentials.clone()).preferring_sha256();
        match identity {
            Identity::Password(credentials) => Self::Password(login(credentials)),
            Identity::Token { or: None } => Self::Token(ThirdParty::new()),
            Identity::Token { or: Some(credentials) } => {
                Self::Token(ThirdParty::new().or_password(login(credentials)))
            }
        }
    }

    /// See [`credentials::Login::finish`].
    pub(crate) fn finish<'b>(
        &self,
        builder: Builder<'b>,
        method: Method,
        attempt: &mut Attempt,
    ) -> Result<&'b [u8], EncodeError> {
        match self {
            Self::Password(login) => login.finish(builder, attempt),
            Self::Token(third_party) => third_party.finish(builder, method, attempt),
        }
    }

    /// See [`credentials::Login::handle_response`].
    pub(crate) fn handle_response<'m>(
        &mut self,
        attempt: &mut Attempt,
        message: Message<'m>,
    ) -> Result<Verdict<'m>, Dropped> {
        match self {
            Self::Password(login) => login.handle_response(attempt, message),
            Self::Token(third_party) => third_party.handle_response(attempt, message),
        }
    }

    /// Whether requests are signed by now.
    pub(crate) fn is_challenged(&self) -> bool {
        match self {
            Self::Password(login) => login.is_challenged(),
            Self::Token(third_party) => third_party.is_challenged(),
        }
    }

    pub(crate) fn renew(&mut self, credentials: Credentials) {
        if let Some(login) = self.password() {
            login.renew(credentials);
        }
    }

    pub(crate) fn start_anew(&mut self) {
        if let Some(login) = self.password() {
            login.start_anew();
        }
    }

    pub(crate) fn start_elsewhere(&mut self) {
        match self {
            Self::Password(login) => login.start_elsewhere(),
            Self::Token(third_party) => third_party.start_elsewhere(),
        }
    }

    /// Shows this token from now on.
    pub(crate) fn give(&mut self, token: Token) {
        if let Self::Token(third_party) = self {
            third_party.give(token);
        }
    }

    /// The name of the server that will not be content without a token: see [`ThirdParty::wants_token`].
    pub(crate) fn wants_token(&self, now: Instant) -> Option<&str> {
        self.third_party()?.wants_token(now)
    }

    /// The name under which the server takes tokens, if it has asked for one.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.third_party()?.server_name()
    }

    /// When to get another token, so that the allocation can be refreshed in time.
    pub(crate) fn token_due(&self, now: Instant) -> Option<Instant> {
        let expires = self.third_party()?.token()?.expires();
        let left = expires - now;
        Some(now + (left - cmp::min(TOKEN_LEAD, left / 2)))
    }

    fn third_party(&self) -> Option<&ThirdParty> {
        match self {
            Self::Password(_) => None,
            Self::Token(third_party) => Some(third_party),
        }
    }

    fn password(&mut self) -> Option<&mut credentials::Login> {
        match self {
            Self::Password(login) => Some(login),
            Self::Token(third_party) => third_party.password(),
        }
    }
}

/// An allocation lives no longer than the token that made it (RFC 7635 §9), and is refreshed a minute before its end.
const TOKEN_LEAD: Duration = Duration::from_secs(120);
