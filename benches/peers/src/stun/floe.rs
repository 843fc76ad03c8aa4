//! floe-stun, as its documentation shows it.

use floe_stun::attribute::{
    Data, IceControlling, Priority, UseCandidate, Username, XorMappedAddress, XorPeerAddress,
};
use floe_stun::{Builder, Class, Integrity, Key, Message, Method, Template, TransactionId};

use super::{Codec, Eye, Facts};

pub(crate) struct Floe {
    key: Key,
    buf: [u8; 256],
}

impl Codec for Floe {
    const NAME: &'static str = "floe-stun";

    fn new(facts: &Facts) -> Self {
        Self { key: Key::short_term(facts.password), buf: [0; 256] }
    }

    fn read_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = Message::decode(packet) else { return false };
        show(&message, eye);
        true
    }

    fn verify_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = Message::decode(packet) else { return false };
        if message.fingerprint() == Some(false) {
            return false;
        }
        let Ok(message) = message.verify(&self.key) else { return false };
        show(&message, eye);
        true
    }

    fn read_success(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = Message::decode(packet) else { return false };
        let Some(XorMappedAddress(address)) = message.find() else { return false };
        eye.address(address);
        true
    }

    fn read_data(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
        let Ok(message) = Message::decode(packet) else { return false };
        let found: (Option<XorPeerAddress>, Option<Data<'_>>) = message.find_all();
        let (Some(XorPeerAddress(peer)), Some(Data(payload))) = found else { return false };
        eye.data(peer, payload);
        true
    }

    fn write_check(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let id = TransactionId::from(facts.id);
        let packet = fill(Builder::new(&mut self.buf, Class::Request, Method::BINDING, id), facts)
            .integrity(&self.key)
            .fingerprint()
            .finish();
        eye.packet(packet.expect("there is room"));
    }

    fn write_success(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let id = TransactionId::from(facts.id);
        let packet = Builder::new(&mut self.buf, Class::Success, Method::BINDING, id)
            .attribute(&XorMappedAddress(facts.mapped))
            .integrity(&self.key)
            .fingerprint()
            .finish();
        eye.packet(packet.expect("there is room"));
    }
}

fn show(message: &Message<'_>, eye: &mut impl Eye) {
    type Check<'a> = (Option<Username<'a>>, Option<Priority>, Option<IceControlling>, Option<UseCandidate>);
    let (username, priority, controlling, use_candidate): Check<'_> = message.find_all();
    eye.check(
        username.map_or("", |username| username.0),
        priority.map_or(0, |priority| priority.0),
        controlling.map_or(0, |controlling| controlling.0),
        use_candidate.is_some(),
    );
}

fn fill<'b>(builder: Builder<'b>, facts: &Facts) -> Builder<'b> {
    builder
        .attribute(&Username(facts.username))
        .attribute(&Priority(facts.priority))
        .attribute(&IceControlling(facts.controlling))
        .attribute(&UseCandidate)
}

/// The check from a template, as our agent sends it: all but the transaction id and the seals is written once.
pub(crate) struct Prepared {
    template: Template,
    buf: [u8; 256],
}

impl Codec for Prepared {
    const NAME: &'static str = "floe-stun, template";

    fn new(facts: &Facts) -> Self {
        let template = Template::new(Class::Request, Method::BINDING, |builder| fill(builder, facts));
        let template =
            template.expect("there is room").signed(Key::short_term(facts.password), Integrity::Sha1);
        Self { template: template.with_fingerprint(), buf: [0; 256] }
    }

    fn write_check(&mut self, facts: &Facts, eye: &mut impl Eye) {
        let packet = self.template.write(&mut self.buf, TransactionId::from(facts.id));
        eye.packet(packet.expect("there is room"));
    }
}
