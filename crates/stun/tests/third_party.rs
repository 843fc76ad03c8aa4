//! Tokens in place of passwords, both sides against each other and against what comes in between (RFC 7635).
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test")]

use std::net::SocketAddr;
use std::time::Duration;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce as CipherNonce};
use floe_stun::attribute::{
    AccessToken, Attribute, ErrorCode, Lifetime, Nonce, Realm, ThirdPartyAuthorization, Username,
};
use floe_stun::credentials::token::{SealedToken, TokenBlock, opener, seal};
use floe_stun::credentials::{
    Attempt, Credentials, Denied, Gate, Login, LoginError, ThirdParty, Token, Verdict,
};
use floe_stun::{
    Builder, Class, Dropped, Instant, Integrity, Key, Message, Method, Password, TransactionId, Transport,
};
use sha1::{Digest, Sha1};

/// RFC 7635 appendix A.
const NAME: &str = "blackdow.carleon.gov";
const SHARED: &[u8; 32] = b"HGkj32KJGiuy098sdfaqbNjOiaz71923";
const SESSION: &[u8; 20] = b"ZksjpweoixXmvn67534m";
const SEALED: &str = "000c68346a336b326c326e346235617ef134a3d5e44e9a19cc7dc104b0c03d03b2a551d8fdf5cd3b6dca6f10cfb77e\
                      5b2ddec84d293a5c50499359f0c2e26f76";
/// Its timestamp is a round second.
const MADE: Duration = Duration::from_secs(92_470_300_704_768 >> 16);
const HOUR: Duration = Duration::from_secs(3600);

const KID: &str = "22BIjxU93h/IgwEb";
const NOW: Instant = Instant::ORIGIN;

fn sealed() -> Vec<u8> {
    SEALED
        .as_bytes()
        .chunks(2)
        .map(|hex| u8::from_str_radix(str::from_utf8(hex).unwrap(), 16).unwrap())
        .collect()
}

fn token() -> Token {
    Token::new(KID, sealed(), SESSION, NOW + HOUR)
}

fn message(class: Class, method: Method, write: impl FnOnce(Builder<'_>) -> Vec<u8>) -> Vec<u8> {
    let mut buf = [0; 1024];
    write(Builder::new(&mut buf, class, method, TransactionId::from([7; 12])))
}

// The client.

fn ask(client: &ThirdParty, method: Method, attempt: &mut Attempt) -> Vec<u8> {
    message(Class::Request, method, |builder| client.finish(builder, method, attempt).unwrap().to_vec())
}

fn hear<'m>(
    client: &mut ThirdParty,
    attempt: &mut Attempt,
    response: &'m [u8],
) -> Result<Verdict<'m>, Dropped> {
    client.handle_response(attempt, Message::decode(response).unwrap())
}

fn refusal(code: ErrorCode<'static>, name: Option<&str>, nonce: &str) -> Vec<u8> {
    message(Class::Error, Method::ALLOCATE, |builder| {
        let builder = builder.attribute(&code).attribute(&Realm("example.org")).attribute(&Nonce(nonce));
        builder.maybe(name.map(ThirdPartyAuthorization).as_ref()).finish().unwrap().to_vec()
    })
}

fn is_401(verdict: Result<Verdict<'_>, Dropped>) -> bool {
    matches!(verdict, Ok(Verdict::Refused { code: ErrorCode { code: 401, .. }, proven: None }))
}

/// A client that was asked for a token and has one, with the request that shows it.
fn challenged() -> (ThirdParty, Attempt, Vec<u8>) {
    let (mut client, mut attempt) = (ThirdParty::new(), Attempt::new(Transport::Udp));
    client.give(token());
    ask(&client, Method::ALLOCATE, &mut attempt);
    let challenge = refusal(ErrorCode::UNAUTHENTICATED, Some(NAME), "one");
    assert!(matches!(hear(&mut client, &mut attempt, &challenge), Ok(Verdict::Again)));
    let request = ask(&client, Method::ALLOCATE, &mut attempt);
    (client, attempt, request)
}

#[test]
fn a_client_shows_the_token_it_was_asked_for() {
    // OAU-5-1
    let (mut client, mut attempt) = (ThirdParty::new(), Attempt::new(Transport::Udp));
    assert_eq!(ask(&client, Method::ALLOCATE, &mut attempt).len(), 20, "nothing at first");
    assert_eq!(client.wants_token(NOW), None);
    let challenge = refusal(ErrorCode::UNAUTHENTICATED, Some(NAME), "one");
    assert!(is_401(hear(&mut client, &mut attempt, &challenge)));
    assert_eq!(client.wants_token(NOW), Some(NAME));

    client.give(token());
    assert_eq!(client.wants_token(NOW), None);
    let request = ask(&client, Method::ALLOCATE, &mut attempt);
    let request = Message::decode(&request).unwrap();
    assert_eq!((request.find(), request.find()), (Some(Username(KID)), Some(AccessToken(&sealed()))));
    assert_eq!((request.find(), request.find()), (Some(Realm("example.org")), Some(Nonce("one"))));
    assert_eq!(request.verify(&Key::from_bytes(SESSION)).unwrap().by(), Integrity::Sha1);
}

#[test]
fn a_key_of_256_bits_signs_by_its_sha1() {
    let key = [5; 32];
    let (mut client, mut attempt) = (ThirdParty::new(), Attempt::new(Transport::Udp));
    client.give(Token::new(KID, sealed(), &key, NOW + HOUR));
    let challenge = refusal(ErrorCode::UNAUTHENTICATED, Some(NAME), "one");
    assert!(matches!(hear(&mut client, &mut attempt, &challenge), Ok(Verdict::Again)));
    let request = ask(&client, Method::ALLOCATE, &mut attempt);
    let short = Key::from_bytes(&Sha1::digest(key));
    assert!(Message::decode(&request).unwrap().verify(&short).is_ok());
}

#[test]
fn only_allocate_and_refresh_show_the_token() {
    // OAU-9-1
    let (client, mut attempt, _) = challenged();
    let mut shown = |method| {
        let request = ask(&client, method, &mut attempt);
        let request = Message::decode(&request).unwrap();
        assert_eq!(request.find(), Some(Username(KID)));
        assert!(request.verify(&Key::from_bytes(SESSION)).is_ok());
        request.has(AccessToken::TYPE)
    };
    assert!(shown(Method::ALLOCATE) && shown(Method::REFRESH) && shown(Method::BINDING));
    for method in [Method::CREATE_PERMISSION, Method::CHANNEL_BIND, Method::CONNECT, Method::CONNECTION_BIND]
    {
        assert!(!shown(method), "{method}");
    }
}

#[test]
fn a_token_comes_before_a_password_for_good() {
    // OAU-6.1-1
    let login = Login::new(Credentials::new("alice", Password::new("open sesame")));
    let mut client = ThirdParty::new().or_password(login);
    let mut attempt = Attempt::new(Transport::Udp);
    let plain = refusal(ErrorCode::UNAUTHENTICATED, None, "one");
    assert!(matches!(hear(&mut client, &mut attempt, &plain), Ok(Verdict::Again)), "a server without tokens");
    let request = ask(&client, Method::ALLOCATE, &mut attempt);
    assert_eq!(Message::decode(&request).unwrap().find(), Some(Username("alice")));

    let asked = refusal(ErrorCode::UNAUTHENTICATED, Some(NAME), "two");
    assert!(is_401(hear(&mut client, &mut attempt, &asked)));
    client.give(token());
    let stripped = refusal(ErrorCode::UNAUTHENTICATED, None, "three");
    let bent = message(Class::Error, Method::ALLOCATE, |b| {
        b.attribute(&ErrorCode::UNAUTHENTICATED).finish().unwrap().to_vec()
    });
    let _ = hear(&mut client, &mut attempt, &stripped);
    assert!(matches!(
        hear(&mut client, &mut attempt, &bent),
        Ok(Verdict::Failed(LoginError::Lacks("NONCE")))
    ));
    let request = ask(&client, Method::ALLOCATE, &mut attempt);
    assert_eq!(Message::decode(&request).unwrap().find(), Some(Username(KID)), "never the password again");
}

#[test]
fn only_who_knows_the_session_key_is_believed() {
    // OAU-8-1
    let (mut client, mut attempt, _) = challenged();
    let answer = |key: &[u8]| {
        message(Class::Success, Method::ALLOCATE, |builder| {
            builder.attribute(&Lifetime(HOUR)).integrity(&Key::from_bytes(key)).finish().unwrap().to_vec()
        })
    };
    let bare = message(Class::Success, Method::ALLOCATE, |builder| builder.finish().unwrap().to_vec());
    for forged in [&answer(b"another"), &bare] {
        assert_eq!(hear(&mut client, &mut attempt, forged).unwrap_err(), Dropped::BadIntegrity);
        assert!(attempt.is_violated());
    }
    assert!(matches!(hear(&mut client, &mut attempt, &answer(SESSION)), Ok(Verdict::Granted(_))));
}

#[test]
fn an_expired_or_refused_token_is_replaced() {
    // OAU-8-1, OAU-9-1
    let (mut client, mut attempt, _) = challenged();
    assert_eq!(client.wants_token(NOW + HOUR - Duration::from_nanos(1)), None);
    assert_eq!(client.wants_token(NOW + HOUR), Some(NAME));

    let refused = refusal(ErrorCode::UNAUTHENTICATED, None, "two");
    assert!(is_401(hear(&mut client, &mut attempt, &refused)));
    assert_eq!(client.wants_token(NOW), Some(NAME), "it knows the name from before");
    client.give(Token::new("another", sealed(), SESSION, NOW + HOUR));
    assert!(matches!(hear(&mut client, &mut attempt, &refused), Ok(Verdict::Again)), "that was the old one");
    let request = ask(&client, Method::REFRESH, &mut attempt);
    let request = Message::decode(&request).unwrap();
    assert_eq!((request.find(), request.find()), (Some(Username("another")), Some(Nonce("two"))));
}

#[test]
fn a_stale_nonce_is_renewed_but_not_for_ever() {
    let (mut client, mut attempt, _) = challenged();
    for nonce in ["two", "three", "four"] {
        let stale = refusal(ErrorCode::STALE_NONCE, None, nonce);
        assert!(matches!(hear(&mut client, &mut attempt, &stale), Ok(Verdict::Again)), "{nonce}");
        let request = ask(&client, Method::ALLOCATE, &mut attempt);
        assert_eq!(Message::decode(&request).unwrap().find(), Some(Nonce(nonce)));
    }
    let stale = refusal(ErrorCode::STALE_NONCE, None, "five");
    let verdict = hear(&mut client, &mut attempt, &stale);
    assert!(matches!(verdict, Ok(Verdict::Refused { code: ErrorCode { code: 438, .. }, proven: None })));
}

// The server.

fn open(token: SealedToken<'_>) -> Option<Vec<u8>> {
    assert_eq!(token.kid, KID);
    let payload = Payload { msg: token.ciphertext, aad: token.server_name.as_bytes() };
    Aes256Gcm::new(SHARED.into()).decrypt(&CipherNonce::try_from(token.nonce).ok()?, payload).ok()
}

fn from() -> SocketAddr {
    "203.0.113.5:40000".parse().unwrap()
}

fn gate() -> Gate {
    Gate::new("example.org", [1; 32], Duration::from_secs(600))
}

/// What a server of this name makes of a request with these bytes as token, under this key, at this time.
fn judge(name: &str, token: &[u8], key: &[u8], unix: Duration) -> Result<(Duration, Integrity), Denied> {
    let gate = gate();
    let request = message(Class::Request, Method::ALLOCATE, |builder| {
        let challenge = message(Class::Error, Method::ALLOCATE, |b| {
            gate.challenge(b, NOW, from()).finish().unwrap().to_vec()
        });
        let Nonce(nonce) = Message::decode(&challenge).unwrap().find().unwrap();
        let builder = builder.attribute(&Username(KID)).attribute(&Realm("example.org"));
        let builder = builder.attribute(&Nonce(nonce)).attribute(&AccessToken(token));
        builder.integrity(&Key::from_bytes(key)).finish().unwrap().to_vec()
    });
    let request = Message::decode(&request).unwrap();
    let believed = gate.authenticate(NOW, from(), &request, opener(&request, name, unix, open))?;
    Ok((believed.user, believed.by))
}

#[test]
fn the_token_of_the_rfc_is_opened() {
    // OAU-7-1, OAU-9-1
    let sealed = sealed();
    assert_eq!(judge(NAME, &sealed, SESSION, MADE), Ok((HOUR, Integrity::Sha1)));
    let later = MADE + Duration::from_secs(3000);
    assert_eq!(judge(NAME, &sealed, SESSION, later), Ok((Duration::from_secs(605), Integrity::Sha1)));
}

#[test]
fn a_token_of_another_server_time_or_client_is_refused() {
    // OAU-7-1
    let sealed = sealed();
    let unauthenticated = Err(Denied::Challenge(ErrorCode::UNAUTHENTICATED));
    assert_eq!(judge("another.example", &sealed, SESSION, MADE), unauthenticated, "associated data");
    assert_eq!(judge(NAME, &sealed, SESSION, MADE + HOUR + TokenBlock::DELTA), unauthenticated, "too old");
    assert_eq!(judge(NAME, &sealed, SESSION, MADE - HOUR - TokenBlock::DELTA), unauthenticated, "too new");
    assert_eq!(judge(NAME, &sealed, b"a key of somebody else", MADE), unauthenticated, "not signed by it");
    for at in 0..sealed.len() {
        let mut bent = sealed.clone();
        bent[at] ^= 1;
        assert_eq!(judge(NAME, &bent, SESSION, MADE), unauthenticated, "byte {at}");
    }
    for len in 0..sealed.len() {
        assert_eq!(judge(NAME, &sealed[..len], SESSION, MADE), unauthenticated, "{len} bytes");
    }
}

#[test]
fn a_server_without_tokens_does_not_know_the_attribute() {
    // OAU-7-1
    let (.., request) = challenged();
    assert!(Message::decode(&request).unwrap().unknown_required().eq([AccessToken::TYPE]));
}

#[test]
fn what_an_authorization_server_makes_is_the_token_of_the_rfc() {
    let block = TokenBlock { session_key: SESSION, made: MADE, lifetime: HOUR };
    let (plain, nonce) = (block.encode().unwrap(), b"h4j3k2l2n4b5");
    let payload = Payload { msg: &plain[..], aad: NAME.as_bytes() };
    let ciphertext = Aes256Gcm::new(SHARED.into()).encrypt(nonce.into(), payload).unwrap();
    assert_eq!(seal(nonce, &ciphertext), Ok(sealed()));
}
