//! `turn-client-proto`.

use std::net::SocketAddr;
use std::time::Duration;

use stun_proto::Instant;
use stun_proto::agent::Transmit;
use turn_client_proto::api::{TurnClientApi as _, TurnConfig, TurnPollRet, TurnRecvRet};
use turn_client_proto::udp::TurnClientUdp;
use turn_types::stun::message::IntegrityAlgorithm;
use turn_types::{TransportType, TurnCredentials};

use super::world::{CLIENT, PASSWORD, Room, SERVER, USERNAME};

const UDP: TransportType = TransportType::Udp;

pub(crate) struct Client {
    client: TurnClientUdp,
    now: Instant,
    out: [u8; 1500],
}

impl super::Client for Client {
    const NAME: &'static str = "turn-client-proto";

    fn new() -> Self {
        let mut config = TurnConfig::new(TurnCredentials::new(USERNAME, PASSWORD));
        // Of itself it takes SHA-1 only, and our server answers by the best that the client has named.
        config.add_supported_integrity(IntegrityAlgorithm::Sha256);
        Self { client: TurnClientUdp::allocate(CLIENT, SERVER, config), now: Instant::ZERO, out: [0; 1500] }
    }

    fn permit(&mut self, peer: SocketAddr) {
        self.client.create_permission(UDP, peer.ip(), self.now).expect("there is an allocation");
    }

    fn bind_channel(&mut self, peer: SocketAddr) {
        self.client.bind_channel(UDP, peer, self.now).expect("there is an allocation");
    }

    /// Lets the time pass that it keeps between requests.
    fn poll(&mut self) -> Option<Vec<u8>> {
        loop {
            while self.client.poll_event().is_some() {}
            if let Some(transmit) = self.client.poll_transmit(self.now) {
                return Some(transmit.data.to_vec());
            }
            match self.client.poll(self.now) {
                TurnPollRet::WaitUntil(until) if until <= self.now + Duration::from_secs(1) => {
                    self.now = until.max(self.now + Duration::from_millis(1));
                }
                _ => return None,
            }
        }
    }

    fn hear(&mut self, datagram: &[u8]) {
        self.unwrap(datagram, |_, _| {});
    }

    fn wrap(&mut self, to: SocketAddr, room: &mut Room, see: impl FnOnce(&[u8])) {
        if let Ok(Some(transmit)) = self.client.send_to(UDP, to, room.payload(), self.now) {
            see(transmit.write_into(&mut self.out).data);
        }
    }

    fn unwrap(&mut self, datagram: &[u8], see: impl FnOnce(SocketAddr, &[u8])) {
        let transmit = Transmit::new(datagram, UDP, SERVER, CLIENT);
        if let TurnRecvRet::PeerData(received) = self.client.recv(transmit, self.now) {
            see(received.peer, received.data());
        }
    }
}
