//! The timeline of the demo.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use floe_ice_agent::{Candidate, SelectedPair};
use serde::Serialize;

use super::{Paint, columns, elapsed, json, line, rtt};
use crate::contract::{Event, Server, millis, written};
use crate::demo::{Act, ECHO_BYTES, Who};
use crate::echo::Pong;

/// Prints what happens in the demo, each line with its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    json: bool,
    paint: Paint,
}

/// A check that succeeded.
#[derive(Debug, Serialize)]
#[serde(tag = "ev", rename = "check")]
pub(crate) struct Check {
    local: &'static str,
    remote: &'static str,
    local_addr: String,
    remote_addr: String,
}

impl Check {
    pub(crate) fn new(local: &Candidate, remote: &Candidate) -> Self {
        Self {
            local: local.kind.as_str(),
            remote: remote.kind.as_str(),
            local_addr: written(local.address),
            remote_addr: written(remote.address),
        }
    }
}

/// What came of an act.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    act: u8,
    local: &'static str,
    remote: &'static str,
    connected_ms: f64,
    nominated_ms: f64,
    rtt_ms: Option<f64>,
}

impl Outcome {
    pub(crate) fn new(
        act: Act,
        pair: SelectedPair,
        connected: Duration,
        nominated: Duration,
        rtt: Option<Duration>,
    ) -> Self {
        Self {
            act: act.number(),
            local: pair.local.kind.as_str(),
            remote: pair.remote.kind.as_str(),
            connected_ms: millis(connected),
            nominated_ms: millis(nominated),
            rtt_ms: rtt.map(millis),
        }
    }

    fn row(&self) -> [String; 5] {
        let after = |millis: f64| format!("{millis:.1} ms");
        [
            self.act.to_string(),
            format!("{} to {}", self.local, self.remote),
            after(self.connected_ms),
            after(self.nominated_ms),
            rtt(self.rtt_ms),
        ]
    }
}

#[derive(Serialize)]
struct Line<'a, E> {
    #[serde(flatten)]
    event: &'a E,
    act: u8,
    who: &'static str,
}

#[derive(Serialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
enum Frame<'a> {
    Listening { address: String, transport: &'static str },
    Act { act: u8, policy: &'static str },
    Done { acts: &'a [Outcome] },
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::for_stdout() }
    }

    pub(crate) fn listening(self, address: SocketAddr) -> io::Result<()> {
        if self.json {
            return json(&Frame::Listening { address: written(address), transport: "udp" });
        }
        line(self.paint.bold("A STUN and TURN server and two agents, alice and bob, all on this machine."))?;
        self.say("server", &format!("listens on udp {address}"))
    }

    pub(crate) fn act(self, act: Act) -> io::Result<()> {
        if self.json {
            return json(&Frame::Act { act: act.number(), policy: act.policy_word() });
        }
        line("")?;
        line(self.paint.bold(format!("Act {}: {}", act.number(), act.title())))
    }

    pub(crate) fn event(self, act: Act, who: Who, event: &Event) -> io::Result<()> {
        if self.json {
            return json(&Line { event, act: act.number(), who: who.word() });
        }
        match self.sentence(event) {
            Some(sentence) => self.say(who.word(), &sentence),
            None => Ok(()),
        }
    }

    pub(crate) fn check(self, act: Act, who: Who, check: &Check) -> io::Result<()> {
        if self.json {
            return json(&Line { event: check, act: act.number(), who: who.word() });
        }
        let Check { local, remote, local_addr, remote_addr } = check;
        self.say(who.word(), &format!("check {local} {local_addr} - {remote} {remote_addr} works"))
    }

    pub(crate) fn echo(self, act: Act, pong: Pong) -> io::Result<()> {
        let median = rtt(pong.rtt.map(millis));
        let sentence = format!("{} echoes of {ECHO_BYTES} bytes, RTT {median} (median)", pong.count);
        if self.json {
            self.event(act, Who::Alice, &pong.into())
        } else {
            self.say(Who::Alice.word(), &sentence)
        }
    }

    pub(crate) fn done(self, acts: &[Outcome]) -> io::Result<()> {
        if self.json {
            return json(&Frame::Done { acts });
        }
        let heading = ["ACT", "PATH", "CONNECTED AFTER", "NOMINATED AFTER", "ECHO RTT"].map(str::to_owned);
        let rows: Vec<_> = [heading].into_iter().chain(acts.iter().map(Outcome::row)).collect();
        line("")?;
        for (n, row) in columns(&rows).iter().enumerate() {
            line(if n == 0 { self.paint.bold(row) } else { row.clone() })?;
        }
        line("")?;
        let took = elapsed().as_millis();
        line(
            self.paint.good(format!(
                "All of it worked in {took} ms: directly where allowed, else through the relay."
            )),
        )
    }

    fn say(self, who: &str, sentence: &str) -> io::Result<()> {
        let stamp = self.paint.faint(format!("{:>7.1} ms", millis(elapsed())));
        line(format!("{stamp}  {who:<6}  {sentence}"))
    }

    fn sentence(self, event: &Event) -> Option<String> {
        let paint = self.paint;
        Some(match event {
            Event::Candidate(candidate) => {
                format!("{} candidate {}", candidate.kind, candidate.address)
            }
            Event::Server(server) => server_sentence(server),
            Event::End => "has all candidates".into(),
            Event::State { state, why } if state == why => paint.bold(format!("state {state}")),
            Event::State { state, why } => format!("{}: {why}", paint.bold(format!("state {state}"))),
            Event::Selected(pair) => paint.good(format!(
                "selected {} {} - {} {}",
                pair.local, pair.local_addr, pair.remote, pair.remote_addr
            )),
            _ => return None,
        })
    }
}

fn server_sentence(server: &Server) -> String {
    let took = rtt(server.rtt_ms);
    match (&server.error, &server.relayed, &server.mapped) {
        (Some(error), ..) => format!("{} failed: {error}", server.url),
        (_, Some(_), _) => format!("the server relays, RTT {took}"),
        (_, _, Some(mapped)) if server.redundant == Some(true) => {
            format!("seen at {mapped}: srflx is redundant, RTT {took}")
        }
        (_, _, Some(mapped)) => format!("seen at {mapped}, RTT {took}"),
        _ => server.url.clone(),
    }
}
