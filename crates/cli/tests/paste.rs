//! Two terminals: descriptions are pasted by the test.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod program;

use std::sync::mpsc;

use program::{PATIENCE, Program};

#[test]
fn two_terminals_chat() {
    let (sender, lines) = mpsc::channel();
    let start = |how, name| Program::start(&["connect", how, "--loopback"], name, sender.clone());
    let next = |from: &str| loop {
        let (name, line) = lines.recv_timeout(PATIENCE).unwrap();
        if name == from {
            break line.unwrap_or_else(|| panic!("{name} ended"));
        }
    };
    let (mut offer, mut answer) = (start("--offer", "offer"), start("--answer", "answer"));

    let description = next("offer");
    assert!(description.starts_with("floe1:"), "{description}");
    offer.say("not a description");
    offer.say(&description);
    answer.say(&description[..description.len() - 5]);
    answer.say(&description);
    offer.say(&next("answer"));

    offer.say("hello from the offer");
    assert_eq!(next("answer"), "hello from the offer");
    answer.say("hello back");
    assert_eq!(next("offer"), "hello back");

    offer.end_input();
    answer.end_input();
    assert!(offer.succeeded() && answer.succeeded());
}
