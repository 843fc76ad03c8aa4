//! The two of webrtc-rs: `rtc-sdp` and its elder, `sdp`.

use std::io::Cursor;

use super::{Parser, Told};

pub(crate) struct RtcSdp;
pub(crate) struct Sdp;

macro_rules! parser {
    ($parser:ident, $name:literal, $lib:ident) => {
        impl Parser for $parser {
            const NAME: &'static str = $name;
            const ATTRIBUTES: &'static str = "text";
            type Text = &'static str;
            type Description = $lib::SessionDescription;

            fn text(text: &'static str) -> Self::Text {
                text
            }

            fn parse(text: &Self::Text) -> Option<Self::Description> {
                $lib::SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes())).ok()
            }

            fn write(description: &Self::Description) -> String {
                description.marshal()
            }

            fn told(description: &Self::Description) -> Option<Told> {
                let pairs = description.media_descriptions[0].attributes.iter();
                let pairs = pairs.map(|pair| (pair.key.as_str(), pair.value.as_deref()));
                Some(Told::by_pairs(description.media_descriptions.len(), pairs))
            }
        }
    };
}

parser!(RtcSdp, "rtc-sdp", rtc_sdp);
parser!(Sdp, "sdp (webrtc-rs)", sdp);
