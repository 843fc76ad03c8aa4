//! The floor: what the benches of `stun.rs` do, written by hand for that and nothing else. What we need beyond it is
//! the price of being general.
//!
//! One pass, SHA-1 by its compression function over whole blocks, the fastest CRC-32 there is; no builder, no attribute
//! types, no reason for a refusal.

use std::net::SocketAddrV4;

use sha1::block_api::compress;

/// All that a check says.
#[derive(Debug, Default)]
pub(crate) struct Check<'a> {
    pub(crate) id: [u8; 12],
    pub(crate) username: &'a str,
    pub(crate) priority: u32,
    pub(crate) tie_breaker: u64,
    pub(crate) nominates: bool,
    integrity: usize,
    fingerprint: usize,
}

/// Header and attributes of a check from a controlling agent.
pub(crate) fn decode(bytes: &[u8]) -> Option<Check<'_>> {
    let (header, mut rest) = bytes.split_first_chunk::<20>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[..2] != [0x00, 0x01] || header[4..8] != COOKIE || length != rest.len() || length % 4 != 0 {
        return None;
    }
    let mut check = Check { id: *header.last_chunk()?, ..Check::default() };
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = after.get(..len)?;
        let at = bytes.len() - rest.len();
        match u16::from_be_bytes([head[0], head[1]]) {
            _ if check.fingerprint != 0 => return None,
            FINGERPRINT if len == 4 => check.fingerprint = at,
            _ if check.integrity != 0 => {}
            INTEGRITY if len == 20 => check.integrity = at,
            USERNAME => check.username = std::str::from_utf8(value).ok()?,
            PRIORITY => check.priority = u32::from_be_bytes(value.try_into().ok()?),
            CONTROLLING => check.tie_breaker = u64::from_be_bytes(value.try_into().ok()?),
            USE_CANDIDATE => check.nominates = true,
            required if required < 0x8000 => return None,
            _ => {}
        }
        rest = after.get(len.next_multiple_of(4)..)?;
    }
    Some(check)
}

/// The same, if FINGERPRINT and MESSAGE-INTEGRITY are right.
pub(crate) fn decode_and_verify<'a>(bytes: &'a [u8], key: &Key) -> Option<Check<'a>> {
    let check = decode(bytes)?;
    let (covered, fingerprint) = bytes.split_at(check.fingerprint);
    if fingerprint[4..] != (crc32fast::hash(covered) ^ XOR).to_be_bytes() {
        return None;
    }
    let length = u16::try_from(check.integrity + 4).ok()?;
    let tag = key.sign(&bytes[..check.integrity], length)?;
    let differ = tag.iter().zip(&bytes[check.integrity + 4..]).fold(0, |differ, (a, b)| differ | (a ^ b));
    (std::hint::black_box(differ) == 0).then_some(check)
}

/// A check with USERNAME, PRIORITY, ICE-CONTROLLING, USE-CANDIDATE and both seals.
pub(crate) fn encode_check<'b>(
    buf: &'b mut [u8; 256],
    key: &Key,
    id: [u8; 12],
    username: &str,
) -> Option<&'b [u8]> {
    buf[8..20].copy_from_slice(&id);
    buf[20..24].copy_from_slice(&[0x00, 0x06, 0, u8::try_from(username.len()).ok()?]);
    let (value, end) = (24 + username.len(), 24 + username.len().next_multiple_of(4));
    buf[24..value].copy_from_slice(username.as_bytes());
    buf[value..end].fill(0);
    let fixed = buf.get_mut(end..)?.first_chunk_mut::<24>()?;
    fixed[..4].copy_from_slice(&[0x00, 0x24, 0, 4]);
    fixed[4..8].copy_from_slice(&1_862_270_975_u32.to_be_bytes());
    fixed[8..12].copy_from_slice(&[0x80, 0x2A, 0, 8]);
    fixed[12..20].copy_from_slice(&0x0123_4567_89AB_CDEF_u64.to_be_bytes());
    fixed[20..].copy_from_slice(&[0x00, 0x25, 0, 0]);
    seal(buf, [0x00, 0x01], end + 24, key)
}

/// Its answer: XOR-MAPPED-ADDRESS and both seals.
pub(crate) fn encode_success<'b>(
    buf: &'b mut [u8; 256],
    key: &Key,
    id: [u8; 12],
    mapped: SocketAddrV4,
) -> Option<&'b [u8]> {
    buf[8..20].copy_from_slice(&id);
    buf[20..26].copy_from_slice(&[0x00, 0x20, 0, 8, 0, 1]);
    buf[26..28].copy_from_slice(&(mapped.port() ^ 0x2112).to_be_bytes());
    buf[28..32].copy_from_slice(&(mapped.ip().to_bits() ^ 0x2112_A442).to_be_bytes());
    seal(buf, [0x01, 0x01], 32, key)
}

fn seal<'b>(buf: &'b mut [u8; 256], kind: [u8; 2], end: usize, key: &Key) -> Option<&'b [u8]> {
    let length = u16::try_from(end + 4).ok()?;
    buf[..2].copy_from_slice(&kind);
    buf[2..4].copy_from_slice(&length.to_be_bytes());
    buf[4..8].copy_from_slice(&COOKIE);
    let tag = key.sign(&buf[..end], length)?;
    buf[end..end + 4].copy_from_slice(&[0x00, 0x08, 0, 20]);
    buf[end + 4..end + 24].copy_from_slice(&tag);
    buf[2..4].copy_from_slice(&(length + 8).to_be_bytes());
    let fingerprint = crc32fast::hash(&buf[..end + 24]) ^ XOR;
    buf[end + 24..end + 28].copy_from_slice(&[0x80, 0x28, 0, 4]);
    buf[end + 28..end + 32].copy_from_slice(&fingerprint.to_be_bytes());
    buf.get(..end + 32)
}

/// Peer and payload of a Data indication from an IPv4 peer.
pub(crate) fn data_indication(bytes: &[u8]) -> Option<(SocketAddrV4, &[u8])> {
    let (header, mut rest) = bytes.split_first_chunk::<20>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[..2] != [0x00, 0x17] || header[4..8] != COOKIE || length != rest.len() || length % 4 != 0 {
        return None;
    }
    let (mut peer, mut data) = (None, None);
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = after.get(..len)?;
        match (u16::from_be_bytes([head[0], head[1]]), value) {
            (PEER, &[_, 1, p0, p1, a, b, c, d]) => {
                let ip = u32::from_be_bytes([a, b, c, d]) ^ 0x2112_A442;
                peer = Some(SocketAddrV4::new(ip.into(), u16::from_be_bytes([p0, p1]) ^ 0x2112));
            }
            (DATA, value) => data = Some(value),
            (required, _) if required < 0x8000 => return None,
            _ => {}
        }
        rest = after.get(len.next_multiple_of(4)..)?;
    }
    Some((peer?, data?))
}

/// The two states of HMAC-SHA1 behind its key.
pub(crate) struct Key {
    inner: [u32; 5],
    outer: [u32; 5],
}

impl Key {
    /// For a password of at most 64 bytes.
    pub(crate) fn new(password: &str) -> Self {
        let state_behind = |pad: u8| {
            let (mut state, mut block) = (START, [pad; 64]);
            block.iter_mut().zip(password.bytes()).for_each(|(byte, key)| *byte ^= key);
            compress(&mut state, &[block]);
            state
        };
        Self { inner: state_behind(0x36), outer: state_behind(0x5C) }
    }

    /// Over at most 119 bytes, under this length in the header.
    fn sign(&self, covered: &[u8], length: u16) -> Option<[u8; 20]> {
        let mut blocks = [[0; 64]; 2];
        let last = covered.len() / 64 + usize::from(covered.len() % 64 > 55);
        let flat = blocks.as_flattened_mut();
        flat[..covered.len()].copy_from_slice(covered);
        flat[covered.len()] = 0x80;
        flat[2..4].copy_from_slice(&length.to_be_bytes());
        *blocks.get_mut(last)?.last_chunk_mut()? = ((64 + covered.len() as u64) * 8).to_be_bytes();
        let mut state = self.inner;
        compress(&mut state, &blocks[..=last]);
        let mut block = [0; 64];
        block[..20].copy_from_slice(&bytes(state));
        block[20] = 0x80;
        *block.last_chunk_mut()? = ((64 + 20_u64) * 8).to_be_bytes();
        let mut state = self.outer;
        compress(&mut state, &[block]);
        Some(bytes(state))
    }
}

fn bytes(state: [u32; 5]) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes.chunks_exact_mut(4).zip(state).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_be_bytes()));
    bytes
}

const START: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const XOR: u32 = 0x5354_554E;

const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
const PEER: u16 = 0x0012;
const DATA: u16 = 0x0013;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const CONTROLLING: u16 = 0x802A;
