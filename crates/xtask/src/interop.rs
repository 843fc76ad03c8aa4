//! Real programs against each other on loopback: floe, aioice and coturn.
//!
//! Two peers speak the signalling contract of `floe connect --stdio`; [`crossing`] carries what one says to the
//! other, until both are connected and have echoed data.

mod behaviour;
mod coturn;
mod crossing;
mod floe;
mod peer;
mod python;

use std::process::Command;

use anyhow::bail;

use crate::host::{self, Package, works};
use coturn::Coturn;
use crossing::{Case, Policy, Program};

const PACKAGES: &[Package] = &[
    Package { name: "coturn", is_there: || works(Command::new("turnserver").arg("--version")) },
    Package {
        name: "python3-venv",
        is_there: || works(Command::new("python3").args(["-c", "import ensurepip"])),
    },
];

/// Offering side, answering side, which paths. The first two prove the runner itself.
const CASES: [Case; 8] = [
    Case::new(Program::Aioice, Program::Aioice, Policy::All),
    Case::new(Program::Aioice, Program::Aioice, Policy::Relay),
    Case::new(Program::Floe, Program::Floe, Policy::All),
    Case::new(Program::Floe, Program::Floe, Policy::Relay),
    Case::new(Program::Floe, Program::Aioice, Policy::All),
    Case::new(Program::Floe, Program::Aioice, Policy::Relay),
    Case::new(Program::Aioice, Program::Floe, Policy::All),
    Case::new(Program::Aioice, Program::Floe, Policy::Relay),
];

pub(crate) fn run() -> anyhow::Result<()> {
    host::need(PACKAGES)?;
    let programs = crossing::Programs { python: python::with_aioice()?, floe: floe::built()? };
    let coturn = Coturn::start()?;
    println!("coturn listens on {}", coturn.address());

    let mut failed = Vec::new();
    for case in &CASES {
        report(&case.name(), crossing::cross(case, &programs, &coturn), &mut failed);
    }
    report("floe stun against coturn", floe::asks_stun(&programs.floe, &coturn), &mut failed);
    report("floe gather against coturn", floe::gathers(&programs.floe, &coturn), &mut failed);
    report("floe nat against coturn", behaviour::floe_asks(&programs.floe, &coturn), &mut failed);
    report("natdiscovery against coturn", behaviour::coturn_asks_itself(&coturn), &mut failed);
    report("natdiscovery against floe serve", behaviour::coturn_asks_floe(&programs.floe), &mut failed);

    match failed.as_slice() {
        [] => Ok(()),
        some => bail!("{}; logs in {}", some.join("; "), peer::logs().display()),
    }
}

fn report(name: &str, result: anyhow::Result<String>, failed: &mut Vec<String>) {
    match result {
        Ok(what) => println!("  {name:32} passed  {what}"),
        Err(error) => {
            println!("  {name:32} FAILED  {error:#}");
            failed.push(name.to_owned());
        }
    }
}
