//! Data: the objects that hold values and take part in transactions.
//!
//! A kind of data is a state that implements [`Data`], a word in the list below, and an arm of
//! [`State::data`](super::object::State::data). What runs operations, alone or in transactions,
//! knows no kind by name.

mod held;

use std::any::Any;
use std::ops::DerefMut;
use std::sync::Arc;

use manager_protocol::{
    Code, Effect, Encoded, Error, Kind, Many, ObjectId, PATH, RequestHeader, Result, Row, Served, Sink, array, dict,
    list, path, set, value,
};

pub(super) use self::held::{Held, ReplySink};
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
use super::sink::FrameSink;
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

    /// Whether an operation must know what time it is, also if nothing ends.
    fn asks_time(request: &Self::Request<'_>) -> bool {
        let _ = request;
        false
    }

    /// Answers a read by what is stored, without a copy that outlives the lock; whether that could be done.
    fn answer_in_place(&self, request: &Self::Request<'_>, sink: &mut FrameSink<'_>) -> bool {
        let _ = (request, sink);
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

    /// Decodes one.
    fn decode(operation: u16, arguments: &[u8]) -> Result<Self::Request<'_>>;

    /// The other object that it reads, if it is of that sort.
    fn source(request: &Self::Request<'_>) -> Option<ObjectId>;

    /// It as one of any kind.
    fn wrap(request: Self::Request<'_>) -> Operation<'_>;

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

            #[inline]
            fn decode(operation: u16, arguments: &[u8]) -> Result<Self::Request<'_>> {
                $table::Request::decode(operation, arguments)
            }

            #[inline]
            fn source(request: &Self::Request<'_>) -> Option<ObjectId> {
                request.source()
            }

            fn wrap(request: Self::Request<'_>) -> Operation<'_> {
                Operation::$kind(request)
            }

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
#[inline(always)]
pub(super) fn run(
    registry: &Registry,
    client: &Client,
    request: &RequestHeader<'_>,
    row: &'static Row,
    pace: Pace,
    sink: &mut FrameSink<'_>,
    effects: &mut Effects<'_>,
) -> Result<Served, Stop> {
    let session = &*client.session;
    let object = registry.object(request.object);
    // Most operations are those of their object's own kind.
    if let Ok(object) = &object
        && let Some(data) = object.state.data()
        && let [kind, _] = request.operation.to_be_bytes()
        && kind == object.kind() as u8
    {
        data.run_own(&Call { registry, object, request, row, pace, session, effects }, sink)?;
        return Ok(Served::Replied);
    }
    let operation = Operation::decode(request.operation, request.arguments)?;
    let object = &object.map_err(|error| error.during(row.name))?;
    let call = Call { registry, object, request, row, pace, session, effects };
    let moment = call.moment()?;
    let done = match operation.source() {
        Some(source) => run_with_source(source, operation, &call, &moment, sink),
        None => stored(object).map_err(Stop::from).and_then(|data| data.run(operation, &call, &moment, sink)),
    };
    done.map_err(|stop| call.named(stop))?;
    Ok(Served::Replied)
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
    source: u64,
    operation: Operation<'_>,
    call: &Call<'_>,
    moment: &Moment,
    sink: &mut FrameSink<'_>,
) -> Result<(), Stop> {
    if call.pace == Pace::Inline {
        return Err(Stop::Postponed);
    }
    let (object, source) = (call.object, call.registry.object(source)?);
    let mut locked = Locked::new([object, &source], call.effects, call.pace, moment)?;
    locked.check_alive(call.registry)?;
    let contents = locked.get(source.id).contents();
    Ok(locked.get_mut(object.id).serve(object, operation, Some((contents, &source)), ReplySink::Frame(sink))?)
}

/// What is known of a request besides its decoded operation.
pub(super) struct Call<'a> {
    registry: &'a Registry,
    object: &'a Arc<Object>,
    request: &'a RequestHeader<'a>,
    row: &'static Row,
    pace: Pace,
    session: &'a Session,
    effects: &'a Effects<'a>,
}

impl Call<'_> {
    /// The circumstances of the operation, once its references are judged.
    #[inline]
    fn moment(&self) -> Result<Moment> {
        let claims = Claims::of(self.registry, self.request.arguments).map_err(|error| error.during(self.row.name))?;
        Ok(Moment { session: self.session.id, claims })
    }

    /// Begins a refusal by what was attempted.
    #[cold]
    fn named(&self, stop: Stop) -> Stop {
        match stop {
            Stop::Refused(error) => {
                Stop::Refused(error.during(format_args!("{} on {:?}", self.row.name, self.object.name)))
            }
            Stop::Postponed => Stop::Postponed,
        }
    }
}

/// Data of any kind behind its lock.
pub(super) trait Stored {
    /// How many items it has; `None` if it is not to be locked at this pace.
    fn len(&self, pace: Pace) -> Option<usize>;

    /// Decodes and runs an operation of its own kind.
    fn run_own(&self, call: &Call<'_>, sink: &mut FrameSink<'_>) -> Result<(), Stop>;

    /// Runs an operation that reads no other object.
    fn run(
        &self,
        operation: Operation<'_>,
        call: &Call<'_>,
        moment: &Moment,
        sink: &mut FrameSink<'_>,
    ) -> Result<(), Stop>;

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

    fn run_own(&self, call: &Call<'_>, sink: &mut FrameSink<'_>) -> Result<(), Stop> {
        let request = D::decode(call.request.operation, call.request.arguments)?;
        let moment = call.moment()?;
        let done = match D::source(&request) {
            Some(source) => run_with_source(source, D::wrap(request), call, &moment, sink),
            None => serve(self, request, call, &moment, sink),
        };
        done.map_err(|stop| call.named(stop))
    }

    fn run(
        &self,
        operation: Operation<'_>,
        call: &Call<'_>,
        moment: &Moment,
        sink: &mut FrameSink<'_>,
    ) -> Result<(), Stop> {
        if let Operation::Path(request) = operation {
            let data = attend(self, call, moment)?;
            call.object.check_alive()?;
            if call.pace == Pace::Inline && inside::size(&*data, &request) > LARGE_BYTES {
                return Err(Stop::Postponed);
            }
            return Ok(Inside::serve(request, data, sink)?);
        }
        serve(self, D::of(operation).ok_or_else(|| wrong_kind(call.object))?, call, moment, sink)
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

/// Locks data for an operation, unless that takes long.
#[inline(always)]
fn attend<'a, D: Data>(shared: &'a Shared<D>, call: &Call<'a>, moment: &Moment) -> Result<Attended<'a, D>, Stop> {
    let data = Attended::new(shared, call.object, call.effects, call.pace, moment).ok_or(Stop::Postponed)?;
    if call.pace == Pace::Inline
        && call.row.effect != Effect::Read
        && is_costly::<D>(&data, call.request.arguments.len())
    {
        return Err(Stop::Postponed);
    }
    Ok(data)
}

/// Runs an operation that reads no other object.
#[inline(always)]
fn serve<D: Data>(
    shared: &Shared<D>,
    request: D::Request<'_>,
    call: &Call<'_>,
    moment: &Moment,
    sink: &mut FrameSink<'_>,
) -> Result<(), Stop> {
    let mut data = attend(shared, call, moment)?;
    call.object.check_alive()?;
    if D::asks_time(&request) {
        data.tell_time(call.effects.now());
    }
    if call.pace == Pace::Inline && D::is_heavy(&data, &request) {
        return Err(Stop::Postponed);
    }
    if data.answer_in_place(&request, sink) {
        return Ok(());
    }
    if call.pace == Pace::Patient
        && call.row.scans
        && let Some(copy) = data.copy()
    {
        drop(data);
        return Ok(run_on_copy(shared, copy, request, call, moment, sink)?);
    }
    if D::binds(&request) {
        call.session.hold(call.object)?;
    }
    Ok(D::serve(request, data, None, sink)?)
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
    moment: &Moment,
    sink: &mut FrameSink<'_>,
) -> Result<()> {
    let before = copy.version();
    D::serve(operation, &mut copy, None, sink)?;
    if call.row.effect == Effect::Read {
        return Ok(());
    }
    let attended = Attended::new(shared, call.object, call.effects, Pace::Patient, moment);
    let mut current = attended.expect("a patient lock is always got");
    call.object.check_alive()?;
    if current.version() == before {
        current.exchange(&mut copy);
        return Ok(());
    }
    sink.rewind();
    D::serve(D::decode(call.request.operation, call.request.arguments)?, current, None, sink)
}
