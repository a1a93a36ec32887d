//! All objects, by id and by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use manager_protocol::{Code, Error, MAX_NAME_BYTES, ObjectId, Result, manager};

use super::Limits;
use super::garbage::Garbage;
use super::object::{Object, State};
use super::reference::Link;
use super::setup::Setup;

/// References into the maps are never held across anything: an object is cloned out as an `Arc`.
#[derive(Debug)]
pub(super) struct Registry {
    names: DashMap<Box<str>, Arc<Object>>,
    /// The server itself gives the ids, so any hash will do.
    objects: DashMap<ObjectId, Arc<Object>, foldhash::fast::RandomState>,
    next_id: AtomicU64,
    limits: Limits,
    epoch: u64,
    /// Shared with the objects, which note there that they lost a link.
    pub(super) garbage: Arc<Garbage>,
}

impl Registry {
    pub(super) fn new(limits: Limits, epoch: u64) -> Self {
        Self {
            names: DashMap::new(),
            objects: DashMap::default(),
            next_id: AtomicU64::new(1),
            limits,
            epoch,
            garbage: Arc::default(),
        }
    }

    /// A number that tells this server's objects from any other's.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn object(&self, id: ObjectId) -> Result<Arc<Object>> {
        let found = self.objects.get(&id).map(|object| Arc::clone(&object));
        found.ok_or_else(|| no_such_object(id))
    }

    /// The object with this name, made if there is none.
    pub(super) fn open(&self, name: &str, setup: &Setup) -> Result<Arc<Object>> {
        self.open_as(name, setup, || setup.spelled_out().make(&self.limits))
    }

    /// The object with this name, whose state is made by `make` if there is none.
    pub(super) fn open_as(
        &self,
        name: &str,
        setup: &Setup,
        make: impl FnOnce() -> Result<State>,
    ) -> Result<Arc<Object>> {
        check_name(name)?;
        if let Some(object) = self.named(name) {
            return setup.judge(&object).map(|()| object);
        }
        // Before the map is locked: it may take a while.
        let state = make()?;
        match self.names.entry(name.into()) {
            Entry::Occupied(found) => {
                let object = Arc::clone(found.get());
                drop(found);
                setup.judge(&object).map(|()| object)
            }
            Entry::Vacant(free) => {
                self.check_room()?;
                let object = Arc::new(self.object_of(Some(name), setup, state));
                // Whoever sees the name must find the object, so the id is there first.
                self.objects.insert(object.id, Arc::clone(&object));
                free.insert(Arc::clone(&object));
                Ok(object)
            }
        }
    }

    /// A new object without a name, and the link that it lives by.
    pub(super) fn create(&self, setup: &Setup, state: State) -> Result<Link> {
        self.check_room()?;
        let object = Arc::new(self.object_of(None, setup, state));
        let link = Link::first(&object);
        self.objects.insert(object.id, object);
        Ok(link)
    }

    fn object_of(&self, name: Option<&str>, setup: &Setup, state: State) -> Object {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Object::new(id, name, setup.spelled_out(), state, Arc::clone(&self.garbage))
    }

    fn check_room(&self) -> Result<()> {
        let limit = self.limits.max_objects;
        if self.objects.len() >= limit {
            return Err(Error::new(Code::LimitExceeded, format!("there are {limit} objects, the server's limit")));
        }
        Ok(())
    }

    /// Takes the object with this name out of both maps.
    pub(super) fn delete(&self, name: &str) -> Option<Arc<Object>> {
        let (_, object) = self.names.remove(name)?;
        self.objects.remove(&object.id);
        Some(object)
    }

    /// Takes an object without a name out.
    pub(super) fn forget(&self, object: &Object) {
        self.objects.remove(&object.id);
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn named(&self, name: &str) -> Option<Arc<Object>> {
        self.names.get(name).map(|object| Arc::clone(&object))
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Most bytes that a transaction may reply.
    pub(super) fn max_reply(&self) -> usize {
        self.limits.max_message
    }

    pub(super) fn entries(&self) -> Vec<manager::Entry> {
        self.names
            .iter()
            .map(|named| manager::Entry { name: named.key().to_string(), kind: named.kind(), object: named.id })
            .collect()
    }

    /// All objects, one after the other.
    pub(super) fn all(&self) -> Vec<Arc<Object>> {
        self.objects.iter().map(|object| Arc::clone(&object)).collect()
    }
}

#[cold]
fn no_such_object(id: ObjectId) -> Error {
    Error::new(Code::NoSuchObject, format!("no object has the id {id}: it was deleted, or never was"))
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(Error::new(
            Code::InvalidName,
            format!("a name has 1 to {MAX_NAME_BYTES} bytes of UTF-8, this one has {}", name.len()),
        ));
    }
    Ok(())
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use manager_protocol::Kind;

    use super::*;

    #[test]
    fn one_name_is_one_object_however_many_open_it_at_once() {
        let registry = Registry::new(Limits::default(), 0);
        let ids: Vec<ObjectId> = std::thread::scope(|scope| {
            let open = || {
                (0..1000)
                    .map(|n| registry.open(&format!("{n}"), &Setup::Usual(Kind::Dict)).unwrap().id)
                    .collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            let mut all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            all.sort_unstable();
            all.dedup();
            all
        });
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| registry.object(*id).is_ok()));
    }

    #[test]
    fn names_and_kinds_are_judged() {
        let registry = Registry::new(Limits { max_objects: 1, ..Limits::default() }, 0);
        let open = |name: &str, kind| registry.open(name, &Setup::Usual(kind));
        assert_eq!(open("", Kind::Dict).unwrap_err().code, Code::InvalidName);
        assert_eq!(open(&"x".repeat(257), Kind::Dict).unwrap_err().code, Code::InvalidName);
        open(&"x".repeat(256), Kind::Dict).unwrap();
        let error = open(&"x".repeat(256), Kind::List).unwrap_err();
        assert!(error.code == Code::WrongKind && error.message.ends_with("is a dict, not a list"), "{error}");
        assert_eq!(open("y", Kind::Dict).unwrap_err().code, Code::LimitExceeded);
    }
}
