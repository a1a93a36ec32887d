//! A value: what each of its operations does to the one thing that it holds.

use std::sync::Arc;

use manager_protocol::dict::Swap;
use manager_protocol::{Encoded, Result, value};

use super::{Discards, Transactional};
use crate::core::LARGE_BYTES;
use crate::core::data::Data;
use crate::core::value::{Probe, add};

/// The state of one value.
#[derive(Debug)]
pub(in crate::core) struct Value {
    held: Arc<[u8]>,
    version: u64,
    changed: bool,
    /// What was there before the running transaction, and the version.
    before: Option<(Arc<[u8]>, u64)>,
}

impl Value {
    pub(in crate::core) fn new(initial: &Encoded<'_>) -> Self {
        Self { held: own(initial), version: 0, changed: false, before: None }
    }

    fn put(&mut self, new: Arc<[u8]>) -> Encoded<'static> {
        self.changed = true;
        std::mem::replace(&mut self.held, new).into()
    }
}

fn own(value: &Encoded<'_>) -> Arc<[u8]> {
    Arc::from(value.as_slice())
}

impl value::Serve for Value {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.version += u64::from(std::mem::take(&mut self.changed));
        self.version
    }

    fn get(&self, _: value::Get) -> Result<Encoded<'static>> {
        Ok(self.held.clone().into())
    }

    fn set(&mut self, operation: value::Set<'_>) -> Result<()> {
        self.put(own(&operation.value));
        Ok(())
    }

    fn replace(&mut self, operation: value::Replace<'_>) -> Result<Encoded<'static>> {
        Ok(self.put(own(&operation.value)))
    }

    fn add(&mut self, operation: value::Add<'_>) -> Result<Encoded<'static>> {
        let sum: Arc<[u8]> = add(Some(&self.held), &operation.delta, operation.bounds.as_ref())?.into();
        self.put(sum.clone());
        Ok(sum.into())
    }

    fn compare_and_set(&mut self, operation: value::CompareAndSet<'_>) -> Result<Swap<'static>> {
        if !Probe::new(operation.expected.as_slice()).equals(&self.held) {
            return Ok(Swap { swapped: false, current: Some(self.held.clone().into()) });
        }
        self.put(own(&operation.new));
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

    fn contents(&self) {}

    fn is_heavy(&self, request: &value::Request<'_>) -> bool {
        matches!(request, value::Request::CompareAndSet(_)) && self.held.len() > LARGE_BYTES
    }
}

/// One allocation is given back at once.
impl Discards for Value {}

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
