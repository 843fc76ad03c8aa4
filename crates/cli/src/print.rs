//! What people and programs are shown: words and tables, or JSON lines. Logic stands elsewhere.

pub(crate) mod chat;
pub(crate) mod decode;
pub(crate) mod demo;
pub(crate) mod gather;
pub(crate) mod nat;
mod outlet;
pub(crate) mod serve;
pub(crate) mod stun;
pub(crate) mod turn;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;
use std::time::Duration;

use floe_stun::Instant;
use floe_tokio::Clock;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::contract::millis;

pub(crate) use outlet::finish;

/// One line for people on stdout.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", plain(&text.to_string()))?;
    out.flush()
}

/// One line for people on stdout, soon: for who must not wait for the reader.
pub(crate) fn queued_line(text: impl Display) -> io::Result<()> {
    outlet::send(plain(&text.to_string()))
}

/// Text that can do nothing to a terminal: what peers and servers say is shown too. Only our own colours pass.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(code) = COLOURS.iter().find(|code| rest.starts_with(**code)) {
            shown.push_str(code);
            rest = rest.get(code.len()..).unwrap_or_default();
            continue;
        }
        let harmless = next == '\n' || !does_something(next);
        shown.push(if harmless { next } else { char::REPLACEMENT_CHARACTER });
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    shown
}

/// Whether a terminal does something else with it than show it.
fn does_something(character: char) -> bool {
    character.is_control() || REORDERING.contains(&character)
}

/// What [`Paint`] writes.
const COLOURS: [&str; 5] = ["\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[1m", "\x1b[0m"];

/// Characters that make a line read otherwise than it is written (Unicode's bidirectional controls).
const REORDERING: [char; 12] = [
    '\u{061C}', '\u{200E}', '\u{200F}', '\u{202A}', '\u{202B}', '\u{202C}', '\u{202D}', '\u{202E}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// One event as a line of JSON on stdout, with the time since the program started.
pub(crate) fn json(event: &impl Serialize) -> io::Result<()> {
    #[derive(Serialize)]
    struct Stamped<'a, E> {
        #[serde(flatten)]
        event: &'a E,
        t_ms: f64,
    }
    bare_json(&Stamped { event, t_ms: millis(elapsed()) })
}

/// One event as a line of JSON on stdout, in the fields of the signalling contract and no others.
pub(crate) fn bare_json(event: &impl Serialize) -> io::Result<()> {
    let mut line = Vec::new();
    write_json(&mut line, event)?;
    outlet::send(String::from_utf8(line).map_err(io::Error::other)?)
}

/// A value as JSON that can do nothing to a terminal either: all that this program prints as JSON is written here.
fn write_json(out: impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Harmless)).map_err(io::Error::from)
}

/// Compact, and with an escape for each character that a terminal would obey. JSON itself asks for one below U+0020 only
/// (RFC 8259 §7).
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        for part in fragment.split_inclusive(does_something) {
            let last = part.chars().next_back().filter(|last| does_something(*last));
            let shown = last.and_then(|last| part.strip_suffix(last)).unwrap_or(part);
            out.write_all(shown.as_bytes())?;
            if let Some(last) = last {
                write!(out, "\\u{:04x}", u32::from(last))?;
            }
        }
        Ok(())
    }
}

/// The program has started.
pub(crate) fn start_clock() {
    LazyLock::force(&CLOCK);
}

/// The time since then.
pub(crate) fn elapsed() -> Duration {
    CLOCK.now() - Instant::ORIGIN
}

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::start);

/// One line for the person at the terminal, beside the output proper. A closed terminal is no reason to stop.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", plain(&text.to_string()));
}

/// Colours, where the output is a terminal and `NO_COLOR` does not forbid them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) fn for_stdout() -> Self {
        Self(io::stdout().is_terminal() && allowed())
    }

    pub(crate) fn for_stderr() -> Self {
        Self(io::stderr().is_terminal() && allowed())
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn bad(self, text: impl Display) -> String {
        self.wrap("31", text)
    }

    pub(crate) fn faint(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn bold(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// See no-color.org: any value but the empty one forbids colours.
fn allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A round-trip time, or that there is none.
pub(crate) fn rtt(millis: Option<f64>) -> String {
    millis.map_or_else(|| "-".into(), |millis| format!("{millis:.2} ms"))
}

/// Rows with their cells below each other, two spaces between them and none behind.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let pad = |(cell, width): (&String, &usize)| format!("{cell:<width$}", width = *width);
    rows.iter()
        .map(|row| row.iter().zip(&widths).map(pad).collect::<Vec<_>>().join("  ").trim_end().to_owned())
        .collect()
}

/// A sentence in lines of at most 80 columns, those after the first as far in as its own beginning.
pub(crate) fn wrap(indent: usize, sentence: &str) -> String {
    let (mut text, mut column) = (" ".repeat(indent), indent);
    for (n, word) in sentence.split(' ').enumerate() {
        let length = word.chars().count();
        if n > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else if n > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text
}

/// What every terminal has.
const WIDTH: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    /// Control characters but the line break, and Unicode's bidirectional controls.
    fn obeyed() -> impl Iterator<Item = char> {
        let controls = ('\0'..=' ').chain('\u{7F}'..='\u{9F}').filter(|c| *c != ' ' && *c != '\n');
        let marks = ['\u{61C}', '\u{200E}', '\u{200F}'];
        controls.chain(marks).chain('\u{202A}'..='\u{202E}').chain('\u{2066}'..='\u{2069}')
    }

    #[test]
    fn people_see_no_character_that_a_terminal_obeys() {
        for c in obeyed() {
            assert_eq!(plain(&format!("a{c}b")), "a\u{FFFD}b", "{c:?}");
        }
        assert_eq!(plain("a\nä→\x1b[1mb\x1b[0m"), "a\nä→\x1b[1mb\x1b[0m");
    }

    #[test]
    fn programs_are_told_every_character_and_none_that_a_terminal_obeys_stands_raw() {
        let text = obeyed().flat_map(|c| [c, 'ä', c, '"']).chain("\n\\→ end".chars()).collect::<String>();
        let mut line = Vec::new();
        write_json(&mut line, &text).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(!line.contains(does_something), "{line:?}");
        assert!(line.contains(r"\u009b") && line.contains(r"\u007f") && line.contains("→ end"), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }

    #[test]
    fn columns_are_aligned_and_end_without_blanks() {
        let rows = [["a", "bcd", ""], ["xyz", "e", "f"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), ["a    bcd", "xyz  e    f"]);
    }

    #[test]
    fn a_long_sentence_is_broken_at_eighty_columns() {
        let wrapped = wrap(4, &"word ".repeat(40));
        assert!(wrapped.lines().count() > 2 && wrapped.lines().all(|line| line.len() <= 80), "{wrapped}");
        assert!(wrapped.lines().all(|line| line.starts_with("    word")), "{wrapped}");
    }
}
