//! What a server costs the machine: processor time, context switches, memory. Read from /proc.

use std::fs;

use serde::Serialize;

/// What a process has used since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Usage {
    pub(crate) cpu_ns: u64,
    pub(crate) switches: u64,
}

impl Usage {
    /// Of all its threads. Of a process that is not there it is nothing.
    pub(crate) fn of(pid: u32) -> Self {
        let mut usage = Self::default();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let read = |file: &str| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
            usage.cpu_ns += cpu_ns(&read("schedstat")).unwrap_or(0);
            let status = read("status");
            usage.switches += field(&status, "voluntary_ctxt_switches").unwrap_or(0);
            usage.switches += field(&status, "nonvoluntary_ctxt_switches").unwrap_or(0);
        }
        // Only the process itself knows of threads that have ended, but not to the nanosecond.
        let whole = fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| cpu_ns_of_ticks(&stat));
        usage.cpu_ns = usage.cpu_ns.max(whole.unwrap_or(0));
        usage
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns),
            switches: self.switches.saturating_sub(before.switches),
        }
    }
}

/// The bytes of memory that a process has in use.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "VmRSS").map(|kib| kib * 1024)
}

/// Exact to the nanosecond, where the kernel keeps it.
fn cpu_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

/// User and system time in hundredths of a second: the 14th and 15th field, of which the second may hold spaces.
fn cpu_ns_of_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) * 10_000_000)
}

/// The number in a line `NAME: NUMBER …`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_proc_are_found() {
        assert_eq!(cpu_ns("1234 5 6\n"), Some(1234));
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 90 0 0 0 12 30 0 0 20 0 1 0 100 200";
        assert_eq!(cpu_ns_of_ticks(stat), Some(420_000_000));
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nvoluntary_ctxt_switches:\t3\nnonvoluntary_ctxt_switches:\t4\n";
        assert_eq!(field(status, "VmRSS"), Some(2048));
        assert_eq!(field(status, "voluntary_ctxt_switches"), Some(3));
        assert_eq!(field(status, "nonvoluntary_ctxt_switches"), Some(4));
        assert_eq!(field(status, "VmSwap"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).is_some_and(|bytes| bytes > 0));
        assert!(Usage::of(pid).cpu_ns > 0);
    }
}
