//! `sdp-rs`.

use sdp_rs::SessionDescription;
use sdp_rs::lines::Attribute;

use super::{Parser, Told};

pub(crate) struct SdpRs;

impl Parser for SdpRs {
    const NAME: &'static str = "sdp-rs";
    const ATTRIBUTES: &'static str = "a few typed, the others text";
    type Text = &'static str;
    type Description = SessionDescription;

    fn text(text: &'static str) -> Self::Text {
        text
    }

    fn parse(text: &Self::Text) -> Option<SessionDescription> {
        text.parse().ok()
    }

    fn write(description: &SessionDescription) -> String {
        description.to_string()
    }

    fn told(description: &SessionDescription) -> Option<Told> {
        let pairs =
            description.media_descriptions[0].attributes.iter().filter_map(|attribute| match attribute {
                Attribute::Other(name, value) => Some((name.as_str(), value.as_deref())),
                _ => None,
            });
        Some(Told::by_pairs(description.media_descriptions.len(), pairs))
    }
}
