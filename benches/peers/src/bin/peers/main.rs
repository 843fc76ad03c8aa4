//! Runs every row, all its contestants in turns, and prints what came out.

mod allocations;
mod goals;
mod instructions;
mod report;
mod rounds;

use std::time::Duration;

use clap::Parser;
use floe_peers::{Field, Row};

use report::Report;
use rounds::Plan;

/// Floe beside its peers.
#[derive(Debug, Parser)]
struct Options {
    /// Rows to run, by the beginning of their names: 1a, 1e, sdp; all of them if none is named.
    rows: Vec<String>,
    /// Few and short rounds: whether it runs, not how fast.
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Count instructions too, with callgrind: exact, and slow.
    #[arg(long)]
    instructions: bool,
    /// Work a little for callgrind.
    #[arg(long, hide = true)]
    counted: bool,
}

impl Options {
    fn plan(&self) -> Plan {
        if self.quick {
            Plan { rounds: 9, slice: Duration::from_micros(200), row: Duration::from_secs(2) }
        } else {
            Plan { rounds: 101, slice: Duration::from_millis(1), row: Duration::from_secs(20) }
        }
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let mut field = Field::new(|row| row.is_among(&options.rows));
    anyhow::ensure!(
        !field.contestants.is_empty(),
        "no row begins so; there are {}",
        Row::ALL.map(Row::name).join(", ")
    );
    if options.counted {
        instructions::work(&mut field.contestants);
        return Ok(());
    }
    let mut report = Report::new(&rounds::race(&mut field.contestants, &options.plan()), &field.absent);
    report.add_allocations(&allocations::count(&options.rows)?);
    if options.instructions {
        report.add_instructions(&instructions::count(&options.rows, &report.contestants())?);
    }
    report.judge();
    if options.json {
        return report.print_json();
    }
    report.print();
    Ok(())
}
