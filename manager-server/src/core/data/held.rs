//! Data that is locked, of whichever kind: what runs operations on several objects at once knows it as this.

use std::any::Any;

use manager_protocol::{Effect, Many, Result, Sink};
use serde::Serialize;

use super::{Data, Operation};
use crate::core::dispatch::wrong_kind;
use crate::core::inside::{self, Inside};
use crate::core::lifetime::Attended;
use crate::core::object::{Object, Transactional};
use crate::core::sink::{FrameSink, StepSink};
use crate::core::watch::is_costly;

/// Data of any kind, locked.
pub(in crate::core) trait Held {
    fn version(&self) -> u64;

    /// How many items it has.
    fn len(&self) -> usize;

    /// Whether an operation gives its session something that goes when the session does.
    fn binds(&self, operation: &Operation<'_>) -> bool;

    /// Whether an operation may take long on what it holds now.
    fn is_heavy(&self, operation: &Operation<'_>) -> bool;

    /// How many bytes an operation looks into, if it is one on what is inside of a value.
    fn looked_into(&self, operation: &Operation<'_>) -> usize;

    /// What an operation on another object reads of it: the kind's [`Operations::Contents`].
    fn contents(&self) -> Box<dyn Any>;

    /// Runs an operation; the source comes with the object that it is of.
    fn serve(
        &mut self,
        object: &Object,
        operation: Operation<'_>,
        source: Option<(Box<dyn Any>, &Object)>,
        sink: ReplySink<'_, '_>,
    ) -> Result<()>;

    /// What a transaction needs of it.
    fn transactional(&mut self) -> &mut dyn Transactional;
}

impl<D: Data> Held for Attended<'_, D> {
    fn version(&self) -> u64 {
        D::version(self)
    }

    fn len(&self) -> usize {
        D::len(self)
    }

    fn binds(&self, operation: &Operation<'_>) -> bool {
        D::of_ref(operation).is_some_and(D::binds)
    }

    fn is_heavy(&self, operation: &Operation<'_>) -> bool {
        D::of_ref(operation).is_some_and(|request| D::is_heavy(self, request))
            || operation.row().effect != Effect::Read && is_costly::<D>(self, 0)
    }

    fn looked_into(&self, operation: &Operation<'_>) -> usize {
        if let Operation::Path(request) = operation { inside::size::<D>(self, request) } else { 0 }
    }

    fn contents(&self) -> Box<dyn Any> {
        Box::new(D::contents(self))
    }

    fn serve(
        &mut self,
        object: &Object,
        operation: Operation<'_>,
        source: Option<(Box<dyn Any>, &Object)>,
        mut sink: ReplySink<'_, '_>,
    ) -> Result<()> {
        if let Operation::Path(request) = operation {
            return Inside::serve(request, &mut **self, &mut sink);
        }
        let request = D::of(operation).ok_or_else(|| wrong_kind(object))?;
        let source = source.map(|(contents, other)| {
            // Two kinds may have contents of one type, so that alone does not tell.
            let contents = (other.kind() == object.kind()).then_some(contents).ok_or_else(|| wrong_kind(other))?;
            contents.downcast::<D::Contents>().map(|contents| *contents).map_err(|_| wrong_kind(other))
        });
        D::serve(request, &mut **self, source.transpose()?, &mut sink)
    }

    fn transactional(&mut self) -> &mut dyn Transactional {
        &mut **self
    }
}

/// A place for a reply, of either sort.
pub(in crate::core) enum ReplySink<'a, 'f> {
    Frame(&'a mut FrameSink<'f>),
    Step(&'a mut StepSink<'f>),
}

impl Sink for ReplySink<'_, '_> {
    fn value<T: Serialize + Send + 'static>(&mut self, version: u64, value: T) {
        match self {
            Self::Frame(sink) => sink.value(version, value),
            Self::Step(sink) => sink.value(version, value),
        }
    }

    fn many<T: Serialize + Send + 'static>(&mut self, version: u64, items: Many<'static, T>) {
        match self {
            Self::Frame(sink) => sink.many(version, items),
            Self::Step(sink) => sink.many(version, items),
        }
    }
}
