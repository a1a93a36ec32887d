//! How keys are hashed: quickly, and with seeds that nobody outside can know or choose, so that nobody
//! can choose keys that all fall together.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::quality::{FoldHasher, SeedableRandomState};

/// A hash with a seed of its own.
#[derive(Debug, Clone)]
pub(super) struct Seeded(SeedableRandomState);

impl Default for Seeded {
    fn default() -> Self {
        // The library's own seeds are made of addresses and the time; these are of the system's random bits.
        static SHARED: LazyLock<SharedSeed> = LazyLock::new(|| SharedSeed::from_u64(random()));
        Self(SeedableRandomState::with_seed(random(), &SHARED))
    }
}

impl BuildHasher for Seeded {
    type Hasher = FoldHasher<'static>;

    #[inline]
    fn build_hasher(&self) -> FoldHasher<'static> {
        self.0.build_hasher()
    }
}

/// The standard library's only source of random bits; the seed is the system's.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hashes_do_not_agree_and_one_does_with_itself() {
        let (one, other) = (Seeded::default(), Seeded::default());
        assert_eq!(one.hash_one("key"), one.clone().hash_one("key"));
        assert_ne!(one.hash_one("key"), other.hash_one("key"));
    }
}
