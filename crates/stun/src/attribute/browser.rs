//! What browsers put into their checks beyond the RFCs: libwebrtc's GOOG family, DTLS inside STUN.
//!
//! All may be ignored, and whoever does not want them does. Types are given where the layout is known; the others
//! are known by name alone ([`super::name`]).

use super::{Attribute, bytes_attribute, integer_attribute};
use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

/// GOOG-NETWORK-INFO: the network that the sender uses and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two numbers")]
pub struct GoogNetworkInfo {
    /// The sender's number for the network.
    pub network: u16,
    /// From 0 to 999; more costs more.
    pub cost: u16,
}

impl Attribute<'_> for GoogNetworkInfo {
    const TYPE: u16 = 0xC057;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let &[n0, n1, c0, c1] = value else { return Err(Self::wrong_length(value, "4")) };
        Ok(Self { network: u16::from_be_bytes([n0, n1]), cost: u16::from_be_bytes([c0, c1]) })
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        let ([n0, n1], [c0, c1]) = (self.network.to_be_bytes(), self.cost.to_be_bytes());
        out.copy_from_slice(&[n0, n1, c0, c1]);
        Ok(())
    }
}

/// GOOG-LAST-ICE-CHECK-RECEIVED: the id of the last check that came, so that a check is an answer too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
pub struct GoogLastIceCheckReceived(
    /// The id of its transaction.
    pub TransactionId,
);

impl Attribute<'_> for GoogLastIceCheckReceived {
    const TYPE: u16 = 0xC058;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let id: [u8; 12] = value.try_into().map_err(|_| Self::wrong_length(value, "12"))?;
        Ok(Self(TransactionId::from(id)))
    }

    fn encoded_len(&self) -> usize {
        12
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        out.copy_from_slice(self.0.as_bytes());
        Ok(())
    }
}

/// Defines an attribute that is a list of big-endian integers.
macro_rules! list_attribute {
    ($(#[$doc:meta])* $name:ident($int:ty), $kind:literal, $multiple:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(&'a [u8]);

        impl<'a> $name<'a> {
            /// A list from its value as it came or is to be sent; cut to whole numbers.
            #[must_use]
            pub fn from_bytes(value: &'a [u8]) -> Self {
                let (whole, _) = value.as_chunks::<{ size_of::<$int>() }>();
                Self(whole.as_flattened())
            }

            /// The numbers.
            pub fn iter(&self) -> impl Iterator<Item = $int> + 'a {
                let (numbers, _) = self.0.as_chunks();
                numbers.iter().copied().map(<$int>::from_be_bytes)
            }
        }

        impl<'a> Attribute<'a> for $name<'a> {
            const TYPE: u16 = $kind;

            fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, DecodeError> {
                if value.len().is_multiple_of(size_of::<$int>()) {
                    Ok(Self(value))
                } else {
                    Err(Self::wrong_length(value, $multiple))
                }
            }

            fn encoded_len(&self) -> usize {
                self.0.len()
            }

            fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
                out.copy_from_slice(self.0);
                Ok(())
            }
        }
    };
}

list_attribute! {
    /// GOOG-MISC-INFO: versions of abilities, by their place in the list.
    GoogMiscInfo(u16), 0xC059, "a multiple of 2"
}
bytes_attribute! {
    /// META-DTLS-IN-STUN: a DTLS packet that rides in a check; empty when the sender is done.
    MetaDtlsInStun, 0xC070
}
list_attribute! {
    /// META-DTLS-IN-STUN-ACK: CRC-32 of the DTLS packets that came, at most 4.
    MetaDtlsInStunAck(u32), 0xC071, "a multiple of 4"
}
integer_attribute! {
    /// GOOG-MESSAGE-INTEGRITY-32: the first four bytes of a MESSAGE-INTEGRITY. It proves too little to be believed;
    /// no machine of ours does.
    GoogMessageIntegrity32(u32), 0xC060, 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_of_whole_numbers() {
        let id = TransactionId::from([0; 12]);
        assert!(GoogMiscInfo::decode(&[0, 1, 2], id).is_err());
        assert!(MetaDtlsInStunAck::decode(&[0, 1], id).is_err());
        assert!(GoogMiscInfo::decode(&[0, 1, 2, 3], id).unwrap().iter().eq([1, 0x203]));
        assert!(MetaDtlsInStunAck::from_bytes(&[0, 1, 2, 3, 4]).iter().eq([0x0001_0203]));
    }

    #[test]
    fn network_and_cost_stand_in_this_order() {
        let read = GoogNetworkInfo::decode(&[0, 1, 0, 50], TransactionId::from([0; 12]));
        assert_eq!(read, Ok(GoogNetworkInfo { network: 1, cost: 50 }));
    }
}
