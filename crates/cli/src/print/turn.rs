//! What a TURN server does on each way to it: a table and a sentence for each failure, or JSON lines.

use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::Transport;
use floe_stun::attribute::Family;
use serde::Serialize;

use super::{Paint, columns, json as json_line, line, note, rtt, wrap};
use crate::contract::{family_word, millis, transport_word, written};
use crate::turn::{Flow, Found, Granted, Relay, Report, Step, Trouble, Way};

pub(crate) struct Printer {
    json: bool,
    paint: Paint,
    rows: Vec<Row>,
    failed: usize,
}

/// One case: a way, what was asked for, and all that was tried.
struct Row {
    url: String,
    transport: Transport,
    server: Option<SocketAddr>,
    relay: Option<Relay>,
    reports: Vec<Report>,
    /// Whether data went there and back.
    carried: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::for_stdout(), rows: Vec::new(), failed: 0 }
    }

    /// A way that there is not.
    pub(crate) fn no_way(&mut self, way: &Way, trouble: Trouble) -> io::Result<()> {
        self.add(way, None);
        self.report(Report { step: Step::Resolve, peer: None, took: Duration::ZERO, result: Err(trouble) })
    }

    /// A case begins.
    pub(crate) fn begin(&mut self, way: &Way, relay: Relay) {
        self.add(way, Some(relay));
        if let Some(row) = self.rows.last()
            && !self.json
            && io::stderr().is_terminal()
        {
            note(Paint::for_stderr().faint(format!(
                "trying {} over {}: {}",
                row.url,
                row.over(),
                row.asked()
            )));
        }
    }

    fn add(&mut self, way: &Way, relay: Option<Relay>) {
        let (url, transport, server) = (way.uri.to_string(), way.transport, way.server.clone().ok());
        self.rows.push(Row { url, transport, server, relay, reports: Vec::new(), carried: false });
    }

    /// A step of it has ended.
    pub(crate) fn report(&mut self, report: Report) -> io::Result<()> {
        let Some(row) = self.rows.last_mut() else { return Ok(()) };
        self.failed += usize::from(report.result.is_err());
        row.reports.push(report);
        match row.reports.last() {
            Some(report) if self.json => json_line(&Told::Step(Box::new(told(row, report)))),
            _ => Ok(()),
        }
    }

    /// The case has ended.
    pub(crate) fn end(&mut self, carried: bool) {
        if let Some(row) = self.rows.last_mut() {
            row.carried = carried;
        }
    }

    /// All of it, with what it means.
    pub(crate) fn finish(&self, ok: bool) -> io::Result<()> {
        if self.json {
            let carried = self.rows.iter().filter(|row| row.carried).count();
            return json_line(&Told::Summary { ok, cases: self.rows.len(), carried, failed: self.failed });
        }
        let mut urls: Vec<&str> = self.rows.iter().map(|row| row.url.as_str()).collect();
        urls.dedup();
        for (n, url) in urls.into_iter().enumerate() {
            if n > 0 {
                line("")?;
            }
            let rows: Vec<_> = self.rows.iter().filter(|row| row.url == url).collect();
            line(format!("{}: {}", self.paint.bold(url), self.verdict(&rows)))?;
            self.steps(&rows)?;
            self.flows(&rows)?;
            self.troubles(&rows)?;
        }
        Ok(())
    }

    /// Where data went there and back.
    fn verdict(&self, rows: &[&Row]) -> String {
        let carried = rows.iter().filter(|row| row.carried);
        let ways: Vec<_> = carried
            .map(|row| format!("{} {}{}", row.over(), row.asked(), row.at().unwrap_or_default()))
            .collect();
        match ways.as_slice() {
            [] => self.paint.bad("carries no data"),
            ways => self.paint.good(format!("carries data over {}", ways.join(", "))),
        }
    }

    fn steps(&self, rows: &[&Row]) -> io::Result<()> {
        let rows = rows.iter().filter(|row| row.relay.is_some());
        let heads = HEADS.map(str::to_owned);
        self.table(&std::iter::once(heads).chain(rows.map(|row| row.cells())).collect::<Vec<_>>())
    }

    fn flows(&self, rows: &[&Row]) -> io::Result<()> {
        let flows = rows.iter().filter_map(|row| Some(row.with_flow(row.flow()?)));
        let cells: Vec<_> = std::iter::once(FLOW_HEADS.map(str::to_owned)).chain(flows).collect();
        if cells.len() > 1 {
            line("")?;
        }
        self.table(&cells)
    }

    /// The heads stand in the first row; alone they say nothing.
    fn table<const N: usize>(&self, cells: &[[String; N]]) -> io::Result<()> {
        let lines = columns(cells);
        let [heads, rest @ ..] = lines.as_slice() else { return Ok(()) };
        if rest.is_empty() {
            return Ok(());
        }
        line(self.paint.bold(heads))?;
        rest.iter().try_for_each(line)
    }

    /// Each sentence once, with all that it is true of in front.
    fn troubles(&self, rows: &[&Row]) -> io::Result<()> {
        let mut told: Vec<(Cow<'_, str>, Vec<String>)> = Vec::new();
        let all = rows.iter().flat_map(|row| row.troubles().map(|(step, text)| (row.place(step), text)));
        for (place, text) in all {
            match told.iter_mut().find(|(other, _)| *other == text) {
                Some((_, places)) if places.contains(&place) => {}
                Some((_, places)) => places.push(place),
                None => told.push((text, vec![place])),
            }
        }
        for (text, places) in told {
            line("")?;
            line(self.paint.bad(places.join(", ")))?;
            line(wrap(2, &text))?;
        }
        Ok(())
    }
}

impl Row {
    fn over(&self) -> String {
        let transport = transport_word(self.transport);
        match self.server {
            Some(server) if server.is_ipv6() => format!("{transport} (v6)"),
            _ => transport.to_owned(),
        }
    }

    const fn asked(&self) -> &'static str {
        match self.relay {
            Some(Relay::One(Family::Ipv4)) => "IPv4",
            Some(Relay::One(Family::Ipv6)) => "IPv6",
            Some(Relay::Both) => "both",
            None => "",
        }
    }

    fn place(&self, step: Step) -> String {
        let over = self.over();
        let words = [&over, self.asked(), step.name()].into_iter().filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ") + &self.at().unwrap_or_default()
    }

    /// The server that we were sent to, if that granted the allocation.
    fn redirected(&self) -> Option<SocketAddr> {
        self.granted()?.redirected
    }

    fn at(&self) -> Option<String> {
        self.redirected().map(|server| format!(" at {server} (redirected)"))
    }

    fn cells(&self) -> [String; HEADS.len()] {
        let [allocate, permission, send, channel, data, socket, moved, refresh, delete, tcp] = [
            Step::Allocate,
            Step::Permission,
            Step::Send,
            Step::Channel,
            Step::Data,
            Step::Socket,
            Step::Move,
            Step::Refresh,
            Step::Delete,
            Step::Tcp,
        ]
        .map(|step| self.cell(step));
        let moved = if moved == ABSENT { self.ticket().to_owned() } else { moved };
        let asked = self.asked().to_owned();
        [self.over(), asked, allocate, permission, send, channel, data, socket, moved, refresh, delete, tcp]
    }

    /// A step may come several times: for each family, for each peer. Where one peer is silent, the other counts.
    fn cell(&self, step: Step) -> String {
        let of_step = |report: &&Report| report.step == step && self.answers_instead(report).is_none();
        let mut found = self.reports.iter().filter(of_step);
        match found.clone().next() {
            None => ABSENT.to_owned(),
            Some(_) if found.any(|report| report.result.is_err()) => BAD.to_owned(),
            Some(Report { result: Ok(Found::Echo { rtt: took }), .. }) => rtt(Some(millis(*took))),
            Some(Report { step: Step::Allocate, took, .. }) => rtt(Some(millis(*took))),
            Some(_) => GOOD.to_owned(),
        }
    }

    /// Whom we came to talk to in place of the peer that this is about, who did not hear us.
    fn answers_instead(&self, report: &Report) -> Option<SocketAddr> {
        let first = report.peer.filter(|_| is_of_peer(report.step))?;
        let mut answered = self.reports.iter().filter_map(|other| match other.result {
            Ok(Found::Echo { .. }) if is_of_peer(other.step) => other.peer,
            _ => None,
        });
        // In one allocation of both families there is one of each.
        let other = answered.clone().find(|other| other.is_ipv4() == first.is_ipv4())?;
        (!answered.any(|peer| peer == first)).then_some(other)
    }

    /// Whether it could move.
    fn ticket(&self) -> &'static str {
        match self.granted() {
            Some(granted) if granted.ticket => "ticket",
            _ => ABSENT,
        }
    }

    fn granted(&self) -> Option<&Granted> {
        self.reports.iter().find_map(|report| match &report.result {
            Ok(Found::Allocation(granted)) => Some(granted),
            _ => None,
        })
    }

    fn flow(&self) -> Option<&Flow> {
        self.reports.iter().find_map(|report| match &report.result {
            Ok(Found::Flow(flow)) => Some(flow),
            _ => None,
        })
    }

    fn with_flow(&self, flow: &Flow) -> [String; FLOW_HEADS.len()] {
        let [least, median, most] =
            flow.rtt.map_or([None; 3], |times| times.map(Some)).map(|time| rtt(time.map(millis)));
        let rate = format!("{:.2} Mbit/s", flow.rate / 1e6);
        let (sent, lost) = (flow.sent.to_string(), flow.lost().to_string());
        [self.over(), self.asked().to_owned(), rate, sent, lost, least, median, most]
    }

    /// What failed and why, and what is worth a remark.
    fn troubles(&self) -> impl Iterator<Item = (Step, Cow<'_, str>)> {
        let failed = self.reports.iter().filter_map(|report| {
            let trouble = report.result.as_ref().err()?;
            let silent = report.peer.filter(|_| matches!(report.step, Step::Send | Step::Data));
            Some((
                report.step,
                match silent.zip(self.answers_instead(report)) {
                    Some((silent, other)) => Cow::Owned(no_hairpin(silent, other)),
                    None => Cow::Borrowed(trouble.text.as_str()),
                },
            ))
        });
        let lossy = self.flow().filter(|flow| flow.is_lossy());
        failed.chain(lossy.map(|_| (Step::Flow, LOSSY.into())))
    }
}

/// Whether it is tried with one peer after the other, until one hears us.
const fn is_of_peer(step: Step) -> bool {
    matches!(step, Step::Permission | Step::Send | Step::Channel | Step::Data)
}

/// The peer that is tried first is our second allocation, and the other one a socket of this machine.
fn no_hairpin(silent: SocketAddr, other: SocketAddr) -> String {
    let (silent, other) = (silent.ip(), other.ip());
    format!(
        "nothing came back from our second allocation at {silent}, but a socket of this machine at {other} answers: \
         probably the NAT in front of the relay does not hairpin, and clients that both use it do not hear each other; \
         look there"
    )
}

fn told(row: &Row, report: &Report) -> Line {
    let Report { step, peer, took, result } = report;
    let mut line = Line {
        url: row.url.clone(),
        transport: transport_word(row.transport),
        server: row.server.map(written),
        family: row.relay.map(|relay| match relay {
            Relay::One(family) => family_word(family),
            Relay::Both => "both",
        }),
        step: step.name(),
        ok: result.is_ok(),
        ms: millis(*took),
        code: None,
        error: None,
        peer: peer.map(written),
        redirected: row.redirected().map(written),
        ..Line::default()
    };
    match result {
        Err(Trouble { code, text }) => (line.code, line.error) = (*code, Some(text.clone())),
        Ok(Found::Nothing) => {}
        Ok(Found::Allocation(granted)) => {
            line.relayed = Some(granted.relayed.iter().copied().map(written).collect());
            line.mapped = Some(written(granted.mapped));
            line.lifetime_s = Some(granted.lifetime.as_secs());
            line.ticket = Some(granted.ticket);
        }
        Ok(Found::Lifetime(lifetime)) => line.lifetime_s = Some(lifetime.as_secs()),
        Ok(Found::Echo { rtt }) => line.rtt_ms = Some(millis(*rtt)),
        Ok(Found::Flow(flow)) => {
            line.sent = Some(flow.sent);
            line.lost = Some(flow.lost());
            line.rate_bps = Some(flow.rate.round());
            if let Some([least, median, most]) = flow.rtt.map(|times| times.map(millis)) {
                line.rtt_ms = Some(median);
                (line.rtt_min_ms, line.rtt_max_ms) = (Some(least), Some(most));
            }
        }
    }
    line
}

#[derive(Serialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
enum Told {
    Step(Box<Line>),
    Summary { ok: bool, cases: usize, carried: usize, failed: usize },
}

#[derive(Default, Serialize)]
struct Line {
    url: String,
    transport: &'static str,
    server: Option<String>,
    family: Option<&'static str>,
    step: &'static str,
    ok: bool,
    ms: f64,
    code: Option<u16>,
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relayed: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapped: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_min_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_max_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_bps: Option<f64>,
}

const HEADS: [&str; 12] = [
    "OVER", "RELAY", "ALLOCATE", "PERMIT", "SEND", "CHANNEL", "DATA", "SOCKET", "MOVE", "REFRESH", "DELETE",
    "TCP",
];

const FLOW_HEADS: [&str; 8] = ["OVER", "RELAY", "RATE", "SENT", "LOST", "RTT MIN", "MEDIAN", "MAX"];

const GOOD: &str = "✓";
const BAD: &str = "✗";
const ABSENT: &str = "-";

const LOSSY: &str = "more than 5 % of the datagrams did not come back: the network carries less than --rate asks for, or the \
                     server limits what a user may send; ask for a lower --rate";

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "203.0.113.1:50000";
    const OTHER: &str = "192.0.2.7:40000";

    fn row(reports: Vec<Report>) -> Row {
        let server = "203.0.113.1:3478".parse().ok();
        let relay = Some(Relay::One(Family::Ipv4));
        Row { url: "turn:a".into(), transport: Transport::Udp, server, relay, reports, carried: true }
    }

    fn report(step: Step, peer: &str, result: Result<Found, Trouble>) -> Report {
        Report { step, peer: peer.parse().ok(), took: Duration::ZERO, result }
    }

    fn heard() -> Result<Found, Trouble> {
        Ok(Found::Echo { rtt: Duration::from_millis(2) })
    }

    fn silent() -> Result<Found, Trouble> {
        Err(Trouble::new("silence"))
    }

    fn tried(peer: &str, echo: fn() -> Result<Found, Trouble>) -> [Report; 4] {
        [
            report(Step::Permission, peer, Ok(Found::Nothing)),
            report(Step::Send, peer, echo()),
            report(Step::Channel, peer, Ok(Found::Nothing)),
            report(Step::Data, peer, echo()),
        ]
    }

    fn told(row: &Row) -> Vec<String> {
        row.troubles().map(|(step, text)| format!("{}: {text}", row.place(step))).collect()
    }

    #[test]
    fn where_one_peer_is_silent_the_other_counts_and_both_are_named() {
        let row = row([tried(FIRST, silent), tried(OTHER, heard)].into_iter().flatten().collect());
        assert_eq!(
            [Step::Permission, Step::Send, Step::Data].map(|step| row.cell(step)),
            [GOOD, "2.00 ms", "2.00 ms"]
        );
        for text in told(&row) {
            assert!(text.contains("203.0.113.1, but") && text.contains("192.0.2.7 answers"), "{text}");
            assert!(text.contains("hairpin") && !text.contains("silence"), "{text}");
        }
    }

    #[test]
    fn where_both_peers_are_silent_that_is_told() {
        let row = row([tried(FIRST, silent), tried(OTHER, silent)].into_iter().flatten().collect());
        assert_eq!(row.cell(Step::Send), BAD);
        assert_eq!(told(&row).len(), 4);
        assert!(told(&row).iter().all(|text| text.ends_with("silence")), "{:?}", told(&row));
    }

    #[test]
    fn what_a_peer_that_hears_us_does_not_hear_counts() {
        let mut reports = Vec::from(tried(FIRST, heard));
        reports.push(report(Step::Data, FIRST, silent()));
        reports.push(report(Step::Socket, OTHER, heard()));
        let row = row(reports);
        assert_eq!(row.cell(Step::Data), BAD);
        assert_eq!(told(&row), ["udp IPv4 data: silence"]);
    }

    #[test]
    fn much_loss_is_worth_a_remark() {
        for (back, remarks) in [(95, 0), (94, 1)] {
            let flow = Flow { sent: 100, back, rate: 1.0, rtt: None };
            let row = row(vec![report(Step::Flow, OTHER, Ok(Found::Flow(flow)))]);
            assert_eq!(told(&row).len(), remarks, "{back}");
        }
    }
}
