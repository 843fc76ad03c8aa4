//! What the NAT on our way does (RFC 5780), asked from fresh sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_stun::behaviour::{BehaviourClient, BehaviourConfig, BehaviourEvent};
use floe_stun::{Transport, Uri};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::driver::{App, Driver, Shared};
use crate::entropy;
use crate::error::BindError;
use crate::interfaces::source_towards;
use crate::query::QueryError;
use crate::resolve::resolve;
use crate::sockets::Sockets;

/// A discovery under way. Dropping it ends it.
#[derive(Debug)]
pub struct Discovery {
    server: SocketAddr,
    local: SocketAddr,
    shared: Arc<Shared<BehaviourClient>>,
    findings: mpsc::UnboundedReceiver<BehaviourEvent>,
}

impl Discovery {
    /// Begins; needs a tokio runtime. `longest_rest` also measures how long an unused binding lives, which takes
    /// several times as long.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked at all.
    pub async fn start(uri: &Uri, longest_rest: Option<Duration>) -> Result<Self, QueryError> {
        if uri.transport() != Transport::Udp {
            return Err(QueryError::Unsupported { uri: uri.clone() });
        }
        let ip = match uri.ip() {
            Some(ip) => ip,
            None => {
                let unresolved = |why| QueryError::Resolve { name: uri.host().to_owned(), why };
                let addresses = resolve(uri.host()).await.map_err(unresolved)?;
                let v4 = addresses.iter().find(|ip| ip.is_ipv4()).or_else(|| addresses.first());
                v4.copied().ok_or_else(|| unresolved(floe_stun::Failure::NoSuchName))?
            }
        };
        Self::against(SocketAddr::new(ip, uri.port()), longest_rest)
    }

    fn against(server: SocketAddr, longest_rest: Option<Duration>) -> Result<Self, QueryError> {
        let source = source_towards(server).map_err(|_| QueryError::Unreachable { server })?;
        let mut sockets = Sockets::default();
        let mut bind = || {
            let address = SocketAddr::new(source, 0);
            sockets.bind(address).map_err(|why| BindError::Socket { address, why })
        };
        let (first, second, third) = (bind()?, bind()?, bind()?);
        let clock = Clock::start();
        let mut config = BehaviourConfig::new((first.id(), first.local()), second.id(), third.id(), server);
        config.longest_rest = longest_rest;
        let client = BehaviourClient::new(clock.now(), config, entropy::seed()?);
        let (outlet, findings) = mpsc::unbounded_channel();
        let shared = Shared::new(client, sockets, clock);
        // It is idle when it is done, and not before.
        shared.end(Duration::MAX);
        tokio::spawn(Driver::new(Arc::clone(&shared), outlet).run());
        Ok(Self { server, local: first.local(), shared, findings })
    }

    /// The server that is asked.
    #[must_use]
    pub const fn server(&self) -> SocketAddr {
        self.server
    }

    /// The address it is asked from.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next finding; none after [`BehaviourEvent::Done`].
    pub async fn next(&mut self) -> Option<BehaviourEvent> {
        self.findings.recv().await
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.shared.end(Duration::ZERO);
    }
}

impl App<BehaviourClient> for mpsc::UnboundedSender<BehaviourEvent> {
    fn on_event(&mut self, _: &mut Sockets, event: BehaviourEvent) {
        let _ = self.send(event);
    }

    fn on_data(&mut self, _: &Sockets, (): ()) {}
}
