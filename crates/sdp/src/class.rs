//! What a byte may be in the grammar: one look into a table each.

/// A set of bytes that the grammar has a name for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Class(u16);

impl Class {
    /// `DIGIT`.
    pub(crate) const DIGIT: Self = Self(1);
    /// `ice-char`: letters, digits, "+" and "/" (RFC 8839 section 5.1).
    pub(crate) const ICE: Self = Self(1 << 1);
    /// `token-char` of RFC 8866 section 9, which has all of that of RFC 3261 section 25.1 and a few more.
    pub(crate) const TOKEN: Self = Self(1 << 2);
    /// The same without upper case.
    pub(crate) const LOW_TOKEN: Self = Self(1 << 3);
    /// `VCHAR`: ASCII that shows.
    pub(crate) const VISIBLE: Self = Self(1 << 4);
    /// What a `non-ws-string` is made of (RFC 8866 section 9).
    pub(crate) const WORD: Self = Self(1 << 5);
    /// What a `byte-string` is made of (RFC 8866 section 9): anything but NUL, CR and LF.
    pub(crate) const BYTE: Self = Self(1 << 6);
    /// What a domain name is made of: letters, digits, "-" and ".".
    pub(crate) const NAME: Self = Self(1 << 7);
    /// `tls-id-char` (RFC 8842 section 4).
    pub(crate) const TLS_ID: Self = Self(1 << 8);

    #[inline]
    pub(crate) fn has(self, byte: u8) -> bool {
        CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & self.0 != 0)
    }

    #[inline]
    pub(crate) fn has_all(self, text: &str) -> bool {
        text.bytes().all(|byte| self.has(byte))
    }

    /// Whether the text is at least one byte, and all of this class.
    #[inline]
    pub(crate) fn makes(self, text: &str) -> bool {
        !text.is_empty() && self.has_all(text)
    }

    /// How many bytes of this class the text begins with.
    #[inline]
    pub(crate) fn run(self, text: &[u8]) -> usize {
        text.iter().position(|&byte| !self.has(byte)).unwrap_or(text.len())
    }

    const fn all_of(byte: u8) -> u16 {
        let is_alphanumeric = byte.is_ascii_alphanumeric();
        let is_token = is_alphanumeric
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'{'..=b'~');
        Self::DIGIT.only_if(byte.is_ascii_digit())
            | Self::ICE.only_if(is_alphanumeric || matches!(byte, b'+' | b'/'))
            | Self::TOKEN.only_if(is_token)
            | Self::LOW_TOKEN.only_if(is_token && !byte.is_ascii_uppercase())
            | Self::VISIBLE.only_if(byte.is_ascii_graphic())
            | Self::WORD.only_if(byte.is_ascii_graphic() || !byte.is_ascii())
            | Self::BYTE.only_if(!matches!(byte, 0 | b'\r' | b'\n'))
            | Self::NAME.only_if(is_alphanumeric || matches!(byte, b'-' | b'.'))
            | Self::TLS_ID.only_if(is_alphanumeric || matches!(byte, b'+' | b'/' | b'-' | b'_'))
    }

    const fn only_if(self, holds: bool) -> u16 {
        if holds { self.0 } else { 0 }
    }
}

/// The value of a hexadecimal digit, or a number above 15.
#[inline]
pub(crate) fn nibble(byte: u8) -> u8 {
    NIBBLES.get(usize::from(byte)).copied().unwrap_or(0xff)
}

static CLASSES: [u16; 256] = {
    let (mut table, mut byte) = ([0; 256], 0_u8);
    let mut rest: &mut [u16] = &mut table;
    while let [first, more @ ..] = rest {
        *first = Class::all_of(byte);
        (rest, byte) = (more, byte.wrapping_add(1));
    }
    table
};

static NIBBLES: [u8; 256] = {
    let (mut table, mut byte) = ([0; 256], 0_u8);
    let mut rest: &mut [u8] = &mut table;
    while let [first, more @ ..] = rest {
        *first = match byte {
            b'0'..=b'9' => byte.wrapping_sub(b'0'),
            b'a'..=b'f' => byte.wrapping_sub(b'a').wrapping_add(10),
            b'A'..=b'F' => byte.wrapping_sub(b'A').wrapping_add(10),
            _ => 0xff,
        };
        (rest, byte) = (more, byte.wrapping_add(1));
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn the_classes_of_characters_are_those_of_the_grammar() {
        let all = |class: Class| (0..=255).filter(|&b| class.has(b)).map(char::from).collect::<String>();
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        assert_eq!(all(Class::DIGIT), "0123456789");
        assert_eq!(all(Class::ICE), format!("+/0123456789{letters}"));
        assert_eq!(all(Class::NAME), format!("-.0123456789{letters}"));
        let (upper, lower) = letters.split_at(26);
        assert_eq!(all(Class::TLS_ID), format!("+-/0123456789{upper}_{lower}"));
        assert_eq!(all(Class::TOKEN), format!("!#$%&'*+-.0123456789{upper}^_`{lower}{{|}}~"));
        assert_eq!(all(Class::LOW_TOKEN), format!("!#$%&'*+-.0123456789^_`{lower}{{|}}~"));
        assert_eq!(all(Class::VISIBLE), ('!'..='~').collect::<String>());
        assert_eq!(all(Class::WORD), ('!'..='~').chain('\u{80}'..='\u{ff}').collect::<String>());
        assert!((0..=255).all(|byte| Class::BYTE.has(byte) != matches!(byte, 0 | b'\r' | b'\n')));
    }

    #[test]
    fn a_class_makes_no_empty_text() {
        assert!(Class::DIGIT.makes("12") && !Class::DIGIT.makes("1x") && !Class::DIGIT.makes(""));
        assert!(Class::DIGIT.has_all(""));
    }

    #[test]
    fn a_hexadecimal_digit_has_its_value_in_either_case() {
        for byte in 0..=255 {
            let value = char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
            assert_eq!(Some(nibble(byte)).filter(|&value| value < 16), value, "{byte}");
        }
    }
}
