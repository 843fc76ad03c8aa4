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
    for who in ["offer", "answer"] {
        let typed = |act, kind: &str| {
            let typ = format!(" typ {kind}");
            of(act, who, "candidate").iter().any(|line| line["candidate"].as_str().unwrap().contains(&typ))
        };
        assert!(typed(1, "host") && typed(1, "relay") && typed(2, "relay"), "{who}");
        assert!(!typed(2, "host"), "a relay-only agent told its host candidate");
        let stun = of(1, who, "server").into_iter().find(|l| l["url"].as_str().unwrap().starts_with("stun:"));
        assert_eq!(stun.unwrap()["redundant"], true, "the srflx candidate is named redundant");

        for (act, kind) in [(1, "host"), (2, "relay")] {
            let states: Vec<_> = of(act, who, "state").iter().map(|line| line["state"].clone()).collect();
            assert_eq!(states, ["checking", "connected", "completed", "closed"], "act {act}, {who}");
            let selected = of(act, who, "selected");
            assert_eq!(selected.last().unwrap()["local"], kind);
            assert_eq!(selected.last().unwrap()["remote"], kind);
        }
    }
    for act in [1, 2] {
        let [pong] = of(act, "offer", "pong").try_into().unwrap();
        assert_eq!((&pong["count"], &pong["bytes"]), (&10.into(), &12_000.into()));
    }
    let last = lines.last().unwrap();
    assert_eq!(last["ev"], "done");
    assert!(last["t_ms"].as_f64().unwrap() < 5000.0, "{last}");
}

#[test]
fn the_demo_tells_people_the_same() {
    let output = run(&["demo"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for words in [
        "typ host",
        "typ relay",
        "srflx is redundant",
        "state connected",
        "selected relay",
        "RTT",
        "All of it worked",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    assert!(!text.contains('\x1b'), "colours without a terminal");
}
