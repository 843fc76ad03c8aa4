//! What an offer may hold, what answers it, and what may follow it: by table.
#![expect(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::fs;

use floe_sdp::{
    Attribute, BuildError, CandidateLine, Change, Direction, Edit, Fingerprint, HashFunction, IcePwd,
    IceUfrag, LocalSession, Rule, Selected, SessionDescription, Setup, TlsId, Unfit, Violation,
    agreed_pacing, check_answer, check_next_offer, check_offer, directions, setups,
};

/// One side's own.
struct Side {
    ufrag: IceUfrag,
    pwd: IcePwd,
    fingerprints: Vec<Fingerprint>,
    tls_id: TlsId,
}

impl Side {
    fn new(seed: u8) -> Self {
        Self {
            ufrag: IceUfrag::from_random([seed; 6]),
            pwd: IcePwd::from_random([seed; 18]),
            fingerprints: vec![Fingerprint::new(HashFunction::Sha256, &[seed; 32]).unwrap()],
            tls_id: TlsId::from_random([seed; 18]),
        }
    }

    fn session(&self) -> LocalSession<'_> {
        let session = LocalSession::new(4611, &self.ufrag, &self.pwd, &self.fingerprints);
        LocalSession { tls_id: Some(&self.tls_id), ..session }
    }
}

fn parse(text: &str) -> SessionDescription<'_> {
    SessionDescription::parse(text).map_err(|error| format!("{error}\n{text}")).unwrap()
}

/// `text` with one attribute line of section 0 replaced (`name:value`) or taken out (`-name`), or with any other text
/// replaced (`this => that`).
fn changed(text: &str, how: &str) -> String {
    if let Some((from, to)) = how.split_once(" => ") {
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        return text.replace(from, &to.replace('|', "\r\n"));
    }
    let description = parse(text);
    let mut edit = Edit::new(&description);
    match how.strip_prefix('-') {
        Some(name) => edit.remove(Some(0), name),
        None => edit.set(Some(0), &Attribute::parse(how).unwrap()),
    }
    edit.finish().unwrap()
}

const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=sendonly\r\n\
    a=ice-ufrag:audio\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=setup:actpass\r\n\
    a=fingerprint:sha-1 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\r\n";

#[test]
fn an_offer_is_written_as_jsep_has_it() {
    let (alice, candidates) = (Side::new(0), candidates());
    let offer = LocalSession {
        pacing: Some(50),
        candidates: &candidates,
        end_of_candidates: true,
        ..alice.session()
    };
    let zeros = ["00"; 32].join(":");
    let expected = format!(
        "v=0\r\no=- 4611 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=ice-options:ice2 trickle\r\n\
         a=ice-pacing:50\r\nm=application 50000 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 203.0.113.7\r\na=mid:0\r\n\
         a=ice-ufrag:AAAAAAAA\r\na=ice-pwd:AAAAAAAAAAAAAAAAAAAAAAAA\r\na=fingerprint:sha-256 {zeros}\r\n\
         a=setup:actpass\r\na=tls-id:AAAAAAAAAAAAAAAAAAAAAAAA\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n\
         a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host\r\n\
         a=candidate:2 1 UDP 1694498815 203.0.113.7 50000 typ srflx raddr 0.0.0.0 rport 9\r\n\
         a=candidate:3 1 UDP 2130706431 a1.local 8998 typ host\r\na=end-of-candidates\r\n"
    );
    assert_eq!(offer.offer("0").unwrap(), expected);
    check_offer(&parse(&expected)).unwrap();
}

#[test]
fn a_selected_pair_takes_the_place_of_all_candidates() {
    let (alice, bob, candidates) = (Side::new(1), Side::new(2), candidates());
    let selected = Some(Selected { local: &candidates[0], remote: Some(([192, 0, 2, 3].into(), 45664)) });
    let session = LocalSession { candidates: &candidates, selected, ..alice.session().next() };
    let offer = session.offer("0").unwrap();
    assert!(
        offer.contains("m=application 8998 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 10.0.1.1\r\n"),
        "{offer}"
    );
    let read = parse(&offer);
    assert!(read.media[0].candidates.iter().map(|line| line.to_line()).eq(candidates[..1].iter().cloned()));
    assert_eq!(read.media[0].remote_candidates[0].to_string(), "1 192.0.2.3 45664");
    assert_eq!((check_offer(&read), read.section(0).unwrap().has_mismatch()), (Ok(()), false));
    let selected = Some(Selected { local: &candidates[1], remote: Some(([10, 0, 1, 1].into(), 8998)) });
    let answer = LocalSession { candidates: &candidates, selected, ..bob.session() }.answer(&read).unwrap();
    assert_eq!(check_answer(&read, &parse(&answer)), Ok(()));
    assert!(!answer.contains("remote-candidates") && answer.matches("a=candidate").count() == 1, "{answer}");
    assert!(
        answer.contains("m=application 50000 ") && answer.contains("c=IN IP4 203.0.113.7\r\n"),
        "{answer}"
    );
    let tcp: CandidateLine = "candidate:4 1 TCP 1 10.0.1.1 1005 typ host tcptype passive".parse().unwrap();
    let offer = LocalSession { selected: Some(Selected { local: &tcp, remote: None }), ..session }
        .offer("0")
        .unwrap();
    assert!(
        offer.contains("m=application 1005 TCP/DTLS/SCTP ") && !offer.contains("remote-candidates"),
        "{offer}"
    );
}

#[test]
fn a_restart_and_a_removal_are_written_as_their_rules_have_them() {
    let (alice, anew, candidates) = (Side::new(1), Side::new(3), candidates());
    let first = LocalSession { candidates: &candidates, end_of_candidates: true, ..alice.session() };
    let offer = first.offer("0").unwrap();
    let next = |text: &str| check_next_offer(&parse(&offer), &parse(text)).unwrap();
    let restart = first.restarted(&anew.ufrag, &anew.pwd).offer("0").unwrap();
    assert_eq!(next(&restart), [Change::Restart]);
    assert!(!restart.contains("candidate") && restart.contains("o=- 4611 1 "), "{restart}");
    let removal = first.next().removal("0").unwrap();
    assert_eq!(next(&removal), [Change::Removed]);
    assert_eq!(check_offer(&parse(&removal)), Ok(()));
    assert!(!removal.contains("BUNDLE") && !removal.contains("ice-"), "{removal}");
    assert!(
        removal
            .ends_with("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n")
    );
    assert_eq!(first.removal("0 1"), Err(BuildError::Mid));
}

#[test]
fn a_later_offer_repeats_what_was_told_and_adds_to_it() {
    let (alice, all) = (Side::new(1), candidates());
    let first = LocalSession { candidates: &all[..1], pacing: Some(50), ..alice.session() };
    let again = first.next().offer("0").unwrap();
    assert_eq!(again, first.offer("0").unwrap().replace("o=- 4611 0 ", "o=- 4611 1 "));
    let later = LocalSession { candidates: &all, end_of_candidates: true, ..first.next() };
    let (first, later) = (first.offer("0").unwrap(), later.offer("0").unwrap());
    assert_eq!(check_next_offer(&parse(&first), &parse(&later)), Ok(vec![Change::None]));
    let told =
        |text: &str| parse(text).media[0].candidates.iter().map(|line| line.to_line()).collect::<Vec<_>>();
    assert_eq!((told(&first), told(&later)), (all[..1].to_vec(), all.clone()));
    for line in first.lines().filter(|line| line.starts_with("a=")) {
        assert!(later.contains(line), "{line} is not in {later}");
    }
    assert!(later.contains("o=- 4611 1 ") && later.ends_with("a=end-of-candidates\r\n"), "{later}");
    for text in [first, later] {
        assert!(!parse(&text).section(0).unwrap().has_mismatch(), "{text}");
    }
}

#[test]
fn an_answer_takes_the_data_section_and_refuses_the_others() {
    let (alice, bob) = (Side::new(1), Side::new(2));
    let offer = alice.session().offer("d").unwrap().replace("BUNDLE d", "BUNDLE a d").replacen(
        "m=",
        &format!("{AUDIO}m="),
        1,
    );
    check_offer(&parse(&offer)).unwrap();
    let answer = bob.session().answer(&parse(&offer)).unwrap();
    let read = parse(&answer);
    assert_eq!(check_answer(&parse(&offer), &read), Ok(()));
    assert_eq!((read.media[0].port, read.media[0].mid, read.media[1].port), (0, Some("a"), 9));
    assert!(
        answer.contains("m=audio 0 UDP/TLS/RTP/SAVPF 111 0\r\n") && answer.contains("a=group:BUNDLE d\r\n")
    );
    for name in ["a=ice-", "a=setup", "a=fingerprint", "a=tls-id", "a=bundle-only"] {
        assert!(!read.media[0].as_str().contains(name), "{name}: {answer}");
    }
    let session = read.data_session().unwrap();
    assert_eq!((session.setup, session.ufrag, session.section.index()), (Setup::Active, &bob.ufrag, 1));
    assert!(session.can_trickle() && session.is_ice2() && session.tls_id == Some(&bob.tls_id));
    let refusal = bob.session().refusal(&parse(&offer)).unwrap();
    assert_eq!(check_answer(&parse(&offer), &parse(&refusal)), Ok(()));
    assert_eq!(parse(&refusal).data_session().unwrap_err(), Unfit::NoDataSection);
}

#[test]
fn an_answer_has_only_what_the_offer_allows() {
    let (alice, bob) = (Side::new(1), Side::new(2));
    let offer = alice.session().offer("0").unwrap();
    for (how, shows, hides) in [
        ("setup:active", "a=setup:passive", "a=setup:active"),
        ("setup:passive", "a=setup:active", "a=setup:passive"),
        ("-tls-id", "a=setup:active", "tls-id"),
        ("-mid", "a=setup:active", "mid"),
        ("-mid", "a=setup:active", "group"),
        ("sctp-port:0", "a=sctp-port:0\r\n", "5000"),
        ("ice-options:trickle", "a=ice-options:trickle\r\n", "ice2"),
        ("ice-options:ice2", "a=ice-options:ice2\r\n", "trickle"),
        ("ice-options:rtp+ecn", "a=setup:active", "ice-options"),
        ("t=0 0 => t=3034423619 3042462419", "t=3034423619 3042462419\r\n", "t=0 0"),
    ] {
        let offer = changed(&offer, how);
        let answer = bob.session().answer(&parse(&offer)).unwrap();
        assert!(answer.contains(shows) && !answer.contains(hides), "{how}: {answer}");
        assert_eq!(check_answer(&parse(&offer), &parse(&answer)), Ok(()), "{how}");
    }
    for proto in ["TCP/DTLS/SCTP", "DTLS/SCTP"] {
        let offer = offer.replace("UDP/DTLS/SCTP", proto);
        let answer = bob.session().answer(&parse(&offer)).unwrap();
        assert!(answer.contains(&format!(" 9 {proto} webrtc-datachannel\r\n")), "{answer}");
    }
}

#[test]
fn what_may_not_be_sent_is_not_written() {
    let (alice, bob) = (Side::new(1), Side::new(2));
    let offer = alice.session().offer("0").unwrap();
    let long: IceUfrag = "u".repeat(33).parse().unwrap();
    let longest: IceUfrag = "u".repeat(32).parse().unwrap();
    let mut odd = candidates();
    odd[0].foundation = "1\r\na=x".into();
    assert_eq!(LocalSession { ufrag: &long, ..alice.session() }.offer("0"), Err(BuildError::UfragTooLong));
    assert!(LocalSession { ufrag: &longest, ..alice.session() }.offer("0").is_ok());
    assert_eq!(
        LocalSession { fingerprints: &[], ..alice.session() }.offer("0"),
        Err(BuildError::NoFingerprint)
    );
    assert_eq!(LocalSession { candidates: &odd, ..alice.session() }.offer("0"), Err(BuildError::Candidate));
    for at in 0..2 {
        let mut odd = candidates();
        odd[at].related = if at == 0 { candidates()[1].related.clone() } else { None };
        let odd = LocalSession { candidates: &odd, ..alice.session() }.offer("0");
        assert_eq!(odd, Err(BuildError::Candidate), "a related address belongs to what is no host candidate");
    }
    let late = LocalSession { version: u64::MAX, ..alice.session() };
    assert_eq!(late.offer("0"), Err(BuildError::OriginTooLarge));
    for mid in ["", "a b", "0\r\na=x", "é"] {
        assert_eq!(alice.session().offer(mid), Err(BuildError::Mid), "{mid:?}");
    }
    let answer = |how: &str| bob.session().answer(&parse(&changed(&offer, how)));
    assert_eq!(answer("-ice-pwd"), Err(BuildError::Offer(Unfit::NoCredentials)));
    assert_eq!(answer("-fingerprint"), Err(BuildError::Offer(Unfit::NoFingerprint)));
    assert_eq!(answer("-setup"), Err(BuildError::Offer(Unfit::NoSetup)));
    assert_eq!(answer("setup:holdconn"), Err(BuildError::Offer(Unfit::HoldConn)));
    assert_eq!(answer("-sctp-port"), Err(BuildError::Offer(Unfit::NoSctpPort)));
    assert_eq!(answer("m=application 9 => m=application 0"), Err(BuildError::Offer(Unfit::NoDataSection)));
    assert_eq!(answer("m=application 9 => m=audio 9"), Err(BuildError::Offer(Unfit::NoDataSection)));
    let bundled = changed(&changed(&offer, "bundle-only"), "m=application 9 => m=application 0");
    assert_eq!(bob.session().answer(&parse(&bundled)), Err(BuildError::BundleOnly));
    let passive = changed(&offer, "setup:passive");
    let wanted = bob.session().answer_as(Setup::Passive, &parse(&passive));
    assert_eq!(wanted, Err(BuildError::Setup { wanted: Setup::Passive }));
}

#[test]
fn roles_and_directions_answer_each_other_by_table() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    assert_eq!(setups(Some(Setup::ActPass)), [Setup::Active, Setup::Passive]);
    assert_eq!(setups(Some(Setup::Active)), [Setup::Passive]);
    assert_eq!(setups(Some(Setup::Passive)), [Setup::Active]);
    assert_eq!(setups(Some(Setup::HoldConn)), []);
    assert_eq!(setups(None), [Setup::Passive]);
    assert_eq!(directions(SendRecv), [SendRecv, SendOnly, RecvOnly, Inactive]);
    assert_eq!(directions(SendOnly), [RecvOnly, Inactive]);
    assert_eq!(directions(RecvOnly), [SendOnly, Inactive]);
    assert_eq!(directions(Inactive), [Inactive]);
}

#[test]
fn both_pace_themselves_by_the_slower_one() {
    let alice = Side::new(1);
    let offer = |pacing| LocalSession { pacing, ..alice.session() }.offer("0").unwrap();
    let agreed = |one, other| agreed_pacing(&parse(&offer(one)), &parse(&offer(other)));
    assert_eq!((agreed(Some(20), Some(30)), agreed(Some(30), Some(20))), (30, 30));
    assert_eq!((agreed(Some(20), None), agreed(Some(60), None)), (50, 60));
}

#[test]
fn the_certificate_is_one_of_those_told_by_the_strongest_hash() {
    let alice = Side::new(1);
    let told = |hash: HashFunction, byte| Fingerprint::new(hash, &vec![byte; hash.len()]).unwrap();
    let (weak, strong) = (HashFunction::Sha1, HashFunction::Sha256);
    let is_certified = |told: &[Fingerprint], known: &[HashFunction], byte: u8| {
        let offer = LocalSession { fingerprints: told, ..alice.session() }.offer("0").unwrap();
        let digest = |hash: HashFunction| known.contains(&hash).then(|| vec![byte; hash.len()]);
        parse(&offer).data_session().unwrap().is_certified(digest)
    };
    assert!(is_certified(&[told(strong, 1)], &[strong], 1));
    assert!(!is_certified(&[told(strong, 1)], &[strong], 2));
    assert!(!is_certified(&[told(strong, 1)], &[weak], 1), "nothing that we know");
    assert!(is_certified(&[told(strong, 2), told(strong, 1)], &[strong], 1), "one of several certificates");
    assert!(is_certified(&[told(weak, 1), told(strong, 1)], &[weak, strong], 1));
    assert!(
        !is_certified(&[told(weak, 1), told(strong, 2)], &[weak, strong], 1),
        "the weaker does not count"
    );
    assert!(is_certified(&[told(weak, 1), told(strong, 2)], &[weak], 1));
}

#[test]
fn every_rule_of_an_offer_is_kept() {
    let alice = Side::new(1);
    let good = alice.session().offer("0").unwrap();
    for (how, rule) in [
        ("ice-mismatch", Rule::Mismatch),
        ("setup:holdconn", Rule::Setup),
        ("-mid", Rule::NoMid),
        ("-ice-pwd", Rule::NoCredentials),
        ("-sctp-port", Rule::NoSctpPort),
        ("webrtc-datachannel => webrtc-datachannel x", Rule::Formats),
        ("a=sctp-port => a=candidate:1 1 UDP 1 10.0.1.1 1 typ host|a=sctp-port", Rule::CandidatesAtPortZero),
        ("a=sctp-port => a=bundle-only|a=sctp-port", Rule::TagBundleOnly),
        ("a=group:BUNDLE 0 => a=group:BUNDLE 0 0", Rule::BundledTwice),
        ("a=group:BUNDLE 0 => a=group:BUNDLE 0|a=group:BUNDLE 0", Rule::BundledTwice),
    ] {
        let mut offer = changed(&good, how);
        if matches!(rule, Rule::CandidatesAtPortZero | Rule::TagBundleOnly) {
            offer = changed(&offer, "m=application 9 => m=application 0");
        }
        assert_eq!(check_offer(&parse(&offer)), Err(Violation { section: Some(0), rule }), "{how}");
    }
    let lonely = changed(&changed(&good, "bundle-only"), "m=application 9 => m=application 0");
    let lonely = lonely.replace("a=group:BUNDLE 0\r\n", "");
    assert_eq!(check_offer(&parse(&lonely)).unwrap_err().rule, Rule::BundleOnly);
    let over_tcp = format!("{good}{AUDIO}").replace("BUNDLE 0", "BUNDLE 0 a").replace("UDP/TLS", "TCP/TLS");
    assert_eq!(
        check_offer(&parse(&over_tcp)),
        Err(Violation { section: Some(1), rule: Rule::BundleTransport })
    );
    assert_eq!(
        check_offer(&parse(&over_tcp.replace("m=audio 9", "m=audio 0"))),
        Ok(()),
        "what is refused is in no group"
    );
    let two = format!("{good}{AUDIO}").replace("ice-ufrag:audio", &format!("ice-ufrag:{}", alice.ufrag));
    assert_eq!(check_offer(&parse(&two)), Err(Violation { section: Some(1), rule: Rule::Credentials }));
    assert_eq!(check_offer(&parse(&good)), Ok(()));
}

#[test]
fn every_rule_of_an_answer_is_kept() {
    let (alice, bob) = (Side::new(1), Side::new(2));
    let offer = alice.session().offer("0").unwrap();
    let good = bob.session().answer(&parse(&offer)).unwrap();
    for (how_offer, how_answer, rule) in [
        ("", "t=0 0 => t=0 3042462419", Rule::Times),
        ("", "m=application => m=audio", Rule::Kind),
        ("", "UDP/DTLS/SCTP => TCP/DTLS/SCTP", Rule::Proto),
        ("", "webrtc-datachannel => other", Rule::Format),
        ("webrtc-datachannel => other", "", Rule::Format),
        ("m=application 9 => m=application 0", "", Rule::Revived),
        ("", "a=mid:0 => a=mid:1", Rule::Mid),
        ("", "BUNDLE 0 => BUNDLE 1", Rule::Bundle),
        ("a=mid:0| => ", "", Rule::Mid),
        ("", "-mid", Rule::Mid),
        ("", "bundle-only", Rule::BundleOnly),
        ("", "-setup", Rule::NoSetup),
        ("", "setup:actpass", Rule::Setup),
        ("", "setup:holdconn", Rule::Setup),
        ("setup:active", "", Rule::Setup),
        ("", "-fingerprint", Rule::NoFingerprint),
        ("-tls-id", "", Rule::TlsId),
        ("-ice-ufrag", "", Rule::UnofferedIce),
        ("", "-ice-ufrag", Rule::NoCredentials),
        ("", "remote-candidates:1 192.0.2.3 45664", Rule::RemoteCandidates),
        ("", "-sctp-port", Rule::NoSctpPort),
        ("sctp-port:0", "", Rule::SctpPort),
        ("", "m=application 9 => m=application 0", Rule::BundledRefusal),
        ("a=group:BUNDLE 0| => ", "", Rule::Bundle),
        ("", "a=group:BUNDLE 0 => a=group:BUNDLE 0 0", Rule::BundledTwice),
    ] {
        let alter = |text: &str, how: &str| match how.strip_suffix("| => ") {
            Some(line) => text.replace(&format!("{line}\r\n"), ""),
            None if how.is_empty() => text.to_owned(),
            None => changed(text, how),
        };
        let (offer, answer) = (alter(&offer, how_offer), alter(&good, how_answer));
        let violation = check_answer(&parse(&offer), &parse(&answer)).expect_err(how_answer);
        assert_eq!(violation.rule, rule, "{how_offer:?}, {how_answer:?}: {violation}");
    }
    let two = format!("{offer}{AUDIO}");
    assert_eq!(check_answer(&parse(&two), &parse(&good)).unwrap_err().rule, Rule::SectionCount);
    let candidate = changed(&good, "candidate:1 1 UDP 1 10.0.1.1 1 typ host");
    let mismatch = changed(&candidate, "ice-mismatch");
    assert_eq!(check_answer(&parse(&offer), &parse(&mismatch)).unwrap_err().rule, Rule::Mismatch);
    let refused = candidate.replace("m=application 9", "m=application 0").replace("a=group:BUNDLE 0\r\n", "");
    assert_eq!(check_answer(&parse(&offer), &parse(&refused)).unwrap_err().rule, Rule::CandidatesAtPortZero);
}

#[test]
fn media_answer_the_offered_direction() {
    let bob = Side::new(2);
    let head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    let offer = format!("{head}{AUDIO}");
    let accepted = |direction: &str| {
        let ufrag = format!("ice-ufrag:{}", bob.ufrag);
        offer.replace("sendonly", direction).replace("actpass", "active").replace("ice-ufrag:audio", &ufrag)
    };
    for (direction, fine) in
        [("recvonly", true), ("inactive", true), ("sendonly", false), ("sendrecv", false)]
    {
        let result = check_answer(&parse(&offer), &parse(&accepted(direction)));
        assert_eq!(result.is_ok(), fine, "{direction}: {result:?}");
        assert!(fine || result.unwrap_err().rule == Rule::Direction);
    }
}

#[test]
fn a_bundle_only_section_is_answered_within_its_group() {
    let head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    let video = "m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=bundle-only\r\n";
    let offer = format!("{head}a=group:BUNDLE a v\r\n{AUDIO}{video}");
    check_offer(&parse(&offer)).unwrap();
    let audio = AUDIO.replace("sendonly", "recvonly").replace("actpass", "active");
    let video = video.replace("m=video 0", "m=video 9").replace("a=bundle-only\r\n", "");
    let answer = format!("{head}a=group:BUNDLE a v\r\n{audio}{video}");
    assert_eq!(check_answer(&parse(&offer), &parse(&answer)), Ok(()));
    let apart = answer.replace("BUNDLE a v", "BUNDLE a");
    let violation = check_answer(&parse(&offer), &parse(&apart)).unwrap_err();
    assert_eq!(violation, Violation { section: Some(1), rule: Rule::Unbundled });
    assert_eq!(violation.to_string(), "section 1: a bundle-only section is accepted outside of its group");
}

#[test]
fn the_next_offer_changes_what_it_may() {
    let (alice, anew) = (Side::new(1), Side::new(3));
    let first = alice.session().offer("0").unwrap();
    let second = LocalSession { version: 1, ..alice.session() }.offer("0").unwrap();
    let next =
        |text: &str| check_next_offer(&parse(&first), &parse(text)).map_err(|violation| violation.rule);
    assert_eq!(next(&first), Ok(vec![Change::None]), "the same text has the same version");
    assert_eq!(next(&second), Ok(vec![Change::None]));
    assert_eq!(next(&format!("{second}{AUDIO}")), Ok(vec![Change::None, Change::New]));
    assert_eq!(next(&second.replace("m=application 9", "m=application 0")), Ok(vec![Change::Removed]));
    assert_eq!(
        next(&second.replace("o=- 4611 1", "o=- 4611 3")),
        Ok(vec![Change::None]),
        "some came to nothing"
    );
    assert_eq!(
        next(&second.replace("ice2 trickle", "ice2")),
        Ok(vec![Change::None]),
        "as an answer may list them"
    );
    let restart = LocalSession { version: 1, trickle: false, ..anew.session() }.offer("0").unwrap();
    assert_eq!(next(&restart), Ok(vec![Change::Restart]), "with it, options and the association may change");
    for (how, rule) in [
        ("o=- 4611 => o=- 4612", Rule::Origin),
        ("o=- 4611 1 => o=- 4611 0", Rule::Version),
        ("a=mid:0 => a=mid:1", Rule::Mid),
        ("ice-ufrag:AAAA", Rule::HalfRestart),
        ("ice-pwd:AAAAAAAAAAAAAAAAAAAAAA", Rule::HalfRestart),
        ("ice-options:ice2 rtp+ecn", Rule::IceChanged),
        ("t=0 0 => t=0 0|a=ice-lite", Rule::IceChanged),
        ("t=0 0 => t=0 0|a=ice-pacing:20", Rule::IceChanged),
        ("tls-id:abc3de65cddef001be82", Rule::TlsIdChanged),
    ] {
        // The version alone is no change; here there is another one besides.
        assert_eq!(next(&changed(&format!("{second}a=x\r\n"), how)), Err(rule), "{how}");
    }
    let two = format!("{first}{AUDIO}");
    assert_eq!(check_next_offer(&parse(&two), &parse(&second)).unwrap_err().rule, Rule::SectionsRemoved);
    let long = |version: &str| second.replace("o=- 4611 1", &format!("o=- 4611 {version}"));
    let (nines, more) = ("9".repeat(40), format!("1{}", "0".repeat(40)));
    for (last, following, fine) in [(&nines, &more, true), (&more, &nines, false), (&nines, &nines, true)] {
        let changed = check_next_offer(&parse(&long(last)), &parse(&long(following)));
        assert_eq!(changed.is_ok(), fine, "{last} {following}");
    }
    for same in [nines.clone(), format!("0{nines}")] {
        let altered = check_next_offer(&parse(&long(&nines)), &parse(&(long(&same) + "a=x\r\n")));
        assert_eq!(altered.unwrap_err().rule, Rule::Version, "{same}");
    }
    let options = |count: usize| {
        let list: String = (0..count).map(|n| format!(" x{n}")).collect();
        second.replace("ice2 trickle", &format!("ice2 trickle{list}"))
    };
    assert_eq!(next(&options(14)), Ok(vec![Change::None]));
    let long = check_next_offer(&parse(&options(15).replace("4611 1", "4611 0")), &parse(&options(16)));
    assert_eq!(long.unwrap_err().rule, Rule::IceChanged, "too many to be searched for each section");
    let shorter = second.replace("4611 1", "4611 2");
    for (last, next) in [(&second, options(15).replace("4611 1", "4611 2")), (&options(15), shorter)] {
        assert_eq!(check_next_offer(&parse(last), &parse(&next)).unwrap_err().rule, Rule::IceChanged);
    }
}

#[test]
fn what_browsers_offer_and_answer_keeps_the_rules() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpora/sdp/browsers-2026");
    let (mut offers, mut pairs, bob) = (0, 0, Side::new(2));
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains("-answer.") || name.contains("-answerFull.") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let offer = parse(&text);
        assert_eq!(check_offer(&offer), Ok(()), "{name}");
        assert!(offer.sections().all(|section| !section.has_mismatch()), "{name}");
        offers += 1;
        match bob.session().answer(&offer) {
            Ok(answer) => assert_eq!(check_answer(&offer, &parse(&answer)), Ok(()), "{name}"),
            Err(error) => {
                let refusable =
                    matches!(error, BuildError::BundleOnly | BuildError::Offer(Unfit::NoDataSection));
                assert!(refusable, "{name}: {error}");
            }
        }
        for answer in ["answer", "answerFull"] {
            let answer = path.with_file_name(name.replace("offerFull.", &format!("{answer}.")));
            if name.contains("offerFull.")
                && let Ok(text) = fs::read_to_string(answer)
            {
                assert_eq!(check_answer(&offer, &parse(&text)), Ok(()), "{name}");
                pairs += 1;
            }
        }
    }
    assert_eq!((offers, pairs), (40, 9));
}

fn candidates() -> Vec<CandidateLine> {
    let lines = [
        "candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host",
        "candidate:2 1 UDP 1694498815 203.0.113.7 50000 typ srflx raddr 0.0.0.0 rport 9",
        "candidate:3 1 UDP 2130706431 a1.local 8998 typ host",
    ];
    lines.map(|line| line.parse().unwrap()).to_vec()
}
