//! Hand-made messages, each with the verdict it deserves: see `tests/corpora/NOTICE.md`.
//!
//! Every expectation of every case must be known here: judged, left to a crate above by name, or an exception
//! with its reason. One that is none of these fails the test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

use floe_stun::attribute::*;
use floe_stun::stream::{Cutter, Frame, Framing};
use floe_stun::{
    Builder, ChannelData, ChannelNumber, DecodeError, Integrity, Key, MAX_MESSAGE, Message, RawAttribute,
};
use serde_json::{Map, Value};

const STUN: &str = include_str!("../../../tests/corpora/torture/stun.jsonl");
const CHANNEL_DATA: &str = include_str!("../../../tests/corpora/torture/channeldata.jsonl");

/// Cases whose recorded framing verdict is "ok" and that we refuse to decode, with the reason.
///
/// The corpus lets a receiver choose between ignoring such an attribute and discarding the message. We discard:
/// a message whose seal cannot be what its definition says will never be believed, and refusing it in one place
/// leaves no state "sealed, but with nothing" for the readers behind.
const STRICTER: [(&str, &str); 14] = [
    ("badlen-MESSAGE-INTEGRITY-0", "the seal has 20 bytes (RFC 8489 §14.5)"),
    ("badlen-MESSAGE-INTEGRITY-4", "the seal has 20 bytes (RFC 8489 §14.5)"),
    ("badlen-MESSAGE-INTEGRITY-19", "the seal has 20 bytes (RFC 8489 §14.5)"),
    ("badlen-MESSAGE-INTEGRITY-21", "the seal has 20 bytes (RFC 8489 §14.5)"),
    ("badlen-MESSAGE-INTEGRITY-SHA256-0", "the seal has 16 to 32 bytes (RFC 8489 §14.6)"),
    ("badlen-MESSAGE-INTEGRITY-SHA256-4", "the seal has 16 to 32 bytes (RFC 8489 §14.6)"),
    ("badlen-MESSAGE-INTEGRITY-SHA256-12", "the seal has 16 to 32 bytes (RFC 8489 §14.6)"),
    ("badlen-MESSAGE-INTEGRITY-SHA256-15", "the seal has 16 to 32 bytes (RFC 8489 §14.6)"),
    ("badlen-MESSAGE-INTEGRITY-SHA256-33", "the seal has 16 to 32 bytes (RFC 8489 §14.6)"),
    ("badlen-MESSAGE-INTEGRITY-SHA256-36", "the seal has 16 to 32 bytes (RFC 8489 §14.6)"),
    ("badlen-FINGERPRINT-0", "the value is a CRC of 4 bytes (RFC 8489 §14.7)"),
    ("badlen-FINGERPRINT-3", "the value is a CRC of 4 bytes (RFC 8489 §14.7)"),
    ("badlen-FINGERPRINT-8", "the value is a CRC of 4 bytes (RFC 8489 §14.7)"),
    ("fp-not-last", "FINGERPRINT must be last (RFC 8489 §14.7)"),
];

/// Pieces of a TCP stream.
const STREAMS: [&str; 4] = ["tcp-ok", "tcp-partial-pad", "tcp-two-frames", "tcp-garbage"];

#[test]
fn every_stun_message_gets_its_verdict() {
    let cases: Vec<Case> = STUN.lines().map(Case::read).collect();
    assert_eq!(cases.len(), 178);
    let wrong: Vec<String> = cases.iter().filter_map(|case| judge(case).err()).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_exception_names_a_case_of_the_corpus() {
    let cases: Vec<Case> = STUN.lines().chain(CHANNEL_DATA.lines()).map(Case::read).collect();
    for id in STRICTER.iter().map(|(id, _)| id).chain(&STREAMS) {
        assert!(cases.iter().any(|case| case.id == *id), "{id}");
    }
}

#[test]
fn every_channel_data_message_gets_its_verdict() {
    let cases: Vec<Case> = CHANNEL_DATA.lines().map(Case::read).collect();
    assert_eq!(cases.len(), 13);
    for case in cases.iter().filter(|case| !STREAMS.contains(&case.id.as_str())) {
        let decoded = ChannelData::decode(&case.bytes);
        match (case.expect.get("channel"), case.expect.contains_key("error")) {
            (Some(channel), false) => {
                let decoded = decoded.unwrap();
                assert_eq!(Some(u64::from(decoded.channel.get())), channel.as_u64(), "{}", case.id);
                assert_eq!(decoded.data, from_hex(case.expect["data"].as_str().unwrap()), "{}", case.id);
            }
            (None, true) => assert!(decoded.is_err(), "{}", case.id),
            // Which channels are bound is the client's to know.
            _ => assert_eq!((case.id.as_str(), decoded.is_ok()), ("channel-unbound", true)),
        }
    }
}

#[test]
fn every_piece_of_a_stream_gets_its_verdict() {
    let cases = CHANNEL_DATA.lines().map(Case::read).filter(|case| STREAMS.contains(&case.id.as_str()));
    for case in cases {
        let (mut cutter, mut rest, mut frames) = (Cutter::new(Framing::Turn), &case.bytes[..], Vec::new());
        while let Some(frame) = cutter.cut(&mut rest).unwrap() {
            let Frame::ChannelData(frame) = frame else { panic!("{}: {frame:?}", case.id) };
            frames.push((u64::from(frame.channel.get()), frame.data.to_vec()));
        }
        for (key, want) in &case.expect {
            let met = match key.as_str() {
                "channel" => frames.iter().all(|frame| *want == frame.0),
                "data" => frames.len() == 1 && frames[0].1 == from_hex(want.as_str().unwrap()),
                "consumed" => *want == case.bytes.len() && rest.is_empty() && cutter.pending().is_none(),
                "need_more" => frames.is_empty() && *want == cutter.pending().unwrap().missing,
                "frames" => *want == frames.len(),
                // Only its owner knows that nothing is bound, and is told before the rest comes.
                "error" => cutter.pending().unwrap().channel == ChannelNumber::new(0x4745),
                _ => false,
            };
            assert!(met, "{}: not {key} = {want}", case.id);
        }
    }
}

struct Case {
    id: String,
    bytes: Vec<u8>,
    decodes: bool,
    expect: Map<String, Value>,
}

impl Case {
    fn read(line: &str) -> Self {
        let case: Value = serde_json::from_str(line).unwrap();
        let id = case["id"].as_str().unwrap().to_owned();
        let bytes = case["hex"].as_str().map_or_else(|| largest(&id), from_hex);
        let expect = case["expect"].as_object().unwrap().clone();
        Self { id, bytes, decodes: case["decode"] == "ok", expect }
    }
}

/// The two cases of 65,552 bytes: a header and 16,383 empty attributes.
fn largest(id: &str) -> Vec<u8> {
    let kind = |n: u16| match id {
        "many-empty-attrs" => Software::TYPE,
        "many-unknown-required" => 0x7000 + n % 0xFFF,
        _ => panic!("{id} has no bytes"),
    };
    let mut bytes = from_hex("0001fffc2112a4420102030405060708090a0b0c");
    for n in 0..0x3FFF {
        bytes.extend(kind(n).to_be_bytes());
        bytes.extend([0, 0]);
    }
    assert_eq!(bytes.len(), MAX_MESSAGE);
    bytes
}

fn judge(case: &Case) -> Result<(), String> {
    let stricter = STRICTER.iter().any(|(id, _)| *id == case.id);
    match (Message::decode(&case.bytes), case.decodes) {
        (Err(_), true) if stricter => Ok(()),
        (Ok(_), true) if stricter => Err(format!("{}: decodes, so it is no exception any more", case.id)),
        (Err(error), true) => Err(format!("{}: refused: {error}", case.id)),
        (Ok(_), false) => Err(format!("{}: decodes, expected {:?}", case.id, case.expect)),
        (Err(error), false) => {
            let want = case.expect["error"].as_str().unwrap();
            if is_error(error, want) {
                Ok(())
            } else {
                Err(format!("{}: {error:?}, expected {want}", case.id))
            }
        }
        (Ok(message), true) => judge_message(case, &message),
    }
}

fn is_error(error: DecodeError, want: &str) -> bool {
    match want {
        "Truncated" => matches!(error, DecodeError::Truncated { .. }),
        "TrailingBytes" => matches!(error, DecodeError::TrailingBytes { .. }),
        "BadLength" => matches!(error, DecodeError::UnalignedLength { .. }),
        "NotStun" => matches!(error, DecodeError::NotStun { .. } | DecodeError::NoCookie { .. }),
        "AttributeOverrun" => matches!(error, DecodeError::AttributeOverrun { .. }),
        _ => false,
    }
}

fn judge_message(case: &Case, message: &Message<'_>) -> Result<(), String> {
    for (key, want) in &case.expect {
        if !meets(message, &case.id, key, want) {
            return Err(format!("{}: not {key} = {want}", case.id));
        }
    }
    Ok(())
}

fn meets(message: &Message<'_>, id: &str, key: &str, want: &Value) -> bool {
    let text = || want.as_str().unwrap();
    let shown = || message.attributes().map(shown_name);
    match key {
        // Truncation is "reject unless the usage allows it", and none does.
        "integrity" | "integrity_sha256" => {
            message.verify(&key_of_the_corpus()).is_ok() == want.as_bool().unwrap_or(false)
        }
        "fingerprint" => message.fingerprint().map_or(*want == false, |right| right == *want),
        "visible" => shown().eq(want.as_array().unwrap().iter().map(|name| name.as_str().unwrap())),
        "not_visible" => want.as_array().unwrap().iter().all(|name| shown().all(|seen| seen != *name)),
        "no_420" => message.unknown_required().next().is_none() == *want,
        "peers" => peers(message).eq(want.as_array().unwrap().iter().map(|peer| peer.as_str().unwrap())),
        "typed_error" => matches!(typed(message, text()), Some(Err(_))),
        "typed_error_or_lossy" => typed(message, text()).is_some(),
        "XOR-MAPPED-ADDRESS" => message.find() == Some(XorMappedAddress(text().parse().unwrap())),
        "USERNAME" => is_text(message.find().map(|Username(text)| text), text()),
        "REALM" => is_text(message.find().map(|Realm(text)| text), text()),
        "NONCE" => is_text(message.find().map(|Nonce(text)| text), text()),
        "SOFTWARE" => is_text(message.find().map(|Software(text)| text), text()),
        "ERROR-CODE" => message.find::<ErrorCode<'_>>().is_some_and(|error| *want == error.code),
        "reason" => message.find::<ErrorCode<'_>>().is_some(),
        "UNKNOWN-ATTRIBUTES" => {
            let types = message.find::<UnknownAttributes<'_>>();
            types.is_some_and(|types| *want == types.iter().collect::<Value>())
        }
        "type" => written_again(message)[..2] == u16::try_from(want.as_u64().unwrap()).unwrap().to_be_bytes(),
        "time" => message.attributes().count() == 0x3FFF,
        "agent" | "client" | "server" => as_far_as_bytes_tell(message, id),
        _ => false,
    }
}

/// What crates above decide upon, seen from here.
fn as_far_as_bytes_tell(message: &Message<'_>, id: &str) -> bool {
    match id {
        "request-unknown-required" | "indication-unknown-required" => message.unknown_required().eq([0x7FFE]),
        "many-unknown-required" => message.unknown_required().count() == 0x3FFF,
        "response-no-mapped" => !message.has(XorMappedAddress::TYPE),
        "turn-refresh-no-lifetime" => !message.has(Lifetime::TYPE),
        "turn-alloc-no-relayed" => !message.has(XorRelayedAddress::TYPE),
        "turn-data-ind-no-peer" => !message.has(XorPeerAddress::TYPE),
        "turn-channel-3fff" => {
            let number = message.find::<ChannelNumberAttribute>().map(|number| number.0);
            number == Some(0x3FFF) && ChannelNumber::new(0x3FFF).is_none()
        }
        _ => message.attributes().all(|raw| !matches!(typed(message, &shown_name(raw)), Some(Err(_)))),
    }
}

fn shown_name(raw: RawAttribute<'_>) -> String {
    name(raw.kind).map_or_else(|| format!("{:#06x}", raw.kind), str::to_owned)
}

/// An expected text is the text itself, or "5 bytes incl. NUL" where it would not print.
fn is_text(have: Option<&str>, want: &str) -> bool {
    let len = want.split_once(" bytes").and_then(|(len, _)| len.parse().ok());
    have.is_some_and(|have| len.map_or(have == want, |len: usize| have.len() == len))
}

fn peers(message: &Message<'_>) -> impl Iterator<Item = String> {
    let peers = message.attributes().filter(|raw| raw.kind == XorPeerAddress::TYPE);
    peers.map(|raw| XorPeerAddress::decode(raw.value, message.id()).unwrap().0.to_string())
}

fn written_again(message: &Message<'_>) -> Vec<u8> {
    let mut buf = [0; 20];
    Builder::new(&mut buf, message.class(), message.method(), message.id()).finish().unwrap().to_vec()
}

/// Reads the attribute of this name by its type: `None` if it is not there or not known.
fn typed(message: &Message<'_>, name: &str) -> Option<Result<(), DecodeError>> {
    macro_rules! by_name {
        ($($text:literal => $type:ty,)*) => {
            match name {
                $($text => message.get::<$type>().map(|read| read.map(drop)),)*
                _ => None,
            }
        };
    }
    by_name! {
        "MAPPED-ADDRESS" => MappedAddress,
        "USERNAME" => Username<'_>,
        "ERROR-CODE" => ErrorCode<'_>,
        "UNKNOWN-ATTRIBUTES" => UnknownAttributes<'_>,
        "CHANNEL-NUMBER" => ChannelNumberAttribute,
        "LIFETIME" => Lifetime,
        "XOR-PEER-ADDRESS" => XorPeerAddress,
        "REALM" => Realm<'_>,
        "NONCE" => Nonce<'_>,
        "XOR-RELAYED-ADDRESS" => XorRelayedAddress,
        "REQUESTED-ADDRESS-FAMILY" => RequestedAddressFamily,
        "EVEN-PORT" => EvenPort,
        "REQUESTED-TRANSPORT" => RequestedTransport,
        "PASSWORD-ALGORITHM" => PasswordAlgorithm,
        "USERHASH" => UserHash,
        "XOR-MAPPED-ADDRESS" => XorMappedAddress,
        "RESERVATION-TOKEN" => ReservationToken,
        "PRIORITY" => Priority,
        "USE-CANDIDATE" => UseCandidate,
        "PASSWORD-ALGORITHMS" => PasswordAlgorithms<'_>,
        "ICMP" => IcmpAttribute,
        "SOFTWARE" => Software<'_>,
        "ICE-CONTROLLED" => IceControlled,
        "ICE-CONTROLLING" => IceControlling,
    }
}

fn key_of_the_corpus() -> Key {
    Key::short_term("VOkJxbRl1RmTxUk/WvJxBt")
}

/// The corpus has one message that is sealed twice; our verdict comes from the stronger seal.
#[test]
fn of_two_seals_the_stronger_one_decides() {
    let case = STUN.lines().map(Case::read).find(|case| case.id == "mi-then-mi256-then-fp").unwrap();
    let message = Message::decode(&case.bytes).unwrap();
    assert_eq!(message.verify(&key_of_the_corpus()).unwrap().by(), Integrity::Sha256);
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
