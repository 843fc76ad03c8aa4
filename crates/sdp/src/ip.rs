//! IP addresses as text, there and back. Every candidate has one or two, and what is made for just that is quicker than
//! the readers and writers of `core::net`, to which the tests hold it.

use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::class::nibble;
use crate::print::hexadecimal;

/// An address of either family. Only one of IPv6 has colons (RFC 8839 section 5.1).
pub(crate) fn read_ip(text: &str) -> Option<IpAddr> {
    let text = text.as_bytes();
    read_ipv4(text).map(IpAddr::V4).or_else(|| read_ipv6(text).map(IpAddr::V6))
}

/// Four numbers from 0 to 255 with dots between, without zeros in front (`IP4-address`, RFC 8866 section 9).
pub(crate) fn read_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    leading_ipv4(text).filter(|(_, behind)| behind.is_empty()).map(|(ip, _)| ip)
}

/// The address that the text begins with, and what follows it.
pub(crate) fn leading_ipv4(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (a, text) = leading_octet(text)?;
    let (b, text) = leading_octet(text.strip_prefix(b".")?)?;
    let (c, text) = leading_octet(text.strip_prefix(b".")?)?;
    let (d, text) = leading_octet(text.strip_prefix(b".")?)?;
    Some((Ipv4Addr::from_bits((a << 24) | (b << 16) | (c << 8) | d), text))
}

fn leading_octet(text: &[u8]) -> Option<(u32, &[u8])> {
    let run = text.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, behind) = text.split_at_checked(run)?;
    let value = |digit: u8| u32::from(digit.wrapping_sub(b'0'));
    let octet = match *digits {
        [a] => value(a),
        [a @ b'1'..=b'9', b] => value(a).wrapping_mul(10).wrapping_add(value(b)),
        [a @ b'1'..=b'2', b, c] => {
            value(a).wrapping_mul(100).wrapping_add(value(b).wrapping_mul(10)).wrapping_add(value(c))
        }
        _ => return None,
    };
    (octet < 256).then_some((octet, behind))
}

/// Eight groups of up to four hexadecimal digits; "::" stands for one group of zeros or more, and an IPv4 address for the
/// last two (`IP6-address`, RFC 8866 section 9).
pub(crate) fn read_ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let Some(gap) = text.windows(2).position(|pair| pair == b"::") else {
        let groups = Groups::read(text)?;
        return (groups.count == 8).then(|| Ipv6Addr::from_bits(groups.bits));
    };
    let head = Groups::read(text.get(..gap)?)?;
    let tail = Groups::read(text.get(gap.checked_add(2)?..)?)?;
    let zeros = 8_u32.checked_sub(head.count)?.checked_sub(tail.count)?;
    if zeros == 0 || head.ends_in_ipv4 {
        return None;
    }
    let head = head.bits.checked_shl(zeros.saturating_add(tail.count).saturating_mul(16)).unwrap_or_default();
    Some(Ipv6Addr::from_bits(head | tail.bits))
}

/// Groups between colons. Of more than eight only the count is right.
#[derive(Default)]
struct Groups {
    bits: u128,
    count: u32,
    /// That address counts for two.
    ends_in_ipv4: bool,
}

impl Groups {
    fn read(text: &[u8]) -> Option<Self> {
        let mut groups = Self::default();
        if text.is_empty() {
            return Some(groups);
        }
        for part in text.split(|&byte| byte == b':') {
            if groups.ends_in_ipv4 {
                return None;
            }
            match read_group(part) {
                Some(group) => groups.push(16, group.into()),
                None => {
                    groups.push(32, read_ipv4(part)?.to_bits().into());
                    groups.ends_in_ipv4 = true;
                }
            }
        }
        Some(groups)
    }

    fn push(&mut self, width: u32, bits: u128) {
        self.bits = (self.bits << width) | bits;
        self.count = self.count.saturating_add(width / 16);
    }
}

fn read_group(digits: &[u8]) -> Option<u16> {
    if !(1..=4).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0_u16, |group, &byte| {
        let digit = nibble(byte);
        (digit < 16).then(|| (group << 4) | u16::from(digit))
    })
}

/// As `Display` writes it, which is the form of RFC 5952.
pub(crate) fn write_ip(out: &mut impl Write, ip: IpAddr) -> fmt::Result {
    match ip {
        IpAddr::V4(ip) => write_ipv4(out, ip),
        IpAddr::V6(ip) => write_ipv6(out, ip),
    }
}

fn write_ipv4(out: &mut impl Write, ip: Ipv4Addr) -> fmt::Result {
    let [a, b, c, d] = ip.octets();
    write_octet(out, a)?;
    for octet in [b, c, d] {
        out.write_char('.')?;
        write_octet(out, octet)?;
    }
    Ok(())
}

fn write_octet(out: &mut impl Write, octet: u8) -> fmt::Result {
    let digit = |value: u8| char::from(b'0' | (value % 10));
    if octet > 99 {
        out.write_char(digit(octet / 100))?;
    }
    if octet > 9 {
        out.write_char(digit(octet / 10))?;
    }
    out.write_char(digit(octet))
}

fn write_ipv6(out: &mut impl Write, ip: Ipv6Addr) -> fmt::Result {
    if let Some(mapped) = ip.to_ipv4_mapped() {
        out.write_str("::ffff:")?;
        return write_ipv4(out, mapped);
    }
    let groups = ip.segments();
    let (start, length) = longest_zeros(&groups);
    let (head, tail) = groups.split_at_checked(start).unwrap_or_default();
    match tail.split_at_checked(length) {
        Some((_, tail)) if length > 1 => {
            write_groups(out, head)?;
            out.write_str("::")?;
            write_groups(out, tail)
        }
        _ => write_groups(out, &groups),
    }
}

/// Where the first of the longest runs of zeros begins, and how long it is.
fn longest_zeros(groups: &[u16; 8]) -> (usize, usize) {
    let (mut longest, mut run) = ((0, 0), (0_usize, 0_usize));
    for (at, group) in groups.iter().enumerate() {
        run = match group {
            0 => (run.0, run.1.saturating_add(1)),
            _ => (at.saturating_add(1), 0),
        };
        if run.1 > longest.1 {
            longest = run;
        }
    }
    longest
}

fn write_groups(out: &mut impl Write, groups: &[u16]) -> fmt::Result {
    for (at, group) in groups.iter().enumerate() {
        if at > 0 {
            out.write_char(':')?;
        }
        hexadecimal(out, *group)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    #[test]
    fn addresses_are_read_and_written_as_the_standard_library_does() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "1.02.3.4",
            "1.2.3.256",
            "1.2.3.1000",
            "1.2.3",
            "1.2.3.4.",
            "1.2.3.4.5",
            ".1.2.3",
            "1..2.3",
            "",
            "::",
            ":::",
            ":",
            "1",
            "::1",
            "1::",
            "1::2",
            "1:::2",
            "1::2::3",
            ":1::2",
            "1::2:",
            "g::1",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::8",
            "1:2:3:4:5:6:7:8::",
            "1:2::3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8",
            "00001::",
            "0abc:DEF::",
            "1:2:3:4:5:6:1.2.3.4",
            "1:2:3:4:5:6:7:1.2.3.4",
            "1:2:3:4:5:1.2.3.4",
            "::1.2.3.4",
            "::ffff:1.2.3.4",
            "1:1.2.3.4::",
            "1.2.3.4::",
            "1:1.2.3.4::1",
            "::1.2.3.4:1",
            "::1.2.3.4:1.2.3.4",
            "1::1.2.3.256",
            "1:2:3:4:5:6::1.2.3.4",
            "1:2:3:4:5::1.2.3.4",
            "1:2:3:4::6:1.2.3.4",
            "::1:2:3:4:5:6:7:8:9:a:b",
            "fe80::1%eth0",
        ] {
            let ip: Option<IpAddr> = text.parse().ok();
            assert_eq!(read_ip(text), ip, "{text:?}");
            if let Some(ip) = ip {
                let mut written = String::new();
                write_ip(&mut written, ip).unwrap();
                assert_eq!(written, ip.to_string());
            }
        }
    }
}
