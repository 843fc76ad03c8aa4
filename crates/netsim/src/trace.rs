//! The record of every packet: for people as text, for tests as entries, for comparison as one number.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::net::SocketAddr;
use core::time::Duration;

use crate::id::{HostId, NatId, Node};

/// Every packet of a network, in the order of sending. Its text has a line for each:
///
/// ```text
/// t=1.250s alice 192.168.1.2:5000 > 203.0.113.9:3478 (via nat-a 203.0.113.1:40001) 108 B delivered to stun in 15ms
/// ```
#[derive(Debug)]
pub struct Trace {
    entries: Vec<Entry>,
    names: BTreeMap<Node, String>,
    counters: BTreeMap<HostId, Counters>,
    keep_payloads: bool,
}

/// One packet, or the copy that a link made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// When it was sent, or the copy made.
    pub sent: Duration,
    /// Who sent it.
    pub host: HostId,
    /// The source as the sender knows it.
    pub from: SocketAddr,
    /// The destination as the sender knows it.
    pub to: SocketAddr,
    /// Bytes of payload.
    pub size: usize,
    /// The payload, if [`Network::keep_payloads`](crate::Network::keep_payloads) was on.
    pub payload: Option<Vec<u8>>,
    /// What NATs changed, in order.
    pub path: Vec<Rewrite>,
    /// Whether a link made it out of another packet.
    pub copy: bool,
    /// What became of it.
    pub fate: Fate,
    /// When that was; `None` while in flight.
    pub ended: Option<Duration>,
    digest: u64,
}

/// A change a NAT made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// Of the source, going out.
    Source {
        /// By which NAT.
        nat: NatId,
        /// Into what.
        to: SocketAddr,
    },
    /// Of the destination, coming in.
    Destination {
        /// By which NAT.
        nat: NatId,
        /// Into what.
        to: SocketAddr,
    },
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// Not decided yet.
    InFlight,
    /// Received by a socket of this host.
    Delivered(HostId),
    /// The link of this node lost it.
    Lost(Node),
    /// It did not fit the link of this node.
    TooBig(Node),
    /// This node was not up.
    Down(Node),
    /// This NAT does not let the sender in (RFC 4787 §5).
    Filtered(NatId),
    /// This NAT has no mapping for the destination.
    NoMapping(NatId),
    /// This NAT does not send packets from inside back in (RFC 4787 §6).
    NoHairpin(NatId),
    /// This NAT has no external port left.
    NoPort(NatId),
    /// Nobody has the destination address, or the sender cannot speak to it.
    NoRoute,
    /// No socket of this host is bound there.
    NoSocket(HostId),
}

/// The traffic of one host, in packets and bytes of payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Packets it sent, whatever became of them; without copies.
    pub sent: u64,
    /// Bytes in those.
    pub sent_bytes: u64,
    /// Packets its sockets received, with copies.
    pub received: u64,
    /// Bytes in those.
    pub received_bytes: u64,
    /// Packets it sent, or their copies, that came to an end without being received.
    pub dropped: u64,
}

/// Where in the trace a packet writes its story.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record(usize);

impl Trace {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), names: BTreeMap::new(), counters: BTreeMap::new(), keep_payloads: false }
    }

    /// All packets so far, in the order of sending.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What a host sent and received.
    #[must_use]
    pub fn counters(&self, host: HostId) -> Counters {
        self.counters.get(&host).copied().unwrap_or_default()
    }

    /// The name a host or NAT was given.
    #[must_use]
    pub fn name(&self, node: impl Into<Node>) -> &str {
        self.names.get(&node.into()).map_or("?", String::as_str)
    }

    /// One number for all of it: equal for equal traces, payloads included (whether kept or not), on every platform.
    /// FNV-1a, 64 bits: against accidents, not against malice.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let mut fnv = Fnv::new();
        for entry in &self.entries {
            // Writing into a number cannot fail.
            let _ = entry.write_canonical(&mut fnv);
        }
        fnv.0
    }

    /// The lines of the text, one for each of [`Trace::entries`], for tests that write a label beside each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let rows: Vec<[Cow<'_, str>; 6]> = self.entries.iter().map(|entry| self.row(entry)).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        rows.iter().map(|row| aligned(row, &widths)).collect()
    }

    pub(crate) fn set_name(&mut self, node: Node, name: &str) {
        self.names.insert(node, name.to_string());
    }

    pub(crate) fn keep_payloads(&mut self, keep: bool) {
        self.keep_payloads = keep;
    }

    /// A packet sets out.
    pub(crate) fn sent(
        &mut self,
        now: Duration,
        host: HostId,
        from: SocketAddr,
        to: SocketAddr,
        data: &[u8],
    ) -> Record {
        let counters = self.counters.entry(host).or_default();
        counters.sent += 1;
        counters.sent_bytes += data.len() as u64;
        self.entries.push(Entry {
            sent: now,
            host,
            from,
            to,
            size: data.len(),
            payload: self.keep_payloads.then(|| data.to_vec()),
            path: Vec::new(),
            copy: false,
            fate: Fate::InFlight,
            ended: None,
            digest: Fnv::of(data),
        });
        Record(self.entries.len() - 1)
    }

    /// A link makes a second packet out of one.
    pub(crate) fn copied(&mut self, now: Duration, original: Record) -> Record {
        let copy = self.entries.get(original.0).cloned();
        self.entries.extend(copy.map(|entry| Entry { sent: now, copy: true, ..entry }));
        Record(self.entries.len() - 1)
    }

    pub(crate) fn rewritten(&mut self, record: Record, rewrite: Rewrite) {
        if let Some(entry) = self.entries.get_mut(record.0) {
            entry.path.push(rewrite);
        }
    }

    /// The story of a packet ends.
    pub(crate) fn ended(&mut self, now: Duration, record: Record, fate: Fate) {
        let Some(entry) = self.entries.get_mut(record.0) else { return };
        entry.fate = fate;
        entry.ended = Some(now);
        if let Fate::Delivered(receiver) = fate {
            let counters = self.counters.entry(receiver).or_default();
            counters.received += 1;
            counters.received_bytes += entry.size as u64;
        } else {
            self.counters.entry(entry.host).or_default().dropped += 1;
        }
    }

    fn row<'a>(&'a self, entry: &'a Entry) -> [Cow<'a, str>; 6] {
        [
            format!("t={}s", Millis(entry.sent)).into(),
            self.name(entry.host).into(),
            format!("{} > {}", entry.from, entry.to).into(),
            self.path_text(&entry.path).into(),
            format!("{} B", entry.size).into(),
            self.fate_text(entry).into(),
        ]
    }

    fn path_text(&self, path: &[Rewrite]) -> String {
        let steps: Vec<String> = path
            .iter()
            .map(|rewrite| match *rewrite {
                Rewrite::Source { nat, to } => format!("{} {to}", self.name(nat)),
                Rewrite::Destination { nat, to } => format!("{} to {to}", self.name(nat)),
            })
            .collect();
        if steps.is_empty() { String::new() } else { format!("(via {})", steps.join(", ")) }
    }

    fn fate_text(&self, entry: &Entry) -> String {
        let copy = if entry.copy { "copy " } else { "" };
        let fate = match entry.fate {
            Fate::InFlight => "in flight".to_string(),
            Fate::Delivered(host) => {
                let took = entry.ended.map_or(Duration::ZERO, |ended| ended.saturating_sub(entry.sent));
                format!("delivered to {} in {took:?}", self.name(host))
            }
            Fate::Lost(node) => format!("lost on the link of {}", self.name(node)),
            Fate::TooBig(node) => format!("too big for the link of {}", self.name(node)),
            Fate::Down(node) => format!("{} is down", self.name(node)),
            Fate::Filtered(nat) => format!("filtered by {}", self.name(nat)),
            Fate::NoMapping(nat) => format!("no mapping in {}", self.name(nat)),
            Fate::NoHairpin(nat) => format!("no hairpin in {}", self.name(nat)),
            Fate::NoPort(nat) => format!("no port left in {}", self.name(nat)),
            Fate::NoRoute => "no route".to_string(),
            Fate::NoSocket(host) => format!("no socket on {}", self.name(host)),
        };
        format!("{copy}{fate}")
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Entry {
    /// All that counts, in a form that does not change when the text for people does.
    fn write_canonical(&self, out: &mut Fnv) -> fmt::Result {
        let Self { sent, host, from, to, size, payload: _, path, copy, fate, ended, digest } = self;
        write!(out, "{} {} {from} {to} {size} {digest} {copy}", sent.as_nanos(), host.0)?;
        for rewrite in path {
            match rewrite {
                Rewrite::Source { nat, to } => write!(out, " source {} {to}", nat.0)?,
                Rewrite::Destination { nat, to } => write!(out, " destination {} {to}", nat.0)?,
            }
        }
        match fate {
            Fate::InFlight => write!(out, " in-flight"),
            Fate::Delivered(host) => write!(out, " delivered {}", host.0),
            Fate::Lost(node) => write!(out, " lost {}", NodeNumber(*node)),
            Fate::TooBig(node) => write!(out, " too-big {}", NodeNumber(*node)),
            Fate::Down(node) => write!(out, " down {}", NodeNumber(*node)),
            Fate::Filtered(nat) => write!(out, " filtered {}", nat.0),
            Fate::NoMapping(nat) => write!(out, " no-mapping {}", nat.0),
            Fate::NoHairpin(nat) => write!(out, " no-hairpin {}", nat.0),
            Fate::NoPort(nat) => write!(out, " no-port {}", nat.0),
            Fate::NoRoute => write!(out, " no-route"),
            Fate::NoSocket(host) => write!(out, " no-socket {}", host.0),
        }?;
        match ended {
            Some(ended) => writeln!(out, " {}", ended.as_nanos()),
            None => writeln!(out),
        }
    }
}

struct NodeNumber(Node);

impl fmt::Display for NodeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Node::Host(host) => write!(f, "host {}", host.0),
            Node::Nat(nat) => write!(f, "nat {}", nat.0),
        }
    }
}

/// Seconds with three digits, cut off and not rounded: a packet never shows a time after its own.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}

fn aligned(row: &[Cow<'_, str>], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths.iter().copied()).filter(|(_, width)| *width > 0) {
        // Writing into a String cannot fail.
        let _ = write!(line, "{cell:width$} ");
    }
    line.truncate(line.trim_end().len());
    line
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn of(bytes: &[u8]) -> u64 {
        let mut fnv = Self::new();
        fnv.add(bytes);
        fnv.0
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(Fnv::of(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fnv::of(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Fnv::of(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn times_are_cut_and_never_rounded_up() {
        assert_eq!(Millis(Duration::from_micros(1_250_999)).to_string(), "1.250");
        assert_eq!(Millis(Duration::from_secs(61)).to_string(), "61.000");
    }
}
