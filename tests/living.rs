//! What lives on its own: watches, references, paths and entries that end, across processes and cuts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "living/asking.rs"]
mod asking;
#[path = "living/changes.rs"]
mod changes;
#[allow(dead_code, reason = "another program uses the rest")]
#[path = "processes/child.rs"]
mod child;
#[allow(dead_code, reason = "another program uses the rest")]
#[path = "waiting/cutter.rs"]
mod cutter;
#[path = "living/follower.rs"]
mod follower;
#[allow(dead_code, reason = "another program uses the rest")]
#[path = "living/hands.rs"]
mod hands;
#[path = "living/lists.rs"]
mod lists;
#[path = "living/paths.rs"]
mod paths;
#[path = "living/references.rs"]
mod references;
#[path = "living/refusals.rs"]
mod refusals;
#[path = "living/refused.rs"]
mod refused;
#[path = "living/sessions.rs"]
mod sessions;
#[path = "living/slow.rs"]
mod slow;
#[path = "living/watches.rs"]
mod watches;
#[path = "living/writer.rs"]
mod writer;
