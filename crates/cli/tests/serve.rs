//! What an operator does with `floe serve`: a file of settings, TLS, counters, draining, several workers.
#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and stands for other programs"
)]

mod program;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use program::{Server, floe, json_lines, run};
use serde_json::Value;

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("floe-serve-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A certificate for localhost, and its key.
    fn identity(&self) -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (self.write("chain.pem", &made.cert.pem()), self.write("key.pem", &made.signing_key.serialize_pem()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn until(server: &Server, ev: &str) -> Value {
    std::iter::repeat_with(|| server.next()).find(|told| told["ev"] == ev).unwrap()
}

#[test]
fn a_file_of_settings_says_what_the_options_leave_open() {
    let folder = Folder::new("file");
    let file = folder.write(
        "floe.toml",
        "user = [\"alice:from-the-file\"]\nrealm = \"example.org\"\nno-tcp = true\nallow-loopback-peers = true\n",
    );
    let output = {
        let server = Server::start_with(&["--config", &file]);
        // The user of the options stands instead of those of the file.
        run(&["gather", "--loopback", &server.uri("turn"), "--user", "u", "--password", "p", "--json"])
    };
    assert!(output.status.success(), "{output:?}");
    assert!(json_lines(&output).iter().any(|line| line["type"] == "relay"));

    let wrong = folder.write("wrong.toml", "realm = \"a\"\nuser = [\"hunter2\"]\n");
    let output = floe(&["serve", "--listen", "127.0.0.1:0", "--config", &wrong]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("line 2") && told.contains("NAME:PASSWORD") && !told.contains("hunter2"), "{told}");
}

#[test]
fn tls_needs_its_files_and_a_hangup_reads_them_again() {
    let folder = Folder::new("tls");
    let (chain, key) = folder.identity();
    let tls = ["--tls-listen", "127.0.0.1:0", "--certificate", &chain, "--key", &key];
    let server = Server::start_with(&tls);
    let listening = std::iter::repeat_with(|| server.next()).find(|told| told["transport"] == "tls").unwrap();
    assert!(listening["address"].as_str().unwrap().starts_with("127.0.0.1:"));

    server.program.signal("-HUP");
    assert_eq!(until(&server, "certificate")["ok"], true);
    fs::write(&chain, "no certificate").unwrap();
    server.program.signal("-HUP");
    let told = until(&server, "certificate");
    assert_eq!(told["ok"], false);
    assert!(told["error"].as_str().unwrap().contains("PEM"), "{told}");

    let output = floe(&["serve", "--listen", "127.0.0.1:0", "--certificate", &key]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--certificate and --key"), "{told}");
}

#[test]
fn counters_are_served_to_prometheus() {
    let server = Server::start_with(&["--metrics", "127.0.0.1:0"]);
    let address = until(&server, "metrics")["address"].as_str().unwrap().to_owned();
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = ask("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("openmetrics-text"), "{answer}");
    assert!(answer.contains("\nfloe_live_allocations 0\n") && answer.ends_with("# EOF\n"), "{answer}");
    assert!(ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(
        ask("POST /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 405")
    );
    assert!(ask("\u{1}\u{2}\r\n\r\n").starts_with("HTTP/1.1 400"));
}

#[test]
fn draining_ends_when_nobody_is_left() {
    let server = Server::start_with(&["--drain", "600"]);
    let listening = server.address.clone();
    server.program.signal("-TERM");
    let last = until(&server, "closed");
    assert_eq!(last["allocations"], 0, "{listening}: {last}");
    assert!(server.program.succeeded());
}

#[test]
fn workers_share_their_addresses_and_their_counters() {
    let server =
        Server::start_with(&["--workers", "3", "--allow-loopback-peers", "--metrics", "127.0.0.1:0"]);
    let address = until(&server, "metrics")["address"].as_str().unwrap().to_owned();
    for _ in 0..6 {
        let turn = server.uri("turn");
        let output = run(&["gather", "--loopback", &turn, "--user", "u", "--password", "p", "--json"]);
        assert!(json_lines(&output).iter().any(|line| line["type"] == "relay"), "{output:?}");
    }
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let count = answer.lines().find_map(|line| line.strip_prefix("floe_allocations_total ")).unwrap();
    assert!(count.parse::<u32>().unwrap() >= 6, "{answer}");
    server.program.signal("-INT");
    assert!(until(&server, "closed")["allocations"].as_u64().unwrap() >= 6);
}

#[test]
fn whoever_is_redirected_is_told_where_to() {
    let server = Server::start_with(&["--redirect", "--drain-to", "127.0.0.9:3478"]);
    let turn = server.uri("turn");
    let output = run(&["gather", "--loopback", &turn, "--user", "u", "--password", "p", "--json"]);
    assert!(!json_lines(&output).iter().any(|line| line["type"] == "relay"), "{output:?}");

    let output = floe(&["serve", "--listen", "127.0.0.1:0", "--redirect"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--drain-to"), "{told}");
    assert_eq!(floe(&["serve", "--workers", "0"]).output().unwrap().status.code(), Some(2));
}
