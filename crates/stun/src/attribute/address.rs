//! Addresses, plain and XORed (RFC 8489 §14.1, §14.2).
//!
//! ```text
//!  0                   1                   2                   3
//!  |0 0 0 0 0 0 0 0|    Family     |             Port              |
//!  |                 Address (32 bits or 128 bits)                 |
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Attribute;
use crate::header::{MAGIC_COOKIE, TransactionId};
use crate::{DecodeError, EncodeError};

macro_rules! address_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $mask:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
        pub struct $name(
            /// The address and port.
            pub SocketAddr,
        );

        impl Attribute<'_> for $name {
            const TYPE: u16 = $kind;

            #[inline]
            fn decode(value: &[u8], id: TransactionId) -> Result<Self, DecodeError> {
                let address = read(value).map_err(|wrong| match wrong {
                    Wrong::Length => Self::wrong_length(value, "8 for IPv4, 20 for IPv6"),
                    Wrong::Family => Self::bad_value("the address family is neither IPv4 (1) nor IPv6 (2)"),
                })?;
                Ok(Self($mask(address, id)))
            }

            #[inline]
            fn encoded_len(&self) -> usize {
                if self.0.is_ipv4() { 8 } else { 20 }
            }

            #[inline]
            fn encode(&self, out: &mut [u8], id: TransactionId) -> Result<(), EncodeError> {
                write($mask(self.0, id), out);
                Ok(())
            }
        }
    };
}

address_attribute! {
    /// MAPPED-ADDRESS (RFC 8489 §14.1); only for clients of RFC 3489.
    MappedAddress, 0x0001, plain
}
address_attribute! {
    /// XOR-MAPPED-ADDRESS (RFC 8489 §14.2): where the request came from, as the server saw it.
    XorMappedAddress, 0x0020, xor
}
address_attribute! {
    /// XOR-PEER-ADDRESS (RFC 8656 §18.3).
    XorPeerAddress, 0x0012, xor
}
address_attribute! {
    /// XOR-RELAYED-ADDRESS (RFC 8656 §18.5).
    XorRelayedAddress, 0x0016, xor
}
address_attribute! {
    /// ALTERNATE-SERVER (RFC 8489 §14.15).
    AlternateServer, 0x8023, plain
}
address_attribute! {
    /// RESPONSE-ORIGIN (RFC 5780 §7.3).
    ResponseOrigin, 0x802B, plain
}
address_attribute! {
    /// OTHER-ADDRESS (RFC 5780 §7.4).
    OtherAddress, 0x802C, plain
}

const fn plain(address: SocketAddr, _: TransactionId) -> SocketAddr {
    address
}

/// XOR with the cookie and, for IPv6, the transaction id; its own inverse.
#[inline]
fn xor(address: SocketAddr, id: TransactionId) -> SocketAddr {
    let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
    let port = address.port() ^ u16::from_be_bytes([c0, c1]);
    let ip = match address.ip() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from(u32::from(ip) ^ MAGIC_COOKIE)),
        IpAddr::V6(ip) => {
            let [i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11] = *id.as_bytes();
            let mask = [c0, c1, c2, c3, i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11];
            IpAddr::V6(Ipv6Addr::from(u128::from(ip) ^ u128::from_be_bytes(mask)))
        }
    };
    SocketAddr::new(ip, port)
}

enum Wrong {
    Length,
    Family,
}

#[inline]
fn read(value: &[u8]) -> Result<SocketAddr, Wrong> {
    let (&[_, family, p0, p1], ip) = value.split_first_chunk::<4>().ok_or(Wrong::Length)?;
    let ip = match family {
        FAMILY_IPV4 => IpAddr::from(<[u8; 4]>::try_from(ip).map_err(|_| Wrong::Length)?),
        FAMILY_IPV6 => IpAddr::from(<[u8; 16]>::try_from(ip).map_err(|_| Wrong::Length)?),
        _ => return Err(Wrong::Family),
    };
    Ok(SocketAddr::new(ip, u16::from_be_bytes([p0, p1])))
}

#[inline]
fn write(address: SocketAddr, out: &mut [u8]) {
    let Some((head, rest)) = out.split_first_chunk_mut::<4>() else { return };
    let [p0, p1] = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => {
            *head = [0, FAMILY_IPV4, p0, p1];
            rest.copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            *head = [0, FAMILY_IPV6, p0, p1];
            rest.copy_from_slice(&ip.octets());
        }
    }
}

const FAMILY_IPV4: u8 = 0x01;
const FAMILY_IPV6: u8 = 0x02;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xor_is_its_own_inverse_in_both_families() {
        let id = TransactionId::from([0xA5; 12]);
        for text in ["192.0.2.1:32853", "[2001:db8::1]:1", "0.0.0.0:0", "[::]:65535"] {
            let address = text.parse().unwrap();
            assert_ne!(xor(address, id), address);
            assert_eq!(xor(xor(address, id), id), address);
        }
    }

    #[test]
    fn family_and_length_must_agree() {
        let id = TransactionId::from([0; 12]);
        for value in
            [&[0, 1, 0, 1, 1, 2, 3][..], &[0, 1, 0, 1, 1, 2, 3, 4, 5], &[0, 2, 0, 1, 1, 2, 3, 4], &[0]]
        {
            assert!(matches!(XorMappedAddress::decode(value, id), Err(DecodeError::WrongLength { .. })));
        }
        let family3 = [0, 3, 0, 1, 1, 2, 3, 4];
        assert!(matches!(MappedAddress::decode(&family3, id), Err(DecodeError::BadValue { .. })));
    }
}
