//! One message as two decoders see it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::bail;
use serde_json::{Value, json};

use super::Sample;
use super::corpora::from_hex;
use super::dissection::{Dissected, Field};
use super::exceptions::{BEYOND, MISREAD, OPAQUE, SAMPLES};

/// What was compared, and where the two differ.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    differences: Vec<String>,
    /// How often the value of an attribute was compared.
    values: BTreeMap<String, u64>,
    excused: BTreeSet<&'static str>,
}

impl Verdict {
    pub(crate) fn conclude(self) -> anyhow::Result<()> {
        let values: u64 = self.values.values().sum();
        println!("  {values} values of {} attributes compared", self.values.len());
        let excuses = [SAMPLES, OPAQUE, MISREAD].concat();
        for (what, why) in excuses.iter().filter(|(what, _)| self.excused.contains(what)) {
            println!("  excused: {what}: {why}");
        }
        let needless = excuses.iter().filter(|(what, _)| !self.excused.contains(what));
        let needless = needless.map(|(what, _)| format!("{what} needs no excuse any more"));
        let differences: Vec<String> = self.differences.iter().cloned().chain(needless).collect();
        if differences.is_empty() {
            return Ok(());
        }
        for difference in &differences {
            println!("  DIFFERS: {difference}");
        }
        bail!("tshark and floe decode differ in {} places", differences.len())
    }

    fn check(&mut self, what: &str, ours: &Value, theirs: &Value) {
        if ours != theirs {
            self.differences.push(format!("{what}: floe says {ours}, tshark {theirs}"));
        }
    }

    fn excuse(&mut self, list: &'static [(&str, &str)], what: &str) -> bool {
        let found = list.iter().find(|(known, _)| *known == what);
        self.excused.extend(found.map(|(known, _)| *known));
        found.is_some()
    }
}

/// Compares samples in the order they were sent, one a packet or all in one connection; gives their count.
pub(crate) fn samples(sent: &[Sample], ours: &[Value], theirs: &[Dissected], verdict: &mut Verdict) -> usize {
    let in_one_connection = ours.first().is_some_and(|first| first["packet"]["transport"] == "tcp");
    if in_one_connection && [ours.len(), theirs.len()] != [sent.len(); 2] {
        let (ours, theirs) = (ours.len(), theirs.len());
        verdict
            .differences
            .push(format!("of {} messages in a stream floe sees {ours}, tshark {theirs}", sent.len()));
        return sent.len();
    }
    for (n, sample) in sent.iter().enumerate() {
        let number = n as u64 + 1;
        let (our, their) = match in_one_connection {
            true => (ours.get(n), theirs.get(n)),
            false => (
                ours.iter().find(|told| told["packet"]["number"] == number),
                theirs.iter().find(|told| told.packet == number),
            ),
        };
        one(&sample.name, our, their, verdict);
    }
    sent.len()
}

/// Compares what both see in a capture; gives the count of messages.
pub(crate) fn captured(file: &Path, ours: &[Value], theirs: &[Dissected], verdict: &mut Verdict) -> usize {
    let name = file.file_name().unwrap_or_default().display().to_string();
    let number = |told: &Value| told["packet"]["number"].as_u64().unwrap_or_default();
    let numbers: BTreeSet<u64> =
        ours.iter().map(number).chain(theirs.iter().map(|told| told.packet)).collect();
    for packet in numbers {
        let ours: Vec<&Value> = ours.iter().filter(|told| number(told) == packet).collect();
        let theirs: Vec<&Dissected> = theirs.iter().filter(|told| told.packet == packet).collect();
        for n in 0..ours.len().max(theirs.len()) {
            let (our, their) = (ours.get(n).copied(), theirs.get(n).copied());
            one(&format!("{name} packet {packet}"), our, their, verdict);
        }
    }
    ours.len()
}

fn one(name: &str, ours: Option<&Value>, theirs: Option<&Dissected>, verdict: &mut Verdict) {
    let is_good = ours.map(|ours| ours["ok"] == true);
    let is_beyond = ours.is_some_and(|ours| ours["method_number"].as_u64() > Some(0xFF));
    match (ours, theirs) {
        (None, None) => {}
        (Some(ours), Some(theirs)) if is_good == Some(true) => {
            if ours["kind"] == "channeldata" {
                channel_data(name, ours, &theirs.root, verdict);
            } else {
                message(name, ours, &theirs.root, verdict);
            }
        }
        // Both refuse it.
        (Some(_), None) if is_good == Some(false) => {}
        (Some(_), Some(theirs)) if is_good == Some(false) && !theirs.complaints.is_empty() => {}
        _ if verdict.excuse(SAMPLES, if is_beyond { BEYOND } else { name }) => {}
        (ours, theirs) => {
            let ours = ours.map_or_else(|| "nothing".to_owned(), |ours| ours["error"].to_string());
            let theirs = if theirs.is_some() { "a message" } else { "nothing" };
            verdict.differences.push(format!("{name}: floe sees {ours}, tshark {theirs}"));
        }
    }
}

fn channel_data(name: &str, ours: &Value, theirs: &Field, verdict: &mut Verdict) {
    verdict.check(&format!("{name}: channel"), &ours["channel"], &number(theirs, "stun.channel"));
    verdict.check(&format!("{name}: length"), &ours["length"], &number(theirs, "stun.length"));
}

fn message(name: &str, ours: &Value, theirs: &Field, verdict: &mut Verdict) {
    let class = match theirs.number("stun.type.class") {
        Some(0x00) => "request",
        Some(0x01) => "indication",
        Some(0x10) => "success",
        Some(0x11) => "error",
        _ => "none",
    };
    let method = theirs
        .number("stun.type.method")
        .map(|spread| spread & 0xF | (spread & 0xE0) >> 1 | (spread & 0x3E00) >> 2);
    for (field, theirs) in [
        ("class", json!(class)),
        ("method_number", json!(method)),
        ("length", number(theirs, "stun.length")),
        ("cookie", json!(theirs.bytes("stun.cookie"))),
        ("transaction_id", json!(theirs.bytes("stun.id"))),
    ] {
        verdict.check(&format!("{name}: {field}"), &ours[field], &theirs);
    }
    let attributes = ours["attributes"].as_array().map_or(&[][..], |all| all);
    let fingerprint = theirs.shown("stun.att.crc32.status").map(|status| status == GOOD);
    // One that is no CRC at all is wrong for us, and tshark has no word for it.
    if !attributes.iter().any(|one| one["name"] == "FINGERPRINT" && one["error"].is_string()) {
        verdict.check(&format!("{name}: fingerprint"), &ours["fingerprint"], &json!(fingerprint));
    }
    let start = theirs.find("stun.type").map_or(0, |field| field.pos);
    let theirs = theirs.find("stun.attributes").map_or(&[][..], |attributes| &attributes.fields);
    let ours = attributes;
    verdict.check(&format!("{name}: attributes"), &json!(ours.len()), &json!(theirs.len()));
    for (ours, theirs) in ours.iter().zip(theirs) {
        attribute(name, start, ours, theirs, verdict);
    }
}

/// How tshark numbers the status of a checksum.
const GOOD: &str = "1";

fn attribute(name: &str, start: usize, ours: &Value, theirs: &Field, verdict: &mut Verdict) {
    let kind = ours["name"].as_str().unwrap_or_default();
    let what = |part: &str| format!("{name}: {part} of {kind}");
    verdict.check(&what("type"), &ours["type"], &json!(number_of(theirs.value.get(..4))));
    verdict.check(&what("length"), &ours["length"], &number(theirs, "stun.att.length"));
    verdict.check(&what("offset"), &ours["offset"], &json!(theirs.pos.checked_sub(start)));
    verdict.check(&what("bytes"), &ours["hex"], &json!(bytes_of(theirs)));
    // What breaks the definition of its attribute has no value.
    if ours["error"].is_string() || verdict.excuse(MISREAD, kind) || verdict.excuse(MISREAD, name) {
        return;
    }
    match value(kind, theirs) {
        Some(value) => {
            verdict.check(&what("value"), &ours["value"], &value);
            *verdict.values.entry(kind.to_owned()).or_default() += 1;
        }
        // A number without a name has no value for us either.
        None if ours["value"].is_null() || verdict.excuse(OPAQUE, kind) => {}
        None => verdict.differences.push(format!("{name}: tshark shows no value of {kind}")),
    }
}

/// The bytes of the value: behind type and length, where tshark gives the whole, else by themselves.
fn bytes_of(theirs: &Field) -> Option<&str> {
    let digits = usize::try_from(2 * theirs.number("stun.att.length")?).ok()?;
    match theirs.value.get(8..8 + digits) {
        Some(bytes) => Some(bytes),
        None if digits == 0 => Some(""),
        None => theirs.bytes("stun.value"),
    }
}

/// The value as `floe decode --json` would write it, if tshark takes it apart.
fn value(kind: &str, theirs: &Field) -> Option<Value> {
    let number = |name: &str| theirs.number(name).map(Value::from);
    let bytes = |name: &str| theirs.bytes(name).map(Value::from);
    let flag = |name: &str| theirs.shown(name).map(|shown| matches!(shown, "1" | "True"));
    match kind {
        "MAPPED-ADDRESS"
        | "XOR-MAPPED-ADDRESS"
        | "XOR-PEER-ADDRESS"
        | "XOR-RELAYED-ADDRESS"
        | "ALTERNATE-SERVER"
        | "RESPONSE-ORIGIN"
        | "OTHER-ADDRESS" => address(theirs),
        "USERNAME" => text(theirs, "stun.att.username"),
        "REALM" => text(theirs, "stun.att.realm"),
        "NONCE" => text(theirs, "stun.att.nonce"),
        "SOFTWARE" => text(theirs, "stun.att.software"),
        "PRIORITY" => number("stun.att.priority"),
        "LIFETIME" => number("stun.att.lifetime"),
        "CHANNEL-NUMBER" => number("stun.att.channelnum"),
        "REQUESTED-TRANSPORT" => number("stun.att.transp"),
        "ICE-CONTROLLED" | "ICE-CONTROLLING" => bytes("stun.att.tie-breaker"),
        "RESERVATION-TOKEN" => bytes("stun.att.token"),
        "MESSAGE-INTEGRITY" => bytes("stun.att.hmac"),
        "FINGERPRINT" => bytes("stun.att.crc32"),
        "DATA" => bytes_of(theirs).map(Value::from),
        "USE-CANDIDATE" | "DONT-FRAGMENT" => {
            (theirs.number("stun.att.length")? == 0).then_some(Value::Bool(true))
        }
        "EVEN-PORT" => {
            Some(json!({ "reserve_next": theirs.number("stun.att.even-port.reserve-next")? != 0 }))
        }
        "CHANGE-REQUEST" => {
            Some(json!({ "ip": flag("stun.att.change-ip")?, "port": flag("stun.att.change-port")? }))
        }
        "REQUESTED-ADDRESS-FAMILY" => family(theirs).map(Value::from),
        "ERROR-CODE" => Some(json!({ "code": code(theirs)?, "reason": reason(theirs) })),
        "UNKNOWN-ATTRIBUTES" => {
            let types = theirs.all("stun.att.unknown");
            Some(types.into_iter().map(|field| json!(number_of(Some(&field.value)))).collect())
        }
        "PASSWORD-ALGORITHM" => algorithms(theirs)?.into_iter().next(),
        "PASSWORD-ALGORITHMS" => algorithms(theirs).map(Value::from),
        "GOOG-NETWORK-INFO" => {
            let network = theirs.number("stun.att.google.network_id")?;
            Some(json!({ "network": network, "cost": theirs.number("stun.att.google.network_cost")? }))
        }
        _ => None,
    }
}

fn address(theirs: &Field) -> Option<Value> {
    let port = u16::try_from(theirs.number("stun.att.port")?).ok()?;
    match (theirs.shown("stun.att.ipv4"), theirs.shown("stun.att.ipv6")) {
        (Some(ip), None) => Some(json!(format!("{ip}:{port}"))),
        // IPv6 can be written in several ways.
        (None, Some(ip)) => Some(json!(SocketAddr::new(ip.parse().ok()?, port).to_string())),
        _ => None,
    }
}

/// As its bytes say, for what is shown ends with the first NUL.
fn text(theirs: &Field, name: &str) -> Option<Value> {
    let bytes = from_hex(theirs.bytes(name)?)?;
    Some(json!(String::from_utf8_lossy(&bytes)))
}

fn family(theirs: &Field) -> Option<&'static str> {
    match theirs.number("stun.att.family")? {
        1 => Some("ipv4"),
        2 => Some("ipv6"),
        _ => None,
    }
}

fn code(theirs: &Field) -> Option<u64> {
    Some(100 * theirs.number("stun.att.error.class")? + theirs.number("stun.att.error")?)
}

fn reason(theirs: &Field) -> Value {
    text(theirs, "stun.att.error.reason").unwrap_or_else(|| json!(""))
}

fn algorithms(theirs: &Field) -> Option<Vec<Value>> {
    let name = |number| match number {
        1 => Some("MD5"),
        2 => Some("SHA-256"),
        _ => None,
    };
    let numbers = theirs.all("stun.att.pw_alg").into_iter().map(|field| field.show.parse::<u64>().ok());
    numbers.map(|number| Some(json!({ "number": number?, "name": name(number?) }))).collect()
}

fn number(theirs: &Field, name: &str) -> Value {
    json!(theirs.number(name))
}

fn number_of(digits: Option<&str>) -> Option<u64> {
    u64::from_str_radix(digits?, 16).ok()
}
