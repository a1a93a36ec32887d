//! A value: what each of its operations does to the one thing that it holds.

use manager_protocol::dict::Swap;
use manager_protocol::{Code, Encoded, Error, Result, value};

use super::{Discards, Transactional};
use crate::core::data::Data;
use crate::core::lifetime::Lifetimes;
use crate::core::moment::Moment;
use crate::core::reference::Links;
use crate::core::value::{Datum, Limit, Probe, add};
use crate::core::watch::{self, Seen, Slot, Watched};
use crate::core::{LARGE_BYTES, Limits};

/// The state of one value.
#[derive(Debug)]
pub(in crate::core) struct Value {
    held: Datum,
    version: u64,
    changed: bool,
    /// What was there before the running transaction, and the version.
    before: Option<(Datum, u64)>,
    /// Most bytes that it may have.
    max_bytes: usize,
    moment: Moment,
    slot: Slot,
}

impl Value {
    pub(in crate::core) fn new(initial: &Encoded<'_>, limits: &Limits, moment: &Moment) -> Self {
        let (held, moment) = (Datum::new(initial.as_slice(), moment), moment.clone());
        let (max_bytes, slot) = (limits.max_message, Slot::default());
        Self { held, version: 0, changed: false, before: None, max_bytes, moment, slot }
    }

    pub(super) fn links(&self) -> &Links {
        self.held.links()
    }

    /// Takes the value out and leaves nil.
    pub(super) fn take(&mut self) -> Datum {
        std::mem::replace(&mut self.held, Datum::new([NIL], &Moment::default()))
    }

    fn put(&mut self, new: &[u8]) -> Encoded<'static> {
        self.changed = true;
        let new = Datum::new(new, &self.moment);
        std::mem::replace(&mut self.held, new).shared()
    }
}

/// Nil, encoded.
const NIL: u8 = 0xc0;

impl value::Serve for Value {
    type Source = ();

    fn settle(&mut self) -> u64 {
        if std::mem::take(&mut self.changed) {
            self.version += 1;
            if let Some(watchers) = self.slot.get_mut() {
                watchers.settle(self.version, 1);
            }
        }
        self.version
    }

    fn get(&self, _: value::Get) -> Result<Encoded<'static>> {
        Ok(self.held.shared())
    }

    fn set(&mut self, operation: value::Set<'_>) -> Result<()> {
        self.put(operation.value.as_slice());
        Ok(())
    }

    fn replace(&mut self, operation: value::Replace<'_>) -> Result<Encoded<'static>> {
        Ok(self.put(operation.value.as_slice()))
    }

    fn add(&mut self, operation: value::Add<'_>) -> Result<Encoded<'static>> {
        let sum = add(Some(&self.held), &operation.delta, operation.bounds.as_ref())?;
        self.put(&sum);
        Ok(self.held.shared())
    }

    fn compare_and_set(&mut self, operation: value::CompareAndSet<'_>) -> Result<Swap<'static>> {
        if !Probe::new(operation.expected.as_slice()).equals(&self.held) {
            return Ok(Swap { swapped: false, current: Some(self.held.shared()) });
        }
        self.put(operation.new.as_slice());
        Ok(Swap { swapped: true, current: None })
    }
}

impl Data for Value {
    fn version(&self) -> u64 {
        self.version
    }

    fn len(&self) -> usize {
        1
    }

    fn attend(&mut self, moment: &Moment) {
        self.moment = moment.clone();
    }

    fn contents(&self) {}

    fn is_heavy(&self, request: &value::Request<'_>) -> bool {
        matches!(request, value::Request::CompareAndSet(_)) && self.held.len() > LARGE_BYTES
    }

    fn value_at(&self, at: &Encoded<'_>) -> Result<Option<Encoded<'static>>> {
        if at.as_slice() != [NIL] {
            return Err(Error::new(Code::InvalidArgument, "`at` is not nil, and a value has one place only"));
        }
        Ok(Some(self.held.shared()))
    }

    fn put_at(&mut self, _: &Encoded<'_>, value: &[u8]) -> Result<()> {
        self.changed = true;
        self.held = self.held.changed_to(value, &self.moment);
        Ok(())
    }

    fn value_limit(&self) -> Limit {
        Limit(self.max_bytes)
    }
}

impl Lifetimes for Value {}

impl Watched for Value {
    fn slot(&self) -> &Slot {
        &self.slot
    }

    fn slot_mut(&mut self) -> &mut Slot {
        &mut self.slot
    }

    fn place(at: &Encoded<'_>) -> Result<Option<watch::Key>> {
        if at.as_slice() == [NIL] {
            return Ok(None);
        }
        Err(Error::new(Code::InvalidArgument, "a value has one place, which is nil"))
    }

    fn look(&self, _: &Encoded<'_>) -> Option<Seen> {
        Some(Seen { value: self.held.shared(), version: self.version })
    }
}

/// One allocation is given back at once.
impl Discards for Value {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        self.moment.pass();
        None
    }
}

impl Transactional for Value {
    fn begin(&mut self) {
        self.before = Some((self.held.clone(), self.version));
    }

    fn commit(&mut self) {
        self.before = None;
    }

    fn roll_back(&mut self) {
        if let Some((held, version)) = self.before.take() {
            (self.held, self.version, self.changed) = (held, version, false);
        }
    }
}
