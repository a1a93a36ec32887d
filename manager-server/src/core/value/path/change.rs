//! Changes of what is inside of a value: each makes the whole new value, of the old one's bytes.
//!
//! What is around the changed part is copied as it is. An array or a map that gets something, or loses
//! it, gets a new head: that is one at most, for what is made on the way is in what is new.

use std::ops::Range;

use manager_protocol::{Code, Encoded, Error, Many, Result, Token};

use super::fault::ends_at;
use super::{Cursor, Gap, Holder, Path, Place, Step};
use crate::core::value::add;

/// How large a changed value may be, in bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::core) struct Limit(pub(in crate::core) usize);

impl Path<'_> {
    /// The value with another one in the place where the path leads.
    ///
    /// # Errors
    /// `PathMismatch`, `OutOfRange`, `LimitExceeded`.
    pub(in crate::core) fn set(&self, value: Option<&[u8]>, new: &[u8], create: bool, limit: Limit) -> Result<Vec<u8>> {
        let changed = match self.walk_or_begin(value, create)? {
            Place::There { part, .. } => splice(value.unwrap_or_default(), None, part, |out| out.extend(new)),
            Place::Nowhere(gap) => {
                // The last key of the path need not be there.
                if gap.steps < self.steps.len() {
                    self.judge(&gap, create)?;
                }
                self.fill(value, gap, |out| out.extend(new))
            }
        };
        limit.check(changed)
    }

    /// The value without what the path leads to, and where that was. `None` if it is not there, or if
    /// it is the whole, which is in nothing.
    ///
    /// # Errors
    /// `PathMismatch`, `OutOfRange`.
    pub(in crate::core) fn remove(&self, value: &[u8]) -> Result<Option<(Vec<u8>, Range<usize>)>> {
        match self.walk(value, false)? {
            Place::There { holder: Some(holder), part } => {
                let Holder { is_map, head, len, item } = holder;
                let changed = splice(value, Some((head, is_map, len - 1)), item..part.end, |_| {});
                Ok(Some((changed, part)))
            }
            Place::There { holder: None, .. } | Place::Nowhere(_) => Ok(None),
        }
    }

    /// The value with a sum in the place of a number, and the sum.
    ///
    /// # Errors
    /// `PathMismatch`, `OutOfRange`, `NotANumber`, `Overflow`, `LimitExceeded`.
    pub(in crate::core) fn add(
        &self,
        value: Option<&[u8]>,
        delta: &Encoded<'_>,
        bounds: Option<&(Encoded<'_>, Encoded<'_>)>,
        create: bool,
        limit: Limit,
    ) -> Result<(Vec<u8>, Vec<u8>)> {
        let place = self.walk_or_begin(value, create)?;
        let current = match &place {
            Place::There { part, .. } => value.map(|value| &value[part.clone()]),
            Place::Nowhere(gap) => {
                self.judge(gap, create)?;
                None
            }
        };
        let sum = add(current, delta, bounds).map_err(|error| match self.steps.len() {
            0 => error,
            steps => error.during(format_args!("after step {steps} of the path")),
        })?;
        let changed = match place {
            // A number for a number makes nothing deeper.
            Place::There { part, .. } => {
                limit.check_bytes(splice(value.unwrap_or_default(), None, part, |out| out.extend(&sum)))
            }
            Place::Nowhere(gap) => limit.check(self.fill(value, gap, |out| out.extend(&sum))),
        };
        Ok((changed?, sum))
    }

    /// The value with more elements at the end of an array, and how many that has then. No value if
    /// nothing is changed.
    ///
    /// # Errors
    /// `PathMismatch`, `OutOfRange`, `LimitExceeded`.
    pub(in crate::core) fn extend(
        &self,
        value: Option<&[u8]>,
        new: Many<'_, Encoded<'_>>,
        create: bool,
        limit: Limit,
    ) -> Result<(Option<Vec<u8>>, u64)> {
        let count = new.count_u32();
        let (changed, len) = self.grow(
            value,
            create,
            count,
            |_| u32::MAX,
            |out| {
                new.for_each(|element| out.extend(element.as_slice()));
            },
        )?;
        Ok((changed.map(|changed| limit.check(changed)).transpose()?, len))
    }

    /// The value with one more element in an array, before an index.
    ///
    /// # Errors
    /// `PathMismatch`, `OutOfRange`, `LimitExceeded`.
    pub(in crate::core) fn insert(
        &self,
        value: Option<&[u8]>,
        index: i64,
        new: &Encoded<'_>,
        create: bool,
        limit: Limit,
    ) -> Result<Vec<u8>> {
        let at = |len: u32| {
            let from_start = if index < 0 { index.saturating_add(len.into()).max(0) } else { index };
            u32::try_from(from_start).unwrap_or(u32::MAX)
        };
        let (changed, _) = self.grow(value, create, 1, at, |out| out.extend(new.as_slice()))?;
        limit.check(changed.expect("one more element is a change"))
    }

    /// The value with more elements in an array: `count` of them, which `write` writes, before the
    /// index that `at` gives for its length.
    fn grow(
        &self,
        value: Option<&[u8]>,
        create: bool,
        count: u32,
        at: impl FnOnce(u32) -> u32,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(Option<Vec<u8>>, u64)> {
        let part = match self.walk_or_begin(value, create)? {
            Place::There { part, .. } => part,
            Place::Nowhere(gap) => {
                self.judge(&gap, create)?;
                let changed = self.fill(value, gap, |out| {
                    write_head(out, false, count);
                    write(out);
                });
                return Ok((Some(changed), count.into()));
            }
        };
        let value = value.unwrap_or_default();
        let mut cursor = Cursor::new(value, part.start);
        let found = cursor.token();
        let Token::Array(len) = found else { return Err(ends_at(found, "an array")) };
        if count == 0 {
            return Ok((None, len.into()));
        }
        let head = part.start..cursor.position();
        let at = at(len);
        let place = if at < len {
            cursor.skip_many(at);
            cursor.position()
        } else {
            part.end
        };
        // So many elements that their number does not fit are too many in any case.
        let sum = len.saturating_add(count);
        Ok((Some(splice(value, Some((head, false, sum)), place..place, write)), sum.into()))
    }

    /// The value with something where nothing was: what leads there from the gap on, and then what
    /// `write` writes.
    fn fill(&self, value: Option<&[u8]>, gap: Gap, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let write_all = |out: &mut Vec<u8>| {
            for step in &self.steps[gap.steps..] {
                write_head(out, matches!(step, Step::Key(_)), 1);
                step.write_key(out);
            }
            write(out);
        };
        let Some(Holder { is_map, head, len, item }) = gap.holder else { return splice(&[], None, 0..0, write_all) };
        splice(value.unwrap_or_default(), Some((head, is_map, len.saturating_add(1))), item..item, |out| {
            self.steps[gap.steps - 1].write_key(out);
            write_all(out);
        })
    }
}

impl Step<'_> {
    fn write_key(&self, out: &mut Vec<u8>) {
        match self {
            Self::Key(key) => out.extend(key.original),
            Self::Index(_) => {}
        }
    }
}

impl Limit {
    /// Refuses a value that no client could have sent.
    fn check(self, changed: Vec<u8>) -> Result<Vec<u8>> {
        let changed = self.check_bytes(changed)?;
        match manager_protocol::check(&changed) {
            Ok(()) => Ok(changed),
            Err(fault) => Err(Error::new(Code::LimitExceeded, format!("the value would be too large: {fault}"))),
        }
    }

    fn check_bytes(self, changed: Vec<u8>) -> Result<Vec<u8>> {
        if changed.len() > self.0 {
            let fault = format!("the value would have more than {} bytes, the server's limit", self.0);
            return Err(Error::new(Code::LimitExceeded, fault));
        }
        Ok(changed)
    }
}

/// A value with something else in the place of a part. If something before the part has more or less
/// than before, these are its head, whether it is a map, and how much it has now.
fn splice(
    value: &[u8],
    holder: Option<(Range<usize>, bool, u32)>,
    part: Range<usize>,
    write: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut copied = 0;
    if let Some((head, is_map, len)) = holder {
        out.extend(&value[..head.start]);
        write_head(&mut out, is_map, len);
        copied = head.end;
    }
    out.extend(&value[copied..part.start]);
    write(&mut out);
    out.extend(&value[part.end..]);
    out
}

/// The shortest head of a map or of an array.
fn write_head(out: &mut Vec<u8>, is_map: bool, len: u32) {
    let written = if is_map { rmp::encode::write_map_len(out, len) } else { rmp::encode::write_array_len(out, len) };
    written.expect("writing to memory does not fail");
}
