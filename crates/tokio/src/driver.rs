//! The loop that drives any machine: sockets, timer and commands in; outputs out.
//!
//! ```text
//!   handles ── command ──▶ Shared { machine, sockets } ◀── input ── Driver ◀── sockets, timer, resolver
//!                               changed ───────────────────────────▶ │ drain until Wait or Idle
//!                                                                    ▼
//!                                                      datagrams, needs, App::on_event, App::on_data
//! ```
//!
//! A handle may touch the machine at any time, under a lock that is never held across an await. Only the driver
//! fetches outputs, and it does so after every input and after every command.

use std::fmt;
use std::future::{Future, pending};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use floe_stun::{
    Failure, Input, Instant, MAX_TRANSMIT, Machine, Need, Output, Received, RequestId, Transmit,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::resolve::resolve;
use crate::socket::{Batch, Socket, Sockets, judge_bind, judge_send};

/// What becomes of what a machine gives to its application. Called under the lock: to be quick.
pub(crate) trait App<M: Machine> {
    /// The machine reports something.
    fn on_event(&mut self, event: M::Event);

    /// A datagram carried something for the application.
    fn on_data(&mut self, sockets: &Sockets, data: M::App<'_>);
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
    readable: FuturesUnordered<Readable>,
    resolving: JoinSet<Resolution>,
}

type Readable = Pin<Box<dyn Future<Output = Option<Arc<Socket>>> + Send>>;
type Resolution = (RequestId, Result<Vec<IpAddr>, Failure>);

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
            readable: FuturesUnordered::new(),
            resolving: JoinSet::new(),
        };
        for socket in shared.lock().sockets.iter() {
            world.listen(socket);
        }
        Self { shared, batch: Batch::new(), world }
    }

    pub(crate) async fn run(mut self) {
        while let Next::Wait(until) = self.drain() {
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                Some(socket) = self.world.readable.next(), if !self.world.readable.is_empty() => {
                    if let Some(socket) = socket {
                        self.receive(&socket);
                        self.world.listen(&socket);
                    }
                }
                Some(answer) = self.world.resolving.join_next(), if !self.world.resolving.is_empty() => {
                    if let Ok((request, found)) = answer {
                        self.resolved(request, found);
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
        match (until, state.end) {
            (None, Some(_)) => Next::End,
            (_, Some(end)) if end <= self.world.clock.now() => Next::End,
            (Some(until), Some(end)) => Next::Wait(Some(until.min(end))),
            (until, None) => Next::Wait(until),
        }
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
                let State { machine, sockets, .. } = &mut *state;
                let now = self.world.clock.now();
                let input = Input::Datagram { socket: socket.id(), from, data };
                if let Received::App(data) = machine.handle_input(now, input) {
                    self.world.app.on_data(sockets, data);
                }
                let _ = self.world.carry_out(&mut state);
            }
            if !self.batch.is_full() {
                return;
            }
        }
    }

    fn resolved(&self, request: RequestId, found: Result<Vec<IpAddr>, Failure>) {
        let input = match &found {
            Ok(addresses) => Input::Resolved { request, addresses },
            Err(why) => Input::Failed { request, why: *why },
        };
        self.world.handle(&mut self.shared.lock().machine, input);
    }
}

impl<A> World<A> {
    fn listen(&self, socket: &Arc<Socket>) {
        self.readable.push(Box::pin(Arc::clone(socket).readable()));
    }

    /// Tells the machine something that brings no application data.
    fn handle<M: Machine>(&self, machine: &mut M, input: Input<'_>) {
        let _ = machine.handle_input(self.clock.now(), input);
    }

    /// Carries out all that the machine wants; gives the moment it waits for, if any.
    fn carry_out<M: Machine>(&mut self, state: &mut State<M>) -> Option<Instant>
    where
        A: App<M>,
    {
        loop {
            match state.machine.poll_output(&mut self.buf) {
                Output::Transmit(datagram) => {
                    let (socket, to) = (datagram.socket, datagram.to);
                    if let Some(what) = transmit(&state.sockets, &datagram) {
                        self.handle(&mut state.machine, Input::Icmp { socket, to, what });
                    }
                }
                Output::Need(need) => self.begin(state, need),
                Output::Event(event) => self.app.on_event(event),
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
                if let Ok(socket) = &bound {
                    self.listen(socket);
                }
            }
            Need::Stream { request, .. } => {
                self.handle(&mut state.machine, Input::Failed { request, why: Failure::Unsupported });
            }
            Need::Resolve { request, name } => {
                self.resolving.spawn(async move { (request, resolve(&name).await) });
            }
            Need::Close { socket } => state.sockets.close(socket),
            // A need of a later release; nothing here can answer it.
            _ => {}
        }
    }
}

impl<M, A> fmt::Debug for Driver<M, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("batch", &self.batch).finish_non_exhaustive()
    }
}

/// Sends at once or not at all: what a full buffer refuses is lost, and sent again by whoever wanted it sent.
fn transmit(sockets: &Sockets, datagram: &Transmit<'_>) -> Option<floe_stun::Icmp> {
    let socket = sockets.get(datagram.socket)?;
    let parts = [datagram.bytes, &[], &[]];
    let sent = match datagram.may_fragment {
        true => socket.send_in_fragments(datagram.to, &parts),
        false => socket.send(datagram.to, &parts),
    };
    judge_send(sent.as_ref().err()?)
}

async fn sleep(clock: Clock, until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep(clock.until(until)).await,
        None => pending().await,
    }
}

/// Batches received from one socket before the others get their turn.
const BATCHES: usize = 4;
