//! The data path inwards: what a peer sent, taken out of what the server sent, in place (RFC 8656 §11, §12).

use core::net::SocketAddr;

use floe_stun::attribute::{Data, IcmpAttribute, XorPeerAddress};
use floe_stun::{Dropped, Message};

/// What a peer sent, unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerData<'p> {
    /// Who sent it, as the server saw it.
    pub peer: SocketAddr,
    /// The payload, a sub-slice of the input; may be empty.
    pub data: &'p [u8],
}

/// What a Data indication holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'p> {
    /// A datagram of the peer.
    Data(&'p [u8]),
    /// What the network said of a datagram to the peer.
    Icmp(IcmpAttribute),
}

/// Reads a Data indication. Nobody vouches for it (RFC 8656 §5).
pub(crate) fn read_indication<'p>(message: &Message<'p>) -> Result<(SocketAddr, Content<'p>), Dropped> {
    if message.fingerprint() == Some(false) {
        return Err(Dropped::BadFingerprint);
    }
    if message.unknown_required().next().is_some() {
        return Err(Dropped::UnknownAttribute);
    }
    match message.find_all() {
        (Some(XorPeerAddress(peer)), Some(Data(data)), _) => Ok((plain(peer), Content::Data(data))),
        (Some(XorPeerAddress(peer)), None, Some(icmp)) => Ok((plain(peer), Content::Icmp(icmp))),
        _ => Err(Dropped::MissingAttribute),
    }
}

/// One form for one address: IPv4 is IPv4 even where IPv6 wraps it, and no scope or flow makes a difference.
pub(crate) const fn plain(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
