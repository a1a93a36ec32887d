//! The model of what one holder has at a time and others wait for.

use std::collections::{BTreeSet, VecDeque};

use super::objects::{Holder, Key, Others, Said, Undo};

#[derive(Clone, Default)]
pub(crate) struct Hold<W> {
    pub(crate) owner: Option<Owner>,
    pub(crate) token: u64,
    died: bool,
    pub(crate) queue: VecDeque<(Key, Holder, W)>,
}

#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) holder: Holder,
    pub(crate) depth: u64,
    /// It was told that the one before had died.
    told: bool,
}

impl<W> Hold<W> {
    pub(crate) fn new() -> Self {
        Self { owner: None, token: 0, died: false, queue: VecDeque::new() }
    }

    pub(crate) fn is_held_by(&self, holder: Holder) -> bool {
        self.owner.is_some_and(|owner| owner.holder == holder)
    }

    /// Gives it to a holder: the token, and whether the one before had died.
    pub(crate) fn give(&mut self, holder: Holder) -> (u64, bool) {
        assert!(self.owner.is_none());
        self.token += 1;
        let told = std::mem::take(&mut self.died);
        self.owner = Some(Owner { holder, depth: 1, told });
        (self.token, told)
    }

    /// Takes it away once; true if it is free now.
    pub(crate) fn take_away(&mut self) -> bool {
        let owner = self.owner.as_mut().unwrap();
        owner.depth -= 1;
        let free = owner.depth == 0;
        if free {
            self.owner = None;
        }
        free
    }

    /// The next who waits has it, if it is free: with what it waited for, its token, and what it is told.
    pub(crate) fn next(&mut self) -> Option<(Key, Holder, W, (u64, bool))> {
        if self.owner.is_some() {
            return None;
        }
        let (key, holder, wanted) = self.queue.pop_front()?;
        let grant = self.give(holder);
        Some((key, holder, wanted, grant))
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<(Holder, W)> {
        let place = self.queue.iter().position(|(waiting, ..)| *waiting == key)?;
        self.queue.remove(place).map(|(_, holder, wanted)| (holder, wanted))
    }

    /// Takes back a grant that was never had; what its holder was told is to be told to the next.
    pub(crate) fn take_back(&mut self, holder: Holder, token: u64) {
        if self.token != token || !self.is_held_by(holder) {
            return;
        }
        let told = self.owner.is_some_and(|owner| owner.told);
        if self.take_away() {
            self.died |= told;
        }
    }

    /// A session ends, which waits no more, never had some grants, and lets go of what it has.
    pub(crate) fn end_session(&mut self, at: usize, session: usize, undelivered: &[Undo], has_owner: bool) {
        self.queue.retain(|(key, ..)| key.0 != session);
        for undo in undelivered {
            if let Undo::Lock { at: place, holder, token } = undo
                && *place == at
            {
                self.take_back(*holder, *token);
            }
        }
        if has_owner && self.owner.is_some_and(|owner| owner.holder.0 == session) {
            self.owner = None;
            self.died = true;
        }
    }
}

/// Whether a circle would be closed if this holder waited for what is held in one place. Only watched
/// places count.
pub(crate) fn closes_a_circle<W>(holds: &[(&Hold<W>, bool)], waiter: Holder, at: usize) -> bool {
    let (mut reached, mut new) = (BTreeSet::new(), vec![at]);
    while let Some(place) = new.pop() {
        let Some(owner) = holds[place].0.owner else { continue };
        if owner.holder == waiter {
            return true;
        }
        if reached.insert(owner.holder) {
            let waits = |hold: &Hold<W>| hold.queue.iter().any(|(_, holder, _)| *holder == owner.holder);
            new.extend((0..holds.len()).filter(|place| holds[*place].1 && waits(holds[*place].0)));
        }
    }
    false
}

/// Hands a free lock to the next, who is answered.
pub(crate) fn hand_over<W>(
    hold: &mut Hold<W>,
    at: usize,
    said: impl FnOnce(W, (u64, bool)) -> Said,
    others: &mut Others,
) {
    if let Some((key, holder, wanted, grant)) = hold.next() {
        let undo = Undo::Lock { at, holder, token: grant.0 };
        others.answer(key, Ok(said(wanted, grant)), Some(undo));
    }
}
