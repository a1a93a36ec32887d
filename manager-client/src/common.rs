//! What all proxies without type parameters have in common, written once.

/// The name, the timeout and the `Debug` of a proxy that is a handle. Examples open it as told.
macro_rules! common {
    ($proxy:ident, $what:literal, $name:literal, $open:literal) => {
        impl<L: $crate::link::Link> $proxy<L> {
            /// The name that it was opened by; `None` if it was made without one, or came as a reference.
            ///
            /// ```
            /// # let manager = manager_client::Manager::start()?;
            #[doc = concat!("let ", $what, " = ", $open, ";")]
            #[doc = concat!("assert_eq!(", $what, ".name(), Some(\"", $name, "\"));")]
            /// # Ok::<(), manager_client::Error>(())
            /// ```
            #[must_use]
            pub fn name(&self) -> Option<&str> {
                self.handle.name()
            }
        }

        impl<L: $crate::link::DirectLink> $proxy<L> {
            /// The same proxy with another time that a call may take, and a wait that is not told how long.
            ///
            /// ```
            /// # let manager = manager_client::Manager::start()?;
            /// use std::time::Duration;
            ///
            #[doc = concat!("let ", $what, " = ", $open, ".with_timeout(Duration::from_millis(500));")]
            #[doc = concat!("# let _ = ", $what, ";")]
            /// # Ok::<(), manager_client::Error>(())
            /// ```
            #[must_use]
            pub fn with_timeout(&self, timeout: std::time::Duration) -> Self {
                let mut other = self.clone();
                other.handle = self.handle.with_timeout(timeout);
                other
            }
        }

        impl<L> std::fmt::Debug for $proxy<L> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($proxy)).field(&self.handle.target.label()).finish()
            }
        }
    };
}

pub(crate) use common;
