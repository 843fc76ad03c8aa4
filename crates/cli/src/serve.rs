//! `floe serve`: the embedded STUN and TURN server.

use std::io;
use std::net::{IpAddr, SocketAddr};

use floe_stun::credentials::opaque_string;
use floe_tokio::{BindError, TurnServer, addresses};
use floe_turn_server::{Config, PeerPolicy};

use crate::failure::Failure;
use crate::signals::Signals;
use crate::{Serve, print};

/// A user as given on the command line.
#[derive(Clone)]
pub(crate) struct User {
    name: String,
    password: String,
}

impl User {
    /// The password may have colons, the name may not.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((name, password)) if !name.is_empty() && !password.is_empty() => {
                let prepare = |text| opaque_string(text).map_err(|why| why.to_string());
                Ok(Self { name: prepare(name)?, password: prepare(password)? })
            }
            _ => Err("expected NAME:PASSWORD, such as alice:secret".into()),
        }
    }
}

/// A second address as given on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alternate {
    ip: IpAddr,
    port: Option<u16>,
}

impl Alternate {
    /// The port may be left out.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let with_port = text.parse::<SocketAddr>().map(|address| (address.ip(), Some(address.port())));
        let (ip, port) = with_port
            .or_else(|_| text.parse().map(|ip| (ip, None)))
            .map_err(|_| "expected IP or IP:PORT, such as 192.0.2.2 or 192.0.2.2:3479")?;
        if ip.is_unspecified() {
            return Err(
                "the wildcard cannot be told to clients; name a second address of this machine".into()
            );
        }
        Ok(Self { ip, port })
    }

    /// The first address of its family is the primary one, and the next port the other one.
    fn beside(self, listen: &[SocketAddr]) -> Result<SocketAddr, Failure> {
        let Self { ip, port } = self;
        let primary = listen.iter().find(|address| address.is_ipv4() == ip.is_ipv4());
        let primary = primary.filter(|address| !address.ip().is_unspecified());
        let primary = primary.ok_or(Failure::NoPrimary { alternate: ip })?;
        let next = match primary.port() {
            0 => 0,
            port => port.checked_add(1).unwrap_or(port - 1),
        };
        Ok(SocketAddr::new(ip, port.unwrap_or(next)))
    }
}

/// Reads where to listen, in words that help.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected IP:PORT, such as 127.0.0.1:3478".into())
}

/// Users as the environment names them, with spaces between; a wrong one is not repeated, for it holds a secret.
fn users_of(text: &str) -> Result<Vec<User>, Failure> {
    let users = text.split_whitespace().enumerate().map(|(n, user)| {
        User::parse(user).map_err(|why| Failure::Users(format!("{USERS}, user {}: {why}", n + 1)))
    });
    users.collect()
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({})", self.name)
    }
}

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn run(mut options: Serve) -> Result<(), Failure> {
    if options.user.is_empty() {
        options.user = users_of(&std::env::var(USERS).unwrap_or_default())?;
    }
    let mut signals = Signals::listen()?;
    let ours = addresses(true).map_err(|why| BindError::Interfaces { why })?;
    if let Some(foreign) = options.relay_ip.iter().find(|ip| !ours.contains(ip)) {
        let why = io::ErrorKind::AddrNotAvailable.into();
        return Err(BindError::Socket { address: SocketAddr::new(*foreign, 0), why }.into());
    }
    let listen = listen_addresses(&options.listen, &ours);
    let alternates: Vec<_> =
        options.alternate.iter().map(|one| one.beside(&options.listen)).collect::<Result<_, _>>()?;
    let (server, mut events) =
        TurnServer::bind_with_alternates(config(&options, &listen), &listen, &alternates)?;
    for address in server.local_addresses() {
        print::serve::listening(options.json, *address)?;
    }
    for pair in server.pairs() {
        print::serve::discovery(options.json, pair)?;
    }
    let first = server.local_addresses().first().copied().ok_or(BindError::NoAddress)?;
    print::serve::ready(options.json, first, options.user.first().map(|user| user.name.as_str()))?;

    loop {
        tokio::select! {
            () = signals.recv() => break,
            event = events.recv() => match event {
                Some(event) => print::serve::event(options.json, &event)?,
                None => break,
            },
        }
    }
    server.close().await;
    while let Some(event) = events.recv().await {
        print::serve::event(options.json, &event)?;
    }
    print::serve::closed(options.json, &server.stats())?;
    Ok(())
}

/// An unspecified address stands for all addresses of its family, each with a socket of its own, so that answers leave
/// from where they were asked.
fn listen_addresses(asked: &[SocketAddr], ours: &[IpAddr]) -> Vec<SocketAddr> {
    if asked.is_empty() {
        return ours.iter().map(|ip| SocketAddr::new(*ip, DEFAULT_PORT)).collect();
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

fn config(options: &Serve, listen: &[SocketAddr]) -> Config {
    let mut peers = PeerPolicy::public_only();
    if options.allow_loopback_peers {
        peers = peers.with_loopback();
    }
    if options.allow_private_peers {
        peers = peers.with_private();
    }
    let mut config = Config::new(&options.realm)
        .with_peers(peers)
        .with_software(concat!("floe ", env!("CARGO_PKG_VERSION")));
    config.relay_addresses = relay_addresses(&options.relay_ip, listen);
    for User { name, password } in &options.user {
        config = config.with_user(name, password);
    }
    config
}

/// What was asked for, and for a family that was not asked for the first address listened on, best one that others
/// can reach.
fn relay_addresses(asked: &[IpAddr], listen: &[SocketAddr]) -> Vec<IpAddr> {
    let mut chosen = asked.to_vec();
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

/// Where users may stand, apart from the command line.
const USERS: &str = "FLOE_SERVE_USERS";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_prefers_an_address_that_others_can_reach() {
        let listen = ["127.0.0.1:1", "192.0.2.1:1", "[::1]:1"].map(|text| text.parse().unwrap());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(relay_addresses(&[], &listen), [ip("192.0.2.1"), ip("::1")]);
        assert_eq!(relay_addresses(&[ip("127.0.0.1")], &listen), [ip("127.0.0.1"), ip("::1")]);
    }

    #[test]
    fn an_unspecified_address_stands_for_all_of_its_family() {
        let ours = ["127.0.0.1", "192.0.2.1", "::1"].map(|text| text.parse().unwrap());
        let listen = |asked: &str| listen_addresses(&[asked.parse().unwrap()], &ours);
        assert_eq!(listen("0.0.0.0:5"), ["127.0.0.1:5", "192.0.2.1:5"].map(|text| text.parse().unwrap()));
        assert_eq!(listen("[::]:5"), ["[::1]:5".parse().unwrap()]);
        assert_eq!(listen("192.0.2.9:5"), ["192.0.2.9:5".parse().unwrap()]);
        assert_eq!(listen_addresses(&[], &ours).len(), 3);
    }

    #[test]
    fn the_alternate_has_the_next_port_and_a_primary_of_its_family() {
        let beside = |alternate: &str, listen: &[&str]| {
            let listen: Vec<_> = listen.iter().map(|text| text.parse().unwrap()).collect();
            Alternate::parse(alternate).unwrap().beside(&listen).map(|address| address.to_string())
        };
        let both = ["192.0.2.1:3478", "[2001:db8::1]:5000", "[2001:db8::9]:6000"];
        assert_eq!(beside("192.0.2.2", &both).unwrap(), "192.0.2.2:3479");
        assert_eq!(beside("192.0.2.2:7", &both).unwrap(), "192.0.2.2:7");
        assert_eq!(beside("2001:db8::2", &both).unwrap(), "[2001:db8::2]:5001");
        assert_eq!(beside("[2001:db8::2]:7", &both).unwrap(), "[2001:db8::2]:7");
        assert_eq!(beside("127.0.0.2", &["127.0.0.1:65535"]).unwrap(), "127.0.0.2:65534");
        assert_eq!(beside("127.0.0.2", &["127.0.0.1:0"]).unwrap(), "127.0.0.2:0");
        for listen in [&[][..], &["[2001:db8::1]:5000"], &["0.0.0.0:3478", "192.0.2.1:3478"]] {
            let why = beside("192.0.2.2", listen).unwrap_err().to_string();
            assert!(why.contains("--alternate 192.0.2.2") && why.contains("--listen IP:PORT"), "{why}");
        }
        assert!(Alternate::parse("0.0.0.0:3479").is_err() && Alternate::parse("::").is_err());
        assert!(Alternate::parse("here").unwrap_err().contains("192.0.2.2:3479"));
    }

    #[test]
    fn users_of_the_environment_stand_between_spaces() {
        let users = users_of(" alice:a:b  bob:c\n").unwrap();
        let told: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.password.as_str())).collect();
        assert_eq!(told, [("alice", "a:b"), ("bob", "c")]);
        assert!(users_of("").unwrap().is_empty());
        let why = users_of("alice:a bob-and-his-secret").unwrap_err().to_string();
        assert!(why.contains("user 2") && why.contains("NAME:PASSWORD") && !why.contains("bob"), "{why}");
    }

    #[test]
    fn a_user_has_a_name_and_a_password() {
        assert_eq!(User::parse("a:b:c").unwrap().password, "b:c");
        assert_eq!(User::parse("a:e\u{301}").unwrap().password, "\u{e9}", "as OpaqueString has it");
        assert!(User::parse("a:b\tc").is_err());
        for text in ["", "a", "a:", ":b"] {
            assert!(User::parse(text).is_err(), "{text}");
        }
    }
}
