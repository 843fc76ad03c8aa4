//! What is to be done next, and when.

use alloc::string::String;
use core::net::{IpAddr, SocketAddr};

use floe_stun::attribute::Family;
use floe_stun::credentials::Attempt;
use floe_stun::{Instant, Why};

use super::{Client, Queued, SHORTEST_KEEPALIVE};
use crate::allocation::Allocation;
use crate::channel::{self};
use crate::permission::{self};
use crate::requests::{Due, Failure, Task};
use crate::{Event, LostReason, Refusal};

impl Client {
    /// Does what is due, and finds out when there will be more to do. The last step of every door.
    pub(super) fn advance(&mut self) {
        self.expire();
        while let Some(due) = self.requests.next_due(self.now) {
            match due {
                Due::Resend(id) => self.queue.push_back(Queued::Request(id)),
                Due::TimedOut { task, since, .. } if self.defer(task, since) => {}
                Due::TimedOut { task, violated: false, since } if self.may_answer_yet(task, since) => {
                    self.ask(task);
                }
                Due::TimedOut { task, violated: false, .. } => self.handle_failed(task, Failure::Silent),
                Due::TimedOut { task, violated: true, .. } => self.handle_failed(task, Failure::Violated),
            }
        }
        if self.allocation.take_rest(self.now) {
            self.allocate_anew();
        }
        if self.keepalive_deadline().is_some_and(|due| due <= self.now) {
            self.allocation.handle_doubt(self.now);
        }
        self.renew_token();
        if self.allocation.take_refresh(self.now) {
            self.ask(Task::Refresh);
        }
        self.advance_peers();
        self.advance_connections();
        self.wait = self.next_wait();
    }

    /// Asks for permissions and channels, and does not wait for the allocation where a request for it is under way that
    /// will be granted: that saves a round trip. Where the server hears of them first, it says 437, and they are deferred.
    pub(super) fn advance_peers(&mut self) {
        while let Some(is_live) = self.asks_for_peers() {
            let Some(peer) = self.permissions.take_due(self.now, is_live) else { break };
            self.ask(Task::Permit(peer));
        }
        while let Some(is_live) = self.asks_for_peers() {
            let Some((peer, channel)) = self.channels.take_due(self.now, is_live) else { break };
            self.ask(Task::Bind { peer, channel });
        }
    }

    /// Whether there is an allocation; none if it is not even as good as there.
    pub(super) fn asks_for_peers(&self) -> Option<bool> {
        match self.allocation {
            Allocation::Live(_) => Some(true),
            Allocation::Asking if self.requests.is_allocating() => Some(false),
            _ => None,
        }
    }

    /// Asks again once there is an allocation, if this was asked for before there was one.
    pub(super) fn defer(&mut self, task: Task, asked_at: Instant) -> bool {
        let is_early = self.allocation.is_later_than(asked_at);
        match task {
            Task::Permit(peer) if is_early => self.permissions.defer(peer),
            Task::Bind { peer, .. } if is_early => self.channels.defer(peer),
            _ => return false,
        }
        true
    }

    /// A request went without an answer. If the server answered others meanwhile, it is the network that took them;
    /// and for a Refresh the time that is left is well used.
    pub(super) fn may_answer_yet(&mut self, task: Task, since: Instant) -> bool {
        match task {
            Task::Refresh | Task::Move => self.allocation.handle_silence(self.now),
            Task::Permit(_) | Task::Bind { .. } => self.heard_at > since,
            Task::Allocate | Task::Delete | Task::Connect(_) | Task::BindConnection { .. } => false,
        }
    }

    /// Tells in time that another token is wanted.
    pub(super) fn renew_token(&mut self) {
        if self.token_deadline().is_some_and(|due| due <= self.now) {
            self.token_due = None;
            if let Some(server_name) = self.requests.login().server_name().map(String::from) {
                self.tell(Event::TokenWanted { server_name });
            }
        }
    }

    /// A Refresh that is under way is sent again often enough.
    pub(super) fn keepalive_deadline(&self) -> Option<Instant> {
        let keepalive = self.config.keepalive.filter(|_| self.allocation.awaits_refresh())?;
        Some(self.sent_at + keepalive.max(SHORTEST_KEEPALIVE))
    }

    /// What ends without an allocation is told when one is asked for.
    pub(super) fn token_deadline(&self) -> Option<Instant> {
        self.token_due.filter(|_| self.allocation.live().is_some())
    }

    pub(super) fn expire(&mut self) {
        if self.allocation.is_expired(self.now) {
            let silent = self.allocation.is_silent();
            self.lose(if silent { LostReason::Silent } else { LostReason::Expired });
        }
    }

    pub(super) fn next_wait(&self) -> Option<(Instant, Why)> {
        // What was granted ahead of an allocation that never came is not refreshed.
        let is_live = self.allocation.live().is_some();
        let (permissions, channels) = (self.permissions.deadline(), self.channels.deadline());
        [
            (self.requests.deadline(), Why::Retransmit),
            (self.allocation.deadline(), Why::RefreshAllocation),
            (self.token_deadline(), Why::RefreshAllocation),
            (self.keepalive_deadline(), Why::Keepalive),
            (permissions.filter(|_| is_live), Why::RefreshPermission),
            (channels.filter(|_| is_live), Why::RefreshChannel),
            (self.connections_deadline(), Why::Connection),
        ]
        .into_iter()
        .filter_map(|(until, why)| Some((until?, why)))
        .min()
    }

    pub(super) fn ask(&mut self, task: Task) {
        self.ask_again(task, Attempt::new(self.config.transport).understanding(task.understood()));
    }

    pub(super) fn ask_again(&mut self, task: Task, attempt: Attempt) {
        let id = self.chance.transaction_id();
        let ticket = self.allocation.ticket().filter(|_| task == Task::Move);
        match self.requests.start(self.now, id, task, attempt, &self.config, ticket) {
            Ok(()) => self.queue.push_back(Queued::Request(id)),
            Err(error) => self.handle_failed(task, Failure::Unsendable(error)),
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.queue.push_back(Queued::Event(event));
    }

    pub(super) fn try_keep_permission(&mut self, peer: IpAddr) -> Result<(), Refusal> {
        self.check_family(peer)?;
        if !self.permissions.keep(peer) {
            return Err(Refusal::new(
                508,
                alloc::format!("this client keeps {} permissions at most", permission::MAX),
            ));
        }
        Ok(())
    }

    /// Whether a peer of this family can be reached, as far as is known.
    pub(super) fn check_family(&self, peer: IpAddr) -> Result<(), Refusal> {
        let family = Family::of(peer);
        let reachable = match self.allocation.live() {
            Some(live) => live.grant.has(family),
            None => self.config.wanted.includes(family),
        };
        if reachable {
            Ok(())
        } else {
            Err(Refusal::new(443, "the peer is of another address family than the relayed address"))
        }
    }

    pub(super) fn try_keep_channel(&mut self, peer: SocketAddr) -> Result<(), Refusal> {
        if self.config.wanted.is_tcp() {
            return Err(Refusal::new(403, "the allocation relays TCP, which has no channels"));
        }
        if !self.channels.keep(self.now, peer) {
            return Err(Refusal::new(
                508,
                alloc::format!("this client keeps {} channels at most", channel::MAX),
            ));
        }
        Ok(())
    }

    pub(super) const fn is_ending(&self) -> bool {
        matches!(self.allocation, Allocation::Leaving { .. } | Allocation::Over)
    }
}
