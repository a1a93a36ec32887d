//! Memory that two processes share, as words that are read and written whole.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

#[cfg(not(any(feature = "shuttle", feature = "loom")))]
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};

use crate::sync::AtomicU64;

/// The words of a lane, mapped into this process.
pub(crate) struct Memory {
    #[cfg(not(any(feature = "shuttle", feature = "loom")))]
    map: MmapRaw,
    #[cfg(any(feature = "shuttle", feature = "loom"))]
    words: Box<[AtomicU64]>,
}

impl fmt::Debug for Memory {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} words)", self.words().len())
    }
}

impl Memory {
    /// New memory of zeroes, and the descriptor by which another process gets it.
    pub(crate) fn create(bytes: usize) -> io::Result<(Self, OwnedFd)> {
        let descriptor = memfd_create("manager-lane", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&descriptor, bytes as u64)?;
        // Whoever has it mapped would be killed by a touch of what was cut off.
        fcntl_add_seals(&descriptor, SIZE_SEALS)?;
        Ok((Self::map(&descriptor, bytes)?, descriptor))
    }

    /// The memory of another process, which must have this size and keep it.
    pub(crate) fn open(descriptor: &OwnedFd, bytes: usize) -> io::Result<Self> {
        // In this order: the size that is found is that which it keeps.
        if !fcntl_get_seals(descriptor).is_ok_and(|seals| seals.contains(SIZE_SEALS)) {
            return Err(unfit("a lane that could be cut off".into()));
        }
        let size = fstat(descriptor)?.st_size;
        if u64::try_from(size).ok() != Some(bytes as u64) {
            return Err(unfit(format!("a lane of {size} bytes instead of {bytes}")));
        }
        Self::map(descriptor, bytes)
    }

    #[cfg(not(any(feature = "shuttle", feature = "loom")))]
    fn map(descriptor: &impl AsFd, bytes: usize) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        let map = MmapOptions::new().len(bytes).map_raw(descriptor.as_fd().as_raw_fd())?;
        Ok(Self { map })
    }

    /// The words.
    #[cfg(not(any(feature = "shuttle", feature = "loom")))]
    #[inline]
    #[allow(unsafe_code, reason = "the mapping is raw memory; this is the one place that makes words of it")]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        let words = self.map.len() / size_of::<AtomicU64>();
        // SAFETY: the mapping begins at a page and is `len` bytes long for as long as `self` lives, and so is the file:
        // it is sealed against shrinking before it is mapped. Any bytes are an `AtomicU64`. Other processes may write
        // to it at any time, which is why it is never seen as anything but atomics.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), words) }
    }

    #[cfg(any(feature = "shuttle", feature = "loom"))]
    fn map(_: &impl AsFd, bytes: usize) -> io::Result<Self> {
        Ok(Self { words: (0..bytes / size_of::<u64>()).map(|_| AtomicU64::new(0)).collect() })
    }

    /// The words.
    #[cfg(any(feature = "shuttle", feature = "loom"))]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        &self.words
    }
}

fn unfit(fault: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

const SIZE_SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Most slots of a ring.
pub const MAX_SLOTS: usize = 1 << 16;

#[cfg(all(test, not(any(feature = "shuttle", feature = "loom"))))]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn what_one_mapping_writes_the_other_reads() {
        let (one, descriptor) = Memory::create(8192).unwrap();
        let other = Memory::open(&descriptor, 8192).unwrap();
        one.words()[1023].store(7, Ordering::Relaxed);
        assert_eq!(other.words()[1023].load(Ordering::Relaxed), 7);
        assert_eq!(other.words().len(), 1024);
    }

    #[test]
    fn nobody_changes_the_size() {
        let (_memory, descriptor) = Memory::create(8192).unwrap();
        ftruncate(&descriptor, 4096).unwrap_err();
        ftruncate(&descriptor, 16384).unwrap_err();
        fcntl_add_seals(&descriptor, SealFlags::WRITE).unwrap_err();
    }

    #[test]
    fn what_could_be_cut_off_or_has_another_size_is_refused() {
        let loose = memfd_create("loose", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&loose, 8192).unwrap();
        assert!(Memory::open(&loose, 8192).unwrap_err().to_string().contains("cut off"));
        let (_memory, descriptor) = Memory::create(8192).unwrap();
        assert!(Memory::open(&descriptor, 16384).unwrap_err().to_string().contains("8192 bytes instead of 16384"));
    }
}
