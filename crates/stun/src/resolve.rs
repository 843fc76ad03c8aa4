//! From a URI to servers in the order to try them: what to ask the DNS, one question after the other (RFC 8489 §8.1,
//! RFC 5928 §3, RFC 7350 §4.6.2).
//!
//! ```text
//!   an address ─────────────────────────────────────────▶ try it
//!   name and port ──────────────────────▶ A, AAAA ──────▶ try them
//!   name and transport, stun, stuns ──▶ SRV ──▶ A, AAAA ▶ try them
//!                                        └─none──▶ A, AAAA at the default port
//!   turn, turns with a name alone ──▶ NAPTR ──▶ NAPTR, SRV or A, AAAA ──▶ …
//!                                       └─none──▶ SRV for each transport
//! ```
//!
//! The host asks the DNS and answers; a question after a server that worked is never asked. What comes from the DNS
//! is bounded in depth and number.

mod naptr;
mod srv;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::net::{IpAddr, SocketAddr};

use thiserror::Error;

use crate::{Chance, Transport, Uri};
pub use naptr::Naptr;
pub use srv::Srv;

/// The servers of one URI.
///
/// ```
/// use floe_stun::Transport;
/// use floe_stun::resolve::{Query, Records, Resolution, Step};
///
/// let uri = "turns:relay.example.org:443?transport=tcp".parse().unwrap();
/// let mut resolution = Resolution::new(&uri, &[Transport::Udp, Transport::Tls], None, [7; 32])?;
/// assert_eq!(resolution.step(), Step::Ask(Query::Addresses { name: "relay.example.org".into() }));
///
/// resolution.handle_records(Records::Addresses(&["192.0.2.1".parse().unwrap()]));
/// let Step::Try(server) = resolution.step() else { unreachable!() };
/// assert_eq!((server.transport, server.address), (Transport::Tls, "192.0.2.1:443".parse().unwrap()));
/// assert_eq!(server.server_name.as_deref(), Some("relay.example.org"));
/// assert_eq!(resolution.step(), Step::Exhausted);
/// # Ok::<(), floe_stun::resolve::ResolveError>(())
/// ```
#[derive(Debug)]
pub struct Resolution {
    host: String,
    service: Service,
    server_name: Option<String>,
    transports: Vec<Transport>,
    tasks: VecDeque<Task>,
    tried: BTreeSet<(Transport, SocketAddr)>,
    questions: usize,
    chance: Chance,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a host must know them all")]
pub enum Step {
    /// Ask the DNS, and answer with [`Resolution::handle_records`]. Comes again until it is answered.
    Ask(Query),
    /// Try this server. If it works, this is the end; else go on with the next step.
    Try(Server),
    /// There is nothing left.
    Exhausted,
}

/// A question to the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a host must know them all")]
pub enum Query {
    /// A and AAAA of this name, both (RFC 8489 §8.1). Answer: [`Records::Addresses`].
    Addresses {
        /// The name.
        name: String,
    },
    /// SRV of this name, service and protocol included. Answer: [`Records::Srv`].
    Srv {
        /// The name, such as `_turn._udp.example.org`.
        name: String,
    },
    /// NAPTR of this name. Answer: [`Records::Naptr`]. A host that cannot answers [`Records::None`].
    Naptr {
        /// The name.
        name: String,
    },
}

/// What the DNS said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the answers to the queries")]
pub enum Records<'a> {
    /// Addresses in the order of the resolver (RFC 6724); the families are tried in turn (RFC 8305 §4).
    Addresses(&'a [IpAddr]),
    /// SRV records in any order.
    Srv(&'a [Srv<'a>]),
    /// NAPTR records in any order.
    Naptr(&'a [Naptr<'a>]),
    /// No record, no answer, no such name.
    None,
}

/// A server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// How to reach it.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// The name that its certificate must carry, for TLS and DTLS: the URI's, whatever the DNS said in between.
    pub server_name: Option<String>,
}

/// Why a URI leads to no server at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// None of the transports that the host has fits the URI (RFC 5928 §3).
    #[error("none of the transports there are fits the URI")]
    NoTransport,
    /// TLS or DTLS to an address, and no domain name to check the certificate by (RFC 8489 §8.1, RFC 7350 §4.1.1).
    #[error("a stuns or turns URI with an IP address needs a domain name besides")]
    NoDomain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Stun,
    Stuns,
    Turn,
    Turns,
}

/// Something that stands between here and a server.
#[derive(Clone, Debug)]
enum Task {
    Try(Transport, SocketAddr),
    Addresses {
        name: String,
        port: u16,
        transport: Transport,
    },
    /// The host's own SRV name; where it has none, its addresses at the default port.
    Service(Transport),
    /// An SRV name that a NAPTR record gave.
    Srv {
        name: String,
        transport: Transport,
    },
    /// The host's own NAPTR name; where it leads nowhere, its SRV names.
    Relay,
    /// A NAPTR name that another one gave, `depth` steps away.
    Naptr {
        name: String,
        transport: Transport,
        depth: usize,
    },
}

impl Resolution {
    /// Questions to the DNS for one URI.
    pub const MAX_QUESTIONS: usize = 32;
    /// Servers of one URI.
    pub const MAX_SERVERS: usize = 64;
    /// Records that are read of one answer.
    pub const MAX_RECORDS: usize = 32;
    /// NAPTR records that may lead to another before one leads to a server.
    pub const MAX_DEPTH: usize = 4;

    /// Begins for `uri`, with the transports that the host has, best first.
    ///
    /// `domain` is a name that came along with a URI of an IP address, for its certificate (RFC 7350 §4.1.1); beside a
    /// name it counts for nothing.
    ///
    /// # Errors
    ///
    /// If no transport fits, or a certificate could not be checked.
    pub fn new(
        uri: &Uri,
        supported: &[Transport],
        domain: Option<&str>,
        seed: [u8; 32],
    ) -> Result<Self, ResolveError> {
        let service = Service::of(uri);
        if uri.ip().is_some() && domain.is_none() && uri.scheme().is_secure() {
            return Err(ResolveError::NoDomain);
        }
        let server_name = if uri.ip().is_some() { domain } else { Some(uri.host()) }.map(str::to_string);
        let fits = |transport: &Transport| {
            let named = uri.named_transport();
            service.allows(*transport)
                && named.is_none_or(|named| *transport == secured(named, uri.scheme().is_secure()))
                && (server_name.is_some() || !transport.is_secure())
        };
        let transports: Vec<Transport> = supported.iter().copied().filter(fits).collect();
        if transports.is_empty() {
            return Err(ResolveError::NoTransport);
        }
        let tasks = first_tasks(uri, service, &transports);
        Ok(Self {
            host: uri.host().to_string(),
            service,
            server_name,
            transports,
            tasks,
            tried: BTreeSet::new(),
            questions: 0,
            chance: Chance::new(seed),
        })
    }

    /// The next thing to do.
    #[must_use]
    pub fn step(&mut self) -> Step {
        while let Some(task) = self.tasks.front() {
            if let Some(query) = self.query(task) {
                if self.questions < Self::MAX_QUESTIONS {
                    return Step::Ask(query);
                }
            } else if let Task::Try(transport, address) = *task
                && self.tried.len() < Self::MAX_SERVERS
                && self.tried.insert((transport, address))
            {
                self.tasks.pop_front();
                return Step::Try(self.server(transport, address));
            }
            self.tasks.pop_front();
        }
        Step::Exhausted
    }

    /// The answer to the question that [`Self::step`] asked; one to no question is ignored.
    pub fn handle_records(&mut self, records: Records<'_>) {
        if self.tasks.front().is_none_or(|task| self.query(task).is_none()) {
            return;
        }
        let Some(task) = self.tasks.pop_front() else { return };
        self.questions = self.questions.saturating_add(1);
        let follow = self.follow(&task, records);
        follow.into_iter().rev().for_each(|task| self.tasks.push_front(task));
    }

    fn query(&self, task: &Task) -> Option<Query> {
        match task {
            Task::Try(..) => None,
            Task::Addresses { name, .. } => Some(Query::Addresses { name: name.clone() }),
            Task::Service(transport) => {
                let (service, protocol) = (self.service.as_str(), protocol(*transport));
                Some(Query::Srv { name: format!("_{service}._{protocol}.{}", self.host) })
            }
            Task::Srv { name, .. } => Some(Query::Srv { name: name.clone() }),
            Task::Relay => Some(Query::Naptr { name: self.host.clone() }),
            Task::Naptr { name, .. } => Some(Query::Naptr { name: name.clone() }),
        }
    }

    fn server(&self, transport: Transport, address: SocketAddr) -> Server {
        let server_name = self.server_name.clone().filter(|_| transport.is_secure());
        Server { transport, address, server_name }
    }

    /// What an answer puts into the place of its task.
    fn follow(&mut self, task: &Task, records: Records<'_>) -> Vec<Task> {
        match (task, records) {
            (Task::Addresses { port, transport, .. }, Records::Addresses(addresses)) => {
                let addresses = addresses.get(..Self::MAX_RECORDS).unwrap_or(addresses);
                let tries = in_turn(addresses).map(|ip| Task::Try(*transport, SocketAddr::new(ip, *port)));
                tries.collect()
            }
            (Task::Service(transport), Records::Srv(records)) if !records.is_empty() => {
                self.follow_srv(records, *transport)
            }
            (Task::Service(transport), _) => {
                let (name, port) = (self.host.clone(), self.service.default_port());
                vec![Task::Addresses { name, port, transport: *transport }]
            }
            (Task::Srv { transport, .. }, Records::Srv(records)) => self.follow_srv(records, *transport),
            (Task::Relay, Records::Naptr(records)) => {
                let follow = follow_naptr(records, &self.transports, 0);
                if follow.is_empty() { self.services() } else { follow }
            }
            (Task::Relay, _) => self.services(),
            (Task::Naptr { transport, depth, .. }, Records::Naptr(records)) => {
                follow_naptr(records, &[*transport], *depth)
            }
            _ => Vec::new(),
        }
    }

    fn follow_srv(&mut self, records: &[Srv<'_>], transport: Transport) -> Vec<Task> {
        let records = records.get(..Self::MAX_RECORDS).unwrap_or(records);
        let ordered = srv::in_order(records, &mut self.chance);
        let named = ordered.into_iter().filter_map(|srv| Some((domain_name(srv.target)?, srv.port)));
        named.map(|(name, port)| Task::Addresses { name, port, transport }).collect()
    }

    fn services(&self) -> Vec<Task> {
        self.transports.iter().map(|transport| Task::Service(*transport)).collect()
    }
}

fn first_tasks(uri: &Uri, service: Service, transports: &[Transport]) -> VecDeque<Task> {
    let port = uri.named_port().unwrap_or_else(|| service.default_port());
    let each =
        |task: &dyn Fn(Transport) -> Task| transports.iter().map(|transport| task(*transport)).collect();
    let name = || uri.host().to_string();
    match (uri.ip(), uri.named_port(), uri.named_transport()) {
        (Some(ip), _, _) => each(&|transport| Task::Try(transport, SocketAddr::new(ip, port))),
        (None, Some(_), _) => each(&|transport| Task::Addresses { name: name(), port, transport }),
        (None, None, None) if uri.scheme().is_turn() => VecDeque::from([Task::Relay]),
        (None, None, _) => each(&Task::Service),
    }
}

fn follow_naptr(records: &[Naptr<'_>], transports: &[Transport], depth: usize) -> Vec<Task> {
    let records = records.get(..Resolution::MAX_RECORDS).unwrap_or(records);
    let leads = naptr::leads(records, transports).into_iter();
    leads
        .filter_map(|lead| {
            let (name, transport) = (domain_name(lead.name)?, lead.transport);
            match lead.to {
                naptr::To::Naptr if depth >= Resolution::MAX_DEPTH => None,
                naptr::To::Naptr => Some(Task::Naptr { name, transport, depth: depth.saturating_add(1) }),
                naptr::To::Srv => Some(Task::Srv { name, transport }),
                naptr::To::Addresses => {
                    let port = if transport.is_secure() { SECURE_PORT } else { PORT };
                    Some(Task::Addresses { name, port, transport })
                }
            }
        })
        .collect()
}

/// The families in turn, each in the order of the host, and the family of its first first: one that does not work costs
/// one try and not all of them (RFC 8305 §4).
fn in_turn(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> + '_ {
    let of = |v4: bool| addresses.iter().copied().filter(move |ip| ip.is_ipv4() == v4);
    let first = addresses.first().is_some_and(IpAddr::is_ipv4);
    let (mut these, mut those) = (of(first), of(!first));
    core::iter::from_fn(move || Some([these.next(), those.next()]))
        .take_while(|pair| pair.iter().any(Option::is_some))
        .flatten()
        .flatten()
}

/// A name as the DNS gave it, without the dot of the root; `None` for the root itself, which means "nothing".
fn domain_name(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    (!name.is_empty() && name.len() <= 255).then(|| name.to_string())
}

impl Service {
    const fn of(uri: &Uri) -> Self {
        match (uri.scheme().is_turn(), uri.scheme().is_secure()) {
            (false, false) => Self::Stun,
            (false, true) => Self::Stuns,
            (true, false) => Self::Turn,
            (true, true) => Self::Turns,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Stuns => "stuns",
            Self::Turn => "turn",
            Self::Turns => "turns",
        }
    }

    /// A turn URI that names no transport may lead to TLS too (RFC 5928 §3); a stun URI may not (RFC 8489 §8).
    const fn allows(self, transport: Transport) -> bool {
        match self {
            Self::Turn => true,
            Self::Stun => !transport.is_secure(),
            Self::Stuns | Self::Turns => transport.is_secure(),
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Stun | Self::Turn => PORT,
            Self::Stuns | Self::Turns => SECURE_PORT,
        }
    }
}

/// RFC 5928 §3 table 1 with the line of RFC 7350 §4.6.2.
const fn secured(named: Transport, secure: bool) -> Transport {
    match (named, secure) {
        (Transport::Udp, true) => Transport::Dtls,
        (Transport::Tcp, true) => Transport::Tls,
        (named, _) => named,
    }
}

const fn protocol(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp | Transport::Dtls => "udp",
        Transport::Tcp | Transport::Tls => "tcp",
    }
}

/// RFC 8489 §8.1.
const PORT: u16 = 3478;
const SECURE_PORT: u16 = 5349;

#[cfg(test)]
mod tests {
    use super::*;
    use Transport::{Dtls, Tcp, Tls, Udp};

    /// A zone as a function from questions to answers.
    type Zone = fn(&Query) -> Records<'static>;

    /// Everything that comes out, in order: questions, and servers as `transport address name`.
    fn walk(uri: &str, supported: &[Transport], zone: Zone) -> Vec<String> {
        let mut resolution = Resolution::new(&uri.parse().unwrap(), supported, None, [3; 32]).unwrap();
        let mut steps = Vec::new();
        loop {
            match resolution.step() {
                Step::Ask(query) => {
                    steps.push(format!("? {}", asked(&query)));
                    resolution.handle_records(zone(&query));
                }
                Step::Try(server) => {
                    let name = server.server_name.unwrap_or_default();
                    steps
                        .push(format!("{:?} {} {name}", server.transport, server.address).trim().to_string());
                }
                Step::Exhausted => return steps,
            }
        }
    }

    fn asked(query: &Query) -> String {
        match query {
            Query::Addresses { name } => format!("A {name}"),
            Query::Srv { name } => format!("SRV {name}"),
            Query::Naptr { name } => format!("NAPTR {name}"),
        }
    }

    const A: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V6(core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

    const fn naptr(
        order: u16,
        flags: &'static str,
        services: &'static str,
        to: &'static str,
    ) -> Naptr<'static> {
        Naptr { order, preference: 10, flags, services, replacement: to }
    }

    const fn srv(port: u16, target: &'static str) -> Srv<'static> {
        Srv { priority: 0, weight: 0, port, target }
    }

    /// The zone of RFC 5928 §4.1 and §4.2.
    fn example(query: &Query) -> Records<'static> {
        const RELAY: [Naptr<'_>; 2] = [
            naptr(200, "", "RELAY:turn.tcp:turn.tls", "stream.example.net."),
            naptr(100, "", "RELAY:turn.udp", "datagram.example.net."),
        ];
        const STREAM: [Naptr<'_>; 2] = [
            naptr(100, "S", "RELAY:turn.tcp", "_turn._tcp.example.net."),
            naptr(200, "A", "RELAY:turn.tls", "a.example.net."),
        ];
        match asked(query).as_str() {
            "NAPTR example.com" => Records::Naptr(
                &const { [naptr(100, "", "RELAY:turn.udp:turn.tcp:turn.tls", "example.net.")] },
            ),
            "NAPTR example.net" => Records::Naptr(&RELAY),
            "NAPTR datagram.example.net" => {
                Records::Naptr(&const { [naptr(100, "S", "relay:TURN.udp", "_turn._udp.example.net.")] })
            }
            "NAPTR stream.example.net" => Records::Naptr(&STREAM),
            "SRV _turn._udp.example.net" => Records::Srv(&const { [srv(3478, "a.example.net.")] }),
            "SRV _turn._tcp.example.net" => Records::Srv(&const { [srv(5000, "a.example.net.")] }),
            "A a.example.net" => Records::Addresses(&const { [A] }),
            _ => Records::None,
        }
    }

    /// Names have addresses of both families, and nothing else.
    fn plain(query: &Query) -> Records<'static> {
        match query {
            Query::Addresses { .. } => Records::Addresses(&const { [B, A] }),
            Query::Srv { .. } | Query::Naptr { .. } => Records::None,
        }
    }

    #[test]
    fn the_example_of_the_rfc_gives_its_three_servers_in_order() {
        let steps = walk("turn:example.net", &[Tls, Tcp, Udp], example);
        let servers = steps.iter().filter(|step| !step.starts_with('?')).map(String::as_str);
        assert!(
            servers.eq(["Udp 192.0.2.1:3478", "Tls 192.0.2.1:5349 example.net", "Tcp 192.0.2.1:5000"]),
            "{steps:?}"
        );
        assert_eq!(
            steps[..3],
            ["? NAPTR example.net", "? NAPTR datagram.example.net", "? SRV _turn._udp.example.net"]
        );
    }

    /// Equal ranks go by the order of the host (RFC 5928 §3 step 4); §4.2 shows the order of the next set instead.
    #[test]
    fn remote_hosting_leads_to_the_same_servers_and_the_name_stays() {
        let steps = walk("turn:example.com", &[Udp, Tls, Tcp], example);
        let servers = steps.iter().filter(|step| !step.starts_with('?')).map(String::as_str);
        assert!(
            servers.eq(["Udp 192.0.2.1:3478", "Tls 192.0.2.1:5349 example.com", "Tcp 192.0.2.1:5000"]),
            "{steps:?}"
        );
    }

    #[test]
    fn an_address_needs_no_question() {
        assert_eq!(walk("stun:192.0.2.7", &[Udp, Tls], plain), ["Udp 192.0.2.7:3478"]);
        assert_eq!(
            walk("turn:[2001:db8::7]:99", &[Udp, Tcp], plain),
            ["Udp [2001:db8::7]:99", "Tcp [2001:db8::7]:99"]
        );
    }

    #[test]
    fn a_port_skips_srv() {
        let steps = walk("turn:a.example:99?transport=tcp", &[Udp, Tcp], plain);
        assert_eq!(steps, ["? A a.example", "Tcp [2001:db8::1]:99", "Tcp 192.0.2.1:99"]);
    }

    #[test]
    fn families_are_tried_in_turn() {
        let order = |addresses: &[&str]| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
            in_turn(&addresses).map(|ip| ip.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(order(&["::1", "::2", "::3", "1.1.1.1"]), ["::1", "1.1.1.1", "::2", "::3"]);
        assert_eq!(order(&["1.1.1.1", "2.2.2.2", "::1"]), ["1.1.1.1", "::1", "2.2.2.2"]);
        assert_eq!(order(&["1.1.1.1", "::1", "::2", "::3"]), ["1.1.1.1", "::1", "::2", "::3"]);
        assert_eq!(order(&["::1", "::2"]), ["::1", "::2"]);
        assert!(order(&[]).is_empty());

        let steps =
            walk("turn:a.example:99?transport=udp", &[Udp], |_| Records::Addresses(&const { [B, B, A] }));
        assert_eq!(steps[1..], ["Udp [2001:db8::1]:99", "Udp 192.0.2.1:99"]);
    }

    #[test]
    fn a_transport_goes_by_srv_and_else_to_the_default_port() {
        let steps = walk("turns:a.example?transport=tcp", &[Udp, Tcp, Tls], plain);
        let servers = ["Tls [2001:db8::1]:5349 a.example", "Tls 192.0.2.1:5349 a.example"];
        assert_eq!(steps, ["? SRV _turns._tcp.a.example", "? A a.example", servers[0], servers[1]]);
    }

    #[test]
    fn without_naptr_each_transport_has_its_srv() {
        let steps = walk("turn:a.example", &[Tcp, Udp], |query| match query {
            Query::Srv { .. } => Records::Srv(&const { [srv(7, "b.example")] }),
            other => plain(other),
        });
        assert_eq!(steps[..3], ["? NAPTR a.example", "? SRV _turn._tcp.a.example", "? A b.example"]);
        assert_eq!(
            steps[3..],
            [
                "Tcp [2001:db8::1]:7",
                "Tcp 192.0.2.1:7",
                "? SRV _turn._udp.a.example",
                "? A b.example",
                "Udp [2001:db8::1]:7",
                "Udp 192.0.2.1:7"
            ]
        );
    }

    #[test]
    fn naptr_records_of_no_use_are_none() {
        let steps = walk("turn:a.example", &[Udp], |query| match query {
            Query::Naptr { .. } => {
                Records::Naptr(&const { [naptr(1, "S", "SIP+D2U:turn.udp", "b.example")] })
            }
            other => plain(other),
        });
        assert_eq!(steps[1], "? SRV _turn._udp.a.example");
    }

    #[test]
    fn turns_with_udp_means_dtls() {
        let steps = walk("turns:a.example:99?transport=udp", &[Udp, Tls, Dtls], plain);
        assert_eq!(steps[1], "Dtls [2001:db8::1]:99 a.example");
    }

    #[test]
    fn a_chain_of_naptr_records_has_five_links() {
        let steps = walk("turn:a.example", &[Udp], |query| match query {
            Query::Naptr { .. } => Records::Naptr(&const { [naptr(1, "", "RELAY:turn.udp", "b.example")] }),
            other => plain(other),
        });
        assert_eq!(steps.len(), 1 + Resolution::MAX_DEPTH);
    }

    #[test]
    fn stun_has_srv_and_no_naptr_and_dtls_has_its_own_name() {
        assert_eq!(walk("stun:a.example", &[Udp], plain)[0], "? SRV _stun._udp.a.example");
        let steps = walk("stuns:a.example", &[Dtls, Udp, Tls], plain);
        assert_eq!(steps[0], "? SRV _stuns._udp.a.example");
        assert_eq!(steps[4], "? SRV _stuns._tcp.a.example");
    }

    #[test]
    fn a_dot_says_that_there_is_no_such_service() {
        let steps = walk("stun:a.example", &[Udp], |_| Records::Srv(&const { [srv(0, ".")] }));
        assert_eq!(steps, ["? SRV _stun._udp.a.example"]);
    }

    #[test]
    fn a_secure_address_needs_a_name() {
        for uri in ["stuns:192.0.2.7", "turns:[2001:db8::7]"] {
            let uri = uri.parse().unwrap();
            let refused = Resolution::new(&uri, &[Tls], None, [3; 32]).unwrap_err();
            assert_eq!(refused, ResolveError::NoDomain);
            let mut named = Resolution::new(&uri, &[Tls], Some("a.example"), [3; 32]).unwrap();
            let Step::Try(server) = named.step() else { panic!("no server") };
            assert_eq!(server.server_name.as_deref(), Some("a.example"));
        }
        // Nor is a certificate taken unchecked where turn alone would allow TLS.
        assert_eq!(walk("turn:192.0.2.7", &[Tls, Udp], plain), ["Udp 192.0.2.7:3478"]);
    }

    #[test]
    fn a_domain_beside_a_name_does_not_take_its_place() {
        let uri = "turns:a.example:99".parse().unwrap();
        let mut resolution = Resolution::new(&uri, &[Tls], Some("b.example"), [3; 32]).unwrap();
        let _ = resolution.step();
        resolution.handle_records(Records::Addresses(&[A]));
        let Step::Try(server) = resolution.step() else { panic!("no server") };
        assert_eq!(server.server_name.as_deref(), Some("a.example"));
    }

    /// The zone of RFC 7350 appendix A.
    fn with_dtls(query: &Query) -> Records<'static> {
        const RELAY: [Naptr<'_>; 2] = [
            naptr(100, "", "RELAY:turn.udp:turn.dtls", "datagram.example.net."),
            naptr(200, "", "RELAY:turn.tcp:turn.tls", "stream.example.net."),
        ];
        const DATAGRAM: [Naptr<'_>; 2] = [
            naptr(100, "S", "RELAY:turn.udp", "_turn._udp.example.net."),
            naptr(200, "S", "RELAY:turn.dtls", "_turns._udp.example.net."),
        ];
        match asked(query).as_str() {
            "NAPTR example.net" => Records::Naptr(&RELAY),
            "NAPTR datagram.example.net" => Records::Naptr(&DATAGRAM),
            "SRV _turns._udp.example.net" => Records::Srv(&const { [srv(5349, "a.example.net.")] }),
            _ => example(query),
        }
    }

    #[test]
    fn the_example_of_rfc_7350_gives_dtls_and_then_tls() {
        let steps = walk("turns:example.net", &[Dtls, Tls, Tcp, Udp], with_dtls);
        let servers = steps.iter().filter(|step| !step.starts_with('?')).map(String::as_str);
        assert!(
            servers.eq(["Dtls 192.0.2.1:5349 example.net", "Tls 192.0.2.1:5349 example.net"]),
            "{steps:?}"
        );
    }

    #[test]
    fn a_transport_that_the_host_has_not_is_an_error() {
        for (uri, supported) in [
            ("turn:a?transport=udp", &[Tcp, Tls][..]),
            ("turn:a?transport=tcp", &[Udp, Tls]),
            ("turns:a?transport=udp", &[Udp, Tls]),
            ("turns:a?transport=tcp", &[Udp, Tcp, Dtls]),
            ("turns:a", &[Udp, Tcp]),
            ("stuns:a", &[Udp, Tcp]),
            ("stun:a", &[Tls, Dtls]),
            ("turn:a", &[]),
        ] {
            let refused = Resolution::new(&uri.parse().unwrap(), supported, None, [3; 32]).unwrap_err();
            assert_eq!(refused, ResolveError::NoTransport, "{uri}");
        }
    }

    #[test]
    fn a_zone_that_leads_in_circles_or_everywhere_comes_to_an_end() {
        let steps = walk("turn:a.example", &[Udp], |query| match query {
            Query::Naptr { .. } => {
                Records::Naptr(&const { [naptr(1, "", "RELAY:turn.udp", "a.example"); 99] })
            }
            _ => Records::None,
        });
        assert_eq!(steps.len(), Resolution::MAX_QUESTIONS);

        let steps = walk("stun:a.example", &[Udp], |query| match query {
            Query::Srv { .. } => Records::Srv(&const { [srv(7, "b.example"); 99] }),
            other => plain(other),
        });
        assert_eq!(steps.len(), Resolution::MAX_QUESTIONS + 2, "the same two addresses again and again");
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let uri = "stun:a.example:1".parse().unwrap();
        let mut resolution = Resolution::new(&uri, &[Udp], None, [3; 32]).unwrap();
        resolution.handle_records(Records::Srv(&[srv(7, "b.example")]));
        assert_eq!(resolution.step(), Step::Exhausted);
        resolution.handle_records(Records::Addresses(&[A]));
        assert_eq!(resolution.step(), Step::Exhausted);
    }
}
