//! The demo: no argument, no network, under five seconds.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod program;

use std::net::SocketAddr;

use program::{json_lines, run};
use serde_json::Value;

#[test]
fn the_demo_shows_the_whole_road_as_json() {
    let output = run(&["demo", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let lines = json_lines(&output);
    let of = |act: u8, who: &str, ev: &str| -> Vec<&Value> {
        lines.iter().filter(|l| l["act"] == act && l["who"] == who && l["ev"] == ev).collect()
    };
    for who in ["alice", "bob"] {
        let typed = |act, kind: &str| {
            let typ = format!(" typ {kind}");
            of(act, who, "candidate").iter().any(|line| line["candidate"].as_str().unwrap().contains(&typ))
        };
        assert!(typed(1, "host") && typed(1, "relay") && typed(2, "relay"), "{who}");
        assert!(!typed(2, "host"), "a relay-only agent told its host candidate");
        let stun = of(1, who, "server").into_iter().find(|l| l["url"].as_str().unwrap().starts_with("stun:"));
        assert_eq!(stun.unwrap()["redundant"], true, "the srflx candidate is named redundant");

        for (act, kind) in [(1, "host"), (2, "relay")] {
            let mut states: Vec<_> = of(act, who, "state").iter().map(|line| line["state"].clone()).collect();
            // The pair that is nominated may be the last one that was checked: then all is done at once.
            states.retain(|state| *state != "connected");
            assert_eq!(states, ["checking", "completed", "closed"], "act {act}, {who}");
            let selected = of(act, who, "selected");
            assert_eq!(selected.last().unwrap()["local"], kind);
            assert_eq!(selected.last().unwrap()["remote"], kind);
        }
    }
    for act in [1, 2] {
        let [pong] = of(act, "alice", "pong").try_into().unwrap();
        assert_eq!((&pong["count"], &pong["bytes"]), (&10.into(), &12_000.into()));
    }
    for act in [1, 2] {
        let is = |line: &Value, ev: &str| line["act"] == act && line["ev"] == ev;
        let checking = lines.iter().position(|line| is(line, "state")).unwrap();
        let last_candidate = lines.iter().rposition(|line| is(line, "candidate")).unwrap();
        assert!(last_candidate < checking, "act {act}: a candidate came after the checks began");
        for ev in ["check", "selected"] {
            let line = lines.iter().find(|line| is(line, ev)).unwrap();
            for key in ["local_addr", "remote_addr"] {
                assert!(line[key].as_str().unwrap().parse::<SocketAddr>().is_ok(), "{line}");
            }
        }
    }
    let last = lines.last().unwrap();
    assert_eq!(last["ev"], "done");
    assert_eq!((&last["acts"][0]["local"], &last["acts"][1]["remote"]), (&"host".into(), &"relay".into()));
    assert!(last["acts"][0]["connected_ms"].is_f64() && last["acts"][0]["nominated_ms"].is_f64());
    assert!(last["t_ms"].as_f64().unwrap() < 5000.0, "{last}");
}

#[test]
fn the_demo_tells_people_the_same() {
    let output = run(&["demo"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for words in [
        "alice   host candidate 127.0.0.1:",
        "bob     relay candidate 127.0.0.1:",
        "check host 127.0.0.1:",
        "NOMINATED AFTER",
        "srflx is redundant",
        "state connected",
        "selected relay",
        "RTT",
        "All of it worked",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80 && line.trim_end() == line, "{line:?}");
        assert!(!line.contains("candidate:"), "a raw candidate line: {line:?}");
        let words: Vec<_> = line.split([' ', '(', ')', ':']).filter(|word| !word.is_empty()).collect();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "a word twice: {line:?}");
    }
    assert!(!text.contains('\x1b'), "colours without a terminal");
}
