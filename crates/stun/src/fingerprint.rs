//! FINGERPRINT: CRC-32 of ITU V.42, XORed with a constant (RFC 8489 §14.7).

use crc::{CRC_32_ISO_HDLC, Crc, Table};

/// FINGERPRINT of a message whose header length already counts it; `covered` is all before the attribute.
pub(crate) fn of(covered: &[u8]) -> u32 {
    CRC.checksum(covered) ^ XOR
}

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// "STUN" in ASCII, so that the value differs from a CRC that another protocol may put there.
const XOR: u32 = 0x5354_554E;
