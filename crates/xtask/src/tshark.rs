//! A second decoder as oracle: what `tshark` makes of messages and what `floe decode` makes of them is the same, field by
//! field.
//!
//! ```text
//!   messages, corpora ──▶ capture ──▶ tshark ──▶ dissection ─┐
//!                             └─────▶ floe decode --json ────┴▶ compare
//! ```
//!
//! The messages are those that our builders make: every method and class, every attribute with various values, every
//! seal, ChannelData, over IPv4 and IPv6, UDP and TCP. Where tshark is wrong, or knows less, [`exceptions`] says so, and
//! an exception that is none any more fails too.

mod capture;
mod compare;
mod corpora;
mod dissection;
mod exceptions;
mod messages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::host::{self, Package, cargo, works};
use compare::Verdict;
use dissection::Dissected;

const PACKAGES: &[Package] =
    &[Package { name: "tshark", is_there: || works(Command::new("tshark").arg("--version")) }];

/// One message by a name that a person can look for.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn run() -> anyhow::Result<()> {
    host::need(PACKAGES)?;
    host::run(cargo().args(["build", "--quiet", "--package", "floe-cli"]))?;
    let folder = host::target().join("tshark");
    fs::create_dir_all(&folder)?;
    println!("{}", host::output(Command::new("tshark").arg("--version"))?.lines().next().unwrap_or_default());

    let mut verdict = Verdict::default();
    let made = messages::all()?;
    compare_samples("made by our builders", &made, &folder, &mut verdict)?;
    compare_samples("of the corpora", &corpora::messages()?, &folder, &mut verdict)?;
    for file in corpora::captures()? {
        compare_capture(&file, &mut verdict)?;
    }
    verdict.conclude()
}

/// Each sample alone in a datagram, and all that fit the wire's order in one connection.
fn compare_samples(
    what: &str,
    samples: &[Sample],
    folder: &Path,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let word = what.rsplit(' ').next().unwrap_or(what);
    for (transport, file, write) in [
        ("UDP", folder.join(format!("{word}-udp.pcap")), capture::datagrams as capture::Write),
        ("TCP", folder.join(format!("{word}-tcp.pcap")), capture::connection),
    ] {
        let (bytes, sent) = write(samples);
        fs::write(&file, bytes)?;
        let (ours, theirs) = (decoded(&file)?, dissected(&file)?);
        let count = compare::samples(&sent, &ours, &theirs, verdict);
        println!("  {count:5} messages {what} over {transport}");
    }
    Ok(())
}

fn compare_capture(file: &Path, verdict: &mut Verdict) -> anyhow::Result<()> {
    let (ours, theirs) = (decoded(file)?, dissected(file)?);
    let count = compare::captured(file, &ours, &theirs, verdict);
    println!("  {count:5} messages of {}", file.file_name().unwrap_or_default().display());
    Ok(())
}

/// What `floe decode --json` tells, without the summary.
fn decoded(file: &Path) -> anyhow::Result<Vec<Value>> {
    let output =
        Command::new(host::target().join("debug/floe")).args(["decode", "--json"]).arg(file).output()?;
    let text = String::from_utf8(output.stdout).context("floe printed something else than UTF-8")?;
    let parse = |line: &str| serde_json::from_str(line).with_context(|| format!("not JSON: {line}"));
    let mut told: Vec<Value> = text.lines().map(parse).collect::<anyhow::Result<_>>()?;
    match told.pop() {
        Some(summary) if summary["kind"] == "capture" => Ok(told),
        last => bail!("floe decode {}: no summary but {last:?}", file.display()),
    }
}

/// What tshark shows of STUN, by its own settings and nobody's else.
fn dissected(file: &Path) -> anyhow::Result<Vec<Dissected>> {
    let nowhere = file.with_extension("home");
    let mut command = Command::new("tshark");
    command.env("HOME", &nowhere).env("XDG_CONFIG_HOME", &nowhere).env("TZ", "UTC");
    command.args([
        "-n",
        "-T",
        "pdml",
        "-J",
        "stun",
        "-d",
        "udp.port==3478,stun",
        "-d",
        "tcp.port==3478,stun",
    ]);
    let output = command.arg("-r").arg(file).output().context("cannot start tshark")?;
    ensure!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    let pdml = str::from_utf8(&output.stdout).context("tshark printed something else than UTF-8")?;
    dissection::read(pdml)
}

/// A folder of the project.
fn in_project(path: &str) -> PathBuf {
    host::root().join(path)
}
