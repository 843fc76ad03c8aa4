//! The codec of `turn-server` (turn-rs), which speaks long-term credentials only.

use turn_server::codec::Decoder;
use turn_server::codec::message::Message;
use turn_server::codec::message::attributes::{
    Data, IceControlling, Priority, UseCandidate, UserName, XorMappedAddress, XorPeerAddress,
};

use super::{Codec, Eye, Facts};
use crate::Row;

const LONG_TERM_ONLY: &str = "has long-term credentials only";

pub(crate) struct TurnServer {
    decoder: Decoder,
}

impl Codec for TurnServer {
    const NAME: &'static str = "turn-server";
    const ABSENT: &'static [(Row, &'static str)] = &[
        (Row::VerifyCheck, LONG_TERM_ONLY),
        (Row::WriteCheck, LONG_TERM_ONLY),
        (Row::WriteSuccess, LONG_TERM_ONLY),
    ];

    fn new(_: &Facts) -> Self {
        Self { decoder: Decoder::default() }
    }

    fn read_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(message) = decode(&mut self.decoder, packet) else { return false };
        eye.check(
            message.get::<UserName>().unwrap_or_default(),
            message.get::<Priority>().unwrap_or_default(),
            message.get::<IceControlling>().unwrap_or_default(),
            message.get::<UseCandidate>().is_some(),
        );
        true
    }

    fn read_success(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(message) = decode(&mut self.decoder, packet) else { return false };
        let Some(address) = message.get::<XorMappedAddress>() else { return false };
        eye.address(address);
        true
    }

    fn read_data(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(message) = decode(&mut self.decoder, packet) else { return false };
        let (Some(peer), Some(payload)) = (message.get::<XorPeerAddress>(), message.get::<Data>()) else {
            return false;
        };
        eye.data(peer, payload);
        true
    }
}

fn decode<'a>(decoder: &'a mut Decoder, packet: &'a [u8]) -> Option<Message<'a>> {
    decoder.decode(packet).ok()?.into_message()
}
