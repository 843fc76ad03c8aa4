//! One way to do one row's work.

use std::fmt;

use crate::Row;

/// One way to do one row's work, judged and ready to run.
pub struct Contestant {
    row: Row,
    name: &'static str,
    bytes: usize,
    notes: Vec<String>,
    run: Box<dyn FnMut(u64)>,
}

/// A peer that cannot do a row's work.
#[derive(Debug)]
pub struct Absent {
    pub row: Row,
    pub name: &'static str,
    pub why: &'static str,
}

/// Everybody in every row.
#[derive(Debug, Default)]
pub struct Field {
    pub contestants: Vec<Contestant>,
    pub absent: Vec<Absent>,
}

impl Contestant {
    /// The work is done `times` over within `run`, so that a call costs nothing beside it.
    pub(crate) fn new(row: Row, name: &'static str, bytes: usize, run: Box<dyn FnMut(u64)>) -> Self {
        Self { row, name, bytes, notes: Vec::new(), run }
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub fn row(&self) -> Row {
        self.row
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How much is read, or how long a text is written; 0 for a packet that is written.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it showed about itself when it was judged.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Does the work so many times.
    pub fn work(&mut self, times: u64) {
        (self.run)(times);
    }

    /// The same under the eyes of callgrind, which knows this function by its name.
    #[inline(never)]
    pub fn work_counted(&mut self, times: u64) {
        (self.run)(times);
    }
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contestant").field("row", &self.row).field("name", &self.name).finish_non_exhaustive()
    }
}

/// An operation as a loop.
pub(crate) fn repeat(mut operation: impl FnMut() + 'static) -> Box<dyn FnMut(u64)> {
    Box::new(move |times| (0..times).for_each(|_| operation()))
}
