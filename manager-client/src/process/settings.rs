//! What a process is to be like: set before it is started.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::Process;

/// # What the process is to be like
impl<R> Process<R> {
    /// The same process with another name. Without one it is called `Process-1` and so on, or as a child of a
    /// child `Process-1:2`.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let process = Process::new(greet, ("ann",)).with_name("greeter");
    /// assert_eq!(process.name(), "greeter");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        // It becomes an argument of the process, which ends at the first zero byte.
        self.birth.name = name.into().replace('\0', "");
        self
    }

    /// The same process as a daemon: it is ended when this process exits, instead of being waited for.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let process = Process::new(greet, ("ann",)).as_daemon();
    /// assert!(process.is_daemon());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn as_daemon(mut self) -> Self {
        self.birth.daemon = true;
        self
    }

    /// The same process detached: it goes on when this process ends, and Ctrl-C is not for it.
    ///
    /// If it uses objects of a private server, those end with the program that the server is in.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let process = Process::new(greet, ("ann",)).detached();
    /// process.start()?;
    /// process.join()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.birth.detached = true;
        self
    }

    /// The same process with a variable in its environment.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let process = Process::new(greet, ("ann",)).with_env("LANGUAGE", "en");
    /// process.start()?;
    /// process.join()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.birth.environment.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// The same process without a variable in its environment.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let process = Process::new(greet, ("ann",)).without_env("LANGUAGE");
    /// process.start()?;
    /// process.join()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn without_env(mut self, name: impl Into<OsString>) -> Self {
        self.birth.environment.push((name.into(), None));
        self
    }

    /// The same process with another working directory.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let process = Process::new(greet, ("ann",)).with_current_dir("/");
    /// process.start()?;
    /// process.join()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.birth.current_dir = Some(folder.into());
        self
    }

    /// The same process, whose stdout and stderr are kept for [`output`](Self::output); else they are those of
    /// this process.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let process = Process::new(greet, ("ann",)).with_captured_output();
    /// process.start()?;
    /// process.join()?;
    /// assert_eq!(process.output()?.stdout, b"greeting ann\n");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_captured_output(mut self) -> Self {
        self.birth.captured = true;
        self
    }
}
