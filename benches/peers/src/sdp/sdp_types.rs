//! `sdp-types`.

use sdp_types::Session;

use super::{Parser, Told};

pub(crate) struct SdpTypes;

impl Parser for SdpTypes {
    const NAME: &'static str = "sdp-types";
    const ATTRIBUTES: &'static str = "text";
    type Text = &'static str;
    type Description = Session;

    fn text(text: &'static str) -> Self::Text {
        text
    }

    fn parse(text: &Self::Text) -> Option<Session> {
        Session::parse(text.as_bytes()).ok()
    }

    fn write(session: &Session) -> String {
        session.to_string()
    }

    fn told(session: &Session) -> Option<Told> {
        let pairs = session.medias[0].attributes.iter();
        let pairs = pairs.map(|pair| (pair.attribute.as_str(), pair.value.as_deref()));
        Some(Told::by_pairs(session.medias.len(), pairs))
    }
}
