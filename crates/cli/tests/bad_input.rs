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
    fails_with(1, arguments, words)
}

#[track_caller]
fn is_wrong_usage(arguments: &[&str], words: &[&str]) {
    fails_with(2, arguments, words);
}

#[track_caller]
fn fails_with(code: i32, arguments: &[&str], words: &[&str]) -> String {
    let output = run(arguments);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
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
    is_wrong_usage(&[], &["Usage"]);
    is_wrong_usage(&["dance"], &["dance", "Usage"]);
    is_wrong_usage(&["demo", "--loud"], &["--loud"]);
    is_wrong_usage(&["connect"], &["--offer"]);
    is_wrong_usage(&["connect", "--offer", "--answer"], &["--answer"]);
    is_wrong_usage(&["serve", "--listen", "localhost:1"], &["expected IP:PORT, such as 127.0.0.1:3478"]);
    is_wrong_usage(&["serve", "--user", "alice"], &["NAME:PASSWORD"]);
    is_wrong_usage(&["serve", "--relay-ip", "here"], &["here"]);
    is_wrong_usage(&["serve", "--alternate", "here"], &["expected IP or IP:PORT, such as 192.0.2.2"]);
    is_wrong_usage(&["serve", "--alternate", "0.0.0.0"], &["wildcard", "second address"]);
    let serve = |listen, alternate| ["serve", "--listen", listen, "--alternate", alternate];
    is_wrong_usage(&serve("127.0.0.1:0", "127.0.0.1"), &["127.0.0.1:", "same IP address", "choose another"]);
    is_wrong_usage(
        &serve("0.0.0.0:0", "127.0.0.1"),
        &["--alternate 127.0.0.1", "--listen IP:PORT", "wildcard"],
    );
    is_wrong_usage(&serve("127.0.0.1:0", "::1"), &["--alternate ::1", "same family"]);
    is_wrong_usage(&["serve", "--alternate", "127.0.0.1"], &["--alternate 127.0.0.1", "--listen IP:PORT"]);
}

#[test]
fn a_wrong_uri_is_told_what_is_wrong_with_it() {
    for command in [&["stun"][..], &["gather"], &["connect", "--offer"], &["connect", "--stdio"]] {
        let with = |uri: &'static str| [command, &[uri]].concat();
        is_wrong_usage(&with("http://example.org"), &["http://example.org", "scheme", "for example"]);
        is_wrong_usage(&with("stun:a:70000"), &["port", "65535"]);
        is_wrong_usage(&with("example.org:3478"), &["stun:example.org:3478"]);
        is_wrong_usage(&with("turn:a?transport=sctp"), &["sctp", "transport"]);
        is_wrong_usage(&with("turn:alice:secret@a"), &["credentials go to --user and --password"]);
    }
    fails_in_one_sentence(&["stun", "turns:192.0.2.1"], &["turns:192.0.2.1", "only UDP"]);
}

#[test]
fn a_turn_server_without_credentials_is_not_asked() {
    for command in [&["gather"][..], &["connect", "--answer"], &["connect", "--stdio"]] {
        let arguments = [command, &["turn:192.0.2.1"]].concat();
        is_wrong_usage(&arguments, &["turn:192.0.2.1", "--user", "FLOE_TURN_PASSWORD"]);
    }
}

#[test]
fn relayed_candidates_alone_need_a_relay() {
    let arguments = ["connect", "--offer", "--relay-only"];
    is_wrong_usage(&arguments, &["--relay-only", "TURN server"]);
    is_wrong_usage(&[&arguments[..], &["stun:192.0.2.1"]].concat(), &["--relay-only", "TURN server"]);
    let dead = format!("turn:{}", dead_port());
    let with_dead = [&arguments[..], &[&dead, "--user", "u", "--password", "p"]].concat();
    fails(&with_dead, &[&dead, "does not help", "no server relays for us"]);
}

#[test]
fn a_wrong_user_of_the_environment_is_told_without_its_secret() {
    let mut command = program::floe(&["serve", "--listen", "127.0.0.1:0"]);
    let output = command.env("FLOE_SERVE_USERS", "alice:secret bobssecret").output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("word 2") && told.contains("NAME:PASSWORD") && !told.contains("secret\""),
        "{told}"
    );
}

#[test]
fn a_dead_server_is_named() {
    let uri = format!("stun:{}", dead_port());
    fails_in_one_sentence(&["stun", &uri], &[&uri[5..], "cannot be reached", "check"]);
    fails_in_one_sentence(&["gather", &uri], &["1 of 1 servers"]);

    let output = run(&["stun", "--json", &uri]);
    let [told, last] = json_lines(&output).try_into().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        (&told["ev"], &told["ok"], &told["url"]),
        (&"server".into(), &false.into(), &uri.clone().into())
    );
    assert_eq!(last["ev"], "error");
    assert!(last["msg"].as_str().unwrap().contains("cannot be reached") && last["t_ms"].is_f64(), "{last}");

    let output = run(&["gather", "--json", &uri]);
    let in_gather = json_lines(&output).into_iter().find(|line| line["ev"] == "server").unwrap();
    let (told, in_gather) = (told["error"].as_str().unwrap(), in_gather["error"].as_str().unwrap());
    assert_eq!(told, format!("{}: {in_gather}", &uri[5..]), "one fault, one sentence");
    let last = json_lines(&output).pop().unwrap();
    assert_eq!(
        (&last["ev"], &last["msg"]),
        (&"error".into(), &"1 of 1 servers gave nothing; see above for the reasons".into())
    );
}

#[test]
fn a_silent_server_is_waited_for_and_then_named() {
    let silent = bound();
    let uri = format!("stun:{}", silent.local_addr().unwrap());
    fails_in_one_sentence(&["stun", &uri], &["no answer", "5.5 s", "UDP is not blocked"]);
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    fails_in_one_sentence(
        &["stun", "stun:no-such-host.invalid"],
        &["no-such-host.invalid", "could not be resolved"],
    );
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
    fails(&["connect", "--answer", "--loopback"], &["no description", "floe2:"]);
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

/// A password that somebody put into the wrong place is not told to the terminal and its scrollback.
#[test]
fn no_error_repeats_a_password() {
    for arguments in [
        &["serve", "--user", ":hunter2"][..],
        &["serve", "--user", "alice=hunter2"],
        &["stun", "turn:alice:hunter2@192.0.2.1"],
        &["gather", "turn:alice:hunter2@192.0.2.1", "--user", "alice"],
    ] {
        let told = fails_with(2, arguments, &["error:"]);
        assert!(!told.contains("hunter2"), "{arguments:?}: {told}");
    }
}
