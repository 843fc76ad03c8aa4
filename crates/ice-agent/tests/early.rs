//! Checks come before signalling does: answered at once, believed when the credentials come.

mod peer;

use floe_ice_agent::{
    CandidateKind, Config, ConnectionState, Credentials, IgnoredReason, PairState, Role, StreamId, Taken,
};
use peer::{Question, Reply, SECOND, Scene, millis, theirs};

/// ICE-7.3-4, ICE-7.3.1.4-5.
#[test]
fn a_check_before_the_credentials_is_answered_and_triggers_one_afterwards() {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    scene.check_from(theirs(0), false);
    assert_eq!(scene.answers().len(), 1);
    scene.run(SECOND);
    assert!(scene.checks().is_empty(), "nothing to sign with");

    scene.meet();

    assert_eq!(scene.checks()[0].sent.to, theirs(0));
}

/// ICE-7.3.1.5-2 across the wait for credentials.
#[test]
fn an_early_nomination_counts_when_the_credentials_come() {
    let mut scene = Scene::new(Config::new(Role::Controlled));
    scene.check_from(theirs(0), true);
    scene.meet();
    scene.run_answering(millis(100), |_| Reply::Success);

    assert_eq!(scene.selected().unwrap().remote.address, theirs(0));
}

/// ICE-7.3.1.4-6: the agent was forked, and this is another branch's check.
#[test]
fn what_was_learned_in_another_name_is_forgotten() {
    let mut scene = Scene::new(Config::new(Role::Controlled));
    let username = format!("{}:fork", scene.agent.local_credentials().ufrag);
    let fork = Question { username: Some(username), use_candidate: true, ..scene.question() };
    let _ = scene.ask(theirs(1), &fork);
    scene.check_from(theirs(0), false);

    scene.meet();
    scene.run(SECOND);

    assert!(scene.checks().iter().all(|check| check.sent.to == theirs(0)));
    assert!(scene.pairs(theirs(1)).is_empty());
}

/// ICE-7.3.1.3-1.
#[test]
fn an_unknown_source_is_a_reflexive_candidate_with_the_priority_of_its_check() {
    let mut scene = Scene::with_sockets(Config::new(Role::Controlled), 2);
    scene.meet();
    let question = Question { priority: Some(123_456), ..scene.question() };
    let _ = scene.ask(theirs(4), &question);

    let stats = scene.agent.stats();
    let learned = stats.remote_candidates.iter().find(|candidate| candidate.address == theirs(4)).unwrap();
    assert_eq!((learned.kind, learned.priority), (CandidateKind::PeerReflexive, 123_456));
    assert_eq!(scene.pairs(theirs(4)).len(), 1, "paired with the address it came to and no other");
}

/// TRK-11-2, ICE-7.2.5.3.2-3: the pair keeps all but its priority.
#[test]
fn a_learned_candidate_that_is_signalled_keeps_its_pair_and_its_nomination() {
    let mut scene = Scene::new(Config::new(Role::Controlled));
    scene.meet();
    scene.check_from(theirs(0), true);
    scene.run_answering(SECOND, |_| Reply::Success);
    let (before, events) = (scene.pair(theirs(0)), scene.events.len());

    assert!(matches!(scene.hint(theirs(0)), Taken::Known(_)));

    let after = scene.pair(theirs(0));
    assert_eq!((after.id, after.state, after.nominated), (before.id, PairState::Succeeded, true));
    assert!(after.priority > before.priority, "a host candidate now");
    let selected = scene.selected().unwrap();
    assert_eq!((selected.pair, selected.remote.kind), (before.id, CandidateKind::Host));
    assert_eq!(scene.events.len(), events, "nothing worth telling happened");
}

/// TRK-11-2 while the check is under way: nothing starts anew.
#[test]
fn a_learned_candidate_that_is_signalled_in_the_middle_of_its_check_goes_on() {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    scene.meet();
    scene.check_from(theirs(0), false);
    let check = scene.checks().remove(0);

    scene.hint(theirs(0));

    assert_eq!(scene.pair_state(theirs(0)), PairState::InProgress);
    scene.reply(&check, Reply::Success);
    assert_eq!(scene.pair_state(theirs(0)), PairState::Succeeded);
}

/// ICE-5.3-3 and the last rule of the front page: six orders, one end.
#[test]
fn credentials_candidates_and_checks_may_come_in_any_order() {
    type Act = fn(&mut Scene);
    let hint: Act = |scene| assert!(!matches!(scene.hint(theirs(0)), Taken::Ignored(_)));
    let acts: [Act; 3] = [Scene::meet, hint, |scene| scene.check_from(theirs(0), false)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut scene = Scene::new(Config::new(Role::Controlling));
        for act in order {
            acts[act](&mut scene);
            scene.run(millis(30));
        }
        scene.run_answering(SECOND, |_| Reply::Success);
        assert_eq!(scene.agent.state(), ConnectionState::Completed, "{order:?}");
        assert_eq!(scene.agent.stats().pairs.len(), 1, "{order:?}");
    }
}

/// TRK-9-3: a candidate says whose generation it is of.
#[test]
fn a_candidate_of_another_generation_is_ignored_whenever_it_comes() {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    scene.tell("1 1 UDP 2130706431 198.51.100.8 6000 typ host ufrag gone");
    scene.tell("1 1 UDP 2130706431 198.51.100.9 6000 typ host ufrag peer");
    scene.meet();

    let late = scene.tell("1 1 UDP 2130706431 198.51.100.10 6000 typ host ufrag gone");

    assert_eq!(late, Taken::Ignored(IgnoredReason::Generation));
    let remotes = scene.agent.stats().remote_candidates;
    let addresses: Vec<_> = remotes.iter().map(|candidate| candidate.address.to_string()).collect();
    assert_eq!(addresses, ["198.51.100.9:6000"]);
    scene.run(SECOND);
    assert!(scene.checks().iter().all(|check| check.sent.to.to_string() == "198.51.100.9:6000"));
}

/// ICE-6.1.2.2-1, ICE-6.1.2.2-3.
#[test]
fn only_addresses_that_can_talk_are_paired() {
    let sockets = ["192.0.2.1:5000", "[2001:db8::1]:5000", "[fe80::1]:5000"].map(peer::addr);
    let sockets = sockets.map(|address| (floe_ice_agent::ComponentId::FIRST, address));
    let mut scene = Scene::with_components(Config::new(Role::Controlling), &sockets);
    for address in ["198.51.100.1:6000", "[2001:db8::2]:6000", "[fe80::2]:6000"] {
        scene.hint(peer::addr(address));
        assert_eq!(scene.pairs(peer::addr(address)).len(), 1, "{address}");
    }
}

/// What cannot be sent to, is of another component, or not UDP.
#[test]
fn candidates_of_no_use_are_told_apart() {
    let mut scene = Scene::new(Config::new(Role::Controlling));
    let ignored = [
        ("1 1 TCP 1 198.51.100.1 9 typ host tcptype active", IgnoredReason::Transport),
        ("1 1 UDP 1 0b1b2b3c.local 9 typ host", IgnoredReason::Name),
        ("1 1 UDP 1 0.0.0.0 9 typ host", IgnoredReason::Address),
        ("1 1 UDP 1 224.0.0.1 9 typ host", IgnoredReason::Address),
        ("1 1 UDP 1 255.255.255.255 9 typ host", IgnoredReason::Address),
        ("1 1 UDP 1 127.0.0.1 9 typ host", IgnoredReason::Address),
        ("1 1 UDP 1 198.51.100.1 0 typ host", IgnoredReason::Address),
        ("1 2 UDP 1 198.51.100.1 9 typ host", IgnoredReason::Component),
    ];
    for (line, why) in ignored {
        assert_eq!(scene.tell(line), Taken::Ignored(why), "{line}");
    }
    let line = "candidate:1 1 UDP 1 198.51.100.1 9 typ host".parse().unwrap();
    let other = scene.agent.add_remote_candidate(scene.now, StreamId(1), &line);
    assert_eq!(other, Taken::Ignored(IgnoredReason::Component));
}

/// RFC 8839 §4.4.1.1.1: credentials change only by a restart.
#[test]
fn other_credentials_without_a_restart_are_misuse() {
    let mut scene = Scene::introduced(Config::new(Role::Controlling));
    let other = Credentials::new("other", "another/password/of/the/peer");
    let again = scene.peer.clone();
    assert_eq!(scene.agent.set_remote_credentials(scene.now, again, false), Ok(()));
    assert_eq!(
        scene.agent.set_remote_credentials(scene.now, other, false),
        Err(floe_ice_agent::ApiMisuse::CredentialsChanged)
    );
}
