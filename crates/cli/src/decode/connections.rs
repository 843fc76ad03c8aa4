//! TCP connections of a capture: segments put in order, a direction at a time, and what they carry cut into messages.
//!
//! ```text
//!   Direction ──the next segment──▶ its reader ──▶ messages
//!       │  ▲
//!       │  └──the gap is filled, or has become too large to wait for
//!       └──a later segment──▶ early
//! ```

use std::collections::BTreeMap;

use super::keys::Keys;
use super::packet::{Flow, Segment};
use super::report::Decoded;
use super::stream::{self, Reader};

/// All directions that may carry STUN.
#[derive(Debug)]
pub(crate) struct Connections {
    directions: BTreeMap<Flow, Direction>,
    /// Bytes of all early segments.
    early: usize,
    gaps: u64,
}

/// Directions that are followed at once, each of which may be within a message of 64 KiB. Those that are not reading one
/// make room: who has not begun can do so later.
const MOST_DIRECTIONS: usize = 1 << 12;

/// What is kept of segments that came too early, for one direction.
const MOST_EARLY: usize = 64;
const MOST_EARLY_BYTES: usize = 1 << 20;

/// And for all of them: beyond that, nobody waits any more.
const MOST_EARLY_IN_ALL: usize = 64 << 20;

impl Connections {
    pub(crate) const fn new() -> Self {
        Self { directions: BTreeMap::new(), early: 0, gaps: 0 }
    }

    /// Takes one segment and gives the messages that it ends.
    pub(crate) fn take(&mut self, flow: Flow, segment: Segment<'_>, keys: &Keys) -> Vec<Decoded> {
        let is_turn = self.is_turn(flow);
        if segment.syn
            && let Some(old) = self.directions.remove(&flow)
        {
            self.early -= old.early_bytes();
        }
        if !self.directions.contains_key(&flow) && !self.has_room() {
            return Vec::new();
        }
        let direction = self.directions.entry(flow).or_insert_with(|| Direction::begin(&segment));
        let of_others = self.early - direction.early_bytes();
        let mut told = direction.take(segment, is_turn, keys);
        if of_others + direction.early_bytes() > MOST_EARLY_IN_ALL {
            told.extend(direction.give_up_waiting(is_turn, keys));
        }
        self.early = of_others + direction.early_bytes();
        self.gaps += std::mem::take(&mut direction.gaps);
        if told.iter().any(stream::hands_over)
            && let Some(back) = self.directions.get_mut(&flow.back())
        {
            back.reader = Reader::new();
        }
        told
    }

    /// What is left when nothing more comes, of one direction after the other: all at once might be more than there is
    /// memory for.
    pub(crate) fn end_next(&mut self, keys: &Keys) -> Option<(Flow, Vec<Decoded>)> {
        let (flow, mut direction) = self.directions.pop_first()?;
        let mut told = direction.give_up_waiting(false, keys);
        told.extend(direction.end());
        self.gaps += direction.gaps;
        Some((flow, told))
    }

    /// Holes behind which reading began anew.
    pub(crate) const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Whether the other direction, or the port, tells that this one may begin with ChannelData.
    fn is_turn(&self, flow: Flow) -> bool {
        let by_port = flow.from.port() == TURN_PORT || flow.to.port() == TURN_PORT;
        by_port || self.directions.get(&flow.back()).is_some_and(|back| back.reader.is_reading())
    }

    fn has_room(&mut self) -> bool {
        if self.directions.len() >= MOST_DIRECTIONS {
            self.directions.retain(|_, direction| direction.reader.is_reading());
            self.early = self.directions.values().map(Direction::early_bytes).sum();
        }
        self.directions.len() < MOST_DIRECTIONS
    }
}

/// RFC 8656 §21.
const TURN_PORT: u16 = 3478;

#[derive(Debug)]
struct Direction {
    /// The number of the byte that comes next.
    next: u32,
    early: Vec<(u32, Vec<u8>)>,
    reader: Reader,
    /// How often a segment may still be taken for a beginning: the capture began, or had a hole, in the middle.
    attempts: u8,
    ended: bool,
    gaps: u64,
}

/// Segments that may be tried as a beginning; most messages begin with one.
const ATTEMPTS: u8 = 32;

impl Direction {
    const fn begin(segment: &Segment<'_>) -> Self {
        let next = segment.sequence.wrapping_add(segment.syn as u32);
        let attempts = if segment.syn { 0 } else { ATTEMPTS };
        Self { next, early: Vec::new(), reader: Reader::new(), attempts, ended: false, gaps: 0 }
    }

    const fn is_over(&self) -> bool {
        self.ended || matches!(self.reader, Reader::Foreign)
    }

    fn take(&mut self, segment: Segment<'_>, is_turn: bool, keys: &Keys) -> Vec<Decoded> {
        if self.is_over() {
            return Vec::new();
        }
        let first = segment.sequence.wrapping_add(segment.syn.into());
        let mut told = match distance(self.next, first) {
            ahead if ahead > 0 => self.keep(first, segment.data),
            _ => self.read(first, segment.data, is_turn, keys),
        };
        told.extend(self.read_early(is_turn, keys));
        if self.early.len() > MOST_EARLY || self.early_bytes() > MOST_EARLY_BYTES {
            told.extend(self.give_up_waiting(is_turn, keys));
        }
        if segment.ends && self.early.is_empty() {
            told.extend(self.end());
        }
        told
    }

    /// Reads what is new in a segment that is not early.
    fn read(&mut self, first: u32, data: &[u8], is_turn: bool, keys: &Keys) -> Vec<Decoded> {
        let known = self.next.wrapping_sub(first);
        let Some(new) = usize::try_from(known).ok().and_then(|known| data.get(known..)) else {
            return Vec::new();
        };
        self.next = self.next.wrapping_add(u32::try_from(new.len()).unwrap_or_default());
        let was_reading = self.reader.is_reading();
        let told = self.reader.take(new, is_turn, keys);
        if matches!(self.reader, Reader::Foreign) && !was_reading && self.attempts > 0 {
            self.attempts -= 1;
            self.reader = Reader::new();
        }
        told
    }

    fn keep(&mut self, first: u32, data: &[u8]) -> Vec<Decoded> {
        if !data.is_empty() {
            self.early.push((first, data.to_vec()));
        }
        Vec::new()
    }

    /// Reads early segments whose time has come.
    fn read_early(&mut self, is_turn: bool, keys: &Keys) -> Vec<Decoded> {
        let mut told = Vec::new();
        while let Some(at) = self.early.iter().position(|(first, _)| distance(self.next, *first) <= 0) {
            let (first, data) = self.early.swap_remove(at);
            told.extend(self.read(first, &data, is_turn, keys));
        }
        told
    }

    /// Takes up again behind a hole in the capture.
    fn give_up_waiting(&mut self, is_turn: bool, keys: &Keys) -> Vec<Decoded> {
        let mut told = Vec::new();
        while let Some(first) =
            self.early.iter().map(|(first, _)| *first).min_by_key(|first| distance(self.next, *first))
        {
            self.gaps += 1;
            self.next = first;
            told.extend(std::mem::replace(&mut self.reader, Reader::new()).end());
            self.attempts = ATTEMPTS;
            told.extend(self.read_early(is_turn, keys));
        }
        told
    }

    fn end(&mut self) -> Option<Decoded> {
        self.ended = true;
        std::mem::replace(&mut self.reader, Reader::Foreign).end()
    }

    fn early_bytes(&self) -> usize {
        self.early.iter().map(|(_, data)| data.len()).sum()
    }
}

/// How far `there` is ahead of `here`, where numbers begin anew behind the greatest (RFC 9293 §3.4).
const fn distance(here: u32, there: u32) -> i32 {
    there.wrapping_sub(here).cast_signed()
}
