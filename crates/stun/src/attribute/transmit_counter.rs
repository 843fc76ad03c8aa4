//! TRANSACTION_TRANSMIT_COUNTER: which of the repeated requests an answer answers (RFC 7982 §3).

use super::Attribute;
use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

/// TRANSACTION_TRANSMIT_COUNTER (RFC 7982 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the definition has two counters")]
pub struct TransmitCounter {
    /// How often the request has been sent under its id: 1, then one more each time. An answer repeats it.
    pub request: u8,
    /// How often the answer has been sent: 0 in requests, and where a server does not count.
    pub response: u8,
}

impl TransmitCounter {
    /// For the request that is sent for the `sent`th time, from 1; 255 stands for all that follow.
    #[must_use]
    pub fn request(sent: u32) -> Self {
        Self { request: u8::try_from(sent).unwrap_or(u8::MAX), response: 0 }
    }

    /// The answer of a server that does not count (RFC 7982 §3.3).
    #[must_use]
    pub const fn echo(self) -> Self {
        Self { response: 0, ..self }
    }
}

impl Attribute<'_> for TransmitCounter {
    const TYPE: u16 = 0x8025;

    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let &[_, _, request, response] = value else { return Err(Self::wrong_length(value, "4")) };
        Ok(Self { request, response })
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        out.copy_from_slice(&[0, 0, self.request, self.response]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_counts_from_one_and_the_answer_repeats_it() {
        assert_eq!(TransmitCounter::request(1), TransmitCounter { request: 1, response: 0 });
        assert_eq!(TransmitCounter::request(300).request, 255);
        let asked = TransmitCounter { request: 3, response: 9 };
        assert_eq!(asked.echo(), TransmitCounter { request: 3, response: 0 });
    }

    #[test]
    fn the_counters_stand_behind_two_zero_bytes() {
        let mut out = [0xEE; 4];
        TransmitCounter { request: 2, response: 1 }.encode(&mut out, TransactionId::from([0; 12])).unwrap();
        assert_eq!(out, [0, 0, 2, 1]);
    }
}
