//! A TURN server in a process of its own, on loopback; ended with the checks.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::usage::Usage;
use crate::host;

/// A running server; dropped, it ends.
#[derive(Debug)]
pub(crate) struct Serving {
    process: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Serving {
    /// Our server as it is shipped.
    pub(crate) fn floe(log: &str, max_allocations: u32) -> anyhow::Result<Self> {
        Self::start(log, |port| {
            let mut command = Command::new(host::target().join("release/floe"));
            let most = max_allocations.to_string();
            command.args(["serve", "--json", "--realm", REALM, "--user", &format!("{USER}:{PASSWORD}")]);
            command.args(["--listen", &format!("127.0.0.1:{port}"), "--allow-loopback-peers"]);
            command.args(["--max-allocations", &most, "--max-allocations-per-user", &most]);
            Ok(command)
        })
    }

    /// With one thread that relays, as ours has.
    pub(crate) fn coturn(log: &str) -> anyhow::Result<Self> {
        Self::start(log, |port| {
            let file = folder().join("turnserver.conf");
            fs::write(&file, coturn(port))?;
            let mut command = Command::new("turnserver");
            command.arg("-c").arg(&file);
            Ok(command)
        })
    }

    fn start(log: &str, command: impl FnOnce(u16) -> anyhow::Result<Command>) -> anyhow::Result<Self> {
        let port = PORTS.step_by(2).find(|port| is_free(*port)).context("no free port for a server")?;
        let mut command = command(port)?;
        let log = folder().join(log);
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let process = command.spawn().with_context(|| format!("cannot start {}", log.display()))?;
        let mut serving = Self { process, address: (Ipv4Addr::LOCALHOST, port).into(), log };
        serving.wait_until_it_answers()?;
        Ok(serving)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of_process(self.process.id())
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> anyhow::Result<String> {
        fs::read_to_string(&self.log).with_context(|| self.log.display().to_string())
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let give_up = Instant::now() + Duration::from_secs(10);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        while Instant::now() < give_up {
            if let Some(status) = self.process.try_wait()? {
                bail!("it ended at once ({status}); see {}", self.log.display());
            }
            socket.send_to(&BINDING_REQUEST, self.address)?;
            if socket.recv(&mut [0; 512]).is_ok() {
                return Ok(());
            }
        }
        bail!("it does not answer; see {}", self.log.display())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about that here.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Peers on loopback are forbidden by default, and rightly: only a test may allow them.
fn coturn(port: u16) -> String {
    let folder = folder();
    let folder = folder.display();
    format!(
        "lt-cred-mech\n\
         user={USER}:{PASSWORD}\n\
         realm={REALM}\n\
         listening-ip=127.0.0.1\n\
         relay-ip=127.0.0.1\n\
         listening-port={port}\n\
         min-port=49152\n\
         max-port=65535\n\
         relay-threads=1\n\
         no-tls\n\
         no-dtls\n\
         allow-loopback-peers\n\
         no-cli\n\
         pidfile={folder}/pid\n\
         userdb={folder}/users\n\
         log-file=stdout\n\
         simple-log\n"
    )
}

/// coturn takes the next one too.
fn is_free(port: u16) -> bool {
    (port..=port + 1).all(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}

/// Where servers have their files.
pub(crate) fn folder() -> PathBuf {
    host::target().join("relay-bench")
}

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "swordfish";
const REALM: &str = "floe.test";

/// Below those of relayed addresses, and beside those that the system chooses.
const PORTS: std::ops::Range<u16> = 31_000..31_100;

/// Type, no attributes, the cookie, some transaction id.
const BINDING_REQUEST: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xA4\x42relay--bench";
