//! One server and those who ask it, in memory, and whether what they do is right.

use std::net::SocketAddr;
use std::ops::Range;

use super::{Client, Server, floe};
use crate::Row;

pub(crate) const REALM: &str = "example.org";
pub(crate) const USERNAME: &str = "alice";
pub(crate) const PASSWORD: &str = "wonderland";
pub(crate) const SERVER: SocketAddr = v4([192, 0, 2, 1], 3478);
pub(crate) const CLIENT: SocketAddr = v4([203, 0, 113, 5], 40_000);
pub(crate) const PAYLOAD: [u8; 1200] = [0x5A; 1200];

/// One of up to 250 peers.
pub(crate) const fn peer(n: usize) -> SocketAddr {
    v4([198, 51, 100, 1 + n as u8], 7000)
}

const fn v4([a, b, c, d]: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(a, b, c, d)), port)
}

/// Where the application has written its bytes, with room around them.
#[derive(Debug)]
pub(crate) struct Room(Vec<u8>);

const FRONT: usize = 64;

impl Room {
    pub(crate) fn new() -> Self {
        Self([&[0; FRONT][..], &PAYLOAD, &[0; 8]].concat())
    }

    /// For who makes a packet elsewhere.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.0[FRONT..][..PAYLOAD.len()]
    }

    /// The payload with so many bytes before and behind it.
    pub(crate) fn around(&mut self, front: usize, back: usize) -> &mut [u8] {
        &mut self.0[FRONT - front..FRONT + PAYLOAD.len() + back]
    }
}

/// A client that has what its row needs, judged.
pub(crate) struct Asked<C> {
    pub(crate) client: C,
    /// What the server sends when the peers have sent something, one by one.
    pub(crate) datagrams: Vec<Vec<u8>>,
    pub(crate) notes: Vec<&'static str>,
}

/// Panics if the client does not do the row's work.
pub(crate) fn ask<C: Client>(name: &str, row: Row, peers: usize) -> Asked<C> {
    let (mut server, mut client) = (floe::Server::new(), C::new());
    serve(&mut server, CLIENT, &mut client);
    (0..peers).for_each(|n| client.permit(peer(n)));
    serve(&mut server, CLIENT, &mut client);
    if matches!(row, Row::WrapChannel | Row::UnwrapChannel) {
        (0..peers).for_each(|n| client.bind_channel(peer(n)));
        serve(&mut server, CLIENT, &mut client);
    }
    let socket = *server.sockets().first().unwrap_or_else(|| panic!("{name} has no allocation"));
    let datagrams = (0..peers).map(|n| relayed_in(&mut server, socket, peer(n)).1).collect();
    let mut asked = Asked { client, datagrams, notes: Vec::new() };
    match row {
        Row::WrapChannel | Row::WrapSend => asked.must_wrap(&mut server, name, row),
        _ => asked.must_unwrap(name, row),
    }
    asked
}

/// Requests and answers, until there is nothing more to be asked.
fn serve<S: Server>(server: &mut S, address: SocketAddr, client: &mut impl Client) {
    while let Some(request) = client.poll() {
        if let Some(answer) = server.answer(address, &request) {
            client.hear(&answer);
        }
    }
}

fn relayed_in<S: Server>(server: &mut S, socket: S::Socket, from: SocketAddr) -> (SocketAddr, Vec<u8>) {
    let mut relayed = None;
    server.relay_in(socket, from, &PAYLOAD, |to, header, data| relayed = Some((to, [header, data].concat())));
    relayed.unwrap_or_else(|| panic!("nothing was relayed from {from}"))
}

impl<C: Client> Asked<C> {
    fn must_wrap(&mut self, server: &mut floe::Server, name: &str, row: Row) {
        let (mut room, first) = (Room::new(), if row == Row::WrapChannel { 0x40..=0x4F } else { 0..=0 });
        for to in (0..self.datagrams.len()).map(peer) {
            let (place, mut written) = (room.0.as_ptr_range(), Vec::new());
            self.client.wrap(to, &mut room, |packet| {
                self.notes = vec![copies(&place, packet)];
                written = packet.to_vec();
            });
            assert!(first.contains(&written[0]), "{name}: {row}: another kind of packet");
            let mut relayed = None;
            server.relay_out(CLIENT, &written, |to, data| relayed = Some((to, data.to_vec())));
            assert_eq!(relayed, Some((to, PAYLOAD.to_vec())), "{name} miswrites {row}");
        }
    }

    fn must_unwrap(&mut self, name: &str, row: Row) {
        for (datagram, from) in self.datagrams.iter().zip((0..).map(peer)) {
            let mut read = None;
            self.client.unwrap(datagram, |peer, data| {
                self.notes = vec![copies(&datagram.as_ptr_range(), data)];
                read = Some((peer, data.to_vec()));
            });
            assert_eq!(read, Some((from, PAYLOAD.to_vec())), "{name} misreads {row}");
        }
        let mut strange = self.datagrams[0].clone();
        match row {
            Row::UnwrapChannel => strange[0] ^= 0x01,
            _ => strange[SECOND_OF_PEER] ^= 0x80,
        }
        let mut is_taken = false;
        self.client.unwrap(&strange, |_, _| is_taken = true);
        if is_taken {
            self.notes.push("takes data of those it has nothing to do with");
        }
    }
}

/// A byte of the address in XOR-PEER-ADDRESS, which a Data indication of our server begins with.
const SECOND_OF_PEER: usize = 20 + 4 + 4 + 1;

fn copies(place: &Range<*const u8>, payload: &[u8]) -> &'static str {
    if place.contains(&payload.as_ptr()) { IN_PLACE } else { "copies the payload" }
}

/// What is said of who copies nothing.
pub const IN_PLACE: &str = "leaves the payload where it is";

/// A server with so many allocations, each of a client with a channel to the first peer.
pub(crate) struct World<S> {
    pub(crate) server: S,
    pub(crate) clients: Vec<SocketAddr>,
    /// The ChannelData of each of them: all are born of the same seed.
    pub(crate) datagram: Vec<u8>,
}

impl<S: Server> World<S> {
    pub(crate) fn new(allocations: usize) -> Self {
        let (mut server, mut datagram) = (S::new(), Vec::new());
        let clients =
            (0..allocations).map(|n| v4([203, 0, (n / 250) as u8, (n % 250) as u8], 4000)).collect();
        for &address in &clients {
            let mut client = floe::Client::new();
            client.bind_channel(peer(0));
            serve(&mut server, address, &mut client);
            client.wrap(peer(0), &mut Room::new(), |packet| datagram = packet.to_vec());
        }
        Self { server, clients, datagram }
    }

    /// Panics if something goes elsewhere, or is not what it was.
    pub(crate) fn judge(&mut self, name: &str) -> Vec<&'static str> {
        let Self { server, clients, datagram } = self;
        let mut notes = Vec::new();
        for (n, &client) in clients.iter().enumerate() {
            let mut relayed = None;
            server.relay_out(client, datagram, |to, data| {
                notes = vec![copies(&datagram.as_ptr_range(), data)];
                relayed = Some((to, data.to_vec()));
            });
            assert_eq!(relayed, Some((peer(0), PAYLOAD.to_vec())), "{name} misreads what a client sends");
            let relayed = relayed_in(server, server.sockets()[n], peer(0));
            assert_eq!(relayed, (client, datagram.clone()), "{name} miswrites what a peer sends");
        }
        notes
    }
}
