//! The values of a list, in chunks.
//!
//! A chunk knows the position of its first value, counted from a fixed origin, so a value is found
//! by a binary search over the chunks, and adding or removing at either end touches one chunk. In the
//! middle, the positions of the chunks behind are moved: some two thousand in a list of a million.
//!
//! Chunks are shared between copies of a sequence and copied when one of them changes. So a copy
//! costs one reference per chunk, whatever is done with it later.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::core::reference::Links;
use crate::core::value::Datum;

/// Most values in a chunk.
const CHUNK: usize = 512;

#[derive(Debug, Clone, Default)]
pub(in crate::core) struct Sequence {
    chunks: VecDeque<Chunk>,
    len: usize,
}

#[derive(Debug, Clone)]
struct Chunk {
    /// The position of the first value. Positions are consecutive from chunk to chunk; they may begin
    /// anywhere, also below zero.
    start: i64,
    /// Never empty.
    values: Arc<VecDeque<Datum>>,
}

impl Chunk {
    fn of(start: i64, values: VecDeque<Datum>) -> Self {
        Self { start, values: Arc::new(values) }
    }

    fn end(&self) -> i64 {
        self.start + self.values.len() as i64
    }
}

impl Sequence {
    pub(in crate::core) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, index: usize) -> Option<&Datum> {
        let (chunk, at) = self.locate(index)?;
        self.chunks[chunk].values.get(at)
    }

    /// Exchanges the value at an index that is there.
    pub(super) fn set(&mut self, index: usize, value: Datum) {
        let (chunk, at) = self.locate(index).expect(JUDGED);
        Arc::make_mut(&mut self.chunks[chunk].values)[at] = value;
    }

    pub(super) fn push(&mut self, value: Datum) {
        self.len += 1;
        let end = match self.chunks.back_mut() {
            Some(last) if last.values.len() < CHUNK => return Arc::make_mut(&mut last.values).push_back(value),
            Some(last) => last.end(),
            None => 0,
        };
        self.chunks.push_back(Chunk::of(end, VecDeque::from([value])));
    }

    pub(super) fn push_front(&mut self, value: Datum) {
        self.len += 1;
        let start = match self.chunks.front_mut() {
            Some(first) if first.values.len() < CHUNK => {
                first.start -= 1;
                return Arc::make_mut(&mut first.values).push_front(value);
            }
            Some(first) => first.start,
            None => 1,
        };
        self.chunks.push_front(Chunk::of(start - 1, VecDeque::from([value])));
    }

    pub(super) fn pop(&mut self) -> Option<Datum> {
        let last = self.chunks.back_mut()?;
        let value = Arc::make_mut(&mut last.values).pop_back();
        if last.values.is_empty() {
            self.chunks.pop_back();
        }
        self.len -= 1;
        value
    }

    pub(super) fn pop_front(&mut self) -> Option<Datum> {
        let first = self.chunks.front_mut()?;
        let value = Arc::make_mut(&mut first.values).pop_front();
        first.start += 1;
        if first.values.is_empty() {
            self.chunks.pop_front();
        }
        self.len -= 1;
        value
    }

    /// Inserts before an index, which may be the length.
    pub(super) fn insert(&mut self, index: usize, value: Datum) {
        if index == self.len {
            return self.push(value);
        }
        if index == 0 {
            return self.push_front(value);
        }
        let (chunk, at) = self.locate(index).expect(JUDGED);
        let values = Arc::make_mut(&mut self.chunks[chunk].values);
        values.insert(at, value);
        if values.len() > CHUNK {
            let behind = values.split_off(CHUNK / 2);
            let start = self.chunks[chunk].end();
            // Its place was counted with the value that is moved along, so it is one too low yet.
            self.chunks.insert(chunk + 1, Chunk::of(start - 1, behind));
        }
        self.len += 1;
        self.shift(chunk + 1, 1);
    }

    /// Removes the value at an index that is there.
    pub(super) fn remove(&mut self, index: usize) -> Datum {
        let (chunk, at) = self.locate(index).expect(JUDGED);
        if at == 0 && chunk == 0 {
            return self.pop_front().expect(JUDGED);
        }
        let value = Arc::make_mut(&mut self.chunks[chunk].values).remove(at).expect(JUDGED);
        self.len -= 1;
        self.shift(chunk + 1, -1);
        self.tidy(chunk);
        value
    }

    /// Replaces the values in `range`, which must lie inside, by others.
    pub(super) fn splice(&mut self, range: Range<usize>, values: impl Iterator<Item = Datum>) {
        let behind = self.split_off(range.end);
        // The values that are replaced are dropped with this.
        self.split_off(range.start);
        values.for_each(|value| self.push(value));
        self.append(behind);
    }

    /// Adds all values of another sequence at the end; its chunks are shared.
    pub(super) fn append(&mut self, other: Self) {
        let mut end = self.chunks.back().map_or(0, Chunk::end);
        self.len += other.len;
        for mut chunk in other.chunks {
            chunk.start = end;
            end = chunk.end();
            self.chunks.push_back(chunk);
            // Small chunks must not add up, as they would when a short list is repeated.
            self.tidy(self.chunks.len() - 1);
        }
    }

    /// Keeps the values before an index and returns those from it on.
    fn split_off(&mut self, index: usize) -> Self {
        let Some((chunk, at)) = self.locate(index) else {
            return Self::default();
        };
        let mut behind = self.chunks.split_off(chunk);
        if at > 0 {
            let cut = &mut behind[0];
            let values = Arc::make_mut(&mut cut.values);
            let kept = values.drain(..at).collect();
            self.chunks.push_back(Chunk::of(cut.start, kept));
            cut.start += at as i64;
        }
        let len = self.len - index;
        self.len = index;
        Self { chunks: behind, len }
    }

    /// The same values for another list. Those with links are linked anew, and the others shared.
    pub(super) fn anew(self) -> Self {
        if self.links().next().is_none() {
            return self;
        }
        self.iter().map(Datum::anew).collect()
    }

    /// The links of each value that has any.
    pub(in crate::core) fn links(&self) -> impl Iterator<Item = &Links> {
        self.iter().map(Datum::links).filter(|links| !links.is_empty())
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Datum> {
        self.chunks.iter().flat_map(|chunk| chunk.values.iter())
    }

    /// The chunk that holds an index, and where in it.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        let position = self.chunks.front()?.start + index as i64;
        let chunk = self.chunks.partition_point(|chunk| chunk.start <= position) - 1;
        Some((chunk, (position - self.chunks[chunk].start) as usize))
    }

    fn shift(&mut self, from: usize, by: i64) {
        for chunk in self.chunks.range_mut(from..) {
            chunk.start += by;
        }
    }

    /// Drops a chunk that has become empty; joins one that is small with the one before it.
    fn tidy(&mut self, chunk: usize) {
        if self.chunks[chunk].values.is_empty() {
            self.chunks.remove(chunk);
            return;
        }
        let Some(before) = chunk.checked_sub(1) else { return };
        let size = self.chunks[chunk].values.len();
        if size < CHUNK / 4 && self.chunks[before].values.len() + size <= CHUNK {
            let small = self.chunks.remove(chunk).expect("the chunk was just looked at");
            Arc::make_mut(&mut self.chunks[before].values).extend(small.values.iter().cloned());
        }
    }
}

impl FromIterator<Datum> for Sequence {
    fn from_iter<I: IntoIterator<Item = Datum>>(values: I) -> Self {
        let mut sequence = Self::default();
        values.into_iter().for_each(|value| sequence.push(value));
        sequence
    }
}

const JUDGED: &str = "the caller has judged the index";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::moment::Moment;

    fn value(number: u32) -> Datum {
        Datum::new(number.to_be_bytes(), &Moment::default())
    }

    fn check(sequence: &Sequence, model: &[u32]) {
        assert_eq!(sequence.len(), model.len());
        assert!(sequence.iter().eq(model.iter().map(|number| value(*number)).collect::<Vec<_>>().iter()));
        for (before, after) in sequence.chunks.iter().zip(sequence.chunks.iter().skip(1)) {
            assert_eq!(before.end(), after.start, "positions are consecutive");
        }
        assert!(sequence.chunks.iter().all(|chunk| !chunk.values.is_empty() && chunk.values.len() <= CHUNK));
        for index in [0, model.len() / 2, model.len().saturating_sub(1)] {
            assert_eq!(sequence.get(index).cloned(), model.get(index).map(|number| value(*number)));
        }
        assert_eq!(sequence.get(model.len()), None);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(u32),
        PushFront(u32),
        Pop,
        PopFront,
        Insert(usize, u32),
        Remove(usize),
        Set(usize, u32),
        Splice(usize, usize, Vec<u32>),
        Double,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            any::<u32>().prop_map(Step::Push),
            any::<u32>().prop_map(Step::PushFront),
            Just(Step::Pop),
            Just(Step::PopFront),
            (any::<usize>(), any::<u32>()).prop_map(|(at, value)| Step::Insert(at, value)),
            any::<usize>().prop_map(Step::Remove),
            (any::<usize>(), any::<u32>()).prop_map(|(at, value)| Step::Set(at, value)),
            (any::<usize>(), any::<usize>(), proptest::collection::vec(any::<u32>(), 0..700))
                .prop_map(|(from, to, values)| Step::Splice(from, to, values)),
            Just(Step::Double),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_sequence_is_a_vec(start in 0_u32..3000, steps in proptest::collection::vec(step(), 0..60)) {
            let mut model: Vec<u32> = (0..start).collect();
            let mut sequence: Sequence = model.iter().map(|number| value(*number)).collect();
            for step in steps {
                let (before, before_model) = (sequence.clone(), model.clone());
                let len = model.len();
                match step {
                    Step::Push(new) => { sequence.push(value(new)); model.push(new); }
                    Step::PushFront(new) => { sequence.push_front(value(new)); model.insert(0, new); }
                    Step::Pop => assert_eq!(sequence.pop(), model.pop().map(value)),
                    Step::PopFront => {
                        let expected = (len > 0).then(|| value(model.remove(0)));
                        assert_eq!(sequence.pop_front(), expected);
                    }
                    Step::Insert(at, new) => { let at = at % (len + 1); sequence.insert(at, value(new)); model.insert(at, new); }
                    Step::Remove(at) if len > 0 => assert_eq!(sequence.remove(at % len), value(model.remove(at % len))),
                    Step::Set(at, new) if len > 0 => { sequence.set(at % len, value(new)); model[at % len] = new; }
                    Step::Remove(_) | Step::Set(..) => {}
                    Step::Splice(from, to, new) => {
                        let from = from % (len + 1);
                        let to = from + to % (len - from + 1);
                        sequence.splice(from..to, new.iter().map(|number| value(*number)));
                        model.splice(from..to, new);
                    }
                    Step::Double if len < 10_000 => { sequence.append(sequence.clone()); model.extend_from_within(..); }
                    Step::Double => {}
                }
                check(&sequence, &model);
                check(&before, &before_model);
            }
        }
    }
}
