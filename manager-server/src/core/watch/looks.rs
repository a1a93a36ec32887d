//! What was found inside of values, so that of many who look for the same only one does look.

use std::collections::HashMap;
use std::sync::Arc;

use manager_protocol::Encoded;
use manager_protocol::path::Step;

use crate::core::value::{Path, canonical};

/// Where the bytes of a value are. Good as long as nothing changes: then no memory is used again.
type Place = (usize, usize);

/// What was found since something changed.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// The parts of values at the ends of paths, which are in their encoded form.
    parts: HashMap<(Place, Arc<[u8]>), Option<Encoded<'static>>>,
    /// Canonical forms; `None` if the value itself has it.
    canonical: HashMap<Place, Option<Box<[u8]>>>,
}

#[cfg(test)]
thread_local! {
    /// How often this thread has looked into a value.
    pub(super) static TAKEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Looks {
    /// What is inside of a value; `None` if it cannot be reached.
    pub(super) fn inside(
        &mut self,
        value: Encoded<'static>,
        path: &[Step<'static>],
        encoded: &Arc<[u8]>,
    ) -> Option<Encoded<'static>> {
        if path.is_empty() {
            return Some(value);
        }
        let key = (place(&value), Arc::clone(encoded));
        if let Some(found) = self.parts.get(&key) {
            return found.clone();
        }
        #[cfg(test)]
        TAKEN.set(TAKEN.get() + 1);
        let part = Path::new(path).and_then(|path| path.find(value.as_slice()));
        let found = part.ok().flatten().map(|part| value.part(part));
        self.parts.insert(key, found.clone());
        found
    }

    /// Whether this is the canonical form of a value.
    pub(super) fn is_canonical(&mut self, wanted: &[u8], value: &Encoded<'static>) -> bool {
        let bytes = value.as_slice();
        if *wanted == *bytes {
            return true;
        }
        let form = self.canonical.entry(place(value)).or_insert_with(|| {
            #[cfg(test)]
            TAKEN.set(TAKEN.get() + 1);
            let form = canonical(bytes);
            (*form != *bytes).then(|| form.into_owned().into_boxed_slice())
        });
        form.as_deref() == Some(wanted)
    }
}

fn place(value: &Encoded<'_>) -> Place {
    let bytes = value.as_slice();
    (bytes.as_ptr().addr(), bytes.len())
}
