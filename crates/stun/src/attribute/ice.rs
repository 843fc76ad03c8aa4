//! What ICE puts into its checks (RFC 8445 §16.1).

use super::{flag_attribute, integer_attribute};

integer_attribute! {
    /// PRIORITY: what the sender's address would have as a peer-reflexive candidate (RFC 8445 §7.1.1).
    Priority(u32), 0x0024, 4
}
flag_attribute! {
    /// USE-CANDIDATE: the controlling agent nominates the pair (RFC 8445 §7.1.2).
    UseCandidate, 0x0025
}
integer_attribute! {
    /// ICE-CONTROLLED: the sender is controlled; its tie-breaker (RFC 8445 §7.1.3).
    IceControlled(u64), 0x8029, 8
}
integer_attribute! {
    /// ICE-CONTROLLING: the sender is controlling; its tie-breaker (RFC 8445 §7.1.3).
    IceControlling(u64), 0x802A, 8
}
