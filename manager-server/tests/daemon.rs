//! The program from outside: how it starts, whom it lets in, how it ends.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

mod support;

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use manager_protocol::{Code, FrameKind, Goodbye, Kind, decode_body, dict, list};
use rustix::process::{Resource, Rlimit, Signal, prlimit};
use support::{Daemon, Place, Raw, command, eventually, request};

#[test]
fn it_says_in_one_line_when_clients_can_connect() {
    let place = Place::new();
    let (_daemon, line) = Daemon::start(&place.socket, &[]);
    assert_eq!(line, format!("manager-server {} listening on {}\n", env!("CARGO_PKG_VERSION"), place.socket.display()));
    Raw::greeted(&place.socket).unwrap().ping(1).unwrap();
}

#[test]
fn help_and_version_go_to_stdout_and_faults_to_stderr() {
    let run = |arguments: &[&str]| {
        let output = command().args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, help, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for said in ["XDG_RUNTIME_DIR", "Example", "Exit codes", "--max-message"] {
        assert!(help.contains(said), "no {said} in {help}");
    }
    assert_eq!(run(&["--version"]).1, format!("manager-server {}\n", env!("CARGO_PKG_VERSION")));
    let (code, stdout, stderr) = run(&["--max-frame", "much"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("--max-frame"), "{stderr}");
}

#[test]
fn the_log_is_json_on_request_and_never_holds_a_key_or_a_value() {
    let place = Place::new();
    let (mut daemon, _) = Daemon::start(&place.socket, &["--log", "trace", "--log-format", "json", "--max-items", "2"]);
    let mut client = Raw::greeted(&place.socket).unwrap();
    let dict = client.open("dict", Kind::Dict);
    let secret = manager_protocol::encode_value("secret").unwrap();
    let set = |key: &[u8]| request(2, dict, dict::Set { key: key.into(), value: (&secret).into() });
    client.send(&set(&secret)).unwrap();
    assert_eq!(client.receive().unwrap().unwrap().0, FrameKind::Reply);
    // What fails is logged and answered with no more than that.
    let add = dict::Add { key: (&secret).into(), delta: (&secret).into(), bounds: None };
    client.send(&[request(3, dict, add), set(&[1]), set(&[2])].concat()).unwrap();
    assert!(!client.error_reply().message.contains("secret"));
    assert_eq!(client.receive().unwrap().unwrap().0, FrameKind::Reply);
    let refused = client.error_reply();
    assert_eq!(refused.code, Code::LimitExceeded.number(), "{}", refused.message);
    client.send(b"secret secret secret").unwrap();
    client.goodbye();
    daemon.signal(Signal::TERM);
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(0));
    assert!(log.lines().count() > 2 && log.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn a_second_server_at_one_socket_exits_with_3() {
    let place = Place::new();
    let (_first, _) = Daemon::start(&place.socket, &[]);
    let (code, log) = Daemon::spawn(&place.socket, &[]).wait();
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("already running") && log.contains(place.socket.to_str().unwrap()), "{log}");
    Raw::greeted(&place.socket).unwrap().ping(1).unwrap();
}

#[test]
fn the_socket_of_a_killed_server_is_replaced() {
    let place = Place::new();
    let (mut first, _) = Daemon::start(&place.socket, &[]);
    first.signal(Signal::KILL);
    assert_eq!(first.wait().0, None);
    assert!(place.socket.exists(), "a killed server leaves its socket behind");
    Raw::connect(&place.socket).err().expect("nobody listens");
    let (_second, _) = Daemon::start(&place.socket, &[]);
    Raw::greeted(&place.socket).unwrap().ping(1).unwrap();
}

#[test]
fn of_many_servers_for_one_socket_exactly_one_serves() {
    let place = Place::new();
    for round in 0..10 {
        let mut all: Vec<Daemon> = (0..20).map(|_| Daemon::spawn(&place.socket, &["--workers", "1"])).collect();
        let winner = eventually("all but one exit", || {
            let running: Vec<usize> = (0..all.len()).filter(|&index| all[index].exited().is_none()).collect();
            assert!(!running.is_empty(), "none serves");
            (running.len() == 1).then(|| running[0])
        });
        let mut winner = all.swap_remove(winner);
        for mut loser in all {
            let (code, log) = loser.wait();
            assert_eq!(code, Some(3), "round {round}: {log}");
        }
        eventually("the winner serves", || Raw::greeted(&place.socket).ok()).ping(1).unwrap();
        // Every other round leaves a stale socket to the next.
        winner.signal(if round % 2 == 0 { Signal::KILL } else { Signal::TERM });
        winner.wait();
    }
}

#[test]
fn told_to_stop_under_load_it_tells_its_clients_and_exits_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let (mut daemon, _) = Daemon::start(&place.socket, &[]);
        let busy = AtomicUsize::new(0);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| ping_until_told(&place.socket, &busy))).collect();
            eventually("every client is served", || (busy.load(Ordering::Relaxed) == 8).then_some(()));
            daemon.signal(signal);
            for client in clients {
                client.join().unwrap();
            }
        });
        let (code, log) = daemon.wait();
        assert_eq!(code, Some(0), "{log}");
        assert!(!place.socket.exists(), "the socket is removed");
    }
}

/// Pings without a pause until a goodbye arrives, or the connection ends.
fn ping_until_told(socket: &Path, busy: &AtomicUsize) {
    let mut client = Raw::greeted(socket).unwrap();
    for id in 0.. {
        if id == 10 {
            busy.fetch_add(1, Ordering::Relaxed);
        }
        let sent = client.send(&request(id, 0, manager_protocol::manager::Ping {}));
        match client.receive() {
            Ok(Some((FrameKind::Reply, _))) => sent.unwrap(),
            Ok(Some((FrameKind::Goodbye, body))) => {
                let goodbye: Goodbye = decode_body(FrameKind::Goodbye, &body).unwrap();
                assert_eq!(Code::from_number(goodbye.code), Some(Code::ShuttingDown));
                return;
            }
            other => panic!("neither a reply nor a goodbye: {other:?}"),
        }
    }
}

#[test]
fn told_twice_to_stop_it_does_so_at_once() {
    let place = Place::new();
    let (mut daemon, _) = Daemon::start(&place.socket, &[]);
    let mut client = Raw::greeted(&place.socket).unwrap();
    let list = client.open("list", Kind::List);
    let value = manager_protocol::encode_value(&"x".repeat(100_000)).unwrap();
    client.call(1, list, list::Push { value: (&value).into() }).unwrap();
    // Replies that nobody takes: a graceful end waits for them.
    client.send(&(0..100).flat_map(|id| request(id, list, list::Get { index: 0 })).collect::<Vec<u8>>()).unwrap();
    client.wait_for_bytes();
    daemon.signal(Signal::TERM);
    eventually("the first signal is heard", || (!place.socket.exists()).then_some(()));
    daemon.signal(Signal::INT);
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(130), "{log}");
}

#[test]
fn it_refuses_places_where_others_could_interfere() {
    let place = Place::new();
    let refused = |socket: &Path, said: &str| {
        let (code, log) = Daemon::spawn(socket, &[]).wait();
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains(said), "no {said:?} in {log:?}");
    };
    refused(&place.directory.path().join("x".repeat(120)), "107");

    let open = place.directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    refused(&open.join("manager.sock"), "mkdir -m 700");

    let link = place.directory.path().join("link");
    std::os::unix::fs::symlink(place.directory.path(), &link).unwrap();
    refused(&link.join("manager.sock"), "symbolic link");
}

#[test]
fn what_is_not_its_own_is_left_alone() {
    let place = Place::new();
    fs::write(&place.socket, "precious").unwrap();
    let (code, log) = Daemon::spawn(&place.socket, &[]).wait();
    assert_eq!(code, Some(1), "{log}");
    assert_eq!(fs::read(&place.socket).unwrap(), b"precious");

    fs::remove_file(&place.socket).unwrap();
    let _other = UnixListener::bind(&place.socket).unwrap();
    let (code, log) = Daemon::spawn(&place.socket, &[]).wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("another program"), "{log}");
    Raw::connect(&place.socket).unwrap();
}

#[test]
fn a_socket_that_replaced_its_own_is_not_removed() {
    let place = Place::new();
    let (mut daemon, _) = Daemon::start(&place.socket, &[]);
    fs::remove_file(&place.socket).unwrap();
    let _other = UnixListener::bind(&place.socket).unwrap();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().0, Some(0));
    assert!(place.socket.exists());
}

#[test]
fn what_it_makes_is_for_its_own_user_alone() {
    let place = Place::new();
    let mode = |path: PathBuf| fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    let made = place.directory.path().join("a/b");
    let (_daemon, _) = Daemon::start(&made.join("manager.sock"), &[]);
    assert_eq!(mode(place.directory.path().join("a")), 0o700);
    assert_eq!(mode(made.clone()), 0o700);
    assert_eq!(mode(made.join("manager.sock")), 0o600);
    assert_eq!(mode(made.join("manager.sock.lock")), 0o600);
    let sockets = fs::read_dir(&made).unwrap().filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_socket());
    assert_eq!(sockets.count(), 1, "nothing temporary is left");

    let (_shared, _) = Daemon::start(&place.socket, &["--allow-uid", "65534"]);
    assert_eq!(mode(place.socket.clone()), 0o666);
    assert_eq!(mode(place.directory.path().join("manager.sock.lock")), 0o600);
}

#[test]
fn a_stranger_is_refused_even_if_the_modes_would_let_it_in() {
    if let Some(socket) = env::var_os(STRANGER) {
        return be_the_stranger(Path::new(&socket));
    }
    if manager_socket::own_uid() != 0 {
        return; // Only root can start a process of another user; the decision has a test of its own.
    }
    let place = Place::new();
    let loosen = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (mut daemon, _) = Daemon::start(&place.socket, &[]);
    loosen(place.directory.path(), 0o755);
    loosen(&place.socket, 0o777);
    assert_eq!(as_nobody(&place), "NotAuthorised");
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert!(log.contains("uid=65534") && log.contains("pid="), "{log}");

    let (_daemon, _) = Daemon::start(&place.socket, &["--allow-uid", "65534"]);
    assert_eq!(as_nobody(&place), "welcome");
}

/// Runs this test again as `nobody`, from a place where that user can read it.
fn as_nobody(place: &Place) -> String {
    let program = place.directory.path().join("stranger");
    if !program.exists() {
        // By another process: a file that is open for writing here, or in a child that another test
        // is starting, cannot be run.
        assert!(Command::new("cp").arg(env::current_exe().unwrap()).arg(&program).status().unwrap().success());
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let output = Command::new(&program)
        .args(["--exact", "a_stranger_is_refused_even_if_the_modes_would_let_it_in", "--nocapture"])
        .env(STRANGER, &place.socket)
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let answer = said.lines().find_map(|line| line.split_once("the stranger got: "));
    answer.unwrap_or_else(|| panic!("no answer in {said}")).1.to_owned()
}

#[expect(clippy::print_stdout, reason = "it is a process of its own, and this is its answer")]
fn be_the_stranger(socket: &Path) {
    let mut client = Raw::connect(socket).unwrap();
    let answer = match (client.send(&support::hello(1)), client.receive()) {
        (_, Ok(Some((FrameKind::Welcome, _)))) => "welcome".to_owned(),
        (_, Ok(Some((FrameKind::Goodbye, body)))) => {
            let goodbye: Goodbye = decode_body(FrameKind::Goodbye, &body).unwrap();
            format!("{:?}", Code::from_number(goodbye.code).unwrap())
        }
        other => format!("{other:?}"),
    };
    println!("the stranger got: {answer}");
}

#[test]
fn lengths_that_lie_cost_no_memory() {
    let place = Place::new();
    let (daemon, _) = Daemon::start(&place.socket, &["--log", "off"]);
    let flood = || {
        let mut clients: Vec<Raw> = (0..1000).map(|_| Raw::connect(&place.socket).unwrap()).collect();
        for client in &mut clients {
            client.send(&[0xff; 4]).unwrap();
        }
        for client in &mut clients {
            client.expect_goodbye(Code::FrameTooLarge);
        }
    };
    flood(); // What a thousand connections need by themselves stays with the allocator for a moment.
    let before = daemon.resident();
    flood();
    eventually("it has no more memory than before", || (daemon.resident() < before + 1024).then_some(()));
    Raw::greeted(&place.socket).unwrap().ping(1).unwrap();
}

#[test]
fn without_free_descriptors_it_waits_and_recovers() {
    let place = Place::new();
    let (mut daemon, _) = Daemon::start(&place.socket, &["--workers", "1"]);
    let few = Some(daemon.descriptors() as u64 + 4);
    prlimit(Some(daemon.pid()), Resource::Nofile, Rlimit { current: few, maximum: few }).unwrap();
    let clients: Vec<Raw> = (0..64).map(|_| Raw::connect(&place.socket).unwrap()).collect();
    assert!(daemon.log_line().contains("cannot accept connections"));
    drop(clients);
    eventually("it serves again", || Raw::greeted(&place.socket).ok()).ping(1).unwrap();
}

/// Names the socket to the process that is to be the stranger.
const STRANGER: &str = "MANAGER_TEST_STRANGER";
