//! Whether to follow a server to the one it names (ALTERNATE-SERVER, RFC 8489 §10): a guard against loops, chains and
//! traps. It asks nobody; the owner asks it before each hop.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use thiserror::Error;

use crate::{Instant, Transport};

/// The servers that were asked lately, and whether a redirection may be followed.
///
/// ```
/// use floe_stun::{Instant, RedirectRefused, Redirects, Transport};
///
/// let (now, udp) = (Instant::ORIGIN, Transport::Udp);
/// let (first, second) = ("192.0.2.1:3478".parse().unwrap(), "192.0.2.2:3478".parse().unwrap());
/// let mut redirects = Redirects::new();
/// redirects.note(now, first);
/// assert_eq!(redirects.follow(now, (udp, first), (udp, second)), Ok(()));
/// assert_eq!(redirects.follow(now, (udp, second), (udp, first)), Err(RedirectRefused::AskedLately));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Redirects {
    asked: BTreeMap<SocketAddr, Instant>,
    hops: VecDeque<Instant>,
}

/// Why a redirection is not followed; the request has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RedirectRefused {
    /// That server was asked within the last five minutes: a loop (RFC 8489 §10).
    #[error("that server was asked within the last five minutes")]
    AskedLately,
    /// There were [`Redirects::MAX_HOPS`] within the last five minutes: a chain.
    #[error("too many redirections within five minutes")]
    TooMany,
    /// An address of the other family; the one of ours comes first (RFC 8489 §10).
    #[error("the address is of another family than the server's")]
    OtherFamily,
    /// An address that no server elsewhere can name: loopback, link-local, multicast, unspecified, or port zero.
    #[error("no server elsewhere can name this address")]
    NotAServer,
    /// Another transport; the same one is to be used (RFC 8489 §10), above all where it is secured.
    #[error("a redirection does not change the transport")]
    OtherTransport,
}

impl Redirects {
    /// How long a server counts as asked (RFC 8489 §10).
    pub const WINDOW: Duration = Duration::from_secs(300);
    /// Hops within that time.
    pub const MAX_HOPS: usize = 5;
    /// Servers that are remembered; of more the one asked longest ago is forgotten.
    pub const MAX_ASKED: usize = 32;

    /// Nobody was asked yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { asked: BTreeMap::new(), hops: VecDeque::new() }
    }

    /// A request goes out to this server.
    pub fn note(&mut self, now: Instant, server: SocketAddr) {
        self.forget(now);
        self.asked.insert(canonical(server), now);
        if self.asked.len() > Self::MAX_ASKED
            && let Some((oldest, _)) = self.asked.iter().min_by_key(|(_, asked)| **asked)
        {
            let oldest = *oldest;
            self.asked.remove(&oldest);
        }
    }

    /// Whether the owner may go from one server to the other now. If so, this counts as a hop, and the other as asked.
    ///
    /// # Errors
    ///
    /// The first reason not to; nothing has changed then.
    pub fn follow(
        &mut self,
        now: Instant,
        from: (Transport, SocketAddr),
        to: (Transport, SocketAddr),
    ) -> Result<(), RedirectRefused> {
        self.forget(now);
        check_place(from, to)?;
        if self.asked.contains_key(&canonical(to.1)) {
            return Err(RedirectRefused::AskedLately);
        }
        if self.hops.len() >= Self::MAX_HOPS {
            return Err(RedirectRefused::TooMany);
        }
        self.hops.push_back(now);
        self.note(now, to.1);
        Ok(())
    }

    fn forget(&mut self, now: Instant) {
        self.asked.retain(|_, asked| now - *asked < Self::WINDOW);
        self.hops.retain(|hop| now - *hop < Self::WINDOW);
    }
}

/// What must hold of the two whatever happened before.
fn check_place(from: (Transport, SocketAddr), to: (Transport, SocketAddr)) -> Result<(), RedirectRefused> {
    let (old, new) = (canonical(from.1), canonical(to.1));
    if from.0 != to.0 {
        return Err(RedirectRefused::OtherTransport);
    }
    if old.is_ipv4() != new.is_ipv4() {
        return Err(RedirectRefused::OtherFamily);
    }
    // A server on this machine may name another one here: that is how demos and tests live.
    let strays = new.ip().is_loopback() && !old.ip().is_loopback()
        || is_link_local(new.ip()) && !is_link_local(old.ip());
    if strays
        || new.port() == 0
        || new.ip().is_unspecified()
        || new.ip().is_multicast()
        || is_broadcast(new.ip())
    {
        return Err(RedirectRefused::NotAServer);
    }
    Ok(())
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

const fn is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport::{Tcp, Tls, Udp};

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn server(number: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, number], 3478))
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn two_servers_that_name_each_other_are_left_after_one_hop() {
        let mut redirects = Redirects::new();
        redirects.note(at(0), server(1));
        assert_eq!(redirects.follow(at(1), (Udp, server(1)), (Udp, server(2))), Ok(()));
        let back = (Udp, server(1));
        assert_eq!(redirects.follow(at(2), (Udp, server(2)), back), Err(RedirectRefused::AskedLately));
        assert_eq!(redirects.follow(at(299), (Udp, server(2)), back), Err(RedirectRefused::AskedLately));
        assert_eq!(redirects.follow(at(300), (Udp, server(2)), back), Ok(()));
    }

    #[test]
    fn a_server_that_names_itself_is_a_loop_however_it_writes_it() {
        let mut redirects = Redirects::new();
        redirects.note(at(0), server(1));
        let mapped = address("[::ffff:192.0.2.1]:3478");
        let refused = redirects.follow(at(0), (Udp, server(1)), (Udp, mapped));
        assert_eq!(refused, Err(RedirectRefused::AskedLately));
    }

    #[test]
    fn a_chain_without_end_is_left_after_five_hops() {
        let mut redirects = Redirects::new();
        let mut hop = |second, n| redirects.follow(at(second), (Udp, server(n)), (Udp, server(n + 1)));
        assert!((0..5).all(|n| hop(u64::from(n), n).is_ok()));
        assert_eq!(hop(5, 5), Err(RedirectRefused::TooMany));
        assert_eq!(hop(300, 5), Ok(()), "the first hop is five minutes ago");
    }

    #[test]
    fn traps_are_not_followed() {
        let from = (Udp, server(1));
        for (to, why) in [
            ("127.0.0.1:3478", RedirectRefused::NotAServer),
            ("[::ffff:127.0.0.1]:3478", RedirectRefused::NotAServer),
            ("169.254.169.254:80", RedirectRefused::NotAServer),
            ("224.0.0.1:3478", RedirectRefused::NotAServer),
            ("255.255.255.255:3478", RedirectRefused::NotAServer),
            ("0.0.0.0:3478", RedirectRefused::NotAServer),
            ("192.0.2.9:0", RedirectRefused::NotAServer),
            ("[2001:db8::1]:3478", RedirectRefused::OtherFamily),
        ] {
            assert_eq!(Redirects::new().follow(at(0), from, (Udp, address(to))), Err(why), "{to}");
        }
        let downgrade = Redirects::new().follow(at(0), (Tls, server(1)), (Tcp, server(2)));
        assert_eq!(downgrade, Err(RedirectRefused::OtherTransport));
    }

    #[test]
    fn a_demo_on_one_machine_may_redirect_there() {
        let (a, b) = (address("127.0.0.1:1"), address("127.0.0.1:2"));
        assert_eq!(Redirects::new().follow(at(0), (Udp, a), (Udp, b)), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut redirects = Redirects::new();
        for n in 0..100 {
            redirects.note(at(u64::from(n)), server(n));
        }
        assert_eq!(redirects.asked.len(), Redirects::MAX_ASKED);
        assert!(redirects.asked.contains_key(&server(99)) && !redirects.asked.contains_key(&server(67)));
    }
}
