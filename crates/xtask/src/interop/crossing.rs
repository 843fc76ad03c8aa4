//! Two peers, and what carries the words of one to the other.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::coturn::{self, Coturn};
use super::peer::{Peer, Side, Told};
use crate::host;

const PINGS: u64 = 100;
const PING_SIZE: u64 = 1200;

/// For everything up to the echo.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Floe,
    Aioice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    All,
    Relay,
}

/// Who offers, who answers, over which paths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    offer: Program,
    answer: Program,
    policy: Policy,
}

/// How to start the programs.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) python: PathBuf,
    pub(crate) floe: Result<PathBuf, String>,
}

impl Case {
    pub(crate) const fn new(offer: Program, answer: Program, policy: Policy) -> Self {
        Self { offer, answer, policy }
    }

    pub(crate) fn name(&self) -> String {
        let name = |program| match program {
            Program::Floe => "floe",
            Program::Aioice => "aioice",
        };
        format!("{} to {}, {}", name(self.offer), name(self.answer), self.path())
    }

    const fn path(&self) -> &'static str {
        match self.policy {
            Policy::All => "host",
            Policy::Relay => "relay",
        }
    }

    fn start_command(&self, side: Side, coturn: &Coturn) -> Value {
        let relay = json!({
            "urls": coturn.turn_uri(), "username": coturn::USER, "credential": coturn::PASSWORD,
        });
        let (servers, policy) = match self.policy {
            Policy::All => (json!([]), "all"),
            Policy::Relay => (json!([relay]), "relay"),
        };
        json!({
            "op": "start", "role": side.name(), "ice": servers, "policy": policy, "mdns": false, "loopback": true,
        })
    }
}

impl Programs {
    fn command(&self, program: Program) -> anyhow::Result<Command> {
        Ok(match program {
            Program::Floe => {
                let floe = self.floe.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?;
                let mut command = Command::new(floe);
                command.args(["connect", "--stdio"]);
                command
            }
            Program::Aioice => {
                let mut command = Command::new(&self.python);
                command.arg(host::root().join("tests/interop/aioice_peer.py"));
                command
            }
        })
    }
}

/// Connects the two peers of a case; says by which pair and how fast they echoed.
pub(crate) fn cross(case: &Case, programs: &Programs, coturn: &Coturn) -> anyhow::Result<String> {
    let mut crossing = Crossing::start(case, programs)?;
    for side in [Side::Offer, Side::Answer] {
        crossing.peer(side).command(&case.start_command(side, coturn))?;
    }
    crossing.wait("connection", |crossing| crossing.both(End::is_connected))?;
    for side in [Side::Offer, Side::Answer] {
        crossing.check_pair(side, case.path())?;
        crossing.ping(side)?;
    }
    crossing.close()?;
    Ok(crossing.summary())
}

struct Crossing {
    offer: End,
    answer: End,
    told: Receiver<(Side, Told)>,
    started: Instant,
    connected_after: Option<Duration>,
}

/// One peer and what it told that matters.
struct End {
    peer: Peer,
    ready: bool,
    connected: bool,
    open: bool,
    selected: Option<Value>,
    pong: Option<Value>,
    closed: bool,
    last: String,
}

impl End {
    fn new(peer: Peer) -> Self {
        Self {
            peer,
            ready: false,
            connected: false,
            open: false,
            selected: None,
            pong: None,
            closed: false,
            last: "nothing".to_owned(),
        }
    }

    const fn is_connected(&self) -> bool {
        self.connected && self.open && self.selected.is_some()
    }
}

impl Crossing {
    fn start(case: &Case, programs: &Programs) -> anyhow::Result<Self> {
        let (tell, told) = mpsc::channel();
        let name = case.name().replace([' ', ','], "-");
        let start =
            |side, program| Peer::start(side, programs.command(program)?, &name, tell.clone()).map(End::new);
        Ok(Self {
            offer: start(Side::Offer, case.offer)?,
            answer: start(Side::Answer, case.answer)?,
            told,
            started: Instant::now(),
            connected_after: None,
        })
    }

    const fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Offer => &mut self.offer,
            Side::Answer => &mut self.answer,
        }
    }

    const fn peer(&mut self, side: Side) -> &mut Peer {
        &mut self.end(side).peer
    }

    fn both(&self, holds: fn(&End) -> bool) -> bool {
        holds(&self.offer) && holds(&self.answer)
    }

    /// Carries words to and fro until `done`.
    fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let give_up = Instant::now() + PATIENCE;
        while !done(self) {
            match self.told.recv_timeout(give_up.saturating_duration_since(Instant::now())) {
                Ok((side, told)) => self.take(side, told)?,
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("both sides have ended, and there was no {what}")
                }
                Err(RecvTimeoutError::Timeout) => {
                    let (offer, answer) = (&self.offer.last, &self.answer.last);
                    bail!("no {what} after {PATIENCE:?}; the last words: offer {offer}, answer {answer}")
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, side: Side, told: Told) -> anyhow::Result<()> {
        match told {
            Told::Event(event) => self.take_event(side, event),
            Told::Garbage(line) => bail!("the {} side printed what is not JSON: {line}", side.name()),
            Told::EndOfFile if self.end(side).closed => Ok(()),
            Told::EndOfFile => {
                bail!("the {} side ended; its last words: {}", side.name(), self.end(side).last)
            }
        }
    }

    fn take_event(&mut self, side: Side, event: Value) -> anyhow::Result<()> {
        let end = self.end(side);
        let kind = event["ev"].as_str().unwrap_or_default().to_owned();
        ensure!(end.ready || kind == "ready", "the {} side told {event} before ready", side.name());
        end.last = event.to_string();
        match kind.as_str() {
            "ready" => end.ready = true,
            "open" => end.open = true,
            "selected" => end.selected = Some(event),
            "pong" => end.pong = Some(event),
            "closed" => end.closed = true,
            "error" | "ignored" => bail!("the {} side: {event}", side.name()),
            "state" => self.take_state(side, &event)?,
            "local" | "candidate" | "end" => self.carry(side, &kind, event)?,
            _ => {}
        }
        if self.connected_after.is_none() && self.both(End::is_connected) {
            self.connected_after = Some(self.started.elapsed());
        }
        Ok(())
    }

    fn take_state(&mut self, side: Side, event: &Value) -> anyhow::Result<()> {
        match event["state"].as_str() {
            Some("connected" | "completed") => self.end(side).connected = true,
            Some("failed") => bail!("the {} side failed: {event}", side.name()),
            _ => {}
        }
        Ok(())
    }

    /// What one side says of itself is what the other hears of its peer.
    fn carry(&mut self, side: Side, kind: &str, mut event: Value) -> anyhow::Result<()> {
        let object = event.as_object_mut().context("an event is an object")?;
        object.remove("ev");
        object.insert("op".into(), if kind == "local" { "remote".into() } else { kind.into() });
        if kind == "candidate" {
            object.insert("mid".into(), "0".into());
        }
        self.peer(side.other()).command(&event)
    }

    fn check_pair(&mut self, side: Side, path: &str) -> anyhow::Result<()> {
        let selected = self.end(side).selected.clone().unwrap_or_default();
        // A check can come before the candidate it comes from; that end is then peer-reflexive.
        let remote_fits = selected["remote"] == path || selected["remote"] == "prflx";
        ensure!(selected["local"] == path && remote_fits, "the {} side selected {selected}", side.name());
        Ok(())
    }

    fn ping(&mut self, side: Side) -> anyhow::Result<()> {
        self.peer(side).command(&json!({ "op": "ping", "count": PINGS, "size": PING_SIZE }))?;
        self.wait("echo", |crossing| match side {
            Side::Offer => crossing.offer.pong.is_some(),
            Side::Answer => crossing.answer.pong.is_some(),
        })?;
        let pong = self.end(side).pong.clone().unwrap_or_default();
        let all = pong["count"] == PINGS && pong["bytes"] == PINGS * PING_SIZE;
        ensure!(all, "the {} side got back only {pong}", side.name());
        Ok(())
    }

    fn close(&mut self) -> anyhow::Result<()> {
        for side in [Side::Offer, Side::Answer] {
            self.peer(side).command(&json!({ "op": "close" }))?;
        }
        self.wait("closed", |crossing| crossing.both(|end| end.closed))?;
        for side in [Side::Offer, Side::Answer] {
            self.peer(side).has_ended_well().with_context(|| format!("the {} side", side.name()))?;
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let (selected, pong) = (self.offer.selected.as_ref(), self.offer.pong.as_ref());
        let word = |key: &str| selected.and_then(|selected| selected[key].as_str()).unwrap_or("?");
        let rtt = pong.and_then(|pong| pong["rtt_us"].as_u64()).unwrap_or(0);
        let after = self.connected_after.unwrap_or_default().as_millis();
        format!("{after} ms, {}/{}, echo {rtt} us", word("local"), word("remote"))
    }
}
