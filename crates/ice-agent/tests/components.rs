//! Several components and several streams in one agent, on a wire that loses nothing.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a story that cannot be told is a failed test"
)]

mod peer;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use floe_ice_agent::{ComponentId, Config, ConnectionState, Event, IceAgent, Role, StreamId};
use floe_stun::{Input, Instant, MAX_TRANSMIT, Machine, Output, Received, SocketId};
use peer::{Reply, SECOND, Scene, millis, ours, theirs};

/// Two agents and the wire between them; what one says by signalling the other hears at once.
struct Couple {
    agents: [IceAgent; 2],
    sockets: [BTreeMap<SocketId, SocketAddr>; 2],
    now: Instant,
    packets: usize,
}

fn component(stream: u16, number: u16) -> ComponentId {
    ComponentId::new(StreamId(stream), number)
}

impl Couple {
    /// Agents with these components each; both sides gather, and only then do they meet.
    fn new(components: [&[ComponentId]; 2]) -> Self {
        let now = Instant::ORIGIN;
        let roles = [(Role::Controlling, 1), (Role::Controlled, 2)];
        let mut couple = Self {
            agents: roles.map(|(role, seed)| {
                let mut config = Config::new(role);
                let most = components[usize::from(seed) - 1];
                let streams = most.iter().map(|component| component.stream.0).max().unwrap_or(0);
                config.streams = (0..=streams)
                    .map(|stream| {
                        let of_it = most.iter().filter(|component| component.stream.0 == stream);
                        of_it.map(|component| component.number).max().unwrap_or(0)
                    })
                    .collect();
                IceAgent::new(now, config, [seed; 32])
            }),
            sockets: [BTreeMap::new(), BTreeMap::new()],
            now,
            packets: 0,
        };
        for side in [0, 1] {
            for (id, component) in (0..).zip(components[side]) {
                let ip = [192, 0, 2, u8::try_from(side).unwrap() + 1];
                let address = SocketAddr::from((ip, 5000 + u16::try_from(id).unwrap()));
                couple.agents[side].add_socket(now, *component, SocketId(id), address).unwrap();
                couple.sockets[side].insert(SocketId(id), address);
            }
            couple.agents[side].gather(now);
            let credentials = couple.agents[side].local_credentials().clone();
            couple.agents[1 - side].set_remote_credentials(now, credentials, false).unwrap();
        }
        couple
    }

    fn run(&mut self, time: std::time::Duration) {
        let end = self.now + time;
        loop {
            let waits = [self.drain(0), self.drain(1), self.drain(0)];
            let Some(at) = waits.into_iter().flatten().min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for agent in &mut self.agents {
                let _ = agent.handle_input(self.now, Input::Timeout);
            }
        }
        self.now = end;
    }

    fn drain(&mut self, side: usize) -> Option<Instant> {
        let (mut buf, other) = ([0; MAX_TRANSMIT], 1 - side);
        loop {
            match self.agents[side].poll_output(&mut buf) {
                Output::Transmit(t) => {
                    self.packets += 1;
                    let from = self.sockets[side][&t.socket];
                    let socket = self.sockets[other].iter().find(|(_, address)| **address == t.to);
                    let Some((&socket, _)) = socket else { continue };
                    let input = Input::Datagram { socket, from, data: t.bytes };
                    let _ = self.agents[other].handle_input(self.now, input);
                }
                Output::Event(Event::Candidate(candidate)) => {
                    let (stream, line) = (candidate.component.stream, candidate.to_line());
                    self.agents[other].add_remote_candidate(self.now, stream, &line);
                }
                Output::Wait { until, .. } => return Some(until),
                Output::Idle => return None,
                _ => {}
            }
        }
    }

    fn state(&self) -> [ConnectionState; 2] {
        [self.agents[0].state(), self.agents[1].state()]
    }

    /// Sends a word over each component and sees it arrive on the same one.
    fn talk(&mut self, components: &[ComponentId]) {
        for component in components {
            let plan = self.agents[0].send_plan(self.now, *component, 5).unwrap();
            let from = self.sockets[0][&plan.socket()];
            let to = self.sockets[1].iter().find(|(_, address)| **address == plan.to()).unwrap();
            let input = Input::Datagram { socket: *to.0, from, data: b"\x80word" };
            let Received::App(data) = self.agents[1].handle_input(self.now, input) else { panic!("no data") };
            assert_eq!(data.component, *component);
        }
    }
}

/// ICE-6.1.2-1, ICE-6.1.2.2-1, ICE-6.1.2.1-2, ICE-8.1.2-2.
#[test]
fn two_components_of_a_stream_connect_each_with_its_like() {
    let components = [component(0, 1), component(0, 2)];
    let mut couple = Couple::new([&components, &components]);
    couple.run(SECOND * 2);
    assert_eq!(couple.state(), [ConnectionState::Completed; 2]);
    for side in &couple.agents {
        for component in components {
            let pair = side.selected_pair(component).unwrap();
            assert_eq!((pair.local.component, pair.remote.component), (component, component));
        }
    }
    couple.talk(&components);
}

/// ICE-6.1.2-1, ICE-6.1.4.2-1, ICE-6.1.3-1.
#[test]
fn two_streams_connect_and_neither_starves() {
    let components = [component(0, 1), component(1, 1), component(1, 2)];
    let mut couple = Couple::new([&components, &components]);
    couple.run(SECOND * 2);
    assert_eq!(couple.state(), [ConnectionState::Completed; 2]);
    couple.talk(&components);
}

/// ICE-6.1.2.2-2: the second component is given up when it is known that the peer has none.
#[test]
fn a_component_that_the_peer_does_not_have_is_not_waited_for() {
    let mut couple = Couple::new([&[component(0, 1), component(0, 2)], &[component(0, 1)]]);
    couple.run(SECOND * 2);
    assert_eq!(couple.state(), [ConnectionState::Checking, ConnectionState::Completed]);
    couple.agents[0].end_of_remote_candidates(couple.now);
    couple.run(millis(1));
    assert_eq!(couple.state(), [ConnectionState::Completed; 2]);
    couple.talk(&[component(0, 1)]);
}

/// ICE-8.1.2-1, ICE-6.1.4.2-3: what a finished component leaves unchecked keeps nothing frozen.
#[test]
fn a_finished_component_does_not_freeze_another() {
    let mut config = Config::new(Role::Controlling);
    config.streams = vec![2];
    let sockets = [(component(0, 1), ours(0)), (component(0, 2), peer::addr("192.0.2.1:5001"))];
    let mut scene = Scene::with_components(config, &sockets);
    scene.meet();
    scene.tell("a 1 UDP 2130706431 198.51.100.1 6000 typ host");
    scene.tell("a 2 UDP 2130706430 198.51.100.2 6000 typ host");
    scene.tell("b 1 UDP 1130706431 198.51.100.3 6000 typ host");
    scene.tell("b 2 UDP 1130706430 198.51.100.4 6000 typ host");
    let works = [theirs(0), theirs(3)];
    scene.run_answering(SECOND * 3, |check| match works.contains(&check.sent.to) {
        true => Reply::Success,
        false => Reply::Nothing,
    });
    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    assert_eq!(scene.agent.selected_pair(component(0, 2)).unwrap().remote.address, theirs(3));
}

/// ICE-6.1.4.2-4: of two equal ones, the lower component; of two streams, each in turn.
#[test]
fn streams_take_turns() {
    let mut config = Config::new(Role::Controlling);
    config.streams = vec![1, 1];
    let sockets = [(component(0, 1), ours(0)), (component(1, 1), ours(1))];
    let mut scene = Scene::with_components(config, &sockets);
    for n in 0..3 {
        scene.hint(theirs(n));
        let line = format!("candidate:s{n} 1 UDP 5 198.51.100.{} 6000 typ host", n + 11).parse().unwrap();
        scene.agent.add_remote_candidate(scene.now, StreamId(1), &line);
    }
    scene.meet();
    scene.run(millis(290));
    let checks = scene.checks();
    let streams: Vec<_> = checks.iter().take(6).map(|check| check.sent.socket.0).collect();
    assert_eq!(streams, [0, 1, 0, 1, 0, 1]);
}
