//! A machine on a virtual host: the duties of a host, once for every machine.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use floe_netsim::{HostId, Network, Socket};
use floe_stun::{
    Failure, Input, Instant, MAX_TRANSMIT, Machine, Need, Output, Received, SocketId, Transmit, Why,
};

/// One machine with its virtual sockets.
#[derive(Debug)]
pub(crate) struct Node<M> {
    pub(crate) machine: M,
    pub(crate) host: HostId,
    sockets: BTreeMap<SocketId, Socket>,
    wait: Option<(Instant, Why)>,
    next_socket: u32,
}

impl<M: Machine> Node<M>
where
    M::Event: fmt::Debug,
{
    pub(crate) fn new(machine: M, host: HostId) -> Self {
        Self { machine, host, sockets: BTreeMap::new(), wait: None, next_socket: 0 }
    }

    /// Binds a socket and gives it the name that the machine will know it by.
    pub(crate) fn bind(&mut self, net: &mut Network, address: SocketAddr) -> Option<(SocketId, SocketAddr)> {
        let socket = net.bind(self.host, address).ok()?;
        let id = SocketId(self.next_socket);
        self.next_socket += 1;
        self.sockets.insert(id, socket);
        Some((id, socket.local_addr()))
    }

    /// The end of it, and of its sockets.
    pub(crate) fn end(self, net: &mut Network) {
        self.sockets.into_values().for_each(|socket| net.close(socket));
    }

    /// The machine's own name of a virtual socket, if it is one of its own.
    pub(crate) fn id_of(&self, socket: Socket) -> Option<SocketId> {
        self.sockets.iter().find(|(_, known)| **known == socket).map(|(id, _)| *id)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.wait.map(|(until, _)| until)
    }

    /// Hands in one input and carries out all that follows; returns the verdict and the events.
    ///
    /// # Panics
    ///
    /// If the machine still waits for a moment that has come: a host that obeys would spin.
    pub(crate) fn input<'p>(
        &mut self,
        net: &mut Network,
        input: Input<'p>,
    ) -> (Received<M::App<'p>>, Vec<M::Event>) {
        let verdict = self.machine.handle_input(now(net), input);
        let events = self.drain(net);
        if let Some((until, why)) = self.wait.filter(|_| !matches!(verdict, Received::Dropped(_))) {
            assert!(until > now(net), "waits for {why:?} at {until}, and it is {}", now(net));
        }
        (verdict, events)
    }

    /// Carries out what the machine wants, until it waits.
    pub(crate) fn drain(&mut self, net: &mut Network) -> Vec<M::Event> {
        let (mut events, mut buf) = (Vec::new(), [0; MAX_TRANSMIT]);
        self.wait = loop {
            match self.machine.poll_output(&mut buf) {
                Output::Transmit(transmit) => Self::send(&self.sockets, net, &transmit),
                Output::Need(need) => self.meet(net, need),
                Output::Event(event) => events.push(event),
                Output::Wait { until, why } => break Some((until, why)),
                Output::Idle => break None,
            }
        };
        events
    }

    pub(crate) fn send(sockets: &BTreeMap<SocketId, Socket>, net: &mut Network, transmit: &Transmit<'_>) {
        if let Some(socket) = sockets.get(&transmit.socket) {
            net.send(*socket, transmit.to, transmit.bytes);
        }
    }

    pub(crate) fn send_bytes(&self, net: &mut Network, socket: SocketId, to: SocketAddr, bytes: &[u8]) {
        Self::send(&self.sockets, net, &Transmit::new(socket, to, bytes));
    }

    fn meet(&mut self, net: &mut Network, need: Need) {
        let time = now(net);
        match need {
            Need::Udp { request, bind } => {
                let input = match self.bind(net, bind) {
                    Some((socket, local)) => Input::Opened { request, socket, local },
                    None => Input::Failed { request, why: Failure::InUse },
                };
                let _ = self.machine.handle_input(time, input);
            }
            Need::Close { socket } => {
                if let Some(socket) = self.sockets.remove(&socket) {
                    net.close(socket);
                }
            }
            Need::Resolve { request, .. } | Need::Stream { request, .. } => {
                let _ = self.machine.handle_input(time, Input::Failed { request, why: Failure::Unsupported });
            }
            _ => {}
        }
    }
}

/// The world's clock as the machines read it.
pub(crate) fn now(net: &Network) -> Instant {
    Instant::from_duration(net.now())
}
