//! Names to addresses, by the system's resolver.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use floe_stun::Failure;

/// Addresses of `name` in the resolver's order, without doubles. An address is its own name.
///
/// # Errors
///
/// What the resolver said, or that it said nothing within 5 s.
pub async fn resolve(name: &str) -> Result<Vec<IpAddr>, Failure> {
    let found = match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Ok(found) => found.map_err(|why| judge(&why))?,
        Err(_) => return Err(Failure::TimedOut),
    };
    let mut addresses = Vec::new();
    for ip in found.map(|address| address.ip().to_canonical()) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    if addresses.is_empty() { Err(Failure::NoSuchName) } else { Ok(addresses) }
}

fn judge(why: &io::Error) -> Failure {
    match why.kind() {
        io::ErrorKind::TimedOut => Failure::TimedOut,
        io::ErrorKind::OutOfMemory => Failure::Exhausted,
        _ => Failure::NoSuchName,
    }
}

/// As long as a resolver takes to try its first server twice.
const PATIENCE: Duration = Duration::from_secs(5);
