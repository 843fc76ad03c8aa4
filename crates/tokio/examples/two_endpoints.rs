//! Two endpoints of one program find each other on loopback and talk: `cargo run -p floe-tokio --example two_endpoints`.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};

use floe_ice_agent::{ConnectionState, Event, GatheringState, Role};
use floe_tokio::{Endpoint, Events};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Without `addresses`, an endpoint uses those of all interfaces but loopback.
    let here = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let (alice, alice_events) = Endpoint::builder(Role::Controlling).addresses(here).bind().await?;
    let (bob, bob_events) = Endpoint::builder(Role::Controlled).addresses(here).bind().await?;

    // Any signalling will do; here it is a function call.
    alice.set_remote(bob.local_credentials(), false)?;
    bob.set_remote(alice.local_credentials(), false)?;
    tokio::try_join!(connect(alice_events, &bob), connect(bob_events, &alice))?;

    alice.send(b"hello").await?;
    assert_eq!(bob.recv().await.as_deref(), Some(&b"hello"[..]));
    bob.send(b"hello back").await?;
    assert_eq!(alice.recv().await.as_deref(), Some(&b"hello back"[..]));

    tokio::join!(alice.close(), bob.close());
    Ok(())
}

/// Carries our candidates to the peer until all are told and the connection stands.
async fn connect(mut events: Events, peer: &Endpoint) -> Result<(), Box<dyn Error>> {
    let (mut gathered, mut completed) = (false, false);
    while !(gathered && completed) {
        match events.recv().await.ok_or("closed too early")? {
            Event::Candidate(candidate) => {
                peer.add_remote_candidate(&candidate.to_string())?;
            }
            Event::Gathering(GatheringState::Complete) => {
                peer.end_of_candidates();
                gathered = true;
            }
            Event::State { state: ConnectionState::Completed, .. } => completed = true,
            Event::State { state: ConnectionState::Failed, why } => return Err(why.to_string().into()),
            _ => {}
        }
    }
    Ok(())
}
