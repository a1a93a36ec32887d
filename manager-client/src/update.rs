//! Optimistic updates: a closure makes a new value of the one there, which is put in its place unless
//! another was faster.

use std::sync::Arc;

use manager_protocol::dict::Swap;
use manager_protocol::{Encoded, Operation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::argument::{Argument, cannot_decode};
use crate::error::Result;
use crate::handle::Handle;
use crate::link::DirectLink;
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
    let old = kept(found.reply::<G>()?);
    let current = |current: Option<Encoded<'_>>| current.map(kept).ok_or_else(no_current).map_err(cannot_decode);
    let change = |old: &Encoded<'_>| encoded(&change(old.decode().map_err(cannot_decode)?));
    let new = swap_until_done(handle, old, current, swap, change).await?;
    new.decode().map_err(cannot_decode)
}

/// Swaps what is there for what `change` makes of it, until nobody was faster, and returns that.
///
/// `current` makes a `V` of what was in the way of a swap.
pub(crate) async fn swap_until_done<L, V, S>(
    handle: &Handle<L>,
    mut old: V,
    current: impl Fn(Option<Encoded<'_>>) -> Result<V> + Send,
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
        let found = handle.raw(swap(old, new.clone())).await?;
        let swap = found.reply::<S>()?;
        if swap.swapped {
            return Ok(new);
        }
        old = current(swap.current)?;
        retry.pause::<S>(&handle.target).await?;
    }
}

/// A value of a reply, to be kept longer than the reply.
pub(crate) fn kept(value: Encoded<'_>) -> Encoded<'static> {
    Encoded::from(Arc::<[u8]>::from(value.as_slice()))
}

/// A value, encoded and cheap to clone.
pub(crate) fn encoded<T: Serialize>(value: &T) -> Result<Encoded<'static>> {
    Argument::new(value).into_bytes().map(|bytes| Encoded::from(Arc::<[u8]>::from(bytes)))
}
