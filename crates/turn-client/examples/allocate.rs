//! Asks a TURN server for a relayed address, says which, and gives it back.
//!
//! ```text
//! cargo run -p floe-turn-client --example allocate -- 192.0.2.1:3478 alice 'open sesame'
//! ```
//!
//! This is a whole host: a socket, a clock, a seed, and the loop between them and the client.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a host owns the socket, the clock and the terminal"
)]

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant as Clock};

use floe_stun::{Input, Instant, MAX_TRANSMIT, Machine, Output, Password, SocketId};
use floe_turn_client::{Client, Config, Credentials, Event};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(user), Some(password)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: allocate SERVER:PORT USER PASSWORD".into());
    };
    let server: SocketAddr = server.parse()?;
    let config = Config::new(SocketId(0), server, Credentials::new(user, Password::new(password)));

    let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    let start = Clock::now();
    let now = || Instant::from_duration(start.elapsed());
    let mut client = Client::new(now(), config, seed()?);

    let (mut out, mut packet) = ([0; MAX_TRANSMIT], [0; 65_536]);
    loop {
        match client.poll_output(&mut out) {
            Output::Transmit(datagram) => drop(socket.send_to(datagram.bytes, datagram.to)?),
            Output::Event(Event::Allocated { relayed, mapped, lifetime, .. }) => {
                println!("relayed address {relayed}, for {} s; seen as {mapped}", lifetime.as_secs());
                client.release(now());
            }
            Output::Event(Event::Failed(why)) => return Err(why.to_string().into()),
            Output::Event(Event::Released) => {
                println!("released");
                return Ok(());
            }
            Output::Event(other) => println!("{other:?}"),
            Output::Wait { until, .. } => {
                // A timeout of zero would mean "for ever".
                socket.set_read_timeout(Some((until - now()).max(Duration::from_millis(1))))?;
                let input = match socket.recv_from(&mut packet) {
                    Ok((len, from)) => {
                        let data = packet.get(..len).unwrap_or_default();
                        Input::Datagram { socket: SocketId(0), from, data }
                    }
                    Err(error) if is_timeout(&error) => Input::Timeout,
                    Err(error) => return Err(error.into()),
                };
                let _ = client.handle_input(now(), input);
            }
            Output::Need(_) | Output::Idle => return Err("nothing left to do".into()),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// 32 bytes of the system's entropy.
fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}
