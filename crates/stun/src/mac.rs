//! HMAC over a message, from the two states that a key leaves behind (RFC 2104 §4).
//!
//! Of the five blocks that HMAC-SHA1 makes of a check two are the key's: they are hashed once. The others are laid out
//! whole, padding and all, and go through the compression function alone.

use core::slice;

use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// A key of HMAC-SHA1, whose states have 5 words, or of HMAC-SHA256 with 8. Wiped on drop.
#[derive(Clone)]
pub(crate) struct Hmac<const WORDS: usize>
where
    [u32; WORDS]: Hash,
{
    /// What the hash makes of the key XOR ipad.
    inner: [u32; WORDS],
    /// What it makes of the key XOR opad.
    outer: [u32; WORDS],
}

impl<const WORDS: usize> Hmac<WORDS>
where
    [u32; WORDS]: Hash,
{
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK_LEN]);
        match block.get_mut(..key.len()) {
            Some(start) => start.copy_from_slice(key),
            None => <[u32; WORDS]>::shorten(key, &mut block),
        }
        let state_behind = |pad| {
            let (mut state, padded) = (<[u32; WORDS]>::START, Zeroizing::new(block.map(|byte| byte ^ pad)));
            state.compress(slice::from_ref(&padded));
            state
        };
        Self { inner: state_behind(0x36), outer: state_behind(0x5C) }
    }

    /// The tag of a message, as if its header said this length (RFC 8489 §14.5).
    pub(crate) fn sign<const LEN: usize>(&self, message: &[u8], length: u16) -> [u8; LEN] {
        let mut tag = [0; LEN];
        let (places, _) = tag.as_chunks_mut();
        places
            .iter_mut()
            .zip(self.digest(message, length))
            .for_each(|(place, word)| *place = word.to_be_bytes());
        tag
    }

    /// Whether this is the tag, in constant time; a truncated one never is.
    pub(crate) fn verify(&self, message: &[u8], length: u16, tag: &[u8]) -> bool {
        let (words, rest) = tag.as_chunks();
        match <[[u8; 4]; WORDS]>::try_from(words) {
            Ok(words) if rest.is_empty() => {
                self.digest(message, length).ct_eq(&words.map(u32::from_be_bytes)).into()
            }
            _ => false,
        }
    }

    fn digest(&self, message: &[u8], length: u16) -> [u32; WORDS] {
        let (mut inner, mut outer) = (self.inner, self.outer);
        let (blocks, tail) = message.as_chunks();
        let mut last = [[0; BLOCK_LEN]; 2];
        let last = pad(&mut last, tail, message.len());
        if let Some((first, others)) = blocks.split_first() {
            let mut first = [*first];
            set_length(&mut first, length);
            inner.compress(&first);
            inner.compress(others);
        } else {
            set_length(last, length);
        }
        inner.compress(last);
        let digest = inner.map(u32::to_be_bytes);
        let digest = digest.as_flattened();
        outer.compress(pad(&mut [[0; BLOCK_LEN]; 2], digest, digest.len()));
        outer
    }
}

impl<const WORDS: usize> Drop for Hmac<WORDS>
where
    [u32; WORDS]: Hash,
{
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// Puts the length into the header, with which the first of these blocks begins.
fn set_length(blocks: &mut [Block], length: u16) {
    if let [[_, _, l0, l1, ..], ..] = blocks {
        [*l0, *l1] = length.to_be_bytes();
    }
}

/// Lays out what the whole blocks leave of `len` bytes: then a bit, zeros, and the length in bits, that of the key's
/// block included (FIPS 180-4 §5.1.1). That takes one block or two, which were zero.
fn pad<'b>(blocks: &'b mut [Block; 2], tail: &[u8], len: usize) -> &'b mut [Block] {
    let count = if tail.len() < BLOCK_LEN - 8 { 1 } else { 2 };
    let blocks = blocks.get_mut(..count).unwrap_or_default();
    let bytes = blocks.as_flattened_mut();
    if let Some((text, [end, ..])) = bytes.split_at_mut_checked(tail.len()) {
        text.copy_from_slice(tail);
        *end = 0x80;
    }
    if let Some(bits) = bytes.last_chunk_mut() {
        *bits = (len as u64).saturating_add(BLOCK_LEN as u64).saturating_mul(8).to_be_bytes();
    }
    blocks
}

type Block = [u8; BLOCK_LEN];

const BLOCK_LEN: usize = 64;

/// The state of a hash that goes by blocks of 64 bytes (FIPS 180-4 §6.1, §6.2).
pub(crate) trait Hash: Copy + Zeroize {
    const START: Self;

    fn compress(&mut self, blocks: &[Block]);

    /// A key that is longer than a block is hashed first (RFC 2104 §2).
    fn shorten(key: &[u8], block: &mut Block);
}

impl Hash for [u32; 5] {
    const START: Self = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];

    fn compress(&mut self, blocks: &[Block]) {
        sha1::block_api::compress(self, blocks);
    }

    fn shorten(key: &[u8], block: &mut Block) {
        block[..20].copy_from_slice(&Sha1::digest(key));
    }
}

impl Hash for [u32; 8] {
    const START: Self = [
        0x6A09_E667,
        0xBB67_AE85,
        0x3C6E_F372,
        0xA54F_F53A,
        0x510E_527F,
        0x9B05_688C,
        0x1F83_D9AB,
        0x5BE0_CD19,
    ];

    fn compress(&mut self, blocks: &[Block]) {
        sha2::block_api::compress256(self, blocks);
    }

    fn shorten(key: &[u8], block: &mut Block) {
        block[..32].copy_from_slice(&Sha256::digest(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use hmac::{KeyInit, Mac};

    /// Keys and messages of every length around the ends of one, two and three blocks.
    #[test]
    fn the_tags_are_those_of_the_textbook() {
        for len in 0..=200 {
            let (key, message) = ([0xA5; 200], [0x5A; 220]);
            let (key, message) = (&key[..len], &message[..220 - len]);
            let sha1: [u8; 20] = Hmac::<5>::new(key).sign(message, 0x5A5A);
            assert_eq!(sha1[..], textbook::<hmac::Hmac<Sha1>>(key, message), "a key of {len} bytes");
            let sha256: [u8; 32] = Hmac::<8>::new(key).sign(message, 0x5A5A);
            assert_eq!(sha256[..], textbook::<hmac::Hmac<Sha256>>(key, message), "a key of {len} bytes");
        }
    }

    /// However long the message, and wherever its length stands: in the last block or not.
    #[test]
    fn a_message_is_signed_as_if_it_said_another_length() {
        let key = Hmac::<5>::new(b"key");
        for len in 20..=200 {
            let (zeros, mut message) = ([0; 200], [0; 200]);
            message[2..4].copy_from_slice(&[0x12, 0x34]);
            let tag: [u8; 20] = key.sign(&zeros[..len], 0x1234);
            assert_eq!(tag[..], textbook::<hmac::Hmac<Sha1>>(b"key", &message[..len]), "{len} bytes");
        }
    }

    #[test]
    fn a_tag_verifies_whole_and_unchanged_or_not_at_all() {
        let (key, message) = (Hmac::<8>::new(b"key"), [7; 100]);
        let tag: [u8; 32] = key.sign(&message, 80);
        assert!(key.verify(&message, 80, &tag));
        assert!(!key.verify(&message, 84, &tag), "another length");
        for bit in 0..tag.len() * 8 {
            let mut bent = tag;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verify(&message, 80, &bent), "bit {bit}");
        }
        for len in 0..tag.len() {
            assert!(!key.verify(&message, 80, &tag[..len]), "{len} bytes");
        }
        assert!(!key.verify(&message, 80, &[&tag[..], &[0]].concat()), "a byte too many");
    }

    fn textbook<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
        M::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
    }
}
