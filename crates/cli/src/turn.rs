//! `floe turn`: what does a TURN server do for us, by every way to it?

mod case;
mod echo;
mod flow;
mod journal;
mod peer;
mod plan;
mod step;
mod tcp;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use floe_stun::Uri;
use floe_stun::credentials::Credentials;
use floe_stun::credentials::rest::Secret;
use floe_tokio::Tls;

use self::case::Case;
use self::flow::Pace;
use self::journal::{Ending, Journal};
use crate::Turn;
use crate::failure::Failure;
use crate::print::turn::Printer;
use crate::signals::Signals;

pub(crate) use self::flow::Flow;
pub(crate) use self::plan::{Relay, Way};
pub(crate) use self::step::{Found, Granted, Report, Step, Trouble};

/// What all cases are tried with.
#[derive(Debug)]
pub(crate) struct Setup {
    credentials: Credentials,
    /// Whom to trust, if not whom the system trusts.
    tls: Option<Tls>,
    /// The user's own echo server.
    peer: Option<SocketAddr>,
    pace: Pace,
    mobility: bool,
}

/// Succeeds if each server carried data, on one way at least.
pub(crate) async fn run(options: Turn) -> Result<(), Failure> {
    let mut printer = Printer::new(options.json);
    let (setup, uris) = (Setup::read(&options)?, options.uris);
    let mut signals = Signals::listen()?;
    let outcome = tokio::select! {
        outcome = try_all(&setup, &uris, &mut printer) => Some(outcome),
        () = signals.recv() => None,
    };
    let Some(outcome) = outcome else {
        // What was allocated is given back.
        tokio::task::yield_now().await;
        return Err(Failure::Interrupted);
    };
    let silent = outcome?;
    printer.finish(silent.is_empty())?;
    if silent.is_empty() { Ok(()) } else { Err(Failure::NotCarried { servers: silent.join(", ") }) }
}

/// Gives those that carried nothing.
async fn try_all(setup: &Setup, uris: &[Uri], printer: &mut Printer) -> Result<Vec<String>, Failure> {
    let mut silent = Vec::new();
    for uri in uris {
        let mut carried = false;
        for way in plan::ways(uri).await {
            match &way.server {
                Ok(server) => carried |= try_way(setup, &way, *server, printer).await?,
                Err(trouble) => printer.no_way(&way, trouble.clone())?,
            }
        }
        if !carried {
            silent.push(uri.to_string());
        }
    }
    Ok(silent)
}

/// Whether any relayed address carried data.
async fn try_way(
    setup: &Setup,
    way: &Way,
    server: SocketAddr,
    printer: &mut Printer,
) -> Result<bool, Failure> {
    let (mut carried, mut families) = (false, 0);
    for relay in Relay::ALL {
        // One that lacks a family has not both.
        if relay == Relay::Both && families < 2 {
            break;
        }
        printer.begin(way, relay);
        let mut journal = Journal::new(printer);
        Case { setup, way, server, relay }.run(&mut journal).await?;
        let Ending { allocated, carried: more, hopeless } = journal.ending;
        printer.end(more);
        carried |= more;
        families += usize::from(allocated);
        if hopeless {
            break;
        }
    }
    Ok(carried)
}

impl Setup {
    fn read(options: &Turn) -> Result<Self, Failure> {
        if let Some(uri) = options.uris.iter().find(|uri| !uri.scheme().is_turn()) {
            return Err(Failure::NoRelayUri { uri: uri.to_string() });
        }
        Ok(Self {
            credentials: credentials(options)?,
            tls: options.ca.as_deref().map(trusted).transpose()?,
            peer: options.peer,
            pace: Pace { rate: options.rate, time: Duration::from_secs(options.seconds) },
            mobility: options.mobility,
        })
    }
}

fn credentials(options: &Turn) -> Result<Credentials, Failure> {
    let name = options.login.user.as_deref();
    if let Some(secret) = &options.secret {
        return Ok(Secret::new(secret).credentials(name.unwrap_or_default(), since_1970() + HOUR));
    }
    let Some((user, password)) = name.zip(options.login.password.as_deref()) else {
        let uri = options.uris.first().map(ToString::to_string).unwrap_or_default();
        return Err(Failure::NoTurnLogin { uri });
    };
    Credentials::prepare(user, password).map_err(Failure::NotOpaque)
}

fn trusted(file: &Path) -> Result<Tls, Failure> {
    let refuse = |why: String| Failure::Settings { path: file.display().to_string(), why };
    let certificates = std::fs::read(file).map_err(|why| refuse(why.to_string()))?;
    let tls = Tls::no_roots().and_then(|tls| tls.trusting(&certificates));
    tls.map_err(|why| refuse(why.to_string()))
}

/// Reads bits in a second: a number, and k, M or G behind it.
pub(crate) fn parse_rate(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (text.get(..at), 1_000),
        Some((at, 'm' | 'M')) => (text.get(..at), 1_000_000),
        Some((at, 'g' | 'G')) => (text.get(..at), 1_000_000_000),
        _ => (Some(text), 1),
    };
    let rate = number.and_then(|number| number.parse::<u64>().ok()?.checked_mul(unit));
    rate.filter(|rate| (1..=MAX_RATE).contains(rate))
        .ok_or_else(|| "expected bits in a second from 1 to 100G, such as 500k or 10M".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "such credentials are good until a time of the calendar")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Longer than any test takes.
const HOUR: Duration = Duration::from_secs(3600);

/// More than any machine sends.
const MAX_RATE: u64 = 100_000_000_000;

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;

    #[test]
    fn the_page_about_it_tells_of_every_option() {
        let page = include_str!("../../../docs/turn.md");
        let command = Turn::augment_args(clap::Command::new("turn"));
        let mut options = 0;
        for argument in command.get_arguments() {
            let Some(option) = argument.get_long() else { continue };
            options += 1;
            assert!(page.contains(&format!("\n| `--{option}")), "--{option} stands not in docs/turn.md");
            if let Some(variable) = argument.get_env().and_then(std::ffi::OsStr::to_str) {
                assert!(page.contains(&format!("`{variable}`")), "{variable} stands not in docs/turn.md");
            }
        }
        assert!(options > 8);
    }

    #[test]
    fn a_rate_has_a_unit_or_none() {
        for (text, rate) in
            [("1", 1), ("9600", 9600), ("500k", 500_000), ("10M", 10_000_000), ("1G", 1_000_000_000)]
        {
            assert_eq!(parse_rate(text), Ok(rate), "{text}");
        }
        for text in ["", "0", "M", "-1", "1.5M", "1T", "101G", "99999999999999999999", "10 M", "ä"] {
            assert!(parse_rate(text).unwrap_err().contains("10M"), "{text}");
        }
    }
}
