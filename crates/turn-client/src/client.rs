//! The client's doors and the wiring behind them; decisions are made in the modules beside this one.

use core::net::{IpAddr, SocketAddr};

use floe_stun::{Drops, Input, Instant, MAX_TRANSMIT, Machine, Output, Received, SendPlan, SocketId};

use crate::{Config, Event, SendError};

/// One allocation on one TURN server over UDP, with its permissions and channels.
#[derive(Debug)]
pub struct Client {
    config: Config,
    drops: Drops,
}

impl Client {
    /// Asks for an allocation, starting at `now`. The seed is drawn once and never used twice.
    #[must_use]
    pub fn new(_now: Instant, config: Config, _seed: [u8; 32]) -> Self {
        Self { config, drops: Drops::default() }
    }

    /// Installs a permission for this peer and keeps it. May be called at any time, and again.
    pub fn permit(&mut self, _now: Instant, _peer: IpAddr) {
        todo!()
    }

    /// Gives up the permission of this peer, and its channels with it.
    pub fn revoke(&mut self, _peer: IpAddr) {
        todo!()
    }

    /// Binds a channel to this peer and keeps it, its permission included.
    pub fn bind_channel(&mut self, _now: Instant, _peer: SocketAddr) {
        todo!()
    }

    /// How `len` bytes travel to `peer`: as ChannelData if a channel is bound, else in a Send indication.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn send_plan(
        &mut self,
        _now: Instant,
        _peer: SocketAddr,
        _len: usize,
    ) -> Result<SendPlan, SendError> {
        todo!()
    }

    /// Gives the allocation back; ends with [`Event::Released`].
    pub fn release(&mut self, _now: Instant) {
        todo!()
    }

    /// The socket it asks from.
    #[must_use]
    pub const fn socket(&self) -> SocketId {
        self.config.socket
    }

    /// The server it asks.
    #[must_use]
    pub const fn server(&self) -> SocketAddr {
        self.config.server
    }

    /// What peers send to, while there is an allocation.
    #[must_use]
    pub const fn relayed(&self) -> Option<SocketAddr> {
        None
    }

    /// Our own address as the server saw it, while there is an allocation.
    #[must_use]
    pub const fn mapped(&self) -> Option<SocketAddr> {
        None
    }

    /// Whether data to this peer would pass.
    #[must_use]
    pub const fn is_permitted(&self, _peer: IpAddr) -> bool {
        false
    }

    /// Packets that deserved nothing, by reason.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }
}

impl Machine for Client {
    type App<'p> = PeerData<'p>;
    type Event = Event;

    fn handle_input<'p>(&mut self, _now: Instant, _input: Input<'p>) -> Received<PeerData<'p>> {
        todo!()
    }

    fn poll_output<'b>(&mut self, _buf: &'b mut [u8; MAX_TRANSMIT]) -> Output<'b, Event> {
        todo!()
    }
}

/// What a peer sent, unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerData<'p> {
    /// Who sent it, as the server saw it.
    pub peer: SocketAddr,
    /// The payload, a sub-slice of the input; may be empty.
    pub data: &'p [u8],
}
