//! One hexadecimal message a line, answered by one object a line, however many there are. Blank lines are no messages.

use std::io::{self, BufRead, BufReader, Read};

use super::keys::Keys;
use super::report::{Decoded, Input, What};
use super::{hex, message, sort};
use crate::failure::Failure;
use crate::print::decode::Printer;

/// Answers each line as soon as it is there.
pub(crate) fn tell(input: impl Read, keys: &Keys, out: &mut Printer) -> Result<(), Failure> {
    let (mut input, mut line) = (BufReader::with_capacity(1 << 16, input), Vec::new());
    loop {
        if !input.buffer().contains(&b'\n') {
            // The next line may be long in coming.
            out.flush()?;
        }
        match read(&mut input, &mut line)? {
            Next::End => return Ok(()),
            Next::Line if line.trim_ascii().is_empty() => {}
            Next::Line => out.tell(&decode(&line, keys))?,
            Next::TooLong => {
                let why = format!("expected a line of at most {MAX_LINE} bytes");
                out.tell(&Decoded::bad(Input::Hex, What::Unknown, "too-long", &why))?;
            }
        }
    }
}

fn decode(line: &[u8], keys: &Keys) -> Decoded {
    let Ok(text) = str::from_utf8(line) else {
        return Decoded::bad(Input::Hex, What::Unknown, "bad-hex", "the line is not UTF-8");
    };
    match hex::read(text) {
        Ok(bytes) => message::decode(&bytes, keys, Input::Hex),
        Err(why) => Decoded::bad(Input::Hex, What::Unknown, "bad-hex", &sort::not_hex(&why)),
    }
}

/// The largest message has 65,552 bytes; with `, 0x` between them it still fits.
const MAX_LINE: usize = 1 << 20;

enum Next {
    Line,
    TooLong,
    End,
}

/// Reads one line, without holding more of it than is allowed.
fn read(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Next> {
    line.clear();
    let most = MAX_LINE as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(Next::End);
    }
    if line.last() == Some(&b'\n') || line.len() <= MAX_LINE {
        return Ok(Next::Line);
    }
    input.skip_until(b'\n')?;
    Ok(Next::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one_and_a_long_one_is_passed_over() {
        let mut input = b"00\r\n\n".to_vec();
        input.extend(vec![b'0'; 3 << 20]);
        input.extend(b"\n01");
        let (mut input, mut line) = (input.as_slice(), Vec::new());
        let mut next = || match read(&mut input, &mut line).unwrap() {
            Next::Line => Some(line.clone()),
            Next::TooLong => Some(b"too long".to_vec()),
            Next::End => None,
        };
        assert_eq!(next(), Some(b"00\r\n".to_vec()));
        assert_eq!(next(), Some(b"\n".to_vec()));
        assert_eq!(next(), Some(b"too long".to_vec()));
        assert_eq!(next(), Some(b"01".to_vec()));
        assert_eq!(next(), None);
    }
}
