//! Controlling or controlled, and what happens when both think the same (RFC 8445 §6.1.1, §7.3.1.1).

use floe_stun::attribute::{IceControlled, IceControlling};
use floe_stun::{Chance, DecodeError};

use crate::config::Role;

/// Our role and the number that breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stance {
    role: Role,
    tie_breaker: u64,
}

/// The role that a check claims for its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) role: Role,
    pub(crate) tie_breaker: u64,
}

/// What a claim means for us.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The roles differ, as they should.
    None,
    /// We keep ours: answer 487.
    Refuse,
    /// We have changed ours: go on and answer with success.
    Yielded,
}

impl Stance {
    pub(crate) fn new(role: Role, chance: &mut Chance) -> Self {
        Self { role, tie_breaker: chance.u64() }
    }

    pub(crate) const fn role(self) -> Role {
        self.role
    }

    pub(crate) const fn is_controlling(self) -> bool {
        matches!(self.role, Role::Controlling)
    }

    pub(crate) const fn tie_breaker(self) -> u64 {
        self.tie_breaker
    }

    /// The peer sent a check with this claim (RFC 8445 §7.3.1.1). A lite agent never yields.
    ///
    /// | both    | own >= theirs | own < theirs |
    /// |---------|---------------|--------------|
    /// | control | 487           | yield        |
    /// | obey    | yield         | 487          |
    pub(crate) fn meet(&mut self, claim: Claim, lite: bool) -> Conflict {
        if claim.role != self.role {
            return Conflict::None;
        }
        let ours_is_larger = self.tie_breaker >= claim.tie_breaker;
        if lite || ours_is_larger == self.is_controlling() {
            return Conflict::Refuse;
        }
        self.role = self.role.other();
        Conflict::Yielded
    }

    /// The peer answered 487 to a check that we sent as `sent_as` (RFC 8445 §7.2.5.1).
    ///
    /// Returns whether the role changed: not if it had changed already since the check went out.
    pub(crate) fn repulsed(&mut self, sent_as: Role, chance: &mut Chance) -> bool {
        if sent_as != self.role {
            return false;
        }
        *self = Self::new(self.role.other(), chance);
        true
    }

    /// We learned that the peer is lite: the full agent controls (RFC 8445 §6.1.1).
    pub(crate) const fn control(&mut self) {
        self.role = Role::Controlling;
    }
}

/// A check claims both roles, or one that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadClaim;

impl Claim {
    /// What a check claims. There are old peers that claim nothing: a conflict with them cannot be seen.
    pub(crate) const fn of(
        controlling: Option<Result<IceControlling, DecodeError>>,
        controlled: Option<Result<IceControlled, DecodeError>>,
    ) -> Result<Option<Self>, BadClaim> {
        let (role, tie_breaker) = match (controlling, controlled) {
            (None, None) => return Ok(None),
            (Some(Ok(IceControlling(tie_breaker))), None) => (Role::Controlling, tie_breaker),
            (None, Some(Ok(IceControlled(tie_breaker)))) => (Role::Controlled, tie_breaker),
            _ => return Err(BadClaim),
        };
        Ok(Some(Self { role, tie_breaker }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role::{Controlled, Controlling};

    /// ICE-7.3.1.1-1, ICE-7.3.1.1-2: six cells with equal roles, and the two without a conflict.
    #[test]
    fn every_cell_of_the_conflict_table() {
        let cells = [
            (Controlling, 9, Controlling, 5, Conflict::Refuse, Controlling),
            (Controlling, 5, Controlling, 5, Conflict::Refuse, Controlling),
            (Controlling, 1, Controlling, 5, Conflict::Yielded, Controlled),
            (Controlled, 9, Controlled, 5, Conflict::Yielded, Controlling),
            (Controlled, 5, Controlled, 5, Conflict::Yielded, Controlling),
            (Controlled, 1, Controlled, 5, Conflict::Refuse, Controlled),
            (Controlling, 1, Controlled, 5, Conflict::None, Controlling),
            (Controlled, 9, Controlling, 5, Conflict::None, Controlled),
        ];
        for (own, ours, claimed, theirs, verdict, after) in cells {
            let mut stance = Stance { role: own, tie_breaker: ours };
            let claim = Claim { role: claimed, tie_breaker: theirs };
            assert_eq!(stance.meet(claim, false), verdict, "{own:?} {ours} against {claimed:?} {theirs}");
            assert_eq!(stance.role(), after);
        }
    }

    /// ICE-7.2.5.1-1, ICE-7.2.5.1-3, ICE-7.2.5.1-4.
    #[test]
    fn two_487s_for_one_role_flip_once_and_change_the_tie_breaker() {
        let mut chance = Chance::new([1; 32]);
        let mut stance = Stance::new(Controlling, &mut chance);
        let before = stance.tie_breaker();

        assert!(stance.repulsed(Controlling, &mut chance));
        assert!(!stance.repulsed(Controlling, &mut chance));

        assert_eq!(stance.role(), Controlled);
        assert_ne!(stance.tie_breaker(), before);
    }
}
