//! Nonces without memory: each carries its age and a tag that only this server can make (RFC 8489 §9.2, §9.2.4).
//!
//! ```text
//!   obMatJos2 wAAA 0e10 Q2hhbmNlIGl
//!   cookie    features  seconds (hex, low 16 bits)  tag (64 bits, base64)
//! ```
//!
//! The tag covers the whole second of issue and the client's address and port, so that no two clients share a
//! nonce, and a nonce that another address shows is as good as none. 28 bytes in all: the challenge must not
//! make the server an amplifier.

use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::SecurityFeatures;
use crate::Instant;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Makes the nonces of one server and knows its own again.
///
/// ```
/// use core::time::Duration;
/// use floe_stun::{Chance, Instant, credentials::Nonces};
///
/// let nonces = Nonces::new(Chance::new([7; 32]).seed(), Duration::from_secs(600));
/// let (now, client) = (Instant::ORIGIN, "203.0.113.5:40000".parse().unwrap());
/// let nonce = nonces.issue(now, client);
/// assert!(nonces.is_good(now, client, &nonce));
/// assert!(!nonces.is_good(now + Duration::from_secs(600), client, &nonce));
/// ```
#[derive(Clone)]
pub struct Nonces {
    mac: Hmac<Sha256>,
    lifetime: u64,
    features: SecurityFeatures,
}

impl Nonces {
    /// With a secret that nobody else knows. A nonce is good for this long, in whole seconds, at most an hour.
    #[must_use]
    pub fn new(secret: [u8; 32], lifetime: Duration) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 §2)")]
        let mac = Hmac::new_from_slice(&secret).expect("HMAC takes keys of every length");
        Self { mac, lifetime: lifetime.as_secs().min(MAX_LIFETIME), features: FEATURES }
    }

    /// The same for a server that must hear user names: no nonce asks for USERHASH.
    #[must_use]
    pub const fn hearing_names(mut self) -> Self {
        self.features.username_anonymity = false;
        self
    }

    /// A nonce for this client, the same for all its requests of one second.
    #[must_use]
    pub fn issue(&self, now: Instant, client: SocketAddr) -> String {
        self.issued_at(seconds(now), client)
    }

    /// Whether this is a nonce of ours for this client, and not too old.
    #[must_use]
    pub fn is_good(&self, now: Instant, client: SocketAddr, nonce: &str) -> bool {
        let issued = || {
            let stamp = u16::from_str_radix(nonce.get(COOKIE_LEN..COOKIE_LEN + STAMP_LEN)?, 16).ok()?;
            let now = seconds(now);
            let age = now.wrapping_sub(u64::from(stamp)) & STAMP_MASK;
            if age < self.lifetime { now.checked_sub(age) } else { None }
        };
        issued().is_some_and(|at| self.issued_at(at, client).as_bytes().ct_eq(nonce.as_bytes()).into())
    }

    fn issued_at(&self, second: u64, client: SocketAddr) -> String {
        let mut nonce = String::with_capacity(COOKIE_LEN + STAMP_LEN + TAG_LEN);
        nonce.extend(self.features.cookie().map(char::from));
        for shift in [12, 8, 4, 0] {
            nonce.extend(char::from_digit(u32::try_from(second >> shift & 0xF).unwrap_or(0), 16));
        }
        let tag = self.tag(second, client);
        nonce.extend((0..TAG_LEN).map(|place| base64_digit(tag, place)));
        nonce
    }

    fn tag(&self, second: u64, client: SocketAddr) -> u64 {
        let ip = match client {
            SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped(),
            SocketAddr::V6(v6) => *v6.ip(),
        };
        let mut mac = self.mac.clone();
        mac.update(&second.to_be_bytes());
        mac.update(&client.port().to_be_bytes());
        mac.update(&ip.octets());
        let tag: [u8; 32] = mac.finalize().into_bytes().into();
        tag.first_chunk().copied().map_or(0, u64::from_be_bytes)
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(..)")
    }
}

fn seconds(now: Instant) -> u64 {
    now.as_nanos() / 1_000_000_000
}

/// The digit at this place of the base64 of 64 bits, which is eleven digits, the last of four bits.
fn base64_digit(bits: u64, place: usize) -> char {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let six = (u128::from(bits) << 2) >> (60_usize.saturating_sub(place.saturating_mul(6))) & 0x3F;
    char::from(usize::try_from(six).ok().and_then(|six| ALPHABET.get(six)).copied().unwrap_or(b'A'))
}

/// What every server of ours can do.
const FEATURES: SecurityFeatures = SecurityFeatures { password_algorithms: true, username_anonymity: true };
const COOKIE_LEN: usize = SecurityFeatures::COOKIE_LEN;
const STAMP_LEN: usize = 4;
const STAMP_MASK: u64 = 0xFFFF;
const TAG_LEN: usize = 11;

/// RFC 8656 §5: a server "SHOULD expire the nonce at least once every hour". Less than the stamp can count.
const MAX_LIFETIME: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> SocketAddr {
        "203.0.113.5:40000".parse().unwrap()
    }

    fn at(secs: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(secs)
    }

    #[test]
    fn a_nonce_is_good_for_its_client_and_its_time() {
        let nonces = Nonces::new([1; 32], Duration::from_secs(3600));
        let nonce = nonces.issue(at(100_000), client());

        assert_eq!(nonce.len(), 28);
        assert!(SecurityFeatures::of(&nonce).password_algorithms);
        assert!(nonces.is_good(at(100_000), client(), &nonce));
        assert!(nonces.is_good(at(103_599), client(), &nonce));
        assert!(!nonces.is_good(at(103_600), client(), &nonce));
        assert!(!nonces.is_good(at(99_999), client(), &nonce), "from the future");
        assert!(!nonces.is_good(at(100_000 + 65_536), client(), &nonce), "the stamp has come round");

        for other in ["203.0.113.5:40001", "203.0.113.6:40000", "[2001:db8::5]:40000"] {
            let other = other.parse().unwrap();
            assert!(!nonces.is_good(at(100_000), other, &nonce));
            assert_ne!(nonces.issue(at(100_000), other), nonce);
        }
        assert!(!Nonces::new([2; 32], Duration::from_secs(3600)).is_good(at(100_000), client(), &nonce));
    }

    #[test]
    fn a_bent_or_foreign_nonce_is_not_good() {
        let nonces = Nonces::new([1; 32], Duration::from_secs(3600));
        let nonce = nonces.issue(at(5), client());
        for place in 0..nonce.len() {
            let mut bent = nonce.clone().into_bytes();
            bent[place] ^= 1;
            assert!(!nonces.is_good(at(5), client(), &String::from_utf8(bent).unwrap()), "byte {place}");
        }
        for foreign in
            ["", "obMatJos2", "obMatJos2wAAA", "obMatJos2wAAA0005", "ää", "f//499k954d6OL34oL9FSTvy64sA"]
        {
            assert!(!nonces.is_good(at(5), client(), foreign), "{foreign:?}");
        }
    }

    #[test]
    fn the_tag_is_base64_of_its_eight_bytes() {
        let digits: String = (0..TAG_LEN).map(|place| base64_digit(0x0123_4567_89AB_CDEF, place)).collect();
        assert_eq!(digits, "ASNFZ4mrze8");
    }
}
