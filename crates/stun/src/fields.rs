//! Several attributes of a message in one pass over it.

use crate::Message;
use crate::attribute::Attribute;

/// What [`Message::find_all`] can return: tuples of two to six `Option`s of attributes.
pub trait Fields<'a>: Sized {
    /// Reads them from a message.
    fn read(message: &Message<'a>) -> Self;
}

macro_rules! fields {
    ($($name:ident $found:ident),+) => {
        impl<'a, $($name: Attribute<'a>),+> Fields<'a> for ($(Option<$name>,)+) {
            #[inline]
            fn read(message: &Message<'a>) -> Self {
                // The first of its type counts, even if it is malformed.
                $(let mut $found = None;)+
                for raw in message.attributes() {
                    $(if raw.kind == $name::TYPE {
                        if $found.is_none() {
                            $found = Some($name::decode(raw.value, message.id()).ok());
                        }
                    } else)+ {}
                }
                ($($found.flatten(),)+)
            }
        }
    };
}

fields!(A a, B b);
fields!(A a, B b, C c);
fields!(A a, B b, C c, D d);
fields!(A a, B b, C c, D d, E e);
fields!(A a, B b, C c, D d, E e, F f);
