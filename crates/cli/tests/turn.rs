//! `floe turn`: what it says of a TURN server on this machine's own loopback.
#![allow(
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and stands for other programs"
)]

mod program;

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::process::Output;
use std::thread;

#[cfg(unix)]
use program::{PATIENCE, Program};
use program::{Server, json_lines, run, stderr};
use serde_json::Value;

const CREDENTIALS: [&str; 4] = ["--user", "u", "--password", "p"];

fn turn(uri: &str, more: &[&str]) -> Output {
    run(&[&["turn", uri, "--seconds", "0"], &CREDENTIALS[..], more].concat())
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The steps of one case, by name and success.
fn steps<'l>(lines: &'l [Value], transport: &str, family: &str) -> Vec<(&'l str, bool)> {
    let case = lines.iter().filter(|line| line["transport"] == transport && line["family"] == family);
    case.map(|line| (line["step"].as_str().unwrap(), line["ok"].as_bool().unwrap())).collect()
}

fn find<'l>(lines: &'l [Value], step: &str) -> &'l Value {
    lines.iter().find(|line| line["step"] == step).unwrap_or_else(|| panic!("no {step} in {lines:?}"))
}

fn all_well(names: &[&'static str]) -> Vec<(&'static str, bool)> {
    names.iter().map(|name| (*name, true)).collect()
}

const DATAGRAMS: [&str; 9] =
    ["allocate", "peer", "permission", "send", "channel", "data", "socket", "refresh", "delete"];

#[test]
fn all_that_a_server_does_is_tried_over_each_transport() {
    let server = Server::start_with(&["--allow-loopback-peers"]);
    let output = turn(&server.uri("turn"), &["--json"]);
    let lines = json_lines(&output);
    assert!(output.status.success(), "{lines:?}");
    assert_eq!(steps(&lines, "udp", "ipv4"), all_well(&DATAGRAMS));
    assert_eq!(steps(&lines, "tcp", "ipv4"), all_well(&[&DATAGRAMS[..], &["tcp"]].concat()));
    let allocated = find(&lines, "allocate");
    assert_eq!(allocated["server"], *server.address);
    assert!(allocated["relayed"][0].as_str().unwrap().starts_with("127.0.0.1:"), "{allocated}");
    assert_eq!((&allocated["lifetime_s"], &allocated["ticket"]), (&600.into(), &true.into()));
    assert!(find(&lines, "data")["rtt_ms"].as_f64().unwrap() > 0.0);

    // A server on an IPv4 address relays IPv4, and says so.
    for transport in ["udp", "tcp"] {
        assert_eq!(steps(&lines, transport, "ipv6"), [("allocate", false)]);
        assert_eq!(steps(&lines, transport, "both"), []);
    }
    let refused = lines.iter().find(|line| line["family"] == "ipv6").unwrap();
    assert_eq!(refused["code"], 440);
    let summary = lines.last().unwrap();
    assert_eq!((&summary["ev"], &summary["ok"]), (&"summary".into(), &true.into()));
    assert_eq!(
        (&summary["cases"], &summary["carried"], &summary["failed"]),
        (&4.into(), &2.into(), &2.into())
    );
}

#[test]
fn a_named_transport_is_the_only_one() {
    let server = Server::start();
    for (transport, other) in [("udp", "tcp"), ("tcp", "udp")] {
        let uri = format!("{}?transport={transport}", server.uri("turn"));
        let lines = json_lines(&turn(&uri, &["--json"]));
        assert!(steps(&lines, transport, "ipv4").len() > 5, "{lines:?}");
        assert_eq!(steps(&lines, other, "ipv4"), []);
    }
}

/// Where there is no IPv6, there is nothing to try.
fn has_ipv6() -> bool {
    UdpSocket::bind("[::1]:0").is_ok()
}

#[test]
fn both_families_are_tried_in_one_allocation() {
    if !has_ipv6() {
        return;
    }
    let more = ["--allow-loopback-peers", "--relay-ip", "127.0.0.1", "--relay-ip", "::1"];
    let server = Server::start_with(&more);
    let output = turn(&server.uri("turn"), &["--json"]);
    let lines = json_lines(&output);
    let ipv6 = ["allocate", "peer", "permission", "send", "channel", "data", "refresh", "delete"];
    assert_eq!(steps(&lines, "udp", "ipv6"), all_well(&ipv6));
    // From the relayed address of each family to that of the other allocation; no socket of ours is seen over IPv6.
    let each = ["permission", "send", "channel", "data"];
    let both = [&["allocate", "peer"], &each[..], &["socket"], &each, &["refresh", "delete"]].concat();
    assert_eq!(steps(&lines, "udp", "both"), all_well(&both));
    assert_eq!(steps(&lines, "tcp", "both"), all_well(&both));
    // From relayed address to relayed address.
    assert_eq!(steps(&lines, "tcp", "ipv6").last(), Some(&("tcp", true)));
    assert_eq!(lines.last().unwrap()["failed"], 0);
}

#[test]
fn what_gets_through_is_measured() {
    let server = Server::start();
    let uri = format!("{}?transport=udp", server.uri("turn"));
    let output =
        run(&[&["turn", &uri, "--seconds", "1", "--rate", "960k", "--json"], &CREDENTIALS[..]].concat());
    let lines = json_lines(&output);
    let flow = find(&lines, "flow");
    assert_eq!(flow["sent"], 100, "{flow}");
    assert!(flow["lost"].as_u64().unwrap() < 100);
    let [least, median, most] =
        ["rtt_min_ms", "rtt_ms", "rtt_max_ms"].map(|name| flow[name].as_f64().unwrap());
    assert!(0.0 < least && least <= median && median <= most, "{flow}");
    assert!(flow["rate_bps"].as_f64().unwrap() > 0.0);
}

#[test]
fn an_allocation_goes_along_to_another_socket() {
    let server = Server::start();
    let lines = json_lines(&turn(&server.uri("turn"), &["--mobility", "--json"]));
    let moved: Vec<_> = lines.iter().filter(|line| line["step"] == "move").collect();
    assert_eq!(moved.len(), 2, "{lines:?}");
    assert!(moved.iter().all(|line| line["ok"] == true), "{moved:?}");

    let server = Server::start_with(&["--allow-loopback-peers", "--no-mobility"]);
    let output = turn(&server.uri("turn"), &["--mobility", "--json"]);
    let lines = json_lines(&output);
    let stayed = find(&lines, "move");
    assert!(stayed["error"].as_str().unwrap().contains("no ticket"), "{stayed}");
    assert_eq!(find(&lines, "allocate")["ticket"], false);
    assert!(output.status.success(), "it carried data all the same");
    assert!(steps(&lines, "udp", "ipv4").contains(&("refresh", true)));
}

#[test]
fn a_table_shows_what_went_well() {
    let server = Server::start();
    let told = stdout(&turn(&server.uri("turn"), &[]));
    let row = |start: &str| {
        let found =
            told.lines().find(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ") == start);
        found.unwrap_or_else(|| panic!("no {start} in {told}"))
    };
    assert!(row("OVER RELAY").ends_with("TCP"), "{told}");
    assert!(row("udp IPv4").contains('✓') && !row("udp IPv4").contains('✗'), "{told}");
    assert!(row("tcp IPv4").ends_with('✓'), "{told}");
    assert!(row("udp IPv6").contains('✗'), "{told}");
    assert!(
        told.starts_with(&format!("{}: carries data over udp IPv4, tcp IPv4\n", server.uri("turn"))),
        "{told}"
    );
    // One sentence for both, and no control characters.
    assert_eq!(told.matches("440").count(), 1, "{told}");
    assert!(told.contains("udp IPv6 allocate, tcp IPv6 allocate"), "{told}");
    assert!(!told.contains('\x1b'), "{told}");
}

#[test]
fn a_wrong_password_is_told_and_nothing_else_is_tried() {
    let server = Server::start();
    let output = run(&["turn", &server.uri("turn"), "--user", "u", "--password", "not p"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stdout(&output);
    assert!(told.contains("401") && told.contains("rejected user name and password"), "{told}");
    assert!(told.contains("carries no data") && !told.contains("IPv6"), "{told}");
    assert!(stderr(&output).contains("no data came through the relay of turn:127.0.0.1"), "{output:?}");
}

#[test]
fn peers_that_the_server_forbids_are_told() {
    let server = Server::start_with(&[]);
    let output = turn(&server.uri("turn"), &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output);
    // Neither the second allocation nor the socket may be talked to; the allocation is refreshed and deleted all the same.
    let permissions = [("permission", false); 2];
    let expected =
        [&[("allocate", true), ("peer", true)], &permissions[..], &[("refresh", true), ("delete", true)]];
    assert_eq!(steps(&lines, "udp", "ipv4"), expected.concat());
    let refused = find(&lines, "permission");
    assert_eq!(refused["code"], 403);
    assert!(refused["error"].as_str().unwrap().contains("--peer"), "{refused}");
    let tcp = find(&lines, "tcp");
    assert_eq!((&tcp["ok"], &tcp["code"]), (&false.into(), &403.into()));
    assert_eq!(lines.iter().filter(|line| line["ev"] == "summary").count(), 1);
}

#[test]
fn a_server_that_is_not_there_is_told_for_each_transport() {
    let output = turn("turn:127.0.0.1:1", &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output);
    for (transport, words) in [("udp", "cannot be reached"), ("tcp", "no connection over TCP")] {
        let tried: Vec<_> = lines.iter().filter(|line| line["transport"] == transport).collect();
        assert_eq!(tried.len(), 1, "{lines:?}");
        assert!(tried[0]["error"].as_str().unwrap().contains(words), "{lines:?}");
    }
    let summary = lines.iter().find(|line| line["ev"] == "summary").unwrap();
    assert_eq!(summary["ok"], false);
}

#[test]
fn with_one_allocation_a_socket_of_this_machine_is_the_peer() {
    let server = Server::start_with(&["--allow-loopback-peers", "--max-allocations-per-user", "1"]);
    let uri = format!("{}?transport=udp", server.uri("turn"));
    let output = turn(&uri, &["--json"]);
    let lines = json_lines(&output);
    assert!(output.status.success(), "{lines:?}");
    let peer = find(&lines, "peer");
    assert_eq!((&peer["ok"], &peer["code"]), (&false.into(), &486.into()));
    let done = ["permission", "send", "channel", "data", "refresh", "delete"];
    let expected = [&[("allocate", true), ("peer", false)], &all_well(&done)[..]].concat();
    assert_eq!(steps(&lines, "udp", "ipv4"), expected);
}

#[test]
fn an_echo_server_of_the_user_is_the_peer() {
    let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = echo.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut bytes = [0; 2000];
        while let Ok((len, from)) = echo.recv_from(&mut bytes) {
            echo.send_to(&bytes[..len], from).unwrap();
        }
    });
    let server = Server::start();
    let uri = format!("{}?transport=udp", server.uri("turn"));
    let output = turn(&uri, &["--peer", &address, "--json"]);
    let lines = json_lines(&output);
    assert!(output.status.success(), "{lines:?}");
    assert_eq!(find(&lines, "data")["peer"], *address);
    let done = ["allocate", "permission", "send", "channel", "data", "refresh", "delete"];
    assert_eq!(steps(&lines, "udp", "ipv4"), all_well(&done));

    // One that says nothing.
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let output = turn(&uri, &["--peer", &mute.local_addr().unwrap().to_string(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output);
    let suspect = format!("nothing came back from {}: it may be no echo server", mute.local_addr().unwrap());
    assert!(find(&lines, "send")["error"].as_str().unwrap().starts_with(&suspect), "{lines:?}");
}

#[test]
fn a_secret_makes_credentials() {
    let server = Server::start_with(&["--allow-loopback-peers", "--secret", "north"]);
    let uri = format!("{}?transport=udp", server.uri("turn"));
    for (secret, code) in [("north", 0), ("south", 1)] {
        let output = run(&["turn", &uri, "--user", "joe", "--secret", secret, "--seconds", "0"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}

#[test]
fn over_tls_the_name_must_be_right_and_its_issuer_trusted() {
    let directory = std::env::temp_dir().join(format!("floe-turn-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) =
        (write("certificate.pem", made.cert.pem()), write("key.pem", made.signing_key.serialize_pem()));
    let more = [
        "--allow-loopback-peers",
        "--tls-listen",
        "127.0.0.1:0",
        "--certificate",
        &certificate,
        "--key",
        &key,
    ];
    let server = Server::start_with(&more);
    let listening = std::iter::repeat_with(|| server.next()).find(|line| line["transport"] == "tls").unwrap();
    let port = listening["address"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();

    let trusted = turn(&format!("turns:localhost:{port}"), &["--ca", &certificate, "--json"]);
    let lines = json_lines(&trusted);
    assert!(trusted.status.success(), "{lines:?}");
    assert!(steps(&lines, "tls", "ipv4").contains(&("data", true)), "{lines:?}");
    assert!(steps(&lines, "tls", "ipv4").contains(&("tcp", true)), "{lines:?}");

    let other = turn(&format!("turns:127.0.0.1:{port}"), &["--ca", &certificate]);
    assert_eq!(other.status.code(), Some(1));
    let told = stdout(&other);
    assert!(told.contains("localhost") && told.contains("check the server's name"), "{told}");

    let others = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let stranger =
        turn(&format!("turns:localhost:{port}"), &["--ca", &write("other.pem", others.cert.pem())]);
    assert_eq!(stranger.status.code(), Some(1));
    assert!(stdout(&stranger).contains("certificate"), "{}", stdout(&stranger));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn wrong_usage_is_told_before_anything_is_asked() {
    for (arguments, words) in [
        (&["turn", "stun:127.0.0.1", "--user", "u", "--password", "p"][..], "names no relay"),
        (&["turn", "turn:127.0.0.1"], "needs credentials"),
        (&["turn", "turn:127.0.0.1"], "--secret"),
        (
            &["turn", "turn:127.0.0.1", "--user", "u", "--password", "p", "--secret", "s"],
            "'--password <SECRET>' cannot be used with '--secret <SECRET>'",
        ),
        (&["turn", "turn:127.0.0.1", "--user", "u"], "needs credentials"),
        (&["turn", "turn:127.0.0.1", "--user", "u", "--password", "p", "--ca", "/nowhere"], "/nowhere"),
        (
            &["turn", "turn:127.0.0.1", "--user", "u", "--password", "p", "--rate", "fast"],
            "such as 500k or 10M",
        ),
        (&["turn", "turn:127.0.0.1", "--user", "u", "--password", "p", "--seconds", "3601"], "3600"),
        (&["turn"], "URI"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
    let output = turn("turns:127.0.0.1?transport=udp", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("DTLS"), "{output:?}");
}

#[test]
fn a_server_that_says_nothing_is_told_for_each_transport() {
    let (datagrams, streams) = std::iter::repeat_with(|| {
        let streams = TcpListener::bind("127.0.0.1:0").unwrap();
        Some((UdpSocket::bind(streams.local_addr().unwrap()).ok()?, streams))
    })
    .find_map(|both| both)
    .unwrap();
    let output = turn(&format!("turn:{}", datagrams.local_addr().unwrap()), &[]);
    drop(streams);
    assert_eq!(output.status.code(), Some(1));
    let told = stdout(&output);
    assert!(told.contains("the TURN server did not answer") && told.contains("expects TLS"), "{told}");
}

/// A server that sends all clients to that one.
fn sending_to(server: &Server) -> Server {
    Server::start_with(&["--redirect", "--drain-to", &server.address])
}

#[test]
fn a_server_that_we_are_sent_to_is_named() {
    let server = Server::start();
    let first = sending_to(&server);
    let uri = format!("{}?transport=udp", first.uri("turn"));
    let told = stdout(&turn(&uri, &[]));
    let head = format!("{uri}: carries data over udp IPv4 at {} (redirected)\n", server.address);
    assert!(told.starts_with(&head), "{told}");
    let lines = json_lines(&turn(&uri, &["--json"]));
    assert_eq!(find(&lines, "delete")["redirected"], *server.address);
}

#[test]
fn a_server_that_we_are_sent_to_is_named_where_it_fails() {
    for (arguments, place) in [
        (&[][..], "udp IPv4 permission at {} (redirected)"),
        (&["--max-allocations", "0"], "{}, to which the TURN server has sent us"),
    ] {
        let server = Server::start_with(arguments);
        let first = sending_to(&server);
        let lines = turn(&format!("{}?transport=udp", first.uri("turn")), &[]);
        let (told, place) = (stdout(&lines), place.replace("{}", &server.address));
        assert!(told.replace("\n  ", " ").contains(&place), "{place}: {told}");
    }
}

#[test]
fn a_server_that_is_full_is_not_asked_for_the_other_family() {
    let server = Server::start_with(&["--max-allocations", "0"]);
    let lines = json_lines(&turn(&server.uri("turn"), &["--json"]));
    let asked: Vec<_> = lines.iter().filter(|line| line["step"] == "allocate").collect();
    assert_eq!(asked.len(), 2, "{lines:?}");
    assert!(asked.iter().all(|line| line["code"] == 508 && line["family"] == "ipv4"), "{asked:?}");
}

#[test]
fn tls_and_plain_tcp_that_meet_are_told_of_each_other() {
    // One that hangs up on whatever it hears.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 2000]);
        }
    });
    for (uri, words) in [
        (format!("turn:{address}?transport=tcp"), "if this port speaks TLS, use turns:"),
        (format!("turns:{address}"), "if this port speaks no TLS, use turn:"),
    ] {
        let output = turn(&uri, &["--json"]);
        let lines = json_lines(&output);
        assert!(find(&lines, "allocate")["error"].as_str().unwrap().contains(words), "{lines:?}");
    }
}

#[test]
#[cfg(unix)]
fn an_interruption_gives_back_what_was_allocated() {
    let server = Server::start();
    let (sender, lines) = std::sync::mpsc::channel();
    let uri = format!("{}?transport=udp", server.uri("turn"));
    let arguments = ["turn", &uri, "--seconds", "3600", "--rate", "9600", "--json"];
    let program = Program::start(&[&arguments[..], &CREDENTIALS].concat(), (), sender);
    let reached = std::iter::repeat_with(|| lines.recv_timeout(PATIENCE).unwrap().1.unwrap())
        .find(|line| line.contains("\"socket\""));
    assert!(reached.is_some());
    program.signal("-INT");
    assert_eq!(program.ended().0, 130);
    let released = std::iter::repeat_with(|| server.next()).filter(|told| told["ev"] == "released").take(2);
    assert_eq!(released.count(), 2);
}

/// docs/turn.md is what programs are written by.
#[test]
fn every_step_and_field_is_told_in_the_docs() {
    let docs = include_str!("../../../docs/turn.md");
    let server = Server::start();
    let uri = server.uri("turn");
    let arguments = ["turn", &uri, "--seconds", "1", "--rate", "96k", "--mobility", "--json"];
    let lines = json_lines(&run(&[&arguments[..], &CREDENTIALS].concat()));
    assert!(lines.len() > 20, "{lines:?}");
    for line in &lines {
        for name in line.as_object().unwrap().keys() {
            assert!(docs.contains(&format!("`{name}`")), "docs/turn.md does not tell of {name:?} in {line}");
        }
        if let Some(step) = line["step"].as_str() {
            assert!(docs.contains(&format!("\n| `{step}` |")), "docs/turn.md does not tell of step {step:?}");
        }
    }
}
