//! What an operator may decide about the server: the same by options and in a file.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use floe_stun::credentials::opaque_string;
use floe_turn_server::Network;
use serde::Deserialize;

use crate::failure::Failure;

/// Options of the command line, and fields of the file by the same names.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// Where to listen for UDP and TCP, such as 192.0.2.1:3478; port 0 lets the system choose. By default port 3478 of
    /// every address of this machine.
    #[arg(long, value_name = "IP:PORT", value_parser = parse_listen)]
    pub(crate) listen: Vec<SocketAddr>,
    /// Where to listen for TLS, such as 192.0.2.1:5349. By default port 5349 of what --listen says, if there is a
    /// certificate.
    #[arg(long, value_name = "IP:PORT", value_parser = parse_listen)]
    pub(crate) tls_listen: Vec<SocketAddr>,
    /// The certificate chain for TLS in PEM, the server's own first; SIGHUP reads it and its key again.
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// The private key of the certificate in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Listen for UDP only.
    #[arg(long)]
    pub(crate) no_tcp: bool,
    /// A second address of this machine, so that clients can find out what their NATs do (RFC 5780, `floe nat`). It
    /// belongs to the first --listen of its family, and both ports are served on both addresses; the default port is
    /// the one after that of --listen. Clients must reach both addresses as they are given here.
    #[arg(long, value_name = "IP[:PORT]", value_parser = Alternate::parse)]
    pub(crate) alternate: Vec<Alternate>,
    /// The realm that clients are told; floe by default.
    #[arg(long, value_name = "NAME")]
    pub(crate) realm: Option<String>,
    /// A user who may relay. Without users and secrets, the server answers STUN only. FLOE_SERVE_USERS in the environment,
    /// with spaces between its users, does the same and is hidden from other users of this machine.
    #[arg(long, value_name = "NAME:PASSWORD", value_parser = User::parse)]
    pub(crate) user: Vec<User>,
    /// A secret shared with an application that gives its users passwords for a limited time (coturn's use-auth-secret);
    /// several, while one takes over from another. FLOE_SERVE_SECRETS in the environment does the same.
    #[arg(long, value_name = "SECRET", value_parser = Secret::parse)]
    pub(crate) secret: Vec<Secret>,
    /// The address that relayed sockets are bound to, one for each family; by default the first one listened on. Behind a
    /// NAT that translates one to one, as rented machines often are: the address of this machine, =, and that of the world.
    #[arg(long, value_name = "IP[=EXTERNAL]", value_parser = RelayIp::parse)]
    pub(crate) relay_ip: Vec<RelayIp>,
    /// The ports of relayed sockets; 49152-65535 by default.
    #[arg(long, value_name = "FIRST-LAST", value_parser = PortRange::parse)]
    pub(crate) relay_ports: Option<PortRange>,
    /// Relay to loopback addresses too: a relay reaches all that its machine reaches.
    #[arg(long)]
    pub(crate) allow_loopback_peers: bool,
    /// Relay to private addresses too: a relay reaches all that its machine reaches.
    #[arg(long)]
    pub(crate) allow_private_peers: bool,
    /// Relay to these addresses too, such as 10.1.0.0/16; of several networks the smallest counts.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) allow_peer: Vec<Peers>,
    /// Do not relay to these addresses.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) deny_peer: Vec<Peers>,
    /// Allocations at a time, of all users; 4096 by default.
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_allocations: Option<usize>,
    /// Allocations at a time of one user; 64 by default.
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_allocations_per_user: Option<usize>,
    /// Bytes a second that are relayed, of all users, both ways.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes: Option<u64>,
    /// Bytes a second that are relayed for one user, both ways.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes_per_user: Option<u64>,
    /// The longest time in seconds that an allocation lives without a refresh; 3600 by default.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_lifetime: Option<u64>,
    /// How long in seconds a client may use a challenge; 3600 by default, which is the most.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) nonce_lifetime: Option<u64>,
    /// Do not let clients take their allocation along to another address (RFC 8016).
    #[arg(long)]
    pub(crate) no_mobility: bool,
    /// Do not let clients have TCP connections to peers (RFC 6062).
    #[arg(long)]
    pub(crate) no_tcp_relay: bool,
    /// Servers beside each other on the same addresses, each on a thread of its own; the system spreads clients over them.
    /// Limits are those of each, and nobody moves (RFC 8016) from one to another.
    #[arg(long, value_name = "COUNT")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Serve counters for Prometheus by HTTP here, at /metrics; not meant for the world.
    #[arg(long, value_name = "IP:PORT", value_parser = parse_listen)]
    pub(crate) metrics: Option<SocketAddr>,
    /// On SIGTERM, take no new clients and wait so long for those that there are; 0 by default. A second signal ends at
    /// once, as Ctrl-C does.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) drain: Option<u64>,
    /// Where new clients are sent meanwhile: 192.0.2.2:3478 those over UDP and TCP, 192.0.2.2:5349=turn2.example.org those
    /// over TLS.
    #[arg(long, value_name = "IP:PORT[=NAME]", value_parser = Elsewhere::parse)]
    pub(crate) drain_to: Vec<Elsewhere>,
    /// Send all new clients there from the beginning: a server that only spreads load.
    #[arg(long)]
    pub(crate) redirect: bool,
}

impl Settings {
    /// These, and where they are silent those of a file. Lists are not mixed.
    pub(crate) fn or_of(self, path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(self) };
        let refuse = |why: String| Failure::Settings { path: path.display().to_string(), why };
        let text = std::fs::read_to_string(path).map_err(|why| refuse(why.to_string()))?;
        // The reason of a parser shows the line, which may hold a secret.
        let file = toml::from_str(&text).map_err(|why| refuse(reason(&why, &text)))?;
        Ok(self.or(file))
    }

    fn or(self, file: Self) -> Self {
        fn list<T>(ours: Vec<T>, theirs: Vec<T>) -> Vec<T> {
            if ours.is_empty() { theirs } else { ours }
        }
        Self {
            listen: list(self.listen, file.listen),
            tls_listen: list(self.tls_listen, file.tls_listen),
            certificate: self.certificate.or(file.certificate),
            key: self.key.or(file.key),
            no_tcp: self.no_tcp || file.no_tcp,
            alternate: list(self.alternate, file.alternate),
            realm: self.realm.or(file.realm),
            user: list(self.user, file.user),
            secret: list(self.secret, file.secret),
            relay_ip: list(self.relay_ip, file.relay_ip),
            relay_ports: self.relay_ports.or(file.relay_ports),
            allow_loopback_peers: self.allow_loopback_peers || file.allow_loopback_peers,
            allow_private_peers: self.allow_private_peers || file.allow_private_peers,
            allow_peer: list(self.allow_peer, file.allow_peer),
            deny_peer: list(self.deny_peer, file.deny_peer),
            max_allocations: self.max_allocations.or(file.max_allocations),
            max_allocations_per_user: self.max_allocations_per_user.or(file.max_allocations_per_user),
            max_bytes: self.max_bytes.or(file.max_bytes),
            max_bytes_per_user: self.max_bytes_per_user.or(file.max_bytes_per_user),
            max_lifetime: self.max_lifetime.or(file.max_lifetime),
            nonce_lifetime: self.nonce_lifetime.or(file.nonce_lifetime),
            no_mobility: self.no_mobility || file.no_mobility,
            no_tcp_relay: self.no_tcp_relay || file.no_tcp_relay,
            workers: self.workers.or(file.workers),
            metrics: self.metrics.or(file.metrics),
            drain: self.drain.or(file.drain),
            drain_to: list(self.drain_to, file.drain_to),
            redirect: self.redirect || file.redirect,
        }
    }

    /// Adds who stands in the environment, where nobody stands here.
    pub(crate) fn or_of_environment(mut self) -> Result<Self, Failure> {
        if self.user.is_empty() {
            self.user = words_of(USERS, User::parse)?;
        }
        if self.secret.is_empty() {
            self.secret = words_of(SECRETS, Secret::parse)?;
        }
        Ok(self)
    }
}

/// What stands in a variable of the environment, with spaces between; a wrong one is not repeated, for it holds a secret.
fn words_of<T>(variable: &str, parse: fn(&str) -> Result<T, String>) -> Result<Vec<T>, Failure> {
    words(variable, &std::env::var(variable).unwrap_or_default(), parse)
}

fn words<T>(name: &str, text: &str, parse: fn(&str) -> Result<T, String>) -> Result<Vec<T>, Failure> {
    let word = |(n, word): (usize, &str)| {
        parse(word).map_err(|why| Failure::Users(format!("{name}, word {}: {why}", n + 1)))
    };
    text.split_whitespace().enumerate().map(word).collect()
}

/// Why and where, without what stands there.
fn reason(why: &toml::de::Error, text: &str) -> String {
    let line = why.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
    let key = line.and_then(|line| text.lines().nth(line - 1)?.split_once('=')).map(|(key, _)| key.trim());
    let is_option = |key: &&str| {
        Settings::augment_args(clap::Command::new(""))
            .get_arguments()
            .any(|option| option.get_long() == Some(*key))
    };
    let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let key = key.filter(is_option).map(|key| format!("{key}: ")).unwrap_or_default();
    format!("{place}{key}{}", without_values(why.message()))
}

/// What a parser says, without what it has found: that may be a secret in the wrong place.
fn without_values(message: &str) -> String {
    let told = match message.split_once("invalid type: ") {
        Some((_, rest)) => {
            let expected = rest.rsplit_once("expected ").map_or(rest, |(_, expected)| expected);
            let example = if expected == "a sequence" { " (a list: [\"…\"])" } else { "" };
            return format!("expected {expected}{example}");
        }
        None => message,
    };
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    match told.split_once("unknown field `").and_then(|(_, rest)| rest.split_once('`')) {
        Some((name, _)) if is_name(name) => format!("unknown field `{name}`"),
        Some(_) => "unknown field".to_owned(),
        None => told.split('"').step_by(2).collect::<Vec<_>>().join("…"),
    }
}

/// A user as given on the command line.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
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

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({})", self.name)
    }
}

/// A secret that another server shares.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Secret(pub(crate) String);

impl Secret {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("expected a secret, and it is empty".into()),
            text => Ok(Self(text.into())),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A second address as given on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
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
    pub(crate) fn beside(self, listen: &[SocketAddr]) -> Result<SocketAddr, Failure> {
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

/// An address to relay from, and what the world knows it as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RelayIp {
    pub(crate) local: IpAddr,
    pub(crate) external: Option<IpAddr>,
}

impl RelayIp {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (local, external) = match text.split_once('=') {
            Some((local, external)) => (local, Some(external)),
            None => (text, None),
        };
        let parse = |ip: &str| {
            ip.parse::<IpAddr>().map_err(|_| "expected IP or IP=EXTERNAL, such as 10.0.0.7=198.51.100.9")
        };
        let (local, external) = (parse(local)?, external.map(parse).transpose()?);
        if external.is_some_and(|external| external.is_ipv4() != local.is_ipv4()) {
            return Err("the two addresses must be of one family".into());
        }
        Ok(Self { local, external })
    }
}

/// Ports from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PortRange {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl PortRange {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parse = || {
            let (first, last) = text.split_once('-')?;
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (0 < first && first <= last).then_some(Self { first, last })
        };
        parse().ok_or_else(|| "expected FIRST-LAST, such as 50000-50999".into())
    }
}

/// A network as given on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Peers(pub(crate) Network);

/// Another server as given on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Elsewhere {
    pub(crate) address: SocketAddr,
    pub(crate) name: Option<String>,
}

impl Elsewhere {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (address, name) = match text.split_once('=') {
            Some((address, name)) => (address, Some(name)),
            None => (text, None),
        };
        let address: SocketAddr =
            address.parse().map_err(|_| "expected IP:PORT or IP:PORT=NAME, such as 192.0.2.2:3478")?;
        let is_name = |name: &str| name.parse::<Name>().is_ok();
        match name {
            Some(name) if !is_name(name) => Err(format!("{name:?} is no name of a server")),
            name => Ok(Self { address, name: name.map(Into::into) }),
        }
    }
}

/// A domain name, as STUN URIs have them.
struct Name;

impl std::str::FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let uri = format!("stun:{text}").parse::<floe_stun::Uri>().map_err(|_| ())?;
        if uri.ip().is_none() && uri.host() == text { Ok(Self) } else { Err(()) }
    }
}

/// Reads where to listen, in words that help.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected IP:PORT, such as 127.0.0.1:3478".into())
}

macro_rules! from_file {
    ($($kind:ty: $parse:expr),+ $(,)?) => {$(
        impl TryFrom<String> for $kind {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                $parse(&text)
            }
        }
    )+};
}

from_file! {
    User: User::parse,
    Secret: Secret::parse,
    Alternate: Alternate::parse,
    RelayIp: RelayIp::parse,
    PortRange: PortRange::parse,
    Elsewhere: Elsewhere::parse,
    Peers: str::parse::<Peers>,
}

impl std::str::FromStr for Peers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|why: floe_turn_server::NetworkError| why.to_string())
    }
}

/// Where users may stand, apart from the command line.
const USERS: &str = "FLOE_SERVE_USERS";

/// And secrets.
const SECRETS: &str = "FLOE_SERVE_SECRETS";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_names_of_the_options_and_the_options_win() {
        let file: Settings = toml::from_str(
            r#"
            listen = ["192.0.2.1:3478", "[2001:db8::1]:3478"]
            user = ["alice:secret"]
            relay-ip = ["10.0.0.7=198.51.100.9"]
            relay-ports = "50000-50999"
            deny-peer = ["203.0.113.0/24"]
            drain-to = ["192.0.2.2:5349=turn2.example.org"]
            max-bytes-per-user = 1000000
            allow-private-peers = true
            realm = "example.org"
            "#,
        )
        .unwrap();
        assert_eq!(file.listen.len(), 2);
        assert_eq!(file.relay_ports, Some(PortRange { first: 50_000, last: 50_999 }));
        assert_eq!(file.relay_ip[0].external, Some("198.51.100.9".parse().unwrap()));
        assert_eq!(file.drain_to[0].name.as_deref(), Some("turn2.example.org"));

        let ours = Settings {
            listen: vec!["127.0.0.1:1".parse().unwrap()],
            realm: Some("here".into()),
            ..Settings::default()
        };
        let both = ours.or(file);
        assert_eq!(both.listen, ["127.0.0.1:1".parse().unwrap()]);
        assert_eq!(both.realm.as_deref(), Some("here"));
        assert!(both.allow_private_peers && both.max_bytes_per_user == Some(1_000_000));
        assert_eq!(both.user, [User::parse("alice:secret").unwrap()]);
    }

    #[test]
    fn the_page_about_it_tells_of_every_option() {
        let page = include_str!("../../../../docs/serve.md");
        let command = Settings::augment_args(clap::Command::new("serve"));
        let options: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        assert!(options.len() > 25, "{options:?}");
        for option in options {
            assert!(page.contains(&format!("`--{option}")), "--{option} stands not in docs/serve.md");
        }
        let (_, file) = page.split_once("```toml\n").unwrap();
        let (file, _) = file.split_once("```").unwrap();
        assert_eq!(toml::from_str::<Settings>(file).unwrap().drain, Some(300));
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_without_what_stands_there() {
        for (text, told) in [
            ("realm = \"a\"\nuser = [\"hunter2\"]", "line 2: user: expected NAME:PASSWORD"),
            ("\n\nlissen = [\"127.0.0.1:1\"]", "line 3: unknown field `lissen`"),
            ("user = \"alice:hunter2", "line 1"),
            ("secret = \"hunter2\"", "line 1: secret: expected a sequence (a list"),
            ("\"alice:hunter2\" = 1", "line 1: unknown field"),
            ("user = [[\"hunter2\"]]", "line 1: user: expected"),
        ] {
            let why = reason(&toml::from_str::<Settings>(text).unwrap_err(), text);
            assert!(why.contains(told) && !why.contains("hunter2"), "{why}");
        }
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
        let users = words(USERS, " alice:a:b  bob:c\n", User::parse).unwrap();
        let told: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.password.as_str())).collect();
        assert_eq!(told, [("alice", "a:b"), ("bob", "c")]);
        assert!(words(USERS, "", User::parse).unwrap().is_empty());
        let why = words(USERS, "alice:a bob-and-his-secret", User::parse).unwrap_err().to_string();
        assert!(why.contains("word 2") && why.contains("NAME:PASSWORD") && !why.contains("bob"), "{why}");
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

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["10.0.0.7=", "10.0.0.7=2001:db8::1", "here", "="] {
            assert!(RelayIp::parse(text).is_err(), "{text}");
        }
        for text in ["", "1", "2-1", "0-9", "1-70000", "a-b"] {
            assert!(PortRange::parse(text).is_err(), "{text}");
        }
        for text in ["192.0.2.2", "192.0.2.2:1=", "192.0.2.2:1=a b", "192.0.2.2:1=192.0.2.3"] {
            assert!(Elsewhere::parse(text).is_err(), "{text}");
        }
    }
}
