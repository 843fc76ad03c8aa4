//! Everything that a machine has opened, by the names that the host gave.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_stun::{Forward, Icmp, SendPlan, SocketId, Transmit};
use tokio::sync::Notify;

use crate::connect::{Audience, ConnectError, Listener};
use crate::seats::{Seats, StreamLimits};
use crate::socket::{Fragments, Socket, judge_send};
use crate::stream::{Opened, RawStream, Stream, Unread};
use crate::tls::Tls;

/// The sockets, streams and listeners of one machine by their names, which are never used twice.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    open: BTreeMap<SocketId, Flow>,
    next: u32,
    /// What the driver has not heard of yet.
    new: Vec<Source>,
    /// Whom to trust; the system's authorities if it was not said.
    pub(crate) tls: Option<Tls>,
    failures: VecDeque<ConnectError>,
}

/// Small, for a relay has thousands of UDP sockets: what streams have more lies elsewhere.
#[derive(Debug)]
enum Flow {
    Udp(Arc<Socket>),
    /// A stream that is cut into frames.
    Stream(Arc<Stream>, Box<Unread>),
    /// A stream that nobody reads yet.
    Held(Box<Opened>),
    /// A stream that another one is joined with.
    Joined(Arc<Notify>),
    Listener(Arc<Listener>),
}

/// Where something can be sent from.
#[derive(Clone, Debug)]
pub(crate) enum Outlet {
    Udp(Arc<Socket>),
    Stream(Arc<Stream>),
}

impl Outlet {
    /// Sends all of these parts as one, at once or not at all.
    pub(crate) fn send(&self, to: SocketAddr, parts: &[&[u8]; 3], fragments: Fragments) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(to, parts, fragments),
            Self::Stream(stream) => stream.send(parts),
        }
    }

    /// The same for what a machine says itself.
    pub(crate) fn transmit(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let fragments = if transmit.may_fragment { Fragments::Allowed } else { Fragments::Forbidden };
        match self {
            Self::Udp(socket) => socket.send(transmit.to, &[transmit.bytes, &[], &[]], fragments),
            Self::Stream(stream) => stream.transmit(transmit.bytes),
        }
    }
}

/// Data is larger than one packet may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooBig;

impl Outlet {
    /// Sends application data, in one piece all the way, and waits while the socket or stream is full.
    pub(crate) async fn send_patiently(&self, plan: &SendPlan, data: &[u8]) -> Result<(), TooBig> {
        loop {
            // Larger than the path takes is the application's to know, whether its plan minds or not.
            let parts = [plan.header(), data, plan.trailer()];
            let Err(why) = self.send(plan.to(), &parts, Fragments::Forbidden) else { return Ok(()) };
            match judge_send(&why) {
                // The write readiness of a socket that saw an ICMP error is of no use, so wait for the wire instead.
                None => tokio::time::sleep(FULL_SOCKET).await,
                Some(Icmp::TooBig { .. }) => return Err(TooBig),
                Some(_) => return Ok(()),
            }
        }
    }
}

/// What a driver listens to.
#[derive(Debug)]
pub(crate) enum Source {
    Udp(Arc<Socket>),
    Stream(Arc<Stream>),
    Listener(Arc<Listener>),
}

impl Source {
    /// A stream is not: what was sent on it is written first.
    fn is_over_when_closed(&self, id: SocketId) -> bool {
        match self {
            Self::Udp(socket) => socket.id() == id,
            Self::Listener(listener) => listener.id() == id,
            Self::Stream(_) => false,
        }
    }
}

impl Sockets {
    /// Binds a UDP socket.
    pub(crate) fn bind(&mut self, address: SocketAddr) -> io::Result<Arc<Socket>> {
        self.bind_shared(address, false)
    }

    /// The same, and with `shared` others may bind the address too.
    pub(crate) fn bind_shared(&mut self, address: SocketAddr, shared: bool) -> io::Result<Arc<Socket>> {
        let socket = Arc::new(Socket::bind(SocketId(self.next), address, shared)?);
        self.new.push(Source::Udp(Arc::clone(&socket)));
        self.name(Flow::Udp(Arc::clone(&socket)));
        Ok(socket)
    }

    /// Listens for peers of a TCP allocation.
    pub(crate) fn listen_for_peers(&mut self, address: SocketAddr) -> io::Result<Arc<Listener>> {
        let limits =
            StreamLimits { total: WAITING_PEERS, per_client: WAITING_PEERS, ..StreamLimits::default() };
        self.listen(address, Audience::Peers, Seats::new(limits), true)
    }

    /// Listens for whom it may concern.
    pub(crate) fn listen(
        &mut self,
        address: SocketAddr,
        audience: Audience,
        seats: Arc<Seats>,
        shared: bool,
    ) -> io::Result<Arc<Listener>> {
        let listener = Arc::new(Listener::bind(SocketId(self.next), address, audience, seats, shared)?);
        self.new.push(Source::Listener(Arc::clone(&listener)));
        self.name(Flow::Listener(Arc::clone(&listener)));
        Ok(listener)
    }

    /// Takes in a stream that is to be cut into frames.
    pub(crate) fn add_stream(&mut self, opened: Opened) -> Arc<Stream> {
        let stream = Stream::new(SocketId(self.next), opened);
        self.new.push(Source::Stream(Arc::clone(&stream)));
        self.name(Flow::Stream(Arc::clone(&stream), Box::new(Unread::new())));
        stream
    }

    /// Takes in a stream that is not to be read before it is joined with another.
    pub(crate) fn hold(&mut self, opened: Opened) -> SocketId {
        self.name(Flow::Held(Box::new(opened)))
    }

    fn name(&mut self, flow: Flow) -> SocketId {
        let id = SocketId(self.next);
        self.next = self.next.wrapping_add(1);
        self.open.insert(id, flow);
        id
    }

    pub(crate) fn outlet(&self, id: SocketId) -> Option<Outlet> {
        match self.open.get(&id)? {
            Flow::Udp(socket) => Some(Outlet::Udp(Arc::clone(socket))),
            Flow::Stream(stream, _) => Some(Outlet::Stream(Arc::clone(stream))),
            Flow::Held(_) | Flow::Joined(_) | Flow::Listener(_) => None,
        }
    }

    /// The UDP socket of this name.
    pub(crate) fn udp(&self, id: SocketId) -> Option<&Arc<Socket>> {
        match self.open.get(&id)? {
            Flow::Udp(socket) => Some(socket),
            _ => None,
        }
    }

    /// All UDP sockets.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Socket>> {
        self.open.values().filter_map(|flow| match flow {
            Flow::Udp(socket) => Some(socket),
            _ => None,
        })
    }

    pub(crate) fn listeners(&self) -> impl Iterator<Item = &Arc<Listener>> {
        self.open.values().filter_map(|flow| match flow {
            Flow::Listener(listener) => Some(listener),
            _ => None,
        })
    }

    /// What has been opened since it was last asked, to be listened to.
    pub(crate) fn take_new(&mut self) -> Vec<Source> {
        std::mem::take(&mut self.new)
    }

    /// Lends what a stream has read, to be given back by [`Self::check_in`]. None if it is no stream that is cut.
    pub(crate) fn check_out(&mut self, id: SocketId) -> Option<Unread> {
        match self.open.get_mut(&id)? {
            Flow::Stream(_, unread) => Some(std::mem::replace(unread.as_mut(), Unread::new())),
            _ => None,
        }
    }

    pub(crate) fn check_in(&mut self, id: SocketId, read: Unread) {
        if let Some(Flow::Stream(_, unread)) = self.open.get_mut(&id) {
            **unread = read;
        }
    }

    /// Hands a stream out, with what was read of it and is no frame. Its name is nobody's from then on.
    pub(crate) fn take_stream(&mut self, id: SocketId) -> Option<RawStream> {
        match self.open.remove(&id)? {
            Flow::Stream(stream, unread) => RawStream::take(&stream, *unread),
            Flow::Held(opened) => Some(RawStream::fresh(*opened)),
            other => {
                self.open.insert(id, other);
                None
            }
        }
    }

    /// Takes two streams out to be joined, and keeps their names until [`Self::forget`]. Those that cannot be joined are
    /// closed, and named instead.
    pub(crate) fn take_pair(
        &mut self,
        one: SocketId,
        other: SocketId,
    ) -> Result<(RawStream, RawStream, Arc<Notify>), Vec<SocketId>> {
        match (self.take_stream(one), self.take_stream(other)) {
            (Some(first), Some(second)) => {
                let closed = Arc::new(Notify::new());
                for id in [one, other] {
                    self.open.insert(id, Flow::Joined(Arc::clone(&closed)));
                }
                Ok((first, second, closed))
            }
            (first, second) => {
                let gone = [(one, first.is_some()), (other, second.is_some())];
                Err(gone.into_iter().filter_map(|(id, was_there)| was_there.then_some(id)).collect())
            }
        }
    }

    /// Whether the name was still in use.
    pub(crate) fn forget(&mut self, id: SocketId) -> bool {
        self.open.remove(&id).is_some()
    }

    pub(crate) fn close(&mut self, id: SocketId) {
        self.new.retain(|source| !source.is_over_when_closed(id));
        match self.open.remove(&id) {
            Some(Flow::Udp(socket)) => socket.close(),
            Some(Flow::Stream(stream, _)) => stream.close(),
            Some(Flow::Listener(listener)) => listener.close(),
            Some(Flow::Joined(closed)) => closed.notify_one(),
            Some(Flow::Held(_)) | None => {}
        }
    }

    pub(crate) fn close_all(&mut self) {
        self.open.clear();
    }

    /// Keeps for people why a stream could not be opened.
    pub(crate) fn note_failure(&mut self, why: ConnectError) {
        if self.failures.len() >= KEPT_FAILURES {
            self.failures.pop_front();
        }
        self.failures.push_back(why);
    }

    /// Why streams could not be opened, the last ones.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &ConnectError> {
        self.failures.iter()
    }
}

/// Relayed data that was received together and goes to one place in datagrams of one size: sent with one call of the
/// system. What differs from it lets it go first, so that the order stays.
#[derive(Debug, Default)]
pub(crate) struct Train {
    bytes: Vec<u8>,
    going: Option<Going>,
}

#[derive(Debug)]
struct Going {
    socket: Arc<Socket>,
    to: SocketAddr,
    segment: usize,
    fragments: Fragments,
    room: usize,
}

impl Train {
    /// Takes one datagram along, or writes it into its stream. A full socket or stream loses it, as any router would.
    pub(crate) fn forward(&mut self, sockets: &Sockets, Forward { plan, data, .. }: Forward<'_>) {
        let parts = [plan.header(), data, plan.trailer()];
        let fragments = if plan.forbids_fragments() { Fragments::Forbidden } else { Fragments::Allowed };
        let (Some(socket), len @ 1..) = (sockets.udp(plan.socket()), plan.packet_len()) else {
            self.leave();
            if let Some(outlet) = sockets.outlet(plan.socket()) {
                let _ = outlet.send(plan.to(), &parts, fragments);
            }
            return;
        };
        if !self.takes(socket, plan.to(), len, fragments) {
            self.leave();
        }
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        let going = self.going.get_or_insert_with(|| Going {
            socket: Arc::clone(socket),
            to: plan.to(),
            segment: len,
            fragments,
            room: socket.max_segments().max(1),
        });
        going.room = going.room.saturating_sub(1);
        if len < going.segment || going.room == 0 {
            self.leave();
        }
    }

    fn takes(&self, socket: &Arc<Socket>, to: SocketAddr, len: usize, fragments: Fragments) -> bool {
        self.going.as_ref().is_some_and(|going| {
            Arc::ptr_eq(&going.socket, socket)
                && (going.to, going.fragments) == (to, fragments)
                && len <= going.segment
                && self.bytes.len() + len <= MAX_TRAIN
        })
    }

    /// Sends what there is.
    pub(crate) fn leave(&mut self) {
        if let Some(Going { socket, to, segment, fragments, .. }) = self.going.take() {
            let _ = socket.send_train(to, &self.bytes, segment, fragments);
        }
        self.bytes.clear();
    }
}

/// How long a full socket is left alone: the wire takes hundreds of packets in that time.
const FULL_SOCKET: Duration = Duration::from_millis(1);

/// All segments of one call together are no longer than a datagram may be.
const MAX_TRAIN: usize = 65_000;

/// Peers that have connected to one relayed address and nobody has fetched yet.
const WAITING_PEERS: usize = 64;

const KEPT_FAILURES: usize = 16;

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Batch;

    fn loopback(sockets: &mut Sockets) -> Arc<Socket> {
        sockets.bind("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    fn forward(train: &mut Train, sockets: &Sockets, to: &Socket, data: &[u8], whole: bool) {
        let from = sockets.iter().next().unwrap().id();
        let plan = SendPlan::direct(from, to.local(), data.len()).unwrap();
        let plan = if whole { plan.dont_fragment().unwrap() } else { plan };
        train.forward(sockets, Forward::new(plan, data));
    }

    /// What has arrived, and whether the trains were as long as these.
    async fn assert_arrived(socket: &Arc<Socket>, trains: &[&[&[u8]]]) {
        let socket = Arc::clone(socket).readable().await.unwrap();
        let mut batch = Batch::new();
        socket.receive(&mut batch).unwrap();
        let datagrams: Vec<_> = batch.datagrams().map(|(_, bytes)| bytes).collect();
        assert_eq!(datagrams, trains.concat());
        assert_eq!(batch.lengths(), trains.iter().map(|train| train.len()).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_is_alike_goes_together_and_all_of_it_in_order() {
        let (mut sockets, mut train) = (Sockets::default(), Train::default());
        let [_, a, b] = [loopback(&mut sockets), loopback(&mut sockets), loopback(&mut sockets)];
        for data in [&b"1111"[..], b"2222", b"33"] {
            forward(&mut train, &sockets, &a, data, false);
        }
        // The shorter one was the last of its train.
        for data in [&b"44"[..], b"55", b"", b"66"] {
            forward(&mut train, &sockets, &a, data, false);
        }
        forward(&mut train, &sockets, &b, b"77", false);
        forward(&mut train, &sockets, &a, b"88", false);
        forward(&mut train, &sockets, &a, b"999", false);
        forward(&mut train, &sockets, &a, b"999", true);
        train.leave();
        train.leave();
        let trains: [&[&[u8]]; 7] =
            [&[b"1111", b"2222", b"33"], &[b"44", b"55"], &[b""], &[b"66"], &[b"88"], &[b"999"], &[b"999"]];
        assert_arrived(&a, &trains).await;
        assert_arrived(&b, &[&[b"77"]]).await;
    }

    #[tokio::test]
    async fn a_train_is_no_longer_than_the_system_takes() {
        let (mut sockets, mut train) = (Sockets::default(), Train::default());
        let [from, to] = [loopback(&mut sockets), loopback(&mut sockets)];
        let (most, long) = (from.max_segments(), [7; 1400]);
        for _ in 0..most + 1 {
            forward(&mut train, &sockets, &to, b"x", false);
        }
        train.leave();
        for _ in 0..50 {
            forward(&mut train, &sockets, &to, &long, false);
        }
        train.leave();
        let (few, one, many, rest) = (vec![&b"x"[..]; most], [&b"x"[..]], [&long[..]; 46], [&long[..]; 4]);
        assert_arrived(&to, &[&few, &one, &many, &rest]).await;
    }
}
