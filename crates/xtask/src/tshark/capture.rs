//! Messages as they look on the wire, in a file of pcap.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep};
use floe_stun::{ChannelData, Message};

use super::Sample;

/// Gives the file, and of the samples those that are in it, in its order.
pub(crate) type Write = fn(&[Sample]) -> (Vec<u8>, Vec<Sample>);

/// One packet for each message that fits one, by turns over IPv4 and IPv6.
pub(crate) fn datagrams(samples: &[Sample]) -> (Vec<u8>, Vec<Sample>) {
    let mut file = header();
    let sent: Vec<Sample> = samples.iter().filter(|sample| sample.bytes.len() <= MOST).cloned().collect();
    for (n, sample) in sent.iter().enumerate() {
        let ip = if n % 2 == 0 { ipv4() } else { ipv6() };
        let mut packet = Vec::new();
        // Of a size that fits it can be written.
        let _ = ip.udp(CLIENT_PORT, SERVER_PORT).write(&mut packet, &sample.bytes);
        append(&mut file, n, &packet);
    }
    (file, sent)
}

/// One connection with all messages that a stream can carry, cut where it happens to be.
pub(crate) fn connection(samples: &[Sample]) -> (Vec<u8>, Vec<Sample>) {
    let sent: Vec<Sample> = samples.iter().filter(|sample| can_stream(&sample.bytes)).cloned().collect();
    let stream = sent.iter().map(|sample| &sample.bytes[..]).collect::<Vec<_>>().concat();
    let mut file = header();
    let (mut n, mut sequence) = (0, ISN);
    let mut packets = vec![(true, &[][..])];
    packets.extend(stream.chunks(SEGMENT).map(|data| (false, data)));
    for (syn, data) in packets {
        let mut packet = Vec::new();
        let tcp = ipv4().tcp(CLIENT_PORT, SERVER_PORT, sequence, 65_535);
        let tcp = if syn { tcp.syn() } else { tcp.ack(1).psh() };
        let _ = tcp.write(&mut packet, data);
        append(&mut file, n, &packet);
        sequence = sequence.wrapping_add(u32::from(syn)).wrapping_add(u32::try_from(data.len()).unwrap_or(0));
        n += 1;
    }
    (file, sent)
}

/// What a datagram over IPv4 can carry.
const MOST: usize = 65_507;

/// No multiple of four, so that headers are cut too.
const SEGMENT: usize = 1391;

/// So that the numbers go around.
const ISN: u32 = u32::MAX - 1000;

const CLIENT_PORT: u16 = 50_000;
const SERVER_PORT: u16 = 3478;

/// Whether a reader that only has the headers finds the next message behind it.
fn can_stream(bytes: &[u8]) -> bool {
    let Some(&[first, second, l0, l1]) = bytes.first_chunk::<4>() else { return false };
    if [first, second] == CONNECTION_BIND_SUCCESS {
        return false;
    }
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    match first {
        0x00..=0x03 => Message::decode(bytes).is_ok(),
        0x40..=0x4F => bytes.len() == (ChannelData::HEADER_LEN + length).next_multiple_of(4),
        _ => false,
    }
}

/// Behind it the connection carries what a peer sends, and no messages any more (RFC 6062 §5.4).
const CONNECTION_BIND_SUCCESS: [u8; 2] = [0x01, 0x0B];

fn ipv4() -> PacketBuilderStep<IpHeaders> {
    PacketBuilder::ipv4(Ipv4Addr::new(192, 0, 2, 1).octets(), Ipv4Addr::new(192, 0, 2, 2).octets(), 64)
}

fn ipv6() -> PacketBuilderStep<IpHeaders> {
    let address = |last| Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, last).octets();
    PacketBuilder::ipv6(address(1), address(2), 64)
}

/// LINKTYPE_RAW: packets begin with their IP header.
fn header() -> Vec<u8> {
    let fields = [0xA1B2_C3D4, 0x0004_0002, 0, 0, 0x0004_0000, 101];
    fields.map(u32::to_le_bytes).concat()
}

fn append(file: &mut Vec<u8>, n: usize, packet: &[u8]) {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let len = number(packet.len());
    file.extend([1_700_000_000, number(n), len, len].map(u32::to_le_bytes).concat());
    file.extend(packet);
}
