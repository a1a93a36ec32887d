//! One stored value: its bytes, and the links that its references are.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use manager_protocol::{Encoded, SharedBytes};

use crate::core::moment::Moment;
use crate::core::reference::Links;

/// An encoded value. Immutable, so that those who read it share it.
#[derive(Clone)]
pub(in crate::core) struct Datum {
    bytes: Arc<[u8]>,
    links: Links,
}

impl Datum {
    /// A value that came with a request.
    pub(in crate::core) fn new(bytes: impl Into<Arc<[u8]>>, moment: &Moment) -> Self {
        let bytes = bytes.into();
        let links = moment.claims.links(&bytes);
        Self { bytes, links }
    }

    /// A value made of parts of this one, and of what came with a request.
    pub(in crate::core) fn changed_to(&self, bytes: impl Into<Arc<[u8]>>, moment: &Moment) -> Self {
        let bytes = bytes.into();
        let links = self.links.changed(&bytes, &moment.claims);
        Self { bytes, links }
    }

    pub(in crate::core) fn links(&self) -> &Links {
        &self.links
    }

    /// The same value, for another object.
    pub(in crate::core) fn anew(&self) -> Self {
        Self { bytes: Arc::clone(&self.bytes), links: self.links.anew() }
    }

    /// The value for a reply.
    pub(in crate::core) fn shared(&self) -> Encoded<'static> {
        let bytes = SharedBytes::new(Arc::clone(&self.bytes), 0..self.bytes.len());
        Encoded::Shared(self.links.keep(bytes))
    }
}

impl Deref for Datum {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Equal if their bytes are.
impl PartialEq for Datum {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl fmt::Debug for Datum {
    /// Shows the length only: values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Datum({} bytes)", self.bytes.len())
    }
}
