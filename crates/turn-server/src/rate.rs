//! How often an address that has shown no credentials is answered.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_stun::{Chance, Instant};

/// A table of fixed size: strangers cannot make it grow. Addresses that share a cell share its allowance, and
/// which ones do depends on the seed.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second: u32,
    salt: u64,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    second: u64,
    answers: u32,
}

impl RateLimit {
    pub(crate) fn new(per_second: u32, chance: &mut Chance) -> Self {
        Self { per_second, salt: chance.u64(), cells: alloc::vec![Cell::default(); CELLS] }
    }

    /// Counts one more answer, if the address may have it.
    pub(crate) fn admit(&mut self, now: Instant, client: SocketAddr) -> bool {
        let second = now.as_nanos() / 1_000_000_000;
        let place = usize::try_from(mix(network(client.ip()) ^ self.salt) % CELLS as u64).unwrap_or(0);
        let Some(cell) = self.cells.get_mut(place) else { return false };
        if cell.second != second {
            *cell = Cell { second, answers: 0 };
        }
        let admitted = cell.answers < self.per_second;
        cell.answers = cell.answers.saturating_add(1);
        admitted
    }
}

/// What one sender can hardly change: the IPv4 address, the first half of the IPv6 address.
fn network(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => u64::try_from(u128::from(ip) >> 64).unwrap_or(0),
    }
}

/// The finaliser of SplitMix64: every bit of the input moves every bit of the output.
const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

const CELLS: usize = 4096;
