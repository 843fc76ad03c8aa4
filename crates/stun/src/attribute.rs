//! Attributes: the trait that ties a value to its type, and every one that Binding, ICE and TURN need.
//!
//! A value is parsed once, into what cannot be wrong. Attributes can be defined outside of this crate:
//!
//! ```
//! use floe_stun::attribute::Attribute;
//! use floe_stun::{DecodeError, EncodeError, TransactionId};
//!
//! /// GOOG-NETWORK-INFO: network id and cost, as libwebrtc sends it.
//! #[derive(Debug, PartialEq)]
//! struct NetworkInfo(u16, u16);
//!
//! impl Attribute<'_> for NetworkInfo {
//!     const TYPE: u16 = 0xC057;
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
//! # assert_eq!(NetworkInfo::decode(&[0, 1, 0, 50], [0; 12].into()), Ok(NetworkInfo(1, 50)));
//! ```

mod address;
mod error_code;
mod ice;
mod password_algorithm;
mod text;
mod turn;

pub use address::{
    AlternateServer, MappedAddress, OtherAddress, ResponseOrigin, XorMappedAddress, XorPeerAddress,
    XorRelayedAddress,
};
pub use error_code::{AddressErrorCode, ErrorCode, UnknownAttributes};
pub use ice::{IceControlled, IceControlling, Priority, UseCandidate};
pub use password_algorithm::{Algorithm, PasswordAlgorithm, PasswordAlgorithms};
pub use text::{AlternateDomain, Nonce, Realm, Software, UserHash, Username};
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

/// Whether this crate has a type for it.
#[must_use]
pub const fn is_known(kind: u16) -> bool {
    name(kind).is_some()
}

/// The RFC's name of an attribute, if this crate knows it.
#[must_use]
pub const fn name(kind: u16) -> Option<&'static str> {
    Some(match kind {
        MappedAddress::TYPE => "MAPPED-ADDRESS",
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
        MESSAGE_INTEGRITY_SHA256 => "MESSAGE-INTEGRITY-SHA256",
        PasswordAlgorithm::TYPE => "PASSWORD-ALGORITHM",
        UserHash::TYPE => "USERHASH",
        XorMappedAddress::TYPE => "XOR-MAPPED-ADDRESS",
        ReservationToken::TYPE => "RESERVATION-TOKEN",
        Priority::TYPE => "PRIORITY",
        UseCandidate::TYPE => "USE-CANDIDATE",
        AdditionalAddressFamily::TYPE => "ADDITIONAL-ADDRESS-FAMILY",
        AddressErrorCode::TYPE => "ADDRESS-ERROR-CODE",
        PasswordAlgorithms::TYPE => "PASSWORD-ALGORITHMS",
        AlternateDomain::TYPE => "ALTERNATE-DOMAIN",
        IcmpAttribute::TYPE => "ICMP",
        Software::TYPE => "SOFTWARE",
        AlternateServer::TYPE => "ALTERNATE-SERVER",
        FINGERPRINT => "FINGERPRINT",
        IceControlled::TYPE => "ICE-CONTROLLED",
        IceControlling::TYPE => "ICE-CONTROLLING",
        ResponseOrigin::TYPE => "RESPONSE-ORIGIN",
        OtherAddress::TYPE => "OTHER-ADDRESS",
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

            fn decode(value: &[u8], _: crate::TransactionId) -> Result<Self, crate::DecodeError> {
                let bytes = value.try_into().map_err(|_| Self::wrong_length(value, stringify!($len)))?;
                Ok(Self(<$int>::from_be_bytes(bytes)))
            }

            fn encoded_len(&self) -> usize {
                $len
            }

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

            fn decode(value: &[u8], _: crate::TransactionId) -> Result<Self, crate::DecodeError> {
                if value.is_empty() { Ok(Self) } else { Err(Self::wrong_length(value, "0")) }
            }

            fn encoded_len(&self) -> usize {
                0
            }

            fn encode(&self, _: &mut [u8], _: crate::TransactionId) -> Result<(), crate::EncodeError> {
                Ok(())
            }
        }
    };
}

use {flag_attribute, integer_attribute};
