//! How long a message may be, so that nothing on its way has to cut it (RFC 8489 §6.1, RFC 7350 §3).

use core::net::IpAddr;

/// The room for one STUN message in one IP packet.
///
/// ```
/// use floe_stun::Budget;
///
/// let server = "192.0.2.1".parse().unwrap();
/// assert_eq!(Budget::towards(server).message(), 544); // "less than 548 bytes", and a multiple of 4
/// assert_eq!(Budget::towards(server).with_path_mtu(1500).message(), 1468);
/// assert_eq!(Budget::towards(server).through_dtls(Budget::AES_GCM).message(), 508);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of the packet.
    packet: usize,
    /// Bytes of it that are around the message.
    around: usize,
}

impl Budget {
    /// What AES-GCM adds to a record of DTLS 1.2 besides its header: explicit nonce and tag, and no padding.
    pub const AES_GCM: usize = 8 + 16;

    /// Over UDP, where nothing is known of the path: packets of 576 bytes for IPv4, 1280 for IPv6.
    #[must_use]
    pub const fn towards(server: IpAddr) -> Self {
        match server.to_canonical() {
            IpAddr::V4(_) => Self { packet: 576, around: 20 + UDP_HEADER },
            IpAddr::V6(_) => Self { packet: 1280, around: 40 + UDP_HEADER },
        }
    }

    /// The same where the path takes packets of this size, whatever the size.
    #[must_use]
    pub const fn with_path_mtu(self, bytes: usize) -> Self {
        Self { packet: bytes, ..self }
    }

    /// The same where our own link takes no larger packets than this.
    #[must_use]
    pub const fn with_first_hop_mtu(self, bytes: usize) -> Self {
        if bytes < self.packet { self.with_path_mtu(bytes) } else { self }
    }

    /// The same inside DTLS, with what its cipher adds to a record: MAC and padding, as [`Self::AES_GCM`].
    #[must_use]
    pub const fn through_dtls(self, cipher: usize) -> Self {
        Self { around: self.around.saturating_add(DTLS_RECORD_HEADER).saturating_add(cipher), ..self }
    }

    /// The longest message in bytes, header included.
    #[must_use]
    pub const fn message(&self) -> usize {
        let room = self.packet.saturating_sub(self.around);
        room.saturating_sub(1) & !3
    }
}

const UDP_HEADER: usize = 8;
const DTLS_RECORD_HEADER: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    fn towards(server: &str) -> Budget {
        Budget::towards(server.parse().unwrap())
    }

    #[test]
    fn an_unknown_path_takes_what_every_path_takes() {
        assert_eq!(towards("192.0.2.1").message(), 544);
        assert_eq!(towards("::ffff:192.0.2.1").message(), 544, "IPv4 however written");
        assert_eq!(towards("2001:db8::1").message(), 1228);
        assert_eq!(towards("192.0.2.1").with_first_hop_mtu(1500).message(), 544);
        assert_eq!(towards("192.0.2.1").with_first_hop_mtu(300).message(), 268);
    }

    #[test]
    fn a_known_path_takes_less_than_its_mtu() {
        for mtu in 0..2000 {
            let (v4, v6) = (towards("192.0.2.1"), towards("2001:db8::1"));
            for (budget, headers) in [(v4, 28), (v6, 48), (v4.through_dtls(Budget::AES_GCM), 28 + 13 + 24)] {
                let message = budget.with_path_mtu(mtu).message();
                assert!(message % 4 == 0 && (message == 0 || headers + message < mtu), "{mtu}");
                assert!(headers + message + 5 > mtu || message == 0, "{mtu}: no room is wasted");
            }
        }
    }
}
