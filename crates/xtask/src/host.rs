//! The machine the checks run on: its programs, its folders, and how to install what is missing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::step::CannotRun;

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where cargo builds; all that the checks make lies below.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root());
    command
}

/// Runs a command in view of the user.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if status.success() { Ok(()) } else { bail!("`{shown}`: {status}") }
}

/// Runs a command and gives what it printed.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}`: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program told until it ended by itself and well, which it must do in time; it stands in this file too.
pub(crate) fn told_within(mut command: Command, limit: Duration, log: &Path) -> anyhow::Result<String> {
    let file = File::create(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut process = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let give_up = Instant::now() + limit;
    loop {
        match process.try_wait()? {
            Some(status) if status.success() => return Ok(fs::read_to_string(log)?),
            Some(status) => bail!("ended with {status}; see {}", log.display()),
            None if Instant::now() < give_up => std::thread::sleep(Duration::from_millis(10)),
            None => {
                process.kill()?;
                process.wait()?;
                bail!("still ran after {limit:?}; see {}", log.display())
            }
        }
    }
}

/// A process that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about that here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a command can be run and says it is well.
pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The command without the folder its program lies in.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A Debian package and how to see that it is there.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) is_there: fn() -> bool,
}

/// Sees to it that packages are there: installs them on Debian, says elsewhere what to install.
pub(crate) fn need(packages: &[Package]) -> anyhow::Result<()> {
    let missing = || packages.iter().filter(|package| !(package.is_there)()).map(|package| package.name);
    let names: Vec<&str> = missing().collect();
    if names.is_empty() {
        return Ok(());
    }
    install(&names)?;
    match missing().next() {
        Some(name) => bail!(CannotRun(format!("{name} was installed and yet does not work"))),
        None => Ok(()),
    }
}

fn install(names: &[&str]) -> anyhow::Result<()> {
    let by_hand = || {
        CannotRun(format!("missing: {names}; install what Debian calls {names}", names = names.join(", ")))
    };
    if !Path::new("/etc/debian_version").exists() {
        bail!(by_hand());
    }
    let Some(apt) = apt_get() else { bail!(by_hand()) };
    println!("installing {}", names.join(", "));
    run(apt().arg("update").arg("-q")).map_err(|error| by_hand_because(&by_hand(), &error))?;
    run(apt().args(["install", "-q", "-y", "--no-install-recommends"]).args(names))
        .map_err(|error| by_hand_because(&by_hand(), &error))
}

fn by_hand_because(by_hand: &CannotRun, error: &anyhow::Error) -> anyhow::Error {
    CannotRun(format!("{by_hand} ({error:#})")).into()
}

/// How to call apt-get with the rights it needs, if we can have them without a question.
fn apt_get() -> Option<fn() -> Command> {
    fn as_root() -> Command {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
    fn by_sudo() -> Command {
        let mut command = Command::new("sudo");
        command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    }
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    match is_root {
        true => Some(as_root),
        false if works(Command::new("sudo").args(["-n", "true"])) => Some(by_sudo),
        false => None,
    }
}
