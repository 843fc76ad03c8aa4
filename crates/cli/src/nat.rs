//! `floe nat`: what the NAT in front of this machine does, and what that means.

use std::time::Duration;

use floe_stun::behaviour::{BehaviourEvent, Test};
use floe_tokio::Discovery;

use crate::failure::Failure;
use crate::print::nat::{Printer, words};
use crate::{Nat, print};

/// Succeeds if the server answered; what it could not find out is told.
pub(crate) async fn run(options: Nat) -> Result<(), Failure> {
    let Nat { uri, lifetime, json } = options;
    let longest_rest = lifetime.then_some(LONGEST_REST);
    let mut discovery = Discovery::start(&uri, longest_rest).await?;
    let mut printer = Printer::new(json, discovery.server(), discovery.local());
    if lifetime {
        print::note(
            "measuring how long an unused binding lives takes a quarter of an hour or more; Ctrl-C ends it",
        );
    }
    while let Some(event) = discovery.next().await {
        if let BehaviourEvent::Unknown(Test::Reachability, why) = event {
            return Err(Failure::NoBehaviour { server: discovery.server(), why: words(why) });
        }
        printer.event(event)?;
        if event == BehaviourEvent::Done {
            break;
        }
    }
    printer.conclusion().map_err(Failure::from)
}

/// RFC 4787 §4.3 wants two minutes at least; what lives longer than this needs no care.
const LONGEST_REST: Duration = Duration::from_secs(300);
