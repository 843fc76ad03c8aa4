//! When to nominate: a pure choice, apart from the mechanism (RFC 8445 §8.1.1).

use core::fmt;
use core::time::Duration;

/// Decides when the controlling agent nominates. No clock, no state: the same question has the same answer.
///
/// ```
/// use core::time::Duration;
/// use floe_ice_agent::{Decision, Outlook, Policy};
///
/// /// Takes whatever works first.
/// #[derive(Debug)]
/// struct Hasty;
///
/// impl Policy for Hasty {
///     fn nominate(&self, _: &Outlook) -> Decision {
///         Decision::Now
///     }
/// }
/// ```
pub trait Policy: fmt::Debug + Send + Sync {
    /// The best pair of a component works and none is nominated: nominate it now, or wait?
    fn nominate(&self, outlook: &Outlook) -> Decision;
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outlook {
    /// Whether a pair with a higher priority may still turn out to work.
    pub better_pending: bool,
    /// Whether the best working pair goes through a relay on either side.
    pub relayed: bool,
    /// Time since the first pair of the component worked.
    pub waited: Duration,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two answers")]
pub enum Decision {
    /// Nominate it.
    Now,
    /// Ask again after this time, or when something changes.
    After(Duration),
}

/// Nominates at once when nothing better can come; else gives better pairs a moment, and a longer one before a
/// relay is settled for.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DefaultPolicy;

impl Policy for DefaultPolicy {
    fn nominate(&self, outlook: &Outlook) -> Decision {
        let patience = if outlook.relayed { BEFORE_RELAYED } else { BEFORE_DIRECT };
        match patience.checked_sub(outlook.waited) {
            Some(left) if outlook.better_pending && !left.is_zero() => Decision::After(left),
            _ => Decision::Now,
        }
    }
}

/// Data flows on the first pair that works, so waiting costs nothing but the state `completed`.
const BEFORE_DIRECT: Duration = Duration::from_millis(250);

/// Long enough for two NATs to open towards each other over a slow link.
const BEFORE_RELAYED: Duration = Duration::from_millis(1500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_waits_longer_and_nothing_waits_for_nothing() {
        let outlook = Outlook { better_pending: true, relayed: false, waited: Duration::ZERO };
        assert_eq!(DefaultPolicy.nominate(&outlook), Decision::After(BEFORE_DIRECT));
        let relayed = Outlook { relayed: true, waited: BEFORE_DIRECT, ..outlook };
        assert_eq!(DefaultPolicy.nominate(&relayed), Decision::After(BEFORE_RELAYED - BEFORE_DIRECT));
        assert_eq!(DefaultPolicy.nominate(&Outlook { better_pending: false, ..outlook }), Decision::Now);
        assert_eq!(DefaultPolicy.nominate(&Outlook { waited: BEFORE_RELAYED, ..relayed }), Decision::Now);
    }
}
