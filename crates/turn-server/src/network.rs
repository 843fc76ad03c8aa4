//! A block of IP addresses, as operators write them.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use thiserror::Error;

/// The addresses that begin with the same bits: `198.51.100.0/24`, `2001:db8::/32`, or one address alone.
///
/// ```
/// use floe_turn_server::Network;
///
/// let network: Network = "198.51.100.0/24".parse().unwrap();
/// assert!(network.contains("198.51.100.7".parse().unwrap()));
/// assert!(!network.contains("198.51.101.7".parse().unwrap()));
/// assert_eq!(network.to_string(), "198.51.100.0/24");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// Those that share the first `prefix` bits of `ip`. `None` if there are not so many.
    #[must_use]
    pub fn new(ip: IpAddr, prefix: u8) -> Option<Self> {
        let first = match ip {
            IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & mask_v4(prefix)?).into()),
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & mask_v6(prefix)?).into()),
        };
        Some(Self { first, prefix })
    }

    /// Whether an address is one of them.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.first.is_ipv4() && Self::new(ip, self.prefix).is_some_and(|same| same == *self)
    }

    pub(crate) const fn is_v4(&self) -> bool {
        self.first.is_ipv4()
    }

    /// How many first bits they share: 0 to 32, or to 128.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }
}

fn mask_v4(prefix: u8) -> Option<u32> {
    let rest = 32_u32.checked_sub(prefix.into())?;
    Some(u32::MAX.checked_shl(rest).unwrap_or(0))
}

fn mask_v6(prefix: u8) -> Option<u128> {
    let rest = 128_u32.checked_sub(prefix.into())?;
    Some(u128::MAX.checked_shl(rest).unwrap_or(0))
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// A text is no [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected an IP address or a network, such as 198.51.100.7, 198.51.100.0/24 or 2001:db8::/32")]
pub struct NetworkError(());

impl FromStr for Network {
    type Err = NetworkError;

    /// Bits behind the prefix are no error: `198.51.100.7/24` is `198.51.100.0/24`.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parse = || match text.split_once('/') {
            None => {
                let ip: IpAddr = text.parse().ok()?;
                Self::new(ip, if ip.is_ipv4() { 32 } else { 128 })
            }
            Some((ip, prefix)) => {
                let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
                Self::new(ip.parse().ok()?, prefix.parse().ok().filter(|_| is_number)?)
            }
        };
        parse().ok_or(NetworkError(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_network_begins_and_ends_where_its_prefix_says() {
        for (network, first, last, before, behind) in [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            ("172.16.0.0/12", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"),
            ("192.0.2.6/31", "192.0.2.6", "192.0.2.7", "192.0.2.5", "192.0.2.8"),
            ("fe80::/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe7f:ffff::", "fec0::"),
            (
                "2001:db8:0:8000::/49",
                "2001:db8:0:8000::",
                "2001:db8:0:ffff::1",
                "2001:db8:0:7fff::",
                "2001:db8:1::",
            ),
            ("::1/128", "::1", "::1", "::", "::2"),
        ] {
            let network: Network = network.parse().unwrap();
            let has = |ip: &str| network.contains(ip.parse().unwrap());
            assert!(has(first) && has(last), "{network}");
            assert!(!has(before) && !has(behind), "{network}");
        }
    }

    #[test]
    fn every_prefix_is_that_of_big_numbers() {
        let v4: IpAddr = "198.51.100.255".parse().unwrap();
        for prefix in 0..=32_u8 {
            let size = 1_u64 << (32 - prefix);
            let number = u64::from(u32::from(core::net::Ipv4Addr::new(198, 51, 100, 255)));
            let first = u32::try_from(number / size * size).unwrap();
            let network = Network::new(v4, prefix).unwrap();
            assert_eq!(network.first, IpAddr::V4(first.into()), "{prefix}");
        }
        let everything: Network = "::/0".parse().unwrap();
        assert!(everything.contains("ffff::1".parse().unwrap()) && !everything.contains(v4));
    }

    #[test]
    fn what_is_no_network_is_refused_and_what_is_one_is_written_as_it_should_be() {
        for text in
            ["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/ 8", "a/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
        for (text, written) in
            [("10.1.2.3/8", "10.0.0.0/8"), ("192.0.2.1", "192.0.2.1/32"), ("2001:db8::1/32", "2001:db8::/32")]
        {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), written);
        }
    }
}
