//! Where children begin, and what only looks like one.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::child::Worker;
use crate::program::plain;

#[test]
fn a_program_without_the_first_line_starts_nothing() {
    let mut program = Worker::start(plain(&["unprepared"]));
    let line = program.line();
    assert!(line.starts_with("refused: ") && line.contains("manager_client::init()"), "{line}");
    assert!(program.wait().success());
}

#[test]
fn what_only_looks_like_a_child_is_the_program() {
    let hello = |zeroth: Option<&str>, number: Option<&str>, stdin: Stdio| {
        let mut command = plain(&["hello"]);
        if let Some(zeroth) = zeroth {
            command.arg0(zeroth);
        }
        if let Some(number) = number {
            command.env("MANAGER_LIFELINE", number);
        }
        says_hello(command.stdin(stdin));
    };
    // They stay open, and nobody ever writes to them.
    let (_ours, socket) = UnixStream::pair().unwrap();
    let socket = || Stdio::from(OwnedFd::from(socket.try_clone().unwrap()));
    let (pipe, _ours) = std::io::pipe().unwrap();
    for zeroth in [None, Some("manager-process x"), Some("manager-process ")] {
        for number in [None, Some("1"), Some("x")] {
            hello(zeroth, number, Stdio::null());
            hello(zeroth, number, socket());
            hello(zeroth, number, Stdio::from(OwnedFd::from(pipe.try_clone().unwrap())));
        }
    }
}

/// A program that is given our own lifeline's number, and then nonsense, ends with an error.
#[test]
fn nonsense_on_the_lifeline_ends_a_child() {
    for nonsense in [&b""[..], &[0, 0], &[0, 0, 0, 2, 0xc0, 0xc0], &[0xff; 64]] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let number = rustix::fs::fstat(&theirs).unwrap().st_ino.to_string();
        let mut command = plain(&["hello"]);
        command.arg0("manager-process x").env("MANAGER_LIFELINE", number).stdin(OwnedFd::from(theirs));
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        drop(command);
        std::io::Write::write_all(&mut ours, nonsense).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(70), "{nonsense:?}");
    }
}

#[track_caller]
fn says_hello(command: &mut Command) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "hello\n", "{command:?}");
    assert!(child.wait().unwrap().success());
}
