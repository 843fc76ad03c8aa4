//! Our own program: built, and asked for what a server sees.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
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

/// `floe stun` tells the address it asked from, for on loopback nothing translates it.
pub(crate) fn asks_stun(floe: &Result<PathBuf, String>, coturn: &Coturn) -> anyhow::Result<String> {
    let lines = json_lines(floe, &["stun", &coturn.stun_uri(), "--json"])?;
    let answer = answer_of(&lines, &coturn.stun_uri())?;
    let mapped = answer["mapped"].as_str().unwrap_or_default();
    ensure!(mapped.starts_with("127.0.0.1:") && answer["local"] == mapped, "{answer}");
    Ok(format!("mapped to {mapped}"))
}

/// `floe gather` hears of its address from both servers and finds a relayed candidate at the second.
pub(crate) fn gathers(floe: &Result<PathBuf, String>, coturn: &Coturn) -> anyhow::Result<String> {
    let (stun, turn) = (coturn.stun_uri(), coturn.turn_uri());
    let user = ["--username", coturn::USER, "--credential", coturn::PASSWORD];
    let lines = json_lines(floe, &[&["gather", &stun, &turn, "--loopback", "--json"], &user[..]].concat())?;
    for uri in [&stun, &turn] {
        let answer = answer_of(&lines, uri)?;
        ensure!(answer["mapped"].is_string(), "no mapped address from {uri}: {answer}");
    }
    let relayed = answer_of(&lines, &turn)?["relayed"].as_str().unwrap_or_default();
    let is_candidate = |line: &Value| line["type"] == "relay" && line["address"] == relayed;
    ensure!(lines.iter().any(is_candidate), "no candidate for the relayed address {relayed:?}");
    Ok(format!("relayed at {relayed}"))
}

/// What a server said, if it said anything good.
fn answer_of<'a>(lines: &'a [Value], uri: &str) -> anyhow::Result<&'a Value> {
    let is_answer = |line: &&Value| line["ev"] == "server" && line["url"] == uri && line["ok"] == true;
    lines.iter().find(is_answer).with_context(|| format!("no answer of {uri} in {lines:?}"))
}

pub(super) fn json_lines(floe: &Result<PathBuf, String>, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
    let floe = floe.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?;
    let printed = host::output(Command::new(floe).args(arguments))?;
    let parse = |line: &str| serde_json::from_str(line).with_context(|| format!("not JSON: {line}"));
    printed.lines().map(parse).collect()
}
