//! Small things as text, for a `Formatter` and for a `String` alike: a `String` is spared the detour of `format_args`.

use core::fmt::{self, Write};

/// A number without a zero in front.
pub(crate) fn decimal(out: &mut impl Write, number: impl Into<u64>) -> fmt::Result {
    let mut rest = number.into();
    // The longest number of 64 bits has 20 digits.
    let (mut text, mut first) = ([b'0'; 20], 20_usize);
    for place in text.iter_mut().rev() {
        *place |= u8::try_from(rest % 10).unwrap_or_default();
        first = first.saturating_sub(1);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.write_str(shown(text.get(first..)))
}

/// Sixteen bits in lower case, without a zero in front.
pub(crate) fn hexadecimal(out: &mut impl Write, number: u16) -> fmt::Result {
    let nibbles = [number >> 12, number >> 8, number >> 4, number].map(|nibble| nibble.to_le_bytes()[0]);
    let text = nibbles.map(|nibble| digit(nibble).to_ascii_lowercase());
    let zeros = usize::try_from(number.leading_zeros() / 4).unwrap_or_default().min(3);
    out.write_str(shown(text.get(zeros..)))
}

/// Up to 64 bytes in upper case, parted by colons: "50:C5:F6".
pub(crate) fn hex_pairs(out: &mut impl Write, bytes: &[u8]) -> fmt::Result {
    let mut text = [[b':'; 3]; 64];
    for ([high, low, _], byte) in text.iter_mut().zip(bytes) {
        (*high, *low) = (digit(byte >> 4), digit(*byte));
    }
    let length = bytes.len().saturating_mul(3).saturating_sub(1);
    out.write_str(shown(text.as_flattened().get(..length)))
}

/// One after the other.
#[inline]
pub(crate) fn write_all(out: &mut impl Write, texts: &[&str]) -> fmt::Result {
    texts.iter().try_for_each(|text| out.write_str(text))
}

/// The digit for the lower four bits.
fn digit(nibble: u8) -> u8 {
    b"0123456789ABCDEF".get(usize::from(nibble & 0xf)).copied().unwrap_or_default()
}

/// Bytes that are ASCII.
fn shown(text: Option<&[u8]>) -> &str {
    text.and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
}
