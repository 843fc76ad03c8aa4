//! Where application data goes, and the few bytes it needs around it.

use core::fmt;
use core::net::SocketAddr;

use crate::attribute::{Attribute, Data, DontFragment, XorPeerAddress};
use crate::door::SocketId;
use crate::header::{HEADER_LEN, TransactionId};
use crate::method::join;
use crate::{Builder, ChannelData, ChannelNumber, Class, EncodeError, Method};

/// How one application datagram travels: from which socket, to where, behind which header.
///
/// The application writes its bytes once, [`headroom`](Self::headroom) bytes into a buffer, and
/// [`wrap`](Self::wrap) puts the relay's header in front of them, in place. Nothing is queued or allocated.
///
/// ```
/// use floe_stun::{ChannelNumber, SendPlan, SocketId};
///
/// let relay = "192.0.2.1:3478".parse().unwrap();
/// let plan = SendPlan::channel(SocketId(0), relay, ChannelNumber::MIN, 5).unwrap();
///
/// let mut packet = vec![0; plan.packet_len()];
/// packet[plan.headroom()..][..5].copy_from_slice(b"hello");
/// plan.wrap(&mut packet);
/// assert_eq!(packet, b"\x40\x00\x00\x05hello"); // send it from plan.socket() to plan.to()
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendPlan {
    socket: SocketId,
    to: SocketAddr,
    header: [u8; MAX_HEADROOM],
    headroom: u8,
    len: u16,
    tailroom: u8,
    forbids_fragments: bool,
}

impl SendPlan {
    /// Straight to the peer: no header. `None` if `len` is more than a UDP datagram takes.
    #[must_use]
    pub fn direct(socket: SocketId, to: SocketAddr, len: usize) -> Option<Self> {
        Self::with_header(socket, to, &[], len, 0)
    }

    /// Through a relay on a bound channel: 4 bytes in front (RFC 8656 §12.4).
    #[must_use]
    pub fn channel(socket: SocketId, to: SocketAddr, channel: ChannelNumber, len: usize) -> Option<Self> {
        let header = ChannelData::header(channel, u16::try_from(len).ok()?);
        Self::with_header(socket, to, &header, len, 0)
    }

    /// The same over a stream, where every frame ends on a multiple of 4 (RFC 8656 §12.5).
    #[must_use]
    pub fn padded(self) -> Self {
        Self { tailroom: padding(self.headroom().saturating_add(self.len.into())), ..self }
    }

    /// Through a relay by a Send indication (RFC 8656 §11.1): 36 bytes in front for an IPv4 peer, 48 for IPv6.
    #[must_use]
    pub fn send_indication(
        socket: SocketId,
        to: SocketAddr,
        peer: SocketAddr,
        id: TransactionId,
        len: usize,
    ) -> Option<Self> {
        Self::indication(Method::SEND, socket, to, peer, id, len)
    }

    /// From a relay to its client by a Data indication (RFC 8656 §11.3): room as for a Send indication.
    #[must_use]
    pub fn data_indication(
        socket: SocketId,
        to: SocketAddr,
        peer: SocketAddr,
        id: TransactionId,
        len: usize,
    ) -> Option<Self> {
        Self::indication(Method::DATA, socket, to, peer, id, len)
    }

    /// The same in one piece all the way: whoever sends it sets the DF bit. In a Send indication that is said to the relay
    /// by DONT-FRAGMENT (RFC 8656 §11.1), which takes 4 bytes more in front.
    ///
    /// `None` behind a channel and in a Data indication, which cannot say so.
    ///
    /// ```
    /// use floe_stun::{SendPlan, SocketId};
    ///
    /// let peer = "203.0.113.7:9".parse().unwrap();
    /// let plan = SendPlan::direct(SocketId(0), peer, 1200).unwrap();
    /// assert!(!plan.forbids_fragments());
    /// assert!(plan.dont_fragment().unwrap().forbids_fragments());
    /// ```
    #[must_use]
    pub fn dont_fragment(self) -> Option<Self> {
        match self.header() {
            _ if self.forbids_fragments => Some(self),
            [] => Some(Self { forbids_fragments: true, ..self }),
            [t0, t1, ..] if [*t0, *t1] == SEND_INDICATION => self.saying_so(),
            _ => None,
        }
    }

    /// Puts DONT-FRAGMENT before the header of DATA.
    fn saying_so(mut self) -> Option<Self> {
        let end = self.headroom();
        let data_header = *self.header().last_chunk::<4>()?;
        let [t0, t1] = DontFragment::TYPE.to_be_bytes();
        let [.., l0, l1] = *self.header().first_chunk::<4>()?;
        let length = u16::from_be_bytes([l0, l1]).checked_add(4)?;
        self.header.get_mut(2..4)?.copy_from_slice(&length.to_be_bytes());
        self.header.get_mut(end.checked_sub(4)?..end)?.copy_from_slice(&[t0, t1, 0, 0]);
        self.header.get_mut(end..end.checked_add(4)?)?.copy_from_slice(&data_header);
        self.headroom = self.headroom.checked_add(4)?;
        Some(Self { forbids_fragments: true, ..self })
    }

    fn indication(
        method: Method,
        socket: SocketId,
        to: SocketAddr,
        peer: SocketAddr,
        id: TransactionId,
        len: usize,
    ) -> Option<Self> {
        u16::try_from(len).ok()?;
        let mut header = [0; MAX_HEADROOM];
        let headroom = indication_header(&mut header, method, peer, id, len).ok()?;
        Self::with_header(socket, to, header.get(..headroom)?, len, padding(len))
    }

    fn with_header(
        socket: SocketId,
        to: SocketAddr,
        prefix: &[u8],
        len: usize,
        tailroom: u8,
    ) -> Option<Self> {
        let mut header = [0; MAX_HEADROOM];
        header.get_mut(..prefix.len())?.copy_from_slice(prefix);
        let headroom = u8::try_from(prefix.len()).ok()?;
        let len = u16::try_from(len).ok()?;
        Some(Self { socket, to, header, headroom, len, tailroom, forbids_fragments: false })
    }

    /// The socket to send from.
    #[must_use]
    pub const fn socket(&self) -> SocketId {
        self.socket
    }

    /// Where the packet goes: the peer, or the relay.
    #[must_use]
    pub const fn to(&self) -> SocketAddr {
        self.to
    }

    /// Bytes in front of the data: 0, 4, 36 or 48; with DONT-FRAGMENT 40 or 52.
    #[must_use]
    pub const fn headroom(&self) -> usize {
        self.headroom as usize
    }

    /// Bytes behind the data: 0 to 3.
    #[must_use]
    pub const fn tailroom(&self) -> usize {
        self.tailroom as usize
    }

    /// Whether it is to be sent with the DF bit set: see [`Self::dont_fragment`]. What does not forbid fragments allows them.
    #[must_use]
    pub const fn forbids_fragments(&self) -> bool {
        self.forbids_fragments
    }

    /// Bytes of the whole packet.
    #[must_use]
    pub const fn packet_len(&self) -> usize {
        self.headroom().saturating_add(self.len as usize).saturating_add(self.tailroom())
    }

    /// The bytes that stand in front of the data; for hosts that send from several buffers.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.header.get(..self.headroom()).unwrap_or_default()
    }

    /// The bytes that stand behind the data; for hosts that send from several buffers.
    #[must_use]
    pub fn trailer(&self) -> &'static [u8] {
        const ZEROS: [u8; 3] = [0; 3];
        ZEROS.get(..self.tailroom()).unwrap_or_default()
    }

    /// Writes header and trailer around the data, which stands at [`headroom`](Self::headroom) in a packet of
    /// [`packet_len`](Self::packet_len) bytes. A packet of another length is left as it is.
    pub fn wrap(&self, packet: &mut [u8]) {
        if packet.len() != self.packet_len() {
            return;
        }
        if let Some(front) = packet.get_mut(..self.headroom()) {
            front.copy_from_slice(self.header());
        }
        if let Some(back) = packet.get_mut(self.headroom().saturating_add(self.len.into())..) {
            back.fill(0);
        }
    }
}

impl fmt::Debug for SendPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendPlan")
            .field("socket", &self.socket)
            .field("to", &self.to)
            .field("headroom", &self.headroom)
            .field("len", &self.len)
            .field("forbids_fragments", &self.forbids_fragments)
            .finish_non_exhaustive()
    }
}

/// A relayed datagram on its way through a server: received bytes that leave again behind another header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forward<'p> {
    /// Where it goes and the header it needs.
    pub plan: SendPlan,
    /// The application's bytes, a sub-slice of the input.
    pub data: &'p [u8],
}

impl<'p> Forward<'p> {
    /// These bytes by this plan.
    #[must_use]
    pub const fn new(plan: SendPlan, data: &'p [u8]) -> Self {
        Self { plan, data }
    }
}

/// Bytes from here to the next multiple of 4.
const fn padding(len: usize) -> u8 {
    (len.wrapping_neg() % 4) as u8
}

/// A Send indication to an IPv6 peer, in one piece, needs the most.
const MAX_HEADROOM: usize = 52;

/// With what it begins.
const SEND_INDICATION: [u8; 2] = join(Class::Indication, Method::SEND).to_be_bytes();

/// The indication up to and with the header of its DATA attribute, whose value the application writes.
fn indication_header(
    out: &mut [u8; MAX_HEADROOM],
    method: Method,
    peer: SocketAddr,
    id: TransactionId,
    len: usize,
) -> Result<usize, EncodeError> {
    let too_long = EncodeError::BadValue { attribute: Data::TYPE, reason: "more than a message takes" };
    let before_data =
        Builder::new(out, Class::Indication, method, id).attribute(&XorPeerAddress(peer)).finish()?.len();
    let headroom = before_data.saturating_add(4);
    let body = headroom.saturating_add(len.next_multiple_of(4)).saturating_sub(HEADER_LEN);
    let length = u16::try_from(body).map_err(|_| too_long)?;
    let data_len = u16::try_from(len).map_err(|_| too_long)?;
    if let Some(field) = out.get_mut(2..4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    if let Some(field) = out.get_mut(before_data..headroom) {
        let ([k0, k1], [l0, l1]) = (Data::TYPE.to_be_bytes(), data_len.to_be_bytes());
        field.copy_from_slice(&[k0, k1, l0, l1]);
    }
    Ok(headroom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    #[test]
    fn on_a_stream_channel_data_ends_on_a_multiple_of_four() {
        let relay = "192.0.2.1:3478".parse().unwrap();
        for len in 0..9 {
            let plan = SendPlan::channel(SocketId(0), relay, ChannelNumber::MIN, len).unwrap().padded();
            let mut packet = alloc::vec![0xAA; plan.packet_len()];
            plan.wrap(&mut packet);
            assert_eq!(packet.len(), 4 + len.next_multiple_of(4));
            assert_eq!(usize::from(packet[3]), len, "padding is not counted");
            assert!(packet[4 + len..].iter().all(|byte| *byte == 0));
        }
        let plan =
            SendPlan::send_indication(SocketId(0), relay, relay, TransactionId::from([1; 12]), 5).unwrap();
        assert_eq!(plan.padded().packet_len(), plan.packet_len());
    }

    #[test]
    fn a_wrapped_send_indication_decodes_to_peer_and_data() {
        for (peer, headroom) in [("203.0.113.7:9", 36), ("[2001:db8::7]:9", 48)] {
            let (peer, relay) = (peer.parse().unwrap(), "192.0.2.1:3478".parse().unwrap());
            for len in 0..9 {
                let id = TransactionId::from([5; 12]);
                let plan = SendPlan::send_indication(SocketId(1), relay, peer, id, len).unwrap();
                let mut packet = alloc::vec![0xEE; plan.packet_len()];
                plan.wrap(&mut packet);

                let message = Message::decode(&packet).unwrap();

                assert_eq!(plan.headroom(), headroom);
                assert_eq!((message.class(), message.method()), (Class::Indication, Method::SEND));
                assert_eq!(message.find(), Some(XorPeerAddress(peer)));
                assert_eq!(message.find(), Some(Data(&alloc::vec![0xEE; len])));
            }
        }
    }

    #[test]
    fn a_send_indication_in_one_piece_says_so_to_the_relay() {
        for (peer, headroom) in [("203.0.113.7:9", 40), ("[2001:db8::7]:9", 52)] {
            let (peer, relay) = (peer.parse().unwrap(), "192.0.2.1:3478".parse().unwrap());
            for len in 0..9 {
                let id = TransactionId::from([5; 12]);
                let plan = SendPlan::send_indication(SocketId(1), relay, peer, id, len).unwrap();
                let whole = plan.dont_fragment().unwrap();
                assert_eq!((plan.forbids_fragments(), whole.forbids_fragments()), (false, true));
                assert_eq!(whole.dont_fragment(), Some(whole), "once is enough");
                let mut packet = alloc::vec![0xEE; whole.packet_len()];
                whole.wrap(&mut packet);

                let message = Message::decode(&packet).unwrap();

                assert_eq!(whole.headroom(), headroom);
                assert_eq!(message.attributes().count(), 3);
                assert_eq!(message.find(), Some(XorPeerAddress(peer)));
                assert_eq!(message.find(), Some(DontFragment));
                assert_eq!(message.find(), Some(Data(&alloc::vec![0xEE; len])));
            }
        }
    }

    #[test]
    fn what_cannot_say_so_is_not_sent_in_one_piece() {
        let to = "192.0.2.1:3478".parse().unwrap();
        let (socket, id) = (SocketId(1), TransactionId::from([5; 12]));
        assert_eq!(SendPlan::channel(socket, to, ChannelNumber::MIN, 5).unwrap().dont_fragment(), None);
        assert_eq!(SendPlan::data_indication(socket, to, to, id, 5).unwrap().dont_fragment(), None);
        // 65,535 is what the length field says at most, and there is a header's worth of attributes before the data.
        let longest = SendPlan::send_indication(socket, to, to, id, 65_516).unwrap();
        assert_eq!(longest.dont_fragment(), None);

        let direct = SendPlan::direct(socket, to, 5).unwrap().dont_fragment().unwrap();
        assert_eq!((direct.headroom(), direct.forbids_fragments()), (0, true));
    }

    #[test]
    fn what_no_datagram_takes_has_no_plan() {
        let to = "192.0.2.1:1".parse().unwrap();
        assert!(SendPlan::direct(SocketId(0), to, 65_536).is_none());
        assert!(SendPlan::channel(SocketId(0), to, ChannelNumber::MIN, 65_536).is_none());
        let id = TransactionId::from([5; 12]);
        for len in [65_530, 65_536, usize::MAX] {
            assert!(SendPlan::send_indication(SocketId(0), to, to, id, len).is_none());
        }
    }
}
