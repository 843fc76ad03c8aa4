//! Between our candidates and the grammar of a candidate line, which `floe-sdp` owns (RFC 8839 §5.1).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use floe_sdp::{Address, CandidateLine, CandidateType};

use super::{Candidate, CandidateKind};
use crate::error::IgnoredReason;

impl Candidate {
    /// The candidate line, for signalling.
    #[must_use]
    pub fn to_line(&self) -> CandidateLine {
        let related = match self.kind {
            CandidateKind::Host => None,
            _ => Some(self.related.unwrap_or_else(|| hidden(self.address.ip()))),
        };
        CandidateLine {
            foundation: self.foundation.clone(),
            component: self.component.number,
            transport: floe_sdp::Transport::Udp,
            priority: self.priority,
            address: Address::Ip(self.address.ip()),
            port: self.address.port(),
            kind: match self.kind {
                CandidateKind::Host => CandidateType::Host,
                CandidateKind::ServerReflexive => CandidateType::ServerReflexive,
                CandidateKind::PeerReflexive => CandidateType::PeerReflexive,
                CandidateKind::Relayed => CandidateType::Relayed,
            },
            related: related.map(|address| (Address::Ip(address.ip()), address.port())),
            extensions: Vec::new(),
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_line().fmt(f)
    }
}

/// A related address that may not be told: the zero address and the discard port (RFC 8839 §5.1).
const fn hidden(like: IpAddr) -> SocketAddr {
    match like {
        IpAddr::V4(_) => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9),
        IpAddr::V6(_) => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 9),
    }
}

/// What a peer's candidate line means to us.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) component: u16,
    pub(crate) kind: CandidateKind,
    pub(crate) address: SocketAddr,
    pub(crate) priority: u32,
    pub(crate) foundation: String,
    pub(crate) related: Option<SocketAddr>,
    /// The generation it belongs to, where the line says so.
    pub(crate) ufrag: Option<String>,
}

pub(crate) fn read(line: &CandidateLine) -> Result<Read, IgnoredReason> {
    if !matches!(line.transport, floe_sdp::Transport::Udp) {
        return Err(IgnoredReason::Transport);
    }
    let Address::Ip(ip) = line.address else { return Err(IgnoredReason::Name) };
    let kind = match line.kind {
        CandidateType::Host => CandidateKind::Host,
        CandidateType::ServerReflexive => CandidateKind::ServerReflexive,
        CandidateType::PeerReflexive => CandidateKind::PeerReflexive,
        CandidateType::Relayed => CandidateKind::Relayed,
    };
    let related = match &line.related {
        Some((Address::Ip(ip), port)) => Some(SocketAddr::new(*ip, *port)),
        _ => None,
    };
    Ok(Read {
        component: line.component,
        kind,
        address: SocketAddr::new(ip.to_canonical(), line.port),
        priority: line.priority,
        foundation: line.foundation.clone(),
        related,
        ufrag: line.extension("ufrag").map(ToString::to_string),
    })
}
