//! Who may send in: IP addresses with an end (RFC 8656 §9, §10).

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use floe_stun::attribute::{Attribute, ErrorCode, Family, XorPeerAddress};
use floe_stun::{Authenticated, Instant, Message};

use crate::allocation::{Allocation, Terms};
use crate::answer::{Body, Refusal};

/// The permissions of one allocation, sorted. One that has ended counts for nothing, and is forgotten when another comes.
#[derive(Debug, Default)]
pub(crate) struct Permissions(Vec<(IpAddr, Instant)>);

impl Permissions {
    /// Installs or refreshes all of these, or none if they do not fit the limit.
    pub(crate) fn install(&mut self, now: Instant, peers: &[IpAddr], limit: usize) -> Result<(), Refusal> {
        self.0.retain(|(_, until)| now < *until);
        let mut new: Vec<_> = peers.iter().filter(|peer| self.find(**peer).is_err()).collect();
        new.sort_unstable();
        new.dedup();
        if self.0.len() + new.len() > limit {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY.into());
        }
        // Most allocations have one or two: no room is kept for more.
        self.0.reserve_exact(new.len());
        self.0.retain(|(peer, _)| !peers.contains(peer));
        for peer in peers {
            if let Err(place) = self.find(*peer) {
                self.0.insert(place, (*peer, now + LIFETIME));
            }
        }
        Ok(())
    }

    /// Those of this family are gone.
    pub(crate) fn forget(&mut self, family: Family) {
        self.0.retain(|(peer, _)| Family::of(*peer) != family);
    }

    pub(crate) fn allow(&self, now: Instant, peer: IpAddr) -> bool {
        let found = self.find(peer).ok().and_then(|place| self.0.get(place));
        found.is_some_and(|(_, until)| now < *until)
    }

    fn find(&self, peer: IpAddr) -> Result<usize, usize> {
        self.0.binary_search_by_key(&peer, |(peer, _)| *peer)
    }
}

/// CreatePermission (RFC 8656 §10.2): all of the addresses, or none.
pub(crate) fn create(
    allocation: &mut Allocation,
    now: Instant,
    terms: &Terms,
    request: &Authenticated<Message<'_>>,
) -> Result<Body, Refusal> {
    let peers = request
        .attributes()
        .filter(|raw| raw.kind == XorPeerAddress::TYPE)
        .map(|raw| XorPeerAddress::decode(raw.value, request.id()).map(|peer| peer.0.ip()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| ErrorCode::BAD_REQUEST)?;
    if peers.is_empty() {
        return Err(ErrorCode::BAD_REQUEST.into());
    }
    for peer in &peers {
        allocation.admit(*peer, terms)?;
    }
    allocation.permissions.install(now, &peers, terms.limits.permissions)?;
    Ok(Body::Done)
}

/// RFC 8656 §9: "The Permission Lifetime MUST be 300 seconds (= 5 minutes)."
const LIFETIME: Duration = Duration::from_secs(300);
