//! What can be a task: functions of up to eight arguments, and values that can run.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A function that can be run by another process, if it has the attribute [`#[task]`](macro@crate::task).
///
/// `Arguments` is the tuple of its arguments: `(i64,)`, `(String, u32)`. It is implemented for every function
/// whose result is a serde type; whether it was registered is found out when it is used.
pub trait Task<Arguments>: 'static {
    /// What it returns.
    type Output: Serialize + DeserializeOwned + 'static;
}

/// A value that runs as a task in another process: the counterpart of a subclass of Python's `Process`.
///
/// ```
/// use manager_client::{Run, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Greeting {
///     name: String,
/// }
///
/// #[task]
/// impl Run for Greeting {
///     type Output = usize;
///
///     fn run(self) -> usize {
///         println!("hello, {}", self.name);
///         self.name.len()
///     }
/// }
/// # assert_eq!(Greeting { name: "ann".into() }.run(), 3);
/// ```
pub trait Run: Serialize + DeserializeOwned + 'static {
    /// What it returns.
    type Output: Serialize + DeserializeOwned + 'static;

    /// What is run in the other process.
    fn run(self) -> Self::Output;
}

macro_rules! tasks {
    ($(($($argument:ident),*))*) => {$(
        impl<Function, Returned, $($argument),*> Task<($($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Returned + 'static,
            Returned: Serialize + DeserializeOwned + 'static,
        {
            type Output = Returned;
        }
    )*};
}

tasks! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}
