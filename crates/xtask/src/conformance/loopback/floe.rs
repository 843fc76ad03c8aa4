//! `floe serve`, built and started.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{ChildStdout, Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::folder;
use crate::host::{self, Running, cargo};

/// A running server.
#[derive(Debug)]
pub(super) struct Floe {
    _process: Running,
    /// A server whose words nobody reads would end.
    _stdout: Lines<BufReader<ChildStdout>>,
    pub(super) v4: SocketAddr,
    pub(super) v6: Option<SocketAddr>,
    pub(super) tls: SocketAddr,
}

impl Floe {
    /// With the certificate of coturn; `more` are further arguments of `floe serve`.
    pub(super) fn start(has_v6: bool, more: &[&str]) -> anyhow::Result<Self> {
        host::run(cargo().args(["build", "--quiet", "--package", "floe-cli"]))?;
        let listen = ["127.0.0.1:0", "[::1]:0"].into_iter().take(if has_v6 { 2 } else { 1 });
        let mut command = Command::new(host::target().join("debug/floe"));
        command.args(["serve", "--json"]).args(listen.flat_map(|address| ["--listen", address])).args(more);
        command.args(["--tls-listen", "127.0.0.1:0", "--certificate"]).arg(folder().join("certificate.pem"));
        command.arg("--key").arg(folder().join("key.pem"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Running(command.spawn().context("cannot start floe serve")?);
        let stdout = process.0.stdout.take().context("floe serve has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut listening = || listening(&lines.next().context("floe serve ended at once")??);
        let (_, v4) = listening()?;
        let v6 = has_v6.then(&mut listening).transpose()?.map(|(_, v6)| v6);
        let tls = loop {
            let (transport, address) = listening()?;
            if transport == "tls" {
                break address;
            }
        };
        Ok(Self { _process: process, _stdout: lines, v4, v6, tls })
    }
}

/// Of a line such as `{"ev":"listening","address":"127.0.0.1:3478",…}`.
fn listening(line: &str) -> anyhow::Result<(String, SocketAddr)> {
    let event: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
    let transport = event["transport"].as_str().unwrap_or_default().to_owned();
    let address = event["address"].as_str().unwrap_or_default();
    Ok((transport, address.parse().with_context(|| format!("no address in {line}"))?))
}
