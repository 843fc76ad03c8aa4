//! Why a command failed: one sentence that says what was tried, what happened, what to do.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use floe_ice_agent::ApiMisuse;
use floe_stun::UriError;
use floe_stun::credentials::NotOpaque;
use floe_tokio::{BindError, QueryError, SendError, TlsError};
use thiserror::Error;

use crate::contract::Event;
use crate::print;

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Uri(#[from] UriError),
    #[error(
        "{uri} needs credentials: give --user and --password, or set FLOE_TURN_USER and FLOE_TURN_PASSWORD"
    )]
    NoCredentials { uri: String },
    #[error(
        "{uri} needs credentials: give --user and --password, or the server's --secret; or set FLOE_TURN_USER and \
         FLOE_TURN_PASSWORD, or FLOE_TURN_SECRET"
    )]
    NoTurnLogin { uri: String },
    #[error("user name or password cannot be used: {0}")]
    NotOpaque(NotOpaque),
    #[error("{0}")]
    Users(String),
    #[error("{path} cannot be used: {why}")]
    Settings { path: String, why: String },
    #[error("TLS needs both --certificate and --key; name the files of the chain and of its private key")]
    NoCertificate,
    #[error("--redirect sends clients on, and nothing says where to: give --drain-to IP:PORT")]
    NowhereToRedirect,
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] TlsError),
    #[error(
        "--alternate {alternate} needs a primary address: give --listen IP:PORT of the same family, and not the \
         wildcard, for clients are told both"
    )]
    NoPrimary { alternate: IpAddr },
    #[error("--relay-only needs a relay: name a TURN server over UDP, such as turn:192.0.2.1:3478")]
    NoTurnServer,
    #[error("--relay-only, and no server relays for us; see above for the reasons")]
    NoRelay,
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("asked {server} about the NAT: {why}")]
    NoBehaviour { server: SocketAddr, why: String },
    #[error("asked {servers}, and nobody told our address; see above for the reasons")]
    NobodyAnswered { servers: String },
    #[error("no data came through the relay of {servers}; see above for the reasons")]
    NotCarried { servers: String },
    #[error("{uri} names no relay: give a URI that begins with turn: or turns:")]
    NoRelayUri { uri: String },
    #[error("{failed} of {all} servers gave nothing; see above for the reasons")]
    ServersFailed { failed: usize, all: usize },
    #[error("could not send: {0}")]
    Send(#[from] SendError),
    #[error("the description cannot be used: {0}")]
    Description(#[from] ApiMisuse),
    #[error("no description of the other side came: the input ended; paste its line that begins with floe2:")]
    NoDescription,
    #[error("no way to the other side was found: {why}; {advice}")]
    NoPath { why: String, advice: &'static str },
    #[error("the connection was lost: {why}")]
    Lost { why: String },
    #[error(
        "the two agents of the demo {what}; this machine may forbid packets between its own loopback sockets"
    )]
    Demo { what: String },
    #[error("--user needs its password: give --password, or set FLOE_TURN_PASSWORD")]
    NoPassword,
    #[error("cannot read {why}")]
    Input { why: String },
    #[error("some of it could not be decoded; see above for the reasons")]
    Refused,
    #[error("interrupted")]
    Interrupted,
    #[error("could not wait for Ctrl-C: {why}; run where signals are allowed")]
    Signal { why: io::Error },
    #[error("could not start: {why}; this machine may be out of file descriptors")]
    Runtime { why: io::Error },
    #[error("could not write the output: {0}; check the disk, or whoever reads it")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Tells the person at the terminal, and with `json` the reader of the output as well; gives the exit code.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        match self {
            // Whoever reads our output has had enough, as `head` has: nobody is left to tell.
            Self::Output(why) if why.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            // It has been told where it stood.
            Self::Refused => return ExitCode::FAILURE,
            // Whoever interrupts knows.
            Self::Interrupted => return ExitCode::from(INTERRUPTED),
            _ => {}
        }
        print::note(format!("floe: {self}"));
        if json {
            let _ = print::json(&Event::Error { msg: self.to_string() });
        }
        if self.is_wrong_usage() { ExitCode::from(WRONG_USAGE) } else { ExitCode::FAILURE }
    }

    const fn is_wrong_usage(&self) -> bool {
        matches!(
            self,
            Self::Uri(_)
                | Self::NoCredentials { .. }
                | Self::NoTurnLogin { .. }
                | Self::NoPassword
                | Self::NotOpaque(_)
                | Self::Users(_)
                | Self::Settings { .. }
                | Self::NoCertificate
                | Self::NowhereToRedirect
                | Self::NoPrimary { .. }
                | Self::Bind(BindError::Alternate(_))
                | Self::NoTurnServer
                | Self::NoRelayUri { .. }
        )
    }
}

/// What clap exits with too.
const WRONG_USAGE: u8 = 2;

/// 128 and the number of SIGINT, as shells count it.
const INTERRUPTED: u8 = 130;
