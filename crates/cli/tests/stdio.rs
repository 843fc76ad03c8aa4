//! The signalling contract: two programs and a test that carries their words.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod program;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};

use program::{PATIENCE, Program, Server};
use serde_json::{Value, json};

const BOTH: [&str; 2] = ["offer", "answer"];

/// Two peers; what each told so far is kept.
struct Crossing {
    peers: BTreeMap<&'static str, Program>,
    lines: Receiver<(&'static str, Option<String>)>,
    told: BTreeMap<&'static str, Vec<Value>>,
}

impl Crossing {
    /// Both have started with these fields in `start`.
    fn start(fields: &Value) -> Self {
        let (sender, lines) = mpsc::channel();
        let start = |name| (name, Program::start(&["connect", "--stdio"], name, sender.clone()));
        let told = BOTH.map(|name| (name, Vec::new())).into();
        let mut crossing = Self { peers: BOTH.map(start).into(), lines, told };
        for name in BOTH {
            let mut command = json!({ "op": "start", "role": name, "loopback": true });
            command.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            crossing.say(name, &command);
        }
        crossing
    }

    fn say(&mut self, name: &'static str, command: &Value) {
        self.peers.get_mut(name).unwrap().say(&command.to_string());
    }

    /// Carries words to and fro until `who` has told this event as often as asked.
    fn until(&mut self, who: &[&'static str], ev: &str, times: usize) {
        while who.iter().any(|name| self.count(name, ev) < times) {
            let (from, line) =
                self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {ev}: {:?}", self.told));
            if line.is_none() && self.count(from, "closed") > 0 {
                continue;
            }
            let line = line.unwrap_or_else(|| panic!("{from} ended before {ev}: {:?}", self.told));
            let event: Value = serde_json::from_str(&line).unwrap();
            self.carry(from, &event);
            self.told.get_mut(from).unwrap().push(event);
        }
    }

    fn carry(&mut self, from: &'static str, event: &Value) {
        let to = if from == "offer" { "answer" } else { "offer" };
        let mut command = event.clone();
        let fields = command.as_object_mut().unwrap();
        let op = match fields.remove("ev").unwrap().as_str().unwrap() {
            "local" => "remote",
            "candidate" => "candidate",
            "end" => "end",
            _ => return,
        };
        fields.insert("op".into(), op.into());
        fields.insert("mid".into(), "audio".into());
        self.say(to, &command);
    }

    fn count(&self, name: &str, ev: &str) -> usize {
        self.told[name].iter().filter(|told| told["ev"] == ev).count()
    }

    fn last(&self, name: &str, ev: &str) -> &Value {
        self.told[name].iter().rfind(|told| told["ev"] == ev).unwrap_or_else(|| panic!("no {ev} of {name}"))
    }

    fn states(&self, name: &str) -> Vec<&str> {
        let states = self.told[name].iter().filter(|told| told["ev"] == "state");
        states.map(|told| told["state"].as_str().unwrap()).collect()
    }

    fn ping_both(&mut self) {
        for name in BOTH {
            let before = self.count(name, "pong");
            self.say(name, &json!({ "op": "ping", "count": 100, "size": 1200 }));
            self.until(&[name], "pong", before + 1);
            let pong = self.last(name, "pong");
            assert_eq!((&pong["count"], &pong["bytes"]), (&100.into(), &120_000.into()), "{pong}");
            assert!(pong["ms"].is_f64() && pong["rtt_us"].is_u64() && pong["resent"].is_u64(), "{pong}");
        }
    }

    fn close(mut self) {
        for name in BOTH {
            self.say(name, &json!({ "op": "close" }));
        }
        self.until(&BOTH, "closed", 1);
        for (name, peer) in self.peers {
            assert!(peer.succeeded(), "{name}");
        }
        for told in self.told.values() {
            assert_eq!(told.last().unwrap()["ev"], "closed");
            assert_eq!(told.iter().filter(|told| told["ev"] == "error").count(), 0, "{told:?}");
        }
    }
}

#[test]
fn two_peers_connect_directly_and_echo() {
    let mut crossing = Crossing::start(&json!({}));
    crossing.until(&BOTH, "selected", 1);
    crossing.until(&BOTH, "open", 1);
    crossing.ping_both();
    for name in BOTH {
        let ready = &crossing.told[name][0];
        assert_eq!(
            (&ready["ev"], &ready["peer"], &ready["level"]),
            (&"ready".into(), &"floe".into(), &"ice".into())
        );
        assert_eq!((&ready["trickle"], &ready["turn"]), (&true.into(), &json!(["udp"])));
        assert!(ready["version"].is_string());
        let local = crossing.last(name, "local");
        assert_eq!(
            (&local["type"], &local["sdp"], &local["lite"]),
            (&name.into(), &Value::Null, &false.into())
        );
        let selected = crossing.last(name, "selected");
        assert_eq!((&selected["local"], &selected["remote"]), (&"host".into(), &"host".into()));
        assert_eq!(selected["protocol"], "udp");
        assert!(selected["why"].is_string() && selected.get("relay_protocol").is_none());
        let (ip, port) = selected["local_addr"].as_str().unwrap().split_once(' ').unwrap();
        assert!(ip.parse::<std::net::IpAddr>().is_ok() && port.parse::<u16>().is_ok());
        assert!(
            crossing.told[name]
                .iter()
                .all(|told| told["candidate"].as_str().is_none_or(|c| c.starts_with("candidate:")))
        );
    }
    crossing.close();
}

#[test]
fn two_peers_connect_through_the_relay_alone() {
    let server = Server::start();
    let ice = json!([{ "urls": server.uri("turn"), "username": "u", "credential": "p" }]);
    let mut crossing = Crossing::start(&json!({ "ice": ice, "policy": "relay" }));
    crossing.until(&BOTH, "selected", 1);
    crossing.until(&BOTH, "open", 1);
    crossing.ping_both();
    for name in BOTH {
        let selected = crossing.last(name, "selected");
        assert_eq!((&selected["local"], &selected["remote"]), (&"relay".into(), &"relay".into()));
        assert_eq!(selected["relay_protocol"], "udp");
        assert!(
            crossing.told[name]
                .iter()
                .all(|told| told["candidate"].as_str().is_none_or(|c| c.contains(" typ relay")))
        );
        let server =
            crossing.told[name].iter().find(|told| told["ev"] == "server" && told["ok"] == true).unwrap();
        assert_eq!((&server["transport"], &server["family"]), (&"udp".into(), &"ipv4".into()));
        assert!(server["rtt_ms"].is_f64());
    }
    crossing.close();
}

#[test]
fn messages_go_both_ways_as_text_and_as_bytes() {
    let mut crossing = Crossing::start(&json!({}));
    crossing.until(&BOTH, "open", 1);
    crossing.say("offer", &json!({ "op": "send", "text": "grüß dich" }));
    crossing.say("answer", &json!({ "op": "send", "hex": "80ff00" }));
    crossing.until(&BOTH, "message", 1);
    assert_eq!(crossing.last("answer", "message")["text"], "grüß dich");
    assert_eq!(crossing.last("offer", "message")["hex"], "80ff00");
    crossing.close();
}

#[test]
fn a_restart_brings_new_credentials_and_keeps_the_path() {
    let mut crossing = Crossing::start(&json!({}));
    crossing.until(&BOTH, "selected", 1);
    let before = crossing.last("offer", "local")["ufrag"].clone();
    for name in BOTH {
        crossing.say(name, &json!({ "op": "restart" }));
    }
    crossing.until(&BOTH, "local", 2);
    assert_ne!(crossing.last("offer", "local")["ufrag"], before);
    crossing.ping_both();
    crossing.until(&BOTH, "selected", 2);
    crossing.ping_both();
    assert!(!crossing.states("offer").contains(&"failed"), "{:?}", crossing.states("offer"));
    crossing.close();
}

/// One peer alone, and what it answers to lines.
struct Alone {
    peer: Program,
    lines: Receiver<((), Option<String>)>,
}

impl Alone {
    fn start() -> Self {
        let (sender, lines) = mpsc::channel();
        let alone = Self { peer: Program::start(&["connect", "--stdio"], (), sender), lines };
        assert_eq!(alone.next()["ev"], "ready");
        alone
    }

    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap().1.expect("it ended");
        serde_json::from_str(&line).unwrap()
    }

    fn wait_for(&self, ev: &str) -> Value {
        std::iter::repeat_with(|| self.next()).find(|told| told["ev"] == ev).unwrap()
    }

    #[track_caller]
    fn answers_error(&mut self, line: &str, word: &str) {
        self.peer.say(line);
        let told = self.wait_for("error");
        assert!(told["msg"].as_str().unwrap().contains(word), "{line}: {told}");
    }

    fn ends_well(mut self) {
        self.peer.end_input();
        self.wait_for("closed");
        assert_eq!(self.lines.recv_timeout(PATIENCE).unwrap().1, None, "closed is the last line");
        assert!(self.peer.succeeded());
    }
}

#[test]
fn broken_lines_get_an_error_and_the_session_goes_on() {
    let mut alone = Alone::start();
    for (line, word) in [
        ("{", "expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ("hello", "expected a JSON object"),
        (r#"{"op":"dance"}"#, "restart"),
        (r#"{"op":7}"#, "op"),
        (r#"{"op":"start","role":"both"}"#, "answer"),
        (r#"{"op":"start","role":"offer","ice":"stun:a"}"#, "urls"),
        (r#"{"op":"start","role":"offer","loopback":"yes"}"#, "bool"),
        (r#"{"op":"end"}"#, "send start first"),
        (r#"{"op":"ping"}"#, "send start first"),
        (r#"{"op":"start","role":"offer","ice":[{"urls":"http://a"}]}"#, "scheme"),
        (r#"{"op":"start","role":"offer","ice":[{"urls":"turn:127.0.0.1"}]}"#, "credential"),
    ] {
        alone.answers_error(line, word);
    }
    alone.peer.say(r#"{"op":"start","role":"offer","loopback":true,"surprise":[]}"#);
    alone.wait_for("local");
    for (line, word) in [
        (r#"{"op":"start","role":"offer"}"#, "already"),
        (r#"{"op":"ping","count":3,"size":5}"#, "size"),
        (r#"{"op":"ping","count":"3"}"#, "number"),
        (r#"{"op":"ping"}"#, "no path"),
        (r#"{"op":"send"}"#, "text or hex"),
        (r#"{"op":"send","text":"a","hex":"00"}"#, "text or hex"),
        (r#"{"op":"send","hex":"0"}"#, "pairs"),
        (r#"{"op":"send","text":"too early"}"#, "no working pair"),
        (r#"{"op":"remote","type":"answer","ufrag":"x","pwd":"short"}"#, "ufrag"),
        (r#"{"op":"remote","type":"answer","ufrag":"x1a9"}"#, "pwd"),
    ] {
        alone.answers_error(line, word);
    }
    alone.ends_well();
}

#[test]
fn candidates_of_no_use_are_ignored_with_their_reason() {
    let mut alone = Alone::start();
    alone.peer.say(r#"{"op":"start","role":"answer","loopback":true}"#);
    for (candidate, word) in [
        ("candidate:1 1 tcp 1 192.0.2.2 9 typ host tcptype active", "UDP"),
        ("a=candidate:1 1 udp 1 0f2b.local 5000 typ host", "name"),
        ("candidate:1 1 udp 1 192.0.2.2 5000 typ magic", "host, srflx"),
        ("nonsense", "candidate:"),
    ] {
        alone.peer.say(&json!({ "op": "candidate", "candidate": candidate, "mid": null }).to_string());
        let told = alone.wait_for("ignored");
        assert_eq!(told["candidate"], candidate);
        assert!(told["msg"].as_str().unwrap().contains(word), "{told}");
    }
    alone.ends_well();
}

#[test]
fn a_candidate_may_come_before_the_description() {
    let mut crossing = Crossing::start(&json!({}));
    crossing.say(
        "offer",
        &json!({ "op": "candidate", "candidate": "a=candidate:9 1 udp 1 127.0.0.1 9 typ host", "mid": "0" }),
    );
    crossing.until(&BOTH, "open", 1);
    crossing.close();
}

#[test]
fn host_candidates_are_withheld_where_names_were_asked_for() {
    let mut alone = Alone::start();
    alone.peer.say(r#"{"op":"start","role":"offer","loopback":true,"mdns":true}"#);
    assert!(alone.next()["msg"].as_str().unwrap().contains("mDNS"));
    for told in std::iter::repeat_with(|| alone.next()).take_while(|told| told["ev"] != "end") {
        assert_ne!(told["ev"], "candidate", "{told}");
    }
    alone.ends_well();
}

#[test]
fn servers_that_need_a_stream_are_reported() {
    let mut alone = Alone::start();
    let ice = json!([
        { "urls": "turn:127.0.0.1?transport=tcp", "username": "u", "credential": "p" },
        { "urls": "turns:127.0.0.1", "username": "u", "credential": "p" },
    ]);
    alone.peer.say(&json!({ "op": "start", "role": "offer", "loopback": true, "ice": ice }).to_string());
    for transport in ["tcp", "tls"] {
        let told = alone.wait_for("server");
        assert_eq!((&told["transport"], &told["ok"]), (&transport.into(), &false.into()));
        assert!(
            told["error"].as_str().unwrap().contains("not supported")
                || told["error"].as_str().unwrap().contains("only UDP")
        );
    }
    alone.wait_for("end");
    alone.ends_well();
}

/// A program that writes first and reads afterwards does not stop the session in between.
#[test]
fn a_reader_that_comes_late_finds_every_line() {
    const LINES: usize = 20_000;
    let mut child =
        program::floe(&["connect", "--stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for _ in 0..LINES {
        input.write_all(b"{\"op\":\"nonsense\"}\n").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told.lines().filter(|line| line.contains("\"ev\":\"error\"")).count(), LINES);
    assert!(told.ends_with("{\"ev\":\"closed\"}\n") && output.status.success());
}

/// What stands where a password belongs is not repeated.
#[test]
fn no_error_repeats_what_may_be_a_password() {
    let mut alone = Alone::start();
    alone.peer.say(r#"{"op":"start","role":"offer","ice":"hunter2"}"#);
    alone.peer.say(r#"{"op":"start","role":"offer","ice":[{"urls":"turn:192.0.2.1","credential":72312}]}"#);
    for _ in 0..2 {
        let told = alone.wait_for("error").to_string();
        assert!(!told.contains("hunter2") && !told.contains("72312"), "{told}");
    }
    alone.ends_well();
}
