//! Why a command failed: one sentence that says what was tried, what happened, what to do.

use std::io::{self, Write};
use std::process::ExitCode;

use floe_ice_agent::ApiMisuse;
use floe_stun::UriError;
use floe_tokio::{BindError, QueryError, SendError};
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Uri(#[from] UriError),
    #[error(
        "{uri} needs credentials: give --user and --password, or set FLOE_TURN_USER and FLOE_TURN_PASSWORD"
    )]
    NoCredentials { uri: String },
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("asked {servers}, and nobody told our address; see above for the reasons")]
    NobodyAnswered { servers: String },
    #[error("{failed} of {all} servers gave nothing; see above for the reasons")]
    ServersFailed { failed: usize, all: usize },
    #[error("could not send: {0}")]
    Send(#[from] SendError),
    #[error("the description cannot be used: {0}")]
    Description(#[from] ApiMisuse),
    #[error("no description of the other side came: the input ended; paste its line that begins with floe1:")]
    NoDescription,
    #[error("no way to the other side was found: {why}; a TURN server that both sides can reach helps")]
    NoPath { why: String },
    #[error(
        "the two agents of the demo {what}; this machine may forbid packets between its own loopback sockets"
    )]
    Demo { what: String },
    #[error("could not wait for Ctrl-C: {why}; run where signals are allowed")]
    Signal { why: io::Error },
    #[error("could not start: {why}; this machine may be out of file descriptors")]
    Runtime { why: io::Error },
    #[error("could not write the output: {0}; check the disk, or whoever reads it")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Tells the person at the terminal and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        // Whoever reads our output has had enough, as `head` has: nobody is left to tell.
        if matches!(self, Self::Output(why) if why.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        let _ = writeln!(io::stderr(), "floe: {self}");
        ExitCode::FAILURE
    }
}
