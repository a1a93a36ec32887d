//! What a pool is asked to do.

use serde::Serialize;

use super::board::Board;
use super::builder::machine;
use super::chunk::{Parcel, pack};
use super::imap::Imap;
use super::{AsyncResult, MapResult, Pool};
use crate::error::{Error, Result};
use crate::task::{Task, name_of_function};

/// # Calls
///
/// Each can fail at once with [`is_unknown_task`](Error::is_unknown_task) if the function has no
/// [`#[task]`](macro@crate::task), with [`is_pool_closed`](Error::is_pool_closed), or if an argument cannot be encoded:
/// then nothing was submitted. All other errors are told with the result.
impl Pool {
    /// Has a task done with these arguments, a tuple, and waits for what it returns.
    ///
    /// # Errors
    /// [`is_panic`](Error::is_panic) if the task panicked; [`is_process_lost`](Error::is_process_lost) if its worker
    /// ended in the middle; [`is_timeout`](Error::is_timeout) if it took longer than its
    /// [limit](Self::time_limit); what [`Pool`] can fail with.
    ///
    /// # Blocks
    /// Until a worker has done it.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn add(a: i64, b: i64) -> i64 {
    /// #     a + b
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(1)?;
    /// assert_eq!(pool.apply(add, (1, 2))?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn apply<Arguments, F>(&self, task: F, arguments: Arguments) -> Result<F::Output>
    where
        F: Task<Arguments>,
        Arguments: Serialize,
    {
        self.apply_async(task, arguments)?.get()
    }

    /// Has a task done with these arguments, a tuple; the result comes later.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn add(a: i64, b: i64) -> i64 {
    /// #     a + b
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(1)?;
    /// let sum = pool.apply_async(add, (1, 2))?;
    /// assert_eq!(sum.get()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn apply_async<Arguments, F>(&self, _task: F, arguments: Arguments) -> Result<AsyncResult<F::Output>>
    where
        F: Task<Arguments>,
        Arguments: Serialize,
    {
        let parcels = pack(number_of::<F>()?, std::iter::once(arguments), 1)?;
        let board = Board::new(1);
        let job = self.office.member.submit(&board, 0, parcels, self.manner)?;
        Ok(AsyncResult::new(board, &self.office.member, job))
    }

    /// Has a task of one argument done with each item, and waits for what they return, in the order of the items.
    ///
    /// # Errors
    /// As [`apply`](Self::apply): the error of the first item that failed, once all are over.
    ///
    /// # Blocks
    /// Until all is done.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn square(x: i64) -> i64 {
    /// #     x * x
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(2)?;
    /// assert_eq!(pool.map(square, [1, 2, 3])?, [1, 4, 9]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map<A, F>(&self, task: F, items: impl IntoIterator<Item = A>) -> Result<Vec<F::Output>>
    where
        F: Task<(A,)>,
        A: Serialize,
    {
        self.map_async(task, items)?.get()
    }

    /// Has a task of one argument done with each item; the results come later.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn square(x: i64) -> i64 {
    /// #     x * x
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(2)?;
    /// let squares = pool.map_async(square, 0..100)?;
    /// assert_eq!(squares.progress().total, 100);
    /// assert_eq!(squares.get()?[99], 9801);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_async<A, F>(&self, task: F, items: impl IntoIterator<Item = A>) -> Result<MapResult<F::Output>>
    where
        F: Task<(A,)>,
        A: Serialize,
    {
        self.starmap_async(task, items.into_iter().map(|item| (item,)))
    }

    /// Has a task done with each tuple of arguments, and waits for what they return, in order.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    ///
    /// # Blocks
    /// Until all is done.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn add(a: i64, b: i64) -> i64 {
    /// #     a + b
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(2)?;
    /// assert_eq!(pool.starmap(add, [(1, 2), (3, 4)])?, [3, 7]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn starmap<Arguments, F>(&self, task: F, tuples: impl IntoIterator<Item = Arguments>) -> Result<Vec<F::Output>>
    where
        F: Task<Arguments>,
        Arguments: Serialize,
    {
        self.starmap_async(task, tuples)?.get()
    }

    /// Has a task done with each tuple of arguments; the results come later.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn add(a: i64, b: i64) -> i64 {
    /// #     a + b
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(2)?;
    /// let sums = pool.starmap_async(add, [(1, 2), (3, 4)])?;
    /// assert_eq!(sums.get()?, [3, 7]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn starmap_async<Arguments, F>(
        &self,
        _task: F,
        tuples: impl IntoIterator<Item = Arguments>,
    ) -> Result<MapResult<F::Output>>
    where
        F: Task<Arguments>,
        Arguments: Serialize,
    {
        let parcels = self.pack_all(number_of::<F>()?, tuples)?;
        let board = Board::new(parcels.iter().map(|parcel| parcel.calls as usize).sum());
        self.office.member.submit(&board, 0, parcels, self.manner)?;
        Ok(MapResult::new(board, &self.office.member))
    }

    /// Has a task of one argument done with each item, and gives what they return in the order of the items,
    /// while others are still to be done. Items are asked for as results are taken: they may be without end.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn square(x: i64) -> i64 {
    /// #     x * x
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(2)?;
    /// let large = pool.imap(square, 0..).map_while(Result::ok).find(|square| *square > 200);
    /// assert_eq!(large, Some(225));
    /// # Ok(())
    /// # }
    /// ```
    pub fn imap<'a, A, F, I>(&self, _task: F, items: I) -> Imap<'a, F::Output>
    where
        F: Task<(A,)>,
        A: Serialize,
        I: IntoIterator<Item = A>,
        I::IntoIter: Send + 'a,
    {
        Imap::new(self, number_of::<F>(), items.into_iter(), true)
    }

    /// As [`imap`](Self::imap), but gives each result as soon as it is there.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn square(x: i64) -> i64 {
    /// #     x * x
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(2)?;
    /// let sum: i64 = pool.imap_unordered(square, 0..4).map_while(Result::ok).sum();
    /// assert_eq!(sum, 14);
    /// # Ok(())
    /// # }
    /// ```
    pub fn imap_unordered<'a, A, F, I>(&self, _task: F, items: I) -> Imap<'a, F::Output>
    where
        F: Task<(A,)>,
        A: Serialize,
        I: IntoIterator<Item = A>,
        I::IntoIter: Send + 'a,
    {
        Imap::new(self, number_of::<F>(), items.into_iter(), false)
    }

    /// Encodes all calls, put together as this handle puts them.
    fn pack_all<T: Serialize>(&self, task: u64, calls: impl IntoIterator<Item = T>) -> Result<Vec<Parcel>> {
        if let Some(most) = self.chunk_of(None) {
            return pack(task, calls.into_iter(), most);
        }
        // How many there are decides how many go together.
        let calls: Vec<T> = calls.into_iter().collect();
        let most = calls.len().div_ceil(4 * self.size()).max(1);
        pack(task, calls.into_iter(), most)
    }

    /// How many calls go together, if it is settled.
    pub(super) fn chunk_of(&self, unless_set: Option<usize>) -> Option<usize> {
        // The limit is for each call.
        if self.manner.time_limit.is_some() { Some(1) } else { self.chunk.or(unless_set) }
    }

    /// How many workers there are, as far as one reckons with them.
    pub(super) fn size(&self) -> usize {
        match self.workers() {
            0 => machine(),
            workers => workers,
        }
    }
}

fn number_of<F: 'static>() -> Result<u64> {
    name_of_function::<F>().map(|task| task.number()).map_err(Error::work)
}
