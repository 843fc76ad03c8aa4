//! A description as one line that survives being pasted.
//!
//! ```text
//!   floe2: base64url( length of the body, 2 bytes | CRC-32 of the body, 4 bytes | body )
//!
//!   body       lite, 1 byte | ufrag | password | candidates, 1 byte | candidate, as often
//!   text       length, 1 byte | characters
//!   candidate  what it is, 1 byte | priority, 4 bytes | foundation | address | related address, if any
//!   address    4 bytes or 16 | port, 2 bytes
//! ```
//!
//! Numbers are big endian. What a candidate is: kind in the bits 0 and 1 (host, srflx, prflx, relay), an IPv6 address
//! in bit 2, a related address in bit 3, an IPv6 one in bit 4. All are of component 1 over UDP. The digit of the
//! prefix is the version of this form.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use floe_sdp::{Address, CandidateLine, CandidateType, Transport};
use thiserror::Error;

/// All that one side tells the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) ufrag: String,
    pub(super) pwd: String,
    pub(super) candidates: Vec<CandidateLine>,
    pub(super) lite: bool,
}

/// Why what was pasted is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum PasteError {
    #[error(
        "this is no description: it must begin with {PREFIX}; copy the whole line that the other side printed"
    )]
    NoPrefix,
    #[error("the end of the description is missing; copy the whole line again")]
    Incomplete,
    #[error(
        "the description is damaged: characters are missing, added or changed; copy the whole line again"
    )]
    Damaged,
    #[error("the description is of another release of floe; use the same release on both sides")]
    OtherRelease,
}

/// Collects what is pasted until it is a description.
#[derive(Debug, Default)]
pub(super) struct Paste(String);

/// What one more line made of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pasted {
    /// Nothing to speak of.
    Nothing,
    /// A beginning.
    Part,
    /// All of it.
    Whole(Description),
    /// To be pasted anew, for this reason.
    Wrong(PasteError),
}

impl Paste {
    /// Takes a line: with spaces, quotation marks and backticks, with words before and after. An empty one gives up.
    pub(super) fn take(&mut self, line: &str) -> Pasted {
        let is_empty = line.trim().is_empty();
        let line: String = line.chars().filter(|c| is_digit(*c) || *c == ':').collect();
        match line.split_once(PREFIX) {
            Some((_, text)) => self.0 = text.to_owned(),
            None if self.0.is_empty() && line.is_empty() => return Pasted::Nothing,
            None if self.0.is_empty() => return Pasted::Wrong(without_prefix(&line)),
            None if is_empty => return self.give_up(PasteError::Incomplete),
            None => self.0.push_str(&line),
        }
        match Description::read(&self.0) {
            Ok(description) => {
                self.0.clear();
                Pasted::Whole(description)
            }
            Err(PasteError::Incomplete) => Pasted::Part,
            Err(why) => self.give_up(why),
        }
    }

    fn give_up(&mut self, why: PasteError) -> Pasted {
        self.0.clear();
        Pasted::Wrong(why)
    }
}

fn without_prefix(line: &str) -> PasteError {
    let version = line.split_once("floe").and_then(|(_, rest)| rest.split_once(':'));
    match version {
        Some((number, _)) if number.parse::<u16>().is_ok() => PasteError::OtherRelease,
        _ => PasteError::NoPrefix,
    }
}

/// Of base64url.
const fn is_digit(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

impl Description {
    pub(super) fn encode(&self) -> String {
        let body = self.body();
        // Far below 65536: there are at most 255 candidates, and a line has room for a few hundred bytes each.
        let mut bytes = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
        bytes.extend(CRC.checksum(&body).to_be_bytes());
        bytes.extend(body);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads what follows the prefix; what follows the description is passed over.
    fn read(text: &str) -> Result<Self, PasteError> {
        let (head, rest) = text.split_at_checked(HEAD_DIGITS).ok_or(PasteError::Incomplete)?;
        let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| PasteError::Damaged)?;
        let mut head = Reader(&head);
        let (Some(length), Some(checksum)) = (head.u16(), head.u32()) else {
            return Err(PasteError::Damaged);
        };
        let digits = (usize::from(length) * 4).div_ceil(3);
        let (body, _) = rest.split_at_checked(digits).ok_or(PasteError::Incomplete)?;
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| PasteError::Damaged)?;
        if CRC.checksum(&body) != checksum {
            return Err(PasteError::Damaged);
        }
        Reader(&body).description().ok_or(PasteError::OtherRelease)
    }

    fn body(&self) -> Vec<u8> {
        let mut body = vec![u8::from(self.lite)];
        put_text(&mut body, &self.ufrag);
        put_text(&mut body, &self.pwd);
        let candidates: Vec<_> = self.candidates.iter().filter_map(candidate_bytes).take(MOST).collect();
        body.push(u8::try_from(candidates.len()).unwrap_or(u8::MAX));
        body.extend(candidates.concat());
        body
    }
}

/// None for a candidate that this form cannot tell: a name instead of an address, or a transport other than UDP.
fn candidate_bytes(line: &CandidateLine) -> Option<Vec<u8>> {
    let address = socket_address(&line.address, line.port).filter(|_| line.transport == Transport::Udp)?;
    let related = line.related.as_ref().and_then(|(address, port)| socket_address(address, *port));
    let kind = KINDS.iter().zip(0..).find_map(|(kind, number)| (*kind == line.kind).then_some(number))?;
    let flag = |is_set: bool, bit: u8| u8::from(is_set) << bit;
    let what = kind
        | flag(address.is_ipv6(), 2)
        | flag(related.is_some(), 3)
        | flag(related.is_some_and(|related| related.is_ipv6()), 4);
    let mut bytes = vec![what];
    bytes.extend(line.priority.to_be_bytes());
    put_text(&mut bytes, &line.foundation);
    put_address(&mut bytes, address);
    if let Some(related) = related {
        put_address(&mut bytes, related);
    }
    Some(bytes)
}

const fn socket_address(address: &Address, port: u16) -> Option<SocketAddr> {
    match address {
        Address::Ip(ip) => Some(SocketAddr::new(*ip, port)),
        Address::Name(_) => None,
    }
}

/// What we make ourselves is much shorter than a length can say; what is not, is cut, and refused by the other side.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    bytes.push(length);
    bytes.extend(text.bytes().take(length.into()));
}

fn put_address(bytes: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => bytes.extend(ip.octets()),
        IpAddr::V6(ip) => bytes.extend(ip.octets()),
    }
    bytes.extend(address.port().to_be_bytes());
}

/// What is left of the bytes. Every step gives none where they end too early.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u8()?;
        let (text, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn address(&mut self, is_ipv6: bool) -> Option<(Address, u16)> {
        let ip: IpAddr = if is_ipv6 { self.array::<16>()?.into() } else { self.array::<4>()?.into() };
        Some((Address::Ip(ip), self.u16()?))
    }

    fn candidate(&mut self) -> Option<CandidateLine> {
        let what = self.u8()?;
        let kind = *KINDS.get(usize::from(what & 0b11))?;
        let (priority, foundation) = (self.u32()?, self.text()?);
        let (address, port) = self.address(what & 1 << 2 != 0)?;
        let related = if what & 1 << 3 != 0 { Some(self.address(what & 1 << 4 != 0)?) } else { None };
        Some(CandidateLine {
            foundation,
            component: 1,
            transport: Transport::Udp,
            priority,
            address,
            port,
            kind,
            related,
            extensions: Vec::new(),
        })
    }

    fn description(&mut self) -> Option<Description> {
        let lite = self.u8()? != 0;
        let (ufrag, pwd) = (self.text()?, self.text()?);
        let candidates = (0..self.u8()?).map(|_| self.candidate()).collect::<Option<_>>()?;
        Some(Description { ufrag, pwd, candidates, lite })
    }
}

const PREFIX: &str = "floe2:";
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
const KINDS: [CandidateType; 4] = [
    CandidateType::Host,
    CandidateType::ServerReflexive,
    CandidateType::PeerReflexive,
    CandidateType::Relayed,
];

/// The six bytes of length and checksum.
const HEAD_DIGITS: usize = 8;

/// As many candidates as a byte counts.
const MOST: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        let candidates = [
            "candidate:1 1 UDP 2130706431 192.0.2.2 50312 typ host",
            "candidate:2 1 UDP 2130706175 2001:db8::2 50313 typ host",
            "candidate:3 1 UDP 1694498815 198.51.100.1 1 typ srflx raddr 192.0.2.2 rport 50312",
            "candidate:abc+/ 1 UDP 16777215 203.0.113.9 65535 typ relay raddr 2001:db8::9 rport 3",
        ];
        Description {
            ufrag: "8f2kAb+/".into(),
            pwd: "0123456789abcdefghijklmn".into(),
            candidates: candidates.map(|line| CandidateLine::parse(line).unwrap()).to_vec(),
            lite: false,
        }
    }

    fn paste(text: &str) -> Pasted {
        let mut paste = Paste::default();
        text.lines().map(|line| paste.take(line)).last().unwrap_or(Pasted::Nothing)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = description().encode();
        assert!(text.starts_with("floe2:") && text.is_ascii());
        assert_eq!(paste(&text), Pasted::Whole(description()));
        let lite = Description { lite: true, candidates: vec![], ..description() };
        assert_eq!(paste(&lite.encode()), Pasted::Whole(lite));
    }

    #[test]
    fn it_is_short_enough_for_every_terminal() {
        let most =
            Description { candidates: [description().candidates.as_slice(); 5].concat(), ..description() };
        assert!(description().encode().len() < 200, "{}", description().encode().len());
        assert!(most.encode().len() < 1000, "a line of a terminal has 1024 bytes on some systems");
    }

    #[test]
    fn what_mail_and_terminals_do_to_it_does_no_harm() {
        let text = description().encode();
        let (a, b) = text.split_at(50);
        let (b, c) = b.split_at(50);
        for mangled in [
            format!("  {a} {b}\t{c}  "),
            format!("{a}\n{b}\r\n{c}"),
            format!("> {a}\n> {b}\n> {c}"),
            format!(">> {a}\n>\n>> {b}{c}"),
            format!("```\n{text}"),
            format!("`{text}`"),
            format!("\"{text}\""),
            format!("\u{201c}{text}\u{201d}"),
            format!("here it is: {text} (bye)"),
            format!("{}\n{text}", &text[..70]),
        ] {
            assert_eq!(paste(&mangled), Pasted::Whole(description()), "{mangled}");
        }
    }

    #[test]
    fn a_wrong_paste_is_told() {
        let text = description().encode();
        let mut changed = text.clone().into_bytes();
        changed[30] = if changed[30] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        for (wrong, why) in [
            ("hello", PasteError::NoPrefix),
            ("floe connect --offer", PasteError::NoPrefix),
            ("floe1:AAAA", PasteError::OtherRelease),
            (&changed, PasteError::Damaged),
            (&format!("{}\n\n", &text[..text.len() - 3]), PasteError::Incomplete),
        ] {
            assert_eq!(paste(wrong), Pasted::Wrong(why), "{wrong}");
        }
        assert_eq!(paste(""), Pasted::Nothing);
        assert_eq!(paste(" \n```"), Pasted::Nothing);
        assert_eq!(paste(&text[..text.len() - 1]), Pasted::Part);
        assert_eq!(paste("floe2:"), Pasted::Part);
    }

    #[test]
    fn no_bytes_break_the_reader() {
        let body = description().body();
        for end in 0..body.len() {
            assert_eq!(Reader(&body[..end]).description(), None, "{end}");
        }
    }
}
