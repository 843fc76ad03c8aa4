//! A program without a standard library that uses the crates of levels 0 to 2. That it links is the proof.
#![no_std]
#![no_main]

extern crate alloc;

mod memory;

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use floe_stun::attribute::Username;
use floe_stun::{
    BindingClient, Builder, Class, Input, Instant, Key, MAX_TRANSMIT, Machine, Message, Method, SocketId,
};

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    black_box(stun());
    black_box(sdp());
    loop {}
}

fn stun() -> bool {
    let key = Key::short_term("password");
    let mut buf = [0; MAX_TRANSMIT];
    let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, [7; 12].into());
    let Ok(bytes) = builder.attribute(&Username("a:b")).integrity(&key).fingerprint().finish() else {
        return false;
    };
    let verified = Message::decode(bytes).is_ok_and(|message| message.verify(&key).is_ok());
    verified && asks("stun:192.0.2.1")
}

fn asks(server: &str) -> bool {
    let Ok(uri) = server.parse::<floe_stun::Uri>() else { return false };
    let Some(ip) = uri.ip() else { return false };
    let mut client = BindingClient::new(Instant::ORIGIN, SocketId(0), (ip, uri.port()).into(), [7; 32]);
    let _ = client.handle_input(Instant::ORIGIN, Input::Timeout);
    let mut buf = [0; MAX_TRANSMIT];
    matches!(client.poll_output(&mut buf), floe_stun::Output::Transmit(_))
}

fn sdp() -> bool {
    floe_sdp::CandidateLine::parse("candidate:1 1 udp 2130706431 192.0.2.2 50312 typ host").is_ok()
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
