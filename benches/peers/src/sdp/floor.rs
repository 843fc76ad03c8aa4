//! The floor: to read is to find the lines, to write is to copy them.

use std::hint::black_box;

use super::{Entry, is_written};
use crate::Contestant;
use crate::contestant::repeat;

pub(crate) fn enter(entry: &mut Entry<'_>) {
    for &row in &entry.rows {
        let text: &'static str = entry.texts.of(row);
        let run = if is_written(row) { write(text) } else { read(text) };
        entry.field.contestants.push(Contestant::new(row, "floor", text.len(), run));
    }
}

fn read(text: &'static str) -> Box<dyn FnMut(u64)> {
    assert_eq!(split(text), text.lines().count());
    repeat(move || {
        black_box(split(black_box(text)));
    })
}

fn write(text: &'static str) -> Box<dyn FnMut(u64)> {
    let lines: Vec<&'static str> = text.split_inclusive('\n').collect();
    assert_eq!(join(&lines), text);
    repeat(move || {
        black_box(join(black_box(&lines)));
    })
}

fn split(text: &str) -> usize {
    let (mut count, mut start) = (0, 0);
    for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
        black_box(&text.as_bytes()[start..end]);
        (count, start) = (count + 1, end + 1);
    }
    count
}

fn join(lines: &[&str]) -> String {
    let mut text = String::with_capacity(lines.iter().map(|line| line.len()).sum());
    lines.iter().for_each(|line| text.push_str(line));
    text
}
