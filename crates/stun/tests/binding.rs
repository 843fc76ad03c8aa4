//! What becomes of a question to a server, driven only by the moments the machine itself names.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test")]

use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::attribute::{AlternateServer, ErrorCode, MappedAddress, Software, XorMappedAddress};
use floe_stun::{
    BindingClient, BindingEvent, Builder, Class, Dropped, Icmp, Input, Instant, MAX_TRANSMIT, Machine,
    Message, Method, Output, Received, SocketId, TransactionId, Why,
};

const SOCKET: SocketId = SocketId(3);

#[test]
fn an_unanswered_request_goes_out_seven_times_with_the_same_bytes() {
    let mut world = World::new();
    let (mut sent, mut at) = (Vec::new(), Vec::new());
    let ended = loop {
        match world.next() {
            Next::Sent(bytes) => {
                sent.push(bytes);
                at.push(world.now.as_nanos() / 1_000_000);
            }
            Next::Ended(event) => break event,
            Next::Waits(until) => world.advance(until),
        }
    };

    assert_eq!(ended, BindingEvent::TimedOut);
    assert_eq!(at, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(world.now, Instant::ORIGIN + Duration::from_millis(39_500));
    assert!(sent.iter().all(|bytes| *bytes == sent[0]));
}

#[test]
fn two_questions_have_two_ids() {
    assert_ne!(World::seeded(1).id(), World::seeded(2).id());
}

#[test]
fn an_icmp_error_ends_the_question_at_once() {
    let mut world = World::asked();
    let unreachable = Input::Icmp { socket: SOCKET, to: server(), what: Icmp::Unreachable };
    assert_eq!(world.client.handle_input(world.now, unreachable), Received::Consumed);
    assert_eq!(world.ended(), BindingEvent::Unreachable);
}

#[test]
fn an_icmp_error_about_another_server_is_not_ours() {
    let mut world = World::asked();
    let other = "192.0.2.9:3478".parse().unwrap();
    let unreachable = Input::Icmp { socket: SOCKET, to: other, what: Icmp::Unreachable };
    assert_eq!(world.client.handle_input(world.now, unreachable), Received::NotMine);
}

#[test]
fn an_answer_needs_an_address() {
    let mut world = World::asked();
    world.answers(Class::Success, |builder| builder.attribute(&Software("forgetful")));
    assert_eq!(world.ended(), BindingEvent::Unusable);
}

#[test]
fn the_xored_address_counts_more_than_the_plain_one() {
    let (xored, plain) = (address("203.0.113.5:1"), address("203.0.113.6:2"));
    let mut world = World::asked();
    world.answers(Class::Success, |builder| {
        builder.attribute(&MappedAddress(plain)).attribute(&XorMappedAddress(xored))
    });
    assert!(matches!(world.ended(), BindingEvent::Answered { mapped, .. } if mapped == xored));
}

#[test]
fn an_old_server_may_tell_the_plain_address() {
    let plain = address("203.0.113.6:2");
    let mut world = World::asked();
    world.answers(Class::Success, |builder| builder.attribute(&MappedAddress(plain)));
    assert!(matches!(world.ended(), BindingEvent::Answered { mapped, .. } if mapped == plain));
}

#[test]
fn unknown_attributes_that_must_be_understood_spoil_an_answer() {
    for class in [Class::Success, Class::Error] {
        let mut world = World::asked();
        world.answers_with_unknown(class, 0x7FFE);
        assert_eq!(world.ended(), BindingEvent::Unusable, "{class:?}");
    }
}

#[test]
fn unknown_attributes_that_may_be_ignored_are() {
    let mut world = World::asked();
    world.answers_with_unknown(Class::Success, 0xFFFE);
    assert!(matches!(world.ended(), BindingEvent::Answered { .. }));
}

#[test]
fn an_error_without_a_code_fails_the_question() {
    let mut world = World::asked();
    world.answers(Class::Error, |builder| builder);
    assert_eq!(world.ended(), BindingEvent::Unusable);
}

#[test]
fn every_error_code_fails_the_question_a_redirection_too() {
    for code in [300, 400, 420, 499, 500, 699] {
        let mut world = World::asked();
        let elsewhere = AlternateServer(address("198.51.100.1:3478"));
        world.answers(Class::Error, |builder| {
            builder.attribute(&ErrorCode { code, reason: "no" }).attribute(&elsewhere)
        });
        assert_eq!(world.ended(), BindingEvent::Refused { code, reason: "no".into() });
    }
}

#[test]
fn requests_and_indications_are_no_answers() {
    for class in [Class::Request, Class::Indication] {
        let mut world = World::asked();
        let verdict = world.answers(class, |builder| builder);
        assert_eq!(verdict, Received::Dropped(Dropped::UnexpectedMethod));
    }
}

#[test]
fn a_second_answer_is_dropped() {
    fn answer(builder: Builder<'_>) -> Builder<'_> {
        builder.attribute(&XorMappedAddress(address("203.0.113.5:1")))
    }
    let mut world = World::asked();
    assert_eq!(world.answers(Class::Success, answer), Received::Consumed);
    let verdict = world.answers(Class::Success, answer);
    assert_eq!(verdict, Received::Dropped(Dropped::UnknownTransaction));
}

/// One client, one clock.
struct World {
    client: BindingClient,
    now: Instant,
    id: TransactionId,
}

enum Next {
    Sent(Vec<u8>),
    Ended(BindingEvent),
    Waits(Instant),
}

impl World {
    fn new() -> Self {
        Self::seeded(1)
    }

    fn seeded(seed: u8) -> Self {
        let client = BindingClient::new(Instant::ORIGIN, SOCKET, server(), [seed; 32]);
        Self { client, now: Instant::ORIGIN, id: TransactionId::from([0; 12]) }
    }

    /// The first request has gone out.
    fn asked() -> Self {
        let mut world = Self::new();
        world.id = world.id();
        world
    }

    fn id(&mut self) -> TransactionId {
        let Next::Sent(bytes) = self.next() else { panic!("no request") };
        Message::decode(&bytes).unwrap().id()
    }

    fn next(&mut self) -> Next {
        match self.client.poll_output(&mut [0; MAX_TRANSMIT]) {
            Output::Transmit(transmit) => Next::Sent(transmit.bytes.to_vec()),
            Output::Event(event) => Next::Ended(event),
            Output::Wait { until, why: Why::Retransmit } => Next::Waits(until),
            other => panic!("{other:?}"),
        }
    }

    fn ended(&mut self) -> BindingEvent {
        let Next::Ended(event) = self.next() else { panic!("it has not ended") };
        event
    }

    fn advance(&mut self, until: Instant) {
        self.now = until;
        assert_eq!(self.client.handle_input(until, Input::Timeout), Received::Consumed);
    }

    fn answers(&mut self, class: Class, fill: impl FnOnce(Builder<'_>) -> Builder<'_>) -> Received<()> {
        let mut buf = [0; 256];
        let builder = fill(Builder::new(&mut buf, class, Method::BINDING, self.id));
        let data = builder.finish().unwrap().to_vec();
        self.hears(&data)
    }

    /// An answer that is right but for one empty attribute of this type.
    fn answers_with_unknown(&mut self, class: Class, kind: u16) {
        let mut buf = [0; 256];
        let builder = Builder::new(&mut buf, class, Method::BINDING, self.id)
            .attribute(&XorMappedAddress(address("203.0.113.5:1")))
            .attribute(&ErrorCode::BAD_REQUEST);
        let mut data = builder.finish().unwrap().to_vec();
        data.extend(kind.to_be_bytes());
        data.extend([0, 0]);
        let length = u16::try_from(data.len() - 20).unwrap();
        data.splice(2..4, length.to_be_bytes());
        assert_eq!(self.hears(&data), Received::Consumed);
    }

    fn hears(&mut self, data: &[u8]) -> Received<()> {
        self.client.handle_input(self.now, Input::Datagram { socket: SOCKET, from: server(), data })
    }
}

fn server() -> SocketAddr {
    address("192.0.2.1:3478")
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
