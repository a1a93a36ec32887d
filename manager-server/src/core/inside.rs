//! What is inside of the values of data: the operations that go there by a path.
//!
//! The data knows its places and what is there; where the path leads in a value, and what it becomes, is
//! found out by [`Path`].

use std::ops::DerefMut;

use manager_protocol::path::{Add, Contains, Extend, Get, Insert, Len, Remove, Request, Serve, Set};
use manager_protocol::{Code, Encoded, Error, Result, Sink};

use super::data::{Data, Operations as _};
use super::value::Path;

/// Data, for operations on what is inside of its values.
pub(super) struct Inside<G>(G);

impl<G: DerefMut<Target: Data>> Inside<G> {
    /// Runs an operation and hands over the reply, after the data was let go.
    pub(super) fn serve(request: Request<'_>, data: G, sink: &mut impl Sink) -> Result<()> {
        request.serve(Box::new(Self(data)), None, sink).map(drop)
    }
}

/// How many bytes the value has that an operation looks into.
pub(super) fn size<D: Data>(data: &D, request: &Request<'_>) -> usize {
    let at = match request {
        Request::Get(Get { at, .. })
        | Request::Len(Len { at, .. })
        | Request::Contains(Contains { at, .. })
        | Request::Set(Set { at, .. })
        | Request::Remove(Remove { at, .. })
        | Request::Add(Add { at, .. })
        | Request::Extend(Extend { at, .. })
        | Request::Insert(Insert { at, .. }) => at,
    };
    data.value_at(at).ok().flatten().map_or(0, |value| value.as_slice().len())
}

/// The refusal of data whose values are at no places.
pub(super) fn no_places() -> Error {
    Error::new(Code::WrongKind, "no path leads into the values of this kind of object")
}

/// The refusal of data from which nothing can be removed.
pub(super) fn not_removable() -> Error {
    let fault = "the path is empty, and from this kind of object no whole value can be removed";
    Error::new(Code::PathMismatch, fault)
}

impl<G: DerefMut<Target: Data>> Serve for Inside<G> {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.0.settle()
    }

    fn get(&self, operation: Get<'_>) -> Result<Option<Encoded<'static>>> {
        let path = Path::new(&operation.path)?;
        let Some(value) = self.0.value_at(&operation.at)? else { return Ok(None) };
        Ok(path.find(value.as_slice())?.map(|part| value.part(part)))
    }

    fn len(&self, operation: Len<'_>) -> Result<u64> {
        let path = Path::new(&operation.path)?;
        self.0.value_at(&operation.at)?.map_or(Ok(0), |value| path.count(value.as_slice()))
    }

    fn contains(&self, operation: Contains<'_>) -> Result<bool> {
        let path = Path::new(&operation.path)?;
        let value = self.0.value_at(&operation.at)?;
        value.map_or(Ok(false), |value| path.contains(value.as_slice(), &operation.value))
    }

    fn set(&mut self, operation: Set<'_>) -> Result<()> {
        let Set { at, path, value, create } = operation;
        let (path, current) = (Path::new(&path)?, self.0.value_at(&at)?);
        let current = current.as_ref().map(Encoded::as_slice);
        let changed = path.set(current, value.as_slice(), create, self.0.value_limit())?;
        self.0.put_at(&at, &changed)
    }

    fn remove(&mut self, operation: Remove<'_>) -> Result<Option<Encoded<'static>>> {
        let path = Path::new(&operation.path)?;
        let Some(value) = self.0.value_at(&operation.at)? else { return Ok(None) };
        if path.is_whole() {
            self.0.remove_at(&operation.at)?;
            return Ok(Some(value));
        }
        let Some((changed, removed)) = path.remove(value.as_slice())? else { return Ok(None) };
        self.0.put_at(&operation.at, &changed)?;
        Ok(Some(value.part(removed)))
    }

    fn add(&mut self, operation: Add<'_>) -> Result<Encoded<'static>> {
        let Add { at, path, delta, bounds, create } = operation;
        let (path, current) = (Path::new(&path)?, self.0.value_at(&at)?);
        let current = current.as_ref().map(Encoded::as_slice);
        let (changed, sum) = path.add(current, &delta, bounds.as_ref(), create, self.0.value_limit())?;
        self.0.put_at(&at, &changed)?;
        Ok(Encoded::from(std::sync::Arc::<[u8]>::from(sum)))
    }

    fn extend(&mut self, operation: Extend<'_>) -> Result<u64> {
        let Extend { at, path, values, create } = operation;
        let (path, current) = (Path::new(&path)?, self.0.value_at(&at)?);
        let current = current.as_ref().map(Encoded::as_slice);
        let (changed, len) = path.extend(current, values, create, self.0.value_limit())?;
        changed.map_or(Ok(()), |changed| self.0.put_at(&at, &changed))?;
        Ok(len)
    }

    fn insert(&mut self, operation: Insert<'_>) -> Result<()> {
        let Insert { at, path, index, value, create } = operation;
        let (path, current) = (Path::new(&path)?, self.0.value_at(&at)?);
        let current = current.as_ref().map(Encoded::as_slice);
        let changed = path.insert(current, index, &value, create, self.0.value_limit())?;
        self.0.put_at(&at, &changed)
    }
}
