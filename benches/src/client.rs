//! The part of a client: a process that is told what to do by lines on stdin, and answers each by a line.

use std::error::Error;
use std::io::{self, BufRead, Write};

use manager_client::Lane;

use crate::order::{Answer, Introduction, Order, Report};
use crate::stopwatch::Stopwatch;
use crate::system::System;
use crate::systems::{aio, echo, manager, redis, threads};
use crate::work::{Stock, Work};

/// What may fail while a client works; it is told the program as text.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A connection to a server, and what is done over it.
pub(crate) trait Client {
    /// Puts something there: this part of so many.
    fn prepare(&mut self, stock: Stock, part: usize, parts: usize) -> Outcome;

    /// Makes itself ready, starts the watch, and works until that has run out.
    fn run(&mut self, work: Work, watch: Stopwatch) -> Outcome<Report>;
}

/// Serves until stdin ends.
pub(crate) fn main() -> Outcome {
    let mut lines = io::stdin().lock().lines();
    let Some(line) = lines.next() else { return Ok(()) };
    let mut client = connect(&serde_json::from_str(&line?)?)?;
    for line in lines {
        let answer = obey(&mut *client, &serde_json::from_str(&line?)?);
        let mut text = serde_json::to_string(&answer.unwrap_or_else(|error| Answer::Failed(in_full(&*error))))?;
        text.push('\n');
        io::stdout().lock().write_all(text.as_bytes())?;
    }
    Ok(())
}

fn connect(introduction: &Introduction) -> Outcome<Box<dyn Client>> {
    let Introduction { system, socket, index, lanes } = introduction;
    Ok(match system {
        System::Echo => Box::new(echo::Client::connect(socket)?),
        System::Manager => Box::new(manager::Client::connect(socket, *index, Lane::Auto)?),
        System::Socket => Box::new(manager::Client::connect(socket, *index, Lane::Socket)?),
        System::Threads => Box::new(threads::Client::connect(socket, *lanes)?),
        System::Async => Box::new(aio::Client::connect(socket, *index, *lanes)?),
        System::Redis => Box::new(redis::Client::connect(socket, *index)?),
        System::Cpython => return Err("Python's clients are written in Python".into()),
    })
}

fn obey(client: &mut dyn Client, order: &Order) -> Outcome<Answer> {
    Ok(match *order {
        Order::Prepare { stock, part, parts } => {
            client.prepare(stock, part, parts)?;
            Answer::Prepared
        }
        Order::Run { work, start_ns, stop_ns } => Answer::Ran(client.run(work, Stopwatch::new(start_ns, stop_ns))?),
    })
}

/// The error of work that a system is never given.
pub(crate) fn not_done<T>(work: Work) -> Outcome<T> {
    Err(format!("this client does not do {work:?}").into())
}

/// An error with its causes, in one sentence.
pub(crate) fn in_full(error: &(dyn Error + 'static)) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        sentence += &format!(": {cause}");
        source = cause.source();
    }
    sentence
}

/// That an answer is what it must be.
pub(crate) fn expect(right: bool) -> Outcome {
    if right { Ok(()) } else { Err("the server gave a wrong answer".into()) }
}
