//! The credentials that a signature may have been made with (RFC 8489 §9).

use std::env;

use floe_stun::attribute::Algorithm;
use floe_stun::credentials::{Credentials, opaque_string};
use floe_stun::{Key, Password};

use crate::DecodeKeys;
use crate::failure::Failure;

/// All that were given, each with what to call it.
#[derive(Debug, Default)]
pub(crate) struct Keys(Vec<Named>);

#[derive(Debug)]
struct Named {
    name: String,
    /// Long-term keys are made by an algorithm, which a message may name.
    algorithm: Option<Algorithm>,
    key: Key,
}

impl Keys {
    pub(crate) fn new(given: &DecodeKeys) -> Result<Self, Failure> {
        let mut keys = Self::default();
        for (n, password) in given.key.iter().enumerate() {
            let name =
                if given.key.len() == 1 { "--key".to_owned() } else { format!("--key number {}", n + 1) };
            for password in as_typed_and_prepared(password) {
                keys.0.push(Named { name: name.clone(), algorithm: None, key: Key::short_term(&password) });
            }
        }
        if let (Some(user), Some(realm)) = (&given.user, &given.realm) {
            let password = given.password.clone().or_else(of_environment).ok_or(Failure::NoPassword)?;
            for password in as_typed_and_prepared(&password) {
                keys.add_long_term(user, realm, password);
            }
        }
        Ok(keys)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that may have signed a message which names this PASSWORD-ALGORITHM, or none.
    pub(crate) fn fitting(&self, named: Option<Algorithm>) -> impl Iterator<Item = (&str, &Key)> {
        let fits = move |key: &&Named| named.is_none() || key.algorithm.is_none() || key.algorithm == named;
        self.0.iter().filter(fits).map(|named| (named.name.as_str(), &named.key))
    }

    fn add_long_term(&mut self, user: &str, realm: &str, password: String) {
        let credentials = Credentials::new(user, Password::new(password));
        for (algorithm, name) in [(Algorithm::MD5, "MD5"), (Algorithm::SHA256, "SHA-256")] {
            self.0.push(Named {
                name: format!("--password, by {name}"),
                algorithm: Some(algorithm),
                key: credentials.key(realm, algorithm),
            });
        }
    }
}

/// The password that the other commands have for TURN.
fn of_environment() -> Option<String> {
    env::var("FLOE_TURN_PASSWORD").ok().filter(|password| !password.is_empty())
}

/// Not everybody prepares a password by OpaqueString, and some cannot be.
fn as_typed_and_prepared(password: &str) -> Vec<String> {
    let mut forms = vec![password.to_owned()];
    forms.extend(opaque_string(password).ok().filter(|prepared| prepared != password));
    forms
}
