//! The packets that are read, and what has to be true of those that are written.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use floe_stun::attribute::{
    Data, IceControlling, Priority, UseCandidate, Username, XorMappedAddress, XorPeerAddress,
};
use floe_stun::{Builder, Class, Key, Message, Method, TransactionId};

use super::Facts;
use crate::Row;

pub(crate) const MAPPED_V6: SocketAddr =
    SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::new(0x2001, 0xDB8, 1, 2, 3, 4, 5, 6), 40_000, 0, 0));
pub(crate) const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 9), 50_000));
pub(crate) const PAYLOAD: [u8; 1200] = [0x5A; 1200];

#[derive(Debug)]
pub(crate) struct Packets {
    check: Vec<u8>,
    success_v4: Vec<u8>,
    success_v6: Vec<u8>,
    data: Vec<u8>,
    past_end: Vec<u8>,
    noise: Vec<u8>,
    unknown_required: Vec<u8>,
    many_unknown: Vec<u8>,
    many_usernames: Vec<u8>,
    /// The check with one bit of MESSAGE-INTEGRITY turned and FINGERPRINT right.
    pub(crate) forged: Vec<u8>,
    /// The check with FINGERPRINT wrong.
    pub(crate) wrong_fingerprint: Vec<u8>,
}

impl Packets {
    pub(crate) fn new(facts: &Facts) -> Self {
        let check = signed(facts, Class::Request, |builder| fill(builder, facts));
        let mut wrong_fingerprint = check.clone();
        *wrong_fingerprint.last_mut().expect("there is a last byte") ^= 1;
        Self {
            success_v4: signed(facts, Class::Success, |builder| {
                builder.attribute(&XorMappedAddress(facts.mapped))
            }),
            success_v6: signed(facts, Class::Success, |builder| {
                builder.attribute(&XorMappedAddress(MAPPED_V6))
            }),
            data: data(facts),
            past_end: past_end(&check),
            // The first byte of RTP: what a shared socket brings most.
            noise: vec![0x80; 1200],
            unknown_required: signed(facts, Class::Request, |builder| {
                fill(unknown(unknown(unknown(builder, 0x7F01), 0x7F02), 0x7F03), facts)
            }),
            many_unknown: many(&check, &[0xC0, 0xDE, 0, 0], 16_383),
            many_usernames: many(&check, &[0, 6, 0, 4, b'a', b':', b'b', b'c'], 8_191),
            forged: forged(&check),
            wrong_fingerprint,
            check,
        }
    }

    /// What is read in this row; empty where something is written.
    pub(crate) fn of(&self, row: Row) -> &[u8] {
        match row {
            Row::ReadCheck | Row::VerifyCheck => &self.check,
            Row::ReadSuccessV4 => &self.success_v4,
            Row::ReadSuccessV6 => &self.success_v6,
            Row::ReadData => &self.data,
            Row::Truncated => &self.check[..50],
            Row::PastEnd => &self.past_end,
            Row::Noise => &self.noise,
            Row::UnknownRequired => &self.unknown_required,
            Row::ManyUnknown => &self.many_unknown,
            Row::ManyUsernames => &self.many_usernames,
            _ => &[],
        }
    }
}

/// A Binding indication, for codecs that learn an id only by reading it.
pub(crate) fn header(facts: &Facts) -> [u8; 20] {
    let mut packet = [0; 20];
    packet[..8].copy_from_slice(&[0x00, 0x11, 0, 0, 0x21, 0x12, 0xA4, 0x42]);
    packet[8..].copy_from_slice(&facts.id);
    packet
}

/// Panics unless it is the check, as our own decoder reads it.
pub(crate) fn must_be_the_check(packet: &[u8], facts: &Facts, name: &str) {
    let message = verified(packet, facts, name);
    assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING), "{name}");
    assert_eq!(message.find(), Some(Username(facts.username)), "{name}");
    assert_eq!(message.find(), Some(Priority(facts.priority)), "{name}");
    assert_eq!(message.find(), Some(IceControlling(facts.controlling)), "{name}");
    assert_eq!(message.find(), Some(UseCandidate), "{name}");
    assert_eq!(packet.len(), 92, "{name}");
}

/// Panics unless it is the success.
pub(crate) fn must_be_the_success(packet: &[u8], facts: &Facts, name: &str) {
    let message = verified(packet, facts, name);
    assert_eq!((message.class(), message.method()), (Class::Success, Method::BINDING), "{name}");
    assert_eq!(message.find(), Some(XorMappedAddress(facts.mapped)), "{name}");
    assert_eq!(packet.len(), 64, "{name}");
}

fn verified<'a>(packet: &'a [u8], facts: &Facts, name: &str) -> Message<'a> {
    let message = Message::decode(packet).unwrap_or_else(|error| panic!("{name} wrote no message: {error}"));
    assert_eq!(message.id(), TransactionId::from(facts.id), "{name}");
    assert_eq!(message.fingerprint(), Some(true), "{name} wrote a wrong FINGERPRINT");
    let key = Key::short_term(facts.password);
    assert!(message.verify(&key).is_ok(), "{name} wrote a wrong MESSAGE-INTEGRITY");
    message
}

fn fill<'b>(builder: Builder<'b>, facts: &Facts) -> Builder<'b> {
    builder
        .attribute(&Username(facts.username))
        .attribute(&Priority(facts.priority))
        .attribute(&IceControlling(facts.controlling))
        .attribute(&UseCandidate)
}

fn unknown(builder: Builder<'_>, kind: u16) -> Builder<'_> {
    builder.attribute_as(kind, &Priority(1))
}

fn signed(facts: &Facts, class: Class, fill: impl Fn(Builder<'_>) -> Builder<'_>) -> Vec<u8> {
    let key = Key::short_term(facts.password);
    let mut buf = [0; 256];
    let builder = Builder::new(&mut buf, class, Method::BINDING, TransactionId::from(facts.id));
    fill(builder).integrity(&key).fingerprint().finish().expect("there is room").to_vec()
}

fn data(facts: &Facts) -> Vec<u8> {
    let mut buf = [0; 1500];
    Builder::new(&mut buf, Class::Indication, Method::DATA, TransactionId::from(facts.id))
        .attribute(&XorPeerAddress(PEER))
        .attribute(&Data(&PAYLOAD))
        .finish()
        .expect("there is room")
        .to_vec()
}

/// The last attribute, FINGERPRINT, claims four bytes too many.
fn past_end(check: &[u8]) -> Vec<u8> {
    let mut packet = check.to_vec();
    let length = packet.len() - 5;
    packet[length] = 8;
    packet
}

fn many(check: &[u8], attribute: &[u8], count: usize) -> Vec<u8> {
    let length = u16::try_from(attribute.len() * count).expect("as much as fits").to_be_bytes();
    let mut packet = check[..20].to_vec();
    packet[2..4].copy_from_slice(&length);
    packet.extend(attribute.repeat(count));
    packet
}

fn forged(check: &[u8]) -> Vec<u8> {
    let mut packet = check.to_vec();
    let (covered, fingerprint) = packet.split_at_mut(check.len() - 8);
    *covered.last_mut().expect("there is MESSAGE-INTEGRITY") ^= 1;
    fingerprint[4..].copy_from_slice(&(crc32fast::hash(covered) ^ 0x5354_554E).to_be_bytes());
    packet
}
