//! The kinds of objects that have histories, and all of them together as one kind.

use manager_protocol::Code;
use serde::{Deserialize, Serialize};

use super::plain::{Plain, Turn};
use super::{
    DictOperation, DictState, ListOperation, ListState, Outcome, QueueOperation, QueueState, SetOperation, SetState,
    ValueOperation, ValueState,
};

macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident($operation:ident, $state:ident);)+) => {
        /// An operation on an object of some kind.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Operation {
            $($(#[$doc])+ $kind($operation),)+
        }

        /// The plain object of some kind.
        #[derive(Debug, Clone, PartialEq)]
        pub enum State {
            $($(#[$doc])+ $kind($state),)+
        }

        impl State {
            /// What there is before the first operation, unless a test says otherwise: nothing.
            #[must_use]
            pub fn before(first: &Operation) -> Self {
                match first {
                    $(Operation::$kind(_) => Self::$kind($state::default()),)+
                }
            }
        }

        impl Plain for State {
            type Operation = Operation;

            fn apply(&mut self, operation: &Operation, turn: &mut Turn) -> Result<Outcome, Code> {
                match self {
                    $(Self::$kind(plain) => {
                        let Operation::$kind(operation) = operation else { return Err(Code::WrongKind) };
                        plain.apply(operation, turn)
                    })+
                }
            }
        }

        $(impl From<$operation> for Operation {
            fn from(operation: $operation) -> Self {
                Self::$kind(operation)
            }
        }

        impl From<$state> for State {
            fn from(state: $state) -> Self {
                Self::$kind(state)
            }
        })+
    };
}

kinds! {
    /// A dict from `u64` to `i64`.
    Dict(DictOperation, DictState);
    /// A list of `i64`.
    List(ListOperation, ListState);
    /// A queue of `i64`: first in, first out.
    Queue(QueueOperation, QueueState);
    /// A set of `i64`.
    Set(SetOperation, SetState);
    /// A value that is an `i64`.
    Value(ValueOperation, ValueState);
}
