//! A program that is killed: nothing can be done by it, and its family ends all the same.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::child::eventually;
use crate::program::{Program, family, is_stopped};

#[test]
fn the_family_of_a_program_that_is_killed_ends_at_once() {
    for way in ["wait", "busy", "stop", "deaf"] {
        let mut program = Program::start(family(&["family", way, "join"]), 3);
        if way == "stop" {
            for name in ["child", "child:1"] {
                eventually("the member has stopped", || is_stopped(program.pid_of(name)).then_some(()));
            }
        }
        let killed = Instant::now();
        program.signal(Signal::KILL, false);
        let took = program.await_none_left(killed);
        println!("children that {way}: all gone {took:?} after their parent was killed");
        // Two seconds on an idle machine, by far.
        assert!(took < Duration::from_secs(20), "{way}: {took:?}");
        program.worker.wait();
        program.remove_folder();
    }
}
