//! A lane: two rings in memory that a `manager-server` shares with one connection of a client.
//!
//! It carries the same bytes as the connection's socket, in order, without a system call: what is written at one
//! end is read at the other, in pieces of any size. Frames and their limits are the business of those who use it. The
//! socket stays: a lane is passed over it, a sleeper is woken by it, and its end is the end of the lane.
//!
//! # The memory
//! One `memfd` made by the server, sealed against changes of its size. All numbers are little endian words of 64 bits.
//!
//! | from byte | what | written by |
//! |---|---|---|
//! | 0 | how many slots of requests were taken | server |
//! | 64 | how many slots of replies were taken | client |
//! | 128 | 1 while the server does not look at the requests | server |
//! | 192 | 1 while the client sleeps: a reply must be told over the socket | client sets, server clears |
//! | 256 | the number of the CPU that the server looks from, and 1; 0 if it is not known | server |
//! | 4096 | the slots of requests, 64 bytes each | client |
//! | behind them | the slots of replies, 64 bytes each | server |
//!
//! A slot is a stamp and 56 bytes. The stamp is the number of the slot, counted from 1 over all rounds, times 256, and
//! in the lowest 8 bits how many of the 56 bytes are used: 1 to 56. It is written last.
//!
//! # Safety
//! Each end counts for itself where it reads and writes, and never takes that from the memory. What it reads is copied
//! before it is judged, and a stamp that is neither the next nor that of the round before is [`Corrupt`]: whatever a
//! peer writes into the memory, the worst that comes of it is other bytes on its own lane.

#![deny(unsafe_code)]

mod cpu;
mod descriptors;
mod ends;
mod memory;
mod ring;
mod sync;

pub use cpu::{current_cpu, leave_cpu};
pub use descriptors::{receive, send};
pub use ends::{ClientEnd, Looker, ServerEnd};
pub use memory::MAX_SLOTS;
pub use ring::{Corrupt, Reader, SLOT_BYTES, Writer};
