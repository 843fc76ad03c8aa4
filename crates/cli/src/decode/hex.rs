//! Hexadecimal digits as people paste them: with spaces, colons, line breaks, `0x` and `\x`.

use std::fmt::Write;

/// Why a text is not pairs of digits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotHex {
    /// This character, the first being number 1.
    Character { found: char, at: usize },
    /// A digit has no partner.
    Odd { digits: usize },
}

/// The bytes that the digits stand for.
pub(crate) fn read(text: &str) -> Result<Vec<u8>, NotHex> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let (mut high, mut digits) = (None, 0);
    let mut characters = text.chars().enumerate().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        match (character, next) {
            ('0', Some('x' | 'X')) | ('\\', Some('x')) if high.is_none() => {
                characters.next();
            }
            _ if is_separator(character) => {}
            _ => {
                let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let digit = digit.ok_or(NotHex::Character { found: character, at: at + 1 })?;
                digits += 1;
                match high.take() {
                    None => high = Some(digit),
                    Some(high) => bytes.push(high << 4 | digit),
                }
            }
        }
    }
    match high {
        None => Ok(bytes),
        Some(_) => Err(NotHex::Odd { digits }),
    }
}

/// What may stand between digits.
pub(crate) const fn is_separator(character: char) -> bool {
    character.is_ascii_whitespace() || matches!(character, ':' | '-' | ',' | ';' | '_')
}

/// Lower-case digits without anything between them.
pub(crate) fn write(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0xF] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or('?'));
        }
    }
    text
}

/// The same for people: no more than fit a line.
pub(crate) fn shown(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN) {
        Some(first) if bytes.len() > SHOWN => {
            let mut text = write(first);
            let _ = write!(text, "… ({} bytes)", bytes.len());
            text
        }
        _ => write(bytes),
    }
}

const SHOWN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_bytes_gives_the_same() {
        for text in [
            "0001a4FF",
            "00 01 a4 ff",
            "00:01:A4:ff",
            "00-01-a4-ff",
            "0x0001a4ff",
            "0x00, 0x01, 0xa4, 0xff,",
            "\\x00\\x01\\xa4\\xff",
            " 0001\r\n\ta4ff\n",
            "000 1a4 ff",
        ] {
            assert_eq!(read(text), Ok(vec![0x00, 0x01, 0xA4, 0xFF]), "{text:?}");
        }
        assert_eq!(read(""), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(read("00 0g"), Err(NotHex::Character { found: 'g', at: 5 }));
        assert_eq!(read("00ä"), Err(NotHex::Character { found: 'ä', at: 3 }));
        assert_eq!(read("000"), Err(NotHex::Odd { digits: 3 }));
        assert_eq!(read("x0"), Err(NotHex::Character { found: 'x', at: 1 }));
        assert_eq!(read("+1"), Err(NotHex::Character { found: '+', at: 1 }));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(read(&write(&all)), Ok(all));
        assert_eq!(shown(&[0xAB; 32]), "ab".repeat(32));
        assert_eq!(shown(&[0xAB; 33]), format!("{}… (33 bytes)", "ab".repeat(32)));
    }
}
