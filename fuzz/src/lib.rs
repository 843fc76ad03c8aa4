//! Bodies of the fuzz targets. Each takes any bytes and panics if something that must hold does not.

mod machines;

pub use machines::{agent, turn_client, turn_server};

use floe_sdp::{CandidateLine, IceAttribute};
use floe_stun::attribute::*;
use floe_stun::{ChannelData, Key, Message, RawAttribute, TransactionId, Uri};

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
