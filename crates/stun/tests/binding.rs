//! What becomes of a question to a server, driven only by the moments the machine itself names.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test")]

use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::attribute::{
    AlternateDomain, AlternateServer, Attribute, ErrorCode, MappedAddress, Software, TransmitCounter,
    XorMappedAddress,
};
use floe_stun::{
    BindingClient, BindingConfig, BindingEvent, Builder, Class, Dropped, EncodeError, Icmp, Input, Instant,
    MAX_TRANSMIT, Machine, Message, Method, Output, Received, RtoBounds, RtoCache, Schedule, SocketId,
    TransactionId, Why,
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

#[test]
fn on_a_stream_the_question_is_asked_once_and_waits_for_ti() {
    let mut world = World::on_stream(BindingConfig::UDP);
    world.id = world.id();
    let Next::Waits(until) = world.next() else { panic!("nothing to wait for") };
    assert_eq!(until, Instant::ORIGIN + Duration::from_millis(39_500));
    world.advance(until);
    assert_eq!(world.ended(), BindingEvent::TimedOut);
}

#[test]
fn a_person_may_wait_for_less_on_a_stream() {
    let schedule = Schedule::STREAM.with_rto(Duration::from_secs(5));
    let mut world = World::on_stream(BindingConfig::UDP.with_schedule(schedule));
    world.id = world.id();
    let Next::Waits(until) = world.next() else { panic!("nothing to wait for") };
    assert_eq!(until, Instant::ORIGIN + Duration::from_secs(5));
}

#[test]
fn an_answer_on_a_stream_may_come_in_pieces_behind_others() {
    let mut world = World::on_stream(BindingConfig::UDP);
    world.id = world.id();
    let other = answer(TransactionId::from([9; 12]));
    let stream = [other, answer(world.id)].concat();
    let (first, last) = stream.split_at(stream.len() - 1);
    assert_eq!(world.hears_stream(first), Received::Dropped(Dropped::UnknownTransaction));
    assert_eq!(world.hears_stream(last), Received::Consumed);
    assert!(
        matches!(world.ended(), BindingEvent::Answered { mapped, .. } if mapped == address("203.0.113.5:1"))
    );
}

#[test]
fn a_stream_that_ends_or_is_none_fails_the_question() {
    let mut closed = World::on_stream(BindingConfig::UDP);
    let input = Input::Closed { socket: SOCKET };
    assert_eq!(closed.client.handle_input(closed.now, input), Received::Consumed);
    assert_eq!(closed.ended(), BindingEvent::ConnectionLost);

    let mut foreign = World::on_stream(BindingConfig::UDP);
    assert_eq!(foreign.hears_stream(b"HTTP/1.1 400 Bad Request"), Received::Dropped(Dropped::NotStun));
    assert_eq!(foreign.ended(), BindingEvent::ConnectionLost);
}

#[test]
fn datagrams_are_none_of_a_stream_and_the_other_way_round() {
    let mut stream = World::on_stream(BindingConfig::UDP);
    assert_eq!(stream.hears(b"x"), Received::NotMine);
    let mut datagrams = World::asked();
    assert_eq!(datagrams.hears_stream(b"x"), Received::NotMine);
}

#[test]
fn where_fingerprint_is_in_use_it_is_sent_and_demanded() {
    let mut world = World::with(BindingConfig::UDP.with_fingerprint());
    let Next::Sent(request) = world.next() else { panic!("no request") };
    let request = Message::decode(&request).unwrap();
    assert_eq!(request.fingerprint(), Some(true));
    world.id = request.id();

    let bare = answer(world.id);
    assert_eq!(world.hears(&bare), Received::Dropped(Dropped::BadFingerprint));
    let mut buf = [0; 64];
    let builder = Builder::new(&mut buf, Class::Success, Method::BINDING, world.id);
    let sealed =
        builder.attribute(&XorMappedAddress(address("203.0.113.5:1"))).fingerprint().finish().unwrap();
    assert_eq!(world.hears(sealed), Received::Consumed);
}

#[test]
fn where_redirections_are_in_use_a_300_names_the_server_of_our_family() {
    let (v6, v4) = (address("[2001:db8::1]:3478"), address("198.51.100.1:3478"));
    let mut world = World::with(BindingConfig::UDP.with_redirects());
    world.id = world.id();
    world.answers(Class::Error, |builder| {
        builder
            .attribute(&ErrorCode::TRY_ALTERNATE)
            .attribute(&AlternateServer(v6))
            .attribute(&AlternateServer(v4))
            .attribute(&AlternateDomain("b.example"))
    });
    assert_eq!(world.ended(), BindingEvent::Redirected { to: v4, domain: Some("b.example".into()) });
}

#[test]
fn a_300_to_nowhere_and_other_errors_with_an_address_are_refusals() {
    for (code, with_address) in [(300, false), (400, true)] {
        let elsewhere = AlternateServer(address("198.51.100.1:3478"));
        let mut world = World::with(BindingConfig::UDP.with_redirects());
        world.id = world.id();
        world.answers(Class::Error, |builder| {
            let builder = builder.attribute(&ErrorCode { code, reason: "no" });
            builder.maybe(with_address.then_some(&elsewhere))
        });
        assert_eq!(world.ended(), BindingEvent::Refused { code, reason: "no".into() });
    }
}

#[test]
fn what_an_answer_taught_serves_the_next_question() {
    let mut cache = RtoCache::new(RtoBounds::DEFAULT);
    let mut world = World::asked();
    world.client.teach(&mut cache);
    assert_eq!(
        cache.schedule(world.now, server().ip(), Schedule::DEFAULT),
        Schedule::DEFAULT,
        "no answer yet"
    );
    world.now = Instant::ORIGIN + Duration::from_millis(400);
    assert_eq!(world.hears(&answer(world.id)), Received::Consumed);
    world.client.teach(&mut cache);

    let schedule = cache.schedule(world.now, server().ip(), Schedule::DEFAULT);
    assert_eq!(schedule.rto, Duration::from_millis(1200));
    let mut next = World::with(BindingConfig::UDP.with_schedule(schedule));
    next.id = next.id();
    let Next::Waits(until) = next.next() else { panic!("nothing to wait for") };
    assert_eq!(until, Instant::ORIGIN + Duration::from_millis(1200));
}

#[test]
fn a_stream_teaches_nothing_about_datagrams() {
    let mut cache = RtoCache::new(RtoBounds::DEFAULT);
    let mut world = World::on_stream(BindingConfig::UDP);
    world.id = world.id();
    world.now = Instant::ORIGIN + Duration::from_secs(3);
    assert_eq!(world.hears_stream(&answer(world.id)), Received::Consumed);
    world.client.teach(&mut cache);
    assert!(cache.get(world.now, server().ip()).is_none());
}

#[test]
fn a_request_says_what_we_are_if_we_want() {
    let mut world = World::with(BindingConfig::UDP.with_software("floe 0.1"));
    let Next::Sent(request) = world.next() else { panic!("no request") };
    assert_eq!(Message::decode(&request).unwrap().find(), Some(Software("floe 0.1")));
    let Next::Sent(silent) = World::new().next() else { panic!("no request") };
    assert!(!Message::decode(&silent).unwrap().has(Software::TYPE));
}

#[test]
fn a_request_that_cannot_be_sent_is_told() {
    let too_long = "s".repeat(128);
    let mut world = World::with(BindingConfig::UDP.with_software(too_long));
    assert!(matches!(world.ended(), BindingEvent::Unsendable(EncodeError::BadValue { .. })));
    assert_eq!(world.client.poll_output(&mut [0; MAX_TRANSMIT]), Output::Idle);
}

#[test]
fn a_request_is_no_larger_than_every_path_takes() {
    // 20 + 4 + 508 + 8 + 8 bytes, and the room for them is 544 over IPv4 and 1228 over IPv6.
    let config = || {
        let longest = "\u{1F9CA}".repeat(127);
        BindingConfig::UDP.with_software(longest).with_transmit_counter().with_fingerprint()
    };
    let to = |server| BindingClient::with_config(Instant::ORIGIN, SOCKET, server, [1; 32], config());
    let mut v4 = World::of(to(server()));
    let small = EncodeError::BufferTooSmall { need: 548, have: 544 };
    assert_eq!(v4.ended(), BindingEvent::Unsendable(small));
    let Next::Sent(request) = World::of(to(address("[2001:db8::1]:3478"))).next() else {
        panic!("too large")
    };
    assert_eq!(request.len(), 548);
    let Next::Sent(request) = World::on_stream(config()).next() else { panic!("a stream has no packets") };
    assert_eq!(request.len(), 548);
}

#[test]
fn a_counted_request_differs_from_the_first_in_its_counter_alone() {
    // RTT-3.1-1, RTT-3.2-1
    let mut world = World::with(BindingConfig::UDP.with_transmit_counter().with_fingerprint());
    let mut sent = Vec::new();
    while sent.len() < 7 {
        match world.next() {
            Next::Sent(bytes) => sent.push(bytes),
            Next::Waits(until) => world.advance(until),
            Next::Ended(event) => panic!("{event:?}"),
        }
    }
    for (bytes, number) in sent.iter().zip(1..) {
        let message = Message::decode(bytes).unwrap();
        assert_eq!(message.find(), Some(TransmitCounter { request: number, response: 0 }));
        assert_eq!(message.fingerprint(), Some(true));
        let mut first = bytes.clone();
        first[26] = 1;
        assert_eq!(first[..28], sent[0][..28], "but for the counter");
    }
}

#[test]
fn a_repeated_counter_tells_the_rtt_of_a_repeated_request() {
    // RTT-3.3-1
    let rtt = |config: BindingConfig, counter: Option<TransmitCounter>| {
        let mut world = World::with(config);
        world.id = world.id();
        let Next::Waits(until) = world.next() else { panic!("nothing to wait for") };
        world.advance(until);
        assert!(matches!(world.next(), Next::Sent(_)));
        world.now = world.now + Duration::from_millis(40);
        world.answers(Class::Success, |builder| {
            builder.attribute(&XorMappedAddress(address("203.0.113.5:1"))).maybe(counter.as_ref())
        });
        let mut cache = RtoCache::new(RtoBounds::DEFAULT);
        world.client.teach(&mut cache);
        let srtt = cache.get(world.now, server().ip()).unwrap().srtt();
        let BindingEvent::Answered { rtt, .. } = world.ended() else { panic!("no answer") };
        assert_eq!(srtt, rtt, "and the cache learns it");
        rtt.map(|rtt| rtt.as_millis())
    };
    let counting = || BindingConfig::UDP.with_transmit_counter();
    let counter = |request, response| Some(TransmitCounter { request, response });
    assert_eq!(rtt(counting(), counter(2, 0)), Some(40));
    assert_eq!(rtt(counting(), counter(1, 1)), Some(540));
    assert_eq!(rtt(counting(), counter(3, 0)), None, "never sent");
    assert_eq!(rtt(counting(), None), None, "the server does not count");
    assert_eq!(rtt(BindingConfig::UDP, counter(2, 0)), None, "nobody asked");
}

fn answer(id: TransactionId) -> Vec<u8> {
    let mut buf = [0; 64];
    let builder = Builder::new(&mut buf, Class::Success, Method::BINDING, id);
    builder.attribute(&XorMappedAddress(address("203.0.113.5:1"))).finish().unwrap().to_vec()
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
        Self::of(BindingClient::new(Instant::ORIGIN, SOCKET, server(), [seed; 32]))
    }

    fn with(config: BindingConfig) -> Self {
        Self::of(BindingClient::with_config(Instant::ORIGIN, SOCKET, server(), [1; 32], config))
    }

    fn on_stream(config: BindingConfig) -> Self {
        Self::of(BindingClient::over_stream(Instant::ORIGIN, SOCKET, server(), [1; 32], config))
    }

    fn of(client: BindingClient) -> Self {
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

    fn hears_stream(&mut self, data: &[u8]) -> Received<()> {
        self.client.handle_input(self.now, Input::Stream { socket: SOCKET, data })
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
