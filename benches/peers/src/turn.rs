//! The rows of TURN: what a client and a server have to do with a datagram, the world they do it in, and the judge.

mod floe;
mod floor;
mod proto;
#[cfg(feature = "c")]
mod rtc;
mod world;

use std::hint::black_box;
use std::net::SocketAddr;

use crate::contestant::repeat;
use crate::{Contestant, Field, Row};
pub use world::IN_PLACE;
use world::{Asked, PAYLOAD, Room, World, peer};

/// A client on the track. It asks a server of ours, and is given the answers.
pub(crate) trait Client: 'static {
    const NAME: &'static str;
    /// What is to be known of how it was driven.
    const NOTES: &'static [&'static str] = &[];

    /// Asks for an allocation from [`world::CLIENT`] to [`world::SERVER`].
    fn new() -> Self;
    fn permit(&mut self, peer: SocketAddr);
    fn bind_channel(&mut self, peer: SocketAddr);
    /// What it sends next; none when there is nothing to do before something arrives.
    fn poll(&mut self) -> Option<Vec<u8>>;
    fn hear(&mut self, datagram: &[u8]);

    /// What is in the room, as it is to be sent to the server.
    fn wrap(&mut self, to: SocketAddr, room: &mut Room, see: impl FnOnce(&[u8]));
    /// Who sent what.
    fn unwrap(&mut self, datagram: &[u8], see: impl FnOnce(SocketAddr, &[u8]));
}

/// A server on the track. Clients of ours ask it.
pub(crate) trait Server: 'static {
    const NAME: &'static str;
    /// How its host knows a relayed socket.
    type Socket: Copy + 'static;

    fn new() -> Self;
    /// What it answers to a request.
    fn answer(&mut self, from: SocketAddr, request: &[u8]) -> Option<Vec<u8>>;
    /// The relayed sockets, in the order of their allocations.
    fn sockets(&self) -> &[Self::Socket];

    /// A datagram of a client: to whom what goes.
    fn relay_out(&mut self, from: SocketAddr, datagram: &[u8], see: impl FnOnce(SocketAddr, &[u8]));
    /// A datagram of a peer: to whom what goes, behind which header; no header if that is written into what goes.
    fn relay_in(
        &mut self,
        socket: Self::Socket,
        from: SocketAddr,
        datagram: &[u8],
        see: impl FnOnce(SocketAddr, &[u8], &[u8]),
    );
}

const OF_CLIENTS: [Row; 4] = [Row::WrapChannel, Row::UnwrapChannel, Row::WrapSend, Row::UnwrapData];
const OF_SERVERS: [Row; 2] = [Row::RelayOut, Row::RelayIn];

pub(crate) fn enter(field: &mut Field, rows: &[Row]) {
    for &row in rows.iter().filter(|row| OF_CLIENTS.contains(row)) {
        let mut entry = Entry { field, row };
        entry.client::<floor::Floor>(1);
        // 128 is what our client keeps at most.
        for peers in [1, 100, 128] {
            entry.client::<floe::Client>(peers);
        }
        for peers in [1, 100] {
            entry.client::<proto::Client>(peers);
        }
        #[cfg(feature = "c")]
        entry.client::<rtc::Client>(1);
    }
    for &row in rows.iter().filter(|row| OF_SERVERS.contains(row)) {
        let mut entry = Entry { field, row };
        for allocations in [1, 100, 10_000] {
            entry.server::<floe::Server>(allocations);
        }
    }
}

struct Entry<'f> {
    field: &'f mut Field,
    row: Row,
}

impl Entry<'_> {
    fn client<C: Client>(&mut self, peers: usize) {
        let name = name(C::NAME, peers, "peers");
        let Asked { mut client, datagrams, notes } = world::ask(name, self.row, peers);
        let (mut order, mut room) = (Order::of(peers), Room::new());
        let run = match self.row {
            Row::WrapChannel | Row::WrapSend => repeat(move || {
                let to = black_box(peer(order.next()));
                C::wrap(&mut client, to, &mut room, |packet| {
                    black_box(packet);
                });
            }),
            _ => repeat(move || {
                let datagram: &[u8] = black_box(&datagrams[order.next()]);
                client.unwrap(datagram, |peer, data| {
                    black_box((peer, data));
                });
            }),
        };
        self.enter(name, notes.iter().chain(C::NOTES), run);
    }

    fn server<S: Server>(&mut self, allocations: usize) {
        let name = name(S::NAME, allocations, "allocations");
        let mut world = World::<S>::new(allocations);
        let notes = world.judge(name);
        let World { mut server, clients, datagram } = world;
        let (mut order, sockets) = (Order::of(allocations), server.sockets().to_vec());
        let run = match self.row {
            Row::RelayOut => repeat(move || {
                server.relay_out(clients[order.next()], black_box(&datagram), |to, data| {
                    black_box((to, data));
                });
            }),
            _ => repeat(move || {
                server.relay_in(sockets[order.next()], peer(0), black_box(&PAYLOAD), |to, header, data| {
                    black_box((to, header, data));
                });
            }),
        };
        self.enter(name, notes.iter(), run);
    }

    fn enter<'n>(
        &mut self,
        name: &'static str,
        notes: impl Iterator<Item = &'n &'static str>,
        run: Box<dyn FnMut(u64)>,
    ) {
        let mut contestant = Contestant::new(self.row, name, PAYLOAD.len(), run);
        notes.for_each(|note| contestant.note(*note));
        self.field.contestants.push(contestant);
    }
}

fn name(name: &'static str, count: usize, what: &str) -> &'static str {
    if count == 1 { name } else { format!("{name}, {count} {what}").leak() }
}

/// Packets come in no order: each of so many once, far from the one before.
struct Order {
    place: usize,
    step: usize,
    count: usize,
}

impl Order {
    fn of(count: usize) -> Self {
        Self { place: 0, step: 7919 % count, count }
    }

    fn next(&mut self) -> usize {
        self.place += self.step;
        if self.place >= self.count {
            self.place -= self.count;
        }
        self.place
    }
}
