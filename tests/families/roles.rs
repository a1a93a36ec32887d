//! What the program can do, and the tasks of its children.

use std::io::Write;
use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, hint, thread};

use manager_client::{Manager, Pool, Process, current_process, task};
use nix::sys::signal::{SigHandler, Signal as NixSignal, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use rustix::process::{Signal, getpid, kill_process};

/// Plays a role; its name was taken off the arguments.
pub(crate) fn play(role: &str, mut arguments: impl Iterator<Item = String>) {
    let mut next = || arguments.next().unwrap();
    match role {
        "family" | "keeping" => family(&next(), &next()),
        "leave" => leave(&next(), &next()),
        "unprepared" => unprepared(),
        "fork" => fork_and_exit(&next()),
        "pool" => pool(&next()),
        "hello" => say("hello"),
        other => panic!("there is no role {other:?}"),
    }
}

/// One who says who it is, has as many generations after it, and lives on in some way.
#[task]
fn member(way: &str, generations: u32) {
    if way == "deaf" {
        ignore(NixSignal::SIGTERM);
    }
    if generations > 0 {
        Process::new(member, (way, generations - 1)).start().unwrap();
    }
    introduce_myself();
    match way {
        "wait" | "deaf" => wait_for_ever(),
        "busy" => loop {
            hint::spin_loop();
        },
        "stop" => {
            kill_process(getpid(), Signal::STOP).unwrap();
            wait_for_ever();
        }
        other => panic!("there is no way {other:?}"),
    }
}

/// Writes a file, but not before another is there.
#[task]
fn write_after(folder: &str) {
    introduce_myself();
    while !Path::new(folder).join("go").exists() {
        thread::sleep(Duration::from_millis(1));
    }
    fs::write(Path::new(folder).join("done"), "").unwrap();
}

#[task]
fn nothing() {}

/// Also the tests have a task of this name.
#[task(name = "wait in a pool")]
fn wait_in_pool() {
    wait_for_ever();
}

/// Two children and a grandchild, whose ways are as told, and what this one does meanwhile.
fn family(way: &str, meanwhile: &str) {
    let manager = Manager::start().unwrap();
    tell_folder(&manager);
    let daemon = Process::new(member, ("wait", 0)).with_name("daemon").as_daemon();
    let child = Process::new(member, (way, 1)).with_name("child");
    daemon.start().unwrap();
    child.start().unwrap();
    match meanwhile {
        "park" => {}
        "join" => drop(child.join()),
        "unwrap" => child.join().unwrap(),
        other => panic!("nothing is called {other:?}"),
    }
    wait_for_ever();
}

/// Ends in the ordinary way with three children: a daemon, one that writes a file, and one that is detached.
#[expect(clippy::exit, reason = "that is a way to end")]
fn leave(how: &str, folder: &str) {
    static MANAGER: OnceLock<Manager> = OnceLock::new();
    // What a static holds is not dropped.
    tell_folder(MANAGER.get_or_init(|| Manager::start().unwrap()));
    Process::new(member, ("wait", 0)).with_name("daemon").as_daemon().start().unwrap();
    Process::new(write_after, (folder,)).with_name("writer").start().unwrap();
    Process::new(member, ("wait", 0)).with_name("detached").detached().start().unwrap();
    await_line();
    match how {
        "return" => {}
        "exit" => exit(7),
        "exit-elsewhere" => thread::spawn(|| exit(7)).join().unwrap(),
        "panic" => panic!("this is meant to be"),
        other => panic!("nothing is called {other:?}"),
    }
}

/// What happens to a program whose `main` does not begin as it must.
fn unprepared() {
    let error = Process::new(nothing, ()).start().unwrap_err();
    assert!(error.is_not_initialised(), "{error}");
    let own = fs::read_dir("/proc/self/task").unwrap();
    let children = own.map(|thread| fs::read_to_string(thread.unwrap().path().join("children")).unwrap());
    assert_eq!(children.collect::<String>(), "", "nothing was started");
    say(&format!("refused: {error}"));
}

/// Forks with children and a server. The fork exits, perhaps with a child of its own, or is ended by a signal;
/// here everything goes on.
#[expect(clippy::exit, reason = "the fork must not go on with `main`")]
#[expect(unsafe_code, reason = "a fork is what is tested, and std has none")]
fn fork_and_exit(how: &str) {
    let manager = Manager::start().unwrap();
    let daemon = Process::new(member, ("wait", 0)).with_name("daemon").as_daemon();
    let child = Process::new(member, ("wait", 0)).with_name("child");
    daemon.start().unwrap();
    child.start().unwrap();
    await_line();
    // SAFETY: no thread of this process holds a lock that the fork needs: its own is here, the keepers wait for
    // their children, and those of the server for something to do.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => match how {
            "exit" => exit(5),
            "parent" => {
                let own = Process::new(nothing, ()).with_name("own");
                own.start().unwrap();
                own.join().unwrap();
                exit(5);
            }
            "terminate" => kill_process(getpid(), Signal::TERM).unwrap_or_else(|_| exit(1)),
            other => panic!("nothing is called {other:?}"),
        },
        ForkResult::Parent { child: forked } => {
            let status = waitpid(forked, None).unwrap();
            let expected = match how {
                "terminate" => WaitStatus::Signaled(forked, NixSignal::SIGTERM, false),
                _ => WaitStatus::Exited(forked, 5),
            };
            assert_eq!(status, expected);
            assert!(daemon.is_alive() && child.is_alive());
            manager.ping().unwrap();
            child.terminate().unwrap();
            assert_eq!(child.join().unwrap_err().exit_code(), Some(-15));
            say("all there");
        }
    }
}

/// Keeps a pool of the server that the environment names, or of a private one, in a static.
fn pool(what: &str) {
    static POOL: OnceLock<(Manager, Pool)> = OnceLock::new();
    let (manager, pool) = POOL.get_or_init(|| {
        let manager = if what == "here" { Manager::from_env() } else { Manager::start() }.unwrap();
        let pool = Pool::builder().workers(2).name("shared").manager(&manager).start().unwrap();
        (manager, pool)
    });
    say(&format!("pool {}", manager.socket().display()));
    match what {
        "here" | "private" => wait_for_ever(),
        "apply" => pool.apply(wait_in_pool, ()).unwrap(),
        "leave" => await_line(),
        other => panic!("nothing is called {other:?}"),
    }
}

#[expect(unsafe_code, reason = "a process that cannot be asked to end is what is tested")]
fn ignore(which: NixSignal) {
    // SAFETY: no function is called when the signal comes.
    unsafe { signal(which, SigHandler::SigIgn) }.unwrap();
}

fn tell_folder(manager: &Manager) {
    say(&format!("folder {}", manager.socket().parent().unwrap().display()));
}

fn introduce_myself() {
    say(&format!("{} {}", current_process().name, getpid()));
}

/// Writes a line in one piece: several processes write to one pipe.
fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Waits until the test says something.
fn await_line() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

fn wait_for_ever() -> ! {
    loop {
        thread::park();
    }
}
