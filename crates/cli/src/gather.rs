//! `floe gather`: what could we be reached at, and which server helps?

use std::collections::BTreeSet;

use floe_ice_agent::{Candidate, Event, GatheringState, Role, ServerOutcome};
use floe_tokio::Endpoint;

use crate::Gather;
use crate::contract::Server;
use crate::failure::Failure;
use crate::print::gather::Printer;
use crate::servers::Servers;

/// Fails if a server gave nothing to any of our addresses.
pub(crate) async fn run(options: Gather) -> Result<(), Failure> {
    let servers = Servers::read(options.servers)?;
    let mut printer = Printer::new(options.json);
    let builder = Endpoint::builder(Role::Controlling).loopback(options.loopback);
    let (endpoint, mut events) = builder.servers(servers.usable.clone()).bind().await?;
    for uri in &servers.unsupported {
        printer.server(Server::unsupported(uri))?;
    }

    let mut helped = BTreeSet::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Candidate(candidate) => {
                printer.candidate(&candidate, server_of(&servers, &candidate).as_deref())?;
            }
            Event::Server(report) => {
                if !matches!(report.outcome, ServerOutcome::Failed { .. }) {
                    helped.insert(report.server);
                }
                printer.server(Server::of_agent(&report))?;
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
    endpoint.close().await;
    match servers.len() - helped.len() {
        0 => Ok(()),
        failed => Err(Failure::ServersFailed { failed, all: servers.len() }),
    }
}

fn server_of(servers: &Servers, candidate: &Candidate) -> Option<String> {
    let server = servers.usable.get(usize::from(candidate.server?.0))?;
    Some(server.uri.to_string())
}
