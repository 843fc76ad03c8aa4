//! The network as a value: build it, send into it, step it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::chance::Chance;
use crate::forward::Flight;
use crate::host::{BindError, Host, Socket, is_link_local, plain};
use crate::id::{HostId, NatId, Node, Place};
use crate::link::{Access, Direction, Link};
use crate::nat::{Nat, NatBehaviour};
use crate::queue::Queue;
use crate::trace::Trace;

/// A world of hosts, links and NATs, with one clock. See the [crate] for the model.
#[derive(Debug)]
pub struct Network {
    pub(crate) queue: Queue<Flight>,
    pub(crate) trace: Trace,
    pub(crate) routes: BTreeMap<(Place, IpAddr), Node>,
    hosts: Vec<Host>,
    nats: Vec<Nat>,
    sockets: u32,
    seed: [u8; 32],
}

/// A packet that reached a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Whose it is now.
    pub socket: Socket,
    /// The sender, as seen here.
    pub from: SocketAddr,
    /// The address it came to: tells them apart on a socket that is bound to all.
    pub to: SocketAddr,
    /// The payload.
    pub data: Vec<u8>,
    /// The time, which is now.
    pub at: Duration,
}

/// Building the world.
impl Network {
    /// An empty world at time zero.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            queue: Queue::new(),
            trace: Trace::new(),
            routes: BTreeMap::new(),
            hosts: Vec::new(),
            nats: Vec::new(),
            sockets: 0,
            seed,
        }
    }

    /// A host on the public network. Of two owners of an address in one place, the later gets the packets.
    pub fn add_host(&mut self, name: &str, addresses: &[IpAddr]) -> HostId {
        self.add_host_at(Place::Public, name, addresses)
    }

    /// A host in the private network of a NAT.
    pub fn add_host_behind(&mut self, nat: NatId, name: &str, addresses: &[IpAddr]) -> HostId {
        self.add_host_at(Place::Behind(nat), name, addresses)
    }

    /// A NAT (or firewall) on the public network, with one public address and a private network behind it.
    pub fn add_nat(&mut self, name: &str, public: impl Into<IpAddr>, behaviour: NatBehaviour) -> NatId {
        self.add_nat_at(Place::Public, name, public.into(), behaviour)
    }

    /// A NAT (or firewall) that stands behind another: a home behind its carrier's. `public` is its address in the
    /// network of `outer`.
    pub fn add_nat_behind(
        &mut self,
        outer: NatId,
        name: &str,
        public: impl Into<IpAddr>,
        behaviour: NatBehaviour,
    ) -> NatId {
        self.add_nat_at(Place::Behind(outer), name, public.into(), behaviour)
    }

    fn add_host_at(&mut self, place: Place, name: &str, addresses: &[IpAddr]) -> HostId {
        let host = HostId(count(self.hosts.len()));
        self.hosts.push(Host::new(Access::new(self.seed, host.into())));
        self.trace.set_name(host.into(), name);
        for ip in addresses {
            self.add_address(host, place, *ip);
        }
        host
    }

    fn add_nat_at(&mut self, outer: Place, name: &str, public: IpAddr, behaviour: NatBehaviour) -> NatId {
        let number = count(self.nats.len());
        let nat = NatId(number);
        let access = Access::new(self.seed, nat.into());
        let chance = Chance::of_ports(self.seed, nat.into());
        self.nats.push(Nat::new(outer, public, behaviour, first_port(number), access, chance));
        self.trace.set_name(nat.into(), name);
        self.announce(outer, public, nat.into());
        nat
    }
}

/// Changing the world.
impl Network {
    /// Gives a host one more address, there or anywhere: a host may have a foot in several places. Loopback addresses
    /// it has already, and they stay inside.
    pub fn add_address(&mut self, host: HostId, place: Place, ip: IpAddr) {
        let Some(owner) = self.host_mut(host).filter(|_| !ip.is_loopback()) else { return };
        owner.add_address(ip, place);
        self.announce(place, ip, host.into());
    }

    /// Takes an address from a host. Its sockets stay bound, cannot send and hear nothing; packets on their way to it
    /// find no route.
    pub fn remove_address(&mut self, host: HostId, ip: IpAddr) {
        let place = self.host_mut(host).and_then(|owner| owner.remove_address(ip));
        if let Some(place) = place {
            self.withdraw(place, ip, host.into());
        }
    }

    /// Sets a host's access link, or a NAT's uplink, both ways. Packets already on it are not affected.
    pub fn set_link(&mut self, node: impl Into<Node>, link: Link) {
        let node = node.into();
        self.set_link_towards(node, Direction::Out, link);
        self.set_link_towards(node, Direction::In, link);
    }

    /// Sets one direction of a link.
    pub fn set_link_towards(&mut self, node: impl Into<Node>, direction: Direction, link: Link) {
        if let Some(access) = self.access_mut(node.into()) {
            access.set(direction, link);
        }
    }

    /// Unplugs a host or a NAT, or plugs it in again. What arrives while it is unplugged is gone; a NAT remembers its
    /// mappings.
    pub fn set_up(&mut self, node: impl Into<Node>, up: bool) {
        if let Some(access) = self.access_mut(node.into()) {
            access.up = up;
        }
    }

    /// Makes a NAT forget all mappings.
    pub fn reboot(&mut self, nat: NatId) {
        if let Some(nat) = self.nat_mut(nat) {
            nat.reboot();
        }
    }

    /// From now on, whether the trace keeps the payloads of packets. Off at first.
    pub fn keep_payloads(&mut self, keep: bool) {
        self.trace.keep_payloads(keep);
    }
}

/// Using the world.
impl Network {
    /// Binds a socket to an address of the host, or to all of a family (`0.0.0.0`, `[::]`). Port 0 takes the next free
    /// ephemeral port. Every host has loopback addresses of its own.
    ///
    /// # Errors
    ///
    /// If the address is not the host's or not free.
    pub fn bind(&mut self, host: HostId, addr: SocketAddr) -> Result<Socket, BindError> {
        let number = self.sockets;
        let owner = self.host_mut(host).ok_or(BindError::NoSuchHost)?;
        let mut local = plain(addr);
        if local.port() == 0 {
            local.set_port(owner.free_port(local.ip())?);
        }
        let socket = Socket { number, host, local };
        owner.bind(socket)?;
        self.sockets += 1;
        Ok(socket)
    }

    /// Closes a socket. What is on its way to it finds no socket.
    pub fn close(&mut self, socket: Socket) {
        if let Some(host) = self.host_mut(socket.host) {
            host.close(socket);
        }
    }

    /// Sends a packet now. The network never answers at once: what became of it is in the trace. Nothing happens on a
    /// closed socket.
    pub fn send(&mut self, socket: Socket, to: SocketAddr, data: &[u8]) {
        if self.host(socket.host).is_some_and(|host| host.is_open(socket)) {
            self.depart(socket, plain(to), data);
        }
    }

    /// Moves the clock to the next delivery and returns it; or, if there is none up to and including `limit`, moves
    /// the clock to `limit`. The clock never goes back: an earlier `limit` leaves it where it is.
    pub fn step(&mut self, limit: Duration) -> Option<Delivery> {
        while let Some(flight) = self.queue.pop(limit) {
            let delivery = self.advance(flight);
            if delivery.is_some() {
                return delivery;
            }
        }
        None
    }

    /// When something next happens to a packet, if any is on its way. That need not be a delivery, but no delivery is
    /// earlier.
    #[must_use]
    pub fn next_event(&self) -> Option<Duration> {
        self.queue.next()
    }

    /// The time since the start of the world.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.queue.now()
    }

    /// Every packet so far.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

/// Finding things, for `forward.rs`.
impl Network {
    pub(crate) fn host(&self, host: HostId) -> Option<&Host> {
        self.hosts.get(host.0 as usize)
    }

    fn host_mut(&mut self, host: HostId) -> Option<&mut Host> {
        self.hosts.get_mut(host.0 as usize)
    }

    fn nat(&self, nat: NatId) -> Option<&Nat> {
        self.nats.get(nat.0 as usize)
    }

    pub(crate) fn nat_mut(&mut self, nat: NatId) -> Option<&mut Nat> {
        self.nats.get_mut(nat.0 as usize)
    }

    pub(crate) fn access_mut(&mut self, node: Node) -> Option<&mut Access> {
        match node {
            Node::Host(host) => self.host_mut(host).map(|host| &mut host.access),
            Node::Nat(nat) => self.nat_mut(nat).map(|nat| &mut nat.access),
        }
    }

    /// Makes an address known in its place, and further out through everything that does not translate it.
    fn announce(&mut self, place: Place, ip: IpAddr, owner: Node) {
        for (place, next) in self.known_in(place, ip, owner) {
            self.routes.insert((place, ip), next);
        }
    }

    /// Undoes [`Self::announce`], except where another has taken the address over.
    fn withdraw(&mut self, place: Place, ip: IpAddr, owner: Node) {
        for (place, next) in self.known_in(place, ip, owner) {
            if self.routes.get(&(place, ip)) == Some(&next) {
                self.routes.remove(&(place, ip));
            }
        }
    }

    /// The places where an address is known, each with the node to ask for it there.
    fn known_in(&self, place: Place, ip: IpAddr, owner: Node) -> Vec<(Place, Node)> {
        let mut known = Vec::new();
        let (mut place, mut next) = (place, owner);
        loop {
            known.push((place, next));
            let Place::Behind(id) = place else { return known };
            match self.nat(id) {
                Some(nat) if !nat.translates(ip) && !is_link_local(ip) => {
                    (place, next) = (nat.outer, Node::Nat(id));
                }
                _ => return known,
            }
        }
    }
}

/// Each NAT counts its ports from another thousand, so that a reader tells them apart.
fn first_port(nat: u32) -> u16 {
    let thousands = u16::try_from(nat % 20).unwrap_or(0);
    40_000 + 1_000 * thousands
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
