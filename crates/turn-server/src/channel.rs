//! Short names for peers (RFC 8656 §12).
//!
//! ```text
//!   free ──ChannelBind──▶ bound ──600 s without ChannelBind──▶ free
//!                          ▲  │
//!                          └──┘ ChannelBind of the same number and peer
//! ```

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{ChannelNumberAttribute, ErrorCode, Family, XorPeerAddress};
use floe_stun::{Authenticated, ChannelNumber, Instant, Message};

use crate::allocation::{Allocation, Terms};
use crate::answer::{Body, Refusal};
use crate::own::Own;

/// The channels of one allocation. One that has ended counts for nothing, and is forgotten when another comes.
///
/// Both lists are sorted by their first: a packet finds its channel in one place of memory, which counts among many
/// allocations.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    by_number: Vec<Binding>,
    /// The same bindings, by the other end.
    by_peer: Vec<(SocketAddr, ChannelNumber)>,
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    number: ChannelNumber,
    peer: SocketAddr,
    until: Instant,
}

impl Channels {
    /// The peer of a channel that is bound.
    pub(crate) fn peer(&self, now: Instant, number: ChannelNumber) -> Option<SocketAddr> {
        self.find(number).filter(|binding| now < binding.until).map(|binding| binding.peer)
    }

    /// The channel that is bound to a peer.
    pub(crate) fn number(&self, now: Instant, peer: SocketAddr) -> Option<ChannelNumber> {
        let number = self.find_peer(peer)?;
        self.peer(now, number).map(|_| number)
    }

    fn find(&self, number: ChannelNumber) -> Option<&Binding> {
        let place = self.by_number.binary_search_by_key(&number, |binding| binding.number).ok()?;
        self.by_number.get(place)
    }

    fn find_peer(&self, peer: SocketAddr) -> Option<ChannelNumber> {
        let place = self.by_peer.binary_search_by_key(&peer, |(peer, _)| *peer).ok()?;
        self.by_peer.get(place).map(|(_, number)| *number)
    }

    /// Those of peers of this family are gone.
    pub(crate) fn forget(&mut self, family: Family) {
        self.retain(|binding| Family::of(binding.peer.ip()) != family);
    }

    fn forget_ended(&mut self, now: Instant) {
        self.retain(|binding| now < binding.until);
    }

    fn retain(&mut self, keep: impl Fn(&Binding) -> bool) {
        let Self { by_number, by_peer } = self;
        by_number.retain(&keep);
        by_peer
            .retain(|(_, number)| by_number.binary_search_by_key(number, |binding| binding.number).is_ok());
    }

    /// Whether each end is free, or bound to the other.
    fn can_bind(&self, number: ChannelNumber, peer: SocketAddr) -> bool {
        self.find(number).is_none_or(|binding| binding.peer == peer)
            && self.find_peer(peer).is_none_or(|bound| bound == number)
    }

    fn has_room(&self, number: ChannelNumber, limit: usize) -> bool {
        self.find(number).is_some() || self.by_number.len() < limit
    }

    fn bind(&mut self, now: Instant, number: ChannelNumber, peer: SocketAddr) {
        let binding = Binding { number, peer, until: now + LIFETIME };
        match self.by_number.binary_search_by_key(&number, |binding| binding.number) {
            Ok(place) => self.by_number.get_mut(place).into_iter().for_each(|bound| *bound = binding),
            Err(place) => {
                // Most allocations have one or two: no room is kept for more.
                self.by_number.reserve_exact(1);
                self.by_number.insert(place, binding);
            }
        }
        if let Err(place) = self.by_peer.binary_search_by_key(&peer, |(peer, _)| *peer) {
            self.by_peer.reserve_exact(1);
            self.by_peer.insert(place, (peer, number));
        }
    }
}

/// ChannelBind (RFC 8656 §12.2): binds or refreshes, and installs the permission too.
pub(crate) fn bind(
    allocation: &mut Allocation,
    now: Instant,
    terms: &Terms,
    own: &Own,
    request: &Authenticated<Message<'_>>,
) -> Result<Body, Refusal> {
    let number = request.find::<ChannelNumberAttribute>().and_then(|number| ChannelNumber::new(number.0));
    let (Some(number), Some(XorPeerAddress(peer))) = (number, request.find()) else {
        return Err(ErrorCode::BAD_REQUEST.into());
    };
    allocation.channels.forget_ended(now);
    if peer.port() == 0 || !allocation.channels.can_bind(number, peer) {
        return Err(ErrorCode::BAD_REQUEST.into());
    }
    allocation.admit(peer.ip(), terms)?;
    if own.has(peer) {
        return Err(ErrorCode::FORBIDDEN.into());
    }
    if !allocation.channels.has_room(number, terms.limits.channels) {
        return Err(ErrorCode::INSUFFICIENT_CAPACITY.into());
    }
    allocation.permissions.install(now, &[peer.ip()], terms.limits.permissions)?;
    allocation.channels.bind(now, number, peer);
    Ok(Body::Done)
}

/// RFC 8656 §12: "A channel binding lasts for 10 minutes unless refreshed."
const LIFETIME: Duration = Duration::from_secs(600);
