//! One step of a test, and what came of it.

use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::Transport;
use floe_tokio::TurnError;
use floe_turn_client::{AllocateFailure, ConnectFailure, LostReason, Refusal};

use super::flow::Flow;

/// What is tried, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The name of the server to addresses; told only if that fails.
    Resolve,
    Allocate,
    /// A second allocation, which is the peer of the first.
    Peer,
    /// CreatePermission.
    Permission,
    /// An echo by Send and Data indications.
    Send,
    /// ChannelBind.
    Channel,
    /// An echo by ChannelData.
    Data,
    /// Permission and echo once more, by a socket of this machine.
    Socket,
    /// As much as is wanted, there and back.
    Flow,
    /// Another socket with the ticket of the first (RFC 8016).
    Move,
    Refresh,
    Delete,
    /// A TCP allocation and a connection through it (RFC 6062).
    Tcp,
}

impl Step {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Allocate => "allocate",
            Self::Peer => "peer",
            Self::Permission => "permission",
            Self::Send => "send",
            Self::Channel => "channel",
            Self::Data => "data",
            Self::Socket => "socket",
            Self::Flow => "flow",
            Self::Move => "move",
            Self::Refresh => "refresh",
            Self::Delete => "delete",
            Self::Tcp => "tcp",
        }
    }
}

/// What came of a step.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) step: Step,
    /// Whom it was about.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) took: Duration,
    pub(crate) result: Result<Found, Trouble>,
}

/// What a step that worked has found.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    Allocation(Granted),
    Lifetime(Duration),
    Echo { rtt: Duration },
    Flow(Flow),
}

/// What the server has granted.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) relayed: Vec<SocketAddr>,
    pub(crate) mapped: SocketAddr,
    pub(crate) lifetime: Duration,
    /// Whether there is a ticket to move with (RFC 8016).
    pub(crate) ticket: bool,
    /// The server that we were sent to.
    pub(crate) redirected: Option<SocketAddr>,
}

/// Why a step failed, in a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The number of the server's ERROR-CODE.
    pub(crate) code: Option<u16>,
    pub(crate) text: String,
}

impl Trouble {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { code: None, text: text.into() }
    }

    /// The server said so itself.
    pub(crate) fn refused(refusal: &Refusal, text: impl Into<String>) -> Self {
        Self { code: Some(refusal.code), text: text.into() }
    }

    /// Whether an allocation of another address family would fare no better on this way: nobody answers, or it is about the
    /// user or the server as a whole.
    pub(crate) const fn is_of_the_way(&self) -> bool {
        matches!(self.code, None | Some(300 | 401 | 441 | 486 | 508))
    }

    /// The same with words in front.
    pub(crate) fn within(self, what: &str) -> Self {
        Self { text: format!("{what}: {}", self.text), ..self }
    }
}

impl From<TurnError> for Trouble {
    fn from(why: TurnError) -> Self {
        let code = code(&why);
        let text = match advice(&why) {
            Some(advice) => format!("{why}; {advice}"),
            None => why.to_string(),
        };
        Self { code, text }
    }
}

impl From<LostReason> for Trouble {
    fn from(why: LostReason) -> Self {
        let code = match &why {
            LostReason::Mismatch(refusal) | LostReason::Refused(refusal) => Some(refusal.code),
            _ => None,
        };
        Self { code, text: why.to_string() }
    }
}

const fn code(why: &TurnError) -> Option<u16> {
    match why {
        TurnError::Allocate(why) | TurnError::Elsewhere { why, .. } => code_of_allocate(why),
        TurnError::NotPermitted { why: refusal, .. }
        | TurnError::NoChannel { why: refusal, .. }
        | TurnError::NotConnected { why: ConnectFailure::Refused(refusal), .. } => Some(refusal.code),
        _ => None,
    }
}

const fn code_of_allocate(why: &AllocateFailure) -> Option<u16> {
    match why {
        AllocateFailure::WrongCredentials(refusal) | AllocateFailure::Refused(refusal) => Some(refusal.code),
        AllocateFailure::Redirected { .. } | AllocateFailure::NotThere { .. } => Some(300),
        _ => None,
    }
}

/// What to do, where the library says what happened only.
fn advice(why: &TurnError) -> Option<&'static str> {
    Some(match why {
        TurnError::NotPermitted { why, .. } | TurnError::NoChannel { why, .. } => match why.code {
            403 => "its policy forbids this peer: allow it there, or name an echo server with --peer",
            437 => "it has lost the allocation; try again",
            443 => "name an echo server of the other address family with --peer",
            486 | 508 => "it keeps no more permissions or channels for this user",
            _ => "ask its operator",
        },
        // The library goes there only if the server has proven who it is (RFC 8489 §10).
        TurnError::Allocate(AllocateFailure::Refused(why))
        | TurnError::Elsewhere { why: AllocateFailure::Refused(why), .. }
            if why.code == 300 =>
        {
            "it has not proven that it knows the password, so that anybody may have said this: name that server itself"
        }
        TurnError::Connect(why) if why.detail.contains("CaUsedAsEndEntity") => {
            "its certificate is one of an authority, as openssl makes them: make it with \
             -addext basicConstraints=critical,CA:FALSE"
        }
        TurnError::Connect(why) if why.detail.contains("UnknownIssuer") => {
            "if it is signed by an authority of your own, name that with --ca FILE"
        }
        TurnError::Connect(why)
            if why.transport == Transport::Tls && NO_TLS.iter().any(|sign| why.detail.contains(sign)) =>
        {
            "if this port speaks no TLS, use turn:"
        }
        _ => return None,
    })
}

/// What is said of a server that makes nothing of a ClientHello: it hangs up, answers something else, or waits for more.
const NO_TLS: [&str; 3] = ["handshake eof", "corrupt message", "no answer within"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_a_family_leaves_the_other_open() {
        for (code, of_the_way) in [
            (None, true),
            (Some(300), true),
            (Some(401), true),
            (Some(441), true),
            (Some(486), true),
            (Some(508), true),
            (Some(440), false),
            (Some(420), false),
        ] {
            let trouble = Trouble { code, text: String::new() };
            assert_eq!(trouble.is_of_the_way(), of_the_way, "{code:?}");
        }
    }
}
