//! coturn on loopback, alone with us: its own ports, its own configuration, ended with the tests.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::peer::logs;
use crate::host::Running;

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "swordfish";

/// Its second address, for RFC 5780.
const ALTERNATE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Above the ports that systems give away by themselves, so that nobody sits there by chance.
const LISTENING_PORTS: std::ops::Range<u16> = 61_200..61_300;
const RELAY_PORTS: std::ops::Range<u16> = 61_300..61_500;

/// A running server; dropped, it ends.
#[derive(Debug)]
pub(crate) struct Coturn {
    process: Running,
    port: u16,
}

impl Coturn {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let (folder, port) = (logs().join("coturn"), free_port()?);
        fs::create_dir_all(&folder)?;
        let file = folder.join("turnserver.conf");
        fs::write(&file, configuration(port, &folder))?;
        let log = File::create(folder.join("log"))?;
        let mut command = Command::new("turnserver");
        command.arg("-c").arg(&file).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = Running(command.spawn().context("cannot start turnserver")?);
        let mut server = Self { process, port };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn stun_uri(&self) -> String {
        format!("stun:{}", self.address())
    }

    pub(crate) fn turn_uri(&self) -> String {
        format!("turn:{}?transport=udp", self.address())
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let give_up = Instant::now() + Duration::from_secs(10);
        while Instant::now() < give_up {
            if let Some(status) = self.process.0.try_wait()? {
                bail!("coturn ended at once ({status}); see {}", logs().join("coturn/log").display());
            }
            socket.send_to(&BINDING_REQUEST, self.address())?;
            if socket.recv(&mut [0; 512]).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("coturn does not answer; see {}", logs().join("coturn/log").display())
    }
}

/// Type, no attributes, the cookie, some transaction id.
const BINDING_REQUEST: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xA4\x42interop-test";

/// The first of two ports that are free on both addresses.
fn free_port() -> anyhow::Result<u16> {
    let is_free =
        |address: (Ipv4Addr, u16)| UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok();
    let both_are_free = |port: &u16| {
        [Ipv4Addr::LOCALHOST, ALTERNATE]
            .into_iter()
            .all(|ip| is_free((ip, *port)) && is_free((ip, *port + 1)))
    };
    LISTENING_PORTS.step_by(2).find(both_are_free).context("no two free ports for coturn")
}

/// Peers on loopback are forbidden by default, and rightly: only a test may allow them.
fn configuration(port: u16, folder: &Path) -> String {
    let (folder, alternate) = (folder.display(), port + 1);
    let (first, last) = (RELAY_PORTS.start, RELAY_PORTS.end - 1);
    format!(
        "listening-ip=127.0.0.1\n\
         listening-ip={ALTERNATE}\n\
         relay-ip=127.0.0.1\n\
         listening-port={port}\n\
         alt-listening-port={alternate}\n\
         min-port={first}\n\
         max-port={last}\n\
         lt-cred-mech\n\
         realm=floe.test\n\
         user={USER}:{PASSWORD}\n\
         allow-loopback-peers\n\
         fingerprint\n\
         no-cli\n\
         no-tls\n\
         no-dtls\n\
         pidfile={folder}/pid\n\
         userdb={folder}/users\n\
         log-file=stdout\n\
         simple-log\n"
    )
}
