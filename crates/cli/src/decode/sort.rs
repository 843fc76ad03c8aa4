//! What the input is, told by its content.

use std::iter;

use super::hex::{self, NotHex};
use super::keys::Keys;
use super::report::{Decoded, Input, What};
use super::{message, stream, text};

/// Decodes an input that is all there: hexadecimal digits, bytes, or one of the texts. Candidate lines may be many.
pub(crate) fn decode<'a>(input: &'a [u8], keys: &Keys) -> Box<dyn Iterator<Item = Decoded> + 'a> {
    let decoded = match Sort::of(input) {
        Sort::Candidates(lines) => return Box::new(text::candidates(lines)),
        Sort::Hex(bytes) => message::decode(&bytes, keys, Input::Hex),
        Sort::Binary => message::decode(input, keys, Input::Binary),
        Sort::Candidate(line) => text::candidate(line),
        Sort::Description(description) => text::description(description),
        Sort::Fragment(fragment) => text::fragment(fragment),
        Sort::Refused(word, why) => Decoded::bad(Input::Text, What::Unknown, word, &why),
    };
    Box::new(iter::once(decoded))
}

/// Decodes an input that is one direction of a TCP connection.
pub(crate) fn decode_stream(input: &[u8], keys: &Keys) -> Vec<Decoded> {
    let (word, why) = match Sort::of(input) {
        Sort::Hex(bytes) if bytes.is_empty() => return vec![message::nothing()],
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
    use Sort::{Candidate, Candidates, Description, Fragment};
    matches!(Sort::of(argument.as_bytes()), Candidate(_) | Candidates(_) | Description(_) | Fragment(_))
}

#[derive(Debug, PartialEq, Eq)]
enum Sort<'a> {
    Hex(Vec<u8>),
    Binary,
    Candidate(&'a str),
    /// More than one line, and all of them candidates or blank.
    Candidates(&'a str),
    Description(&'a str),
    Fragment(&'a str),
    /// It is none, for a reason that is a word and a sentence.
    Refused(&'static str, String),
}

impl<'a> Sort<'a> {
    fn of(input: &'a [u8]) -> Self {
        let Some(letter) = Letter::of(input.trim_ascii_start()) else { return Self::of_bytes(input) };
        match str::from_utf8(input) {
            Ok(text) if are_candidates(text) => Self::Candidates(text),
            Ok(text) => letter.with(text.trim_ascii_start()),
            Err(error) => Self::Refused("not-utf8", format!("at byte {}", error.valid_up_to())),
        }
    }

    fn of_bytes(input: &'a [u8]) -> Self {
        let Some(text) = str::from_utf8(input).ok().filter(|text| is_readable(text)) else {
            return Self::Binary;
        };
        match hex::read(text) {
            _ if is_dump(text) => Self::Refused("bad-hex", DUMP.to_owned()),
            Ok(bytes) => Self::Hex(bytes),
            Err(_) if are_candidates(text) => Self::Candidates(text),
            Err(_) if text.contains(" typ ") => Self::Candidate(text.trim_start()),
            Err(why @ NotHex::Odd { .. }) => Self::Refused("bad-hex", not_hex(&why)),
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

fn are_candidates(text: &str) -> bool {
    let is_candidate = |line: &str| match Letter::of(line.trim_start().as_bytes()) {
        Some(letter) => matches!(letter, Letter::Candidate),
        None => line.contains(" typ "),
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.clone().nth(1).is_some() && lines.all(is_candidate)
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

/// A dump as `xxd`, `hexdump -C` and `od -A x` write it: each line begins with the offset of its first byte. The first
/// bytes of a message hardly look like that: the next line would have to go on where this one ends.
fn is_dump(text: &str) -> bool {
    let offset = |line: &str| {
        let word = line.split_ascii_whitespace().next()?;
        let digits = word.strip_suffix(':').unwrap_or(word);
        usize::from_str_radix(digits, 16).ok().filter(|_| (4..=16).contains(&digits.len()))
    };
    let bytes = |line: &str| {
        let words = line.split_ascii_whitespace().skip(1);
        words.flat_map(str::chars).filter(char::is_ascii_hexdigit).count() / 2
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let Some(first) = lines.next().filter(|first| offset(first) == Some(0)) else { return false };
    match lines.next().map(offset) {
        None => first.split_ascii_whitespace().next().is_some_and(|word| word.ends_with(':')),
        Some(second) => second.is_some_and(|step| (1..=bytes(first)).contains(&step)),
    }
}

const DUMP: &str = "expected bytes or their digits alone, found a dump with an offset in front of each line; \
                    `xxd -p` writes the digits alone, and `xxd -r` makes bytes of a dump again";

pub(crate) fn not_hex(why: &NotHex) -> String {
    match why {
        NotHex::Character { found, at } => {
            format!("expected hexadecimal digits, found {found:?} as character {at}")
        }
        NotHex::Odd { digits } => {
            format!("expected pairs of hexadecimal digits, found an odd number of them: {digits}")
        }
    }
}

/// What came is told by its kind only: whatever was put here by mistake may be a secret.
fn unknown(text: &str) -> String {
    let text = text.trim();
    let (characters, lines) = (text.chars().count(), text.lines().count());
    let lines = if lines > 1 { format!(" in {lines} lines") } else { String::new() };
    format!(
        "expected a STUN message or ChannelData in hexadecimal digits or bytes, a candidate line, a session description, \
         a trickle fragment or a capture, found a text of {characters} characters{lines}: {}",
        kinds(text)
    )
}

/// Which kinds of characters there are.
fn kinds(text: &str) -> String {
    let is_mark = |c: char| !c.is_alphanumeric() && !c.is_whitespace();
    let kinds: [(&str, bool); 4] = [
        ("letters", text.contains(char::is_alphabetic)),
        ("digits", text.contains(char::is_numeric)),
        ("punctuation", text.contains(is_mark)),
        ("spaces", text.contains([' ', '\t'])),
    ];
    let there: Vec<&str> = kinds.iter().filter(|(_, is_there)| *is_there).map(|(kind, _)| *kind).collect();
    match there.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => there.concat(),
    }
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
            ("a=candidate:x\r\ncandidate:x", Sort::Candidates("a=candidate:x\r\ncandidate:x")),
            ("\n1 typ host\n\n2 typ x\n", Sort::Candidates("\n1 typ host\n\n2 typ x\n")),
            ("1 typ host\n2", Sort::Candidate("1 typ host\n2")),
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
            (b"000", "bad-hex"),
            (b"v=0\r\ns=\xFF", "not-utf8"),
        ] {
            let Sort::Refused(found, why) = Sort::of(input) else { panic!("{input:?}") };
            assert_eq!(found, word, "{why}");
        }
    }

    #[test]
    fn what_came_by_mistake_is_told_by_its_kind() {
        for (text, kind) in [
            ("hunter2", "7 characters: letters and digits"),
            (" s3cret & more\n", "13 characters: letters, digits, punctuation and spaces"),
            ("a\n\nb", "4 characters in 3 lines: letters"),
            ("?", "1 characters: punctuation"),
        ] {
            let why = unknown(text);
            assert!(why.ends_with(kind) && !why.contains("hunter2") && !why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn a_dump_is_told_from_digits() {
        for dump in [
            "00000000: 0001 0000 2112 a442 b7e7 a701 bc34 d686  ....!..B.....4..\n00000010: fa87 dfae    ....",
            "00000000: 0001 0000 2112 a442  ....!..B",
            "00000000  00 01 00 00 21 12 a4 42  b7 e7 a7 01 bc 34 d6 86  |....!..B.....4..|\n00000010  fa 87",
            "000000 00 01 00 00 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86\n000010",
            "0000   00 01 00 00\n0004   21 12 a4 42",
        ] {
            let Sort::Refused(word, why) = Sort::of(dump.as_bytes()) else { panic!("{dump}") };
            assert!(word == "bad-hex" && why.contains("xxd -p"), "{why}");
        }
        for digits in
            ["0000 0001\n0004 2112", "00:00:00:10", "0000\n0010", "0001 0000\n0004 2112", "0000 0000"]
        {
            assert!(matches!(Sort::of(digits.as_bytes()), Sort::Hex(_)), "{digits}");
        }
    }
}
