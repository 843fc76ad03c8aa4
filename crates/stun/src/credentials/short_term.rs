//! Short-term credentials (RFC 8489 §9.1): both sides know a user name and a password by other means, and there is no
//! challenge. ICE's are of this kind.

use alloc::string::String;
use core::borrow::Borrow;

use super::Credentials;
use super::verdict::{Attempt, Proof, Signed, Verdict};
use crate::attribute::{ErrorCode, Username};
use crate::{Authenticated, Builder, Dropped, EncodeError, Integrity, Key, Message};

/// The client's side, towards one server.
///
/// The first request carries MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256, later ones the one that the first answer
/// carried (§9.1.2, §9.1.5), unless it is known beforehand which the other side understands.
///
/// ```
/// use floe_stun::credentials::{Attempt, Credentials, ShortTerm, Verdict, short_term};
/// use floe_stun::{Builder, Class, Integrity, Message, Method, Password, TransactionId, Transport};
///
/// let mut client = ShortTerm::new(&Credentials::new("bob:alice", Password::new("VOkJxbRl1RmTxUk")));
/// let mut attempt = Attempt::new(Transport::Udp);
/// let (mut ours, mut theirs) = ([0; 256], [0; 256]);
/// let begin = |buf, class| Builder::new(buf, class, Method::BINDING, TransactionId::from([7; 12]));
/// let request = client.finish(begin(&mut ours, Class::Request), &mut attempt)?;
///
/// let key = client.key().clone();
/// let (request, key) = short_term::authenticate(&Message::decode(request)?, |name| {
///     (name == "bob:alice").then_some(&key)
/// }).unwrap();
/// assert_eq!(request.by(), Integrity::Sha256);
///
/// let answer = begin(&mut theirs, Class::Success).integrity_sha256(key).finish()?;
/// let verdict = client.handle_response(&mut attempt, Message::decode(answer)?).unwrap();
/// assert!(matches!(verdict, Verdict::Granted(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ShortTerm {
    username: String,
    key: Key,
    signed: Signed,
}

impl ShortTerm {
    /// Nobody knows yet what the other side understands.
    #[must_use]
    pub fn new(credentials: &Credentials) -> Self {
        let key = Key::short_term(credentials.password().reveal());
        Self { username: credentials.username().into(), key, signed: Signed::Both }
    }

    /// The other side is known to understand this one, as in ICE MESSAGE-INTEGRITY.
    #[must_use]
    pub fn signing_by(self, by: Integrity) -> Self {
        Self { signed: Signed::By(by), ..self }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Ends a request with USERNAME and signs it; `attempt` remembers how.
    ///
    /// # Errors
    ///
    /// As [`Builder::finish`].
    pub fn finish<'b>(&self, builder: Builder<'b>, attempt: &mut Attempt) -> Result<&'b [u8], EncodeError> {
        let Self { username, key, signed } = self;
        attempt.proof = Some(Proof { realm: String::new(), change: 0, key: key.clone(), signed: *signed });
        let builder = builder.attribute(&Username(username));
        match signed {
            Signed::Both => builder.integrity(key).integrity_sha256(key).finish(),
            Signed::By(Integrity::Sha1) => builder.integrity(key).finish(),
            Signed::By(Integrity::Sha256) => builder.integrity_sha256(key).finish(),
        }
    }

    /// Judges a response to the request that `attempt` stands for (§9.1.4). That id and method are the request's is
    /// for the owner to see. Never says [`Verdict::Again`].
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
        let verdict = attempt.believe(message)?;
        if let Verdict::Granted(proven) | Verdict::Refused { proven: Some(proven), .. } = &verdict {
            self.signed = Signed::By(proven.by());
        }
        Ok(verdict)
    }
}

/// The server's side: believes a request or an indication by the checks of §9.1.3, in their order. `find` knows the key
/// of every user name that is valid now. The answer is signed with that key and by [`Authenticated::by`].
///
/// # Errors
///
/// The code to answer a request with, unsigned: 400 or 401. An indication is dropped instead.
pub fn authenticate<'m, K: Borrow<Key>>(
    message: &Message<'m>,
    find: impl FnOnce(&'m str) -> Option<K>,
) -> Result<(Authenticated<Message<'m>>, K), ErrorCode<'static>> {
    let username = message.find::<Username<'_>>().filter(|_| message.has_integrity());
    let Username(username) = username.ok_or(ErrorCode::BAD_REQUEST)?;
    let key = find(username).ok_or(ErrorCode::UNAUTHENTICATED)?;
    let request = message.verify(key.borrow()).map_err(|_| ErrorCode::UNAUTHENTICATED)?;
    Ok((request, key))
}
