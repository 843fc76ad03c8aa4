//! Who is believed.

mod support;

use floe_stun::attribute::Attribute;
use floe_stun::attribute::{
    Algorithm, ChannelNumberAttribute, Lifetime, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, Nonce,
    PasswordAlgorithm, PasswordAlgorithms, Realm, RequestedTransport, Software, UserHash, Username,
    XorPeerAddress,
};
use floe_stun::{
    Builder, Class, Dropped, Integrity, Key, Message, Method, Password, Received, SocketId, TransactionId,
    Transport, userhash,
};
use floe_turn_server::{Event, Limits};
use support::{Client, REALM, Scheme, V4, World, addr, code, config, kinds, relayed, secs};

/// STUN-9.2.4-1, STUN-9.2-1, STUN-9.2.4-3, STUN-9.2.4-11, TURNS-7.2-1
#[test]
fn a_stranger_is_challenged() {
    let mut world = World::new();
    let mut alice = Client::alice();
    let request = alice.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));

    let answer = alice.ask(&mut world, &request).unwrap();

    let message = Message::decode(&answer).unwrap();
    assert_eq!(code(&answer), 401);
    assert_eq!(message.find(), Some(Realm(REALM)));
    assert_eq!(message.find(), Some(PasswordAlgorithms::SHA256_AND_MD5));
    let Nonce(nonce) = message.find().unwrap();
    assert!(nonce.starts_with("obMatJos2wAAA"), "{nonce}: bits 0 and 1 of the features, from the left");
    for kind in [Username::TYPE, UserHash::TYPE] {
        assert!(!message.has(kind));
    }
    assert!(!message.has_integrity());
    assert_eq!((world.server.stats().allocations, world.events.len()), (0, 0));
}

/// STUN-9.2.4-5, STUN-9.2.4-9, STUN-9.2.2-1
#[test]
fn a_client_of_rfc_5389_allocates_with_md5_and_message_integrity() {
    let mut world = World::new();
    let mut bob = Client::bob();
    bob.challenge(&mut world);
    let answer = bob.ask_signed(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    relayed(&answer);
    let kinds: Vec<_> = kinds(&answer);
    assert!(kinds.contains(&MESSAGE_INTEGRITY) && !kinds.contains(&MESSAGE_INTEGRITY_SHA256));
}

/// STUN-9.2.4-9, STUN-9.2.2-2
#[test]
fn a_client_of_rfc_8489_allocates_with_sha256_and_hears_it_back() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    relayed(&answer);
    let kinds: Vec<_> = kinds(&answer);
    assert!(kinds.contains(&MESSAGE_INTEGRITY_SHA256) && !kinds.contains(&MESSAGE_INTEGRITY));
    for kind in [Realm::TYPE, Nonce::TYPE, Username::TYPE, UserHash::TYPE] {
        assert!(!kinds.contains(&kind), "{kind:#06x}");
    }
}

/// STUN-9.2.4-3, STUN-9.2.4-9: with PASSWORD-ALGORITHM MD5, MESSAGE-INTEGRITY-SHA256 all the same.
#[test]
fn a_client_may_hide_its_name_and_choose_md5() {
    let mut world = World::new();
    let mut bob = Client::bob();
    bob.challenge(&mut world);
    let mut buf = [0; 512];
    let request = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, bob.id())
        .attribute(&RequestedTransport::UDP)
        .attribute(&userhash("bob", REALM))
        .attribute(&Realm(REALM))
        .attribute(&Nonce(&bob.nonce))
        .attribute(&PasswordAlgorithms::SHA256_AND_MD5)
        .attribute(&PasswordAlgorithm(Algorithm::MD5))
        .integrity_sha256(&bob.key())
        .finish()
        .unwrap();
    let answer = bob.ask(&mut world, request).unwrap();
    relayed(&answer);
    let answer = Message::decode(&answer).unwrap();
    assert_eq!(answer.verify(&bob.key()).unwrap().by(), Integrity::Sha256);
}

/// STUN-9.2.4-6, STUN-9.2.4-7
#[test]
fn a_wrong_password_and_an_unknown_user_are_challenged_alike() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    for (user, password, scheme) in [
        ("alice", "guess", Scheme::Sha256),
        ("alice", "guess", Scheme::Md5),
        ("mallory", "wonderland", Scheme::Sha256),
        ("alice", "builder", Scheme::Md5),
    ] {
        let mut guess = Client { user: user.into(), password: password.into(), scheme, ..alice.clone() };
        let request = guess.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
        let answer = guess.ask(&mut world, &request).unwrap();
        let message = Message::decode(&answer).unwrap();
        assert_eq!(code(&answer), 401, "{user} {password}");
        assert_eq!(message.find(), Some(Realm(REALM)));
        assert!(message.find::<Nonce<'_>>().is_some());
        assert_eq!(message.find(), Some(PasswordAlgorithms::SHA256_AND_MD5));
        assert!(!message.has_integrity());
    }
    assert_eq!((world.needs.len(), world.server.stats().allocations), (0, 0));
}

/// STUN-9.2.4-4
#[test]
fn half_of_the_credentials_is_a_bad_request() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    for missing in 0..3 {
        let (key, id) = (alice.key(), alice.id());
        let mut buf = [0; 512];
        let builder = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, id)
            .maybe((missing != 0).then_some(&Username("alice")))
            .maybe((missing != 1).then_some(&Realm(REALM)))
            .maybe((missing != 2).then_some(&Nonce(&alice.nonce)));
        let request = builder.integrity(&key).finish().unwrap();
        let answer = alice.ask(&mut world, request).unwrap();
        assert_eq!(code(&answer), 400);
        let message = Message::decode(&answer).unwrap();
        assert!(!message.has(Nonce::TYPE) && !message.has(Realm::TYPE) && !message.has_integrity());
    }
}

/// STUN-9.2.4-12, STUN-9.2.4-13
#[test]
fn a_list_of_algorithms_that_somebody_has_bent_is_a_bad_request() {
    const MD5_ONLY: PasswordAlgorithms<'static> = PasswordAlgorithms::from_bytes(&[0, 1, 0, 0]);
    let sent = Some(PasswordAlgorithms::SHA256_AND_MD5);
    let mut world = World::new();
    let mut bob = Client::bob();
    bob.challenge(&mut world);
    for (list, one) in [
        (sent, None),
        (None, Some(Algorithm::MD5)),
        (Some(MD5_ONLY), Some(Algorithm::MD5)),
        (sent, Some(Algorithm(3))),
    ] {
        let (key, id) = (bob.key(), bob.id());
        let mut buf = [0; 512];
        let request = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, id)
            .attribute(&RequestedTransport::UDP)
            .attribute(&Username("bob"))
            .attribute(&Realm(REALM))
            .attribute(&Nonce(&bob.nonce))
            .maybe(list.as_ref())
            .maybe(one.map(PasswordAlgorithm).as_ref())
            .integrity_sha256(&key)
            .finish()
            .unwrap();
        assert_eq!(code(&bob.ask(&mut world, request).unwrap()), 400, "{list:?} {one:?}");
    }
}

/// STUN-9.2-1: a nonce whose cookie somebody has bent, so that the client falls back to MD5, is not ours.
#[test]
fn a_client_that_was_talked_down_to_md5_gets_the_true_nonce() {
    let mut world = World::new();
    let mut bob = Client::bob();
    bob.challenge(&mut world);
    bob.nonce = bob.nonce.replace("wAAA", "AAAA");
    let request = bob.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    assert_eq!(code(&bob.ask(&mut world, &request).unwrap()), 438);
}

/// TURNS-5-3
#[test]
fn every_second_and_every_client_has_its_own_nonce() {
    let mut world = World::new();
    let mut nonces = std::collections::BTreeSet::new();
    for second in 0..50 {
        for mut client in [Client::alice(), Client::bob()] {
            client.challenge(&mut world);
            assert!(nonces.insert(client.nonce), "second {second}");
        }
        world.pass(secs(1));
    }
}

/// STUN-9.2.4-8, TURNS-5-3
#[test]
fn a_nonce_ends_after_an_hour_and_the_new_one_works() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    for _ in 0..6 {
        world.pass(secs(590));
        assert_eq!(alice.refresh(&mut world, None), (0, Some(600)));
    }
    world.pass(secs(3600 - 6 * 590 - 1));
    assert_eq!(alice.refresh(&mut world, None), (0, Some(600)));
    world.pass(secs(1));

    let request = alice.signed(Method::REFRESH, |b| b);
    let answer = alice.ask(&mut world, &request).unwrap();
    let message = Message::decode(&answer).unwrap();
    assert_eq!(code(&answer), 438);
    assert_eq!(message.find(), Some(Realm(REALM)));
    assert_eq!(message.find(), Some(PasswordAlgorithms::SHA256_AND_MD5));

    alice.take_nonce(&answer);
    assert_eq!(alice.refresh(&mut world, None), (0, Some(600)));
}

/// STUN-9.2.4-2
#[test]
fn a_nonce_is_good_for_one_address_and_port_only() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    for elsewhere in ["203.0.113.5:40001", "203.0.113.99:40000", "[2001:db8::5]:40000"] {
        let mut thief = Client { nonce: alice.nonce.clone(), ..Client::alice() };
        thief.address = addr(elsewhere);
        thief.socket = if thief.address.is_ipv4() { V4 } else { support::V6 };
        let request = thief.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
        let answer = thief.ask(&mut world, &request).unwrap();
        assert_eq!(code(&answer), 438, "{elsewhere}");
        let own = Message::decode(&answer).unwrap().find::<Nonce<'_>>().unwrap().0.to_owned();
        assert_ne!(own, alice.nonce);
    }
}

/// STUN-9.2.4-10: the nonce is looked at last, so a wrong password with an old nonce is a wrong password.
#[test]
fn the_checks_run_in_the_order_of_the_rfc() {
    let mut world = World::new();
    let mut guess = Client { password: "guess".into(), nonce: "stale".into(), ..Client::alice() };
    let request = guess.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    assert_eq!(code(&guess.ask(&mut world, &request).unwrap()), 401);
}

/// STUN-6.3-4: credentials first, then attributes.
#[test]
fn unknown_attributes_are_complained_of_only_to_users() {
    let mut world = World::new();
    let mut alice = Client::alice();
    let mut request = alice.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    request.extend([0x7F, 0x01, 0, 0]);
    request[3] = 12;
    assert_eq!(code(&alice.ask(&mut world, &request).unwrap()), 401);
}

#[test]
fn attributes_behind_the_integrity_are_not_obeyed() {
    let mut world = World::new();
    let mut bob = Client::bob();
    let relayed = bob.allocate(&mut world);
    let mut request = bob.signed(Method::REFRESH, |b| b);
    request.extend([0x00, 0x0D, 0, 4, 0, 0, 0, 0]); // LIFETIME 0
    let length = u16::try_from(request.len() - 20).unwrap();
    request[2..4].copy_from_slice(&length.to_be_bytes());
    let answer = bob.ask(&mut world, &request).unwrap();
    assert_eq!(code(&answer), 0);
    assert_eq!(world.server.stats().allocations, 1, "{relayed} is still there");
}

/// STUN-6.3.1.1-2
#[test]
fn software_is_told_to_users_and_not_to_strangers() {
    let mut world = World::with(config().with_software("floe"));
    let mut alice = Client::alice();
    let request = alice.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    let answer = alice.ask(&mut world, &request).unwrap();
    assert_eq!(Message::decode(&answer).unwrap().find::<Software<'_>>(), None);
    alice.take_nonce(&answer);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    assert_eq!(Message::decode(&answer).unwrap().find(), Some(Software("floe")));
}

#[test]
fn as_much_of_the_software_is_told_as_an_attribute_carries() {
    let mut world = World::with(config().with_software("ä".repeat(200)));
    let mut alice = Client::alice();
    let request = alice.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    let answer = alice.ask(&mut world, &request).unwrap();
    alice.take_nonce(&answer);
    let answer = alice.ask_signed(&mut world, Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    assert_eq!(Message::decode(&answer).unwrap().find(), Some(Software(&"ä".repeat(127))));
}

/// What is answered to a forged source address comes to somebody who has asked for nothing.
#[test]
fn a_stranger_gets_at_most_three_times_what_was_sent() {
    type Build = for<'b> fn(Builder<'b>) -> Builder<'b>;
    const BARE: Build = |b| b;
    const UDP: Build = |b| b.attribute(&RequestedTransport::UDP);
    const PEER: Build = |b| b.attribute(&XorPeerAddress(addr("198.51.100.7:7")));
    const CHANNEL: Build = |b| PEER(b.attribute(&ChannelNumberAttribute(0x4000)));
    /// The shortest request that has all parts of a login.
    const NAMED: Build = |b| b.attribute(&Username("")).attribute(&Realm("")).attribute(&Nonce(""));
    /// With the lengths of request and answer.
    type Case = (Method, Build, Option<(usize, usize)>);
    let cases: [Case; 9] = [
        (Method::BINDING, BARE, Some((20, 32))),
        (Method::ALLOCATE, UDP, Some((28, 84))),
        (Method::ALLOCATE, BARE, None),
        (Method::ALLOCATE, |b| b.attribute(&Lifetime(secs(600))), None),
        (Method::REFRESH, BARE, None),
        (Method::REFRESH, NAMED, None),
        (Method::CREATE_PERMISSION, BARE, None),
        (Method::CREATE_PERMISSION, PEER, None),
        (Method::CHANNEL_BIND, CHANNEL, None),
    ];
    let answered = |world: &mut World, client: &Client, request: &[u8]| {
        let _ = world.datagram(client.socket, client.address, request);
        world.take_sent(client.address).pop().map(|sent| sent.bytes.len())
    };
    for has_allocation in [false, true] {
        for (place, (method, build, expected)) in cases.into_iter().enumerate() {
            let mut world = World::new();
            let mut alice = Client::alice();
            if has_allocation {
                alice.allocate(&mut world);
            }
            let request = alice.bare(method, build);
            let lengths = answered(&mut world, &alice, &request).map(|len| (request.len(), len));
            assert_eq!(lengths, expected, "case {place}, with an allocation: {has_allocation}");
        }
    }
    // Whatever else is added.
    for from in ["203.0.113.5:40000", "[2001:db8::5]:40000"] {
        for method in [
            Method::BINDING,
            Method::ALLOCATE,
            Method::REFRESH,
            Method::CREATE_PERMISSION,
            Method::CHANNEL_BIND,
        ] {
            for build in [BARE, UDP, PEER, CHANNEL, NAMED, |b| NAMED(UDP(b))] {
                for (seal, unknown) in [(false, 0), (false, 1), (false, 2), (false, 40), (true, 0)] {
                    let mut world = World::new();
                    let mut stranger = Client::new(from, "", "", Scheme::Md5);
                    let mut buf = [0; 512];
                    let builder = build(Builder::new(&mut buf, Class::Request, method, stranger.id()));
                    let sealed =
                        if seal { builder.integrity(&stranger.key()).finish() } else { builder.finish() };
                    let mut request = sealed.unwrap().to_vec();
                    for _ in 0..unknown {
                        request.extend([0x7F, 0x01, 0, 0]);
                    }
                    let length = u16::try_from(request.len() - 20).unwrap();
                    request[2..4].copy_from_slice(&length.to_be_bytes());
                    let answer = answered(&mut world, &stranger, &request).unwrap_or(0);
                    assert!(answer <= 3 * request.len(), "{method:?}: {} -> {answer}", request.len());
                }
            }
        }
    }
}

/// TURNS-5-1: a client whose allocation is lost signs, so that it hears of it, with an old nonce too.
#[test]
fn a_client_whose_server_was_restarted_hears_that_its_allocation_is_gone() {
    for method in [Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND] {
        let mut before = World::new();
        let mut alice = Client::alice();
        before.pass(secs(7));
        alice.allocate(&mut before);

        let mut world = World::new();
        let request = alice.signed(method, |b| b);
        let answer = alice.ask(&mut world, &request).unwrap();
        assert_eq!(code(&answer), 438);
        alice.take_nonce(&answer);
        assert_eq!(code(&alice.ask_signed(&mut world, method, |b| b)), 437);
    }
}

#[test]
fn strangers_are_rationed_by_address_and_users_are_not() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    world.pass(secs(1));
    let flood =
        |world: &mut World, from: &dyn Fn(u16) -> String, build: fn(Builder<'_>) -> Builder<'_>, method| {
            for n in 0..10_000 {
                let mut client = Client::new(&from(n), "", "", Scheme::Md5);
                let request = client.bare(method, build);
                let _ = world.datagram(client.socket, client.address, &request);
            }
            std::mem::take(&mut world.sent).len()
        };
    let udp: fn(Builder<'_>) -> Builder<'_> = |b| b.attribute(&RequestedTransport::UDP);
    assert_eq!(flood(&mut world, &|n| format!("203.0.113.5:{}", 1000 + n), udp, Method::ALLOCATE), 20);
    assert_eq!(flood(&mut world, &|_| "203.0.113.7:7".into(), |b| b, Method::BINDING), 20);
    assert_eq!(flood(&mut world, &|n| format!("[2001:db8::{n:x}]:7"), udp, Method::ALLOCATE), 20);
    assert_eq!(alice.refresh(&mut world, None), (0, Some(600)), "from an address that has had its share");
    world.pass(secs(1));
    Client { address: addr("203.0.113.5:1"), ..Client::alice() }.allocate(&mut world);
}

#[test]
fn strangers_can_be_rationed_by_address() {
    let mut limits = Limits::default();
    limits.unauthenticated_per_second = Some(10);
    let mut world = World::with(config().with_limits(limits));
    let mut answered = 0;
    for port in 1000..1100 {
        let mut client = Client::new(&format!("203.0.113.5:{port}"), "", "", Scheme::Md5);
        let request = client.bare(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
        match world.datagram(V4, client.address, &request) {
            Received::Consumed => answered += 1,
            other => assert_eq!(other, Received::Dropped(Dropped::RateLimited)),
        }
    }
    assert_eq!((answered, world.sent.len()), (10, 10));
    world.sent.clear();
    world.pass(secs(1));
    Client::alice().allocate(&mut world);
}

#[test]
fn a_request_too_large_for_any_use_is_not_looked_at() {
    let mut world = World::new();
    let mut alice = Client::alice();
    let filler = [0_u8; 3000];
    let request = alice.signed(Method::ALLOCATE, |b| b.attribute(&floe_stun::attribute::Data(&filler)));
    assert_eq!(world.datagram(V4, alice.address, &request), Received::Dropped(Dropped::TooLarge));
}

/// What a host that does not drain between inputs can pile up is bounded.
#[test]
fn answers_that_nobody_fetches_do_not_pile_up() {
    use floe_stun::{Input, Machine};
    let mut limits = Limits::default();
    limits.queued_answers = 5;
    let mut world = World::with(config().with_limits(limits));
    let mut client = Client::alice();
    let mut dropped = 0;
    for _ in 0..20 {
        let request = client.bare(Method::BINDING, |b| b);
        let input = Input::Datagram { socket: V4, from: client.address, data: &request };
        let verdict = world.server.handle_input(world.now, input);
        dropped += usize::from(verdict == Received::Dropped(Dropped::LimitReached));
    }
    assert_eq!(dropped, 15);
    world.drain();
    assert_eq!(world.sent.len(), 5);
}

/// The keys of the three kinds of client are what RFC 8489 §18.5.1 says, whatever this server thinks of them.
#[test]
fn a_key_of_another_realm_opens_nothing() {
    let mut world = World::new();
    let mut alice = Client::alice();
    alice.challenge(&mut world);
    let other = Key::long_term_sha256("alice", "example.org", &Password::new("wonderland"));
    let mut buf = [0; 512];
    let request = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, TransactionId::from([4; 12]))
        .attribute(&RequestedTransport::UDP)
        .attribute(&Username("alice"))
        .attribute(&Realm("example.org"))
        .attribute(&Nonce(&alice.nonce))
        .attribute(&PasswordAlgorithms::SHA256_AND_MD5)
        .attribute(&PasswordAlgorithm(Algorithm::SHA256))
        .integrity_sha256(&other)
        .finish()
        .unwrap();
    assert_eq!(code(&alice.ask(&mut world, request).unwrap()), 401);
}

#[test]
fn the_operator_hears_of_wrong_credentials_and_not_of_strangers() {
    let mut world = World::new();
    let mut mallory = Client::new("203.0.113.9:4000", "bob", "guess", Scheme::Md5);
    mallory.challenge(&mut world);
    assert!(world.events.is_empty(), "{:?}", world.events);
    let request = mallory.signed(Method::ALLOCATE, |b| b.attribute(&RequestedTransport::UDP));
    mallory.ask(&mut world, &request);
    assert_eq!(world.events, [Event::LoginFailed { client: addr("203.0.113.9:4000") }]);
}

/// Who forges a user's address can use up its allowance, and must not come between the user and a new nonce.
#[test]
fn a_forger_cannot_keep_a_user_from_a_new_nonce() {
    let mut world = World::with(config());
    let mut alice = Client::alice();
    alice.allocate(&mut world);
    assert_eq!(alice.refresh(&mut world, Some(3600)), (0, Some(3600)));
    world.pass(secs(3590));
    assert_eq!(alice.refresh(&mut world, Some(3600)), (0, Some(3600)));
    world.pass(secs(3000));
    let forged = alice.bare(Method::BINDING, |b| b);
    for _ in 0..40 {
        let _ = world.datagram(V4, alice.address, &forged);
    }
    world.take_sent(alice.address);
    let request = alice.signed(Method::REFRESH, |b| b);
    let answer = alice.ask(&mut world, &request).expect("an answer");
    assert_eq!(code(&answer), 438);
    alice.take_nonce(&answer);
    assert_eq!(alice.refresh(&mut world, None).0, 0);

    // A client over TCP is where it says to be.
    let stream = SocketId(50);
    world.server.accept(stream, Transport::Tcp);
    let mut bob = Client { socket: stream, address: alice.address, ..Client::bob() };
    bob.challenge(&mut world);
    bob.allocate(&mut world);
}
