//! What tshark shows, read from its PDML: packets of protocols of fields of fields.

use std::collections::BTreeMap;

use anyhow::Context as _;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// What tshark took for one STUN message or ChannelData.
#[derive(Debug, Default)]
pub(crate) struct Dissected {
    /// The packet it is in, from 1.
    pub(crate) packet: u64,
    pub(crate) root: Field,
    /// tshark complains of it, or of what it is in.
    pub(crate) complaints: Vec<String>,
}

/// A field by its name, with what is below.
#[derive(Debug, Default)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Where it stands in the packet, or in what was put together of several.
    pub(crate) pos: usize,
    /// As it is shown.
    pub(crate) show: String,
    /// Its bytes in hexadecimal digits.
    pub(crate) value: String,
    pub(crate) fields: Vec<Self>,
}

impl Field {
    /// The first field of that name, of its own or of those below.
    pub(crate) fn find(&self, name: &str) -> Option<&Self> {
        self.all(name).into_iter().next()
    }

    /// All fields of that name in their order.
    pub(crate) fn all(&self, name: &str) -> Vec<&Self> {
        let mut found = Vec::new();
        for field in &self.fields {
            if field.name == name {
                found.push(field);
            }
            found.extend(field.all(name));
        }
        found
    }

    /// How the first field of that name is shown.
    pub(crate) fn shown(&self, name: &str) -> Option<&str> {
        self.find(name).map(|field| field.show.as_str())
    }

    /// What is shown as a number, in decimal or with 0x in front.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let shown = self.shown(name)?;
        match shown.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => shown.parse().ok(),
        }
    }

    /// The bytes of the first field of that name.
    pub(crate) fn bytes(&self, name: &str) -> Option<&str> {
        self.find(name).map(|field| field.value.as_str())
    }
}

/// Reads all of it.
pub(crate) fn read(pdml: &str) -> anyhow::Result<Vec<Dissected>> {
    let mut reader = Reader::from_str(pdml);
    let (mut all, mut stack, mut packet) = (Vec::new(), Vec::new(), Packet::default());
    loop {
        match reader.read_event().context("tshark's PDML is not XML")? {
            Event::Eof => return Ok(all),
            Event::Start(element) if element.name().as_ref() == "packet" => packet = Packet::default(),
            Event::End(element) if element.name().as_ref() == "packet" => all.extend(packet.finish()),
            Event::Start(element) if is_field(&element) => stack.push(field(&element)?),
            Event::Empty(element) if is_field(&element) => put(&mut stack, &mut packet, field(&element)?),
            Event::End(element) if matches!(element.name().as_ref(), "proto" | "field") => {
                let done = stack.pop().context("an element ends that did not begin")?;
                put(&mut stack, &mut packet, done);
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Packet {
    number: u64,
    messages: Vec<Field>,
    /// What comes now is what an ICMP message quotes.
    is_quoted: bool,
    complaints: Vec<String>,
}

impl Packet {
    /// A protocol of the packet is complete.
    fn add(&mut self, proto: Field) {
        match proto.name.as_str() {
            "geninfo" => self.number = proto.number("num").unwrap_or_default(),
            "icmp" | "icmpv6" => self.is_quoted = true,
            "stun" if !self.is_quoted => self.messages.push(proto),
            name if name.starts_with("_ws.") => self.complaints.push(name.to_owned()),
            _ => {}
        }
    }

    fn finish(&mut self) -> Vec<Dissected> {
        let (number, complaints) = (self.number, std::mem::take(&mut self.complaints));
        let of = |root: Field| {
            let expert = COMPLAINTS.iter().filter(|name| root.find(name).is_some());
            let complaints =
                complaints.iter().cloned().chain(expert.map(|name| (*name).to_owned())).collect();
            Dissected { packet: number, root, complaints }
        };
        std::mem::take(&mut self.messages).into_iter().map(of).collect()
    }
}

/// Fields by which tshark says that something is wrong with a message.
const COMPLAINTS: [&str; 4] =
    ["_ws.malformed", "stun.short_packet", "stun.wrong_msglen", "stun.long_attribute"];

fn put(stack: &mut [Field], packet: &mut Packet, done: Field) {
    match stack.last_mut() {
        Some(above) => above.fields.push(done),
        None => packet.add(done),
    }
}

fn is_field(element: &BytesStart<'_>) -> bool {
    matches!(element.name().as_ref(), "proto" | "field")
}

fn field(element: &BytesStart<'_>) -> anyhow::Result<Field> {
    let mut given = BTreeMap::new();
    for attribute in element.attributes() {
        let attribute = attribute.context("tshark's PDML has a broken attribute")?;
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .context("tshark's PDML has a broken value")?;
        given.insert(attribute.key.as_ref().to_owned(), value.into_owned());
    }
    let mut take = |name: &str| given.remove(name).unwrap_or_default();
    Ok(Field {
        name: take("name"),
        pos: take("pos").parse().unwrap_or_default(),
        show: take("show"),
        // Of a field of some bits these are the bytes it is in.
        value: take("value"),
        fields: Vec::new(),
    })
}
