//! An ICE agent with sockets: the async handle and its events.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use floe_ice_agent::{
    ApiMisuse, ComponentId, Config, ConnectionState, Credentials, Data, Event, GatheringState, IceAgent,
    Role, SelectedPair, Server, Stats, StreamId, Taken, TransportPolicy,
};
use floe_sdp::{CandidateLine, ParseError};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::connect::ConnectError;
use crate::driver::{App, Driver, Shared};
use crate::entropy;
use crate::error::{BindError, SendError};
use crate::inbox::{self, Inbox, Outbox};
use crate::interfaces;
use crate::sockets::Sockets;
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// One side of a connection. All calls take `&self`, so an [`Arc`] of it serves many tasks.
///
/// What happens is told by the [`Events`] that came with it; what the peer sends comes by [`recv`](Self::recv).
/// Dropping the endpoint closes it politely in the background, [`close`](Self::close) waits for that.
#[derive(Debug)]
pub struct Endpoint {
    shared: Arc<Shared<IceAgent>>,
    inbox: Outbox<()>,
    /// Its other half is dropped when the driver has ended.
    ended: watch::Receiver<()>,
}

impl Endpoint {
    /// An endpoint in this role, to be given servers and more before it is bound.
    pub fn builder(role: Role) -> Builder {
        Builder {
            config: Config::new(role),
            addresses: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// User name fragment and password, to be signalled to the peer.
    #[must_use]
    pub fn local_credentials(&self) -> Credentials {
        self.shared.look(|agent| agent.local_credentials().clone())
    }

    /// Takes the peer's user name fragment and password, and whether it is a lite agent.
    ///
    /// # Errors
    ///
    /// When they are not what the grammar allows, or change without a restart.
    pub fn set_remote(&self, credentials: Credentials, lite: bool) -> Result<(), ApiMisuse> {
        self.shared.command(|now, state| state.machine.set_remote_credentials(now, credentials, lite))
    }

    /// Takes a candidate of the peer as it was signalled, `candidate:…`, with or without `a=`. It may come before the
    /// credentials; then it waits.
    ///
    /// # Errors
    ///
    /// When the text is no candidate line. A candidate that is of no use is no error but [`Taken::Ignored`].
    pub fn add_remote_candidate(&self, line: &str) -> Result<Taken, ParseError> {
        let line = CandidateLine::parse(line)?;
        Ok(self.shared.command(|now, state| state.machine.add_remote_candidate(now, StreamId(0), &line)))
    }

    /// The peer has no more candidates.
    pub fn end_of_candidates(&self) {
        self.shared.command(|now, state| state.machine.end_of_remote_candidates(now));
    }

    /// Begins an ICE restart and gives the new credentials, to be signalled. The old path carries data meanwhile.
    ///
    /// # Errors
    ///
    /// When the agent is closed.
    pub fn restart(&self) -> Result<Credentials, ApiMisuse> {
        self.shared.command(|now, state| state.machine.restart(now).cloned())
    }

    /// Sends one datagram to the peer. Nothing is queued here: a full socket makes this call wait.
    ///
    /// The bytes are not copied; a relay's header goes out from a buffer of its own. Data that the network loses is
    /// lost, as with any datagram.
    ///
    /// # Errors
    ///
    /// When there is no path, or the data does not fit into one packet of it.
    pub async fn send(&self, data: &[u8]) -> Result<(), SendError> {
        let (plan, outlet) = self.shared.command(|now, state| {
            let plan = state.machine.send_plan(now, ComponentId::FIRST, data.len())?;
            Ok::<_, SendError>((plan, state.sockets.outlet(plan.socket())))
        })?;
        let Some(outlet) = outlet else { return Err(floe_ice_agent::SendError::NotConnected.into()) };
        let sent = outlet.send_patiently(&plan, data).await;
        sent.map_err(|_| SendError::TooBig { len: data.len() })
    }

    /// The next datagram from the peer; none once the endpoint is closed. Cancelling loses nothing.
    ///
    /// 4096 datagrams wait here; those that come on top of them are lost and counted by
    /// [`overflows`](Self::overflows).
    pub async fn recv(&self) -> Option<Vec<u8>> {
        self.inbox.fetch().await.map(|((), datagram)| datagram)
    }

    /// How many datagrams of the peer were lost because [`recv`](Self::recv) was not called often enough: 1 MiB of them
    /// waits, each counted with 64 bytes more than it has.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.inbox.overflows()
    }

    /// The role at the moment; a conflict may have changed it.
    #[must_use]
    pub fn role(&self) -> Role {
        self.shared.look(IceAgent::role)
    }

    /// The state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.shared.look(IceAgent::state)
    }

    /// The state of gathering.
    #[must_use]
    pub fn gathering_state(&self) -> GatheringState {
        self.shared.look(IceAgent::gathering_state)
    }

    /// The pair that was nominated, once there is one: from [`ConnectionState::Completed`] on.
    ///
    /// Data flows from [`ConnectionState::Connected`] on, over [`Self::current_pair`], which may not be nominated yet.
    #[must_use]
    pub fn selected_pair(&self) -> Option<SelectedPair> {
        self.shared.look(|agent| agent.selected_pair(ComponentId::FIRST))
    }

    /// The pair that carries data at the moment: the nominated one, or before that the best that works.
    #[must_use]
    pub fn current_pair(&self) -> Option<SelectedPair> {
        self.shared.look(|agent| agent.current_pair(ComponentId::FIRST))
    }

    /// Everything there is to count.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.look(IceAgent::stats)
    }

    /// Why connections to servers over TCP or TLS could not be opened, in words: the last 16. What an event tells of them is
    /// one of few reasons, which leaves out what is wrong with a certificate.
    #[must_use]
    pub fn connect_errors(&self) -> Vec<ConnectError> {
        self.shared.look_at_sockets(|sockets| sockets.failures().cloned().collect())
    }

    /// Closes and waits until relays are given back, though not for relays that do not answer.
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

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.begin_close();
    }
}

/// What an [`Endpoint`] reports, in order.
///
/// Nothing waits for them to be received: the connection goes on whether they are or not. They are queued without a
/// bound, though there are few: some for each candidate, server and change of state. Receive them for as long as you
/// keep this, or drop it, which silences the endpoint and changes nothing else.
#[derive(Debug)]
pub struct Events(mpsc::UnboundedReceiver<Event>);

impl Events {
    /// The next event; none once the endpoint is closed. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// The next event if there is one already.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }
}

impl futures_core::Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(cx)
    }
}

/// The settings of an [`Endpoint`] that is not bound yet.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before it is bound"]
pub struct Builder {
    config: Config,
    addresses: Option<Vec<IpAddr>>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Builder {
    /// Asks this STUN or TURN server as well.
    pub fn server(mut self, server: Server) -> Self {
        self.config.servers.push(server);
        self
    }

    /// Asks these servers as well.
    pub fn servers(mut self, servers: impl IntoIterator<Item = Server>) -> Self {
        self.config.servers.extend(servers);
        self
    }

    /// Uses all candidates, or relayed ones only.
    pub fn policy(mut self, policy: TransportPolicy) -> Self {
        self.config.policy = policy;
        self
    }

    /// Uses the addresses of loopback interfaces as well, or not: for tests and demos.
    ///
    /// With `false` after [`addresses`](Self::addresses), a loopback address among these makes [`bind`](Self::bind) fail.
    pub fn loopback(mut self, allowed: bool) -> Self {
        self.config.loopback = allowed;
        self
    }

    /// Is a lite agent (RFC 8445 §2.5).
    pub fn lite(mut self, lite: bool) -> Self {
        self.config.lite = lite;
        self
    }

    /// Uses exactly these addresses instead of those of all interfaces, the preferred ones first.
    ///
    /// A loopback address among them allows [`loopback`](Self::loopback) too.
    pub fn addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let addresses: Vec<_> = addresses.into_iter().collect();
        self.config.loopback |= addresses.iter().any(IpAddr::is_loopback);
        self.addresses = Some(addresses);
        self
    }

    /// Trusts these authorities when a server is asked over TLS, instead of those that the system trusts.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Replaces all settings of the agent: role, servers, policy, lite, loopback and all that has no method here. What
    /// was set by other methods before is lost, but for [`addresses`](Self::addresses) and whom TLS trusts; what follows changes this.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Binds a socket to each address and begins to gather. Needs a tokio runtime around it.
    ///
    /// # Errors
    ///
    /// When this machine has no address to bind, or refuses every one of them.
    #[expect(clippy::unused_async, reason = "binding will wait for the system once interfaces are watched")]
    pub async fn bind(self) -> Result<(Endpoint, Events), BindError> {
        let addresses = match self.addresses {
            Some(addresses) => addresses,
            None => {
                interfaces::addresses(self.config.loopback).map_err(|why| BindError::Interfaces { why })?
            }
        };
        #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "TLS alone is set here"))]
        let mut sockets = bind_each(&addresses)?;
        #[cfg(feature = "tls")]
        {
            sockets.tls = self.tls;
        }
        let clock = Clock::start();
        let now = clock.now();
        let mut agent = IceAgent::new(now, self.config, entropy::seed()?);
        for socket in sockets.iter() {
            agent.add_socket(now, ComponentId::FIRST, socket.id(), socket.local())?;
        }
        agent.gather(now);
        Ok(Endpoint::spawn(Shared::new(agent, sockets, clock)))
    }
}

/// One socket for each address. An address that has just gone is passed over, as long as another is left.
fn bind_each(addresses: &[IpAddr]) -> Result<Sockets, BindError> {
    let (mut sockets, mut refused) = (Sockets::default(), BindError::NoAddress);
    for ip in addresses {
        let address = SocketAddr::new(*ip, 0);
        if let Err(why) = sockets.bind(address) {
            refused = BindError::Socket { address, why };
        }
    }
    if sockets.iter().next().is_some() { Ok(sockets) } else { Err(refused) }
}

impl Endpoint {
    fn spawn(shared: Arc<Shared<IceAgent>>) -> (Self, Events) {
        let (events, events_out) = mpsc::unbounded_channel();
        let (inbox, inbox_out) = inbox::inbox();
        let (ending, ended) = watch::channel(());
        let app = Outlets { events, inbox, _ending: ending };
        tokio::spawn(Driver::new(Arc::clone(&shared), app).run());
        let endpoint = Self { shared, inbox: inbox_out, ended };
        (endpoint, Events(events_out))
    }
}

/// Where the driver puts what the agent gives.
struct Outlets {
    events: mpsc::UnboundedSender<Event>,
    inbox: Inbox<()>,
    _ending: watch::Sender<()>,
}

impl App<IceAgent> for Outlets {
    fn on_event(&mut self, _: &mut Sockets, event: Event) {
        // Nobody listens if the events were dropped, which is their owner's right.
        let _ = self.events.send(event);
    }

    fn on_data(&mut self, _: &Sockets, data: Data<'_>) {
        self.inbox.put((), data.bytes);
    }
}

/// How long a relay may take to confirm that it is given back; it would expire by itself in any case.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
