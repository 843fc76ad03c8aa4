//! Whole captures, packet by packet: every message that went over the wires, TCP streams put together again.

use std::collections::{BTreeMap, BTreeSet};

use floe_stun::attribute::{Data, Username};
use floe_stun::stream::{Cutter, Frame, Framing};
use floe_stun::{ChannelData, Class, Key, Message, TransactionId};

use crate::browsers::{Keys, check_seals};
use crate::folders::File;

pub(crate) fn judge(files: &[File]) {
    let mut messages = BTreeSet::new();
    for file in files {
        let capture = Capture::read(&file.bytes);
        capture.datagrams.iter().for_each(|datagram| collect(datagram, &mut messages));
        for stream in capture.streams.values() {
            collect_from_stream(&assembled(stream), &mut messages);
        }
    }
    let messages: Vec<Message<'_>> = messages.iter().map(|bytes| Message::decode(bytes).unwrap()).collect();
    let keys = asked_with(&messages);
    for message in &messages {
        let key = keys.get(&message.id()).filter(|_| message.has_integrity());
        check_seals(&format!("{message:?}"), message, key);
    }
    let sealed = messages.iter().filter(|message| message.has_integrity()).count();
    println!("{} distinct messages, {sealed} of them sealed", messages.len());
    assert_eq!((messages.len(), sealed), (408, 197));
}

/// A message, and those that are relayed in it.
fn collect(packet: &[u8], messages: &mut BTreeSet<Vec<u8>>) {
    if Message::is_probably(packet) {
        let message = Message::decode(packet).unwrap_or_else(|error| panic!("{error}: {packet:02x?}"));
        messages.insert(packet.to_vec());
        if let Some(Data(data)) = message.find() {
            collect(data, messages);
        }
    } else if ChannelData::is_probably(packet)
        && let Ok(read) = ChannelData::decode(packet)
    {
        collect(read.data, messages);
    }
}

fn collect_from_stream(stream: &[u8], messages: &mut BTreeSet<Vec<u8>>) {
    let (mut cutter, mut rest) = (Cutter::new(Framing::Turn), stream);
    while let Some(frame) = cutter.cut(&mut rest).unwrap() {
        match frame {
            Frame::Stun(bytes) => collect(bytes, messages),
            Frame::ChannelData(read) => collect(read.data, messages),
            Frame::Packet(_) => panic!("another framing"),
        }
    }
    assert_eq!(cutter.pending(), None, "streams end between frames");
}

/// The key of each transaction: that of its request, by the receiver's half of the user name, or the one that fits.
fn asked_with(messages: &[Message<'_>]) -> BTreeMap<TransactionId, Key> {
    let keys = Keys::of_the_captures();
    let key_of = |request: &Message<'_>| {
        let Username(name) = request.find().expect("a sealed request names its user");
        match name.split_once(':') {
            Some((ufrag, _)) => keys.of(&format!("ice:{ufrag}")),
            None => keys.iter().find(|key| request.verify(key).is_ok()),
        }
    };
    let sealed =
        messages.iter().filter(|message| message.class() == Class::Request && message.has_integrity());
    sealed.map(|request| (request.id(), key_of(request).expect("its key is known").clone())).collect()
}

/// Addresses and ports of one direction, as they stand in the packets.
type Flow = Vec<u8>;

/// Segments by their sequence numbers.
type Segments = BTreeMap<u32, Vec<u8>>;

/// The datagrams of a capture in their order, and what went over each direction of each connection.
struct Capture {
    datagrams: Vec<Vec<u8>>,
    streams: BTreeMap<Flow, Segments>,
}

impl Capture {
    /// Little-endian pcap with Linux cooked headers of the second version.
    fn read(bytes: &[u8]) -> Self {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((number(0), number(20)), (0xA1B2_C3D4, 276), "pcap, LINKTYPE_LINUX_SLL2");
        let mut capture = Self { datagrams: Vec::new(), streams: BTreeMap::new() };
        let mut at = 24;
        while at < bytes.len() {
            let len = number(at + 8) as usize;
            assert_eq!(number(at + 12) as usize, len, "whole packets");
            capture.take(&bytes[at + 16 + 20..at + 16 + len]);
            at += 16 + len;
        }
        capture
    }

    fn take(&mut self, packet: &[u8]) {
        let (addresses, protocol, payload) = match packet[0] >> 4 {
            4 => {
                let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
                (&packet[12..20], packet[9], &packet[usize::from(packet[0] & 15) * 4..total])
            }
            6 => (&packet[8..40], packet[6], &packet[40..]),
            other => panic!("version {other} of IP"),
        };
        match protocol {
            6 => self.take_segment(addresses, payload),
            17 => self.datagrams.push(payload[8..].to_vec()),
            _ => {}
        }
    }

    fn take_segment(&mut self, addresses: &[u8], segment: &[u8]) {
        let data = &segment[usize::from(segment[12] >> 4) * 4..];
        if !data.is_empty() {
            let flow = [addresses, &segment[..4]].concat();
            let sequence = u32::from_be_bytes(segment[4..8].try_into().unwrap());
            self.streams.entry(flow).or_default().insert(sequence, data.to_vec());
        }
    }
}

/// The bytes of a stream. No sequence number wraps here, and nothing was sent again in other pieces.
fn assembled(segments: &Segments) -> Vec<u8> {
    let mut next = None;
    for (sequence, data) in segments {
        assert!(next.is_none_or(|next| next == *sequence), "a gap");
        next = Some(*sequence + u32::try_from(data.len()).unwrap());
    }
    segments.values().flatten().copied().collect()
}
