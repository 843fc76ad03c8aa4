//! Our own program: built, and asked for what a server sees.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::coturn::{self, Coturn};
use crate::host::{self, cargo};

/// The program, or why it cannot be used. Cases without it run in any case.
pub(crate) fn built() -> anyhow::Result<Result<PathBuf, String>> {
    host::run(cargo().args(["build", "--quiet", "--package", "floe-cli"]))?;
    let floe = host::target().join("debug/floe");
    let version = host::output(Command::new(&floe).arg("--version"))?;
    let usable = version.starts_with("floe ");
    Ok(if usable { Ok(floe) } else { Err(format!("{} --version says {version:?}", floe.display())) })
}

/// `floe stun` tells our own address, for on loopback nothing translates it.
pub(crate) fn asks_stun(floe: &Result<PathBuf, String>, coturn: &Coturn) -> anyhow::Result<String> {
    let lines = json_lines(floe, &["stun", &coturn.stun_uri(), "--json"])?;
    let mapped = find(&lines, "mapped").with_context(|| format!("no mapped address in {lines:?}"))?;
    ensure!(mapped.starts_with("127.0.0.1:"), "mapped to {mapped}");
    Ok(format!("mapped {mapped}"))
}

/// `floe gather` finds a relayed candidate at the server.
pub(crate) fn gathers(floe: &Result<PathBuf, String>, coturn: &Coturn) -> anyhow::Result<String> {
    let (stun, turn) = (coturn.stun_uri(), coturn.turn_uri());
    let user = ["--username", coturn::USER, "--credential", coturn::PASSWORD];
    let lines = json_lines(floe, &[&["gather", &stun, &turn, "--loopback", "--json"], &user[..]].concat())?;
    let is_relay = |line: &&Value| line["candidate"].as_str().is_some_and(|text| text.contains(" typ relay"));
    match lines.iter().find(is_relay) {
        Some(line) => Ok(line["candidate"].as_str().unwrap_or_default().to_owned()),
        None => bail!("no relayed candidate in {lines:?}"),
    }
}

fn json_lines(floe: &Result<PathBuf, String>, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
    let floe = floe.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?;
    let printed = host::output(Command::new(floe).args(arguments))?;
    let parse = |line: &str| serde_json::from_str(line).with_context(|| format!("not JSON: {line}"));
    printed.lines().map(parse).collect()
}

fn find<'a>(lines: &'a [Value], key: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line[key].as_str())
}
