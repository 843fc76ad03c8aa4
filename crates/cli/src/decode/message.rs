//! A STUN message or ChannelData, taken apart as far as it goes.

use std::collections::BTreeMap;

use floe_stun::attribute::{self, Algorithm, Attribute as _, Data, FINGERPRINT, PasswordAlgorithm};
use floe_stun::dissect::{Dissection, Part, Standing};
use floe_stun::{ChannelData, Class, DecodeError, Key, Message, Protocol, TransactionId};
use serde_json::Value;

use super::keys::Keys;
use super::report::{self, Attribute, Channel, Covers, Decoded, Input, Seal, What};
use super::{hex, value};

/// Decodes bytes by their first one: STUN, ChannelData, or something that is neither (RFC 7983).
pub(crate) fn decode(bytes: &[u8], keys: &Keys, input: Input) -> Decoded {
    decode_within(bytes, keys, input, DEEPEST)
}

/// How far messages within messages are followed: a relay carries another's message, and that is all.
const DEEPEST: u8 = 2;

fn decode_within(bytes: &[u8], keys: &Keys, input: Input, depth: u8) -> Decoded {
    match bytes.first() {
        Some(0x00..=0x03) => stun(bytes, keys, input, depth),
        // Methods that nobody has defined begin with 0x04 to 0x3f.
        Some(_) if Message::is_probably(bytes) => stun(bytes, keys, input, depth),
        Some(0x40..=0x4F) => channel_data(bytes, keys, input, depth),
        Some(first) => neither(*first, input),
        None => nothing(),
    }
}

fn neither(first: u8, input: Input) -> Decoded {
    let why = format!(
        "the first byte is {first:#04x}; STUN begins with 0x00 to 0x03, ChannelData with 0x40 to 0x4f"
    );
    let mut decoded = Decoded::bad(input, What::Unknown, "not-stun", &why);
    decoded.offset = Some(0);
    let protocol = Protocol::of_without_quic(&[first]);
    decoded.notes.extend(protocol.map(|protocol| format!("by its first byte it is {protocol:?}")));
    decoded
}

/// What to say where no byte came.
pub(crate) fn nothing() -> Decoded {
    let why = "expected a message, a text or a capture, found nothing: the input is empty";
    let mut decoded = Decoded::bad(Input::None, What::Unknown, "empty", why);
    decoded.notes.push("as a candidate of the W3C interface it is the end of candidates".to_owned());
    decoded
}

/// Tells what is wrong with the framing, if anything is.
fn refuse(decoded: &mut Decoded, bytes: &[u8]) {
    let Some(fault) = Dissection::of(bytes).fault() else { return };
    decoded.ok = false;
    decoded.error = Some(report::reason(fault.error));
    decoded.offset = Some(fault.offset);
}

fn stun(bytes: &[u8], keys: &Keys, input: Input, depth: u8) -> Decoded {
    let dissection = Dissection::of(bytes);
    let reader = Reader { dissection, keys, depth };
    let mut decoded = Decoded::good(input, What::Unknown);
    refuse(&mut decoded, bytes);
    decoded.attributes = dissection.parts().map(|part| reader.attribute(&part)).collect();
    let seals = reader.seals();
    let named = |name: &str| seals.iter().find(|seal| seal.name == name).map(|seal| seal.verified);
    decoded.integrity = named(SHA256).or_else(|| named(SHA1)).flatten();
    decoded.fingerprint = named("FINGERPRINT").flatten();
    decoded.notes = reader.notes(&seals);
    decoded.what = What::Stun(header(&dissection, bytes, seals));
    decoded
}

const SHA1: &str = "MESSAGE-INTEGRITY";
const SHA256: &str = "MESSAGE-INTEGRITY-SHA256";

fn header(dissection: &Dissection<'_>, bytes: &[u8], seals: Vec<Seal>) -> report::Message {
    let (class, method) = dissection.message_type().unzip();
    report::Message {
        bytes: bytes.len(),
        class: class.map(class_word),
        method: method.map(|method| method.to_string()),
        method_number: method.map(|method| method.number()),
        length: dissection.length(),
        cookie: dissection.cookie().map(|cookie| format!("{cookie:08x}")),
        transaction_id: dissection.id().map(|id| hex::write(id.as_bytes())),
        seals,
    }
}

const fn class_word(class: Class) -> &'static str {
    match class {
        Class::Request => "request",
        Class::Indication => "indication",
        Class::Success => "success",
        Class::Error => "error",
    }
}

/// One message with all that its attributes are read by.
struct Reader<'a> {
    dissection: Dissection<'a>,
    keys: &'a Keys,
    depth: u8,
}

impl Reader<'_> {
    fn attribute(&self, part: &Part<'_>) -> Attribute {
        let (value, words, error) = self.value(part);
        Attribute {
            name: attribute::name(part.kind).map_or_else(|| format!("{:#06x}", part.kind), str::to_owned),
            number: part.kind,
            offset: part.offset,
            length: part.length,
            value,
            hex: hex::write(part.value),
            error,
            known: attribute::is_known(part.kind),
            required: attribute::is_required(part.kind),
            visible: part.standing != Standing::Hidden,
            inner: self.inner(part),
            words,
        }
    }

    /// For programs, for people, and what is wrong with it.
    fn value(&self, part: &Part<'_>) -> (Value, String, Option<String>) {
        let id = self.dissection.id().unwrap_or_else(|| TransactionId::from([0; 12]));
        let digits = || hex::shown(part.value);
        if !part.is_whole() {
            let left = part.value.len() + part.padding.len();
            let error = DecodeError::AttributeOverrun { attribute: part.kind, length: part.length, left };
            return (Value::Null, digits(), Some(report::reason(error)));
        }
        match check_seal(part).and_then(|()| value::read(part.kind, part.value, id)) {
            Ok(Some(reading)) => (reading.json, reading.words, None),
            Ok(None) => (Value::Null, digits(), None),
            Err(error) => (Value::Null, digits(), Some(report::reason(error))),
        }
    }

    /// A message in DATA.
    fn inner(&self, part: &Part<'_>) -> Option<Box<Decoded>> {
        (part.kind == Data::TYPE).then(|| inner(part.value, self.keys, self.depth))?
    }

    fn seals(&self) -> Vec<Seal> {
        let algorithm = self.algorithm();
        let parts = self.dissection.parts().filter(|part| part.standing == Standing::Seal);
        parts.filter_map(|part| self.seal(&part, algorithm)).collect()
    }

    /// The algorithm by which the message says that its long-term key was made.
    fn algorithm(&self) -> Option<Algorithm> {
        let of_algorithm =
            |part: &Part<'_>| part.kind == PasswordAlgorithm::TYPE && part.standing == Standing::Visible;
        let part = self.dissection.parts().find(of_algorithm)?;
        PasswordAlgorithm::decode(part.value, self.dissection.id()?).ok().map(|named| named.0)
    }

    fn seal(&self, part: &Part<'_>, algorithm: Option<Algorithm>) -> Option<Seal> {
        let coverage = part.coverage()?;
        let (verified, key) = match part.kind {
            FINGERPRINT => (Some(self.is_right_fingerprint(part)), None),
            _ if self.keys.is_empty() => (None, None),
            _ => {
                let signed = |(_, key): &(&str, &Key)| {
                    self.dissection.signature(part, key).as_deref() == Some(part.value)
                };
                let key = self.keys.fitting(algorithm).find(signed).map(|(name, _)| name.to_owned());
                (Some(key.is_some()), key)
            }
        };
        // FINGERPRINT takes the header as it is.
        let length = match part.kind {
            FINGERPRINT => self.dissection.length().unwrap_or(coverage.length),
            _ => coverage.length,
        };
        let covers = Covers { from: 0, to: coverage.end, length };
        Some(Seal { name: attribute::name(part.kind)?, offset: part.offset, covers, verified, key })
    }

    /// RFC 8489 §14.7: the CRC is right, and nothing follows.
    fn is_right_fingerprint(&self, part: &Part<'_>) -> bool {
        let right = self.dissection.checksum(part).map(u32::to_be_bytes);
        let is_last = self.dissection.parts().last().is_some_and(|last| last.offset == part.offset);
        is_last && right.is_some_and(|right| right == part.value)
    }

    fn notes(&self, seals: &[Seal]) -> Vec<String> {
        let mut notes = Vec::new();
        notes.extend(self.note_on_machines());
        notes.extend(self.note_on_classic_stun());
        notes.extend(self.note_on_hidden());
        notes.extend(self.note_on_repeated());
        notes.extend(self.note_on_unknown());
        for part in self.dissection.parts().filter(|part| part.standing == Standing::Seal) {
            let wrong = seals.iter().any(|seal| seal.offset == part.offset && seal.verified == Some(false));
            notes.extend(wrong.then(|| self.note_on_seal(&part)).flatten());
        }
        notes
    }

    /// What decodes and is dropped all the same.
    fn note_on_machines(&self) -> Option<String> {
        let bytes = self.dissection.bytes();
        let error = Message::decode(bytes).err().filter(|_| self.dissection.fault().is_none())?;
        Some(format!("a strict reader, as floe is, drops the message: {error}"))
    }

    fn note_on_classic_stun(&self) -> Option<String> {
        let cookie = self.dissection.cookie().is_some_and(|cookie| cookie != floe_stun::MAGIC_COOKIE);
        let body = self.dissection.bytes().len().checked_sub(floe_stun::HEADER_LEN)?;
        let fits = self.dissection.length().is_some_and(|length| usize::from(length) == body);
        (cookie && fits).then(|| {
            "the length fits: this may be STUN as it was before 2008 (RFC 3489), without a cookie".to_owned()
        })
    }

    fn note_on_hidden(&self) -> Option<String> {
        let hidden = self.dissection.parts().filter(|part| part.standing == Standing::Hidden);
        let names: Vec<String> = hidden.map(|part| value::named(part.kind)).take(MOST_NAMES).collect();
        (!names.is_empty()).then(|| {
            format!("not visible to a reader, for it stands behind what vouches: {}", names.join(", "))
        })
    }

    fn note_on_repeated(&self) -> Option<String> {
        let mut counts = BTreeMap::<u16, usize>::new();
        for part in self.dissection.parts().filter(|part| part.standing == Standing::Visible) {
            *counts.entry(part.kind).or_default() += 1;
        }
        let repeated = counts.into_iter().filter(|(kind, count)| *count > 1 && !may_repeat(*kind));
        let names: Vec<String> = repeated.map(|(kind, _)| value::named(kind)).take(MOST_NAMES).collect();
        (!names.is_empty()).then(|| format!("repeated, and only the first counts: {}", names.join(", ")))
    }

    fn note_on_unknown(&self) -> Option<String> {
        let unknown = |part: &Part<'_>| {
            part.standing == Standing::Visible
                && attribute::is_required(part.kind)
                && !attribute::is_known(part.kind)
        };
        let parts = self.dissection.parts().filter(unknown);
        let names: Vec<String> = parts.map(|part| value::named(part.kind)).take(MOST_NAMES).collect();
        (!names.is_empty()).then(|| {
            format!("who does not know them must refuse the message, and floe does not: {}", names.join(", "))
        })
    }

    /// Why a seal is wrong, where more can be told than that it is.
    fn note_on_seal(&self, part: &Part<'_>) -> Option<String> {
        if check_seal(part).is_err() {
            return None;
        }
        if part.kind == FINGERPRINT {
            let right = self.dissection.checksum(part)?;
            return (right.to_be_bytes() != part.value)
                .then(|| format!("FINGERPRINT is wrong: it should be {right:08x}"));
        }
        let is_start = |(_, key): &(&str, &Key)| {
            self.dissection.signature(part, key).is_some_and(|whole| whole.starts_with(part.value))
        };
        let (name, _) = self.keys.fitting(self.algorithm()).find(is_start)?;
        Some(format!(
            "{SHA256} is the beginning of what {name} makes; neither ICE nor TURN lets it be cut short"
        ))
    }
}

/// Names in a note, and no more.
const MOST_NAMES: usize = 16;

/// RFC 8656 §10.1: a CreatePermission request has one for each peer. Families and their errors come in pairs.
const fn may_repeat(kind: u16) -> bool {
    matches!(
        kind,
        attribute::XorPeerAddress::TYPE
            | attribute::XorRelayedAddress::TYPE
            | attribute::AddressErrorCode::TYPE
            | attribute::AlternateServer::TYPE
    )
}

/// The length of a seal as a check.
fn check_seal(part: &Part<'_>) -> Result<(), DecodeError> {
    let expected = match (part.kind, part.value.len()) {
        (attribute::MESSAGE_INTEGRITY, 20) | (FINGERPRINT, 4) => return Ok(()),
        (attribute::MESSAGE_INTEGRITY_SHA256, 16 | 20 | 24 | 28 | 32) => return Ok(()),
        (attribute::MESSAGE_INTEGRITY, _) => "20",
        (attribute::MESSAGE_INTEGRITY_SHA256, _) => "16 to 32, a multiple of 4",
        (FINGERPRINT, _) => "4",
        _ => return Ok(()),
    };
    Err(DecodeError::WrongLength { attribute: part.kind, expected, have: part.value.len() })
}

/// The message that a relay carries, if these are the bytes of one.
fn inner(bytes: &[u8], keys: &Keys, depth: u8) -> Option<Box<Decoded>> {
    let depth = depth.checked_sub(1).filter(|_| Message::is_probably(bytes))?;
    Some(Box::new(decode_within(bytes, keys, Input::Data, depth)))
}

fn channel_data(bytes: &[u8], keys: &Keys, input: Input, depth: u8) -> Decoded {
    let field = |at: usize| {
        let field = bytes.get(at..)?.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*field))
    };
    let read = ChannelData::decode(bytes);
    let data = read.as_ref().map_or_else(|_| bytes.get(4..).unwrap_or_default(), |read| read.data);
    let mut decoded = Decoded::good(
        input,
        What::ChannelData(Channel {
            bytes: bytes.len(),
            channel: field(0),
            length: field(2),
            data: hex::write(data),
            inner: inner(data, keys, depth),
        }),
    );
    match read {
        Ok(read) => {
            decoded.notes.extend(note_on_rest(bytes.len() - ChannelData::HEADER_LEN - read.data.len()))
        }
        Err(error) => {
            decoded.ok = false;
            decoded.error = Some(report::reason(error));
            decoded.offset = Some(bytes.len());
        }
    }
    decoded
}

fn note_on_rest(rest: usize) -> Option<String> {
    (rest > 3).then(|| {
        format!("{rest} bytes follow the data, more than padding: of a TCP stream they are the next message, see --stream")
    })
}
