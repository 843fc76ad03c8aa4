//! Our TURN client against coturn and against `floe serve`, by the same list, and coturn's client against ours: on loopback,
//! over real sockets.

mod cases;
mod server;
mod uclient;

use anyhow::bail;

use crate::host::{self, Package, works};
use server::{Options, Server};

const PACKAGES: &[Package] = &[Package {
    name: "coturn",
    is_there: || works(std::process::Command::new("turnserver").arg("--version")),
}];

pub(crate) fn run() -> anyhow::Result<()> {
    host::need(PACKAGES)?;
    server::prepare()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut failed = Vec::new();
    for start in [Server::coturn as fn(Options) -> anyhow::Result<Server>, Server::floe] {
        for group in cases::GROUPS {
            let server = start(group.options)?;
            for case in group.cases {
                let name = format!("{} {}", server.name(), case.name);
                let result = runtime.block_on(cases::in_time((case.run)(&server)));
                report(&name, result, &mut failed);
            }
        }
        report(
            &format!("{} restarts", start(Options::default())?.name()),
            runtime.block_on(cases::in_time(cases::survives_a_restart(start))),
            &mut failed,
        );
    }
    let ours = Server::floe(Options::default())?;
    for case in uclient::CASES {
        report(&format!("turnutils_uclient {}", case.name), case.run(&ours), &mut failed);
    }
    match failed.as_slice() {
        [] => Ok(()),
        some => bail!("{}; logs in {}", some.join("; "), server::folder().display()),
    }
}

fn report(name: &str, result: anyhow::Result<String>, failed: &mut Vec<String>) {
    match result {
        Ok(what) => println!("  {name:44} passed  {what}"),
        Err(error) => {
            println!("  {name:44} FAILED  {error:#}");
            failed.push(name.to_owned());
        }
    }
}
