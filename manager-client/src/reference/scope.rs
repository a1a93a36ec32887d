//! What proxies in a reply are made of: the link it came by, and what the session holds by it.

use std::any::Any;
use std::cell::RefCell;
#[cfg(feature = "process")]
use std::collections::BTreeMap;
#[cfg(feature = "process")]
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use manager_protocol::{Code, Encoded, Kind, ObjectId, a_kind, may_have_references};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Hold, Holds, Proxy, Reference, collect};
use crate::argument::{cannot_decode, cannot_encode};
use crate::error::{Error, Reason, Result};
use crate::link::{Answer, DirectLink, Link as _, Target};
#[cfg(feature = "process")]
use crate::manager::Manager;

/// Where an answer came from.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    /// The link for the proxies in it, if there may be any.
    link: Option<Arc<dyn Any + Send + Sync>>,
    /// Where more holds can be had, and the generation of the session that the answer is of.
    session: Option<(Arc<Holds>, u32)>,
    /// What the session holds by the answer.
    held: Held,
}

/// Holds, to be found by their objects; cheap to clone.
#[derive(Debug, Clone, Default)]
struct Held(Option<Arc<[Arc<Hold>]>>);

impl Held {
    fn new(mut holds: Vec<Arc<Hold>>) -> Self {
        if holds.is_empty() {
            return Self(None);
        }
        // Those of an answer are in this order already.
        holds.sort_by_key(|hold| hold.object());
        Self(Some(holds.into()))
    }

    fn get(&self, object: ObjectId) -> Option<Arc<Hold>> {
        let holds = self.0.as_ref()?;
        let place = holds.binary_search_by_key(&object, |hold| hold.object()).ok()?;
        Some(Arc::clone(&holds[place]))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("held", &self.held).finish_non_exhaustive()
    }
}

impl Origin {
    /// An answer to a session, which holds these objects by it.
    pub(crate) fn new(holds: &Arc<Holds>, generation: u32, objects: &[ObjectId]) -> Self {
        let held = if objects.is_empty() { Held::default() } else { Held::new(holds.take(generation, objects)) };
        Self { link: None, session: Some((Arc::clone(holds), generation)), held }
    }

    /// The same, for proxies over this link.
    pub(crate) fn over(&self, link: Arc<dyn Any + Send + Sync>) -> Self {
        Self { link: Some(link), ..self.clone() }
    }

    /// Which of the session's generations the answer is of.
    #[cfg(feature = "aio")]
    pub(crate) fn generation(&self) -> Option<u32> {
        self.session.as_ref().map(|(_, generation)| *generation)
    }

    pub(crate) fn has_link(&self) -> bool {
        self.link.is_some()
    }

    /// The hold on an object that the answer tells was made, or was asked to be held.
    pub(crate) fn adopt(&self, object: ObjectId) -> Option<Arc<Hold>> {
        let told = self.held.get(object);
        let (holds, generation) = self.session.as_ref()?;
        told.or_else(|| holds.take(*generation, &[object]).pop())
    }
}

thread_local! {
    /// The origin of what this thread decodes now, and why a proxy in it could not be made.
    static SCOPE: RefCell<Option<(Origin, Option<Error>)>> = const { RefCell::new(None) };
}

/// Decodes an answer, or a part of it: proxies in it are made of its origin.
///
/// An answer without references pays nothing.
pub(crate) fn within<T>(answer: Answer<'_>, decode: impl FnOnce(Answer<'_>) -> Result<T>) -> Result<T> {
    match answer.origin {
        Some(origin) if origin.has_link() => enter(origin, || decode(answer)),
        Some(_) => decode(answer),
        // By a link that is not of this crate: only to say what is missing.
        None if may_have_references(answer.result) => enter(&Origin::default(), || decode(answer)),
        None => decode(answer),
    }
}

fn enter<T>(origin: &Origin, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    let outer = Outer(SCOPE.replace(Some((origin.clone(), None))));
    let decoded = decode();
    let fault = SCOPE.take().and_then(|(_, fault)| fault);
    drop(outer);
    match (decoded, fault) {
        // Told better than by the decoder, which repeats nothing of what it was told.
        (Err(error), Some(fault)) if error.is_wrong_type() => Err(fault),
        (decoded, _) => decoded,
    }
}

/// The scope around this one, put back also after a panic.
struct Outer(Option<(Origin, Option<Error>)>);

impl Drop for Outer {
    fn drop(&mut self) {
        // What a panic left behind is dropped after the place is free again.
        let inner = SCOPE.replace(self.0.take());
        drop(inner);
    }
}

/// The proxy that a reference in what is being decoded stands for.
pub(super) fn proxy<P: Proxy>(reference: Reference) -> Result<P> {
    SCOPE.with_borrow_mut(|scope| {
        let made = make(scope.as_ref().map(|(origin, _)| origin), reference);
        if let (Err(error), Some((_, fault))) = (&made, scope) {
            fault.get_or_insert_with(|| error.clone());
        }
        made
    })
}

/// What the session holds by what is being decoded, of one object.
pub(crate) fn hold(object: ObjectId) -> Option<Arc<Hold>> {
    SCOPE.with_borrow(|scope| scope.as_ref()?.0.held.get(object))
}

fn make<P: Proxy>(origin: Option<&Origin>, reference: Reference) -> Result<P> {
    let Some(Origin { link: Some(link), held, .. }) = origin else {
        return Err(wrong(
            "a proxy can only be decoded from a reply of its server; decode a `Reference`, and resolve that",
        ));
    };
    let Some(link) = link.downcast_ref::<P::Link>() else {
        return Err(wrong("the proxy's link is another one than that of the reply: one is async and one is not"));
    };
    check(reference, P::KIND, link.epoch())?;
    let target = Target::unnamed(reference.object(), P::KIND, reference.epoch()).held(held.get(reference.object()));
    Ok(P::of(link.clone(), target))
}

/// Judges a reference that is to be to an object of a kind, of the server with this epoch.
pub(super) fn check(reference: Reference, kind: Kind, epoch: u64) -> Result<()> {
    if reference.kind() != kind {
        return Err(wrong(format!("a reference to {}, not to {}", a_kind(reference.kind()), a_kind(kind))));
    }
    if reference.epoch() != epoch {
        let message = "a reference to an object of another server, or of an earlier run of this one";
        return Err(manager_protocol::Error::new(Code::ForeignReference, message).into());
    }
    Ok(())
}

fn wrong(fault: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(Reason::Decode, fault)
}

/// A value that is kept longer than the reply that it came with, or until it is sent; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    value: Encoded<'static>,
    origin: Option<Arc<Origin>>,
}

impl Kept {
    /// A value of an answer.
    pub(crate) fn new(value: &Encoded<'_>, origin: Option<&Origin>) -> Self {
        let origin = origin.filter(|origin| origin.has_link()).cloned().map(Arc::new);
        Self { value: Encoded::from(Arc::<[u8]>::from(value.as_slice())), origin }
    }

    /// A value that is to be sent over a link. What it refers to is held meanwhile.
    pub(crate) fn encode<T: Serialize, L: DirectLink>(value: &T, link: &L) -> Result<Self> {
        let (bytes, held) = collect(|| manager_protocol::encode_value(value));
        let bytes = bytes.map_err(cannot_encode)?;
        let origin = may_have_references(&bytes)
            .then(|| Arc::new(Origin { link: Some(Arc::new(link.clone())), session: None, held: Held::new(held) }));
        Ok(Self { value: Encoded::from(Arc::<[u8]>::from(bytes)), origin })
    }

    /// A value that came from another process, not in an answer. What it refers to is asked for, so that it is
    /// held as long as this is there; the other process must hold it until then.
    #[cfg(feature = "process")]
    pub(crate) fn received(value: &Encoded<'_>, manager: &Manager) -> Result<Self> {
        let link = manager.link();
        let mut holds = BTreeMap::new();
        for reference in manager_protocol::references(value.as_slice()) {
            let reference = Reference::new(reference.kind, reference.epoch, reference.object);
            if let Entry::Vacant(entry) = holds.entry(reference.object()) {
                let target = manager.hold(reference, reference.kind(), |_, target| target)?;
                entry.insert(target.hold().cloned());
            }
        }
        let held = Held::new(holds.into_values().flatten().collect());
        let origin = Origin { link: Some(Arc::new(link.clone())), session: None, held };
        Ok(Self { value: Encoded::from(Arc::<[u8]>::from(value.as_slice())), origin: Some(Arc::new(origin)) })
    }

    /// Runs what makes proxies of the references in the value.
    #[cfg(feature = "process")]
    pub(crate) fn within<T>(&self, work: impl FnOnce(&Encoded<'_>) -> T) -> T {
        match &self.origin {
            Some(origin) => enter(origin, || Ok(work(&self.value))).expect("it cannot fail"),
            None => work(&self.value),
        }
    }

    /// Decodes a part of the value.
    #[cfg(feature = "process")]
    pub(crate) fn read<T>(&self, decode: impl FnOnce(&Encoded<'_>) -> Result<T>) -> Result<T> {
        match &self.origin {
            Some(origin) => enter(origin, || decode(&self.value)),
            None => decode(&self.value),
        }
    }

    pub(crate) fn encoded(&self) -> Encoded<'static> {
        self.value.clone()
    }

    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        let decode = || self.value.decode().map_err(cannot_decode);
        match &self.origin {
            Some(origin) => enter(origin, decode),
            None => decode(),
        }
    }
}
