//! One peer, the number of whose channel is known: nothing to look up, and no right to ask for.

use std::net::SocketAddr;

use super::floe;
use super::world::{PAYLOAD, Room, peer};
use crate::floor::data_indication;

/// Another asks for it.
pub(crate) struct Floor {
    asker: floe::Client,
    channel: Option<[u8; 2]>,
    id: u128,
}

impl super::Client for Floor {
    const NAME: &'static str = "floor";

    fn new() -> Self {
        Self { asker: floe::Client::new(), channel: None, id: 0 }
    }

    fn permit(&mut self, peer: SocketAddr) {
        self.asker.permit(peer);
    }

    fn bind_channel(&mut self, peer: SocketAddr) {
        self.asker.bind_channel(peer);
    }

    fn poll(&mut self) -> Option<Vec<u8>> {
        self.asker.poll()
    }

    fn hear(&mut self, datagram: &[u8]) {
        const CHANNEL_BOUND: [u8; 2] = [0x01, 0x09];
        self.asker.hear(datagram);
        if datagram.starts_with(&CHANNEL_BOUND) {
            let Self { asker, channel, .. } = self;
            asker.wrap(peer(0), &mut Room::new(), |packet| *channel = packet.first_chunk().copied());
        }
    }

    fn wrap(&mut self, to: SocketAddr, room: &mut Room, see: impl FnOnce(&[u8])) {
        let [l0, l1] = (PAYLOAD.len() as u16).to_be_bytes();
        match (self.channel, to) {
            (Some([n0, n1]), _) => {
                let packet = room.around(4, 0);
                packet[..4].copy_from_slice(&[n0, n1, l0, l1]);
                see(packet);
            }
            (None, SocketAddr::V4(to)) => {
                self.id += 1;
                let packet = room.around(36, 0);
                packet[..2].copy_from_slice(&[0x00, 0x16]);
                packet[2..4].copy_from_slice(&(PAYLOAD.len() as u16 + 16).to_be_bytes());
                packet[4..8].copy_from_slice(&0x2112_A442_u32.to_be_bytes());
                packet[8..20].copy_from_slice(&self.id.to_be_bytes()[4..]);
                packet[20..26].copy_from_slice(&[0x00, 0x12, 0, 8, 0, 1]);
                packet[26..28].copy_from_slice(&(to.port() ^ 0x2112).to_be_bytes());
                packet[28..32].copy_from_slice(&(to.ip().to_bits() ^ 0x2112_A442).to_be_bytes());
                packet[32..36].copy_from_slice(&[0x00, 0x13, l0, l1]);
                see(packet);
            }
            (None, SocketAddr::V6(_)) => {}
        }
    }

    fn unwrap(&mut self, datagram: &[u8], see: impl FnOnce(SocketAddr, &[u8])) {
        match (self.channel, datagram) {
            (Some(channel), [n0, n1, l0, l1, data @ ..]) if [*n0, *n1] == channel => {
                if let Some(data) = data.get(..usize::from(u16::from_be_bytes([*l0, *l1]))) {
                    see(peer(0), data);
                }
            }
            (None, _) => {
                if let Some((peer, data)) = data_indication(datagram) {
                    see(peer.into(), data);
                }
            }
            _ => {}
        }
    }
}
