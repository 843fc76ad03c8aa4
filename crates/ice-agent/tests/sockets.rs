//! Sockets that go, networks that refuse, agents that close, and many agents on one socket.

mod peer;

use floe_ice_agent::{
    ApiMisuse, ComponentId, Config, ConnectionState, Event, IgnoredReason, Mux, PairFailure, PairState, Role,
    SendError, StateReason, StreamId, Taken,
};
use floe_stun::{Dropped, Icmp, Input, Received, SocketId, Transmit};
use peer::{Reply, SECOND, SOCKET, Scene, addr, ours, theirs};

#[test]
fn the_loss_of_the_selected_socket_is_told_at_once() {
    let mut scene = Scene::connected(Role::Controlling);
    assert_eq!(scene.input(Input::Closed { socket: SOCKET }), Received::Consumed);
    let (_, last) = scene.events.last().unwrap();
    assert_eq!(*last, Event::State { state: ConnectionState::Failed, why: StateReason::SocketClosed });
    assert!(scene.agent.send_plan(scene.now, ComponentId::FIRST, 1).is_err());
    assert_eq!(scene.input(Input::Closed { socket: SOCKET }), Received::NotMine);
    assert_eq!(scene.deliver(theirs(0), &[0x80]), Received::NotMine);
}

/// ICE-5.1.1.4-2: candidates go with their base.
#[test]
fn another_sockets_end_leaves_the_connection_alone() {
    let mut scene = Scene::with_sockets(Config::new(Role::Controlling), 2);
    scene.meet();
    scene.hint(theirs(0));
    scene.run_answering(
        SECOND,
        |check| if check.sent.socket == SOCKET { Reply::Success } else { Reply::Nothing },
    );
    assert_eq!(scene.selected().unwrap().local.address, ours(0));

    let _ = scene.input(Input::Closed { socket: SocketId(1) });

    assert_eq!(scene.agent.state(), ConnectionState::Completed);
    let failed = scene.pairs(theirs(0)).into_iter().find(|pair| pair.state == PairState::Failed).unwrap();
    assert_eq!(failed.failure, Some(PairFailure::SocketClosed));
    assert_eq!(scene.agent.stats().local_candidates.len(), 1);
}

/// A socket may come at any time.
#[test]
fn a_late_socket_is_told_paired_and_checked() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    scene.agent.add_socket(scene.now, ComponentId::FIRST, SocketId(9), ours(8)).unwrap();
    scene.sockets.push((SocketId(9), ours(8)));
    scene.drain();
    let told = |event: &Event| matches!(event, Event::Candidate(candidate) if candidate.address == ours(8));
    assert!(scene.events.iter().any(|(_, event)| told(event)));
    scene.run_answering(SECOND, |check| match check.sent.socket == SocketId(9) {
        true => Reply::Success,
        false => Reply::Nothing,
    });
    assert_eq!(scene.selected().unwrap().local.address, ours(8));
}

/// ICE-7.2.5.2.2-1.
#[test]
fn an_icmp_error_fails_a_check_under_way() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    for (to, what) in [(theirs(1), Icmp::Unreachable), (theirs(0), Icmp::TooBig { mtu: Some(1280) })] {
        let _ = scene.input(Input::Icmp { socket: SOCKET, to, what });
        assert_eq!(scene.pair_state(theirs(0)), PairState::InProgress);
    }
    let _ = scene.input(Input::Icmp { socket: SOCKET, to: theirs(0), what: Icmp::Unreachable });
    assert_eq!(scene.pair(theirs(0)).failure, Some(PairFailure::Unreachable));

    scene.check_from(theirs(0), false);
    scene.run_answering(SECOND, |_| Reply::Success);
    assert_eq!(scene.agent.state(), ConnectionState::Completed, "it was not the last word");
}

/// Anybody can forge one.
#[test]
fn an_icmp_error_does_nothing_to_a_pair_that_works_or_was_heard() {
    let mut heard = Scene::introduced(Config::new(Role::Controlling));
    heard.check_from(theirs(0), false);
    heard.run(SECOND / 2);
    assert_eq!(heard.pair_state(theirs(0)), PairState::InProgress);
    for mut scene in [heard, Scene::connected(Role::Controlling)] {
        let before = scene.pair(theirs(0)).state;
        let _ = scene.input(Input::Icmp { socket: SOCKET, to: theirs(0), what: Icmp::Unreachable });
        assert_eq!(scene.pair(theirs(0)).state, before);
    }
}

#[test]
fn a_closed_agent_is_silent_and_says_so() {
    let mut scene = Scene::connected(Role::Controlling);
    scene.agent.close(scene.now);
    scene.drain();
    scene.packets();
    assert_eq!(scene.agent.state(), ConnectionState::Closed);

    let question = scene.question();
    assert_eq!(scene.ask(theirs(0), &question), Received::Dropped(Dropped::Closed));
    assert_eq!(scene.hint(theirs(1)), Taken::Ignored(IgnoredReason::Closed));
    let now = scene.now;
    assert_eq!(scene.agent.restart(now).err(), Some(ApiMisuse::Closed));
    assert_eq!(scene.agent.add_socket(now, ComponentId::FIRST, SocketId(5), ours(5)), Err(ApiMisuse::Closed));
    assert_eq!(scene.agent.send_plan(now, ComponentId::FIRST, 1).map(|_| ()), Err(SendError::Closed));
    scene.run(SECOND * 100);
    assert!(scene.packets().is_empty());
    assert_eq!(scene.states().last(), Some(&ConnectionState::Closed));
}

/// ICE-5.1.1.1-6 and the rest of what cannot be a candidate.
#[test]
fn sockets_that_make_no_sense_are_refused() {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    let now = scene.now;
    let mut add =
        |component, id, address| scene.agent.add_socket(now, component, SocketId(id), addr(address));
    let first = ComponentId::FIRST;
    for address in ["0.0.0.0:1", "[::]:1", "224.0.0.1:1", "127.0.0.1:1", "[::1]:1", "192.0.2.9:0"] {
        assert_eq!(add(first, 1, address), Err(ApiMisuse::BadAddress), "{address}");
    }
    assert_eq!(add(first, 0, "192.0.2.9:1"), Err(ApiMisuse::SocketKnown));
    for component in [ComponentId::new(StreamId(0), 2), ComponentId::new(StreamId(1), 1)] {
        assert_eq!(add(component, 1, "192.0.2.9:1"), Err(ApiMisuse::NoSuchComponent));
    }
}

/// Three looks: the name a check calls, the question an answer is to, the way data came.
#[test]
fn many_agents_share_a_socket() {
    let mut scenes = [Scene::introduced(Config::new(Role::Controlling)), {
        let mut config = Config::new(Role::Controlled);
        config.limits.outputs = 1000;
        let mut scene = Scene::new(config);
        scene.restart();
        scene.meet();
        scene
    }];
    let mut mux = Mux::default();
    for (n, scene) in scenes.iter().enumerate() {
        mux.insert(scene.agent.local_credentials().ufrag.clone(), n);
    }

    for (n, scene) in scenes.iter_mut().enumerate() {
        let question = scene.question().write();
        assert_eq!(mux.route(SOCKET, theirs(9), &question), Some(n));
    }

    let check = scenes[0].checks().remove(0);
    mux.note_transmit(0, &Transmit::new(SOCKET, check.sent.to, &check.sent.bytes));
    let answer = peer::write_reply(check.id, Reply::Success, ours(0), Some("any")).unwrap();
    assert_eq!(mux.route(SOCKET, theirs(9), &answer), Some(0), "the agent judges where it came from");

    assert_eq!(mux.route(SOCKET, theirs(0), &[0x80, 1]), None);
    mux.note_received(1, SOCKET, theirs(0));
    assert_eq!(mux.route(SOCKET, theirs(0), &[0x80, 1]), Some(1));
    assert_eq!(mux.route(SocketId(1), theirs(0), &[0x80, 1]), None);

    mux.remove(1);
    let question = scenes[1].question().write();
    assert_eq!(mux.route(SOCKET, theirs(0), &question), None);
    assert_eq!(mux.route(SOCKET, theirs(0), &[0x80, 1]), None);
    assert_eq!(mux.route(SOCKET, theirs(9), &answer), Some(0));
}
