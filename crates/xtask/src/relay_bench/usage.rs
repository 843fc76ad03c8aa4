//! What a process, or one thread of ours, uses of the machine, as /proc tells it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

#[derive(Debug)]
pub(crate) enum Usage {
    /// With all its threads.
    Process(PathBuf),
    Thread(PathBuf),
}

impl Usage {
    pub(crate) fn of_process(id: u32) -> Self {
        Self::Process(format!("/proc/{id}").into())
    }

    /// Of the thread that calls.
    pub(crate) fn of_this_thread() -> anyhow::Result<Self> {
        Ok(Self::Thread(Path::new("/proc").join(fs::read_link("/proc/thread-self")?)))
    }

    /// Processor time so far, in user space and in the kernel.
    pub(crate) fn processor(&self) -> anyhow::Result<Duration> {
        match self {
            Self::Process(path) => {
                fs::read_dir(path.join("task"))?.map(|thread| ran(&thread?.path())).sum::<anyhow::Result<_>>()
            }
            Self::Thread(path) => ran(path),
        }
    }

    /// Memory in bytes, which what the kernel keeps for sockets is no part of.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let (Self::Process(path) | Self::Thread(path)) = self;
        let status = fs::read_to_string(path.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kibibytes: u64 =
            line.trim().trim_end_matches(" kB").parse().with_context(|| format!("VmRSS:{line}"))?;
        Ok(kibibytes * 1024)
    }
}

/// The first number is the time that a thread has run, in nanoseconds.
fn ran(thread: &Path) -> anyhow::Result<Duration> {
    let file = thread.join("schedstat");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let nanos = text.split(' ').next().and_then(|number| number.parse().ok());
    Ok(Duration::from_nanos(nanos.with_context(|| format!("{}: {text}", file.display()))?))
}
