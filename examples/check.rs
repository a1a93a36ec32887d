//! Runs every example as a user would and checks what it prints.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

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
