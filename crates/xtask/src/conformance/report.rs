//! The rows as people or programs are shown them, and what they mean for the exit code.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::{Map, Value, json};

use super::row::{Feature, Row, Verdict};

pub(crate) fn print(rows: &[Row], as_json: bool) {
    match (nobody(rows), as_json) {
        (Some(why), false) => println!("{why}"),
        (Some(why), true) => println!("{}", json!({ "ev": "nobody", "why": why })),
        (None, false) => println!("{}", for_people(rows)),
        (None, true) => rows.iter().for_each(|row| println!("{}", for_programs(row))),
    }
}

/// Whose servers they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Those of our list, each of which may be gone.
    Listed,
    /// Those of the command line: somebody counts on them.
    Named,
}

/// A wrong answer is a failure; so is the silence of a server that was named.
pub(crate) fn exit_code(rows: &[Row], asked: Asked) -> ExitCode {
    let has_failed = |row: &Row| row.has_failed() || asked == Asked::Named && !row.has_answered();
    if rows.iter().any(has_failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What to say if there was nobody to ask.
fn nobody(rows: &[Row]) -> Option<String> {
    if rows.iter().any(Row::has_answered) {
        return None;
    }
    let mut reasons = BTreeMap::<&str, usize>::new();
    for (feature, verdict) in rows.iter().flat_map(Row::cells) {
        if let (true, Verdict::NoAnswer(why)) = (Feature::WAYS.contains(&feature), verdict) {
            *reasons.entry(why).or_default() += 1;
        }
    }
    let why = reasons.into_iter().max_by_key(|(_, count)| *count).map_or("silence", |(why, _)| why);
    Some(format!(
        "no server answered ({why}): this machine may have no network, or a firewall that lets no STUN through; \
         check the connection, or name a SERVER that can be reached from here"
    ))
}

/// The table, and beneath it what is worth knowing of its cells.
fn for_people(rows: &[Row]) -> String {
    let (table, notes) = (table(rows), notes(rows));
    let lines =
        table.trim_fmt().lines().map(str::to_owned).chain([String::new()]).chain(notes).collect::<Vec<_>>();
    lines.join("\n")
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty()) {
        table.force_no_tty();
    }
    // Verdicts stay whole on a narrow terminal; names of servers and of their software are cut.
    let width = |column| match column {
        0 | LAST => ColumnConstraint::LowerBoundary(Width::Fixed(16)),
        _ => ColumnConstraint::ContentWidth,
    };
    let head = std::iter::once("server").chain(Feature::ALL.map(Feature::name));
    table.set_header(head.map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    for row in rows {
        let cells = row.cells().map(|(feature, verdict)| cell(feature, verdict));
        table.add_row(std::iter::once(Cell::new(plain(&row.server))).chain(cells));
    }
    table.set_constraints((0..=LAST).map(width));
    table
}

/// Where the software stands.
const LAST: usize = Feature::ALL.len();

fn cell(feature: Feature, verdict: &Verdict) -> Cell {
    match verdict {
        Verdict::Pass(name) if feature == Feature::Software => Cell::new(plain(name)),
        Verdict::Pass(_) => Cell::new("pass").fg(Color::Green),
        Verdict::Fail(_) => Cell::new("FAIL").fg(Color::Red).add_attribute(Attribute::Bold),
        Verdict::Unsupported(_) => Cell::new("unsup.").add_attribute(Attribute::Dim),
        Verdict::NoAnswer(_) => Cell::new("no ans.").fg(Color::Yellow),
    }
}

/// A line for each thing to know, failures first, with the cells and servers it is true of.
fn notes(rows: &[Row]) -> Vec<String> {
    let mut of_one = BTreeMap::<(&Verdict, &str), Vec<Feature>>::new();
    for row in rows {
        for (feature, verdict) in row.cells().filter(|cell| !cell.1.note().is_empty()) {
            of_one.entry((verdict, &row.server)).or_default().push(feature);
        }
    }
    let mut of_all = BTreeMap::<(&Verdict, Vec<Feature>), Vec<&str>>::new();
    for ((verdict, server), features) in of_one {
        of_all.entry((verdict, features)).or_default().push(server);
    }
    let is_shown_already =
        |features: &[Feature], verdict: &Verdict| verdict.is_pass() && features == [Feature::Software];
    let told = of_all.iter().filter(|((verdict, features), _)| !is_shown_already(features, verdict));
    told.map(|((verdict, features), servers)| {
        let cells = match features.len() {
            all if all == Feature::ALL.len() => "everything".into(),
            _ => features.iter().map(|feature| feature.name()).collect::<Vec<_>>().join(", "),
        };
        plain(&format!("{}: {cells} of {}: {}", verdict.word(), servers.join(", "), verdict.note()))
    })
    .collect()
}

fn for_programs(row: &Row) -> Value {
    let cells = row.cells().map(|(feature, verdict)| {
        let mut cell = json!({ "verdict": verdict.word() });
        if !verdict.note().is_empty() {
            cell["note"] = verdict.note().into();
        }
        (feature.name().to_owned(), cell)
    });
    json!({ "ev": "server", "server": row.server, "cells": cells.collect::<Map<_, _>>() })
}

/// What servers say can do nothing to a terminal.
fn plain(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_harmful(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// What the columns are.
pub(crate) const LEGEND: &str = "\
Columns:
  udp4, udp6  a Binding transaction over UDP
  tcp, tls    the same on a stream; over TLS the certificate is checked by the server's name
  resend      our first request is never sent and the second is answered; a repeated request is answered alike
  optional    an unknown comprehension-optional attribute is ignored
  required    an unknown comprehension-required attribute is refused with 420 and UNKNOWN-ATTRIBUTES
  fprint      a request with FINGERPRINT is answered
  xor         XOR-MAPPED-ADDRESS is there, of the family that was asked over
  mapped      MAPPED-ADDRESS says the same
  5780        OTHER-ADDRESS, RESPONSE-ORIGIN and CHANGE-REQUEST work as in RFC 5780
  3489        a request without the magic cookie is answered as in RFC 3489
  software    what the server says it is

Cells: pass, FAIL (it answered wrongly), unsup. (it cannot be asked for this, or says that it does not do it), no ans.
What else is known of a cell stands beneath the table.

Exit codes: 0 nothing failed, or no server of the list could be asked; 1 something failed, or a server that was named
gave no answer at all; 2 wrong usage.";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(server: &str, cells: &[(Feature, Verdict)]) -> Row {
        let mut row = Row::new(server.into());
        row.fill(&Verdict::NoAnswer("silence".into()));
        cells.iter().for_each(|(feature, verdict)| row.set(*feature, verdict.clone()));
        row
    }

    #[test]
    fn where_nobody_answered_one_sentence_says_so_and_nothing_failed() {
        let rows = [row("a", &[]), row("b", &[(Feature::Tcp, Verdict::Unsupported("it refuses".into()))])];
        let said = nobody(&rows).unwrap();
        assert!(said.starts_with("no server answered (silence)") && said.contains("check"), "{said}");
        assert_eq!(exit_code(&rows, Asked::Listed), ExitCode::SUCCESS);
        assert!(nobody(&[row("a", &[(Feature::Tcp, Verdict::PASS)])]).is_none());
    }

    #[test]
    fn a_wrong_answer_is_an_answer_and_a_failure() {
        let rows = [row("a", &[(Feature::UdpV4, Verdict::Fail("garbage".into()))])];
        assert!(nobody(&rows).is_none());
        assert_eq!(exit_code(&rows, Asked::Listed), ExitCode::FAILURE);
        assert_eq!(exit_code(&rows, Asked::Named), ExitCode::FAILURE);
    }

    #[test]
    fn a_server_that_was_named_and_is_dead_is_a_failure() {
        let alive = || row("a", &[(Feature::UdpV4, Verdict::PASS)]);
        let dead = || row("b", &[(Feature::Tcp, Verdict::Unsupported("it refuses connections".into()))]);
        assert_eq!(exit_code(&[alive(), dead()], Asked::Listed), ExitCode::SUCCESS);
        assert_eq!(exit_code(&[alive()], Asked::Named), ExitCode::SUCCESS);
        for rows in [vec![dead()], vec![alive(), dead()]] {
            assert_eq!(exit_code(&rows, Asked::Named), ExitCode::FAILURE);
        }
    }

    #[test]
    fn what_is_true_of_many_cells_is_told_once_and_failures_first() {
        let refuses = || Verdict::Unsupported("it refuses connections".into());
        let cells = [(Feature::Tcp, refuses()), (Feature::Tls, refuses())];
        let wrong = [
            (Feature::Tcp, refuses()),
            (Feature::Tls, refuses()),
            (Feature::UdpV4, Verdict::Fail("no".into())),
        ];
        let told = notes(&[row("a", &cells), row("b", &wrong), row("c", &[])]);
        assert_eq!(told[0], "fail: udp4 of b: no");
        assert_eq!(told[1], "unsupported: tcp, tls of a, b: it refuses connections");
        assert!(told.contains(&"no answer: everything of c: silence".to_owned()), "{told:?}");
    }

    #[test]
    fn what_a_server_says_it_is_cannot_move_the_cursor() {
        let row = row("a", &[(Feature::Software, Verdict::Pass("evil\x1b[2J\u{202E}\u{61C}".into()))]);
        let shown = for_people(&[row]);
        assert!(shown.contains("evil\u{FFFD}[2J\u{FFFD}\u{FFFD}") && !shown.contains('\x1b'), "{shown}");
    }

    #[test]
    fn a_program_is_told_every_cell_and_its_note() {
        let row = row("a", &[(Feature::Tcp, Verdict::PASS)]);
        let told = for_programs(&row);
        assert_eq!(told["cells"]["tcp"], json!({ "verdict": "pass" }));
        assert_eq!(told["cells"]["udp4"], json!({ "verdict": "no answer", "note": "silence" }));
        assert_eq!(told["cells"].as_object().unwrap().len(), Feature::ALL.len());
    }
}
