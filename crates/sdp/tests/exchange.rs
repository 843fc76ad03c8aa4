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
    let before = exchanges().after(&[], without);
    assert_eq!(before.fates(), Ok((Begun, Kept, Kept)));
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
}
