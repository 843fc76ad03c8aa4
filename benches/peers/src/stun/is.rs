//! `is`, the ICE agent of str0m: its codec reads and writes the messages it needs itself.

use is::stun::{StunMessage, TransId};
use is::{DefaultSha1HmacProvider, Sha1HmacProvider};

use super::{Codec, Eye, Facts};
use crate::Row;

pub(crate) struct Is {
    password: &'static [u8],
    /// Ids are made at random there; this one is that of a message it has read.
    id: TransId,
    buf: [u8; 256],
}

impl Codec for Is {
    const NAME: &'static str = "is";
    const NOTES: &'static [(Row, &'static str)] = &[
        (Row::VerifyCheck, "takes a password, no prepared key"),
        (Row::WriteCheck, "takes a password, no prepared key"),
    ];

    fn new(facts: &Facts) -> Self {
        Self { password: facts.password.as_bytes(), id: id(facts), buf: [0; 256] }
    }

    fn read_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = StunMessage::parse(packet) else { return false };
        show(&message, eye);
        true
    }

    fn verify_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = StunMessage::parse(packet) else { return false };
        if !message.verify(self.password, hmac) {
            return false;
        }
        show(&message, eye);
        true
    }

    fn read_success(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = StunMessage::parse(packet) else { return false };
        let Some(address) = message.mapped_address() else { return false };
        eye.address(address);
        true
    }

    fn read_data(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = StunMessage::parse(packet) else { return false };
        let (Some(peer), Some(payload)) = (message.xor_peer_address(), message.data()) else { return false };
        eye.data(peer, payload);
        true
    }

    fn write_check(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let message = StunMessage::binding_request(
            facts.username,
            self.id,
            true,
            facts.controlling,
            facts.priority,
            true,
        );
        self.write(message, eye);
    }

    fn write_success(&mut self, facts: &Facts, eye: &mut impl Eye) {
        self.write(StunMessage::binding_reply(self.id, facts.mapped), eye);
    }
}

impl Is {
    fn write(&mut self, message: StunMessage<'_>, eye: &mut impl Eye) {
        let len = message.to_bytes(Some(self.password), &mut self.buf, hmac).expect("there is room");
        eye.packet(&self.buf[..len]);
    }
}

fn show(message: &StunMessage<'_>, eye: &mut impl Eye) {
    eye.check(
        message.username().unwrap_or_default(),
        message.prio().unwrap_or_default(),
        message.ice_controlling().unwrap_or_default(),
        message.use_candidate(),
    );
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    DefaultSha1HmacProvider.sha1_hmac(key, parts)
}

fn id(facts: &Facts) -> TransId {
    StunMessage::parse(&super::packets::header(facts)).expect("a message").trans_id()
}
