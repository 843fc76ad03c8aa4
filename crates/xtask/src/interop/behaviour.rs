//! NAT behaviour discovery (RFC 5780) in both directions: our client at coturn, coturn's client at our server. On
//! loopback there is no NAT, so that all must find an open way.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Lines};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::coturn::Coturn;
use super::floe::json_lines;
use super::peer::logs;
use crate::host::{self, Running};

/// What coturn's client says where nothing is in the way, in this order. The second address answers when it is asked, and
/// in place of the first.
const FINDINGS: [&str; 7] = [
    "maybe a successful hairpinning",
    "No NAT! (Endpoint Independent Mapping)",
    "Response origin: : 127.0.0.2:",
    "NAT with Endpoint Independent Mapping!",
    "-= Filtering Behavior Discovery =-",
    "Response origin: : 127.0.0.2:",
    "NAT with Endpoint Independent Filtering!",
];

/// `floe nat` finds by coturn that there is no NAT, and no filter.
pub(crate) fn floe_asks(floe: &Result<PathBuf, String>, coturn: &Coturn) -> anyhow::Result<String> {
    let lines = json_lines(floe, &["nat", &coturn.stun_uri(), "--json"])?;
    for (test, value) in [("mapping", "none"), ("filtering", "endpoint-independent")] {
        let is_finding = |line: &&Value| line["ev"] == "finding" && line["test"] == test;
        let found = lines.iter().find(is_finding).with_context(|| format!("no {test} in {lines:?}"))?;
        ensure!(found["value"] == value && found["certainty"] == "seen", "{found}");
    }
    Ok("no NAT, no filter".to_owned())
}

/// coturn's client finds the same by coturn, which proves the runner.
pub(crate) fn coturn_asks_itself(coturn: &Coturn) -> anyhow::Result<String> {
    finds_an_open_way(coturn.address(), "natdiscovery-coturn")
}

/// coturn's client finds the same by `floe serve`.
pub(crate) fn coturn_asks_floe(floe: &Result<PathBuf, String>) -> anyhow::Result<String> {
    let mut server = Serving::start(floe)?;
    let primary = server.primary()?;
    finds_an_open_way(primary, "natdiscovery-floe")?;
    // An answer to another port than the one that asked.
    let told = discover(primary, &["-t", "-T", "1"], "natdiscovery-floe-lifetime")?;
    ensure!(told.matches("RFC 5780 response").count() == 2, "not two answers: {told}");
    Ok("no NAT, no filter, a hairpin, a binding that lives".to_owned())
}

fn finds_an_open_way(server: SocketAddr, log: &str) -> anyhow::Result<String> {
    let told = discover(server, &["-m", "-f", "-H", "-P"], log)?;
    let mut rest = told.as_str();
    for finding in FINDINGS {
        let (_, after) = rest
            .split_once(finding)
            .with_context(|| format!("no {finding:?} in its place; see {}", logs().join(log).display()))?;
        rest = after;
    }
    Ok("no NAT, no filter, a hairpin".to_owned())
}

/// Runs coturn's client; what it told.
fn discover(server: SocketAddr, tests: &[&str], log: &str) -> anyhow::Result<String> {
    let (ip, port) = (server.ip().to_string(), server.port().to_string());
    let mut command = Command::new("turnutils_natdiscovery");
    command.args(tests).args(["-L", &ip, "-p", &port, &ip]);
    fs::create_dir_all(logs())?;
    host::told_within(command, Duration::from_secs(30), &logs().join(log))
}

/// `floe serve` with two addresses; dropped, it ends.
#[derive(Debug)]
struct Serving {
    _process: Running,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Serving {
    fn start(floe: &Result<PathBuf, String>) -> anyhow::Result<Self> {
        let floe = floe.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?;
        fs::create_dir_all(logs())?;
        let mut command = Command::new(floe);
        command.args(["serve", "--listen", "127.0.0.1:0", "--alternate", "127.0.0.2", "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(logs().join("floe-serve.stderr"))?);
        let mut process = Running(command.spawn().context("cannot start floe serve")?);
        let stdout = process.0.stdout.take().context("no stdout")?;
        Ok(Self { _process: process, lines: BufReader::new(stdout).lines() })
    }

    /// The primary address, as the server tells it once it is ready.
    fn primary(&mut self) -> anyhow::Result<SocketAddr> {
        for line in &mut self.lines {
            let told: Value = serde_json::from_str(&line?)?;
            if told["ev"] == "discovery" {
                let primary = told["primary"].as_str().unwrap_or_default();
                return primary.parse().with_context(|| format!("no address: {told}"));
            }
        }
        bail!("floe serve ended; see {}", logs().join("floe-serve.stderr").display())
    }
}
