//! `stun_codec`. It checks FINGERPRINT as it decodes, and MESSAGE-INTEGRITY over the message written anew.

use bytecodec::{DecodeExt, EncodeExt};
use stun_codec::rfc5245::attributes::{IceControlled, IceControlling, Priority, UseCandidate};
use stun_codec::rfc5389::attributes::{Fingerprint, MessageIntegrity, Username, XorMappedAddress};
use stun_codec::rfc5389::methods::BINDING;
use stun_codec::rfc5766::attributes::{Data, XorPeerAddress};
use stun_codec::{
    Message, MessageClass, MessageDecoder, MessageEncoder, TransactionId, define_attribute_enums,
};

use super::{Codec, Eye, Facts};

define_attribute_enums!(
    Attribute,
    AttributeDecoder,
    AttributeEncoder,
    [
        Username,
        MessageIntegrity,
        Fingerprint,
        XorMappedAddress,
        Priority,
        UseCandidate,
        IceControlled,
        IceControlling,
        XorPeerAddress,
        Data
    ]
);

pub(crate) struct StunCodec {
    password: &'static str,
}

impl Codec for StunCodec {
    const NAME: &'static str = "stun_codec";

    fn new(facts: &Facts) -> Self {
        Self { password: facts.password }
    }

    fn read_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(message) = decode(packet) else { return false };
        show(&message, eye);
        true
    }

    fn verify_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(message) = decode(packet) else { return false };
        let Some(integrity) = message.get_attribute::<MessageIntegrity>() else { return false };
        if integrity.check_short_term_credential(self.password).is_err() {
            return false;
        }
        show(&message, eye);
        true
    }

    fn read_success(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(message) = decode(packet) else { return false };
        let Some(mapped) = message.get_attribute::<XorMappedAddress>() else { return false };
        eye.address(mapped.address());
        true
    }

    fn read_data(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Some(message) = decode(packet) else { return false };
        let peer = message.get_attribute::<XorPeerAddress>();
        let (Some(peer), Some(data)) = (peer, message.get_attribute::<Data>()) else { return false };
        eye.data(peer.address(), data.data());
        true
    }

    fn write_check(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let mut message = Message::new(MessageClass::Request, BINDING, TransactionId::new(facts.id));
        message.add_attribute(Username::new(facts.username.to_owned()).expect("short"));
        message.add_attribute(Priority::new(facts.priority));
        message.add_attribute(IceControlling::new(facts.controlling));
        message.add_attribute(UseCandidate::new());
        self.seal(message, eye);
    }

    fn write_success(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let mut message = Message::new(MessageClass::SuccessResponse, BINDING, TransactionId::new(facts.id));
        message.add_attribute(XorMappedAddress::new(facts.mapped));
        self.seal(message, eye);
    }
}

impl StunCodec {
    fn seal(&self, mut message: Message<Attribute>, eye: &mut impl Eye) {
        let integrity = MessageIntegrity::new_short_term_credential(&message, self.password).expect("a key");
        message.add_attribute(integrity);
        let fingerprint = Fingerprint::new(&message).expect("a message");
        message.add_attribute(fingerprint);
        eye.packet(&MessageEncoder::new().encode_into_bytes(message).expect("a message"));
    }
}

fn decode(packet: &[u8]) -> Option<Message<Attribute>> {
    MessageDecoder::<Attribute>::new().decode_from_bytes(packet).ok()?.ok()
}

fn show(message: &Message<Attribute>, eye: &mut impl Eye) {
    eye.check(
        message.get_attribute::<Username>().map_or("", |name| name.name()),
        message.get_attribute::<Priority>().map_or(0, |priority| priority.prio()),
        message.get_attribute::<IceControlling>().map_or(0, |controlling| controlling.prio()),
        message.get_attribute::<UseCandidate>().is_some(),
    );
}
