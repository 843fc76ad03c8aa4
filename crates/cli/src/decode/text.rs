//! Candidate lines, session descriptions and what is trickled after them (RFC 8839, 8866, 8840).

use std::net::IpAddr;

use floe_sdp::{
    Address, CandidateLine, CandidateRef, Fragment, IcePwd, IceUfrag, Media, ParseError, ParseErrorKind,
    Section, SessionDescription,
};

use super::report::{self, Candidate, Decoded, Description, Input, Related, Session, Verdict, What};

/// Decodes one candidate line, with or without `a=` and `candidate:`.
pub(crate) fn candidate(text: &str) -> Decoded {
    candidate_at("", text)
}

/// Decodes many of them, one by one; blank lines are passed over.
pub(crate) fn candidates(text: &str) -> impl Iterator<Item = Decoded> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line): (usize, _)| candidate_at(&format!("line {number}, "), line.trim()))
}

/// `place` is what an error says of where the line stands.
fn candidate_at(place: &str, text: &str) -> Decoded {
    let has_name = starts_with(text, "candidate:") || starts_with(text, "a=candidate:");
    let parsed = match has_name {
        true => CandidateLine::parse(text),
        false => CandidateLine::parse(&format!("candidate:{text}")),
    };
    let of = |read, ignored| What::Candidate(report::CandidateLine { read, ignored });
    match parsed {
        Ok(line) => {
            let (ignored, notes) = (ignored(&line), notes(&line));
            let read = Some(candidate_of(&line));
            Decoded { notes, ..Decoded::good(Input::Text, of(read, ignored.map(str::to_owned))) }
        }
        Err(error) => {
            let ignored =
                error.is_ignorable().then(|| "well formed, but of a sort that nobody need know".to_owned());
            Decoded::bad(Input::Text, of(None, ignored), word(error.kind()), &format!("{place}{error}"))
        }
    }
}

pub(crate) fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

const fn word(kind: ParseErrorKind) -> &'static str {
    match kind {
        ParseErrorKind::Empty => "empty",
        ParseErrorKind::TooLong => "too-long",
        ParseErrorKind::Incomplete => "incomplete",
        ParseErrorKind::OutOfRange => "out-of-range",
        ParseErrorKind::Unsupported => "unsupported",
        ParseErrorKind::Misplaced => "misplaced",
        ParseErrorKind::Repeated => "repeated",
        _ => "malformed",
    }
}

fn candidate_of(line: &CandidateLine) -> Candidate {
    let related = line.related.as_ref();
    Candidate {
        foundation: line.foundation.clone(),
        component: line.component,
        transport: line.transport.to_string(),
        priority: line.priority,
        address: line.address.to_string(),
        port: line.port,
        kind: line.kind.to_string(),
        related: related.map(|(address, port)| Related { address: address.to_string(), port: *port }),
        tcp_type: line.tcp_type().map(|kind| kind.to_string()),
        extensions: line.extensions.clone(),
    }
}

/// Why an agent has no use for a line that is as it should be (RFC 8445 §5.1.1.1, RFC 8839 §5.1).
fn ignored(line: &CandidateLine) -> Option<&'static str> {
    let ip = match &line.address {
        Address::Ip(ip) => *ip,
        Address::Name(name) if is_mdns(name) => return None,
        Address::Name(_) => return Some("a host name, and only those of mDNS are resolved"),
    };
    match ip {
        _ if line.port == 0 => Some("nothing can be sent to port 0"),
        _ if ip.is_unspecified() => Some("the address is that of no host"),
        _ if ip.is_multicast() => Some("the address is one of multicast"),
        IpAddr::V4(ip) if ip.is_broadcast() => Some("the address is that of broadcast"),
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => Some("an IPv4 address must not come as IPv6"),
        IpAddr::V6(ip) if ip.segments().first().is_some_and(|first| first & 0xFFC0 == 0xFEC0) => {
            Some("site-local addresses are no more")
        }
        _ => None,
    }
}

fn is_mdns(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".local")
}

fn notes(line: &CandidateLine) -> Vec<String> {
    let (kind, rest) = (line.priority >> 24, line.priority & 0x00FF_FFFF);
    let (local, component) = (rest >> 8, 256 - (rest & 0xFF));
    let mut notes = vec![format!(
        "by RFC 8445 §5.1.2.1 the priority is made of type preference {kind}, local preference {local}, component {component}"
    )];
    match &line.address {
        Address::Name(name) if is_mdns(name) => {
            notes.push("the name is one of mDNS, to be resolved first".into())
        }
        Address::Ip(ip) if ip.is_loopback() => {
            notes.push("the address is one of loopback, which agents do not use unless told to".into());
        }
        _ => {}
    }
    notes
}

/// Decodes a session description.
pub(crate) fn description(text: &str) -> Decoded {
    match SessionDescription::parse(text) {
        Ok(read) => Decoded::good(Input::Text, What::Sdp(description_of(&read))),
        Err(error) => refused(&error, What::Sdp),
    }
}

/// Decodes what is trickled.
pub(crate) fn fragment(text: &str) -> Decoded {
    match Fragment::parse(text) {
        Ok(read) => Decoded::good(Input::Text, What::Fragment(fragment_of(&read))),
        Err(error) => refused(&error, What::Fragment),
    }
}

fn refused(error: &ParseError, of: fn(Description) -> What) -> Decoded {
    let nowhere = Description { line: error.line(), column: Some(error.column()), ..EMPTY };
    Decoded::bad(Input::Text, of(nowhere), word(error.kind()), &error.to_string())
}

const EMPTY: Description = Description {
    line: None,
    column: None,
    session: None,
    groups: Vec::new(),
    ice_lite: false,
    sections: Vec::new(),
    data_channels: None,
};

fn description_of(read: &SessionDescription<'_>) -> Description {
    let unfit = read.data_session().err();
    Description {
        session: Some(Session {
            origin: read.origin.to_string(),
            name: read.name.to_owned(),
            version: read.origin.version.to_owned(),
        }),
        groups: read.groups.iter().map(ToString::to_string).collect(),
        ice_lite: read.is_lite,
        sections: read.sections().map(section_of).collect(),
        data_channels: Some(Verdict { ok: unfit.is_none(), error: unfit.map(|unfit| unfit.to_string()) }),
        ..EMPTY
    }
}

fn fragment_of(read: &Fragment<'_>) -> Description {
    let section = |media| {
        let (ufrag, pwd) = (read.ufrag(media), read.pwd(media));
        report::Section {
            end_of_candidates: read.ends_all() || media.level.end_of_candidates,
            ..media_of(media, ufrag, pwd)
        }
    };
    Description {
        groups: read.groups.iter().map(ToString::to_string).collect(),
        ice_lite: read.is_lite,
        sections: read.media.iter().map(section).collect(),
        ..EMPTY
    }
}

fn section_of(section: Section<'_, '_>) -> report::Section {
    report::Section {
        ice_options: section
            .options()
            .into_iter()
            .flat_map(|options| options.iter())
            .map(str::to_owned)
            .collect(),
        setup: section.setup().map(|setup| setup.to_string()),
        fingerprints: section.fingerprints().iter().map(ToString::to_string).collect(),
        end_of_candidates: section.end_of_candidates(),
        ..media_of(section.media(), section.ufrag(), section.pwd())
    }
}

fn media_of(media: &Media<'_>, ufrag: Option<&IceUfrag>, pwd: Option<&IcePwd>) -> report::Section {
    let candidates = media.candidates.iter().map(CandidateRef::to_line);
    report::Section {
        mid: media.mid.map(str::to_owned),
        media: media.kind.to_owned(),
        port: media.port,
        protocol: media.proto.to_owned(),
        formats: media.formats().map(str::to_owned).collect(),
        rejected: media.is_rejected(),
        ufrag: ufrag.map(|ufrag| ufrag.as_str().to_owned()),
        pwd_length: pwd.map(|pwd| pwd.as_str().len()),
        ice_options: Vec::new(),
        setup: media.level.setup.map(|setup| setup.to_string()),
        fingerprints: media.level.fingerprints.iter().map(ToString::to_string).collect(),
        sctp_port: media.sctp_port,
        max_message_size: media.max_message_size,
        candidates: candidates.map(|line| candidate_of(&line)).collect(),
        end_of_candidates: media.level.end_of_candidates,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "1 1 UDP 2130706431 10.0.1.1 8998 typ host";

    fn ignored_for(address: &str, port: u16) -> Option<String> {
        let text = format!("candidate:1 1 UDP 2130706431 {address} {port} typ host");
        match candidate(&text).what {
            What::Candidate(line) => line.ignored,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_name_of_the_attribute_may_be_missing() {
        for start in ["", "candidate:", "a=candidate:", "a=CANDIDATE:"] {
            assert!(candidate(&format!("{start}{LINE}\r\n")).ok, "{start}");
        }
    }

    #[test]
    fn a_line_that_nobody_can_use_is_read_and_its_fault_told() {
        for address in ["0.0.0.0", "255.255.255.255", "239.1.2.3", "ff02::1", "::ffff:10.0.0.1", "fec0::1"] {
            assert!(ignored_for(address, 9).is_some(), "{address}");
        }
        assert!(ignored_for("10.0.0.1", 0).is_some() && ignored_for("example.org", 9).is_some());
        for address in ["10.0.0.1", "fe80::1", "2001:db8::1", "abcd.local"] {
            assert_eq!(ignored_for(address, 9), None, "{address}");
        }
    }

    #[test]
    fn a_password_is_counted_and_not_repeated() {
        let text =
            "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n";
        let told = serde_json::to_string(&fragment(text)).unwrap();
        assert!(told.contains(r#""pwd_length":22"#) && !told.contains("asd88"), "{told}");
    }
}
