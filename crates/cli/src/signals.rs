//! Ctrl-C and its like: whoever listens ends in order instead of being killed.

use crate::failure::Failure;

/// SIGINT and SIGTERM from now on; where there are no signals, Ctrl-C.
#[derive(Debug)]
pub(crate) struct Signals(imp::Signals);

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        imp::Signals::listen().map(Self).map_err(|why| Failure::Signal { why })
    }

    /// The next one. Cancelling loses nothing.
    pub(crate) async fn recv(&mut self) {
        self.0.recv().await;
    }
}

#[cfg(unix)]
mod imp {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    #[derive(Debug)]
    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        }

        pub(super) async fn recv(&mut self) {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::future::pending;
    use std::io;

    #[derive(Debug)]
    pub(super) struct Signals;

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        #[expect(clippy::needless_pass_by_ref_mut, reason = "where there are signals it is needed")]
        pub(super) async fn recv(&mut self) {
            if tokio::signal::ctrl_c().await.is_err() {
                pending().await
            }
        }
    }
}
