//! `stun-types`, with the attributes of ICE from `rice-stun-types` and those of TURN from `turn-types`.

use rice_stun_types::attribute::{IceControlling, Priority, UseCandidate};
use stun_types::attribute::{AttributeStaticType, Username, XorMappedAddress};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, IntegrityKey, Message, MessageClass, MessageType, MessageWrite,
    MessageWriteExt, MessageWriteMutSlice, ShortTermCredentials, TransactionId,
};
use turn_types::attribute::{Data, XorPeerAddress};

use super::{Codec, Eye, Facts};
use crate::Row;

pub(crate) struct StunTypes {
    key: IntegrityKey,
    id: TransactionId,
    buf: [u8; 256],
}

impl Codec for StunTypes {
    const NAME: &'static str = "stun-types";
    const NOTES: &'static [(Row, &'static str)] =
        &[(Row::VerifyCheck, "key kept"), (Row::WriteCheck, "key kept")];

    fn new(facts: &Facts) -> Self {
        let mut id = [0; 16];
        id[4..].copy_from_slice(&facts.id);
        Self {
            key: ShortTermCredentials::new(facts.password.to_owned()).make_key(),
            id: u128::from_be_bytes(id).into(),
            buf: [0; 256],
        }
    }

    fn read_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = Message::from_bytes(packet) else { return false };
        show(&message, eye);
        true
    }

    fn verify_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = Message::from_bytes(packet) else { return false };
        if message.validate_integrity_with_key(&self.key).is_err() {
            return false;
        }
        show(&message, eye);
        true
    }

    fn read_success(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = Message::from_bytes(packet) else { return false };
        let Ok(address) = message.attribute::<XorMappedAddress>() else { return false };
        eye.address(address.addr(message.transaction_id()));
        true
    }

    fn read_data(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = Message::from_bytes(packet) else { return false };
        let (Ok(peer), Ok(data)) = (message.attribute::<XorPeerAddress>(), message.attribute::<Data<'_>>())
        else {
            return false;
        };
        eye.data(peer.addr(message.transaction_id()), data.data());
        true
    }

    fn write_check(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
        let mut message = Message::builder(kind, self.id, MessageWriteMutSlice::new(&mut self.buf));
        message.add_attribute(&Username::new(facts.username).expect("short")).expect("there is room");
        message.add_attribute(&Priority::new(facts.priority)).expect("there is room");
        message.add_attribute(&IceControlling::new(facts.controlling)).expect("there is room");
        message.add_attribute(&UseCandidate::new()).expect("there is room");
        seal(message, &self.key, eye);
    }

    fn write_success(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let kind = MessageType::from_class_method(MessageClass::Success, BINDING);
        let mut message = Message::builder(kind, self.id, MessageWriteMutSlice::new(&mut self.buf));
        message.add_attribute(&XorMappedAddress::new(facts.mapped, self.id)).expect("there is room");
        seal(message, &self.key, eye);
    }
}

fn seal(mut message: MessageWriteMutSlice<'_>, key: &IntegrityKey, eye: &mut impl Eye) {
    message.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1).expect("there is room");
    message.add_fingerprint().expect("there is room");
    eye.packet(&message.data()[..message.len()]);
}

fn show(message: &Message<'_>, eye: &mut impl Eye) {
    let username = message.attribute::<Username>();
    eye.check(
        username.as_ref().map_or("", |name| name.username()),
        message.attribute::<Priority>().map_or(0, |priority| priority.priority()),
        message.attribute::<IceControlling>().map_or(0, |controlling| controlling.tie_breaker()),
        message.has_attribute(UseCandidate::TYPE),
    );
}
