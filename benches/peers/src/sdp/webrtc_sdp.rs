//! `webrtc-sdp`, the parser of Firefox.

use webrtc_sdp::attribute_type::SdpAttribute;
use webrtc_sdp::{SdpSession, parse_sdp};

use super::{Parser, Told};

pub(crate) struct WebrtcSdp;

impl Parser for WebrtcSdp {
    const NAME: &'static str = "webrtc-sdp";
    const ATTRIBUTES: &'static str = "typed";
    type Text = &'static str;
    type Description = SdpSession;

    fn text(text: &'static str) -> Self::Text {
        text
    }

    fn parse(text: &Self::Text) -> Option<SdpSession> {
        parse_sdp(text, false).ok()
    }

    fn write(session: &SdpSession) -> String {
        session.to_string()
    }

    fn told(session: &SdpSession) -> Option<Told> {
        let candidates = |attribute: &&SdpAttribute| matches!(attribute, SdpAttribute::Candidate(_));
        let attributes = session.media[0].get_attributes();
        let pairs = attributes.iter().filter_map(|attribute| match attribute {
            SdpAttribute::Mid(mid) => Some(("mid", Some(mid.as_str()))),
            SdpAttribute::IceUfrag(ufrag) => Some(("ice-ufrag", Some(ufrag.as_str()))),
            SdpAttribute::IcePwd(pwd) => Some(("ice-pwd", Some(pwd.as_str()))),
            _ => None,
        });
        let told = Told::by_pairs(session.media.len(), pairs);
        Some(Told { candidates: attributes.iter().filter(candidates).count(), ..told })
    }
}
