//! What clients may use up.

/// The numbers nothing grows beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Allocations at a time; one more is answered with 508. A port that is kept for another allocation counts as one, and so
    /// does a socket or connection that the host has not opened yet and nobody waits for any more.
    pub allocations: usize,
    /// The same of one user; one more is answered with 486.
    pub allocations_per_user: usize,
    /// Permissions of one allocation at a time; one more is answered with 508.
    pub permissions: usize,
    /// Channels of one allocation at a time; one more is answered with 508.
    pub channels: usize,
    /// TCP connections to and from peers of one allocation at a time; one more is answered with 508, or closed. Each counts
    /// as an allocation of its user besides.
    pub connections: usize,
    /// Bytes a second that are relayed for one user, both ways and without headers; what is more is dropped. What a TCP
    /// connection carries is the host's to count.
    pub bytes_per_second_per_user: Option<u64>,
    /// The same for all users together.
    pub bytes_per_second: Option<u64>,
    /// Requests that wait for [`Server::found`](crate::Server::found); further ones are dropped, and come again.
    pub lookups: usize,
    /// Ports tried for one allocation while the host finds them taken; then 508.
    pub port_attempts: usize,
    /// Answers that wait for [`poll_output`](floe_stun::Machine::poll_output); further requests are dropped.
    pub queued_answers: usize,
    /// Answers a second to one IPv4 address or one /64 of IPv6 that has shown no credentials, Binding among them; none
    /// is no limit. They are counted in a table of fixed size, whose 4096 cells addresses may share.
    pub unauthenticated_per_second: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations: 4096,
            allocations_per_user: 64,
            permissions: 128,
            channels: 128,
            connections: 32,
            bytes_per_second_per_user: None,
            bytes_per_second: None,
            lookups: 256,
            port_attempts: 16,
            queued_answers: 1024,
            unauthenticated_per_second: Some(20),
        }
    }
}
