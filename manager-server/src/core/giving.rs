//! Giving references to a session: what a reply refers to is held by the session that gets it.
//!
//! A reply may be the last place where a reference is: an item that was taken off a queue, an entry that
//! was removed. So the references are looked for while the reply is encoded, when the links of its values
//! still live, and each becomes a link that the session holds.

use manager_protocol::{FrameKind, Held, ObjectId, may_have_references, references, write_control};

use super::reference::Link;
use super::registry::Registry;
use super::session::Session;

/// Finds the references in what is written.
pub(super) struct Finder<'a> {
    registry: &'a Registry,
    links: Vec<Link>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(registry: &'a Registry) -> Self {
        Self { registry, links: Vec::new() }
    }

    /// Looks into one whole encoded value. What has a name, or is gone, needs no link.
    #[inline]
    pub(super) fn look(&mut self, value: &[u8]) {
        if may_have_references(value) {
            self.find(value);
        }
    }

    fn find(&mut self, value: &[u8]) {
        let objects = references(value).into_iter().filter(|reference| reference.epoch == self.registry.epoch());
        let found = objects.filter_map(|reference| self.registry.object(reference.object).ok());
        self.links.extend(found.filter(|object| !object.is_named()).filter_map(|object| Link::new(&object)));
    }

    /// Forgets what was found.
    pub(super) fn clear(&mut self) {
        self.links.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// What was found.
    pub(super) fn into_links(self) -> Vec<Link> {
        self.links
    }

    /// Has the session hold what was found; which objects those are.
    pub(super) fn give(&mut self, session: &Session) -> Vec<ObjectId> {
        give(std::mem::take(&mut self.links), session)
    }
}

/// Has the session hold objects, each once more; which of them it does.
pub(super) fn give(links: Vec<Link>, session: &Session) -> Vec<ObjectId> {
    links
        .into_iter()
        .filter_map(|link| {
            let object = link.object().id;
            session.keep(link).ok().map(|()| object)
        })
        .collect()
}

/// Says what the session holds by the reply to a request that comes next: in several frames, if need be.
pub(super) fn write_held(out: &mut Vec<u8>, id: u64, objects: &[ObjectId]) {
    for objects in objects.chunks(AT_ONCE) {
        write_control(out, FrameKind::Held, &Held { id, objects: objects.to_vec() });
    }
}

/// Objects in one frame: with nine bytes each they fit the smallest that may be the largest frame.
const AT_ONCE: usize = 1000;
