//! What comes over the network in text.

use floe_sdp::{
    Address, Attribute, CandidateLine, CandidateType, Edit, Fingerprint, Fragment, HashFunction,
    IceAttribute, IcePwd, IceUfrag, LocalFragment, LocalSession, ParseError, SessionDescription, Step,
    Transport, check_answer, check_exchange, check_next_offer, check_offer, ice_sections,
};

use super::tape::Tape;

/// A candidate line, or any other line of ICE, prints as a line that is read the same; an error points into it.
pub fn candidate(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match CandidateLine::parse(text) {
        Ok(candidate) => {
            assert!(
                (1..=256).contains(&candidate.component) && (1..=0x7FFF_FFFF).contains(&candidate.priority)
            );
            let printed = candidate.to_string();
            assert!(!printed.contains(['\r', '\n', '\0']));
            assert_eq!(CandidateLine::parse(&printed), Ok(candidate));
        }
        Err(error) => check_error(&error, text),
    }
    match IceAttribute::parse(text) {
        Ok(Some(attribute)) => {
            assert_eq!(IceAttribute::parse(&attribute.to_string()), Ok(Some(attribute)));
        }
        Ok(None) => {}
        Err(error) => check_error(&error, text),
    }
}

/// Where it is lies in the text, and what it says can be printed anywhere.
fn check_error(error: &ParseError, text: &str) {
    let line = match error.line() {
        // Where a line is missing, it is the one behind the last.
        Some(number) => text.split('\n').nth(number.saturating_sub(1)).unwrap_or_default(),
        None => text,
    };
    assert!(error.line().is_none_or(|number| number <= text.split('\n').count() + 1), "{error}");
    assert!((1..=line.len() + 1).contains(&error.column()), "{error}");
    assert!(error.to_string().bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{error}");
}

/// A candidate of any values is printed as it is meant, or not written at all: nothing in it becomes a line of its own.
pub fn candidate_roundtrip(data: &[u8]) {
    let mut tape = Tape::new(data);
    let candidate = make_candidate(&mut tape);
    let (ufrag, pwd) = (IceUfrag::from_random([7; 6]), IcePwd::from_random([7; 18]));
    let candidates = [candidate];
    let fragment = LocalFragment {
        mid: "0",
        ufrag: &ufrag,
        pwd: &pwd,
        candidates: &candidates,
        end_of_candidates: false,
    };
    if fragment.write().is_ok() {
        let [candidate] = candidates;
        assert_eq!(CandidateLine::parse(&candidate.to_string()), Ok(candidate));
    }
}

/// As often as not each field is within its grammar.
fn make_candidate(tape: &mut Tape<'_>) -> CandidateLine {
    let any = |tape: &mut Tape<'_>, most: usize| match tape.byte() % 4 {
        0 => tape.text().to_owned(),
        _ => tape.word(b"abcxyzABC019+/", most),
    };
    let transport = match tape.byte() % 4 {
        0 => Transport::Tcp,
        1 => Transport::Other(any(tape, 8)),
        _ => Transport::Udp,
    };
    let address = |tape: &mut Tape<'_>| match tape.byte() % 4 {
        0 => Address::Ip(tape.array::<4>().into()),
        1 => Address::Ip(tape.array::<16>().into()),
        2 => Address::Name(format!("{}.local", any(tape, 40))),
        _ => Address::Name(any(tape, 250)),
    };
    let kinds = [
        CandidateType::Host,
        CandidateType::ServerReflexive,
        CandidateType::PeerReflexive,
        CandidateType::Relayed,
    ];
    let extension = |tape: &mut Tape<'_>| {
        let name = match tape.byte() % 8 {
            0 => "tcptype".to_owned(),
            1 => "raddr".to_owned(),
            2 => "rport".to_owned(),
            _ => any(tape, 16),
        };
        let value = if tape.byte().is_multiple_of(4) {
            tape.of(&["active", "passive", "so"]).to_owned()
        } else {
            any(tape, 24)
        };
        (name, value)
    };
    CandidateLine {
        foundation: any(tape, 33),
        component: tape.short(),
        transport,
        priority: tape.number(),
        address: address(tape),
        port: tape.short(),
        kind: tape.of(&kinds),
        related: (tape.byte().is_multiple_of(2)).then(|| (address(tape), tape.short())),
        extensions: (0..tape.byte() % 6).map(|_| extension(tape)).collect(),
    }
}

/// A description never panics, its error points into it, and what it shows agrees with itself.
pub fn sdp(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let description = match SessionDescription::parse(text) {
        Ok(description) => description,
        Err(error) => return check_error(&error, text),
    };
    let of_levels = description.session_lines().count()
        + description.media.iter().map(|media| media.lines().count()).sum::<usize>();
    assert_eq!(of_levels, description.lines().count());
    let sane = check_offer(&description).is_ok();
    if let Ok(session) = description.data_session() {
        assert!(!session.fingerprints.is_empty() && session.section.media().is_data_channel());
        let _ = (sane, session.candidates().count(), session.section.answerable());
    }
    let _ = (check_answer(&description, &description), check_next_offer(&description, &description));
    let same = Step { last: &description, next: &description };
    let _ = (check_exchange(same, same), ice_sections(&description));
    let _ = format!("{description:?}");
}

/// A description prints as it was, an edit of nothing changes nothing, every attribute prints as one that is read the
/// same, and the answer that we write to an offer is one that answers it.
pub fn sdp_roundtrip(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(attribute) = Attribute::parse(text) {
        assert_eq!(Attribute::parse(&attribute.to_string()).as_ref(), Ok(&attribute));
    }
    let Ok(description) = SessionDescription::parse(text) else { return };
    assert_eq!(description.to_string(), text);
    assert_eq!(Edit::new(&description).finish().as_deref(), Ok(text));
    let (ufrag, pwd) = (IceUfrag::from_random([7; 6]), IcePwd::from_random([7; 18]));
    let fingerprints: Vec<_> = Fingerprint::new(HashFunction::Sha256, &[7; 32]).into_iter().collect();
    let ours = LocalSession::new(7, &ufrag, &pwd, &fingerprints);
    let refusal = ours.refusal(&description).unwrap();
    SessionDescription::parse(&refusal).unwrap();
    let Ok(answer) = ours.answer(&description) else { return };
    let answer = SessionDescription::parse(&answer).unwrap();
    if check_offer(&description).is_ok() {
        assert_eq!(check_answer(&description, &answer), Ok(()));
    }
}

/// A fragment never panics, prints as it was, and its candidates can be sent on.
pub fn sdp_fragment(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let fragment = match Fragment::parse(text) {
        Ok(fragment) => fragment,
        Err(error) => return check_error(&error, text),
    };
    assert_eq!(fragment.to_string(), text);
    for media in &fragment.media {
        let (Some(mid), Some(ufrag), Some(pwd)) = (media.mid, fragment.ufrag(media), fragment.pwd(media))
        else {
            continue;
        };
        let candidates: Vec<_> = media.candidates.iter().map(|candidate| candidate.to_line()).collect();
        let ours = LocalFragment { mid, ufrag, pwd, candidates: &candidates, end_of_candidates: true };
        let Ok(again) = ours.write() else { continue };
        let again = Fragment::parse(&again).unwrap();
        let back = again.candidates_of(ufrag, pwd).map(|(_, candidate)| candidate.to_line());
        assert!(back.eq(candidates));
    }
}

/// A fragment of any values is read as what it was made of, or not written at all.
pub fn sdp_fragment_roundtrip(data: &[u8]) {
    let mut tape = Tape::new(data);
    let (ufrag, pwd) = (IceUfrag::from_random(tape.array()), IcePwd::from_random(tape.array()));
    let (end_of_candidates, mid) = (tape.byte().is_multiple_of(2), tape.text());
    let mut candidates = Vec::new();
    while !tape.is_empty() && candidates.len() < 20 {
        candidates.push(make_candidate(&mut tape));
    }
    let ours = LocalFragment { mid, ufrag: &ufrag, pwd: &pwd, candidates: &candidates, end_of_candidates };
    let Ok(text) = ours.write() else { return };
    let fragment = Fragment::parse(&text).unwrap();
    assert_eq!((fragment.media.len(), fragment.media[0].mid), (1, Some(mid)));
    assert_eq!(fragment.media[0].level.end_of_candidates, end_of_candidates);
    let read = fragment.candidates_of(&ufrag, &pwd).map(|(_, candidate)| candidate.to_line());
    assert!(read.eq(candidates));
}
