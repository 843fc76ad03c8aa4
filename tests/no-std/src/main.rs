//! A program without a standard library that uses the crates of levels 0 to 2. That it links is the proof.
#![no_std]
#![no_main]

extern crate alloc;

mod memory;

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use floe_ice_agent::{ComponentId, IceAgent, Role, StreamId};
use floe_sdp::CandidateLine;
use floe_stun::{BindingClient, Input, Instant, MAX_TRANSMIT, Machine, Output, Password, Received, SocketId};
use floe_turn_client::{Client, Credentials};
use floe_turn_server::Server;

const SOCKET: SocketId = SocketId(1);
const SEED: [u8; 32] = [7; 32];

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3478);
    live(BindingClient::new(Instant::ORIGIN, SOCKET, from, SEED), from);
    live(turn_client(from), from);
    live(turn_server(from), from);
    live(agent(from), from);
    loop {}
}

/// All that a machine can do hangs on its two doors; what comes in must not be known to the compiler.
fn live<M: Machine>(mut machine: M, from: SocketAddr) {
    let (mut buf, datagram) = ([0; MAX_TRANSMIT], black_box([0; 512]));
    loop {
        let input = Input::Datagram { socket: SOCKET, from, data: &datagram };
        let is_dropped = matches!(machine.handle_input(Instant::ORIGIN, input), Received::Dropped(_));
        let until = match machine.poll_output(&mut buf) {
            Output::Wait { until, .. } => until,
            Output::Idle => return,
            _ => black_box(Instant::ORIGIN),
        };
        let is_consumed = matches!(machine.handle_input(until, Input::Timeout), Received::Consumed);
        black_box((is_dropped, is_consumed));
    }
}

fn turn_client(server: SocketAddr) -> Client {
    let credentials = Credentials::new("alice", Password::new("open sesame"));
    Client::new(Instant::ORIGIN, floe_turn_client::Config::new(SOCKET, server, credentials), SEED)
}

fn turn_server(local: SocketAddr) -> Server {
    let config = floe_turn_server::Config::new("example.org").with_relay(local.ip());
    let mut server = Server::new(Instant::ORIGIN, config.with_user("alice", "open sesame"), SEED);
    server.listen(SOCKET, local);
    server
}

fn agent(local: SocketAddr) -> IceAgent {
    let mut config = floe_ice_agent::Config::new(Role::Controlling);
    if let Ok(uri) = "turn:192.0.2.1".parse() {
        config = config.with_server(floe_ice_agent::Server::turn(uri, "alice", "open sesame"));
    }
    let mut agent = IceAgent::new(Instant::ORIGIN, config, SEED);
    black_box(agent.add_socket(Instant::ORIGIN, ComponentId::FIRST, SOCKET, local).is_ok());
    agent.gather(Instant::ORIGIN);
    let line = CandidateLine::parse("candidate:1 1 udp 2130706431 192.0.2.2 50312 typ host");
    if let Ok(line) = black_box(line) {
        black_box(&agent.add_remote_candidate(Instant::ORIGIN, StreamId(0), &line));
    }
    agent
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

#[global_allocator]
static HEAP: Bump = Bump { used: AtomicUsize::new(0) };

static mut ARENA: [u8; 1 << 20] = [0; 1 << 20];

/// Gives bytes from the front of one arena and takes none back.
struct Bump {
    used: AtomicUsize,
}

// SAFETY: every call gives a region of the arena that no other call gives, aligned as asked, or null.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let room = layout.size() + layout.align();
        let start = self.used.fetch_add(room, Ordering::Relaxed);
        if start + room > 1 << 20 {
            return ptr::null_mut();
        }
        let arena = &raw mut ARENA;
        let free = arena.cast::<u8>().wrapping_add(start);
        free.wrapping_add(free.align_offset(layout.align()))
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
