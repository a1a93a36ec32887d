//! Proxies as values: they are stored as references, and made of references again.

use manager_protocol::Kind;

use crate::link::{DirectLink, Target};

/// A proxy that [`Manager::resolve`](crate::Manager::resolve) can make: of any object but a pipe.
pub trait Proxy: Made {}

/// Keeps [`Proxy`] to this crate.
pub trait Made: Sized {
    /// How its calls travel.
    type Link: DirectLink;

    /// What its object is.
    const KIND: Kind;

    /// The proxy of an object of this kind.
    fn of(link: Self::Link, target: Target) -> Self;
}

/// The reference of a proxy that is a handle, and how it travels in values. Examples open it as told.
macro_rules! references {
    ([$($parameter:ident),*] $proxy:ident, $kind:ident, $what:literal, $open:literal) => {
        impl<$($parameter,)* L> $proxy<$($parameter,)* L> {
            /// The object's plain name, for an argument or a file: see [`Reference`](crate::Reference), which
            /// keeps nothing alive. Inside a value the proxy itself can be stored.
            ///
            /// ```
            /// # let manager = manager_client::Manager::start()?;
            #[doc = concat!("let ", $what, " = ", $open, ";")]
            #[doc = concat!("let text = ", $what, ".reference().to_string();")]
            #[doc = concat!("assert_eq!(text.parse::<manager_client::Reference>()?, ", $what, ".reference());")]
            /// # Ok::<(), manager_client::Error>(())
            /// ```
            #[must_use]
            pub fn reference(&self) -> $crate::reference::Reference {
                self.handle.target.reference(manager_protocol::Kind::$kind)
            }
        }

        impl<$($parameter,)* L: $crate::link::Link> serde::Serialize for $proxy<$($parameter,)* L> {
            /// As a reference: see [`Reference`](crate::Reference).
            fn serialize<Out: serde::Serializer>(&self, serializer: Out) -> std::result::Result<Out::Ok, Out::Error> {
                self.handle.note();
                serde::Serialize::serialize(&self.reference(), serializer)
            }
        }

        impl<'de, $($parameter,)* L: $crate::link::DirectLink> serde::Deserialize<'de> for $proxy<$($parameter,)* L> {
            /// Of a reference in a reply of the server that the object is in. Elsewhere it fails.
            fn deserialize<In: serde::Deserializer<'de>>(deserializer: In) -> std::result::Result<Self, In::Error> {
                $crate::reference::proxy(deserializer)
            }
        }

        impl<$($parameter,)* L: $crate::link::DirectLink> $crate::reference::Made for $proxy<$($parameter,)* L> {
            type Link = L;

            const KIND: manager_protocol::Kind = manager_protocol::Kind::$kind;

            fn of(link: L, target: $crate::link::Target) -> Self {
                Self::new($crate::handle::Handle { link, target })
            }
        }

        impl<$($parameter,)* L: $crate::link::DirectLink> $crate::reference::Proxy for $proxy<$($parameter,)* L> {}
    };
}

pub(crate) use references;
