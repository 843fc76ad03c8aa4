//! A virtual network for tests: hosts, links, NATs and firewalls, one clock, one seed.
//!
//! It carries datagrams and knows no protocol, so it can test any. Nothing here asks for time, entropy, sockets
//! or threads: the same seed and the same calls give the same packets at the same nanosecond, on every platform.
//!
//! # The model
//!
//! ```text
//!   alice ──link──┐            ┌──link── nat-a ──uplink──┐
//!                 ├─ nat-a's ──┘                         ├── the public network ──link── server
//!   carol ──link──┘  network        (bob and his NAT) ───┘
//! ```
//!
//! A [`Network`] is a value. It holds *places*: the public network, and one private network behind each NAT.
//! An address means something only in its place, so two homes may both use 192.168.1.2. A *host* has addresses in
//! one or more places, and binds *sockets* to them.
//!
//! A packet crosses the sender's [`Link`], is looked up in the sender's place, and either crosses the link of the
//! host that owns the address there, or goes to the NAT in front of the place, is translated, crosses the NAT's
//! uplink, and is looked up again one place further out. Coming in it goes the same way backwards, if the NAT lets
//! it. NATs stack: one that stands behind another is a home behind a carrier.
//!
//! Four rules explain the rest:
//!
//! - **Time moves only in [`Network::step`]**, to the next packet or to the limit, never further.
//! - **Packets due at the same time arrive in the order in which they were sent off.**
//! - **Every link direction and every NAT draws from its own stream of the seed** (ChaCha8), a fixed number of
//!   values a packet: another host in the world, or another loss on one link, leaves all other draws as they were.
//! - **Every packet leaves one line in the [`Trace`]**, with its fate; nothing vanishes without a reason.
//!
//! Ids belong to the network that gave them. An id from elsewhere names nothing: calls with it do nothing.
//!
//! # Driving it
//!
//! ```
//! use std::net::{IpAddr, SocketAddr};
//! use std::time::Duration;
//!
//! use floe_netsim::{NatBehaviour, Network};
//!
//! let ip = |text: &str| text.parse::<IpAddr>();
//! let mut network = Network::new([7; 32]);
//! let server = network.add_host("server", &[ip("203.0.113.9")?]);
//! let home = network.add_nat("home", ip("198.51.100.1")?, NatBehaviour::symmetric());
//! let alice = network.add_host_behind(home, "alice", &[ip("192.168.1.2")?]);
//!
//! let theirs = network.bind(server, SocketAddr::new(ip("203.0.113.9")?, 3478))?;
//! let ours = network.bind(alice, SocketAddr::new(ip("192.168.1.2")?, 0))?;
//! network.send(ours, theirs.local_addr(), b"where am I?");
//!
//! let limit = Duration::from_secs(1);
//! while let Some(delivery) = network.step(limit) {
//!     if delivery.socket == theirs {
//!         network.send(theirs, delivery.from, delivery.from.to_string().as_bytes());
//!     } else {
//!         assert_eq!(delivery.data, b"198.51.100.1:40000");
//!         assert_eq!(delivery.at, Duration::from_millis(30)); // two hosts' links and one uplink, there and back
//!     }
//! }
//! assert_eq!(network.now(), limit);
//! print!("{}", network.trace());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]

extern crate alloc;

mod chance;
mod forward;
mod host;
mod id;
mod link;
mod nat;
mod network;
mod queue;
mod trace;

pub use host::{BindError, Socket};
pub use id::{HostId, NatId, Node, Place};
pub use link::{Direction, Link};
pub use nat::{Filtering, Hairpin, Mapping, NatBehaviour, PortAllocation, Refresh, Translation};
pub use network::{Delivery, Network};
pub use trace::{Counters, Entry, Fate, Rewrite, Trace};
