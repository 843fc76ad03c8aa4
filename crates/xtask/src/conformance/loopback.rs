//! The same run against servers on loopback, with every cell known beforehand: coturn and `floe serve`.

mod coturn;
mod floe;

use std::fs;
use std::future::ready;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use anyhow::bail;
use tokio_rustls::rustls::pki_types::ServerName;

use super::row::{Row, Verdict};
use super::servers::{Place, Places};
use super::tls::Trust;
use super::{Means, block_on, chance, report, survey};
use crate::host;
use crate::step::CannotRun;
use coturn::Coturn;
use floe::Floe;

/// One row: what is asked as what, and how each cell begins, in the order of [`super::row::Feature::ALL`].
struct Case {
    name: &'static str,
    places: Places,
    expected: [&'static str; 13],
}

pub(crate) fn run() -> anyhow::Result<()> {
    fs::create_dir_all(folder())?;
    if UdpSocket::bind((OTHER_ADDRESS, 0)).is_err() {
        bail!(CannotRun(format!(
            "no server can have two addresses here, for {OTHER_ADDRESS} is not one of them"
        )));
    }
    let has_v6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has_v6 {
        println!("this machine has no ::1, so that nothing is asked over IPv6");
    }
    let coturn = Coturn::start(has_v6)?;
    let floe = Floe::start(has_v6, &[])?;
    let with_other = Floe::start(has_v6, &["--alternate", &OTHER_ADDRESS.to_string()])?;
    let means = Means::new(Trust::of(vec![coturn.certificate.clone()]));
    let cases = cases(&coturn, &floe, &with_other)?;
    let named = cases.iter().map(|case| (case.name.to_owned(), ready(Ok(case.places.clone()))));
    let rows = block_on(survey(named.collect(), &means, &mut chance()?))?;
    report::print(&rows, false);
    compare(&cases, &rows)
}

/// What coturn and floe are known to do.
fn cases(coturn: &Coturn, floe: &Floe, with_other: &Floe) -> anyhow::Result<[Case; 5]> {
    let udp6 = |address: Option<SocketAddr>| address.map(Place::Udp).ok_or_else(|| not_asked("no ::1 here"));
    let over_tls =
        |address, name: &'static str| ServerName::try_from(name).map(|name| Place::Tls(vec![address], name));
    let only = |tls| [Err(not_asked("TLS")), Err(not_asked("TLS")), Err(not_asked("TLS")), Ok(tls)];
    let tls = over_tls(coturn.tls, coturn::NAME)?;
    let (udp, tcp) = (Place::Udp(coturn.v4), Place::Tcp(vec![coturn.v4]));
    // udp4 udp6 tcp tls resend optional required fprint xor mapped 5780 3489 software
    let all = Case {
        name: "coturn",
        places: [Ok(udp), udp6(coturn.v6), Ok(tcp), Ok(tls.clone())],
        expected: [P, coturn.v6.map_or(U, |_| P), P, P, P, P, P, F, P, P, P, P, "pass: Coturn"],
    };
    // What cannot be asked on a stream is unsupported.
    let stream = Case {
        name: "coturn over TLS",
        places: only(tls),
        expected: [U, U, U, P, U, P, P, F, P, P, U, U, "pass: Coturn"],
    };
    let misnamed = Case {
        name: "coturn by another name",
        places: only(over_tls(coturn.tls, "elsewhere.floe.test")?),
        expected: [U, U, U, MISNAMED, N, N, N, N, N, N, N, N, N],
    };
    // Strangers are told the mapped address and no more.
    let of_floe = |floe: &Floe| -> anyhow::Result<Places> {
        let (udp, tcp) = (Place::Udp(floe.v4), Place::Tcp(vec![floe.v4]));
        Ok([Ok(udp), udp6(floe.v6), Ok(tcp), Ok(over_tls(floe.tls, coturn::NAME)?)])
    };
    let ours = Case {
        name: "floe serve",
        places: of_floe(floe)?,
        expected: [P, floe.v6.map_or(U, |_| P), P, P, P, P, P, F, P, U, U, U, U],
    };
    let ours_with_other = Case {
        name: "floe serve --alternate",
        places: of_floe(with_other)?,
        expected: [P, floe.v6.map_or(U, |_| P), P, P, P, P, P, F, P, P, P, U, U],
    };
    Ok([all, stream, misnamed, ours, ours_with_other])
}

/// The servers' second address; Linux has all of 127.0.0.0/8.
const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const P: &str = "pass";
const U: &str = "unsupported";
const N: &str = "no answer";
/// FINGERPRINT for FINGERPRINT.
const F: &str = "pass: answered with one";
const MISNAMED: &str = "fail: TLS failed: invalid peer certificate: certificate not valid for name";

fn not_asked(why: &str) -> Verdict {
    Verdict::Unsupported(format!("not asked: {why}"))
}

/// Every cell that is not as expected, with what it says.
fn compare(cases: &[Case], rows: &[Row]) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (case, row) in cases.iter().zip(rows) {
        for ((feature, verdict), expected) in row.cells().zip(case.expected) {
            let found = format!("{}: {}", verdict.word(), verdict.note());
            if !found.starts_with(expected) {
                wrong.push(format!(
                    "{}, {}: {expected:?} is expected, {found:?} was found",
                    case.name,
                    feature.name()
                ));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{}; logs in {}", wrong.join("; "), folder().display()) }
}

/// Where servers have their files.
fn folder() -> PathBuf {
    host::target().join("conformance")
}
