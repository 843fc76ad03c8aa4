//! One direction of a TCP connection, cut into messages.

use floe_stun::stream::{Cutter, Frame, Framing, StreamError};
use floe_stun::{ChannelData, MAGIC_COOKIE, Message, Method};

use super::keys::Keys;
use super::message;
use super::report::{Decoded, Input, What};

/// Reads a stream whose framing its first bytes tell.
#[derive(Debug)]
pub(crate) enum Reader {
    /// Too little has come to say what it is.
    Beginning(Vec<u8>),
    Reading(Cutter),
    /// It is something else, or has become so.
    Foreign,
}

impl Reader {
    pub(crate) const fn new() -> Self {
        Self::Beginning(Vec::new())
    }

    pub(crate) const fn is_reading(&self) -> bool {
        matches!(self, Self::Reading(_))
    }

    /// Takes what comes next and gives the messages that it ends.
    ///
    /// `is_turn` says that a connection with a TURN server is known to be one, so that it may begin with ChannelData.
    pub(crate) fn take(&mut self, data: &[u8], is_turn: bool, keys: &Keys) -> Vec<Decoded> {
        match self {
            Self::Foreign => Vec::new(),
            Self::Reading(cutter) => {
                let Cut { mut told, rest } = cut(cutter, data, keys);
                match rest {
                    Rest::None => {}
                    Rest::Broken => *self = Self::Foreign,
                    Rest::Another(rest) => {
                        *self = Self::new();
                        told.extend(self.take(rest, false, keys));
                    }
                }
                told
            }
            Self::Beginning(held) => {
                held.extend_from_slice(data);
                let held = std::mem::take(held);
                match framing(&held, is_turn) {
                    Told::Later => *self = Self::Beginning(held),
                    Told::Foreign => *self = Self::Foreign,
                    Told::Is(framing) => {
                        *self = Self::Reading(Cutter::new(framing));
                        return self.take(&held, is_turn, keys);
                    }
                }
                Vec::new()
            }
        }
    }

    /// The stream has ended: what it still owed, if it was in the middle of a message.
    pub(crate) fn end(self) -> Option<Decoded> {
        let Self::Reading(cutter) = self else { return None };
        let pending = cutter.pending()?;
        let why = format!(
            "the stream ends within a message: {} bytes of it came, {} more are needed to go on",
            pending.have, pending.missing
        );
        Some(Decoded::bad(Input::Stream, What::Unknown, "truncated", &why))
    }
}

/// Decodes a stream that is all there.
pub(crate) fn decode_whole(stream: &[u8], keys: &Keys) -> Vec<Decoded> {
    let mut reader = Reader::new();
    let mut told = reader.take(stream, true, keys);
    told.extend(match reader {
        Reader::Beginning(held) => {
            let why = format!("{} bytes are too few to tell what the stream is", held.len());
            Some(Decoded::bad(Input::Stream, What::Unknown, "truncated", &why))
        }
        Reader::Foreign if told.is_empty() => {
            let why =
                "no STUN message, ChannelData or length (RFC 4571) stands at the beginning of the stream";
            Some(Decoded::bad(Input::Stream, What::Unknown, "not-stun", why))
        }
        reader => reader.end(),
    });
    told
}

/// What came of some bytes.
struct Cut<'d> {
    told: Vec<Decoded>,
    rest: Rest<'d>,
}

enum Rest<'d> {
    /// All has been read.
    None,
    /// The stream is none of ours any more.
    Broken,
    /// Another stream begins: what a peer sends (RFC 6062 §5.4).
    Another(&'d [u8]),
}

/// The frames that `data` ends.
fn cut<'d>(cutter: &mut Cutter, mut data: &'d [u8], keys: &Keys) -> Cut<'d> {
    let mut told = Vec::new();
    loop {
        match cutter.cut(&mut data) {
            Ok(None) => return Cut { told, rest: Rest::None },
            Ok(Some(frame)) => told.extend(decode(frame, keys)),
            Err(error) => {
                told.push(Decoded::bad(Input::Stream, What::Unknown, word(error), &error.to_string()));
                return Cut { told, rest: Rest::Broken };
            }
        }
        if told.last().is_some_and(hands_over) {
            return Cut { told, rest: Rest::Another(data) };
        }
    }
}

/// Whether a connection with a server becomes one with a peer behind this: a ConnectionBind that succeeded.
pub(crate) fn hands_over(decoded: &Decoded) -> bool {
    let What::Stun(message) = &decoded.what else { return false };
    message.class == Some("success") && message.method_number == Some(Method::CONNECTION_BIND.number())
}

fn decode(frame: Frame<'_>, keys: &Keys) -> Option<Decoded> {
    match frame {
        Frame::Stun(bytes) => Some(message::decode(bytes, keys, Input::Stream)),
        Frame::ChannelData(ChannelData { channel, data, .. }) => {
            let len = u16::try_from(data.len()).unwrap_or(u16::MAX);
            let bytes = [&ChannelData::header(channel, len), data].concat();
            Some(message::decode(&bytes, keys, Input::Stream))
        }
        // DTLS and media come the same way.
        Frame::Packet(packet) => {
            Message::is_probably(packet).then(|| message::decode(packet, keys, Input::Stream))
        }
    }
}

const fn word(error: StreamError) -> &'static str {
    match error {
        StreamError::NotAFrame { .. } => "not-stun",
        StreamError::NoCookie { .. } => "no-cookie",
        StreamError::UnalignedLength { .. } => "bad-length",
        _ => "too-long",
    }
}

/// What the first bytes say of the framing.
enum Told {
    Is(Framing),
    Foreign,
    Later,
}

/// The cookie stands at byte 4 of a STUN message, and two bytes later behind a length (RFC 4571).
fn framing(start: &[u8], is_turn: bool) -> Told {
    let has_cookie = |at: usize| start.get(at..at + 4) == Some(&MAGIC_COOKIE.to_be_bytes());
    match start {
        [0x40..=0x4F, ..] if is_turn => Told::Is(Framing::Turn),
        [0x00..=0x03, ..] if has_cookie(4) => Told::Is(Framing::Turn),
        [_, _, 0x00..=0x03, ..] if has_cookie(6) => Told::Is(Framing::Rfc4571),
        _ if start.len() < 10 => Told::Later,
        _ => Told::Foreign,
    }
}
