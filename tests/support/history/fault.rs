//! What a check comes to.

use std::fmt;

/// How much was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Changes replayed: the sum of the last versions.
    pub changes: u64,
    /// Reads, and changes that changed nothing.
    pub reads: u64,
    /// Refusals.
    pub refusals: u64,
}

/// What kind of fault a history has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Two changes made the same version.
    SameVersion,
    /// Nobody made a version that was passed or seen.
    MissingVersion,
    /// A worker saw an older version than it had seen before.
    WentBack,
    /// A change, a read or a refusal was answered otherwise than the changes before it explain.
    Misfit,
}

/// The first event that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// Who did what, what was seen and what should have been.
    pub explanation: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explanation)
    }
}
