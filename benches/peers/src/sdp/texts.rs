//! The descriptions that are read, all of them from Chromium.

use crate::Row;

const OFFER: &str = include_str!("../../../../tests/corpora/sdp/browsers-2026/chromium-stun-offerFull.sdp");
const AUDIO: &str = include_str!("../../../../tests/corpora/sdp/browsers-2026/chromium-offer-audio.sdp");
const VIDEO: &str = include_str!("../../../../tests/corpora/sdp/browsers-2026/chromium-offer-video.sdp");

#[derive(Debug)]
pub(crate) struct Texts {
    sections_50: String,
    sections_100: String,
    sections_400: String,
}

impl Texts {
    pub(crate) fn new() -> Self {
        Self { sections_50: sections(50), sections_100: sections(100), sections_400: sections(400) }
    }

    pub(crate) fn of(&self, row: Row) -> &str {
        match row {
            Row::ParseLarge | Row::WriteLarge => &self.sections_100,
            Row::Parse50 => &self.sections_50,
            Row::Parse400 => &self.sections_400,
            _ => OFFER,
        }
    }
}

/// Audio and video in turn, each section with a name of its own, all in one bundle.
fn sections(count: usize) -> String {
    let (session, audio) = AUDIO.split_at(AUDIO.find("m=").expect("a section"));
    let (_, video) = VIDEO.split_at(VIDEO.find("m=").expect("a section"));
    let mids: String = (0..count).map(|mid| format!(" {mid}")).collect();
    let sections = (0..count).map(|index| {
        let section = if index % 2 == 0 { audio } else { video };
        section.replace("a=mid:0", &format!("a=mid:{index}"))
    });
    session.replace("a=group:BUNDLE 0", &format!("a=group:BUNDLE{mids}")) + &sections.collect::<String>()
}
