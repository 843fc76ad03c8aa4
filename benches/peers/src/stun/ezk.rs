//! `ezk-stun-types`.

use ezk_stun_types::attributes::turn::{Data, XorPeerAddress};
use ezk_stun_types::attributes::{
    Fingerprint, IceControlling, MessageIntegrity, MessageIntegrityKey, Priority, UseCandidate, Username,
    XorMappedAddress,
};
use ezk_stun_types::{Class, Message, MessageBuilder, Method, TransactionId};

use super::{Codec, Eye, Facts};
use crate::Row;

pub(crate) struct Ezk {
    password: &'static str,
}

impl Codec for Ezk {
    const NAME: &'static str = "ezk-stun-types";
    const NOTES: &'static [(Row, &'static str)] =
        &[(Row::VerifyCheck, "a prepared key serves once"), (Row::WriteCheck, "a prepared key serves once")];

    fn new(facts: &Facts) -> Self {
        Self { password: facts.password }
    }

    fn read_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(mut message) = Message::parse(packet) else { return false };
        show(&mut message, eye);
        true
    }

    fn verify_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(mut message) = Message::parse(packet) else { return false };
        let key = MessageIntegrityKey::new(self.password);
        if !matches!(message.attribute::<Fingerprint>(), Some(Ok(_)))
            || !matches!(message.attribute_with::<MessageIntegrity>(key), Some(Ok(_)))
        {
            return false;
        }
        show(&mut message, eye);
        true
    }

    fn read_success(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(mut message) = Message::parse(packet) else { return false };
        let Some(Ok(XorMappedAddress(address))) = message.attribute() else { return false };
        eye.address(address);
        true
    }

    fn read_data(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(mut message) = Message::parse(packet) else { return false };
        let Some(Ok(XorPeerAddress(peer))) = message.attribute() else { return false };
        let Some(Ok(data)) = message.attribute::<Data<'_>>() else { return false };
        eye.data(peer, data.0);
        true
    }

    fn write_check(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let mut message = MessageBuilder::new(Class::Request, Method::Binding, TransactionId::new(facts.id));
        message.add_attr(Username::new(facts.username));
        message.add_attr(Priority(facts.priority));
        message.add_attr(IceControlling(facts.controlling));
        message.add_attr(UseCandidate);
        self.seal(message, eye);
    }

    fn write_success(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let mut message = MessageBuilder::new(Class::Success, Method::Binding, TransactionId::new(facts.id));
        message.add_attr(XorMappedAddress(facts.mapped));
        self.seal(message, eye);
    }
}

impl Ezk {
    fn seal(&self, mut message: MessageBuilder, eye: &mut impl Eye) {
        message.add_attr_with(MessageIntegrity, MessageIntegrityKey::new(self.password));
        message.add_attr(Fingerprint);
        eye.packet(&message.finish());
    }
}

fn show(message: &mut Message, eye: &mut impl Eye) {
    let priority = message.attribute().and_then(Result::ok).map_or(0, |Priority(priority)| priority);
    let controlling =
        message.attribute().and_then(Result::ok).map_or(0, |IceControlling(tie_breaker)| tie_breaker);
    let use_candidate = message.attribute::<UseCandidate>().is_some();
    let username = message.attribute::<Username<'_>>().and_then(Result::ok).map_or("", |name| name.0);
    eye.check(username, priority, controlling, use_candidate);
}
