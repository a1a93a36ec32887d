//! How a process ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a process ended: its exit code, or a signal, and what is known of the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    code: i32,
    cause: Option<Cause>,
}

/// What a signal alone does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Its stack was full.
    StackOverflow,
    /// The kernel killed processes for want of memory meanwhile.
    OutOfMemory,
}

impl Exit {
    /// An exit code, or the negative number of a signal.
    pub(crate) fn of_code(code: i32) -> Self {
        Self { code, cause: None }
    }

    pub(crate) fn of_status(status: ExitStatus) -> Self {
        let code = status.code().or_else(|| status.signal().map(|signal| -signal));
        Self::of_code(code.expect("a process that was waited for has exited, or was ended by a signal"))
    }

    /// The same, of a process that said that it had run into the end of its stack.
    ///
    /// Only a guard page makes an abort of a segmentation fault: that is how std tells it from others.
    pub(crate) fn after_fault(self) -> Self {
        let overflow = self.code == -libc::SIGABRT;
        Self { cause: overflow.then_some(Cause::StackOverflow).or(self.cause), ..self }
    }

    /// The same, if the kernel may have done it for want of memory.
    pub(crate) fn for_want_of_memory(self, killed_meanwhile: bool) -> Self {
        let killed = killed_meanwhile && self.code == -libc::SIGKILL;
        Self { cause: killed.then_some(Cause::OutOfMemory).or(self.cause), ..self }
    }

    pub(crate) fn code(self) -> i32 {
        self.code
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match -self.code {
            signal if signal > 0 => {
                write!(f, "was ended by signal {signal}")?;
                if let Some(name) = signal_hook::low_level::signal_name(signal) {
                    write!(f, " ({name})")?;
                }
            }
            _ => write!(f, "exited with code {}", self.code)?,
        }
        match self.cause {
            None => Ok(()),
            Some(Cause::StackOverflow) => f.write_str(" because its stack overflowed"),
            Some(Cause::OutOfMemory) => f.write_str(", while the kernel killed processes for want of memory"),
        }
    }
}

/// How many processes the kernel has killed for want of memory since it started; 0 if it does not tell.
pub(super) fn killed_for_memory() -> u64 {
    std::fs::read_to_string("/proc/vmstat").ok().and_then(|text| count_of_kills(&text)).unwrap_or(0)
}

fn count_of_kills(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_says_what_it_was() {
        assert_eq!(Exit::of_code(3).to_string(), "exited with code 3");
        assert_eq!(Exit::of_code(-9).to_string(), "was ended by signal 9 (SIGKILL)");
        assert_eq!(Exit::of_code(-6).to_string(), "was ended by signal 6 (SIGABRT)");
        let overflow = Exit::of_code(-6).after_fault().to_string();
        assert_eq!(overflow, "was ended by signal 6 (SIGABRT) because its stack overflowed");
        assert_eq!(Exit::of_code(-11).after_fault().to_string(), "was ended by signal 11 (SIGSEGV)");
        let memory = Exit::of_code(-9).for_want_of_memory(true).to_string();
        assert!(memory.ends_with("for want of memory"), "{memory}");
        assert_eq!(Exit::of_code(1).for_want_of_memory(true), Exit::of_code(1));
    }

    #[test]
    fn kills_for_memory_are_read_from_the_kernels_table() {
        assert_eq!(count_of_kills("pgfault 7\noom_kill 12\nnr 3\n"), Some(12));
        assert_eq!(count_of_kills("pgfault 7\n"), None);
    }
}
