//! What a packet is, by its first byte and where it came from (RFC 9443, RFC 7983).
//!
//! | first byte | from a peer | from a TURN server | before QUIC (RFC 7983) |
//! |---|---|---|---|
//! | 0 to 3 | STUN | STUN | STUN |
//! | 4 to 15 | nothing | nothing | nothing |
//! | 16 to 19 | ZRTP | nothing | ZRTP |
//! | 20 to 63 | DTLS | nothing | DTLS |
//! | 64 to 79 | QUIC | TURN channel | TURN channel |
//! | 80 to 127 | QUIC | nothing | nothing |
//! | 128 to 191 | RTP or RTCP | nothing | RTP or RTCP |
//! | 192 to 255 | QUIC | nothing | nothing |

/// What a packet claims to be. The first byte proves nothing: whoever the packet is given to checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the RFC gives every byte away")]
pub enum Protocol {
    /// STUN, for [`crate::Message::decode`].
    Stun,
    /// ZRTP.
    Zrtp,
    /// DTLS.
    Dtls,
    /// ChannelData of TURN, for [`crate::ChannelData::decode`].
    Channel,
    /// RTP, or RTCP where both share a port.
    Rtp,
    /// QUIC.
    Quic,
}

/// Where a packet came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "one or the other")]
pub enum Source {
    /// Address and port of a TURN server that has answered our requests. Nothing but STUN and ChannelData comes
    /// from there (RFC 9443 §2).
    TurnServer,
    /// Anywhere else.
    Peer,
}

impl Protocol {
    /// What a packet is where QUIC may come too (RFC 9443 §3). `None` is to be dropped, and so is an empty packet.
    ///
    /// ```
    /// use floe_stun::{Protocol, Source};
    ///
    /// assert_eq!(Protocol::of(&[0x40, 0x00, 0, 0], Source::TurnServer), Some(Protocol::Channel));
    /// assert_eq!(Protocol::of(&[0x40, 0x00, 0, 0], Source::Peer), Some(Protocol::Quic));
    /// ```
    #[must_use]
    pub fn of(packet: &[u8], source: Source) -> Option<Self> {
        let first = *packet.first()?;
        match source {
            Source::TurnServer => Self::of_turn_server(first),
            Source::Peer => Self::of_peer(first),
        }
    }

    /// What a packet is where nobody speaks QUIC (RFC 7983 §7). `None` is to be dropped.
    #[must_use]
    pub fn of_without_quic(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        match (Self::of_turn_server(first), Self::of_peer(first)) {
            (Some(relayed), _) => Some(relayed),
            (None, Some(Self::Quic) | None) => None,
            (None, direct) => direct,
        }
    }

    const fn of_turn_server(first: u8) -> Option<Self> {
        match first {
            0..=3 => Some(Self::Stun),
            64..=79 => Some(Self::Channel),
            _ => None,
        }
    }

    const fn of_peer(first: u8) -> Option<Self> {
        match first {
            0..=3 => Some(Self::Stun),
            4..=15 => None,
            16..=19 => Some(Self::Zrtp),
            20..=63 => Some(Self::Dtls),
            64..=127 | 192..=255 => Some(Self::Quic),
            128..=191 => Some(Self::Rtp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Ranges in which the answer stays the same, in order.
    fn table(of: impl Fn(&[u8]) -> Option<Protocol>) -> Vec<(u8, Option<Protocol>)> {
        let mut rows: Vec<(u8, Option<Protocol>)> = Vec::new();
        for first in 0..=255 {
            let protocol = of(&[first, 0]);
            if rows.last().is_none_or(|(_, last)| *last != protocol) {
                rows.push((first, protocol));
            }
        }
        rows
    }

    use Protocol::{Channel, Dtls, Quic, Rtp, Stun, Zrtp};

    #[test]
    fn a_packet_of_a_peer_is_told_by_the_table_of_rfc_9443() {
        let rows = table(|packet| Protocol::of(packet, Source::Peer));
        let expected = [
            (0, Some(Stun)),
            (4, None),
            (16, Some(Zrtp)),
            (20, Some(Dtls)),
            (64, Some(Quic)),
            (128, Some(Rtp)),
            (192, Some(Quic)),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_turn_server_sends_stun_and_channels_and_nothing_else() {
        let rows = table(|packet| Protocol::of(packet, Source::TurnServer));
        assert_eq!(rows, [(0, Some(Stun)), (4, None), (64, Some(Channel)), (80, None)]);
    }

    #[test]
    fn without_quic_the_table_of_rfc_7983_holds() {
        let rows = table(Protocol::of_without_quic);
        let expected = [
            (0, Some(Stun)),
            (4, None),
            (16, Some(Zrtp)),
            (20, Some(Dtls)),
            (64, Some(Channel)),
            (80, None),
            (128, Some(Rtp)),
            (192, None),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn an_empty_packet_is_nothing() {
        assert_eq!(Protocol::of(&[], Source::Peer), None);
        assert_eq!(Protocol::of_without_quic(&[]), None);
    }
}
