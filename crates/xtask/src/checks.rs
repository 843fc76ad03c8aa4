//! The checks that cargo itself makes.

use crate::host::{cargo, run};

pub(crate) fn format() -> anyhow::Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    for apart in NOT_IN_THE_WORKSPACE {
        run(cargo().args(["fmt", "--check", "--manifest-path", apart]))?;
    }
    Ok(())
}

const NOT_IN_THE_WORKSPACE: [&str; 2] = ["tests/no-std/Cargo.toml", "fuzz/Cargo.toml"];

pub(crate) fn clippy() -> anyhow::Result<()> {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

pub(crate) fn tests() -> anyhow::Result<()> {
    run(cargo().args(["test", "--workspace"]))
}

pub(crate) fn docs() -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["doc", "--workspace", "--no-deps", "--document-private-items"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))
}
