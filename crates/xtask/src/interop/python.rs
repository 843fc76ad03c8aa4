//! A Python of our own with aioice in it, under the target folder.

use std::path::PathBuf;
use std::process::Command;

use crate::host::{self, works};
use crate::step::CannotRun;

/// Pinned, so that what we are measured against does not change by itself.
const AIOICE: &str = "aioice==0.13.0";

pub(crate) fn with_aioice() -> anyhow::Result<PathBuf> {
    let folder = host::target().join("interop-python");
    let python = folder.join("bin/python");
    let has_aioice = || {
        let script =
            format!("import importlib.metadata as m; assert 'aioice==' + m.version('aioice') == '{AIOICE}'");
        works(Command::new(&python).args(["-c", &script]))
    };
    if !has_aioice() {
        let make = || -> anyhow::Result<()> {
            host::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
            host::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", AIOICE]))
        };
        make().map_err(|error| CannotRun(format!("no Python with {AIOICE}: {error:#}")))?;
    }
    Ok(python)
}
