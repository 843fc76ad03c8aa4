//! Allocations, as the program `allocations` counts them.

use std::env;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// What one contestant allocates in one round of work.
#[derive(Debug, Deserialize)]
pub(crate) struct Allocations {
    pub(crate) row: String,
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

pub(crate) fn count(rows: &[String]) -> anyhow::Result<Vec<Allocations>> {
    let program = env::current_exe()?.with_file_name("allocations");
    let built = "it is built beside this program by `cargo build --release`";
    let output = Command::new(&program)
        .args(rows)
        .output()
        .with_context(|| format!("cannot start {program:?}; {built}"))?;
    ensure!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
