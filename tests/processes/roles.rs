//! What the worker program can be.

use std::fmt::Display;
use std::io::{self, BufRead, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use manager_client::{Manager, ManagerDict, ManagerList, ManagerQueue};
use manager_protocol::{
    FrameKind, Hello, PROTOCOL_VERSION, Part, SOCKET_VARIABLE, SessionChoice, finish_frame, start_frame, write_control,
    write_part,
};
use manager_server::{Config, Server};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::hands::{self, TRAY, Thing, inside, new_list};
use crate::mixed;

/// Plays the role that the arguments begin with.
pub(crate) fn play(mut arguments: impl Iterator<Item = String>) {
    let role: String = next(&mut arguments);
    match role.as_str() {
        "serve" => serve(arguments),
        "mixed" => mixed(arguments),
        "reach" => reach(),
        "append" => append(arguments),
        "fork" => fork_and_go_on(&Manager::from_env().unwrap()),
        "fork-embedded" => fork_and_go_on(&Manager::start().unwrap()),
        "upload" => upload(),
        "hold" => hold(arguments),
        "hold-all" => hold_all(),
        "consume" => consume(arguments),
        "take" => take(arguments),
        "hands" => hands::work(&Manager::from_env().unwrap(), next(&mut arguments)),
        "leave" => leave(arguments),
        "fetch" => fetch(),
        "keep" => keep(false),
        "keep-circle" => keep(true),
        "register" => register(arguments),
        "half-a-frame" => half_a_frame(),
        "half-a-message" => half_a_message(),
        other => panic!("there is no role {other:?}"),
    }
}

/// A server at the path of the first argument, until stdin ends. The rest changes its configuration.
fn serve(mut arguments: impl Iterator<Item = String>) {
    let mut config = Config::new(next::<String>(&mut arguments));
    for change in arguments {
        let (name, value) = change.split_once('=').expect("changes are written name=value");
        match name {
            "workers" => config.workers = parsed(value),
            "write_timeout_ms" => config.write_timeout = Duration::from_millis(parsed(value)),
            other => panic!("there is no setting {other:?}"),
        }
    }
    let server = Server::start(config).unwrap();
    say("listening");
    await_end();
    server.shutdown();
}

/// Mixed operations, once the parent says so; their history goes to a file.
fn mixed(mut arguments: impl Iterator<Item = String>) {
    let (seed, operations): (u64, usize) = (next(&mut arguments), next(&mut arguments));
    let file: String = next(&mut arguments);
    let manager = Manager::from_env().unwrap();
    say("ready");
    assert_eq!(told(), "go");
    let history = mixed::run(&manager, format!("{seed}"), seed, operations, 0);
    history.write(Path::new(&file)).unwrap();
    say("done");
}

/// Says whether there is a server to be reached.
fn reach() {
    match Manager::from_env() {
        Ok(manager) => say(&format!("reached {}", manager.socket().display())),
        Err(error) => say(&format!("not reached: {error:?}")),
    }
}

/// Appends its argument to a list and counts itself in a dict.
fn append(mut arguments: impl Iterator<Item = String>) {
    let manager = Manager::from_env().unwrap();
    let list: ManagerList<u64> = manager.list("appended").unwrap();
    let dict: ManagerDict<String, u64> = manager.dict("counted").unwrap();
    list.push(&next::<u64>(&mut arguments)).unwrap();
    dict.update_with("children", |count| Some(count.unwrap_or(0) + 1)).unwrap();
}

/// Forks with connections in use before, and goes on with them in both processes at once.
#[expect(unsafe_code, reason = "a fork is what is tested, and std has none")]
fn fork_and_go_on(manager: &Manager) {
    let dict: ManagerDict<String, u64> = manager.dict("forked").unwrap();
    dict.set("before", &1).unwrap();
    // SAFETY: no thread of this process holds a lock that the child needs: its own is here, and those of
    // an embedded server wait for something to do.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            go_on(manager, &dict, "child");
            say("the child is done");
        }
        ForkResult::Parent { child } => {
            go_on(manager, &dict, "parent");
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            // The end of the child, which dropped its manager, is not the end of anything here.
            assert_eq!(Manager::connect(manager.socket()).unwrap().ping().ok(), Some(()));
            assert_eq!((dict.get("parent").unwrap(), dict.get("child").unwrap()), (Some(2000), Some(2000)));
            say("the parent is done");
        }
    }
}

/// Counts under its own name: a reply to anybody else would be another number.
fn go_on(manager: &Manager, dict: &ManagerDict<String, u64>, name: &str) {
    for count in 1..=1000 {
        assert_eq!(dict.add(name, 1).unwrap(), count);
    }
    let pipeline = manager.pipeline();
    let queued = dict.on(&pipeline);
    let sums: Vec<_> = (0..1000).map(|_| queued.add(name, 1)).collect();
    pipeline.send().unwrap();
    for (sum, count) in sums.into_iter().zip(1001..) {
        assert_eq!(sum.take().unwrap(), count);
    }
    let fresh: ManagerDict<String, u64> = manager.dict("forked").unwrap();
    assert_eq!(fresh.get("before").unwrap(), Some(1));
}

/// Takes a lock and keeps it; says the token, and whether the owner before died.
fn hold(mut arguments: impl Iterator<Item = String>) {
    let lock = Manager::from_env().unwrap().lock(&next::<String>(&mut arguments)).unwrap();
    let guard = lock.with_timeout(Duration::MAX).acquire().unwrap();
    say(&format!("{} {}", guard.token(), guard.owner_died()));
    await_end();
}

/// Holds something of each kind.
fn hold_all() {
    let manager = Manager::from_env().unwrap();
    let jobs: ManagerQueue<u64> = manager.queue("jobs").unwrap();
    jobs.put(&1).unwrap();
    let _lease = jobs.reserve().unwrap();
    let _permit = manager.semaphore("permits", 1).unwrap().acquire().unwrap();
    let _end = manager.pipe_left::<u64, u64>("pipe").unwrap();
    let barrier = manager.barrier("barrier", 3).unwrap();
    say("holding");
    barrier.wait_timeout(Duration::MAX).unwrap();
}

/// Deals with items on loan until the queue is shut down, and notes each before and after.
fn consume(mut arguments: impl Iterator<Item = String>) {
    let manager = Manager::from_env().unwrap();
    let jobs: ManagerQueue<u64> = manager.queue(&next::<String>(&mut arguments)).unwrap();
    let seen: ManagerDict<u64, u64> = manager.dict("seen").unwrap();
    let acknowledged: ManagerList<u64> = manager.list("acknowledged").unwrap();
    loop {
        let lease = match jobs.reserve_timeout(Duration::MAX) {
            Ok(lease) => lease,
            Err(error) if error.is_shut_down() => return,
            Err(error) => panic!("{error}"),
        };
        let item = *lease.value();
        seen.add(&item, 1).unwrap();
        lease.ack().unwrap();
        acknowledged.push(&item).unwrap();
    }
}

/// Takes an item, and does not come to use it.
fn take(mut arguments: impl Iterator<Item = String>) {
    let queue: ManagerQueue<u64> = Manager::from_env().unwrap().queue(&next::<String>(&mut arguments)).unwrap();
    queue.get_timeout(Duration::MAX).unwrap();
    say("taken");
    await_end();
}

/// Puts the only proxy of a new list into a queue, and goes.
fn leave(mut arguments: impl Iterator<Item = String>) {
    let manager = Manager::from_env().unwrap();
    let list = new_list(&manager, next(&mut arguments));
    manager.queue::<Thing>(TRAY).unwrap().put(&Thing::List(list)).unwrap();
}

/// Takes a list off the queue, says what mark it has, and keeps it.
fn fetch() {
    let Thing::List(list) = Manager::from_env().unwrap().queue(TRAY).unwrap().get().unwrap() else {
        panic!("only lists were put")
    };
    assert!(inside(&Thing::List(list.clone())).is_empty());
    let Thing::Mark(mark) = list.get(0).unwrap() else { panic!("a mark is in front") };
    say(&format!("mark {mark}"));
    await_end();
}

/// Keeps a hundred lists that nobody else knows, each in the next one or not; says how many there are.
fn keep(ties: bool) {
    let manager = Manager::from_env().unwrap();
    let lists: Vec<_> = (0..100).map(|mark| new_list(&manager, mark)).collect();
    if ties {
        let next = lists.iter().cycle().skip(1);
        lists.iter().zip(next).for_each(|(list, next)| next.push(&Thing::List(list.clone())).unwrap());
    }
    say(&lists.len().to_string());
    await_end();
}

/// Registers under its numbers for as long as it lives.
fn register(arguments: impl Iterator<Item = String>) {
    let workers: ManagerDict<u64, u32> = Manager::from_env().unwrap().dict("workers").unwrap();
    for number in arguments {
        workers.insert_for_session(&parsed(&number), &std::process::id()).unwrap();
    }
    say("registered");
    await_end();
}

/// Puts a large value under a key, again and again.
fn upload() {
    let dict: ManagerDict<String, Vec<u64>> = Manager::from_env().unwrap().dict("uploads").unwrap();
    let value = vec![u64::MAX; 1_000_000];
    say("uploading");
    loop {
        dict.set("large", &value).unwrap();
    }
}

/// A request of one frame that never comes to its end.
fn half_a_frame() {
    let mut frame = Vec::new();
    let start = start_frame(&mut frame, FrameKind::Request);
    frame.resize(10_000_000, 0xc0);
    finish_frame(&mut frame, start);
    say_half(&frame[..frame.len() / 2]);
}

/// A request in parts of which the last never comes.
fn half_a_message() {
    let mut parts = Vec::new();
    for _ in 0..50 {
        write_part(&mut parts, FrameKind::RequestPart, &Part { id: 1, last: false, bytes: &[0xc0; 100_000] });
    }
    say_half(&parts);
}

fn say_half(bytes: &[u8]) {
    let socket = std::env::var_os(SOCKET_VARIABLE).unwrap();
    let mut stream = UnixStream::connect(socket).unwrap();
    let mut hello = Vec::new();
    write_control(
        &mut hello,
        FrameKind::Hello,
        &Hello { protocol: PROTOCOL_VERSION, client: "half".into(), session: SessionChoice::Own },
    );
    stream.write_all(&hello).unwrap();
    stream.write_all(bytes).unwrap();
    say("halfway");
    await_end();
}

/// Tells the parent.
fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).unwrap();
}

/// What the parent says.
fn told() -> String {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// Waits until the parent closes stdin, or is gone.
fn await_end() {
    io::stdin().lock().lines().for_each(drop);
}

fn next<T: FromStr<Err: Display>>(arguments: &mut impl Iterator<Item = String>) -> T {
    parsed(&arguments.next().expect("the role has another argument"))
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}
