//! What all proxies have in common, for what takes any of them.

use crate::link::{Link, Target};

/// A proxy for an object in a server that holds data: a dict, a list, a set, a value or an array.
pub trait Object: Sealed {
    /// The same proxy over another link.
    type Over<M: Link>;

    /// The object at the other end.
    fn target(&self) -> &Target;

    /// The same object through another link.
    fn over<M: Link>(&self, link: M) -> Self::Over<M>;
}

/// Keeps [`Object`] to the proxies of this crate.
pub trait Sealed {}
