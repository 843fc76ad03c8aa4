//! A description as one line that survives being pasted.
//!
//! ```text
//!   floe1: base64url( CRC-32, 4 bytes big endian | {"ufrag":…,"pwd":…,"candidates":[…],"lite":…} )
//! ```

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// All that one side tells the other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Description {
    pub(super) ufrag: String,
    pub(super) pwd: String,
    pub(super) candidates: Vec<String>,
    #[serde(default)]
    pub(super) lite: bool,
}

/// Why a pasted line is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum PasteError {
    #[error(
        "this is no description: it must begin with {PREFIX}; copy the whole line that the other side printed"
    )]
    NoPrefix,
    #[error(
        "the description is damaged: characters are missing, added or changed; copy the whole line again"
    )]
    Damaged,
    #[error("the description is of another release of floe; use the same release on both sides")]
    OtherRelease,
}

impl Description {
    pub(super) fn encode(&self) -> String {
        // A value of strings always has a JSON text.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = CRC.checksum(&json).to_be_bytes().to_vec();
        bytes.extend(json);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a pasted line; spaces, which terminals and mail programs put between its parts, do no harm.
    pub(super) fn decode(text: &str) -> Result<Self, PasteError> {
        let text: String = text.split_whitespace().collect();
        let text = text.strip_prefix(PREFIX).ok_or(PasteError::NoPrefix)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| PasteError::Damaged)?;
        let (checksum, json) = bytes.split_first_chunk().ok_or(PasteError::Damaged)?;
        if CRC.checksum(json) != u32::from_be_bytes(*checksum) {
            return Err(PasteError::Damaged);
        }
        serde_json::from_slice(json).map_err(|_| PasteError::OtherRelease)
    }
}

const PREFIX: &str = "floe1:";
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        Description {
            ufrag: "8f2k".into(),
            pwd: "asd88fgpdd777uzjYhagZg".into(),
            candidates: vec!["candidate:1 1 UDP 2130706431 192.0.2.2 50312 typ host".into()],
            lite: false,
        }
    }

    #[test]
    fn what_is_written_is_read_back_even_when_the_terminal_breaks_the_line() {
        let text = description().encode();
        assert!(text.starts_with("floe1:") && text.is_ascii());
        assert_eq!(Description::decode(&format!(" {}\n{} ", &text[..40], &text[40..])), Ok(description()));
    }

    #[test]
    fn a_wrong_paste_is_told() {
        let text = description().encode();
        let mut changed = text.clone().into_bytes();
        changed[30] = if changed[30] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(Description::decode("hello"), Err(PasteError::NoPrefix));
        assert_eq!(Description::decode(""), Err(PasteError::NoPrefix));
        for damaged in [&text[..text.len() - 3], &changed, "floe1:", "floe1:????", &format!("{text}AAAA")] {
            assert_eq!(Description::decode(damaged), Err(PasteError::Damaged), "{damaged}");
        }
    }
}
