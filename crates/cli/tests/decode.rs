//! `floe decode` against the corpora: every case through the program gets the verdict that is recorded with it.
//!
//! The cases are those of the folder that `FLOE_CORPORA` names, else those of the project; what the folder does not have
//! is printed as not run.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod program;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::{env, fs, thread};

use program::{floe, json_lines, stderr};
use serde_json::Value;

const KEY: &str = "VOkJxbRl1RmTxUk/WvJxBt";

#[test]
fn every_stun_message_gets_its_verdict() {
    let all = cases("torture/stun.jsonl", 178);
    // Nothing at all is no line.
    let (cases, empty): (Vec<&Value>, Vec<&Value>) = all.iter().partition(|case| case["hex"] != "");
    assert_eq!((empty.len(), word(&json_lines(&of_text(""))[0])), (1, "empty"));
    let digits: Vec<String> = cases.iter().copied().map(digits).collect();
    let told = lines(&["--key", KEY], &digits);
    let wrong: Vec<String> =
        cases.iter().zip(&told).filter_map(|(case, told)| judge(case, told).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The bytes of a case; two of 64 KiB are a header and 16,383 empty attributes.
fn digits(case: &Value) -> String {
    if let Some(digits) = case["hex"].as_str() {
        return digits.to_owned();
    }
    let kind = |n: u16| match case["id"].as_str().unwrap() {
        "many-empty-attrs" => 0x8022,
        "many-unknown-required" => 0x7000 + n % 0xFFF,
        other => panic!("{other} has no bytes"),
    };
    let attributes = (0..0x3FFF).map(|n| format!("{:04x}0000", kind(n)));
    attributes.fold("0001fffc2112a4420102030405060708090a0b0c".to_owned(), |all, one| all + &one)
}

fn judge(case: &Value, told: &Value) -> Result<(), String> {
    let (id, expect) = (&case["id"], case["expect"].as_object().unwrap());
    if told["ok"] != (case["decode"] == "ok") {
        return Err(format!("{id}: expected {}, told {}", case["decode"], told["error"]));
    }
    for (key, want) in expect {
        if !meets(told, key, want) {
            return Err(format!("{id}: not {key} = {want} in {told}"));
        }
    }
    Ok(())
}

fn meets(told: &Value, key: &str, want: &Value) -> bool {
    let text = || want.as_str().unwrap();
    let names = |visible: bool| {
        let seals = ["MESSAGE-INTEGRITY", "MESSAGE-INTEGRITY-SHA256", "FINGERPRINT"];
        let attributes = told["attributes"].as_array().unwrap().iter();
        let shown = attributes.filter(move |attribute| attribute["visible"] == visible);
        shown.map(|attribute| &attribute["name"]).filter(move |name| !seals.iter().any(|seal| *name == seal))
    };
    let values = |name: &str| -> Vec<&Value> {
        let attributes = told["attributes"].as_array().unwrap().iter();
        attributes.filter(|attribute| attribute["name"] == name && attribute["visible"] == true).collect()
    };
    let value =
        |name: &str| values(name).first().map_or(&Value::Null, |attribute| &attribute["value"]).clone();
    match key {
        "error" => word(told) == error_words(text()) || told["kind"] == "unknown" && word(told) == "not-stun",
        // Truncation is "reject unless the usage allows it", and none does.
        "integrity" | "integrity_sha256" => told["integrity"] == want.as_bool().unwrap_or(false),
        "fingerprint" => told["fingerprint"] == want.as_bool().unwrap_or(false),
        "visible" => names(true).eq(want.as_array().unwrap()),
        "not_visible" => names(false).eq(want.as_array().unwrap()),
        "no_420" => !told["notes"].to_string().contains("must refuse") == *want,
        "peers" => values("XOR-PEER-ADDRESS").iter().map(|peer| &peer["value"]).eq(want.as_array().unwrap()),
        "typed_error" => values(text()).first().is_some_and(|attribute| attribute["error"].is_string()),
        "typed_error_or_lossy" => !values(text()).is_empty(),
        "XOR-MAPPED-ADDRESS" | "UNKNOWN-ATTRIBUTES" => value(key) == *want,
        "USERNAME" | "REALM" | "NONCE" | "SOFTWARE" => is_text(&value(key), text()),
        "ERROR-CODE" => value(key)["code"] == *want,
        "reason" => value("ERROR-CODE")["reason"].is_string(),
        "type" => told["class"] == class_of(want.as_u64().unwrap()) && told["method"] == "Binding",
        "time" => told["attributes"].as_array().unwrap().len() == 0x3FFF,
        // What crates above this program's decoder decide upon.
        "agent" | "client" | "server" => told["ok"] == true && told["kind"] == "stun",
        _ => false,
    }
}

fn word(told: &Value) -> &str {
    told["error"].as_str().unwrap_or_default().split(':').next().unwrap_or_default()
}

fn error_words(recorded: &str) -> &'static str {
    match recorded {
        "Truncated" => "truncated",
        "TrailingBytes" => "trailing-bytes",
        "BadLength" => "bad-length",
        "NotStun" => "no-cookie",
        "AttributeOverrun" => "attribute-overrun",
        other => panic!("{other}"),
    }
}

/// An expected text is the text itself, or "5 bytes incl. NUL" where it would not print.
fn is_text(have: &Value, want: &str) -> bool {
    let len = want.split_once(" bytes").and_then(|(len, _)| len.parse().ok());
    have.as_str().is_some_and(|have| len.map_or(have == want, |len: usize| have.len() == len))
}

fn class_of(message_type: u64) -> &'static str {
    match message_type {
        0x0001 => "request",
        0x0011 => "indication",
        0x0101 => "success",
        _ => "error",
    }
}

#[test]
fn all_channel_data_gets_its_verdict() {
    for case in cases("torture/channeldata.jsonl", 13) {
        let (id, expect) = (case["id"].as_str().unwrap(), &case["expect"]);
        let is_stream = case["transport"] == "tcp";
        let arguments = ["decode", "--json", case["hex"].as_str().unwrap()];
        let arguments = if is_stream { [&arguments[..], &["--stream"]].concat() } else { arguments.to_vec() };
        let output = program::run(&arguments);
        let told = json_lines(&output);
        let last = told.last().unwrap();
        for (key, want) in expect.as_object().unwrap() {
            let met = match key.as_str() {
                "channel" | "data" => told.len() == 1 && last[key] == *want,
                "consumed" => told.len() == 1 && last["ok"] == true,
                "frames" => *want == told.len() && told.iter().all(|told| told["ok"] == true),
                "need_more" => last["error"].as_str().unwrap().contains(&format!("{want} more are needed")),
                "error" => last["ok"] == false,
                // Which channels are bound is the client's to know.
                "client" => last["ok"] == true,
                _ => false,
            };
            assert!(met, "{id}: not {key} = {want} in {told:?}");
        }
        assert_eq!(output.status.success(), told.iter().all(|told| told["ok"] == true), "{id}");
    }
}

/// Where the recorded verdict leaves a choice, the grammar of floe-sdp has made it: see its own test.
#[test]
fn every_candidate_line_gets_its_verdict() {
    for case in cases("torture/candidates.jsonl", 41) {
        let (id, expect) = (case["id"].as_str().unwrap(), case["expect"].as_str().unwrap());
        let output = of_text(case["text"].as_str().unwrap());
        let [told] = json_lines(&output).try_into().unwrap();
        let (is_read, is_ignored) = (told["ok"] == true, told["ignored"].is_string());
        let met = match expect {
            "end-of-candidates" => !is_read && told["notes"].to_string().contains("the end of candidates"),
            _ if expect.starts_with("ignored") => is_ignored,
            _ if expect.contains("or error") || expect.contains("error or") => !is_ignored,
            _ if expect.starts_with("ok") => is_read && !is_ignored,
            _ if expect.starts_with("error") => !is_read && !is_ignored,
            _ => panic!("{id}: no verdict for {expect}"),
        };
        assert!(met, "{id}: expected {expect}, told {told}");
        assert!(told["kind"] == "candidate" || id == "empty", "{id}: {told}");
        assert_eq!(output.status.success(), is_read, "{id}");
    }
}

#[test]
fn every_description_gets_its_verdict() {
    let cases = cases("torture/sdp.jsonl", 58);
    let base = cases.iter().find(|case| case["id"] == "ok-dc").unwrap()["text"].as_str().unwrap();
    for case in &cases {
        let (id, expect) = (case["id"].as_str().unwrap(), case["expect"].as_str().unwrap());
        let generated = || {
            assert_eq!(id, "many-lines-100k");
            base.to_owned() + &"a=x\r\n".repeat(100_000)
        };
        let output = of_text(&case["text"].as_str().map_or_else(generated, str::to_owned));
        let [told] = json_lines(&output).try_into().unwrap();
        let (is_read, connects) = (told["ok"] == true, told["data_channels"]["ok"] == true);
        let met = match expect {
            // Reading is not judging: it is read, and then refused as a session.
            _ if expect.contains("setRemoteDescription") || expect.contains("-> fail") => {
                is_read && !connects
            }
            _ if expect.contains("or error")
                || expect.contains("error or")
                || expect.contains("or ignore") =>
            {
                true
            }
            _ if expect.starts_with("ok") => is_read,
            _ if expect.starts_with("error") => !is_read,
            _ => is_read,
        };
        assert!(met, "{id}: expected {expect}, told {told}");
        if id != "only-crlf" {
            let error = told["error"].as_str().unwrap_or_default();
            assert!(is_read || error.contains("expected"), "{id}: {told}");
            assert_eq!(told["kind"], "sdp", "{id}");
        }
        assert_eq!(output.status.success(), is_read, "{id}");
    }
}

#[test]
fn every_message_of_browsers_verifies_with_its_own_key() {
    let cases = cases("real/browsers-2026-messages.jsonl", 150);
    let known: Value = serde_json::from_str(&corpus("real/browsers-2026-credentials.json").unwrap()).unwrap();
    let digits: Vec<String> = cases.iter().map(digits).collect();
    let turn = |key: &str| known["turn"][key].as_str().unwrap();
    let long_term =
        |password| ["--user", turn("username"), "--realm", turn("realm"), "--password", turn(password)];
    let mut names: Vec<&str> = cases.iter().filter_map(|case| case["mi"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 14);
    for name in names {
        let told = match name {
            "turn" => lines(&long_term("password"), &digits),
            "turn-wrong" => lines(&long_term("wrong_password"), &digits),
            ice => {
                let ufrag = ice.strip_prefix("ice:").unwrap();
                lines(&["--key", known["ice_pwd_by_ufrag"][ufrag].as_str().unwrap()], &digits)
            }
        };
        for (case, told) in cases.iter().zip(&told) {
            let verified = case["mi"].as_str().map(|by| by == name);
            assert_eq!(told["integrity"], Value::from(verified), "with the key of {name}: {case}");
            assert_eq!((&told["ok"], &told["fingerprint"]), (&true.into(), &case["fp"]), "{case}");
            if case["kind"] == "stun" {
                let types = told["attributes"].as_array().unwrap().iter();
                let types = types.map(|attribute| format!("{:04x}", attribute["type"].as_u64().unwrap()));
                assert!(
                    types.eq(case["attrs"].as_array().unwrap().iter().map(|kind| kind.as_str().unwrap()))
                );
            }
        }
    }
}

/// The messages of the corpus were taken from these captures.
#[test]
fn every_message_of_the_corpus_is_found_in_its_capture() {
    let folder = corpora().join("pcap/browsers-2026");
    if !folder.is_dir() {
        return eprintln!("NOT RUN: there are no captures in {}; set FLOE_CORPORA", folder.display());
    }
    let cases = cases("real/browsers-2026-messages.jsonl", 150);
    for (name, messages) in [
        ("chromium-local", 283),
        ("chromium-offers-firefox", 34),
        ("firefox-local", 182),
        ("firefox-offers-chromium", 24),
    ] {
        let file = folder.join(format!("{name}.pcap"));
        let output = program::run(&["decode", "--json", file.to_str().unwrap()]);
        let told = json_lines(&output);
        let summary = told.last().unwrap();
        assert_eq!(
            (&summary["kind"], &summary["messages"], &summary["refused"]),
            (&"capture".into(), &messages.into(), &0.into())
        );
        assert!(output.status.success());
        let mut of_file =
            cases.iter().filter(|case| case["file"].as_str() == file.file_name().unwrap().to_str());
        assert!(of_file.clone().count() > 0);
        let is_there = |case: &Value| {
            let hex = case["hex"].as_str().unwrap();
            let is_it = |told: &Value| match case["kind"].as_str() {
                Some("stun") => {
                    let first = told["attributes"][0]["hex"].as_str().unwrap_or_default();
                    told["transaction_id"] == hex[16..40] && hex[40..].contains(first)
                }
                _ => {
                    told["channel"] == u32::from_str_radix(&hex[..4], 16).unwrap()
                        && hex[8..].starts_with(told["data"].as_str().unwrap())
                }
            };
            told.iter().any(|told| is_it(told) && told["packet"]["transport"] == case["transport"])
        };
        assert!(of_file.all(is_there), "{name}");
    }
}

/// Other people's captures and seeds may be anything; whatever they are, each gets an answer.
#[test]
fn whatever_lies_in_the_corpora_gets_an_answer() {
    let mut files = 0;
    for folder in ["stun", "turn", "sdp", "candidate", "pcap"] {
        files += answer_all(&corpora().join(folder));
    }
    eprintln!("{files} files of {}", corpora().display());
    assert!(files > 100);
}

fn answer_all(path: &std::path::Path) -> usize {
    let Ok(entries) = fs::read_dir(path) else {
        if !path.exists() {
            eprintln!("NOT RUN: there is no {}", path.display());
            return 0;
        }
        let output = program::run(&["decode", "--json", path.to_str().unwrap()]);
        let told = json_lines(&output);
        let good = told.iter().all(|told| told["ok"] == true);
        assert!(!told.is_empty() && stderr(&output).is_empty(), "{}: {}", path.display(), stderr(&output));
        assert_eq!(output.status.code(), Some(i32::from(!good)), "{}", path.display());
        return 1;
    };
    entries.map(|entry| answer_all(&entry.unwrap().path())).sum()
}

/// What the program tells of these messages, one a line.
fn lines(keys: &[&str], digits: &[String]) -> Vec<Value> {
    let arguments = [&["decode", "--lines", "--json", "-"], keys].concat();
    let output = with_input(&arguments, (digits.join("\n") + "\n").as_bytes());
    let told = json_lines(&output);
    assert_eq!(told.len(), digits.len());
    assert_eq!(output.status.success(), told.iter().all(|told| told["ok"] == true));
    told
}

fn of_text(text: &str) -> Output {
    with_input(&["decode", "--json", "-"], text.as_bytes())
}

fn with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut child =
        floe(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // It may have had enough before the end.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(stderr(&output), "");
    output
}

fn corpora() -> PathBuf {
    let ours = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpora").into();
    env::var_os("FLOE_CORPORA").map_or_else(ours, PathBuf::from)
}

/// A file of the corpora; without one there is a word about it and nothing to judge.
fn corpus(file: &str) -> Option<String> {
    let path = corpora().join(file);
    let read = fs::read_to_string(&path);
    if let Err(why) = &read {
        eprintln!("NOT RUN: {}: {why}", path.display());
    }
    read.ok()
}

/// The cases of a file, one a line, but for one of them that is broken in two.
fn cases(file: &str, count: usize) -> Vec<Value> {
    let text = corpus(file).unwrap_or_else(|| panic!("there is no {file} in {}", corpora().display()));
    let (mut cases, mut begun) = (Vec::new(), String::new());
    for line in text.lines() {
        begun += line;
        match serde_json::from_str(&begun) {
            Ok(case) => {
                cases.push(case);
                begun.clear();
            }
            Err(_) => begun += "\\n",
        }
    }
    assert_eq!((cases.len(), begun.as_str()), (count, ""), "{file}");
    eprintln!("{count} cases of {}", corpora().join(file).display());
    cases
}
