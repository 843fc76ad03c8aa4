//! The descriptions of `str0m`, which are opaque: what it understood shows in what it writes.

use str0m::change::SdpOffer;

use super::{Parser, Told};

pub(crate) struct Str0m;

impl Parser for Str0m {
    const NAME: &'static str = "str0m";
    const ATTRIBUTES: &'static str = "typed";
    type Text = &'static str;
    type Description = SdpOffer;

    fn text(text: &'static str) -> Self::Text {
        text
    }

    fn parse(text: &Self::Text) -> Option<SdpOffer> {
        SdpOffer::from_sdp_string(text).ok()
    }

    fn write(offer: &SdpOffer) -> String {
        offer.to_sdp_string()
    }

    fn told(_: &SdpOffer) -> Option<Told> {
        None
    }
}
