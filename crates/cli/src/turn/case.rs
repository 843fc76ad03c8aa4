//! One case: an allocation on one way, all that is tried with it, and its end.
//!
//! ```text
//!   allocate ─ peer ─ permission ─ send ─ channel ─ data ─ socket ─ flow ─ move ─ refresh ─ delete ─ tcp
//! ```
//!
//! What fails is told, and what does not depend on it is tried all the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_stun::attribute::Family;
use floe_stun::{Instant, Schedule, Transport};
use floe_tokio::{Clock, TurnBuilder, TurnClient, TurnError, TurnEvents};
use floe_turn_client::{AllocateFailure, Event, LostReason, Wanted};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::echo::Echo;
use super::flow::{Meter, Next};
use super::journal::Journal;
use super::peer::{Peer, echo_of_client, reachable};
use super::plan::{Relay, Way};
use super::step::{Found, Granted, Step, Trouble};
use super::{Setup, tcp};
use crate::failure::Failure;

/// A way and what is asked for on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'t> {
    pub(crate) setup: &'t Setup,
    pub(crate) way: &'t Way,
    pub(crate) server: SocketAddr,
    pub(crate) relay: Relay,
}

/// An allocation with what it reports.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) client: Arc<TurnClient>,
    pub(crate) events: TurnEvents,
}

impl Held {
    /// The next event that is wanted; none if the allocation is gone or it takes too long.
    pub(crate) async fn event<T>(&mut self, wanted: impl Fn(Event) -> Option<T>) -> Option<T> {
        let wait = async {
            loop {
                let event = self.events.recv().await?;
                if let Some(found) = wanted(event) {
                    return Some(found);
                }
            }
        };
        timeout(PATIENCE, wait).await.ok().flatten()
    }
}

impl Case<'_> {
    /// Tries all of it.
    pub(crate) async fn run(self, journal: &mut Journal<'_>) -> Result<(), Failure> {
        let Some(mut ours) = self.allocate(journal).await? else { return Ok(()) };
        let second = self.second(journal).await?;
        let mut main = None;
        for relayed in relays(&ours.client) {
            main = self.relay(relayed, &ours.client, second.as_ref(), journal).await?.or(main);
        }
        if let Some(peer) = &main {
            self.flow(&ours.client, peer, journal).await?;
            self.go_elsewhere(&mut ours, peer, journal).await?;
        }
        // A move may have lost it.
        if ours.client.relayed().is_some() {
            refresh(&mut ours, journal).await?;
            delete(ours, journal).await?;
        }
        if let Some(second) = second {
            second.release().await;
        }
        self.tcp(journal).await
    }

    /// A client for this way that has not asked yet.
    pub(crate) fn client(&self, wanted: Wanted) -> TurnBuilder {
        let builder = TurnClient::builder(self.server, self.setup.credentials.clone())
            .transport(self.way.transport)
            .wanted(wanted)
            .configure(|config| {
                config.mobility = true;
                config.again = false;
                config.schedule =
                    if self.way.transport.is_stream() { STREAM_SCHEDULE } else { DATAGRAM_SCHEDULE };
            });
        let builder = match self.way.server_name() {
            Some(name) => builder.server_name(name),
            None => builder,
        };
        match &self.setup.tls {
            Some(tls) => builder.tls(tls.clone()),
            None => builder,
        }
    }

    async fn allocate(&self, journal: &mut Journal<'_>) -> Result<Option<Held>, Failure> {
        journal.start();
        let (client, events) = match self.client(self.relay.wanted()).allocate().await {
            Ok(allocated) => allocated,
            Err(why) => {
                let trouble = self.trouble(why);
                journal.ending.hopeless = trouble.is_of_the_way();
                journal.note(Step::Allocate, None, Err(trouble))?;
                return Ok(None);
            }
        };
        let mut held = Held { client: Arc::new(client), events };
        let granted = granted(&mut held, self.relay).await;
        journal.ending.allocated = granted.is_ok();
        let ok = journal.note(Step::Allocate, None, granted.map(Found::Allocation))?;
        if !ok {
            held.client.release().await;
        }
        Ok(ok.then_some(held))
    }

    /// The library's sentence about silence is one about UDP, and it does not know that TLS has not been tried.
    fn trouble(&self, why: TurnError) -> Trouble {
        let (TurnError::Allocate(failure) | TurnError::Elsewhere { why: failure, .. }) = &why else {
            return why.into();
        };
        let transport = self.way.transport;
        let trouble = match failure {
            AllocateFailure::TimedOut if transport.is_stream() => Trouble::new(MUTE_STREAM),
            AllocateFailure::SocketClosed if transport == Transport::Tcp => {
                Trouble::new(format!("{failure}; {PERHAPS_TLS}"))
            }
            _ => return why.into(),
        };
        match why {
            TurnError::Elsewhere { server, .. } => trouble.within(&format!("{server}, {SENT_TO}")),
            _ => trouble,
        }
    }

    /// The allocation that is to be the peer, unless the user has named one.
    async fn second(&self, journal: &mut Journal<'_>) -> Result<Option<Second>, Failure> {
        if self.setup.peer.is_some() {
            return Ok(None);
        }
        journal.start();
        match self.client(self.relay.wanted()).allocate().await {
            Ok((client, _)) => {
                let second = Second::new(client);
                journal.note(Step::Peer, second.client.relayed(), Ok(Found::Nothing))?;
                Ok(Some(second))
            }
            Err(why) => {
                let trouble = Trouble::from(why).within("no second allocation to be our own peer");
                journal.note(Step::Peer, None, Err(trouble))?;
                Ok(None)
            }
        }
    }

    /// Tries what one relayed address can do; gives the peer that heard us.
    async fn relay(
        &self,
        relayed: SocketAddr,
        client: &TurnClient,
        second: Option<&Second>,
        journal: &mut Journal<'_>,
    ) -> Result<Option<Peer>, Failure> {
        let mut main = None;
        for peer in self.peers(relayed, client, second).await {
            let is_heard = match main {
                None if permit(client, &peer, relayed, journal).await? => {
                    talk(client, &peer, relayed, journal).await?
                }
                // The socket of this machine, once more than is needed.
                Some(_) => aside(client, &peer, journal).await?,
                None => false,
            };
            if is_heard && main.is_none() {
                main = Some(peer);
            }
        }
        journal.ending.carried |= main.is_some();
        Ok(main)
    }

    /// Whom to talk to: the user's echo server, or our second allocation and a socket of this machine.
    async fn peers(&self, relayed: SocketAddr, client: &TurnClient, second: Option<&Second>) -> Vec<Peer> {
        let family = Family::of(relayed.ip());
        if let Some(named) = self.setup.peer {
            // One that is not of this family is a failure where there is no other.
            let fits = Family::of(named.ip()) == family || self.relay != Relay::Both;
            return fits.then(|| Peer::named(named)).into_iter().collect();
        }
        let theirs = second.and_then(|second| {
            let address = relays(&second.client).find(|theirs| Family::of(theirs.ip()) == family)?;
            Some(Peer::relayed(address, Arc::clone(&second.client)))
        });
        let socket = match reachable(client, family) {
            Some(ip) => Peer::socket(ip).await,
            None => None,
        };
        theirs.into_iter().chain(socket).collect()
    }

    /// As much as is wanted, which tells rate, losses and times. Both families in one allocation are as fast as each.
    async fn flow(&self, client: &TurnClient, peer: &Peer, journal: &mut Journal<'_>) -> Result<(), Failure> {
        let pace = self.setup.pace;
        if pace.time.is_zero() || self.relay == Relay::Both {
            return Ok(());
        }
        journal.start();
        let (clock, mut meter) = (Clock::start(), Meter::new(pace));
        let elapsed = || clock.now() - Instant::ORIGIN;
        loop {
            let pause = match meter.next(elapsed()) {
                Next::Send(datagram) => {
                    // What cannot be sent is lost.
                    let _ = client.send_to(peer.address, &datagram).await;
                    yield_now().await;
                    Duration::ZERO
                }
                Next::Wait(until) => until.saturating_sub(elapsed()),
                Next::Done => break,
            };
            tokio::select! {
                biased;
                Some((from, datagram)) = client.recv() => {
                    if from == peer.address {
                        meter.handle(elapsed(), &datagram);
                    }
                }
                () = pass(pause) => {}
            }
        }
        let flow = meter.finish();
        let result = if flow.back > 0 { Ok(Found::Flow(flow)) } else { Err(Trouble::new(TOO_FAST)) };
        journal.note(Step::Flow, Some(peer.address), result)?;
        Ok(())
    }

    /// To another socket, where that is wanted: the peer must hear us still.
    async fn go_elsewhere(
        &self,
        ours: &mut Held,
        peer: &Peer,
        journal: &mut Journal<'_>,
    ) -> Result<(), Failure> {
        if self.setup.mobility {
            journal.start();
            let result = go_elsewhere(ours, peer).await;
            journal.note(Step::Move, Some(peer.address), result)?;
        }
        Ok(())
    }

    /// Streams through the relay, which only a server that is reached by a stream gives.
    async fn tcp(&self, journal: &mut Journal<'_>) -> Result<(), Failure> {
        let Relay::One(family) = self.relay else { return Ok(()) };
        if !self.way.transport.is_stream() {
            return Ok(());
        }
        journal.start();
        let (peer, result) = match timeout(PATIENCE, tcp::try_out(self, family)).await {
            Ok(Ok(peer)) => (Some(peer), Ok(Found::Nothing)),
            Ok(Err(trouble)) => (None, Err(trouble)),
            Err(_) => (None, Err(Trouble::new(NO_CONNECTION))),
        };
        journal.note(Step::Tcp, peer, result)?;
        Ok(())
    }
}

/// The allocation that is the peer of the other, with its echo.
struct Second {
    client: Arc<TurnClient>,
    echo: JoinSet<()>,
}

impl Second {
    fn new(client: TurnClient) -> Self {
        let (client, mut echo) = (Arc::new(client), JoinSet::new());
        echo.spawn(echo_of_client(Arc::clone(&client)));
        Self { client, echo }
    }

    async fn release(mut self) {
        self.client.release().await;
        self.echo.shutdown().await;
    }
}

/// What the first event says, if the allocation is what was asked for.
async fn granted(held: &mut Held, relay: Relay) -> Result<Granted, Trouble> {
    let ticket = held.client.has_ticket();
    let mut redirected = None;
    loop {
        match held.event(Some).await {
            Some(Event::Redirected { to }) => redirected = Some(to),
            Some(Event::Allocated { second: None, missing, .. }) if relay == Relay::Both => {
                return Err(match missing {
                    Some((family, why)) => {
                        let text = format!("the TURN server gave one address and no {family:?} one ({why})");
                        Trouble::refused(&why, format!("{text}; two allocations may do"))
                    }
                    None => Trouble::new(ONE_ADDRESS),
                });
            }
            Some(Event::Allocated { relayed, second, mapped, lifetime, .. }) => {
                let relayed = [Some(relayed), second].into_iter().flatten().collect();
                return Ok(Granted { relayed, mapped, lifetime, ticket, redirected });
            }
            Some(_) => {}
            None => return Err(Trouble::new("the allocation was lost at once; try again")),
        }
    }
}

fn relays(client: &TurnClient) -> impl Iterator<Item = SocketAddr> + use<> {
    [client.relayed(), client.second_relayed()].into_iter().flatten()
}

async fn permit(
    client: &TurnClient,
    peer: &Peer,
    relayed: SocketAddr,
    journal: &mut Journal<'_>,
) -> Result<bool, Failure> {
    journal.start();
    let permitted = match client.permit(peer.address.ip()).await {
        Ok(()) => peer.welcome(relayed).await,
        Err(why) => Err(why.into()),
    };
    journal.note(Step::Permission, Some(peer.address), permitted.map(|()| Found::Nothing))
}

/// By indications, and then by a channel; whether the peer heard us either way.
async fn talk(
    client: &TurnClient,
    peer: &Peer,
    relayed: SocketAddr,
    journal: &mut Journal<'_>,
) -> Result<bool, Failure> {
    let mut is_heard = echo(Step::Send, client, peer, journal).await?;
    journal.start();
    let bound = client.bind_channel(peer.address).await;
    let bound = bound.map(|()| Found::Nothing).map_err(Trouble::from);
    if journal.note(Step::Channel, Some(peer.address), bound)? {
        peer.bind_channel(relayed).await;
        is_heard |= echo(Step::Data, client, peer, journal).await?;
    }
    Ok(is_heard)
}

/// What a socket of this machine sees.
async fn aside(client: &TurnClient, peer: &Peer, journal: &mut Journal<'_>) -> Result<bool, Failure> {
    journal.start();
    if let Err(why) = client.permit(peer.address.ip()).await {
        return journal.note(Step::Socket, Some(peer.address), Err(why.into()));
    }
    echo(Step::Socket, client, peer, journal).await
}

/// Datagrams there and back; whether any came back.
async fn echo(
    step: Step,
    client: &TurnClient,
    peer: &Peer,
    journal: &mut Journal<'_>,
) -> Result<bool, Failure> {
    journal.start();
    let echo = Echo::of(client, peer.address).await;
    journal.note(step, Some(peer.address), echo.result(peer.silence()))?;
    Ok(echo.rtt.is_some())
}

async fn go_elsewhere(ours: &mut Held, peer: &Peer) -> Result<Found, Trouble> {
    if !ours.client.has_ticket() {
        return Err(Trouble::new(NO_TICKET));
    }
    ours.client.rebind().await?;
    let moved = ours.event(|event| match event {
        Event::Moved => Some(Ok(())),
        Event::Lost(LostReason::SocketClosed) => Some(Err(Trouble::new(LEFT_WITH_STREAM))),
        Event::Lost(why) => Some(Err(Trouble::from(why))),
        _ => None,
    });
    moved.await.unwrap_or_else(|| Err(Trouble::new(SILENT))).map_err(|why| why.within(NOT_MOVED))?;
    let echo = Echo::of(&ours.client, peer.address).await;
    echo.result(peer.silence()).map_err(|why| why.within("after the move"))
}

async fn refresh(ours: &mut Held, journal: &mut Journal<'_>) -> Result<(), Failure> {
    journal.start();
    ours.client.check();
    let confirmed = ours.event(|event| match event {
        Event::Confirmed { lifetime } => Some(Ok(Found::Lifetime(lifetime))),
        Event::Lost(why) => Some(Err(why.into())),
        _ => None,
    });
    let result = confirmed.await.unwrap_or_else(|| Err(Trouble::new(SILENT)));
    journal.note(Step::Refresh, None, result)?;
    Ok(())
}

async fn delete(ours: Held, journal: &mut Journal<'_>) -> Result<(), Failure> {
    let Held { client, mut events } = ours;
    journal.start();
    client.release().await;
    let mut result = Err(Trouble::new(NOT_DELETED));
    while let Some(event) = events.recv().await {
        if event == Event::Released {
            result = Ok(Found::Nothing);
        }
    }
    journal.note(Step::Delete, None, result)?;
    Ok(())
}

/// Lets so much time pass, or none at all.
async fn pass(pause: Duration) {
    if !pause.is_zero() {
        sleep(pause).await;
    }
}

/// How long the server may take for what it has to do.
const PATIENCE: Duration = Duration::from_secs(12);

/// A person waits for this: 5.5 s instead of the 39.5 s of RFC 8489 §6.2.1.
const DATAGRAM_SCHEDULE: Schedule = Schedule::DEFAULT.with_sends(4).with_last_wait(4);

const STREAM_SCHEDULE: Schedule = Schedule::STREAM.with_rto(Duration::from_secs(10));

const MUTE_STREAM: &str = "the connection is there, and nobody answers on it within 10 s: it may be no TURN server, or one \
                           that expects TLS; check the port, or use turns:";
const PERHAPS_TLS: &str = "if this port speaks TLS, use turns:";
const SENT_TO: &str = "to which the TURN server has sent us";
const TOO_FAST: &str = "nothing came back at this rate, and single datagrams did: the server or the network stops what is \
                        too much; ask for a lower --rate";
const ONE_ADDRESS: &str = "the TURN server gave one address and said nothing of the other: it does not give both in one \
                           allocation (ADDITIONAL-ADDRESS-FAMILY); make two";
const NO_TICKET: &str = "the TURN server gave no ticket: it does not let clients move (RFC 8016); allow it there. floe serve \
                         does unless it has --no-mobility or several --workers";
const LEFT_WITH_STREAM: &str = "this server ends an allocation together with the stream that it was made over, so that none \
                                moves over TCP or TLS; over UDP they may";
const NOT_MOVED: &str =
    "the TURN server had given a ticket, and the allocation did not come along all the same";
const NO_CONNECTION: &str = "no connection through the relay within 12 s; look whether the server relays TCP";
const SILENT: &str = "the TURN server did not answer; check the network, then try again";
const NOT_DELETED: &str =
    "the TURN server did not confirm that it has deleted the allocation, which expires by itself; try again";
