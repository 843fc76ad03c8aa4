//! The loop that drives any machine: sockets, timer and commands in; outputs out.
//!
//! ```text
//!   handles ── command ──▶ Shared { machine, sockets } ◀── input ── Driver ◀── sockets, timer, resolver
//!                               changed ───────────────────────────▶ │ drain until Wait or Idle
//!                                                                    ▼
//!                                             datagrams, streams, needs, App::on_event, App::on_data
//! ```
//!
//! A handle may touch the machine at any time, under a lock that is never held across an await. Only the driver
//! fetches outputs, and it does so after every input and after every command.

use std::fmt;
use std::future::{Future, pending};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use floe_stun::{
    Failure, Input, Instant, MAX_TRANSMIT, Machine, Need, Output, Received, RequestId, SocketId, Transmit,
    Transport,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::connect::{Audience, ConnectError, Listener, Target, greet, open_peer};
use crate::resolve::resolve;
use crate::socket::{Batch, Socket, judge_bind, judge_send};
use crate::sockets::{Outlet, Sockets, Source};
use crate::stream::{News, Opened, Stream, join};

/// What becomes of what a machine gives to its application. Called under the lock: to be quick.
pub(crate) trait App<M: Machine> {
    /// The machine reports something. A stream that it hands over may be taken out of the sockets here and now.
    fn on_event(&mut self, sockets: &mut Sockets, event: M::Event);

    /// A datagram carried something for the application.
    fn on_data(&mut self, sockets: &Sockets, data: M::App<'_>);

    /// The end of what was received together, or something is about to be sent that must not overtake data.
    fn on_pause(&mut self) {}

    /// A client has opened a stream to a listener of ours.
    fn on_client(&mut self, _machine: &mut M, _socket: SocketId, _transport: Transport) {}
}

/// What the driver and the handles of one machine share.
pub(crate) struct Shared<M> {
    state: Mutex<State<M>>,
    clock: Clock,
    changed: Notify,
}

/// A machine and its sockets.
pub(crate) struct State<M> {
    pub(crate) machine: M,
    pub(crate) sockets: Sockets,
    /// When the driver ends, unless the machine is idle before that.
    end: Option<Instant>,
}

impl<M: Machine> Shared<M> {
    pub(crate) fn new(machine: M, sockets: Sockets, clock: Clock) -> Arc<Self> {
        let state = Mutex::new(State { machine, sockets, end: None });
        Arc::new(Self { state, clock, changed: Notify::new() })
    }

    /// Does something to the machine; what the machine wants of the world because of it follows at once.
    pub(crate) fn command<R>(&self, act: impl FnOnce(Instant, &mut State<M>) -> R) -> R {
        let result = act(self.clock.now(), &mut self.lock());
        self.changed.notify_one();
        result
    }

    /// Looks at the machine.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(&self.lock().machine)
    }

    /// Looks at its sockets.
    pub(crate) fn look_at_sockets<R>(&self, look: impl FnOnce(&Sockets) -> R) -> R {
        look(&self.lock().sockets)
    }

    /// Ends the driver when the machine is idle, and after `patience` in any case; the least patience counts.
    pub(crate) fn end(&self, patience: Duration) {
        self.command(|now, state| {
            let end = now + patience;
            state.end = Some(state.end.map_or(end, |earlier| earlier.min(end)));
        });
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        // A panic of another thread leaves nothing half done that the machine could not bear.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> fmt::Debug for Shared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Drives one machine until it has come to its end.
pub(crate) struct Driver<M, A> {
    shared: Arc<Shared<M>>,
    batch: Batch,
    world: World<A>,
}

/// All of the driver that carries out outputs.
struct World<A> {
    app: A,
    clock: Clock,
    buf: Box<[u8; MAX_TRANSMIT]>,
    arrivals: FuturesUnordered<Arriving>,
    /// Gone with the driver, as all that is here.
    work: JoinSet<Done>,
}

type Arriving = Pin<Box<dyn Future<Output = Option<Arrival>> + Send>>;

/// What comes from outside.
enum Arrival {
    Datagrams(Arc<Socket>),
    Stream(Arc<Stream>, News),
    Connection(Arc<Listener>, Opened),
}

/// What takes its time and runs beside the driver.
enum Done {
    Resolved(RequestId, Result<Vec<IpAddr>, Failure>),
    Connected(RequestId, Result<Opened, ConnectError>),
    PeerReached(RequestId, Result<Opened, Failure>),
    /// A client has shown that it speaks TLS, or not.
    Greeted(Option<Opened>),
    Parted([SocketId; 2]),
}

/// What the driver waits for.
enum Next {
    /// This moment, if any, or something from outside.
    Wait(Option<Instant>),
    /// Nothing any more.
    End,
}

impl<M: Machine, A: App<M>> Driver<M, A> {
    pub(crate) fn new(shared: Arc<Shared<M>>, app: A) -> Self {
        let world = World {
            app,
            clock: shared.clock,
            buf: Box::new([0; MAX_TRANSMIT]),
            arrivals: FuturesUnordered::new(),
            work: JoinSet::new(),
        };
        Self { shared, batch: Batch::new(), world }
    }

    pub(crate) async fn run(mut self) {
        while let Next::Wait(until) = self.drain() {
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                Some(arrival) = self.world.arrivals.next(), if !self.world.arrivals.is_empty() => {
                    if let Some(arrival) = arrival {
                        self.take_in(arrival);
                    }
                }
                Some(done) = self.world.work.join_next(), if !self.world.work.is_empty() => {
                    if let Ok(done) = done {
                        self.conclude(done);
                    }
                }
                () = shared.changed.notified() => {}
                () = sleep(self.world.clock, until) => self.world.handle(&mut shared.lock().machine, Input::Timeout),
            }
        }
        self.shared.lock().sockets.close_all();
    }

    fn drain(&mut self) -> Next {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let until = self.world.carry_out(&mut state);
        for source in state.sockets.take_new() {
            self.world.listen(source);
        }
        match (until, state.end) {
            (None, Some(_)) => Next::End,
            (_, Some(end)) if end <= self.world.clock.now() => Next::End,
            (Some(until), Some(end)) => Next::Wait(Some(until.min(end))),
            (until, None) => Next::Wait(until),
        }
    }

    fn take_in(&mut self, arrival: Arrival) {
        let next = match arrival {
            Arrival::Datagrams(socket) => {
                self.receive(&socket);
                self.world.app.on_pause();
                Source::Udp(socket)
            }
            Arrival::Stream(stream, news) => {
                match news {
                    News::Bytes(bytes) => self.read(&stream, bytes),
                    News::Over => self.world.end_stream(&mut self.shared.lock(), &stream),
                }
                self.world.app.on_pause();
                Source::Stream(stream)
            }
            Arrival::Connection(listener, opened) => {
                self.welcome(&listener, opened);
                Source::Listener(listener)
            }
        };
        self.world.listen(next);
    }

    /// Takes in what has arrived at a socket, as much as is fair to the others.
    fn receive(&mut self, socket: &Socket) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        while let Some((to, what)) = socket.next_error() {
            self.world.handle(&mut state.machine, Input::Icmp { socket: socket.id(), to, what });
            let _ = self.world.carry_out(&mut state);
        }
        for _ in 0..BATCHES {
            if socket.receive(&mut self.batch).is_err() {
                return;
            }
            for (from, data) in self.batch.datagrams() {
                self.world.handle_datagram(&mut state, socket.id(), from, data);
                let _ = self.world.carry_out(&mut state);
            }
            if !self.batch.is_full() {
                return;
            }
        }
    }

    /// Cuts what came on a stream into frames. After each of them the stream may belong to somebody else, and then so does
    /// the rest.
    fn read(&mut self, stream: &Arc<Stream>, bytes: Vec<u8>) {
        let shared = Arc::clone(&self.shared);
        let (mut state, id) = (shared.lock(), stream.id());
        let Some(mut unread) = state.sockets.check_out(id) else { return };
        unread.put(bytes);
        state.sockets.check_in(id, unread);
        while let Some(mut unread) = state.sockets.check_out(id) {
            let cut = unread.next().map(|frame| {
                frame.map(|data| self.world.handle_datagram(&mut state, id, stream.remote(), data))
            });
            state.sockets.check_in(id, unread);
            match cut {
                Ok(Some(())) => {
                    stream.note_frame();
                    let _ = self.world.carry_out(&mut state);
                }
                Ok(None) => return,
                Err(_) => return self.world.end_stream(&mut state, stream),
            }
        }
    }

    /// Somebody has connected to a listener.
    fn welcome(&mut self, listener: &Listener, opened: Opened) {
        match listener.audience.clone() {
            Audience::Peers => {
                let mut state = self.shared.lock();
                let (listener, from) = (listener.id(), opened.remote);
                let socket = state.sockets.hold(opened);
                self.world.handle(&mut state.machine, Input::Accepted { listener, socket, from });
            }
            Audience::Clients => self.admit(opened),
            Audience::TlsClients(identity) => {
                self.world.work.spawn(async move { Done::Greeted(greet(opened, identity).await) });
            }
        }
    }

    fn admit(&mut self, opened: Opened) {
        let (mut state, transport) = (self.shared.lock(), opened.transport);
        let stream = state.sockets.add_stream(opened);
        self.world.app.on_client(&mut state.machine, stream.id(), transport);
    }

    fn conclude(&mut self, done: Done) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        match done {
            Done::Resolved(request, found) => {
                let input = match &found {
                    Ok(addresses) => Input::Resolved { request, addresses },
                    Err(why) => Input::Failed { request, why: *why },
                };
                self.world.handle(&mut state.machine, input);
            }
            Done::Connected(request, Ok(opened)) => {
                let local = opened.local;
                let stream = state.sockets.add_stream(opened);
                let input = Input::Opened { request, socket: stream.id(), local };
                self.world.handle(&mut state.machine, input);
            }
            Done::Connected(request, Err(failure)) => {
                let why = failure.why;
                state.sockets.note_failure(failure);
                self.world.handle(&mut state.machine, Input::Failed { request, why });
            }
            Done::PeerReached(request, reached) => {
                let input = match reached {
                    Ok(opened) => {
                        let local = opened.local;
                        Input::Opened { request, socket: state.sockets.hold(opened), local }
                    }
                    Err(why) => Input::Failed { request, why },
                };
                self.world.handle(&mut state.machine, input);
            }
            Done::Greeted(Some(opened)) => {
                drop(state);
                self.admit(opened);
            }
            Done::Greeted(None) => {}
            Done::Parted(ids) => self.world.forget(&mut state, &ids),
        }
    }
}

impl<A> World<A> {
    fn listen(&self, source: Source) {
        self.arrivals.push(match source {
            Source::Udp(socket) => Box::pin(async { socket.readable().await.map(Arrival::Datagrams) }),
            Source::Stream(stream) => {
                Box::pin(async { stream.news().await.map(|(stream, news)| Arrival::Stream(stream, news)) })
            }
            Source::Listener(listener) => Box::pin(async {
                listener.accept().await.map(|(listener, opened)| Arrival::Connection(listener, opened))
            }),
        });
    }

    /// Tells the machine something that brings no application data.
    fn handle<M: Machine>(&self, machine: &mut M, input: Input<'_>) {
        let _ = machine.handle_input(self.clock.now(), input);
    }

    fn handle_datagram<M: Machine>(
        &mut self,
        state: &mut State<M>,
        socket: SocketId,
        from: SocketAddr,
        data: &[u8],
    ) where
        A: App<M>,
    {
        let input = Input::Datagram { socket, from, data };
        if let Received::App(data) = state.machine.handle_input(self.clock.now(), input) {
            self.app.on_data(&state.sockets, data);
        }
    }

    /// A stream is over: what was still to be written may go, and nothing else.
    fn end_stream<M: Machine>(&self, state: &mut State<M>, stream: &Stream) {
        self.forget(state, &[stream.id()]);
        stream.close();
    }

    /// Tells the machine that these are gone, unless it has closed them itself.
    fn forget<M: Machine>(&self, state: &mut State<M>, ids: &[SocketId]) {
        for socket in ids {
            if state.sockets.forget(*socket) {
                self.handle(&mut state.machine, Input::Closed { socket: *socket });
            }
        }
    }

    /// Carries out all that the machine wants; gives the moment it waits for, if any.
    fn carry_out<M: Machine>(&mut self, state: &mut State<M>) -> Option<Instant>
    where
        A: App<M>,
    {
        loop {
            match state.machine.poll_output(&mut self.buf) {
                Output::Transmit(datagram) => {
                    self.app.on_pause();
                    let (socket, to) = (datagram.socket, datagram.to);
                    if let Some(what) = transmit(&state.sockets, &datagram) {
                        self.handle(&mut state.machine, Input::Icmp { socket, to, what });
                    }
                }
                Output::Need(need) => self.begin(state, need),
                Output::Event(event) => self.app.on_event(&mut state.sockets, event),
                Output::Wait { until, why: _ } => return Some(until),
                Output::Idle => return None,
            }
        }
    }

    fn begin<M: Machine>(&mut self, state: &mut State<M>, need: Need) {
        match need {
            Need::Udp { request, bind } => {
                let bound = state.sockets.bind(bind);
                let input = match &bound {
                    Ok(socket) => Input::Opened { request, socket: socket.id(), local: socket.local() },
                    Err(why) => Input::Failed { request, why: judge_bind(why) },
                };
                self.handle(&mut state.machine, input);
            }
            Need::Stream { request, to, transport, server_name } => {
                let (target, tls) = (Target { to, transport, server_name }, state.sockets.tls.clone());
                self.work.spawn(async move { Done::Connected(request, target.open(tls).await) });
            }
            Need::Listen { request, bind } => {
                let bound = state.sockets.listen_for_peers(bind);
                let input = match &bound {
                    Ok(listener) => Input::Opened { request, socket: listener.id(), local: listener.local() },
                    Err(why) => Input::Failed { request, why: judge_bind(why) },
                };
                self.handle(&mut state.machine, input);
            }
            Need::Connect { request, bind, to } => {
                self.work.spawn(async move { Done::PeerReached(request, open_peer(bind, to).await) });
            }
            Need::Join { one, other } => self.join(state, one, other),
            Need::Resolve { request, name } => {
                self.work.spawn(async move { Done::Resolved(request, resolve(&name).await) });
            }
            Need::Close { socket } => state.sockets.close(socket),
            // A need of a later release; nothing here can answer it.
            _ => {}
        }
    }

    fn join<M: Machine>(&mut self, state: &mut State<M>, one: SocketId, other: SocketId) {
        match state.sockets.take_pair(one, other) {
            Ok((first, second, closed)) => {
                self.work.spawn(async move {
                    tokio::select! {
                        () = join(first, second) => {}
                        () = closed.notified() => {}
                    }
                    Done::Parted([one, other])
                });
            }
            Err(alone) => {
                for socket in alone {
                    self.handle(&mut state.machine, Input::Closed { socket });
                }
            }
        }
    }
}

impl<M, A> fmt::Debug for Driver<M, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("batch", &self.batch).finish_non_exhaustive()
    }
}

/// Sends at once or not at all: what a full buffer refuses is lost, and sent again by whoever wanted it sent.
fn transmit(sockets: &Sockets, transmit: &Transmit<'_>) -> Option<floe_stun::Icmp> {
    let outlet = sockets.outlet(transmit.socket)?;
    let why = outlet.transmit(transmit).err()?;
    // A stream that fails says so itself.
    matches!(outlet, Outlet::Udp(_)).then(|| judge_send(&why))?
}

async fn sleep(clock: Clock, until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep(clock.until(until)).await,
        None => pending().await,
    }
}

/// Batches received from one socket before the others get their turn.
const BATCHES: usize = 4;

#[cfg(test)]
mod tests;
