//! What people get wrong: one clear sentence, an exit code that is not 0, no panic.
#![allow(
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and stands for other programs"
)]

mod program;

use std::net::UdpSocket;

use program::{Server, json_lines, run, stderr};

/// Fails with an explanation that has all of these words; gives it.
#[track_caller]
fn fails(arguments: &[&str], words: &[&str]) -> String {
    let output = run(arguments);
    let told = stderr(&output);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(!told.contains("panicked") && !told.contains("backtrace"), "{arguments:?}: {told}");
    for word in words {
        assert!(told.contains(word), "{arguments:?}: no {word:?} in {told}");
    }
    told
}

/// The same, and the explanation is one line.
#[track_caller]
fn fails_in_one_sentence(arguments: &[&str], words: &[&str]) {
    let told = fails(arguments, words);
    assert_eq!(told.lines().count(), 1, "{told}");
}

/// A port of loopback with nobody behind it.
fn dead_port() -> String {
    let socket = bound();
    socket.local_addr().unwrap().to_string()
}

fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[test]
fn unknown_commands_and_options_are_explained() {
    fails(&[], &["Usage"]);
    fails(&["dance"], &["dance", "Usage"]);
    fails(&["demo", "--loud"], &["--loud"]);
    fails(&["connect"], &["--offer"]);
    fails(&["connect", "--offer", "--answer"], &["--answer"]);
    fails(&["serve", "--listen", "here"], &["here"]);
    fails(&["serve", "--user", "alice"], &["NAME:PASSWORD"]);
    fails(&["serve", "--relay-ip", "here"], &["here"]);
}

#[test]
fn a_wrong_uri_is_told_what_is_wrong_with_it() {
    for command in [&["stun"][..], &["gather"], &["connect", "--offer"]] {
        let with = |uri: &'static str| [command, &[uri]].concat();
        fails_in_one_sentence(&with("http://example.org"), &["http://example.org", "scheme", "for example"]);
        fails_in_one_sentence(&with("stun:a:70000"), &["port", "65535"]);
        fails_in_one_sentence(&with("turn:a?transport=sctp"), &["sctp", "transport"]);
    }
    fails_in_one_sentence(&["stun", "turns:192.0.2.1"], &["turns:192.0.2.1", "only UDP"]);
}

#[test]
fn a_turn_server_without_credentials_is_not_asked() {
    for command in [&["gather"][..], &["connect", "--answer"]] {
        let arguments = [command, &["turn:192.0.2.1"]].concat();
        fails_in_one_sentence(&arguments, &["turn:192.0.2.1", "--user", "FLOE_TURN_PASSWORD"]);
    }
}

#[test]
fn a_dead_server_is_named() {
    let uri = format!("stun:{}", dead_port());
    fails_in_one_sentence(&["stun", &uri], &[&uri[5..], "cannot be reached", "check"]);
    fails_in_one_sentence(&["gather", "--loopback", &uri], &["1 of 1 servers"]);

    let output = run(&["stun", "--json", &uri]);
    let [told] = json_lines(&output).try_into().unwrap();
    assert!(!output.status.success());
    assert_eq!((&told["ev"], &told["ok"], &told["url"]), (&"server".into(), &false.into(), &uri.into()));
}

#[test]
fn a_silent_server_is_waited_for_and_then_named() {
    let silent = bound();
    let uri = format!("stun:{}", silent.local_addr().unwrap());
    fails_in_one_sentence(&["stun", &uri], &["no answer", "5.5 s", "firewall"]);
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    fails_in_one_sentence(&["stun", "stun:no-such-host.invalid"], &["no-such-host.invalid", "resolve"]);
}

#[test]
fn wrong_credentials_are_told_with_the_code() {
    let server = Server::start();
    let uri = server.uri("turn");
    let output = run(&["gather", "--loopback", "--json", &uri, "--user", "u", "--password", "wrong"]);
    let told = stderr(&output);
    assert!(!output.status.success() && told.contains("1 of 1 servers"), "{told}");
    let lines = json_lines(&output);
    let server = lines.iter().find(|line| line["ev"] == "server" && line["family"] == "ipv4").unwrap();
    assert_eq!((&server["ok"], &server["code"]), (&false.into(), &401.into()), "{server}");
    assert!(server["error"].as_str().is_some_and(|error| !error.is_empty()), "{server}");
}

#[test]
fn what_is_not_supported_yet_is_said() {
    let arguments = ["gather", "--loopback", "--json", "turns:127.0.0.1", "--user", "u", "--password", "p"];
    let output = run(&arguments);
    let lines = json_lines(&output);
    let server = lines.iter().find(|line| line["ev"] == "server").unwrap();
    assert!(!output.status.success());
    assert_eq!((&server["ok"], &server["transport"]), (&false.into(), &"tls".into()));
    assert!(
        server["error"].as_str().unwrap().contains("not supported")
            || server["error"].as_str().unwrap().contains("only UDP")
    );
}

#[test]
fn a_port_in_use_is_one_clear_sentence() {
    let taken = bound();
    let address = taken.local_addr().unwrap().to_string();
    fails_in_one_sentence(&["serve", "--listen", &address], &[&address, "in use", "choose another port"]);
}

#[test]
fn an_address_of_another_machine_is_refused() {
    fails_in_one_sentence(
        &["serve", "--listen", "198.51.100.9:3478"],
        &["198.51.100.9:3478", "no such address"],
    );
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--relay-ip", "198.51.100.9"];
    fails_in_one_sentence(&arguments, &["198.51.100.9", "no such address"]);
}

#[test]
fn an_end_of_input_before_the_description_is_told() {
    fails(&["connect", "--answer", "--loopback"], &["no description", "floe1:"]);
}

/// Without any network but loopback, `unshare` gives the program a machine of its own; where that is not allowed, the
/// sentence is tested by its own words only.
#[cfg(target_os = "linux")]
#[test]
fn no_network_is_one_clear_sentence() {
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", env!("CARGO_BIN_EXE_floe"), "gather"]);
    let Ok(output) = command.output() else { return eprintln!("NOT TESTED: there is no unshare here") };
    let told = stderr(&output);
    if told.contains("unshare") {
        return eprintln!("NOT TESTED: {told}");
    }
    assert!(!output.status.success());
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("no usable network address") && told.contains("connect to a network"), "{told}");
}
