//! The signalling contract of `floe connect --stdio`: one JSON object a line, commands in and events out.
//!
//! The other commands print the same events with `--json`, so that who reads one reads all.

use std::net::SocketAddr;
use std::time::Duration;

use floe_ice_agent as ice;
use floe_ice_agent::{CandidateKind, ServerOutcome, ServerReport};
use floe_stun::attribute::Family;
use floe_stun::{Transport, Uri};
use floe_tokio::{Answer, QueryError};
use serde::{Deserialize, Serialize};

use crate::echo::Pong;
use crate::servers::UNSUPPORTED;

/// What a program asks of us.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(crate) enum Command {
    /// Gather and get ready.
    Start(Start),
    /// The other side's description.
    Remote(Remote),
    /// One candidate of the other side. An empty one ends them, as in W3C's interface.
    Candidate { candidate: String },
    /// The other side has no more candidates.
    End,
    /// ICE restart.
    Restart,
    /// The echo.
    Ping {
        #[serde(default = "default_count")]
        count: u32,
        #[serde(default = "default_size")]
        size: usize,
    },
    /// One application datagram.
    Send { text: Option<String>, hex: Option<String> },
    /// The end.
    Close,
}

impl Command {
    /// Reads one line.
    ///
    /// # Errors
    ///
    /// In words: what is wrong with the line, and what was expected.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line)
            .map_err(|why| format!("cannot use this line: {}; expected {}", wording(&why), form_of(line)))
    }
}

/// What is wrong, without the value that stands there: it may be a password in the wrong place.
fn wording(why: &serde_json::Error) -> String {
    let text = why.to_string();
    let kind = ["invalid type: ", "invalid value: "].into_iter().find(|kind| text.starts_with(kind));
    match kind.and_then(|_| text.split_once(", expected ")) {
        Some((_, expected)) => format!("a value is not what it should be: {expected}"),
        None => text,
    }
}

/// What the command was probably meant to look like.
fn form_of(line: &str) -> String {
    let op = serde_json::from_str::<serde_json::Value>(line).ok();
    let op = op.as_ref().and_then(|line| line.get("op")?.as_str());
    match FORMS.iter().find(|(name, _)| Some(*name) == op) {
        Some((_, form)) => (*form).to_owned(),
        None => {
            let names: Vec<_> = FORMS.iter().map(|(name, _)| *name).collect();
            format!("a JSON object with an \"op\" out of {}", names.join(", "))
        }
    }
}

const FORMS: [(&str, &str); 8] = [
    (
        "start",
        r#"{"op":"start","role":"offer"|"answer","ice":[{"urls":"stun:…","username":"…","credential":"…"}],"policy":"all"|"relay","mdns":bool,"loopback":bool,"lite":bool}"#,
    ),
    ("remote", r#"{"op":"remote","type":"offer"|"answer","ufrag":"…","pwd":"…","sdp":null|"…","lite":bool}"#),
    ("candidate", r#"{"op":"candidate","candidate":"candidate:…","mid":"0"}"#),
    ("end", r#"{"op":"end"}"#),
    ("restart", r#"{"op":"restart"}"#),
    ("ping", r#"{"op":"ping","count":number,"size":number}"#),
    ("send", r#"{"op":"send","text":"…"} or {"op":"send","hex":"…"}"#),
    ("close", r#"{"op":"close"}"#),
];

#[derive(Debug, Deserialize)]
pub(crate) struct Start {
    pub(crate) role: Side,
    /// What is missing is as the command line says.
    pub(crate) ice: Option<Vec<IceServer>>,
    pub(crate) policy: Option<Policy>,
    pub(crate) loopback: Option<bool>,
    #[serde(default)]
    pub(crate) mdns: bool,
    #[serde(default)]
    pub(crate) lite: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct IceServer {
    pub(crate) urls: String,
    pub(crate) username: Option<String>,
    pub(crate) credential: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Remote {
    #[serde(rename = "type")]
    pub(crate) _side: Side,
    pub(crate) ufrag: String,
    pub(crate) pwd: String,
    pub(crate) sdp: Option<String>,
    #[serde(default)]
    pub(crate) lite: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Offer,
    Answer,
}

impl Side {
    /// RFC 8445 §6.1.1: the side that offers controls.
    pub(crate) const fn role(self) -> ice::Role {
        match self {
            Self::Offer => ice::Role::Controlling,
            Self::Answer => ice::Role::Controlled,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    All,
    Relay,
}

impl Policy {
    pub(crate) const fn of_agent(self) -> ice::TransportPolicy {
        match self {
            Self::All => ice::TransportPolicy::All,
            Self::Relay => ice::TransportPolicy::Relay,
        }
    }
}

const fn default_count() -> u32 {
    50
}

const fn default_size() -> usize {
    1000
}

/// What we tell a program.
#[derive(Debug, Serialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
pub(crate) enum Event {
    Ready {
        peer: &'static str,
        version: &'static str,
        level: &'static str,
        trickle: bool,
        turn: [&'static str; 1],
    },
    Local {
        #[serde(rename = "type")]
        side: Side,
        ufrag: String,
        pwd: String,
        sdp: Option<String>,
        lite: bool,
    },
    Candidate(Candidate),
    End,
    Gathering {
        state: &'static str,
    },
    Server(Server),
    State {
        state: &'static str,
        why: String,
    },
    Open,
    Selected(Selected),
    Message(Message),
    Pong {
        count: usize,
        bytes: u64,
        resent: u32,
        ms: f64,
        rtt_us: Option<u64>,
    },
    Error {
        msg: String,
    },
    Ignored {
        candidate: String,
        msg: String,
    },
    Closed,
}

/// A candidate of ours: its line, and what stands in it, so that nobody has to take it apart.
#[derive(Debug, Serialize)]
pub(crate) struct Candidate {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) related: Option<String>,
    pub(crate) priority: u32,
    pub(crate) foundation: String,
    /// The URI of the server that gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    pub(crate) candidate: String,
}

/// What one server did for one local address.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) transport: &'static str,
    pub(crate) family: Option<&'static str>,
    pub(crate) ok: bool,
    pub(crate) rtt_ms: Option<f64>,
    /// Its address, where we know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// Our address that it was asked from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) local: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mapped: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) relayed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) redundant: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) software: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<u16>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Selected {
    pub(crate) local: &'static str,
    pub(crate) remote: &'static str,
    pub(crate) local_addr: String,
    pub(crate) remote_addr: String,
    pub(crate) protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) relay_protocol: Option<&'static str>,
    pub(crate) why: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Message {
    Text(String),
    Hex(String),
}

impl Event {
    /// What the agent reports, in the words of the contract; none where these have no word for it. The end of our
    /// candidates has two: `gathering` here, and [`Event::End`] besides.
    pub(crate) fn of_agent(event: &ice::Event, servers: &[ice::Server]) -> Option<Self> {
        Some(match event {
            ice::Event::Gathering(state) => Self::Gathering { state: state.as_str() },
            ice::Event::Candidate(candidate) => Self::Candidate(Candidate::of_agent(candidate, servers)),
            ice::Event::Server(report) => Self::Server(Server::of_agent(report)),
            ice::Event::State { state, why } => Self::State { state: state.as_str(), why: why.to_string() },
            ice::Event::Selected(pair) => Self::Selected(Selected::of_agent(pair)),
            _ => return None,
        })
    }
}

impl Candidate {
    pub(crate) fn of_agent(candidate: &ice::Candidate, servers: &[ice::Server]) -> Self {
        let server = candidate.server.and_then(|id| servers.get(usize::from(id.0)));
        Self {
            kind: candidate.kind.as_str(),
            address: written(candidate.address),
            related: candidate.related.map(written),
            priority: candidate.priority,
            foundation: candidate.foundation.clone(),
            server: server.map(|server| server.uri.to_string()),
            candidate: candidate.to_string(),
        }
    }
}

impl Server {
    /// Nothing is known yet but that it was asked, and well.
    fn asked(url: String, transport: Transport) -> Self {
        Self {
            url,
            transport: transport_word(transport),
            family: None,
            ok: true,
            rtt_ms: None,
            server: None,
            local: None,
            mapped: None,
            relayed: None,
            redundant: None,
            software: None,
            error: None,
            code: None,
        }
    }

    fn failed(url: String, transport: Transport, error: String, code: Option<u16>) -> Self {
        Self { ok: false, error: Some(error), code, ..Self::asked(url, transport) }
    }

    pub(crate) fn of_agent(report: &ServerReport) -> Self {
        let mut server = Self {
            family: report.family.map(family_word),
            rtt_ms: report.rtt.map(millis),
            local: report.base.map(written),
            ..Self::asked(report.uri.clone(), report.transport)
        };
        match &report.outcome {
            ServerOutcome::Mapped { mapped, redundant } => {
                (server.mapped, server.redundant) = (Some(written(*mapped)), Some(*redundant));
            }
            ServerOutcome::Relayed { relayed, mapped } => {
                (server.mapped, server.relayed) = (Some(written(*mapped)), Some(written(*relayed)));
            }
            ServerOutcome::Failed { error, code } => {
                (server.ok, server.error, server.code) = (false, Some(error.clone()), *code);
            }
            _ => {}
        }
        server
    }

    /// A server that was not asked, because we cannot.
    pub(crate) fn unsupported(uri: &Uri) -> Self {
        Self::failed(uri.to_string(), uri.transport(), UNSUPPORTED.into(), None)
    }

    /// What a server said when it was asked by itself.
    pub(crate) fn of_query(uri: &Uri, told: &Result<Answer, QueryError>) -> Self {
        match told {
            Ok(answer) => Self {
                family: Some(if answer.server.is_ipv4() { "ipv4" } else { "ipv6" }),
                rtt_ms: answer.rtt.map(millis),
                server: Some(written(answer.server)),
                local: Some(written(answer.local)),
                mapped: Some(written(answer.mapped)),
                software: answer.software.clone(),
                ..Self::asked(uri.to_string(), uri.transport())
            },
            Err(why) => Self::failed(uri.to_string(), uri.transport(), why.to_string(), why.code()),
        }
    }
}

impl Selected {
    pub(crate) fn of_agent(pair: &ice::SelectedPair) -> Self {
        Self {
            local: pair.local.kind.as_str(),
            remote: pair.remote.kind.as_str(),
            local_addr: written(pair.local.address),
            remote_addr: written(pair.remote.address),
            protocol: "udp",
            relay_protocol: match pair.local.kind {
                CandidateKind::Relayed => pair.local.relay_protocol.map(transport_word),
                _ => None,
            },
            why: pair.why.to_string(),
        }
    }

    /// The same for `connect --stdio`: other peers of the contract write these two as "ip port".
    pub(crate) fn for_peers(pair: &ice::SelectedPair) -> Self {
        let spaced = |address: SocketAddr| format!("{} {}", address.ip(), address.port());
        let (local_addr, remote_addr) = (spaced(pair.local.address), spaced(pair.remote.address));
        Self { local_addr, remote_addr, ..Self::of_agent(pair) }
    }
}

impl Message {
    /// Text where it is text, else hexadecimal digits.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(other) => Self::Hex(other.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}

impl From<Pong> for Event {
    fn from(pong: Pong) -> Self {
        Self::Pong {
            count: pong.count,
            bytes: pong.bytes,
            resent: pong.resent,
            ms: millis(pong.took),
            rtt_us: pong.rtt.and_then(|rtt| u64::try_from(rtt.as_micros()).ok()),
        }
    }
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// An address as all events write it: "ip:port", with brackets around IPv6 and without a zone, which only we know.
pub(crate) fn written(address: SocketAddr) -> String {
    SocketAddr::new(address.ip(), address.port()).to_string()
}

/// Milliseconds with microseconds behind the point.
pub(crate) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

pub(crate) const fn family_word(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    }
}

pub(crate) const fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        Transport::Dtls => "dtls",
        _ => "udp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_command_of_the_contract_is_read() {
        for line in [
            r#"{"op":"start","role":"offer","ice":[{"urls":"stun:192.0.2.1"}],"policy":"all","mdns":false}"#,
            r#"{"op":"start","role":"answer","ice":[{"urls":"turn:a","username":"u","credential":"p"}],"policy":"relay","mdns":true,"loopback":true,"lite":false}"#,
            r#"{"op":"remote","type":"answer","ufrag":"x1a9","pwd":"p","sdp":null}"#,
            r#"{"op":"remote","type":"offer","ufrag":"x1a9","pwd":"p","sdp":"v=0","lite":true,"more":[1]}"#,
            r#"{"op":"candidate","candidate":"candidate:1 1 udp 1 192.0.2.2 50313 typ host","mid":"0"}"#,
            r#"{"op":"end"}"#,
            r#"{"op":"restart"}"#,
            r#"{"op":"ping","count":100,"size":1200}"#,
            r#"{"op":"send","text":"hello"}"#,
            r#"{"op":"send","hex":"00ff"}"#,
            r#"{"op":"close"}"#,
        ] {
            assert!(Command::parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_wrong_line_is_told_what_was_expected() {
        for (line, word) in [
            (r#"{"op":"dance"}"#, "restart"),
            (r#"{"op":"start","role":7}"#, "role"),
            (r#"{"op":"start"}"#, "role"),
            (r#"{"op":"start","role":"offer","ice":{}}"#, "sequence"),
            (r#"{"op":"ping","count":-1}"#, "u32"),
            (r#"{}"#, "op"),
            ("[]", "op"),
            ("{", "EOF"),
        ] {
            let told = Command::parse(line).unwrap_err();
            assert!(told.contains(word), "{line}: {told}");
        }
    }

    #[test]
    fn events_are_flat_objects() {
        let json = |event: &Event| serde_json::to_string(event).unwrap();
        assert_eq!(json(&Event::Closed), r#"{"ev":"closed"}"#);
        let message = Event::Message(Message::of_bytes(b"hi".to_vec()));
        assert_eq!(json(&message), r#"{"ev":"message","text":"hi"}"#);
        let message = Event::Message(Message::of_bytes(vec![0xff, 0]));
        assert_eq!(json(&message), r#"{"ev":"message","hex":"ff00"}"#);
    }

    #[test]
    fn an_address_is_written_as_everywhere() {
        let written = |address: &str| written(address.parse().unwrap());
        assert_eq!(written("192.0.2.1:9"), "192.0.2.1:9");
        assert_eq!(written("[2001:db8::1]:9"), "[2001:db8::1]:9");
        assert_eq!(written("[fe80::1%3]:9"), "[fe80::1]:9");
    }

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(from_hex("00Ff10"), Some(vec![0, 255, 16]));
        assert_eq!(
            (from_hex(""), from_hex("0"), from_hex("0g"), from_hex("+1")),
            (Some(vec![]), None, None, None)
        );
    }

    const DOCS: &str = include_str!("../../../docs/stdio.md");

    /// The rows of the table below this heading: name, and the fields that stand as `field`: or [`field`]:.
    fn documented(heading: &str) -> BTreeMap<String, BTreeSet<String>> {
        let section = DOCS.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        rows.map(|row| {
            let cells: Vec<_> = row.split(" | ").collect();
            let fields = cells[1].split('`').collect::<Vec<_>>();
            let names = fields.windows(2).skip(1).step_by(2);
            let names = names.filter(|pair| pair[1].trim_start_matches(']').starts_with(':'));
            (
                cells[0].trim_matches(['|', ' ', '`']).to_owned(),
                names.map(|pair| pair[0].to_owned()).collect(),
            )
        })
        .collect()
    }

    /// One of each kind, with all that it may hold.
    fn samples() -> Vec<Event> {
        let text = || Some(String::new());
        let candidate = Candidate {
            kind: "host",
            address: String::new(),
            related: text(),
            priority: 1,
            foundation: String::new(),
            server: text(),
            candidate: String::new(),
        };
        let server = Server {
            server: text(),
            local: text(),
            mapped: text(),
            relayed: text(),
            redundant: Some(true),
            software: text(),
            error: text(),
            code: Some(400),
            ..Server::asked(String::new(), Transport::Udp)
        };
        let selected = Selected {
            local: "relay",
            remote: "host",
            local_addr: String::new(),
            remote_addr: String::new(),
            protocol: "udp",
            relay_protocol: Some("udp"),
            why: String::new(),
        };
        let (ufrag, pwd) = (String::new(), String::new());
        let samples = vec![
            Event::Ready { peer: "floe", version: "0", level: "ice", trickle: true, turn: ["udp"] },
            Event::Local { side: Side::Offer, ufrag, pwd, sdp: None, lite: false },
            Event::Candidate(candidate),
            Event::End,
            Event::Gathering { state: "new" },
            Event::Server(server),
            Event::State { state: "new", why: String::new() },
            Event::Open,
            Event::Selected(selected),
            Event::Message(Message::Text(String::new())),
            Event::Message(Message::Hex(String::new())),
            Event::Pong { count: 0, bytes: 0, resent: 0, ms: 0.0, rtt_us: None },
            Event::Error { msg: String::new() },
            Event::Ignored { candidate: String::new(), msg: String::new() },
            Event::Closed,
        ];
        for sample in &samples {
            // An event that is missing here does not compile: give it a sample above.
            match sample {
                Event::Ready { .. } | Event::Local { .. } | Event::Candidate(_) | Event::End => {}
                Event::Gathering { .. } | Event::Server(_) | Event::State { .. } | Event::Open => {}
                Event::Selected(_) | Event::Message(_) | Event::Pong { .. } | Event::Error { .. } => {}
                Event::Ignored { .. } | Event::Closed => {}
            }
        }
        samples
    }

    /// Name and fields of an event.
    fn shape(event: &serde_json::Value) -> (String, BTreeSet<String>) {
        let mut fields: BTreeSet<_> = event.as_object().unwrap().keys().cloned().collect();
        assert!(fields.remove("ev"), "{event}");
        (event["ev"].as_str().unwrap().to_owned(), fields)
    }

    #[test]
    fn every_event_is_documented_with_all_its_fields_and_no_others() {
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, fields) in samples().iter().map(|event| shape(&serde_json::to_value(event).unwrap())) {
            told.entry(name).or_default().extend(fields);
        }
        assert_eq!(told, documented("\n## Events"));
    }

    #[test]
    fn every_command_is_documented_with_all_its_fields_and_no_others() {
        let documented = documented("\n## Commands");
        assert!(documented.keys().eq(BTreeMap::from(FORMS).keys()), "{documented:?}");
        for (op, form) in FORMS {
            let named = |field: &String| form.contains(&format!("\"{field}\":"));
            let not_of_the_command = ["op", "urls", "username", "credential"];
            let of_form = form.split('"').skip(1).step_by(2).map(str::to_owned).filter(named);
            let of_form: BTreeSet<_> =
                of_form.filter(|field| !not_of_the_command.contains(&field.as_str())).collect();
            assert_eq!(documented[op], of_form, "{op}");
        }
    }

    #[test]
    fn the_transcripts_are_what_peers_say_and_understand() {
        let events = documented("\n## Events");
        let (mut commands, mut told) = (0, 0);
        for line in DOCS.lines() {
            if let Some(command) = line.strip_prefix("A< ").or_else(|| line.strip_prefix("B< ")) {
                assert!(Command::parse(command).is_ok(), "{command}: {:?}", Command::parse(command));
                commands += 1;
            } else if let Some(event) = line.strip_prefix("A> ").or_else(|| line.strip_prefix("B> ")) {
                let (name, fields) = shape(&serde_json::from_str(event).unwrap());
                assert!(fields.is_subset(&events[&name]), "{event}");
                told += 1;
            }
        }
        assert!(commands > 10 && told > 20, "{commands} commands, {told} events");
    }
}
