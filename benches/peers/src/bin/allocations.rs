//! Counts what one round of work allocates, in a program of its own: counting costs, and where time is taken nothing
//! may cost but the work.

use std::alloc::System;
use std::{env, io};

use floe_peers::{Contestant, Field};
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> anyhow::Result<()> {
    let rows: Vec<String> = env::args().skip(1).collect();
    let mut field = Field::new(|row| row.is_among(&rows));
    let counted: Vec<_> = field.contestants.iter_mut().map(count).collect();
    Ok(serde_json::to_writer(io::stdout(), &counted)?)
}

/// The first time, what is kept for later is made ready.
fn count(contestant: &mut Contestant) -> serde_json::Value {
    contestant.work(1);
    let region = Region::new(ALLOCATOR);
    contestant.work(1);
    let change = region.change();
    json!({
        "row": contestant.row().name(),
        "name": contestant.name(),
        "count": change.allocations + change.reallocations,
        "bytes": change.bytes_allocated,
    })
}
