//! A TURN server on loopback, coturn or ours, with the same ports, users and certificate; ended with the checks.

use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use floe_stun::Password;
use floe_stun::credentials::{Credentials, rest};
use floe_tokio::Tls;

use crate::host::{self, Running, cargo};

/// What a group of cases needs of a server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Users have passwords for a limited time.
    pub(crate) rest: bool,
    /// One user has two allocations at most.
    pub(crate) quota: bool,
    /// Clients may move.
    pub(crate) mobility: bool,
    /// Nonces live for two seconds.
    pub(crate) stale: bool,
}

/// A running server; dropped, it ends.
#[derive(Debug)]
pub(crate) struct Server {
    kind: Kind,
    options: Options,
    process: Running,
    port: u16,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Coturn,
    Floe,
}

impl Server {
    pub(crate) fn coturn(options: Options) -> anyhow::Result<Self> {
        Self::start(Kind::Coturn, options, free_ports()?)
    }

    pub(crate) fn floe(options: Options) -> anyhow::Result<Self> {
        Self::start(Kind::Floe, options, free_ports()?)
    }

    fn start(kind: Kind, options: Options, port: u16) -> anyhow::Result<Self> {
        let mut command = match kind {
            Kind::Coturn => coturn(options, port)?,
            Kind::Floe => floe(options, port),
        };
        let log = File::create(folder().join(format!("{kind:?}.log").to_lowercase()))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = Running(command.spawn().with_context(|| format!("cannot start {kind:?}"))?);
        let mut server = Self { kind, options, process, port };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    /// Ends it as a crash would, and starts another one on the same ports, which knows nothing of the clients of the first.
    pub(crate) fn restart(mut self) -> anyhow::Result<Self> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        Self::start(self.kind, self.options, self.port)
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self.kind {
            Kind::Coturn => "coturn",
            Kind::Floe => "floe serve",
        }
    }

    /// How much goes through a TCP connection to a peer at once: coturn hangs up where one side does not keep pace.
    pub(crate) const fn stream_bytes(&self) -> usize {
        match self.kind {
            Kind::Coturn => 300_000,
            Kind::Floe => 3_000_000,
        }
    }

    pub(crate) fn v4(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn v6(&self) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn tls(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port + TLS).into()
    }

    /// Whom to be to be let in.
    pub(crate) fn credentials(&self) -> anyhow::Result<Credentials> {
        if self.options.rest {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
            return Ok(rest::Secret::new(SECRET).credentials(USER, now + Duration::from_secs(60)));
        }
        Ok(Credentials::new(USER, Password::new(PASSWORD)))
    }

    /// Trusts its certificate.
    pub(crate) fn trust() -> anyhow::Result<Tls> {
        Ok(Tls::no_roots()?.trusting(&fs::read(folder().join("certificate.pem"))?)?)
    }

    fn wait_until_it_listens(&mut self) -> anyhow::Result<()> {
        let give_up = Instant::now() + Duration::from_secs(10);
        let asked = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        asked.set_read_timeout(Some(Duration::from_millis(50)))?;
        while Instant::now() < give_up {
            if let Some(status) = self.process.0.try_wait()? {
                bail!("{} ended at once ({status}); see {}", self.name(), folder().display());
            }
            asked.send_to(&BINDING_REQUEST, self.v4())?;
            let answers = asked.recv(&mut [0; 512]).is_ok();
            if answers && TcpStream::connect(self.v4()).is_ok() && TcpStream::connect(self.tls()).is_ok() {
                return Ok(());
            }
        }
        bail!("{} does not listen; see {}", self.name(), folder().display())
    }
}

/// Makes what all servers share: a folder, a certificate, our program.
pub(crate) fn prepare() -> anyhow::Result<()> {
    fs::create_dir_all(folder())?;
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).context("no certificate")?;
    fs::write(folder().join("certificate.pem"), made.cert.pem())?;
    fs::write(folder().join("key.pem"), made.signing_key.serialize_pem())?;
    host::run(cargo().args(["build", "--quiet", "--package", "floe-cli"]))
}

fn floe(options: Options, port: u16) -> Command {
    let mut command = Command::new(host::target().join("debug/floe"));
    command.args(["serve", "--json", "--allow-loopback-peers", "--realm", REALM]);
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--listen", &format!("[::1]:{port}")]);
    command.args(["--tls-listen", &format!("127.0.0.1:{}", port + TLS)]);
    command.arg("--certificate").arg(folder().join("certificate.pem"));
    command.arg("--key").arg(folder().join("key.pem"));
    match options.rest {
        true => command.args(["--secret", SECRET]),
        false => command.args(["--user", &format!("{USER}:{PASSWORD}")]),
    };
    if options.quota {
        command.args(["--max-allocations-per-user", "2"]);
    }
    if options.stale {
        command.args(["--nonce-lifetime", "2"]);
    }
    command
}

fn coturn(options: Options, port: u16) -> anyhow::Result<Command> {
    let file = folder().join("turnserver.conf");
    fs::write(&file, configuration(options, port, &folder()))?;
    let mut command = Command::new("turnserver");
    command.arg("-c").arg(&file);
    Ok(command)
}

/// Peers on loopback are forbidden by default, and rightly: only a test may allow them.
fn configuration(options: Options, port: u16, folder: &Path) -> String {
    let folder = folder.display();
    let [alternative, tls, tls_alternative] = [port + 1, port + TLS, port + TLS + 1];
    let users = match options.rest {
        true => format!("use-auth-secret\nstatic-auth-secret={SECRET}\n"),
        false => format!("lt-cred-mech\nuser={USER}:{PASSWORD}\n"),
    };
    let quota = if options.quota { "user-quota=2\n" } else { "" };
    let mobility = if options.mobility { "mobility\n" } else { "" };
    let stale = if options.stale { "stale-nonce=2\n" } else { "" };
    format!(
        "{users}{quota}{mobility}{stale}\
         listening-ip=127.0.0.1\n\
         listening-ip=::1\n\
         relay-ip=127.0.0.1\n\
         relay-ip=::1\n\
         listening-port={port}\n\
         alt-listening-port={alternative}\n\
         tls-listening-port={tls}\n\
         alt-tls-listening-port={tls_alternative}\n\
         min-port=61700\n\
         max-port=61999\n\
         cert={folder}/certificate.pem\n\
         pkey={folder}/key.pem\n\
         realm={REALM}\n\
         allow-loopback-peers\n\
         no-cli\n\
         pidfile={folder}/pid\n\
         userdb={folder}/users\n\
         log-file=stdout\n\
         simple-log\n"
    )
}

/// The first of four ports that are free.
fn free_ports() -> anyhow::Result<u16> {
    let is_free = |port: u16| {
        let address = (Ipv4Addr::LOCALHOST, port);
        UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
    };
    let first = PORTS.step_by(4).find(|first| (*first..first + 4).all(is_free));
    first.context("no free ports for a server")
}

/// Where servers have their files.
pub(crate) fn folder() -> PathBuf {
    host::target().join("relay")
}

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "swordfish";
const SECRET: &str = "north";
const REALM: &str = "floe.test";

/// The name in the certificate.
pub(crate) const NAME: &str = "turn.floe.test";

/// How far TLS is from the plain port.
pub(crate) const TLS: u16 = 2;

/// Behind those of the other checks.
const PORTS: std::ops::Range<u16> = 61_500..61_700;

/// Type, no attributes, the cookie, some transaction id.
const BINDING_REQUEST: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xA4\x42relay--tests";
