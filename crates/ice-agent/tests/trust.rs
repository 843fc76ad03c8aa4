//! What is not the peer's changes nothing: neither the agent nor the network see more than a counter.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a story that cannot be told is a failed test"
)]

mod peer;

use floe_ice_agent::{Config, ConnectionState, Role};
use floe_stun::attribute::Software;
use floe_stun::{Builder, Class, Dropped, Key, Message, Method, Received};
use peer::{Question, RIDDLE, Reply, SECOND, Scene, addr, theirs};

/// Delivers what deserves nothing, and sees that nothing is what it gets.
fn spurn(scene: &mut Scene, data: &[u8], what: &str) -> Dropped {
    let (before, drops) = (scene.fingerprint(), scene.agent.stats().drops.total());
    scene.packets();
    let Received::Dropped(why) = scene.deliver(theirs(7), data) else { panic!("{what} was taken") };
    assert!(scene.fingerprint() == before, "{what} left a trace");
    assert!(scene.packets().is_empty(), "{what} was answered");
    assert_eq!(scene.agent.stats().drops.total(), drops + 1);
    why
}

/// ICE-7.3-2, ICE-7.3-3, ICE-7.3-5, ICE-19.2-1.
#[test]
fn a_check_that_is_not_from_the_peer_is_met_with_silence() {
    for mut scene in [Scene::connected(Role::Controlled), Scene::new(Config::new(Role::Controlling))] {
        let right = scene.question();
        let wrong = |text: &str| Some(text.to_owned());
        let cases = [
            (Question { pwd: wrong("guess"), ..right.clone() }, Dropped::BadIntegrity),
            (Question { pwd: None, ..right.clone() }, Dropped::BadIntegrity),
            (Question { username: wrong("someone:peer"), ..right.clone() }, Dropped::UnknownUsername),
            (Question { username: None, ..right.clone() }, Dropped::MissingAttribute),
            (Question { fingerprint: false, ..right.clone() }, Dropped::BadFingerprint),
            (Question { unknown: true, pwd: wrong("guess"), ..right.clone() }, Dropped::BadIntegrity),
            (Question { priority: None, pwd: wrong("guess"), ..right }, Dropped::BadIntegrity),
        ];
        for (question, why) in cases {
            assert_eq!(spurn(&mut scene, &question.write(), "a forged check"), why);
        }
    }
}

/// Every bit of a check and of an answer, and every length.
#[test]
fn no_bent_or_cut_message_is_believed() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    let check = scene.checks().remove(0);
    let question = Question { use_candidate: true, ..scene.question() }.write();
    let pwd = scene.peer.pwd.reveal().to_owned();
    let answer = peer::write_reply(check.id, Reply::Success, peer::ours(0), Some(&pwd)).unwrap();
    for good in [question, answer] {
        for bit in 0..good.len() * 8 {
            let mut bent = good.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            spurn(&mut scene, &bent, &format!("bit {bit}"));
        }
        for len in 0..good.len() {
            spurn(&mut scene, &good[..len], &format!("{len} bytes"));
        }
    }
}

#[test]
fn garbage_and_giants_are_dropped() {
    let mut scene = Scene::connected(Role::Controlling);
    for data in [&[][..], &[0], &[0xFF; 1500], &[0x16, 0xFE, 0xFD], &[0x40, 0, 0, 4, 1, 2, 3, 4]] {
        assert_eq!(spurn(&mut scene, data, "garbage"), Dropped::NotValidated);
    }
    let mut buf = [0; 4096];
    let id = scene.next_id();
    let filler = "x".repeat(127);
    let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, id);
    let giant = (0..20).fold(builder, |builder, _| builder.attribute(&Software(&filler))).fingerprint();
    assert_eq!(spurn(&mut scene, giant.finish().unwrap(), "a giant"), Dropped::TooLarge);

    let mut buf = [0; 1024];
    let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, id);
    let many = (0..65).fold(builder, |builder, _| builder.attribute(&Software(""))).fingerprint();
    assert_eq!(spurn(&mut scene, many.finish().unwrap(), "many attributes"), Dropped::TooLarge);

    let mut buf = [0; 64];
    let other = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, id).fingerprint().finish().unwrap();
    assert_eq!(spurn(&mut scene, other, "another method"), Dropped::UnexpectedMethod);
}

/// STUN-6.3.1-1: said to the peer, and to nobody else.
#[test]
fn an_unknown_attribute_that_must_be_understood_is_named_in_a_420() {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    let before = scene.fingerprint();
    let question = Question { unknown: true, ..scene.question() };
    assert_eq!(scene.ask(theirs(0), &question), Received::Consumed);

    let answer = &scene.answers()[0];
    assert_eq!((answer.code, &answer.unknown[..]), (Some(420), &[RIDDLE][..]));
    assert!(scene.fingerprint() == before, "and nothing else came of it");
}

/// ICE-7.1.1-1, ICE-7.1.3-1: what a check has to carry.
#[test]
fn a_check_without_priority_or_with_two_roles_is_a_bad_request() {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    let before = scene.fingerprint();
    let right = scene.question();
    for question in [
        Question { priority: None, ..right.clone() },
        Question { controlling: Some(1), controlled: Some(1), ..right },
    ] {
        assert_eq!(scene.ask(theirs(0), &question), Received::Consumed);
        assert_eq!(scene.answers()[0].code, Some(400));
        assert!(scene.fingerprint() == before);
    }
}

/// RFC 8489 §9: what stands behind the signature does not exist.
#[test]
fn a_use_candidate_behind_the_signature_nominates_nothing() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    scene.run_answering(SECOND, |_| Reply::Success);
    let mut bytes = Question { fingerprint: false, ..scene.question() }.write();
    append(&mut bytes, 0x0025, &[]);
    seal(&mut bytes);
    assert_eq!(Message::decode(&bytes).unwrap().fingerprint(), Some(true));

    assert_eq!(scene.deliver(theirs(0), &bytes), Received::Consumed);

    assert_eq!(scene.agent.state(), ConnectionState::Connected);
    scene.check_from(theirs(0), true);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// ICE-12.2-1, as narrow as ICE-12.2-3 allows: from whom a check came, or an answer.
#[test]
fn data_is_taken_from_those_who_have_proved_to_be_the_peer() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    let data = [0x80, 1, 2, 3];
    assert_eq!(scene.deliver(theirs(0), &data), Received::Dropped(Dropped::NotValidated));
    scene.check_from(theirs(0), false);
    assert_eq!(scene.deliver(theirs(0), &data), Received::App(()));
    assert_eq!(scene.deliver(addr("198.51.100.1:6001"), &data), Received::Dropped(Dropped::NotValidated));
    assert_eq!(scene.deliver(theirs(1), &data), Received::Dropped(Dropped::NotValidated));
}

/// ICE-11-3, ICE-11-7: a keepalive is taken without a word.
#[test]
fn a_binding_indication_changes_nothing() {
    let mut scene = Scene::connected(Role::Controlled);
    let mut buf = [0; 64];
    let id = scene.next_id();
    let keepalive =
        Builder::new(&mut buf, Class::Indication, Method::BINDING, id).fingerprint().finish().unwrap();
    let before = scene.fingerprint();
    assert_eq!(scene.deliver(theirs(0), keepalive), Received::Consumed);
    assert!(scene.fingerprint() == before);
    assert!(scene.packets().is_empty());
}

/// Somebody on the way says everything twice.
#[test]
fn what_comes_again_changes_nothing() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    let question = Question { use_candidate: true, ..scene.question() };
    let _ = scene.ask(theirs(0), &question);
    scene.run(SECOND / 10);
    let check = scene.checks().remove(0);
    scene.reply(&check, Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    let (before, events, pair) = (scene.fingerprint(), scene.events.len(), scene.pair(theirs(0)));

    assert_eq!(scene.reply(&check, Reply::Success), Received::Dropped(Dropped::UnknownTransaction));
    assert!(scene.fingerprint() == before);
    scene.answers();
    let _ = scene.ask(theirs(0), &question);

    assert_eq!(scene.answers().len(), 1, "answered again, for the first answer may be lost");
    assert_eq!((scene.events.len(), scene.pair(theirs(0)).state), (events, pair.state));
    assert!(scene.checks().is_empty());
}

/// ICE-7.3-2: an answer without signature is no answer; the check goes on.
#[test]
fn an_answer_without_a_right_signature_is_ignored() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let check = scene.checks().remove(0);
    for pwd in [None, Some("a guess at the password")] {
        for reply in [Reply::Success, Reply::Error(400), Reply::Error(487)] {
            let forged = peer::write_reply(check.id, reply, peer::ours(0), pwd).unwrap();
            let before = scene.fingerprint();
            assert_eq!(scene.deliver(theirs(0), &forged), Received::Dropped(Dropped::BadIntegrity));
            assert!(scene.fingerprint() == before);
        }
    }
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
}

/// RFC 8445 §7.2.5.2.4 and RFC 8489 §6.3.3: an answer that cannot be understood.
#[test]
fn an_answer_without_an_address_fails_the_pair() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let check = scene.checks().remove(0);
    let mut buf = [0; 128];
    let key = Key::short_term(scene.peer.pwd.reveal());
    let builder = Builder::new(&mut buf, Class::Success, Method::BINDING, check.id);
    let empty = builder.integrity(&key).fingerprint().finish().unwrap().to_vec();
    assert_eq!(scene.deliver(theirs(0), &empty), Received::Consumed);
    assert_eq!(scene.pair(theirs(0)).failure, Some(floe_ice_agent::PairFailure::BadAnswer));
}

fn append(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend(kind.to_be_bytes());
    bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    let length = u16::try_from(bytes.len() - 20).unwrap();
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
}

/// Appends FINGERPRINT (RFC 8489 §14.7), written out bit by bit.
fn seal(bytes: &mut Vec<u8>) {
    append(bytes, 0x8028, &[0; 4]);
    let end = bytes.len() - 8;
    let crc = bytes[..end].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    });
    bytes[end + 4..].copy_from_slice(&(!crc ^ 0x5354_554E).to_be_bytes());
}

/// A copy of the peer's check, sent from elsewhere, makes nobody the peer.
#[test]
fn data_from_where_a_copy_of_a_check_came_is_a_strangers() {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    let question = scene.question();
    assert_eq!(scene.ask(theirs(0), &question), Received::Consumed);

    let stranger = theirs(66);
    assert_eq!(scene.ask(stranger, &question), Received::Dropped(Dropped::WrongSource));
    let data = scene.deliver(stranger, b"\x80evil");
    assert_eq!(data, Received::Dropped(Dropped::NotValidated));

    let fresh = scene.question();
    assert_eq!(scene.ask(stranger, &fresh), Received::Consumed, "a check that was not seen before");
    let data = scene.deliver(stranger, b"\x80evil");
    assert_eq!(data, Received::Dropped(Dropped::NotValidated), "yet it has answered none of ours");
}
