//! What `floe decode` has to say: one value for each thing it was given, printed as a tree or as a line of JSON.
//!
//! docs/decode.md tells every field.

use std::net::SocketAddr;

use floe_stun::DecodeError;
use serde::Serialize;
use serde_json::Value;

/// One thing that was decoded, or why it could not be.
#[derive(Debug, Serialize)]
pub(crate) struct Decoded {
    pub(crate) ok: bool,
    /// A word, a colon, a sentence.
    pub(crate) error: Option<String>,
    /// The byte where it goes wrong, from the first of the message.
    pub(crate) offset: Option<usize>,
    pub(crate) input: Input,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) packet: Option<Packet>,
    #[serde(flatten)]
    pub(crate) what: What,
    pub(crate) attributes: Vec<Attribute>,
    /// Whether the seal that decides verifies; nothing is known without a seal or without a key.
    pub(crate) integrity: Option<bool>,
    pub(crate) fingerprint: Option<bool>,
    /// What else is to be known of it, in sentences.
    pub(crate) notes: Vec<String>,
}

/// As what it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Input {
    Hex,
    Binary,
    Text,
    Capture,
    Stream,
    /// Inside of another message.
    Data,
    /// It could not be read.
    None,
}

/// What it was taken to be.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum What {
    Stun(Message),
    ChannelData(Channel),
    Candidate(CandidateLine),
    Sdp(Description),
    Fragment(Description),
    /// All of a capture, behind its messages.
    Capture(Summary),
    Unknown,
}

/// The header of a message and its seals; what cannot be read is missing.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) bytes: usize,
    pub(crate) class: Option<&'static str>,
    pub(crate) method: Option<String>,
    pub(crate) method_number: Option<u16>,
    pub(crate) length: Option<u16>,
    pub(crate) cookie: Option<String>,
    pub(crate) transaction_id: Option<String>,
    pub(crate) seals: Vec<Seal>,
}

/// One attribute where it stands.
#[derive(Debug, Serialize)]
pub(crate) struct Attribute {
    /// By its RFC, or its number where nobody here knows it.
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) number: u16,
    pub(crate) offset: usize,
    /// As its length field says.
    pub(crate) length: u16,
    pub(crate) value: Value,
    pub(crate) hex: String,
    pub(crate) error: Option<String>,
    pub(crate) known: bool,
    /// Who does not know it must refuse the message.
    pub(crate) required: bool,
    /// A reader sees it: it does not stand behind what vouches for the message.
    pub(crate) visible: bool,
    /// The message that a relay carries in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inner: Option<Box<Decoded>>,
    /// The value for people.
    #[serde(skip)]
    pub(crate) words: String,
}

/// MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 or FINGERPRINT, and what it vouches for.
#[derive(Debug, Serialize)]
pub(crate) struct Seal {
    pub(crate) name: &'static str,
    /// Where it stands.
    pub(crate) offset: usize,
    pub(crate) covers: Covers,
    pub(crate) verified: Option<bool>,
    /// Which of the keys made it.
    pub(crate) key: Option<String>,
}

/// Bytes `from..to`, with the header's length field counted as `length`.
#[derive(Debug, Serialize)]
pub(crate) struct Covers {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) length: u16,
}

#[derive(Debug, Serialize)]
pub(crate) struct Channel {
    pub(crate) bytes: usize,
    pub(crate) channel: Option<u16>,
    pub(crate) length: Option<u16>,
    /// As much of it as is there.
    pub(crate) data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inner: Option<Box<Decoded>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CandidateLine {
    #[serde(flatten)]
    pub(crate) read: Option<Candidate>,
    /// Why an agent passes it over, though nothing is wrong with the line.
    pub(crate) ignored: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Candidate {
    pub(crate) foundation: String,
    pub(crate) component: u16,
    pub(crate) transport: String,
    pub(crate) priority: u32,
    pub(crate) address: String,
    pub(crate) port: u16,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) related: Option<Related>,
    pub(crate) tcp_type: Option<String>,
    pub(crate) extensions: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Related {
    pub(crate) address: String,
    pub(crate) port: u16,
}

/// A session description, or what is trickled after it.
#[derive(Debug, Serialize)]
pub(crate) struct Description {
    /// Of the fault, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Session>,
    pub(crate) groups: Vec<String>,
    pub(crate) ice_lite: bool,
    pub(crate) sections: Vec<Section>,
    /// Whether a data channel session can be made of it; only of whole descriptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_channels: Option<Verdict>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Session {
    pub(crate) origin: String,
    pub(crate) name: String,
    pub(crate) version: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) ok: bool,
    pub(crate) error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) mid: Option<String>,
    pub(crate) media: String,
    pub(crate) port: u16,
    pub(crate) protocol: String,
    pub(crate) formats: Vec<String>,
    pub(crate) rejected: bool,
    pub(crate) ufrag: Option<String>,
    /// Characters of the password, which is not repeated.
    pub(crate) pwd_length: Option<usize>,
    pub(crate) ice_options: Vec<String>,
    pub(crate) setup: Option<String>,
    pub(crate) fingerprints: Vec<String>,
    pub(crate) sctp_port: Option<u16>,
    pub(crate) max_message_size: Option<u64>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) end_of_candidates: bool,
}

/// Where a message of a capture was seen.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Packet {
    /// As Wireshark counts, from 1; that of the last byte, where a message came in several.
    pub(crate) number: u64,
    /// Seconds since 1970.
    pub(crate) time: Option<f64>,
    pub(crate) transport: &'static str,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

/// What else a capture held.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) packets: u64,
    pub(crate) messages: u64,
    pub(crate) refused: u64,
    /// Payloads of UDP that are neither STUN nor ChannelData, empty ones not counted.
    pub(crate) other: u64,
    /// IP fragments: not put together.
    pub(crate) fragments: u64,
    /// Holes in TCP connections, behind which reading began anew.
    pub(crate) gaps: u64,
    /// Packets of a link type that is not read.
    pub(crate) unread: u64,
}

impl Decoded {
    /// Something that was read.
    pub(crate) const fn good(input: Input, what: What) -> Self {
        Self {
            ok: true,
            error: None,
            offset: None,
            input,
            packet: None,
            what,
            attributes: Vec::new(),
            integrity: None,
            fingerprint: None,
            notes: Vec::new(),
        }
    }

    /// Something that could not be read, for a reason that is a word and a sentence.
    pub(crate) fn bad(input: Input, what: What, word: &str, sentence: &str) -> Self {
        Self { ok: false, error: Some(format!("{word}: {sentence}")), ..Self::good(input, what) }
    }
}

/// The reason as a word that stays the same and a sentence that may change.
pub(crate) fn reason(error: DecodeError) -> String {
    let sentence = error.to_string();
    let sentence = sentence.strip_prefix("truncated: ").unwrap_or(&sentence);
    format!("{}: {sentence}", word(error))
}

const fn word(error: DecodeError) -> &'static str {
    match error {
        DecodeError::Truncated { .. } => "truncated",
        DecodeError::NotStun { .. } => "not-stun",
        DecodeError::NoCookie { .. } => "no-cookie",
        DecodeError::UnalignedLength { .. } => "bad-length",
        DecodeError::TrailingBytes { .. } => "trailing-bytes",
        DecodeError::AttributeOverrun { .. } => "attribute-overrun",
        DecodeError::WrongLength { .. } => "wrong-length",
        DecodeError::BadValue { .. } => "bad-value",
        _ => "malformed",
    }
}
