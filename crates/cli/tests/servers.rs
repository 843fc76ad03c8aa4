//! `floe serve`, asked by `floe stun` and `floe gather`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test fails by panicking, and stands for other programs"
)]

mod program;

use std::io::BufRead;
use std::net::{SocketAddr, UdpSocket};

use program::{PATIENCE, Program, Server, floe, json_lines, run};
use serde_json::Value;

#[test]
fn stun_tells_our_address() {
    let server = Server::start();
    let output = run(&["stun", &server.uri("stun"), "--json"]);
    let [told] = json_lines(&output).try_into().unwrap();
    assert!(output.status.success());
    assert_eq!(told["server"], *server.address);
    assert!(told["mapped"].as_str().unwrap().starts_with("127.0.0.1:"));
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
    assert!(relayed["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{relayed}");
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
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("typ relay")).unwrap();
    let order = ["ev", "type", "address", "related", "priority", "foundation", "server", "candidate", "t_ms"];
    assert!(order.map(|key| line.find(&format!("\"{key}\":")).unwrap()).is_sorted(), "{line}");

    let output = run(&arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    for words in ["TYPE", "host ", "relay ", "RTT", "relays at 127.0.0.1:", "known already", "helpful"] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80 && line.trim_end() == line, "{line:?}");
    }
}

#[test]
fn a_server_on_loopback_needs_no_option() {
    let server = Server::start();
    let output = run(&["gather", &server.uri("stun"), "--json"]);
    assert!(output.status.success(), "{output:?}");
    let hosts: Vec<_> = json_lines(&output)
        .into_iter()
        .filter(|line| line["ev"] == "candidate" && line["type"] == "host")
        .collect();
    let is_loopback = |line: &Value| {
        let address = line["address"].as_str().unwrap();
        address.parse::<SocketAddr>().unwrap().ip().is_loopback()
    };
    let ranked: Vec<_> =
        hosts.iter().map(|line| (line["priority"].as_u64().unwrap(), is_loopback(line))).collect();
    let worst_real = ranked.iter().filter(|(_, loopback)| !loopback).map(|(priority, _)| *priority).min();
    let best_loopback = ranked.iter().filter(|(_, loopback)| *loopback).map(|(priority, _)| *priority).max();
    assert!(worst_real.is_none_or(|worst| Some(worst) > best_loopback), "{ranked:?}");
}

#[test]
fn events_are_alike_in_all_commands() {
    let server = Server::start();
    let (stun, turn) = (server.uri("stun"), server.uri("turn"));
    let gathered = run(&["gather", &turn, "--user", "u", "--password", "p", "--json"]);
    let asked = run(&["stun", &stun, "--json"]);
    let shown = run(&["demo", "--json"]);
    for output in [&gathered, &asked, &shown] {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(text.lines().all(|line| line.starts_with(r#"{"ev":""#)), "{text}");
        assert!(json_lines(output).iter().all(|line| line["t_ms"].is_f64()), "{text}");
    }
    let keys = |output, kind: &str| -> Vec<String> {
        let lines = json_lines(output);
        let of_kind = |line: &&Value| line["ev"] == "candidate" && line["type"] == kind;
        let keys = lines.iter().find(of_kind).unwrap().as_object().unwrap().keys();
        keys.filter(|key| !["act", "who"].contains(&key.as_str())).cloned().collect()
    };
    for kind in ["host", "relay"] {
        assert_eq!(keys(&gathered, kind), keys(&shown, kind));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_gathering_gives_the_relay_back() {
    let server = Server::start();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (turn, stun) = (server.uri("turn"), format!("stun:{}", silent.local_addr().unwrap()));
    let (sender, lines) = std::sync::mpsc::channel();
    let arguments = ["gather", &turn, &stun, "--user", "u", "--password", "p", "--json"];
    let program = Program::start(&arguments, (), sender);
    let next = || lines.recv_timeout(PATIENCE).unwrap().1.expect("it ended");
    while !next().contains(r#""type":"relay""#) {}
    program.signal("-INT");
    assert_eq!(program.ended().0, 130);
    let released = std::iter::repeat_with(|| server.next()).find(|told| told["ev"] == "released").unwrap();
    assert_eq!(released["why"], "the client gave it back");
}

#[test]
fn a_server_says_what_to_try_and_takes_users_of_the_environment() {
    let mut command = floe(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("FLOE_SERVE_USERS", "alice:secret bob:more").stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let told: Vec<_> = lines.take(4).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told[2].starts_with("ready: "), "{told:?}");
    assert!(told[3].contains("floe turn turn:127.0.0.1:") && told[3].contains("--user alice"), "{told:?}");
    assert!(!told.concat().contains("secret"), "{told:?}");
}

#[cfg(unix)]
#[test]
fn the_server_tells_of_allocations_and_ends_by_a_signal() {
    let server = Server::start();
    let uri = server.uri("turn");
    assert!(run(&["gather", "--loopback", &uri, "--user", "u", "--password", "p"]).status.success());

    let told = std::iter::repeat_with(|| server.next()).find(|told| told["ev"] != "listening").unwrap();
    assert_eq!((&told["ev"], &told["user"]), (&"allocated".into(), &"u".into()), "{told}");

    server.program.signal("-TERM");
    let last = std::iter::repeat_with(|| server.next()).find(|told| told["ev"] == "closed").unwrap();
    assert!(last["allocations"].as_u64().unwrap() >= 1);
    assert!(server.program.succeeded());
}

#[test]
fn a_server_tells_of_wrong_passwords_without_them() {
    let server = Server::start();
    let uri = server.uri("turn");
    assert!(!run(&["gather", &uri, "--user", "u", "--password", "wrong-one"]).status.success());
    let told = std::iter::repeat_with(|| server.next()).find(|told| told["ev"] == "login-failed").unwrap();
    assert!(told["client"].is_string() && !told.to_string().contains("wrong-one"), "{told}");
}
