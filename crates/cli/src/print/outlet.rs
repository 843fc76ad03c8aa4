//! Lines for programs, written by a thread of their own: a reader that stalls must not stall the connection.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// One line on stdout, soon.
///
/// # Errors
///
/// What the last write said, or [`WouldBlock`](io::ErrorKind::WouldBlock) if the reader is too far behind: then the line is
/// lost.
pub(super) fn send(line: String) -> io::Result<()> {
    let mut outlet = OUTLET.lock().unwrap_or_else(PoisonError::into_inner);
    let sent = outlet.lines.as_ref().map(|lines| lines.try_send(line));
    match sent {
        Some(Ok(())) => Ok(()),
        Some(Err(TrySendError::Full(_))) => {
            outlet.stalled = true;
            Err(io::Error::new(io::ErrorKind::WouldBlock, "the reader is 65,536 lines behind"))
        }
        // The thread ends only when it cannot write.
        Some(Err(TrySendError::Disconnected(_))) | None => Err(outlet.end()),
    }
}

/// Waits until all lines are written, but not for a reader that has stalled; to be called once, at the end.
pub(crate) fn finish() {
    let mut outlet = OUTLET.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = outlet.end();
}

struct Outlet {
    lines: Option<SyncSender<String>>,
    writer: Option<JoinHandle<io::Result<()>>>,
    /// Whether lines were lost.
    stalled: bool,
}

impl Outlet {
    fn open() -> Self {
        let (lines, waiting) = sync_channel(MOST_WAITING);
        let writer = thread::Builder::new().name("stdout".into()).spawn(move || write(&waiting));
        Self { lines: Some(lines), writer: writer.ok(), stalled: false }
    }

    /// Ends the thread when it has written what waits; why it could not, if it could not.
    fn end(&mut self) -> io::Error {
        self.lines = None;
        let ended =
            self.writer.take().filter(|writer| !self.stalled || writer.is_finished()).map(JoinHandle::join);
        match ended {
            Some(Ok(Err(why))) => why,
            _ => io::ErrorKind::BrokenPipe.into(),
        }
    }
}

fn write(waiting: &Receiver<String>) -> io::Result<()> {
    for line in waiting {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    Ok(())
}

static OUTLET: LazyLock<Mutex<Outlet>> = LazyLock::new(|| Mutex::new(Outlet::open()));

/// Some megabytes of events at most.
const MOST_WAITING: usize = 65_536;
