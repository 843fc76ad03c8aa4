//! Floe's own checks: `cargo xtask test` runs all that CI runs. See the help of each command.
#![allow(clippy::print_stdout, reason = "this program talks to people on a terminal")]
#![allow(clippy::indexing_slicing, reason = "only JSON values are indexed: a missing key reads as null")]

mod bench;
mod checks;
mod conformance;
mod deny;
mod flood;
mod fuzz;
mod host;
mod interop;
mod licences;
mod no_std;
mod relay;
mod relay_bench;
mod step;
mod tshark;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use step::Step;

/// Floe's own checks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all checks, or those named; fails if any did not pass.
    Test {
        /// Names of steps, as `--list` prints them.
        steps: Vec<String>,
        /// Print the steps and what each is for.
        #[arg(long)]
        list: bool,
    },
    /// Check licences, bans and sources of dependencies with cargo-deny, installed under target/ if need be.
    Deny,
    /// Fuzz for a while; needs cargo-fuzz and a nightly toolchain.
    Fuzz {
        /// Seconds for each target.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// Targets; all of them if none is named.
        targets: Vec<String>,
    },
    /// Measure Floe beside its peers: time, instructions and allocations for the same work.
    Bench(bench::Options),
    /// Measure what relaying costs: floe serve, coturn, and a bare loop of recv and send.
    RelayBench(relay_bench::Options),
    /// Ask public STUN servers all that a STUN client may ask, and print who does what; needs the network.
    Conformance(conformance::Options),
}

/// In the order of what fails soonest.
const STEPS: &[Step] = &[
    Step { name: "format", purpose: "every file is as rustfmt writes it", run: checks::format },
    Step { name: "licences", purpose: "every dependency has a licence we may use", run: licences::check },
    Step { name: "clippy", purpose: "no lint of the workspace fires", run: checks::clippy },
    Step { name: "tests", purpose: "unit, integration and documentation tests pass", run: checks::tests },
    Step { name: "docs", purpose: "documentation builds without a warning", run: checks::docs },
    Step { name: "no-std", purpose: "levels 0 to 2 link without the standard library", run: no_std::prove },
    Step {
        name: "conformance",
        purpose: "coturn and floe do what is expected",
        run: conformance::on_loopback,
    },
    Step { name: "fuzz", purpose: "every fuzz target holds for 10 seconds", run: fuzz::check },
    Step { name: "tshark", purpose: "tshark and floe decode see the same in every field", run: tshark::run },
    Step {
        name: "relay",
        purpose: "our TURN client and server, and those of coturn, relay for each other",
        run: relay::run,
    },
    Step { name: "flood", purpose: "floe serve relays on while it is flooded", run: flood::run },
    Step { name: "interop", purpose: "floe, coturn and aioice understand each other", run: interop::run },
];

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Test { list: true, .. } => list(),
        Command::Test { steps, list: false } => return test(&steps),
        Command::Deny => deny::run(),
        Command::Bench(options) => bench::run(&options),
        Command::RelayBench(options) => relay_bench::run(&options),
        Command::Conformance(options) => return conformance::run(options),
        Command::Fuzz { seconds, targets } => fuzz::run(Duration::from_secs(seconds), &targets),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> anyhow::Result<()> {
    for step in STEPS {
        println!("{:10} {}", step.name, step.purpose);
    }
    Ok(())
}

fn test(names: &[String]) -> ExitCode {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        println!("there is no step {unknown:?}; `cargo xtask test --list` prints those there are");
        return ExitCode::FAILURE;
    }
    let wanted = STEPS.iter().filter(|step| names.is_empty() || names.iter().any(|name| name == step.name));
    let done: Vec<step::Done> = wanted.map(Step::run).collect();
    step::print_summary(&done);
    if done.iter().any(|done| done.outcome.is_bad()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
