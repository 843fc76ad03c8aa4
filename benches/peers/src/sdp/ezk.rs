//! `ezk-sdp-types`.

use bytesstr::BytesStr;
use ezk_sdp_types::SessionDescription;

use super::{Parser, Told};

pub(crate) struct Ezk;

impl Parser for Ezk {
    const NAME: &'static str = "ezk-sdp-types";
    const ATTRIBUTES: &'static str = "typed, text shared with what was read";
    type Text = BytesStr;
    type Description = SessionDescription;

    fn text(text: &'static str) -> BytesStr {
        BytesStr::from(text.to_owned())
    }

    fn parse(text: &BytesStr) -> Option<SessionDescription> {
        SessionDescription::parse(text).ok()
    }

    fn write(description: &SessionDescription) -> String {
        description.to_string()
    }

    fn told(description: &SessionDescription) -> Option<Told> {
        let first = &description.media_descriptions[0];
        Some(Told {
            sections: description.media_descriptions.len(),
            mid: first.mid.as_ref().map_or("", |mid| mid.as_str()).to_owned(),
            ufrag: first.ice_ufrag.as_ref().map_or("", |ufrag| ufrag.ufrag.as_str()).to_owned(),
            pwd: first.ice_pwd.as_ref().map_or("", |pwd| pwd.pwd.as_str()).to_owned(),
            candidates: first.ice_candidates.len(),
        })
    }
}
