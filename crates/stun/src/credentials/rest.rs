//! Credentials for a limited time, of a secret that two servers share (draft-uberti-behave-turn-rest; coturn calls it
//! `use-auth-secret`). The one that knows people hands them out, the TURN server keeps no list of users.
//!
//! ```text
//!   user name   1800003600:alice               until when, in seconds since 1970, and whose
//!   password    base64(HMAC-SHA1(secret, user name))
//! ```
//!
//! The password is made of the name, so the server must hear the name: of USERHASH no password can be made. See
//! [`Gate::hearing_names`](super::Gate::hearing_names).

use alloc::format;
use alloc::string::ToString;
use core::fmt;
use core::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{Credentials, Who};
use crate::attribute::Algorithm;
use crate::{Key, Message, Method, Password};

/// What the two servers share. `Debug` shows nothing, and it is wiped on drop.
///
/// ```
/// use core::time::Duration;
/// use floe_stun::credentials::rest::{self, Secret};
///
/// let secret = Secret::new("correct horse battery staple");
/// let in_an_hour = Duration::from_secs(1_800_000_000 + 3600); // SystemTime::now() since UNIX_EPOCH, and an hour
/// let credentials = secret.credentials("alice", in_an_hour);
/// assert_eq!(credentials.username(), "1800003600:alice");
/// assert_eq!(rest::expires(credentials.username()), Some(in_an_hour));
/// ```
#[derive(Clone)]
pub struct Secret(Hmac<Sha1>);

impl Secret {
    /// This one, of any length.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 §2)")]
        Self(Hmac::new_from_slice(secret.as_ref()).expect("HMAC takes keys of every length"))
    }

    /// Credentials that are good until then, in whole seconds since 1970. Whose they are is for logs and quotas, and may
    /// be empty: who listens on the path can read it.
    #[must_use]
    pub fn credentials(&self, name: &str, expires: Duration) -> Credentials {
        let expires = expires.as_secs();
        self.credentials_of(&match name {
            "" => expires.to_string(),
            name => format!("{expires}:{name}"),
        })
    }

    fn credentials_of(&self, username: &str) -> Credentials {
        let mac = self.0.clone().chain_update(username).finalize();
        Credentials::new(username, Password::new(STANDARD.encode(mac.into_bytes())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Until when such a user name is good, since 1970: its first part, or its second if the first is no number, or all of
/// it if it has no colon. None if that is no number.
#[must_use]
pub fn expires(username: &str) -> Option<Duration> {
    let time = match username.split_once(':') {
        Some((first, _)) if is_number(first) => first,
        Some((_, second)) => second,
        None => username,
    };
    // `u64` would read a plus sign.
    is_number(time).then(|| time.parse().ok().map(Duration::from_secs)).flatten()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a [`super::Gate`] looks a user up by, where credentials are made of one of several secrets: the user name, if it
/// is good at `now`, counted from 1970, and the key of the secret that has signed the request.
///
/// What was allocated in time may be kept for longer: requests about an allocation are not asked for their time.
///
/// ```
/// use core::time::Duration;
/// use floe_stun::attribute::ErrorCode;
/// use floe_stun::credentials::rest::{self, Secret};
/// use floe_stun::credentials::{Attempt, Gate, Login};
/// use floe_stun::{Builder, Class, Instant, Message, Method, TransactionId, Transport};
///
/// fn begin(buf: &mut [u8], class: Class) -> Builder<'_> {
///     Builder::new(buf, class, Method::ALLOCATE, TransactionId::from([7; 12]))
/// }
/// // One secret is about to take the place of the other.
/// let secrets = [Secret::new("this year's"), Secret::new("last year's")];
/// let today = Duration::from_secs(1_800_000_000);
/// let mut login = Login::new(secrets[1].credentials("alice", today + Duration::from_secs(3600)));
/// let mut attempt = Attempt::new(Transport::Udp);
///
/// let (mut ours, mut theirs) = ([0; 512], [0; 512]);
/// let gate = Gate::new("example.org", [7; 32], Duration::from_secs(600)).hearing_names();
/// let (now, from) = (Instant::ORIGIN, "203.0.113.5:40000".parse()?);
/// let challenge = begin(&mut theirs, Class::Error).attribute(&ErrorCode::UNAUTHENTICATED);
/// let challenge = gate.challenge(challenge, now, from).finish()?;
/// login.handle_response(&mut attempt, Message::decode(challenge)?).unwrap();
/// let request = login.finish(begin(&mut ours, Class::Request), &mut attempt)?;
/// let request = Message::decode(request)?;
///
/// let find = rest::opener(&request, &secrets, gate.realm(), today);
/// let believed = gate.authenticate(now, from, &request, find).unwrap();
/// assert_eq!(believed.user, "1800003600:alice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn opener<'m>(
    message: &Message<'m>,
    secrets: &[Secret],
    realm: &str,
    now: Duration,
) -> impl FnOnce(Who<'m>, Algorithm) -> Option<(&'m str, Key)> {
    move |who, algorithm| {
        let Who::Name(username) = who else { return None };
        let expires = expires(username)?;
        if !is_about_an_allocation(message.method()) && expires <= now {
            return None;
        }
        let key = |secret: &Secret| secret.credentials_of(username).key(realm, algorithm);
        let (last, others) = secrets.split_last()?;
        let signer = others.iter().map(key).find(|key| message.verify(key).is_ok());
        Some((username, signer.unwrap_or_else(|| key(last))))
    }
}

/// "For non-ALLOCATE requests, the TURN server merely verifies that the USERNAME matches" (§4.2).
fn is_about_an_allocation(method: Method) -> bool {
    [
        Method::REFRESH,
        Method::CREATE_PERMISSION,
        Method::CHANNEL_BIND,
        Method::CONNECT,
        Method::CONNECTION_BIND,
    ]
    .contains(&method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Nonce, PasswordAlgorithm, Username};
    use crate::credentials::{Gate, SecurityFeatures};
    use crate::{Builder, Class, Instant, TransactionId, userhash};
    use alloc::vec::Vec;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn at(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn names_and_passwords_are_those_of_other_implementations() {
        // printf '1433895918:filipe' | openssl dgst -sha1 -hmac north -binary | base64
        let credentials = Secret::new("north").credentials("filipe", Duration::from_secs(1_433_895_918));
        assert_eq!(credentials.username(), "1433895918:filipe");
        assert_eq!(credentials.password().reveal(), "D8qnneph2d1M0hcMkp1VqtNpVDg=");
        let nameless = Secret::new("north").credentials("", Duration::from_millis(1_433_895_918_999));
        assert_eq!(nameless.username(), "1433895918");
        assert_eq!(nameless.password().reveal(), "3dkl8uIBelQlraT8v9eCSJTyt+U=");
    }

    #[test]
    fn the_time_stands_on_either_side_or_alone() {
        for (name, time) in [
            ("1800000000:alice", at(1_800_000_000)),
            ("alice:1800000000", at(1_800_000_000)),
            ("1800000000", at(1_800_000_000)),
            ("1800000000:", at(1_800_000_000)),
            (":1800000000", at(1_800_000_000)),
            ("1800000000:1", at(1_800_000_000)),
            ("1800000000:alice:1", at(1_800_000_000)),
            ("alice:bob:1800000000", None),
            ("alice", None),
            ("", None),
            (":", None),
            ("+1800000000", None),
            ("-1:alice", None),
            ("99999999999999999999:alice", None),
        ] {
            assert_eq!(expires(name), time, "{name}");
        }
    }

    fn request(method: Method, username: &str, secret: &Secret, algorithm: Algorithm) -> Vec<u8> {
        let mut buf = [0; 512];
        let key = secret.credentials_of(username).key("example.org", algorithm);
        Builder::new(&mut buf, Class::Request, method, TransactionId::from([7; 12]))
            .attribute(&Username(username))
            .attribute(&PasswordAlgorithm(algorithm))
            .integrity_sha256(&key)
            .finish()
            .unwrap()
            .to_vec()
    }

    fn is_let_in(method: Method, username: &str, signer: &str, secrets: &[&str]) -> bool {
        let secrets: Vec<_> = secrets.iter().map(Secret::new).collect();
        [Algorithm::MD5, Algorithm::SHA256].into_iter().all(|algorithm| {
            let bytes = request(method, username, &Secret::new(signer), algorithm);
            let message = Message::decode(&bytes).unwrap();
            let find = opener(&message, &secrets, "example.org", NOW);
            find(Who::Name(username), algorithm).is_some_and(|(user, key)| {
                assert_eq!(user, username);
                message.verify(&key).is_ok()
            })
        })
    }

    #[test]
    fn every_secret_that_is_kept_lets_in() {
        let good = "1800000001:alice";
        for secrets in [&["old", "new", "newest"][..], &["new", "old"], &["old"]] {
            assert!(is_let_in(Method::ALLOCATE, good, "old", secrets), "{secrets:?}");
        }
        assert!(!is_let_in(Method::ALLOCATE, good, "older", &["new", "old"]));
        assert!(!is_let_in(Method::ALLOCATE, good, "old", &[]));
    }

    #[test]
    fn what_has_come_to_its_end_allocates_nothing_and_keeps_what_it_has() {
        for (username, is_good) in [("1800000001:alice", true), ("1800000000:alice", false), ("alice", false)]
        {
            assert_eq!(is_let_in(Method::ALLOCATE, username, "secret", &["secret"]), is_good, "{username}");
        }
        assert!(is_let_in(Method::REFRESH, "1800000000:alice", "secret", &["secret"]));
        assert!(!is_let_in(Method::REFRESH, "alice", "secret", &["secret"]), "no such name at all");
    }

    #[test]
    fn of_a_hidden_name_no_password_can_be_made() {
        let bytes = request(Method::ALLOCATE, "1800000001:alice", &Secret::new("secret"), Algorithm::MD5);
        let message = Message::decode(&bytes).unwrap();
        let find = opener(&message, &[], "example.org", NOW);
        assert!(find(Who::Hash(userhash("1800000001:alice", "example.org")), Algorithm::MD5).is_none());
    }

    #[test]
    fn a_gate_that_must_hear_names_does_not_have_them_hidden() {
        let (now, from) = (Instant::ORIGIN, "203.0.113.5:40000".parse().unwrap());
        let gate = Gate::new("example.org", [7; 32], Duration::from_secs(600));
        for (gate, hides) in [(gate.clone(), true), (gate.hearing_names(), false)] {
            let mut buf = [0; 512];
            let builder =
                Builder::new(&mut buf, Class::Error, Method::ALLOCATE, TransactionId::from([7; 12]));
            let bytes = gate.challenge(builder, now, from).finish().unwrap();
            let Nonce(nonce) = Message::decode(bytes).unwrap().find().unwrap();
            let features = SecurityFeatures::of(nonce);
            assert_eq!((features.username_anonymity, features.password_algorithms), (hides, true));
        }
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?}", Secret::new("secret")), "Secret(..)");
    }
}
