//! What came out, as tables and as JSON.

use std::io;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use floe_peers::{Absent, Row};
use serde::Serialize;

use crate::allocations::Allocations;
use crate::goals::{self, Goal};
use crate::rounds::Raced;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) rows: Vec<RowReport>,
    goals: Vec<Goal>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RowReport {
    #[serde(skip)]
    pub(crate) row: Row,
    name: &'static str,
    title: &'static str,
    /// How much is read or written; 0 for packets that are written.
    pub(crate) bytes: usize,
    pub(crate) contestants: Vec<Figures>,
    absent: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) median_ns: f64,
    min_ns: f64,
    pub(crate) over_floor: Option<f64>,
    /// How much longer than ours.
    pub(crate) over_ours: Option<f64>,
    pub(crate) allocations: u64,
    allocated_bytes: u64,
    instructions: Option<u64>,
    pub(crate) notes: Vec<String>,
}

pub(crate) const FLOOR: &str = "floor";

impl Report {
    pub(crate) fn new(raced: &[Raced<'_>], absent: &[Absent]) -> Self {
        let rows = raced.chunk_by(|one, other| one.contestant.row() == other.contestant.row());
        Self { rows: rows.map(|row| RowReport::new(row, absent)).collect(), goals: Vec::new() }
    }

    /// The row of each contestant, in order.
    pub(crate) fn contestants(&self) -> Vec<Row> {
        self.rows.iter().flat_map(|row| row.contestants.iter().map(|_| row.row)).collect()
    }

    pub(crate) fn add_allocations(&mut self, counted: &[Allocations]) {
        for row in &mut self.rows {
            for figures in &mut row.contestants {
                let found =
                    counted.iter().find(|counted| counted.row == row.name && counted.name == figures.name);
                let found = found.expect("both programs have the same field");
                (figures.allocations, figures.allocated_bytes) = (found.count, found.bytes);
            }
        }
    }

    pub(crate) fn add_instructions(&mut self, counted: &[u64]) {
        let figures = self.rows.iter_mut().flat_map(|row| &mut row.contestants);
        figures.zip(counted).for_each(|(figures, counted)| figures.instructions = Some(*counted));
    }

    pub(crate) fn judge(&mut self) {
        self.goals = goals::of(self);
    }

    pub(crate) fn print_json(&self) -> anyhow::Result<()> {
        serde_json::to_writer_pretty(io::stdout(), self)?;
        println!();
        Ok(())
    }

    pub(crate) fn print(&self) {
        self.rows.iter().for_each(RowReport::print);
        println!("### Goals\n");
        println!("{}", goals::table_of(&self.goals));
    }

    pub(crate) fn row(&self, row: Row) -> Option<&RowReport> {
        self.rows.iter().find(|report| report.row == row)
    }
}

impl RowReport {
    fn new(raced: &[Raced<'_>], absent: &[Absent]) -> Self {
        let row = raced[0].contestant.row();
        let named = |name: fn(&str) -> bool| raced.iter().find(|raced| name(raced.contestant.name()));
        let (floor, ours) = (named(|name| name == FLOOR), named(is_ours));
        let figures = |raced: &Raced<'_>| Figures {
            name: raced.contestant.name(),
            median_ns: raced.median(),
            min_ns: raced.min(),
            over_floor: floor.map(|floor| raced.over(floor)),
            over_ours: ours.map(|ours| raced.over(ours)),
            allocations: 0,
            allocated_bytes: 0,
            instructions: None,
            notes: raced.contestant.notes().to_vec(),
        };
        let absent = absent.iter().filter(|absent| absent.row == row).map(|absent| (absent.name, absent.why));
        Self {
            row,
            name: row.name(),
            title: row.title(),
            bytes: raced[0].contestant.bytes(),
            contestants: raced.iter().map(figures).collect(),
            absent: absent.collect(),
        }
    }

    /// Our first way to do it, which is the one our documentation shows.
    pub(crate) fn ours(&self) -> Option<&Figures> {
        self.contestants.iter().find(|figures| is_ours(figures.name))
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Figures> {
        self.contestants.iter().find(|figures| figures.name == name)
    }

    /// Those of others.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &Figures> {
        self.contestants.iter().filter(|figures| !is_ours(figures.name) && figures.name != FLOOR)
    }

    fn print(&self) {
        println!("### {}: {}\n", self.name, self.title);
        let mut notes: Vec<&str> = Vec::new();
        let mut table =
            table(&["", "ns", "least", "× floor", "× ours", "allocations", "bytes", "instructions", ""]);
        for figures in &self.contestants {
            table.add_row([
                figures.name.to_owned(),
                time(figures.median_ns),
                time(figures.min_ns),
                figures.over_floor.map(ratio).unwrap_or_default(),
                figures.over_ours.map(ratio).unwrap_or_default(),
                thousands(figures.allocations),
                thousands(figures.allocated_bytes),
                figures.instructions.map(thousands).unwrap_or_default(),
                figures.notes.iter().map(|note| number(&mut notes, note)).collect::<Vec<_>>().join(" "),
            ]);
        }
        println!("{table}\n");
        let notes = notes.iter().zip(1..).map(|(note, index)| format!("{index}. {note}\n"));
        let absent = self.absent.iter().map(|(name, why)| format!("* not here: {name}, which {why}\n"));
        let below: String = notes.chain(absent).collect();
        println!("{below}");
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("floe-")
}

/// The number of a footnote.
fn number<'n>(notes: &mut Vec<&'n str>, note: &'n str) -> String {
    let index = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
        notes.push(note);
        notes.len() - 1
    });
    format!("({})", index + 1)
}

/// A table as Markdown has it, its columns but the first and the last to the right.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

pub(crate) fn time(ns: f64) -> String {
    if ns < 100.0 { format!("{ns:.1}") } else { thousands(ns.round() as u64) }
}

pub(crate) fn ratio(ratio: f64) -> String {
    if ratio < 100.0 { format!("{ratio:.2}") } else { thousands(ratio.round() as u64) }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}
