//! The driver and its streams, driven by a machine that does what each test tells it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::stream::RawStream;

/// What the machine was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Frame(SocketId, Vec<u8>),
    Opened(RequestId, SocketId, SocketAddr),
    Failed(RequestId, Failure),
    Accepted { listener: SocketId, socket: SocketId, from: SocketAddr },
    Closed(SocketId),
}

/// What the machine wants.
enum Todo {
    Need(Need),
    Send(SocketId, Vec<u8>),
    HandOut(SocketId),
}

type React = Box<dyn FnMut(&Seen) -> Vec<Todo> + Send>;

struct Probe {
    seen: mpsc::UnboundedSender<Seen>,
    react: React,
    todo: VecDeque<Todo>,
}

impl Machine for Probe {
    type App<'p> = ();
    type Event = SocketId;

    fn handle_input<'p>(&mut self, _: Instant, input: Input<'p>) -> Received<()> {
        let seen = match input {
            Input::Datagram { socket, data, .. } => Seen::Frame(socket, data.to_vec()),
            Input::Opened { request, socket, local } => Seen::Opened(request, socket, local),
            Input::Failed { request, why } => Seen::Failed(request, why),
            Input::Accepted { listener, socket, from } => Seen::Accepted { listener, socket, from },
            Input::Closed { socket } => Seen::Closed(socket),
            _ => return Received::NotMine,
        };
        self.todo.extend((self.react)(&seen));
        let _ = self.seen.send(seen);
        Received::Consumed
    }

    fn poll_output<'b>(&mut self, buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, SocketId> {
        match self.todo.pop_front() {
            Some(Todo::Need(need)) => Output::Need(need),
            Some(Todo::HandOut(stream)) => Output::Event(stream),
            Some(Todo::Send(socket, bytes)) => {
                let out = &mut buf[..bytes.len()];
                out.copy_from_slice(&bytes);
                Output::Transmit(Transmit::new(socket, NOWHERE, out))
            }
            None => Output::Idle,
        }
    }
}

/// Takes the streams that are handed out.
struct Taker(mpsc::UnboundedSender<RawStream>);

impl App<Probe> for Taker {
    fn on_event(&mut self, sockets: &mut Sockets, stream: SocketId) {
        self.0.send(sockets.take_stream(stream).unwrap()).unwrap();
    }

    fn on_data(&mut self, _: &Sockets, (): ()) {}
}

/// A machine under way.
struct World {
    shared: Arc<Shared<Probe>>,
    seen: mpsc::UnboundedReceiver<Seen>,
    taken: mpsc::UnboundedReceiver<RawStream>,
    driver: JoinHandle<()>,
}

/// With these streams, whose names count from 0.
fn world(streams: Vec<DuplexStream>, react: impl FnMut(&Seen) -> Vec<Todo> + Send + 'static) -> World {
    let (seen, seen_out) = mpsc::unbounded_channel();
    let (taken, taken_out) = mpsc::unbounded_channel();
    let mut sockets = Sockets::default();
    for io in streams {
        sockets.add_stream(opened(io));
    }
    let probe = Probe { seen, react: Box::new(react), todo: VecDeque::new() };
    let shared = Shared::new(probe, sockets, Clock::start());
    let driver = tokio::spawn(Driver::new(Arc::clone(&shared), Taker(taken)).run());
    World { shared, seen: seen_out, taken: taken_out, driver }
}

fn opened(io: DuplexStream) -> Opened {
    Opened { io: Box::new(io), local: NOWHERE, remote: NOWHERE, transport: Transport::Tcp, seat: None }
}

impl World {
    fn want(&self, todo: impl IntoIterator<Item = Todo>) {
        self.shared.command(|_, state| state.machine.todo.extend(todo));
    }

    async fn next(&mut self) -> Seen {
        in_time(self.seen.recv()).await.unwrap()
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("done in time")
}

/// ChannelData with so many bytes of `fill`.
fn frame(fill: u8, len: u16) -> Vec<u8> {
    let mut frame = vec![0x40, fill];
    frame.extend(len.to_be_bytes());
    frame.resize(4 + usize::from(len), fill);
    frame.resize(frame.len().next_multiple_of(4), 0);
    frame
}

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const FIRST: SocketId = SocketId(0);
const SECOND: SocketId = SocketId(1);

#[tokio::test]
async fn frames_are_the_same_wherever_the_stream_was_cut() {
    let frames = [frame(1, 5), b"\0\x01\0\x04\x21\x12\xA4\x42abcdefghijkl\x80\x22\0\0".to_vec(), frame(2, 0)];
    let bytes = frames.concat();
    for at in 0..=bytes.len() {
        let (mut far, near) = duplex(1000);
        let mut world = world(vec![near], |_| vec![]);
        let (first, second) = bytes.split_at(at);
        for part in [first, second] {
            far.write_all(part).await.unwrap();
            // The driver gets its turn, and reads what there is.
            tokio::task::yield_now().await;
        }
        for expected in &frames {
            assert_eq!(world.next().await, Seen::Frame(FIRST, expected.clone()), "cut at {at}");
        }
    }
    // A pipe that takes one byte at a time.
    let (mut far, near) = duplex(1);
    let mut world = world(vec![near], |_| vec![]);
    tokio::spawn(async move { far.write_all(&bytes).await });
    for expected in frames {
        assert_eq!(world.next().await, Seen::Frame(FIRST, expected));
    }
    assert_eq!(world.next().await, Seen::Closed(FIRST), "the writer has ended it");
}

#[tokio::test]
async fn a_stream_that_cannot_be_cut_is_closed() {
    let (mut far, near) = duplex(1000);
    let mut world = world(vec![near], |_| vec![]);
    far.write_all(&[frame(1, 1), b"\x16\x03\x01 is TLS".to_vec()].concat()).await.unwrap();
    assert_eq!(world.next().await, Seen::Frame(FIRST, frame(1, 1)));
    assert_eq!(world.next().await, Seen::Closed(FIRST));
    assert_eq!(in_time(far.read(&mut [0; 1])).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_never_reads_gets_whole_frames_and_is_left_in_half_a_minute() {
    let (mut far, near) = duplex(100);
    let mut world = world(vec![near], |_| vec![]);
    let begun = tokio::time::Instant::now();
    // Three megabytes, of which a bounded part is kept.
    for n in 0..3000_u32 {
        world.want([Todo::Send(FIRST, frame(u8::try_from(n % 256).unwrap(), 1000))]);
        tokio::task::yield_now().await;
    }
    assert_eq!(world.next().await, Seen::Closed(FIRST));
    assert_eq!(begun.elapsed().as_secs(), 30);

    // What is there to be read are the first bytes of the first frame, and the end.
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, frame(0, 1000)[..100]);
}

#[tokio::test]
async fn what_does_not_fit_is_left_out_whole() {
    let (mut far, near) = duplex(100);
    let world = world(vec![near], |_| vec![]);
    for n in 0..3000_u32 {
        world.want([Todo::Send(FIRST, frame(u8::try_from(n % 256).unwrap(), 1000))]);
        tokio::task::yield_now().await;
    }
    // The last one is written when there is room again.
    let reading = tokio::spawn(async move {
        let mut bytes = Vec::new();
        in_time(far.read_to_end(&mut bytes)).await.unwrap();
        bytes
    });
    world.want([Todo::Need(Need::Close { socket: FIRST })]);
    let bytes = reading.await.unwrap();
    let kept = bytes.len() / 1004;
    assert!((200..400).contains(&kept), "{kept} frames of 3000");
    for (n, found) in bytes.chunks(1004).enumerate() {
        assert_eq!(found, frame(u8::try_from(n % 256).unwrap(), 1000), "whole, and in order");
    }
}

#[tokio::test]
async fn a_closed_stream_writes_what_was_sent_before() {
    let (mut far, near) = duplex(10);
    let world = world(vec![near], |_| vec![]);
    world.want([
        Todo::Send(FIRST, frame(1, 500)),
        Todo::Need(Need::Close { socket: FIRST }),
        Todo::Send(FIRST, frame(2, 1)),
    ]);
    let mut bytes = Vec::new();
    in_time(far.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(bytes, frame(1, 500));
}

/// Joins the first stream with the second when this frame comes, and says so before.
fn joining(on: Vec<u8>) -> impl FnMut(&Seen) -> Vec<Todo> + Send {
    move |seen| match seen {
        Seen::Frame(FIRST, data) if *data == on => {
            vec![Todo::Send(FIRST, frame(9, 9)), Todo::Need(Need::Join { one: FIRST, other: SECOND })]
        }
        _ => vec![],
    }
}

#[tokio::test]
async fn what_lies_behind_the_last_frame_goes_to_whom_the_stream_is_joined_with() {
    // With all lengths of a rest that looks like a frame, and is none.
    let bytes = [frame(1, 1), frame(2, 2), frame(3, 3)].concat();
    for len in 0..=frame(3, 3).len() {
        let ((mut client, one), (mut peer, other)) = (duplex(1000), duplex(1000));
        let mut world = world(vec![one, other], joining(frame(2, 2)));
        client.write_all(&bytes[..frame(1, 1).len() + frame(2, 2).len() + len]).await.unwrap();
        client.shutdown().await.unwrap();
        let mut found = Vec::new();
        in_time(peer.read_to_end(&mut found)).await.unwrap();
        assert_eq!(found, frame(3, 3)[..len], "{len} bytes");
        peer.write_all(b"and back").await.unwrap();
        peer.shutdown().await.unwrap();
        let mut found = Vec::new();
        in_time(client.read_to_end(&mut found)).await.unwrap();
        assert_eq!(found, [frame(9, 9), b"and back".to_vec()].concat(), "behind what was transmitted");
        let seen = [world.next().await, world.next().await, world.next().await, world.next().await];
        let frames = [Seen::Frame(FIRST, frame(1, 1)), Seen::Frame(FIRST, frame(2, 2))];
        assert_eq!(seen, [&frames[..], &[Seen::Closed(FIRST), Seen::Closed(SECOND)]].concat()[..]);
    }
}

#[tokio::test]
async fn large_data_goes_both_ways_at_the_pace_of_who_takes_it() {
    let ((client, one), (peer, other)) = (duplex(999), duplex(777));
    let mut world = world(vec![one, other], joining(frame(2, 2)));
    let large = |seed: u8| (0..3_000_000_u32).map(|n| n.to_le_bytes()[0] ^ seed).collect::<Vec<u8>>();
    let talk = |stream: DuplexStream, ahead: Vec<u8>, seed: u8| async move {
        let (mut reading, mut writing) = tokio::io::split(stream);
        let write = async {
            writing.write_all(&ahead).await.unwrap();
            writing.write_all(&large(seed)).await.unwrap();
            writing.shutdown().await.unwrap();
        };
        let mut found = Vec::new();
        let (_, read) = tokio::join!(write, reading.read_to_end(&mut found));
        read.unwrap();
        found
    };
    let (at_client, at_peer) =
        in_time(async { tokio::join!(talk(client, frame(2, 2), 1), talk(peer, vec![], 2)) }).await;
    assert!(at_peer == large(1), "{} bytes at the peer", at_peer.len());
    assert!(at_client == [frame(9, 9), large(2)].concat(), "{} bytes at the client", at_client.len());
    assert_eq!(world.next().await, Seen::Frame(FIRST, frame(2, 2)));
    assert_eq!([world.next().await, world.next().await], [FIRST, SECOND].map(Seen::Closed));
}

#[tokio::test]
async fn closing_one_of_two_joined_streams_ends_the_other() {
    let ((mut client, one), (mut peer, other)) = (duplex(1000), duplex(1000));
    let mut world = world(vec![one, other], joining(frame(2, 2)));
    client.write_all(&frame(2, 2)).await.unwrap();
    client.write_all(b"through").await.unwrap();
    let mut found = [0; 7];
    in_time(peer.read_exact(&mut found)).await.unwrap();
    world.want([Todo::Need(Need::Close { socket: SECOND })]);
    assert_eq!(in_time(peer.read(&mut found)).await.unwrap(), 0);
    assert_eq!(world.next().await, Seen::Frame(FIRST, frame(2, 2)));
    assert_eq!(world.next().await, Seen::Closed(FIRST), "and the second was closed by its owner");
}

#[tokio::test]
async fn a_stream_that_is_joined_with_nobody_is_closed() {
    let (mut client, one) = duplex(1000);
    let mut world = world(vec![one], joining(frame(2, 2)));
    client.write_all(&frame(2, 2)).await.unwrap();
    assert_eq!(world.next().await, Seen::Frame(FIRST, frame(2, 2)));
    assert_eq!(world.next().await, Seen::Closed(FIRST));
}

#[tokio::test]
async fn a_stream_is_handed_out_with_all_that_is_no_frame() {
    let (mut far, near) = duplex(1000);
    let mut world = world(vec![near], |seen| match seen {
        Seen::Frame(..) => vec![Todo::Send(FIRST, frame(9, 9)), Todo::HandOut(FIRST)],
        _ => vec![],
    });
    far.write_all(&[frame(1, 1), b"\x40\x01raw".to_vec()].concat()).await.unwrap();
    let mut stream = in_time(world.taken.recv()).await.unwrap();
    far.write_all(b" bytes").await.unwrap();
    let mut found = [0; 11];
    in_time(stream.read_exact(&mut found)).await.unwrap();
    assert_eq!(&found, b"\x40\x01raw bytes");
    stream.write_all(b"back").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut found = Vec::new();
    in_time(far.read_to_end(&mut found)).await.unwrap();
    assert_eq!(found, [frame(9, 9), b"back".to_vec()].concat());
    // It is no business of the machine any more.
    assert_eq!(world.next().await, Seen::Frame(FIRST, frame(1, 1)));
    drop((stream, far));
    world.want([Todo::Need(Need::Close { socket: FIRST })]);
    tokio::task::yield_now().await;
    assert!(world.seen.try_recv().is_err());
}

fn stream_to(to: SocketAddr) -> Todo {
    let (request, transport) = (RequestId(7), Transport::Tcp);
    Todo::Need(Need::Stream { request, to, transport, server_name: None })
}

#[tokio::test]
async fn a_stream_is_opened_or_the_reason_told() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let to = listener.local_addr().unwrap();
    let mut world = world(vec![], |_| vec![]);
    world.want([stream_to(to)]);
    let (mut far, from) = in_time(listener.accept()).await.unwrap();
    assert_eq!(world.next().await, Seen::Opened(RequestId(7), FIRST, from));
    far.write_all(&frame(1, 1)).await.unwrap();
    assert_eq!(world.next().await, Seen::Frame(FIRST, frame(1, 1)));
    world.want([Todo::Send(FIRST, frame(2, 2))]);
    let mut found = [0; 8];
    in_time(far.read_exact(&mut found)).await.unwrap();
    assert_eq!(found[..], frame(2, 2));
    drop((far, listener));
    assert_eq!(world.next().await, Seen::Closed(FIRST));

    world.want([stream_to(to)]);
    assert_eq!(world.next().await, Seen::Failed(RequestId(7), Failure::Refused));
    let told = world.shared.look_at_sockets(|sockets| sockets.failures().next().unwrap().to_string());
    assert!(told.contains(&to.to_string()) && told.contains("TCP") && told.contains("refused"), "{told}");
}

#[tokio::test]
async fn peers_connect_both_ways_from_one_address_and_wait_unread() {
    let mut world = world(vec![], |_| vec![]);
    world.want([Todo::Need(Need::Listen { request: RequestId(1), bind: ANY })]);
    let Seen::Opened(RequestId(1), listener, local) = world.next().await else { panic!("no listener") };

    let far = TcpListener::bind(ANY).await.unwrap();
    let to = far.local_addr().unwrap();
    world.want([Todo::Need(Need::Connect { request: RequestId(2), bind: local, to })]);
    let (mut reached, from) = in_time(far.accept()).await.unwrap();
    assert_eq!(from, local, "from the very address");
    let Seen::Opened(RequestId(2), one, _) = world.next().await else { panic!("not connected") };

    let mut caller = TcpStream::connect(local).await.unwrap();
    let from = caller.local_addr().unwrap();
    let Seen::Accepted { listener: by, socket: other, from: who } = world.next().await else {
        panic!("no call")
    };
    assert_eq!((by, who), (listener, from));

    // Frames, for all that anybody knows, but nobody cuts them.
    reached.write_all(&frame(1, 1)).await.unwrap();
    caller.write_all(&frame(2, 2)).await.unwrap();
    tokio::task::yield_now().await;
    assert!(world.seen.try_recv().is_err());
    world.want([Todo::Need(Need::Join { one, other })]);
    let (mut at_caller, mut at_reached) = ([0; 8], [0; 8]);
    in_time(caller.read_exact(&mut at_caller)).await.unwrap();
    in_time(reached.read_exact(&mut at_reached)).await.unwrap();
    assert_eq!((&at_caller[..], &at_reached[..]), (&frame(1, 1)[..], &frame(2, 2)[..]));
    drop((caller, reached));
    assert_eq!([world.next().await, world.next().await], [one, other].map(Seen::Closed));
    world.want([Todo::Need(Need::Close { socket: listener })]);
    while TcpStream::connect(local).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn so_many_peers_may_wait_and_others_are_hung_up_on() {
    let mut world = world(vec![], |_| vec![]);
    world.want([Todo::Need(Need::Listen { request: RequestId(1), bind: ANY })]);
    let Seen::Opened(_, _, local) = world.next().await else { panic!("no listener") };
    let mut callers = Vec::new();
    for _ in 0..64 {
        callers.push(TcpStream::connect(local).await.unwrap());
        assert!(matches!(world.next().await, Seen::Accepted { .. }));
    }
    let mut refused = TcpStream::connect(local).await.unwrap();
    assert_eq!(in_time(refused.read(&mut [0; 1])).await.unwrap_or(0), 0);
    // A place is free again with one that goes.
    world.want([Todo::Need(Need::Close { socket: SECOND })]);
    loop {
        callers.push(TcpStream::connect(local).await.unwrap());
        tokio::select! {
            seen = world.next() => break assert!(matches!(seen, Seen::Accepted { .. })),
            _ = callers.last_mut().unwrap().read_u8() => {}
        }
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_driver_that_is_dropped() {
    let ((mut client, one), (mut peer, other), (mut third, near)) = (duplex(9), duplex(9), duplex(9));
    let listener = TcpListener::bind(ANY).await.unwrap();
    let mut world = world(vec![one, other, near], joining(frame(2, 2)));
    client.write_all(&frame(2, 2)).await.unwrap();
    assert_eq!(world.next().await, Seen::Frame(FIRST, frame(2, 2)));
    world.want([
        Todo::Need(Need::Listen { request: RequestId(1), bind: ANY }),
        stream_to(listener.local_addr().unwrap()),
    ]);
    let (mut fourth, _) = in_time(listener.accept()).await.unwrap();
    let Seen::Opened(RequestId(1), _, local) = world.next().await else { panic!("no listener") };
    world.driver.abort();
    assert!(world.driver.await.unwrap_err().is_cancelled());
    drop(world.shared);
    let mut rest = Vec::new();
    in_time(client.read_to_end(&mut rest)).await.unwrap();
    for far in [&mut peer, &mut third] {
        assert_eq!(in_time(far.read(&mut [0; 1])).await.unwrap(), 0);
    }
    assert_eq!(in_time(fourth.read(&mut [0; 1])).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(local).await.is_err());
}
