//! ChannelData: four bytes in front of the application's (RFC 8656 §12.4).

use crate::DecodeError;

/// A channel number that may be bound: 0x4000 to 0x4FFF (RFC 8656 §12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(u16);

impl ChannelNumber {
    /// The lowest.
    pub const MIN: Self = Self(0x4000);
    /// The highest.
    pub const MAX: Self = Self(0x4FFF);

    /// The channel with this number, if it is in range.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number >= Self::MIN.0 && number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The 16-bit number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// A ChannelData message, read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelData<'a> {
    /// Its channel.
    pub channel: ChannelNumber,
    /// The application's bytes.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Bytes in front of the data.
    pub const HEADER_LEN: usize = 4;

    /// Reads a datagram. Bytes behind the data are padding (RFC 8656 §12.6).
    ///
    /// # Errors
    ///
    /// If the number is outside of 0x4000 to 0x4FFF or the datagram is shorter than its length field says.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let Some((&[n0, n1, l0, l1], rest)) = bytes.split_first_chunk::<4>() else {
            return Err(DecodeError::Truncated { need: Self::HEADER_LEN, have: bytes.len() });
        };
        let channel =
            ChannelNumber::new(u16::from_be_bytes([n0, n1])).ok_or(DecodeError::NotStun { first: n0 })?;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let need = Self::HEADER_LEN + len;
        let data = rest.get(..len).ok_or(DecodeError::Truncated { need, have: bytes.len() })?;
        Ok(Self { channel, data })
    }

    /// Whether a datagram from a TURN server is ChannelData by its first byte (RFC 7983 §7).
    #[must_use]
    pub fn is_probably(bytes: &[u8]) -> bool {
        matches!(bytes.first(), Some(0x40..=0x4F))
    }

    /// The header of a message with `len` bytes of data.
    #[must_use]
    pub const fn header(channel: ChannelNumber, len: u16) -> [u8; 4] {
        let ([n0, n1], [l0, l1]) = (channel.0.to_be_bytes(), len.to_be_bytes());
        [n0, n1, l0, l1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_a_slice_of_the_datagram_and_padding_is_ignored() {
        let got = ChannelData::decode(&[0x40, 0x01, 0, 3, 1, 2, 3, 0xFF]).unwrap();
        assert_eq!((got.channel.get(), got.data), (0x4001, &[1, 2, 3][..]));
        assert_eq!(ChannelData::decode(&[0x40, 0x00, 0, 0]).unwrap().data, &[]);
    }

    #[test]
    fn short_and_reserved_are_refused() {
        assert!(ChannelData::decode(&[0x40, 0x01, 0, 3, 1, 2]).is_err());
        assert!(ChannelData::decode(&[0x50, 0x00, 0, 0]).is_err());
        assert!(ChannelData::decode(&[0x40]).is_err());
    }
}
