//! Attributes: the trait that ties a value to its type, and those of the RFCs and of browsers.
//!
//! A value is parsed once, into what cannot be wrong. Attributes can be defined outside of this crate:
//!
//! ```
//! use floe_stun::attribute::Attribute;
//! use floe_stun::{DecodeError, EncodeError, TransactionId};
//!
//! /// Where the sender stands in its house: rack and slot.
//! #[derive(Debug, PartialEq)]
//! struct Place(u16, u16);
//!
//! impl Attribute<'_> for Place {
//!     const TYPE: u16 = 0xC0DE;
//!
//!     fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
//!         let [a, b, c, d] = value.try_into().map_err(|_| Self::wrong_length(value, "4"))?;
//!         Ok(Self(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
//!     }
//!
//!     fn encoded_len(&self) -> usize {
//!         4
//!     }
//!
//!     fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
//!         let ([a, b], [c, d]) = (self.0.to_be_bytes(), self.1.to_be_bytes());
//!         out.copy_from_slice(&[a, b, c, d]);
//!         Ok(())
//!     }
//! }
//! # assert_eq!(Place::decode(&[0, 1, 0, 50], [0; 12].into()), Ok(Place(1, 50)));
//! ```

mod address;
mod behaviour;
mod browser;
mod connection;
mod error_code;
mod ice;
mod password_algorithm;
mod text;
mod token;
mod transmit_counter;
mod turn;

pub use address::{
    AlternateServer, MappedAddress, OtherAddress, ResponseOrigin, XorMappedAddress, XorPeerAddress,
    XorRelayedAddress,
};
pub use behaviour::{ChangeRequest, Padding, ResponsePort};
pub use browser::{
    GoogLastIceCheckReceived, GoogMessageIntegrity32, GoogMiscInfo, GoogNetworkInfo, MetaDtlsInStun,
    MetaDtlsInStunAck,
};
pub use connection::{ConnectionId, MobilityTicket};
pub use error_code::{AddressErrorCode, ErrorCode, UnknownAttributes};
pub use ice::{IceControlled, IceControlling, Nomination, Priority, UseCandidate};
pub use password_algorithm::{Algorithm, PasswordAlgorithm, PasswordAlgorithms};
pub use text::{AlternateDomain, Nonce, Realm, Software, UserHash, Username};
pub use token::{AccessToken, ThirdPartyAuthorization};
pub use transmit_counter::TransmitCounter;
pub use turn::{
    AdditionalAddressFamily, ChannelNumberAttribute, Data, DontFragment, EvenPort, Family, IcmpAttribute,
    Lifetime, RequestedAddressFamily, RequestedTransport, ReservationToken,
};

use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

/// A typed attribute (RFC 8489 §14). `'a` is the message it borrows from.
pub trait Attribute<'a>: Sized {
    /// Its 16-bit type; below 0x8000 a receiver that does not know it must refuse the message.
    const TYPE: u16;

    /// Reads the value, which comes without its padding.
    ///
    /// # Errors
    ///
    /// If the value is not what the attribute's definition says.
    fn decode(value: &'a [u8], id: TransactionId) -> Result<Self, DecodeError>;

    /// Bytes of the value, without padding.
    fn encoded_len(&self) -> usize;

    /// Writes the value into `out`, which has [`Self::encoded_len`] bytes.
    ///
    /// # Errors
    ///
    /// If the attribute cannot carry the value.
    fn encode(&self, out: &mut [u8], id: TransactionId) -> Result<(), EncodeError>;

    /// The error for a value of the wrong length; `expected` says which would be right.
    #[must_use]
    fn wrong_length(value: &[u8], expected: &'static str) -> DecodeError {
        DecodeError::WrongLength { attribute: Self::TYPE, expected, have: value.len() }
    }

    /// The error for a value that the definition does not allow.
    #[must_use]
    fn bad_value(reason: &'static str) -> DecodeError {
        DecodeError::BadValue { attribute: Self::TYPE, reason }
    }
}

/// MESSAGE-INTEGRITY (RFC 8489 §14.5); written by [`crate::Builder::integrity`].
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
/// MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6); written by [`crate::Builder::integrity_sha256`].
pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
/// FINGERPRINT (RFC 8489 §14.7); written by [`crate::Builder::fingerprint`].
pub const FINGERPRINT: u16 = 0x8028;

/// Whether a receiver that does not know this type must refuse the message (RFC 8489 §14).
#[must_use]
pub const fn is_required(kind: u16) -> bool {
    kind < 0x8000
}

/// Whether this crate knows it by name; see [`is_of_extension`] for what not every machine understands.
#[must_use]
pub const fn is_known(kind: u16) -> bool {
    name(kind).is_some()
}

/// Whether it must be understood and is understood only by those who speak an extension: behaviour discovery
/// (RFC 5780), TCP allocations (RFC 6062), tokens (RFC 7635). Whoever does not speak it must refuse the message, as a
/// server with one address refuses CHANGE-REQUEST.
#[must_use]
pub const fn is_of_extension(kind: u16) -> bool {
    matches!(
        kind,
        ChangeRequest::TYPE | AccessToken::TYPE | Padding::TYPE | ResponsePort::TYPE | ConnectionId::TYPE
    )
}

/// The name of an attribute by its RFC or by those who made it, if this crate knows it.
#[must_use]
pub const fn name(kind: u16) -> Option<&'static str> {
    Some(match kind {
        MappedAddress::TYPE => "MAPPED-ADDRESS",
        ChangeRequest::TYPE => "CHANGE-REQUEST",
        Username::TYPE => "USERNAME",
        MESSAGE_INTEGRITY => "MESSAGE-INTEGRITY",
        ErrorCode::TYPE => "ERROR-CODE",
        UnknownAttributes::TYPE => "UNKNOWN-ATTRIBUTES",
        ChannelNumberAttribute::TYPE => "CHANNEL-NUMBER",
        Lifetime::TYPE => "LIFETIME",
        XorPeerAddress::TYPE => "XOR-PEER-ADDRESS",
        Data::TYPE => "DATA",
        Realm::TYPE => "REALM",
        Nonce::TYPE => "NONCE",
        XorRelayedAddress::TYPE => "XOR-RELAYED-ADDRESS",
        RequestedAddressFamily::TYPE => "REQUESTED-ADDRESS-FAMILY",
        EvenPort::TYPE => "EVEN-PORT",
        RequestedTransport::TYPE => "REQUESTED-TRANSPORT",
        DontFragment::TYPE => "DONT-FRAGMENT",
        AccessToken::TYPE => "ACCESS-TOKEN",
        MESSAGE_INTEGRITY_SHA256 => "MESSAGE-INTEGRITY-SHA256",
        PasswordAlgorithm::TYPE => "PASSWORD-ALGORITHM",
        UserHash::TYPE => "USERHASH",
        XorMappedAddress::TYPE => "XOR-MAPPED-ADDRESS",
        ReservationToken::TYPE => "RESERVATION-TOKEN",
        Priority::TYPE => "PRIORITY",
        UseCandidate::TYPE => "USE-CANDIDATE",
        Padding::TYPE => "PADDING",
        ResponsePort::TYPE => "RESPONSE-PORT",
        ConnectionId::TYPE => "CONNECTION-ID",
        AdditionalAddressFamily::TYPE => "ADDITIONAL-ADDRESS-FAMILY",
        AddressErrorCode::TYPE => "ADDRESS-ERROR-CODE",
        PasswordAlgorithms::TYPE => "PASSWORD-ALGORITHMS",
        AlternateDomain::TYPE => "ALTERNATE-DOMAIN",
        IcmpAttribute::TYPE => "ICMP",
        Software::TYPE => "SOFTWARE",
        AlternateServer::TYPE => "ALTERNATE-SERVER",
        TransmitCounter::TYPE => "TRANSACTION_TRANSMIT_COUNTER",
        FINGERPRINT => "FINGERPRINT",
        IceControlled::TYPE => "ICE-CONTROLLED",
        IceControlling::TYPE => "ICE-CONTROLLING",
        ResponseOrigin::TYPE => "RESPONSE-ORIGIN",
        OtherAddress::TYPE => "OTHER-ADDRESS",
        ThirdPartyAuthorization::TYPE => "THIRD-PARTY-AUTHORIZATION",
        MobilityTicket::TYPE => "MOBILITY-TICKET",
        Nomination::TYPE => "NOMINATION",
        GoogNetworkInfo::TYPE => "GOOG-NETWORK-INFO",
        GoogLastIceCheckReceived::TYPE => "GOOG-LAST-ICE-CHECK-RECEIVED",
        GoogMiscInfo::TYPE => "GOOG-MISC-INFO",
        0xC05A => "GOOG-OBSOLETE-1",
        0xC05B => "GOOG-CONNECTION-ID",
        0xC05C => "GOOG-DELTA",
        0xC05D => "GOOG-DELTA-ACK",
        0xC05E => "GOOG-DELTA-SYNC-REQ",
        GoogMessageIntegrity32::TYPE => "GOOG-MESSAGE-INTEGRITY-32",
        MetaDtlsInStun::TYPE => "META-DTLS-IN-STUN",
        MetaDtlsInStunAck::TYPE => "META-DTLS-IN-STUN-ACK",
        0xFF00 => "RETRANSMIT-COUNT",
        0xFF05 => "TURN-LOGGING-ID",
        _ => return None,
    })
}

/// Defines an attribute whose value is one big-endian integer.
macro_rules! integer_attribute {
    ($(#[$doc:meta])* $name:ident($int:ty), $kind:literal, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
        pub struct $name(
            /// The value.
            pub $int,
        );

        impl crate::attribute::Attribute<'_> for $name {
            const TYPE: u16 = $kind;

            #[inline]
            fn decode(value: &[u8], _: crate::TransactionId) -> Result<Self, crate::DecodeError> {
                let bytes = value.try_into().map_err(|_| Self::wrong_length(value, stringify!($len)))?;
                Ok(Self(<$int>::from_be_bytes(bytes)))
            }

            #[inline]
            fn encoded_len(&self) -> usize {
                $len
            }

            #[inline]
            fn encode(&self, out: &mut [u8], _: crate::TransactionId) -> Result<(), crate::EncodeError> {
                out.copy_from_slice(&self.0.to_be_bytes());
                Ok(())
            }
        }
    };
}

/// Defines an attribute that says all by being there.
macro_rules! flag_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::exhaustive_structs, reason = "there is no value")]
        pub struct $name;

        impl crate::attribute::Attribute<'_> for $name {
            const TYPE: u16 = $kind;

            #[inline]
            fn decode(value: &[u8], _: crate::TransactionId) -> Result<Self, crate::DecodeError> {
                if value.is_empty() { Ok(Self) } else { Err(Self::wrong_length(value, "0")) }
            }

            #[inline]
            fn encoded_len(&self) -> usize {
                0
            }

            #[inline]
            fn encode(&self, _: &mut [u8], _: crate::TransactionId) -> Result<(), crate::EncodeError> {
                Ok(())
            }
        }
    };
}

/// Defines an attribute of bytes whose meaning is none of ours; `Debug` tells how many.
macro_rules! bytes_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
        pub struct $name<'a>(
            /// The bytes.
            pub &'a [u8],
        );

        impl<'a> crate::attribute::Attribute<'a> for $name<'a> {
            const TYPE: u16 = $kind;

            #[inline]
            fn decode(value: &'a [u8], _: crate::TransactionId) -> Result<Self, crate::DecodeError> {
                Ok(Self(value))
            }

            #[inline]
            fn encoded_len(&self) -> usize {
                self.0.len()
            }

            #[inline]
            fn encode(&self, out: &mut [u8], _: crate::TransactionId) -> Result<(), crate::EncodeError> {
                out.copy_from_slice(self.0);
                Ok(())
            }
        }

        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    };
}

use {bytes_attribute, flag_attribute, integer_attribute};

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from the registry and from the tables of the RFCs, not from the types.
    #[test]
    fn numbers_and_names_are_those_of_the_registry() {
        for (kind, named) in [
            (0x0003, "CHANGE-REQUEST"),
            (0x001B, "ACCESS-TOKEN"),
            (0x0026, "PADDING"),
            (0x0027, "RESPONSE-PORT"),
            (0x002A, "CONNECTION-ID"),
            (0x8025, "TRANSACTION_TRANSMIT_COUNTER"),
            (0x802B, "RESPONSE-ORIGIN"),
            (0x802C, "OTHER-ADDRESS"),
            (0x802E, "THIRD-PARTY-AUTHORIZATION"),
            (0x8030, "MOBILITY-TICKET"),
            (0xC001, "NOMINATION"),
            (0xC057, "GOOG-NETWORK-INFO"),
            (0xC058, "GOOG-LAST-ICE-CHECK-RECEIVED"),
            (0xC059, "GOOG-MISC-INFO"),
            (0xC060, "GOOG-MESSAGE-INTEGRITY-32"),
            (0xC070, "META-DTLS-IN-STUN"),
            (0xC071, "META-DTLS-IN-STUN-ACK"),
        ] {
            assert_eq!(name(kind), Some(named), "{kind:#06x}");
        }
    }

    #[test]
    fn what_an_extension_demands_is_not_understood_by_everyone() {
        let demanding = (0..=u16::MAX).filter(|kind| is_of_extension(*kind));
        assert!(demanding.eq([0x0003, 0x001B, 0x0026, 0x0027, 0x002A]));
    }
}
