//! Candidates as they come, and what the servers did.

use std::io;

use floe_ice_agent::{Candidate, GatheringState};
use serde::Serialize;

use super::{Paint, json, line, table};
use crate::contract::{Event, Server, spaced};

/// Prints what gathering brings.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    paint: Paint,
    found: usize,
    servers: Vec<Server>,
}

/// A candidate with its parts, so that nobody has to take the line apart.
#[derive(Serialize)]
struct Found<'a> {
    ev: &'static str,
    candidate: String,
    #[serde(rename = "type")]
    kind: &'static str,
    address: String,
    priority: u32,
    foundation: &'a str,
    related: Option<String>,
    server: Option<&'a str>,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::for_stdout(), found: 0, servers: Vec::new() }
    }

    pub(crate) fn candidate(&mut self, candidate: &Candidate, server: Option<&str>) -> io::Result<()> {
        self.found += 1;
        if self.json {
            return json(&Found {
                ev: "candidate",
                candidate: candidate.to_string(),
                kind: candidate.kind.as_str(),
                address: spaced(candidate.address),
                priority: candidate.priority,
                foundation: &candidate.foundation,
                related: candidate.related.map(spaced),
                server,
            });
        }
        if self.found == 1 {
            let heading = format!(
                "{:<6} {:<28} {:>10}  {:<10}  {}",
                "TYPE", "ADDRESS", "PRIORITY", "FOUNDATION", "FROM"
            );
            line(self.paint.bold(heading))?;
        }
        let (kind, address) = (candidate.kind.as_str(), candidate.address.to_string());
        let from = match (candidate.related, server) {
            (Some(related), Some(server)) => format!("{related} by {server}"),
            (Some(related), None) => related.to_string(),
            (None, server) => server.unwrap_or_default().to_owned(),
        };
        let (priority, foundation) = (candidate.priority, &candidate.foundation);
        line(format!("{kind:<6} {address:<28} {priority:>10}  {foundation:<10}  {from}").trim_end())
    }

    pub(crate) fn server(&mut self, server: Server) -> io::Result<()> {
        if self.json {
            json(&Event::Server(server))
        } else {
            self.servers.push(server);
            Ok(())
        }
    }

    pub(crate) fn gathering(&self, state: GatheringState) -> io::Result<()> {
        if self.json { json(&Event::Gathering { state: state.as_str() }) } else { Ok(()) }
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        if self.json {
            return json(&Event::End);
        }
        if self.servers.is_empty() {
            return Ok(());
        }
        line("")?;
        line(table(&["SERVER", "ASKED FROM", "RTT", "RESULT"], self.servers.iter().map(row)))
    }
}

fn row(server: &Server) -> Vec<String> {
    vec![
        server.url.clone(),
        server.local.as_deref().map_or_else(|| "-".into(), colon),
        server.rtt_ms.map_or_else(|| "-".into(), |rtt| format!("{rtt:.2} ms")),
        result(server),
    ]
}

fn result(server: &Server) -> String {
    match (&server.error, &server.relayed, &server.mapped) {
        (Some(error), ..) => format!("failed: {error}"),
        (_, Some(relayed), _) => format!("relays at {}", colon(relayed)),
        (_, _, Some(mapped)) if server.redundant == Some(true) => {
            format!("sees {}, which is a candidate already", colon(mapped))
        }
        (_, _, Some(mapped)) => format!("sees {}", colon(mapped)),
        _ => String::new(),
    }
}

/// "ip port" as people write it.
fn colon(address: &str) -> String {
    match address.split_once(' ') {
        Some((ip, port)) if ip.contains(':') => format!("[{ip}]:{port}"),
        Some((ip, port)) => format!("{ip}:{port}"),
        None => address.to_owned(),
    }
}
