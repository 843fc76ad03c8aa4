//! What agents, clients and servers do with the hand-made messages whose verdict is theirs to give.
//!
//! Such a message was not written for the machine that gets it here: where it has to be believed first, it is written
//! again under the credentials and the transaction of that machine, its attributes as they are.

#[path = "../../crates/ice-agent/tests/peer/mod.rs"]
mod peer;
#[path = "../../crates/turn-server/tests/support/mod.rs"]
#[allow(unused_imports, reason = "it is written for several tests")]
mod relay;

use std::net::SocketAddr;
use std::time::Duration;

use floe_ice_agent::{Config, Role, Server as IceServer};
use floe_stun::attribute::*;
use floe_stun::{
    Builder, Class, Dropped, Input, Instant, Key, MAX_TRANSMIT, Machine, Message, Method, Output, Password,
    Received, RedirectRefused, SocketId, TransactionId,
};
use floe_turn_client::{AllocateFailure, BadAnswer, Client, Credentials, Event};
use libtest_mimic::Trial;
use peer::{SECOND, Scene, theirs};
use serde_json::Value;

use crate::folders::Folder;
use crate::sets::from_hex;

/// One test for each message that somebody above the bytes has to judge.
pub(crate) fn trials() -> Vec<Trial> {
    let cases = Folder::inside().file("torture/stun.jsonl");
    let cases = cases.text().lines().filter_map(|line| {
        let case: Value = serde_json::from_str(line).unwrap();
        let judge =
            ["agent", "client", "server"].into_iter().find(|judge| case["expect"][judge].is_string())?;
        let id = case["id"].as_str().unwrap().to_owned();
        let bytes = case["hex"].as_str().map_or_else(many_unknown, from_hex);
        let name = format!("torture/stun.jsonl {id}");
        Some(Trial::test(name, move || {
            by(judge, &id, &bytes);
            Ok(())
        }))
    });
    cases.collect()
}

fn by(judge: &str, id: &str, bytes: &[u8]) {
    let message = Message::decode(bytes).unwrap();
    match (judge, id) {
        ("agent", "addr-port-0") => mapped_port_zero(&message),
        ("agent", "both-roles") => both_roles(&message),
        ("agent", "no-role") => no_role(&message),
        ("agent", "use-candidate-from-controlled") => nominated_by_the_controlled(&message),
        ("agent", "request-unknown-required") => unknown_in_a_check(&message),
        ("agent", "response-no-mapped") => answer_without_address(&message),
        ("agent", "many-unknown-required") => capped_refusal(bytes),
        ("agent", "indication-no-username" | "indication-unknown-required") => silence(bytes),
        ("agent", "method-max" | "tid-zero") => {
            silence(bytes);
            server_silence(bytes);
        }
        ("client", "turn-refresh-no-lifetime") => refresh_without_lifetime(&message),
        ("client", "turn-alloc-no-relayed" | "turn-alloc-lifetime-0" | "turn-300-loopback") => {
            allocate(id, &message)
        }
        ("client", "turn-data-ind-no-peer") => dropped_data(bytes, Dropped::MissingAttribute),
        ("client", "turn-data-ind-peer-without-permission") => dropped_data(bytes, Dropped::NoPermission),
        ("server", "turn-channel-3fff") => assert_eq!(refusal(&message), 400),
        ("server", peer) if peer.starts_with("turn-peer") => assert_eq!(refusal(&message), 403),
        other => panic!("{other:?} has no judge"),
    }
}

/// The case that the corpus has in a file of its own: 16,383 attributes that must be understood.
fn many_unknown() -> Vec<u8> {
    let mut bytes = from_hex("0001fffc2112a4420102030405060708090a0b0c");
    for n in 0..0x3FFF_u16 {
        bytes.extend((0x7000 + n % 0xFFF).to_be_bytes());
        bytes.extend([0, 0]);
    }
    bytes
}

/// The attributes of a message under another name, id and key.
fn again(message: &Message<'_>, id: TransactionId, name: Option<&str>, key: &Key) -> Vec<u8> {
    let mut buf = [0; 2048];
    let mut builder = Builder::new(&mut buf, message.class(), message.method(), id);
    builder = builder.maybe(name.map(Username).as_ref());
    for raw in message.attributes().filter(|raw| raw.kind != Username::TYPE) {
        builder = builder.attribute_as(raw.kind, &Padding(raw.value));
    }
    builder.integrity(key).fingerprint().finish().unwrap().to_vec()
}

/// The message as a check of the peer.
fn as_check(scene: &mut Scene, message: &Message<'_>) -> Vec<u8> {
    let question = scene.question();
    let (name, key) = (question.username.unwrap(), Key::short_term(&question.pwd.unwrap()));
    again(message, question.id, Some(&name), &key)
}

/// Delivers it as a check of the peer; the code of the answer, 0 for success.
fn checked(scene: &mut Scene, message: &Message<'_>) -> Option<(u16, Vec<u16>)> {
    let check = as_check(scene, message);
    scene.answers();
    let _ = scene.deliver(theirs(0), &check);
    scene.answers().pop().map(|answer| (answer.code.unwrap_or(0), answer.unknown))
}

fn both_roles(message: &Message<'_>) {
    for role in [Role::Controlled, Role::Controlling] {
        let mut scene = Scene::introduced(Config::new(role));
        let answer = checked(&mut scene, message);
        assert!(answer.is_none_or(|(code, _)| code == 400), "answered");
        assert_eq!(scene.agent.role(), role);
    }
}

fn no_role(message: &Message<'_>) {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    assert_eq!(checked(&mut scene, message), Some((0, vec![])));
    assert_eq!(scene.agent.role(), Role::Controlled);
}

fn nominated_by_the_controlled(message: &Message<'_>) {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    assert_eq!(checked(&mut scene, message), Some((0, vec![])));
    scene.run(10 * SECOND);
    assert_eq!((scene.selected(), scene.agent.role()), (None, Role::Controlling));
}

fn unknown_in_a_check(message: &Message<'_>) {
    let mut scene = Scene::introduced(Config::new(Role::Controlled));
    assert_eq!(checked(&mut scene, message), Some((420, vec![0x7FFE])));
}

fn answer_without_address(message: &Message<'_>) {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let check = scene.checks().remove(0);
    let key = Key::short_term(scene.peer.pwd.reveal());
    let answer = again(message, check.id, None, &key);
    let _ = scene.deliver(check.sent.to, &answer);
    scene.run(2 * SECOND);
    assert_eq!(scene.selected(), None);
}

/// An agent that knows its peer, one that is connected, and one that knows nobody neither answer nor change.
fn silence(bytes: &[u8]) {
    let strangers = [Scene::new(Config::new(Role::Controlled)), Scene::connected(Role::Controlling)];
    for mut scene in strangers {
        let before = scene.fingerprint();
        scene.packets();
        let _ = scene.deliver(theirs(0), bytes);
        assert!(scene.packets().is_empty(), "no answer");
        assert_eq!(scene.fingerprint(), before, "nothing has changed");
    }
}

fn server_silence(bytes: &[u8]) {
    let mut world = relay::World::new();
    let _ = world.datagram(relay::V4, relay::addr("203.0.113.5:40000"), bytes);
    assert!(world.sent.is_empty());
}

/// The list of a 420 is no means to make a small question into a large answer.
fn capped_refusal(bytes: &[u8]) {
    silence(bytes);
    let mut world = relay::World::new();
    let _ = world.datagram(relay::V4, relay::addr("203.0.113.5:40000"), bytes);
    for sent in world.sent {
        let answer = Message::decode(&sent.bytes).unwrap();
        let listed = answer.find::<UnknownAttributes<'_>>().map_or(0, |list| list.iter().count());
        assert!(listed <= 32 && sent.bytes.len() <= bytes.len(), "{listed} listed");
    }
}

/// A server that says we are at port 0 makes no candidate.
fn mapped_port_zero(message: &Message<'_>) {
    let server: SocketAddr = "203.0.113.1:3478".parse().unwrap();
    let uri = format!("stun:{server}").parse().unwrap();
    let mut scene = Scene::new(Config::new(Role::Controlling).with_server(IceServer::stun(uri)));
    let asked = scene.packets().into_iter().find(|sent| sent.to == server).expect("the server is asked");
    let id = Message::decode(&asked.bytes).unwrap().id();
    let mut answer = message.as_bytes().to_vec();
    answer[8..20].copy_from_slice(id.as_bytes());
    let before = scene.agent.stats().local_candidates.len();
    let _ = scene.deliver(server, &answer);
    assert_eq!(scene.agent.stats().local_candidates.len(), before);
}

const SOCKET: SocketId = SocketId(3);
const SERVER: &str = "192.0.2.1:3478";
const REALM: &str = "example.org";

/// A TURN client, and what it asks of a server that says what the story wants.
struct Asking {
    client: Client,
    now: Instant,
    until: Option<Instant>,
    asked: Vec<Vec<u8>>,
    events: Vec<Event>,
}

impl Asking {
    /// The challenge has been answered, the Allocate is there.
    fn logged_in() -> Self {
        let credentials = Credentials::new("alice", Password::new("open sesame"));
        let config = floe_turn_client::Config::new(SOCKET, SERVER.parse().unwrap(), credentials);
        let client = Client::new(Instant::ORIGIN, config, [7; 32]);
        let (asked, events) = (Vec::new(), Vec::new());
        let mut asking = Self { client, now: Instant::ORIGIN, until: None, asked, events };
        asking.drain();
        let challenge = asking.answer(Class::Error, |builder| {
            builder.attribute(&ErrorCode::UNAUTHENTICATED).attribute(&Realm(REALM)).attribute(&Nonce("nonce"))
        });
        let _ = asking.hear(&challenge);
        asking
    }

    fn allocated() -> Self {
        let mut asking = Self::logged_in();
        let (relayed, mapped) = ("192.0.2.1:50000".parse().unwrap(), "203.0.113.5:40000".parse().unwrap());
        let key = asking.key();
        let id = asking.last_id();
        let mut buf = [0; 256];
        let builder = Builder::new(&mut buf, Class::Success, Method::ALLOCATE, id)
            .attribute(&XorRelayedAddress(relayed))
            .attribute(&XorMappedAddress(mapped))
            .attribute(&Lifetime(Duration::from_secs(600)));
        let success = builder.integrity(&key).finish().unwrap().to_vec();
        let _ = asking.hear(&success);
        assert!(matches!(asking.events[..], [Event::Allocated { .. }]));
        asking.events.clear();
        asking
    }

    fn key(&self) -> Key {
        Key::long_term_md5("alice", REALM, &Password::new("open sesame"))
    }

    fn last_id(&self) -> TransactionId {
        Message::decode(self.asked.last().unwrap()).unwrap().id()
    }

    /// An answer to the last request that nobody signed.
    fn answer(&self, class: Class, fill: impl FnOnce(Builder<'_>) -> Builder<'_>) -> Vec<u8> {
        let mut buf = [0; 256];
        let asked = Message::decode(self.asked.last().unwrap()).unwrap();
        fill(Builder::new(&mut buf, class, asked.method(), asked.id())).finish().unwrap().to_vec()
    }

    fn hear(&mut self, data: &[u8]) -> Option<Dropped> {
        let from = SERVER.parse().unwrap();
        let dropped = match self.client.handle_input(self.now, Input::Datagram { socket: SOCKET, from, data })
        {
            Received::Dropped(why) => Some(why),
            _ => None,
        };
        self.drain();
        dropped
    }

    /// The message as the signed answer to the last request.
    fn hear_as_answer(&mut self, message: &Message<'_>) {
        let asked = self.asked.last().unwrap();
        assert_eq!(message.method(), Message::decode(asked).unwrap().method());
        let answer = again(message, self.last_id(), None, &self.key());
        assert_eq!(self.hear(&answer), None);
    }

    fn drain(&mut self) {
        let mut buf = [0; MAX_TRANSMIT];
        self.until = loop {
            match self.client.poll_output(&mut buf) {
                Output::Transmit(transmit) => self.asked.push(transmit.bytes.to_vec()),
                Output::Event(event) => self.events.push(event),
                Output::Wait { until, .. } => break Some(until),
                Output::Idle => break None,
                Output::Need(need) => panic!("{need:?}"),
            }
        };
    }

    /// On to the next moment that the client names.
    fn wait(&mut self) {
        self.now = self.until.expect("the client waits for something");
        let _ = self.client.handle_input(self.now, Input::Timeout);
        self.drain();
    }
}

/// No allocation, and no question is asked again and again.
fn allocate(id: &str, message: &Message<'_>) {
    let mut asking = Asking::logged_in();
    let requests = asking.asked.len();
    asking.hear_as_answer(message);
    let loopback = "127.0.0.1:3478".parse().unwrap();
    let expected = match id {
        "turn-alloc-no-relayed" => AllocateFailure::BadAnswer(BadAnswer::Lacks("XOR-RELAYED-ADDRESS")),
        "turn-alloc-lifetime-0" => AllocateFailure::BadAnswer(BadAnswer::Lacks("a LIFETIME above zero")),
        _ => AllocateFailure::Redirected { to: loopback, why: RedirectRefused::NotAServer },
    };
    assert_eq!(asking.events, [Event::Failed(expected)]);
    // Giving back what may be there takes a request and its retransmissions.
    while asking.until.is_some() && asking.asked.len() < 100 {
        asking.wait();
    }
    assert!(asking.asked.len() <= requests + 7, "{} requests", asking.asked.len() - requests);
}

fn refresh_without_lifetime(message: &Message<'_>) {
    let mut asking = Asking::allocated();
    let before = asking.asked.len();
    while asking.asked.len() == before {
        asking.wait();
    }
    let refreshed = asking.now;
    asking.hear_as_answer(message);
    assert!(asking.events.is_empty() && asking.client.relayed().is_some(), "{:?}", asking.events);
    let until = asking.until.expect("it is refreshed again");
    assert!(until - refreshed > Duration::from_secs(5), "and not at once");
}

fn dropped_data(bytes: &[u8], why: Dropped) {
    assert_eq!(Asking::allocated().hear(bytes), Some(why));
}

/// What a server answers to the request of a client that has an allocation of the family it speaks of.
fn refusal(message: &Message<'_>) -> u16 {
    let mut world = relay::World::new();
    let v6 = message.find().is_some_and(|XorPeerAddress(peer)| peer.is_ipv6());
    let mut alice = relay::Client::alice();
    alice.challenge(&mut world);
    let family = RequestedAddressFamily(if v6 { Family::Ipv6 } else { Family::Ipv4 });
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |builder| {
        builder.attribute(&RequestedTransport::UDP).attribute(&family)
    });
    assert_eq!(relay::code(&answer), 0, "an allocation");
    assert_eq!(message.class(), Class::Request);
    let key = alice.key();
    let (name, nonce) = (Username(&alice.user), Nonce(&alice.nonce));
    let mut buf = [0; 1024];
    // The id stays: the addresses are hidden behind it.
    let builder = Builder::new(&mut buf, Class::Request, message.method(), message.id());
    let builder = message.attributes().fold(builder, |b, raw| b.attribute_as(raw.kind, &Padding(raw.value)));
    let builder = builder.attribute(&name).attribute(&Realm(relay::REALM)).attribute(&nonce);
    let builder = builder.attribute(&PasswordAlgorithms::SHA256_AND_MD5);
    let builder = builder.attribute(&PasswordAlgorithm(Algorithm::SHA256));
    let request = builder.integrity_sha256(&key).finish().unwrap().to_vec();
    let answer = alice.ask(&mut world, &request).expect("an answer");
    alice.check(&answer);
    relay::code(&answer)
}
