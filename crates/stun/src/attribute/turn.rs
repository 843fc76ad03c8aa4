//! TURN's own attributes (RFC 8656 §18).

use core::net::IpAddr;
use core::time::Duration;

use super::{Attribute, flag_attribute};
use crate::header::TransactionId;
use crate::{ChannelNumber, DecodeError, EncodeError};

/// An address family as TURN numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "TURN knows two (RFC 8656 §18.6)")]
pub enum Family {
    /// 0x01.
    Ipv4,
    /// 0x02.
    Ipv6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Ipv4 => 0x01,
            Self::Ipv6 => 0x02,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Ipv4),
            0x02 => Some(Self::Ipv6),
            _ => None,
        }
    }
}

/// Defines an attribute of one byte and three reserved ones, which are ignored.
macro_rules! byte_attribute {
    ($(#[$doc:meta])* $name:ident($field:ty), $kind:literal, $read:expr, $write:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
        pub struct $name(
            /// The value.
            pub $field,
        );

        impl Attribute<'_> for $name {
            const TYPE: u16 = $kind;

            fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
                let &[byte, _, _, _] = value else { return Err(Self::wrong_length(value, "4")) };
                let read: fn(u8) -> Option<$field> = $read;
                read(byte).map(Self).ok_or_else(|| Self::bad_value("unknown value"))
            }

            fn encoded_len(&self) -> usize {
                4
            }

            fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
                let write: fn($field) -> u8 = $write;
                out.copy_from_slice(&[write(self.0), 0, 0, 0]);
                Ok(())
            }
        }
    };
}

byte_attribute! {
    /// REQUESTED-TRANSPORT (RFC 8656 §18.8): an IP protocol number, 17 for UDP.
    RequestedTransport(u8), 0x0019, Some, |number| number
}
byte_attribute! {
    /// REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
    RequestedAddressFamily(Family), 0x0017, Family::from_byte, Family::byte
}
byte_attribute! {
    /// ADDITIONAL-ADDRESS-FAMILY (RFC 8656 §18.11): a second relayed address, IPv6.
    AdditionalAddressFamily(Family), 0x8000, Family::from_byte, Family::byte
}

impl RequestedTransport {
    /// UDP, the only one of RFC 8656.
    pub const UDP: Self = Self(17);
    /// TCP (RFC 6062 §4.1).
    pub const TCP: Self = Self(6);
}

flag_attribute! {
    /// DONT-FRAGMENT (RFC 8656 §18.9).
    DontFragment, 0x001A
}

/// LIFETIME in whole seconds (RFC 8656 §18.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
pub struct Lifetime(
    /// Rounded down to seconds and capped at 2^32 - 1 of them when written.
    pub Duration,
);

impl Attribute<'_> for Lifetime {
    const TYPE: u16 = 0x000D;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let bytes = value.try_into().map_err(|_| Self::wrong_length(value, "4"))?;
        Ok(Self(Duration::from_secs(u64::from(u32::from_be_bytes(bytes)))))
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        let seconds = u32::try_from(self.0.as_secs()).unwrap_or(u32::MAX);
        out.copy_from_slice(&seconds.to_be_bytes());
        Ok(())
    }
}

/// CHANNEL-NUMBER (RFC 8656 §18.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
pub struct ChannelNumberAttribute(
    /// The 16 bits as they came; a server answers 400 where they are not a [`ChannelNumber`].
    pub u16,
);

impl From<ChannelNumber> for ChannelNumberAttribute {
    fn from(number: ChannelNumber) -> Self {
        Self(number.get())
    }
}

impl Attribute<'_> for ChannelNumberAttribute {
    const TYPE: u16 = 0x000C;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let &[n0, n1, _, _] = value else { return Err(Self::wrong_length(value, "4")) };
        Ok(Self(u16::from_be_bytes([n0, n1])))
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        let [n0, n1] = self.0.to_be_bytes();
        out.copy_from_slice(&[n0, n1, 0, 0]);
        Ok(())
    }
}

/// DATA (RFC 8656 §18.4): the payload of a datagram, which may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
pub struct Data<'a>(
    /// The payload.
    pub &'a [u8],
);

impl<'a> Attribute<'a> for Data<'a> {
    const TYPE: u16 = 0x0013;

    fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, DecodeError> {
        Ok(Self(value))
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        out.copy_from_slice(self.0);
        Ok(())
    }
}

/// EVEN-PORT (RFC 8656 §18.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the definition has one bit")]
pub struct EvenPort {
    /// The R bit: reserve the next port too.
    pub reserve_next: bool,
}

impl Attribute<'_> for EvenPort {
    const TYPE: u16 = 0x0018;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let &[byte] = value else { return Err(Self::wrong_length(value, "1")) };
        Ok(Self { reserve_next: byte & 0x80 != 0 })
    }

    fn encoded_len(&self) -> usize {
        1
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        out.fill(if self.reserve_next { 0x80 } else { 0 });
        Ok(())
    }
}

/// RESERVATION-TOKEN (RFC 8656 §18.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
pub struct ReservationToken(
    /// Opaque.
    pub [u8; 8],
);

impl Attribute<'_> for ReservationToken {
    const TYPE: u16 = 0x0022;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        value.try_into().map(Self).map_err(|_| Self::wrong_length(value, "8"))
    }

    fn encoded_len(&self) -> usize {
        8
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

/// ICMP (RFC 8656 §18.13): what the network said about a relayed datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the definition has these fields")]
pub struct IcmpAttribute {
    /// The ICMP type, 8 bits (RFC 8656 figure 11 draws it too narrow).
    pub kind: u8,
    /// The ICMP code, 8 bits.
    pub code: u8,
    /// The next-hop MTU for "too big", else zero.
    pub data: u32,
}

impl Attribute<'_> for IcmpAttribute {
    const TYPE: u16 = 0x8004;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let &[_, _, kind, code, d0, d1, d2, d3] = value else { return Err(Self::wrong_length(value, "8")) };
        Ok(Self { kind, code, data: u32::from_be_bytes([d0, d1, d2, d3]) })
    }

    fn encoded_len(&self) -> usize {
        8
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        let [d0, d1, d2, d3] = self.data.to_be_bytes();
        out.copy_from_slice(&[0, 0, self.kind, self.code, d0, d1, d2, d3]);
        Ok(())
    }
}
