//! The login: one challenge, shared by all requests, and the proof that answers must give (RFC 8489 §9.2).
//!
//! ```text
//!   unchallenged ──401──▶ challenged ──438, or 401 of another realm──┐
//!                             ▲──────────────────────────────────────┘
//! ```
//!
//! Once a server has offered password algorithms, every challenge must: a list that is missing where the nonce
//! promises one, or where there was one before, was taken away by somebody on the path (RFC 8489 §9.2.1).

use alloc::string::String;
use alloc::vec::Vec;

use floe_stun::attribute::{
    Algorithm, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash, Username,
};
use floe_stun::{Authenticated, Builder, Dropped, EncodeError, Integrity, Key, Message, userhash};

use crate::{BadAnswer, Credentials};

/// What the server last challenged us with, if it has.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    challenge: Option<Challenge>,
}

#[derive(Debug)]
struct Challenge {
    nonce: String,
    identity: Identity,
    offer: Option<Offer>,
    proof: Proof,
}

/// How the server wants to hear our name.
#[derive(Debug)]
enum Identity {
    Name,
    Hash(UserHash),
}

/// PASSWORD-ALGORITHMS as it came, and what we took from it.
#[derive(Debug)]
struct Offer {
    list: Vec<u8>,
    chosen: Algorithm,
}

/// What a request was signed with, and what its answer must be signed with.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    realm: String,
    key: Key,
    by: Integrity,
}

/// Why a challenge cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hopeless {
    /// The server has seen our credentials and does not want them.
    Rejected,
    /// The list of password algorithms was taken away.
    BidDown,
    /// The challenge is incomplete, or in terms we do not know.
    Unusable(BadAnswer),
}

impl Auth {
    /// Takes up the challenge of a 401 or 438. `tried` is what the refused request was signed with.
    pub(crate) fn handle_challenge(
        &mut self,
        message: &Message<'_>,
        code: u16,
        tried: Option<&Proof>,
        credentials: &Credentials,
    ) -> Result<(), Hopeless> {
        let offered = match message.get::<PasswordAlgorithms<'_>>() {
            Some(Ok(list)) => Some(list),
            Some(Err(_)) => {
                return Err(Hopeless::Unusable(BadAnswer::Lacks("a PASSWORD-ALGORITHMS that can be read")));
            }
            None => None,
        };
        if offered.is_none() && (is_bid_down(message) || self.has_offer()) {
            return Err(Hopeless::BidDown);
        }
        let realm = message.find().map(|Realm(realm)| realm);
        if let (UNAUTHENTICATED, Some(tried)) = (code, tried)
            && realm.is_none_or(|realm| realm == tried.realm)
        {
            return Err(Hopeless::Rejected);
        }
        let realm = realm
            .or_else(|| tried.map(|proof| proof.realm.as_str()))
            .ok_or(Hopeless::Unusable(BadAnswer::Lacks("REALM")))?;
        let Nonce(nonce) = message.find().ok_or(Hopeless::Unusable(BadAnswer::Lacks("NONCE")))?;
        let offer = offered.map(Offer::choose).transpose()?;
        self.challenge = Some(Challenge::new(nonce, realm, offer, credentials));
        Ok(())
    }

    /// An answer was believed; from now on requests are signed as it was (RFC 8489 §9.2.3.2).
    pub(crate) fn handle_success(&mut self, by: Integrity) {
        if let Some(challenge) = &mut self.challenge {
            challenge.proof.by = by;
        }
    }

    /// Adds what the challenge demands, signs, and ends the message.
    pub(crate) fn finish<'b>(
        &self,
        builder: Builder<'b>,
        credentials: &Credentials,
    ) -> Result<&'b [u8], EncodeError> {
        let Some(Challenge { nonce, identity, offer, proof }) = &self.challenge else {
            return builder.finish();
        };
        let builder = match identity {
            Identity::Name => builder.attribute(&Username(credentials.username())),
            Identity::Hash(hash) => builder.attribute(hash),
        };
        let builder = builder
            .attribute(&Realm(&proof.realm))
            .attribute(&Nonce(nonce))
            .maybe(offer.as_ref().map(|offer| PasswordAlgorithms::from_bytes(&offer.list)).as_ref())
            .maybe(offer.as_ref().map(|offer| PasswordAlgorithm(offer.chosen)).as_ref());
        match proof.by {
            Integrity::Sha1 => builder.integrity(&proof.key).finish(),
            Integrity::Sha256 => builder.integrity_sha256(&proof.key).finish(),
        }
    }

    /// What a request that is written now is signed with.
    pub(crate) fn proof(&self) -> Option<Proof> {
        self.challenge.as_ref().map(|challenge| challenge.proof.clone())
    }

    fn has_offer(&self) -> bool {
        self.challenge.as_ref().is_some_and(|challenge| challenge.offer.is_some())
    }
}

impl Challenge {
    fn new(nonce: &str, realm: &str, offer: Option<Offer>, credentials: &Credentials) -> Self {
        let username = credentials.username();
        let identity = if Features::of(nonce).username_anonymity {
            Identity::Hash(userhash(username, realm))
        } else {
            Identity::Name
        };
        let derive = match &offer {
            Some(Offer { chosen: Algorithm::SHA256, .. }) => Key::long_term_sha256,
            _ => Key::long_term_md5,
        };
        let key = derive(bare(username), bare(realm), credentials.password());
        //= RFC 8489 §9.2.5
        //# If the response contains a PASSWORD-ALGORITHMS attribute, all the subsequent requests MUST be
        //# authenticated using MESSAGE-INTEGRITY-SHA256 only.
        let by = if offer.is_some() { Integrity::Sha256 } else { Integrity::Sha1 };
        Self { nonce: nonce.into(), identity, offer, proof: Proof { realm: realm.into(), key, by } }
    }
}

impl Offer {
    /// SHA-256 wherever it stands in the list (RFC 8656 §6), else MD5.
    fn choose(list: PasswordAlgorithms<'_>) -> Result<Self, Hopeless> {
        let chosen = [Algorithm::SHA256, Algorithm::MD5]
            .into_iter()
            .find(|known| list.iter().any(|offered| offered == *known))
            .ok_or(Hopeless::Unusable(BadAnswer::NoKnownAlgorithm))?;
        Ok(Self { list: list.as_bytes().into(), chosen })
    }
}

impl Proof {
    /// Whether the answer comes from who knows our password. A request that was signed with SHA-256 wants
    /// its answer so, too.
    pub(crate) fn verify<'m>(&self, message: Message<'m>) -> Result<Authenticated<Message<'m>>, Dropped> {
        match message.verify(&self.key) {
            Ok(message) if self.by == Integrity::Sha1 || message.by() == Integrity::Sha256 => Ok(message),
            Ok(_) | Err(_) => Err(Dropped::BadIntegrity),
        }
    }
}

/// Whether the nonce promises PASSWORD-ALGORITHMS and there is none.
pub(crate) fn is_bid_down(message: &Message<'_>) -> bool {
    let promised = message.find().is_some_and(|Nonce(nonce)| Features::of(nonce).password_algorithms);
    promised && message.get::<PasswordAlgorithms<'_>>().is_none()
}

/// The STUN security features of a nonce cookie (RFC 8489 §9.2, §18.1); none without a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Features {
    password_algorithms: bool,
    username_anonymity: bool,
}

impl Features {
    /// 24 bits in four characters of base64, bit 0 the first: the first character holds bits 0 to 5.
    fn of(nonce: &str) -> Self {
        let Some(&[first, _, _, _]) =
            nonce.strip_prefix(COOKIE).and_then(|bits| bits.as_bytes().first_chunk())
        else {
            return Self::default();
        };
        let bits = match first {
            b'A'..=b'Z' => first - b'A',
            b'a'..=b'z' => first - b'a' + 26,
            b'0'..=b'9' => first - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Self::default(),
        };
        Self { password_algorithms: bits & 0x20 != 0, username_anonymity: bits & 0x10 != 0 }
    }
}

/// "with any quotes and trailing nulls removed" (RFC 8489 §9.2.2)
fn bare(text: &str) -> &str {
    text.trim_end_matches('\0').trim_matches('"')
}

/// RFC 8489 §9.2: stands in front of the nonces of servers that know RFC 8489.
const COOKIE: &str = "obMatJos2";

/// RFC 8489 §14.8.
pub(crate) const UNAUTHENTICATED: u16 = 401;

/// RFC 8489 §14.8.
pub(crate) const STALE_NONCE: u16 = 438;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_bits_of_the_cookie_are_read() {
        let features = |nonce| {
            let Features { password_algorithms, username_anonymity } = Features::of(nonce);
            (password_algorithms, username_anonymity)
        };
        assert_eq!(features("obMatJos2AAAAabc"), (false, false));
        assert_eq!(features("obMatJos2gAAAabc"), (true, false));
        assert_eq!(features("obMatJos2QAAA"), (false, true));
        assert_eq!(features("obMatJos2wAAAabc"), (true, true));
        assert_eq!(features("obMatJos2/A"), (false, false), "cut short: not a cookie");
        assert_eq!(features("obMatJos2!AAAabc"), (false, false));
        assert_eq!(features("gAAAobMatJos2"), (false, false));
    }
}
