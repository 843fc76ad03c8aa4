//! Many agents on one socket: which of them is a datagram for?
//!
//! Three looks, each without a signature to compute: the path it came by, the transaction it answers, the user
//! name it calls. Nothing is kept for strangers.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use core::net::SocketAddr;

use floe_stun::attribute::Username;
use floe_stun::{Class, Message, SocketId, TransactionId, Transmit};

/// Routes datagrams among agents that share sockets; `K` is the host's key of an agent.
///
/// The host tells it three things: the user name fragment of each agent, what each agent sends, and whose input
/// a datagram turned out to be.
///
/// ```
/// use floe_ice_agent::Mux;
/// use floe_stun::{Builder, Class, Method, SocketId, TransactionId, attribute::Username};
///
/// let mut mux = Mux::default();
/// mux.insert("alice".into(), 1);
/// mux.insert("bob".into(), 2);
///
/// let mut buf = [0; 64];
/// let check = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([0; 12]))
///     .attribute(&Username("bob:peer"))
///     .finish()
///     .unwrap();
/// let peer = "192.0.2.1:5000".parse().unwrap();
/// assert_eq!(mux.route(SocketId(0), peer, check), Some(2));
/// assert_eq!(mux.route(SocketId(0), peer, b"\x80data"), None);
///
/// mux.note_received(2, SocketId(0), peer); // agent 2 said Consumed: its peer lives there
/// assert_eq!(mux.route(SocketId(0), peer, b"\x80data"), Some(2));
/// ```
#[derive(Clone, Debug)]
pub struct Mux<K> {
    ufrags: BTreeMap<String, K>,
    paths: BTreeMap<(SocketId, SocketAddr), K>,
    transactions: BTreeMap<TransactionId, K>,
    /// Transactions in the order they began, so that the oldest are forgotten.
    order: VecDeque<TransactionId>,
}

impl<K> Default for Mux<K> {
    fn default() -> Self {
        Self {
            ufrags: BTreeMap::new(),
            paths: BTreeMap::new(),
            transactions: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<K: Copy + PartialEq> Mux<K> {
    /// An agent listens under this user name fragment. After a restart it listens under two.
    pub fn insert(&mut self, ufrag: String, agent: K) {
        self.ufrags.insert(ufrag, agent);
    }

    /// The agent no longer listens under this user name fragment.
    pub fn remove_ufrag(&mut self, ufrag: &str) {
        self.ufrags.remove(ufrag);
    }

    /// The agent is gone.
    pub fn remove(&mut self, agent: K) {
        self.ufrags.retain(|_, owner| *owner != agent);
        self.paths.retain(|_, owner| *owner != agent);
        self.transactions.retain(|_, owner| *owner != agent);
    }

    /// The agent sends this; a request makes its answer routable.
    pub fn note_transmit(&mut self, agent: K, transmit: &Transmit<'_>) {
        if !Message::is_probably(transmit.bytes) {
            return;
        }
        let Ok(message) = Message::decode(transmit.bytes) else { return };
        if message.class() != Class::Request || self.transactions.insert(message.id(), agent).is_some() {
            return;
        }
        self.order.push_back(message.id());
        if self.order.len() > MAX_TRANSACTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.transactions.remove(&oldest);
        }
    }

    /// The agent accepted a datagram that came from there: what follows is probably its own.
    pub fn note_received(&mut self, agent: K, socket: SocketId, from: SocketAddr) {
        self.paths.insert((socket, from), agent);
    }

    /// Whose datagram this is; `None` for a stranger's, of which nothing is kept.
    ///
    /// A check goes by its user name even from a known path, so that a peer may come back as another agent's.
    #[must_use]
    pub fn route(&self, socket: SocketId, from: SocketAddr, data: &[u8]) -> Option<K> {
        let path = || self.paths.get(&(socket, from)).copied();
        if !Message::is_probably(data) {
            return path();
        }
        let message = Message::decode(data).ok()?;
        match message.class() {
            Class::Request => {
                let Username(name) = message.find()?;
                let ours = name.split_once(':').map_or(name, |(ours, _)| ours);
                self.ufrags.get(ours).copied()
            }
            Class::Success | Class::Error => self.transactions.get(&message.id()).copied(),
            Class::Indication => path(),
        }
    }
}

/// Answers older than this many requests are strangers'.
const MAX_TRANSACTIONS: usize = 1 << 16;
