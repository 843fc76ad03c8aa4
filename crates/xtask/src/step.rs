//! A step of the checks, and how it ended.

use std::fmt;
use std::time::{Duration, Instant};

/// One check by its name.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) run: fn() -> anyhow::Result<()>,
}

/// A step that has been run.
#[derive(Debug)]
pub(crate) struct Done {
    name: &'static str,
    time: Duration,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    /// This machine lacks something. Never counts as passed.
    CannotRun(String),
}

/// The error of a step that cannot run here; says what is missing and what to do.
#[derive(Debug)]
pub(crate) struct CannotRun(pub(crate) String);

impl fmt::Display for CannotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotRun {}

impl Step {
    pub(crate) fn run(&self) -> Done {
        println!("\n=== {}: {}", self.name, self.purpose);
        let start = Instant::now();
        let outcome = match (self.run)() {
            Ok(()) => Outcome::Passed,
            Err(error) if error.is::<CannotRun>() => Outcome::CannotRun(format!("{error:#}")),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        let done = Done { name: self.name, time: start.elapsed(), outcome };
        println!("=== {done}");
        done
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, seconds) = (self.name, self.time.as_secs_f64());
        match &self.outcome {
            Outcome::Passed => write!(f, "{name:10} passed      {seconds:7.1} s"),
            Outcome::Failed(why) => write!(f, "{name:10} FAILED      {seconds:7.1} s  {why}"),
            Outcome::CannotRun(why) => write!(f, "{name:10} CANNOT RUN  {seconds:7.1} s  {why}"),
        }
    }
}

pub(crate) fn print_summary(done: &[Done]) {
    println!("\nsummary");
    for done in done {
        println!("  {done}");
    }
    let not_passed = done.iter().filter(|done| !matches!(done.outcome, Outcome::Passed)).count();
    match not_passed {
        0 => println!("all {} steps passed", done.len()),
        n => println!("{n} of {} steps did not pass", done.len()),
    }
}
