//! The timeline of the demo.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::Instant;
use serde::Serialize;

use super::{Paint, json, line, rtt};
use crate::contract::{Event, Server, millis};
use crate::demo::{Act, Who};
use crate::echo::Pong;

/// Prints what happens in the demo, each line with its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    json: bool,
    paint: Paint,
}

#[derive(Serialize)]
struct Line<'a> {
    t_ms: f64,
    act: u8,
    who: &'static str,
    #[serde(flatten)]
    event: &'a Event,
}

#[derive(Serialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
enum Frame {
    Listening { t_ms: f64, address: String },
    Act { t_ms: f64, act: u8, policy: &'static str },
    Done { t_ms: f64 },
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::for_stdout() }
    }

    pub(crate) fn listening(self, now: Instant, address: SocketAddr) -> io::Result<()> {
        if self.json {
            let address = crate::contract::spaced(address);
            return json(&Frame::Listening { t_ms: time(now), address });
        }
        line(
            self.paint
                .bold("A STUN and TURN server and two agents, all on loopback sockets of this machine."),
        )?;
        self.say(now, "server", &format!("listens on udp {address}"))
    }

    pub(crate) fn act(self, now: Instant, act: Act) -> io::Result<()> {
        if self.json {
            return json(&Frame::Act { t_ms: time(now), act: act.number(), policy: act.policy_word() });
        }
        line("")?;
        line(self.paint.bold(format!("Act {}: {}", act.number(), act.title())))
    }

    pub(crate) fn event(self, now: Instant, act: Act, who: Who, event: &Event) -> io::Result<()> {
        if self.json {
            return json(&Line { t_ms: time(now), act: act.number(), who: who.word(), event });
        }
        match self.sentence(event) {
            Some(sentence) => self.say(now, who.word(), &sentence),
            None => Ok(()),
        }
    }

    pub(crate) fn done(self, now: Instant) -> io::Result<()> {
        if self.json {
            return json(&Frame::Done { t_ms: time(now) });
        }
        line("")?;
        line(self.paint.good(format!("All of it worked, in {:.0} ms.", time(now))))
    }

    fn say(self, now: Instant, who: &str, sentence: &str) -> io::Result<()> {
        let stamp = self.paint.faint(format!("{:>9.1} ms", time(now)));
        line(format!("{stamp}  {who:<7} {sentence}"))
    }

    fn sentence(self, event: &Event) -> Option<String> {
        let paint = self.paint;
        Some(match event {
            Event::Candidate { candidate } => candidate.clone(),
            Event::Gathering { state } => format!("gathering {state}"),
            Event::Server(server) => server_sentence(server),
            Event::State { state, why } => format!("{} ({why})", paint.bold(format!("state {state}"))),
            Event::Selected(pair) => paint.good(format!(
                "selected {} {} - {} {} ({})",
                pair.local, pair.local_addr, pair.remote_addr, pair.remote, pair.why
            )),
            _ => return None,
        })
    }

    pub(crate) fn echo(self, now: Instant, act: Act, pong: Pong) -> io::Result<()> {
        let sentence = format!("{} echoes, {} bytes, RTT {} (median)", pong.count, pong.bytes, rtt(pong.rtt));
        if self.json {
            self.event(now, act, Who::Offer, &pong.into())
        } else {
            self.say(now, "offer", &sentence)
        }
    }
}

fn server_sentence(server: &Server) -> String {
    let took = rtt(server.rtt_ms.map(|rtt| Duration::from_secs_f64(rtt.max(0.0) / 1e3)));
    match (&server.error, &server.relayed, &server.mapped) {
        (Some(error), ..) => format!("{} failed: {error}", server.url),
        (_, Some(relayed), _) => format!("{} relays at {relayed} (RTT {took})", server.url),
        (_, _, Some(mapped)) if server.redundant == Some(true) => {
            format!("{} sees {mapped}: srflx is redundant with host (RTT {took})", server.url)
        }
        (_, _, Some(mapped)) => format!("{} sees {mapped} (RTT {took})", server.url),
        _ => server.url.clone(),
    }
}

fn time(now: Instant) -> f64 {
    millis(now - Instant::ORIGIN)
}
