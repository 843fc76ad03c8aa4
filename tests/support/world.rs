//! The world: agents at home behind their NATs, one STUN and TURN server, signalling that takes its time.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a story that cannot be told is a failed test"
)]

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_ice_agent::{
    Candidate, ComponentId, Config, ConnectionState, Credentials, Event, GatheringState, IceAgent,
    SelectedPair, Server, StreamId,
};
use floe_netsim::{Delivery, HostId, Link, NatBehaviour, Network};
use floe_stun::{Input, Instant, Received, SocketId};
use floe_turn_server::{PeerPolicy, Server as TurnServer};

use crate::node::{Node, now};

/// Agents and a server on one virtual network.
#[derive(Debug)]
pub struct World {
    /// The network, for whoever wants to disturb it.
    pub net: Network,
    agents: Vec<Agent>,
    server: Option<Node<TurnServer>>,
    /// How often the server was started.
    starts: u64,
    mail: VecDeque<Letter>,
    /// How long a signalled message takes.
    pub signalling: Duration,
    seed: u64,
}

/// An agent of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentId(usize);

/// Where an agent lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a public address.
    Public,
    /// In a private network behind this NAT.
    Behind(NatBehaviour),
}

/// What happened to an agent so far.
#[derive(Debug, Default)]
pub struct Story {
    /// Every event with its time.
    pub events: Vec<(Instant, Event)>,
    /// Application data that came.
    pub data: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Agent {
    node: Node<IceAgent>,
    peer: Option<AgentId>,
    story: Story,
}

/// A signalled message on its way.
#[derive(Debug)]
struct Letter {
    at: Instant,
    to: AgentId,
    what: News,
}

#[derive(Debug)]
enum News {
    Credentials { credentials: Credentials, lite: bool },
    Candidate(Candidate),
    End,
}

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        Self {
            net: Network::new(expand(seed, 0)),
            agents: Vec::new(),
            server: None,
            starts: 0,
            mail: VecDeque::new(),
            signalling: Duration::from_millis(20),
            seed,
        }
    }

    /// A STUN and TURN server on a public host, with the user `user` and the password `secret`.
    pub fn add_server(&mut self) {
        let host = self.net.add_host("server", &[SERVER.ip()]);
        self.start_server(host);
    }

    /// Starts it again: it knows nothing of before, and the ports it relayed from are closed.
    pub fn restart_server(&mut self) {
        let old = self.server.take().expect("a server");
        let host = old.host;
        old.end(&mut self.net);
        self.start_server(host);
    }

    fn start_server(&mut self, host: HostId) {
        let config = floe_turn_server::Config::new("floe.test")
            .with_user("user", "secret")
            .with_relay(SERVER.ip())
            .with_peers(PeerPolicy::allow_all_for_tests());
        let mut node =
            Node::new(TurnServer::new(now(&self.net), config, expand(self.seed, 1_000 + self.starts)), host);
        self.starts += 1;
        let (socket, local) = node.bind(&mut self.net, SERVER).expect("the first socket of the host");
        node.machine.listen(socket, local);
        self.server = Some(node);
    }

    /// The server's STUN side, for an agent's configuration.
    pub fn stun() -> Server {
        Server::stun(format!("stun:{SERVER}").parse().expect("a URI"))
    }

    /// The server's TURN side, for an agent's configuration.
    pub fn turn() -> Server {
        Server::turn(format!("turn:{SERVER}").parse().expect("a URI"), "user", "secret")
    }

    /// An agent with one socket.
    pub fn add_agent(&mut self, name: &str, place: Place, config: Config) -> AgentId {
        let n = u8::try_from(self.agents.len() + 1).expect("few agents");
        let (host, ip) = match place {
            Place::Public => {
                let ip = IpAddr::from([198, 51, 100, n]);
                (self.net.add_host(name, &[ip]), ip)
            }
            Place::Behind(behaviour) => {
                let nat = self.net.add_nat(&format!("nat-{name}"), Ipv4Addr::new(203, 0, 113, n), behaviour);
                let ip = IpAddr::from([192, 168, n, 2]);
                (self.net.add_host_behind(nat, name, &[ip]), ip)
            }
        };
        let agent = IceAgent::new(now(&self.net), config, expand(self.seed, 100 + u64::from(n)));
        let mut node = Node::new(agent, host);
        let (socket, local) = node.bind(&mut self.net, SocketAddr::new(ip, 5000)).expect("a free port");
        node.machine.add_socket(now(&self.net), ComponentId::FIRST, socket, local).expect("a fresh socket");
        self.agents.push(Agent { node, peer: None, story: Story::default() });
        AgentId(self.agents.len() - 1)
    }

    /// Lets two agents signal to each other and begin.
    pub fn connect(&mut self, a: AgentId, b: AgentId) {
        for (me, other) in [(a, b), (b, a)] {
            self.agents[me.0].peer = Some(other);
            self.tell_credentials(me);
            self.command(me, |agent, now| agent.gather(now));
        }
    }

    /// Restarts ICE on one side; the peer hears of it by signalling and restarts too.
    pub fn restart(&mut self, id: AgentId) {
        self.command(id, |agent, now| {
            agent.restart(now).expect("open");
        });
        self.tell_credentials(id);
    }

    /// Calls an agent and carries out what follows.
    pub fn command<R>(&mut self, id: AgentId, call: impl FnOnce(&mut IceAgent, Instant) -> R) -> R {
        let time = now(&self.net);
        let result = call(&mut self.agents[id.0].node.machine, time);
        let events = self.agents[id.0].node.drain(&mut self.net);
        self.hear(id, events);
        result
    }

    /// Sends application data as the agent plans it.
    pub fn send(&mut self, id: AgentId, data: &[u8]) -> bool {
        let plan = self.command(id, |agent, now| agent.send_plan(now, ComponentId::FIRST, data.len()));
        let Ok(plan) = plan else { return false };
        let mut packet = vec![0; plan.packet_len()];
        packet[plan.headroom()..][..data.len()].copy_from_slice(data);
        plan.wrap(&mut packet);
        self.agents[id.0].node.send_bytes(&mut self.net, plan.socket(), plan.to(), &packet);
        true
    }

    /// Hands an agent a datagram as if it came from the network.
    pub fn inject(&mut self, id: AgentId, from: SocketAddr, data: &[u8]) {
        let input = Input::Datagram { socket: SocketId(0), from, data };
        let (_, events) = self.agents[id.0].node.input(&mut self.net, input);
        self.hear(id, events);
    }

    /// Runs until `done`, jumping from one due moment to the next and never in between; false if `limit` comes
    /// first.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.net.now() + limit;
        while !done(self) {
            if self.net.now() >= end {
                return false;
            }
            self.step(end);
        }
        true
    }

    /// Runs for this long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Changes the access link of an agent's host, both ways.
    pub fn set_link(&mut self, id: AgentId, link: Link) {
        self.net.set_link(self.agents[id.0].node.host, link);
    }

    /// Pulls an agent's cable.
    pub fn unplug(&mut self, id: AgentId) {
        self.net.set_up(self.agents[id.0].node.host, false);
    }

    /// Plugs it in again.
    pub fn plug(&mut self, id: AgentId) {
        self.net.set_up(self.agents[id.0].node.host, true);
    }

    /// Packets that an agent's host sent.
    pub fn packets_sent(&self, id: AgentId) -> u64 {
        self.net.trace().counters(self.agents[id.0].node.host).sent
    }

    /// The agent itself.
    pub fn agent(&self, id: AgentId) -> &IceAgent {
        &self.agents[id.0].node.machine
    }

    /// What happened to it.
    pub fn story(&self, id: AgentId) -> &Story {
        &self.agents[id.0].story
    }

    /// The pair it uses.
    pub fn selected(&self, id: AgentId) -> Option<SelectedPair> {
        self.agent(id).selected_pair(ComponentId::FIRST)
    }

    /// When it entered a state first.
    pub fn since(&self, id: AgentId, wanted: ConnectionState) -> Option<Instant> {
        let mut events = self.story(id).events.iter();
        events.find_map(|(at, event)| match event {
            Event::State { state, .. } if *state == wanted => Some(*at),
            _ => None,
        })
    }

    fn step(&mut self, end: Duration) {
        let due = self.next_due().map_or(end, |at| Duration::from_nanos(at.as_nanos()).min(end));
        if let Some(delivery) = self.net.step(due) {
            return self.deliver(&delivery);
        }
        let time = now(&self.net);
        while self.mail.front().is_some_and(|letter| letter.at <= time) {
            if let Some(letter) = self.mail.pop_front() {
                self.read(letter);
            }
        }
        for id in (0..self.agents.len()).map(AgentId) {
            if self.agents[id.0].node.deadline().is_some_and(|at| at <= time) {
                let (_, events) = self.agents[id.0].node.input(&mut self.net, Input::Timeout);
                self.hear(id, events);
            }
        }
        if let Some(server) =
            self.server.as_mut().filter(|server| server.deadline().is_some_and(|at| at <= time))
        {
            server.input(&mut self.net, Input::Timeout);
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let agents = self.agents.iter().filter_map(|agent| agent.node.deadline());
        let server = self.server.as_ref().and_then(Node::deadline);
        let mail = self.mail.front().map(|letter| letter.at);
        agents.chain(server).chain(mail).min()
    }

    fn deliver(&mut self, delivery: &Delivery) {
        let (from, data) = (delivery.from, delivery.data.as_slice());
        if let Some(server) = &mut self.server
            && let Some(socket) = server.id_of(delivery.socket)
        {
            let (verdict, _) = server.input(&mut self.net, Input::Datagram { socket, from, data });
            if let Received::App(forward) = verdict {
                let mut packet = forward.plan.header().to_vec();
                packet.extend_from_slice(forward.data);
                packet.extend_from_slice(forward.plan.trailer());
                server.send_bytes(&mut self.net, forward.plan.socket(), forward.plan.to(), &packet);
            }
            return;
        }
        for id in (0..self.agents.len()).map(AgentId) {
            let agent = &mut self.agents[id.0];
            let Some(socket) = agent.node.id_of(delivery.socket) else { continue };
            let (verdict, events) = agent.node.input(&mut self.net, Input::Datagram { socket, from, data });
            if let Received::App(app) = verdict {
                agent.story.data.push(app.bytes.to_vec());
            }
            return self.hear(id, events);
        }
    }

    fn hear(&mut self, id: AgentId, events: Vec<Event>) {
        let time = now(&self.net);
        for event in events {
            match &event {
                Event::Candidate(candidate) => self.post(id, News::Candidate(candidate.clone())),
                Event::Gathering(GatheringState::Complete) => self.post(id, News::End),
                _ => {}
            }
            self.agents[id.0].story.events.push((time, event));
        }
    }

    fn tell_credentials(&mut self, id: AgentId) {
        let agent = self.agent(id);
        let news =
            News::Credentials { credentials: agent.local_credentials().clone(), lite: agent.is_lite() };
        self.post(id, news);
    }

    fn post(&mut self, from: AgentId, what: News) {
        if let Some(to) = self.agents[from.0].peer {
            self.mail.push_back(Letter { at: now(&self.net) + self.signalling, to, what });
        }
    }

    fn read(&mut self, letter: Letter) {
        let id = letter.to;
        match letter.what {
            News::Credentials { credentials, lite } => self.take_credentials(id, credentials, lite),
            News::Candidate(candidate) => {
                self.command(id, |agent, now| {
                    agent.add_remote_candidate(now, StreamId(0), &candidate.to_line())
                });
            }
            News::End => self.command(id, IceAgent::end_of_remote_candidates),
        }
    }

    /// New credentials of a peer that we have credentials of mean that it restarted: so do we.
    fn take_credentials(&mut self, id: AgentId, credentials: Credentials, lite: bool) {
        let taken =
            self.command(id, |agent, now| agent.set_remote_credentials(now, credentials.clone(), lite));
        if taken.is_err() {
            self.restart(id);
            self.command(id, |agent, now| agent.set_remote_credentials(now, credentials, lite))
                .expect("restarted");
        }
    }
}

/// Where the server listens and relays.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 3478);

/// One seed of many from one number; not secret, so no need of more.
fn expand(seed: u64, purpose: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&purpose.to_le_bytes());
    bytes
}
