//! What we take a thing for, in a line for a person to judge.

use floe_sdp::{CandidateLine, Edit, ParseError, SessionDescription};
use floe_stun::attribute::*;
use floe_stun::stream::{Cutter, Frame, Framing};
use floe_stun::{ChannelData, DecodeError, Integrity, Key, Message, RawAttribute};

/// A datagram; if it is none, what it is as a stream.
pub(crate) fn packet(bytes: &[u8]) -> String {
    let refused = match datagram(bytes) {
        Ok(verdict) => return verdict,
        Err(refused) => refused,
    };
    let streams = [(Framing::Turn, "a stream to a TURN server"), (Framing::Rfc4571, "a stream of RFC 4571")];
    for (framing, name) in streams {
        if let Some(frames) = stream(framing, bytes) {
            return format!("{refused}; as {name} {frames}");
        }
    }
    refused
}

fn datagram(bytes: &[u8]) -> Result<String, String> {
    if ChannelData::is_probably(bytes) {
        return match ChannelData::decode(bytes) {
            Ok(read) => Ok(channel_data(&read, bytes)),
            Err(error) => Err(format!("no ChannelData: {error}")),
        };
    }
    match Message::decode(bytes) {
        Ok(read) => Ok(message(&read)),
        Err(error) => Err(format!("no message: {error}")),
    }
}

fn channel_data(read: &ChannelData<'_>, bytes: &[u8]) -> String {
    let len = ChannelData::HEADER_LEN + read.data.len();
    let header = ChannelData::header(read.channel, u16::try_from(read.data.len()).unwrap());
    assert_eq!([&header[..], read.data].concat(), bytes[..len], "it is written as it was read");
    let behind = if bytes.len() > len { format!(", {} behind", bytes.len() - len) } else { String::new() };
    format!("ChannelData {:#06x}, {} bytes{behind}", read.channel.get(), read.data.len())
}

/// The frames of a stream, unless the very first is none or it has only accidental ones.
fn stream(framing: Framing, bytes: &[u8]) -> Option<String> {
    let (mut cutter, mut rest, mut frames) = (Cutter::new(framing), bytes, Vec::new());
    let end = loop {
        match cutter.cut(&mut rest) {
            Ok(Some(Frame::Stun(bytes) | Frame::Packet(bytes))) => frames.push(datagram(bytes)),
            Ok(Some(Frame::ChannelData(data))) => {
                frames.push(Ok(format!("ChannelData {:#06x}", data.channel.get())))
            }
            Ok(None) => break cutter.pending().map(|pending| format!("{} bytes of another", pending.have)),
            Err(error) => break Some(error.to_string()),
        }
    };
    let frames: Vec<String> =
        frames.into_iter().collect::<Result<_, _>>().ok().filter(|f: &Vec<_>| !f.is_empty())?;
    let end = end.map_or(String::new(), |end| format!(", then {end}"));
    Some(format!("{} frames{end}: {}", frames.len(), frames.join(" | ")))
}

fn message(message: &Message<'_>) -> String {
    let shown: Vec<String> = message.attributes().map(|raw| attribute(message, raw)).collect();
    let shown = if shown.is_empty() { "nothing".to_owned() } else { shown.join(" ") };
    let mut verdict = format!("{} {:?}: {shown}", message.method(), message.class());
    if message.has_integrity() {
        verdict += "; sealed";
        if let Some(by) = known_key(message) {
            verdict += match by {
                Integrity::Sha1 => " by SHA-1 with a key of the RFCs",
                Integrity::Sha256 => " by SHA-256 with a key of the RFCs",
            };
        }
    }
    match message.fingerprint() {
        Some(true) => verdict += "; fingerprint right",
        Some(false) => verdict += "; fingerprint WRONG",
        None => {}
    }
    let unknown: Vec<String> = message.unknown_required().map(|kind| format!("{kind:#06x}")).collect();
    if !unknown.is_empty() {
        verdict += &format!("; to be understood: {}", unknown.join(" "));
    }
    verdict
}

/// Many seeds are the vectors of RFC 5769 and 8489.
fn known_key(message: &Message<'_>) -> Option<Integrity> {
    let (user, realm) = ("\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}", "example.org");
    let password = floe_stun::Password::new("TheMatrIX");
    let keys = [
        Key::short_term("VOkJxbRl1RmTxUk/WvJxBt"),
        Key::long_term_md5(user, realm, &password),
        Key::long_term_sha256(user, realm, &password),
    ];
    keys.iter().find_map(|key| message.verify(key).ok()).map(|message| message.by())
}

/// Its name, with the value where that is short and says something.
fn attribute(message: &Message<'_>, raw: RawAttribute<'_>) -> String {
    let name = name(raw.kind).map_or_else(|| format!("{:#06x}", raw.kind), str::to_owned);
    let Some(read) = by_type(message, raw) else { return name };
    match read {
        Ok((shown, _)) if SPEAKING.contains(&raw.kind) => {
            let (_, value) = shown.split_once('(').unwrap();
            format!("{name}={}", value.strip_suffix(')').unwrap())
        }
        Ok(_) => name,
        Err(DecodeError::WrongLength { expected, have, .. }) => {
            format!("{name}({have} bytes instead of {expected})")
        }
        Err(DecodeError::BadValue { reason, .. }) => format!("{name}({reason})"),
        Err(other) => format!("{name}({other})"),
    }
}

const SPEAKING: [u16; 11] = [
    MappedAddress::TYPE,
    XorMappedAddress::TYPE,
    XorPeerAddress::TYPE,
    XorRelayedAddress::TYPE,
    AlternateServer::TYPE,
    ResponseOrigin::TYPE,
    OtherAddress::TYPE,
    Lifetime::TYPE,
    ChannelNumberAttribute::TYPE,
    RequestedTransport::TYPE,
    Priority::TYPE,
];

/// An attribute of a message that keeps to the RFC: it is read, and written byte for byte as it was.
pub(crate) fn check_rewritten(message: &Message<'_>, raw: RawAttribute<'_>) {
    match by_type(message, raw) {
        Some(Ok((shown, written))) => assert_eq!(written.as_deref(), Some(raw.value), "{shown}"),
        None => assert!(!is_required(raw.kind), "{:#06x} has no type", raw.kind),
        Some(Err(error)) => panic!("{error}"),
    }
}

/// An attribute as its type shows it, and as it writes it. Longer texts are read than may be sent.
type Read = Result<(String, Option<Vec<u8>>), DecodeError>;

/// Reads an attribute by its type, if it has one.
fn by_type(message: &Message<'_>, raw: RawAttribute<'_>) -> Option<Read> {
    macro_rules! read {
        ($($type:ty)*) => {
            match raw.kind {
                $(<$type>::TYPE => Some(<$type>::decode(raw.value, message.id()).map(|value| {
                    let mut out = vec![0xEE; value.encoded_len()];
                    let written = value.encode(&mut out, message.id()).ok().map(|()| out);
                    (format!("{value:?}"), written)
                })),)*
                _ => None,
            }
        };
    }
    read! {
        MappedAddress XorMappedAddress XorPeerAddress XorRelayedAddress AlternateServer ResponseOrigin
        OtherAddress Username<'_> Realm<'_> Nonce<'_> Software<'_> AlternateDomain<'_> UserHash ErrorCode<'_>
        AddressErrorCode<'_> UnknownAttributes<'_> Priority UseCandidate IceControlled IceControlling
        PasswordAlgorithm PasswordAlgorithms<'_> RequestedTransport RequestedAddressFamily
        AdditionalAddressFamily DontFragment Lifetime ChannelNumberAttribute Data<'_> EvenPort
        ReservationToken IcmpAttribute ChangeRequest ResponsePort Padding<'_> ConnectionId MobilityTicket<'_>
        AccessToken<'_> ThirdPartyAuthorization<'_> TransmitCounter Nomination GoogNetworkInfo
        GoogLastIceCheckReceived GoogMessageIntegrity32 GoogMiscInfo<'_> MetaDtlsInStun<'_> MetaDtlsInStunAck<'_>
    }
}

/// A description: it comes back byte for byte, also through an edit of nothing, or the error points into it.
pub(crate) fn description(bytes: &[u8]) -> String {
    let Ok(text) = str::from_utf8(bytes) else { return "no text".to_owned() };
    let description = match SessionDescription::parse(text) {
        Ok(description) => description,
        Err(error) => return refused(&error, text),
    };
    assert_eq!(description.to_string(), text);
    assert_eq!(Edit::new(&description).finish().as_deref(), Ok(text));
    let sections: Vec<String> = description.media.iter().map(|media| media.kind.to_owned()).collect();
    let candidates: usize = description.media.iter().map(|media| media.candidates.len()).sum();
    let candidates = if candidates > 0 { format!(", {candidates} candidates") } else { String::new() };
    let session = match description.data_session() {
        Ok(session) => format!("data session, {:?}", session.setup),
        Err(unfit) => format!("no data session: {unfit}"),
    };
    format!("{} sections {}{candidates}; {session}", sections.len(), sections.join(" "))
}

pub(crate) fn candidate(text: &str) -> String {
    match CandidateLine::parse(text) {
        Ok(read) => {
            assert_eq!(CandidateLine::parse(&read.to_string()).as_ref(), Ok(&read));
            format!("{} {}", read.transport, read.kind)
        }
        Err(error) => refused(&error, text),
    }
}

/// Where and why. What stands there is left out: it may not be ours to repeat.
fn refused(error: &ParseError, text: &str) -> String {
    let line = text.split('\n').nth(error.line().unwrap_or(1) - 1).unwrap();
    assert!((1..=line.len() + 1).contains(&error.column()), "{error}");
    let at = error.line().map_or(String::new(), |line| format!("line {line}, "));
    let ignorable = if error.is_ignorable() { " (to be ignored)" } else { "" };
    format!("refused at {at}column {}: expected {}{ignorable}", error.column(), error.expected())
}
