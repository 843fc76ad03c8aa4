//! What browsers and a relay said to each other, with the passwords they had: every seal and every fingerprint is true,
//! and what we write for what we read is what they wrote.

use std::collections::BTreeMap;

use floe_sdp::{CandidateLine, Change, SessionDescription, check_answer, check_next_offer, check_offer};
use floe_stun::attribute::{FINGERPRINT, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, Padding};
use floe_stun::{Builder, ChannelData, HEADER_LEN, Key, Message, Password};
use serde_json::Value;

use crate::folders::{File, Folder};
use crate::sets::from_hex;
use crate::verdict;

/// The keys of the captured sessions by the names that the corpus gives them.
pub(crate) struct Keys(BTreeMap<String, Key>);

impl Keys {
    pub(crate) fn of_the_captures() -> Self {
        Self::read(&Folder::inside().file("real/browsers-2026-credentials.json"))
    }

    fn read(file: &File) -> Self {
        let credentials: Value = serde_json::from_str(file.text()).unwrap();
        let mut keys = BTreeMap::new();
        for (ufrag, pwd) in credentials["ice_pwd_by_ufrag"].as_object().unwrap() {
            keys.insert(format!("ice:{ufrag}"), Key::short_term(pwd.as_str().unwrap()));
        }
        let word = |key: &str| credentials["turn"][key].as_str().unwrap();
        for (name, password) in [("turn", "password"), ("turn-wrong", "wrong_password")] {
            let password = Password::new(word(password));
            keys.insert(name.to_owned(), Key::long_term_md5(word("username"), word("realm"), &password));
        }
        Self(keys)
    }

    pub(crate) fn of(&self, name: &str) -> Option<&Key> {
        self.0.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.values()
    }
}

pub(crate) fn judge_credentials(file: &File) {
    assert_eq!(Keys::read(file).0.len(), 36);
}

pub(crate) fn judge_messages(file: &File) {
    let keys = Keys::of_the_captures();
    let (mut sealed, mut fingerprints, mut lines) = (0, 0, 0);
    for (at, line) in (1..).zip(file.text().lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        let bytes = from_hex(line["hex"].as_str().unwrap());
        if line["kind"] == "chandata" {
            judge_channel_data(&bytes);
        } else {
            let key = line["mi"]
                .as_str()
                .map(|name| keys.of(name).unwrap_or_else(|| panic!("{at}: no key {name}")));
            judge_message(&format!("line {at}"), &line, &bytes, key);
            sealed += usize::from(key.is_some());
            fingerprints += usize::from(line["fp"] == true);
        }
        lines = at;
    }
    println!("{lines} messages, {sealed} seals and {fingerprints} fingerprints are true");
    assert_eq!((lines, sealed, fingerprints), (150, 86, 112));
}

fn judge_channel_data(bytes: &[u8]) {
    let read = ChannelData::decode(bytes).unwrap();
    let header = ChannelData::header(read.channel, u16::try_from(read.data.len()).unwrap());
    let len = header.len() + read.data.len();
    assert_eq!([&header[..], read.data].concat(), bytes[..len]);
    assert!(bytes.len() - len < 4, "padding, and that only on a stream");
}

fn judge_message(name: &str, line: &Value, bytes: &[u8], key: Option<&Key>) {
    let message = Message::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let kinds = kinds(bytes);
    assert_eq!(format!("{:02x}{:02x}", bytes[0], bytes[1]), line["type"], "{name}");
    assert_eq!(Value::from_iter(kinds.iter().map(|kind| format!("{kind:04x}"))), line["attrs"], "{name}");
    check_seals(name, &message, key);
    assert_eq!(message.fingerprint().unwrap_or(false), line["fp"] == true, "{name}");
    for raw in message.attributes() {
        verdict::check_rewritten(&message, raw);
    }
    assert_eq!(written_again(&message, key), bytes, "{name}: we write the same");
}

/// Whoever has the key believes the message, and nobody else.
pub(crate) fn check_seals(name: &str, message: &Message<'_>, key: Option<&Key>) {
    let kinds = kinds(message.as_bytes());
    let seals = [MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256];
    let end = kinds.iter().position(|kind| seals.contains(kind) || *kind == FINGERPRINT);
    let shown = &kinds[..end.unwrap_or(kinds.len())];
    assert!(message.attributes().map(|raw| raw.kind).eq(shown.iter().copied()), "{name}: what shows");
    assert_eq!(message.has_integrity(), key.is_some(), "{name}: a seal has a key");
    let verdict = key.map(|key| message.verify(key).map(|message| message.by()));
    assert!(verdict.is_none_or(|verdict| verdict.is_ok()), "{name}: {verdict:?}");
    assert!(message.verify(&Key::short_term("guess")).is_err(), "{name}");
    assert_ne!(message.fingerprint(), Some(false), "{name}");
}

/// Types of all attributes, found without the decoder.
fn kinds(bytes: &[u8]) -> Vec<u16> {
    let (mut kinds, mut at) = (Vec::new(), HEADER_LEN);
    while at < bytes.len() {
        let number = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        kinds.push(number(at));
        at += 4 + usize::from(number(at + 2)).next_multiple_of(4);
    }
    kinds
}

fn written_again(message: &Message<'_>, key: Option<&Key>) -> Vec<u8> {
    let mut buf = [0xEE; 4096];
    let builder = Builder::new(&mut buf, message.class(), message.method(), message.id());
    let builder = message.attributes().fold(builder, |b, raw| b.attribute_as(raw.kind, &Padding(raw.value)));
    let written = match (key, message.fingerprint()) {
        (Some(key), Some(_)) => builder.integrity(key).fingerprint().finish(),
        (Some(key), None) => builder.integrity(key).finish(),
        (None, Some(_)) => builder.fingerprint().finish(),
        (None, None) => builder.finish(),
    };
    written.unwrap().to_vec()
}

/// One session: what both said, candidate by candidate, and what the browser itself says of them.
pub(crate) fn judge_session(name: &str, files: &[File]) {
    let session: Value = serde_json::from_str(files[0].text()).unwrap();
    let text = |key: &str| session[key].as_str();
    let descriptions = ["offer", "answer", "offerFull", "answerFull", "restartOffer"];
    for key in descriptions.into_iter().filter(|key| session[key].is_string()) {
        judge_description(&format!("{name} {key}"), text(key).unwrap());
    }
    for (offer, answer) in [("offer", "answer"), ("offerFull", "answerFull")] {
        if let (Some(offer), Some(answer)) = (text(offer), text(answer)) {
            let (offer, answer) = (parse(offer), parse(answer));
            assert_eq!(check_offer(&offer), Ok(()), "{name}");
            assert_eq!(check_answer(&offer, &answer), Ok(()), "{name}");
        }
    }
    if let (Some(offer), Some(restart)) = (text("offer"), text("restartOffer")) {
        assert_eq!(check_next_offer(&parse(offer), &parse(restart)), Ok(vec![Change::Restart]), "{name}");
    }
    judge_candidates(name, &session);
}

fn parse(text: &str) -> SessionDescription<'_> {
    SessionDescription::parse(text).unwrap()
}

fn judge_description(name: &str, text: &str) {
    let description = SessionDescription::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(description.to_string(), text, "{name}");
    let session = description.data_session().unwrap_or_else(|unfit| panic!("{name}: {unfit}"));
    assert!(session.can_trickle() && session.sctp_port == 5000, "{name}");
    let lines = text.lines().filter(|line| line.starts_with("a=candidate:"));
    let read = session.candidates().map(|candidate| format!("a={candidate}"));
    assert!(lines.map(with_large_transport).eq(read), "{name}: all candidates are read and print back");
}

/// Every trickled candidate, none of which may be in doubt.
fn judge_candidates(name: &str, session: &Value) {
    let trickled = session["events"].as_array().unwrap().iter().flat_map(|event| event.as_array().unwrap());
    let trickled = trickled.filter(|word| word["candidate"].is_string());
    let mut candidates = Vec::new();
    for word in trickled {
        let text = word["candidate"].as_str().unwrap();
        // The end of a generation.
        if text.is_empty() {
            continue;
        }
        let candidate = CandidateLine::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(candidate.to_string(), with_large_transport(text), "{name}");
        let ufrag = candidate.extension("ufrag");
        assert!(ufrag.is_none_or(|ufrag| word["usernameFragment"] == ufrag), "{name}");
        candidates.push(candidate);
    }
    assert!(!candidates.is_empty(), "{name}");
    let found = session["stats"].as_array().unwrap().iter().filter(|row| row["type"] == "local-candidate");
    let known =
        found.filter(|row| candidates.iter().any(|candidate| is_that_of_the_statistics(candidate, row)));
    assert!(known.count() > 0, "{name}: the browser calls its candidates what we call them");
}

fn is_that_of_the_statistics(candidate: &CandidateLine, row: &Value) -> bool {
    row["address"] == candidate.address.to_string()
        && row["port"] == candidate.port
        && row["priority"] == candidate.priority
        && row["candidateType"] == candidate.kind.to_string()
        && row["protocol"] == candidate.transport.to_string().to_lowercase()
}

/// Chromium writes "udp", the grammar has "UDP"; nothing else differs.
fn with_large_transport(text: &str) -> String {
    text.replacen(" udp ", " UDP ", 1)
}
