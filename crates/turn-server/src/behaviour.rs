//! NAT behaviour discovery, the server's half (RFC 5780 §6): a Binding answer that comes from where the client asked
//! it to come from, and tells where that is.
//!
//! ```text
//!   asked at   none    change port   change IP   both       OTHER-ADDRESS
//!   A1:P1      A1:P1   A1:P2         A2:P1       A2:P2      A2:P2
//!   A1:P2      A1:P2   A1:P1         A2:P2       A2:P1      A2:P1
//!   A2:P1      A2:P1   A2:P2         A1:P1       A1:P2      A1:P2
//!   A2:P2      A2:P2   A2:P1         A1:P2       A1:P1      A1:P1
//! ```
//!
//! Only the four sockets of an [`AddressPair`] do any of this. On others, or once one of the four is gone, CHANGE-REQUEST,
//! RESPONSE-PORT and PADDING are unknown (420), and the answer is that of RFC 8489.
//!
//! Whoever asks has proven nothing, so:
//!
//! - An answer goes to the IP address that the request came from, whatever RESPONSE-PORT says, and counts against the
//!   allowance of that address ([`Limits::unauthenticated_per_second`](crate::Limits)). Choosing the port wins nothing
//!   that forging the source would not.
//! - PADDING is answered by as much, never by more.
//! - What is refused is refused to where it came from, from where it came to.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;

use floe_stun::attribute::{
    Attribute, ChangeRequest, ErrorCode, MappedAddress, OtherAddress, Padding, ResponseOrigin, ResponsePort,
    XorMappedAddress,
};
use floe_stun::{Builder, Message, SocketId};

use crate::allocation::FiveTuple;
use crate::{AddressPair, AddressPairError};

/// Every socket that takes part, with its three others.
#[derive(Debug, Default)]
pub(crate) struct Behaviour {
    corners: BTreeMap<SocketId, Corner>,
}

/// From where a request can be answered that came `here`.
#[derive(Clone, Copy, Debug)]
struct Corner {
    here: Source,
    other_port: Source,
    other_ip: Source,
    other_both: Source,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    socket: SocketId,
    local: SocketAddr,
}

/// What the attributes of a request ask for.
#[derive(Clone, Copy, Debug)]
struct Question {
    change: ChangeRequest,
    wish: Wish,
}

/// At most one of two: both together would aim large answers (RFC 5780 §10).
#[derive(Clone, Copy, Debug)]
enum Wish {
    Plain,
    ToPort(u16),
    Padded(usize),
}

/// What a Binding answer tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Discovered {
    mapped: SocketAddr,
    origin: SocketAddr,
    other: SocketAddr,
    padding: Option<usize>,
}

impl Behaviour {
    /// Whether discovery is served on this socket.
    pub(crate) fn serves(&self, socket: SocketId) -> bool {
        self.corners.contains_key(&socket)
    }

    /// The attributes that a Binding request on this socket may demand to be understood.
    pub(crate) fn understood(&self, socket: SocketId) -> &'static [u16] {
        if self.serves(socket) { UNDERSTOOD } else { &[] }
    }

    /// Takes part with the four sockets that listen on the corners of a pair.
    pub(crate) fn add(
        &mut self,
        pair: &AddressPair,
        listeners: &BTreeMap<SocketId, SocketAddr>,
    ) -> Result<(), AddressPairError> {
        let find = |corner: SocketAddr| {
            let heard = |local: &SocketAddr| (local.ip(), local.port()) == (corner.ip(), corner.port());
            let (socket, _) = listeners
                .iter()
                .find(|(_, local)| heard(local))
                .ok_or(AddressPairError::NotListening { corner })?;
            if self.corners.contains_key(socket) {
                return Err(AddressPairError::Taken { corner });
            }
            Ok(Source { socket: *socket, local: corner })
        };
        let [a, b, c, d] = pair.corners();
        let [a, b, c, d] = [find(a)?, find(b)?, find(c)?, find(d)?];
        for [here, other_port, other_ip, other_both] in
            [[a, b, c, d], [b, a, d, c], [c, d, a, b], [d, c, b, a]]
        {
            self.corners.insert(here.socket, Corner { here, other_port, other_ip, other_both });
        }
        Ok(())
    }

    /// A socket is gone, and with it what the other three could do (RFC 5780 §6: all four or nothing).
    pub(crate) fn remove(&mut self, socket: SocketId) {
        self.corners.retain(|_, corner| !corner.has(socket));
    }

    /// The answer to a Binding request and the way it takes, or why it is refused; none where discovery is not served.
    pub(crate) fn answer(
        &self,
        from: FiveTuple,
        request: &Message<'_>,
    ) -> Option<Result<(FiveTuple, Discovered), ErrorCode<'static>>> {
        let corner = self.corners.get(&from.listener)?;
        Some(Question::read(request).map(|question| corner.answer(from, question)))
    }
}

impl Corner {
    fn answer(&self, from: FiveTuple, Question { change, wish }: Question) -> (FiveTuple, Discovered) {
        let source = self.source(change);
        let (mut client, mut padding) = (from.client, None);
        match wish {
            Wish::Plain => {}
            Wish::ToPort(port) => client.set_port(port),
            Wish::Padded(len) => padding = Some(len.next_multiple_of(4).min(MAX_PADDING)),
        }
        let (origin, other) = (source.local, self.other_both.local);
        let found = Discovered { mapped: from.client, origin, other, padding };
        (FiveTuple { listener: source.socket, client }, found)
    }

    /// RFC 5780 §6.1, table 1.
    const fn source(&self, change: ChangeRequest) -> Source {
        match (change.ip, change.port) {
            (false, false) => self.here,
            (false, true) => self.other_port,
            (true, false) => self.other_ip,
            (true, true) => self.other_both,
        }
    }

    fn has(&self, socket: SocketId) -> bool {
        [self.here, self.other_port, self.other_ip, self.other_both].iter().any(|one| one.socket == socket)
    }
}

impl Question {
    fn read(request: &Message<'_>) -> Result<Self, ErrorCode<'static>> {
        let change = read(request)?.unwrap_or_default();
        let wish = match (read(request)?, read(request)?) {
            (None, None) => Wish::Plain,
            (Some(ResponsePort(port)), None) if port != 0 => Wish::ToPort(port),
            (None, Some(Padding(bytes))) => Wish::Padded(bytes.len()),
            // Nothing can be sent to port 0, and the two together are forbidden (RFC 5780 §6.1, §7.5).
            (Some(_), _) => return Err(ErrorCode::BAD_REQUEST),
        };
        Ok(Self { change, wish })
    }
}

impl Discovered {
    pub(crate) const fn is_padded(&self) -> bool {
        self.padding.is_some()
    }

    /// RFC 5780 §6.1 wants both forms of the mapped address.
    pub(crate) fn write<'b>(&self, builder: Builder<'b>) -> Builder<'b> {
        let padding = self.padding.and_then(|len| ZEROS.get(..len)).map(Padding);
        builder
            .attribute(&MappedAddress(self.mapped))
            .attribute(&XorMappedAddress(self.mapped))
            .attribute(&ResponseOrigin(self.origin))
            .attribute(&OtherAddress(self.other))
            .maybe(padding.as_ref())
    }
}

fn read<'p, A: Attribute<'p>>(request: &Message<'p>) -> Result<Option<A>, ErrorCode<'static>> {
    request.get().transpose().map_err(|_| ErrorCode::BAD_REQUEST)
}

const UNDERSTOOD: &[u16] = &[ChangeRequest::TYPE, ResponsePort::TYPE, Padding::TYPE];

/// The MTU of Ethernet, which nearly all paths have or fall short of (RFC 5780 §6.1: "the MTU on the outgoing interface,
/// rounded up to an even multiple of four bytes"). Headers come on top, so that such an answer needs two fragments.
const MAX_PADDING: usize = 1500;

const ZEROS: &[u8; MAX_PADDING] = &[0; MAX_PADDING];
