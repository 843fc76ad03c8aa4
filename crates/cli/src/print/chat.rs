//! `floe connect` on a terminal: messages on stdout, all else on stderr, so that a pipe carries messages only.

use std::fmt::Display;
use std::io::{self, IsTerminal};

use super::{Paint, json, line, note};
use crate::contract::{Event, Message, Selected};

/// Prints what happens in a chat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    json: bool,
    paint: Paint,
    /// Messages stand between what is typed, so they are marked.
    marks: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::for_stderr(), marks: io::stdout().is_terminal() }
    }

    pub(crate) fn asking(self, servers: &str) {
        if !servers.is_empty() {
            self.faint(format!("- asking {servers} (up to 5 s)"));
        }
    }

    pub(crate) fn server_failed(self, uri: &str, error: &str) {
        if !self.json {
            note(self.paint.bad(format!("- {uri} does not help: {error}")));
        }
    }

    pub(crate) fn description(self, text: &str) -> io::Result<()> {
        if self.json {
            return json(&serde_json::json!({ "ev": "description", "text": text }));
        }
        note(self.paint.bold("Give this line to the other side:"));
        line(text)
    }

    pub(crate) fn ask(self) {
        if !self.json {
            note(self.paint.bold("Paste the line of the other side:"));
        }
    }

    pub(crate) fn ask_for_more(self) {
        self.faint("- that is not all of it: paste the rest, or an empty line to begin anew");
    }

    pub(crate) fn wrong_paste(self, why: &str) -> io::Result<()> {
        self.event(&Event::Error { msg: why.to_owned() })
    }

    /// The other side said goodbye.
    pub(crate) fn left(self) -> io::Result<()> {
        if self.json {
            return json(&serde_json::json!({ "ev": "left" }));
        }
        note(self.paint.bold("- the other side has left"));
        Ok(())
    }

    pub(crate) fn event(self, event: &Event) -> io::Result<()> {
        if self.json {
            return json(event);
        }
        let paint = self.paint;
        match event {
            Event::Message(message) => return line(self.message(message)),
            Event::State { state: "checking", .. } => self.faint("- looking for a path…"),
            Event::State { state: "disconnected", why } => note(paint.bad(format!("- {why}; still trying"))),
            Event::Open => {
                note(paint.good("- connected: type, and Enter sends a line; Ctrl-D or Ctrl-C ends it"));
            }
            Event::Selected(pair) => self.faint(format!("- {}", path(pair))),
            Event::Error { msg } => note(paint.bad(format!("- {msg}"))),
            _ => {}
        }
        Ok(())
    }

    fn message(self, message: &Message) -> String {
        let mark = if self.marks { "< " } else { "" };
        match message {
            Message::Text(text) => format!("{mark}{text}"),
            Message::Hex(digits) => format!("{mark}0x{digits}"),
        }
    }

    fn faint(self, text: impl Display) {
        if !self.json {
            note(self.paint.faint(text));
        }
    }
}

/// The way that data takes, in the words of people.
fn path(pair: &Selected) -> String {
    let (ours, theirs) = (&pair.local_addr, &pair.remote_addr);
    match (pair.local, pair.remote) {
        ("relay", "relay") => format!("the path leads over two relays, {ours} and {theirs}"),
        ("relay", _) => format!("the path leads over our relay {ours} to {theirs}"),
        (_, "relay") => format!("the path leads from {ours} over the other side's relay {theirs}"),
        _ => format!("the path leads directly from {ours} to {theirs}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_marked_on_a_terminal_only() {
        let printer = |marks| Printer { json: false, paint: Paint::for_stderr(), marks };
        let message = Message::Text("hello".into());
        assert_eq!(printer(true).message(&message), "< hello");
        assert_eq!(printer(false).message(&message), "hello");
    }
}
