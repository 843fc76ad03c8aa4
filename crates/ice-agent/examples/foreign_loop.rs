//! Two agents in one plain loop: blocking `std::net` sockets, no async, no other crate.
//!
//! `cargo run -p floe-ice-agent --example foreign_loop`
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a host owns the clock, the sockets and the terminal"
)]

use std::net::UdpSocket;
use std::time::{Duration, Instant as Clock};

use floe_ice_agent::{ComponentId, Config, ConnectionState, Event, IceAgent, Role, StreamId};
use floe_stun::{Input, Instant, MAX_TRANSMIT, Machine, Output, Received, SocketId};

fn main() -> std::io::Result<()> {
    let start = Clock::now();
    let now = || Instant::from_duration(start.elapsed());

    // A real host draws each seed from its operating system and knows its peer only through signalling.
    let mut alice = Host::new(Role::Controlling, [1; 32], now())?;
    let mut bob = Host::new(Role::Controlled, [2; 32], now())?;
    alice
        .agent
        .set_remote_credentials(now(), bob.agent.local_credentials().clone(), false)
        .expect("well-formed");
    bob.agent
        .set_remote_credentials(now(), alice.agent.local_credentials().clone(), false)
        .expect("well-formed");

    while !(alice.is_connected() && bob.is_connected()) {
        for line in alice.turn(now())? {
            bob.agent.add_remote_candidate(now(), StreamId(0), &line.parse().expect("our own line"));
        }
        for line in bob.turn(now())? {
            alice.agent.add_remote_candidate(now(), StreamId(0), &line.parse().expect("our own line"));
        }
    }

    alice.send(now(), b"hello through the path")?;
    while bob.heard.is_empty() {
        bob.turn(now())?;
    }
    println!("bob heard: {}", String::from_utf8_lossy(&bob.heard));
    Ok(())
}

/// An agent with the one socket that its host has bound for it.
struct Host {
    agent: IceAgent,
    socket: UdpSocket,
    heard: Vec<u8>,
}

const SOCKET: SocketId = SocketId(0);

impl Host {
    fn new(role: Role, seed: [u8; 32], now: Instant) -> std::io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let mut agent = IceAgent::new(now, Config::new(role).with_loopback(true), seed);
        agent.add_socket(now, ComponentId::FIRST, SOCKET, socket.local_addr()?).expect("a fresh socket");
        agent.gather(now);
        Ok(Self { agent, socket, heard: Vec::new() })
    }

    /// Carries out what the agent wants, then waits for a datagram or for the agent's deadline.
    ///
    /// Returns the candidate lines that the peer must be told.
    fn turn(&mut self, now: Instant) -> std::io::Result<Vec<String>> {
        let (mut lines, mut buf) = (Vec::new(), [0; MAX_TRANSMIT]);
        let wait = loop {
            match self.agent.poll_output(&mut buf) {
                Output::Transmit(t) => drop(self.socket.send_to(t.bytes, t.to)?),
                Output::Event(Event::Candidate(candidate)) => lines.push(candidate.to_string()),
                Output::Event(event) => println!("{now} {:?} {event:?}", self.agent.role()),
                Output::Need(need) => println!("not needed here: {need:?}"),
                Output::Wait { until, .. } => break until - now,
                Output::Idle => break Duration::from_secs(1),
            }
        };
        // Both hosts share this thread, so neither waits longer than a moment.
        self.socket.set_read_timeout(Some(wait.clamp(Duration::from_micros(1), Duration::from_millis(1))))?;
        let input = match self.socket.recv_from(&mut buf) {
            Ok((len, from)) => Input::Datagram { socket: SOCKET, from, data: &buf[..len] },
            Err(_) => Input::Timeout,
        };
        if let Received::App(app) = self.agent.handle_input(now, input) {
            self.heard.extend(app.bytes);
        }
        Ok(lines)
    }

    /// Writes the application's bytes once, behind the room for a relay's header.
    fn send(&mut self, now: Instant, data: &[u8]) -> std::io::Result<()> {
        let plan = self.agent.send_plan(now, ComponentId::FIRST, data.len()).expect("connected");
        let mut packet = vec![0; plan.packet_len()];
        packet[plan.headroom()..][..data.len()].copy_from_slice(data);
        plan.wrap(&mut packet);
        self.socket.send_to(&packet, plan.to()).map(drop)
    }

    fn is_connected(&self) -> bool {
        matches!(self.agent.state(), ConnectionState::Connected | ConnectionState::Completed)
    }
}
