use std::net::SocketAddr;

use floe_stun::{Input, Instant, MAX_TRANSMIT, Machine, Need, Output, Password, Received, SocketId};
use floe_turn_client::{Config, Credentials};
use floe_turn_server::Limits;

use super::world::{PASSWORD, PAYLOAD, REALM, Room, SERVER, USERNAME};

const SOCKET: SocketId = SocketId(0);
const NOW: Instant = Instant::ORIGIN;

pub(crate) struct Client(floe_turn_client::Client);

impl super::Client for Client {
    const NAME: &'static str = "floe-turn-client";

    fn new() -> Self {
        let credentials = Credentials::new(USERNAME, Password::new(PASSWORD));
        Self(floe_turn_client::Client::new(NOW, Config::new(SOCKET, SERVER, credentials), [7; 32]))
    }

    fn permit(&mut self, peer: SocketAddr) {
        self.0.permit(NOW, peer.ip());
    }

    fn bind_channel(&mut self, peer: SocketAddr) {
        self.0.bind_channel(NOW, peer);
    }

    fn poll(&mut self) -> Option<Vec<u8>> {
        let mut buf = [0; MAX_TRANSMIT];
        loop {
            match self.0.poll_output(&mut buf) {
                Output::Transmit(transmit) => return Some(transmit.bytes.to_vec()),
                Output::Event(_) => {}
                _ => return None,
            }
        }
    }

    fn hear(&mut self, datagram: &[u8]) {
        self.unwrap(datagram, |_, _| {});
    }

    fn wrap(&mut self, to: SocketAddr, room: &mut Room, see: impl FnOnce(&[u8])) {
        let plan = self.0.send_plan(NOW, to, PAYLOAD.len()).expect("the peer is permitted");
        let packet = room.around(plan.headroom(), plan.tailroom());
        plan.wrap(packet);
        see(packet);
    }

    fn unwrap(&mut self, datagram: &[u8], see: impl FnOnce(SocketAddr, &[u8])) {
        let input = Input::Datagram { socket: SOCKET, from: SERVER, data: datagram };
        if let Received::App(received) = self.0.handle_input(NOW, input) {
            see(received.peer, received.data);
        }
    }
}

pub(crate) struct Server {
    server: floe_turn_server::Server,
    sockets: Vec<SocketId>,
}

impl Server {
    fn forward(
        &mut self,
        socket: SocketId,
        from: SocketAddr,
        data: &[u8],
        see: impl FnOnce(SocketAddr, &[u8], &[u8]),
    ) {
        if let Received::App(forward) = self.server.handle_input(NOW, Input::Datagram { socket, from, data })
        {
            see(forward.plan.to(), forward.plan.header(), forward.data);
        }
    }
}

impl super::Server for Server {
    const NAME: &'static str = "floe-turn-server";
    type Socket = SocketId;

    fn new() -> Self {
        let mut limits = Limits::default();
        (limits.allocations, limits.allocations_per_user) = (usize::MAX, usize::MAX);
        limits.unauthenticated_per_second = None;
        let config = floe_turn_server::Config::new(REALM).with_relay(SERVER.ip());
        let config = config.with_user(USERNAME, PASSWORD).with_limits(limits);
        let mut server = floe_turn_server::Server::new(NOW, config, [7; 32]);
        server.listen(SOCKET, SERVER);
        Self { server, sockets: Vec::new() }
    }

    fn answer(&mut self, from: SocketAddr, request: &[u8]) -> Option<Vec<u8>> {
        self.forward(SOCKET, from, request, |_, _, _| {});
        let (mut buf, mut answer) = ([0; MAX_TRANSMIT], None);
        loop {
            match self.server.poll_output(&mut buf) {
                Output::Transmit(transmit) => answer = Some(transmit.bytes.to_vec()),
                Output::Need(Need::Udp { request, bind }) => {
                    let socket = SocketId(1 + self.sockets.len() as u32);
                    self.sockets.push(socket);
                    let local = SocketAddr::new(bind.ip(), 40_000);
                    let _ = self.server.handle_input(NOW, Input::Opened { request, socket, local });
                }
                Output::Event(_) => {}
                _ => return answer,
            }
        }
    }

    fn sockets(&self) -> &[SocketId] {
        &self.sockets
    }

    fn relay_out(&mut self, from: SocketAddr, datagram: &[u8], see: impl FnOnce(SocketAddr, &[u8])) {
        self.forward(SOCKET, from, datagram, |to, _, data| see(to, data));
    }

    fn relay_in(
        &mut self,
        socket: SocketId,
        from: SocketAddr,
        datagram: &[u8],
        see: impl FnOnce(SocketAddr, &[u8], &[u8]),
    ) {
        self.forward(socket, from, datagram, see);
    }
}
