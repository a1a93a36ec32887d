//! References between objects: what keeps an object without a name alive.
//!
//! A [`Link`] is one reason for an object to live: a session that holds it, or one reference in one
//! stored value. It is counted by living and dying, so a value can be moved, shared with a snapshot, or
//! kept for taking a transaction back, and the count is right without anybody counting. The references
//! in a request are judged, and their objects held, before the operation runs: [`Claims`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use manager_protocol::{
    Code, Error, ObjectId, Reference, Result, SharedBytes, may_have_references, references, references_in_arguments,
};

use super::object::Object;
use super::registry::Registry;

/// One reason for an object to live.
#[derive(Debug)]
pub(super) struct Link(Arc<Object>);

impl Link {
    /// A link to an object, unless the last one is gone and the object goes with it.
    pub(super) fn new(object: &Arc<Object>) -> Option<Self> {
        Object::link(object).then(|| Self(Arc::clone(object)))
    }

    /// The first link to an object that was made without a name.
    pub(super) fn first(object: &Arc<Object>) -> Self {
        Self(Arc::clone(object))
    }

    pub(super) fn object(&self) -> &Arc<Object> {
        &self.0
    }
}

impl Clone for Link {
    fn clone(&self) -> Self {
        self.0.link_again();
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        Object::unlink(&self.0);
    }
}

/// The links of the references in one value, shared by all copies of the value.
///
/// The values of one object share links with each other and with snapshots, never with the values of
/// another object: what goes from one to another is linked anew, so that the links an object has by its
/// values can be told from those that others have.
#[derive(Debug, Clone, Default)]
pub(super) struct Links(Option<Arc<Vec<Link>>>);

impl Links {
    /// Links for the references in a value, to objects that `find` knows.
    pub(super) fn of(value: &[u8], find: impl Fn(ObjectId) -> Option<Link>) -> Self {
        if !may_have_references(value) {
            return Self::default();
        }
        let references = references(value);
        if references.is_empty() {
            return Self::default();
        }
        Self(Some(Arc::new(references.iter().filter_map(|reference| find(reference.object)).collect())))
    }

    /// Links for the references in a value that was made of parts of another, which has these links, and
    /// of what came with a request.
    pub(super) fn changed(&self, value: &[u8], claims: &Claims) -> Self {
        if !may_have_references(value) {
            return Self::default();
        }
        let known: HashMap<ObjectId, &Link> = self.iter().map(|link| (link.object().id, link)).collect();
        Self::of(value, |object| claims.find(object).or_else(|| known.get(&object).map(|&link| link.clone())))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.0.iter().flat_map(|links| links.iter())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What tells these links from others.
    pub(super) fn identity(&self) -> Option<usize> {
        self.0.as_ref().map(|links| Arc::as_ptr(links) as usize)
    }

    /// The same once more, for a value of another object.
    pub(super) fn anew(&self) -> Self {
        Self(self.0.as_ref().map(|links| Arc::new(links.to_vec())))
    }

    /// Bytes of the value, which keep the links as long as they are used.
    pub(super) fn keep(&self, bytes: SharedBytes) -> SharedBytes {
        match &self.0 {
            Some(links) => bytes.keeping(links.clone()),
            None => bytes,
        }
    }
}

/// The objects that the arguments of a request refer to, held while it is carried out.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Option<Arc<HashMap<ObjectId, Link>>>);

impl Claims {
    /// Judges the references in the arguments of one operation.
    ///
    /// # Errors
    /// `ForeignReference`, `NoSuchObject`, `WrongKind`.
    #[inline]
    pub(super) fn of(registry: &Registry, arguments: &[u8]) -> Result<Self> {
        if may_have_references(arguments) { Self::of_all(registry, [arguments]) } else { Ok(Self::default()) }
    }

    /// Judges the references in the arguments of several operations.
    pub(super) fn of_all<'a>(registry: &Registry, arguments: impl IntoIterator<Item = &'a [u8]>) -> Result<Self> {
        let (mut judged, mut links) = (HashSet::new(), HashMap::new());
        for reference in arguments.into_iter().flat_map(references_in_arguments) {
            if judged.insert(reference) {
                links.insert(reference.object, claim(registry, reference)?);
            }
        }
        Ok(Self((!links.is_empty()).then(|| Arc::new(links))))
    }

    /// Links for the references in a value that came with the arguments.
    #[inline]
    pub(super) fn links(&self, value: &[u8]) -> Links {
        // Mostly there are none in any of them, and then the value need not be looked through.
        if self.0.is_none() { Links::default() } else { Links::of(value, |object| self.find(object)) }
    }

    /// A link to one of the objects.
    pub(super) fn find(&self, object: ObjectId) -> Option<Link> {
        self.0.as_ref()?.get(&object).cloned()
    }
}

fn claim(registry: &Registry, reference: Reference) -> Result<Link> {
    let Reference { kind, epoch, object } = reference;
    if epoch != registry.epoch() {
        return Err(Error::new(
            Code::ForeignReference,
            "a value refers to an object of another server, or of an earlier run of this one",
        ));
    }
    let found = registry.object(object).ok().filter(|found| found.check_alive().is_ok());
    let link = found.as_ref().and_then(Link::new).ok_or_else(|| {
        let kind = manager_protocol::kind_name(kind);
        Error::new(Code::NoSuchObject, format!("a value refers to the {kind} {object}, which was deleted or never was"))
    })?;
    link.object().check_kind(kind)?;
    Ok(link)
}
