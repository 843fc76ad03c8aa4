//! A STUN and TURN server as a value (RFC 8489, RFC 8656): for `floe demo` and `floe serve`, for tests, for
//! embedding.
//!
//! # The model
//!
//! A [`Server`] hears clients on the sockets it was told of. It tells anyone who asks what their address is
//! (Binding). A user of its realm can have an *allocation*: a socket of their own on one of the relay's addresses,
//! which the host is asked to open ([`Need::Udp`](floe_stun::Need::Udp)). What the client sends through it comes
//! out there, and what peers send there comes to the client, as long as the client has given those peers a
//! *permission*. A *channel* is a permission with a short name for the peer.
//!
//! Three rules explain most of what it does:
//!
//! - **Nothing is kept for strangers.** Nonces carry their own proof, a refused request leaves no trace but a
//!   count, and an answer to someone who has proven nothing is small and rationed
//!   ([`Limits::unauthenticated_per_second`]).
//! - **Everything has an end and a limit.** Allocations last until they are not refreshed, permissions 300 s,
//!   channels 600 s; what one user may hold stands in [`Limits`].
//! - **Data passes through.** A relayed datagram is looked up, counted and handed back as a
//!   [`Forward`](floe_stun::Forward): the received bytes and the header they need. Nothing is queued, copied or
//!   allocated for it, and it costs the same among a thousand allocations as alone.
//!
//! # Running it
//!
//! ```
//! use floe_stun::{BindingClient, Input, Instant, MAX_TRANSMIT, Machine, Output, Received, SocketId};
//! use floe_turn_server::{Config, Server};
//!
//! let config = Config::new("example.org")
//!     .with_relay("192.0.2.1".parse().unwrap())
//!     .with_user("alice", "correct horse battery staple");
//! let mut server = Server::new(Instant::ORIGIN, config, [7; 32]);
//! server.listen(SocketId(0), "192.0.2.1:3478".parse().unwrap());
//! # let mut client = BindingClient::new(Instant::ORIGIN, SocketId(9), "192.0.2.1:3478".parse().unwrap(), [1; 32]);
//! # let mut request = [0; MAX_TRANSMIT];
//! # let Output::Transmit(request) = client.poll_output(&mut request) else { panic!() };
//! # let (from, data, mut answers) = ("203.0.113.5:40000".parse().unwrap(), request.bytes, 0);
//!
//! // A datagram came from a client, or from a peer on a relayed socket.
//! match server.handle_input(Instant::ORIGIN, Input::Datagram { socket: SocketId(0), from, data }) {
//!     Received::App(forward) => {
//!         // Send plan.header(), data and plan.trailer() from plan.socket() to plan.to().
//!         let (_plan, _data) = (forward.plan, forward.data);
//!     }
//!     _verdict => {} // counted in server.stats()
//! }
//! let mut buf = [0; MAX_TRANSMIT];
//! loop {
//!     match server.poll_output(&mut buf) {
//!         Output::Transmit(_answer) => answers += 1,
//!         Output::Need(_request) => {}    // open or close a relayed socket
//!         Output::Event(event) => println!("{event:?}"),
//!         Output::Wait { .. } | Output::Idle => break,
//!     }
//! }
//! assert_eq!(answers, 1);
//! ```
//!
//! # More than one relayed address
//!
//! A client may ask for an IPv4 and an IPv6 address at once (ADDITIONAL-ADDRESS-FAMILY): one allocation has both, each with
//! its own time, permissions and channels. It may ask for an even port and have the next one kept for another allocation
//! of the same user (EVEN-PORT, RESERVATION-TOKEN). Where one of two families is not to be had, it gets the other and hears why.
//!
//! # Clients that move
//!
//! A client that asks for a ticket may come back from another address and go on with its allocation (RFC 8016): the old
//! address serves until data comes from the new one, which is told by [`Event::Moved`]. If its stream ends, the allocation
//! stays until its time is up.
//!
//! # Two addresses of the server
//!
//! A server with two IP addresses can help its clients to find out how their NATs map and filter (RFC 5780): the host
//! lets it listen on the four corners of an [`AddressPair`], and calls [`Server::serve_discovery`].
//!
//! # Streams
//!
//! A client may come over TCP or TLS: the host accepts its stream, cuts it, and says so by [`Server::accept`]. Such a
//! client may have TCP connections to peers too (RFC 6062). The host opens and accepts them without reading
//! ([`Need::Listen`](floe_stun::Need::Listen), [`Need::Connect`](floe_stun::Need::Connect)) until the client has brought a
//! stream of its own for each; from [`Need::Join`](floe_stun::Need::Join) on the bytes pass by the server.
//!
//! # Users
//!
//! Passwords stand in the [`Config`], or are made for a limited time of a secret that another server shares
//! ([`Config::with_secret`]), or are known to the host, which is asked by [`Event::Lookup`] and answers by
//! [`Server::found`]: requests wait meanwhile, and only those whose sender can be reached where it claims to be.
//!
//! # Going off duty
//!
//! [`Server::drain`] takes no new clients and names other servers to them; the host closes this one when it
//! [is idle](Server::is_idle), or when it has waited long enough.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod address_pair;
mod allocate;
mod allocation;
mod answer;
mod auth;
mod bandwidth;
mod behaviour;
mod channel;
mod config;
mod connections;
mod event;
mod inbound;
mod limits;
mod lookup;
mod mobility;
mod network;
mod own;
mod permission;
mod policy;
mod ports;
mod quota;
mod rate;
mod relay;
mod report;
mod reservation;
mod server;
mod table;

pub use address_pair::{AddressPair, AddressPairError};
pub use config::{Config, Users};
pub use event::{Event, Relayed, Released, Stats};
pub use limits::Limits;
pub use lookup::{LookupId, Wanted};
pub use network::{Network, NetworkError};
pub use policy::PeerPolicy;
pub use server::Server;
