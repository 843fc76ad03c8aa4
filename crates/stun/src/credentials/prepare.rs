//! The OpaqueString profile (RFC 8265 §4.2), which user names, realms and passwords go through before they are hashed.

use alloc::string::String;

use thiserror::Error;

/// Why a text can be neither user name, realm nor password. Says nothing of the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotOpaque {
    /// It is empty.
    #[error("an empty text is neither user name nor password; expected at least one character")]
    Empty,
    /// A control character, or one that Unicode does not let a password have.
    #[error(
        "the text holds a character that user names and passwords cannot have (RFC 8265 §4.2); leave it out"
    )]
    Forbidden,
    /// Not ASCII, and this build cannot prepare such text.
    #[error(
        "the text is not ASCII, and this build lacks the feature `precis` that prepares such text; enable it"
    )]
    NotAscii,
}

/// Prepares a text by the OpaqueString profile: other spaces become ASCII spaces, the rest NFC.
///
/// Printable ASCII stays as it is. Other text needs the feature `precis`.
///
/// ```
/// # #[cfg(feature = "precis")] {
/// use floe_stun::credentials::opaque_string;
///
/// assert_eq!(opaque_string("e\u{301}t\u{e9}\u{a0}1").unwrap(), "\u{e9}t\u{e9} 1");
/// # }
/// ```
///
/// # Errors
///
/// See [`NotOpaque`].
pub fn opaque_string(text: &str) -> Result<String, NotOpaque> {
    if text.is_empty() {
        return Err(NotOpaque::Empty);
    }
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(NotOpaque::Forbidden);
    }
    if text.is_ascii() { Ok(text.into()) } else { prepare(text) }
}

#[cfg(feature = "precis")]
fn prepare(text: &str) -> Result<String, NotOpaque> {
    use precis_profiles::precis_core::profile::PrecisFastInvocation;

    let enforce = |text: &str| {
        let enforced = precis_profiles::OpaqueString::enforce(text).map_err(|_| NotOpaque::Forbidden)?;
        Ok(String::from(enforced))
    };
    // What comes out need not be stable: NFC makes characters of others that are forbidden themselves. Three more times
    // are enough, or the text is refused (RFC 8265 §5).
    let mut prepared = enforce(text)?;
    for _ in 0..3 {
        let again = enforce(&prepared)?;
        if again == prepared {
            return Ok(prepared);
        }
        prepared = again;
    }
    Err(NotOpaque::Forbidden)
}

#[cfg(not(feature = "precis"))]
const fn prepare(_: &str) -> Result<String, NotOpaque> {
    Err(NotOpaque::NotAscii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_ascii_stays_as_it_is() {
        let all: String = (' '..='~').collect();
        assert_eq!(opaque_string(&all), Ok(all));
        assert_eq!(opaque_string(""), Err(NotOpaque::Empty));
        for control in ["\0", "a\tb", "a\x7f", "a\nb"] {
            assert_eq!(opaque_string(control), Err(NotOpaque::Forbidden), "{control:?}");
        }
    }

    /// The examples of RFC 8265 §4.3, tables 3 and 4.
    #[cfg(feature = "precis")]
    #[test]
    fn the_examples_of_rfc_8265() {
        for good in ["correct horse battery staple", "Correct Horse Battery Staple", "πßå", "Jack of ♦s"]
        {
            assert_eq!(opaque_string(good).as_deref(), Ok(good));
        }
        assert_eq!(opaque_string("foo\u{1680}bar").as_deref(), Ok("foo bar"), "OGHAM SPACE MARK");
        assert_eq!(opaque_string("my cat is a \u{9}by"), Err(NotOpaque::Forbidden), "TAB");
        assert_eq!(opaque_string("pass\u{ad}word"), Err(NotOpaque::Forbidden), "SOFT HYPHEN");
        assert_eq!(opaque_string("e\u{301}").as_deref(), Ok("\u{e9}"), "NFC");
    }

    /// RFC 8265 §5: a text that is prepared is one that can be prepared.
    #[cfg(feature = "precis")]
    #[test]
    fn what_becomes_a_forbidden_character_is_forbidden() {
        assert_eq!(opaque_string("\u{b7}"), Err(NotOpaque::Forbidden), "MIDDLE DOT, but between two l");
        assert_eq!(
            opaque_string("\u{387}"),
            Err(NotOpaque::Forbidden),
            "GREEK ANO TELEIA, in NFC a MIDDLE DOT"
        );
        assert_eq!(opaque_string("l\u{387}l").as_deref(), Ok("l\u{b7}l"));
    }

    #[cfg(not(feature = "precis"))]
    #[test]
    fn what_cannot_be_prepared_is_refused() {
        assert_eq!(opaque_string("π"), Err(NotOpaque::NotAscii));
    }
}
