//! Floe beside its peers: builds `benches/peers`, a workspace of its own, and runs it.

use clap::Args;

use crate::host::{self, Package, cargo, works};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rows to run, by the beginning of their names: 1a, 1e, sdp; all of them if none is named.
    rows: Vec<String>,
    /// Few and short rounds: whether it runs, not how fast.
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Count instructions too; needs valgrind, and takes minutes.
    #[arg(long)]
    instructions: bool,
    /// With the peers whose dependencies compile C or assembly; needs a C compiler and cmake.
    #[arg(long)]
    with_c: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if options.instructions {
        host::need(&[Package { name: "valgrind", is_there: has_valgrind }])?;
    }
    let target = host::target().join("peers");
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--manifest-path", "benches/peers/Cargo.toml"]);
    build.arg("--target-dir").arg(&target).args(options.with_c.then_some("--features=c"));
    host::run(&mut build)?;
    let mut peers = std::process::Command::new(target.join("release/peers"));
    host::run(peers.args(options.flags()).args(&options.rows))
}

impl Options {
    fn flags(&self) -> impl Iterator<Item = &'static str> {
        let flags = [("--quick", self.quick), ("--json", self.json), ("--instructions", self.instructions)];
        flags.into_iter().filter_map(|(flag, is_set)| is_set.then_some(flag))
    }
}

fn has_valgrind() -> bool {
    works(std::process::Command::new("valgrind").arg("--version"))
}
