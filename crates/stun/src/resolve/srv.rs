//! SRV records and the order to try them in (RFC 2782).

use alloc::vec::Vec;

use crate::Chance;

/// An SRV record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 2782 defines four fields")]
pub struct Srv<'a> {
    /// Lower ones are tried first.
    pub priority: u16,
    /// Among equals, the share of clients that try it first.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The name of the server; `.` says that there is no such service.
    pub target: &'a str,
}

/// The records by priority, and by chance and weight where priorities are equal.
pub(super) fn in_order<'a>(records: &[Srv<'a>], chance: &mut Chance) -> Vec<Srv<'a>> {
    let mut left = records.to_vec();
    // Zero weights first: they are chosen only if chance gives zero (RFC 2782, "Weight").
    left.sort_by_key(|srv| (srv.priority, srv.weight));
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(priority) = left.first().map(|srv| srv.priority) {
        let equals = left.iter().take_while(|srv| srv.priority == priority);
        let sum = equals.clone().map(|srv| u32::from(srv.weight)).fold(0, u32::saturating_add);
        let chosen = chance.below(sum.saturating_add(1));
        let mut running = 0_u32;
        let at = equals
            .map(|srv| {
                running = running.saturating_add(u32::from(srv.weight));
                running
            })
            .position(|running| running >= chosen);
        ordered.push(left.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv<'_> {
        Srv { priority, weight, port: 3478, target }
    }

    /// Which target came first, of 1000 tries.
    fn first(records: &[Srv<'_>], target: &str) -> usize {
        let mut chance = Chance::new([1; 32]);
        (0..1000).filter(|_| in_order(records, &mut chance)[0].target == target).count()
    }

    #[test]
    fn lower_priorities_come_first_whatever_their_weight() {
        let records = [srv(20, 0, "c"), srv(10, 65_535, "a"), srv(15, 9, "b")];
        let ordered = in_order(&records, &mut Chance::new([1; 32]));
        assert!(ordered.iter().map(|srv| srv.target).eq(["a", "b", "c"]));
    }

    #[test]
    fn weights_are_shares() {
        let records = [srv(1, 30, "a"), srv(1, 10, "b"), srv(1, 0, "c")];
        assert!((690..790).contains(&first(&records, "a")), "{}", first(&records, "a"));
        assert!((200..300).contains(&first(&records, "b")), "{}", first(&records, "b"));
        assert!((1..60).contains(&first(&records, "c")), "{}", first(&records, "c"));
    }
}
