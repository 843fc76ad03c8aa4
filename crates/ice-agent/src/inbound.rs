//! The gate: decode, route, authenticate, dispatch. What does not pass changes nothing but a counter.

use core::net::SocketAddr;

use floe_stun::attribute::Username;
use floe_stun::{Class, Dropped, Message, Method, Received, SocketId};

use crate::agent::IceAgent;
use crate::locals::Via;
use crate::output::Data;
use crate::relay::FromRelay;
use crate::session::Session;

impl IceAgent {
    /// A datagram arrived on one of our sockets.
    pub(crate) fn handle_datagram<'p>(
        &mut self,
        socket: SocketId,
        from: SocketAddr,
        data: &'p [u8],
    ) -> Received<Data<'p>> {
        if !self.owns(socket) {
            return Received::NotMine;
        }
        match self.gatherer.relays.handle_datagram(&mut self.shared, socket, from, data) {
            FromRelay::Consumed => Received::Consumed,
            // The servers' last words are heard, the peer's are not.
            _ if self.is_closed() => Received::Dropped(Dropped::Closed),
            FromRelay::Peer(relay, peer, data) => self.handle_packet(Via::Relay(relay), peer, data),
            FromRelay::Dropped(why) => Received::Dropped(why),
            FromRelay::NotMine => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                self.handle_packet(Via::Socket(socket), from, data)
            }
        }
    }

    /// A packet of a peer or of a STUN server, wherever it came through.
    fn handle_packet<'p>(&mut self, via: Via, from: SocketAddr, data: &'p [u8]) -> Received<Data<'p>> {
        if !Message::is_probably(data) {
            return self.handle_data(via, from, data);
        }
        match self.handle_stun(via, from, data) {
            Ok(()) => Received::Consumed,
            Err(why) => Received::Dropped(why),
        }
    }

    fn handle_stun(&mut self, via: Via, from: SocketAddr, data: &[u8]) -> Result<(), Dropped> {
        let message = self.decode(data)?;
        match message.class() {
            _ if message.method() != Method::BINDING => Err(Dropped::UnexpectedMethod),
            Class::Request => self.route_request(via, from, &message),
            Class::Success | Class::Error => self.route_answer(via, from, &message),
            // A keepalive: it has done its work in the NATs (RFC 8445 §11).
            Class::Indication => Ok(()),
        }
    }

    fn decode<'m>(&self, data: &'m [u8]) -> Result<Message<'m>, Dropped> {
        let limits = &self.shared.config.limits;
        if data.len() > limits.message_bytes {
            return Err(Dropped::TooLarge);
        }
        let message = Message::decode(data).map_err(|_| Dropped::Malformed)?;
        if message.attributes().count() > limits.attributes {
            return Err(Dropped::TooLarge);
        }
        match message.fingerprint() {
            Some(false) => Err(Dropped::BadFingerprint),
            _ => Ok(message),
        }
    }

    /// USERNAME names the generation, whose password must have signed the check (RFC 8445 §7.3).
    fn route_request(&mut self, via: Via, from: SocketAddr, message: &Message<'_>) -> Result<(), Dropped> {
        if message.fingerprint().is_none() {
            return Err(Dropped::BadFingerprint);
        }
        let Some(Username(username)) = message.find() else { return Err(Dropped::MissingAttribute) };
        let Some((ours, _)) = username.split_once(':') else { return Err(Dropped::UnknownUsername) };
        let named = |session: &&mut Session| session.local.credentials.ufrag == ours;
        let mut sessions = core::iter::once(&mut self.session).chain(self.previous.as_mut());
        let session = sessions.find(named).ok_or(Dropped::UnknownUsername)?;
        let check = message.verify(&session.local.key).map_err(|_| Dropped::BadIntegrity)?;
        session.handle_check(&mut self.shared, via, from, &check)
    }

    /// The transaction id names the question: of a gathering server, or of a check of either generation.
    fn route_answer(&mut self, via: Via, from: SocketAddr, message: &Message<'_>) -> Result<(), Dropped> {
        if let Via::Socket(socket) = via
            && let Some(verdict) = self.gatherer.handle_answer(&mut self.shared, socket, from, message)
        {
            return verdict;
        }
        if message.fingerprint().is_none() {
            return Err(Dropped::BadFingerprint);
        }
        let mut sessions = core::iter::once(&mut self.session).chain(self.previous.as_mut());
        let asked = sessions.find(|session| session.checks.contains_key(&message.id()));
        asked.ok_or(Dropped::UnknownTransaction)?.handle_answer(&mut self.shared, via, from, message)
    }

    /// Application data, if the way it came has proved to lead to the peer.
    fn handle_data<'p>(&mut self, via: Via, from: SocketAddr, data: &'p [u8]) -> Received<Data<'p>> {
        let now = self.shared.now;
        for session in core::iter::once(&mut self.session).chain(self.previous.as_mut()) {
            let found = session.list.find(via, from).filter(|id| session.may_carry_data(*id));
            if let Some(pair) = found.and_then(|id| session.list.get_mut(id)) {
                pair.note_data_received(now, data.len());
                self.shared.totals.packets_received += 1;
                self.shared.totals.bytes_received += data.len() as u64;
                return Received::App(Data::new(pair.component, data));
            }
        }
        Received::Dropped(Dropped::NotValidated)
    }
}
