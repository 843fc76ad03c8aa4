//! What holds for every line there can be.

use core::net::IpAddr;

use floe_sdp::{
    Address, CandidateLine, CandidateType, IceAttribute, IceOptions, IcePwd, IceUfrag, ParseError, Transport,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const LINES: &str = include_str!("data/browsers.txt");

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_candidate_prints_and_parses_back(candidate in candidates()) {
        prop_assert_eq!(CandidateLine::parse(&candidate.to_string()), Ok(candidate));
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
    fn random_bits_make_credentials_of_the_grammar(ufrag: [u8; 6], pwd: [u8; 18]) {
        let (ufrag, pwd) = (IceUfrag::from_random(ufrag), IcePwd::from_random(pwd));
        prop_assert_eq!(IceUfrag::parse(ufrag.as_str()), Ok(ufrag));
        prop_assert_eq!(IcePwd::parse(pwd.as_str()), Ok(pwd));
    }
}

const NAMES: &[&str] = &[
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
    ];
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
    let lines = LINES.lines().collect::<Vec<_>>();
    let change = (
        any::<Index>(),
        0..3_u8,
        prop_oneof![any::<char>(), select(" \t\r\n\0:=%.+-/09a".chars().collect::<Vec<_>>())],
    );
    (select(lines), vec(change, 0..4)).prop_map(|(line, changes)| {
        let mut line: Vec<char> = line.chars().collect();
        for (at, how, c) in changes {
            let at = at.index(line.len());
            match how {
                0 => drop(line.splice(at..=at, [c])),
                1 => line.insert(at, c),
                _ => drop(line.remove(at)),
            }
        }
        line.into_iter().collect()
    })
}
