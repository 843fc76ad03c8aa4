//! What browsers write is read, and prints back as they wrote it.

use floe_sdp::{CandidateLine, CandidateType, IceAttribute, Transport};

const LINES: &str = include_str!("../../../tests/corpora/candidate/browsers-2026.txt");

#[test]
fn every_line_of_a_browser_is_read_and_prints_back() {
    for line in LINES.lines() {
        let attribute = IceAttribute::parse(line).unwrap().unwrap();
        let text = line.strip_prefix("a=").unwrap_or(line);
        // Chromium writes "udp", the grammar has "UDP"; nothing else differs.
        assert_eq!(attribute.to_string(), text.replace(" udp ", " UDP "));
    }
    assert_eq!(LINES.lines().count(), 63);
}

#[test]
fn the_candidates_of_browsers_cover_what_they_are_here_for() {
    let lines: Vec<_> = LINES.lines().filter_map(|line| CandidateLine::parse(line).ok()).collect();
    assert_eq!(lines.len(), LINES.lines().filter(|line| line.contains("candidate:")).count());
    let some = |test: fn(&CandidateLine) -> bool| assert!(lines.iter().any(test));
    some(|line| line.transport == Transport::Tcp && line.extension("tcptype") == Some("active"));
    some(|line| line.address.to_string() == "fd77::1");
    some(|line| line.kind == CandidateType::ServerReflexive && line.related.is_some());
    some(|line| {
        line.related.as_ref().is_some_and(|(address, port)| address.to_string() == "0.0.0.0" && *port == 0)
    });
    some(|line| line.extension("ufrag") == Some("1+nP") && line.extension("network-cost") == Some("999"));
}
