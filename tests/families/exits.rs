//! Ordinary exits: daemons are ended, the others are waited for, and who is detached goes on.

use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, Signal, kill_process};

use crate::child::eventually;
use crate::program::{Program, family, is_there};

#[test]
fn at_an_exit_daemons_are_ended_and_others_are_waited_for() {
    for (how, code) in [("return", 0), ("exit", 7), ("exit-elsewhere", 7), ("panic", 101)] {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Program::start(family(&["leave", how, folder.path().to_str().unwrap()]), 3);
        program.worker.tell("leave");
        // That is the first thing that an exit does.
        eventually("the daemon is ended", || (!is_there(program.pid_of("daemon"))).then_some(()));
        assert!(is_there(program.pid_of("writer")) && is_there(program.worker.id()), "{how}: it is waited for");
        assert!(!folder.path().join("done").exists());
        std::fs::write(folder.path().join("go"), "").unwrap();
        let status = program.worker.wait();
        assert_eq!(status.code(), Some(code), "{how}: {status}");
        assert!(folder.path().join("done").exists(), "{how}: the writer was not waited for");
        assert!(!is_there(program.pid_of("writer")) && !program.has_folder(), "{how}");
        end_detached(&program);
    }
}

/// It is there until somebody ends it.
#[track_caller]
fn end_detached(program: &Program) {
    let detached = program.pid_of("detached");
    assert!(is_there(detached), "the detached one goes on");
    kill_process(Pid::from_raw(detached.try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
    eventually("the detached one ends", || (!is_there(detached)).then_some(()));
}

#[test]
fn an_exit_that_waits_for_a_child_can_be_interrupted() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Program::start(family(&["leave", "return", folder.path().to_str().unwrap()]), 3);
        program.worker.tell("leave");
        eventually("the daemon is ended", || (!is_there(program.pid_of("daemon"))).then_some(()));
        program.signal(signal, false);
        let status = program.worker.wait();
        assert_eq!((status.code(), status.signal()), (Some(code), None));
        assert!(!folder.path().join("done").exists() && !program.has_folder());
        assert!(!is_there(program.pid_of("writer")));
        end_detached(&program);
    }
}

#[test]
fn the_exit_of_a_fork_is_not_that_of_its_parent() {
    for how in ["exit", "parent", "terminate"] {
        let mut program = Program::start(family(&["fork", how]), 2);
        program.worker.tell("fork");
        assert_eq!(program.worker.line(), "all there", "{how}");
        let status = program.worker.wait();
        assert!(status.success(), "{how}: {status}");
    }
}
