//! The vectors of the RFCs, judged by what `vectors.json` says of each.

use floe_stun::attribute::*;
use floe_stun::{DecodeError, HEADER_LEN, Integrity, Key, Message, Password};
use serde_json::Value;

use crate::folders::File;
use crate::sets::from_hex;

pub(crate) fn judge(files: &[File]) {
    let list = files.iter().find(|file| file.name.ends_with("vectors.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(list.text()).unwrap();
    assert_eq!(vectors.len(), files.len() - 1, "every message is in the list");
    for vector in &vectors {
        let name = format!("vectors/{}", vector["file"].as_str().unwrap());
        let bytes = from_hex(files.iter().find(|file| file.name == name).unwrap().text());
        assert_eq!(bytes.len(), vector["len"], "{name}");
        if vector["expect"].is_string() {
            let error = Message::decode(&bytes).unwrap_err();
            assert!(matches!(error, DecodeError::Truncated { .. }), "{name}: {error}");
        } else {
            judge_message(&name, vector, &bytes);
        }
    }
}

fn judge_message(name: &str, vector: &Value, bytes: &[u8]) {
    let message = Message::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let word = |key: &str| vector[key].as_str().unwrap_or_default();
    assert_eq!(format!("{:?}", message.class()).to_lowercase(), word("cls"), "{name}");
    assert_eq!(message.method().to_string().to_lowercase(), word("method"), "{name}");
    let verified = &vector["verified"];
    assert_eq!(message.fingerprint().unwrap_or(false), verified["FP"] == true, "{name}");

    let by = if verified["MI-SHA256"] == true { Integrity::Sha256 } else { Integrity::Sha1 };
    let password = Password::new(word("password"));
    let derived = match word("key_kind") {
        "short-term" => Key::short_term(word("password")),
        "long-term-md5" => Key::long_term_md5(word("username"), word("realm"), &password),
        "long-term-sha256" => Key::long_term_sha256(word("username"), word("realm"), &password),
        other => panic!("{name}: {other}"),
    };
    for key in [derived, Key::from_bytes(&from_hex(word("key_hex")))] {
        assert_eq!(message.verify(&key).unwrap().by(), by, "{name}");
    }
    assert!(message.verify(&Key::short_term("another")).is_err(), "{name}");
    judge_attributes(name, vector, &message);
}

/// Those that show in the values that are listed, and behind them only those that seal.
fn judge_attributes(name: &str, vector: &Value, message: &Message<'_>) {
    let listed = vector["attrs"].as_array().unwrap();
    let mut shown = message.attributes();
    let mut end = HEADER_LEN;
    for pair in listed {
        let (kind, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let seals = ["MESSAGE-INTEGRITY", "MESSAGE-INTEGRITY-SHA256", "FINGERPRINT"].contains(&kind);
        let len = usize::from(u16::from_be_bytes(message.as_bytes()[end + 2..end + 4].try_into().unwrap()));
        let raw = &message.as_bytes()[end + 4..end + 4 + len];
        end += 4 + len.next_multiple_of(4);
        if seals {
            assert_eq!(raw, from_hex(value), "{name}: {kind}");
            continue;
        }
        let next = shown.next().unwrap();
        assert_eq!(floe_stun::attribute::name(next.kind), Some(kind), "{name}");
        assert_eq!(read(message, kind), value, "{name}: {kind}");
    }
    assert_eq!((shown.next(), end), (None, message.as_bytes().len()), "{name}: that is all");
}

/// The value as the list writes it.
fn read(message: &Message<'_>, kind: &str) -> String {
    match kind {
        "SOFTWARE" => message.find::<Software<'_>>().unwrap().0.to_owned(),
        "USERNAME" => message.find::<Username<'_>>().unwrap().0.to_owned(),
        "REALM" => message.find::<Realm<'_>>().unwrap().0.to_owned(),
        "NONCE" => message.find::<Nonce<'_>>().unwrap().0.to_owned(),
        "PRIORITY" => format!("{:#010x}", message.find::<Priority>().unwrap().0),
        "ICE-CONTROLLED" => format!("{:#018x}", message.find::<IceControlled>().unwrap().0),
        "XOR-MAPPED-ADDRESS" => message.find::<XorMappedAddress>().unwrap().0.to_string(),
        "USERHASH" => hex(&message.find::<UserHash>().unwrap().0),
        "PASSWORD-ALGORITHM" => {
            assert_eq!(message.find(), Some(PasswordAlgorithm(Algorithm::SHA256)));
            "0x0002 (SHA-256), no parameters".to_owned()
        }
        other => panic!("{other}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
