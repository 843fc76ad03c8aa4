//! Which sets there are, and who judges each.

use std::collections::BTreeSet;

use support::snapshot;

use crate::folders::{File, Folder, Place};
use crate::{browsers, captures, vectors, verdict};

/// Files that are judged together.
pub(crate) struct Set {
    /// A folder of the corpora, or one file.
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) count: usize,
    pub(crate) judge: fn(&str, &[File]),
}

pub(crate) const SETS: &[Set] = &[
    inside("torture/stun.jsonl", 1, |_, files| by_test("crates/stun/tests/torture.rs", files)),
    inside("torture/channeldata.jsonl", 1, |_, files| by_test("crates/stun/tests/torture.rs", files)),
    inside("torture/candidates.jsonl", 1, |_, files| by_test("crates/sdp/tests/torture.rs", files)),
    inside("torture/sdp.jsonl", 1, |_, files| by_test("crates/sdp/tests/descriptions.rs", files)),
    inside("vectors", 7, |_, files| vectors::judge(files)),
    inside("real/browsers-2026-messages.jsonl", 1, |_, files| browsers::judge_messages(&files[0])),
    inside("real/browsers-2026-credentials.json", 1, |_, files| browsers::judge_credentials(&files[0])),
    inside("real/chromium-badcred.json", 1, browsers::judge_session),
    inside("real/chromium-cross-answerer.json", 1, browsers::judge_session),
    inside("real/chromium-cross-offerer.json", 1, browsers::judge_session),
    inside("real/chromium-host.json", 1, browsers::judge_session),
    inside("real/chromium-relay-tcp.json", 1, browsers::judge_session),
    inside("real/chromium-relay-udp.json", 1, browsers::judge_session),
    inside("real/chromium-stun.json", 1, browsers::judge_session),
    inside("real/firefox-badcred.json", 1, browsers::judge_session),
    inside("real/firefox-cross-answerer.json", 1, browsers::judge_session),
    inside("real/firefox-cross-offerer.json", 1, browsers::judge_session),
    inside("real/firefox-host.json", 1, browsers::judge_session),
    inside("real/firefox-relay-tcp.json", 1, browsers::judge_session),
    inside("real/firefox-relay-udp.json", 1, browsers::judge_session),
    inside("real/firefox-stun.json", 1, browsers::judge_session),
    inside("candidate/browsers-2026.txt", 1, |_, files| by_test("crates/sdp/tests/browsers.rs", files)),
    inside("candidate/librice", 1, by_snapshot::<Candidate>),
    inside("sdp/browsers-2026", 55, by_snapshot::<Description>),
    inside("sdp/sdp-transform", 25, by_snapshot::<Description>),
    inside("sdp/webrtc", 69, by_snapshot::<Description>),
    inside("stun/coturn-FuzzStun", 28, by_snapshot::<Packet>),
    inside("stun/coturn-FuzzStunClient", 8, by_snapshot::<Packet>),
    inside("stun/pion-FuzzMessage", 19, by_snapshot::<Packet>),
    inside("stun/pion-FuzzSetters", 11, by_snapshot::<Packet>),
    inside("stun/webrtc", 19, by_snapshot::<Packet>),
    inside("turn/pion-FuzzChannelData", 3, by_snapshot::<Packet>),
    inside("turn/pion-testdata", 4, by_snapshot::<HexText>),
    outside("pcap/browsers-2026", 4, |_, files| captures::judge(files)),
    outside("real/ndpi-unique-shapes.jsonl", 1, by_snapshot::<JsonLines>),
    outside("sdp/mozilla-webrtc-sdp", 40, by_snapshot::<Description>),
    outside("sdp/pjsip", 6, by_snapshot::<Description>),
    outside("stun/libjuice", 2, by_snapshot::<Packet>),
    outside("stun/ndpi-fuzz_is_stun_tcp", 20, by_snapshot::<Packet>),
    outside("stun/ndpi-fuzz_is_stun_udp", 35, by_snapshot::<Packet>),
    outside("stun/pjsip", 27, by_snapshot::<Packet>),
    outside("torture/many-empty-attrs.bin", 1, |_, files| by_test("crates/stun/tests/torture.rs", files)),
    outside("torture/many-unknown-required.bin", 1, |_, files| {
        by_test("crates/stun/tests/torture.rs", files)
    }),
];

/// What stands beside and is none of the four things that are judged.
const NOT_OURS_TO_JUDGE: &[(&str, &str)] = &[
    ("MANIFEST.tsv", "the list itself"),
    ("README.md", "about the corpora"),
    ("NOTICE.md", "about the corpora"),
    (".gitattributes", "about the corpora"),
    ("LICENSES/", "licences"),
    ("dict/", "dictionaries of fuzzers"),
    ("mdns/", "messages of DNS"),
    ("pcap/ndpi/", "captures; their payloads are real/ndpi-unique-shapes.jsonl"),
    ("sctp/", "packets of SCTP"),
    ("text/", "numbers in decimal"),
];

const fn inside(name: &'static str, count: usize, judge: fn(&str, &[File])) -> Set {
    Set { name, place: Place::Inside, count, judge }
}

const fn outside(name: &'static str, count: usize, judge: fn(&str, &[File])) -> Set {
    Set { name, place: Place::Outside, count, judge }
}

/// The set has tests of its own, and they read it.
fn by_test(test: &str, files: &[File]) {
    let path = format!("{}/{test}", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(&path).unwrap();
    for file in files {
        let stem = file.name.rsplit('/').next().unwrap().trim_end_matches(".bin");
        assert!(source.contains(stem), "{test} does not know {}", file.name);
    }
}

/// How a file shows its verdicts, one a line.
trait Shown {
    fn verdicts(file: &File) -> Vec<String>;
}

struct Candidate;
struct Description;
struct HexText;
struct JsonLines;
struct Packet;

impl Shown for Candidate {
    fn verdicts(file: &File) -> Vec<String> {
        vec![verdict::candidate(file.text())]
    }
}

impl Shown for Description {
    fn verdicts(file: &File) -> Vec<String> {
        vec![verdict::description(&file.bytes)]
    }
}

impl Shown for Packet {
    fn verdicts(file: &File) -> Vec<String> {
        vec![verdict::packet(&file.bytes)]
    }
}

impl Shown for HexText {
    /// The licence of a file, in a file beside it, is no packet.
    fn verdicts(file: &File) -> Vec<String> {
        if file.name.ends_with(".license") {
            return Vec::new();
        }
        file.text().lines().map(|line| verdict::packet(&from_hex(line))).collect()
    }
}

impl Shown for JsonLines {
    fn verdicts(file: &File) -> Vec<String> {
        let packets = file.text().lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let packet = from_hex(line["hex"].as_str().unwrap());
            let from = line["file"].as_str().unwrap();
            format!("{from} {}: {}", line["kind"].as_str().unwrap(), verdict::packet(&packet))
        });
        packets.collect()
    }
}

fn by_snapshot<S: Shown>(name: &str, files: &[File]) {
    let mut table = String::new();
    for file in files {
        let short = file.name.strip_prefix(name).unwrap().trim_start_matches('/');
        for verdict in S::verdicts(file) {
            let colon = if short.is_empty() { "" } else { ": " };
            table.push_str(&format!("{short}{colon}{verdict}\n"));
        }
    }
    let stem = name.trim_end_matches(".jsonl").replace('/', "-");
    snapshot::check(&format!("corpora/{stem}.txt"), &table);
}

/// No file is without a judge, and no judge is without its files.
pub(crate) fn check_complete(folder: &Folder, place: Place) {
    let judged = |name: &str| {
        let is_below = |set: &Set| name == set.name || name.starts_with(&format!("{}/", set.name));
        SETS.iter().any(is_below) || NOT_OURS_TO_JUDGE.iter().any(|(prefix, _)| name.starts_with(prefix))
    };
    let names = folder.names();
    let forgotten: Vec<&String> = names.iter().filter(|name| !judged(name)).collect();
    assert!(forgotten.is_empty(), "no judge knows {forgotten:?}");
    if place == Place::Outside {
        let listed: BTreeSet<String> = manifest(folder).into_iter().collect();
        let there: BTreeSet<String> =
            names.into_iter().filter(|name| name != "MANIFEST.tsv" && name != "README.md").collect();
        assert_eq!(listed, there, "the manifest lists what is there");
    }
    println!("{place}: {} files", folder.names().len());
}

fn manifest(folder: &Folder) -> Vec<String> {
    let manifest = folder.file("MANIFEST.tsv");
    let rows = manifest.text().lines().skip(1);
    rows.map(|row| row.split('\t').next().unwrap().to_owned()).collect()
}

/// What came into the project is what it is outside.
pub(crate) fn check_copies(outside: &Folder) {
    let theirs: BTreeSet<String> = outside.names().into_iter().collect();
    let ours = Folder::inside();
    let mut compared = 0;
    for name in ours.names().into_iter().filter(|name| theirs.contains(name)) {
        let (ours, theirs) = (ours.file(&name), outside.file(&name));
        let theirs = if name == "torture/sdp.jsonl" { mended(theirs.text()) } else { theirs.bytes };
        assert!(ours.bytes == theirs, "{name} is not what it was");
        compared += 1;
    }
    println!("{compared} copies are true");
}

/// One string has a bare line break, which no line of JSON may.
fn mended(text: &str) -> Vec<u8> {
    text.replace("s=\u{FFFD}\n", "s=\u{FFFD}\\n").into_bytes()
}

pub(crate) fn from_hex(hex: &str) -> Vec<u8> {
    let hex = hex.trim().as_bytes();
    assert!(hex.len().is_multiple_of(2), "half a byte");
    hex.chunks_exact(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
