//! cargo-deny over the whole tree of dependencies, by the rules of `deny.toml`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::{self, cargo, works};

/// Pinned, so that a new release cannot change the verdict overnight.
const VERSION: &str = "0.20.2";

pub(crate) fn run() -> anyhow::Result<()> {
    let program = installed()?;
    let mut command = Command::new(program);
    command.current_dir(host::root());
    host::run(command.args(["--workspace", "check", "licenses", "bans", "sources"]))
}

fn installed() -> anyhow::Result<PathBuf> {
    let (everybodys, root) = (PathBuf::from("cargo-deny"), host::target().join("tools"));
    let ours = root.join("bin/cargo-deny");
    let works = |program: &Path| works(Command::new(program).arg("--version"));
    if works(&everybodys) {
        return Ok(everybodys);
    }
    if !works(&ours) {
        println!("installing cargo-deny {VERSION} into {}", root.display());
        let mut install = cargo();
        install.args(["install", "cargo-deny", "--locked", "--version", VERSION, "--root"]).arg(root);
        host::run(&mut install)?;
    }
    Ok(ours)
}
