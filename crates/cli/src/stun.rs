//! `floe stun`: what is our address, as a server sees it?

use floe_tokio::query;

use crate::contract::{Event, Server};
use crate::failure::Failure;
use crate::print::json;
use crate::{Stun, print};

/// Succeeds if any of the server's addresses answered.
pub(crate) async fn run(options: Stun) -> Result<(), Failure> {
    let Stun { uri, json: as_json } = options;
    let mut told = match query(&uri).await {
        Ok(told) => told,
        Err(why) => vec![Err(why)],
    };
    if as_json {
        told.iter().try_for_each(|told| json(&Event::Server(Server::of_query(&uri, told))))?;
    }
    // The only question failed: its error is the error of the command.
    if let [Err(_)] = told.as_slice() {
        return told.remove(0).map(drop).map_err(Failure::from);
    }
    if !as_json {
        told.iter().try_for_each(print::stun::told)?;
    }
    if told.iter().any(Result::is_ok) {
        Ok(())
    } else {
        Err(Failure::NobodyAnswered { servers: uri.to_string() })
    }
}
