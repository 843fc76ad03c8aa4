//! What comes over the network in bytes, and URIs.

use std::net::IpAddr;

use floe_stun::attribute::*;
use floe_stun::credentials::{SecurityFeatures, opaque_string as prepare};
use floe_stun::dissect::Dissection;
use floe_stun::resolve::{Naptr, Records, Resolution, Srv, Step};
use floe_stun::stream::{Cutter, Frame, Framing, MAX_FRAME, StreamError};
use floe_stun::{
    Builder, ChannelData, Class, Key, Message, Method, Protocol, Source, TransactionId, Transport, Uri,
};

use super::tape::Tape;

/// Decoding never panics, and what a decoded message shows agrees with itself.
pub fn stun_decode(data: &[u8]) {
    check_dissection(data);
    let Ok(message) = Message::decode(data) else { return };
    assert_eq!(message.as_bytes(), data, "a message is the whole datagram");
    let key = Key::short_term("VOkJxbRl1RmTxUk/WvJxBt");
    let verified = message.verify(&key);
    assert!(message.has_integrity() || verified.is_err(), "nothing vouches for an unsealed message");
    let sealing = [MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, FINGERPRINT];
    assert!(message.attributes().all(|raw| !sealing.contains(&raw.kind)), "a seal shows");
    assert!(message.attributes().take(100).all(|raw| message.has(raw.kind)), "what shows is there");
    let unknown = |kind| is_required(kind) && (!is_known(kind) || is_of_extension(kind));
    assert!(message.unknown_required().all(unknown));
    let _ = (message.fingerprint(), format!("{message:?}"));
}

/// What is taken apart of a datagram lies in it, and where there is a fault there is no message.
fn check_dissection(data: &[u8]) {
    let (dissection, decoded) = (Dissection::of(data), Message::decode(data));
    let fault = dissection.fault();
    assert!(fault.is_none_or(|fault| decoded.is_err() && fault.offset <= data.len()), "{fault:?}");
    let parts = dissection.parts().inspect(|part| assert!(part.offset + part.value.len() <= data.len()));
    let whole = parts.filter(|part| part.is_whole()).count();
    assert!(decoded.is_err() || whole >= decoded.iter().flat_map(Message::attributes).count());
    let _ = (dissection.message_type(), dissection.cookie(), dissection.id());
}

/// A value of any attribute: what it is read as can be written, and is read the same again.
///
/// The first twelve bytes are the transaction id, the others the value, which is read by every type.
pub fn stun_attributes(data: &[u8]) {
    let Some((id, value)) = data.split_first_chunk::<12>() else { return };
    let id = TransactionId::from(*id);
    macro_rules! read {
        ($($type:ty)*) => {
            $(if let Ok(read) = <$type>::decode(value, id) {
                let mut out = vec![0xEE; read.encoded_len()];
                // Longer texts are read than may be sent.
                if read.encode(&mut out, id).is_ok() {
                    assert_eq!(<$type>::decode(&out, id), Ok(read));
                }
                let _ = format!("{read:?}");
            })*
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
    let _ = AccessToken::decode(value, id).map(|token| token.parts().is_some());
    let _ = GoogMiscInfo::decode(value, id).map(|list| list.iter().count());
    let _ = Nonce::decode(value, id).map(|nonce| SecurityFeatures::of(nonce.0));
}

/// A message that is written is read as what it was made of, alone, from a stream and behind its seals.
pub fn stun_roundtrip(data: &[u8]) {
    let (mut tape, key) = (Tape::new(data), Key::short_term("open sesame"));
    let class = tape.of(&[Class::Request, Class::Indication, Class::Success, Class::Error]);
    let Some(method) = Method::new(tape.short() % 0x1000) else { return };
    let (id, seals) = (TransactionId::from(tape.array()), tape.byte() % 6);
    let mut attributes: Vec<(u16, &[u8])> = Vec::new();
    while !tape.is_empty() && attributes.len() < 20 {
        let (kind, value) = (tape.short(), tape.slice());
        if ![MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, FINGERPRINT].contains(&kind) {
            attributes.push((kind, value));
        }
    }
    let mut buf = [0xEE; 8192];
    let builder = Builder::new(&mut buf, class, method, id);
    let builder = attributes.iter().fold(builder, |b, (kind, value)| b.attribute_as(*kind, &Padding(value)));
    let written = match seals {
        0 => builder.finish(),
        1 => builder.fingerprint().finish(),
        2 => builder.integrity(&key).finish(),
        3 => builder.integrity_sha256(&key).fingerprint().finish(),
        4 => builder.integrity(&key).integrity_sha256(&key).fingerprint().finish(),
        _ => builder.integrity(&key).fingerprint().finish(),
    };
    let written = written.unwrap();

    let message = Message::decode(written).unwrap();
    assert_eq!((message.class(), message.method(), message.id()), (class, method, id));
    assert!(message.attributes().map(|raw| (raw.kind, raw.value)).eq(attributes));
    assert_eq!(message.fingerprint(), matches!(seals, 1 | 3..).then_some(true));
    assert_eq!(message.verify(&key).is_ok(), seals >= 2);
    assert!(message.verify(&Key::short_term("guess")).is_err());
    // Methods beyond 0xFF collide with other protocols and are reserved (RFC 8489 §18.2).
    if method.number() <= 0xFF {
        let (mut cutter, mut rest) = (Cutter::new(Framing::Turn), written);
        assert_eq!(cutter.cut(&mut rest), Ok(Some(Frame::Stun(written))));
        assert_eq!(Protocol::of(written, Source::TurnServer), Some(Protocol::Stun));
    }
}

/// The header written for what was read is the header that was read.
pub fn channel_data(data: &[u8]) {
    let Ok(read) = ChannelData::decode(data) else { return };
    assert!(ChannelData::is_probably(data));
    let len = u16::try_from(read.data.len()).unwrap_or(u16::MAX);
    let mut again = ChannelData::header(read.channel, len).to_vec();
    again.extend(read.data);
    assert!(data.starts_with(&again));
}

/// A stream reads the same whole, byte by byte and in pieces, and its frames are what they say they are.
///
/// The first byte chooses what travels on it, the second how long the pieces are.
pub fn stream_cutter(data: &[u8]) {
    let Some((&[framing, piece], stream)) = data.split_first_chunk::<2>() else { return };
    let framing = [Framing::Stun, Framing::Turn, Framing::Rfc4571][usize::from(framing % 3)];
    let whole = cut(framing, stream, MAX_FRAME);
    assert_eq!(cut(framing, stream, 1), whole);
    assert_eq!(cut(framing, stream, usize::from(piece) + 1), whole);
}

/// The frames of a stream that comes in pieces of this length, and how it broke.
fn cut(framing: Framing, stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<StreamError>) {
    let (mut cutter, mut frames) = (Cutter::new(framing), Vec::new());
    for mut rest in stream.chunks(piece) {
        loop {
            match cutter.cut(&mut rest) {
                Ok(Some(frame)) => frames.push(check_frame(framing, frame)),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(rest.is_empty(), "all of the input is taken");
        let pending = cutter.pending();
        assert!(pending.is_none_or(|pending| pending.missing > 0 && pending.have < MAX_FRAME));
    }
    (frames, None)
}

fn check_frame(framing: Framing, frame: Frame<'_>) -> Vec<u8> {
    match frame {
        Frame::Stun(bytes) => {
            assert!(Message::is_probably(bytes));
            bytes.to_vec()
        }
        Frame::ChannelData(data) => {
            assert_eq!(framing, Framing::Turn);
            data.data.to_vec()
        }
        Frame::Packet(packet) => {
            assert!(framing == Framing::Rfc4571 && !packet.is_empty());
            packet.to_vec()
        }
    }
}

/// What a packet is taken for agrees with those who read it.
pub fn demux(data: &[u8]) {
    let (peer, old) = (Protocol::of(data, Source::Peer), Protocol::of_without_quic(data));
    let relayed = Protocol::of(data, Source::TurnServer);
    assert!(matches!(relayed, None | Some(Protocol::Stun | Protocol::Channel)));
    assert!(relayed.is_none() || relayed == old);
    assert!(old != Some(Protocol::Quic) && peer != Some(Protocol::Channel));
    if Message::decode(data).is_ok_and(|message| message.method().number() <= 0xFF) {
        assert_eq!((peer, relayed), (Some(Protocol::Stun), Some(Protocol::Stun)));
    }
    if ChannelData::decode(data).is_ok() {
        assert_eq!((relayed, old), (Some(Protocol::Channel), Some(Protocol::Channel)));
    }
}

/// A URI that was read prints as a URI that is read the same.
pub fn uri(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(uri) = text.parse::<Uri>() else { return };
    assert_eq!(uri.to_string().parse::<Uri>(), Ok(uri.clone()));
    assert!(uri.port() > 0 && !uri.host().is_empty());
}

/// A URI that is made of parts is read as those parts.
pub fn uri_roundtrip(data: &[u8]) {
    let mut tape = Tape::new(data);
    let scheme = tape.of(&["stun", "stuns", "turn", "turns"]);
    let host = match tape.byte() % 4 {
        0 => format!("[{}]", std::net::Ipv6Addr::from(tape.array::<16>())),
        1 => std::net::Ipv4Addr::from(tape.array::<4>()).to_string(),
        _ => tape.word(b"abcdefghijklmnopqrstuvwxyzABC0123456789-._~", 255),
    };
    let port = Some(tape.short()).filter(|_| tape.byte().is_multiple_of(2));
    let transport = tape.of(&["", "?transport=udp", "?transport=tcp"]);
    let text = format!("{scheme}:{host}{}{transport}", port.map_or(String::new(), |port| format!(":{port}")));
    let wrong = host.is_empty() || port == Some(0) || (scheme.starts_with("stun") && !transport.is_empty());
    // What a resolver may take for an address in disguise is refused, and may be refused in doubt.
    let last = host.strip_suffix('.').unwrap_or(&host).rsplit('.').next().unwrap_or_default();
    let is_doubtful = last.starts_with(|first: char| first.is_ascii_digit());
    match text.parse::<Uri>() {
        Err(error) => assert!(wrong || is_doubtful, "{error}"),
        Ok(uri) => {
            assert!(!wrong && uri.to_string() == text, "{text}");
            assert_eq!(uri.host(), host.trim_matches(['[', ']']));
            assert_eq!(uri.named_port(), port);
        }
    }
}

/// Whatever the DNS says, a resolution ends, within its bounds, and tries no server twice.
pub fn resolve(data: &[u8]) {
    let mut tape = Tape::new(data);
    let uri = tape.of(&[
        "stun:a.example",
        "stuns:a.example",
        "turn:a.example",
        "turns:a.example:443",
        "turn:192.0.2.1",
    ]);
    let all = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls];
    let uri = uri.parse().unwrap();
    let Ok(mut resolution) = Resolution::new(&uri, &all, Some("a.example"), tape.array()) else { return };
    let (mut asked, mut tried) = (0, Vec::new());
    loop {
        match resolution.step() {
            Step::Ask(_) => {
                answer(&mut resolution, &mut tape);
                asked += 1;
            }
            Step::Try(server) => tried.push((server.transport, server.address)),
            Step::Exhausted => break,
        }
    }
    assert!(asked <= Resolution::MAX_QUESTIONS && tried.len() <= Resolution::MAX_SERVERS);
    let tries = tried.len();
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried.len(), tries);
}

/// Records of any kind, whether they are what was asked for or not.
fn answer(resolution: &mut Resolution, tape: &mut Tape<'_>) {
    let kind = tape.byte() % 4;
    let count = usize::from(tape.byte() % 40);
    let name = |tape: &mut Tape<'_>| match tape.byte() % 4 {
        0 => tape.text().to_owned(),
        other => {
            format!("{}.example", tape.of(&["a", "b", "_turn._udp.a"]).repeat(usize::from(other % 2) + 1))
        }
    };
    let fields: Vec<(u16, u16, u16, String)> =
        (0..count).map(|_| (tape.byte().into(), tape.short(), tape.short(), name(tape))).collect();
    let srv = |(priority, weight, port, target): &'_ (u16, u16, u16, String)| {
        (*priority, *weight, *port, target.clone())
    };
    let fields: Vec<_> = fields.iter().map(srv).collect();
    match kind {
        0 => {
            let addresses: Vec<IpAddr> = fields
                .iter()
                .map(|(_, a, b, _)| IpAddr::from((u32::from(*a) << 16 | u32::from(*b)).to_be_bytes()))
                .collect();
            resolution.handle_records(Records::Addresses(&addresses));
        }
        1 => {
            let srv = fields.iter().map(|(priority, weight, port, target)| Srv {
                priority: *priority,
                weight: *weight,
                port: *port,
                target,
            });
            resolution.handle_records(Records::Srv(&srv.collect::<Vec<_>>()));
        }
        2 => {
            let naptr = fields.iter().map(|(order, preference, choice, replacement)| Naptr {
                order: *order,
                preference: *preference,
                flags: ["", "s", "A", "U"][usize::from(choice % 4)],
                services: ["RELAY:turn.udp:turn.tls", "relay:turn.dtls", "SIP+D2U", ""]
                    [usize::from(choice / 4 % 4)],
                replacement,
            });
            resolution.handle_records(Records::Naptr(&naptr.collect::<Vec<_>>()));
        }
        _ => resolution.handle_records(Records::None),
    }
}

/// A text that is prepared stays as it is when it is prepared again (RFC 8265 §4.2.3).
pub fn opaque_string(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(prepared) = prepare(text) {
        assert_eq!(prepare(&prepared), Ok(prepared.clone()));
        assert!(!prepared.is_empty() && !prepared.contains(char::is_control));
    }
}
