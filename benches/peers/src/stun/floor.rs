//! The floor: the same work by hand, nothing but the work named. What `cargo bench --bench stun` has is shared
//! with it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{Codec, Eye, Facts};
use crate::Row;
use crate::floor as by_hand;

pub(crate) struct Floor {
    key: by_hand::Key,
    buf: [u8; 256],
}

impl Codec for Floor {
    const NAME: &'static str = "floor";
    const ABSENT: &'static [(Row, &'static str)] =
        &[(Row::UnknownRequired, "has no list of what it knows beyond the check")];

    fn new(facts: &Facts) -> Self {
        Self { key: by_hand::Key::new(facts.password), buf: [0; 256] }
    }

    fn read_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(check) = by_hand::decode(packet) else { return false };
        show(&check, eye);
        true
    }

    fn verify_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(check) = by_hand::decode_and_verify(packet, &self.key) else { return false };
        show(&check, eye);
        true
    }

    fn read_success(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(address) = mapped(packet) else { return false };
        eye.address(address);
        true
    }

    fn read_data(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some((peer, payload)) = by_hand::data_indication(packet) else { return false };
        eye.data(peer.into(), payload);
        true
    }

    fn write_check(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let packet = by_hand::encode_check(&mut self.buf, &self.key, facts.id, facts.username);
        eye.packet(packet.expect("there is room"));
    }

    fn write_success(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let SocketAddr::V4(mapped) = facts.mapped else { panic!("the floor writes IPv4") };
        let packet = by_hand::encode_success(&mut self.buf, &self.key, facts.id, mapped);
        eye.packet(packet.expect("there is room"));
    }
}

fn show(check: &by_hand::Check<'_>, eye: &mut impl Eye) {
    eye.check(check.username, check.priority, check.tie_breaker, check.nominates);
}

/// Header and attributes of a Binding success in one pass.
fn mapped(packet: &[u8]) -> Option<SocketAddr> {
    let (header, mut rest) = packet.split_first_chunk::<20>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[..2] != [0x01, 0x01] || header[4..8] != COOKIE || length != rest.len() || length % 4 != 0 {
        return None;
    }
    let mut mapped = None;
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = after.get(..len)?;
        match u16::from_be_bytes([head[0], head[1]]) {
            XOR_MAPPED_ADDRESS if mapped.is_none() => mapped = Some(value),
            XOR_MAPPED_ADDRESS | INTEGRITY => {}
            required if required < 0x8000 => return None,
            _ => {}
        }
        rest = after.get(len.next_multiple_of(4)..)?;
    }
    xor_address(mapped?, packet)
}

/// The cookie and the transaction id are the mask, and stand in the packet in this order.
fn xor_address(value: &[u8], packet: &[u8]) -> Option<SocketAddr> {
    let mask: &[u8; 16] = packet.get(4..20)?.try_into().ok()?;
    let (&[_, family, p0, p1], ip) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([p0 ^ mask[0], p1 ^ mask[1]]);
    let ip = match (family, ip.len()) {
        (1, 4) => IpAddr::from([ip[0] ^ mask[0], ip[1] ^ mask[1], ip[2] ^ mask[2], ip[3] ^ mask[3]]),
        (2, 16) => {
            let ip: &[u8; 16] = ip.try_into().ok()?;
            Ipv6Addr::from(u128::from_be_bytes(*ip) ^ u128::from_be_bytes(*mask)).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
