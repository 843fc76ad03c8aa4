//! Application data on its way through (RFC 8656 §11, §12): looked up, never kept.

use core::net::{IpAddr, SocketAddr};

use floe_stun::attribute::{Data, DontFragment, IcmpAttribute, XorPeerAddress};
use floe_stun::{ChannelData, Dropped, Forward, Icmp, Message, SendPlan, SocketId};

use crate::Relayed;
use crate::allocation::FiveTuple;
use crate::server::{Queued, Server};

impl Server {
    /// From a client on a channel. Refreshes nothing (RFC 8656 §12.6).
    pub(crate) fn relay_channel_data<'p>(
        &mut self,
        tuple: FiveTuple,
        message: ChannelData<'p>,
    ) -> Result<Forward<'p>, Dropped> {
        let allocation = self.allocations.live(tuple).ok_or(Dropped::NoAllocation)?;
        let peer = allocation.channels.peer(self.now, message.channel).ok_or(Dropped::UnknownChannel)?;
        let forward = direct(allocation.socket, peer, message.data)?;
        count(&mut self.stats.to_peers, message.data);
        Ok(forward)
    }

    /// From a client in a Send indication (RFC 8656 §11.2).
    pub(crate) fn relay_send<'p>(
        &mut self,
        tuple: FiveTuple,
        message: &Message<'p>,
    ) -> Result<Forward<'p>, Dropped> {
        let allocation = self.allocations.live(tuple).ok_or(Dropped::NoAllocation)?;
        let (peer, data, whole): (_, _, Option<Result<DontFragment, _>>) = message.find_all();
        if whole.is_some() || message.unknown_required().next().is_some() {
            return Err(Dropped::UnknownAttribute);
        }
        let (Some(XorPeerAddress(peer)), Some(Data(data))) = (peer, data) else {
            return Err(Dropped::MissingAttribute);
        };
        if peer.port() == 0 {
            return Err(Dropped::MissingAttribute);
        }
        if !allocation.permissions.allow(self.now, peer.ip()) || self.own.has(peer) {
            return Err(Dropped::NoPermission);
        }
        let forward = direct(allocation.socket, peer, data)?;
        count(&mut self.stats.to_peers, data);
        Ok(forward)
    }

    /// From a peer to the client of this relayed socket (RFC 8656 §11.3, §12.7). `None` if it is no such socket.
    pub(crate) fn relay_from_peer<'p>(
        &mut self,
        socket: SocketId,
        peer: SocketAddr,
        data: &'p [u8],
    ) -> Option<Result<Forward<'p>, Dropped>> {
        let (tuple, allocation) = self.allocations.of_socket(socket)?;
        if !allocation.permissions.allow(self.now, peer.ip()) || self.own.has(peer) {
            return Some(Err(Dropped::NoPermission));
        }
        let plan = match allocation.channels.number(self.now, peer) {
            Some(number) => SendPlan::channel(tuple.listener, tuple.client, number, data.len()),
            None => {
                let id = self.chance.transaction_id();
                SendPlan::data_indication(tuple.listener, tuple.client, peer, id, data.len())
            }
        };
        let plan = if self.own.is_stream(tuple.listener) { plan.map(SendPlan::padded) } else { plan };
        if plan.is_some() {
            count(&mut self.stats.to_clients, data);
        }
        Some(plan.map(|plan| Forward::new(plan, data)).ok_or(Dropped::TooLarge))
    }

    /// The network refused what was relayed to a peer: the client is told (RFC 8656 §11.5). `None` if it is no
    /// relayed socket.
    pub(crate) fn relay_icmp(
        &mut self,
        socket: SocketId,
        peer: SocketAddr,
        what: Icmp,
    ) -> Option<Result<(), Dropped>> {
        let (tuple, allocation) = self.allocations.of_socket(socket)?;
        if !allocation.permissions.allow(self.now, peer.ip()) {
            return Some(Err(Dropped::NoPermission));
        }
        if self.outbox.len() >= self.terms.limits.queued_answers {
            return Some(Err(Dropped::LimitReached));
        }
        let id = self.chance.transaction_id();
        self.outbox.push_back(Queued::Icmp { to: tuple, id, peer, icmp: icmp(peer.ip(), what) });
        Some(Ok(()))
    }
}

fn direct(socket: SocketId, peer: SocketAddr, data: &[u8]) -> Result<Forward<'_>, Dropped> {
    let plan = SendPlan::direct(socket, peer, data.len()).ok_or(Dropped::TooLarge)?;
    Ok(Forward::new(plan, data))
}

const fn count(relayed: &mut Relayed, data: &[u8]) {
    relayed.packets = relayed.packets.saturating_add(1);
    relayed.bytes = relayed.bytes.saturating_add(data.len() as u64);
}

/// The numbers of ICMP and ICMPv6. A host does not hand on the code of an unreachable destination; a port nobody
/// listens on is by far the most frequent.
const fn icmp(peer: IpAddr, what: Icmp) -> IcmpAttribute {
    match (peer, what) {
        (IpAddr::V4(_), Icmp::TooBig { mtu }) => IcmpAttribute { kind: 3, code: 4, data: known(mtu) },
        (IpAddr::V6(_), Icmp::TooBig { mtu }) => IcmpAttribute { kind: 2, code: 0, data: known(mtu) },
        (IpAddr::V4(_), _) => IcmpAttribute { kind: 3, code: 3, data: 0 },
        (IpAddr::V6(_), _) => IcmpAttribute { kind: 1, code: 4, data: 0 },
    }
}

const fn known(mtu: Option<u32>) -> u32 {
    match mtu {
        Some(mtu) => mtu,
        None => 0,
    }
}
