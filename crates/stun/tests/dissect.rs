//! Taking bytes apart agrees with reading them, and goes on where reading stops.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

use floe_stun::attribute::*;
use floe_stun::dissect::{Dissection, Fault, Standing};
use floe_stun::{Builder, Class, DecodeError, HEADER_LEN, Key, Message, Method, TransactionId};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn whatever_the_bytes_it_agrees_with_decoding(bytes in messages()) {
        agrees(&bytes);
    }

    #[test]
    fn any_body_behind_a_right_header_is_walked_like_a_reader_walks_it(body in vec(any::<u8>(), 0..80)) {
        let body = &body[..body.len() / 4 * 4];
        agrees(&with_body(body));
    }

    #[test]
    fn it_agrees_on_seals_in_any_order(kinds in vec(prop_oneof![
        Just((MESSAGE_INTEGRITY, 20)), Just((MESSAGE_INTEGRITY_SHA256, 32)), Just((FINGERPRINT, 4)),
        Just((Software::TYPE, 5)), Just((MESSAGE_INTEGRITY, 3)),
    ], 0..6)) {
        let mut body = Vec::new();
        for (kind, len) in kinds {
            body.extend(kind.to_be_bytes());
            body.extend(u16::try_from(len).unwrap().to_be_bytes());
            body.extend(vec![0xEE; usize::next_multiple_of(len, 4)]);
        }
        agrees(&with_body(&body));
    }
}

/// What must hold of any bytes.
fn agrees(bytes: &[u8]) {
    let dissection = Dissection::of(bytes);
    let visible = || dissection.parts().filter(|part| part.standing == Standing::Visible);
    match (Message::decode(bytes), dissection.fault()) {
        (Ok(message), fault) => {
            assert_eq!(fault, None);
            assert_eq!(dissection.message_type(), Some((message.class(), message.method())));
            assert_eq!(dissection.id(), Some(message.id()));
            let shown = visible().map(|part| (part.kind, part.value));
            assert!(shown.eq(message.attributes().map(|raw| (raw.kind, raw.value))));
            let end = dissection
                .parts()
                .last()
                .map_or(HEADER_LEN, |last| last.offset + 4 + usize::from(last.length).next_multiple_of(4));
            assert_eq!(end, bytes.len(), "nothing is left out");
        }
        (Err(error), Some(fault)) => {
            assert!(fault.offset <= bytes.len());
            let of_seals = matches!(error, DecodeError::WrongLength { .. } | DecodeError::FingerprintNotLast);
            assert!(error == fault.error || of_seals, "{error:?} is not {fault:?}");
        }
        (Err(error), None) => {
            let of_seals = matches!(error, DecodeError::WrongLength { .. } | DecodeError::FingerprintNotLast);
            assert!(of_seals, "{error:?}");
        }
    }
    let mut end = HEADER_LEN;
    for part in dissection.parts() {
        assert_eq!(part.offset, end, "one stands behind the other");
        end += 4 + part.value.len() + part.padding.len();
        assert!(part.value.len() <= usize::from(part.length) && end <= bytes.len());
    }
}

/// Messages with a bit flipped, cut, or with bytes behind their end; most of them with seals.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let edit = prop_oneof![
        Just(None),
        any::<(usize, u8)>().prop_map(|(at, bit)| Some((at, Some(bit)))),
        any::<usize>().prop_map(|at| Some((at, None))),
    ];
    (".{0,20}", any::<bool>(), vec(any::<u8>(), 0..5), edit).prop_map(|(text, sealed, tail, edit)| {
        let mut bytes = signed(&text, sealed);
        let len = bytes.len();
        match edit {
            Some((at, Some(bit))) => bytes[at % len] ^= 1 << (bit % 8),
            Some((at, None)) => bytes.truncate(at % len),
            None => bytes.extend(tail),
        }
        bytes
    })
}

fn signed(text: &str, sealed: bool) -> Vec<u8> {
    let (key, mut buf) = (Key::short_term("secret"), [0; 512]);
    let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([7; 12]));
    let builder = builder.attribute(&Username(text)).attribute(&Priority(1));
    let bytes = match sealed {
        true => builder.integrity(&key).integrity_sha256(&key).fingerprint().finish(),
        false => builder.finish(),
    };
    bytes.unwrap().to_vec()
}

fn with_body(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [b"\0\x01", &length[..], b"\x21\x12\xA4\x42abcdefghijkl", body].concat()
}

#[test]
fn each_seal_is_what_the_key_makes_of_what_it_covers() {
    let (bytes, key) = (signed("evtj:h6vY", true), Key::short_term("secret"));
    let dissection = Dissection::of(&bytes);
    let [_, _, sha1, sha256, crc] = dissection.parts().collect::<Vec<_>>().try_into().unwrap();
    for seal in [&sha1, &sha256] {
        assert_eq!(dissection.signature(seal, &key).unwrap(), seal.value);
        assert_ne!(dissection.signature(seal, &Key::short_term("other")).unwrap(), seal.value);
        let coverage = seal.coverage().unwrap();
        assert_eq!(
            (coverage.end, usize::from(coverage.length)),
            (seal.offset, seal.offset + 4 + seal.value.len() - 20)
        );
    }
    assert_eq!(dissection.checksum(&crc).unwrap().to_be_bytes(), crc.value);
    assert_eq!((dissection.signature(&crc, &key), dissection.checksum(&sha1)), (None, None));
    assert!(dissection.parts().all(|part| (part.standing == Standing::Seal) == part.coverage().is_some()));
}

#[test]
fn what_stands_behind_the_seal_is_shown_as_hidden() {
    let key = Key::short_term("secret");
    let mut buf = [0; 128];
    let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([7; 12]));
    let mut body = builder.integrity(&key).finish().unwrap()[HEADER_LEN..].to_vec();
    body.extend([0, 0x25, 0, 0]);
    let bytes = with_body(&body);
    let standing: Vec<_> = Dissection::of(&bytes).parts().map(|part| (part.kind, part.standing)).collect();
    assert_eq!(standing, [(MESSAGE_INTEGRITY, Standing::Seal), (UseCandidate::TYPE, Standing::Hidden)]);
}

/// RFC 8489 §14.5: behind MESSAGE-INTEGRITY only the other seals count, and nothing counts twice.
#[test]
fn a_seal_that_comes_again_or_too_late_is_none() {
    use Standing::{Hidden, Seal};
    for (kinds, standing) in [
        (&[MESSAGE_INTEGRITY, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256][..], &[Seal, Hidden, Seal][..]),
        (&[MESSAGE_INTEGRITY_SHA256, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256], &[Seal, Hidden, Hidden]),
        (&[FINGERPRINT, FINGERPRINT, MESSAGE_INTEGRITY, Software::TYPE], &[Seal, Hidden, Hidden, Hidden]),
    ] {
        let body: Vec<u8> = kinds.iter().flat_map(|kind| [kind.to_be_bytes(), [0, 0]].concat()).collect();
        let bytes = with_body(&body);
        let found: Vec<_> = Dissection::of(&bytes).parts().map(|part| part.standing).collect();
        assert_eq!(found, standing, "{kinds:x?}");
    }
}

#[test]
fn of_a_short_header_it_shows_what_is_there() {
    let whole = signed("a", false);
    let of = |len| Dissection::of(&whole[..len]);
    assert_eq!((of(1).message_type(), of(1).length()), (None, None));
    assert_eq!(of(2).message_type(), Some((Class::Request, Method::BINDING)));
    assert_eq!((of(7).length().is_some(), of(7).cookie()), (true, None));
    assert_eq!((of(19).cookie(), of(19).id()), (Some(0x2112_A442), None));
    assert_eq!(Dissection::of(&[0xC0, 1]).message_type(), None);
}

#[test]
fn a_fault_names_the_byte_to_blame() {
    let fault = |bytes: &[u8]| Dissection::of(bytes).fault().map(|Fault { offset, .. }| offset);
    let whole = signed("abcd", false);
    assert_eq!(fault(&whole), None);
    assert_eq!(fault(&whole[..21]), Some(21));
    assert_eq!(fault(&[&whole[..], b"tail"].concat()), Some(whole.len()));
    let with = |at: usize, byte| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(fault(&with(0, 0x80)), Some(0));
    assert_eq!(fault(&with(3, 0x0F)), Some(2));
    assert_eq!(fault(&with(5, 0)), Some(4));
    assert_eq!(fault(&with(31, 0xFF)), Some(28), "the second attribute");
}
