//! The messages printed in RFC 5769, and that of RFC 8489 appendix B.1 with its erratum.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

use floe_stun::attribute::{
    Algorithm, Attribute, IceControlled, Nonce, PasswordAlgorithm, Priority, Realm, Software, UserHash,
    Username, XorMappedAddress,
};
use floe_stun::{
    Builder, Class, DecodeError, Integrity, IntegrityError, Key, Message, Method, Password, TransactionId,
    userhash,
};

const REQUEST: &str = include_str!("../../../tests/corpora/vectors/rfc5769-2.1-sample-request.hex");
const IPV4_RESPONSE: &str =
    include_str!("../../../tests/corpora/vectors/rfc5769-2.2-sample-ipv4-response.hex");
const IPV6_RESPONSE: &str =
    include_str!("../../../tests/corpora/vectors/rfc5769-2.3-sample-ipv6-response.hex");
const LONG_TERM_REQUEST: &str =
    include_str!("../../../tests/corpora/vectors/rfc5769-2.4-sample-request-long-term.hex");
const SHA256_REQUEST: &str =
    include_str!("../../../tests/corpora/vectors/rfc8489-B.1-corrected-erratum-6268.hex");
const SHA256_REQUEST_AS_PRINTED: &str =
    include_str!("../../../tests/corpora/vectors/rfc8489-B.1-as-printed-INVALID.hex");

/// "Matrix" in Katakana, the user of both long-term vectors.
const USERNAME: &str = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
const REALM: &str = "example.org";
const NONCE: &str = "f//499k954d6OL34oL9FSTvy64sA";

/// The id of the three messages of RFC 5769 §2.1 to §2.3.
const ID: [u8; 12] = [0xB7, 0xE7, 0xA7, 0x01, 0xBC, 0x34, 0xD6, 0x86, 0xFA, 0x87, 0xDF, 0xAE];

#[test]
fn the_sample_request_is_read_and_verified() {
    let bytes = bytes(REQUEST);
    let message = Message::decode(&bytes).unwrap();

    assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
    assert_eq!(message.id(), TransactionId::from(ID));
    assert_eq!(message.fingerprint(), Some(true));
    let message = message.verify(&short_term()).unwrap();
    assert_eq!(message.by(), Integrity::Sha1);
    assert_eq!(message.get(), Some(Ok(Software("STUN test client"))));
    assert_eq!(message.get(), Some(Ok(Priority(0x6E00_01FF))));
    assert_eq!(message.get(), Some(Ok(IceControlled(0x932F_F9B1_5126_3B36))));
    assert_eq!(message.get(), Some(Ok(Username("evtj:h6vY"))));
}

#[test]
fn the_sample_responses_tell_the_mapped_address() {
    for (hex, mapped) in
        [(IPV4_RESPONSE, "192.0.2.1:32853"), (IPV6_RESPONSE, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let bytes = bytes(hex);
        let message = Message::decode(&bytes).unwrap();

        assert_eq!((message.class(), message.method()), (Class::Success, Method::BINDING));
        assert_eq!(message.id(), TransactionId::from(ID));
        assert_eq!(message.fingerprint(), Some(true));
        let message = message.verify(&short_term()).unwrap();
        assert_eq!(message.get(), Some(Ok(Software("test vector"))));
        assert_eq!(message.get(), Some(Ok(XorMappedAddress(mapped.parse().unwrap()))));
    }
}

#[test]
fn the_long_term_request_verifies_with_the_md5_key() {
    let bytes = bytes(LONG_TERM_REQUEST);
    let message = Message::decode(&bytes).unwrap();

    assert_eq!(message.fingerprint(), None);
    let key = Key::long_term_md5(USERNAME, REALM, &Password::new("TheMatrIX"));
    let message = message.verify(&key).unwrap();
    assert_eq!(message.get(), Some(Ok(Username(USERNAME))));
    assert_eq!(message.get(), Some(Ok(Nonce(NONCE))));
    assert_eq!(message.get(), Some(Ok(Realm(REALM))));
}

#[test]
fn the_sha256_request_verifies_with_the_sha256_key_and_hides_its_user() {
    let bytes = bytes(SHA256_REQUEST);
    let message = Message::decode(&bytes).unwrap();

    assert!(!message.has(Username::TYPE));
    assert_eq!(message.get(), Some(Ok(userhash(USERNAME, REALM))));
    assert_eq!(message.get(), Some(Ok(PasswordAlgorithm(Algorithm::SHA256))));
    assert_eq!(message.verify(&sha256()).unwrap().by(), Integrity::Sha256);
    let md5 = Key::long_term_md5(USERNAME, REALM, &Password::new("TheMatrIX"));
    assert_eq!(message.verify(&md5).unwrap_err(), IntegrityError::Mismatch);
}

#[test]
fn the_sha256_request_is_written_byte_for_byte() {
    let want = bytes(SHA256_REQUEST);
    let id = Message::decode(&want).unwrap().id();
    let nonce = format!("obMatJos2AAAC{NONCE}");
    let hash: UserHash = userhash(USERNAME, REALM);

    let mut buf = [0xEE; 256];
    let written = Builder::new(&mut buf, Class::Request, Method::BINDING, id)
        .attribute(&hash)
        .attribute(&Nonce(&nonce))
        .attribute(&Realm(REALM))
        .attribute(&PasswordAlgorithm(Algorithm::SHA256))
        .integrity_sha256(&sha256())
        .finish()
        .unwrap();

    assert_eq!(written, want);
}

/// The printed messages pad with spaces, we pad with zeros: the bytes differ in padding, HMAC and CRC alone.
#[test]
fn the_sample_request_is_written_with_zeros_for_padding() {
    let mut buf = [0xEE; 256];
    let written = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from(ID))
        .attribute(&Software("STUN test client"))
        .attribute(&Priority(0x6E00_01FF))
        .attribute(&IceControlled(0x932F_F9B1_5126_3B36))
        .attribute(&Username("evtj:h6vY"))
        .integrity(&short_term())
        .fingerprint()
        .finish()
        .unwrap();

    let printed = bytes(REQUEST);
    let differ: Vec<usize> = (0..printed.len()).filter(|&at| printed[at] != written[at]).collect();
    let (padding, tag, crc) = (73..76, 80..100, 104..108);
    assert!(
        differ.iter().all(|at| padding.contains(at) || tag.contains(at) || crc.contains(at)),
        "{differ:?}"
    );
    assert_eq!(written[padding], [0, 0, 0]);
    assert!(Message::decode(written).unwrap().verify(&short_term()).is_ok());
}

#[test]
fn every_vector_refuses_another_key() {
    for hex in [REQUEST, IPV4_RESPONSE, IPV6_RESPONSE, LONG_TERM_REQUEST, SHA256_REQUEST] {
        let bytes = bytes(hex);
        let verdict = Message::decode(&bytes).unwrap().verify(&Key::short_term("another"));
        assert_eq!(verdict.unwrap_err(), IntegrityError::Mismatch);
    }
}

#[test]
fn the_sha256_request_as_printed_is_refused() {
    let bytes = bytes(SHA256_REQUEST_AS_PRINTED);
    let error = Message::decode(&bytes).unwrap_err();
    assert_eq!(error, DecodeError::Truncated { need: 20 + 0x9C, have: 156 });
}

fn short_term() -> Key {
    Key::short_term("VOkJxbRl1RmTxUk/WvJxBt")
}

/// The password is given as OpaqueString leaves it.
fn sha256() -> Key {
    Key::long_term_sha256(USERNAME, REALM, &Password::new("TheMatrIX"))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.trim().as_bytes().chunks_exact(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
