//! Statistics with the members of W3C's dictionaries (Identifiers for WebRTC's Statistics API, §8.4 to §8.6).

use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::{Drops, Instant};

use crate::candidate::Candidate;
use crate::config::Role;
use crate::id::{CandidateId, ComponentId, PairId};
use crate::output::{ConnectionState, PairFailure};

/// Everything there is to count, at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// `RTCTransportStats`, for the agent as a whole.
    pub transport: TransportStats,
    /// `RTCIceCandidatePairStats`, best priority first.
    pub pairs: Vec<PairStats>,
    /// `RTCIceCandidateStats` of ours.
    pub local_candidates: Vec<Candidate>,
    /// `RTCIceCandidateStats` of the peer's.
    pub remote_candidates: Vec<Candidate>,
    /// Packets that deserved nothing, by reason.
    pub drops: Drops,
}

/// W3C's `RTCTransportStats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// `packetsSent`: application datagrams for which a plan was made.
    pub packets_sent: u64,
    /// `bytesSent` of them, without headers.
    pub bytes_sent: u64,
    /// `packetsReceived`: application datagrams.
    pub packets_received: u64,
    /// `bytesReceived` of them, without headers.
    pub bytes_received: u64,
    /// `iceRole`.
    pub role: Option<Role>,
    /// `iceState`.
    pub state: ConnectionState,
    /// `selectedCandidatePairChanges`.
    pub selected_pair_changes: u32,
    /// `selectedCandidatePairId` of component 1 of stream 0.
    pub selected_pair: Option<PairId>,
}

/// W3C's `RTCStatsIceCandidatePairState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "W3C's words")]
pub enum PairState {
    /// Waits for another pair of its foundation.
    Frozen,
    /// Will be checked.
    Waiting,
    /// Is being checked.
    InProgress,
    /// Does not work.
    Failed,
    /// Works.
    Succeeded,
}

impl PairState {
    /// W3C's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Waiting => "waiting",
            Self::InProgress => "in-progress",
            Self::Failed => "failed",
            Self::Succeeded => "succeeded",
        }
    }
}

/// W3C's `RTCIceCandidatePairStats`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PairStats {
    /// Its key.
    pub id: PairId,
    /// What it is for.
    pub component: ComponentId,
    /// `localCandidateId`.
    pub local: CandidateId,
    /// `remoteCandidateId`.
    pub remote: CandidateId,
    /// `state`.
    pub state: PairState,
    /// Why it failed, if it did.
    pub failure: Option<PairFailure>,
    /// `nominated`.
    pub nominated: bool,
    /// Pair priority (RFC 8445 §6.1.2.3).
    pub priority: u64,
    /// The counters.
    pub counters: PairCounters,
}

/// The numbers of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairCounters {
    /// `packetsSent`: application datagrams.
    pub packets_sent: u64,
    /// `bytesSent`.
    pub bytes_sent: u64,
    /// `packetsReceived`.
    pub packets_received: u64,
    /// `bytesReceived`.
    pub bytes_received: u64,
    /// `lastPacketSentTimestamp`.
    pub last_packet_sent: Option<Instant>,
    /// `lastPacketReceivedTimestamp`.
    pub last_packet_received: Option<Instant>,
    /// `totalRoundTripTime`.
    pub total_rtt: Duration,
    /// `currentRoundTripTime`.
    pub current_rtt: Option<Duration>,
    /// `requestsSent`: checks, without retransmissions.
    pub requests_sent: u64,
    /// `requestsReceived`.
    pub requests_received: u64,
    /// `responsesSent`.
    pub responses_sent: u64,
    /// `responsesReceived`.
    pub responses_received: u64,
    /// `consentRequestsSent`.
    pub consent_requests_sent: u64,
    /// Retransmissions of checks.
    pub retransmissions_sent: u64,
}
