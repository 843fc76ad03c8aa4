//! What was measured, beside what is wanted.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};

use super::flow::{Direction, Pace};
use super::relays::Kind;

/// What is measured of each relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Flow(Pace, Direction),
    /// Beside many allocations.
    Beside(Pace),
    SetUp,
    Memory,
    Lost,
}

impl Row {
    pub(crate) const FLOWS: [(Pace, Direction); 4] = [
        (Pace::Bursts, Direction::ToPeer),
        (Pace::Bursts, Direction::ToClient),
        (Pace::Single, Direction::ToPeer),
        (Pace::Single, Direction::ToClient),
    ];

    const REST: [Self; 5] =
        [Self::Beside(Pace::Bursts), Self::Beside(Pace::Single), Self::SetUp, Self::Memory, Self::Lost];

    fn name(self, allocations: u32) -> String {
        let pace = |pace| match pace {
            Pace::Bursts => "bursts",
            Pace::Single => "single",
        };
        match self {
            Self::Flow(how, Direction::ToPeer) => format!("{}, client to peer, µs a packet", pace(how)),
            Self::Flow(how, Direction::ToClient) => format!("{}, peer to client, µs a packet", pace(how)),
            Self::Beside(how) => format!("{}, beside {allocations} others, µs a packet", pace(how)),
            Self::SetUp => "an allocation and a channel, µs".to_owned(),
            Self::Memory => "memory of each, sockets apart, bytes".to_owned(),
            Self::Lost => "packets lost".to_owned(),
        }
    }

    const fn goal(self) -> &'static str {
        match self {
            Self::Flow(Pace::Bursts, _) => "≤ 1.1, ≥ 4× coturn, ≥ 3× the loop",
            Self::Flow(Pace::Single, _) => "≤ 3.6, ≥ 1.2× coturn, ≥ 1× the loop",
            Self::Beside(_) => "≤ 1.5 of what it is alone",
            Self::SetUp => "≤ 40, ≥ 3.7× coturn",
            Self::Memory => "≤ 1024, ≥ 22× coturn",
            Self::Lost => "0",
        }
    }
}

/// All rounds of all relays.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<(Row, Kind), Vec<f64>>);

impl Figures {
    pub(crate) fn add(&mut self, kind: Kind, row: Row, figure: f64) {
        println!("  {:44} {figure:10.3}", row.name(0).replace(" 0 ", " "));
        self.0.entry((row, kind)).or_default().push(figure);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn print(&self, allocations: u32) {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        let kinds = Kind::ALL.map(Kind::name);
        let ratios = kinds.iter().skip(1).map(|name| format!("{name} ÷ floe"));
        let head = ["".to_owned()].into_iter().chain(kinds.map(str::to_owned)).chain(ratios);
        table.set_header(head.chain(["goal".to_owned()]));
        let flows = Row::FLOWS.map(|(pace, direction)| Row::Flow(pace, direction));
        for row in flows.into_iter().chain(Row::REST) {
            let medians = Kind::ALL.map(|kind| self.median(row, kind));
            let [ours, others @ ..] = medians;
            let ratios = others.map(|theirs| match (ours, theirs) {
                (Some(ours), Some(theirs)) if ours > 0.0 => format!("{:.2}×", theirs / ours),
                _ => String::new(),
            });
            let medians = medians.map(|median| median.map(shown).unwrap_or_default());
            let cells = [row.name(allocations)].into_iter().chain(medians).chain(ratios);
            table.add_row(cells.chain([row.goal().to_owned()]));
        }
        println!("{table}");
    }

    fn median(&self, row: Row, kind: Kind) -> Option<f64> {
        let mut all = self.0.get(&(row, kind))?.clone();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }
}

fn shown(figure: f64) -> String {
    if figure < 100.0 { format!("{figure:.2}") } else { format!("{figure:.0}") }
}
