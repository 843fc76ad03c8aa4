//! floe-sdp.

use std::hint::black_box;

use floe_sdp::{CandidateLine, Fingerprint, IcePwd, IceUfrag, Limits, LocalSession, SessionDescription};

use super::{Entry, Parser, Told};
use crate::contestant::repeat;
use crate::{Contestant, Row};

pub(crate) struct Floe;

impl Parser for Floe {
    const NAME: &'static str = "floe-sdp";
    const ATTRIBUTES: &'static str =
        "those of ICE, DTLS and data channels typed, the others behind an iterator";
    type Text = &'static str;
    type Description = SessionDescription<'static>;

    fn text(text: &'static str) -> Self::Text {
        text
    }

    fn parse(text: &Self::Text) -> Option<Self::Description> {
        SessionDescription::parse_within(text, &LIMITS).ok()
    }

    fn write(description: &Self::Description) -> String {
        description.to_string()
    }

    fn told(description: &Self::Description) -> Option<Told> {
        let first = description.section(0)?;
        Some(Told {
            sections: description.media.len(),
            mid: first.media().mid.unwrap_or_default().to_owned(),
            ufrag: first.ufrag().map_or("", IceUfrag::as_str).to_owned(),
            pwd: first.pwd().map_or("", IcePwd::as_str).to_owned(),
            candidates: first.media().candidates.len(),
        })
    }
}

/// 400 sections are more than the defaults let in.
const LIMITS: Limits = Limits { text: 1 << 20, lines: 1 << 15, line: 1 << 14, media: 1 << 10 };

/// The offer written from its values, not given back: what our side does when it offers.
pub(crate) fn enter_writer(entry: &mut Entry<'_>) {
    if !entry.rows.contains(&Row::WriteOffer) {
        return;
    }
    let text = entry.texts.of(Row::WriteOffer);
    let ours = Ours::of(text);
    assert_eq!(Told::by_lines(&ours.offer()), Told::by_lines(text));
    let run = repeat(move || {
        black_box(black_box(&ours).offer());
    });
    let mut contestant = Contestant::new(Row::WriteOffer, "floe-sdp, from values", text.len(), run);
    contestant.note("the same session as LocalSession");
    entry.field.contestants.push(contestant);
}

struct Ours {
    ufrag: IceUfrag,
    pwd: IcePwd,
    fingerprints: Vec<Fingerprint>,
    candidates: Vec<CandidateLine>,
}

impl Ours {
    fn of(text: &str) -> Self {
        let description = SessionDescription::parse(text).expect("an offer");
        let session = description.data_session().expect("of data channels");
        Self {
            ufrag: session.ufrag.clone(),
            pwd: session.pwd.clone(),
            fingerprints: session.fingerprints.to_vec(),
            candidates: session
                .candidates()
                .map(|line| line.to_string().parse().expect("a candidate"))
                .collect(),
        }
    }

    fn offer(&self) -> String {
        let session = LocalSession::new(4611, &self.ufrag, &self.pwd, &self.fingerprints);
        LocalSession { candidates: &self.candidates, ..session }.offer("0").expect("an offer")
    }
}
