//! Application data on its way through (RFC 8656 §11, §12): looked up, never kept.

use core::net::{IpAddr, SocketAddr};

use floe_stun::attribute::{Attribute, Data, DontFragment, Family, IcmpAttribute, XorPeerAddress};
use floe_stun::{ChannelData, Dropped, Forward, Icmp, Message, SendPlan, SocketId};

use crate::Relayed;
use crate::allocation::{Allocation, AllocationId, FiveTuple};
use crate::own::Own;
use crate::server::{Queued, Server};

impl Server {
    /// From a client on a channel. Refreshes nothing (RFC 8656 §12.6).
    pub(crate) fn relay_channel_data<'p>(
        &mut self,
        tuple: FiveTuple,
        message: ChannelData<'p>,
    ) -> Result<Forward<'p>, Dropped> {
        let (id, allocation) = self.allocations.live_of_client(tuple).ok_or(Dropped::NoAllocation)?;
        let peer = allocation.channels.peer(self.now, message.channel).ok_or(Dropped::UnknownChannel)?;
        let plan = direct(allocation, peer, &self.own, message.data)?;
        self.admit_to_peer(id, tuple, message.data)?;
        Ok(Forward::new(plan, message.data))
    }

    /// From a client in a Send indication (RFC 8656 §11.2).
    pub(crate) fn relay_send<'p>(
        &mut self,
        tuple: FiveTuple,
        message: &Message<'p>,
    ) -> Result<Forward<'p>, Dropped> {
        let (id, allocation) = self.allocations.live_of_client(tuple).ok_or(Dropped::NoAllocation)?;
        let (peer, data, whole): (_, _, Option<DontFragment>) = message.find_all();
        let cannot_forbid = !self.terms.dont_fragment && message.has(DontFragment::TYPE);
        if cannot_forbid || message.unknown_required().next().is_some() {
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
        let plan = direct(allocation, peer, &self.own, data)?;
        self.admit_to_peer(id, tuple, data)?;
        let whole = whole.and_then(|DontFragment| plan.dont_fragment());
        Ok(Forward::new(whole.unwrap_or(plan), data))
    }

    /// Data of a client that is about to go out: it is counted, and shows where the client is.
    fn admit_to_peer(&mut self, id: AllocationId, from: FiveTuple, data: &[u8]) -> Result<(), Dropped> {
        self.admit_bytes(id, data)?;
        count(&mut self.stats.to_peers, data);
        if self.allocations.live(id).is_some_and(|allocation| allocation.client != from) {
            self.end_move(id);
        }
        Ok(())
    }

    fn admit_bytes(&mut self, id: AllocationId, data: &[u8]) -> Result<(), Dropped> {
        let limits = &self.terms.limits;
        if limits.bytes_per_second.is_none() && limits.bytes_per_second_per_user.is_none() {
            return Ok(());
        }
        let allocation = self.allocations.live(id).ok_or(Dropped::NoAllocation)?;
        let fits = self.bandwidth.admit(self.now, &allocation.user.owner, limits, data.len());
        if fits { Ok(()) } else { Err(Dropped::LimitReached) }
    }

    /// From a peer to the client of this relayed socket (RFC 8656 §11.3, §12.7). `None` if it is no such socket.
    pub(crate) fn relay_from_peer<'p>(
        &mut self,
        socket: SocketId,
        peer: SocketAddr,
        data: &'p [u8],
    ) -> Option<Result<Forward<'p>, Dropped>> {
        let Some((id, allocation)) = self.allocations.of_socket(socket) else {
            let waits = self.reservations.has(socket) || self.allocations.any_of_socket(socket).is_some();
            return waits.then_some(Err(Dropped::NoPermission));
        };
        if allocation.is_tcp {
            return Some(Err(Dropped::UnexpectedMethod));
        }
        let peer = self.own.external(peer);
        if !allocation.permissions.allow(self.now, peer.ip()) || self.own.has(peer) {
            return Some(Err(Dropped::NoPermission));
        }
        let tuple = allocation.client;
        let Some(transport) = self.own.transport(tuple.listener) else {
            return Some(Err(Dropped::NoAllocation));
        };
        let plan = match allocation.channels.number(self.now, peer) {
            Some(number) => SendPlan::channel(tuple.listener, tuple.client, number, data.len()),
            None => {
                let id = self.chance.transaction_id();
                SendPlan::data_indication(tuple.listener, tuple.client, peer, id, data.len())
            }
        };
        let Some(plan) = plan else { return Some(Err(Dropped::TooLarge)) };
        let plan = if transport.is_stream() { plan.padded() } else { plan };
        if let Err(why) = self.admit_bytes(id, data) {
            return Some(Err(why));
        }
        count(&mut self.stats.to_clients, data);
        Some(Ok(Forward::new(plan, data)))
    }

    /// The network refused what was relayed to a peer: the client is told (RFC 8656 §11.5). `None` if it is no
    /// relayed socket.
    pub(crate) fn relay_icmp(
        &mut self,
        socket: SocketId,
        peer: SocketAddr,
        what: Icmp,
    ) -> Option<Result<(), Dropped>> {
        let (_, allocation) = self.allocations.of_socket(socket)?;
        let (tuple, peer) = (allocation.client, self.own.external(peer));
        if !allocation.permissions.allow(self.now, peer.ip()) || !self.own.hears(tuple.listener) {
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

/// From the relayed address of the peer's family, if that carries datagrams.
fn direct(allocation: &Allocation, peer: SocketAddr, own: &Own, data: &[u8]) -> Result<SendPlan, Dropped> {
    if allocation.is_tcp {
        return Err(Dropped::UnexpectedMethod);
    }
    let relayed = allocation.relayed(Family::of(peer.ip())).ok_or(Dropped::NoPermission)?;
    SendPlan::direct(relayed.socket, own.internal(peer), data.len()).ok_or(Dropped::TooLarge)
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
