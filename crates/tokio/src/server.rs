//! A STUN and TURN server inside of this program.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_stun::Forward;
use floe_turn_server::{AddressPair, AddressPairError, Config, Event, Server, Stats};
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
    pairs: Vec<AddressPair>,
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
        Self::bind_with_alternates(config, listen, &[])
    }

    /// The same, and helps clients to discover how their NATs behave (RFC 5780): each alternate address belongs to the
    /// first address of its family in `listen`, and the two serve each other's port too.
    ///
    /// ```
    /// use floe_tokio::TurnServer;
    /// use floe_turn_server::Config;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// let (primary, alternate) = ("127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap());
    /// # if cfg!(not(target_os = "linux")) { return } // elsewhere loopback has one address only
    /// let (server, _events) =
    ///     TurnServer::bind_with_alternates(Config::new("example.org"), &[primary], &[alternate]).unwrap();
    /// assert_eq!(server.local_addresses().len(), 4);
    /// let [pair] = server.pairs() else { panic!("one alternate, one pair") };
    /// assert_eq!(pair.alternate().ip(), alternate.ip());
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// When the system refuses one of the addresses, or an alternate does not fit to its primary one; then none is
    /// served.
    pub fn bind_with_alternates(
        config: Config,
        listen: &[SocketAddr],
        alternates: &[SocketAddr],
    ) -> Result<(Self, ServerEvents), BindError> {
        let Listeners { sockets, pairs } = Listeners::open(listen, alternates)?;
        let clock = Clock::start();
        let mut server = Server::new(clock.now(), config, entropy::seed()?);
        for socket in sockets.iter() {
            server.listen(socket.id(), socket.local());
        }
        for pair in &pairs {
            server.serve_discovery(pair)?;
        }
        let local: Vec<_> = sockets.iter().map(|socket| socket.local()).collect();
        if local.is_empty() {
            return Err(BindError::NoAddress);
        }
        let shared = Shared::new(server, sockets, clock);
        let (events, events_out) = mpsc::unbounded_channel();
        let (ending, ended) = watch::channel(());
        tokio::spawn(Driver::new(Arc::clone(&shared), Outlet { events, _ending: ending }).run());
        Ok((Self { shared, local, pairs, ended }, ServerEvents(events_out)))
    }

    /// The addresses it serves on, in the order they were given; what alternates brought comes last.
    #[must_use]
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.local
    }

    /// The pairs of addresses by which clients can discover how their NATs behave.
    #[must_use]
    pub fn pairs(&self) -> &[AddressPair] {
        &self.pairs
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

/// What a server listens on.
#[derive(Debug, Default)]
struct Listeners {
    sockets: Sockets,
    pairs: Vec<AddressPair>,
}

impl Listeners {
    /// Where the system chooses a port, it may be one that is not free on the other address of a pair: then it is asked
    /// to choose again.
    fn open(listen: &[SocketAddr], alternates: &[SocketAddr]) -> Result<Self, BindError> {
        let may_choose_again = listen.iter().chain(alternates).any(|address| address.port() == 0);
        for _ in 0..PORT_ATTEMPTS {
            match Self::try_open(listen, alternates) {
                Err(why) if may_choose_again && is_taken(&why) => {}
                result => return result,
            }
        }
        Self::try_open(listen, alternates)
    }

    fn try_open(listen: &[SocketAddr], alternates: &[SocketAddr]) -> Result<Self, BindError> {
        let mut listeners = Self::default();
        for address in listen {
            listeners.bind(*address)?;
        }
        for alternate in alternates {
            listeners.pair(*alternate)?;
        }
        Ok(listeners)
    }

    fn bind(&mut self, address: SocketAddr) -> Result<SocketAddr, BindError> {
        let socket = self.sockets.bind(address).map_err(|why| BindError::Socket { address, why })?;
        Ok(socket.local())
    }

    /// Binds those corners of a pair that are not bound yet.
    fn pair(&mut self, alternate: SocketAddr) -> Result<(), BindError> {
        let primary = self.find(|local| local.is_ipv4() == alternate.is_ipv4());
        let primary = primary.ok_or(BindError::NoPrimary { alternate })?;
        let pair = AddressPair::new(primary, self.bind_once(alternate)?)?;
        for corner in pair.corners() {
            self.bind_once(corner)?;
        }
        self.pairs.push(pair);
        Ok(())
    }

    fn bind_once(&mut self, address: SocketAddr) -> Result<SocketAddr, BindError> {
        match self.find(|local| (local.ip(), local.port()) == (address.ip(), address.port())) {
            Some(local) => Ok(local),
            None => self.bind(address),
        }
    }

    fn find(&self, is_it: impl Fn(SocketAddr) -> bool) -> Option<SocketAddr> {
        self.sockets.iter().map(|socket| socket.local()).find(|local| is_it(*local))
    }
}

fn is_taken(why: &BindError) -> bool {
    match why {
        BindError::Socket { why, .. } => why.kind() == io::ErrorKind::AddrInUse,
        BindError::Alternate(AddressPairError::SamePort { .. }) => true,
        _ => false,
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

/// How often the system may choose a port that the other address of a pair does not have.
const PORT_ATTEMPTS: usize = 8;

/// Closing asks nobody, so this is never used up.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
