//! Cuts a byte stream into what travels on it: STUN messages, ChannelData, or packets behind their length.
//!
//! | [`Framing`] | connection | a frame is | section |
//! |---|---|---|---|
//! | `Stun` | to a STUN server | a header that tells the length, 20 bytes and more | RFC 8489 §6.2.2 |
//! | `Turn` | to a TURN server | that, or ChannelData with its padding | RFC 8656 §12.5 |
//! | `Rfc4571` | ICE over TCP | 16 bits of length, then the packet | RFC 4571 §2, RFC 6544 §10 |
//!
//! ```text
//!   Empty ──part of a frame──▶ Holding ──the rest of it──▶ Lent ──next call──▶ Empty
//!     │ └──whole frame in the input: lent from there, not copied     │
//!     └───────────────a header that cannot be──▶ Broken ◀────────────┘
//! ```
//!
//! What is said of a frame does not depend on how the stream was cut on its way.

use alloc::vec::Vec;

use thiserror::Error;

use crate::{ChannelData, ChannelNumber, HEADER_LEN, MAGIC_COOKIE};

/// The longest frame in bytes: ChannelData of 65,535 bytes with its header and padding.
pub const MAX_FRAME: usize = 65_540;

/// What travels on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whoever opens a connection knows which of these it is")]
pub enum Framing {
    /// STUN messages and nothing else (RFC 8489 §6.2.2).
    Stun,
    /// STUN messages and ChannelData padded to a multiple of 4 (RFC 8656 §12.5).
    Turn,
    /// Packets of any kind, each behind its length in 16 bits (RFC 4571 §2).
    Rfc4571,
}

/// One frame of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the three things that travel")]
pub enum Frame<'a> {
    /// The bytes of one STUN message, for [`crate::Message::decode`]: its length and cookie are right, and no more
    /// is known of it.
    Stun(&'a [u8]),
    /// ChannelData. Whether the channel is bound is the owner's to know, and a number that is not is the only sign
    /// of a stream that has lost its step.
    ChannelData(ChannelData<'a>),
    /// A packet of RFC 4571, never empty; [`crate::Protocol`] tells what it is.
    Packet(&'a [u8]),
}

/// Why a stream cannot be read any further: its frames have lost their step, or it never was one of these. To be
/// closed (RFC 8489 §6.3 lets no other way, for there is no next message to find).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StreamError {
    /// Neither a STUN message nor, where it may be, ChannelData begins like this.
    #[error("no frame begins with {first:#04x} here")]
    NotAFrame {
        /// The first byte.
        first: u8,
    },
    /// The magic cookie is missing.
    #[error("no magic cookie: {found:#010x} stands in its place")]
    NoCookie {
        /// What stands in its place.
        found: u32,
    },
    /// The length of a STUN message is not a multiple of four.
    #[error("the length field says {length}, which is not a multiple of 4")]
    UnalignedLength {
        /// The length field.
        length: u16,
    },
    /// The frame is longer than the limit.
    #[error("a frame of {len} bytes, {limit} is the limit")]
    TooLong {
        /// Its bytes, with header and padding.
        len: usize,
        /// The most that is taken.
        limit: usize,
    },
}

/// What is there of a frame whose end has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// Its bytes so far.
    pub have: usize,
    /// Bytes that must come before more can be said: the rest of the header, then the rest of the frame.
    pub missing: usize,
    /// Its channel, if it is ChannelData: an owner that has not bound it need not wait for the rest.
    pub channel: Option<ChannelNumber>,
}

/// Cuts one direction of one stream.
///
/// It holds at most one frame that came in pieces, and only the bytes that came, whatever a header promises. Every
/// byte is looked at once and copied at most once.
///
/// ```
/// use floe_stun::stream::{Cutter, Frame, Framing};
///
/// let mut cutter = Cutter::new(Framing::Rfc4571);
/// let mut packets = Vec::new();
/// for segment in [&b"\0\x05hel"[..], b"lo\0", b"\x01!\0\x02"] {
///     let mut rest = segment;
///     while let Some(frame) = cutter.cut(&mut rest)? {
///         let Frame::Packet(packet) = frame else { unreachable!() };
///         packets.push(packet.to_vec());
///     }
/// }
/// assert_eq!(packets, [&b"hello"[..], b"!"]);
/// assert_eq!(cutter.pending().unwrap().missing, 2);
/// # Ok::<(), floe_stun::stream::StreamError>(())
/// ```
#[derive(Debug)]
pub struct Cutter {
    framing: Framing,
    limit: usize,
    held: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing is held.
    Empty,
    /// A part of a frame is held.
    Holding,
    /// A whole frame is held, and it has been lent.
    Lent,
    /// Nothing can follow.
    Broken(StreamError),
}

impl Cutter {
    /// A stream that begins now; frames may have [`MAX_FRAME`] bytes.
    #[must_use]
    pub const fn new(framing: Framing) -> Self {
        Self::with_limit(framing, MAX_FRAME)
    }

    /// The same with another limit for a frame in bytes, header and padding counted.
    #[must_use]
    pub const fn with_limit(framing: Framing, limit: usize) -> Self {
        Self { framing, limit, held: Vec::new(), state: State::Empty }
    }

    /// Takes the next frame off the front of `input`, which then holds what follows. `None` if the input does not end
    /// one: it is then empty, and its bytes are kept for the next.
    ///
    /// To be called until it gives `None`; a caller that stops earlier keeps the rest of its input for later.
    ///
    /// # Errors
    ///
    /// If no frame can begin like this. The same error comes back for ever: the stream is to be closed.
    pub fn cut<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'a>>, StreamError> {
        let framing = self.framing;
        Ok(self.take(input)?.and_then(|bytes| framing.read(bytes)))
    }

    /// The same, the frame being the datagram that it would have been over UDP: what a machine takes as
    /// [`Input::Datagram`](crate::Input::Datagram), with the stream's name and the address at its other end.
    ///
    /// ```
    /// use floe_stun::stream::{Cutter, Framing};
    ///
    /// let mut cutter = Cutter::new(Framing::Turn);
    /// let mut stream = &b"\x40\x01\0\x02hi\0\0\x40"[..];
    /// assert_eq!(cutter.datagram(&mut stream), Ok(Some(&b"\x40\x01\0\x02hi\0\0"[..])));
    /// assert_eq!(cutter.datagram(&mut stream), Ok(None));
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Self::cut`].
    pub fn datagram<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<&'a [u8]>, StreamError> {
        let framing = self.framing;
        Ok(self.take(input)?.map(|bytes| framing.payload(bytes)))
    }

    /// The bytes of the next frame.
    fn take<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<&'a [u8]>, StreamError> {
        match self.state {
            State::Broken(error) => return Err(error),
            State::Lent => self.forget(),
            State::Empty | State::Holding => {}
        }
        let place = self.advance(input).inspect_err(|error| self.state = State::Broken(*error))?;
        Ok(match place {
            Some(Place::Input(bytes)) => Some(bytes),
            Some(Place::Held) => Some(&self.held),
            None => None,
        })
    }

    /// What is there of a frame that has not ended.
    #[must_use]
    pub fn pending(&self) -> Option<Pending> {
        let State::Holding = self.state else { return None };
        let size = self.measure(&self.held).ok()?;
        let channel = match self.held.first_chunk::<2>() {
            Some(number) if self.framing == Framing::Turn => ChannelNumber::new(u16::from_be_bytes(*number)),
            _ => None,
        };
        let have = self.held.len();
        Some(Pending { have, missing: size.bytes().saturating_sub(have), channel })
    }

    /// The bytes that are kept of a frame that has not ended: for an owner that has cut all it wanted and reads on by other
    /// rules, as behind the answer to ConnectionBind (RFC 6062 §4.3). What is left of the last input follows them.
    ///
    /// ```
    /// use floe_stun::stream::{Cutter, Framing};
    ///
    /// let mut cutter = Cutter::new(Framing::Turn);
    /// let mut input = &b"\x40\x01\0\0\x40\x02"[..];
    /// assert!(cutter.datagram(&mut input).unwrap().is_some());
    /// assert_eq!(cutter.datagram(&mut input), Ok(None));
    /// assert_eq!(cutter.into_rest(), b"\x40\x02");
    /// ```
    #[must_use]
    pub fn into_rest(self) -> Vec<u8> {
        match self.state {
            State::Holding => self.held,
            State::Empty | State::Lent | State::Broken(_) => Vec::new(),
        }
    }

    /// Looks for the end of a frame that is not a null packet.
    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Place<'i>>, StreamError> {
        loop {
            let found = match self.state {
                State::Empty => self.take_whole(input)?,
                _ => self.complete(input)?,
            };
            match found {
                Some(Place::Input(frame)) if self.framing.is_null(frame) => {}
                Some(Place::Held) if self.framing.is_null(&self.held) => self.forget(),
                Some(place) => return Ok(Some(place)),
                None if input.is_empty() => return Ok(None),
                None => {}
            }
        }
    }

    /// With nothing held: a frame that is whole in the input, or what there is of one is to be held.
    fn take_whole<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Place<'i>>, StreamError> {
        let size = self.measure(input)?;
        if let Size::Frame(len) = size
            && let Some((frame, rest)) = input.split_at_checked(len)
        {
            *input = rest;
            return Ok(Some(Place::Input(frame)));
        }
        if !input.is_empty() {
            self.state = State::Holding;
        }
        Ok(None)
    }

    /// With a part held: adds what it lacks, of its header first.
    fn complete<'i>(&mut self, input: &mut &[u8]) -> Result<Option<Place<'i>>, StreamError> {
        let size = self.measure(&self.held)?;
        let missing = size.bytes().saturating_sub(self.held.len());
        let (part, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
        *input = rest;
        self.hold(part, size.bytes());
        match self.measure(&self.held)? {
            Size::Frame(len) if self.held.len() == len => {
                self.state = State::Lent;
                Ok(Some(Place::Held))
            }
            Size::Frame(_) | Size::Header(_) => Ok(None),
        }
    }

    /// Grows with what came, and never beyond the frame.
    fn hold(&mut self, part: &[u8], frame: usize) {
        let (have, room) = (self.held.len(), self.held.capacity());
        let need = have.saturating_add(part.len());
        if need > room {
            self.held.reserve_exact(room.saturating_mul(2).clamp(need, frame.max(need)).saturating_sub(have));
        }
        self.held.extend_from_slice(part);
    }

    fn forget(&mut self) {
        self.held.clear();
        self.held.shrink_to(KEPT);
        self.state = State::Empty;
    }

    fn measure(&self, bytes: &[u8]) -> Result<Size, StreamError> {
        self.framing.measure(bytes, self.limit)
    }
}

/// Bytes of memory that a stream keeps between frames: as many as most of them have.
const KEPT: usize = 2048;

/// Where a whole frame lies.
enum Place<'i> {
    Input(&'i [u8]),
    Held,
}

/// What is known of the size of a frame.
#[derive(Clone, Copy)]
enum Size {
    /// So many bytes are needed to know it.
    Header(usize),
    /// The frame has so many.
    Frame(usize),
}

impl Size {
    const fn bytes(self) -> usize {
        match self {
            Self::Header(bytes) | Self::Frame(bytes) => bytes,
        }
    }
}

impl Framing {
    /// The size of the frame that begins like this, told by as few bytes as can be.
    fn measure(self, bytes: &[u8], limit: usize) -> Result<Size, StreamError> {
        let size = match (self, bytes.first()) {
            (Self::Rfc4571, _) => measure_packet(bytes),
            (_, None) => Size::Header(4),
            (_, Some(0x00..=0x03)) => return measure_stun(bytes, limit),
            (Self::Turn, Some(0x40..=0x4F)) => measure_channel_data(bytes),
            (_, Some(first)) => return Err(StreamError::NotAFrame { first: *first }),
        };
        check_limit(size, limit)?;
        Ok(size)
    }

    /// RFC 4571 §2: a length of zero is a packet without a meaning.
    const fn is_null(self, frame: &[u8]) -> bool {
        matches!(self, Self::Rfc4571) && frame.len() == PREFIX_LEN
    }

    /// What a whole frame carries.
    fn payload(self, frame: &[u8]) -> &[u8] {
        let prefix = if matches!(self, Self::Rfc4571) { PREFIX_LEN } else { 0 };
        frame.get(prefix..).unwrap_or_default()
    }

    /// Reads a whole frame.
    fn read(self, frame: &[u8]) -> Option<Frame<'_>> {
        match (self, frame.first()?) {
            (Self::Rfc4571, _) => Some(Frame::Packet(self.payload(frame))),
            (_, 0x00..=0x03) => Some(Frame::Stun(frame)),
            _ => ChannelData::decode(frame).ok().map(Frame::ChannelData),
        }
    }
}

fn measure_packet(bytes: &[u8]) -> Size {
    match bytes.first_chunk::<PREFIX_LEN>() {
        Some(length) => Size::Frame(PREFIX_LEN + usize::from(u16::from_be_bytes(*length))),
        None => Size::Header(PREFIX_LEN),
    }
}

fn measure_channel_data(bytes: &[u8]) -> Size {
    match bytes.first_chunk::<4>() {
        Some(&[_, _, l0, l1]) => {
            let data = usize::from(u16::from_be_bytes([l0, l1]));
            Size::Frame((ChannelData::HEADER_LEN + data).next_multiple_of(4))
        }
        None => Size::Header(ChannelData::HEADER_LEN),
    }
}

/// The length is judged as soon as it is there, the cookie with its last byte.
fn measure_stun(bytes: &[u8], limit: usize) -> Result<Size, StreamError> {
    let Some(&[_, _, l0, l1]) = bytes.first_chunk::<4>() else { return Ok(Size::Header(4)) };
    let length = u16::from_be_bytes([l0, l1]);
    if !length.is_multiple_of(4) {
        return Err(StreamError::UnalignedLength { length });
    }
    let size = Size::Frame(HEADER_LEN + usize::from(length));
    check_limit(size, limit)?;
    match bytes.first_chunk::<8>() {
        Some(&[_, _, _, _, cookie @ ..]) if u32::from_be_bytes(cookie) == MAGIC_COOKIE => Ok(size),
        Some(&[_, _, _, _, cookie @ ..]) => Err(StreamError::NoCookie { found: u32::from_be_bytes(cookie) }),
        None => Ok(Size::Header(8)),
    }
}

const fn check_limit(size: Size, limit: usize) -> Result<(), StreamError> {
    match size {
        Size::Frame(len) if len > limit => Err(StreamError::TooLong { len, limit }),
        _ => Ok(()),
    }
}

/// What goes in front of a packet of this length (RFC 4571 §2).
#[must_use]
pub const fn packet_prefix(len: u16) -> [u8; 2] {
    len.to_be_bytes()
}

const PREFIX_LEN: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const STUN: [u8; 24] = *b"\0\x01\0\x04\x21\x12\xA4\x42abcdefghijkl\x80\x22\0\0";

    /// What comes out of these segments, each frame with its bytes, and how it ended.
    fn cut(framing: Framing, segments: &[&[u8]]) -> (Vec<(u16, Vec<u8>)>, Option<StreamError>) {
        let (mut cutter, mut frames) = (Cutter::new(framing), Vec::new());
        for segment in segments {
            let mut rest = *segment;
            loop {
                match cutter.cut(&mut rest) {
                    Ok(Some(Frame::Stun(bytes))) => frames.push((0, bytes.to_vec())),
                    Ok(Some(Frame::Packet(bytes))) => frames.push((1, bytes.to_vec())),
                    Ok(Some(Frame::ChannelData(data))) => {
                        frames.push((data.channel.get(), data.data.to_vec()))
                    }
                    Ok(None) => break,
                    Err(error) => return (frames, Some(error)),
                }
            }
            assert!(rest.is_empty());
        }
        (frames, None)
    }

    fn is_inside(part: &[u8], whole: &[u8]) -> bool {
        whole.as_ptr_range().contains(&part.as_ptr())
    }

    #[test]
    fn a_turn_stream_mixes_messages_and_padded_channel_data() {
        let mut stream = STUN.to_vec();
        stream.extend(b"\x40\x01\0\x01x\xEE\xEE\xEE");
        stream.extend(STUN);
        let frames = vec![(0, STUN.to_vec()), (0x4001, b"x".to_vec()), (0, STUN.to_vec())];
        assert_eq!(cut(Framing::Turn, &[&stream]), (frames.clone(), None));
        for at in 0..stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(cut(Framing::Turn, &[a, b]), (frames.clone(), None), "cut at {at}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(cut(Framing::Turn, &bytes), (frames, None));
    }

    #[test]
    fn what_lies_whole_in_the_input_is_not_copied() {
        let (mut cutter, stream) = (Cutter::new(Framing::Rfc4571), *b"\0\x01a\0\x02bc\0\x03de");
        let mut rest = &stream[..];
        for expected in [&b"a"[..], b"bc"] {
            let Ok(Some(Frame::Packet(packet))) = cutter.cut(&mut rest) else { panic!("no packet") };
            assert_eq!(packet, expected);
            assert!(is_inside(packet, &stream));
        }
        assert_eq!(cutter.cut(&mut rest), Ok(None));
        assert_eq!(cutter.held, b"\0\x03de");
    }

    #[test]
    fn null_packets_have_no_effect() {
        let (frames, error) = cut(Framing::Rfc4571, &[b"\0\0\0\0\0", b"\0\0", b"\0\0\x01x\0\0"]);
        assert_eq!((frames, error), (vec![(1, b"x".to_vec())], None));
    }

    #[test]
    fn a_header_that_cannot_be_ends_the_stream_for_good() {
        let bent = |at: usize, byte: u8| {
            let mut stream = STUN.to_vec();
            stream[at] = byte;
            stream
        };
        for (framing, stream, error) in [
            (Framing::Stun, bent(0, 0x40), StreamError::NotAFrame { first: 0x40 }),
            (Framing::Turn, bent(0, 0x50), StreamError::NotAFrame { first: 0x50 }),
            (Framing::Turn, bent(0, 0x04), StreamError::NotAFrame { first: 0x04 }),
            (Framing::Turn, bent(3, 6), StreamError::UnalignedLength { length: 6 }),
            (Framing::Stun, bent(7, 0x43), StreamError::NoCookie { found: 0x2112_A443 }),
            (Framing::Turn, b"\0\x01\xFF\xFC".to_vec(), StreamError::TooLong { len: 65_552, limit: 65_540 }),
        ] {
            let mut cutter = Cutter::new(framing);
            assert_eq!(cutter.cut(&mut &stream[..]), Err(error));
            assert_eq!(cutter.cut(&mut &STUN[..]), Err(error), "and it stays so");
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(cut(framing, &bytes), (vec![], Some(error)), "byte by byte");
        }
    }

    #[test]
    fn the_limit_counts_the_whole_frame() {
        let mut cutter = Cutter::with_limit(Framing::Turn, 12);
        assert!(cutter.cut(&mut &b"\x40\0\0\x05hello\0\0\0"[..]).unwrap().is_some());
        let long = cutter.cut(&mut &b"\x40\0\0\x09"[..]);
        assert_eq!(long, Err(StreamError::TooLong { len: 16, limit: 12 }));
    }

    #[test]
    fn the_largest_frame_passes_and_its_memory_is_given_back() {
        let mut cutter = Cutter::new(Framing::Turn);
        let mut stream = vec![7; MAX_FRAME];
        stream.splice(..4, *b"\x40\0\xFF\xFF");
        let mut most = 0;
        for byte in stream.chunks(1).take(MAX_FRAME - 1) {
            assert_eq!(cutter.cut(&mut &*byte), Ok(None));
            most = most.max(cutter.held.capacity());
        }
        assert!(most <= MAX_FRAME, "{most}");
        let Ok(Some(Frame::ChannelData(whole))) = cutter.cut(&mut &[7][..]) else { panic!("no frame") };
        assert_eq!(whole.data.len(), 65_535);
        assert_eq!(cutter.cut(&mut &[][..]), Ok(None));
        assert!(cutter.held.capacity() <= KEPT);
    }

    #[test]
    fn a_promise_of_many_bytes_takes_no_memory() {
        let mut cutter = Cutter::new(Framing::Rfc4571);
        assert_eq!(cutter.cut(&mut &b"\xFF\xFFab"[..]), Ok(None));
        assert!(cutter.held.capacity() < 64);
    }

    #[test]
    fn the_owner_may_ask_what_a_stream_is_waiting_for() {
        let mut cutter = Cutter::new(Framing::Turn);
        assert_eq!(cutter.pending(), None);
        assert_eq!(cutter.cut(&mut &b"GET / HTTP/1.1\r\n"[..]), Ok(None));
        let pending = cutter.pending().unwrap();
        assert_eq!((pending.have, pending.channel), (16, ChannelNumber::new(0x4745)));
        assert_eq!(pending.missing, 0x5420 + 4 - 16);
    }
}
