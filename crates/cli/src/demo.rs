//! `floe demo`: a server and two agents on loopback sockets find each other, first directly, then through the relay.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_ice_agent::{ConnectionState, Event, GatheringState, Role, Server, TransportPolicy};
use floe_stun::{Instant, Uri};
use floe_tokio::{Clock, Endpoint, Events, TurnServer};
use floe_turn_server::{Config, PeerPolicy};

use crate::contract;
use crate::echo::{self, Pinger, Pong, Step};
use crate::failure::Failure;
use crate::print::demo::Printer;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// All candidates; host to host wins.
    Direct,
    /// Relayed candidates only.
    Relayed,
}

impl Act {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Direct => 1,
            Self::Relayed => 2,
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Direct => "all candidates, and the best pair wins",
            Self::Relayed => "no way but the relay",
        }
    }

    pub(crate) const fn policy_word(self) -> &'static str {
        match self {
            Self::Direct => "all",
            Self::Relayed => "relay",
        }
    }

    const fn policy(self) -> TransportPolicy {
        match self {
            Self::Direct => TransportPolicy::All,
            Self::Relayed => TransportPolicy::Relay,
        }
    }
}

/// One of the two agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Offer,
    Answer,
}

impl Who {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
        }
    }

    const fn role(self) -> Role {
        match self {
            Self::Offer => Role::Controlling,
            Self::Answer => Role::Controlled,
        }
    }
}

pub(crate) async fn run(options: crate::Demo) -> Result<(), Failure> {
    let (clock, printer) = (Clock::start(), Printer::new(options.json));
    let config = Config::new("floe")
        .with_relay(LOOPBACK)
        .with_user(USER, PASSWORD)
        .with_peers(PeerPolicy::public_only().with_loopback());
    let (server, _events) = TurnServer::bind(config, &[SocketAddr::new(LOOPBACK, 0)])?;
    let address = server.local_addresses().first().copied().ok_or(floe_tokio::BindError::NoAddress)?;
    printer.listening(clock.now(), address)?;

    for act in [Act::Direct, Act::Relayed] {
        printer.act(clock.now(), act)?;
        let mut stage = Stage::open(act, address, clock, printer).await?;
        stage.connect().await?;
        let pong = stage.echo().await?;
        printer.echo(clock.now(), act, pong)?;
        stage.close().await?;
    }
    server.close().await;
    printer.done(clock.now())?;
    Ok(())
}

/// Two agents and the signalling between them, which here is a function call.
struct Stage {
    act: Act,
    clock: Clock,
    printer: Printer,
    offer: Agent,
    answer: Agent,
}

struct Agent {
    endpoint: Endpoint,
    events: Events,
    gathered: bool,
    opened: bool,
}

impl Agent {
    async fn bind(who: Who, act: Act, server: SocketAddr) -> Result<Self, Failure> {
        let uri = |scheme: &str| format!("{scheme}:{server}").parse::<Uri>();
        let (endpoint, events) = Endpoint::builder(who.role())
            .addresses([LOOPBACK])
            .policy(act.policy())
            .server(Server::stun(uri("stun")?))
            .server(Server::turn(uri("turn")?, USER, PASSWORD))
            .bind()
            .await?;
        Ok(Self { endpoint, events, gathered: false, opened: false })
    }

    fn is_done(&self) -> bool {
        self.gathered && self.endpoint.state() == ConnectionState::Completed
    }
}

impl Stage {
    async fn open(act: Act, server: SocketAddr, clock: Clock, printer: Printer) -> Result<Self, Failure> {
        let offer = Agent::bind(Who::Offer, act, server).await?;
        let answer = Agent::bind(Who::Answer, act, server).await?;
        offer.endpoint.set_remote(answer.endpoint.local_credentials(), false)?;
        answer.endpoint.set_remote(offer.endpoint.local_credentials(), false)?;
        Ok(Self { act, clock, printer, offer, answer })
    }

    /// Carries candidates to and fro until both sides have gathered, and agree on a pair.
    async fn connect(&mut self) -> Result<(), Failure> {
        let give_up = tokio::time::sleep(PATIENCE);
        tokio::pin!(give_up);
        while !(self.offer.is_done() && self.answer.is_done()) {
            tokio::select! {
                Some(event) = self.offer.events.recv() => self.take(Who::Offer, &event)?,
                Some(event) = self.answer.events.recv() => self.take(Who::Answer, &event)?,
                () = &mut give_up => {
                    let (offer, answer) = (self.offer.endpoint.state(), self.answer.endpoint.state());
                    let what = format!("did not connect in {PATIENCE:?}: one is {offer}, the other {answer}");
                    return Err(Failure::Demo { what });
                }
            }
        }
        self.drain()
    }

    /// Shows what was reported so far.
    fn drain(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.offer.events.try_recv() {
            self.take(Who::Offer, &event)?;
        }
        while let Some(event) = self.answer.events.try_recv() {
            self.take(Who::Answer, &event)?;
        }
        Ok(())
    }

    fn take(&mut self, who: Who, event: &Event) -> Result<(), Failure> {
        let (me, peer) = match who {
            Who::Offer => (&mut self.offer, &self.answer),
            Who::Answer => (&mut self.answer, &self.offer),
        };
        if let Some(event) = contract::Event::of_agent(event) {
            self.printer.event(self.clock.now(), self.act, who, &event)?;
        }
        match event {
            Event::Candidate(candidate) => {
                // What we print we can read, and what is of no use to the peer is for the peer to say.
                let _ = peer.endpoint.add_remote_candidate(&candidate.to_string());
            }
            Event::Gathering(GatheringState::Complete) => {
                me.gathered = true;
                peer.endpoint.end_of_candidates();
                self.printer.event(self.clock.now(), self.act, who, &contract::Event::End)?;
            }
            Event::State { state: ConnectionState::Connected | ConnectionState::Completed, .. }
                if !me.opened =>
            {
                me.opened = true;
                self.printer.event(self.clock.now(), self.act, who, &contract::Event::Open)?;
            }
            Event::State { state: ConnectionState::Failed, why } => {
                return Err(Failure::Demo { what: format!("did not connect: {why}") });
            }
            _ => {}
        }
        Ok(())
    }

    /// The offering side asks, the other echoes.
    async fn echo(&self) -> Result<Pong, Failure> {
        let (offer, answer) = (&self.offer.endpoint, &self.answer.endpoint);
        let (mut pinger, mut step) = Pinger::start(self.clock.now(), ECHOES, ECHO_BYTES);
        loop {
            match step {
                Step::Send(datagram) => offer.send(&datagram).await?,
                Step::Done(pong) if pong.rtt.is_some() => return Ok(pong),
                Step::Done(_) => {
                    return Err(Failure::Demo { what: "connected, and no data came through".into() });
                }
            }
            step = loop {
                let next = tokio::select! {
                    Some(datagram) = answer.recv() => {
                        if let Ok(echo) = echo::answer(datagram) {
                            answer.send(&echo).await?;
                        }
                        None
                    }
                    Some(datagram) = offer.recv() => pinger.handle_datagram(self.clock.now(), &datagram),
                    () = wait(self.clock, pinger.deadline()) => pinger.handle_timeout(self.clock.now()),
                };
                if let Some(step) = next {
                    break step;
                }
            };
        }
    }

    async fn close(&mut self) -> Result<(), Failure> {
        tokio::join!(self.offer.endpoint.close(), self.answer.endpoint.close());
        self.drain()
    }
}

async fn wait(clock: Clock, until: Instant) {
    tokio::time::sleep(clock.until(until)).await;
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const USER: &str = "demo";
const PASSWORD: &str = "demo";
const ECHOES: u32 = 10;
const ECHO_BYTES: usize = 1200;

/// Enough for a busy machine; two of them leave the demo below its five seconds in every ordinary case.
const PATIENCE: Duration = Duration::from_secs(4);
