//! `floe serve`: the embedded STUN and TURN server, for a lab, a small deployment, or beside an application.

mod fleet;
mod metrics;
mod settings;

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use floe_stun::Transport;
use floe_stun::credentials::rest;
use floe_tokio::{BindError, ServerBuilder, TlsIdentity, TurnServer, addresses};
use floe_turn_server::{Config, Limits, PeerPolicy};
use tokio::time::{Instant, sleep_until};

use crate::failure::Failure;
use crate::signals::{Signal, Signals};
use crate::{Serve, print};
use fleet::Fleet;
use metrics::Metrics;
pub(crate) use settings::Settings;
use settings::{Elsewhere, PortRange, RelayIp};

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn run(options: Serve) -> Result<(), Failure> {
    let Serve { settings, config, json } = options;
    let settings = settings.or_of(config.as_deref())?.or_of_environment()?;
    let mut signals = Signals::listen()?.and_hangup()?;
    // Every allocation and every stream takes a descriptor; what the system refuses, it refuses later too.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    if settings.redirect && settings.drain_to.is_empty() {
        return Err(Failure::NowhereToRedirect);
    }
    let tls = Identity::read(&settings)?;
    let listen = Listen::read(&settings, &tls)?;
    let mut fleet = Fleet::bind(settings.workers.map_or(1, NonZeroUsize::get), &listen, |listen| {
        let config = config_of(&settings, &listen.udp);
        listen.builder(config, tls.as_ref().map(|tls| &tls.identity))
    })
    .await?;
    for (transport, address) in fleet.listeners() {
        print::serve::listening(json, *transport, *address)?;
    }
    for pair in fleet.first().map(TurnServer::pairs).unwrap_or_default() {
        print::serve::discovery(json, pair)?;
    }
    if let Some(address) = settings.metrics {
        let metrics = Metrics::listen(address).await.map_err(|why| BindError::Listener { address, why })?;
        print::serve::metrics(json, metrics.local())?;
        fleet.keep_away_from(metrics.local());
        tokio::spawn(metrics.serve(fleet.counters()));
    }
    let elsewhere: Vec<_> = settings.drain_to.iter().map(Elsewhere::pair).collect();
    if settings.redirect {
        fleet.drain(&elsewhere);
    }
    let first = fleet.listeners().first().map(|(_, address)| *address).ok_or(BindError::NoAddress)?;
    let somebody = settings.user.first().map(|user| user.name.as_str());
    match settings.redirect {
        true => print::serve::redirecting(json)?,
        false => print::serve::ready(json, first, somebody, !settings.secret.is_empty())?,
    }

    let mut ends_at = None;
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Hangup => or_lost(print::serve::reloaded(json, tls.as_ref().map(Identity::reload)))?,
                Signal::Terminate if ends_at.is_none() && settings.drain.is_some() => {
                    let patience = Duration::from_secs(settings.drain.unwrap_or_default());
                    fleet.drain(&elsewhere);
                    ends_at = Some(Instant::now() + patience);
                    or_lost(print::serve::draining(json, fleet.stats().allocations, patience))?;
                }
                Signal::Terminate | Signal::Interrupt => break,
            },
            event = fleet.recv() => match event {
                Some(event) => or_lost(print::serve::event(json, &event))?,
                None => break,
            },
            () = until(ends_at) => break,
        }
        if ends_at.is_some() && fleet.stats().allocations == 0 {
            break;
        }
    }
    fleet.close().await;
    while let Some(event) = fleet.recv().await {
        or_lost(print::serve::event(json, &event))?;
    }
    or_lost(print::serve::closed(json, &fleet.stats()))?;
    Ok(())
}

/// A reader that has stalled loses lines, and its server goes on.
fn or_lost(printed: io::Result<()>) -> io::Result<()> {
    printed.or_else(|why| if why.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(why) })
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}

/// Who the server is to clients over TLS, and where that stands.
#[derive(Debug)]
struct Identity<'s> {
    identity: TlsIdentity,
    certificate: &'s Path,
    key: &'s Path,
}

impl<'s> Identity<'s> {
    fn read(settings: &'s Settings) -> Result<Option<Self>, Failure> {
        match (&settings.certificate, &settings.key) {
            (Some(certificate), Some(key)) => {
                let (chain, private) = (read(certificate)?, read(key)?);
                let identity = TlsIdentity::from_pem(&chain, &private)?;
                Ok(Some(Self { identity, certificate, key }))
            }
            (None, None) if settings.tls_listen.is_empty() => Ok(None),
            _ => Err(Failure::NoCertificate),
        }
    }

    /// Reads both files again; if they are no good, the old ones serve on.
    fn reload(&self) -> Result<(), Failure> {
        let (chain, private) = (read(self.certificate)?, read(self.key)?);
        Ok(self.identity.replace(&chain, &private)?)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|why| Failure::Input { why: format!("{}: {why}", path.display()) })
}

/// Where to listen.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    udp: Vec<SocketAddr>,
    tcp: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
    alternates: Vec<SocketAddr>,
}

impl Listen {
    fn read(settings: &Settings, tls: &Option<Identity<'_>>) -> Result<Self, Failure> {
        let ours = addresses(true).map_err(|why| BindError::Interfaces { why })?;
        if let Some(RelayIp { local, .. }) = settings.relay_ip.iter().find(|ip| !ours.contains(&ip.local)) {
            let why = io::ErrorKind::AddrNotAvailable.into();
            return Err(BindError::Socket { address: SocketAddr::new(*local, 0), why }.into());
        }
        let udp = listen_addresses(&settings.listen, &ours, DEFAULT_PORT);
        let alternates = settings.alternate.iter().map(|one| one.beside(&settings.listen));
        Ok(Self {
            tcp: if settings.no_tcp { Vec::new() } else { udp.clone() },
            tls: match tls {
                Some(_) if settings.tls_listen.is_empty() => on_port(&udp, DEFAULT_TLS_PORT),
                Some(_) => listen_addresses(&settings.tls_listen, &ours, DEFAULT_TLS_PORT),
                None => Vec::new(),
            },
            udp,
            alternates: alternates.collect::<Result<_, _>>()?,
        })
    }

    /// The same, with the ports that were chosen.
    fn as_bound(&self, listeners: &[(Transport, SocketAddr)]) -> Self {
        let of =
            |transport| listeners.iter().filter(move |(t, _)| *t == transport).map(|(_, address)| *address);
        let udp: Vec<_> = of(Transport::Udp).take(self.udp.len()).collect();
        let alternates = self.alternates.iter().map(|alternate| {
            let bound = of(Transport::Udp).find(|bound| {
                bound.ip() == alternate.ip() && !udp.iter().any(|primary| primary.port() == bound.port())
            });
            bound.unwrap_or(*alternate)
        });
        Self {
            alternates: alternates.collect(),
            tcp: of(Transport::Tcp).collect(),
            tls: of(Transport::Tls).collect(),
            udp: udp.clone(),
        }
    }

    fn builder(&self, config: Config, identity: Option<&TlsIdentity>) -> ServerBuilder {
        let mut builder = TurnServer::builder(config);
        for address in &self.udp {
            builder = builder.udp(*address);
        }
        for address in &self.tcp {
            builder = builder.tcp(*address);
        }
        for (address, identity) in self.tls.iter().zip(identity.into_iter().cycle()) {
            builder = builder.tls(*address, identity);
        }
        self.alternates.iter().fold(builder, |builder, address| builder.alternate(*address))
    }
}

impl Elsewhere {
    fn pair(&self) -> (SocketAddr, Option<String>) {
        (self.address, self.name.clone())
    }
}

/// An unspecified address stands for all addresses of its family, each with a socket of its own, so that answers leave
/// from where they were asked.
fn listen_addresses(asked: &[SocketAddr], ours: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    if asked.is_empty() {
        return ours.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
    }
    let expand = |address: &SocketAddr| match address.ip().is_unspecified() {
        true => ours.iter().filter(|ip| ip.is_ipv4() == address.is_ipv4()).copied().collect(),
        false => vec![address.ip()],
    };
    asked
        .iter()
        .flat_map(|address| expand(address).into_iter().map(|ip| SocketAddr::new(ip, address.port())))
        .collect()
}

/// The same addresses with another port, each once; where the system has chosen the one, it chooses the other.
fn on_port(addresses: &[SocketAddr], port: u16) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for address in addresses {
        let there = SocketAddr::new(address.ip(), if address.port() == 0 { 0 } else { port });
        if !found.contains(&there) {
            found.push(there);
        }
    }
    found
}

fn config_of(settings: &Settings, listen: &[SocketAddr]) -> Config {
    let mut config = Config::new(settings.realm.as_deref().unwrap_or("floe"))
        .with_peers(peers(settings))
        .with_software(concat!("floe ", env!("CARGO_PKG_VERSION")))
        .with_limits(limits(settings));
    config.relay_addresses = relay_addresses(&settings.relay_ip, listen);
    for RelayIp { local, external } in &settings.relay_ip {
        config.external.extend(external.map(|external| (*local, external)));
    }
    if let Some(PortRange { first, last }) = settings.relay_ports {
        config.relay_ports = first..=last;
    }
    if let Some(seconds) = settings.max_lifetime {
        config.max_lifetime = Duration::from_secs(seconds);
        config.default_lifetime = config.default_lifetime.min(config.max_lifetime);
    }
    if let Some(seconds) = settings.nonce_lifetime {
        config.nonce_lifetime = Duration::from_secs(seconds);
    }
    config.host_addresses = addresses(true).unwrap_or_default();
    let is_alone = settings.workers.is_none_or(|count| count.get() == 1);
    config.mobility = !settings.no_mobility && is_alone;
    // Streams of one client may come to different workers, and what passes by the server is not counted.
    let counts_bytes = settings.max_bytes.or(settings.max_bytes_per_user).is_some();
    config.tcp = !settings.no_tcp_relay && is_alone && !counts_bytes;
    for user in &settings.user {
        config = config.with_user(&user.name, &user.password);
    }
    for secret in &settings.secret {
        config = config.with_secret(rest::Secret::new(&secret.0));
    }
    config
}

fn peers(settings: &Settings) -> PeerPolicy {
    let mut peers = PeerPolicy::public_only();
    if settings.allow_loopback_peers {
        peers = peers.with_loopback();
    }
    if settings.allow_private_peers {
        peers = peers.with_private();
    }
    let peers = settings.allow_peer.iter().fold(peers, |peers, network| peers.allowing(network.0));
    settings.deny_peer.iter().fold(peers, |peers, network| peers.denying(network.0))
}

fn limits(settings: &Settings) -> Limits {
    let mut limits = Limits::default();
    limits.allocations = settings.max_allocations.unwrap_or(limits.allocations);
    limits.allocations_per_user = settings.max_allocations_per_user.unwrap_or(limits.allocations_per_user);
    limits.bytes_per_second = settings.max_bytes;
    limits.bytes_per_second_per_user = settings.max_bytes_per_user;
    limits
}

/// What was asked for, and for a family that was not asked for the first address listened on, best one that others
/// can reach.
fn relay_addresses(asked: &[RelayIp], listen: &[SocketAddr]) -> Vec<IpAddr> {
    let mut chosen: Vec<_> = asked.iter().map(|relay| relay.local).collect();
    let mut ours: Vec<_> = listen.iter().map(SocketAddr::ip).collect();
    ours.sort_by_key(IpAddr::is_loopback);
    for ip in ours {
        if chosen.iter().all(|known| known.is_ipv4() != ip.is_ipv4()) {
            chosen.push(ip);
        }
    }
    chosen
}

/// RFC 8489 §8.1, RFC 8656 §5.
const DEFAULT_PORT: u16 = 3478;
const DEFAULT_TLS_PORT: u16 = 5349;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_prefers_an_address_that_others_can_reach() {
        let listen = ["127.0.0.1:1", "192.0.2.1:1", "[::1]:1"].map(|text| text.parse().unwrap());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(relay_addresses(&[], &listen), [ip("192.0.2.1"), ip("::1")]);
        let asked = [RelayIp::parse("127.0.0.1").unwrap()];
        assert_eq!(relay_addresses(&asked, &listen), [ip("127.0.0.1"), ip("::1")]);
    }

    #[test]
    fn an_unspecified_address_stands_for_all_of_its_family() {
        let ours = ["127.0.0.1", "192.0.2.1", "::1"].map(|text| text.parse().unwrap());
        let listen = |asked: &str| listen_addresses(&[asked.parse().unwrap()], &ours, 1);
        assert_eq!(listen("0.0.0.0:5"), ["127.0.0.1:5", "192.0.2.1:5"].map(|text| text.parse().unwrap()));
        assert_eq!(listen("[::]:5"), ["[::1]:5".parse().unwrap()]);
        assert_eq!(listen("192.0.2.9:5"), ["192.0.2.9:5".parse().unwrap()]);
        assert_eq!(listen_addresses(&[], &ours, 1).len(), 3);
    }

    #[test]
    fn tls_is_where_the_others_are() {
        let udp = ["192.0.2.1:3478", "192.0.2.1:80", "127.0.0.1:0"].map(|text| text.parse().unwrap());
        let expected: Vec<SocketAddr> =
            vec!["192.0.2.1:5349".parse().unwrap(), "127.0.0.1:0".parse().unwrap()];
        assert_eq!(on_port(&udp, DEFAULT_TLS_PORT), expected);
    }

    #[test]
    fn peers_are_those_of_the_kinds_and_networks_that_were_named() {
        let settings: Settings = toml::from_str(
            r#"
            allow-peer = ["10.1.0.0/16"]
            deny-peer = ["203.0.113.0/24", "10.1.2.0/24"]
            "#,
        )
        .unwrap();
        let peers = peers(&settings);
        let allows = |ip: &str| peers.allows(ip.parse().unwrap());
        assert!(allows("10.1.1.1") && allows("198.51.100.1"));
        assert!(!allows("10.1.2.1") && !allows("203.0.113.1") && !allows("127.0.0.1") && !allows("10.2.0.1"));
    }
}
