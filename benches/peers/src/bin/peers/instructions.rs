//! Instructions, as callgrind counts them: this program runs once more below it and does little, and callgrind notes
//! after each `work_counted` how many instructions that took.
//!
//! Callgrind knows no SHA extensions and no AVX-512, so that a block of SHA-1 counts ten times what it would natively.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, bail, ensure};
use floe_peers::{Contestant, Row};

const COUNTED: &str = "floe_peers::contestant::Contestant::work_counted";

/// Below callgrind: everybody in order.
pub(crate) fn work(contestants: &mut [Contestant]) {
    for contestant in contestants {
        contestant.work(1);
        contestant.work_counted(times(contestant.row()));
    }
}

fn times(row: Row) -> u64 {
    if row.is_large() { 1 } else { 100 }
}

/// Instructions of all contestants of these rows, in their order. `contestants` tells the row of each.
pub(crate) fn count(rows: &[String], contestants: &[Row]) -> anyhow::Result<Vec<u64>> {
    let folder = env::temp_dir().join(format!("floe-peers-{}", std::process::id()));
    fs::create_dir(&folder).with_context(|| format!("cannot make {folder:?}"))?;
    let counted = count_in(&folder, rows, contestants);
    fs::remove_dir_all(&folder)?;
    counted
}

fn count_in(folder: &Path, rows: &[String], contestants: &[Row]) -> anyhow::Result<Vec<u64>> {
    let mut command = Command::new("valgrind");
    command.args([
        "--tool=callgrind".to_owned(),
        format!("--toggle-collect={COUNTED}"),
        format!("--dump-after={COUNTED}"),
    ]);
    command.arg(format!("--callgrind-out-file={}", folder.join("out").display()));
    command.arg(env::current_exe()?).arg("--counted").args(rows);
    let output = command.output().context("cannot start valgrind; Debian calls its package so")?;
    ensure!(output.status.success(), "valgrind: {}", String::from_utf8_lossy(&output.stderr));
    contestants
        .iter()
        .zip(1..)
        .map(|(row, index)| Ok(total(&folder.join(format!("out.{index}")))? / times(*row)))
        .collect()
}

fn total(file: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file:?}"))?;
    match text.lines().find_map(|line| line.strip_prefix("totals: ")) {
        Some(total) => Ok(total.trim().parse()?),
        None => bail!("{file:?} tells no totals"),
    }
}
