//! What a case has tried so far, step by step, and how it ends.

use std::net::SocketAddr;

use floe_stun::Instant;
use floe_tokio::Clock;

use super::step::{Found, Report, Step, Trouble};
use crate::failure::Failure;
use crate::print::turn::Printer;

/// How a case ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ending {
    /// Whether there was an allocation as it was asked for.
    pub(crate) allocated: bool,
    /// Whether data went through it and came back.
    pub(crate) carried: bool,
    /// Whether nothing else can be had on this way: it was not the family that the server refused.
    pub(crate) hopeless: bool,
}

/// Tells each step as it ends, with the time that it took.
pub(crate) struct Journal<'p> {
    printer: &'p mut Printer,
    clock: Clock,
    since: Instant,
    pub(crate) ending: Ending,
}

impl<'p> Journal<'p> {
    pub(crate) fn new(printer: &'p mut Printer) -> Self {
        let clock = Clock::start();
        Self { printer, clock, since: clock.now(), ending: Ending::default() }
    }

    /// A step begins.
    pub(crate) fn start(&mut self) {
        self.since = self.clock.now();
    }

    /// The step that began last has ended; whether it worked.
    pub(crate) fn note(
        &mut self,
        step: Step,
        peer: Option<SocketAddr>,
        result: Result<Found, Trouble>,
    ) -> Result<bool, Failure> {
        let (ok, took) = (result.is_ok(), self.clock.now() - self.since);
        self.printer.report(Report { step, peer, took, result })?;
        Ok(ok)
    }
}
