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
    /// This machine lacks something that it need not have. Not counted at all.
    NotRun(String),
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

/// The error of a step that is done without here; says what is missing and what to do.
#[derive(Debug)]
pub(crate) struct NotRun(pub(crate) String);

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotRun {}

impl Step {
    pub(crate) fn run(&self) -> Done {
        println!("\n=== {}: {}", self.name, self.purpose);
        let start = Instant::now();
        let outcome = match (self.run)() {
            Ok(()) => Outcome::Passed,
            Err(error) if error.is::<CannotRun>() => Outcome::CannotRun(format!("{error:#}")),
            Err(error) if error.is::<NotRun>() => Outcome::NotRun(format!("{error:#}")),
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
            Outcome::NotRun(why) => write!(f, "{name:10} NOT RUN     {seconds:7.1} s  {why}"),
        }
    }
}

pub(crate) fn print_summary(done: &[Done]) {
    println!("\nsummary");
    for done in done {
        println!("  {done}");
    }
    let count = |is: fn(&Outcome) -> bool| done.iter().filter(|done| is(&done.outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed));
    match (count(Outcome::is_bad), count(|outcome| matches!(outcome, Outcome::NotRun(_)))) {
        (0, 0) => println!("all {passed} steps passed"),
        (0, n) => println!("{passed} of {} steps passed, {n} did not run", done.len()),
        (n, _) => println!("{n} of {} steps did not pass", done.len()),
    }
}

impl Outcome {
    /// Whether the checks as a whole have not passed because of it.
    pub(crate) const fn is_bad(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::CannotRun(_))
    }
}
