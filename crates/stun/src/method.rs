//! Method and class, and how their bits interleave in the message type (RFC 8489 §5).

use core::fmt;

/// What a message is in its transaction (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "two bits hold no fifth class")]
pub enum Class {
    /// Asks for an answer.
    Request,
    /// Asks for none.
    Indication,
    /// Answers a request that was carried out.
    Success,
    /// Answers a request that was not.
    Error,
}

/// A 12-bit STUN method; an open set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(u16);

impl Method {
    /// RFC 8489 §18.2.
    pub const BINDING: Self = Self(0x001);
    /// RFC 8656 §17.
    pub const ALLOCATE: Self = Self(0x003);
    /// RFC 8656 §17.
    pub const REFRESH: Self = Self(0x004);
    /// RFC 8656 §17; indications only.
    pub const SEND: Self = Self(0x006);
    /// RFC 8656 §17; indications only.
    pub const DATA: Self = Self(0x007);
    /// RFC 8656 §17.
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// RFC 8656 §17.
    pub const CHANNEL_BIND: Self = Self(0x009);
    /// RFC 6062 §6.1.
    pub const CONNECT: Self = Self(0x00A);
    /// RFC 6062 §6.1.
    pub const CONNECTION_BIND: Self = Self(0x00B);
    /// RFC 6062 §6.1; indications only.
    pub const CONNECTION_ATTEMPT: Self = Self(0x00C);
    /// libwebrtc's check without attributes, answered only where it was agreed upon.
    pub const GOOG_PING: Self = Self(0x080);

    /// The method with this number, if it fits 12 bits. Those above 0x0FF are reserved: their messages begin with bytes
    /// that belong to other protocols on the same port (RFC 7983 §3, RFC 8489 §18.2).
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 0xFFF { Some(Self(number)) } else { None }
    }

    /// The 12-bit number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::BINDING => "Binding",
            Self::ALLOCATE => "Allocate",
            Self::REFRESH => "Refresh",
            Self::SEND => "Send",
            Self::DATA => "Data",
            Self::CREATE_PERMISSION => "CreatePermission",
            Self::CHANNEL_BIND => "ChannelBind",
            Self::CONNECT => "Connect",
            Self::CONNECTION_BIND => "ConnectionBind",
            Self::CONNECTION_ATTEMPT => "ConnectionAttempt",
            Self::GOOG_PING => "GOOG_PING",
            _ => return None,
        })
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "method {:#05x}", self.0),
        }
    }
}

/// ```text
///  0 0 |M11 M10 M9 M8 M7|C1|M6 M5 M4|C0|M3 M2 M1 M0
/// ```
pub(crate) const fn join(class: Class, method: Method) -> u16 {
    let m = method.0;
    let c = match class {
        Class::Request => 0x000,
        Class::Indication => 0x010,
        Class::Success => 0x100,
        Class::Error => 0x110,
    };
    (m & 0x00F) | (m & 0x070) << 1 | (m & 0xF80) << 2 | c
}

pub(crate) const fn split(message_type: u16) -> (Class, Method) {
    let t = message_type;
    let class = match t & 0x110 {
        0x000 => Class::Request,
        0x010 => Class::Indication,
        0x100 => Class::Success,
        _ => Class::Error,
    };
    (class, Method((t & 0x00F) | (t & 0x0E0) >> 1 | (t & 0x3E00) >> 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_and_class_survives_the_interleaving() {
        for number in 0..=0xFFF {
            for class in [Class::Request, Class::Indication, Class::Success, Class::Error] {
                let method = Method::new(number).unwrap();
                let joined = join(class, method);
                assert_eq!(joined & 0xC000, 0);
                assert_eq!(split(joined), (class, method));
            }
        }
    }

    /// Numbers and names from the registry, not from the constants.
    #[test]
    fn numbers_and_names_are_those_of_the_registry() {
        use alloc::string::ToString;
        let registry = [
            (0x001, "Binding"),
            (0x003, "Allocate"),
            (0x004, "Refresh"),
            (0x006, "Send"),
            (0x007, "Data"),
            (0x008, "CreatePermission"),
            (0x009, "ChannelBind"),
            (0x00A, "Connect"),
            (0x00B, "ConnectionBind"),
            (0x00C, "ConnectionAttempt"),
            (0x080, "GOOG_PING"),
        ];
        let named = (0..=0xFFF).filter_map(Method::new).filter(|method| method.name().is_some());
        assert!(
            named
                .map(|method| (method.number(), method.to_string()))
                .eq(registry.map(|(number, name)| (number, name.to_string())))
        );
        assert_eq!(Method::new(0x1000), None);
    }

    #[test]
    fn what_may_be_assigned_begins_with_a_byte_of_stun() {
        for number in 0..=0xFFF {
            let method = Method::new(number).unwrap();
            for class in [Class::Request, Class::Indication, Class::Success, Class::Error] {
                let [first, _] = join(class, method).to_be_bytes();
                assert_eq!(first <= 3, number <= 0x0FF, "{number:#05x} {class:?}");
            }
        }
    }

    #[test]
    fn binding_has_the_four_types_of_the_rfc() {
        let types = [Class::Request, Class::Indication, Class::Success, Class::Error]
            .map(|class| join(class, Method::BINDING));
        assert_eq!(types, [0x0001, 0x0011, 0x0101, 0x0111]);
    }
}
