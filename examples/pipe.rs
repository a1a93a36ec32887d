//! A parent and its child send messages to each other through a pipe, until the parent closes its end:
//! the programs that explain `multiprocessing.Pipe` in Python's tutorials.
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

use std::error::Error;

use manager_client::{Manager, PipeEnd, PipeTicket};

/// Both send text and receive text. The two could be of different types: what one end sends, the other receives.
type Conn = PipeEnd<String, String>;

const DISHES: [&str; 3] = ["dumplings", "noodles", "soup"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => parent(),
        ["child", ticket] => child(&ticket.parse()?),
        _ => Err("usage: pipe (it takes no arguments)".into()),
    }
}

fn parent() -> Result<(), Box<dyn Error>> {
    let manager = Manager::start()?;
    let (conn1, conn2) = manager.pipe::<String, String>("conn")?;

    // The child is this program again. The ticket is the right to the other end: it travels as text,
    // and from here on the end is no longer this process's.
    let ticket = conn2.hand_over()?;
    let me = std::env::current_exe()?;
    let mut child = manager.command(&me).args(["child", &ticket.to_string()]).spawn()?;

    println!("parent receives: {}", conn1.recv()?);
    conn1.send("hello child")?;
    println!("parent sent: hello child");
    for dish in DISHES {
        conn1.send(dish)?;
        println!("parent receives: {}", conn1.recv()?);
    }
    // What was sent can still be received; then the child is told that there is no more.
    conn1.close()?;

    let status = child.wait()?;
    if !status.success() {
        return Err(format!("the child ended with {status}").into());
    }
    println!("the end");
    Ok(())
}

fn child(ticket: &PipeTicket) -> Result<(), Box<dyn Error>> {
    let conn: Conn = Manager::from_env()?.pipe_end(ticket)?;
    conn.send("hello parent")?;
    println!("child sent: hello parent");
    println!("child receives: {}", conn.recv()?);
    let mut eaten = 0;
    // Until the parent closes its end. If it were killed, that would close it too.
    for dish in conn.messages() {
        conn.send(&format!("I ate the {}", dish?))?;
        eaten += 1;
    }
    println!("child is told the end, after {eaten} dishes");
    if eaten == DISHES.len() { Ok(()) } else { Err("some dishes were lost".into()) }
}
