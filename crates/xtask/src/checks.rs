//! The checks that cargo itself makes.

use std::env;
use std::path::PathBuf;

use crate::host::{cargo, root, run};

pub(crate) fn format() -> anyhow::Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    for apart in NOT_IN_THE_WORKSPACE {
        run(cargo().args(["fmt", "--check", "--manifest-path", apart]))?;
    }
    Ok(())
}

const NOT_IN_THE_WORKSPACE: [&str; 3] =
    ["tests/no-std/Cargo.toml", "fuzz/Cargo.toml", "benches/peers/Cargo.toml"];

pub(crate) fn clippy() -> anyhow::Result<()> {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

pub(crate) fn tests() -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["test", "--workspace"]);
    if let Some(folder) = corpora() {
        println!("corpora that are not ours to pass on come from {}", folder.display());
        command.env("FLOE_CORPORA", folder);
    } else {
        println!(
            "corpora that are not ours to pass on are NOT judged: there is no ../shared/corpora, and FLOE_CORPORA names no other folder"
        );
    }
    run(&mut command)
}

/// What `tests/gate` reads beside `tests/corpora`.
fn corpora() -> Option<PathBuf> {
    let named = env::var_os("FLOE_CORPORA").filter(|named| !named.is_empty());
    let folder = named.map_or_else(|| root().join("../shared/corpora"), |named| root().join(named));
    folder.is_dir().then_some(folder)
}

pub(crate) fn docs() -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["doc", "--workspace", "--no-deps", "--document-private-items"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))
}
