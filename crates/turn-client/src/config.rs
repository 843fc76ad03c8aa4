//! What a client is told once: which server, as whom, and how patiently.

use alloc::string::String;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::Family;
use floe_stun::credentials::Credentials;
use floe_stun::{Schedule, SocketId};

/// How to reach a server and what to ask of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The UDP socket to ask from. One socket holds one allocation on one server (RFC 8656 §3.2).
    pub socket: SocketId,
    /// The server.
    pub server: SocketAddr,
    /// As whom.
    pub credentials: Credentials,
    /// Family of the relayed address.
    pub family: Family,
    /// The lifetime to ask for, a hint; the server's word counts (RFC 8656 §7.1).
    pub lifetime: Duration,
    /// When requests go out again and when the server counts as silent.
    pub schedule: Schedule,
    /// What to say of ourselves in Allocate and Refresh (RFC 8656 §5); nothing by default.
    pub software: Option<String>,
}

impl Config {
    /// An IPv4 relayed address for ten minutes at a time, by the schedule of RFC 8489 §6.2.1.
    #[must_use]
    pub const fn new(socket: SocketId, server: SocketAddr, credentials: Credentials) -> Self {
        Self {
            socket,
            server,
            credentials,
            family: Family::Ipv4,
            lifetime: DEFAULT_LIFETIME,
            schedule: Schedule::DEFAULT,
            software: None,
        }
    }
}

/// RFC 8656 §3.2: "the default allocation lifetime is 10 minutes".
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
