//! Credentials as machines: each side against the other, and each against what an attacker or a fool may send
//! (RFC 8489 §9.1, §9.2).
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test")]

use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{
    Algorithm, AlternateServer, Attribute, ErrorCode, Lifetime, Nonce, PasswordAlgorithm, PasswordAlgorithms,
    Realm, UserHash, Username,
};
use floe_stun::credentials::{
    Attempt, Credentials, Denied, Gate, Login, LoginError, SecurityFeatures, ShortTerm, Verdict, Who,
    short_term,
};
use floe_stun::{
    Builder, Class, Dropped, Instant, Integrity, Key, Message, Method, Password, TransactionId, Transport,
    userhash,
};

const REALM: &str = "example.org";
const BOTH: &[u8] = PasswordAlgorithms::SHA256_AND_MD5.as_bytes();
const MD5_FIRST: &[u8] = &[0, 1, 0, 0, 0, 2, 0, 0];
/// Nonces that announce nothing, the algorithms, both features.
const PLAIN: &str = "f//499k954d6OL34oL9FSTvy64sA";
const STRONG: &str = "obMatJos2gAAAabc";
const ANONYMOUS: &str = "obMatJos2wAAAabc";

fn alice() -> Credentials {
    Credentials::new("alice", Password::new("open sesame"))
}

fn client() -> SocketAddr {
    "203.0.113.5:40000".parse().unwrap()
}

fn at(secs: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(secs)
}

fn message(class: Class, write: impl FnOnce(Builder<'_>) -> Vec<u8>) -> Vec<u8> {
    let mut buf = [0; 2048];
    write(Builder::new(&mut buf, class, Method::REFRESH, TransactionId::from([7; 12])))
}

/// What the client writes now.
fn ask(login: &Login, attempt: &mut Attempt) -> Vec<u8> {
    message(Class::Request, |builder| login.finish(builder, attempt).unwrap().to_vec())
}

fn challenge(code: ErrorCode<'static>, realm: Option<&str>, nonce: &str, list: Option<&[u8]>) -> Vec<u8> {
    message(Class::Error, |builder| {
        let list = list.map(PasswordAlgorithms::from_bytes);
        let builder = builder.attribute(&code).maybe(realm.map(Realm).as_ref());
        builder.attribute(&Nonce(nonce)).maybe(list.as_ref()).finish().unwrap().to_vec()
    })
}

fn hear<'m>(login: &mut Login, attempt: &mut Attempt, response: &'m [u8]) -> Result<Verdict<'m>, Dropped> {
    login.handle_response(attempt, Message::decode(response).unwrap())
}

/// A login that has taken up this challenge, with the request that answers it.
fn challenged(nonce: &str, list: Option<&[u8]>) -> (Login, Attempt, Vec<u8>) {
    let (mut login, mut attempt) = (Login::new(alice()), Attempt::new(Transport::Udp));
    ask(&login, &mut attempt);
    let refusal = challenge(ErrorCode::UNAUTHENTICATED, Some(REALM), nonce, list);
    assert!(matches!(hear(&mut login, &mut attempt, &refusal), Ok(Verdict::Again)));
    let request = ask(&login, &mut attempt);
    (login, attempt, request)
}

fn success(sign: impl FnOnce(Builder<'_>) -> Vec<u8>) -> Vec<u8> {
    message(Class::Success, |builder| sign(builder.attribute(&Lifetime(Duration::from_secs(600)))))
}

fn failed(verdict: Result<Verdict<'_>, Dropped>) -> LoginError {
    match verdict {
        Ok(Verdict::Failed(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn refused(verdict: Result<Verdict<'_>, Dropped>) -> (u16, bool) {
    match verdict {
        Ok(Verdict::Refused { code, proven }) => (code.code, proven.is_some()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_request_says_nothing_of_us() {
    // STUN-9.2.3.1-1
    let (login, mut attempt) = (Login::new(alice()), Attempt::new(Transport::Udp));
    let request = ask(&login, &mut attempt);
    assert_eq!(request.len(), 20);
    assert!(!attempt.is_signed() && !login.is_challenged());
}

#[test]
fn a_challenge_is_answered_in_its_own_words() {
    // STUN-9.2.5-2, STUN-9.2.5-3, STUN-9.2.2-1, STUN-9.2.2-2
    let (.., plain) = challenged(PLAIN, None);
    let plain = Message::decode(&plain).unwrap();
    assert_eq!((plain.find(), plain.find()), (Some(Realm(REALM)), Some(Nonce(PLAIN))));
    assert_eq!(plain.find(), Some(Username("alice")));
    assert_eq!(plain.find::<PasswordAlgorithm>(), None);
    assert_eq!(plain.verify(&alice().key(REALM, Algorithm::MD5)).unwrap().by(), Integrity::Sha1);

    let (.., strong) = challenged(STRONG, Some(MD5_FIRST));
    let strong = Message::decode(&strong).unwrap();
    assert_eq!(strong.find(), Some(PasswordAlgorithms::from_bytes(MD5_FIRST)));
    assert_eq!(strong.find(), Some(PasswordAlgorithm(Algorithm::MD5)), "the first that is known");
    assert_eq!(strong.verify(&alice().key(REALM, Algorithm::MD5)).unwrap().by(), Integrity::Sha256);

    let (.., anonymous) = challenged(ANONYMOUS, Some(BOTH));
    let anonymous = Message::decode(&anonymous).unwrap();
    assert_eq!(anonymous.find::<Username<'_>>(), None);
    assert_eq!(anonymous.find(), Some(userhash("alice", REALM)));
    assert!(anonymous.verify(&alice().key(REALM, Algorithm::SHA256)).is_ok());
}

#[test]
fn turn_takes_sha256_wherever_it_stands() {
    // TURN-6-1
    let (mut login, mut attempt) = (Login::new(alice()).preferring_sha256(), Attempt::new(Transport::Udp));
    let refusal = challenge(ErrorCode::UNAUTHENTICATED, Some(REALM), STRONG, Some(MD5_FIRST));
    assert!(matches!(hear(&mut login, &mut attempt, &refusal), Ok(Verdict::Again)));
    let request = ask(&login, &mut attempt);
    assert_eq!(Message::decode(&request).unwrap().find(), Some(PasswordAlgorithm(Algorithm::SHA256)));
}

#[test]
fn a_weakened_challenge_is_not_answered() {
    // STUN-9.2.5-1, STUN-9.2-1
    let bent = challenge(ErrorCode::UNAUTHENTICATED, Some(REALM), STRONG, None);
    let (mut login, mut attempt) = (Login::new(alice()), Attempt::new(Transport::Udp));
    assert_eq!(failed(hear(&mut login, &mut attempt, &bent)), LoginError::BidDown);

    let (mut login, mut attempt, _) = challenged(STRONG, Some(BOTH));
    let bent = challenge(ErrorCode::STALE_NONCE, Some(REALM), PLAIN, None);
    assert_eq!(failed(hear(&mut login, &mut attempt, &bent)), LoginError::BidDown, "there was a list before");

    let unknown = challenge(ErrorCode::UNAUTHENTICATED, Some(REALM), STRONG, Some(&[0, 9, 0, 0]));
    let (mut login, mut attempt) = (Login::new(alice()), Attempt::new(Transport::Udp));
    assert_eq!(failed(hear(&mut login, &mut attempt, &unknown)), LoginError::NoKnownAlgorithm);
}

#[test]
fn a_challenge_that_lacks_its_parts_is_named() {
    let (mut login, mut attempt) = (Login::new(alice()), Attempt::new(Transport::Udp));
    let no_realm = challenge(ErrorCode::UNAUTHENTICATED, None, PLAIN, None);
    assert_eq!(failed(hear(&mut login, &mut attempt, &no_realm)), LoginError::Lacks("REALM"));
    let no_nonce = message(Class::Error, |builder| {
        builder.attribute(&ErrorCode::UNAUTHENTICATED).attribute(&Realm(REALM)).finish().unwrap().to_vec()
    });
    assert_eq!(failed(hear(&mut login, &mut attempt, &no_nonce)), LoginError::Lacks("NONCE"));
    assert!(!login.is_challenged());
}

#[test]
fn the_same_credentials_are_not_shown_twice() {
    // STUN-9.2.5-4
    let (mut login, mut attempt, _) = challenged(PLAIN, None);
    let again = challenge(ErrorCode::UNAUTHENTICATED, Some(REALM), "another", None);
    assert_eq!(refused(hear(&mut login, &mut attempt, &again)), (401, false));
    let silent = challenge(ErrorCode::UNAUTHENTICATED, None, "another", None);
    assert_eq!(refused(hear(&mut login, &mut attempt, &silent)), (401, false));
    let elsewhere = challenge(ErrorCode::UNAUTHENTICATED, Some("elsewhere.example"), "another", None);
    assert!(matches!(hear(&mut login, &mut attempt, &elsewhere), Ok(Verdict::Again)));
}

#[test]
fn new_credentials_serve_once_the_old_ones_do_not() {
    let (mut login, mut attempt, old) = challenged(PLAIN, None);
    let (mut late, mut fresh) = (attempt.clone(), Attempt::new(Transport::Udp));
    login.renew(Credentials::new("bob", Password::new("hush")));
    let still = ask(&login, &mut fresh);
    assert_eq!(still, old, "as long as the server takes them");
    let refusal = challenge(ErrorCode::UNAUTHENTICATED, Some(REALM), PLAIN, None);
    assert!(matches!(hear(&mut login, &mut attempt, &refusal), Ok(Verdict::Again)));
    let request = ask(&login, &mut attempt);
    assert_eq!(Message::decode(&request).unwrap().find(), Some(Username("bob")));
    assert!(
        matches!(hear(&mut login, &mut late, &refusal), Ok(Verdict::Again)),
        "signed with the old ones, too"
    );
    assert_eq!(refused(hear(&mut login, &mut attempt, &refusal)), (401, false), "and these are as bad");
}

#[test]
fn a_name_that_was_hidden_stays_hidden() {
    let (mut login, mut attempt, _) = challenged(ANONYMOUS, Some(BOTH));
    let forged = challenge(ErrorCode::STALE_NONCE, Some(REALM), STRONG, Some(BOTH));
    assert!(matches!(hear(&mut login, &mut attempt, &forged), Ok(Verdict::Again)));
    let request = ask(&login, &mut attempt);
    let request = Message::decode(&request).unwrap();
    assert_eq!(request.find::<Username<'_>>(), None);
    assert_eq!(request.find(), Some(userhash("alice", REALM)));
}

#[test]
fn an_answer_to_an_old_challenge_weakens_no_new_one() {
    // STUN-9.2.5-9
    let (mut login, mut old, _) = challenged(PLAIN, None);
    let mut new = Attempt::new(Transport::Udp);
    ask(&login, &mut new);
    let stale = challenge(ErrorCode::STALE_NONCE, Some(REALM), STRONG, Some(BOTH));
    assert!(matches!(hear(&mut login, &mut new, &stale), Ok(Verdict::Again)));
    let key = alice().key(REALM, Algorithm::MD5);
    let late = success(|builder| builder.integrity(&key).finish().unwrap().to_vec());
    assert!(matches!(hear(&mut login, &mut old, &late), Ok(Verdict::Granted(_))));
    let request = ask(&login, &mut new);
    let key = alice().key(REALM, Algorithm::SHA256);
    assert_eq!(Message::decode(&request).unwrap().verify(&key).unwrap().by(), Integrity::Sha256);
}

#[test]
fn a_stale_nonce_is_renewed_but_not_for_ever() {
    // STUN-9.2.5-5
    let (mut login, mut attempt, _) = challenged(PLAIN, None);
    for nonce in ["one", "two", "three"] {
        let stale = challenge(ErrorCode::STALE_NONCE, None, nonce, None);
        assert!(matches!(hear(&mut login, &mut attempt, &stale), Ok(Verdict::Again)), "{nonce}");
        let request = ask(&login, &mut attempt);
        let request = Message::decode(&request).unwrap();
        assert_eq!((request.find(), request.find()), (Some(Nonce(nonce)), Some(Realm(REALM))));
        assert!(request.verify(&alice().key(REALM, Algorithm::MD5)).is_ok());
    }
    let stale = challenge(ErrorCode::STALE_NONCE, None, "four", None);
    assert_eq!(refused(hear(&mut login, &mut attempt, &stale)), (438, false));
    let mut fresh = Attempt::new(Transport::Udp);
    ask(&login, &mut fresh);
    assert!(matches!(hear(&mut login, &mut fresh, &stale), Ok(Verdict::Again)), "the next request may");
}

#[test]
fn only_who_knows_the_password_is_believed() {
    // STUN-9.2.5-8
    let (mut login, mut attempt, _) = challenged(PLAIN, None);
    let key = alice().key(REALM, Algorithm::MD5);
    let other = Key::short_term("another");
    let forged = success(|builder| builder.integrity(&other).finish().unwrap().to_vec());
    let bare = success(|builder| builder.finish().unwrap().to_vec());
    for bad in [&forged, &bare] {
        assert_eq!(hear(&mut login, &mut attempt, bad).unwrap_err(), Dropped::BadIntegrity);
        assert!(attempt.is_violated());
    }
    let good = success(|builder| builder.integrity(&key).finish().unwrap().to_vec());
    assert!(matches!(hear(&mut login, &mut attempt, &good), Ok(Verdict::Granted(_))));

    let (mut login, mut unasked) = (Login::new(alice()), Attempt::new(Transport::Udp));
    ask(&login, &mut unasked);
    assert_eq!(
        hear(&mut login, &mut unasked, &bare).unwrap_err(),
        Dropped::BadIntegrity,
        "nobody asked who we are"
    );
}

#[test]
fn on_a_stream_a_forgery_ends_the_request() {
    // STUN-9.1.4-3
    let (mut login, mut attempt) = (Login::new(alice()), Attempt::new(Transport::Tcp));
    let refusal = challenge(ErrorCode::UNAUTHENTICATED, Some(REALM), PLAIN, None);
    assert!(matches!(hear(&mut login, &mut attempt, &refusal), Ok(Verdict::Again)));
    ask(&login, &mut attempt);
    let bare = success(|builder| builder.finish().unwrap().to_vec());
    assert_eq!(failed(hear(&mut login, &mut attempt, &bare)), LoginError::IntegrityViolated);
}

#[test]
fn later_requests_are_signed_as_the_first_answer_was() {
    // STUN-9.2.3.2-2
    let (mut login, mut attempt, _) = challenged(PLAIN, None);
    let key = alice().key(REALM, Algorithm::MD5);
    let good = success(|builder| builder.integrity_sha256(&key).finish().unwrap().to_vec());
    assert!(matches!(hear(&mut login, &mut attempt, &good), Ok(Verdict::Granted(_))));
    let mut next = Attempt::new(Transport::Udp);
    let request = ask(&login, &mut next);
    assert_eq!(Message::decode(&request).unwrap().verify(&key).unwrap().by(), Integrity::Sha256);
    let weaker = success(|builder| builder.integrity(&key).finish().unwrap().to_vec());
    assert_eq!(hear(&mut login, &mut next, &weaker).unwrap_err(), Dropped::BadIntegrity);
}

#[test]
fn what_is_as_if_never_received_changes_nothing() {
    let (mut login, mut attempt, _) = challenged(STRONG, Some(BOTH));
    let key = alice().key(REALM, Algorithm::SHA256);
    // STUN-9.2.5-6: the cookie without the list, though signed.
    let bent = success(|builder| {
        builder.attribute(&Nonce(STRONG)).integrity_sha256(&key).finish().unwrap().to_vec()
    });
    assert_eq!(hear(&mut login, &mut attempt, &bent).unwrap_err(), Dropped::MissingAttribute);
    // STUN-9.2.5-7, STUN-14.8-3
    let bare = message(Class::Error, |builder| {
        builder.attribute(&ErrorCode::BAD_REQUEST).finish().unwrap().to_vec()
    });
    assert_eq!(hear(&mut login, &mut attempt, &bare).unwrap_err(), Dropped::BadIntegrity);
    assert!(!attempt.is_violated());
    let mut torn = success(|builder| builder.integrity_sha256(&key).fingerprint().finish().unwrap().to_vec());
    *torn.last_mut().unwrap() ^= 1;
    assert_eq!(hear(&mut login, &mut attempt, &torn).unwrap_err(), Dropped::BadFingerprint);
}

#[test]
fn a_redirection_is_proven_or_not() {
    // STUN-14.8-2
    let (mut login, mut attempt, _) = challenged(PLAIN, None);
    let elsewhere = AlternateServer("192.0.2.9:3478".parse().unwrap());
    let key = alice().key(REALM, Algorithm::MD5);
    let signed = message(Class::Error, |builder| {
        let builder = builder.attribute(&ErrorCode::TRY_ALTERNATE).attribute(&elsewhere);
        builder.integrity(&key).finish().unwrap().to_vec()
    });
    assert_eq!(refused(hear(&mut login, &mut attempt, &signed)), (300, true));
    let bare = message(Class::Error, |builder| {
        builder.attribute(&ErrorCode::TRY_ALTERNATE).attribute(&elsewhere).finish().unwrap().to_vec()
    });
    assert_eq!(hear(&mut login, &mut attempt, &bare).unwrap_err(), Dropped::BadIntegrity);
    let (mut login, mut unsigned) = (Login::new(alice()), Attempt::new(Transport::Udp));
    assert_eq!(refused(hear(&mut login, &mut unsigned, &bare)), (300, false));
}

#[test]
fn what_we_do_not_understand_fails_the_request() {
    // STUN-6.3.3-1, STUN-6.3.4-1
    struct Novelty;
    impl Attribute<'_> for Novelty {
        const TYPE: u16 = 0x7EEE;
        fn decode(_: &[u8], _: TransactionId) -> Result<Self, floe_stun::DecodeError> {
            Ok(Self)
        }
        fn encoded_len(&self) -> usize {
            0
        }
        fn encode(&self, _: &mut [u8], _: TransactionId) -> Result<(), floe_stun::EncodeError> {
            Ok(())
        }
    }
    let (mut login, mut attempt, _) = challenged(PLAIN, None);
    let key = alice().key(REALM, Algorithm::MD5);
    let strange = success(|builder| builder.attribute(&Novelty).integrity(&key).finish().unwrap().to_vec());
    assert_eq!(failed(hear(&mut login, &mut attempt, &strange)), LoginError::UnknownAttribute(0x7EEE));
    let mute = message(Class::Error, |builder| builder.integrity(&key).finish().unwrap().to_vec());
    assert_eq!(failed(hear(&mut login, &mut attempt, &mute)), LoginError::Lacks("ERROR-CODE"));
}

#[test]
fn a_realm_in_quotes_and_nulls_is_hashed_bare() {
    // STUN-9.2.2-1
    let user = Credentials::new("user", Password::new("pass"));
    let vector = Key::from_bytes(&0x8493_fbc5_3ba5_82fb_4c04_4c45_6bdc_40eb_u128.to_be_bytes());
    let signed = message(Class::Request, |builder| builder.integrity(&vector).finish().unwrap().to_vec());
    for realm in ["realm", "\"realm\"", "realm\0\0"] {
        let message = Message::decode(&signed).unwrap();
        assert!(message.verify(&user.key(realm, Algorithm::MD5)).is_ok(), "{realm:?}");
    }
}

#[test]
fn nulls_behind_a_password_are_not_hashed() {
    // STUN-9.2.2-1, STUN-9.2.2-2
    let key = |password, algorithm| Credentials::new("user", Password::new(password)).key(REALM, algorithm);
    for algorithm in [Algorithm::MD5, Algorithm::SHA256] {
        let bare = key("pass", algorithm);
        let signed = message(Class::Request, |builder| builder.integrity(&bare).finish().unwrap().to_vec());
        let message = Message::decode(&signed).unwrap();
        assert!(message.verify(&key("pass\0\0", algorithm)).is_ok(), "{algorithm:?}");
        assert!(message.verify(&key("\"pass\"", algorithm)).is_err(), "quotes belong to a password");
    }
}

#[cfg(feature = "precis")]
#[test]
fn a_hidden_name_is_hashed_with_the_prepared_realm() {
    // STUN-14.4-1
    assert_eq!(alice().hash("caf\u{e9}.example"), userhash("alice", "caf\u{e9}.example"));
    assert_eq!(alice().hash("cafe\u{301}.example"), userhash("alice", "caf\u{e9}.example"));
}

// The server's side.

fn gate() -> Gate {
    Gate::new(REALM, [1; 32], Duration::from_secs(600))
}

fn find(who: Who<'_>, algorithm: Algorithm) -> Option<(&'static str, Key)> {
    let known = match who {
        Who::Name(name) => name == "alice",
        Who::Hash(hash) => hash == userhash("alice", REALM),
    };
    known.then(|| ("alice", alice().key(REALM, algorithm)))
}

fn nonce_of(gate: &Gate, now: Instant) -> String {
    let challenge = message(Class::Error, |builder| {
        gate.challenge(builder.attribute(&ErrorCode::UNAUTHENTICATED), now, client())
            .finish()
            .unwrap()
            .to_vec()
    });
    let Nonce(nonce) = Message::decode(&challenge).unwrap().find().unwrap();
    nonce.into()
}

/// Judges a request with these attributes, signed with the MD5 key.
fn judge(gate: &Gate, now: Instant, fill: impl Fn(Builder<'_>) -> Builder<'_>) -> Result<Integrity, Denied> {
    let key = alice().key(REALM, Algorithm::MD5);
    let request = message(Class::Request, |builder| fill(builder).integrity(&key).finish().unwrap().to_vec());
    let believed = gate.authenticate(now, client(), &Message::decode(&request).unwrap(), find)?;
    assert_eq!(believed.user, "alice");
    Ok(believed.by)
}

const UNAUTHENTICATED: Denied = Denied::Challenge(ErrorCode::UNAUTHENTICATED);
const STALE: Denied = Denied::Challenge(ErrorCode::STALE_NONCE);

#[test]
fn the_gate_checks_in_the_order_of_the_text() {
    // STUN-9.2.4-1, -4, -5, -6, -7, -8, -10, -12, -13
    let gate = gate();
    let nonce = nonce_of(&gate, at(0));
    let nonce = nonce.as_str();
    let bare = message(Class::Request, |builder| builder.finish().unwrap().to_vec());
    let denied = gate.authenticate(at(0), client(), &Message::decode(&bare).unwrap(), find).unwrap_err();
    assert_eq!(denied, UNAUTHENTICATED);

    let user = Username("alice");
    assert_eq!(judge(&gate, at(0), |b| b), Err(Denied::BadRequest));
    assert_eq!(
        judge(&gate, at(0), |b| b.attribute(&Realm(REALM)).attribute(&Nonce(nonce))),
        Err(Denied::BadRequest)
    );
    assert_eq!(judge(&gate, at(0), |b| b.attribute(&user).attribute(&Nonce(nonce))), Err(Denied::BadRequest));
    assert_eq!(judge(&gate, at(0), |b| b.attribute(&user).attribute(&Realm(REALM))), Err(Denied::BadRequest));

    assert_eq!(judge_with(&gate, at(0), "alice", nonce, None, None), Ok(Integrity::Sha1), "implied MD5");
    assert_eq!(judge_with(&gate, at(0), "mallory", nonce, None, None), Err(UNAUTHENTICATED));
    assert_eq!(judge_with(&gate, at(600), "alice", nonce, None, None), Err(STALE));
    assert_eq!(judge_with(&gate, at(0), "alice", PLAIN, None, None), Err(STALE));
    assert_eq!(
        judge_with(&gate, at(600), "mallory", nonce, None, None),
        Err(UNAUTHENTICATED),
        "the name comes first"
    );

    let md5 = Some(Algorithm::MD5);
    assert_eq!(judge_with(&gate, at(0), "alice", nonce, Some(BOTH), md5), Ok(Integrity::Sha256));
    assert_eq!(judge_with(&gate, at(0), "alice", nonce, Some(BOTH), None), Err(Denied::BadRequest));
    assert_eq!(judge_with(&gate, at(0), "alice", nonce, None, md5), Err(Denied::BadRequest));
    assert_eq!(
        judge_with(&gate, at(0), "alice", nonce, Some(MD5_FIRST), md5),
        Err(Denied::BadRequest),
        "not ours"
    );
    let unlisted = Some(Algorithm(9));
    assert_eq!(judge_with(&gate, at(0), "alice", nonce, Some(BOTH), unlisted), Err(Denied::BadRequest));

    let wrong = Key::short_term("wrong");
    let forged = message(Class::Request, |b| {
        let b = b.attribute(&Username("alice")).attribute(&Realm(REALM)).attribute(&Nonce(nonce));
        b.integrity(&wrong).finish().unwrap().to_vec()
    });
    let denied = gate.authenticate(at(0), client(), &Message::decode(&forged).unwrap(), find).unwrap_err();
    assert_eq!(denied, UNAUTHENTICATED);
}

fn judge_with(
    gate: &Gate,
    now: Instant,
    name: &str,
    nonce: &str,
    list: Option<&[u8]>,
    chosen: Option<Algorithm>,
) -> Result<Integrity, Denied> {
    let (list, chosen) = (list.map(PasswordAlgorithms::from_bytes), chosen.map(PasswordAlgorithm));
    judge(gate, now, |b| {
        let b = b.attribute(&Username(name)).attribute(&Realm(REALM)).attribute(&Nonce(nonce));
        b.maybe(list.as_ref()).maybe(chosen.as_ref())
    })
}

#[test]
fn the_realm_of_a_gate_is_one_that_the_text_allows() {
    // STUN-14.9-1
    let realm = |text: &str| Gate::new(text, [1; 32], Duration::from_secs(600)).realm().to_owned();
    assert_eq!(realm("example.org"), "example.org");
    assert_eq!(realm("\"ex\\am\tple\".org\0"), "example.org");
    assert_eq!(realm(&"ä".repeat(128)), "ä".repeat(127));
}

#[test]
fn a_nonce_belongs_to_one_client() {
    // STUN-9.2.4-2, STUN-9.2.4-3
    let gate = gate();
    let nonce = nonce_of(&gate, at(0));
    let features = SecurityFeatures::of(&nonce);
    assert!(features.password_algorithms && features.username_anonymity);
    let key = alice().key(REALM, Algorithm::MD5);
    let request = message(Class::Request, |b| {
        let b = b.attribute(&Username("alice")).attribute(&Realm(REALM)).attribute(&Nonce(&nonce));
        b.integrity(&key).finish().unwrap().to_vec()
    });
    let request = Message::decode(&request).unwrap();
    assert!(gate.authenticate(at(1), client(), &request, find).is_ok());
    let other = "203.0.113.5:40001".parse().unwrap();
    assert_eq!(gate.authenticate(at(1), other, &request, find).unwrap_err(), STALE);
}

#[test]
fn a_client_and_a_gate_understand_each_other() {
    let gate = gate();
    let (mut login, mut attempt) = (Login::new(alice()), Attempt::new(Transport::Udp));
    ask(&login, &mut attempt);
    let refusal = message(Class::Error, |b| {
        gate.challenge(b.attribute(&ErrorCode::UNAUTHENTICATED), at(0), client()).finish().unwrap().to_vec()
    });
    assert!(matches!(hear(&mut login, &mut attempt, &refusal), Ok(Verdict::Again)));
    let request = ask(&login, &mut attempt);
    let request = Message::decode(&request).unwrap();
    assert!(request.has(UserHash::TYPE), "the gate keeps names to itself");
    let believed = gate.authenticate(at(0), client(), &request, find).unwrap();
    // STUN-9.2.4-9
    assert_eq!((believed.algorithm, believed.by), (Algorithm::SHA256, Integrity::Sha256));
}

// Short-term credentials.

fn pair() -> (ShortTerm, Key) {
    let credentials = Credentials::new("bob:alice", Password::new("VOkJxbRl1RmTxUk/WvJxBt"));
    let client = ShortTerm::new(&credentials);
    let key = client.key().clone();
    (client, key)
}

fn short(client: &ShortTerm, attempt: &mut Attempt) -> Vec<u8> {
    message(Class::Request, |builder| client.finish(builder, attempt).unwrap().to_vec())
}

#[test]
fn a_short_term_request_carries_both_until_the_answer_tells() {
    // STUN-9.1.2-1, STUN-9.1.5-1, STUN-9.1.4-1
    let (mut client, key) = pair();
    let mut attempt = Attempt::new(Transport::Udp);
    let first = short(&client, &mut attempt);
    assert_eq!(first.len(), 20 + 4 + 12 + 24 + 36, "USERNAME and both");
    let answer = success(|b| b.integrity(&key).finish().unwrap().to_vec());
    let verdict = client.handle_response(&mut attempt, Message::decode(&answer).unwrap());
    assert!(matches!(verdict, Ok(Verdict::Granted(_))));
    let second = short(&client, &mut attempt);
    assert_eq!(second.len(), 20 + 4 + 12 + 24, "MESSAGE-INTEGRITY alone");
}

#[test]
fn a_short_term_answer_of_nobody_is_as_if_never_received() {
    // STUN-9.1.4-2
    let (client, key) = pair();
    let mut client = client.signing_by(Integrity::Sha256);
    let mut attempt = Attempt::new(Transport::Udp);
    short(&client, &mut attempt);
    for bad in [
        success(|b| b.finish().unwrap().to_vec()),
        success(|b| b.integrity(&Key::short_term("another")).finish().unwrap().to_vec()),
        message(Class::Error, |b| b.attribute(&ErrorCode::UNAUTHENTICATED).finish().unwrap().to_vec()),
    ] {
        let verdict = client.handle_response(&mut attempt, Message::decode(&bad).unwrap());
        assert_eq!(verdict.unwrap_err(), Dropped::BadIntegrity);
        assert!(attempt.is_violated());
    }
    let other_kind = success(|b| b.integrity(&key).finish().unwrap().to_vec());
    let verdict = client.handle_response(&mut attempt, Message::decode(&other_kind).unwrap());
    assert_eq!(verdict.unwrap_err(), Dropped::BadIntegrity, "signed otherwise than asked");
    let good = success(|b| b.integrity_sha256(&key).finish().unwrap().to_vec());
    let verdict = client.handle_response(&mut attempt, Message::decode(&good).unwrap());
    assert!(matches!(verdict, Ok(Verdict::Granted(_))));
}

#[test]
fn an_answer_signed_with_less_is_no_silence() {
    // STUN-9.1.4-1, STUN-9.1.4-2
    let (client, key) = pair();
    let mut client = client.signing_by(Integrity::Sha256);
    let mut attempt = Attempt::new(Transport::Udp);
    short(&client, &mut attempt);
    let weaker = success(|b| b.integrity(&key).finish().unwrap().to_vec());
    let verdict = client.handle_response(&mut attempt, Message::decode(&weaker).unwrap());
    assert_eq!(verdict.unwrap_err(), Dropped::BadIntegrity);
    assert!(attempt.is_violated(), "nothing but discarded responses came");
}

#[test]
fn a_short_term_server_checks_in_the_order_of_the_text() {
    // STUN-9.1.3-1, -2, -3, -6
    let (client, key) = pair();
    let judge = |bytes: &[u8]| {
        let message = Message::decode(bytes).unwrap();
        short_term::authenticate(&message, |name| (name == "bob:alice").then_some(&key))
            .map(|(request, _)| request.by())
            .map_err(|code| code.code)
    };
    let mut attempt = Attempt::new(Transport::Udp);
    assert_eq!(judge(&short(&client, &mut attempt)), Ok(Integrity::Sha256));
    let request = |fill: fn(Builder<'_>) -> Builder<'_>, key: &Key| {
        message(Class::Request, |b| fill(b).integrity(key).finish().unwrap().to_vec())
    };
    fn named(b: Builder<'_>) -> Builder<'_> {
        b.attribute(&Username("bob:alice"))
    }
    assert_eq!(judge(&request(named, &key)), Ok(Integrity::Sha1));
    assert_eq!(judge(&request(|b| b, &key)), Err(400), "no name");
    assert_eq!(judge(&message(Class::Request, |b| named(b).finish().unwrap().to_vec())), Err(400), "no seal");
    assert_eq!(judge(&request(|b| b.attribute(&Username("eve:alice")), &key)), Err(401));
    let wrong = Key::short_term("wrong");
    assert_eq!(judge(&request(named, &wrong)), Err(401));
    let half = message(Class::Request, |b| {
        named(b).integrity(&key).integrity_sha256(&wrong).finish().unwrap().to_vec()
    });
    assert_eq!(judge(&half), Err(401), "the better one counts where both stand");
}

#[test]
fn secrets_do_not_show() {
    let (login, attempt, _) = challenged(PLAIN, None);
    let shown = format!("{login:?} {attempt:?} {:?} {:?}", pair().0, gate());
    assert!(!shown.contains("sesame") && !shown.contains("VOk"), "{shown}");
}
