//! Channels: numbers that stand for peers, and how long each number is taken (RFC 8656 §12).
//!
//! ```text
//!   Wanted ──allocation is asked for──▶ Binding ──success──▶ Bound ──9 min──▶ Refreshing
//!     ▲                                │  │  ▲                │  ▲               │  │
//!     │     before there was one: Deferred ◀─┴─▶ there is one │  └────success────┘  │
//!     │                                   ▼                   ▼                     │
//!     └──wanted again, same number──── resting ◀──refused, given up─────────────────┘
//!                                         └──expired, and 5 min have passed──▶ the number is free
//! ```
//!
//! A number and a peer that the server may still have bound to each other are never bound to others: not while
//! an answer is missing, not until five minutes after the binding has expired.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::{Chance, ChannelNumber, Instant};
use hashbrown::HashMap;

use crate::allocation::refresh_after;
use crate::key::Key;

/// The channels of one allocation. What each packet asks for lies in hash maps, whose order nothing depends on.
#[derive(Debug)]
pub(crate) struct Channels {
    kept: HashMap<Key, Channel>,
    resting: BTreeMap<SocketAddr, Resting>,
    /// Whom each number stands for that is kept or resting.
    numbers: HashMap<ChannelNumber, Key>,
    next: ChannelNumber,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    number: ChannelNumber,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Wanted,
    /// Asked for too early.
    Deferred,
    Binding,
    Bound {
        refresh_at: Instant,
        until: Instant,
    },
    Refreshing {
        until: Instant,
    },
}

/// A number that is no longer kept, and that the server may still have bound.
#[derive(Clone, Copy, Debug)]
struct Resting {
    number: ChannelNumber,
    free_at: Instant,
}

impl Channels {
    /// None yet. The first number is left to chance, so that late data of an earlier allocation on the same
    /// socket is not likely to meet a channel of ours.
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let numbers = u32::from(ChannelNumber::MAX.get() - ChannelNumber::MIN.get()) + 1;
        let offset = u16::try_from(chance.below(numbers)).unwrap_or(0);
        let next = ChannelNumber::new(ChannelNumber::MIN.get() + offset).unwrap_or(ChannelNumber::MIN);
        Self { kept: HashMap::new(), resting: BTreeMap::new(), numbers: HashMap::new(), next }
    }

    /// Keeps a channel for this peer from now on. False if there is no room or no number for it.
    pub(crate) fn keep(&mut self, now: Instant, peer: SocketAddr) -> bool {
        if self.kept.contains_key(&Key::from(peer)) {
            return true;
        }
        if self.kept.len() >= MAX {
            return false;
        }
        let rested = self.resting.remove(&peer).map(|resting| resting.number);
        let Some(number) = rested.or_else(|| self.pick(now)) else { return false };
        self.kept.insert(peer.into(), Channel { number, state: State::Wanted });
        self.numbers.insert(number, peer.into());
        true
    }

    /// No longer keeps the channel of this peer. False if it was not kept.
    pub(crate) fn forget(&mut self, now: Instant, peer: SocketAddr) -> bool {
        let Some(channel) = self.kept.remove(&Key::from(peer)) else { return false };
        self.resting.insert(peer, channel.rest(now));
        true
    }

    /// No longer keeps the channels of this address, whatever the port.
    pub(crate) fn forget_all_of(&mut self, now: Instant, ip: IpAddr) {
        let peers: Vec<_> = self.kept.keys().filter(|peer| peer.ip() == ip).map(|peer| peer.peer()).collect();
        for peer in peers {
            self.forget(now, peer);
        }
    }

    /// The server has lost them all, or so it seems: each is to be bound anew, under the same number, which is right
    /// in either case.
    pub(crate) fn start_anew(&mut self) {
        self.kept.values_mut().for_each(|channel| channel.state = State::Wanted);
    }

    /// It was asked for before there was an allocation, and is to be asked for again once there is.
    pub(crate) fn defer(&mut self, peer: SocketAddr) {
        if let Some(channel) = self.kept.get_mut(&Key::from(peer)) {
            channel.state = State::Deferred;
        }
    }

    /// What was asked for is to be asked for again: nobody will hear the answer.
    pub(crate) fn ask_again(&mut self, now: Instant) {
        for channel in self.kept.values_mut() {
            channel.state = match channel.state {
                State::Binding => State::Wanted,
                State::Refreshing { until } => State::Bound { refresh_at: now, until },
                other => other,
            };
        }
    }

    /// Forgets everything, with the allocation.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.resting.clear();
        self.numbers.clear();
    }

    /// The next peer and number for which ChannelBind is due, now that there is an allocation or one is asked for; to be
    /// called until there is none.
    pub(crate) fn take_due(&mut self, now: Instant, is_live: bool) -> Option<(SocketAddr, ChannelNumber)> {
        let due = self.kept.iter_mut().filter_map(|(peer, channel)| {
            let state = channel.state.asked(now, is_live)?;
            Some((peer, channel, state))
        });
        let (peer, channel, state) = due.min_by_key(|(peer, ..)| **peer)?;
        channel.state = state;
        Some((peer.peer(), channel.number))
    }

    /// The server has bound or refreshed it. Gives the number if that is news.
    pub(crate) fn handle_bound(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        chance: &mut Chance,
    ) -> Option<ChannelNumber> {
        if let Some(resting) = self.resting.get_mut(&peer) {
            resting.free_at = now + LIFETIME + COOL_DOWN;
        }
        let channel = self.kept.get_mut(&Key::from(peer))?;
        let news = !channel.is_bound(now);
        let refresh_at = now + refresh_after(LIFETIME, chance);
        channel.state = State::Bound { refresh_at, until: now + LIFETIME };
        news.then_some(channel.number)
    }

    /// The number that data to this peer may travel behind.
    pub(crate) fn bound(&self, now: Instant, peer: SocketAddr) -> Option<ChannelNumber> {
        self.kept.get(&Key::from(peer)).filter(|channel| channel.is_bound(now)).map(|channel| channel.number)
    }

    /// Whom this number stands for: from the moment we asked, for data may overtake the answer
    /// (RFC 8656 §12).
    pub(crate) fn peer(&self, now: Instant, number: ChannelNumber) -> Option<SocketAddr> {
        let peer = self.numbers.get(&number)?;
        let channel = self.kept.get(peer)?;
        (matches!(channel.state, State::Binding) || channel.is_bound(now)).then(|| peer.peer())
    }

    /// The next moment at which one is to be refreshed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let refresh_at = |channel: &Channel| match channel.state {
            State::Bound { refresh_at, .. } => Some(refresh_at),
            State::Wanted | State::Deferred | State::Binding | State::Refreshing { .. } => None,
        };
        self.kept.values().filter_map(refresh_at).min()
    }

    /// The number that has been free for longest.
    fn pick(&mut self, now: Instant) -> Option<ChannelNumber> {
        let numbers = &mut self.numbers;
        self.resting.retain(|_, resting| {
            let is_free = resting.free_at <= now;
            if is_free {
                numbers.remove(&resting.number);
            }
            !is_free
        });
        for _ in ChannelNumber::MIN.get()..=ChannelNumber::MAX.get() {
            let number = self.next;
            self.next = ChannelNumber::new(number.get() + 1).unwrap_or(ChannelNumber::MIN);
            if !self.numbers.contains_key(&number) {
                return Some(number);
            }
        }
        None
    }
}

impl State {
    /// What becomes of it by ChannelBind, if that is due.
    fn asked(self, now: Instant, is_live: bool) -> Option<Self> {
        match self {
            Self::Wanted => Some(Self::Binding),
            Self::Deferred if is_live => Some(Self::Binding),
            Self::Bound { refresh_at, until } if refresh_at <= now => Some(Self::Refreshing { until }),
            _ => None,
        }
    }
}

impl Channel {
    fn is_bound(&self, now: Instant) -> bool {
        match self.state {
            State::Bound { until, .. } | State::Refreshing { until } => now < until,
            State::Wanted | State::Deferred | State::Binding => false,
        }
    }

    /// While an answer is missing, the server may have bound it as late as now.
    fn rest(&self, now: Instant) -> Resting {
        let expires_at = match self.state {
            State::Wanted => now,
            State::Deferred | State::Binding | State::Refreshing { .. } => now + LIFETIME,
            State::Bound { until, .. } => until,
        };
        Resting { number: self.number, free_at: expires_at + COOL_DOWN }
    }
}

//= RFC 8656 §12
//# A channel binding lasts for 10 minutes unless refreshed.
const LIFETIME: Duration = Duration::from_secs(600);

//= RFC 8656 §12
//# the client MUST wait 5 minutes after the channel binding expires before attempting to bind the channel
//# number to a different transport address or the transport address to a different channel number.
const COOL_DOWN: Duration = Duration::from_secs(300);

/// Channels a client keeps at most.
pub(crate) const MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::new(203, 0, 113, 7)), 9);

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn binding() -> (Channels, ChannelNumber, Chance) {
        let mut chance = Chance::new([1; 32]);
        let mut channels = Channels::new(&mut chance);
        assert!(channels.keep(at(0), PEER));
        let (_, number) = channels.take_due(at(0), true).unwrap();
        (channels, number, chance)
    }

    #[test]
    fn a_channel_that_was_not_refreshed_ends_after_ten_minutes() {
        let (mut channels, number, mut chance) = binding();
        assert_eq!(channels.bound(at(0), PEER), None);
        assert_eq!(channels.peer(at(0), number), Some(PEER), "data may overtake the answer");
        assert_eq!(channels.handle_bound(at(1), PEER, &mut chance), Some(number));
        assert_eq!(channels.bound(at(600), PEER), Some(number));
        assert_eq!((channels.bound(at(601), PEER), channels.peer(at(601), number)), (None, None));
    }

    #[test]
    fn an_answer_that_comes_late_keeps_the_number_for_longer() {
        let (mut channels, number, mut chance) = binding();
        channels.forget(at(1), PEER);
        assert_eq!(channels.handle_bound(at(30), PEER, &mut chance), None);
        assert_eq!(channels.peer(at(30), number), None);

        let mut another = |port, now| {
            channels.next = number;
            assert!(channels.keep(now, SocketAddr::new(PEER.ip(), port)));
            channels.take_due(now, true).unwrap().1
        };
        assert_ne!(another(10, at(929)), number);
        assert_eq!(another(11, at(930)), number);
    }
}
