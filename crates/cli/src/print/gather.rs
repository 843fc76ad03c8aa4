//! Candidates as they come, and what the servers did.

use std::io::{self, IsTerminal};

use floe_ice_agent::GatheringState;

use super::{Paint, columns, json, line, note, rtt, wrap};
use crate::contract::{Candidate, Event, Server};

/// Prints what gathering brings.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    paint: Paint,
    found: usize,
    servers: Vec<Server>,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::for_stdout(), found: 0, servers: Vec::new() }
    }

    pub(crate) fn asking(&self, servers: &str) {
        if !self.json && !servers.is_empty() && io::stderr().is_terminal() {
            note(Paint::for_stderr().faint(format!("asking {servers} (up to 5 s)")));
        }
    }

    /// The widths are those of the longest numbers; addresses differ too much in length to have others behind them.
    pub(crate) fn candidate(&mut self, candidate: Candidate) -> io::Result<()> {
        if self.json {
            return json(&Event::Candidate(candidate));
        }
        self.found += 1;
        if self.found == 1 {
            line(self.paint.bold("TYPE     PRIORITY  FOUNDATION  ADDRESS                FROM"))?;
        }
        let Candidate { kind, address, priority, foundation, server, .. } = candidate;
        let server = server.unwrap_or_default();
        line(format!("{kind:<5}  {priority:>10}  {foundation:<10}  {address:<21}  {server}").trim_end())
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

    pub(crate) fn finish(&self) -> io::Result<()> {
        if self.json {
            return json(&Event::End);
        }
        let mut urls: Vec<&str> = Vec::new();
        for server in &self.servers {
            if !urls.contains(&server.url.as_str()) {
                urls.push(&server.url);
            }
        }
        urls.into_iter().try_for_each(|url| self.told_by(url))
    }

    /// What one server did for each of our addresses.
    fn told_by(&self, url: &str) -> io::Result<()> {
        let reports: Vec<_> = self.servers.iter().filter(|server| server.url == url).collect();
        let helped = reports.iter().filter(|server| server.ok).count();
        let verdict = match helped {
            0 => self.paint.bad("not helpful"),
            _ if helped < reports.len() => self.paint.bold("partly helpful"),
            _ => self.paint.good("helpful"),
        };
        line("")?;
        line(format!("{}: {verdict}", self.paint.bold(url)))?;
        let rows: Vec<_> = reports.iter().filter(|server| server.ok).map(|server| row(server)).collect();
        columns(&rows).iter().try_for_each(line)?;
        for server in reports {
            if let Some(error) = &server.error {
                let from = server.local.as_deref().map(|local| format!("{local}: "));
                line(wrap(2, &format!("{}{error}", from.unwrap_or_default())))?;
            }
        }
        Ok(())
    }
}

fn row(server: &Server) -> [String; 3] {
    let from = server.local.as_deref().unwrap_or_default();
    [format!("  {from}"), format!("RTT {}", rtt(server.rtt_ms)), result(server)]
}

fn result(server: &Server) -> String {
    match (&server.relayed, &server.mapped) {
        (Some(relayed), _) => format!("relays at {relayed}"),
        (_, Some(mapped)) if server.redundant == Some(true) => {
            format!("sees {mapped}, known already")
        }
        (_, Some(mapped)) => format!("sees {mapped}"),
        _ => String::new(),
    }
}
