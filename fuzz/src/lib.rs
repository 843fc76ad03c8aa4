//! Bodies of the fuzz targets. Each takes any bytes and panics if something that must hold does not.

mod machines;

pub use machines::{agent, turn_client, turn_server};

use floe_sdp::{
    Attribute as SdpAttribute, CandidateLine, Edit, Fingerprint, Fragment, HashFunction, IceAttribute,
    IcePwd, IceUfrag, LocalFragment, LocalSession, SessionDescription, check_answer, check_next_offer,
    check_offer,
};
use floe_stun::attribute::*;
use floe_stun::stream::{Cutter, Frame, Framing, MAX_FRAME, StreamError};
use floe_stun::{ChannelData, Key, Message, Protocol, RawAttribute, Source, TransactionId, Uri};

/// Decoding never panics, and what a decoded message shows agrees with itself.
pub fn stun_decode(data: &[u8]) {
    let Ok(message) = Message::decode(data) else { return };
    assert_eq!(message.as_bytes(), data, "a message is the whole datagram");
    let key = Key::short_term("VOkJxbRl1RmTxUk/WvJxBt");
    let verified = message.verify(&key);
    assert!(message.has_integrity() || verified.is_err(), "nothing vouches for an unsealed message");
    for raw in message.attributes() {
        let sealing = [MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, FINGERPRINT];
        assert!(message.has(raw.kind) && !sealing.contains(&raw.kind), "{:#06x} shows", raw.kind);
    }
    let unknown = |kind| is_required(kind) && (!is_known(kind) || is_of_extension(kind));
    assert!(message.unknown_required().all(unknown));
    let _ = (message.fingerprint(), format!("{message:?}"));
}

/// What an attribute is read as can be written, and is read the same again.
pub fn stun_roundtrip(data: &[u8]) {
    let Ok(message) = Message::decode(data) else { return };
    for raw in message.attributes() {
        reread(raw, message.id());
    }
}

fn reread(raw: RawAttribute<'_>, id: TransactionId) {
    macro_rules! by_type {
        ($($type:ty)*) => {
            match raw.kind {
                $(<$type>::TYPE => {
                    let Ok(value) = <$type>::decode(raw.value, id) else { return };
                    let mut out = vec![0xEE; value.encoded_len()];
                    // Longer texts are read than may be sent.
                    if value.encode(&mut out, id).is_ok() {
                        assert_eq!(<$type>::decode(&out, id), Ok(value));
                    }
                })*
                _ => {}
            }
        };
    }
    by_type! {
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
    // Methods beyond 0xFF collide with the others and are reserved (RFC 8489 §18.2).
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

/// A candidate line, or any other line of ICE, prints as a line that is read the same.
pub fn candidate(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(candidate) = CandidateLine::parse(text) {
        assert_eq!(CandidateLine::parse(&candidate.to_string()), Ok(candidate));
    }
    if let Ok(Some(attribute)) = IceAttribute::parse(text) {
        assert_eq!(IceAttribute::parse(&attribute.to_string()), Ok(Some(attribute)));
    }
}

/// A description never panics, its error points into it, and what it shows agrees with itself.
pub fn sdp(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let description = match SessionDescription::parse(text) {
        Ok(description) => description,
        Err(error) => {
            let line = text.split('\n').nth(error.line().unwrap_or(1).saturating_sub(1)).unwrap_or_default();
            assert!((1..=line.len() + 1).contains(&error.column()), "{error}");
            assert!(error.to_string().bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{error}");
            return;
        }
    };
    let of_levels = description.session_lines().count()
        + description.media.iter().map(|media| media.lines().count()).sum::<usize>();
    assert_eq!(of_levels, description.lines().count());
    let sane = check_offer(&description).is_ok();
    if let Ok(session) = description.data_session() {
        assert!(!session.fingerprints.is_empty() && session.section.media().is_data_channel());
        let _ = (sane, session.candidates().count(), session.section.answerable());
    }
    let _ = (check_answer(&description, &description), check_next_offer(&description, &description));
    let _ = format!("{description:?}");
}

/// A description prints as it was, an edit of nothing changes nothing, every attribute prints as one that is read the
/// same, and the answer that we write to an offer is one that answers it.
pub fn sdp_roundtrip(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(attribute) = SdpAttribute::parse(text) {
        assert_eq!(SdpAttribute::parse(&attribute.to_string()).as_ref(), Ok(&attribute));
    }
    let Ok(description) = SessionDescription::parse(text) else { return };
    assert_eq!(description.to_string(), text);
    assert_eq!(Edit::new(&description).finish().as_deref(), Ok(text));
    let (ufrag, pwd) = (IceUfrag::from_random([7; 6]), IcePwd::from_random([7; 18]));
    let fingerprints: Vec<_> = Fingerprint::new(HashFunction::Sha256, &[7; 32]).into_iter().collect();
    let ours = LocalSession::new(7, &ufrag, &pwd, &fingerprints);
    let refusal = ours.refusal(&description).unwrap();
    SessionDescription::parse(&refusal).unwrap();
    let Ok(answer) = ours.answer(&description) else { return };
    let answer = SessionDescription::parse(&answer).unwrap();
    if check_offer(&description).is_ok() {
        assert_eq!(check_answer(&description, &answer), Ok(()));
    }
}

/// A fragment never panics, prints as it was, and its candidates can be sent on.
pub fn sdp_fragment(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(fragment) = Fragment::parse(text) else { return };
    assert_eq!(fragment.to_string(), text);
    for media in &fragment.media {
        let (Some(mid), Some(ufrag), Some(pwd)) = (media.mid, fragment.ufrag(media), fragment.pwd(media))
        else {
            continue;
        };
        let candidates: Vec<_> = media.candidates.iter().map(|candidate| candidate.to_line()).collect();
        let ours = LocalFragment { mid, ufrag, pwd, candidates: &candidates, end_of_candidates: true };
        let Ok(again) = ours.write() else { continue };
        let again = Fragment::parse(&again).unwrap();
        let back = again.candidates_of(ufrag, pwd).map(|(_, candidate)| candidate.to_line());
        assert!(back.eq(candidates));
    }
}
