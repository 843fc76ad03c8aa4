//! `floe gather`: what could we be reached at, and which server helps?

use std::collections::BTreeSet;

use floe_ice_agent::{Event, GatheringState, Role};
use floe_tokio::{Endpoint, Events};

use crate::Gather;
use crate::contract::{Candidate, Server};
use crate::failure::Failure;
use crate::print::gather::Printer;
use crate::servers::Servers;
use crate::signals::Signals;

/// Fails if a server gave nothing to any of our addresses.
pub(crate) async fn run(options: Gather) -> Result<(), Failure> {
    let servers = Servers::read(options.servers)?;
    let mut signals = Signals::listen()?;
    let mut printer = Printer::new(options.json);
    let builder = Endpoint::builder(Role::Controlling).loopback(options.loopback || servers.on_loopback());
    let (endpoint, mut events) = builder.servers(servers.usable.clone()).bind().await?;
    let outcome = tokio::select! {
        outcome = gather(&servers, &mut events, &mut printer) => outcome,
        () = signals.recv() => Err(Failure::Interrupted),
    };
    endpoint.close().await;
    outcome
}

async fn gather(servers: &Servers, events: &mut Events, printer: &mut Printer) -> Result<(), Failure> {
    printer.asking(&servers.names());
    for uri in &servers.unsupported {
        printer.server(Server::unsupported(uri))?;
    }
    let mut helped = BTreeSet::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Candidate(candidate) => {
                printer.candidate(Candidate::of_agent(&candidate, &servers.usable))?;
            }
            Event::Server(report) => {
                let server = Server::of_agent(&report);
                if server.ok {
                    helped.insert(report.server);
                }
                printer.server(server)?;
            }
            Event::Gathering(state) => {
                printer.gathering(state)?;
                if state == GatheringState::Complete {
                    break;
                }
            }
            _ => {}
        }
    }
    printer.finish()?;
    match servers.len() - helped.len() {
        0 => Ok(()),
        failed => Err(Failure::ServersFailed { failed, all: servers.len() }),
    }
}
