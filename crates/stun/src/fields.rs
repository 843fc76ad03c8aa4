//! Several attributes of a message in one pass over it.

use crate::attribute::Attribute;
use crate::{DecodeError, Message, TransactionId};

/// What [`Message::find_all`] can return: tuples of two to six [`Field`]s.
pub trait Fields<'a>: Sized {
    /// Reads them from a message.
    fn read(message: &Message<'a>) -> Self;
}

/// One of the [`Fields`]: `Option<A>` as by [`Message::find`], or `Option<Result<A, DecodeError>>` as by
/// [`Message::get`].
pub trait Field<'a>: Sized {
    /// The type of the attribute.
    const TYPE: u16;
    /// What it is when there is no such attribute.
    const ABSENT: Self;

    /// Reads its value.
    fn read(value: &'a [u8], id: TransactionId) -> Self;
}

impl<'a, A: Attribute<'a>> Field<'a> for Option<A> {
    const TYPE: u16 = A::TYPE;
    const ABSENT: Self = None;

    #[inline]
    fn read(value: &'a [u8], id: TransactionId) -> Self {
        A::decode(value, id).ok()
    }
}

impl<'a, A: Attribute<'a>> Field<'a> for Option<Result<A, DecodeError>> {
    const TYPE: u16 = A::TYPE;
    const ABSENT: Self = None;

    #[inline]
    fn read(value: &'a [u8], id: TransactionId) -> Self {
        Some(A::decode(value, id))
    }
}

macro_rules! fields {
    ($($name:ident $found:ident),+) => {
        impl<'a, $($name: Field<'a>),+> Fields<'a> for ($($name,)+) {
            // Inlined by order, as `Message::decode` is: both together stay in registers.
            #[inline(always)]
            fn read(message: &Message<'a>) -> Self {
                // The first of its type counts, even if it is malformed.
                $(let mut $found = None;)+
                for raw in message.attributes() {
                    $(if raw.kind == $name::TYPE {
                        if $found.is_none() {
                            $found = Some($name::read(raw.value, message.id()));
                        }
                    } else)+ {}
                }
                ($($found.unwrap_or($name::ABSENT),)+)
            }
        }
    };
}

fields!(A a, B b);
fields!(A a, B b, C c);
fields!(A a, B b, C c, D d);
fields!(A a, B b, C c, D d, E e);
fields!(A a, B b, C c, D d, E e, F f);
