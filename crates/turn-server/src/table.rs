//! All allocations, by all that leads to one. What leads a packet there costs the same however many there are.
//!
//! An allocation holds its place and its ports from [`Slot::Opening`] on, and gives both back when it is gone.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::attribute::Family;
use floe_stun::{Instant, RequestId, SocketId};
use hashbrown::HashMap;
use slotmap::SlotMap;

use crate::allocation::{Allocation, AllocationId, FiveTuple, Opening, Relayed, Slot};
use crate::mobility::Passport;

#[derive(Debug, Default)]
pub(crate) struct Allocations {
    slots: SlotMap<AllocationId, Slot>,
    by_client: HashMap<FiveTuple, AllocationId>,
    by_socket: HashMap<SocketId, AllocationId>,
    by_request: BTreeMap<RequestId, AllocationId>,
    deadlines: BTreeSet<(Instant, AllocationId)>,
}

impl Allocations {
    pub(crate) fn of_client(&self, client: FiveTuple) -> Option<AllocationId> {
        self.by_client.get(&client).copied()
    }

    /// The client that waits for this need to be met.
    pub(crate) fn of_request(&self, request: RequestId) -> Option<AllocationId> {
        self.by_request.get(&request).copied()
    }

    pub(crate) fn slot(&self, id: AllocationId) -> Option<&Slot> {
        self.slots.get(id)
    }

    pub(crate) fn live(&self, id: AllocationId) -> Option<&Allocation> {
        match self.slots.get(id)? {
            Slot::Live(allocation) => Some(allocation),
            Slot::Opening(_) => None,
        }
    }

    pub(crate) fn live_mut(&mut self, id: AllocationId) -> Option<&mut Allocation> {
        match self.slots.get_mut(id)? {
            Slot::Live(allocation) => Some(allocation),
            Slot::Opening(_) => None,
        }
    }

    pub(crate) fn live_of_client(&self, client: FiveTuple) -> Option<(AllocationId, &Allocation)> {
        let id = self.of_client(client)?;
        Some((id, self.live(id)?))
    }

    /// The allocation that a relayed socket belongs to.
    pub(crate) fn of_socket(&self, socket: SocketId) -> Option<(AllocationId, &Allocation)> {
        let id = self.any_of_socket(socket)?;
        Some((id, self.live(id)?))
    }

    /// The same, in whatever state it is.
    pub(crate) fn any_of_socket(&self, socket: SocketId) -> Option<AllocationId> {
        self.by_socket.get(&socket).copied()
    }

    /// The clients of a listening socket, in an order that does not depend on chance.
    pub(crate) fn of_listener(&self, listener: SocketId) -> Vec<AllocationId> {
        let mut found: Vec<_> =
            self.by_client.iter().filter(|(client, _)| client.listener == listener).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| *id).collect()
    }

    pub(crate) fn ids(&self) -> Vec<AllocationId> {
        self.slots.keys().collect()
    }

    pub(crate) fn live_count(&self) -> usize {
        self.deadlines.len()
    }

    /// Enters an allocation that waits for its sockets.
    pub(crate) fn open(&mut self, opening: Opening) {
        let (client, request) = (opening.reply.to, opening.request);
        let id = self.slots.insert(Slot::Opening(opening));
        self.by_client.insert(client, id);
        self.by_request.insert(request, id);
    }

    /// The first of two sockets is open.
    pub(crate) fn has_first(&mut self, id: AllocationId, first: Relayed) {
        if let Some(opening) = self.opening_mut(id) {
            opening.first = Some(first);
            self.by_socket.insert(first.socket, id);
        }
    }

    /// The first of two sockets is of no use without the second.
    pub(crate) fn take_first(&mut self, id: AllocationId) -> Option<Relayed> {
        let first = self.opening_mut(id)?.first.take()?;
        self.by_socket.remove(&first.socket);
        Some(first)
    }

    /// Another need of the same, instead of the one before.
    pub(crate) fn wait_for(&mut self, id: AllocationId, request: RequestId, bind: SocketAddr) {
        if let Some(Slot::Opening(opening)) = self.slots.get_mut(id) {
            self.by_request.remove(&opening.request);
            (opening.request, opening.bind) = (request, bind);
            self.by_request.insert(request, id);
        }
    }

    /// What an allocation waits for has come: who waits for it.
    pub(crate) fn opening_mut(&mut self, id: AllocationId) -> Option<&mut Opening> {
        match self.slots.get_mut(id)? {
            Slot::Opening(opening) => Some(opening),
            Slot::Live(_) => None,
        }
    }

    /// All sockets are open: from now on it relays.
    pub(crate) fn settle(&mut self, id: AllocationId, allocation: Allocation) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if let Slot::Opening(opening) = slot {
            self.by_request.remove(&opening.request);
        }
        self.by_socket.extend(allocation.sockets().map(|relayed| (relayed.socket, id)));
        self.deadlines.insert((allocation.deadline(), id));
        *slot = Slot::Live(allocation);
    }

    /// Enters an allocation whose socket is open already.
    pub(crate) fn enter_live(&mut self, allocation: Allocation) -> AllocationId {
        let (client, first, deadline) = (allocation.client, allocation.first, allocation.deadline());
        let id = self.slots.insert(Slot::Live(allocation));
        self.by_client.insert(client, id);
        self.by_socket.insert(first.socket, id);
        self.deadlines.insert((deadline, id));
        id
    }

    /// Sets the time that the relayed addresses of this family have left, or all of them.
    pub(crate) fn refresh(&mut self, id: AllocationId, family: Option<Family>, until: Instant) {
        let Some(Slot::Live(allocation)) = self.slots.get_mut(id) else { return };
        self.deadlines.remove(&(allocation.deadline(), id));
        let all = [Some(&mut allocation.first), allocation.second.as_mut().ok()];
        for relayed in all.into_iter().flatten() {
            if family.is_none_or(|family| family == Family::of(relayed.address.ip())) {
                relayed.until = until;
            }
        }
        self.deadlines.insert((allocation.deadline(), id));
    }

    /// One of two relayed addresses is gone, with the permissions and channels of its family (RFC 8656 §8.1).
    pub(crate) fn remove_family(&mut self, id: AllocationId, family: Family) -> Option<Relayed> {
        let Some(Slot::Live(allocation)) = self.slots.get_mut(id) else { return None };
        let second = allocation.second.ok()?;
        self.deadlines.remove(&(allocation.deadline(), id));
        allocation.second = Err(None);
        let gone = match Family::of(second.address.ip()) == family {
            true => second,
            false => core::mem::replace(&mut allocation.first, second),
        };
        allocation.permissions.forget(family);
        allocation.channels.forget(family);
        self.by_socket.remove(&gone.socket);
        self.deadlines.insert((allocation.deadline(), id));
        Some(gone)
    }

    /// Another 5-tuple leads to it too.
    pub(crate) fn add_client(&mut self, id: AllocationId, client: FiveTuple) {
        self.by_client.insert(client, id);
    }

    /// A 5-tuple leads there no more.
    pub(crate) fn remove_client(&mut self, client: FiveTuple) {
        self.by_client.remove(&client);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
            && self.by_client.is_empty()
            && self.by_socket.is_empty()
            && self.by_request.is_empty()
            && self.deadlines.is_empty()
    }

    /// When the next relayed address ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// An allocation of which a relayed address has had its time.
    pub(crate) fn expired(&self, now: Instant) -> Option<AllocationId> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// Takes an allocation out, in whatever state it is.
    pub(crate) fn remove(&mut self, id: AllocationId) -> Option<Slot> {
        let slot = self.slots.remove(id)?;
        match &slot {
            Slot::Opening(opening) => {
                self.by_request.remove(&opening.request);
                self.by_client.remove(&opening.reply.to);
                if let Some(first) = opening.first {
                    self.by_socket.remove(&first.socket);
                }
            }
            Slot::Live(allocation) => {
                for Relayed { socket, .. } in allocation.sockets() {
                    self.by_socket.remove(socket);
                }
                self.by_client.remove(&allocation.client);
                if let Some(client) = allocation.passport.as_deref().and_then(Passport::next) {
                    self.by_client.remove(&client);
                }
                self.deadlines.remove(&(allocation.deadline(), id));
            }
        }
        Some(slot)
    }
}
