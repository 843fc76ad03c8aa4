//! A packet's journey, hop by hop.
//!
//! ```text
//!   depart ──sender's link──▶ In(place) ──receiver's link──▶ At(host) ──▶ delivered
//!                              │  ▲  │
//!          nobody here has it, │  │  │ a NAT has it here
//!          but a NAT is before │  │  ▼
//!                     Leaving(nat)│ Entering(nat) ──────────▶ In(its own place)
//!                          └──────┘
//!                           uplink
//! ```

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::host::{Socket, is_link_local};
use crate::id::{HostId, NatId, Node, Place};
use crate::link::{Crossing, Direction};
use crate::nat::{Hairpin, Inbound};
use crate::network::{Delivery, Network};
use crate::trace::{Fate, Record, Rewrite};

/// A packet and where it comes out next.
#[derive(Debug)]
pub(crate) struct Flight {
    packet: Packet,
    hop: Hop,
}

#[derive(Debug, Clone)]
struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    data: Vec<u8>,
    record: Record,
}

#[derive(Debug, Clone, Copy)]
enum Hop {
    /// In the middle of a place, looking for the destination.
    In(Place),
    /// At a NAT, from inside.
    Leaving(NatId),
    /// At a NAT, from outside.
    Entering(NatId),
    /// At a host.
    At(HostId),
}

impl Network {
    /// A packet leaves its socket.
    pub(crate) fn depart(&mut self, socket: Socket, to: SocketAddr, data: &[u8]) {
        let Some(host) = self.host(socket.host) else { return };
        let source = host.source(socket, to.ip());
        let stays = host.owns(to.ip());
        let place = source.and_then(|from| host.place_of(from.ip()));
        let up = host.access.up;

        let from = source.unwrap_or(socket.local);
        let record = self.trace.sent(self.now(), socket.host, from, to, data);
        let packet = Packet { from, to, data: data.to_vec(), record };
        match place {
            _ if stays && source.is_some() => self.fly(LOCAL_DELAY, packet, Hop::At(socket.host)),
            _ if !up => self.end(&packet, Fate::Down(socket.host.into())),
            Some(place) => self.cross(socket.host.into(), Direction::Out, packet, Hop::In(place)),
            None => self.end(&packet, Fate::NoRoute),
        }
    }

    /// Takes a packet one hop further.
    pub(crate) fn advance(&mut self, flight: Flight) -> Option<Delivery> {
        let Flight { packet, hop } = flight;
        match hop {
            Hop::In(place) => self.look_up(place, packet),
            Hop::Leaving(nat) => self.leave(nat, packet),
            Hop::Entering(nat) => self.enter(nat, packet.from, packet),
            Hop::At(host) => return self.arrive(host, packet),
        }
        None
    }

    /// Finds the way on from the middle of a place: to whoever has the address, otherwise to the NAT in front.
    fn look_up(&mut self, place: Place, packet: Packet) {
        match (self.routes.get(&(place, packet.to.ip())), place) {
            (Some(owner), _) => self.hand_over(*owner, packet),
            (None, Place::Behind(nat)) if may_leave(&packet) => {
                self.fly(Duration::ZERO, packet, Hop::Leaving(nat))
            }
            (None, _) => self.end(&packet, Fate::NoRoute),
        }
    }

    fn hand_over(&mut self, owner: Node, packet: Packet) {
        let hop = match owner {
            Node::Host(host) => Hop::At(host),
            Node::Nat(nat) => Hop::Entering(nat),
        };
        self.cross(owner, Direction::In, packet, hop);
    }

    /// A NAT gives the packet an external source and sends it up, or back in.
    fn leave(&mut self, id: NatId, mut packet: Packet) {
        let now = self.now();
        let Some(nat) = self.nat_mut(id) else { return self.end(&packet, Fate::NoRoute) };
        let (outer, hairpin, comes_back) = (nat.outer, nat.hairpin(), nat.is_own(packet.to));
        if !nat.access.up {
            return self.end(&packet, Fate::Down(id.into()));
        }
        if comes_back && hairpin == Hairpin::No {
            return self.end(&packet, Fate::NoHairpin(id));
        }
        let Some(external) = nat.outbound(now, packet.from, packet.to) else {
            return self.end(&packet, Fate::NoPort(id));
        };
        if comes_back && hairpin == Hairpin::InternalSource {
            return self.enter(id, external, packet);
        }
        if external != packet.from {
            self.trace.rewritten(packet.record, Rewrite::Source { nat: id, to: external });
            packet.from = external;
        }
        if comes_back {
            return self.enter(id, external, packet);
        }
        self.cross(id.into(), Direction::Out, packet, Hop::In(outer));
    }

    /// A NAT judges the packet by its `sender` as seen from outside, and lets it in or not.
    fn enter(&mut self, id: NatId, sender: SocketAddr, mut packet: Packet) {
        let now = self.now();
        let Some(nat) = self.nat_mut(id) else { return self.end(&packet, Fate::NoRoute) };
        if !nat.access.up {
            return self.end(&packet, Fate::Down(id.into()));
        }
        let internal = match nat.inbound(now, sender, packet.to) {
            Inbound::Forward(internal) => internal,
            Inbound::Filtered => return self.end(&packet, Fate::Filtered(id)),
            Inbound::NoMapping => return self.end(&packet, Fate::NoMapping(id)),
        };
        if internal != packet.to {
            self.trace.rewritten(packet.record, Rewrite::Destination { nat: id, to: internal });
            packet.to = internal;
        }
        match self.routes.get(&(Place::Behind(id), internal.ip())) {
            Some(owner) => self.hand_over(*owner, packet),
            None => self.end(&packet, Fate::NoRoute),
        }
    }

    fn arrive(&mut self, id: HostId, packet: Packet) -> Option<Delivery> {
        let at = self.now();
        let host = self.host(id)?;
        let local = host.owns(packet.from.ip());
        let fate = match host.listener(packet.to) {
            _ if !host.access.up && !local => Fate::Down(id.into()),
            _ if !host.owns(packet.to.ip()) => Fate::NoRoute,
            Some(_) => Fate::Delivered(id),
            None => Fate::NoSocket(id),
        };
        let socket = host.listener(packet.to);
        self.end(&packet, fate);
        match (fate, socket) {
            (Fate::Delivered(_), Some(socket)) => {
                let Packet { from, to, data, .. } = packet;
                Some(Delivery { socket, from, to, data, at })
            }
            _ => None,
        }
    }

    /// Sends a packet over the link of a node.
    fn cross(&mut self, node: Node, direction: Direction, packet: Packet, hop: Hop) {
        let size = packet.data.len() + headers(packet.to.ip());
        let crossing = self.access_mut(node).map(|access| access.carry(direction, size));
        match crossing {
            Some(Crossing::Carried { after, copy_after }) => {
                let copy = copy_after.map(|after| (after, self.copy(&packet)));
                self.fly(after, packet, hop);
                if let Some((after, copy)) = copy {
                    self.fly(after, copy, hop);
                }
            }
            Some(Crossing::Lost) => self.end(&packet, Fate::Lost(node)),
            Some(Crossing::TooBig) => self.end(&packet, Fate::TooBig(node)),
            None => self.end(&packet, Fate::NoRoute),
        }
    }

    fn copy(&mut self, packet: &Packet) -> Packet {
        Packet { record: self.trace.copied(self.now(), packet.record), ..packet.clone() }
    }

    fn fly(&mut self, after: Duration, packet: Packet, hop: Hop) {
        self.queue.push(after, Flight { packet, hop });
    }

    fn end(&mut self, packet: &Packet, fate: Fate) {
        self.trace.ended(self.now(), packet.record, fate);
    }
}

/// RFC 3927 §7 and RFC 4291 §2.5.6: routers do not forward link-local packets.
fn may_leave(packet: &Packet) -> bool {
    !is_link_local(packet.to.ip()) && !is_link_local(packet.from.ip())
}

/// The bytes of IP and UDP headers around a payload.
fn headers(ip: IpAddr) -> usize {
    if ip.is_ipv4() { 20 + 8 } else { 40 + 8 }
}

/// What a packet takes from a host to itself; not nothing, so that a conversation of a host with itself takes time.
const LOCAL_DELAY: Duration = Duration::from_micros(10);
