//! Lines of stdin, read by a thread of their own: a blocking read must not hold up packets, nor the end of the program.

use std::io::{self, BufRead, Read};
use std::thread;

use tokio::sync::mpsc;

/// The lines as they come, without their ends. The channel closes at the end of the input.
pub(crate) fn lines() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(16);
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = read(&mut input) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// One line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Text(String),
    /// A line that is no text, for this reason.
    Unusable(&'static str),
}

fn read(input: &mut impl BufRead) -> Option<Line> {
    let mut bytes = Vec::new();
    input.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes).ok().filter(|count| *count > 0)?;
    let whole = bytes.last() == Some(&b'\n');
    if !whole && bytes.len() as u64 == MAX_LINE {
        skip_line(input);
        return Some(Line::Unusable("the line is longer than a megabyte"));
    }
    let Ok(text) = String::from_utf8(bytes) else { return Some(Line::Unusable("the line is not UTF-8")) };
    Some(Line::Text(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn skip_line(input: &mut impl BufRead) {
    let mut rest = Vec::new();
    while let Ok(count) = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut rest) {
        if count == 0 || rest.last() == Some(&b'\n') {
            return;
        }
        rest.clear();
    }
}

const MAX_LINE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one_whatever_is_in_them() {
        let mut input = b"one\r\n\xff\n".to_vec();
        input.extend(vec![b'x'; 3 << 20]);
        input.extend(b"\n\nlast");
        let mut input = input.as_slice();
        assert_eq!(read(&mut input), Some(Line::Text("one".into())));
        assert_eq!(read(&mut input), Some(Line::Unusable("the line is not UTF-8")));
        assert_eq!(read(&mut input), Some(Line::Unusable("the line is longer than a megabyte")));
        assert_eq!(read(&mut input), Some(Line::Text(String::new())));
        assert_eq!(read(&mut input), Some(Line::Text("last".into())));
        assert_eq!(read(&mut input), None);
    }
}
