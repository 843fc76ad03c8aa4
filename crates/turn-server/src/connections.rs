//! TCP connections between a relayed address and its peers, and the client's connections that they are joined to
//! (RFC 6062 §5).
//!
//! ```text
//!   Connect ──▶ Connecting ──it is open──▶ Waiting ──ConnectionBind──▶ Joined ──either side ends──▶ gone
//!                   │ 447                    ▲  │ 30 s
//!                   ▼                        │  ▼
//!                  gone    a peer connects ──┘ gone
//! ```
//!
//! Nothing of a connection is read before it is joined, so what comes early waits with whoever sends it, and afterwards the
//! bytes pass by this server.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attribute::{ConnectionId, ErrorCode, Family, XorPeerAddress};
use floe_stun::{Authenticated, Chance, Dropped, Instant, Message, Need, RequestId, SocketId};

use crate::allocation::{AllocationId, FiveTuple};
use crate::answer::{Body, Refusal, Reply};
use crate::auth::User;
use crate::server::{Queued, Server};

/// The connections of all allocations, by all that leads to one.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    all: BTreeMap<u32, Connection>,
    by_request: BTreeMap<RequestId, u32>,
    by_socket: BTreeMap<SocketId, u32>,
    by_peer: BTreeMap<(AllocationId, SocketAddr), u32>,
    deadlines: BTreeSet<(Instant, u32)>,
}

#[derive(Debug)]
struct Connection {
    allocation: AllocationId,
    /// Whose place it takes, as an allocation would.
    owner: Arc<str>,
    peer: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The host opens it; the client waits.
    Connecting { request: RequestId, reply: Reply },
    /// It is open, and the client has been told.
    Waiting { socket: SocketId, until: Instant },
    /// It is one with the client's.
    Joined { socket: SocketId, client: SocketId },
}

impl Connections {
    fn of_peer(&self, allocation: AllocationId, peer: SocketAddr) -> Option<u32> {
        self.by_peer.get(&(allocation, peer)).copied()
    }

    fn count(&self, allocation: AllocationId) -> usize {
        self.of_allocation(allocation).count()
    }

    fn of_allocation(&self, allocation: AllocationId) -> impl Iterator<Item = u32> {
        self.by_peer
            .range((allocation, FIRST)..)
            .take_while(move |((of, _), _)| *of == allocation)
            .map(|(_, id)| *id)
    }

    fn insert(&mut self, chance: &mut Chance, connection: Connection) -> u32 {
        let id = core::iter::repeat_with(|| u32::try_from(chance.u64() >> 32).unwrap_or(0))
            .find(|id| !self.all.contains_key(id))
            .unwrap_or(0);
        self.by_peer.insert((connection.allocation, connection.peer), id);
        self.note(id, &connection.state);
        self.all.insert(id, connection);
        id
    }

    fn change(&mut self, id: u32, state: State) {
        let Some(mut connection) = self.all.remove(&id) else { return };
        self.forget(id, &connection.state);
        self.note(id, &state);
        connection.state = state;
        self.all.insert(id, connection);
    }

    fn remove(&mut self, id: u32) -> Option<Connection> {
        let connection = self.all.remove(&id)?;
        self.by_peer.remove(&(connection.allocation, connection.peer));
        self.forget(id, &connection.state);
        Some(connection)
    }

    fn note(&mut self, id: u32, state: &State) {
        match state {
            State::Connecting { request, .. } => {
                self.by_request.insert(*request, id);
            }
            State::Waiting { socket, until } => {
                self.by_socket.insert(*socket, id);
                self.deadlines.insert((*until, id));
            }
            State::Joined { socket, client } => self.by_socket.extend([(*socket, id), (*client, id)]),
        }
    }

    fn forget(&mut self, id: u32, state: &State) {
        match state {
            State::Connecting { request, .. } => {
                self.by_request.remove(request);
            }
            State::Waiting { socket, until } => {
                self.by_socket.remove(socket);
                self.deadlines.remove(&(*until, id));
            }
            State::Joined { socket, client } => {
                self.by_socket.remove(socket);
                self.by_socket.remove(client);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
            && self.by_request.is_empty()
            && self.by_socket.is_empty()
            && self.by_peer.is_empty()
            && self.deadlines.is_empty()
    }

    /// When the client's time for the next one is up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}

impl Server {
    /// Connect (RFC 6062 §5.2). `None` while the host opens the connection.
    pub(crate) fn connect(
        &mut self,
        reply: &Reply,
        allocation: AllocationId,
        request: &Authenticated<Message<'_>>,
    ) -> Result<Option<Body>, Refusal> {
        let Some(XorPeerAddress(peer)) = request.find().filter(|peer: &XorPeerAddress| peer.0.port() != 0)
        else {
            return Err(ErrorCode::BAD_REQUEST.into());
        };
        let held = self.allocations.live(allocation).ok_or(ErrorCode::ALLOCATION_MISMATCH)?;
        if !held.is_tcp {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        if let Some(id) = self.connections.of_peer(allocation, peer) {
            // Over a stream nothing is sent twice, so this is another request.
            return match self.connections.all.get(&id).map(|connection| &connection.state) {
                Some(State::Connecting { reply: first, .. }) if first.id == reply.id => Ok(None),
                _ => Err(ErrorCode::CONNECTION_ALREADY_EXISTS.into()),
            };
        }
        held.admit(peer.ip(), &self.terms)?;
        if self.own.has(peer) {
            return Err(ErrorCode::FORBIDDEN.into());
        }
        let bind = held.relayed(Family::of(peer.ip())).ok_or(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH)?.local;
        if self.connections.count(allocation) >= self.terms.limits.connections {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY.into());
        }
        let owner = held.user.owner.clone();
        self.quota.check(&owner, 1, &self.terms.limits)?;
        self.quota.take(&owner, 1);
        let request = self.next_request();
        let state = State::Connecting { request, reply: reply.clone() };
        self.connections.insert(&mut self.chance, Connection { allocation, owner, peer, state });
        self.outbox.push_back(Queued::Need(Need::Connect { request, bind, to: self.own.internal(peer) }));
        Ok(None)
    }

    /// ConnectionBind (RFC 6062 §5.4): the stream it came on is the client's half.
    pub(crate) fn bind_connection(
        &mut self,
        from: FiveTuple,
        user: &User,
        request: &Authenticated<Message<'_>>,
    ) -> Result<Body, Refusal> {
        if !self.own.is_stream(from.listener) || self.allocations.of_client(from).is_some() {
            return Err(ErrorCode::BAD_REQUEST.into());
        }
        let ConnectionId(id) = request.find().ok_or(ErrorCode::BAD_REQUEST)?;
        let Some(Connection { allocation, state: State::Waiting { socket, .. }, .. }) =
            self.connections.all.get(&id)
        else {
            return Err(ErrorCode::BAD_REQUEST.into());
        };
        let (allocation, socket, client) = (*allocation, *socket, from.listener);
        let is_owner = self.allocations.live(allocation).is_some_and(|held| held.user.name == user.name);
        if !is_owner {
            return Err(ErrorCode::WRONG_CREDENTIALS.into());
        }
        // What comes on it from now on is not for this server.
        self.own.forget(client);
        self.connections.change(id, State::Joined { socket, client });
        self.stats.connections_total = self.stats.connections_total.saturating_add(1);
        Ok(Body::Joined { one: client, other: socket })
    }

    /// The host has opened a connection to a peer. False if none was asked for.
    pub(crate) fn handle_connected(&mut self, request: RequestId, socket: SocketId) -> bool {
        let Some(id) = self.connections.by_request.get(&request).copied() else { return false };
        let until = self.now + BIND_PATIENCE;
        let Some(Connection { state: State::Connecting { reply, .. }, .. }) = self.connections.all.get(&id)
        else {
            return false;
        };
        let reply = reply.clone();
        self.connections.change(id, State::Waiting { socket, until });
        self.answer(reply, Body::Connected { id });
        true
    }

    /// The host could not open it. False if none was asked for.
    pub(crate) fn handle_not_connected(&mut self, request: RequestId) -> bool {
        let Some(id) = self.connections.by_request.get(&request).copied() else { return false };
        let Some(Connection { owner, state, .. }) = self.connections.remove(id) else { return true };
        self.quota.give_back(&owner, 1);
        if let State::Connecting { reply, .. } = state {
            self.answer(reply, Body::Refused(ErrorCode::CONNECTION_TIMEOUT_OR_FAILURE.into()));
        }
        true
    }

    /// A peer has connected to a relayed address (RFC 6062 §5.3).
    pub(crate) fn handle_accepted(
        &mut self,
        listener: SocketId,
        socket: SocketId,
        peer: SocketAddr,
    ) -> Option<Result<(), Dropped>> {
        let allocation = self.allocations.any_of_socket(listener)?;
        let peer = self.own.external(SocketAddr::new(peer.ip(), peer.port()));
        let verdict = self.admit_connection(allocation, peer);
        if let Ok((to, owner)) = &verdict {
            let (to, owner) = (*to, owner.clone());
            self.quota.take(&owner, 1);
            let state = State::Waiting { socket, until: self.now + BIND_PATIENCE };
            let connection =
                self.connections.insert(&mut self.chance, Connection { allocation, owner, peer, state });
            let id = self.chance.transaction_id();
            self.outbox.push_back(Queued::Attempt { to, id, peer, connection });
        } else {
            self.outbox.push_back(Queued::Need(Need::Close { socket }));
        }
        Some(verdict.map(|_| ()))
    }

    /// Who is told of a connection with this peer, and whose place it takes.
    fn admit_connection(
        &self,
        allocation: AllocationId,
        peer: SocketAddr,
    ) -> Result<(FiveTuple, Arc<str>), Dropped> {
        let held = self.allocations.live(allocation).ok_or(Dropped::NoPermission)?;
        if !held.permissions.allow(self.now, peer.ip()) || self.own.has(peer) {
            return Err(Dropped::NoPermission);
        }
        if self.connections.of_peer(allocation, peer).is_some()
            || self.connections.count(allocation) >= self.terms.limits.connections
            || self.outbox.len() >= self.terms.limits.queued_answers
        {
            return Err(Dropped::LimitReached);
        }
        if !self.own.hears(held.client.listener) {
            return Err(Dropped::NoAllocation);
        }
        let owner = &held.user.owner;
        self.quota.check(owner, 1, &self.terms.limits).map_err(|_| Dropped::LimitReached)?;
        Ok((held.client, owner.clone()))
    }

    /// A stream has ended. False if it belongs to no connection.
    pub(crate) fn handle_connection_closed(&mut self, socket: SocketId) -> bool {
        let Some(id) = self.connections.by_socket.get(&socket).copied() else { return false };
        self.close_connection(id);
        true
    }

    /// Closes what no ConnectionBind has asked for in time.
    pub(crate) fn expire_connections(&mut self) {
        while let Some((_, id)) =
            self.connections.deadlines.first().filter(|(at, _)| *at <= self.now).copied()
        {
            self.close_connection(id);
        }
    }

    /// Ends the connections of an allocation that is gone, or of one of its two families (RFC 6062 §5.5).
    pub(crate) fn close_connections(
        &mut self,
        allocation: AllocationId,
        user: &User,
        family: Option<Family>,
    ) {
        let all: Vec<_> = self.connections.of_allocation(allocation).collect();
        for id in all {
            let Some(Connection { peer, state, .. }) = self.connections.all.get(&id) else { continue };
            if family.is_some_and(|family| family != Family::of(peer.ip())) {
                continue;
            }
            if let State::Connecting { request, .. } = state {
                self.abandon(*request, &user.owner);
            }
            self.close_connection(id);
        }
    }

    fn close_connection(&mut self, id: u32) {
        let Some(connection) = self.connections.remove(id) else { return };
        self.quota.give_back(&connection.owner, 1);
        let sockets = match connection.state {
            State::Connecting { .. } => [None, None],
            State::Waiting { socket, .. } => [None, Some(socket)],
            State::Joined { socket, client } => [Some(client), Some(socket)],
        };
        for socket in sockets.into_iter().flatten() {
            self.outbox.push_back(Queued::Need(Need::Close { socket }));
        }
    }
}

/// Before all others.
const FIRST: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);

/// RFC 6062 §5.2: "If no ConnectionBind request associated with this peer data connection is received after 30 seconds, the
/// peer data connection MUST be closed."
const BIND_PATIENCE: Duration = Duration::from_secs(30);
