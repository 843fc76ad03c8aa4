//! Foundations (RFC 8445 §5.1.1.3): one short name for each combination of type, base, server and transport.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use super::CandidateKind;

/// What makes two candidates share a foundation. The transport protocol is UDP for all of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) kind: CandidateKind,
    pub(crate) base: IpAddr,
    pub(crate) server: Option<IpAddr>,
}

/// The foundations of the local candidates, numbered as they appear.
#[derive(Debug, Default)]
pub(crate) struct Foundations(BTreeMap<Origin, u16>);

impl Foundations {
    pub(crate) fn of(&mut self, origin: Origin) -> u16 {
        let next = u16::try_from(self.0.len() + 1).unwrap_or(u16::MAX);
        *self.0.entry(origin).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_base_and_server_decide() {
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let host = Origin { kind: CandidateKind::Host, base: one, server: None };
        let reflexive = Origin { kind: CandidateKind::ServerReflexive, base: one, server: Some(two) };
        let mut foundations = Foundations::default();

        let first = foundations.of(host);

        assert_eq!(foundations.of(host), first);
        assert_ne!(foundations.of(Origin { base: two, ..host }), first);
        assert_ne!(foundations.of(reflexive), foundations.of(Origin { server: Some(one), ..reflexive }));
    }
}
