//! coturn with two addresses, IPv6 and a certificate of ours; ended with the checks.

use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rcgen::generate_simple_self_signed;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{OTHER_ADDRESS, folder};
use crate::host::{self, Package, Running, works};

/// The name in the certificate.
pub(super) const NAME: &str = "coturn.floe.test";

/// A running server.
#[derive(Debug)]
pub(super) struct Coturn {
    process: Running,
    pub(super) v4: SocketAddr,
    pub(super) v6: Option<SocketAddr>,
    pub(super) tls: SocketAddr,
    pub(super) certificate: CertificateDer<'static>,
}

impl Coturn {
    pub(super) fn start(has_v6: bool) -> anyhow::Result<Self> {
        host::need(&[PACKAGE])?;
        let (folder, port) = (folder(), free_ports()?);
        let ours = generate_simple_self_signed([NAME.to_owned()]).context("no certificate")?;
        fs::write(folder.join("certificate.pem"), ours.cert.pem())?;
        fs::write(folder.join("key.pem"), ours.signing_key.serialize_pem())?;
        let file = folder.join("turnserver.conf");
        fs::write(&file, configuration(port, has_v6, &folder))?;
        let log = File::create(folder.join("coturn.log"))?;
        let mut command = Command::new("turnserver");
        command.arg("-c").arg(&file).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = Running(command.spawn().context("cannot start turnserver")?);
        let (v4, tls) = ((Ipv4Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port + TLS).into());
        let v6 = has_v6.then(|| (Ipv6Addr::LOCALHOST, port).into());
        let mut server = Self { process, v4, v6, tls, certificate: ours.cert.der().clone() };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    /// The TLS listener is the last to come; UDP is asked again by our client itself.
    fn wait_until_it_listens(&mut self) -> anyhow::Result<()> {
        let log = folder().join("coturn.log");
        let give_up = Instant::now() + Duration::from_secs(10);
        while Instant::now() < give_up {
            if let Some(status) = self.process.0.try_wait()? {
                bail!("coturn ended at once ({status}); see {}", log.display());
            }
            if TcpStream::connect(self.tls).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("coturn does not listen; see {}", log.display())
    }
}

const PACKAGE: Package =
    Package { name: "coturn", is_there: || works(Command::new("turnserver").arg("--version")) };

/// Of four ports in a row: plain, its alternative, TLS, its alternative.
const TLS: u16 = 2;

/// Below those of the interop tests, above those that systems give away by themselves.
const PORTS: std::ops::Range<u16> = 61_100..61_200;

fn free_ports() -> anyhow::Result<u16> {
    let is_free = |port: u16| {
        let address = (Ipv4Addr::LOCALHOST, port);
        UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
    };
    let first = PORTS.step_by(4).find(|first| (*first..first + 4).all(is_free));
    first.context("no free ports for coturn")
}

fn configuration(port: u16, has_v6: bool, folder: &Path) -> String {
    let folder = folder.display();
    let [alternative, tls, tls_alternative] = [port + 1, port + TLS, port + TLS + 1];
    let v6 = if has_v6 { "listening-ip=::1\n" } else { "" };
    format!(
        "listening-ip=127.0.0.1\n\
         listening-ip={OTHER_ADDRESS}\n\
         {v6}\
         relay-ip=127.0.0.1\n\
         listening-port={port}\n\
         alt-listening-port={alternative}\n\
         tls-listening-port={tls}\n\
         alt-tls-listening-port={tls_alternative}\n\
         cert={folder}/certificate.pem\n\
         pkey={folder}/key.pem\n\
         lt-cred-mech\n\
         realm=floe.test\n\
         no-cli\n\
         no-dtls\n\
         pidfile={folder}/pid\n\
         userdb={folder}/users\n\
         log-file=stdout\n\
         simple-log\n"
    )
}
