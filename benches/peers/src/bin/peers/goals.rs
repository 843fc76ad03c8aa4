//! The goals, and whether they are met.

use comfy_table::Table;
use floe_peers::{IN_PLACE, Row};
use serde::Serialize;

use crate::report::{Figures, Report, RowReport, ratio, table, time};

#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    id: &'static str,
    says: String,
    wanted: Wanted,
    measured: f64,
    met: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    /// The other takes so many times as long as we do.
    Faster(f64),
    /// We take at most so many times as long.
    Within(f64),
    /// Nanoseconds.
    Ns(f64),
    NsPerByte(f64),
    /// Of allocations, or of copies.
    Count(f64),
}

impl Wanted {
    fn is_met(self, measured: f64) -> bool {
        match self {
            Self::Faster(least) => measured >= least,
            Self::Within(most) | Self::Ns(most) | Self::NsPerByte(most) | Self::Count(most) => {
                measured <= most
            }
        }
    }

    fn text(self) -> String {
        match self {
            Self::Faster(least) => format!("≥ {} ×", least),
            Self::Within(most) => format!("≤ {most} ×"),
            Self::Ns(most) => format!("≤ {most} ns"),
            Self::NsPerByte(most) => format!("≤ {most} ns a byte"),
            Self::Count(most) => format!("≤ {most}"),
        }
    }

    fn measured(self, measured: f64) -> String {
        match self {
            Self::Faster(_) | Self::Within(_) => ratio(measured),
            Self::Ns(_) => time(measured),
            Self::NsPerByte(_) => format!("{measured:.2}"),
            Self::Count(_) => format!("{measured:.0}"),
        }
    }
}

/// Those whose rows were run.
pub(crate) fn of(report: &Report) -> Vec<Goal> {
    let mut goals = Goals { report, goals: Vec::new() };
    goals.reading();
    goals.writing();
    goals.hostile();
    goals.descriptions();
    goals.relaying();
    goals.goals
}

pub(crate) fn table_of(goals: &[Goal]) -> Table {
    let mut table = table(&["goal", "wanted", "measured", ""]);
    for goal in goals {
        table.add_row([
            format!("{} {}", goal.id, goal.says),
            goal.wanted.text(),
            goal.wanted.measured(goal.measured),
            if goal.met { "met" } else { "missed" }.to_owned(),
        ]);
    }
    table
}

struct Goals<'r> {
    report: &'r Report,
    goals: Vec<Goal>,
}

impl Goals<'_> {
    fn reading(&mut self) {
        self.faster_than_the_fastest("S1", Row::ReadCheck, 1.25, |_| true);
        self.faster_than("S1", Row::ReadCheck, 1.6, "is");
        self.allocations("S1", Row::ReadCheck, 0.0);
        let checks_both = |peer: &Figures| peer.notes.iter().any(|note| note == "checks FINGERPRINT: yes");
        self.faster_than_the_fastest("S2", Row::VerifyCheck, 2.2, checks_both);
        self.faster_than("S2", Row::VerifyCheck, 1.3, "is");
        self.within_floor("S2", Row::VerifyCheck, 1.15);
        self.allocations("S2", Row::VerifyCheck, 0.0);
    }

    fn writing(&mut self) {
        self.faster_than_the_fastest("S3", Row::WriteCheck, 2.0, |_| true);
        self.faster_than("S3", Row::WriteCheck, 3.4, "is");
        self.within_floor("S3", Row::WriteCheck, 1.15);
        self.allocations("S3", Row::WriteCheck, 0.0);
        self.faster_than_the_fastest("S3", Row::WriteSuccess, 1.5, |_| true);
        self.faster_than("S3", Row::WriteSuccess, 3.6, "is");
        self.within_floor("S3", Row::WriteSuccess, 1.15);
        self.allocations("S3", Row::WriteSuccess, 0.0);
    }

    fn hostile(&mut self) {
        for row in [Row::PastEnd, Row::UnknownRequired, Row::ManyUnknown, Row::ManyUsernames] {
            self.ours("S4", row, "beyond 100 ns", Wanted::NsPerByte(0.25), |row, ours| {
                (ours.median_ns - 100.0).max(0.0) / row.bytes as f64
            });
            self.allocations("S4", row, 0.0);
        }
        for row in [Row::ManyUnknown, Row::ManyUsernames] {
            self.faster_than("S4", row, 2.7, "is");
        }
        self.faster_than("S4", Row::ManyUnknown, 27.0, "stun-types");
        for row in [Row::Noise, Row::Truncated] {
            self.ours("S5", row, "refused", Wanted::Ns(5.0), |_, ours| ours.median_ns);
            self.faster_than_the_fastest("S5", row, 1.0, |_| true);
            self.faster_than("S5", row, 2.0, "is");
            self.allocations("S5", row, 0.0);
        }
    }

    fn descriptions(&mut self) {
        self.faster_than("D1", Row::ParseOffer, 6.0, "webrtc-sdp");
        self.faster_than("D1", Row::ParseOffer, 6.0, "str0m");
        self.faster_than("D1", Row::ParseOffer, 1.6, "sdp-types");
        self.allocations("D1", Row::ParseOffer, 12.0);
        self.faster_than("D2", Row::ParseLarge, 2.5, "sdp-types");
        self.faster_than("D2", Row::ParseLarge, 12.0, "str0m");
        self.faster_than("D2", Row::ParseLarge, 140.0, "webrtc-sdp");
        self.growth();
        self.faster_than_the_fastest("D3", Row::WriteOffer, 1.8, |_| true);
        self.written_from_values();
        self.allocations("D3", Row::WriteOffer, 1.0);
        self.faster_than_the_fastest("D3", Row::WriteLarge, 1.8, |_| true);
        self.allocations("D3", Row::WriteLarge, 1.0);
    }

    fn relaying(&mut self) {
        for (id, row, [proto, rtc]) in [
            ("T1", Row::WrapChannel, [3.0, 24.0]),
            ("T1", Row::UnwrapChannel, [2.5, 24.0]),
            ("T2", Row::WrapSend, [2.5, 33.0]),
            ("T2", Row::UnwrapData, [4.5, 21.0]),
        ] {
            self.faster_than(id, row, proto, "turn-client-proto");
            self.faster_than(id, row, rtc, "rtc-turn");
            self.allocations(id, row, 0.0);
            self.copies(id, row);
        }
        for row in [Row::WrapChannel, Row::UnwrapChannel, Row::WrapSend, Row::UnwrapData] {
            self.independent_of_number(row, ["floe-turn-client, 100 peers", "floe-turn-client, 128 peers"]);
        }
        for row in [Row::RelayOut, Row::RelayIn] {
            self.independent_of_number(
                row,
                ["floe-turn-server, 100 allocations", "floe-turn-server, 10000 allocations"],
            );
            self.allocations("T4", row, 0.0);
            self.copies("T4", row);
        }
    }

    fn copies(&mut self, id: &'static str, row: Row) {
        self.ours(id, row, "copies of the payload", Wanted::Count(0.0), |_, ours| {
            if ours.notes.iter().any(|note| note == IN_PLACE) { 0.0 } else { 1.0 }
        });
    }

    /// Of peers, channels or allocations.
    fn independent_of_number(&mut self, row: Row, many: [&str; 2]) {
        let Some(row) = self.report.row(row) else { return };
        for figures in many.iter().filter_map(|many| row.named(many)) {
            if let Some(over) = figures.over_ours {
                let says = format!("{} of {}, over one", row.row, figures.name);
                self.add("T4", says, Wanted::Within(1.5), over);
            }
        }
    }

    fn growth(&mut self) {
        let per_byte = |row| {
            let row = self.report.row(row)?;
            Some(row.ours()?.median_ns / row.bytes as f64)
        };
        if let (Some(few), Some(many)) = (per_byte(Row::Parse50), per_byte(Row::Parse400)) {
            let says = "time for a byte of 400 sections over that of 50".to_owned();
            self.add("D2", says, Wanted::Within(1.1), many / few);
        }
    }

    fn written_from_values(&mut self) {
        let Some(row) = self.report.row(Row::WriteOffer) else { return };
        let Some(ours) = row.named("floe-sdp, from values") else { return };
        let Some(fastest) = fastest(row, |_| true) else { return };
        let says = format!("{}, from values, against {}", row.row, fastest.name);
        self.add("D3", says, Wanted::Faster(1.8), fastest.median_ns / ours.median_ns);
        self.add(
            "D3",
            format!("{}, from values, allocations", row.row),
            Wanted::Count(1.0),
            ours.allocations as f64,
        );
    }

    fn faster_than(&mut self, id: &'static str, row: Row, least: f64, peer: &str) {
        let Some(row) = self.report.row(row) else { return };
        if let Some(over) = row.named(peer).and_then(|peer| peer.over_ours) {
            self.add(id, format!("{} against {peer}", row.row), Wanted::Faster(least), over);
        }
    }

    fn faster_than_the_fastest(
        &mut self,
        id: &'static str,
        row: Row,
        least: f64,
        among: impl Fn(&Figures) -> bool,
    ) {
        let Some(row) = self.report.row(row) else { return };
        if let Some((peer, over)) = fastest(row, among).and_then(|peer| Some((peer.name, peer.over_ours?))) {
            self.add(id, format!("{} against the fastest, {peer}", row.row), Wanted::Faster(least), over);
        }
    }

    fn within_floor(&mut self, id: &'static str, row: Row, most: f64) {
        let Some(row) = self.report.row(row) else { return };
        if let Some(over) = row.ours().and_then(|ours| ours.over_floor) {
            self.add(id, format!("{} over the floor", row.row), Wanted::Within(most), over);
        }
    }

    fn allocations(&mut self, id: &'static str, row: Row, most: f64) {
        self.ours(id, row, "allocations", Wanted::Count(most), |_, ours| ours.allocations as f64);
    }

    fn ours(
        &mut self,
        id: &'static str,
        row: Row,
        what: &str,
        wanted: Wanted,
        measure: impl Fn(&RowReport, &Figures) -> f64,
    ) {
        let Some(row) = self.report.row(row) else { return };
        if let Some(ours) = row.ours() {
            self.add(id, format!("{} {what}", row.row), wanted, measure(row, ours));
        }
    }

    fn add(&mut self, id: &'static str, says: String, wanted: Wanted, measured: f64) {
        self.goals.push(Goal { id, says, wanted, measured, met: wanted.is_met(measured) });
    }
}

fn fastest(row: &RowReport, among: impl Fn(&Figures) -> bool) -> Option<&Figures> {
    row.peers().filter(|peer| among(peer)).min_by(|one, other| one.median_ns.total_cmp(&other.median_ns))
}
