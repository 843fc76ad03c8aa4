//! What the operator decides, each default beside the sentence it comes from.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use floe_stun::credentials::rest;
use floe_stun::{Instant, Password};

use crate::{Limits, PeerPolicy};

/// How a [`Server`](crate::Server) is set up; fixed for its life.
///
/// ```
/// use floe_turn_server::Config;
///
/// let config = Config::new("example.org")
///     .with_relay("192.0.2.1".parse().unwrap())
///     .with_user("alice", "correct horse battery staple");
/// assert_eq!(*config.relay_ports.start(), 49_152);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The operator's domain name (RFC 8489 §9.2.4), at most 763 bytes; longer ones are cut.
    ///
    /// It stands in every challenge, so a short one keeps the server from being an amplifier: with up to 8 bytes a
    /// stranger gets at most three times what was sent, with 763 thirty times.
    pub realm: String,
    /// SOFTWARE of answers to authenticated requests; strangers are not told. At most 509 bytes; longer ones
    /// are cut.
    pub software: Option<String>,
    /// Addresses that relayed sockets are bound to; a family without one is answered with 440.
    pub relay_addresses: Vec<IpAddr>,
    /// What peers are told instead of some of these addresses, where a NAT translates one to one between the relay and
    /// the world, as it does for most machines that are rented.
    pub external: BTreeMap<IpAddr, IpAddr>,
    /// All addresses of the host, so that nobody is relayed to what listens there; see
    /// [`PeerPolicy::with_own_host`]. Those of the relays are known.
    pub host_addresses: Vec<IpAddr>,
    /// Ports of relayed sockets. `0..=0` leaves the choice to the host.
    pub relay_ports: RangeInclusive<u16>,
    /// Who may allocate.
    pub users: Users,
    /// Secrets shared with the application that gives its users time-limited passwords; see [`rest`]. Several, so that
    /// one can take over from another.
    pub secrets: Vec<rest::Secret>,
    /// What the clocks of people showed at [`Instant::ORIGIN`](floe_stun::Instant::ORIGIN), as time since 1970; it tells
    /// when time-limited passwords end.
    pub unix_at_origin: Duration,
    /// Whether the host knows users that are not named here, and is asked for them by
    /// [`Event::Lookup`](crate::Event::Lookup).
    pub asks_host: bool,
    /// Which peers may be relayed to.
    pub peers: PeerPolicy,
    /// Lifetime of an allocation whose client asks for none, and the shortest one.
    pub default_lifetime: Duration,
    /// The longest lifetime of an allocation between two refreshes.
    pub max_lifetime: Duration,
    /// How long a nonce is good, at most an hour.
    pub nonce_lifetime: Duration,
    /// Whether clients may have TCP connections to peers (RFC 6062). They come over TCP or TLS themselves.
    pub tcp: bool,
    /// Whether clients may take their allocation along to another address (RFC 8016).
    pub mobility: bool,
    /// Whether the host can forbid that a datagram is fragmented, where
    /// [`SendPlan::forbids_fragments`](floe_stun::SendPlan::forbids_fragments) says so; if not, DONT-FRAGMENT is refused.
    pub dont_fragment: bool,
    /// What clients may use up.
    pub limits: Limits,
}

impl Config {
    /// A server that answers Binding only, until it gets relay addresses and users.
    #[must_use]
    pub fn new(realm: impl Into<String>) -> Self {
        Self {
            realm: realm.into(),
            software: None,
            relay_addresses: Vec::new(),
            external: BTreeMap::new(),
            host_addresses: Vec::new(),
            relay_ports: DEFAULT_RELAY_PORTS,
            users: Users::new(),
            secrets: Vec::new(),
            unix_at_origin: Duration::ZERO,
            asks_host: false,
            peers: PeerPolicy::default(),
            default_lifetime: DEFAULT_LIFETIME,
            max_lifetime: MAX_LIFETIME,
            nonce_lifetime: NONCE_LIFETIME,
            tcp: true,
            mobility: true,
            dont_fragment: false,
            limits: Limits::default(),
        }
    }

    /// Lets this user allocate.
    #[must_use]
    pub fn with_user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.insert(name, Password::new(password));
        self
    }

    /// Lets everybody allocate who has a password made with this secret that is still good.
    ///
    /// ```
    /// use std::time::Duration;
    /// use floe_stun::{Instant, credentials::rest};
    /// use floe_turn_server::Config;
    ///
    /// let secret = rest::Secret::new("shared with the web application");
    /// let unix_now = Duration::from_secs(1_700_000_000); // of the system's clock
    /// let config = Config::new("example.org").with_secret(secret.clone()).with_clock(Instant::ORIGIN, unix_now);
    /// // The web application gives this to its user:
    /// let _credentials = secret.credentials("alice", unix_now + Duration::from_secs(86_400));
    /// # assert_eq!(config.secrets.len(), 1);
    /// ```
    #[must_use]
    pub fn with_secret(mut self, secret: rest::Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Tells the time since 1970 that it is `now`, for time-limited passwords.
    #[must_use]
    pub const fn with_clock(mut self, now: Instant, unix_now: Duration) -> Self {
        self.unix_at_origin = unix_now.saturating_sub(Duration::from_nanos(now.as_nanos()));
        self
    }

    /// Asks the host for users that are not named here, by [`Event::Lookup`](crate::Event::Lookup).
    #[must_use]
    pub const fn asking_host(mut self) -> Self {
        self.asks_host = true;
        self
    }

    /// Relays from this address.
    #[must_use]
    pub fn with_relay(mut self, ip: IpAddr) -> Self {
        self.relay_addresses.push(ip);
        self
    }

    /// Relays from the address `local`, which the world knows as `external`, of the same family.
    #[must_use]
    pub fn with_relay_behind(mut self, local: IpAddr, external: IpAddr) -> Self {
        self.external.insert(local, external);
        self.with_relay(local)
    }

    /// Relays from these ports.
    #[must_use]
    pub fn with_relay_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.relay_ports = ports;
        self
    }

    /// Relays to the peers that this policy allows.
    #[must_use]
    pub fn with_peers(mut self, peers: PeerPolicy) -> Self {
        self.peers = peers;
        self
    }

    /// Grants no more than this.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Says this in SOFTWARE.
    #[must_use]
    pub fn with_software(mut self, software: impl Into<String>) -> Self {
        self.software = Some(software.into());
        self
    }
}

/// User names and their passwords, both already prepared by OpaqueString (RFC 8489 §9.2.2).
///
/// A server keeps only the keys made from them (RFC 8656 §6).
#[derive(Clone, Debug, Default)]
pub struct Users(BTreeMap<String, Password>);

impl Users {
    /// Nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a user or replaces their password.
    pub fn insert(&mut self, name: impl Into<String>, password: Password) {
        self.0.insert(name.into(), password);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Password)> {
        self.0.iter()
    }
}

/// RFC 8656 §7.2: "the server SHOULD only allocate ports from the range 49152 - 65535".
const DEFAULT_RELAY_PORTS: RangeInclusive<u16> = 49_152..=65_535;

/// RFC 8656 §3.2: "The default lifetime is 10 minutes".
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

/// RFC 8656 §7.2: "The server SHOULD use a maximum allowed lifetime value of no more than 3600 seconds (1 hour)".
const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// RFC 8656 §5: "it is RECOMMENDED that the nonce expire at least once every hour".
const NONCE_LIFETIME: Duration = Duration::from_secs(3600);
