//! The nonce cookie: what a server can do, in front of its nonces, where nobody on the path can take it away unseen
//! (RFC 8489 §9.2, §9.2.1, §18.1).

use crate::Message;
use crate::attribute::{Nonce, PasswordAlgorithms};

/// The STUN security features that a nonce announces; none without a cookie.
///
/// ```
/// use floe_stun::credentials::SecurityFeatures;
///
/// let features = SecurityFeatures::of("obMatJos2gAAA//499k954d6OL34oL9FSTvy64sA");
/// assert!(features.password_algorithms && !features.username_anonymity);
/// assert_eq!(features.cookie(), *b"obMatJos2gAAA");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 8489 §18.1 defines two bits; more would change what a reader must do"
)]
pub struct SecurityFeatures {
    /// Bit 0: PASSWORD-ALGORITHMS stands in every challenge.
    pub password_algorithms: bool,
    /// Bit 1: clients name themselves by USERHASH.
    pub username_anonymity: bool,
}

impl SecurityFeatures {
    /// Length of a cookie in bytes.
    pub const COOKIE_LEN: usize = 13;

    /// What this nonce announces.
    #[must_use]
    pub fn of(nonce: &str) -> Self {
        let digits = nonce.strip_prefix(PREFIX).and_then(|rest| rest.as_bytes().first_chunk::<4>());
        let Some([first, _, _, _]) = digits else { return Self::default() };
        // The first character holds bits 0 to 5, bit 0 the greatest.
        let bits = match first {
            b'A'..=b'Z' => first.wrapping_sub(b'A'),
            b'a'..=b'z' => first.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => first.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => 0,
        };
        Self { password_algorithms: bits & 0x20 != 0, username_anonymity: bits & 0x10 != 0 }
    }

    /// The cookie that announces them.
    #[must_use]
    pub const fn cookie(self) -> [u8; Self::COOKIE_LEN] {
        match (self.password_algorithms, self.username_anonymity) {
            (false, false) => *b"obMatJos2AAAA",
            (true, false) => *b"obMatJos2gAAA",
            (false, true) => *b"obMatJos2QAAA",
            (true, true) => *b"obMatJos2wAAA",
        }
    }
}

/// Whether the nonce promises PASSWORD-ALGORITHMS and there is none: somebody took it away (RFC 8489 §9.2.5).
pub(crate) fn is_bid_down(message: &Message<'_>) -> bool {
    let promised = message.find().is_some_and(|Nonce(nonce)| SecurityFeatures::of(nonce).password_algorithms);
    promised && message.get::<PasswordAlgorithms<'_>>().is_none()
}

/// RFC 8489 §9.2: stands in front of the nonces of servers that know RFC 8489.
const PREFIX: &str = "obMatJos2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_bits_of_the_cookie_are_read() {
        let features = |nonce| {
            let SecurityFeatures { password_algorithms, username_anonymity } = SecurityFeatures::of(nonce);
            (password_algorithms, username_anonymity)
        };
        assert_eq!(features("obMatJos2AAAAabc"), (false, false));
        assert_eq!(features("obMatJos2gAAAabc"), (true, false));
        assert_eq!(features("obMatJos2QAAA"), (false, true));
        assert_eq!(features("obMatJos2wAAAabc"), (true, true));
        assert_eq!(features("obMatJos2/AAA"), (true, true));
        assert_eq!(features("obMatJos2AAAC//499k954d6OL34oL9FSTvy64sA"), (false, false));
        assert_eq!(features("obMatJos2/A"), (false, false), "cut short: not a cookie");
        assert_eq!(features("obMatJos2!AAAabc"), (false, false));
        assert_eq!(features("gAAAobMatJos2"), (false, false));
    }

    #[test]
    fn a_cookie_says_what_it_was_made_of() {
        for password_algorithms in [false, true] {
            for username_anonymity in [false, true] {
                let features = SecurityFeatures { password_algorithms, username_anonymity };
                assert_eq!(SecurityFeatures::of(core::str::from_utf8(&features.cookie()).unwrap()), features);
            }
        }
    }
}
