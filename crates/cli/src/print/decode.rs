//! What was decoded, as a tree for people or a line of JSON for programs.

use std::fmt::{Display, Write as _};
use std::io::{self, BufWriter, StdoutLock, Write};

use super::{Paint, plain, write_json};
use crate::decode::report::{
    Attribute, Candidate, CandidateLine, Channel, Decoded, Description, Input, Message, Packet, Seal,
    Section, Summary, What,
};

/// Prints what is told, and remembers whether all of it was good.
#[derive(Debug)]
pub(crate) struct Printer {
    out: BufWriter<StdoutLock<'static>>,
    json: bool,
    paint: Paint,
    told: bool,
    refused: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        Self { out, json, paint: Paint::for_stdout(), told: false, refused: false }
    }

    pub(crate) fn tell(&mut self, decoded: &Decoded) -> io::Result<()> {
        self.refused |= !decoded.ok;
        if self.json {
            write_json(&mut self.out, decoded)?;
            return self.out.write_all(b"\n");
        }
        if self.told {
            self.out.write_all(b"\n")?;
        }
        self.told = true;
        let mut text = String::new();
        Tree { paint: self.paint }.decoded(decoded).write(&mut text, "", "");
        self.out.write_all(plain(&text).as_bytes())
    }

    /// Sends on what was told; to be called before a wait.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub(crate) const fn has_refused(&self) -> bool {
        self.refused
    }
}

/// A line with lines below it.
#[derive(Debug)]
struct Node {
    line: String,
    below: Vec<Self>,
}

impl Node {
    fn new(line: impl Display) -> Self {
        Self { line: line.to_string(), below: Vec::new() }
    }

    fn with(self, below: impl IntoIterator<Item = Self>) -> Self {
        let Self { line, below: mut all } = self;
        all.extend(below);
        Self { line, below: all }
    }

    /// `first` stands in front of the line, `rest` in front of what is below.
    fn write(&self, out: &mut String, first: &str, rest: &str) {
        let _ = writeln!(out, "{first}{}", self.line);
        let last = self.below.len().saturating_sub(1);
        for (n, node) in self.below.iter().enumerate() {
            let (branch, trunk) = if n == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            node.write(out, &format!("{rest}{branch}"), &format!("{rest}{trunk}"));
        }
    }
}

#[derive(Clone, Copy)]
struct Tree {
    paint: Paint,
}

impl Tree {
    fn decoded(self, decoded: &Decoded) -> Node {
        let node = match &decoded.what {
            What::Stun(message) => self.stun(message, decoded),
            What::ChannelData(channel) => self.channel_data(channel, decoded.input),
            What::Candidate(line) => self.candidate_line(line),
            What::Sdp(description) => self.description("session description", description),
            What::Fragment(description) => self.description("trickle fragment", description),
            What::Capture(summary) => self.summary(summary),
            What::Unknown => Node::new(self.paint.bold(format!("unknown, {}", as_what(decoded.input)))),
        };
        let node = match &decoded.packet {
            Some(packet) => Node { line: format!("{}  {}", packet_words(packet), node.line), ..node },
            None => node,
        };
        let refused = decoded.error.as_ref().map(|error| self.refused(error, decoded.offset));
        let notes = decoded.notes.iter().map(|note| Node::new(self.paint.faint(format!("note: {note}"))));
        node.with(refused).with(notes)
    }

    fn refused(self, error: &str, offset: Option<usize>) -> Node {
        let place = offset.map(|offset| format!(" (at byte {offset})")).unwrap_or_default();
        Node::new(self.paint.bad(format!("cannot be decoded: {error}{place}")))
    }

    fn stun(self, message: &Message, decoded: &Decoded) -> Node {
        let method = message.method.as_deref().unwrap_or("STUN");
        let class = message.class.map(class_words).unwrap_or_default();
        let head = self.paint.bold(format!("{method} {class}"));
        let node =
            Node::new(format!("{head}: STUN message of {} bytes, {}", message.bytes, as_what(decoded.input)));
        let mut header = Vec::new();
        if let Some(id) = &message.transaction_id {
            header.push(Node::new(format!("transaction id {id}")));
        }
        if let Some(length) = message.length {
            header.push(Node::new(format!("length {length}")));
        }
        let name = decoded.attributes.iter().map(|attribute| attribute.name.len()).max().unwrap_or_default();
        let offset = decoded.attributes.last().map_or(0, |last| last.offset.to_string().len());
        let attributes = decoded.attributes.iter().map(|attribute| {
            let seal = message.seals.iter().find(|seal| seal.offset == attribute.offset);
            self.attribute(attribute, seal, Widths { offset, name })
        });
        node.with(header).with(attributes)
    }

    fn attribute(self, attribute: &Attribute, seal: Option<&Seal>, widths: Widths) -> Node {
        let Attribute { name, offset, length, words, .. } = attribute;
        let class = match (attribute.known, attribute.required) {
            (true, _) => String::new(),
            (false, true) => format!("unknown, comprehension-required, {length} bytes  "),
            (false, false) => format!("unknown, comprehension-optional, {length} bytes  "),
        };
        let hidden =
            if attribute.visible { "" } else { "  (not visible: behind what vouches for the message)" };
        let offset = self.paint.faint(format!("{offset:>width$}", width = widths.offset));
        let line = format!("{offset}  {name:<width$}  {class}{words}", width = widths.name);
        let line = format!("{}{hidden}", line.trim_end());
        let below = [
            attribute.error.as_ref().map(|error| Node::new(self.paint.bad(error))),
            seal.map(|seal| self.seal(seal)),
            attribute.inner.as_ref().map(|inner| self.decoded(inner)),
        ];
        Node::new(line).with(below.into_iter().flatten())
    }

    fn seal(self, seal: &Seal) -> Node {
        let verdict = match (seal.verified, &seal.key) {
            (Some(true), Some(key)) => self.paint.good(format!("verifies with {key}")),
            (Some(true), None) => self.paint.good("right"),
            (Some(false), _) if seal.name == "FINGERPRINT" => self.paint.bad("wrong"),
            (Some(false), _) => self.paint.bad("verifies with none of the keys"),
            (None, _) => "not checked: give --key, or --user, --realm and --password".to_owned(),
        };
        let covers = &seal.covers;
        Node::new(format!(
            "covers bytes {}..{}, the header's length counted as {}: {verdict}",
            covers.from, covers.to, covers.length
        ))
    }

    fn channel_data(self, channel: &Channel, input: Input) -> Node {
        let number = channel.channel.map(|number| format!(" on channel {number:#06x}")).unwrap_or_default();
        let head = self.paint.bold(format!("ChannelData{number}"));
        let node = Node::new(format!("{head}: {} bytes, {}", channel.bytes, as_what(input)));
        let length = channel.length.map(|length| Node::new(format!("length {length}")));
        let data = if channel.data.is_empty() {
            None
        } else {
            let inner = channel.inner.as_ref().map(|inner| self.decoded(inner));
            Some(Node::new(format!("data {}", shortened(&channel.data))).with(inner))
        };
        node.with(length).with(data)
    }

    fn candidate_line(self, line: &CandidateLine) -> Node {
        let ignored = line.ignored.as_ref().map(|why| Node::new(format!("an agent ignores it: {why}")));
        let node = match &line.read {
            Some(read) => self.candidate(read),
            None => Node::new(self.paint.bold("candidate line")),
        };
        node.with(ignored)
    }

    fn candidate(self, read: &Candidate) -> Node {
        let Candidate { kind, transport, address, port, .. } = read;
        let head = self.paint.bold(format!("{kind} candidate"));
        let node = Node::new(format!("{head}: {transport} {}", socket(address, *port)));
        let related = read.related.as_ref();
        let related =
            related.map(|related| format!("related address {}", socket(&related.address, related.port)));
        let extensions = read.extensions.iter().map(|(name, value)| format!("extension {name} {value:?}"));
        let lines = [
            Some(format!("foundation {}", read.foundation)),
            Some(format!("component {}", read.component)),
            Some(format!("priority {}", read.priority)),
            related,
            read.tcp_type.as_ref().map(|kind| format!("TCP type {kind}")),
        ];
        node.with(lines.into_iter().flatten().chain(extensions).map(Node::new))
    }

    fn description(self, what: &str, description: &Description) -> Node {
        let sections = description.sections.len();
        let head = self.paint.bold(what);
        let node = Node::new(format!("{head} of {sections} section{}", if sections == 1 { "" } else { "s" }));
        let session = description.session.as_ref();
        let lines = [
            session.map(|session| format!("origin {}", session.origin)),
            session.map(|session| format!("session name {:?}", session.name)),
            description.ice_lite.then(|| "an ICE lite agent".to_owned()),
        ];
        let groups = description.groups.iter().map(|group| format!("group {group}"));
        let verdict = description.data_channels.as_ref().map(|verdict| match &verdict.error {
            None => Node::new(self.paint.good("a data channel session can be made of it")),
            Some(why) => Node::new(format!("no data channel session can be made of it: {why}")),
        });
        let node = node.with(lines.into_iter().flatten().chain(groups).map(Node::new));
        node.with(description.sections.iter().map(|section| self.section(section))).with(verdict)
    }

    fn section(self, section: &Section) -> Node {
        let Section { media, port, protocol, .. } = section;
        let mid = section.mid.as_ref().map(|mid| format!(" {mid:?}")).unwrap_or_default();
        let head = self.paint.bold(format!("section{mid}"));
        let rejected = if section.rejected { ", rejected" } else { "" };
        let formats = section.formats.join(" ");
        let node = Node::new(format!("{head}: {media} {port} {protocol} {formats}{rejected}"));
        let options = (!section.ice_options.is_empty()).then(|| section.ice_options.join(" "));
        let lines = [
            section.ufrag.as_ref().map(|ufrag| format!("ICE username fragment {ufrag}")),
            section.pwd_length.map(|length| format!("ICE password of {length} characters")),
            options.map(|options| format!("ICE options {options}")),
            section.setup.as_ref().map(|setup| format!("setup {setup}")),
            section.sctp_port.map(|port| format!("SCTP port {port}")),
            section.max_message_size.map(|size| format!("largest message {size}")),
        ];
        let fingerprints =
            section.fingerprints.iter().map(|fingerprint| format!("fingerprint {fingerprint}"));
        let node = node.with(lines.into_iter().flatten().chain(fingerprints).map(Node::new));
        let node = node.with(section.candidates.iter().map(|candidate| self.candidate(candidate)));
        node.with(section.end_of_candidates.then(|| Node::new("no more candidates")))
    }

    fn summary(self, summary: &Summary) -> Node {
        let Summary { packets, messages, refused, other, gaps, .. } = summary;
        let head = self.paint.bold("capture");
        let node = Node::new(format!("{head}: {messages} messages in {packets} packets"));
        let lines = [
            (*refused, "could not be decoded"),
            (*other, "other payloads of UDP"),
            (*gaps, "holes in TCP connections"),
        ];
        let told = lines.into_iter().filter(|(count, _)| *count > 0);
        node.with(told.map(|(count, what)| Node::new(format!("{count} {what}"))))
    }
}

/// How wide the columns of attributes are.
#[derive(Clone, Copy)]
struct Widths {
    offset: usize,
    name: usize,
}

/// "address:port", with brackets where there are colons.
fn socket(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn packet_words(Packet { number, time, transport, from, to }: &Packet) -> String {
    let time = time.map(|time| format!(" at {time:.6}")).unwrap_or_default();
    format!("#{number}{time} {transport} {from} → {to}")
}

const fn as_what(input: Input) -> &'static str {
    match input {
        Input::Hex => "read from hexadecimal digits",
        Input::Binary => "read from bytes",
        Input::Text => "read from text",
        Input::Capture => "captured",
        Input::Stream => "cut from a stream",
        Input::Data => "carried by a relay",
        Input::None => "not read",
    }
}

fn class_words(class: &str) -> &'static str {
    match class {
        "request" => "request",
        "indication" => "indication",
        "success" => "success response",
        _ => "error response",
    }
}

/// Digits that fit a line.
fn shortened(digits: &str) -> String {
    match digits.get(..SHOWN) {
        Some(start) if digits.len() > SHOWN => format!("{start}… ({} bytes)", digits.len() / 2),
        _ => digits.to_owned(),
    }
}

const SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_hangs_on_its_line() {
        let tree = Node::new("a").with([Node::new("b").with([Node::new("c")]), Node::new("d")]);
        let mut text = String::new();
        tree.write(&mut text, "", "");
        assert_eq!(text, "a\n├─ b\n│  └─ c\n└─ d\n");
    }
}
