//! Data: the objects that hold values and take part in transactions.
//!
//! A kind of data is a state that implements [`Data`], a word in the list below, and an arm of
//! [`State::data`](super::object::State::data). What runs operations, alone or in transactions,
//! knows no kind by name.

use std::any::Any;
use std::ops::DerefMut;

use manager_protocol::{
    Code, Effect, Error, Kind, Many, ObjectId, RequestHeader, Result, Row, Sink, array, dict, list, manager, set, value,
};
use serde::Serialize;

use super::Pace;
use super::dispatch::{Stop, wrong_kind};
use super::object::array::Array;
use super::object::dict::Dict;
use super::object::list::List;
use super::object::set::Set;
use super::object::value::Value;
use super::object::{Discards, Guard, Object, Shared, State, Transactional};
use super::registry::Registry;
use super::setup::Setup;
use super::sink::{FrameSink, StepSink};
use super::transaction::Locked;

/// What a kind of data can do besides its operations.
pub(super) trait Data: Operations + Transactional + Discards + Send {
    /// How many changes it has seen.
    fn version(&self) -> u64;

    /// How many items it has.
    fn len(&self) -> usize;

    /// What an operation on another object reads of it.
    fn contents(&self) -> Self::Contents;

    /// Whether an operation may take long on what it holds now.
    fn is_heavy(&self, request: &Self::Request<'_>) -> bool;

    /// A copy of it, if that costs little: long operations are then done on a copy.
    fn copy(&self) -> Option<Self> {
        None
    }
}

/// The operations of a kind of data, as its table has them.
pub(super) trait Operations: Sized + 'static {
    /// One of them, decoded.
    type Request<'a>;

    /// What those with a source read of it.
    type Contents: Any;

    /// The operation, if it is one of this kind.
    fn of(operation: Operation<'_>) -> Option<Self::Request<'_>>;

    /// The same, looked at.
    fn of_ref<'o, 'a>(operation: &'o Operation<'a>) -> Option<&'o Self::Request<'a>>;

    /// Runs an operation and hands over the reply.
    fn serve(
        request: Self::Request<'_>,
        target: impl DerefMut<Target = Self>,
        source: Option<Self::Contents>,
        sink: &mut impl Sink,
    ) -> Result<()>;
}

macro_rules! kinds {
    ($($kind:ident $table:ident;)+) => {
        /// An operation on data, decoded.
        pub(super) enum Operation<'a> {
            $($kind($table::Request<'a>),)+
        }

        impl<'a> Operation<'a> {
            pub(super) fn decode(operation: u16, arguments: &'a [u8]) -> Result<Self> {
                match u8::try_from(operation >> 8).map(Kind::try_from) {
                    $(Ok(Ok(Kind::$kind)) => $table::Request::decode(operation, arguments).map(Self::$kind),)+
                    Ok(_) | Err(_) => {
                        Err(Error::new(Code::UnknownOperation, format!("unknown operation {operation:#06x}")))
                    }
                }
            }

            pub(super) fn row(&self) -> Row {
                match self {
                    $(Self::$kind(request) => request.row(),)+
                }
            }

            /// The other object that the operation reads, if it is of that sort.
            pub(super) fn source(&self) -> Option<u64> {
                match self {
                    $(Self::$kind(request) => request.source(),)+
                }
            }
        }

        $(impl Operations for $kind {
            type Request<'a> = $table::Request<'a>;
            type Contents = <Self as $table::Serve>::Source;

            fn of(operation: Operation<'_>) -> Option<Self::Request<'_>> {
                if let Operation::$kind(request) = operation { Some(request) } else { None }
            }

            fn of_ref<'o, 'a>(operation: &'o Operation<'a>) -> Option<&'o Self::Request<'a>> {
                if let Operation::$kind(request) = operation { Some(request) } else { None }
            }

            fn serve(
                request: Self::Request<'_>,
                target: impl DerefMut<Target = Self>,
                source: Option<Self::Contents>,
                sink: &mut impl Sink,
            ) -> Result<()> {
                request.serve(target, source, sink).map(drop)
            }
        })+
    };
}

kinds! {
    Dict dict;
    List list;
    Set set;
    Value value;
    Array array;
}

/// Runs a request on an object that holds data.
pub(super) fn run(
    registry: &Registry,
    request: RequestHeader<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
) -> Result<(), Stop> {
    let operation = Operation::decode(request.operation, request.arguments)?;
    let row = operation.row();
    let object = registry.object(request.object).map_err(|error| error.during(row.name))?;
    let done = match operation.source() {
        Some(source) => run_with_source(registry, &object, source, operation, pace, sink),
        None => stored(&object)
            .map_err(Stop::from)
            .and_then(|data| data.run(operation, Call { object: &object, row, request, pace }, sink)),
    };
    done.map_err(|stop| match stop {
        Stop::Refused(error) => Stop::Refused(error.during(format_args!("{} on {:?}", row.name, object.name))),
        Stop::Postponed => Stop::Postponed,
    })
}

/// The value with this name, made if there is none.
pub(super) fn open_value(registry: &Registry, operation: manager::OpenValue<'_>) -> Result<ObjectId> {
    let make = || Ok(State::Value(Shared::new(Value::new(&operation.initial))));
    Ok(registry.open_as(operation.name, &Setup::Usual(Kind::Value), make)?.id)
}

/// The array with this name, made if there is none; `None` if that is to be tried again at leisure.
pub(super) fn open_array(
    registry: &Registry,
    operation: manager::OpenArray<'_>,
    pace: Pace,
) -> Result<Option<ObjectId>> {
    let (name, values) = (operation.name, operation.values);
    let len = values.len();
    let make = || Ok(State::Array(Shared::new(Array::new(values, registry.limits())?)));
    let object = registry.open_as(name, &Setup::Usual(Kind::Array), make)?;
    let Some(array) = stored(&object)?.hold(pace) else { return Ok(None) };
    let found = array.len();
    if found != len {
        return Err(Error::new(Code::WrongSetup, format!("{name:?} has {found} values, not {len}")));
    }
    Ok(Some(object.id))
}

/// The data of an object; what holds none is of another kind than any operation on data is for.
pub(super) fn stored(object: &Object) -> Result<&dyn Stored> {
    object.state.data().ok_or_else(|| wrong_kind(object))
}

/// Runs an operation that reads another object: both are locked, in the order of their ids, so two
/// objects may be added to each other at the same time.
fn run_with_source(
    registry: &Registry,
    object: &Object,
    source: u64,
    operation: Operation<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
) -> Result<(), Stop> {
    if pace == Pace::Inline {
        return Err(Stop::Postponed);
    }
    let source = registry.object(source)?;
    let mut locked = Locked::new([object, &source], pace)?;
    locked.check_alive(registry)?;
    let contents = locked.get(source.id).contents();
    Ok(locked.get_mut(object.id).serve(object, operation, Some((contents, &source)), ReplySink::Frame(sink))?)
}

/// What is known of a request besides its decoded operation.
pub(super) struct Call<'a> {
    object: &'a Object,
    row: Row,
    request: RequestHeader<'a>,
    pace: Pace,
}

/// Data of any kind behind its lock.
pub(super) trait Stored {
    /// How many items it has; `None` if somebody holds it for long.
    fn len(&self) -> Option<usize>;

    /// Runs an operation that reads no other object.
    fn run(&self, operation: Operation<'_>, call: Call<'_>, sink: &mut FrameSink<'_>) -> Result<(), Stop>;

    /// Locks it for several operations.
    fn hold(&self, pace: Pace) -> Option<Box<dyn Held + '_>>;
}

impl<D: Data> Stored for Shared<D> {
    fn len(&self) -> Option<usize> {
        self.lock(Pace::Inline).map(|data| data.len())
    }

    fn run(&self, operation: Operation<'_>, call: Call<'_>, sink: &mut FrameSink<'_>) -> Result<(), Stop> {
        let operation = D::of(operation).ok_or_else(|| wrong_kind(call.object))?;
        let data = self.lock(call.pace).ok_or(Stop::Postponed)?;
        if call.pace == Pace::Inline && D::is_heavy(&data, &operation) {
            return Err(Stop::Postponed);
        }
        if call.pace == Pace::Patient
            && call.row.scans
            && let Some(copy) = data.copy()
        {
            drop(data);
            return Ok(run_on_copy(self, copy, operation, &call, sink)?);
        }
        Ok(D::serve(operation, data, None, sink)?)
    }

    fn hold(&self, pace: Pace) -> Option<Box<dyn Held + '_>> {
        Some(Box::new(self.lock(pace)?))
    }
}

/// Runs a long operation on a copy of the data, so that it serves others meanwhile.
///
/// A change is then put in place if nobody else changed the data; else it is run again, under the
/// lock this time, so that it ends however busy the object is.
fn run_on_copy<D: Data>(
    shared: &Shared<D>,
    mut copy: D,
    operation: D::Request<'_>,
    call: &Call<'_>,
    sink: &mut FrameSink<'_>,
) -> Result<()> {
    let before = copy.version();
    D::serve(operation, &mut copy, None, sink)?;
    if call.row.effect == Effect::Read {
        return Ok(());
    }
    let mut current = shared.lock(Pace::Patient).expect("a patient lock is always got");
    if current.version() == before {
        std::mem::swap(&mut *current, &mut copy);
        return Ok(());
    }
    sink.rewind();
    let again = Operation::decode(call.request.operation, call.request.arguments)?;
    D::serve(D::of(again).expect("it was one of this kind before"), current, None, sink)
}

/// Data of any kind, locked.
pub(super) trait Held {
    fn version(&self) -> u64;

    /// How many items it has.
    fn len(&self) -> usize;

    /// Whether an operation may take long on what it holds now.
    fn is_heavy(&self, operation: &Operation<'_>) -> bool;

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

impl<D: Data> Held for Guard<'_, D> {
    fn version(&self) -> u64 {
        D::version(self)
    }

    fn len(&self) -> usize {
        D::len(self)
    }

    fn is_heavy(&self, operation: &Operation<'_>) -> bool {
        D::of_ref(operation).is_some_and(|request| D::is_heavy(self, request))
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
pub(super) enum ReplySink<'a, 'f> {
    Frame(&'a mut FrameSink<'f>),
    Step(&'a mut StepSink),
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
