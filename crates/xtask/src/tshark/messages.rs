//! Messages as our builders make them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use floe_stun::attribute::*;
use floe_stun::{
    Builder, ChannelData, ChannelNumber, Class, EncodeError, Integrity, Key, Method, Template, TransactionId,
};

use super::Sample;

pub(crate) const KEY: &str = "VOkJxbRl1RmTxUk/WvJxBt";

pub(crate) fn all() -> anyhow::Result<Vec<Sample>> {
    let mut all = Samples::default();
    all.methods()?;
    all.addresses()?;
    all.texts()?;
    all.numbers()?;
    all.of_turn()?;
    all.of_ice()?;
    all.errors()?;
    all.of_authentication()?;
    all.extensions()?;
    all.seals()?;
    all.templates()?;
    all.channel_data();
    all.check_that_none_is_missing()?;
    Ok(all.0)
}

const CLASSES: [Class; 4] = [Class::Request, Class::Indication, Class::Success, Class::Error];

const ID: [u8; 12] = *b"\x00\x7F\x80\xFFtshark:)";

#[derive(Default)]
struct Samples(Vec<Sample>);

impl Samples {
    /// Those up to 0x0FF, for the others cannot be told from other protocols (RFC 7983), and a few of those.
    fn methods(&mut self) -> anyhow::Result<()> {
        let beyond = [0x100, 0x200, 0x400, 0x800, 0xFFF];
        for number in (0..=0xFF).chain(beyond) {
            let method = Method::new(number).context("a method has 12 bits")?;
            for class in CLASSES {
                let mut buf = [0; 20];
                let id = TransactionId::from([number.to_be_bytes()[1]; 12]);
                let bytes = Builder::new(&mut buf, class, method, id).finish()?.to_vec();
                self.add(format!("{method} {class:?}"), bytes);
            }
        }
        Ok(())
    }

    fn addresses(&mut self) -> anyhow::Result<()> {
        for text in [
            "192.0.2.1:32853",
            "0.0.0.0:0",
            "255.255.255.255:65535",
            "33.18.164.66:8466",
            "[2001:db8::1]:1",
            "[::]:0",
            "[::ffff:192.0.2.1]:3478",
            "[fe80::1:2:3:4]:65535",
        ] {
            let address = text.parse().with_context(|| format!("{text} is no address"))?;
            self.attribute(text, &MappedAddress(address))?;
            self.attribute(text, &XorMappedAddress(address))?;
            self.attribute(text, &XorPeerAddress(address))?;
            self.attribute(text, &XorRelayedAddress(address))?;
            self.attribute(text, &AlternateServer(address))?;
            self.attribute(text, &ResponseOrigin(address))?;
            self.attribute(text, &OtherAddress(address))?;
        }
        Ok(())
    }

    fn texts(&mut self) -> anyhow::Result<()> {
        let long = "x".repeat(127);
        for text in ["", "a", "ab", "abc", "abcd", "evtj:h6vY", "<&\"'>", "マトリックス", &long] {
            let what = text.chars().take(12).collect::<String>();
            self.attribute(&what, &Username(text))?;
            self.attribute(&what, &Realm(text))?;
            self.attribute(&what, &Nonce(text))?;
            self.attribute(&what, &Software(text))?;
            self.attribute(&what, &ThirdPartyAuthorization(text))?;
        }
        for domain in ["a", "stun.example.org"] {
            self.attribute(domain, &AlternateDomain(domain))?;
        }
        self.attribute("nonce cookie", &Nonce("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"))
    }

    fn numbers(&mut self) -> anyhow::Result<()> {
        for number in [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
            let what = number.to_string();
            self.attribute(&what, &Priority(number))?;
            self.attribute(&what, &Lifetime(Duration::from_secs(number.into())))?;
            self.attribute(&what, &ConnectionId(number))?;
            self.attribute(&what, &GoogMessageIntegrity32(number))?;
        }
        for number in [0, 1, 0x0102_0304_0506_0708, u64::MAX] {
            self.attribute(&number.to_string(), &IceControlled(number))?;
            self.attribute(&number.to_string(), &IceControlling(number))?;
        }
        for number in [0, 1, 0x1234, u16::MAX] {
            self.attribute(&number.to_string(), &ResponsePort(number))?;
        }
        Ok(())
    }

    fn of_turn(&mut self) -> anyhow::Result<()> {
        for number in [0x4000, 0x4FFF, 0x3FFF, 0xFFFF] {
            self.attribute(&format!("{number:#x}"), &ChannelNumberAttribute(number))?;
        }
        for protocol in [0, 6, 17, 255] {
            self.attribute(&protocol.to_string(), &RequestedTransport(protocol))?;
        }
        for family in [Family::Ipv4, Family::Ipv6] {
            self.attribute(&format!("{family:?}"), &RequestedAddressFamily(family))?;
            self.attribute(&format!("{family:?}"), &AdditionalAddressFamily(family))?;
            let refused = AddressErrorCode { family, code: 440, reason: "Address Family not Supported" };
            self.attribute(&format!("{family:?}"), &refused)?;
        }
        for reserve_next in [false, true] {
            self.attribute(&format!("{reserve_next}"), &EvenPort { reserve_next })?;
        }
        for len in [0, 1, 2, 3, 4, 5, 1200] {
            self.attribute(&format!("{len} bytes"), &Data(&vec![0x9A; len]))?;
        }
        let mut buf = [0; 20];
        let inner = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([1; 12]));
        self.attribute("a message", &Data(inner.finish()?))?;
        self.attribute("", &DontFragment)?;
        self.attribute("", &ReservationToken(*b"\x00token\xFE\xFF"))?;
        for (kind, code, data) in [(3, 4, 1280), (255, 0, u32::MAX)] {
            self.attribute(&format!("{kind}, {code}"), &IcmpAttribute { kind, code, data })?;
        }
        Ok(())
    }

    fn of_ice(&mut self) -> anyhow::Result<()> {
        self.attribute("", &UseCandidate)?;
        self.attribute("3", &Nomination::new(3).context("3 fits")?)?;
        self.attribute("", &GoogNetworkInfo { network: 0x0102, cost: 999 })?;
        self.attribute("", &GoogLastIceCheckReceived(TransactionId::from([7; 12])))?;
        self.attribute("", &GoogMiscInfo::from_bytes(&[0, 1, 0, 2]))?;
        self.attribute("", &MetaDtlsInStun(b"\x16\xFE\xFD"))?;
        self.attribute("", &MetaDtlsInStunAck::from_bytes(&[1, 2, 3, 4, 5, 6, 7, 8]))?;
        // Known by their names alone.
        for kind in [0xC05A, 0xC05B, 0xC05C, 0xC05D, 0xC05E, 0xFF00, 0xFF05] {
            self.attribute_as(kind, "5 bytes", &Padding(b"\x01\x02\x03\x04\x05"))?;
        }
        // Known by nobody.
        for kind in [0x7FFE, 0xFFFE] {
            self.attribute_as(kind, "3 bytes", &Padding(b"abc"))?;
        }
        Ok(())
    }

    fn errors(&mut self) -> anyhow::Result<()> {
        for (code, reason) in [
            (300, "Try Alternate"),
            (399, ""),
            (400, "Bad Request"),
            (401, "Unauthenticated"),
            (420, "Unknown Attribute"),
            (438, "Stale Nonce"),
            (487, "Role Conflict"),
            (508, "Insufficient Capacity"),
            (699, "x"),
        ] {
            self.attribute(&code.to_string(), &ErrorCode { code, reason })?;
        }
        for types in [&[][..], &[0x7FFE], &[0x001C, 0x7FFE], &[1, 2, 3, 0xFFFF]] {
            self.attribute(&format!("{types:x?}"), &UnknownAttributes::new(types))?;
        }
        Ok(())
    }

    fn of_authentication(&mut self) -> anyhow::Result<()> {
        for algorithm in [Algorithm::MD5, Algorithm::SHA256, Algorithm(0x7F)] {
            self.attribute(&format!("{algorithm:?}"), &PasswordAlgorithm(algorithm))?;
        }
        self.attribute("two", &PasswordAlgorithms::SHA256_AND_MD5)?;
        self.attribute("one", &PasswordAlgorithms::from_bytes(&[0, 1, 0, 0]))?;
        self.attribute("parameters", &PasswordAlgorithms::from_bytes(&[0, 9, 0, 4, 1, 2, 3, 4, 0, 1, 0, 0]))?;
        self.attribute("", &UserHash(*b"0123456789abcdef\x00\xFF23456789abcdef"))?;
        self.attribute("", &AccessToken(b"\x00\x02no and more"))
    }

    fn extensions(&mut self) -> anyhow::Result<()> {
        for (ip, port) in [(false, false), (true, false), (false, true), (true, true)] {
            self.attribute(&format!("{ip}, {port}"), &ChangeRequest { ip, port })?;
        }
        for len in [0, 4, 1000] {
            self.attribute(&format!("{len} bytes"), &Padding(&vec![0; len]))?;
        }
        for ticket in [&b""[..], b"ticket"] {
            self.attribute("", &MobilityTicket(ticket))?;
        }
        self.attribute("", &TransmitCounter { request: 3, response: 1 })
    }

    fn seals(&mut self) -> anyhow::Result<()> {
        let key = Key::short_term(KEY);
        for fingerprint in [false, true] {
            self.message(&format!("sealed by SHA-1, {fingerprint}"), |builder| {
                let sealed = builder.attribute(&Username("evtj:h6vY")).integrity(&key);
                if fingerprint { sealed.fingerprint().finish() } else { sealed.finish() }
            })?;
            self.message(&format!("sealed by SHA-256, {fingerprint}"), |builder| {
                let signed = builder.attribute(&Username("evtj:h6vY")).integrity_sha256(&key);
                if fingerprint { signed.fingerprint().finish() } else { signed.finish() }
            })?;
            self.message(&format!("sealed twice, {fingerprint}"), |builder| {
                let signed = builder.attribute(&Username("a:b")).integrity(&key).integrity_sha256(&key);
                if fingerprint { signed.fingerprint().finish() } else { signed.finish() }
            })?;
        }
        self.message("fingerprint alone", |builder| builder.fingerprint().finish())?;
        let Some(right) = self.0.last().cloned() else { return Ok(()) };
        for bit in [0, 31] {
            let mut bytes = right.bytes.clone();
            if let Some(byte) = bytes.get_mut(24 + bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            self.add(format!("a wrong fingerprint, bit {bit}"), bytes);
        }
        Ok(())
    }

    fn templates(&mut self) -> anyhow::Result<()> {
        let check = Template::new(Class::Request, Method::BINDING, |builder| {
            builder.attribute(&Username("evtj:h6vY")).attribute(&Priority(1)).attribute(&UseCandidate)
        })?;
        let check = check.signed(Key::short_term(KEY), Integrity::Sha1).with_fingerprint();
        for n in 0..3 {
            let mut buf = [0; 128];
            let bytes = check.write(&mut buf, TransactionId::from([n; 12]))?.to_vec();
            self.add(format!("a check by a template, {n}"), bytes);
        }
        Ok(())
    }

    /// Padded as a stream wants it, which a datagram may be.
    fn channel_data(&mut self) {
        for number in [0x4000, 0x4123, 0x4FFF] {
            for len in [0, 1, 2, 3, 4, 5, 1200] {
                let Some(channel) = ChannelNumber::new(number) else { continue };
                let header = ChannelData::header(channel, len);
                let mut bytes = [&header[..], &vec![0x9A; usize::from(len)]].concat();
                bytes.resize(bytes.len().next_multiple_of(4), 0);
                self.add(format!("ChannelData of {len} bytes on {number:#x}"), bytes);
            }
        }
    }

    fn attribute<'v, A: Attribute<'v>>(&mut self, what: &str, value: &A) -> anyhow::Result<()> {
        self.attribute_as(A::TYPE, what, value)
    }

    fn attribute_as<'v>(&mut self, kind: u16, what: &str, value: &impl Attribute<'v>) -> anyhow::Result<()> {
        let name = name(kind).map_or_else(|| format!("{kind:#06x}"), str::to_owned);
        self.message(&format!("{name} {what}"), |builder| builder.attribute_as(kind, value).finish())
    }

    fn message(
        &mut self,
        name: &str,
        finish: impl for<'b> FnOnce(Builder<'b>) -> Result<&'b [u8], EncodeError>,
    ) -> anyhow::Result<()> {
        let mut buf = [0; 2048];
        let builder = Builder::new(&mut buf, Class::Success, Method::ALLOCATE, TransactionId::from(ID));
        let bytes = finish(builder).with_context(|| name.to_owned())?.to_vec();
        self.add(name.to_owned(), bytes);
        Ok(())
    }

    fn add(&mut self, name: String, bytes: Vec<u8>) {
        self.0.push(Sample { name, bytes });
    }

    /// Every attribute that has a name is in one of the messages.
    fn check_that_none_is_missing(&self) -> anyhow::Result<()> {
        let seals = [MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, FINGERPRINT];
        for kind in (0..=u16::MAX).filter(|kind| is_known(*kind) && !seals.contains(kind)) {
            let begins = |sample: &Sample| sample.bytes.get(20..22) == Some(&kind.to_be_bytes());
            ensure!(self.0.iter().any(begins), "no message has the attribute {:?}", name(kind));
        }
        Ok(())
    }
}
