//! One peer: a process that takes commands and tells events, a JSON object a line.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::host;

/// Where every process of the interop tests leaves what it said.
pub(crate) fn logs() -> PathBuf {
    host::target().join("interop")
}

/// Which of the two peers of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Offer,
    Answer,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Offer => Self::Answer,
            Self::Answer => Self::Offer,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
        }
    }
}

/// What a peer told, or that it will tell nothing more.
#[derive(Debug)]
pub(crate) enum Told {
    Event(Value),
    /// A line that is not JSON breaks the contract.
    Garbage(String),
    EndOfFile,
}

/// A running peer; dropped, it ends.
#[derive(Debug)]
pub(crate) struct Peer {
    process: Child,
    stdin: Option<ChildStdin>,
}

impl Peer {
    /// Starts the process; what it tells goes to `told` and, like its standard error, to the logs of `case`.
    pub(crate) fn start(
        side: Side,
        mut command: Command,
        case: &str,
        told: Sender<(Side, Told)>,
    ) -> anyhow::Result<Self> {
        let folder = logs().join(case);
        fs::create_dir_all(&folder)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(folder.join(format!("{}.stderr", side.name())))?);
        let mut process =
            command.spawn().with_context(|| format!("cannot start the {} side", side.name()))?;
        let log = File::create(folder.join(format!("{}.events", side.name())))?;
        let stdout = process.stdout.take().context("no stdout")?;
        thread::spawn(move || read(side, stdout, log, &told));
        let stdin = process.stdin.take();
        Ok(Self { process, stdin })
    }

    pub(crate) fn command(&mut self, command: &Value) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("stdin is closed")?;
        writeln!(stdin, "{command}").context("the peer does not take commands any more")
    }

    /// Waits for the process to end by itself and well.
    pub(crate) fn has_ended_well(&mut self) -> anyhow::Result<()> {
        self.stdin = None;
        let give_up = Instant::now() + Duration::from_secs(5);
        while Instant::now() < give_up {
            match self.process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("ended with {status}"),
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
        bail!("still runs 5 s after it was told to close")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // After a good end there is nothing left to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read(side: Side, stdout: ChildStdout, mut log: File, told: &Sender<(Side, Told)>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        // A log that cannot be written must not stop the test.
        let _ = writeln!(log, "{line}");
        let event = serde_json::from_str(&line).map_or_else(|_| Told::Garbage(line), Told::Event);
        if told.send((side, event)).is_err() {
            return;
        }
    }
    let _ = told.send((side, Told::EndOfFile));
}
