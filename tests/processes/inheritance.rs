//! How a process comes to a manager: from its parent's environment, or by a fork.

use manager_client::{ManagerDict, ManagerList};
use manager_protocol::SOCKET_VARIABLE;
use manager_tests::server;

use crate::child::{Place, Worker, worker};

#[test]
fn children_find_the_server_of_the_manager_that_made_their_command() {
    let server = server();
    let manager = server.manager();
    let mut children: Vec<Worker> = (0..10)
        .map(|number| {
            let mut command = manager.command(env!("CARGO_BIN_EXE_manager-test-worker"));
            // Wherever it runs.
            command.args(["append", &number.to_string()]).current_dir("/");
            Worker::start(command)
        })
        .collect();
    assert!(children.iter_mut().all(|child| child.wait().success()));
    let list: ManagerList<u64> = manager.list("appended").unwrap();
    list.sort().unwrap();
    assert_eq!(list.values().unwrap(), (0..10).collect::<Vec<u64>>());
    let dict: ManagerDict<String, u64> = manager.dict("counted").unwrap();
    assert_eq!(dict.get("children").unwrap(), Some(10));
}

#[test]
fn a_child_that_cannot_find_a_server_is_told_what_is_missing() {
    let told = |socket: Option<&str>| {
        let mut command = worker("reach");
        if let Some(socket) = socket {
            command.env(SOCKET_VARIABLE, socket);
        }
        let mut child = Worker::start(command);
        let line = child.line();
        assert!(child.wait().success());
        line
    };
    for unset in [None, Some("")] {
        let line = told(unset);
        assert!(
            line.starts_with("not reached") && line.contains(SOCKET_VARIABLE) && line.contains("is not set"),
            "{line}"
        );
    }
    let place = Place::new();
    let line = told(place.socket.to_str());
    assert!(line.contains("no server is listening at") && line.contains("manager.sock"), "{line}");
    let line = told(Some("/nonexistent/manager.sock"));
    assert!(line.contains("no server is listening at /nonexistent/manager.sock"), "{line}");
    let line = told(Some(&format!("/{}", "x".repeat(200))));
    assert!(line.contains("107"), "{line}");
    let server = server();
    assert!(told(server.socket().to_str()).starts_with("reached"));
}

#[test]
fn both_sides_of_a_fork_go_on_with_the_manager() {
    let server = server();
    let mut forking = worker("fork");
    forking.env(SOCKET_VARIABLE, server.socket());
    both_go_on(Worker::start(forking));
    let dict: ManagerDict<String, u64> = server.manager().dict("forked").unwrap();
    assert_eq!(dict.len().unwrap(), 3);
}

#[test]
fn a_fork_leaves_the_embedded_server_to_the_parent() {
    both_go_on(Worker::start(worker("fork-embedded")));
}

fn both_go_on(mut worker: Worker) {
    assert_eq!(worker.line(), "the child is done");
    assert_eq!(worker.line(), "the parent is done");
    assert!(worker.wait().success());
}
