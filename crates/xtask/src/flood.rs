//! A flood against `floe serve` on loopback: 100,000 hostile packets a second and hundreds of useless connections, while clients
//! who have allocations talk to their peers.
//!
//! What the kernel drops because the one flooded socket is full hits friend and foe alike and is the machine's to answer for; it
//! is counted (`/proc/net/udp`), and everything beyond it is ours. What peers send arrives at other sockets and has no excuse.

mod hostile;
mod streams;
mod talk;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};

use crate::relay_bench::client;
use crate::relay_bench::serve::Serving;
use hostile::Hostile;
use talk::{Talk, Way};

pub(crate) fn run() -> anyhow::Result<()> {
    crate::relay_bench::prepare(1000)?;
    let server = Serving::floe("flood.log", 100)?;
    let (address, usage) = (server.address(), server.usage());
    let talk = Talk::begin(address)?;
    let hostile = Hostile::prepare(address)?;
    let (told, memory, dropped) = (server.log()?.len(), usage.resident()?, dropped(address)?);

    let over = AtomicBool::new(false);
    let (talked, flooded, opened) = thread::scope(|scope| {
        let talked = scope.spawn(|| talk.run(&over));
        let opened = scope.spawn(|| streams::open(address, &over));
        let flooded = hostile.flood(RATE, TIME);
        over.store(true, Ordering::Relaxed);
        (talked.join(), flooded, opened.join())
    });
    let panicked = |_| anyhow!("a thread panicked");
    let (talked, opened) = (talked.map_err(panicked)??, opened.map_err(panicked)?);
    let start = Instant::now();
    let answered = client::allocate(client::address(8, 0), address, &[]);
    let waited = start.elapsed();
    let seen = Seen {
        to_peers: talked.to_peers,
        to_clients: talked.to_clients,
        hostile: flooded,
        dropped: self::dropped(address)?.saturating_sub(dropped),
        grown: usage.resident()?.saturating_sub(memory),
        lines: lines(server.log()?.get(told..).unwrap_or_default()),
        newcomer: answered.map(|_| waited).map_err(|why| format!("{why:#}")),
    };
    println!("  {opened} streams were opened");
    seen.print();
    match seen.faults().as_slice() {
        [] => Ok(()),
        faults => bail!("{}", faults.join("; ")),
    }
}

/// What came of it.
#[derive(Clone, Debug)]
struct Seen {
    to_peers: Way,
    to_clients: Way,
    /// Packets that were sent to the flooded socket, in all.
    hostile: u64,
    /// Packets that the kernel had no room for there.
    dropped: u64,
    /// Bytes of memory.
    grown: u64,
    /// Lines of the server's log, by what they tell.
    lines: BTreeMap<String, usize>,
    /// How long somebody new waited for an allocation.
    newcomer: Result<Duration, String>,
}

impl Seen {
    /// Of what is sent to the flooded socket, the part that the kernel drops.
    fn overflow(&self) -> f64 {
        self.dropped as f64 / (self.hostile + self.to_peers.sent).max(1) as f64
    }

    fn print(&self) {
        let rate = self.hostile as f64 / TIME.as_secs_f64();
        println!(
            "  {rate:.0} hostile packets a second of {RATE}; the kernel dropped {:.2} %",
            self.overflow() * 100.0
        );
        for (name, way) in [("to peers", &self.to_peers), ("to clients", &self.to_clients)] {
            let [median, p99, most] = [0.5, 0.99, 1.0].map(|part| way.delay(part).as_secs_f64() * 1e3);
            println!(
                "  {name:10} {} of {} lost; delay {median:.2} ms, 99 % within {p99:.2} ms, all within {most:.2} ms",
                way.lost(),
                way.sent
            );
        }
        println!("  memory grew by {} KiB; lines in the log: {:?}", self.grown / 1024, self.lines);
        match &self.newcomer {
            Ok(waited) => println!("  somebody new was served after {waited:?}"),
            Err(why) => println!("  somebody new was not served: {why}"),
        }
    }

    /// All that must not be.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut demand = |holds: bool, otherwise: String| {
            if !holds {
                faults.push(otherwise);
            }
        };
        // The kernel drops in streaks: what it takes of a few thousand packets is not quite its share.
        let allowed = [("peers", &self.to_peers, self.overflow() * 1.5), ("clients", &self.to_clients, 0.0)];
        for (whom, way, excused) in allowed {
            let lost = way.lost() as f64 / way.sent.max(1) as f64;
            demand(
                way.sent > 0 && lost <= MAX_LOSS + excused,
                format!(
                    "{} of {} packets to {whom} were lost, {:.2} % are excused",
                    way.lost(),
                    way.sent,
                    excused * 100.0
                ),
            );
            let delay = way.delay(0.99);
            demand(
                delay <= MAX_DELAY,
                format!("packets to {whom} took {delay:?}, at most {MAX_DELAY:?} are allowed"),
            );
        }
        demand(
            self.grown < MAX_GROWTH,
            format!("memory grew by {} bytes, {MAX_GROWTH} are allowed", self.grown),
        );
        for (what, count) in &self.lines {
            let (count, most) = (*count, LINES_PER_SECOND * SECONDS);
            demand(count <= most, format!("{count} lines of {what:?} in the log, {most} are allowed"));
        }
        match &self.newcomer {
            Ok(waited) => {
                demand(
                    *waited < MAX_WAIT,
                    format!("somebody new waited {waited:?}, {MAX_WAIT:?} are allowed"),
                );
            }
            Err(why) => demand(false, format!("somebody new was not served: {why}")),
        }
        faults
    }
}

/// How many datagrams the kernel has dropped because this socket was full; the last column.
fn dropped(socket: SocketAddr) -> anyhow::Result<u64> {
    let SocketAddr::V4(v4) = socket else { bail!("{socket} is no IPv4 address") };
    let named = format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port());
    let table = fs::read_to_string("/proc/net/udp")?;
    let mut fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = fields.find(|fields| fields.get(1) == Some(&named.as_str()));
    let last = ours.and_then(|fields| fields.last()?.parse().ok());
    last.with_context(|| format!("{named} is not in /proc/net/udp"))
}

fn lines(log: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in log.lines() {
        let told: Option<serde_json::Value> = serde_json::from_str(line).ok();
        let what = told.as_ref().and_then(|told| told["ev"].as_str()).unwrap_or("other");
        *counts.entry(what.to_owned()).or_default() += 1;
    }
    counts
}

/// Packets a second.
const RATE: u64 = 100_000;
const TIME: Duration = Duration::from_secs(5);

const MAX_LOSS: f64 = 0.01;
/// Far beyond what a machine needs that is not busy with other things.
const MAX_DELAY: Duration = Duration::from_millis(250);
const MAX_GROWTH: u64 = 32 << 20;
const LINES_PER_SECOND: usize = 10;
/// Seconds of the clock that lines may fall into: one more at either end.
const SECONDS: usize = TIME.as_secs() as usize + 2;
/// An answer may be lost and asked for again.
const MAX_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn way(sent: u64, received: usize, delay: Duration) -> Way {
        Way { sent, delays: vec![delay; received] }
    }

    fn fine() -> Seen {
        let quick = Duration::from_millis(1);
        Seen {
            to_peers: way(5000, 4960, quick),
            to_clients: way(5000, 5000, quick),
            hostile: 495_000,
            dropped: 0,
            grown: 1 << 20,
            lines: BTreeMap::from([("login-failed".to_owned(), 60)]),
            newcomer: Ok(quick),
        }
    }

    #[test]
    fn what_is_fine_is_no_fault() {
        assert_eq!(fine().faults(), [""; 0]);
    }

    #[test]
    fn every_promise_can_be_broken() {
        let quick = Duration::from_millis(1);
        let broken = [
            Seen { to_peers: way(5000, 4900, quick), ..fine() },
            Seen { to_peers: way(0, 0, quick), ..fine() },
            Seen { to_clients: way(5000, 4900, quick), dropped: 250_000, ..fine() },
            Seen { to_clients: way(5000, 5000, Duration::from_secs(1)), ..fine() },
            Seen { grown: 64 << 20, ..fine() },
            Seen { lines: BTreeMap::from([("login-failed".to_owned(), 71)]), ..fine() },
            Seen { newcomer: Ok(Duration::from_secs(3)), ..fine() },
            Seen { newcomer: Err("nobody is there".to_owned()), ..fine() },
        ];
        for seen in broken {
            assert_eq!(seen.faults().len(), 1, "{seen:?}");
        }
    }

    #[test]
    fn what_the_kernel_drops_is_excused_on_the_flooded_socket_and_no_more() {
        // A tenth of all packets.
        let full = Seen { dropped: 50_000, ..fine() };
        let quick = Duration::from_millis(1);
        assert_eq!(Seen { to_peers: way(5000, 4450, quick), ..full.clone() }.faults(), [""; 0]);
        assert_eq!(Seen { to_peers: way(5000, 4100, quick), ..full }.faults().len(), 1);
    }
}
