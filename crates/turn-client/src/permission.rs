//! Permissions: which peers the server lets through, by address alone (RFC 8656 §9, §10).
//!
//! ```text
//!   Wanted ──allocation is asked for──▶ Installing ──success──▶ Installed ──4 min──▶ Refreshing
//!                                        │  │  ▲                    ▲                  │   │
//!         before there was an allocation ▼  │  │ there is one       └─────success──────┘   │
//!                                     Deferred ┘
//!                                           └──────────────refused─────────▶ forgotten ◀───┘
//! ```

use core::net::IpAddr;
use core::time::Duration;

use floe_stun::{Chance, Instant};
use hashbrown::HashMap;

use crate::allocation::refresh_after;
use crate::key::IpKey;

/// The permissions that are kept, in a hash map, whose order nothing depends on.
#[derive(Debug, Default)]
pub(crate) struct Permissions {
    kept: HashMap<IpKey, Permission>,
}

#[derive(Clone, Copy, Debug)]
enum Permission {
    Wanted,
    /// Asked for too early.
    Deferred,
    Installing,
    Installed {
        refresh_at: Instant,
        until: Instant,
    },
    Refreshing {
        until: Instant,
    },
}

impl Permissions {
    /// Keeps a permission for this peer from now on. False if there are too many.
    pub(crate) fn keep(&mut self, peer: IpAddr) -> bool {
        if self.kept.len() >= MAX && !self.kept.contains_key(&IpKey::from(peer)) {
            return false;
        }
        self.kept.entry(peer.into()).or_insert(Permission::Wanted);
        true
    }

    /// No longer keeps it. False if it was not kept.
    pub(crate) fn forget(&mut self, peer: IpAddr) -> bool {
        self.kept.remove(&IpKey::from(peer)).is_some()
    }

    /// The server has lost them all: each is to be installed anew.
    pub(crate) fn start_anew(&mut self) {
        self.kept.values_mut().for_each(|permission| *permission = Permission::Wanted);
    }

    /// It was asked for before there was an allocation, and is to be asked for again once there is.
    pub(crate) fn defer(&mut self, peer: IpAddr) {
        if let Some(permission) = self.kept.get_mut(&IpKey::from(peer)) {
            *permission = Permission::Deferred;
        }
    }

    /// What was asked for is to be asked for again: nobody will hear the answer.
    pub(crate) fn ask_again(&mut self, now: Instant) {
        for permission in self.kept.values_mut() {
            *permission = match *permission {
                Permission::Installing => Permission::Wanted,
                Permission::Refreshing { until } => Permission::Installed { refresh_at: now, until },
                other => other,
            };
        }
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }

    /// The next peer for which CreatePermission is due, now that there is an allocation or one is asked for; to be called
    /// until there is none.
    pub(crate) fn take_due(&mut self, now: Instant, is_live: bool) -> Option<IpAddr> {
        let due = self.kept.iter_mut().filter_map(|(peer, permission)| {
            let asked = permission.asked(now, is_live)?;
            Some((peer, permission, asked))
        });
        let (peer, permission, asked) = due.min_by_key(|(peer, ..)| **peer)?;
        *permission = asked;
        Some(peer.ip())
    }

    /// The server has installed or refreshed it. True if that is news.
    pub(crate) fn handle_installed(&mut self, now: Instant, peer: IpAddr, chance: &mut Chance) -> bool {
        let Some(permission) = self.kept.get_mut(&IpKey::from(peer)) else { return false };
        let news = !permission.is_active(now);
        let refresh_at = now + refresh_after(LIFETIME, chance);
        *permission = Permission::Installed { refresh_at, until: now + LIFETIME };
        news
    }

    /// Whether the server lets data to this peer pass.
    pub(crate) fn is_active(&self, now: Instant, peer: IpAddr) -> bool {
        self.kept.get(&IpKey::from(peer)).is_some_and(|permission| permission.is_active(now))
    }

    /// Whether data from this peer is welcome: also before the server's answer has come, which it may overtake.
    pub(crate) fn is_asked(&self, now: Instant, peer: IpAddr) -> bool {
        self.kept.get(&IpKey::from(peer)).is_some_and(|permission| match permission {
            Permission::Installing => true,
            other => other.is_active(now),
        })
    }

    /// The next moment at which one is to be refreshed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let refresh_at = |permission: &Permission| match *permission {
            Permission::Installed { refresh_at, .. } => Some(refresh_at),
            Permission::Wanted
            | Permission::Deferred
            | Permission::Installing
            | Permission::Refreshing { .. } => None,
        };
        self.kept.values().filter_map(refresh_at).min()
    }
}

impl Permission {
    /// What becomes of it by CreatePermission, if that is due.
    fn asked(self, now: Instant, is_live: bool) -> Option<Self> {
        match self {
            Self::Wanted => Some(Self::Installing),
            Self::Deferred if is_live => Some(Self::Installing),
            Self::Installed { refresh_at, until } if refresh_at <= now => Some(Self::Refreshing { until }),
            _ => None,
        }
    }

    fn is_active(&self, now: Instant) -> bool {
        match *self {
            Self::Wanted | Self::Deferred | Self::Installing => false,
            Self::Installed { until, .. } | Self::Refreshing { until } => now < until,
        }
    }
}

//= RFC 8656 §9
//# The Permission Lifetime MUST be 300 seconds (= 5 minutes).
const LIFETIME: Duration = Duration::from_secs(300);

/// Permissions a client keeps at most.
pub(crate) const MAX: usize = 128;
