//! Operations on a pipe.
//!
//! Side 0 is the left end, side 1 the right. An end is open while somebody is attached to it, or it
//! is on its way from one process to another.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::{Effect, Operation, Row, numbered, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Reply, Sink};

operations! {
    /// A decoded request to a pipe.
    pipe<'a>;

    /// Opens an end for this session, once more if it has it open.
    ///
    /// Refused with `NoSuchTicket` if the end is to be claimed by a ticket that is not out.
    0x0501 [change] attach: Attach {
        /// Which end.
        side: Side,
        /// The number that `hand_over` gave, if it did.
        ticket: Option<u64>,
    } -> ();

    /// Closes an end for this session, once.
    ///
    /// Refused with `NotHeld` if this session does not have it open.
    0x0502 [change] close: Close {
        /// Which end.
        side: Side,
    } -> ();

    /// Closes an end for this session, and keeps it open for whoever attaches with the ticket.
    ///
    /// The ticket is void when this session ends. Refused as `close`.
    0x0503 [change] hand_over: HandOver {
        /// Which end.
        side: Side,
    } -> u64;

    /// Sends a message to the other end.
    ///
    /// Refused with `Closed` if that end was opened once and is not any more, with `NotHeld` if this
    /// session does not have its own end open, and with `InvalidArgument` at the receiving end of a
    /// one-way pipe.
    0x0504 [change] send: Send<'a> {
        /// The end of the sender.
        side: Side,
        /// The message.
        value: Encoded<'a>,
    } -> ();

    /// Takes the next message at an end, once there is one; nil if there is none in time.
    ///
    /// Refused with `Closed` once all messages are taken and the other end is closed, with `NotHeld`
    /// if this session does not have its own end open, and with `InvalidArgument` at the sending end
    /// of a one-way pipe.
    0x0505 [change wait] receive: Receive {
        /// The end of the receiver.
        side: Side,
        /// How long to wait.
        timeout_ms: Option<i64>,
    } -> Option<Encoded<'r>>;

    /// Waits until there is a message, or the end of them; whether there was one in time.
    ///
    /// Refused with `NotHeld` and `InvalidArgument` as `receive`.
    0x0506 [read wait] poll: Poll {
        /// The end of the receiver.
        side: Side,
        /// How long to wait.
        timeout_ms: Option<i64>,
    } -> bool;
}

numbered! {
    /// An end of a pipe.
    Side, "end of a pipe";
    /// The end that receives in a one-way pipe.
    Left = 0,
    /// The end that sends in a one-way pipe.
    Right = 1,
}

impl Side {
    /// The end opposite.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}
