//! `floe serve`, asked by `floe stun` and `floe gather`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod program;

use program::{PATIENCE, Server, json_lines, run};
use serde_json::Value;

#[test]
fn stun_tells_our_address() {
    let server = Server::start();
    let output = run(&["stun", &server.uri("stun"), "--json"]);
    let [told] = json_lines(&output).try_into().unwrap();
    assert!(output.status.success());
    assert_eq!(told["server"], server.address.replace(':', " "));
    assert!(told["mapped"].as_str().unwrap().starts_with("127.0.0.1 "));
    assert_eq!(told["mapped"], told["local"]);
    assert!(told["rtt_ms"].as_f64().unwrap() > 0.0);

    let output = run(&["stun", &server.uri("stun")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("127.0.0.1:") && text.contains("no NAT") && text.contains(" ms"), "{text}");
}

#[test]
fn gather_lists_candidates_and_what_each_server_did() {
    let server = Server::start();
    let (stun, turn) = (server.uri("stun"), server.uri("turn"));
    let arguments = ["gather", "--loopback", &stun, &turn, "--user", "u", "--password", "p"];
    let output = run(&[&arguments[..], &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    let lines = json_lines(&output);
    let relayed = lines.iter().find(|line| line["type"] == "relay").unwrap();
    assert!(relayed["address"].as_str().unwrap().starts_with("127.0.0.1 "), "{relayed}");
    assert_eq!(relayed["server"], *turn);
    assert!(
        relayed["priority"].is_u64() && relayed["foundation"].is_string() && relayed["related"].is_string()
    );
    assert!(lines.iter().any(|line| line["type"] == "host"));
    for url in [&stun, &turn] {
        let good = |line: &&Value| line["ev"] == "server" && line["url"] == **url && line["ok"] == true;
        assert!(lines.iter().find(good).unwrap()["rtt_ms"].is_f64(), "{url}");
    }
    assert_eq!(lines.last().unwrap()["ev"], "end");

    let output = run(&arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    for words in ["TYPE", "host ", "relay ", "RTT", "relays at 127.0.0.1:", "which is a candidate already"] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

#[cfg(unix)]
#[test]
fn the_server_tells_of_allocations_and_ends_by_a_signal() {
    let server = Server::start();
    let uri = server.uri("turn");
    assert!(run(&["gather", "--loopback", &uri, "--user", "u", "--password", "p"]).status.success());

    let next = || -> Value {
        let line = server.lines.recv_timeout(PATIENCE).unwrap().1.expect("the server ended");
        serde_json::from_str(&line).unwrap()
    };
    let told = next();
    assert_eq!((&told["ev"], &told["user"]), (&"allocated".into(), &"u".into()), "{told}");

    let id = server.program.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let last = std::iter::repeat_with(next).find(|told| told["ev"] == "closed").unwrap();
    assert!(last["allocations"].as_u64().unwrap() >= 1);
    assert!(server.program.succeeded());
}
