//! Captures of packets, pcap and pcapng: every STUN message and all ChannelData in them, read as the file comes.

use std::collections::BTreeSet;
use std::io::Read;

use floe_stun::{ChannelData, HEADER_LEN, Message, Method};
use pcap_parser::pcapng::{Block, InterfaceDescriptionBlock};
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{LegacyPcapReader, Linktype, PcapBlockOwned, PcapError, PcapHeader, PcapNGReader};

use super::connections::Connections;
use super::keys::Keys;
use super::message;
use super::packet::{self, Flow, Seen};
use super::report::{Decoded, Input, Packet, Summary, What};
use crate::failure::Failure;
use crate::print::decode::Printer;

/// How a capture file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Pcap,
    PcapNg,
}

impl Format {
    /// By the first four bytes.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        match start.first_chunk::<4>()? {
            [0xD4, 0xC3, 0xB2, 0xA1] | [0xA1, 0xB2, 0xC3, 0xD4] => Some(Self::Pcap),
            [0x4D, 0x3C, 0xB2, 0xA1] | [0xA1, 0xB2, 0x3C, 0x4D] | [0x34, 0xCD, 0xB2, 0xA1] => {
                Some(Self::Pcap)
            }
            [0x0A, 0x0D, 0x0D, 0x0A] => Some(Self::PcapNg),
            _ => None,
        }
    }

    fn reader<'r>(self, input: impl Read + 'r) -> Result<Box<dyn PcapReaderIterator + 'r>, String> {
        let no_header = |why: PcapError<&[u8]>| describe(&why);
        Ok(match self {
            Self::Pcap => Box::new(LegacyPcapReader::new(BUFFER, input).map_err(no_header)?),
            Self::PcapNg => Box::new(PcapNGReader::new(BUFFER, input).map_err(no_header)?),
        })
    }
}

/// Room for a block of a usual file, and the most that a strange one gets.
const BUFFER: usize = 1 << 18;
const LARGEST_BUFFER: usize = 1 << 24;

/// Tells of all messages of a capture, and at last what else was in it.
pub(crate) fn tell(format: Format, input: impl Read, keys: &Keys, out: &mut Printer) -> Result<(), Failure> {
    let mut capture = Capture::new(keys);
    let fault = capture.read(format, input, out)?;
    capture.end(out)?;
    out.tell(&capture.summary(fault))?;
    Ok(())
}

struct Capture<'k> {
    keys: &'k Keys,
    interfaces: Vec<Interface>,
    connections: Connections,
    /// Both directions between sockets that have spoken TURN over UDP.
    turn: BTreeSet<Flow>,
    summary: Summary,
}

/// What packets of an interface look like.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Linktype,
    /// Ticks of the clock in a second, if that is known.
    ticks: Option<u64>,
    /// Seconds to be added.
    offset: i64,
}

impl<'k> Capture<'k> {
    const fn new(keys: &'k Keys) -> Self {
        Self {
            keys,
            interfaces: Vec::new(),
            connections: Connections::new(),
            turn: BTreeSet::new(),
            summary: Summary {
                packets: 0,
                messages: 0,
                refused: 0,
                other: 0,
                fragments: 0,
                gaps: 0,
                unread: 0,
            },
        }
    }

    /// Reads to the end, or to where the file is broken, and tells why it is.
    fn read(
        &mut self,
        format: Format,
        input: impl Read,
        out: &mut Printer,
    ) -> Result<Option<String>, Failure> {
        let mut reader = match format.reader(input) {
            Ok(reader) => reader,
            Err(why) => return Ok(Some(why)),
        };
        let mut room = BUFFER;
        loop {
            match reader.next() {
                Ok((len, block)) => {
                    self.take(&block, out)?;
                    drop(block);
                    reader.consume(len);
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => {
                    out.flush()?;
                    let had = reader.data().len();
                    reader.refill().map_err(|why| Failure::Input { why: describe(&why) })?;
                    if reader.data().len() == had && !reader.reader_exhausted() {
                        room = grow(&mut *reader, room)?;
                    }
                }
                Err(PcapError::BufferTooSmall) if room < LARGEST_BUFFER => room = grow(&mut *reader, room)?,
                Err(why) => return Ok(Some(describe(&why))),
            }
        }
    }

    fn take(&mut self, block: &PcapBlockOwned<'_>, out: &mut Printer) -> Result<(), Failure> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => self.interfaces = vec![Interface::of_file(header)],
            PcapBlockOwned::Legacy(packet) => {
                let ticks = self.interfaces.first().and_then(|interface| interface.ticks);
                let since = ticks.map(|ticks| seconds(packet.ts_sec.into(), packet.ts_usec.into(), ticks));
                self.packet(0, since, packet.data, out)?;
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.interfaces.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.interfaces.len() < MOST_INTERFACES {
                    self.interfaces.push(Interface::described(interface));
                }
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = usize::try_from(packet.if_id).unwrap_or(usize::MAX);
                let time = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let since = self.interfaces.get(interface).and_then(|interface| interface.time(time));
                self.packet(interface, since, packet.packet_data(), out)?;
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                self.packet(0, None, packet.packet_data(), out)?;
            }
            PcapBlockOwned::NG(_) => {}
        }
        Ok(())
    }

    fn packet(
        &mut self,
        interface: usize,
        time: Option<f64>,
        data: &[u8],
        out: &mut Printer,
    ) -> Result<(), Failure> {
        self.summary.packets += 1;
        let number = self.summary.packets;
        let link = self.interfaces.get(interface).map_or(Linktype(-1), |interface| interface.link);
        let (told, flow, transport) = match packet::look(link, data) {
            Seen::Udp(flow, payload) => (self.datagram(flow, payload).into_iter().collect(), flow, "udp"),
            Seen::Tcp(flow, segment) => (self.connections.take(flow, segment, self.keys), flow, "tcp"),
            other => {
                self.summary.fragments += u64::from(matches!(other, Seen::Fragment));
                self.summary.unread += u64::from(matches!(other, Seen::Unread));
                return Ok(());
            }
        };
        for decoded in told {
            let Flow { from, to } = flow;
            self.tell(
                Decoded { packet: Some(Packet { number, time, transport, from, to }), ..decoded },
                out,
            )?;
        }
        Ok(())
    }

    fn tell(&mut self, decoded: Decoded, out: &mut Printer) -> Result<(), Failure> {
        self.summary.messages += 1;
        self.summary.refused += u64::from(!decoded.ok);
        out.tell(&Decoded { input: Input::Capture, ..decoded }).map_err(Failure::from)
    }

    /// A datagram that is STUN or ChannelData, or that cannot be anything else.
    fn datagram(&mut self, flow: Flow, payload: &[u8]) -> Option<Decoded> {
        let is_ours = match payload.first()? {
            _ if Message::is_probably(payload) => true,
            0x00..=0x03 => is_classic(payload),
            0x40..=0x4F => self.turn.contains(&flow) || is_channel_data(payload),
            _ => false,
        };
        if !is_ours {
            self.summary.other += 1;
            return None;
        }
        if Message::decode(payload).is_ok_and(|message| is_of_turn(message.method()))
            && self.turn.len() < MOST_FLOWS
        {
            self.turn.extend([flow, flow.back()]);
        }
        Some(message::decode(payload, self.keys, Input::Capture))
    }

    /// What connections still owe.
    fn end(&mut self, out: &mut Printer) -> Result<(), Failure> {
        let number = self.summary.packets;
        while let Some((Flow { from, to }, told)) = self.connections.end_next(self.keys) {
            for decoded in told {
                let packet = Packet { number, time: None, transport: "tcp", from, to };
                self.tell(Decoded { packet: Some(packet), ..decoded }, out)?;
            }
        }
        self.summary.gaps = self.connections.gaps();
        Ok(())
    }

    fn summary(self, fault: Option<String>) -> Decoded {
        let Summary { packets, messages, refused, unread, fragments, .. } = self.summary;
        let what = What::Capture(self.summary);
        let mut decoded = match fault {
            Some(why) => Decoded::bad(Input::Capture, what, "bad-capture", &why),
            None if messages == 0 => {
                let why = format!("no STUN and no ChannelData in {packets} packets");
                Decoded::bad(Input::Capture, what, "nothing", &why)
            }
            None if refused > 0 => {
                let why = format!("{refused} of {messages} messages could not be decoded");
                Decoded::bad(Input::Capture, what, "refused", &why)
            }
            None => Decoded::good(Input::Capture, what),
        };
        if unread > 0 {
            decoded.notes.push(format!(
                "{unread} packets are of a link type that is not read, or of an interface that is not known"
            ));
        }
        if fragments > 0 {
            decoded.notes.push(format!("{fragments} packets are IP fragments, which are not put together"));
        }
        decoded
    }
}

impl Interface {
    fn of_file(header: &PcapHeader) -> Self {
        let ticks = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
        // Above the type stands the length of a frame check sequence.
        Self { link: Linktype(header.network.0 & 0xFFFF), ticks: Some(ticks), offset: 0 }
    }

    fn described(block: &InterfaceDescriptionBlock<'_>) -> Self {
        Self { link: block.linktype, ticks: block.ts_resolution(), offset: block.ts_offset() }
    }

    fn time(&self, time: u64) -> Option<f64> {
        let ticks = self.ticks?;
        let whole = i64::try_from(time.checked_div(ticks)?).ok()?.saturating_add(self.offset);
        Some(seconds(whole, time.checked_rem(ticks)?, ticks))
    }
}

#[expect(clippy::cast_precision_loss, reason = "52 bits hold the microseconds of two centuries")]
fn seconds(whole: i64, ticks: u64, in_a_second: u64) -> f64 {
    whole as f64 + ticks as f64 / in_a_second as f64
}

fn grow(reader: &mut dyn PcapReaderIterator, room: usize) -> Result<usize, Failure> {
    let larger = (2 * room).min(LARGEST_BUFFER);
    if reader.grow(larger) {
        Ok(larger)
    } else {
        Err(Failure::Input { why: "a block of the capture is larger than 16 MiB".to_owned() })
    }
}

fn describe(why: &PcapError<&[u8]>) -> String {
    match why {
        PcapError::UnexpectedEof | PcapError::Eof | PcapError::Incomplete(_) => {
            "the file ends within a packet".to_owned()
        }
        PcapError::BufferTooSmall => "a packet says that it is larger than 16 MiB".to_owned(),
        PcapError::ReadError => "it could not be read".to_owned(),
        PcapError::HeaderNotRecognized | PcapError::NomError(..) | PcapError::OwnedNomError(..) => {
            "a block is not as the format says".to_owned()
        }
    }
}

/// Interfaces of a section that are remembered; packets of others are not read.
const MOST_INTERFACES: usize = 1 << 12;

/// Sockets that are remembered to speak TURN.
const MOST_FLOWS: usize = 1 << 16;

/// RFC 3489 had no cookie, so only the length tells.
fn is_classic(payload: &[u8]) -> bool {
    let length =
        payload.get(2..).and_then(|rest| rest.first_chunk::<2>()).map(|field| u16::from_be_bytes(*field));
    length.is_some_and(|length| payload.len() == HEADER_LEN + usize::from(length))
}

/// Whether the length fits to the byte, but for padding: QUIC begins with these bytes too.
fn is_channel_data(payload: &[u8]) -> bool {
    ChannelData::decode(payload)
        .is_ok_and(|read| payload.len() - ChannelData::HEADER_LEN - read.data.len() <= 3)
}

fn is_of_turn(method: Method) -> bool {
    method != Method::BINDING && method != Method::GOOG_PING
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::iter;

    use crate::DecodeKeys;

    fn block(kind: u32, body: &[u32]) -> Vec<u8> {
        let len = 12 + 4 * u32::try_from(body.len()).unwrap();
        [&[kind, len], body, &[len]].concat().into_iter().flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn a_stranger_cannot_make_us_remember_more_interfaces_than_we_want() {
        let described = block(1, &[101, 0]);
        let packet = |interface| block(6, &[interface, 0, 0, 0, 0]);
        let file = iter::once(block(0x0A0D_0D0A, &[0x1A2B_3C4D, 1, u32::MAX, u32::MAX]))
            .chain(iter::repeat_n(described, 3 * MOST_INTERFACES))
            .chain([packet(0), packet(4095), packet(4096)]);
        let file: Vec<u8> = file.flatten().collect();
        let keys = Keys::new(&DecodeKeys::default()).unwrap();
        let mut capture = Capture::new(&keys);
        let fault = capture.read(Format::PcapNg, file.as_slice(), &mut Printer::new(true)).unwrap();
        assert_eq!((fault, capture.interfaces.len()), (None, 4096));
        assert_eq!((capture.summary.packets, capture.summary.unread), (3, 1));
    }
}
