//! What the proxies that a holder acquires have in common, written once.

/// Who acquires, and the forms of acquiring, by the proxy's own `take`. Examples open it as told; the
/// last argument says when it can be acquired.
macro_rules! owned {
    ($proxy:ident, $guard:ident, $what:literal, $open:literal, $free:literal) => {
        impl<L: $crate::link::Link> $proxy<L> {
            pub(crate) fn new(handle: $crate::handle::Handle<L>) -> Self {
                Self { handle, holder: None }
            }

            /// The same proxy, acquired for this holder, whichever thread or task asks.
            ///
            /// ```
            /// use manager_client::Holder;
            ///
            /// # let manager = manager_client::Manager::start()?;
            #[doc = concat!("let ", $what, " = ", $open, ".with_holder(Holder::new());")]
            #[doc = concat!($what, ".acquire()?.release()?;")]
            /// # Ok::<(), manager_client::Error>(())
            /// ```
            #[must_use]
            pub fn with_holder(&self, holder: $crate::holder::Holder) -> Self {
                Self { handle: self.handle.clone(), holder: Some(holder) }
            }
        }

        impl<L: $crate::link::DirectLink> $proxy<L> {
            #[doc = concat!("Acquires the lock, once ", $free, ".")]
            ///
            /// # Errors
            /// [`is_timeout`](crate::Error::is_timeout) if that is not within the time that a call may take,
            /// [`is_deadlock`](crate::Error::is_deadlock) if it would never be.
            ///
            /// # Blocks
            /// Until those who asked before have had it.
            ///
            /// ```
            /// # let manager = manager_client::Manager::start()?;
            #[doc = concat!("# let ", $what, " = ", $open, ";")]
            #[doc = concat!("let guard = ", $what, ".acquire()?;")]
            /// assert!(guard.token() > 0);
            /// # Ok::<(), manager_client::Error>(())
            /// ```
            #[doc(alias("lock", "__enter__"))]
            pub fn acquire(&self) -> L::Wait<'_, $guard<L>> {
                let wait = self.handle.link.timeout();
                self.take(wait, move |guard| guard.ok_or_else(|| $crate::handle::late(wait)))
            }

            #[doc = concat!("Acquires the lock if ", $free, " within a time; [`Duration::MAX`] waits for ever.")]
            ///
            /// ```
            /// use std::time::Duration;
            ///
            /// # let manager = manager_client::Manager::start()?;
            #[doc = concat!("# let ", $what, " = ", $open, ";")]
            #[doc = concat!("let guard = ", $what, ".acquire_timeout(Duration::from_millis(100))?;")]
            /// assert!(guard.is_some());
            /// # Ok::<(), manager_client::Error>(())
            /// ```
            #[doc(alias = "try_lock_for")]
            pub fn acquire_timeout(&self, wait: Duration) -> L::Wait<'_, Option<$guard<L>>> {
                self.take(wait, Ok)
            }

            #[doc = concat!("Acquires the lock if ", $free, " now.")]
            ///
            /// ```
            /// # let manager = manager_client::Manager::start()?;
            #[doc = concat!("# let ", $what, " = ", $open, ";")]
            #[doc = concat!("let guard = ", $what, ".try_acquire()?;")]
            /// let elsewhere = std::thread::scope(|scope| {
            #[doc = concat!(
                "    scope.spawn(|| ", $what, ".try_acquire().map(|guard| guard.is_some())).join().expect(\"no panic\")"
            )]
            /// })?;
            /// assert!(guard.is_some() && !elsewhere);
            /// # Ok::<(), manager_client::Error>(())
            /// ```
            #[doc(alias = "try_lock")]
            pub fn try_acquire(&self) -> L::Wait<'_, Option<$guard<L>>> {
                self.take(Duration::ZERO, Ok)
            }
        }
    };
}

pub(crate) use owned;
