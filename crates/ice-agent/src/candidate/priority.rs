//! Priorities of candidates and pairs (RFC 8445 §5.1.2, §6.1.2.3; RFC 8421 §4).

use super::CandidateKind;
use crate::id::ServerId;

/// The local preference: one number for each base and server, so that no two candidates of one type and
/// component share a priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Preference(u16);

impl Preference {
    /// `rank` counts bases, IPv6 and IPv4 interleaved and IPv6 first, from 0 (RFC 8421 §4).
    pub(crate) const fn new(rank: u16) -> Self {
        Self(65535_u16.saturating_sub(rank.saturating_mul(SERVERS)))
    }

    /// Of what one server gave for a base of this preference.
    pub(crate) const fn behind(self, server: ServerId) -> Self {
        Self(self.0.saturating_sub(server.0))
    }
}

/// Room for the servers of one base; more than [`crate::Limits::servers`] allows by default.
const SERVERS: u16 = 64;

/// RFC 8445 §5.1.2.1.
pub(crate) const fn candidate_priority(kind: CandidateKind, preference: Preference, component: u16) -> u32 {
    let component = if component > 256 { 256 } else { component as u32 };
    (kind.type_preference() << 24) + ((preference.0 as u32) << 8) + (256 - component)
}

/// RFC 8445 §6.1.2.3: `g` is the controlling side's candidate priority, `d` the controlled side's.
pub(crate) const fn pair_priority(g: u32, d: u32) -> u64 {
    let (min, max) = if g < d { (g as u64, d as u64) } else { (d as u64, g as u64) };
    // Beyond 2^31 - 1, which only a peer that breaks the rules can claim, the order no longer matters.
    (min << 32).saturating_add(2 * max).saturating_add((g > d) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_host_candidate_has_the_priority_everybody_knows() {
        assert_eq!(candidate_priority(CandidateKind::Host, Preference::new(0), 1), 2_130_706_431);
    }

    #[test]
    fn both_sides_compute_the_same_pair_priority() {
        let (a, b) = (2_130_706_431, 1_694_498_815);
        assert_eq!(pair_priority(a, b), (u64::from(b) << 32) + 2 * u64::from(a) + 1);
        assert_eq!(pair_priority(b, a), pair_priority(a, b) - 1);
        assert_eq!(pair_priority(u32::MAX, u32::MAX), u64::MAX);
    }

    #[test]
    fn any_priority_is_in_range_and_kinds_never_mix() {
        let lowest =
            |kind| candidate_priority(kind, Preference::new(u16::MAX).behind(ServerId(u16::MAX)), 256);
        let highest = |kind| candidate_priority(kind, Preference::new(0), 1);
        assert!(highest(CandidateKind::Host) < 1 << 31);
        assert!(highest(CandidateKind::PeerReflexive) < lowest(CandidateKind::Host));
        assert!(highest(CandidateKind::ServerReflexive) < lowest(CandidateKind::PeerReflexive));
        assert!(highest(CandidateKind::Relayed) < lowest(CandidateKind::ServerReflexive));
    }
}
