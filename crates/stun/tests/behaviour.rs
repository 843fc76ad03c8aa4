//! The discovery against servers that do not keep to RFC 5780.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test")]

use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{OtherAddress, XorMappedAddress};
use floe_stun::behaviour::{
    BehaviourClient, BehaviourConfig, BehaviourEvent, Certainty, Dependence, Obstacle, Test,
};
use floe_stun::{
    Builder, Class, Dropped, Input, Instant, MAX_TRANSMIT, Machine, Message, Method, Output, Received,
    SocketId,
};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn primary() -> SocketAddr {
    at("192.0.2.1:3478")
}

fn client() -> BehaviourClient {
    let mapping = (SocketId(0), at("192.168.0.2:5000"));
    BehaviourClient::new(
        Instant::ORIGIN,
        BehaviourConfig::new(mapping, SocketId(1), SocketId(2), primary()),
        [7; 32],
    )
}

/// Answers every question, to `place(asked, changed)` it seems to come from; what was found.
fn discover(place: impl Fn(SocketAddr, bool) -> Option<SocketAddr>) -> Vec<BehaviourEvent> {
    let (mut client, mut now, mut found) = (client(), Instant::ORIGIN, Vec::new());
    loop {
        let mut buf = [0; MAX_TRANSMIT];
        match client.poll_output(&mut buf) {
            Output::Transmit(request) => {
                let (socket, to) = (request.socket, request.to);
                let Some((from, bytes)) = answer(to, request.bytes, &place) else { continue };
                let _ = client.handle_input(now, Input::Datagram { socket, from, data: &bytes });
            }
            Output::Event(event) => found.push(event),
            Output::Wait { until, .. } => {
                now = until;
                let _ = client.handle_input(now, Input::Timeout);
            }
            Output::Need(need) => panic!("{need:?}"),
            Output::Idle => return found,
        }
    }
}

fn answer(
    asked: SocketAddr,
    request: &[u8],
    place: impl Fn(SocketAddr, bool) -> Option<SocketAddr>,
) -> Option<(SocketAddr, Vec<u8>)> {
    // Its own hairpin request comes back to nobody.
    if asked.ip() == at("203.0.113.5:1").ip() {
        return None;
    }
    let message = Message::decode(request).unwrap();
    let from = place(asked, message.has(CHANGE_REQUEST))?;
    let mut buf = [0; 256];
    let bytes = Builder::new(&mut buf, Class::Success, Method::BINDING, message.id())
        .attribute(&XorMappedAddress(at("203.0.113.5:40000")))
        .attribute(&OtherAddress(at("192.0.2.2:3479")))
        .finish()
        .unwrap();
    Some((from, bytes.to_vec()))
}

const CHANGE_REQUEST: u16 = 0x0003;

#[test]
fn an_answer_from_where_it_was_asked_says_nothing_of_the_filter() {
    // NBD-4.4-1
    let found = discover(|asked, _| Some(asked));
    assert!(found.contains(&BehaviourEvent::Unknown(Test::Filtering, Obstacle::NotMoved)), "{found:?}");
    assert!(!found.iter().any(|event| matches!(event, BehaviourEvent::Filtering(..))));
    let half = discover(|asked, changed| Some(if changed { at("192.0.2.1:3479") } else { asked }));
    assert!(half.contains(&BehaviourEvent::Unknown(Test::Filtering, Obstacle::NotMoved)), "{half:?}");
}

#[test]
fn an_answer_from_the_other_address_does() {
    let found = discover(|asked, changed| Some(if changed { at("192.0.2.2:3479") } else { asked }));
    let open = BehaviourEvent::Filtering(Dependence::EndpointIndependent, Certainty::Seen);
    assert!(found.contains(&open), "{found:?}");
}

#[test]
fn an_answer_from_a_place_that_was_not_asked_is_dropped() {
    let mut client = client();
    let mut buf = [0; MAX_TRANSMIT];
    let Output::Transmit(request) = client.poll_output(&mut buf) else { panic!("no question") };
    let stranger = at("192.0.2.66:3478");
    let (_, bytes) = answer(request.to, request.bytes, |asked, _| Some(asked)).unwrap();
    let now = Instant::ORIGIN + Duration::from_millis(20);
    let input = Input::Datagram { socket: SocketId(0), from: stranger, data: &bytes };
    assert_eq!(client.handle_input(now, input), Received::Dropped(Dropped::WrongSource));
    assert_eq!(client.drops().of(Dropped::WrongSource), 1);
}

/// Drives a discovery whose server says that we are at `mapped`; where its questions went.
fn asked_when_we_are_at(mapped: &str) -> Vec<SocketAddr> {
    let (mut client, mut buf, mut asked) = (client(), [0; MAX_TRANSMIT], Vec::new());
    for _ in 0..8 {
        let Output::Transmit(request) = client.poll_output(&mut buf) else { continue };
        let (socket, to) = (request.socket, request.to);
        asked.push(to);
        let id = Message::decode(request.bytes).unwrap().id();
        let mut answer = [0; 256];
        let answer = Builder::new(&mut answer, Class::Success, Method::BINDING, id);
        let answer = answer.attribute(&XorMappedAddress(at(mapped))).finish().unwrap();
        let _ = client.handle_input(Instant::ORIGIN, Input::Datagram { socket, from: to, data: answer });
    }
    asked
}

#[test]
fn a_hairpin_that_somebody_answers_is_no_new_discovery() {
    let asked = asked_when_we_are_at("203.0.113.5:40000");
    assert_eq!(asked, [primary(), at("203.0.113.5:40000")]);
}

#[test]
fn a_hairpin_goes_to_no_address_that_cannot_be_ours() {
    for odd in
        ["127.0.0.1:53", "255.255.255.255:9", "0.0.0.0:22", "224.0.0.1:5353", "10.0.0.1:0", "[2001:db8::1]:9"]
    {
        assert_eq!(asked_when_we_are_at(odd), [primary()], "{odd}");
    }
}
