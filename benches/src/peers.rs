//! What of the peers is installed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::system::{Server, System};

/// The versions of the peers that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peers {
    pub(crate) redis: Option<String>,
    pub(crate) cpython: Option<Python>,
}

/// A Python, and where it is: what is on the PATH may be a script that looks for one each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Python {
    pub(crate) version: String,
    pub(crate) program: PathBuf,
}

impl Peers {
    /// Those on the PATH.
    pub(crate) fn find() -> Self {
        Self {
            redis: asked("redis-server", &["--version"]).and_then(|said| redis_version(&said)),
            cpython: asked("python3", &["-c", WHICH_PYTHON]).and_then(|said| python(&said)),
        }
    }

    /// Whether the system can be measured.
    pub(crate) fn have(&self, system: System) -> bool {
        match system.server() {
            Server::Echo | Server::Manager => true,
            Server::Redis => self.redis.is_some(),
            Server::Cpython => self.cpython.is_some(),
        }
    }
}

fn asked(program: &str, question: &[&str]) -> Option<String> {
    let output = Command::new(program).args(question).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Out of `Redis server v=7.0.15 sha=…`.
fn redis_version(said: &str) -> Option<String> {
    said.split_whitespace().find_map(|word| word.strip_prefix("v=")).map(str::to_owned)
}

/// Out of a line `VERSION PROGRAM`.
fn python(said: &str) -> Option<Python> {
    let (version, program) = said.trim_end().split_once(' ')?;
    Some(Python { version: version.to_owned(), program: program.into() })
}

const WHICH_PYTHON: &str = "import multiprocessing.managers, sys; print(sys.version.split()[0], sys.executable)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_tells_its_version() {
        assert_eq!(redis_version("Redis server v=7.0.15 sha=0:0 bits=64").unwrap(), "7.0.15");
        assert_eq!(asked("/nonexistent/redis-server", &["--version"]), None);
    }

    #[test]
    fn python_tells_where_it_is() {
        let expected = Python { version: "3.13.1".to_owned(), program: "/opt/my python/bin/python3".into() };
        assert_eq!(python("3.13.1 /opt/my python/bin/python3\n"), Some(expected));
        assert_eq!(python(""), None);
    }

    #[test]
    fn our_own_are_always_there() {
        let none = Peers { redis: None, cpython: None };
        assert!(none.have(System::Async) && none.have(System::Echo));
        assert!(!none.have(System::Redis) && !none.have(System::Cpython));
    }
}
