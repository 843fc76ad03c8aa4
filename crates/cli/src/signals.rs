//! Ctrl-C and its like: whoever listens ends in order instead of being killed.

use crate::failure::Failure;

/// SIGINT and SIGTERM from now on; where there are no signals, Ctrl-C.
#[derive(Debug)]
pub(crate) struct Signals(imp::Signals);

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        imp::Signals::listen().map(Self).map_err(|why| Failure::Signal { why })
    }

    /// And SIGHUP, which else ends the program.
    pub(crate) fn and_hangup(self) -> Result<Self, Failure> {
        self.0.and_hangup().map(Self).map_err(|why| Failure::Signal { why })
    }

    /// The next one, whichever. Cancelling loses nothing.
    pub(crate) async fn recv(&mut self) {
        self.next().await;
    }

    /// The next one. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Signal {
        self.0.next().await
    }
}

/// What the system, or a person, wants of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there is Ctrl-C alone"))]
pub(crate) enum Signal {
    /// SIGINT: end now.
    Interrupt,
    /// SIGTERM: end in order.
    Terminate,
    /// SIGHUP: read again what may have changed.
    Hangup,
}

#[cfg(unix)]
mod imp {
    use std::future::pending;
    use std::io;

    use tokio::signal::unix::{self, SignalKind};

    use super::Signal;

    #[derive(Debug)]
    pub(super) struct Signals {
        interrupt: unix::Signal,
        terminate: unix::Signal,
        hangup: Option<unix::Signal>,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(unix::signal);
            Ok(Self { interrupt: interrupt?, terminate: terminate?, hangup: None })
        }

        pub(super) fn and_hangup(self) -> io::Result<Self> {
            Ok(Self { hangup: Some(unix::signal(SignalKind::hangup())?), ..self })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::Interrupt,
                _ = self.terminate.recv() => Signal::Terminate,
                () = hung_up(self.hangup.as_mut()) => Signal::Hangup,
            }
        }
    }

    async fn hung_up(hangup: Option<&mut unix::Signal>) {
        match hangup {
            Some(hangup) => {
                hangup.recv().await;
            }
            None => pending().await,
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::future::pending;
    use std::io;

    use super::Signal;

    #[derive(Debug)]
    pub(super) struct Signals;

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn and_hangup(self) -> io::Result<Self> {
            Ok(self)
        }

        #[expect(clippy::needless_pass_by_ref_mut, reason = "where there are signals it is needed")]
        pub(super) async fn next(&mut self) -> Signal {
            match tokio::signal::ctrl_c().await {
                Ok(()) => Signal::Interrupt,
                Err(_) => pending().await,
            }
        }
    }
}
