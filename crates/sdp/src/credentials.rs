//! The username fragment and the password of one side and generation (RFC 8839 section 5.4).
//!
//! Both are made of `ice-char`s, which carry 6 bits each.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::error::ParseError;
use crate::scan::{AttributeLine, Field};

/// A username fragment: 4 to 256 letters, digits, `+` and `/`.
///
/// One that is *sent* must not have more than 32 (RFC 8839 section 5.4); longer ones are only accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IceUfrag(String);

/// A password: 22 to 256 letters, digits, `+` and `/`.
///
/// It has no `Display`, and `Debug` does not show it: who wants the text asks for it by [`as_str`](Self::as_str).
#[derive(Clone, PartialEq, Eq)]
pub struct IcePwd(String);

impl IceUfrag {
    /// Reads the value alone, or the attribute line `a=ice-ufrag:…` with or without `a=`.
    ///
    /// # Errors
    ///
    /// The text is not 4 to 256 `ice-char`s.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let attribute = AttributeLine::split(text);
        attribute.check_line()?;
        Self::from_value(attribute.value_or_line("ice-ufrag"))
    }

    pub(crate) fn from_value(value: Field<'_>) -> Result<Self, ParseError> {
        value
            .ice_chars(4..=256, "a ufrag of 4 to 256 letters, digits, \"+\" or \"/\"")
            .map(|text| Self(text.to_owned()))
    }

    /// Writes 48 random bits as 8 characters: twice the 24 bits that RFC 8445 section 5.3 wants at least.
    pub fn from_random(bits: [u8; 6]) -> Self {
        Self(base64_chars(&bits))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IceUfrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IceUfrag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl IcePwd {
    /// Reads the value alone, or the attribute line `a=ice-pwd:…` with or without `a=`.
    ///
    /// # Errors
    ///
    /// The text is not 22 to 256 `ice-char`s. The error does not show it.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let attribute = AttributeLine::split(text);
        attribute.check_line()?;
        Self::from_value(attribute.value_or_line("ice-pwd"))
    }

    pub(crate) fn from_value(value: Field<'_>) -> Result<Self, ParseError> {
        value
            .ice_chars(22..=256, "a password of 22 to 256 letters, digits, \"+\" or \"/\"")
            .map(|text| Self(text.to_owned()))
    }

    /// Writes 144 random bits as 24 characters; RFC 8445 section 5.3 wants 128 bits at least.
    pub fn from_random(bits: [u8; 18]) -> Self {
        Self(base64_chars(&bits))
    }

    /// The text. Keep it out of logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IcePwd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IcePwd(…)")
    }
}

impl FromStr for IcePwd {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

/// Four characters for every three bytes; a shorter rest is left out.
pub(crate) fn base64_chars(bits: &[u8]) -> String {
    let (triples, _) = bits.as_chunks::<3>();
    let sextets = triples.iter().flat_map(|&[a, b, c]| [a >> 2, (a << 4) | (b >> 4), (b << 2) | (c >> 6), c]);
    sextets.map(ice_char).collect()
}

/// The character for the lower six bits.
fn ice_char(sextet: u8) -> char {
    let byte = ICE_CHARS.get(usize::from(sextet & 0x3f)).copied();
    char::from(byte.unwrap_or(b'/'))
}

const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ParseErrorKind;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_ufrag_has_4_to_256_ice_chars() {
        for length in [4, 32, 256] {
            let text = "f".repeat(length);
            assert_eq!(IceUfrag::parse(&text).unwrap().as_str(), text);
        }
        for length in [0, 3, 257] {
            let error = IceUfrag::parse(&"f".repeat(length)).unwrap_err();
            assert_eq!(error.kind(), ParseErrorKind::OutOfRange, "{length}");
        }
    }

    #[test]
    fn a_password_has_22_to_256_ice_chars() {
        for length in [22, 256] {
            let text = "p".repeat(length);
            assert_eq!(IcePwd::parse(&text).unwrap().as_str(), text);
        }
        for length in [0, 21, 257] {
            let error = IcePwd::parse(&"p".repeat(length)).unwrap_err();
            assert_eq!(error.kind(), ParseErrorKind::OutOfRange, "{length}");
        }
    }

    #[test]
    fn what_is_no_ice_char_is_refused_and_located() {
        for (text, column) in
            [("8hh-", 4), ("8hhY ", 5), ("8h:hY", 3), ("8hhé", 4), ("8h\0hY", 3), ("a=8hhY", 2)]
        {
            let error = IceUfrag::parse(text).unwrap_err();
            assert_eq!((error.kind(), error.column()), (ParseErrorKind::Malformed, column), "{text:?}");
        }
    }

    #[test]
    fn the_value_and_the_line_are_read_alike() {
        for text in ["8hhY", "8hhY\r\n", "ice-ufrag:8hhY", "a=ice-ufrag:8hhY\r\n", "a=ICE-ufrag:8hhY"] {
            assert_eq!(IceUfrag::parse(text).map(|u| u.to_string()), Ok("8hhY".into()), "{text:?}");
        }
        let pwd: IcePwd = "a=ice-pwd:asd88fgpdd777uzjYhagZg".parse().unwrap();
        assert_eq!(pwd.as_str(), "asd88fgpdd777uzjYhagZg");
        assert!(IceUfrag::parse("a=ice-pwd:asd88fgpdd777uzjYhagZg").is_err());
    }

    #[test]
    fn a_password_shows_neither_in_debug_nor_in_an_error() {
        let secret = "asd88fgpdd777uzjYhagZg";
        assert_eq!(format!("{:?}", IcePwd::parse(secret).unwrap()), "IcePwd(…)");
        let too_long = secret.repeat(200);
        for text in
            ["asd88fgpdd777uzjYhagZ", "asd88fgpdd777uzjYhagZg_", "asd88fgpdd777uzjYhagZg\n\n", &too_long]
        {
            for line in [text.into(), format!("a=ice-pwd:{text}")] {
                let error = IcePwd::parse(&line).unwrap_err();
                assert!(!format!("{error} {error:?}").contains("asd8"), "{error}");
            }
        }
    }

    #[test]
    fn random_bits_are_written_six_a_character() {
        assert_eq!(IceUfrag::from_random([0; 6]).as_str(), "AAAAAAAA");
        assert_eq!(IceUfrag::from_random([0xff; 6]).as_str(), "////////");
        // 000000 010000 100000 110001, 111000 101001 111010 111011
        assert_eq!(IceUfrag::from_random([0x01, 0x08, 0x31, 0xe2, 0x9e, 0xbb]).as_str(), "AQgx4p67");
        let pwd = IcePwd::from_random([0xa5; 18]);
        assert_eq!(pwd.as_str().len(), 24);
        assert_eq!(IcePwd::parse(pwd.as_str()), Ok(pwd));
    }
}
