//! User name fragment and password of one side of one generation (RFC 8445 §5.3, RFC 8839 §5.4).

use alloc::format;
use alloc::string::String;

use floe_stun::{Chance, Key, Password};

/// What one side tells the other so that checks can be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// User name fragment, 4 to 256 `ice-char`.
    pub ufrag: String,
    /// Password, 22 to 256 `ice-char`.
    pub pwd: Password,
}

impl Credentials {
    /// These two as signalling gave them; [`crate::IceAgent::set_remote_credentials`] checks them.
    #[must_use]
    pub fn new(ufrag: impl Into<String>, pwd: impl Into<String>) -> Self {
        Self { ufrag: ufrag.into(), pwd: Password::new(pwd) }
    }

    /// 48 and 144 bits of chance; RFC 8445 §5.3 asks for 24 and 128.
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        Self::new(chance.ice_chars(UFRAG_LEN), chance.ice_chars(PWD_LEN))
    }

    pub(crate) fn is_well_formed(&self) -> bool {
        let ice_chars =
            |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
        let (ufrag, pwd) = (self.ufrag.as_str(), self.pwd.reveal());
        (4..=256).contains(&ufrag.len())
            && (22..=256).contains(&pwd.len())
            && ice_chars(ufrag)
            && ice_chars(pwd)
    }
}

/// Our own credentials, made ready to verify what is addressed to us.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) credentials: Credentials,
    pub(crate) key: Key,
}

impl Local {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let credentials = Credentials::draw(chance);
        let key = Key::short_term(credentials.pwd.reveal());
        Self { credentials, key }
    }
}

/// The peer's credentials, made ready to sign what we send it.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) credentials: Credentials,
    /// USERNAME of our checks: theirs, colon, ours (RFC 8445 §7.2.2).
    pub(crate) username: String,
    pub(crate) key: Key,
    pub(crate) lite: bool,
}

impl Remote {
    pub(crate) fn new(credentials: Credentials, lite: bool, local: &Local) -> Self {
        let username = format!("{}:{}", credentials.ufrag, local.credentials.ufrag);
        let key = Key::short_term(credentials.pwd.reveal());
        Self { credentials, username, key, lite }
    }
}

const UFRAG_LEN: usize = 8;
const PWD_LEN: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// STUN-9.2-2, ICE-5.3-1: 6 bits a character.
    #[test]
    fn passwords_of_ours_have_144_bits_and_are_never_the_same() {
        let mut chance = Chance::new([7; 32]);
        let (one, other) = (Credentials::draw(&mut chance), Credentials::draw(&mut chance));
        assert!(one.is_well_formed() && other.is_well_formed());
        assert_eq!((one.ufrag.len(), one.pwd.reveal().len()), (8, 24));
        assert!(one.ufrag != other.ufrag && one.pwd != other.pwd);
    }
}
