//! What a client asks a server that has two addresses, to learn how a NAT behaves (RFC 5780 §7).

use super::{Attribute, bytes_attribute};
use crate::header::TransactionId;
use crate::{DecodeError, EncodeError};

/// CHANGE-REQUEST (RFC 5780 §7.2): from where the answer to a Binding request is to come.
///
/// It must be understood, and a server with one address does not: see [`crate::Message::unknown_required`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the definition has two bits")]
pub struct ChangeRequest {
    /// From the server's other IP address.
    pub ip: bool,
    /// From its other port.
    pub port: bool,
}

impl ChangeRequest {
    const IP: u32 = 0x4;
    const PORT: u32 = 0x2;
}

impl Attribute<'_> for ChangeRequest {
    const TYPE: u16 = 0x0003;

    /// Bits without a meaning are ignored.
    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let bits = value.try_into().map_err(|_| Self::wrong_length(value, "4"))?;
        let bits = u32::from_be_bytes(bits);
        Ok(Self { ip: bits & Self::IP != 0, port: bits & Self::PORT != 0 })
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        let ip = if self.ip { Self::IP } else { 0 };
        let port = if self.port { Self::PORT } else { 0 };
        out.copy_from_slice(&(ip | port).to_be_bytes());
        Ok(())
    }
}

/// RESPONSE-PORT (RFC 5780 §7.5): the port that the answer is to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the value is all there is")]
pub struct ResponsePort(
    /// The port; the RFC's upper bound of 65536 does not fit its 16 bits and is taken for a slip.
    pub u16,
);

impl Attribute<'_> for ResponsePort {
    const TYPE: u16 = 0x0027;

    /// The length is 4 by the letter of "followed by 2 bytes of padding"; servers in use also say 2.
    fn decode(value: &[u8], _: TransactionId) -> Result<Self, DecodeError> {
        let (&[p0, p1] | &[p0, p1, _, _]) = value else { return Err(Self::wrong_length(value, "4 or 2")) };
        Ok(Self(u16::from_be_bytes([p0, p1])))
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: TransactionId) -> Result<(), EncodeError> {
        let [p0, p1] = self.0.to_be_bytes();
        out.copy_from_slice(&[p0, p1, 0, 0]);
        Ok(())
    }
}

bytes_attribute! {
    /// PADDING (RFC 5780 §7.6): bytes without a meaning that make a message larger than the path takes whole.
    Padding, 0x0026
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_change_request_are_those_of_the_rfc() {
        let id = TransactionId::from([0; 12]);
        let mut out = [0; 4];
        ChangeRequest { ip: true, port: false }.encode(&mut out, id).unwrap();
        assert_eq!(out, [0, 0, 0, 4]);
        ChangeRequest { ip: false, port: true }.encode(&mut out, id).unwrap();
        assert_eq!(out, [0, 0, 0, 2]);
        let noisy = ChangeRequest::decode(&[0xFF, 0xFF, 0xFF, 0xF9], id);
        assert_eq!(noisy, Ok(ChangeRequest { ip: false, port: false }));
    }

    #[test]
    fn a_port_may_bring_its_padding_or_not() {
        let id = TransactionId::from([0; 12]);
        assert_eq!(ResponsePort::decode(&[0x12, 0x34], id), Ok(ResponsePort(0x1234)));
        assert_eq!(ResponsePort::decode(&[0x12, 0x34, 9, 9], id), Ok(ResponsePort(0x1234)));
        assert!(ResponsePort::decode(&[0x12, 0x34, 9], id).is_err());
    }
}
