//! A STUN and TURN server inside of this program.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_stun::Forward;
use floe_turn_server::{Config, Event, Server, Stats};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::driver::{App, Driver, Shared};
use crate::entropy;
use crate::error::BindError;
use crate::socket::Sockets;

/// A running STUN and TURN server. Dropping it ends it in the background, [`close`](Self::close) waits for that.
#[derive(Debug)]
pub struct TurnServer {
    shared: Arc<Shared<Server>>,
    local: Vec<SocketAddr>,
    ended: watch::Receiver<()>,
}

impl TurnServer {
    /// Serves on each of these UDP addresses; port 0 lets the system choose. Needs a tokio runtime around it.
    ///
    /// An unspecified address receives on every address of this machine, and then answers may leave from another one
    /// than was asked: better name each ([`crate::addresses`]).
    ///
    /// # Errors
    ///
    /// When the system refuses one of the addresses; then none is served.
    pub fn bind(config: Config, listen: &[SocketAddr]) -> Result<(Self, ServerEvents), BindError> {
        let mut sockets = Sockets::default();
        for address in listen {
            sockets.bind(*address).map_err(|why| BindError::Socket { address: *address, why })?;
        }
        let clock = Clock::start();
        let mut server = Server::new(clock.now(), config, entropy::seed()?);
        for socket in sockets.iter() {
            server.listen(socket.id(), socket.local());
        }
        let local: Vec<_> = sockets.iter().map(|socket| socket.local()).collect();
        if local.is_empty() {
            return Err(BindError::NoAddress);
        }
        let shared = Shared::new(server, sockets, clock);
        let (events, events_out) = mpsc::unbounded_channel();
        let (ending, ended) = watch::channel(());
        tokio::spawn(Driver::new(Arc::clone(&shared), Outlet { events, _ending: ending }).run());
        Ok((Self { shared, local, ended }, ServerEvents(events_out)))
    }

    /// The addresses it serves on, in the order they were given.
    #[must_use]
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.local
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.look(Server::stats)
    }

    /// Ends all allocations and closes all sockets.
    pub async fn close(&self) {
        self.begin_close();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    fn begin_close(&self) {
        self.shared.command(|now, state| state.machine.close(now));
        self.shared.end(CLOSE_PATIENCE);
    }
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        self.begin_close();
    }
}

/// What a [`TurnServer`] reports, in order.
#[derive(Debug)]
pub struct ServerEvents(mpsc::UnboundedReceiver<Event>);

impl ServerEvents {
    /// The next event; none once the server is closed. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// Where the driver puts what the server gives.
struct Outlet {
    events: mpsc::UnboundedSender<Event>,
    _ending: watch::Sender<()>,
}

impl App<Server> for Outlet {
    fn on_event(&mut self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Relays: the bytes go out from where they came in, behind their new header. A full socket loses them, as any
    /// router would.
    fn on_data(&mut self, sockets: &Sockets, Forward { plan, data, .. }: Forward<'_>) {
        if let Some(socket) = sockets.get(plan.socket()) {
            let _ = socket.send(plan.to(), &[plan.header(), data, plan.trailer()]);
        }
    }
}

/// Closing asks nobody, so this is never used up.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
