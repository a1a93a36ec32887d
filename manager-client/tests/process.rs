//! Processes: what they return, how they end, and what becomes of their children.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a process prints is captured")]

use std::collections::HashMap;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use manager_client::{Error, Process, Run, TaskError, current_process, task};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

manager_client::enable_tests!();

#[task]
fn nothing() {}

#[task]
fn add(left: i64, right: i64) -> i64 {
    left + right
}

#[task]
fn borrow(text: &str) -> usize {
    text.len()
}

#[task]
#[expect(clippy::too_many_arguments, reason = "as many as a task may have")]
fn everything(
    a: u8,
    b: String,
    c: Option<i32>,
    d: Vec<f64>,
    e: HashMap<String, u8>,
    f: (),
    g: char,
    h: bool,
) -> String {
    format!("{a} {b} {c:?} {d:?} {} {f:?} {g} {h}", e.len())
}

#[task]
fn divide(left: i64, right: i64) -> Result<i64, String> {
    left.checked_div(right).ok_or_else(|| "division by zero".to_owned())
}

#[task]
fn length_of(path: &str) -> Result<u64, TaskError> {
    Ok(std::fs::metadata(path)?.len())
}

#[task]
fn panic_with(message: &str) {
    panic!("{message}");
}

#[task]
#[expect(clippy::exit, reason = "that is what the task is for")]
fn leave_with(code: i32) {
    std::process::exit(code);
}

#[task]
fn abort() {
    std::process::abort();
}

#[task]
fn overflow(depth: u64) -> u64 {
    let frame = [depth; 512];
    if depth == u64::MAX { 0 } else { overflow(std::hint::black_box(depth + 1)) + std::hint::black_box(frame)[7] }
}

#[task]
fn kill_myself(signal: i32) {
    let signal = Signal::from_named_raw(signal).unwrap();
    kill_process(rustix::process::getpid(), signal).unwrap();
    wait_for_ever();
}

#[task]
fn wait_for_ever() {
    loop {
        std::thread::park();
    }
}

#[task]
fn tell() -> (String, Option<String>, PathBuf) {
    println!("on stdout");
    eprintln!("on stderr");
    (current_process().name, std::env::var("COLOUR").ok(), std::env::current_dir().unwrap())
}

#[task]
fn flood(bytes: usize) -> String {
    let line = "x".repeat(bytes);
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    line
}

/// Starts a child that waits, and tells its pid and name.
#[task]
fn parent(detached: bool) {
    let mut child = Process::new(wait_for_ever, ());
    if detached {
        child = child.detached();
    }
    child.start().unwrap();
    // On a line of its own: the test harness may have begun one.
    println!("\nchild {} {}", child.pid().unwrap(), child.name());
    std::io::stdout().flush().unwrap();
    wait_for_ever();
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    name: String,
}

#[task]
impl Run for Greeting {
    type Output = String;

    fn run(self) -> String {
        format!("hello, {}", self.name)
    }
}

#[derive(Serialize, Deserialize)]
struct Unregistered;

impl Run for Unregistered {
    type Output = ();

    fn run(self) {}
}

fn unregistered() {}

fn run<R: serde::de::DeserializeOwned>(process: Process<R>) -> (manager_client::Result<R>, Option<i32>) {
    process.start().unwrap();
    let returned = process.join();
    assert!(!process.is_alive());
    (returned, process.exit_code())
}

fn lost(process: Process<()>) -> Error {
    process.start().unwrap();
    let error = process.join().unwrap_err();
    assert!(error.is_process_lost(), "{error}");
    assert_eq!((error.pid(), error.exit_code()), (process.pid(), process.exit_code()));
    error
}

/// Whether a process is there, and not a zombie that waits to be reaped.
fn is_there(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z')))
}

#[track_caller]
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_process_returns_what_its_task_returned() {
    let (returned, code) = run(Process::new(nothing, ()));
    returned.unwrap();
    assert_eq!(code, Some(0));
    let process = Process::new(add, (2, 3));
    assert_eq!((process.exit_code(), process.pid(), process.is_alive()), (None, None, false));
    process.start().unwrap();
    assert!(process.pid().is_some());
    assert_eq!(process.join().unwrap(), 5);
    assert_eq!(process.join_timeout(Duration::ZERO).unwrap(), Some(5), "it can be joined again");
    assert_eq!(run(Process::new(borrow, ("abc",))).0.unwrap(), 3);
    let many = (1, "b".to_owned(), None, vec![0.5], HashMap::from([("k".to_owned(), 1)]), (), 'g', true);
    assert_eq!(run(Process::new(everything, many)).0.unwrap(), "1 b None [0.5] 1 () g true");
    assert_eq!(run(Process::of_value(Greeting { name: "ann".into() })).0.unwrap(), "hello, ann");
}

#[test]
fn an_err_is_returned_as_it_is() {
    assert_eq!(run(Process::new(divide, (7, 2))).0.unwrap(), Ok(3));
    let (returned, code) = run(Process::new(divide, (7, 0)));
    assert_eq!((returned.unwrap(), code), (Err("division by zero".to_owned()), Some(1)));
    let error = run(Process::new(length_of, ("/no/such/file",))).0.unwrap().unwrap_err();
    assert!(error.message().contains("No such file") && error.location().unwrap().contains("process.rs"), "{error:?}");
}

#[test]
fn a_panic_is_told_with_its_message_place_and_backtrace() {
    let (returned, code) = run(Process::new(panic_with, ("one too many",)).with_captured_output());
    let error = returned.unwrap_err();
    let failure = error.task_error().unwrap();
    assert_eq!((failure.message(), code), ("one too many", Some(101)));
    assert!(failure.location().unwrap().starts_with(file!()), "{failure:?}");
    assert!(failure.backtrace().unwrap().contains("panic_with"), "{failure:?}");
    assert!(error.to_string().contains("one too many") && error.is_panic() && !error.is_process_lost());
}

#[test]
fn an_end_is_told_as_what_it_was() {
    let error = lost(Process::new(leave_with, (3,)));
    assert!(error.exit_code() == Some(3) && error.to_string().contains("exited with code 3"), "{error}");
    let error = lost(Process::new(leave_with, (0,)));
    assert!(error.exit_code() == Some(0), "{error}");
    let error = lost(Process::new(abort, ()));
    assert!(error.exit_code() == Some(-6) && error.to_string().contains("(SIGABRT) before"), "{error}");
    for (signal, name) in [(9, "SIGKILL"), (10, "SIGUSR1"), (15, "SIGTERM")] {
        let error = lost(Process::new(kill_myself, (signal,)));
        assert!(error.exit_code() == Some(-signal) && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_stack_overflow_is_told_from_an_abort() {
    let process = Process::new(overflow, (0,)).with_captured_output();
    process.start().unwrap();
    let error = process.join().unwrap_err();
    assert_eq!(error.exit_code(), Some(-6), "{error}");
    assert!(error.to_string().contains("its stack overflowed"), "{error}");
    let output = process.output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("has overflowed its stack"), "{output:?}");
}

#[test]
fn a_process_is_ended_from_outside() {
    let terminated = Process::new(wait_for_ever, ());
    terminated.start().unwrap();
    assert!(terminated.is_alive() && terminated.join_timeout(Duration::from_millis(1)).unwrap().is_none());
    terminated.terminate().unwrap();
    assert_eq!(terminated.join().unwrap_err().exit_code(), Some(-15));
    terminated.terminate().unwrap();

    let killed = Process::new(wait_for_ever, ());
    killed.start().unwrap();
    killed.kill().unwrap();
    let sentinel = killed.sentinel().unwrap();
    poll(&mut [PollFd::new(&sentinel.as_fd(), PollFlags::IN)], None).unwrap();
    assert_eq!(killed.join().unwrap_err().exit_code(), Some(-9));
}

#[test]
fn what_is_out_of_turn_is_refused() {
    let process = Process::new(wait_for_ever, ()).with_name("waiter");
    assert!(process.join().is_err_and(|error| error.is_out_of_turn() && error.to_string().contains("waiter")));
    assert!(process.terminate().is_err_and(|error| error.is_out_of_turn()));
    assert!(process.sentinel().is_err_and(|error| error.is_out_of_turn()));
    process.start().unwrap();
    assert!(process.start().is_err_and(|error| error.is_out_of_turn()));
    assert!(process.close().is_err_and(|error| error.is_out_of_turn()));
    process.kill().unwrap();
    assert!(process.join().is_err_and(|error| error.is_process_lost()));
    process.close().unwrap();
    assert!(process.join().is_err_and(|error| error.is_out_of_turn()));
    assert!(process.start().is_err_and(|error| error.is_out_of_turn()));
    assert!(format!("{process:?}").contains("waiter"));
}

#[test]
fn what_is_no_task_is_refused_by_name() {
    let error = Process::new(unregistered, ()).start().unwrap_err();
    assert!(error.is_unknown_task() && error.to_string().contains("process::unregistered"), "{error}");
    let error = Process::new(|x: i64| x, (1,)).start().unwrap_err();
    assert!(error.is_unknown_task() && error.to_string().contains("#[task]"), "{error}");
    let error = Process::of_value(Unregistered).start().unwrap_err();
    assert!(error.is_unknown_task() && error.to_string().contains("Unregistered"), "{error}");
}

#[test]
fn arguments_that_cannot_be_encoded_are_refused_at_the_start() {
    #[derive(Deserialize)]
    struct Stubborn;

    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it does not want to"))
        }
    }

    #[task]
    fn take(_: Stubborn) {}

    let error = Process::new(take, (Stubborn,)).start().unwrap_err();
    assert!(error.is_invalid_argument() && error.to_string().contains("does not want"), "{error}");
}

#[test]
fn a_process_has_its_own_name_variables_folder_and_output() {
    let folder = tempfile::tempdir().unwrap().keep().canonicalize().unwrap();
    let process = Process::new(tell, ()).with_name("teller").with_env("COLOUR", "blue").with_current_dir(&folder);
    let process = process.with_captured_output();
    process.start().unwrap();
    assert_eq!(process.join().unwrap(), ("teller".to_owned(), Some("blue".to_owned()), folder.clone()));
    let output = process.output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().ends_with("on stdout\n"));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "on stderr\n");

    let process = Process::new(tell, ()).with_env("COLOUR", "blue").without_env("COLOUR").with_captured_output();
    assert_eq!(run(process).0.unwrap().1, None);
    let error = Process::new(nothing, ()).with_current_dir("/no/such/folder").start().unwrap_err();
    assert!(error.to_string().contains("cannot start a process"), "{error}");
    std::fs::remove_dir(folder).unwrap();
}

#[test]
fn large_results_and_much_output_block_nobody() {
    let process = Process::new(flood, (3_000_000,)).with_captured_output();
    process.start().unwrap();
    // Nobody joins it, and it ends all the same.
    eventually("the process ends", || process.exit_code());
    assert_eq!(process.join().unwrap().len(), 3_000_000);
    assert!(process.output().unwrap().stdout.len() > 3_000_000);
}

#[test]
fn children_of_children_end_with_their_parent_unless_they_are_detached() {
    for detached in [false, true] {
        let process = Process::new(parent, (detached,)).with_name("parent").with_captured_output();
        process.start().unwrap();
        let (pid, name) = eventually("the child's line", || {
            let output = String::from_utf8(process.output().unwrap().stdout).unwrap();
            let line = output.lines().find_map(|line| line.strip_prefix("child "))?.to_owned();
            let (pid, name) = line.split_once(' ')?;
            name.ends_with('1').then(|| (pid.parse::<u32>().unwrap(), name.to_owned()))
        });
        assert_eq!(name, "parent:1");
        assert!(is_there(pid));
        let killed = Instant::now();
        process.kill().unwrap();
        assert_eq!(process.join().unwrap_err().exit_code(), Some(-9));
        if detached {
            // It has seen the end of its parent when it ends for another reason.
            assert!(is_there(pid));
            kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
        }
        eventually("the child ends", || (!is_there(pid)).then_some(()));
        assert!(detached || killed.elapsed() < Duration::from_secs(20), "{:?}", killed.elapsed());
    }
}

#[test]
fn no_descriptor_and_no_thread_is_left_behind() {
    let count = |folder: &str| std::fs::read_dir(Path::new("/proc/self").join(folder)).unwrap().count();
    run(Process::new(nothing, ())).0.unwrap();
    // Other tests of this program have processes too, which come and go.
    let before = (count("fd"), count("task"));
    for _ in 0..50 {
        run(Process::new(nothing, ())).0.unwrap();
    }
    eventually("what 50 processes needed is given back", || {
        (count("fd") < before.0 + 30 && count("task") < before.1 + 30).then_some(())
    });
}

#[test]
fn many_threads_wait_for_one_process() {
    let process = Process::new(wait_for_ever, ());
    process.start().unwrap();
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..8).map(|_| scope.spawn(|| process.join().unwrap_err().exit_code())).collect();
        process.kill().unwrap();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Some(-9));
        }
    });
}

#[cfg(feature = "aio")]
#[tokio::test]
async fn a_process_is_awaited() {
    let process = Process::new(add, (20, 22));
    assert!(process.joined().await.is_err_and(|error| error.is_out_of_turn()));
    process.start().unwrap();
    assert_eq!(process.joined().await.unwrap(), 42);
    let process = Process::new(wait_for_ever, ());
    process.start().unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(1), process.joined()).await.is_err());
    process.kill().unwrap();
    assert!(process.joined().await.is_err_and(|error| error.exit_code() == Some(-9)));
}

#[cfg(feature = "embedded")]
mod with_a_server {
    use manager_client::{Manager, ManagerDict, ManagerList, ManagerQueue};

    use super::*;

    #[task]
    fn fill(index: u64, counts: ManagerDict<u64, u64>, log: ManagerList<u64>) -> ManagerDict<u64, u64> {
        counts.add(&0, 1).unwrap();
        log.push(&index).unwrap();
        counts
    }

    #[task]
    fn make() -> Vec<ManagerList<String>> {
        let manager = Manager::from_env().unwrap();
        let list = manager.new_list().unwrap();
        list.push("made by a child that has ended").unwrap();
        vec![list.clone(), list]
    }

    #[derive(Serialize, Deserialize)]
    struct Worker {
        jobs: ManagerQueue<u64>,
    }

    #[task]
    impl Run for Worker {
        type Output = u64;

        fn run(self) -> u64 {
            self.jobs.iter().map(Result::unwrap).sum()
        }
    }

    #[test]
    fn proxies_are_arguments_and_results() {
        let manager = Manager::start().unwrap();
        let counts = manager.new_dict().unwrap();
        let log = manager.list("log").unwrap();
        let processes: Vec<_> =
            (0..5).map(|index| manager.process(fill, (index, counts.clone(), log.clone()))).collect();
        processes.iter().for_each(|process| process.start().unwrap());
        let returned: Vec<_> = processes.iter().map(|process| process.join().unwrap()).collect();
        assert!(returned.iter().all(|counts| counts.get(&0).unwrap() == Some(5)));
        assert_eq!(counts.get(&0).unwrap(), Some(5));
        log.sort().unwrap();
        assert_eq!(log.values().unwrap(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_a_child_made_and_returned_outlives_it() {
        let manager = Manager::start().unwrap();
        let process = manager.process(make, ());
        process.start().unwrap();
        let lists = process.join().unwrap();
        assert_eq!(lists[1].get(0).unwrap(), "made by a child that has ended");
        let again = process.join().unwrap();
        drop((lists, process));
        assert_eq!(again[0].len().unwrap(), 1);
    }

    #[test]
    fn an_argument_without_a_name_lives_until_the_child_has_it() {
        let manager = Manager::start().unwrap();
        let jobs = manager.new_queue().unwrap();
        jobs.put_many([1, 2, 3]).unwrap();
        jobs.shut_down().unwrap();
        let process = manager.process_of(Worker { jobs });
        process.start().unwrap();
        assert_eq!(process.join().unwrap(), 6);
    }

    #[test]
    fn proxies_go_to_processes_that_know_their_server_only() {
        let (manager, other) = (Manager::start().unwrap(), Manager::start().unwrap());
        let counts = manager.new_dict::<u64, u64>().unwrap();
        let log = manager.new_list::<u64>().unwrap();
        let error = Process::new(fill, (0, counts.clone(), log.clone())).start().unwrap_err();
        assert!(error.to_string().contains("manager.process"), "{error}");
        let process = other.process(fill, (0, counts, log));
        let error = process.start().and_then(|()| process.join().map(drop)).unwrap_err();
        assert!(error.to_string().contains("another server"), "{error}");
    }
}
