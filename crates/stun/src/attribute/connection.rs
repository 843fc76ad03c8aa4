//! What ties an allocation to other connections: TCP allocations (RFC 6062 §6.2), mobility (RFC 8016 §3.3).

use super::{bytes_attribute, integer_attribute};

integer_attribute! {
    /// CONNECTION-ID (RFC 6062 §6.2.1): which connection with a peer a ConnectionBind is about.
    ConnectionId(u32), 0x002A, 4
}
bytes_attribute! {
    /// MOBILITY-TICKET (RFC 8016 §3.3): opaque to the client. An empty one in an Allocate asks for one; one that
    /// was given, in a Refresh from a new address, brings the allocation along.
    MobilityTicket, 0x8030
}
