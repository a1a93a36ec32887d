//! Runs every example as a user would and checks what it prints.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Cargo builds the examples before this test, into the folder beside it.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    Command::new(profile.join("examples").join(name))
}

fn stdout(output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {error}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn manager_dict_list_prints_what_the_python_program_does() {
    let printed = stdout(example("manager_dict_list").output().unwrap());
    let mut lines = printed.lines();
    let dict = lines.next().unwrap();
    let inside = dict.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap();
    let mut entries: Vec<&str> = inside.split(", ").collect();
    entries.sort_unstable();
    let mut expected: Vec<String> = (0..10).map(|index| format!("{index}: 'a'")).collect();
    expected.push("'2': 'b'".to_owned());
    expected.sort_unstable();
    assert_eq!(entries, expected);

    let list = lines.next().unwrap();
    let inside = list.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap();
    let numbers: Vec<u32> = inside.split(", ").map(|number| number.parse().unwrap()).collect();
    assert_eq!(numbers[..5], [0, 1, 2, 3, 4]);
    let mut appended = numbers[5..].to_vec();
    appended.sort_unstable();
    assert_eq!(appended, (0..10).collect::<Vec<_>>());
    assert_eq!(lines.next(), None);
}

#[test]
fn word_count_counts_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "One fish, two fish.").unwrap();
    std::fs::create_dir(folder.path().join("more")).unwrap();
    std::fs::write(folder.path().join("more/b.txt"), "Red FISH; blue fish! Größe").unwrap();
    std::fs::write(folder.path().join("image.bin"), [0xff, 0xfe, 0x00]).unwrap();
    let printed =
        stdout(example("word_count").arg(folder.path()).args(["--workers", "3", "--check"]).output().unwrap());
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("9 words, 6 different, in 2 files, by 3 workers"));
    assert_eq!(lines.next(), Some("       4 fish"));
    assert!(printed.contains("       1 größe\n"), "{printed}");
    assert!(printed.contains("image.bin: not UTF-8 text\n"), "{printed}");
    assert!(printed.ends_with("check: a count in one process gives the same\n"), "{printed}");
}

#[test]
fn word_count_says_what_it_cannot_read() {
    let output = example("word_count").arg("/nonexistent/folder").output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("/nonexistent/folder"), "{error}");
}

#[test]
fn counter_race_loses_only_what_is_read_and_then_written() {
    let printed = stdout(example("counter_race").args(["--processes", "4", "--times", "2000"]).output().unwrap());
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 3, "{printed}");
    assert!(lines[0].starts_with("dict.add") && lines[0].ends_with("counted    8000   lost 0"), "{printed}");
    assert!(lines[1].starts_with("dict.update_with") && lines[1].ends_with("lost 0"), "{printed}");
    assert!(lines[2].starts_with("get, then set"), "{printed}");
}

#[test]
fn async_client_adds_up() {
    let printed = stdout(example("async_client").output().unwrap());
    assert!(printed.ends_with("64 tasks x 1000 = 64000\n"), "{printed}");
    assert_eq!(printed.lines().filter(|line| line.ends_with(" 16000")).count(), 4, "{printed}");
}

#[test]
fn process_and_process_subclass_run_five_times_each() {
    for name in ["process", "process_subclass"] {
        let printed = match name {
            "process" => stdout(example("process").output().unwrap()),
            _ => stdout(example("process_subclass").output().unwrap()),
        };
        let mut expected = vec!["testing many processes of Python"; 5];
        expected.push("the end of the test");
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn process_members_are_as_they_are_said_to_be() {
    let printed = stdout(example("process_members").output().unwrap());
    let lines: Vec<&str> = printed.lines().collect();
    let expected = [
        "name: waiter, daemon: true, pid: None",
        "before start: alive: false, exit code: None",
        "join before start: waiter was not started yet",
        "after start: alive: true, exit code: None",
        "start again: waiter was started already",
        "join for 10 ms: None",
        "close: waiter is still running: join it, or end it, before it is closed",
        "sentinel: true",
    ];
    assert_eq!(lines[..8], expected);
    assert!(lines[8].starts_with("terminated: ") && lines[8].contains("signal 15 (SIGTERM)"), "{printed}");
    assert_eq!(lines[9..11], ["alive: false, exit code: Some(-15)", "closed: waiter was closed"]);
    assert!(lines[11].starts_with("killed: ") && lines[11].contains("signal 9 (SIGKILL)"), "{printed}");
    assert_eq!(lines[12], r#"a child and its child: ("parent", "parent:1")"#);
    assert!(lines[13].contains("process_members.rs:") && lines[13].ends_with("attempt to divide by zero"), "{printed}");
    assert_eq!(lines[14..], ["exit code: Some(101)"]);
}

#[test]
fn queue_gets_what_each_child_puts() {
    let printed = stdout(example("queue").output().unwrap());
    let (before, after) = printed.split_once("the parent gets:\n").unwrap();
    assert_eq!(sorted(before), (0..3).map(|index| format!("child {index} begins to put")).collect::<Vec<_>>());
    let (messages, end) = after.split_once("the end of the test").unwrap();
    assert_eq!(sorted(messages), (0..3).map(|index| format!("I am {index}, by way of the queue")).collect::<Vec<_>>());
    assert_eq!(end, "\n");
}

#[test]
fn pipe_carries_messages_both_ways_until_it_ends() {
    let printed = stdout(example("pipe").output().unwrap());
    // The lines of the two processes come as they come; those of one are in order.
    let lines_of = |process: &str| printed.lines().filter(|line| line.starts_with(process)).collect::<Vec<_>>();
    let parent = [
        "parent receives: hello parent",
        "parent sent: hello child",
        "parent receives: I ate the dumplings",
        "parent receives: I ate the noodles",
        "parent receives: I ate the soup",
    ];
    assert_eq!(lines_of("parent"), parent, "{printed}");
    assert_eq!(lines_of("child"), ["child sent: hello parent", "child receives: hello child"], "{printed}");
    assert!(printed.ends_with("the child is told the end, after 3 dishes\nthe end of the test\n"), "{printed}");
    assert_eq!(printed.lines().count(), parent.len() + 4, "{printed}");
}

#[test]
fn producers_consumers_lose_nothing_and_all_end() {
    let printed = stdout(example("producers_consumers").output().unwrap());
    let (by_pipe, by_queue) = printed.split_once("by pipe: 20 eaten\n").unwrap();
    let (by_queue, end) = by_queue.split_once("by queue: 20 eaten\n").unwrap();
    for half in [by_pipe, by_queue] {
        let made: Vec<&str> =
            half.lines().filter(|line| !line.contains(" eats: ") && line.contains(" has made ")).collect();
        let eaten: Vec<&str> =
            half.lines().filter_map(|line| line.split_once(" eats: ")).map(|(_, food)| food).collect();
        assert_eq!(made.len(), 20, "{printed}");
        assert_eq!(sorted(&made.join("\n")), sorted(&eaten.join("\n")));
        assert_eq!(half.lines().filter(|line| line.contains(" got nothing: ")).count(), 4, "{printed}");
    }
    assert!(end.starts_with("the main program ends..........\n") && end.ends_with(" seconds\n"), "{printed}");
}

#[test]
fn pool_runs_ten_tasks_by_five_processes() {
    let printed = stdout(example("pool").output().unwrap());
    let mut processes = HashSet::new();
    for task in 0..10 {
        let begun = printed.lines().find_map(|line| line.strip_prefix(&format!("Run task {task} ("))).unwrap();
        processes.insert(begun.strip_suffix(")...").unwrap());
        let ended = format!("Task {task} runs 0.");
        assert_eq!(printed.lines().filter(|line| line.starts_with(&ended)).count(), 1, "{printed}");
    }
    assert!((1..=5).contains(&processes.len()), "{printed}");
    assert_eq!((printed.lines().count(), printed.lines().last()), (21, Some("the end of the test")), "{printed}");
}

#[test]
fn map_and_apply_return_what_the_function_does() {
    let printed = stdout(example("map_and_apply").output().unwrap());
    let parts: Vec<&str> = printed.split("\n--------").skip(1).collect();
    let [apply_async, apply, map, map_async] = parts[..] else { panic!("{printed}") };
    let hello: Vec<String> = (0..10).map(|index| format!("func_return: hello world {index}")).collect();
    let numbers: Vec<String> = [1, 2, 4, 5, 7, 8].iter().map(|number| format!("func_return: {number}")).collect();
    // What the workers print comes when it comes; what is returned is in order.
    let returned: Vec<&str> = apply_async.lines().filter(|line| line.starts_with("func_return")).collect();
    assert_eq!(returned, hello, "{printed}");
    assert!(apply_async.contains("apply_async: does not block\n"), "{printed}");
    assert!(apply.ends_with(&format!("********\napply: blocks\n{hello:?}\n")), "{printed}");
    assert!(map.ends_with(&format!("********\nmap: blocks\n{numbers:?}\n")), "{printed}");
    assert!(map_async.contains("\nready:  false\nmap_async: does not block\n"), "{printed}");
    assert!(map_async.ends_with(&format!("{numbers:?}\n")), "{printed}");
    for (part, calls) in parts.iter().zip([10, 10, 6, 6]) {
        assert_eq!(part.lines().filter(|line| line.starts_with("msg:  ")).count(), calls, "{printed}");
    }
}

#[test]
fn thumbnails_are_made_of_what_is_not_broken() {
    let folder = tempfile::tempdir().unwrap();
    let picture = |name: &str| folder.path().join(name);
    let colours = image::RgbImage::from_fn(200, 100, |x, y| image::Rgb([x as u8, y as u8, 7]));
    for name in ["wide.jpeg", "wide.png", "broken.png"] {
        colours.save(picture(name)).unwrap();
    }
    image::RgbImage::new(30, 60).save(picture("small.PNG")).unwrap();
    // A PNG that says that it is a JPEG is one all the same; half of one is not, nor is text.
    std::fs::copy(picture("wide.png"), picture("renamed.jpg")).unwrap();
    let bytes = std::fs::read(picture("broken.png")).unwrap();
    std::fs::write(picture("broken.png"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(picture("text.jpg"), "no picture").unwrap();
    // Its header says that it has 65,535 x 65,535 pixels.
    let mut lie = std::fs::read(picture("wide.jpeg")).unwrap();
    let frame = lie.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    lie[frame + 5..frame + 9].fill(0xff);
    std::fs::write(picture("lie.jpg"), lie).unwrap();
    image::RgbImage::new(10, 4).save(picture("tiny.png")).unwrap();
    // A name that is not text, of a picture that could be made one.
    let no_text = OsStr::from_bytes(b"not text \xff.png");
    std::fs::copy(picture("wide.png"), folder.path().join(no_text)).unwrap();
    // What is in the folder of thumbnails is no picture of the folder.
    std::fs::create_dir(picture("thumbs")).unwrap();
    std::fs::copy(picture("wide.png"), picture("thumbs/other.png")).unwrap();
    std::fs::write(picture("notes.txt"), "not looked at").unwrap();

    let printed =
        stdout(example("thumbnails").arg(folder.path()).args(["--size", "50", "--workers", "2"]).output().unwrap());
    let thumbs = folder.path().join("thumbs");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], format!("5 thumbnails in {}, by 2 processes", thumbs.display()));
    for (line, name) in lines[1..].iter().zip(["broken.png", "lie.jpg", "not text \u{fffd}.png", "text.jpg"]) {
        let reason = line.strip_prefix(&format!("left out: {}: ", picture(name).display()));
        assert!(reason.is_some_and(|reason| !reason.is_empty()), "{printed}");
    }
    assert_eq!(lines.len(), 5, "{printed}");
    let expected = [
        ("wide.jpeg", image::ImageFormat::Jpeg, (50, 25)),
        ("wide.png", image::ImageFormat::Png, (50, 25)),
        ("renamed.jpg", image::ImageFormat::Png, (50, 25)),
        ("small.PNG", image::ImageFormat::Png, (25, 50)),
        ("tiny.png", image::ImageFormat::Png, (10, 4)),
        ("other.png", image::ImageFormat::Png, (200, 100)),
    ];
    for (name, format, size) in expected {
        let reader = image::ImageReader::open(thumbs.join(name)).unwrap().with_guessed_format().unwrap();
        assert_eq!(reader.format(), Some(format), "{name}");
        assert_eq!(image::GenericImageView::dimensions(&reader.decode().unwrap()), size, "{name}");
    }
    assert_eq!(std::fs::read_dir(&thumbs).unwrap().count(), expected.len());
}

#[test]
fn thumbnails_says_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str], code| {
        let output = example("thumbnails").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(&["/nonexistent/folder"], 1).contains("cannot read /nonexistent/folder"));
    let empty = folder.path().to_str().unwrap();
    assert!(told(&[empty], 1).contains("no pictures in"));
    assert!(told(&[empty, "--size", "0"], 2).contains("--size"));
}

#[test]
fn leased_jobs_are_done_once_whoever_dies() {
    let printed = stdout(example("leased_jobs").args(["--workers", "3", "--jobs", "120"]).output().unwrap());
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}");
    let killed = between(lines[0], "120 jobs, 3 workers at a time, ", " workers killed at random");
    let (again, done) = lines[1].split_once(", ").unwrap();
    let again = between(again, "jobs delivered again: ", "");
    let done = between(done, "of which ", " had been done");
    // The two rounds without the poisonous job lose two workers each at most, a worker one job at most.
    assert!((1..=4).contains(&killed), "{printed}");
    assert!(again >= 2 && again <= killed + 2 && done <= killed, "{printed}");
    assert_eq!(lines[2], "dead letter: job 60, after 3 deliveries");
    assert_eq!(lines[3], "results: 119, one of each other job");
}

#[test]
fn leader_is_followed_by_one_who_is_told_and_refused_late_writes() {
    let printed = stdout(example("leader").args(["--candidates", "4", "--kills", "2"]).output().unwrap());
    let (notes, terms): (Vec<&str>, Vec<&str>) = printed.lines().partition(|line| line.starts_with(' '));
    let mut tokens = Vec::new();
    let mut leaders = Vec::new();
    for (term, before) in
        terms.iter().zip(["the first", "the leader before died", "the leader before died", "the leader before let go"])
    {
        let (token, rest) = term.split_once(": ").unwrap();
        tokens.push(between(token, "token ", ""));
        leaders.push(between(rest, "candidate ", &format!(" leads; {before}")));
    }
    assert!(terms.len() == 4 && tokens.is_sorted_by(|earlier, later| earlier < later), "{printed}");
    let killed = leaders[..2].iter().map(|leader| format!("    candidate {leader} is killed"));
    let refused = (1..tokens[2]).map(|token| format!("    a late write with token {token} is refused"));
    let stored = format!("    stored with token {}: written by candidate {}", tokens[2], leaders[2]);
    assert_eq!(notes, killed.chain(refused).chain([stored]).collect::<Vec<_>>(), "{printed}");
    leaders.sort_unstable();
    assert_eq!(leaders, [0, 1, 2, 3], "{printed}");
}

#[test]
fn barrier_lets_nobody_ahead() {
    let printed = stdout(example("barrier").args(["--workers", "3", "--phases", "5"]).output().unwrap());
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 7, "{printed}");
    for (phase, line) in (1..=5).zip(&lines) {
        let leader = between(line, &format!("phase {phase}: heat 1000.000, summed up by worker "), "");
        assert!(leader < 3, "{printed}");
    }
    assert_eq!(lines[5], "3 workers, 5 phases; ahead of the others: 0");
    assert_eq!(lines[6], "check: one process computes the same: true");
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn nested_jobs_are_changed_in_their_places() {
    let printed = stdout(example("nested").args(["--workers", "3"]).output().unwrap());
    let job = |name: &str| format!("    {name}: Done, 3 steps, 33 minutes");
    let expected = [
        "kitchen".to_owned(),
        job("wash up"),
        job("cook"),
        "garden".to_owned(),
        job("mow"),
        job("water"),
        job("rake"),
        "check: no step was lost: true".to_owned(),
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn live_workers_are_those_that_live() {
    let printed = stdout(example("live_workers").args(["--workers", "4"]).output().unwrap());
    let expected = ["alive: 0, 1, 2, 3", "worker 1 is killed; alive: 0, 2, 3", "the others have ended; alive: nobody"];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn watch_shows_each_change_once() {
    let printed = stdout(example("watch").output().unwrap());
    let expected = [
        "version 1",
        "    apples: 3",
        "    pears: 5",
        "version 2: apples: 2",
        "version 3: plums: 12",
        "version 4: no pears any more",
        "version 5: apples: 0",
        "version 6: the shop is closed",
        "the map that was kept is like the dict: true",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn config_reload_reaches_every_worker() {
    let printed = stdout(example("config_reload").args(["--workers", "3"]).output().unwrap());
    let expected = [
        "revision 1: log level info, 100 connections; 3 workers apply it",
        "revision 2: log level debug, 100 connections; 3 workers apply it",
        "revision 3: log level warn, 250 connections; 3 workers apply it",
        "the configuration is removed, and all workers have ended",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

/// The number between what a line begins and ends with.
fn between(line: &str, before: &str, after: &str) -> u64 {
    let number = line.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{line:?} is not {before:?}, a number, {after:?}"))
}

#[test]
fn every_example_is_checked_here() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let checked = std::fs::read_to_string(folder.join("check.rs")).unwrap();
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("check.rs") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(checked.contains(&format!("example(\"{name}\")")), "{name} is not checked");
        }
    }
}
