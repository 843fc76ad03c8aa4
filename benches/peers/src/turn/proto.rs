//! `turn-client-proto` and `turn-server-proto`.

use std::net::SocketAddr;
use std::time::Duration;

use stun_proto::Instant;
use stun_proto::agent::Transmit;
use turn_client_proto::api::{TurnClientApi as _, TurnConfig, TurnPollRet, TurnRecvRet};
use turn_client_proto::udp::TurnClientUdp;
use turn_server_proto::api::{TurnServerApi as _, TurnServerPollRet};
use turn_server_proto::server::TurnServer;
use turn_types::stun::message::IntegrityAlgorithm;
use turn_types::{TransportType, TurnCredentials};

use super::world::{CLIENT, PASSWORD, REALM, Room, SERVER, USERNAME};

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

pub(crate) struct Server {
    server: TurnServer,
    relayed: Vec<SocketAddr>,
    out: [u8; 1500],
}

const NOW: Instant = Instant::ZERO;

impl super::Server for Server {
    const NAME: &'static str = "turn-server-proto";
    type Socket = SocketAddr;

    fn new() -> Self {
        let mut server = TurnServer::new(UDP, SERVER, REALM.to_owned());
        server.add_user(USERNAME.to_owned(), PASSWORD.to_owned());
        Self { server, relayed: Vec::new(), out: [0; 1500] }
    }

    fn answer(&mut self, from: SocketAddr, request: &[u8]) -> Option<Vec<u8>> {
        if let Some(answer) = self.server.recv(Transmit::new(request, UDP, from, SERVER), NOW) {
            return Some(answer.build().data);
        }
        while let TurnServerPollRet::AllocateSocket {
            transport,
            listen_addr,
            client_addr,
            allocation_transport,
            family,
        } = self.server.poll(NOW)
        {
            let relayed = SocketAddr::new(SERVER.ip(), 49_152 + self.relayed.len() as u16);
            self.relayed.push(relayed);
            self.server.allocated_socket(
                transport,
                listen_addr,
                client_addr,
                allocation_transport,
                family,
                Ok(relayed),
                NOW,
            );
        }
        self.server.poll_transmit(NOW).map(|answer| answer.data)
    }

    fn sockets(&self) -> &[SocketAddr] {
        &self.relayed
    }

    fn relay_out(&mut self, from: SocketAddr, datagram: &[u8], see: impl FnOnce(SocketAddr, &[u8])) {
        if let Some(transmit) = self.server.recv(Transmit::new(datagram, UDP, from, SERVER), NOW) {
            let transmit = transmit.write_into(&mut self.out);
            see(transmit.to, transmit.data);
        }
    }

    fn relay_in(
        &mut self,
        socket: SocketAddr,
        from: SocketAddr,
        datagram: &[u8],
        see: impl FnOnce(SocketAddr, &[u8], &[u8]),
    ) {
        if let Some(transmit) = self.server.recv(Transmit::new(datagram, UDP, from, socket), NOW) {
            let transmit = transmit.write_into(&mut self.out);
            see(transmit.to, &[], transmit.data);
        }
    }
}
