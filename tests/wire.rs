//! What crosses the socket, byte by byte: frames in any pieces, bad input, large values, slow peers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "figures that are shown and not judged")]

#[path = "wire/async_lanes.rs"]
mod async_lanes;
#[allow(dead_code, reason = "another program uses the rest")]
#[path = "processes/child.rs"]
mod child;
#[path = "wire/client.rs"]
mod client;
#[path = "wire/lanes.rs"]
mod lanes;
#[path = "wire/million.rs"]
mod million;
#[path = "wire/noise.rs"]
mod noise;
#[path = "wire/on_lane.rs"]
mod on_lane;
#[path = "wire/pieces.rs"]
mod pieces;
#[path = "wire/raw.rs"]
mod raw;
#[path = "wire/refusals.rs"]
mod refusals;
#[path = "wire/scribbles.rs"]
mod scribbles;
#[path = "wire/sessions.rs"]
mod sessions;
#[path = "wire/volume.rs"]
mod volume;
