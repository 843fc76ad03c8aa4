//! What behaviour discovery needs of a host: two addresses, each with the same two ports (RFC 5780 §6).

use core::net::SocketAddr;

use thiserror::Error;

/// The primary and the alternate address of a server that helps clients to discover how their NATs behave
/// (RFC 5780 §6). The host binds all four [`corners`](Self::corners).
///
/// ```
/// use floe_turn_server::AddressPair;
///
/// let (primary, alternate) = ("192.0.2.1:3478".parse().unwrap(), "192.0.2.2:3479".parse().unwrap());
/// let pair = AddressPair::new(primary, alternate).unwrap();
/// let corners = ["192.0.2.1:3478", "192.0.2.1:3479", "192.0.2.2:3478", "192.0.2.2:3479"];
/// assert_eq!(pair.corners(), corners.map(|corner| corner.parse().unwrap()));
///
/// let why = AddressPair::new(primary, "192.0.2.2:3478".parse().unwrap()).unwrap_err();
/// assert!(why.to_string().contains("same port"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPair {
    primary: SocketAddr,
    alternate: SocketAddr,
}

impl AddressPair {
    /// These two, as clients reach them and are told: OTHER-ADDRESS names them.
    ///
    /// # Errors
    ///
    /// If one of them is the wildcard or has no port, or the two do not differ in both address and port, or no client
    /// could reach both.
    pub fn new(primary: SocketAddr, alternate: SocketAddr) -> Result<Self, AddressPairError> {
        if let Some(wildcard) = [primary, alternate].into_iter().find(|local| local.ip().is_unspecified()) {
            return Err(AddressPairError::Wildcard { wildcard });
        }
        if let Some(address) = [primary, alternate].into_iter().find(|local| local.port() == 0) {
            return Err(AddressPairError::NoPort { address });
        }
        if primary.is_ipv4() != alternate.is_ipv4() {
            return Err(AddressPairError::TwoFamilies { primary, alternate });
        }
        if primary.ip().is_loopback() != alternate.ip().is_loopback() {
            return Err(AddressPairError::OneLoopback { primary, alternate });
        }
        if primary.ip() == alternate.ip() {
            return Err(AddressPairError::SameIp { primary, alternate });
        }
        if primary.port() == alternate.port() {
            return Err(AddressPairError::SamePort { primary, alternate });
        }
        Ok(Self { primary, alternate })
    }

    /// A1 and P1 of RFC 5780 §6.1: where clients ask first.
    #[must_use]
    pub const fn primary(&self) -> SocketAddr {
        self.primary
    }

    /// A2 and P2.
    #[must_use]
    pub const fn alternate(&self) -> SocketAddr {
        self.alternate
    }

    /// A1:P1, A1:P2, A2:P1 and A2:P2.
    #[must_use]
    pub const fn corners(&self) -> [SocketAddr; 4] {
        let (a1, p1) = (self.primary.ip(), self.primary.port());
        let (a2, p2) = (self.alternate.ip(), self.alternate.port());
        [SocketAddr::new(a1, p1), SocketAddr::new(a1, p2), SocketAddr::new(a2, p1), SocketAddr::new(a2, p2)]
    }
}

/// Why two addresses are no [`AddressPair`], or none of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressPairError {
    /// Clients have to be told an address that they can ask.
    #[error("{wildcard} stands for all addresses, and clients must be told one; name the address itself")]
    Wildcard {
        /// The one that is the wildcard.
        wildcard: SocketAddr,
    },
    /// Port 0 is no port.
    #[error("{address} has no port; bind it first, then name the port that the system chose")]
    NoPort {
        /// The one with port 0.
        address: SocketAddr,
    },
    /// No NAT translates one to the other, so that they say nothing of one another.
    #[error(
        "{primary} and {alternate} are of two families; choose an alternate of the family of the primary"
    )]
    TwoFamilies {
        /// The primary address.
        primary: SocketAddr,
        /// The alternate address.
        alternate: SocketAddr,
    },
    /// Whoever reaches the one does not reach the other.
    #[error("one of {primary} and {alternate} is a loopback address; choose two that the same clients reach")]
    OneLoopback {
        /// The primary address.
        primary: SocketAddr,
        /// The alternate address.
        alternate: SocketAddr,
    },
    /// No answer could come from another IP address.
    #[error("{primary} and {alternate} have the same IP address; choose another one of this machine")]
    SameIp {
        /// The primary address.
        primary: SocketAddr,
        /// The alternate address.
        alternate: SocketAddr,
    },
    /// No answer could come from another port.
    #[error("{primary} and {alternate} have the same port; choose another one for the alternate")]
    SamePort {
        /// The primary address.
        primary: SocketAddr,
        /// The alternate address.
        alternate: SocketAddr,
    },
    /// RFC 5780 §6 wants all four, or none is told.
    #[error("the server does not listen on {corner}; let it listen on all four corners first")]
    NotListening {
        /// The corner without a socket.
        corner: SocketAddr,
    },
    /// Each address has one other.
    #[error("{corner} belongs to another pair already; leave out one of the two")]
    Taken {
        /// The corner of two pairs.
        corner: SocketAddr,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressPairError as E;

    #[test]
    fn what_would_mislead_clients_is_no_pair() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let why = |a, b| AddressPair::new(at(a), at(b)).unwrap_err();
        let both = |a, b| (at(a), at(b));

        let (primary, alternate) = both("192.0.2.1:3478", "192.0.2.1:3479");
        assert_eq!(why("192.0.2.1:3478", "192.0.2.1:3479"), E::SameIp { primary, alternate });
        let (primary, alternate) = both("192.0.2.1:3478", "192.0.2.2:3478");
        assert_eq!(why("192.0.2.1:3478", "192.0.2.2:3478"), E::SamePort { primary, alternate });
        let (primary, alternate) = both("192.0.2.1:3478", "[2001:db8::1]:3479");
        assert_eq!(why("192.0.2.1:3478", "[2001:db8::1]:3479"), E::TwoFamilies { primary, alternate });
        let (primary, alternate) = both("192.0.2.1:3478", "127.0.0.1:3479");
        assert_eq!(why("192.0.2.1:3478", "127.0.0.1:3479"), E::OneLoopback { primary, alternate });
        for (a, b, wildcard) in [
            ("192.0.2.1:3478", "0.0.0.0:3479", "0.0.0.0:3479"),
            ("[::]:3478", "[2001:db8::1]:3479", "[::]:3478"),
        ] {
            assert_eq!(why(a, b), E::Wildcard { wildcard: at(wildcard) });
        }
        assert_eq!(why("192.0.2.1:0", "192.0.2.2:3479"), E::NoPort { address: at("192.0.2.1:0") });
        assert!(AddressPair::new(at("[2001:db8::1]:3478"), at("[2001:db8::2]:3479")).is_ok());
        assert!(AddressPair::new(at("127.0.0.1:3478"), at("127.0.0.2:3479")).is_ok());
    }
}
