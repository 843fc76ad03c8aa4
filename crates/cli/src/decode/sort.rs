//! What the input is, told by its content.

use super::hex::{self, NotHex};
use super::keys::Keys;
use super::report::{Decoded, Input, What};
use super::{message, stream, text};

/// Decodes an input that is all there: hexadecimal digits, bytes, or one of the texts.
pub(crate) fn decode(input: &[u8], keys: &Keys) -> Decoded {
    match Sort::of(input) {
        Sort::Hex(bytes) => message::decode(&bytes, keys, Input::Hex),
        Sort::Binary => message::decode(input, keys, Input::Binary),
        Sort::Candidate(line) => text::candidate(line),
        Sort::Description(description) => text::description(description),
        Sort::Fragment(fragment) => text::fragment(fragment),
        Sort::Refused(word, why) => Decoded::bad(Input::Text, What::Unknown, word, &why),
    }
}

/// Decodes an input that is one direction of a TCP connection.
pub(crate) fn decode_stream(input: &[u8], keys: &Keys) -> Vec<Decoded> {
    let (word, why) = match Sort::of(input) {
        Sort::Hex(bytes) => return stream::decode_whole(&bytes, keys),
        Sort::Binary => return stream::decode_whole(input, keys),
        Sort::Refused(word, why) => (word, why),
        _ => ("unknown", "expected the bytes of a TCP stream, found a text".to_owned()),
    };
    vec![Decoded::bad(Input::Text, What::Unknown, word, &why)]
}

/// Whether an argument speaks for itself, so that no file of that name is looked for.
pub(crate) fn is_hex(argument: &str) -> bool {
    matches!(hex::read(argument), Ok(_) | Err(NotHex::Odd { .. }))
}

/// Whether an argument is one of the texts.
pub(crate) fn is_text(argument: &str) -> bool {
    matches!(Sort::of(argument.as_bytes()), Sort::Candidate(_) | Sort::Description(_) | Sort::Fragment(_))
}

#[derive(Debug, PartialEq, Eq)]
enum Sort<'a> {
    Hex(Vec<u8>),
    Binary,
    Candidate(&'a str),
    Description(&'a str),
    Fragment(&'a str),
    /// It is none, for a reason that is a word and a sentence.
    Refused(&'static str, String),
}

impl<'a> Sort<'a> {
    fn of(input: &'a [u8]) -> Self {
        let Some(line) = Letter::of(input.trim_ascii_start()) else { return Self::of_bytes(input) };
        match str::from_utf8(input.trim_ascii_start()) {
            Ok(text) => line.with(text),
            Err(error) => Self::Refused("not-utf8", format!("at byte {}", error.valid_up_to())),
        }
    }

    fn of_bytes(input: &'a [u8]) -> Self {
        let Some(text) = str::from_utf8(input).ok().filter(|text| is_readable(text)) else {
            return Self::Binary;
        };
        match hex::read(text) {
            Ok(bytes) => Self::Hex(bytes),
            Err(_) if text.contains(" typ ") => Self::Candidate(text.trim_start()),
            Err(why) if is_meant_as_hex(text) => Self::Refused("bad-hex", not_hex(&why)),
            Err(_) => Self::Refused("unknown", unknown(text)),
        }
    }
}

/// How a text about ICE begins.
enum Letter {
    Candidate,
    Fragment,
    Description,
}

impl Letter {
    fn of(start: &[u8]) -> Option<Self> {
        let begins =
            |with: &str| start.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with.as_bytes()));
        match start {
            _ if begins("candidate:") => Some(Self::Candidate),
            _ if begins("a=candidate:") && is_one_line(start) => Some(Self::Candidate),
            [b'a' | b'm', b'=', ..] => Some(Self::Fragment),
            [b'a'..=b'z', b'=', ..] => Some(Self::Description),
            _ => None,
        }
    }

    const fn with(self, text: &str) -> Sort<'_> {
        match self {
            Self::Candidate => Sort::Candidate(text),
            Self::Fragment => Sort::Fragment(text),
            Self::Description => Sort::Description(text),
        }
    }
}

fn is_one_line(text: &[u8]) -> bool {
    !text.trim_ascii_end().contains(&b'\n')
}

fn is_readable(text: &str) -> bool {
    text.chars().all(|character| !character.is_control() || character.is_ascii_whitespace())
}

/// A text that begins with eight digits, or with `0x`, is not prose.
fn is_meant_as_hex(text: &str) -> bool {
    let mut characters = text.chars().filter(|character| !hex::is_separator(*character));
    let start: String = characters.by_ref().take(8).collect();
    start.starts_with("0x")
        || start.len() == 8 && start.chars().all(|character| character.is_ascii_hexdigit())
}

pub(crate) fn not_hex(why: &NotHex) -> String {
    match why {
        NotHex::Character { found, at } => {
            format!("expected hexadecimal digits, found {found:?} as character {at}")
        }
        NotHex::Odd { digits } => format!("expected pairs of hexadecimal digits, found {digits}"),
    }
}

fn unknown(text: &str) -> String {
    let start: String = text.trim_start().chars().take(24).collect();
    format!(
        "expected a STUN message or ChannelData in hexadecimal digits or bytes, a candidate line, a session description, \
         a trickle fragment or a capture, found {start:?}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_what_an_input_is() {
        let line = "1 1 UDP 2130706431 10.0.1.1 8998 typ host";
        for (input, sort) in [
            ("00 01", Sort::Hex(vec![0, 1])),
            ("", Sort::Hex(vec![])),
            (line, Sort::Candidate(line)),
            ("candidate:x", Sort::Candidate("candidate:x")),
            ("\n candidate:x\na=ice-pwd:owned", Sort::Candidate("candidate:x\na=ice-pwd:owned")),
            ("a=candidate:x\r\n", Sort::Candidate("a=candidate:x\r\n")),
            ("a=candidate:x\r\na=mid:0\r\n", Sort::Fragment("a=candidate:x\r\na=mid:0\r\n")),
            ("a=ice-ufrag:x", Sort::Fragment("a=ice-ufrag:x")),
            ("m=audio", Sort::Fragment("m=audio")),
            ("v=0\r\n", Sort::Description("v=0\r\n")),
            ("o=- 1 1 IN IP4 0.0.0.0", Sort::Description("o=- 1 1 IN IP4 0.0.0.0")),
        ] {
            assert_eq!(Sort::of(input.as_bytes()), sort, "{input:?}");
        }
        assert_eq!(Sort::of(&[0x00, 0x01, 0x00]), Sort::Binary);
        assert_eq!(Sort::of(b"@\x00\x00\x04abcd"), Sort::Binary);
        assert_eq!(Sort::of(b"\xFF\xFE"), Sort::Binary);
    }

    #[test]
    fn what_is_nothing_is_told_why() {
        for (input, word) in [
            (&b"hello"[..], "unknown"),
            (b"00010044 2112a44g", "bad-hex"),
            (b"0x00 0x0", "bad-hex"),
            (b"v=0\r\ns=\xFF", "not-utf8"),
        ] {
            let Sort::Refused(found, why) = Sort::of(input) else { panic!("{input:?}") };
            assert_eq!(found, word, "{why}");
        }
    }
}
