//! Optimistic updates: a closure makes a new value of the one there, which is put in its place unless
//! another was faster.

use manager_protocol::dict::Swap;
use manager_protocol::{Encoded, Operation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::argument::cannot_decode;
use crate::error::Result;
use crate::handle::Handle;
use crate::link::DirectLink;
use crate::reference::{Kept, Origin};
use crate::retry::Retry;
use crate::swap::no_current;

/// Replaces the value that `get` reads by what `change` makes of it, and returns the new one.
pub(crate) async fn update<L, G, S, T>(
    handle: &Handle<L>,
    get: G,
    swap: impl Fn(Encoded<'static>, Encoded<'static>) -> S + Send,
    mut change: impl FnMut(T) -> T + Send,
) -> Result<T>
where
    L: DirectLink,
    G: for<'r> Operation<Reply<'r> = Encoded<'r>>,
    S: for<'r> Operation<Reply<'r> = Swap<'r>>,
    T: Serialize + DeserializeOwned,
{
    let found = handle.raw(get).await?;
    let old = Kept::new(&found.reply::<G>()?, found.origin());
    let current = |current: Option<Encoded<'_>>, origin: Option<&Origin>| {
        current.map(|value| Kept::new(&value, origin)).ok_or_else(no_current).map_err(cannot_decode)
    };
    let swap = move |old: Kept, new: Kept| swap(old.encoded(), new.encoded());
    let change = |old: &Kept| Kept::encode(&change(old.decode()?), &handle.link);
    swap_until_done(handle, old, current, swap, change).await?.decode()
}

/// Swaps what is there for what `change` makes of it, until nobody was faster, and returns that.
///
/// `current` makes a `V` of what was in the way of a swap, and where that came from.
pub(crate) async fn swap_until_done<L, V, S>(
    handle: &Handle<L>,
    mut old: V,
    current: impl Fn(Option<Encoded<'_>>, Option<&Origin>) -> Result<V> + Send,
    swap: impl Fn(V, V) -> S + Send,
    mut change: impl FnMut(&V) -> Result<V> + Send,
) -> Result<V>
where
    L: DirectLink,
    V: Clone + Send,
    S: for<'r> Operation<Reply<'r> = Swap<'r>>,
{
    let mut retry = Retry::new(&handle.link);
    loop {
        let new = change(&old)?;
        let found = handle.raw(swap(old.clone(), new.clone())).await?;
        let swap = found.reply::<S>()?;
        if swap.swapped {
            return Ok(new);
        }
        old = current(swap.current, found.origin())?;
        retry.pause::<S>(&handle.target).await?;
    }
}
