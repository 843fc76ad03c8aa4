//! `stun-rs`.

use stun_rs::attributes::ice::{IceControlling, Priority, UseCandidate};
use stun_rs::attributes::stun::{Fingerprint, MessageIntegrity, UserName, XorMappedAddress};
use stun_rs::attributes::turn::{Data, XorPeerAddress};
use stun_rs::methods::BINDING;
use stun_rs::{
    DecoderContextBuilder, HMACKey, MessageClass, MessageDecoder, MessageDecoderBuilder, MessageEncoder,
    MessageEncoderBuilder, StunMessage, StunMessageBuilder, TransactionId,
};

use super::{Codec, Eye, Facts};

pub(crate) struct StunRs {
    key: HMACKey,
    reader: MessageDecoder,
    verifier: MessageDecoder,
    encoder: MessageEncoder,
    buf: [u8; 256],
}

impl Codec for StunRs {
    const NAME: &'static str = "stun-rs";

    fn new(facts: &Facts) -> Self {
        let key = HMACKey::new_short_term(facts.password).expect("a password");
        let validating = DecoderContextBuilder::default().with_key(key.clone()).with_validation().build();
        Self {
            key,
            reader: MessageDecoderBuilder::default().build(),
            verifier: MessageDecoderBuilder::default().with_context(validating).build(),
            encoder: MessageEncoderBuilder::default().build(),
            buf: [0; 256],
        }
    }

    fn read_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok((message, _)) = self.reader.decode(packet) else { return false };
        show(&message, eye);
        true
    }

    fn verify_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok((message, _)) = self.verifier.decode(packet) else { return false };
        show(&message, eye);
        true
    }

    fn read_success(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok((message, _)) = self.reader.decode(packet) else { return false };
        let Some(Ok(mapped)) = message.get::<XorMappedAddress>().map(|found| found.as_xor_mapped_address())
        else {
            return false;
        };
        eye.address(*mapped.socket_address());
        true
    }

    fn read_data(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok((message, _)) = self.reader.decode(packet) else { return false };
        let peer = message.get::<XorPeerAddress>().map(|found| found.as_xor_peer_address());
        let data = message.get::<Data>().map(|found| found.as_data());
        let (Some(Ok(peer)), Some(Ok(data))) = (peer, data) else { return false };
        eye.data(*peer.socket_address(), data.as_bytes());
        true
    }

    fn write_check(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let message = StunMessageBuilder::new(BINDING, MessageClass::Request)
            .with_transaction_id(TransactionId::from(facts.id))
            .with_attribute(UserName::new(facts.username).expect("short"))
            .with_attribute(Priority::new(facts.priority))
            .with_attribute(IceControlling::new(facts.controlling))
            .with_attribute(UseCandidate::default());
        self.seal(message, eye);
    }

    fn write_success(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let message = StunMessageBuilder::new(BINDING, MessageClass::SuccessResponse)
            .with_transaction_id(TransactionId::from(facts.id))
            .with_attribute(XorMappedAddress::from(facts.mapped));
        self.seal(message, eye);
    }
}

impl StunRs {
    fn seal(&mut self, message: StunMessageBuilder, eye: &mut impl Eye) {
        let message = message
            .with_attribute(MessageIntegrity::new(self.key.clone()))
            .with_attribute(Fingerprint::default())
            .build();
        let len = self.encoder.encode(&mut self.buf, &message).expect("there is room");
        eye.packet(&self.buf[..len]);
    }
}

fn show(message: &StunMessage, eye: &mut impl Eye) {
    let username = message.get::<UserName>().and_then(|found| found.as_user_name().ok());
    let priority = message.get::<Priority>().and_then(|found| found.as_priority().ok());
    let controlling = message.get::<IceControlling>().and_then(|found| found.as_ice_controlling().ok());
    eye.check(
        username.map_or("", |name| name.as_str()),
        priority.map_or(0, |priority| priority.as_u32()),
        controlling.map_or(0, |controlling| controlling.as_u64()),
        message.get::<UseCandidate>().is_some(),
    );
}
