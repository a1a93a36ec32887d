//! The register of this program's tasks.
//!
//! A task is found by the type of its function or value when it is to be sent away, and by its number when it
//! is to be run. The number is made of name and signature, so that two programs mean the same by it, or find
//! out that they do not.

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Fault, Named, Registration};

/// The tasks of this program.
struct Registry {
    by_type: HashMap<TypeId, &'static Registration>,
    by_number: HashMap<u64, &'static Registration>,
    by_name: HashMap<&'static str, &'static Registration>,
    /// A name that two tasks have.
    twice: Option<&'static str>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::of(inventory::iter::<Registration>.into_iter()));

impl Registry {
    fn of(registrations: impl Iterator<Item = &'static Registration>) -> Self {
        let (mut by_type, mut by_number, mut by_name) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut twice = None;
        for registration in registrations {
            if by_name.insert(registration.name, registration).is_some() {
                twice = Some(registration.name);
            }
            by_number.insert(number(registration.name, (registration.signature)()), registration);
            by_type.insert((registration.type_id)(), registration);
        }
        Self { by_type, by_number, by_name, twice }
    }

    fn find_type(&self, of: TypeId, type_name: &'static str) -> Result<Named, Fault> {
        self.check()?;
        let found = self.by_type.get(&of).ok_or(Fault::NotATask(type_name))?;
        Ok(Named::new(found.name, (found.signature)()))
    }

    /// A name that means two things means nothing.
    fn check(&self) -> Result<(), Fault> {
        self.twice.map_or(Ok(()), |name| Err(Fault::SameName(name)))
    }
}

/// The name of a function that was registered.
pub(crate) fn name_of_function<F: 'static>() -> Result<Named, Fault> {
    REGISTRY.find_type(TypeId::of::<F>(), type_name::<F>())
}

/// The name of a type that was registered.
pub(crate) fn name_of_value<T: 'static>() -> Result<Named, Fault> {
    REGISTRY.find_type(TypeId::of::<T>(), type_name::<T>())
}

/// The task with this number.
pub(crate) fn find(number: u64) -> Option<&'static Registration> {
    REGISTRY.by_number.get(&number).copied()
}

/// The signature of the task with this name.
pub(crate) fn named(name: &str) -> Option<&'static str> {
    REGISTRY.by_name.get(name).map(|found| (found.signature)())
}

/// The numbers of all tasks.
pub(crate) fn numbers() -> Result<Vec<u64>, Fault> {
    REGISTRY.check()?;
    Ok(REGISTRY.by_number.keys().copied().collect())
}

/// The number of a task: the 64-bit FNV-1a hash of its name, a zero byte and its signature.
pub(super) fn number(name: &str, signature: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = name.bytes().chain([0]).chain(signature.bytes());
    bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::super::Ran;
    use super::*;

    static FIRST: Registration = Registration::new("same", || "fn()", TypeId::of::<u8>, |_, _| Ran::Returned);
    static SECOND: Registration = Registration::new("same", || "fn(u8)", TypeId::of::<u16>, |_, _| Ran::Returned);

    #[test]
    fn two_tasks_of_one_name_are_refused_by_it() {
        let registry = Registry::of([&FIRST, &SECOND].into_iter());
        assert!(matches!(registry.find_type(TypeId::of::<u8>(), "u8"), Err(Fault::SameName("same"))));
        let registry = Registry::of([&FIRST].into_iter());
        assert!(registry.find_type(TypeId::of::<u8>(), "u8").is_ok());
        assert!(matches!(registry.find_type(TypeId::of::<u16>(), "u16"), Err(Fault::NotATask("u16"))));
    }

    #[test]
    fn the_number_is_the_published_hash() {
        // From the test vectors of the FNV draft: "foobar".
        let foobar = "foobar"
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        assert_eq!(foobar, 0x8594_4171_f739_67e8);
        assert_ne!(number("a", "bc"), number("ab", "c"));
    }
}
