//! Tokens of third-party authorization (RFC 7635): what a client holds, and how a server looks into one.
//!
//! ```text
//!   authorization server ──kid, token, session key──▶ client ──USERNAME, ACCESS-TOKEN, MESSAGE-INTEGRITY──▶ server
//!            └────────────────a key of the two, and its kid, beforehand──────────────────────────────────────▲
//! ```
//!
//! The block in a token is encrypted by an AEAD cipher (AES-256-GCM must be there), which is the host's.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::Who;
use crate::attribute::{AccessToken, Algorithm};
use crate::{EncodeError, Instant, Key, Message, attribute::Attribute};

/// What an authorization server gave a client, for one server and some time. `Debug` shows none of it but the end.
#[derive(Clone)]
pub struct Token {
    pub(super) kid: String,
    pub(super) token: Zeroizing<Vec<u8>>,
    pub(super) key: Key,
    pub(super) expires: Instant,
}

impl Token {
    /// The key's name (`kid`), the token as it came, base64 undone, the session key (`key`), and when the client must
    /// get another (`expires_in` from then on).
    #[must_use]
    pub fn new(
        kid: impl Into<String>,
        token: impl Into<Vec<u8>>,
        session_key: &[u8],
        expires: Instant,
    ) -> Self {
        let key = key_of_session(session_key);
        Self { kid: kid.into(), token: Zeroizing::new(token.into()), key, expires }
    }

    /// When the client must get another.
    #[must_use]
    pub const fn expires(&self) -> Instant {
        self.expires
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        now >= self.expires
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// MESSAGE-INTEGRITY takes 160 bits as they are; of the 256 that go with HMAC-SHA-256 it takes their SHA-1
/// (RFC 7635 §6.2, appendix B).
fn key_of_session(session_key: &[u8]) -> Key {
    match session_key.len() {
        32 => Key::from_bytes(&Zeroizing::new(<[u8; 20]>::from(Sha1::digest(session_key)))[..]),
        _ => Key::from_bytes(session_key),
    }
}

/// A token that a server has been shown, to be opened by the host's AEAD cipher (RFC 5116 §2.2).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SealedToken<'m> {
    /// The name of the key that opens it.
    pub kid: &'m str,
    /// N of the cipher.
    pub nonce: &'m [u8],
    /// A of the cipher: the name that the server gives itself in THIRD-PARTY-AUTHORIZATION.
    pub server_name: &'m str,
    /// C of the cipher; it ends with the tag.
    pub ciphertext: &'m [u8],
}

/// What a token says, once it is open (RFC 7635 §6.2, figure 4). `Debug` does not show the key.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7635 defines three fields")]
pub struct TokenBlock<'a> {
    /// The session key (`mac_key`).
    pub session_key: &'a [u8],
    /// When the token was made, since 1970.
    pub made: Duration,
    /// For how long it is good, in whole seconds.
    pub lifetime: Duration,
}

impl<'a> TokenBlock<'a> {
    /// How far the clocks of the two servers may be apart (RFC 7635 §7).
    pub const DELTA: Duration = Duration::from_secs(5);

    /// Reads a block that has been opened; none if it is no such block.
    #[must_use]
    pub fn decode(plain: &'a [u8]) -> Option<Self> {
        let (length, rest) = plain.split_first_chunk::<2>()?;
        let (session_key, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (made, rest) = rest.split_first_chunk::<8>()?;
        let lifetime = u32::from_be_bytes(rest.try_into().ok()?);
        let made = timestamp::read(u64::from_be_bytes(*made));
        Some(Self { session_key, made, lifetime: Duration::from_secs(lifetime.into()) })
    }

    /// The bytes to be encrypted, for an authorization server.
    ///
    /// # Errors
    ///
    /// If the session key has more than 65,535 bytes.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
        let too_long = bad_value("the session key has more than 65,535 bytes");
        let length = u16::try_from(self.session_key.len()).map_err(|_| too_long)?;
        let lifetime = u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX);
        let mut plain = Zeroizing::new(Vec::with_capacity(self.session_key.len().saturating_add(2 + 8 + 4)));
        plain.extend(length.to_be_bytes());
        plain.extend(self.session_key);
        plain.extend(timestamp::write(self.made).to_be_bytes());
        plain.extend(lifetime.to_be_bytes());
        Ok(plain)
    }

    /// The longest lifetime that an allocation may be given at this time since 1970 (RFC 7635 §9); none if the token is
    /// not good any more, or not yet (§7).
    #[must_use]
    pub fn allows(&self, now: Duration) -> Option<Duration> {
        let left = self.lifetime.saturating_add(Self::DELTA).checked_sub(now.abs_diff(self.made))?;
        (!left.is_zero()).then(|| left.min(self.lifetime))
    }
}

impl fmt::Debug for TokenBlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, lifetime, .. } = self;
        f.debug_struct("TokenBlock").field("made", made).field("lifetime", lifetime).finish_non_exhaustive()
    }
}

/// The value of ACCESS-TOKEN, for an authorization server: a nonce and what the cipher made of the block.
///
/// # Errors
///
/// If the nonce has more than 65,535 bytes.
pub fn seal(nonce: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let too_long = bad_value("the nonce has more than 65,535 bytes");
    let length = u16::try_from(nonce.len()).map_err(|_| too_long)?;
    Ok([&length.to_be_bytes(), nonce, ciphertext].concat())
}

/// What a [`super::Gate`] looks a user up by, where users show tokens: the key of the session, if the token can be
/// opened and is good at `now`, counted from 1970 (RFC 7635 §7). With it comes the longest lifetime that may be granted.
///
/// `server_name` is what stands in THIRD-PARTY-AUTHORIZATION, which the owner adds to each challenge; `open` decrypts
/// and gives nothing if the cipher says FAIL. Requests without a token, which are all of TURN but Allocate and Refresh,
/// are looked up by `kid` among those that had one.
///
/// ```
/// use aes_gcm::aead::{Aead, KeyInit, Payload};
/// use aes_gcm::{Aes256Gcm, Nonce};
/// use core::time::Duration;
/// use floe_stun::credentials::token::{SealedToken, TokenBlock, opener, seal};
/// use floe_stun::credentials::{Attempt, Gate, ThirdParty, Token};
/// use floe_stun::attribute::{ErrorCode, ThirdPartyAuthorization};
/// use floe_stun::{Builder, Class, Instant, Message, Method, TransactionId, Transport};
///
/// const NAME: &str = "turn.example.org";
/// let shared = Aes256Gcm::new(&[1; 32].into());
/// fn begin(buf: &mut [u8], class: Class) -> Builder<'_> {
///     Builder::new(buf, class, Method::ALLOCATE, TransactionId::from([7; 12]))
/// }
///
/// // The authorization server makes a token for an hour.
/// let (made, lifetime) = (Duration::from_secs(1_800_000_000), Duration::from_secs(3600));
/// let block = TokenBlock { session_key: &[2; 20], made, lifetime }.encode()?;
/// let nonce = [3; 12];
/// let sealed = shared.encrypt(&nonce.into(), Payload { msg: &block, aad: NAME.as_bytes() }).unwrap();
/// let token = Token::new("kid-1", seal(&nonce, &sealed)?, &[2; 20], Instant::ORIGIN + lifetime);
///
/// // The server challenges the client, and the client shows the token.
/// let (mut ours, mut theirs) = ([0; 512], [0; 512]);
/// let gate = Gate::new("example.org", [7; 32], Duration::from_secs(600));
/// let (now, from) = (Instant::ORIGIN, "203.0.113.5:40000".parse()?);
/// let challenge = begin(&mut theirs, Class::Error).attribute(&ErrorCode::UNAUTHENTICATED);
/// let challenge = gate.challenge(challenge, now, from).attribute(&ThirdPartyAuthorization(NAME)).finish()?;
/// let (mut client, mut attempt) = (ThirdParty::new(), Attempt::new(Transport::Udp));
/// client.handle_response(&mut attempt, Message::decode(challenge)?).unwrap();
/// assert_eq!(client.wants_token(now), Some(NAME));
/// client.give(token);
/// let request = client.finish(begin(&mut ours, Class::Request), Method::ALLOCATE, &mut attempt)?;
///
/// // The server opens it with the key that has this name.
/// let request = Message::decode(request)?;
/// let open = |token: SealedToken<'_>| {
///     let payload = Payload { msg: token.ciphertext, aad: token.server_name.as_bytes() };
///     shared.decrypt(&Nonce::try_from(token.nonce).ok()?, payload).ok()
/// };
/// let believed = gate.authenticate(now, from, &request, opener(&request, NAME, made, open)).unwrap();
/// assert_eq!(believed.user, lifetime);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn opener<'m>(
    message: &Message<'m>,
    server_name: &'m str,
    now: Duration,
    open: impl FnOnce(SealedToken<'m>) -> Option<Vec<u8>>,
) -> impl FnOnce(Who<'m>, Algorithm) -> Option<(Duration, Key)> {
    let token = message.find::<AccessToken<'m>>();
    move |who, _| {
        let (Who::Name(kid), Some(token)) = (who, token) else { return None };
        let (nonce, ciphertext) = token.parts()?;
        let plain = Zeroizing::new(open(SealedToken { kid, nonce, server_name, ciphertext })?);
        let block = TokenBlock::decode(&plain)?;
        Some((block.allows(now)?, key_of_session(block.session_key)))
    }
}

const fn bad_value(reason: &'static str) -> EncodeError {
    EncodeError::BadValue { attribute: AccessToken::TYPE, reason }
}

/// Seconds since 1970 in 48 bits, and 64,000ths of a second in 16 (RFC 7635 §6.2).
mod timestamp {
    use core::time::Duration;

    const NANOS: u32 = 1_000_000_000 / 64_000;

    pub(super) fn read(bits: u64) -> Duration {
        let nanos = u64::from(NANOS).saturating_mul(bits & 0xFFFF);
        Duration::from_secs(bits >> 16).saturating_add(Duration::from_nanos(nanos))
    }

    pub(super) fn write(time: Duration) -> u64 {
        time.as_secs() << 16 | u64::from(time.subsec_nanos() / NANOS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: TokenBlock<'_> = TokenBlock {
        session_key: &[9; 20],
        made: Duration::from_millis(1_000_250),
        lifetime: Duration::from_secs(60),
    };

    #[test]
    fn a_block_is_read_as_it_was_written_and_no_other() {
        let plain = BLOCK.encode().unwrap();
        assert_eq!(plain.len(), 34);
        assert_eq!(plain[22..30], [0, 0, 0, 0, 0x03, 0xE8, 0x3E, 0x80], "1000 s and 16,000 64,000ths");
        assert_eq!(TokenBlock::decode(&plain), Some(BLOCK));
        for len in 0..plain.len() {
            assert_eq!(TokenBlock::decode(&plain[..len]), None, "{len}");
        }
        assert_eq!(TokenBlock::decode(&[&plain[..], &[0]].concat()), None);
        let long = [0; 65_536];
        assert!(TokenBlock { session_key: &long, ..BLOCK }.encode().is_err());
        assert!(seal(&long, &[]).is_err());
    }

    #[test]
    fn a_token_is_good_around_its_lifetime_and_grants_no_more_than_that() {
        let allows = |millis: i64| {
            let made = i64::try_from(BLOCK.made.as_millis()).unwrap();
            let now = Duration::from_millis((made + millis).try_into().unwrap());
            BLOCK.allows(now).map(|most| most.as_millis())
        };
        assert_eq!(allows(0), Some(60_000), "not the five seconds on top");
        assert_eq!(allows(10_000), Some(55_000));
        assert_eq!(allows(-10_000), Some(55_000), "their clock may be ahead");
        assert_eq!((allows(64_999), allows(65_000), allows(100_000)), (Some(1), None, None));
        assert_eq!((allows(-65_000), allows(-1_000_250)), (None, None));
    }

    #[test]
    fn no_number_in_a_block_is_too_large() {
        let plain = [&[0, 0][..], &[0xFF; 12]].concat();
        let block = TokenBlock::decode(&plain).unwrap();
        assert_eq!(block.allows(Duration::ZERO), None);
        assert_eq!(block.allows(Duration::MAX), None);
        assert!(block.allows(block.made).is_some());
    }

    #[test]
    fn secrets_do_not_show() {
        use alloc::format;
        let token = Token::new("kid", [7, 7, 7], &[8; 20], Instant::ORIGIN);
        let shown = format!("{token:?} {BLOCK:?}");
        assert!(!shown.contains("kid") && !shown.contains("7, 7") && !shown.contains("9, 9"), "{shown}");
    }
}
