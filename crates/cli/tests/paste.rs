//! Two terminals: descriptions are pasted by the test.
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

use std::sync::mpsc::{self, Receiver};

use program::{PATIENCE, Program, Server};

/// Two programs, and what they print.
struct Terminals {
    offer: Program,
    answer: Program,
    lines: Receiver<(&'static str, Option<String>)>,
}

impl Terminals {
    fn start(arguments: &[&str]) -> Self {
        let (sender, lines) = mpsc::channel();
        let start =
            |how, name| Program::start(&[&["connect", how], arguments].concat(), name, sender.clone());
        Self { offer: start("--offer", "offer"), answer: start("--answer", "answer"), lines }
    }

    fn next(&self, from: &str) -> String {
        loop {
            let (name, line) = self.lines.recv_timeout(PATIENCE).unwrap();
            if name == from {
                break line.unwrap_or_else(|| panic!("{name} ended"));
            }
        }
    }

    /// Each has the other's description.
    fn paste(&mut self) {
        self.answer.say(&self.next("offer"));
        self.offer.say(&self.next("answer"));
    }

    /// Each has heard the other.
    fn chat(&mut self) {
        self.offer.say("hello from the offer");
        assert_eq!(self.next("answer"), "hello from the offer");
        self.answer.say("hello back");
        assert_eq!(self.next("offer"), "hello back");
    }
}

#[test]
fn two_terminals_chat() {
    let mut both = Terminals::start(&["--loopback"]);
    let description = both.next("offer");
    assert!(description.starts_with("floe2:"), "{description}");
    assert!(description.len() < 1000, "{description}");
    both.offer.say("not a description");
    both.offer.say(&description);
    both.answer.say(&description[..description.len() - 5]);
    both.answer.say(&description);
    let answer = both.next("answer");
    both.offer.say(&answer);
    both.chat();
    both.offer.end_input();
    both.answer.end_input();
    assert!(both.offer.succeeded() && both.answer.succeeded());
}

#[test]
fn a_description_in_pieces_and_quotes_is_understood() {
    let mut both = Terminals::start(&["--loopback"]);
    let offer = both.next("offer");
    let (one, two) = offer.split_at(60);
    both.answer.say(&format!("> {one}"));
    both.answer.say(&format!("> {two}"));
    let answer = both.next("answer");
    both.offer.say(&answer[..30]);
    both.offer.say("");
    both.offer.say(&format!("`{answer}`"));
    both.chat();
    both.offer.end_input();
    let (code, told) = both.offer.ended();
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("the end of the description is missing"), "{told}");
}

#[test]
fn what_is_typed_before_the_other_side_is_there_waits() {
    let mut both = Terminals::start(&["--loopback"]);
    both.answer.say(&both.next("offer"));
    let answer = both.next("answer");
    both.answer.say("typed early");
    both.offer.say(&answer);
    assert_eq!(both.next("offer"), "typed early");
}

#[test]
fn who_stays_is_told_at_once_that_the_other_has_left() {
    let mut both = Terminals::start(&["--loopback"]);
    both.paste();
    both.chat();
    both.answer.end_input();
    let (code, told) = both.answer.ended();
    assert_eq!(code, 0, "{told}");
    // Its own input is still open.
    let (code, told) = both.offer.ended();
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("- the other side has left") && told.contains("looking for a path"), "{told}");
    assert!(!told.contains("no way") && told.contains("Ctrl-D or Ctrl-C ends it"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_signal_says_goodbye() {
    for (signal, leaves) in [("-INT", "offer"), ("-TERM", "answer")] {
        let mut both = Terminals::start(&["--loopback"]);
        both.paste();
        both.chat();
        let Terminals { offer, answer, .. } = both;
        let (leaver, stayer) = if leaves == "offer" { (offer, answer) } else { (answer, offer) };
        leaver.signal(signal);
        assert_eq!(leaver.ended().0, 0);
        let (code, told) = stayer.ended();
        assert!(code == 0 && told.contains("the other side has left"), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_before_there_is_a_path_gives_the_relay_back() {
    let server = Server::start();
    let uri = server.uri("turn");
    let both = Terminals::start(&[&uri, "--user", "u", "--password", "p"]);
    both.next("offer");
    both.offer.signal("-INT");
    let (code, told) = both.offer.ended();
    assert_eq!(code, 130, "{told}");
    let released = std::iter::repeat_with(|| server.next()).find(|told| told["ev"] == "released").unwrap();
    assert_eq!(released["why"], "the client gave it back");
}

#[test]
fn a_relay_that_refuses_the_other_side_is_named() {
    let server = Server::start_with(&[]);
    let uri = server.uri("turn");
    let mut both = Terminals::start(&[&uri, "--user", "u", "--password", "p", "--relay-only"]);
    both.paste();
    let (code, told) = both.offer.ended();
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("no way to the other side was found: every pair failed"), "{told}");
    assert!(told.contains("start the server with --allow-loopback-peers"), "{told}");
    let refused = std::iter::repeat_with(|| server.next()).find(|told| told["ev"] == "peer-refused").unwrap();
    assert_eq!((&refused["user"], &refused["peer"]), (&"u".into(), &"127.0.0.1:0".into()), "{refused}");
}

#[test]
fn a_server_that_fails_is_told_once_and_waited_for_in_words() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let uri = format!("stun:{}", socket.local_addr().unwrap());
    drop(socket);
    let output = program::run(&["connect", "--offer", &uri]);
    let told = program::stderr(&output);
    assert_eq!(told.matches("does not help").count(), 1, "{told}");
    assert!(told.contains(&format!("asking {uri} (up to 5 s)")), "{told}");
}
