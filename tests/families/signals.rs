//! SIGINT and SIGTERM: the whole family ends, and the exit code tells why.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::child::eventually;
use crate::program::{PROGRAM, Program, family, is_there};

#[test]
fn a_signal_ends_the_family_whatever_main_does() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for meanwhile in ["park", "join", "unwrap"] {
            for group in [false, true] {
                ends_by(family(&["family", "wait", meanwhile]), signal, group, code);
            }
        }
    }
}

#[test]
fn a_signal_ends_the_family_whatever_the_children_do() {
    for way in ["busy", "stop", "deaf"] {
        ends_by(family(&["family", way, "join"]), Signal::INT, false, 130);
        ends_by(family(&["family", way, "unwrap"]), Signal::TERM, true, 143);
    }
}

#[track_caller]
fn ends_by(command: Command, signal: Signal, group: bool, code: i32) {
    let shown = format!("{command:?} by {signal:?}, group: {group}");
    let mut program = Program::start(command, 3);
    eventually("main waits", || program.is_waiting().then_some(()));
    let sent = Instant::now();
    program.signal(signal, group);
    let status = program.worker.wait();
    assert_eq!(status.code(), Some(code), "{shown}: {status}");
    assert!(!program.has_folder(), "{shown}: the server's directory is left");
    for name in ["daemon", "child"] {
        assert!(!is_there(program.pid_of(name)), "{shown}: {name} outlives its parent");
    }
    let took = program.await_none_left(sent);
    assert!(took < Duration::from_secs(10), "{shown} took {took:?}");
}

#[test]
fn a_second_signal_changes_nothing() {
    // One child has to be killed, which takes a while.
    let mut program = Program::start(family(&["family", "deaf", "join"]), 3);
    program.signal(Signal::INT, false);
    eventually("the end has begun", || (!is_there(program.pid_of("daemon"))).then_some(()));
    program.signal(Signal::TERM, true);
    program.signal(Signal::INT, false);
    assert_eq!(program.worker.wait().code(), Some(130));
    assert!(!program.has_folder());
    program.await_none_left(Instant::now());
}

#[test]
fn a_signal_that_was_ignored_before_stays_so() {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' INT; exec \"$0\" family wait join", PROGRAM]).process_group(0);
    let mut program = Program::start(command, 3);
    program.signal(Signal::INT, true);
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.worker.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    assert_eq!(u64::from_str_radix(ignored.trim(), 16).unwrap() & 0b10, 0b10, "SIGINT is ignored");
    program.signal(Signal::TERM, false);
    assert_eq!(program.worker.wait().code(), Some(143), "it was the other signal that ended it");
    program.await_none_left(Instant::now());
}

#[test]
fn a_program_may_keep_its_signals() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut program = Program::start(family(&["keeping", "wait", "park"]), 3);
        let sent = Instant::now();
        program.signal(signal, false);
        let status = program.worker.wait();
        assert_eq!((status.code(), status.signal()), (None, Some(signal.as_raw())));
        let took = program.await_none_left(sent);
        assert!(took < Duration::from_secs(10), "{took:?}");
        // As it is told: nobody was there to remove it.
        assert!(program.has_folder());
        program.remove_folder();
    }
}
