//! `floe connect` on a terminal: messages on stdout, all else on stderr, so that a pipe carries messages only.

use std::io;

use super::{Paint, json, line, note};
use crate::contract::{Event, Message};

/// Prints what happens in a chat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    json: bool,
    paint: Paint,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::for_stderr() }
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

    pub(crate) fn wrong_paste(self, why: &str) -> io::Result<()> {
        self.event(&Event::Error { msg: why.to_owned() })
    }

    pub(crate) fn event(self, event: &Event) -> io::Result<()> {
        if self.json {
            return json(event);
        }
        let paint = self.paint;
        match event {
            Event::Message(Message::Text(text)) => return line(text),
            Event::Message(Message::Hex(digits)) => return line(format!("0x{digits}")),
            Event::State { state, why } => note(paint.faint(format!("- {state}: {why}"))),
            Event::Open => note(paint.good("- connected: type, and Enter sends a line; Ctrl-D ends it")),
            Event::Selected(pair) => note(paint.faint(format!(
                "- by {} {} - {} {}",
                pair.local, pair.local_addr, pair.remote_addr, pair.remote
            ))),
            Event::Server(server) => {
                if let Some(error) = &server.error {
                    note(paint.bad(format!("- {}: {error}", server.url)));
                }
            }
            Event::Error { msg } => note(paint.bad(format!("- {msg}"))),
            _ => {}
        }
        Ok(())
    }
}
