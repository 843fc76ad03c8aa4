//! What ICE puts into its checks (RFC 8445 §16.1), and NOMINATION.

use super::{Attribute, flag_attribute, integer_attribute};
use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

integer_attribute! {
    /// PRIORITY: what the sender's address would have as a peer-reflexive candidate (RFC 8445 §7.1.1).
    Priority(u32), 0x0024, 4
}
flag_attribute! {
    /// USE-CANDIDATE: the controlling agent nominates the pair (RFC 8445 §7.1.2).
    UseCandidate, 0x0025
}
integer_attribute! {
    /// ICE-CONTROLLED: the sender is controlled; its tie-breaker (RFC 8445 §7.1.3).
    IceControlled(u64), 0x8029, 8
}
integer_attribute! {
    /// ICE-CONTROLLING: the sender is controlling; its tie-breaker (RFC 8445 §7.1.3).
    IceControlling(u64), 0x802A, 8
}

/// NOMINATION: the latest nomination is the one with the largest value (draft-thatcher-ice-renomination §4).
///
/// The draft gives it no number. Browsers use 0xC001, which IANA gave to another attribute: agree upon it by the
/// ICE option `renomination`, and for another number use [`crate::Builder::attribute_as`] and
/// [`crate::Message::get_as`].
///
/// ```
/// use floe_stun::attribute::Nomination;
/// use floe_stun::{Builder, Class, Message, Method, TransactionId};
///
/// let (number, mut buf) = (0xC0A1, [0; 64]);
/// let bytes = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([7; 12]))
///     .attribute_as(number, &Nomination::new(3).unwrap())
///     .finish()
///     .unwrap();
/// let message = Message::decode(bytes).unwrap();
/// assert_eq!(message.get_as(number), Some(Ok(Nomination::new(3).unwrap())));
/// assert!(Nomination::new(3) > None, "any value wins over none");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nomination(u32);

impl Nomination {
    /// The largest: 24 bits.
    pub const MAX: Self = Self(0x00FF_FFFF);

    /// The nomination with this value, if it fits 24 bits.
    #[must_use]
    pub const fn new(value: u32) -> Option<Self> {
        if value <= Self::MAX.0 { Some(Self(value)) } else { None }
    }

    /// The value.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Attribute<'_> for Nomination {
    const TYPE: u16 = 0xC001;

    /// The value stands in the last three of four bytes; the first is ignored.
    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let &[_, v0, v1, v2] = value else { return Err(Self::wrong_length(value, "4")) };
        Ok(Self(u32::from_be_bytes([0, v0, v1, v2])))
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        out.copy_from_slice(&self.0.to_be_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nomination_has_24_bits() {
        assert_eq!(Nomination::new(0x0100_0000), None);
        assert_eq!(Nomination::new(0x00FF_FFFF), Some(Nomination::MAX));
        let read = Nomination::decode(&[0xFF, 1, 2, 3], TransactionId::from([0; 12]));
        assert_eq!(read.map(Nomination::get), Ok(0x01_0203));
    }
}
