//! What holds for every line there can be.

use core::net::{IpAddr, Ipv4Addr};

use floe_sdp::{
    Address, Attribute, CandidateLine, CandidateType, Edit, Fate, Fingerprint, Fragment, HashFunction,
    IceAttribute, IceOptions, IcePwd, IceUfrag, Limits, LocalFragment, LocalSession, ParseError,
    ParseErrorKind, Renewal, SessionDescription, Setup, Step, TlsId, Transport, check_answer, check_exchange,
    check_next_offer, check_offer, ice_sections,
};
use proptest::array::uniform8;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const LINES: &str = include_str!("../../../tests/corpora/candidate/browsers-2026.txt");

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_candidate_prints_and_parses_back(candidate in candidates()) {
        prop_assert_eq!(CandidateLine::parse(&candidate.to_string()), Ok(candidate));
    }

    #[test]
    fn an_address_is_read_as_the_standard_library_reads_it(text in address_texts()) {
        let line = CandidateLine::parse(&format!("candidate:1 1 UDP 1 {text} 1 typ host"));
        let read = line.ok().and_then(|line| match line.address {
            Address::Ip(ip) => Some(ip),
            Address::Name(_) => None,
        });
        prop_assert_eq!(read, text.parse().ok());
    }

    #[test]
    fn an_address_is_written_as_the_standard_library_writes_it(ip in ips()) {
        prop_assert_eq!(Address::from(ip).to_string(), ip.to_string());
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".*") {
        read_everything(&text);
    }

    #[test]
    fn arbitrary_bytes_behind_a_name_never_panic(name in select(NAMES), bytes in vec(any::<u8>(), 0..80)) {
        read_everything(&format!("{name}:{}", String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn a_damaged_line_is_refused_or_prints_and_parses_back(line in damaged_lines()) {
        read_everything(&line);
        if let Ok(Some(attribute)) = IceAttribute::parse(&line) {
            let printed = attribute.to_string();
            prop_assert!(!printed.contains(['\r', '\n', '\0']));
            prop_assert_eq!(IceAttribute::parse(&printed), Ok(Some(attribute)));
        }
    }

    #[test]
    fn unknown_extensions_are_kept_byte_for_byte(pairs in extensions()) {
        let tail: String = pairs.iter().map(|(name, value)| format!(" {name} {value}")).collect();
        let text = format!("candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host{tail}");
        prop_assert_eq!(CandidateLine::parse(&text).map(|line| line.to_string()), Ok(text));
    }

    #[test]
    fn an_error_points_into_the_text_and_is_short_printable_ascii(text in ".{0,60}", name in select(NAMES)) {
        for text in [format!("{name}:{text}"), format!("a={name}:{text}"), format!("{name}:1 1 UDP {text}")] {
            for error in read_everything(&text) {
                prop_assert!((1..=text.len() + 1).contains(&error.column()), "{error}");
                prop_assert!(text.is_char_boundary(error.column() - 1), "{error}");
                prop_assert!(error.found().bytes().all(|b| (b' '..=b'~').contains(&b)), "{error}");
                prop_assert!(error.found().len() <= 24 * "\\u{10ffff}".len() + 5, "{error}");
            }
        }
    }

    #[test]
    fn a_damaged_description_is_refused_or_comes_back_byte_for_byte(text in damaged_descriptions()) {
        read_everything(&text);
        match SessionDescription::parse(&text) {
            Ok(description) => {
                let printed = description.to_string();
                prop_assert_eq!(&printed, &text);
                let again = SessionDescription::parse(&printed).unwrap();
                prop_assert_eq!(format!("{description:?}"), format!("{again:?}"));
                let lines: usize = description.lines().count();
                prop_assert_eq!(lines, text.lines().count());
                let of_levels = description.session_lines().count()
                    + description.media.iter().map(|media| media.lines().count()).sum::<usize>();
                prop_assert_eq!(lines, of_levels);
            }
            Err(error) => {
                let line = text.split('\n').nth(error.line().unwrap_or(1) - 1).unwrap();
                prop_assert!((1..=line.len() + 1).contains(&error.column()), "{}", error);
                prop_assert!(line.is_char_boundary(error.column() - 1), "{}", error);
            }
        }
    }

    #[test]
    fn neither_an_error_nor_debug_shows_a_password(text in damaged_descriptions()) {
        let shows = |shown: &str| shown.contains("Qay+EHe5") || shown.contains("5kcIsPGK");
        match SessionDescription::parse(&text) {
                Ok(description) => {
                let debug = format!("{description:?}");
                prop_assert!(!shows(&debug), "{}", debug);
            }
            Err(error) => prop_assert!(!shows(&error.to_string()), "{}", error),
        }
    }

    #[test]
    fn lines_of_any_sort_in_any_order_never_panic(lines in vec("[a-z]=.{0,40}", 0..30)) {
        read_everything(&lines.join("\r\n"));
        read_everything(&format!("v=0\no=- 1 1 IN IP4 0\ns=-\nt=0 0\n{}", lines.join("\n")));
    }

    #[test]
    fn unknown_attributes_are_kept_in_place(
        unknown in vec(("x[!#$%&'*+.^_`{|}~A-Za-z0-9-]{0,16}", option::of("[^\r\n\0]{1,24}")), 1..6),
        at in any::<Index>(),
    ) {
        let lines: Vec<_> = OFFER.split_inclusive("\r\n").collect();
        let first = lines.iter().position(|line| line.starts_with("a=")).unwrap();
        // Anywhere behind the first attribute but between "m=" and "c=".
        let places: Vec<_> = (first..=lines.len())
            .filter(|&at| lines.get(at).is_none_or(|line| !line.starts_with("c=")))
            .collect();
        let at = places[at.index(places.len())];
        let line = |(name, value): &(String, Option<String>)| {
            format!("a={name}{}\r\n", value.as_ref().map_or(String::new(), |value| format!(":{value}")))
        };
        let inserted: String = unknown.iter().map(line).collect();
        let text = lines[..at].concat() + &inserted + &lines[at..].concat();
        let description = SessionDescription::parse(&text).unwrap();
        prop_assert_eq!(description.to_string(), text.clone());
        prop_assert!(description.data_session().is_ok());
        for (name, value) in &unknown {
            let shown = |line: floe_sdp::Line<'_>| match Attribute::parse(line.value) {
                Ok(Attribute::Other(raw)) => raw.name == name && raw.value == value.as_deref(),
                _ => false,
            };
            prop_assert!(description.lines().any(|line| line.kind == 'a' && shown(line)), "{}", name);
        }
        let mut edit = Edit::new(&description);
        edit.set(Some(0), &Attribute::Setup(Setup::Passive));
        prop_assert_eq!(edit.finish(), Ok(text.replace("a=setup:actpass", "a=setup:passive")));
    }

    #[test]
    fn what_is_built_prints_and_parses_back(
        ids in (0..u64::MAX / 4, 0..u64::MAX / 4),
        seeds in (any::<u8>(), any::<u8>()),
        rest in (any::<u16>(), any::<u64>(), any::<bool>(), any::<bool>(), option::of(any::<u32>())),
        candidates in vec(sendable_candidates(), 0..6),
        hash in select(vec![HashFunction::Sha1, HashFunction::Sha256, HashFunction::Sha512]),
        mid in "[!#$%&'*+.^_`{|}~A-Za-z0-9-]{1,20}",
    ) {
        let (sctp_port, max_message_size, trickle, is_lite, pacing) = rest;
        let own = |seed: u8| (
            IceUfrag::from_random([seed; 6]),
            IcePwd::from_random([seed; 18]),
            [Fingerprint::new(hash, &vec![seed; hash.len()]).unwrap()],
            TlsId::from_random([seed; 18]),
        );
        let (ours, theirs) = (own(seeds.0), own(seeds.1));
        let local = LocalSession {
            version: ids.1,
            tls_id: Some(&ours.3),
            sctp_port,
            max_message_size,
            trickle,
            is_lite,
            pacing,
            candidates: &candidates,
            end_of_candidates: !trickle,
            ..LocalSession::new(ids.0, &ours.0, &ours.1, &ours.2)
        };
        let text = local.offer(&mid).unwrap();
        let offer = SessionDescription::parse(&text).unwrap();
        prop_assert_eq!(check_offer(&offer), Ok(()));
        let read = offer.data_session().unwrap();
        prop_assert_eq!((read.ufrag, read.pwd, read.fingerprints), (&ours.0, &ours.1, &ours.2[..]));
        prop_assert_eq!((read.tls_id, read.sctp_port, read.setup), (Some(&ours.3), sctp_port, Setup::ActPass));
        let size = if max_message_size == 0 { u64::MAX } else { max_message_size };
        prop_assert_eq!((read.max_message_size, read.can_trickle()), (size, trickle));
        prop_assert_eq!(read.section.media().mid, Some(mid.as_str()));
        prop_assert_eq!(read.candidates().map(|line| line.to_line()).collect::<Vec<_>>(), candidates.clone());
        let answer = LocalSession::new(ids.1, &theirs.0, &theirs.1, &theirs.2);
        let answer = LocalSession { tls_id: Some(&theirs.3), ..answer }.answer(&offer).unwrap();
        let answer = SessionDescription::parse(&answer).unwrap();
        prop_assert_eq!(check_answer(&offer, &answer), Ok(()));
        prop_assert!(check_next_offer(&offer, &offer).is_ok());
        let (offers, answers) = (Step { last: &offer, next: &offer }, Step { last: &answer, next: &answer });
        let sctp = if sctp_port == 0 { Fate::Ended } else { Fate::Kept };
        let kept = Renewal { ice: Fate::Kept, dtls: Fate::Kept, sctp };
        prop_assert_eq!(check_exchange(offers, answers), Ok(vec![kept]));
        prop_assert!(offer.sections().chain(answer.sections()).all(|section| !section.has_mismatch()));
        let fragment = LocalFragment {
            mid: &mid,
            ufrag: &ours.0,
            pwd: &ours.1,
            candidates: &candidates,
            end_of_candidates: trickle,
        };
        let text = fragment.write().unwrap();
        let fragment = Fragment::parse(&text).unwrap();
        let back: Vec<_> = fragment.candidates_of(&ours.0, &ours.1).map(|(_, line)| line.to_line()).collect();
        prop_assert_eq!(back, candidates);
    }

    #[test]
    fn a_fragment_comes_back_byte_for_byte(text in damaged_fragments()) {
        if let Ok(fragment) = Fragment::parse(&text) {
            prop_assert_eq!(fragment.to_string(), text.clone());
            prop_assert!(fragment.media.iter().all(|media| media.mid.is_some()));
        }
    }

    #[test]
    fn a_fingerprint_prints_and_parses_back(bytes: [u8; 64], hash in select(HASHES)) {
        let fingerprint = Fingerprint::new(hash, &bytes[..hash.len()]).unwrap();
        prop_assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Ok(fingerprint));
        prop_assert_eq!(fingerprint.digest(), &bytes[..hash.len()]);
    }

    #[test]
    fn random_bits_make_credentials_of_the_grammar(ufrag: [u8; 6], pwd: [u8; 18]) {
        let (ufrag, pwd) = (IceUfrag::from_random(ufrag), IcePwd::from_random(pwd));
        prop_assert_eq!(IceUfrag::parse(ufrag.as_str()), Ok(ufrag));
        prop_assert_eq!(IcePwd::parse(pwd.as_str()), Ok(pwd));
    }
}

// One meaning has many forms, and what is printed has one.
proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Literals of ABNF match in any case (RFC 5234 section 2.3), and a number may begin with zeros.
    #[test]
    fn a_candidate_in_any_case_is_the_same(candidate in candidates(), cases in any::<u64>(), zeros in 0..3_usize) {
        let (component, port) = (candidate.component, candidate.port);
        let text = candidate.to_string();
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        words[2] = in_any_case(&words[2], cases);
        words[6] = in_any_case(&words[6], cases);
        words[7] = in_any_case(&words[7], cases >> 8);
        if candidate.related.is_some() {
            words[8] = in_any_case(&words[8], cases >> 16);
            words[10] = in_any_case(&words[10], cases >> 24);
        }
        words[1] = format!("{component:0width$}", width = 3.min(zeros + 1));
        words[5] = format!("{port:0width$}", width = 3 + zeros);
        let again = CandidateLine::parse(&words.join(" ")).unwrap();
        let other = match (&again.transport, &candidate.transport) {
            // A transport that nobody knows is kept as it was written.
            (Transport::Other(read), Transport::Other(wrote)) => read.eq_ignore_ascii_case(wrote),
            (read, wrote) => read == wrote,
        };
        prop_assert!(other);
        prop_assert_eq!(CandidateLine { transport: candidate.transport.clone(), ..again }, candidate);
    }

    /// An address has one form in print (RFC 5952), however long it was written.
    #[test]
    fn an_address_is_read_in_every_form_and_printed_in_one(ip: std::net::Ipv6Addr, upper: bool) {
        let long: Vec<String> = ip.segments().iter().map(|segment| format!("{segment:04x}")).collect();
        let long = if upper { long.join(":").to_uppercase() } else { long.join(":") };
        let line = |address: &str| format!("candidate:1 1 UDP 1 {address} 9 typ host");
        let read = CandidateLine::parse(&line(&long)).unwrap();
        prop_assert_eq!(&read.address, &Address::Ip(ip.into()));
        prop_assert_eq!(read.to_string(), line(&ip.to_string()));
    }

    /// What was accepted prints in a form that is accepted and prints the same: after one round nothing changes.
    #[test]
    fn what_is_printed_is_a_fixpoint(line in damaged_lines()) {
        if let Ok(Some(attribute)) = IceAttribute::parse(&line) {
            let once = attribute.to_string();
            let twice = IceAttribute::parse(&once).unwrap().unwrap().to_string();
            prop_assert_eq!(once, twice);
        }
        if let Ok(attribute) = Attribute::parse(&line) {
            let once = attribute.to_string();
            let twice = Attribute::parse(&once).unwrap().to_string();
            prop_assert_eq!(once, twice);
        }
    }

    /// RFC 8866 section 5: lines end with CRLF, and LF alone is read as well. Neither means anything.
    #[test]
    fn line_ends_mean_nothing(text in damaged_descriptions(), last: bool) {
        let bare = text.replace("\r\n", "\n");
        // An empty last line is one, and not the end of the line in front.
        let endless = bare.strip_suffix('\n').filter(|rest| !last && !rest.ends_with('\n'));
        let bare = endless.unwrap_or(&bare);
        let (full, bare) = (SessionDescription::parse(&text), SessionDescription::parse(bare));
        match (full, bare) {
            (Ok(full), Ok(bare)) => prop_assert_eq!(format!("{full:?}"), format!("{bare:?}")),
            (Err(_), Err(_)) => {}
            // A carriage return within a line is no line end, and one may have been put there or taken away.
            (full, _) => prop_assert!(full.is_err() && text.matches('\r').count() != text.matches("\r\n").count(), "{text:?}"),
        }
    }
}

// Changes, fragments and limits.
proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// An attribute that is added and taken out again leaves the text as it was.
    #[test]
    fn what_is_added_can_be_taken_out(
        name in "x[!#$%&'*+.^_`{|}~A-Za-z0-9-]{0,16}",
        value in option::of("[^\r\n\0]{1,24}"),
        section in option::of(0..1_usize),
    ) {
        let description = SessionDescription::parse(OFFER).unwrap();
        let text = value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}:{value}"));
        let mut edit = Edit::new(&description);
        edit.add(section, &Attribute::parse(&text).unwrap());
        let longer = edit.finish().unwrap();
        let added = format!("a={text}");
        prop_assert_eq!(longer.lines().filter(|line| *line == added).count(), 1);
        prop_assert_eq!(longer.len(), OFFER.len() + text.len() + 4);
        let longer = SessionDescription::parse(&longer).unwrap();
        let mut edit = Edit::new(&longer);
        edit.remove(section, &name);
        prop_assert_eq!(edit.finish(), Ok(OFFER.to_owned()));
    }

    /// The candidates of a fragment are those of their generation, in their order, and of no other.
    #[test]
    fn a_fragment_carries_its_generation(
        lists in vec((vec(sendable_candidates(), 0..4), any::<bool>()), 1..4),
        twins: bool,
    ) {
        let credentials: Vec<_> = (1..).map(|n| (IceUfrag::from_random([n; 6]), IcePwd::from_random([n; 18]))).take(lists.len()).collect();
        let mids: Vec<String> = (0..lists.len()).map(|at| format!("m{at}")).collect();
        let mut text = String::new();
        for ((at, (candidates, end)), mid) in lists.iter().enumerate().zip(&mids) {
            let (ufrag, pwd) = &credentials[if twins { 0 } else { at }];
            let ours = LocalFragment { mid, ufrag, pwd, candidates, end_of_candidates: *end };
            text += &ours.write().unwrap();
        }
        let fragment = Fragment::parse(&text).unwrap();
        prop_assert_eq!(fragment.to_string(), text.clone());
        let ends: Vec<bool> = fragment.media.iter().map(|media| media.level.end_of_candidates).collect();
        prop_assert_eq!(ends, lists.iter().map(|(_, end)| *end).collect::<Vec<_>>());
        for (at, (ufrag, pwd)) in credentials.iter().enumerate() {
            let read: Vec<_> = fragment.candidates_of(ufrag, pwd).map(|(mid, line)| (mid, line.to_line())).collect();
            let of_generation = lists.iter().zip(&mids).enumerate().filter(|(n, _)| if twins { at == 0 } else { *n == at });
            let wrote: Vec<_> = of_generation
                .flat_map(|(_, ((candidates, _), mid))| candidates.iter().map(move |line| (mid.as_str(), line.clone())))
                .collect();
            prop_assert_eq!(read, wrote);
        }
    }

    /// A limit is kept to the line and to the byte.
    #[test]
    fn limits_are_kept_exactly(extra in 0..40_usize, allowed in 0..40_usize) {
        let text = OFFER.to_owned() + &"a=x\r\n".repeat(extra);
        let lines = OFFER.lines().count();
        let by_lines = Limits { lines: lines + allowed, ..Limits::default() };
        let by_bytes = Limits { text: OFFER.len() + 5 * allowed, ..Limits::default() };
        for limits in [by_lines, by_bytes] {
            let read = SessionDescription::parse_within(&text, &limits);
            prop_assert_eq!(read.is_ok(), extra <= allowed, "{:?}", limits);
            prop_assert!(read.err().is_none_or(|error| error.kind() == ParseErrorKind::TooLong));
        }
    }
}

/// The letters of a word in upper or lower case, as the bits say.
fn in_any_case(word: &str, bits: u64) -> String {
    let cased = word.chars().enumerate().map(|(at, letter)| match bits >> (at % 8) & 1 {
        0 => letter.to_ascii_lowercase(),
        _ => letter.to_ascii_uppercase(),
    });
    cased.collect()
}

const OFFER: &str = include_str!("../../../tests/corpora/sdp/browsers-2026/chromium-offer-dc.sdp");

const FULL: &str = include_str!("../../../tests/corpora/sdp/browsers-2026/firefox-host-offerFull.sdp");

const HASHES: &[HashFunction] = &[
    HashFunction::Sha1,
    HashFunction::Sha224,
    HashFunction::Sha256,
    HashFunction::Sha384,
    HashFunction::Sha512,
];

const NAMES: &[&str] = &[
    "remote-candidates",
    "group",
    "mid",
    "setup",
    "fingerprint",
    "tls-id",
    "sctp-port",
    "max-message-size",
    "candidate",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "ice-pacing",
    "ice-lite",
    "ice-mismatch",
    "end-of-candidates",
];

/// Gives `text` to every reader there is, and returns their errors.
fn read_everything(text: &str) -> Vec<ParseError> {
    let errors = [
        CandidateLine::parse(text).err(),
        IceUfrag::parse(text).err(),
        IcePwd::parse(text).err(),
        IceOptions::parse(text).err(),
        IceAttribute::parse(text).err(),
        Attribute::parse(text).err(),
        TlsId::parse(text).err(),
        Fingerprint::parse(text).err(),
    ];
    // These have errors of many lines.
    if let Ok(description) = SessionDescription::parse(text) {
        let _ = (check_offer(&description), check_answer(&description, &description).is_ok());
        let _ = (check_next_offer(&description, &description), description.data_session().is_ok());
        let same = Step { last: &description, next: &description };
        let _ = (check_exchange(same, same), ice_sections(&description));
    }
    let _ = Fragment::parse(text).is_ok();
    errors.into_iter().flatten().collect()
}

fn candidates() -> impl Strategy<Value = CandidateLine> {
    let place = ("[A-Za-z0-9+/]{1,32}", 1..=256_u16, transports(), 1..=0x7fff_ffff_u32);
    let reach = (addresses(), any::<u16>(), kinds(), option::of((addresses(), any::<u16>())));
    (place, reach, extensions()).prop_map(|(place, reach, mut extensions)| {
        let (foundation, component, transport, priority) = place;
        let (address, port, kind, related) = reach;
        if transport == Transport::Tcp {
            extensions.insert(0, ("tcptype".into(), "passive".into()));
        }
        CandidateLine { foundation, component, transport, priority, address, port, kind, related, extensions }
    })
}

/// Those that may be written: a related address if the type has one (RFC 8839 section 5.1).
fn sendable_candidates() -> impl Strategy<Value = CandidateLine> {
    candidates().prop_map(|mut line| {
        let hidden = (Address::Ip([0; 4].into()), 9);
        line.related = (line.kind != CandidateType::Host).then(|| line.related.unwrap_or(hidden));
        line
    })
}

fn transports() -> impl Strategy<Value = Transport> {
    prop_oneof![
        3 => Just(Transport::Udp),
        2 => Just(Transport::Tcp),
        1 => "x[A-Za-z0-9!%*_.`'~+-]{0,8}".prop_map(Transport::Other),
    ]
}

fn addresses() -> impl Strategy<Value = Address> {
    prop_oneof![
        3 => any::<IpAddr>().prop_map(Address::Ip),
        1 => "[a-z0-9-]{3,40}\\.local".prop_map(Address::Name),
        1 => "[A-Za-z0-9-]{1,12}(\\.[A-Za-z][A-Za-z0-9-]{2,12}){1,4}\\.?".prop_map(Address::Name),
    ]
}

/// Addresses with runs of zeros, and with IPv4 ones within.
fn ips() -> impl Strategy<Value = IpAddr> + Clone {
    let group = prop_oneof![3 => Just(0), 1 => 0..0x100_u16, 1 => any::<u16>()];
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 4]>().prop_map(|octets| Ipv4Addr::from(octets).to_ipv6_mapped().into()),
        uniform8(group).prop_map(IpAddr::from),
    ]
}

/// The text of an address, in its shortest form or a longer one, and after changes that may spoil it.
fn address_texts() -> impl Strategy<Value = String> {
    let written = ips().prop_map(|ip| ip.to_string());
    let loud = written.clone().prop_map(|text| text.to_uppercase());
    let long = vec(any::<u16>(), 1..10)
        .prop_map(|groups| groups.iter().map(|group| format!("{group:04x}")).collect::<Vec<_>>().join(":"));
    let ends_in_ipv4 = (long.clone(), any::<[u8; 4]>())
        .prop_map(|(head, octets)| format!("{head}:{}", Ipv4Addr::from(octets)));
    let gapped = (option::of(long.clone()), option::of(prop_oneof![long.clone(), ends_in_ipv4.clone()]))
        .prop_map(|(head, tail)| format!("{}::{}", head.unwrap_or_default(), tail.unwrap_or_default()));
    let whole = prop_oneof![written, loud, long, ends_in_ipv4, gapped];
    let change = (any::<Index>(), 0..3_u8, select("0123456789aAfFgG:.:.".chars().collect::<Vec<_>>()));
    let changed =
        (whole, vec(change, 0..3)).prop_map(|(text, changes)| changed(text.chars().collect(), changes));
    prop_oneof![3 => changed, 1 => "[0-9]{1,3}(\\.[0-9]{1,3}){2,4}", 1 => "[0-9a-fA-F:.]{1,40}"]
}

fn kinds() -> impl Strategy<Value = CandidateType> {
    select(vec![
        CandidateType::Host,
        CandidateType::ServerReflexive,
        CandidateType::PeerReflexive,
        CandidateType::Relayed,
    ])
}

/// Pairs with names that mean nothing; "raddr" and "rport" would mean something.
fn extensions() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("x[!#$%&'*+.^_`{|}~A-Za-z0-9-]{0,16}", "[!-~]{0,24}"), 0..8)
}

/// A line of a browser after a few changes of single characters.
fn damaged_lines() -> impl Strategy<Value = String> {
    damaged(LINES.lines().collect())
}

fn damaged_descriptions() -> impl Strategy<Value = String> {
    damaged(vec![OFFER, FULL])
}

/// The section of a description is nearly a fragment, but for its "c=" line, which is not in its way.
fn damaged_fragments() -> impl Strategy<Value = String> {
    damaged(vec![FULL.find("m=").and_then(|at| FULL.get(at..)).unwrap_or_default()])
}

fn damaged(texts: Vec<&'static str>) -> impl Strategy<Value = String> {
    let change = (
        any::<Index>(),
        0..3_u8,
        prop_oneof![any::<char>(), select(" \t\r\n\0:=%.+-/09a".chars().collect::<Vec<_>>())],
    );
    (select(texts), vec(change, 0..4)).prop_map(|(text, changes)| changed(text.chars().collect(), changes))
}

/// Puts a character in the place of one, puts one more, or takes one out.
fn changed(mut text: Vec<char>, changes: Vec<(Index, u8, char)>) -> String {
    for (at, how, c) in changes {
        if text.is_empty() {
            break;
        }
        let at = at.index(text.len());
        match how {
            0 => drop(text.splice(at..=at, [c])),
            1 => text.insert(at, c),
            _ => drop(text.remove(at)),
        }
    }
    text.into_iter().collect()
}
