//! A second exchange of offer and answer: what may follow the first, and what it does to the transports.
#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests, their helpers too")]

use floe_sdp::{
    Attribute, Edit, Fate, Fingerprint, HashFunction, IcePwd, IceUfrag, LocalSession, Renewal, Rule,
    SessionDescription, Setup, Step, TlsId, Violation, check_exchange,
};

use Fate::{Begun, Ended, Kept};

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

/// What the first exchange left, and the texts of the second: of who offers, then of who answers.
struct Exchanges {
    last: [String; 2],
    next: [String; 2],
}

/// Alice offers and Bob answers, twice and the same.
fn exchanges() -> Exchanges {
    let (alice, bob) = (Side::new(1), Side::new(2));
    let first = alice.session().offer("0").unwrap();
    let answer = bob.session().answer(&parse(&first)).unwrap();
    let second = alice.session().next().offer("0").unwrap();
    let again = bob.session().next().answer(&parse(&second)).unwrap();
    Exchanges { last: [first, answer], next: [second, again] }
}

impl Exchanges {
    /// Sets attributes of the section, and replaces other texts (`this => that`), on both sides of the second exchange.
    fn with(mut self, offer: &[&str], answer: &[&str]) -> Self {
        for (text, changes) in self.next.iter_mut().zip([offer, answer]) {
            *text = changes.iter().fold(text.clone(), |text, how| changed(&text, how));
        }
        self
    }

    /// The same of the first exchange.
    fn after(mut self, offer: &[&str], answer: &[&str]) -> Self {
        for (text, changes) in self.last.iter_mut().zip([offer, answer]) {
            *text = changes.iter().fold(text.clone(), |text, how| changed(&text, how));
        }
        self
    }

    fn check(&self) -> Result<Vec<Renewal>, Violation> {
        let [last_offer, last_answer] = self.last.each_ref().map(|text| parse(text));
        let [offer, answer] = self.next.each_ref().map(|text| parse(text));
        check_exchange(Step { last: &last_offer, next: &offer }, Step { last: &last_answer, next: &answer })
    }

    fn fates(&self) -> Result<(Fate, Fate, Fate), Rule> {
        let renewals = self.check().map_err(|violation| violation.rule)?;
        let [Renewal { ice, dtls, sctp }] = renewals[..] else { panic!("{renewals:?}") };
        Ok((ice, dtls, sctp))
    }
}

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

const RESTART: &[&str] = &["ice-ufrag:anew", "ice-pwd:anewanewanewanewanewanew"];
const OTHER_TLS_ID: &str = "tls-id:abc3de65cddef001be82";
const OTHER_FINGERPRINT: &str =
    "fingerprint:sha-1 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00";

#[test]
fn what_says_the_same_changes_nothing() {
    assert_eq!(exchanges().fates(), Ok((Kept, Kept, Kept)));
    let mut identical = exchanges();
    identical.next = identical.last.clone();
    assert_eq!(identical.fates(), Ok((Kept, Kept, Kept)));
}

#[test]
fn credentials_that_move_between_levels_are_no_restart() {
    let of = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        (format!("{line}\r\n => "), format!("t=0 0 => t=0 0|{line}"))
    };
    let these = exchanges();
    let (ufrag, above) = of(&these.next[0], "a=ice-ufrag:");
    assert_eq!(these.with(&[&ufrag, &above], &[]).fates(), Ok((Kept, Kept, Kept)));
}

#[test]
fn a_restart_is_of_both_sides_and_leaves_the_associations_be() {
    assert_eq!(exchanges().with(RESTART, RESTART).fates(), Ok((Begun, Kept, Kept)));
    assert_eq!(exchanges().with(RESTART, &[]).fates(), Err(Rule::RestartUnanswered));
    assert_eq!(exchanges().with(&[], RESTART).fates(), Err(Rule::UnofferedRestart));
    assert_eq!(exchanges().with(&["ice-ufrag:anew"], RESTART).fates(), Err(Rule::HalfRestart));
    assert_eq!(
        exchanges().with(RESTART, &["ice-pwd:anewanewanewanewanewanew"]).fates(),
        Err(Rule::HalfRestart)
    );
}

#[test]
fn a_new_association_of_dtls_needs_a_restart() {
    let restarted = |more: &'static str| [RESTART, &[more]].concat();
    for (offer, answer) in [
        (OTHER_TLS_ID, OTHER_TLS_ID),
        (OTHER_TLS_ID, "setup:active"),
        (OTHER_FINGERPRINT, "setup:active"),
        ("setup:actpass", OTHER_FINGERPRINT),
        ("setup:actpass", "setup:passive"),
        ("setup:active", "setup:passive"),
    ] {
        let with = exchanges().with(&restarted(offer), &restarted(answer));
        assert_eq!(with.fates(), Ok((Begun, Begun, Kept)), "{offer}, {answer}");
        let without = exchanges().with(&[offer], &[answer]).fates();
        assert!(
            matches!(without, Err(Rule::DtlsWithoutRestart | Rule::TlsIdChanged)),
            "{offer}, {answer}: {without:?}"
        );
    }
    let over_tcp = "UDP/DTLS/SCTP => TCP/DTLS/SCTP";
    let tcp = exchanges().with(&[over_tcp, OTHER_FINGERPRINT], &[over_tcp]);
    assert_eq!(tcp.fates(), Ok((Kept, Begun, Kept)), "what comes over TCP cannot be late");
}

#[test]
fn fingerprints_are_a_set_at_either_level() {
    let two = format!("a=setup => a={OTHER_FINGERPRINT}|a=setup");
    let swapped = format!("a=fingerprint:sha-256 => a={OTHER_FINGERPRINT}|a=fingerprint:sha-256");
    assert_eq!(exchanges().after(&[], &[&two]).with(&[], &[&swapped]).fates(), Ok((Kept, Kept, Kept)));
    assert_eq!(exchanges().with(&[], &[&swapped]).fates(), Err(Rule::DtlsWithoutRestart), "one more");
    let twice = format!("a=setup => a={OTHER_FINGERPRINT}|a={OTHER_FINGERPRINT}|a=setup");
    let repeated = exchanges().after(&[], &[&two]).with(&[], &[&twice]);
    assert_eq!(repeated.fates(), Err(Rule::DtlsWithoutRestart), "a set of another length is another");
    let above = |text: &str| format!("t=0 0 => t=0 0|a={text}");
    let session = above(OTHER_FINGERPRINT);
    let moved = exchanges().after(&["-fingerprint", &session], &[]).with(&[OTHER_FINGERPRINT], &[]);
    assert_eq!(moved.fates(), Ok((Kept, Kept, Kept)));
    let down = exchanges().after(&[OTHER_FINGERPRINT], &[]).with(&["-fingerprint", &session], &[]);
    assert_eq!(down.fates(), Ok((Kept, Kept, Kept)));
    let other = above(&OTHER_FINGERPRINT.replace(":00", ":01"));
    let both = exchanges().after(&["-fingerprint", &session], &[]).with(&["-fingerprint", &other], &[]);
    assert_eq!(both.fates(), Err(Rule::DtlsWithoutRestart));
}

#[test]
fn whoever_offers_the_roles_stay_where_they_are() {
    let (alice, bob) = (Side::new(1), Side::new(2));
    let Exchanges { last: [first, answer], .. } = exchanges();
    let offer = bob.session().next().offer("0").unwrap();
    let answered = |role| {
        let next = alice.session().next().answer_as(role, &parse(&offer)).unwrap();
        Exchanges { last: [answer.clone(), first.clone()], next: [offer.clone(), next] }
    };
    // Bob answered "active", so that Alice is the server still.
    assert_eq!(answered(Setup::Passive).fates(), Ok((Kept, Kept, Kept)));
    assert_eq!(answered(Setup::Active).fates(), Err(Rule::DtlsWithoutRestart));
    // And the other way round.
    let passive = changed(&answer, "setup:passive");
    let answered = |role| Exchanges { last: [passive.clone(), first.clone()], ..answered(role) };
    assert_eq!(answered(Setup::Active).fates(), Ok((Kept, Kept, Kept)));
    assert_eq!(answered(Setup::Passive).fates(), Err(Rule::DtlsWithoutRestart));
}

#[test]
fn another_port_of_sctp_is_another_association() {
    let to = |offer: &str, answer: &str| exchanges().with(&[offer], &[answer]).fates();
    assert_eq!(to("sctp-port:5001", "sctp-port:5001"), Ok((Kept, Kept, Begun)));
    assert_eq!(to("sctp-port:5000", "sctp-port:5001"), Ok((Kept, Kept, Begun)));
    assert_eq!(to("sctp-port:5001", "sctp-port:5000"), Err(Rule::SctpPortKept));
    assert_eq!(to("sctp-port:0", "sctp-port:0"), Ok((Kept, Kept, Ended)));
    assert_eq!(to("sctp-port:5000", "sctp-port:0"), Ok((Kept, Kept, Ended)));
    let closed: &[&str] = &["sctp-port:0"];
    assert_eq!(exchanges().after(closed, closed).fates(), Ok((Kept, Kept, Begun)));
    assert_eq!(exchanges().after(closed, &[]).fates(), Ok((Kept, Kept, Begun)), "whoever closed it");
    assert_eq!(exchanges().after(&[], closed).fates(), Ok((Kept, Kept, Begun)));
    assert_eq!(exchanges().after(closed, closed).with(closed, closed).fates(), Ok((Kept, Kept, Ended)));
}

#[test]
fn a_refused_section_has_no_transport_and_comes_back_with_new_ones() {
    let (alice, bob) = (Side::new(1), Side::new(2));
    let removal = alice.session().next().removal("0").unwrap();
    let refusal = bob.session().next().refusal(&parse(&removal)).unwrap();
    let Exchanges { last, next } = exchanges();
    let removed = Exchanges { last: last.clone(), next: [removal.clone(), refusal.clone()] };
    assert_eq!(removed.fates(), Ok((Ended, Ended, Ended)));
    let refusal_alone = bob.session().next().refusal(&parse(&next[0])).unwrap();
    let refused = Exchanges { last, next: [next[0].clone(), refusal_alone] };
    assert_eq!(refused.fates(), Ok((Ended, Ended, Ended)));
    let offer = alice.session().next().next().offer("0").unwrap();
    let answer = bob.session().next().next().answer(&parse(&offer)).unwrap();
    let back = Exchanges { last: [removal, refusal], next: [offer, answer] };
    assert_eq!(back.fates(), Ok((Begun, Begun, Begun)));
    let wordy = exchanges().after(&[], &["m=application 9 => m=application 0"]);
    assert_eq!(wordy.fates(), Ok((Begun, Begun, Begun)), "whatever else a refusal says");
}

#[test]
fn what_an_exchange_must_keep_of_itself_is_checked_too() {
    let times = "t=0 0 => t=0 3042462419";
    assert_eq!(exchanges().with(&[], &[times]).fates(), Err(Rule::Times));
    assert_eq!(exchanges().with(&["o=- 4611 1 => o=- 4611 0", "x:y"], &[]).fates(), Err(Rule::Version));
    assert_eq!(exchanges().with(&[], &["o=- 4611 1 => o=- 4612 1"]).fates(), Err(Rule::Origin));
}

#[test]
fn an_answer_without_ice_leaves_the_rest() {
    for answer in [&["-ice-ufrag", "-ice-pwd"][..], &["ice-mismatch"]] {
        assert_eq!(exchanges().with(&[], answer).fates(), Ok((Ended, Kept, Kept)), "{answer:?}");
    }
    let without: &[&str] = &["-ice-ufrag", "-ice-pwd", "-ice-options"];
    for before in [exchanges().after(&[], without), exchanges().after(without, &[])] {
        assert_eq!(before.fates(), Ok((Begun, Kept, Kept)), "whoever went without");
    }
    let renewed = exchanges().with(&[], &[without, &[OTHER_FINGERPRINT]].concat());
    assert_eq!(renewed.fates(), Ok((Ended, Begun, Kept)), "the addresses are others");
}

/// Sections as browsers have them: `a:1` tells of a transport of its own, by that digit, and `a` of none; `d` is one of
/// data channels, `-a` is refused. Groups as in [`grouped`].
fn bundled(version: u8, groups: &str, sections: &str, side: usize) -> String {
    let groups = groups.split('|').map(str::trim).filter(|group| !group.is_empty());
    let groups: String = groups.map(|group| format!("a=group:BUNDLE {group}\r\n")).collect();
    let role = if side == 0 { "actpass" } else { "active" };
    let section = |text: &str| {
        let (port, text) = text.strip_prefix('-').map_or((9, text), |text| (0, text));
        let (mid, transport) = text.split_once(':').map_or((text, None), |(mid, digit)| (mid, Some(digit)));
        let (line, more) = match mid {
            "d" => ("application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:5000\r\n"),
            _ => ("audio 9 UDP/TLS/RTP/SAVPF 0", ""),
        };
        let line = line.replace(" 9 ", &format!(" {port} "));
        let own = transport.map(|digit| {
            let ufrag = format!("{digit}{side}").repeat(2);
            let pwd = format!("{digit}{side}").repeat(11);
            format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\na=setup:{role}\r\n{OTHER}")
        });
        format!("m={line}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n{more}{}", own.unwrap_or_default())
    };
    let sections: String = sections.split(' ').map(section).collect();
    format!("{HEAD}{groups}{sections}").replace("VERSION", &version.to_string())
}

/// Two exchanges of groups and sections, each the offer and the answer.
fn two(last: [(&str, &str); 2], next: [(&str, &str); 2]) -> Exchanges {
    let text = |version, [offer, answer]: [(&str, &str); 2]| {
        [bundled(version, offer.0, offer.1, 0), bundled(version, answer.0, answer.1, 1)]
    };
    Exchanges { last: text(1, last), next: text(2, next) }
}

/// What becomes of ICE and DTLS of each section, or which rule is broken where.
fn transports(of: &Exchanges) -> Result<Vec<(Fate, Fate)>, Broken> {
    let renewals = of.check().map_err(|violation| (violation.section, violation.rule))?;
    Ok(renewals.iter().map(|renewal| (renewal.ice, renewal.dtls)).collect())
}

type Broken = (Option<usize>, Rule);

const GOES_ON: (Fate, Fate) = (Kept, Kept);

#[test]
fn a_group_has_the_transport_of_whom_both_let_speak_for_it() {
    // RFC 9429: unique credentials in the first offer, and then those of the first section only.
    let first = [("a b d", "a:1 b:2 d:3"), ("a b d", "a:1 b d")];
    let later = [("a b d", "a:1 b d"), ("a b d", "a:1 b d")];
    assert_eq!(transports(&two(first, later)), Ok(vec![GOES_ON; 3]));
    assert_eq!(transports(&two(first, first)), Ok(vec![GOES_ON; 3]), "told again");
    let other = [("b a d", "a b:1 d"), ("b a d", "a b:1 d")];
    assert_eq!(transports(&two(first, other)), Ok(vec![GOES_ON; 3]), "another one speaks");
    let mut half = two(first, other);
    half.next[0] = half.next[0].replace("a=ice-pwd:10", "a=ice-pwd:20");
    assert_eq!(transports(&half), Err((Some(1), Rule::HalfRestart)), "with another password");
    let restart = [("a b d", "a:4 b d"), ("a b d", "a:4 b d")];
    assert_eq!(transports(&two(first, restart)), Ok(vec![(Begun, Kept); 3]));
    let half = two(first, [("a b d", "a:4 b d"), ("a b d", "a:1 b d")]);
    assert_eq!(transports(&half), Err((Some(0), Rule::RestartUnanswered)));
    // The first is refused, so that the second speaks.
    let refused = [("a b d", "a:1 b:2 d:3"), ("b d", "-a b:1 d")];
    let later = [("b d", "-a b:2 d"), ("b d", "-a b:1 d")];
    assert_eq!(transports(&two(refused, later)), Ok(vec![(Ended, Ended), GOES_ON, GOES_ON]));
    // Whoever answered then offers now.
    let turned = two([first[1], first[0]], [("a b d", "a:1 b d"), ("a b d", "a:1 b d")]);
    assert_eq!(transports(&turned), Ok(vec![GOES_ON; 3]));
    let turned = two([refused[1], refused[0]], [("b d", "-a b:1 d"), ("b d", "-a b:2 d")]);
    assert_eq!(transports(&turned), Ok(vec![(Ended, Ended), GOES_ON, GOES_ON]));
    // The order of the group counts, not that of the sections; and the first may be refused or left out.
    for (a, fate) in [("-a", (Ended, Ended)), ("a:1", GOES_ON)] {
        let answer = format!("{a} b d:1");
        let (offer, later) = (("a d b", "a:1 b:2 d:3"), format!("{a} b d:3"));
        let goes_on = Ok(vec![fate, GOES_ON, GOES_ON]);
        let next = [("d b", later.as_str()), ("d b", answer.as_str())];
        assert_eq!(transports(&two([offer, ("d b", &answer)], next)), goes_on, "{a}");
        let turned = two([("d b", &answer), offer], [next[1], next[0]]);
        assert_eq!(transports(&turned), goes_on, "{a}");
    }
    let offer = ("a b", "a:1 b:2");
    let unbundled = ("", "a:1 b:2");
    assert_eq!(
        transports(&two([unbundled, offer], [unbundled; 2])),
        Ok(vec![GOES_ON; 2]),
        "never agreed upon"
    );
}

#[test]
fn who_speaks_for_a_group_ends_ice_for_all_and_any_other_for_itself() {
    let both = [("a d", "a:1 d"); 2];
    let with_mismatch = |at: &str| {
        let mut exchanges = two(both, both);
        let line = format!("a=mid:{at}\r\n");
        exchanges.next[1] = exchanges.next[1].replace(&line, &format!("{line}a=ice-mismatch\r\n"));
        exchanges
    };
    assert_eq!(transports(&with_mismatch("a")), Ok(vec![(Ended, Kept); 2]));
    assert_eq!(transports(&with_mismatch("d")), Ok(vec![GOES_ON, (Ended, Kept)]));
}

#[test]
fn many_sections_of_one_group_with_many_fingerprints_are_judged_at_once() {
    let (mids, count) = ((0..900).map(|n| format!("s{n}")).collect::<Vec<_>>(), 900);
    let sections = format!("{}:1 {}", mids[0], mids[1..].join(" "));
    let group = mids.join(" ");
    let mut exchanges = two([(&group, &sections); 2], [(&group, &sections); 2]);
    let lines = |order: &mut dyn Iterator<Item = u16>| {
        let line = |n: u16| OTHER.replacen("00:00", &format!("{:02X}:{:02X}", n / 256, n % 256), 1);
        order.map(line).collect::<String>()
    };
    exchanges.last[0] = exchanges.last[0].replace(OTHER, &lines(&mut (0..count)));
    exchanges.next[0] = exchanges.next[0].replace(OTHER, &lines(&mut (0..count).rev()));
    assert_eq!(transports(&exchanges), Ok(vec![GOES_ON; 900]));
}

#[test]
fn who_joins_a_group_has_its_transport_and_who_leaves_it_one_of_its_own() {
    let alone = [("a", "a:1"), ("a", "a:1")];
    let joined = two(alone, [("a d", "a:1 d"), ("a d", "a:1 d")]);
    assert_eq!(
        joined.check(),
        Ok(vec![
            Renewal { ice: Kept, dtls: Kept, sctp: Ended },
            Renewal { ice: Kept, dtls: Kept, sctp: Begun }
        ])
    );
    let in_front = two(alone, [("d a", "a d:1"), ("d a", "a d:1")]);
    assert_eq!(transports(&in_front), Ok(vec![GOES_ON; 2]), "who joins speaks for all");
    let apart = [("", "a:1 d:2"), ("", "a:1 d:2")];
    let united = two(apart, [("a d", "a:1 d"), ("a d", "a:1 d")]);
    assert_eq!(transports(&united), Ok(vec![GOES_ON; 2]));
    let together = [("a d", "a:1 d"), ("a d", "a:1 d")];
    let parted = two(together, [("a", "a:1 d:2"), ("a", "a:1 d:2")]);
    assert_eq!(transports(&parted), Ok(vec![GOES_ON, (Begun, Kept)]));
    let parted = two(together, [("a", "a:1 d:2"), ("a", "a:1 d:1")]);
    assert_eq!(transports(&parted), Err((Some(1), Rule::RestartUnanswered)));
}

#[test]
fn what_is_removed_leaves_its_group_and_its_place_may_be_taken() {
    let first = [("a b", "a:1 b"), ("a b", "a:1 b")];
    let left = two(first, [("a", "a:1 -b"), ("a", "a:1 -b")]);
    assert_eq!(transports(&left), Ok(vec![GOES_ON, (Ended, Ended)]));
    let kept = two(first, [("a b", "a:1 -b"), ("a", "a:1 -b")]);
    assert_eq!(transports(&kept), Err((Some(1), Rule::BundledRefusal)));
    // The answer refused it, so that its place is free, whatever the offer said.
    let refused = [("", "a:1 b:2"), ("", "a:1 -b")];
    let taken = two(refused, [("", "a:1 d:3"), ("", "a:1 d:3")]);
    assert_eq!(transports(&taken), Ok(vec![GOES_ON, (Begun, Begun)]));
    let accepted = [("", "a:1 b:2"), ("", "a:1 b:2")];
    let taken = two(accepted, [("", "a:1 d:3"), ("", "a:1 d:3")]);
    assert_eq!(transports(&taken), Err((Some(1), Rule::Mid)));
}

#[test]
fn without_ice_and_a_name_another_address_is_another_association() {
    let bare: &[&str] = &["-ice-ufrag", "-ice-pwd", "-ice-options", "-tls-id"];
    let bare = || exchanges().after(bare, bare).with(bare, bare);
    assert_eq!(bare().fates(), Ok((Ended, Kept, Kept)));
    let port = "m=application 9 => m=application 5004";
    let address = "c=IN IP4 0.0.0.0 => c=IN IP4 192.0.2.1";
    for (offer, answer) in [(&[port][..], &[][..]), (&[], &[port]), (&[address], &[]), (&[], &[address])] {
        assert_eq!(bare().with(offer, answer).fates(), Ok((Ended, Begun, Kept)), "{offer:?} {answer:?}");
        let both = bare().with(offer, answer).with(&[OTHER_FINGERPRINT], &[]);
        assert_eq!(both.fates(), Ok((Ended, Begun, Kept)), "{offer:?} {answer:?}");
        let nameless: &[&str] = &["-tls-id"];
        let with_ice = exchanges().after(nameless, nameless).with(nameless, nameless).with(offer, answer);
        assert_eq!(with_ice.fates(), Ok((Kept, Kept, Kept)), "candidates speak there: {offer:?} {answer:?}");
    }
    assert_eq!(bare().with(&[OTHER_FINGERPRINT], &[]).fates(), Err(Rule::DtlsWithoutRestart));
    let over_tcp = &["UDP/DTLS/SCTP => TCP/DTLS/SCTP"];
    let tcp = bare().with(&[OTHER_FINGERPRINT], &[]).with(over_tcp, over_tcp);
    assert_eq!(tcp.fates(), Ok((Ended, Begun, Kept)));
    let named: &[&str] = &["-ice-ufrag", "-ice-pwd", "-ice-options"];
    let named = exchanges().after(named, named).with(named, named).with(&[port], &[port]);
    assert_eq!(named.fates(), Ok((Ended, Kept, Kept)), "the tls-id says that it is the same");
}

#[test]
fn a_first_association_needs_no_restart() {
    let plain: &[&str] = &["-fingerprint", "-setup", "-tls-id"];
    assert_eq!(exchanges().after(plain, plain).fates(), Err(Rule::TlsIdChanged));
    let plain: &[&str] = &["-fingerprint", "-setup"];
    assert_eq!(exchanges().after(plain, plain).fates(), Ok((Kept, Begun, Kept)));
    assert_eq!(exchanges().with(plain, plain).fates(), Ok((Kept, Ended, Kept)));
}

const HEAD: &str = "v=0\r\no=- 1 VERSION IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

/// A description of media in groups: `a b | c` stands for two groups; `-a` for a section that is refused.
fn grouped(version: u8, groups: &str, sections: &str, role: &str) -> String {
    let groups = groups.split('|').map(str::trim).filter(|group| !group.is_empty());
    let groups: String = groups.map(|group| format!("a=group:BUNDLE {group}\r\n")).collect();
    let section = |mid: &str| {
        let (port, mid) = mid.strip_prefix('-').map_or((9, mid), |mid| (0, mid));
        format!(
            "m=audio {port} UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=ice-ufrag:{mid}{mid}{mid}{mid}{role}\r\n\
             a=ice-pwd:{role}\r\na=setup:actpass\r\n{OTHER}"
        )
    };
    let sections: String = sections.split(' ').map(section).collect();
    let role_word = if role == ROLES[0] { "actpass" } else { "active" };
    let text = format!("{HEAD}{groups}{sections}").replace("VERSION", &version.to_string());
    text.replace("setup:actpass", &format!("setup:{role_word}"))
}

const ROLES: [&str; 2] = ["ooooooooooooooooooooooooo", "aaaaaaaaaaaaaaaaaaaaaaaaa"];
const OTHER: &str = "a=fingerprint:sha-1 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\r\n";

#[test]
fn groups_that_were_agreed_upon_are_left_by_an_offer_only() {
    let check = |last: [&str; 2], next: [(&str, &str); 2]| {
        let all = "a b c";
        let exchanges = Exchanges {
            last: [grouped(1, last[0], all, ROLES[0]), grouped(1, last[1], all, ROLES[1])],
            next: [grouped(2, next[0].0, next[0].1, ROLES[0]), grouped(2, next[1].0, next[1].1, ROLES[1])],
        };
        exchanges.check().map(|_| ()).map_err(|violation| (violation.section, violation.rule))
    };
    let agreed = ["a b", "a b"];
    let all = "a b c";
    assert_eq!(check(agreed, [("a b", all), ("a b", all)]), Ok(()));
    assert_eq!(check(agreed, [("a b", all), ("a", all)]), Err((Some(1), Rule::MovedOut)));
    assert_eq!(check(["a b", "a"], [("a b", all), ("a", all)]), Err((Some(1), Rule::MovedOut)), "added");
    assert_eq!(check(["a b", ""], [("a b", all), ("a", all)]), Ok(()), "never agreed upon");
    assert_eq!(check(agreed, [("a", all), ("a", all)]), Ok(()), "the offer may");
    assert_eq!(check(agreed, [("", all), ("", all)]), Ok(()));
    assert_eq!(check(agreed, [("a b c", all), ("a b c", all)]), Ok(()), "one more");
    let two = ["a b | c", "a b | c"];
    assert_eq!(check(two, [("a | b c", all), ("a | b c", all)]), Err((Some(1), Rule::MovedOver)));
    assert_eq!(check(two, [("a b c", all), ("a b c", all)]), Err((Some(2), Rule::MovedOver)));
    assert_eq!(check(agreed, [("a | b", all), ("a | b", all)]), Err((Some(1), Rule::MovedOver)));
    assert_eq!(check(agreed, [("a b", all), ("b", "-a b c")]), Err((Some(0), Rule::TagRefused)));
    assert_eq!(check(agreed, [("b a", all), ("b", "-a b c")]), Ok(()), "another speaks for the group");
    assert_eq!(check(agreed, [("a b", all), ("", "-a -b c")]), Ok(()), "the whole group");
    assert_eq!(check(["", ""], [("a b", all), ("b", "-a b c")]), Ok(()), "a first answer may");
}

#[test]
fn a_section_without_dtls_gets_none() {
    let plain = |version, role| {
        let text = grouped(version, "", "a", role).replace(OTHER, "").replace("UDP/TLS/RTP/SAVPF", "RTP/AVP");
        text.replace("a=setup:actpass\r\n", "").replace("a=setup:active\r\n", "")
    };
    let last = [plain(1, ROLES[0]), plain(1, ROLES[1])];
    let next = [plain(2, ROLES[0]), plain(2, ROLES[1])];
    assert_eq!(Exchanges { last, next }.fates(), Ok((Kept, Ended, Ended)));
    let stray = |version, role| grouped(version, "", "a", role).replace("UDP/TLS/RTP/SAVPF", "RTP/AVP");
    let last = [stray(1, ROLES[0]), stray(1, ROLES[1])];
    let next = [stray(2, ROLES[0]), stray(2, ROLES[1])];
    assert_eq!(Exchanges { last, next }.fates(), Ok((Kept, Ended, Ended)), "the protocol decides");
}
