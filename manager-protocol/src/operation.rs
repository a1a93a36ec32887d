//! The table of operations: each is written once, as a typed row, for both sides.
//!
//! A row gives the operation's number, whether it changes anything, its arguments and its reply.
//! From it come a struct that the client sends, an arm of the enum that the server decodes, and a
//! method of the trait that the server's object must implement: an operation without a server arm,
//! or with a reply of another type, does not compile.

pub mod array;
pub mod barrier;
pub mod condition;
pub mod dict;
pub mod event;
pub mod list;
pub mod lock;
pub mod manager;
pub mod path;
pub mod pipe;
pub mod pool;
pub mod queue;
pub mod semaphore;
pub mod set;
pub mod value;
pub mod watch;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::reply::Decode;

/// The number of an object within one run of a server; 0 is the manager itself.
pub type ObjectId = u64;

/// The kinds of objects. The number is also the high byte of the kind's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[repr(u8)]
pub enum Kind {
    /// A map that keeps its insertion order.
    Dict = 1,
    /// A sequence.
    List = 2,
    /// Values, each once, in the order of their insertion.
    Set = 3,
    /// Items that are put by some and taken by others.
    Queue = 4,
    /// Two ends, each of which receives what is sent at the other.
    Pipe = 5,
    /// A lock: owned, ownerless or reentrant.
    Lock = 6,
    /// A number of permits.
    Semaphore = 7,
    /// A flag that can be waited for.
    Event = 8,
    /// A lock with a place to wait for a notification.
    Condition = 9,
    /// A place where a number of parties wait for each other.
    Barrier = 10,
    /// A cell that holds one value.
    Value = 11,
    /// A sequence of a fixed length.
    Array = 12,
    /// Jobs that are submitted by some and done by others.
    Pool = 15,
}

/// The kind's name, for messages.
#[must_use]
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Dict => "dict",
        Kind::List => "list",
        Kind::Set => "set",
        Kind::Queue => "queue",
        Kind::Pipe => "pipe",
        Kind::Lock => "lock",
        Kind::Semaphore => "semaphore",
        Kind::Event => "event",
        Kind::Condition => "condition",
        Kind::Barrier => "barrier",
        Kind::Value => "value",
        Kind::Array => "array",
        Kind::Pool => "pool",
    }
}

/// The kind's name with its article, for messages.
#[must_use]
pub fn a_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Dict => "a dict",
        Kind::List => "a list",
        Kind::Set => "a set",
        Kind::Value => "a value",
        Kind::Array => "an array",
        Kind::Queue => "a queue",
        Kind::Pipe => "a pipe",
        Kind::Lock => "a lock",
        Kind::Semaphore => "a semaphore",
        Kind::Event => "an event",
        Kind::Condition => "a condition",
        Kind::Barrier => "a barrier",
        Kind::Pool => "a pool",
    }
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> Self {
        kind as Self
    }
}

impl TryFrom<u8> for Kind {
    type Error = String;

    #[inline]
    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            1 => Ok(Self::Dict),
            2 => Ok(Self::List),
            3 => Ok(Self::Set),
            4 => Ok(Self::Queue),
            5 => Ok(Self::Pipe),
            6 => Ok(Self::Lock),
            7 => Ok(Self::Semaphore),
            8 => Ok(Self::Event),
            9 => Ok(Self::Condition),
            10 => Ok(Self::Barrier),
            11 => Ok(Self::Value),
            12 => Ok(Self::Array),
            15 => Ok(Self::Pool),
            _ => Err(format!("unknown kind of object {number}")),
        }
    }
}

/// What running an operation does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing: may be sent again freely.
    Read,
    /// Changes something, and doing it twice in a row is doing it once.
    Idempotent,
    /// Changes something each time it is done.
    Change,
}

/// What is known of an operation apart from its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The number on the wire.
    pub number: u16,
    /// Its name, such as `dict.get`.
    pub name: &'static str,
    /// What it does to its object.
    pub effect: Effect,
    /// Its time grows with the size of the object, so a large one keeps a thread busy.
    pub scans: bool,
    /// It may be answered much later, when something else happens.
    pub waits: bool,
}

/// What came of an operation that may wait.
#[derive(Debug)]
pub enum Turn<T> {
    /// It is done, and this is its reply.
    Now(T),
    /// It waits; whoever completes it sends its reply.
    Later,
}

/// What became of the reply of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// It was handed to the sink.
    Replied,
    /// The operation waits.
    Waiting,
}

/// The rows of a kind's operations.
#[must_use]
pub fn rows(kind: Kind) -> &'static [Row] {
    match kind {
        Kind::Dict => dict::ROWS,
        Kind::List => list::ROWS,
        Kind::Set => set::ROWS,
        Kind::Value => value::ROWS,
        Kind::Array => array::ROWS,
        Kind::Queue => queue::ROWS,
        Kind::Pipe => pipe::ROWS,
        Kind::Lock => lock::ROWS,
        Kind::Semaphore => semaphore::ROWS,
        Kind::Event => event::ROWS,
        Kind::Condition => condition::ROWS,
        Kind::Barrier => barrier::ROWS,
        Kind::Pool => pool::ROWS,
    }
}

/// The high byte of the operations on what is inside a value, of whatever kind of data.
pub const PATH: u8 = 13;

/// The high byte of the operations that wait for data to change.
pub const WATCH: u8 = 14;

/// The row of the operation with this number, if there is one.
#[must_use]
#[inline]
pub fn row(operation: u16) -> Option<&'static Row> {
    let [high, low] = operation.to_be_bytes();
    // They are numbered from 1 without gaps; a test sees to it.
    TABLES.get(usize::from(high))?.get(usize::from(low).checked_sub(1)?)
}

/// All rows, by the high byte of their numbers.
static TABLES: [&[Row]; 16] = [
    manager::ROWS,
    dict::ROWS,
    list::ROWS,
    set::ROWS,
    queue::ROWS,
    pipe::ROWS,
    lock::ROWS,
    semaphore::ROWS,
    event::ROWS,
    condition::ROWS,
    barrier::ROWS,
    value::ROWS,
    array::ROWS,
    path::ROWS,
    watch::ROWS,
    pool::ROWS,
];

/// An operation as the client sends it.
pub trait Operation: Sized {
    /// Its row of the table.
    const ROW: Row;

    /// What comes back, borrowed from the reply.
    type Reply<'r>: Decode<'r>;

    /// Appends the array of its arguments.
    fn encode(self, out: &mut Vec<u8>);
}

fn unknown(operation: u16) -> Error {
    Error::new(Code::UnknownOperation, format!("unknown operation {operation:#06x}"))
}

/// The effect of an operation, and what else is said of it, from the words in a row's brackets.
macro_rules! traits {
    (effect read $($rest:ident)?) => {
        Effect::Read
    };
    (effect idempotent $($rest:ident)?) => {
        Effect::Idempotent
    };
    (effect change $($rest:ident)?) => {
        Effect::Change
    };
    (scans $effect:ident scan) => {
        true
    };
    (scans $effect:ident $($rest:ident)?) => {
        false
    };
    (waits $effect:ident wait) => {
        true
    };
    (waits $effect:ident $($rest:ident)?) => {
        false
    };
}

/// A trait method that takes `&self` for a read and `&mut self` for a change. One that may wait
/// returns a [`Turn`], and always takes `&mut self`: it queues who waits.
macro_rules! serve_method {
    ([$effect:ident wait] $(#[$doc:meta])* $method:ident $(<$lt:lifetime>)?, $operation:ty, $($source:ident)?) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "the operation's struct has the documentation")]
        fn $method $(<$lt>)? (&mut self, operation: $operation $(, $source: Self::Source)?)
            -> Result<crate::operation::Turn<<$operation as Operation>::Reply<'static>>>;
    };
    ([read $($flag:ident)?] $(#[$doc:meta])* $method:ident $(<$lt:lifetime>)?, $operation:ty, $($source:ident)?) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "the operation's struct has the documentation")]
        fn $method $(<$lt>)? (&self, operation: $operation $(, $source: Self::Source)?)
            -> Result<<$operation as Operation>::Reply<'static>>;
    };
    ([$effect:ident $($flag:ident)?] $(#[$doc:meta])* $method:ident $(<$lt:lifetime>)?, $operation:ty, $($source:ident)?) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "the operation's struct has the documentation")]
        fn $method $(<$lt>)? (&mut self, operation: $operation $(, $source: Self::Source)?)
            -> Result<<$operation as Operation>::Reply<'static>>;
    };
}

/// The reply of an operation that did not wait; returns early for one that does.
macro_rules! serve_reply {
    ([$effect:ident wait] $reply:expr) => {
        match $reply {
            crate::operation::Turn::Now(reply) => reply,
            crate::operation::Turn::Later => return Ok(crate::operation::Served::Waiting),
        }
    };
    ([$effect:ident $($flag:ident)?] $reply:expr) => {
        $reply
    };
}

/// A type that is a small number on the wire.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $what:literal; $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u8", into = "u8")]
        #[repr(u8)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $number,)+
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> Self {
                value as Self
            }
        }

        impl TryFrom<u8> for $name {
            type Error = String;

            fn try_from(number: u8) -> Result<Self, String> {
                match number {
                    $($number => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("unknown ", $what, " {}"), number)),
                }
            }
        }
    };
}

/// Makes the structs, the request enum and the server's trait of one kind from its rows.
macro_rules! operations {
    (
        $(#[$kind_doc:meta])*
        $kind:ident $(<$kind_lt:lifetime>)?;
        $(
            $(#[$doc:meta])*
            $number:literal [$effect:ident $($flag:ident)?] $method:ident:
            $operation:ident $(<$lt:lifetime>)? { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }
            $(from $source:ident)? -> $reply:ty;
        )+
    ) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            #[allow(missing_docs, reason = "fields that need it have documentation of their own")]
            pub struct $operation $(<$lt>)? {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            impl $(<$lt>)? Operation for $operation $(<$lt>)? {
                const ROW: Row = Row {
                    number: $number,
                    name: concat!(stringify!($kind), ".", stringify!($method)),
                    effect: traits!(effect $effect $($flag)?),
                    scans: traits!(scans $effect $($flag)?),
                    waits: traits!(waits $effect $($flag)?),
                };

                type Reply<'r> = $reply;

                fn encode(self, out: &mut Vec<u8>) {
                    const FIELDS: &[&str] = &[$(stringify!($field)),*];
                    crate::message::write_array(out, FIELDS.len() as u32);
                    $(Encode::encode(self.$field, out);)*
                }
            }
        )+

        $(#[$kind_doc])*
        #[derive(Debug)]
        #[allow(missing_docs, reason = "each variant is the operation it holds")]
        pub enum Request $(<$kind_lt>)? {
            $($operation($operation $(<$lt>)?),)+
        }

        /// Every operation of this kind.
        pub const ROWS: &[Row] = &[$(<$operation as Operation>::ROW),+];

        impl $(<$kind_lt>)? Request $(<$kind_lt>)? {
            /// Decodes the arguments of the operation with this number.
            ///
            /// # Errors
            /// `UnknownOperation` or `MalformedRequest`, naming the operation.
            pub fn decode(operation: u16, arguments: & $($kind_lt)? [u8]) -> Result<Self> {
                match operation {
                    $($number => {
                        const FIELDS: &[&str] = &[$(stringify!($field)),*];
                        let decode = || {
                            #[allow(unused_mut, reason = "an operation may have no arguments")]
                            let mut decoder = Decoder::array(arguments, FIELDS.len() as u32)?;
                            let operation = $operation { $($field: decoder.argument(stringify!($field))?),* };
                            decoder.finish()?;
                            Ok(Self::$operation(operation))
                        };
                        decode().map_err(|error: Error| error.during(<$operation as Operation>::ROW.name))
                    })+
                    _ => Err(unknown(operation)),
                }
            }

            /// The row of the operation.
            #[must_use]
            pub fn row(&self) -> Row {
                match self {
                    $(Self::$operation(_) => <$operation as Operation>::ROW,)+
                }
            }

            /// The other object that the operation reads, if it is of that sort.
            #[must_use]
            pub fn source(&self) -> Option<crate::operation::ObjectId> {
                match self {
                    $($(Self::$operation(operation) => Some(operation.$source),)?)+
                    #[allow(unreachable_patterns, reason = "a kind may have no operation with a source")]
                    _ => None,
                }
            }

            /// Runs the operation on `target` and hands the reply to `sink`, after `target` (a lock,
            /// perhaps) was let go. An operation that waits has no reply yet.
            ///
            /// # Errors
            /// What the operation refuses; then nothing was changed.
            pub fn serve<T: Serve>(
                self,
                mut target: impl std::ops::DerefMut<Target = T>,
                source: Option<T::Source>,
                sink: &mut impl Sink,
            ) -> Result<crate::operation::Served> {
                let _ = &source;
                match self {
                    $(Self::$operation(operation) => {
                        let reply = target.$method(operation $(, { let $source = source.ok_or_else(crate::operation::no_source)?; $source })?);
                        let version = target.settle();
                        drop(target);
                        let reply = serve_reply!([$effect $($flag)?] reply?);
                        Reply::send(reply, version, sink);
                        Ok(crate::operation::Served::Replied)
                    })+
                }
            }
        }

        /// What the server's object must be able to do: a method for each row.
        pub trait Serve {
            /// The contents of another object, for operations that read one.
            type Source;

            /// Ends an operation: counts it if it changed anything, and returns the version.
            fn settle(&mut self) -> u64;

            $(serve_method!([$effect $($flag)?] $(#[$doc])* $method $(<$lt>)?, $operation $(<$lt>)?, $($source)?);)+
        }
    };
}

pub(crate) use {numbered, operations, serve_method, serve_reply, traits};

pub(crate) fn no_source() -> Error {
    Error::new(Code::Internal, "the other object was not given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_carry_their_kind() {
        let kinds = [
            (Kind::Dict, dict::ROWS),
            (Kind::List, list::ROWS),
            (Kind::Set, set::ROWS),
            (Kind::Queue, queue::ROWS),
            (Kind::Pipe, pipe::ROWS),
            (Kind::Lock, lock::ROWS),
            (Kind::Semaphore, semaphore::ROWS),
            (Kind::Event, event::ROWS),
            (Kind::Condition, condition::ROWS),
            (Kind::Barrier, barrier::ROWS),
            (Kind::Value, value::ROWS),
            (Kind::Array, array::ROWS),
            (Kind::Pool, pool::ROWS),
        ];
        let all: Vec<Row> = kinds
            .iter()
            .map(|(_, rows)| *rows)
            .chain([manager::ROWS, path::ROWS, watch::ROWS])
            .flatten()
            .copied()
            .collect();
        let mut numbers: Vec<u16> = all.iter().map(|row| row.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all.len());
        for (rows, high) in [(manager::ROWS, 0), (path::ROWS, PATH), (watch::ROWS, WATCH)] {
            assert!(rows.iter().all(|row| row.number >> 8 == high.into()) && Kind::try_from(high).is_err());
        }
        for (kind, rows) in kinds {
            assert!(rows.iter().all(|row| row.number >> 8 == kind as u16), "{kind:?}");
        }
        for known in &all {
            assert_eq!(row(known.number), Some(known));
        }
        assert_eq!([0x0000, 0x0100, 0x01ff, 0x6001].map(row), [None; 4]);
    }

    #[test]
    fn an_operation_decodes_to_what_was_encoded() {
        let mut arguments = Vec::new();
        let key = rmp_serde::to_vec("key").unwrap();
        dict::Get { key: (&key).into() }.encode(&mut arguments);
        let request = dict::Request::decode(dict::Get::ROW.number, &arguments).unwrap();
        assert!(matches!(&request, dict::Request::Get(get) if get.key.as_slice() == key));
        assert_eq!(request.row().name, "dict.get");
        assert_eq!(request.source(), None);
    }

    #[test]
    fn a_request_that_does_not_decode_says_where() {
        let error = dict::Request::decode(dict::Get::ROW.number, &[0x90]).unwrap_err();
        assert_eq!(error.message, "dict.get: expected 1 arguments, found 0");
        assert_eq!(dict::Request::decode(0x01ff, &[0x90]).unwrap_err().code, Code::UnknownOperation);
    }
}
