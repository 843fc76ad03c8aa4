//! What arrives, and what it is.

use core::net::SocketAddr;

use floe_stun::attribute::IcmpAttribute;
use floe_stun::{ChannelData, Class, Dropped, Message, Method, Received, SocketId};

use super::{Client, MAX_QUEUE, SHORT_REST};
use crate::allocation::Allocation;
use crate::relay::{self, Content, PeerData};
use crate::requests::Answer;
use crate::{AllocateFailure, Event, LostReason};

impl Client {
    pub(super) fn is_ours(&self, socket: SocketId, remote: SocketAddr) -> bool {
        socket == self.config.socket
            && remote == self.config.server
            && !matches!(self.allocation, Allocation::Over)
    }

    pub(super) fn handle_datagram<'p>(&mut self, data: &'p [u8]) -> Received<PeerData<'p>> {
        let verdict = if ChannelData::is_probably(data) {
            self.handle_channel_data(data).map(Received::App)
        } else if Message::is_probably(data) {
            Message::decode(data)
                .map_err(|_| Dropped::Malformed)
                .and_then(|message| self.handle_message(message))
        } else {
            Ok(Received::NotMine)
        };
        verdict.unwrap_or_else(Received::Dropped)
    }

    pub(super) fn handle_message<'p>(
        &mut self,
        message: Message<'p>,
    ) -> Result<Received<PeerData<'p>>, Dropped> {
        match (message.class(), message.method()) {
            (Class::Success | Class::Error, _) => self.handle_response(None, message),
            (Class::Indication, Method::DATA) => self.handle_indication(&message),
            (Class::Indication, Method::CONNECTION_ATTEMPT) => self.handle_attempt(&message),
            (Class::Indication | Class::Request, _) => Ok(Received::NotMine),
        }
    }

    pub(super) fn handle_channel_data<'p>(&self, data: &'p [u8]) -> Result<PeerData<'p>, Dropped> {
        let ChannelData { channel, data, .. } = ChannelData::decode(data).map_err(|_| Dropped::Malformed)?;
        self.allocation.live().ok_or(Dropped::NoAllocation)?;
        let peer = self.channels.peer(self.now, channel).ok_or(Dropped::UnknownChannel)?;
        if !self.permissions.is_asked(self.now, peer.ip()) {
            return Err(Dropped::NoPermission);
        }
        Ok(PeerData { peer, data })
    }

    pub(super) fn handle_indication<'p>(
        &mut self,
        message: &Message<'p>,
    ) -> Result<Received<PeerData<'p>>, Dropped> {
        let (peer, content) = relay::read_indication(message)?;
        self.allocation.live().ok_or(Dropped::NoAllocation)?;
        if !self.permissions.is_asked(self.now, peer.ip()) {
            return Err(Dropped::NoPermission);
        }
        match content {
            Content::Data(data) => Ok(Received::App(PeerData { peer, data })),
            Content::Icmp(_) if self.queue.len() >= MAX_QUEUE => Err(Dropped::LimitReached),
            Content::Icmp(IcmpAttribute { kind, code, data }) => {
                self.tell(Event::PeerUnreachable { peer, kind, code, data });
                Ok(Received::Consumed)
            }
        }
    }

    pub(super) fn handle_response<'p>(
        &mut self,
        stream: Option<SocketId>,
        message: Message<'p>,
    ) -> Result<Received<PeerData<'p>>, Dropped> {
        let Some((request, answer)) = self.requests.handle_response(stream, message)? else {
            return Ok(Received::NotMine);
        };
        match answer {
            Answer::Again => self.ask_again(request.task, request.attempt),
            Answer::Granted(message) => {
                self.heard_at = self.now;
                self.handle_granted(&request, &message);
            }
            Answer::Failed(_) if self.defer(request.task, request.started()) => {}
            Answer::Failed(failure) => self.handle_failed(request.task, failure),
        }
        Ok(Received::Consumed)
    }

    /// Nobody vouches for ICMP: it may spoil an attempt, not an allocation.
    pub(super) fn handle_icmp(&mut self) -> Received<PeerData<'static>> {
        match self.allocation {
            Allocation::Asking if self.held && self.config.again => self.rest(SHORT_REST),
            Allocation::Asking => {
                self.end(Allocation::Over);
                self.tell(Event::Failed(AllocateFailure::Unreachable));
            }
            _ => return Received::NotMine,
        }
        Received::Consumed
    }

    pub(super) fn handle_closed(&mut self) -> Received<PeerData<'static>> {
        match &mut self.allocation {
            Allocation::Asking
            | Allocation::Tokenless
            | Allocation::Resting { .. }
            | Allocation::Clearing => {
                self.end(Allocation::Over);
                self.tell(Event::Failed(AllocateFailure::SocketClosed));
            }
            Allocation::Live(_) => self.lose(LostReason::SocketClosed),
            // A server that has sent us away hangs up.
            Allocation::Detour { left, .. } => *left = true,
            Allocation::Leaving { .. } => self.left(),
            Allocation::Over => return Received::NotMine,
        }
        Received::Consumed
    }
}
