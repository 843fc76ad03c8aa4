//! Our allocations: TURN clients inside the agent, their words translated into ours.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::{Dropped, Input, Instant, MAX_TRANSMIT, Machine, Output, Received, SendPlan, SocketId, Why};
use floe_turn_client::{AllocateFailure, Client, Config, Event, LostReason};

use crate::id::ServerId;
use crate::locals::RelayId;
use crate::outbox::Queued;
use crate::shared::{RelayOrder, Shared};

/// The relays of an agent.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    relays: BTreeMap<RelayId, Relay>,
    by_server: BTreeMap<(SocketId, SocketAddr), RelayId>,
    news: Vec<(RelayId, News)>,
    last: u32,
}

#[derive(Debug)]
struct Relay {
    client: Client,
    server: ServerId,
    deadline: Option<(Instant, Why)>,
}

/// Which server relays, and from where it is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) server: ServerId,
    pub(crate) socket: SocketId,
    pub(crate) to: SocketAddr,
}

/// What a relay has to say.
#[derive(Debug)]
pub(crate) enum News {
    Allocated {
        relayed: SocketAddr,
        mapped: SocketAddr,
        rtt: Option<Duration>,
    },
    Failed(AllocateFailure),
    Lost(LostReason),
    /// It is gone, and another is asked for.
    Interrupted(LostReason),
    /// It has another name from here on.
    Renewed(RelayId),
    Permitted(IpAddr),
    Forbidden(IpAddr),
}

/// What a datagram from a server was.
#[derive(Debug)]
pub(crate) enum FromRelay<'p> {
    /// Not from a server, or not for its client.
    NotMine,
    Consumed,
    Dropped(Dropped),
    /// A peer's datagram.
    Peer(RelayId, SocketAddr, &'p [u8]),
}

impl Relays {
    /// Begins to allocate.
    pub(crate) fn open(&mut self, shared: &mut Shared, server: ServerId, config: Config) -> RelayId {
        let client = Client::new(shared.now, config, shared.chance.seed());
        let id = self.insert(Relay { client, server, deadline: None });
        self.drain(shared, id);
        id
    }

    fn insert(&mut self, relay: Relay) -> RelayId {
        self.last += 1;
        let id = RelayId(self.last);
        self.by_server.insert((relay.client.socket(), relay.client.server()), id);
        self.relays.insert(id, relay);
        id
    }

    /// Where a relay came from.
    pub(crate) fn origin(&self, id: RelayId) -> Option<Origin> {
        let Relay { client, server, .. } = self.relays.get(&id)?;
        Some(Origin { server: *server, socket: client.socket(), to: client.server() })
    }

    /// Whether there is a relay on this server already, reached from this socket.
    pub(crate) fn is_open(&self, socket: SocketId, server: SocketAddr) -> bool {
        self.by_server.contains_key(&(socket, server))
    }

    /// Forgets a relay that never came to be, or is gone.
    pub(crate) fn forget(&mut self, id: RelayId) {
        self.take(id);
    }

    fn take(&mut self, id: RelayId) -> Option<Relay> {
        self.by_server.retain(|_, relay| *relay != id);
        self.relays.remove(&id)
    }

    /// Nothing gets through, or all is begun anew: whether the servers still hold what they gave.
    pub(crate) fn check_all(&mut self, shared: &mut Shared) {
        for id in self.ids() {
            if let Some(relay) = self.relays.get_mut(&id) {
                relay.client.check(shared.now);
            }
            self.drain(shared, id);
        }
    }

    /// Gives all allocations back.
    pub(crate) fn release_all(&mut self, shared: &mut Shared) {
        for id in self.ids() {
            if let Some(relay) = self.relays.get_mut(&id) {
                relay.client.release(shared.now);
            }
            self.drain(shared, id);
        }
    }

    pub(crate) fn obey(&mut self, shared: &mut Shared, order: RelayOrder) {
        let id = match order {
            RelayOrder::Permit(id, _) | RelayOrder::Channel(id, _) => id,
        };
        let Some(relay) = self.relays.get_mut(&id) else { return };
        match order {
            RelayOrder::Permit(_, peer) if relay.client.is_permitted(peer) => {
                self.news.push((id, News::Permitted(peer)));
            }
            RelayOrder::Permit(_, peer) => relay.client.permit(shared.now, peer),
            RelayOrder::Channel(_, peer) => relay.client.bind_channel(shared.now, peer),
        }
        self.drain(shared, id);
    }

    /// A datagram came from an address that may be a server's.
    pub(crate) fn handle_datagram<'p>(
        &mut self,
        shared: &mut Shared,
        socket: SocketId,
        from: SocketAddr,
        data: &'p [u8],
    ) -> FromRelay<'p> {
        let Some(&id) = self.by_server.get(&(socket, from)) else { return FromRelay::NotMine };
        let Some(relay) = self.relays.get_mut(&id) else { return FromRelay::NotMine };
        match relay.client.handle_input(shared.now, Input::Datagram { socket, from, data }) {
            Received::App(app) => FromRelay::Peer(id, app.peer, app.data),
            Received::NotMine => FromRelay::NotMine,
            Received::Dropped(why) => FromRelay::Dropped(why),
            _ => {
                self.drain(shared, id);
                FromRelay::Consumed
            }
        }
    }

    /// A socket is gone, or the network refused a datagram: whoever it concerns is told.
    pub(crate) fn handle_trouble(&mut self, shared: &mut Shared, input: Input<'_>) {
        for id in self.ids() {
            if let Some(relay) = self.relays.get_mut(&id) {
                let _ = relay.client.handle_input(shared.now, input);
            }
            self.drain(shared, id);
        }
    }

    pub(crate) fn handle_timeout(&mut self, shared: &mut Shared) {
        for id in self.ids() {
            let Some(relay) = self.relays.get_mut(&id) else { continue };
            if relay.deadline.is_some_and(|(at, _)| at <= shared.now) {
                let _ = relay.client.handle_input(shared.now, Input::Timeout);
                self.drain(shared, id);
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<(Instant, Why)> {
        self.relays.values().filter_map(|relay| relay.deadline).min()
    }

    pub(crate) fn take_news(&mut self) -> Vec<(RelayId, News)> {
        core::mem::take(&mut self.news)
    }

    /// How `len` bytes get to a peer through a relay, if they may.
    pub(crate) fn send_plan(
        &mut self,
        now: Instant,
        id: RelayId,
        to: SocketAddr,
        len: usize,
    ) -> Option<SendPlan> {
        self.relays.get_mut(&id)?.client.send_plan(now, to, len).ok()
    }

    fn ids(&self) -> Vec<RelayId> {
        self.relays.keys().copied().collect()
    }

    fn drain(&mut self, shared: &mut Shared, id: RelayId) {
        let Some(relay) = self.relays.get_mut(&id) else { return };
        let mut buf = [0; MAX_TRANSMIT];
        let (mut over, mut renewed) = (false, false);
        relay.deadline = loop {
            match relay.client.poll_output(&mut buf) {
                Output::Transmit(t) => {
                    let control = Queued::Control { socket: t.socket, to: t.to, bytes: t.bytes.to_vec() };
                    shared.queue(control);
                }
                Output::Need(need) => shared.queue(Queued::Need(need)),
                // Whatever hung on the old address hangs on nothing now: what comes next has a name of its own.
                Output::Event(Event::Interrupted(why)) => {
                    self.news.push((id, News::Interrupted(why)));
                    renewed = true;
                }
                Output::Event(Event::Redirected { .. }) => renewed = true,
                Output::Event(event) => match translate(event) {
                    Some(news) => self.news.push((id, news)),
                    None => over = true,
                },
                Output::Wait { until, why } => break Some((until, why)),
                Output::Idle => break None,
            }
        };
        if over && relay.deadline.is_none() {
            self.forget(id);
        } else if renewed
            && relay.deadline.is_some()
            && let Some(relay) = self.take(id)
        {
            let new = self.insert(relay);
            self.news.push((id, News::Renewed(new)));
        }
    }
}

/// What an event of a client means to the agent; nothing if it only says what the agent knows.
fn translate(event: Event) -> Option<News> {
    match event {
        Event::Allocated { relayed, mapped, rtt, .. } => Some(News::Allocated { relayed, mapped, rtt }),
        Event::Permitted { peer } => Some(News::Permitted(peer)),
        Event::NotPermitted { peer, .. } => Some(News::Forbidden(peer)),
        Event::Failed(why) => Some(News::Failed(why)),
        Event::Lost(why) => Some(News::Lost(why)),
        _ => None,
    }
}
