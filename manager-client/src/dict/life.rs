//! Entries of a dict that do not live without end: for a time, or as long as a session.

use std::borrow::Borrow;
use std::time::Duration;

use manager_protocol::dict::{Expire, InsertWith, TimeLeft, Ttl as TtlOf};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerDict;
use crate::argument::Argument;
use crate::link::Link;

/// How long an entry has still to live. Told by [`ManagerDict::ttl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ttl {
    /// Until it is removed, or its session ends if it has one: no time ends it.
    Endless,
    /// So long.
    Left(Duration),
}

impl From<TimeLeft> for Ttl {
    fn from(time: TimeLeft) -> Self {
        time.left_ms.map_or(Self::Endless, |left| Self::Left(Duration::from_millis(left)))
    }
}

impl<K, V, L> ManagerDict<K, V, L>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    L: Link,
{
    /// Puts a value under a key for a time, and returns the value that was there.
    ///
    /// When the time is over the entry is removed. [`add`](Self::add), `compare_and_set` and the like leave
    /// that as it is; [`set`](Self::set), [`insert`](Self::insert) and [`persist`](Self::persist) make it an
    /// entry without end.
    ///
    /// # Errors
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) for no time at all, or more than ten years.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert_eq!(ages.insert_with_ttl("ann", &31, Duration::from_secs(60))?, None);
    /// assert_eq!(ages.get("ann")?, Some(31));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("setex", "set_with_ttl"))]
    pub fn insert_with_ttl<Q, W>(&self, key: &Q, value: &W, ttl: Duration) -> L::Wait<'_, Option<V>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        self.insert_with(&Argument::new(key), &Argument::new(value), Some(ttl), false)
    }

    /// Puts a value under a key as long as this process's session lasts, and returns the value that was there.
    ///
    /// **What puts the key anew (`set`, `insert`, `update`) makes it an entry without end**, also in the process whose
    /// entry it was; change the value by [`at`](Self::at) or [`update_with`](Self::update_with), or call this again.
    ///
    /// The entry is removed when the session ends: with the process, or with the last proxy of this manager,
    /// or when the process has been without a connection for too long. A process that hangs keeps its entry:
    /// [`insert_for_session_with_ttl`](Self::insert_for_session_with_ttl) is for that. A child of a fork has a session of its
    /// own.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert_eq!(ages.insert_for_session("ann", &31)?, None);
    /// assert_eq!(ages.get("ann")?, Some(31));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn insert_for_session<Q, W>(&self, key: &Q, value: &W) -> L::Wait<'_, Option<V>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        self.insert_with(&Argument::new(key), &Argument::new(value), None, true)
    }

    /// As [`insert_for_session`](Self::insert_for_session), but for so long at most.
    ///
    /// Repeated, or kept up with [`expire`](Self::expire), it is the sign of life of a process that may hang
    /// as well as die.
    ///
    /// # Errors
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) for no time at all, or more than ten years.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.insert_for_session_with_ttl("ann", &31, Duration::from_secs(60))?;
    /// assert!(ages.expire("ann", Duration::from_secs(60))?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn insert_for_session_with_ttl<Q, W>(&self, key: &Q, value: &W, ttl: Duration) -> L::Wait<'_, Option<V>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        self.insert_with(&Argument::new(key), &Argument::new(value), Some(ttl), true)
    }

    fn insert_with(
        &self,
        key: &Argument,
        value: &Argument,
        ttl: Option<Duration>,
        session: bool,
    ) -> L::Wait<'_, Option<V>> {
        let ttl_ms = ttl.map(milliseconds);
        self.handle.call(
            || Ok(InsertWith { key: key.get()?, value: value.get()?, ttl_ms, session }),
            |value| value.map(|value| value.decode()).transpose(),
        )
    }

    /// Gives an entry so long to live from now on; whether there is such a key.
    ///
    /// # Errors
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) for no time at all, or more than ten years.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// assert!(ages.expire("ann", Duration::from_secs(60))?);
    /// assert!(!ages.expire("bob", Duration::from_secs(60))?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn expire<Q>(&self, key: &Q, ttl: Duration) -> L::Wait<'_, bool>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let (key, ttl_ms) = (Argument::new(key), Some(milliseconds(ttl)));
        self.handle.call(|| Ok(Expire { key: key.get()?, ttl_ms }), Ok)
    }

    /// Lets an entry live without end; whether there is such a key.
    ///
    /// One that was put there for a session is removed with it all the same.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use manager_client::Ttl;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.insert_with_ttl("ann", &31, Duration::from_secs(60))?;
    /// assert!(ages.persist("ann")?);
    /// assert_eq!(ages.ttl("ann")?, Some(Ttl::Endless));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn persist<Q>(&self, key: &Q) -> L::Wait<'_, bool>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let key = Argument::new(key);
        self.handle.call(|| Ok(Expire { key: key.get()?, ttl_ms: None }), Ok)
    }

    /// How long an entry has still to live; `None` if there is no such key.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use manager_client::Ttl;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.insert_with_ttl("ann", &31, Duration::from_secs(60))?;
    /// assert!(matches!(ages.ttl("ann")?, Some(Ttl::Left(left)) if left <= Duration::from_secs(60)));
    /// assert_eq!(ages.ttl("bob")?, None);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn ttl<Q>(&self, key: &Q) -> L::Wait<'_, Option<Ttl>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let key = Argument::new(key);
        self.handle.call(|| Ok(TtlOf { key: key.get()? }), |left| Ok(left.map(Ttl::from)))
    }
}

/// A time to live as the wire has it, rounded up. One that is too long is left to the server to refuse.
fn milliseconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use manager_protocol::Encoded;

    use super::*;
    use crate::manager::Manager;
    use crate::scripted::{Scripted, now};

    fn dict() -> (ManagerDict<String, u64, Scripted>, Scripted) {
        let link = Scripted::new();
        link.answer(&5_u64);
        let dict = now(Manager::over(link.clone()).dict("ages")).unwrap();
        link.asked();
        (dict, link)
    }

    #[test]
    fn a_time_to_live_is_rounded_up_and_never_endless() {
        assert_eq!(milliseconds(Duration::ZERO), 0, "for the server to refuse");
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_micros(1500)), 2);
        assert_eq!(milliseconds(Duration::MAX), i64::MAX);
    }

    #[test]
    fn an_entry_ends_as_it_was_asked_for() {
        let (ages, link) = dict();
        let minute = Duration::from_secs(60);
        for _ in 0..3 {
            link.answer(&None::<Encoded<'_>>);
        }
        assert_eq!(now(ages.insert_with_ttl("ann", &31, minute)).unwrap(), None);
        assert_eq!(now(ages.insert_for_session("ann", &31)).unwrap(), None);
        assert_eq!(now(ages.insert_for_session_with_ttl("ann", &31, minute)).unwrap(), None);
        let ends = link.asked().into_iter().map(|asked| {
            type Arguments<'a> = (Encoded<'a>, Encoded<'a>, Option<i64>, bool);
            let mut decoder = manager_protocol::Decoder::new(&asked.arguments);
            let (_, _, ttl, session): Arguments<'_> = decoder.argument("all").unwrap();
            (ttl, session)
        });
        assert_eq!(ends.collect::<Vec<_>>(), [(Some(60_000), false), (None, true), (Some(60_000), true)]);
    }

    #[test]
    fn what_is_left_is_told() {
        let (ages, link) = dict();
        link.answer(&None::<TimeLeft>);
        link.answer(&Some(TimeLeft { left_ms: None }));
        link.answer(&Some(TimeLeft { left_ms: Some(1500) }));
        assert_eq!(now(ages.ttl("ann")).unwrap(), None);
        assert_eq!(now(ages.ttl("ann")).unwrap(), Some(Ttl::Endless));
        assert_eq!(now(ages.ttl("ann")).unwrap(), Some(Ttl::Left(Duration::from_millis(1500))));
        link.answer(&true);
        assert!(now(ages.persist("ann")).unwrap());
        let asked = link.asked().pop().unwrap();
        assert_eq!(asked.operation, "dict.expire");
        assert_eq!(asked.arguments.last(), Some(&0xc0), "no end");
    }
}
