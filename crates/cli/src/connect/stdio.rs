//! `floe connect --stdio`: the signalling contract, commands in and events out, one JSON object a line.

use std::future::pending;
use std::io;
use std::ops::ControlFlow;

use floe_ice_agent::{
    CandidateKind, ConnectionState, Credentials, Event as AgentEvent, GatheringState, Taken,
};
use floe_sdp::{CandidateLine, IceAttribute, ParseErrorKind};
use floe_stun::Instant;
use floe_tokio::{Clock, Endpoint, Events};

use crate::Connect;
use crate::contract::{
    Candidate, Command, Event, Message, Policy, Remote, Selected, Server, Side, Start, from_hex,
};
use crate::echo::{self, MAX_SIZE, MIN_SIZE, Pinger, Step};
use crate::failure::Failure;
use crate::input::{self, Line};
use crate::print;
use crate::servers::{Servers, parse_uri};
use crate::signals::Signals;

/// Succeeds when it was closed in order: by `close`, by the end of the input, or by a signal once data could flow.
pub(super) async fn run(defaults: Connect) -> Result<(), Failure> {
    Servers::read(defaults.servers.clone())?;
    let mut signals = Signals::listen()?;
    emit(&Event::Ready {
        peer: "floe",
        version: env!("CARGO_PKG_VERSION"),
        level: "ice",
        trickle: true,
        turn: ["udp"],
    })?;
    let (mut lines, mut session) = (input::lines(), None);
    let mut interrupted = false;
    loop {
        let flow = tokio::select! {
            line = lines.recv() => match line {
                Some(line) => command(&mut session, &defaults, line).await?,
                None => ControlFlow::Break(()),
            },
            () = signals.recv() => {
                interrupted = true;
                ControlFlow::Break(())
            }
            happening = next(&mut session) => {
                if let Some(session) = &mut session {
                    session.take(happening).await?;
                }
                ControlFlow::Continue(())
            }
        };
        if flow.is_break() {
            break;
        }
    }
    let opened = session.as_ref().is_some_and(|session| session.opened);
    if let Some(session) = session {
        session.close().await?;
    }
    emit(&Event::Closed)?;
    if interrupted && !opened { Err(Failure::Interrupted) } else { Ok(()) }
}

/// One line of the input. What is wrong with it is an `error` event, and the session goes on.
async fn command(
    session: &mut Option<Session>,
    defaults: &Connect,
    line: Line,
) -> io::Result<ControlFlow<()>> {
    let line = match line {
        Line::Text(line) if line.trim().is_empty() => return Ok(ControlFlow::Continue(())),
        Line::Text(line) => line,
        Line::Unusable(why) => {
            error(format!("{why}; send one JSON object a line"))?;
            return Ok(ControlFlow::Continue(()));
        }
    };
    let command = match Command::parse(&line) {
        Ok(command) => command,
        Err(why) => {
            error(why)?;
            return Ok(ControlFlow::Continue(()));
        }
    };
    match (command, session) {
        (Command::Close, _) => return Ok(ControlFlow::Break(())),
        (Command::Start(_), Some(_)) => error("the session has started already; use restart or close")?,
        (Command::Start(start), session @ None) => *session = Session::start(start, defaults).await?,
        (_, None) => error("there is no session yet; send start first")?,
        (command, Some(session)) => session.command(command).await?,
    }
    Ok(ControlFlow::Continue(()))
}

/// Something that happened in the session.
enum Happening {
    Event(Box<AgentEvent>),
    Datagram(Vec<u8>),
    PingTimer,
}

/// Cancelling it loses nothing.
async fn next(session: &mut Option<Session>) -> Happening {
    let Some(session) = session else { return pending().await };
    tokio::select! {
        Some(event) = session.events.recv() => Happening::Event(Box::new(event)),
        Some(datagram) = session.endpoint.recv() => Happening::Datagram(datagram),
        () = wait(session.clock, session.pinger.as_ref().map(Pinger::deadline)) => Happening::PingTimer,
        else => pending().await,
    }
}

async fn wait(clock: Clock, until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep(clock.until(until)).await,
        None => pending().await,
    }
}

/// From `start` to `close`.
struct Session {
    side: Side,
    lite: bool,
    /// Addresses of this machine are not to be told.
    hides_hosts: bool,
    clock: Clock,
    endpoint: Endpoint,
    events: Events,
    servers: Servers,
    pinger: Option<Pinger>,
    opened: bool,
}

impl Session {
    /// None if the command cannot be carried out, which was told then.
    async fn start(start: Start, defaults: &Connect) -> io::Result<Option<Self>> {
        let servers = match servers(&start, defaults) {
            Ok(servers) => servers,
            Err(why) => {
                error(format!("not started: {why}"))?;
                return Ok(None);
            }
        };
        if start.mdns {
            error(
                "mDNS names are not supported yet: host candidates are withheld; use mdns false to tell them",
            )?;
        }
        let policy = start.policy.unwrap_or(if defaults.relay_only { Policy::Relay } else { Policy::All });
        let builder = Endpoint::builder(start.role.role())
            .loopback(start.loopback.unwrap_or(defaults.loopback))
            .lite(start.lite)
            .policy(policy.of_agent())
            .servers(servers.usable.clone());
        let (endpoint, events) = match builder.bind().await {
            Ok(bound) => bound,
            Err(why) => {
                error(format!("not started: {why}"))?;
                return Ok(None);
            }
        };
        let session = Self {
            side: start.role,
            lite: start.lite,
            hides_hosts: start.mdns,
            clock: Clock::start(),
            endpoint,
            events,
            servers,
            pinger: None,
            opened: false,
        };
        session.emit_local()?;
        for uri in &session.servers.unsupported {
            emit(&Event::Server(Server::unsupported(uri)))?;
        }
        Ok(Some(session))
    }

    fn emit_local(&self) -> io::Result<()> {
        let Credentials { ufrag, pwd, .. } = self.endpoint.local_credentials();
        let (side, lite) = (self.side, self.lite);
        emit(&Event::Local { side, ufrag, pwd: pwd.reveal().into(), sdp: None, lite })
    }

    async fn command(&mut self, command: Command) -> io::Result<()> {
        match command {
            Command::Remote(remote) => self.set_remote(remote),
            Command::Candidate { candidate } => self.add_candidate(candidate),
            Command::End => {
                self.endpoint.end_of_candidates();
                Ok(())
            }
            Command::Restart => self.restart(),
            Command::Ping { count, size } => self.ping(count, size).await,
            Command::Send { text, hex } => self.send(text, hex).await,
            // Dealt with before a session is asked.
            Command::Start(_) | Command::Close => Ok(()),
        }
    }

    fn set_remote(&self, remote: Remote) -> io::Result<()> {
        let said = remote.sdp.as_deref().map(SaidInSdp::read).unwrap_or_default();
        if let Some(options) = said.options {
            print::note(format!("floe: the other side's ice-options are {options}"));
        }
        let lite = remote.lite.unwrap_or(said.lite);
        match self.endpoint.set_remote(Credentials::new(remote.ufrag, remote.pwd), lite) {
            Ok(()) => Ok(()),
            Err(why) => error(format!("remote not taken: {why}")),
        }
    }

    fn add_candidate(&self, candidate: String) -> io::Result<()> {
        match self.endpoint.add_remote_candidate(&candidate) {
            Ok(Taken::Ignored(why)) => emit(&Event::Ignored { candidate, msg: why.to_string() }),
            Ok(_) => Ok(()),
            Err(why) if why.kind() == ParseErrorKind::Empty => {
                self.endpoint.end_of_candidates();
                Ok(())
            }
            Err(why) => emit(&Event::Ignored { candidate, msg: why.to_string() }),
        }
    }

    fn restart(&mut self) -> io::Result<()> {
        // Candidates of the old generation are told before the new credentials, never after.
        while let Some(event) = self.events.try_recv() {
            self.report(&event)?;
        }
        match self.endpoint.restart() {
            Ok(_) => self.emit_local(),
            Err(why) => error(format!("not restarted: {why}")),
        }
    }

    async fn ping(&mut self, count: u32, size: usize) -> io::Result<()> {
        if !(MIN_SIZE..=MAX_SIZE).contains(&size) {
            return error(format!("no ping: size is {size}, and must be from {MIN_SIZE} to {MAX_SIZE}"));
        }
        if self.pinger.is_some() {
            return error("no ping: one is under way; wait for its pong");
        }
        if !self.opened {
            return error("no ping: there is no path yet; wait for open");
        }
        let (pinger, step) = Pinger::start(self.clock.now(), count, size);
        self.pinger = Some(pinger);
        self.step(Some(step)).await
    }

    async fn send(&self, text: Option<String>, hex: Option<String>) -> io::Result<()> {
        let data = match (text, hex) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(hex)) => match from_hex(&hex) {
                Some(bytes) => bytes,
                None => return error("nothing sent: hex must be pairs of hexadecimal digits"),
            },
            _ => return error("nothing sent: expected either text or hex"),
        };
        self.deliver(&data).await
    }

    async fn deliver(&self, data: &[u8]) -> io::Result<()> {
        match self.endpoint.send(data).await {
            Ok(()) => Ok(()),
            Err(why) => error(format!("nothing sent: {why}")),
        }
    }

    async fn take(&mut self, happening: Happening) -> io::Result<()> {
        match happening {
            Happening::Event(event) => self.report(&event),
            Happening::Datagram(datagram) => match echo::answer(datagram) {
                Ok(echo) => self.deliver(&echo).await,
                Err(datagram) => self.receive(datagram).await,
            },
            Happening::PingTimer => {
                let now = self.clock.now();
                let step = self.pinger.as_mut().and_then(|pinger| pinger.handle_timeout(now));
                self.step(step).await
            }
        }
    }

    async fn receive(&mut self, datagram: Vec<u8>) -> io::Result<()> {
        if !echo::is_echo(&datagram) {
            return emit(&Event::Message(Message::of_bytes(datagram)));
        }
        let now = self.clock.now();
        let step = self.pinger.as_mut().and_then(|pinger| pinger.handle_datagram(now, &datagram));
        self.step(step).await
    }

    async fn step(&mut self, step: Option<Step>) -> io::Result<()> {
        match step {
            Some(Step::Send(datagram)) => {
                // What cannot go is sent again like what is lost.
                if let Err(why @ floe_tokio::SendError::TooBig { .. }) = self.endpoint.send(&datagram).await {
                    self.pinger = None;
                    return error(format!("no ping: {why}"));
                }
                Ok(())
            }
            Some(Step::Done(pong)) => {
                self.pinger = None;
                emit(&pong.into())
            }
            None => Ok(()),
        }
    }

    fn report(&mut self, event: &AgentEvent) -> io::Result<()> {
        match event {
            AgentEvent::Candidate(candidate) if self.hides_hosts => match candidate.kind {
                CandidateKind::Host => Ok(()),
                _ => emit(&Event::Candidate(Candidate {
                    candidate: without_related(candidate.to_line()).to_string(),
                    related: None,
                    ..Candidate::of_agent(candidate, &self.servers.usable)
                })),
            },
            AgentEvent::Gathering(state) => {
                emit(&Event::Gathering { state: state.as_str() })?;
                if *state == GatheringState::Complete { emit(&Event::End) } else { Ok(()) }
            }
            AgentEvent::State { state, why } => {
                emit(&Event::State { state: state.as_str(), why: why.to_string() })?;
                self.open(*state)
            }
            AgentEvent::Selected(pair) => emit(&Event::Selected(Selected::for_peers(pair))),
            _ => Event::of_agent(event, &self.servers.usable).map_or(Ok(()), |event| emit(&event)),
        }
    }

    fn open(&mut self, state: ConnectionState) -> io::Result<()> {
        let works = matches!(state, ConnectionState::Connected | ConnectionState::Completed);
        if !works || self.opened {
            return Ok(());
        }
        self.opened = true;
        emit(&Event::Open)
    }

    async fn close(mut self) -> io::Result<()> {
        self.endpoint.close().await;
        while let Some(event) = self.events.recv().await {
            self.report(&event)?;
        }
        Ok(())
    }
}

/// Those of the command, or else of the command line.
fn servers(start: &Start, defaults: &Connect) -> Result<Servers, String> {
    let given = &defaults.servers;
    let Some(ice) = &start.ice else { return Servers::read(given.clone()).map_err(|why| why.to_string()) };
    let mut servers = Servers::default();
    for server in ice {
        let uri = parse_uri(&server.urls)?;
        let own = server.username.clone().zip(server.credential.clone());
        let credentials = own.or_else(|| given.login.user.clone().zip(given.login.password.clone()));
        servers.add(uri, credentials).map_err(|why| match why {
            Failure::NoCredentials { uri } => {
                format!("{uri} needs \"username\" and \"credential\" beside \"urls\"")
            }
            why => why.to_string(),
        })?;
    }
    Ok(servers)
}

/// What a whole description says about ICE besides the credentials.
#[derive(Debug, Default)]
struct SaidInSdp {
    lite: bool,
    options: Option<String>,
}

impl SaidInSdp {
    /// Lines that are not about ICE, or broken, are passed over.
    fn read(sdp: &str) -> Self {
        let mut said = Self::default();
        for attribute in sdp.lines().filter_map(|line| IceAttribute::parse(line).ok().flatten()) {
            match attribute {
                IceAttribute::Lite => said.lite = true,
                IceAttribute::Options(options) => said.options = Some(options.to_string()),
                _ => {}
            }
        }
        said
    }
}

/// The related address of a reflexive candidate is the host address that is not to be told (RFC 8839 §5.1: "0.0.0.0"
/// and port 9 stand for it then).
fn without_related(mut line: CandidateLine) -> CandidateLine {
    if let Some((floe_sdp::Address::Ip(ip), port)) = &mut line.related {
        *ip = if ip.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
        *port = 9;
    }
    line
}

fn emit(event: &Event) -> io::Result<()> {
    print::bare_json(event)
}

fn error(msg: impl Into<String>) -> io::Result<()> {
    emit(&Event::Error { msg: msg.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_tells_lite_and_options() {
        let said = SaidInSdp::read(
            "v=0\r\na=ice-lite\r\nm=audio 9 UDP 0\r\na=ice-options:ice2 trickle\r\na=ice-ufrag:!\r\n",
        );
        assert!(said.lite);
        assert_eq!(said.options.as_deref(), Some("ice2 trickle"));
    }

    #[test]
    fn a_hidden_host_is_not_told_as_a_related_address_either() {
        let text = "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.0.1 rport 8998";
        let hidden = without_related(CandidateLine::parse(text).unwrap()).to_string();
        assert_eq!(hidden, "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 0.0.0.0 rport 9");
    }
}
