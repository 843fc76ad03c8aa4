//! The rows of descriptions: what a parser has to do, the texts it is given, and the judge.

mod ezk;
mod floe;
mod floor;
mod sdp_rs;
mod sdp_types;
mod str0m;
mod texts;
mod webrtc;
mod webrtc_sdp;

use std::hint::black_box;

use crate::contestant::repeat;
use crate::{Contestant, Field, Row};
use texts::Texts;

/// A parser on the track.
pub(crate) trait Parser: 'static {
    const NAME: &'static str;
    /// What becomes of the attributes.
    const ATTRIBUTES: &'static str;
    /// The text as the parser wants to be given it.
    type Text: 'static;
    type Description: 'static;

    fn text(text: &'static str) -> Self::Text;
    fn parse(text: &Self::Text) -> Option<Self::Description>;
    fn write(description: &Self::Description) -> String;
    /// What was understood; `None` if it cannot be asked, and only what it writes tells.
    fn told(description: &Self::Description) -> Option<Told>;
}

/// What stands in a description, as far as every parser can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) sections: usize,
    /// Of the first section, like all that follows.
    pub(crate) mid: String,
    pub(crate) ufrag: String,
    pub(crate) pwd: String,
    pub(crate) candidates: usize,
}

impl Told {
    /// By the eye, without a parser: lines that begin so.
    pub(crate) fn by_lines(text: &str) -> Self {
        let first = text.lines().skip_while(|line| !line.starts_with("m=")).skip(1);
        let attributes =
            first.take_while(|line| !line.starts_with("m=")).filter_map(|line| line.strip_prefix("a="));
        let pairs = attributes
            .map(|line| line.split_once(':').map_or((line, None), |(name, value)| (name, Some(value))));
        Self::by_pairs(text.lines().filter(|line| line.starts_with("m=")).count(), pairs)
    }

    /// Of a parser that keeps attributes as pairs of text.
    pub(crate) fn by_pairs<'a>(
        sections: usize,
        pairs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Self {
        let mut told =
            Self { sections, mid: String::new(), ufrag: String::new(), pwd: String::new(), candidates: 0 };
        for (name, value) in pairs {
            match (name, value) {
                ("mid", Some(mid)) => told.mid = mid.to_owned(),
                ("ice-ufrag", Some(ufrag)) => told.ufrag = ufrag.to_owned(),
                ("ice-pwd", Some(pwd)) => told.pwd = pwd.to_owned(),
                ("candidate", Some(_)) => told.candidates += 1,
                _ => {}
            }
        }
        told
    }
}

const ROWS: [Row; 6] =
    [Row::ParseOffer, Row::WriteOffer, Row::ParseLarge, Row::WriteLarge, Row::Parse50, Row::Parse400];

pub(crate) fn enter(field: &mut Field, rows: &[Row]) {
    let texts: &'static Texts = Box::leak(Box::new(Texts::new()));
    let rows = rows.iter().copied().filter(|row| ROWS.contains(row)).collect();
    let mut entry = Entry { field, texts, rows };
    floor::enter(&mut entry);
    entry.parser::<floe::Floe>();
    floe::enter_writer(&mut entry);
    entry.parser::<sdp_types::SdpTypes>();
    entry.parser::<sdp_rs::SdpRs>();
    entry.parser::<webrtc::RtcSdp>();
    entry.parser::<webrtc::Sdp>();
    entry.parser::<ezk::Ezk>();
    entry.parser::<webrtc_sdp::WebrtcSdp>();
    entry.parser::<str0m::Str0m>();
}

pub(crate) struct Entry<'f> {
    pub(crate) field: &'f mut Field,
    pub(crate) texts: &'static Texts,
    pub(crate) rows: Vec<Row>,
}

impl Entry<'_> {
    fn parser<P: Parser>(&mut self) {
        for row in self.rows.clone() {
            self.row::<P>(row);
        }
    }

    fn row<P: Parser>(&mut self, row: Row) {
        let text = P::text(self.texts.of(row));
        let description = judged::<P>(&text, self.texts.of(row), row);
        let run = match row {
            row if is_written(row) => repeat(move || {
                black_box(P::write(black_box(&description)));
            }),
            _ => repeat(move || {
                black_box(P::parse(black_box(&text)));
            }),
        };
        let mut contestant = Contestant::new(row, P::NAME, self.texts.of(row).len(), run);
        contestant.note(format!("attributes: {}", P::ATTRIBUTES));
        self.field.contestants.push(contestant);
    }
}

fn is_written(row: Row) -> bool {
    matches!(row, Row::WriteOffer | Row::WriteLarge)
}

/// Panics unless the parser understands the text, and what it writes says the same.
fn judged<P: Parser>(text: &P::Text, original: &'static str, row: Row) -> P::Description {
    let expected = Told::by_lines(original);
    let Some(description) = P::parse(text) else { panic!("{} refuses {row}", P::NAME) };
    if let Some(told) = P::told(&description) {
        assert_eq!(told, expected, "{} misreads {row}", P::NAME);
    }
    assert_eq!(Told::by_lines(&P::write(&description)), expected, "{} miswrites {row}", P::NAME);
    description
}
