//! Data: the objects that hold values and take part in transactions.
//!
//! A kind of data is a state that implements [`Data`], a word in the list below, and an arm of
//! [`State::data`](super::object::State::data). What runs operations, alone or in transactions,
//! knows no kind by name.

use std::any::Any;
use std::ops::DerefMut;
use std::sync::Arc;

use manager_protocol::{
    Code, Effect, Encoded, Error, Kind, Many, ObjectId, PATH, RequestHeader, Result, Row, Sink, array, dict, list,
    path, set, value,
};
use serde::Serialize;

use super::clients::Client;
use super::dispatch::{Stop, wrong_kind};
use super::inside::{self, Inside};
use super::lifetime::{self, Attended, Lifetimes};
use super::moment::Moment;
use super::object::array::Array;
use super::object::dict::Dict;
use super::object::list::List;
use super::object::set::Set;
use super::object::value::Value;
use super::object::{Discards, Object, Shared, State, Transactional};
use super::reference::Claims;
use super::registry::Registry;
use super::session::Session;
use super::setup::Setup;
use super::sink::{FrameSink, StepSink};
use super::transaction::Locked;
use super::value::Limit;
use super::waiting::Effects;
use super::watch::{Watched, is_costly};
use super::{LARGE_BYTES, Limits, Pace};

/// What a kind of data can do besides its operations.
pub(super) trait Data: Operations + Transactional + Discards + Lifetimes + Watched + Send {
    /// How many changes it has seen.
    fn version(&self) -> u64;

    /// How many items it has.
    fn len(&self) -> usize;

    /// The circumstances of the operation that comes.
    fn attend(&mut self, moment: &Moment);

    /// What an operation on another object reads of it.
    fn contents(&self) -> Self::Contents;

    /// Whether an operation may take long on what it holds now.
    fn is_heavy(&self, request: &Self::Request<'_>) -> bool;

    /// Whether an operation gives its session something that goes when the session does.
    fn binds(request: &Self::Request<'_>) -> bool {
        let _ = request;
        false
    }

    /// A copy of it, if that costs little: long operations are then done on a copy.
    fn copy(&self) -> Option<Self> {
        None
    }

    /// The value at a place; `None` if there is none, and one may be put there. Data without places
    /// refuses.
    fn value_at(&self, _: &Encoded<'_>) -> Result<Option<Encoded<'static>>> {
        Err(inside::no_places())
    }

    /// Puts a value at a place that was judged by [`value_at`](Self::value_at): a changed one, which
    /// keeps what the one before refers to, or the first.
    fn put_at(&mut self, _: &Encoded<'_>, _: &[u8]) -> Result<()> {
        Err(inside::no_places())
    }

    /// Removes the value that is at a place.
    fn remove_at(&mut self, _: &Encoded<'_>) -> Result<()> {
        Err(inside::not_removable())
    }

    /// How large a value may become.
    fn value_limit(&self) -> Limit {
        Limit(0)
    }

    /// Exchanges it for a copy that was changed. Those who watch it go on to watch what is in its place.
    fn exchange(&mut self, copy: &mut Self) {
        std::mem::swap(self, copy);
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

    /// Ends an operation: counts it if it changed anything, and returns the version.
    fn settle(&mut self) -> u64;

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
            /// On what is inside of a value, of whatever kind the data is.
            Path(path::Request<'a>),
        }

        impl<'a> Operation<'a> {
            pub(super) fn decode(operation: u16, arguments: &'a [u8]) -> Result<Self> {
                match u8::try_from(operation >> 8).map(Kind::try_from) {
                    $(Ok(Ok(Kind::$kind)) => $table::Request::decode(operation, arguments).map(Self::$kind),)+
                    Ok(Err(_)) if operation >> 8 == u16::from(PATH) => {
                        path::Request::decode(operation, arguments).map(Self::Path)
                    }
                    Ok(_) | Err(_) => {
                        Err(Error::new(Code::UnknownOperation, format!("unknown operation {operation:#06x}")))
                    }
                }
            }

            pub(super) fn row(&self) -> Row {
                match self {
                    $(Self::$kind(request) => request.row(),)+
                    Self::Path(request) => request.row(),
                }
            }

            /// The other object that the operation reads, if it is of that sort.
            pub(super) fn source(&self) -> Option<u64> {
                match self {
                    $(Self::$kind(request) => request.source(),)+
                    Self::Path(request) => request.source(),
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

            fn settle(&mut self) -> u64 {
                $table::Serve::settle(self)
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
    client: &Client,
    request: RequestHeader<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
    effects: &mut Effects<'_>,
) -> Result<(), Stop> {
    let operation = Operation::decode(request.operation, request.arguments)?;
    let row = operation.row();
    let object = registry.object(request.object).map_err(|error| error.during(row.name))?;
    let claims = Claims::of(registry, request.arguments).map_err(|error| error.during(row.name))?;
    let moment = Moment { now: effects.now, session: client.session.id, claims };
    let session = &*client.session;
    let call = Call { object: &object, row, request, pace, moment: &moment, session, effects };
    let done = match operation.source() {
        Some(source) => run_with_source(registry, source, operation, &call, sink),
        None => stored(&object).map_err(Stop::from).and_then(|data| data.run(operation, &call, sink)),
    };
    done.map_err(|stop| match stop {
        Stop::Refused(error) => Stop::Refused(error.during(format_args!("{} on {:?}", row.name, object.name))),
        Stop::Postponed => Stop::Postponed,
    })
}

/// The value with this name, made if there is none.
pub(super) fn open_value(registry: &Registry, name: &str, initial: &Encoded<'_>, moment: &Moment) -> Result<ObjectId> {
    Ok(registry.open_as(name, &Setup::Usual(Kind::Value), || Ok(value(initial, registry.limits(), moment)))?.id)
}

/// The state of a new value.
pub(super) fn value(initial: &Encoded<'_>, limits: &Limits, moment: &Moment) -> State {
    State::Value(Shared::new(Value::new(initial, limits, moment)))
}

/// The state of a new array.
pub(super) fn array(values: Many<'_, Encoded<'_>>, limits: &Limits, moment: &Moment) -> Result<State> {
    Ok(State::Array(Shared::new(Array::new(values, limits, moment)?)))
}

/// The array with this name, made if there is none; `None` if that is to be tried again at leisure.
pub(super) fn open_array(
    registry: &Registry,
    name: &str,
    values: Many<'_, Encoded<'_>>,
    pace: Pace,
    moment: &Moment,
) -> Result<Option<ObjectId>> {
    let len = values.len();
    let make = || array(values, registry.limits(), moment);
    let object = registry.open_as(name, &Setup::Usual(Kind::Array), make)?;
    let Some(found) = stored(&object)?.len(pace) else { return Ok(None) };
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
    source: u64,
    operation: Operation<'_>,
    call: &Call<'_>,
    sink: &mut FrameSink<'_>,
) -> Result<(), Stop> {
    if call.pace == Pace::Inline {
        return Err(Stop::Postponed);
    }
    let (object, source) = (call.object, registry.object(source)?);
    let mut locked = Locked::new([object, &source], call.effects, call.pace, call.moment)?;
    locked.check_alive(registry)?;
    let contents = locked.get(source.id).contents();
    Ok(locked.get_mut(object.id).serve(object, operation, Some((contents, &source)), ReplySink::Frame(sink))?)
}

/// What is known of a request besides its decoded operation.
pub(super) struct Call<'a> {
    object: &'a Arc<Object>,
    row: Row,
    request: RequestHeader<'a>,
    pace: Pace,
    moment: &'a Moment,
    session: &'a Session,
    effects: &'a Effects<'a>,
}

/// Data of any kind behind its lock.
pub(super) trait Stored {
    /// How many items it has; `None` if it is not to be locked at this pace.
    fn len(&self, pace: Pace) -> Option<usize>;

    /// Runs an operation that reads no other object.
    fn run(&self, operation: Operation<'_>, call: &Call<'_>, sink: &mut FrameSink<'_>) -> Result<(), Stop>;

    /// Locks it for several operations of one moment. What is over by then is removed first; unless
    /// there is time, it must not be much.
    fn hold<'a>(
        &'a self,
        object: &'a Arc<Object>,
        effects: &'a Effects<'a>,
        pace: Pace,
        moment: &Moment,
    ) -> Option<Box<dyn Held + 'a>>;

    /// Removes some of the items whose time is over; whether none of them is left.
    fn sweep(&self, object: &Arc<Object>, effects: &Effects<'_>, pace: Pace) -> bool;

    /// The same until none is left. Others get the lock in between.
    fn sweep_all(&self, object: &Arc<Object>, effects: &Effects<'_>, moment: &Moment);
}

impl<D: Data> Stored for Shared<D> {
    fn len(&self, pace: Pace) -> Option<usize> {
        self.lock(pace).map(|data| data.len())
    }

    fn run(&self, operation: Operation<'_>, call: &Call<'_>, sink: &mut FrameSink<'_>) -> Result<(), Stop> {
        let attend = || {
            let attended = Attended::new(self, call.object, call.effects, call.pace, call.moment);
            let bytes = call.request.arguments.len();
            let is_light = |data: &Attended<'_, D>| {
                call.pace == Pace::Patient || call.row.effect == Effect::Read || !is_costly::<D>(data, bytes)
            };
            attended.filter(is_light).ok_or(Stop::Postponed)
        };
        if let Operation::Path(request) = operation {
            let data = attend()?;
            call.object.check_alive()?;
            if call.pace == Pace::Inline && inside::size(&*data, &request) > LARGE_BYTES {
                return Err(Stop::Postponed);
            }
            return Ok(Inside::serve(request, data, sink)?);
        }
        let operation = D::of(operation).ok_or_else(|| wrong_kind(call.object))?;
        let data = attend()?;
        call.object.check_alive()?;
        if call.pace == Pace::Inline && D::is_heavy(&data, &operation) {
            return Err(Stop::Postponed);
        }
        if call.pace == Pace::Patient
            && call.row.scans
            && let Some(copy) = data.copy()
        {
            drop(data);
            return Ok(run_on_copy(self, copy, operation, call, sink)?);
        }
        if D::binds(&operation) {
            call.session.hold(call.object)?;
        }
        Ok(D::serve(operation, data, None, sink)?)
    }

    fn hold<'a>(
        &'a self,
        object: &'a Arc<Object>,
        effects: &'a Effects<'a>,
        pace: Pace,
        moment: &Moment,
    ) -> Option<Box<dyn Held + 'a>> {
        Some(Box::new(Attended::beside_others(self, object, effects, pace, moment)?))
    }

    fn sweep(&self, object: &Arc<Object>, effects: &Effects<'_>, pace: Pace) -> bool {
        lifetime::sweep(self, object, effects, pace)
    }

    fn sweep_all(&self, object: &Arc<Object>, effects: &Effects<'_>, moment: &Moment) {
        drop(Attended::new(self, object, effects, Pace::Patient, moment));
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
    let attended = Attended::new(shared, call.object, call.effects, Pace::Patient, call.moment);
    let mut current = attended.expect("a patient lock is always got");
    call.object.check_alive()?;
    if current.version() == before {
        current.exchange(&mut copy);
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
pub(super) enum ReplySink<'a, 'f> {
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
