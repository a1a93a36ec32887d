//! How requests are found by their ids, which this process has drawn itself, one after the other.

use std::hash::{BuildHasher, Hasher};

/// Makes a map's hashes of ids.
#[derive(Clone, Copy, Default)]
pub(super) struct ById;

impl BuildHasher for ById {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher(0)
    }
}

pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // By an odd number, so that neighbours differ in the high bits too, which the table looks at first.
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
