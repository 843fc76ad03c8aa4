//! A STUN and TURN server inside of this program.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use floe_stun::credentials::Credentials;
use floe_stun::{Forward, SocketId, Transport};
use floe_turn_server::{AddressPair, AddressPairError, Config, Event, LookupId, Server, Stats};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::connect::Audience;
use crate::driver::{App, Driver, Shared};
use crate::entropy;
use crate::error::BindError;
use crate::seats::{Seats, StreamLimits};
use crate::sockets::{Sockets, Train};
#[cfg(feature = "tls")]
use crate::tls::TlsIdentity;

/// A running STUN and TURN server. Dropping it ends it in the background, [`close`](Self::close) waits for that.
#[derive(Debug)]
pub struct TurnServer {
    shared: Arc<Shared<Server>>,
    local: Vec<SocketAddr>,
    listeners: Vec<(Transport, SocketAddr)>,
    pairs: Vec<AddressPair>,
    ended: watch::Receiver<()>,
}

impl TurnServer {
    /// A server with this configuration, to be told where to listen before it is bound. What the configuration says of
    /// time and of fragments is the host's to know and replaced.
    ///
    /// ```
    /// use floe_stun::Transport;
    /// use floe_tokio::TurnServer;
    /// use floe_turn_server::Config;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// let any = "127.0.0.1:0".parse().unwrap();
    /// let server = TurnServer::builder(Config::new("example.org")).udp(any).tcp(any);
    /// # #[cfg(feature = "tls")]
    /// # let made = rcgen::generate_simple_self_signed(["turn.example.org".to_owned()]).unwrap();
    /// # #[cfg(feature = "tls")]
    /// # let (fullchain, privkey) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// # #[cfg(feature = "tls")]
    /// let identity = floe_tokio::TlsIdentity::from_pem(fullchain.as_bytes(), privkey.as_bytes()).unwrap();
    /// # #[cfg(feature = "tls")]
    /// let server = server.tls(any, &identity); // keep the identity to replace its certificate later
    /// let (server, _events) = server.bind().unwrap();
    /// let [(Transport::Udp, _), (Transport::Tcp, _), ..] = server.listeners() else { panic!() };
    /// # });
    /// ```
    pub fn builder(config: Config) -> ServerBuilder {
        ServerBuilder {
            config,
            udp: Vec::new(),
            streams: Vec::new(),
            alternates: Vec::new(),
            shared: false,
            limits: StreamLimits::default(),
        }
    }

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

    /// The same with [`ServerBuilder::alternate`] for each of these.
    ///
    /// # Errors
    ///
    /// See [`ServerBuilder::bind`].
    pub fn bind_with_alternates(
        config: Config,
        listen: &[SocketAddr],
        alternates: &[SocketAddr],
    ) -> Result<(Self, ServerEvents), BindError> {
        let builder = listen.iter().fold(Self::builder(config), |builder, address| builder.udp(*address));
        alternates.iter().fold(builder, |builder, address| builder.alternate(*address)).bind()
    }

    /// The UDP addresses it serves on, in the order they were given; what alternates brought comes last.
    #[must_use]
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.local
    }

    /// All addresses it serves on, with how they carry bytes: UDP as [`Self::local_addresses`] has them, then the others in
    /// the order they were given.
    #[must_use]
    pub fn listeners(&self) -> &[(Transport, SocketAddr)] {
        &self.listeners
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

    /// Takes no new allocations from now on, and sends those who ask for one to one of these servers of their family, with
    /// the name in its certificate if clients come over TLS; see [`Server::drain`]. [`Self::stats`] tells when nobody is
    /// left.
    pub fn drain(&self, to: impl IntoIterator<Item = (SocketAddr, Option<String>)>) {
        self.shared.command(|_, state| state.machine.drain(to));
    }

    /// Nobody is relayed to this address, where this program listens for another purpose.
    pub fn keep_away_from(&self, address: SocketAddr) {
        self.shared.command(|_, state| state.machine.keep_away_from(address));
    }

    /// Answers [`Event::Lookup`]: the credentials of a user who is not in the [`Config`], or that there is no such user; see
    /// [`Server::found`].
    pub fn found(&self, lookup: LookupId, user: Option<&Credentials>) {
        self.shared.command(|now, state| state.machine.found(now, lookup, user));
    }

    /// Asks anew when this user comes again, as when the password has changed; see [`Server::forget_user`].
    pub fn forget_user(&self, name: &str) {
        self.shared.command(|_, state| state.machine.forget_user(name));
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

/// The settings of a [`TurnServer`] that is not bound yet.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before it is bound"]
pub struct ServerBuilder {
    config: Config,
    udp: Vec<SocketAddr>,
    streams: Vec<(SocketAddr, Audience)>,
    alternates: Vec<SocketAddr>,
    shared: bool,
    limits: StreamLimits,
}

impl ServerBuilder {
    /// Serves on this UDP address as well; port 0 lets the system choose.
    ///
    /// An unspecified address receives on every address of this machine, and then answers may leave from another one
    /// than was asked: better name each ([`crate::addresses`]).
    pub fn udp(mut self, address: SocketAddr) -> Self {
        self.udp.push(address);
        self
    }

    /// Serves clients over TCP on this address as well; port 0 lets the system choose, the port of UDP on the same address
    /// if that is free.
    pub fn tcp(mut self, address: SocketAddr) -> Self {
        self.streams.push((address, Audience::Clients));
        self
    }

    /// Serves clients over TLS on this address as well, as this one; port 0 lets the system choose.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, address: SocketAddr, identity: &TlsIdentity) -> Self {
        self.streams.push((address, Audience::TlsClients(identity.clone())));
        self
    }

    /// Helps clients to discover how their NATs behave (RFC 5780): this address belongs to the first UDP address of its
    /// family, and the two serve each other's port too.
    ///
    /// ```
    /// use floe_tokio::TurnServer;
    /// use floe_turn_server::Config;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// let (primary, alternate) = ("127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap());
    /// # if cfg!(not(target_os = "linux")) { return } // elsewhere loopback has one address only
    /// let builder = TurnServer::builder(Config::new("example.org")).udp(primary).alternate(alternate);
    /// let (server, _events) = builder.bind().unwrap();
    /// assert_eq!(server.local_addresses().len(), 4);
    /// let [pair] = server.pairs() else { panic!("one alternate, one pair") };
    /// assert_eq!(pair.alternate().ip(), alternate.ip());
    /// # });
    /// ```
    pub fn alternate(mut self, address: SocketAddr) -> Self {
        self.alternates.push(address);
        self
    }

    /// Lets other servers of the same user listen on the same addresses (`SO_REUSEPORT`): the system spreads clients over
    /// them, each of which serves those that come to it. Has no effect where the system has no such option.
    pub fn reuse_port(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// Grants streams of clients no more than this.
    pub fn stream_limits(mut self, limits: StreamLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Listens, and serves. Needs a tokio runtime around it.
    ///
    /// # Errors
    ///
    /// When there is no address, the system refuses one of them, or an alternate does not fit to its primary one; then
    /// none is served.
    pub fn bind(self) -> Result<(TurnServer, ServerEvents), BindError> {
        let Listeners { mut sockets, pairs, .. } = Listeners::open(&self.udp, &self.alternates, self.shared)?;
        let seats = Seats::new(self.limits);
        for (address, audience) in self.streams {
            // Where the system chooses, clients may expect the port of UDP.
            let beside = sockets.iter().map(|socket| socket.local()).find(|udp| udp.ip() == address.ip());
            let is_clear = matches!(audience, Audience::Clients);
            let first = beside.filter(|_| is_clear && address.port() == 0).unwrap_or(address);
            let mut listen = |at| sockets.listen(at, audience.clone(), Arc::clone(&seats), self.shared);
            let listening = match listen(first) {
                Err(_) if first != address => listen(address),
                listening => listening,
            };
            listening.map_err(|why| BindError::Listener { address, why })?;
        }
        let local: Vec<_> = sockets.iter().map(|socket| socket.local()).collect();
        let udp = local.iter().map(|address| (Transport::Udp, *address));
        let streams = sockets.listeners().map(|listener| (listener.transport(), listener.local()));
        let listeners: Vec<_> = udp.chain(streams).collect();
        if listeners.is_empty() {
            return Err(BindError::NoAddress);
        }
        let clock = Clock::start();
        let mut config = self.config.with_clock(clock.now(), unix_now());
        config.dont_fragment = cfg!(any(target_os = "linux", target_os = "android"));
        let mut server = Server::new(clock.now(), config, entropy::seed()?);
        for socket in sockets.iter() {
            server.listen(socket.id(), socket.local());
        }
        for (_, stream) in listeners.iter().filter(|(transport, _)| *transport != Transport::Udp) {
            server.keep_away_from(*stream);
        }
        for pair in &pairs {
            server.serve_discovery(pair)?;
        }
        let shared = Shared::new(server, sockets, clock);
        let (events, events_out) = mpsc::channel(EVENTS);
        let lost = Arc::new(AtomicU64::new(0));
        let (ending, ended) = watch::channel(());
        let host = Host { events, lost: Arc::clone(&lost), seats, train: Train::default(), _ending: ending };
        tokio::spawn(Driver::new(Arc::clone(&shared), host).run());
        Ok((TurnServer { shared, local, listeners, pairs, ended }, ServerEvents { events: events_out, lost }))
    }
}

/// What a server listens on.
#[derive(Debug, Default)]
struct Listeners {
    sockets: Sockets,
    pairs: Vec<AddressPair>,
    shared: bool,
}

impl Listeners {
    /// Where the system chooses a port, it may be one that is not free on the other address of a pair: then it is asked
    /// to choose again.
    fn open(listen: &[SocketAddr], alternates: &[SocketAddr], shared: bool) -> Result<Self, BindError> {
        let may_choose_again = listen.iter().chain(alternates).any(|address| address.port() == 0);
        for _ in 0..PORT_ATTEMPTS {
            match Self::try_open(listen, alternates, shared) {
                Err(why) if may_choose_again && is_taken(&why) => {}
                result => return result,
            }
        }
        Self::try_open(listen, alternates, shared)
    }

    fn try_open(listen: &[SocketAddr], alternates: &[SocketAddr], shared: bool) -> Result<Self, BindError> {
        let mut listeners = Self { shared, ..Self::default() };
        for address in listen {
            listeners.bind(*address)?;
        }
        for alternate in alternates {
            listeners.pair(*alternate)?;
        }
        Ok(listeners)
    }

    fn bind(&mut self, address: SocketAddr) -> Result<SocketAddr, BindError> {
        let socket = self.sockets.bind_shared(address, self.shared);
        let socket = socket.map_err(|why| BindError::Socket { address, why })?;
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
///
/// 4096 events wait to be read. Who reads too slowly, or not at all, loses those that come then, and the server serves on:
/// [`lost`](Self::lost) counts them. A lost [`Event::Lookup`] does no harm but that its user must ask again.
#[derive(Debug)]
pub struct ServerEvents {
    events: mpsc::Receiver<Event>,
    lost: Arc<AtomicU64>,
}

impl ServerEvents {
    /// The next event; none once the server is closed. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// How many events there was no room for, since the server was bound.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Where the driver puts what the server gives.
struct Host {
    events: mpsc::Sender<Event>,
    lost: Arc<AtomicU64>,
    seats: Arc<Seats>,
    train: Train,
    _ending: watch::Sender<()>,
}

impl App<Server> for Host {
    fn on_event(&mut self, _: &mut Sockets, event: Event) {
        match &event {
            Event::Allocated { client, .. } => self.seats.note_allocated(*client),
            Event::Moved { from, to, .. } => {
                self.seats.note_released(*from);
                self.seats.note_allocated(*to);
            }
            Event::Released { client, .. } => self.seats.note_released(*client),
            _ => {}
        }
        // Who has dropped the other end does not want them.
        if let Err(TrySendError::Full(_)) = self.events.try_send(event) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Relays: the bytes go out behind their new header.
    fn on_data(&mut self, sockets: &Sockets, forward: Forward<'_>) {
        self.train.forward(sockets, forward);
    }

    fn on_pause(&mut self) {
        self.train.leave();
    }

    fn on_client(&mut self, server: &mut Server, socket: SocketId, transport: Transport) {
        server.accept(socket, transport);
    }
}

/// As many events may wait for who reads them.
const EVENTS: usize = 4096;

/// How often the system may choose a port that the other address of a pair does not have.
const PORT_ATTEMPTS: usize = 8;

/// What the clocks of people show, as time since 1970.
fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Closing asks nobody, so this is never used up.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_that_nobody_reads_are_counted_and_not_kept() {
        let (events, events_out) = mpsc::channel(2);
        let (ending, _ended) = watch::channel(());
        let lost = Arc::new(AtomicU64::new(0));
        let seats = Seats::new(StreamLimits::default());
        let mut host = Host {
            events,
            lost: Arc::clone(&lost),
            seats: Arc::clone(&seats),
            train: Train::default(),
            _ending: ending,
        };
        let mut reports = ServerEvents { events: events_out, lost };
        let client: SocketAddr = "192.0.2.1:7".parse().unwrap();
        let allocated = Event::Allocated {
            client,
            relayed: "192.0.2.2:50000".parse().unwrap(),
            second: None,
            socket: SocketId(1),
            user: "u".to_owned(),
        };
        let mut sockets = Sockets::default();
        for _ in 0..5 {
            host.on_event(&mut sockets, allocated.clone());
        }
        assert_eq!(reports.lost(), 3);
        assert!(seats.take(client.ip()).unwrap().has_allocation(client), "a lost one counts for the seats");
        drop(host);
        assert_eq!(reports.recv().await, Some(allocated.clone()));
        assert_eq!(reports.recv().await, Some(allocated));
        assert_eq!(reports.recv().await, None);
    }
}
