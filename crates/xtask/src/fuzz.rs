//! Fuzzing for a while. Committed seeds are replayed by the ordinary tests; this looks for new ones.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::host::{self, works};
use crate::step::CannotRun;

pub(crate) fn run(time: Duration, wanted: &[String]) -> anyhow::Result<()> {
    let targets = targets()?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        bail!("there is no target {unknown:?}; there are {}", targets.join(", "));
    }
    need_tools()?;
    for target in targets.iter().filter(|target| wanted.is_empty() || wanted.contains(target)) {
        println!("=== fuzz {target} for {} s", time.as_secs());
        fuzz(target, time)?;
    }
    Ok(())
}

fn targets() -> anyhow::Result<Vec<String>> {
    let folder = host::root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let names = files.filter_map(|file| file.ok()?.path().file_stem()?.to_str().map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

fn need_tools() -> anyhow::Result<()> {
    let needs = [
        (works(&mut nightly(&["--version"])), "a nightly toolchain: rustup toolchain install nightly"),
        (works(&mut nightly(&["fuzz", "--version"])), "cargo-fuzz: cargo install cargo-fuzz --locked"),
    ];
    let missing: Vec<&str> = needs.iter().filter(|(there, _)| !there).map(|(_, what)| *what).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        bail!(CannotRun(format!("fuzzing cannot run here, for it lacks\n  {}", missing.join("\n  "))))
    }
}

fn fuzz(target: &str, time: Duration) -> anyhow::Result<()> {
    // New inputs go to the first folder, under target/; the committed seeds, of every format, are only read.
    let found = host::target().join("fuzz-corpus").join(target);
    fs::create_dir_all(&found)?;
    let mut command = nightly(&["fuzz", "run", target]);
    command.arg(&found);
    for seeds in fs::read_dir(host::root().join("fuzz/corpus"))? {
        command.arg(seeds?.path());
    }
    command.args(["--", &format!("-max_total_time={}", time.as_secs()), "-max_len=4096", "-timeout=5"]);
    host::run(&mut command)
}

/// cargo of the nightly toolchain; cargo-fuzz needs its sanitizers.
fn nightly(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    // Inside `cargo xtask` these would lead back to the toolchain that runs us.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").current_dir(host::root());
    command.arg("+nightly").args(arguments);
    command
}
