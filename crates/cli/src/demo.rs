//! `floe demo`: a server and two agents on loopback sockets find each other, first directly, then through the relay.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_ice_agent::{
    ConnectionState, Event, GatheringState, PairId, PairState, Role, SelectedPair, Server, TransportPolicy,
};
use floe_stun::{Instant, Uri};
use floe_tokio::{BindError, Clock, Endpoint, Events, TurnServer};
use floe_turn_server::{Config, PeerPolicy};

use crate::contract;
use crate::echo::{self, Pinger, Pong, Step};
use crate::failure::Failure;
use crate::print::demo::{Check, Outcome, Printer};

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

/// One of the two agents. Alice offers, so she controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Alice,
    Bob,
}

impl Who {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
        }
    }

    const fn role(self) -> Role {
        match self {
            Self::Alice => Role::Controlling,
            Self::Bob => Role::Controlled,
        }
    }
}

pub(crate) async fn run(options: crate::Demo) -> Result<(), Failure> {
    let printer = Printer::new(options.json);
    let config = Config::new("floe")
        .with_relay(LOOPBACK)
        .with_user(USER, PASSWORD)
        .with_peers(PeerPolicy::public_only().with_loopback());
    let (server, _events) = TurnServer::bind(config, &[SocketAddr::new(LOOPBACK, 0)])?;
    let address = server.local_addresses().first().copied().ok_or(BindError::NoAddress)?;
    printer.listening(address)?;

    let mut outcomes = Vec::new();
    for act in [Act::Direct, Act::Relayed] {
        printer.act(act)?;
        let mut stage = Stage::open(act, address, printer).await?;
        stage.gather().await?;
        let (connected, nominated) = stage.connect().await?;
        let pong = stage.echo().await?;
        printer.echo(act, pong.clone())?;
        outcomes.push(Outcome::new(act, stage.selected()?, connected, nominated, pong.rtt));
        stage.close().await?;
    }
    server.close().await;
    printer.done(&outcomes)?;
    Ok(())
}

/// Two agents and the signalling between them, which here is a function call.
struct Stage {
    act: Act,
    clock: Clock,
    printer: Printer,
    alice: Agent,
    bob: Agent,
}

struct Agent {
    who: Who,
    endpoint: Endpoint,
    events: Events,
    servers: Vec<Server>,
    /// To be signalled when all are there, so that the best pair has its chance from the beginning.
    candidates: Vec<String>,
    gathered: bool,
    opened: bool,
    /// Pairs that were shown to work.
    shown: BTreeSet<PairId>,
}

impl Agent {
    async fn bind(who: Who, act: Act, server: SocketAddr) -> Result<Self, Failure> {
        let uri = |scheme: &str| format!("{scheme}:{server}").parse::<Uri>();
        let servers = vec![Server::stun(uri("stun")?), Server::turn(uri("turn")?, USER, PASSWORD)];
        let (endpoint, events) = Endpoint::builder(who.role())
            .addresses([LOOPBACK])
            .policy(act.policy())
            .servers(servers.clone())
            .bind()
            .await?;
        Ok(Self {
            who,
            endpoint,
            events,
            servers,
            candidates: Vec::new(),
            gathered: false,
            opened: false,
            shown: BTreeSet::new(),
        })
    }

    fn take(&mut self, printer: Printer, act: Act, event: &Event) -> Result<(), Failure> {
        if let Some(event) = contract::Event::of_agent(event, &self.servers) {
            printer.event(act, self.who, &event)?;
        }
        match event {
            Event::Candidate(candidate) => self.candidates.push(candidate.to_string()),
            Event::Gathering(GatheringState::Complete) => {
                self.gathered = true;
                printer.event(act, self.who, &contract::Event::End)?;
            }
            Event::State { state: ConnectionState::Connected | ConnectionState::Completed, .. }
                if !self.opened =>
            {
                self.opened = true;
                printer.event(act, self.who, &contract::Event::Open)?;
            }
            Event::State { state: ConnectionState::Failed, why } => {
                return Err(Failure::Demo { what: format!("did not connect: {why}") });
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells the peer all that it needs.
    fn signal(&self, peer: &Self) -> Result<(), Failure> {
        peer.endpoint.set_remote(self.endpoint.local_credentials(), false)?;
        for candidate in &self.candidates {
            // What we print we can read, and what is of no use to the peer is for the peer to say.
            let _ = peer.endpoint.add_remote_candidate(candidate);
        }
        peer.endpoint.end_of_candidates();
        Ok(())
    }

    /// Checks that have succeeded since the last time; the agent keeps no other record of them than its statistics.
    fn show_checks(&mut self, printer: Printer, act: Act) -> Result<(), Failure> {
        let stats = self.endpoint.stats();
        for pair in stats.pairs.iter().filter(|pair| pair.state == PairState::Succeeded) {
            let local = stats.local_candidates.iter().find(|candidate| candidate.id == pair.local);
            let remote = stats.remote_candidates.iter().find(|candidate| candidate.id == pair.remote);
            if let (Some(local), Some(remote)) = (local, remote)
                && self.shown.insert(pair.id)
            {
                printer.check(act, self.who, &Check::new(local, remote))?;
            }
        }
        Ok(())
    }
}

impl Stage {
    async fn open(act: Act, server: SocketAddr, printer: Printer) -> Result<Self, Failure> {
        let alice = Agent::bind(Who::Alice, act, server).await?;
        let bob = Agent::bind(Who::Bob, act, server).await?;
        Ok(Self { act, clock: Clock::start(), printer, alice, bob })
    }

    /// Until both have all their candidates.
    async fn gather(&mut self) -> Result<(), Failure> {
        self.until("did not gather", |stage| stage.alice.gathered && stage.bob.gathered).await
    }

    /// Carries all candidates to and fro, and waits until both sides agree on a pair. Gives the time to the first pair
    /// that works on both sides, and to the nominated one.
    async fn connect(&mut self) -> Result<(Duration, Duration), Failure> {
        let start = self.clock.now();
        self.alice.signal(&self.bob)?;
        self.bob.signal(&self.alice)?;
        self.until("did not connect", |stage| stage.alice.opened && stage.bob.opened).await?;
        let connected = self.clock.now() - start;
        let done = |agent: &Agent| agent.endpoint.state() == ConnectionState::Completed;
        self.until("did not agree on a pair", |stage| done(&stage.alice) && done(&stage.bob)).await?;
        let nominated = self.clock.now() - start;
        self.drain()?;
        Ok((connected, nominated))
    }

    /// Shows what happens until it is so.
    async fn until(&mut self, otherwise: &str, is_so: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let give_up = tokio::time::sleep(PATIENCE);
        tokio::pin!(give_up);
        while !is_so(self) {
            let Self { act, printer, alice, bob, .. } = self;
            let (from_alice, from_bob) = tokio::select! {
                event = alice.events.recv() => (event, None),
                event = bob.events.recv() => (None, event),
                () = tokio::time::sleep(BETWEEN_LOOKS) => (None, None),
                () = &mut give_up => {
                    let (alice, bob) = (alice.endpoint.state(), bob.endpoint.state());
                    let what = format!("{otherwise} in {PATIENCE:?}: one is {alice}, the other {bob}");
                    return Err(Failure::Demo { what });
                }
            };
            for (agent, event) in [(alice, from_alice), (bob, from_bob)] {
                agent.show_checks(*printer, *act)?;
                if let Some(event) = event {
                    agent.take(*printer, *act, &event)?;
                }
            }
        }
        Ok(())
    }

    /// Shows what was reported so far.
    fn drain(&mut self) -> Result<(), Failure> {
        for agent in [&mut self.alice, &mut self.bob] {
            while let Some(event) = agent.events.try_recv() {
                agent.take(self.printer, self.act, &event)?;
            }
        }
        Ok(())
    }

    fn selected(&self) -> Result<SelectedPair, Failure> {
        let pair = self.alice.endpoint.selected_pair();
        pair.ok_or_else(|| Failure::Demo { what: "lost their path".into() })
    }

    /// Alice asks, Bob echoes.
    async fn echo(&self) -> Result<Pong, Failure> {
        let (alice, bob) = (&self.alice.endpoint, &self.bob.endpoint);
        let (mut pinger, mut step) = Pinger::start(self.clock.now(), ECHOES, ECHO_BYTES);
        loop {
            match step {
                Step::Send(datagram) => alice.send(&datagram).await?,
                Step::Done(pong) if pong.rtt.is_some() => return Ok(pong),
                Step::Done(_) => {
                    return Err(Failure::Demo { what: "connected, and no data came through".into() });
                }
            }
            step = loop {
                let next = tokio::select! {
                    Some(datagram) = bob.recv() => {
                        if let Ok(echo) = echo::answer(datagram) {
                            bob.send(&echo).await?;
                        }
                        None
                    }
                    Some(datagram) = alice.recv() => pinger.handle_datagram(self.clock.now(), &datagram),
                    () = wait(self.clock, pinger.deadline()) => pinger.handle_timeout(self.clock.now()),
                };
                if let Some(step) = next {
                    break step;
                }
            };
        }
    }

    async fn close(&mut self) -> Result<(), Failure> {
        tokio::join!(self.alice.endpoint.close(), self.bob.endpoint.close());
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
pub(crate) const ECHO_BYTES: usize = 1200;

/// Checks that succeed are shown so soon.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// Enough for a busy machine, and far more than the demo needs in every ordinary case.
const PATIENCE: Duration = Duration::from_secs(4);
