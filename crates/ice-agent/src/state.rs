//! The state of the connection as a pure function of the facts (W3C's `RTCIceTransportState`).

use crate::output::{ConnectionState, StateReason};

/// All that the state depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) closed: bool,
    pub(crate) remote_known: bool,
    /// A session that cannot recover by itself, or has nothing left to try.
    pub(crate) doomed: Option<StateReason>,
    /// Every required component has a working pair.
    pub(crate) usable: bool,
    /// Every required component has its nominated pair.
    pub(crate) complete: bool,
    /// For how long a pair in use has been silent, if it has.
    pub(crate) silence: Option<core::time::Duration>,
}

impl Facts {
    /// The state, and what makes it so.
    pub(crate) const fn state(&self) -> (ConnectionState, StateReason) {
        match *self {
            Self { closed: true, .. } => (ConnectionState::Closed, StateReason::Closed),
            Self { doomed: Some(why), .. } => (ConnectionState::Failed, why),
            Self { remote_known: false, .. } => (ConnectionState::New, StateReason::Restart),
            Self { usable: true, silence: Some(time), .. } => {
                (ConnectionState::Disconnected, StateReason::Silence(time))
            }
            Self { complete: true, usable: true, .. } => (ConnectionState::Completed, StateReason::Nominated),
            Self { usable: true, .. } => (ConnectionState::Connected, StateReason::PairValid),
            Self { .. } => (ConnectionState::Checking, StateReason::RemoteCredentials),
        }
    }
}
