//! What people and programs are shown: words and tables, or JSON lines. Logic stands elsewhere.

pub(crate) mod chat;
pub(crate) mod demo;
pub(crate) mod gather;
pub(crate) mod serve;
pub(crate) mod stun;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

/// One line on stdout, flushed, so that a reader has it at once.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// One JSON object as a line on stdout.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    line(serde_json::to_string(value).map_err(io::Error::from)?)
}

/// One line for the person at the terminal, beside the output proper. A closed terminal is no reason to stop.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
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
pub(crate) fn rtt(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".into(), |time| format!("{:.2} ms", time.as_secs_f64() * 1e3))
}

/// A table without lines, as wide as it needs to be.
pub(crate) fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heading.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    table
}
