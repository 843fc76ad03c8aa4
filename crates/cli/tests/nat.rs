//! `floe nat`: what it says of this machine's own loopback, where there is no NAT.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod program;

use program::{Server, json_lines, run, stderr};

#[test]
fn a_server_with_one_address_tells_whether_there_is_a_nat_and_no_more() {
    let server = Server::start();
    let uri = format!("stun:{}", server.address);

    let output = run(&["nat", &uri]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for words in ["no NAT on this way", "one address only", "in short"] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }

    let lines = json_lines(&run(&["nat", "--json", &uri]));
    let kinds: Vec<_> = lines.iter().map(|line| line["ev"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["server", "finding", "unknown", "done"]);
    assert_eq!((&lines[1]["test"], &lines[1]["value"]), (&"mapping".into(), &"none".into()));
}

#[test]
fn a_server_that_is_not_there_is_one_sentence() {
    let output = run(&["nat", "stun:127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("127.0.0.1:1") && told.contains("check address"), "{told}");
}
