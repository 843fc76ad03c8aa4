//! What a description costs: read whole and typed, and written; time and allocations. Time for each byte must not grow
//! with the number of sections: compare `read_400_sections` with `read_50_sections`, by throughput.
//!
//! `cargo bench --bench sdp`
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has failed")]

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use floe_sdp::{
    CandidateLine, Fingerprint, Fragment, IcePwd, IceUfrag, LocalFragment, LocalSession, SessionDescription,
};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const OFFER: &str = include_str!("../tests/corpora/sdp/browsers-2026/chromium-offer-dc.sdp");
const VIDEO: &str = include_str!("../tests/corpora/sdp/browsers-2026/chromium-offer-video.sdp");

fn main() {
    divan::main();
}

#[divan::bench]
fn read_a_data_channel_offer(bencher: Bencher<'_, '_>) {
    read(bencher, &offer());
}

#[divan::bench]
fn read_a_data_channel_offer_and_what_it_takes_to_connect(bencher: Bencher<'_, '_>) {
    let text = offer();
    bencher.bench(|| {
        let description = SessionDescription::parse(black_box(&text)).unwrap();
        let session = description.data_session().unwrap();
        (session.sctp_port, session.setup, session.candidates().map(|line| line.priority).max())
    });
}

#[divan::bench]
fn read_50_sections(bencher: Bencher<'_, '_>) {
    read(bencher, &sections(&offer(), 50));
}

#[divan::bench]
fn read_400_sections(bencher: Bencher<'_, '_>) {
    let text = sections(OFFER, 400);
    assert!((130_000..262_144).contains(&text.len()), "{}", text.len());
    read(bencher, &text);
}

#[divan::bench]
fn read_50_short_sections(bencher: Bencher<'_, '_>) {
    read(bencher, &sections(OFFER, 50));
}

#[divan::bench]
fn read_224_kilobytes_of_video(bencher: Bencher<'_, '_>) {
    let text = video();
    read(bencher, &text);
}

/// What no reader can do without: find the lines.
#[divan::bench]
fn split_a_data_channel_offer(bencher: Bencher<'_, '_>) {
    let text = offer();
    bencher.counter(BytesCount::of_str(&text)).bench(|| black_box(text.as_str()).lines().count());
}

#[divan::bench]
fn split_224_kilobytes_of_video(bencher: Bencher<'_, '_>) {
    let text = video();
    bencher.counter(BytesCount::of_str(&text)).bench(|| black_box(text.as_str()).lines().count());
}

#[divan::bench]
fn print_224_kilobytes_of_video(bencher: Bencher<'_, '_>) {
    let text = video();
    let description = SessionDescription::parse(&text).unwrap();
    bencher.counter(BytesCount::of_str(&text)).bench(|| black_box(&description).to_string());
}

#[divan::bench]
fn write_a_data_channel_offer(bencher: Bencher<'_, '_>) {
    let (ufrag, pwd, fingerprints, candidates) = ours();
    let session = LocalSession {
        candidates: &candidates,
        end_of_candidates: true,
        ..LocalSession::new(4611, &ufrag, &pwd, &fingerprints)
    };
    bencher
        .counter(BytesCount::of_str(&session.offer("0").unwrap()))
        .bench(|| black_box(&session).offer("0"));
}

#[divan::bench]
fn write_an_answer(bencher: Bencher<'_, '_>) {
    let (ufrag, pwd, fingerprints, candidates) = ours();
    let session =
        LocalSession { candidates: &candidates, ..LocalSession::new(4611, &ufrag, &pwd, &fingerprints) };
    let offer = offer();
    let offer = SessionDescription::parse(&offer).unwrap();
    bencher.bench(|| black_box(&session).answer(&offer));
}

#[divan::bench]
fn write_and_read_a_fragment(bencher: Bencher<'_, '_>) {
    let (ufrag, pwd, _, candidates) = ours();
    let candidates = candidates.get(..1).unwrap();
    let local = LocalFragment { mid: "0", ufrag: &ufrag, pwd: &pwd, candidates, end_of_candidates: false };
    bencher.bench(|| {
        let text = black_box(&local).write().unwrap();
        Fragment::parse(&text).unwrap().candidates_of(&ufrag, &pwd).count()
    });
}

fn read(bencher: Bencher<'_, '_>, text: &str) {
    bencher
        .counter(BytesCount::of_str(text))
        .bench(|| SessionDescription::parse(black_box(text)).unwrap().media.len());
}

/// 844 bytes, as Chromium writes them: the offer and four candidates.
fn offer() -> String {
    let lines = ours().3.into_iter().map(|line| format!("a={line}\r\n").replace(" UDP ", " udp "));
    let text = OFFER.to_owned() + &lines.collect::<String>();
    assert!((820..870).contains(&text.len()), "{}", text.len());
    text
}

/// The one section of `text` many times, each with a name of its own.
fn sections(text: &str, count: usize) -> String {
    let (session, section) = text.split_at(text.find("m=").unwrap());
    let sections = (0..count).map(|mid| section.replace("a=mid:0", &format!("a=mid:{mid}")));
    session.to_owned() + &sections.collect::<String>()
}

/// As many video sections of Chromium as 224 kilobytes hold.
fn video() -> String {
    let section = VIDEO.len() - VIDEO.find("m=").unwrap();
    sections(VIDEO, 224_000 / section)
}

fn ours() -> (IceUfrag, IcePwd, Vec<Fingerprint>, Vec<CandidateLine>) {
    let description = SessionDescription::parse(OFFER).unwrap();
    let session = description.data_session().unwrap();
    let candidates = [
        "candidate:3419028372 1 UDP 2113937151 10.77.0.1 56800 typ host generation 0 network-cost 999",
        "candidate:318833354 1 UDP 1677729535 10.77.0.1 56801 typ srflx raddr 10.77.0.1 rport 56800 generation 0",
        "candidate:2123392103 1 UDP 2113939711 fd77::1 51719 typ host generation 0 network-cost 999",
        "candidate:3755183938 1 UDP 50339839 10.77.0.1 50184 typ relay raddr 0.0.0.0 rport 9 generation 0",
    ];
    let candidates = candidates.map(|line| line.parse().unwrap()).to_vec();
    (session.ufrag.clone(), session.pwd.clone(), session.fingerprints.to_vec(), candidates)
}
