//! From a captured packet down to what UDP or TCP carries in it.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::Linktype;

/// What a packet is to us.
#[derive(Debug)]
pub(crate) enum Seen<'a> {
    Udp(Flow, &'a [u8]),
    Tcp(Flow, Segment<'a>),
    /// A part of an IP packet.
    Fragment,
    /// Anything else.
    Other,
    /// A link type that is not read.
    Unread,
}

/// One direction between two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flow {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

impl Flow {
    pub(crate) const fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

/// A piece of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    /// The number of its first byte, or of its SYN.
    pub(crate) sequence: u32,
    pub(crate) syn: bool,
    /// The sender has no more, by FIN or RST.
    pub(crate) ends: bool,
    pub(crate) data: &'a [u8],
}

/// Looks into a packet of this link type.
pub(crate) fn look(link: Linktype, packet: &[u8]) -> Seen<'_> {
    let Some(read) = slice(link) else { return Seen::Unread };
    match read(packet) {
        Some(packet) => seen(&packet),
        None => Seen::Other,
    }
}

type Slice = for<'a> fn(&'a [u8]) -> Option<LaxSlicedPacket<'a>>;

/// How packets of a link type begin; see tcpdump.org/linktypes.html.
fn slice(link: Linktype) -> Option<Slice> {
    Some(match link {
        Linktype::ETHERNET => |packet| LaxSlicedPacket::from_ethernet(packet).ok(),
        Linktype::LINUX_SLL => |packet| behind(packet, 14, 16),
        Linktype::LINUX_SLL2 => |packet| behind(packet, 0, 20),
        // Four bytes of an address family that each system numbers its own way.
        Linktype::NULL | Linktype::LOOP => |packet| LaxSlicedPacket::from_ip(packet.get(4..)?).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 | BSD_RAW | OPENBSD_RAW => {
            |packet| LaxSlicedPacket::from_ip(packet).ok()
        }
        _ => return None,
    })
}

/// Numbers that files have for raw IP, though LINKTYPE_RAW is 101.
const BSD_RAW: Linktype = Linktype(12);
const OPENBSD_RAW: Linktype = Linktype(14);

/// A header of `len` bytes with an EtherType at `at`.
fn behind(packet: &[u8], at: usize, len: usize) -> Option<LaxSlicedPacket<'_>> {
    let kind = u16::from_be_bytes(*packet.get(at..)?.first_chunk()?);
    Some(LaxSlicedPacket::from_ether_type(EtherType(kind), packet.get(len..)?))
}

fn seen<'a>(packet: &LaxSlicedPacket<'a>) -> Seen<'a> {
    let addresses = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            (IpAddr::from(header.source_addr()), IpAddr::from(header.destination_addr()))
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            (IpAddr::from(header.source_addr()), IpAddr::from(header.destination_addr()))
        }
        _ => return Seen::Other,
    };
    let flow =
        |from, to| Flow { from: SocketAddr::new(addresses.0, from), to: SocketAddr::new(addresses.1, to) };
    match &packet.transport {
        Some(TransportSlice::Udp(udp)) => {
            Seen::Udp(flow(udp.source_port(), udp.destination_port()), udp.payload())
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let segment = Segment {
                sequence: tcp.sequence_number(),
                syn: tcp.syn(),
                ends: tcp.fin() || tcp.rst(),
                data: tcp.payload(),
            };
            Seen::Tcp(flow(tcp.source_port(), tcp.destination_port()), segment)
        }
        _ if packet.ip_payload().is_some_and(|payload| payload.fragmented) => Seen::Fragment,
        _ => Seen::Other,
    }
}
