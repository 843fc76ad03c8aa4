//! coturn's client against our server: it counts what comes back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::host::{self, Running};

use super::server::{PASSWORD, Server, TLS, USER, folder};

/// One way of asking.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    arguments: &'static [&'static str],
    over_tls: bool,
    v6: bool,
}

/// By indications (`-s`), for this client draws its channels from all of 0x4000 to 0x7FFF, as RFC 5766 had them, and RFC 8656
/// §12 has left it the first quarter.
pub(crate) const CASES: &[Case] = &[
    Case { name: "over UDP", arguments: &[], over_tls: false, v6: false },
    Case { name: "over UDP, IPv6", arguments: &["-x"], over_tls: false, v6: true },
    Case { name: "over TCP", arguments: &["-t"], over_tls: false, v6: false },
    Case { name: "over TLS", arguments: &["-t", "-S"], over_tls: true, v6: false },
    // Its echo server has no TCP, so that clients talk to each other.
    Case { name: "relaying TCP", arguments: &["-T", "-y"], over_tls: false, v6: false },
    Case { name: "with DONT-FRAGMENT", arguments: &["-g"], over_tls: false, v6: false },
    Case { name: "moving", arguments: &["-M"], over_tls: false, v6: false },
];

impl Case {
    pub(crate) fn run(&self, server: &Server) -> anyhow::Result<String> {
        let address = if self.v6 { server.v6() } else { server.v4() };
        let port = address.port() + if self.over_tls { TLS } else { 0 };
        let mut command = Command::new("turnutils_uclient");
        command.args(["-s", "-c", "-u", USER, "-w", PASSWORD, "-n", "20", "-m", "2", "-l", "300"]);
        let peer = Peer::start()?;
        command.args(["-e", &address.ip().to_string(), "-r", &peer.port.to_string()]);
        command.args(self.arguments).args(["-p", &port.to_string(), &address.ip().to_string()]);
        let log = folder().join(format!("uclient-{}.log", self.name.replace([' ', ','], "-")));
        let told = host::told_within(command, Duration::from_secs(40), &log)?;
        let lost = number_behind(&told, "Total lost packets")
            .with_context(|| format!("it counted nothing; see {}", log.display()))?;
        ensure!(lost == 0, "it lost {lost} packets; see {}", log.display());
        let received = number_behind(&told, "tot_recv_msgs=").unwrap_or_default();
        ensure!(received > 0, "it received nothing; see {}", log.display());
        Ok(format!("{received} came back"))
    }
}

/// coturn's echo server; dropped, it ends.
struct Peer {
    _process: Running,
    port: u16,
}

impl Peer {
    fn start() -> anyhow::Result<Self> {
        let is_free = |port: &u16| {
            UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
                && UdpSocket::bind((Ipv6Addr::LOCALHOST, *port)).is_ok()
        };
        let port = PEER_PORTS.into_iter().find(is_free).context("no free port for an echo server")?;
        let mut command = Command::new("turnutils_peer");
        command.args(["-L", "127.0.0.1", "-L", "::1", "-p", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Running(command.spawn().context("cannot start turnutils_peer")?);
        let peer = Self { _process: process, port };
        peer.wait_until_it_answers()?;
        Ok(peer)
    }

    fn wait_until_it_answers(&self) -> anyhow::Result<()> {
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let socket = UdpSocket::bind((ip, 0))?;
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            let give_up = Instant::now() + Duration::from_secs(5);
            loop {
                // Refused as long as nobody listens.
                let _ = socket.send_to(b"hello", (ip, self.port));
                if socket.recv(&mut [0; 100]).is_ok() {
                    break;
                }
                ensure!(Instant::now() < give_up, "turnutils_peer does not answer at {ip}");
            }
        }
        Ok(())
    }
}

const PEER_PORTS: std::ops::Range<u16> = 61_000..61_100;

/// The last number that stands behind these words.
fn number_behind(text: &str, words: &str) -> Option<u64> {
    let (_, behind) = text.rsplit_once(words)?;
    let number: String = behind.trim_start().chars().take_while(char::is_ascii_digit).collect();
    number.parse().ok()
}
