//! Processes that know a server: proxies go to them as arguments.

use serde::Serialize;

use super::Process;
use crate::manager::Manager;
use crate::task::{Run, Task, name_of_function, name_of_value};

/// # Processes
impl Manager {
    /// A process that is to run a function with arguments, proxies of this server among them.
    ///
    /// The process finds this server with [`from_env`](Self::from_env) too. It is not started yet: see
    /// [`Process`].
    ///
    /// ```
    /// use manager_client::{Manager, ManagerDict, task};
    ///
    /// #[task]
    /// fn count(hits: ManagerDict<String, u64>) {
    ///     hits.add("home", 1).expect("the server answers");
    /// }
    ///
    /// fn main() -> Result<(), manager_client::Error> {
    ///     manager_client::init();
    ///     let manager = Manager::start()?;
    ///     let hits = manager.new_dict()?;
    ///     let process = manager.process(count, (hits.clone(),));
    ///     process.start()?;
    ///     process.join()?;
    ///     assert_eq!(hits.get("home")?, Some(1));
    ///     Ok(())
    /// }
    /// ```
    pub fn process<Arguments, F>(&self, _task: F, arguments: Arguments) -> Process<F::Output>
    where
        F: Task<Arguments>,
        Arguments: Serialize,
    {
        Process::of(name_of_function::<F>(), &arguments, Some(self.clone()))
    }

    /// A process that is to run a value, with proxies of this server in it: see [`Process::of_value`].
    pub fn process_of<T: Run>(&self, value: T) -> Process<T::Output> {
        Process::of(name_of_value::<T>(), &value, Some(self.clone()))
    }
}
