//! The proof that levels 0 to 2 need no standard library: a program without one links against them.
//!
//! netsim stands on level 0 too and is exempt: it serves tests, which have a standard library.

use std::fs;

use anyhow::Context as _;

use crate::host::{self, cargo};

pub(crate) fn prove() -> anyhow::Result<()> {
    let (root, folder) = (host::root(), host::root().join("tests/no-std"));
    // The program is a workspace of its own, and shall be built from the versions that ours has locked.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).context("cannot copy Cargo.lock")?;
    let mut command = cargo();
    command.arg("rustc").arg("--manifest-path").arg(folder.join("Cargo.toml"));
    command.arg("--target-dir").arg(host::target().join("no-std"));
    host::run(command.args(["--release", "--", "-C", "panic=abort", "-C", "link-arg=-nostartfiles"]))
}
