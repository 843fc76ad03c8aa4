//! One question to a STUN server: what is my address? (RFC 8489 §12)

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_stun::{BindingClient, BindingEvent, Failure, Schedule, Transport, Uri};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::driver::{App, Driver, Shared};
use crate::entropy;
use crate::error::BindError;
use crate::interfaces::source_towards;
use crate::resolve::resolve;
use crate::sockets::Sockets;

/// What a server told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The server that was asked.
    pub server: SocketAddr,
    /// The address it was asked from.
    pub local: SocketAddr,
    /// Our address as the server sees it.
    pub mapped: SocketAddr,
    /// Round-trip time; none if the request had to be sent again.
    pub rtt: Option<Duration>,
    /// What the server says it is.
    pub software: Option<String>,
}

/// Why a server did not tell.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The URI asks for more than UDP.
    #[error("cannot ask {uri}: only UDP is supported yet; use a stun: URI")]
    Unsupported {
        /// The URI.
        uri: Uri,
    },
    /// The name has no address, or the resolver did not say.
    #[error("{name}: the name could not be resolved: {why}; check its spelling and the DNS")]
    Resolve {
        /// The name.
        name: String,
        /// What the resolver said.
        why: Failure,
    },
    /// This machine gave no socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The server refused.
    #[error("{server}: the server refused: {code} {reason}")]
    Refused {
        /// The server.
        server: SocketAddr,
        /// The STUN error code.
        code: u16,
        /// What it said.
        reason: String,
    },
    /// The answer was no answer.
    #[error("{server}: the server's answer holds no address; it may not be a STUN server")]
    Unusable {
        /// The server.
        server: SocketAddr,
    },
    /// The network refused.
    #[error("{server}: the network says that the server cannot be reached; check address, port and firewall")]
    Unreachable {
        /// The server.
        server: SocketAddr,
    },
    /// Silence.
    #[error(
        "{server}: no answer within {} s; check address and port, and that UDP is not blocked",
        .waited.as_secs_f32()
    )]
    TimedOut {
        /// The server.
        server: SocketAddr,
        /// How long it was waited for.
        waited: Duration,
    },
}

impl QueryError {
    /// The STUN error code, where there was one.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Asks the server for our address over every family that its name has, all at once; IPv4 and IPv6 differ in what
/// they go through.
///
/// # Errors
///
/// When nobody could be asked. What came of each question stands in the list.
pub async fn query(uri: &Uri) -> Result<Vec<Result<Answer, QueryError>>, QueryError> {
    if uri.transport() != Transport::Udp {
        return Err(QueryError::Unsupported { uri: uri.clone() });
    }
    let addresses = match uri.ip() {
        Some(ip) => vec![ip],
        None => resolve(uri.host())
            .await
            .map_err(|why| QueryError::Resolve { name: uri.host().to_owned(), why })?,
    };
    let first = |v6: bool| addresses.iter().copied().find(|ip| ip.is_ipv6() == v6);
    let ask = async |ip: Option<IpAddr>| match ip {
        Some(ip) => Some(ask(SocketAddr::new(ip, uri.port())).await),
        None => None,
    };
    let (v4, v6) = tokio::join!(ask(first(false)), ask(first(true)));
    Ok([v4, v6].into_iter().flatten().collect())
}

async fn ask(server: SocketAddr) -> Result<Answer, QueryError> {
    let source = source_towards(server).map_err(|_| QueryError::Unreachable { server })?;
    let (mut sockets, bind) = (Sockets::default(), SocketAddr::new(source, 0));
    let socket = sockets.bind(bind).map_err(|why| BindError::Socket { address: bind, why })?;
    let clock = Clock::start();
    let client = BindingClient::with_schedule(clock.now(), socket.id(), server, entropy::seed()?, SCHEDULE);
    let shared = Shared::new(client, sockets, clock);
    shared.end(SCHEDULE.total().saturating_mul(2));
    let (outlet, mut outcome) = mpsc::unbounded_channel();
    Driver::new(shared, outlet).run().await;
    match outcome.recv().await {
        Some(BindingEvent::Answered { mapped, rtt, software }) => {
            Ok(Answer { server, local: socket.local(), mapped, rtt, software })
        }
        Some(BindingEvent::Refused { code, reason }) => Err(QueryError::Refused { server, code, reason }),
        Some(BindingEvent::Unusable) => Err(QueryError::Unusable { server }),
        Some(BindingEvent::Unreachable) => Err(QueryError::Unreachable { server }),
        _ => Err(QueryError::TimedOut { server, waited: SCHEDULE.total() }),
    }
}

impl App<BindingClient> for mpsc::UnboundedSender<BindingEvent> {
    fn on_event(&mut self, _: &mut Sockets, event: BindingEvent) {
        let _ = self.send(event);
    }

    fn on_data(&mut self, _: &Sockets, (): ()) {}
}

/// Requests at 0, 0.5, 1.5 and 3.5 s and an end at 5.5 s: a person waits for this, so it ends before the 39.5 s of
/// RFC 8489 §6.2.1.
const SCHEDULE: Schedule = Schedule::DEFAULT.with_sends(4).with_last_wait(4);
