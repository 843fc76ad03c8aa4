//! Hand-made candidate lines, each with the verdict it deserves.

use floe_sdp::{CandidateLine, ParseErrorKind};
use serde_json::Value;

const CASES: &str = include_str!("../../../tests/corpora/torture/candidates.jsonl");

/// What the parser does with a line.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A value. Whether its address is of use is not a question of grammar.
    Reads,
    /// Unknown, not wrong: to be dropped in silence.
    Ignorable,
    /// Wrong.
    Refused,
    /// No text, which the W3C interface takes for end-of-candidates.
    Empty,
}

#[test]
fn every_case_gets_its_verdict() {
    let cases: Vec<Value> = CASES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), 41);
    for case in &cases {
        let word = |key: &str| case[key].as_str().unwrap();
        let verdict = verdict(word("text"));
        assert_eq!(verdict, wanted(word("id"), word("expect")), "{}: {}", word("id"), word("text"));
    }
}

fn verdict(text: &str) -> Verdict {
    match CandidateLine::parse(text) {
        Ok(_) => Verdict::Reads,
        Err(error) if error.is_ignorable() => Verdict::Ignorable,
        Err(error) if error.kind() == ParseErrorKind::Empty => Verdict::Empty,
        Err(_) => Verdict::Refused,
    }
}

/// Where the recorded verdict leaves a choice, or leaves the line to an agent, this says what the grammar does.
fn wanted(id: &str, expect: &str) -> Verdict {
    match id {
        // The address cannot be told without its zone.
        "scope" => Verdict::Ignorable,
        // Well-formed addresses and ports that an agent will not use.
        "port-0" | "v4mapped" | "site-local" | "unspecified" | "multicast" | "broadcast" => Verdict::Reads,
        "ext-odd" | "double-space" | "emoji" => Verdict::Refused,
        "raddr-no-rport" => Verdict::Reads,
        "empty" => Verdict::Empty,
        _ if expect.starts_with("ok") => Verdict::Reads,
        _ => {
            assert!(expect.starts_with("error"), "{id}: no verdict for {expect:?}");
            Verdict::Refused
        }
    }
}
