//! A parent and its child send messages to each other through a pipe, until the parent closes its end:
//! the program that explains `multiprocessing.Pipe` in Python's tutorials.
//!
//! ```text
//! cargo run --release --example pipe
//! ```
//!
//! ```python
//! conn1, conn2 = Pipe()
//! p = Process(target=fun1, args=(conn2,))
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use manager_client::{Manager, PipeEnd, PipeTicket, TaskError, task};

#[task]
fn fun1(ticket: PipeTicket) -> Result<usize, TaskError> {
    let conn: PipeEnd<String, String> = Manager::from_env()?.pipe_end(&ticket)?;
    conn.send("hello parent")?;
    println!("child sent: hello parent");
    println!("child receives: {}", conn.recv()?);
    let mut eaten = 0;
    // Until the parent closes its end. If it were killed, that would close it too.
    for dish in conn.messages() {
        conn.send(&format!("I ate the {}", dish?))?;
        eaten += 1;
    }
    Ok(eaten)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    manager_client::init();
    let manager = Manager::start()?;
    let (conn1, conn2) = manager.new_pipe::<String, String>()?;

    // The ticket is the right to the other end, which from here on is no longer this process's.
    let process = manager.process(fun1, (conn2.hand_over()?,));
    process.start()?;
    println!("parent receives: {}", conn1.recv()?);
    conn1.send("hello child")?;
    println!("parent sent: hello child");
    for dish in ["dumplings", "noodles", "soup"] {
        conn1.send(dish)?;
        println!("parent receives: {}", conn1.recv()?);
    }
    // What was sent can still be received; then the child is told that there is no more.
    conn1.close()?;
    println!("the child is told the end, after {} dishes", process.join()??);
    println!("the end of the test");
    Ok(())
}
