//! Datagrams of several sizes, there and back.

use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::Instant;
use floe_tokio::{Clock, TurnClient};
use tokio::time::timeout;

use super::step::{Found, Trouble};

/// What came back.
#[derive(Debug, PartialEq)]
pub(crate) struct Echo {
    /// The sizes that did not.
    missing: Vec<usize>,
    /// The shortest round trip; none if nothing did.
    pub(crate) rtt: Option<Duration>,
}

impl Echo {
    /// Sends one datagram of each size, and those that do not come back again.
    pub(crate) async fn of(client: &TurnClient, peer: SocketAddr) -> Self {
        let mut echo = Self { missing: SIZES.to_vec(), rtt: None };
        for _ in 0..ATTEMPTS {
            let _ = timeout(PATIENCE, echo.attempt(client, peer)).await;
            if echo.missing.is_empty() {
                break;
            }
        }
        echo
    }

    async fn attempt(&mut self, client: &TurnClient, peer: SocketAddr) {
        let clock = Clock::start();
        for size in &self.missing {
            // One that cannot be sent does not come back.
            let _ = client.send_to(peer, &vec![PATTERN; *size]).await;
        }
        while !self.missing.is_empty()
            && let Some((from, data)) = client.recv().await
        {
            if from == peer {
                self.handle(clock.now() - Instant::ORIGIN, &data);
            }
        }
    }

    /// The peer has sent this, so long after we have.
    fn handle(&mut self, rtt: Duration, data: &[u8]) {
        let awaited = self.missing.iter().position(|size| *size == data.len());
        if let Some(awaited) = awaited.filter(|_| data.iter().all(|byte| *byte == PATTERN)) {
            self.missing.remove(awaited);
            self.rtt = Some(self.rtt.map_or(rtt, |other| other.min(rtt)));
        }
    }

    /// All of it has to come back; if nothing does, so it is told.
    pub(crate) fn result(&self, silence: impl Into<String>) -> Result<Found, Trouble> {
        match self.rtt {
            None => Err(Trouble::new(silence)),
            Some(rtt) if self.missing.is_empty() => Ok(Found::Echo { rtt }),
            Some(_) => {
                let sizes: Vec<_> = self.missing.iter().map(ToString::to_string).collect();
                let sizes = sizes.join(" and ");
                Err(Trouble::new(format!(
                    "datagrams of {sizes} bytes did not come back, others did; {LIMITS}"
                )))
            }
        }
    }
}

/// Bytes of data: none, the least, and what fits everywhere.
const SIZES: [usize; 3] = [0, 1, 1200];

const PATTERN: u8 = 0x5A;

/// A network may lose one or another.
const ATTEMPTS: usize = 3;

/// As long as a slow way around the world takes.
const PATIENCE: Duration = Duration::from_secs(1);

const LIMITS: &str = "the server or the network behind it takes no datagrams of this size";

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_came_back_in_part_is_told_by_size() {
        let mut echo = Echo { missing: SIZES.to_vec(), rtt: None };
        assert_eq!(echo.result("silence").unwrap_err().text, "silence");
        for (data, awaited) in
            [(&[0; 1][..], 3), (&[PATTERN; 2], 3), (&[PATTERN; 1200], 2), (&[PATTERN; 1200], 2)]
        {
            echo.handle(3 * MS, data);
            assert_eq!(echo.missing.len(), awaited);
        }
        let told = echo.result("").unwrap_err().text;
        assert!(told.contains("0 and 1 bytes"), "{told}");
        echo.handle(2 * MS, &[]);
        echo.handle(9 * MS, &[PATTERN]);
        assert!(matches!(echo.result(""), Ok(Found::Echo { rtt }) if rtt == 2 * MS));
    }
}
