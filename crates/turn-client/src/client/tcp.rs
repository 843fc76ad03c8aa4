//! The client of a TCP allocation (RFC 6062): the way of a connection through the client's doors. How far each is,
//! `connection.rs` knows.

use core::net::SocketAddr;

use floe_stun::attribute::{ConnectionId, XorPeerAddress};
use floe_stun::{
    Authenticated, ChannelData, Class, Dropped, Instant, Message, Need, Received, RequestId, SocketId,
};

use super::{Client, MAX_QUEUE, Queued};
use crate::connection::{self, Full};
use crate::relay::{self, PeerData};
use crate::requests::{Failure, Task, UNDERSTOOD};
use crate::{BadAnswer, ConnectFailure, Event, Refusal};

/// The commands.
impl Client {
    /// Connects to this peer from the relayed address of an allocation with [`Wanted::Tcp`](crate::Wanted::Tcp), or
    /// accepts its call if it has called. May be called at any time; ends with [`Event::Connected`] or
    /// [`Event::NotConnected`]. The server is not asked for a peer again in the ten seconds after it could not reach it
    /// (RFC 6062 §4.3); what is wanted then, waits.
    ///
    /// A stream more to the server is asked of the host on the way, by [`Need::Stream`]. The host cuts what comes on it,
    /// as on the client's own, until the client says that it is the owner's.
    pub fn connect(&mut self, now: Instant, peer: SocketAddr) {
        self.now = self.now.max(now);
        let peer = relay::plain(peer);
        if self.is_ending() {
            return;
        }
        self.hang_up_late();
        match self.try_connect(peer) {
            Ok(Some(offered)) => self.open_stream(peer, offered),
            Ok(None) => {}
            Err(why) => self.tell(Event::NotConnected { peer, why }),
        }
        self.advance();
    }

    /// Takes the call of this peer: see [`Event::ConnectionAttempt`]. Ends with [`Event::Connected`] or
    /// [`Event::NotConnected`]. If there is none, nothing happens: an event has told what became of it.
    pub fn accept(&mut self, now: Instant, peer: SocketAddr) {
        self.now = self.now.max(now);
        let peer = relay::plain(peer);
        self.hang_up_late();
        if let Some(id) = self.connections.offered(peer) {
            self.open_stream(peer, id);
        }
        self.advance();
    }

    /// Does not take the call of this peer. The server hangs up in half a minute (RFC 6062 §5.3); to be rid of the peer,
    /// [`Self::revoke`] its permission.
    pub fn refuse(&mut self, peer: SocketAddr) {
        let peer = relay::plain(peer);
        if self.connections.offered(peer).is_some() {
            self.connections.forget(peer);
        }
        self.advance();
    }

    fn try_connect(&mut self, peer: SocketAddr) -> Result<Option<ConnectionId>, ConnectFailure> {
        if !self.config.wanted.is_tcp() {
            return Err(ConnectFailure::NotTcp);
        }
        self.check_family(peer.ip()).map_err(ConnectFailure::Refused)?;
        self.connections.want(peer).map_err(|Full| {
            let why = alloc::format!("this client makes {} connections at a time", connection::MAX);
            ConnectFailure::Refused(Refusal::new(508, why))
        })
    }
}

/// What arrives.
impl Client {
    /// Whether this is from the server on a stream that is not the owner's yet.
    pub(super) fn is_to_be_joined(&self, socket: SocketId, remote: SocketAddr) -> bool {
        remote == self.config.server && self.connections.is_binding(socket)
    }

    /// Nothing but the answer to ConnectionBind has a place there.
    pub(super) fn handle_on_stream<'p>(
        &mut self,
        stream: SocketId,
        data: &'p [u8],
    ) -> Received<PeerData<'p>> {
        if ChannelData::is_probably(data) {
            return Received::Dropped(Dropped::UnexpectedMethod);
        }
        Message::decode(data)
            .map_err(|_| Dropped::Malformed)
            .and_then(|message| match message.class() {
                Class::Success | Class::Error => self.handle_response(Some(stream), message),
                Class::Indication | Class::Request => Err(Dropped::UnexpectedMethod),
            })
            .unwrap_or_else(Received::Dropped)
    }

    /// A peer has called. Nobody vouches for it but the stream it comes on.
    pub(super) fn handle_attempt<'p>(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Received<PeerData<'p>>, Dropped> {
        if message.fingerprint() == Some(false) {
            return Err(Dropped::BadFingerprint);
        }
        if message.unknown_required_but(UNDERSTOOD).next().is_some() {
            return Err(Dropped::UnknownAttribute);
        }
        if !self.config.wanted.is_tcp() {
            return Err(Dropped::UnexpectedMethod);
        }
        let (Some(XorPeerAddress(peer)), Some(id)) = message.find_all() else {
            return Err(Dropped::MissingAttribute);
        };
        let peer = relay::plain(peer);
        self.allocation.live().ok_or(Dropped::NoAllocation)?;
        if !self.permissions.is_asked(self.now, peer.ip()) {
            return Err(Dropped::NoPermission);
        }
        if self.queue.len() >= MAX_QUEUE {
            return Err(Dropped::LimitReached);
        }
        match self.connections.handle_attempt(self.now, peer, id) {
            Ok(true) => self.tell(Event::ConnectionAttempt { peer }),
            Ok(false) => {}
            Err(Full) => return Err(Dropped::LimitReached),
        }
        Ok(Received::Consumed)
    }

    /// The host has opened a stream. False if that was not for a connection that is still wanted.
    pub(super) fn handle_stream_opened(&mut self, answered: RequestId, stream: SocketId) -> bool {
        let Some(connection) = self.connections.handle_opened(answered, stream) else { return false };
        self.requests.open_stream(stream);
        self.ask(Task::BindConnection { stream, connection });
        true
    }

    pub(super) fn handle_stream_closed(&mut self, stream: SocketId) -> Received<PeerData<'static>> {
        self.requests.leave_stream(stream);
        if let Some(peer) = self.connections.take_bound(stream) {
            self.tell(Event::NotConnected { peer, why: ConnectFailure::Closed });
        }
        Received::Consumed
    }
}

/// How tasks end.
impl Client {
    pub(super) fn handle_connected(&mut self, peer: SocketAddr, answer: &Authenticated<Message<'_>>) {
        match answer.find() {
            Some(id) if self.connections.is_connecting(peer) => self.open_stream(peer, id),
            Some(ConnectionId(_)) => {}
            None => {
                let lacks = Failure::Unusable(BadAnswer::Lacks("CONNECTION-ID"));
                self.handle_not_connected(peer, lacks);
            }
        }
    }

    //= RFC 6062 §4.3
    //# The client MUST initiate a new TCP connection to the server, utilizing the same destination transport address
    //# to which the control connection was established.
    fn open_stream(&mut self, peer: SocketAddr, id: ConnectionId) {
        let request = self.need_stream(self.config.server, self.config.server_name.clone());
        self.connections.open(peer, id, request);
    }

    pub(super) fn handle_not_connected(&mut self, peer: SocketAddr, failure: Failure) {
        match failure.code() {
            Some(CONNECTION_FAILURE) => self.connections.leave_alone(self.now, peer),
            Some(_) => {}
            // The whole server may have fallen silent.
            None => self.allocation.handle_doubt(self.now),
        }
        if self.connections.is_connecting(peer) {
            self.connections.forget(peer);
            self.tell(Event::NotConnected { peer, why: failure.into() });
        }
    }

    pub(super) fn handle_joined(&mut self, stream: SocketId) {
        self.requests.leave_stream(stream);
        if let Some(peer) = self.connections.take_bound(stream) {
            self.tell(Event::Connected { peer, stream });
        }
    }

    pub(super) fn handle_not_joined(&mut self, stream: SocketId, why: ConnectFailure) {
        self.requests.leave_stream(stream);
        if let Some(peer) = self.connections.take_bound(stream) {
            self.queue.push_back(Queued::Need(Need::Close { socket: stream }));
            self.tell(Event::NotConnected { peer, why });
        }
    }

    /// Those with such peers will not come to be.
    pub(super) fn drop_connections(&mut self, which: impl Fn(SocketAddr) -> bool) {
        while let Some((peer, stream)) = self.connections.take_any(&which) {
            if let Some(stream) = stream {
                self.requests.leave_stream(stream);
                self.queue.push_back(Queued::Need(Need::Close { socket: stream }));
            }
            self.tell(Event::NotConnected { peer, why: ConnectFailure::Interrupted });
        }
    }
}

/// What is to be done next.
impl Client {
    pub(super) fn advance_connections(&mut self) {
        self.hang_up_late();
        while self.allocation.live().is_some() {
            let Some(peer) = self.connections.take_due(self.now) else { break };
            self.ask(Task::Connect(peer));
        }
    }

    fn hang_up_late(&mut self) {
        while let Some(peer) = self.connections.take_late(self.now) {
            self.tell(Event::NotConnected { peer, why: ConnectFailure::TooLate });
        }
    }

    /// What is wanted before there is an allocation waits for that.
    pub(super) fn connections_deadline(&self) -> Option<Instant> {
        self.allocation.live().and_then(|_| self.connections.deadline())
    }
}

/// RFC 6062 §6.3.
const CONNECTION_FAILURE: u16 = 447;
