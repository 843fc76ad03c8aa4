//! A TURN client alone on real sockets: one allocation, its peers, and what they send.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use floe_stun::{ChannelData, Instant, SocketId, Transport};
use floe_turn_client::{
    AllocateFailure, Client, Config, ConnectFailure, Event, Identity, PeerData, Refusal, SendError, Wanted,
};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::connect::{ConnectError, Target};
use crate::driver::{App, Driver, Shared, State};
use crate::entropy;
use crate::error::BindError;
use crate::inbox::{self, Inbox, Outbox};
use crate::interfaces::source_towards;
use crate::sockets::Sockets;
use crate::stream::RawStream;
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// An allocation on a TURN server. All calls take `&self`, so an [`Arc`] of it serves many tasks.
///
/// Dropping it gives the allocation back in the background, [`release`](Self::release) waits for that.
///
/// ```
/// # use floe_turn_server::{Config, PeerPolicy};
/// # use floe_stun::Password;
/// use floe_tokio::{TurnClient, TurnServer};
/// use floe_turn_client::Credentials;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// # let config = Config::new("example.org")
/// #     .with_relay("127.0.0.1".parse().unwrap())
/// #     .with_peers(PeerPolicy::public_only().with_loopback())
/// #     .with_user("alice", "open sesame");
/// # let (server, _events) = TurnServer::bind(config, &["127.0.0.1:0".parse().unwrap()]).unwrap();
/// # let server = server.local_addresses()[0];
/// let credentials = Credentials::new("alice", Password::new("open sesame"));
/// let (client, _events) = TurnClient::builder(server, credentials).allocate().await.unwrap();
///
/// let peer = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
/// let (peer_address, relayed) = (peer.local_addr().unwrap(), client.relayed().unwrap());
/// client.permit(peer_address.ip()).await.unwrap();
/// client.send_to(peer_address, b"hello").await.unwrap();
///
/// let mut bytes = [0; 100];
/// assert_eq!(peer.recv_from(&mut bytes).await.unwrap(), (5, relayed));
/// peer.send_to(b"hello yourself", relayed).await.unwrap();
/// assert_eq!(client.recv().await.unwrap(), (peer_address, b"hello yourself".to_vec()));
/// client.release().await;
/// # });
/// ```
#[derive(Debug)]
pub struct TurnClient {
    shared: Arc<Shared<Client>>,
    waiting: Waiting,
    inbox: Outbox<SocketAddr>,
    /// Its other half is dropped when the driver has ended.
    ended: watch::Receiver<()>,
}

/// Why something could not be had of a TURN server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TurnError {
    /// This machine gave no socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// There is no way to the server.
    #[error("{server}: no route to the TURN server: {why}; check the address and the network")]
    NoRoute {
        /// The server.
        server: SocketAddr,
        /// What the system said.
        why: std::io::Error,
    },
    /// No stream to the server could be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server gave no relayed address.
    #[error(transparent)]
    Allocate(#[from] AllocateFailure),
    /// The server has sent us to another one (RFC 8489 §10), and that gave no relayed address.
    #[error("{server}, to which the TURN server has sent us: {why}")]
    Elsewhere {
        /// The other server.
        server: SocketAddr,
        /// Why it gave none.
        why: AllocateFailure,
    },
    /// The server does not let us talk to this peer.
    #[error("the TURN server does not relay to {peer} ({why})")]
    NotPermitted {
        /// The peer.
        peer: IpAddr,
        /// The server's words, or ours.
        why: Refusal,
    },
    /// There is no channel to this peer; data may go to it without one.
    #[error("no channel to {peer} ({why}); it can do without")]
    NoChannel {
        /// The peer.
        peer: SocketAddr,
        /// The server's words, or ours.
        why: Refusal,
    },
    /// There is no connection with this peer.
    #[error("{peer}: {why}")]
    NotConnected {
        /// The peer.
        peer: SocketAddr,
        /// Why.
        why: ConnectFailure,
    },
    /// Data cannot be sent now, or not so much of it.
    #[error(transparent)]
    Send(#[from] SendError),
    /// It does not fit into one packet to the server.
    #[error("{len} bytes do not fit into one packet to the TURN server; send fewer at a time")]
    TooBig {
        /// Bytes of data.
        len: usize,
    },
    /// The allocation is gone.
    #[error("the allocation is gone; the events tell why")]
    Ended,
}

impl TurnClient {
    /// A client of this server, to be told more before it asks.
    ///
    /// It logs in with [`Credentials`](floe_turn_client::Credentials), whose name and password are to be prepared by
    /// OpaqueString (see [`floe_stun::credentials`]), or with a token.
    pub fn builder(server: SocketAddr, identity: impl Into<Identity>) -> TurnBuilder {
        TurnBuilder {
            config: Config::new(SocketId(0), server, identity),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// What peers send to, while there is an allocation.
    #[must_use]
    pub fn relayed(&self) -> Option<SocketAddr> {
        self.shared.look(Client::relayed)
    }

    /// The IPv6 address beside an IPv4 one, where [`Wanted::Both`] was asked for and granted.
    #[must_use]
    pub fn second_relayed(&self) -> Option<SocketAddr> {
        self.shared.look(Client::second_relayed)
    }

    /// Our own address as the server saw it, while there is an allocation.
    #[must_use]
    pub fn mapped(&self) -> Option<SocketAddr> {
        self.shared.look(Client::mapped)
    }

    /// Lets data go to and come from this peer, on any port, and keeps it so (RFC 8656 §9).
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn permit(&self, peer: IpAddr) -> Result<(), TurnError> {
        let peer = peer.to_canonical();
        let permitted = self.ask(|now, client, questions| {
            client.permit(now, peer);
            (!client.is_permitted(peer)).then(|| questions.permissions.ask(peer))
        });
        permitted.await?.map_err(|why| TurnError::NotPermitted { peer, why })
    }

    /// Makes 36 bytes of overhead 4 for this peer, permits it, and keeps it so (RFC 8656 §12).
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn bind_channel(&self, peer: SocketAddr) -> Result<(), TurnError> {
        let peer = plain(peer);
        let bound = self.ask(|now, client, questions| {
            client.bind_channel(now, peer);
            let is_bound =
                client.send_plan(now, peer, 0).is_ok_and(|plan| plan.headroom() == ChannelData::HEADER_LEN);
            (!is_bound).then(|| questions.channels.ask(peer))
        });
        bound.await?.map_err(|why| TurnError::NoChannel { peer, why })
    }

    /// Connects to this peer from the relayed address, or takes its call if it has called: see
    /// [`Event::ConnectionAttempt`]. Needs an allocation of [`Wanted::Tcp`] over TCP or TLS (RFC 6062); the peer is to be
    /// [permitted](Self::permit) if it is to call.
    ///
    /// # Errors
    ///
    /// When there is no connection, which the server may say after half a minute.
    pub async fn connect(&self, peer: SocketAddr) -> Result<RawStream, TurnError> {
        let peer = plain(peer);
        let connected = self.shared.command(|now, state| {
            let mut questions = self.waiting.lock();
            let connected = (!questions.over).then(|| questions.connections.ask(peer));
            state.machine.connect(now, peer);
            connected
        });
        let connected = connected.ok_or(TurnError::Ended)?.await.map_err(|_| TurnError::Ended)?;
        connected.map_err(|why| TurnError::NotConnected { peer, why })
    }

    /// Does not take the call of this peer.
    pub fn refuse(&self, peer: SocketAddr) {
        self.shared.command(|_, state| state.machine.refuse(peer));
    }

    /// Sends one datagram to this peer, which is to be permitted. Nothing is queued here but what a stream to the server
    /// has not taken yet: a full socket makes this call wait.
    ///
    /// # Errors
    ///
    /// When it cannot be sent as things are. What the network loses is lost, as with any datagram.
    pub async fn send_to(&self, peer: SocketAddr, data: &[u8]) -> Result<(), TurnError> {
        let (plan, outlet) = self.shared.command(|now, state| {
            let plan = state.machine.send_plan(now, peer, data.len())?;
            Ok::<_, SendError>((plan, state.sockets.outlet(plan.socket())))
        })?;
        let outlet = outlet.ok_or(TurnError::Ended)?;
        let sent = outlet.send_patiently(&plan, data).await;
        sent.map_err(|_| TurnError::TooBig { len: data.len() })
    }

    /// The next datagram of a peer, and who has sent it; none once the allocation is gone for good. Cancelling loses
    /// nothing.
    pub async fn recv(&self) -> Option<(SocketAddr, Vec<u8>)> {
        self.inbox.fetch().await
    }

    /// How many datagrams of peers were lost because [`recv`](Self::recv) was not called often enough: 1 MiB of them waits,
    /// each counted with 64 bytes more than it has.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.inbox.overflows()
    }

    /// Refreshes the allocation now. [`Event::Confirmed`] says that the server still holds it; else it is lost, which is an
    /// event too.
    pub fn check(&self) {
        self.shared.command(|now, state| state.machine.check(now));
    }

    /// Whether the server has given a ticket (RFC 8016; see [`Config::mobility`]).
    #[must_use]
    pub fn has_ticket(&self) -> bool {
        self.shared.look(Client::has_ticket)
    }

    /// Goes to another socket, or another stream to the server: the one before may be of an address that this machine no
    /// longer has. With a ticket of the server the allocation comes along, which [`Event::Moved`] tells (RFC 8016; see
    /// [`Config::mobility`]); else it is asked for anew.
    ///
    /// # Errors
    ///
    /// When this machine gives no socket, or the server cannot be reached; then all stays as it was.
    pub async fn rebind(&self) -> Result<(), TurnError> {
        let (server, transport, server_name) = self.shared.look(|client| {
            (client.server(), client.transport(), client.server_name().map(ToOwned::to_owned))
        });
        if transport == Transport::Udp {
            return self.shared.command(|now, state| {
                let id = open_socket(&mut state.sockets, server)?;
                change_over(now, state, id);
                Ok(())
            });
        }
        let tls = self.shared.look_at_sockets(|sockets| sockets.tls.clone());
        let opened = Target { to: server, transport, server_name }.open(tls).await?;
        self.shared.command(|now, state| {
            let id = state.sockets.add_stream(opened).id();
            change_over(now, state, id);
        });
        Ok(())
    }

    /// Gives the allocation back and waits until the server has confirmed that, though not for one that does not answer.
    pub async fn release(&self) {
        self.begin_release();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    fn begin_release(&self) {
        self.shared.command(|now, state| state.machine.release(now));
        self.shared.end(RELEASE_PATIENCE);
    }

    /// Asks for something and waits for what becomes of it, unless it is there already.
    async fn ask(
        &self,
        question: impl FnOnce(Instant, &mut Client, &mut Questions) -> Option<oneshot::Receiver<Granted>>,
    ) -> Result<Granted, TurnError> {
        let asked = self.shared.command(|now, state| {
            let mut questions = self.waiting.lock();
            (!questions.over).then(|| question(now, &mut state.machine, &mut questions))
        });
        match asked.ok_or(TurnError::Ended)? {
            Some(answer) => answer.await.map_err(|_| TurnError::Ended),
            None => Ok(Ok(())),
        }
    }
}

impl Drop for TurnClient {
    fn drop(&mut self) {
        self.begin_release();
    }
}

/// The settings of a [`TurnClient`] that has not asked yet.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before it allocates"]
pub struct TurnBuilder {
    config: Config,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl TurnBuilder {
    /// Asks over this transport: UDP, which it does by default, TCP or TLS.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.config = self.config.over(transport);
        self
    }

    /// The name that the server's certificate must carry; without, it is the server's address.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.config.server_name = Some(name.into());
        self
    }

    /// Trusts these authorities instead of those that the system trusts.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Asks for this relayed address, or these two; for one of IPv4 by default.
    pub fn wanted(mut self, wanted: Wanted) -> Self {
        self.config.wanted = wanted;
        self
    }

    /// Changes what has no method here: the schedule, mobility, the lifetime and more. Socket, server and transport are not
    /// to be changed so.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Opens a socket or stream to the server and asks it for an allocation. Needs a tokio runtime around it.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or does not grant it.
    pub async fn allocate(self) -> Result<(TurnClient, TurnEvents), TurnError> {
        let mut config = self.config;
        let mut sockets = Sockets::default();
        #[cfg(feature = "tls")]
        {
            sockets.tls = self.tls;
        }
        config.socket = open(&mut sockets, &config).await?;
        let clock = Clock::start();
        let client = Client::new(clock.now(), config, entropy::seed()?);
        let shared = Shared::new(client, sockets, clock);
        let (events, mut events_out) = mpsc::channel(KEPT_EVENTS);
        let (inbox, inbox_out) = inbox::inbox();
        let (ending, ended) = watch::channel(());
        let (granting, granted) = oneshot::channel();
        let waiting = Waiting::default();
        waiting.lock().allocation = Some(granting);
        let host = Host { events, inbox: Some(inbox), waiting: waiting.clone(), _ending: ending };
        tokio::spawn(Driver::new(Arc::clone(&shared), host).run());
        let client = TurnClient { shared, waiting, inbox: inbox_out, ended };
        match granted.await {
            Ok(Ok(())) => Ok((client, TurnEvents(events_out))),
            Ok(Err(why)) => Err(match sent_to(&mut events_out) {
                Some(server) => TurnError::Elsewhere { server, why },
                None => why.into(),
            }),
            Err(_) => Err(TurnError::Ended),
        }
    }
}

/// The server that we were sent to last.
fn sent_to(events: &mut mpsc::Receiver<Event>) -> Option<SocketAddr> {
    let told = std::iter::from_fn(|| events.try_recv().ok());
    told.filter_map(|event| match event {
        Event::Redirected { to } => Some(to),
        _ => None,
    })
    .last()
}

async fn open(sockets: &mut Sockets, config: &Config) -> Result<SocketId, TurnError> {
    let Config { server, transport, server_name, .. } = config;
    if *transport == Transport::Udp {
        return open_socket(sockets, *server);
    }
    let target = Target { to: *server, transport: *transport, server_name: server_name.clone() };
    let opened = target.open(sockets.tls.clone()).await?;
    Ok(sockets.add_stream(opened).id())
}

fn open_socket(sockets: &mut Sockets, server: SocketAddr) -> Result<SocketId, TurnError> {
    let source = source_towards(server).map_err(|why| TurnError::NoRoute { server, why })?;
    let address = SocketAddr::new(source, 0);
    let socket = sockets.bind(address).map_err(|why| BindError::Socket { address, why })?;
    Ok(socket.id())
}

/// What comes on the socket before is for nobody any more.
fn change_over(now: Instant, state: &mut State<Client>, to: SocketId) {
    let before = state.machine.socket();
    state.machine.move_to(now, to);
    state.sockets.close(before);
}

/// What a [`TurnClient`] reports, in order: what becomes of the allocation and of its peers.
///
/// Nothing waits for them to be received. 1024 are kept, and those that come on top of them are lost.
#[derive(Debug)]
pub struct TurnEvents(mpsc::Receiver<Event>);

impl TurnEvents {
    /// The next event; none once the client is gone. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// Calls that wait for what the server says.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<Questions>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Questions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Granted = Result<(), Refusal>;

#[derive(Debug, Default)]
struct Questions {
    allocation: Option<oneshot::Sender<Result<(), AllocateFailure>>>,
    permissions: Asked<IpAddr, Granted>,
    channels: Asked<SocketAddr, Granted>,
    connections: Asked<SocketAddr, Result<RawStream, ConnectFailure>>,
    /// No answer will come any more.
    over: bool,
}

impl Questions {
    fn end(&mut self) {
        *self = Self { over: true, ..Self::default() };
    }
}

/// Those who wait for one kind of answer, the first first.
#[derive(Debug)]
struct Asked<K, A>(Vec<(K, oneshot::Sender<A>)>);

impl<K, A> Default for Asked<K, A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, A> Asked<K, A> {
    fn ask(&mut self, peer: K) -> oneshot::Receiver<A> {
        let (asking, answer) = oneshot::channel();
        self.0.retain(|(_, waiting)| !waiting.is_closed());
        self.0.push((peer, asking));
        answer
    }

    fn take(&mut self, whom: impl Fn(&K) -> bool) -> impl Iterator<Item = oneshot::Sender<A>> {
        self.0.extract_if(.., move |(asked, _)| whom(asked)).map(|(_, waiting)| waiting)
    }

    /// The same for all who wait for this peer.
    fn answer(&mut self, peer: &K, answer: &A)
    where
        A: Clone,
    {
        self.answer_all(|asked| asked == peer, answer);
    }

    /// The same for all who wait for one of these.
    fn answer_all(&mut self, whom: impl Fn(&K) -> bool, answer: &A)
    where
        A: Clone,
    {
        self.take(whom).for_each(|waiting| drop(waiting.send(answer.clone())));
    }
}

/// Where the driver puts what the client gives.
struct Host {
    events: mpsc::Sender<Event>,
    /// None once nothing can come any more.
    inbox: Option<Inbox<SocketAddr>>,
    waiting: Waiting,
    _ending: watch::Sender<()>,
}

impl App<Client> for Host {
    fn on_event(&mut self, sockets: &mut Sockets, event: Event) {
        let mut waiting = self.waiting.lock();
        match &event {
            Event::Allocated { .. } => {
                if let Some(granting) = waiting.allocation.take() {
                    let _ = granting.send(Ok(()));
                }
            }
            Event::Permitted { peer } => waiting.permissions.answer(peer, &Ok(())),
            // Its channels go with it, without another word.
            Event::NotPermitted { peer, why } => {
                waiting.permissions.answer(peer, &Err(why.clone()));
                waiting.channels.answer_all(|asked| asked.ip() == *peer, &Err(why.clone()));
            }
            Event::ChannelBound { peer, .. } => waiting.channels.answer(peer, &Ok(())),
            Event::ChannelRefused { peer, why } => waiting.channels.answer(peer, &Err(why.clone())),
            Event::Connected { peer, stream } => {
                let mut stream = sockets.take_stream(*stream).ok_or(ConnectFailure::Closed);
                for first in waiting.connections.take(|asked| asked == peer) {
                    // There is one stream. Where nobody waits any more it ends here.
                    let next = Err(ConnectFailure::Interrupted);
                    let _ = first.send(std::mem::replace(&mut stream, next));
                }
            }
            Event::NotConnected { peer, why } => {
                for asking in waiting.connections.take(|asked| asked == peer) {
                    let _ = asking.send(Err(why.clone()));
                }
            }
            Event::Failed(why) => {
                if let Some(granting) = waiting.allocation.take() {
                    let _ = granting.send(Err(why.clone()));
                }
                waiting.end();
                self.inbox = None;
            }
            Event::Lost(_) | Event::Released => {
                waiting.end();
                self.inbox = None;
            }
            _ => {}
        }
        drop(waiting);
        let _ = self.events.try_send(event);
    }

    fn on_data(&mut self, _: &Sockets, PeerData { peer, data, .. }: PeerData<'_>) {
        if let Some(inbox) = &self.inbox {
            inbox.put(peer, data);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.waiting.lock().end();
    }
}

/// One form for one address, as the client has it.
const fn plain(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// Events that nobody has fetched yet.
const KEPT_EVENTS: usize = 1024;

/// How long the server may take to confirm; the allocation would expire by itself in any case.
const RELEASE_PATIENCE: Duration = Duration::from_secs(1);
