//! What was found of a NAT, in words and what they mean, or as JSON lines.

use std::io;
use std::net::SocketAddr;

use floe_stun::behaviour::{BehaviourEvent, Certainty, Dependence, Obstacle, Test};
use serde::Serialize;

use super::{Paint, json as json_line, line, rtt};
use crate::contract::{millis, written};

pub(crate) struct Printer {
    json: bool,
    server: SocketAddr,
    local: SocketAddr,
    translated: bool,
    mapping: Option<Dependence>,
    filtering: Option<Dependence>,
}

impl Printer {
    pub(crate) const fn new(json: bool, server: SocketAddr, local: SocketAddr) -> Self {
        Self { json, server, local, translated: true, mapping: None, filtering: None }
    }

    pub(crate) fn event(&mut self, event: BehaviourEvent) -> io::Result<()> {
        match event {
            BehaviourEvent::NoNat => self.translated = false,
            BehaviourEvent::Mapping(found, _) => self.mapping = Some(found),
            BehaviourEvent::Filtering(found, _) => self.filtering = Some(found),
            _ => {}
        }
        if self.json { self.as_json(event) } else { self.in_words(event) }
    }

    fn as_json(&self, event: BehaviourEvent) -> io::Result<()> {
        let found = |test, value, how| Told::Finding { test, value, certainty: certain(how) };
        json_line(&match event {
            BehaviourEvent::Reached { mapped, rtt } => Told::Server {
                server: written(self.server),
                local: written(self.local),
                ok: true,
                mapped: written(mapped),
                rtt_ms: rtt.map(millis),
            },
            BehaviourEvent::NoNat => found("mapping", "none", Certainty::Seen),
            BehaviourEvent::Mapping(value, how) => found("mapping", name(value), how),
            BehaviourEvent::Filtering(value, how) => found("filtering", name(value), how),
            BehaviourEvent::Hairpin(value, how) => found("hairpin", if value { "yes" } else { "no" }, how),
            BehaviourEvent::Lifetime { survived, died } => {
                Told::Lifetime { survived_s: survived.as_secs(), died_s: died.map(|died| died.as_secs()) }
            }
            BehaviourEvent::Unknown(test, why) => Told::Unknown { test: test_name(test), error: words(why) },
            _ => return Ok(()),
        })
    }

    fn in_words(&self, event: BehaviourEvent) -> io::Result<()> {
        let paint = Paint::for_stdout();
        let say = |what: &str, found: &str, meaning: &str, how| {
            line(format!("{what:<10} {}", paint.bold(format!("{found} ({})", certain(how)))))?;
            line(format!("           {meaning}"))
        };
        match event {
            BehaviourEvent::Reached { mapped, rtt: took } => line(format!(
                "{} answered in {}: it sees {}, here it is {}",
                self.server,
                rtt(took.map(millis)),
                paint.good(mapped),
                self.local
            )),
            BehaviourEvent::NoNat => {
                say("mapping", "none", "no NAT on this way: the address is our own", Certainty::Seen)
            }
            BehaviourEvent::Mapping(found, how) => say("mapping", name(found), mapping_means(found), how),
            BehaviourEvent::Filtering(found, how) => {
                say("filtering", name(found), filtering_means(found), how)
            }
            BehaviourEvent::Hairpin(true, how) => {
                say("hairpin", "yes", "two machines behind this NAT can meet at their outside addresses", how)
            }
            BehaviourEvent::Hairpin(false, how) => {
                say("hairpin", "no", "machines behind this NAT meet at their inside addresses only", how)
            }
            BehaviourEvent::Lifetime { survived, died: Some(died) } => line(format!(
                "lifetime   an unused binding lives {} s and not {} s",
                survived.as_secs(),
                died.as_secs()
            )),
            BehaviourEvent::Lifetime { survived, died: None } => {
                line(format!("lifetime   an unused binding lives {} s at least", survived.as_secs()))
            }
            BehaviourEvent::Unknown(test, why) => {
                line(format!("{:<10} unknown: {}", test_name(test), paint.bad(words(why))))
            }
            _ => Ok(()),
        }
    }

    /// What it all means for a person.
    pub(crate) fn conclusion(&self) -> io::Result<()> {
        let text = match (self.translated, self.mapping, self.filtering) {
            (false, _, Some(Dependence::EndpointIndependent)) => "everybody can reach this machine directly",
            (false, _, None) => "there is no NAT; whether a firewall keeps strangers out is not known",
            (false, ..) => "direct connections work with all but those whose NAT maps by destination",
            (true, Some(Dependence::EndpointIndependent), Some(Dependence::AddressAndPortDependent)) => {
                "direct connections work with all but those whose NAT maps by destination; they need a relay"
            }
            (true, Some(Dependence::EndpointIndependent), _) => {
                "direct connections work with nearly everybody"
            }
            (true, Some(_), _) => "direct connections work only with open peers; have a TURN server at hand",
            (true, None, _) => "too little was found out to say more",
        };
        if self.json {
            return json_line(&Told::Done { conclusion: text });
        }
        line(format!("in short   {text}"))
    }
}

/// What stood in the way.
pub(crate) fn words(why: Obstacle) -> String {
    match why {
        Obstacle::Silent => {
            "it did not answer; check address and port, and that UDP is not blocked".to_owned()
        }
        Obstacle::Unreachable => {
            "the network says that it cannot be reached; check address, port and firewall".to_owned()
        }
        Obstacle::OneAddress => "it has one address only; ask a server with two (RFC 5780)".to_owned(),
        Obstacle::Refused(code) => format!("it refused with error {code}; ask another server"),
        Obstacle::NotMoved => {
            "it was to answer from elsewhere and did not, so that its answer proves nothing; ask another server".to_owned()
        }
        _ => "it could not be asked".to_owned(),
    }
}

#[derive(Serialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
enum Told {
    Server { server: String, local: String, ok: bool, mapped: String, rtt_ms: Option<f64> },
    Finding { test: &'static str, value: &'static str, certainty: &'static str },
    Lifetime { survived_s: u64, died_s: Option<u64> },
    Unknown { test: &'static str, error: String },
    Done { conclusion: &'static str },
}

const fn certain(how: Certainty) -> &'static str {
    match how {
        Certainty::Seen => "seen",
        Certainty::Inferred => "inferred from silence",
    }
}

const fn name(found: Dependence) -> &'static str {
    match found {
        Dependence::EndpointIndependent => "endpoint-independent",
        Dependence::AddressDependent => "address-dependent",
        Dependence::AddressAndPortDependent => "address- and port-dependent",
    }
}

const fn test_name(test: Test) -> &'static str {
    match test {
        Test::Mapping => "mapping",
        Test::Filtering => "filtering",
        Test::Lifetime => "lifetime",
        _ => "server",
    }
}

const fn mapping_means(found: Dependence) -> &'static str {
    match found {
        Dependence::EndpointIndependent => "one outside address, whoever we talk to",
        Dependence::AddressDependent => "another outside address for each host we talk to",
        Dependence::AddressAndPortDependent => {
            "another outside address for each port we talk to (\"symmetric\")"
        }
    }
}

const fn filtering_means(found: Dependence) -> &'static str {
    match found {
        Dependence::EndpointIndependent => "anybody may send in once we have sent out",
        Dependence::AddressDependent => "only hosts that we have sent to may send in",
        Dependence::AddressAndPortDependent => "only exactly where we have sent to may send in",
    }
}
