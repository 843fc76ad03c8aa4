//! What relaying costs: `floe serve` beside coturn and a bare loop of recv and send, under one generator, on loopback.
//!
//! The generator keeps 64 datagrams of 1,200 bytes on their way and sends no others before some of them have arrived. What is
//! counted is the processor time of the relay alone, all its threads, in user space and in the kernel, which includes the
//! delivery into the socket of the receiver. The relays take turns; the median of all rounds is shown.

pub(crate) mod client;
mod figures;
mod flow;
mod relays;
pub(crate) mod serve;
pub(crate) mod usage;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::host::{self, Package, cargo, works};
use crate::step::CannotRun;
use client::Allocated;
use figures::{Figures, Row};
use flow::{Direction, Pace, Tally};
use relays::{Kind, Relay};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long each flow lasts.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How often all is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many allocations stand beside.
    #[arg(long, default_value_t = 10_000)]
    allocations: u32,
    /// Only this relay.
    #[arg(long)]
    only: Option<Kind>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    prepare(u64::from(options.allocations))?;
    host::need(&[Package {
        name: "coturn",
        is_there: || works(std::process::Command::new("turnserver").arg("--version")),
    }])?;
    let mut figures = Figures::default();
    println!("{}", load());
    for round in 1..=options.rounds {
        for kind in Kind::ALL.into_iter().filter(|kind| options.only.is_none_or(|only| only == *kind)) {
            println!("round {round}: {}", kind.name());
            if let Err(why) = measure(kind, options, &mut figures) {
                println!("  not measured: {why:#}");
            }
        }
    }
    println!("{}\n", load());
    ensure!(!figures.is_empty(), "nothing was measured");
    figures.print(options.allocations);
    Ok(())
}

/// What every use of `floe serve` here needs: a build as it is shipped, and descriptors.
pub(crate) fn prepare(sockets: u64) -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") {
        anyhow::bail!(CannotRun("needs Linux, which tells in /proc what a process uses".to_owned()));
    }
    let wanted = sockets + SPARE_DESCRIPTORS;
    let granted = rlimit::increase_nofile_limit(wanted)?;
    ensure!(
        granted >= wanted,
        CannotRun(format!("{wanted} descriptors are needed, {granted} granted: ulimit -Hn"))
    );
    fs::create_dir_all(serve::folder())?;
    host::run(cargo().args(["build", "--quiet", "--release", "--package", "floe-cli"]))
}

/// One round of one relay: flows, then the allocations, then flows beside them.
fn measure(kind: Kind, options: &Options, figures: &mut Figures) -> anyhow::Result<()> {
    let relay = Relay::start(kind, options.allocations)?;
    let time = Duration::try_from_secs_f64(options.seconds)?;
    let mut lost = 0;
    let mut flow = |pace, direction| -> anyhow::Result<f64> {
        flow::run(&relay.path, pace, direction, WARM_UP)?;
        let before = relay.usage.processor()?;
        let Tally { sent, received } = flow::run(&relay.path, pace, direction, time)?;
        let used = relay.usage.processor()? - before;
        ensure!(received > 0, "nothing arrived of {sent} datagrams");
        lost += sent.saturating_sub(received);
        Ok(micros(used) / received as f64)
    };
    for (pace, direction) in Row::FLOWS {
        figures.add(kind, Row::Flow(pace, direction), flow(pace, direction)?);
    }
    if let Some(server) = relay.server {
        let _beside = allocate(kind, &relay, server, options.allocations, figures)?;
        for pace in [Pace::Bursts, Pace::Single] {
            figures.add(kind, Row::Beside(pace), flow(pace, Direction::ToPeer)?);
        }
    }
    figures.add(kind, Row::Lost, lost as f64);
    Ok(())
}

/// Allocations with a channel each, from an address each: strangers from one address are served slowly.
fn allocate(
    kind: Kind,
    relay: &Relay,
    server: SocketAddr,
    count: u32,
    figures: &mut Figures,
) -> anyhow::Result<Vec<Allocated>> {
    let (processor, memory) = (relay.usage.processor()?, relay.usage.resident()?);
    let peer = relay.path.peer_address()?;
    let made: anyhow::Result<Vec<_>> = (0..count)
        .map(|n| {
            client::allocate(client::address(1, n), server, &[peer])
                .with_context(|| format!("allocation {n}"))
        })
        .collect();
    let made = made?;
    let (used, grown) =
        (relay.usage.processor()? - processor, relay.usage.resident()?.saturating_sub(memory));
    figures.add(kind, Row::SetUp, micros(used) / f64::from(count));
    figures.add(kind, Row::Memory, grown as f64 / f64::from(count));
    Ok(made)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// How busy the machine is with other things: figures of a loud machine say little.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    format!("load of this machine over 1, 5 and 15 minutes: {}", load.join(" "))
}

/// Fills buffers and tables that are filled once.
const WARM_UP: Duration = Duration::from_millis(200);

/// Files, streams and the sockets of the generator beside those of the allocations.
const SPARE_DESCRIPTORS: u64 = 1000;
