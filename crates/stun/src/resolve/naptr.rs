//! NAPTR records as S-NAPTR uses them for TURN (RFC 3958, RFC 5928 §3, RFC 7350 §4.6.2).

use alloc::vec::Vec;

use crate::Transport;

/// A NAPTR record. One with a regular expression is none of S-NAPTR and is to be left out by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "S-NAPTR uses five fields (RFC 3958 §2)")]
pub struct Naptr<'a> {
    /// Lower ones are tried first.
    pub order: u16,
    /// Among equals of `order`, lower ones are tried first.
    pub preference: u16,
    /// `S` for an SRV name, `A` for a name with addresses, nothing for another NAPTR name.
    pub flags: &'a str,
    /// The service and its protocols, such as `RELAY:turn.udp:turn.tcp`.
    pub services: &'a str,
    /// The name to go on with.
    pub replacement: &'a str,
}

/// Where a record leads for one transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lead<'a> {
    pub(super) transport: Transport,
    pub(super) to: To,
    pub(super) name: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Naptr,
    Srv,
    Addresses,
}

/// The records by rank, each once for every transport of it; equal ranks by the order of `transports`.
pub(super) fn leads<'a>(records: &[Naptr<'a>], transports: &[Transport]) -> Vec<Lead<'a>> {
    let mut ranked = Vec::new();
    for record in records {
        let Some(to) = To::read(record.flags) else { continue };
        for (place, transport) in transports.iter().enumerate().filter(|(_, t)| record.serves(**t)) {
            let rank = (record.order, record.preference, place);
            ranked.push((rank, Lead { transport: *transport, to, name: record.replacement }));
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, lead)| lead).collect()
}

impl To {
    fn read(flags: &str) -> Option<Self> {
        match flags {
            "" => Some(Self::Naptr),
            "S" | "s" => Some(Self::Srv),
            "A" | "a" => Some(Self::Addresses),
            _ => None,
        }
    }
}

impl Naptr<'_> {
    fn serves(&self, transport: Transport) -> bool {
        let mut parts = self.services.split(':');
        let relays = parts.next().is_some_and(|service| service.eq_ignore_ascii_case("RELAY"));
        relays && parts.any(|protocol| protocol.eq_ignore_ascii_case(tag(transport)))
    }
}

const fn tag(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "turn.udp",
        Transport::Tcp => "turn.tcp",
        Transport::Tls => "turn.tls",
        Transport::Dtls => "turn.dtls",
    }
}
