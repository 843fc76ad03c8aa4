//! The two of webrtc-rs: `rtc-stun` and its elder, `stun`, which differ in how they seal.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rtc_crypto::RTCCryptoProvider;

use super::{Codec, Eye, Facts};

pub(crate) struct RtcStun {
    password: &'static str,
    crypto: Arc<dyn RTCCryptoProvider>,
    message: rtc_stun::message::Message,
}

impl RtcStun {
    fn make(facts: &Facts) -> Self {
        let crypto = rtc_crypto::default_provider().expect("ring is compiled in");
        Self { password: facts.password, crypto, message: rtc_stun::message::Message::new() }
    }

    fn is_genuine(&mut self) -> bool {
        let key = self.password.as_bytes();
        rtc_stun::integrity::MessageIntegrity::check(&mut self.message, key, self.crypto.crypto()).is_ok()
    }

    fn integrity(&self) -> rtc_stun::integrity::MessageIntegrity<'_> {
        rtc_stun::integrity::MessageIntegrity::new_short_term_integrity_with_provider(
            self.password.to_owned(),
            self.crypto.crypto(),
        )
    }
}

pub(crate) struct Stun {
    integrity: stun::integrity::MessageIntegrity,
    message: stun::message::Message,
}

impl Stun {
    fn make(facts: &Facts) -> Self {
        let integrity =
            stun::integrity::MessageIntegrity::new_short_term_integrity(facts.password.to_owned());
        Self { integrity, message: stun::message::Message::new() }
    }

    fn is_genuine(&mut self) -> bool {
        self.integrity.check(&mut self.message).is_ok()
    }

    fn integrity(&self) -> stun::integrity::MessageIntegrity {
        self.integrity.clone()
    }
}

macro_rules! codec {
    ($codec:ident, $name:literal, $lib:ident, $id:path) => {
        impl Codec for $codec {
            const NAME: &'static str = $name;

            fn new(facts: &Facts) -> Self {
                Self::make(facts)
            }

            fn read_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
                if self.message.unmarshal_binary(packet).is_err() {
                    return false;
                }
                self.show(eye);
                true
            }

            fn verify_check(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
                if self.message.unmarshal_binary(packet).is_err()
                    || $lib::fingerprint::FINGERPRINT.check(&self.message).is_err()
                    || !self.is_genuine()
                {
                    return false;
                }
                self.show(eye);
                true
            }

            fn read_success(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
                if self.message.unmarshal_binary(packet).is_err() {
                    return false;
                }
                let Some(address) = self.address($lib::attributes::ATTR_XORMAPPED_ADDRESS) else {
                    return false;
                };
                eye.address(address);
                true
            }

            fn read_data(&mut self, packet: &[u8], eye: &mut impl Eye) -> bool {
                if self.message.unmarshal_binary(packet).is_err() {
                    return false;
                }
                let Some(peer) = self.address($lib::attributes::ATTR_XOR_PEER_ADDRESS) else { return false };
                let Ok(payload) = self.message.get($lib::attributes::ATTR_DATA) else { return false };
                eye.data(peer, &payload);
                true
            }

            fn write_check(&mut self, facts: &Facts, eye: &mut impl Eye) {
                use $lib::attributes::{
                    ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME,
                };
                let raw = |typ, value: &[u8]| {
                    let length = value.len() as u16;
                    Box::new($lib::attributes::RawAttribute { typ, length, value: value.to_vec() })
                };
                let mut message = $lib::message::Message::new();
                let built = message.build(&[
                    Box::new($lib::message::BINDING_REQUEST),
                    Box::new($id(facts.id)),
                    Box::new($lib::textattrs::Username::new(ATTR_USERNAME, facts.username.to_owned())),
                    raw(ATTR_PRIORITY, &facts.priority.to_be_bytes()),
                    raw(ATTR_ICE_CONTROLLING, &facts.controlling.to_be_bytes()),
                    raw(ATTR_USE_CANDIDATE, &[]),
                    Box::new(self.integrity()),
                    Box::new($lib::fingerprint::FINGERPRINT),
                ]);
                built.expect("a message");
                eye.packet(&message.raw);
            }

            fn write_success(&mut self, facts: &Facts, eye: &mut impl Eye) {
                let mapped =
                    $lib::xoraddr::XorMappedAddress { ip: facts.mapped.ip(), port: facts.mapped.port() };
                let mut message = $lib::message::Message::new();
                let built = message.build(&[
                    Box::new($lib::message::BINDING_SUCCESS),
                    Box::new($id(facts.id)),
                    Box::new(mapped),
                    Box::new(self.integrity()),
                    Box::new($lib::fingerprint::FINGERPRINT),
                ]);
                built.expect("a message");
                eye.packet(&message.raw);
            }
        }

        impl $codec {
            fn address(&self, kind: $lib::attributes::AttrType) -> Option<SocketAddr> {
                let mut address = $lib::xoraddr::XorMappedAddress { ip: IpAddr::from([0; 4]), port: 0 };
                address.get_from_as(&self.message, kind).ok()?;
                Some(SocketAddr::new(address.ip, address.port))
            }

            fn show(&self, eye: &mut impl Eye) {
                use $lib::attributes::{
                    ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME,
                };
                let username = $lib::textattrs::TextAttribute::get_from_as(&self.message, ATTR_USERNAME);
                let priority = self.message.get(ATTR_PRIORITY).ok().and_then(|value| value.try_into().ok());
                let controlling =
                    self.message.get(ATTR_ICE_CONTROLLING).ok().and_then(|value| value.try_into().ok());
                eye.check(
                    username.as_ref().map_or("", |name| &name.text),
                    priority.map_or(0, u32::from_be_bytes),
                    controlling.map_or(0, u64::from_be_bytes),
                    self.message.contains(ATTR_USE_CANDIDATE),
                );
            }
        }
    };
}

codec!(RtcStun, "rtc-stun", rtc_stun, rtc_stun::message::TransactionId);
codec!(Stun, "stun (webrtc-rs)", stun, stun::agent::TransactionId);
