//! `cargo xtask conformance`: our STUN client against servers that others run, a table of who does what.
//!
//! ```text
//!   servers   what was named on the command line, else a list; names become addresses
//!   examine   one server is reached over each transport, then asked all the rest; fills a row
//!     probe   one request with whatever is to be tried in it      judge   what an answer shows
//!     wire    the sockets under a machine                         behaviour   RFC 5780
//!   report    the rows as a table or as JSON lines, and the exit code
//! ```
//!
//! The same run against coturn and `floe serve` is a step of `cargo xtask test`: [`loopback`].

mod behaviour;
mod examine;
#[cfg(test)]
mod hostile;
mod judge;
mod loopback;
mod probe;
mod report;
mod row;
mod servers;
mod tls;
mod wire;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use floe_stun::{Chance, Schedule};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use examine::examine;
use report::Asked;
use row::{Row, Verdict};
use servers::{Places, Server, find};
use tls::Trust;

pub(crate) use loopback::run as on_loopback;

/// Which servers, and how to print.
#[derive(Debug, Args)]
#[command(after_long_help = report::LEGEND)]
pub(crate) struct Options {
    /// Servers, such as stun.example.org, stun:192.0.2.1:3478 or stuns:stun.example.org; well-known ones if none is
    /// named.
    ///
    /// A stuns: URI is asked over TLS and nothing else. Others are asked over TLS too, at port 5349. Names are looked
    /// up by the system's resolver: addresses only, no SRV records.
    #[arg(value_name = "SERVER", value_parser = Server::parse)]
    servers: Vec<Server>,
    /// Print a line of JSON for each server.
    #[arg(long)]
    json: bool,
}

/// How servers are asked.
#[derive(Debug)]
struct Means {
    /// Over UDP; over a stream an answer is waited for as long.
    schedule: Schedule,
    /// For everything together.
    limit: Duration,
    trust: Trust,
}

impl Means {
    /// Requests at 0, 0.5 and 1.5 s and an end at 2.5 s: silence is a finding here, and nobody waits for 39.5 s a cell.
    const fn new(trust: Trust) -> Self {
        let schedule = Schedule::DEFAULT.with_sends(3).with_last_wait(2);
        Self { schedule, limit: Duration::from_secs(14), trust }
    }

    /// How long an answer, a connection or a handshake is waited for.
    fn patience(&self) -> Duration {
        self.schedule.total()
    }
}

/// Exit code 0: nothing failed, or nobody of the list could be asked; 1: something failed, or who was named is silent.
pub(crate) fn run(options: Options) -> ExitCode {
    tabulate(options).unwrap_or_else(|error| {
        println!("{error:#}");
        ExitCode::FAILURE
    })
}

fn tabulate(options: Options) -> anyhow::Result<ExitCode> {
    let asked = if options.servers.is_empty() { Asked::Listed } else { Asked::Named };
    let servers = if options.servers.is_empty() { Server::well_known() } else { options.servers };
    let (means, mut chance) = (Means::new(Trust::of_this_machine()), chance()?);
    // Beside the table, so that whoever waits knows for what; a closed terminal is no reason to stop.
    let (count, seconds) = (servers.len(), means.limit.as_secs());
    let _ = writeln!(io::stderr(), "STUN servers to ask: {count}; this takes {seconds} s at most");
    let named = servers.iter().map(|server| (server.to_string(), find(server, chance.seed())));
    let named: Vec<_> = named.collect();
    let rows = block_on(survey(named, &means, &mut chance))?;
    report::print(&rows, options.json);
    Ok(report::exit_code(&rows, asked))
}

/// Asks all of them at once; what is not known in time is "no answer".
async fn survey(
    servers: Vec<(String, impl Future<Output = Result<Places, Verdict>>)>,
    means: &Means,
    chance: &mut Chance,
) -> Vec<Row> {
    let deadline = Instant::now() + means.limit;
    let rows = servers.into_iter().map(|(name, places)| {
        let (mut row, mut chance) = (Row::new(name), Chance::new(chance.seed()));
        async move {
            let examination = async {
                match places.await {
                    Ok(places) => examine(&mut row, &places, means, &mut chance).await,
                    Err(unresolved) => row.fill(&unresolved),
                }
            };
            // The cells that it did not come to stay as they were made.
            let _ = timeout_at(deadline, examination).await;
            row
        }
    });
    join_all(rows).await
}

fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let done = runtime.block_on(work);
    // A resolver that still waits for its server keeps nobody waiting.
    runtime.shutdown_background();
    Ok(done)
}

fn chance() -> anyhow::Result<Chance> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the system gives no entropy")?;
    Ok(Chance::new(seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn a_wrong_server_is_wrong_usage() {
        let error = Arguments::try_parse_from(["conformance", "stun://stun.example.org"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("expected stun:HOST[:PORT]"), "{error}");
    }

    #[test]
    fn servers_are_read_and_else_those_of_the_list_are_asked() {
        let read = Arguments::try_parse_from(["conformance", "stun.example.org", "--json"]).unwrap().options;
        assert!(read.json && read.servers.len() == 1);
        assert!(Arguments::try_parse_from(["conformance"]).unwrap().options.servers.is_empty());
    }
}
