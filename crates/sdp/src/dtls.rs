//! The attributes by which two peers agree on one DTLS association (RFC 8122, RFC 8842, RFC 4145 section 4).

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt::{self, Write};
use core::str::FromStr;

use crate::class::{Class, nibble};
use crate::credentials::base64_chars;
use crate::error::{ParseError, ParseErrorKind};
use crate::print::{hex_pairs, write_all};
use crate::scan::{AttributeLine, Field};

/// The hash of a certificate, by which the peer's is known when it comes (RFC 8122 section 5).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    hash: HashFunction,
    /// The digest, then zeros.
    bytes: [u8; 64],
}

/// A hash function that may make a fingerprint, the weakest first. MD2 and MD5 may not (RFC 8122 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HashFunction {
    /// `sha-1`.
    Sha1,
    /// `sha-224`.
    Sha224,
    /// `sha-256`, which every peer knows.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

/// Who begins the handshake (RFC 4145 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// `active`: we do, as the DTLS client.
    Active,
    /// `passive`: the peer does.
    Passive,
    /// `actpass`: either, the answer says. What every offer has (RFC 8842 section 5).
    ActPass,
    /// `holdconn`: nobody for now. It is read, and may not be used with DTLS (RFC 8842 section 5.1).
    HoldConn,
}

/// `tls-id`: half of the name of a DTLS association; a new one asks for a new association (RFC 8842 section 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsId(String);

impl Fingerprint {
    /// `None` if `digest` has not the length that `hash` gives.
    pub fn new(hash: HashFunction, digest: &[u8]) -> Option<Self> {
        let mut bytes = [0; 64];
        if digest.len() != hash.len() {
            return None;
        }
        bytes.get_mut(..digest.len())?.copy_from_slice(digest);
        Some(Self { hash, bytes })
    }

    /// Reads the value alone (`sha-256 50:C5:…`), or the attribute line with or without `a=`.
    ///
    /// # Errors
    ///
    /// The hash is MD2 or MD5, or the digest is not as long as it must be. An unknown hash function is
    /// [ignorable](ParseError::is_ignorable).
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let attribute = AttributeLine::split(text);
        attribute.check_line()?;
        Self::from_value(attribute.value_or_line("fingerprint"))
    }

    pub(crate) fn from_value(value: Field<'_>) -> Result<Self, ParseError> {
        let mut fields = value.fields();
        let name = fields.need(HASH)?;
        let hash = HashFunction::read(name)?;
        let mut bytes = [0; 64];
        let out = bytes.get_mut(..hash.len()).unwrap_or_default();
        if !fields.rest().is_some_and(|digest| read_hex(digest.text.as_bytes(), out)) {
            let digest = fields.need(DIGEST)?;
            fields.end()?;
            let is_right_length = digest.text.len() == length_of_hex(hash.len());
            let kind = if is_right_length { ParseErrorKind::Malformed } else { ParseErrorKind::OutOfRange };
            return Err(digest.error(kind, DIGEST));
        }
        Ok(Self { hash, bytes })
    }

    /// What `Display` writes.
    pub(crate) fn write(&self, out: &mut impl Write) -> fmt::Result {
        write_all(out, &[self.hash.as_str(), " "])?;
        hex_pairs(out, self.digest())
    }

    /// The hash function.
    pub fn hash(&self) -> HashFunction {
        self.hash
    }

    /// The hash of the certificate in its DER form.
    pub fn digest(&self) -> &[u8] {
        self.bytes.get(..self.hash.len()).unwrap_or_default()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl HashFunction {
    const ALL: [Self; 5] = [Self::Sha256, Self::Sha1, Self::Sha224, Self::Sha384, Self::Sha512];

    fn read(field: Field<'_>) -> Result<Self, ParseError> {
        let name = field.token(HASH)?;
        if let Some(hash) = Self::ALL.into_iter().find(|hash| name.eq_ignore_ascii_case(hash.as_str())) {
            return Ok(hash);
        }
        let broken = ["md5", "md2"].iter().any(|hash| name.eq_ignore_ascii_case(hash));
        let kind = if broken { ParseErrorKind::Malformed } else { ParseErrorKind::Unsupported };
        Err(field.error(kind, HASH))
    }

    /// The name in a fingerprint.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// The bytes of its digest.
    #[expect(clippy::len_without_is_empty, reason = "no digest is empty")]
    pub fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Setup {
    const ALL: [Self; 4] = [Self::ActPass, Self::Active, Self::Passive, Self::HoldConn];

    pub(crate) fn from_value(value: Field<'_>) -> Result<Self, ParseError> {
        let known = Self::ALL.into_iter().find(|setup| value.text.eq_ignore_ascii_case(setup.as_str()));
        known.ok_or_else(|| value.error(ParseErrorKind::Malformed, SETUP))
    }

    /// The word behind "setup:".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TlsId {
    /// Reads the value alone, or the attribute line with or without `a=`.
    ///
    /// # Errors
    ///
    /// The text is not 20 to 255 letters, digits, `+`, `/`, `-` or `_`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let attribute = AttributeLine::split(text);
        attribute.check_line()?;
        Self::from_value(attribute.value_or_line("tls-id"))
    }

    pub(crate) fn from_value(value: Field<'_>) -> Result<Self, ParseError> {
        value.check_each(Class::TLS_ID, TLS_ID)?;
        if !(20..=255).contains(&value.text.len()) {
            return Err(value.length_error(TLS_ID));
        }
        Ok(Self(value.text.to_owned()))
    }

    /// Writes 144 random bits as 24 characters; RFC 8842 section 4 wants 120 bits at least.
    pub fn from_random(bits: [u8; 18]) -> Self {
        Self(base64_chars(&bits))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TlsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TlsId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

/// Whether the text is "50:C5:F6" as long as `out`, which is filled. The RFC has upper case, and some peers write lower.
fn read_hex(text: &[u8], out: &mut [u8]) -> bool {
    let (triples, [high, low]) = text.as_chunks::<3>() else { return false };
    let Some((last, bytes)) = out.split_last_mut().filter(|(_, bytes)| bytes.len() == triples.len()) else {
        return false;
    };
    // What is wrong is gathered: digits come by chance, so that no branch upon them could be foretold.
    let (mut digits, mut colons) = (0, true);
    let mut read = |high: u8, low: u8| {
        let (high, low) = (nibble(high), nibble(low));
        digits |= high | low;
        (high << 4) | (low & 0xf)
    };
    for (byte, &[high, low, colon]) in bytes.iter_mut().zip(triples) {
        *byte = read(high, low);
        colons &= colon == b':';
    }
    *last = read(*high, *low);
    digits < 16 && colons
}

/// "50:C5:F6" of 3 bytes has 8.
fn length_of_hex(bytes: usize) -> usize {
    bytes.saturating_mul(3).saturating_sub(1)
}

const HASH: &str = "sha-1, sha-224, sha-256, sha-384 or sha-512";
const DIGEST: &str =
    "the hash in pairs of hexadecimal digits, parted by colons and as many as the function gives";
const SETUP: &str = "active, passive, actpass or holdconn";
const TLS_ID: &str = "a tls-id of 20 to 255 letters, digits, \"+\", \"/\", \"-\" or \"_\"";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn a_fingerprint_has_the_length_of_its_hash_and_prints_in_upper_case() {
        for hash in HashFunction::ALL {
            let fingerprint = Fingerprint::new(hash, &vec![0xab; hash.len()]).unwrap();
            let text = fingerprint.to_string();
            assert_eq!(text, alloc::format!("{hash} {}", vec!["AB"; hash.len()].join(":")));
            assert_eq!(Fingerprint::parse(&text), Ok(fingerprint));
            assert_eq!(Fingerprint::parse(&text.to_lowercase()), Ok(fingerprint));
            assert_eq!(fingerprint.digest(), vec![0xab; hash.len()]);
            assert!(Fingerprint::parse(&text[..text.len() - 3]).is_err());
            assert!(Fingerprint::parse(&alloc::format!("{text}:AB")).is_err());
            assert_eq!(Fingerprint::new(hash, &[0; 21]), None);
        }
    }

    #[test]
    fn broken_hashes_are_refused_and_unknown_ones_ignorable() {
        for hash in ["md5", "MD2"] {
            assert_eq!(Fingerprint::parse(hash).unwrap_err().kind(), ParseErrorKind::Malformed, "{hash}");
        }
        assert!(Fingerprint::parse("sha3-256 AB:CD").unwrap_err().is_ignorable());
        let twenty = |pair: &str| alloc::format!("sha-1 {}", vec![pair; 20].join(":"));
        for (text, column) in [
            (twenty("G0"), 7),
            (twenty("0G"), 7),
            (twenty("00").replace(':', "-"), 7),
            (twenty("00") + " ", 67),
            ("sha-1".into(), 6),
            (" sha-1".into(), 1),
        ] {
            assert_eq!(Fingerprint::parse(&text).unwrap_err().column(), column, "{text:?}");
        }
    }

    #[test]
    fn a_tls_id_has_20_to_255_characters() {
        for length in [20, 255] {
            assert_eq!(TlsId::parse(&"-".repeat(length)).unwrap().as_str().len(), length);
        }
        for length in [0, 19, 256] {
            let error = TlsId::parse(&"_".repeat(length)).unwrap_err();
            assert_eq!(error.kind(), ParseErrorKind::OutOfRange, "{length}");
        }
        assert_eq!(TlsId::parse("a=tls-id:abc3de65cddef001be8!").unwrap_err().column(), 29);
        let id = TlsId::from_random([0x5a; 18]);
        assert_eq!(TlsId::parse(id.as_str()), Ok(id));
    }
}
