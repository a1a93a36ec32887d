//! Paths: what is inside of an encoded value, found without decoding it.
//!
//! A value is walked through token by token; what is not on the way is only skipped. A path is judged
//! before the value is known, and neither reads nor [changes](change) anything but bytes.

mod change;
mod fault;

use std::ops::Range;

use manager_protocol::{Encoded, Reader, Result, Token, path};

use super::{Key, Probe};
pub(in crate::core) use change::Limit;
use fault::{ends_at, missing, out_of_range, takes_no};

/// The steps from a value to what is inside of it.
pub(in crate::core) struct Path<'a> {
    steps: Vec<Step<'a>>,
}

enum Step<'a> {
    Key(Key<'a>),
    Index(i64),
}

/// Where a path leads.
enum Place {
    /// To this part of the value.
    There { holder: Option<Holder>, part: Range<usize> },
    /// To nothing.
    Nowhere(Gap),
}

/// The map or the array that holds what a path leads to.
struct Holder {
    is_map: bool,
    /// Its first bytes, which say how much it has.
    head: Range<usize>,
    /// How many pairs or elements it has.
    len: u32,
    /// Where the pair or the element begins; if there is none, where all of them end.
    item: usize,
}

/// Where something is missing on a path.
struct Gap {
    /// What does not have it; `None` if there is no value at all.
    holder: Option<Holder>,
    /// How many steps lead to it, the one that failed included. The others would be in what is missing.
    steps: usize,
}

impl<'a> Path<'a> {
    /// Judges the steps.
    ///
    /// # Errors
    /// `InvalidKey`.
    pub(in crate::core) fn new(steps: &'a [path::Step<'_>]) -> Result<Self> {
        let judge = |step: &'a path::Step<'_>| match step {
            path::Step::Key(key) => Key::new(key).map(Step::Key),
            path::Step::Index(index) => Ok(Step::Index(*index)),
        };
        Ok(Self { steps: steps.iter().map(judge).collect::<Result<_>>()? })
    }

    /// Whether it leads to the whole value.
    pub(in crate::core) fn is_whole(&self) -> bool {
        self.steps.is_empty()
    }

    /// Which part of a value it leads to; `None` if that is missing.
    ///
    /// # Errors
    /// `PathMismatch`, `OutOfRange`.
    pub(in crate::core) fn find(&self, value: &[u8]) -> Result<Option<Range<usize>>> {
        match self.walk(value, false)? {
            Place::There { part, .. } => Ok(Some(part)),
            Place::Nowhere(_) => Ok(None),
        }
    }

    /// How many elements or pairs there are in what it leads to.
    ///
    /// # Errors
    /// `PathMismatch`, `OutOfRange`.
    pub(in crate::core) fn count(&self, value: &[u8]) -> Result<u64> {
        let Some(part) = self.find(value)? else { return Ok(0) };
        Ok(Cursor::new(value, part.start).container()?.1.into())
    }

    /// Whether what it leads to is an array with such an element, or a map with such a key.
    ///
    /// # Errors
    /// `PathMismatch`, `OutOfRange`.
    pub(in crate::core) fn contains(&self, value: &[u8], item: &Encoded<'_>) -> Result<bool> {
        let Some(part) = self.find(value)? else { return Ok(false) };
        let mut cursor = Cursor::new(value, part.start);
        let (is_map, len) = cursor.container()?;
        let probe = Probe::new(item.as_slice());
        Ok((0..len).any(|_| {
            let item = cursor.skip();
            if is_map {
                cursor.skip();
            }
            probe.equals(&value[item])
        }))
    }

    /// Follows the path. Where something may be made, an index may be the length of its array.
    fn walk(&self, value: &[u8], create: bool) -> Result<Place> {
        let mut cursor = Cursor::new(value, 0);
        let mut holder = None;
        for (nth, step) in self.steps.iter().enumerate() {
            let start = cursor.position();
            let token = cursor.token();
            let head = start..cursor.position();
            let (is_map, len, item) = match (step, token) {
                (Step::Key(key), Token::Map(len)) => (true, len, cursor.find(key, len)),
                (Step::Index(index), Token::Array(len)) => {
                    let at = position(*index, len, create).ok_or_else(|| out_of_range(nth, *index, len))?;
                    cursor.skip_many(at);
                    (false, len, (at < len).then(|| cursor.position()))
                }
                (Step::Key(_) | Step::Index(_), found) => return Err(takes_no(nth, step, found)),
            };
            let found = Holder { is_map, head, len, item: item.unwrap_or_else(|| cursor.position()) };
            if item.is_none() {
                return Ok(Place::Nowhere(Gap { holder: Some(found), steps: nth + 1 }));
            }
            holder = Some(found);
        }
        Ok(Place::There { holder, part: cursor.skip() })
    }

    /// The same, where there may be no value at all.
    fn walk_or_begin(&self, value: Option<&[u8]>, create: bool) -> Result<Place> {
        let none = || Ok(Place::Nowhere(Gap { holder: None, steps: 0 }));
        value.map_or_else(none, |value| self.walk(value, create))
    }

    /// Refuses what is missing, unless it may be made.
    fn judge(&self, gap: &Gap, create: bool) -> Result<()> {
        if !create {
            return Err(missing(gap));
        }
        // What is made has nothing in it before the first step leads there.
        let wrong = self.steps.iter().enumerate().skip(gap.steps).find_map(|(nth, step)| match step {
            Step::Index(index) if *index != 0 => Some(out_of_range(nth, *index, 0)),
            Step::Key(_) | Step::Index(_) => None,
        });
        wrong.map_or(Ok(()), Err)
    }
}

/// Where an index points that may count from the end, and may be the end itself if that is a place.
fn position(index: i64, len: u32, end_is_a_place: bool) -> Option<u32> {
    let from_start = if index < 0 { index.checked_add(len.into()) } else { Some(index) };
    let at = from_start.and_then(|index| u32::try_from(index).ok())?;
    (at < len || at == len && end_is_a_place).then_some(at)
}

/// A position in a well-formed value.
struct Cursor<'a> {
    reader: Reader<'a>,
    len: usize,
}

impl<'a> Cursor<'a> {
    fn new(value: &'a [u8], position: usize) -> Self {
        Self { reader: Reader::new(&value[position..]), len: value.len() }
    }

    fn position(&self) -> usize {
        self.len - self.reader.rest().len()
    }

    fn token(&mut self) -> Token<'a> {
        self.reader.token().expect("values are checked when they arrive")
    }

    /// Goes into an array or a map; whether it is a map, and how many elements or pairs it has.
    fn container(&mut self) -> Result<(bool, u32)> {
        let found = self.token();
        if let Token::Array(len) = found {
            Ok((false, len))
        } else if let Token::Map(len) = found {
            Ok((true, len))
        } else {
            Err(ends_at(found, "an array or a map"))
        }
    }

    fn skip_many(&mut self, count: u32) {
        for _ in 0..count {
            self.skip();
        }
    }

    /// Goes past one whole value; where it is.
    fn skip(&mut self) -> Range<usize> {
        let start = self.position();
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            match self.token() {
                Token::Array(len) => left += u64::from(len),
                Token::Map(len) => left += 2 * u64::from(len),
                Token::Nil
                | Token::Bool(_)
                | Token::Integer(_)
                | Token::Float32(_)
                | Token::Float64(_)
                | Token::Text(_)
                | Token::Bytes(_)
                | Token::Extension(..) => {}
            }
        }
        start..self.position()
    }

    /// Goes to the value of the first of so many pairs that has this key; where the pair begins.
    fn find(&mut self, key: &Key<'_>, len: u32) -> Option<usize> {
        for _ in 0..len {
            let before = self.reader.rest();
            let found = self.skip();
            if key.equals(&before[..found.len()]) {
                return Some(found.start);
            }
            self.skip();
        }
        None
    }
}

#[cfg(test)]
mod tests;
