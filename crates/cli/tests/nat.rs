//! `floe nat`: what it says of this machine's own loopback, where there is no NAT.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod program;

#[cfg(target_os = "linux")]
use program::{PATIENCE, Program};
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

/// On other systems loopback has one address.
#[cfg(target_os = "linux")]
#[test]
fn a_server_with_two_addresses_tells_all() {
    let server = Server::start_with(&["--alternate", "127.0.0.2"]);
    let uri = format!("stun:{}", server.address);
    let told: Vec<_> = std::iter::repeat_with(|| server.next()).take(5).collect();
    let kinds: Vec<_> = told.iter().map(|line| line["ev"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["listening", "listening", "listening", "listening", "discovery"], "{told:?}");
    let discovery = told.last().unwrap();
    assert_eq!(discovery["primary"], *server.address);
    assert!(discovery["alternate"].as_str().unwrap().starts_with("127.0.0.2:"), "{discovery}");

    let lines = json_lines(&run(&["nat", "--json", &uri]));
    let found = |test: &str| lines.iter().find(|line| line["test"] == test).unwrap().clone();
    assert_eq!(found("mapping")["value"], "none");
    let filtering = found("filtering");
    assert_eq!(
        (&filtering["value"], &filtering["certainty"]),
        (&"endpoint-independent".into(), &"seen".into())
    );

    let output = run(&["nat", &uri]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !told.contains("one address only"), "{told}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_says_by_which_addresses_it_tells_what_nats_do() {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--alternate", "127.0.0.2"];
    let (sender, lines) = std::sync::mpsc::channel();
    let program = Program::start(&arguments, (), sender);
    let mut told = std::iter::repeat_with(|| lines.recv_timeout(PATIENCE).unwrap().1.unwrap());
    let line = told.find(|line| !line.starts_with("listening")).unwrap();
    drop(program);
    assert!(line.contains("127.0.0.1:") && line.contains("127.0.0.2:"), "{line}");
    assert!(line.contains("floe nat stun:127.0.0.1:"), "{line}");
}

#[test]
fn a_server_that_is_not_there_is_one_sentence() {
    let output = run(&["nat", "stun:127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("127.0.0.1:1") && told.contains("check address"), "{told}");
}
