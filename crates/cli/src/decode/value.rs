//! What the value of an attribute says: for programs and in words.

use std::fmt::Display;
use std::net::SocketAddr;

use floe_stun::attribute::*;
use floe_stun::credentials::SecurityFeatures;
use floe_stun::{ChannelNumber, DecodeError, TransactionId};
use serde_json::{Value, json};

use super::hex;
use crate::contract::family_word;

/// A value that was read.
#[derive(Debug, PartialEq)]
pub(crate) struct Reading {
    pub(crate) json: Value,
    pub(crate) words: String,
}

/// Reads the value of an attribute of this type, if its type is one that is known.
///
/// # Errors
///
/// The value is not what the definition of the attribute says.
pub(crate) fn read(kind: u16, value: &[u8], id: TransactionId) -> Result<Option<Reading>, DecodeError> {
    Ok(Some(match kind {
        MappedAddress::TYPE => address(MappedAddress::decode(value, id)?.0),
        XorMappedAddress::TYPE => address(XorMappedAddress::decode(value, id)?.0),
        XorPeerAddress::TYPE => address(XorPeerAddress::decode(value, id)?.0),
        XorRelayedAddress::TYPE => address(XorRelayedAddress::decode(value, id)?.0),
        AlternateServer::TYPE => address(AlternateServer::decode(value, id)?.0),
        ResponseOrigin::TYPE => address(ResponseOrigin::decode(value, id)?.0),
        OtherAddress::TYPE => address(OtherAddress::decode(value, id)?.0),

        Username::TYPE => text(Username::decode(value, id)?.0),
        Realm::TYPE => text(Realm::decode(value, id)?.0),
        Nonce::TYPE => nonce(Nonce::decode(value, id)?.0),
        Software::TYPE => text(Software::decode(value, id)?.0),
        AlternateDomain::TYPE => text(AlternateDomain::decode(value, id)?.0),
        ThirdPartyAuthorization::TYPE => text(ThirdPartyAuthorization::decode(value, id)?.0),

        Priority::TYPE => number(Priority::decode(value, id)?.0),
        ConnectionId::TYPE => number(ConnectionId::decode(value, id)?.0),
        Nomination::TYPE => number(Nomination::decode(value, id)?.get()),
        ResponsePort::TYPE => number(ResponsePort::decode(value, id)?.0),
        Lifetime::TYPE => lifetime(Lifetime::decode(value, id)?),
        ChannelNumberAttribute::TYPE => channel_number(ChannelNumberAttribute::decode(value, id)?.0),
        RequestedTransport::TYPE => transport(RequestedTransport::decode(value, id)?),

        UseCandidate::TYPE => UseCandidate::decode(value, id).map(|_| flag())?,
        DontFragment::TYPE => DontFragment::decode(value, id).map(|_| flag())?,
        EvenPort::TYPE => even_port(EvenPort::decode(value, id)?),
        ChangeRequest::TYPE => change_request(ChangeRequest::decode(value, id)?),

        RequestedAddressFamily::TYPE => family(RequestedAddressFamily::decode(value, id)?.0),
        AdditionalAddressFamily::TYPE => family(AdditionalAddressFamily::decode(value, id)?.0),
        ErrorCode::TYPE => error_code(ErrorCode::decode(value, id)?),
        AddressErrorCode::TYPE => address_error_code(AddressErrorCode::decode(value, id)?),
        UnknownAttributes::TYPE => unknown_attributes(UnknownAttributes::decode(value, id)?),
        PasswordAlgorithm::TYPE => algorithm(PasswordAlgorithm::decode(value, id)?.0),
        PasswordAlgorithms::TYPE => algorithms(PasswordAlgorithms::decode(value, id)?),
        IcmpAttribute::TYPE => icmp(IcmpAttribute::decode(value, id)?),
        TransmitCounter::TYPE => transmit_counter(TransmitCounter::decode(value, id)?),
        GoogNetworkInfo::TYPE => network_info(GoogNetworkInfo::decode(value, id)?),
        GoogMiscInfo::TYPE => numbers(GoogMiscInfo::decode(value, id)?.iter().map(u32::from)),
        MetaDtlsInStunAck::TYPE => numbers(MetaDtlsInStunAck::decode(value, id)?.iter()),

        // Where only the length can be wrong.
        IceControlled::TYPE => IceControlled::decode(value, id).map(|_| digits(value))?,
        IceControlling::TYPE => IceControlling::decode(value, id).map(|_| digits(value))?,
        ReservationToken::TYPE => ReservationToken::decode(value, id).map(|_| digits(value))?,
        UserHash::TYPE => UserHash::decode(value, id).map(|_| digits(value))?,
        GoogLastIceCheckReceived::TYPE => {
            GoogLastIceCheckReceived::decode(value, id).map(|_| digits(value))?
        }
        GoogMessageIntegrity32::TYPE => GoogMessageIntegrity32::decode(value, id).map(|_| digits(value))?,

        _ if is_known(kind) => digits(value),
        _ => return Ok(None),
    }))
}

fn say(json: impl Into<Value>, words: impl Display) -> Reading {
    Reading { json: json.into(), words: words.to_string() }
}

fn address(address: SocketAddr) -> Reading {
    say(address.to_string(), address)
}

fn text(text: &str) -> Reading {
    say(text, format_args!("{text:?}"))
}

fn nonce(nonce: &str) -> Reading {
    let SecurityFeatures { password_algorithms, username_anonymity } = SecurityFeatures::of(nonce);
    let announced = match (password_algorithms, username_anonymity) {
        (false, false) => "",
        (true, false) => ", announces password algorithms",
        (false, true) => ", announces username anonymity",
        (true, true) => ", announces password algorithms and username anonymity",
    };
    say(nonce, format_args!("{nonce:?}{announced}"))
}

fn number(number: impl Into<u32>) -> Reading {
    let number = number.into();
    say(number, number)
}

fn numbers(numbers: impl Iterator<Item = u32>) -> Reading {
    let numbers: Vec<u32> = numbers.collect();
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    say(numbers, words.join(", "))
}

fn digits(value: &[u8]) -> Reading {
    say(hex::write(value), hex::shown(value))
}

fn flag() -> Reading {
    say(true, "")
}

fn lifetime(Lifetime(lifetime): Lifetime) -> Reading {
    say(lifetime.as_secs(), format_args!("{} s", lifetime.as_secs()))
}

fn channel_number(number: u16) -> Reading {
    let verdict = match ChannelNumber::new(number) {
        Some(_) => "",
        None => ", which is no channel: those are 0x4000 to 0x4fff",
    };
    say(number, format_args!("{number:#06x}{verdict}"))
}

fn transport(RequestedTransport(protocol): RequestedTransport) -> Reading {
    let name = match protocol {
        17 => " (UDP)",
        6 => " (TCP)",
        _ => "",
    };
    say(protocol, format_args!("{protocol}{name}"))
}

fn even_port(EvenPort { reserve_next }: EvenPort) -> Reading {
    let words = if reserve_next { "reserve the next port too" } else { "" };
    say(json!({ "reserve_next": reserve_next }), words)
}

fn change_request(ChangeRequest { ip, port }: ChangeRequest) -> Reading {
    let words = match (ip, port) {
        (true, true) => "answer from the other IP address and the other port",
        (true, false) => "answer from the other IP address",
        (false, true) => "answer from the other port",
        (false, false) => "answer from here",
    };
    say(json!({ "ip": ip, "port": port }), words)
}

fn family(family: Family) -> Reading {
    say(family_word(family), family_word(family))
}

fn error_code(ErrorCode { code, reason }: ErrorCode<'_>) -> Reading {
    say(json!({ "code": code, "reason": reason }), format_args!("{code} {reason:?}"))
}

fn address_error_code(AddressErrorCode { family, code, reason }: AddressErrorCode<'_>) -> Reading {
    let family = family_word(family);
    let json = json!({ "family": family, "code": code, "reason": reason });
    say(json, format_args!("{family}: {code} {reason:?}"))
}

fn unknown_attributes(types: UnknownAttributes<'_>) -> Reading {
    let words: Vec<String> = types.iter().map(named).collect();
    say(types.iter().collect::<Vec<u16>>(), words.join(", "))
}

/// An attribute by its name and number.
pub(crate) fn named(kind: u16) -> String {
    match name(kind) {
        Some(name) => format!("{name} ({kind:#06x})"),
        None => format!("{kind:#06x}"),
    }
}

fn algorithm(algorithm: Algorithm) -> Reading {
    let (json, words) = algorithm_parts(algorithm);
    say(json, words)
}

fn algorithms(list: PasswordAlgorithms<'_>) -> Reading {
    let (json, words): (Vec<Value>, Vec<String>) = list.iter().map(algorithm_parts).unzip();
    say(json, words.join(", "))
}

fn algorithm_parts(algorithm: Algorithm) -> (Value, String) {
    let name = match algorithm {
        Algorithm::MD5 => Some("MD5"),
        Algorithm::SHA256 => Some("SHA-256"),
        _ => None,
    };
    let words = name.map_or_else(|| format!("algorithm {:#06x}", algorithm.0), str::to_owned);
    (json!({ "number": algorithm.0, "name": name }), words)
}

fn icmp(IcmpAttribute { kind, code, data }: IcmpAttribute) -> Reading {
    let json = json!({ "type": kind, "code": code, "data": data });
    say(json, format_args!("type {kind}, code {code}, data {data}"))
}

fn transmit_counter(TransmitCounter { request, response }: TransmitCounter) -> Reading {
    let json = json!({ "request": request, "response": response });
    say(json, format_args!("request {request}, response {response}"))
}

fn network_info(GoogNetworkInfo { network, cost }: GoogNetworkInfo) -> Reading {
    say(json!({ "network": network, "cost": cost }), format_args!("network {network}, cost {cost}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 12] = [7; 12];

    fn of(kind: u16, value: &[u8]) -> (Value, String) {
        let Reading { json, words } = read(kind, value, TransactionId::from(ID)).unwrap().unwrap();
        (json, words)
    }

    /// Whatever has a name has values that are read, and nothing else has.
    #[test]
    fn every_type_that_has_a_name_is_read() {
        let id = TransactionId::from(ID);
        let mut probes: Vec<Vec<u8>> = (0..=32).flat_map(|len| [vec![1; len], vec![b'a'; len]]).collect();
        // A code and an algorithm.
        probes.extend([vec![1, 0, 4, 1], vec![0, 1, 0, 0]]);
        for kind in 0..=u16::MAX {
            let is_read = probes.iter().any(|value| matches!(read(kind, value, id), Ok(Some(_))));
            assert_eq!(is_read, is_known(kind), "{}", named(kind));
        }
    }

    #[test]
    fn values_are_told_to_programs_and_to_people() {
        let cases: [(u16, &[u8], Value, &str); 12] = [
            (
                MappedAddress::TYPE,
                &[0, 1, 0x80, 0x55, 192, 0, 2, 1],
                json!("192.0.2.1:32853"),
                "192.0.2.1:32853",
            ),
            (Username::TYPE, b"a:b\n", json!("a:b\n"), r#""a:b\n""#),
            (Lifetime::TYPE, &[0, 0, 2, 0x58], json!(600), "600 s"),
            (RequestedTransport::TYPE, &[17, 0, 0, 0], json!(17), "17 (UDP)"),
            (ErrorCode::TYPE, b"\0\0\x04\x01no", json!({ "code": 401, "reason": "no" }), r#"401 "no""#),
            (
                UnknownAttributes::TYPE,
                &[0, 0x1C, 0x7F, 0xFF],
                json!([0x1C, 0x7FFF]),
                "MESSAGE-INTEGRITY-SHA256 (0x001c), 0x7fff",
            ),
            (IceControlling::TYPE, &[0xFF; 8], json!("ffffffffffffffff"), "ffffffffffffffff"),
            (UseCandidate::TYPE, &[], json!(true), ""),
            (PasswordAlgorithm::TYPE, &[0, 2, 0, 0], json!({ "number": 2, "name": "SHA-256" }), "SHA-256"),
            (
                ChannelNumberAttribute::TYPE,
                &[0x3F, 0xFF, 0, 0],
                json!(0x3FFF),
                "0x3fff, which is no channel: those are 0x4000 to 0x4fff",
            ),
            (RequestedAddressFamily::TYPE, &[2, 0, 0, 0], json!("ipv6"), "ipv6"),
            (
                Nonce::TYPE,
                b"obMatJos2gAAAx",
                json!("obMatJos2gAAAx"),
                r#""obMatJos2gAAAx", announces password algorithms"#,
            ),
        ];
        for (kind, value, json, words) in cases {
            assert_eq!(of(kind, value), (json, words.to_owned()));
        }
    }

    #[test]
    fn what_nobody_knows_is_left_to_its_digits() {
        assert_eq!(read(0x7FFE, b"x", TransactionId::from(ID)), Ok(None));
    }
}
