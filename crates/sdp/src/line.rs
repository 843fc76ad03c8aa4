//! Where a line ends, and where in a text a byte stands first.

/// The first line without its end, and what follows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut<'a> {
    pub(crate) line: &'a str,
    pub(crate) rest: &'a str,
    /// Where in the line the first NUL or CR stands, which may not be in a text.
    pub(crate) wrong: Option<usize>,
}

/// Cuts off the first line, which ends with CRLF, with LF, or with the text. `None` if there is nothing left.
#[inline(always)]
pub(crate) fn cut_line(text: &str) -> Option<Cut<'_>> {
    let end = low(text.as_bytes());
    match text.as_bytes().get(end..)? {
        [b'\n', ..] => cut(text, end, end.checked_add(1)?, None),
        [b'\r', b'\n', ..] => cut(text, end, end.checked_add(2)?, None),
        _ => cut_odd_line(text),
    }
}

/// The same of a line with a control character in it, or without an end.
#[cold]
fn cut_odd_line(text: &str) -> Option<Cut<'_>> {
    let (mut at, mut wrong) = (0_usize, None);
    loop {
        at = at.checked_add(low(text.as_bytes().get(at..)?))?;
        let behind = at.checked_add(1)?;
        match text.as_bytes().get(at..)? {
            [] => return last_line(text, wrong),
            [b'\n', ..] => return cut(text, at, behind, wrong),
            [b'\r', b'\n', ..] => return cut(text, at, behind.checked_add(1)?, wrong),
            [0 | b'\r', ..] => wrong = wrong.or(Some(at)),
            _ => {}
        }
        at = behind;
    }
}

/// A line that no LF ends. A CR may.
fn last_line(text: &str, wrong: Option<usize>) -> Option<Cut<'_>> {
    if text.is_empty() {
        return None;
    }
    let line = text.strip_suffix('\r').unwrap_or(text);
    Some(Cut { line, rest: "", wrong: wrong.filter(|&at| at < line.len()) })
}

#[inline]
fn cut<'a>(text: &'a str, end: usize, behind: usize, wrong: Option<usize>) -> Option<Cut<'a>> {
    Some(Cut { line: text.get(..end)?, rest: text.get(behind..)?, wrong })
}

/// Where `byte`, which is ASCII, stands first, or else where the text ends.
#[inline]
pub(crate) fn position(byte: u8, text: &[u8]) -> usize {
    let all = EACH.wrapping_mul(byte.into());
    first(text, |word| below(word ^ all, 1), |each| each == byte)
}

/// Where the first byte stands that may end a line or spoil it: LF, CR, NUL, or a control character between them.
#[inline]
fn low(text: &[u8]) -> usize {
    first(text, |word| below(word, LOW), |byte| byte < LOW)
}

/// Looks at eight bytes at a time. `marks` sets the highest bit of those that are wanted.
#[inline]
fn first(text: &[u8], marks: impl Fn(u64) -> u64, is_wanted: impl Fn(u8) -> bool) -> usize {
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marked = marks(u64::from_le_bytes(*word));
        if marked != 0 {
            return index.wrapping_mul(8).wrapping_add((marked.trailing_zeros() / 8) as usize);
        }
    }
    let at = tail.iter().position(|&byte| is_wanted(byte)).unwrap_or(tail.len());
    words.len().wrapping_mul(8).wrapping_add(at)
}

/// Marks every byte below `bound`, which is at most 128. The first mark is always right: only behind it a borrow may
/// have set another.
#[inline]
fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(EACH.wrapping_mul(bound.into())) & !word & EACH.wrapping_mul(0x80)
}

/// One behind CR.
const LOW: u8 = 0x0e;
/// A one in every byte.
const EACH: u64 = 0x0101_0101_0101_0101;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    /// The slow way to say it.
    fn lines(text: &str) -> Vec<(&str, Option<usize>)> {
        let lines = text.split_inclusive('\n').map(|line| {
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = line.strip_suffix('\r').unwrap_or(line);
            (line, line.find(['\0', '\r']))
        });
        lines.collect()
    }

    #[test]
    fn every_short_text_is_cut_where_its_lines_end() {
        let characters = ['a', '\n', '\r', '\0', '\t', '\u{e9}', '\u{0e}'];
        let mut texts = Vec::from([String::new()]);
        for _ in 0..5 {
            let longer: Vec<_> = texts
                .iter()
                .flat_map(|text| characters.map(|c| text.clone() + c.encode_utf8(&mut [0; 4])))
                .collect();
            texts.extend(longer);
        }
        for text in &texts {
            // In front of a word of eight bytes, across its end, and far behind it.
            for front in ["", "seven..", "nearly two words"] {
                let text = format!("{front}{text}");
                let (mut cuts, mut rest) = (Vec::new(), text.as_str());
                while let Some(cut) = cut_line(rest) {
                    cuts.push((cut.line, cut.wrong));
                    rest = cut.rest;
                }
                assert_eq!(cuts, lines(&text), "{text:?}");
            }
        }
    }

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for length in 0..20 {
            for at in 0..=length {
                // What differs by one bit, or is the same with a bit more, must not be taken for it.
                let mut text = Vec::from([b'9', b';', 0xba, b':' ^ 1, 0]).repeat(4);
                text.truncate(length);
                assert_eq!(position(b':', &text), length);
                if let Some(place) = text.get_mut(at) {
                    *place = b':';
                    assert_eq!(position(b':', &text), at, "{text:?}");
                }
            }
        }
    }
}
