//! What refusals the operator hears of: some a second, however many there are.

use core::net::SocketAddr;

use floe_stun::attribute::{Attribute, ErrorCode, XorPeerAddress};
use floe_stun::{Authenticated, Instant, Message};

use crate::Event;
use crate::answer::Refusal;
use crate::auth::User;
use crate::server::{Queued, Server};

/// Reports of the current second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reports {
    second: u64,
    told: u32,
}

impl Reports {
    /// Counts one more, if there is room for it.
    fn admit(&mut self, now: Instant) -> bool {
        let second = now.as_nanos() / 1_000_000_000;
        if self.second != second {
            *self = Self { second, told: 0 };
        }
        self.told = self.told.saturating_add(1);
        self.told <= PER_SECOND
    }
}

impl Server {
    /// Somebody showed credentials, and they were wrong. Who shows none only asks for the challenge.
    pub(crate) fn report_login(&mut self, client: SocketAddr, message: &Message<'_>, why: &Refusal) {
        if message.has_integrity() && code(why) == Some(ErrorCode::UNAUTHENTICATED.code) {
            self.report(Event::LoginFailed { client });
        }
    }

    /// A user wanted a peer that may not be relayed to.
    pub(crate) fn report_peer(
        &mut self,
        client: SocketAddr,
        user: &User,
        request: &Authenticated<Message<'_>>,
        why: &Refusal,
    ) {
        if code(why) != Some(ErrorCode::FORBIDDEN.code) {
            return;
        }
        let peers = request.attributes().filter(|raw| raw.kind == XorPeerAddress::TYPE);
        let mut peers = peers.filter_map(|raw| XorPeerAddress::decode(raw.value, request.id()).ok());
        let first = peers.next();
        let forbidden = first.into_iter().chain(peers).find(|peer| !self.terms.peers.allows(peer.0.ip()));
        if let Some(XorPeerAddress(peer)) = forbidden.or(first) {
            let user = user.name.clone();
            self.report(Event::PeerRefused { client, peer, user });
        }
    }

    fn report(&mut self, event: Event) {
        if self.reports.admit(self.now) {
            self.outbox.push_back(Queued::Event(event));
        }
    }
}

const fn code(why: &Refusal) -> Option<u16> {
    match why {
        Refusal::Code(code) | Refusal::Challenge(code) => Some(code.code),
        Refusal::Unknown(_) | Refusal::Elsewhere(..) => None,
    }
}

/// Enough to see what is wrong, too few to fill a disk.
const PER_SECOND: u32 = 10;
