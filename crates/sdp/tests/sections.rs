//! Lines and sections: their order, their shape, and what a section has from its session and its group.
#![expect(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use floe_sdp::{
    Attribute, CandidateLine, Direction, Edit, Fingerprint, HashFunction, IceOptions, IcePwd, IceUfrag,
    Limits, LocalSession, ParseErrorKind, RawAttribute, SessionDescription, Setup, check_answer,
    ice_sections,
};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
const MEDIA: &str = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n";
const SHA1: &str = "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00";

fn parse(text: &str) -> SessionDescription<'_> {
    SessionDescription::parse(text).map_err(|error| format!("{error}\n{text}")).unwrap()
}

/// The kind of the fault and the line it is in.
fn fault(text: &str) -> (ParseErrorKind, usize) {
    let error = SessionDescription::parse(text).map(|_| text.to_owned()).unwrap_err();
    (error.kind(), error.line().unwrap())
}

#[test]
fn a_description_keeps_the_order_of_its_lines() {
    use ParseErrorKind::{Incomplete, Misplaced, Repeated};
    let all = "v=0\ni=x\n";
    let whole = "v=0\no=- 1 1 IN IP4 0\ns=\ni=i\nu=u\ne=e\ne=e\np=p\np=p\nc=IN IP4 0.0.0.0\nb=AS:1\nb=AS:1\nt=0 0\n\
        r=7d 1h 0 25h\nz=3034423619 -1h\nt=0 0\nk=prompt\na=x\na=x\nm=audio 0 x y\ni=i\nc=IN IP4 0.0.0.0\n\
        c=IN IP4 0.0.0.0\nb=AS:1\nb=AS:1\nk=prompt\na=x\na=x\nm=audio 0 x y\n";
    assert_eq!(parse(whole).lines().count(), 29);
    for (text, wanted) in [
        (all.to_owned(), (Misplaced, 2)),
        ("v=0\n".into(), (Incomplete, 2)),
        ("v=0\no=- 1 1 IN IP4 0\n".into(), (Incomplete, 3)),
        ("v=0\no=- 1 1 IN IP4 0\ns=-\n".into(), (Incomplete, 4)),
        ("v=0\nv=0\n".into(), (Misplaced, 2)),
        ("v=0\no=- 1 1 IN IP4 0\ns=-\ns=-\nt=0 0\n".into(), (Misplaced, 4)),
        ("v=0\no=- 1 1 IN IP4 0\ns=-\na=x\nt=0 0\n".into(), (Misplaced, 4)),
        ("v=0\no=- 1 1 IN IP4 0\ns=-\nr=1 1 1\n".into(), (Misplaced, 4)),
        ("v=0\no=- 1 1 IN IP4 0\ns=-\ni=x\ni=x\nt=0 0\n".into(), (Repeated, 5)),
        (format!("{HEAD}c=IN IP4 0.0.0.0\r\n"), (Misplaced, 5)),
        (format!("{HEAD}a=x\r\nb=AS:1\r\n"), (Misplaced, 6)),
        (format!("{HEAD}a=x\r\nt=0 0\r\n"), (Misplaced, 6)),
        (format!("{HEAD}k=prompt\r\nk=prompt\r\n"), (Repeated, 6)),
        (format!("{HEAD}{MEDIA}t=0 0\r\n"), (Misplaced, 7)),
        (format!("{HEAD}{MEDIA}a=x\r\ni=x\r\n"), (Misplaced, 8)),
        (format!("{HEAD}{MEDIA}y=x\r\n"), (Misplaced, 7)),
        (format!("{HEAD}m=audio 0 x y\r\n{MEDIA}"), (Incomplete, 5)),
        (format!("{HEAD}{MEDIA}m=audio 0 x y\r\n"), (Incomplete, 7)),
        (format!("{HEAD}m=audio 0 x y\r\nmx\r\n"), (ParseErrorKind::Malformed, 6)),
        (format!("{HEAD}A=x\r\n"), (ParseErrorKind::Malformed, 5)),
        (format!("{HEAD} a=x\r\n"), (ParseErrorKind::Malformed, 5)),
        (format!("{HEAD}a =x\r\n"), (ParseErrorKind::Malformed, 5)),
    ] {
        assert_eq!(fault(&text), wanted, "{text}");
    }
}

#[test]
fn the_lines_in_front_are_read() {
    let text = "v=0\r\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call to John Smith\r\n\
        c=IN IP6 2001:db8::1\r\nt=3034423619 0\r\na=group:BUNDLE a b\r\n";
    let description = parse(text);
    let origin = description.origin;
    assert_eq!((origin.username, origin.session_id, origin.version), ("jdoe", "3724394400", "3724394405"));
    assert_eq!(origin.version_number(), Some(3_724_394_405));
    assert_eq!(origin.to_string(), "jdoe 3724394400 3724394405 IN IP4 198.51.100.1");
    assert_eq!((description.name, description.times()), ("Call to John Smith", "3034423619 0"));
    assert_eq!(description.connection.unwrap().to_string(), "IN IP6 2001:db8::1");
    assert!(description.bundles().next().unwrap().mids().eq(["a", "b"]));
    for origin in
        ["", "- 1 1 IN IP4", "- 1 x IN IP4 0", "- -1 1 IN IP4 0", "- 1 1 IN IP4 0 0", " 1 1 IN IP4 0"]
    {
        assert_eq!(fault(&format!("v=0\r\no={origin}\r\n")).1, 2, "{origin}");
    }
}

#[test]
fn a_connection_has_an_address_of_its_type() {
    let read = |connection: &str| {
        SessionDescription::parse(&format!("v=0\no=- 1 1 IN IP4 0\ns=-\nc={connection}\nt=0 0\n")).is_ok()
    };
    for fine in [
        "IN IP4 0.0.0.0",
        "IN IP4 233.252.0.1/127",
        "IN IP4 233.252.0.1/127/3",
        "IN IP6 ff00::db8:0:101/3",
        "IN IP6 ::",
        "IN IP4 host.example",
        "IN IP4 localhost",
        "ATM NSAP 47.0091",
    ] {
        assert!(read(fine), "{fine}");
    }
    for wrong in [
        "",
        "IN IP4",
        "IN IP4 ",
        "IN IP4 1.2.3",
        "IN IP4 1.2.3.256",
        "IN IP4 ::",
        "IN IP6 1.2.3.4",
        "IN IP4 192.0.2.1/127",
        "IN IP4 233.252.0.1/",
        "IN IP4 233.252.0.1/1/2/3",
        "IN IP4 0.0.0.0 x",
        "IN  IP4 0.0.0.0",
        "IN IP6 fe80::1%eth0",
    ] {
        assert!(!read(wrong), "{wrong}");
    }
    let text = format!("{HEAD}{MEDIA}");
    let connection = parse(&text).media[0].connection.unwrap();
    assert!(connection.is_placeholder(9) && !connection.is_placeholder(10));
    assert_eq!(connection.ip(), Some([0, 0, 0, 0].into()));
}

#[test]
fn lines_that_are_of_no_use_are_checked_and_kept() {
    let with = |before: &str, time: &str, after: &str| {
        let text = format!("v=0\no=- 1 1 IN IP4 0\ns=-\n{before}t={time}\n{after}");
        SessionDescription::parse(&text).map(|description| assert_eq!(description.to_string(), text)).is_ok()
    };
    assert!(with("i=x\nu=http://a\ne=a@b\np=+1\nb=X-YZ:128\n", "3034423619 0", "r=604800 3600 0\nk=uri:x\n"));
    for before in ["i=\n", "u=\n", "e=\n", "p=\n", "b=AS\n", "b=:1\n", "b=AS:\n", "b=AS:x\n"] {
        assert!(!with(before, "0 0", ""), "{before}");
    }
    for time in ["", "0", "0 ", "0 0 0", "00 0", "123456789 0", "0123456789 0", "x 0", "-1 0"] {
        assert!(!with("", time, ""), "{time}");
    }
    for after in
        ["r=7d 1h 0 25h\nz=3730928400 -1h 3749680800 0\nk=prompt\n", "k=clear:x y\n", "k=base64:eA==\n"]
    {
        assert!(with("", "0 0", after), "{after}");
    }
    for after in [
        "r=\n",
        "r=x\n",
        "r=d\n",
        "r=7d 1h\n",
        "r=0 1h 0\n",
        "r=7d 1h -1\n",
        "r=7d  1h 0\n",
        "r=7d 1h 0 \n",
        "r=1w 1 0\n",
        "z=\n",
        "z=3730928400\n",
        "z=1 1h\n",
        "z=0 1h\n",
        "z=0730928400 1h\n",
        "z=3730928400 --1h\n",
        "z=3730928400 1h 3749680800\n",
        "k=\n",
        "k=Prompt\n",
        "k=prompt:\n",
        "k=clear\n",
        "k=clear:\n",
        "k=secret\n",
    ] {
        assert!(!with("", "0 0", after), "{after}");
    }
    let error = SessionDescription::parse("v=0\no=- 1 1 IN IP4 0\ns=-\nt=0 0\nk=secret\n").unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_section_is_what_its_line_says() {
    let text = format!("{HEAD}m=video 49170/2 RTP/AVP 31 0 127\r\nc=IN IP4 192.0.2.1\r\n{MEDIA}");
    let description = parse(&text);
    let [video, data] = description.media.as_slice() else { panic!() };
    assert_eq!((video.kind, video.port, video.port_count, video.proto), ("video", 49170, Some(2), "RTP/AVP"));
    assert!(video.formats().eq(["31", "0", "127"]) && !video.is_data_channel() && !video.is_rejected());
    assert!(data.is_data_channel() && data.is_sctp() && data.formats().eq(["webrtc-datachannel"]));
    assert_eq!(data.as_str(), MEDIA);
    for line in [
        "",
        "audio",
        "audio 9",
        "audio 9 RTP/AVP",
        "audio 9 RTP/AVP ",
        "audio 9  0",
        "audio 9 RTP//AVP 0",
        "audio 9 /RTP 0",
        "audio 9 RTP/ 0",
        "audio 9/0 RTP/AVP 0",
        "audio 9/ RTP/AVP 0",
        "audio 000009 RTP/AVP 0",
        "audio +9 RTP/AVP 0",
        "au dio 9 RTP/AVP 0",
        "audio 9 RTP/AVP 0  1",
        "audio 9 RTP/AVP x",
        "audio 9 x y,z",
    ] {
        assert_eq!(fault(&format!("{HEAD}m={line}\r\nc=IN IP4 0.0.0.0\r\n")).1, 5, "{line}");
    }
}

#[test]
fn a_section_says_more_than_its_session() {
    let session = format!(
        "a=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\na=ice-options:trickle\r\na=setup:actpass\r\n\
         a=fingerprint:sha-1 {SHA1}\r\na=tls-id:aaaaaaaaaaaaaaaaaaaa\r\na=sendonly\r\n"
    );
    let own = "a=ice-ufrag:bbbb\r\na=ice-pwd:bbbbbbbbbbbbbbbbbbbbbb\r\na=ice-options:ice2\r\na=setup:active\r\n\
         a=fingerprint:sha-224 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\r\n\
         a=tls-id:bbbbbbbbbbbbbbbbbbbb\r\na=inactive\r\na=end-of-candidates\r\n";
    let text = format!("{HEAD}{session}{MEDIA}{own}{MEDIA}");
    let description = parse(&text);
    for (index, letter, option, setup, hash, direction) in [
        (0, "b", IceOptions::ICE2, Setup::Active, HashFunction::Sha224, Direction::Inactive),
        (1, "a", IceOptions::TRICKLE, Setup::ActPass, HashFunction::Sha1, Direction::SendOnly),
    ] {
        let section = description.section(index).unwrap();
        assert_eq!(section.ufrag().unwrap().as_str(), letter.repeat(4));
        assert_eq!(section.pwd().unwrap().as_str(), letter.repeat(22));
        assert_eq!(section.tls_id().unwrap().as_str(), letter.repeat(20));
        assert!(section.has_option(option) && section.options().unwrap().iter().count() == 1);
        assert_eq!((section.setup(), section.direction()), (Some(setup), direction));
        assert!(matches!(section.fingerprints(), [one] if one.hash() == hash));
        assert_eq!(section.end_of_candidates(), index == 0);
    }
    let bare = format!("{HEAD}a=end-of-candidates\r\n{MEDIA}");
    let bare = parse(&bare);
    let section = bare.section(0).unwrap();
    assert!(section.end_of_candidates() && section.direction() == Direction::SendRecv && !section.has_ice());
}

#[test]
fn what_may_stand_once_stands_once() {
    for line in [
        "a=mid:0",
        "a=ice-ufrag:aaaa",
        "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa",
        "a=ice-options:ice2",
        "a=setup:active",
        "a=tls-id:aaaaaaaaaaaaaaaaaaaa",
        "a=sctp-port:1",
        "a=max-message-size:1",
        "a=sendrecv",
    ] {
        let text = format!("{HEAD}{MEDIA}{line}\r\n{line}\r\n");
        assert_eq!(fault(&text), (ParseErrorKind::Repeated, 8), "{line}");
        let error = SessionDescription::parse(&text).unwrap_err().to_string();
        assert!(!error.contains("aaaa"), "{error}");
    }
    assert_eq!(fault(&format!("{HEAD}a=ice-pacing:1\r\na=ice-pacing:2\r\n")), (ParseErrorKind::Repeated, 6));
    assert_eq!(fault(&format!("{HEAD}{MEDIA}a=sendrecv\r\na=inactive\r\n")), (ParseErrorKind::Repeated, 8));
}

#[test]
fn what_is_beyond_the_limits_is_not_read() {
    let text = format!("{HEAD}{MEDIA}{MEDIA}a=x:{}\r\n", "y".repeat(100));
    let (lines, longest) = (text.lines().count(), text.lines().map(str::len).max().unwrap());
    let exact = Limits { text: text.len(), lines, line: longest, media: 2 };
    assert!(SessionDescription::parse_within(&text, &exact).is_ok());
    for (limits, line) in [
        (Limits { text: text.len() - 1, ..exact }, None),
        (Limits { lines: lines - 1, ..exact }, Some(9)),
        (Limits { line: longest - 1, ..exact }, Some(9)),
        (Limits { media: 1, ..exact }, Some(7)),
    ] {
        let error = SessionDescription::parse_within(&text, &limits).map(|_| ()).unwrap_err();
        assert_eq!((error.kind(), error.line()), (ParseErrorKind::TooLong, line), "{limits:?}");
    }
    let defaults = Limits { text: 262_144, lines: 8192, line: 16_384, media: 1024 };
    assert_eq!(Limits::default(), defaults);
    let long = format!("{HEAD}{MEDIA}a=ice-options:{}\r\n", "x".repeat(4090));
    assert_eq!(fault(&long), (ParseErrorKind::TooLong, 7));
}

#[test]
fn a_bundled_section_has_the_transport_of_the_first() {
    let full = |mid: &str, letter: &str, port: u16| {
        format!(
            "m=audio {port} UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n\
             a=setup:passive\r\na=fingerprint:sha-1 {SHA1}\r\n\
             a=candidate:1 1 UDP 1 192.0.2.1 1 typ host\r\n",
            letter.repeat(4),
            letter.repeat(22)
        )
    };
    let data =
        format!("{MEDIA}a=mid:d\r\na=sctp-port:5000\r\na=candidate:2 1 UDP 1 192.0.2.2 2 typ host\r\n");
    let (a, b) =
        (full("a", "a", 0).replace("a=candidate:1 1 UDP 1 192.0.2.1 1 typ host\r\n", ""), full("b", "b", 9));
    let text = format!("{HEAD}a=group:BUNDLE x a b d\r\n{a}{b}{data}");
    let description = parse(&text);
    let section = description.section_named("d").unwrap();
    assert_eq!((section.index(), section.transport().index()), (2, 1), "the first has port 0");
    let session = description.data_session().unwrap();
    assert_eq!((session.ufrag.as_str(), session.setup), ("bbbb", Setup::Passive));
    assert_eq!(session.candidates().map(|candidate| candidate.port).collect::<Vec<_>>(), [1, 2]);
    let apart = text.replace("BUNDLE x a b d", "BUNDLE x a b");
    assert!(parse(&apart).data_session().is_err());
    let transport = |text: &str| parse(text).section_named("d").unwrap().transport().index();
    assert_eq!(transport(&text.replace("group:BUNDLE", "group:LS")), 2, "another sort of group");
    assert_eq!(
        transport(&text.replace("a=group", "a=group:BUNDLE d x\r\na=group")),
        2,
        "the first group counts"
    );
    let alone = format!("{HEAD}a=group:LS d\r\n{data}");
    assert!(parse(&alone).section(0).unwrap().bundle().is_none());
    assert!(parse(&alone.replace("LS", "BUNDLE")).section(0).unwrap().bundle().is_some());
}

#[test]
fn a_lite_agent_says_so_and_has_no_pace() {
    let (ufrag, pwd, fingerprints) = ours();
    let local = LocalSession::new(1, &ufrag, &pwd, &fingerprints);
    let lite = LocalSession { is_lite: true, pacing: Some(50), ..local }.offer("0").unwrap();
    assert!(lite.contains("a=ice-lite\r\n") && !lite.contains("ice-pacing"));
    let full = LocalSession { pacing: Some(50), ..local }.offer("0").unwrap();
    assert!(full.contains("a=ice-pacing:50\r\n") && !full.contains("ice-lite"));
}

#[test]
fn the_default_destination_is_what_most_likely_works() {
    let (ufrag, pwd, fingerprints) = ours();
    let host = "candidate:1 1 UDP 2130706431 10.0.1.1 1001 typ host";
    let other = "candidate:1 1 UDP 2130706430 10.0.2.1 1002 typ host";
    let v6 = "candidate:2 1 UDP 2130706432 2001:db8::1 1003 typ host";
    let name = "candidate:3 1 UDP 2130706433 a1.local 1004 typ host";
    let tcp = "candidate:4 1 TCP 2130706434 10.0.1.1 1005 typ host tcptype passive";
    let rtcp = "candidate:5 2 UDP 2130706435 10.0.1.1 1006 typ host";
    let mapped = "candidate:6 1 UDP 1 192.0.2.1 1007 typ srflx raddr 0.0.0.0 rport 9";
    let relayed = "candidate:7 1 UDP 2 2001:db8::7 1008 typ relay raddr :: rport 9";
    for (lines, wanted) in [
        (&[][..], ("9", "IN IP4 0.0.0.0")),
        (&[name, tcp, rtcp], ("9", "IN IP4 0.0.0.0")),
        (&[v6], ("1003", "IN IP6 2001:db8::1")),
        (&[v6, other, host], ("1001", "IN IP4 10.0.1.1")),
        (&[host, mapped, name], ("1007", "IN IP4 192.0.2.1")),
        (&[host, relayed, mapped], ("1008", "IN IP6 2001:db8::7")),
    ] {
        let candidates: Vec<CandidateLine> = lines.iter().map(|line| line.parse().unwrap()).collect();
        let local =
            LocalSession { candidates: &candidates, ..LocalSession::new(1, &ufrag, &pwd, &fingerprints) };
        let text = local.offer("0").unwrap();
        let (port, connection) = wanted;
        let line = format!("m=application {port} UDP/DTLS/SCTP webrtc-datachannel\r\nc={connection}\r\n");
        assert!(text.contains(&line), "{lines:?}: {text}");
        assert!(!parse(&text).section(0).unwrap().has_mismatch(), "{text}");
    }
}

#[test]
fn a_default_destination_that_is_no_candidate_is_a_mismatch() {
    let section = |default: &str, proto: &str, candidate: &str| {
        let (port, connection) = default.split_once(' ').unwrap();
        format!(
            "m=application {port} {proto} webrtc-datachannel\r\nc=IN {connection}\r\na=ice-ufrag:aaaa\r\n\
             a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\na=sctp-port:5000\r\n{candidate}"
        )
    };
    let udp = "a=candidate:1 1 UDP 1 192.0.2.1 50000 typ host\r\n";
    let v6 = "a=candidate:1 1 UDP 1 2001:DB8::1 50000 typ host\r\n";
    let tcp = "a=candidate:1 1 TCP 1 192.0.2.1 50000 typ host tcptype passive\r\n";
    let rtcp = "a=candidate:1 2 UDP 1 192.0.2.1 50000 typ host\r\n";
    for (default, proto, candidate, mismatch) in [
        ("50000 IP4 192.0.2.1", "UDP/DTLS/SCTP", udp, false),
        ("50000 IP6 2001:db8:0::1", "UDP/DTLS/SCTP", v6, false),
        ("50000 IP4 192.0.2.1", "TCP/DTLS/SCTP", tcp, false),
        ("50001 IP4 192.0.2.1", "UDP/DTLS/SCTP", udp, true),
        ("50000 IP4 192.0.2.2", "UDP/DTLS/SCTP", udp, true),
        ("50000 IP4 192.0.2.1", "TCP/DTLS/SCTP", udp, true),
        ("50000 IP4 192.0.2.1", "UDP/DTLS/SCTP", tcp, true),
        ("50000 IP4 192.0.2.1", "UDP/DTLS/SCTP", rtcp, true),
        ("50000 IP4 192.0.2.1", "UDP/DTLS/SCTP", "", true),
        ("9 IP4 0.0.0.0", "UDP/DTLS/SCTP", udp, false),
        ("9 IP6 ::", "UDP/DTLS/SCTP", "", false),
        ("9 IP4 192.0.2.1", "UDP/DTLS/SCTP", udp, true),
        ("50000 IP4 0.0.0.0", "UDP/DTLS/SCTP", udp, true),
        ("50000 IP4 host.example", "UDP/DTLS/SCTP", udp, false),
        ("0 IP4 192.0.2.2", "UDP/DTLS/SCTP", "", false),
    ] {
        let text = format!("{HEAD}{}", section(default, proto, candidate));
        let description = parse(&text);
        assert_eq!(description.section(0).unwrap().has_mismatch(), mismatch, "{default} {proto} {candidate}");
        let without = text.replace("a=ice-ufrag:aaaa\r\n", "");
        assert!(!parse(&without).section(0).unwrap().has_mismatch(), "there is no ICE");
    }
    let wrong = section("50001 IP4 192.0.2.1", "UDP/DTLS/SCTP", udp);
    let right = section("50000 IP4 192.0.2.1", "UDP/DTLS/SCTP", udp);
    let bundled = format!("{HEAD}a=group:BUNDLE a b\r\n{right}a=mid:a\r\n{wrong}a=mid:b\r\n");
    assert!(!parse(&bundled).section(1).unwrap().has_mismatch(), "it has no transport of its own");
    assert!(parse(&bundled.replace("BUNDLE a b", "BUNDLE b a")).section(1).unwrap().has_mismatch());
}

#[test]
fn an_answer_ends_ice_where_it_says_so_and_everywhere_if_it_was_changed() {
    let section = |more: &str| {
        format!("{MEDIA}a=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\na=sctp-port:5000\r\n{more}")
    };
    let ice = |sections: &[String]| ice_sections(&parse(&(HEAD.to_owned() + &sections.concat())));
    let (fine, mismatch) = (section(""), section("a=ice-mismatch\r\n"));
    let refused = fine.replace("application 9", "application 0");
    let altered = fine.replace("0.0.0.0", "192.0.2.1");
    assert_eq!(ice(&[fine.clone(), mismatch.clone(), refused.clone(), fine.clone()]), [0, 3]);
    assert_eq!(ice(&[mismatch, refused]), []);
    assert_eq!(ice(&[fine.clone(), MEDIA.to_owned()]), [0]);
    let quiet = fine.replace("0.0.0.0\r\n", "0.0.0.0\r\nb=AS:0\r\n") + "a=inactive\r\n";
    assert_eq!(ice(&[quiet]), [0], "who is silent keeps its path");
    let bundled = [
        "a=group:BUNDLE a b\r\n".to_owned(),
        section("a=mid:a\r\na=ice-mismatch\r\n"),
        section("a=mid:b\r\n"),
        fine.clone(),
    ];
    assert_eq!(ice(&bundled), [2], "what speaks for a group says it for all");
    let [group, first, second, other] = bundled.map(|text| text.replace("a=ice-mismatch\r\n", ""));
    let bundled = [group, first, second + "a=ice-mismatch\r\n", other];
    assert_eq!(ice(&bundled), [0, 2], "another of it for itself");
    assert_eq!(ice(&[fine.clone(), altered.clone()]), []);
    assert_eq!(ice(&[fine, altered.replace("application 9", "application 0")]), [0]);
}

#[test]
fn a_direction_means_nothing_to_data_channels() {
    let (ufrag, pwd, fingerprints) = ours();
    let local = LocalSession::new(1, &ufrag, &pwd, &fingerprints);
    let offer = local.offer("0").unwrap() + "a=sendonly\r\n";
    let answer = local.answer(&parse(&offer)).unwrap() + "a=sendonly\r\n";
    assert_eq!(check_answer(&parse(&offer), &parse(&answer)), Ok(()));
}

#[test]
fn an_edit_changes_what_it_is_told_and_nothing_else() {
    let text = format!("{HEAD}a=x:1\r\n{MEDIA}a=setup:active\r\na=y\r\na=X-z:é").replace("\r\n", "\n");
    let description = parse(&text);
    let mut edit = Edit::new(&description);
    edit.set(Some(0), &Attribute::Setup(Setup::Passive));
    edit.set(Some(0), &Attribute::Mid("0"));
    edit.remove(Some(0), "y");
    edit.remove(None, "nothing");
    edit.add(None, &Attribute::Lite);
    edit.add(Some(7), &Attribute::Lite);
    let wanted = text.replace("a=x:1\n", "a=x:1\na=ice-lite\n").replace("setup:active", "setup:passive");
    assert_eq!(edit.finish(), Ok(wanted.replace("a=y\n", "") + "\na=mid:0\n"));
    edit.add(Some(0), &Attribute::Mid("1"));
    assert_eq!(edit.finish().unwrap_err().kind(), ParseErrorKind::Repeated);
}

fn ours() -> (IceUfrag, IcePwd, [Fingerprint; 1]) {
    let fingerprint = Fingerprint::new(HashFunction::Sha256, &[3; 32]).unwrap();
    (IceUfrag::from_random([1; 6]), IcePwd::from_random([2; 18]), [fingerprint])
}

/// What was made by hand is one line, or nothing comes of it.
#[test]
fn no_attribute_brings_lines_of_its_own() {
    let text = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    for evil in ["y\r\na=setup:active", "y\na=ice-ufrag:evil", "y\r", "y\0"] {
        let attribute = Attribute::Other(RawAttribute { name: "x", value: Some(evil) });
        let mut added = Edit::new(&SessionDescription::parse(text).unwrap());
        added.add(None, &attribute);
        assert!(added.finish().is_err(), "{evil:?}");
        let mut set = Edit::new(&SessionDescription::parse(text).unwrap());
        set.set(None, &attribute);
        assert!(set.finish().is_err(), "{evil:?}");
    }
}
