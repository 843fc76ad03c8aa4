//! Who holds how many places among the allocations.
//!
//! A place is taken before a socket is asked for, and given back by whatever has held it last:
//!
//! ```text
//!   Opening ──▶ Live ──▶ free
//!      │ └─ the next port ─▶ Reservation ──▶ free, or another allocation's
//!      └─ its client is gone ─▶ a need that the host has not answered yet ──▶ free
//! ```

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use floe_stun::attribute::ErrorCode;

use crate::Limits;
use crate::answer::Refusal;

#[derive(Debug, Default)]
pub(crate) struct Quota {
    held: usize,
    per_owner: BTreeMap<Arc<str>, usize>,
}

impl Quota {
    /// Whether this many more would be too many, for all or for this user.
    pub(crate) fn check(&self, owner: &str, places: usize, limits: &Limits) -> Result<(), Refusal> {
        let of_owner = self.per_owner.get(owner).copied().unwrap_or(0);
        if of_owner.saturating_add(places) > limits.allocations_per_user {
            return Err(ErrorCode::ALLOCATION_QUOTA_REACHED.into());
        }
        if self.held.saturating_add(places) > limits.allocations {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY.into());
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, owner: &Arc<str>, places: usize) {
        self.held = self.held.saturating_add(places);
        let of_owner = self.per_owner.entry(Arc::clone(owner)).or_default();
        *of_owner = of_owner.saturating_add(places);
    }

    pub(crate) fn give_back(&mut self, owner: &str, places: usize) {
        self.held = self.held.saturating_sub(places);
        if let Some(of_owner) = self.per_owner.get_mut(owner) {
            *of_owner = of_owner.saturating_sub(places);
            if *of_owner == 0 {
                self.per_owner.remove(owner);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0 && self.per_owner.is_empty()
    }
}
