//! All objects, by id and by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use manager_protocol::{Code, Error, Kind, MAX_NAME_BYTES, ObjectId, Result, kind_name, manager};

use super::Limits;
use super::object::dict::Dict;
use super::object::list::List;
use super::object::{Object, Shared, State};

/// References into the maps are never held across anything: an object is cloned out as an `Arc`.
#[derive(Debug)]
pub(super) struct Registry {
    names: DashMap<Box<str>, Arc<Object>>,
    objects: DashMap<ObjectId, Arc<Object>>,
    next_id: AtomicU64,
    limits: Limits,
}

impl Registry {
    pub(super) fn new(limits: Limits) -> Self {
        Self { names: DashMap::new(), objects: DashMap::new(), next_id: AtomicU64::new(1), limits }
    }

    pub(super) fn object(&self, id: ObjectId) -> Result<Arc<Object>> {
        let found = self.objects.get(&id).map(|object| Arc::clone(&object));
        found.ok_or_else(|| {
            Error::new(Code::NoSuchObject, format!("no object has the id {id}: it was deleted, or never was"))
        })
    }

    /// The object with this name, made if there is none.
    pub(super) fn open(&self, name: &str, kind: Kind) -> Result<ObjectId> {
        check_name(name)?;
        match self.names.entry(name.into()) {
            Entry::Occupied(found) if found.get().kind() == kind => Ok(found.get().id),
            Entry::Occupied(found) => Err(Error::new(
                Code::WrongKind,
                format!("{name:?} is a {}, not a {}", kind_name(found.get().kind()), kind_name(kind)),
            )),
            Entry::Vacant(free) => {
                if self.objects.len() >= self.limits.max_objects {
                    return Err(Error::new(
                        Code::LimitExceeded,
                        format!("there are {} objects, the server's limit", self.limits.max_objects),
                    ));
                }
                let object = Arc::new(self.make(name, kind));
                // Whoever sees the name must find the object, so the id is there first.
                self.objects.insert(object.id, Arc::clone(&object));
                let id = object.id;
                free.insert(object);
                Ok(id)
            }
        }
    }

    /// Takes the object with this name out of both maps; it lives on in operations that have it.
    pub(super) fn delete(&self, name: &str) -> Option<Arc<Object>> {
        let (_, object) = self.names.remove(name)?;
        self.objects.remove(&object.id);
        Some(object)
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
            .map(|object| manager::Entry { name: object.name.to_string(), kind: object.kind(), object: object.id })
            .collect()
    }

    fn make(&self, name: &str, kind: Kind) -> Object {
        let state = match kind {
            Kind::Dict => State::Dict(Shared::new(Dict::new(&self.limits))),
            Kind::List => State::List(Shared::new(List::new(&self.limits))),
        };
        Object { id: self.next_id.fetch_add(1, Ordering::Relaxed), name: name.into(), state }
    }
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
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_object_however_many_open_it_at_once() {
        let registry = Registry::new(Limits::default());
        let ids: Vec<ObjectId> = std::thread::scope(|scope| {
            let open = || (0..1000).map(|n| registry.open(&format!("{n}"), Kind::Dict).unwrap()).collect::<Vec<_>>();
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
        let registry = Registry::new(Limits { max_objects: 1, ..Limits::default() });
        assert_eq!(registry.open("", Kind::Dict).unwrap_err().code, Code::InvalidName);
        assert_eq!(registry.open(&"x".repeat(257), Kind::Dict).unwrap_err().code, Code::InvalidName);
        registry.open(&"x".repeat(256), Kind::Dict).unwrap();
        let error = registry.open(&"x".repeat(256), Kind::List).unwrap_err();
        assert!(error.code == Code::WrongKind && error.message.ends_with("is a dict, not a list"), "{error}");
        assert_eq!(registry.open("y", Kind::Dict).unwrap_err().code, Code::LimitExceeded);
    }
}
