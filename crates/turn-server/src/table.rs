//! All allocations, by all that leads to one. What leads a packet there costs the same however many there are.
//!
//! An allocation holds its share of the quotas and its ports from [`Slot::Opening`] on, and gives both back when it is
//! gone.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::attribute::{ErrorCode, Family};
use floe_stun::{Instant, RequestId, SocketId};
use hashbrown::HashMap;
use slotmap::SlotMap;

use crate::Limits;
use crate::allocation::{Allocation, AllocationId, FiveTuple, Opening, Relayed, Slot};
use crate::answer::Refusal;
use crate::auth::User;
use crate::mobility::Passport;

#[derive(Debug, Default)]
pub(crate) struct Allocations {
    slots: SlotMap<AllocationId, Slot>,
    by_client: HashMap<FiveTuple, AllocationId>,
    by_socket: HashMap<SocketId, AllocationId>,
    by_request: BTreeMap<RequestId, AllocationId>,
    deadlines: BTreeSet<(Instant, AllocationId)>,
    per_owner: BTreeMap<Arc<str>, usize>,
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
        let id = *self.by_socket.get(&socket)?;
        Some((id, self.live(id)?))
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

    /// Whether one more would be too many, for all or for this user; `reserved` are ports that are kept for nobody yet.
    pub(crate) fn check_quota(
        &self,
        owner: &str,
        reserved: (usize, usize),
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let (of_all, of_owner) = reserved;
        if self.per_owner.get(owner).copied().unwrap_or(0) + of_owner >= limits.allocations_per_user {
            return Err(ErrorCode::ALLOCATION_QUOTA_REACHED.into());
        }
        if self.slots.len() + of_all >= limits.allocations {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY.into());
        }
        Ok(())
    }

    /// Enters an allocation that waits for its sockets.
    pub(crate) fn open(&mut self, opening: Opening) -> AllocationId {
        let (client, request, user) = (opening.reply.to, opening.request, Arc::clone(&opening.user));
        let id = self.enter(client, &user, Slot::Opening(opening));
        self.by_request.insert(request, id);
        id
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
        self.deadlines.insert((allocation.expires_at, id));
        *slot = Slot::Live(allocation);
    }

    /// Enters an allocation whose socket is open already.
    pub(crate) fn enter_live(&mut self, allocation: Allocation) -> AllocationId {
        let (client, user) = (allocation.client, Arc::clone(&allocation.user));
        self.by_socket.reserve(1);
        let sockets: Vec<_> = allocation.sockets().map(|relayed| relayed.socket).collect();
        let expires_at = allocation.expires_at;
        let id = self.enter(client, &user, Slot::Live(allocation));
        self.by_socket.extend(sockets.into_iter().map(|socket| (socket, id)));
        self.deadlines.insert((expires_at, id));
        id
    }

    fn enter(&mut self, client: FiveTuple, user: &User, slot: Slot) -> AllocationId {
        *self.per_owner.entry(Arc::clone(&user.owner)).or_default() += 1;
        let id = self.slots.insert(slot);
        self.by_client.insert(client, id);
        id
    }

    /// Sets the time an allocation has left.
    pub(crate) fn refresh(&mut self, id: AllocationId, expires_at: Instant) {
        let Some(Slot::Live(allocation)) = self.slots.get_mut(id) else { return };
        self.deadlines.remove(&(allocation.expires_at, id));
        self.deadlines.insert((expires_at, id));
        allocation.expires_at = expires_at;
    }

    /// One of two relayed addresses is gone.
    pub(crate) fn remove_family(&mut self, id: AllocationId, family: Family) -> Option<Relayed> {
        let Some(Slot::Live(allocation)) = self.slots.get_mut(id) else { return None };
        let second = allocation.second.ok()?;
        allocation.second = Err(None);
        let gone = match Family::of(second.address.ip()) == family {
            true => second,
            false => core::mem::replace(&mut allocation.first, second),
        };
        self.by_socket.remove(&gone.socket);
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

    /// When the next allocation ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// An allocation whose time is up.
    pub(crate) fn expired(&self, now: Instant) -> Option<AllocationId> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// Takes an allocation out, in whatever state it is, and gives back what it held of the quotas.
    pub(crate) fn remove(&mut self, id: AllocationId) -> Option<Slot> {
        let slot = self.slots.remove(id)?;
        match &slot {
            Slot::Opening(opening) => {
                self.by_request.remove(&opening.request);
                self.by_client.remove(&opening.reply.to);
            }
            Slot::Live(allocation) => {
                for Relayed { socket, .. } in allocation.sockets() {
                    self.by_socket.remove(socket);
                }
                self.by_client.remove(&allocation.client);
                if let Some(client) = allocation.passport.as_ref().and_then(Passport::next) {
                    self.by_client.remove(&client);
                }
                self.deadlines.remove(&(allocation.expires_at, id));
            }
        }
        let owner = &slot.user().owner;
        if let Some(held) = self.per_owner.get_mut(owner) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.per_owner.remove(owner);
            }
        }
        Some(slot)
    }
}
