//! TCP connections that say nothing, or noise, or begin what they never end.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::relay_bench::client;

/// Keeps so many of them open until it is over, and counts all it has opened.
pub(crate) fn open(server: SocketAddr, over: &AtomicBool) -> usize {
    let mut places: Vec<Option<TcpStream>> = (0..STREAMS).map(|_| None).collect();
    let mut opened = 0;
    while !over.load(Ordering::Relaxed) {
        for (n, place) in (0_u32..).zip(&mut places) {
            if place.is_none() {
                *place = connect(client::address(10, n % ADDRESSES), server).ok();
                opened += usize::from(place.is_some());
            }
            let says: &[u8] = match n % 3 {
                0 => &[],
                1 => &[0xA5; 600],
                // A request of 60,000 bytes that goes on and on.
                _ => b"\x00\x01\xEA\x60",
            };
            // Whoever is thrown out comes again.
            if place.as_mut().is_some_and(|stream| stream.write_all(says).is_err()) {
                *place = None;
            }
        }
        thread::sleep(TURN);
    }
    opened
}

fn connect(from: IpAddr, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SockAddr::from(SocketAddr::new(from, 0)))?;
    socket.connect_timeout(&server.into(), Duration::from_millis(100))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

const STREAMS: u32 = 300;

/// A server may grant each address some streams only.
const ADDRESSES: u32 = 10;

/// Between two rounds through all of them.
const TURN: Duration = Duration::from_millis(50);
