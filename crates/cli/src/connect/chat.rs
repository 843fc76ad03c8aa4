//! Two people, two terminals: descriptions are pasted, then lines go to and fro.
//!
//! ```text
//!   gather ──▶ ask for the description ──▶ look for a path ──▶ is the other side there? ──▶ talk ──▶ leave
//! ```
//!
//! Each side asks the other by the echo of the contract whether it is there, and types only then. Who leaves says
//! goodbye: a datagram that is neither text nor an echo.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use floe_ice_agent::{
    CandidateKind, ConnectionState, Credentials, Event, GatheringState, PairFailure, Role, StateReason,
    TransportPolicy,
};
use floe_tokio::{Clock, Endpoint, Events};
use tokio::sync::mpsc::Receiver;

use super::paste::{Description, Paste, Pasted};
use crate::Connect;
use crate::contract::{self, Message, Server};
use crate::echo::{self, MIN_SIZE, Pinger, Step};
use crate::failure::Failure;
use crate::input::{self, Line};
use crate::print::chat::Printer;
use crate::servers::Servers;
use crate::signals::Signals;

pub(super) async fn run(options: Connect, offers: bool) -> Result<(), Failure> {
    let printer = Printer::new(options.json);
    let servers = Servers::read(options.servers)?;
    if options.relay_only && !servers.may_relay() {
        return Err(Failure::NoTurnServer);
    }
    let mut signals = Signals::listen()?;
    let role = if offers { Role::Controlling } else { Role::Controlled };
    let policy = if options.relay_only { TransportPolicy::Relay } else { TransportPolicy::All };
    let builder = Endpoint::builder(role).loopback(options.loopback || servers.on_loopback()).policy(policy);
    let (endpoint, events) = builder.servers(servers.usable.clone()).bind().await?;
    let mut chat = Chat {
        printer,
        servers,
        policy,
        clock: Clock::start(),
        endpoint,
        events,
        lines: input::lines(),
        opened: false,
        answered: false,
    };
    let outcome = tokio::select! {
        outcome = chat.run(offers) => outcome,
        () = signals.recv() => chat.interrupt().await,
    };
    chat.endpoint.close().await;
    outcome
}

struct Chat {
    printer: Printer,
    servers: Servers,
    policy: TransportPolicy,
    clock: Clock,
    endpoint: Endpoint,
    events: Events,
    lines: Receiver<Line>,
    /// There has been a path.
    opened: bool,
    /// The other side was there.
    answered: bool,
}

/// The other side is here, or it has left.
type Presence = ControlFlow<()>;

impl Chat {
    async fn run(&mut self, offers: bool) -> Result<(), Failure> {
        let ours = self.gather().await?;
        if offers {
            self.printer.description(&ours.encode())?;
        }
        let theirs = self.ask(&ours).await?;
        if !offers {
            self.printer.description(&ours.encode())?;
        }
        self.accept(theirs)?;
        if self.connect().await?.is_break() || self.talk().await?.is_break() {
            self.printer.left()?;
        } else {
            self.leave().await;
        }
        Ok(())
    }

    /// All that can be told in one description, which is why it waits for the end of gathering.
    async fn gather(&mut self) -> Result<Description, Failure> {
        let (mut candidates, mut servers) = (Vec::new(), BTreeMap::new());
        self.printer.asking(&self.servers.names());
        for uri in &self.servers.unsupported {
            note_server(&mut servers, Server::unsupported(uri));
            self.printer.event(&contract::Event::Server(Server::unsupported(uri)))?;
        }
        while let Some(event) = self.events.recv().await {
            self.show(&event)?;
            match event {
                Event::Candidate(candidate) => candidates.push(candidate),
                Event::Server(report) => note_server(&mut servers, Server::of_agent(&report)),
                Event::Gathering(GatheringState::Complete) => break,
                _ => {}
            }
        }
        for (uri, error) in servers.iter().filter_map(|(uri, error)| Some((uri, error.as_ref()?))) {
            self.printer.server_failed(uri, error);
        }
        let relayed = candidates.iter().any(|candidate| candidate.kind == CandidateKind::Relayed);
        if self.policy == TransportPolicy::Relay && !relayed {
            return Err(Failure::NoRelay);
        }
        let Credentials { ufrag, pwd, .. } = self.endpoint.local_credentials();
        let candidates = candidates.iter().map(floe_ice_agent::Candidate::to_line).collect();
        Ok(Description { ufrag, pwd: pwd.reveal().into(), candidates, lite: false })
    }

    /// Asks until what is pasted is a description of somebody else.
    async fn ask(&mut self, ours: &Description) -> Result<Description, Failure> {
        self.printer.ask();
        let mut paste = Paste::default();
        let mut unfinished = false;
        loop {
            let line = match tokio::time::timeout(PASTING, self.lines.recv()).await {
                Ok(line) => line,
                Err(_) => {
                    if std::mem::take(&mut unfinished) {
                        self.printer.ask_for_more();
                    }
                    self.lines.recv().await
                }
            };
            let pasted = match line {
                Some(Line::Text(text)) => paste.take(&text),
                Some(Line::Unusable(why)) => {
                    self.printer.wrong_paste(why)?;
                    continue;
                }
                None => return Err(Failure::NoDescription),
            };
            unfinished = pasted == Pasted::Part;
            match pasted {
                Pasted::Whole(theirs) if theirs.ufrag == ours.ufrag => self
                    .printer
                    .wrong_paste("this is our own description; paste the one of the other side")?,
                Pasted::Whole(theirs) => return Ok(theirs),
                Pasted::Wrong(why) => self.printer.wrong_paste(&why.to_string())?,
                Pasted::Nothing | Pasted::Part => {}
            }
        }
    }

    fn accept(&self, theirs: Description) -> Result<(), Failure> {
        self.endpoint.set_remote(Credentials::new(theirs.ufrag, theirs.pwd), theirs.lite)?;
        for candidate in &theirs.candidates {
            // A candidate that is of no use to us is passed over, as in any signalling.
            let _ = self.endpoint.add_remote_candidate(&candidate.to_string());
        }
        self.endpoint.end_of_candidates();
        Ok(())
    }

    /// Until the other side answers. What is typed meanwhile waits.
    async fn connect(&mut self) -> Result<Presence, Failure> {
        while !self.opened {
            tokio::select! {
                Some(event) = self.events.recv() => self.take(&event)?,
                Some(datagram) = self.endpoint.recv() => if self.receive(datagram).await?.is_break() {
                    return Ok(Presence::Break(()));
                },
                () = tokio::time::sleep(BETWEEN_LOOKS) => self.give_up_on_the_relay()?,
            }
        }
        let (mut pinger, mut step) = Pinger::start(self.clock.now(), 1, MIN_SIZE);
        while let Step::Send(question) = step {
            // What cannot go is sent again like what is lost.
            let _ = self.endpoint.send(&question).await;
            step = loop {
                let next = tokio::select! {
                    Some(event) = self.events.recv() => {
                        self.take(&event)?;
                        None
                    }
                    Some(datagram) = self.endpoint.recv() => {
                        let next = pinger.handle_datagram(self.clock.now(), &datagram);
                        if next.is_none() && self.receive(datagram).await?.is_break() {
                            return Ok(Presence::Break(()));
                        }
                        next
                    }
                    () = tokio::time::sleep(self.clock.until(pinger.deadline())) => {
                        pinger.handle_timeout(self.clock.now())
                    }
                };
                if let Some(next) = next {
                    break next;
                }
            };
        }
        self.answered = true;
        self.printer.event(&contract::Event::Open)?;
        Ok(Presence::Continue(()))
    }

    /// Until the end of the input, of the path, or of the other side.
    async fn talk(&mut self) -> Result<Presence, Failure> {
        loop {
            tokio::select! {
                Some(event) = self.events.recv() => self.take(&event)?,
                Some(datagram) = self.endpoint.recv() => if self.receive(datagram).await?.is_break() {
                    return Ok(Presence::Break(()));
                },
                line = self.lines.recv() => match line {
                    Some(Line::Text(text)) => self.send(&text).await?,
                    Some(Line::Unusable(why)) => self.printer.wrong_paste(why)?,
                    None => return Ok(Presence::Continue(())),
                },
            }
        }
    }

    /// What was going on is over. Whoever was there is told.
    async fn interrupt(&self) -> Result<(), Failure> {
        if !self.answered {
            return Err(Failure::Interrupted);
        }
        self.leave().await;
        Ok(())
    }

    /// Several times, since nobody confirms it.
    async fn leave(&self) {
        for _ in 0..GOODBYES {
            let _ = self.endpoint.send(GOODBYE).await;
            tokio::time::sleep(BETWEEN_GOODBYES).await;
        }
    }

    fn take(&mut self, event: &Event) -> Result<(), Failure> {
        self.show(event)?;
        match event {
            Event::State { state: ConnectionState::Connected | ConnectionState::Completed, .. } => {
                self.opened = true;
                Ok(())
            }
            Event::State { state: ConnectionState::Failed, why } if self.opened => {
                Err(Failure::Lost { why: why.to_string() })
            }
            Event::State { state: ConnectionState::Failed, why } => Err(self.no_path(*why)),
            _ => Ok(()),
        }
    }

    /// Relayed candidates alone, and the relay lets nobody in: waiting for the other side's checks is of no use then.
    fn give_up_on_the_relay(&self) -> Result<(), Failure> {
        if self.policy == TransportPolicy::Relay && self.relay_refused() {
            return Err(self.no_path(StateReason::AllFailed(PairFailure::NotPermitted)));
        }
        Ok(())
    }

    /// A relay that refuses the other side is the reason that its operator can mend, so it goes before the others.
    fn no_path(&self, why: StateReason) -> Failure {
        let why = if self.relay_refused() { StateReason::AllFailed(PairFailure::NotPermitted) } else { why };
        Failure::NoPath { why: why.to_string(), advice: advice(why) }
    }

    /// Whether there were pairs through a relay of ours, and it allowed none of them.
    fn relay_refused(&self) -> bool {
        let stats = self.endpoint.stats();
        let is_relayed = |id| {
            let ours = stats.local_candidates.iter();
            ours.into_iter().any(|ours| ours.id == id && ours.kind == CandidateKind::Relayed)
        };
        let mut relayed = stats.pairs.iter().filter(|pair| is_relayed(pair.local)).peekable();
        relayed.peek().is_some() && relayed.all(|pair| pair.failure == Some(PairFailure::NotPermitted))
    }

    async fn receive(&self, datagram: Vec<u8>) -> Result<Presence, Failure> {
        if datagram == GOODBYE {
            return Ok(Presence::Break(()));
        }
        match echo::answer(datagram) {
            // An answer that is lost is asked for again.
            Ok(echo) => drop(self.endpoint.send(&echo).await),
            Err(late) if echo::is_echo(&late) => {}
            Err(message) => {
                self.printer.event(&contract::Event::Message(Message::of_bytes(message)))?;
            }
        }
        Ok(Presence::Continue(()))
    }

    /// A line that cannot go at the moment is told and lost; the chat goes on.
    async fn send(&self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        if let Err(why) = self.endpoint.send(text.as_bytes()).await {
            self.printer.event(&contract::Event::Error { msg: Failure::Send(why).to_string() })?;
        }
        Ok(())
    }

    fn show(&self, event: &Event) -> Result<(), Failure> {
        if let Some(event) = contract::Event::of_agent(event, &self.servers.usable) {
            self.printer.event(&event)?;
        }
        Ok(())
    }
}

/// The error of each server, none if it helped any of our addresses.
fn note_server(servers: &mut BTreeMap<String, Option<String>>, server: Server) {
    let known = servers.entry(server.url).or_insert_with(|| server.error.clone());
    if server.ok {
        *known = None;
    }
}

/// What to do where no path was ever found.
const fn advice(why: StateReason) -> &'static str {
    match why {
        StateReason::NoPairs => {
            "give both sides the same STUN or TURN server, and --loopback to both on one machine"
        }
        StateReason::AllFailed(PairFailure::NotPermitted) => {
            "start the server with --allow-loopback-peers or --allow-private-peers"
        }
        StateReason::AllFailed(PairFailure::Refused(_)) => {
            "start both sides anew, and paste fresh descriptions"
        }
        StateReason::AllFailed(PairFailure::Unreachable) => {
            "check the connection of both sides to the network"
        }
        StateReason::AllFailed(PairFailure::SocketClosed) | StateReason::SocketClosed => {
            "the network of this machine has changed: start both sides anew"
        }
        _ => "check that the other side is still running; a TURN server that both sides can reach helps",
    }
}

/// Begins as no text does, nor STUN, DTLS or ChannelData; behind it the letters of "bye".
const GOODBYE: &[u8] = b"\x80\x73bye";
const GOODBYES: u32 = 3;
const BETWEEN_GOODBYES: Duration = Duration::from_millis(20);

/// Between two looks at what the relay said; it says it within a round trip.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// The lines of one paste come together; who is silent for longer has pasted what there was.
const PASTING: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goodbye_is_neither_text_nor_an_echo() {
        assert!(String::from_utf8(GOODBYE.to_vec()).is_err());
        assert!(!echo::is_echo(GOODBYE) && echo::answer(GOODBYE.to_vec()).is_err());
    }

    #[test]
    fn advice_follows_the_reason() {
        let refused = advice(StateReason::AllFailed(PairFailure::NotPermitted));
        assert!(refused.contains("--allow-loopback-peers") && refused.contains("--allow-private-peers"));
        assert!(advice(StateReason::NoPairs).contains("--loopback"));
        assert!(advice(StateReason::AllFailed(PairFailure::TimedOut)).contains("TURN server"));
    }
}
