//! The names of things: never reused within a network.

/// A host of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) u32);

/// A NAT or stateful firewall of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatId(pub(crate) u32);

/// Whatever has a link of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A host and its access link.
    Host(HostId),
    /// A NAT and its uplink.
    Nat(NatId),
}

impl From<HostId> for Node {
    fn from(host: HostId) -> Self {
        Self::Host(host)
    }
}

impl From<NatId> for Node {
    fn from(nat: NatId) -> Self {
        Self::Nat(nat)
    }
}

/// Where an address is known: each place is an address space of its own (RFC 4787 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The network all others hang on.
    Public,
    /// The private network of a NAT.
    Behind(NatId),
}
