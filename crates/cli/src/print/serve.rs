//! What the embedded server tells its operator.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_stun::Transport;
use floe_turn_server::{AddressPair, Event, PeerPolicy, Released, Stats};
use serde::Serialize;

use super::{json, queued_line};
use crate::contract::written;
use crate::failure::Failure;

#[derive(Serialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
enum Told<'a> {
    Listening {
        address: String,
        transport: &'static str,
    },
    Discovery {
        primary: String,
        alternate: String,
    },
    Metrics {
        address: String,
    },
    Allocated {
        client: String,
        relayed: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        second: Option<String>,
        user: &'a str,
    },
    Moved {
        from: String,
        to: String,
        relayed: String,
        user: &'a str,
    },
    Draining {
        allocations: usize,
        seconds: u64,
    },
    Certificate {
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    Released {
        client: String,
        relayed: String,
        user: &'a str,
        why: &'static str,
    },
    #[serde(rename = "login-failed")]
    LoginFailed {
        client: String,
    },
    #[serde(rename = "peer-refused")]
    PeerRefused {
        client: String,
        peer: String,
        user: &'a str,
    },
    Closed {
        allocations: u64,
        to_peers_bytes: u64,
        to_clients_bytes: u64,
    },
}

pub(crate) fn listening(as_json: bool, transport: Transport, address: SocketAddr) -> io::Result<()> {
    let transport = match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        _ => "other",
    };
    if as_json {
        return json(&Told::Listening { address: written(address), transport });
    }
    queued_line(format!("listening on {transport} {address}"))
}

pub(crate) fn metrics(as_json: bool, address: SocketAddr) -> io::Result<()> {
    if as_json {
        return json(&Told::Metrics { address: written(address) });
    }
    queued_line(format!("counters at http://{address}/metrics"))
}

/// No new clients any more.
pub(crate) fn draining(as_json: bool, allocations: usize, patience: Duration) -> io::Result<()> {
    let seconds = patience.as_secs();
    if as_json {
        return json(&Told::Draining { allocations, seconds });
    }
    queued_line(format!(
        "takes no new clients and waits for {allocations} allocations, {seconds} s at most; another signal ends it now"
    ))
}

/// What became of the certificate that SIGHUP asked to be read again, if there is one.
pub(crate) fn reloaded(as_json: bool, result: Option<Result<(), Failure>>) -> io::Result<()> {
    let Some(result) = result else {
        return if as_json {
            Ok(())
        } else {
            queued_line("SIGHUP: there is no certificate to be read again")
        };
    };
    let error = result.err().map(|why| why.to_string());
    if as_json {
        return json(&Told::Certificate { ok: error.is_none(), error });
    }
    queued_line(match error {
        None => "the certificate has been read again; new connections are shown it".to_owned(),
        Some(why) => format!("the certificate stays as it was: {why}"),
    })
}

/// By which two addresses clients can find out what their NATs do.
pub(crate) fn discovery(as_json: bool, pair: &AddressPair) -> io::Result<()> {
    let (primary, alternate) = (pair.primary(), pair.alternate());
    if as_json {
        return json(&Told::Discovery { primary: written(primary), alternate: written(alternate) });
    }
    queued_line(format!(
        "tells clients what their NATs do, by {primary} and {alternate}; try: floe nat stun:{primary}"
    ))
}

/// It does nothing for anybody itself.
pub(crate) fn redirecting(as_json: bool) -> io::Result<()> {
    if as_json {
        return Ok(());
    }
    queued_line(
        "ready: answers STUN to everybody, and sends whoever wants a relay to the servers of --drain-to; Ctrl-C ends it",
    )
}

/// Says what it does for whom, and what to try.
pub(crate) fn ready(
    as_json: bool,
    address: SocketAddr,
    user: Option<&str>,
    has_secret: bool,
) -> io::Result<()> {
    if as_json {
        return Ok(());
    }
    match user {
        None if has_secret => queued_line(
            "ready: answers STUN to everybody and relays for those with a password made of the secret; Ctrl-C ends it",
        ),
        None => {
            queued_line(
                "ready: answers STUN to everybody and relays for nobody; --user NAME:PASSWORD lets somebody relay",
            )?;
            queued_line(format!("try:   floe stun stun:{address}"))
        }
        Some(name) => {
            queued_line(
                "ready: answers STUN to everybody and relays for those with a user name; Ctrl-C ends it",
            )?;
            queued_line(format!("try:   floe turn turn:{address} --user {name} --password …"))
        }
    }
}

pub(crate) fn event(as_json: bool, event: &Event) -> io::Result<()> {
    match event {
        Event::Allocated { client, relayed, second, user, .. } if as_json => json(&Told::Allocated {
            client: written(*client),
            relayed: written(*relayed),
            second: second.map(written),
            user,
        }),
        Event::Allocated { client, relayed, second, user, .. } => {
            let second = second.map(|second| format!(" and {second}")).unwrap_or_default();
            queued_line(format!("allocated {relayed}{second} for {client}, user {user:?}"))
        }
        Event::Moved { from, to, relayed, user } if as_json => {
            json(&Told::Moved { from: written(*from), to: written(*to), relayed: written(*relayed), user })
        }
        Event::Moved { from, to, relayed, user } => {
            queued_line(format!("moved {relayed} of {from} to {to}, user {user:?}"))
        }
        Event::Released { client, relayed, user, why } if as_json => json(&Told::Released {
            client: written(*client),
            relayed: written(*relayed),
            user,
            why: reason(*why),
        }),
        Event::Released { client, relayed, user, why } => {
            queued_line(format!("released {relayed} of {client}, user {user:?}: {}", reason(*why)))
        }
        Event::LoginFailed { client } if as_json => json(&Told::LoginFailed { client: written(*client) }),
        Event::LoginFailed { client } => {
            queued_line(format!("refused {client}: unknown user name or wrong password"))
        }
        Event::PeerRefused { client, peer, user } if as_json => {
            json(&Told::PeerRefused { client: written(*client), peer: written(*peer), user })
        }
        Event::PeerRefused { client, peer, user } => {
            let option = option_for(peer.ip());
            queued_line(format!("refused to relay to {} for {client}, user {user:?}{option}", peer.ip()))
        }
        _ => Ok(()),
    }
}

/// What would have allowed this peer, if anything.
fn option_for(peer: IpAddr) -> &'static str {
    let policy = PeerPolicy::public_only();
    if policy.clone().with_loopback().allows(peer) {
        "; --allow-loopback-peers would allow it"
    } else if policy.clone().with_private().allows(peer) {
        "; --allow-private-peers would allow it"
    } else if policy.allows(peer) {
        "; what listens beside the relay, or was denied, is no peer"
    } else {
        ""
    }
}

pub(crate) fn closed(as_json: bool, stats: &Stats) -> io::Result<()> {
    let (to_peers, to_clients) = (stats.to_peers.bytes, stats.to_clients.bytes);
    if as_json {
        return json(&Told::Closed {
            allocations: stats.allocations_total,
            to_peers_bytes: to_peers,
            to_clients_bytes: to_clients,
        });
    }
    queued_line(format!(
        "closed after {} allocations, {to_peers} bytes relayed to peers and {to_clients} to clients",
        stats.allocations_total
    ))
}

const fn reason(why: Released) -> &'static str {
    match why {
        Released::Deleted => "the client gave it back",
        Released::Expired => "the client did not refresh it",
        Released::SocketClosed => "its socket was closed",
        Released::ServerClosed => "the server was closed",
        _ => "for another reason",
    }
}
